//! Logins, exclusive maildrops, and the account that an address means.

use std::sync::Arc;

use md5::{Digest as _, Md5};

use crate::sandbox::store::State;
use crate::sandbox::{Account, Store};

impl Store {
    /// Accepts every password from now on. An unknown user who logs in gets an account with a copy
    /// of this account's mail.
    pub(crate) fn admit_guests(&self, copy_of: String) {
        self.lock().guests_see = Some(copy_of);
    }

    /// The user, if the password is right or guest logins are enabled.
    pub(crate) fn login(&self, user: &[u8], password: &[u8]) -> Option<String> {
        let (user, password) = (str::from_utf8(user).ok()?, str::from_utf8(password).ok()?);
        let mut state = self.lock();
        if state.admit(user) {
            return Some(user.to_owned());
        }
        (state.users.get(user)?.password == password).then(|| user.to_owned())
    }

    /// The user, if the digest matches the greeting's timestamp and the password (APOP, RFC 1939
    /// 7).
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

    /// The account that an address's local part means. An exact match wins; otherwise case is
    /// ignored.
    pub(crate) fn account_named(&self, name: &str) -> Option<String> {
        let state = self.lock();
        if state.users.contains_key(name) {
            return Some(name.to_owned());
        }
        state.users.keys().find(|user| user.eq_ignore_ascii_case(name)).cloned()
    }

    /// Locks a maildrop for one session; `None` if another session has it.
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
    /// Whether the user may log in as a guest; an unknown user gets an account.
    fn admit(&mut self, user: &str) -> bool {
        let Some(copy_of) = self.guests_see.clone() else { return false };
        if !self.users.contains_key(user) {
            self.add_copy(Account::new(user, ""), &copy_of);
        }
        self.latest_guest = Some(user.to_owned());
        true
    }
}

/// Exclusive access to a maildrop, released when the session ends, even by a panic.
pub(crate) struct MaildropLock {
    store: Arc<Store>,
    user: String,
    session: u64,
}

impl Drop for MaildropLock {
    fn drop(&mut self) {
        let mut state = self.store.lock();
        // After a reset another session may have locked the maildrop.
        if state.maildrops.get(&self.user) == Some(&self.session) {
            state.maildrops.remove(&self.user);
        }
    }
}

fn hexadecimal(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
