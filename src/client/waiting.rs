//! Waiting for new letters, on one connection or many at once: IDLE (RFC 2177), or NOOP again and
//! again where the server has no IDLE.
//!
//! A [`Wait`] is how far one connection has come. [`ImapClient::go_on_waiting`] takes it as far as
//! it gets without waiting and says when it must be called again at the latest; in between
//! the connection's stream is waited for. [`wait_for_any`] is the loop around it for several
//! connections.
//!
//! | state | waits for | at most |
//! |---|---|---|
//! | at rest | nothing | |
//! | IDLE sent | `+` | as long as for any answer |
//! | idling | a new letter | until IDLE must be renewed |
//! | `DONE` sent | the completion of IDLE | as long as for any answer |
//! | NOOP sent | its completion | as long as for any answer |
//! | pausing | a new letter | until the next NOOP |
//!
//! Servers may log out a client that idles for 30 minutes, and routers forget connections on which
//! nothing moves, often after five. So IDLE is renewed before that, which also shows whether the server
//! is still there: one that does not answer in time is given up. A server that refuses IDLE, or
//! that ends it without being asked, is asked by NOOP for ten minutes, after pauses that grow.
//!
//! The count of unheard letters begins at SELECT and is cleared by the wait that returns them
//! ([`SelectedMailbox::unheard`](crate::proto::imap::SelectedMailbox::unheard)). So no letter is
//! missed, whichever command announces it.
//!
//! Under NOTIFY (RFC 5465) news of other mailboxes end a wait, too, and so does the end of such news.
//! IDLE is sent all the same, because some servers tell of the selected mailbox only then.
//!
//! A wait can be left in every state, and the connection stays usable: `DONE` goes out, or follows
//! the `+`, and the next command waits for what is still to come.

use super::error::Error;
use super::imap::ImapClient;
use super::running::Input;
use super::told::WarningKind;
use crate::proto::imap::{Command, Handle};
use crate::transport::{self, Awaited, TransportError, Woken};
use std::time::{Duration, Instant};

/// How long one IDLE lasts on this machine. RFC 2177 3: at most 29 minutes.
const LOCAL_RENEWAL: Duration = Duration::from_secs(28 * 60);
/// How long one IDLE lasts elsewhere. Many routers forget a connection after five minutes.
const RENEWAL: Duration = Duration::from_secs(4 * 60);

/// The pauses between two NOOP. Each is twice as long as the one before.
const SHORTEST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How long a server is asked by NOOP that does not want IDLE.
const WITHOUT_IDLE: Duration = Duration::from_secs(600);

/// How far a wait for new letters on one connection has come.
#[derive(Debug)]
pub struct Wait {
    state: State,
    /// The server has refused IDLE, or ended it on its own: it is not sent before this.
    without_idle: Option<Instant>,
    /// The next pause between two NOOP.
    pause: Duration,
}

#[derive(Debug)]
enum State {
    AtRest,
    Idle { command: Handle, answer: Answer, renewal: Option<Instant> },
    Done { command: Handle, answer: Answer },
    Noop { command: Handle, answer: Answer },
    Pause { until: Option<Instant> },
}

/// What a wait has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// Letters arrived, in the selected mailbox or, under NOTIFY, in another; there are this many in
    /// the selected one now. Nothing is in flight.
    Letters(u32),
    /// Nothing arrived, and nothing is in flight: the wait was asked to end.
    Nothing,
    /// It goes on when the stream has something to read, or then.
    Until(Option<Instant>),
}

impl Default for Wait {
    fn default() -> Self {
        Wait { state: State::AtRest, without_idle: None, pause: SHORTEST_PAUSE }
    }
}

