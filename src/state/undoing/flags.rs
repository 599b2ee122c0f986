//! Sets flags as they were before a step.

use super::words::{Words, impossible, letters_text};
use super::{Taken, Taking};
use crate::client::Fetched;
use crate::proto::imap::command::StoreMode;
use crate::proto::imap::{Flag, Messages};
use crate::proto::witness::LetterFacts;
use crate::state::rows::Step;
use crate::state::settling::{by_number, flag_set, flags_after, open_as};
use crate::state::trail::{Known, Place};
use std::collections::{BTreeMap, BTreeSet};

/// A mailbox, the flags to remove from letters there, and those to add.
type ChangeOfFlags<'p> = (&'p str, Vec<String>, Vec<String>);

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
        let place = |uid| Place { mailbox: mailbox.to_owned(), known: Known::Uid(validity, uid) };
        let places = before.iter().map(|letter| place(letter.uid)).collect();
        let places = self.trail.now(places, step.id);
        let found = self.find(&places)?;
        let mut changes: BTreeMap<ChangeOfFlags<'_>, Vec<u32>> = BTreeMap::new();
        let (mut gone, mut changed, mut other) = (0, 0, 0);
        for ((before, place), found) in before.iter().zip(&places).zip(&found) {
            let was = flag_set(before.flags.iter().flatten());
            let after = flags_after(&step.deed.act, &was);
            if was == after {
                continue;
            }
            let Some(found) = found else {
                gone += 1;
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
            changed += 1;
            if let (true, Some(uid)) = (self.is_dry, found.uid) {
                let kept = is.iter().filter(|flag| !remove.contains(flag)).cloned();
                let flags = kept.chain(add.iter().cloned()).collect();
                self.foreseen.flags.insert((place.mailbox.clone(), uid), flags);
            }
            let key = (place.mailbox.as_str(), spell(&remove), spell(&add));
            changes.entry(key).or_default().extend(found.uid);
        }
        for ((mailbox, remove, add), uids) in changes {
            if self.is_dry {
                continue;
            }
            open_as(self.client, mailbox, false)?;
            let messages = Messages::uids(uids);
            for (mode, flags) in [(StoreMode::Remove, remove), (StoreMode::Add, add)] {
                let flags: Vec<Flag> =
                    flags.iter().filter_map(|flag| Flag::new(flag).ok()).collect();
                if !flags.is_empty() {
                    self.client.store_silently(&messages, mode, &flags)?;
                }
            }
        }
        // Where letters are gone, the step that removed them says so.
        let mut words = Words::new(format!("flags of {}", letters_text(changed)));
        words.also(other, "of {} they are not as the run left them, or as before already");
        words.also(gone, "{} gone");
        Ok(words.verdict(changed, 0))
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
