//! Regular expressions: Allegro CL's `match-re` and its relatives, by the `regex` crate.
//!
//! A pattern is a string, or what `compile-re` returned. Strings are compiled once: the thread keeps
//! the last [`KEPT`] patterns. The crate has no look-around and no back-references, so that the time
//! is linear in the text; a pattern with one of them is a `:syntax-error`, as is any that is
//! malformed or too large. Scripts count characters and the crate counts bytes, so indices are
//! converted at the border.
//!
//! What calls functions back, such as `replace-re` with a function, is in `sequences.scm`.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;

use regex::{Captures, Regex, RegexBuilder};
use steel::rvals::SteelString;
use steel::{SteelErr, SteelVal};

use super::long_text::offset_of;
use super::{Answer, Code, count, fail, index_of, keys, list_of, string_of, wrong};
use crate::condition::Condition;
use crate::host::objects::Outcome;
use crate::host::occurrence::condition_object;
use crate::host::value::{
    self, Value, as_keyword, as_str, as_symbol, cons, downcast, integer, is_nil, is_true, list,
    nil, shared_object, string, truth,
};
use crate::lisp::{Datum, printer};

pub(super) static TABLE: &[(&str, Code)] = &[
    ("%compile-re", |arguments| {
        count("compile-re", arguments, 1, usize::MAX)?;
        let text = string_of("compile-re", &arguments[0])?;
        let options = Options::read("compile-re", &arguments[1..])?;
        Ok(delivered(options.compile("compile-re", text).map(|pattern| {
            let shown = format!("#<regexp {}>", printer::readably(&Datum::String(text.to_owned())));
            shared_object(pattern, &shown)
        })))
    }),
    ("%match-re", |arguments| with_pattern("match-re", arguments, 0, 1, match_re)),
    ("%split-re", |arguments| with_pattern("split-re", arguments, 0, 1, split_re)),
    ("%pieces-re", |arguments| with_pattern("replace-re", arguments, 1, 0, pieces)),
    ("%re-submatch", re_submatch),
    ("%substituted", substituted),
    ("quote-re", |arguments| {
        count("quote-re", arguments, 1, 1)?;
        Ok(string(regex::escape(string_of("quote-re", &arguments[0])?)))
    }),
    ("%old-regexp", |arguments| {
        Ok(match as_str(&arguments[0]) {
            Some(text) => string(modern(text)),
            None => arguments[0].clone(),
        })
    }),
];

/// How many patterns a thread keeps.
const KEPT: usize = 64;

/// How many bytes a compiled pattern may take.
const LARGEST: usize = 1 << 20;

struct Pattern(Regex);

/// The object that `:return :match` gives: what matched, as ranges of bytes.
struct Match {
    pattern: Arc<Pattern>,
    text: SteelString,
    groups: Vec<Option<(usize, usize)>>,
}

/// The keys of all functions.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Flags {
    case_fold: bool,
    single_line: bool,
    multiple_lines: bool,
    ignore_whitespace: bool,
}

#[derive(Default)]
struct Options {
    flags: Flags,
    start: Option<usize>,
    end: Option<usize>,
    count: Option<usize>,
    returns: Option<String>,
}

impl Options {
    fn read(function: &str, arguments: &[Value]) -> Result<Options, SteelErr> {
        let known = [
            "case-fold",
            "single-line",
            "multiple-lines",
            "ignore-whitespace",
            "start",
            "end",
            "count",
            "limit",
            "return",
            "back-end",
        ];
        let [fold, single, lines, blanks, start, end, most, limit, returns, _] =
            keys(function, arguments, known)?;
        let on = |key: Option<Value>| key.is_some_and(|value| is_true(&value));
        let number = |key: Option<Value>| {
            key.filter(is_true).map(|value| index_of(function, &value)).transpose()
        };
        let returns = match returns.as_ref().filter(|value| is_true(value)) {
            None => None,
            Some(value) => match as_keyword(value) {
                Some(word @ ("string" | "index" | "match")) => Some(word.to_owned()),
                _ => return Err(wrong(function, ":string, :index or :match as :return", value)),
            },
        };
        Ok(Options {
            flags: Flags {
                case_fold: on(fold),
                single_line: on(single),
                multiple_lines: on(lines),
                ignore_whitespace: on(blanks),
            },
            start: number(start)?,
            end: number(end)?,
            count: number(most)?.or(number(limit)?).filter(|count| *count > 0),
            returns,
        })
    }

