//! Reads one FETCH response as a letter of the report.
//!
//! Servers send all kinds of things: an item that is missing or cannot be read counts as unknown,
//! and is not an error.

use super::tally::{Day, Letter, Sender};
use crate::client::Error;
use crate::mime::{Entry, WrittenDate, fields, parse_mailbox_list};
use crate::proto::imap::Data;
use crate::proto::imap::fetched::{FetchedItems, message_number};
use std::collections::BTreeMap;

/// The items of the FETCH. The From field alone has a quarter of the bytes of an ENVELOPE, and
/// servers need not read the whole letter for it.
pub(super) const ITEMS: &str = "(FLAGS RFC822.SIZE INTERNALDATE BODY.PEEK[HEADER.FIELDS (FROM)])";

/// How many bytes of a From field are read; anything longer is not an address.
const LONGEST_FIELD: usize = 10_000;

/// The letters counted so far, by number or UID, because a server may report one twice. Neighbours
/// are one entry: first and last.
#[derive(Default)]
pub(super) struct Counted(BTreeMap<u32, u32>);

impl Counted {
    /// Adds a number. Returns whether it is new.
    pub(super) fn insert(&mut self, number: u32) -> bool {
        let before = self.0.range(..=number).next_back().map(|(first, last)| (*first, *last));
        if before.is_some_and(|(_, last)| last >= number) {
            return false;
        }
        let last = number.checked_add(1).and_then(|next| self.0.remove(&next)).unwrap_or(number);
        match before {
            Some((first, end)) if end.checked_add(1) == Some(number) => self.0.insert(first, last),
            _ => self.0.insert(number, last),
        };
        true
    }
}

/// Returns the letter and its number or UID; `None` for a response without a size, which reports
/// something else: new flags, for example.
pub(super) fn read(mut data: Data<'_>, by_uid: bool) -> Result<Option<(u32, Letter)>, Error> {
    let (mut letter, mut uid, mut has_size) = (Letter::default(), None, false);
    let mut items = FetchedItems::of(&mut data.tokens)?;
    while let Some((name, value)) = items.next()? {
        if name.eq_ignore_ascii_case(b"FLAGS") {
            letter.seen = items.flags()?.iter().any(|flag| flag.eq_ignore_ascii_case(b"\\Seen"));
        } else if name.eq_ignore_ascii_case(b"UID") {
            uid = message_number(value).map(u32::from);
        } else if name.eq_ignore_ascii_case(b"RFC822.SIZE") {
            has_size = true;
            letter.bytes = value.number().unwrap_or(0); // a size that cannot be read counts as 0
        } else if name.eq_ignore_ascii_case(b"INTERNALDATE") {
            letter.day = value.bytes().and_then(|date| day(&date));
        } else if name.len() > 5 && name[..5].eq_ignore_ascii_case(b"BODY[") {
            letter.sender =
                value.bytes().and_then(|header| sender(&header[..header.len().min(LONGEST_FIELD)]));
        }
    }
    let number = if by_uid { uid } else { data.number };
    Ok(number.filter(|_| has_size).map(|number| (number, letter)))
}

/// Returns the first address of a From field.
fn sender(header: &[u8]) -> Option<Sender> {
    let field = fields(header).find(|field| field.is("From"))?;
    let first = |entries: Vec<Entry>| entries.into_iter().find_map(mailbox);
    first(parse_mailbox_list(&field.text()))
}

fn mailbox(entry: Entry) -> Option<Sender> {
    match entry {
        Entry::Mailbox { display, local, domain, .. } => {
            let address = match domain.filter(|domain| !domain.is_empty()) {
                Some(domain) => format!("{local}@{domain}"),
                None => local,
            };
            (!address.trim().is_empty()).then_some(Sender { name: display, address })
        }
        // Groups do not contain groups (RFC 5322 3.4).
        Entry::Group { members, .. } => members
            .into_iter()
            .filter(|member| matches!(member, Entry::Mailbox { .. }))
            .find_map(mailbox),
    }
}

