//! Where letters and mailboxes are now: follows what later steps of the journal have moved.
//!
//! A step names a letter by mailbox, UIDVALIDITY and UID. A later step may have moved the letter,
//! which gives it another UID, or renamed the mailbox. [`Trail`] holds what the steps of all runs
//! did to each letter, in order ([`Hop`]), so that following a letter costs as much as it was moved.
//! The steps of an undo are among them: so undoing can be interrupted and begun again, and undone.
//!
//! A COPY whose original is expunged later in the run counts as a move at that moment: that is how
//! letters are moved on servers without MOVE. Of several copies the last one takes the place of the
//! original; what the run did with it until then, as a copy, needs no taking back.
//!
//! If an undo removed copies and is taken back itself, the letters are copied again. Then a letter's
//! way goes on from the removed copy to the new one.
//!
//! Without UIDPLUS the server does not tell the new UID. Then a letter is known by its size, date
//! and Message-ID, and by the UIDNEXT that the mailbox had before.

use super::rows::{Step, StepState, pairs};
use crate::client::Fetched;
use crate::proto::deed::{Act, Deed, Letters};
use crate::proto::imap::Messages;
use crate::proto::witness::{LetterFacts, Previous};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

/// What tells a letter in its mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LetterId {
    /// Its UID under this UIDVALIDITY.
    Uid(u32, u32),
    /// Its size, date and Message-ID, and the lowest UID that it can have.
    Identity(LetterFacts, u32),
}

/// Where a letter is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub mailbox: String,
    pub letter: LetterId,
    /// The step that has removed it from there for good.
    pub removed: Option<Remover>,
}

/// A step that removed a letter: its run, and the step that it takes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Remover {
    pub run: i64,
    pub reverses: Option<i64>,
}

impl Place {
    pub(super) fn new(mailbox: &str, letter: LetterId) -> Self {
        Place { mailbox: mailbox.to_owned(), letter, removed: None }
    }

    /// The place of a letter with this UID under this UIDVALIDITY.
    pub(super) fn of_uid(mailbox: &str, uid_validity: u32, uid: u32) -> Self {
        Place::new(mailbox, LetterId::Uid(uid_validity, uid))
    }
}

/// What a step did to one letter.
#[derive(Debug)]
struct Hop {
    step: i64,
    run: i64,
    /// Where the letter was, and its UID there.
    mailbox: Rc<str>,
    uid: u32,
    what: What,
    /// Whether the letter was a copy then that has taken the place of its original since.
    as_copy: bool,
}

#[derive(Debug)]
enum What {
    /// It is there now.
    Moved(Place),
    /// A copy of it is there, right after the step.
    Copied(Place),
    /// It is gone. If the run had copied it: the step that made the copy, and where the copy was
    /// then.
    Removed(Remover, Option<(i64, Place)>),
}

/// What a step did to a mailbox.
#[derive(Debug)]
struct Turn {
    step: i64,
    mailbox: Rc<str>,
    /// Its new name; otherwise it was deleted.
    to: Option<String>,
    by: Remover,
}

/// What tells a letter in its mailbox: UIDVALIDITY and UID.
type Key = (Option<u32>, u32);

/// What tells a letter without its UID: size, date, Message-ID.
pub(super) type Identity = (Option<u64>, Option<i64>, Option<String>);

/// The letters of one identity and one mailbox that a step names.
#[derive(Debug)]
struct Alike {
    step: i64,
    uid_validity: Option<u32>,
    uids: Vec<u32>,
}

/// A copy that an undo has removed.
#[derive(Debug, Clone)]
struct RemovedCopy {
    mailbox: Rc<str>,
    uid_validity: Option<u32>,
    uid: u32,
    identity: Option<Identity>,
    /// The step that made it, and where its original was then.
    made_by: i64,
    original: Place,
}

