//! Places: what `setf`, `incf`, `push` and their like read and set. The forms themselves are in
//! `place_forms`.
//!
//! [`Pass::place`] takes a place apart: variables for its subforms, in their order, a form that
//! reads it, and how a value is stored in it. So each subform is evaluated once, however often the
//! place is read and written. The variables have names that no script writes, because the macro of
//! a `defsetf` would lose their marks.
//!
//! Lists and strings never change. A part of one, `(nth 2 (gethash key table))`, is set by making a
//! new one and storing that in the inner place, here the entry of the table. Where there is no inner
//! place, as in `(car (f))`, the form is refused. Other holders of the old list keep it.

use std::sync::Arc;

use super::output::Output;
use super::template::Hole::{Many, One};
use super::{ExpandError, Expanded, Head, Pass, Scope};
use crate::lisp::node::{Kind, Node, Span};

/// How a script's own place is set.
#[derive(Clone)]
pub(super) enum Setter {
    /// By the function of this name, with the value after the arguments, or before them.
    Function { name: Arc<str>, value_first: bool },
    /// As a slot of a structure, by its number.
    Slot { structure: Node, index: usize },
    /// Not at all, for this reason.
    Refused(Arc<str>),
}

pub(super) struct Place {
    /// Variables and the forms that they are bound to.
    pub bindings: Vec<Node>,
    /// The form that reads the place.
    pub getter: Node,
    /// How a value is stored.
    pub store: Store,
}

pub(super) enum Store {
    /// In a variable.
    Variable(Node),
    /// The call of a function, with the value in between.
    Call(Vec<Node>, Vec<Node>),
    /// A function that makes what the inner place is to have, and its first arguments. It takes
    /// after them what the inner place has, and the value.
    Rebuilt(&'static str, Vec<Node>, Box<Place>),
    /// An element of a sequence: vectors change, others are rebuilt, in the inner place.
    Element(Node, Node, Option<Box<Place>>),
}

/// A place, or the reason why a form is none.
type Found = Result<Result<Place, String>, ExpandError>;

/// The numbers that `(second list)` and its like have in `nth`.
const ORDINALS: [&str; 9] =
    ["second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"];

impl Pass<'_> {
    fn temporary(&mut self, span: Span) -> Node {
        let number = self.fresh();
        Node::symbol(span, &format!("%place-{number}"))
    }

    /// Returns a variable for a form, and adds it to the bindings. A constant stays as it is.
    pub(super) fn once(&mut self, form: &Node, bindings: &mut Vec<Node>) -> Node {
        if matches!(form.kind, Kind::Integer(_) | Kind::Keyword(_)) {
            return form.clone();
        }
        let name = self.temporary(form.span);
        bindings.push(Node::list(form.span, vec![name.clone(), form.clone()]));
        name
    }

    pub(super) fn place(
        &mut self,
        form: &str,
        node: &Node,
        scope: &Scope,
    ) -> Result<Place, ExpandError> {
        match self.place_or_reason(form, node, scope)? {
            Ok(place) => Ok(place),
            Err(why) => self.error(node.span, format!("{form}: {why}")),
        }
    }

    /// Returns the place that a form is, or why it is none.
    pub(super) fn place_or_reason(&mut self, form: &str, node: &Node, scope: &Scope) -> Found {
        let mut found = Err("no place".to_owned());
        self.deeper(node.span, |pass| {
            found = pass.place_within(form, node, scope)?;
            Ok(())
        })?;
        Ok(found)
    }

