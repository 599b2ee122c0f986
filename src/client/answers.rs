//! Reads untagged responses into the client's types, and decides which of them become warnings.
//!
//! A server may send any response at any moment (RFC 3501 7). The reader of an operation reads the
//! responses that belong to it. A response of an unknown kind becomes a warning with the server's
//! words, and so does an untagged NO or BAD.

use super::error::Error;
use super::imap::ImapClient;
use super::told::{Listed, StatusValue, Warning, WarningKind};
use crate::proto::imap::fetched::{FetchedItems, message_number};
use crate::proto::imap::listed::{self, Entry, decode_name};
use crate::proto::imap::sequence::{Bound, Members};
use crate::proto::imap::tokens::lossless;
use crate::proto::imap::{
    Completion, CopiedUids, Data, Messages, SequenceSet, Status, StatusKind, Token, Tokens,
};
use crate::proto::{Limits, ProtocolError};
use std::num::NonZeroU32;

/// The most bytes of a response that a warning shows.
const LONGEST_SHOWN: usize = 4000;

/// The response codes of IANA's registry, and others in use, each with its source. An untagged OK
/// with any other code becomes a warning.
const KNOWN_CODES: [(&str, &str); 64] = [
    ("ALERT", "RFC 9051"),
    ("ALREADYEXISTS", "RFC 5530"),
    ("ANNOTATE", "RFC 5257"),
    ("ANNOTATIONS", "RFC 5257"),
    ("APPENDUID", "RFC 4315"),
    ("AUTHENTICATIONFAILED", "RFC 5530"),
    ("AUTHORIZATIONFAILED", "RFC 5530"),
    ("BADCHARSET", "RFC 9051"),
    ("BADCOMPARATOR", "RFC 5255"),
    ("BADEVENT", "RFC 5465"),
    ("BADURL", "RFC 4469"),
    ("CANNOT", "RFC 5530"),
    ("CAPABILITY", "RFC 9051"),
    ("CLIENTBUG", "RFC 5530"),
    ("CLOSED", "RFC 7162"),
    ("COMPRESSIONACTIVE", "RFC 4978"),
    ("CONTACTADMIN", "RFC 5530"),
    ("COPYUID", "RFC 4315"),
    ("CORRUPTION", "RFC 5530"),
    ("EXPIRED", "RFC 5530"),
    ("EXPUNGEISSUED", "RFC 5530"),
    ("HASCHILDREN", "RFC 9051"),
    ("HIGHESTMODSEQ", "RFC 7162"),
    ("INPROGRESS", "RFC 9585"),
    ("INUSE", "RFC 5530"),
    ("LIMIT", "RFC 5530"),
    ("MAILBOXID", "RFC 8474"),
    ("MAXCONVERTMESSAGES", "RFC 5259"),
    ("MAXCONVERTPARTS", "RFC 5259"),
    ("MESSAGELIMIT", "RFC 9738"),
    ("METADATA", "RFC 5464"),
    ("MODIFIED", "RFC 7162"),
    ("MYRIGHTS", "Courier"),
    ("NEWNAME", "RFC 2060"),
    ("NOMODSEQ", "RFC 7162"),
    ("NONEXISTENT", "RFC 5530"),
    ("NOPERM", "RFC 5530"),
    ("NOTIFICATIONOVERFLOW", "RFC 5465"),
    ("NOTSAVED", "RFC 5182"),
    ("NOUPDATE", "RFC 5267"),
    ("OVERQUOTA", "RFC 5530"),
    ("PARSE", "RFC 9051"),
    ("PERMANENTFLAGS", "RFC 9051"),
    ("PRIVACYREQUIRED", "RFC 5530"),
    ("READ-ONLY", "RFC 9051"),
    ("READ-WRITE", "RFC 9051"),
    ("REFERRAL", "RFC 2221"),
    ("SERVERBUG", "RFC 5530"),
    ("TEMPFAIL", "RFC 5259"),
    ("THROTTLED", "Gmail"),
    ("TOOBIG", "RFC 4469"),
    ("TOOWIDE", "Gmail"),
    ("TRYCREATE", "RFC 9051"),
    ("UIDNEXT", "RFC 9051"),
    ("UIDNOTSTICKY", "RFC 4315"),
    ("UIDREQUIRED", "RFC 9586"),
    ("UIDVALIDITY", "RFC 9051"),
    ("UNAVAILABLE", "RFC 5530"),
    ("UNDEFINED-FILTER", "RFC 5466"),
    ("UNKNOWN-CTE", "RFC 3516"),
    ("UNSEEN", "RFC 3501"),
    ("URLMECH", "RFC 4467"),
    ("USEATTR", "RFC 6154"),
    ("WEBALERT", "Gmail"),
];

