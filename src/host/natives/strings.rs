//! Common Lisp's functions on strings.

use std::borrow::Cow;
use std::cmp::Ordering;

use steel::SteelErr;
use steel::SteelVal;

use super::long_text::{character_at, offset_of};
use super::sequences::elements_of;
use super::{Answer, Code, count, fail, index_of, keys, string_of, wrong};
use crate::host::value::{
    self, Value, as_keyword, as_symbol, integer, is_nil, is_true, keyword, nil, string, symbol,
    truth,
};

pub(super) static TABLE: &[(&str, Code)] = &[
    ("string-upcase", |arguments| change("string-upcase", arguments, str::to_uppercase)),
    ("nstring-upcase", |arguments| change("nstring-upcase", arguments, str::to_uppercase)),
    ("string-downcase", |arguments| change("string-downcase", arguments, str::to_lowercase)),
    ("nstring-downcase", |arguments| change("nstring-downcase", arguments, str::to_lowercase)),
    ("string-capitalize", |arguments| change("string-capitalize", arguments, capitalize)),
    ("nstring-capitalize", |arguments| change("nstring-capitalize", arguments, capitalize)),
    ("string-trim", |arguments| trim("string-trim", arguments, true, true)),
    ("string-left-trim", |arguments| trim("string-left-trim", arguments, true, false)),
    ("string-right-trim", |arguments| trim("string-right-trim", arguments, false, true)),
    ("string=", |arguments| compare("string=", arguments, STRICT, Ordering::is_eq)),
    ("string/=", |arguments| compare("string/=", arguments, STRICT, Ordering::is_ne)),
    ("string<", |arguments| compare("string<", arguments, STRICT, Ordering::is_lt)),
    ("string>", |arguments| compare("string>", arguments, STRICT, Ordering::is_gt)),
    ("string<=", |arguments| compare("string<=", arguments, STRICT, Ordering::is_le)),
    ("string>=", |arguments| compare("string>=", arguments, STRICT, Ordering::is_ge)),
    ("string-equal", |arguments| compare("string-equal", arguments, FOLDED, Ordering::is_eq)),
    ("string-not-equal", |arguments| {
        compare("string-not-equal", arguments, FOLDED, Ordering::is_ne)
    }),
    ("string-lessp", |arguments| compare("string-lessp", arguments, FOLDED, Ordering::is_lt)),
    ("string-greaterp", |arguments| compare("string-greaterp", arguments, FOLDED, Ordering::is_gt)),
    ("string-not-greaterp", |arguments| {
        compare("string-not-greaterp", arguments, FOLDED, Ordering::is_le)
    }),
    ("string-not-lessp", |arguments| {
        compare("string-not-lessp", arguments, FOLDED, Ordering::is_ge)
    }),
    ("string-prefix?", |arguments| {
        pairs("string-prefix?", arguments, |prefix, text| text.starts_with(prefix))
    }),
    ("string-suffix?", |arguments| {
        pairs("string-suffix?", arguments, |suffix, text| text.ends_with(suffix))
    }),
    ("string", |arguments| {
        if arguments.len() == 1 {
            designated("string", &arguments[0]).map(string)
        } else {
            characters(arguments)
        }
    }),
    ("symbol-name", |arguments| {
        count("symbol-name", arguments, 1, 1)?;
        as_symbol(&arguments[0])
            .map(|name| string(name.trim_start_matches(':')))
            .ok_or_else(|| wrong("symbol-name", "a symbol", &arguments[0]))
    }),
    ("symbol->string", |arguments| {
        count("symbol->string", arguments, 1, 1)?;
        as_symbol(&arguments[0])
            .map(string)
            .ok_or_else(|| wrong("symbol->string", "a symbol", &arguments[0]))
    }),
    ("intern", |arguments| {
        count("intern", arguments, 1, 2)?;
        let name = string_of("intern", &arguments[0])?;
        let is_keyword = arguments.get(1).and_then(as_keyword) == Some("keyword");
        Ok(if is_keyword { keyword(name) } else { symbol(name) })
    }),
    ("gensym", gensym),
    ("char", |arguments| {
        count("char", arguments, 2, 2)?;
        let index = index_of("char", &arguments[1])?;
        let SteelVal::StringV(text) = &arguments[0] else {
            return Err(wrong("char", "a string", &arguments[0]));
        };
        character_at(text, index).map(SteelVal::CharV).ok_or_else(|| {
            fail(format!("char: {index} is not within {}", value::shown(&arguments[0])))
        })
    }),
    ("parse-integer", parse_integer),
    ("string-split", split),
    ("string->symbol", |arguments| {
        count("string->symbol", arguments, 1, 1)?;
        string_of("string->symbol", &arguments[0]).map(symbol)
    }),
];

