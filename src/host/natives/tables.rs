//! Hash tables of Common Lisp. They keep the insertion order.
//!
//! A key is hashed by its printed form; keys that print alike are told apart by the table's
//! comparison. Removed entries leave a gap, and gaps are closed when they are more than half of a
//! table of over 32 entries.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use steel::{SteelErr, SteelVal};

use super::types::{alike, equal, identical};
use super::{Answer, Code, count, fail, keys, wrong};
use crate::host::context::lock;
use crate::host::value::{self, Value, changing_object, downcast, is_nil, nil, to_datum, truth};
use crate::lisp::printer;

pub(super) const TABLE: &[(&str, Code)] = &[
    ("make-hash-table", make),
    ("gethash", |arguments| {
        count("gethash", arguments, 2, 3)?;
        let found = table("gethash", &arguments[1])?.get(&arguments[0]);
        let known = truth(found.is_some());
        Ok(super::control::several(vec![
            found.or_else(|| arguments.get(2).cloned()).unwrap_or_else(nil),
            known,
        ]))
    }),
    // (%set-gethash key table [default] value)
    ("%set-gethash", |arguments| {
        count("gethash", arguments, 3, 4)?;
        let value = arguments[arguments.len() - 1].clone();
        table("gethash", &arguments[1])?.set(&arguments[0], value.clone());
        Ok(value)
    }),
    ("remhash", |arguments| {
        count("remhash", arguments, 2, 2)?;
        Ok(truth(table("remhash", &arguments[1])?.remove(&arguments[0])))
    }),
    ("clrhash", |arguments| {
        count("clrhash", arguments, 1, 1)?;
        *lock(&table("clrhash", &arguments[0])?.content) = Content::default();
        Ok(arguments[0].clone())
    }),
    ("hash-table-count", |arguments| {
        count("hash-table-count", arguments, 1, 1)?;
        Ok(value::integer(table("hash-table-count", &arguments[0])?.count() as i64))
    }),
    ("hash-table-p", |arguments| {
        count("hash-table-p", arguments, 1, 1)?;
        Ok(truth(downcast::<HashTable>(&arguments[0]).is_some()))
    }),
    // A snapshot of the entries, because the function that goes through them may change the table.
    ("%hash-entries", |arguments| {
        let table = table("maphash", &arguments[0])?;
        let content = lock(&table.content);
        Ok(value::list(
            content
                .entries
                .iter()
                .flatten()
                .map(|(key, value)| value::list(vec![key.clone(), value.clone()]))
                .collect(),
        ))
    }),
];

/// A hash table: `same` compares keys.
pub(crate) struct HashTable {
    pub same: fn(&Value, &Value) -> bool,
    /// Whether the printed form of a key is compared without case, as `equalp` needs.
    pub folds: bool,
    pub content: Mutex<Content>,
}

/// The entries of a table.
#[derive(Default)]
pub(crate) struct Content {
    /// In insertion order; `None` where one was removed.
    entries: Vec<Option<(Value, Value)>>,
    /// Positions in `entries`, by the printed form of the key.
    places: HashMap<String, Vec<usize>>,
    count: usize,
}

impl fmt::Display for HashTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "#<hash-table {}>", self.count())
    }
}

impl HashTable {
    pub(crate) fn count(&self) -> usize {
        lock(&self.content).count
    }

    fn look(&self, key: &Value) -> String {
        let look = printer::readably(&to_datum(key));
        if !self.folds {
            return look;
        }
        // 1 and 1.0 are equal for `equalp`.
        let look = look.to_lowercase();
        look.strip_suffix(".0").map(str::to_owned).unwrap_or(look)
    }

    fn find(&self, content: &Content, look: &str, key: &Value) -> Option<usize> {
        let places = content.places.get(look)?;
        places.iter().copied().find(|place| {
            content.entries[*place].as_ref().is_some_and(|(known, _)| (self.same)(known, key))
        })
    }

