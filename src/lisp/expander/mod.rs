//! Translates the script's forms to a small Scheme core: lambda, if, let, set!, quote, begin and
//! calls.
//!
//! The host gives [`Expander::expand`] one top-level form at a time. A `Pass` walks the form:
//! special forms emit themselves (see `forms`), macros are expanded until a special form or a call
//! remains, and everything is appended to an [`Output`], which maps the emitted text back to the
//! script. The host compiles the text and answers questions through [`Hooks`].
//!
//! Every name of a script is resolved here. A variable becomes `v12`; a global of the script
//! becomes `u/name`, one of the system `s/name`. So a script may define `first` or `filter` as it
//! likes: the prelude's own functions keep calling `s/first`, and the interpreter's library is out
//! of reach. Globals are called through their name, so that a redefinition reaches its callers; the
//! few primitives in `names::INLINE` are emitted directly as long as the script does not define
//! them.
//!
//! Calls that may fail carry their place: `s/%at` for a top-level form, `s/%enter` for a function
//! body (see `lambda_list`), and `s/%in` … `s/%out` around a call of a library function that needs
//! one.

mod bodies;
mod calls;
mod common;
mod conditions;
mod control;
mod definitions;
mod forms;
mod lambda_list;
mod local_macros;
mod loop_form;
mod loops;
mod matching;
pub(crate) mod names;
mod output;
mod parallel;
mod place_forms;
mod places;
mod plain_loops;
mod quasiquote;
mod scope;
pub(crate) mod several;
mod standard_variables;
mod structures;
mod survey;
mod syntax_rules;
mod template;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock, OnceLock};

use super::datum::Datum;
use super::node::{Kind, Node, Span, Symbol};
pub use definitions::{announced, only_defines};
pub use names::{global, native_global, system_global};
pub use output::{Output, Place, locate};
pub use scope::Scope;
use scope::{Binding, Mark, Meaning};
pub use survey::{Called, Program, Survey};
use syntax_rules::SyntaxRules;

/// How deep forms may nest after expansion. The interpreter's compiler recurses on the emitted
/// forms.
const DEPTH_LIMIT: usize = 160;
/// How deep the parentheses of the emitted text may nest.
const EMITTED_DEPTH_LIMIT: usize = 700;

/// Room for the names of the language and the application, so that tables need not grow at start.
const NAMES: usize = 1500;

/// The services that the expander needs from the host.
pub trait Hooks {
    /// Returns whether the emitted global has a value already.
    fn is_bound(&mut self, global: &str) -> bool;
    /// Declares the emitted global as an unbound stub, unless it is known already.
    fn declare(&mut self, global: &str, name: &str);
    /// Reports that a definition or an assignment of the script sets this emitted global, which is
    /// declared.
    fn assigned(&mut self, global: &str);
    /// Reports that the emitted text calls `names::VISIBLE_GLOBALS`.
    fn want_globals(&mut self);
    /// Returns an emitted global that holds this constant.
    fn constant(&mut self, datum: &Datum) -> String;
    /// Returns whether numbers and short strings may stand in the emitted text.
    fn writes_constants(&self) -> bool {
        true
    }
    /// Returns whether the emitted global is a function outside the script in which an error may
    /// come from deep within. Calls of such a function are emitted with their place.
    fn needs_place(&mut self, global: &str) -> bool;
    /// Returns a number under which this place of the script can be found again.
    fn place(&mut self, span: Span) -> usize;
    /// Returns the lambda list of a documented word.
    fn signature(&mut self, name: &str) -> Option<String>;
    /// Calls the procedure of a `defmacro`. All text emitted before must have run.
    ///
    /// The error message.
    fn call_macro(&mut self, global: &str, arguments: &[Datum]) -> Result<Datum, String>;
}

/// The error for a form that is not part of the language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpandError {
    /// The message, starting in lower case. It names the form.
    pub message: String,
    /// The form.
    pub span: Span,
}

/// A macro.
pub enum Macro {
    /// Defined by `syntax-rules`.
    Rules(SyntaxRules),
    /// A system macro defined by `syntax-rules`, whose text is parsed at its first use.
    Unread(Unread),
    /// Defined by `defmacro`: the emitted global that holds its procedure.
    Procedure(String),
}

