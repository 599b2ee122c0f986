//! One run of a script: a host in a thread of its own, and the supervisor of its watches.

use super::board::Board;
use super::log::{Level, Log};
use crate::api::{Event, Progress, Setup, Supervisor, What, attach_showing, supervise};
use crate::command::arguments::Global;
use crate::command::init;
use crate::command::interrupt::INTERRUPTED;
use crate::command::journal::Journaled;
use crate::command::running::options;
use crate::host::{Context, Host, Interrupter, caught};
use crate::policy::Policy;
use crate::state::NewRun;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

/// The size of a thread's stack, as for `parallel-map`.
const STACK: usize = 64 << 20;

/// What all runs share.
pub(super) struct Shared {
    pub global: Global,
    pub setup: Setup,
    /// The text and the name of init.scm, if it is loaded first.
    pub init: Mutex<Option<(String, String)>>,
    pub arguments: Vec<String>,
    pub once: bool,
    pub log: Log,
    pub board: Board,
    /// Whether all watches are to end.
    pub ends: AtomicBool,
    /// Whether a letter has failed.
    pub has_failures: AtomicBool,
    /// Called when the board has changed.
    pub changed: Box<dyn Fn() + Send + Sync>,
}

impl Shared {
    pub(super) fn init(&self) -> Option<(String, String)> {
        self.init.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// How a run has ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The script has come to its end, or called `(exit)` with this code.
    Ended(i32),
    /// It was interrupted.
    Interrupted,
    /// It has failed.
    Failed(String),
}

/// A run.
pub(super) struct Run {
    shared: Arc<Shared>,
    /// The script's number and name.
    pub script: (usize, String),
    /// When it was started.
    pub started: Instant,
    /// Whether the watches of this run are to end.
    leaves: AtomicBool,
    /// Whether a watch has come as far as a connection, or failed to.
    begun: AtomicBool,
    /// How many watches are open.
    watching: AtomicUsize,
    /// When a watch has last asked whether it goes on.
    asked: Mutex<Instant>,
    host: Mutex<Option<(Interrupter, Weak<Context>)>>,
}

impl Run {
    /// Starts a thread that runs the script, and calls `done` at its end.
    pub(super) fn start(
        shared: Arc<Shared>,
        script: (usize, String),
        source: Arc<str>,
        done: impl FnOnce(Outcome) + Send + 'static,
    ) -> Result<Arc<Run>, String> {
        let now = Instant::now();
        let run = Arc::new(Run {
            shared,
            script,
            started: now,
            leaves: AtomicBool::default(),
            begun: AtomicBool::default(),
            watching: AtomicUsize::default(),
            asked: Mutex::new(now),
            host: Mutex::default(),
        });
        run.shared.board.starts(run.script.0);
        let own = run.clone();
        let thread = std::thread::Builder::new().name("script".to_owned()).stack_size(STACK);
        let thread = thread.spawn(move || {
            let outcome = caught(|| own.evaluate(&source));
            done(
                outcome
                    .unwrap_or_else(|reason| Outcome::Failed(format!("internal error: {reason}"))),
            );
        });
        thread.map(|_| run).map_err(|error| format!("no thread can be started: {error}"))
    }

    /// Lets the watches of this run end. A script that is not watching is interrupted.
    pub(super) fn leave(&self) {
        self.leaves.store(true, Ordering::SeqCst);
        if self.watching.load(Ordering::SeqCst) == 0 {
            self.interrupt();
        }
    }

    /// Stops the running form, also a procedure that handles a letter.
    pub(super) fn interrupt(&self) {
        if let Some((interrupter, _)) = &*self.host.lock().unwrap_or_else(PoisonError::into_inner) {
            interrupter.interrupt();
        }
    }

    /// Whether a watch has come as far as a connection, or failed to.
    pub(super) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::SeqCst)
    }

    /// How long its watches have been silent: a procedure is running, or hangs. Zero for a script
    /// that is not watching.
    pub(super) fn silence(&self) -> Duration {
        match self.watching.load(Ordering::SeqCst) {
            0 => Duration::ZERO,
            _ => self.asked.lock().unwrap_or_else(PoisonError::into_inner).elapsed(),
        }
    }

    fn evaluate(self: &Arc<Self>, source: &str) -> Outcome {
        let shared = &self.shared;
        let (_, name) = &self.script;
        let (script, arguments) = (Some(name.clone()), shared.arguments.clone());
        let mut setup = shared.setup.clone();
        let journaled = NewRun { script, arguments, ..NewRun::of("watch") };
        let journaled = Journaled::begin(&shared.global, &mut setup, journaled, true);
        let mut options = options(shared.arguments.clone(), Policy::trusted());
        let warned = self.clone();
        options.warnings = Box::new(move |condition| {
            let words = warned.redacted(&format!("Warning: {condition}"));
            warned.shared.log.note(Level::Warning, Some(&warned.script.1), "warning", &words);
        });
        let mut host = Host::new(options);
        let state = attach_showing(&mut host, &setup, &Progress::default());
        journaled.attach(&host);
        supervise(host.context(), self.clone());
        let handle = (host.interrupter(), Arc::downgrade(host.context()));
        *self.host.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle);
        // The host forgets an interrupt that comes while no form runs.
        let init = shared.init();
        let result = match self.goes_on() {
            true => init::load(&mut host, init.as_ref())
                .and_then(|()| host.evaluate_file(source, name).map(drop)),
            false => Ok(()),
        };
        let (outcome, code) = match result {
            Ok(()) => (Outcome::Ended(0), 0),
            Err(report) => match report.exit {
                Some(code) => (Outcome::Ended(code), code),
                None if report.interrupted => (Outcome::Interrupted, INTERRUPTED),
                None => (Outcome::Failed(report.to_string()), 1),
            },
        };
        state.close_all();
        journaled.finish(code);
        if shared.ends.load(Ordering::SeqCst) {
            // The process ends. Freeing a big value takes as long as making it.
            std::mem::forget(host);
        }
        outcome
    }

    fn redacted(&self, text: &str) -> String {
        let host = self.host.lock().unwrap_or_else(PoisonError::into_inner);
        let context = host.as_ref().and_then(|(_, context)| context.upgrade());
        context.map_or_else(|| text.to_owned(), |context| context.redact(text))
    }
}

impl Supervisor for Run {
    fn happened(&self, event: &Event<'_>) {
        match &event.what {
            What::Begins => {
                *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
                self.watching.fetch_add(1, Ordering::SeqCst);
            }
            What::Ends => {
                self.watching.fetch_sub(1, Ordering::SeqCst);
            }
            What::Connecting => {}
            what => {
                self.begun.store(true, Ordering::SeqCst);
                if matches!(what, What::Failed { .. }) {
                    self.shared.has_failures.store(true, Ordering::SeqCst);
                }
            }
        }
        let error = match &event.what {
            What::Lost { error, .. } | What::Failed { error, .. } => Some(self.redacted(error)),
            _ => None,
        };
        let words = self.redacted(&event.what.to_string());
        self.shared.board.note(self.script.0, event, error.as_deref());
        self.shared.log.event(&self.script.1, event, &words, error.as_deref());
        (self.shared.changed)();
    }

    fn goes_on(&self) -> bool {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        !self.leaves.load(Ordering::SeqCst) && !self.shared.ends.load(Ordering::SeqCst)
    }

    fn once(&self) -> bool {
        self.shared.once
    }
}
