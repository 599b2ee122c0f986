//! Examines a whole program before its first form runs and finds the calls of functions that
//! nothing defines.
//!
//! A misspelt operator is a call like any other: its arguments would be evaluated before the call
//! fails, and by then the forms before it have run. [`Expander::survey`] expands every form, drops
//! the result, and records two sets: the calls of functions that have no value, and the names that
//! the program defines. Calls outside the second set are unknown. The host refuses to run such a
//! program, and `postoffice check` also uses the survey for argument counts and keys.
//!
//! A survey runs nothing, so it cannot expand the program's own `defmacro` macros. It skips their
//! calls. If a macro's body contains a defining form, the names in its body and in its calls count
//! as defined. If names can come from elsewhere, by `intern` in a macro or by a `load` that cannot
//! be followed, the survey reports nothing: such a call is refused when it is reached, before its
//! arguments are evaluated.

use super::{ExpandError, Expander, Hooks, Macro, Pass};
use crate::lisp::datum::Datum;
use crate::lisp::node::{Kind, Node, Span};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Forms that give a name a function or a value.
const DEFINING: [&str; 12] = [
    "define",
    "defun",
    "defmacro",
    "defvar",
    "defparameter",
    "defconstant",
    "define-syntax",
    "define-values",
    "set!",
    "setq",
    "setf",
    "fset",
];

/// Functions that make a name from text.
const MAKING: [&str; 4] = ["intern", "string->symbol", "symbol-append", "make-symbol"];

/// Functions from which `eval` may get forms that the survey cannot see.
const READING: [&str; 4] = ["read", "read-from-string", "intern", "string->symbol"];

/// Functions that give quoted names a value.
const EVALUATING: [&str; 3] = ["eval", "set", "progv"];

/// The result of a survey.
#[derive(Default)]
pub struct Survey {
    calls: Vec<Called>,
    /// Mentions of variables without a value, and whether each is one of a function: `#'name`.
    variables: Vec<(Arc<str>, Span, bool)>,
    /// Calls with a constant in the place of the function: the constant, and whether there are
    /// arguments.
    data_calls: Vec<(Datum, bool, Span)>,
    /// The parameters of the program's own functions; `None` for a function that is defined more
    /// than once.
    functions: HashMap<Arc<str>, Option<Datum>>,
    /// Forms of the program's own text that could not be expanded.
    errors: Vec<ExpandError>,
    defined: HashSet<Arc<str>>,
    /// The program's own `defmacro` macros, and whether their bodies contain defining forms.
    macros: HashMap<Arc<str>, bool>,
    /// Whether names may be defined where the survey cannot see.
    open: bool,
    /// Whether the form being expanded is part of the program's own text.
    own: bool,
}

/// The top-level forms of a program in the order in which they run. The forms of a file that it
/// loads take the place of the `load`.
#[derive(Default)]
pub struct Program {
    /// The forms, and whether each is part of the program's own text.
    pub forms: Vec<(Node, bool)>,
    /// Whether it loads a file that could not be followed.
    pub is_open: bool,
}

/// A call of a function by its name.
pub struct Called {
    /// The name of the function.
    pub name: Arc<str>,
    /// The place of the call.
    pub span: Span,
    /// The arguments: the value of a constant, `None` for any other form.
    pub arguments: Vec<Option<Datum>>,
    /// Whether the function has no value yet.
    is_unknown: bool,
}

/// Returns the value of a form that is a constant.
fn constant(node: &Node) -> Option<Datum> {
    match &node.kind {
        Kind::List(elements) => match elements.as_slice() {
            [quote, datum] if quote.is_named("quote") => Some(datum.datum()),
            _ => None,
        },
        Kind::Symbol(symbol) => matches!(&*symbol.name, "t" | "nil").then(|| node.datum()),
        Kind::Dotted(..) | Kind::Vector(_) => None,
        _ => Some(node.datum()),
    }
}

impl Survey {
    pub(super) fn called(
        &mut self,
        name: &Arc<str>,
        span: Span,
        arguments: &[Node],
        is_unknown: bool,
    ) {
        if !self.own {
            return;
        }
        let arguments = arguments.iter().map(constant).collect();
        self.calls.push(Called { name: name.clone(), span, arguments, is_unknown });
    }

    pub(super) fn mentioned(&mut self, name: &Arc<str>, span: Span) {
        if self.own {
            self.variables.push((name.clone(), span, false));
        }
    }

