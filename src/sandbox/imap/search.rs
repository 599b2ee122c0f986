//! SEARCH (RFC 3501 6.4.4).
//!
//! `prepare` turns the client's keys into `Key`s once: sets become ranges, texts become needles.
//! The session then copies references to the letters, releases the store's lock, and tries each
//! letter. Keys joined by AND are sorted by cost, so that texts are searched only in letters that
//! all cheaper keys match.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;

use imap_codec::imap_types::{core::Charset, datetime::NaiveDate, search::SearchKey};
use jiff::{SignedDuration, Timestamp, civil::Date};

use crate::sandbox::imap::copying::GONE;
use crate::sandbox::imap::matching::Needle;
use crate::sandbox::imap::selected::Selected;
use crate::sandbox::imap::sequence::Span;
use crate::sandbox::imap::session::{Outcome, Refusal, Session, bad, no};
use crate::sandbox::imap::utf8::uses_recent;
use crate::sandbox::imap::{dates, matching, sequence};
use crate::sandbox::store::dates::sent_day;
use crate::sandbox::store::flags::Flags;
use crate::sandbox::store::header;
use crate::sandbox::store::mailbox::Message;
use crate::sandbox::store::origin::Remote;
use crate::sandbox::{Extension, Extensions};

impl Session {
    pub(crate) fn search(
        &mut self,
        charset: Option<&Charset<'_>>,
        criteria: &[SearchKey<'_>],
        uid: bool,
    ) -> Outcome {
        self.check_charset(charset)?;
        if self.utf8.rev2 {
            let found = self.matches(charset, criteria)?;
            if uses_modseq(criteria) {
                self.use_condstore()?;
            }
            self.tell_all(uid, &found);
            return Ok("SEARCH completed.".to_owned());
        }
        let mut line = "SEARCH".to_owned();
        let mut highest = 0;
        for found in self.matches(charset, criteria)? {
            let _ = write!(line, " {}", if uid { found.uid } else { found.number });
            highest = highest.max(found.message.modseq);
        }
        // RFC 7162 3.1.5: that of the letters found, if there are any.
        if uses_modseq(criteria) {
            self.use_condstore()?;
            if highest > 0 {
                let _ = write!(line, " (MODSEQ {highest})");
            }
        }
        self.untagged(&line);
        Ok("SEARCH completed.".to_owned())
    }

    /// BAD for a charset that SEARCH names after ENABLE UTF8=ACCEPT (RFC 6855 3).
    pub(crate) fn check_charset(&self, charset: Option<&Charset<'_>>) -> Result<(), Refusal> {
        if charset.is_some() && self.utf8.accept {
            return bad("No charset is named after ENABLE UTF8=ACCEPT.");
        }
        Ok(())
    }

    /// The letters that match, in the order of their numbers.
    pub(crate) fn matches(
        &self,
        charset: Option<&Charset<'_>>,
        criteria: &[SearchKey<'_>],
    ) -> Result<Vec<Match>, Refusal> {
        let view = self.selected()?;
        if uses_recent(criteria) {
            self.not_in_rev2("NEW, OLD and RECENT")?;
        }
        if let Some(charset) = charset.map(Charset::as_ref)
            && !["US-ASCII", "UTF-8"].iter().any(|known| known.eq_ignore_ascii_case(charset))
        {
            return no("[BADCHARSET (US-ASCII UTF-8)] This charset is not supported.");
        }
        // Letters are shared by reference, so the lock is not held during the search.
        let mut candidates: Vec<(u32, u32, Message)> = {
            let state = self.shared.store.lock();
            let Some(mailbox) = state.mailbox(view.id) else { return no(GONE) };
            let numbered = (1_u32..).zip(view.uids.iter());
            numbered
                .filter_map(|(number, uid)| {
                    Some((number, *uid, mailbox.messages.get(uid)?.clone()))
                })
                .collect()
        };
        // The keys that look at texts are last, because the origin may have to be asked.
        let (of_text, others): (Vec<&SearchKey<'_>>, Vec<&SearchKey<'_>>) =
            criteria.iter().partition(|key| looks_at_text(key));
        for keys in [others, of_text] {
            let asking = Asking::about(self.shared.store.remote(), &candidates);
            let key = all_of(keys, view, self.extensions, &asking)?;
            candidates.retain(|(number, uid, message)| {
                let recent = view.is_recent(*uid);
                key.matches(&Subject { number: *number, uid: *uid, recent, message })
            });
        }
        let found = |(number, uid, message)| Match { number, uid, message };
        Ok(candidates.into_iter().map(found).collect())
    }
}

/// Whether a key looks at the text of letters.
fn looks_at_text(key: &SearchKey<'_>) -> bool {
    match key {
        SearchKey::And(keys) => keys.as_ref().iter().any(looks_at_text),
        SearchKey::Or(one, other) => looks_at_text(one) || looks_at_text(other),
        SearchKey::Not(key) => looks_at_text(key),
        SearchKey::SentBefore(_)
        | SearchKey::SentOn(_)
        | SearchKey::SentSince(_)
        | SearchKey::Bcc(_)
        | SearchKey::Cc(_)
        | SearchKey::From(_)
        | SearchKey::To(_)
        | SearchKey::Subject(_)
        | SearchKey::Header(..)
        | SearchKey::Body(_)
        | SearchKey::Text(_) => true,
        _ => false,
    }
}

/// The letters that a search is about which are at the origin.
struct Asking<'a> {
    remote: Option<&'a Remote>,
    letters: HashMap<Arc<str>, Vec<u32>>,
}

impl<'a> Asking<'a> {
    fn about(remote: Option<&'a Arc<Remote>>, candidates: &[(u32, u32, Message)]) -> Asking<'a> {
        let mut letters: HashMap<Arc<str>, Vec<u32>> = HashMap::new();
        let Some(remote) = remote else { return Asking { remote: None, letters } };
        let elsewhere = candidates.iter().filter_map(|(_, _, message)| message.content.origin());
        for elsewhere in elsewhere {
            letters.entry(Arc::clone(&elsewhere.mailbox)).or_default().push(elsewhere.uid);
        }
        for uids in letters.values_mut() {
            uids.sort_unstable();
            uids.dedup();
        }
        Asking { remote: Some(remote), letters }
    }

    /// The key for letters that are here and those that are not.
    fn complete(&self, key: &SearchKey<'_>, here: Key) -> Result<Key, Refusal> {
        let Some(remote) = self.remote.filter(|_| looks_at_text(key)) else { return Ok(here) };
        let mut there = HashMap::new();
        for (mailbox, uids) in &self.letters {
            let found = remote.origin.search(mailbox, uids, key);
            let found = found.inspect_err(|error| remote.lost(error))?;
            there.insert(Arc::clone(mailbox), found.into_iter().collect());
        }
        Ok(Key::Asked { here: Box::new(here), there })
    }
}

/// A letter that a search has found.
pub(crate) struct Match {
    pub(crate) number: u32,
    pub(crate) uid: u32,
    pub(crate) message: Message,
}

/// A letter to test against a key.
struct Subject<'a> {
    number: u32,
    uid: u32,
    recent: bool,
    message: &'a Message,
}

/// A prepared search key: sets resolved, texts in lower case.
enum Key {
    All(Vec<Key>),
    Any(Box<Key>, Box<Key>),
    Not(Box<Key>),
    Numbers(Vec<Span>),
    Uids(Vec<Span>),
    Flag(u8),
    Keyword(String),
    Recent,
    Smaller(u32),
    Larger(u32),
    Internal(Relation, Date),
    Sent(Relation, Date),
    /// Internal dates from this time on (RFC 5032).
    Younger(Timestamp),
    /// Mod-sequences from this one on (RFC 7162).
    ModSeq(u64),
    Header(String, Needle),
    /// A key that looks at the text of letters: for those that are here, and the UIDs of those that
    /// match at the origin, by mailbox.
    Asked {
        here: Box<Key>,
        there: HashMap<Arc<str>, HashSet<u32>>,
    },
    Body(Needle),
    Text(Needle),
}

/// How the date of a letter compares with the day of a key.
#[derive(Clone, Copy)]
enum Relation {
    Before,
    On,
    Since,
}

impl Relation {
    fn holds(self, date: Date, day: Date) -> bool {
        match self {
            Relation::Before => date < day,
            Relation::On => date == day,
            Relation::Since => date >= day,
        }
    }
}

impl Key {
    fn matches(&self, subject: &Subject<'_>) -> bool {
        let message = subject.message;
        let bytes = || message.content.bytes();
        match self {
            Key::All(keys) => keys.iter().all(|key| key.matches(subject)),
            Key::Any(one, other) => one.matches(subject) || other.matches(subject),
            Key::Not(key) => !key.matches(subject),
            Key::Numbers(spans) => sequence::contains(spans, subject.number),
            Key::Uids(spans) => sequence::contains(spans, subject.uid),
            Key::Flag(flag) => message.flags.has(*flag),
            Key::Keyword(keyword) => message.flags.has_keyword(keyword),
            Key::Recent => subject.recent,
            Key::Smaller(size) => message.content.size() < u64::from(*size),
            Key::Larger(size) => message.content.size() > u64::from(*size),
            Key::Internal(relation, day) => relation.holds(message.internal_date.date(), *day),
            Key::Sent(relation, day) => {
                let bytes = bytes();
                let range = header::range(bytes);
                let sent = header::value(bytes, range, "Date").and_then(|value| sent_day(&value));
                sent.is_some_and(|date| relation.holds(date, *day))
            }
            Key::Younger(first) => message.internal_date.timestamp() >= *first,
            Key::ModSeq(first) => message.modseq >= *first,
            Key::Header(name, needle) => matching::in_header(bytes(), name, needle),
            Key::Asked { here, there } => match message.content.origin() {
                Some(elsewhere) => there
                    .get(&elsewhere.mailbox)
                    .is_some_and(|found| found.contains(&elsewhere.uid)),
                None => here.matches(subject),
            },
            Key::Body(needle) => matching::in_body(&message.content, needle),
            Key::Text(needle) => matching::in_text(&message.content, needle),
        }
    }

