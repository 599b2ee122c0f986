//! Search expressions: from quoted lists to typed trees.
//!
//! The whole expression is checked before anything is sent. The simple predicates come from the
//! table `NAMED` of the protocol; [`OURS`] adds those with other arguments and those that no server
//! knows. Completion reads both tables.

use crate::api::dates;
use crate::api::flags::flag_text;
use crate::api::sets::{is_saved, message_set};
use crate::condition::Condition;
use crate::host::{self, Value};
use crate::lisp::{Datum, printer};
use crate::proto::imap::flag::Flag;
use crate::proto::imap::search::{Argument, Date, NAMED};
use crate::proto::imap::{Command, SearchKey, SequenceSet};
use regex::Regex;

/// Nobody writes expressions this deep, and servers reject them.
const DEEPEST: usize = 100;

/// A search expression.
#[derive(Debug, Clone)]
pub(in crate::api) enum Search {
    /// A key that servers know; none that joins others.
    Key(SearchKey),
    /// A key that is decided here.
    Ours(OurKey),
    And(Vec<Search>),
    Or(Vec<Search>),
    Not(Box<Search>),
}

/// A key that no server knows.
#[derive(Debug, Clone)]
pub(in crate::api) enum OurKey {
    /// A header field, named in lower case, matches.
    Matches(String, Regexp),
    /// The decoded text matches.
    BodyMatches(Regexp),
    /// The letter came through the mailing list with this List-Id, in lower case.
    List(String),
    /// There is an attachment; with a pattern, one whose name matches.
    Attachment(Option<Pattern>),
    /// The letter is in the thread of the letter with this UID.
    ThreadOf(u32),
    /// A procedure of the script returns true for the letter.
    Where(Value),
}

/// A regular expression.
#[derive(Debug, Clone)]
pub(in crate::api) struct Regexp {
    pub regex: Regex,
    /// Whether its text says all: a compiled one may have flags besides.
    pub is_plain: bool,
}

/// A pattern of file names, such as `*.pdf`.
#[derive(Debug, Clone)]
pub(in crate::api) struct Pattern {
    pub shown: String,
    pub regexp: Regex,
}

impl Search {
    /// The key, if every part of the expression is one that servers know.
    pub(in crate::api) fn to_key(&self) -> Option<SearchKey> {
        let all = |parts: &[Search]| parts.iter().map(Search::to_key).collect::<Option<Vec<_>>>();
        match self {
            Search::Key(key) => Some(key.clone()),
            Search::Ours(_) => None,
            Search::And(parts) => all(parts).map(SearchKey::And),
            Search::Or(parts) => all(parts).map(SearchKey::Or),
            Search::Not(part) => part.to_key().map(|key| SearchKey::Not(Box::new(key))),
        }
    }

    /// The text of a key: one of servers as it is sent, one of ours as a script writes it.
    pub(super) fn shown(&self) -> String {
        let quoted = |text: &str| printer::readably(&Datum::String(text.to_owned()));
        let Search::Ours(key) = self else {
            let key = self.to_key().and_then(|key| key.to_imap().ok());
            return key.unwrap_or_default();
        };
        match key {
            OurKey::Matches(field, regexp) => {
                format!("(:matches {} {})", quoted(field), quoted(regexp.regex.as_str()))
            }
            OurKey::BodyMatches(regexp) => {
                format!("(:body-matches {})", quoted(regexp.regex.as_str()))
            }
            OurKey::List(id) => format!("(:list {})", quoted(id)),
            OurKey::Attachment(None) => "(:has-attachment)".to_owned(),
            OurKey::Attachment(Some(pattern)) => {
                format!("(:attachment {})", quoted(&pattern.shown))
            }
            OurKey::ThreadOf(uid) => format!("(:thread-of {uid})"),
            OurKey::Where(_) => "(:where procedure)".to_owned(),
        }
    }

