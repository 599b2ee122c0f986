//! The equalities of Common Lisp: `eq` and `eql`, `equal`, `equalp`; and hashes that agree with them.
//!
//! `equal` and `equalp` keep a stack of their own, so deep nesting cannot overflow the thread's.
//! Only vectors and hash tables can contain themselves. Once two of them are being compared, meeting
//! the same two again adds nothing.
//!
//! Values that a test takes for the same have the same hash. A value that the test compares by
//! identity is hashed by its address, so its hash stays the same when its contents change. A hash
//! covers a bounded number of values, so values that contain themselves need no special care.

use std::cell::Cell;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use steel::SteelVal;

use super::numbers::number_function;
use super::structures::Structure;
use super::tables::HashTable;
use super::types::is_number;
use crate::host::primitives::{call_native, primitive};
use crate::host::value::{self, Value, downcast, is_nil};

/// How many values within a value a hash covers.
const MOST_HASHED: usize = 1_000;

/// How deep hash tables are compared that are keys of one another.
const DEEPEST: usize = 50;

/// A test of sameness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Test {
    /// `eq` and `eql`: numbers and characters by value, all else by identity.
    Eql,
    /// `equal`: lists, strings, vectors and bytes by contents.
    Equal,
    /// `equalp`: also hash tables and structures; ignores case and the kind of numbers. All kinds of vectors are
    /// alike, and a string is one of characters.
    Equalp,
}

impl Test {
    /// Returns whether both values are the same.
    pub(crate) fn holds(self, left: &Value, right: &Value) -> bool {
        if let (SteelVal::IntV(left), SteelVal::IntV(right)) = (left, right) {
            return left == right;
        }
        match self {
            Test::Eql => identical(left, right),
            Test::Equal => equal(left, right),
            Test::Equalp => alike(left, right),
        }
    }

    /// Returns a hash that is the same for values for which the test holds.
    pub(crate) fn hash(self, value: &Value) -> u64 {
        let mut hashing = Hashing {
            test: self,
            hasher: DefaultHasher::new(),
            pending: Vec::new(),
            left: MOST_HASHED,
        };
        hashing.visit(value);
        while hashing.left > 0
            && let Some(value) = hashing.pending.pop()
        {
            hashing.visit(&value);
        }
        hashing.hasher.finish()
    }
}

/// `eq` and `eql`: all values that print as `nil` are one, and symbols are compared by name.
pub(super) fn identical(left: &Value, right: &Value) -> bool {
    use SteelVal::{
        ByteVector, Closure, Custom, ListV, MutableVector, Pair, StringV, SymbolV, VectorV,
    };
    match (left, right) {
        _ if is_nil(left) || is_nil(right) => is_nil(left) && is_nil(right),
        (SymbolV(left), SymbolV(right)) => left.as_str() == right.as_str(),
        (StringV(left), StringV(right)) => std::ptr::eq(left.as_str(), right.as_str()),
        // For the interpreter, lists that share only their first elements may be one.
        (ListV(one), ListV(other)) => one.len() == other.len() && interpreter_eq(left, right),
        (Pair(_) | Custom(_) | VectorV(_) | MutableVector(_) | ByteVector(_) | Closure(_), _) => {
            interpreter_eq(left, right)
        }
        _ => left == right,
    }
}

pub(super) fn interpreter_eq(left: &Value, right: &Value) -> bool {
    let eq = primitive("steel/equality", "eq?");
    let answer = eq.and_then(|eq| call_native(&eq, &[left.clone(), right.clone()]));
    matches!(answer, Some(SteelVal::BoolV(true)))
}

/// `equal`: compares contents; all values that print as `nil` are one.
pub(super) fn equal(left: &Value, right: &Value) -> bool {
    Comparison::default().run(left, right)
}

/// `equalp`: as [`Test::Equalp`] says.
pub(super) fn alike(left: &Value, right: &Value) -> bool {
    Comparison { folds: true, ..Comparison::default() }.run(left, right)
}

#[derive(Default)]
struct Comparison {
    /// Whether it compares as `equalp` does.
    folds: bool,
    pending: Vec<(Value, Value)>,
    /// The addresses of vectors and tables that are being compared with each other.
    begun: HashSet<(usize, usize)>,
}

impl Comparison {
    fn run(mut self, left: &Value, right: &Value) -> bool {
        let mut same = self.meet(left, right);
        while same && let Some((left, right)) = self.pending.pop() {
            same = self.enter(&left, &right);
        }
        same
    }

