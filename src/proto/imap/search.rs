//! Search expressions (RFC 3501 6.4.4) as typed values.
//!
//! A [`SearchKey`] is a tree that [`SearchKey::encode`] writes as the arguments of SEARCH.
//! [`NAMED`] lists the keys that are one word with at most one argument, so that a parser can build
//! them by name. Servers limit the length of a command, so [`SearchKey::split`] turns a search with
//! a long message set into several shorter ones.

use super::encode::{Encoder, Form, Part};
use super::flag::Flag;
use super::sequence::SequenceSet;
use crate::proto::error::EncodeError;

/// A search key. Strings are sent as they are; if one is not ASCII, the command gets the argument
/// `CHARSET UTF-8`. The server matches texts as substrings, ignoring case.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SearchKey {
    /// Every message.
    All,
    /// `\Answered` is set.
    Answered,
    /// `\Deleted` is set.
    Deleted,
    /// `\Draft` is set.
    Draft,
    /// `\Flagged` is set.
    Flagged,
    /// `\Recent` is set and `\Seen` is not.
    New,
    /// `\Recent` is not set.
    Old,
    /// `\Recent` is set.
    Recent,
    /// `\Seen` is set.
    Seen,
    /// `\Answered` is not set.
    Unanswered,
    /// `\Deleted` is not set.
    Undeleted,
    /// `\Draft` is not set.
    Undraft,
    /// `\Flagged` is not set.
    Unflagged,
    /// `\Seen` is not set.
    Unseen,
    /// The Bcc field contains the text.
    Bcc(String),
    /// The body contains the text.
    Body(String),
    /// The Cc field contains the text.
    Cc(String),
    /// The From field contains the text.
    From(String),
    /// The Subject field contains the text.
    Subject(String),
    /// The header or the body contains the text.
    Text(String),
    /// The To field contains the text.
    To(String),
    /// The header field (first value) contains the text (second value); with an empty text the
    /// field need only exist.
    Header(String, String),
    /// The internal date is before this day.
    Before(Date),
    /// The internal date is on this day.
    On(Date),
    /// The internal date is on or after this day.
    Since(Date),
    /// The Date field is before this day.
    SentBefore(Date),
    /// The Date field is on this day.
    SentOn(Date),
    /// The Date field is on or after this day.
    SentSince(Date),
    /// The message is larger than this many bytes.
    Larger(u64),
    /// The message is smaller than this many bytes.
    Smaller(u64),
    /// The modification sequence is at least this (RFC 7162 3.1.5).
    ModSeq(u64),
    /// The internal date is more than this many seconds ago, at least 1 (RFC 5032).
    Older(u64),
    /// The internal date is at most this many seconds ago, at least 1 (RFC 5032).
    Younger(u64),
    /// The keyword is set.
    Keyword(Flag),
    /// The keyword is not set.
    Unkeyword(Flag),
    /// Messages by sequence number.
    Messages(SequenceSet),
    /// Messages by UID.
    Uid(SequenceSet),
    /// All of these match; an empty list matches every message.
    And(Vec<SearchKey>),
    /// At least one of these matches; an empty list matches no message.
    Or(Vec<SearchKey>),
    /// This does not match.
    Not(Box<SearchKey>),
    /// `X-GM-RAW "…"`, a search in Gmail's own syntax.
    Gmail(String),
    /// The message has the label, which is sent in modified UTF-7 (Gmail).
    GmailLabel(String),
    /// Gmail's identifier of the message.
    GmailMessage(u64),
    /// Gmail's identifier of the conversation.
    GmailThread(u64),
    /// IMAP's own notation, checked by [`Encoder::raw_text`] but not parsed.
    Raw(String),
}

