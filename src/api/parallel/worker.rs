//! The host of one thread of `parallel-map`: it has the script's definitions and calls the
//! function.
//!
//! The function is kept in a global. A second function, compiled once, applies it to
//! `%parallel-item`, a native that returns the item. Output and warnings are collected, because the calling thread
//! delivers them in the order of the items. Secrets that a call looks up become secrets of the
//! parent, too.

use super::{Job, Told, internal, wrong};
use crate::api::state::state_of;
use crate::api::{self, State};
use crate::condition::Condition;
use crate::host::{self, Context, Host, Options, Parcel, Surroundings, Value};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A host that calls the function.
pub(super) struct Worker<'a> {
    host: Host,
    parent: &'a Context,
    state: Arc<State>,
    item: Arc<Mutex<Option<Value>>>,
    told: Arc<Mutex<Vec<Told>>>,
}

const FUNCTION: &str = "%parallel-function";
const ITEM: &str = "%parallel-item";
const CALL: &str = "%parallel-call";

impl<'a> Worker<'a> {
    pub(super) fn new(job: &Job<'a>) -> Result<Worker<'a>, Condition> {
        let told = Arc::new(Mutex::new(Vec::new()));
        let (written, complained, warned) = (told.clone(), told.clone(), told.clone());
        let options = Options {
            arguments: job.parent.arguments().to_vec(),
            output: Box::new(move |text| {
                let mut told = lock(&written);
                match told.last_mut() {
                    Some(Told::Text(before)) => before.push_str(text),
                    _ => told.push(Told::Text(text.to_owned())),
                }
                Ok(())
            }),
            errors: Box::new(move |text| {
                lock(&complained).push(Told::Error(text.to_owned()));
                Ok(())
            }),
            warnings: Box::new(move |condition| {
                lock(&warned).push(Told::Warning(condition.clone()))
            }),
            policy: job.parent.policy().clone(),
        };
        let mut host = Host::worker(options, job.parent);
        let state = give_functions(&mut host, job.state);
        let item = Arc::new(Mutex::new(None));
        let (next, stopped) = (item.clone(), job.stopped.clone());
        host.vouch_for(&[ITEM]);
        // `stopped` is set before the interrupt is sent, so an interrupt that arrives before the
        // form begins is not lost.
        host.register_fn(ITEM, "()", "The item of this call.", move |_| {
            if stopped.load(Ordering::SeqCst) {
                return Err(internal("interrupted"));
            }
            Ok(lock(&next).take().unwrap_or_else(host::nil))
        });
        job.running().push(host.interrupter());
        let mut worker = Worker { host, parent: job.parent, state, item, told };
        worker.prepare(job)?;
        Ok(worker)
    }

    fn prepare(&mut self, job: &Job<'_>) -> Result<(), Condition> {
        let ready = self.host.surround(&job.surroundings);
        self.parent.learn_secrets(self.host.context());
        ready.map_err(|report| report.condition)?;
        let function = self
            .host
            .evaluate(&format!("(setq {FUNCTION} (progn {}))", job.function), "parallel-map");
        self.parent.learn_secrets(self.host.context());
        let function = function.map_err(|report| {
            wrong(&format!("f: {}", job.surroundings.explain(report.condition).message))
        })?;
        if !function.is_function() {
            return Err(wrong(&format!(
                "f: expected a lambda form or the name of a function, got {}",
                host::shown(&function)
            )));
        }
        let call = format!("(setq {CALL} (lambda () ({FUNCTION} ({ITEM}))))");
        self.host.evaluate(&call, "parallel-map").map_err(|report| report.condition)?;
        Ok(())
    }

    /// Calls the function with an item.
    pub(super) fn call(
        &mut self,
        item: &Parcel,
        surroundings: &Surroundings,
    ) -> Result<Parcel, Condition> {
        *lock(&self.item) = Some(item.open());
        self.host.context().set_at_line_start(true);
        let result = self.host.call(CALL);
        self.parent.learn_secrets(self.host.context());
        match result {
            Ok(value) => Parcel::of(&value).map_err(|what| {
                wrong(&format!("expected data as the result, but it holds {what}"))
            }),
            Err(report) if report.exit.is_some() => Err(wrong("exit cannot be called within it")),
            Err(report) => {
                let mut condition = surroundings.explain(report.condition);
                condition.message = condition.message.replace(FUNCTION, "parallel-map: f");
                Err(condition)
            }
        }
    }

    pub(super) fn take_told(&self) -> Vec<Told> {
        std::mem::take(&mut *lock(&self.told))
    }

    /// Closes the connections that are still open; without a farewell if the calls were stopped.
    pub(super) fn end(self, stopped: bool) {
        if stopped { self.state.abandon_all() } else { self.state.close_all() }
    }
}

/// Registers the functions that the other host has. Connections are made as there, but their waits
/// end when this host is interrupted.
fn give_functions(host: &mut Host, other: &State) -> Arc<State> {
    let context = Arc::downgrade(host.context());
    let interrupted = move || context.upgrade().is_some_and(|context| context.interrupted());
    let state = other.for_worker(Arc::new(interrupted));
    let program = other.for_workers.clone();
    api::register(host, state);
    if let Some(give) = program {
        give(host);
    }
    state_of(host.context())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
