//! The one door through which a connection changes something elsewhere.
//!
//! [`Connection::submit`] is the only way to submit a command to a session:
//!
//! 1. It asks the session what the command changes ([`Protocol::deed`]).
//! 2. It shows that deed to the connection's [`Witness`] before the first byte goes out. If the
//!    witness refuses, nothing happens.
//! 3. It keeps the deed until its end is known: the session says which event ends it
//!    ([`Protocol::ended`]).
//! 4. A deed still open when the connection closes is abandoned if the server cannot have received
//!    all of the command, and otherwise in doubt.
//!
//! The connection also remembers, for each deed of the operation that runs, how it ended: after the
//! connection was lost this tells whether the operation may be made again ([`Connection::settled`]).
//!
//! The witness does not see what belongs to a command already submitted: the answer to a challenge,
//! the bytes of a literal or of a letter.

use super::drive::{Connection, DriveError};
use crate::proto::deed::{Account, Deed, Purpose};
use crate::proto::imap::CopiedUids;
use crate::proto::witness::{Ending, Facts, Wanted, Witness};
use crate::proto::{Protocol, Secret, imap, pop3, smtp};
use std::sync::Arc;

/// The most deeds that are remembered as done, for the messages; those that cannot be repeated have
/// room of their own, since one of them keeps the operation from being made again.
const MOST_DONE: usize = 8;

/// Deeds whose end is not known yet, and the witness to notify of it.
pub(super) struct OpenDeeds<H> {
    witness: Arc<dyn Witness>,
    open: Vec<(H, DeedOf)>,
    /// Deeds of this operation that are done, and all deeds that were open when the connection
    /// closed.
    settled: Vec<SettledDeed>,
    /// How many deeds this operation has done, those that are not remembered included.
    done: u64,
    operation: Option<u64>,
    /// Whether nobody waits for the end of what is submitted.
    in_background: bool,
    /// The larger change that what is submitted is a step of.
    purpose: Option<Purpose>,
}

/// A deed, and the operation that it belongs to.
struct DeedOf {
    operation: Option<u64>,
    deed: Deed,
}

/// A deed whose end is known, or will not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettledDeed {
    /// The operation that it belongs to; `None` for a deed in the background, whose end nobody
    /// waits for.
    pub operation: Option<u64>,
    /// The deed.
    pub deed: Deed,
    /// How it ended.
    pub ending: Ending,
}

impl<H: Copy + PartialEq> OpenDeeds<H> {
    pub(super) fn new(witness: Arc<dyn Witness>) -> Self {
        OpenDeeds {
            witness,
            open: Vec::new(),
            settled: Vec::new(),
            done: 0,
            operation: None,
            in_background: false,
            purpose: None,
        }
    }

    pub(super) fn end(&mut self, handle: H, done: bool, stored: Option<&CopiedUids>) {
        let Some(at) = self.open.iter().position(|(open, _)| *open == handle) else { return };
        let (_, DeedOf { operation, deed }) = self.open.remove(at);
        let ending = if done { Ending::Done } else { Ending::Refused };
        self.witness.after(&deed, ending, stored);
        if done && operation.is_some() && operation == self.operation {
            self.done += 1;
            let room = if deed.act.is_repeatable() { MOST_DONE } else { 2 * MOST_DONE };
            if self.settled.len() < room {
                self.settled.push(SettledDeed { operation, deed, ending });
            }
        }
    }

    /// Ends all deeds because the connection is closed.
    pub(super) fn close(&mut self, is_wholly_sent: impl Fn(H) -> bool) {
        for (handle, DeedOf { operation, deed }) in self.open.drain(..) {
            let ending = if is_wholly_sent(handle) { Ending::InDoubt } else { Ending::Abandoned };
            self.witness.after(&deed, ending, None);
            self.settled.push(SettledDeed { operation, deed, ending });
        }
    }
}

impl<H> Drop for OpenDeeds<H> {
    fn drop(&mut self) {
        self.open.drain(..).for_each(|(_, of)| self.witness.after(&of.deed, Ending::InDoubt, None));
    }
}

impl<S: Protocol> Connection<S> {
    /// Submits a command, unless the witness refuses what it changes. Its bytes go out with the
    /// next wait.
    ///
    /// # Errors
    /// [`DriveError::Refused`]; then nothing is sent and the connection stays usable.
    pub fn submit(&mut self, command: S::Command) -> Result<S::Handle, DriveError> {
        self.submit_with(command, None)
    }

    /// Submits a command with the facts that the witness wanted about its letters; see
    /// [`Connection::wanted`].
    ///
    /// # Errors
    /// As [`Connection::submit`].
    pub fn submit_with(
        &mut self,
        command: S::Command,
        facts: Option<Facts>,
    ) -> Result<S::Handle, DriveError> {
        let deed = self.deed(&command).map(|deed| Deed { facts, ..deed });
        if let Some(deed) = &deed {
            self.deeds.witness.before(deed)?;
        }
        let handle = self.session.submit(command);
        let operation = self.deeds.operation.filter(|_| !self.deeds.in_background);
        self.deeds.open.extend(deed.map(|deed| (handle, DeedOf { operation, deed })));
        Ok(handle)
    }

    /// What the command would change if it were submitted now, and what the witness wants to know
    /// about it before; `None` if it changes nothing.
    pub fn wanted(&self, command: &S::Command) -> Option<(Deed, Wanted)> {
        let deed = self.deed(command)?;
        let wanted = self.deeds.witness.wants(&deed);
        Some((deed, wanted))
    }

