//! Predicates and equality of Common Lisp, beside Scheme's.

use steel::SteelVal;

use super::{Answer, Code, count};
use crate::host::engine;
use crate::host::value::{self, Value, as_keyword, as_symbol, is_nil, truth};

pub(super) const TABLE: &[(&str, Code)] = &[
    ("eq", |arguments| same("eq", arguments, identical)),
    ("eql", |arguments| same("eql", arguments, identical)),
    ("equal", |arguments| same("equal", arguments, equal)),
    ("equalp", |arguments| same("equalp", arguments, alike)),
    ("eq?", |arguments| {
        count("eq?", arguments, 2, 2)?;
        Ok(SteelVal::BoolV(scheme_eq(&arguments[0], &arguments[1])))
    }),
    ("atom", |arguments| is("atom", arguments, |value| !is_pair(value))),
    ("consp", |arguments| is("consp", arguments, is_pair)),
    ("listp", |arguments| is("listp", arguments, |value| is_pair(value) || is_nil(value))),
    ("stringp", |arguments| is("stringp", arguments, |value| matches!(value, SteelVal::StringV(_)))),
    ("characterp", |arguments| is("characterp", arguments, |value| matches!(value, SteelVal::CharV(_)))),
    ("symbolp", |arguments| {
        is("symbolp", arguments, |value| as_symbol(value).is_some() || is_nil(value) || matches!(value, SteelVal::BoolV(_)))
    }),
    ("keywordp", |arguments| is("keywordp", arguments, |value| as_keyword(value).is_some())),
    ("keyword?", |arguments| is("keyword?", arguments, |value| as_keyword(value).is_some())),
    ("numberp", |arguments| is("numberp", arguments, is_number)),
    ("integerp", |arguments| is("integerp", arguments, |value| matches!(value, SteelVal::IntV(_) | SteelVal::BigNum(_)))),
    ("vectorp", |arguments| is("vectorp", arguments, |value| matches!(value, SteelVal::VectorV(_) | SteelVal::MutableVector(_)))),
    ("functionp", |arguments| is("functionp", arguments, is_function)),
    ("%callable", |arguments| {
        if is_function(&arguments[0]) { Ok(arguments[0].clone()) } else { Err(super::wrong("funcall", "a function", &arguments[0])) }
    }),
];

fn is(function: &str, arguments: &[Value], test: impl FnOnce(&Value) -> bool) -> Answer {
    count(function, arguments, 1, 1)?;
    Ok(truth(test(&arguments[0])))
}

fn same(function: &str, arguments: &[Value], test: impl FnOnce(&Value, &Value) -> bool) -> Answer {
    count(function, arguments, 2, 2)?;
    Ok(truth(test(&arguments[0], &arguments[1])))
}

fn is_pair(value: &Value) -> bool {
    match value {
        SteelVal::Pair(_) => true,
        SteelVal::ListV(list) => !list.is_empty(),
        _ => false,
    }
}

fn is_number(value: &Value) -> bool {
    use SteelVal::{BigNum, BigRational, Complex, IntV, NumV, Rational};
    matches!(value, IntV(_) | NumV(_) | Rational(_) | BigNum(_) | BigRational(_) | Complex(_))
}

pub(super) fn is_function(value: &Value) -> bool {
    use SteelVal::{BoxedFunction, BuiltIn, Closure, ContinuationFunction, FuncV, MutFunc};
    matches!(value, Closure(_) | FuncV(_) | BoxedFunction(_) | BuiltIn(_) | MutFunc(_) | ContinuationFunction(_))
}

/// What prints `nil` is one value to Common Lisp's words; symbols are the same by name.
fn identical(left: &Value, right: &Value) -> bool {
    match (left, right) {
        _ if is_nil(left) || is_nil(right) => is_nil(left) && is_nil(right),
        (SteelVal::SymbolV(left), SteelVal::SymbolV(right)) => left.as_str() == right.as_str(),
        (SteelVal::StringV(left), SteelVal::StringV(right)) => std::ptr::eq(left.as_str(), right.as_str()),
        (SteelVal::ListV(_) | SteelVal::Pair(_) | SteelVal::Custom(_), _) => interpreter_eq(left, right),
        _ => left == right,
    }
}

fn interpreter_eq(left: &Value, right: &Value) -> bool {
    let eq = engine::primitive("steel/equality", "eq?");
    let answer = eq.and_then(|eq| engine::call_native(&eq, &[left.clone(), right.clone()]));
    matches!(answer, Some(SteelVal::BoolV(true)))
}

/// Scheme's `eq?`: the empty list and `#f` differ.
fn scheme_eq(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (SteelVal::SymbolV(left), SteelVal::SymbolV(right)) => left.as_str() == right.as_str(),
        _ => interpreter_eq(left, right),
    }
}

pub(super) fn equal(left: &Value, right: &Value) -> bool {
    if is_nil(left) || is_nil(right) { is_nil(left) && is_nil(right) } else { left == right }
}

/// Letters alike in both cases, numbers by value, lists and vectors by their elements.
pub(super) fn alike(left: &Value, right: &Value) -> bool {
    let mut pending = vec![(left.clone(), right.clone())];
    while let Some((left, right)) = pending.pop() {
        match (&left, &right) {
            (SteelVal::StringV(left), SteelVal::StringV(right)) if left.to_lowercase() == right.to_lowercase() => {}
            (SteelVal::CharV(left), SteelVal::CharV(right)) if left.to_lowercase().eq(right.to_lowercase()) => {}
            (SteelVal::IntV(integer), SteelVal::NumV(float)) | (SteelVal::NumV(float), SteelVal::IntV(integer))
                if *integer as f64 == *float => {}
            _ if equal(&left, &right) => {}
            _ => match (value::elements(&left), value::elements(&right)) {
                (Some(left), Some(right)) if left.len() == right.len() => pending.extend(left.into_iter().zip(right)),
                _ => return false,
            },
        }
    }
    true
}
