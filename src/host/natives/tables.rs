//! Hash tables of Common Lisp. They keep the insertion order.
//!
//! Keys are hashed and compared as the table's test does (see `equality`). To compare keys may look
//! into other tables, or into this one, so no lock is held meanwhile, unless the key is an atom.
//! Removed entries leave a gap, and gaps are closed when they are more than half of a table of over
//! 32 entries.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, Mutex};

use steel::{SteelErr, SteelVal};

use super::equality::Test;
use super::{Answer, Code, count, fail, keys, wrong};
use crate::host::context::lock;
use crate::host::value::{self, Value, changing_object, downcast, is_nil, nil, truth};

pub(super) static TABLE: &[(&str, Code)] = &[
    ("make-hash-table", make),
    ("gethash", |arguments| {
        let found = found(arguments)?;
        let known = truth(found.is_some());
        Ok(super::control::several(vec![found.unwrap_or_else(|| default(arguments)), known]))
    }),
    // Where only the first value counts.
    ("%gethash", |arguments| Ok(found(arguments)?.unwrap_or_else(|| default(arguments)))),
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
    ("hash-table-test", |arguments| {
        count("hash-table-test", arguments, 1, 1)?;
        Ok(value::symbol(match table("hash-table-test", &arguments[0])?.test {
            Test::Eql => "eql",
            Test::Equal => "equal",
            Test::Equalp => "equalp",
        }))
    }),
    // A number that fits a fixnum of SBCL, too.
    ("sxhash", |arguments| {
        count("sxhash", arguments, 1, 1)?;
        Ok(value::integer((Test::Equal.hash(&arguments[0]) >> 2) as i64))
    }),
    ("hash-table-p", |arguments| {
        count("hash-table-p", arguments, 1, 1)?;
        Ok(truth(downcast::<HashTable>(&arguments[0]).is_some()))
    }),
    // A snapshot of the entries, because the function that goes through them may change the table.
    ("%hash-entries", |arguments| {
        let table = table("maphash", &arguments[0])?;
        let entries = table.entries().into_iter();
        Ok(value::list_of(entries.map(|(key, value)| value::list(vec![key, value]))))
    }),
];

/// The value that `(gethash key table [default])` finds.
fn found(arguments: &[Value]) -> Result<Option<Value>, SteelErr> {
    count("gethash", arguments, 2, 3)?;
    Ok(table("gethash", &arguments[1])?.get(&arguments[0]))
}

fn default(arguments: &[Value]) -> Value {
    arguments.get(2).cloned().unwrap_or_else(nil)
}

/// A hash table.
pub(crate) struct HashTable {
    /// Compares keys.
    pub test: Test,
    content: Mutex<Content>,
}

/// The entries of a table.
#[derive(Default)]
struct Content {
    /// In insertion order; `None` where one was removed.
    entries: Vec<Option<Entry>>,
    /// Positions in `entries`, by the hash of the key.
    places: HashMap<u64, Places, BuildHasherDefault<Hashed>>,
    count: usize,
}

/// The positions of the entries with the same hash: seldom more than one.
struct Places {
    first: usize,
    more: Vec<usize>,
}

impl Places {
    fn all(&self) -> impl Iterator<Item = usize> {
        std::iter::once(self.first).chain(self.more.iter().copied())
    }
}

/// Takes a hash as it is.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("the keys are numbers of 64 bits")
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

struct Entry {
    /// The hash of the key when it was inserted.
    hash: u64,
    key: Value,
    value: Value,
}

impl fmt::Display for HashTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "#<hash-table {}>", self.count())
    }
}

impl HashTable {
    fn new(test: Test) -> HashTable {
        HashTable { test, content: Mutex::default() }
    }

    pub(crate) fn count(&self) -> usize {
        lock(&self.content).count
    }

    /// Returns the keys and values in insertion order.
    pub(super) fn entries(&self) -> Vec<(Value, Value)> {
        let content = lock(&self.content);
        let entries = content.entries.iter().flatten();
        entries.map(|entry| (entry.key.clone(), entry.value.clone())).collect()
    }

