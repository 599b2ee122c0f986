//! `sort-mailbox` and `thread-mailbox`.
//!
//! The server sorts, if it can (SORT, THREAD). Otherwise the matching letters' dates, sizes and a few
//! header fields are fetched, and `mime::order` does the same here.

use super::mailbox::{asked_count, mailbox, on_mailbox, progress};
use super::reconnection::Reconnection;
use super::searching::key_of;
use super::sets::required;
use super::shifting::Given;
use crate::client::{Error, ImapClient, ThreadStep};
use crate::condition::Condition;
use crate::host::{self, Call, Value};
use crate::mime::order::{self, Algorithm, Criterion, HEADER_FIELDS, Step, Summary};
use crate::proto::imap::{
    Data, DateTime, FetchItems, FetchedItems, Messages, SearchKey, SequenceSet, SortCriterion,
    SortKey, ThreadAlgorithm, message_number,
};
use std::collections::HashSet;

const EXPECTED_CRITERIA: &str = "criteria such as :date or (:reverse :date :subject), of :arrival :cc :date :from :size :subject :to :displayfrom :displayto";

const EXPECTED_ALGORITHM: &str = ":references, :refs or :orderedsubject";

pub(super) fn sort_mailbox(call: &Call<'_>) -> Result<Value, Condition> {
    let (mailbox, uid) = (mailbox(call)?, call.boolean_key("uid"));
    let value = required(call, 1);
    let criteria =
        criteria(value).ok_or_else(|| call.wrong("criteria", EXPECTED_CRITERIA, value))?;
    let key = key_of(call, &mailbox, 2)?;
    let sorted = on_mailbox(call, |client| {
        let key = client.understood(&key)?;
        let sorted = match client.can_sort(&criteria, &key) {
            true => client.sort(&criteria, &key, uid)?,
            false => {
                let criteria: Vec<Criterion> = criteria.iter().map(here).collect();
                order::sort(summaries(call, client, &key, uid)?, &criteria)
            }
        };
        if !uid {
            note(&mailbox, client, &sorted);
        }
        Ok(sorted)
    })?;
    Ok(host::list(sorted.into_iter().map(number).collect()))
}

pub(super) fn thread_mailbox(call: &Call<'_>) -> Result<Value, Condition> {
    let (mailbox, uid) = (mailbox(call)?, call.boolean_key("uid"));
    let value = required(call, 1);
    let word = host::as_keyword(value).unwrap_or_default();
    let is_it = |algorithm: &ThreadAlgorithm| algorithm.name().eq_ignore_ascii_case(word);
    let algorithm = ThreadAlgorithm::ALL.into_iter().find(is_it);
    let algorithm = algorithm.ok_or_else(|| call.wrong("algorithm", EXPECTED_ALGORITHM, value))?;
    let key = key_of(call, &mailbox, 2)?;
    let steps = on_mailbox(call, |client| {
        let key = client.understood(&key)?;
        let steps = match client.can_thread(algorithm, &key) {
            true => client.thread(algorithm, &key, uid)?.into_iter().map(step_of).collect(),
            false => order::thread(summaries(call, client, &key, uid)?, algorithm_here(algorithm)),
        };
        if !uid {
            let numbers = steps.iter().filter_map(|step| match step {
                Step::Message(number) => Some(*number),
                Step::Open | Step::Close => None,
            });
            note(&mailbox, client, &numbers.collect::<Vec<_>>());
        }
        Ok(steps)
    })?;
    Ok(nested(&steps))
}

/// Returns the UIDs of the thread of each of these letters, by References and subject; none for a
/// letter that is not there.
pub(super) fn threads_of(
    call: &Call<'_>,
    client: &mut ImapClient,
    uids: &[u32],
) -> Result<Vec<Vec<u32>>, Error> {
    let (algorithm, key) = (ThreadAlgorithm::References, SearchKey::All);
    let steps: Vec<Step> = match client.can_thread(algorithm, &key) {
        true => client.thread(algorithm, &key, true)?.into_iter().map(step_of).collect(),
        false => order::thread(summaries(call, client, &key, true)?, algorithm_here(algorithm)),
    };
    let mut threads = vec![Vec::new(); uids.len()];
    let (mut depth, mut thread) = (0_usize, Vec::new());
    for step in steps {
        match step {
            Step::Open => depth += 1,
            Step::Message(uid) => thread.push(uid),
            Step::Close => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    for (uid, found) in uids.iter().zip(&mut threads) {
                        if thread.contains(uid) {
                            found.clone_from(&thread);
                        }
                    }
                    thread.clear();
                }
            }
        }
    }
    Ok(threads)
}

/// Remembers the numbers that the script gets.
fn note(mailbox: &super::objects::ImapMailbox, client: &ImapClient, numbers: &[u32]) {
    mailbox.extra::<Reconnection>().numbers_are_new();
    let numbers = numbers.iter().copied().collect::<SequenceSet>().members(0);
    mailbox.extra::<Given>().note(client, numbers);
}

