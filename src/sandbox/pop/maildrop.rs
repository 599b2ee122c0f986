//! A user's inbox as one POP3 session sees it (RFC 1939 5 and 6).
//!
//! Opening it numbers the letters once and takes the user's maildrop lock, which other POP3
//! sessions respect. DELE only sets marks; `update` removes the marked letters. IMAP sessions and
//! new mail may change the inbox meanwhile: the numbers stay, and the bytes of expunged letters
//! remain readable.

use std::sync::Arc;

use crate::sandbox::Store;
use crate::sandbox::store::accounts::MaildropLock;
use crate::sandbox::store::letter::Content;
use crate::sandbox::store::names::{INBOX, MailboxId};

/// An open maildrop. Dropping it releases the lock.
pub(crate) struct Maildrop {
    store: Arc<Store>,
    session: u64,
    mailbox: MailboxId,
    pub(crate) uid_validity: u32,
    letters: Vec<Entry>,
    _lock: MaildropLock,
}

/// A letter. It holds its bytes, so that it stays readable after an IMAP session has expunged it.
pub(crate) struct Entry {
    pub(crate) uid: u32,
    pub(crate) content: Arc<Content>,
    deleted: bool,
}

impl Entry {
    /// The octets that RETR sends, without stuffed dots. A last line without a line end gets one.
    pub(crate) fn size(&self) -> usize {
        let bytes = self.content.bytes();
        bytes.len() + if bytes.is_empty() || bytes.ends_with(b"\r\n") { 0 } else { 2 }
    }
}

/// Why a maildrop cannot be opened or updated.
pub(crate) enum Unavailable {
    /// Another POP3 session has it open.
    InUse,
    /// The program that runs the sandbox has reset the store.
    Gone,
}

impl Maildrop {
    /// Takes the lock and numbers the letters.
    pub(crate) fn open(
        store: &Arc<Store>,
        user: &str,
        session: u64,
    ) -> Result<Maildrop, Unavailable> {
        let lock = store.hold_maildrop(user, session).ok_or(Unavailable::InUse)?;
        let state = store.lock();
        let id = state.find(user, INBOX);
        let found = id.and_then(|id| Some((id, state.mailbox(id)?)));
        let Some((mailbox, inbox)) = found else {
            drop(state);
            return Err(Unavailable::Gone);
        };
        let entry = |(uid, message): (&u32, &crate::sandbox::store::mailbox::Message)| Entry {
            uid: *uid,
            content: Arc::clone(&message.content),
            deleted: false,
        };
        let (uid_validity, letters) =
            (inbox.uid_validity, inbox.messages.iter().map(entry).collect());
        drop(state);
        Ok(Maildrop {
            store: Arc::clone(store),
            session,
            mailbox,
            uid_validity,
            letters,
            _lock: lock,
        })
    }

    /// Returns the letter with this number; `None` if it does not exist or is marked as deleted.
    pub(crate) fn letter(&self, number: usize) -> Option<&Entry> {
        self.letters.get(number.checked_sub(1)?).filter(|entry| !entry.deleted)
    }

    /// The letters that are not marked as deleted, with their numbers.
    pub(crate) fn remaining(&self) -> impl Iterator<Item = (usize, &Entry)> {
        (1..).zip(&self.letters).filter(|(_, entry)| !entry.deleted)
    }

    /// The number of letters that are not marked, and their total octets.
    pub(crate) fn count(&self) -> (usize, usize) {
        self.remaining()
            .fold((0, 0), |(count, octets), (_, entry)| (count + 1, octets + entry.size()))
    }

    /// Marks a letter as deleted; false if it does not exist or is marked already.
    pub(crate) fn delete(&mut self, number: usize) -> bool {
        let letter = number
            .checked_sub(1)
            .and_then(|at| self.letters.get_mut(at))
            .filter(|entry| !entry.deleted);
        letter.is_some_and(|entry| {
            entry.deleted = true;
            true
        })
    }

    /// Removes all marks.
    pub(crate) fn reset(&mut self) {
        self.letters.iter_mut().for_each(|entry| entry.deleted = false);
    }

    /// Removes the marked letters and releases the lock (the UPDATE state). Fails if letters are
    /// marked and the store was reset.
    pub(crate) fn update(self) -> Result<(), Unavailable> {
        let uids: Vec<u32> =
            self.letters.iter().filter(|entry| entry.deleted).map(|entry| entry.uid).collect();
        if uids.is_empty() {
            return Ok(());
        }
        let mut state = self.store.lock();
        let mailbox = state.mailbox_mut(self.mailbox).ok_or(Unavailable::Gone)?;
        mailbox.remove(&uids, self.session);
        drop(state);
        Ok(())
    }
}