/// The untagged responses of the RFCs, and others in use, each with its source, whether or not an
/// operation reads them. Any other becomes a warning.
const KNOWN_DATA: [(&str, &str); 35] = [
    ("FETCH", "RFC 9051"),
    ("EXISTS", "RFC 9051"),
    ("RECENT", "RFC 3501"),
    ("EXPUNGE", "RFC 9051"),
    ("FLAGS", "RFC 9051"),
    ("LIST", "RFC 9051"),
    ("LSUB", "RFC 3501"),
    ("SEARCH", "RFC 3501"),
    ("STATUS", "RFC 9051"),
    ("CAPABILITY", "RFC 9051"),
    ("ENABLED", "RFC 9051"),
    ("NAMESPACE", "RFC 9051"),
    ("ID", "RFC 2971"),
    ("ESEARCH", "RFC 9051"),
    ("SORT", "RFC 5256"),
    ("THREAD", "RFC 5256"),
    ("VANISHED", "RFC 7162"),
    ("QUOTA", "RFC 9208"),
    ("QUOTAROOT", "RFC 9208"),
    ("ACL", "RFC 4314"),
    ("MYRIGHTS", "RFC 4314"),
    ("LISTRIGHTS", "RFC 4314"),
    ("METADATA", "RFC 5464"),
    ("ANNOTATION", "RFC 5257"),
    ("GENURLAUTH", "RFC 4467"),
    ("URLFETCH", "RFC 4467"),
    ("LANGUAGE", "RFC 5255"),
    ("COMPARATOR", "RFC 5255"),
    ("CONVERSION", "RFC 5259"),
    ("CONVERTED", "RFC 5259"),
    ("XLIST", "Gmail"),
    ("APPENDUID", "sent as a line of its own"),
    ("COPYUID", "sent as a line of its own"),
    ("JMAPACCESS", "RFC 9698"),
    ("UIDFETCH", "RFC 9586"),
];

/// Whether a response is of a known kind.
pub(super) fn is_known(data: &Data<'_>) -> bool {
    KNOWN_DATA.iter().any(|(name, _)| data.is(name))
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
        (StatusKind::Ok, Some(code)) if !KNOWN_CODES.iter().any(|(known, _)| code.is(known)) => {
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
    tokens: &Tokens<'_>,
    utf8_names: bool,
    limits: &Limits,
) -> Result<Listed, Error> {
    let Entry { flags, separator, name } = listed::entry(tokens, limits)?;
    Ok(Listed { flags, separator, name: decode_name(&name, utf8_names), status: None })
}

/// Reads `(MESSAGES 3 UNSEEN 1 MAILBOXID (F2))`. An item with another value is skipped.
pub(super) fn read_status(
    tokens: &mut Tokens<'_>,
    limits: &Limits,
) -> Result<Vec<(String, StatusValue)>, Error> {
    let mut items = Vec::new();
    tokens.expect_open()?;
    loop {
        match tokens.expect_token()? {
            Token::Close => return Ok(items),
            Token::Atom(name) => {
                limits.check("names", items.len() as u64 + 1)?;
                let first = tokens.expect_token()?;
                if first == Token::Close {
                    return Ok(items); // the last item has no value
                }
                let value = match first.number() {
                    Some(number) => Some(StatusValue::Number(number)),
                    None if first.is_nil() => Some(StatusValue::Nil),
                    None => only_word(tokens, first)?.map(StatusValue::Text),
                };
                let name = String::from_utf8_lossy(name).to_ascii_uppercase();
                items.extend(value.map(|value| (name, value)));
            }
            _ => return Err(tokens.malformed("expected a status item").into()),
        }
    }
}

/// Reads the word in a list of one, such as `(F2)`; `None` for another value, which is skipped.
fn only_word<'t>(tokens: &mut Tokens<'t>, first: Token<'t>) -> Result<Option<String>, Error> {
    let mut inside = tokens.clone();
    if first == Token::Open
        && let Some(word) = inside.expect_token()?.bytes()
        && inside.expect_token()? == Token::Close
    {
        *tokens = inside;
        return Ok(Some(lossless(&word)));
    }
    tokens.skip_value(first)?;
    Ok(None)
}

