//! What the names and UIDs of a plan mean.
//!
//! A plan creates, renames and deletes mailboxes, and its letters move. So a name means a mailbox
//! that was there before the plan, or one that the plan has made, and so does a UID in it.
//! [`Places`] follows the steps of one account.

use super::PlanStep;
use crate::proto::deed::Act;
use crate::state::rows::numbers;
use std::collections::{HashMap, HashSet};

/// A mailbox, whatever its name is now.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Mailbox {
    /// The one that had this name before the plan.
    Before(String),
    /// The one that the plan has made by its step of this number.
    Made(usize),
    /// None any more.
    Gone,
}

/// A change of names.
#[derive(Debug, Clone)]
enum Event {
    Created(usize, String),
    Deleted(String),
    Renamed(usize, String, String),
}

/// The mailboxes and letters of one account, as far as a plan was followed.
#[derive(Debug, Default)]
pub(super) struct Places {
    separator: Option<String>,
    events: Vec<Event>,
    /// The UIDs that the plan expects, and what became of their letters.
    made: HashMap<(Mailbox, u32), Given>,
    /// Where the plan has stored letters, and the server did not say under which UIDs.
    untold: HashSet<Mailbox>,
}

/// What became of a letter that the plan expected at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Given {
    /// It is there, under this UID.
    Uid(u32),
    /// It was left out.
    LeftOut,
    /// It may be there, but the server did not say under which UID.
    NotTold,
}

impl Places {
    pub(super) fn new(separator: Option<String>) -> Self {
        Places { separator, ..Places::default() }
    }

    /// The mailbox that has a name now. One that was made for another below it counts, too.
    pub(super) fn mailbox(&self, name: &str) -> Mailbox {
        self.found(name, true)
    }

    /// Does the same, without those that may only be names above others.
    pub(super) fn certain(&self, name: &str) -> Mailbox {
        self.found(name, false)
    }

    fn found(&self, name: &str, implied: bool) -> Mailbox {
        let mut name = canonical(name);
        // The step that has made a mailbox below, and so this one, if it was not there.
        let mut by_child = None;
        let gone = |by_child: Option<usize>| {
            by_child.filter(|_| implied).map_or(Mailbox::Gone, Mailbox::Made)
        };
        for event in self.events.iter().rev() {
            match event {
                Event::Created(step, created) if *created == name => return Mailbox::Made(*step),
                Event::Deleted(deleted) if *deleted == name => return gone(by_child),
                // RENAME of INBOX moves its letters, which get other UIDs, and leaves it empty (RFC
                // 3501 6.3.5).
                Event::Renamed(step, from, to)
                    if from == "INBOX" && (name == "INBOX" || name == *to) =>
                {
                    return Mailbox::Made(*step);
                }
                Event::Renamed(step, from, to) => {
                    if let Some(rest) = self.below(&name, to) {
                        name = format!("{from}{rest}");
                    } else if self.below(&name, from).is_some() {
                        return gone(by_child);
                    } else if self.below(to, &name).is_some() {
                        by_child.get_or_insert(*step);
                    }
                }
                Event::Created(step, created) if self.below(created, &name).is_some() => {
                    by_child.get_or_insert(*step);
                }
                _ => {}
            }
        }
        Mailbox::Before(name)
    }

