//! Data on its way from one engine to another.
//!
//! Lists, strings and numbers never change, so both engines may hold the same ones. Bytes, hash
//! tables, structures and vectors can change, so they are copied: no engine sees what another does to them, and
//! a vector belongs to the memory of its engine.

use std::collections::HashSet;
use std::sync::Arc;

use steel::SteelVal;

use super::natives::{HashTable, Structure, hash_table_entries, structure, table_like};
use super::occurrence::Occurrence;
use super::value::{self, Value, as_bytes, downcast};
use super::worker::described;

/// How deep copied data may be nested. Data that contains itself is deeper.
const DEEPEST: usize = 500;

/// A value that consists of data and conditions, and is independent of its engine.
pub struct Parcel {
    value: Value,
    /// Whether nothing in it can change.
    is_fixed: bool,
}

impl Parcel {
    /// Takes data of this thread's engine.
    ///
    /// # Errors
    /// Describes a part that is neither data nor a condition, or says that the value is nested too
    /// deep to be copied.
    pub fn of(value: &Value) -> Result<Parcel, String> {
        let is_fixed = is_fixed(value)?;
        Ok(Parcel { value: if is_fixed { value.clone() } else { copy(value, 0)? }, is_fixed })
    }

    /// Returns the data for this thread's engine. A vector is now one that cannot be changed.
    pub fn open(&self) -> Value {
        if self.is_fixed {
            self.value.clone()
        } else {
            copy(&self.value, 0).unwrap_or_else(|_| value::nil())
        } // `of` has copied it once
    }
}

/// Returns whether nothing in a value can change. It uses its own stack, so depth is no problem,
/// and enters each object once. The error describes a part that is not data.
fn is_fixed(value: &Value) -> Result<bool, String> {
    let (mut is_fixed, mut entered) = (true, HashSet::new());
    let mut pending = vec![value.clone()];
    while let Some(value) = pending.pop() {
        match &value {
            SteelVal::ListV(list) => pending.extend(list.iter().cloned()),
            SteelVal::VectorV(vector) => pending.extend(vector.iter().cloned()),
            SteelVal::Pair(pair) => pending.extend([pair.car(), pair.cdr()]),
            SteelVal::HashMapV(map) => {
                pending.extend(map.iter().flat_map(|(key, value)| [key.clone(), value.clone()]))
            }
            SteelVal::HashSetV(set) => pending.extend(set.iter().cloned()),
            SteelVal::ByteVector(_) => is_fixed = false,
            SteelVal::MutableVector(vector) => {
                is_fixed = false;
                if entered.insert(vector.as_ptr_usize()) {
                    pending.extend(vector.get());
                }
            }
            atom if is_atom(atom) => {}
            condition if let Some(found) = downcast::<Occurrence>(condition) => {
                is_fixed &= found.slots().iter().all(Option::is_none);
            }
            other => match downcast::<HashTable>(other) {
                Some(table) => {
                    is_fixed = false;
                    if entered.insert(Arc::as_ptr(&table) as usize) {
                        pending.extend(
                            entries(other).into_iter().flat_map(|(key, value)| [key, value]),
                        );
                    }
                }
                None => match downcast::<Structure>(other) {
                    Some(found) => {
                        is_fixed = false;
                        if entered.insert(Arc::as_ptr(&found) as usize) {
                            pending.extend(found.slots());
                        }
                    }
                    None => return Err(described(other)),
                },
            },
        }
    }
    Ok(is_fixed)
}

fn is_atom(value: &Value) -> bool {
    matches!(
        value,
        SteelVal::BoolV(_)
            | SteelVal::IntV(_)
            | SteelVal::NumV(_)
            | SteelVal::Rational(_)
            | SteelVal::BigNum(_)
            | SteelVal::BigRational(_)
            | SteelVal::Complex(_)
            | SteelVal::CharV(_)
            | SteelVal::StringV(_)
            | SteelVal::SymbolV(_)
            | SteelVal::Void
    )
}

fn copy(value: &Value, depth: usize) -> Result<Value, String> {
    if depth > DEEPEST {
        return Err(format!(
            "more than {DEEPEST} lists within one another, or one that holds itself"
        ));
    }
    let copies = |values: Vec<Value>| {
        values.iter().map(|value| copy(value, depth + 1)).collect::<Result<Vec<_>, _>>()
    };
    Ok(match value {
        SteelVal::ListV(list) => value::list(copies(list.iter().cloned().collect())?),
        SteelVal::Pair(_) => {
            let (elements, tail) = value::spine(value);
            copies(elements)?
                .into_iter()
                .rev()
                .fold(copy(&tail, depth + 1)?, |rest, first| value::cons(first, rest))
        }
        SteelVal::VectorV(vector) => {
            SteelVal::VectorV(copies(vector.iter().cloned().collect())?.into_iter().collect())
        }
        SteelVal::MutableVector(vector) => {
            SteelVal::VectorV(copies(vector.get())?.into_iter().collect())
        }
        SteelVal::ByteVector(_) => value::bytes(as_bytes(value).unwrap_or_default()),
        // The interpreter's own hashes do not change, and are rare.
        SteelVal::HashMapV(_) | SteelVal::HashSetV(_) if !is_fixed(value)? => {
            return Err("a hash that holds what can be changed".to_owned());
        }
        other => match downcast::<HashTable>(other) {
            Some(table) => {
                let copied = |(key, value): (Value, Value)| {
                    Ok::<_, String>((copy(&key, depth + 1)?, copy(&value, depth + 1)?))
                };
                table_like(
                    &table,
                    entries(other).into_iter().map(copied).collect::<Result<_, _>>()?,
                )
            }
            None => match downcast::<Structure>(other) {
                Some(found) => structure(found.layout.clone(), copies(found.slots())?),
                None => match downcast::<Occurrence>(other) {
                    // What a slot holds is of less use than the condition: it need not be data.
                    Some(found) => {
                        let slots = found.slots().into_iter();
                        let copied =
                            |slot: Value| is_fixed(&slot).and_then(|_| copy(&slot, depth + 1)).ok();
                        found.with_slots(slots.map(|slot| slot.and_then(copied)).collect())
                    }
                    None => other.clone(), // `is_fixed` has checked it
                },
            },
        },
    })
}

fn entries(table: &Value) -> Vec<(Value, Value)> {
    hash_table_entries(table).unwrap_or_default()
}
