//! Brings letters home that a step moved or removed, and removes those that it stored.

use super::finding::Found;
use super::flags::flags_of;
use super::words::{REPLACED, Words, impossible, letters_text, nothing, plural};
use super::{Taken, Taking, Verdict};
use crate::client::{Error, Fetched};
use crate::proto::deed::Act;
use crate::proto::imap::Messages;
use crate::proto::witness::{LetterFacts, Previous};
use crate::state::rows::{Step, numbers};
use crate::state::settling::{flag_set, letters, open_as};
use crate::state::trail::{LetterId, Place, new_places, uids};
use std::collections::{BTreeMap, BTreeSet};

impl Taking<'_> {
    /// Moves letters that were at these places after the step into their mailbox. Of some it is not
    /// known where they went, and some have taken the place of their originals, which were removed.
    pub(super) fn bring_home(
        &mut self,
        places: Vec<Place>,
        step: &Step,
        home: &str,
        [unknown, taken]: [usize; 2],
    ) -> Taken {
        let places = self.trail.now(places, step.id);
        let found = self.find(&places)?;
        let mut moves: BTreeMap<(&str, u32), Vec<u32>> = BTreeMap::new();
        let (mut at_home, mut gone) = (0, unknown);
        for (place, found) in places.iter().zip(&found) {
            match (found, place.mailbox == home) {
                (Found::Letter(..) | Found::Several, true) => at_home += 1,
                (Found::Letter(letter, validity), false) => {
                    moves.entry((&place.mailbox, *validity)).or_default().extend(letter.uid);
                }
                (Found::Gone, _) | (Found::Several, false) => gone += 1,
            }
        }
        if !moves.is_empty() && !self.is_there(home)? {
            return Ok(impossible(&format!("the mailbox {home:?} is not there any more")));
        }
        let (mut moved, mut replaced) = (0, 0);
        for ((mailbox, validity), uids) in moves {
            let count = uids.len();
            if self.is_dry {
                *self.foreseen.left.entry(mailbox.to_owned()).or_default() += count as u64;
            } else if self.open_again(mailbox, validity)? {
                self.client.move_to(&Messages::uids(uids), home)?;
            } else {
                replaced += count;
                continue;
            }
            moved += count;
        }
        let mut words = Words::new(format!("{} back to {home:?}", letters_text(moved)));
        words.also(at_home, "{} there already");
        words.also(taken, "{} left, because it took the place of a letter|{} left, because they took the place of letters");
        words.also(gone, "{} not where the run left it|{} not where the run left them");
        words.also(replaced, REPLACED);
        Ok(words.verdict(moved, gone + replaced))
    }

    pub(super) fn restore_removed(&mut self, step: &Step, home: &str) -> Taken {
        let removed = uids(step);
        if let Some(copied) = self.copied_again(step, home)? {
            return Ok(copied);
        }
        let (mut places, mut taken) = (Vec::new(), 0);
        let mut without: BTreeSet<u32> = BTreeSet::new();
        for uid in removed {
            match self.trail.copy_of(step, uid) {
                Some(_) if self.trail.was_copy(step, uid) => taken += 1,
                Some(place) => places.push(place),
                None => drop(without.insert(uid)),
            }
        }
        // Some may have stayed, if the server carried it out in part.
        let mut lost = without.len();
        if let Some(validity) = step.deed.uid_validity.filter(|_| !without.is_empty())
            && open_as(self.client, home, self.is_dry)? == Some(validity)
        {
            let without: Vec<u32> = without.iter().copied().collect();
            lost -= letters(self.client, &without)?.len();
        }
        let (verdict, mut words) = match places.len() + taken {
            0 => (Verdict::Nothing, String::new()),
            _ => self.bring_home(places, step, home, [0, taken])?,
        };
        if lost == 0 {
            return Ok((verdict, words));
        }
        if !words.is_empty() {
            words += "; ";
        }
        let named: Vec<&str> = step
            .deed
            .facts
            .iter()
            .flat_map(|facts| &facts.letters)
            .filter(|letter| without.contains(&letter.uid))
            .filter_map(|letter| letter.message_id.as_deref())
            .take(3)
            .collect();
        words += &format!("{} removed for good", letters_text(lost));
        if !named.is_empty() {
            let more = if lost > named.len() { ", …" } else { "" };
            words += &format!(" ({}{more})", named.join(", "));
        }
        let partly = matches!(verdict, Verdict::Restored | Verdict::Partly);
        Ok((if partly { Verdict::Partly } else { Verdict::Impossible }, words))
    }

    /// If the step removed copies because an undo took a COPY back, copies the letters again.
    fn copied_again(&mut self, step: &Step, to: &str) -> Result<Option<(Verdict, String)>, Error> {
        let Some(copy) = step.reverses.map(|copy| self.database.step(copy)) else {
            return Ok(None);
        };
        // Without that step the letters count as removed for good.
        let Some(copy) = copy.ok().flatten() else { return Ok(None) };
        let Act::Copy { .. } = copy.deed.act else { return Ok(None) };
        let sources = self.trail.originals_of(step);
        let lost = uids(step).len().saturating_sub(sources.len());
        let found = self.find(&sources)?;
        let mut again: BTreeMap<(&str, u32), Vec<u32>> = BTreeMap::new();
        let (mut copied, mut gone, mut replaced) = (0, lost, 0);
        for (place, found) in sources.iter().zip(&found) {
            match found.letter() {
                Some((letter, validity)) => {
                    again.entry((&place.mailbox, validity)).or_default().extend(letter.uid);
                }
                None => gone += 1,
            }
        }
        for ((mailbox, validity), uids) in again {
            let count = uids.len();
            if !self.is_dry {
                if !self.open_again(mailbox, validity)? {
                    replaced += count;
                    continue;
                }
                self.client.copy(&Messages::uids(uids), to)?;
            }
            copied += count;
        }
        let mut words = Words::new(format!("{} copied to {to:?} again", letters_text(copied)));
        words.also(gone, "{} gone");
        words.also(replaced, REPLACED);
        Ok(Some(words.verdict(copied, gone + replaced)))
    }

    pub(super) fn remove_copies(&mut self, step: &Step, mailbox: &str, to: &str) -> Taken {
        let Some(validity) = step.deed.uid_validity else {
            return Ok(impossible("the mailbox has no UIDVALIDITY"));
        };
        let mut copies: BTreeMap<u32, Place> = new_places(step, to).collect();
        if copies.is_empty() {
            return Ok(impossible("the server did not say where the copies are"));
        }
        let taken_over = self.trail.taken_over(step);
        copies.retain(|uid, _| !taken_over.contains(uid));
        if copies.is_empty() {
            return Ok(nothing("the copies have taken the place of the letters"));
        }
        let source = |uid: &u32| Place::of_uid(mailbox, validity, *uid);
        let sources = self.trail.now(copies.keys().map(source).collect(), step.id);
        let copies = self.trail.now(copies.into_values().collect(), step.id);
        let was_marked = self.was_marked(step);
        // Together, so that a letter that is known by its identity is not taken for both.
        let places: Vec<Place> = sources.iter().chain(&copies).cloned().collect();
        let mut originals = self.find(&places)?;
        let found = originals.split_off(sources.len());
        let mut remove: BTreeMap<(String, u32), Vec<u32>> = BTreeMap::new();
        let (mut alone, mut changed, mut gone, mut several) = (0, 0, 0, 0);
        for (at, place) in copies.iter().enumerate() {
            let flags = |letter: &Fetched| flags_of(letter, was_marked);
            let original = originals[at].letter().map(|(letter, _)| letter);
            match (&found[at], original) {
                (Found::Gone, _) => gone += 1,
                (Found::Several, _) => several += 1,
                (Found::Letter(..), None) => alone += 1,
                (Found::Letter(found, _), Some(original))
                    if found.uid == original.uid && place.mailbox == sources[at].mailbox =>
                {
                    alone += 1;
                }
                (Found::Letter(found, _), Some(original)) if flags(found) != flags(original) => {
                    changed += 1;
                }
                (Found::Letter(found, validity), Some(_)) => {
                    let key = (place.mailbox.clone(), *validity);
                    remove.entry(key).or_default().extend(found.uid);
                }
            }
        }
        let Removed { removed, marked, replaced } = self.remove(remove)?;
        let copies = |count: usize| plural(count, "copy", "copies");
        let mut words = Words::new(format!("{} removed from {to:?}", copies(removed)));
        words.also(gone, "{} gone already");
        words.also(
            alone,
            "{} kept, because the original is gone|{} kept, because the originals are gone",
        );
        words.also(several, "{} kept, because several letters may be the copy");
        words.also(
            changed,
            "{} kept, because its flags are not the original's|{} kept, because their flags are not the originals'",
        );
        words.also(marked, "{} only marked \\Deleted: this server cannot remove single letters");
        words.also(replaced, REPLACED);
        Ok(words.verdict(removed, alone + several + changed + marked + replaced))
    }

    pub(super) fn remove_appended(&mut self, step: &Step, mailbox: &str) -> Taken {
        let Act::Append { bytes, flags, message_id } = &step.deed.act else {
            return Ok(nothing(""));
        };
        if self.has_lost {
            return Ok(impossible(
                "the letter stays, because the run removed letters for good, and it may be one of them",
            ));
        }
        let previous = step.deed.facts.as_ref().map(|facts| facts.previous.clone());
        let known = match (&step.stored, previous) {
            (Some(stored), _) => match numbers(&stored.to).as_deref() {
                Some(&[uid]) => Some(LetterId::Uid(stored.uid_validity, uid)),
                _ => None,
            },
            (None, Some(Previous::Next { uid_next, .. })) => {
                let (size, message_id) = (Some(*bytes), message_id.clone());
                let letter = LetterFacts { size, message_id, ..LetterFacts::default() };
                Some(LetterId::Identity(letter, uid_next))
            }
            _ => None,
        };
        let Some(known) = known else {
            return Ok(impossible("the server did not say where it stored the letter"));
        };
        let places = self.trail.now(vec![Place::new(mailbox, known)], step.id);
        let (found, validity) = match self.find(&places)?.pop() {
            Some(Found::Letter(letter, validity)) => (letter, validity),
            Some(Found::Several) => {
                return Ok(impossible("the letter stays, because several may be it"));
            }
            _ => return Ok(nothing("the letter is gone already")),
        };
        let given: Vec<String> = flags.iter().map(|flag| flag.as_str().to_owned()).collect();
        if flag_set(&given) != flags_of(&found, self.was_marked(step)) {
            return Ok(impossible("the letter stays, because its flags have changed since"));
        }
        let place = places[0].mailbox.clone();
        let uids = found.uid.into_iter().collect();
        let Removed { marked, replaced, .. } =
            self.remove(BTreeMap::from([((place.clone(), validity), uids)]))?;
        if marked > 0 {
            return Ok(impossible(
                "it is only marked \\Deleted: this server cannot remove single letters",
            ));
        }
        if replaced > 0 {
            return Ok(impossible(&format!("another mailbox has the name {place:?} now")));
        }
        Ok((Verdict::Restored, format!("the letter removed from {place:?}")))
    }

    /// Whether an undo that was interrupted has marked the letters of a step as `\Deleted`.
    fn was_marked(&self, step: &Step) -> bool {
        self.marked.contains(&step.id)
    }

    /// Removes letters of these mailboxes, which are named with their UIDVALIDITY.
    fn remove(&mut self, letters: BTreeMap<(String, u32), Vec<u32>>) -> Result<Removed, Error> {
        let mut done = Removed::default();
        for ((mailbox, validity), uids) in letters {
            let count = uids.len();
            if self.is_dry {
                *self.foreseen.left.entry(mailbox).or_default() += count as u64;
                done.removed += count;
            } else if !self.open_again(&mailbox, validity)? {
                done.replaced += count;
            } else if self.client.remove(&uids.into_iter().collect())? {
                done.removed += count;
            } else {
                done.marked += count;
            }
        }
        Ok(done)
    }
}

/// How many letters were removed, how many the server could only mark, and how many stayed because
/// their mailbox was replaced.
#[derive(Default)]
struct Removed {
    removed: usize,
    marked: usize,
    replaced: usize,
}
