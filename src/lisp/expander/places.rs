//! Places: `setf`, and the forms that change what is in a place: `incf push rotatef …`.
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

struct Place {
    /// Variables and the forms that they are bound to.
    bindings: Vec<Node>,
    /// The form that reads the place.
    getter: Node,
    store: Store,
}

enum Store {
    Variable(Node),
    /// The call of a function, with the value in between.
    Call(Vec<Node>, Vec<Node>),
    /// A function that makes what the inner place is to have, and its first arguments. It takes
    /// after them what the inner place has, and the value.
    Rebuilt(&'static str, Vec<Node>, Box<Place>),
    /// An element of a sequence: vectors change, others are rebuilt, in the inner place.
    Element(Node, Node, Option<Box<Place>>),
}

/// The numbers that `(second list)` and its like have in `nth`.
const ORDINALS: [&str; 9] =
    ["second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"];

impl Pass<'_> {
    fn temporary(&mut self, span: Span) -> Node {
        let number = self.fresh();
        Node::symbol(span, &format!("%place-{number}"))
    }

    /// Returns a variable for a form, and adds it to the bindings. A constant stays as it is.
    fn once(&mut self, form: &Node, bindings: &mut Vec<Node>) -> Node {
        if matches!(form.kind, Kind::Integer(_) | Kind::Keyword(_)) {
            return form.clone();
        }
        let name = self.temporary(form.span);
        bindings.push(Node::list(form.span, vec![name.clone(), form.clone()]));
        name
    }

    fn place(&mut self, form: &str, node: &Node, scope: &Scope) -> Result<Place, ExpandError> {
        let mut found = None;
        self.deeper(node.span, |pass| {
            found = Some(pass.place_within(form, node, scope)?);
            Ok(())
        })?;
        found.map_or_else(|| self.error(node.span, "no place"), Ok)
    }

    fn place_within(
        &mut self,
        form: &str,
        node: &Node,
        scope: &Scope,
    ) -> Result<Place, ExpandError> {
        if node.as_symbol().is_some() {
            let store = Store::Variable(node.clone());
            return Ok(Place { bindings: Vec::new(), getter: node.clone(), store });
        }
        let Some([head, arguments @ ..]) = node.as_list() else {
            return self.error(node.span, format!("{form}: expected a place, got a constant"));
        };
        let Some(symbol) = head.as_symbol() else {
            return self.error(node.span, format!("{form}: this call is not a place"));
        };
        let name = symbol.name.clone();
        if let Some(setter) = self.memory.setters.get(&name).cloned() {
            return self.own_place(form, node, &setter);
        }
        let mark = self.system_mark();
        let span = node.span;
        match (&*name, arguments) {
            ("the", [_, place]) => return self.place(form, place, scope),
            ("gethash", [_, _] | [_, _, _]) => {
                let mut bindings = Vec::new();
                let once: Vec<Node> =
                    arguments.iter().map(|part| self.once(part, &mut bindings)).collect();
                let getter = self.template("(gethash $1)", mark, span, &[Many(&once)]);
                let setter = self.template("%set-gethash", mark, span, &[]);
                let before = [&[setter], &once[..]].concat();
                return Ok(Place { bindings, getter, store: Store::Call(before, Vec::new()) });
            }
            ("aref" | "svref" | "vector-ref" | "elt" | "char" | "schar", [sequence, index]) => {
                return self.element(form, sequence, index, span, scope);
            }
            ("car" | "first", [inner]) => {
                return self.part(form, node, "%with-car", &[], inner, "(%car $1)", scope);
            }
            ("cdr" | "rest", [inner]) => {
                return self.part(form, node, "%with-cdr", &[], inner, "(%cdr $1)", scope);
            }
            ("nth", [index, inner]) => {
                let index = std::slice::from_ref(index);
                return self.part(form, node, "%with-nth", index, inner, "(nth $2 $1)", scope);
            }
            ("nthcdr", [count, inner]) => {
                let count = std::slice::from_ref(count);
                return self.part(
                    form,
                    node,
                    "%with-nthcdr",
                    count,
                    inner,
                    "(nthcdr $2 $1)",
                    scope,
                );
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
                return Ok(Place { bindings, getter, store });
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
                return Ok(Place { bindings, getter, store });
            }
            (ordinal, [inner]) => {
                if let Some(index) = ORDINALS.iter().position(|name| *name == ordinal) {
                    let index = [Node::new(span, Kind::Integer(index as i64 + 1))];
                    return self.part(form, node, "%with-nth", &index, inner, "(nth $2 $1)", scope);
                }
                if let Some(nested) = nested_cells(ordinal, inner, span) {
                    return self.place(form, &nested, scope);
                }
            }
            _ => {}
        }
        if let Head::Macro(found) = self.head(head, scope) {
            let expansion = self.expand_macro(&found, node)?;
            return self.place(form, &expansion, scope);
        }
        self.error(
            span,
            format!(
                "{form}: ({name} …) is not a place: nothing defines how it is set; \
                 (defun (setf {name}) (value …) …) or defsetf can"
            ),
        )
    }

