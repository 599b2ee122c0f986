//! A session's view of its selected mailbox.
//!
//! The view is a list of UIDs; a letter's index in it, plus one, is its message number. Changes of
//! the mailbox do not touch the list. [`Selected::sync`] reads the mailbox's log from the position
//! where it last stopped, and announces in this order:
//!
//! 1. FLAGS, if the mailbox has new keywords.
//! 2. Expunges, if the command allows them (RFC 3501 7.4.1). Otherwise they stay in `pending`, and
//!    the letters keep their numbers.
//! 3. New letters, as EXISTS and RECENT.
//! 4. Flags changed by other sessions, as FETCH. A session's own STORE and FETCH answer for
//!    themselves.
//!
//! With CONDSTORE the last says the mod-sequence too, and with QRESYNC the UID; expunges are then
//! announced as VANISHED (RFC 7162 3.2.10).
//!
//! If the log no longer reaches back to the position, the view compares the whole mailbox instead:
//! missing letters are expunged, and the flags of all others are announced.

use std::{collections::HashSet, io::Write as _, sync::Arc};

use crate::sandbox::imap::condstore::Resync;
use crate::sandbox::imap::sequence;
use crate::sandbox::imap::sequence::Span;
use crate::sandbox::store::mailbox::Mailbox;
use crate::sandbox::store::names::MailboxId;
use crate::sandbox::wire::Incoming;

/// The selected mailbox as this session's client knows it.
pub(crate) struct Selected {
    pub(crate) id: MailboxId,
    pub(crate) session: u64,
    pub(crate) read_only: bool,
    /// The UIDs, in the order of message numbers.
    pub(crate) uids: Vec<u32>,
    /// The UIDs that are `\Recent` in this session.
    recent: HashSet<u32>,
    /// Whether the client knows `\Recent`.
    has_recent: bool,
    /// UIDs from here on are not in the list yet.
    uid_next: u32,
    /// The position in the mailbox's log up to which changes have been read.
    log_position: u64,
    /// How many of the mailbox's keywords the client knows.
    keywords_known: usize,
    /// UIDs of expunged letters that are still to be announced.
    pending: Vec<u32>,
    /// The UIDs of the saved search result (RFC 5182), ascending.
    saved: Vec<u32>,
    /// Whether changes of flags are announced (NOTIFY).
    pub(crate) tells_flags: bool,
}

impl Selected {
    /// Opens a mailbox. `\Recent` goes to the first session that opens it for writing.
    pub(crate) fn open(
        id: MailboxId,
        mailbox: &mut Mailbox,
        session: u64,
        read_only: bool,
        watcher: &Arc<Incoming>,
    ) -> Selected {
        mailbox.watch(watcher);
        let mut view = Selected {
            id,
            session,
            read_only,
            uids: Vec::with_capacity(mailbox.messages.len()),
            recent: HashSet::new(),
            has_recent: true,
            uid_next: 0,
            log_position: mailbox.log_end(),
            keywords_known: mailbox.keywords.len(),
            pending: Vec::new(),
            saved: Vec::new(),
            tells_flags: true,
        };
        view.take_new(mailbox);
        view
    }

    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.uids.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn recent_count(&self) -> usize {
        self.recent.len()
    }

    /// From now on no letter is `\Recent` (RFC 9051 appendix E).
    pub(crate) fn forget_recent(&mut self) {
        self.has_recent = false;
        self.recent.clear();
    }

    pub(crate) fn is_recent(&self, uid: u32) -> bool {
        self.recent.contains(&uid)
    }

    /// Resolves a set to message numbers and UIDs, in ascending order. Message numbers that do not
    /// exist are an error; unknown UIDs are skipped.
    pub(crate) fn resolve(
        &self,
        set: &imap_codec::imap_types::sequence::SequenceSet,
        uid: bool,
    ) -> Result<Vec<(u32, u32)>, String> {
        let spans = if uid {
            sequence::spans(set, self.last_uid())
        } else {
            sequence::numbers(set, self.count())?
        };
        let mut result = Vec::new();
        for span in spans {
            let places = if uid { self.places(span) } else { span.0 as usize - 1..span.1 as usize };
            result.extend(places.map(|place| (place as u32 + 1, self.uids[place])));
        }
        Ok(result)
    }

