//! Commands that `imap-codec` does not decode, read from their words.
//!
//! A command whose form `imap-codec` knows is always decoded there. What it refuses is offered to
//! [`decode`], which returns `None` for what it does not know either.

use std::borrow::Cow;

use crate::sandbox::imap::returning::Extended;

/// A command that is decoded here.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Own {
    /// MYRIGHTS (RFC 4314 3.5) of a mailbox.
    MyRights(String),
    /// A command with RETURN or `$`.
    Extended(Extended),
}

impl Own {
    /// Whether the command addresses messages by number, so that none may be expunged while it is
    /// answered (RFC 3501 7.4.1).
    pub(crate) fn uses_numbers(&self) -> bool {
        match self {
            Own::MyRights(_) => false,
            Own::Extended(command) => command.uses_numbers(),
        }
    }
}

/// Decodes a whole command; returns its tag as well.
pub(crate) fn decode(command: &[u8]) -> Option<(String, Own)> {
    if let Some(extended) = Extended::decode(command) {
        return Some((extended.tag().to_owned(), Own::Extended(extended)));
    }
    let mut words = Words::of(command.strip_suffix(b"\r\n")?);
    let tag = words.atom()?;
    let own = match words.atom()?.to_ascii_uppercase().as_str() {
        "MYRIGHTS" => Own::MyRights(words.text()?),
        _ => return None,
    };
    words.is_at_end().then_some((tag, own))
}

/// A word of a command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Word<'a> {
    /// Anything without quotes, up to a space or parenthesis: `UID`, `2:4`, `BODY[TEXT]`.
    Atom(&'a [u8]),
    /// The contents of a quoted string or a literal.
    String(Cow<'a, [u8]>),
    /// `(`
    Open,
    /// `)`
    Close,
}

/// The words of a command from left to right. Every method returns `None`, and takes nothing, if
/// the next word is another one than asked for.
#[derive(Clone)]
pub(crate) struct Words<'a> {
    rest: &'a [u8],
}

impl<'a> Words<'a> {
    pub(crate) fn of(command: &'a [u8]) -> Words<'a> {
        Words { rest: command }
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next word, with the one space before it if there is one.
    pub(crate) fn word(&mut self) -> Option<Word<'a>> {
        let rest = self.rest.strip_prefix(b" ").unwrap_or(self.rest);
        let (word, rest) = match rest.first()? {
            b'(' => (Word::Open, &rest[1..]),
            b')' => (Word::Close, &rest[1..]),
            b'"' => quoted(&rest[1..])?,
            b'{' => literal(rest)?,
            _ => {
                let end = rest.iter().position(|byte| b" ()".contains(byte)).unwrap_or(rest.len());
                if end == 0 {
                    return None;
                }
                (Word::Atom(&rest[..end]), &rest[end..])
            }
        };
        self.rest = rest;
        Some(word)
    }

    /// The next word if it is an atom in UTF-8.
    pub(crate) fn atom(&mut self) -> Option<String> {
        let before = self.rest;
        if let Some(Word::Atom(atom)) = self.word()
            && let Ok(atom) = std::str::from_utf8(atom)
        {
            return Some(atom.to_owned());
        }
        self.rest = before;
        None
    }

    /// The next word if it is an atom or a string in UTF-8.
    pub(crate) fn text(&mut self) -> Option<String> {
        let before = self.rest;
        let bytes = match self.word() {
            Some(Word::Atom(atom)) => Cow::Borrowed(atom),
            Some(Word::String(string)) => string,
            _ => Cow::Borrowed(&b"\xff"[..]),
        };
        let text = String::from_utf8(bytes.into_owned()).ok();
        if text.is_none() {
            self.rest = before;
        }
        text
    }

    /// Takes `(`; false if the next word is another one.
    pub(crate) fn open(&mut self) -> bool {
        self.takes(&Word::Open)
    }

    /// Takes `)`; false if the next word is another one.
    pub(crate) fn close(&mut self) -> bool {
        self.takes(&Word::Close)
    }

    fn takes(&mut self, wanted: &Word<'_>) -> bool {
        let before = self.rest;
        let taken = self.word().as_ref() == Some(wanted);
        if !taken {
            self.rest = before;
        }
        taken
    }

    /// What has not been taken.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

fn quoted(text: &[u8]) -> Option<(Word<'_>, &[u8])> {
    let mut at = 0;
    while *text.get(at)? != b'"' {
        at += 1 + usize::from(text[at] == b'\\');
    }
    let raw = &text[..at];
    let contents = if raw.contains(&b'\\') {
        let mut contents = Vec::with_capacity(raw.len());
        let mut bytes = raw.iter();
        while let Some(byte) = bytes.next() {
            contents.push(if *byte == b'\\' { *bytes.next()? } else { *byte });
        }
        Cow::Owned(contents)
    } else {
        Cow::Borrowed(raw)
    };
    Some((Word::String(contents), &text[at + 1..]))
}

fn literal(text: &[u8]) -> Option<(Word<'_>, &[u8])> {
    let end = memchr::memchr(b'}', text)?;
    let digits = text[1..end].strip_suffix(b"+").unwrap_or(&text[1..end]);
    let size: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let rest = text[end + 1..].strip_prefix(b"\r\n")?;
    let (contents, rest) = rest.split_at_checked(size)?;
    Some((Word::String(Cow::Borrowed(contents)), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_taken_one_by_one() {
        let mut words = Words::of(b"a UID (\"q\\\"\" {3}\r\n()x) b");
        assert_eq!(words.atom().as_deref(), Some("a"));
        assert!(!words.open() && words.text().as_deref() == Some("UID"));
        assert!(words.open() && words.atom().is_none());
        assert_eq!(words.text().as_deref(), Some("q\""));
        assert_eq!(words.word(), Some(Word::String(Cow::Borrowed(b"()x"))));
        assert!(words.close() && words.rest() == b" b");
        assert!(words.atom().is_some() && words.is_at_end() && words.word().is_none());
        for broken in ["\"a", "\"a\\", "{9}\r\nx", "{x}\r\n", "{1}x", ""] {
            assert_eq!(Words::of(broken.as_bytes()).word(), None, "{broken}");
        }
    }

    #[test]
    fn only_whole_commands_are_decoded() {
        let rights = |name: &str| Some(("a".to_owned(), Own::MyRights(name.to_owned())));
        assert_eq!(decode(b"a MyRights {3}\r\nx y\r\n"), rights("x y"));
        for other in
            ["a MYRIGHTS\r\n", "a MYRIGHTS x", "a MYRIGHTS x y\r\n", "a NOOP x\r\n", "\r\n"]
        {
            assert_eq!(decode(other.as_bytes()), None, "{other}");
        }
    }
}
