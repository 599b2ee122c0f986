//! List functions that take no function as an argument.

use steel::SteelVal;

use super::equality::{alike, equal};
use super::{Answer, Code, count, fail, index_of, integer_of, list_of, wrong};
use crate::host::value::{self, Value, elements, is_nil, list, nil};

pub(super) static TABLE: &[(&str, Code)] = &[
    ("%car", |arguments| {
        count("car", arguments, 1, 1)?;
        path("car", &arguments[0], "a")
    }),
    ("%cdr", |arguments| {
        count("cdr", arguments, 1, 1)?;
        path("cdr", &arguments[0], "d")
    }),
    ("caar", |arguments| along("caar", arguments)),
    ("cadr", |arguments| along("cadr", arguments)),
    ("cdar", |arguments| along("cdar", arguments)),
    ("cddr", |arguments| along("cddr", arguments)),
    ("caaar", |arguments| along("caaar", arguments)),
    ("caadr", |arguments| along("caadr", arguments)),
    ("cadar", |arguments| along("cadar", arguments)),
    ("caddr", |arguments| along("caddr", arguments)),
    ("cdaar", |arguments| along("cdaar", arguments)),
    ("cdadr", |arguments| along("cdadr", arguments)),
    ("cddar", |arguments| along("cddar", arguments)),
    ("cdddr", |arguments| along("cdddr", arguments)),
    ("caaaar", |arguments| along("caaaar", arguments)),
    ("caaadr", |arguments| along("caaadr", arguments)),
    ("caadar", |arguments| along("caadar", arguments)),
    ("caaddr", |arguments| along("caaddr", arguments)),
    ("cadaar", |arguments| along("cadaar", arguments)),
    ("cadadr", |arguments| along("cadadr", arguments)),
    ("caddar", |arguments| along("caddar", arguments)),
    ("cdaaar", |arguments| along("cdaaar", arguments)),
    ("cdaadr", |arguments| along("cdaadr", arguments)),
    ("cdadar", |arguments| along("cdadar", arguments)),
    ("cdaddr", |arguments| along("cdaddr", arguments)),
    ("cddaar", |arguments| along("cddaar", arguments)),
    ("cddadr", |arguments| along("cddadr", arguments)),
    ("cdddar", |arguments| along("cdddar", arguments)),
    ("cadddr", |arguments| along("cadddr", arguments)),
    ("cddddr", |arguments| along("cddddr", arguments)),
    ("first", |arguments| at("first", arguments, 0)),
    ("second", |arguments| at("second", arguments, 1)),
    ("third", |arguments| at("third", arguments, 2)),
    ("fourth", |arguments| at("fourth", arguments, 3)),
    ("fifth", |arguments| at("fifth", arguments, 4)),
    ("sixth", |arguments| at("sixth", arguments, 5)),
    ("seventh", |arguments| at("seventh", arguments, 6)),
    ("eighth", |arguments| at("eighth", arguments, 7)),
    ("ninth", |arguments| at("ninth", arguments, 8)),
    ("tenth", |arguments| at("tenth", arguments, 9)),
    ("rest", rest),
    ("nth", nth),
    ("nthcdr", nthcdr),
    ("last", last),
    ("butlast", butlast),
    ("append", append),
    ("list*", list_star),
    ("make-list", make_list),
    ("copy-list", |arguments| {
        count("copy-list", arguments, 1, 1)?;
        Ok(list(list_of("copy-list", &arguments[0])?))
    }),
    ("getf", getf),
    ("iota", iota),
    ("%value", |arguments| {
        Ok(elements(&arguments[1])
            .and_then(|list| list.get(index_of("values", &arguments[0]).ok()?).cloned())
            .unwrap_or_else(nil))
    }),
    ("%itself", |arguments| Ok(arguments[0].clone())),
    ("%splice", append),
    ("%spread", |arguments| {
        let (last, front) = arguments.split_last().ok_or_else(|| fail("apply: expected a list"))?;
        // The last argument may be long, so it is not copied.
        let last = match last {
            SteelVal::ListV(_) => last.clone(),
            other => list(list_of("apply", other)?),
        };
        Ok(front.iter().rev().fold(last, |rest, element| value::cons(element.clone(), rest)))
    }),
    ("%reverse", |arguments| {
        Ok(list(list_of("reverse", &arguments[0])?.into_iter().rev().collect()))
    }),
    ("%append-reverse", append_reverse),
    ("%list-to-walk", |arguments| match &arguments[0] {
        SteelVal::ListV(_) => Ok(arguments[0].clone()),
        other => list_of("a loop over a list", other).map(list),
    }),
    ("%number-to-count-with", |arguments| {
        if super::types::is_number(&arguments[0]) {
            Ok(arguments[0].clone())
        } else {
            Err(wrong("a loop that counts", "a number", &arguments[0]))
        }
    }),
    ("%count-to-walk", |arguments| {
        integer_of("a loop that counts", &arguments[0]).map(value::integer)
    }),
    ("%list->vector", |arguments| {
        Ok(SteelVal::VectorV(list_of("list->vector", &arguments[0])?.into_iter().collect()))
    }),
    ("%one-of?", |arguments| {
        Ok(SteelVal::BoolV(
            elements(&arguments[1]).unwrap_or_default().iter().any(|key| equal(key, &arguments[0])),
        ))
    }),
    ("%no-case", |arguments| {
        let message = format!("ecase: no clause for {}", value::shown(&arguments[0]));
        Err(super::refused(message, &arguments[0], nil()))
    }),
    ("%no-ccase", |arguments| {
        let message = format!("ccase: no clause for {}", value::shown(&arguments[0]));
        Err(super::refused(message, &arguments[0], nil()))
    }),
    ("tree-equal", |arguments| {
        count("tree-equal", arguments, 2, 2)?;
        Ok(value::truth(alike(&arguments[0], &arguments[1])))
    }),
];