/// The text of a system macro.
pub struct Unread {
    text: &'static str,
    rules: OnceLock<Result<SyntaxRules, String>>,
}

impl Unread {
    fn rules(&self) -> Result<&SyntaxRules, &String> {
        let read = || {
            let forms = super::reader::read(self.text).map_err(|error| error.message)?;
            let form = forms.first().ok_or("no form")?;
            let rules = match form.as_list() {
                Some([head, _, rules]) if head.is_named("define-syntax") => rules,
                _ => form,
            };
            SyntaxRules::parse(rules, &Scope::default(), true)
        };
        self.rules.get_or_init(read).as_ref()
    }
}

type Expanded = Result<(), ExpandError>;
type SpecialForm = fn(&mut Pass<'_>, &Node, &Scope, &mut Output) -> Expanded;

static SPECIAL: LazyLock<HashMap<&'static str, SpecialForm>> = LazyLock::new(forms::table);

/// What a top-level form comes to.
pub enum Step {
    /// A `progn`, perhaps after macro expansion; or a form after the definitions of its local
    /// macros.
    Forms(Parts),
    /// The expanded form.
    Emitted(Output),
}

/// The forms of a top-level `progn`. Each is a top-level form: it is expanded once the forms before
/// it have run. So a macro among them is known to the rest.
pub struct Parts {
    /// The forms.
    pub forms: Vec<Node>,
    /// Whether the `progn` is the expansion of a macro.
    pub is_made: bool,
    /// Whether all forms only define functions and macros.
    pub only_defines: bool,
}

/// The state that is kept from form to form: the macros, and which globals the script has defined.
pub struct Expander {
    special: &'static HashMap<&'static str, SpecialForm>,
    macros: HashMap<Arc<str>, Arc<Macro>>,
    system_macros: HashMap<Arc<str>, Arc<Macro>>,
    /// Names of the language that the script has redefined.
    redefined: HashSet<Arc<str>>,
    /// Globals that an already expanded definition sets.
    defined: HashSet<String>,
    /// Names that the system defines: the prelude and the application.
    system: HashSet<Arc<str>>,
    /// The part of `system` that the language itself defines. The language's own text uses these,
    /// even if an application defines the same names.
    language: HashSet<Arc<str>>,
    /// Names that scripts find defined by the language. An application's functions of such a name,
    /// or of one in `language`, are visible to scripts only.
    taken: HashSet<Arc<str>>,
    /// Names that scripts find defined and have not redefined.
    library: HashSet<Arc<str>>,
    /// Functions of scripts that may give several values.
    several: HashSet<Arc<str>>,
    /// How the script's own places are set.
    setters: HashMap<Arc<str>, places::Setter>,
    structures: HashMap<Arc<str>, structures::Structure>,
    /// The names of the procedures of local macros, by their text.
    local_macros: HashMap<String, Arc<str>>,
    /// The definitions of local macros without which the form cannot be expanded.
    wanted: Vec<Node>,
    marks: Vec<Mark>,
    /// How many of the marks may be in texts that stay.
    kept_marks: usize,
    /// Whether a macro that stays after the form was defined, whose text may have marks.
    keeps_marks: bool,
    counter: u32,
    /// Whether `*` as a variable is the prompt's last value.
    pub has_last_value: bool,
    /// Whether the last expanded form only defines functions and macros.
    pub only_defines: bool,
    /// The dynamic variables: those of the system, and those that `defvar` and `defparameter` made.
    dynamic: HashSet<Arc<str>>,
    /// The survey in progress; see [`Expander::survey`].
    survey: Option<Survey>,
}

/// The state of one expansion.
pub(super) struct Pass<'a> {
    memory: &'a mut Expander,
    hooks: &'a mut dyn Hooks,
    /// Whether the text being expanded is part of the system.
    system: bool,
    depth: usize,
    /// The name of the function whose body is being expanded, for messages.
    function: Option<Arc<str>>,
    blocks: Vec<Block>,
    /// The `tagbody`s around the form being expanded, innermost last.
    tagbodies: Vec<control::Tagbody>,
    /// How many calls have been emitted of anything but primitives.
    calls: usize,
    /// Whether the form being expanded is the whole top-level form, perhaps after macro expansion.
    whole: bool,
    /// Set while a function for another engine is examined: the variables that it mentions.
    sent: Option<parallel::Sent>,
    /// The last macro of the language that was expanded and that scripts know by name.
    written_macro: Option<String>,
    /// Whether the form being expanded is a call of `gethash` of which only the first value counts.
    wants_first: bool,
}

