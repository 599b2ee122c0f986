//! The interpreter: its set-up, its globals, and running what the expander emits.
//!
//! Expanded forms collect in [`Pending`] and run in batches. The text of a batch begins with a
//! comment that holds the batch's number. An error carries the span of the failing instruction in
//! that text, so the number leads to the [`Batch`], and the batch maps the span back to the script.
//! An error inside a library function has no span in the script; for those, calls out of a script
//! record their place (see `natives::control`).
//!
//! Definitions that a form mentions for the first time run before the pending forms. Panics of the
//! interpreter become errors.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, LazyLock, Mutex, Once};
use std::thread;

use steel::compiler::constants::ConstantMap;
use steel::compiler::program::RawProgramWithSymbols;
use steel::core::instructions::Instruction;
use steel::parser::span::Span as SteelSpan;
use steel::rerrs::ErrorKind;
use steel::steel_vm::builtin::BuiltInModule;
use steel::steel_vm::engine::Engine as Steel;
use steel::steel_vm::primitives::{self, STEEL_META_MODULE, STEEL_PORT_MODULE};
use steel::{SteelErr, SteelVal};

use super::context::lock;
use super::image::Compiled;
use super::objects::{Trail, Unbound};
use super::on_demand::{Definition, OnDemand};
use super::panics::caught;
use super::report::{Frame, OUT_OF_MEMORY, Place, Source};
use super::value::{Value, downcast, from_datum, shared_object};
use super::{messages, natives, value};
use crate::condition::Condition;
use crate::lisp::expander::{self, Hooks, names, system_global};
use crate::lisp::{Datum, Span, printer};

/// The modules whose functions the emitted text may use, under the interpreter's own names. Scripts
/// get them too, see [`Engine::library`]. Beside these, the engine holds only the module of ports,
/// which emitted text does not use.
const MODULES: &[fn() -> BuiltInModule] = &[
    || primitives::STEEL_MAP_MODULE.clone(),
    || primitives::STEEL_LIST_MODULE.clone(),
    || primitives::STEEL_STRING_MODULE.clone(),
    || primitives::STEEL_SYMBOL_MODULE.clone(),
    || primitives::STEEL_VECTOR_MODULE.clone(),
    || primitives::STEEL_NUMBER_MODULE.clone(),
    || primitives::STEEL_EQUALITY_MODULE.clone(),
    || primitives::STEEL_ORD_MODULE.clone(),
    || primitives::STEEL_BYTEVECTOR_MODULE.clone(),
    || primitives::STEEL_IDENTITY_MODULE.clone(),
];

/// Library functions that the prelude wraps under the same name, to check their arguments first.
const PLAIN: &[(&str, &str)] = &[
    ("steel/numbers", "expt"),
    ("steel/numbers", "exact-integer-sqrt"),
    ("steel/vectors", "make-vector"),
    ("steel/vectors", "range-vec"),
    ("steel/lists", "range"),
    ("steel/strings", "make-string"),
    ("steel/bytevectors", "make-bytes"),
    ("steel/bytevectors", "make-bytevector"),
    ("steel/hash", "hash"),
    ("steel/hash", "hash-insert"),
    ("steel/hash", "hash-ref"),
    ("steel/hash", "hash-try-get"),
    ("steel/hash", "hash-get"),
    ("steel/hash", "hash-contains?"),
    ("steel/hash", "hash-remove"),
    ("steel/hash", "hash-code"),
];

/// How many forms are compiled at a time. Larger batches take superlinear time in the interpreter's
/// compiler; smaller ones cost 0.2 ms each.
const BATCH: usize = 300;

