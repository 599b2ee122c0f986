//! A mailbox: its letters by UID, and a log of changes that brings sessions up to date.
//!
//! Each session remembers its position in the log. The log is bounded; a session that has fallen
//! behind compares the whole mailbox instead, which is always right but slower.
//!
//! Mod-sequences (RFC 7162) number the changes: each change takes the next number, and each letter
//! has that of its last change. Letters that were expunged are remembered with theirs, up to a
//! limit; [`Mailbox::gone_since`] answers for an older number with all UIDs that are not there.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Weak},
};

use jiff::Zoned;

use crate::sandbox::store::details::Details;
use crate::sandbox::store::flags::Flags;
use crate::sandbox::store::letter::Content;
use crate::sandbox::store::origin::{Elsewhere, Original, Remote};
use crate::sandbox::wire::Incoming;

/// The size of the log: 4 MB, enough for a change to every letter of a mailbox of 100,000.
pub(crate) const LOG_LIMIT: usize = 262_144;

/// A letter in a mailbox.
#[derive(Clone)]
pub(crate) struct Message {
    pub(crate) content: Arc<Content>,
    pub(crate) flags: Flags,
    pub(crate) internal_date: Zoned,
    /// The mod-sequence of its last change.
    pub(crate) modseq: u64,
}

impl Message {
    /// A letter that is not in a mailbox yet.
    pub(crate) fn new(content: Arc<Content>, flags: Flags, internal_date: Zoned) -> Message {
        Message { content, flags, internal_date, modseq: 0 }
    }
}

/// A flag change or an expunge, and the session that made it.
#[derive(Clone, Copy)]
pub(crate) struct Change {
    pub(crate) uid: u32,
    pub(crate) expunged: bool,
    pub(crate) by: u64,
}

pub(crate) struct Mailbox {
    pub(crate) uid_validity: u32,
    pub(crate) uid_next: u32,
    pub(crate) messages: BTreeMap<u32, Message>,
    /// Every keyword ever used here, as first spelt.
    pub(crate) keywords: Vec<Arc<str>>,
    /// The first UID not yet announced to any session: these letters are `\Recent` for the next
    /// one.
    pub(crate) first_recent: u32,
    pub(crate) details: Details,
    /// The mod-sequence of the last change; at least 1.
    pub(crate) highest_modseq: u64,
    /// The mod-sequence and UID of letters that were expunged.
    gone: VecDeque<(u64, u32)>,
    /// The highest mod-sequence of an expunge that is not in `gone` any more.
    forgotten: u64,
    log: VecDeque<Change>,
    log_start: u64,
    watchers: Vec<Weak<Incoming>>,
    /// Its name at the origin, as long as its letters have not been taken from there.
    pub(crate) unloaded: Option<Arc<str>>,
}

/// The contents of a mailbox, without its sessions and log.
pub(crate) struct Letters {
    uid_next: u32,
    messages: BTreeMap<u32, Message>,
    keywords: Vec<Arc<str>>,
    first_recent: u32,
    highest_modseq: u64,
}

impl Mailbox {
    pub(crate) fn new(uid_validity: u32) -> Mailbox {
        Mailbox {
            uid_validity,
            uid_next: 1,
            messages: BTreeMap::new(),
            keywords: Vec::new(),
            first_recent: 1,
            details: Details::default(),
            highest_modseq: 1,
            gone: VecDeque::new(),
            forgotten: 0,
            log: VecDeque::new(),
            log_start: 0,
            watchers: Vec::new(),
            unloaded: None,
        }
    }

    /// Takes the letters that the origin has, unless that was done.
    pub(crate) fn load(&mut self, original: Original, remote: &Arc<Remote>) {
        let Some(source) = self.unloaded.take() else { return };
        self.uid_validity = original.uid_validity;
        let first_recent = original.letters.len().saturating_sub(original.recent);
        self.first_recent =
            original.letters.get(first_recent).map_or(original.uid_next, |letter| letter.uid);
        let highest = original.letters.last().map_or(0, |letter| letter.uid);
        self.uid_next = original.uid_next.max(highest.saturating_add(1)).max(1);
        for letter in original.letters {
            let elsewhere = Elsewhere {
                remote: Arc::clone(remote),
                mailbox: Arc::clone(&source),
                uid: letter.uid,
                size: letter.size,
            };
            let names: Vec<&str> = letter.flags.iter().map(String::as_str).collect();
            let content = Arc::new(Content::elsewhere(elsewhere));
            let mut message = Message::new(content, Flags::known(&names), letter.internal_date);
            message.flags.adopt_spelling(&mut self.keywords);
            message.modseq = 1;
            self.messages.insert(letter.uid, message);
        }
    }

