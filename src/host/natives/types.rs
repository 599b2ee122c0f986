//! Predicates of Common Lisp, next to Scheme's.

use steel::SteelVal;

use super::equality::{alike, equal, identical, interpreter_eq};
use super::{Answer, Code, count};
use crate::host::occurrence::Occurrence;
use crate::host::value::{self, Value, as_keyword, as_symbol, is_nil, truth};

pub(super) static TABLE: &[(&str, Code)] = &[
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
    ("stringp", |arguments| {
        is("stringp", arguments, |value| matches!(value, SteelVal::StringV(_)))
    }),
    ("characterp", |arguments| {
        is("characterp", arguments, |value| matches!(value, SteelVal::CharV(_)))
    }),
    ("symbolp", |arguments| {
        is("symbolp", arguments, |value| {
            as_symbol(value).is_some() || is_nil(value) || matches!(value, SteelVal::BoolV(_))
        })
    }),
    ("keywordp", |arguments| is("keywordp", arguments, |value| as_keyword(value).is_some())),
    ("keyword?", |arguments| is("keyword?", arguments, |value| as_keyword(value).is_some())),
    ("numberp", |arguments| is("numberp", arguments, is_number)),
    ("integerp", |arguments| {
        is("integerp", arguments, |value| matches!(value, SteelVal::IntV(_) | SteelVal::BigNum(_)))
    }),
    ("vectorp", |arguments| {
        is("vectorp", arguments, |value| {
            matches!(
                value,
                SteelVal::VectorV(_) | SteelVal::MutableVector(_) | SteelVal::StringV(_)
            )
        })
    }),
    ("functionp", |arguments| is("functionp", arguments, is_function)),
    ("typep", |arguments| {
        count("typep", arguments, 2, 2)?;
        Ok(truth(has_type(&arguments[0], &arguments[1])?))
    }),
    ("type-of", |arguments| {
        count("type-of", arguments, 1, 1)?;
        Ok(value::symbol(&type_of(&arguments[0])))
    }),
    ("%no-type", |arguments| {
        let message = format!("etypecase: no clause for {}", value::shown(&arguments[0]));
        Err(super::refused(message, &arguments[0], value::nil()))
    }),
    ("%callable", |arguments| {
        if is_function(&arguments[0]) {
            Ok(arguments[0].clone())
        } else {
            Err(super::wrong("funcall", "a function", &arguments[0]))
        }
    }),
];

