//! Numbers, where the interpreter's own functions take other arguments or overflow.

use steel::SteelVal;

use super::{Answer, Code, count, fail, wrong};
use crate::host::value::{self, Value, integer};
use crate::lisp::Datum;

pub(super) const TABLE: &[(&str, Code)] = &[
    ("%divide-floor", |arguments| divide("floor", arguments, Way::Floor)),
    ("%divide-ceiling", |arguments| divide("ceiling", arguments, Way::Ceiling)),
    ("%divide-round", |arguments| divide("round", arguments, Way::Round)),
    ("%divide-truncate", |arguments| divide("truncate", arguments, Way::Truncate)),
    ("mod", |arguments| second("mod", arguments, Way::Floor)),
    ("modulo", |arguments| second("modulo", arguments, Way::Floor)),
    ("rem", |arguments| second("rem", arguments, Way::Truncate)),
    ("remainder", |arguments| second("remainder", arguments, Way::Truncate)),
    ("quotient", |arguments| {
        count("quotient", arguments, 2, 2)?;
        Ok(divided("quotient", &arguments[0], &arguments[1], Way::Truncate)?.0)
    }),
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
    ("random", random),
];

#[derive(Clone, Copy)]
enum Way {
    Floor,
    Ceiling,
    Round,
    Truncate,
}

/// A whole number of any size.
fn whole(number: i128) -> Value {
    match i64::try_from(number) {
        Ok(number) => integer(number),
        Err(_) => value::from_datum(&Datum::Number(number.to_string())),
    }
}

fn float(value: &Value) -> Option<f64> {
    match value {
        SteelVal::IntV(number) => Some(*number as f64),
        SteelVal::NumV(number) => Some(*number),
        SteelVal::Rational(ratio) => Some(f64::from(*ratio.numer()) / f64::from(*ratio.denom())),
        other if super::types::is_number(other) => other.to_string().parse().ok(),
        _ => None,
    }
}

/// Quotient and remainder.
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
    let number = float(number).ok_or_else(|| wrong(function, "a number", number))?;
    let divisor = float(divisor).ok_or_else(|| wrong(function, "a number", divisor))?;
    if divisor == 0.0 {
        return Err(by_zero());
    }
    let quotient = match way {
        Way::Floor => (number / divisor).floor(),
        Way::Ceiling => (number / divisor).ceil(),
        Way::Round => (number / divisor).round_ties_even(),
        Way::Truncate => (number / divisor).trunc(),
    };
    if !(-1e37..1e37).contains(&quotient) {
        return Err(fail(format!("{function}: the quotient is too large")));
    }
    Ok((whole(quotient as i128), SteelVal::NumV(number - quotient * divisor)))
}

fn divide(function: &str, arguments: &[Value], way: Way) -> Answer {
    count(function, arguments, 2, 2)?;
    let (quotient, rest) = divided(function, &arguments[0], &arguments[1], way)?;
    Ok(super::control::several(vec![quotient, rest]))
}

fn second(function: &str, arguments: &[Value], way: Way) -> Answer {
    count(function, arguments, 2, 2)?;
    Ok(divided(function, &arguments[0], &arguments[1], way)?.1)
}

/// `(ash number bits)`: to the left, or with negative bits to the right.
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

/// `(random limit)`: from 0 up to, without, the limit. Not for secrets.
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