    /// The keys and our keys in it, from left to right.
    pub(super) fn leaves<'s>(&'s self, into: &mut Vec<&'s Search>) {
        match self {
            Search::Key(_) | Search::Ours(_) => into.push(self),
            Search::And(parts) | Search::Or(parts) => {
                parts.iter().for_each(|part| part.leaves(into));
            }
            Search::Not(part) => part.leaves(into),
        }
    }

    /// Passes our keys, from left to right, to `change`.
    pub(in crate::api) fn for_each_ours(&mut self, change: &mut dyn FnMut(&mut Search)) {
        match self {
            Search::Key(_) => {}
            Search::Ours(_) => change(self),
            Search::And(parts) | Search::Or(parts) => {
                parts.iter_mut().for_each(|part| part.for_each_ours(change));
            }
            Search::Not(part) => part.for_each_ours(change),
        }
    }

    /// Whether `(:thread-of uid)` is in it.
    pub(super) fn has_threads(&self) -> bool {
        let mut leaves = Vec::new();
        self.leaves(&mut leaves);
        leaves.iter().any(|leaf| matches!(leaf, Search::Ours(OurKey::ThreadOf(_))))
    }

    /// The procedures of `(:where procedure)`, from left to right.
    pub(in crate::api) fn procedures(&self) -> Vec<Value> {
        let mut leaves = Vec::new();
        self.leaves(&mut leaves);
        let procedure = |leaf: &Search| match leaf {
            Search::Ours(OurKey::Where(procedure)) => Some(procedure.clone()),
            _ => None,
        };
        leaves.into_iter().filter_map(procedure).collect()
    }
}

/// Reads a search expression on behalf of a function. `saved` are the UIDs that `:saved` stands for.
pub(in crate::api) fn search(
    function: &str,
    expression: &Value,
    saved: &dyn Fn() -> SequenceSet,
) -> Result<Search, Condition> {
    Expression { function, saved }.search(expression, 0)
}

/// Checks a search expression without a connection.
pub(in crate::api) fn check(function: &str, expression: &Value) -> Result<(), Condition> {
    search(function, expression, &SequenceSet::new).map(drop)
}

/// Checks that every key of a search can be sent. A search that is decided here in part may send
/// some keys before it reads others.
pub(in crate::api) fn check_sendable(function: &str, search: &Search) -> Result<(), Condition> {
    let mut leaves = Vec::new();
    search.leaves(&mut leaves);
    for leaf in leaves {
        if let Search::Key(key) = leaf {
            Command::search(key, true).map_err(|error| {
                let condition = Condition::from(&crate::client::Error::from(error));
                Condition { message: format!("{function}: {}", condition.message), ..condition }
            })?;
        }
    }
    Ok(())
}

