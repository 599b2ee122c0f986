//! Conditions as scripts handle them: objects with a class and slots around a [`Condition`].
//!
//! The classes are those of ANSI Common Lisp that the language signals, Allegro's `po-condition`
//! and `po-error`, and those that a script defines with `define-condition`. An error that a native
//! or the interpreter raises is a text only; `of_error` finds the class that says the same.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex};

use super::context::lock;
use super::value::{self, Value, changing_object, downcast};
use crate::condition::{Condition, Identifier};
use crate::lisp::{Datum, printer};
use crate::shown::escape_controls;

/// A class of conditions.
#[derive(Debug, PartialEq, Eq)]
pub struct Class {
    pub name: String,
    /// Its own name and those of the classes that it inherits from, the most specific first.
    pub line: Vec<String>,
    pub slots: Vec<Slot>,
    /// Whether a script defines it.
    is_own: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    pub name: String,
    /// The keys of `make-condition` that set it, without their colons.
    pub keys: Vec<String>,
}

/// The classes of the language: name, parents, and slots, whose keys have the same names.
#[rustfmt::skip]
const CLASSES: &[(&str, &[&str], &[&str])] = &[
    ("condition", &[], &[]),
    ("serious-condition", &["condition"], &[]),
    ("error", &["serious-condition"], &[]),
    ("warning", &["condition"], &[]),
    ("style-warning", &["warning"], &[]),
    ("simple-condition", &["condition"], &["format-control", "format-arguments"]),
    ("simple-error", &["simple-condition", "error"], &[]),
    ("simple-warning", &["simple-condition", "warning"], &[]),
    ("type-error", &["error"], &["datum", "expected-type"]),
    ("simple-type-error", &["simple-condition", "type-error"], &[]),
    ("program-error", &["error"], &[]),
    ("control-error", &["error"], &[]),
    ("arithmetic-error", &["error"], &["operation", "operands"]),
    ("division-by-zero", &["arithmetic-error"], &[]),
    ("floating-point-overflow", &["arithmetic-error"], &[]),
    ("floating-point-underflow", &["arithmetic-error"], &[]),
    ("cell-error", &["error"], &["name"]),
    ("unbound-variable", &["cell-error"], &[]),
    ("undefined-function", &["cell-error"], &[]),
    ("file-error", &["error"], &["pathname"]),
    ("stream-error", &["error"], &["stream"]),
    ("end-of-file", &["stream-error"], &[]),
    ("parse-error", &["error"], &[]),
    ("reader-error", &["parse-error", "stream-error"], &[]),
    ("package-error", &["error"], &["package"]),
    ("print-not-readable", &["error"], &["object"]),
    ("storage-condition", &["serious-condition"], &[]),
    ("po-condition", &["condition"], &[]),
    ("po-error", &["po-condition", "error"], &[]),
    // What `:file` conditions, the server's warnings, and `(warn "…")` are.
    ("%file-error", &["po-error", "file-error"], &[]),
    ("%po-warning", &["po-condition", "warning"], &[]),
    ("%simple-warning", &["simple-warning", "po-condition"], &[]),
    ("%simple-condition", &["simple-condition", "po-condition"], &[]),
];

static LANGUAGE: LazyLock<HashMap<&'static str, Arc<Class>>> = LazyLock::new(|| {
    let mut made: HashMap<&'static str, Arc<Class>> = HashMap::new();
    for (name, parents, slots) in CLASSES {
        let parents: Vec<Arc<Class>> =
            parents.iter().filter_map(|parent| made.get(parent).cloned()).collect();
        let slots = slots
            .iter()
            .map(|name| Slot { name: (*name).to_owned(), keys: vec![(*name).to_owned()] })
            .collect();
        made.insert(name, Arc::new(Class { is_own: false, ..Class::new(name, &parents, slots) }));
    }
    made
});

/// Returns a class of the language.
pub fn language_class(name: &str) -> Option<Arc<Class>> {
    LANGUAGE.get(name).cloned()
}

impl Class {
    /// Makes a class of a script. A slot that a parent has, too, takes the keys of both.
    pub fn new(name: &str, parents: &[Arc<Class>], slots: Vec<Slot>) -> Class {
        let mut line = vec![name.to_owned()];
        for (index, parent) in parents.iter().enumerate() {
            for ancestor in &parent.line {
                // A class that two parents inherit from stands behind both.
                let is_later =
                    parents[index + 1..].iter().any(|other| other.line.contains(ancestor));
                if !is_later && !line.contains(ancestor) {
                    line.push(ancestor.clone());
                }
            }
        }
        let mut all: Vec<Slot> = Vec::new();
        for slot in slots.into_iter().chain(parents.iter().flat_map(|parent| parent.slots.clone()))
        {
            match all.iter_mut().find(|known| known.name == slot.name) {
                Some(known) => known.keys.extend(slot.keys),
                None => all.push(slot),
            }
        }
        Class { name: name.to_owned(), line, slots: all, is_own: true }
    }