    fn deed(&self, command: &S::Command) -> Option<Deed> {
        let deed = self.session.deed(command)?.on(&self.host);
        Some(Deed { account: Some(self.account()), purpose: self.deeds.purpose.clone(), ..deed })
    }

    /// Returns whether the witness refuses the side effect that the command would have if it were
    /// submitted now; see [`Witness::spares`].
    pub fn spares(&self, command: &S::Command) -> bool {
        self.deed(command).is_some_and(|deed| self.deeds.witness.spares(&deed))
    }

    /// Returns whether the witness may refuse an operation of several deeds before the first.
    pub fn foresees(&self) -> bool {
        self.deeds.witness.foresees()
    }

    /// Asks the witness about all deeds of an operation, before the first of them.
    ///
    /// # Errors
    /// [`DriveError::Refused`], as [`Connection::submit`].
    pub fn foresee(&self, deeds: &[Deed]) -> Result<(), DriveError> {
        Ok(self.deeds.witness.foresee(deeds)?)
    }

    /// Says which larger change the next commands are steps of. Returns what was said before.
    pub fn set_purpose(&mut self, purpose: Option<Purpose>) -> Option<Purpose> {
        std::mem::replace(&mut self.deeds.purpose, purpose)
    }

    /// Who has logged in, and at which port.
    pub fn account(&self) -> Account {
        Account { protocol: S::NAME, port: self.port, user: self.user.clone() }
    }

    /// Says who has logged in; an empty name is nobody.
    pub fn set_user(&mut self, user: &str) {
        self.user = Some(user.to_owned()).filter(|user| !user.is_empty());
    }

    /// Says which operation the next commands belong to. The deeds of another operation are
    /// forgotten, unless the connection is closed.
    pub fn begin_operation(&mut self, operation: u64) {
        if self.deeds.operation != Some(operation) && !self.is_closed() {
            self.deeds.settled.clear();
            self.deeds.done = 0;
        }
        self.deeds.operation = Some(operation);
    }

    /// Says whether nobody waits for the end of the next commands.
    pub fn set_background(&mut self, in_background: bool) {
        self.deeds.in_background = in_background;
    }

    /// The operation that commands belong to now.
    pub fn operation(&self) -> Option<u64> {
        self.deeds.operation
    }

    /// How many deeds the operation has done.
    pub fn done(&self) -> u64 {
        self.deeds.done
    }

    /// Some of the deeds that the operation has done, and all deeds that were open when the
    /// connection closed.
    pub fn settled(&self) -> &[SettledDeed] {
        &self.deeds.settled
    }
}

impl Connection<imap::Session> {
    /// Answers a challenge of AUTHENTICATE; see [`imap::Session::answer`].
    pub fn answer(&mut self, answer: &Secret) {
        self.session.answer(answer);
    }

    /// Supplies bytes of a literal; see [`imap::Session::feed`].
    pub fn feed(&mut self, bytes: &[u8]) {
        self.session.feed(bytes);
    }

    /// Ends IDLE; see [`imap::Session::end_idle`].
    pub fn end_idle(&mut self) {
        self.session.end_idle();
    }

    /// Sets how many messages the caller has not heard of; see
    /// [`imap::Session::set_unheard`].
    pub fn set_unheard(&mut self, arrived: u64) {
        self.session.set_unheard(arrived);
    }

    /// Sends names as the server gave them on an earlier connection; see
    /// [`imap::Session::keep_names_of`].
    pub fn keep_names_of(&mut self, earlier: &Connection<imap::Session>) {
        self.session.keep_names_of(&earlier.session);
    }

    /// Compresses the stream, after the server said OK to COMPRESS DEFLATE (RFC 4978).
    pub fn start_compression(&mut self) {
        let came = self.session.take_unread();
        self.compress_with(came);
    }

    /// Streams literals longer than this many bytes in pieces; see
    /// [`imap::Session::stream_literals_over`].
    pub fn stream_literals_over(&mut self, bytes: Option<u64>) {
        self.session.stream_literals_over(bytes);
    }

    /// Hands on literals longer than this many bytes in pieces, to be kept for their response; see
    /// [`imap::Session::keep_literals_over`].
    pub fn keep_literals_over(&mut self, bytes: Option<u64>) {
        self.session.keep_literals_over(bytes);
    }

    /// Attaches a literal that was kept to its response; see [`imap::Session::keep_literal`].
    pub fn keep_literal(&mut self, kept: imap::Kept) {
        self.session.keep_literal(kept);
    }
}

impl Connection<pop3::Session> {
    /// Answers a challenge of AUTH; see [`pop3::Session::answer`].
    pub fn answer(&mut self, answer: &Secret) {
        self.session.answer(answer);
    }
}

impl Connection<smtp::Session> {
    /// Answers a challenge of AUTH; see [`smtp::Session::answer`].
    pub fn answer(&mut self, answer: &Secret) {
        self.session.answer(answer);
    }

    /// Supplies bytes of the letter after 354; see [`smtp::Session::letter`].
    pub fn letter(&mut self, chunk: &[u8]) {
        self.session.letter(chunk);
    }

    /// Ends the letter; see [`smtp::Session::end_letter`].
    pub fn end_letter(&mut self) -> smtp::session::Handle {
        self.session.end_letter()
    }
}
