//! Embeds the language: an interpreter, native functions, conditions, and reports of errors.
//!
//! A [`Host`] takes a script's text through these steps:
//!
//! 1. `lisp::reader` reads the whole text. If it cannot be read, nothing runs.
//! 2. `lisp::expander` translates each form to a small Scheme core.
//! 3. `on_demand` adds definitions of the prelude and the application that no form mentioned
//!    before; `image` holds what they compile to.
//! 4. `engine` compiles and runs the result, in batches of up to 300 forms.
//! 5. An error ends as a [`Report`]: a condition, its place in the script, and the functions that
//!    were active. Known secrets are masked.
//!
//! A script can reach only what is registered here: its own definitions, the prelude, an allowed
//! part of the interpreter's library, and the [`Function`]s of the application. The interpreter's
//! own access to files, modules, processes and the environment is not registered. An untrusted
//! script is restricted further, by the list in `allowed` and by the [`Policy`].

mod allowed;
mod argument_type;
mod breaks;
mod call;
mod checking;
mod context;
mod distance;
mod engine;
mod evaluation;
mod image;
mod limit;
mod loading;
mod messages;
mod natives;
mod objects;
mod occurrence;
mod on_demand;
mod panics;
mod parameters;
mod parcel;
mod prelude;
mod primitives;
mod registration;
mod registry;
mod report;
mod secrets;
mod stopping;
pub(crate) mod value;
mod words;
mod worker;

use std::collections::HashSet;
use std::io;
use std::sync::Arc;

use steel::SteelErr;

pub use argument_type::Type;
pub use breaks::{Input, Listener};
pub use call::{Call, KeptCall, wrong_argument};
pub use checking::Known;
pub use context::{Context, Output, Warnings, not_allowed};
pub use limit::{Interrupter, TimeLimit};
pub use messages::nearest;
pub(crate) use natives::UNIX_EPOCH;
pub use natives::{hash_table, hash_table_entries, regexp, substitute, wildcard};
pub use occurrence::{condition_object, condition_of};
pub(crate) use panics::caught;
pub use panics::report_only_uncaught_panics;
pub use parcel::Parcel;
pub use registry::{Documentation, Function, NativeCode, Run};
pub use report::{Frame, Place, Report};
pub use secrets::{is_variable_name, without_secrets};
pub use value::{
    LONGEST_SHARED, Value, ValueKind, as_bytes, as_dotted_pair, as_float, as_integer, as_keyword,
    as_list, as_str, as_symbol, bytes, bytes_length, cons, copy_into_bytes, displayed,
    displayed_object, downcast, float, from_datum, integer, is_nil, is_procedure, is_true, keyword,
    kind_of, list, list_of, members, nil, object, shared_bytes, shared_object, shared_string,
    shown, string, symbol, to_datum, truth,
};
pub use worker::Surroundings;

use crate::condition::{Condition, Identifier};
use crate::lisp::expander::{self, Expander, Hooks, Parts, Step, global, names, system_global};
use crate::lisp::{Datum, Node, Span, reader};
use crate::policy::Policy;
use context::Time;
use engine::Engine;
use evaluation::Waiting;
use objects::Trail;
use on_demand::Definition;
use report::Source;

/// Settings for [`Host::new`].
pub struct Options {
    /// The result of `(command-line)`. Default: empty.
    pub arguments: Vec<String>,
    /// Takes the script's output. Default: standard output.
    pub output: Output,
    /// Takes what the script writes to `*error-output*`. Default: standard error.
    pub errors: Output,
    /// Takes the warnings that nobody handles. Default: standard error.
    pub warnings: Warnings,
    /// What the script may reach. Default: everything.
    pub policy: Policy,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            arguments: Vec::new(),
            output: Box::new(|text| io::Write::write_all(&mut io::stdout(), text.as_bytes())),
            errors: Box::new(|text| io::Write::write_all(&mut io::stderr(), text.as_bytes())),
            warnings: Box::new(|condition| eprintln!("warning: {condition}")),
            policy: Policy::trusted(),
        }
    }
}

