//! The loops `do do* while dolist dotimes`, and `multiple-value-bind`. `loop` has a file of its
//! own.
//!
//! A loop is a block named `nil` around a function that calls itself in tail position. `while`
//! emits that function directly; the others are templates with a named `let`.

use super::bodies;
use super::output::{Output, conditional};
use super::template::Hole::{Many, One};
use super::{Expanded, Pass, Scope};
use crate::lisp::node::Node;

/// `(while test form …)`. A `do` may follow the test, as in Steel.
pub(super) fn while_(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 1, usize::MAX, " test form …")?;
    let body = match &parts[1..] {
        [first, rest @ ..] if first.is_named("do") => rest,
        body => body,
    };
    let number = pass.fresh();
    pass.block("nil", output, |pass, output| {
        let test = pass.apart(|pass, output| pass.test(&parts[0], scope, output))?;
        let turn = pass.apart(|pass, output| {
            output.push("(begin ");
            pass.sequence(body, scope, output)?;
            output.push(&format!(" (v{number} v{number}))"));
            Ok(())
        })?;
        output.push(&format!("((lambda (v{number}) (v{number} v{number})) (lambda (v{number}) "));
        output.append(conditional(test, turn, Output::from("'()")));
        output.push("))");
        Ok(())
    })
}

pub(super) fn do_(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts =
        pass.parts(node, 2, usize::MAX, " ((variable init step) …) (test result …) form …")?;
    let (specs, body) = (loop_specs(pass, &parts[0])?, &parts[2..]);
    let Some([test, results @ ..]) = parts[1].as_list() else {
        return pass.error(parts[1].span, "do: expected (test result …)");
    };
    let bindings: Vec<Node> = specs
        .iter()
        .map(|(spec, name, init, _)| Node::list(spec.span, vec![(*name).clone(), (*init).clone()]))
        .collect();
    let mark = pass.system_mark();
    let body = [with_tags(pass, body, mark)];
    // A function made in the loop sees the variable change, as in Common Lisp. Without one, binding
    // the variable anew does the same and needs no assignment.
    let is_seen = node.as_list().unwrap_or_default().iter().any(makes_function);
    let steps: Vec<Node> = if is_seen {
        let stepped =
            specs.iter().filter_map(|(_, name, _, step)| Some([(*name).clone(), (*step)?.clone()]));
        stepped.flatten().collect()
    } else {
        specs.iter().map(|(_, name, _, step)| step.unwrap_or(name).clone()).collect()
    };
    let text = if is_seen {
        "(block nil (let ($1) (let next () (if $2 (begin $3) (begin $4 (psetq $5) (next))))))"
    } else {
        "(block nil (let next ($1) (if $2 (begin $3) (begin $4 (next $5)))))"
    };
    let form = pass.template(
        text,
        mark,
        node.span,
        &[Many(&bindings), One(test), Many(results), Many(&body), Many(&steps)],
    );
    pass.form(&form, scope, output)
}

pub(super) fn do_star(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts =
        pass.parts(node, 2, usize::MAX, " ((variable init step) …) (test result …) form …")?;
    let (specs, body) = (loop_specs(pass, &parts[0])?, &parts[2..]);
    let Some([test, results @ ..]) = parts[1].as_list() else {
        return pass.error(parts[1].span, "do*: expected (test result …)");
    };
    let bindings: Vec<Node> = specs
        .iter()
        .map(|(spec, name, init, _)| Node::list(spec.span, vec![(*name).clone(), (*init).clone()]))
        .collect();
    let steps: Vec<Node> = specs
        .iter()
        .filter_map(|(_, name, _, step)| step.map(|step| [(*name).clone(), step.clone()]))
        .flatten()
        .collect();
    let mark = pass.system_mark();
    let body = [with_tags(pass, body, mark)];
    let text =
        "(block nil (let* ($1) (let next () (if $2 (begin $3) (begin $4 (setq $5) (next))))))";
    let form = pass.template(
        text,
        mark,
        node.span,
        &[Many(&bindings), One(test), Many(results), Many(&body), Many(&steps)],
    );
    pass.form(&form, scope, output)
}

/// Returns the body of a loop as one form. If something jumps in it, its symbols and numbers are
/// tags.
fn with_tags(pass: &mut Pass<'_>, body: &[Node], mark: u32) -> Node {
    let span = body.first().map_or_else(Default::default, |form| form.span);
    let jumps =
        body.iter().any(super::control::is_tag) && body.iter().any(|form| mentions(form, &["go"]));
    pass.template(if jumps { "(tagbody $1)" } else { "(begin $1)" }, mark, span, &[Many(body)])
}

