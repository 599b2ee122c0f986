//! Stops a running program from outside: Ctrl-C, and a time limit.
//!
//! An [`Interrupter`] stops the form (see `stopping`). The interpreter unwinds without running
//! clean-up forms; the host runs them afterwards. A [`TimeLimit`] interrupts from a thread of its own: once when the time is up, again
//! after two seconds for clean-up, and then every 50 ms until it is dropped.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::Host;
use super::context::{AtomicTime, Time};
use super::stopping::Stopping;

/// Stops the running form from another thread.
#[derive(Clone)]
pub struct Interrupter {
    stopping: Arc<Stopping>,
    time: Arc<AtomicTime>,
}

impl Interrupter {
    /// Stops the running form. Its clean-up forms run, and [`Host::evaluate`] returns a report that
    /// says it was interrupted. If nothing is running, the next call of [`Host::evaluate`] or
    /// [`Host::evaluate_file`] is not affected.
    pub fn interrupt(&self) {
        self.stopping.stop_all();
    }

    /// Returns whether the running form was stopped and has not ended yet.
    pub fn is_stopping(&self) -> bool {
        self.stopping.stops_all()
    }

    /// Stops the running form and lets no other start. If `finally` is set, no clean-up form starts
    /// either.
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
    /// Returns a handle that stops the running form.
    pub fn interrupter(&self) -> Interrupter {
        Interrupter { stopping: self.context.stopping().clone(), time: self.context.time_left() }
    }
}

/// Limits the time of programs in a host. When the time is up, the running form is interrupted, and
/// no other starts while the limit exists. Clean-up forms get two more seconds. Dropping the limit
/// ends it.
///
/// It cannot stop a native that waits without checking [`super::Context::interrupted`] or that
/// computes for a long time. Against those, run the host in a process of its own, as the command
/// does for `--untrusted`.
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

/// How long clean-up forms may run once the time is up.
const GRACE: Duration = Duration::from_secs(2);
/// How often the program is interrupted again after that, because it may start more clean-up forms.
const AGAIN: Duration = Duration::from_millis(50);

impl TimeLimit {
    /// Lets programs run in `host` for `time` from now on.
    ///
    /// # Errors
    /// The system cannot start the thread that watches the clock.
    pub fn start(host: &Host, time: Duration) -> io::Result<TimeLimit> {
        let interrupter = host.interrupter();
        let (running, ended) = mpsc::channel::<()>();
        let watching = interrupter.clone();
        // A thread, because the program may be anywhere: in a loop of its own, or waiting for a
        // server.
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

    /// Returns whether the time is up.
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