    /// Returns its name, or that of the nearest class that scripts can name.
    pub fn public_name(&self) -> &str {
        self.line.iter().find(|name| !name.starts_with('%')).map_or("condition", String::as_str)
    }

    /// Returns whether this is the class of that name or inherits from it.
    pub fn is(&self, name: &str) -> bool {
        self.line.iter().any(|ancestor| ancestor == name)
    }

    fn identifier(&self) -> Identifier {
        match () {
            () if self.is("%file-error") => Identifier::File,
            () if self.is("serious-condition") => Identifier::ProgramError,
            () => Identifier::Problem,
        }
    }
}

/// A condition that was signalled or made.
pub(super) struct Occurrence {
    condition: Mutex<Arc<Condition>>,
    pub class: Arc<Class>,
    /// In the order of the class; `None` if the slot has no value.
    slots: Mutex<Vec<Option<Value>>>,
}

impl Occurrence {
    fn new(condition: Condition, class: Arc<Class>) -> Occurrence {
        let slots = Mutex::new(vec![None; class.slots.len()]);
        Occurrence { condition: Mutex::new(Arc::new(condition)), class, slots }
    }

    pub fn condition(&self) -> Arc<Condition> {
        lock(&self.condition).clone()
    }

    /// Sets what the condition says.
    pub fn set_message(&self, message: String) {
        let mut condition = lock(&self.condition);
        *condition = Arc::new(Condition { message, ..(**condition).clone() });
    }

    fn index(&self, slot: &str) -> Option<usize> {
        self.class.slots.iter().position(|known| known.name == slot)
    }

    /// Returns the value of a slot; `None` if there is no such slot, or it has no value.
    pub fn slot(&self, slot: &str) -> Option<Value> {
        let index = self.index(slot)?;
        lock(&self.slots)[index].clone()
    }

    /// Sets a slot. Returns whether there is one.
    pub fn set_slot(&self, slot: &str, value: Value) -> bool {
        let Some(index) = self.index(slot) else { return false };
        lock(&self.slots)[index] = Some(value);
        true
    }

    /// Sets the slots that a key sets. Returns whether there are any.
    pub fn set_by_key(&self, key: &str, value: &Value) -> bool {
        let mut slots = lock(&self.slots);
        let mut found = false;
        for (known, slot) in self.class.slots.iter().zip(slots.iter_mut()) {
            if known.keys.iter().any(|known| known == key) {
                *slot = Some(value.clone());
                found = true;
            }
        }
        found
    }

    pub fn slots(&self) -> Vec<Option<Value>> {
        lock(&self.slots).clone()
    }

    /// Returns the same condition with other values in its slots.
    pub fn with_slots(&self, slots: Vec<Option<Value>>) -> Value {
        let condition = Mutex::new(self.condition());
        changing_object(Occurrence {
            condition,
            class: self.class.clone(),
            slots: Mutex::new(slots),
        })
    }
}

impl fmt::Display for Occurrence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let condition = self.condition();
        let message = printer::readably(&Datum::String(escape_controls(&condition.message)));
        let name = &self.class.name;
        match condition.identifier {
            _ if self.class.is_own => write!(formatter, "#<{name} {message}>"),
            Identifier::ProgramError => write!(formatter, "#<error {message}>"),
            identifier => {
                let class = if identifier.is_error() { "po-error" } else { "po-condition" };
                write!(formatter, "#<{class} :{} {message}>", identifier.name())
            }
        }
    }
}

/// Makes the object of a condition of this class. It says `message` until it says something else.
pub(super) fn made(class: Arc<Class>, message: String) -> Value {
    changing_object(Occurrence::new(Condition::new(class.identifier(), message), class))
}

/// Makes the object of a condition with these slots.
pub(super) fn occurred(condition: Condition, class: &str, slots: &[(&str, Value)]) -> Value {
    let class = language_class(class).unwrap_or_else(|| LANGUAGE["condition"].clone());
    let occurrence = Occurrence::new(condition, class);
    for (slot, value) in slots {
        occurrence.set_slot(slot, value.clone());
    }
    changing_object(occurrence)
}

/// Wraps a condition in the object that scripts handle.
pub fn condition_object(condition: Condition) -> Value {
    match condition.identifier {
        Identifier::ProgramError => of_error(condition, None),
        Identifier::File => {
            // "open: path: reason"
            let path =
                condition.message.split_once(": ").and_then(|(_, rest)| rest.rsplit_once(": "));
            let path = path.map(|(path, _)| value::string(path));
            let slots: Vec<_> = path.map(|path| ("pathname", path)).into_iter().collect();
            occurred(condition, "%file-error", &slots)
        }
        identifier if identifier.is_error() => occurred(condition, "po-error", &[]),
        _ => occurred(condition, "%po-warning", &[]),
    }
}

