//! Special uses of mailboxes (RFC 6154).

use crate::sandbox::Extension;
use crate::sandbox::imap::session::{Outcome, Session, no};
use crate::sandbox::store::details::special_use;

impl Session {
    /// CREATE with special uses (RFC 6154 3).
    pub(crate) fn create_with_uses(&mut self, mailbox: &str, uses: &[String]) -> Outcome {
        self.needs(Extension::CreateSpecialUse)?;
        let uses: Option<Vec<&'static str>> = uses.iter().map(|name| special_use(name)).collect();
        let Some(uses) = uses else { return no("[USEATTR] A mailbox cannot have this use.") };
        self.create_for(mailbox, &uses)
    }
}
