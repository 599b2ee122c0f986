//! Search expressions (RFC 3501 6.4.4) as typed values.

use super::encode::Encoder;
use super::flag::Flag;
use super::sequence::SequenceSet;
use crate::proto::error::EncodeError;

/// A search key. Strings are sent as they are; where one is not ASCII the command says `CHARSET UTF-8`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchKey {
    /// A key without an argument: `ALL`, `SEEN`, …
    Word(&'static str),
    /// A key with a string: `SUBJECT "x"`.
    Text(&'static str, String),
    /// `HEADER field string`.
    Header(String, String),
    /// A key with a date, `BEFORE 7-Mar-1999`.
    Date(&'static str, Date),
    /// A key with a number: `LARGER 100`, `OLDER 3600`, `MODSEQ 5`.
    Number(&'static str, u64),
    /// `KEYWORD flag` or `UNKEYWORD flag`.
    Keyword(&'static str, Flag),
    /// Messages by number.
    Messages(SequenceSet),
    /// `UID set`.
    Uid(SequenceSet),
    /// All of these; none means every message.
    And(Vec<SearchKey>),
    /// At least one of these; none means no message.
    Or(Vec<SearchKey>),
    /// Not this.
    Not(Box<SearchKey>),
    /// `X-GM-RAW "…"`, Gmail's own notation.
    Gmail(String),
    /// IMAP's own notation, checked for balance only.
    Raw(String),
}

/// A day, without a time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl Date {
    /// A day of the calendar; `None` for one that does not exist.
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

    /// Reads `7-Mar-1999`, month in any case.
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

    /// As IMAP writes it.
    pub fn to_imap(self) -> String {
        format!("{}-{}-{:04}", self.day, MONTHS[usize::from(self.month - 1)], self.year)
    }
}

impl SearchKey {
    /// Whether a string in it is not ASCII, so that the command needs a charset.
    pub fn needs_charset(&self) -> bool {
        match self {
            SearchKey::Text(_, text) | SearchKey::Gmail(text) => !text.is_ascii(),
            SearchKey::Header(field, text) => !field.is_ascii() || !text.is_ascii(),
            SearchKey::And(keys) | SearchKey::Or(keys) => keys.iter().any(SearchKey::needs_charset),
            SearchKey::Not(key) => key.needs_charset(),
            _ => false,
        }
    }

    /// The same search as several whose message sets are at most `bytes` long each; the messages found by one of them are those found by the whole. A set
    /// inside of a NOT is not split: that would find more.
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

    /// Adds the key to a command.
    ///
    /// # Errors
    /// [`EncodeError`] for strings with NUL and line ends, field names with separators, and raw text that is not balanced.
    pub fn encode(&self, to: &mut Encoder) -> Result<(), EncodeError> {
        match self {
            SearchKey::Word(word) => to.word(word),
            SearchKey::Text(name, text) => to.word(name).string("search string", text)?,
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
            SearchKey::Date(name, date) => to.word(name).atom("date", &date.to_imap())?,
            SearchKey::Number(name, number) => to.word(name).number(*number),
            SearchKey::Keyword(name, flag) => to.word(name).atom("keyword", flag.as_str())?,
            SearchKey::Messages(set) => to.sequence_set(set)?,
            SearchKey::Uid(set) => to.word("UID").sequence_set(set)?,
            SearchKey::And(keys) if keys.is_empty() => to.word("ALL"),
            SearchKey::And(keys) => {
                to.list(|inside| keys.iter().try_for_each(|key| key.encode(inside)))?
            }
            SearchKey::Or(keys) => return encode_or(keys, to),
            SearchKey::Not(key) => return key.encode(to.word("NOT")),
            SearchKey::Gmail(text) => to.word("X-GM-RAW").string("search string", text)?,
            SearchKey::Raw(text) => to.raw_text("search text", text)?,
        };
        Ok(())
    }
}

/// Splits the first key that is too long, then the next in each of the results.
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

/// IMAP's OR takes two: `OR a OR b c`. Built as a balanced tree, so that a thousand alternatives do not nest a thousand deep.
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
        Ok(encoder
            .into_parts()
            .iter()
            .map(|part| String::from_utf8_lossy(&part.bytes).into_owned())
            .collect())
    }

    #[test]
    fn keys_are_written_as_imap_reads_them() {
        let text = |text: &str| SearchKey::Text("TEXT", text.into());
        let table = [
            (SearchKey::Word("ALL"), "SEARCH ALL"),
            (text("blitzfig"), "SEARCH TEXT \"blitzfig\""),
            (SearchKey::And(vec![SearchKey::Word("SEEN"), text("a")]), "SEARCH (SEEN TEXT \"a\")"),
            (SearchKey::And(vec![]), "SEARCH ALL"),
            (SearchKey::Or(vec![]), "SEARCH NOT ALL"),
            (
                SearchKey::Or(vec![text("a"), text("b"), text("c")]),
                "SEARCH OR TEXT \"a\" OR TEXT \"b\" TEXT \"c\"",
            ),
            (
                SearchKey::Not(Box::new(SearchKey::And(vec![SearchKey::Word("NEW"), text("x")]))),
                "SEARCH NOT (NEW TEXT \"x\")",
            ),
            (SearchKey::Header("X-Spam".into(), String::new()), "SEARCH HEADER X-Spam \"\""),
            (
                SearchKey::Date("BEFORE", Date::parse("07-mar-1999").unwrap()),
                "SEARCH BEFORE 7-Mar-1999",
            ),
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
    fn long_sets_are_split_where_that_finds_the_same() {
        let set: SequenceSet =
            (1..100).map(|index| std::num::NonZeroU32::new(index * 2).unwrap()).collect();
        let uid = SearchKey::Uid(set);
        let both = SearchKey::And(vec![SearchKey::Word("SEEN"), uid.clone()]);
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
