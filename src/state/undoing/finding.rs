//! Looks for letters where the trail leads.

use super::Taking;
use crate::client::{Error, Fetched};
use crate::state::settling::{letters, letters_from, open_as};
use crate::state::trail::{Identity, LetterId, Place, identity, identity_of};
use std::collections::{BTreeSet, HashMap};

/// What was found at a place.
#[derive(Debug, Clone)]
pub(super) enum Found {
    /// The letter, and the UIDVALIDITY of its mailbox.
    Letter(Box<Fetched>, u32),
    /// Nothing.
    Gone,
    /// Several letters, each of which may be it.
    Several,
}

impl Found {
    /// The letter, and the UIDVALIDITY of its mailbox.
    pub(super) fn letter(&self) -> Option<(&Fetched, u32)> {
        match self {
            Found::Letter(letter, uid_validity) => Some((letter, *uid_validity)),
            Found::Gone | Found::Several => None,
        }
    }
}

impl Taking<'_> {
    /// The letters at these places, with their flags.
    pub(super) fn find(&mut self, places: &[Place]) -> Result<Vec<Found>, Error> {
        let mut found = vec![Found::Gone; places.len()];
        let mailboxes: BTreeSet<&str> = places.iter().map(|place| place.mailbox.as_str()).collect();
        for mailbox in mailboxes {
            let here = || places.iter().enumerate().filter(|(_, place)| place.mailbox == mailbox);
            let Some(validity) = open_as(self.client, mailbox, self.is_dry)? else { continue };
            let by_uid = |(at, place): (usize, &Place)| match place.letter {
                LetterId::Uid(known, uid) if known == validity => Some((at, uid)),
                _ => None,
            };
            let uids: Vec<(usize, u32)> = here().filter_map(by_uid).collect();
            let named: Vec<u32> = uids.iter().map(|(_, uid)| *uid).collect();
            let there = letters(self.client, &named)?;
            for (at, uid) in uids {
                if let Some(letter) = there.get(&uid) {
                    found[at] = Found::Letter(Box::new(letter.clone()), validity);
                }
            }
            // Letters that are alike stand for each other, if there are as many as are looked for.
            let mut groups: HashMap<Identity, (u32, Vec<usize>)> = HashMap::new();
            for (at, place) in here() {
                if let LetterId::Identity(letter, lowest) = &place.letter {
                    let group = groups.entry(identity(letter)).or_insert((*lowest, Vec::new()));
                    group.0 = group.0.min(*lowest);
                    group.1.push(at);
                }
            }
            let Some(lowest) = groups.values().map(|(lowest, _)| *lowest).min() else { continue };
            let there = by_identity(letters_from(self.client, lowest)?);
            for (identity, (lowest, group)) in groups {
                let same = there.get(&identity).map_or(&[][..], Vec::as_slice);
                let same = &same[same.partition_point(|letter| letter.uid < Some(lowest))..];
                for (number, at) in group.iter().enumerate() {
                    found[*at] = match same.get(number) {
                        Some(letter) if same.len() == group.len() => {
                            Found::Letter(Box::new(letter.clone()), validity)
                        }
                        _ if same.is_empty() => Found::Gone,
                        _ => Found::Several,
                    };
                }
            }
        }
        for (found, place) in found.iter_mut().zip(places).filter(|_| self.is_dry) {
            let Found::Letter(letter, _) = found else { continue };
            let key = (place.mailbox.clone(), letter.uid.unwrap_or(0));
            if let Some(flags) = self.foreseen.flags.get(&key) {
                letter.flags = Some(flags.clone());
            }
        }
        Ok(found)
    }

    /// Opens a mailbox to change letters that were found in it. Returns whether it is still the
    /// same; another may have got its name since.
    pub(super) fn open_again(&mut self, mailbox: &str, uid_validity: u32) -> Result<bool, Error> {
        Ok(open_as(self.client, mailbox, false)? == Some(uid_validity))
    }
}

/// Letters in the order of their UIDs, by what tells them; also without the date, which is not
/// known of a letter that was appended.
fn by_identity(letters: Vec<Fetched>) -> HashMap<Identity, Vec<Fetched>> {
    let mut found: HashMap<Identity, Vec<Fetched>> = HashMap::new();
    for letter in letters {
        let (_, message_id) = identity_of(&letter);
        let date = letter.internal_date.map(|date| date.unix_seconds());
        if date.is_some() {
            let dated = found.entry((letter.size, date, message_id.clone())).or_default();
            dated.push(letter.clone());
        }
        found.entry((letter.size, None, message_id)).or_default().push(letter);
    }
    found
}
