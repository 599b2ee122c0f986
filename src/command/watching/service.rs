//! The main thread of `postoffice watch`: it waits for messages, and acts on them.
//!
//! A signal lets the watches end; a second one interrupts the procedure that is running, a third one
//! ends the process. SIGHUP reads the scripts anew: one that cannot be read, or in which `postoffice
//! check` finds errors, goes on as it is; each other one is run again when its watches have ended. If
//! it fails then before it has watched, the text of before is run again.
//!
//! A script that fails is started again, after a pause that grows. One that fails before it has
//! watched anything for the first time ends the command.
//!
//! While it waits, it writes the status file and the metrics, and tells systemd that the process is
//! alive. It does not say so while a watch has been silent for longer than a procedure may take: a
//! watch at rest asks ten times a second whether it goes on. So systemd's watchdog ends a process
//! that hangs, and lets one be whose procedure takes long.

use super::WatchOptions;
use super::board::Board;
use super::log::{Level, Log};
use super::metrics;
use super::notify::Notifier;
use super::run::{Outcome, Run, Shared};
use super::signals::{self, Signal};
use super::status::StatusFile;
use crate::api::catalog::Interface;
use crate::api::{Setup, attach, spoken};
use crate::command::arguments::Global;
use crate::command::init::{self, source_of};
use crate::command::interrupt::INTERRUPTED;
use crate::command::setup::setup_for;
use crate::host::{Host, Options};
use std::collections::HashSet;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The pauses before a script is started again. Each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// A script that ran so long was a good one.
const STABLE: Duration = Duration::from_secs(600);

/// How often the status file is written at most, and the metrics.
const STATUS_EVERY: Duration = Duration::from_secs(1);
const METRICS_EVERY: Duration = Duration::from_secs(10);

/// What the main thread waits for.
enum Message {
    Signal(Signal),
    /// The board has changed.
    Changed,
    /// The run of a script has ended.
    Ended(usize, Outcome),
}

/// A script.
struct Script {
    path: PathBuf,
    name: String,
    source: Arc<str>,
    /// The text before it was read anew, until that has proved itself.
    before: Option<Arc<str>>,
    /// The text to run when the watches of the run have ended.
    fresh: Option<Arc<str>>,
    run: Option<Arc<Run>>,
    /// When it is started.
    next: Option<Instant>,
    /// How often it has failed in a row.
    failures: u32,
    /// Whether it has ever come as far as watching.
    has_begun: bool,
}

/// The service.
struct Service {
    shared: Arc<Shared>,
    scripts: Vec<Script>,
    sender: Sender<Message>,
    messages: Receiver<Message>,
    /// Whether [`Message::Changed`] is under way.
    told: Arc<AtomicBool>,
    /// How many signals to end have come.
    signals: u32,
    code: i32,
    /// Whether it was started at a terminal.
    at_terminal: bool,
    names: Vec<String>,
    notifier: Notifier,
    /// Whether systemd knows that all watches have come as far as waiting.
    is_ready: bool,
    status: Option<StatusFile>,
    metrics: Option<PathBuf>,
    stuck_after: Duration,
    /// When these are due.
    status_at: Option<Instant>,
    metrics_at: Option<Instant>,
    watchdog_at: Option<Instant>,
    /// What could not be written last time, which was logged then.
    unwritten: HashSet<&'static str>,
}