    fn own_place(
        &mut self,
        form: &str,
        node: &Node,
        setter: &Setter,
    ) -> Result<Place, ExpandError> {
        let parts = node.as_list().unwrap_or_default();
        let (function, value_first) = match setter {
            Setter::Function { name, value_first } => (name, *value_first),
            Setter::Refused(why) => return self.error(node.span, format!("{form}: {why}")),
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
                return Ok(Place { bindings, getter, store });
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
        Ok(Place { bindings, getter, store })
    }

    /// Returns the place within another that holds the list or the string.
    fn inner(
        &mut self,
        form: &str,
        node: &Node,
        inner: &Node,
        scope: &Scope,
    ) -> Result<Place, ExpandError> {
        self.place(form, inner, scope).map_err(|error| {
            let name = node.as_list().and_then(|list| list[0].as_symbol());
            let name = name.map_or("car", |symbol| &symbol.name);
            let message = format!(
                "{form}: ({name} …) cannot be set here: lists and strings do not change, so it is set by \
                 storing a new one in the place that holds the old one, and that is no place"
            );
            let is_unknown = error.message.contains("place");
            ExpandError { message: if is_unknown { message } else { error.message }, ..error }
        })
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
        let mut inner = self.place(form, sequence, scope).ok();
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
    fn stored(&mut self, place: &Place, value: &Node) -> Node {
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
    fn stored_then(&mut self, place: &Place, new: &Node, value: &Node) -> Node {
        let span = new.span;
        let name = self.temporary(span);
        let stored = self.stored(place, &name);
        let mark = self.system_mark();
        let holes = [One(&name), One(new), One(&stored), One(value)];
        self.template("(let (($1 $2)) $3 $4)", mark, span, &holes)
    }

    /// Emits `(let* (binding …) form …)`.
    fn within(
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
    fn replaced(
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

/// `(setf place value …)`.
pub(super) fn setf(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 0, usize::MAX, " place value")?;
    if parts.len() % 2 != 0 {
        return pass.error(node.span, "setf: expected pairs of a place and a value");
    }
    if parts.iter().step_by(2).all(|place| place.as_symbol().is_some()) {
        return super::definitions::set(pass, node, scope, output);
    }
    output.push("(begin");
    for pair in parts.chunks_exact(2) {
        output.push(" ");
        set_one(pass, node, &pair[0], &pair[1], scope, output)?;
    }
    output.push(")");
    Ok(())
}

fn set_one(
    pass: &mut Pass<'_>,
    node: &Node,
    target: &Node,
    value: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let mark = pass.system_mark();
    if let Some([head, targets @ ..]) = target.as_list()
        && head.is_named("values")
    {
        let mut bindings = Vec::new();
        let mut places = Vec::new();
        for target in targets {
            let mut place = pass.place("setf", target, scope)?;
            bindings.append(&mut place.bindings);
            places.push(place);
        }
        let list = pass.template("(multiple-value-list $1)", mark, node.span, &[One(value)]);
        let list = pass.once(&list, &mut bindings);
        let mut forms = Vec::new();
        for (index, place) in places.iter().enumerate() {
            let text = format!("(nth {index} $1)");
            let value = pass.template(&text, mark, node.span, &[One(&list)]);
            let nothing = Node::list(node.span, Vec::new());
            forms.push(pass.stored_then(place, &value, &nothing));
        }
        forms.push(pass.template("(%values-from $1)", mark, node.span, &[One(&list)]));
        return pass.within(node, &bindings, &forms, scope, output);
    }
    let mut place = pass.place("setf", target, scope)?;
    let mut bindings = std::mem::take(&mut place.bindings);
    if let Store::Variable(_) = place.store {
        let form = pass.stored(&place, value);
        return pass.form(&form, scope, output);
    }
    let value = pass.once(value, &mut bindings);
    let form = pass.stored(&place, &value);
    pass.within(node, &bindings, &[form], scope, output)
}

/// `(incf place delta)`.
pub(super) fn incf(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    add(pass, node, "incf", "(+ $1 $2)", scope, output)
}

/// `(decf place delta)`.
pub(super) fn decf(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    add(pass, node, "decf", "(- $1 $2)", scope, output)
}

fn add(
    pass: &mut Pass<'_>,
    node: &Node,
    name: &str,
    new: &str,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 1, 2, " place step")?;
    let mut place = pass.place(name, &parts[0], scope)?;
    let mut bindings = std::mem::take(&mut place.bindings);
    let step = match parts.get(1) {
        Some(step) if step.as_list().is_none() => step.clone(),
        Some(step) => pass.once(step, &mut bindings),
        None => Node::new(node.span, Kind::Integer(1)),
    };
    pass.replaced(node, bindings, place, new, &[step], scope, output)
}

/// `(push value place)`.
pub(super) fn push(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 2, 2, " value place")?;
    put(pass, node, "push", parts, "(cons $2 $1)", scope, output)
}

/// `(pushnew value place :test f …)`.
pub(super) fn pushnew(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 2, usize::MAX, " value place &key test test-not key")?;
    put(pass, node, "pushnew", parts, "", scope, output)
}

fn put(
    pass: &mut Pass<'_>,
    node: &Node,
    name: &str,
    parts: &[Node],
    new: &str,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let mut bindings = Vec::new();
    let mut place = pass.place(name, &parts[1], scope)?;
    let item = match place.store {
        Store::Variable(_) => parts[0].clone(),
        _ => pass.once(&parts[0], &mut bindings),
    };
    bindings.append(&mut place.bindings);
    if !new.is_empty() {
        return pass.replaced(node, bindings, place, new, &[item], scope, output);
    }
    // The script's own name, so that quoted functions among the keys are recognized.
    let adjoin = Node::symbol(node.span, "adjoin");
    let call = [&[adjoin, item, place.getter.clone()], &parts[2..]].concat();
    pass.replaced(node, bindings, place, "$2", &[Node::list(node.span, call)], scope, output)
}

/// `(pop place)`.
pub(super) fn pop(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 1, 1, " place")?;
    let mut place = pass.place("pop", &parts[0], scope)?;
    let mut bindings = std::mem::take(&mut place.bindings);
    let mark = pass.system_mark();
    let list = pass.once(&place.getter.clone(), &mut bindings);
    let rest = pass.template("(rest $1)", mark, node.span, &[One(&list)]);
    let first = pass.template("(first $1)", mark, node.span, &[One(&list)]);
    let form = pass.stored_then(&place, &rest, &first);
    pass.within(node, &bindings, &[form], scope, output)
}

/// `(psetq name value …)` and `(psetf place value …)`.
pub(super) fn psetf(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 0, usize::MAX, " place value …")?;
    let name = node.as_list().and_then(|list| list[0].as_symbol()).map(|it| it.name.clone());
    let name = name.unwrap_or_else(|| "psetf".into());
    if parts.len() % 2 != 0 {
        return pass.error(node.span, format!("{name}: expected pairs of a place and a value"));
    }
    let mut bindings = Vec::new();
    let mut places = Vec::new();
    for pair in parts.chunks_exact(2) {
        if &*name == "psetq" && pair[0].as_symbol().is_none() {
            return pass.error(pair[0].span, "psetq: expected the name of a variable");
        }
        let mut place = pass.place(&name, &pair[0], scope)?;
        bindings.append(&mut place.bindings);
        places.push((place, pass.once(&pair[1], &mut bindings)));
    }
    let mut forms: Vec<Node> =
        places.iter().map(|(place, value)| pass.stored(place, value)).collect();
    forms.push(Node::list(node.span, Vec::new()));
    pass.within(node, &bindings, &forms, scope, output)
}