/// An interpreter with its functions. It may move to another thread, and several hosts may run in
/// parallel threads.
pub struct Host {
    engine: Engine,
    expander: Expander,
    context: Arc<Context>,
    /// Functions of the application that an untrusted script may call.
    vouched: HashSet<String>,
    /// How many files are being loaded, each by the one before.
    loading: usize,
    /// The paths of files that `require` has loaded, and keys of libraries and modules that are there.
    required: HashSet<String>,
}

/// How many clean-up forms run after an error. The number needs a bound because a clean-up form may
/// leave further ones behind.
const MOST_CLEANUPS: usize = 100_000;

impl Host {
    /// Creates a host with the language alone; [`Host::register`] adds the application's functions.
    pub fn new(options: Options) -> Host {
        Host::in_context(Context::new(
            options.arguments,
            options.policy,
            options.output,
            options.errors,
            options.warnings,
        ))
    }

    fn in_context(context: Context) -> Host {
        let context = Arc::new(context);
        let engine = Engine::new();
        context.stopping().set_controller(engine.steel.get_thread_state_controller());
        let mut host = Host {
            engine,
            expander: Expander::default(),
            context,
            vouched: HashSet::new(),
            loading: 0,
            required: loading::MODULES.map(loading::module_key).into(),
        };
        let natives = natives::table();
        for (name, value) in &natives {
            host.engine.set_global(&system_global(name), value.clone());
            host.expander.note_system(name);
        }
        for (name, value) in host.engine.library() {
            host.publish(&name, value);
        }
        for (name, value) in natives {
            if !name.starts_with('%') {
                host.publish(name, value);
            }
        }
        for definition in prelude::definitions() {
            match definition.kind {
                prelude::Kind::Value => {
                    host.define_system(definition.name, Definition::Language(definition.text))
                }
                prelude::Kind::Syntax => {
                    host.expander.define_system_rules(definition.name, definition.text)
                }
            }
        }
        host.expander.close_language();
        // The prelude uses the interpreter's `car` and `cdr`; scripts get Common Lisp's.
        for (name, own) in [("car", "%car"), ("cdr", "%cdr")] {
            let value = host.engine.global(&system_global(own)).unwrap_or_else(nil);
            host.publish(name, value);
        }
        host.define("*load-pathname*", nil());
        host.define("*load-truename*", nil());
        host
    }

    /// Sets a global variable of the script.
    pub fn define(&mut self, name: &str, value: Value) {
        self.engine.on_demand.remove(&global(name));
        self.engine.set_global(&global(name), value);
        self.engine.assigned(&global(name));
    }

    /// Reads the whole of `source`, then runs its forms from top to bottom. Returns the value of
    /// the last form.
    ///
    /// # Errors
    /// A report on the form that failed. Earlier forms have run, unless the text could not be read;
    /// then none has.
    pub fn evaluate(&mut self, source: &str, source_name: &str) -> Result<Value, Report> {
        self.begin()?;
        let result = self.run_source(source, source_name, false);
        result.map_err(|report| self.failed(report))
    }

    /// Calls the function without parameters that a global holds. Unlike text that is evaluated
    /// again and again, this compiles nothing.
    ///
    /// # Errors
    /// A report on what failed in the function.
    pub(crate) fn call(&mut self, name: &str) -> Result<Value, Report> {
        self.begin()?;
        let context = self.context.clone();
        let result = natives::with_context(&context, || {
            self.engine.call("s/%forget-values", Vec::new()).ok();
            self.lending(|engine| engine.call(&global(name), Vec::new()))
                .map_err(|error| self.report(error))
        });
        result.map_err(|report| self.failed(report))
    }

    /// Cleans up after an error, and masks secrets in its report.
    fn failed(&mut self, report: Report) -> Report {
        self.recover();
        report.redacted(&self.context)
    }

