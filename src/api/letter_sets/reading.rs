//! What a letter knows: `letter-subject` and the other accessors.
//!
//! They take a letter of a set, what `parse-letter` returns, or the text of a letter as any fetch
//! returns it, also over POP. Texts are decoded, dates are universal times, addresses are those of
//! envelopes. What a letter lacks is nil, and so is what is not known yet of a letter that has
//! left its mailbox.

use super::Letter;
use super::facts::Kind;
use crate::api::Answer;
use crate::api::flags::{flag_list, flag_value};
use crate::api::parts::letter_of_part;
use crate::condition::Condition;
use crate::host::{self, Call, Function, Type, UNIX_EPOCH, Value};
use crate::mime::{self, EnvelopeAddress, WrittenDate, decode_text};
use crate::proto::imap::envelope::{Address, Envelope};
use std::sync::Arc;

/// The rows of the topic "What a letter knows".
pub(in crate::api) const FUNCTIONS: &[Function] = &[
    Function::native(
        "letter-uid",
        "(letter)",
        |call| of_place(call, |letter| host::integer(i64::from(letter.uid))),
        "The unique id of a letter in its mailbox, an integer; nil for a letter that is in none.
letter: a letter of a set, what parse-letter returns, or a letter's text, a string or a bytevector.",
    ).checked(),
    Function::native(
        "letter-mailbox",
        "(letter)",
        |call| of_place(call, |letter| host::string(letter.origin().place.name.as_str())),
        "The name of a letter's mailbox, a string; nil for a letter that is in none.\nletter: as for letter-uid.",
    ).checked(),
    Function::native(
        "letter-subject",
        "(letter)",
        |call| text_of(call, |envelope| &envelope.subject, |envelope| &envelope.subject),
        "The subject of a letter, decoded, a string; nil if it has none.
letter: as for letter-uid. The first accessor that needs it fetches the envelopes of all letters of the set in one command; :\\\\seen is not set. Errors: :stale when the mailbox has another UIDVALIDITY by now.",
    ).checked(),
    Function::native(
        "letter-from",
        "(letter)",
        |call| first_address(call, |envelope| &envelope.from, |envelope| &envelope.from),
        "The first address of a letter's From field, as address-name, address-email and address-domain read it; nil if it has none.\nletter: as for letter-uid.",
    ).checked(),
    Function::native(
        "letter-sender",
        "(letter)",
        |call| first_address(call, |envelope| &envelope.sender, |envelope| &envelope.sender),
        "The address of a letter's Sender field; that of From if it has none, nil without both.\nletter: as for letter-uid.",
    ).checked(),
    Function::native(
        "letter-reply-to",
        "(letter)",
        |call| addresses(call, |envelope| &envelope.reply_to, |envelope| &envelope.reply_to),
        "The list of the addresses to which a reply goes: those of the Reply-To field, or of From.\nletter: as for letter-uid.",
    ).checked(),
    Function::native(
        "letter-to",
        "(letter)",
        |call| addresses(call, |envelope| &envelope.to, |envelope| &envelope.to),
        "The list of the addresses in a letter's To field.\nletter: as for letter-uid.",
    ).checked(),
    Function::native(
        "letter-cc",
        "(letter)",
        |call| addresses(call, |envelope| &envelope.cc, |envelope| &envelope.cc),
        "The list of the addresses in a letter's Cc field.\nletter: as for letter-uid.",
    ).checked(),
    Function::native(
        "letter-date",
        "(letter)",
        date,
        "When a letter was written, a universal time, by its Date field; if that cannot be read, when it arrived in the mailbox. nil if neither is known.\nletter: as for letter-uid.",
    ).checked(),
    Function::native(
        "letter-arrived",
        "(letter)",
        arrived,
        "When a letter arrived in its mailbox, a universal time, by the server's clock; nil for a letter that is in no mailbox.\nletter: as for letter-uid.",
    ).checked(),
    Function::native(
        "letter-size",
        "(letter)",
        size,
        "The size of a letter in bytes, an integer.\nletter: as for letter-uid.",
    ).checked(),
    Function::native(
        "letter-flags",
        "(letter)",
        flags,
        "The flags of a letter, a list of keywords, as of the last fetch; nil for a letter that is in no mailbox.\nletter: as for letter-uid.",
    ).checked(),
    Function::native(
        "letter-labels",
        "(letter)",
        labels,
        "The labels of a letter, a list: Gmail's, strings, decoded, and flags such as :\\\\important for those of its system; on other servers the letter's keywords, strings as label-letters takes them. As of the last fetch; nil for a letter that is in no mailbox.\nletter: as for letter-uid.",
    ).checked(),
    Function::native(
        "letter-message-id",
        "(letter)",
        |call| text_of(call, |envelope| &envelope.message_id, |envelope| &envelope.message_id),
        "The Message-ID of a letter, a string with its angle brackets; nil if it has none.\nletter: as for letter-uid.",
    ).checked(),
    Function::native(
        "letter-in-reply-to",
        "(letter)",
        |call| text_of(call, |envelope| &envelope.in_reply_to, |envelope| &envelope.in_reply_to),
        "The In-Reply-To field of a letter, a string; nil if it has none.\nletter: as for letter-uid.",
    ).checked(),
    Function::native(
        "letter-references",
        "(letter)",
        references,
        "The list of the message ids in a letter's References field, strings, the oldest first.\nletter: as for letter-uid.",
    ).checked(),
    Function::native(
        "letter-list-id",
        "(letter)",
        list_id,
        "The identifier of the mailing list that a letter came through (List-Id, RFC 2919), a string without the angle brackets; nil if it came through none.\nletter: as for letter-uid.",
    ).checked(),
    Function::native(
        "letter-header",
        "(letter name &key all)",
        header,
        "The value of a header field, decoded, a string; nil if the letter does not have it.
letter: as for letter-uid. name: a string, in any case. :all  t returns the list of the values of all fields of that name.",
    ).typed(&[("all", Type::Truth)]).checked(),
    Function::native(
        "letter-headers",
        "(letter)",
        headers,
        "All header fields of a letter in their order, the list ((\"name\" . \"value\") …), decoded.\nletter: as for letter-uid.",
    ).checked(),
];

