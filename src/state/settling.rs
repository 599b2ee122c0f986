//! Asks the server whether an uncertain step was carried out.
//!
//! A step is in doubt if its process or its connection ended before the server's answer came. Each
//! kind of change leaves a trace by which it is known: letters are where they were or are gone,
//! flags are as before or not, a mailbox exists or does not. For an APPEND, a COPY or a MOVE the
//! letters are looked for among those that have come to the mailbox since (UIDNEXT); those that
//! other steps have stored do not count. Only as many letters as the step names are taken for them.
//! If the mailbox was not there before the step, all letters in it have come since.
//!
//! A MOVE of several letters that was refused may have moved some of them (RFC 6851 3.3), so it is
//! uncertain, too.

use super::database::{Database, StateError};
use super::rows::{Step, StepState, numbers};
use super::trail::{identity_of, is_letter, is_of, uids};
use crate::client::reconnecting::same_name;
use crate::client::{Error, Fetched, ImapClient};
use crate::proto::deed::{Act, Letters};
use crate::proto::imap::command::StoreMode;
use crate::proto::imap::sequence::Bound;
use crate::proto::imap::{CopiedUids, FetchItems, Flag, Messages, SequenceSet};
use crate::proto::witness::{LetterFacts, Previous};
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

/// What is known about a step that was in doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// The server has carried it out, at least in part.
    Done,
    /// The server has not.
    NotDone,
    /// It cannot be known. The text says why.
    Unclear(String),
}

/// What a letter is fetched with to tell it again.
const IDENTITY: &str = "UID FLAGS RFC822.SIZE INTERNALDATE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]";

/// So many steps before one may have stored letters beside it.
const BESIDE: i64 = 100_000;

/// Settles uncertain steps.
pub struct Settling<'a> {
    database: &'a Database,
    /// Steps that have stored or removed letters, and the number from which on they are read.
    taken: (i64, Vec<Step>),
}

impl<'a> Settling<'a> {
    /// Prepares to settle steps of this journal.
    pub fn new(database: &'a Database) -> Self {
        Settling { database, taken: (i64::MAX, Vec::new()) }
    }