/// Runs the scripts until they end. Returns the exit code.
pub(super) fn serve(global: &Global, options: WatchOptions) -> Result<i32, String> {
    let scripts: Result<Vec<Script>, String> =
        options.files.into_iter().map(Script::read).collect();
    let scripts = scripts?;
    let init = options.init.then(init::asked_for).transpose()?;
    let (sender, messages) = channel();
    let told = Arc::new(AtomicBool::new(false));
    let (changes, is_told) = (sender.clone(), told.clone());
    let changed = move || {
        if !is_told.swap(true, Ordering::SeqCst) {
            let _ = changes.send(Message::Changed); // fails when the service has ended
        }
    };
    let shared = Shared {
        global: global.clone(),
        setup: setup_for(global)?,
        init: Mutex::new(init),
        arguments: options.arguments,
        once: options.once,
        log: Log::new(options.log, global.quiet),
        board: Board::default(),
        ends: AtomicBool::default(),
        has_failures: AtomicBool::default(),
        changed: Box::new(changed),
    };
    let signals = sender.clone();
    signals::listen(move |signal| {
        let _ = signals.send(Message::Signal(signal)); // as above
    })?;
    let names: Vec<String> = scripts.iter().map(|script| script.name.clone()).collect();
    let notifier = Notifier::from_environment();
    let now = Some(Instant::now());
    let mut service = Service {
        shared: Arc::new(shared),
        names,
        is_ready: false,
        status: None,
        status_at: None,
        metrics_at: options.metrics.as_ref().and(now),
        watchdog_at: notifier.watchdog().and(now),
        notifier,
        metrics: options.metrics,
        stuck_after: Duration::from_secs(options.stuck_after),
        unwritten: HashSet::new(),
        scripts,
        sender,
        messages,
        told,
        signals: 0,
        code: 0,
        at_terminal: std::io::stderr().is_terminal(),
    };
    // The sandbox's state ends with the process.
    if !global.sandbox {
        service.make_status();
    }
    Ok(service.run())
}

impl Script {
    fn read(path: PathBuf) -> Result<Script, String> {
        Ok(Script {
            source: source_of(&path)?.into(),
            name: path.display().to_string(),
            path,
            before: None,
            fresh: None,
            run: None,
            next: Some(Instant::now()),
            failures: 0,
            has_begun: false,
        })
    }

    /// Notes that it has failed. Returns the pause before it is started again.
    fn fails(&mut self) -> Duration {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(20)).min(LONGEST_PAUSE);
        self.failures += 1;
        self.next = Some(Instant::now() + pause);
        pause
    }
}

impl Service {
    fn run(mut self) -> i32 {
        loop {
            self.start_due();
            self.report();
            let is_over = |script: &Script| script.run.is_none() && script.next.is_none();
            if self.scripts.iter().all(is_over) {
                break;
            }
            match self.receive() {
                Some(Message::Signal(signal)) => self.heed(signal),
                Some(Message::Changed) => {
                    self.told.store(false, Ordering::SeqCst);
                    self.note_change();
                }
                Some(Message::Ended(number, outcome)) => {
                    self.ended(number, outcome);
                    self.note_change();
                }
                None => {}
            }
        }
        let has_failures = self.shared.once && self.shared.has_failures.load(Ordering::SeqCst);
        if self.code == 0 {
            self.code = i32::from(has_failures);
        }
        self.write_metrics();
        self.write_status(Some(self.code));
        if matches!(self.code, 0 | INTERRUPTED)
            && let Some(status) = self.status.take()
        {
            status.remove();
        }
        self.code
    }

    fn make_status(&mut self) {
        let absolute = |script: &Script| {
            let path = std::path::absolute(&script.path);
            path.map_or_else(|_| script.name.clone(), |path| path.display().to_string())
        };
        match StatusFile::create(self.scripts.iter().map(absolute).collect()) {
            Ok(status) => (self.status, self.status_at) = (Some(status), Some(Instant::now())),
            Err(error) => {
                let words = format!("postoffice status will not show this process: {error}");
                self.shared.log.note(Level::Warning, None, "status", &words);
            }
        }
    }

    fn note_change(&mut self) {
        self.status_at.get_or_insert_with(|| Instant::now() + STATUS_EVERY);
    }

