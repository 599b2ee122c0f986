//! Values of the interpreter: making them, reading them, and converting them to and from data.
//!
//! The empty list, `#f` and the interpreter's void are all `nil` to a script: [`is_nil`] accepts
//! each. A list is one list object or a chain of pairs that ends in one; [`as_list`] reads both. A
//! Rust value becomes an [`object`] and is read by [`downcast`]. Conversions to data use their own
//! stack, so deep nesting cannot overflow the thread's.

use std::any::Any;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use steel::SteelVal;
use steel::rvals::{AsRefSteelVal, Custom, IntoSteelVal, SteelString};

use super::natives::Structure;
use crate::lisp::Datum;
use crate::lisp::printer;

/// A value of the interpreter.
pub type Value = SteelVal;

/// `nil`, the empty list.
pub fn nil() -> Value {
    SteelVal::ListV(Default::default())
}

/// `t` or `nil`.
pub fn truth(value: bool) -> Value {
    if value { SteelVal::BoolV(true) } else { nil() }
}

/// A list.
pub fn list(elements: Vec<Value>) -> Value {
    SteelVal::ListV(elements.into())
}

/// A list of the values of an iterator.
pub fn list_of(elements: impl Iterator<Item = Value>) -> Value {
    SteelVal::ListV(elements.collect())
}

/// A string.
pub fn string(text: impl Into<String>) -> Value {
    SteelVal::StringV(text.into().into())
}

/// The length in bytes of the longest text that [`shared_string`] shares.
pub const LONGEST_SHARED: usize = 40;

const SHARED: usize = 2048;

thread_local! {
    /// Texts that were made values recently, each in the slot that its hash selects.
    static LATELY: RefCell<Vec<Option<SteelString>>> = const { RefCell::new(Vec::new()) };
}

/// A string. Short strings are shared with equal ones that were made recently, since strings do not
/// change.
pub fn shared_string(text: &str) -> Value {
    if text.len() > LONGEST_SHARED {
        return string(text);
    }
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    let place = (hash ^ (hash >> 32)) as usize % SHARED;
    LATELY.with_borrow_mut(|lately| {
        lately.resize(SHARED, None);
        match &lately[place] {
            Some(found) if found.as_str() == text => SteelVal::StringV(found.clone()),
            _ => {
                let made = SteelString::from(text);
                lately[place] = Some(made.clone());
                SteelVal::StringV(made)
            }
        }
    })
}

/// A whole number.
pub fn integer(value: i64) -> Value {
    match isize::try_from(value) {
        Ok(value) => SteelVal::IntV(value),
        Err(_) => SteelVal::NumV(value as f64),
    }
}

/// Bytes, as a bytevector.
pub fn bytes(bytes: Vec<u8>) -> Value {
    SteelVal::ByteVector(steel::rvals::SteelByteVector::new(bytes))
}

thread_local! {
    static SYMBOLS: RefCell<HashMap<String, SteelString>> = RefCell::new(HashMap::new());
}

/// A symbol. Equal symbols share their name.
pub fn symbol(name: &str) -> Value {
    SYMBOLS.with_borrow_mut(|symbols| {
        if let Some(found) = symbols.get(name) {
            return SteelVal::SymbolV(found.clone());
        }
        let made = SteelString::from(name);
        // Flags and field names repeat. The limit keeps names that a server makes up from filling
        // the memory.
        if symbols.len() < 10_000 {
            symbols.insert(name.to_owned(), made.clone());
        }
        SteelVal::SymbolV(made)
    })
}

/// A keyword. `name` is in lower case and has no colon: `keyword("seen")` is the value of `:seen`.
pub fn keyword(name: &str) -> Value {
    symbol(&format!(":{name}"))
}

/// Wraps a Rust value in an object of the language that prints as `printed`, e.g. `#<mailbox x>`.
pub fn object<T: Send + Sync + 'static>(value: T, printed: &str) -> Value {
    shared_object(Arc::new(value), printed)
}

