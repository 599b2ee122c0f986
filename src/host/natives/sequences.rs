//! Sequences: lists, strings and vectors alike.

use steel::{SteelErr, SteelVal};

use super::{Answer, Code, count, fail, index_of, wrong};
use crate::host::value::{self, Value, as_symbol, is_nil, list, string};

pub(super) const TABLE: &[(&str, Code)] = &[
    ("length", length),
    ("reverse", reverse),
    ("nreverse", reverse),
    ("subseq", subseq),
    ("concatenate", concatenate),
    ("coerce", coerce),
    ("elt", elt),
    ("aref", elt),
    ("%elements", |arguments| elements_of("a sequence", &arguments[0]).map(list)),
    ("%like", |arguments| like(&arguments[0], elements_of("a sequence", &arguments[1])?)),
    ("%check-set-aref", check_set_aref),
];

/// Whether an element of this vector can be set, by the interpreter's own function.
fn check_set_aref(arguments: &[Value]) -> Answer {
    count("setf", arguments, 2, 2)?;
    let length = match &arguments[0] {
        SteelVal::MutableVector(vector) => vector.get().len(),
        SteelVal::StringV(_) => {
            let why = "setf: strings do not change: make a new one, with concatenate, substitute or replace, and set the variable that holds it";
            return Err(fail(why));
        }
        SteelVal::VectorV(_) => {
            let why = "setf: this vector is a constant: copy-seq, vector and make-vector make one that can be changed";
            return Err(fail(why));
        }
        other => return Err(wrong("setf", "a vector", other)),
    };
    let index = super::index_of("setf", &arguments[1])?;
    if index < length {
        return Ok(value::nil());
    }
    Err(fail(format!("setf: {index} is not within a vector of {length} elements")))
}

/// The elements of a list, string or vector.
pub(super) fn elements_of(function: &str, sequence: &Value) -> Result<Vec<Value>, SteelErr> {
    match sequence {
        SteelVal::StringV(text) => Ok(text.chars().map(SteelVal::CharV).collect()),
        SteelVal::VectorV(vector) => Ok(vector.iter().cloned().collect()),
        SteelVal::MutableVector(vector) => Ok(vector.get()),
        SteelVal::ByteVector(_) => Ok(value::as_bytes(sequence)
            .unwrap_or_default()
            .into_iter()
            .map(|byte| value::integer(byte.into()))
            .collect()),
        other => {
            value::elements(other).ok_or_else(|| wrong(function, "a list, string or vector", other))
        }
    }
}

/// A sequence of the kind that `model` is.
fn like(model: &Value, elements: Vec<Value>) -> Answer {
    Ok(match model {
        SteelVal::StringV(_) => string(text_of(&elements)?),
        SteelVal::VectorV(_) | SteelVal::MutableVector(_) => {
            SteelVal::VectorV(elements.into_iter().collect())
        }
        _ => list(elements),
    })
}

fn text_of(elements: &[Value]) -> Result<String, SteelErr> {
    let character = |value: &Value| {
        if let SteelVal::CharV(character) = value {
            Ok(*character)
        } else {
            Err(wrong("string", "a character", value))
        }
    };
    elements.iter().map(character).collect()
}

fn length(arguments: &[Value]) -> Answer {
    count("length", arguments, 1, 1)?;
    let length = match &arguments[0] {
        SteelVal::ListV(list) => list.len(),
        SteelVal::StringV(text) => text.chars().count(),
        SteelVal::VectorV(vector) => vector.len(),
        other => elements_of("length", other)?.len(),
    };
    Ok(value::integer(length as i64))
}

fn reverse(arguments: &[Value]) -> Answer {
    count("reverse", arguments, 1, 1)?;
    let mut all = elements_of("reverse", &arguments[0])?;
    all.reverse();
    like(&arguments[0], all)
}

