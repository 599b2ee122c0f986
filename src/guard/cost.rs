//! How many deletions and changes a deed is.
//!
//! What a program deletes is counted by letters: those that an EXPUNGE, a CLOSE or POP3's QUIT
//! removes, and those of a mailbox that is deleted. What it changes: each letter that is flagged,
//! marked `\Seen` by a FETCH, moved, copied, stored, sent or deleted; each mailbox that is created,
//! renamed or deleted; each change of a subscription, of rights and of metadata; each program that
//! runs. A change that takes several commands is counted with the first ([`Purpose`]).

use super::pattern::folded;
use crate::proto::deed::{Act, Deed, Letters, Purpose};
use crate::proto::imap::Messages;
use crate::proto::imap::sequence::Bound;

/// Deletions and changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Cost {
    pub deletes: u64,
    pub changes: u64,
}

impl Cost {
    fn change(count: u64) -> Self {
        Cost { deletes: 0, changes: count }
    }

    pub(super) fn deletion(count: u64) -> Self {
        Cost { deletes: count, changes: count }
    }

    pub(super) fn and(self, other: Cost) -> Self {
        Cost {
            deletes: self.deletes.saturating_add(other.deletes),
            changes: self.changes.saturating_add(other.changes),
        }
    }
}

/// What the deed counts as; `None` if nobody knows how many letters it changes.
pub(super) fn cost_of(deed: &Deed) -> Option<Cost> {
    Some(match (&deed.act, &deed.purpose) {
        (Act::TakeRecent | Act::Unmark, _) => Cost::default(),
        // The letters of a move are counted when they are copied.
        (
            Act::StoreFlags { .. } | Act::Expunge,
            Some(Purpose::Move { .. } | Purpose::Quarantine),
        ) => Cost::default(),
        // What goes into quarantine counts as what the script asked for.
        (Act::CreateMailbox, Some(Purpose::Quarantine)) => Cost::default(),
        (Act::Copy { .. } | Act::Move { .. }, Some(Purpose::Quarantine)) => {
            Cost::deletion(letters_of(deed)?)
        }
        (Act::RenameMailbox { .. }, Some(Purpose::Quarantine)) => {
            Cost::deletion(letters_of(deed)?).and(Cost::change(1))
        }
        (Act::StoreFlags { .. }, Some(Purpose::Delete { .. })) => Cost::deletion(letters_of(deed)?),
        (Act::Expunge, Some(Purpose::Delete { others })) => Cost::deletion(*others),
        (
            Act::Copy { .. }
            | Act::Move { .. }
            | Act::StoreFlags { .. }
            | Act::StoreLabels { .. }
            | Act::MarkSeen,
            _,
        ) => Cost::change(letters_of(deed)?),
        (Act::Expunge | Act::MarkForRemoval | Act::Remove, _) => Cost::deletion(letters_of(deed)?),
        (Act::DeleteMailbox, _) => Cost::deletion(letters_of(deed)?).and(Cost::change(1)),
        (Act::RenameMailbox { .. }, _) if moves_letters(deed) => {
            Cost::change(letters_of(deed)?.saturating_add(1))
        }
        // Facts are there only if it stands for several.
        (Act::AppendMany { sizes }, _) => Cost::change(sizes.len() as u64),
        (Act::Replace { .. }, _) => Cost::deletion(1).and(Cost::change(1)),
        (Act::Append { .. }, _) => Cost::change(counted(deed).unwrap_or(1)),
        _ => Cost::change(1),
    })
}

/// Returns whether only the server can say how many letters the deed changes.
pub(super) fn must_be_asked(deed: &Deed) -> bool {
    let is_step = |act: &Act| match deed.purpose {
        Some(Purpose::Move { .. } | Purpose::Quarantine) => {
            matches!(act, Act::StoreFlags { .. } | Act::Expunge)
        }
        Some(Purpose::Delete { .. }) => matches!(act, Act::Expunge),
        None => false,
    };
    match &deed.act {
        act if is_step(act) => false,
        Act::Expunge | Act::MarkSeen | Act::DeleteMailbox => true,
        Act::Copy { .. } | Act::Move { .. } | Act::StoreFlags { .. } | Act::StoreLabels { .. } => {
            most_letters(deed).is_none()
        }
        Act::RenameMailbox { .. } => {
            moves_letters(deed) || deed.purpose == Some(Purpose::Quarantine)
        }
        _ => false,
    }
}

/// Returns whether asking the server can show that the deed is less than its arguments say.
pub(super) fn can_be_asked(deed: &Deed) -> bool {
    matches!(deed.letters, Letters::Messages(_) | Letters::Marked) || must_be_asked(deed)
}

/// The name of the mailbox of each letter changes, but INBOX stays (RFC 3501 6.3.5): its letters are
/// moved.
fn moves_letters(deed: &Deed) -> bool {
    matches!(deed.act, Act::RenameMailbox { .. })
        && deed.mailbox.as_deref().is_some_and(|name| folded(name) == "INBOX")
}

/// How many letters the server said it is, if it was asked.
fn counted(deed: &Deed) -> Option<u64> {
    deed.facts.as_ref().and_then(|facts| facts.count)
}

fn letters_of(deed: &Deed) -> Option<u64> {
    counted(deed).or_else(|| most_letters(deed))
}

/// The most letters that the deed can change, if its arguments say it.
fn most_letters(deed: &Deed) -> Option<u64> {
    match &deed.letters {
        Letters::Numbers(numbers) => Some(numbers.len() as u64),
        Letters::Messages(messages) => {
            let is_open = |(first, last): &(Bound, Bound)| {
                *first == Bound::Last
                    || *last == Bound::Last
                    // UIDs have gaps.
                    || matches!(messages, Messages::Uids(_)) && first != last
            };
            let is_known = !messages.set().ranges().iter().any(is_open);
            is_known.then(|| messages.set().members(0).count())
        }
        Letters::None | Letters::Marked => None,
    }
}
