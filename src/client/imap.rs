//! The IMAP client: one connection, one owner, a method for each operation.
//!
//! This file is the connection itself. Other files have the operations by topic: `login`,
//! `mailboxes`, `listing`, `messages`, `returning`, `within`, `ordering`, `moving`, `appending`,
//! `quota`, `identity`, `namespaces`, `rights`, `metadata`, `waiting` (IDLE), `notifying` (NOTIFY),
//! `condstore`, `transfer` (letters straight to files), `copying` (to another server) and
//! `read_ahead`. Most run through the loop in `running`; `pending` has the two halves of an
//! operation, and `ahead` the commands in flight.

use super::ahead::Ahead;
use super::error::Error;
use super::mailboxes::Listing;
use super::notifying::Notifying;
use super::pending::Pending;
use super::read_ahead::ReadAhead;
use super::returning::Saved;
use super::spool::{Keeping, LARGE};
use super::told::{Warning, WarningKind};
use super::unseen::Unseen;
use crate::proto::deed::Account;
use crate::proto::imap::sequence::{Bound, Members};
use crate::proto::imap::{Capabilities, Command, Messages, SelectedMailbox, SequenceSet, Session};
use crate::proto::{EncodeError, Limits};
use crate::transport::Connection;
use std::num::NonZeroU32;
use std::time::Duration;

/// The most characters that are kept of a warning.
const LONGEST_WARNING: usize = 500;

/// The longest wait for the server's reply to LOGOUT.
pub(super) const LONGEST_FAREWELL: Duration = Duration::from_secs(2);

/// The longest sequence set in one command, in bytes. RFC 7162 4 asks servers to accept lines of
/// 8,192.
pub(super) const LONGEST_SET: usize = 8000;

/// An IMAP connection.
pub struct ImapClient {
    connection: Connection<Session>,
    separator: Separator,
    warnings: Vec<Warning>,
    ahead: Ahead,
    /// The literal that is coming, if it is too large for memory.
    pub(super) keeping: Keeping,
    pub(super) read_ahead: ReadAhead,
    /// The epoch when the last operation began.
    pub(super) epoch_of_operation: (u64, u64),
    pub(super) saved: Saved,
    pub(super) unseen: Unseen,
    /// Where letters go that would be removed.
    pub(super) quarantine: Option<String>,
    /// How long one IDLE lasts, if the caller has said.
    pub(super) idle_renewal: Option<Duration>,
    pub(super) notifying: Notifying,
    /// What the server offers that this one stands for; see [`ImapClient::stand_for`].
    real: Option<Capabilities>,
}

/// The hierarchy separator. The login asks for it; the answer is read when it is needed.
enum Separator {
    Asked(Pending<Listing>),
    Known(Option<String>),
}

impl ImapClient {
    pub(super) fn over(mut connection: Connection<Session>) -> Self {
        connection.keep_literals_over(Some(LARGE));
        ImapClient {
            connection,
            separator: Separator::Known(None),
            warnings: Vec::new(),
            ahead: Ahead::default(),
            keeping: Keeping::default(),
            read_ahead: ReadAhead::default(),
            epoch_of_operation: (0, 0),
            saved: Saved::default(),
            unseen: Unseen::default(),
            quarantine: None,
            idle_renewal: None,
            notifying: Notifying::default(),
            real: None,
        }
    }

    pub(super) fn connection(&mut self) -> &mut Connection<Session> {
        &mut self.connection
    }

    pub(super) fn connection_ref(&self) -> &Connection<Session> {
        &self.connection
    }

    pub(super) fn commands_ahead(&mut self) -> &mut Ahead {
        &mut self.ahead
    }

    pub(super) fn commands_in_flight(&self) -> &Ahead {
        &self.ahead
    }

    pub(super) fn parts(
        &mut self,
    ) -> (&mut Connection<Session>, &mut Ahead, &mut Keeping, &mut Notifying) {
        (&mut self.connection, &mut self.ahead, &mut self.keeping, &mut self.notifying)
    }

    /// The capabilities that the server advertises.
    pub fn capabilities(&self) -> &Capabilities {
        self.connection.session().capabilities()
    }

