//! NOTIFY (RFC 5465): news of many mailboxes over one connection.
//!
//! [`ImapClient::notify`] says which mailboxes to watch. The server answers with a STATUS response
//! for each. From then on it sends another one whenever letters arrive there or leave, between
//! commands and in the middle of them. Each STATUS response is compared with what is known of its
//! mailbox, whether or not it answers a command. So a repeated one is not news, and an answer that
//! has news is. [`ImapClient::take_mailbox_news`] returns the latest state of each mailbox that has
//! news. The selected mailbox is not among them: of that the server sends EXISTS and EXPUNGE.
//!
//! After an overflow (5.8) the server sends no more news, and [`ImapClient::notify_overflowed`] says
//! so. It is then as after NOTIFY NONE: of the selected mailbox, too, the server says nothing any
//! more, not even in answer to NOOP and IDLE. [`ImapClient::notify_none`] sets this right, since it
//! sends a NOTIFY SET of the selected mailbox.
//!
//! What Dovecot 2.3.19 does:
//!
//! - It sends STATUS also without IDLE. Each comes half a second after the change, as EXISTS does in
//!   IDLE, or with the answer to the next command. Letters that arrive one after another are told
//!   every half second.
//! - What happens in the selected mailbox within a second after a command is told with the next
//!   change or command only, unless the client idles. Of the others nothing is late.
//! - It refuses more than 100 names, with NOTIFICATIONOVERFLOW.
//! - It compares names in modified UTF-7 with names in UTF-8, so it ignores those that differ.
//! - The INBOX of a new account does not exist before the first letter or SELECT.
//! - If it has lost changes, it says so by an untagged NO without a code.
//!
//! For names that a server refuses or ignores, or that are too long for one line, all mailboxes of
//! the user are watched instead, and news of the others are dropped.

use super::answers::read_status;
use super::error::Error;
use super::imap::{ImapClient, LONGEST_SET};
use super::listing::key;
use super::pending::Reader;
use super::told::StatusValue;
use crate::proto::Limits;
use crate::proto::imap::command::Watched;
use crate::proto::imap::listed::{decode_name, status_name};
use crate::proto::imap::{Command, Completion, Data, Status, StatusKind};
use std::collections::{BTreeSet, HashMap};

/// The response code of a server that does not want to send so many news.
const OVERFLOW: &str = "NOTIFICATIONOVERFLOW";

/// The start of Dovecot's untagged NO after it has lost changes.
const LOST: &[u8] = b"NOTIFY error";

/// The latest state of a watched mailbox, as far as the server has said it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MailboxNews {
    /// The name, as it was given to [`ImapClient::notify`].
    pub name: String,
    /// How many letters it has.
    pub messages: Option<u32>,
    /// The UID that the next letter will get.
    pub uid_next: Option<u32>,
    /// Its UIDVALIDITY. If it has changed, this is another mailbox.
    pub uid_validity: Option<u32>,
}

impl ImapClient {
    /// NOTIFY SET STATUS (RFC 5465 3.1): watches these mailboxes, instead of those before, and
    /// returns the state of each. Not among them are the selected mailbox, and mailboxes that do not
    /// exist or that the server does not watch. If a mailbox is created later, there will be news of
    /// it.
    ///
    /// # Errors
    /// [`Error::Unsupported`] without NOTIFY; [`Error::Refused`] if the server does not watch so
    /// many mailboxes, then those before are still watched; [`Error::CannotForesee`] if the server
    /// stands for another one.
    pub fn notify(&mut self, mailboxes: &[&str]) -> Result<Vec<MailboxNews>, Error> {
        let by_name = Command::notify_set(Watched::Mailboxes(mailboxes))?;
        self.check_notify()?;
        let length: usize = mailboxes.iter().map(|name| name.len() + 1).sum();
        let watched = match length {
            0..=LONGEST_SET => Some(self.watch(by_name, mailboxes)),
            _ => None,
        };
        match watched {
            Some(Err(error)) if !is_overflow(&error) => return Err(error),
            Some(Ok(())) if !self.ignores_encoded_names() => {}
            Some(Ok(())) => match self.watch_all_for(mailboxes) {
                Err(Error::Refused { .. }) => {} // those that it knows are watched
                watched => watched?,
            },
            None | Some(Err(_)) => self.watch_all_for(mailboxes)?,
        }
        Ok(self.take_mailbox_news()) // all that is known so far
    }

    /// Watches no mailbox any more, but the selected one as without NOTIFY. News that were not taken
    /// are dropped. NOTIFY NONE (RFC 5465 3.1) would silence the selected mailbox.
    ///
    /// # Errors
    /// As [`ImapClient::notify`].
    pub fn notify_none(&mut self) -> Result<(), Error> {
        self.check_notify()?;
        self.watch(Command::notify_set(Watched::Mailboxes(&[]))?, &[])?;
        self.notifying = Notifying::default();
        Ok(())
    }

    /// Returns the state of each watched mailbox that has changed since the last call, in the order
    /// in which [`ImapClient::notify`] named them.
    pub fn take_mailbox_news(&mut self) -> Vec<MailboxNews> {
        self.notifying.watched.take_changed()
    }

    /// Whether [`ImapClient::take_mailbox_news`] would return something.
    pub fn has_mailbox_news(&self) -> bool {
        !self.notifying.watched.changed.is_empty()
    }

    /// Whether the server sends news.
    pub fn is_notified(&self) -> bool {
        self.notifying.phase == Phase::On
    }

