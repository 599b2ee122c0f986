//! Finds the context of a position in unfinished text, for completion, indentation and colours. It
//! accepts any text.
//!
//! [`around`] runs the lexer over the text before the position and keeps a stack of open lists with
//! their elements. The last token is the one being typed if it touches the position. Text that is
//! not a token is skipped.

use super::lexer::{Lexer, Token};
use super::node::Span;

/// The context of a position: the text before it, taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Around {
    /// The lists that are open at the position, outermost first.
    pub open: Vec<OpenList>,
    /// The token being typed at the position.
    pub partial: Partial,
    /// The prefix before that token, if there is one.
    pub prefix: Option<Prefix>,
    /// The tokens up to the position.
    pub tokens: Vec<Shape>,
}

/// A list that is not closed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenList {
    /// The byte of its parenthesis.
    pub start: usize,
    /// Whether it is data: quoted, or part of a vector.
    pub quoted: bool,
    /// Its complete elements before the position.
    pub elements: Vec<Element>,
}

impl OpenList {
    /// Returns the word at its head.
    pub fn head(&self) -> Option<&str> {
        self.elements.first().and_then(|element| element.word.as_deref())
    }
}

/// A complete element of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// Its place, without a prefix such as a quote.
    pub span: Span,
    /// Its text, if it is a symbol, keyword or number.
    pub word: Option<String>,
}

/// The token being typed at the position.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Partial {
    /// Nothing: a blank or a parenthesis comes before the position.
    #[default]
    Nothing,
    /// A symbol, keyword or number that begins at this byte.
    Word(usize),
    /// A string whose opening quote is at this byte.
    String(usize),
    /// A comment.
    Comment,
}

/// The prefix of a form, such as a quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefix {
    /// `'` or `` ` ``.
    Quote,
    /// `#'`.
    Function,
    /// `,` or `,@`.
    Unquote,
}

/// A token, for colours and parentheses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Its place.
    pub span: Span,
    /// Its kind.
    pub kind: ShapeKind,
}

/// The kinds of tokens that have colours of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShapeKind {
    /// An opening parenthesis.
    Open,
    /// A closing parenthesis.
    Close,
    /// A string, closed or not.
    String,
    /// A keyword.
    Keyword,
    /// Any other word.
    Word,
    /// The word after the opening parenthesis of a list that is not data.
    Head,
    /// Anything else.
    Other,
}

/// Takes apart the text before `cursor`, a byte offset.
pub fn around(source: &str, cursor: usize) -> Around {
    let mut cursor = cursor.min(source.len());
    while !source.is_char_boundary(cursor) {
        cursor -= 1;
    }
    let text = &source[..cursor];
    let mut scan = Scan { text, found: Around::default(), prefix: None };
    let mut lexer = Lexer::new(text, false);
    let mut after = 0;
    loop {
        match lexer.next_token() {
            Ok(Some((token, span))) => {
                after = span.end;
                scan.token(token, span);
            }
            Ok(None) => {
                scan.end(after);
                return scan.found;
            }
            Err(error)
                if error.span.end >= text.len()
                    && error.kind == super::ReadErrorKind::Incomplete =>
            {
                scan.unfinished(error.span.start);
                return scan.found;
            }
            // Skips text that is not a token.
            Err(error) => after = error.span.end.max(after),
        }
    }
}

struct Scan<'a> {
    text: &'a str,
    found: Around,
    prefix: Option<Prefix>,
}

