//! Functions on numbers where the interpreter's own take other arguments or overflow.
//!
//! Small integers and floats are handled here. Integers beyond 64 bits and ratios go through the
//! interpreter's functions.

use std::cmp::Ordering;

use steel::SteelVal;

use super::{Answer, Code, count, fail, wrong};
use crate::host::primitives::primitive;
use crate::host::value::{self, Value, as_float, integer};
use crate::lisp::Datum;

pub(super) static TABLE: &[(&str, Code)] = &[
    ("=", |arguments| compare("=", arguments)),
    ("<", |arguments| compare("<", arguments)),
    (">", |arguments| compare(">", arguments)),
    ("<=", |arguments| compare("<=", arguments)),
    (">=", |arguments| compare(">=", arguments)),
    ("/=", all_differ),
    ("1+", |arguments| plus("1+", arguments, 1)),
    ("1-", |arguments| plus("1-", arguments, -1)),
    ("max", |arguments| extreme("max", ">", arguments)),
    ("min", |arguments| extreme("min", "<", arguments)),
    ("zerop", |arguments| against_zero("zerop", "=", arguments)),
    ("plusp", |arguments| against_zero("plusp", ">", arguments)),
    ("minusp", |arguments| against_zero("minusp", "<", arguments)),
    // The interpreter's own take 0.0 for positive, and answer for what is not a number.
    ("positive?", |arguments| against_zero("positive?", ">", arguments)),
    ("negative?", |arguments| against_zero("negative?", "<", arguments)),
    ("exact?", |arguments| is_float("exact?", arguments).map(|is_float| value::truth(!is_float))),
    ("inexact?", |arguments| is_float("inexact?", arguments).map(value::truth)),
    ("floor", |arguments| divide("floor", arguments, Way::Floor)),
    ("ceiling", |arguments| divide("ceiling", arguments, Way::Ceiling)),
    ("round", |arguments| divide("round", arguments, Way::Round)),
    ("truncate", |arguments| divide("truncate", arguments, Way::Truncate)),
    ("ffloor", |arguments| float_divide("ffloor", arguments, Way::Floor)),
    ("fceiling", |arguments| float_divide("fceiling", arguments, Way::Ceiling)),
    ("fround", |arguments| float_divide("fround", arguments, Way::Round)),
    ("ftruncate", |arguments| float_divide("ftruncate", arguments, Way::Truncate)),
    ("mod", |arguments| second("mod", arguments, Way::Floor)),
    ("modulo", |arguments| second("modulo", arguments, Way::Floor)),
    ("rem", |arguments| second("rem", arguments, Way::Truncate)),
    ("remainder", |arguments| second("remainder", arguments, Way::Truncate)),
    ("quotient", |arguments| {
        count("quotient", arguments, 2, 2)?;
        if let Some(other) = arguments.iter().find(|value| !is_whole(value)) {
            return Err(wrong("quotient", "an integer", other));
        }
        let quotient = divided("quotient", &arguments[0], &arguments[1], Way::Truncate)?.0;
        let is_float = arguments.iter().any(|value| matches!(value, SteelVal::NumV(_)));
        Ok(as_float(&quotient).filter(|_| is_float).map_or(quotient, SteelVal::NumV))
    }),
    ("atan", |arguments| {
        count("atan", arguments, 1, 2)?;
        let part = |value| as_float(value).ok_or_else(|| wrong("atan", "a number", value));
        let across = arguments.get(1).map_or(Ok(1.0), part)?;
        match arguments {
            [SteelVal::IntV(0)] => Ok(integer(0)),
            _ => Ok(SteelVal::NumV(part(&arguments[0])?.atan2(across))),
        }
    }),
    ("/", quotient),
    ("abs", |arguments| {
        count("abs", arguments, 1, 1)?;
        match &arguments[0] {
            SteelVal::IntV(number) => Ok(whole((*number as i128).abs())),
            SteelVal::NumV(number) => Ok(SteelVal::NumV(number.abs())),
            other if super::types::is_number(other) => Ok(value::from_datum(&Datum::Number(
                other.to_string().trim_start_matches('-').to_owned(),
            ))),
            other => Err(wrong("abs", "a number", other)),
        }
    }),
    ("ash", |arguments| shift("ash", arguments)),
    ("arithmetic-shift", |arguments| shift("arithmetic-shift", arguments)),
    ("bitwise-and", |arguments| bitwise("bitwise-and", arguments, -1, |left, right| left & right)),
    ("bitwise-ior", |arguments| bitwise("bitwise-ior", arguments, 0, |left, right| left | right)),
    ("bitwise-xor", |arguments| bitwise("bitwise-xor", arguments, 0, |left, right| left ^ right)),
    ("logand", |arguments| bitwise("logand", arguments, -1, |left, right| left & right)),
    ("logior", |arguments| bitwise("logior", arguments, 0, |left, right| left | right)),
    ("logxor", |arguments| bitwise("logxor", arguments, 0, |left, right| left ^ right)),
    ("random", random),
];

