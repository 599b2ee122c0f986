//! Fetching letters and what is known of them.

use super::mailbox::{
    asked_count, failed, mailbox, on_mailbox, on_mailbox_at, pop_mailbox, progress,
};
use super::pop;
use super::sets::{message, messages, required, truth};
use super::values::{Texts, Wanted, fetched};
use crate::client::{Error, ImapClient, Sending, Ticket};
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Value};
use crate::proto::imap::{Command, SequenceSet, Token};
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};

type Answer = Result<Value, Condition>;

/// The parts, in parentheses when there are several.
pub(super) fn parts(call: &Call<'_>, index: usize) -> Result<String, Condition> {
    let text = call.string(index)?.trim_matches(' '); // a line end is refused, not forgiven
    if !is_balanced(text) {
        return Err(call.wrong(
            "parts",
            "parts with balanced parentheses and brackets",
            required(call, index),
        ));
    }
    let several = !text.starts_with('(') && has_space_outside(text);
    Ok(if several { format!("({text})") } else { text.to_owned() })
}

fn is_balanced(text: &str) -> bool {
    let mut depth = 0i64;
    let closes_too_much = text.bytes().any(|byte| {
        depth += i64::from(matches!(byte, b'[' | b'(')) - i64::from(matches!(byte, b']' | b')'));
        depth < 0
    });
    !closes_too_much && depth == 0
}

