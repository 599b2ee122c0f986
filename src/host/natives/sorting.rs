//! Sorting in an order that the system knows.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::LazyLock;

use steel::SteelVal;

use super::comparison::by_address;
use super::sequence_keys::declined;
use super::{Answer, Code, list_of};
use crate::host::value::{self, Value, list, nil};

pub(super) static TABLE: &[(&str, Code)] = &[("%sort-native", sort_native)];

/// An order of values of one kind.
#[derive(Clone, Copy)]
enum Order {
    Numbers,
    Texts,
    FoldedTexts,
    Characters,
}

/// The known orders, by the address of the native, and whether they descend.
static ORDERS: LazyLock<HashMap<usize, (Order, bool)>> = LazyLock::new(|| {
    by_address(|name| {
        Some(match name {
            "<" => (Order::Numbers, false),
            ">" => (Order::Numbers, true),
            "string<" => (Order::Texts, false),
            "string>" => (Order::Texts, true),
            "string-lessp" => (Order::FoldedTexts, false),
            "string-greaterp" => (Order::FoldedTexts, true),
            "char<" => (Order::Characters, false),
            "char>" => (Order::Characters, true),
            _ => return None,
        })
    })
});

impl Order {
    /// Returns the order of two values; `None` if they are not of its kind, or of different kinds.
    fn of(self, left: &Value, right: &Value) -> Option<Ordering> {
        match (self, left, right) {
            (Order::Numbers, SteelVal::IntV(left), SteelVal::IntV(right)) => Some(left.cmp(right)),
            (Order::Numbers, SteelVal::NumV(left), SteelVal::NumV(right)) => {
                left.partial_cmp(right)
            }
            (
                Order::Texts | Order::FoldedTexts,
                SteelVal::StringV(left),
                SteelVal::StringV(right),
            ) => Some(left.as_str().cmp(right.as_str())),
            (Order::Characters, SteelVal::CharV(left), SteelVal::CharV(right)) => {
                Some(left.cmp(right))
            }
            _ => None,
        }
    }
}

/// `(%sort-native elements keys order)`: returns the sorted list of elements, if the system knows
/// the order and all keys are of its kind. Elements with equal keys keep their order.
fn sort_native(arguments: &[Value]) -> Answer {
    let SteelVal::FuncV(code) = &arguments[2] else { return declined() };
    let Some((order, descends)) = ORDERS.get(&(*code as usize)) else { return declined() };
    let elements = list_of("sort", &arguments[0])?;
    let mut keys = list_of("sort", &arguments[1])?;
    let Some(first) = keys.first() else { return Ok(nil()) };
    // NaN is not even in order with itself.
    let ordered = |key| order.of(first, key).is_some() && order.of(key, key).is_some();
    if !keys.iter().all(ordered) {
        return declined();
    }
    if matches!(order, Order::FoldedTexts) {
        for key in &mut keys {
            if let SteelVal::StringV(text) = key {
                // Strings are compared character by character. The lower case of İ has two.
                if text.contains('İ') {
                    return declined();
                }
                *key = value::string(text.chars().flat_map(char::to_lowercase).collect::<String>());
            }
        }
    }
    let mut places: Vec<usize> = (0..elements.len()).collect();
    places.sort_by(|&left, &right| {
        let ordering = order.of(&keys[left], &keys[right]).unwrap_or(Ordering::Equal);
        if *descends { ordering.reverse() } else { ordering }
    });
    Ok(list(places.into_iter().map(|place| elements[place].clone()).collect()))
}