/// The constructor of a search key that is one word with at most one argument.
#[derive(Clone, Copy)]
pub enum Argument {
    /// Without an argument.
    None(fn() -> SearchKey),
    /// From a text.
    Text(fn(String) -> SearchKey),
    /// From a day.
    Date(fn(Date) -> SearchKey),
    /// From a number.
    Number(fn(u64) -> SearchKey),
    /// From a keyword.
    Keyword(fn(Flag) -> SearchKey),
}

/// The search keys that are one word with at most one argument, by the name that is sent.
pub static NAMED: &[(&str, Argument)] = &[
    ("ALL", Argument::None(|| SearchKey::All)),
    ("ANSWERED", Argument::None(|| SearchKey::Answered)),
    ("BCC", Argument::Text(SearchKey::Bcc)),
    ("BEFORE", Argument::Date(SearchKey::Before)),
    ("BODY", Argument::Text(SearchKey::Body)),
    ("CC", Argument::Text(SearchKey::Cc)),
    ("DELETED", Argument::None(|| SearchKey::Deleted)),
    ("DRAFT", Argument::None(|| SearchKey::Draft)),
    ("FLAGGED", Argument::None(|| SearchKey::Flagged)),
    ("FROM", Argument::Text(SearchKey::From)),
    ("KEYWORD", Argument::Keyword(SearchKey::Keyword)),
    ("LARGER", Argument::Number(SearchKey::Larger)),
    ("MODSEQ", Argument::Number(SearchKey::ModSeq)),
    ("NEW", Argument::None(|| SearchKey::New)),
    ("OLD", Argument::None(|| SearchKey::Old)),
    ("OLDER", Argument::Number(SearchKey::Older)),
    ("ON", Argument::Date(SearchKey::On)),
    ("RECENT", Argument::None(|| SearchKey::Recent)),
    ("SEEN", Argument::None(|| SearchKey::Seen)),
    ("SENTBEFORE", Argument::Date(SearchKey::SentBefore)),
    ("SENTON", Argument::Date(SearchKey::SentOn)),
    ("SENTSINCE", Argument::Date(SearchKey::SentSince)),
    ("SINCE", Argument::Date(SearchKey::Since)),
    ("SMALLER", Argument::Number(SearchKey::Smaller)),
    ("SUBJECT", Argument::Text(SearchKey::Subject)),
    ("TEXT", Argument::Text(SearchKey::Text)),
    ("TO", Argument::Text(SearchKey::To)),
    ("UNANSWERED", Argument::None(|| SearchKey::Unanswered)),
    ("UNDELETED", Argument::None(|| SearchKey::Undeleted)),
    ("UNDRAFT", Argument::None(|| SearchKey::Undraft)),
    ("UNFLAGGED", Argument::None(|| SearchKey::Unflagged)),
    ("UNKEYWORD", Argument::Keyword(SearchKey::Unkeyword)),
    ("UNSEEN", Argument::None(|| SearchKey::Unseen)),
    ("X-GM-LABELS", Argument::Text(SearchKey::GmailLabel)),
    ("X-GM-MSGID", Argument::Number(SearchKey::GmailMessage)),
    ("X-GM-RAW", Argument::Text(SearchKey::Gmail)),
    ("X-GM-THRID", Argument::Number(SearchKey::GmailThread)),
    ("YOUNGER", Argument::Number(SearchKey::Younger)),
];