/// `(shiftf place … value)`.
pub(super) fn shiftf(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 2, usize::MAX, " place … value")?;
    let (last, targets) = parts.split_last().expect("there are two parts at least");
    moved(pass, node, "shiftf", targets, Some(last), scope, output)
}

/// `(rotatef place …)`.
pub(super) fn rotatef(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 0, usize::MAX, " place …")?;
    moved(pass, node, "rotatef", parts, None, scope, output)
}

/// Emits a form that gives each place the value of the next one, and the last place the value of
/// `last`, or else that of the first place.
fn moved(
    pass: &mut Pass<'_>,
    node: &Node,
    name: &str,
    targets: &[Node],
    last: Option<&Node>,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let mut bindings = Vec::new();
    let mut places = Vec::new();
    let mut values = Vec::new();
    for target in targets {
        let mut place = pass.place(name, target, scope)?;
        bindings.append(&mut place.bindings);
        values.push(pass.once(&place.getter.clone(), &mut bindings));
        places.push(place);
    }
    let nothing = Node::list(node.span, Vec::new());
    let result = match last {
        Some(last) => {
            values.push(pass.once(last, &mut bindings));
            values[0].clone()
        }
        None => {
            values.extend(values.first().cloned());
            nothing
        }
    };
    let mut forms: Vec<Node> = places
        .iter()
        .zip(&values[1.min(values.len())..])
        .map(|(place, value)| pass.stored(place, value))
        .collect();
    forms.push(result);
    pass.within(node, &bindings, &forms, scope, output)
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

/// `(defsetf place function)` and `(defsetf place (parameter …) (value) form …)`.
pub(super) fn defsetf(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(
        node,
        2,
        usize::MAX,
        " place function)\" or \"(defsetf place (parameter …) (value) form …",
    )?;
    let Some(place) = parts[0].as_symbol() else {
        return pass.error(parts[0].span, "defsetf: expected the name of a function");
    };
    let place = place.name.clone();
    if let Some(function) = parts[1].as_symbol() {
        let setter = Setter::Function { name: function.name.clone(), value_first: false };
        pass.memory.setters.insert(place, setter);
        pass.quoted(&parts[0], output);
        return Ok(());
    }
    let stores = parts.get(2).and_then(Node::as_list);
    let (Some(stores @ [_]), false) = (stores, parts.len() < 4) else {
        return pass.error(
            node.span,
            "defsetf: expected (defsetf place (parameter …) (value) form …), with one value",
        );
    };
    let parameters = match &parts[1].kind {
        Kind::List(parameters) => [stores, parameters].concat(),
        _ => return pass.error(parts[1].span, "defsetf: expected a list of parameters"),
    };
    // The value comes first, because the parameters may have &optional or &rest among them.
    let name: Arc<str> = format!("(defsetf {place})").into();
    pass.memory.setters.insert(place, Setter::Function { name: name.clone(), value_first: true });
    let mut form = vec![
        Node::symbol(node.span, "defmacro"),
        Node::symbol(node.span, &name),
        Node::list(parts[1].span, parameters),
    ];
    form.extend(parts[3..].iter().cloned());
    output.push("(begin ");
    pass.form(&Node::list(node.span, form), scope, output)?;
    output.push(" ");
    pass.quoted(&parts[0], output);
    output.push(")");
    Ok(())
}

/// `(define-modify-macro name (parameter …) function)` defines a macro that replaces what is in a
/// place by what the function makes of it and the arguments.
pub(super) fn define_modify_macro(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 3, 4, " name (parameter …) function documentation")?;
    let Some(parameters) = parts[1].as_list() else {
        return pass.error(parts[1].span, "define-modify-macro: expected a list of parameters");
    };
    let mut names = Vec::new();
    let mut rest = Node::list(node.span, Vec::new());
    let mut after_rest = false;
    for parameter in parameters {
        let name = parameter.as_list().and_then(|list| list.first()).unwrap_or(parameter);
        match name.as_symbol().map(|symbol| &*symbol.name) {
            Some("&rest") => after_rest = true,
            Some("&optional") => {}
            Some(key) if key.starts_with('&') => {
                let message =
                    format!("define-modify-macro: expected &optional or &rest, got {key}");
                return pass.error(name.span, message);
            }
            _ if after_rest => rest = name.clone(),
            _ => names.push(name.clone()),
        }
    }
    let mark = 0;
    let holes = [One(&parts[0]), Many(parameters), One(&parts[2]), Many(&names), One(&rest)];
    let form = pass.template(
        "(defmacro $1 (%place $2) (list '%modify '$3 %place (cons 'list (list $4)) (cons 'list $5)))",
        mark,
        node.span,
        &holes,
    );
    pass.form(&form, scope, output)
}

/// `(%modify function place (list argument …) (list argument …))`.
pub(super) fn modify(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 4, 4, " function place arguments arguments")?;
    let mut place = pass.place("define-modify-macro", &parts[1], scope)?;
    let mut bindings = std::mem::take(&mut place.bindings);
    let mut call = vec![parts[0].clone(), place.getter.clone()];
    for argument in parts[2..].iter().flat_map(|list| &list.as_list().unwrap_or_default()[1..]) {
        call.push(pass.once(argument, &mut bindings));
    }
    pass.replaced(node, bindings, place, "$2", &[Node::list(node.span, call)], scope, output)
}