    /// Copies what another mailbox needs to hold the same letters: UIDs, keywords, and where recent
    /// ones begin.
    pub(crate) fn letters(&self) -> Letters {
        Letters {
            uid_next: self.uid_next,
            messages: self.messages.clone(),
            keywords: self.keywords.clone(),
            first_recent: self.first_recent,
            highest_modseq: self.highest_modseq,
        }
    }

    pub(crate) fn take_letters(&mut self, letters: Letters) {
        letters.messages.keys().for_each(|uid| self.details.saved_now(*uid));
        (self.uid_next, self.messages, self.keywords, self.first_recent) =
            (letters.uid_next, letters.messages, letters.keywords, letters.first_recent);
        self.highest_modseq = letters.highest_modseq;
        self.forgotten = letters.highest_modseq;
    }

    /// Adds a letter and returns its UID; `None` if the UIDs are used up.
    pub(crate) fn append(&mut self, mut message: Message) -> Option<u32> {
        let uid = self.uid_next;
        self.uid_next = uid.checked_add(1)?;
        message.flags.adopt_spelling(&mut self.keywords);
        message.modseq = self.next_modseq();
        self.messages.insert(uid, message);
        self.details.saved_now(uid);
        self.ring();
        Some(uid)
    }

    /// Changes one letter's flags; false if there is no such letter.
    pub(crate) fn change_flags(
        &mut self,
        uid: u32,
        by: u64,
        change: impl FnOnce(&mut Flags),
    ) -> bool {
        let Some(message) = self.messages.get_mut(&uid) else { return false };
        let before = message.flags.clone();
        change(&mut message.flags);
        message.flags.adopt_spelling(&mut self.keywords);
        if message.flags != before {
            self.highest_modseq += 1;
            message.modseq = self.highest_modseq;
            self.note(Change { uid, expunged: false, by });
        }
        true
    }

    /// Removes these letters.
    pub(crate) fn remove(&mut self, uids: &[u32], by: u64) {
        let modseq = self.highest_modseq + 1;
        for uid in uids {
            if self.messages.remove(uid).is_some() {
                self.details.saved.remove(uid);
                self.highest_modseq = modseq;
                self.gone.push_back((modseq, *uid));
                if self.gone.len() > LOG_LIMIT {
                    self.forgotten = self.gone.pop_front().map_or(modseq, |(modseq, _)| modseq);
                }
                self.note(Change { uid: *uid, expunged: true, by });
            }
        }
    }

    fn next_modseq(&mut self) -> u64 {
        self.highest_modseq += 1;
        self.highest_modseq
    }

    /// The UIDs of letters that were expunged after a mod-sequence, in ascending order; perhaps with
    /// others that are not there either (RFC 7162 3.2.6).
    pub(crate) fn gone_since(&self, modseq: u64) -> Vec<u32> {
        if modseq < self.forgotten {
            return (1..self.uid_next).filter(|uid| !self.messages.contains_key(uid)).collect();
        }
        let later = self.gone.iter().filter(|(gone, _)| *gone > modseq);
        let mut uids: Vec<u32> = later.map(|(_, uid)| *uid).collect();
        uids.sort_unstable();
        uids
    }

    /// The current end of the log.
    pub(crate) fn log_end(&self) -> u64 {
        self.log_start + self.log.len() as u64
    }

    /// The changes since `position`; `None` if the log no longer reaches back that far.
    pub(crate) fn changes_since(&self, position: u64) -> Option<impl Iterator<Item = &Change>> {
        let skip = usize::try_from(position.checked_sub(self.log_start)?).ok()?;
        Some(self.log.range(skip.min(self.log.len())..))
    }

    /// Rings this session's bell at every change, for IDLE and NOTIFY.
    pub(crate) fn watch(&mut self, watcher: &Arc<Incoming>) {
        self.watchers.retain(|known| known.strong_count() > 0);
        if !self.watchers.iter().any(|known| std::ptr::eq(known.as_ptr(), Arc::as_ptr(watcher))) {
            self.watchers.push(Arc::downgrade(watcher));
        }
    }

    pub(crate) fn unwatch(&mut self, watcher: &Arc<Incoming>) {
        self.watchers.retain(|known| {
            known.strong_count() > 0 && !std::ptr::eq(known.as_ptr(), Arc::as_ptr(watcher))
        });
    }

    pub(crate) fn ring(&self) {
        self.watchers.iter().filter_map(Weak::upgrade).for_each(|watcher| watcher.ring());
    }

    fn note(&mut self, change: Change) {
        self.log.push_back(change);
        if self.log.len() > LOG_LIMIT {
            self.log.pop_front();
            self.log_start += 1;
        }
        self.ring();
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        // Tells sessions in IDLE that their mailbox is gone.
        self.ring();
    }
}