/// Compares a number with a bound: a number, a list of one number that is outside, or `*`.
fn within(
    value: &Value,
    bound: &Value,
    [inclusive, exclusive]: [&'static str; 2],
) -> Result<bool, steel::SteelErr> {
    if as_symbol(bound) == Some("*") {
        return Ok(true);
    }
    let (limit, comparison) = match value::elements(bound).as_deref() {
        Some([limit]) => (limit.clone(), exclusive),
        _ => (bound.clone(), inclusive),
    };
    if !is_number(&limit) {
        return Err(super::wrong("typep", "a number, a list of one, or * as a bound", bound));
    }
    let holds = super::numbers::number_function(comparison, &[value.clone(), limit])?;
    Ok(matches!(holds, SteelVal::BoolV(true)))
}

/// Returns whether a value has the type `wanted`: a symbol, a list with `or`, `and`, `not`,
/// `member` or `eql`, a kind of number with bounds, or `mod`.
fn has_type(value: &Value, wanted: &Value) -> Result<bool, steel::SteelErr> {
    use SteelVal::{BigNum, ByteVector, CharV, IntV, MutableVector, NumV, StringV, VectorV};
    if let Some(list) = value::elements(wanted).filter(|list| !list.is_empty()) {
        let mut types = list[1..].iter();
        return match as_symbol(&list[0]) {
            Some("or") => {
                types.try_fold(false, |found, wanted| Ok(found || has_type(value, wanted)?))
            }
            Some("and") => {
                types.try_fold(true, |found, wanted| Ok(found && has_type(value, wanted)?))
            }
            Some("not") if list.len() == 2 => Ok(!has_type(value, &list[1])?),
            Some("member" | "eql") => Ok(types.any(|wanted| identical(value, wanted))),
            Some("integer" | "rational" | "real" | "float" | "number") if list.len() <= 3 => {
                Ok(has_type(value, &list[0])?
                    && list.get(1).map_or(Ok(true), |least| within(value, least, [">=", ">"]))?
                    && list.get(2).map_or(Ok(true), |most| within(value, most, ["<=", "<"]))?)
            }
            Some("mod") if list.len() == 2 => Ok(has_type(value, &value::symbol("integer"))?
                && within(value, &value::integer(0), [">=", ">"])?
                && within(value, &value::list(vec![list[1].clone()]), ["<=", "<"])?),
            Some(_) if types.all(|argument| as_symbol(argument) == Some("*")) => {
                has_type(value, &list[0])
            }
            _ => Err(super::wrong("typep", "a type", wanted)),
        };
    }
    let class = value::downcast::<Occurrence>(value).map(|it| it.class.clone());
    Ok(match as_symbol(wanted) {
        None if matches!(wanted, SteelVal::BoolV(true)) => true,
        None if is_nil(wanted) => false,
        Some("otherwise") => true,
        Some("null") => is_nil(value),
        Some("list") => is_pair(value) || is_nil(value),
        Some("cons") => is_pair(value),
        Some("atom") => !is_pair(value),
        Some("symbol") => {
            as_symbol(value).is_some() || is_nil(value) || matches!(value, SteelVal::BoolV(_))
        }
        Some("keyword") => as_keyword(value).is_some(),
        Some("boolean") => is_nil(value) || matches!(value, SteelVal::BoolV(_)),
        Some("string" | "simple-string") => matches!(value, StringV(_)),
        Some("character") => matches!(value, CharV(_)),
        Some("integer") => matches!(value, IntV(_) | BigNum(_)),
        Some("fixnum") => matches!(value, IntV(_)),
        Some("float" | "double-float" | "single-float") => matches!(value, NumV(_)),
        Some("number" | "real") => is_number(value),
        Some("rational") => is_number(value) && !matches!(value, NumV(_)),
        Some("simple-vector") => matches!(value, VectorV(_) | MutableVector(_)),
        Some("vector" | "array") => {
            matches!(value, VectorV(_) | MutableVector(_) | ByteVector(_) | StringV(_))
        }
        Some("sequence") => {
            is_pair(value)
                || is_nil(value)
                || matches!(value, VectorV(_) | MutableVector(_) | ByteVector(_) | StringV(_))
        }
        Some("function") => is_function(value),
        Some("hash-table") => value::downcast::<super::HashTable>(value).is_some(),
        Some(name) if class.is_some_and(|class| class.is(name)) => true,
        Some("structure-object") => value::downcast::<super::Structure>(value).is_some(),
        _ if super::structures::is_structure(value, wanted) => true,
        Some(name) if super::structures::is_defined(name) => false,
        Some(name) if super::conditions::class_named(name)?.is_some() => false,
        _ => {
            return Err(super::wrong(
                "typep",
                "the name of a type: string, integer, number, symbol, list, function …",
                wanted,
            ));
        }
    })
}

/// Returns the name of a type that a value has, as specific as `typep` knows one.
fn type_of(value: &Value) -> String {
    if let Some(structure) = value::downcast::<super::Structure>(value) {
        return structure.name();
    }
    if let Some(occurrence) = value::downcast::<Occurrence>(value) {
        return occurrence.class.public_name().to_owned();
    }
    let name = match value {
        _ if is_nil(value) => "null",
        SteelVal::BoolV(_) => "boolean",
        SteelVal::IntV(_) | SteelVal::BigNum(_) => "integer",
        SteelVal::NumV(_) => "float",
        SteelVal::Rational(_) | SteelVal::BigRational(_) => "rational",
        SteelVal::StringV(_) => "string",
        SteelVal::CharV(_) => "character",
        SteelVal::VectorV(_) | SteelVal::MutableVector(_) | SteelVal::ByteVector(_) => "vector",
        _ if is_pair(value) => "cons",
        _ if as_keyword(value).is_some() => "keyword",
        _ if as_symbol(value).is_some() => "symbol",
        _ if is_function(value) => "function",
        _ if value::downcast::<super::HashTable>(value).is_some() => "hash-table",
        _ => "t",
    };
    name.to_owned()
}

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

pub(super) fn is_number(value: &Value) -> bool {
    use SteelVal::{BigNum, BigRational, Complex, IntV, NumV, Rational};
    matches!(value, IntV(_) | NumV(_) | Rational(_) | BigNum(_) | BigRational(_) | Complex(_))
}

pub(super) fn is_function(value: &Value) -> bool {
    use SteelVal::{BoxedFunction, BuiltIn, Closure, ContinuationFunction, FuncV, MutFunc};
    matches!(
        value,
        Closure(_)
            | FuncV(_)
            | BoxedFunction(_)
            | BuiltIn(_)
            | MutFunc(_)
            | ContinuationFunction(_)
    )
}

/// Scheme's `eq?`: the empty list and `#f` differ.
fn scheme_eq(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (SteelVal::SymbolV(left), SteelVal::SymbolV(right)) => left.as_str() == right.as_str(),
        _ => interpreter_eq(left, right),
    }
}
