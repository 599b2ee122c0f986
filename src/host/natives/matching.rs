//! Functions that look for elements of a sequence, or map or fold a list, for calls in which all
//! functions are natives (see `sequence_keys`).

use steel::{SteelErr, SteelVal};

use super::long_text::slice;
use super::sequence_keys::{
    BOUNDED, IN_ANOTHER, LOOKING_UP, Options, REMOVING, REMOVING_IF, SEARCHING, answered, declined,
    look,
};
use super::sequences::{elements_of, like, part_of};
use super::{Answer, Code, context, list_of, wrong};
use crate::host::value::{Value, integer, is_nil, is_true, list, nil};

pub(super) static TABLE: &[(&str, Code)] = &[
    // (%find item sequence keys), and so on
    ("%find", |call| sought("find", call, SEARCHING, Matcher::item, found_element)),
    ("%find-if", |call| sought("find-if", call, BOUNDED, Matcher::predicate, found_element)),
    ("%find-if-not", |call| sought("find-if-not", call, BOUNDED, Matcher::refusal, found_element)),
    ("%position", |call| sought("position", call, SEARCHING, Matcher::item, found_position)),
    ("%position-if", |call| {
        sought("position-if", call, BOUNDED, Matcher::predicate, found_position)
    }),
    ("%position-if-not", |call| {
        sought("position-if-not", call, BOUNDED, Matcher::refusal, found_position)
    }),
    ("%count-item", |call| counted("count", call, SEARCHING, Matcher::item)),
    ("%count-if", |call| counted("count-if", call, BOUNDED, Matcher::predicate)),
    ("%count-if-not", |call| counted("count-if-not", call, BOUNDED, Matcher::refusal)),
    ("%remove", |call| removed("remove", call, REMOVING, Matcher::item)),
    ("%remove-if", |call| removed("remove-if", call, REMOVING_IF, Matcher::predicate)),
    ("%remove-if-not", |call| removed("remove-if-not", call, REMOVING_IF, Matcher::refusal)),
    ("%search", search),
    ("%member", member),
    ("%assoc", assoc),
    ("%map-native", map_native),
    ("%fold-native", fold_native),
];

/// Decides which elements a call is about.
struct Matcher<'v> {
    options: Options,
    what: What<'v>,
}

enum What<'v> {
    Item(&'v Value),
    /// A predicate, and the truth value that it must return.
    Predicate(Code, bool),
}

/// Makes a matcher of the first argument; `None` if that is not a native.
type Make<'v> = fn(&'v Value, Options) -> Option<Matcher<'v>>;

