//! Functions on sequences: lists, strings, vectors and bytevectors.
//!
//! Those that call a test or a key are in `matching`, `sets` and the prelude.

use steel::{SteelErr, SteelVal};

use super::long_text::{self, character_at};
use super::{Answer, Code, count, fail, index_of, wrong};
use crate::host::primitives::{call_native, primitive};
use crate::host::value::{self, Value, as_symbol, is_nil, list, string};

pub(super) static TABLE: &[(&str, Code)] = &[
    ("length", length),
    ("reverse", reverse),
    ("nreverse", reverse),
    ("subseq", subseq),
    ("concatenate", concatenate),
    ("coerce", coerce),
    ("elt", |arguments| element("elt", arguments)),
    ("aref", |arguments| element("aref", arguments)),
    ("svref", |arguments| element("svref", arguments)),
    ("schar", |arguments| element("schar", arguments)),
    ("%sequence-type?", |arguments| {
        Ok(SteelVal::BoolV(
            as_symbol(&arguments[0]).is_some_and(|name| SEQUENCE_TYPES.contains(&name)),
        ))
    }),
    ("%elements", |arguments| match &arguments[0] {
        SteelVal::ListV(_) => Ok(arguments[0].clone()),
        other => elements_of("a sequence", other).map(list),
    }),
    ("%like", |arguments| match arguments {
        [SteelVal::ListV(_), made @ SteelVal::ListV(_)] => Ok(made.clone()),
        _ => like(&arguments[0], elements_of("a sequence", &arguments[1])?),
    }),
    ("%check-set-aref", check_set_aref),
];

/// The types that [`coerce`] makes of sequences.
const SEQUENCE_TYPES: [&str; 6] =
    ["list", "vector", "simple-vector", "array", "string", "simple-string"];

/// Checks that the interpreter's own function can set this element of a vector.
fn check_set_aref(arguments: &[Value]) -> Answer {
    count("setf", arguments, 2, 2)?;
    let length = match &arguments[0] {
        SteelVal::MutableVector(vector) => vector.borrow(Vec::len),
        SteelVal::StringV(_) => {
            let why = "setf: strings do not change: make a new one, with concatenate, substitute or replace, and set the variable that holds it";
            return Err(fail(why));
        }
        SteelVal::ListV(_) | SteelVal::Pair(_) => {
            let why = "setf: lists do not change: make a new one, with substitute, mapcar or append, and set the variable that holds it";
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

/// Returns the elements of a list, string, vector or bytevector.
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

/// Makes a string or vector if `model` is one, otherwise a list.
pub(super) fn like(model: &Value, elements: Vec<Value>) -> Answer {
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
        SteelVal::StringV(text) => long_text::length_of(text),
        SteelVal::VectorV(vector) => vector.len(),
        SteelVal::MutableVector(vector) => vector.borrow(Vec::len),
        other => match value::bytes_length(other) {
            Some(length) => length,
            None => elements_of("length", other)?.len(),
        },
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
        let found = long_text::slice(text, start, end)
            .ok_or_else(|| out_of_range(start, end, long_text::length_of(text)))?;
        return Ok(string(found));
    }
    match part_of("subseq", &arguments[0], start, end)? {
        Some(part) => like(&arguments[0], part),
        None => Err(out_of_range(start, end, elements_of("subseq", &arguments[0])?.len())),
    }
}

/// Returns the elements from `start` up to `end`; `None` if they are outside of the sequence.
pub(super) fn part_of(
    function: &str,
    sequence: &Value,
    start: usize,
    end: Option<usize>,
) -> Result<Option<Vec<Value>>, SteelErr> {
    let range = |length: usize| {
        let end = end.unwrap_or(length);
        (start <= end && end <= length).then_some(start..end)
    };
    Ok(match sequence {
        SteelVal::StringV(text) => long_text::slice(text, start, end)
            .map(|part| part.chars().map(SteelVal::CharV).collect()),
        SteelVal::ListV(list) => range(list.len())
            .map(|range| list.iter().skip(start).take(range.len()).cloned().collect()),
        SteelVal::VectorV(vector) => range(vector.len())
            .map(|range| range.filter_map(|index| vector.get(index).cloned()).collect()),
        SteelVal::MutableVector(vector) => {
            vector.borrow(|all| range(all.len()).map(|range| all[range].to_vec()))
        }
        other => {
            let all = elements_of(function, other)?;
            range(all.len()).map(|range| all[range].to_vec())
        }
    })
}

fn out_of_range(start: usize, end: Option<usize>, length: usize) -> SteelErr {
    let end = end.map_or_else(String::new, |end| format!(" to {end}"));
    fail(format!("subseq: {start}{end} is not within a sequence of length {length}"))
}

/// `(concatenate 'string a b …)`; also `'list` and `'vector`.
fn concatenate(arguments: &[Value]) -> Answer {
    count("concatenate", arguments, 1, usize::MAX)?;
    let mut all = Vec::new();
    // Scheme's takes a list of lists.
    if let [SteelVal::ListV(lists)] = arguments {
        for part in lists.iter() {
            all.extend(elements_of("concatenate", part)?);
        }
        return Ok(list(all));
    }
    if matches!(as_symbol(&arguments[0]), Some("string" | "simple-string"))
        && arguments[1..].iter().all(|part| value::as_str(part).is_some())
    {
        return Ok(string(arguments[1..].iter().filter_map(value::as_str).collect::<String>()));
    }
    for part in &arguments[1..] {
        all.extend(elements_of("concatenate", part)?);
    }
    match as_symbol(&arguments[0]) {
        Some("string" | "simple-string") => Ok(string(text_of(&all)?)),
        Some("list") => Ok(list(all)),
        Some("vector" | "simple-vector") => Ok(SteelVal::VectorV(all.into_iter().collect())),
        _ => Err(wrong("concatenate", "'string, 'list or 'vector", &arguments[0])),
    }
}

/// `(coerce value 'list)`; also `'string`, `'vector`, `'float`, `'integer`, `'character`.
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
        (Some("float" | "double-float" | "single-float"), number)
            if super::types::is_number(number) =>
        {
            value::as_float(number)
                .map(SteelVal::NumV)
                .ok_or_else(|| wrong("coerce", "a real number", number))
        }
        (Some("integer"), SteelVal::IntV(_)) => Ok(arguments[0].clone()),
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

fn element(function: &str, arguments: &[Value]) -> Answer {
    count(function, arguments, 2, 2)?;
    let index = index_of(function, &arguments[1])?;
    let found = match &arguments[0] {
        SteelVal::StringV(text) => character_at(text, index).map(SteelVal::CharV),
        SteelVal::VectorV(vector) => vector.get(index).cloned(),
        SteelVal::MutableVector(vector) => vector.borrow(|vector| vector.get(index).cloned()),
        SteelVal::ListV(list) => list.get(index).cloned(),
        // Without copying the bytes.
        SteelVal::ByteVector(_) => primitive("steel/bytevectors", "bytes-ref")
            .and_then(|function| call_native(&function, arguments)),
        other => elements_of(function, other)?.get(index).cloned(),
    };
    match found {
        Some(element) => Ok(element),
        None => {
            let length = elements_of(function, &arguments[0])?.len();
            Err(fail(format!("{function}: {index} is not within a sequence of length {length}")))
        }
    }
}
