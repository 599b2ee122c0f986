//! Stops a running program from outside: Ctrl-C, and a time limit.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use steel::steel_vm::ThreadStateController;

use super::Host;
use super::context::{AtomicTime, Time};

/// Stops the running form from another thread.
#[derive(Clone)]
pub struct Interrupter {
    flag: Arc<AtomicBool>,
    time: Arc<AtomicTime>,
    controller: ThreadStateController,
}

impl Interrupter {
    /// Stops the running form. Its clean-up forms run, and [`Host::evaluate`] returns a report that says it was interrupted.
    /// When nothing runs, the next form is not affected.
    pub fn interrupt(&self) {
        self.flag.store(true, Ordering::SeqCst);
        self.controller.interrupt();
    }

    /// Stops the running form and lets no other begin; `finally` leaves clean-up forms out too.
    fn time_is_up(&self, finally: bool) {
        self.time.set(if finally { Time::Finished } else { Time::Up });
        self.interrupt();
    }

    fn is_time_up(&self) -> bool {
        self.time.get() != Time::Left
    }

    fn forget_time(&self) {
        self.time.set(Time::Left);
    }
}

impl Host {
    /// A handle to stop the running form.
    pub fn interrupter(&self) -> Interrupter {
        Interrupter {
            flag: self.context.interrupt_flag(),
            time: self.context.time_left(),
            controller: self.engine.steel.get_thread_state_controller(),
        }
    }
}

/// Stops what runs in a host once its time is up: the running form is interrupted, and no other begins as long as the limit stands. Clean-up
/// forms have two seconds more. It ends when dropped.
///
/// A native that waits without asking [`super::Context::interrupted`] is not stopped, nor is one that computes for long by itself; a process
/// of its own, as the command has for `--untrusted`, is what holds against those.
///
/// ```
/// # use postoffice::host::{Host, Options, TimeLimit};
/// # use std::time::Duration;
/// let mut host = Host::new(Options::default());
/// let limit = TimeLimit::start(&host, Duration::from_millis(50))?;
/// let report = host.evaluate("(loop)", "example").unwrap_err();
/// assert!(report.interrupted && limit.is_over());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TimeLimit {
    interrupter: Interrupter,
    running: Option<mpsc::Sender<()>>,
    watchdog: Option<JoinHandle<()>>,
}

/// How long clean-up forms may take when the time is up.
const GRACE: Duration = Duration::from_secs(2);
/// How often a program that starts more clean-up forms is interrupted again.
const AGAIN: Duration = Duration::from_millis(50);

impl TimeLimit {
    /// Lets programs run in `host` for this long from now on.
    ///
    /// # Errors
    /// The system has no room for the thread that watches the clock.
    pub fn start(host: &Host, time: Duration) -> io::Result<TimeLimit> {
        let interrupter = host.interrupter();
        let (running, ended) = mpsc::channel::<()>();
        let watching = interrupter.clone();
        // A thread, since the program may be anywhere, in a loop of its own or waiting for a server.
        let watchdog = std::thread::Builder::new().spawn(move || {
            let (mut left, mut expired) = (time, 0);
            while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(left) {
                expired += 1;
                watching.time_is_up(expired > 1);
                left = if expired == 1 { GRACE } else { AGAIN };
            }
        })?;
        Ok(TimeLimit { interrupter, running: Some(running), watchdog: Some(watchdog) })
    }

    /// Whether the time is up.
    pub fn is_over(&self) -> bool {
        self.interrupter.is_time_up()
    }
}

impl Drop for TimeLimit {
    fn drop(&mut self) {
        drop(self.running.take());
        if let Some(watchdog) = self.watchdog.take() {
            let _ = watchdog.join(); // it does not panic
        }
        self.interrupter.forget_time();
    }
}
