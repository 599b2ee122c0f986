//! Where letters and mailboxes are now: follows what later steps of the journal have moved.
//!
//! A step names a letter by mailbox, UIDVALIDITY and UID. A later step may have moved the letter,
//! which gives it another UID, or renamed the mailbox. [`Trail`] holds the steps that did so, of
//! all runs, and goes through them in order. The steps of an undo are among them: so undoing can be
//! interrupted and begun again, and undone.
//!
//! A COPY whose originals are expunged later counts as a move at that moment: that is how letters
//! are moved on servers without MOVE.
//!
//! Without UIDPLUS the server does not tell the new UID. Then a letter is known by its size, date
//! and Message-ID, and by the UIDNEXT that the mailbox had before.

use super::rows::{Step, StepState, pairs};
use crate::client::Fetched;
use crate::proto::deed::{Act, Deed, Letters};
use crate::proto::imap::Messages;
use crate::proto::witness::{LetterFacts, Previous};
use std::collections::{BTreeSet, HashMap};

/// What tells a letter in its mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Known {
    /// Its UID under this UIDVALIDITY.
    Uid(u32, u32),
    /// Its size, date and Message-ID, and the lowest UID that it can have.
    Identity(LetterFacts, u32),
}

/// Where a letter is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub mailbox: String,
    pub known: Known,
}

/// The steps of one account that have moved letters or renamed mailboxes.
pub(super) struct Trail {
    account: Deed,
    steps: Vec<Step>,
    /// For the run, UIDVALIDITY and UID of a letter, the steps that copied it.
    copies: HashMap<(i64, Option<u32>, u32), Vec<usize>>,
    pub separator: Option<String>,
}

impl Trail {
    /// Makes the trail of an account, which any of its deeds names.
    pub(super) fn new(account: &Deed) -> Self {
        let (steps, copies) = (Vec::new(), HashMap::new());
        Trail { account: account.clone(), steps, copies, separator: None }
    }

    /// Adds later steps.
    pub(super) fn extend(&mut self, steps: Vec<Step>) {
        let last = self.last();
        for step in steps {
            if step.id <= last || !is_of(&step, &self.account) || step.state != StepState::Done {
                continue;
            }
            if let Act::Copy { .. } = step.deed.act {
                for uid in uids(&step) {
                    let key = (step.run, step.deed.uid_validity, uid);
                    self.copies.entry(key).or_default().push(self.steps.len());
                }
            }
            self.steps.push(step);
        }
    }

    /// The number of the last step that it knows.
    pub(super) fn last(&self) -> i64 {
        self.steps.last().map_or(0, |step| step.id)
    }

    /// The name that a mailbox has now which had `name` after the step.
    pub(super) fn name_now(&self, name: &str, after: i64) -> String {
        let mut name = name.to_owned();
        for step in self.after(after) {
            if let (Act::RenameMailbox { to }, Some(from)) = (&step.deed.act, &step.deed.mailbox) {
                name = self.renamed(name, from, to);
            }
        }
        name
    }

    fn after(&self, step: i64) -> &[Step] {
        &self.steps[self.steps.partition_point(|known| known.id <= step)..]
    }

    fn renamed(&self, name: String, from: &str, to: &str) -> String {
        if from.eq_ignore_ascii_case("INBOX") {
            return name; // INBOX stays, and so do those below it (RFC 3501 6.3.5)
        }
        let separator = self.separator.as_deref().filter(|separator| !separator.is_empty());
        match name.strip_prefix(from) {
            Some("") => to.to_owned(),
            Some(below) if separator.is_some_and(|separator| below.starts_with(separator)) => {
                format!("{to}{below}")
            }
            _ => name,
        }
    }

    /// Where letters are now that were at these places after the step. A letter whose way is lost
    /// stays at the last place that is known.
    pub(super) fn now(&self, places: Vec<Place>, after: i64) -> Vec<Place> {
        let mut places = places;
        for step in self.after(after) {
            let Some(mailbox) = &step.deed.mailbox else { continue };
            if let Act::RenameMailbox { to } = &step.deed.act {
                for place in &mut places {
                    let name = std::mem::take(&mut place.mailbox);
                    place.mailbox = self.renamed(name, mailbox, to);
                }
            }
            let here: Vec<&mut Place> =
                places.iter_mut().filter(|place| place.mailbox == *mailbox).collect();
            match &step.deed.act {
                Act::Move { to } if !here.is_empty() => {
                    let mut moved = new_places(step, to);
                    for place in here {
                        let uid = uid_before(place, step);
                        *place = uid.and_then(|uid| moved.remove(&uid)).unwrap_or(place.clone());
                    }
                }
                Act::Expunge => {
                    for place in here {
                        let copy = uid_before(place, step).and_then(|uid| self.copy_of(step, uid));
                        *place = copy.unwrap_or(place.clone());
                    }
                }
                _ => {}
            }
        }
        places
    }

