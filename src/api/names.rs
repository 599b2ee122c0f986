//! Names for completion: the mailboxes and flags of a connection.
//!
//! Completion must not block. The mailboxes of a connection are listed once, in a background
//! thread; a caller waits for the answer until its deadline, and a later caller finds it in the
//! cache. The cache is cleared when a mailbox is created, renamed or removed. Flags are read from
//! the state of the selected mailbox, without a command.

use super::objects::ImapMailbox;
use super::state::State;
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

/// The names of mailboxes, by connection.
#[derive(Default)]
pub(super) struct Names {
    known: Mutex<Vec<Entry>>,
    changed: Condvar,
}

struct Entry {
    mailbox: Weak<ImapMailbox>,
    /// `None` until the server has answered.
    names: Option<Vec<String>>,
}

impl Names {
    /// Clears the cache: a mailbox was created, renamed or removed.
    pub(super) fn forget(&self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn answer(&self, mailbox: &Arc<ImapMailbox>, names: Vec<String>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) =
            known.iter_mut().find(|entry| entry.mailbox.as_ptr() == Arc::as_ptr(mailbox))
        {
            entry.names = Some(names);
        }
        self.changed.notify_all();
    }
}

impl State {
    /// Returns the names of the mailboxes on a connection. The server is asked once, in the
    /// background. If its answer takes longer than `wait`, the result is empty, and a later call
    /// has the names.
    pub fn mailbox_names(
        self: &Arc<Self>,
        mailbox: &Arc<ImapMailbox>,
        wait: Duration,
    ) -> Vec<String> {
        let deadline = Instant::now() + wait;
        let is_it = |entry: &&Entry| entry.mailbox.as_ptr() == Arc::as_ptr(mailbox);
        let mut known = self.names.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.iter().any(|entry| is_it(&entry)) {
            known.retain(|entry| entry.mailbox.strong_count() > 0);
            known.push(Entry { mailbox: Arc::downgrade(mailbox), names: None });
            let (state, mailbox) = (self.clone(), mailbox.clone());
            let asking = std::thread::Builder::new().spawn(move || {
                let listed = mailbox.client().list("", "*").unwrap_or_default();
                state.names.answer(&mailbox, listed.into_iter().map(|entry| entry.name).collect());
            });
            if asking.is_err() {
                return Vec::new();
            }
        }
        loop {
            match known.iter().find(is_it) {
                Some(Entry { names: Some(names), .. }) => return names.clone(),
                Some(_) => {}
                None => return Vec::new(),
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Vec::new();
            }
            known = self
                .names
                .changed
                .wait_timeout(known, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Returns the flags in use in the selected mailbox of a connection, as IMAP writes them; empty
    /// while the connection is busy.
    pub fn mailbox_flags(&self, mailbox: &ImapMailbox) -> Vec<String> {
        let Some(client) = mailbox.client_if_free() else { return Vec::new() };
        let Some(selected) = client.selected() else { return Vec::new() };
        let mut flags = selected.flags.clone();
        flags.extend(selected.permanent_flags.iter().cloned());
        flags
    }
}
