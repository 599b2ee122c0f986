//! From the script's forms to a small Scheme core: lambda, if, let, set!, quote, begin and calls.
//!
//! Every name of a script is resolved here. A variable becomes `v12`; a global of the script becomes `u/name`, one of the system
//! `s/name`. So a script may define `first` or `filter` as it likes: the prelude's own functions keep calling `s/first`, and the
//! interpreter's library is out of reach. Globals are called through their name, so that a redefinition reaches its callers; the few
//! primitives in `names::INLINE` are emitted directly as long as the script does not define them.

mod bodies;
mod common;
mod control;
mod definitions;
mod forms;
mod lambda_list;
mod loop_form;
mod loops;
pub(crate) mod names;
mod output;
mod parallel;
mod quasiquote;
mod scope;
mod survey;
mod syntax_rules;
mod template;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use super::datum::Datum;
use super::node::{Kind, Node, Span, Symbol};
pub use definitions::{announced, only_defines};
pub use names::{global, native_global, system_global};
pub use output::{Output, Place, locate};
pub use scope::Scope;
use scope::{Binding, Mark, Meaning};
pub use survey::{Program, Survey};
use syntax_rules::SyntaxRules;

/// How deep forms may nest after expansion. The interpreter's compiler recurses on what it is given.
const DEPTH_LIMIT: usize = 160;
/// The same, counted in parentheses of what is emitted.
const EMITTED_DEPTH_LIMIT: usize = 700;

/// The services that the expander needs from its host.
pub trait Hooks {
    /// Whether the emitted global has a value already.
    fn is_bound(&mut self, global: &str) -> bool;
    /// Makes the emitted global known, as a stub that is not bound, unless it is known already.
    fn declare(&mut self, global: &str, name: &str);
    /// A definition or an assignment of the script sets this emitted global, which is declared.
    fn assigned(&mut self, global: &str);
    /// The emitted text calls `names::VISIBLE_GLOBALS`.
    fn want_globals(&mut self);
    /// The emitted global that holds this constant.
    fn constant(&mut self, datum: &Datum) -> String;
    /// Whether the emitted global is a function that is not part of the script and that an error may come from deep within. Such a
    /// call is emitted with its place.
    fn needs_place(&mut self, global: &str) -> bool;
    /// The number under which this place of the script is found again.
    fn place(&mut self, span: Span) -> usize;
    /// The lambda list of a documented word.
    fn signature(&mut self, name: &str) -> Option<String>;
    /// Calls the procedure behind a `defmacro`; what was emitted before has to run first.
    ///
    /// # Errors
    /// The message of what went wrong.
    fn call_macro(&mut self, global: &str, arguments: &[Datum]) -> Result<Datum, String>;
}

/// A form that is not of the language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpandError {
    /// What is wrong, naming the form, in lower case.
    pub message: String,
    /// The form.
    pub span: Span,
}