/// Returns the element at `index` without copying the list; `nil` past its end.
fn element(function: &str, value: &Value, index: usize) -> Answer {
    match value {
        SteelVal::ListV(list) => Ok(list.get(index).cloned().unwrap_or_else(nil)),
        SteelVal::Pair(_) => {
            let mut rest = value.clone();
            for _ in 0..index {
                rest = match &rest {
                    SteelVal::Pair(pair) => pair.cdr(),
                    _ => return element(function, &rest, 0),
                };
            }
            match &rest {
                SteelVal::Pair(pair) => Ok(pair.car()),
                other => element(function, other, 0),
            }
        }
        _ if is_nil(value) => Ok(nil()),
        _ => Err(wrong(function, "a list", value)),
    }
}

/// `cadr` and the like: follows the letters between `c` and `r` from right to left.
fn along(function: &str, arguments: &[Value]) -> Answer {
    count(function, arguments, 1, 1)?;
    path(function, &arguments[0], &function[1..function.len() - 1])
}

/// Common Lisp's `car` and `cdr`, which are `nil` for `nil`.
fn path(function: &str, value: &Value, letters: &str) -> Answer {
    let mut value = value.clone();
    for letter in letters.bytes().rev() {
        value = match (&value, letter) {
            (SteelVal::ListV(list), b'a') => list.car().unwrap_or_else(nil),
            (SteelVal::ListV(list), _) => list.cdr().map_or_else(nil, SteelVal::ListV),
            (SteelVal::Pair(pair), b'a') => pair.car(),
            (SteelVal::Pair(pair), _) => pair.cdr(),
            (other, _) if is_nil(other) => nil(),
            (other, _) => return Err(wrong(function, "a list or pair", other)),
        };
    }
    Ok(value)
}

fn at(function: &str, arguments: &[Value], index: usize) -> Answer {
    count(function, arguments, 1, 1)?;
    element(function, &arguments[0], index)
}

fn rest(arguments: &[Value]) -> Answer {
    count("rest", arguments, 1, 1)?;
    match &arguments[0] {
        SteelVal::ListV(list) if list.is_empty() => Ok(nil()),
        SteelVal::ListV(list) => Ok(list.cdr().map_or_else(nil, SteelVal::ListV)),
        SteelVal::Pair(pair) => Ok(pair.cdr()),
        value if is_nil(value) => Ok(nil()),
        value => Err(wrong("rest", "a list", value)),
    }
}