    /// Asks the server about an uncertain step, and writes into the journal what is known then.
    /// Opens mailboxes read-only. Ask about the last step of a run first.
    ///
    /// # Errors
    /// The outer one: the database. The inner one: those of the commands that ask.
    pub fn settle(
        &mut self,
        step: &mut Step,
        client: &mut ImapClient,
    ) -> Result<Result<Settled, Error>, StateError> {
        if step.id.saturating_sub(BESIDE) < self.taken.0 {
            let from = step.id.saturating_sub(2 * BESIDE);
            self.taken = (from, self.database.stored_from(from)?);
        }
        let (settled, stored) = match ask(step, client, &self.taken.1) {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        match settled {
            Settled::Done => {
                step.state = StepState::Done;
                step.stored = stored;
            }
            Settled::NotDone if step.state.is_in_doubt() => step.state = StepState::NotDone,
            Settled::NotDone | Settled::Unclear(_) => return Ok(Ok(settled)),
        }
        self.database.settle_step(step)?;
        if step.state == StepState::Done {
            let taken = &mut self.taken.1;
            let at = taken.partition_point(|taken| taken.id < step.id);
            taken.insert(at, step.clone());
        }
        Ok(Ok(settled))
    }
}

type Answer = (Settled, Option<CopiedUids>);

fn ask(step: &mut Step, client: &mut ImapClient, taken: &[Step]) -> Result<Answer, Error> {
    let mailbox = step.deed.mailbox.as_deref().unwrap_or_default();
    let facts = step.deed.facts.clone().unwrap_or_default();
    let done = |is_done| (if is_done { Settled::Done } else { Settled::NotDone }, None);
    Ok(match &step.deed.act {
        Act::CreateMailbox => done(client.exists(mailbox)?),
        Act::DeleteMailbox => done(!client.exists(mailbox)?),
        Act::RenameMailbox { to } => match (client.exists(mailbox)?, client.exists(to)?) {
            (true, false) => done(false),
            (false, true) => done(true),
            (true, true) if mailbox.eq_ignore_ascii_case("INBOX") => done(true),
            _ => unclear(format!("{mailbox:?} and {to:?} do not tell")),
        },
        Act::Subscribe | Act::Unsubscribe => {
            let listed = client.list_subscribed("", mailbox)?;
            let is_subscribed = listed.iter().any(|one| same_name(&one.name, mailbox));
            done(is_subscribed == (step.deed.act == Act::Subscribe))
        }
        Act::SetRights { .. } | Act::SetMetadata { .. } => match previous_now(step, client)? {
            Previous::Unknown => unclear("the server does not say what there is".to_owned()),
            now => done(now != facts.previous),
        },
        Act::StoreFlags { .. } | Act::MarkSeen | Act::Expunge => {
            if open(client, mailbox)? != step.deed.uid_validity {
                return Ok(unclear(gone(mailbox)));
            }
            let now = letters(client, &uids(step))?;
            match step.deed.act {
                Act::Expunge => {
                    // Those that are still there, or that a later step removed, were not removed.
                    let later = removed_later(step, taken);
                    let mut letters = facts.letters;
                    letters.retain(|one| !now.contains_key(&one.uid) && !later.contains(&one.uid));
                    let is_done = !letters.is_empty();
                    if let Some(facts) = step.deed.facts.as_mut().filter(|_| is_done) {
                        facts.letters = letters;
                    }
                    done(is_done)
                }
                _ => done(facts.letters.iter().any(|before| {
                    let now = now.get(&before.uid).and_then(|now| now.flags.clone());
                    now.is_some_and(|now| flag_set(&now) != flag_set(before.flags.iter().flatten()))
                })),
            }
        }
        Act::Append { bytes, message_id, .. } => {
            let letter = LetterFacts {
                size: Some(*bytes),
                message_id: message_id.clone(),
                ..LetterFacts::default()
            };
            let Some((validity, new)) = arrived(step, mailbox, client, taken)? else {
                return Ok(match facts.previous {
                    Previous::Absent => done(false), // there was no such mailbox, and is none
                    _ => unclear(gone(mailbox)),
                });
            };
            let same: Vec<u32> = new
                .iter()
                .filter(|found| found.size == Some(*bytes) && is_letter(found, &letter))
                .filter_map(|found| found.uid)
                .collect();
            match same[..] {
                [] => done(false),
                [uid] => (Settled::Done, stored(validity, &[], &[uid])),
                _ => unclear(format!("{} letters in {mailbox:?} may be the one", same.len())),
            }
        }
        Act::Copy { to } | Act::Move { to } => return ask_moved(step, mailbox, to, client, taken),
        Act::Send { to, .. } | Act::Run { to, .. } if !to.is_empty() => {
            unclear(format!("the letter may have gone to {}", to.join(", ")))
        }
        Act::Remove => unclear(
            "the server removes the letters when it reads QUIT; whether it has, it does not say"
                .to_owned(),
        ),
        _ => unclear("nothing tells whether it was done".to_owned()),
    })
}

fn ask_moved(
    step: &Step,
    mailbox: &str,
    to: &str,
    client: &mut ImapClient,
    taken: &[Step],
) -> Result<Answer, Error> {
    if open(client, mailbox)? != step.deed.uid_validity {
        return Ok(unclear(gone(mailbox)));
    }
    let named: BTreeSet<u32> = uids(step).into_iter().collect();
    let here = letters(client, &named.iter().copied().collect::<Vec<_>>())?;
    let is_move = matches!(step.deed.act, Act::Move { .. });
    let removed_later = if is_move { removed_later(step, taken) } else { BTreeSet::new() };
    let expected = named.iter().copied();
    let expected: Vec<u32> = expected
        .filter(|uid| here.contains_key(uid) != is_move && !removed_later.contains(uid))
        .collect();
    if expected.is_empty() {
        return Ok((Settled::NotDone, None));
    }
    let previous = step.deed.facts.as_ref().map(|facts| &facts.previous);
    let Some((validity, new)) = arrived(step, to, client, taken)? else {
        // Without the mailbox there are no copies.
        let is_not_done = previous == Some(&Previous::Absent) || !is_move && !client.exists(to)?;
        return Ok(match is_not_done {
            true => (Settled::NotDone, None),
            false => unclear(gone(to)),
        });
    };
    let identities = step.deed.facts.iter().flat_map(|facts| &facts.letters);
    let identities: BTreeMap<u32, &LetterFacts> =
        identities.filter(|one| one.size.is_some()).map(|one| (one.uid, one)).collect();
    let sizes: Vec<Option<u64>> = expected
        .iter()
        .map(|uid| here.get(uid).and_then(|one| one.size).or(identities.get(uid)?.size))
        .collect();
    // What was copied is still there to compare with: a copy that is not the run's must stay.
    let originals: Vec<LetterFacts> = match is_move {
        true => Vec::new(),
        false => here.values().map(known_of).collect(),
    };
    let is_one = |found: &&Fetched| {
        if !is_move {
            return originals.iter().any(|original| is_letter(found, original));
        }
        if identities.is_empty() {
            return sizes.contains(&None) || sizes.contains(&found.size);
        }
        identities.values().any(|identity| is_letter(found, identity))
    };
    let found: Vec<u32> = new.iter().filter(is_one).filter_map(|found| found.uid).collect();
    Ok(match found.len() {
        0 if !is_move => (Settled::NotDone, None),
        count if count == expected.len() => (Settled::Done, stored(validity, &expected, &found)),
        count => {
            let (letters, are, they) = match expected.len() {
                1 => ("1 letter".to_owned(), "is", "it"),
                expected => (format!("{expected} letters"), "are", "they"),
            };
            let gone = if is_move { "gone" } else { "named" };
            unclear(format!(
                "{letters} of {mailbox:?} {are} {gone}, and {count} in {to:?} may be {they}"
            ))
        }
    })
}

/// The letters that later steps moved or removed, so that this one has not.
fn removed_later(step: &Step, taken: &[Step]) -> BTreeSet<u32> {
    let later = &taken[taken.partition_point(|later| later.id <= step.id)..];
    let later = later.iter().filter(|later| {
        is_of(later, &step.deed)
            && later.state == StepState::Done
            && matches!(later.deed.act, Act::Move { .. } | Act::Expunge)
            && later.deed.mailbox == step.deed.mailbox
            && later.deed.uid_validity == step.deed.uid_validity
    });
    later.flat_map(uids).collect()
}

fn unclear(why: String) -> Answer {
    (Settled::Unclear(why), None)
}

fn gone(mailbox: &str) -> String {
    format!("the mailbox {mailbox:?} is not there any more, or another has its name")
}

fn stored(uid_validity: u32, from: &[u32], to: &[u32]) -> Option<CopiedUids> {
    let set = |uids: &[u32]| uids.iter().copied().collect::<SequenceSet>();
    Some(CopiedUids { uid_validity, from: set(from), to: set(to) })
}

/// The letters that have come to a mailbox since the step and that no other step has stored, with
/// the UIDVALIDITY; `None` if that is another now, or there is no such mailbox.
fn arrived(
    step: &Step,
    mailbox: &str,
    client: &mut ImapClient,
    taken: &[Step],
) -> Result<Option<(u32, Vec<Fetched>)>, Error> {
    let (known, uid_next) = match step.deed.facts.as_ref().map(|facts| &facts.previous) {
        Some(&Previous::Next { uid_validity, uid_next }) => (Some(uid_validity), uid_next),
        // All that is in it has come since.
        Some(Previous::Absent) => (None, 1),
        _ => return Ok(None),
    };
    let now = open(client, mailbox)?;
    let Some(uid_validity) = now.filter(|now| known.is_none_or(|known| known == *now)) else {
        return Ok(None);
    };
    let others = taken.iter().filter(|other| other.id != step.id && is_of(other, &step.deed));
    let others = others.filter_map(|other| other.stored.as_ref());
    let others = others.filter(|stored| stored.uid_validity == uid_validity);
    let others: BTreeSet<u32> =
        others.flat_map(|stored| numbers(&stored.to).unwrap_or_default()).collect();
    let mut new = letters_from(client, uid_next)?;
    new.retain(|letter| letter.uid.is_some_and(|uid| !others.contains(&uid)));
    Ok(Some((uid_validity, new)))
}

/// Opens a mailbox read-only. Returns its UIDVALIDITY, `None` if there is no such mailbox.
fn open(client: &mut ImapClient, mailbox: &str) -> Result<Option<u32>, Error> {
    open_as(client, mailbox, true)
}

/// Opens a mailbox. Returns its UIDVALIDITY, `None` if there is no such mailbox.
pub(super) fn open_as(
    client: &mut ImapClient,
    mailbox: &str,
    read_only: bool,
) -> Result<Option<u32>, Error> {
    let is_open = client.selected().is_some_and(|selected| {
        selected.is_open() && selected.name == mailbox && (read_only || !selected.read_only)
    });
    if is_open {
        client.noop()?;
    } else {
        match client.select(mailbox, read_only) {
            Ok(()) => {}
            Err(Error::Refused { .. }) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok(client.selected().and_then(|selected| selected.uid_validity))
}

/// The letters of the selected mailbox with these UIDs.
pub(super) fn letters(
    client: &mut ImapClient,
    uids: &[u32],
) -> Result<BTreeMap<u32, Fetched>, Error> {
    let items = identity_items(client)?;
    let found = client.fetch_all(&Messages::uids(uids.iter().copied()), &items)?;
    Ok(found.into_iter().filter_map(|letter| Some((letter.uid?, letter))).collect())
}

/// What a letter is fetched with, together with its mod-sequence if the mailbox has them (RFC 7162).
fn identity_items(client: &mut ImapClient) -> Result<FetchItems, Error> {
    let has_modseqs = client.highest_modseq()?.is_some_and(|modseq| modseq > 0);
    let modseq = if has_modseqs { " MODSEQ" } else { "" };
    Ok(FetchItems::parse(&format!("({IDENTITY}{modseq})"))?)
}

/// Size and Message-ID. Not every server keeps the date when it copies.
fn known_of(found: &Fetched) -> LetterFacts {
    let (_, message_id) = identity_of(found);
    LetterFacts { size: found.size, message_id, ..LetterFacts::default() }
}

/// The letters of the selected mailbox from this UID on, with their identity.
pub(super) fn letters_from(client: &mut ImapClient, lowest: u32) -> Result<Vec<Fetched>, Error> {
    let mut set = SequenceSet::new();
    set.push_range(Bound::Number(NonZeroU32::new(lowest).unwrap_or(NonZeroU32::MIN)), Bound::Last);
    let items = identity_items(client)?;
    let found = client.fetch_all(&Messages::Uids(set), &items)?;
    // `n:*` names the last letter even if its UID is lower.
    let mut found: Vec<Fetched> =
        found.into_iter().filter(|letter| identity_of(letter).0 >= lowest).collect();
    found.sort_by_key(|letter| letter.uid);
    Ok(found)
}

/// Flags to compare: in one case, without `\Recent`, which no client sets.
pub(super) fn flag_set<'f>(flags: impl IntoIterator<Item = &'f String>) -> BTreeSet<String> {
    let flags = flags.into_iter().map(|flag| flag.to_lowercase());
    flags.filter(|flag| flag != "\\recent").collect()
}

/// The flags that a letter had after a step, if it had these before.
pub(super) fn flags_after(act: &Act, before: &BTreeSet<String>) -> BTreeSet<String> {
    let (mode, flags): (_, &[Flag]) = match act {
        Act::StoreFlags { mode, flags, .. } => (*mode, flags),
        Act::MarkSeen => (StoreMode::Add, &[Flag::SEEN]),
        _ => return before.clone(),
    };
    let named: BTreeSet<String> = flags.iter().map(|flag| flag.as_str().to_lowercase()).collect();
    match mode {
        StoreMode::Replace => named,
        StoreMode::Add => before | &named,
        StoreMode::Remove => before - &named,
    }
}

/// What there is now of what a step has set: rights, a metadata entry.
pub(super) fn previous_now(step: &Step, client: &mut ImapClient) -> Result<Previous, Error> {
    client.previous(&step.deed)
}

/// Whether letters are named by number, whose meaning is lost.
pub(super) fn by_number(step: &Step) -> bool {
    matches!(&step.deed.letters, Letters::Messages(Messages::Numbers(_))) && uids(step).is_empty()
}