impl Scan<'_> {
    fn in_data(&self) -> bool {
        let outer = self.found.open.last().is_some_and(|list| list.quoted);
        match self.prefix {
            Some(Prefix::Quote) => true,
            Some(Prefix::Unquote) => false,
            _ => outer,
        }
    }

    fn shape(&mut self, span: Span, kind: ShapeKind) {
        self.found.tokens.push(Shape { span, kind });
    }

    fn token(&mut self, token: Token, span: Span) {
        match token {
            Token::Open | Token::OpenVector | Token::OpenBytes => {
                let quoted = self.in_data() || !matches!(token, Token::Open);
                self.shape(span, ShapeKind::Open);
                self.found.open.push(OpenList { start: span.start, quoted, elements: Vec::new() });
                self.prefix = None;
            }
            Token::Close => {
                self.shape(span, ShapeKind::Close);
                if let Some(list) = self.found.open.pop() {
                    self.element(Span::new(list.start, span.end), None);
                }
            }
            Token::Prefix(name) => {
                self.shape(span, ShapeKind::Other);
                self.prefix = Some(match name {
                    "function" => Prefix::Function,
                    "quote" | "quasiquote" => Prefix::Quote,
                    _ => Prefix::Unquote,
                });
            }
            Token::SkipNext | Token::Feature(_) | Token::Dot => self.shape(span, ShapeKind::Other),
            Token::Word { .. } => {
                let word = &self.text[span.start..span.end];
                let kind = match self.found.open.last() {
                    _ if word.starts_with(':') => ShapeKind::Keyword,
                    Some(list) if list.elements.is_empty() && !list.quoted => ShapeKind::Head,
                    _ => ShapeKind::Word,
                };
                self.shape(span, kind);
                if span.end == self.text.len() {
                    self.found.partial = Partial::Word(span.start);
                    self.found.prefix = self.prefix;
                } else {
                    self.element(span, Some(word.to_owned()));
                }
            }
            Token::String(_) => {
                self.shape(span, ShapeKind::String);
                self.element(span, None);
            }
            Token::Char(_) | Token::Boolean(_) | Token::Opaque(_) => {
                self.shape(span, ShapeKind::Other);
                self.element(span, None);
            }
        }
    }

    fn element(&mut self, span: Span, word: Option<String>) {
        self.prefix = None;
        if let Some(list) = self.found.open.last_mut() {
            list.elements.push(Element { span, word });
        }
    }

    /// Handles text that ends between tokens; `after` is where the last token ends.
    fn end(&mut self, after: usize) {
        if matches!(self.found.partial, Partial::Word(_)) {
            return;
        }
        self.found.prefix = self.prefix;
        let last_line = self.text[after..].rsplit('\n').next().unwrap_or("");
        if last_line.contains(';') {
            self.found.partial = Partial::Comment;
        }
    }

    /// Handles text that ends within the token that begins at `start`.
    fn unfinished(&mut self, start: usize) {
        let rest = &self.text[start..];
        self.found.prefix = self.prefix;
        self.found.partial = if rest.starts_with('"') {
            self.shape(Span::new(start, self.text.len()), ShapeKind::String);
            Partial::String(start)
        } else if rest.starts_with("#|") {
            Partial::Comment
        } else {
            Partial::Word(start)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The token at the end of a text, and the heads of the enclosing lists with the number of
    /// complete elements.
    fn at_end(text: &str) -> (Partial, Vec<(Option<String>, usize, bool)>) {
        let found = around(text, text.len());
        (
            found.partial,
            found
                .open
                .iter()
                .map(|list| (list.head().map(str::to_owned), list.elements.len(), list.quoted))
                .collect(),
        )
    }

    #[test]
    fn the_place_is_found_in_every_kind_of_text() {
        let list = |head: &str, count, quoted| (Some(head.to_owned()), count, quoted);
        for (text, partial, open) in [
            ("", Partial::Nothing, vec![]),
            ("(fet", Partial::Word(1), vec![(None, 0, false)]),
            ("(f a \"b", Partial::String(5), vec![list("f", 2, false)]),
            ("(f a \"b\\\"", Partial::String(5), vec![list("f", 2, false)]),
            ("(f \"b)\" (g) :k", Partial::Word(12), vec![list("f", 3, false)]),
            (
                "(f '(and (:from ",
                Partial::Nothing,
                vec![list("f", 1, false), list("and", 1, true), list(":from", 1, true)],
            ),
            (
                "(f `(a ,(g ",
                Partial::Nothing,
                vec![list("f", 1, false), list("a", 1, true), list("g", 1, false)],
            ),
            ("(f ; (g \"", Partial::Comment, vec![list("f", 1, false)]),
            ("(f ; x\n ", Partial::Nothing, vec![list("f", 1, false)]),
            ("#| (f", Partial::Comment, vec![]),
            ("(f #\\( ", Partial::Nothing, vec![list("f", 2, false)]),
            (")) (f ", Partial::Nothing, vec![list("f", 1, false)]),
            ("(f #<x> ", Partial::Nothing, vec![list("f", 2, false)]),
            ("(f :\\\\se", Partial::Word(3), vec![list("f", 1, false)]),
            ("(f |a b", Partial::Word(3), vec![list("f", 1, false)]),
        ] {
            assert_eq!(at_end(text), (partial, open), "{text}");
        }
        assert_eq!(around("(f #'ca", 7).prefix, Some(Prefix::Function));
        assert_eq!(around("(help 'fe", 9).prefix, Some(Prefix::Quote));
        assert_eq!(
            around("(f é", 4).partial,
            Partial::Nothing,
            "a cursor within a character is before it"
        );
    }
}
