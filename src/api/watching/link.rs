//! One connection of a watch, and how far it has come.
//!
//! ```text
//!   down ──its time──▶ connecting ──▶ looking ──▶ waiting ──news──▶ looking
//!    ▲                  (thread)      (thread)       │
//!    └───────────────────── lost ────────────────────┘
//! ```
//!
//! A job connects or looks for letters in a thread of its own, and wakes the watch when it is done:
//! one server that is slow or silent delays no other. While it waits, a link costs one descriptor. A
//! link that serves several mailboxes waits for all of them by NOTIFY; without NOTIFY it looks again and
//! again, after pauses that grow.

use super::intake::{self, Failure, Outcome, Wanted};
use crate::api::objects::ImapMailbox;
use crate::api::reconnection::How;
use crate::client::{Credentials, Error, ImapClient, Wait};
use crate::host::Value;
use crate::state::OnDemand;
use crate::transport::{Connector, Waker};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

/// The first and the longest time between two attempts to connect.
const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_secs(300);

/// A connection that held so long was a good one.
const STABLE: Duration = Duration::from_secs(10);

/// After a connection that was waited on no more failures count than these, so that the next attempt is
/// made within four seconds.
const MOST_AFTER_WAITING: u32 = 3;

/// The pauses of a link that serves several mailboxes. Each is twice as long as the one before,
/// until a letter arrives. The same are made before a mailbox is asked for again that is refused.
pub(super) const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How an account is reached.
pub(super) struct Account {
    pub host: String,
    pub how: Arc<How>,
}

/// A connection.
pub(super) struct Link {
    /// The script's name for the account.
    pub account: String,
    pub reached: Arc<Account>,
    /// The posts that it serves, by number.
    pub posts: Vec<usize>,
    /// The mailbox object of the script, once it was connected.
    pub mailbox: Option<(Value, Arc<ImapMailbox>)>,
    pub stage: Stage,
    /// How many attempts to connect have failed in a row.
    pub failures: u32,
    /// Since when it is connected.
    pub up_since: Option<Instant>,
    /// Whether it was told since then that it waits.
    pub has_waited: bool,
    /// Whether letters may have arrived that the server will not announce.
    pub must_look: bool,
    /// The mailboxes in whose place another one was selected since the last look.
    pub left: Vec<String>,
    /// How many mailboxes had been selected when the procedure was called.
    pub selections: u64,
    /// The next pause.
    pause: Duration,
}

/// How far a link has come.
pub(super) enum Stage {
    /// Not connected; the next attempt is then.
    Down(Instant),
    /// A job runs.
    Busy(Receiver<Report>),
    /// It is connected, and somebody must look for letters.
    Idle,
    /// It waits for letters, and goes on by itself then.
    Waiting(Wait, Option<Instant>),
    /// It pauses until then.
    Pausing(Instant),
    /// Letters are being handled.
    AtWork,
}

/// What a job has come to.
pub(super) enum Report {
    Connected(Result<Box<ImapClient>, Error>),
    /// What was found for each post.
    Looked(Result<Vec<Outcome>, Failure>),
}

impl Link {
    pub(super) fn new(account: String, reached: Arc<Account>, posts: Vec<usize>) -> Link {
        Link {
            account,
            reached,
            posts,
            mailbox: None,
            stage: Stage::Down(Instant::now()),
            failures: 0,
            up_since: None,
            has_waited: false,
            must_look: false,
            left: Vec::new(),
            selections: 0,
            pause: SHORTEST_PAUSE,
        }
    }

    /// Notes that the connection is lost or could not be made. Returns when the next attempt is.
    pub(super) fn lost(&mut self) -> Duration {
        if self.up_since.take().is_some_and(|since| since.elapsed() >= STABLE) {
            self.failures = 0;
        }
        // It came so far as to wait: the server is there, and the way to it is bad.
        if std::mem::take(&mut self.has_waited) {
            self.failures = self.failures.min(MOST_AFTER_WAITING);
        }
        let again = delay(self.failures, chance());
        self.failures = self.failures.saturating_add(1);
        self.stage = Stage::Down(Instant::now() + again);
        again
    }