    /// What follows a name in one that is below it or is the same.
    fn below<'n>(&self, name: &'n str, above: &str) -> Option<&'n str> {
        let rest = name.strip_prefix(above)?;
        let separator = self.separator.as_deref().filter(|separator| !separator.is_empty());
        (rest.is_empty() || separator.is_some_and(|separator| rest.starts_with(separator)))
            .then_some(rest)
    }

    /// Whether the plan has made a mailbox below a name, and so the name, if it was not there.
    pub(super) fn has_made_below(&self, name: &str) -> bool {
        let is_below =
            |created: &str| self.below(created, name).is_some_and(|rest| !rest.is_empty());
        self.events.iter().any(|event| match event {
            Event::Created(_, created) | Event::Renamed(_, _, created) => is_below(created),
            Event::Deleted(_) => false,
        })
    }

    /// Whether the plan has put a letter where it is.
    pub(super) fn is_made(&self, mailbox: &Mailbox, uid: u32) -> bool {
        matches!(mailbox, Mailbox::Made(_))
            || self.made.contains_key(&(mailbox.clone(), uid))
            || self.untold.contains(mailbox)
    }

    /// What became of the letter that the plan names so.
    pub(super) fn uid(&self, mailbox: &Mailbox, uid: u32) -> Given {
        match self.made.get(&(mailbox.clone(), uid)) {
            Some(given) => *given,
            None if matches!(mailbox, Mailbox::Made(_)) || self.untold.contains(mailbox) => {
                Given::NotTold
            }
            None => Given::Uid(uid),
        }
    }

    /// Follows a step. `given` says what became of its letters, by their UIDs in the plan before it;
    /// of a letter that was appended, by 0.
    pub(super) fn follow(&mut self, number: usize, step: &PlanStep, given: &dyn Fn(u32) -> Given) {
        let name = canonical(step.mailbox.as_deref().unwrap_or_default());
        match &step.act {
            Act::CreateMailbox => self.events.push(Event::Created(number, name)),
            Act::DeleteMailbox => self.events.push(Event::Deleted(name)),
            Act::RenameMailbox { to } => {
                self.events.push(Event::Renamed(number, name, canonical(to)));
            }
            Act::Copy { to } | Act::Move { to } => {
                let to = self.mailbox(to);
                if step.becomes.is_none() {
                    self.untold.insert(to.clone());
                }
                let pairs = step.becomes.iter().flat_map(crate::state::rows::pairs);
                for (from, expected) in pairs {
                    self.made.insert((to.clone(), expected), given(from));
                }
            }
            Act::Append { .. } => {
                let to = self.mailbox(&name);
                if step.becomes.is_none() {
                    self.untold.insert(to.clone());
                }
                let expected = step.becomes.iter().filter_map(|becomes| numbers(&becomes.to));
                for expected in expected.flatten() {
                    self.made.insert((to.clone(), expected), given(0));
                }
            }
            _ => {}
        }
    }
}

/// INBOX in one spelling (RFC 3501 5.1).
pub(super) fn canonical(name: &str) -> String {
    if name.eq_ignore_ascii_case("INBOX") { "INBOX".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::step;

    #[test]
    fn names_mean_what_they_meant_when_the_step_was_made() {
        let steps = [
            (Act::CreateMailbox, "new"),
            (Act::RenameMailbox { to: "b".into() }, "a"),
            (Act::CreateMailbox, "a"),
            (Act::DeleteMailbox, "old"),
            (Act::RenameMailbox { to: "c".into() }, "b"),
            (Act::RenameMailbox { to: "kept".into() }, "inbox"),
        ];
        let mut places = Places::new(Some("/".into()));
        for (number, (act, mailbox)) in (1..).zip(steps) {
            places.follow(number, &step(act, mailbox, "", None), &|_| Given::NotTold);
        }
        for (name, mailbox) in [
            ("new", Mailbox::Made(1)),
            ("a", Mailbox::Made(3)),
            ("b", Mailbox::Gone),
            ("c", Mailbox::Before("a".into())),
            ("c/sub", Mailbox::Before("a/sub".into())),
            ("b/sub", Mailbox::Gone),
            ("cc", Mailbox::Before("cc".into())),
            ("old", Mailbox::Gone),
            ("Inbox", Mailbox::Made(6)),
            ("kept", Mailbox::Made(6)),
        ] {
            assert_eq!(places.mailbox(name), mailbox, "{name}");
        }
    }

    #[test]
    fn letters_are_followed_through_copies() {
        let mut places = Places::new(None);
        let moved = step(Act::Move { to: "b".into() }, "a", "4,7", Some("9 4,7 1:2"));
        let given = |uid| if uid == 4 { Given::Uid(11) } else { Given::LeftOut };
        places.follow(1, &moved, &given);
        let b = places.mailbox("b");
        assert_eq!(
            [1, 2, 3].map(|uid| places.uid(&b, uid)),
            [Given::Uid(11), Given::LeftOut, Given::Uid(3)]
        );
        assert!(places.is_made(&b, 2) && !places.is_made(&b, 3));
    }
}