/// Reads a criterion, or a list of criteria in which `:reverse` is before the one that it reverses.
fn criteria(value: &Value) -> Option<Vec<SortCriterion>> {
    let words: Vec<Value> = match host::as_keyword(value) {
        Some(_) => vec![value.clone()],
        None => host::as_list(value)?.collect(),
    };
    let (mut criteria, mut reverse) = (Vec::new(), false);
    for word in &words {
        let word = host::as_keyword(word)?;
        if word.eq_ignore_ascii_case("reverse") && !reverse {
            reverse = true;
            continue;
        }
        let key = SortKey::ALL.into_iter().find(|key| key.name().eq_ignore_ascii_case(word))?;
        criteria.push(SortCriterion { key, reverse: std::mem::take(&mut reverse) });
    }
    (!criteria.is_empty() && !reverse).then_some(criteria)
}

/// Returns the words for the parameter `criteria` or `algorithm`, for completion.
pub fn order_words(parameter: &str) -> Vec<String> {
    let words: Vec<&str> = match parameter {
        "criteria" => SortKey::ALL.map(SortKey::name).into_iter().chain(["REVERSE"]).collect(),
        "algorithm" => ThreadAlgorithm::ALL.map(ThreadAlgorithm::name).to_vec(),
        _ => Vec::new(),
    };
    words.into_iter().map(str::to_lowercase).collect()
}

fn here(criterion: &SortCriterion) -> Criterion {
    let key = match criterion.key {
        SortKey::Arrival => order::SortKey::Arrival,
        SortKey::Cc => order::SortKey::Cc,
        SortKey::Date => order::SortKey::Date,
        SortKey::From => order::SortKey::From,
        SortKey::Size => order::SortKey::Size,
        SortKey::Subject => order::SortKey::Subject,
        SortKey::To => order::SortKey::To,
        SortKey::DisplayFrom => order::SortKey::DisplayFrom,
        SortKey::DisplayTo => order::SortKey::DisplayTo,
    };
    Criterion { key, reverse: criterion.reverse }
}

fn algorithm_here(algorithm: ThreadAlgorithm) -> Algorithm {
    match algorithm {
        ThreadAlgorithm::OrderedSubject => Algorithm::OrderedSubject,
        ThreadAlgorithm::References => Algorithm::References,
        ThreadAlgorithm::Refs => Algorithm::Refs,
    }
}

fn step_of(step: ThreadStep) -> Step {
    match step {
        ThreadStep::Open => Step::Open,
        ThreadStep::Message(number) => Step::Message(number),
        ThreadStep::Close => Step::Close,
    }
}

/// Returns `((2) (3 6 (4 23) (44 7 96)))`. Client and `order` limit how deep the lists are.
fn nested(steps: &[Step]) -> Value {
    let push = |open: &mut Vec<Vec<Value>>, value| {
        if let Some(list) = open.last_mut() {
            list.push(value);
        }
    };
    let mut open: Vec<Vec<Value>> = vec![Vec::new()];
    for step in steps {
        match step {
            Step::Open => open.push(Vec::new()),
            Step::Message(message) => push(&mut open, number(*message)),
            Step::Close => {
                let list = open.pop().unwrap_or_default();
                push(&mut open, host::list(list));
            }
        }
    }
    host::list(open.pop().unwrap_or_default())
}

fn number(number: u32) -> Value {
    host::integer(i64::from(number))
}

/// Fetches what sorting needs to know of the letters that match.
fn summaries(
    call: &Call<'_>,
    client: &mut ImapClient,
    key: &SearchKey,
    uid: bool,
) -> Result<Vec<Summary>, Error> {
    let found = if uid { client.uid_search(key)? } else { client.search(key)? };
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let messages = if uid { Messages::uids(found) } else { Messages::numbers(found) };
    let items =
        format!("(UID INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS ({HEADER_FIELDS})])");
    let (mut summaries, mut seen) = (Vec::new(), HashSet::new());
    let progress = progress(call);
    progress.expect_messages(asked_count(client, &messages));
    client.fetch(&messages, &FetchItems::parse(&items)?, &mut |data| {
        // A server may report a letter twice.
        if let Some(summary) = read(data, uid)?.filter(|letter| seen.insert(letter.number)) {
            summaries.push(summary);
            progress.message();
        }
        Ok(())
    })?;
    Ok(summaries)
}

/// Reads the answer about one letter; `None` for a response without header, which reports
/// something else.
fn read(mut data: Data<'_>, by_uid: bool) -> Result<Option<Summary>, Error> {
    let (mut number, mut arrival, mut size, mut header) = (data.number, 0, 0, None);
    let mut items = FetchedItems::of(&mut data.tokens)?;
    while let Some((name, value)) = items.next()? {
        if name.eq_ignore_ascii_case(b"UID") {
            number = if by_uid { message_number(value).map(u32::from) } else { number };
        } else if name.eq_ignore_ascii_case(b"RFC822.SIZE") {
            size = value.number().unwrap_or(0);
        } else if name.eq_ignore_ascii_case(b"INTERNALDATE") {
            let date = value.bytes();
            let date = date.and_then(|date| std::str::from_utf8(&date).ok()?.parse().ok());
            arrival = date.map_or(0, DateTime::unix_seconds);
        } else if name.len() > 5 && name[..5].eq_ignore_ascii_case(b"BODY[") {
            header = value.bytes();
        }
    }
    let summary = |number| Some(Summary::read(number, header.as_deref()?, arrival, size));
    Ok(number.and_then(summary))
}
