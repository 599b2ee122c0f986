//! The functions that scripts give as `:test`, if they are natives.
//!
//! The usual ones agree with one of the equalities on values of one kind. Such values are compared
//! without a call, and can be hashed.

use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::LazyLock;

use steel::{SteelErr, SteelVal};

use super::Code;
use super::equality::Test;
use crate::host::value::{Value, is_true};

/// A test of two values by a native.
#[derive(Clone, Copy)]
pub(super) struct Comparison {
    /// The native; `None` for the default, `equal`.
    code: Option<Code>,
    test: Test,
    kind: Kind,
}

/// The values on which a native agrees with an equality.
#[derive(Clone, Copy)]
enum Kind {
    All,
    Integers,
    Strings,
    Characters,
    None,
}

impl Kind {
    fn includes(self, value: &Value) -> bool {
        match self {
            Kind::All => true,
            Kind::Integers => matches!(value, SteelVal::IntV(_)),
            Kind::Strings => matches!(value, SteelVal::StringV(_)),
            Kind::Characters => matches!(value, SteelVal::CharV(_)),
            Kind::None => false,
        }
    }
}

static KNOWN: LazyLock<HashMap<usize, (Test, Kind)>> = LazyLock::new(|| {
    by_address(|name| {
        Some(match name {
            "eq" | "eql" => (Test::Eql, Kind::All),
            "equal" => (Test::Equal, Kind::All),
            "equalp" => (Test::Equalp, Kind::All),
            "=" => (Test::Eql, Kind::Integers),
            "string=" => (Test::Equal, Kind::Strings),
            "string-equal" => (Test::Equalp, Kind::Strings),
            "char=" => (Test::Eql, Kind::Characters),
            "char-equal" => (Test::Equalp, Kind::Characters),
            _ => return None,
        })
    })
});

/// Returns what `known` says about the system's natives, by the address of each.
pub(super) fn by_address<T>(known: impl Fn(&str) -> Option<T>) -> HashMap<usize, T> {
    let named = |(name, value)| match value {
        SteelVal::FuncV(code) => Some((code as usize, known(name)?)),
        _ => None,
    };
    super::table().into_iter().filter_map(named).collect()
}

impl Default for Comparison {
    /// `equal`.
    fn default() -> Comparison {
        Comparison { code: None, test: Test::Equal, kind: Kind::All }
    }
}

impl Comparison {
    pub(super) fn by(code: Code) -> Comparison {
        let known = KNOWN.get(&(code as usize)).copied();
        let (test, kind) = known.unwrap_or((Test::Eql, Kind::None));
        Comparison { code: Some(code), test, kind }
    }

    pub(super) fn holds(&self, left: &Value, right: &Value) -> Result<bool, SteelErr> {
        match self.code {
            Some(code) if !(self.kind.includes(left) && self.kind.includes(right)) => {
                Ok(is_true(&code(&[left.clone(), right.clone()])?))
            }
            _ => Ok(self.test.holds(left, right)),
        }
    }

    /// Returns whether a script gave the test.
    pub(super) fn is_given(&self) -> bool {
        self.code.is_some()
    }

    /// Returns whether this character passes the test with itself only.
    pub(super) fn is_exact_for(&self, letter: &Value) -> bool {
        self.test != Test::Equalp
            && matches!(letter, SteelVal::CharV(_))
            && matches!(self.kind, Kind::All | Kind::Characters)
    }

    /// Returns an empty set that can hold these values; `None` if one cannot be hashed.
    pub(super) fn set_for<'v>(&self, values: &[&[Value]]) -> Option<Set<'v>> {
        let hashes = values.iter().copied().flatten().all(|value| self.kind.includes(value));
        hashes.then(|| Set { test: self.test, keys: HashSet::new() })
    }
}

/// A set of values that are told apart by a test.
pub(super) struct Set<'v> {
    test: Test,
    keys: HashSet<Key<'v>>,
}

struct Key<'v> {
    test: Test,
    hash: u64,
    value: &'v Value,
}

impl Hash for Key<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash.hash(state);
    }
}

impl PartialEq for Key<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.test.holds(self.value, other.value)
    }
}

/// `HashSet` requires it. A value that is not the same as itself, NaN, is never found.
impl Eq for Key<'_> {}

impl<'v> Set<'v> {
    fn key(&self, value: &'v Value) -> Key<'v> {
        Key { test: self.test, hash: self.test.hash(value), value }
    }

    pub(super) fn contains(&self, value: &'v Value) -> bool {
        self.keys.contains(&self.key(value))
    }

    /// Adds a value. Returns whether it was not there.
    pub(super) fn insert(&mut self, value: &'v Value) -> bool {
        let key = self.key(value);
        self.keys.insert(key)
    }
}