    fn compile(&self, function: &str, text: &str) -> Result<Arc<Pattern>, Condition> {
        thread_local! {
            static PATTERNS: RefCell<VecDeque<(String, Flags, Arc<Pattern>)>> =
                const { RefCell::new(VecDeque::new()) };
        }
        PATTERNS.with_borrow_mut(|patterns| {
            let known =
                patterns.iter().position(|(of, flags, _)| of == text && *flags == self.flags);
            if let Some(found) = known.and_then(|at| patterns.remove(at)) {
                let pattern = found.2.clone();
                patterns.push_front(found);
                return Ok(pattern);
            }
            let pattern = Arc::new(Pattern(self.build(function, text)?));
            patterns.truncate(KEPT - 1);
            patterns.push_front((text.to_owned(), self.flags, pattern.clone()));
            Ok(pattern)
        })
    }

    fn build(&self, function: &str, text: &str) -> Result<Regex, Condition> {
        RegexBuilder::new(text)
            .case_insensitive(self.flags.case_fold)
            .dot_matches_new_line(self.flags.single_line)
            .multi_line(self.flags.multiple_lines)
            .ignore_whitespace(self.flags.ignore_whitespace)
            .size_limit(LARGEST)
            .build()
            .map_err(|error| {
                let reason = match error {
                    regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
                    // The last line says what is wrong; the others show the pattern.
                    other => {
                        let text = other.to_string();
                        let last = text.lines().last().unwrap_or_default();
                        last.trim_start_matches("error: ").to_owned()
                    }
                };
                let shown = printer::readably(&Datum::String(text.to_owned()));
                Condition::syntax(format!("{function}: the regular expression {shown}: {reason}"))
            })
    }
}

/// Wraps a result; the prelude raises the condition.
fn delivered(result: Result<Value, Condition>) -> Value {
    several(result.map(|value| vec![value]))
}

fn several(result: Result<Vec<Value>, Condition>) -> Value {
    let (result, several) = match result {
        Ok(values) => (Ok(values.first().cloned().unwrap_or_else(nil)), Some(values)),
        Err(condition) => (Err(condition_object(condition)), None),
    };
    shared_object(
        Arc::new(Outcome { warnings: Vec::new(), result, several, asked: None }),
        "#<outcome>",
    )
}

/// A call's text and the part of it that is searched.
struct Subject<'a> {
    text: &'a SteelString,
    /// The bytes to search.
    start: usize,
    end: usize,
    options: Options,
}

impl<'a> Subject<'a> {
    fn captures(&self, pattern: &Pattern, from: usize) -> Option<Captures<'a>> {
        pattern.0.captures_at(&self.text[..self.end], from)
    }

    /// All matches that do not overlap, at most `most`.
    fn all(&self, pattern: &Pattern, most: usize) -> Vec<Captures<'a>> {
        let mut found = Vec::new();
        let (mut from, mut last_end) = (self.start, None);
        while found.len() < most && from <= self.end {
            let Some(captures) = self.captures(pattern, from) else { break };
            let whole = captures.get_match();
            let (start, end) = (whole.start(), whole.end());
            from = if start == end { next_character(self.text, end) } else { end };
            // As in Perl, an empty match does not follow a match immediately.
            if !(start == end && last_end == Some(end)) {
                last_end = Some(end);
                found.push(captures);
            }
        }
        found
    }

    fn group(&self, range: Option<(usize, usize)>) -> Value {
        match range {
            None => nil(),
            Some((start, end)) if self.options.returns.as_deref() == Some("index") => {
                indices(self.text, start, end)
            }
            Some((start, end)) => string(&self.text[start..end]),
        }
    }
}

