//! The host's own objects inside the interpreter.

use std::sync::Arc;

use steel::parser::span::Span;

use super::value::Value;

/// The result of a native when there is more than a plain value. Its wrapper delivers it.
pub(super) struct Outcome {
    /// Warnings to signal first.
    pub warnings: Vec<Value>,
    /// The value, or the condition to raise.
    pub result: Result<Value, Value>,
    /// Several values, if the native returned them.
    pub several: Option<Vec<Value>>,
    /// A procedure to call before the native is restarted with its result; or a list of a state, a
    /// procedure and its arguments, one for each call.
    pub asked: Option<Value>,
}

/// Where an error arose.
///
/// The interpreter's stack traces pair functions with the wrong instructions; only the span of the
/// failing instruction is right. So calls out of a script record their place.
#[derive(Debug, Clone, Default)]
pub(super) struct Trail {
    /// The failing instruction, in a script or in the prelude.
    pub span: Option<Span>,
    /// The number of the innermost call out of a script.
    pub call: Option<usize>,
    /// A span within each active function, innermost first. Only the innermost 200 are kept.
    pub frames: Vec<Span>,
}

/// Stands in a global that is declared but has no value yet; holds its name.
pub(super) struct Unbound(pub Arc<str>);

/// A named way to go on after a condition; `restarts.scm` offers and invokes it.
#[derive(Clone)]
pub(super) struct Restart {
    /// A symbol.
    pub name: Value,
    /// What it does: a string, which `princ` shows, a function of a stream, or `nil`.
    pub report: Value,
    /// A function that returns the list of arguments, or `nil`.
    pub interactive: Value,
    /// A function of a condition that tells whether the restart applies, or `nil` for always.
    pub test: Value,
    /// What is called with the arguments.
    pub function: Value,
    /// The place of the `restart-case`; `nil` for a restart of `restart-bind`.
    pub tag: Value,
}

/// Identifies a block to leave. `left` is set once the block has ended.
#[derive(Default)]
pub(super) struct Tag {
    pub left: std::sync::atomic::AtomicBool,
}