pub(super) struct Engine {
    pub steel: Steel,
    constants: HashMap<String, String>,
    /// In the order of their numbers. Batches that no later error can lead to are left out.
    batches: Vec<Batch>,
    /// How many batches have run.
    ran: usize,
    /// How many places of calls out of scripts have been numbered.
    numbered: usize,
    pending: Pending,
    /// Definitions that nothing has mentioned yet.
    pub on_demand: OnDemand,
    /// Definitions that were mentioned. They run before the pending forms.
    demanded: Vec<Demanded>,
    /// Whether definitions are loaded from the image: always, but for a test that compares.
    pub uses_image: bool,
    /// The error of a batch that had to run while a form was being expanded.
    pub stopped: Option<SteelErr>,
    /// The value of the last form that ran.
    pub last: Value,
    pub source: Option<Arc<Source>>,
    visible: Visible,
    /// Whether an error that no handler takes opens a break level.
    pub breaks: bool,
    /// How many levels are open at the prompt itself.
    pub break_level: usize,
}

/// The globals that scripts have set, for `%visible-globals`.
#[derive(Default)]
struct Visible {
    globals: BTreeSet<String>,
    /// Whether some emitted text calls `%visible-globals`.
    wanted: bool,
    /// How many globals the current definition of `%visible-globals` lists.
    listed: usize,
}

/// A definition that was mentioned.
pub(super) enum Demanded {
    /// Emitted text.
    Text(String),
    /// Loaded from the image.
    Compiled(Compiled),
    /// The value of another emitted global.
    Alias { global: String, target: String },
    /// What the first of these emitted globals returns for the others.
    Call { global: String, words: Vec<String> },
}

impl Demanded {
    /// Returns whether both can be parts of one program.
    fn runs_with(&self, next: &Demanded) -> bool {
        matches!(
            (self, next),
            (Demanded::Text(_), Demanded::Text(_)) | (Demanded::Compiled(_), Demanded::Compiled(_))
        )
    }
}

/// The image is part of the program, and a test reads all of it.
const BAD_IMAGE: &str = "internal error: a definition's image cannot be read";

/// Maps the text of a batch back to the script.
struct Batch {
    number: usize,
    source: Option<Arc<Source>>,
    places: Vec<expander::Place>,
    /// The places of calls out of the script, numbered from `first_call`.
    calls: Vec<Call>,
    first_call: usize,
    /// Whether nothing refers to the batch once it has run: it makes no procedures.
    is_passing: bool,
}

/// The place of a call out of a script.
type Call = (Option<Arc<Source>>, Span);

#[derive(Default)]
struct Pending {
    text: String,
    places: Vec<expander::Place>,
    calls: Vec<Call>,
    forms: usize,
    /// Whether a form that has not been added yet refers to `calls`.
    is_shared: bool,
}

/// Runs the interpreter and turns a panic into an error. Some of the interpreter's functions panic,
/// for example when a number overflows.
fn guarded<T>(run: impl FnOnce() -> Result<T, SteelErr>) -> Result<T, SteelErr> {
    caught(run).unwrap_or_else(|reason| {
        // The interpreter's lists panic with this when an allocation fails.
        let message = if reason.contains("AllocError") {
            OUT_OF_MEMORY.to_owned()
        } else {
            format!("internal error of the interpreter: {reason}")
        };
        Err(SteelErr::new(ErrorKind::Generic, message))
    })
}

/// Hashes of the texts that some engine of this process has compiled.
///
/// All engines share the compiler's table of number literals. A literal's name enters the table a
/// moment before its value, and a thread that looks it up in that moment panics. So a new text is
/// compiled by one thread at a time. A text that was compiled before adds no literals, and needs no
/// lock.
static COMPILED: LazyLock<Mutex<HashSet<u64>>> = LazyLock::new(Mutex::default);

/// Keeps other engines from compiling while `run` compiles.
pub(super) fn compiling_alone<T>(run: impl FnOnce() -> T) -> T {
    let _held = lock(&COMPILED);
    run()
}

/// How many hashes are kept. The texts that every host compiles at its start are among the first.
const MOST_COMPILED: usize = 10_000;

/// The path of texts that are not needed once they have run. The interpreter keeps one text per
/// path, and every text without a path. The path must exist; without one, the interpreter takes the
/// current folder, too.
const PASSING: &str = ".";