    fn place_within(&mut self, form: &str, node: &Node, scope: &Scope) -> Found {
        if let Some(named) = node.as_symbol().and_then(|symbol| self.symbol_form(symbol, scope)) {
            return self.place_or_reason(form, &named, scope);
        }
        if node.as_symbol().is_some() {
            let store = Store::Variable(node.clone());
            return Ok(Ok(Place { bindings: Vec::new(), getter: node.clone(), store }));
        }
        let Some([head, arguments @ ..]) = node.as_list() else {
            return Ok(Err("expected a place, got a constant".to_owned()));
        };
        let Some(symbol) = head.as_symbol() else {
            return Ok(Err("this call is not a place".to_owned()));
        };
        let name = symbol.name.clone();
        if let Some(setter) = self.memory.setters.get(&name).cloned() {
            return self.own_place(form, node, &setter);
        }
        let mark = self.system_mark();
        let span = node.span;
        match (&*name, arguments) {
            // Functions and variables share their names.
            ("symbol-value" | "symbol-function" | "fdefinition", [symbol]) => {
                let mut bindings = Vec::new();
                let symbol = self.once(symbol, &mut bindings);
                let getter = self.template("(symbol-value $1)", mark, span, &[One(&symbol)]);
                let before = vec![self.template("set", mark, span, &[]), symbol];
                return Ok(Ok(Place { bindings, getter, store: Store::Call(before, Vec::new()) }));
            }
            ("the", [_, place]) => return self.place_or_reason(form, place, scope),
            ("gethash", [_, _] | [_, _, _]) => {
                let mut bindings = Vec::new();
                let once: Vec<Node> =
                    arguments.iter().map(|part| self.once(part, &mut bindings)).collect();
                let getter = self.template("(gethash $1)", mark, span, &[Many(&once)]);
                let setter = self.template("%set-gethash", mark, span, &[]);
                let before = [&[setter], &once[..]].concat();
                return Ok(Ok(Place { bindings, getter, store: Store::Call(before, Vec::new()) }));
            }
            ("aref" | "svref" | "vector-ref" | "elt" | "char" | "schar", [sequence, index]) => {
                return self.element(form, sequence, index, span, scope).map(Ok);
            }
            ("car" | "first", [inner]) => {
                return self.part(form, node, "%with-car", &[], inner, "(%car $1)", scope).map(Ok);
            }
            ("cdr" | "rest", [inner]) => {
                return self.part(form, node, "%with-cdr", &[], inner, "(%cdr $1)", scope).map(Ok);
            }
            ("nth", [index, inner]) => {
                let index = std::slice::from_ref(index);
                return self
                    .part(form, node, "%with-nth", index, inner, "(nth $2 $1)", scope)
                    .map(Ok);
            }
            ("nthcdr", [count, inner]) => {
                let count = std::slice::from_ref(count);
                return self
                    .part(form, node, "%with-nthcdr", count, inner, "(nthcdr $2 $1)", scope)
                    .map(Ok);
            }
            ("getf", [inner, _] | [inner, _, _]) => {
                let mut place = self.inner(form, node, inner, scope)?;
                let mut bindings = std::mem::take(&mut place.bindings);
                let once: Vec<Node> =
                    arguments[1..].iter().map(|part| self.once(part, &mut bindings)).collect();
                let holes = [One(&place.getter), Many(&once)];
                let getter = self.template("(getf $1 $2)", mark, span, &holes);
                let key = vec![once[0].clone()];
                let store = Store::Rebuilt("%with-getf", key, Box::new(place));
                return Ok(Ok(Place { bindings, getter, store }));
            }
            ("subseq", [inner, bounds @ ..]) if matches!(bounds.len(), 1 | 2) => {
                let mut place = self.inner(form, node, inner, scope)?;
                let mut bindings = std::mem::take(&mut place.bindings);
                let mut once: Vec<Node> =
                    bounds.iter().map(|part| self.once(part, &mut bindings)).collect();
                let holes = [One(&place.getter), Many(&once)];
                let getter = self.template("(subseq $1 $2)", mark, span, &holes);
                once.resize(2, Node::list(span, Vec::new()));
                let store = Store::Rebuilt("%with-subseq", once, Box::new(place));
                return Ok(Ok(Place { bindings, getter, store }));
            }
            (ordinal, [inner]) => {
                if let Some(index) = ORDINALS.iter().position(|name| *name == ordinal) {
                    let index = [Node::new(span, Kind::Integer(index as i64 + 1))];
                    return self
                        .part(form, node, "%with-nth", &index, inner, "(nth $2 $1)", scope)
                        .map(Ok);
                }
                if let Some(nested) = nested_cells(ordinal, inner, span) {
                    return self.place_or_reason(form, &nested, scope);
                }
            }
            _ => {}
        }
        if let Head::Macro(found) = self.head(head, scope) {
            let expansion = self.expand_macro(&found, node)?;
            return self.place_or_reason(form, &expansion, scope);
        }
        Ok(Err(format!(
            "({name} …) is not a place: nothing defines how it is set; \
                 (defun (setf {name}) (value …) …) or defsetf can"
        )))
    }