/// Makes the object of an error of the language. `wrong` is the value that it refuses, and the name
/// of the type that it expects.
pub(super) fn of_error(condition: Condition, wrong: Option<(Value, Value)>) -> Value {
    let message = condition.message.as_str();
    let class = class_of(message);
    let name = |name: &str| vec![("name", value::symbol(name))];
    let slots = match class {
        _ if let Some((datum, expected)) = wrong => {
            let slots = [("datum", datum), ("expected-type", expected)];
            return occurred(condition, "type-error", &slots);
        }
        "unbound-variable" | "undefined-function" => {
            super::messages::undefined_name(message).map(name).unwrap_or_default()
        }
        "division-by-zero" => message
            .split_once(": ")
            .map(|(operation, _)| vec![("operation", value::symbol(operation))])
            .unwrap_or_default(),
        "simple-error" => vec![
            ("format-control", value::string("~a")),
            ("format-arguments", value::list(vec![value::string(message)])),
        ],
        _ => Vec::new(),
    };
    occurred(condition, class, &slots)
}

/// Returns the class that an error's message tells of.
fn class_of(message: &str) -> &'static str {
    let (function, rest) = message.split_once(": ").unwrap_or(("", message));
    let is_count = |text: &str| {
        text.strip_prefix("expected ").is_some_and(|text| {
            text.contains(" argument") && text.contains(", got ") && !text.contains(" as argument ")
        })
    };
    match () {
        () if message.starts_with("unbound variable: ") => "unbound-variable",
        () if message.starts_with("the function ") && message.ends_with(" is not defined") => {
            "undefined-function"
        }
        () if rest == "division by zero" => "division-by-zero",
        () if is_count(rest) || is_count(message) => "program-error",
        () if ["unknown key ", "the key ", "expected a key"]
            .iter()
            .any(|it| rest.starts_with(it))
            || rest.ends_with(" too many") =>
        {
            "program-error"
        }
        () if function == "parse-integer" => "parse-error",
        () if ["the file has ended", "the string has ended"].contains(&rest) => "end-of-file",
        () if function == "read" || function == "read-from-string" => {
            let is_cut = rest.ends_with(" is not closed") || rest.contains(" must follow ");
            if is_cut { "end-of-file" } else { "reader-error" }
        }
        () if rest.contains(" is not within ") || rest.contains("out of bounds") => "type-error",
        () if message == super::messages::LEFT_ALREADY
            || rest.starts_with("there is no restart `")
            || rest.starts_with("there is no catch for ") =>
        {
            "control-error"
        }
        () if message.starts_with("not a function: ") => "type-error",
        () if rest.starts_with("expected ") && rest.contains(", got ") => "type-error",
        () if rest.starts_with("the port ") => "stream-error",
        () => "simple-error",
    }
}

/// Returns the condition that a value holds.
pub fn condition_of(value: &Value) -> Option<Arc<Condition>> {
    as_condition(value)
}

pub(super) fn as_condition(value: &Value) -> Option<Arc<Condition>> {
    Some(downcast::<Occurrence>(value)?.condition())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_comes_before_those_that_it_inherits_from() {
        for (name, parents, _) in CLASSES {
            let line = &LANGUAGE[name].line;
            assert_eq!(line.iter().filter(|it| *it == "condition").count(), 1, "{name}");
            assert_eq!(line.last().map(String::as_str), Some("condition"), "{name}");
            for parent in *parents {
                assert!(line.iter().any(|it| it == parent), "{name} is a {parent}");
            }
        }
        assert_eq!(
            LANGUAGE["simple-type-error"].line,
            [
                "simple-type-error",
                "simple-condition",
                "type-error",
                "error",
                "serious-condition",
                "condition"
            ]
        );
    }

    #[test]
    fn a_message_tells_the_class() {
        for (message, class) in [
            ("unbound variable: x", "unbound-variable"),
            ("the function f is not defined", "undefined-function"),
            ("/: division by zero", "division-by-zero"),
            ("car: expected a list, got 5", "type-error"),
            ("<: expected a number as argument 1, got nil", "type-error"),
            ("f: expected 1 argument, got 2", "program-error"),
            ("expected at least 2 arguments, got 0", "program-error"),
            ("f: unknown key :x; expected :y", "program-error"),
            ("parse-integer: expected a whole number, got \"x\"", "parse-error"),
            ("read-line: the file has ended", "end-of-file"),
            ("read: this parenthesis closes nothing", "reader-error"),
            ("read: the form that starts here is not closed", "end-of-file"),
            ("aref: 5 is not within a sequence of length 1", "type-error"),
            ("invoke-restart: there is no restart `x` here", "control-error"),
            ("read-line: the port is closed", "stream-error"),
            ("no such thing", "simple-error"),
        ] {
            assert_eq!(class_of(message), class, "{message}");
        }
    }
}