    /// The relative cost of testing a key; cheaper keys are tested first.
    fn cost(&self) -> u32 {
        match self {
            Key::All(keys) => keys.iter().map(Key::cost).max().unwrap_or(0),
            Key::Any(one, other) => one.cost().max(other.cost()),
            Key::Not(key) => key.cost(),
            Key::Sent(..) | Key::Header(..) | Key::Asked { .. } => 1,
            Key::Body(_) | Key::Text(_) => 2,
            _ => 0,
        }
    }
}

/// Joins keys by AND, cheapest first.
fn all_of<'k, 'c: 'k>(
    keys: impl IntoIterator<Item = &'k SearchKey<'c>>,
    view: &Selected,
    extensions: Extensions,
    asking: &Asking<'_>,
) -> Result<Key, Refusal> {
    let mut keys = keys
        .into_iter()
        .map(|key| prepare(key, view, extensions, asking))
        .collect::<Result<Vec<Key>, Refusal>>()?;
    keys.sort_by_key(Key::cost);
    Ok(Key::All(keys))
}

fn prepare(
    key: &SearchKey<'_>,
    view: &Selected,
    extensions: Extensions,
    asking: &Asking<'_>,
) -> Result<Key, Refusal> {
    match key {
        SearchKey::And(keys) => all_of(keys.as_ref(), view, extensions, asking),
        SearchKey::Or(one, other) => Ok(Key::Any(
            Box::new(prepare(one, view, extensions, asking)?),
            Box::new(prepare(other, view, extensions, asking)?),
        )),
        SearchKey::Not(key) => Ok(Key::Not(Box::new(prepare(key, view, extensions, asking)?))),
        key => asking.complete(key, prepare_one(key, view, extensions)?),
    }
}

