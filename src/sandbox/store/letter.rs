//! A letter: its bytes, kept once however many mailboxes hold it, and what was found out about them.

use std::{
    borrow::Cow,
    sync::{Arc, OnceLock},
};

use jiff::Zoned;

use crate::sandbox::store::mime::Part;

/// A letter as [`Store::letters`](super::Store::letters) shows it.
#[derive(Clone, Debug)]
pub struct Letter {
    /// The unique identifier in its mailbox.
    pub uid: u32,
    /// The flags, system flags with their backslash; `\Recent` belongs to a session and is not among them.
    pub flags: Vec<String>,
    /// The bytes, with CRLF line ends.
    pub bytes: Arc<[u8]>,
    /// The internal date.
    pub internal_date: Zoned,
}

/// The bytes of a letter and its MIME structure, which is found at the first FETCH that needs it.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) bytes: Arc<[u8]>,
    structure: OnceLock<Part>,
}

impl Content {
    pub(crate) fn new(letter: &[u8]) -> Content {
        let bytes = match with_crlf(letter) {
            Cow::Borrowed(bytes) => Arc::from(bytes),
            Cow::Owned(bytes) => Arc::from(bytes),
        };
        Content::as_it_is(bytes)
    }

    /// The bytes as they are, line ends of whatever kind included.
    pub(crate) fn as_it_is(bytes: Arc<[u8]>) -> Content {
        Content { bytes, structure: OnceLock::new() }
    }

    pub(crate) fn structure(&self) -> &Part {
        self.structure.get_or_init(|| Part::parse(&self.bytes))
    }
}

/// Every line end as CRLF; a CR that ends no line stays.
fn with_crlf(letter: &[u8]) -> Cow<'_, [u8]> {
    let bare = |index: &usize| *index == 0 || letter[*index - 1] != b'\r';
    let missing = memchr::memchr_iter(b'\n', letter).filter(bare).count();
    if missing == 0 {
        return Cow::Borrowed(letter);
    }
    let mut result = Vec::with_capacity(letter.len() + missing);
    let mut start = 0;
    for index in memchr::memchr_iter(b'\n', letter).filter(bare) {
        result.extend_from_slice(&letter[start..index]);
        result.extend_from_slice(b"\r\n");
        start = index + 1;
    }
    result.extend_from_slice(&letter[start..]);
    Cow::Owned(result)
}

#[cfg(test)]
mod tests {
    use super::with_crlf;

    #[test]
    fn line_ends_become_crlf_once() {
        for (input, expected) in [
            ("", ""),
            ("a\nb", "a\r\nb"),
            ("\n\n", "\r\n\r\n"),
            ("a\r\nb\n", "a\r\nb\r\n"),
            ("a\rb\r\r\n", "a\rb\r\r\n"),
        ] {
            assert_eq!(with_crlf(input.as_bytes()), expected.as_bytes(), "{input:?}");
        }
    }
}
