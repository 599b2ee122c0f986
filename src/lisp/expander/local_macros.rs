//! `macrolet` and `symbol-macrolet`, and the forms that look at a global by its name.
//!
//! The procedure of a local macro must run while the form around it is expanded. So the procedure
//! is defined before, at top level, under a name that its text determines: the expansion stops, the
//! definitions take its place, and then the form is expanded again (see `Expander::step`). This is
//! right because a local macro's procedure sees no variable around it.

use std::sync::Arc;

use super::lambda_list::without_whole;
use super::names::{global, macro_global};
use super::output::Output;
use super::scope::{Binding, Meaning};
use super::{ExpandError, Expanded, Head, Macro, Pass, Scope};
use crate::lisp::node::{Node, Symbol};
use crate::lisp::printer;

/// `(macrolet ((name lambda-list form …) …) form …)`.
pub(super) fn macrolet(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 1, usize::MAX, " ((name (parameter …) form …) …) form …")?;
    let mut inner = Vec::new();
    for binding in pass.list(&parts[0], "macrolet", "a list of macros")? {
        let Some([name, definition @ ..]) = binding.as_list().filter(|it| it.len() >= 2) else {
            return pass.error(binding.span, "macrolet: expected (name (parameter …) form …)");
        };
        let Some(symbol) = name.as_symbol() else {
            return pass.error(name.span, "macrolet: expected a name");
        };
        let text = printer::readably(&Node::list(binding.span, definition.to_vec()).datum());
        let number = pass.memory.local_macros.len();
        let own = pass
            .memory
            .local_macros
            .entry(text)
            .or_insert_with(|| Arc::from(format!("%local-{number}-{}", symbol.name)));
        let own = own.clone();
        if pass.memory.survey.is_none() && !pass.memory.macros.contains_key(&own) {
            let head = [Node::symbol(binding.span, "defmacro"), Node::symbol(name.span, &own)];
            let define = Node::list(binding.span, [&head[..], definition].concat());
            pass.memory.wanted.push(define);
        }
        let takes_whole = definition.first().and_then(without_whole).is_some();
        let made = Macro::Procedure { global: macro_global(&own), takes_whole };
        inner.push((symbol.clone(), Binding::Macro(Arc::new(made))));
    }
    if !pass.memory.wanted.is_empty() {
        return pass.error(node.span, "macrolet: not within a macro of the language");
    }
    pass.body(&parts[1..], &scope.with(inner), output)
}

/// `(symbol-macrolet ((name form) …) form …)`.
pub(super) fn symbol_macrolet(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 1, usize::MAX, " ((name form) …) form …")?;
    let mut inner = Vec::new();
    for binding in pass.list(&parts[0], "symbol-macrolet", "a list of names and forms")? {
        let Some([name, form]) = binding.as_list() else {
            return pass.error(binding.span, "symbol-macrolet: expected (name form)");
        };
        let Some(symbol) = name.as_symbol() else {
            return pass.error(name.span, "symbol-macrolet: expected a name");
        };
        inner.push((symbol.clone(), Binding::Form(Arc::new(form.clone()))));
    }
    pass.body(&parts[1..], &scope.with(inner), output)
}

impl Pass<'_> {
    /// Returns the form that a symbol of `symbol-macrolet` stands for.
    pub(super) fn symbol_form(&self, symbol: &Symbol, scope: &Scope) -> Option<Arc<Node>> {
        match self.resolve(symbol, scope) {
            Meaning::Bound(Binding::Form(form)) => Some(form),
            _ => None,
        }
    }

    fn named<'n>(&self, node: &'n Node) -> Result<&'n Node, ExpandError> {
        let name = &self.parts(node, 1, 1, " name")?[0];
        if name.as_symbol().is_none() {
            return self.error(name.span, "expected a name");
        }
        Ok(name)
    }
}

/// `(%name-bound? name)`: whether the global has a value.
pub(super) fn is_name_bound(
    pass: &mut Pass<'_>,
    node: &Node,
    _: &Scope,
    output: &mut Output,
) -> Expanded {
    let emitted = declared(pass, node)?;
    output.push(&format!("(if (s/%bound? {emitted}) #t '())"));
    Ok(())
}

/// `(%name-called? name)`: whether a call of the name means something: a function, a macro or a
/// form of the language.
pub(super) fn is_name_called(
    pass: &mut Pass<'_>,
    node: &Node,
    _: &Scope,
    output: &mut Output,
) -> Expanded {
    let name = pass.named(node)?;
    if let Head::Special(_) | Head::Macro(_) = pass.head(name, &Scope::default()) {
        output.push("#t");
        return Ok(());
    }
    let emitted = declared(pass, node)?;
    output.push(&format!("(if (s/%function? {emitted}) #t '())"));
    Ok(())
}

/// `(%unbind-name name)`: takes the value of a global away.
pub(super) fn unbind_name(
    pass: &mut Pass<'_>,
    node: &Node,
    _: &Scope,
    output: &mut Output,
) -> Expanded {
    let name = pass.named(node)?;
    let emitted = pass.defined_global(name)?;
    output.push(&format!("(begin (set! {emitted} (s/%unbound "));
    let text = name.as_symbol().map_or("", |symbol| &symbol.name);
    output.string(text);
    output.push(")) '())");
    pass.memory.defined.remove(&emitted);
    Ok(())
}

fn declared(pass: &mut Pass<'_>, node: &Node) -> Result<String, ExpandError> {
    let name = pass.named(node)?.as_symbol().map(|symbol| symbol.name.clone()).unwrap_or_default();
    let emitted = global(&name);
    pass.hooks.declare(&emitted, &name);
    Ok(emitted)
}