    /// Saves a search result, which `$` then stands for.
    pub(crate) fn save(&mut self, uids: Vec<u32>) {
        self.saved = uids;
    }

    /// The message numbers and UIDs of the saved search result that are still in the view.
    pub(crate) fn saved(&self) -> impl Iterator<Item = (u32, u32)> {
        let place = |uid: &u32| Some((self.uids.binary_search(uid).ok()? as u32 + 1, *uid));
        self.saved.iter().filter_map(place)
    }

    /// The UIDNEXT of the letters that were announced.
    pub(crate) fn uid_next(&self) -> u32 {
        self.uid_next
    }

    /// The UID that `*` stands for.
    pub(crate) fn last_uid(&self) -> u32 {
        self.uids.last().copied().unwrap_or(0)
    }

    /// Announces the changes since the last call, EXPUNGE responses only if `expunge`.
    pub(crate) fn sync(
        &mut self,
        mailbox: &mut Mailbox,
        expunge: bool,
        resync: Resync,
        out: &mut Vec<u8>,
    ) {
        self.announce_keywords(mailbox, out);
        let changed = self.read_log(mailbox);
        if expunge && !self.pending.is_empty() {
            self.announce_expunges(resync, out);
        }
        self.announce_new(mailbox, out);
        for uid in changed.into_iter().filter(|_| self.tells_flags) {
            self.announce_flags(mailbox, uid, resync, out);
        }
    }

    /// Writes `* 3 FETCH (FLAGS (\Seen))`.
    pub(crate) fn announce_flags(
        &self,
        mailbox: &Mailbox,
        uid: u32,
        resync: Resync,
        out: &mut Vec<u8>,
    ) {
        if let (Ok(place), Some(message)) =
            (self.uids.binary_search(&uid), mailbox.messages.get(&uid))
        {
            let flags = message.flags.list(self.is_recent(uid));
            let uid = if resync.qresync { format!("UID {uid} ") } else { String::new() };
            let modseq = resync.modseq(message.modseq);
            let _ = write!(out, "* {} FETCH ({uid}FLAGS {flags}{modseq})\r\n", place + 1);
        }
    }

    fn announce_keywords(&mut self, mailbox: &Mailbox, out: &mut Vec<u8>) {
        if mailbox.keywords.len() > self.keywords_known {
            self.keywords_known = mailbox.keywords.len();
            out.extend_from_slice(flags_responses(mailbox, self.read_only).as_bytes());
        }
    }

    /// Reads the log to its end. Adds expunged UIDs to `pending` and returns the UIDs whose flags
    /// other sessions have changed.
    fn read_log(&mut self, mailbox: &Mailbox) -> Vec<u32> {
        let mut changed = Vec::new();
        match mailbox.changes_since(self.log_position) {
            Some(changes) => {
                for change in changes {
                    if change.expunged {
                        self.pending.push(change.uid);
                    } else if change.by != self.session {
                        changed.push(change.uid);
                    }
                }
            }
            None => {
                self.pending = self
                    .uids
                    .iter()
                    .copied()
                    .filter(|uid| !mailbox.messages.contains_key(uid))
                    .collect();
                changed.clone_from(&self.uids);
            }
        }
        self.log_position = mailbox.log_end();
        changed.sort_unstable();
        changed.dedup();
        changed
    }

