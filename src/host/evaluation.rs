//! `eval`: a form that a running program made goes the way of the program's own text.
//!
//! The interpreter can compile and run a text in the middle of a program. What turns a form into
//! such a text, the expander and the definitions that wait, belongs to the host, which cannot be
//! reached while it runs the program. So the host lends both to the [`Context`] for that time, if
//! the program mentions `eval`: a [`Loan`].
//!
//! `eval`, in `evaluation.scm`, makes an [`Evaluation`] and asks it for the next
//! [`Evaluation::step`] until there is none: a text to run, or a macro call to expand. A native
//! cannot call the macro's procedure, so the prelude calls it, and the form is expanded again, with
//! the result known.
//!
//! An untrusted program gains nothing: the same expander emits the text, under the same names.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use steel::SteelVal;
use steel::parser::interner::InternedString;

use super::Host;
use super::context::{Context, lock};
use super::engine::Engine;
use super::natives;
use super::on_demand::{Definition, OnDemand};
use super::report::Source;
use super::value::{self, Value, from_datum, to_datum};
use crate::lisp::expander::{ExpandError, Expander, Hooks, Step};
use crate::lisp::{Datum, Kind, Node, Span, printer, reader};

/// Names an object within a form: a list of this symbol and the object's number.
const OBJECT: &str = "\u{1}object";

/// What the host lends to the context while it runs a program.
pub struct Loan {
    expander: Expander,
    on_demand: OnDemand,
    /// The emitted globals that the interpreter knew when the program was started.
    globals: Vec<InternedString>,
    /// The same, and those declared since. Empty until an evaluation needs it.
    known: HashSet<String>,
    /// Globals that evaluated forms have set.
    assigned: Vec<String>,
}

impl Host {
    /// Returns whether the program mentions `eval` or something that calls it.
    pub(super) fn evaluates(&self) -> bool {
        !self.engine.on_demand.is_waiting("s/%evaluate")
    }

    /// Runs the interpreter. If the program mentions `eval`, lends what that needs.
    pub(super) fn lending<T>(&mut self, run: impl FnOnce(&mut Engine) -> T) -> T {
        if !self.evaluates() {
            return run(&mut self.engine);
        }
        let loan = Loan {
            expander: std::mem::take(&mut self.expander),
            on_demand: std::mem::take(&mut self.engine.on_demand),
            globals: self.engine.steel.globals().clone(),
            known: HashSet::new(),
            assigned: Vec::new(),
        };
        *lock(&self.context.loan) = Some(Box::new(loan));
        let result = run(&mut self.engine);
        if let Some(loan) = lock(&self.context.loan).take() {
            self.expander = loan.expander;
            self.engine.on_demand = loan.on_demand;
            // What was under way when the loan began has run.
            self.engine.on_demand.settle();
            loan.assigned.iter().for_each(|global| self.engine.assigned(global));
        }
        result
    }
}

/// Says whether `*`, used as a variable in a form for `eval`, is the last value. Returns whether it
/// was before.
pub(super) fn set_last_value(context: &Context, counts: bool) -> bool {
    let mut loan = lock(&context.loan);
    let flag = loan.as_deref_mut().map(|loan| &mut loan.expander.has_last_value);
    flag.is_some_and(|flag| std::mem::replace(flag, counts))
}

/// Forms that run one after another, the next one last.
#[derive(Default)]
pub(super) struct Waiting {
    /// The form, whether the source has it as it is, and how many `progn`s it was in.
    forms: Vec<(Node, bool, usize)>,
    depth: usize,
}

impl Waiting {
    /// How many `progn`s may be in one another.
    const DEPTH_LIMIT: usize = 160;

    pub fn next(&mut self) -> Option<(Node, bool)> {
        let (form, is_written, depth) = self.forms.pop()?;
        self.depth = depth;
        Some((form, is_written))
    }

    /// Adds the forms of the `progn` that was the last one returned. They come before the others.
    ///
    /// # Errors
    /// A message: there are too many in one another.
    pub fn enter(&mut self, forms: Vec<Node>, is_written: bool) -> Result<(), String> {
        let depth = self.depth + 1;
        if depth > Self::DEPTH_LIMIT {
            return Err(format!(
                "forms are nested more than {} deep, counting what macros expand to",
                Self::DEPTH_LIMIT
            ));
        }
        self.forms.extend(forms.into_iter().rev().map(|form| (form, is_written, depth)));
        Ok(())
    }
}

/// What `eval` keeps from call to call.
#[derive(Default)]
pub struct Kept {
    /// The compiled procedures of the last texts. A form that differs from an earlier one in its
    /// constants only has the same text.
    procedures: HashMap<String, Value>,
    /// The constants of definitions that evaluated forms were the first to mention.
    constants: Vec<Value>,
}

