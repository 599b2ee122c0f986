//! Search expressions: from quoted lists to typed keys.
//!
//! The whole expression is checked before anything is sent. The simple predicates come from the
//! table `NAMED` of the protocol; this module adds those with other arguments, and `and`, `or` and
//! `not`. The numbers that a search finds are noted, for `shifting`. With `:return` or `:partial` the
//! result is a list of what was asked for, with and without ESEARCH on the server.

use super::dates;
use super::flags::flag_text;
use super::mailbox::{mailbox, on_mailbox};
use super::objects::ImapMailbox;
use super::pipeline;
use super::reconnection::Reconnection;
use super::sets::{is_saved, message_set, required};
use super::shifting::Given;
use crate::client::ImapClient;
use crate::condition::Condition;
use crate::host::{self, Call, Value};
use crate::proto::imap::flag::Flag;
use crate::proto::imap::search::{Argument, Date, NAMED};
use crate::proto::imap::{Found, Places, Returns, SearchKey, SequenceSet};
use std::sync::Arc;

/// Nobody writes expressions this deep, and servers reject them.
const DEEPEST: usize = 100;

pub(super) fn search_mailbox(call: &Call<'_>) -> Result<Value, Condition> {
    let (mailbox, uid) = (mailbox(call)?, call.boolean_key("uid"));
    let key = key_of(call, &mailbox, 1)?;
    let returns = Asked::of(call)?;
    if let Some(returns) = returns {
        return search_returning(call, &mailbox, key, uid, returns);
    }
    let begin = |client: &mut ImapClient| client.begin_search(&key, uid);
    let (given, reconnection) = (mailbox.extra::<Given>(), mailbox.extra::<Reconnection>());
    let wait = move |client: &mut ImapClient, pending| {
        let numbers: Vec<u32> = client.wait(pending)?;
        if !uid {
            reconnection.numbers_are_new();
            given.note(client, numbers.iter().copied().collect::<SequenceSet>().members(0));
        }
        Ok(numbers)
    };
    pipeline::perform(call, &mailbox, begin, wait, |_, found| Ok(numbers(&found)))
}

/// Reads the search expression in argument `index`.
pub(super) fn key_of(
    call: &Call<'_>,
    mailbox: &ImapMailbox,
    index: usize,
) -> Result<SearchKey, Condition> {
    let saved = || mailbox.client().saved();
    Expression { function: call.name(), saved: &saved }.key(required(call, index), 0)
}

/// The options of RFC 4731 3.1 and RFC 5182 2.1, as `:return` names them.
const OPTIONS: [&str; 5] = ["min", "max", "count", "all", "save"];

/// What a call asks for with `:return` and `:partial`, in the order in which it is returned.
struct Asked {
    returns: Returns,
    order: Vec<&'static str>,
}

impl Asked {
    /// `None` if the call has neither key.
    fn of(call: &Call<'_>) -> Result<Option<Asked>, Condition> {
        let options = call.typed_key("return", "a list of :min :max :count :all :save", options)?;
        let partial = call.typed_key(
            "partial",
            "two places, both from 1 on, or both from -1 down: (1 100), (-1 -100)",
            places,
        )?;
        if options.is_none() && partial.is_none() {
            return Ok(None);
        }
        let mut order: Vec<&str> = options.unwrap_or_default();
        order.extend(partial.map(|_| "partial"));
        let has = |name| order.contains(&name);
        let returns = Returns {
            min: has("min"),
            max: has("max"),
            count: has("count"),
            all: has("all"),
            save: has("save"),
            partial,
        };
        if returns.all && partial.is_some() {
            let message = format!("{}: either :partial or :all, not both", call.name());
            return Err(Condition::syntax(message));
        }
        order.retain(|name| *name != "save");
        Ok((!returns.is_empty()).then_some(Asked { returns, order }))
    }
}