/// A block around the form being expanded, which `return-from` may leave.
struct Block {
    name: Arc<str>,
    variable: u32,
    used: bool,
}

impl Default for Expander {
    fn default() -> Self {
        Expander {
            special: &SPECIAL,
            macros: HashMap::new(),
            system_macros: HashMap::with_capacity(256),
            redefined: HashSet::new(),
            defined: HashSet::new(),
            system: HashSet::with_capacity(NAMES),
            language: HashSet::new(),
            taken: HashSet::new(),
            library: HashSet::with_capacity(NAMES),
            several: HashSet::new(),
            setters: HashMap::new(),
            structures: HashMap::new(),
            local_macros: HashMap::new(),
            wanted: Vec::new(),
            marks: Vec::new(),
            kept_marks: 0,
            keeps_marks: false,
            counter: 0,
            has_last_value: false,
            only_defines: false,
            dynamic: names::DYNAMIC.iter().map(|name| (*name).into()).collect(),
            survey: None,
        }
    }
}

impl Expander {
    /// Declares the names that `forms` will define at top level, so that functions may refer to
    /// later definitions. Call it before [`Expander::expand`].
    pub fn announce(&mut self, forms: &[Node], hooks: &mut dyn Hooks) {
        for form in forms {
            announced(form, &mut |name| hooks.declare(&global(name), name));
        }
    }

    /// The first subform that is not part of the language.
    pub fn expand(
        &mut self,
        form: &Node,
        system: bool,
        hooks: &mut dyn Hooks,
    ) -> Result<Output, ExpandError> {
        let marks = self.marks.len();
        self.keeps_marks = false;
        let mut pass = self.pass(system, hooks);
        let expanded = pass.top_level(form);
        self.release_marks(marks);
        expanded
    }

    /// Like [`Expander::expand`], but does not expand the forms of a `progn`. Call
    /// [`Expander::release_marks`] with the earlier [`Expander::marks`] when they are expanded.
    ///
    /// # Errors
    /// As [`Expander::expand`].
    pub fn step(&mut self, form: &Node, hooks: &mut dyn Hooks) -> Result<Step, ExpandError> {
        let marks = self.marks.len();
        self.keeps_marks = false;
        self.wanted.clear();
        let step = self.next_step(form, hooks);
        if step.is_err() && !self.wanted.is_empty() {
            let mut forms = std::mem::take(&mut self.wanted);
            forms.push(form.clone());
            return Ok(Step::Forms(Parts {
                forms,
                is_made: true,
                only_defines: only_defines(form),
            }));
        }
        if !matches!(step, Ok(Step::Forms(_))) {
            self.release_marks(marks);
        }
        step
    }

    fn next_step(&mut self, form: &Node, hooks: &mut dyn Hooks) -> Result<Step, ExpandError> {
        let mut pass = self.pass(false, hooks);
        let expansion = pass.expand_head(form)?;
        let expanded = expansion.as_ref().unwrap_or(form);
        if let Some([head, forms @ ..]) = expanded.as_list()
            && (head.is_named("progn") || head.is_named("begin"))
            && !forms.is_empty()
            && matches!(pass.head(head, &Scope::default()), Head::Special(_))
        {
            return Ok(Step::Forms(Parts {
                forms: forms.to_vec(),
                is_made: expansion.is_some(),
                only_defines: only_defines(expanded),
            }));
        }
        let mut output = pass.top_level(expanded).map_err(|error| named(error, form))?;
        if expansion.is_some() {
            output.mark(0, form.span);
        }
        Ok(Step::Emitted(output))
    }

