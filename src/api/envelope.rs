//! Accessors for envelopes and their addresses (RFC 3501 7.4.2).
//!
//! An envelope is a list of ten fields and an address a list `(name additional mailbox host)`, as
//! IMAP sends them. Encoded words are decoded unless `:raw` is true. A letter may lack any field,
//! so nil is accepted everywhere and has only nil parts.

use super::Answer;
use super::accessors::part_of;
use super::sets::required;
use crate::host::{self, Call, Function, NativeCode, Type};
use crate::mime::decode_text;

/// The rows of the topic "Envelopes".
pub(super) const FUNCTIONS: &[Function] = &[
    envelope_part(
        "envelope-date",
        envelope_date,
        "The Date field of an envelope, a string or nil.\nenvelope: as (fetch-field n \"envelope\" …) returns it, or nil. :raw  t leaves encoded words as they are.",
    ).checked(),
    envelope_part(
        "envelope-subject",
        envelope_subject,
        "The Subject field of an envelope, a string or nil.\nenvelope: as (fetch-field n \"envelope\" …) returns it, or nil. :raw  t leaves encoded words as they are.",
    ).checked(),
    envelope_part(
        "envelope-from",
        envelope_from,
        "The From field of an envelope, a list of addresses.\nenvelope: as (fetch-field n \"envelope\" …) returns it, or nil. :raw  t leaves encoded words as they are.",
    ).checked(),
    envelope_part(
        "envelope-sender",
        envelope_sender,
        "The Sender field of an envelope, a list of addresses.\nenvelope: as (fetch-field n \"envelope\" …) returns it, or nil. :raw  t leaves encoded words as they are.",
    ).checked(),
    envelope_part(
        "envelope-reply-to",
        envelope_reply_to,
        "The Reply-To field of an envelope, a list of addresses.\nenvelope: as (fetch-field n \"envelope\" …) returns it, or nil. :raw  t leaves encoded words as they are.",
    ).checked(),
    envelope_part(
        "envelope-to",
        envelope_to,
        "The To field of an envelope, a list of addresses.\nenvelope: as (fetch-field n \"envelope\" …) returns it, or nil. :raw  t leaves encoded words as they are.",
    ).checked(),
    envelope_part(
        "envelope-cc",
        envelope_cc,
        "The Cc field of an envelope, a list of addresses.\nenvelope: as (fetch-field n \"envelope\" …) returns it, or nil. :raw  t leaves encoded words as they are.",
    ).checked(),
    envelope_part(
        "envelope-bcc",
        envelope_bcc,
        "The Bcc field of an envelope, a list of addresses.\nenvelope: as (fetch-field n \"envelope\" …) returns it, or nil. :raw  t leaves encoded words as they are.",
    ).checked(),
    envelope_part(
        "envelope-in-reply-to",
        envelope_in_reply_to,
        "The In-Reply-To field of an envelope, a string or nil.\nenvelope: as (fetch-field n \"envelope\" …) returns it, or nil. :raw  t leaves encoded words as they are.",
    ).checked(),
    envelope_part(
        "envelope-message-id",
        envelope_message_id,
        "The Message-ID field of an envelope, a string or nil.\nenvelope: as (fetch-field n \"envelope\" …) returns it, or nil. :raw  t leaves encoded words as they are.",
    ).checked(),
    address_part(
        "address-name",
        address_name,
        "The name of an address, a string or nil.\naddress: an element of an envelope's address field, or nil. :raw  t leaves encoded words as they are.",
    ).checked(),
    address_part(
        "address-additional",
        address_additional,
        "The source route of an address, a string or nil; obsolete.\naddress: an element of an envelope's address field, or nil. :raw  t leaves encoded words as they are.",
    ).checked(),
    address_part(
        "address-mailbox",
        address_mailbox,
        "The part of an address before the @, a string or nil.\naddress: an element of an envelope's address field, or nil. :raw  t leaves encoded words as they are.",
    ).checked(),
    address_part(
        "address-host",
        address_host,
        "The part of an address after the @, a string or nil.\naddress: an element of an envelope's address field, or nil. :raw  t leaves encoded words as they are.",
    ).checked(),
    address_part(
        "address-email",
        address_email,
        "The plain address, a string: \"jkf@verada.com\"; nil for nil and for what is no address.\naddress: an element of an envelope's address field or of letter-to, or nil. :raw  t leaves encoded words as they are.",
    ).checked(),
    address_part(
        "address-domain",
        address_domain,
        "The domain of an address in lower case, a string; nil if it has none.\naddress: an element of an envelope's address field or of letter-to, or nil. :raw  t leaves encoded words as they are.",
    ).checked(),
    address_part(
        "address->string",
        address_to_string,
        "An address as headers write it, a string: \"jkf <jkf@verada.com>\"; \"\" for nil.\naddress: an element of an envelope's address field, or nil. :raw  t leaves encoded words as they are.",
    ).checked(),
];