/// Reads a list of options, each once.
fn options(value: &Value) -> Option<Vec<&'static str>> {
    let option = |value: &Value| {
        let word = host::as_keyword(value)?;
        OPTIONS.into_iter().find(|option| word.eq_ignore_ascii_case(option))
    };
    let mut found = Vec::new();
    match host::as_list(value) {
        Some(items) => found = items.map(|item| option(&item)).collect::<Option<Vec<_>>>()?,
        None => found.push(option(value)?),
    }
    let mut seen = Vec::new();
    found.retain(|option| {
        let is_new = !seen.contains(option);
        seen.push(*option);
        is_new
    });
    Some(found)
}

fn places(value: &Value) -> Option<Places> {
    let numbers: Vec<i64> =
        host::as_list(value)?.map(|item| host::as_integer(&item)).collect::<Option<_>>()?;
    let [first, last] = numbers[..] else { return None };
    Places::new(first, last)
}

/// Searches for what the call asks for. A search that saves its result is never sent ahead, because
/// the client learns the result's UIDs before `:saved` can be used.
fn search_returning(
    call: &Call<'_>,
    mailbox: &Arc<ImapMailbox>,
    key: SearchKey,
    uid: bool,
    Asked { returns, order }: Asked,
) -> Result<Value, Condition> {
    let (given, reconnection) = (mailbox.extra::<Given>(), mailbox.extra::<Reconnection>());
    let note = move |client: &ImapClient, found: &Found| {
        if !uid {
            reconnection.numbers_are_new();
            let numbers = found.all.iter().chain(&found.partial).flatten();
            let numbers = numbers.chain(&found.min).chain(&found.max).copied();
            given.note(client, numbers.collect::<SequenceSet>().members(0));
        }
    };
    let result = move |found: Found| {
        let pair = |name: &&str| {
            let value = match *name {
                "min" => found.min.map_or_else(host::nil, number),
                "max" => found.max.map_or_else(host::nil, number),
                "count" => host::integer(found.count.unwrap_or(0) as i64), // at most 63 bits
                "all" => numbers(found.all.as_deref().unwrap_or_default()),
                _ => numbers(found.partial.as_deref().unwrap_or_default()),
            };
            host::list(vec![host::keyword(name), value])
        };
        host::list(order.iter().map(pair).collect())
    };
    if returns.save {
        pipeline::refuse(call, "with :save")?;
        let found = on_mailbox(call, |client| {
            let found = client.search_returning(&key, uid, &returns)?;
            note(client, &found);
            Ok(found)
        })?;
        return Ok(result(found));
    }
    let begin = |client: &mut ImapClient| client.begin_search_returning(&key, uid, &returns);
    let wait = move |client: &mut ImapClient, pending| {
        let found: Found = client.wait(pending)?;
        note(client, &found);
        Ok(found)
    };
    pipeline::perform(call, mailbox, begin, wait, move |_, found| Ok(result(found)))
}

fn number(number: u32) -> Value {
    host::integer(i64::from(number))
}

fn numbers(numbers: &[u32]) -> Value {
    host::list(numbers.iter().copied().map(number).collect())
}

/// Reads a search expression on behalf of a function. `saved` are the UIDs that `:saved` stands for.
pub(super) fn search_key(
    function: &str,
    expression: &Value,
    saved: &dyn Fn() -> SequenceSet,
) -> Result<SearchKey, Condition> {
    Expression { function, saved }.key(expression, 0)
}

/// Checks a search expression without a connection.
pub(super) fn check(function: &str, expression: &Value) -> Result<(), Condition> {
    Expression { function, saved: &SequenceSet::new }.key(expression, 0).map(drop)
}

/// Reads search expressions.
struct Expression<'f> {
    /// The function that messages name.
    function: &'f str,
    /// The UIDs that `:saved` stands for.
    saved: &'f dyn Fn() -> SequenceSet,
}