/// A macro.
pub enum Macro {
    /// By `syntax-rules`.
    Rules(SyntaxRules),
    /// By `syntax-rules` of the system's, whose text is read when the macro is used first.
    Unread(Unread),
    /// By `defmacro`: the emitted global that holds its procedure.
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

/// The expander's memory: macros and which globals the script has defined.
pub struct Expander {
    special: HashMap<&'static str, SpecialForm>,
    macros: HashMap<Arc<str>, Arc<Macro>>,
    system_macros: HashMap<Arc<str>, Arc<Macro>>,
    /// Names of the language that the script has defined anew.
    redefined: HashSet<Arc<str>>,
    /// Globals that a definition before the place being expanded has set.
    defined: HashSet<String>,
    /// Names the prelude defines.
    system: HashSet<Arc<str>>,
    /// Those of them that the language itself defines: its own texts mean these, whatever an application defines besides.
    language: HashSet<Arc<str>>,
    /// Names that scripts find defined in any case: an application's functions of such a name are for scripts alone.
    taken: HashSet<Arc<str>>,
    /// Names that scripts find defined and have not defined anew.
    library: HashSet<Arc<str>>,
    marks: Vec<Mark>,
    counter: u32,
    /// Whether `*` as an argument is the prompt's last value.
    pub has_last_value: bool,
    /// Whether the form that was expanded last does nothing but define functions and macros.
    pub only_defines: bool,
    /// Names that `defvar` and `defparameter` have made dynamic variables, and the system's.
    dynamic: HashSet<Arc<str>>,
    /// The survey in progress; see [`Expander::survey`].
    survey: Option<Survey>,
}

/// One expansion: the memory, the host, and where we are.
pub(super) struct Pass<'a> {
    memory: &'a mut Expander,
    hooks: &'a mut dyn Hooks,
    /// Whether the text being expanded is the system's own.
    system: bool,
    depth: usize,
    /// The function whose body this is, for messages.
    function: Option<Arc<str>>,
    blocks: Vec<Block>,
    /// How many calls have been emitted of what is not a primitive.
    calls: usize,
    /// Whether what is expanded is all that the form at top level has become.
    whole: bool,
    /// The variables that a function mentions which is sent to another engine.
    sent: Option<parallel::Sent>,
}

/// A block that `return-from` may leave, while its body is expanded.
struct Block {
    name: Arc<str>,
    variable: u32,
    used: bool,
}

impl Default for Expander {
    fn default() -> Self {
        Expander {
            special: forms::table(),
            macros: HashMap::new(),
            system_macros: HashMap::new(),
            redefined: HashSet::new(),
            defined: HashSet::new(),
            system: HashSet::new(),
            language: HashSet::new(),
            taken: HashSet::new(),
            library: HashSet::new(),
            marks: Vec::new(),
            counter: 0,
            has_last_value: false,
            only_defines: false,
            dynamic: names::DYNAMIC.iter().map(|name| (*name).into()).collect(),
            survey: None,
        }
    }
}

impl Expander {
    /// Notes what `forms` of a script will define at top level, so that functions may refer to what comes later. Call it before [`Expander::expand`].
    pub fn announce(&mut self, forms: &[Node], hooks: &mut dyn Hooks) {
        for form in forms {
            announced(form, &mut |name| hooks.declare(&global(name), name));
        }
    }

    /// Expands one top-level form.
    ///
    /// # Errors
    /// The first subform that is not of the language.
    pub fn expand(
        &mut self,
        form: &Node,
        system: bool,
        hooks: &mut dyn Hooks,
    ) -> Result<Output, ExpandError> {
        let mut output = Output::default();
        self.only_defines = false;
        let mut pass = Pass {
            memory: self,
            hooks,
            system,
            depth: 0,
            function: None,
            blocks: Vec::new(),
            calls: 0,
            whole: true,
            sent: None,
        };
        pass.form(form, &Scope::default(), &mut output)?;
        pass.emitted(output.depth(), form.span)?;
        if pass.calls > 0 && !system {
            output.single_values();
            // An error in a tail call, whose own place is gone, is found at the form.
            let place = pass.hooks.place(form.span);
            output.wrap(&format!("(begin (s/%at {place}) "), ")");
        }
        Ok(output)
    }

    /// Forgets which definitions were expanded: some of them may not have run.
    pub fn forget_unrun(&mut self) {
        self.defined.clear();
    }

    /// The names of the script's and the system's macros and of the special forms, for completion.
    pub fn macro_names(&self) -> Vec<String> {
        let macros =
            self.macros.keys().chain(self.system_macros.keys()).map(|name| name.to_string());
        macros
            .chain(self.special.keys().map(|name| (*name).to_owned()))
            .filter(|name| !name.starts_with('%'))
            .collect()
    }

    /// Notes a name that the host defines for the system.
    pub fn note_system(&mut self, name: &str) {
        self.system.insert(name.into());
    }

    /// The names that the system defines now are the language's.
    pub fn close_language(&mut self) {
        self.language = self.system.clone();
        self.taken = self.system.union(&self.library).cloned().collect();
    }