    /// Pauses, longer each time, but not longer than until `latest`.
    pub(super) fn rest(&mut self, latest: Option<Instant>) {
        let end = Instant::now() + self.pause;
        self.stage = Stage::Pausing(latest.map_or(end, |latest| end.min(latest)));
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    pub(super) fn letters_came(&mut self) {
        self.pause = SHORTEST_PAUSE;
    }

    /// Connects, in a thread of its own.
    pub(super) fn connect(
        &mut self,
        credentials: Credentials,
        connector: &Connector,
        renewal: Option<Duration>,
        waker: &Waker,
    ) {
        let (reached, connector) = (self.reached.clone(), connector.clone());
        let earlier = self.mailbox.as_ref().map(|(_, mailbox)| mailbox.clone());
        self.stage = job(waker, move || {
            let options = &reached.how.options;
            let made = match earlier {
                Some(mailbox) => mailbox.client().connect_again(&connector, &credentials, options),
                None => ImapClient::connect(&connector, &reached.host, &credentials, options),
            };
            Report::Connected(made.map(|mut client| {
                if let Some(renewal) = renewal {
                    client.renew_idle_after(renewal);
                }
                Box::new(client)
            }))
        });
    }

    /// Looks for new letters, in a thread of its own.
    pub(super) fn look(&mut self, wanted: Vec<Wanted>, database: Arc<OnDemand>, waker: &Waker) {
        let Some((_, mailbox)) = &self.mailbox else { return };
        let mailbox = mailbox.clone();
        self.stage =
            job(waker, move || Report::Looked(intake::take_in_all(&mailbox, &database, &wanted)));
    }

    /// The report of the job, once it has ended.
    pub(super) fn report(&self) -> Option<Report> {
        let Stage::Busy(receiver) = &self.stage else { return None };
        match receiver.try_recv() {
            Ok(report) => Some(report),
            Err(TryRecvError::Empty) => None,
            // It has panicked, or could not be started.
            Err(TryRecvError::Disconnected) => Some(Report::Connected(Err(Error::Closed))),
        }
    }
}

fn job(waker: &Waker, work: impl FnOnce() -> Report + Send + 'static) -> Stage {
    let (sender, receiver) = channel();
    let waker = waker.clone();
    let started = std::thread::Builder::new().name("watch".into()).spawn(move || {
        let _ = sender.send(work()); // fails if the watch has ended
        waker.wake();
    });
    match started {
        Ok(_) => Stage::Busy(receiver),
        Err(_) => Stage::Down(Instant::now() + FIRST_DELAY), // too many threads now
    }
}

/// How long to wait after so many failures in a row, with some chance in it, so that many links do
/// not come back together. The first attempt is made at once: most servers that cut a connection take
/// the next one.
fn delay(failures: u32, chance: f64) -> Duration {
    let Some(doublings) = failures.checked_sub(1) else { return Duration::ZERO };
    let delay = FIRST_DELAY.saturating_mul(1 << doublings.min(20));
    delay.min(LONGEST_DELAY).mul_f64(0.5 + chance / 2.0)
}

/// A number from 0 to 1.
fn chance() -> f64 {
    f64::from(getrandom::u32().unwrap_or(u32::MAX / 2)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_become_rarer_up_to_a_limit() {
        let table =
            [(0, 0.0, 0.0), (1, 0.5, 1.0), (2, 1.0, 2.0), (5, 8.0, 16.0), (99, 150.0, 300.0)];
        for (failures, least, most) in table {
            assert_eq!(delay(failures, 0.0).as_secs_f64(), least, "{failures}");
            assert_eq!(delay(failures, 1.0).as_secs_f64(), most, "{failures}");
        }
    }
}