    /// Like [`Expander::step`], but names the variables as if the form were the first one, so that
    /// forms that differ in their constants only have the same text.
    ///
    /// # Errors
    /// As [`Expander::expand`].
    pub fn step_alone(&mut self, form: &Node, hooks: &mut dyn Hooks) -> Result<Step, ExpandError> {
        let counter = std::mem::take(&mut self.counter);
        let step = self.step(form, hooks);
        self.counter = counter;
        step
    }

    /// Returns how many marks are in use.
    pub fn marks(&self) -> usize {
        self.marks.len()
    }

    /// Forgets all marks but the first ones, and those in the texts of macros that were defined.
    pub fn release_marks(&mut self, count: usize) {
        if self.keeps_marks {
            self.kept_marks = self.marks.len();
        }
        self.marks.truncate(count.max(self.kept_marks));
    }

    fn pass<'a>(&'a mut self, system: bool, hooks: &'a mut dyn Hooks) -> Pass<'a> {
        self.only_defines = false;
        Pass {
            memory: self,
            hooks,
            system,
            depth: 0,
            function: None,
            blocks: Vec::new(),
            tagbodies: Vec::new(),
            calls: 0,
            whole: true,
            sent: None,
            written_macro: None,
            wants_first: false,
        }
    }
    /// Forgets which definitions were expanded, because some of them may not have run.
    pub fn forget_unrun(&mut self) {
        self.defined.clear();
    }

    /// Returns the names of all macros and special forms, for completion; internal ones, which
    /// start with `%`, are left out.
    pub fn macro_names(&self) -> Vec<String> {
        let macros =
            self.macros.keys().chain(self.system_macros.keys()).map(|name| name.to_string());
        macros
            .chain(self.special.keys().map(|name| (*name).to_owned()))
            .filter(|name| !name.starts_with('%'))
            .collect()
    }

    /// Records a name that the host defines for the system.
    pub fn note_system(&mut self, name: &str) {
        self.system.insert(name.into());
    }

    /// Ends the definition of the language: the names defined so far are the language's, later ones
    /// the application's.
    pub fn close_language(&mut self) {
        self.language = self.system.clone();
        self.taken = self.library.clone();
    }

    /// Returns whether the language itself defines a name.
    pub fn is_language(&self, name: &str) -> bool {
        self.language.contains(name) || self.taken.contains(name)
    }

    /// Records that scripts use another definition of a name of the language from now on.
    pub fn redefine(&mut self, name: &str) {
        self.redefined.insert(name.into());
    }

    /// Expands a form of the language's own text, in which only the language's names are the
    /// system's.
    pub fn expand_language(
        &mut self,
        form: &Node,
        hooks: &mut dyn Hooks,
    ) -> Result<Output, ExpandError> {
        std::mem::swap(&mut self.system, &mut self.language);
        let expanded = self.expand(form, true, hooks);
        std::mem::swap(&mut self.system, &mut self.language);
        expanded
    }

    /// Records a name that scripts find defined.
    pub fn note_library(&mut self, name: &str) {
        self.library.insert(name.into());
    }

    /// Returns the names that scripts find defined.
    pub fn library_names(&self) -> Vec<String> {
        self.library.iter().map(|name| name.to_string()).collect()
    }

    /// Makes `name` the same macro as the system macro `target`. Returns whether there is one.
    pub fn alias_macro(&mut self, name: &str, target: &str) -> bool {
        let Some(found) = self.system_macros.get(target).cloned() else { return false };
        self.system_macros.insert(name.into(), found);
        true
    }

    /// Defines a system macro by the text of a `(syntax-rules …)` or of a whole `(define-syntax
    /// …)`.
    pub fn define_system_rules(&mut self, name: &str, text: &'static str) {
        self.system_macros
            .insert(name.into(), Arc::new(Macro::Unread(Unread { text, rules: OnceLock::new() })));
    }

    /// Defines a system macro whose procedure is the emitted `global`.
    pub fn define_procedure_macro(&mut self, name: &str, global: &str) {
        self.system_macros.insert(name.into(), Arc::new(Macro::Procedure(global.to_owned())));
    }
}

/// The meaning of the head of a list.
enum Head {
    Special(SpecialForm),
    Macro(Arc<Macro>),
    Other,
}

