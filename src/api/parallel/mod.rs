//! `parallel-map`: calls a function of the script with many items in parallel, in threads that have
//! an engine each.
//!
//! The values of an engine cannot leave its thread. So the function goes to the threads as text,
//! together with the script's definitions (`Surroundings`), and items and results travel as data
//! (`Parcel`).
//!
//! Every thread runs `work`: it takes the next item, calls the function in a host of its own
//! (`worker`), sends the outcome, and repeats. The calling thread runs `collect`: it receives
//! outcomes in any order, delivers output, warnings and results in the order of the items, and
//! checks regularly whether it must stop. If it stops early, after an interrupt or because a host
//! cannot be prepared, it interrupts all workers and waits until their clean-up forms have run. An
//! error in a call becomes the result of its item. After a panic the engine is not used again.

mod worker;

use super::mailbox::progress;
use super::progress::Progress;
use super::sets::required;
use super::state::{State, state};
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Context, Interrupter, Parcel, Surroundings, Value, caught};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::Duration;
use worker::Worker;

/// The default of `:at-most`: calls that run in parallel.
const AT_MOST: i64 = 16;
/// The default for an untrusted script: each engine takes up to 20 MB of the memory that it may
/// use.
const AT_MOST_UNTRUSTED: i64 = 4;

/// The size of a thread's stack. The interpreter drops deeply nested data by recursion. Memory is
/// taken only as it is used.
const STACK: usize = 64 << 20;
/// The same for an untrusted script, whose memory limit counts the whole stack.
const UNTRUSTED_STACK: usize = 4 << 20;

/// How often the waiting call checks whether it must stop.
const LOOK: Duration = Duration::from_millis(20);

/// The state that all threads share.
struct Job<'a> {
    parent: &'a Context,
    state: &'a State,
    function: &'a str,
    items: Vec<Parcel>,
    surroundings: Surroundings,
    /// The next item that no thread has taken.
    next: AtomicUsize,
    stopped: Arc<AtomicBool>,
    running: Mutex<Vec<Interrupter>>,
}

/// A message from a thread.
enum News {
    /// An item is done.
    Done(usize, Outcome),
    /// No call can be made: the thread's host could not be prepared.
    Impossible(Condition),
}

/// The outcome of an item.
struct Outcome {
    told: Vec<Told>,
    result: Result<Parcel, Condition>,
}

/// The output and warnings of a call.
enum Told {
    Text(String),
    /// Written to `*error-output*`.
    Error(String),
    Warning(Condition),
}

pub(super) fn map(call: &Call<'_>) -> Result<Value, Condition> {
    let context = call.context();
    let function =
        host::as_str(required(call, 0)).ok_or_else(|| wrong(&what_is_wrong(required(call, 0))))?;
    let items = items(required(call, 1))?;
    let at_most = at_most(context, required(call, 3))?;
    if context.is_worker() {
        return Err(wrong("it cannot be called within another parallel-map"));
    }
    let count = items.len().min(at_most);
    let job = Job {
        parent: context,
        state: &state(call),
        function,
        items,
        surroundings: Surroundings::of(context, required(call, 2)),
        next: AtomicUsize::new(0),
        stopped: Arc::default(),
        running: Mutex::default(),
    };
    let progress = progress(call);
    let _work = progress.begin("parallel-map");
    progress.expect_messages(u64::try_from(job.items.len()).ok());
    thread::scope(|scope| {
        let (news, threads) = start(&job, count, scope)?;
        let results = collect(&job, &news, &progress);
        if results.is_err() {
            job.stop(&news);
        }
        for thread in threads {
            let _ = thread.join(); // panics were caught where they happened
        }
        results.map(host::list)
    })
}

fn wrong(message: &str) -> Condition {
    Condition::syntax(format!("parallel-map: {message}"))
}

/// Returns the expander's message for a function that cannot be sent to a thread.
fn what_is_wrong(function: &Value) -> String {
    let message = host::as_list(function).and_then(|mut list| list.next());
    message.as_ref().and_then(host::as_str).unwrap_or("f: expected a function").to_owned()
}

fn items(items: &Value) -> Result<Vec<Parcel>, Condition> {
    let items = host::as_list(items)
        .ok_or_else(|| wrong(&format!("items: expected a list, got {}", host::shown(items))))?;
    let parcel = |(index, item): (usize, Value)| {
        Parcel::of(&item).map_err(|what| {
            wrong(&format!("items: expected data, but item {} holds {what}", index + 1))
        })
    };
    items.enumerate().map(parcel).collect()
}

fn at_most(context: &Context, value: &Value) -> Result<usize, Condition> {
    let usual = if context.policy().is_untrusted() { AT_MOST_UNTRUSTED } else { AT_MOST };
    let number = if host::is_nil(value) { Some(usual) } else { host::as_integer(value) };
    let number = number
        .filter(|number| (1..=200).contains(number))
        .and_then(|number| usize::try_from(number).ok());
    number.ok_or_else(|| {
        wrong(&format!(
            ":at-most: expected a whole number from 1 to 200, got {}",
            host::shown(value)
        ))
    })
}

