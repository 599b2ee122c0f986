//! The state that the natives of a host share.
//!
//! A native cannot call the interpreter while it runs. So it leaves here what should happen next:
//! warnings to signal, several values to return, a procedure to call first. Its wrapper carries
//! this out once the native has returned (see `registry` and the prelude).
//!
//! The context also holds the application's typed states, the interrupt flag, the state of a time
//! limit, the output, the policy, the documentation, and the secrets to mask.

use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zeroize::Zeroizing;

use super::breaks::Listener;
use super::evaluation::{Kept, Loan};
use super::occurrence::Class;
use super::registry::Documentation;
use super::report::Source;
use super::secrets::SHOWN;
use super::stopping::{self, Stopping};
use super::value::Value;
use super::words;
use crate::condition::{Condition, Identifier};
use crate::lisp::Span;
use crate::policy::{Policy, Refusal};

/// Takes a script's output.
pub type Output = Box<dyn FnMut(&str) -> io::Result<()> + Send>;
/// Takes the warnings that nobody handles.
pub type Warnings = Box<dyn FnMut(&Condition) + Send>;

/// [`Context::hold`] keeps lists of at least this many elements.
const BIG: usize = 1_000;

/// Secrets with fewer characters are not masked.
const SHORTEST_SECRET: usize = 5;

/// The state that every native of one host can reach.
pub struct Context {
    states: Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
    queued: Mutex<Vec<Condition>>,
    stopping: stopping::Owner,
    time: Arc<AtomicTime>,
    arguments: Vec<String>,
    policy: Policy,
    output: Mutex<Sink>,
    errors: Mutex<Sink>,
    output_port: Mutex<Option<Value>>,
    warnings: Mutex<Warnings>,
    several: Mutex<Option<Vec<Value>>>,
    documentation: Mutex<BTreeMap<Cow<'static, str>, [Cow<'static, str>; 2]>>,
    secrets: Mutex<Vec<Zeroizing<String>>>,
    /// Those that are too short to be masked within a text.
    short_secrets: Mutex<Vec<Zeroizing<String>>>,
    asked: Mutex<Asked>,
    /// The environment variable that a script read last, if it is not set.
    unset: Mutex<Option<String>>,
    /// The last large result: see [`Context::hold`].
    held: Mutex<Option<Value>>,
    /// The forms that define functions and macros, in the order in which they ran.
    definitions: Mutex<Definitions>,
    /// What `eval` needs, while a form runs.
    pub(super) loan: Mutex<Option<Box<Loan>>>,
    /// Who is asked at a break level.
    pub(super) listener: Mutex<Option<Box<dyn Listener>>>,
    /// The classes of conditions that the script defines.
    pub(super) classes: Mutex<HashMap<String, Arc<Class>>>,
    /// The names of the structures that the script defines, for `typep`.
    pub(super) structures: Mutex<HashSet<String>>,
    /// What `eval` keeps from call to call.
    pub(super) kept: Mutex<Kept>,
    /// Whether the host works for another one.
    is_worker: bool,
    recovery: Mutex<Option<Recovery>>,
}

/// How calls that lost their connection are recovered: see [`super::Host::recover_with`].
#[derive(Clone)]
pub(super) struct Recovery {
    /// Returns whether a call with these arguments can be recovered.
    pub applies: fn(&[Value]) -> bool,
    pub native: Value,
}

/// The procedures that a native wants to be called: see [`super::Call::result_of`].
#[derive(Default)]
struct Asked {
    /// The procedure to call as soon as the native has returned; or a list of a state, a procedure
    /// of one argument, and the arguments to call it with one after the other.
    procedure: Option<Value>,
    /// Results for the next calls of `result_of`, the last one first.
    results: Vec<Value>,
}

/// The forms that define functions and macros. Of the definitions with one key, only the first and
/// the last are kept: forms between them may need the function, and later ones need its last
/// definition.
#[derive(Default)]
struct Definitions {
    forms: BTreeMap<usize, (Arc<Source>, Span)>,
    /// The last form with a key, unless it is also the first.
    last: HashMap<String, Option<usize>>,
    noted: usize,
}

