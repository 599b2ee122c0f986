//! Measures processor time, for tests that a slow algorithm must fail and a busy machine must not.

use std::time::{Duration, Instant};

/// The processor time of the current thread, on Linux; elsewhere the time that passes.
pub struct Stopwatch {
    started: Instant,
    used_before: Option<Duration>,
}

impl Stopwatch {
    pub fn start() -> Stopwatch {
        Stopwatch { started: Instant::now(), used_before: used() }
    }

    /// The time since the start, which must have been on the same thread.
    pub fn elapsed(&self) -> Duration {
        match (used(), self.used_before) {
            (Some(now), Some(before)) => now - before,
            _ => self.started.elapsed(),
        }
    }
}

/// The first field of the file is in nanoseconds.
fn used() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(text.split(' ').next()?.parse().ok()?))
}