#[derive(Clone, Copy)]
enum Way {
    Floor,
    Ceiling,
    Round,
    Truncate,
}

/// Makes a whole number of any size.
fn whole(number: i128) -> Value {
    match i64::try_from(number) {
        Ok(number) => integer(number),
        Err(_) => value::from_datum(&Datum::Number(number.to_string())),
    }
}

/// Divides two numbers. Returns the quotient, rounded as `way` says, and the remainder.
fn divided(
    function: &str,
    number: &Value,
    divisor: &Value,
    way: Way,
) -> Result<(Value, Value), steel::SteelErr> {
    let by_zero = || fail(format!("{function}: division by zero"));
    if let (SteelVal::IntV(number), SteelVal::IntV(divisor)) = (number, divisor) {
        let (number, divisor) = (*number as i128, *divisor as i128);
        if divisor == 0 {
            return Err(by_zero());
        }
        let floor =
            number.div_euclid(divisor) - i128::from(divisor < 0 && number.rem_euclid(divisor) != 0);
        let rest = number - floor * divisor;
        let quotient = match way {
            Way::Floor => floor,
            Way::Ceiling => floor + i128::from(rest != 0),
            Way::Truncate => number / divisor,
            Way::Round => match (2 * rest.abs()).cmp(&divisor.abs()) {
                std::cmp::Ordering::Less => floor,
                std::cmp::Ordering::Greater => floor + 1,
                std::cmp::Ordering::Equal => floor + floor.rem_euclid(2),
            },
        };
        return Ok((whole(quotient), whole(number - quotient * divisor)));
    }
    if is_exact(number) && is_exact(divisor) {
        return if divisor == &integer(0) { Err(by_zero()) } else { exact(number, divisor, way) };
    }
    let number = as_float(number).ok_or_else(|| wrong(function, "a number", number))?;
    let divisor = as_float(divisor).ok_or_else(|| wrong(function, "a number", divisor))?;
    if divisor == 0.0 {
        return Err(by_zero());
    }
    let quotient = match way {
        Way::Floor => (number / divisor).floor(),
        Way::Ceiling => (number / divisor).ceil(),
        Way::Round => (number / divisor).round_ties_even(),
        Way::Truncate => (number / divisor).trunc(),
    };
    let rest = SteelVal::NumV(number - quotient * divisor);
    if !quotient.is_finite() {
        return Err(fail(format!("{function}: {number} has no whole quotient by {divisor}")));
    }
    if quotient.abs() < 1e37 {
        return Ok((whole(quotient as i128), rest));
    }
    Ok((value::from_datum(&Datum::Number(format!("{quotient:.0}"))), rest))
}

fn is_exact(number: &Value) -> bool {
    use SteelVal::{BigNum, BigRational, IntV, Rational};
    matches!(number, IntV(_) | BigNum(_) | Rational(_) | BigRational(_))
}

fn is_float(function: &str, arguments: &[Value]) -> Result<bool, steel::SteelErr> {
    count(function, arguments, 1, 1)?;
    match &arguments[0] {
        SteelVal::NumV(_) => Ok(true),
        other if super::types::is_number(other) => Ok(false),
        other => Err(wrong(function, "a number", other)),
    }
}

/// Whether a number is an integer, also one that is a float.
fn is_whole(number: &Value) -> bool {
    match number {
        SteelVal::IntV(_) | SteelVal::BigNum(_) => true,
        SteelVal::NumV(number) => number.fract() == 0.0,
        _ => false,
    }
}

/// Of integers of 64 bits. The interpreter's own take anything for 0.
fn bitwise(function: &str, arguments: &[Value], unit: i64, of: fn(i64, i64) -> i64) -> Answer {
    arguments
        .iter()
        .try_fold(unit, |result, value| match value::as_integer(value) {
            Some(number) => Ok(of(result, number)),
            None => Err(wrong(function, "an integer of 64 bits", value)),
        })
        .map(integer)
}

