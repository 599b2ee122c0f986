//! Headers and addresses of letters, as values.

use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Value};
use crate::mime::{self, Entry, Envelope, EnvelopeAddress};

type Answer = Result<Value, Condition>;

/// A letter's bytes, from the string or the bytevector of any fetch.
pub(super) fn letter_bytes(call: &Call<'_>, index: usize) -> Result<Vec<u8>, Condition> {
    call.typed(index, "a string or a bytevector", |value| {
        host::as_bytes(value).or_else(|| host::as_str(value).map(|text| text.as_bytes().to_vec()))
    })
}

fn optional(text: Option<&str>) -> Value {
    text.map_or_else(host::nil, host::string)
}

pub(super) fn parse_mail_header(call: &Call<'_>) -> Answer {
    let text = letter_bytes(call, 0)?;
    let (header, body) = mime::split(&text);
    let fields = mime::fields(header).map(|field| {
        host::cons(
            host::string(String::from_utf8_lossy(field.name.as_ref()).into_owned()),
            host::string(field.text()),
        )
    });
    Ok(call.values(vec![host::list(fields.collect()), host::string(super::values::text(body))]))
}

pub(super) fn make_envelope_from_text(call: &Call<'_>) -> Answer {
    let envelope = Envelope::read(&letter_bytes(call, 0)?);
    let text = |text: &Option<String>| optional(text.as_deref());
    if !call.boolean_key("parsed") {
        let fields = [
            &envelope.date,
            &envelope.subject,
            &envelope.from,
            &envelope.sender,
            &envelope.reply_to,
            &envelope.to,
            &envelope.cc,
            &envelope.bcc,
            &envelope.in_reply_to,
            &envelope.message_id,
        ];
        return Ok(host::list(fields.into_iter().map(text).collect()));
    }
    let lists = envelope.addresses();
    let list = |addresses: &[EnvelopeAddress]| {
        let address = |one: &EnvelopeAddress| {
            host::list(
                [&one.name, &one.route, &one.mailbox, &one.host]
                    .into_iter()
                    .map(|part| optional(part.as_deref()))
                    .collect(),
            )
        };
        host::list(addresses.iter().map(address).collect())
    };
    Ok(host::list(vec![
        text(&envelope.date),
        text(&envelope.subject),
        list(&lists.from),
        list(&lists.sender),
        list(&lists.reply_to),
        list(&lists.to),
        list(&lists.cc),
        list(&lists.bcc),
        text(&envelope.in_reply_to),
        text(&envelope.message_id),
    ]))
}

pub(super) fn decode_header_text(call: &Call<'_>) -> Answer {
    Ok(host::string(mime::decode_text(call.string(0)?)))
}

pub(super) fn parse_email_address(call: &Call<'_>) -> Answer {
    let parsed = mime::parse_email_address(
        call.string(0)?,
        call.boolean_key("require-domain"),
        call.boolean_key("require-dotted-domain"),
    );
    Ok(match parsed {
        Some((local, domain)) => {
            call.values(vec![host::string(local), optional(domain.as_deref())])
        }
        None => host::nil(),
    })
}

pub(super) fn extract_email_addresses(call: &Call<'_>) -> Answer {
    let (text, compact) = (call.string(0)?, call.boolean_key("compact"));
    let entries = mime::parse_mailbox_list(text);
    if call.boolean_key("errorp")
        && let Some(bad) = entries.iter().find_map(unreadable)
    {
        return Err(Condition::new(
            Identifier::SyntaxError,
            format!("{}: text: {bad:?} is no address", call.name()),
        ));
    }
    let mut values = Vec::new();
    for entry in &entries {
        match entry {
            Entry::Group { members, .. } if compact => {
                values.extend(members.iter().map(compact_value))
            }
            entry if compact => values.push(compact_value(entry)),
            entry => values.push(entry_value(entry)),
        }
    }
    Ok(host::list(values))
}

/// What stands in a list but is no address.
fn unreadable(entry: &Entry) -> Option<&str> {
    match entry {
        Entry::Mailbox { local, domain: None, .. }
            if local.is_empty() || local.contains(char::is_whitespace) =>
        {
            Some(local)
        }
        Entry::Mailbox { .. } => None,
        Entry::Group { members, .. } => members.iter().find_map(unreadable),
    }
}

fn entry_value(entry: &Entry) -> Value {
    match entry {
        Entry::Mailbox { display, local, domain, .. } => host::list(vec![
            host::keyword("mailbox"),
            optional(display.as_deref()),
            host::string(local.as_str()),
            optional(domain.as_deref()),
        ]),
        Entry::Group { name, members } => host::list(vec![
            host::keyword("group"),
            host::string(name.as_str()),
            host::list(members.iter().map(entry_value).collect()),
        ]),
    }
}

/// `"user@domain"`.
fn compact_value(entry: &Entry) -> Value {
    match entry {
        Entry::Mailbox { local, domain: Some(domain), .. } => {
            host::string(format!("{local}@{domain}"))
        }
        Entry::Mailbox { local, .. } | Entry::Group { name: local, .. } => {
            host::string(local.as_str())
        }
    }
}
