//! The items of STATUS and FETCH, and the search keys, that extensions define: which extension a
//! server must offer for each, and the one that is known without asking.

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

/// Items of FETCH that need an extension. Any other item is sent as it is, Gmail's included.
const FETCHED: [(&str, &str); 4] = [
    ("EMAILID", "OBJECTID"),  // RFC 8474 5
    ("THREADID", "OBJECTID"), // RFC 8474 5
    ("SAVEDATE", "SAVEDATE"), // RFC 8514 4
    ("PREVIEW", "PREVIEW"),   // RFC 8970 3
];

/// Gmail's extensions.
pub(super) const GMAIL: &str = "X-GM-EXT-1";

/// Status items of a request, split into those that are sent and the one that is known.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    sent: Vec<String>,
    /// The value of APPENDLIMIT, if the capability has it.
    append_limit: Option<u64>,
    /// Whether `sent` has an item that was not asked for, since a command needs one.
    has_filler: bool,
}

impl Asked {
    /// The items to send.
    pub fn sent(&self) -> &[String] {
        &self.sent
    }

    /// Completes the items of an answer.
    pub fn complete(&self, found: Vec<(String, StatusValue)>) -> Vec<(String, StatusValue)> {
        let mut all = if self.has_filler { Vec::new() } else { found };
        let limit = self.append_limit.map(StatusValue::Number);
        all.extend(limit.map(|limit| ("APPENDLIMIT".to_owned(), limit)));
        all
    }
}

impl ImapClient {
    /// Checks the items of a FETCH.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for one of an extension that the server does not offer.
    pub(super) fn check_fetch_items(&self, items: &FetchItems) -> Result<(), Error> {
        let is_missing = |(item, extension): &&(&str, &str)| {
            items.ask_for(item) && !self.capabilities().offers(extension)
        };
        match FETCHED.iter().find(is_missing) {
            None => Ok(()),
            Some((item, extension)) => Err(Error::Unsupported(format!(
                "the server does not offer {extension}, which the item {item} needs"
            ))),
        }
    }

    /// Checks the keys of a search.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for one of Gmail's if the server does not offer its extensions; an error
    /// if it cannot be sent to any server.
    pub(super) fn check_search_key(&self, key: &SearchKey) -> Result<(), Error> {
        if key.is_of_gmail() && !self.capabilities().offers(GMAIL) {
            // The same mistake in a key has the same error on every server.
            Command::search(key, false)?;
            let why = format!("the server does not offer {GMAIL}, which this search needs");
            return Err(Error::Unsupported(why));
        }
        Ok(())
    }

    /// Checks status items.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for one of an extension that the server does not offer.
    pub(super) fn status_items(&self, items: &[String]) -> Result<Asked, Error> {
        let mut asked = Asked::default();
        for item in items {
            let row = OF_EXTENSIONS.iter().find(|(known, _)| item.eq_ignore_ascii_case(known));
            if let Some((_, needed)) = row
                && !needed.iter().any(|name| self.capabilities().offers(name))
            {
                return Err(Error::Unsupported(format!(
                    "the server does not offer {}, which the status item {item} needs",
                    needed.join(" or ")
                )));
            }
            let limit = self.capabilities().append_limit();
            if limit.is_some() && item.eq_ignore_ascii_case("APPENDLIMIT") {
                asked.append_limit = limit;
            } else {
                asked.sent.push(item.clone());
            }
        }
        if asked.sent.is_empty() && asked.append_limit.is_some() {
            asked.sent.push("MESSAGES".to_owned());
            asked.has_filler = true;
        }
        Ok(asked)
    }
}
