//! Conditions: making them, their classes, matching them with handlers, reading what they hold.

use std::sync::Arc;

use steel::{SteelErr, SteelVal};

use super::{Answer, Code, context, count, fail, list_of, string_of, wrong};
use crate::condition::{Condition, Identifier};
use crate::host::context::lock;
use crate::host::messages;
use crate::host::occurrence::{self, Class, Occurrence, Slot, as_condition};
use crate::host::value::{self, Value, as_keyword, as_symbol, downcast, list, nil, symbol, truth};

pub(super) static TABLE: &[(&str, Code)] = &[
    ("%matches?", |arguments| Ok(SteelVal::BoolV(matches(&arguments[0], &arguments[1])?))),
    ("%make-condition", make_condition),
    ("%condition-error?", |arguments| {
        Ok(SteelVal::BoolV(
            as_condition(&arguments[0]).is_none_or(|condition| condition.identifier.is_error()),
        ))
    }),
    ("%unhandled", unhandled),
    ("%error-of", error_of),
    ("%define-condition-class", define_class),
    ("%condition-class?", |arguments| {
        let known = as_symbol(&arguments[0]).map(class_named).transpose()?.flatten();
        Ok(truth(known.is_some()))
    }),
    ("%new-condition", new_condition),
    ("%settle-condition", settle),
    ("%condition-line", |arguments| {
        let occurrence = occurrence_of("make-condition", &arguments[0])?;
        Ok(list(occurrence.class.line.iter().map(|name| symbol(name)).collect()))
    }),
    ("%warning?", |arguments| Ok(truth(occurrence_of("warn", &arguments[0])?.class.is("warning")))),
    ("%set-by-key", |arguments| {
        let key = as_keyword(&arguments[1]).unwrap_or_default();
        occurrence_of("make-condition", &arguments[0])?.set_by_key(key, &arguments[2]);
        Ok(nil())
    }),
    ("%set-message", |arguments| {
        let message = string_of("make-condition", &arguments[1])?;
        occurrence_of("make-condition", &arguments[0])?.set_message(message.to_owned());
        Ok(nil())
    }),
    ("%condition-slot", slot),
    ("%slot-missing?", |arguments| {
        let slot = as_symbol(&arguments[1]).unwrap_or_default();
        Ok(truth(occurrence_of("make-condition", &arguments[0])?.slot(slot).is_none()))
    }),
    // (%set-condition-slot condition slot value accessor)
    ("%set-condition-slot", |arguments| {
        let accessor = as_symbol(&arguments[3]).unwrap_or_default();
        let slot = as_symbol(&arguments[1]).unwrap_or_default();
        let occurrence = occurrence_of(accessor, &arguments[0])?;
        if !occurrence.set_slot(slot, arguments[2].clone()) {
            let name = &occurrence.class.name;
            return Err(fail(format!(
                "{accessor}: a condition of class {name} has no slot {slot}"
            )));
        }
        Ok(arguments[2].clone())
    }),
    ("type-error-datum", |arguments| own_slot("type-error-datum", "datum", arguments)),
    ("type-error-expected-type", |arguments| {
        own_slot("type-error-expected-type", "expected-type", arguments)
    }),
    ("cell-error-name", |arguments| own_slot("cell-error-name", "name", arguments)),
    ("file-error-pathname", |arguments| own_slot("file-error-pathname", "pathname", arguments)),
    ("stream-error-stream", |arguments| own_slot("stream-error-stream", "stream", arguments)),
    ("arithmetic-error-operation", |arguments| {
        own_slot("arithmetic-error-operation", "operation", arguments)
    }),
    ("arithmetic-error-operands", |arguments| {
        own_slot("arithmetic-error-operands", "operands", arguments)
    }),
    ("simple-condition-format-control", |arguments| {
        own_slot("simple-condition-format-control", "format-control", arguments)
    }),
    ("simple-condition-format-arguments", |arguments| {
        own_slot("simple-condition-format-arguments", "format-arguments", arguments)
    }),
    ("po-condition?", |arguments| {
        predicate("po-condition?", arguments, |condition| {
            condition.identifier != Identifier::ProgramError
        })
    }),
    ("po-error?", |arguments| {
        predicate("po-error?", arguments, |condition| {
            condition.identifier.is_error() && condition.identifier != Identifier::ProgramError
        })
    }),
    ("po-condition-identifier", |arguments| {
        field("po-condition-identifier", arguments, |condition| {
            value::keyword(condition.identifier.name())
        })
    }),
    ("po-condition-message", |arguments| {
        field("po-condition-message", arguments, |condition| {
            value::string(condition.message.as_str())
        })
    }),
    ("po-condition-server-string", |arguments| {
        field("po-condition-server-string", arguments, |condition| {
            condition.server_string.as_deref().map_or_else(nil, value::string)
        })
    }),
    ("error-object?", |arguments| predicate("error-object?", arguments, |_| true)),
    ("error?", |arguments| {
        predicate("error?", arguments, |condition| condition.identifier.is_error())
    }),
    ("error-object-message", |arguments| {
        field("error-object-message", arguments, |condition| {
            value::string(condition.message.as_str())
        })
    }),
    ("error-message", |arguments| {
        field("error-message", arguments, |condition| value::string(condition.message.as_str()))
    }),
];