/// Returns the day of an internal date, in the zone in which the server reports it.
fn day(date: &[u8]) -> Option<Day> {
    let day = WrittenDate::parse(std::str::from_utf8(date).ok()?)?.day;
    Some(Day {
        year: day.year().try_into().ok()?,
        month: day.month().try_into().ok()?,
        day: day.day().try_into().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::imap::Response;
    use crate::proto::imap::frame::Raw;
    use crate::proto::imap::response::parse;

    fn letter(response: &[u8]) -> Result<Option<(u32, Letter)>, Error> {
        match parse(Raw { bytes: response, literals: &[], kept: &[] }, 20).unwrap() {
            Response::Data(data) => read(data, false),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_response_is_read_as_the_letter_it_tells_of() {
        let read = letter(b"* 3 FETCH (FLAGS (\\Answered \\seen) RFC822.SIZE 617 INTERNALDATE \" 3-Sep-1999 11:36:26 -0700\" BODY[HEADER.FIELDS (FROM)] \"From: =?utf-8?Q?J=C3=B6e?= <JOE@x.org>\")");
        let sender = Some(Sender { name: Some("J\u{f6}e".into()), address: "JOE@x.org".into() });
        let day = Some(Day { year: 1999, month: 9, day: 3 });
        assert_eq!(read.unwrap(), Some((3, Letter { sender, bytes: 617, seen: true, day })));
    }

    #[test]
    fn what_a_server_sends_instead_is_no_panic() {
        let table: &[(&[u8], Option<Letter>)] = &[
            (b"* 1 FETCH (RFC822.SIZE -5)", Some(Letter::default())),
            (b"* 1 FETCH (RFC822.SIZE 99999999999999999999999)", Some(Letter::default())),
            (b"* 1 FETCH (RFC822.SIZE NIL FLAGS NIL INTERNALDATE NIL BODY[HEADER.FIELDS (\"FROM\")] NIL)", Some(Letter::default())),
            (b"* 1 FETCH (RFC822.SIZE (1 2) FLAGS \"x\" INTERNALDATE (x) BODY[HEADER] (a (b)))", Some(Letter::default())),
            (b"* 1 FETCH (RFC822.SIZE 0 INTERNALDATE \"32-Sep-1999\" BODY[HEADER.FIELDS (FROM)] \"From: <>\")", Some(Letter::default())),
            (b"* 1 FETCH (RFC822.SIZE 0 INTERNALDATE \"1-Foo--9\" BODY[HEADER.FIELDS (FROM)] \"Subject: x\")", Some(Letter::default())),
            (b"* 1 FETCH (RFC822.SIZE 7 X-NEW (1 (2)) FLAGS ((\\Seen)))", Some(Letter { bytes: 7, ..Letter::default() })),
            (b"* 1 FETCH (FLAGS (\\Seen))", None),
        ];
        for (response, expected) in table {
            let read = letter(response).unwrap().map(|(_, letter)| letter);
            assert_eq!(&read, expected, "{}", response.escape_ascii());
        }
        assert!(letter(b"* 1 FETCH ((x))").is_err());
    }

    #[test]
    fn the_first_address_of_a_field_is_the_sender() {
        let table = [
            ("From: a@x, b@y", Some("a@x")),
            ("From: friends: a@x;", Some("a@x")),
            ("From: undisclosed:;, b@y", Some("b@y")),
            ("From: somebody", Some("somebody")),
            ("From:", None),
        ];
        for (header, expected) in table {
            assert_eq!(
                sender(header.as_bytes()).map(|sender| sender.address).as_deref(),
                expected,
                "{header}"
            );
        }
    }

    #[test]
    fn a_letter_counts_once() {
        let mut counted = Counted::default();
        let news: Vec<bool> =
            [1, 2, 4, 2, 3, 3, u32::MAX, u32::MAX, 0].map(|number| counted.insert(number)).to_vec();
        assert_eq!(news, [true, true, true, false, true, false, true, false, true]);
        assert_eq!(counted.0.into_iter().collect::<Vec<_>>(), [(0, 4), (u32::MAX, u32::MAX)]);
    }
}
