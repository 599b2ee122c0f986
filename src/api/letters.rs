//! Parses headers, envelopes and addresses of letters; no server is involved.
//!
//! The parsers are those of `mime`. This module turns their results into Lisp values.

use super::Answer;
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Function, Type, Value};
use crate::mime::{self, Entry, Envelope, EnvelopeAddress};
use std::borrow::Cow;

/// The rows of the topic "Headers and addresses".
pub(super) const FUNCTIONS: &[Function] = &[
    Function::native(
        "parse-mail-header",
        "(text &key raw)",
        parse_mail_header,
        "Parses a header. Returns two values: the list ((\"name\" . \"value\") …) of its fields in their order, with continued lines joined and encoded words decoded, and the rest, the body, as a string.
text: a string or a bytevector that begins with a header. :raw  t leaves encoded words as they are.",
    ).typed(&[("raw", Type::Truth)]).checked(),
    Function::native(
        "make-envelope-from-text",
        "(text &key parsed)",
        make_envelope_from_text,
        "The envelope of a letter, a list that envelope-subject and the others read. Its fields are the header's own strings, or nil.
text: a string or a bytevector that begins with a header. :parsed  t returns lists of addresses for the address fields, as IMAP does.",
    ).typed(&[("parsed", Type::Truth)]).checked(),
    Function::native(
        "decode-header-text",
        "(text)",
        decode_header_text,
        "A header's text with its encoded words decoded (RFC 2047), a string: \"=?utf-8?Q?gr=C3=BCn?=\" is \"grün\". Words that cannot be decoded stay as they are.
text: a string.",
    ).checked(),
    Function::native(
        "parse-email-address",
        "(text &key require-domain require-dotted-domain)",
        parse_email_address,
        "Two values: the local part and the domain of an address, strings; nil if the text is not an address.
text: a string. :require-domain  t requires a domain, :require-dotted-domain  t one with a dot.",
    ).typed(&[("require-domain", Type::Truth), ("require-dotted-domain", Type::Truth)]).checked(),
    Function::native(
        "extract-email-addresses",
        "(text &key errorp compact)",
        extract_email_addresses,
        "The addresses in a header's text, a list of (:mailbox name user domain) and (:group name list).
text: a string. :compact  t returns a list of strings \"user@domain\". :errorp  t makes text that is not an address a :syntax-error.",
    ).typed(&[("errorp", Type::Truth), ("compact", Type::Truth)]).checked(),
];

/// Returns the bytes of a letter, from the string or the bytevector that a fetch returned.
pub(super) fn letter_bytes<'v>(
    call: &'v Call<'_>,
    index: usize,
) -> Result<Cow<'v, [u8]>, Condition> {
    call.typed(index, "a string or a bytevector", |value| match host::as_str(value) {
        Some(text) => Some(Cow::Borrowed(text.as_bytes())),
        None => host::as_bytes(value).map(Cow::Owned),
    })
}

fn optional(text: Option<&str>) -> Value {
    text.map_or_else(host::nil, host::string)
}

pub(super) fn parse_mail_header(call: &Call<'_>) -> Answer {
    let text = letter_bytes(call, 0)?;
    let raw = call.boolean_key("raw");
    let (header, body) = mime::split(&text);
    let fields = mime::fields(header).map(|field| {
        let value = field.text();
        host::cons(
            host::string(String::from_utf8_lossy(field.name.as_ref()).into_owned()),
            if raw { host::string(value) } else { host::string(mime::decode_text(&value)) },
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

/// Finds an entry of an address list that is not an address.
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

/// Returns `"user@domain"`, or only the local part if there is no domain.
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
