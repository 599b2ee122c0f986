//! Moves letters into quarantine in the place of removing them.
//!
//! If the connector names a quarantine, each operation that removes letters moves them into that
//! mailbox of the same account, by UID, after the mark `\Deleted` was taken away: otherwise the next
//! EXPUNGE there would remove them. CLOSE becomes that move and UNSELECT. DELETE of a mailbox with
//! letters becomes RENAME to a name below the quarantine. Without MOVE and UIDPLUS the originals are
//! removed by EXPUNGE, which also removes what another client marks at that moment; it is not sent if
//! others are marked before.

use super::error::Error;
use super::imap::{ImapClient, LONGEST_SET};
use super::told::StatusValue;
use crate::proto::deed::{Act, Change, Deed, Purpose};
use crate::proto::imap::command::StoreMode;
use crate::proto::imap::{Command, Flag, Messages, SearchKey, SequenceSet};
use crate::proto::witness::Refusal;

/// The most names that are tried for a mailbox in the quarantine.
const MOST_NAMES: usize = 100;

impl ImapClient {
    /// Moves the messages that are marked `\Deleted`, of these if some are given. Returns the
    /// numbers that the server reported.
    pub(super) fn put_marked_away(
        &mut self,
        among: Option<&SequenceSet>,
        quarantine: &str,
    ) -> Result<Vec<u32>, Error> {
        let among = among.map(|uids| SearchKey::Uid(uids.clone()));
        let marked = SearchKey::And(std::iter::once(SearchKey::Deleted).chain(among).collect());
        let marked = self.uid_search(&marked)?.into_iter().collect();
        Ok(self.put_away(&marked, quarantine)?.unwrap_or_default())
    }

    /// Moves these messages into quarantine, and makes the mailbox if it is missing. Returns the
    /// numbers that the server reported; `None` if the originals stay marked, because others are
    /// marked too and the server can only remove all.
    pub(super) fn put_away(
        &mut self,
        uids: &SequenceSet,
        quarantine: &str,
    ) -> Result<Option<Vec<u32>>, Error> {
        if uids.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let selected = self.selected().map(|selected| selected.name.clone()).unwrap_or_default();
        if is_within(&selected, quarantine, None) {
            return Err(self.refused(&selected, Act::Expunge, "they are in it already"));
        }
        let messages = Messages::Uids(uids.clone());
        let has_move = self.capabilities().offers("MOVE");
        let command = if has_move { Command::move_to } else { Command::copy };
        let parts = messages.split(LONGEST_SET);
        let moves = parts.iter().map(|part| command(part, quarantine));
        let moves = moves.collect::<Result<Vec<_>, _>>()?;
        self.for_purpose(Purpose::Quarantine, |client| {
            client.foresee(&moves)?;
            client.make_quarantine(quarantine)?;
            client.store_silently(&messages, StoreMode::Remove, &[Flag::DELETED])?;
            let moved = client.put_there(&messages, moves, quarantine);
            if moved.is_err() && !client.is_closed() {
                // They are still to be removed.
                client.store_silently(&messages, StoreMode::Add, &[Flag::DELETED])?;
            }
            moved
        })
    }

    fn put_there(
        &mut self,
        messages: &Messages,
        moves: Vec<Command>,
        quarantine: &str,
    ) -> Result<Option<Vec<u32>>, Error> {
        if self.capabilities().offers("MOVE") {
            let reader = self.expunged_among(messages)?;
            return self.carry_out(moves, reader).map(Some);
        }
        let uidplus = self.has_uidplus();
        self.copy(messages, quarantine)?;
        self.remove_these(messages.set(), uidplus, "copied into quarantine and ")
    }

    /// Renames a mailbox to a name below the quarantine, unless it is empty: then it is deleted.
    pub(super) fn put_mailbox_away(&mut self, name: &str, quarantine: &str) -> Result<(), Error> {
        let is_inbox = name.eq_ignore_ascii_case("INBOX"); // whose letters a RENAME would move
        if is_inbox || !self.has_letters(name)? {
            return self.delete_now(name);
        }
        let separator = self.separator()?.map(str::to_owned);
        if is_within(name, quarantine, separator.as_deref()) {
            return Err(self.refused(name, Act::DeleteMailbox, "it is in quarantine already"));
        }
        let Some(separator) = separator else {
            let why = "the names of this server have no levels";
            return Err(self.refused(name, Act::DeleteMailbox, why));
        };
        if !self.list("", &format!("{name}{separator}%"))?.is_empty() {
            let why = "the mailboxes below it would go with it";
            return Err(self.refused(name, Act::DeleteMailbox, why));
        }
        let mut below = format!("{quarantine}{separator}{name}");
        for number in 2.. {
            if self.list("", &below)?.is_empty() {
                break;
            }
            if number > MOST_NAMES {
                let why = "there are too many mailboxes of this name";
                return Err(self.refused(name, Act::DeleteMailbox, why));
            }
            below = format!("{quarantine}{separator}{name}-{number}");
        }
        self.for_purpose(Purpose::Quarantine, |client| client.rename(name, &below))
    }

    fn has_letters(&mut self, name: &str) -> Result<bool, Error> {
        let told = match self.status(name, &["MESSAGES".to_owned()]) {
            Err(Error::Refused { .. }) => return Ok(false), // the witness decides
            told => told?,
        };
        Ok(told.iter().any(|(_, value)| *value != StatusValue::Number(0)))
    }

    fn make_quarantine(&mut self, quarantine: &str) -> Result<(), Error> {
        match self.status(quarantine, &["MESSAGES".to_owned()]) {
            Err(Error::Refused { .. }) => self.create(quarantine),
            found => found.map(drop),
        }
    }

    fn refused(&mut self, mailbox: &str, act: Act, why: &str) -> Error {
        let deed = Deed::new(Change::of(mailbox, act)).on(self.host());
        Error::Limit(Refusal::new("quarantine", &deed).because(why))
    }
}

/// Whether a mailbox is the quarantine, or below it.
fn is_within(name: &str, quarantine: &str, separator: Option<&str>) -> bool {
    let rest = name.strip_prefix(quarantine);
    rest.is_some_and(|rest| {
        rest.is_empty() || separator.is_some_and(|separator| rest.starts_with(separator))
    })
}