    /// Whether the language itself defines a name.
    pub fn is_language(&self, name: &str) -> bool {
        self.taken.contains(name)
    }

    /// Notes that a name of the language means something else in scripts from now on.
    pub fn redefine(&mut self, name: &str) {
        self.redefined.insert(name.into());
    }

    /// Expands a form of the language's own text.
    ///
    /// # Errors
    /// As [`Expander::expand`].
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

    /// Notes a name that scripts find defined.
    pub fn note_library(&mut self, name: &str) {
        self.library.insert(name.into());
    }

    /// The names that scripts find defined.
    pub fn library_names(&self) -> Vec<String> {
        self.library.iter().map(|name| name.to_string()).collect()
    }

    /// Makes `name` of a script the same macro as the system's `target`, if that is one.
    pub fn alias_macro(&mut self, name: &str, target: &str) -> bool {
        let Some(found) = self.system_macros.get(target).cloned() else { return false };
        self.system_macros.insert(name.into(), found);
        true
    }

    /// Makes `name` a system macro by this text of a `(syntax-rules …)`, or of its definition.
    pub fn define_system_rules(&mut self, name: &str, text: &'static str) {
        self.system_macros
            .insert(name.into(), Arc::new(Macro::Unread(Unread { text, rules: OnceLock::new() })));
    }

    /// Makes `name` a system macro whose procedure is the emitted `global`.
    pub fn define_procedure_macro(&mut self, name: &str, global: &str) {
        self.system_macros.insert(name.into(), Arc::new(Macro::Procedure(global.to_owned())));
    }
}

/// The meaning of a list's head.
enum Head {
    Special(SpecialForm),
    Macro(Arc<Macro>),
    Other,
}

