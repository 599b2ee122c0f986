//! Checks of what commands contain: searches, sequence sets and mailbox names. imap-codec parses
//! what we write, and must find the same meaning.

use super::input::Input;
use imap_codec::CommandCodec;
use imap_codec::decode::Decoder;
use imap_codec::imap_types::command::CommandBody;
use imap_codec::imap_types::core::AString;
use imap_codec::imap_types::search::SearchKey as TheirKey;
use imap_codec::imap_types::sequence::{SeqOrUid, Sequence, SequenceSet as TheirSet};
use postoffice::proto::imap::flag::Flag;
use postoffice::proto::imap::search::Date;
use postoffice::proto::imap::sequence::Bound;
use postoffice::proto::imap::{Command, SearchKey, SequenceSet, Session, utf7};
use postoffice::proto::{Limits, Protocol};
use std::num::NonZeroU32;

/// A search is exactly one command, which imap-codec reads as the same search.
pub fn search(data: &[u8]) {
    let mut input = Input::new(data);
    let uid = input.byte() & 1 != 0;
    let key = key_of(&mut input, 0);
    let Ok(command) = Command::search(&key, uid) else { return };
    let mut session = Session::new(Limits::default());
    session.receive(b"* OK [CAPABILITY IMAP4rev1 LITERAL+] hello\r\n");
    session.next_event().unwrap();
    session.submit(command);
    let outgoing = session.take_outgoing();
    let sent = outgoing.bytes();
    let (rest, command) = CommandCodec::default()
        .decode(sent)
        .unwrap_or_else(|error| panic!("{}: {error:?}", sent.escape_ascii()));
    assert!(rest.is_empty(), "more than one command: {}", sent.escape_ascii());
    let CommandBody::Search { charset, criteria, uid: their_uid } = command.body else {
        panic!("not SEARCH")
    };
    assert_eq!((charset.is_some(), their_uid), (key.needs_charset(), uid));
    let theirs = criteria.as_ref();
    match &key {
        SearchKey::And(keys) if !keys.is_empty() => {
            assert!(all_same(keys, theirs), "{key:?} was read as {theirs:?}")
        }
        key => {
            assert!(theirs.len() == 1 && same(key, &theirs[0]), "{key:?} was read as {theirs:?}")
        }
    }
    let parts = key.split(60);
    assert!(!parts.is_empty());
    if parts.len() == 1 {
        assert_eq!(parts[0], key);
    }
}

/// Returns a search key made from the input. Nesting is limited, because imap-codec accepts only
/// five levels.
fn key_of(input: &mut Input<'_>, depth: usize) -> SearchKey {
    let choice = input.byte();
    let pick = usize::from(choice >> 4);
    let texts = [SearchKey::Subject, SearchKey::Body, SearchKey::From, SearchKey::Text];
    let dates = [SearchKey::Before, SearchKey::SentOn, SearchKey::Since];
    let words =
        [SearchKey::All, SearchKey::Seen, SearchKey::Undeleted, SearchKey::New, SearchKey::Recent];
    match choice % 12 {
        1 => texts[pick % texts.len()](input.text()),
        2 => SearchKey::Header(input.text(), input.text()),
        3 => date_of(input).map_or(SearchKey::Draft, dates[pick % dates.len()]),
        4 if choice & 16 == 0 => SearchKey::Larger(input.number().into()),
        4 => SearchKey::Smaller(input.number().into()),
        5 => Flag::new(&input.text()).map_or(SearchKey::Old, SearchKey::Keyword),
        6 => SearchKey::Messages(set_of(input)),
        7 => SearchKey::Uid(set_of(input)),
        8 if depth < 2 => SearchKey::Not(Box::new(key_of(input, depth + 1))),
        9 if depth < 2 => SearchKey::And(keys_of(input, choice, depth)),
        10 if depth < 2 => SearchKey::Or(keys_of(input, choice, depth)),
        _ => words[pick % words.len()].clone(),
    }
}

fn keys_of(input: &mut Input<'_>, choice: u8, depth: usize) -> Vec<SearchKey> {
    (0..(choice >> 4) % 5).map(|_| key_of(input, depth + 1)).collect()
}

fn date_of(input: &mut Input<'_>) -> Option<Date> {
    let date = Date::new(
        u16::from(input.byte()) * 40 + u16::from(input.byte()),
        input.byte() % 13,
        input.byte() % 32,
    )?;
    assert_eq!(Date::parse(&date.to_imap()), Some(date));
    Some(date)
}

fn set_of(input: &mut Input<'_>) -> SequenceSet {
    let mut set = SequenceSet::new();
    for _ in 0..input.byte() % 20 {
        let (first, second) = (bound_of(input), bound_of(input));
        match first {
            Bound::Number(number) if second == first => set.push(number),
            _ => set.push_range(first, second),
        }
    }
    set
}

/// Returns a bound: mostly small numbers, so that ranges overlap, but also `*` and large numbers.
fn bound_of(input: &mut Input<'_>) -> Bound {
    match input.byte() {
        0 => Bound::Last,
        255 => Bound::Number(NonZeroU32::new(input.number()).unwrap_or(NonZeroU32::MAX)),
        small => Bound::Number(NonZeroU32::new(small.into()).unwrap_or(NonZeroU32::MIN)),
    }
}

fn all_same(ours: &[SearchKey], theirs: &[TheirKey<'_>]) -> bool {
    ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same(ours, theirs))
}