    /// Prepares for the next text: forgets an interrupt that came while the host was idle.
    ///
    /// # Errors
    /// The time is up.
    fn begin(&mut self) -> Result<(), Report> {
        self.context.stopping().resume();
        self.context.let_go();
        match self.context.time_left().get() {
            Time::Left => Ok(()),
            Time::Up | Time::Finished => Err(self.interruption(None)),
        }
    }

    /// Makes `value` the prompt's last value: `*`, used as a variable, is this value from now on,
    /// `**` the one before, and `***` the one before that. Files that are loaded do not see it.
    pub fn remember(&mut self, value: &Value) {
        if self.expander.has_last_value {
            let before = self.engine.global(&global("**")).unwrap_or_else(nil);
            let last = self.engine.global(names::LAST_VALUE).unwrap_or_else(nil);
            self.engine.set_global(&global("***"), before);
            self.engine.set_global(&global("**"), last);
        } else {
            self.engine.set_global(&global("**"), nil());
            self.engine.set_global(&global("***"), nil());
        }
        self.engine.set_global(names::LAST_VALUE, value.clone());
        self.expander.has_last_value = true;
    }

    /// Evaluates the text of a file, as [`Host::evaluate`] does, but `*` is always the function, and
    /// nothing runs if the text calls a function that neither it nor a file it loads defines.
    ///
    /// # Errors
    /// As [`Host::evaluate`].
    pub fn evaluate_file(&mut self, source: &str, source_name: &str) -> Result<Value, Report> {
        self.begin()?;
        let has_last_value = std::mem::take(&mut self.expander.has_last_value);
        let result =
            self.run_source(source, source_name, true).map_err(|report| self.failed(report));
        self.expander.has_last_value = has_last_value;
        result
    }

