//! A new connection in place of a lost one.
//!
//! 1. [`ImapClient::connect_again`] logs in as before. Handles of the old connection mean nothing
//!    to the new one.
//! 2. [`ImapClient::repeat`] asks, for each deed of the lost operation, whether the operation may
//!    be made again. A deed that the server cannot have received may. A deed that has the same
//!    effect twice may. For the others the server is asked what it has; if that leaves a doubt, the
//!    operation may not be made again.
//! 3. [`ImapClient::reselect`] selects the same mailbox and finds out whether message numbers and
//!    UIDs still mean the same messages.
//! 4. [`ImapClient::repeat_in_background`] makes those deeds again that nobody waited for: the
//!    `\Seen` of letters that were read ahead.
//!
//! Whether numbers still mean the same messages follows from UIDNEXT: it grows with each message
//! that arrives (RFC 3501 2.3.1.1). If the messages below the UIDNEXT of before are as many as
//! existed then, none of them has left, and all have kept their numbers.

use super::error::Error;
use super::imap::ImapClient;
use super::options::{ConnectOptions, Credentials};
use crate::proto::deed::{Act, Deed, Letters, Purpose};
use crate::proto::imap::sequence::Bound;
use crate::proto::imap::{FetchItems, SearchKey, SelectedMailbox, SequenceSet, Session};
use crate::proto::witness::Ending;
use crate::transport::{Connector, SettledDeed};
use std::num::NonZeroU32;

/// The most letters whose copies are looked for. Above it a lost COPY stays in doubt.
const MOST_COPIES: usize = 100;

/// What [`ImapClient::reselect`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// No mailbox was selected before.
    NothingSelected,
    /// The same messages, perhaps followed by new ones: numbers and UIDs mean the same.
    SameNumbers,
    /// Messages have left, or may have: only UIDs mean the same.
    SameUids,
    /// Another UIDVALIDITY: neither means the same. No mailbox is selected now.
    OtherUidValidity,
}

/// A connection as it was when it was lost.
#[derive(Debug, Clone)]
pub struct Lost {
    /// The mailbox that was selected, if SELECT had completed.
    pub selected: Option<SelectedMailbox>,
    /// Whether the server reported during the last operation that messages had left, so that its
    /// numbers mean other messages now.
    pub shifted: bool,
    /// Whether the operation makes a mailbox only if there is none, so that it may do so again.
    pub makes_mailbox: bool,
    /// Whether the server had only not answered in time, so that it may still carry out what it has
    /// received. The caller knows.
    pub by_timeout: bool,
}

/// Whether an operation may be made again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repeat {
    /// It may: nothing of it is done twice.
    Safe,
    /// It may not. The text says what is known.
    InDoubt(String),
}

impl ImapClient {
    /// Says which operation the next commands belong to. Operations are told apart by number, on
    /// all connections together.
    pub fn begin_operation(&mut self, operation: u64) {
        if !self.is_closed() {
            self.epoch_of_operation = self.epoch();
        }
        self.connection().begin_operation(operation);
    }

    /// The operation that began last.
    pub fn operation(&self) -> Option<u64> {
        self.connection_ref().operation()
    }

    /// Deeds of the operation that began last: some of those that are done, and all that were open
    /// when the connection closed.
    pub fn deeds_of_operation(&self) -> impl Iterator<Item = &SettledDeed> {
        let connection = self.connection_ref();
        let operation = connection.operation();
        connection.settled().iter().filter(move |settled| settled.operation == operation)
    }

    /// How many deeds the operation that began last has done.
    pub fn deeds_done(&self) -> u64 {
        self.connection_ref().done()
    }

    /// Deeds that were open when the connection closed and that nobody waited for.
    pub fn background_deeds(&self) -> impl Iterator<Item = &SettledDeed> {
        let settled = self.connection_ref().settled().iter();
        settled.filter(|settled| settled.operation.is_none())
    }

    /// Runs `send` for commands whose end nobody waits for.
    pub(super) fn in_background<T>(&mut self, send: impl FnOnce(&mut ImapClient) -> T) -> T {
        self.connection().set_background(true);
        let result = send(self);
        self.connection().set_background(false);
        result
    }

    /// Opens a connection to the same server, and logs in. No mailbox is selected on it.
    ///
    /// # Errors
    /// Those of [`ImapClient::connect`].
    pub fn connect_again(
        &mut self,
        connector: &Connector,
        credentials: &Credentials,
        options: &ConnectOptions,
    ) -> Result<ImapClient, Error> {
        let host = self.host().to_owned();
        let session = Session::new(options.limits.clone()).following(self.connection().session());
        let mut client = ImapClient::log_in_with(session, connector, &host, credentials, options)?;
        client.connection().keep_names_of(self.connection_ref());
        Ok(client)
    }

    /// Describes this connection, which is lost.
    pub fn lost(&self, makes_mailbox: bool, by_timeout: bool) -> Lost {
        Lost {
            selected: self.selected().filter(|selected| selected.is_open()).cloned(),
            shifted: self.epoch() != self.epoch_of_operation,
            makes_mailbox,
            by_timeout,
        }
    }