/// A calendar day without a time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl Date {
    /// Makes a day of the Gregorian calendar, years 1 to 9999; `None` if it does not exist.
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let leap =
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let days = match month {
            2 => 28 + u8::from(leap),
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        (1..=9999).contains(&year).then_some(())?;
        (1..=days).contains(&day).then_some(Date { year, month, day })
    }

    /// Reads a day such as `7-Mar-1999`; the month may be in any case.
    pub fn parse(text: &str) -> Option<Self> {
        let mut fields = text.trim().splitn(3, '-');
        let (day, month, year) = (fields.next()?, fields.next()?, fields.next()?);
        let all_digits = |text: &str, longest: usize| {
            !text.is_empty()
                && text.len() <= longest
                && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !all_digits(day, 2) || !all_digits(year, 4) || year.len() != 4 {
            return None;
        }
        let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))?;
        Date::new(year.parse().ok()?, u8::try_from(month + 1).ok()?, day.parse().ok()?)
    }

    /// Returns the days since 1970-01-01, negative before.
    pub fn days_since_1970(self) -> i64 {
        // Years start in March here, so that the leap day is the last day of a year.
        let month = (i64::from(self.month) + 9) % 12;
        let year = i64::from(self.year) - i64::from(month >= 10);
        let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
        let to_first_of_month = (153 * month + 2) / 5;
        year * 365 + leap_days + to_first_of_month + i64::from(self.day) - 1 - 719_468
    }

    /// Formats the day as IMAP does: `7-Mar-1999`.
    pub fn to_imap(self) -> String {
        format!("{}-{}-{:04}", self.day, MONTHS[usize::from(self.month - 1)], self.year)
    }
}

impl SearchKey {
    /// Returns whether a string in it is not ASCII, so that the command needs a charset.
    pub fn needs_charset(&self) -> bool {
        match self {
            SearchKey::Gmail(text) => !text.is_ascii(),
            SearchKey::Header(field, text) => !field.is_ascii() || !text.is_ascii(),
            SearchKey::And(keys) | SearchKey::Or(keys) => keys.iter().any(SearchKey::needs_charset),
            SearchKey::Not(key) => key.needs_charset(),
            _ => matches!(self.given(), Some(Given::Text(text)) if !text.is_ascii()),
        }
    }

    /// Returns whether this or a key in it is one for which `is` returns true. `is` never gets an AND,
    /// OR or NOT.
    pub fn has(&self, is: &dyn Fn(&SearchKey) -> bool) -> bool {
        match self {
            SearchKey::And(keys) | SearchKey::Or(keys) => keys.iter().any(|key| key.has(is)),
            SearchKey::Not(key) => key.has(is),
            key => is(key),
        }
    }

    /// Returns whether it asks for the age of letters, which needs WITHIN (RFC 5032).
    pub fn has_age(&self) -> bool {
        self.has(&|key| matches!(key, SearchKey::Older(_) | SearchKey::Younger(_)))
    }

    /// Returns the same key without `NEW`, `OLD` and `RECENT`, for servers on which no message is
    /// `\Recent`: IMAP4rev2 has no such keys (RFC 9051 appendix E).
    #[must_use]
    pub fn without_recent(&self) -> SearchKey {
        let all = |keys: &[SearchKey]| keys.iter().map(SearchKey::without_recent).collect();
        match self {
            SearchKey::New | SearchKey::Recent => SearchKey::Or(Vec::new()),
            SearchKey::Old => SearchKey::All,
            SearchKey::And(keys) => SearchKey::And(all(keys)),
            SearchKey::Or(keys) => SearchKey::Or(all(keys)),
            SearchKey::Not(key) => SearchKey::Not(Box::new(key.without_recent())),
            key => key.clone(),
        }
    }

    /// Returns whether a key in it is one of Gmail's.
    pub fn is_of_gmail(&self) -> bool {
        self.has(&|key| key.name().starts_with("X-GM-"))
    }

    /// Splits the search into several whose message sets are at most `bytes` long each. Together
    /// they find the same messages. A set inside a NOT is not split, because that would find more.
    pub fn split(&self, bytes: usize) -> Vec<SearchKey> {
        match self {
            SearchKey::Messages(set) if !set.is_empty() => {
                set.split(bytes).into_iter().map(SearchKey::Messages).collect()
            }
            SearchKey::Uid(set) if !set.is_empty() => {
                set.split(bytes).into_iter().map(SearchKey::Uid).collect()
            }
            SearchKey::And(keys) => split_one(keys, bytes, SearchKey::And),
            SearchKey::Or(keys) => split_one(keys, bytes, SearchKey::Or),
            _ => vec![self.clone()],
        }
    }