    /// Says that the server stands for another one, which offers these capabilities. An operation
    /// that needs one of them which this server lacks is then [`Error::CannotForesee`]. The warnings
    /// of the other connection become those of this one.
    pub fn stand_for(&mut self, real: Capabilities, warnings: Vec<Warning>) {
        self.real = Some(real);
        self.warnings.extend(warnings);
    }

    /// The capabilities of the server, or of the one that it stands for.
    pub fn real_capabilities(&self) -> &Capabilities {
        self.real.as_ref().unwrap_or_else(|| self.capabilities())
    }

    /// The error of an operation that needs one of these capabilities.
    pub(super) fn lacks(&self, capabilities: &[&str], what: &str) -> Error {
        if let Err(error) = self.check_foreseen(capabilities) {
            return error;
        }
        let names = capabilities.join(" or ");
        Error::Unsupported(format!("the server does not offer {names}{what}"))
    }

    /// Refuses to wait for what arrives at the real server only.
    pub(super) fn check_waiting(&self) -> Result<(), Error> {
        match &self.real {
            Some(_) => Err(Error::CannotForesee("what arrives while the script waits".into())),
            None => Ok(()),
        }
    }

    /// Refuses what the real server would do by one of these capabilities, and this one cannot.
    pub(super) fn check_foreseen(&self, capabilities: &[&str]) -> Result<(), Error> {
        let Some(real) = &self.real else { return Ok(()) };
        let offers = |name: &&&str| {
            let prefix = format!("{name}=");
            real.offers(name) || real.names().iter().any(|known| known.starts_with(&prefix))
        };
        match capabilities.iter().find(offers) {
            Some(name) => Err(Error::CannotForesee(format!("what the server does by {name}"))),
            None => Ok(()),
        }
    }

    /// The selected mailbox, as the responses so far describe it.
    pub fn selected(&self) -> Option<&SelectedMailbox> {
        self.connection.session().selected()
    }

    /// How often a mailbox was selected or left, and how many messages have left the selected one.
    /// While both stay the same, a message number means the same message.
    pub fn epoch(&self) -> (u64, u64) {
        let expunged = self.selected().map_or(0, |mailbox| mailbox.expunged);
        (self.connection.session().selections(), expunged)
    }

    /// The hierarchy separator; `None` if mailbox names are flat.
    ///
    /// # Errors
    /// As every operation: [`Error`].
    pub fn separator(&mut self) -> Result<Option<&str>, Error> {
        if let Separator::Asked(_) = self.separator
            && let Separator::Asked(asked) =
                std::mem::replace(&mut self.separator, Separator::Known(None))
        {
            let found = match self.wait(asked) {
                Ok(entries) => entries.into_iter().next().and_then(|entry| entry.separator),
                Err(Error::Refused { .. }) => None, // such a server has no hierarchy
                Err(error) => return Err(error),
            };
            self.separator = Separator::Known(found);
        }
        match &self.separator {
            Separator::Known(found) => Ok(found.as_deref()),
            Separator::Asked(_) => Ok(None),
        }
    }

    /// Asks for the separator without waiting for the answer.
    pub(super) fn ask_separator(&mut self) -> Result<(), Error> {
        self.separator = Separator::Asked(self.begin_list("", "")?);
        Ok(())
    }

    /// The host that was asked for.
    pub fn host(&self) -> &str {
        self.connection.host()
    }

    /// Who is logged in, and at which port.
    pub fn account(&self) -> Account {
        self.connection.account()
    }

