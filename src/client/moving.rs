//! Moves messages to another mailbox, with or without the MOVE extension (RFC 6851).
//!
//! Without MOVE it is COPY, then STORE `\Deleted`, then an expunge of exactly those messages. Each
//! step starts only after the one before has succeeded, so every message is always in at least one
//! of the two mailboxes. Without UIDPLUS, EXPUNGE would also remove other marked messages; in that
//! case the copies are kept, the originals stay marked, and a warning says so.

use super::error::Error;
use super::imap::{ImapClient, LONGEST_SET};
use super::messages::Copied;
use super::told::WarningKind;
use crate::proto::deed::Purpose;
use crate::proto::imap::command::StoreMode;
use crate::proto::imap::flag::Flag;
use crate::proto::imap::{Command, CopiedUids, Messages, SearchKey, SequenceSet};
use std::collections::BTreeSet;

/// What a move has done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Moved {
    /// The UIDs of the copies, if the server reports them.
    pub copied: Option<CopiedUids>,
    /// Whether the originals are gone. Without MOVE and UIDPLUS they stay, marked `\Deleted`, if
    /// others are marked too; a warning says so.
    pub removed: bool,
}

impl ImapClient {
    /// MOVE; if the server does not have it, copies, marks and removes exactly these messages.
    ///
    /// # Errors
    /// [`Error::Refused`]; every message is then in at least one of the two mailboxes.
    pub fn move_to(&mut self, messages: &Messages, destination: &str) -> Result<Moved, Error> {
        if self.is_nothing(messages) {
            return Ok(Moved { copied: None, removed: true });
        }
        let has_move = self.capabilities().offers("MOVE");
        // Numbers shift while messages leave, and a range may grow while it is copied. So an
        // operation of several commands uses the UIDs that exist now.
        let one_command = has_move && messages.split(LONGEST_SET).len() == 1;
        let messages =
            if one_command { messages.clone() } else { Messages::Uids(self.uids_of(messages)?) };
        if messages.is_empty() {
            return Ok(Moved { copied: None, removed: true });
        }
        if !has_move {
            return self.move_by_copy(messages.set(), destination);
        }
        let parts = messages.split(LONGEST_SET);
        let commands = parts
            .iter()
            .map(|part| Command::move_to(part, destination))
            .collect::<Result<Vec<_>, _>>()?;
        let copied = self.carry_out(commands, Copied::default())?;
        Ok(Moved { copied, removed: true })
    }

    fn move_by_copy(&mut self, uids: &SequenceSet, destination: &str) -> Result<Moved, Error> {
        let uidplus = self.has_uidplus(); // decided once: capabilities may change under way
        self.for_purpose(Purpose::Move { to: destination.to_owned() }, |client| {
            let copied = client.copy(&Messages::Uids(uids.clone()), destination)?;
            let removed = client.remove_these(uids, uidplus, "copied and ")?.is_some();
            Ok(Moved { copied, removed })
        })
    }

    /// Marks these messages `\Deleted` and removes them, and no others. Without UIDPLUS, if others
    /// are marked too, these stay marked, and a warning says so. Returns whether they are removed.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn remove(&mut self, uids: &SequenceSet) -> Result<bool, Error> {
        if let Some(quarantine) = self.quarantine.clone() {
            return Ok(self.put_away(uids, &quarantine)?.is_some());
        }
        let uidplus = self.has_uidplus();
        self.for_purpose(Purpose::Delete { others: 0 }, |client| {
            Ok(client.remove_these(uids, uidplus, "")?.is_some())
        })
    }

    /// Does the same with messages that were copied to another server, `to` there: a witness sees
    /// the end of a move.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn remove_moved(&mut self, uids: &SequenceSet, to: &str) -> Result<bool, Error> {
        let uidplus = self.has_uidplus();
        self.for_purpose(Purpose::Move { to: to.to_owned() }, |client| {
            Ok(client.remove_these(uids, uidplus, "copied and ")?.is_some())
        })
    }

    /// Asks the witness whether [`ImapClient::remove_moved`] will be refused.
    ///
    /// # Errors
    /// [`Error::Limit`] if it will.
    pub fn foresee_move(&mut self, messages: &Messages, to: &str) -> Result<(), Error> {
        let mark = Command::store(messages, StoreMode::Add, &[Flag::DELETED], true)?;
        self.for_purpose(Purpose::Move { to: to.to_owned() }, |client| client.foresee(&[mark]))
    }

    /// Marks these messages `\Deleted` and expunges, which removes all that are marked. Returns the
    /// numbers that the server reported.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn mark_and_expunge(&mut self, messages: &Messages) -> Result<Vec<u32>, Error> {
        let deleted = [Flag::DELETED];
        let mut others = 0;
        if let Some(quarantine) = self.quarantine.clone() {
            let marked = self.uid_search(&SearchKey::Deleted)?;
            let mut all: BTreeSet<u32> = marked.into_iter().collect();
            for (first, last) in self.uids_of(messages)?.members(0).ranges() {
                all.extend(*first..=*last);
            }
            let all = all.into_iter().collect();
            return Ok(self.put_away(&all, &quarantine)?.unwrap_or_default());
        }
        if self.connection().foresees() {
            let these = self.uids_of(messages)?.members(0);
            let marked = self.uid_search(&SearchKey::Deleted)?;
            others = marked.iter().filter(|uid| !these.contains(**uid)).count() as u64;
        }
        self.for_purpose(Purpose::Delete { others }, |client| {
            let mark = |part: &Messages| Command::store(part, StoreMode::Add, &deleted, true);
            let mut commands = client.for_each_part(messages, mark)?;
            commands.push(Command::expunge());
            client.foresee(&commands)?;
            client.store_silently(messages, StoreMode::Add, &deleted)?;
            client.expunge_now()
        })
    }

    /// Returns the numbers that the server reported; `None` if they are not removed.
    pub(super) fn remove_these(
        &mut self,
        uids: &SequenceSet,
        uidplus: bool,
        before: &str,
    ) -> Result<Option<Vec<u32>>, Error> {
        let messages = Messages::Uids(uids.clone());
        self.store_silently(&messages, StoreMode::Add, &[Flag::new("\\Deleted")?])?;
        if uidplus {
            self.uid_expunge_all(uids).map(Some)
        } else if self.others_are_marked(uids)? {
            let words = format!(
                "the letters were {before}marked \\Deleted, but not removed: others are marked too, and this server can only remove all of them"
            );
            self.warn(WarningKind::Noticed, words);
            Ok(None)
        } else {
            self.expunge_now().map(Some)
        }
    }

    /// Whether other messages are marked `\Deleted`.
    fn others_are_marked(&mut self, uids: &SequenceSet) -> Result<bool, Error> {
        let marked = self.uid_search(&SearchKey::Deleted)?;
        let members = uids.members(0);
        Ok(marked.iter().any(|uid| !members.contains(*uid)))
    }
}