    /// Tells others what is due.
    fn report(&mut self) {
        let now = Instant::now();
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let is_reading = self.scripts.iter().any(|script| script.fresh.is_some());
        if !self.is_ready && !is_reading && self.shared.board.known().is_settled() {
            self.is_ready = true;
            self.notifier.is_ready();
            self.status_at = Some(now);
        }
        if is_due(self.status_at) {
            self.status_at = None;
            self.write_status(None);
        }
        if is_due(self.metrics_at) {
            self.metrics_at = Some(now + METRICS_EVERY);
            self.write_metrics();
        }
        if is_due(self.watchdog_at) {
            self.watchdog_at = self.notifier.watchdog().map(|every| now + every);
            if self.runs().all(|run| run.silence() <= self.stuck_after) {
                self.notifier.is_alive();
            }
        }
    }

    fn write_status(&mut self, code: Option<i32>) {
        let known = self.shared.board.known();
        self.notifier.status(&known.summary());
        if let Some(status) = &self.status {
            let written = status.write(&self.names, &known, code);
            self.note_written("status", "the status file", written);
        }
    }

    fn write_metrics(&mut self) {
        if let Some(path) = &self.metrics {
            let text = metrics::text(&self.names, &self.shared.board.known());
            let what = path.display().to_string();
            let written = metrics::write(path, &text).map_err(|error| error.to_string());
            self.note_written("metrics", &what, written);
        }
    }

    /// Logs that something could not be written, once.
    fn note_written(&mut self, event: &'static str, what: &str, written: Result<(), String>) {
        match written {
            Ok(()) => {
                self.unwritten.remove(event);
            }
            Err(error) if self.unwritten.insert(event) => {
                let words = format!("{what} cannot be written: {error}");
                self.shared.log.note(Level::Warning, None, event, &words);
            }
            Err(_) => {}
        }
    }

    /// Waits for a message, or until something is due.
    fn receive(&self) -> Option<Message> {
        let starts = self.scripts.iter().map(|script| script.next);
        let others = [self.status_at, self.metrics_at, self.watchdog_at];
        let due = starts.chain(others).flatten().min();
        let Some(due) = due else { return self.messages.recv().ok() };
        self.messages.recv_timeout(due.saturating_duration_since(Instant::now())).ok()
    }

    fn start_due(&mut self) {
        let now = Instant::now();
        for (number, script) in self.scripts.iter_mut().enumerate() {
            if script.run.is_some() || script.next.is_none_or(|next| next > now) {
                continue;
            }
            script.next = None;
            let sender = self.sender.clone();
            let done = move |outcome| {
                let _ = sender.send(Message::Ended(number, outcome)); // the service has ended
            };
            let (shared, name) = (self.shared.clone(), script.name.clone());
            match Run::start(shared, (number, name), script.source.clone(), done) {
                Ok(run) => script.run = Some(run),
                Err(error) => {
                    let _ = self.sender.send(Message::Ended(number, Outcome::Failed(error)));
                }
            }
        }
    }

    fn log(&self, level: Level, number: usize, event: &str, words: &str) {
        self.shared.log.note(level, Some(&self.scripts[number].name), event, words);
    }

    fn heed(&mut self, signal: Signal) {
        let is_gone = || self.at_terminal && !std::io::stderr().is_terminal();
        match signal {
            Signal::HangUp if !is_gone() => return self.read_anew(),
            Signal::HangUp | Signal::Terminate => {}
            Signal::Interrupt => self.code = INTERRUPTED,
        }
        self.signals += 1;
        match self.signals {
            1 => {
                let words = "ends when the running procedures have; a second signal stops them";
                self.shared.log.note(Level::Info, None, "signal", words);
                self.notifier.is_stopping();
                self.end();
            }
            2 => {
                self.code = INTERRUPTED;
                self.runs().for_each(|run| run.interrupt());
            }
            _ => std::process::exit(INTERRUPTED),
        }
    }

    fn runs(&self) -> impl Iterator<Item = &Arc<Run>> {
        self.scripts.iter().filter_map(|script| script.run.as_ref())
    }

    /// Lets everything end.
    fn end(&mut self) {
        self.shared.ends.store(true, Ordering::SeqCst);
        self.runs().for_each(|run| run.leave());
        self.scripts.iter_mut().for_each(|script| script.next = None);
    }

    fn is_ending(&self) -> bool {
        self.shared.ends.load(Ordering::SeqCst)
    }