/// Whether a space stands outside of brackets and parentheses: `flags envelope`.
fn has_space_outside(text: &str) -> bool {
    let mut depth = 0usize;
    text.bytes().any(|byte| {
        match byte {
            b'[' | b'(' => depth += 1,
            b']' | b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        byte == b' ' && depth == 0
    })
}

pub(super) fn texts(call: &Call<'_>) -> Texts {
    if call.boolean_key("raw") { Texts::Raw } else { Texts::Strings }
}

pub(super) fn fetch_parts(call: &Call<'_>) -> Answer {
    let (messages, parts) = (messages(call, 1)?, parts(call, 2)?);
    Ok(result(call, fetch_list(call, &messages, &parts)?))
}

fn fetch_list(call: &Call<'_>, messages: &SequenceSet, parts: &str) -> Answer {
    let uid = truth(call, "uid")?;
    fetch_items(call, messages, parts, uid, Wanted::by(parts, uid), None)
}

fn fetch_items(
    call: &Call<'_>,
    messages: &SequenceSet,
    parts: &str,
    uid: bool,
    wanted: Wanted,
    ticket: Option<Ticket>,
) -> Answer {
    let texts = texts(call);
    let mailbox = mailbox(call)?;
    call.context().let_go();
    let mut items = Vec::new();
    on_mailbox(call, |client| {
        let limits = client.limits().clone();
        let progress = progress(call);
        progress.expect_messages(asked_count(client, messages, uid));
        let ticket = match ticket {
            None => mailbox.read_ahead.take(client, messages, parts, uid)?,
            ticket => ticket,
        };
        let mut fetch = |client: &mut ImapClient| {
            client.fetch(messages, parts, uid, &mut |data| {
                items.extend(fetched(data, texts, wanted, &limits)?);
                progress.message();
                Ok(())
            })
        };
        match ticket {
            Some(ticket) => client.redeem(ticket, fetch),
            None => fetch(client),
        }
    })?;
    Ok(host::list(items))
}

/// A list that a script gets.
fn result(call: &Call<'_>, list: Value) -> Value {
    call.context().hold(&list);
    list
}

pub(super) fn fetch_letter(call: &Call<'_>) -> Answer {
    if let Some(mailbox) = pop_mailbox(call, 0) {
        return pop::fetch_letter(call, &mailbox);
    }
    let peek = call.boolean_key("peek");
    if call.arg(2).is_some() {
        // The manual's own example passes parts; then it is fetch-parts.
        let (messages, parts) = (messages(call, 1)?, parts(call, 2)?);
        return fetch_list(call, &messages, &if peek { peeking(&parts) } else { parts });
    }
    let message = message(call, 1)?;
    let items =
        fetch_list(call, &SequenceSet::from(message), if peek { "body.peek[]" } else { "body[]" })?;
    let letter = field_of(&items, i64::from(message.get()), "BODY[]", call.boolean_key("uid"));
    letter.ok_or_else(|| {
        let what = if call.boolean_key("uid") { "with the unique id" } else { "with the number" };
        Condition::new(
            Identifier::ErrorResponse,
            format!("{}: there is no message {what} {message}", call.name()),
        )
    })
}

pub(super) fn fetch_letters(call: &Call<'_>) -> Answer {
    if let Some(mailbox) = pop_mailbox(call, 0) {
        return pop::fetch_letters(call, &mailbox);
    }
    let (messages, uid) = (messages(call, 1)?, truth(call, "uid")?);
    let items = fetch_list(
        call,
        &messages,
        if call.boolean_key("peek") { "body.peek[]" } else { "body[]" },
    )?;
    let letters = host::as_list(&items).into_iter().flatten().filter_map(|item| {
        let item: Vec<Value> = host::as_list(&item)?.collect();
        let [number, parts] = &item[..] else { return None };
        let number = if uid { part(parts, "UID")? } else { number.clone() };
        Some(host::list(vec![number, part(parts, "BODY[]")?]))
    });
    Ok(result(call, host::list(letters.collect())))
}

/// One of an item's parts.
fn part(parts: &Value, name: &str) -> Option<Value> {
    let parts: Vec<Value> = host::as_list(parts)?.collect();
    let is_named = |key: &Value| host::as_str(key).is_some_and(|key| normal_name(key) == name);
    parts.as_chunks::<2>().0.iter().find(|[key, _]| is_named(key)).map(|[_, value]| value.clone())
}

/// Parts that leave `\\Seen` alone.
pub(super) fn peeking(parts: &str) -> String {
    parts.to_ascii_lowercase().replace("body[", "body.peek[").replace("binary[", "binary.peek[")
}

pub(super) fn fetch_field(call: &Call<'_>) -> Answer {
    let message = i64::from(message(call, 0)?.get());
    let (part, info) = (normal_name(call.string(1)?), required(call, 2));
    if host::as_str(info).is_some() {
        return Ok(info.clone()); // what fetch-letter returned is the letter itself
    }
    let is_result = host::as_list(info).is_some_and(|mut items| {
        items.all(|item| host::as_list(&item).is_some_and(|item| item.len() == 2))
    });
    if !is_result {
        return Err(call.wrong("info", "what fetch-parts or fetch-letter returned", info));
    }
    Ok(field_of(info, message, &part, truth(call, "uid")?).unwrap_or_else(host::nil))
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

/// A part's name as the server answers it: upper case, no `.PEEK`, `<0.1000>` as `<0>`, no quotes, single spaces.
fn normal_name(name: &str) -> String {
    let mut name = without_literals(&name.trim().to_uppercase().replace('"', ""));
    if let Some(inside) = name.strip_prefix('(').and_then(|name| name.strip_suffix(')')) {
        name = inside.trim().to_owned();
    }
    for verb in ["BODY", "BINARY"] {
        if let Some(rest) = name.strip_prefix(verb).and_then(|rest| rest.strip_prefix(".PEEK[")) {
            name = format!("{verb}[{rest}");
        }
    }
    if let Some((before, partial)) = name.rsplit_once("]<")
        && let Some((start, _)) = partial.split_once('.')
    {
        name = format!("{before}]<{start}>");
    }
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `BODY[HEADER.FIELDS ({4} FROM)]`, as a server may write a field's name, without the literal's size.
fn without_literals(name: &str) -> String {
    let mut pieces = name.split('{');
    let first = pieces.next().unwrap_or("").to_owned();
    pieces.fold(first, |text, piece| {
        let (_, rest) = piece.split_once('}').unwrap_or(("", piece));
        text + rest.trim_start_matches(['\r', '\n'])
    })
}

/// How much of the letters `for-each-letter` holds at once: their bytes, and their number.
pub(super) const BATCH_BYTES: u64 = 1 << 20;
pub(super) const BATCH_MESSAGES: usize = 500;

/// The batches of messages that `for-each-letter` fetches one by one: lists of UIDs. Parts with texts are batched by the letters' sizes.
///
/// The function is the inside of `for-each-letter`, and its errors say so.
pub(super) fn letter_batches(call: &Call<'_>) -> Answer {
    batches(call).map_err(|condition| Condition {
        message: condition.message.replacen(call.name(), "for-each-letter", 1),
        ..condition
    })
}

fn batches(call: &Call<'_>) -> Answer {
    let function = required(call, 0);
    if !function.is_function() {
        return Err(call.wrong("f", "a function of one argument", function));
    }
    if let Some(mailbox) = pop_mailbox(call, 1) {
        return pop::letter_batches(call, &mailbox);
    }
    let (messages, parts, uid) =
        (messages(call, 2)?, parts(call, 3)?.to_ascii_lowercase(), call.boolean_key("uid"));
    if messages.is_empty() {
        return Ok(host::nil());
    }
    // Before the first question goes out.
    Command::fetch(&messages, &parts, uid)
        .map_err(|error| failed(call, &Error::Argument(error), false))?;
    let with_texts =
        ["body[", "body.peek[", "binary", "rfc822"].iter().any(|part| parts.contains(part));
    let mut batches = Vec::new();
    let (mut batch, mut bytes, mut seen) = (Vec::new(), 0, std::collections::HashSet::new());
    on_mailbox_at(call, 1, |client| {
        let asked = client.asked_for(&messages, uid);
        client.fetch(
            &messages,
            if with_texts { "(UID RFC822.SIZE)" } else { "(UID)" },
            uid,
            &mut |mut data| {
                let number = data.number.unwrap_or(0);
                let Some((found, size)) = uid_and_size(&mut data.tokens)? else { return Ok(()) };
                if !asked.contains(if uid { found.get() } else { number }) || !seen.insert(found) {
                    return Ok(()); // the server tells of another message
                }
                if batch.len() >= BATCH_MESSAGES
                    || (bytes + size > BATCH_BYTES && !batch.is_empty())
                {
                    batches.push(host::list(std::mem::take(&mut batch)));
                    bytes = 0;
                }
                batch.push(host::integer(i64::from(found.get())));
                bytes += size;
                Ok(())
            },
        )
    })?;
    if !batch.is_empty() {
        batches.push(host::list(batch));
    }
    Ok(host::list(batches))
}

/// One batch, as a list of items.
pub(super) fn fetch_batch(call: &Call<'_>) -> Answer {
    if let Some(mailbox) = pop_mailbox(call, 0) {
        return pop::fetch_batch(call, &mailbox);
    }
    // Batches are of UIDs; the items show them only when they were asked for.
    let (batch, parts, next) = (messages(call, 1)?, parts(call, 2)?, messages(call, 3)?);
    let mailbox = mailbox(call)?;
    let ticket = mailbox.next_batch.take(&batch);
    // Fetching ahead must leave no trace if the rest is never wanted.
    if !next.is_empty()
        && peeking(&parts) == parts.to_ascii_lowercase()
        && !parts.to_ascii_lowercase().contains("rfc822")
    {
        on_mailbox(call, |client| {
            if let Sending::Sent(ahead) =
                client.ahead(|client| client.fetch(&next, &parts, true, &mut |_| Ok(())))?
            {
                mailbox.next_batch.put(next, ahead);
            }
            Ok(())
        })?;
    }
    fetch_items(call, &batch, &parts, true, Wanted::by(&parts, call.boolean_key("uid")), ticket)
}

/// The batch of `for-each-letter` that was asked for ahead.
#[derive(Default)]
pub(super) struct NextBatch(Mutex<Option<(SequenceSet, Ticket)>>);

impl NextBatch {
    fn put(&self, batch: SequenceSet, ticket: Ticket) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((batch, ticket));
    }

    fn take(&self, batch: &SequenceSet) -> Option<Ticket> {
        let (asked, ticket) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        (asked == *batch).then_some(ticket)
    }
}

pub(super) fn uid_and_size(
    tokens: &mut crate::proto::imap::Tokens<'_>,
) -> Result<Option<(NonZeroU32, u64)>, Error> {
    let (mut uid, mut size) = (None, 0);
    tokens.expect_open()?;
    loop {
        match tokens.expect_token()? {
            Token::Close => return Ok(uid.map(|uid| (uid, size))),
            Token::Atom(name) => {
                let value = tokens.expect_token()?;
                if name.eq_ignore_ascii_case(b"UID") {
                    uid = value
                        .number()
                        .and_then(|uid| u32::try_from(uid).ok())
                        .and_then(NonZeroU32::new);
                } else if name.eq_ignore_ascii_case(b"RFC822.SIZE") {
                    size = value.number().unwrap_or(0);
                } else {
                    tokens.skip_value(value)?;
                }
            }
            _ => return Err(tokens.malformed("expected a fetch item's name").into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_parts_compare_as_the_server_answers_them() {
        let table = [
            ("body[]", "BODY[]"),
            ("body.peek[header.fields (from to)]", "BODY[HEADER.FIELDS (FROM TO)]"),
            ("BODY[HEADER.FIELDS (\"From\"  To)]", "BODY[HEADER.FIELDS (FROM TO)]"),
            ("body[]<0.1000>", "BODY[]<0>"),
            ("BODY[1.2]<5>", "BODY[1.2]<5>"),
            ("(flags)", "FLAGS"),
            ("BODY[HEADER.FIELDS ({4}\r\nFROM TO)]", "BODY[HEADER.FIELDS (FROM TO)]"),
            (" envelope ", "ENVELOPE"),
        ];
        for (name, expected) in table {
            assert_eq!(normal_name(name), expected, "{name}");
        }
    }

    #[test]
    fn several_parts_are_seen_as_several() {
        for (text, several) in [
            ("flags envelope", true),
            ("body[header.fields (from to)]", false),
            ("body[]", false),
            ("uid body[header.fields (a b)]", true),
        ] {
            assert_eq!(has_space_outside(text), several, "{text}");
        }
    }
}
