//! Colours for the input while it is typed, and the partner of the parenthesis at the cursor.

use crate::lisp::Span;
use crate::lisp::cursor::{Partial, Shape, ShapeKind, around};

/// The style of a piece of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// A string.
    String,
    /// A keyword.
    Keyword,
    /// The function or form that is called.
    Head,
    /// A comment.
    Comment,
    /// The parenthesis at the cursor or its partner.
    Match,
    /// A closing parenthesis without an opening one.
    Stray,
}

impl Style {
    /// Returns the escape sequence that starts the style; [`RESET`] ends it.
    pub fn begin(self) -> &'static str {
        match self {
            Style::String => "\x1b[32m",
            Style::Keyword => "\x1b[36m",
            Style::Head => "\x1b[34m",
            Style::Comment => "\x1b[2m",
            Style::Match => "\x1b[1;4m",
            Style::Stray => "\x1b[31m",
        }
    }
}

/// Ends every style.
pub const RESET: &str = "\x1b[0m";

/// Returns the styled pieces of an input in order. They do not overlap. Long inputs are left plain.
pub fn styles(source: &str, cursor: usize) -> Vec<(Span, Style)> {
    const LONGEST: usize = 20_000;
    if source.len() > LONGEST {
        return Vec::new();
    }
    let found = around(source, source.len());
    let partner = matching_parenthesis(&found.tokens, cursor);
    let mut open = 0usize;
    let mut pieces = Vec::new();
    let mut end = 0;
    for token in &found.tokens {
        comment(source, end, token.span.start, &mut pieces);
        end = token.span.end;
        let style = match token.kind {
            ShapeKind::Open => {
                open += 1;
                None
            }
            ShapeKind::Close if open == 0 => Some(Style::Stray),
            ShapeKind::Close => {
                open -= 1;
                None
            }
            ShapeKind::String => Some(Style::String),
            ShapeKind::Keyword => Some(Style::Keyword),
            ShapeKind::Head => Some(Style::Head),
            ShapeKind::Word | ShapeKind::Other => None,
        };
        let is_partner =
            partner.is_some_and(|(left, right)| token.span == left || token.span == right);
        let style = if is_partner { Some(Style::Match) } else { style };
        pieces.extend(style.map(|style| (token.span, style)));
    }
    // An unfinished word may have no token of its own.
    if !matches!(found.partial, Partial::Word(start) if start >= end) {
        comment(source, end, source.len(), &mut pieces);
    }
    pieces
}

/// Adds the comment between two tokens, if there is one.
fn comment(source: &str, from: usize, to: usize, pieces: &mut Vec<(Span, Style)>) {
    let between = source.get(from..to).unwrap_or("");
    let start = between.len() - between.trim_start().len();
    let text = between.trim();
    if text.starts_with(';') || text.starts_with("#|") {
        pieces.push((Span::new(from + start, from + start + text.len()), Style::Comment));
    }
}

/// Returns the parenthesis under the cursor, or the closing one just before it, with its partner:
/// the opening one first.
pub fn matching_parenthesis(tokens: &[Shape], cursor: usize) -> Option<(Span, Span)> {
    let is_parenthesis = |token: &&Shape| matches!(token.kind, ShapeKind::Open | ShapeKind::Close);
    let at = |token: &Shape| token.span.start <= cursor && cursor < token.span.end;
    let before = |token: &Shape| token.span.end == cursor && token.kind == ShapeKind::Close;
    let mut parentheses = tokens.iter().filter(is_parenthesis);
    let here = parentheses
        .clone()
        .find(|token| at(token))
        .or_else(|| parentheses.find(|token| before(token)))?;
    let mut open = Vec::new();
    for token in tokens.iter().filter(is_parenthesis) {
        if token.kind == ShapeKind::Open {
            open.push(token.span);
        } else if let Some(partner) = open.pop()
            && (token.span == here.span || partner == here.span)
        {
            return Some((partner, token.span));
        }
    }
    None
}

/// Returns the input with escape sequences.
pub fn painted(source: &str, cursor: usize) -> String {
    let mut text = String::with_capacity(source.len() + 64);
    let mut end = 0;
    for (span, style) in styles(source, cursor) {
        text.push_str(&source[end..span.start]);
        text.push_str(style.begin());
        text.push_str(&source[span.start..span.end]);
        text.push_str(RESET);
        end = span.end;
    }
    text.push_str(&source[end..]);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parentheses_in_strings_comments_and_characters_match_nothing() {
        let partner = |text: &str, cursor: usize| {
            let found = around(text, text.len());
            matching_parenthesis(&found.tokens, cursor)
                .map(|(left, right)| (left.start, right.start))
        };
        assert_eq!(partner("(f \")\" #\\) ; )\n)", 16), Some((0, 15)));
        assert_eq!(partner("(a (b))", 0), Some((0, 6)));
        assert_eq!(partner("(a (b))", 6), Some((0, 6)), "the one under the cursor");
        assert_eq!(partner("(a (b))", 7), Some((0, 6)), "the one before the cursor");
        assert_eq!(partner("(a (b)", 0), None);
        assert_eq!(partner("a)", 1), None);
    }

    #[test]
    fn pieces_have_their_colours_and_nothing_else_changes() {
        let text = "(fetch-parts mb 1 \"b\" :uid t)) ; é\n";
        let pieces: Vec<_> = styles(text, 0)
            .into_iter()
            .map(|(span, style)| (&text[span.start..span.end], style))
            .collect();
        let expected = [
            ("(", Style::Match),
            ("fetch-parts", Style::Head),
            ("\"b\"", Style::String),
            (":uid", Style::Keyword),
            (")", Style::Match),
            (")", Style::Stray),
            ("; é", Style::Comment),
        ];
        assert_eq!(pieces, expected);
        for text in ["", "\"open", "#| open", "(a |b", "#\\", "'", "(:x \\"] {
            let mut plain = painted(text, 0);
            for style in [
                Style::String,
                Style::Keyword,
                Style::Head,
                Style::Comment,
                Style::Match,
                Style::Stray,
            ] {
                plain = plain.replace(style.begin(), "");
            }
            assert_eq!(plain.replace(RESET, ""), text);
        }
    }
}