/// Returns the text of a string, symbol or character.
pub(super) fn designated(function: &str, value: &Value) -> Result<String, SteelErr> {
    match value {
        SteelVal::StringV(text) => Ok(text.to_string()),
        SteelVal::CharV(character) => Ok(character.to_string()),
        SteelVal::SymbolV(name) => Ok(name.trim_start_matches(':').to_owned()),
        other => Err(wrong(function, "a string", other)),
    }
}

/// Does what [`designated`] does, without a copy where it can.
fn borrowed<'v>(function: &str, value: &'v Value) -> Result<Cow<'v, str>, SteelErr> {
    match value {
        SteelVal::StringV(text) => Ok(Cow::Borrowed(text.as_str())),
        other => designated(function, other).map(Cow::Owned),
    }
}

fn characters(arguments: &[Value]) -> Answer {
    arguments
        .iter()
        .map(|value| designated("string", value))
        .collect::<Result<String, _>>()
        .map(string)
}

/// Changes a string, or the part of it between `:start` and `:end`.
fn change(function: &str, arguments: &[Value], change: impl FnOnce(&str) -> String) -> Answer {
    count(function, arguments, 1, 5)?;
    let text = designated(function, &arguments[0])?;
    if arguments.len() == 1 {
        return Ok(string(change(&text)));
    }
    let [start, end] = keys(function, &arguments[1..], ["start", "end"])?;
    let (start, end) = bounds(function, start, end)?;
    let changed = part(function, &arguments[0], &text, start, end)?;
    let before = changed.as_ptr() as usize - text.as_ptr() as usize;
    let after = &text[before + changed.len()..];
    Ok(string(format!("{}{}{after}", &text[..before], change(changed))))
}

pub(super) fn capitalize(text: &str) -> String {
    let mut within = false;
    let letters = text.chars().flat_map(|character| {
        let changed: Vec<char> = if within {
            character.to_lowercase().collect()
        } else {
            character.to_uppercase().collect()
        };
        within = character.is_alphanumeric();
        changed
    });
    letters.collect()
}

/// `(string-trim bag string)`. Without a bag, white space is trimmed.
fn trim(function: &str, arguments: &[Value], left: bool, right: bool) -> Answer {
    count(function, arguments, 1, 2)?;
    let text = designated(function, &arguments[arguments.len() - 1])?;
    let bag = match arguments {
        [bag, _] => Some(elements_of(function, bag)?),
        _ => None,
    };
    let within = |character: char| match &bag {
        Some(bag) => bag.contains(&SteelVal::CharV(character)),
        None => character.is_whitespace(),
    };
    let mut trimmed = text.as_str();
    if left {
        trimmed = trimmed.trim_start_matches(within);
    }
    if right {
        trimmed = trimmed.trim_end_matches(within);
    }
    Ok(string(trimmed))
}

fn pairs(function: &str, arguments: &[Value], test: impl Fn(&str, &str) -> bool) -> Answer {
    count(function, arguments, 2, usize::MAX)?;
    let texts: Vec<String> =
        arguments.iter().map(|value| designated(function, value)).collect::<Result<_, _>>()?;
    Ok(truth(texts.windows(2).all(|pair| test(&pair[0], &pair[1]))))
}

const STRICT: bool = false;
const FOLDED: bool = true;

/// A comparison of two strings, between bounds (ANSI 16.2): equality gives a truth value, all
/// others where the strings begin to differ, from the start of the first. More than two strings are
/// Scheme's comparison, which gives a truth value.
fn compare(
    function: &str,
    arguments: &[Value],
    folded: bool,
    fits: fn(Ordering) -> bool,
) -> Answer {
    count(function, arguments, 2, usize::MAX)?;
    let fold = |letter: char| if folded { letter.to_lowercase().collect() } else { vec![letter] };
    if arguments.get(2).is_some_and(|third| as_keyword(third).is_none()) {
        let texts: Vec<Vec<char>> = arguments
            .iter()
            .map(|value| Ok(designated(function, value)?.chars().flat_map(fold).collect()))
            .collect::<Result<_, SteelErr>>()?;
        return Ok(truth(texts.windows(2).all(|pair| fits(pair[0].cmp(&pair[1])))));
    }
    let [start1, end1, start2, end2] =
        keys(function, &arguments[2..], ["start1", "end1", "start2", "end2"])?;
    let left = borrowed(function, &arguments[0])?;
    let right = borrowed(function, &arguments[1])?;
    let (start, end) = bounds(function, start1, end1)?;
    let left = part(function, &arguments[0], &left, start, end)?;
    let (start2, end2) = bounds(function, start2, end2)?;
    let right = part(function, &arguments[1], &right, start2, end2)?;
    let mut letters = (left.chars(), right.chars());
    let mut same = 0;
    let order = loop {
        match (letters.0.next(), letters.1.next()) {
            (Some(left), Some(right))
                if left == right || folded && left.to_lowercase().eq(right.to_lowercase()) =>
            {
                same += 1
            }
            (Some(left), Some(right)) => break fold(left).cmp(&fold(right)),
            (left, right) => break left.cmp(&right),
        }
    };
    Ok(
        match (
            fits(order),
            fits(Ordering::Equal) && !fits(Ordering::Less) && !fits(Ordering::Greater),
        ) {
            (fits, true) => truth(fits),
            (true, false) => integer((start + same) as i64),
            (false, false) => nil(),
        },
    )
}