/// What the steps of one account did to letters and mailboxes.
pub(super) struct Trail {
    account: Deed,
    /// The number of the last step that was read.
    read: i64,
    hops: HashMap<Key, Vec<Hop>>,
    identified: HashMap<(Rc<str>, Identity), Vec<Alike>>,
    /// By the name that the mailbox had.
    turns: HashMap<Rc<str>, Vec<Turn>>,
    /// The originals of each COPY.
    copied: HashMap<i64, Vec<Place>>,
    /// The copies that each step of an undo has removed.
    removed_copies: HashMap<i64, Vec<RemovedCopy>>,
    /// What separates the levels of names; `None` until it is known.
    pub separator: Option<String>,
}

impl Trail {
    /// Makes the trail of an account, which any of its deeds names.
    pub(super) fn new(account: &Deed) -> Self {
        Trail {
            account: account.clone(),
            read: 0,
            hops: HashMap::new(),
            identified: HashMap::new(),
            turns: HashMap::new(),
            copied: HashMap::new(),
            removed_copies: HashMap::new(),
            separator: None,
        }
    }

    /// Adds later steps, the last of which has the number `read`.
    pub(super) fn extend(&mut self, steps: &[Step], read: i64) {
        for step in steps {
            if step.id > self.read && is_of(step, &self.account) && step.state == StepState::Done {
                self.add(step);
            }
        }
        self.read = self.read.max(read);
    }

    /// The number of the last step that was read.
    pub(super) fn read(&self) -> i64 {
        self.read
    }

    fn add(&mut self, step: &Step) {
        let by = Remover { run: step.run, reverses: step.reverses };
        let Some(mailbox) = &step.deed.mailbox else { return };
        let here: Rc<str> = mailbox.as_str().into();
        let uid_validity = step.deed.uid_validity;
        let whats: Vec<(u32, What)> = match &step.deed.act {
            Act::RenameMailbox { to } => return self.turn(step, here, Some(to.clone()), by),
            Act::DeleteMailbox => return self.turn(step, here, None, by),
            Act::Move { to } => {
                new_places(step, to).map(|(uid, place)| (uid, What::Moved(place))).collect()
            }
            Act::Copy { to } => {
                new_places(step, to).map(|(uid, place)| (uid, What::Copied(place))).collect()
            }
            Act::Expunge | Act::Replace { .. } => uids(step)
                .into_iter()
                .map(|uid| (uid, What::Removed(by, self.last_copy(step, mailbox, uid))))
                .collect(),
            _ => return,
        };
        if let (Act::Copy { .. }, Some(validity)) = (&step.deed.act, uid_validity) {
            let original = |(uid, _): &(u32, What)| Place::of_uid(mailbox, validity, *uid);
            self.copied.insert(step.id, whats.iter().map(original).collect());
        }
        for (uid, what) in whats {
            let (mailbox, as_copy) = (here.clone(), false);
            let hop = Hop { step: step.id, run: step.run, mailbox, uid, what, as_copy };
            self.hops.entry((uid_validity, uid)).or_default().push(hop);
        }
        let letters = step.deed.facts.iter().flat_map(|facts| &facts.letters);
        for letter in letters.filter(|letter| letter.size.is_some()) {
            self.identify(step.id, here.clone(), identity(letter), uid_validity, letter.uid);
        }
        match (&step.deed.act, step.reverses) {
            (Act::Expunge, Some(copy)) => self.remove_copies(step, copy),
            (Act::Copy { .. }, Some(removal)) => self.revive(step, removal),
            _ => {}
        }
    }

    fn turn(&mut self, step: &Step, mailbox: Rc<str>, to: Option<String>, by: Remover) {
        // INBOX stays, and so do those below it (RFC 3501 6.3.5).
        if to.is_none() || !mailbox.eq_ignore_ascii_case("INBOX") {
            let turn = Turn { step: step.id, mailbox: mailbox.clone(), to, by };
            self.turns.entry(mailbox).or_default().push(turn);
        }
    }

    fn identify(
        &mut self,
        step: i64,
        mailbox: Rc<str>,
        identity: Identity,
        uid_validity: Option<u32>,
        uid: u32,
    ) {
        let alike = self.identified.entry((mailbox, identity)).or_default();
        match alike.last_mut().filter(|last| last.step == step) {
            Some(last) => last.uids.push(uid),
            None => alike.push(Alike { step, uid_validity, uids: vec![uid] }),
        }
    }