    /// Announces the pending expunges in ascending order. Each number counts without the letters
    /// announced before it: letters 3, 4 and 5 are announced as 3, 3, 3.
    fn announce_expunges(&mut self, resync: Resync, out: &mut Vec<u8>) {
        let mut gone = std::mem::take(&mut self.pending);
        gone.sort_unstable();
        gone.dedup();
        gone.retain(|uid| self.uids.binary_search(uid).is_ok());
        if resync.qresync && !gone.is_empty() {
            let _ = write!(out, "* VANISHED {}\r\n", sequence::compact(&gone));
        }
        let mut removed = 0;
        for uid in &gone {
            if let Ok(place) = self.uids.binary_search(uid) {
                if !resync.qresync {
                    let _ = write!(out, "* {} EXPUNGE\r\n", place + 1 - removed);
                }
                removed += 1;
                self.recent.remove(uid);
            }
        }
        self.uids.retain(|uid| gone.binary_search(uid).is_err());
    }

    fn announce_new(&mut self, mailbox: &mut Mailbox, out: &mut Vec<u8>) {
        let before = self.uids.len();
        self.take_new(mailbox);
        if self.uids.len() > before {
            let _ = write!(out, "* {} EXISTS\r\n", self.uids.len());
            if self.has_recent {
                let _ = write!(out, "* {} RECENT\r\n", self.recent.len());
            }
        }
    }

    /// Adds letters that have arrived since the last call; takes `\Recent` unless opened by
    /// EXAMINE.
    fn take_new(&mut self, mailbox: &mut Mailbox) {
        for uid in mailbox.messages.range(self.uid_next..).map(|(uid, _)| *uid) {
            self.uids.push(uid);
            if uid >= mailbox.first_recent && self.has_recent {
                self.recent.insert(uid);
            }
        }
        self.uid_next = mailbox.uid_next;
        if !self.read_only {
            mailbox.first_recent = mailbox.uid_next;
        }
    }

    /// The indexes of the UIDs in a span.
    fn places(&self, span: Span) -> std::ops::Range<usize> {
        let start = self.uids.partition_point(|uid| *uid < span.0);
        let end = self.uids.partition_point(|uid| *uid <= span.1);
        start..end.max(start)
    }
}

/// The FLAGS and PERMANENTFLAGS responses, with the mailbox's keywords.
pub(crate) fn flags_responses(mailbox: &Mailbox, read_only: bool) -> String {
    let keywords = mailbox.keywords.iter().map(|keyword| &**keyword);
    let flags = crate::sandbox::store::flags::SYSTEM
        .into_iter()
        .chain(keywords)
        .collect::<Vec<_>>()
        .join(" ");
    let permanent = if read_only { String::new() } else { format!("{flags} \\*") };
    format!("* FLAGS ({flags})\r\n* OK [PERMANENTFLAGS ({permanent})] Flags kept for good.\r\n")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Selected;
    use crate::sandbox::imap::condstore::Resync;
    use crate::sandbox::store::flags::Flags;
    use crate::sandbox::store::letter::Content;
    use crate::sandbox::store::mailbox::{LOG_LIMIT, Mailbox, Message};

    #[test]
    fn a_session_that_fell_behind_the_log_compares_everything() {
        let mut mailbox = Mailbox::new(1);
        for _ in 0..3 {
            let content = Arc::new(Content::new(b"Subject: x\n\n"));
            mailbox.append(Message::new(content, Flags::default(), jiff::Zoned::now()));
        }
        let mut view = Selected::open(0, &mut mailbox, 1, false, &Arc::default());
        mailbox.remove(&[2], 2);
        for round in 0..=LOG_LIMIT {
            let flag = if round % 2 == 0 { Flags::SEEN } else { Flags::FLAGGED };
            mailbox.change_flags(3, 2, |flags| {
                *flags = Flags::default();
                flags.set(flag);
            });
        }
        let mut out = Vec::new();
        view.sync(&mut mailbox, true, Resync::default(), &mut out);
        let told = String::from_utf8(out).unwrap();
        assert_eq!(
            told,
            "* 2 EXPUNGE\r\n* 1 FETCH (FLAGS (\\Recent))\r\n* 2 FETCH (FLAGS (\\Seen \\Recent))\r\n"
        );
        view.sync(&mut mailbox, true, Resync::default(), &mut Vec::new());
        assert_eq!(view.uids, [1, 3]);
    }
}
