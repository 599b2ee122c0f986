//! The host's own objects inside the interpreter.

use std::sync::Arc;

use steel::parser::span::Span;

use super::value::{Value, downcast, shared_object};
use crate::condition::{Condition, Identifier};
use crate::lisp::Datum;
use crate::lisp::printer;
use crate::shown::escape_controls;

/// The outcome of a native, which its wrapper delivers.
pub(super) struct Outcome {
    /// Conditions to signal first.
    pub warnings: Vec<Value>,
    /// The value, or the condition to raise.
    pub result: Result<Value, Value>,
    /// Several values, where the native gave some.
    pub several: Option<Vec<Value>>,
    /// A procedure whose value the native wants before it runs anew.
    pub asked: Option<Value>,
}

/// Where an error came up.
///
/// The interpreter's own traces pair functions with the wrong instructions; only the failing instruction's span is right. So calls out of a
/// script note their place.
#[derive(Debug, Clone, Default)]
pub(super) struct Trail {
    /// The failing instruction, in a script or in the prelude.
    pub span: Option<Span>,
    /// The innermost call out of a script.
    pub call: Option<usize>,
    /// A place within each function that was under way, innermost first, as far as they are kept.
    pub frames: Vec<Span>,
}

/// The variable has no value yet.
pub(super) struct Unbound(pub Arc<str>);

/// Leaves a block; `left` once its extent is over.
#[derive(Default)]
pub(super) struct Tag {
    pub left: std::sync::atomic::AtomicBool,
}

/// A condition as the object that scripts handle.
pub fn condition_object(condition: Condition) -> Value {
    let printed = printed(&condition);
    shared_object(Arc::new(condition), &printed)
}

/// The condition that a value is.
pub fn condition_of(value: &Value) -> Option<Arc<Condition>> {
    as_condition(value)
}

pub(super) fn as_condition(value: &Value) -> Option<Arc<Condition>> {
    downcast::<Condition>(value)
}

fn printed(condition: &Condition) -> String {
    let message = printer::readably(&Datum::String(escape_controls(&condition.message)));
    let class = if condition.identifier.is_error() { "po-error" } else { "po-condition" };
    match condition.identifier {
        Identifier::ProgramError => format!("#<error {message}>"),
        identifier => format!("#<{class} :{} {message}>", identifier.name()),
    }
}
