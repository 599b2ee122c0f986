//! Resolves symbols to a lexical variable, a local macro, or a global of the script or of the
//! system.
//!
//! A symbol is looked up with its mark, so a symbol that a macro introduced does not find bindings
//! that the script wrote, and the other way round. If a marked symbol has no binding, the search
//! continues where the macro was defined, with the mark that the symbol had there (see [`Mark`]). A
//! symbol with mark 0 and no binding is a global.

use std::sync::Arc;

use super::Macro;
use crate::lisp::node::{Node, Symbol};

/// The lexical scopes around a form, innermost first.
#[derive(Clone, Default)]
pub struct Scope(Option<Arc<Frame>>);

struct Frame {
    bindings: Vec<(Symbol, Binding)>,
    outer: Scope,
}

/// Drops nested scopes in a loop. A scope may be as deep as a script has parameters, and the
/// derived drop would overflow the stack.
impl Drop for Frame {
    fn drop(&mut self) {
        let mut outer = self.outer.0.take();
        while let Some(mut frame) = outer.and_then(Arc::into_inner) {
            outer = frame.outer.0.take();
        }
    }
}

#[derive(Clone)]
pub(super) enum Binding {
    /// A variable, by its number in the emitted text.
    Variable(u32),
    /// A function that gets the functions of its group, itself included, before its own arguments.
    Grouped(Arc<Grouped>),
    Macro(Arc<Macro>),
    /// A name that stands for a form.
    Form(Arc<Node>),
}

/// A function of a `labels` or of a named `let`. Its calls pass the whole group, so that it needs
/// no variable that refers to itself; `bodies` explains why.
pub(super) struct Grouped {
    /// The number of its variable.
    pub number: u32,
    /// The variables of all functions of the group, as emitted: `v3 v4`.
    pub group: Arc<str>,
    /// The number of its own arguments.
    pub arity: usize,
}

impl Grouped {
    /// Returns the start of a call: the function and its group.
    pub fn call(&self) -> String {
        format!("v{} {}", self.number, self.group)
    }
}

/// The meaning of a symbol in a scope.
pub(super) enum Meaning {
    Bound(Binding),
    Global { name: Arc<str>, system: bool },
}

/// Where to look up the symbols that a macro expansion introduced: in `scope`, that of the macro's
/// definition, with the mark `outer` that they had there. `system` tells whether the definition is
/// part of the system.
pub(super) struct Mark {
    pub scope: Scope,
    pub outer: u32,
    pub system: bool,
}

impl Scope {
    pub(super) fn with(&self, bindings: Vec<(Symbol, Binding)>) -> Scope {
        Scope(Some(Arc::new(Frame { bindings, outer: self.clone() })))
    }

    pub(super) fn is_top(&self) -> bool {
        self.0.is_none()
    }

    fn find(&self, symbol: &Symbol) -> Option<&Binding> {
        let mut scope = self;
        while let Some(frame) = &scope.0 {
            if let Some((_, binding)) =
                frame.bindings.iter().rev().find(|(bound, _)| bound == symbol)
            {
                return Some(binding);
            }
            scope = &frame.outer;
        }
        None
    }

    /// Resolves `symbol`; `marks[m - 1]` describes mark `m`.
    pub(super) fn resolve(&self, symbol: &Symbol, marks: &[Mark], system: bool) -> Meaning {
        let (mut scope, mut symbol, mut system) = (self, symbol.clone(), system);
        loop {
            if let Some(binding) = scope.find(&symbol) {
                return Meaning::Bound(binding.clone());
            }
            if symbol.mark == 0 {
                return Meaning::Global { name: symbol.name, system };
            }
            let mark = &marks[symbol.mark as usize - 1];
            (scope, symbol.mark, system) = (&mark.scope, mark.outer, mark.system);
        }
    }
}
