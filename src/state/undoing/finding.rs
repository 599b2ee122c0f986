//! Looks for letters where the trail leads.

use super::Taking;
use crate::client::{Error, Fetched};
use crate::proto::witness::LetterFacts;
use crate::state::settling::{letters, letters_from, open_as};
use crate::state::trail::{Known, Place, is_letter};
use std::collections::BTreeSet;

impl Taking<'_> {
    /// The letters at these places, with their flags; `None` for one that is not there, and for one
    /// that several may be.
    pub(super) fn find(&mut self, places: &[Place]) -> Result<Vec<Option<Fetched>>, Error> {
        let mut found: Vec<Option<Fetched>> = vec![None; places.len()];
        let mailboxes: BTreeSet<&str> = places.iter().map(|place| place.mailbox.as_str()).collect();
        for mailbox in mailboxes {
            let here = || places.iter().enumerate().filter(|(_, place)| place.mailbox == mailbox);
            let Some(validity) = open_as(self.client, mailbox, self.is_dry)? else { continue };
            let by_uid = |(at, place): (usize, &Place)| match place.known {
                Known::Uid(known, uid) if known == validity => Some((at, uid)),
                _ => None,
            };
            let uids: Vec<(usize, u32)> = here().filter_map(by_uid).collect();
            let named: Vec<u32> = uids.iter().map(|(_, uid)| *uid).collect();
            let there = letters(self.client, &named)?;
            for (at, uid) in uids {
                found[at] = there.get(&uid).cloned();
            }
            let identified: Vec<(usize, &LetterFacts, u32)> = here()
                .filter_map(|(at, place)| match &place.known {
                    Known::Identity(letter, lowest) => Some((at, letter, *lowest)),
                    Known::Uid(..) => None,
                })
                .collect();
            let Some(lowest) = identified.iter().map(|(_, _, lowest)| *lowest).min() else {
                continue;
            };
            let there = letters_from(self.client, lowest)?;
            // Letters that are alike stand for each other, if there are as many as are looked for.
            let mut groups: Vec<(&LetterFacts, u32, Vec<usize>)> = Vec::new();
            for (at, letter, lowest) in identified {
                let like = |one: &LetterFacts| LetterFacts { uid: 0, flags: None, ..one.clone() };
                match groups.iter_mut().find(|(one, ..)| like(one) == like(letter)) {
                    Some((_, first, group)) => {
                        *first = lowest.min(*first);
                        group.push(at);
                    }
                    None => groups.push((letter, lowest, vec![at])),
                }
            }
            for (letter, lowest, group) in groups {
                let same = there
                    .iter()
                    .filter(|found| found.uid >= Some(lowest) && is_letter(found, letter))
                    .collect::<Vec<_>>();
                if same.len() == group.len() {
                    group.iter().zip(same).for_each(|(at, same)| found[*at] = Some(same.clone()));
                }
            }
        }
        for (found, place) in found.iter_mut().zip(places).filter(|_| self.is_dry) {
            let Some(letter) = found else { continue };
            let key = (place.mailbox.clone(), letter.uid.unwrap_or(0));
            if let Some(flags) = self.foreseen.flags.get(&key) {
                letter.flags = Some(flags.clone());
            }
        }
        Ok(found)
    }
}