/// Wraps a shared Rust value, as [`object`] does.
pub fn shared_object<T: Send + Sync + 'static>(value: Arc<T>, printed: &str) -> Value {
    Object { value, printed: Printed::Fixed(printed.into()) }
        .into_steelval()
        .unwrap_or(SteelVal::Void)
}

/// Wraps a Rust value in an object that prints the value's current state.
pub(super) fn changing_object<T: fmt::Display + Send + Sync + 'static>(value: T) -> Value {
    displayed_object(Arc::new(value))
}

/// Wraps a shared Rust value in an object that prints as the value's `Display` says at that time.
pub fn displayed_object<T: fmt::Display + Send + Sync + 'static>(value: Arc<T>) -> Value {
    let show = |value: &Shared| value.downcast_ref::<T>().map(T::to_string);
    Object { value, printed: Printed::Now(show) }.into_steelval().unwrap_or(SteelVal::Void)
}

/// Returns the Rust value inside an [`object`], if it has type `T`.
pub fn downcast<T: Send + Sync + 'static>(value: &Value) -> Option<Arc<T>> {
    // For any other value, the interpreter would print it whole to make an error message.
    let SteelVal::Custom(_) = value else { return None };
    let object = Object::as_ref(value).ok()?;
    object.value.clone().downcast::<T>().ok()
}

/// Returns the address of the Rust value inside an [`object`].
pub(super) fn object_address(value: &Value) -> Option<usize> {
    let SteelVal::Custom(_) = value else { return None };
    let object = Object::as_ref(value).ok()?;
    Some(Arc::as_ptr(&object.value).cast::<()>() as usize)
}

type Shared = dyn Any + Send + Sync;

struct Object {
    value: Arc<Shared>,
    printed: Printed,
}

/// How an object prints.
enum Printed {
    Fixed(Arc<str>),
    Now(fn(&Shared) -> Option<String>),
}

impl Custom for Object {
    fn fmt(&self) -> Option<Result<String, fmt::Error>> {
        Some(Ok(match &self.printed {
            Printed::Fixed(printed) => printed.to_string(),
            Printed::Now(show) => show(&*self.value).unwrap_or_default(),
        }))
    }

    fn equality_hint(&self, other: &dyn steel::rvals::CustomType) -> bool {
        other
            .as_any_ref()
            .downcast_ref::<Object>()
            .is_some_and(|other| Arc::ptr_eq(&self.value, &other.value))
    }
}

/// A floating-point number.
pub fn float(value: f64) -> Value {
    SteelVal::NumV(value)
}

/// The kind of a value, for code that handles each kind differently.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum ValueKind {
    /// Prints as `nil`: the empty list, `#f` and "no value".
    Nil,
    /// `t`.
    True,
    /// A whole number of any size; [`displayed`] writes its digits.
    Integer,
    /// A floating-point number.
    Float(f64),
    /// A string.
    String,
    /// A symbol or a keyword.
    Symbol,
    /// A list, a pair or a vector; [`members`] has its elements.
    Sequence,
    /// A bytevector.
    Bytes,
    /// Anything else: a character, a function, an object.
    Other,
}

/// Returns the kind of a value.
pub fn kind_of(value: &Value) -> ValueKind {
    match value {
        _ if is_nil(value) => ValueKind::Nil,
        SteelVal::BoolV(_) => ValueKind::True,
        SteelVal::IntV(_) | SteelVal::BigNum(_) => ValueKind::Integer,
        SteelVal::NumV(number) => ValueKind::Float(*number),
        SteelVal::StringV(_) => ValueKind::String,
        SteelVal::SymbolV(_) => ValueKind::Symbol,
        SteelVal::Pair(_)
        | SteelVal::ListV(_)
        | SteelVal::VectorV(_)
        | SteelVal::MutableVector(_) => ValueKind::Sequence,
        SteelVal::ByteVector(_) => ValueKind::Bytes,
        _ => ValueKind::Other,
    }
}