    /// Reads the scripts anew.
    fn read_anew(&mut self) {
        if self.is_ending() {
            return;
        }
        self.notifier.is_reloading();
        self.is_ready = false;
        let init = match self.shared.init().map(|_| init::asked_for()).transpose() {
            Ok(init) => init,
            Err(error) => {
                let words = format!("all scripts go on as they were, not read anew: {error}");
                return self.shared.log.note(Level::Error, None, "not-read", &words);
            }
        };
        let mut is_read = false;
        for number in 0..self.scripts.len() {
            match checked(&self.scripts[number], init.as_ref()) {
                Err(error) => {
                    let words = format!("goes on as it was, not read anew: {error}");
                    self.log(Level::Error, number, "not-read", &words);
                }
                Ok(source) => {
                    self.log(Level::Info, number, "read", "is read anew");
                    is_read = true;
                    let script = &mut self.scripts[number];
                    match &script.run {
                        Some(run) => {
                            script.fresh = Some(source);
                            run.leave();
                        }
                        None => script.replace(source),
                    }
                }
            }
        }
        if is_read {
            *self.shared.init.lock().unwrap_or_else(PoisonError::into_inner) = init;
        }
    }

    fn ended(&mut self, number: usize, outcome: Outcome) {
        let ends = self.is_ending();
        let once = self.shared.once;
        let script = &mut self.scripts[number];
        let run = script.run.take();
        let has_begun = run.as_ref().is_some_and(|run| run.has_begun());
        script.has_begun |= has_begun;
        if has_begun {
            script.before = None;
        }
        if run.is_some_and(|run| run.started.elapsed() >= STABLE) {
            script.failures = 0;
        }
        if !ends && let Some(source) = script.fresh.take() {
            return script.replace(source);
        }
        let board = &self.shared.board;
        match outcome {
            Outcome::Ended(code) => {
                board.ended(number, None, None);
                self.code = if self.code == 0 { code } else { self.code };
            }
            // The signal has set the exit code.
            Outcome::Interrupted => board.ended(number, None, None),
            Outcome::Failed(error) if ends || once => {
                board.ended(number, Some(error.clone()), None);
                self.code = if self.code == 0 { 1 } else { self.code };
                self.log(Level::Error, number, "script-failed", &error);
            }
            Outcome::Failed(error) => {
                if let Some(before) = script.before.take() {
                    (script.source, script.next) = (before, Some(Instant::now()));
                    let words =
                        format!("has failed at once; the one of before is run again\n{error}");
                    return self.log(Level::Error, number, "not-read", &words);
                }
                if !script.has_begun {
                    board.ended(number, Some(error.clone()), None);
                    self.log(Level::Error, number, "script-failed", &error);
                    self.code = 1;
                    return self.end();
                }
                let pause = script.fails();
                board.ended(number, Some(error.clone()), Some(pause));
                let words =
                    format!("has failed; it is started again in {}\n{error}", spoken(pause));
                self.log(Level::Error, number, "script-failed", &words);
            }
        }
    }
}

impl Script {
    /// Runs another text as soon as possible.
    fn replace(&mut self, source: Arc<str>) {
        self.before = Some(std::mem::replace(&mut self.source, source));
        self.next = Some(Instant::now());
    }
}

/// Reads a script, and checks it as `postoffice check` does.
fn checked(script: &Script, init: Option<&(String, String)>) -> Result<Arc<str>, String> {
    let source = source_of(&script.path)?;
    let mut host = Host::new(Options { output: Box::new(|_| Ok(())), ..Options::default() });
    attach(&mut host, &Setup::default());
    let init = init.map(|(text, name)| (text.as_str(), name.as_str()));
    let mut reports = init.map_or_else(Vec::new, |(text, name)| host.check(text, name, &Interface));
    reports.extend(host.check_after(init, &source, &script.name, &Interface));
    match reports.first() {
        None => Ok(source.into()),
        Some(report) => Err(report.to_string()),
    }
}