    /// The last copy that the run made of a letter before the step removed it, and where it was
    /// then.
    fn last_copy(&mut self, step: &Step, mailbox: &str, uid: u32) -> Option<(i64, Place)> {
        let hops = self.hops.get(&(step.deed.uid_validity, uid))?;
        let copy = hops.iter().rev().filter(|hop| hop.run == step.run).find_map(|hop| {
            let What::Copied(copy) = &hop.what else { return None };
            let is_here = self.name_at(&hop.mailbox, hop.step, step.id) == mailbox;
            is_here.then(|| (hop.step, copy.clone()))
        });
        let (made_by, copy) = copy?;
        let mut way = Vec::new();
        let copy = self.follow_by(copy, made_by, step.id, &mut way);
        for (key, step) in way {
            let hops = self.hops.get_mut(&key).into_iter().flatten();
            hops.filter(|hop| hop.step == step).for_each(|hop| hop.as_copy = true);
        }
        Some((made_by, copy))
    }

    /// Notes which copies a step removed because an undo took a COPY back.
    fn remove_copies(&mut self, step: &Step, copy: i64) {
        let Some(originals) = self.copied.get(&copy) else { return };
        let facts = step.deed.facts.iter().flat_map(|facts| &facts.letters);
        let identities: HashMap<u32, Identity> = facts
            .filter(|letter| letter.size.is_some())
            .map(|letter| (letter.uid, identity(letter)))
            .collect();
        let removed = originals.iter().filter_map(|original| {
            let What::Copied(place) = &self.hop_at(original, copy)?.what else { return None };
            let hop = self.hop_at(&self.follow(place.clone(), copy, step.id), step.id)?;
            Some(RemovedCopy {
                mailbox: hop.mailbox.clone(),
                uid_validity: step.deed.uid_validity,
                uid: hop.uid,
                identity: identities.get(&hop.uid).cloned(),
                made_by: copy,
                original: original.clone(),
            })
        });
        let removed = removed.collect();
        self.removed_copies.insert(step.id, removed);
    }

    /// Copies that an undo had removed are where this step, which takes that back, copied their
    /// originals.
    fn revive(&mut self, step: &Step, removal: i64) {
        let mut revived = Vec::new();
        for removed in self.removed_copies.get(&removal).into_iter().flatten() {
            let original = self.follow(removed.original.clone(), removed.made_by, step.id);
            let copied = self.hop_at(&original, step.id).map(|hop| &hop.what);
            if let Some(What::Copied(place)) = copied {
                revived.push((removed.clone(), place.clone()));
            }
        }
        for (removed, place) in revived {
            let RemovedCopy { mailbox, uid_validity, uid, identity, .. } = removed;
            let what = What::Moved(place);
            let (id, run, as_copy) = (step.id, step.run, false);
            let hop = Hop { step: id, run, mailbox: mailbox.clone(), uid, what, as_copy };
            self.hops.entry((uid_validity, uid)).or_default().push(hop);
            if let Some(identity) = identity {
                self.identify(id, mailbox, identity, uid_validity, uid);
            }
        }
    }

    /// The name that a mailbox has now which had `name` after the step.
    pub(super) fn name_now(&self, name: &str, after: i64) -> String {
        self.name_at(name, after, i64::MAX)
    }

    /// The name of a mailbox that a step deleted, after what was done to those above it. Another
    /// one may have got its name since and lost it again.
    pub(super) fn name_of_deleted(&self, name: &str, step: i64) -> String {
        let separator = self.separator.as_deref().filter(|separator| !separator.is_empty());
        match separator.and_then(|separator| name.rfind(separator)) {
            Some(end) => format!("{}{}", self.name_now(&name[..end], step), &name[end..]),
            None => name.to_owned(),
        }
    }

    fn name_at(&self, name: &str, after: i64, before: i64) -> String {
        let (mut name, mut after) = (name.to_owned(), after);
        while let Some(turn) = self.next_turn(&name, after, before) {
            after = turn.step;
            if let Some(to) = &turn.to {
                name.replace_range(..turn.mailbox.len(), to);
            }
        }
        name
    }

