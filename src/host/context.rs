//! The state that natives share: typed values, the queue of warnings, the interrupt flag, the output.

use std::any::{Any, TypeId};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zeroize::Zeroizing;

use super::registry::Documentation;
use super::report::Source;
use super::secrets::SHOWN;
use super::value::Value;
use crate::condition::{Condition, Identifier};
use crate::lisp::Span;
use crate::policy::{Policy, Refusal};

/// Where a script's output goes.
pub type Output = Box<dyn FnMut(&str) -> io::Result<()> + Send>;
/// Where warnings go that nobody handles.
pub type Warnings = Box<dyn FnMut(&Condition) + Send>;

/// How many elements make a list big.
const BIG: usize = 1_000;

/// Shorter texts are not kept secret.
const SHORTEST_SECRET: usize = 5;

/// The state that every native of one host can reach.
pub struct Context {
    states: Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
    queued: Mutex<Vec<Condition>>,
    interrupted: Arc<AtomicBool>,
    time: Arc<AtomicTime>,
    arguments: Vec<String>,
    policy: Policy,
    output: Mutex<Sink>,
    output_port: Mutex<Option<Value>>,
    warnings: Mutex<Warnings>,
    several: Mutex<Option<Vec<Value>>>,
    documentation: Mutex<BTreeMap<String, Documentation>>,
    secrets: Mutex<Vec<Zeroizing<String>>>,
    asked: Mutex<Asked>,
    /// The environment variable that a script read last, if it is not set.
    unset: Mutex<Option<String>>,
    /// The last big result: see [`Context::hold`].
    held: Mutex<Option<Value>>,
    /// The forms that define functions and macros, in the order in which they ran.
    definitions: Mutex<Vec<(Arc<Source>, Span)>>,
    /// Whether it is that of a host that works for another.
    is_worker: bool,
}

/// Procedures that a native wants to be called: see [`super::Call::result_of`].
#[derive(Default)]
struct Asked {
    /// The one to be called as soon as the native has returned.
    procedure: Option<Value>,
    /// The results of the earlier ones, newest first.
    results: Vec<Value>,
}

/// The time left of a [`super::TimeLimit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Time {
    /// Forms run.
    Left,
    /// No form begins; clean-up forms run.
    Up,
    /// Nothing runs.
    Finished,
}

/// A [`Time`] that threads share.
#[derive(Default)]
pub(super) struct AtomicTime(AtomicU8);

impl AtomicTime {
    pub fn get(&self) -> Time {
        match self.0.load(Ordering::SeqCst) {
            0 => Time::Left,
            1 => Time::Up,
            _ => Time::Finished,
        }
    }

    pub fn set(&self, time: Time) {
        self.0.store(time as u8, Ordering::SeqCst);
    }
}

