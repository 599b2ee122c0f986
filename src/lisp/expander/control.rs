//! `block`, `return-from` and `return`.
//!
//! A block is emitted as `(s/%block (lambda (v1) …))` and left by `(s/%leave v1 value)`. Loops are
//! blocks named `nil`. `Pass::blocks` holds the blocks around the current form, innermost last.

use super::output::Output;
use super::{Block, Expanded, Pass, Scope};
use crate::lisp::node::Node;

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

pub(super) fn block(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 1, usize::MAX, " name form …")?;
    let Some(symbol) = parts[0].as_symbol() else {
        return pass.error(parts[0].span, "block: expected a name");
    };
    pass.block(&symbol.name, output, |pass, output| pass.body(&parts[1..], scope, output))
}

pub(super) fn return_from(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 1, 2, " name value")?;
    let Some(symbol) = parts[0].as_symbol() else {
        return pass.error(parts[0].span, "return-from: expected a name");
    };
    pass.leave(node, &symbol.name, parts.get(1), scope, output)
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