    /// Whether the server has given up sending news, so that some may be missing.
    /// [`ImapClient::notify`] and [`ImapClient::notify_none`] begin anew.
    pub fn notify_overflowed(&self) -> bool {
        self.notifying.phase == Phase::Overflowed
    }

    fn check_notify(&self) -> Result<(), Error> {
        self.check_waiting()?;
        if self.capabilities().has("NOTIFY") { Ok(()) } else { Err(self.lacks(&["NOTIFY"], "")) }
    }

    fn watch_all_for(&mut self, mailboxes: &[&str]) -> Result<(), Error> {
        self.watch(Command::notify_set(Watched::Personal)?, mailboxes)
    }

    fn watch(&mut self, command: Command, mailboxes: &[&str]) -> Result<(), Error> {
        // Answers to a STATUS in flight could be taken for the state of now, and the other way round.
        self.settle()?;
        let reader = Watchlist::of(mailboxes, self.utf8_names()?, self.limits().clone());
        let watched = self.carry_out([command], reader)?;
        self.notifying = Notifying { phase: Phase::On, watched };
        Ok(())
    }

    /// Whether the server has said nothing of a mailbox whose name is not sent as it is.
    fn ignores_encoded_names(&self) -> bool {
        let selected = self.selected().map(|selected| key(&selected.name));
        self.notifying.watched.unknown().any(|name| {
            let is_encoded = !name.is_ascii() || name.contains('&');
            is_encoded && selected.as_deref() != Some(name)
        })
    }
}

fn is_overflow(error: &Error) -> bool {
    matches!(error, Error::Refused { completion: Completion { code: Some((code, _)), .. }, .. }
        if code == OVERFLOW)
}

/// The news of a connection.
#[derive(Debug, Default)]
pub(super) struct Notifying {
    phase: Phase,
    watched: Watchlist,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Phase {
    #[default]
    Off,
    On,
    Overflowed,
}

impl Notifying {
    /// Takes untagged data: STATUS of a watched mailbox.
    pub(super) fn take_data(&mut self, data: &Data<'_>, depth: usize) {
        if self.phase != Phase::On || self.watched.note(data).is_ok() {
            return;
        }
        let repaired = data.repaired(depth);
        if let Some(Ok(Some(data))) = repaired.as_ref().map(|response| response.data(depth)) {
            let _ = self.watched.note(&data); // of one that cannot be read the next one will tell
        }
    }

    /// Takes an untagged status, which may say that no more news will come.
    pub(super) fn take_status(&mut self, status: &Status<'_>) {
        let is_overflow = status.code.is_some_and(|code| code.is(OVERFLOW));
        let has_lost = status.kind == StatusKind::No && status.text.starts_with(LOST);
        if self.phase == Phase::On && (is_overflow || has_lost) {
            self.phase = Phase::Overflowed;
        }
    }
}

/// The watched mailboxes, and what is known of each. Reads the answer to NOTIFY.
#[derive(Debug, Default)]
struct Watchlist {
    utf8_names: bool,
    limits: Limits,
    mailboxes: Vec<MailboxNews>,
    /// Where each stands in `mailboxes`, by the name for comparing.
    places: HashMap<String, usize>,
    /// Those that have changed.
    changed: BTreeSet<usize>,
}

impl Watchlist {
    fn of(names: &[&str], utf8_names: bool, limits: Limits) -> Self {
        let mut list = Watchlist { utf8_names, limits, ..Watchlist::default() };
        for name in names {
            let place = list.mailboxes.len();
            if *list.places.entry(key(name)).or_insert(place) == place {
                let name = (*name).to_owned();
                let (messages, uid_next, uid_validity) = (None, None, None);
                list.mailboxes.push(MailboxNews { name, messages, uid_next, uid_validity });
            }
        }
        list
    }

    /// Takes a STATUS response.
    fn note(&mut self, data: &Data<'_>) -> Result<(), Error> {
        if !data.is("STATUS") || self.mailboxes.is_empty() {
            return Ok(());
        }
        let (name, mut list) = status_name(&data.tokens)?;
        let Some(&place) = self.places.get(&key(&decode_name(&name, self.utf8_names))) else {
            return Ok(());
        };
        let items = read_status(&mut list, &self.limits)?;
        let number = |wanted: &str| {
            let (_, value) = items.iter().find(|(name, _)| name == wanted)?;
            let StatusValue::Number(number) = value else { return None };
            u32::try_from(*number).ok()
        };
        let known = &mut self.mailboxes[place];
        let before = known.clone();
        let uid_validity = number("UIDVALIDITY").or(known.uid_validity);
        if uid_validity != known.uid_validity {
            (known.messages, known.uid_next, known.uid_validity) = (None, None, uid_validity);
        }
        known.messages = number("MESSAGES").or(known.messages);
        known.uid_next = number("UIDNEXT").or(known.uid_next);
        if *known != before {
            self.changed.insert(place);
        }
        Ok(())
    }

    fn take_changed(&mut self) -> Vec<MailboxNews> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().map(|place| self.mailboxes[place].clone()).collect()
    }

    /// The names of those of which the server has said nothing.
    fn unknown(&self) -> impl Iterator<Item = &str> {
        let is_unknown = |news: &&MailboxNews| {
            (news.messages, news.uid_next, news.uid_validity) == (None, None, None)
        };
        self.mailboxes.iter().filter(is_unknown).map(|news| news.name.as_str())
    }
}

impl Reader for Watchlist {
    type Output = Watchlist;

    fn data(&mut self, data: Data<'_>) -> Result<(), Error> {
        self.note(&data)
    }

    fn finish(self) -> Result<Watchlist, Error> {
        Ok(self)
    }
}
