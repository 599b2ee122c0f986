//! `explain-search`: what a search would send, and what would be decided here.
//!
//! The searches that narrow are sent, since their results say how many letters the rest is about.
//! Nothing is fetched to decide the rest; if texts would be, the sizes of the letters are asked for.

use super::expression::{check, check_sendable, search};
use super::facts::Level;
use super::{Gathering, Plan, Policy, Rest, Tests};
use crate::api::Answer;
use crate::api::letter_sets::with_threads;
use crate::api::mailbox::{mailbox, on_mailbox};
use crate::api::sets::required;
use crate::client::{Error, ImapClient};
use crate::host::{self, Call, Value};
use crate::proto::imap::{FetchItems, Messages};
use std::collections::BTreeSet;

pub(in crate::api) fn explain_search(call: &Call<'_>) -> Answer {
    let mailbox = mailbox(call)?;
    check(call.name(), required(call, 1))?;
    let saved = || mailbox.client().saved();
    let search = search(call.name(), required(call, 1), &saved)?;
    check_sendable(call.name(), &search)?;
    let policy = Policy::of(call);
    let rows = on_mailbox(call, |client| {
        let has_threads = search.has_threads();
        let search = with_threads(call, client, search)?;
        let mut plan = Plan::of(&search, policy, !client.real_capabilities().offers("X-GM-EXT-1"));
        explained(client, &mut plan, u64::from(has_threads))
    })?;
    Ok(host::list(rows))
}

fn explained(client: &mut ImapClient, plan: &mut Plan, threads: u64) -> Result<Vec<Value>, Error> {
    let row = |name: &str, value: Value| host::list(vec![host::keyword(name), value]);
    let count = |number: u64| host::integer(i64::try_from(number).unwrap_or(i64::MAX));
    let mut rows = vec![row("server", host::string(plan.narrowing.to_imap()?))];
    if !plan.asked.is_empty() {
        let asked: Result<Vec<Value>, Error> =
            plan.asked.iter().map(|key| Ok(host::string(key.to_imap()?))).collect();
        rows.push(row("asked", host::list(asked?)));
    }
    if plan.tests.is_empty() {
        rows.push(row("here", host::nil()));
        rows.push(row("commands", count(1 + threads)));
        return Ok(rows);
    }
    rows.push(row("here", host::string(written(&plan.rest, &plan.shown))));
    let tests = Tests::new(std::mem::take(&mut plan.tests), false);
    let (needs, rounds) = needs(&tests);
    rows.push(row("needs", host::list(needs)));
    let (letters, searches) = match Gathering::searches_first(client, &plan.narrowing, &plan.asked)
    {
        false => (client.selected().map_or(0, |selected| u64::from(selected.exists)), 0),
        true => {
            let uids = client.uid_search(&plan.narrowing)?;
            let has_texts = tests.numbers().any(|test| tests.get(test).level() == Level::Text);
            if has_texts && !uids.is_empty() {
                rows.push(row(
                    "bytes",
                    count(sizes(client, &Messages::uids(uids.iter().copied()))?),
                ));
            }
            (uids.len() as u64, 1 + plan.asked.len() as u64)
        }
    };
    rows.push(row("letters", count(letters)));
    let rounds = if letters == 0 { 0 } else { rounds };
    rows.push(row("commands", count(threads + searches + rounds)));
    Ok(rows)
}

/// What is fetched, and in how many commands at least.
fn needs(tests: &Tests) -> (Vec<Value>, u64) {
    let levels: BTreeSet<Level> = tests.numbers().map(|test| tests.get(test).level()).collect();
    let fields: BTreeSet<&str> =
        tests.numbers().filter_map(|test| tests.get(test).field()).collect();
    let mut needs = Vec::new();
    for level in &levels {
        needs.push(match level {
            Level::Brief => host::keyword("flags"),
            Level::Header => {
                let names = fields.iter().map(|name| host::string(*name));
                host::list(std::iter::once(host::keyword("header")).chain(names).collect())
            }
            Level::Structure => host::keyword("structure"),
            Level::Text => host::keyword("text"),
            Level::Procedure => host::keyword("procedure"),
        });
    }
    let has = |level: Level| levels.contains(&level);
    let small = has(Level::Brief) || has(Level::Header);
    let structure = has(Level::Structure) || has(Level::Text);
    (needs, u64::from(small) + u64::from(structure) + u64::from(has(Level::Text)))
}

/// The sizes of letters, added up.
fn sizes(client: &mut ImapClient, messages: &Messages) -> Result<u64, Error> {
    let fetched = client.fetch_all(messages, &FetchItems::parse("(UID RFC822.SIZE)")?)?;
    Ok(fetched.iter().filter_map(|one| one.size).sum())
}

/// A condition as a script could write it.
fn written(rest: &Rest, tests: &[String]) -> String {
    let all = |word: &str, parts: &[Rest]| match parts {
        [part] => written(part, tests),
        _ => {
            let parts: Vec<String> = parts.iter().map(|part| written(part, tests)).collect();
            format!("({word} {})", parts.join(" "))
        }
    };
    match rest {
        Rest::All(parts) => all("and", parts),
        Rest::Any(parts) => all("or", parts),
        Rest::Not(part) => format!("(not {})", written(part, tests)),
        Rest::Asked(search) => format!("(:asked {search})"),
        Rest::Test(test) => tests.get(*test).cloned().unwrap_or_default(),
    }
}