/// `(/ number divisor …)`. The interpreter multiplies by the reciprocal of a float, which rounds twice.
fn quotient(arguments: &[Value]) -> Answer {
    count("/", arguments, 1, usize::MAX)?;
    let one = [integer(1), arguments[0].clone()];
    let (first, divisors) =
        if arguments.len() == 1 { one.split_at(1) } else { arguments.split_at(1) };
    let mut result = first[0].clone();
    for divisor in divisors {
        let inexact = matches!(result, SteelVal::NumV(_)) || matches!(divisor, SteelVal::NumV(_));
        result = match (as_float(&result), as_float(divisor)) {
            (Some(number), Some(divisor)) if inexact && divisor != 0.0 => {
                SteelVal::NumV(number / divisor)
            }
            _ => number_function("/", &[result, divisor.clone()])?,
        };
    }
    Ok(result)
}

/// Calls a function of the interpreter, for the rare kinds of numbers.
pub(super) fn number_function(name: &'static str, arguments: &[Value]) -> Answer {
    let module = match name {
        "=" => "steel/equality",
        "<" | ">" | "<=" | ">=" => "steel/ord",
        _ => "steel/numbers",
    };
    match primitive(module, name) {
        Some(SteelVal::FuncV(function)) => function(arguments),
        _ => Err(fail(format!("{name}: not there"))),
    }
}

/// Divides integers beyond 64 bits and ratios.
fn exact(number: &Value, divisor: &Value, way: Way) -> Result<(Value, Value), steel::SteelErr> {
    let call =
        |name, left: &Value, right: &Value| number_function(name, &[left.clone(), right.clone()]);
    let holds = |name, left: &Value, right: &Value| {
        call(name, left, right).map(|answer| answer == SteelVal::BoolV(true))
    };
    let ratio = call("/", number, divisor)?;
    let floor = number_function("floor", std::slice::from_ref(&ratio))?;
    let fraction = call("-", &ratio, &floor)?;
    let is_whole = holds("=", &fraction, &integer(0))?;
    let up = match way {
        _ if is_whole => false,
        Way::Floor => false,
        Way::Ceiling => true,
        Way::Truncate => holds("<", &ratio, &integer(0))?,
        Way::Round => {
            let twice = call("*", &fraction, &integer(2))?;
            let half = call("/", &floor, &integer(2))?;
            let is_odd = half != number_function("floor", std::slice::from_ref(&half))?;
            holds(">", &twice, &integer(1))? || (holds("=", &twice, &integer(1))? && is_odd)
        }
    };
    let quotient = if up { call("-", &floor, &integer(-1))? } else { floor };
    let rest = call("-", number, &call("*", &quotient, divisor)?)?;
    Ok((quotient, rest))
}

/// `(floor number divisor)`: returns the rounded quotient and the remainder. The divisor defaults
/// to 1.
fn divide(function: &str, arguments: &[Value], way: Way) -> Answer {
    count(function, arguments, 1, 2)?;
    let one = integer(1);
    let (quotient, rest) = divided(function, &arguments[0], arguments.get(1).unwrap_or(&one), way)?;
    Ok(super::control::several(vec![quotient, rest]))
}

/// As [`divide`], with the quotient as a float.
fn float_divide(function: &str, arguments: &[Value], way: Way) -> Answer {
    count(function, arguments, 1, 2)?;
    let one = integer(1);
    let (quotient, rest) = divided(function, &arguments[0], arguments.get(1).unwrap_or(&one), way)?;
    let quotient = as_float(&quotient).unwrap_or(f64::NAN);
    Ok(super::control::several(vec![SteelVal::NumV(quotient), rest]))
}

/// Returns whether two numbers are in the order that the function's name says.
fn in_order(function: &'static str, left: &Value, right: &Value) -> Result<bool, steel::SteelErr> {
    let ordered = |ordering: Option<Ordering>| match function {
        "=" => ordering == Some(Ordering::Equal),
        "<" => ordering == Some(Ordering::Less),
        ">" => ordering == Some(Ordering::Greater),
        "<=" => matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
        _ => matches!(ordering, Some(Ordering::Greater | Ordering::Equal)),
    };
    match (left, right) {
        (SteelVal::IntV(left), SteelVal::IntV(right)) => Ok(ordered(Some(left.cmp(right)))),
        (SteelVal::NumV(left), SteelVal::NumV(right)) => Ok(ordered(left.partial_cmp(right))),
        _ => {
            let answer = number_function(function, &[left.clone(), right.clone()])?;
            Ok(answer == SteelVal::BoolV(true))
        }
    }
}