fn next_character(text: &str, at: usize) -> usize {
    at + text[at..].chars().next().map_or(1, char::len_utf8)
}

fn indices(text: &str, start: usize, end: usize) -> Value {
    let before = text[..start].chars().count();
    let within = text[start..end].chars().count();
    cons(integer(before as i64), integer((before + within) as i64))
}

fn groups(captures: &Captures<'_>) -> Vec<Option<(usize, usize)>> {
    captures.iter().map(|group| group.map(|group| (group.start(), group.end()))).collect()
}

fn text_of<'v>(function: &str, value: &'v Value) -> Result<&'v SteelString, SteelErr> {
    match value {
        SteelVal::StringV(text) => Ok(text),
        other => Err(wrong(function, "a string", other)),
    }
}

type Search = fn(&Arc<Pattern>, &Subject<'_>) -> Vec<Value>;

/// Finds the pattern and the text among the arguments, and the keys after them.
fn with_pattern(
    function: &'static str,
    arguments: &[Value],
    pattern_at: usize,
    text_at: usize,
    search: Search,
) -> Answer {
    count(function, arguments, 2, usize::MAX)?;
    let text = text_of(function, &arguments[text_at])?;
    let options = Options::read(function, &arguments[2..])?;
    let pattern = match (as_str(&arguments[pattern_at]), downcast(&arguments[pattern_at])) {
        (Some(source), _) => options.compile(function, source),
        (_, Some(pattern)) => Ok(pattern),
        _ => return Err(wrong(function, "a regular expression", &arguments[pattern_at])),
    };
    let start = offset_of(text, options.start.unwrap_or(0));
    let end = options.end.map_or(Some(text.len()), |end| offset_of(text, end));
    let (Some(start), Some(end)) = (start, end) else {
        return Err(fail(format!("{function}: :start or :end is not within the string")));
    };
    if start > end {
        return Err(fail(format!("{function}: :start is after :end")));
    }
    let subject = Subject { text, start, end, options };
    Ok(several(pattern.map(|pattern| search(&pattern, &subject))))
}

fn match_re(pattern: &Arc<Pattern>, subject: &Subject<'_>) -> Vec<Value> {
    let Some(captures) = subject.captures(pattern, subject.start) else { return vec![nil()] };
    let groups = groups(&captures);
    if subject.options.returns.as_deref() == Some("match") {
        let found = Match { pattern: pattern.clone(), text: subject.text.clone(), groups };
        return vec![shared_object(Arc::new(found), "#<match>")];
    }
    let values = groups.into_iter().map(|range| subject.group(range));
    [truth(true)].into_iter().chain(values).collect()
}

/// As Perl's `split`: an empty match splits between characters, and without a limit empty parts at
/// the end are left out.
fn split_re(pattern: &Arc<Pattern>, subject: &Subject<'_>) -> Vec<Value> {
    let most = subject.options.count.map_or(usize::MAX, |count| count - 1);
    let mut parts = Vec::new();
    let mut from = 0;
    for found in subject.all(pattern, usize::MAX) {
        let whole = found.get_match();
        let at_an_end = whole.is_empty() && (whole.end() == 0 || whole.end() == subject.text.len());
        if parts.len() == most {
            break;
        }
        if !at_an_end {
            parts.push((from, whole.start()));
            from = whole.end();
        }
    }
    parts.push((from, subject.text.len()));
    if subject.options.count.is_none() {
        while parts.last().is_some_and(|(start, end)| start == end) {
            parts.pop();
        }
    }
    vec![list(parts.into_iter().map(|range| subject.group(Some(range))).collect())]
}

/// The text as a list in which each match is the list of its groups, and what is between them a
/// string.
fn pieces(pattern: &Arc<Pattern>, subject: &Subject<'_>) -> Vec<Value> {
    let mut pieces = Vec::new();
    let mut from = 0;
    for found in subject.all(pattern, subject.options.count.unwrap_or(usize::MAX)) {
        let whole = found.get_match();
        pieces.push(string(&subject.text[from..whole.start()]));
        from = whole.end();
        let text = |range: Option<(usize, usize)>| {
            range.map_or_else(nil, |(start, end)| string(&subject.text[start..end]))
        };
        let names = pattern.0.capture_names().map(|name| name.map_or_else(nil, string)).collect();
        let groups = groups(&found).into_iter().map(text).collect();
        pieces.push(list(vec![list(groups), list(names)]));
    }
    pieces.push(string(&subject.text[from..]));
    vec![list(pieces)]
}

/// `(%substituted text groups names)`.
fn substituted(arguments: &[Value]) -> Answer {
    let text = string_of("replace-re", &arguments[0])?;
    let groups = list_of("replace-re", &arguments[1])?;
    let names = list_of("replace-re", &arguments[2])?;
    let group = |index: usize| groups.get(index).and_then(as_str);
    let named = |name: &str| group(names.iter().position(|known| as_str(known) == Some(name))?);
    Ok(string(substitute(text, group, named)))
}

/// Returns the text with `\\1` replaced by group 1, `\\&` and `\\0` by the whole match, `\\k<name>` by
/// a named group; by nothing if there is no such group.
pub fn substitute<'g>(
    text: &str,
    group: impl Fn(usize) -> Option<&'g str>,
    named: impl Fn(&str) -> Option<&'g str>,
) -> String {
    let mut made = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        made.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let digits =
            after.len() - after.trim_start_matches(|digit: char| digit.is_ascii_digit()).len();
        let name = after.strip_prefix("k<").and_then(|name| name.split_once('>'));
        rest = if digits > 0 {
            made.push_str(group(after[..digits].parse().unwrap_or(usize::MAX)).unwrap_or(""));
            &after[digits..]
        } else if let Some((name, left)) = name {
            made.push_str(named(name).unwrap_or(""));
            left
        } else if let Some(left) = after.strip_prefix('&') {
            made.push_str(group(0).unwrap_or(""));
            left
        } else {
            let escaped = after.chars().next();
            made.extend(escaped);
            &after[escaped.map_or(0, char::len_utf8)..]
        };
    }
    made.push_str(rest);
    made
}

