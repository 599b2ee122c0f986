//! A letter: its bytes, stored once for all mailboxes that hold it, and its structure, parsed on
//! demand.

use std::{
    borrow::Cow,
    sync::{Arc, OnceLock},
};

use jiff::Zoned;

use crate::sandbox::store::mime::Part;

/// A letter as returned by [`Store::letters`](super::Store::letters).
#[derive(Clone, Debug)]
pub struct Letter {
    /// Its UID.
    pub uid: u32,
    /// Its flags, system flags with their backslash. `\Recent` belongs to a session and is not
    /// included.
    pub flags: Vec<String>,
    /// The bytes, with CRLF line ends.
    pub bytes: Arc<[u8]>,
    /// The internal date.
    pub internal_date: Zoned,
}

/// The bytes of a letter and its MIME structure, parsed by the first FETCH that needs it.
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

    /// Stores the bytes unchanged, whatever their line ends are.
    pub(crate) fn as_it_is(bytes: Arc<[u8]>) -> Content {
        Content { bytes, structure: OnceLock::new() }
    }

    pub(crate) fn structure(&self) -> &Part {
        self.structure.get_or_init(|| Part::parse(&self.bytes))
    }
}

/// Changes every line end to CRLF. A CR that ends no line stays.
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