impl Kept {
    /// How many procedures are kept.
    const MOST_PROCEDURES: usize = 500;

    /// Returns a constant by its number.
    pub fn constant(&self, number: usize) -> Value {
        self.constants.get(number).cloned().unwrap_or_else(value::nil)
    }
}

/// A form that is being evaluated.
#[derive(Default)]
pub(super) struct Evaluation(Mutex<Work>);

#[derive(Default)]
struct Work {
    waiting: Waiting,
    has_begun: bool,
    /// How many marks the expander had at the beginning.
    marks: usize,
    /// Objects in the form that have no syntax, for example functions.
    objects: Vec<Value>,
    /// The form that is being expanded, and how its macro calls are expanded.
    current: Option<Node>,
    expanded: Vec<(MacroCall, Datum)>,
    asked: Option<MacroCall>,
    /// The text to run once the definitions that it mentions have run, and its constants.
    text: Option<(String, Vec<Value>)>,
    /// The text that is being compiled.
    compiling: String,
}

/// The emitted global of a macro's procedure, and the arguments.
type MacroCall = (String, Vec<Datum>);

/// What `eval` does next.
pub(super) enum Next {
    /// Run this text of definitions.
    Define(String),
    /// Run this text, which makes a procedure, and give it to [`Evaluation::compiled`].
    Fetch(String),
    /// Call the macro's procedure, which this procedure returns, and give the result to
    /// [`Evaluation::expanded`].
    Expand(Value, Vec<Value>),
    /// Run this text, which makes a procedure, give it to [`Evaluation::compiled`], and call it.
    Compile(String, Vec<Value>),
    /// Call this procedure.
    Call(Value, Vec<Value>),
    Finished,
}

impl Evaluation {
    /// # Errors
    /// A message: the form is nested too deep.
    pub fn of(form: &Value) -> Result<Evaluation, String> {
        let mut work = Work::default();
        let node = node(form, &mut work.objects, 0)?;
        work.waiting.enter(vec![node], true)?;
        Ok(Evaluation(Mutex::new(work)))
    }

    /// Takes the expansion of the macro call that was asked for.
    pub fn expanded(&self, expansion: &Value) {
        let mut work = lock(&self.0);
        if let Some(asked) = work.asked.take() {
            work.expanded.push((asked, to_datum(expansion)));
        }
    }

    /// Takes the procedure that was compiled.
    pub fn compiled(&self, procedure: &Value, context: &Context) {
        let text = std::mem::take(&mut lock(&self.0).compiling);
        let procedures = &mut lock(&context.kept).procedures;
        if procedures.len() >= Kept::MOST_PROCEDURES {
            procedures.clear();
        }
        procedures.insert(text, procedure.clone());
    }

    /// Returns what to do next.
    ///
    /// # Errors
    /// The message for a form that cannot be expanded.
    pub fn step(&self, context: &Context) -> Result<Next, String> {
        let work = &mut *lock(&self.0);
        let mut loan = lock(&context.loan);
        let Some(loan) = loan.as_deref_mut() else {
            return Err("eval: not while a macro of the program is being expanded".to_owned());
        };
        if !std::mem::replace(&mut work.has_begun, true) {
            work.marks = loan.expander.marks();
        }
        while work.text.is_none() {
            if work.current.is_none() {
                work.expanded.clear();
                work.current = work.waiting.next().map(|(form, _)| form);
            }
            let Some(form) = work.current.take() else {
                loan.expander.release_marks(work.marks);
                return Ok(Next::Finished);
            };
            match expand(&form, work, loan, context) {
                Ok(definitions) if definitions.is_empty() => {}
                Ok(definitions) => return Ok(Next::Define(definitions)),
                Err(_) if let Some((global, arguments)) = &work.asked => {
                    work.current = Some(form);
                    let text = format!("(lambda () {global})");
                    let Some(fetch) = lock(&context.kept).procedures.get(&text).cloned() else {
                        work.compiling.clone_from(&text);
                        return Ok(Next::Fetch(text));
                    };
                    let arguments = arguments.iter().map(from_datum).collect();
                    return Ok(Next::Expand(fetch, arguments));
                }
                Err(error) => return Err(error.message),
            }
        }
        let (text, constants) = work.text.take().unwrap_or_default();
        if let Some(procedure) = lock(&context.kept).procedures.get(&text) {
            return Ok(Next::Call(procedure.clone(), constants));
        }
        work.compiling = text.clone();
        Ok(Next::Compile(text, constants))
    }
}

