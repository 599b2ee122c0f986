//! A letter: its bytes, stored once for all mailboxes that hold it, and its structure, parsed on
//! demand.

use std::{
    borrow::Cow,
    sync::{Arc, OnceLock},
};

use jiff::Zoned;

use crate::sandbox::store::mime::Part;
use crate::sandbox::store::origin::Elsewhere;

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
    bytes: OnceLock<Arc<[u8]>>,
    /// Where the bytes are as long as nobody has asked for them.
    elsewhere: Option<Elsewhere>,
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
        Content { bytes: OnceLock::from(bytes), elsewhere: None, structure: OnceLock::new() }
    }

    /// A letter whose bytes are at the origin.
    pub(crate) fn elsewhere(elsewhere: Elsewhere) -> Content {
        let (bytes, structure) = (OnceLock::new(), OnceLock::new());
        Content { bytes, elsewhere: Some(elsewhere), structure }
    }

    /// Where the letter is, if it is not here.
    pub(crate) fn origin(&self) -> Option<&Elsewhere> {
        self.elsewhere.as_ref()
    }

    /// The bytes. Those of a letter that is elsewhere are fetched, so the store must not be locked.
    pub(crate) fn bytes(&self) -> &Arc<[u8]> {
        let fetch = || self.elsewhere.as_ref().map_or_else(|| Arc::from([]), Elsewhere::bytes);
        self.bytes.get_or_init(fetch)
    }

    /// How many bytes there are.
    pub(crate) fn size(&self) -> u64 {
        let here = |bytes: &Arc<[u8]>| bytes.len() as u64;
        match &self.elsewhere {
            Some(elsewhere) => elsewhere.size,
            None => self.bytes.get().map_or(0, here),
        }
    }

    pub(crate) fn structure(&self) -> &Part {
        self.structure.get_or_init(|| Part::parse(self.bytes()))
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
