//! Splits source text into tokens, for the reader and for [`super::cursor`].
//!
//! Any text is accepted. Text that cannot be a token gives an error with its place, and lexing can
//! go on after it. An error is "incomplete" if the text ends within a token. A first line that
//! starts with `#!` is skipped.

use super::node::Span;
use super::reader::{ReadError, ReadErrorKind};

/// The prefix of a structure in data, which is read as it prints. In a program the prefix is the
/// name of a form.
pub(super) const STRUCTURE_DATA: &str = "#S";

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Open,
    OpenVector,
    OpenBytes,
    /// `)` or `]`.
    Close,
    /// `'`, `` ` ``, `,`, `,@`, `#'`: the name of the form that it abbreviates.
    Prefix(&'static str),
    /// `#;`: the next form is a comment.
    SkipNext,
    /// `#+` (true) and `#-`: the next form is a condition on the form after it.
    Feature(bool),
    Dot,
    String(String),
    Char(char),
    Boolean(bool),
    /// A number, symbol or keyword; the reader tells them apart. `bars` is set if part of it is
    /// written between `|`.
    Word {
        text: String,
        bars: bool,
    },
    /// `#<…>`.
    Opaque(String),
}

pub(super) struct Lexer<'a> {
    source: &'a str,
    position: usize,
    /// Whether to read data, where `#<…>` is a token. In programs it is an error.
    data: bool,
}

type Lexed = Result<Option<(Token, Span)>, ReadError>;

impl<'a> Lexer<'a> {
    pub(super) fn new(source: &'a str, data: bool) -> Self {
        let position =
            if source.starts_with("#!") { source.find('\n').unwrap_or(source.len()) } else { 0 };
        Lexer { source, position, data }
    }

    pub(super) fn end(&self) -> Span {
        Span::new(self.source.len(), self.source.len())
    }

    pub(super) fn starts_with_colon(&self, span: Span) -> bool {
        self.source.as_bytes().get(span.start) == Some(&b':')
    }

    fn rest(&self) -> &'a str {
        &self.source[self.position..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.position += character.len_utf8();
        Some(character)
    }

    fn incomplete(&self, message: &str, start: usize) -> ReadError {
        ReadError {
            kind: ReadErrorKind::Incomplete,
            message: message.to_owned(),
            span: Span::new(start, self.source.len()),
        }
    }

    fn malformed(&self, message: String, start: usize) -> ReadError {
        ReadError { kind: ReadErrorKind::Malformed, message, span: Span::new(start, self.position) }
    }

