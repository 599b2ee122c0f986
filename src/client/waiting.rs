//! Waiting for new letters: IDLE (RFC 2177), or NOOP again and again where the server has no IDLE.
//!
//! | phase | waits for | at most |
//! |---|---|---|
//! | IDLE sent | `+` | as long as for any answer |
//! | idling | a new letter | until the caller's time is up, or IDLE must be renewed |
//! | `DONE` sent | the completion of IDLE | as long as for any answer |
//!
//! Servers may log out a client that idles for 30 minutes, so IDLE is renewed before that. A server
//! that refuses IDLE, or that ends it without being asked, is asked by NOOP for the rest of the
//! wait, after pauses that grow.
//!
//! The count of unheard letters begins at SELECT and is cleared by the wait that returns them
//! ([`SelectedMailbox::unheard`](crate::proto::imap::SelectedMailbox::unheard)). So no letter is
//! missed, whichever command announces it.
//!
//! An interrupt leaves the connection usable in every phase: `DONE` goes out, or follows the `+`,
//! and the next command waits for what is still to come.

use super::error::Error;
use super::imap::ImapClient;
use super::running::Input;
use super::told::WarningKind;
use crate::proto::imap::{Command, Completion, Handle};
use crate::transport::TransportError;
use crate::transport::drive::Waited;
use std::time::{Duration, Instant};

/// How long one IDLE lasts. RFC 2177 3: at most 29 minutes.
pub(super) const RENEWAL: Duration = Duration::from_secs(28 * 60);

/// The pauses between two NOOP. Each is twice as long as the one before.
const SHORTEST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How an IDLE ended.
enum Idled {
    /// By `DONE`.
    Done,
    /// The server ended or refused it.
    NoLonger,
}

impl ImapClient {
    /// Waits until a letter arrives in the selected mailbox; letters that the caller has not heard
    /// of since SELECT or the last wait end it at once. Returns how many messages there are then,
    /// or `None` if the time is up; without a timeout it waits for ever. Other changes do not end
    /// the wait, but the session follows them.
    ///
    /// # Errors
    /// [`Error::NothingSelected`]; [`TransportError::Interrupted`], after which the connection is
    /// still usable; [`Error::CannotForesee`] if the server stands for another one.
    pub fn wait_for_mail(&mut self, timeout: Option<Duration>) -> Result<Option<u32>, Error> {
        self.check_waiting()?;
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let result = self.wait_for_letters(until);
        self.redacted(result)
    }

    fn wait_for_letters(&mut self, until: Option<Instant>) -> Result<Option<u32>, Error> {
        let mut idles = self.capabilities().offers("IDLE");
        let mut pause = SHORTEST_PAUSE;
        loop {
            if let Some(count) = self.hear_of_letters()? {
                return Ok(Some(count));
            }
            if idles {
                idles = matches!(self.idle_until(until)?, Idled::Done);
            } else {
                let noop = self.send(Command::noop())?;
                self.hear_end(noop)?;
            }
            if self.has_unheard() {
                continue;
            }
            if is_over(until) {
                return Ok(None);
            }
            if !idles {
                self.pause_until(earlier(until, Instant::now().checked_add(pause)))?;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }

    /// Sets how long one IDLE lasts; 28 minutes by default.
    pub fn renew_idle_after(&mut self, renewal: Duration) {
        self.idle_renewal = renewal;
    }

    /// Returns the count of messages, and clears that of unheard ones, if there are any.
    fn hear_of_letters(&mut self) -> Result<Option<u32>, Error> {
        let selected = self.selected().ok_or(Error::NothingSelected)?;
        let (count, unheard) = (selected.exists, selected.unheard);
        self.connection().set_unheard(0);
        Ok((unheard > 0).then_some(count))
    }

    fn has_unheard(&self) -> bool {
        self.selected().is_some_and(|selected| selected.unheard > 0)
    }

    /// Idles until a letter arrives, the time is up or IDLE must be renewed.
    fn idle_until(&mut self, until: Option<Instant>) -> Result<Idled, Error> {
        let idle = self.send(Command::idle())?;
        let mut answer = Answer::due_from_now(self);
        let limit = earlier(until, Instant::now().checked_add(self.idle_renewal));
        while !self.commands_in_flight().has_ended(idle) {
            if !self.connection().session().is_idling() {
                self.hear_answer(idle, &mut answer)?;
            } else if self.has_unheard() || is_over(limit) {
                self.connection().end_idle();
                self.hear_end(idle)?;
                return Ok(Idled::Done);
            } else {
                self.hear_until(idle, limit)?;
            }
        }
        match self.hear_out(idle, &mut |_| Ok(())) {
            Ok(_) => Ok(Idled::NoLonger),
            Err(Error::Refused { completion, .. }) => {
                self.warn(WarningKind::Problem, completion.words());
                Ok(Idled::NoLonger)
            }
            Err(error) => Err(error),
        }
    }

    /// Waits for the completion of a command.
    fn hear_end(&mut self, command: Handle) -> Result<Completion, Error> {
        let mut answer = Answer::due_from_now(self);
        while !self.commands_in_flight().has_ended(command) {
            self.hear_answer(command, &mut answer)?;
        }
        self.hear_out(command, &mut |_| Ok(()))
    }

    /// Waits for the next event of an answer that the server owes. Gives the server up if it is
    /// silent for too long, or talks without end.
    fn hear_answer(&mut self, command: Handle, answer: &mut Answer) -> Result<(), Error> {
        let due = answer.due();
        if is_over(due) || self.hear_until(command, due)? == Waited::TimeIsUp {
            return Err(self.connection().give_up().into());
        }
        answer.last = Instant::now();
        Ok(())
    }

    /// Waits for the next event until `limit`. After an interrupt the answer to `command` is
    /// dropped when it comes.
    fn hear_until(&mut self, command: Handle, limit: Option<Instant>) -> Result<Waited, Error> {
        let waited = self.hear_something(limit);
        if matches!(waited, Err(Error::Transport(TransportError::Interrupted))) {
            self.connection().end_idle();
            self.forget_answer(command);
        }
        waited
    }

    fn hear_something(&mut self, limit: Option<Instant>) -> Result<Waited, Error> {
        let waited = self.connection().wait_until(limit).inspect_err(|_| self.keeping.forget())?;
        match waited {
            Waited::Event => {
                self.take_event(None, &mut Input::None, &mut |_| Ok(()), &mut None)?;
            }
            Waited::TimeIsUp => {}
            Waited::Interrupted => return Err(TransportError::Interrupted.into()),
        }
        Ok(waited)
    }

    /// Lets time pass between two commands. What the server says meanwhile is read; a new letter
    /// ends the pause.
    fn pause_until(&mut self, until: Option<Instant>) -> Result<(), Error> {
        while !self.has_unheard() && !is_over(until) {
            self.hear_something(until)?;
        }
        Ok(())
    }
}

/// When the server must have answered, as for any command.
struct Answer {
    last: Instant,
    /// The longest silence.
    silence: Duration,
    /// When the answer must be complete.
    complete: Option<Instant>,
}

impl Answer {
    fn due_from_now(client: &mut ImapClient) -> Self {
        let now = Instant::now();
        let pace = client.connection().stream().pace();
        let (silence, total) = pace.map_or_else(Default::default, |pace| (pace.idle, pace.total));
        Answer { last: now, silence, complete: now.checked_add(total) }
    }

    fn due(&self) -> Option<Instant> {
        earlier(self.last.checked_add(self.silence), self.complete)
    }
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

fn is_over(until: Option<Instant>) -> bool {
    until.is_some_and(|until| Instant::now() >= until)
}
