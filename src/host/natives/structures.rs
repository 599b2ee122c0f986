//! Structures, which `defstruct` defines. The functions that it emits (see lisp/expander/structures)
//! call these natives; each passes the name of the structure that it is for.
//!
//! A structure carries its layout `(name (included-name …) (slot …))`, a constant of the script. So
//! it can be sent to another engine, and one that was made before its structure was redefined keeps
//! the slots that it has.

use std::fmt;
use std::sync::Mutex;

use super::{Answer, Code, context, count, fail, integer_of, wrong};
use crate::host::context::lock;
use crate::host::value::{self, Value, as_symbol, changing_object, downcast, elements, nil, truth};

pub(super) static TABLE: &[(&str, Code)] = &[
    ("%define-structure", |arguments| {
        if let Some(name) = as_symbol(&arguments[0]) {
            lock(&context()?.structures).insert(name.to_owned());
        }
        Ok(nil())
    }),
    // (%make-structure layout value …)
    ("%make-structure", |arguments| Ok(structure(arguments[0].clone(), arguments[1..].to_vec()))),
    ("%structure?", |arguments| Ok(truth(is_structure(&arguments[0], &arguments[1])))),
    // (%slot structure name index accessor)
    ("%slot", |arguments| at(arguments, |slots, index| slots.get(index).cloned())),
    // (%set-slot structure name index accessor value)
    ("%set-slot", |arguments| {
        at(arguments, |slots, index| {
            let slot = slots.get_mut(index)?;
            *slot = arguments[4].clone();
            Some(arguments[4].clone())
        })
    }),
    // (%copy structure name copier)
    ("%copy-structure", |arguments| {
        if !is_structure(&arguments[0], &arguments[1]) {
            return Err(mismatch(&arguments[2], &arguments[1], &arguments[0]));
        }
        copied(&arguments[0]).ok_or_else(|| fail("copy-structure: not a structure"))
    }),
    ("copy-structure", |arguments| {
        count("copy-structure", arguments, 1, 1)?;
        copied(&arguments[0]).ok_or_else(|| wrong("copy-structure", "a structure", &arguments[0]))
    }),
];

/// A structure.
pub(crate) struct Structure {
    pub layout: Value,
    slots: Mutex<Vec<Value>>,
}

impl Structure {
    /// Returns the name, and the values of the slots.
    pub(crate) fn name(&self) -> String {
        let layout = elements(&self.layout).unwrap_or_default();
        layout.first().and_then(as_symbol).unwrap_or_default().to_owned()
    }

    pub(crate) fn slots(&self) -> Vec<Value> {
        lock(&self.slots).clone()
    }

    /// Returns the slots' names as keywords, each with its value.
    pub(crate) fn entries(&self) -> Vec<(Value, Value)> {
        let layout = elements(&self.layout).unwrap_or_default();
        let names = layout.get(2).and_then(elements).unwrap_or_default().into_iter();
        let names = names.map(|name| value::keyword(as_symbol(&name).unwrap_or_default()));
        names.zip(self.slots()).collect()
    }
}

impl fmt::Display for Structure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "#<{}>", self.name())
    }
}

/// Makes a structure.
pub(crate) fn structure(layout: Value, slots: Vec<Value>) -> Value {
    changing_object(Structure { layout, slots: Mutex::new(slots) })
}

fn copied(value: &Value) -> Option<Value> {
    let found = downcast::<Structure>(value)?;
    Some(structure(found.layout.clone(), found.slots()))
}

/// Returns whether a value is a structure of this name, or one that includes it.
pub(super) fn is_structure(value: &Value, name: &Value) -> bool {
    let (Some(found), Some(name)) = (downcast::<Structure>(value), as_symbol(name)) else {
        return false;
    };
    let layout = elements(&found.layout).unwrap_or_default();
    layout.first().and_then(as_symbol) == Some(name)
        || layout
            .get(1)
            .and_then(elements)
            .is_some_and(|included| included.iter().any(|it| as_symbol(it) == Some(name)))
}

/// Returns whether the program has defined a structure of this name.
pub(super) fn is_defined(name: &str) -> bool {
    context().is_ok_and(|context| lock(&context.structures).contains(name))
}

fn at(arguments: &[Value], read: impl FnOnce(&mut Vec<Value>, usize) -> Option<Value>) -> Answer {
    let found = downcast::<Structure>(&arguments[0]);
    let Some(found) = found.filter(|_| is_structure(&arguments[0], &arguments[1])) else {
        return Err(mismatch(&arguments[3], &arguments[1], &arguments[0]));
    };
    let index = integer_of("slot", &arguments[2])? as usize;
    read(&mut lock(&found.slots), index).ok_or_else(|| {
        let accessor = as_symbol(&arguments[3]).unwrap_or_default();
        fail(format!("{accessor}: this {} was made before it had the slot", found.name()))
    })
}

fn mismatch(function: &Value, name: &Value, got: &Value) -> steel::SteelErr {
    let name = as_symbol(name).unwrap_or_default();
    let expected = format!("a structure of type {name}");
    wrong(as_symbol(function).unwrap_or_default(), &expected, got)
}