    fn get(&self, key: &Value) -> Option<Value> {
        let content = lock(&self.content);
        let place = self.find(&content, &self.look(key), key)?;
        content.entries[place].as_ref().map(|(_, value)| value.clone())
    }

    fn set(&self, key: &Value, value: Value) {
        let look = self.look(key);
        let mut content = lock(&self.content);
        match self.find(&content, &look, key) {
            Some(place) => content.entries[place] = Some((key.clone(), value)),
            None => {
                let place = content.entries.len();
                content.entries.push(Some((key.clone(), value)));
                content.places.entry(look).or_default().push(place);
                content.count += 1;
            }
        }
    }

    fn remove(&self, key: &Value) -> bool {
        let look = self.look(key);
        let mut content = lock(&self.content);
        let Some(place) = self.find(&content, &look, key) else { return false };
        content.entries[place] = None;
        content.count -= 1;
        if let Some(places) = content.places.get_mut(&look) {
            places.retain(|other| *other != place);
            if places.is_empty() {
                content.places.remove(&look);
            }
        }
        if content.entries.len() > 32 && content.count < content.entries.len() / 2 {
            let kept: Vec<_> =
                std::mem::take(&mut *content).entries.into_iter().flatten().collect();
            for (place, (key, value)) in kept.into_iter().enumerate() {
                content.places.entry(self.look(&key)).or_default().push(place);
                content.entries.push(Some((key, value)));
                content.count += 1;
            }
        }
        true
    }
}

/// Makes a hash table that compares keys with `equal`.
pub fn hash_table(entries: Vec<(Value, Value)>) -> Value {
    table_like(&HashTable { same: equal, folds: false, content: Mutex::default() }, entries)
}

/// Returns the entries of a hash table in insertion order; `None` for anything else.
pub fn hash_table_entries(value: &Value) -> Option<Vec<(Value, Value)>> {
    let table = downcast::<HashTable>(value)?;
    let content = lock(&table.content);
    Some(content.entries.iter().flatten().cloned().collect())
}

/// Makes a table with other entries that compares keys as `table` does.
pub(crate) fn table_like(table: &HashTable, entries: Vec<(Value, Value)>) -> Value {
    let copy = HashTable { same: table.same, folds: table.folds, content: Mutex::default() };
    for (key, value) in entries {
        copy.set(&key, value);
    }
    changing_object(copy)
}

fn table(function: &str, value: &Value) -> Result<Arc<HashTable>, SteelErr> {
    downcast::<HashTable>(value).ok_or_else(|| wrong(function, "a hash table", value))
}

/// `(make-hash-table :test 'equal)`: the test is `eq`, `eql` (the default), `equal` or `equalp`, as
/// a symbol or a function.
fn make(arguments: &[Value]) -> Answer {
    let [test, ..] =
        keys("make-hash-table", arguments, ["test", "size", "rehash-size", "rehash-threshold"])?;
    let named = |value: &Value, name: &str| {
        let own = super::types::TABLE.iter().find(|(known, _)| *known == name);
        value::as_symbol(value) == Some(name)
            || matches!((value, own), (SteelVal::FuncV(code), Some((_, own))) if std::ptr::fn_addr_eq(*code, *own))
    };
    let (same, folds): (fn(&Value, &Value) -> bool, bool) =
        match test.as_ref().filter(|test| !is_nil(test)) {
            None => (identical, false),
            Some(test) if named(test, "equal") => (equal, false),
            Some(test) if named(test, "equalp") => (alike, true),
            Some(test) if named(test, "eq") || named(test, "eql") => (identical, false),
            Some(test) => {
                return Err(fail(format!(
                    "make-hash-table: :test: expected eq, eql, equal or equalp, got {}",
                    value::shown(test)
                )));
            }
        };
    Ok(changing_object(HashTable { same, folds, content: Mutex::default() }))
}