/// The state of a [`super::TimeLimit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Time {
    /// There is time left: forms run.
    Left,
    /// The time is up: no form starts, but clean-up forms run.
    Up,
    /// The time for clean-up forms is up too: nothing runs.
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
    /// Whether the output is at the start of a line, for `~&` and `fresh-line`.
    at_line_start: bool,
}

/// Locks a mutex, even if a thread has panicked while holding it.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Context {
    pub(super) fn new(
        arguments: Vec<String>,
        policy: Policy,
        write: Output,
        write_error: Output,
        warnings: Warnings,
    ) -> Context {
        Context {
            states: Mutex::default(),
            queued: Mutex::default(),
            stopping: stopping::Owner::default(),
            time: Arc::default(),
            arguments,
            policy,
            output: Mutex::new(Sink { write, at_line_start: true }),
            errors: Mutex::new(Sink { write: write_error, at_line_start: true }),
            output_port: Mutex::default(),
            warnings: Mutex::new(warnings),
            several: Mutex::default(),
            documentation: Mutex::default(),
            secrets: Mutex::default(),
            short_secrets: Mutex::default(),
            asked: Mutex::default(),
            unset: Mutex::default(),
            held: Mutex::default(),
            definitions: Mutex::default(),
            loan: Mutex::default(),
            listener: Mutex::default(),
            classes: Mutex::default(),
            structures: Mutex::default(),
            kept: Mutex::default(),
            is_worker: false,
            recovery: Mutex::default(),
        }
    }

    /// Makes this the context of a host that works for another one. Both share the time limit, and
    /// this one also masks the secrets that the other knows now.
    pub(super) fn work_for(mut self, other: &Context) -> Context {
        self.time = other.time.clone();
        self.is_worker = true;
        self.learn_secrets(other);
        self
    }

    pub(super) fn set_recovery(&self, recovery: Recovery) {
        *lock(&self.recovery) = Some(recovery);
    }

    /// Returns the native that recovers a call with these arguments, if one can.
    pub(super) fn recovery(&self, arguments: &[Value]) -> Option<Value> {
        let recovery = lock(&self.recovery).clone()?;
        (recovery.applies)(arguments).then_some(recovery.native)
    }

    /// Returns whether the host works for another one.
    pub fn is_worker(&self) -> bool {
        self.is_worker
    }

    /// Returns whether both a time limit and its time for clean-up are over.
    pub fn is_finished(&self) -> bool {
        self.time.get() == Time::Finished
    }

    /// Records a form that only defines something. A later form with the same `key` defines the
    /// same again.
    pub(super) fn note_definition(&self, key: Option<String>, source: &Arc<Source>, span: Span) {
        let mut definitions = lock(&self.definitions);
        let number = definitions.noted;
        definitions.noted += 1;
        if let Some(key) = key {
            let replaced = match definitions.last.get_mut(&key) {
                Some(last) => last.replace(number),
                None => {
                    definitions.last.insert(key, None);
                    None
                }
            };
            if let Some(replaced) = replaced {
                definitions.forms.remove(&replaced);
            }
        }
        definitions.forms.insert(number, (source.clone(), span));
    }

    /// Returns the text of the script's forms that only defined something, in the order in which
    /// they ran.
    pub(super) fn definitions(&self) -> Vec<String> {
        let definitions = lock(&self.definitions);
        definitions
            .forms
            .values()
            .filter_map(|(source, span)| source.text.get(span.start..span.end))
            .map(str::to_owned)
            .collect()
    }

    /// Returns the documentation of a word of the language or of a registered function.
    pub fn documentation(&self, name: &str) -> Option<Documentation> {
        let documentation = |lambda_list: &str, doc: &str| Documentation {
            lambda_list: lambda_list.to_owned(),
            doc: doc.to_owned(),
        };
        if let Some([lambda_list, doc]) = lock(&self.documentation).get(name) {
            return Some(documentation(lambda_list, doc));
        }
        let (_, lambda_list, doc) = words::all().find(|(word, ..)| *word == name)?;
        Some(documentation(lambda_list, doc))
    }

    /// The names that [`Context::documentation`] knows, sorted.
    pub fn documented_names(&self) -> Vec<String> {
        let mut names: Vec<String> = words::all().map(|(name, ..)| (*name).to_owned()).collect();
        names.extend(lock(&self.documentation).keys().map(|name| name.clone().into_owned()));
        names.sort();
        names.dedup();
        names
    }

    /// Documents a registered function. The language's own words are in `words`.
    pub(super) fn document(&self, [name, lambda_list, doc]: [Cow<'static, str>; 3]) {
        lock(&self.documentation).insert(name, [lambda_list, doc]);
    }

    /// Returns the state of type `T`. If there is none, it is set to the default.
    pub fn state<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let mut states = lock(&self.states);
        let state =
            states.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(T::default())).clone();
        state.downcast().unwrap_or_default()
    }

    /// Returns the state of type `T`, if one was set.
    pub fn try_state<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        lock(&self.states).get(&TypeId::of::<T>())?.clone().downcast().ok()
    }

    /// Sets the state of type `T`. There is one state per type.
    pub fn set_state<T: Send + Sync + 'static>(&self, state: T) {
        lock(&self.states).insert(TypeId::of::<T>(), Arc::new(state));
    }

    /// Queues a warning. It is signalled once the native has returned, and need not stop the
    /// program.
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

    /// Returns the next known result. If there is none, returns `None` and requests a call of
    /// `procedure`.
    pub(super) fn result_of(&self, procedure: &Value) -> Option<Value> {
        let mut asked = lock(&self.asked);
        let known = asked.results.pop();
        if known.is_none() {
            asked.procedure = Some(procedure.clone());
        }
        known
    }

    /// Keeps a large list until the next one, or until the next text is evaluated, so that it is
    /// freed in a better order. The interpreter frees a list breadth-first: by the time it reaches
    /// the contents of the first element, those of the last have displaced them from the
    /// processor's caches. The list kept here is freed one element at a time or, at the end of the
    /// process, not at all. Call [`Context::let_go`] before building another large result.
    pub fn hold(&self, list: &Value) {
        if matches!(list, Value::ListV(elements) if elements.len() >= BIG) {
            self.let_go();
            *lock(&self.held) = Some(list.clone());
        }
    }

    /// Frees the list that is held, unless a script still has it.
    pub fn let_go(&self) {
        if let Some(Value::ListV(list)) = lock(&self.held).take()
            && list.strong_count() == 1
        {
            list.into_iter().for_each(drop);
        }
    }

    /// Requests a call of `procedure` with each of `items`. The native is restarted with the
    /// results, and with `state`.
    pub(super) fn ask_each(&self, state: Value, procedure: &Value, items: Vec<Value>) {
        let request = [state, procedure.clone()].into_iter().chain(items).collect();
        lock(&self.asked).procedure = Some(super::value::list(request));
    }

    /// Returns the results of the last [`Context::ask_each`], the state first.
    pub(super) fn answered(&self) -> Option<Value> {
        let mut asked = lock(&self.asked);
        let answer = asked.results.first().cloned(); // they are in reverse
        asked.results.clear();
        answer
    }

    pub(super) fn take_asked(&self) -> Option<Value> {
        lock(&self.asked).procedure.take()
    }

    /// Sets the results of the procedures that the next native requests, in order.
    pub(super) fn set_results(&self, mut results: Vec<Value>) {
        results.reverse();
        lock(&self.asked).results = results;
    }

    /// Returns whether what runs should stop (Ctrl-C, a time limit, `with-timeout`). A native that
    /// waits checks this regularly, and then returns an error.
    pub fn interrupted(&self) -> bool {
        self.stopping.0.stops()
    }

    pub(super) fn stopping(&self) -> &Arc<Stopping> {
        &self.stopping.0
    }

    pub(super) fn time_left(&self) -> Arc<AtomicTime> {
        self.time.clone()
    }

    /// Returns whether somebody is asked what to do after an error that nobody handles.
    pub fn opens_break_levels(&self) -> bool {
        lock(&self.listener).is_some()
    }

    /// Returns the script's arguments.
    pub fn arguments(&self) -> &[String] {
        &self.arguments
    }

    /// Returns the policy, which limits an untrusted script. A native asks it before it touches a
    /// file, an environment variable or a program; connections are checked when they are opened.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Masks this text as `#<secret>` in all later reports and warnings. A native that takes a
    /// password calls this first. Secrets of fewer than five characters are not masked: that would
    /// garble every report and hide nothing from anyone who can count. Only
    /// [`Context::redact_argument`] masks them.
    pub fn keep_secret(&self, secret: &str) {
        if secret.chars().count() < SHORTEST_SECRET {
            let mut short = lock(&self.short_secrets);
            if !secret.is_empty() && !short.iter().any(|known| known.as_str() == secret) {
                short.push(Zeroizing::new(secret.to_owned()));
            }
            return;
        }
        let mut secrets = lock(&self.secrets);
        // The secret itself, and as a shown value contains it.
        let shown = secret.replace('\\', "\\\\").replace('"', "\\\"");
        for form in [Zeroizing::new(secret.to_owned()), Zeroizing::new(shown)] {
            if !secrets.contains(&form) {
                secrets.push(form);
            }
        }
        // Longest first, because one secret may be part of another.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    }

    /// Also masks the secrets that another host knows now.
    pub fn learn_secrets(&self, other: &Context) {
        let short = lock(&other.short_secrets).clone();
        short.iter().for_each(|secret| self.keep_secret(secret));
        let known = lock(&other.secrets).clone();
        let mut secrets = lock(&self.secrets);
        for secret in known {
            if !secrets.contains(&secret) {
                secrets.push(secret);
            }
        }
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    }

    /// Returns the text with all known secrets masked.
    pub fn redact(&self, text: &str) -> String {
        lock(&self.secrets)
            .iter()
            .fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), SHOWN))
    }

    /// Returns an argument of the command with all known secrets masked, a short one if it is the
    /// whole argument or all after its first `=`.
    pub fn redact_argument(&self, argument: &str) -> String {
        let is_short =
            |text: &str| lock(&self.short_secrets).iter().any(|secret| secret.as_str() == text);
        match argument.split_once('=') {
            _ if is_short(argument) => SHOWN.to_owned(),
            Some((name, value)) if is_short(value) => format!("{name}={SHOWN}"),
            _ => self.redact(argument),
        }
    }

    /// Returns the condition with all known secrets masked.
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

    /// Writes to `*error-output*`.
    ///
    /// # Errors
    /// The error of the sink.
    pub fn write_error(&self, text: &str) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let mut sink = lock(&self.errors);
        sink.at_line_start = text.ends_with('\n');
        (sink.write)(text)
    }

    pub(super) fn error_at_line_start(&self) -> bool {
        lock(&self.errors).at_line_start
    }

    /// Returns the port that `*standard-output*` is bound to, unless it is the output itself.
    pub(super) fn output_port(&self) -> Option<Value> {
        lock(&self.output_port).clone()
    }

    pub(super) fn set_output_port(&self, port: Option<Value>) {
        *lock(&self.output_port) = port;
    }

    /// Returns the name of the environment variable that the script read last, if it was not set
    /// and so read as nil.
    pub fn unset_variable(&self) -> Option<String> {
        lock(&self.unset).clone()
    }

    pub(super) fn note_variable(&self, name: &str, is_set: bool) {
        *lock(&self.unset) = (!is_set).then(|| name.to_owned());
    }

    /// Returns whether the output is at the start of a line.
    pub fn at_line_start(&self) -> bool {
        lock(&self.output).at_line_start
    }

    /// Tells the host whether the output is at the start of a line, for example after a prompt has
    /// printed a result.
    pub fn set_at_line_start(&self, at_line_start: bool) {
        lock(&self.output).at_line_start = at_line_start;
    }

    /// Passes on a warning that nobody handled, with secrets masked.
    pub fn unhandled(&self, condition: &Condition) {
        (lock(&self.warnings))(&self.redacted(condition));
    }
}

/// Makes the `:not-allowed` condition that `function` raises for a refusal.
pub fn not_allowed(function: &str, refusal: &Refusal) -> Condition {
    Condition::new(Identifier::NotAllowed, format!("{function}: {refusal}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::value::{list, shared_object};

    #[test]
    fn a_big_result_is_held_until_it_is_let_go_and_no_longer() {
        let context = Context::new(
            Vec::new(),
            Policy::trusted(),
            Box::new(|_| Ok(())),
            Box::new(|_| Ok(())),
            Box::new(|_| ()),
        );
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
