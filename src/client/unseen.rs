//! Which messages are unseen, for a witness that wants to know it before they are marked as seen: by
//! a FETCH, or by a STORE after they were read ahead.
//!
//! The server is asked once for a selection, not before each command, so that reading ahead and
//! pipelines stay in flight. It is asked again after messages arrived or left, and after another
//! STORE of this connection. What another client marks meanwhile is not noticed.

use super::error::Error;
use super::imap::ImapClient;
use crate::proto::deed::Act;
use crate::proto::imap::command::StoreMode;
use crate::proto::imap::{Flag, Messages, SearchKey};
use crate::proto::witness::{Facts, LetterFacts};
use std::collections::HashSet;

/// The unseen messages of the selected mailbox.
#[derive(Default)]
pub(super) struct Unseen {
    /// When the server was asked: the epoch, and how many messages there were.
    asked: Option<((u64, u64), u32)>,
    /// Numbers and UIDs, both ascending.
    messages: Vec<(u32, u32)>,
    /// The UIDs of those that were marked since.
    marked: HashSet<u32>,
}

/// Whether an act only sets `\Seen`.
pub(super) fn only_marks_seen(act: &Act) -> bool {
    match act {
        Act::MarkSeen => true,
        Act::StoreFlags { mode: StoreMode::Add, flags, unchanged_since: None } => {
            *flags == [Flag::SEEN]
        }
        _ => false,
    }
}

impl Unseen {
    pub(super) fn forget(&mut self) {
        *self = Unseen::default();
    }

    /// Notes that these are going to be seen.
    pub(super) fn mark(&mut self, uids: impl IntoIterator<Item = u32>) {
        self.marked.extend(uids);
    }
}

impl ImapClient {
    /// Those of the messages that are unseen; `None` if it cannot be told without asking for each.
    pub(super) fn unseen_of(&mut self, messages: &Messages) -> Result<Option<Facts>, Error> {
        if self.unseen.asked != Some(self.moment()) {
            self.unseen.forget();
            let numbers = self.begin_search(&SearchKey::Unseen, false)?;
            let uids = self.begin_search(&SearchKey::Unseen, true)?;
            let numbers = self.wait(numbers)?;
            let moment = self.moment();
            let uids = self.wait(uids)?;
            if numbers.len() != uids.len() || moment != self.moment() {
                return Ok(None); // the mailbox changed between the two
            }
            self.unseen.messages = numbers.into_iter().zip(uids).collect();
            self.unseen.asked = Some(moment);
        }
        let Unseen { messages: unseen, marked, .. } = &self.unseen;
        let place = |&(number, uid): &(u32, u32)| if messages.are_uids() { uid } else { number };
        let asked = self.asked_for(messages);
        let among = asked.ranges().iter().flat_map(|(first, last)| {
            let begin = unseen.partition_point(|one| place(one) < *first);
            let end = unseen.partition_point(|one| place(one) <= *last);
            &unseen[begin..end]
        });
        let letter = |uid| LetterFacts { uid, flags: Some(Vec::new()), ..LetterFacts::default() };
        let letters = among.map(|(_, uid)| *uid).filter(|uid| !marked.contains(uid)).map(letter);
        let letters: Vec<LetterFacts> = letters.collect();
        Ok(Some(Facts { count: Some(letters.len() as u64), letters, ..Facts::default() }))
    }

    fn moment(&self) -> ((u64, u64), u32) {
        (self.epoch(), self.selected().map_or(0, |selected| selected.exists))
    }
}