    /// Whether the stream is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.connection.is_encrypted()
    }

    /// Whether the connection is closed on this side.
    pub fn is_closed(&self) -> bool {
        self.connection.is_closed()
    }

    /// Limits on what the server may send.
    pub fn limits(&self) -> &Limits {
        self.connection.session().limits()
    }

    /// Returns the warnings since the last call.
    pub fn take_warnings(&mut self) -> Vec<Warning> {
        std::mem::take(&mut self.warnings)
    }

    pub(super) fn forget_warnings(&mut self) {
        self.warnings.clear();
    }

    /// Logs out and closes the stream, whatever the server replies. Safe to call again.
    pub fn close(&mut self) {
        if !self.is_closed() {
            self.connection.hurry(LONGEST_FAREWELL);
            let _ = self.run(Command::logout()); // the stream is closed in any case
        }
        self.connection.close();
    }

    /// LOGOUT (RFC 3501 6.1.3), then closes the stream. Unlike [`ImapClient::close`] it reports an
    /// error.
    ///
    /// # Errors
    /// [`Error`] if the server did not complete LOGOUT; the stream is closed in any case.
    pub fn logout(mut self) -> Result<(), Error> {
        let answered = self.run(Command::logout()).map(drop);
        self.connection.close();
        answered
    }

    /// Closes the stream without LOGOUT.
    pub fn abandon(&mut self) {
        self.connection.close();
    }

    /// NOOP (RFC 3501 6.1.2): lets the server report changes.
    ///
    /// # Errors
    /// As every operation: [`Error`].
    pub fn noop(&mut self) -> Result<(), Error> {
        self.run(Command::noop()).map(drop)
    }

    /// The numbers or UIDs that a set names now. FETCH responses about other messages, which
    /// servers send at any moment, are recognised by it.
    pub fn asked_for(&self, messages: &Messages) -> Members {
        match messages {
            Messages::Numbers(set) => {
                set.members(self.selected().map_or(0, |mailbox| mailbox.exists))
            }
            // The highest UID is not known; `*` alone matches any UID.
            Messages::Uids(set) if set.ranges().contains(&(Bound::Last, Bound::Last)) => {
                let mut all = SequenceSet::new();
                all.push_range(Bound::Number(NonZeroU32::MIN), Bound::Last);
                all.members(u32::MAX)
            }
            Messages::Uids(set) => set.members(u32::MAX),
        }
    }

    /// Builds the commands for all messages of a set, in pieces that servers accept. Returns none
    /// for `1:*` in an empty mailbox, which servers refuse.
    pub(super) fn for_each_part(
        &self,
        messages: &Messages,
        command: impl Fn(&Messages) -> Result<Command, EncodeError>,
    ) -> Result<Vec<Command>, Error> {
        if self.is_nothing(messages) {
            return Ok(Vec::new());
        }
        Ok(messages.split(LONGEST_SET).iter().map(command).collect::<Result<_, _>>()?)
    }

    /// Whether the set of numbers uses `*` in an empty mailbox, so that it names nothing.
    pub(super) fn is_nothing(&self, messages: &Messages) -> bool {
        let is_last = |bound: &Bound| *bound == Bound::Last;
        let up_to_last =
            messages.set().ranges().iter().any(|(first, last)| is_last(first) || is_last(last));
        let is_empty = self.selected().is_some_and(|mailbox| mailbox.exists == 0);
        up_to_last && !messages.are_uids() && is_empty
    }

    /// Whether mailbox names travel as UTF-8. Waits for the answer to ENABLE.
    pub(super) fn utf8_names(&mut self) -> Result<bool, Error> {
        self.hear_enabled()?;
        Ok(self.connection.session().utf8_names())
    }

    /// Whether the session is one of IMAP4rev2 (RFC 9051). Waits for the answer to ENABLE.
    pub(super) fn is_rev2(&mut self) -> Result<bool, Error> {
        self.hear_enabled()?;
        Ok(self.connection.session().is_rev2())
    }

    pub(super) fn has_uidplus(&self) -> bool {
        self.capabilities().offers("UIDPLUS")
    }

    /// Drops a warning whose words an error has.
    pub(super) fn drop_warning(&mut self, words: &str) {
        let words = self.shortened(words);
        self.warnings.retain(|warning| warning.words != words);
    }

    fn shortened(&self, words: &str) -> String {
        self.connection.redact(words).chars().take(LONGEST_WARNING).collect()
    }

    /// Adds a warning, unless there are as many as the limit allows.
    pub(super) fn note_warning(&mut self, warning: Warning) {
        if self.warnings.len() < self.limits().warnings {
            self.warn(warning.kind, warning.words);
        }
    }

    /// Adds a warning of the program's own.
    pub fn notice(&mut self, words: String) {
        self.warn(WarningKind::Noticed, words);
    }

    /// Adds a warning, shortened and with secrets replaced.
    pub(super) fn warn(&mut self, kind: WarningKind, words: String) {
        let words = self.shortened(&words);
        self.warnings.push(Warning { kind, words });
    }
}