type Started<'scope> = (Receiver<News>, Vec<ScopedJoinHandle<'scope, ()>>);

/// Starts the threads, or as many as the system allows.
fn start<'scope>(
    job: &'scope Job<'_>,
    count: usize,
    scope: &'scope Scope<'scope, '_>,
) -> Result<Started<'scope>, Condition> {
    let stack = if job.parent.policy().is_untrusted() { UNTRUSTED_STACK } else { STACK };
    let (sender, news) = channel();
    let mut threads = Vec::with_capacity(count);
    for number in 0..count {
        let sender = sender.clone();
        let thread = thread::Builder::new().name("parallel-map".to_owned()).stack_size(stack);
        match thread.spawn_scoped(scope, move || work(job, &sender)) {
            Ok(thread) => threads.push(thread),
            Err(error) if number == 0 => {
                let message = format!("parallel-map: no thread can be started: {error}");
                return Err(Condition::new(Identifier::ProgramError, message));
            }
            Err(_) => break,
        }
    }
    Ok((news, threads))
}

/// Receives outcomes until all are there, and delivers them in the order of the items.
fn collect(
    job: &Job<'_>,
    news: &Receiver<News>,
    progress: &Progress,
) -> Result<Vec<Value>, Condition> {
    let mut waiting: Vec<Option<Outcome>> = job.items.iter().map(|_| None).collect();
    let mut results = Vec::with_capacity(waiting.len());
    while results.len() < waiting.len() {
        if job.parent.interrupted() {
            return Err(internal("interrupted"));
        }
        match news.recv_timeout(LOOK) {
            Ok(News::Done(index, outcome)) => {
                progress.message();
                waiting[index] = Some(outcome);
            }
            Ok(News::Impossible(condition)) => return Err(condition),
            Err(RecvTimeoutError::Timeout) => progress.bytes(0), // shows that time passes
            Err(RecvTimeoutError::Disconnected) => {
                return Err(internal("internal error: a thread has ended early"));
            }
        }
        while let Some(outcome) = waiting.get_mut(results.len()).and_then(Option::take) {
            if !outcome.told.is_empty() {
                progress.hide();
            }
            results.push(delivered(job.parent, outcome)?);
        }
    }
    Ok(results)
}

/// Delivers the output and the warnings of a call. Returns its result.
fn delivered(parent: &Context, outcome: Outcome) -> Result<Value, Condition> {
    for told in outcome.told {
        match told {
            Told::Text(text) => {
                parent.write(&text).map_err(|error| internal(&format!("output: {error}")))?
            }
            Told::Error(text) => parent
                .write_error(&text)
                .map_err(|error| internal(&format!("error output: {error}")))?,
            Told::Warning(condition) => parent.unhandled(&condition),
        }
    }
    Ok(outcome.result.map_or_else(host::condition_object, |parcel| parcel.open()))
}

fn internal(message: &str) -> Condition {
    Condition::new(Identifier::ProgramError, format!("parallel-map: {message}"))
}

impl Job<'_> {
    fn running(&self) -> MutexGuard<'_, Vec<Interrupter>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Interrupts all threads and waits until each has run its clean-up forms. If the time for
    /// those is over, too, interrupts them again.
    fn stop(&self, news: &Receiver<News>) {
        self.stopped.store(true, Ordering::SeqCst);
        self.running().iter().for_each(Interrupter::interrupt);
        loop {
            match news.recv_timeout(LOOK) {
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) if self.parent.is_finished() => {
                    self.running().iter().for_each(Interrupter::interrupt)
                }
                _ => {}
            }
        }
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }
}

/// The loop of a thread: calls the function with one item after the other.
fn work(job: &Job<'_>, news: &Sender<News>) {
    let mut worker = None;
    while !job.is_stopped() && job.next.load(Ordering::SeqCst) < job.items.len() {
        let ready = match worker.take() {
            Some(ready) => Ok(ready),
            None => caught(|| Worker::new(job))
                .unwrap_or_else(|reason| Err(internal(&format!("internal error: {reason}")))),
        };
        let mut ready = match ready {
            Ok(ready) => ready,
            Err(condition) => {
                let _ = news.send(News::Impossible(condition)); // a receiver that is gone has stopped
                return;
            }
        };
        let index = job.next.fetch_add(1, Ordering::SeqCst);
        let Some(item) = job.items.get(index) else {
            worker = Some(ready);
            break;
        };
        let result = caught(|| ready.call(item, &job.surroundings));
        let panicked = result.is_err();
        let result =
            result.unwrap_or_else(|reason| Err(internal(&format!("internal error: {reason}"))));
        let _ = news.send(News::Done(index, Outcome { told: ready.take_told(), result }));
        if panicked {
            ready.end(true); // its engine is not used again
        } else {
            worker = Some(ready);
        }
    }
    if let Some(worker) = worker {
        worker.end(job.is_stopped());
    }
}
