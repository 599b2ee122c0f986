//! `defstruct`, and Scheme's `define-record-type`.
//!
//! A structure becomes functions of the script: constructors, accessors, a predicate and a copier,
//! which are `defun`s that call natives of the system. So `postoffice check` knows their arguments,
//! and a redefinition reaches earlier callers. What the expander keeps of a structure is for `setf`
//! and for structures that include it.

use std::sync::Arc;

use super::output::Output;
use super::places::Setter;
use super::template::Hole::{Many, One};
use super::{ExpandError, Expanded, Pass, Scope};
use crate::lisp::node::{Kind, Node, Symbol};

#[derive(Clone)]
pub(super) struct Structure {
    /// The structures that it includes, nearest first.
    included: Vec<Arc<str>>,
    slots: Vec<Slot>,
}

#[derive(Clone)]
struct Slot {
    name: Node,
    default: Node,
    is_read_only: bool,
}

struct Options {
    prefix: String,
    /// Names, and the lambda lists of those that take arguments by position.
    constructors: Vec<(Node, Option<Node>)>,
    copier: Option<Node>,
    predicate: Option<Node>,
    included: Vec<Arc<str>>,
    slots: Vec<Slot>,
}

/// `(defstruct name slot …)` and `(defstruct (name option …) slot …)`.
pub(super) fn defstruct(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts =
        pass.parts(node, 1, usize::MAX, " name slot …)\" or \"(defstruct (name option …) slot …")?;
    let (name, options) = match parts[0].as_list() {
        Some([name, options @ ..]) => (name, options),
        _ => (&parts[0], &[][..]),
    };
    let Some(symbol) = name.as_symbol() else {
        return pass.error(name.span, "defstruct: expected a name");
    };
    let type_name = symbol.name.clone();
    let mut options = read_options(pass, name, &type_name, options)?;
    let slots = match &parts[1..] {
        [Node { kind: Kind::String(_), .. }, slots @ ..] => slots,
        slots => slots,
    };
    for slot in slots {
        let slot = read_slot(pass, slot)?;
        if options.slots.iter().any(|known| same_name(&known.name, &slot.name)) {
            return pass.error(slot.name.span, "defstruct: two slots have this name");
        }
        options.slots.push(slot);
    }
    // With the parent's :conc-name, the parent's accessors serve its slots.
    let is_parents = |accessor: &Arc<str>| match pass.memory.setters.get(accessor) {
        Some(Setter::Slot { structure, .. }) => options.included.contains(&text(structure)),
        _ => false,
    };
    let accessors: Vec<Option<Arc<str>>> = options
        .slots
        .iter()
        .map(|slot| Arc::from(format!("{}{}", options.prefix, text(&slot.name))))
        .map(|accessor| Some(accessor).filter(|accessor| !is_parents(accessor)))
        .collect();
    let forms = functions(pass, node, name, &options, &accessors);
    define(pass, &forms, name, scope, output)?;
    for (index, (slot, accessor)) in options.slots.iter().zip(accessors).enumerate() {
        let Some(accessor) = accessor else { continue };
        let setter = if slot.is_read_only {
            Setter::Refused(format!("({accessor} …) is a slot that is read-only").into())
        } else {
            Setter::Slot { structure: name.clone(), index }
        };
        pass.memory.setters.insert(accessor, setter);
    }
    let known = Structure { included: options.included, slots: options.slots };
    pass.memory.structures.insert(type_name, known);
    Ok(())
}

/// Emits the definitions of a structure; their value is its name.
pub(super) fn define(
    pass: &mut Pass<'_>,
    forms: &[Node],
    name: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    output.push("(begin ");
    for form in forms {
        pass.form(form, scope, output)?;
        output.push(" ");
    }
    pass.quoted(name, output);
    output.push(")");
    Ok(())
}

fn text(name: &Node) -> Arc<str> {
    name.as_symbol().map_or_else(|| "".into(), |symbol| symbol.name.clone())
}

fn same_name(left: &Node, right: &Node) -> bool {
    text(left).eq_ignore_ascii_case(&text(right))
}