    /// Adds the key to a command's arguments.
    ///
    /// # Errors
    /// [`EncodeError`] for strings with NUL or line ends, invalid field names, empty message sets,
    /// and raw text that [`Encoder::raw_text`] refuses.
    pub fn encode(&self, to: &mut Encoder) -> Result<(), EncodeError> {
        match self {
            SearchKey::Header(field, text) => {
                let is_field_name = !field.is_empty()
                    && field.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
                if !is_field_name {
                    return Err(EncodeError::new(
                        "header field name",
                        "printable ASCII without colon and spaces",
                        field.as_bytes(),
                    ));
                }
                to.word("HEADER")
                    .astring("header field name", field)?
                    .string("search string", text)?
            }
            SearchKey::Messages(set) => to.sequence_set(set)?,
            SearchKey::Uid(set) => to.word("UID").sequence_set(set)?,
            SearchKey::And(keys) if keys.is_empty() => to.word("ALL"),
            SearchKey::And(keys) => {
                to.list(|inside| keys.iter().try_for_each(|key| key.encode(inside)))?
            }
            SearchKey::Or(keys) => return encode_or(keys, to),
            SearchKey::Not(key) => return key.encode(to.word("NOT")),
            SearchKey::Gmail(text) => to.word("X-GM-RAW").string("search string", text)?,
            SearchKey::GmailLabel(label) => to.word("X-GM-LABELS").label("search string", label)?,
            SearchKey::Raw(text) => to.raw_text("search text", text)?,
            named => {
                let to = to.word(named.name());
                match named.given() {
                    None => to,
                    Some(Given::Text(text)) => to.string("search string", text)?,
                    Some(Given::Date(date)) => to.atom("date", &date.to_imap())?,
                    Some(Given::Number(number)) => to.number(number),
                    Some(Given::Keyword(flag)) => to.atom("keyword", flag.as_str())?,
                }
            }
        };
        Ok(())
    }

    /// Returns the key as it is sent, for people to read: all strings are in quotes.
    ///
    /// # Errors
    /// As [`SearchKey::encode`].
    pub fn to_imap(&self) -> Result<String, EncodeError> {
        let mut encoder = Encoder::new("");
        self.encode(&mut encoder)?;
        let text = |part: &Part| match part.form {
            Form::Literal | Form::Utf8 => format!("\"{}\"", String::from_utf8_lossy(&part.bytes)),
            _ => String::from_utf8_lossy(&part.bytes).into_owned(),
        };
        let parts: String = encoder.into_parts().iter().map(text).collect();
        Ok(parts.trim().to_owned())
    }

