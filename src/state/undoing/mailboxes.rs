//! Takes back what steps did to mailboxes: their names, subscriptions, rights and metadata.

use super::words::{impossible, letters_text, nothing};
use super::{Taken, Taking, Verdict};
use crate::client::Error;
use crate::proto::deed::Act;
use crate::proto::imap::Messages;
use crate::proto::witness::Previous;
use crate::state::rows::Step;
use crate::state::settling::{open_as, previous_now};

impl Taking<'_> {
    pub(super) fn delete_created(
        &mut self,
        mailbox: &str,
        previous: &Previous,
        step: i64,
    ) -> Taken {
        let names = match previous {
            Previous::Missing(missing) if missing.is_empty() => {
                return Ok(nothing("it was there before"));
            }
            Previous::Missing(missing) => {
                missing.iter().map(|name| self.trail.name_now(name, step)).collect()
            }
            _ => vec![mailbox.to_owned()],
        };
        let mut deleted = Vec::new();
        for name in names.iter().rev() {
            if !self.is_there(name)? {
                continue;
            }
            if let Some(why) = self.why_not_empty(name)? {
                return Ok(match deleted.is_empty() {
                    true => impossible(&format!("{name:?} stays: {why}")),
                    false => (
                        Verdict::Partly,
                        format!("{} deleted; {name:?} stays: {why}", deleted.join(", ")),
                    ),
                });
            }
            if !self.is_dry {
                self.leave()?;
                self.client.delete(name)?;
            }
            self.foreseen.deleted.insert(name.clone());
            self.foreseen.created.remove(name);
            deleted.push(format!("{name:?}"));
        }
        Ok(match deleted.is_empty() {
            true => nothing("it is not there"),
            false => (Verdict::Restored, format!("{} deleted", deleted.join(", "))),
        })
    }

    /// Whether the server lists a name without a mailbox.
    pub(super) fn is_only_a_name(&mut self, name: &str) -> Result<bool, Error> {
        let listed = self.client.list("", name)?;
        let listed = listed.iter().find(|one| one.name == name);
        Ok(listed.is_none_or(|one| one.has("\\Noselect") || one.has("\\NonExistent")))
    }

    /// Why a mailbox must not be deleted: letters, or mailboxes below it.
    pub(super) fn why_not_empty(&mut self, name: &str) -> Result<Option<String>, Error> {
        if let Some(separator) = self.trail.separator.clone().filter(|text| !text.is_empty()) {
            let prefix = format!("{name}{separator}");
            let below = self.client.list("", &format!("{prefix}*"))?;
            let there = below.iter().find(|one| {
                one.name.starts_with(&prefix) && !self.foreseen.deleted.contains(&one.name)
            });
            if let Some(below) = there {
                return Ok(Some(format!("{:?} is below it", below.name)));
            }
        }
        let left = self.foreseen.left.get(name).copied().unwrap_or(0);
        let count = match open_as(self.client, name, true)? {
            Some(_) => self.client.selected().map_or(0, |selected| u64::from(selected.exists)),
            None if self.is_only_a_name(name)? => 0,
            None => return Ok(Some("the server does not open it".to_owned())),
        };
        let count = count.saturating_sub(left);
        Ok((count > 0).then(|| format!("it has {}", letters_text(count as usize))))
    }

    pub(super) fn create_again(&mut self, mailbox: &str, step: &Step) -> Taken {
        let lost = step.deed.facts.as_ref().and_then(|facts| facts.count);
        if self.is_there(mailbox)? {
            return Ok(nothing("it is there already"));
        }
        if !self.is_dry {
            self.client.create(mailbox)?;
        }
        self.foreseen.created.insert(mailbox.to_owned());
        self.foreseen.deleted.remove(mailbox);
        let created = format!("{mailbox:?} created");
        Ok(match lost {
            Some(0) => (Verdict::Restored, created),
            Some(lost) => {
                let lost = letters_text(lost as usize);
                (Verdict::Partly, format!("{created}; lost: {lost}"))
            }
            None => (Verdict::Partly, format!("{created}; lost: the letters in it")),
        })
    }

    pub(super) fn rename_back(&mut self, step: &Step, from: &str, to: &str) -> Taken {
        let to = self.trail.name_now(to, step.id);
        if !self.is_there(&to)? {
            return Ok(impossible(&format!("the mailbox {to:?} is not there any more")));
        }
        if from.eq_ignore_ascii_case("INBOX") {
            return self.refill_inbox(step, &to);
        }
        if to == from {
            return Ok(nothing("it has its name already"));
        }
        if self.is_there(from)? {
            return Ok(impossible(&format!("a mailbox {from:?} exists")));
        }
        if !self.is_dry {
            self.leave()?;
            self.client.rename(&to, from)?;
        }
        self.foreseen.created.insert(from.to_owned());
        Ok((Verdict::Restored, format!("{to:?} renamed to {from:?}")))
    }

    /// RENAME of INBOX moves its letters into a new mailbox (RFC 3501 6.3.5).
    pub(super) fn refill_inbox(&mut self, step: &Step, to: &str) -> Taken {
        if open_as(self.client, to, self.is_dry)?.is_none() {
            return Ok(impossible(&format!("the server does not open {to:?}")));
        }
        let exists = self.client.selected().map_or(0, |selected| u64::from(selected.exists));
        let expected = step.deed.facts.as_ref().and_then(|facts| facts.count);
        if expected != Some(exists) {
            return Ok(impossible(&format!("{to:?} does not have the letters that it had")));
        }
        if !self.is_dry {
            if exists > 0 {
                self.client.move_to(&Messages::all(), "INBOX")?;
            }
            self.leave()?;
            self.client.delete(to)?;
        }
        let words = format!("{} back to \"INBOX\", {to:?} deleted", letters_text(exists as usize));
        Ok((Verdict::Restored, words))
    }

    pub(super) fn subscribe(&mut self, mailbox: &str, subscribe: bool) -> Taken {
        let listed = self.client.list_subscribed("", mailbox)?;
        let is_subscribed = listed.iter().any(|one| one.name == mailbox);
        if is_subscribed == subscribe {
            return Ok(nothing("it is as before already"));
        }
        if !self.is_dry {
            match subscribe {
                true => self.client.subscribe(mailbox)?,
                false => self.client.unsubscribe(mailbox)?,
            }
        }
        let words = if subscribe { "subscribed again" } else { "unsubscribed again" };
        Ok((Verdict::Restored, words.to_owned()))
    }

    pub(super) fn set_previous(&mut self, step: &Step, mailbox: &str, previous: Previous) -> Taken {
        let value = match previous {
            Previous::Value(value) => Some(value),
            Previous::Absent => None,
            _ => return Ok(impossible("the server did not say what there was before")),
        };
        let mut moved = step.clone();
        moved.deed.mailbox = Some(mailbox.to_owned());
        let now = match previous_now(&moved, self.client)? {
            Previous::Value(value) => Some(value),
            _ => None,
        };
        if now == value {
            return Ok(nothing("it is as before already"));
        }
        let (left, what) = match &step.deed.act {
            Act::SetRights { identifier, rights } => (
                rights_after(value.as_deref(), rights.as_deref()),
                format!("rights of {identifier:?}"),
            ),
            Act::SetMetadata { entry, value } => (value.clone(), entry.clone()),
            _ => return Ok(nothing("")),
        };
        let sorted = |rights: &Option<String>| {
            let mut letters: Vec<char> = rights.iter().flat_map(|rights| rights.chars()).collect();
            letters.sort_unstable();
            letters
        };
        let is_as_left = match &step.deed.act {
            Act::SetMetadata { .. } => now == left,
            _ => sorted(&now) == sorted(&left),
        };
        if !is_as_left {
            return Ok(impossible("it was changed since"));
        }
        if !self.is_dry {
            match &step.deed.act {
                Act::SetRights { identifier, .. } => {
                    self.client.set_rights(mailbox, identifier, value.as_deref())?;
                }
                Act::SetMetadata { entry, .. } => {
                    self.client.set_metadata(mailbox, entry, value.as_deref())?;
                }
                _ => {}
            }
        }
        Ok((Verdict::Restored, format!("{what} as before")))
    }
}

/// The rights after a SETACL, if there were these before (RFC 4314 3.1).
fn rights_after(before: Option<&str>, change: Option<&str>) -> Option<String> {
    let before = before.unwrap_or_default();
    match (change?, change?.get(1..)) {
        (change, Some(more)) if change.starts_with('+') => {
            let new = more.chars().filter(|right| !before.contains(*right));
            Some(before.chars().chain(new).collect())
        }
        (change, Some(less)) if change.starts_with('-') => {
            Some(before.chars().filter(|right| !less.contains(*right)).collect())
        }
        (change, _) => Some(change.to_owned()),
    }
}
