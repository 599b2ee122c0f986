//! A session's view of its selected mailbox.
//!
//! Theory: the view is a list of UIDs, in which a letter's place is its message number. Nothing that happens in the mailbox
//! touches the list. [`Selected::sync`] reads the mailbox's log from where it last stopped and announces what it finds:
//! expunges only where RFC 3501 7.4.1 allows it (else they wait in `pending`), then the new letters, then changed flags.

use std::{collections::HashSet, io::Write as _, sync::Arc};

use crate::sandbox::imap::sequence;
use crate::sandbox::imap::sequence::Span;
use crate::sandbox::store::mailbox::Mailbox;
use crate::sandbox::store::names::MailboxId;
use crate::sandbox::wire::Incoming;

pub(crate) struct Selected {
    pub(crate) id: MailboxId,
    pub(crate) session: u64,
    pub(crate) read_only: bool,
    /// UIDs in order of message number.
    pub(crate) uids: Vec<u32>,
    recent: HashSet<u32>,
    uid_next: u32,
    log_position: u64,
    keywords_known: usize,
    pending: Vec<u32>,
}

impl Selected {
    /// Opens a mailbox; `\Recent` is taken by the first session that opens it for writing.
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
            uid_next: 0,
            log_position: mailbox.log_end(),
            keywords_known: mailbox.keywords.len(),
            pending: Vec::new(),
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

    pub(crate) fn is_recent(&self, uid: u32) -> bool {
        self.recent.contains(&uid)
    }

    /// The letters of a set, as message number and UID, ascending. Unknown numbers are an error, unknown UIDs are not.
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

    /// The UID that `*` stands for.
    pub(crate) fn last_uid(&self) -> u32 {
        self.uids.last().copied().unwrap_or(0)
    }

    /// Announces what has happened since the last time.
    pub(crate) fn sync(&mut self, mailbox: &mut Mailbox, expunge: bool, out: &mut Vec<u8>) {
        self.announce_keywords(mailbox, out);
        let changed = self.read_log(mailbox);
        if expunge && !self.pending.is_empty() {
            self.announce_expunges(out);
        }
        self.announce_new(mailbox, out);
        for uid in changed {
            self.announce_flags(mailbox, uid, out);
        }
    }

    /// `* 3 FETCH (FLAGS (\Seen))`
    fn announce_flags(&self, mailbox: &Mailbox, uid: u32, out: &mut Vec<u8>) {
        if let (Ok(place), Some(message)) =
            (self.uids.binary_search(&uid), mailbox.messages.get(&uid))
        {
            let flags = message.flags.list(self.is_recent(uid));
            let _ = write!(out, "* {} FETCH (FLAGS {flags})\r\n", place + 1);
        }
    }

    fn announce_keywords(&mut self, mailbox: &Mailbox, out: &mut Vec<u8>) {
        if mailbox.keywords.len() > self.keywords_known {
            self.keywords_known = mailbox.keywords.len();
            out.extend_from_slice(flags_responses(mailbox, self.read_only).as_bytes());
        }
    }

    /// Reads the log to its end: expunges go to `pending`, the UIDs whose flags others changed are returned.
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

    /// Lowest first, each with the number it has after those before it are gone: 3, 4, 5 are announced as 3, 3, 3.
    fn announce_expunges(&mut self, out: &mut Vec<u8>) {
        let mut gone = std::mem::take(&mut self.pending);
        gone.sort_unstable();
        gone.dedup();
        let mut removed = 0;
        for uid in &gone {
            if let Ok(place) = self.uids.binary_search(uid) {
                let _ = write!(out, "* {} EXPUNGE\r\n", place + 1 - removed);
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
            let _ =
                write!(out, "* {} EXISTS\r\n* {} RECENT\r\n", self.uids.len(), self.recent.len());
        }
    }

    fn take_new(&mut self, mailbox: &mut Mailbox) {
        for uid in mailbox.messages.range(self.uid_next..).map(|(uid, _)| *uid) {
            self.uids.push(uid);
            if uid >= mailbox.first_recent {
                self.recent.insert(uid);
            }
        }
        self.uid_next = mailbox.uid_next;
        if !self.read_only {
            mailbox.first_recent = mailbox.uid_next;
        }
    }

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
    use crate::sandbox::store::flags::Flags;
    use crate::sandbox::store::letter::Content;
    use crate::sandbox::store::mailbox::{LOG_LIMIT, Mailbox, Message};

    #[test]
    fn a_session_that_fell_behind_the_log_compares_everything() {
        let mut mailbox = Mailbox::new(1);
        for _ in 0..3 {
            let content = Arc::new(Content::new(b"Subject: x\n\n"));
            mailbox.append(Message {
                content,
                flags: Flags::default(),
                internal_date: jiff::Zoned::now(),
            });
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
        view.sync(&mut mailbox, true, &mut out);
        let told = String::from_utf8(out).unwrap();
        assert_eq!(
            told,
            "* 2 EXPUNGE\r\n* 1 FETCH (FLAGS (\\Recent))\r\n* 2 FETCH (FLAGS (\\Seen \\Recent))\r\n"
        );
        view.sync(&mut mailbox, true, &mut Vec::new());
        assert_eq!(view.uids, [1, 3]);
    }
}
