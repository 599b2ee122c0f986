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
use crate::proto::imap::command::StoreMode;
use crate::proto::imap::flag::Flag;
use crate::proto::imap::{Command, CopiedUids, Messages, SearchKey, SequenceSet};

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
        let copied = self.copy(&Messages::Uids(uids.clone()), destination)?;
        let removed = self.remove_these(uids, uidplus, "copied and ")?;
        Ok(Moved { copied, removed })
    }

    /// Marks these messages `\Deleted` and removes them, and no others. Without UIDPLUS, if others
    /// are marked too, these stay marked, and a warning says so. Returns whether they are removed.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn remove(&mut self, uids: &SequenceSet) -> Result<bool, Error> {
        let uidplus = self.has_uidplus();
        self.remove_these(uids, uidplus, "")
    }

    fn remove_these(
        &mut self,
        uids: &SequenceSet,
        uidplus: bool,
        before: &str,
    ) -> Result<bool, Error> {
        let messages = Messages::Uids(uids.clone());
        self.store_silently(&messages, StoreMode::Add, &[Flag::new("\\Deleted")?])?;
        if uidplus {
            self.uid_expunge_all(uids)?;
        } else if self.others_are_marked(uids)? {
            let words = format!(
                "the letters were {before}marked \\Deleted, but not removed: others are marked too, and this server can only remove all of them"
            );
            self.warn(WarningKind::Noticed, words);
            return Ok(false);
        } else {
            self.expunge()?;
        }
        Ok(true)
    }

    /// Whether other messages are marked `\Deleted`.
    fn others_are_marked(&mut self, uids: &SequenceSet) -> Result<bool, Error> {
        let marked = self.uid_search(&SearchKey::Deleted)?;
        let members = uids.members(0);
        Ok(marked.iter().any(|uid| !members.contains(*uid)))
    }
}
