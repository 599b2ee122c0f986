//! Quotas (RFC 9208): how much an account may hold, and how much it does.
//!
//! Each account with a quota has one quota root, named as the account, for all its mailboxes. Usage
//! is counted from the letters when it is asked for, so that it cannot drift.

use crate::sandbox::store::State;

/// How much an account may hold; by default anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// The most storage, in units of 1024 octets (RFC 9208 5.1).
    pub storage: Option<u64>,
    /// The most letters (RFC 9208 5.2).
    pub messages: Option<u64>,
}

/// What an account holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) octets: u64,
    pub(crate) messages: u64,
}

impl Usage {
    /// Storage in units of 1024 octets, rounded up.
    pub(crate) fn storage(&self) -> u64 {
        self.octets.div_ceil(1024)
    }

    fn with(self, octets: u64, messages: u64) -> Usage {
        Usage { octets: self.octets + octets, messages: self.messages + messages }
    }
}

impl Quota {
    /// Whether anything is limited.
    pub(crate) fn limits(&self) -> bool {
        self.storage.is_some() || self.messages.is_some()
    }

    fn allows(&self, usage: &Usage) -> bool {
        self.storage.is_none_or(|most| usage.storage() <= most)
            && self.messages.is_none_or(|most| usage.messages <= most)
    }
}

impl State {
    /// The quota of an account.
    pub(crate) fn quota(&self, user: &str) -> Quota {
        self.users.get(user).map_or_else(Quota::default, |user| user.quota)
    }

    /// What all mailboxes of an account hold.
    pub(crate) fn usage(&self, user: &str) -> Usage {
        let mailboxes = self.names(user).into_iter().flat_map(|names| names.mailboxes.values());
        let letters = mailboxes
            .filter_map(|id| self.mailbox((*id)?))
            .flat_map(|mailbox| mailbox.messages.values().map(|message| message.content.size()));
        letters.fold(Usage::default(), |usage, octets| usage.with(octets, 1))
    }

    /// Whether an account has room for letters of so many octets.
    pub(crate) fn has_room(&self, user: &str, octets: u64, messages: u64) -> bool {
        let quota = self.quota(user);
        !quota.limits() || quota.allows(&self.usage(user).with(octets, messages))
    }
}