impl Pass<'_> {
    fn top_level(&mut self, form: &Node) -> Result<Output, ExpandError> {
        let mut output = Output::default();
        self.form(form, &Scope::default(), &mut output)?;
        self.emitted(output.depth(), form.span)?;
        if self.calls > 0 && !self.system {
            output.single_values();
            // The place of a tail call is gone when it fails; the error is then reported at this
            // form.
            let place = self.hooks.place(form.span);
            output.wrap(&format!("(begin (s/%at {place}) "), ")");
        }
        if !self.system {
            plain_loops::simplify(&mut output);
        }
        Ok(output)
    }

    /// Expands a top-level form until its head is no macro. Returns `None` if it was none before.
    fn expand_head(&mut self, form: &Node) -> Result<Option<Node>, ExpandError> {
        let mut expansion: Option<Node> = None;
        for _ in 0..DEPTH_LIMIT {
            let node = expansion.as_ref().unwrap_or(form);
            let Some(head) = node.as_list().and_then(|elements| elements.first()) else { break };
            let Head::Macro(found) = self.head(head, &Scope::default()) else { break };
            expansion = Some(self.expand_macro(&found, node)?);
        }
        Ok(expansion)
    }

    fn error<T>(&self, span: Span, message: impl Into<String>) -> Result<T, ExpandError> {
        Err(ExpandError { message: message.into(), span })
    }

    fn fresh(&mut self) -> u32 {
        self.memory.counter += 1;
        self.memory.counter
    }

    fn resolve(&self, symbol: &Symbol, scope: &Scope) -> Meaning {
        scope.resolve(symbol, &self.memory.marks, self.system)
    }

    fn head(&self, node: &Node, scope: &Scope) -> Head {
        let Some(symbol) = node.as_symbol() else { return Head::Other };
        match self.resolve(symbol, scope) {
            Meaning::Bound(Binding::Macro(found)) => Head::Macro(found),
            Meaning::Bound(_) => Head::Other,
            Meaning::Global { name, system } => {
                let memory = &self.memory;
                if !system {
                    if let Some(found) = memory.macros.get(&name) {
                        return Head::Macro(found.clone());
                    }
                    if memory.redefined.contains(&name) {
                        return Head::Other;
                    }
                }
                match (memory.special.get(&*name), memory.system_macros.get(&name)) {
                    (Some(special), _) => Head::Special(*special),
                    (None, Some(found)) => Head::Macro(found.clone()),
                    (None, None) => Head::Other,
                }
            }
        }
    }

    /// Returns whether `node` is the symbol `name` and means a special form or a macro in this
    /// scope.
    fn is_language(&self, node: &Node, name: &str, scope: &Scope) -> bool {
        node.is_named(name) && !matches!(self.head(node, scope), Head::Other)
    }

    /// Emits a form as an expression.
    fn form(&mut self, node: &Node, scope: &Scope, output: &mut Output) -> Expanded {
        self.deeper(node.span, |pass| pass.form_inner(node, scope, output))
    }

    /// Refuses emitted text whose parentheses nest deeper than [`EMITTED_DEPTH_LIMIT`].
    fn emitted(&self, depth: usize, span: Span) -> Expanded {
        if depth > EMITTED_DEPTH_LIMIT {
            return self.error(
                span,
                "forms are nested too deep, counting what macros and clauses expand to",
            );
        }
        Ok(())
    }

    /// Runs a step that recurses on parts of a form. Fails at [`DEPTH_LIMIT`], before the stack
    /// could run out.
    fn deeper(&mut self, span: Span, expand: impl FnOnce(&mut Self) -> Expanded) -> Expanded {
        if self.depth > DEPTH_LIMIT {
            return self.error(
                span,
                format!(
                    "forms are nested more than {DEPTH_LIMIT} deep, counting what macros expand to"
                ),
            );
        }
        self.depth += 1;
        let expanded = expand(self);
        self.depth -= 1;
        expanded
    }

    fn form_inner(&mut self, node: &Node, scope: &Scope, output: &mut Output) -> Expanded {
        self.expand_form(node, scope, output).map_err(|error| named(error, node))
    }

    fn expand_form(&mut self, node: &Node, scope: &Scope, output: &mut Output) -> Expanded {
        let whole = std::mem::take(&mut self.whole);
        match &node.kind {
            Kind::Symbol(symbol) => self.reference(symbol, node.span, scope, output),
            Kind::List(elements) if !elements.is_empty() => {
                let start = output.text.len();
                match self.head(&elements[0], scope) {
                    Head::Special(special) => {
                        if whole {
                            self.memory.only_defines = only_defines(node);
                        }
                        special(self, node, scope, output)?;
                    }
                    Head::Macro(found) if self.cannot_expand_yet(&found, node) => {
                        output.push("'()")
                    }
                    Head::Macro(found) => {
                        let expansion = self.expand_macro(&found, node)?;
                        self.whole = whole;
                        self.form(&expansion, scope, output)?;
                    }
                    Head::Other => self.call(elements, node.span, scope, output)?,
                }
                output.mark(start, node.span);
                Ok(())
            }
            Kind::Dotted(..) => {
                self.error(node.span, "a call is a proper list; this one has a dot")
            }
            Kind::Opaque(_) => self.error(node.span, "an object cannot stand in a program"),
            _ => {
                self.constant(node, output);
                Ok(())
            }
        }
    }

    fn expand_macro(&mut self, found: &Macro, node: &Node) -> Result<Node, ExpandError> {
        let name = node
            .as_list()
            .and_then(|list| list.first())
            .and_then(Node::as_symbol)
            .map_or("macro", |symbol| &symbol.name)
            .to_owned();
        let rules = match found {
            Macro::Rules(rules) => Ok(rules),
            Macro::Unread(unread) => unread.rules().map_err(|message| message.clone()),
            Macro::Procedure(global) => return self.expand_by_procedure(global, &name, node),
        };
        // Macros of the system's own are steps of those that scripts write.
        let name = match &self.written_macro {
            Some(written) if name.starts_with('%') => written.clone(),
            _ => name,
        };
        self.written_macro = Some(name.clone());
        match rules {
            Ok(rules) => {
                let marks = &mut self.memory.marks;
                let expansion = rules.expand(node, &mut |outer| {
                    marks.push(Mark { scope: rules.scope.clone(), outer, system: rules.system });
                    marks.len() as u32
                });
                match expansion {
                    Some(expansion) => Ok(expansion),
                    None => {
                        let expected = self.expected(&name);
                        self.error(
                            node.span,
                            format!(
                                "{name}: malformed: {}",
                                expected.unwrap_or_else(|| format!("see (help {name})"))
                            ),
                        )
                    }
                }
            }
            Err(message) => self.error(node.span, format!("{name}: {message}")),
        }
    }

    fn expand_by_procedure(
        &mut self,
        global: &str,
        name: &str,
        node: &Node,
    ) -> Result<Node, ExpandError> {
        let arguments: Vec<Datum> =
            node.as_list().unwrap_or_default()[1..].iter().map(Node::datum).collect();
        let places = SubformPlaces::of(node);
        match self.hooks.call_macro(global, &arguments) {
            Ok(expansion) => Ok(places.place(&expansion, node.span)),
            Err(message) => match self.expected(name) {
                Some(expected) => {
                    self.error(node.span, format!("{name}: malformed: {expected} ({message})"))
                }
                None => self.error(node.span, message),
            },
        }
    }

    /// Returns "expected (name (variable …) …)" for a documented macro.
    fn expected(&mut self, name: &str) -> Option<String> {
        let signature = self.hooks.signature(name)?;
        let parameters = signature.strip_prefix('(')?;
        Some(if parameters.starts_with(')') {
            format!("expected ({name})")
        } else {
            format!("expected ({name} {parameters}")
        })
    }

    fn reference(
        &mut self,
        symbol: &Symbol,
        span: Span,
        scope: &Scope,
        output: &mut Output,
    ) -> Expanded {
        match self.resolve(symbol, scope) {
            Meaning::Global { name, system } => {
                match &*name {
                    "nil" => output.push("'()"),
                    "t" => output.push("#t"),
                    "not" | "null" if system || !self.memory.redefined.contains(&name) => {
                        output.push("s/%not")
                    }
                    _ if system => output.push(&self.system_name(&name)),
                    "*" if self.memory.has_last_value && !self.memory.redefined.contains(&name) => {
                        output.push(names::LAST_VALUE)
                    }
                    _ => {
                        if &*name != "funcall"
                            && let Head::Special(_) | Head::Macro(_) =
                                self.head(&Node::new(span, Kind::Symbol(symbol.clone())), scope)
                        {
                            return self.error(
                                span,
                                format!("{name}: a form of the language is not a value"),
                            );
                        }
                        let emitted = global(&name);
                        if self.memory.defined.contains(&emitted) || self.hooks.is_bound(&emitted) {
                            output.push(&emitted);
                        } else {
                            self.hooks.declare(&emitted, &name);
                            if let Some(survey) = &mut self.memory.survey {
                                survey.mentioned(&name, span);
                            }
                            let start = output.text.len();
                            output.push(&format!("(s/%bound {emitted})"));
                            output.mark(start, span);
                        }
                    }
                }
                Ok(())
            }
            Meaning::Bound(Binding::Form(form)) => self.form(&form, scope, output),
            _ => self.function_reference(symbol, span, scope, output),
        }
    }

    /// Emits a form that evaluates to itself.
    fn constant(&mut self, node: &Node, output: &mut Output) {
        match &node.kind {
            Kind::Boolean(true) => output.push("#t"),
            Kind::Boolean(false) => output.push("#f"),
            // The interpreter's instructions that add a number have 24 bits for it, and cut it off.
            Kind::Integer(value)
                if value.unsigned_abs() < 1 << 24 && self.hooks.writes_constants() =>
            {
                output.push(&value.to_string());
            }
            // Long strings become constants: the interpreter drops large texts once they are
            // compiled, and the places of errors with them.
            Kind::String(text) if text.len() <= 1_000 && self.hooks.writes_constants() => {
                output.string(text)
            }
            Kind::Char(character) if self.hooks.writes_constants() => {
                output.push(&format!("#\\x{:x}", *character as u32))
            }
            Kind::List(elements) if elements.is_empty() => output.push("'()"),
            _ => {
                let name = self.hooks.constant(&node.datum());
                output.push(&name);
            }
        }
    }

    fn quoted(&mut self, node: &Node, output: &mut Output) {
        match &node.kind {
            Kind::Symbol(symbol) if &*symbol.name == "nil" => output.push("'()"),
            Kind::Symbol(symbol) if &*symbol.name == "t" => output.push("#t"),
            _ => self.constant(node, output),
        }
    }
}

