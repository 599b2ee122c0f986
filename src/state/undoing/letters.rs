//! Brings letters home that a step moved or removed, and removes those that it stored.

use super::flags::flags_of;
use super::words::{Words, impossible, letters_text, nothing, plural};
use super::{Taken, Taking, Verdict};
use crate::client::{Error, Fetched};
use crate::proto::deed::Act;
use crate::proto::imap::Messages;
use crate::proto::witness::{LetterFacts, Previous};
use crate::state::rows::{Step, numbers};
use crate::state::settling::{flag_set, letters, open_as};
use crate::state::trail::{Known, Place, new_places, uids};
use std::collections::{BTreeMap, BTreeSet};

impl Taking<'_> {
    /// Moves letters that were at these places after the step into their mailbox.
    pub(super) fn bring_home(
        &mut self,
        places: Vec<Place>,
        step: &Step,
        home: &str,
        unknown: usize,
    ) -> Taken {
        let places = self.trail.now(places, step.id);
        let (at_home, away): (Vec<Place>, Vec<Place>) =
            places.into_iter().partition(|place| place.mailbox == home);
        let found = self.find(&away)?;
        let mut moves: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for (place, found) in away.iter().zip(&found) {
            if let Some(uid) = found.as_ref().and_then(|found| found.uid) {
                moves.entry(&place.mailbox).or_default().push(uid);
            }
        }
        let moved: usize = moves.values().map(Vec::len).sum();
        let gone = away.len() - moved + unknown;
        if moved > 0 && !self.is_there(home)? {
            return Ok(impossible(&format!("the mailbox {home:?} is not there any more")));
        }
        for (mailbox, uids) in moves {
            let count = uids.len() as u64;
            if self.is_dry {
                *self.foreseen.left.entry(mailbox.to_owned()).or_default() += count;
                continue;
            }
            open_as(self.client, mailbox, false)?;
            self.client.move_to(&Messages::uids(uids), home)?;
        }
        let mut words = Words::new(format!("{} back to {home:?}", letters_text(moved)));
        words.also(at_home.len(), "{} there already");
        words.lost(gone, "{} not where the run left them");
        Ok(words.verdict(moved, gone))
    }

    pub(super) fn restore_removed(&mut self, step: &Step, home: &str) -> Taken {
        let removed = uids(step);
        if let Some(copied) = self.copied_again(step)? {
            return Ok(copied);
        }
        let mut places = Vec::new();
        let mut without: Vec<u32> = Vec::new();
        for uid in removed {
            match self.trail.copy_of(step, uid) {
                Some(place) => places.push(place),
                None => without.push(uid),
            }
        }
        // Some may have stayed, if the server carried it out in part.
        let mut lost = without.len();
        if let Some(validity) = step.deed.uid_validity.filter(|_| !without.is_empty())
            && open_as(self.client, home, self.is_dry)? == Some(validity)
        {
            lost -= letters(self.client, &without)?.len();
        }
        let (verdict, mut words) = match places.is_empty() {
            true => (Verdict::Nothing, String::new()),
            false => self.bring_home(places, step, home, 0)?,
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
    pub(super) fn copied_again(&mut self, step: &Step) -> Result<Option<(Verdict, String)>, Error> {
        let Some(original) = step.reverses else { return Ok(None) };
        let original = self.database.step(original).ok().flatten();
        let Some(copy) = original else { return Ok(None) };
        let (Act::Copy { to }, Some(from)) = (&copy.deed.act, copy.deed.mailbox.clone()) else {
            return Ok(None);
        };
        let removed: BTreeSet<u32> = uids(step).into_iter().collect();
        let Some(validity) = copy.deed.uid_validity else { return Ok(None) };
        let sources: Vec<Place> = new_places(&copy, to)
            .into_iter()
            .filter(|(_, place)| match place.known {
                Known::Uid(_, uid) => removed.contains(&uid),
                Known::Identity(..) => true,
            })
            .map(|(uid, _)| Place { mailbox: from.clone(), known: Known::Uid(validity, uid) })
            .collect();
        let sources = self.trail.now(sources, copy.id);
        let found = self.find(&sources)?;
        let to = self.trail.name_now(to, copy.id);
        let mut again: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for (place, found) in sources.iter().zip(&found) {
            if let Some(uid) = found.as_ref().and_then(|found| found.uid) {
                again.entry(&place.mailbox).or_default().push(uid);
            }
        }
        let copied: usize = again.values().map(Vec::len).sum();
        for (mailbox, uids) in again.into_iter().filter(|_| !self.is_dry) {
            open_as(self.client, mailbox, false)?;
            self.client.copy(&Messages::uids(uids), &to)?;
        }
        let lost = removed.len().saturating_sub(copied);
        let mut words = Words::new(format!("{} copied to {to:?} again", letters_text(copied)));
        words.lost(lost, "{} gone");
        Ok(Some(words.verdict(copied, lost)))
    }

    pub(super) fn remove_copies(&mut self, step: &Step, mailbox: &str, to: &str) -> Taken {
        let Some(validity) = step.deed.uid_validity else {
            return Ok(impossible("the mailbox has no UIDVALIDITY"));
        };
        let mut copies: BTreeMap<u32, Place> = new_places(step, to).into_iter().collect();
        if copies.is_empty() {
            return Ok(impossible("the server did not say where the copies are"));
        }
        let taken_over = self.trail.taken_over(step);
        let all = copies.len();
        copies.retain(|uid, _| !taken_over.contains(uid));
        if copies.is_empty() && all > 0 {
            return Ok(nothing("the copies have taken the place of the letters"));
        }
        let source =
            |uid: &u32| Place { mailbox: mailbox.to_owned(), known: Known::Uid(validity, *uid) };
        let sources = self.trail.now(copies.keys().map(source).collect(), step.id);
        let copies = self.trail.now(copies.into_values().collect(), step.id);
        let was_marked = self.was_marked(step);
        let originals = self.find(&sources)?;
        let found = self.find(&copies)?;
        let (mut remove, mut alone, mut changed, mut gone) = (BTreeMap::new(), 0, 0, 0);
        for ((place, found), original) in copies.iter().zip(&found).zip(&originals) {
            let flags = |letter: &Fetched| flags_of(letter, was_marked);
            match (found, original) {
                (None, _) => gone += 1,
                (_, None) => alone += 1,
                (Some(found), Some(original)) if flags(found) != flags(original) => changed += 1,
                (Some(found), _) => {
                    let uids: &mut Vec<u32> = remove.entry(place.mailbox.clone()).or_default();
                    uids.extend(found.uid);
                }
            }
        }
        let (removed, marked) = self.remove(remove)?;
        let copies = |count: usize| plural(count, "copy", "copies");
        let mut words = Words::new(format!("{} removed from {to:?}", copies(removed)));
        words.also(gone, "{} gone already");
        words.lost(alone, "{} kept, because the original is gone");
        words.lost(changed, "{} kept, because its flags are not the original's");
        words.lost(marked, "{} only marked \\Deleted: this server cannot remove single letters");
        Ok(words.verdict(removed, alone + changed + marked))
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
                Some(&[uid]) => Some(Known::Uid(stored.uid_validity, uid)),
                _ => None,
            },
            (None, Some(Previous::Next { uid_next, .. })) => {
                let (size, message_id) = (Some(*bytes), message_id.clone());
                let letter = LetterFacts { size, message_id, ..LetterFacts::default() };
                Some(Known::Identity(letter, uid_next))
            }
            _ => None,
        };
        let Some(known) = known else {
            return Ok(impossible("the server did not say where it stored the letter"));
        };
        let places = vec![Place { mailbox: mailbox.to_owned(), known }];
        let places = self.trail.now(places, step.id);
        let found = self.find(&places)?;
        let Some(found) = found.into_iter().flatten().next() else {
            return Ok(nothing("the letter is gone already, or several may be it"));
        };
        let given: Vec<String> = flags.iter().map(|flag| flag.as_str().to_owned()).collect();
        if flag_set(&given) != flags_of(&found, self.was_marked(step)) {
            return Ok(impossible("the letter stays, because its flags have changed since"));
        }
        let place = places[0].mailbox.clone();
        let uids = found.uid.into_iter().collect();
        let (_, marked) = self.remove(BTreeMap::from([(place.clone(), uids)]))?;
        if marked > 0 {
            return Ok(impossible(
                "it is only marked \\Deleted: this server cannot remove single letters",
            ));
        }
        Ok((Verdict::Restored, format!("the letter removed from {place:?}")))
    }

    /// Whether an undo that was interrupted has marked the letters of a step as `\Deleted`.
    pub(super) fn was_marked(&self, step: &Step) -> bool {
        self.database.is_marked_by_undo(step.id).unwrap_or(false)
    }

    /// Removes letters. Returns how many were removed, and how many the server could only mark.
    pub(super) fn remove(
        &mut self,
        letters: BTreeMap<String, Vec<u32>>,
    ) -> Result<(usize, usize), Error> {
        let (mut removed, mut marked) = (0, 0);
        for (mailbox, uids) in letters {
            let count = uids.len();
            if self.is_dry {
                *self.foreseen.left.entry(mailbox).or_default() += count as u64;
                removed += count;
                continue;
            }
            open_as(self.client, &mailbox, false)?;
            match self.client.remove(&uids.into_iter().collect())? {
                true => removed += count,
                false => marked += count,
            }
        }
        Ok((removed, marked))
    }
}