fn check_numbers(function: &str, arguments: &[Value]) -> Result<(), steel::SteelErr> {
    match arguments.iter().position(|argument| !super::types::is_number(argument)) {
        None => Ok(()),
        Some(index) if arguments.len() == 1 => Err(wrong(function, "a number", &arguments[index])),
        Some(index) => {
            let expected = format!("a number as argument {}", index + 1);
            Err(wrong(function, &expected, &arguments[index]))
        }
    }
}

/// `(< number …)`: returns whether each number is in order with the next.
fn compare(function: &'static str, arguments: &[Value]) -> Answer {
    if let [SteelVal::IntV(left), SteelVal::IntV(right)] = arguments {
        return Ok(SteelVal::BoolV(match function {
            "=" => left == right,
            "<" => left < right,
            ">" => left > right,
            "<=" => left <= right,
            _ => left >= right,
        }));
    }
    count(function, arguments, 1, usize::MAX)?;
    check_numbers(function, arguments)?;
    for pair in arguments.windows(2) {
        if !in_order(function, &pair[0], &pair[1])? {
            return Ok(SteelVal::BoolV(false));
        }
    }
    Ok(SteelVal::BoolV(true))
}

/// `(/= number …)`: returns whether no two are equal.
fn all_differ(arguments: &[Value]) -> Answer {
    count("/=", arguments, 1, usize::MAX)?;
    check_numbers("/=", arguments)?;
    for (index, left) in arguments.iter().enumerate() {
        for right in &arguments[index + 1..] {
            if in_order("=", left, right)? {
                return Ok(value::truth(false));
            }
        }
    }
    Ok(value::truth(true))
}

/// Returns the extreme number in the order `beyond`, the first of equal ones.
fn extreme(function: &'static str, beyond: &'static str, arguments: &[Value]) -> Answer {
    count(function, arguments, 1, usize::MAX)?;
    check_numbers(function, arguments)?;
    let mut found = &arguments[0];
    for number in &arguments[1..] {
        if in_order(beyond, number, found)? {
            found = number;
        }
    }
    Ok(found.clone())
}

/// `1+` and `1-`.
fn plus(function: &'static str, arguments: &[Value], step: isize) -> Answer {
    count(function, arguments, 1, 1)?;
    if let SteelVal::IntV(number) = &arguments[0]
        && let Some(sum) = number.checked_add(step)
    {
        return Ok(SteelVal::IntV(sum));
    }
    check_numbers(function, arguments)?;
    number_function("-", &[arguments[0].clone(), SteelVal::IntV(-step)])
}

fn against_zero(function: &'static str, order: &'static str, arguments: &[Value]) -> Answer {
    count(function, arguments, 1, 1)?;
    check_numbers(function, arguments)?;
    Ok(value::truth(in_order(order, &arguments[0], &integer(0))?))
}

fn second(function: &str, arguments: &[Value], way: Way) -> Answer {
    count(function, arguments, 2, 2)?;
    Ok(divided(function, &arguments[0], &arguments[1], way)?.1)
}

/// `(ash number bits)`: shifts to the left, or to the right if `bits` is negative.
fn shift(function: &str, arguments: &[Value]) -> Answer {
    count(function, arguments, 2, 2)?;
    let number = i128::from(super::integer_of(function, &arguments[0])?);
    let bits = super::integer_of(function, &arguments[1])?;
    match bits {
        ..0 => Ok(whole(number >> bits.unsigned_abs().min(127))),
        0..=63 => Ok(whole(number << bits)),
        _ if number == 0 => Ok(integer(0)),
        _ => Err(fail(format!("{function}: {} is too far", value::shown(&arguments[1])))),
    }
}

/// `(random limit)`: returns a number from 0 up to, but not including, the limit. Not for secrets.
fn random(arguments: &[Value]) -> Answer {
    use std::hash::{BuildHasher, RandomState};
    count("random", arguments, 1, 1)?;
    let bits = RandomState::new().hash_one(std::time::Instant::now());
    match &arguments[0] {
        SteelVal::IntV(limit) if *limit > 0 => {
            Ok(integer(((u128::from(bits) * (*limit as u128)) >> 64) as i64))
        }
        SteelVal::NumV(limit) if *limit > 0.0 => {
            Ok(SteelVal::NumV((bits >> 11) as f64 / (1u64 << 53) as f64 * limit))
        }
        other => Err(wrong("random", "a number above 0", other)),
    }
}
