//! Fetching letters and what is known of them.

use super::mailbox::{asked_count, failed, mailbox, on_mailbox, pop_mailbox, progress};
use super::pipeline;
use super::pop;
use super::progress::Progress;
use super::sets::{addressed, message, message_id, messages, required};
use super::values::{Texts, Wanted, fetched};
use crate::client::{Error, Fetch, FetchReader, ImapClient, Pending};
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Context, Value};
use crate::proto::Limits;
use crate::proto::imap::items::answer_name;
use crate::proto::imap::{Data, FetchItems, Messages};
use std::sync::Arc;

type Answer = Result<Value, Condition>;

/// The data items in argument `index`.
pub(super) fn items(call: &Call<'_>, index: usize) -> Result<FetchItems, Condition> {
    FetchItems::parse(call.string(index)?)
        .map_err(|error| call.wrong("parts", error.expected, required(call, index)))
}

pub(super) fn texts(call: &Call<'_>) -> Texts {
    if call.boolean_key("raw") { Texts::Raw } else { Texts::Strings }
}

pub(super) fn fetch_parts(call: &Call<'_>) -> Answer {
    let (messages, items) = (addressed(call, 1)?, items(call, 2)?);
    fetch(call, &messages, &items, |_, list| Ok(list))
}

/// A FETCH whose items become a list; `then` makes the call's value of that.
fn fetch(
    call: &Call<'_>,
    messages: &Messages,
    items: &FetchItems,
    then: impl FnOnce(&Context, Value) -> Answer + Send + 'static,
) -> Answer {
    let mailbox = mailbox(call)?;
    let shown = FetchedItems::of(call, messages.are_uids());
    call.context().let_go();
    let begin = |client: &mut ImapClient| begin_fetch(client, messages, items, shown);
    pipeline::perform_read(call, &mailbox, begin, |context, values| {
        let value = then(context, host::list(values))?;
        context.hold(&value);
        Ok(value)
    })
}

fn begin_fetch(
    client: &mut ImapClient,
    messages: &Messages,
    items: &FetchItems,
    mut reader: FetchedItems,
) -> Result<Pending<Fetch<FetchedItems>>, Error> {
    reader.limits = client.limits().clone();
    reader.progress.expect_messages(asked_count(client, messages));
    client.begin_fetch(messages, items, reader)
}

/// Reads FETCH responses into Lisp values.
struct FetchedItems {
    texts: Texts,
    by_uid: bool,
    limits: Limits,
    progress: Arc<Progress>,
    items: Option<FetchItems>,
    values: Vec<Value>,
}

impl FetchedItems {
    fn of(call: &Call<'_>, by_uid: bool) -> Self {
        FetchedItems {
            texts: texts(call),
            by_uid,
            limits: Limits::default(),
            progress: progress(call),
            items: None,
            values: Vec::new(),
        }
    }
}

impl FetchReader for FetchedItems {
    type Output = Vec<Value>;

    fn asked(&mut self, items: &FetchItems) {
        self.items = Some(items.clone());
    }

    fn item(&mut self, data: Data<'_>) -> Result<(), Error> {
        let wanted = Wanted { items: self.items.as_ref(), by_uid: self.by_uid };
        self.values.extend(fetched(data, self.texts, wanted, &self.limits)?);
        self.progress.message();
        Ok(())
    }

    fn finish(self) -> Result<Vec<Value>, Error> {
        Ok(self.values)
    }
}

pub(super) fn fetch_letter(call: &Call<'_>) -> Answer {
    if let Some(mailbox) = pop_mailbox(call, 0) {
        return pop::fetch_letter(call, &mailbox);
    }
    let peek = call.boolean_key("peek");
    if call.arg(2).is_some() {
        // The manual's own example passes parts; then it is fetch-parts.
        let (messages, items) = (addressed(call, 1)?, items(call, 2)?);
        let items = if peek { items.peeking() } else { items };
        return fetch(call, &messages, &items, |_, list| Ok(list));
    }
    let message = message_id(call, 1)?;
    let name = call.name().to_owned();
    fetch(call, &message.into(), &letter_items(call)?, move |_, items| {
        field_of(&items, i64::from(message.get()), "BODY[]", message.is_uid()).ok_or_else(|| {
            let what = if message.is_uid() { "with the unique id" } else { "with the number" };
            let missing = format!("{name}: there is no message {what} {}", message.get());
            Condition::new(Identifier::ErrorResponse, missing)
        })
    })
}