/// Expands a form into `work.text`, or into waiting forms if it is a `progn`. Returns the text of
/// the definitions that it mentions first.
fn expand(
    form: &Node,
    work: &mut Work,
    loan: &mut Loan,
    context: &Context,
) -> Result<String, ExpandError> {
    if loan.known.is_empty() {
        loan.known.extend(loan.globals.iter().map(|name| name.resolve().to_owned()));
    }
    let mut hooks = Inner {
        on_demand: &mut loan.on_demand,
        known: &mut loan.known,
        assigned: &mut loan.assigned,
        context,
        objects: &work.objects,
        expanded: work.expanded.iter(),
        asked: &mut work.asked,
        definitions: String::new(),
        constants: Some(Vec::new()),
        is_parallel: false,
    };
    let output = match loan.expander.step_alone(form, &mut hooks) {
        Ok(Step::Emitted(output)) => output,
        Ok(Step::Forms(parts)) => {
            let entered = work.waiting.enter(parts.forms, false);
            let failed = |message| ExpandError { message, span: form.span };
            return entered.map(|()| String::new()).map_err(failed);
        }
        Err(error) => {
            loan.expander.forget_unrun();
            return Err(error);
        }
    };
    if hooks.is_parallel {
        let message = "parallel-map and its relatives cannot stand in a form for eval".to_owned();
        return Err(ExpandError { message, span: form.span });
    }
    let constants = hooks.constants.take().unwrap_or_default();
    demand(&mut loan.expander, &output.text, &mut hooks)?;
    let definitions = hooks.definitions;
    if loan.expander.only_defines {
        let text = printer::readably(&form.datum());
        let span = Span::new(0, text.len());
        let source = Arc::new(Source { name: "eval".to_owned(), text: text.clone() });
        context.note_definition(Some(text), &source, span);
    }
    let names = (0..constants.len()).map(|number| format!("c/{number} ")).collect::<String>();
    work.text = Some((format!("(lambda ({names}) {})", output.text), constants));
    Ok(definitions)
}

/// Puts the waiting definitions that the text mentions in front of it.
fn demand(expander: &mut Expander, text: &str, hooks: &mut Inner<'_>) -> Result<(), ExpandError> {
    for global in hooks.on_demand.mentioned(text) {
        let Some(definition) = hooks.on_demand.take(&global) else { continue };
        let text = match &definition {
            Definition::Alias(_) | Definition::Call(_) => {
                Ok(definition.text(&global).unwrap_or_default())
            }
            Definition::Language(text) => own(text)
                .and_then(|form| expander.expand_language(&form, hooks))
                .map(|output| output.text),
            Definition::Form(text) => own(text)
                .and_then(|form| expander.expand(&form, true, hooks))
                .map(|output| output.text),
        };
        let text = match text {
            Ok(text) => text,
            Err(error) => {
                hooks.on_demand.put(global, definition);
                return Err(error);
            }
        };
        hooks.declare(&global, &global);
        demand(expander, &text, hooks)?;
        hooks.definitions.push_str(&text);
        hooks.definitions.push('\n');
    }
    Ok(())
}

/// Reads the form of a text that is part of the program.
fn own(text: &str) -> Result<Node, ExpandError> {
    let found = reader::read_first(text).ok().flatten().map(|(form, _)| form);
    found.ok_or_else(|| ExpandError {
        message: "a definition without a form".to_owned(),
        span: Span::default(),
    })
}

/// The hooks of an expansion within a running program.
struct Inner<'l> {
    on_demand: &'l mut OnDemand,
    known: &'l mut HashSet<String>,
    assigned: &'l mut Vec<String>,
    context: &'l Context,
    objects: &'l [Value],
    /// The expansions that are known, in the order of the calls.
    expanded: std::slice::Iter<'l, (MacroCall, Datum)>,
    asked: &'l mut Option<MacroCall>,
    /// The text that declares globals and defines what waited.
    definitions: String,
    /// The constants of the form: arguments of its procedure. `None` for a definition that waited.
    constants: Option<Vec<Value>>,
    /// Whether the form calls `names::VISIBLE_GLOBALS`.
    is_parallel: bool,
}

impl Inner<'_> {
    fn lasting_constant(&self, datum: &Datum) -> String {
        let constants = &mut lock(&self.context.kept).constants;
        constants.push(from_datum(datum));
        format!("(s/%constant {})", constants.len() - 1)
    }
}