/// Puts the name of the form that the script wrote before an error that has no name yet.
fn named(mut error: ExpandError, node: &Node) -> ExpandError {
    if error.message.starts_with("expected ")
        && let Some(head) = node.as_list().and_then(|elements| elements.first()?.as_symbol())
        && head.mark == 0
    {
        error.message.insert_str(0, &format!("{}: ", head.name));
    }
    error
}

/// The places of the lists in a macro call, by their printed form. The expansion of a `defmacro` is
/// data without places; parts of the call that appear in it get their places back from here.
struct SubformPlaces(HashMap<String, Span>);

impl SubformPlaces {
    /// After this many elements the search stops, because it would cost too much time.
    const LIMIT: usize = 2_000;

    fn of(node: &Node) -> SubformPlaces {
        let mut places = HashMap::new();
        let mut pending = vec![node];
        let mut left = Self::LIMIT;
        while let Some(node) = pending.pop() {
            let Some(elements) = node.as_list() else { continue };
            left = left.saturating_sub(elements.len());
            if left == 0 {
                break;
            }
            places.entry(super::printer::readably(&node.datum())).or_insert(node.span);
            pending.extend(elements);
        }
        SubformPlaces(places)
    }

    fn place(&self, datum: &Datum, whole: Span) -> Node {
        match datum {
            Datum::List(elements) => {
                let span = self.0.get(&super::printer::readably(datum)).copied().unwrap_or(whole);
                Node::list(span, elements.iter().map(|element| self.place(element, span)).collect())
            }
            other => Node::from_datum(other, whole),
        }
    }
}
