//! Resolves symbols: to a lexical variable, a local macro, or a global of the script or of the system.

use std::sync::Arc;

use super::Macro;
use crate::lisp::node::Symbol;

/// The lexical scopes around a form, innermost first.
#[derive(Clone, Default)]
pub struct Scope(Option<Arc<Frame>>);

struct Frame {
    bindings: Vec<(Symbol, Binding)>,
    outer: Scope,
}

/// A scope may be as deep as a script has parameters, so it is taken apart in a loop: the derived drop would use up the stack.
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
    /// A function that is given its group, itself among it, before its own arguments.
    Grouped(Arc<Grouped>),
    Macro(Arc<Macro>),
}

/// One of the functions of a `labels` or a named `let`.
pub(super) struct Grouped {
    /// The number of its variable.
    pub number: u32,
    /// The variables of all functions of the group, as they are emitted: `v3 v4`.
    pub group: Arc<str>,
    /// How many arguments it takes besides.
    pub arity: usize,
}

impl Grouped {
    /// The function and the arguments that every call gives first.
    pub fn call(&self) -> String {
        format!("v{} {}", self.number, self.group)
    }
}

/// The meaning of a symbol in its scope.
pub(super) enum Meaning {
    Bound(Binding),
    Global { name: Arc<str>, system: bool },
}

/// Where a macro expansion's own symbols are looked up: in the scope of the macro's definition, as the symbols they were there.
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

    /// `marks[m - 1]` describes mark `m`.
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
