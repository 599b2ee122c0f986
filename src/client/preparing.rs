//! What a witness wants to know before a change: the letters that it affects, their flags, what
//! tells them again elsewhere, and what the change replaces.
//!
//! The client asks the server just before it submits the command. Nothing is asked if the
//! witness wants nothing. Another client may change the mailbox between the question and the change;
//! what a witness counts is what the server said last.

use super::error::Error;
use super::fetched::Fetched;
use super::imap::ImapClient;
use super::reconnecting::same_name;
use super::told::StatusValue;
use super::unseen::only_marks_seen;
use crate::proto::deed::{Act, Deed, Letters, Purpose};
use crate::proto::imap::{Command, FetchItems, Flag, MessageId, Messages, SearchKey};
use crate::proto::witness::{Facts, LetterFacts, Previous, Wanted};
use std::borrow::Cow;
use std::num::NonZeroU32;

impl ImapClient {
    /// Asks the server for what the witness wants to know before the command.
    pub(super) fn facts(&mut self, command: &Command) -> Result<Option<Facts>, Error> {
        let Some((deed, wanted)) = self.connection().wanted(command) else { return Ok(None) };
        if wanted.is_nothing() {
            return Ok(None);
        }
        let mut facts = if wanted.of_letters() { self.letters_of(&deed, wanted)? } else { None };
        if wanted.previous {
            facts.get_or_insert_default().previous = self.previous(&deed)?;
        }
        Ok(facts)
    }

    fn letters_of(&mut self, deed: &Deed, wanted: Wanted) -> Result<Option<Facts>, Error> {
        if let Letters::Messages(messages) = &deed.letters
            && only_marks_seen(&deed.act)
            && !wanted.identity
            && let Some(facts) = self.unseen_of(messages)?
        {
            return Ok(Some(facts));
        }
        let messages = match &deed.letters {
            Letters::Messages(messages) => messages.clone(),
            Letters::Marked => Messages::uids(self.uid_search(&SearchKey::Deleted)?),
            Letters::None | Letters::Numbers(_) => return self.letters_in(deed),
        };
        let letters = self.fetch_all(&messages, &items(&deed.act, wanted)?)?;
        let letters: Vec<LetterFacts> = letters
            .into_iter()
            .filter(|letter| is_affected(&deed.act, letter))
            .map(|letter| facts_of(letter, wanted))
            .collect();
        Ok(Some(Facts { count: Some(letters.len() as u64), letters, previous: Previous::Unknown }))
    }

    /// Asks the server what tells these letters again elsewhere. Sets no `\Seen`.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn identities(&mut self, messages: &Messages) -> Result<Vec<LetterFacts>, Error> {
        let mut wanted = Wanted::NOTHING;
        wanted.identity = true;
        let letters = self.fetch_all(messages, &items(&Act::TakeRecent, wanted)?)?;
        Ok(letters.into_iter().map(|letter| facts_of(letter, wanted)).collect())
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
        let facts = Some(Facts { count: Some(count), ..Facts::default() });
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
        let [count] = self.numbers_of(mailbox, ["MESSAGES"])?;
        Ok(count.map(|count| Facts { count: Some(count), ..Facts::default() }))
    }

    /// Numbers that STATUS says; `None` for those that the server does not say.
    fn numbers_of<const N: usize>(
        &mut self,
        mailbox: &str,
        items: [&str; N],
    ) -> Result<[Option<u64>; N], Error> {
        let told = match self.status(mailbox, &items.map(str::to_owned)) {
            Err(Error::Refused { .. }) => Vec::new(),
            told => told?,
        };
        Ok(items.map(|item| {
            told.iter().find_map(|(name, value)| match value {
                StatusValue::Number(number) if name == item => Some(*number),
                _ => None,
            })
        }))
    }

    /// What there is now of what a change replaces.
    ///
    /// # Errors
    /// Those of the commands that ask.
    pub(crate) fn previous(&mut self, deed: &Deed) -> Result<Previous, Error> {
        let mailbox = deed.mailbox.as_deref().unwrap_or_default();
        let found = match &deed.act {
            Act::CreateMailbox => return self.missing(mailbox).map(Previous::Missing),
            Act::Append { .. } => return self.next_of(mailbox),
            Act::Copy { to } | Act::Move { to } => return self.next_of(to),
            Act::Subscribe | Act::Unsubscribe => {
                // LSUB takes `*` and `%` as patterns, so the answer is compared.
                let listed = self.list_subscribed("", mailbox)?;
                Ok(listed.iter().any(|one| same_name(&one.name, mailbox)).then(String::new))
            }
            Act::SetRights { identifier, .. } => self.rights(mailbox).map(|rights| {
                rights.into_iter().find(|(who, _)| who == identifier).map(|(_, rights)| rights)
            }),
            Act::SetMetadata { entry, .. } => {
                let entries = self.metadata(mailbox, std::slice::from_ref(entry), false);
                let is_entry = |(name, _): &(String, String)| name.eq_ignore_ascii_case(entry);
                entries.map(|found| found.into_iter().find(is_entry).map(|(_, value)| value))
            }
            _ => return Ok(Previous::Unknown),
        };
        match found {
            Ok(Some(value)) => Ok(Previous::Value(value)),
            Ok(None) => Ok(Previous::Absent),
            Err(Error::Refused { .. } | Error::Unsupported(_) | Error::CannotForesee(_)) => {
                Ok(Previous::Unknown)
            }
            Err(error) => Err(error),
        }
    }

    fn next_of(&mut self, mailbox: &str) -> Result<Previous, Error> {
        let number = |number: Option<u64>| number.and_then(|number| u32::try_from(number).ok());
        let [uid_validity, uid_next] = self.numbers_of(mailbox, ["UIDVALIDITY", "UIDNEXT"])?;
        Ok(match (number(uid_validity), number(uid_next)) {
            (Some(uid_validity), Some(uid_next)) => Previous::Next { uid_validity, uid_next },
            (None, None) if !self.exists(mailbox)? => Previous::Absent,
            _ => Previous::Unknown,
        })
    }

    /// Those of a mailbox and the ones above it that do not exist.
    fn missing(&mut self, mailbox: &str) -> Result<Vec<String>, Error> {
        let separator = self.separator()?.filter(|separator| !separator.is_empty());
        let above = separator.into_iter().flat_map(|separator| mailbox.match_indices(separator));
        let ends: Vec<usize> = above.map(|(end, _)| end).chain([mailbox.len()]).collect();
        let mut missing = Vec::new();
        for name in ends.into_iter().map(|end| &mailbox[..end]).filter(|name| !name.is_empty()) {
            // Below a mailbox that does not exist none does.
            if !missing.is_empty() || !self.exists(name)? {
                missing.push(name.to_owned());
            }
        }
        missing.dedup();
        Ok(missing)
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