/// Reads a regular expression: a string, or what `compile-re` returned; `None` for another value.
///
/// # Errors
/// `:syntax-error` for one that is malformed or too large, which names `function`.
pub fn regexp(function: &str, value: &Value) -> Option<Result<Regex, Condition>> {
    if let Some(pattern) = downcast::<Pattern>(value) {
        return Some(Ok(pattern.0.clone()));
    }
    Some(Options::default().build(function, as_str(value)?))
}

/// Makes a regular expression of a pattern of whole names: `*` is any text, `?` one character. With
/// `fold_case`, case does not count. `None` if it is too long.
pub fn wildcard(pattern: &str, fold_case: bool) -> Option<Regex> {
    let mut text = String::from(if fold_case { "(?is)^" } else { "(?s)^" });
    for char in pattern.chars() {
        match char {
            '*' => text.push_str(".*"),
            '?' => text.push('.'),
            char => text.push_str(&regex::escape(char.encode_utf8(&mut [0; 4]))),
        }
    }
    text.push('$');
    Regex::new(&text).ok()
}

/// `(%re-submatch regexp string indexes selector type)`; with a match object, `string` and
/// `indexes` are not looked at.
fn re_submatch(arguments: &[Value]) -> Answer {
    const NAME: &str = "re-submatch";
    let selector = &arguments[3];
    let found: Arc<Match> = match (downcast(&arguments[0]), downcast::<Pattern>(&arguments[0])) {
        (Some(found), _) => found,
        (None, Some(pattern)) => {
            let text = text_of(NAME, &arguments[1])?.clone();
            let offset = |value: &Value| -> Result<usize, SteelErr> {
                let index = index_of(NAME, value)?;
                offset_of(&text, index)
                    .ok_or_else(|| wrong(NAME, "indices within the string", value))
            };
            let groups = list_of(NAME, &arguments[2])?
                .iter()
                .map(|pair| match pair {
                    SteelVal::Pair(pair) => Ok(Some((offset(&pair.car())?, offset(&pair.cdr())?))),
                    _ => Ok(None),
                })
                .collect::<Result<_, SteelErr>>()?;
            Arc::new(Match { pattern, text, groups })
        }
        _ => return Err(wrong(NAME, "a match or a compiled regular expression", &arguments[0])),
    };
    let index = match value::as_integer(selector) {
        Some(number) => usize::try_from(number).ok(),
        None => {
            let name =
                as_str(selector).or_else(|| as_symbol(selector)).or_else(|| as_keyword(selector));
            let name =
                name.ok_or_else(|| wrong(NAME, "the number or name of a group", selector))?;
            let position = |wanted: &str| {
                let is_it = |known: Option<&str>| {
                    known.is_some_and(|known| known.eq_ignore_ascii_case(wanted))
                };
                found.pattern.0.capture_names().position(is_it)
            };
            Some(position(name).ok_or_else(|| fail(format!("{NAME}: there is no group {name}")))?)
        }
    };
    let range = index.and_then(|index| found.groups.get(index).copied().flatten());
    let Some((start, end)) = range else { return Ok(nil()) };
    let text = found.text.as_str();
    Ok(match as_keyword(&arguments[4]) {
        Some("string") => string(&text[start..end]),
        Some("before") => string(&text[..start]),
        Some("after") => string(&text[end..]),
        Some("index") => indices(text, start, end),
        _ if is_nil(&arguments[4]) => string(&text[start..end]),
        _ => return Err(wrong(NAME, ":string, :before, :after or :index as :type", &arguments[4])),
    })
}

