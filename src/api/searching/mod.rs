//! `search-mailbox`, and the search expressions of all functions.
//!
//! An expression is read into a tree (`expression`). If servers know every key in it, it is one
//! SEARCH. Otherwise the largest part that the server can answer is sent (`plan`), and the rest is
//! decided here on what is fetched for it (`gathering`, `facts`).
//!
//! The numbers that a search finds are noted, for `shifting`. With `:return` or `:partial` the result
//! is a list of what was asked for, with and without ESEARCH on the server.

mod explaining;
mod expression;
mod facts;
mod gathering;
mod plan;

pub(super) use explaining::explain_search;
pub use expression::search_words;
pub(super) use expression::{OurKey, Search, check, check_sendable, search};
pub(super) use facts::{Card, Level, Tests, known};
pub(super) use gathering::Gathering;
pub(super) use plan::{Plan, Planner, Policy, Rest};

use super::letter_sets::{Target, find};
use super::mailbox::{mailbox, on_mailbox};
use super::objects::ImapMailbox;
use super::pipeline;
use super::reconnection::Reconnection;
use super::sets::required;
use super::shifting::Given;
use crate::client::ImapClient;
use crate::condition::Condition;
use crate::host::{self, Call, Value};
use crate::proto::imap::{Found, Places, Returns, SearchKey, SequenceSet};
use std::num::NonZeroU32;
use std::sync::Arc;

pub(super) fn search_mailbox(call: &Call<'_>) -> Result<Value, Condition> {
    let (mailbox, uid) = (mailbox(call)?, call.boolean_key("uid"));
    let returns = Asked::of(call)?;
    let key = match resolved(call, &mailbox, 1)? {
        Resolved::Found(uids) if returns.is_none() && (uid || uids.is_empty()) => {
            return Ok(numbers(&uids));
        }
        resolved => resolved.key(),
    };
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

/// Returns the key for the search expression in argument `index`. What is decided here is decided, and
/// the key is that of the letters found.
pub(super) fn key_of(
    call: &Call<'_>,
    mailbox: &Arc<ImapMailbox>,
    index: usize,
) -> Result<SearchKey, Condition> {
    resolved(call, mailbox, index).map(Resolved::key)
}

/// What a search expression means.
enum Resolved {
    /// A search for the server.
    Key(SearchKey),
    /// It was decided here: the UIDs that were found.
    Found(Vec<u32>),
}

impl Resolved {
    fn key(self) -> SearchKey {
        match self {
            Resolved::Key(key) => key,
            Resolved::Found(uids) if uids.is_empty() => SearchKey::Or(Vec::new()),
            Resolved::Found(uids) => {
                SearchKey::Uid(uids.into_iter().filter_map(NonZeroU32::new).collect())
            }
        }
    }
}

fn resolved(
    call: &Call<'_>,
    mailbox: &Arc<ImapMailbox>,
    index: usize,
) -> Result<Resolved, Condition> {
    let saved = || mailbox.client().saved();
    let expression = required(call, index);
    let policy = Policy::of(call);
    let key = search(call.name(), expression, &saved)?.to_key();
    if let Some(key) = key.filter(|_| policy == Policy::Server) {
        return Ok(Resolved::Key(key));
    }
    pipeline::refuse(call, "with a part that is decided here")?;
    let target = Target { mailbox: mailbox.clone(), name: None, read_only: false };
    let found = find(call, &[target], expression, policy)?;
    Ok(Resolved::Found(found.into_iter().flat_map(|found| found.uids).collect()))
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