    /// Selects the mailbox that was selected before, in the same mode.
    ///
    /// # Errors
    /// Those of SELECT. [`Error::Refused`] if the mailbox is not there any more.
    pub fn reselect(&mut self, lost: &Lost) -> Result<Found, Error> {
        let Some(before) = &lost.selected else { return Ok(Found::NothingSelected) };
        self.select(&before.name, before.read_only)?;
        let Some(now) = self.selected().cloned() else { return Ok(Found::SameUids) };
        match (before.uid_validity, now.uid_validity) {
            (Some(before), Some(now)) if before == now => {}
            (None, None) => return Ok(Found::SameUids),
            _ => {
                self.unselect()?;
                return Ok(Found::OtherUidValidity);
            }
        }
        let arrived = before.unheard + arrived_between(before, &now);
        self.connection().set_unheard(arrived);
        let Some(next) = before.lowest_next_uid() else { return Ok(Found::SameUids) };
        if now.uid_next.map(u64::from) == Some(next) && now.exists == before.exists {
            return Ok(Found::SameNumbers);
        }
        if now.exists < before.exists {
            return Ok(Found::SameUids);
        }
        let arrived = self.uids_from(next)?.len() as u64;
        let kept = u64::from(now.exists).checked_sub(arrived);
        let is_same = kept == Some(u64::from(before.exists));
        Ok(if is_same { Found::SameNumbers } else { Found::SameUids })
    }

    /// The UIDs of the selected mailbox from this one on.
    fn uids_from(&mut self, first: u64) -> Result<Vec<u32>, Error> {
        let Some(bound) = u32::try_from(first).ok().and_then(NonZeroU32::new) else {
            return Ok(Vec::new());
        };
        let mut set = SequenceSet::new();
        set.push_range(Bound::Number(bound), Bound::Last);
        let found = self.uid_search(&SearchKey::Uid(set))?;
        // `n:*` names the last message even if its UID is lower.
        Ok(found.into_iter().filter(|uid| u64::from(*uid) >= first).collect())
    }

