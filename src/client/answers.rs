//! Reads untagged responses into the client's types, and decides which of them become warnings.
//!
//! A server may send any response at any moment (RFC 3501 7). The reader of an operation reads the
//! responses that belong to it. A response of an unknown kind becomes a warning with the server's
//! words, and so does an untagged NO or BAD.

use super::error::Error;
use super::imap::ImapClient;
use super::told::{CopiedUids, Listed, Warning, WarningKind};
use crate::proto::imap::fetched::{FetchedItems, message_number};
use crate::proto::imap::sequence::Members;
use crate::proto::imap::{
    Completion, Data, Messages, SequenceSet, Status, StatusKind, Token, Tokens, utf7,
};
use crate::proto::{Limits, ProtocolError};
use std::num::NonZeroU32;

/// The most bytes of a response that a warning shows.
const LONGEST_SHOWN: usize = 4000;

/// Response codes of RFC 3501, RFC 9051 and the extensions in use. An untagged OK with any other
/// code becomes a warning.
const KNOWN_CODES: [&str; 36] = [
    "ALERT",
    "ALREADYEXISTS",
    "APPENDUID",
    "AUTHENTICATIONFAILED",
    "AUTHORIZATIONFAILED",
    "BADCHARSET",
    "CANNOT",
    "CAPABILITY",
    "CLIENTBUG",
    "CLOSED",
    "CONTACTADMIN",
    "COPYUID",
    "CORRUPTION",
    "EXPIRED",
    "EXPUNGEISSUED",
    "HASCHILDREN",
    "HIGHESTMODSEQ",
    "INUSE",
    "LIMIT",
    "MAILBOXID",
    "MODIFIED",
    "NOMODSEQ",
    "NONEXISTENT",
    "NOPERM",
    "OVERQUOTA",
    "PARSE",
    "PERMANENTFLAGS",
    "PRIVACYREQUIRED",
    "READ-ONLY",
    "READ-WRITE",
    "SERVERBUG",
    "TRYCREATE",
    "UIDNEXT",
    "UIDNOTSTICKY",
    "UIDVALIDITY",
    "UNSEEN",
];

/// The known untagged responses, whether or not an operation reads them. Any other becomes a
/// warning.
const KNOWN_DATA: [&str; 26] = [
    "FETCH",
    "EXISTS",
    "RECENT",
    "EXPUNGE",
    "FLAGS",
    "LIST",
    "LSUB",
    "SEARCH",
    "STATUS",
    "CAPABILITY",
    "ENABLED",
    "NAMESPACE",
    "ID",
    "ESEARCH",
    "SORT",
    "THREAD",
    "VANISHED",
    "QUOTA",
    "QUOTAROOT",
    "ACL",
    "MYRIGHTS",
    "LISTRIGHTS",
    "METADATA",
    "ANNOTATION",
    "GENURLAUTH",
    "LANGUAGE",
];

/// Whether a response is of a known kind.
pub(super) fn is_known(data: &Data<'_>) -> bool {
    KNOWN_DATA.iter().any(|name| data.is(name))
}

/// The warning for a status response: a NO or BAD, an alert, or an OK with an unknown code.
pub(super) fn warning_of_status(status: &Status<'_>) -> Option<Warning> {
    let words = || Completion::from(status).words();
    match (status.kind, status.code) {
        (StatusKind::No | StatusKind::Bad, _) => {
            Some(Warning { kind: WarningKind::Problem, words: words() })
        }
        (StatusKind::Ok, Some(code)) if code.is("ALERT") => {
            Some(Warning { kind: WarningKind::Problem, words: words() })
        }
        (StatusKind::Ok, Some(code)) if !KNOWN_CODES.iter().any(|known| code.is(known)) => {
            Some(Warning { kind: WarningKind::UnknownOk, words: words() })
        }
        _ => None,
    }
}

/// The start of a response as the server sent it, for a warning.
pub(super) fn shown(data: &Data<'_>) -> String {
    let start = |bytes: &[u8]| {
        String::from_utf8_lossy(&bytes[..bytes.len().min(LONGEST_SHOWN)]).into_owned()
    };
    let (name, rest) = (start(data.name), start(data.tokens.rest()));
    let number = data.number.map(|number| format!("{number} ")).unwrap_or_default();
    format!("{number}{name} {rest}")
}

/// Reads an entry of LIST or LSUB: `(\Noselect) "/" name`.
pub(super) fn read_listed(
    tokens: &mut Tokens<'_>,
    utf8_names: bool,
    limits: &Limits,
) -> Result<Listed, Error> {
    tokens.expect_open()?;
    let mut flags = Vec::new();
    loop {
        match tokens.expect_token()? {
            Token::Close => break,
            token => {
                limits.check("names", flags.len() as u64 + 1)?;
                flags.extend(
                    token.bytes().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
                );
            }
        }
    }
    let separator = tokens.expect_token()?;
    let separator = if separator.is_nil() {
        None
    } else {
        separator.bytes().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    };
    let name = tokens
        .expect_token()?
        .bytes()
        .ok_or_else(|| tokens.malformed("expected a mailbox name"))?;
    Ok(Listed { flags, separator, name: decode_name(&name, utf8_names) })
}

/// Decodes a mailbox name. One that is not valid modified UTF-7 is kept as UTF-8, or as Latin-1.
fn decode_name(name: &[u8], utf8_names: bool) -> String {
    let decoded = if utf8_names { None } else { utf7::decode(name) };
    decoded.unwrap_or_else(|| {
        String::from_utf8(name.to_vec())
            .unwrap_or_else(|_| name.iter().map(|byte| char::from(*byte)).collect())
    })
}

