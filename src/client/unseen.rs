//! Which messages are unseen, for a witness that wants to know it before a FETCH marks them.
//!
//! The server is asked once for a selection, not before each FETCH, so that reading ahead and
//! pipelines stay in flight. It is asked again after messages arrived or left, and after a STORE of
//! this connection. What another client marks meanwhile is not noticed.

use super::error::Error;
use super::imap::ImapClient;
use crate::proto::imap::{Messages, SearchKey};
use crate::proto::witness::{Facts, LetterFacts};

/// The unseen messages of the selected mailbox.
#[derive(Default)]
pub(super) struct Unseen {
    /// When the server was asked: the epoch, and how many messages there were.
    asked: Option<((u64, u64), u32)>,
    /// Numbers and UIDs.
    messages: Vec<(u32, u32)>,
}

impl Unseen {
    pub(super) fn forget(&mut self) {
        *self = Unseen::default();
    }

    /// Notes that these are going to be seen.
    pub(super) fn mark(&mut self, facts: &Facts) {
        let marked: std::collections::HashSet<u32> =
            facts.letters.iter().map(|letter| letter.uid).collect();
        self.messages.retain(|(_, uid)| !marked.contains(uid));
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
        let asked = self.asked_for(messages);
        let is_asked = |(number, uid): &&(u32, u32)| {
            asked.contains(if messages.are_uids() { *uid } else { *number })
        };
        let letter = |(_, uid): &(u32, u32)| LetterFacts {
            uid: *uid,
            flags: Some(Vec::new()),
            ..LetterFacts::default()
        };
        let letters: Vec<LetterFacts> =
            self.unseen.messages.iter().filter(is_asked).map(letter).collect();
        Ok(Some(Facts { count: Some(letters.len() as u64), letters, ..Facts::default() }))
    }

    fn moment(&self) -> ((u64, u64), u32) {
        (self.epoch(), self.selected().map_or(0, |selected| selected.exists))
    }
}