fn compile_and_run(
    steel: &mut Steel,
    text: String,
    is_passing: bool,
) -> Result<Vec<Value>, SteelErr> {
    let compile = |steel: &mut Steel, text: String| {
        guarded(|| match is_passing {
            true => steel.emit_raw_program(text, PASSING.into()),
            false => steel.emit_raw_program_no_path(text),
        })
    };
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let hash = hasher.finish();
    let mut known = lock(&COMPILED);
    let program = if known.contains(&hash) {
        drop(known);
        compile(steel, text)?
    } else {
        let program = compile(steel, text)?;
        if known.len() < MOST_COMPILED {
            known.insert(hash);
        }
        drop(known);
        program
    };
    guarded(|| steel.run_raw_program(program))
}

/// Sets `STEEL_HOME`, before the first engine of the process, to a path where no directory can
/// exist. Without it, every engine would look for a home directory, create one in the user's, and
/// complain if it could not. The variable is set by the interpreter's own function, because the
/// standard library's is unsafe, and this crate has no unsafe code. A value from the environment is
/// kept.
fn settle_home() {
    static SETTLED: Once = Once::new();
    SETTLED.call_once(|| {
        if std::env::var_os("STEEL_HOME").is_none()
            && let Some(set) = STEEL_META_MODULE.try_get("set-env-var!".to_owned())
        {
            let home = if cfg!(windows) { r"NUL\postoffice" } else { "/dev/null/postoffice" };
            super::primitives::call_native(
                &set,
                &[value::string("STEEL_HOME"), value::string(home)],
            );
        }
    });
}

/// Builds the compiler's table of constants in a thread of its own, while the first engine is made.
/// Nothing can be compiled without it, and it takes as long as that. It comes after `settle_home`:
/// the environment must not change while the thread runs. Nobody joins the thread; who needs the
/// table waits for it.
fn prepare_compiler() {
    static PREPARED: Once = Once::new();
    PREPARED.call_once(|| {
        // Without the thread, the first compilation builds it.
        let _ = thread::Builder::new().spawn(|| primitives::CONSTANT_PRIMITIVES.len());
    });
}

impl Engine {
    pub fn new() -> Engine {
        settle_home();
        prepare_compiler();
        let mut steel = Steel::new_raw_no_kernel();
        for module in MODULES.iter().map(|module| module()) {
            steel.register_module(module.clone());
            for name in module.names() {
                steel.register_value(&names::primitive(&name), module.get(name));
            }
        }
        // The prelude's functions of these names check their arguments before they call these.
        for (module, name) in PLAIN {
            let found =
                steel.builtin_modules().get(module).map(|module| module.get((*name).to_owned()));
            if let Some(function) = found {
                steel.register_value(&system_global(&format!("%plain-{name}")), function);
            }
        }
        steel.register_module(STEEL_PORT_MODULE.clone());
        let name = "call-with-exception-handler";
        steel.register_value(&names::primitive(name), STEEL_META_MODULE.get(name.to_owned()));
        Engine {
            steel,
            constants: HashMap::new(),
            batches: Vec::new(),
            ran: 0,
            numbered: 0,
            pending: Pending::default(),
            on_demand: OnDemand::new(),
            demanded: Vec::new(),
            uses_image: true,
            stopped: None,
            last: value::nil(),
            source: None,
            visible: Visible::default(),
            breaks: false,
            break_level: 0,
        }
    }

    /// Returns the constants, as data to read, by the globals that hold them.
    #[cfg(test)]
    pub fn constants(&self) -> HashMap<&str, &str> {
        self.constants.iter().map(|(text, global)| (global.as_str(), text.as_str())).collect()
    }

    /// Returns the interpreter's functions that scripts may call, as name and value.
    pub fn library(&self) -> Vec<(String, Value)> {
        let mut library = Vec::new();
        for module in MODULES.iter().map(|module| module()) {
            library.extend(
                module.names().into_iter().filter(|name| !name.contains(['%', '#'])).map(|name| {
                    let value = module.get(name.clone());
                    (name, value)
                }),
            );
        }
        library
    }