/// Reads `(MESSAGES 3 UNSEEN 1)`. Items without a number are skipped.
pub(super) fn read_status(
    tokens: &mut Tokens<'_>,
    limits: &Limits,
) -> Result<Vec<(String, u64)>, Error> {
    let mut items = Vec::new();
    tokens.expect_open()?;
    loop {
        match tokens.expect_token()? {
            Token::Close => return Ok(items),
            Token::Atom(name) => {
                limits.check("names", items.len() as u64 + 1)?;
                let value = tokens.expect_token()?;
                match value.number() {
                    Some(number) => {
                        items.push((String::from_utf8_lossy(name).to_ascii_uppercase(), number))
                    }
                    None => tokens.skip_value(value)?, // MAILBOXID and other items whose value is not a number
                }
            }
            _ => return Err(tokens.malformed("expected a status item").into()),
        }
    }
}

/// Reads the numbers of a SEARCH response.
pub(super) fn read_numbers(tokens: &mut Tokens<'_>, into: &mut Vec<u32>) -> Result<(), Error> {
    while let Some(token) = tokens.next_token()? {
        match token.number().and_then(|number| u32::try_from(number).ok()) {
            Some(0) => return Err(tokens.malformed("message number 0").into()),
            Some(number) => into.push(number),
            None if token == Token::Open => tokens.skip_value(token)?, // `(MODSEQ 5)` at the end (RFC 7162)
            None => return Err(tokens.malformed("expected a message number").into()),
        }
    }
    Ok(())
}

/// Decides which FETCH responses answer a command: only those about messages the command names, and
/// only a limited number. Servers send FETCH responses about other messages at any moment.
pub(super) struct Answers {
    asked: Members,
    /// The same set with `*` as the highest number, since messages may have arrived after the last
    /// EXISTS.
    open_ended: Members,
    uid: bool,
    left: u64,
}

impl Answers {
    pub fn to(client: &ImapClient, messages: &Messages) -> Self {
        let asked = client.asked_for(messages);
        // A server may send several responses about one message, for example about its flags, but
        // not more than ten for each.
        let left = asked.count().saturating_mul(10).saturating_add(10_000);
        let open_ended = messages.set().members(u32::MAX);
        Answers { asked, open_ended, uid: messages.are_uids(), left }
    }

    /// Whether the data is such a response.
    ///
    /// # Errors
    /// [`Error::Protocol`] if the limit is exceeded.
    pub fn admit(&mut self, data: &Data<'_>) -> Result<bool, Error> {
        if !data.is("FETCH") {
            return Ok(false);
        }
        let number = if self.uid {
            uid_of(&mut data.tokens.clone())?.map_or(0, NonZeroU32::get)
        } else {
            data.number.unwrap_or(0)
        };
        if !(self.asked.contains(number) || self.open_ended.contains(number)) {
            return Ok(false);
        }
        self.left = self.left.checked_sub(1).ok_or_else(|| {
            let near = "* FETCH".to_owned();
            Error::Protocol(ProtocolError::OutOfTurn {
                what: "the server tells of the same messages again and again",
                near,
            })
        })?;
        Ok(true)
    }
}

/// Returns the UID in a FETCH response.
pub(super) fn uid_of(tokens: &mut Tokens<'_>) -> Result<Option<NonZeroU32>, Error> {
    let mut items = FetchedItems::of(tokens)?;
    while let Some((name, value)) = items.next()? {
        if name.eq_ignore_ascii_case(b"UID") {
            return Ok(message_number(value));
        }
    }
    Ok(None)
}

/// Reads the response code COPYUID; `None` for others or malformed ones.
pub(super) fn copied_uids((code, arguments): &(String, String)) -> Option<CopiedUids> {
    if code != "COPYUID" {
        return None;
    }
    let mut fields = arguments.split_ascii_whitespace();
    let uid_validity = fields.next()?.parse().ok()?;
    Some(CopiedUids {
        uid_validity,
        from: read_set(fields.next()?)?,
        to: read_set(fields.next()?)?,
    })
}

/// Reads a uid-set, which has no `*` (RFC 4315 4).
fn read_set(text: &str) -> Option<SequenceSet> {
    text.parse().ok().filter(|_| !text.contains('*'))
}

/// Appends the UIDs of one command to those of earlier ones.
pub(super) fn merge(all: &mut Option<CopiedUids>, part: Option<CopiedUids>) {
    match (all.as_mut(), part) {
        (Some(all), Some(part)) => {
            part.from.ranges().iter().for_each(|&(first, last)| all.from.push_range(first, last));
            part.to.ranges().iter().for_each(|&(first, last)| all.to.push_range(first, last));
        }
        (None, part) => *all = part,
        (Some(_), None) => {}
    }
}

/// Reads the mailbox name of a STATUS response and returns whether it is `name`.
pub(super) fn is_mailbox(
    tokens: &mut Tokens<'_>,
    name: &str,
    utf8_names: bool,
) -> Result<bool, Error> {
    let told = tokens
        .expect_token()?
        .bytes()
        .ok_or_else(|| tokens.malformed("expected a mailbox name"))?;
    let told = decode_name(&told, utf8_names);
    Ok(told == name || (told.eq_ignore_ascii_case("INBOX") && name.eq_ignore_ascii_case("INBOX")))
}