    fn skip_blanks(&mut self) -> Result<(), ReadError> {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
            self.position += rest.len() - trimmed.len();
            if trimmed.starts_with(';') {
                self.position += memchr::memchr(b'\n', trimmed.as_bytes()).unwrap_or(trimmed.len());
            } else if trimmed.starts_with("#|") {
                self.skip_block_comment()?;
            } else {
                return Ok(());
            }
        }
    }

    fn skip_block_comment(&mut self) -> Result<(), ReadError> {
        let (start, bytes) = (self.position, self.source.as_bytes());
        let (mut at, mut depth) = (start, 0usize);
        while let Some(found) = memchr::memchr2(b'#', b'|', &bytes[at..]) {
            at += found;
            match bytes.get(at..at + 2) {
                Some(b"#|") => (depth, at) = (depth + 1, at + 2),
                Some(b"|#") => (depth, at) = (depth - 1, at + 2),
                _ => at += 1,
            }
            if depth == 0 {
                self.position = at;
                return Ok(());
            }
        }
        Err(self.incomplete("the comment that starts here, #|, is not closed", start))
    }

    pub(super) fn next_token(&mut self) -> Lexed {
        self.skip_blanks()?;
        let start = self.position;
        let Some(character) = self.peek() else { return Ok(None) };
        let token = match character {
            '(' | '[' => self.take(1, Token::Open),
            ')' | ']' => self.take(1, Token::Close),
            '\'' => self.take(1, Token::Prefix("quote")),
            '`' => self.take(1, Token::Prefix("quasiquote")),
            ',' if self.rest().starts_with(",@") => self.take(2, Token::Prefix("unquote-splicing")),
            ',' => self.take(1, Token::Prefix("unquote")),
            '"' => self.string()?,
            '#' => self.hash()?,
            _ => self.word()?,
        };
        Ok(Some((token, Span::new(start, self.position))))
    }

    fn take(&mut self, bytes: usize, token: Token) -> Token {
        self.position += bytes;
        token
    }

    fn hash(&mut self) -> Result<Token, ReadError> {
        let (start, rest) = (self.position, self.rest());
        Ok(match rest.as_bytes().get(1) {
            Some(b'(') => self.take(2, Token::OpenVector),
            Some(b'u') if rest.starts_with("#u8(") => self.take(4, Token::OpenBytes),
            // The parenthesis is the next token.
            Some(b'S' | b's') if rest.as_bytes().get(2) == Some(&b'(') => {
                let name = if self.data { STRUCTURE_DATA } else { "%structure" };
                self.take(2, Token::Prefix(name))
            }
            Some(b';') => self.take(2, Token::SkipNext),
            Some(b'+') => self.take(2, Token::Feature(true)),
            Some(b'-') => self.take(2, Token::Feature(false)),
            // A symbol without a package.
            Some(b':') => {
                self.position += 2;
                self.word()?
            }
            Some(b'\'') => self.take(2, Token::Prefix("function")),
            Some(b'\\') => self.character()?,
            Some(b'<') if self.data => self.opaque()?,
            Some(b'<') => {
                self.position = start + 2;
                return Err(self.malformed(
                    "#<…> is how an object prints; it cannot be read".to_owned(),
                    start,
                ));
            }
            _ => match self.word()? {
                Token::Word { text, .. } if text == "#t" || text == "#true" => Token::Boolean(true),
                Token::Word { text, .. } if text == "#f" || text == "#false" => {
                    Token::Boolean(false)
                }
                word => word,
            },
        })
    }

    fn character(&mut self) -> Result<Token, ReadError> {
        let start = self.position;
        self.position += 2;
        let Some(first) = self.bump() else {
            return Err(self.incomplete("a character must follow #\\", start));
        };
        let name_start = self.position - first.len_utf8();
        if first.is_alphanumeric() {
            while self.peek().is_some_and(|c| !is_delimiter(c)) {
                self.bump();
            }
        }
        let name = &self.source[name_start..self.position];
        if name.chars().count() == 1 {
            return Ok(Token::Char(first));
        }
        let named = match name.to_ascii_lowercase().as_str() {
            "newline" | "linefeed" | "nl" => Some('\n'),
            "space" => Some(' '),
            "tab" => Some('\t'),
            "return" => Some('\r'),
            "null" | "nul" => Some('\0'),
            "escape" | "altmode" | "esc" => Some('\u{1b}'),
            "delete" | "rubout" => Some('\u{7f}'),
            "backspace" => Some('\u{8}'),
            "alarm" => Some('\u{7}'),
            "page" => Some('\u{c}'),
            hex => hex
                .strip_prefix('x')
                .and_then(|digits| u32::from_str_radix(digits, 16).ok())
                .and_then(char::from_u32),
        };
        named
            .map(Token::Char)
            .ok_or_else(|| self.malformed(format!("unknown character name: #\\{name}"), start))
    }

    fn opaque(&mut self) -> Result<Token, ReadError> {
        let start = self.position;
        let mut depth = 0usize;
        while let Some(character) = self.bump() {
            match character {
                '<' => depth += 1,
                '>' if depth == 1 => {
                    return Ok(Token::Opaque(self.source[start..self.position].to_owned()));
                }
                '>' => depth -= 1,
                '"' => {
                    self.position -= 1;
                    self.string()?;
                }
                _ => {}
            }
        }
        Err(self.incomplete("the object that starts here, #<, is not closed", start))
    }

    fn string(&mut self) -> Result<Token, ReadError> {
        let start = self.position;
        self.position += 1;
        let mut text = String::new();
        loop {
            let rest = self.rest();
            let Some(found) = memchr::memchr2(b'"', b'\\', rest.as_bytes()) else {
                return Err(self.incomplete("the string that starts here is not closed", start));
            };
            text.push_str(&rest[..found]);
            self.position += found + 1;
            if rest.as_bytes()[found] == b'"' {
                return Ok(Token::String(text));
            }
            if let Some(character) = self.escape('"', start)? {
                text.push(character);
            }
        }
    }

    /// Reads an escape after a backslash in a string or between bars; `None` for a line continuation.
    fn escape(&mut self, quote: char, start: usize) -> Result<Option<char>, ReadError> {
        let escape_start = self.position - 1;
        let Some(character) = self.bump() else {
            return Err(self.incomplete("the string that starts here is not closed", start));
        };
        Ok(Some(match character {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'a' => '\u{7}',
            'b' => '\u{8}',
            '0' => '\0',
            'x' => {
                let digits =
                    self.rest().split(|c: char| !c.is_ascii_hexdigit()).next().unwrap_or_default();
                let end = self.position + digits.len();
                let code = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
                let closed = self.source[end..].starts_with(';');
                self.position = end + usize::from(closed);
                match code {
                    Some(character) if closed => character,
                    _ if end == self.source.len() => {
                        return Err(
                            self.incomplete("the string that starts here is not closed", start)
                        );
                    }
                    _ => {
                        return Err(self.malformed(
                            "an escape \\x is followed by hexadecimal digits and a semicolon: \\x41;".to_owned(),
                            escape_start,
                        ));
                    }
                }
            }
            '\n' => {
                let rest = self.rest();
                self.position += rest.len() - rest.trim_start_matches([' ', '\t']).len();
                return Ok(None);
            }
            '\r' if self.rest().starts_with('\n') => {
                self.bump();
                let rest = self.rest();
                self.position += rest.len() - rest.trim_start_matches([' ', '\t']).len();
                return Ok(None);
            }
            // As in Common Lisp, a backslash quotes any other character.
            other if other == quote => quote,
            other => other,
        }))
    }

    /// Reads a number, symbol or keyword: everything up to a delimiter. Parts between `|` may hold
    /// delimiters.
    fn word(&mut self) -> Result<Token, ReadError> {
        let start = self.position;
        let (mut text, mut bars) = (String::new(), false);
        while let Some(character) = self.peek() {
            match character {
                '|' => {
                    bars = true;
                    self.bar(&mut text, start)?;
                }
                '\\' => {
                    self.bump();
                    text.push('\\');
                    // A line end counts too, so a backslash at the end of a line continues the word
                    // on the next one.
                    text.push(
                        self.bump()
                            .ok_or_else(|| self.incomplete("a character must follow \\", start))?,
                    );
                }
                other if is_delimiter(other) => break,
                other => {
                    self.bump();
                    text.push(other);
                }
            }
        }
        if text == "." && !bars {
            return Ok(Token::Dot);
        }
        if self.position == start {
            self.bump();
            return Err(self.malformed("this character cannot stand here".to_owned(), start));
        }
        Ok(Token::Word { text, bars })
    }

    fn bar(&mut self, text: &mut String, start: usize) -> Result<(), ReadError> {
        self.bump();
        loop {
            match self.bump() {
                Some('|') => return Ok(()),
                Some('\\') => text.extend(self.escape('|', start)?),
                Some(other) => text.push(other),
                None => {
                    return Err(
                        self.incomplete("the symbol that starts here, |, is not closed", start)
                    );
                }
            }
        }
    }
}

pub(super) fn is_delimiter(character: char) -> bool {
    character.is_whitespace()
        || matches!(character, '(' | ')' | '[' | ']' | '"' | ';' | '\'' | '`' | ',')
}