    /// Compares two atoms. Compares anything else later.
    fn meet(&mut self, left: &Value, right: &Value) -> bool {
        if is_nil(left) || is_nil(right) {
            return is_nil(left) && is_nil(right);
        }
        match (left, right) {
            (SteelVal::StringV(left), SteelVal::StringV(right)) if self.folds => {
                same_letters(left, right)
            }
            (SteelVal::StringV(left), SteelVal::StringV(right)) => left == right,
            (SteelVal::CharV(left), SteelVal::CharV(right)) => {
                left == right || self.folds && left.to_lowercase().eq(right.to_lowercase())
            }
            _ if self.has_elements(left) && self.has_elements(right) => {
                self.pending.push((left.clone(), right.clone()));
                true
            }
            _ if self.folds && is_number(left) && is_number(right) => same_number(left, right),
            _ => left == right,
        }
    }

    fn has_elements(&self, value: &Value) -> bool {
        use SteelVal::{ByteVector, Custom, ListV, MutableVector, Pair, StringV, VectorV};
        match value {
            ListV(_) | Pair(_) | VectorV(_) | MutableVector(_) => true,
            StringV(_) | ByteVector(_) => self.folds,
            Custom(_) => {
                self.folds
                    && (downcast::<HashTable>(value).is_some()
                        || downcast::<Structure>(value).is_some())
            }
            _ => false,
        }
    }

    /// Compares the elements of two values that have some.
    fn enter(&mut self, left: &Value, right: &Value) -> bool {
        use SteelVal::{ListV, Pair};
        match (left, right) {
            (ListV(left), ListV(right)) => {
                left.len() == right.len()
                    && left.iter().zip(right.iter()).all(|(left, right)| self.meet(left, right))
            }
            (ListV(_) | Pair(_), ListV(_) | Pair(_)) => {
                let ((left, left_tail), (right, right_tail)) =
                    (value::spine(left), value::spine(right));
                self.meet_all(&left, &right) && self.meet(&left_tail, &right_tail)
            }
            _ => {
                if let (Some(left), Some(right)) = (address(left), address(right))
                    && (left == right || !self.begun.insert((left, right)))
                {
                    return true;
                }
                if let (Some(left), Some(right)) =
                    (downcast::<Structure>(left), downcast::<Structure>(right))
                {
                    return left.name() == right.name()
                        && self.meet_all(&left.slots(), &right.slots());
                }
                match (downcast::<HashTable>(left), downcast::<HashTable>(right)) {
                    (Some(left), Some(right)) => self.enter_tables(&left, &right),
                    _ => match (elements(left), elements(right)) {
                        (Some(left), Some(right)) => self.meet_all(&left, &right),
                        _ => false,
                    },
                }
            }
        }
    }

    fn meet_all(&mut self, left: &[Value], right: &[Value]) -> bool {
        left.len() == right.len()
            && left.iter().zip(right).all(|(left, right)| self.meet(left, right))
    }

    fn enter_tables(&mut self, left: &HashTable, right: &HashTable) -> bool {
        thread_local! {
            static DEPTH: Cell<usize> = const { Cell::new(0) };
        }
        if left.test != right.test || left.count() != right.count() || DEPTH.get() > DEEPEST {
            return false;
        }
        // To look up a key may compare tables again.
        DEPTH.set(DEPTH.get() + 1);
        let entries = left.entries();
        let found: Option<Vec<Value>> = entries.iter().map(|(key, _)| right.get(key)).collect();
        DEPTH.set(DEPTH.get() - 1);
        found.is_some_and(|found| {
            entries.iter().zip(&found).all(|((_, value), found)| self.meet(value, found))
        })
    }
}

/// Returns the address of a vector or of the contents of an object. It stays the same as long as
/// the value exists.
fn address(value: &Value) -> Option<usize> {
    match value {
        SteelVal::VectorV(vector) => Some(std::ptr::from_ref(&**vector) as usize),
        SteelVal::MutableVector(vector) => Some(vector.as_ptr_usize()),
        _ => value::object_address(value),
    }
}

/// Returns the elements of a vector, a string or a bytevector.
fn elements(value: &Value) -> Option<Vec<Value>> {
    match value {
        SteelVal::ListV(_) | SteelVal::Pair(_) => None,
        other => super::sequences::elements_of("", other).ok(),
    }
}

fn same_letters(left: &str, right: &str) -> bool {
    left == right
        || left.chars().count() == right.chars().count()
            && left
                .chars()
                .zip(right.chars())
                .all(|(left, right)| left == right || left.to_lowercase().eq(right.to_lowercase()))
}