/// Reads the numbers of a SEARCH response, or of an ESEARCH that answers a plain SEARCH. Sets count
/// as their numbers, and 0 as none.
///
/// # Errors
/// [`ProtocolError::Malformed`] for other tokens, after everything else has been read.
pub(super) fn read_numbers(
    data: &mut Data<'_>,
    into: &mut Vec<u32>,
    limits: &Limits,
) -> Result<(), Error> {
    let is_extended = data.is("ESEARCH");
    let tokens = &mut data.tokens;
    let mut fault = None;
    let mut is_result = !is_extended;
    while let Some(token) = tokens.next_token()? {
        match token {
            // The tag, or `(MODSEQ 5)` at the end (RFC 7162).
            Token::Open => tokens.skip_value(token)?,
            Token::Atom(name) if is_extended && !name.first().is_some_and(u8::is_ascii_digit) => {
                is_result = name.eq_ignore_ascii_case(b"ALL");
            }
            _ if !is_result => {}
            _ if push_numbers(token, into, limits)? => {}
            _ => fault = fault.or(Some(tokens.malformed("expected a message number"))),
        }
    }
    fault.map_or(Ok(()), |fault| Err(fault.into()))
}

/// Appends a number, or the numbers of a set such as `1:3,7`. Returns whether the token is one.
pub(super) fn push_numbers(
    token: Token<'_>,
    into: &mut Vec<u32>,
    limits: &Limits,
) -> Result<bool, ProtocolError> {
    if let Some(number) = token.number().and_then(|number| u32::try_from(number).ok()) {
        into.extend((number > 0).then_some(number));
        return Ok(true);
    }
    let Token::Atom(set) = token else { return Ok(false) };
    let set = std::str::from_utf8(set).ok().filter(|set| !set.contains('*'));
    let Some(set) = set.and_then(|set| set.parse::<SequenceSet>().ok()) else { return Ok(false) };
    for (first, last) in set.ranges() {
        if let (Bound::Number(first), Bound::Number(last)) = (first, last) {
            let range = first.min(last).get()..=first.max(last).get();
            let count = u64::from(range.end() - range.start()) + 1;
            limits.check("responses", into.len() as u64 + count)?;
            into.extend(range);
        }
    }
    Ok(true)
}

/// Decides which FETCH responses answer a command: only those about messages the command names, and
/// only a limited number. Servers send FETCH responses about other messages at any moment.
pub(super) struct Answers {
    asked: Members,
    /// The same set with `*` as the highest number, since messages may have arrived after the last
    /// EXISTS.
    open_ended: Members,
    uid: bool,
    /// The only UID that the command names.
    only: Option<u32>,
    left: u64,
}

/// What a FETCH response is to a command.
pub(super) enum Admission {
    Admitted,
    /// It answers a UID FETCH of one message, but does not say its UID.
    WithoutUid(u32),
    Other,
}

