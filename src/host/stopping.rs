//! Stopping what runs: the whole form from outside, or the body of a `with-timeout`.
//!
//! To stop, [`Stopping`] sets a flag, which natives check while they wait, and interrupts the
//! interpreter, which then fails before its next instruction. As long as the interrupt stands it
//! fails again before the first instruction of every handler, so the stack unwinds as a whole, and
//! no handler and no clean-up form of the program runs on the way.
//!
//! The only code of ours that runs on the way is the destructor of a value on the interpreter's
//! stack. So a [`Guard`] lies there below everything that the body of a `with-timeout` does, and
//! above the handler of that `with-timeout`. When the stack is cut down to the handler, the guard
//! is dropped. If the time of its own body is what stopped the program, it takes the interrupt
//! back, and the handler runs (`%with-timeout` in `timeouts.scm`): it runs the clean-up forms that
//! were left behind, and then what the script wants then. If more is to be stopped, by Ctrl-C or by
//! a `with-timeout` further out, the interrupt stands.
//!
//! One thread for each host watches the clock while there are timers.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use steel::steel_vm::ThreadStateController;

use super::context::lock;

/// Whether the running form is to stop, and the timers within it.
#[derive(Default)]
pub(super) struct Stopping {
    /// Whether something is to stop, for natives that wait.
    stops: AtomicBool,
    state: Mutex<State>,
    /// Signalled when the watching thread has to wake earlier.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    controller: ThreadStateController,
    /// The thread that evaluates.
    thread: Option<Thread>,
    /// Whether the whole form is to stop.
    from_outside: bool,
    /// The timers of the bodies that run, outermost first.
    timers: Vec<Running>,
    /// How many timers were started.
    started: u64,
    /// When the watching thread wakes next, if there is one.
    wakes: Option<Instant>,
    /// Whether the host is gone.
    is_gone: bool,
}

struct Running {
    number: u64,
    ends: Instant,
    is_over: bool,
}

impl State {
    /// Marks the timers whose time is over. Returns whether there are new ones.
    fn mark(&mut self, now: Instant) -> bool {
        let late = self.timers.iter_mut().filter(|timer| !timer.is_over && timer.ends <= now);
        late.map(|timer| timer.is_over = true).count() > 0
    }

    fn next_end(&self) -> Option<Instant> {
        self.timers.iter().filter(|timer| !timer.is_over).map(|timer| timer.ends).min()
    }
}

impl Stopping {
    pub fn set_controller(&self, controller: ThreadStateController) {
        lock(&self.state).controller = controller;
    }

    /// Whether something is to stop.
    pub fn stops(&self) -> bool {
        self.stops.load(Ordering::Relaxed)
    }

    /// Whether the whole form is to stop.
    pub fn stops_all(&self) -> bool {
        lock(&self.state).from_outside
    }

    /// Stops the whole form.
    pub fn stop_all(&self) {
        let mut state = lock(&self.state);
        state.from_outside = true;
        self.stop(&state);
    }

    /// Lets the next form run in this thread, whatever stopped the last one.
    pub fn resume(&self) {
        let mut state = lock(&self.state);
        state.thread = Some(std::thread::current());
        state.from_outside = false;
        state.timers.clear();
        self.go_on(&state);
    }

    fn stop(&self, state: &State) {
        self.stops.store(true, Ordering::SeqCst);
        state.controller.interrupt();
        // The controller pauses and then says why. In between, the interpreter takes the end of a
        // native for the place to sleep until it is woken.
        state.thread.iter().for_each(Thread::unpark);
    }

    fn go_on(&self, state: &State) {
        self.stops.store(false, Ordering::SeqCst);
        state.controller.resume();
    }

    /// Starts a timer for what runs until the guard is dropped.
    ///
    /// # Errors
    /// The system cannot start the thread that watches the clock.
    pub fn start(self: &Arc<Stopping>, timer: &Arc<Timer>) -> io::Result<Guard> {
        let mut state = lock(&self.state);
        let now = Instant::now();
        let ends = now + timer.time;
        if state.wakes.is_none_or(|wakes| ends < wakes) {
            if state.wakes.is_none() {
                let watching = self.clone();
                std::thread::Builder::new().spawn(move || watching.watch())?;
            }
            state.wakes = Some(ends);
            self.changed.notify_all();
        }
        state.started += 1;
        let number = state.started;
        state.timers.push(Running { number, ends, is_over: false });
        if state.mark(now) {
            self.stop(&state);
        }
        Ok(Guard { stopping: self.clone(), timer: timer.clone(), number })
    }

    /// Stops bodies whose time is over. Ends when no timer is left.
    fn watch(&self) {
        let mut state = lock(&self.state);
        loop {
            let now = Instant::now();
            if state.mark(now) {
                self.stop(&state);
            }
            state.wakes = state.next_end();
            let Some(wakes) = state.wakes.filter(|_| !state.is_gone) else { return };
            let waited = self.changed.wait_timeout(state, wakes - now);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Ends a timer. Returns whether its body, and no more, is what was to stop.
    fn end(&self, number: u64) -> bool {
        let mut state = lock(&self.state);
        let Some(index) = state.timers.iter().position(|timer| timer.number == number) else {
            return false;
        };
        let ended = state.timers.split_off(index);
        if state.from_outside || state.timers.iter().any(|timer| timer.is_over) {
            return false;
        }
        if ended.iter().any(|timer| timer.is_over) {
            self.go_on(&state);
        }
        ended[0].is_over
    }
}

/// Owns the [`Stopping`] of a host, and ends its thread.
#[derive(Default)]
pub(super) struct Owner(pub Arc<Stopping>);

impl Drop for Owner {
    fn drop(&mut self) {
        lock(&self.0.state).is_gone = true;
        self.0.changed.notify_all();
    }
}

/// The time that a body has, and whether it took longer.
pub(super) struct Timer {
    time: Duration,
    timed_out: AtomicBool,
}

impl Timer {
    pub fn new(time: Duration) -> Timer {
        Timer { time, timed_out: AtomicBool::new(false) }
    }

    pub fn time(&self) -> Duration {
        self.time
    }

    /// Whether its body was stopped.
    pub fn timed_out(&self) -> bool {
        self.timed_out.load(Ordering::SeqCst)
    }
}

/// Lies on the interpreter's stack while a body runs. Dropping it ends the timer.
pub(super) struct Guard {
    stopping: Arc<Stopping>,
    timer: Arc<Timer>,
    number: u64,
}

impl Guard {
    /// Ends the timer of a body that has come to its end. Its value counts, even if the time is
    /// over by now.
    pub fn finish(&self) {
        self.stopping.end(self.number);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.stopping.end(self.number) {
            self.timer.timed_out.store(true, Ordering::SeqCst);
        }
    }
}
