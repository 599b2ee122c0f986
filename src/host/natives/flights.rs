//! Flights: what an error carries while it unwinds the stack.
//!
//! The interpreter's errors hold only text. So an error is raised with a number, and the prelude's
//! list `%flights` holds the flight under that number, as `(number kind payload trail)`. The kind
//! is `condition` (the payload is the raised value), `throw` (a tag and the values), or `exit` (the
//! status).

use std::sync::atomic::{AtomicI64, Ordering};

use super::{Code, fail, integer_of};
use crate::host::messages;
use crate::host::value::{self, Value, as_integer, cons, elements, list, nil, symbol};

/// A flight is never taken if an error in a clean-up form replaced its error. If there are more
/// than this many, only the newest are kept.
const MOST: usize = 1_000;
const STAY: usize = 100;

static LAST: AtomicI64 = AtomicI64::new(0);

pub(super) static TABLE: &[(&str, Code)] = &[
    ("%with-flight", |arguments| {
        let number = value::integer(LAST.fetch_add(1, Ordering::Relaxed) + 1);
        let mut others = arguments[1].clone();
        if let Value::ListV(many) = &others
            && many.len() > MOST
        {
            others = value::list_of(many.iter().take(STAY).cloned());
        }
        Ok(cons(cons(number, arguments[0].clone()), others))
    }),
    ("%raise-newest", |arguments| {
        let newest = value::as_list(&arguments[0]).and_then(|mut flights| flights.next());
        Err(newest
            .and_then(|flight| number_of(&flight))
            .map_or_else(|| fail(UNKNOWN), messages::token_error))
    }),
    ("%flight", |arguments| Ok(list(flight(integer_of("error", &arguments[0])?, &arguments[1])))),
    ("%without-flight", |arguments| {
        Ok(without(integer_of("error", &arguments[0])?, &arguments[1]))
    }),
];

const UNKNOWN: &str = "an error without a cause";

fn number_of(flight: &Value) -> Option<i64> {
    as_integer(&value::as_list(flight)?.next()?)
}

/// Returns the kind, the payload and the trail of the flight with this number.
pub(crate) fn flight(number: i64, flights: &Value) -> Vec<Value> {
    let found = value::as_list(flights)
        .into_iter()
        .flatten()
        .find(|flight| number_of(flight) == Some(number));
    let found = found.and_then(|flight| elements(&flight)).map(|flight| flight[1..].to_vec());
    found.unwrap_or_else(|| vec![symbol("condition"), value::string(UNKNOWN), nil()])
}

/// Returns the flights without the one with this number.
pub(crate) fn without(number: i64, flights: &Value) -> Value {
    value::list_of(
        value::as_list(flights)
            .into_iter()
            .flatten()
            .filter(|flight| number_of(flight) != Some(number)),
    )
}
