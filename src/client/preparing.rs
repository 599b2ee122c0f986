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
use crate::proto::deed::{Act, Deed, Letters};
use crate::proto::imap::{Command, FetchItems, Flag, Messages, SearchKey};
use crate::proto::witness::{Facts, LetterFacts, Wanted};

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

    /// How many letters a mailbox has that is going to be deleted. `None` if the server does not
    /// say.
    fn letters_in(&mut self, deed: &Deed) -> Result<Option<Facts>, Error> {
        let (Act::DeleteMailbox, Some(mailbox)) = (&deed.act, &deed.mailbox) else {
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
