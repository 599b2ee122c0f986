//! Sets flags as they were before a step.

use super::finding::Found;
use super::words::{REPLACED, Words, impossible, letters_text};
use super::{Taken, Taking};
use crate::client::{Error, Fetched};
use crate::proto::deed::Act;
use crate::proto::imap::command::StoreMode;
use crate::proto::imap::{Flag, Messages};
use crate::proto::witness::LetterFacts;
use crate::state::rows::{Step, numbers};
use crate::state::settling::{by_number, flag_set, flags_after};
use crate::state::trail::Place;
use std::collections::{BTreeMap, BTreeSet};

/// A mailbox and its UIDVALIDITY, the flags to remove from letters there, and those to add.
type ChangeOfFlags<'p> = (&'p str, u32, Vec<String>, Vec<String>);

impl Taking<'_> {
    pub(super) fn restore_flags(&mut self, step: &Step, mailbox: &str) -> Taken {
        let Some(validity) = step.deed.uid_validity else {
            return Ok(impossible("the mailbox has no UIDVALIDITY"));
        };
        let facts = step.deed.facts.iter().flat_map(|facts| &facts.letters);
        let before: Vec<&LetterFacts> = facts.filter(|letter| letter.flags.is_some()).collect();
        if by_number(step) {
            return Ok(impossible("the flags before it are not known"));
        }
        // An undo leaves only letters alone that have changed just before.
        if let (Act::StoreFlags { unchanged_since: Some(_), .. }, None) =
            (&step.deed.act, step.reverses)
        {
            return Ok(impossible("which letters the server left alone as changed is not known"));
        }
        let place = |letter: &&LetterFacts| Place::of_uid(mailbox, validity, letter.uid);
        let places = before.iter().map(place).collect();
        let places = self.trail.now(places, step.id);
        let found = self.find(&places)?;
        let mut changes: BTreeMap<ChangeOfFlags<'_>, (Vec<u32>, Option<u64>)> = BTreeMap::new();
        let (mut gone, mut removed, mut several) = (0, 0, 0);
        let (mut changed, mut other, mut meanwhile, mut replaced) = (0, 0, 0, 0);
        for ((before, place), found) in before.iter().zip(&places).zip(&found) {
            let was = flag_set(before.flags.iter().flatten());
            let after = flags_after(&step.deed.act, &was);
            if was == after {
                continue;
            }
            let Some((found, found_validity)) = found.letter() else {
                match (found, place.removed) {
                    (Found::Several, _) => several += 1,
                    // The step that removed it says so.
                    (_, Some(remover)) if self.is_of_run(remover, step) => removed += 1,
                    _ => gone += 1,
                }
                continue;
            };
            let is = flag_set(found.flags.iter().flatten());
            let remove: Vec<String> = (&after - &was).intersection(&is).cloned().collect();
            let add: Vec<String> = (&(&was - &after) - &is).into_iter().collect();
            // In the case in which the server spelled them.
            let spelled = |flag: &String| {
                let known = before.flags.iter().flatten().chain(found.flags.iter().flatten());
                known.into_iter().find(|known| known.eq_ignore_ascii_case(flag)).cloned()
            };
            let spell = |flags: &[String]| flags.iter().filter_map(spelled).collect::<Vec<_>>();
            if remove.is_empty() && add.is_empty() {
                other += 1;
                continue;
            }
            if let (true, Some(uid)) = (self.is_dry, found.uid) {
                let kept = is.iter().filter(|flag| !remove.contains(flag)).cloned();
                let flags = kept.chain(add.iter().cloned()).collect();
                self.foreseen.flags.insert((place.mailbox.clone(), uid), flags);
            }
            let key = (place.mailbox.as_str(), found_validity, spell(&remove), spell(&add));
            let (uids, modseq) = changes.entry(key).or_default();
            uids.extend(found.uid);
            *modseq = found.modseq.max(*modseq);
        }
        for ((mailbox, validity, remove, add), (uids, modseq)) in changes {
            if !self.is_dry && !self.open_again(mailbox, validity)? {
                replaced += uids.len();
                continue;
            }
            let count = uids.len();
            let done = if self.is_dry { count } else { self.set_flags(uids, modseq, remove, add)? };
            changed += done;
            meanwhile += count - done;
        }
        let mut words = Words::new(format!("flags of {}", letters_text(changed)));
        words.also(other, "of {} they are not as the run left them, or as before already");
        words.also(removed, "{} removed by the run");
        words.also(gone, "{} gone");
        words.also(several, "{} not told from others");
        words.also(meanwhile, "{} changed meanwhile");
        words.also(replaced, REPLACED);
        Ok(words.verdict(changed, gone + several + meanwhile + replaced))
    }
}

impl Taking<'_> {
    /// Removes and adds flags, where nobody has changed them since this mod-sequence. Returns of how
    /// many letters.
    fn set_flags(
        &mut self,
        mut uids: Vec<u32>,
        mut modseq: Option<u64>,
        remove: Vec<String>,
        add: Vec<String>,
    ) -> Result<usize, Error> {
        for (mode, flags) in [(StoreMode::Remove, remove), (StoreMode::Add, add)] {
            let flags: Vec<Flag> = flags.iter().filter_map(|flag| Flag::new(flag).ok()).collect();
            let messages = Messages::uids(uids.iter().copied());
            match modseq {
                _ if flags.is_empty() || uids.is_empty() => {}
                None => self.client.store_silently(&messages, mode, &flags)?,
                Some(since) => {
                    let (modified, now) =
                        self.client.store_unchanged(&messages, mode, &flags, since)?;
                    let modified: BTreeSet<u32> =
                        numbers(&modified).unwrap_or_default().into_iter().collect();
                    uids.retain(|uid| !modified.contains(uid));
                    modseq = now;
                }
            }
        }
        Ok(uids.len())
    }
}

/// The flags of a letter to compare; without `\Deleted` if an undo has set it.
pub(super) fn flags_of(letter: &Fetched, was_marked: bool) -> BTreeSet<String> {
    let mut flags = flag_set(letter.flags.iter().flatten());
    if was_marked {
        flags.remove("\\deleted");
    }
    flags
}
