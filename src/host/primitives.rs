//! Functions of the interpreter that the host calls itself.
//!
//! Some values can be made or compared only by the interpreter's own functions. Those in use are
//! looked up once, in the interpreter's modules, so natives of any thread can call them without an
//! engine.

use super::value::Value;
use std::collections::HashMap;
use std::sync::LazyLock;
use steel::SteelVal;
use steel::steel_vm::builtin::BuiltInModule;
use steel::steel_vm::primitives as modules;

/// The name of a module, the module, and the names of the functions in use.
type Used = (&'static str, fn() -> BuiltInModule, &'static [&'static str]);

const USED: [Used; 7] = [
    ("steel/equality", || modules::STEEL_EQUALITY_MODULE.clone(), &["=", "eq?"]),
    ("steel/ord", || modules::STEEL_ORD_MODULE.clone(), &["<", ">", "<=", ">="]),
    ("steel/numbers", || modules::STEEL_NUMBER_MODULE.clone(), &["-", "*", "/", "floor"]),
    ("steel/strings", || modules::STEEL_STRING_MODULE.clone(), &["string->number"]),
    ("steel/lists", || modules::STEEL_LIST_MODULE.clone(), &["cons"]),
    ("steel/bytevectors", || modules::STEEL_BYTEVECTOR_MODULE.clone(), &["bytes-ref"]),
    (
        "steel/ports",
        || modules::STEEL_PORT_MODULE.clone(),
        &["open-input-bytevector", "#%read-bytes!"],
    ),
];

type Table = HashMap<(&'static str, &'static str), Value>;

static PRIMITIVES: LazyLock<Table> = LazyLock::new(|| {
    let mut table = Table::new();
    for (module_name, module, names) in USED {
        let module = module();
        for name in names {
            if let Some(function) = module.try_get((*name).to_owned()) {
                table.insert((module_name, *name), function);
            }
        }
    }
    table
});

/// Returns one of the functions in use.
pub(super) fn primitive(module: &'static str, name: &'static str) -> Option<Value> {
    PRIMITIVES.get(&(module, name)).cloned()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_in_use_is_there() {
        for (module, _, names) in USED {
            for name in names {
                assert!(primitive(module, name).is_some(), "{module} {name}");
            }
        }
    }
}