impl Answers {
    pub fn to(client: &ImapClient, messages: &Messages) -> Self {
        let asked = client.asked_for(messages);
        // A server may send several responses about one message, for example about its flags, but
        // not more than ten for each.
        let left = asked.count().saturating_mul(10).saturating_add(10_000);
        let open_ended = messages.set().members(u32::MAX);
        let only = messages.only().filter(|_| messages.are_uids());
        Answers { asked, open_ended, uid: messages.are_uids(), only, left }
    }

    /// Whether the data is such a response.
    ///
    /// # Errors
    /// [`Error::Protocol`] if the limit is exceeded, or for an answer to a UID FETCH of several
    /// messages that does not say which one it is about.
    pub fn admit(&mut self, data: &Data<'_>) -> Result<Admission, Error> {
        if !data.is("FETCH") {
            return Ok(Admission::Other);
        }
        let uid = if self.uid { uid_of(&mut data.tokens.clone())? } else { None };
        let has_asked_items = || {
            let items = has_asked_items(&mut data.tokens.clone())?;
            // Of a response that could not be read, all items may be lost.
            Ok::<bool, Error>(items.unwrap_or(data.lost.is_some()))
        };
        let admission = match (uid, self.only) {
            (None, Some(only)) if has_asked_items()? => Admission::WithoutUid(only),
            (None, None) if self.uid && has_asked_items()? => {
                return Err(data.tokens.malformed("an answer to UID FETCH without a UID").into());
            }
            (None, _) if self.uid => return Ok(Admission::Other),
            _ => {
                let number = uid.map_or(data.number.unwrap_or(0), NonZeroU32::get);
                if !(self.asked.contains(number) || self.open_ended.contains(number)) {
                    return Ok(Admission::Other);
                }
                Admission::Admitted
            }
        };
        self.left = self.left.checked_sub(1).ok_or_else(|| {
            let near = "* FETCH".to_owned();
            Error::Protocol(ProtocolError::OutOfTurn {
                what: "the server tells of the same messages again and again",
                near,
            })
        })?;
        Ok(admission)
    }
}

/// Whether a FETCH response has items that a server does not send unasked; `None` if it has none.
fn has_asked_items(tokens: &mut Tokens<'_>) -> Result<Option<bool>, Error> {
    let mut items = FetchedItems::of(tokens)?;
    let mut found = None;
    while let Some((name, _)) = items.next()? {
        if ![&b"FLAGS"[..], b"MODSEQ", b"X-GM-LABELS"]
            .iter()
            .any(|item| name.eq_ignore_ascii_case(item))
        {
            return Ok(Some(true));
        }
        found = Some(false);
    }
    Ok(found)
}

/// Returns the UID in a FETCH response, even if the response must be repaired for that.
pub(super) fn uid_or_repaired(data: &Data<'_>) -> Option<u32> {
    let uid = uid_of(&mut data.tokens.clone()).or_else(|_| {
        let repaired = data.repaired(Limits::default().depth);
        let data =
            repaired.as_ref().and_then(|response| response.data(Limits::default().depth).ok()?);
        data.map_or(Ok(None), |mut data| uid_of(&mut data.tokens))
    });
    uid.ok().flatten().map(NonZeroU32::get)
}

/// Says which letter's response could not be read, and why.
pub(super) fn unreadable_words(data: &Data<'_>, why: &str) -> String {
    let number = data.number.unwrap_or_default();
    let uid = uid_of(&mut data.tokens.clone()).ok().flatten();
    let uid = uid.map(|uid| format!(", unique id {uid}")).unwrap_or_default();
    format!("of letter {number}{uid} not everything could be read: {why}")
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
    CopiedUids::read(code, arguments).filter(|_| code == "COPYUID")
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

/// How a mailbox name in a response compares with the one that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Likeness {
    Same,
    /// They differ in case, which some servers ignore.
    ButForCase,
    Other,
}