impl Expression<'_> {
    fn key(&self, value: &Value, depth: usize) -> Result<SearchKey, Condition> {
        if depth > DEEPEST {
            return Err(Condition::syntax(format!(
                "{}: the search expression is nested more than {DEEPEST} deep",
                self.function
            )));
        }
        if is_saved(value) {
            return Ok(self.saved());
        }
        if let Some(word) = host::as_keyword(value) {
            let key = match named(word) {
                Some(Argument::None(make)) => Some(make()),
                _ => None,
            };
            return key.ok_or_else(|| {
                self.unknown(
                    word,
                    "a search predicate such as :seen, or a list such as (:from \"jkf\")",
                    value,
                )
            });
        }
        if let Some(set) = message_set(value).filter(|set| !set.is_empty()) {
            return Ok(SearchKey::Messages(set));
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
                .map(|argument| self.key(argument, depth + 1))
                .collect::<Result<Vec<_>, _>>()
        };
        match (name.as_str(), arguments) {
            ("and", _) => Ok(SearchKey::And(all()?)),
            ("or", _) => Ok(SearchKey::Or(all()?)),
            ("not", [argument]) => Ok(SearchKey::Not(Box::new(self.key(argument, depth + 1)?))),
            ("not", _) => Err(self.wrong("(not expression) with one expression", value)),
            ("header", [field, text]) => {
                Ok(SearchKey::Header(self.text(field, value)?, self.text(text, value)?))
            }
            ("uid", [set]) if is_saved(set) => Ok(self.saved()),
            ("uid", [set]) => message_set(set)
                .filter(|set| !set.is_empty())
                .map(SearchKey::Uid)
                .ok_or_else(|| self.wrong("(:uid set) with unique ids", value)),
            ("older", [days]) => Ok(match self.seconds(days, value)? {
                0 => SearchKey::All,
                seconds => SearchKey::Older(seconds),
            }),
            ("younger", [days]) => Ok(match self.seconds(days, value)? {
                0 => SearchKey::Or(Vec::new()),
                seconds => SearchKey::Younger(seconds),
            }),
            ("gmail", [text]) => Ok(SearchKey::Gmail(self.text(text, value)?)),
            ("raw", [text]) => Ok(SearchKey::Raw(self.text(text, value)?)),
            (_, [argument]) => self.with_one_argument(&name, argument, value),
            _ => Err(self.unknown(&name, "a search predicate with its argument", value)),
        }
    }

    fn with_one_argument(
        &self,
        name: &str,
        argument: &Value,
        whole: &Value,
    ) -> Result<SearchKey, Condition> {
        match named(name) {
            Some(Argument::Text(make)) => return Ok(make(self.text(argument, whole)?)),
            Some(Argument::Date(make)) => return Ok(make(self.date(argument, whole)?)),
            Some(Argument::Number(make)) => return Ok(make(self.number(argument, whole)?)),
            Some(Argument::Keyword(make)) => return Ok(make(self.flag(argument, whole)?)),
            Some(Argument::None(_)) | None => {}
        }
        Err(self.unknown(
            name,
            "a search predicate such as (:from \"jkf\"), (:since \"7-Mar-1999\") or (:larger 1000)",
            whole,
        ))
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

    /// Reads days as seconds, which fit into 32 bits (RFC 5032 3).
    fn seconds(&self, days: &Value, whole: &Value) -> Result<u64, Condition> {
        let days = host::as_integer(days).filter(|days| (0..=100_000).contains(days));
        let seconds = days.and_then(|days| u64::try_from(days * 86_400).ok());
        let seconds = seconds.map(|seconds| seconds.min(u64::from(u32::MAX)));
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

fn named(name: &str) -> Option<Argument> {
    let is_it = |(known, _): &&(&str, Argument)| known.eq_ignore_ascii_case(name);
    NAMED.iter().find(is_it).map(|(_, argument)| *argument)
}

/// The words that join search expressions.
const CONNECTIVES: [&str; 3] = ["and", "or", "not"];

/// Returns the words of search expressions for completion, in lower case and sorted.
pub fn search_words() -> Vec<String> {
    let ours = ["gmail", "header", "raw", "saved", "uid"].map(str::to_owned);
    let mut words: Vec<String> =
        NAMED.iter().map(|(name, _)| name.to_lowercase()).chain(ours).collect();
    words.sort_unstable();
    words
}