fn nth(arguments: &[Value]) -> Answer {
    count("nth", arguments, 2, 2)?;
    element("nth", &arguments[1], index_of("nth", &arguments[0])?)
}

fn nthcdr(arguments: &[Value]) -> Answer {
    count("nthcdr", arguments, 2, 2)?;
    let skipped = index_of("nthcdr", &arguments[0])?;
    if let SteelVal::ListV(list) = &arguments[1] {
        let rest = if skipped < list.len() { list.tail(skipped) } else { None };
        return Ok(rest.map_or_else(nil, SteelVal::ListV));
    }
    Ok(list(list_of("nthcdr", &arguments[1])?.into_iter().skip(skipped).collect()))
}

/// `(last list)` returns the list of the last element, as in Common Lisp.
fn last(arguments: &[Value]) -> Answer {
    count("last", arguments, 1, 2)?;
    let kept = arguments.get(1).map_or(Ok(1), |number| index_of("last", number))?;
    let all = list_of("last", &arguments[0])?;
    Ok(list(all[all.len().saturating_sub(kept)..].to_vec()))
}

fn butlast(arguments: &[Value]) -> Answer {
    count("butlast", arguments, 1, 2)?;
    let dropped = arguments.get(1).map_or(Ok(1), |number| index_of("butlast", number))?;
    let mut all = list_of("butlast", &arguments[0])?;
    all.truncate(all.len().saturating_sub(dropped));
    Ok(list(all))
}

fn append(arguments: &[Value]) -> Answer {
    let Some((last, front)) = arguments.split_last() else { return Ok(nil()) };
    let mut all = Vec::new();
    for part in front {
        match part {
            SteelVal::ListV(part) => {
                all.reserve(part.len() + 1);
                all.extend(part.iter().cloned());
            }
            other => all.extend(list_of("append", other)?),
        }
    }
    match elements(last) {
        Some(_) if all.is_empty() => Ok(last.clone()),
        Some(rest) => {
            all.extend(rest);
            Ok(list(all))
        }
        None => {
            Ok(all.into_iter().rev().fold(last.clone(), |tail, element| value::cons(element, tail)))
        }
    }
}

fn list_star(arguments: &[Value]) -> Answer {
    count("list*", arguments, 1, usize::MAX)?;
    let (front, last) = arguments.split_at(arguments.len() - 1);
    append(&[list(front.to_vec()), last[0].clone()])
}

fn make_list(arguments: &[Value]) -> Answer {
    count("make-list", arguments, 1, 3)?;
    let length = index_of("make-list", &arguments[0])?;
    super::guards::check_size("make-list", length)?;
    let fill = arguments.last().filter(|_| arguments.len() > 1).cloned().unwrap_or_else(nil);
    Ok(list(vec![fill; length]))
}

fn getf(arguments: &[Value]) -> Answer {
    count("getf", arguments, 2, 3)?;
    let all = list_of("getf", &arguments[0])?;
    let found =
        all.chunks_exact(2).find(|pair| equal(&pair[0], &arguments[1])).map(|pair| pair[1].clone());
    Ok(found.or_else(|| arguments.get(2).cloned()).unwrap_or_else(nil))
}

fn iota(arguments: &[Value]) -> Answer {
    count("iota", arguments, 1, 3)?;
    let length = index_of("iota", &arguments[0])?;
    super::guards::check_size("iota", length)?;
    let start = arguments.get(1).map_or(Ok(0), |value| integer_of("iota", value))?;
    let step = arguments.get(2).map_or(Ok(1), |value| integer_of("iota", value))?;
    Ok(list(
        (0..length as i64)
            .map(|index| value::integer(start.wrapping_add(index.wrapping_mul(step))))
            .collect(),
    ))
}

/// `(%append-reverse new reversed)`: puts the elements of `new` before `reversed`, in reverse
/// order. `loop` collects by `append` this way.
fn append_reverse(arguments: &[Value]) -> Answer {
    let new = list_of("append", &arguments[0])?;
    Ok(new.into_iter().fold(arguments[1].clone(), |all, element| value::cons(element, all)))
}
