//! Quasi-quotation. The emitted code builds the list with `s/%splice`; parts without a comma become
//! constants. Nested quasi-quotations are counted as levels, and only commas of level 0 are
//! evaluated.

use super::output::Output;
use super::{Expanded, Pass, Scope};
use crate::lisp::node::{Kind, Node};

pub(super) fn quasiquote(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 1, 1, " template")?;
    template(pass, &parts[0], 0, scope, output)
}

pub(super) fn misplaced(pass: &mut Pass<'_>, node: &Node, _: &Scope, _: &mut Output) -> Expanded {
    pass.error(node.span, "a comma stands within a backquoted form")
}

/// Returns the `x` of `(name x)`.
fn wrapped<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    match node.as_list() {
        Some([head, inner]) if head.is_named(name) => Some(inner),
        _ => None,
    }
}

fn is_constant(node: &Node) -> bool {
    match &node.kind {
        // A comma is read as a list, or after a dot as the tail of one; so its word may be at any
        // position.
        Kind::List(elements) => {
            let comma = |element: &Node| {
                ["unquote", "unquote-splicing", "quasiquote"]
                    .iter()
                    .any(|name| element.is_named(name))
            };
            !elements.iter().any(comma) && elements.iter().all(is_constant)
        }
        Kind::Vector(elements) => elements.iter().all(is_constant),
        Kind::Dotted(elements, tail) => {
            !elements.iter().any(|element| element.is_named("unquote"))
                && elements.iter().all(is_constant)
                && is_constant(tail)
        }
        _ => true,
    }
}

fn template(
    pass: &mut Pass<'_>,
    node: &Node,
    level: usize,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    if is_constant(node) {
        pass.quoted(node, output);
        return Ok(());
    }
    pass.deeper(node.span, |pass| varying(pass, node, level, scope, output))
}

/// Emits a template that has commas in it.
fn varying(
    pass: &mut Pass<'_>,
    node: &Node,
    level: usize,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    if let Some(inner) = wrapped(node, "unquote") {
        if level == 0 {
            return pass.form(inner, scope, output);
        }
        return rewrapped(pass, "unquote", inner, level - 1, scope, output);
    }
    if let Some(inner) = wrapped(node, "quasiquote") {
        return rewrapped(pass, "quasiquote", inner, level + 1, scope, output);
    }
    match &node.kind {
        Kind::Vector(elements) => {
            output.push("(s/%list->vector ");
            list(pass, elements, None, level, scope, output)?;
            output.push(")");
            Ok(())
        }
        Kind::List(elements) => {
            // `(a . ,b)` is read as `(a unquote b)`.
            let dotted = elements.len() > 2 && elements[elements.len() - 2].is_named("unquote");
            if dotted && level == 0 {
                let (front, tail) = elements.split_at(elements.len() - 2);
                let tail = Node::list(node.span, tail.to_vec());
                return list(pass, front, Some(&tail), level, scope, output);
            }
            list(pass, elements, None, level, scope, output)
        }
        Kind::Dotted(elements, tail) => list(pass, elements, Some(tail), level, scope, output),
        _ => {
            pass.quoted(node, output);
            Ok(())
        }
    }
}

fn rewrapped(
    pass: &mut Pass<'_>,
    name: &str,
    inner: &Node,
    level: usize,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    output.push("(#%prim.list ");
    pass.quoted(&Node::symbol(inner.span, name), output);
    output.push(" ");
    template(pass, inner, level, scope, output)?;
    output.push(")");
    Ok(())
}

fn list(
    pass: &mut Pass<'_>,
    elements: &[Node],
    tail: Option<&Node>,
    level: usize,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    // What the last element splices becomes the tail, as it is: it need not be a list.
    let (elements, last) = match elements.split_last() {
        Some((last, front)) if tail.is_none() && level == 0 => {
            wrapped(last, "unquote-splicing").map_or((elements, None), |last| (front, Some(last)))
        }
        _ => (elements, None),
    };
    output.push("(s/%splice");
    for element in elements {
        output.push(" ");
        match wrapped(element, "unquote-splicing") {
            Some(inner) if level == 0 => pass.form(inner, scope, output)?,
            Some(inner) => {
                output.push("(#%prim.list ");
                rewrapped(pass, "unquote-splicing", inner, level - 1, scope, output)?;
                output.push(")");
            }
            None => {
                output.push("(#%prim.list ");
                template(pass, element, level, scope, output)?;
                output.push(")");
            }
        }
    }
    output.push(" ");
    match (tail, last) {
        (Some(tail), _) => template(pass, tail, level, scope, output)?,
        (None, Some(last)) => pass.form(last, scope, output)?,
        (None, None) => output.push("'()"),
    }
    output.push(")");
    Ok(())
}