/// Compares numbers of any kinds by value.
fn same_number(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (SteelVal::IntV(integer), SteelVal::NumV(float))
        | (SteelVal::NumV(float), SteelVal::IntV(integer)) => {
            *integer as f64 == *float && *integer as i128 == *float as i128
        }
        (SteelVal::IntV(_), SteelVal::IntV(_)) | (SteelVal::NumV(_), SteelVal::NumV(_)) => {
            left == right
        }
        _ => number_function("=", &[left.clone(), right.clone()])
            .is_ok_and(|answer| value::is_true(&answer)),
    }
}

struct Hashing {
    test: Test,
    hasher: DefaultHasher,
    pending: Vec<Value>,
    /// How many more values are hashed.
    left: usize,
}

/// Distinguishes the kinds of values within a hash.
#[derive(Hash)]
enum Kind {
    Nil,
    List,
    Vector,
    Text,
    Char,
    Symbol,
    Number,
    Table,
    Structure,
    Object,
}

impl Hashing {
    fn add(&mut self, kind: Kind, what: impl Hash) {
        kind.hash(&mut self.hasher);
        what.hash(&mut self.hasher);
    }

    fn visit(&mut self, value: &Value) {
        use SteelVal::{
            ByteVector, CharV, Custom, ListV, MutableVector, Pair, StringV, SymbolV, VectorV,
        };
        self.left = self.left.saturating_sub(1);
        let by_identity = self.test == Test::Eql;
        match value {
            _ if is_nil(value) => self.add(Kind::Nil, ()),
            SymbolV(name) => self.add(Kind::Symbol, name.as_str()),
            CharV(character) => self.character(*character),
            StringV(text) if by_identity => self.add(Kind::Text, text.as_str().as_ptr()),
            StringV(text) if self.test == Test::Equal => self.add(Kind::Text, text.as_str()),
            StringV(text) => {
                self.add(Kind::Vector, text.chars().count());
                let covered = self.left;
                for character in text.chars().take(covered) {
                    self.left -= 1;
                    self.character(character);
                }
            }
            ListV(list) => {
                self.add(Kind::List, list.len());
                self.push(list.iter().take(self.left).cloned().collect());
            }
            Pair(_) => {
                let (mut elements, tail) = value::spine(value);
                self.add(Kind::List, elements.len());
                elements.extend(Some(tail).filter(|tail| !is_nil(tail)));
                self.push(elements);
            }
            MutableVector(vector) if by_identity => {
                self.add(Kind::Vector, vector.as_ptr_usize());
            }
            ByteVector(_) if by_identity => self.add(Kind::Vector, ()),
            VectorV(_) | MutableVector(_) => self.vector(value),
            ByteVector(_) if self.test == Test::Equalp => self.vector(value),
            ByteVector(bytes) => self.add(Kind::Vector, bytes),
            Custom(_)
                if self.test == Test::Equalp
                    && let Some(structure) = downcast::<Structure>(value) =>
            {
                self.add(Kind::Structure, structure.name());
                self.push(structure.slots());
            }
            Custom(_) => match downcast::<HashTable>(value) {
                Some(table) if self.test == Test::Equalp => {
                    self.add(Kind::Table, (table.test, table.count()))
                }
                _ => self.add(Kind::Object, value::object_address(value)),
            },
            number if is_number(number) => self.number(number),
            other => self.add(Kind::Object, std::mem::discriminant(other)),
        }
    }

    fn push(&mut self, mut elements: Vec<Value>) {
        elements.truncate(self.left);
        elements.reverse();
        self.pending.append(&mut elements);
    }

    fn vector(&mut self, value: &Value) {
        let elements = elements(value).unwrap_or_default();
        self.add(Kind::Vector, elements.len());
        self.push(elements);
    }

    fn character(&mut self, character: char) {
        if self.test == Test::Equalp {
            self.add(Kind::Char, ());
            character.to_lowercase().for_each(|letter| letter.hash(&mut self.hasher));
        } else {
            self.add(Kind::Char, character);
        }
    }

    fn number(&mut self, number: &Value) {
        // 0.0 and -0.0 are the same number.
        let bits = |float: f64| if float == 0.0 { 0 } else { float.to_bits() };
        match number {
            _ if self.test == Test::Equalp => {
                self.add(Kind::Number, value::as_float(number).map(bits))
            }
            SteelVal::IntV(integer) => self.add(Kind::Number, integer),
            SteelVal::NumV(float) => self.add(Kind::Number, bits(*float)),
            other => self.add(Kind::Number, other.to_string()),
        }
    }
}