    /// The copy that the same run made of a letter before this step removed the original.
    pub(super) fn copy_of(&self, step: &Step, uid: u32) -> Option<Place> {
        let copies = self.copies.get(&(step.run, step.deed.uid_validity, uid))?;
        let copies = copies.iter().rev().map(|at| &self.steps[*at]);
        let is_source = |copy: &&Step| copy.id < step.id && copy.deed.mailbox == step.deed.mailbox;
        let copy = copies.into_iter().find(is_source)?;
        let Act::Copy { to } = &copy.deed.act else { return None };
        new_places(copy, to).remove(&uid)
    }

    /// The UIDs of letters whose copies, made by this step, have taken the place of the originals.
    pub(super) fn taken_over(&self, copy: &Step) -> BTreeSet<u32> {
        let expunges = self.after(copy.id).iter().filter(|step| {
            step.deed.act == Act::Expunge
                && step.run == copy.run
                && step.deed.uid_validity == copy.deed.uid_validity
                && step.deed.mailbox == copy.deed.mailbox
        });
        expunges.flat_map(uids).collect()
    }
}

/// The UID under which a step names the letter at this place.
fn uid_before(place: &Place, step: &Step) -> Option<u32> {
    match &place.known {
        Known::Uid(validity, uid) => (step.deed.uid_validity == Some(*validity)).then_some(*uid),
        Known::Identity(identity, lowest) => {
            let letters = step.deed.facts.iter().flat_map(|facts| &facts.letters);
            let mut same =
                letters.filter(|letter| letter.uid >= *lowest && same_letter(letter, identity));
            let found = same.next()?.uid;
            same.next().is_none().then_some(found)
        }
    }
}

/// Whether a step was made on the account of a deed.
pub(super) fn is_of(step: &Step, account: &Deed) -> bool {
    step.deed.host == account.host && step.deed.account == account.account
}

/// Where the letters of a MOVE or a COPY are after it, by their UIDs before it.
pub(super) fn new_places(step: &Step, to: &str) -> HashMap<u32, Place> {
    let place = |known| Place { mailbox: to.to_owned(), known };
    if let Some(stored) = &step.stored {
        let validity = stored.uid_validity;
        let pairs = pairs(stored).into_iter();
        return pairs.map(|(from, to)| (from, place(Known::Uid(validity, to)))).collect();
    }
    let Some(facts) = &step.deed.facts else { return HashMap::new() };
    let Previous::Next { uid_next, .. } = facts.previous else { return HashMap::new() };
    let identified = facts.letters.iter().filter(|letter| letter.size.is_some());
    identified
        .map(|letter| (letter.uid, place(Known::Identity(letter.clone(), uid_next))))
        .collect()
}

/// The UIDs that a step names, or that the server said it names.
pub(crate) fn uids(step: &Step) -> Vec<u32> {
    if let Some(stored) = &step.stored {
        return pairs(stored).into_iter().map(|(from, _)| from).collect();
    }
    let facts = step.deed.facts.as_ref().filter(|facts| !facts.letters.is_empty());
    if let Some(facts) = facts {
        return facts.letters.iter().map(|letter| letter.uid).collect();
    }
    match &step.deed.letters {
        Letters::Messages(Messages::Uids(set)) => super::rows::numbers(set).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// Whether two letters are the same, by size, date and Message-ID.
fn same_letter(one: &LetterFacts, other: &LetterFacts) -> bool {
    (one.size, one.internal_date, &one.message_id)
        == (other.size, other.internal_date, &other.message_id)
}

/// Whether a letter that the server describes is this one. The date of an appended letter is not
/// known.
pub(super) fn is_letter(found: &Fetched, identity: &LetterFacts) -> bool {
    let (_, message_id) = identity_of(found);
    let date = found.internal_date.map(|date| date.unix_seconds());
    found.size == identity.size
        && (identity.internal_date.is_none() || date == identity.internal_date)
        && message_id == identity.message_id
}

/// The UID and the Message-ID of a letter that was fetched with its identity.
pub(super) fn identity_of(found: &Fetched) -> (u32, Option<String>) {
    let header = found.texts.first().map(|(_, header)| String::from_utf8_lossy(header));
    let id = header.as_deref().and_then(|header| header.split_once(':'));
    let id = id.map(|(_, id)| id.trim().to_owned()).filter(|id| !id.is_empty());
    (found.uid.unwrap_or(0), id)
}
