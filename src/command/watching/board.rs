//! What is known about each watch and each script of this process: for the status file, the metrics
//! and systemd.

use crate::api::{Event, Means, What};
use crate::state::now;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What a watch is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum State {
    #[default]
    Begins,
    Connecting,
    Handling,
    Waiting(Means),
    Lost,
    Ended,
}

impl State {
    pub(super) fn words(self) -> &'static str {
        match self {
            State::Begins => "begins",
            State::Connecting => "connecting",
            State::Handling => "handles letters",
            State::Waiting(Means::Idle) => "waits (IDLE)",
            State::Waiting(Means::Notify) => "waits (NOTIFY)",
            State::Waiting(Means::Asking) => "waits (asking)",
            State::Lost => "not connected",
            State::Ended => "ended",
        }
    }
}

/// One watch. Times are in milliseconds since 1970.
#[derive(Debug, Clone, Default)]
pub(super) struct Watch {
    pub state: State,
    /// Since when it is in this state.
    pub since: i64,
    /// Whether it has come as far as letters or waiting, or failed to, since its script was
    /// started.
    pub settled: bool,
    pub arrived: u64,
    pub handled: u64,
    pub failed: u64,
    pub set_aside: u64,
    pub repeated: u64,
    pub lost: u64,
    pub last_letter: Option<i64>,
    pub error: Option<String>,
    /// When the connection, or a letter that has failed, is tried again.
    pub next: Option<i64>,
}

/// Which watch: the script's number, account, mailbox, cursor.
pub(super) type Key = (usize, String, String, String);

/// What a script is doing.
#[derive(Debug, Clone, Default)]
pub(super) struct ScriptState {
    pub runs: bool,
    pub error: Option<String>,
    /// When it is started again.
    pub next: Option<i64>,
}

/// Everything.
#[derive(Debug, Default)]
pub(super) struct Board(Mutex<Known>);

/// What a board holds.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    pub watches: BTreeMap<Key, Watch>,
    /// By number.
    pub scripts: BTreeMap<usize, ScriptState>,
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn known(&self) -> Known {
        self.lock().clone()
    }

    /// A script is started. Its watches keep their counts.
    pub(super) fn starts(&self, script: usize) {
        let mut known = self.lock();
        known.scripts.insert(script, ScriptState { runs: true, ..ScriptState::default() });
        for (key, watch) in &mut known.watches {
            watch.settled &= key.0 != script;
        }
    }

    /// A script has ended, and may be started again after some time.
    pub(super) fn ended(&self, script: usize, error: Option<String>, again: Option<Duration>) {
        let mut known = self.lock();
        let next = again.map(after);
        known.scripts.insert(script, ScriptState { runs: false, error, next });
    }

    /// Notes what has happened to a watch. `error` is that of the event, without secrets.
    pub(super) fn note(&self, script: usize, event: &Event<'_>, error: Option<&str>) {
        let mut known = self.lock();
        for (mailbox, cursor) in [(event.mailbox, event.cursor)].iter().chain(&event.others) {
            let key = (script, event.account.into(), (*mailbox).into(), (*cursor).into());
            known.watches.entry(key).or_default().note(&event.what, error);
        }
    }
}

impl Watch {
    fn note(&mut self, what: &What<'_>, error: Option<&str>) {
        let before = self.state;
        if let Some(error) = error {
            self.error = Some(error.to_owned());
        }
        match what {
            What::Begins => self.state = State::Begins,
            What::Connecting => (self.state, self.next) = (State::Connecting, None),
            What::Waits(means) => (self.state, self.settled) = (State::Waiting(*means), true),
            What::Lost { again, .. } => {
                (self.state, self.settled) = (State::Lost, true);
                self.next = Some(after(*again));
                self.lost += 1;
            }
            What::Arrived(count) => {
                self.settled = true;
                self.arrived += *count as u64;
                self.last_letter = Some(now());
                if !matches!(before, State::Waiting(_)) {
                    self.state = State::Handling;
                }
            }
            What::Handled { .. } => self.handled += 1,
            What::Failed { again, .. } => {
                self.failed += 1;
                self.set_aside += u64::from(again.is_none());
                self.next = again.map(after).or(self.next);
            }
            What::Repeats { .. } => self.repeated += 1,
            What::Ends => (self.state, self.next) = (State::Ended, None),
            What::Left(_) | What::OtherUids => {}
        }
        if self.state != before || self.since == 0 {
            self.since = now();
        }
    }
}

impl Known {
    /// Whether every script has come as far as waiting for letters, or ended, or failed to.
    pub(super) fn is_settled(&self) -> bool {
        self.scripts.iter().all(|(number, script)| {
            let own = |(key, watch): &(&Key, &Watch)| {
                key.0 == *number && watch.state != State::Ended // by an earlier run
            };
            let mut own = self.watches.iter().filter(own).peekable();
            !script.runs || own.peek().is_some() && own.all(|(_, watch)| watch.settled)
        })
    }

    /// Whether a watch belongs to the run of its script that is the last one, or to one that has ended.
    pub(super) fn is_current(&self, (script, ..): &Key, watch: &Watch) -> bool {
        let runs = self.scripts.get(script).is_some_and(|script| script.runs);
        !(runs && watch.state == State::Ended)
    }

    /// The state of all watches in one line.
    pub(super) fn summary(&self) -> String {
        let count =
            |is: fn(State) -> bool| self.watches.values().filter(|one| is(one.state)).count();
        let waiting = count(|state| matches!(state, State::Waiting(_)));
        let sum = |what: fn(&Watch) -> u64| self.watches.values().map(what).sum::<u64>();
        format!(
            "{waiting} of {} watches wait, {} not connected; {} letters handled, {} failures",
            self.watches.len(),
            count(|state| state == State::Lost),
            sum(|watch| watch.handled),
            sum(|watch| watch.failed),
        )
    }
}

fn after(time: Duration) -> i64 {
    now().saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
}