/// Returns whether the value is the empty list, `#f` or the interpreter's void: all that prints as
/// `nil`.
pub fn is_nil(value: &Value) -> bool {
    match value {
        SteelVal::BoolV(value) => !value,
        SteelVal::ListV(list) => list.is_empty(),
        SteelVal::Void => true,
        _ => false,
    }
}

/// Returns whether a conditional takes the value as true: any value but those of [`is_nil`].
pub fn is_true(value: &Value) -> bool {
    !is_nil(value)
}

/// Returns whether the value can be called.
pub fn is_procedure(value: &Value) -> bool {
    matches!(
        value,
        SteelVal::Closure(_)
            | SteelVal::FuncV(_)
            | SteelVal::BuiltIn(_)
            | SteelVal::BoxedFunction(_)
            | SteelVal::MutFunc(_)
    )
}

/// Returns the text of a string.
pub fn as_str(value: &Value) -> Option<&str> {
    match value {
        SteelVal::StringV(text) => Some(text.as_str()),
        _ => None,
    }
}

/// Returns a whole number of at most 64 bits.
pub fn as_integer(value: &Value) -> Option<i64> {
    match value {
        SteelVal::IntV(value) => i64::try_from(*value).ok(),
        _ => None,
    }
}

/// Converts a real number to the nearest float.
pub fn as_float(value: &Value) -> Option<f64> {
    match value {
        SteelVal::NumV(number) => Some(*number),
        SteelVal::IntV(number) => Some(*number as f64),
        SteelVal::Rational(ratio) => Some(f64::from(*ratio.numer()) / f64::from(*ratio.denom())),
        SteelVal::BigNum(_) | SteelVal::BigRational(_) => {
            let text = value.to_string();
            let (above, below) = text.split_once('/').unwrap_or((&text, "1"));
            Some(above.parse::<f64>().ok()? / below.parse::<f64>().ok()?)
        }
        _ => None,
    }
}

/// Returns the halves of a pair `(a . b)` whose `b` is not a list.
pub fn as_dotted_pair(value: &Value) -> Option<(Value, Value)> {
    match value {
        SteelVal::Pair(pair) => Some((pair.car(), pair.cdr()))
            .filter(|(_, rest)| !matches!(rest, SteelVal::ListV(_) | SteelVal::Pair(_))),
        _ => None,
    }
}

/// Returns the elements of a list or vector, and after them the tail of a dotted list. Other values
/// have none.
pub fn members(value: &Value) -> Vec<Value> {
    match value {
        SteelVal::VectorV(vector) => vector.iter().cloned().collect(),
        SteelVal::MutableVector(vector) => vector.get(),
        _ => {
            let (mut elements, tail) = spine(value);
            elements.extend(Some(tail).filter(|tail| !elements.is_empty() && !is_nil(tail)));
            elements
        }
    }
}

/// Returns the name of a keyword, without its colon.
pub fn as_keyword(value: &Value) -> Option<&str> {
    as_symbol(value)?.strip_prefix(':')
}

/// Returns the name of a symbol. A keyword's begins with its colon.
pub fn as_symbol(value: &Value) -> Option<&str> {
    match value {
        SteelVal::SymbolV(name) => Some(name.as_str()),
        _ => None,
    }
}

/// Returns a copy of the bytes of a bytevector.
pub fn as_bytes(value: &Value) -> Option<Vec<u8>> {
    /// The interpreter does not give out the bytes, but hashes them as one slice.
    #[derive(Default)]
    struct Capture(Vec<u8>);

    impl Hasher for Capture {
        fn write(&mut self, bytes: &[u8]) {
            self.0 = bytes.to_vec();
        }

        fn write_usize(&mut self, _: usize) {}

        fn finish(&self) -> u64 {
            0
        }
    }

    let SteelVal::ByteVector(vector) = value else { return None };
    let mut capture = Capture::default();
    vector.hash(&mut capture);
    Some(capture.0)
}