/// Reads the mailbox name of a STATUS response, and compares it with `name`. The tokens are then
/// at the list.
pub(super) fn compare_mailbox(
    tokens: &mut Tokens<'_>,
    name: &str,
    utf8_names: bool,
) -> Result<Likeness, Error> {
    let (told, list) = listed::status_name(tokens)?;
    let told = decode_name(&told, utf8_names);
    *tokens = list;
    Ok(match told.eq_ignore_ascii_case(name) {
        true if told == name || name.eq_ignore_ascii_case("INBOX") => Likeness::Same,
        true => Likeness::ButForCase,
        false => Likeness::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::imap::{Event, Session};

    /// IANA's registry of IMAP response codes, with the arguments that their RFCs show.
    const REGISTRY: [&str; 61] = [
        "ALERT",
        "ALREADYEXISTS",
        "ANNOTATE TOOBIG",
        "ANNOTATIONS 20480",
        "APPENDUID 38505 3955",
        "AUTHENTICATIONFAILED",
        "AUTHORIZATIONFAILED",
        "BADCHARSET (US-ASCII \"UTF-8\")",
        "BADCOMPARATOR i;ascii-casemap",
        "BADEVENT (MessageNew MessageExpunge)",
        "BADURL \"/INBOX;UIDVALIDITY=785799047/;UID=113330;section=1.5.9\"",
        "CANNOT",
        "CAPABILITY IMAP4rev1 IMAP4rev2",
        "CLIENTBUG",
        "CLOSED",
        "COMPRESSIONACTIVE",
        "CONTACTADMIN",
        "COPYUID 38505 304,319:320 3956:3958",
        "CORRUPTION",
        "EXPIRED",
        "EXPUNGEISSUED",
        "HASCHILDREN",
        "HIGHESTMODSEQ 715194045007",
        "INPROGRESS (\"A001\" 454 1000)",
        "INUSE",
        "LIMIT",
        "MAILBOXID (F2212ea87-6097-4256-9d51-71338625)",
        "MAXCONVERTMESSAGES 100",
        "MAXCONVERTPARTS 5",
        "MESSAGELIMIT 1000 23221",
        "METADATA LONGENTRIES 2199",
        "MODIFIED 7,9",
        "NEWNAME old new",
        "NOMODSEQ",
        "NONEXISTENT",
        "NOPERM",
        "NOTIFICATIONOVERFLOW",
        "NOTSAVED",
        "NOUPDATE \"B02\"",
        "OVERQUOTA",
        "PARSE",
        "PERMANENTFLAGS (\\Deleted \\Seen \\*)",
        "PRIVACYREQUIRED",
        "READ-ONLY",
        "READ-WRITE",
        "REFERRAL imap://user;AUTH=*@SERVER2/",
        "SERVERBUG",
        "TEMPFAIL",
        "TOOBIG",
        "TRYCREATE",
        "UIDNEXT 4392",
        "UIDNOTSTICKY",
        "UIDREQUIRED",
        "UIDVALIDITY 3857529045",
        "UNAVAILABLE",
        "UNDEFINED-FILTER on-the-road",
        "UNKNOWN-CTE",
        "UNSEEN 12",
        "URLMECH INTERNAL XSAMPLE=P34OKhO7VEkCbsiYY8rGEg==",
        "USEATTR",
        "INPROGRESS",
    ];

    /// Codes of servers that are in no registry.
    const UNREGISTERED: [&str; 4] = ["MYRIGHTS", "THROTTLED", "TOOWIDE", "WEBALERT"];

    /// The responses of the RFCs, as they show them.
    const RESPONSES: [&str; 36] = [
        "12 FETCH (FLAGS (\\Seen) UID 4827313)",
        "172 EXISTS",
        "1 RECENT",
        "44 EXPUNGE",
        "FLAGS (\\Answered \\Flagged)",
        "LIST (\\HasNoChildren) \"/\" foo (\"OLDNAME\" (\"bar\"))",
        "LSUB () \".\" #news.comp.mail.misc",
        "SEARCH 2 5 6 (MODSEQ 917162500)",
        "STATUS blurdybloop (MESSAGES 231 UIDNEXT 44292)",
        "CAPABILITY IMAP4rev2 STARTTLS AUTH=GSSAPI",
        "ENABLED X-GOOD-IDEA",
        "NAMESPACE ((\"\" \"/\")) NIL NIL",
        "ID (\"name\" \"Cyrus\" \"version\" \"1.5\")",
        "ESEARCH (TAG \"h\") UID ALL 43,45:46",
        "SORT 5 3 4 1 2",
        "THREAD (2)(3 6 (4 23)(44 7 96))",
        "VANISHED (EARLIER) 300:310,405,411",
        "QUOTA \"\" (STORAGE 10 512)",
        "QUOTAROOT INBOX \"\"",
        "ACL INBOX Fred rwipsldexta",
        "MYRIGHTS INBOX rwiptsldaex",
        "LISTRIGHTS ~/Mail/saved smith la r swicdkxte",
        "METADATA \"\" /shared/comment",
        "METADATA \"INBOX\" (/private/comment \"My comment\")",
        "ANNOTATION \"INBOX\" (/comment (value.priv \"x\"))",
        "GENURLAUTH \"imap://joe@example.com/INBOX/;uid=20/;section=1.2\"",
        "URLFETCH \"imap://joe@example.com/INBOX/;uid=20\" NIL",
        "LANGUAGE (EN)",
        "COMPARATOR i;ascii-casemap",
        "CONVERSION \"image/gif\" \"image/jpeg\"",
        "2 CONVERTED (TAG \"b001\") (UID 120 BINARY[2] \"x\")",
        "XLIST (\\HasNoChildren \\Inbox) \"/\" Inbox",
        "APPENDUID 38505 3955",
        "COPYUID 38505 304 3956",
        "JMAPACCESS \"https://example.com/.well-known/jmap\"",
        "25996 UIDFETCH (FLAGS (\\Seen))",
    ];

    fn name_of(code: &str) -> &str {
        code.split(' ').next().unwrap_or_default()
    }

    fn names(rows: &[(&'static str, &str)]) -> Vec<&'static str> {
        rows.iter().map(|(name, _)| *name).collect()
    }

    #[test]
    fn every_code_of_the_registry_is_known() {
        for code in REGISTRY.iter().chain(&UNREGISTERED) {
            let mut session = Session::new(Limits::default());
            session.receive(format!("* OK hello\r\n* OK [{code}] words\r\n").as_bytes());
            assert!(matches!(session.next_event(), Ok(Event::Greeting(_))));
            let Ok(Event::Status(status)) = session.next_event() else { panic!("{code}") };
            assert!(status.code.is_some_and(|found| found.is(name_of(code))), "{code}");
            let warning = warning_of_status(&status).map(|warning| warning.kind);
            let expected = (*code == "ALERT").then_some(WarningKind::Problem);
            assert_eq!(warning, expected, "{code}");
        }
        let mut expected: Vec<&str> =
            REGISTRY.iter().chain(&UNREGISTERED).map(|code| name_of(code)).collect();
        expected.sort_unstable();
        expected.dedup();
        assert_eq!(names(&KNOWN_CODES), expected, "the table is sorted and has nothing else");
        assert!(
            KNOWN_CODES.iter().all(|(name, source)| {
                UNREGISTERED.contains(name) != source.starts_with("RFC ")
            })
        );
    }

    #[test]
    fn every_response_of_the_rfcs_is_known() {
        let mut found = Vec::new();
        for response in RESPONSES {
            let mut session = Session::new(Limits::default());
            session.receive(format!("* OK hello\r\n* {response}\r\n").as_bytes());
            assert!(matches!(session.next_event(), Ok(Event::Greeting(_))));
            let Ok(Event::Data(data)) = session.next_event() else { panic!("{response}") };
            assert!(is_known(&data), "{response}");
            found.push(String::from_utf8_lossy(data.name).into_owned());
        }
        found.dedup();
        assert_eq!(found, names(&KNOWN_DATA));
    }
}