    /// Returns the value of an emitted global; `None` if it has none.
    pub fn global(&self, emitted: &str) -> Option<Value> {
        self.steel.extract_value(emitted).ok().filter(|value| downcast::<Unbound>(value).is_none())
    }

    /// Returns the names of the script's globals that have a value, or get one when they are
    /// mentioned.
    pub fn script_globals(&self) -> Vec<String> {
        let names = self
            .steel
            .globals()
            .iter()
            .filter_map(|name| names::script_name(name.resolve()))
            .collect::<Vec<_>>();
        let bound = names.into_iter().filter(|name| self.global(&names::global(name)).is_some());
        bound
            .chain(self.on_demand.globals().filter_map(|global| names::script_name(global)))
            .collect()
    }

    /// Returns the interpreter's function that compiles and runs a text from within a program.
    pub fn evaluator() -> Value {
        STEEL_META_MODULE.get("eval-string".to_owned())
    }

    pub fn set_global(&mut self, emitted: &str, value: Value) {
        if self.steel.global_exists(emitted) {
            self.steel.update_value(emitted, value);
        } else {
            self.steel.register_value(emitted, value);
        }
    }

    pub fn call(&mut self, emitted: &str, arguments: Vec<Value>) -> Result<Value, SteelErr> {
        match self.steel.extract_value(emitted)? {
            SteelVal::FuncV(function) => function(&arguments),
            function => {
                let steel = &mut self.steel;
                guarded(|| steel.call_function_with_args(function, arguments))
            }
        }
    }

    /// Adds an expanded form to the pending batch.
    ///
    /// # Errors
    /// The batch ran, because it was full, and one of its forms failed.
    pub fn add(&mut self, output: expander::Output) -> Result<(), SteelErr> {
        if self.pending.text.is_empty() {
            // The batch's number, by which `script_span` finds the place of an error.
            self.pending.text = format!(";{}\n", self.ran);
        }
        let offset = self.pending.text.len();
        self.pending.text.push_str(&output.text);
        self.pending.text.push('\n');
        let moved = |place: expander::Place| expander::Place {
            start: place.start + offset,
            end: place.end + offset,
            ..place
        };
        self.pending.places.extend(output.places.into_iter().map(moved));
        self.pending.forms += 1;
        // `%visible-globals` must list what earlier forms have set, so each form runs by itself.
        if self.pending.forms >= BATCH || self.visible.wanted { self.flush() } else { Ok(()) }
    }

    /// Adds a definition of the system, which runs before the pending forms.
    pub fn add_demanded(&mut self, demanded: Demanded) {
        self.demanded.push(demanded);
    }

    /// Finds what the definition of an emitted global compiles to, if all globals that it mentions
    /// are known.
    pub fn compiled(&self, global: &str, definition: &Definition) -> Option<Compiled> {
        let text = match definition {
            Definition::Language(text) => text,
            Definition::Form(text) => text.as_str(),
            Definition::Alias(_) | Definition::Call(_) => return None,
        };
        let compiled = Compiled::find(global, text).filter(|_| self.uses_image)?;
        let is_known = |name: &str| {
            name.starts_with("l/")
                || self.on_demand.contains(name)
                || self.steel.global_exists(name)
        };
        compiled.globals().all(is_known).then_some(compiled)
    }

    /// Compiles and runs the pending forms.
    ///
    /// # Errors
    /// The error of the first form that failed. The forms before it have run.
    pub fn flush(&mut self) -> Result<(), SteelErr> {
        self.list_globals();
        self.run_demanded()?;
        if self.pending.forms == 0 {
            return Ok(());
        }
        let pending = std::mem::take(&mut self.pending);
        if self.batches.last().is_some_and(|batch| batch.is_passing) {
            self.batches.pop();
        }
        let is_passing = !pending.is_shared && !pending.text.contains("(lambda");
        self.batches.push(Batch {
            number: self.ran,
            source: self.source.clone(),
            places: pending.places,
            first_call: self.numbered - pending.calls.len(),
            calls: pending.calls,
            is_passing,
        });
        self.ran += 1;
        let values = compile_and_run(&mut self.steel, pending.text, is_passing)?;
        if let Some(value) = values.into_iter().next_back() {
            self.last = value;
        }
        Ok(())
    }