impl Wait {
    /// Renews IDLE, or sends the next NOOP, as soon as possible. This is how a connection is tried
    /// of which nobody knows whether it still works.
    pub fn hurry(&mut self) {
        match &mut self.state {
            State::Idle { renewal, .. } => *renewal = Some(Instant::now()),
            State::Pause { until } => *until = Some(Instant::now()),
            State::AtRest | State::Done { .. } | State::Noop { .. } => {}
        }
    }
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
        let heard = wait_for_any(&mut [self], timeout).map_err(|(_, error)| error)?;
        Ok(heard.first().map(|(_, count)| *count))
    }

    /// Sets how long one IDLE lasts; by default 28 minutes on this machine, 4 elsewhere.
    pub fn renew_idle_after(&mut self, renewal: Duration) {
        self.idle_renewal = Some(renewal);
    }

    /// Forgets that letters have arrived: the next wait is for later ones.
    pub fn forget_unheard(&mut self) {
        self.connection().set_unheard(0);
    }

    /// Takes a wait as far as it gets without waiting. If it is to end, it begins nothing new, and
    /// comes to rest.
    ///
    /// # Errors
    /// As [`ImapClient::wait_for_mail`].
    pub fn go_on_waiting(&mut self, wait: &mut Wait, ends: bool) -> Result<Heard, Error> {
        let result = self.go_on(wait, ends);
        self.redacted(result)
    }

    /// Leaves a wait. The next command waits for what the server still has to say.
    pub fn leave_waiting(&mut self, wait: &mut Wait) {
        self.connection().end_idle();
        match std::mem::replace(&mut wait.state, State::AtRest) {
            State::Idle { command, .. }
            | State::Done { command, .. }
            | State::Noop { command, .. } => self.forget_answer(command),
            State::AtRest | State::Pause { .. } => {}
        }
    }

    /// What to wait for after [`Heard::Until`].
    pub fn awaited(&mut self) -> Awaited<'_> {
        self.connection().awaited()
    }

    fn go_on(&mut self, wait: &mut Wait, ends: bool) -> Result<Heard, Error> {
        loop {
            self.hear_all(wait)?;
            let now = Instant::now();
            match &mut wait.state {
                State::AtRest => {
                    if let Some(count) = self.hear_of_letters()? {
                        wait.pause = SHORTEST_PAUSE;
                        return Ok(Heard::Letters(count));
                    }
                    if ends {
                        return Ok(Heard::Nothing);
                    }
                    let without_idle = wait.without_idle.is_some_and(|until| now < until);
                    wait.state = self.begin_waiting(without_idle)?;
                }
                State::Idle { command, answer, renewal } => {
                    let (command, renewal) = (*command, *renewal);
                    if self.commands_in_flight().has_ended(command) {
                        wait.without_idle = now.checked_add(WITHOUT_IDLE);
                        wait.state = State::AtRest;
                        self.hear_refusal(command)?;
                    } else if !self.connection().session().is_idling() {
                        return self.until_due(answer.due());
                    } else if self.has_unheard() || ends || is_over(renewal) {
                        self.connection().end_idle();
                        wait.state = State::Done { command, answer: self.answer_from_now() };
                    } else {
                        return Ok(Heard::Until(renewal));
                    }
                }
                State::Done { command, answer } | State::Noop { command, answer } => {
                    let command = *command;
                    if !self.commands_in_flight().has_ended(command) {
                        return self.until_due(answer.due());
                    }
                    let pauses = matches!(wait.state, State::Noop { .. });
                    wait.state = State::AtRest;
                    self.hear_out(command, &mut |_| Ok(()))?;
                    if pauses && !ends && !self.has_unheard() {
                        wait.state = State::Pause { until: now.checked_add(wait.pause) };
                        wait.pause = (wait.pause * 2).min(LONGEST_PAUSE);
                    }
                }
                State::Pause { until } => {
                    if !self.has_unheard() && !ends && !is_over(*until) {
                        return Ok(Heard::Until(*until));
                    }
                    wait.state = match self.has_unheard() || ends {
                        true => State::AtRest,
                        false => {
                            let without_idle = wait.without_idle.is_none_or(|until| now < until);
                            self.begin_waiting(without_idle)?
                        }
                    };
                }
            }
        }
    }

    /// Takes all events that have arrived.
    fn hear_all(&mut self, wait: &mut Wait) -> Result<(), Error> {
        while self.connection().event_at_once().inspect_err(|_| self.keeping.forget())? {
            self.take_event(None, &mut Input::None, &mut |_| Ok(()), &mut None)?;
            if let State::Idle { answer, .. }
            | State::Done { answer, .. }
            | State::Noop { answer, .. } = &mut wait.state
            {
                // A server that talks without end does not answer either.
                let idles = self.connection().session().is_idling();
                if is_over(answer.complete) && !idles {
                    return Err(self.connection().give_up().into());
                }
                answer.last = Instant::now();
            }
        }
        Ok(())
    }

    fn begin_waiting(&mut self, without_idle: bool) -> Result<State, Error> {
        let answer = self.answer_from_now();
        if without_idle || !self.capabilities().offers("IDLE") {
            return Ok(State::Noop { command: self.send(Command::noop())?, answer });
        }
        let usual = if self.connection().is_local() { LOCAL_RENEWAL } else { RENEWAL };
        let renewal = Instant::now().checked_add(self.idle_renewal.unwrap_or(usual));
        Ok(State::Idle { command: self.send(Command::idle())?, answer, renewal })
    }

    /// Reads the completion of an IDLE that the server has ended. A refusal is a warning.
    fn hear_refusal(&mut self, command: Handle) -> Result<(), Error> {
        match self.hear_out(command, &mut |_| Ok(())) {
            Ok(_) => Ok(()),
            Err(Error::Refused { completion, .. }) => {
                self.warn(WarningKind::Problem, completion.words());
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// An answer is due. Gives the server up if it is overdue.
    fn until_due(&mut self, due: Option<Instant>) -> Result<Heard, Error> {
        if is_over(due) {
            return Err(self.connection().give_up().into());
        }
        Ok(Heard::Until(due))
    }

    /// Returns the count of messages, and clears that of unheard ones, if there is anything to hear.
    fn hear_of_letters(&mut self) -> Result<Option<u32>, Error> {
        let is_watched = self.is_notified() || self.notify_overflowed();
        if self.selected().is_none() && !is_watched {
            return Err(Error::NothingSelected);
        }
        let count = self.selected().map_or(0, |selected| selected.exists);
        let has_unheard = self.has_unheard();
        self.connection().set_unheard(0);
        Ok(has_unheard.then_some(count))
    }

    /// Whether letters have arrived in the selected mailbox or in one that NOTIFY watches, or nobody
    /// knows.
    fn has_unheard(&self) -> bool {
        self.selected().is_some_and(|selected| selected.unheard > 0)
            || self.has_mailbox_news()
            || self.notify_overflowed()
    }

    fn answer_from_now(&mut self) -> Answer {
        let now = Instant::now();
        let pace = self.connection().stream().pace();
        let (silence, total) = pace.map_or_else(Default::default, |pace| (pace.idle, pace.total));
        Answer { last: now, silence, complete: now.checked_add(total) }
    }
}

/// Waits until letters arrive in one of the selected mailboxes, on one connection each. Returns which
/// of them have new letters, by position, and how many messages there are in each; nothing if the
/// time is up. [`ImapClient::wait_for_mail`] says what ends the wait.
///
/// # Errors
/// Those of [`ImapClient::wait_for_mail`], and the position of the connection that failed. The others
/// stay usable.
pub fn wait_for_any(
    clients: &mut [&mut ImapClient],
    timeout: Option<Duration>,
) -> Result<Vec<(usize, u32)>, (usize, Error)> {
    let mut waits: Vec<Wait> = clients.iter().map(|_| Wait::default()).collect();
    let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let result = wait_with(clients, &mut waits, until);
    if result.is_err() {
        for (client, wait) in clients.iter_mut().zip(&mut waits) {
            client.leave_waiting(wait);
        }
    }
    result
}

fn wait_with(
    clients: &mut [&mut ImapClient],
    waits: &mut [Wait],
    until: Option<Instant>,
) -> Result<Vec<(usize, u32)>, (usize, Error)> {
    for (position, client) in clients.iter().enumerate() {
        client.check_waiting().map_err(|error| (position, error))?;
    }
    let mut heard = Vec::new();
    let mut dues = vec![None; clients.len()];
    let mut at_rest = vec![false; clients.len()];
    let mut ready: Vec<usize> = (0..clients.len()).collect();
    let mut begun = vec![false; clients.len()];
    loop {
        // A wait that is over ends when each server has been asked once.
        let ends = !heard.is_empty() || is_over(until) && begun.iter().all(|begun| *begun);
        if ends || ready.is_empty() {
            ready = (0..clients.len()).collect();
        }
        for position in std::mem::take(&mut ready) {
            if at_rest[position] {
                continue;
            }
            let gone_on = clients[position].go_on_waiting(&mut waits[position], ends);
            begun[position] = true;
            match gone_on.map_err(|error| (position, error))? {
                Heard::Letters(count) => {
                    heard.push((position, count));
                    at_rest[position] = true;
                }
                Heard::Nothing => at_rest[position] = true,
                Heard::Until(due) => dues[position] = due,
            }
        }
        if at_rest.iter().all(|at_rest| *at_rest) {
            heard.sort_unstable();
            return Ok(heard);
        }
        if !heard.is_empty() && !ends {
            continue; // the others end
        }
        let due = dues.iter().zip(&at_rest).filter(|(_, at_rest)| !**at_rest);
        let due = due.filter_map(|(due, _)| *due).chain(until.filter(|_| !ends)).min();
        ready = wait_for_streams(clients, &at_rest, due)?;
    }
}

/// Waits for the streams of those that are not at rest. Returns the positions of those that can go
/// on; none, if the time is up.
fn wait_for_streams(
    clients: &mut [&mut ImapClient],
    at_rest: &[bool],
    due: Option<Instant>,
) -> Result<Vec<usize>, (usize, Error)> {
    let interrupt = clients.first_mut().and_then(|client| client.connection().stream().interrupt());
    let waiting = clients.iter_mut().enumerate().filter(|(position, _)| !at_rest[*position]);
    let (positions, streams): (Vec<usize>, Vec<Awaited<'_>>) =
        waiting.map(|(position, client)| (position, client.awaited())).unzip();
    let first = positions.first().copied().unwrap_or(0);
    match transport::wait_for_any(&streams, None, due, interrupt.as_ref()) {
        Ok(Woken::Streams(ready)) => Ok(ready.into_iter().map(|at| positions[at]).collect()),
        Ok(Woken::TimeIsUp | Woken::Waker) => Ok(Vec::new()),
        Ok(Woken::Interrupted) => Err((first, TransportError::Interrupted.into())),
        Err(error) => Err((first, TransportError::from_io(&error, 0.0).into())),
    }
}

/// When the server must have answered, as for any command.
#[derive(Debug)]
struct Answer {
    last: Instant,
    /// The longest silence.
    silence: Duration,
    /// When the answer must be complete.
    complete: Option<Instant>,
}

impl Answer {
    fn due(&self) -> Option<Instant> {
        self.last.checked_add(self.silence).into_iter().chain(self.complete).min()
    }
}

fn is_over(until: Option<Instant>) -> bool {
    until.is_some_and(|until| Instant::now() >= until)
}