/// Prepares a key that has no keys in it.
fn prepare_one(
    key: &SearchKey<'_>,
    view: &Selected,
    extensions: Extensions,
) -> Result<Key, Refusal> {
    let flag = |flag: u8| Ok(Key::Flag(flag));
    let not = |key: Key| Key::Not(Box::new(key));
    let header = |name: &str, value: &[u8]| Ok(Key::Header(name.to_owned(), Needle::new(value)));
    let internal = |relation, date: &NaiveDate| Ok(Key::Internal(relation, day(date)?));
    let sent = |relation, date: &NaiveDate| Ok(Key::Sent(relation, day(date)?));
    match key {
        SearchKey::And(_) | SearchKey::Or(..) | SearchKey::Not(_) => bad("A key has keys in it."),
        SearchKey::All => Ok(Key::All(Vec::new())),
        SearchKey::SequenceSet(set) => Ok(Key::Numbers(sequence::spans(set, view.count()))),
        SearchKey::Uid(set) => Ok(Key::Uids(sequence::spans(set, view.last_uid()))),
        SearchKey::Answered => flag(Flags::ANSWERED),
        SearchKey::Deleted => flag(Flags::DELETED),
        SearchKey::Draft => flag(Flags::DRAFT),
        SearchKey::Flagged => flag(Flags::FLAGGED),
        SearchKey::Seen => flag(Flags::SEEN),
        SearchKey::Unanswered => Ok(not(Key::Flag(Flags::ANSWERED))),
        SearchKey::Undeleted => Ok(not(Key::Flag(Flags::DELETED))),
        SearchKey::Undraft => Ok(not(Key::Flag(Flags::DRAFT))),
        SearchKey::Unflagged => Ok(not(Key::Flag(Flags::FLAGGED))),
        SearchKey::Unseen => Ok(not(Key::Flag(Flags::SEEN))),
        SearchKey::Keyword(keyword) => Ok(Key::Keyword(keyword.inner().to_owned())),
        SearchKey::Unkeyword(keyword) => Ok(not(Key::Keyword(keyword.inner().to_owned()))),
        SearchKey::Recent => Ok(Key::Recent),
        SearchKey::Old => Ok(not(Key::Recent)),
        SearchKey::New => Ok(Key::All(vec![Key::Recent, not(Key::Flag(Flags::SEEN))])),
        SearchKey::Before(date) => internal(Relation::Before, date),
        SearchKey::On(date) => internal(Relation::On, date),
        SearchKey::Since(date) => internal(Relation::Since, date),
        SearchKey::SentBefore(date) => sent(Relation::Before, date),
        SearchKey::SentOn(date) => sent(Relation::On, date),
        SearchKey::SentSince(date) => sent(Relation::Since, date),
        SearchKey::Smaller(size) => Ok(Key::Smaller(*size)),
        SearchKey::Larger(size) => Ok(Key::Larger(*size)),
        SearchKey::Bcc(value) => header("Bcc", value.as_ref()),
        SearchKey::Cc(value) => header("Cc", value.as_ref()),
        SearchKey::From(value) => header("From", value.as_ref()),
        SearchKey::To(value) => header("To", value.as_ref()),
        SearchKey::Subject(value) => header("Subject", value.as_ref()),
        SearchKey::Header(name, value) => {
            header(&String::from_utf8_lossy(name.as_ref()), value.as_ref())
        }
        SearchKey::Body(value) => Ok(Key::Body(Needle::new(value.as_ref()))),
        SearchKey::Text(value) => Ok(Key::Text(Needle::new(value.as_ref()))),
        // RFC 5032 3: OLDER is "not within", so that a letter that is just as old is younger.
        SearchKey::Younger(seconds) if extensions.has(Extension::Within) => {
            Ok(Key::Younger(ago(seconds.get())))
        }
        SearchKey::Older(seconds) if extensions.has(Extension::Within) => {
            Ok(not(Key::Younger(ago(seconds.get()))))
        }
        SearchKey::Younger(_) | SearchKey::Older(_) => bad("WITHIN is not supported."),
        // The entry may be ignored where all flags have one mod-sequence (RFC 7162 3.1.5).
        SearchKey::ModSequence { modseq, .. } if extensions.has(Extension::CondStore) => {
            Ok(Key::ModSeq(*modseq))
        }
        SearchKey::ModSequence { .. } => bad("CONDSTORE is not supported."),
    }
}

/// Whether MODSEQ is among the keys.
fn uses_modseq(keys: &[SearchKey<'_>]) -> bool {
    let is_in = |key| uses_modseq(std::slice::from_ref(key));
    keys.iter().any(|key| match key {
        SearchKey::ModSequence { .. } => true,
        SearchKey::And(keys) => uses_modseq(keys.as_ref()),
        SearchKey::Or(one, other) => is_in(one) || is_in(other),
        SearchKey::Not(key) => is_in(key),
        _ => false,
    })
}

/// The time this many seconds ago.
fn ago(seconds: u32) -> Timestamp {
    let now = Timestamp::now();
    now.checked_sub(SignedDuration::from_secs(seconds.into())).unwrap_or(Timestamp::MIN)
}

fn day(date: &NaiveDate) -> Result<Date, Refusal> {
    dates::search_day(date).map_or_else(|| bad("This date cannot be."), Ok)
}
