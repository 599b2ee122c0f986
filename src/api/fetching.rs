//! Fetching letters and what is known of them.

use super::mailbox::{on_mailbox, on_mailbox_at};
use super::sets::{message, messages, required};
use super::values::{Texts, Wanted, fetched};
use crate::client::Error;
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Value};
use crate::proto::imap::{SequenceSet, Token};
use std::num::NonZeroU32;

type Answer = Result<Value, Condition>;

/// The parts, in parentheses when there are several.
fn parts(call: &Call<'_>, index: usize) -> Result<String, Condition> {
    let text = call.string(index)?.trim();
    let several = !text.starts_with('(') && has_space_outside(text);
    Ok(if several { format!("({text})") } else { text.to_owned() })
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

fn texts(call: &Call<'_>) -> Texts {
    if call.boolean_key("raw") { Texts::Raw } else { Texts::Strings }
}

pub(super) fn fetch_parts(call: &Call<'_>) -> Answer {
    let (messages, parts) = (messages(call, 1)?, parts(call, 2)?);
    fetch_list(call, &messages, &parts)
}

fn fetch_list(call: &Call<'_>, messages: &SequenceSet, parts: &str) -> Answer {
    let (texts, uid) = (texts(call), call.boolean_key("uid"));
    let wanted = Wanted::by(parts, uid);
    let mut items = Vec::new();
    on_mailbox(call, |client| {
        client.fetch(messages, parts, uid, &mut |data| {
            items.extend(fetched(data, texts, wanted)?);
            Ok(())
        })
    })?;
    Ok(host::list(items))
}

pub(super) fn fetch_letter(call: &Call<'_>) -> Answer {
    let peek = call.boolean_key("peek");
    if call.arg(2).is_some() {
        // The manual's own example passes parts; then it is fetch-parts.
        let (messages, parts) = (messages(call, 1)?, parts(call, 2)?);
        return fetch_list(call, &messages, &parts);
    }
    let message = message(call, 1)?;
    let items = fetch_list(call, &SequenceSet::from(message), if peek { "body.peek[]" } else { "body[]" })?;
    let letter = first_part(&items, "BODY[]");
    letter.ok_or_else(|| {
        let what = if call.boolean_key("uid") { "with the unique id" } else { "with the number" };
        Condition::new(Identifier::ErrorResponse, format!("{}: there is no message {what} {message}", call.name()))
    })
}

/// The first value of that name in a fetch result.
fn first_part(items: &Value, name: &str) -> Option<Value> {
    host::as_list(items)?.find_map(|item| {
        let parts: Vec<Value> = host::as_list(&item)?.nth(1).as_ref().and_then(host::as_list)?.collect();
        parts
            .as_chunks::<2>()
            .0
            .iter()
            .find(|[key, value]| host::as_str(key) == Some(name) && !host::is_nil(value))
            .map(|[_, value]| value.clone())
    })
}

pub(super) fn fetch_field(call: &Call<'_>) -> Answer {
    let message = i64::from(message(call, 0)?.get());
    let (part, info) = (normal_name(call.string(1)?), required(call, 2));
    if host::as_str(info).is_some() {
        return Ok(info.clone()); // what fetch-letter returned is the letter itself
    }
    let wrong = || call.wrong("info", "what fetch-parts or fetch-letter returned", info);
    let uid = call.boolean_key("uid");
    for item in host::as_list(info).ok_or_else(wrong)? {
        let item: Vec<Value> = host::as_list(&item).ok_or_else(wrong)?.collect();
        let [number, parts] = &item[..] else { return Err(wrong()) };
        let parts: Vec<Value> = host::as_list(parts).ok_or_else(wrong)?.collect();
        let find =
            |name: &str| parts.as_chunks::<2>().0.iter().find(|[key, _]| host::as_str(key).is_some_and(|key| normal_name(key) == name));
        let is_asked_for = if uid {
            find("UID").and_then(|[_, uid]| host::as_integer(uid)) == Some(message)
        } else {
            host::as_integer(number) == Some(message)
        };
        if is_asked_for && let Some([_, value]) = find(&part) {
            return Ok(value.clone());
        }
    }
    Ok(host::nil())
}

/// A part's name as the server answers it: upper case, no `.PEEK`, `<0.1000>` as `<0>`, no quotes, single spaces.
fn normal_name(name: &str) -> String {
    let mut name = name.trim().to_uppercase().replace('"', "");
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

/// How much of the letters `for-each-letter` holds at once: their bytes, and their number.
const BATCH_BYTES: u64 = 1 << 20;
const BATCH_MESSAGES: usize = 500;

/// The batches of messages that `for-each-letter` fetches one by one: lists of UIDs. Parts with texts are batched by the letters' sizes.
///
/// The function is the inside of `for-each-letter`, and its errors say so.
pub(super) fn letter_batches(call: &Call<'_>) -> Answer {
    batches(call).map_err(|condition| Condition { message: condition.message.replacen(call.name(), "for-each-letter", 1), ..condition })
}

fn batches(call: &Call<'_>) -> Answer {
    let function = required(call, 0);
    if !function.is_function() {
        return Err(call.wrong("f", "a function of one argument", function));
    }
    let (messages, parts, uid) = (messages(call, 2)?, parts(call, 3)?.to_ascii_lowercase(), call.boolean_key("uid"));
    if messages.is_empty() {
        return Ok(host::nil());
    }
    let with_texts = ["body[", "body.peek[", "binary", "rfc822"].iter().any(|part| parts.contains(part));
    let mut batches = Vec::new();
    let (mut batch, mut bytes) = (Vec::new(), 0);
    on_mailbox_at(call, 1, |client| {
        client.fetch(&messages, if with_texts { "(UID RFC822.SIZE)" } else { "(UID)" }, uid, &mut |mut data| {
            let Some((uid, size)) = uid_and_size(&mut data.tokens)? else { return Ok(()) };
            if batch.len() >= BATCH_MESSAGES || (bytes + size > BATCH_BYTES && !batch.is_empty()) {
                batches.push(host::list(std::mem::take(&mut batch)));
                bytes = 0;
            }
            batch.push(host::integer(i64::from(uid.get())));
            bytes += size;
            Ok(())
        })
    })?;
    if !batch.is_empty() {
        batches.push(host::list(batch));
    }
    Ok(host::list(batches))
}

fn uid_and_size(tokens: &mut crate::proto::imap::Tokens<'_>) -> Result<Option<(NonZeroU32, u64)>, Error> {
    let (mut uid, mut size) = (None, 0);
    tokens.expect_open()?;
    loop {
        match tokens.expect_token()? {
            Token::Close => return Ok(uid.map(|uid| (uid, size))),
            Token::Atom(name) => {
                let value = tokens.expect_token()?;
                if name.eq_ignore_ascii_case(b"UID") {
                    uid = value.number().and_then(|uid| u32::try_from(uid).ok()).and_then(NonZeroU32::new);
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
            (" envelope ", "ENVELOPE"),
        ];
        for (name, expected) in table {
            assert_eq!(normal_name(name), expected, "{name}");
        }
    }

    #[test]
    fn several_parts_are_seen_as_several() {
        for (text, several) in
            [("flags envelope", true), ("body[header.fields (from to)]", false), ("body[]", false), ("uid body[header.fields (a b)]", true)]
        {
            assert_eq!(has_space_outside(text), several, "{text}");
        }
    }
}