    fn own_place(&mut self, form: &str, node: &Node, setter: &Setter) -> Found {
        let parts = node.as_list().unwrap_or_default();
        let (function, value_first) = match setter {
            Setter::Function { name, value_first } => (name, *value_first),
            Setter::Refused(why) => return Ok(Err(why.to_string())),
            Setter::Slot { structure, index } => {
                let [accessor, object] = parts else {
                    return self.error(node.span, format!("{form}: a slot is of one structure"));
                };
                let mut bindings = Vec::new();
                let object = self.once(object, &mut bindings);
                let index = Node::new(node.span, Kind::Integer(*index as i64));
                let mark = self.system_mark();
                let holes = [One(&object), One(structure), One(&index), One(accessor)];
                let read = "(%slot $1 '$2 $3 '$4)";
                let getter = self.template(read, mark, node.span, &holes);
                let set = "(%set-slot $1 '$2 $3 '$4)";
                let call = self.template(set, mark, node.span, &holes);
                let store = Store::Call(call.as_list().unwrap_or_default().to_vec(), Vec::new());
                return Ok(Ok(Place { bindings, getter, store }));
            }
        };
        let mut bindings = Vec::new();
        let once: Vec<Node> =
            parts[1..].iter().map(|part| self.once(part, &mut bindings)).collect();
        let getter = Node::list(node.span, [&parts[..1], &once[..]].concat());
        let function = Node::symbol(node.span, function);
        let store = if value_first {
            Store::Call(vec![function], once)
        } else {
            Store::Call([&[function], &once[..]].concat(), Vec::new())
        };
        Ok(Ok(Place { bindings, getter, store }))
    }

    /// Returns the place within another that holds the list or the string.
    fn inner(
        &mut self,
        form: &str,
        node: &Node,
        inner: &Node,
        scope: &Scope,
    ) -> Result<Place, ExpandError> {
        if let Ok(place) = self.place_or_reason(form, inner, scope)? {
            return Ok(place);
        }
        let name = node.as_list().and_then(|list| list[0].as_symbol());
        let name = name.map_or("car", |symbol| &symbol.name);
        let message = format!(
            "{form}: ({name} …) cannot be set here: lists and strings do not change, so it is set by \
             storing a new one in the place that holds the old one, and that is no place"
        );
        self.error(inner.span, message)
    }

    /// Returns the place of a part of a list. The getter takes the list, and then the arguments.
    #[allow(clippy::too_many_arguments)]
    fn part(
        &mut self,
        form: &str,
        node: &Node,
        function: &'static str,
        arguments: &[Node],
        inner: &Node,
        getter: &str,
        scope: &Scope,
    ) -> Result<Place, ExpandError> {
        let mut bindings = Vec::new();
        let once: Vec<Node> = arguments.iter().map(|part| self.once(part, &mut bindings)).collect();
        let mut place = self.inner(form, node, inner, scope)?;
        bindings.append(&mut place.bindings);
        let mark = self.system_mark();
        let getter = self.template(getter, mark, node.span, &[One(&place.getter), Many(&once)]);
        Ok(Place { bindings, getter, store: Store::Rebuilt(function, once, Box::new(place)) })
    }

    fn element(
        &mut self,
        form: &str,
        sequence: &Node,
        index: &Node,
        span: Span,
        scope: &Scope,
    ) -> Result<Place, ExpandError> {
        let mut bindings = Vec::new();
        let mut inner = self.place_or_reason(form, sequence, scope)?.ok();
        // A list or string is rebuilt, so it is read again when the value is there: another place
        // of the same form may have stored a new one meanwhile.
        let holder = match &mut inner {
            Some(place) => {
                bindings.append(&mut place.bindings);
                place.getter.clone()
            }
            None => self.once(sequence, &mut bindings),
        };
        let index = self.once(index, &mut bindings);
        let mark = self.system_mark();
        let getter = self.template("(elt $1 $2)", mark, span, &[One(&holder), One(&index)]);
        Ok(Place { bindings, getter, store: Store::Element(holder, index, inner.map(Box::new)) })
    }

