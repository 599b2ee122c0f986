//! The messages that a command addresses: a sequence set, and whether its numbers are UIDs.
//!
//! IMAP addresses messages in two ways (RFC 3501 2.3.1): by message sequence number, which shifts
//! when messages are expunged, and by unique identifier, which does not. The set looks the same on
//! the wire; only the command's prefix `UID` tells them apart. [`Messages`] makes the difference a
//! matter of types, so that no caller can pass one for the other.

use super::sequence::{Bound, SequenceSet};
use std::num::NonZeroU32;

/// One message of the selected mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageId {
    /// By its message sequence number.
    Number(NonZeroU32),
    /// By its unique identifier.
    Uid(NonZeroU32),
}

impl MessageId {
    /// Makes a message ID; `number` is a UID if `uid` is true.
    pub fn new(number: NonZeroU32, uid: bool) -> Self {
        if uid { MessageId::Uid(number) } else { MessageId::Number(number) }
    }

    /// The number or UID.
    pub fn get(self) -> u32 {
        match self {
            MessageId::Number(number) | MessageId::Uid(number) => number.get(),
        }
    }

    /// Returns whether it is a UID.
    pub fn is_uid(self) -> bool {
        matches!(self, MessageId::Uid(_))
    }
}

impl From<MessageId> for Messages {
    fn from(message: MessageId) -> Self {
        match message {
            MessageId::Number(number) => Messages::Numbers(number.into()),
            MessageId::Uid(uid) => Messages::Uids(uid.into()),
        }
    }
}

/// Messages of the selected mailbox, by sequence number or by unique identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Messages {
    /// Message sequence numbers.
    Numbers(SequenceSet),
    /// Unique identifiers (UIDs).
    Uids(SequenceSet),
}

impl Messages {
    /// Makes messages of a set; its numbers are UIDs if `uid` is true.
    pub fn new(set: SequenceSet, uid: bool) -> Self {
        if uid { Messages::Uids(set) } else { Messages::Numbers(set) }
    }

    /// Every message of the mailbox, `1:*`.
    pub fn all() -> Self {
        Messages::Numbers(SequenceSet::all())
    }

    /// The number or UID of the only message; `None` if there are several, or if it is `*`.
    pub fn only(&self) -> Option<u32> {
        match self.set().ranges() {
            [(Bound::Number(first), Bound::Number(last))] if first == last => Some(first.get()),
            _ => None,
        }
    }

    /// The messages with these sequence numbers; 0 is skipped.
    pub fn numbers(numbers: impl IntoIterator<Item = u32>) -> Self {
        Messages::Numbers(numbers.into_iter().collect())
    }

    /// The messages with these UIDs; 0 is skipped.
    pub fn uids(uids: impl IntoIterator<Item = u32>) -> Self {
        Messages::Uids(uids.into_iter().collect())
    }

    /// The set as it is sent.
    pub fn set(&self) -> &SequenceSet {
        match self {
            Messages::Numbers(set) | Messages::Uids(set) => set,
        }
    }

    /// Returns whether the numbers are UIDs.
    pub fn are_uids(&self) -> bool {
        matches!(self, Messages::Uids(_))
    }

    /// The same messages by their numbers, even if the server has saved them; see
    /// [`SequenceSet::saved`].
    #[must_use]
    pub fn by_number(&self) -> Messages {
        let mut set = SequenceSet::new();
        self.set().ranges().iter().for_each(|&(first, last)| set.push_range(first, last));
        Messages::new(set, self.are_uids())
    }

    /// Returns whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.set().is_empty()
    }

    /// Splits the messages into sets of at most `bytes` each; see [`SequenceSet::split`].
    pub fn split(&self, bytes: usize) -> Vec<Messages> {
        let uid = self.are_uids();
        self.set().split(bytes).into_iter().map(|set| Messages::new(set, uid)).collect()
    }
}