/// The values of keys such as `:start` and `:end`.
fn bounds(
    function: &str,
    start: Option<Value>,
    end: Option<Value>,
) -> Result<(usize, Option<usize>), SteelErr> {
    let bound = |value: Option<Value>| {
        value.filter(is_true).map(|value| index_of(function, &value)).transpose()
    };
    Ok((bound(start)?.unwrap_or(0), bound(end)?))
}

/// The part between bounds of `text`, which is the text of `value`.
fn part<'t>(
    function: &str,
    value: &Value,
    text: &'t str,
    start: usize,
    end: Option<usize>,
) -> Result<&'t str, SteelErr> {
    if start == 0 && end.is_none() {
        return Ok(text);
    }
    let offset = |index: usize| match value {
        SteelVal::StringV(text) => offset_of(text, index),
        _ => text.char_indices().map(|(offset, _)| offset).chain([text.len()]).nth(index),
    };
    let to = end.map_or(Some(text.len()), offset);
    offset(start).zip(to).and_then(|(from, to)| text.get(from..to)).ok_or_else(|| {
        let end = end.map_or_else(String::new, |end| format!(" to {end}"));
        let length = text.chars().count();
        fail(format!("{function}: {start}{end} is not within a string of length {length}"))
    })
}

fn gensym(arguments: &[Value]) -> Answer {
    count("gensym", arguments, 0, 1)?;
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNTER: AtomicU64 = AtomicU64::new(1);
    Ok(SteelVal::SymbolV(format!("#:g{}", COUNTER.fetch_add(1, Ordering::Relaxed)).into()))
}

fn parse_integer(arguments: &[Value]) -> Answer {
    count("parse-integer", arguments, 1, usize::MAX)?;
    let text = string_of("parse-integer", &arguments[0])?;
    let [start, end, radix, junk] =
        keys("parse-integer", &arguments[1..], ["start", "end", "radix", "junk-allowed"])?;
    let (start, end) = bounds("parse-integer", start, end)?;
    let radix = radix.map_or(Ok(10), |radix| index_of("parse-integer", &radix))?;
    let radix = u32::try_from(radix)
        .ok()
        .filter(|radix| (2..=36).contains(radix))
        .ok_or_else(|| fail("parse-integer: :radix is from 2 to 36"))?;
    let junk_allowed = junk.is_some_and(|junk| is_true(&junk));
    let whole_part = part("parse-integer", &arguments[0], text, start, end)?;
    let part = whole_part.trim();
    let unsigned = part.strip_prefix(['+', '-']).unwrap_or(part);
    let digits = unsigned.chars().take_while(|character| character.is_digit(radix)).count();
    let whole = digits > 0 && digits == unsigned.chars().count();
    if !whole && !junk_allowed {
        return Err(fail(format!(
            "parse-integer: not a whole number: {}",
            value::shown(&arguments[0])
        )));
    }
    let number = &part[..part.len() - unsigned.len() + digits];
    // The index at which the parse ended: with junk that of the first character that is no digit.
    let stop = if junk_allowed {
        let blanks = whole_part.chars().take_while(|character| character.is_whitespace()).count();
        start + blanks + number.len()
    } else {
        start + whole_part.chars().count()
    };
    let number = match i64::from_str_radix(number, radix) {
        _ if digits == 0 => nil(),
        Ok(number) => integer(number),
        Err(_) if radix == 10 => value::from_datum(&crate::lisp::Datum::Number(number.to_owned())),
        Err(_) => return Err(fail("parse-integer: the number is too large")),
    };
    Ok(super::control::several(vec![number, integer(stop as i64)]))
}

/// `(string-split text separator)`. Without a separator, splits at white space.
fn split(arguments: &[Value]) -> Answer {
    count("string-split", arguments, 1, 2)?;
    let text = string_of("string-split", &arguments[0])?;
    let parts: Vec<Value> = match arguments.get(1).filter(|separator| !is_nil(separator)) {
        None => text.split_whitespace().map(string).collect(),
        Some(separator) => match designated("string-split", separator)?.as_str() {
            "" => return Err(fail("string-split: the separator is empty")),
            separator => text.split(separator).map(string).collect(),
        },
    };
    Ok(value::list(parts))
}