/// Returns the length of a bytevector.
pub fn bytes_length(value: &Value) -> Option<usize> {
    /// As in [`as_bytes`].
    #[derive(Default)]
    struct Length(usize);

    impl Hasher for Length {
        fn write(&mut self, bytes: &[u8]) {
            self.0 = bytes.len();
        }

        fn write_usize(&mut self, _: usize) {}

        fn finish(&self) -> u64 {
            0
        }
    }

    let SteelVal::ByteVector(vector) = value else { return None };
    let mut length = Length::default();
    vector.hash(&mut length);
    Some(length.0)
}

/// The bytes of a string, which they keep alive.
struct TextBytes(SteelString);

impl AsRef<[u8]> for TextBytes {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Returns the bytes of a string without a copy, to be kept.
pub fn shared_bytes(value: &Value) -> Option<Box<dyn AsRef<[u8]> + Send + Sync>> {
    match value {
        SteelVal::StringV(text) => Some(Box::new(TextBytes(text.clone()))),
        _ => None,
    }
}

/// Overwrites part of a bytevector. If the value is not a bytevector or is too short, changes
/// nothing and returns `false`.
pub fn copy_into_bytes(buffer: &Value, start: usize, piece: &[u8]) -> bool {
    if piece.is_empty() {
        return bytes_length(buffer).is_some_and(|length| start <= length);
    }
    // Only the interpreter can write to its bytes. It reads them from one of its ports.
    let port = super::primitives::primitive("steel/ports", "open-input-bytevector")
        .and_then(|open| super::primitives::call_native(&open, &[bytes(piece.to_vec())]));
    let (Some(port), Ok(first), Ok(last)) =
        (port, isize::try_from(start), isize::try_from(start + piece.len()))
    else {
        return false;
    };
    let arguments = [buffer.clone(), port, SteelVal::IntV(first), SteelVal::IntV(last)];
    super::primitives::primitive("steel/ports", "#%read-bytes!")
        .is_some_and(|read| super::primitives::call_native(&read, &arguments).is_some())
}

/// Returns the elements of a proper list; `nil` and `#f` have none.
pub fn as_list(value: &Value) -> Option<std::vec::IntoIter<Value>> {
    elements(value).map(Vec::into_iter)
}

/// Returns the elements of a proper list as a vector, see [`as_list`].
pub(crate) fn elements(value: &Value) -> Option<Vec<Value>> {
    match value {
        SteelVal::ListV(list) => Some(list.iter().cloned().collect()),
        SteelVal::BoolV(false) | SteelVal::Void => Some(Vec::new()),
        SteelVal::Pair(_) => {
            let (elements, tail) = spine(value);
            is_nil(&tail).then_some(elements)
        }
        _ => None,
    }
}

/// Returns the elements of a chain of pairs, and its tail.
pub(super) fn spine(value: &Value) -> (Vec<Value>, Value) {
    let mut elements = Vec::new();
    let mut rest = value.clone();
    loop {
        rest = match &rest {
            SteelVal::Pair(pair) => {
                elements.push(pair.car());
                pair.cdr()
            }
            SteelVal::ListV(list) => {
                elements.extend(list.iter().cloned());
                return (elements, nil());
            }
            _ => break,
        };
    }
    (elements, rest)
}

/// Converts data to a value.
pub fn from_datum(datum: &Datum) -> Value {
    match datum {
        Datum::Nil => nil(),
        Datum::True => SteelVal::BoolV(true),
        Datum::Integer(value) => integer(*value),
        Datum::Float(value) => SteelVal::NumV(*value),
        Datum::Number(text) => number(text),
        Datum::String(text) => string(text.as_str()),
        Datum::Symbol(name) => symbol(name),
        Datum::Keyword(name) => keyword(name),
        Datum::Char(character) => SteelVal::CharV(*character),
        Datum::List(elements) => list(elements.iter().map(from_datum).collect()),
        Datum::Dotted(elements, tail) => {
            let tail = from_datum(tail);
            elements.iter().rev().fold(tail, |tail, element| cons(from_datum(element), tail))
        }
        Datum::Vector(elements) => SteelVal::VectorV(elements.iter().map(from_datum).collect()),
        Datum::Bytes(data) => bytes(data.clone()),
        Datum::Opaque(text) => object((), text),
    }
}

/// Makes a number that is neither a small integer nor a float, with the interpreter's own parser.
fn number(text: &str) -> Value {
    super::primitives::primitive("steel/strings", "string->number")
        .and_then(|convert| super::primitives::call_native(&convert, &[string(text)]))
        .unwrap_or_else(nil)
}

/// Makes a pair. If `rest` is a list, the result is a list.
pub fn cons(first: Value, rest: Value) -> Value {
    super::primitives::primitive("steel/lists", "cons")
        .and_then(|cons| super::primitives::call_native(&cons, &[first, rest]))
        .unwrap_or_else(nil)
}

/// Converts a value to data. Deep nesting is safe, and a vector that contains itself shows as
/// `#<circular>`.
pub fn to_datum(value: &Value) -> Datum {
    Walk::default().run(value)
}

/// Builds data bottom-up with its own stacks, so that deep nesting cannot overflow the thread's.
#[derive(Default)]
struct Walk {
    made: Vec<Datum>,
    within: HashSet<usize>,
}

enum Task {
    Visit(Value),
    List(usize),
    Dotted(usize),
    Vector(usize, Option<usize>),
    /// The name, the number of names and values, and the address.
    Structure(String, usize, usize),
}

impl Walk {
    fn run(&mut self, value: &Value) -> Datum {
        let mut tasks = vec![Task::Visit(value.clone())];
        while let Some(task) = tasks.pop() {
            match task {
                Task::Visit(value) => self.visit(&value, &mut tasks),
                Task::List(count) => {
                    let elements = self.made.split_off(self.made.len() - count);
                    self.made.push(Datum::list(elements));
                }
                Task::Dotted(count) => {
                    let mut elements = self.made.split_off(self.made.len() - count - 1);
                    let tail = elements.pop().unwrap_or(Datum::Nil);
                    self.made.push(Datum::dotted(elements, tail));
                }
                Task::Structure(name, count, address) => {
                    let parts = self.made.split_off(self.made.len() - count);
                    let parts = parts.iter().map(|part| format!(" {}", printer::readably(part)));
                    let name = printer::readably(&Datum::Symbol(name));
                    self.made
                        .push(Datum::Opaque(format!("#S({name}{})", parts.collect::<String>())));
                    self.within.remove(&address);
                }
                Task::Vector(count, entered) => {
                    let elements = self.made.split_off(self.made.len() - count);
                    self.made.push(Datum::Vector(elements));
                    if let Some(address) = entered {
                        self.within.remove(&address);
                    }
                }
            }
        }
        self.made.pop().unwrap_or(Datum::Nil)
    }