    /// Redefines [`names::VISIBLE_GLOBALS`] if globals were set since it was last defined.
    fn list_globals(&mut self) {
        let count = self.visible.globals.len();
        if !self.visible.wanted || self.visible.listed == count {
            return;
        }
        let pairs = self
            .visible
            .globals
            .iter()
            .map(|global| format!(" (#%prim.list \"{global}\" {global})"));
        let text = format!(
            "(set! {} (lambda () (#%prim.list{})))",
            names::VISIBLE_GLOBALS,
            pairs.collect::<String>()
        );
        self.add_demanded(Demanded::Text(text));
        self.visible.listed = count;
    }

    /// Runs the definitions that were mentioned. If they are interrupted, they run again next time,
    /// which is harmless because they only define.
    fn run_demanded(&mut self) -> Result<(), SteelErr> {
        if self.demanded.is_empty() {
            return Ok(());
        }
        let demanded = std::mem::take(&mut self.demanded);
        let done = demanded.chunk_by(Demanded::runs_with).try_for_each(|chunk| self.run(chunk));
        match done {
            Ok(()) => self.on_demand.settle(),
            Err(_) => self.demanded = demanded,
        }
        done
    }

    /// Runs definitions of one kind.
    fn run(&mut self, demanded: &[Demanded]) -> Result<(), SteelErr> {
        let mut text = String::new();
        let mut program = Vec::new();
        for demanded in demanded {
            match demanded {
                Demanded::Text(own) => {
                    text.push_str(own);
                    text.push('\n');
                }
                Demanded::Compiled(compiled) => program.extend(self.loaded(compiled)?),
                Demanded::Alias { global, target } => {
                    let value = self.steel.extract_value(target)?;
                    self.set_global(global, value);
                }
                Demanded::Call { global, words } => {
                    let values: Result<Vec<Value>, SteelErr> =
                        words[1..].iter().map(|word| self.steel.extract_value(word)).collect();
                    let value = self.call(&words[0], values?)?;
                    self.set_global(global, value);
                }
            }
        }
        if !text.is_empty() {
            compile_and_run(&mut self.steel, text, false)?;
        }
        if !program.is_empty() {
            let program = RawProgramWithSymbols::new(program, ConstantMap::new(), String::new());
            guarded(|| self.steel.run_raw_program(program))?;
        }
        Ok(())
    }

    /// Returns the instructions of a compiled definition, linked with this engine's constants.
    fn loaded(&mut self, compiled: &Compiled) -> Result<Vec<Vec<Instruction>>, SteelErr> {
        let constants = compiled.constants().map(|constants| {
            constants.iter().map(|datum| self.constant(datum)).collect::<Vec<_>>()
        });
        constants
            .and_then(|constants| compiled.instructions(&constants))
            .ok_or_else(|| SteelErr::new(ErrorKind::Generic, BAD_IMAGE.to_owned()))
    }

    /// Drops the pending forms.
    pub fn discard(&mut self) {
        self.pending = Pending::default();
    }

    /// Returns the place in a script where an error arose: the failing form, or else the call that
    /// led out of the script.
    pub fn place(&self, trail: &Trail) -> Option<Place> {
        let (source, span) = self.innermost_form(trail)?;
        Some(source.place(span))
    }

    fn innermost_form(&self, trail: &Trail) -> Option<(&Arc<Source>, Span)> {
        trail.span.and_then(|span| self.script_span(&span)).or_else(|| {
            let number = trail.call?;
            let after = self.batches.partition_point(|batch| batch.first_call <= number);
            let batch = self.batches.get(after.checked_sub(1)?)?;
            let (source, span) = batch.calls.get(number - batch.first_call)?;
            Some((source.as_ref()?, *span))
        })
    }

