//! Who may log in, whose maildrop is open, and which account an address means.

use std::sync::Arc;

use md5::{Digest as _, Md5};

use crate::sandbox::store::State;
use crate::sandbox::{Account, Store};

impl Store {
    /// From now on every password is right, and an unknown user who logs in gets an account with a copy of that user's mail.
    pub(crate) fn admit_guests(&self, copy_of: String) {
        self.lock().guests_see = Some(copy_of);
    }

    /// The user, if the password is right; where guests are welcome every one is.
    pub(crate) fn login(&self, user: &[u8], password: &[u8]) -> Option<String> {
        let (user, password) = (str::from_utf8(user).ok()?, str::from_utf8(password).ok()?);
        let mut state = self.lock();
        if state.admit(user) {
            return Some(user.to_owned());
        }
        (state.users.get(user)?.password == password).then(|| user.to_owned())
    }

    /// The user, if the digest is that of the greeting's timestamp and the password (RFC 1939 7, APOP).
    pub(crate) fn login_by_digest(
        &self,
        user: &str,
        timestamp: &str,
        digest: &str,
    ) -> Option<String> {
        let mut state = self.lock();
        if state.admit(user) {
            return Some(user.to_owned());
        }
        let password = &state.users.get(user)?.password;
        (hexadecimal(&Md5::digest(format!("{timestamp}{password}"))) == digest)
            .then(|| user.to_owned())
    }

    /// The account that an address's local part means. Letter case is looked at only where two accounts differ in nothing else.
    pub(crate) fn account_named(&self, name: &str) -> Option<String> {
        let state = self.lock();
        if state.users.contains_key(name) {
            return Some(name.to_owned());
        }
        state.users.keys().find(|user| user.eq_ignore_ascii_case(name)).cloned()
    }

    /// Opens a maildrop for one session; `None` while another one has it.
    pub(crate) fn hold_maildrop(
        self: &Arc<Store>,
        user: &str,
        session: u64,
    ) -> Option<MaildropLock> {
        let mut state = self.lock();
        if state.maildrops.contains_key(user) {
            return None;
        }
        state.maildrops.insert(user.to_owned(), session);
        Some(MaildropLock { store: Arc::clone(self), user: user.to_owned(), session })
    }
}

impl State {
    /// Whether guests are welcome; an unknown user gets an account then.
    fn admit(&mut self, user: &str) -> bool {
        let Some(copy_of) = self.guests_see.clone() else { return false };
        if !self.users.contains_key(user) {
            self.add_copy(Account::new(user, ""), &copy_of);
        }
        self.latest_guest = Some(user.to_owned());
        true
    }
}

/// The exclusive access to a maildrop, given up however the session ends, a panic included.
pub(crate) struct MaildropLock {
    store: Arc<Store>,
    user: String,
    session: u64,
}

impl Drop for MaildropLock {
    fn drop(&mut self) {
        let mut state = self.store.lock();
        // After a reset the maildrop may belong to another session.
        if state.maildrops.get(&self.user) == Some(&self.session) {
            state.maildrops.remove(&self.user);
        }
    }
}

fn hexadecimal(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