fn makes_function(node: &Node) -> bool {
    mentions(node, &["lambda", "function", "fn", "flet", "labels", "define", "delay"])
}

fn mentions(node: &Node, names: &[&str]) -> bool {
    node.as_list().is_some_and(|elements| {
        elements.first().is_some_and(|head| names.iter().any(|name| head.is_named(name)))
            || elements.iter().any(|element| mentions(element, names))
    })
}

type LoopSpec<'n> = (&'n Node, &'n Node, Node, Option<&'n Node>);

/// Parses `((variable init step) …)`: the whole specification, the variable, its initial value
/// (`nil` if absent) and its step.
fn loop_specs<'n>(
    pass: &Pass<'_>,
    node: &'n Node,
) -> Result<Vec<LoopSpec<'n>>, super::ExpandError> {
    let elements = node.as_list().unwrap_or_default();
    let spec = |element: &'n Node| {
        if let Some([name, init, step]) = element.as_list() {
            return Ok((element, name, init.clone(), Some(step)));
        }
        let inner = std::slice::from_ref(element);
        match inner.first().and_then(Node::as_list) {
            Some([name]) => Ok((element, name, Node::list(element.span, Vec::new()), None)),
            Some([name, init]) => Ok((element, name, init.clone(), None)),
            None if element.as_symbol().is_some() => {
                Ok((element, element, Node::list(element.span, Vec::new()), None))
            }
            _ => pass.error(element.span, "do: expected (variable init step)"),
        }
    };
    elements.iter().map(spec).collect()
}

pub(super) fn dolist(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 1, usize::MAX, " (variable list result) form …")?;
    let Some([variable, list, result @ ..]) = parts[0].as_list() else {
        return pass
            .error(parts[0].span, "dolist: expected (dolist (variable list result) form …)");
    };
    let mark = pass.system_mark();
    let body = [with_tags(pass, &parts[1..], mark)];
    let text = "(block nil (let next ((tail (%list-to-walk $2)))
                  (if (null? tail) (let (($1 nil)) $1 $3) (begin (let (($1 (%head tail))) $4) (next (%tail tail))))))";
    let nothing = [Node::list(node.span, Vec::new())];
    let result = if result.is_empty() { &nothing[..] } else { result };
    let form = pass.template(
        text,
        mark,
        node.span,
        &[One(variable), One(list), Many(result), Many(&body)],
    );
    pass.form(&form, scope, output)
}

pub(super) fn dotimes(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 1, usize::MAX, " (variable count result) form …")?;
    let Some([variable, count, result @ ..]) = parts[0].as_list() else {
        return pass
            .error(parts[0].span, "dotimes: expected (dotimes (variable count result) form …)");
    };
    let mark = pass.system_mark();
    let body = [with_tags(pass, &parts[1..], mark)];
    let text = "(block nil (let ((count (%count-to-walk $2))) (let next ((index 0))
                  (if (< index count) (begin (let (($1 index)) $4) (next (+ index 1))) (let (($1 index)) $1 $3)))))";
    let nothing = [Node::list(node.span, Vec::new())];
    let result = if result.is_empty() { &nothing[..] } else { result };
    let form = pass.template(
        text,
        mark,
        node.span,
        &[One(variable), One(count), Many(result), Many(&body)],
    );
    pass.form(&form, scope, output)
}

/// `(multiple-value-bind (name …) form body …)`. Names without a value are `nil`.
pub(super) fn multiple_value_bind(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 2, usize::MAX, " (name …) form body …")?;
    let names: Vec<(&Node, Option<&Node>)> =
        bodies::bindings(pass, &parts[0], "multiple-value-bind")?;
    let mut inner = Vec::new();
    let list = pass.fresh();
    output.push(&format!("(let ((v{list} (s/%values-of (lambda () "));
    pass.form(&parts[1], scope, output)?;
    output.push(")))) (let (");
    for (index, (name, _)) in names.iter().enumerate() {
        let number = pass.bind(name, &mut inner)?;
        output.push(&format!("(v{number} (s/%value {index} v{list}))"));
    }
    output.push(") ");
    pass.body(&parts[2..], &scope.with(inner), output)?;
    output.push("))");
    Ok(())
}