    /// Returns the script's active functions, innermost first. Consecutive calls of one function
    /// are counted in one frame.
    pub fn frames(&self, trail: &Trail) -> Vec<Frame> {
        let mut frames: Vec<Frame> = Vec::new();
        for (source, span) in trail.frames.iter().filter_map(|span| self.script_span(span)) {
            let Some((function, line)) = source.definition(span) else { continue };
            match frames.last_mut().filter(|last| {
                last.function == function && last.source_name == source.name && last.line == line
            }) {
                Some(last) => last.count += 1,
                None => frames.push(Frame {
                    function,
                    source_name: source.name.clone(),
                    line,
                    count: 1,
                }),
            }
        }
        frames
    }

    /// Returns the name of the function that the failing call calls.
    pub fn callee(&self, trail: &Trail) -> Option<String> {
        let (source, span) = self.innermost_form(trail)?;
        let call = source.text.get(span.start..span.end)?.strip_prefix('(')?;
        let name = call
            .split(|character: char| character.is_whitespace() || "()\"';".contains(character))
            .next()?;
        (!name.is_empty() && name != "lambda" && !name.starts_with('#')).then(|| name.to_owned())
    }

    fn script_span(&self, span: &SteelSpan) -> Option<(&Arc<Source>, Span)> {
        let text = self.steel.get_source(&span.source_id?)?;
        let number: usize = text.strip_prefix(';')?.split('\n').next()?.parse().ok()?;
        let index = self.batches.binary_search_by_key(&number, |batch| batch.number).ok()?;
        let batch = &self.batches[index];
        let found = expander::locate(&batch.places, span.start as usize)?;
        Some((batch.source.as_ref()?, found))
    }
}

impl Hooks for Engine {
    fn is_bound(&mut self, global: &str) -> bool {
        self.on_demand.contains(global) || self.global(global).is_some()
    }

    fn declare(&mut self, global: &str, name: &str) {
        if !self.steel.global_exists(global) {
            let unbound =
                shared_object(Arc::new(Unbound(name.into())), &format!("#<unbound {name}>"));
            self.steel.register_value(global, unbound);
        }
    }

    fn assigned(&mut self, global: &str) {
        if !self.visible.globals.contains(global) {
            self.visible.globals.insert(global.to_owned());
        }
    }

    fn want_globals(&mut self) {
        if !self.visible.wanted {
            self.visible.wanted = true;
            self.declare(names::VISIBLE_GLOBALS, "%visible-globals");
            let text = format!("(set! {} (lambda () '()))", names::VISIBLE_GLOBALS);
            self.add_demanded(Demanded::Text(text));
        }
    }

    fn constant(&mut self, datum: &Datum) -> String {
        let key = printer::readably(datum);
        if let Some(name) = self.constants.get(&key) {
            return name.clone();
        }
        let name = format!("k/{}", self.constants.len());
        self.steel.register_value(&name, from_datum(datum));
        self.constants.insert(key, name.clone());
        name
    }

    fn place(&mut self, span: Span) -> usize {
        self.pending.calls.push((self.source.clone(), span));
        self.numbered += 1;
        self.numbered - 1
    }

    fn needs_place(&mut self, global: &str) -> bool {
        self.on_demand.contains(global)
            || matches!(self.steel.extract_value(global), Ok(SteelVal::Closure(_)))
    }

    fn signature(&mut self, name: &str) -> Option<String> {
        super::natives::context().ok()?.documentation(name).map(|known| known.lambda_list)
    }

