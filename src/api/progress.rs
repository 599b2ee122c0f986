//! Progress of long operations: the running function, its bytes and messages so far, and the
//! expected totals.
//!
//! A native starts an operation with [`Progress::begin`] and counts messages; connections count
//! bytes. The [`Display`] is called after a second at the earliest, and then at most ten times a
//! second. It comes from the program: this module does not know who shows progress, or how. A host
//! runs one operation at a time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Operations shorter than this are not shown.
pub const SHOWN_AFTER: Duration = Duration::from_secs(1);

/// The shortest time between two updates of the display.
const EVERY: Duration = Duration::from_millis(100);

/// A snapshot of the progress of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// The running function.
    pub function: String,
    /// Bytes sent and received.
    pub bytes: u64,
    /// The expected number of bytes, approximately, if known.
    pub all_bytes: Option<u64>,
    /// Messages that are done.
    pub messages: u64,
    /// The expected number of messages, if known.
    pub all_messages: Option<u64>,
    /// How much of its command the server has done, and of how much, if it says so (INPROGRESS, RFC
    /// 9585).
    pub work: Option<(u64, u64)>,
    /// Time since it began.
    pub elapsed: Duration,
}

/// Displays progress.
pub trait Display: Send + Sync {
    /// Shows the progress of an operation.
    fn show(&self, moment: &Moment);
    /// Removes what was shown: the operation has ended, or other output follows.
    fn clear(&self);
}

/// The progress of the running operation of one host.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<Shared>>);

struct Shared {
    display: Box<dyn Display>,
    running: Mutex<Option<Running>>,
}

struct Running {
    moment: Moment,
    started: Instant,
    shown: Option<Instant>,
}

impl Progress {
    /// Makes a progress that is displayed; the default is not.
    pub fn shown_by(display: impl Display + 'static) -> Progress {
        Progress(Some(Arc::new(Shared { display: Box::new(display), running: Mutex::default() })))
    }

    /// Whether progress is displayed.
    pub fn is_shown(&self) -> bool {
        self.0.is_some()
    }

    /// Starts an operation; dropping the returned guard ends it.
    pub fn begin(&self, function: &str) -> Work {
        if let Some(shared) = &self.0 {
            let moment = Moment {
                function: function.to_owned(),
                bytes: 0,
                all_bytes: None,
                messages: 0,
                all_messages: None,
                work: None,
                elapsed: Duration::ZERO,
            };
            *shared.running() = Some(Running { moment, started: Instant::now(), shown: None });
        }
        Work(self.clone())
    }

    /// Counts bytes that were sent or received. With 0 it only lets the display show that time
    /// passes.
    pub fn bytes(&self, count: usize) {
        self.change(|moment| moment.bytes += count as u64);
    }

    /// Counts a message that is done.
    pub fn message(&self) {
        self.change(|moment| moment.messages += 1);
    }

    /// Sets how much of its command the server has done, and of how much.
    pub fn work(&self, done: u64, all: u64) {
        self.change(|moment| moment.work = Some((done, all)));
    }

    /// Sets the expected number of messages.
    pub fn expect_messages(&self, all: Option<u64>) {
        self.change(|moment| moment.all_messages = all);
    }

    /// Sets the expected number of bytes from now on, approximately.
    pub fn expect_bytes(&self, all: u64) {
        self.change(|moment| moment.all_bytes = Some(moment.bytes + all));
    }

    /// Hides the progress line until the next update, because other output follows.
    pub fn hide(&self) {
        let Some(shared) = &self.0 else { return };
        if shared.running().as_mut().is_some_and(|running| running.shown.take().is_some()) {
            shared.display.clear();
        }
    }

    fn change(&self, change: impl FnOnce(&mut Moment)) {
        let Some(shared) = &self.0 else { return };
        let mut running = shared.running();
        let Some(running) = running.as_mut() else { return };
        change(&mut running.moment);
        let elapsed = running.started.elapsed();
        if elapsed >= SHOWN_AFTER && running.shown.is_none_or(|shown| shown.elapsed() >= EVERY) {
            running.shown = Some(Instant::now());
            running.moment.elapsed = elapsed;
            shared.display.show(&running.moment);
        }
    }
}

impl Shared {
    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The guard of a running operation.
pub struct Work(Progress);

impl Drop for Work {
    fn drop(&mut self) {
        if let Some(shared) = &self.0.0
            && shared.running().take().is_some_and(|running| running.shown.is_some())
        {
            shared.display.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Record(Arc<Mutex<Vec<String>>>);

    impl Display for Record {
        fn show(&self, moment: &Moment) {
            let line = format!(
                "{} {} {} {:?}",
                moment.function, moment.bytes, moment.messages, moment.all_messages
            );
            self.0.lock().unwrap().push(line);
        }

        fn clear(&self) {
            self.0.lock().unwrap().push("clear".into());
        }
    }

    #[test]
    fn only_what_takes_long_is_shown() {
        let record = Record::default();
        let progress = Progress::shown_by(record.clone());
        let work = progress.begin("noop");
        progress.bytes(10);
        drop(work);
        progress.bytes(10);
        assert!(record.0.lock().unwrap().is_empty());
        let work = progress.begin("fetch-parts");
        progress.expect_messages(Some(2));
        progress.bytes(10);
        let Some(shared) = &progress.0 else { panic!("it is shown") };
        shared.running().as_mut().unwrap().started =
            Instant::now().checked_sub(SHOWN_AFTER).unwrap();
        progress.message();
        progress.bytes(5); // too soon after the last
        progress.hide();
        progress.hide();
        assert_eq!(*record.0.lock().unwrap(), ["fetch-parts 10 1 Some(2)", "clear"]);
        progress.message();
        drop(work);
        assert_eq!(record.0.lock().unwrap()[2..], ["fetch-parts 15 2 Some(2)", "clear"]);
        let silent = Progress::default();
        silent.begin("x");
        silent.bytes(1);
        assert!(!silent.is_shown());
    }
}