impl<'v> Matcher<'v> {
    fn item(first: &'v Value, options: Options) -> Option<Matcher<'v>> {
        Some(Matcher { options, what: What::Item(first) })
    }

    fn predicate(first: &'v Value, options: Options) -> Option<Matcher<'v>> {
        let SteelVal::FuncV(code) = first else { return None };
        Some(Matcher { options, what: What::Predicate(*code, true) })
    }

    fn refusal(first: &'v Value, options: Options) -> Option<Matcher<'v>> {
        let SteelVal::FuncV(code) = first else { return None };
        Some(Matcher { options, what: What::Predicate(*code, false) })
    }

    fn of(arguments: &'v [Value], known: &[&str], make: Make<'v>) -> Option<Matcher<'v>> {
        make(&arguments[0], Options::of(&arguments[2], known)?)
    }

    /// Returns the character that a string's characters must be, if this is the whole test.
    fn letter(&self) -> Option<char> {
        match self.what {
            What::Item(letter @ SteelVal::CharV(found)) if self.options.is_exact_for(letter) => {
                Some(*found)
            }
            _ => None,
        }
    }

    fn matches(&self, element: &Value) -> Result<bool, SteelErr> {
        match self.options.key {
            Some(key) => self.matches_key(&key(std::slice::from_ref(element))?),
            None => self.matches_key(element),
        }
    }

    fn matches_key(&self, key: &Value) -> Result<bool, SteelErr> {
        match self.what {
            What::Item(item) => self.options.holds(item, key),
            What::Predicate(code, wanted) => {
                Ok(is_true(&code(std::slice::from_ref(key))?) == wanted)
            }
        }
    }
}

/// Calls `visit` with the elements within the bounds and their positions, until it returns `false`.
/// Returns `false` if the bounds are not within the sequence.
fn walk(
    function: &str,
    sequence: &Value,
    options: &Options,
    mut visit: impl FnMut(usize, &Value) -> Result<bool, SteelErr>,
) -> Result<bool, SteelErr> {
    let (start, end) = (options.start, options.end);
    match sequence {
        SteelVal::ListV(list) if !options.from_end => {
            let end = end.unwrap_or(list.len());
            if start > end || end > list.len() {
                return Ok(false);
            }
            for (index, element) in list.iter().enumerate().take(end).skip(start) {
                if !visit(index, element)? {
                    break;
                }
            }
        }
        SteelVal::StringV(text) if !options.from_end => {
            let Some(part) = slice(text, start, end) else { return Ok(false) };
            for (index, letter) in part.chars().enumerate() {
                if !visit(start + index, &SteelVal::CharV(letter))? {
                    break;
                }
            }
        }
        _ => {
            let Some(part) = part_of(function, sequence, start, end)? else { return Ok(false) };
            for step in 0..part.len() {
                let index = if options.from_end { part.len() - 1 - step } else { step };
                if !visit(start + index, &part[index])? {
                    break;
                }
            }
        }
    }
    Ok(true)
}

fn found_element(_: usize, element: &Value) -> Value {
    answered(element.clone())
}

fn found_position(position: usize, _: &Value) -> Value {
    integer(position as i64)
}

/// `find` and `position`: returns what `answer` makes of the first match, or `nil`.
fn sought<'v>(
    function: &str,
    arguments: &'v [Value],
    known: &[&str],
    make: Make<'v>,
    answer: fn(usize, &Value) -> Value,
) -> Answer {
    let Some(matcher) = Matcher::of(arguments, known, make) else { return declined() };
    let options = &matcher.options;
    if let (Some(letter), SteelVal::StringV(text)) = (matcher.letter(), &arguments[1]) {
        let Some(part) = slice(text, options.start, options.end) else { return declined() };
        let found = if options.from_end { part.rfind(letter) } else { part.find(letter) };
        return Ok(found.map_or_else(nil, |offset| {
            answer(options.start + part[..offset].chars().count(), &arguments[0])
        }));
    }
    let mut found = nil();
    let within = walk(function, &arguments[1], options, |index, element| {
        let matches = matcher.matches(element)?;
        if matches {
            found = answer(index, element);
        }
        Ok(!matches)
    })?;
    if within { Ok(found) } else { declined() }
}

fn counted<'v>(function: &str, arguments: &'v [Value], known: &[&str], make: Make<'v>) -> Answer {
    let Some(matcher) = Matcher::of(arguments, known, make) else { return declined() };
    let options = &matcher.options;
    if let (Some(letter), SteelVal::StringV(text)) = (matcher.letter(), &arguments[1]) {
        let Some(part) = slice(text, options.start, options.end) else { return declined() };
        let count = match u8::try_from(letter) {
            Ok(byte) if byte.is_ascii() => part.bytes().filter(|other| *other == byte).count(),
            _ => part.matches(letter).count(),
        };
        return Ok(integer(count as i64));
    }
    let mut count = 0;
    let within = walk(function, &arguments[1], options, |_, element| {
        count += i64::from(matcher.matches(element)?);
        Ok(true)
    })?;
    if within { Ok(integer(count)) } else { declined() }
}

fn removed<'v>(function: &str, arguments: &'v [Value], known: &[&str], make: Make<'v>) -> Answer {
    let Some(matcher) = Matcher::of(arguments, known, make) else { return declined() };
    let options = &matcher.options;
    let elements = elements_of(function, &arguments[1])?;
    let mut left = options.count.unwrap_or(usize::MAX);
    let mut goes = vec![false; elements.len()];
    let within = walk(function, &arguments[1], options, |index, element| {
        if left > 0 && matcher.matches(element)? {
            goes[index] = true;
            left -= 1;
        }
        Ok(left > 0)
    })?;
    if !within {
        return declined();
    }
    let kept = elements.into_iter().zip(goes).filter(|(_, goes)| !goes);
    like(&arguments[1], kept.map(|(element, _)| element).collect())
}

