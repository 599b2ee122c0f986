//! Mail that is elsewhere: a store whose mailboxes and letters another server holds.
//!
//! The store takes the names of the mailboxes when it is made, and the letters of a mailbox (UIDs,
//! flags, dates, sizes) when a command first needs them. From then on they are its own: what
//! changes here changes nothing there. What never changes, the text of letters, stays elsewhere:
//! FETCH asks for it and hands the answer on, and SEARCH asks which letters have a text. Letters
//! keep their origin wherever they are copied or moved to.
//!
//! The origin is never asked while the store is locked.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use imap_codec::imap_types::search::SearchKey;
use jiff::Zoned;

use crate::sandbox::store::names::Separator;

/// Why the origin does not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginError {
    /// It refused the question, with these words. It will answer others.
    Refused(String),
    /// It is out of reach.
    Lost(String),
}

/// A mailbox name at the origin.
#[derive(Clone, Debug)]
pub struct OriginalName {
    /// The name in modified UTF-7.
    pub name: String,
    /// Whether it can be selected.
    pub selectable: bool,
    /// Whether the account is subscribed to it.
    pub subscribed: bool,
    /// Its attributes, such as `\Sent`; those that are no special use are ignored.
    pub attributes: Vec<String>,
}

/// What the origin says about a mailbox.
#[derive(Clone, Debug)]
pub struct Original {
    /// Its UIDVALIDITY.
    pub uid_validity: u32,
    /// Its UIDNEXT.
    pub uid_next: u32,
    /// How many letters, the last ones, are `\Recent`.
    pub recent: usize,
    /// Its letters, by ascending UID.
    pub letters: Vec<OriginalLetter>,
}

/// What the origin says about a letter.
#[derive(Clone, Debug)]
pub struct OriginalLetter {
    /// Its UID.
    pub uid: u32,
    /// Its flags.
    pub flags: Vec<String>,
    /// Its internal date.
    pub internal_date: Zoned,
    /// Its size in bytes.
    pub size: u64,
}

/// The data items of a letter: names and values as the wire has them.
pub type Items = Vec<(String, Vec<u8>)>;

/// The bytes of a string as the wire has it; `None` for anything else.
pub fn string_bytes(value: &[u8]) -> Option<Vec<u8>> {
    if let Some(inside) = value.strip_prefix(b"\"") {
        let (mut bytes, mut escaped) = (Vec::with_capacity(inside.len()), false);
        for &byte in inside.strip_suffix(b"\"")? {
            escaped = byte == b'\\' && !escaped;
            if !escaped {
                bytes.push(byte);
            }
        }
        return Some(bytes);
    }
    value.strip_prefix(b"~").unwrap_or(value).strip_prefix(b"{")?;
    let end = value.iter().position(|byte| *byte == b'\n')?;
    Some(value[end + 1..].to_vec())
}

/// A server that holds the mail of a sandbox. Its mailboxes are named as they were at the start, in
/// modified UTF-7. Nothing that it is asked for changes anything there.
pub trait Origin: fmt::Debug + Send + Sync {
    /// What separates the levels of mailbox names.
    ///
    /// # Errors
    /// [`OriginError`].
    fn separator(&self) -> Result<Separator, OriginError>;

    /// The mailboxes, as they are at the start.
    ///
    /// # Errors
    /// [`OriginError`].
    fn mailboxes(&self) -> Result<Vec<OriginalName>, OriginError>;

    /// The letters of a mailbox.
    ///
    /// # Errors
    /// [`OriginError`].
    fn open(&self, mailbox: &str) -> Result<Original, OriginError>;

    /// FETCH of data items, written as in the command, of letters of a mailbox. Calls `each` with the
    /// UID and the items of every letter that is still there.
    ///
    /// # Errors
    /// [`OriginError`].
    fn fetch(
        &self,
        mailbox: &str,
        uids: &[u32],
        items: &str,
        each: &mut dyn FnMut(u32, Items),
    ) -> Result<(), OriginError>;

    /// Which of these letters match a key that looks at their text.
    ///
    /// # Errors
    /// [`OriginError`].
    fn search(
        &self,
        mailbox: &str,
        uids: &[u32],
        key: &SearchKey<'_>,
    ) -> Result<Vec<u32>, OriginError>;
}

/// The origin of a store, and whether it has failed.
#[derive(Debug)]
pub(crate) struct Remote {
    pub(crate) origin: Arc<dyn Origin>,
    failure: Mutex<Option<String>>,
}

impl Remote {
    pub(crate) fn new(origin: Arc<dyn Origin>) -> Remote {
        Remote { origin, failure: Mutex::default() }
    }

    /// Notes that something is missing because the origin did not answer.
    pub(crate) fn fail(&self, error: &OriginError) {
        let (OriginError::Refused(words) | OriginError::Lost(words)) = error;
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert_with(|| words.clone());
    }

    /// Notes that the origin is out of reach, if it is.
    pub(crate) fn lost(&self, error: &OriginError) {
        if let OriginError::Lost(_) = error {
            self.fail(error);
        }
    }

    /// Why answers cannot be trusted any more.
    pub(crate) fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A letter at the origin.
#[derive(Clone, Debug)]
pub(crate) struct Elsewhere {
    pub(crate) remote: Arc<Remote>,
    pub(crate) mailbox: Arc<str>,
    pub(crate) uid: u32,
    pub(crate) size: u64,
}

impl Elsewhere {
    /// The whole letter; empty, with the failure noted, if the origin does not give it.
    pub(crate) fn bytes(&self) -> Arc<[u8]> {
        let mut found = None;
        let mut take = |_, items: Items| found = items.into_iter().next().map(|(_, value)| value);
        let asked = self.remote.origin.fetch(&self.mailbox, &[self.uid], "BODY.PEEK[]", &mut take);
        let gone = || OriginError::Lost(format!("the letter {} is gone", self.uid));
        match asked.and_then(|()| found.as_deref().and_then(string_bytes).ok_or_else(gone)) {
            Ok(bytes) => Arc::from(bytes),
            Err(error) => {
                self.remote.fail(&error);
                Arc::from([])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::string_bytes;

    #[test]
    fn strings_of_the_wire_are_read() {
        for (value, expected) in [
            (&b"{3}\r\na\nb"[..], Some(&b"a\nb"[..])),
            (b"~{2}\r\n\0x", Some(b"\0x")),
            (b"{0}\r\n", Some(b"")),
            (b"\"a \\\"b\\\\\"", Some(b"a \"b\\")),
            (b"\"\"", Some(b"")),
            (b"NIL", None),
            (b"(\"a\")", None),
        ] {
            assert_eq!(string_bytes(value).as_deref(), expected, "{}", value.escape_ascii());
        }
    }
}