    /// Records that what was mentioned last is the value of a function.
    pub(super) fn mentioned_function(&mut self) {
        if let Some((.., is_function)) = self.variables.last_mut() {
            *is_function = true;
        }
    }

    pub(super) fn data_called(&mut self, elements: &[Node], span: Span) {
        if self.own {
            self.data_calls.push((elements[0].datum(), elements.len() > 1, span));
        }
    }

    /// Returns the calls with a constant in the place of the function, in the program's order.
    pub fn data_calls(&self) -> &[(Datum, bool, Span)] {
        &self.data_calls
    }

    pub(super) fn function_defined(&mut self, name: &Arc<str>, parameters: &Node) {
        let known = self.functions.contains_key(name);
        self.functions.insert(name.clone(), (!known).then(|| parameters.datum()));
    }

    /// Returns the errors of forms that cannot be expanded, in the program's order.
    pub fn errors(&self) -> &[ExpandError] {
        &self.errors
    }

    /// Returns the calls of functions that are defined, in the program's order.
    pub fn known_calls(&self) -> impl Iterator<Item = &Called> {
        self.calls.iter().filter(|call| !call.is_unknown || self.defined.contains(&call.name))
    }

    /// Returns whether the program defines the name.
    pub fn defines(&self, name: &str) -> bool {
        self.defined.contains(name)
    }

    /// Returns the lambda list of a function, if the program defines it exactly once.
    pub fn lambda_list(&self, name: &str) -> Option<&Datum> {
        self.functions.get(name)?.as_ref()
    }

    /// Returns the mentions of variables that nothing defines, in the program's order.
    pub fn unknown_variables(&self) -> impl Iterator<Item = (&str, Span)> {
        self.unknown_mentions(false)
    }

    /// Returns the mentions `#'name` of functions that nothing defines, in the program's order.
    pub fn unknown_function_values(&self) -> impl Iterator<Item = (&str, Span)> {
        self.unknown_mentions(true)
    }

    fn unknown_mentions(&self, functions: bool) -> impl Iterator<Item = (&str, Span)> {
        let variables = self.variables.iter().filter(move |it| !self.open && it.2 == functions);
        let unknown = variables.filter(|(name, ..)| !self.defined.contains(name));
        unknown.map(|(name, span, _)| (&**name, *span))
    }

    pub(super) fn defined(&mut self, name: &Arc<str>) {
        self.defined.insert(name.clone());
    }

    pub(super) fn macro_defined(&mut self, name: &Arc<str>, body: &[Node]) {
        self.defined.insert(name.clone());
        self.open |= body.iter().any(|node| mentions(node, &MAKING));
        let defines = body.iter().any(|node| mentions(node, &DEFINING));
        if defines {
            body.iter().for_each(|node| note_symbols(node, &mut self.defined));
        }
        self.macros.insert(name.clone(), defines);
    }

    /// Returns the calls of functions that nothing defines, in the program's order.
    pub fn unknown(&self) -> impl Iterator<Item = (&str, Span)> {
        let calls = self.calls.iter().filter(|call| !self.open && call.is_unknown);
        let unknown = calls.filter(|call| !self.defined.contains(&call.name));
        unknown.map(|call| (&*call.name, call.span))
    }
}

fn mentions(node: &Node, names: &[&str]) -> bool {
    match &node.kind {
        Kind::Symbol(symbol) => names.contains(&&*symbol.name),
        Kind::List(elements) | Kind::Vector(elements) => {
            elements.iter().any(|node| mentions(node, names))
        }
        Kind::Dotted(elements, tail) => {
            elements.iter().any(|node| mentions(node, names)) || mentions(tail, names)
        }
        _ => false,
    }
}

/// Hooks for a survey: they read from the host and never change it.
struct Reader<'h>(&'h mut dyn Hooks);

impl Hooks for Reader<'_> {
    fn is_bound(&mut self, global: &str) -> bool {
        self.0.is_bound(global)
    }

    fn declare(&mut self, _: &str, _: &str) {}

    fn assigned(&mut self, _: &str) {}

    fn want_globals(&mut self) {}

    fn constant(&mut self, _: &Datum) -> String {
        "'()".to_owned()
    }

    fn needs_place(&mut self, _: &str) -> bool {
        false
    }

    fn place(&mut self, _: Span) -> usize {
        0
    }

    fn signature(&mut self, name: &str) -> Option<String> {
        self.0.signature(name)
    }

    fn call_macro(&mut self, global: &str, arguments: &[Datum]) -> Result<Datum, String> {
        self.0.call_macro(global, arguments)
    }
}

