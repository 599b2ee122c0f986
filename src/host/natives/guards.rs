//! Checks for functions of the interpreter that could end the process: some allocate whatever size
//! they are given, others look into their arguments by recursion. The prelude calls these checks
//! first.

use steel::{SteelErr, SteelVal};

use super::{Code, fail};
use crate::host::value::{Value, as_integer, as_str, elements, nil};

pub(super) static TABLE: &[(&str, Code)] = &[
    // (%size function size): returns the size, if a sequence may have it.
    ("%size", |arguments| {
        let size =
            as_integer(&arguments[1]).and_then(|size| usize::try_from(size).ok()).unwrap_or(0);
        check_size(name(&arguments[0]), size)?;
        Ok(arguments[1].clone())
    }),
    // (%check-range function start (end)): checks the number of elements.
    ("%check-range", |arguments| {
        let end = elements(&arguments[2]).and_then(|rest| rest.first().and_then(as_integer));
        let start = as_integer(&arguments[1]);
        let count = end
            .map_or(start, |end| end.checked_sub(start?))
            .and_then(|count| usize::try_from(count).ok())
            .unwrap_or(0);
        check_size(name(&arguments[0]), count)?;
        Ok(nil())
    }),
    ("%check-power", |arguments| {
        let power = as_integer(&arguments[1]).map(i64::unsigned_abs);
        let digits = match &arguments[0] {
            SteelVal::IntV(-1..=1) | SteelVal::NumV(_) => 0,
            base => base.to_string().len() as u64,
        };
        let fits = match power {
            Some(power) => power.saturating_mul(digits) <= MOST_DIGITS,
            None => digits == 0 || !matches!(arguments[1], SteelVal::BigNum(_)),
        };
        if fits {
            Ok(nil())
        } else {
            Err(fail(format!("expt: the power would have more than {MOST_DIGITS} digits")))
        }
    }),
    // (%shallow function key): returns the key, if it is not nested too deep.
    ("%shallow", |arguments| {
        if is_shallow(&arguments[1]) {
            Ok(arguments[1].clone())
        } else {
            Err(too_deep(&arguments[0]))
        }
    }),
    // (%shallow-keys function (key value …)): returns the list, if no key is nested too deep.
    ("%shallow-keys", |arguments| {
        let given = elements(&arguments[1]).unwrap_or_default();
        if given.iter().step_by(2).all(is_shallow) {
            Ok(arguments[1].clone())
        } else {
            Err(too_deep(&arguments[0]))
        }
    }),
];

/// The maximum number of elements that a sequence may be made with: a vector of 800 MB.
const LARGEST: usize = 50_000_000;
/// The maximum size of a power: about one second of computation.
const MOST_DIGITS: u64 = 1_000_000;
/// How deep a key may be nested.
const DEEPEST: usize = 1_000;

fn name(function: &Value) -> &str {
    as_str(function).unwrap_or("make")
}

/// Checks that a sequence may have this many elements.
pub(super) fn check_size(function: &str, size: usize) -> Result<(), SteelErr> {
    if size > LARGEST {
        Err(fail(format!("{function}: expected at most {LARGEST} elements, got {size}")))
    } else {
        Ok(())
    }
}

fn too_deep(function: &Value) -> SteelErr {
    fail(format!("{}: expected a key that is nested at most {DEEPEST} deep", name(function)))
}

fn is_shallow(value: &Value) -> bool {
    let mut pending = vec![(value.clone(), 0)];
    while let Some((value, depth)) = pending.pop() {
        if depth > DEEPEST {
            return false;
        }
        match &value {
            SteelVal::ListV(list) => {
                pending.extend(list.iter().map(|element| (element.clone(), depth + 1)))
            }
            SteelVal::VectorV(vector) => {
                pending.extend(vector.iter().map(|element| (element.clone(), depth + 1)))
            }
            SteelVal::Pair(pair) => {
                pending.extend([(pair.car(), depth + 1), (pair.cdr(), depth + 1)])
            }
            SteelVal::HashMapV(map) => {
                pending.extend(
                    map.iter()
                        .flat_map(|(key, value)| [key, value])
                        .map(|element| (element.clone(), depth + 1)),
                );
            }
            SteelVal::HashSetV(set) => {
                pending.extend(set.iter().map(|element| (element.clone(), depth + 1)))
            }
            _ => {}
        }
    }
    true
}