    /// The first step between two that renamed this mailbox or one above it, or deleted it.
    fn next_turn(&self, name: &str, after: i64, before: i64) -> Option<&Turn> {
        let separator = self.separator.as_deref().filter(|separator| !separator.is_empty());
        let above = separator.into_iter().flat_map(|separator| name.match_indices(separator));
        let ends = above.map(|(end, _)| end).chain([name.len()]);
        ends.filter_map(|end| {
            let turns = self.turns.get(&name[..end])?;
            let mut later = turns[turns.partition_point(|turn| turn.step <= after)..].iter();
            later.find(|turn| turn.to.is_some() || end == name.len())
        })
        .filter(|turn| turn.step < before)
        .min_by_key(|turn| turn.step)
    }

    /// Where letters are now that were at these places after the step. A letter whose way is lost
    /// stays at the last place that is known.
    pub(super) fn now(&self, places: Vec<Place>, after: i64) -> Vec<Place> {
        places.into_iter().map(|place| self.follow(place, after, i64::MAX)).collect()
    }

    fn follow(&self, place: Place, after: i64, before: i64) -> Place {
        self.follow_by(place, after, before, &mut Vec::new())
    }

    /// Follows a letter. Adds to `way` each step that took it elsewhere, with the letter's key.
    fn follow_by(
        &self,
        mut place: Place,
        mut after: i64,
        before: i64,
        way: &mut Vec<(Key, i64)>,
    ) -> Place {
        loop {
            let hop = self.next_hop(&place, after).filter(|(_, hop)| hop.step < before);
            let until = hop.map_or(before, |(_, hop)| hop.step);
            if let Some(turn) = self.next_turn(&place.mailbox, after, until) {
                match &turn.to {
                    Some(to) => place.mailbox.replace_range(..turn.mailbox.len(), to),
                    None => place.removed = Some(turn.by),
                }
                after = turn.step;
                continue;
            }
            let Some((uid_validity, hop)) = hop else { return place };
            match &hop.what {
                What::Moved(to) | What::Removed(_, Some((_, to))) => {
                    way.push(((uid_validity, hop.uid), hop.step));
                    place = to.clone();
                }
                What::Removed(by, None) => place.removed = Some(*by),
                What::Copied(_) => {}
            }
            after = hop.step;
        }
    }

    /// The next step that moved or removed the letter at this place, with its UIDVALIDITY.
    fn next_hop(&self, place: &Place, after: i64) -> Option<(Option<u32>, &Hop)> {
        match &place.letter {
            LetterId::Uid(uid_validity, uid) => {
                let uid_validity = Some(*uid_validity);
                let hops = self.hops.get(&(uid_validity, *uid))?;
                let hops = hops[hops.partition_point(|hop| hop.step <= after)..].iter();
                let mut hops = hops.filter(|hop| *hop.mailbox == place.mailbox);
                Some((uid_validity, hops.find(|hop| !matches!(hop.what, What::Copied(_)))?))
            }
            LetterId::Identity(letter, lowest) => {
                let alike = self.identified_at(&place.mailbox, letter)?;
                let alike = &alike[alike.partition_point(|alike| alike.step <= after)..];
                alike.iter().find_map(|alike| {
                    let hop = self.hop_of(alike, &place.mailbox, *lowest)?;
                    let moves = !matches!(hop.what, What::Copied(_));
                    moves.then_some((alike.uid_validity, hop))
                })
            }
        }
    }

    /// What a step did to the letter at this place.
    fn hop_at(&self, place: &Place, step: i64) -> Option<&Hop> {
        match &place.letter {
            LetterId::Uid(uid_validity, uid) => {
                let hops = self.hops.get(&(Some(*uid_validity), *uid))?;
                let hops = hops[hops.partition_point(|hop| hop.step < step)..].iter();
                let mut hops = hops.take_while(|hop| hop.step == step);
                hops.find(|hop| *hop.mailbox == place.mailbox)
            }
            LetterId::Identity(letter, lowest) => {
                let alike = self.identified_at(&place.mailbox, letter)?;
                let at = alike.binary_search_by_key(&step, |alike| alike.step).ok()?;
                self.hop_of(&alike[at], &place.mailbox, *lowest)
            }
        }
    }