fn same(ours: &SearchKey, theirs: &TheirKey<'_>) -> bool {
    let same_text = |ours: &str, theirs: &AString<'_>| ours.as_bytes() == theirs.as_ref();
    match (ours, theirs) {
        (SearchKey::Subject(ours), TheirKey::Subject(theirs))
        | (SearchKey::Body(ours), TheirKey::Body(theirs))
        | (SearchKey::From(ours), TheirKey::From(theirs))
        | (SearchKey::Text(ours), TheirKey::Text(theirs)) => same_text(ours, theirs),
        (SearchKey::Header(field, text), TheirKey::Header(their_field, theirs)) => {
            field.as_bytes() == their_field.as_ref() && text.as_bytes() == theirs.as_ref()
        }
        (SearchKey::Before(date), TheirKey::Before(theirs))
        | (SearchKey::SentOn(date), TheirKey::SentOn(theirs))
        | (SearchKey::Since(date), TheirKey::Since(theirs)) => {
            date.to_imap() == theirs.as_ref().format("%-d-%b-%Y").to_string()
        }
        (SearchKey::Larger(number), TheirKey::Larger(theirs)) => *number == u64::from(*theirs),
        (SearchKey::Smaller(number), TheirKey::Smaller(theirs)) => *number == u64::from(*theirs),
        (SearchKey::Keyword(flag), TheirKey::Keyword(theirs)) => flag.as_str() == theirs.as_ref(),
        (SearchKey::Messages(set), TheirKey::SequenceSet(theirs))
        | (SearchKey::Uid(set), TheirKey::Uid(theirs)) => same_set(set, theirs),
        (SearchKey::And(keys), TheirKey::All) => keys.is_empty(),
        (SearchKey::And(keys), TheirKey::And(theirs)) => all_same(keys, theirs.as_ref()),
        // A single key in parentheses is that key.
        (SearchKey::And(keys), theirs) if keys.len() == 1 => same(&keys[0], theirs),
        (SearchKey::Or(keys), TheirKey::Not(theirs)) if keys.is_empty() => {
            **theirs == TheirKey::All
        }
        (SearchKey::Or(keys), theirs) => {
            let mut alternatives = Vec::new();
            flatten(theirs, keys.len(), &mut alternatives);
            keys.len() == alternatives.len()
                && keys.iter().zip(alternatives).all(|(ours, theirs)| same(ours, theirs))
        }
        (SearchKey::Not(key), TheirKey::Not(theirs)) => same(key, theirs),
        // Keys without an argument have the same names.
        (ours, theirs) => format!("{ours:?}") == format!("{theirs:?}"),
    }
}

/// Collects the `count` alternatives of an OR tree that is balanced like ours.
fn flatten<'a>(theirs: &'a TheirKey<'a>, count: usize, into: &mut Vec<&'a TheirKey<'a>>) {
    match theirs {
        TheirKey::Or(left, right) if count > 1 => {
            flatten(left, count / 2, into);
            flatten(right, count - count / 2, into);
        }
        other => into.push(other),
    }
}

/// A sequence set prints as imap-codec reads it, splits without loss, and has the members of its
/// ranges.
pub fn sequence_set(data: &[u8]) {
    let mut input = Input::new(data);
    let (length, last) = (usize::from(input.byte()), u32::from(input.byte()));
    let set = set_of(&mut input);
    if set.is_empty() {
        return assert!(set.split(length).is_empty() && !set.members(last).contains(1));
    }
    let text = set.to_string();
    let theirs =
        TheirSet::try_from(text.as_str()).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert!(same_set(&set, &theirs), "{text} was read as {theirs:?}");
    let parts = set.split(length);
    assert_eq!(parts.iter().map(ToString::to_string).collect::<Vec<_>>().join(","), text);
    assert!(
        parts.iter().all(|part| part.to_string().len() <= length || part.ranges().len() == 1),
        "{text} by {length}"
    );
    let members = set.members(last);
    let value = |bound: &Bound| if let Bound::Number(number) = bound { number.get() } else { last };
    for number in (0..300).chain([u32::MAX - 1, u32::MAX]) {
        let is_member = set.ranges().iter().any(|(first, second)| {
            let (first, second) = (value(first), value(second));
            (first.min(second)..=first.max(second)).contains(&number)
        });
        assert_eq!(members.contains(number), is_member, "{number} in {text} of {last}");
    }
}

fn same_set(ours: &SequenceSet, theirs: &TheirSet) -> bool {
    let bound = |bound: &SeqOrUid| match bound {
        SeqOrUid::Value(number) => Bound::Number(*number),
        SeqOrUid::Asterisk => Bound::Last,
    };
    let theirs = theirs.0.as_ref().iter().map(|sequence| match sequence {
        Sequence::Single(one) => (bound(one), bound(one)),
        Sequence::Range(first, second) => (bound(first), bound(second)),
    });
    theirs.eq(ours.ranges().iter().copied())
}

/// Every name survives modified UTF-7 (RFC 3501, section 5.1.3); decoding accepts only what
/// encoding would write.
pub fn mailbox_name(data: &[u8]) {
    let name = String::from_utf8_lossy(data);
    let encoded = utf7::encode(&name);
    assert!(
        encoded.bytes().all(|byte| matches!(byte, b' '..=b'~')),
        "{encoded:?} is not printable ASCII"
    );
    assert_eq!(utf7::decode(encoded.as_bytes()).as_deref(), Some(&*name));
    // Base64 of UTF-16: 8 bytes for 3 characters of one byte each, plus the two shifts.
    assert!(encoded.len() <= name.len() * 5 + 2, "{} bytes for {}", encoded.len(), name.len());
    if let Some(decoded) = utf7::decode(data) {
        assert_eq!(utf7::encode(&decoded).as_bytes(), data);
    }
}