/// Translates the older syntax, in which `\(`, `\)` and `\|` are operators and `(`, `)` and `|` stand
/// for themselves.
fn modern(text: &str) -> String {
    let mut translated = String::with_capacity(text.len());
    let mut letters = text.chars();
    let mut within_brackets = false;
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if !within_brackets => match letters.next() {
                Some(operator @ ('(' | ')' | '|' | '{' | '}')) => translated.push(operator),
                Some(other) => translated.extend(['\\', other]),
                None => translated.push('\\'),
            },
            '(' | ')' | '|' | '{' | '}' if !within_brackets => translated.extend(['\\', letter]),
            '[' | ']' => {
                within_brackets = letter == '[';
                translated.push(letter);
            }
            other => translated.push(other),
        }
    }
    translated
}

#[cfg(test)]
mod tests {
    use super::wildcard;

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name, folded, exact) in [
            ("*.pdf", "Invoice.PDF", true, false),
            ("*.pdf", "a.pdf.zip", false, false),
            ("*.eml", ".eml", true, true),
            ("a?c", "abc", true, true),
            ("a?c", "ac", false, false),
            ("?", "é", true, true),
            ("a*b*c", "aXbXbc", true, true),
            ("a*b*c", "aXcXb", false, false),
            ("[x](y).+", "[x](y).+", true, true),
            ("*", "", true, true),
            ("", "x", false, false),
            ("*ä*", "GRÜÄ", true, false),
        ] {
            for (fold_case, expected) in [(true, folded), (false, exact)] {
                let is_match = wildcard(pattern, fold_case).unwrap().is_match(name);
                assert_eq!(is_match, expected, "{pattern} {name} {fold_case}");
            }
        }
    }
}