/// `(%search pattern sequence keys)`: returns the position or `nil`.
fn search(arguments: &[Value]) -> Answer {
    let Some(options) = Options::of(&arguments[2], IN_ANOTHER) else { return declined() };
    if let (SteelVal::StringV(pattern), SteelVal::StringV(text), true) =
        (&arguments[0], &arguments[1], options.is_exact_for(&SteelVal::CharV('a')))
    {
        let (Some(pattern), Some(part)) =
            (slice(pattern, options.start, options.end), slice(text, options.start2, options.end2))
        else {
            return declined();
        };
        let found = if options.from_end { part.rfind(pattern) } else { part.find(pattern) };
        return Ok(found.map_or_else(nil, |offset| {
            integer((options.start2 + part[..offset].chars().count()) as i64)
        }));
    }
    let (Some(pattern), Some(all)) = (
        part_of("search", &arguments[0], options.start, options.end)?,
        part_of("search", &arguments[1], options.start2, options.end2)?,
    ) else {
        return declined();
    };
    let (pattern, all) = (options.keys(&pattern)?, options.keys(&all)?);
    let context = context()?;
    let is_at = |index: usize| {
        for (left, right) in pattern.iter().zip(&all[index..]) {
            look(&context)?;
            if !options.holds(left, right)? {
                return Ok(false);
            }
        }
        Ok::<bool, SteelErr>(true)
    };
    let mut found = nil();
    for index in 0..(all.len() + 1).saturating_sub(pattern.len()) {
        if is_at(index)? {
            found = integer((options.start2 + index) as i64);
            if !options.from_end {
                break;
            }
        }
    }
    Ok(found)
}

/// `(%member item list keys)`: returns the rest of the list from the first match.
fn member(arguments: &[Value]) -> Answer {
    let Some(matcher) = Matcher::of(arguments, LOOKING_UP, Matcher::item) else {
        return declined();
    };
    if let SteelVal::ListV(all) = &arguments[1] {
        for (position, element) in all.iter().enumerate() {
            if matcher.matches(element)? {
                return Ok(all.tail(position).map_or_else(nil, SteelVal::ListV));
            }
        }
        return Ok(nil());
    }
    let all = list_of("member", &arguments[1])?;
    for (position, element) in all.iter().enumerate() {
        if matcher.matches(element)? {
            return Ok(list(all[position..].to_vec()));
        }
    }
    Ok(nil())
}

/// `(%assoc item list keys)`: returns the first entry whose key matches.
fn assoc(arguments: &[Value]) -> Answer {
    let Some(matcher) = Matcher::of(arguments, LOOKING_UP, Matcher::item) else {
        return declined();
    };
    let matches = |entry: &Value| match entry {
        entry if is_nil(entry) => Ok(false),
        SteelVal::Pair(pair) => matcher.matches(pair.car_ref()),
        SteelVal::ListV(entry) => entry.first().map_or(Ok(false), |first| matcher.matches(first)),
        other => Err(wrong("assoc", "a list", other)),
    };
    if let SteelVal::ListV(all) = &arguments[1] {
        for entry in all.iter() {
            if matches(entry)? {
                return Ok(entry.clone());
            }
        }
        return Ok(nil());
    }
    for entry in list_of("assoc", &arguments[1])? {
        if matches(&entry)? {
            return Ok(entry);
        }
    }
    Ok(nil())
}

/// `(%map-native f list)`: returns the list of f's values.
fn map_native(arguments: &[Value]) -> Answer {
    let SteelVal::FuncV(code) = &arguments[0] else { return declined() };
    let SteelVal::ListV(elements) = &arguments[1] else { return declined() };
    let context = context()?;
    let mut made = Vec::with_capacity(elements.len());
    for element in elements.iter() {
        look(&context)?;
        made.push(code(std::slice::from_ref(element))?);
    }
    Ok(list(made))
}

/// `(%fold-native f initial list)`: returns `(f (f initial first) second)` and so on.
fn fold_native(arguments: &[Value]) -> Answer {
    let SteelVal::FuncV(code) = &arguments[0] else { return declined() };
    let SteelVal::ListV(list) = &arguments[2] else { return declined() };
    let context = context()?;
    let mut result = arguments[1].clone();
    for element in list.iter() {
        look(&context)?;
        result = code(&[result, element.clone()])?;
    }
    Ok(answered(result))
}