impl Pass<'_> {
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

    /// The head's name, if it is a special form or a system macro of that name here.
    fn is_language(&self, node: &Node, name: &str, scope: &Scope) -> bool {
        node.is_named(name) && !matches!(self.head(node, scope), Head::Other)
    }

    /// Emits any form as an expression.
    fn form(&mut self, node: &Node, scope: &Scope, output: &mut Output) -> Expanded {
        self.deeper(node.span, |pass| pass.form_inner(node, scope, output))
    }

    /// Refuses what would be emitted with so many parentheses in one another.
    fn emitted(&self, depth: usize, span: Span) -> Expanded {
        if depth > EMITTED_DEPTH_LIMIT {
            return self.error(
                span,
                "forms are nested too deep, counting what macros and clauses expand to",
            );
        }
        Ok(())
    }

    /// Does what recurses on parts of a form, unless the stack could run out.
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

    /// "expected (name (variable …) …)", of a macro that is documented.
    fn expected(&mut self, name: &str) -> Option<String> {
        let signature = self.hooks.signature(name)?;
        let parameters = signature.strip_prefix('(')?;
        Some(if parameters.starts_with(')') {
            format!("expected ({name})")
        } else {
            format!("expected ({name} {parameters}")
        })
    }

    fn call(
        &mut self,
        elements: &[Node],
        span: Span,
        scope: &Scope,
        output: &mut Output,
    ) -> Expanded {
        let placed = self.calls_library(&elements[0], scope);
        let unknown = self.unknown_function(&elements[0], scope);
        if let Some(survey) = &mut self.memory.survey
            && let Some(symbol) = elements[0].as_symbol()
            && let Meaning::Global { name, system: false } =
                scope.resolve(symbol, &self.memory.marks, self.system)
        {
            survey.called(&name, span, &elements[1..], unknown.is_some());
        }
        if let Some(global) = &unknown {
            // The interpreter would evaluate the arguments first.
            output.push("(begin ");
            let start = output.text.len();
            output.push(&format!("(s/%defined {global})"));
            output.mark(start, span);
            output.push(" ");
        }
        let start = output.text.len();
        let called = self.emit_call(elements, placed, span, scope, output);
        if unknown.is_some() {
            output.push(")");
        }
        if !output.text[start..].starts_with("(#%prim.") {
            self.calls += 1;
        }
        called
    }

    fn emit_call(
        &mut self,
        elements: &[Node],
        placed: bool,
        span: Span,
        scope: &Scope,
        output: &mut Output,
    ) -> Expanded {
        if placed {
            let number = self.hooks.place(span);
            output.push(&format!("(s/%out ((s/%in {number} "));
        } else {
            output.push("(");
        }
        match elements[0].as_symbol() {
            // A function that is not defined yet may be called: what stands behind the name then says so.
            Some(symbol) if let Some(function) = self.grouped_function(symbol, scope) => {
                let arity = function.arity;
                if elements.len() != arity + 1 {
                    let plural = if arity == 1 { "" } else { "s" };
                    let message = format!(
                        "{}: expected {arity} argument{plural}, got {}",
                        symbol.name,
                        elements.len() - 1
                    );
                    return self.error(span, message);
                }
                self.mentions(function.number, symbol);
                output.push(&function.call());
            }
            Some(symbol) => match self.hidden_function(symbol, scope) {
                Some((variable, function)) => {
                    output.push(&format!("(if (s/%function? {variable}) {variable} {function})"))
                }
                None => self.function_reference(symbol, elements[0].span, scope, output)?,
            },
            None => self.form(&elements[0], scope, output)?,
        }
        if placed {
            output.push(")");
        }
        let library = self.library_name(&elements[0], scope);
        for (index, argument) in elements[1..].iter().enumerate() {
            output.push(" ");
            match library.as_deref().and_then(|name| function_name(name, &elements[1..], index)) {
                Some(name) if name.is_named("*") => self.function_reference(
                    &Symbol { name: "*".into(), mark: 0 },
                    name.span,
                    scope,
                    output,
                )?,
                named => self.form(named.unwrap_or(argument), scope, output)?,
            }
        }
        output.push(if placed { "))" } else { ")" });
        Ok(())
    }

    /// The name of the library's function that a script's call calls.
    fn library_name(&self, head: &Node, scope: &Scope) -> Option<Arc<str>> {
        match self.resolve(head.as_symbol().filter(|_| !self.system)?, scope) {
            Meaning::Global { name, .. } if self.memory.library.contains(&name) => Some(name),
            _ => None,
        }
    }

    fn grouped_function(&self, symbol: &Symbol, scope: &Scope) -> Option<Arc<scope::Grouped>> {
        match self.resolve(symbol, scope) {
            Meaning::Bound(Binding::Grouped(function)) => Some(function),
            _ => None,
        }
    }

    /// A local variable in the place of a function, and the global function of the same name: as in Common Lisp, a variable that holds
    /// something else does not hide it.
    fn hidden_function(&mut self, symbol: &Symbol, scope: &Scope) -> Option<(String, String)> {
        let Meaning::Bound(Binding::Variable(number)) = self.resolve(symbol, scope) else {
            return None;
        };
        if self.system || symbol.mark != 0 {
            return None;
        }
        let emitted = global(&symbol.name);
        let is_inline = names::INLINE.contains(&&*symbol.name);
        let is_known = self.memory.defined.contains(&emitted) || self.hooks.is_bound(&emitted);
        if !is_inline && !is_known {
            return None;
        }
        self.mentions(number, symbol);
        Some((format!("v{number}"), emitted))
    }

    /// The emitted global of a function that has no value yet, as far as can be seen here.
    fn unknown_function(&mut self, head: &Node, scope: &Scope) -> Option<String> {
        let symbol = head.as_symbol()?;
        let Meaning::Global { name, system: false } = self.resolve(symbol, scope) else {
            return None;
        };
        let emitted = global(&name);
        if self.memory.defined.contains(&emitted)
            || names::INLINE.contains(&&*name)
            || self.hooks.is_bound(&emitted)
        {
            return None;
        }
        self.hooks.declare(&emitted, &name);
        Some(emitted)
    }

    /// Whether a script calls one of the prelude's or the application's functions. Those that only call on what they are given stay
    /// plain calls, and so tail calls.
    fn calls_library(&mut self, head: &Node, scope: &Scope) -> bool {
        let Some(symbol) = head.as_symbol().filter(|_| !self.system) else { return false };
        match self.resolve(symbol, scope) {
            Meaning::Global { name, system: false } => {
                self.memory.library.contains(&name)
                    && !names::TAIL.contains(&&*name)
                    && self.hooks.needs_place(&global(&name))
            }
            Meaning::Global { name, system: true } => {
                !name.starts_with('%') && self.hooks.needs_place(&system_global(&name))
            }
            _ => false,
        }
    }

    fn function_reference(
        &mut self,
        symbol: &Symbol,
        span: Span,
        scope: &Scope,
        output: &mut Output,
    ) -> Expanded {
        match self.resolve(symbol, scope) {
            Meaning::Bound(Binding::Variable(number)) => {
                self.mentions(number, symbol);
                output.push(&format!("v{number}"));
            }
            Meaning::Bound(Binding::Grouped(function)) => {
                self.mentions(function.number, symbol);
                let arguments: String =
                    (0..function.arity).map(|_| format!(" v{}", self.fresh())).collect();
                let call = function.call();
                output.push(&format!("(lambda ({}) ({call}{arguments}))", arguments.trim_start()));
            }
            Meaning::Bound(Binding::Macro(_)) => {
                return self.error(span, format!("{}: a macro is not a value", symbol.name));
            }
            Meaning::Global { name, system: true } => output.push(&self.system_name(&name)),
            Meaning::Global { name, system: false } => {
                if !self.memory.redefined.contains(&name) && names::INLINE.contains(&&*name) {
                    output.push(&if names::COMPARISONS.contains(&&*name) {
                        system_global(&name)
                    } else {
                        names::primitive(&name)
                    });
                } else {
                    let global = global(&name);
                    self.hooks.declare(&global, &name);
                    output.push(&global);
                }
            }
        }
        Ok(())
    }

    fn system_name(&self, name: &str) -> String {
        let is_own = self.memory.system.contains(name) && !names::COMPARISONS.contains(&name);
        if is_own || name.starts_with('%') { system_global(name) } else { names::primitive(name) }
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
            _ => self.function_reference(symbol, span, scope, output),
        }
    }

    /// Emits a form that evaluates to itself.
    fn constant(&mut self, node: &Node, output: &mut Output) {
        match &node.kind {
            Kind::Boolean(true) => output.push("#t"),
            Kind::Boolean(false) => output.push("#f"),
            Kind::Integer(value) => output.push(&value.to_string()),
            // The interpreter drops the texts it has compiled once they are large, and with them the places of errors.
            Kind::String(text) if text.len() <= 1_000 => output.string(text),
            Kind::Char(character) => output.push(&format!("#\\x{:x}", *character as u32)),
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

/// The symbol that names a function in `(mapcar 'first list)` and `(find x list :test 'equal)`; a plain `*` there is the function, too.
fn function_name<'n>(callee: &str, arguments: &'n [Node], index: usize) -> Option<&'n Node> {
    let taken = names::TAKERS.iter().any(|(name, place)| *name == callee && *place == index)
        || index > 0
            && matches!(&arguments[index - 1].kind, Kind::Keyword(key) if matches!(&**key, "test" | "key"))
            && callee != "make-hash-table";
    if taken && arguments[index].is_named("*") {
        return Some(&arguments[index]);
    }
    match arguments[index].as_list() {
        Some([quote, name]) if taken && quote.is_named("quote") => {
            name.as_symbol().filter(|symbol| !matches!(&*symbol.name, "nil" | "t")).map(|_| name)
        }
        _ => None,
    }
}

/// Where the lists in a macro call stand, by what they look like: what a `defmacro` gives back has lost its places.
struct SubformPlaces(HashMap<String, Span>);

impl SubformPlaces {
    /// Beyond this many elements the search is not worth its time.
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
