//! MYRIGHTS (RFC 4314 3.5). Every account is alone with its mail and has all rights to it.

use crate::sandbox::Extension;
use crate::sandbox::imap::session::{Outcome, Session, bad, no, stored_name};
use crate::sandbox::imap::text::astring;

/// All rights of RFC 4314 2.1, and the obsolete `c` and `d` (2.1.1).
const ALL: &str = "lrswipkxtecda";

impl Session {
    pub(crate) fn my_rights(&mut self, mailbox: &str) -> Outcome {
        if !self.extensions.has(Extension::Acl) {
            return bad("ACL is not supported.");
        }
        let user = self.user()?;
        if self.shared.store.lock().find(&user, &stored_name(mailbox)).is_none() {
            return no("[NONEXISTENT] No such mailbox.");
        }
        let mut line = b"* MYRIGHTS ".to_vec();
        astring(&mut line, mailbox.as_bytes());
        line.extend_from_slice(format!(" {ALL}\r\n").as_bytes());
        self.out.extend_from_slice(&line);
        Ok("MYRIGHTS completed.".to_owned())
    }
}
