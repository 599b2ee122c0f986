//! Functions of the interpreter that the host calls itself.
//!
//! Some values can be made or compared only by the interpreter's own functions. Each new engine
//! puts those in use into a table of its thread, so that natives can call them without the engine.
//! A thread that has made no engine has an empty table.

use super::value::Value;
use std::cell::RefCell;
use std::collections::HashMap;
use steel::SteelVal;
use steel::steel_vm::engine::Engine as Steel;

/// Modules and names of the functions in use.
const USED: [(&str, &str); 14] = [
    ("steel/equality", "="),
    ("steel/ord", "<"),
    ("steel/ord", ">"),
    ("steel/ord", "<="),
    ("steel/ord", ">="),
    ("steel/numbers", "-"),
    ("steel/numbers", "*"),
    ("steel/numbers", "/"),
    ("steel/numbers", "floor"),
    ("steel/strings", "string->number"),
    ("steel/lists", "cons"),
    ("steel/equality", "eq?"),
    ("steel/ports", "open-input-bytevector"),
    ("steel/ports", "#%read-bytes!"),
];

type Table = HashMap<(&'static str, &'static str), Value>;

thread_local! {
    static PRIMITIVES: RefCell<Table> = RefCell::new(HashMap::new());
}

/// Stores the functions of an engine that this thread has made.
pub(super) fn find(steel: &Steel) {
    for (module, name) in USED {
        if let Some(found) = steel.builtin_modules().get(module) {
            let function = found.get(name.to_owned());
            PRIMITIVES.with_borrow_mut(|primitives| primitives.insert((module, name), function));
        }
    }
}

/// Returns one of the stored functions.
pub(super) fn primitive(module: &'static str, name: &'static str) -> Option<Value> {
    PRIMITIVES.with_borrow(|primitives| primitives.get(&(module, name)).cloned())
}

/// Calls a function that needs no interpreter. Returns `None` if it fails.
pub(super) fn call_native(function: &Value, arguments: &[Value]) -> Option<Value> {
    match function {
        SteelVal::FuncV(function) => function(arguments).ok(),
        SteelVal::MutFunc(function) => function(&mut arguments.to_vec()).ok(),
        SteelVal::BoxedFunction(function) => function.func()(arguments).ok(),
        _ => None,
    }
}