struct Sink {
    write: Output,
    /// Whether the last character written ended a line: `~&` asks.
    at_line_start: bool,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Context {
    pub(super) fn new(
        arguments: Vec<String>,
        policy: Policy,
        write: Output,
        warnings: Warnings,
    ) -> Context {
        Context {
            states: Mutex::default(),
            queued: Mutex::default(),
            interrupted: Arc::default(),
            time: Arc::default(),
            arguments,
            policy,
            output: Mutex::new(Sink { write, at_line_start: true }),
            output_port: Mutex::default(),
            warnings: Mutex::new(warnings),
            several: Mutex::default(),
            documentation: Mutex::default(),
            secrets: Mutex::default(),
            asked: Mutex::default(),
            unset: Mutex::default(),
            held: Mutex::default(),
            definitions: Mutex::default(),
            is_worker: false,
        }
    }

    /// A context of a host that works for another one: a limit of time is one for both, and what is secret in one is in the other.
    pub(super) fn work_for(mut self, other: &Context) -> Context {
        self.time = other.time.clone();
        self.is_worker = true;
        self.learn_secrets(other);
        self
    }

    /// Whether the host works for another one.
    pub fn is_worker(&self) -> bool {
        self.is_worker
    }

    /// Whether a limit of time is over and its clean-up time too.
    pub fn is_finished(&self) -> bool {
        self.time.get() == Time::Finished
    }

    pub(super) fn note_definition(&self, source: &Arc<Source>, span: Span) {
        lock(&self.definitions).push((source.clone(), span));
    }

    /// The text of the forms of scripts that did nothing but define functions and macros, in the order in which they ran.
    pub(super) fn definitions(&self) -> Vec<String> {
        let definitions = lock(&self.definitions);
        definitions
            .iter()
            .filter_map(|(source, span)| source.text.get(span.start..span.end))
            .map(str::to_owned)
            .collect()
    }

    /// Returns the documentation of a word of the language or of a registered function.
    pub fn documentation(&self, name: &str) -> Option<Documentation> {
        lock(&self.documentation).get(name).cloned()
    }

    /// The names that [`Context::documentation`] knows, sorted.
    pub fn documented_names(&self) -> Vec<String> {
        lock(&self.documentation).keys().cloned().collect()
    }

    pub(super) fn document(&self, name: &str, lambda_list: &str, doc: &str) {
        let documentation =
            Documentation { lambda_list: lambda_list.to_owned(), doc: doc.to_owned() };
        lock(&self.documentation).insert(name.to_owned(), documentation);
    }

    /// The state of type `T`; where none was set, the default is, and given.
    pub fn state<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let mut states = lock(&self.states);
        let state =
            states.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(T::default())).clone();
        state.downcast().unwrap_or_default()
    }

    /// The state of type `T`, if one was set.
    pub fn try_state<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        lock(&self.states).get(&TypeId::of::<T>())?.clone().downcast().ok()
    }

    /// Sets the one state of type `T`.
    pub fn set_state<T: Send + Sync + 'static>(&self, state: T) {
        lock(&self.states).insert(TypeId::of::<T>(), Arc::new(state));
    }

    /// Queues a condition that need not stop the program. It is signalled as soon as the native has returned.
    pub fn warn(&self, condition: Condition) {
        lock(&self.queued).push(condition);
    }

    pub(super) fn take_queued(&self) -> Vec<Condition> {
        std::mem::take(&mut *lock(&self.queued))
    }

    pub(super) fn has_queued(&self) -> bool {
        !lock(&self.queued).is_empty()
    }

    pub(super) fn set_several(&self, values: Vec<Value>) {
        *lock(&self.several) = Some(values);
    }

    pub(super) fn take_several(&self) -> Option<Vec<Value>> {
        lock(&self.several).take()
    }

    /// The next result that is known, or `None`, and `procedure` is called.
    pub(super) fn result_of(&self, procedure: &Value) -> Option<Value> {
        let mut asked = lock(&self.asked);
        let known = asked.results.pop();
        if known.is_none() {
            asked.procedure = Some(procedure.clone());
        }
        known
    }

    /// Keeps a big list until the next one, or until the next text is evaluated. The interpreter frees a list breadth-first: by the time it comes to the
    /// insides of the first element, those of the last have pushed them out of the processor's caches. Here it is freed an element at a time, or, at the end of the
    /// process, not at all. Call [`Context::let_go`] before building another large result.
    pub fn hold(&self, list: &Value) {
        if matches!(list, Value::ListV(elements) if elements.len() >= BIG) {
            self.let_go();
            *lock(&self.held) = Some(list.clone());
        }
    }

    /// Frees the list that is held, unless a script has it still.
    pub fn let_go(&self) {
        if let Some(Value::ListV(list)) = lock(&self.held).take()
            && list.strong_count() == 1
        {
            list.into_iter().for_each(drop);
        }
    }

    pub(super) fn take_asked(&self) -> Option<Value> {
        lock(&self.asked).procedure.take()
    }

    /// The results of the procedures that the next native asks for, in order.
    pub(super) fn set_results(&self, mut results: Vec<Value>) {
        results.reverse();
        lock(&self.asked).results = results;
    }

    /// Whether the running form is to stop (Ctrl-C). A native that waits asks every now and then, and returns an error.
    pub fn interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    pub(super) fn clear_interrupt(&self) {
        self.interrupted.store(false, Ordering::SeqCst);
    }

    pub(super) fn time_left(&self) -> Arc<AtomicTime> {
        self.time.clone()
    }

    /// The flag behind [`Context::interrupted`], for what waits without a context at hand.
    pub fn interrupt_flag(&self) -> Arc<AtomicBool> {
        self.interrupted.clone()
    }

    /// The script's arguments.
    pub fn arguments(&self) -> &[String] {
        &self.arguments
    }

    /// The policy of an untrusted script. A native asks it before it touches a file, a variable or a program; connections are checked when
    /// they are opened.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// From now on reports and warnings show `#<secret>` in place of this text. A native that takes a password calls this first. Very short secrets
    /// are not replaced: that would garble every report and hide nothing from anyone who can count.
    pub fn keep_secret(&self, secret: &str) {
        if secret.chars().count() < SHORTEST_SECRET {
            return;
        }
        let mut secrets = lock(&self.secrets);
        // As it is, and as a value is shown.
        let shown = secret.replace('\\', "\\\\").replace('"', "\\\"");
        for form in [Zeroizing::new(secret.to_owned()), Zeroizing::new(shown)] {
            if !secrets.contains(&form) {
                secrets.push(form);
            }
        }
        // The longest first: one may be a part of another.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    }

    /// From now on what another host keeps secret is secret here too.
    pub fn learn_secrets(&self, other: &Context) {
        let known = lock(&other.secrets).clone();
        let mut secrets = lock(&self.secrets);
        for secret in known {
            if !secrets.contains(&secret) {
                secrets.push(secret);
            }
        }
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    }

    /// Text without the secrets that are known.
    pub fn redact(&self, text: &str) -> String {
        lock(&self.secrets)
            .iter()
            .fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), SHOWN))
    }

    /// A condition without the secrets that are known.
    pub(super) fn redacted(&self, condition: &Condition) -> Condition {
        let server_string = condition.server_string.as_deref().map(|words| self.redact(words));
        Condition {
            identifier: condition.identifier,
            message: self.redact(&condition.message),
            server_string,
        }
    }

    /// Writes to the script's output.
    ///
    /// # Errors
    /// The error of the sink, for example a closed pipe.
    pub fn write(&self, text: &str) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let mut sink = lock(&self.output);
        sink.at_line_start = text.ends_with('\n');
        (sink.write)(text)
    }

    /// The port that `*standard-output*` is bound to, if it is not the output itself.
    pub(super) fn output_port(&self) -> Option<Value> {
        lock(&self.output_port).clone()
    }

    pub(super) fn set_output_port(&self, port: Option<Value>) {
        *lock(&self.output_port) = port;
    }

    /// The environment variable that the script read last, if it is not set: what it gave was nil.
    pub fn unset_variable(&self) -> Option<String> {
        lock(&self.unset).clone()
    }

    pub(super) fn note_variable(&self, name: &str, is_set: bool) {
        *lock(&self.unset) = (!is_set).then(|| name.to_owned());
    }

    /// Whether the output stands at the start of a line.
    pub fn at_line_start(&self) -> bool {
        lock(&self.output).at_line_start
    }

    /// Tells the host of the next line's start, as a prompt does after it has printed a result.
    pub fn set_at_line_start(&self, at_line_start: bool) {
        lock(&self.output).at_line_start = at_line_start;
    }

    /// Hands a warning that nobody handles to where those go.
    pub fn unhandled(&self, condition: &Condition) {
        (lock(&self.warnings))(&self.redacted(condition));
    }
}

/// A refusal as the condition that `function` raises.
pub fn not_allowed(function: &str, refusal: &Refusal) -> Condition {
    Condition::new(Identifier::NotAllowed, format!("{function}: {refusal}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::value::{list, shared_object};

    #[test]
    fn a_big_result_is_held_until_it_is_let_go_and_no_longer() {
        let context =
            Context::new(Vec::new(), Policy::trusted(), Box::new(|_| Ok(())), Box::new(|_| ()));
        let with = |element: &Arc<()>, count: usize| {
            list(vec![shared_object(element.clone(), "#<element>"); count])
        };
        let of = |element: &Arc<()>| with(element, BIG);
        let (first, second) = (Arc::new(()), Arc::new(()));
        context.hold(&with(&first, BIG - 1));
        assert_eq!(Arc::strong_count(&first), 1, "a small one is not worth it");
        context.hold(&of(&first));
        assert_eq!(Arc::strong_count(&first), 2);
        let used = of(&second);
        context.hold(&used);
        assert_eq!(Arc::strong_count(&first), 1);
        context.let_go();
        assert_eq!(Arc::strong_count(&second), 2, "the script still has it");
        drop(used);
        assert_eq!(Arc::strong_count(&second), 1);
    }
}