/// Returns whether a handler for `class` takes what was signalled.
fn matches(class: &Value, signalled: &Value) -> Result<bool, SteelErr> {
    let condition = as_condition(signalled);
    if let Some(identifier) = as_keyword(class) {
        return Ok(condition.is_some_and(|condition| condition.identifier.name() == identifier));
    }
    if let SteelVal::BoolV(always) = class {
        return Ok(*always);
    }
    if let SteelVal::ListV(list) = class {
        let mut classes = list.iter();
        if classes.next().and_then(as_symbol) == Some("or") {
            for class in classes {
                if matches(class, signalled)? {
                    return Ok(true);
                }
            }
            return Ok(false);
        }
    }
    let Some(name) = as_symbol(class) else { return Err(no_class("handler-case", class)) };
    if matches!(name, "condition" | "t") {
        return Ok(true);
    }
    match downcast::<Occurrence>(signalled) {
        Some(occurrence) if occurrence.class.is(name) => Ok(true),
        // An object that was raised.
        None if matches!(name, "error" | "serious-condition") => Ok(true),
        _ if class_named(name)?.is_some() => Ok(false),
        _ => Err(no_class("handler-case", class)),
    }
}

fn no_class(function: &str, got: &Value) -> SteelErr {
    let expected =
        "the name of a condition class: po-error, po-condition, error, warning, condition";
    wrong(function, expected, got)
}

/// Returns the class of this name, of the language or of the script.
pub(super) fn class_named(name: &str) -> Result<Option<Arc<Class>>, SteelErr> {
    let own = lock(&context()?.classes).get(name).cloned();
    Ok(own.or_else(|| occurrence::language_class(name).filter(|_| !name.starts_with('%'))))
}

/// Makes the condition of an error of a native or of the interpreter.
pub(super) fn of_error(error: &SteelErr) -> Value {
    let condition = messages::condition_of(error);
    if condition.identifier == Identifier::File {
        return occurrence::condition_object(condition);
    }
    let wrong = super::take_wrong(&condition.message);
    occurrence::of_error(condition, wrong)
}

/// `(%make-condition kind text irritants)`: makes a warning if `kind` is `warning`, otherwise an
/// error of the program. A `text` that is a condition is returned as it is.
fn make_condition(arguments: &[Value]) -> Answer {
    if as_condition(&arguments[1]).is_some() {
        return Ok(arguments[1].clone());
    }
    let irritants = list_of("error", &arguments[2])?;
    let message = super::format::message(&arguments[1], &irritants)?;
    let (identifier, class) = match as_symbol(&arguments[0]) {
        Some("warning") => (Identifier::Problem, "%simple-warning"),
        Some("signal") => (Identifier::Problem, "%simple-condition"),
        _ => (Identifier::ProgramError, "simple-error"),
    };
    let slots =
        [("format-control", arguments[1].clone()), ("format-arguments", arguments[2].clone())];
    Ok(occurrence::occurred(Condition::new(identifier, message), class, &slots))
}

/// `(%error-of class text irritants slot value …)`: an error of a class of the language.
fn error_of(arguments: &[Value]) -> Answer {
    let message = super::format::message(&arguments[1], &list_of("error", &arguments[2])?)?;
    let slots: Vec<(&str, Value)> = arguments[3..]
        .chunks_exact(2)
        .filter_map(|pair| Some((as_symbol(&pair[0])?, pair[1].clone())))
        .collect();
    let class = as_symbol(&arguments[0]).unwrap_or("error");
    Ok(occurrence::occurred(Condition::new(Identifier::ProgramError, message), class, &slots))
}

/// `(%define-condition-class name parents slots)`; a slot is a list of its name and its keys.
fn define_class(arguments: &[Value]) -> Answer {
    const NAME: &str = "define-condition";
    let name = as_symbol(&arguments[0]).unwrap_or_default();
    if occurrence::language_class(name).is_some() {
        return Err(fail(format!("{NAME}: {name} is a class of the language")));
    }
    let mut parents = Vec::new();
    for parent in list_of(NAME, &arguments[1])? {
        let known = as_symbol(&parent).map(class_named).transpose()?.flatten();
        parents.push(known.ok_or_else(|| no_class(NAME, &parent))?);
    }
    if parents.is_empty() {
        parents.extend(class_named("condition")?);
    }
    let text =
        |value: &Value| as_symbol(value).unwrap_or_default().trim_start_matches(':').to_owned();
    let mut slots = Vec::new();
    for slot in list_of(NAME, &arguments[2])? {
        let parts = list_of(NAME, &slot)?;
        let Some((name, keys)) = parts.split_first() else { continue };
        slots.push(Slot { name: text(name), keys: keys.iter().map(text).collect() });
    }
    let class = Arc::new(Class::new(name, &parents, slots));
    lock(&context()?.classes).insert(name.to_owned(), class);
    Ok(arguments[0].clone())
}

