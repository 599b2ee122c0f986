//! The items of STATUS and FETCH, and the search keys, that extensions define: which extension a
//! server must offer for each, and which are known without asking.

use super::error::Error;
use super::imap::ImapClient;
use super::told::StatusValue;
use crate::proto::imap::{Command, FetchItems, SearchKey};

/// Items of extensions, and the capabilities one of which the server must offer. Any other item is
/// sent as it is.
const OF_EXTENSIONS: [(&str, &[&str]); 6] = [
    ("SIZE", &["STATUS=SIZE"]),                       // RFC 8438
    ("DELETED", &["IMAP4rev2", "QUOTA=RES-MESSAGE"]), // RFC 9051 6.3.11, RFC 9208 4.1.4
    ("DELETED-STORAGE", &["QUOTA=RES-STORAGE"]),      // RFC 9208 4.1.4
    ("HIGHESTMODSEQ", &["CONDSTORE", "QRESYNC"]),     // RFC 7162 3.1.7
    ("MAILBOXID", &["OBJECTID"]),                     // RFC 8474 4.3
    ("APPENDLIMIT", &["APPENDLIMIT"]),                // RFC 7889 4
];

/// Items of FETCH that need one of these extensions; with a bracket at the end, any section of it. Any
/// other item is sent as it is.
const FETCHED: [(&str, &[&str]); 9] = [
    ("BINARY[", &["BINARY", "IMAP4rev2"]), // RFC 3516 4.2, RFC 9051 6.4.5
    ("BINARY.SIZE[", &["BINARY", "IMAP4rev2"]),
    ("EMAILID", &["OBJECTID"]),  // RFC 8474 5
    ("THREADID", &["OBJECTID"]), // RFC 8474 5
    ("SAVEDATE", &["SAVEDATE"]), // RFC 8514 4
    ("PREVIEW", &["PREVIEW"]),   // RFC 8970 3
    ("X-GM-LABELS", &[GMAIL]),
    ("X-GM-MSGID", &[GMAIL]),
    ("X-GM-THRID", &[GMAIL]),
];

/// Gmail's extensions.
pub(super) const GMAIL: &str = "X-GM-EXT-1";

/// Status items of a request, split into those that are sent and those that are known.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    sent: Vec<String>,
    known: Vec<(String, StatusValue)>,
    /// Whether `sent` has an item that was not asked for, since a command needs one.
    has_filler: bool,
}

impl Asked {
    /// The items to send.
    pub fn sent(&self) -> &[String] {
        &self.sent
    }

    /// Adds a response to what the server has said of the same mailbox. A server that watches it
    /// (NOTIFY) may send others beside the answer, with other items; the last value counts.
    pub fn add(&self, found: &mut Vec<(String, StatusValue)>, told: Vec<(String, StatusValue)>) {
        if found.is_empty() {
            *found = told;
            return;
        }
        for (name, value) in told {
            match found.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => *known = value,
                None => found.push((name, value)),
            }
        }
        found.retain(|(name, _)| self.sent.iter().any(|sent| sent.eq_ignore_ascii_case(name)));
    }

    /// Completes the items of an answer.
    pub fn complete(&self, found: Vec<(String, StatusValue)>) -> Vec<(String, StatusValue)> {
        let mut all = if self.has_filler { Vec::new() } else { found };
        all.extend(self.known.iter().cloned());
        all
    }
}

impl ImapClient {
    /// Checks the items of a FETCH.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for one of an extension that the server does not offer.
    pub(super) fn check_fetch_items(&self, items: &FetchItems) -> Result<(), Error> {
        let offers = |extensions: &[&str]| {
            extensions.iter().any(|extension| self.capabilities().offers(extension))
        };
        for (item, extensions) in FETCHED {
            if items.ask_for(item) && !offers(extensions) {
                let what = format!(", which the item {} needs", item.trim_end_matches('['));
                return Err(self.lacks(extensions, &what));
            }
        }
        Ok(())
    }

    /// Checks the keys of a search.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for one of Gmail's if the server does not offer its extensions, and for
    /// a mod-sequence without CONDSTORE; an error if it cannot be sent to any server.
    pub(super) fn check_search_key(&self, key: &SearchKey) -> Result<(), Error> {
        let is_modseq = |key: &SearchKey| matches!(key, SearchKey::ModSeq(_));
        let needed = match () {
            () if key.is_of_gmail() && !self.capabilities().offers(GMAIL) => GMAIL,
            () if key.has(&is_modseq) && self.check_condstore().is_err() => "CONDSTORE",
            () => return Ok(()),
        };
        // The same mistake in a key has the same error on every server.
        Command::search(key, false)?;
        Err(self.lacks(&[needed], ", which this search needs"))
    }

    /// Checks status items.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for one of an extension that the server does not offer.
    pub(super) fn status_items(&mut self, items: &[String]) -> Result<Asked, Error> {
        for item in items {
            let row = OF_EXTENSIONS.iter().find(|(known, _)| item.eq_ignore_ascii_case(known));
            if let Some((_, needed)) = row
                && !needed.iter().any(|name| self.capabilities().offers(name))
            {
                return Err(self.lacks(needed, &format!(", which the status item {item} needs")));
            }
        }
        let limit = self.capabilities().append_limit();
        // In IMAP4rev2 no message is \Recent (RFC 9051 appendix E).
        let recent = self.is_rev2()?.then_some(0);
        let known = [("APPENDLIMIT", limit), ("RECENT", recent)];
        let mut asked = Asked::default();
        for item in items {
            let known = known.iter().find(|(known, _)| item.eq_ignore_ascii_case(known));
            match known.and_then(|(name, value)| Some((*name, (*value)?))) {
                Some((name, value)) => {
                    asked.known.push((name.to_owned(), StatusValue::Number(value)));
                }
                None => asked.sent.push(item.clone()),
            }
        }
        if asked.sent.is_empty() && !asked.known.is_empty() {
            asked.sent.push("MESSAGES".to_owned());
            asked.has_filler = true;
        }
        Ok(asked)
    }
}