fn read_slot(pass: &Pass<'_>, node: &Node) -> Result<Slot, ExpandError> {
    let nothing = Node::list(node.span, Vec::new());
    let (name, default, options) = match node.as_list() {
        None => (node, nothing, &[][..]),
        Some([name]) => (name, nothing, &[][..]),
        Some([name, default, options @ ..]) => (name, default.clone(), options),
        Some([]) => return pass.error(node.span, "defstruct: expected a slot, got ()"),
    };
    if name.as_symbol().is_none_or(|symbol| matches!(&*symbol.name, "t" | "nil")) {
        return pass.error(
            node.span,
            "defstruct: expected a slot: name or (name default :type type :read-only t)",
        );
    }
    let mut is_read_only = false;
    for option in options.chunks(2) {
        match option {
            [Node { kind: Kind::Keyword(key), .. }, value] if &**key == "read-only" => {
                is_read_only = !is_nothing(value);
            }
            [Node { kind: Kind::Keyword(key), .. }, _] if &**key == "type" => {}
            [option, ..] => {
                let message = format!(
                    "defstruct: slot {}: expected :type or :read-only, each with a value",
                    text(name)
                );
                return pass.error(option.span, message);
            }
            [] => {}
        }
    }
    Ok(Slot { name: name.clone(), default, is_read_only })
}

pub(super) fn is_nothing(node: &Node) -> bool {
    node.is_named("nil") || node.as_list().is_some_and(<[Node]>::is_empty)
}

fn read_options(
    pass: &Pass<'_>,
    name: &Node,
    type_name: &str,
    options: &[Node],
) -> Result<Options, ExpandError> {
    let symbol = |text: String| Node::symbol(name.span, &text);
    let make = || symbol(format!("make-{type_name}"));
    let mut read = Options {
        prefix: format!("{type_name}-"),
        constructors: Vec::new(),
        copier: Some(symbol(format!("copy-{type_name}"))),
        predicate: Some(symbol(format!("{type_name}-p"))),
        included: Vec::new(),
        slots: Vec::new(),
    };
    let mut has_constructor = false;
    for option in options {
        let (key, values) = match option.as_list() {
            Some([key, values @ ..]) => (key, values),
            _ => (option, &[][..]),
        };
        let Kind::Keyword(key) = &key.kind else {
            return pass
                .error(option.span, "defstruct: expected an option, such as (:conc-name name)");
        };
        match (&**key, values) {
            ("conc-name", []) => read.prefix.clear(),
            ("conc-name", [prefix]) => {
                read.prefix = match &prefix.kind {
                    _ if is_nothing(prefix) => String::new(),
                    Kind::String(prefix) => prefix.to_string(),
                    _ => text(prefix).to_string(),
                }
            }
            ("constructor", []) => read.constructors.push((make(), None)),
            ("constructor", [none]) if is_nothing(none) => has_constructor = true,
            ("constructor", [name]) => read.constructors.push((name.clone(), None)),
            ("constructor", [name, list]) => {
                read.constructors.push((name.clone(), Some(list.clone())))
            }
            ("copier" | "predicate", []) => {}
            ("copier", [name]) => read.copier = Some(name.clone()).filter(|it| !is_nothing(it)),
            ("predicate", [name]) => {
                read.predicate = Some(name.clone()).filter(|it| !is_nothing(it))
            }
            ("include", [parent, overrides @ ..]) => include(pass, &mut read, parent, overrides)?,
            ("type" | "named" | "initial-offset" | "print-function" | "print-object", _) => {
                let message = format!(
                    "defstruct: :{key} is not supported: a structure is always an object of its own, and prints as #S(…)"
                );
                return pass.error(option.span, message);
            }
            _ => {
                return pass.error(
                    option.span,
                    format!(
                        "defstruct: :{key}: expected :conc-name, :constructor, :copier, :predicate or :include, with their values"
                    ),
                );
            }
        }
    }
    if read.constructors.is_empty() && !has_constructor {
        read.constructors.push((make(), None));
    }
    Ok(read)
}

fn include(
    pass: &Pass<'_>,
    read: &mut Options,
    parent: &Node,
    overrides: &[Node],
) -> Result<(), ExpandError> {
    let Some(known) = pass.memory.structures.get(&text(parent)).cloned() else {
        let message = format!(
            "defstruct: :include: expected the name of a structure, got {}",
            crate::lisp::printer::readably(&parent.datum())
        );
        return pass.error(parent.span, message);
    };
    read.included = [vec![text(parent)], known.included].concat();
    read.slots = known.slots;
    for slot in overrides {
        let new = read_slot(pass, slot)?;
        let Some(old) = read.slots.iter_mut().find(|old| same_name(&old.name, &new.name)) else {
            let message =
                format!("defstruct: :include: {} has no slot {}", text(parent), text(&new.name));
            return pass.error(slot.span, message);
        };
        *old = new;
    }
    Ok(())
}

