//! Special uses of mailboxes (RFC 6154).

use crate::sandbox::Extension;
use crate::sandbox::imap::session::{Outcome, Session, no};

/// The uses that a mailbox can have.
const USES: [&str; 8] =
    ["\\All", "\\Archive", "\\Drafts", "\\Flagged", "\\Important", "\\Junk", "\\Sent", "\\Trash"];

impl Session {
    /// CREATE with special uses (RFC 6154 3).
    pub(crate) fn create_with_uses(&mut self, mailbox: &str, uses: &[String]) -> Outcome {
        self.needs(Extension::CreateSpecialUse)?;
        let known =
            |wanted: &String| USES.into_iter().find(|known| known.eq_ignore_ascii_case(wanted));
        let uses: Option<Vec<&'static str>> = uses.iter().map(known).collect();
        let Some(uses) = uses else { return no("[USEATTR] A mailbox cannot have this use.") };
        self.create_for(mailbox, &uses)
    }
}