/// The letter in the first argument.
enum Source {
    /// In a mailbox.
    Selected(Arc<Letter>),
    /// Read already: the whole letter.
    Read(Arc<mime::Letter>),
    /// The text of one.
    Text(Vec<u8>),
}

impl Source {
    fn of(call: &Call<'_>) -> Result<Source, Condition> {
        let expected = "a letter of a set, what parse-letter returns, or a letter's text";
        call.typed(0, expected, |value| {
            if let Some(letter) = host::downcast::<Letter>(value) {
                return Some(Source::Selected(letter));
            }
            if let Some(letter) = letter_of_part(value) {
                return Some(Source::Read(letter));
            }
            let text = host::as_str(value).map(|text| text.as_bytes().to_vec());
            text.or_else(|| host::as_bytes(value)).map(Source::Text)
        })
    }

    /// The bytes of a letter that is in no mailbox.
    fn bytes(&self) -> &[u8] {
        match self {
            Source::Selected(_) => b"",
            Source::Read(letter) => letter.as_bytes(),
            Source::Text(text) => text,
        }
    }

    /// The header with these fields at least; `None` if the letter has left its mailbox.
    fn header(&self, call: &Call<'_>, kind: &Kind) -> Result<Option<Arc<[u8]>>, Condition> {
        match self {
            Source::Selected(letter) => letter.header(call, kind),
            read => Ok(Some(mime::split(read.bytes()).0.into())),
        }
    }
}

/// Returns the whole letter in the first argument; `None` if it has left its mailbox.
pub(in crate::api) fn whole_letter(
    call: &Call<'_>,
) -> Result<Option<Arc<mime::Letter>>, Condition> {
    Ok(match Source::of(call)? {
        Source::Selected(letter) => letter.whole(call)?,
        Source::Read(letter) => Some(letter),
        Source::Text(text) => Some(Arc::new(mime::Letter::from_bytes(text))),
    })
}

fn of_place(call: &Call<'_>, read: impl FnOnce(&Letter) -> Value) -> Answer {
    Ok(match Source::of(call)? {
        Source::Selected(letter) => read(&letter),
        _ => host::nil(),
    })
}

fn optional(text: Option<String>) -> Value {
    text.map_or_else(host::nil, host::string)
}

fn text_of(
    call: &Call<'_>,
    told: fn(&Envelope) -> &Option<String>,
    written: fn(&mime::Envelope) -> &Option<String>,
) -> Answer {
    let text = match Source::of(call)? {
        Source::Selected(letter) => {
            letter.envelope(call)?.and_then(|envelope| told(&envelope).clone())
        }
        read => written(&mime::Envelope::read(read.bytes())).clone(),
    };
    Ok(optional(text.map(|text| decode_text(&text))))
}

fn list_of(
    call: &Call<'_>,
    told: fn(&Envelope) -> &Vec<Address>,
    written: fn(&mime::EnvelopeAddresses) -> &Vec<EnvelopeAddress>,
) -> Result<Vec<Value>, Condition> {
    Ok(match Source::of(call)? {
        Source::Selected(letter) => {
            let envelope = letter.envelope(call)?;
            let list = envelope.as_deref().map_or(&[][..], |envelope| told(envelope));
            let parts = |one: &Address| address([&one.name, &one.route, &one.mailbox, &one.host]);
            list.iter().filter_map(parts).collect()
        }
        read => {
            let all = mime::Envelope::read(read.bytes()).addresses();
            let parts =
                |one: &EnvelopeAddress| address([&one.name, &one.route, &one.mailbox, &one.host]);
            written(&all).iter().filter_map(parts).collect()
        }
    })
}

/// Makes the value of an address; `None` for the begin and the end of a group.
fn address(parts: [&Option<String>; 4]) -> Option<Value> {
    if parts[2].is_none() || parts[3].is_none() {
        return None;
    }
    let part = |text: &Option<String>| optional(text.as_deref().map(decode_text));
    Some(host::list(parts.into_iter().map(part).collect()))
}