fn subseq(arguments: &[Value]) -> Answer {
    count("subseq", arguments, 2, 3)?;
    let start = index_of("subseq", &arguments[1])?;
    let end = arguments
        .get(2)
        .filter(|end| !is_nil(end))
        .map(|end| index_of("subseq", end))
        .transpose()?;
    if let SteelVal::StringV(text) = &arguments[0] {
        let found = slice(text, start, end)
            .ok_or_else(|| out_of_range(start, end, text.chars().count()))?;
        return Ok(string(found));
    }
    let all = elements_of("subseq", &arguments[0])?;
    let part = all
        .get(start..end.unwrap_or(all.len()))
        .ok_or_else(|| out_of_range(start, end, all.len()))?;
    like(&arguments[0], part.to_vec())
}

fn out_of_range(start: usize, end: Option<usize>, length: usize) -> SteelErr {
    let end = end.map_or_else(String::new, |end| format!(" to {end}"));
    fail(format!("subseq: {start}{end} is not within a sequence of length {length}"))
}

/// The characters from `start` up to `end`.
pub(super) fn slice(text: &str, start: usize, end: Option<usize>) -> Option<&str> {
    let offset =
        |index: usize| text.char_indices().map(|(offset, _)| offset).chain([text.len()]).nth(index);
    let from = offset(start)?;
    let to = end.map_or(Some(text.len()), offset)?;
    text.get(from..to)
}

/// `(concatenate 'string a b …)`, `'list`, `'vector`.
fn concatenate(arguments: &[Value]) -> Answer {
    count("concatenate", arguments, 1, usize::MAX)?;
    let mut all = Vec::new();
    if as_symbol(&arguments[0]) == Some("string")
        && arguments[1..].iter().all(|part| value::as_str(part).is_some())
    {
        return Ok(string(arguments[1..].iter().filter_map(value::as_str).collect::<String>()));
    }
    for part in &arguments[1..] {
        all.extend(elements_of("concatenate", part)?);
    }
    match as_symbol(&arguments[0]) {
        Some("string") => Ok(string(text_of(&all)?)),
        Some("list") => Ok(list(all)),
        Some("vector") => Ok(SteelVal::VectorV(all.into_iter().collect())),
        _ => Err(wrong("concatenate", "'string, 'list or 'vector", &arguments[0])),
    }
}

/// `(coerce value 'list)`, `'string`, `'vector`, `'float`, `'integer` and the like.
fn coerce(arguments: &[Value]) -> Answer {
    count("coerce", arguments, 2, 2)?;
    match (as_symbol(&arguments[1]), &arguments[0]) {
        (Some("list"), sequence) => elements_of("coerce", sequence).map(list),
        (Some("vector" | "simple-vector" | "array"), sequence) => {
            Ok(SteelVal::VectorV(elements_of("coerce", sequence)?.into_iter().collect()))
        }
        (Some("string" | "simple-string"), SteelVal::StringV(_)) => Ok(arguments[0].clone()),
        (Some("string" | "simple-string"), sequence) => {
            Ok(string(text_of(&elements_of("coerce", sequence)?)?))
        }
        (Some("float" | "double-float" | "single-float"), SteelVal::IntV(number)) => {
            Ok(SteelVal::NumV(*number as f64))
        }
        (Some("float" | "double-float" | "single-float"), SteelVal::NumV(_))
        | (Some("integer"), SteelVal::IntV(_)) => Ok(arguments[0].clone()),
        (Some("character"), SteelVal::StringV(text)) if text.chars().count() == 1 => {
            Ok(text.chars().next().map_or_else(value::nil, SteelVal::CharV))
        }
        (Some("character"), SteelVal::CharV(_)) => Ok(arguments[0].clone()),
        _ => Err(fail(format!(
            "coerce: {} cannot be made a {}",
            value::shown(&arguments[0]),
            value::shown(&arguments[1])
        ))),
    }
}

fn elt(arguments: &[Value]) -> Answer {
    count("elt", arguments, 2, 2)?;
    let index = index_of("elt", &arguments[1])?;
    let all = elements_of("elt", &arguments[0])?;
    all.get(index).cloned().ok_or_else(|| {
        fail(format!("elt: {index} is not within a sequence of length {}", all.len()))
    })
}
