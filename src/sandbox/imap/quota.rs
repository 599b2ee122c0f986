//! GETQUOTA and GETQUOTAROOT (RFC 9208 4.1). The program that runs the sandbox sets the quotas;
//! each account with a quota has one root, named as the account.

use imap_codec::imap_types::{core::AString, mailbox::Mailbox as MailboxName};

use crate::sandbox::Extension;
use crate::sandbox::imap::session::{Outcome, Session, no};
use crate::sandbox::imap::text::astring;

/// The NO for a command that would exceed the quota (RFC 9208 4.3.1).
pub(crate) const OVER_QUOTA: &str = "[OVERQUOTA] The account has no room for this.";

impl Session {
    pub(crate) fn get_quota(&mut self, root: &AString<'_>) -> Outcome {
        let user = self.user()?;
        self.needs(Extension::Quota)?;
        if root.as_ref() != user.as_bytes() || !self.shared.store.lock().quota(&user).limits() {
            return no("[NONEXISTENT] No such quota root.");
        }
        self.tell_quota(&user);
        Ok("GETQUOTA completed.".to_owned())
    }

    pub(crate) fn get_quota_root(&mut self, mailbox: &MailboxName<'_>) -> Outcome {
        let user = self.user()?;
        self.needs(Extension::Quota)?;
        let state = self.shared.store.lock();
        let name = self.name_of(mailbox);
        if state.find(&user, &name).is_none() {
            return no("[NONEXISTENT] No such mailbox.");
        }
        let has_root = state.quota(&user).limits();
        drop(state);
        let mut line = b"* QUOTAROOT ".to_vec();
        self.write_name(&mut line, &name);
        if has_root {
            line.push(b' ');
            astring(&mut line, user.as_bytes());
        }
        line.extend_from_slice(b"\r\n");
        self.out.extend_from_slice(&line);
        if has_root {
            self.tell_quota(&user);
        }
        Ok("GETQUOTAROOT completed.".to_owned())
    }

    /// Writes the QUOTA response: usage and limit of each limited resource.
    fn tell_quota(&mut self, user: &str) {
        let state = self.shared.store.lock();
        let (quota, usage) = (state.quota(user), state.usage(user));
        drop(state);
        let resources = [
            quota.storage.map(|most| format!("STORAGE {} {most}", usage.storage())),
            quota.messages.map(|most| format!("MESSAGE {} {most}", usage.messages)),
        ];
        let resources: Vec<String> = resources.into_iter().flatten().collect();
        let mut line = b"* QUOTA ".to_vec();
        astring(&mut line, user.as_bytes());
        line.extend_from_slice(format!(" ({})\r\n", resources.join(" ")).as_bytes());
        self.out.extend_from_slice(&line);
    }
}