fn addresses(
    call: &Call<'_>,
    told: fn(&Envelope) -> &Vec<Address>,
    written: fn(&mime::EnvelopeAddresses) -> &Vec<EnvelopeAddress>,
) -> Answer {
    Ok(host::list(list_of(call, told, written)?))
}

fn first_address(
    call: &Call<'_>,
    told: fn(&Envelope) -> &Vec<Address>,
    written: fn(&mime::EnvelopeAddresses) -> &Vec<EnvelopeAddress>,
) -> Answer {
    Ok(list_of(call, told, written)?.into_iter().next().unwrap_or_else(host::nil))
}

fn date(call: &Call<'_>) -> Answer {
    let seconds = |text: &str| WrittenDate::parse(text).map(|date| date.unix_seconds());
    let time = match Source::of(call)? {
        Source::Selected(letter) => letter.date(call)?,
        read => mime::Envelope::read(read.bytes()).date.as_deref().and_then(seconds),
    };
    Ok(time.map_or_else(host::nil, |time| host::integer(time + UNIX_EPOCH)))
}

fn arrived(call: &Call<'_>) -> Answer {
    let time = match Source::of(call)? {
        Source::Selected(letter) => letter.brief(call)?.and_then(|brief| brief.arrived),
        _ => None,
    };
    Ok(time.map_or_else(host::nil, |time| host::integer(time + UNIX_EPOCH)))
}

fn size(call: &Call<'_>) -> Answer {
    let size = match Source::of(call)? {
        Source::Selected(letter) => letter.brief(call)?.and_then(|brief| brief.size),
        read => Some(read.bytes().len() as u64),
    };
    Ok(size.map_or_else(host::nil, |size| host::integer(i64::try_from(size).unwrap_or(i64::MAX))))
}

fn flags(call: &Call<'_>) -> Answer {
    Ok(match Source::of(call)? {
        Source::Selected(letter) => {
            letter.brief(call)?.map_or_else(host::nil, |brief| flag_list(&brief.flags))
        }
        _ => host::nil(),
    })
}

fn labels(call: &Call<'_>) -> Answer {
    let label = |label: &String| match label.starts_with('\\') {
        true => flag_value(label),
        false => host::string(label.as_str()),
    };
    Ok(match Source::of(call)? {
        Source::Selected(letter) => {
            let labels = letter.labels(call)?.unwrap_or_default();
            host::list(labels.iter().map(label).collect())
        }
        _ => host::nil(),
    })
}

/// Fields that are asked for together, since who needs one often needs the other.
const COMMON: Kind = Kind::Fields("references,list-id");

/// The texts of the fields with this name.
fn fields_named(call: &Call<'_>, kind: &Kind, name: &str) -> Result<Vec<String>, Condition> {
    let header = Source::of(call)?.header(call, kind)?;
    let fields = mime::fields(header.as_deref().unwrap_or_default());
    Ok(fields.filter(|field| field.is(name)).map(|field| field.text().into_owned()).collect())
}

fn references(call: &Call<'_>) -> Answer {
    let texts = fields_named(call, &COMMON, "references")?;
    let ids = texts.iter().flat_map(|text| bracketed(text));
    Ok(host::list(ids.map(|id| host::string(format!("<{id}>"))).collect()))
}

fn list_id(call: &Call<'_>) -> Answer {
    let texts = fields_named(call, &COMMON, "list-id")?;
    let id = texts.first().map_or("", |text| list_identifier(text));
    Ok(if id.is_empty() { host::nil() } else { host::string(id) })
}

/// The identifier in the text of a List-Id field (RFC 2919 3).
pub(in crate::api) fn list_identifier(text: &str) -> &str {
    bracketed(text).last().unwrap_or_else(|| text.trim())
}

/// The texts between angle brackets.
fn bracketed(text: &str) -> impl Iterator<Item = &str> {
    text.split('<').skip(1).filter_map(|text| text.split_once('>')).map(|(id, _)| id.trim())
}

fn header(call: &Call<'_>) -> Answer {
    let name = call.typed(1, "the name of a header field", |value| {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let name = host::as_str(value)?;
        (!name.is_empty() && name.bytes().all(is_part)).then(|| name.to_ascii_lowercase())
    })?;
    let texts = fields_named(call, &Kind::Field(name.clone()), &name)?;
    let mut values = texts.iter().map(|text| host::string(decode_text(text)));
    Ok(if call.boolean_key("all") {
        host::list(values.collect())
    } else {
        values.next().unwrap_or_else(host::nil)
    })
}

fn headers(call: &Call<'_>) -> Answer {
    let header = Source::of(call)?.header(call, &Kind::Header)?;
    let field = |field: mime::Field<'_>| {
        let name = String::from_utf8_lossy(field.name.as_ref()).into_owned();
        host::cons(host::string(name), host::string(field.decoded()))
    };
    Ok(host::list(mime::fields(header.as_deref().unwrap_or_default()).map(field).collect()))
}