    fn identified_at(&self, mailbox: &str, letter: &LetterFacts) -> Option<&[Alike]> {
        self.identified.get(&(mailbox.into(), identity(letter))).map(Vec::as_slice)
    }

    /// What a step did to the only one of letters that are alike, from this UID on.
    fn hop_of(&self, alike: &Alike, mailbox: &str, lowest: u32) -> Option<&Hop> {
        let mut same = alike.uids.iter().filter(|uid| **uid >= lowest);
        let (uid, None) = (same.next()?, same.next()) else { return None };
        self.hop_at(&Place::of_uid(mailbox, alike.uid_validity?, *uid), alike.step)
    }

    /// Where the copy was, when this step removed the original, that has taken its place.
    pub(super) fn copy_of(&self, step: &Step, uid: u32) -> Option<Place> {
        let hops = self.hops.get(&(step.deed.uid_validity, uid))?;
        hops.iter().filter(|hop| hop.step == step.id).find_map(|hop| match &hop.what {
            What::Removed(_, Some((_, place))) => Some(place.clone()),
            _ => None,
        })
    }

    /// Where the originals are now of the copies that this step of an undo removed.
    pub(super) fn originals_of(&self, step: &Step) -> Vec<Place> {
        let removed = self.removed_copies.get(&step.id).into_iter().flatten();
        removed.map(|copy| self.follow(copy.original.clone(), copy.made_by, i64::MAX)).collect()
    }

    /// Whether a step moved or removed a letter that was a copy then and has taken the place of its
    /// original since.
    pub(super) fn was_copy(&self, step: &Step, uid: u32) -> bool {
        let hops = self.hops.get(&(step.deed.uid_validity, uid)).into_iter().flatten();
        let mut hops = hops.filter(|hop| Some(&*hop.mailbox) == step.deed.mailbox.as_deref());
        hops.any(|hop| hop.as_copy && hop.run == step.run)
    }

    /// The UIDs of letters whose copies, made by this step, have taken the place of the originals.
    pub(super) fn taken_over(&self, copy: &Step) -> BTreeSet<u32> {
        let is_taken = |uid: &u32| {
            let hops = self.hops.get(&(copy.deed.uid_validity, *uid));
            hops.into_iter().flatten().any(
                |hop| matches!(&hop.what, What::Removed(_, Some((step, _))) if *step == copy.id),
            )
        };
        uids(copy).into_iter().filter(is_taken).collect()
    }
}

/// Whether a step was made on the account of a deed.
pub(super) fn is_of(step: &Step, account: &Deed) -> bool {
    step.deed.host == account.host && step.deed.account == account.account
}

/// Where the letters of a MOVE or a COPY are after it, by their UIDs before it.
pub(super) fn new_places(step: &Step, to: &str) -> std::vec::IntoIter<(u32, Place)> {
    let places: Vec<(u32, Place)> = match (&step.stored, &step.deed.facts) {
        (Some(stored), _) => {
            let of_uid = |uid| Place::of_uid(to, stored.uid_validity, uid);
            pairs(stored).into_iter().map(|(from, uid)| (from, of_uid(uid))).collect()
        }
        (None, Some(facts)) => {
            let Previous::Next { uid_next, .. } = facts.previous else { return vec![].into_iter() };
            let identified = facts.letters.iter().filter(|letter| letter.size.is_some());
            let of = |letter: &LetterFacts| LetterId::Identity(letter.clone(), uid_next);
            identified.map(|letter| (letter.uid, Place::new(to, of(letter)))).collect()
        }
        (None, None) => Vec::new(),
    };
    places.into_iter()
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

/// What tells a letter without its UID.
pub(super) fn identity(letter: &LetterFacts) -> Identity {
    (letter.size, letter.internal_date, letter.message_id.clone())
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