    fn call_macro(&mut self, global: &str, arguments: &[Datum]) -> Result<Datum, String> {
        self.pending.is_shared = self.pending.forms > 0;
        if let Err(error) = self.flush() {
            self.stopped = Some(error);
            return Err(String::new());
        }
        let arguments = arguments.iter().map(from_datum).collect();
        match self.call(global, arguments) {
            Ok(value) => Ok(value::to_datum(&value)),
            Err(error) => Err(self.macro_failure(error)),
        }
    }
}

/// What an error means that nobody caught.
enum Uncaught {
    Condition(Condition),
    /// A jump to a place outside of what ran, for example to a block that an interrupt has left.
    Jump,
    /// A call of `exit`.
    Exit,
}

impl Engine {
    /// Returns the message for an error in a macro's procedure. `exit` ends the program there too.
    fn macro_failure(&mut self, error: SteelErr) -> String {
        match self.uncaught(&error) {
            Uncaught::Condition(condition) => format!("while expanding: {}", condition.message),
            Uncaught::Jump => format!("while expanding: {}", messages::LEFT_ALREADY),
            Uncaught::Exit => {
                self.stopped = Some(error);
                String::new()
            }
        }
    }

    /// Takes the flight of an error that nobody caught, unless it is an exit.
    fn uncaught(&mut self, error: &SteelErr) -> Uncaught {
        let Some(number) = messages::token(error) else {
            return Uncaught::Condition(messages::condition_of(error));
        };
        let flight = natives::flight(number, &self.flights());
        let payload = flight.get(1).cloned().unwrap_or_else(value::nil);
        let found = match flight.first().and_then(value::as_symbol) {
            Some("exit") => return Uncaught::Exit,
            Some("throw") => Uncaught::Jump,
            _ => Uncaught::Condition(messages::payload_condition(&payload)),
        };
        self.take_flight(number);
        found
    }

    fn flights(&self) -> Value {
        self.prelude_variable("%flights").unwrap_or_else(value::nil)
    }

    /// Removes the flight with this number and returns it: kind, payload and trail of an error.
    pub fn take_flight(&mut self, number: i64) -> Vec<Value> {
        let flights = self.flights();
        self.set_prelude_variable("%flights", natives::without(number, &flights));
        natives::flight(number, &flights)
    }

    /// Removes and returns the next clean-up form that an interrupt left behind.
    pub fn next_cleanup(&mut self) -> Option<Value> {
        let mut cleanups = value::as_list(&self.prelude_variable("%cleanups")?)?;
        let next = cleanups.next()?;
        self.set_prelude_variable("%cleanups", value::list(cleanups.collect()));
        Some(next)
    }

    /// Runs a clean-up form, without handlers. Its own errors are dropped, because an error is
    /// being reported already.
    pub fn run_cleanup(&mut self, cleanup: Value) {
        for name in ["%handlers", "%restarts"] {
            self.set_prelude_variable(name, value::nil());
        }
        let steel = &mut self.steel;
        let _ = guarded(|| steel.call_function_with_args(cleanup, Vec::new()));
    }

    /// Resets the prelude's state: nothing is active any more.
    pub fn reset(&mut self) {
        self.set_prelude_variable("%nesting", value::integer(0));
        for name in ["%handlers", "%restarts", "%cleanups", "%flights"] {
            self.set_prelude_variable(name, value::nil());
        }
        if self.breaks {
            let handlers = self.prelude_variable("%break-handlers");
            self.set_prelude_variable("%handlers", handlers.unwrap_or_else(value::nil));
            self.set_break_level();
        }
    }

    /// Tells the prelude how many levels are open at the prompt.
    pub fn set_break_level(&mut self) {
        let level = value::integer(self.break_level as i64); // far below 2^63
        self.set_prelude_variable("%break-level", level);
    }

    fn prelude_variable(&self, name: &str) -> Option<Value> {
        self.global(&system_global(name))
    }

    /// Sets a variable of the prelude. One that nothing has mentioned yet keeps its initial value.
    fn set_prelude_variable(&mut self, name: &str, value: Value) {
        if self.prelude_variable(name).is_some() {
            self.steel.update_value(&system_global(name), value);
        }
    }
}