    /// Says whether the operation with these deeds may be made again. Selects other mailboxes.
    ///
    /// # Errors
    /// Those of the commands that ask the server.
    pub fn repeat<'d>(
        &mut self,
        deeds: impl Iterator<Item = &'d SettledDeed>,
        lost: &Lost,
    ) -> Result<Repeat, Error> {
        let mut known = Vec::new();
        let mut is_safe = true;
        for SettledDeed { deed, ending, .. } in deeds {
            let what = described(deed);
            // The call finds what to move by the marks that the quarantine takes away first.
            let unmarks = deed.purpose == Some(Purpose::Quarantine)
                && matches!(deed.act, Act::StoreFlags { .. });
            let is_repeatable = (deed.act.is_repeatable() && !unmarks)
                || (lost.makes_mailbox && deed.act == Act::CreateMailbox);
            let (text, safe) = match ending {
                Ending::Refused => continue,
                Ending::Abandoned => (format!("not sent whole: {what}"), true),
                Ending::Done => (format!("done: {what}"), is_repeatable),
                Ending::InDoubt if is_repeatable && !by_number(deed) => {
                    (format!("may be done: {what}"), true)
                }
                Ending::InDoubt => match self.trace(deed, lost)? {
                    None if !lost.by_timeout || is_repeatable => {
                        (format!("not done: {what}"), true)
                    }
                    None => (format!("may still be done by the server: {what}"), false),
                    Some(trace) => (format!("may be done: {what} ({trace})"), false),
                },
            };
            known.push(text);
            is_safe &= safe;
        }
        Ok(if is_safe { Repeat::Safe } else { Repeat::InDoubt(known.join("; ")) })
    }

    /// What on the server looks as if it had carried out the deed; `None` if it has not.
    fn trace(&mut self, deed: &Deed, lost: &Lost) -> Result<Option<String>, Error> {
        let mailbox = deed.mailbox.as_deref().unwrap_or_default();
        match &deed.act {
            Act::CreateMailbox => {
                Ok(self.exists(mailbox)?.then(|| "a mailbox of this name exists".to_owned()))
            }
            Act::DeleteMailbox => {
                Ok((!self.exists(mailbox)?).then(|| "no mailbox of this name exists".to_owned()))
            }
            Act::RenameMailbox { to } => {
                let happened = self.exists(to)? || !self.exists(mailbox)?;
                Ok(happened.then(|| format!("{to:?} exists, or {mailbox:?} does not")))
            }
            Act::Append { bytes, .. } => self.copies_in(mailbox, &[*bytes], lost),
            Act::AppendMany { sizes } => self.copies_in(mailbox, sizes, lost),
            Act::Replace { to, bytes } => self.copies_in(to, &[*bytes], lost),
            Act::Copy { to } => {
                let Some(sizes) = self.sizes(deed, lost)? else {
                    return Ok(Some(format!("{to:?} was not searched for the copies")));
                };
                self.copies_in(to, &sizes, lost)
            }
            Act::StoreFlags { unchanged_since: Some(_), .. } => {
                Ok(Some("a second call would take its change for that of another".to_owned()))
            }
            // What follows names messages by number, so it has no trace exactly if they are the
            // same messages.
            _ => match self.reselect(lost)? {
                Found::SameNumbers if !lost.shifted => Ok(None),
                _ => Ok(Some("other messages may have its numbers now".to_owned())),
            },
        }
    }

    /// Returns whether LIST names a mailbox.
    ///
    /// # Errors
    /// Those of LIST.
    pub fn exists(&mut self, mailbox: &str) -> Result<bool, Error> {
        // LIST takes `*` and `%` as patterns, so the answer is compared.
        Ok(self.list("", mailbox)?.iter().any(|listed| same_name(&listed.name, mailbox)))
    }

    /// The sizes of the letters that a COPY names; `None` if they cannot be told.
    fn sizes(&mut self, deed: &Deed, lost: &Lost) -> Result<Option<Vec<u64>>, Error> {
        let Letters::Messages(messages) = &deed.letters else { return Ok(None) };
        match self.reselect(lost)? {
            Found::SameNumbers if !lost.shifted => {}
            Found::SameNumbers | Found::SameUids if messages.are_uids() => {}
            _ => return Ok(None),
        }
        let size = FetchItems::parse("(RFC822.SIZE)")?;
        let letters = self.fetch_all(messages, &size)?;
        let sizes: Option<Vec<u64>> = letters.iter().map(|letter| letter.size).collect();
        Ok(sizes.filter(|sizes| sizes.len() <= MOST_COPIES))
    }

    /// Looks in a mailbox for letters of these sizes. In the mailbox that was selected before, only
    /// those count that have arrived since it was selected; the server may have announced the copy
    /// itself before the connection was lost.
    fn copies_in(
        &mut self,
        mailbox: &str,
        sizes: &[u64],
        lost: &Lost,
    ) -> Result<Option<String>, Error> {
        match self.select(mailbox, true) {
            Ok(()) => {}
            Err(Error::Refused { .. }) => return Ok(None), // without the mailbox there are none
            Err(error) => return Err(error),
        }
        let since = lost
            .selected
            .as_ref()
            .filter(|before| same_name(&before.name, mailbox))
            .filter(|before| {
                self.selected().is_some_and(|now| now.uid_validity == before.uid_validity)
            })
            .and_then(|before| before.uid_next)
            .unwrap_or(0);
        for size in sizes {
            let of_size = SearchKey::And(vec![
                SearchKey::Larger(size.saturating_sub(1)),
                SearchKey::Smaller(size.saturating_add(1)),
            ]);
            let found = self.uid_search(&of_size)?;
            if let Some(uid) = found.into_iter().find(|uid| *uid >= since) {
                return Ok(Some(format!("{mailbox:?} has a letter of {size} bytes, uid {uid}")));
            }
        }
        Ok(None)
    }

    /// Makes the changes of flags again that nobody waited for. Returns how many could not be made,
    /// because other messages may have their numbers now.
    ///
    /// # Errors
    /// Those of STORE.
    pub fn repeat_in_background<'d>(
        &mut self,
        deeds: impl Iterator<Item = &'d SettledDeed>,
        found: Found,
    ) -> Result<usize, Error> {
        let mut left_out = 0;
        for SettledDeed { deed, .. } in deeds {
            let Letters::Messages(messages) = &deed.letters else { continue };
            let means_the_same = match found {
                Found::SameNumbers => true,
                Found::SameUids => messages.are_uids(),
                Found::NothingSelected | Found::OtherUidValidity => false,
            };
            match &deed.act {
                Act::StoreFlags { mode, flags, unchanged_since: None } if means_the_same => {
                    self.store_silently(messages, *mode, flags)?;
                }
                _ => left_out += 1,
            }
        }
        Ok(left_out)
    }
}

/// How many letters may have arrived since the connection was lost. By UIDs, since others may have
/// left.
fn arrived_between(before: &SelectedMailbox, now: &SelectedMailbox) -> u64 {
    match (before.lowest_next_uid(), now.uid_next) {
        (Some(expected), Some(next)) => u64::from(next).saturating_sub(expected),
        _ => u64::from(now.exists.saturating_sub(before.exists)),
    }
}

/// A deed with the letters that it names.
pub fn described(deed: &Deed) -> String {
    let Letters::Messages(messages) = &deed.letters else { return deed.to_string() };
    let kind = if messages.are_uids() { "uid" } else { "number" };
    format!("{deed}, {kind} {}", messages.set())
}

/// Whether two names mean one mailbox. INBOX is the same in any case (RFC 9051 5.1).
pub(crate) fn same_name(one: &str, other: &str) -> bool {
    one == other || [one, other].iter().all(|name| name.eq_ignore_ascii_case("INBOX"))
}

/// Whether it names messages by number, which may mean other messages the second time.
fn by_number(deed: &Deed) -> bool {
    matches!(&deed.letters, Letters::Messages(messages) if !messages.are_uids())
}