    /// Returns the script's variables that hold an object of type `T`, by name.
    pub fn variables<T: Send + Sync + 'static>(&self) -> Vec<(String, Arc<T>)> {
        let names = self.engine.script_globals().into_iter();
        names
            .filter_map(|name| {
                Some((name.clone(), downcast::<T>(&self.engine.global(&global(&name))?)?))
            })
            .collect()
    }

    /// Returns the values of the last form evaluated: one, unless it called `values`.
    pub fn values(&mut self) -> Vec<Value> {
        let last = self.engine.last.clone();
        let values = self.engine.call("s/%values-list", vec![last.clone()]).ok();
        values.and_then(|values| value::elements(&values)).unwrap_or_else(|| vec![last])
    }

    fn run_source(&mut self, text: &str, name: &str, whole: bool) -> Result<Value, Report> {
        let context = self.context.clone();
        let result = natives::with_context(&context, || {
            let source = Arc::new(Source { name: name.to_owned(), text: text.to_owned() });
            let forms = reader::read(text).map(loading::spliced).map_err(|error| {
                Report::of(program_error(error.message), Some(source.place(error.span)))
            })?;
            self.engine.last = nil();
            self.engine.source = Some(source.clone());
            self.engine.call("s/%forget-values", Vec::new()).ok();
            if whole {
                self.refuse_unknown_functions(&forms, &source)?;
                self.set_load_path(name);
            }
            self.expander.announce(&forms, &mut self.engine);
            for form in &forms {
                self.run_form(form, &source)?;
            }
            self.flush()?;
            Ok(self.engine.last.clone())
        });
        if result.is_err() {
            // The error message may show parts of the text.
            secrets::texts(text).iter().for_each(|secret| self.context.keep_secret(secret));
        }
        result
    }

    /// Refuses a program that calls a function that nothing defines. When the call fails at run
    /// time, the program may have done irreversible things already.
    fn refuse_unknown_functions(
        &mut self,
        forms: &[Node],
        source: &Arc<Source>,
    ) -> Result<(), Report> {
        let program = self.program(forms, &source.name);
        let survey = self.expander.survey(&program, &mut self.engine);
        let Some((name, span)) = survey.unknown().next() else { return Ok(()) };
        let condition = self.with_nearest_name(program_error(messages::undefined_function(name)));
        Err(Report::of(condition, Some(source.place(span))))
    }

    /// Adds a suggestion to a message that says that a name is not defined.
    fn with_nearest_name(&self, mut condition: Condition) -> Condition {
        let Some(name) = messages::undefined_name(&condition.message) else { return condition };
        let is_function = condition.message.starts_with("the function ");
        let note = match messages::instead_of(name).filter(|_| is_function) {
            Some(instead) => format!("; use {instead}"),
            None => match messages::nearest(name, self.names().iter().map(String::as_str)) {
                Some(near) => format!("; did you mean `{near}`?"),
                None => return condition,
            },
        };
        condition.message.push_str(&note);
        condition
    }

    fn run_form(&mut self, form: &Node, source: &Arc<Source>) -> Result<(), Report> {
        let marks = self.expander.marks();
        let done = self.run_parts(form, source);
        self.expander.release_marks(marks);
        done
    }

    /// Runs a top-level form; the forms of a `progn` one after another.
    fn run_parts(&mut self, form: &Node, source: &Arc<Source>) -> Result<(), Report> {
        let Some(parts) = self.run_step(form, true, source)? else { return Ok(()) };
        let mut waiting = Waiting::default();
        self.enter_parts(form, parts, true, source, &mut waiting)?;
        while let Some((form, is_written)) = waiting.next() {
            if let Some(parts) = self.run_step(&form, is_written, source)? {
                self.enter_parts(&form, parts, is_written, source, &mut waiting)?;
            }
        }
        Ok(())
    }

    fn enter_parts(
        &mut self,
        form: &Node,
        parts: Parts,
        is_written: bool,
        source: &Arc<Source>,
        waiting: &mut Waiting,
    ) -> Result<(), Report> {
        // Workers repeat what is written, and expand it again.
        if is_written && parts.is_made && parts.only_defines {
            self.note_definition(form, source);
        }
        let is_written = is_written && !parts.is_made;
        waiting.enter(parts.forms, is_written).map_err(|message| {
            Report::of(program_error(message), Some(place_of(source, form.span)))
        })
    }

    /// Runs a top-level form unless it is a `progn`, whose parts are returned. `is_written` tells
    /// whether the source has the form as it is.
    fn run_step(
        &mut self,
        form: &Node,
        is_written: bool,
        source: &Arc<Source>,
    ) -> Result<Option<Parts>, Report> {
        if self.context.interrupted() {
            self.engine.discard();
            return Err(self.interruption(None));
        }
        if let Some(done) = self.run_loading(form, source) {
            return done.map(|()| None);
        }
        if self.evaluates() {
            // A macro call would run the pending forms, and they may need the expander.
            self.flush()?;
        }
        match self.expander.step(form, &mut self.engine) {
            Ok(Step::Forms(parts)) => Ok(Some(parts)),
            Ok(Step::Emitted(output)) => {
                if is_written && (self.expander.only_defines || is_account(form)) {
                    self.note_definition(form, source);
                }
                self.demand(&output.text)?;
                self.add(output)?;
                Ok(None)
            }
            Err(error) => {
                if let Some(error) = self.engine.stopped.take() {
                    return Err(self.report(error));
                }
                // Forms before the malformed one take effect first.
                self.flush()?;
                Err(Report::of(program_error(error.message), Some(place_of(source, error.span))))
            }
        }
    }

    /// Compiles and runs the pending forms.
    fn flush(&mut self) -> Result<(), Report> {
        self.lending(Engine::flush).map_err(|error| self.report(error))
    }

    fn add(&mut self, output: expander::Output) -> Result<(), Report> {
        self.lending(|engine| engine.add(output)).map_err(|error| self.report(error))
    }

    /// Records a form that only defines something, so that worker hosts can repeat it.
    fn note_definition(&self, form: &Node, source: &Arc<Source>) {
        let key = if is_account(form) { None } else { definition_key(form, source) };
        self.context.note_definition(key, source, form.span);
    }

    fn report(&mut self, error: SteelErr) -> Report {
        self.engine.discard();
        let mut trail = natives::trail(&error);
        if self.context.interrupted() {
            let place = self.engine.place(&trail);
            return self.interruption(place);
        }
        let mut condition = messages::condition_of(&error);
        let mut exit = None;
        let token = messages::token(&error);
        if let Some(number) = token {
            let flight = self.engine.take_flight(number);
            if let Some(noted) = flight.get(2).and_then(downcast::<Trail>) {
                trail = (*noted).clone();
            }
            let payload = flight.get(1).cloned().unwrap_or_else(nil);
            match flight.first().and_then(as_symbol) {
                Some("exit") => {
                    exit = as_integer(&payload).map(|status| status as i32);
                    condition = program_error("the program has ended".to_owned());
                }
                Some("throw") => condition = program_error(messages::LEFT_ALREADY.to_owned()),
                _ => condition = messages::payload_condition(&payload),
            }
        }
        if token.is_none()
            && let Some(message) = messages::without_name(&condition.message)
            && let Some(name) = self.engine.callee(&trail)
        {
            condition.message = format!("{name}: {message}");
        }
        condition = self.with_nearest_name(condition);
        let place = self.engine.place(&trail);
        let frames = self.engine.frames(&trail);
        Report { exit, frames, ..Report::of(condition, place) }
    }

    fn interruption(&mut self, place: Option<Place>) -> Report {
        Report { interrupted: true, ..Report::of(program_error("interrupted".to_owned()), place) }
    }

    /// Cleans up after an error: runs the clean-up forms that an interrupt left behind, and drops
    /// the rest of the failed form.
    fn recover(&mut self) {
        self.expander.forget_unrun();
        let context = self.context.clone();
        natives::with_context(&context, || {
            // An interrupt stops only the clean-up form that is running; the next one still runs.
            for _ in 0..MOST_CLEANUPS {
                context.stopping().resume();
                if context.time_left().get() == Time::Finished {
                    break;
                }
                let Some(cleanup) = self.engine.next_cleanup() else { break };
                self.engine.run_cleanup(cleanup);
            }
            context.stopping().resume();
            self.engine.reset();
        });
    }

    /// Returns the state that the natives of this host share.
    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// Returns the documentation of a word of the language or of a registered function.
    pub fn documentation(&self, name: &str) -> Option<Documentation> {
        self.context.documentation(name)
    }

    /// Returns all names that a script may use now, sorted: functions, macros and variables.
    pub fn names(&self) -> Vec<String> {
        let mut names = self.language_names();
        names.extend(self.context.documented_names());
        names.extend(self.engine.script_globals());
        names.sort();
        names.dedup();
        names
    }

    /// Returns the names of special forms and macros, and of functions that no script defined.
    fn language_names(&self) -> Vec<String> {
        let mut names = self.expander.macro_names();
        names.extend(self.expander.library_names());
        names
    }

    /// Converts a value to data, for the printer.
    pub fn datum(&self, value: &Value) -> Datum {
        to_datum(value)
    }
}

/// Returns whether the form defines an account. Accounts belong to one host, so workers must define
/// them again.
fn is_account(form: &Node) -> bool {
    form.as_list().and_then(<[Node]>::first).is_some_and(|head| head.is_named("define-account"))
}

/// Returns what a definition defines: the name of a function, which calls find when they run, or
/// the whole text, because a macro's earlier definitions may have expanded other forms.
fn definition_key(form: &Node, source: &Source) -> Option<String> {
    match form.as_list() {
        Some([head, name, ..]) if head.is_named("defun") => {
            Some(format!("defun {}", name.as_symbol()?.name))
        }
        _ => source.text.get(form.span.start..form.span.end).map(str::to_owned),
    }
}

fn program_error(message: String) -> Condition {
    Condition::new(Identifier::ProgramError, message)
}

fn place_of(source: &Arc<Source>, span: Span) -> Place {
    source.place(span)
}

const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Host>();
};
