//! What a mailbox has besides its letters: the rights of others, metadata, its special uses, and when
//! each letter came into it.

use std::collections::BTreeMap;

use jiff::Zoned;

/// The most entries of metadata that a mailbox, or the server, may have.
const ENTRY_LIMIT: usize = 100;

/// The longest value of an entry.
pub(crate) const VALUE_LIMIT: usize = 64 * 1024;

/// The special uses that a mailbox can have (RFC 6154 2, RFC 8457).
const USES: [&str; 8] =
    ["\\All", "\\Archive", "\\Drafts", "\\Flagged", "\\Important", "\\Junk", "\\Sent", "\\Trash"];

/// The special use of this name, in any case.
pub(crate) fn special_use(name: &str) -> Option<&'static str> {
    USES.into_iter().find(|known| known.eq_ignore_ascii_case(name))
}

#[derive(Default)]
pub(crate) struct Details {
    /// Identifiers other than the owner, and their rights.
    pub(crate) rights: BTreeMap<String, String>,
    pub(crate) metadata: Metadata,
    /// Attributes such as `\Sent`.
    pub(crate) special_use: Vec<&'static str>,
    /// By UID.
    pub(crate) saved: BTreeMap<u32, Zoned>,
}

impl Details {
    pub(crate) fn saved_now(&mut self, uid: u32) {
        self.saved.insert(uid, Zoned::now());
    }
}

/// Why an entry cannot be set.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoRoom {
    TooLong,
    TooMany,
}

/// Entries by their name in lower case, since case does not count (RFC 5464 3).
#[derive(Clone, Default)]
pub(crate) struct Metadata(BTreeMap<String, Vec<u8>>);

impl Metadata {
    /// Sets an entry; `None` removes it.
    pub(crate) fn set(&mut self, entry: &str, value: Option<&[u8]>) -> Result<(), NoRoom> {
        let entry = entry.to_ascii_lowercase();
        let Some(value) = value else {
            self.0.remove(&entry);
            return Ok(());
        };
        if value.len() > VALUE_LIMIT {
            return Err(NoRoom::TooLong);
        }
        if self.0.len() >= ENTRY_LIMIT && !self.0.contains_key(&entry) {
            return Err(NoRoom::TooMany);
        }
        self.0.insert(entry, value.to_vec());
        Ok(())
    }

    pub(crate) fn get(&self, entry: &str) -> Option<&[u8]> {
        self.0.get(&entry.to_ascii_lowercase()).map(Vec::as_slice)
    }

    /// The entries below one, at most `levels` below it.
    pub(crate) fn below(&self, entry: &str, levels: usize) -> impl Iterator<Item = (&str, &[u8])> {
        let prefix = format!("{}/", entry.to_ascii_lowercase());
        let is_below = move |name: &str| {
            name.strip_prefix(&prefix).is_some_and(|rest| rest.matches('/').count() < levels)
        };
        self.0
            .iter()
            .filter(move |(name, _)| is_below(name))
            .map(|(name, value)| (name.as_str(), value.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_by_name_and_by_level() {
        let mut metadata = Metadata::default();
        for entry in ["/private/a", "/Private/a/b", "/private/a/b/c", "/private/ab"] {
            metadata.set(entry, Some(entry.as_bytes())).unwrap();
        }
        assert_eq!(metadata.get("/PRIVATE/a"), Some(&b"/private/a"[..]));
        for (levels, expected) in [
            (0, &[][..]),
            (1, &["/private/a/b"]),
            (usize::MAX, &["/private/a/b", "/private/a/b/c"]),
        ] {
            let found: Vec<&str> =
                metadata.below("/private/a", levels).map(|(name, _)| name).collect();
            assert_eq!(found, expected, "{levels}");
        }
        metadata.set("/private/A", None).unwrap();
        assert_eq!(metadata.get("/private/a"), None);
    }

    #[test]
    fn entries_are_bounded() {
        let mut metadata = Metadata::default();
        let long = vec![b'x'; VALUE_LIMIT + 1];
        assert_eq!(metadata.set("/private/a", Some(&long)), Err(NoRoom::TooLong));
        for number in 0..ENTRY_LIMIT {
            metadata.set(&format!("/private/{number}"), Some(b"x")).unwrap();
        }
        assert_eq!(metadata.set("/private/a", Some(b"x")), Err(NoRoom::TooMany));
        assert_eq!(metadata.set("/private/7", Some(b"y")), Ok(()));
    }
}