/// `(%new-condition function class keys-and-values)`.
fn new_condition(arguments: &[Value]) -> Answer {
    let function = string_of("make-condition", &arguments[0])?;
    let class = as_symbol(&arguments[1]).map(class_named).transpose()?.flatten();
    let class = class.ok_or_else(|| no_class(function, &arguments[1]))?;
    let name = class.name.clone();
    let made = occurrence::made(class, format!("a condition of class {name}"));
    let occurrence = occurrence_of(function, &made)?;
    for pair in list_of(function, &arguments[2])?.chunks(2) {
        let Some(key) = as_keyword(&pair[0]) else {
            return Err(fail(format!(
                "{function}: {name}: expected a key, got {}",
                value::shown(&pair[0])
            )));
        };
        let Some(value) = pair.get(1) else {
            return Err(fail(format!("{function}: {name}: the key :{key} has no value")));
        };
        // The first of two counts, CLHS 3.4.1.4.
        let first = list_of(function, &arguments[2])?
            .chunks(2)
            .find(|other| other[0] == pair[0])
            .map(|it| it[1].clone());
        if !occurrence.set_by_key(key, first.as_ref().unwrap_or(value)) {
            let keys: Vec<&str> = occurrence
                .class
                .slots
                .iter()
                .flat_map(|slot| slot.keys.iter().map(|key| &**key))
                .collect();
            let unknown = messages::unknown_key(key, keys.iter().copied());
            return Err(fail(format!("{function}: {name}: {unknown}")));
        }
    }
    Ok(made)
}

/// `(%settle-condition condition)`: a condition of a class that has no report says what its slots
/// tell.
fn settle(arguments: &[Value]) -> Answer {
    let occurrence = occurrence_of("make-condition", &arguments[0])?;
    let shown = |slot: &str| occurrence.slot(slot).map(|value| value::shown(&value));
    let message = match occurrence.slot("format-control") {
        Some(control) => {
            let arguments = occurrence.slot("format-arguments").unwrap_or_else(nil);
            Some(super::format::message(&control, &list_of("make-condition", &arguments)?)?)
        }
        None if occurrence.class.is("type-error") => shown("datum").map(|datum| {
            let wanted = shown("expected-type").unwrap_or_else(|| "another type".to_owned());
            format!("expected a value of type {wanted}, got {datum}")
        }),
        None if occurrence.class.is("unbound-variable") => {
            shown("name").map(|name| messages::unbound_variable(&name))
        }
        None if occurrence.class.is("undefined-function") => {
            shown("name").map(|name| messages::undefined_function(&name))
        }
        None if occurrence.class.is("division-by-zero") => Some("division by zero".to_owned()),
        None if occurrence.class.is("end-of-file") => Some("the file has ended".to_owned()),
        None => None,
    };
    if let Some(message) = message {
        occurrence.set_message(message);
    }
    Ok(arguments[0].clone())
}

fn occurrence_of(function: &str, value: &Value) -> Result<Arc<Occurrence>, SteelErr> {
    downcast::<Occurrence>(value).ok_or_else(|| wrong(function, "a condition", value))
}

/// `(%condition-slot condition slot reader)`.
fn slot(arguments: &[Value]) -> Answer {
    let text = |value: &Value| as_symbol(value).unwrap_or_default().to_owned();
    let (slot, reader) = (text(&arguments[1]), text(&arguments[2]));
    let occurrence = occurrence_of(&reader, &arguments[0])?;
    occurrence.slot(&slot).ok_or_else(|| {
        let name = &occurrence.class.name;
        fail(match occurrence.class.slots.iter().any(|known| known.name == slot) {
            true => format!("{reader}: the slot {slot} of the {name} has no value"),
            false => format!("{reader}: a condition of class {name} has no slot {slot}"),
        })
    })
}

fn unhandled(arguments: &[Value]) -> Answer {
    if let Some(condition) = as_condition(&arguments[0]) {
        context()?.unhandled(&condition);
    }
    Ok(nil())
}

fn predicate(function: &str, arguments: &[Value], test: impl FnOnce(&Condition) -> bool) -> Answer {
    count(function, arguments, 1, 1)?;
    Ok(truth(as_condition(&arguments[0]).is_some_and(|condition| test(&condition))))
}

fn field(function: &str, arguments: &[Value], read: impl FnOnce(&Condition) -> Value) -> Answer {
    count(function, arguments, 1, 1)?;
    match as_condition(&arguments[0]) {
        Some(condition) => Ok(read(&condition)),
        None => Err(wrong(function, "a condition", &arguments[0])),
    }
}

/// Reads a slot of a class of the language. One that is not known is nil.
fn own_slot(function: &str, slot: &str, arguments: &[Value]) -> Answer {
    count(function, arguments, 1, 1)?;
    let occurrence = occurrence_of(function, &arguments[0])?;
    if !occurrence.class.slots.iter().any(|known| known.name == slot) {
        return Err(wrong(function, &format!("a condition with the slot {slot}"), &arguments[0]));
    }
    Ok(occurrence.slot(slot).unwrap_or_else(nil))
}
