//! `block`, `return-from` and `return`; `tagbody` and `go`; `prog`.
//!
//! A block is emitted as `(s/%block (lambda (v1) …))` and left by `(s/%leave v1 value)`. Loops are
//! blocks named `nil`. `Pass::blocks` holds the blocks around the current form, innermost last.
//!
//! A `tagbody` is emitted as `(s/%tagbody (lambda (v1) (list (lambda () …) …)))`: a procedure for
//! the forms before the first tag, and one for those after each. `go` throws the number of its tag
//! to `v1`, and the procedures run from there on.

use super::output::Output;
use super::template::Hole::{Many, One};
use super::{Block, Expanded, Pass, Scope};
use crate::lisp::datum::Datum;
use crate::lisp::node::{Kind, Node};

impl Pass<'_> {
    /// Emits `inner` as a block, or plainly if nothing leaves it.
    pub(super) fn block(
        &mut self,
        name: &str,
        output: &mut Output,
        inner: impl FnOnce(&mut Self, &mut Output) -> Expanded,
    ) -> Expanded {
        let variable = self.fresh();
        self.blocks.push(Block { name: name.into(), variable, used: false });
        let mut body = Output::default();
        let emitted = inner(self, &mut body);
        let used = self.blocks.pop().is_some_and(|block| block.used);
        emitted?;
        if used {
            output.push(&format!("(s/%block (lambda (v{variable}) "));
            output.append(body);
            output.push("))");
        } else {
            output.append(body);
        }
        Ok(())
    }

    fn leave(
        &mut self,
        node: &Node,
        name: &str,
        value: Option<&Node>,
        scope: &Scope,
        output: &mut Output,
    ) -> Expanded {
        let Some(block) = self.blocks.iter_mut().rev().find(|block| &*block.name == name) else {
            let form = if name == "nil" {
                "return: there is no loop or block around it".to_owned()
            } else {
                format!("return-from: there is no block {name} around it")
            };
            return self.error(node.span, form);
        };
        block.used = true;
        let variable = block.variable;
        output.push(&format!("(s/%leave v{variable} "));
        match value {
            Some(value) => self.form(value, scope, output)?,
            None => output.push("'()"),
        }
        output.push(")");
        Ok(())
    }
}

/// Returns the name of a block. A macro gives `nil` as the empty list.
fn block_name(node: &Node) -> Option<&str> {
    match &node.kind {
        Kind::List(elements) if elements.is_empty() => Some("nil"),
        _ => node.as_symbol().map(|symbol| &*symbol.name),
    }
}

pub(super) fn block(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 1, usize::MAX, " name form …")?;
    let Some(name) = block_name(&parts[0]) else {
        return pass.error(parts[0].span, "block: expected a name");
    };
    pass.block(name, output, |pass, output| pass.body(&parts[1..], scope, output))
}

pub(super) fn return_from(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 1, 2, " name value")?;
    let Some(name) = block_name(&parts[0]) else {
        return pass.error(parts[0].span, "return-from: expected a name");
    };
    pass.leave(node, name, parts.get(1), scope, output)
}

pub(super) fn return_(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 0, 1, " value")?;
    pass.leave(node, "nil", parts.first(), scope, output)
}

/// A `tagbody` around the form being expanded.
pub(super) struct Tagbody {
    variable: u32,
    tags: Vec<Datum>,
}

pub(super) fn is_tag(node: &Node) -> bool {
    matches!(node.kind, Kind::Integer(_)) || node.as_symbol().is_some_and(|it| &*it.name != "nil")
}

/// `(tagbody tag-or-form …)`.
pub(super) fn tagbody(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 0, usize::MAX, " tag-or-form …")?;
    let tags: Vec<Datum> = parts.iter().filter(|part| is_tag(part)).map(Node::datum).collect();
    let variable = pass.fresh();
    pass.tagbodies.push(Tagbody { variable, tags });
    let emitted = segments(pass, parts, variable, scope, output);
    pass.tagbodies.pop();
    emitted
}

fn segments(
    pass: &mut Pass<'_>,
    parts: &[Node],
    variable: u32,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    output.push(&format!("(s/%tagbody (lambda (v{variable}) (#%prim.list"));
    for segment in parts.split(is_tag) {
        output.push(" (lambda () ");
        pass.sequence(segment, scope, output)?;
        output.push(")");
    }
    output.push(")))");
    pass.calls += 1;
    Ok(())
}

/// `(go tag)`.
pub(super) fn go(pass: &mut Pass<'_>, node: &Node, _: &Scope, output: &mut Output) -> Expanded {
    let tag = pass.parts(node, 1, 1, " tag")?[0].datum();
    let found = pass.tagbodies.iter().rev().find_map(|around| {
        let index = around.tags.iter().position(|it| *it == tag)?;
        Some((around.variable, index + 1))
    });
    let Some((variable, index)) = found else {
        let shown = crate::lisp::printer::readably(&tag);
        return pass.error(node.span, format!("go: there is no tag {shown} around it"));
    };
    output.push(&format!("(s/%throw v{variable} (#%prim.list {index}))"));
    pass.calls += 1;
    Ok(())
}

/// `(prog (binding …) tag-or-form …)` and `prog*`.
pub(super) fn prog(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 1, usize::MAX, " (binding …) tag-or-form …")?;
    let is_star = node.as_list().is_some_and(|list| list[0].is_named("prog*"));
    let mark = pass.system_mark();
    let binding = if is_star { "let*" } else { "let" };
    let text = format!("({binding} $1 (tagbody $2))");
    let holes = [One(&parts[0]), Many(&parts[1..])];
    let form = pass.template(&text, mark, node.span, &holes);
    pass.block("nil", output, |pass, output| pass.form(&form, scope, output))
}