impl Hooks for Inner<'_> {
    /// A script's global may be a stub, which cannot be seen from here. It is checked when the text
    /// runs.
    fn is_bound(&mut self, global: &str) -> bool {
        self.on_demand.contains(global)
    }

    fn declare(&mut self, global: &str, name: &str) {
        if self.known.insert(global.to_owned()) {
            let name = self.lasting_constant(&Datum::String(name.to_owned()));
            self.definitions.push_str(&format!("(define {global} (s/%unbound {name}))\n"));
        }
    }

    fn assigned(&mut self, global: &str) {
        self.assigned.push(global.to_owned());
    }

    fn want_globals(&mut self) {
        self.is_parallel = true;
    }

    fn constant(&mut self, datum: &Datum) -> String {
        let Some(constants) = &mut self.constants else { return self.lasting_constant(datum) };
        constants.push(with_objects(datum, self.objects));
        format!("c/{}", constants.len() - 1)
    }

    fn writes_constants(&self) -> bool {
        const MOST_PARAMETERS: usize = 200;
        self.constants.as_ref().is_none_or(|constants| constants.len() > MOST_PARAMETERS)
    }

    fn needs_place(&mut self, _: &str) -> bool {
        false
    }

    fn place(&mut self, _: Span) -> usize {
        natives::place().unwrap_or(0)
    }

    fn signature(&mut self, name: &str) -> Option<String> {
        natives::context().ok()?.documentation(name).map(|known| known.lambda_list)
    }

    fn call_macro(&mut self, global: &str, arguments: &[Datum]) -> Result<Datum, String> {
        match self.expanded.next() {
            Some(((name, given), expansion)) if name == global && given.as_slice() == arguments => {
                Ok(expansion.clone())
            }
            Some(_) => Err(format!("{global}: the form expands differently each time")),
            None => {
                *self.asked = Some((global.to_owned(), arguments.to_vec()));
                Err(String::new())
            }
        }
    }
}

/// Turns a value into a form. What has no syntax becomes a quoted reference to `objects`.
fn node(value: &Value, objects: &mut Vec<Value>, depth: usize) -> Result<Node, String> {
    let span = Span::default();
    if depth > reader::DEPTH_LIMIT {
        return Err(format!("eval: forms are nested more than {} deep", reader::DEPTH_LIMIT));
    }
    let mut elements = Vec::new();
    let mut rest = value.clone();
    loop {
        rest = match &rest {
            SteelVal::ListV(list) => {
                for element in list.iter() {
                    elements.push(node(element, objects, depth + 1)?);
                }
                return Ok(Node::list(span, elements));
            }
            SteelVal::Pair(pair) => {
                elements.push(node(&pair.car(), objects, depth + 1)?);
                pair.cdr()
            }
            last if !elements.is_empty() => {
                let tail = node(last, objects, depth + 1)?;
                return Ok(Node::new(span, Kind::Dotted(elements, Box::new(tail))));
            }
            SteelVal::VectorV(_)
            | SteelVal::MutableVector(_)
            | SteelVal::ByteVector(_)
            | SteelVal::Custom(_) => return Ok(reference(value, objects)),
            atom => {
                return Ok(match to_datum(atom) {
                    Datum::Opaque(_) => reference(value, objects),
                    datum => Node::from_datum(&datum, span),
                });
            }
        }
    }
}

fn reference(value: &Value, objects: &mut Vec<Value>) -> Node {
    let span = Span::default();
    objects.push(value.clone());
    let number = Node::new(span, Kind::Integer(objects.len() as i64 - 1));
    let object = Node::list(span, vec![Node::symbol(span, OBJECT), number]);
    Node::list(span, vec![Node::symbol(span, "quote"), object])
}

/// Turns quoted data of a form into a value, with the form's objects in their places.
fn with_objects(datum: &Datum, objects: &[Value]) -> Value {
    if let Some(object) = object(datum, objects) {
        return object;
    }
    match datum {
        _ if objects.is_empty() => from_datum(datum),
        Datum::List(elements) => {
            value::list(elements.iter().map(|element| with_objects(element, objects)).collect())
        }
        Datum::Dotted(elements, tail) => {
            elements.iter().rev().fold(with_objects(tail, objects), |rest, element| {
                value::cons(with_objects(element, objects), rest)
            })
        }
        datum => from_datum(datum),
    }
}

fn object(datum: &Datum, objects: &[Value]) -> Option<Value> {
    let Datum::List(elements) = datum else { return None };
    match elements.as_slice() {
        [Datum::Symbol(name), Datum::Integer(number)] if name == OBJECT => {
            objects.get(usize::try_from(*number).ok()?).cloned()
        }
        [Datum::Symbol(name), inner] if name == "quote" => object(inner, objects),
        _ => None,
    }
}