/// `(%structure (name :slot value …))`, which the reader makes of `#S(…)`. The values are data.
pub(super) fn literal(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 1, 1, " (name :slot value …)")?;
    let Some([name, values @ ..]) = parts[0].as_list() else {
        return pass.error(node.span, "#S: expected #S(name :slot value …)");
    };
    let Some(known) = pass.memory.structures.get(&text(name)).cloned() else {
        let shown = crate::lisp::printer::readably(&name.datum());
        let message = format!("#S: expected the name of a structure, got {shown}");
        return pass.error(name.span, message);
    };
    let mark = pass.system_mark();
    let mut slots: Vec<Node> = known.slots.iter().map(|slot| slot.default.clone()).collect();
    for pair in values.chunks(2) {
        let [Node { kind: Kind::Keyword(key), .. }, value] = pair else {
            return pass.error(node.span, "#S: expected pairs of a slot, as :name, and a value");
        };
        let slot = known.slots.iter().position(|slot| text(&slot.name).eq_ignore_ascii_case(key));
        let Some(slot) = slot else {
            let message = format!("#S: {} has no slot {key}", text(name));
            return pass.error(node.span, message);
        };
        slots[slot] = pass.template("'$1", mark, value.span, &[One(value)]);
    }
    let layout = layout(name, &known.included, &known.slots);
    let holes = [One(&layout), Many(&slots)];
    let form = pass.template("(%make-structure '$1 $2)", mark, node.span, &holes);
    pass.form(&form, scope, output)
}

fn layout(name: &Node, included: &[Arc<str>], slots: &[Slot]) -> Node {
    let span = name.span;
    let included = included.iter().map(|name| Node::symbol(span, name)).collect();
    let slots = slots.iter().map(|slot| slot.name.clone()).collect();
    Node::list(span, vec![name.clone(), Node::list(span, included), Node::list(span, slots)])
}

/// Returns the definitions of the functions of a structure. `accessors` are those of the slots,
/// except those that are defined already.
fn functions(
    pass: &mut Pass<'_>,
    node: &Node,
    name: &Node,
    options: &Options,
    accessors: &[Option<Arc<str>>],
) -> Vec<Node> {
    let mark = pass.system_mark();
    let span = node.span;
    let names: Vec<Node> = options.slots.iter().map(|slot| slot.name.clone()).collect();
    let layout = layout(name, &options.included, &options.slots);
    // A default sees the variables around the defstruct, and not the other slots.
    let own = |slot: &Slot| {
        let name = Symbol { name: text(&slot.name), mark };
        Node::new(span, Kind::Symbol(name))
    };
    let parameter = |slot: &Slot| {
        let key = Node::new(span, Kind::Keyword(text(&slot.name)));
        let name = Node::list(span, vec![key, own(slot)]);
        Node::list(span, vec![name, slot.default.clone()])
    };
    let mut forms = vec![pass.template("(%define-structure '$1)", mark, span, &[One(name)])];
    for (constructor, list) in &options.constructors {
        let (parameters, values) = match list {
            None => {
                let mut all: Vec<Node> = options.slots.iter().map(parameter).collect();
                all.insert(0, Node::symbol(span, "&key"));
                (Node::list(span, all), options.slots.iter().map(own).collect())
            }
            Some(list) => (positional(list, &options.slots), names.clone()),
        };
        forms.push(pass.template(
            "(defun $1 $2 (%make-structure '$3 $4))",
            mark,
            span,
            &[One(constructor), One(&parameters), One(&layout), Many(&values)],
        ));
    }
    for (index, accessor) in accessors.iter().enumerate() {
        let Some(accessor) = accessor else { continue };
        let accessor = Node::symbol(span, accessor);
        let index = Node::new(span, Kind::Integer(index as i64));
        forms.push(pass.template(
            "(defun $1 ($2) (%slot $2 '$2 $3 '$1))",
            mark,
            span,
            &[One(&accessor), One(name), One(&index)],
        ));
    }
    if let Some(predicate) = &options.predicate {
        forms.push(pass.template(
            "(defun $1 (value) (%structure? value '$2))",
            mark,
            span,
            &[One(predicate), One(name)],
        ));
    }
    if let Some(copier) = &options.copier {
        forms.push(pass.template(
            "(defun $1 ($2) (%copy-structure $2 '$2 '$1))",
            mark,
            span,
            &[One(copier), One(name)],
        ));
    }
    forms
}