/// Reads the arguments of a key. `whole` is the list with the key, for messages.
type Read = fn(&Expression<'_>, arguments: &[Value], whole: &Value) -> Result<Search, Condition>;

/// A row of [`OURS`]: the name, how many arguments it takes, and what reads them.
type Row = (&'static str, usize, Read);

/// The keys that are not one word of IMAP with at most one argument.
static OURS: &[Row] = &[
    ("age<", 1, |read, arguments, whole| read.younger(&arguments[0], whole, true)),
    ("age>", 1, |read, arguments, whole| read.older(&arguments[0], whole, true)),
    ("attachment", 1, |read, arguments, whole| {
        let shown = read.plain_text(&arguments[0], whole)?;
        let regexp = host::wildcard(&shown, true);
        let regexp = regexp.ok_or_else(|| read.wrong("a shorter pattern of file names", whole))?;
        Ok(Search::Ours(OurKey::Attachment(Some(Pattern { shown, regexp }))))
    }),
    ("body-matches", 1, |read, arguments, whole| {
        Ok(Search::Ours(OurKey::BodyMatches(read.regexp(&arguments[0], whole)?)))
    }),
    ("gmail", 1, |read, arguments, whole| {
        Ok(Search::Key(SearchKey::Gmail(read.text(&arguments[0], whole)?)))
    }),
    ("has-attachment", 0, |_, _, _| Ok(Search::Ours(OurKey::Attachment(None)))),
    ("header", 2, |read, arguments, whole| {
        let (field, text) = (read.text(&arguments[0], whole)?, read.text(&arguments[1], whole)?);
        Ok(Search::Key(SearchKey::Header(field, text)))
    }),
    ("list", 1, |read, arguments, whole| {
        Ok(Search::Ours(OurKey::List(read.plain_text(&arguments[0], whole)?.to_lowercase())))
    }),
    ("matches", 2, |read, arguments, whole| {
        let field = read.field(&arguments[0], whole)?;
        Ok(Search::Ours(OurKey::Matches(field, read.regexp(&arguments[1], whole)?)))
    }),
    ("older", 1, |read, arguments, whole| read.older(&arguments[0], whole, false)),
    ("raw", 1, |read, arguments, whole| {
        Ok(Search::Key(SearchKey::Raw(read.text(&arguments[0], whole)?)))
    }),
    ("saved", 0, |read, _, _| Ok(Search::Key(read.saved()))),
    ("thread-of", 1, |read, arguments, whole| {
        let uid = host::as_integer(&arguments[0]).and_then(|uid| u32::try_from(uid).ok());
        let uid = uid.filter(|uid| *uid > 0);
        let uid = uid.ok_or_else(|| read.wrong("(:thread-of uid) with a unique id", whole))?;
        Ok(Search::Ours(OurKey::ThreadOf(uid)))
    }),
    ("uid", 1, |read, arguments, whole| {
        if is_saved(&arguments[0]) {
            return Ok(Search::Key(read.saved()));
        }
        message_set(&arguments[0])
            .filter(|set| !set.is_empty())
            .map(|set| Search::Key(SearchKey::Uid(set)))
            .ok_or_else(|| read.wrong("(:uid set) with unique ids", whole))
    }),
    ("where", 1, |read, arguments, whole| {
        if !host::is_procedure(&arguments[0]) {
            let expected = "(:where procedure) with a function of a letter; as it is a value, write (list :where #'f) or `(and :unseen (:where ,f))";
            return Err(read.wrong(expected, whole));
        }
        Ok(Search::Ours(OurKey::Where(arguments[0].clone())))
    }),
    ("younger", 1, |read, arguments, whole| read.younger(&arguments[0], whole, false)),
];

/// Reads search expressions.
struct Expression<'f> {
    /// The function that messages name.
    function: &'f str,
    /// The UIDs that `:saved` stands for.
    saved: &'f dyn Fn() -> SequenceSet,
}

impl Expression<'_> {
    fn search(&self, value: &Value, depth: usize) -> Result<Search, Condition> {
        if depth > DEEPEST {
            return Err(Condition::syntax(format!(
                "{}: the search expression is nested more than {DEEPEST} deep",
                self.function
            )));
        }
        if let Some(word) = host::as_keyword(value) {
            return self.bare(word, value);
        }
        if let Some(set) = message_set(value).filter(|set| !set.is_empty()) {
            return Ok(Search::Key(SearchKey::Messages(set)));
        }
        let items: Vec<Value> = host::as_list(value).map(Iterator::collect).unwrap_or_default();
        let Some((head, arguments)) = items.split_first() else {
            return Err(
                self.wrong("a predicate, a message set, or (and …), (or …), (not …)", value)
            );
        };
        let name = host::as_keyword(head)
            .or_else(|| host::as_symbol(head))
            .unwrap_or("")
            .to_ascii_lowercase();
        let all = || {
            arguments
                .iter()
                .map(|argument| self.search(argument, depth + 1))
                .collect::<Result<Vec<_>, _>>()
        };
        match (name.as_str(), arguments) {
            ("and", _) => Ok(Search::And(all()?)),
            ("or", _) => Ok(Search::Or(all()?)),
            ("not", [argument]) => Ok(Search::Not(Box::new(self.search(argument, depth + 1)?))),
            ("not", _) => Err(self.wrong("(not expression) with one expression", value)),
            _ => match (ours(&name), arguments) {
                (Some((_, count, read)), _) if *count == arguments.len() => {
                    read(self, arguments, value)
                }
                (Some(_), _) => {
                    Err(self.unknown(&name, "a search predicate with its arguments", value))
                }
                (None, [argument]) => self.with_one_argument(&name, argument, value),
                _ => Err(self.unknown(&name, "a search predicate with its argument", value)),
            },
        }
    }

    fn bare(&self, word: &str, value: &Value) -> Result<Search, Condition> {
        match (named(word), ours(&word.to_ascii_lowercase())) {
            (Some(Argument::None(make)), _) => Ok(Search::Key(make())),
            (_, Some((_, 0, read))) => read(self, &[], value),
            _ => Err(self.unknown(
                word,
                "a search predicate such as :seen, or a list such as (:from \"jkf\")",
                value,
            )),
        }
    }

    fn with_one_argument(
        &self,
        name: &str,
        argument: &Value,
        whole: &Value,
    ) -> Result<Search, Condition> {
        let key = match named(name) {
            Some(Argument::Text(make)) => make(self.text(argument, whole)?),
            Some(Argument::Date(make)) => make(self.date(argument, whole)?),
            Some(Argument::Number(make)) => make(self.number(argument, whole)?),
            Some(Argument::Keyword(make)) => make(self.flag(argument, whole)?),
            Some(Argument::None(_)) | None => {
                return Err(self.unknown(
                    name,
                    "a search predicate such as (:from \"jkf\"), (:since \"7-Mar-1999\") or (:larger 1000)",
                    whole,
                ));
            }
        };
        Ok(Search::Key(key))
    }

    /// The saved messages; an empty set cannot be sent.
    fn saved(&self) -> SearchKey {
        let uids = (self.saved)();
        if uids.is_empty() { SearchKey::Or(Vec::new()) } else { SearchKey::Uid(uids) }
    }

    fn text(&self, value: &Value, whole: &Value) -> Result<String, Condition> {
        host::as_str(value)
            .map(str::to_owned)
            .ok_or_else(|| self.wrong("a predicate with a string", whole))
    }

    /// Reads a text of which no part can end a line.
    fn plain_text(&self, value: &Value, whole: &Value) -> Result<String, Condition> {
        let text = host::as_str(value).filter(|text| !text.chars().any(char::is_control));
        text.map(str::to_owned)
            .ok_or_else(|| self.wrong("a predicate with a string without line ends", whole))
    }

    /// Reads the name of a header field, in lower case.
    fn field(&self, value: &Value, whole: &Value) -> Result<String, Condition> {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let name = host::as_str(value).or_else(|| host::as_keyword(value));
        name.filter(|name| !name.is_empty() && name.bytes().all(is_part))
            .map(str::to_ascii_lowercase)
            .ok_or_else(|| {
                let expected = "(:matches field \"regexp\") with the name of a header field, a string or a keyword";
                self.wrong(expected, whole)
            })
    }

    fn regexp(&self, value: &Value, whole: &Value) -> Result<Regexp, Condition> {
        let expected =
            "a predicate with a regular expression, a string or what compile-re returned";
        let regex = host::regexp(self.function, value);
        let regex = regex.unwrap_or_else(|| Err(self.wrong(expected, whole)))?;
        Ok(Regexp { regex, is_plain: host::as_str(value).is_some() })
    }

    fn number(&self, value: &Value, whole: &Value) -> Result<u64, Condition> {
        host::as_integer(value)
            .and_then(|number| u64::try_from(number).ok())
            .ok_or_else(|| self.wrong("a predicate with a number from 0 on", whole))
    }

    fn flag(&self, value: &Value, whole: &Value) -> Result<Flag, Condition> {
        let flag = flag_text(value)
            .filter(|flag| !flag.starts_with('\\'))
            .and_then(|flag| Flag::new(&flag).ok());
        flag.ok_or_else(|| self.wrong("a predicate with a user flag such as :junk", whole))
    }

    /// Reads a date; its day counts as it is written, and a universal time's is that in UTC.
    fn date(&self, value: &Value, whole: &Value) -> Result<Date, Condition> {
        dates::read(value)
            .and_then(|date| dates::day(&date))
            .ok_or_else(|| self.wrong(&format!("a predicate with {}", dates::EXPECTED), whole))
    }

    fn older(&self, days: &Value, whole: &Value, parts: bool) -> Result<Search, Condition> {
        Ok(Search::Key(match self.seconds(days, whole, parts)? {
            0 => SearchKey::All,
            seconds => SearchKey::Older(seconds),
        }))
    }

    fn younger(&self, days: &Value, whole: &Value, parts: bool) -> Result<Search, Condition> {
        Ok(Search::Key(match self.seconds(days, whole, parts)? {
            0 => SearchKey::Or(Vec::new()),
            seconds => SearchKey::Younger(seconds),
        }))
    }

    /// Reads days as seconds, which fit into 32 bits (RFC 5032 3). `parts`: whether parts of days
    /// are taken.
    fn seconds(&self, days: &Value, whole: &Value, parts: bool) -> Result<u64, Condition> {
        let days = match host::as_integer(days) {
            Some(days) => Some(days as f64), // exact up to the limit
            None => host::as_float(days).filter(|_| parts),
        };
        let seconds = days
            .filter(|days| (0.0..=100_000.0).contains(days))
            .map(|days| ((days * 86_400.0).round() as u64).min(u64::from(u32::MAX)));
        seconds.ok_or_else(|| self.wrong("a predicate with a number of days", whole))
    }

    /// Like [`Expression::wrong`], for a word that may be misspelt.
    fn unknown(&self, word: &str, expected: &str, got: &Value) -> Condition {
        let mut condition = self.wrong(expected, got);
        let words = search_words();
        let all = || words.iter().map(String::as_str).chain(CONNECTIVES);
        if !all().any(|known| known.eq_ignore_ascii_case(word))
            && let Some(near) = host::nearest(&word.to_ascii_lowercase(), all())
        {
            condition.message.push_str(&format!("; did you mean `:{near}`?"));
        }
        condition
    }

    fn wrong(&self, expected: &str, got: &Value) -> Condition {
        host::wrong_argument(self.function, "search expression", expected, got)
    }
}

/// The words that join search expressions.
const CONNECTIVES: [&str; 3] = ["and", "or", "not"];

fn named(name: &str) -> Option<Argument> {
    let is_it = |(known, _): &&(&str, Argument)| known.eq_ignore_ascii_case(name);
    NAMED.iter().find(is_it).map(|(_, argument)| *argument)
}

fn ours(name: &str) -> Option<&'static Row> {
    OURS.iter().find(|(known, _, _)| *known == name)
}

/// Returns the words of search expressions for completion, in lower case and sorted.
pub fn search_words() -> Vec<String> {
    let ours = OURS.iter().map(|(name, _, _)| (*name).to_owned());
    let mut words: Vec<String> =
        NAMED.iter().map(|(name, _)| name.to_lowercase()).chain(ours).collect();
    words.sort_unstable();
    words.dedup();
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_of_ours_is_one_of_the_protocol() {
        for (name, _, _) in OURS {
            let argument = named(name);
            let is_replaced = matches!(*name, "older" | "younger");
            assert_eq!(argument.is_some(), is_replaced, "{name}");
        }
    }
}
