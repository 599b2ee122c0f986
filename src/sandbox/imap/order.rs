//! SORT (RFC 5256, RFC 5957), and what it and THREAD look at in a letter.

use std::cmp::Ordering;
use std::fmt::Write as _;

use imap_codec::imap_types::{
    core::Charset,
    extensions::sort::{SortCriterion, SortKey},
    search::SearchKey,
};
use unicode_normalization::UnicodeNormalization;

use crate::sandbox::Extension;
use crate::sandbox::imap::address;
use crate::sandbox::imap::base_subject::base_subject;
use crate::sandbox::imap::matching::decode_field;
use crate::sandbox::imap::search::Match;
use crate::sandbox::imap::session::{Outcome, Session, bad};
use crate::sandbox::store::dates::sent_moment;
use crate::sandbox::store::header;

impl Session {
    pub(crate) fn sort(
        &mut self,
        criteria: &[SortCriterion],
        charset: &Charset<'_>,
        keys: &[SearchKey<'_>],
        uid: bool,
    ) -> Outcome {
        self.needs(Extension::Sort)?;
        let is_display = |criterion: &SortCriterion| {
            matches!(criterion.key, SortKey::DisplayFrom | SortKey::DisplayTo)
        };
        if criteria.iter().any(is_display) && !self.extensions.has(Extension::SortDisplay) {
            return bad("SORT=DISPLAY is not supported.");
        }
        let found = self.matches(Some(charset), keys)?;
        let mut rows: Vec<(Vec<Column>, u32)> = found
            .iter()
            .map(|found| {
                let columns = criteria.iter().map(|criterion| Column::of(found, &criterion.key));
                (columns.collect(), if uid { found.uid } else { found.number })
            })
            .collect();
        // The sort is stable, so that equal letters stay in the order of their numbers.
        rows.sort_by(|(one, _), (other, _)| {
            let pairs = one.iter().zip(other).zip(criteria);
            pairs.fold(Ordering::Equal, |order, ((one, other), criterion)| {
                order.then_with(|| match criterion.reverse {
                    true => other.cmp(one),
                    false => one.cmp(other),
                })
            })
        });
        let mut line = "SORT".to_owned();
        for (_, number) in rows {
            let _ = write!(line, " {number}");
        }
        self.untagged(&line);
        Ok("SORT completed.".to_owned())
    }
}

/// What a criterion compares. One criterion always makes the same variant.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Column {
    Number(i64),
    Text(String),
}

impl Column {
    fn of(found: &Match, key: &SortKey) -> Column {
        let first = |name| {
            let letter = found.message.content.bytes();
            let field = header::value(letter, header::range(letter), name).unwrap_or_default();
            address::parse(&field).into_iter().next().unwrap_or_default()
        };
        let mailbox = |name| Column::Text(folded(&lossy(first(name).mailbox.unwrap_or_default())));
        let display = |name| {
            let address = first(name);
            let name = address.name.map(|name| decode_field(&name)).filter(|name| !name.is_empty());
            Column::Text(folded(&name.unwrap_or_else(|| {
                let host = address.host.map(|host| format!("@{}", lossy(host)));
                lossy(address.mailbox.unwrap_or_default()) + &host.unwrap_or_default()
            })))
        };
        match key {
            SortKey::Arrival => Column::Number(found.message.internal_date.timestamp().as_second()),
            SortKey::Date => Column::Number(sent(found)),
            SortKey::Size => {
                Column::Number(i64::try_from(found.message.content.size()).unwrap_or(i64::MAX))
            }
            SortKey::Subject => Column::Text(subject(found).0),
            SortKey::From => mailbox("From"),
            SortKey::To => mailbox("To"),
            SortKey::Cc => mailbox("Cc"),
            SortKey::DisplayFrom => display("From"),
            SortKey::DisplayTo => display("To"),
        }
    }
}

fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The sent date in seconds, or the internal date (RFC 5256 2.2).
pub(crate) fn sent(found: &Match) -> i64 {
    let letter = found.message.content.bytes();
    let field = header::value(letter, header::range(letter), "Date");
    let moment = field.and_then(|field| sent_moment(&field));
    moment.as_ref().unwrap_or(&found.message.internal_date).timestamp().as_second()
}

/// The base subject for comparison, and whether it was one of a reply or a forwarded letter.
pub(crate) fn subject(found: &Match) -> (String, bool) {
    let letter = found.message.content.bytes();
    let field = header::value(letter, header::range(letter), "Subject").unwrap_or_default();
    let (base, answers) = base_subject(&decode_field(&field));
    (folded(&base), answers)
}

/// A text whose bytes compare as the text does without case (RFC 5051): capitals, decomposed. What
/// has no single capital stays.
fn folded(text: &str) -> String {
    let capital = |char: char| {
        let mut capitals = char.to_uppercase();
        if capitals.len() == 1 { capitals.next().unwrap_or(char) } else { char }
    };
    text.chars().map(capital).nfkd().map(capital).nfkd().collect()
}