    /// Returns the form that stores a value. `value` is a variable or a constant, because it may
    /// occur more than once.
    pub(super) fn stored(&mut self, place: &Place, value: &Node) -> Node {
        let span = place.getter.span;
        let mark = self.system_mark();
        match &place.store {
            Store::Variable(name) => {
                self.template("(setq $1 $2)", mark, span, &[One(name), One(value)])
            }
            Store::Call(before, after) => {
                Node::list(span, [before, std::slice::from_ref(value), after].concat())
            }
            Store::Rebuilt(function, arguments, inner) => {
                let text = format!("({function} $1 $2 $3)");
                let holes = [Many(arguments), One(&inner.getter), One(value)];
                let new = self.template(&text, mark, span, &holes);
                self.stored_then(inner, &new, value)
            }
            Store::Element(sequence, index, inner) => {
                let holes = [One(sequence), One(index), One(value)];
                let set = self.template("(%set-aref $1 $2 $3)", mark, span, &holes);
                let Some(inner) = inner else { return set };
                let new = self.template("(%with-element $1 $2 $3)", mark, span, &holes);
                let rebuilt = self.stored_then(inner, &new, value);
                let holes = [One(sequence), One(&rebuilt), One(&set)];
                self.template("(if (%rebuilt? $1) $2 $3)", mark, span, &holes)
            }
        }
    }

    /// Returns the form that stores the value of `new` in a place and returns `value`.
    pub(super) fn stored_then(&mut self, place: &Place, new: &Node, value: &Node) -> Node {
        let span = new.span;
        let name = self.temporary(span);
        let stored = self.stored(place, &name);
        let mark = self.system_mark();
        let holes = [One(&name), One(new), One(&stored), One(value)];
        self.template("(let (($1 $2)) $3 $4)", mark, span, &holes)
    }

    /// Emits `(let* (binding …) form …)`.
    pub(super) fn within(
        &mut self,
        node: &Node,
        bindings: &[Node],
        forms: &[Node],
        scope: &Scope,
        output: &mut Output,
    ) -> Expanded {
        let mark = self.system_mark();
        let text = if bindings.is_empty() { "(begin $2)" } else { "(let* ($1) $2)" };
        let form = self.template(text, mark, node.span, &[Many(bindings), Many(forms)]);
        self.form(&form, scope, output)
    }

    /// Emits a form that replaces the value of a place; `new` is a template of the new value, in
    /// which `$1` is the old one.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn replaced(
        &mut self,
        node: &Node,
        mut bindings: Vec<Node>,
        place: Place,
        new: &str,
        more: &[Node],
        scope: &Scope,
        output: &mut Output,
    ) -> Expanded {
        let mark = self.system_mark();
        let new = self.template(new, mark, node.span, &[One(&place.getter), Many(more)]);
        if let Store::Variable(name) = &place.store {
            let stored = self.template("(setq $1 $2)", mark, node.span, &[One(name), One(&new)]);
            return self.within(node, &bindings, &[stored], scope, output);
        }
        let value = self.once(&new, &mut bindings);
        let stored = self.stored(&place, &value);
        self.within(node, &bindings, &[stored], scope, output)
    }
}

/// Returns `(car (cdr inner))` for `cadr`.
fn nested_cells(name: &str, inner: &Node, span: Span) -> Option<Node> {
    let letters = name.strip_prefix('c')?.strip_suffix('r')?;
    if !(2..=4).contains(&letters.len()) || !letters.bytes().all(|it| matches!(it, b'a' | b'd')) {
        return None;
    }
    Some(letters.chars().rev().fold(inner.clone(), |inner, letter| {
        Node::list(span, vec![Node::symbol(span, &format!("c{letter}r")), inner])
    }))
}

/// Returns the name of the function that `(setf name)` names.
pub(super) fn setter_name(name: &Node) -> Option<(Arc<str>, Node)> {
    match name.as_list() {
        Some([head, place]) if head.is_named("setf") => {
            let place = place.as_symbol()?.name.clone();
            let function = Node::symbol(name.span, &format!("(setf {place})"));
            Some((place, function))
        }
        _ => None,
    }
}