    fn visit(&mut self, value: &Value, tasks: &mut Vec<Task>) {
        match value {
            SteelVal::ListV(list) if !list.is_empty() => {
                tasks.push(Task::List(list.len()));
                let start = tasks.len();
                tasks.extend(list.iter().cloned().map(Task::Visit));
                tasks[start..].reverse();
            }
            SteelVal::Pair(_) => {
                let (elements, tail) = spine(value);
                tasks.push(Task::Dotted(elements.len()));
                tasks.push(Task::Visit(tail));
                tasks.extend(elements.into_iter().rev().map(Task::Visit));
            }
            SteelVal::VectorV(vector) => {
                tasks.push(Task::Vector(vector.len(), None));
                tasks.extend(vector.iter().rev().cloned().map(Task::Visit));
            }
            SteelVal::Custom(_) if let Some(found) = downcast::<Structure>(value) => {
                let address = Arc::as_ptr(&found) as usize;
                if !self.within.insert(address) {
                    self.made.push(Datum::Opaque("#<circular>".to_owned()));
                    return;
                }
                let entries = found.entries();
                tasks.push(Task::Structure(found.name(), entries.len() * 2, address));
                let parts = entries.into_iter().rev().flat_map(|(name, value)| [value, name]);
                tasks.extend(parts.map(Task::Visit));
            }
            SteelVal::MutableVector(vector) => {
                let address = vector.as_ptr_usize();
                if !self.within.insert(address) {
                    self.made.push(Datum::Opaque("#<circular>".to_owned()));
                    return;
                }
                let elements = vector.get();
                tasks.push(Task::Vector(elements.len(), Some(address)));
                tasks.extend(elements.into_iter().rev().map(Task::Visit));
            }
            atom => self.made.push(atom_datum(atom)),
        }
    }
}

fn atom_datum(value: &Value) -> Datum {
    match value {
        SteelVal::BoolV(true) => Datum::True,
        SteelVal::BoolV(false) | SteelVal::Void | SteelVal::ListV(_) => Datum::Nil,
        SteelVal::IntV(value) => Datum::Integer(*value as i64),
        SteelVal::NumV(value) => Datum::Float(*value),
        SteelVal::Rational(_)
        | SteelVal::BigNum(_)
        | SteelVal::BigRational(_)
        | SteelVal::Complex(_) => Datum::Number(value.to_string()),
        SteelVal::CharV(character) => Datum::Char(*character),
        SteelVal::StringV(text) => Datum::String(text.to_string()),
        SteelVal::SymbolV(name) => match name.strip_prefix(':') {
            Some(keyword) if !keyword.is_empty() => Datum::Keyword(keyword.to_owned()),
            _ => Datum::Symbol(name.to_string()),
        },
        SteelVal::ByteVector(_) => Datum::Bytes(as_bytes(value).unwrap_or_default()),
        procedure if is_procedure(procedure) => Datum::Opaque("#<procedure>".to_owned()),
        SteelVal::ContinuationFunction(_) => Datum::Opaque("#<continuation>".to_owned()),
        other => {
            let shown = other.to_string();
            Datum::Opaque(if shown.starts_with("#<") { shown } else { format!("#<{shown}>") })
        }
    }
}

/// Formats a value for people: strings and characters as they are, keywords without the colon, a
/// condition as its message and the server's words, a restart as what it does.
pub fn displayed(value: &Value) -> String {
    if let Some(restart) = downcast::<super::objects::Restart>(value)
        && let Some(report) = as_str(&restart.report)
    {
        return report.to_owned();
    }
    match super::occurrence::as_condition(value) {
        Some(condition) => match &condition.server_string {
            Some(words) if !words.is_empty() && !condition.message.contains(words.as_str()) => {
                format!("{}: {words}", condition.message)
            }
            _ => condition.message.clone(),
        },
        None => printer::display(&to_datum(value)),
    }
}

/// Formats a value for a message: readable, on one line, and cut to about 60 characters.
pub fn shown(value: &Value) -> String {
    const LONGEST: usize = 60;
    let text = match value {
        // Do not print megabytes of a letter only to show its start.
        SteelVal::StringV(text) => {
            printer::readably(&Datum::String(text.chars().take(LONGEST + 1).collect()))
        }
        _ => printer::readably(&to_datum(value)),
    };
    let text = crate::shown::escape_controls(&text);
    if text.chars().count() <= LONGEST + 2 {
        return text;
    }
    let mut short: String = text.chars().take(LONGEST).collect();
    short.push('…');
    short
}