    /// The word that is sent for a key of [`NAMED`]; other keys are encoded elsewhere.
    fn name(&self) -> &'static str {
        match self {
            SearchKey::All => "ALL",
            SearchKey::Answered => "ANSWERED",
            SearchKey::Deleted => "DELETED",
            SearchKey::Draft => "DRAFT",
            SearchKey::Flagged => "FLAGGED",
            SearchKey::New => "NEW",
            SearchKey::Old => "OLD",
            SearchKey::Recent => "RECENT",
            SearchKey::Seen => "SEEN",
            SearchKey::Unanswered => "UNANSWERED",
            SearchKey::Undeleted => "UNDELETED",
            SearchKey::Undraft => "UNDRAFT",
            SearchKey::Unflagged => "UNFLAGGED",
            SearchKey::Unseen => "UNSEEN",
            SearchKey::Bcc(_) => "BCC",
            SearchKey::Body(_) => "BODY",
            SearchKey::Cc(_) => "CC",
            SearchKey::From(_) => "FROM",
            SearchKey::Subject(_) => "SUBJECT",
            SearchKey::Text(_) => "TEXT",
            SearchKey::To(_) => "TO",
            SearchKey::Before(_) => "BEFORE",
            SearchKey::On(_) => "ON",
            SearchKey::Since(_) => "SINCE",
            SearchKey::SentBefore(_) => "SENTBEFORE",
            SearchKey::SentOn(_) => "SENTON",
            SearchKey::SentSince(_) => "SENTSINCE",
            SearchKey::Larger(_) => "LARGER",
            SearchKey::Smaller(_) => "SMALLER",
            SearchKey::ModSeq(_) => "MODSEQ",
            SearchKey::Older(_) => "OLDER",
            SearchKey::Younger(_) => "YOUNGER",
            SearchKey::Keyword(_) => "KEYWORD",
            SearchKey::Unkeyword(_) => "UNKEYWORD",
            SearchKey::Header(..) => "HEADER",
            SearchKey::Uid(_) => "UID",
            SearchKey::Not(_) => "NOT",
            SearchKey::Or(_) => "OR",
            SearchKey::Gmail(_) => "X-GM-RAW",
            SearchKey::GmailLabel(_) => "X-GM-LABELS",
            SearchKey::GmailMessage(_) => "X-GM-MSGID",
            SearchKey::GmailThread(_) => "X-GM-THRID",
            SearchKey::And(_) | SearchKey::Messages(_) | SearchKey::Raw(_) => "ALL",
        }
    }

    /// The argument of a key of [`NAMED`]; `None` if it has none.
    fn given(&self) -> Option<Given<'_>> {
        match self {
            SearchKey::Bcc(text)
            | SearchKey::Body(text)
            | SearchKey::Cc(text)
            | SearchKey::From(text)
            | SearchKey::Subject(text)
            | SearchKey::Text(text)
            | SearchKey::To(text) => Some(Given::Text(text)),
            SearchKey::Before(date)
            | SearchKey::On(date)
            | SearchKey::Since(date)
            | SearchKey::SentBefore(date)
            | SearchKey::SentOn(date)
            | SearchKey::SentSince(date) => Some(Given::Date(*date)),
            SearchKey::Larger(number)
            | SearchKey::Smaller(number)
            | SearchKey::ModSeq(number)
            | SearchKey::Older(number)
            | SearchKey::Younger(number)
            | SearchKey::GmailMessage(number)
            | SearchKey::GmailThread(number) => Some(Given::Number(*number)),
            SearchKey::Keyword(flag) | SearchKey::Unkeyword(flag) => Some(Given::Keyword(flag)),
            _ => None,
        }
    }
}

