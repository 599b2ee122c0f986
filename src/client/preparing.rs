//! What a witness wants to know before a change: the letters that it affects, their flags, and what
//! tells them again elsewhere.
//!
//! The client asks the server just before it submits the command. Nothing is asked if the
//! witness wants nothing. Another client may change the mailbox between the question and the change;
//! what a witness counts is what the server said last.

use super::error::Error;
use super::fetched::Fetched;
use super::imap::ImapClient;
use super::told::StatusValue;
use crate::proto::deed::{Act, Deed, Letters, Purpose};
use crate::proto::imap::{Command, FetchItems, Flag, MessageId, Messages, SearchKey};
use crate::proto::witness::{Facts, LetterFacts, Wanted};
use std::borrow::Cow;
use std::num::NonZeroU32;

impl ImapClient {
    /// Asks the server for what the witness wants to know about the command's letters.
    pub(super) fn facts(&mut self, command: &Command) -> Result<Option<Facts>, Error> {
        let Some((deed, wanted)) = self.connection().wanted(command) else { return Ok(None) };
        if wanted.is_nothing() {
            return Ok(None);
        }
        let messages = match &deed.letters {
            Letters::Messages(messages) => messages.clone(),
            Letters::Marked => Messages::uids(self.uid_search(&SearchKey::Deleted)?),
            Letters::None | Letters::Numbers(_) => return self.letters_in(&deed),
        };
        let letters = self.fetch_all(&messages, &items(&deed.act, wanted)?)?;
        let letters: Vec<LetterFacts> = letters
            .into_iter()
            .filter(|letter| is_affected(&deed.act, letter))
            .map(|letter| facts_of(letter, wanted))
            .collect();
        Ok(Some(Facts { count: letters.len() as u64, letters }))
    }

    /// Asks the witness about all commands of an operation before the first is sent, so that none is
    /// if a later one would be refused.
    pub(super) fn foresee(&mut self, commands: &[Command]) -> Result<(), Error> {
        if !self.connection().foresees() {
            return Ok(());
        }
        let mut deeds = Vec::new();
        for command in commands {
            let facts = self.facts(command)?;
            let deed = self.connection().wanted(command).map(|(deed, _)| Deed { facts, ..deed });
            deeds.extend(deed);
        }
        Ok(self.connection().foresee(&deeds)?)
    }

    /// Does the same for a command that is going to be sent as often as there are such messages on
    /// another connection.
    pub(super) fn foresee_each(
        &mut self,
        command: &Command,
        from: &mut ImapClient,
        messages: &Messages,
    ) -> Result<(), Error> {
        if !self.connection().foresees() {
            return Ok(());
        }
        let Some((deed, _)) = self.connection().wanted(command) else { return Ok(()) };
        let count = from.uids_of(messages)?.members(0).count();
        let facts = Some(Facts { count, letters: Vec::new() });
        Ok(self.connection().foresee(&[Deed { facts, ..deed }])?)
    }

    /// Runs `run`, whose commands are steps of a larger change.
    pub(super) fn for_purpose<T>(
        &mut self,
        purpose: Purpose,
        run: impl FnOnce(&mut ImapClient) -> T,
    ) -> T {
        let before = self.connection().set_purpose(Some(purpose));
        let result = run(self);
        self.connection().set_purpose(before);
        result
    }

    /// The items to fetch: those that leave `\Seen` alone if the witness refuses to set it.
    pub(super) fn spared<'i>(
        &mut self,
        items: &'i FetchItems,
    ) -> Result<Cow<'i, FetchItems>, Error> {
        let marks = items.marks_seen() && {
            let any = Messages::from(MessageId::Number(NonZeroU32::MIN));
            let fetch = Command::fetch(&any, items)?;
            self.connection().spares(&fetch)
        };
        Ok(if marks { Cow::Owned(items.peeking()) } else { Cow::Borrowed(items) })
    }

    /// Whether to open a mailbox read-only: as asked for, or because the witness refuses to clear
    /// `\Recent`.
    pub(super) fn opens_read_only(&mut self, name: &str, asked: bool) -> Result<bool, Error> {
        let select = Command::select(name, false)?;
        Ok(asked || self.connection().spares(&select))
    }

    /// How many letters a mailbox has that is going to be deleted or renamed. `None` if the server
    /// does not say.
    fn letters_in(&mut self, deed: &Deed) -> Result<Option<Facts>, Error> {
        let (Act::DeleteMailbox | Act::RenameMailbox { .. }, Some(mailbox)) =
            (&deed.act, &deed.mailbox)
        else {
            return Ok(None);
        };
        let told = match self.status(mailbox, &["MESSAGES".to_owned()]) {
            Err(Error::Refused { .. }) => return Ok(None),
            told => told?,
        };
        Ok(told.into_iter().find_map(|(_, value)| match value {
            StatusValue::Number(count) => Some(Facts { count, letters: Vec::new() }),
            _ => None,
        }))
    }
}

fn items(act: &Act, wanted: Wanted) -> Result<FetchItems, Error> {
    let mut items = "(UID".to_owned();
    if wanted.flags || matches!(act, Act::Expunge | Act::MarkSeen) {
        items += " FLAGS";
    }
    if wanted.identity {
        items += " RFC822.SIZE INTERNALDATE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]";
    }
    Ok(FetchItems::parse(&(items + ")"))?)
}

/// Whether an act changes a letter that it names: an expunge removes only marked letters.
fn is_affected(act: &Act, letter: &Fetched) -> bool {
    let has = |flag: &Flag| {
        let flags = letter.flags.iter().flatten();
        flags.into_iter().any(|found| found.eq_ignore_ascii_case(&flag.to_string()))
    };
    match act {
        Act::Expunge => has(&Flag::DELETED),
        Act::MarkSeen => !has(&Flag::SEEN),
        _ => true,
    }
}

fn facts_of(letter: Fetched, wanted: Wanted) -> LetterFacts {
    let message_id = letter.texts.first().map(|(_, header)| String::from_utf8_lossy(header));
    let message_id = message_id.as_deref().and_then(|header| header.split_once(':'));
    LetterFacts {
        uid: letter.uid.unwrap_or(0),
        flags: letter.flags.filter(|_| wanted.flags),
        size: letter.size,
        internal_date: letter.internal_date.map(|date| date.unix_seconds()),
        message_id: message_id.map(|(_, id)| id.trim().to_owned()).filter(|id| !id.is_empty()),
    }
}