const RAW: &[(&str, Type)] = &[("raw", Type::Truth)];

const fn envelope_part(name: &'static str, run: NativeCode, doc: &'static str) -> Function {
    Function::native(name, "(envelope &key raw)", run, doc).typed(RAW)
}

const fn address_part(name: &'static str, run: NativeCode, doc: &'static str) -> Function {
    Function::native(name, "(address &key raw)", run, doc).typed(RAW)
}

/// Returns one part of a list, decoded (RFC 2047) unless `:raw` is true. nil has no parts: a letter
/// may lack the field.
fn decoded_part(
    call: &Call<'_>,
    what: &str,
    expected: &str,
    index: usize,
    length: usize,
) -> Answer {
    if host::is_nil(required(call, 0)) {
        return Ok(host::nil());
    }
    let part = part_of(call, what, expected, index, length)?;
    match host::as_str(&part) {
        Some(text) if !call.boolean_key("raw") && text.contains("=?") => {
            Ok(host::string(decode_text(text)))
        }
        _ => Ok(part),
    }
}

fn part_of_envelope(call: &Call<'_>, index: usize) -> Answer {
    decoded_part(
        call,
        "envelope",
        "an envelope, as (fetch-field n \"envelope\" …) returns it",
        index,
        10,
    )
}

fn part_of_address(call: &Call<'_>, index: usize) -> Answer {
    let expected = "an address of an envelope: (name additional mailbox host)";
    decoded_part(call, "address", expected, index, 4)
}

/// Defines one accessor per line: name of the function, kind of list, index.
macro_rules! accessors {
    ($($function:ident = $part:ident $index:literal;)*) => {
        $(pub(super) fn $function(call: &Call<'_>) -> Answer {
            $part(call, $index)
        })*
    };
}

accessors! {
    envelope_date = part_of_envelope 0;
    envelope_subject = part_of_envelope 1;
    envelope_from = part_of_envelope 2;
    envelope_sender = part_of_envelope 3;
    envelope_reply_to = part_of_envelope 4;
    envelope_to = part_of_envelope 5;
    envelope_cc = part_of_envelope 6;
    envelope_bcc = part_of_envelope 7;
    envelope_in_reply_to = part_of_envelope 8;
    envelope_message_id = part_of_envelope 9;
    address_name = part_of_address 0;
    address_additional = part_of_address 1;
    address_mailbox = part_of_address 2;
    address_host = part_of_address 3;
}

/// Returns `mailbox@host`.
fn address_email(call: &Call<'_>) -> Answer {
    let (mailbox, host) = (part_of_address(call, 2)?, part_of_address(call, 3)?);
    Ok(match (host::as_str(&mailbox), host::as_str(&host)) {
        (Some(mailbox), Some("")) => host::string(mailbox),
        (Some(mailbox), Some(host)) => host::string(format!("{mailbox}@{host}")),
        _ => host::nil(),
    })
}

fn address_domain(call: &Call<'_>) -> Answer {
    let domain = part_of_address(call, 3)?;
    let domain = host::as_str(&domain).filter(|domain| !domain.is_empty());
    Ok(domain.map_or_else(host::nil, |domain| host::string(domain.to_lowercase())))
}

/// Returns `Name <mailbox@host>`, as written in a header.
pub(super) fn address_to_string(call: &Call<'_>) -> Answer {
    let parts = [part_of_address(call, 0)?, part_of_address(call, 2)?, part_of_address(call, 3)?];
    let [name, mailbox, host] = &parts;
    let mailbox = host::as_str(mailbox).unwrap_or("");
    let address =
        host::as_str(host).map_or_else(|| mailbox.to_owned(), |host| format!("{mailbox}@{host}"));
    let text = match host::as_str(name) {
        Some(name) if !name.is_empty() => format!("{} <{address}>", phrase(name)),
        _ => address,
    };
    Ok(host::string(&text))
}

/// Quotes a display name where RFC 5322 3.2.3 requires it.
fn phrase(name: &str) -> String {
    let is_plain = name.chars().all(|c| c.is_alphanumeric() || " !#$%&'*+-/=?^_`{|}~".contains(c));
    if is_plain {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
    }
}