/// The argument of a key that is one word with one argument.
enum Given<'k> {
    Text(&'k str),
    Date(Date),
    Number(u64),
    Keyword(&'k Flag),
}

/// Splits the first key that is too long, then splits the rest of each result in the same way.
fn split_one(
    keys: &[SearchKey],
    bytes: usize,
    join: fn(Vec<SearchKey>) -> SearchKey,
) -> Vec<SearchKey> {
    let long = keys
        .iter()
        .enumerate()
        .map(|(index, key)| (index, key.split(bytes)))
        .find(|(_, parts)| parts.len() > 1);
    let Some((index, parts)) = long else { return vec![join(keys.to_vec())] };
    let with = |part: SearchKey| join([&keys[..index], &[part], &keys[index + 1..]].concat());
    parts.into_iter().map(with).flat_map(|key| key.split(bytes)).collect()
}

/// Encodes a list of alternatives with IMAP's binary OR, `OR a OR b c`. Builds a balanced tree, so
/// that a thousand alternatives do not nest a thousand deep.
fn encode_or(keys: &[SearchKey], to: &mut Encoder) -> Result<(), EncodeError> {
    match keys {
        [] => {
            to.word("NOT").word("ALL");
            Ok(())
        }
        [key] => key.encode(to),
        _ => {
            let (left, right) = keys.split_at(keys.len() / 2);
            encode_or(left, to.word("OR"))?;
            encode_or(right, to)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(key: &SearchKey) -> Result<String, EncodeError> {
        let mut encoder = Encoder::new("SEARCH");
        key.encode(&mut encoder)?;
        let encoded = |mut part: Part| {
            if part.form == Form::Label {
                part.encode_name(false, None); // as the session does
            }
            String::from_utf8_lossy(&part.bytes).into_owned()
        };
        Ok(encoder.into_parts().into_iter().map(encoded).collect())
    }

    #[test]
    fn keys_are_written_as_imap_reads_them() {
        let text = |text: &str| SearchKey::Text(text.into());
        let table = [
            (SearchKey::All, "SEARCH ALL"),
            (text("blitzfig"), "SEARCH TEXT \"blitzfig\""),
            (SearchKey::And(vec![SearchKey::Seen, text("a")]), "SEARCH (SEEN TEXT \"a\")"),
            (SearchKey::And(vec![]), "SEARCH ALL"),
            (SearchKey::Or(vec![]), "SEARCH NOT ALL"),
            (
                SearchKey::Or(vec![text("a"), text("b"), text("c")]),
                "SEARCH OR TEXT \"a\" OR TEXT \"b\" TEXT \"c\"",
            ),
            (
                SearchKey::Not(Box::new(SearchKey::And(vec![SearchKey::New, text("x")]))),
                "SEARCH NOT (NEW TEXT \"x\")",
            ),
            (SearchKey::Header("X-Spam".into(), String::new()), "SEARCH HEADER X-Spam \"\""),
            (SearchKey::GmailLabel("a&b \u{e9}".into()), "SEARCH X-GM-LABELS \"a&-b &AOk-\""),
            (SearchKey::Before(Date::parse("07-mar-1999").unwrap()), "SEARCH BEFORE 7-Mar-1999"),
        ];
        for (key, expected) in table {
            assert_eq!(sent(&key).as_deref(), Ok(expected));
        }
        for bad in [
            SearchKey::Header("a b".into(), "x".into()),
            text("a\0"),
            SearchKey::Raw("ALL)".into()),
            SearchKey::Messages(SequenceSet::new()),
        ] {
            assert!(sent(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn every_named_key_is_sent_under_its_name() {
        let day = Date::new(1999, 3, 7).unwrap();
        for (name, argument) in NAMED {
            let (key, rest) = match argument {
                Argument::None(make) => (make(), ""),
                Argument::Text(make) => (make("x".into()), " \"x\""),
                Argument::Date(make) => (make(day), " 7-Mar-1999"),
                Argument::Number(make) => (make(5), " 5"),
                Argument::Keyword(make) => (make(Flag::new("junk").unwrap()), " junk"),
            };
            assert_eq!(sent(&key), Ok(format!("SEARCH {name}{rest}")));
        }
    }

    #[test]
    fn long_sets_are_split_where_that_finds_the_same() {
        let set: SequenceSet =
            (1..100).map(|index| std::num::NonZeroU32::new(index * 2).unwrap()).collect();
        let uid = SearchKey::Uid(set);
        let both = SearchKey::And(vec![SearchKey::Seen, uid.clone()]);
        let parts = both.split(100);
        assert!(parts.len() > 2);
        for part in &parts {
            let text = sent(part).unwrap();
            assert!(text.len() < 130 && text.starts_with("SEARCH (SEEN UID "), "{text}");
        }
        let not = SearchKey::Not(Box::new(uid));
        assert_eq!(not.split(100), vec![not.clone()]);
    }

    #[test]
    fn only_days_of_the_calendar_are_dates() {
        for good in ["7-Mar-1999", "29-feb-2000", "1-Jan-0001"] {
            assert!(Date::parse(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "7-Mar-99",
            "30-Feb-2000",
            "29-Feb-1900",
            "0-Jan-2000",
            "7 Mar 1999",
            "7-Mar-1999-1",
            "+7-Mar-1999",
            "7-Mär-1999",
            "1-Jan-0000",
        ] {
            assert!(Date::parse(bad).is_none(), "{bad}");
        }
    }
}
