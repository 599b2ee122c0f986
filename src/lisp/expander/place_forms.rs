//! The forms that change what is in a place: `setf incf push rotatef …`, and those that define
//! places and changes: `defsetf`, `define-modify-macro`. `places` takes a place apart.

use std::sync::Arc;

use super::output::Output;
use super::places::{Setter, Store};
use super::template::Hole::{Many, One};
use super::{Expanded, Pass, Scope};
use crate::lisp::node::{Kind, Node};

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

pub(super) fn set_one(
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
