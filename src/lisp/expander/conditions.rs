//! `define-condition`. A class of conditions is kept by the host; its readers and writers are
//! functions of the script. The initial forms of the slots and the report are functions, which run
//! when a condition is made. Also `check-type`, whose restart needs to know whether there is a
//! place to store another value in.

use super::output::Output;
use super::structures::{define, is_nothing};
use super::template::Hole::{Many, One};
use super::{ExpandError, Expanded, Pass, Scope};
use crate::lisp::node::{Kind, Node};

/// `(define-condition name (parent …) (slot …) option …)`.
pub(super) fn define_condition(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 2, usize::MAX, " name (parent …) (slot …) option …")?;
    let name = &parts[0];
    if name.as_symbol().is_none() {
        return pass.error(name.span, "define-condition: expected a name");
    }
    let mark = pass.system_mark();
    let (mut slots, mut initial, mut functions) = (Vec::new(), Vec::new(), Vec::new());
    let given = parts.get(2).map(|slots| pass.list(slots, "define-condition", "a list of slots"));
    for slot in given.transpose()?.unwrap_or_default() {
        read_slot(pass, slot, mark, &mut slots, &mut initial, &mut functions)?;
    }
    let nothing = Node::list(node.span, Vec::new());
    let (mut report, mut defaults) = (nothing.clone(), nothing);
    for option in parts.get(3..).unwrap_or_default() {
        match option.as_list() {
            Some([Node { kind: Kind::Keyword(key), .. }, value]) if &**key == "report" => {
                report = match value.kind {
                    Kind::String(_) => value.clone(),
                    // The function may be defined later.
                    Kind::Symbol(_) => {
                        let text = "(lambda (condition port) ($1 condition port))";
                        pass.template(text, mark, value.span, &[One(value)])
                    }
                    _ => pass.template("(function $1)", mark, value.span, &[One(value)]),
                };
            }
            Some([Node { kind: Kind::Keyword(key), .. }, given @ ..])
                if &**key == "default-initargs" =>
            {
                let list =
                    pass.template("(lambda () (list $1))", mark, option.span, &[Many(given)]);
                defaults = list;
            }
            Some([Node { kind: Kind::Keyword(key), .. }, _]) if &**key == "documentation" => {}
            _ => {
                return pass.error(
                    option.span,
                    "define-condition: expected (:report …), (:default-initargs …) or (:documentation …)",
                );
            }
        }
    }
    let parents = pass.list(&parts[1], "define-condition", "a list of parents")?;
    let parents = Node::list(node.span, parents.to_vec());
    let slots = Node::list(node.span, slots);
    let text = "(%define-condition '$1 '$2 '$3 (list $4) $5 $6)";
    let holes =
        [One(name), One(&parents), One(&slots), Many(&initial), One(&report), One(&defaults)];
    let class = pass.template(text, mark, node.span, &holes);
    functions.insert(0, class);
    define(pass, &functions, name, scope, output)
}

fn read_slot(
    pass: &mut Pass<'_>,
    slot: &Node,
    mark: u32,
    slots: &mut Vec<Node>,
    initial: &mut Vec<Node>,
    functions: &mut Vec<Node>,
) -> Result<(), ExpandError> {
    let (name, options) = match slot.as_list() {
        Some([name, options @ ..]) => (name, options),
        _ => (slot, &[][..]),
    };
    if name.as_symbol().is_none() || is_nothing(name) {
        return pass
            .error(slot.span, "define-condition: expected a slot: name or (name :initarg key …)");
    }
    let mut known = vec![name.clone()];
    for option in options.chunks(2) {
        let [Node { kind: Kind::Keyword(key), .. }, value] = option else {
            return pass.error(
                slot.span,
                "define-condition: expected options of a slot, each with a value",
            );
        };
        match &**key {
            "initarg" => known.push(value.clone()),
            "initform" => {
                let text = "(cons '$1 (lambda () $2))";
                initial.push(pass.template(text, mark, value.span, &[One(name), One(value)]));
            }
            "reader" | "accessor" => {
                let text = "(defun $1 (condition) (%condition-slot condition '$2 '$1))";
                functions.push(pass.template(text, mark, value.span, &[One(value), One(name)]));
            }
            "writer" => {
                let text =
                    "(defun $1 (value condition) (%set-condition-slot condition '$2 value '$1))";
                functions.push(pass.template(text, mark, value.span, &[One(value), One(name)]));
            }
            "type" | "documentation" | "allocation" => {}
            _ => {
                return pass.error(
                    option[0].span,
                    format!("define-condition: :{key}: expected :initarg, :initform, :reader, :writer, :accessor or :type"),
                );
            }
        }
        if &**key == "accessor" {
            let setf =
                Node::list(value.span, vec![Node::symbol(value.span, "setf"), value.clone()]);
            let text = "(defun $1 (value condition) (%set-condition-slot condition '$2 value '$3))";
            functions.push(pass.template(
                text,
                mark,
                value.span,
                &[One(&setf), One(name), One(value)],
            ));
        }
    }
    slots.push(Node::list(slot.span, known));
    Ok(())
}

/// `(check-type place type text)`.
pub(super) fn check_type(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 2, 3, " place type text")?;
    let is_place = pass.place_or_reason("check-type", &parts[0], scope)?.is_ok();
    let text = if is_place {
        "(let next ()
           (unless (typep $1 '$2) (setf $1 (%store-instead $1 '$1 '$2 $3)) (next)))"
    } else {
        "(let ((value $1)) (unless (typep value '$2) (%raise (%wrong-type value '$1 '$2 $3))))"
    };
    let nothing = Node::list(node.span, Vec::new());
    let shown = parts.get(2).unwrap_or(&nothing);
    let mark = pass.system_mark();
    let form = pass.template(text, mark, node.span, &[One(&parts[0]), One(&parts[1]), One(shown)]);
    pass.form(&form, scope, output)
}