impl Expander {
    /// Surveys a program; macros and definitions found on the way are forgotten again. Malformed
    /// forms go into the survey's errors if they are part of the program's own text.
    pub fn survey(&mut self, program: &Program, hooks: &mut dyn Hooks) -> Survey {
        let (macros, redefined, defined, library) = (
            self.macros.clone(),
            self.redefined.clone(),
            self.defined.clone(),
            self.library.clone(),
        );
        let (dynamic, setters) = (self.dynamic.clone(), self.setters.clone());
        let structures = self.structures.clone();
        let (counter, marks) = (self.counter, self.marks.len());
        self.survey = Some(Survey::default());
        for (form, own) in &program.forms {
            if let Some(survey) = &mut self.survey {
                survey.own = *own;
            }
            let expanded = self.expand(form, false, &mut Reader(hooks));
            if let (Err(error), Some(survey), true) = (expanded, &mut self.survey, own) {
                survey.errors.push(error);
            }
        }
        let mut survey = self.survey.take().unwrap_or_default();
        survey.defined.extend(self.macros.keys().cloned());
        self.marks.truncate(marks);
        self.kept_marks = self.kept_marks.min(marks);
        (self.macros, self.redefined, self.defined, self.library) =
            (macros, redefined, defined, library);
        (self.counter, self.dynamic, self.setters) = (counter, dynamic, setters);
        self.structures = structures;
        let forms = program.forms.iter().map(|(form, _)| form);
        survey.open |= program.is_open || forms.clone().any(|form| mentions(form, &["load"]));
        forms.clone().for_each(|form| note_asked(form, &mut survey.defined));
        // `eval` may define what stands quoted in the program, or what the program reads.
        if forms.clone().any(|form| mentions(form, &EVALUATING)) {
            survey.open |= forms.clone().any(|form| mentions(form, &READING));
            forms.for_each(|form| note_quoted(form, &mut survey.defined));
        }
        survey
    }
}

/// Counts `x` of every `(fboundp 'x)` and `(boundp 'x)` as defined: a program that asks works
/// without it.
fn note_asked(node: &Node, names: &mut HashSet<Arc<str>>) {
    let Some(elements) = node.as_list() else { return };
    if let [head, quoted] = elements
        && ["fboundp", "boundp"].iter().any(|name| head.is_named(name))
        && let Some([quote, name]) = quoted.as_list()
        && quote.is_named("quote")
        && let Some(symbol) = name.as_symbol()
    {
        names.insert(symbol.name.clone());
    }
    elements.iter().for_each(|node| note_asked(node, names));
}

/// Counts every symbol in quoted data as defined.
fn note_quoted(node: &Node, names: &mut HashSet<Arc<str>>) {
    match node.as_list() {
        Some([quote, data]) if quote.is_named("quote") || quote.is_named("quasiquote") => {
            note_symbols(data, names)
        }
        elements => elements.unwrap_or_default().iter().for_each(|node| note_quoted(node, names)),
    }
}

impl Pass<'_> {
    /// Returns whether a survey is in progress and the macro is the program's own, whose procedure
    /// does not exist yet.
    pub(super) fn cannot_expand_yet(&mut self, found: &Macro, node: &Node) -> bool {
        let Some(survey) = &mut self.memory.survey else { return false };
        let Macro::Procedure { global, .. } = found else { return false };
        if !global.starts_with("m/") {
            return false;
        }
        let name = node.as_list().and_then(|list| list.first()).and_then(Node::as_symbol);
        if name.is_none_or(|name| survey.macros.get(&name.name).copied().unwrap_or(true)) {
            note_symbols(node, &mut survey.defined);
        }
        true
    }
}

fn note_symbols(node: &Node, names: &mut HashSet<Arc<str>>) {
    match &node.kind {
        Kind::Symbol(symbol) => {
            names.insert(symbol.name.clone());
        }
        Kind::List(elements) | Kind::Dotted(elements, _) => {
            elements.iter().for_each(|node| note_symbols(node, names))
        }
        _ => {}
    }
}
