//! Splits an address list into words, quoted strings, comments and special characters (RFC 5322,
//! section 3.2).

use super::encoded_word;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Word,
    Quoted,
    Literal,
    Comment,
    Special(char),
}

#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) text: String,
    /// Whether whitespace or a comment came before this token.
    pub(super) spaced: bool,
}

impl Token {
    pub(super) fn is(&self, special: char) -> bool {
        self.kind == Kind::Special(special)
    }
}

/// An iterator over the tokens: one pass over the text, with a counter for nested comments.
pub(super) struct Tokens<'a> {
    rest: &'a str,
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        let trimmed = self
            .rest
            .trim_start_matches(|letter: char| letter.is_whitespace() || letter.is_control());
        let spaced = trimmed.len() < self.rest.len();
        self.rest = trimmed;
        let first = trimmed.chars().next()?;
        let (kind, text) = match first {
            '"' => (Kind::Quoted, self.enclosed('"', None)),
            '[' => (Kind::Literal, self.enclosed(']', None)),
            '(' => (Kind::Comment, self.enclosed(')', Some('('))),
            '<' | '>' | ',' | ';' | ':' | '@' | '.' | ')' | ']' | '\\' => {
                self.rest = &trimmed[1..];
                (Kind::Special(first), first.to_string())
            }
            _ => (Kind::Word, self.word()),
        };
        Some(Token { kind, text, spaced })
    }
}

impl<'a> Tokens<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Tokens { rest: text }
    }

    /// The text up to the closing character, with escapes undone. If nothing closes it, takes
    /// everything.
    fn enclosed(&mut self, close: char, open: Option<char>) -> String {
        let mut text = String::new();
        let mut depth = 0u64;
        let mut escaped = false;
        let mut letters = self.rest.char_indices();
        letters.next();
        for (index, letter) in letters {
            match letter {
                _ if escaped => escaped = false,
                '\\' => {
                    escaped = true;
                    continue;
                }
                _ if letter == close && depth == 0 => {
                    self.rest = &self.rest[index + letter.len_utf8()..];
                    return text;
                }
                _ if letter == close => depth -= 1,
                _ if Some(letter) == open => depth += 1,
                _ => {}
            }
            text.push(letter);
        }
        self.rest = "";
        text
    }

    /// A word, or a whole encoded word even if it contains characters that should have been
    /// encoded.
    fn word(&mut self) -> String {
        let ends = |letter: char| {
            letter.is_whitespace() || letter.is_control() || "\"[]()<>,;:@.\\".contains(letter)
        };
        let encoded =
            if self.rest.starts_with("=?") { encoded_word::word_length(self.rest) } else { None };
        let length = encoded.unwrap_or_else(|| self.rest.find(ends).unwrap_or(self.rest.len()));
        let (word, rest) = self.rest.split_at(length);
        self.rest = rest;
        word.to_owned()
    }
}