/// `BODY[]`, as `:peek` says.
fn letter_items(call: &Call<'_>) -> Result<FetchItems, Condition> {
    let items = FetchItems::parse("body[]").map_err(|error| failed(call, &error.into()))?;
    Ok(if call.boolean_key("peek") { items.peeking() } else { items })
}

pub(super) fn fetch_letters(call: &Call<'_>) -> Answer {
    if let Some(mailbox) = pop_mailbox(call, 0) {
        return pop::fetch_letters(call, &mailbox);
    }
    let messages = addressed(call, 1)?;
    let uid = messages.are_uids();
    fetch(call, &messages, &letter_items(call)?, move |_, items| {
        let letters = host::as_list(&items).into_iter().flatten().filter_map(|item| {
            let item: Vec<Value> = host::as_list(&item)?.collect();
            let [number, parts] = &item[..] else { return None };
            let number = if uid { part(parts, "UID")? } else { number.clone() };
            Some(host::list(vec![number, part(parts, "BODY[]")?]))
        });
        Ok(host::list(letters.collect()))
    })
}

/// One of an item's parts.
fn part(parts: &Value, name: &str) -> Option<Value> {
    let parts: Vec<Value> = host::as_list(parts)?.collect();
    let is_named = |key: &Value| host::as_str(key).is_some_and(|key| answer_name(key) == name);
    parts.as_chunks::<2>().0.iter().find(|[key, _]| is_named(key)).map(|[_, value]| value.clone())
}

pub(super) fn fetch_field(call: &Call<'_>) -> Answer {
    let message = i64::from(message(call, 0)?.get());
    let (part, info) = (answer_name(call.string(1)?), required(call, 2));
    if host::as_str(info).is_some() {
        return Ok(info.clone()); // what fetch-letter returned is the letter itself
    }
    let is_result = host::as_list(info).is_some_and(|mut items| {
        items.all(|item| host::as_list(&item).is_some_and(|item| item.len() == 2))
    });
    if !is_result {
        return Err(call.wrong("info", "what fetch-parts or fetch-letter returned", info));
    }
    Ok(field_of(info, message, &part, call.boolean_key("uid")).unwrap_or_else(host::nil))
}

/// A part of a message in a result of fetch-parts; the message may stand in several items.
fn field_of(info: &Value, message: i64, wanted: &str, uid: bool) -> Option<Value> {
    host::as_list(info)?.find_map(|item| {
        let item: Vec<Value> = host::as_list(&item)?.collect();
        let [number, parts] = &item[..] else { return None };
        let told = if uid { part(parts, "UID") } else { Some(number.clone()) };
        if told.as_ref().and_then(host::as_integer) != Some(message) {
            return None;
        }
        part(parts, wanted).filter(|value| !host::is_nil(value))
    })
}

/// A batch of `for-each-letter`, by UID; the next one is asked for ahead.
pub(super) fn fetch_batch(call: &Call<'_>) -> Answer {
    if let Some(mailbox) = pop_mailbox(call, 0) {
        return pop::fetch_batch(call, &mailbox);
    }
    let [batch, next] = [messages(call, 1)?, messages(call, 3)?].map(Messages::Uids);
    let items = items(call, 2)?;
    // The items show UIDs only if they were asked for.
    let shown = FetchedItems::of(call, call.boolean_key("uid"));
    let values = on_mailbox(call, |client| {
        let batch = begin_fetch(client, &batch, &items, shown)?;
        if !next.is_empty() {
            client.expect_fetch(next, &items)?;
        }
        client.wait(batch)
    })?;
    Ok(host::list(values))
}