/// Returns the lambda list of a constructor that takes arguments by position. Optional parameters
/// without a default get that of their slot, and slots that are no parameters become &aux ones.
fn positional(list: &Node, slots: &[Slot]) -> Node {
    let Some(elements) = list.as_list() else { return list.clone() };
    let mut section = String::new();
    let mut parameters = Vec::new();
    let mut mentioned = Vec::new();
    for element in elements {
        match element.as_symbol() {
            Some(symbol) if symbol.name.starts_with('&') => {
                section = symbol.name.to_string();
                parameters.push(element.clone());
                continue;
            }
            _ => {}
        }
        let name = element.as_list().and_then(|list| list.first()).unwrap_or(element);
        // ((:key name) default)
        let name = name.as_list().and_then(|list| list.get(1)).unwrap_or(name);
        mentioned.push(name.clone());
        let slot = slots.iter().find(|slot| same_name(&slot.name, name));
        let has_default = element.as_list().is_some_and(|list| list.len() > 1);
        parameters.push(match slot {
            Some(slot) if matches!(&*section, "&optional" | "&key") && !has_default => {
                let whole = element.as_list().map_or(element, |list| &list[0]);
                Node::list(element.span, vec![whole.clone(), slot.default.clone()])
            }
            _ => element.clone(),
        });
    }
    let mut rest = slots
        .iter()
        .filter(|slot| !mentioned.iter().any(|name| same_name(name, &slot.name)))
        .map(|slot| Node::list(list.span, vec![slot.name.clone(), slot.default.clone()]))
        .peekable();
    if rest.peek().is_some() && section != "&aux" {
        parameters.push(Node::symbol(list.span, "&aux"));
    }
    parameters.extend(rest);
    Node::list(list.span, parameters)
}

/// `(define-record-type name (constructor field …) predicate (field accessor modifier) …)`.
pub(super) fn define_record_type(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    const SHAPE: &str = " name (constructor field …) predicate (field accessor modifier) …";
    let parts = pass.parts(node, 3, usize::MAX, SHAPE)?;
    let name = &parts[0];
    if name.as_symbol().is_none() {
        return pass.error(name.span, "define-record-type: expected a name");
    }
    let mut slots: Vec<Slot> = Vec::new();
    let mut functions = Vec::new();
    for field in &parts[3..] {
        let (field_name, more) = match field.as_list() {
            Some([name, more @ ..]) if more.len() <= 2 => (name, more),
            None => (field, &[][..]),
            _ => {
                return pass
                    .error(field.span, "define-record-type: expected (field accessor modifier)");
            }
        };
        let slot = read_slot(pass, field_name)?;
        if slots.iter().any(|known| same_name(&known.name, &slot.name)) {
            return pass.error(field.span, "define-record-type: two fields have this name");
        }
        functions.push((Node::new(field.span, Kind::Integer(slots.len() as i64)), more));
        slots.push(slot);
    }
    let mark = pass.system_mark();
    let layout = layout(name, &[], &slots);
    let mut forms = vec![pass.template("(%define-structure '$1)", mark, node.span, &[One(name)])];
    let constructor = match parts[1].as_list() {
        Some([constructor, fields @ ..]) => Some((constructor, fields.to_vec())),
        None if parts[1].as_symbol().is_some_and(|it| &*it.name != "nil") => {
            Some((&parts[1], slots.iter().map(|slot| slot.name.clone()).collect()))
        }
        _ => None,
    };
    if let Some((constructor, fields)) = constructor {
        let unknown = |field: &&Node| !slots.iter().any(|slot| same_name(&slot.name, field));
        if let Some(field) = fields.iter().find(unknown) {
            let message =
                format!("define-record-type: the constructor's {} is no field", text(field));
            return pass.error(field.span, message);
        }
        let values: Vec<Node> = slots
            .iter()
            .map(|slot| {
                let given = fields.iter().find(|field| same_name(&slot.name, field));
                given.unwrap_or(&slot.default).clone()
            })
            .collect();
        let holes = [One(constructor), Many(&fields), One(&layout), Many(&values)];
        let define = "(defun $1 ($2) (%make-structure '$3 $4))";
        forms.push(pass.template(define, mark, node.span, &holes));
    }
    if parts[2].as_symbol().is_some_and(|it| &*it.name != "nil") {
        let define = "(defun $1 (value) (%structure? value '$2))";
        forms.push(pass.template(define, mark, node.span, &[One(&parts[2]), One(name)]));
    }
    for (index, more) in &functions {
        const DEFINITIONS: [&str; 2] = [
            "(defun $1 (record) (%slot record '$2 $3 '$1))",
            "(defun $1 (record value) (%set-slot record '$2 $3 '$1 value))",
        ];
        for (function, define) in more.iter().zip(DEFINITIONS) {
            let holes = [One(function), One(name), One(index)];
            forms.push(pass.template(define, mark, node.span, &holes));
        }
    }
    define(pass, &forms, name, scope, output)?;
    pass.memory.structures.insert(text(name), Structure { included: Vec::new(), slots });
    Ok(())
}