    fn find(&self, hash: u64, key: &Value) -> Option<usize> {
        use SteelVal::{CharV, IntV, StringV, SymbolV};
        let candidates: Vec<(usize, Value)> = {
            let content = lock(&self.content);
            let mut places = content.places.get(&hash)?.all();
            let key_at = |place: usize| content.entries[place].as_ref().map(|entry| &entry.key);
            if matches!(key, IntV(_) | StringV(_) | SymbolV(_) | CharV(_)) {
                return places
                    .find(|place| key_at(*place).is_some_and(|known| self.test.holds(known, key)));
            }
            places.filter_map(|place| Some((place, key_at(place)?.clone()))).collect()
        };
        candidates
            .into_iter()
            .find(|(_, known)| self.test.holds(known, key))
            .map(|(place, _)| place)
    }

    pub(super) fn get(&self, key: &Value) -> Option<Value> {
        let place = self.find(self.test.hash(key), key)?;
        lock(&self.content).entries[place].as_ref().map(|entry| entry.value.clone())
    }

    fn set(&self, key: &Value, value: Value) {
        let hash = self.test.hash(key);
        let found = self.find(hash, key);
        let mut content = lock(&self.content);
        let entry = Some(Entry { hash, key: key.clone(), value });
        match found {
            Some(place) => content.entries[place] = entry,
            None => {
                let place = content.entries.len();
                content.entries.push(entry);
                content.place(hash, place);
                content.count += 1;
            }
        }
    }

    fn remove(&self, key: &Value) -> bool {
        let hash = self.test.hash(key);
        let Some(place) = self.find(hash, key) else { return false };
        let mut content = lock(&self.content);
        content.entries[place] = None;
        content.count -= 1;
        content.displace(hash, place);
        if content.entries.len() > 32 && content.count < content.entries.len() / 2 {
            content.close_gaps();
        }
        true
    }
}

impl Content {
    fn close_gaps(&mut self) {
        self.places.clear();
        self.entries.retain(Option::is_some);
        let hashes: Vec<u64> = self.entries.iter().flatten().map(|entry| entry.hash).collect();
        for (place, hash) in hashes.into_iter().enumerate() {
            self.place(hash, place);
        }
    }

    fn place(&mut self, hash: u64, place: usize) {
        match self.places.entry(hash) {
            Slot::Occupied(mut known) => known.get_mut().more.push(place),
            Slot::Vacant(slot) => _ = slot.insert(Places { first: place, more: Vec::new() }),
        }
    }

    fn displace(&mut self, hash: u64, place: usize) {
        let Some(places) = self.places.get_mut(&hash) else { return };
        if places.first != place {
            places.more.retain(|other| *other != place);
        } else if let Some(last) = places.more.pop() {
            places.first = last;
        } else {
            self.places.remove(&hash);
        }
    }
}

/// Makes a hash table that compares keys with `equal`.
pub fn hash_table(entries: Vec<(Value, Value)>) -> Value {
    table_with(Test::Equal, entries)
}

/// Returns the entries of a hash table in insertion order; `None` for anything else.
pub fn hash_table_entries(value: &Value) -> Option<Vec<(Value, Value)>> {
    Some(downcast::<HashTable>(value)?.entries())
}

/// Makes a table with other entries that compares keys as `table` does.
pub(crate) fn table_like(table: &HashTable, entries: Vec<(Value, Value)>) -> Value {
    table_with(table.test, entries)
}

fn table_with(test: Test, entries: Vec<(Value, Value)>) -> Value {
    let copy = HashTable::new(test);
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
    let test = match test.as_ref().filter(|test| !is_nil(test)) {
        None => Test::Eql,
        Some(test) if named(test, "equal") => Test::Equal,
        Some(test) if named(test, "equalp") => Test::Equalp,
        Some(test) if named(test, "eq") || named(test, "eql") => Test::Eql,
        Some(test) => {
            return Err(fail(format!(
                "make-hash-table: :test: expected eq, eql, equal or equalp, got {}",
                value::shown(test)
            )));
        }
    };
    Ok(changing_object(HashTable::new(test)))
}
