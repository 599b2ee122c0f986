//! FETCH of messages before they are wanted, so that a plain loop of fetches waits one round trip
//! for many of them.
//!
//! [`ImapClient::read_ahead`] is told what is going to be fetched, one message at a time. It asks
//! for a window of them with `.PEEK`, so that nothing is marked. A later fetch of one of these
//! messages takes over the command that is in flight, and the window moves on. Only then, and only
//! if that fetch would have set `\Seen`, is the flag stored. [`ImapClient::expect_fetch`] does the
//! same for one batch of messages that are named by UID.
//!
//! Message numbers mean other messages once another mailbox is selected or messages have left; then
//! what was read ahead is dropped, and a fetch is an ordinary one.

use super::error::Error;
use super::imap::ImapClient;
use super::pending::Nothing;
use crate::proto::imap::command::StoreMode;
use crate::proto::imap::flag::Flag;
use crate::proto::imap::sequence::{Bound, Members};
use crate::proto::imap::{Command, FetchItems, Handle, MessageId, Messages};
use std::collections::{HashMap, HashSet};
use std::num::NonZeroU32;
use std::ops::RangeInclusive;

/// Bytes of answers that came in another order than they were wanted. With more, no further
/// message is asked for.
const MOST_HELD: u64 = 16 << 20;

/// Prefetched messages.
#[derive(Default)]
pub(super) struct ReadAhead {
    window: Option<Window>,
    batch: Option<Batch>,
}

/// A batch of messages that is going to be fetched next.
struct Batch {
    messages: Messages,
    items: FetchItems,
    /// How often a mailbox was selected when the batch was asked for.
    selections: u64,
    sent: Handle,
}

/// Messages that are going to be fetched one at a time.
struct Window {
    items: FetchItems,
    by_uid: bool,
    members: Members,
    /// Messages still to be requested, in reverse order: the next one is last.
    left: Vec<RangeInclusive<u32>>,
    sent: HashMap<u32, Handle>,
    /// Messages that were requested out of order.
    passed: HashSet<u32>,
    size: usize,
    /// The mailbox as it was.
    epoch: (u64, u64),
}

impl ImapClient {
    /// Says that these messages are going to be fetched one at a time, in this order: up to `size`
    /// of them are asked for at once. It replaces what was read ahead before.
    ///
    /// # Errors
    /// An error if a command cannot be sent.
    pub fn read_ahead(
        &mut self,
        messages: &Messages,
        items: &FetchItems,
        size: usize,
    ) -> Result<(), Error> {
        self.end_read_ahead();
        // Ranges of UIDs have gaps, and their ends may be open.
        let is_range = |(first, last): &(Bound, Bound)| first != last || *first == Bound::Last;
        let has_ranges = messages.set().ranges().iter().any(is_range);
        let messages = match messages {
            Messages::Uids(_) if has_ranges => Messages::Uids(self.uids_of(messages)?),
            _ => messages.clone(),
        };
        let mut window = Window {
            items: items.peeking(),
            by_uid: messages.are_uids(),
            members: self.asked_for(&messages),
            left: self.ranges_backwards(&messages),
            sent: HashMap::new(),
            passed: HashSet::new(),
            size,
            epoch: self.epoch(),
        };
        let result = window.top_up(self);
        self.read_ahead.window = Some(window);
        result
    }

    /// Lets go of what was read ahead: the answers are dropped when they come.
    pub fn end_read_ahead(&mut self) {
        let window = self.read_ahead.window.take();
        let sent = window.into_iter().flat_map(|window| window.sent.into_values());
        sent.for_each(|handle| self.forget_answer(handle));
    }

    /// Asks for a batch of messages that is going to be fetched next, whole. Nothing is sent if
    /// fetching sets `\Seen`: the batch may never be wanted.
    ///
    /// # Errors
    /// An error if the command cannot be sent.
    pub fn expect_fetch(&mut self, messages: Messages, items: &FetchItems) -> Result<(), Error> {
        if let Some(unwanted) = self.read_ahead.batch.take() {
            self.forget_answer(unwanted.sent);
        }
        let commands = self.for_each_part(&messages, |part| Command::fetch(part, items))?;
        if let [command] = &commands[..]
            && !items.marks_seen()
        {
            let sent = self.send(command.clone())?;
            let (selections, _) = self.epoch();
            self.read_ahead.batch =
                Some(Batch { messages, items: items.clone(), selections, sent });
        }
        Ok(())
    }

    /// The command in flight that answers a fetch, if there is one.
    pub(super) fn take_read_ahead(
        &mut self,
        messages: &Messages,
        items: &FetchItems,
    ) -> Result<Option<Handle>, Error> {
        let (selections, _) = self.epoch();
        let is_batch = |batch: &mut Batch| {
            batch.messages == *messages && batch.items == *items && !items.marks_seen()
        };
        if let Some(batch) = self.read_ahead.batch.take_if(is_batch) {
            if batch.selections == selections {
                return Ok(Some(batch.sent));
            }
            self.forget_answer(batch.sent);
        }
        let Some(mut window) = self.read_ahead.window.take() else { return Ok(None) };
        let taken = match window.admits(messages, items) {
            Some(_) if !window.is_valid(self) => {
                self.read_ahead.window = Some(window);
                self.end_read_ahead();
                return Ok(None);
            }
            Some(message) => window.take(self, message, items),
            None => Ok(None),
        };
        self.read_ahead.window = Some(window);
        taken
    }

    fn ranges_backwards(&self, messages: &Messages) -> Vec<RangeInclusive<u32>> {
        let last = self.selected().map_or(0, |mailbox| mailbox.exists);
        let number = |bound: &Bound| match bound {
            Bound::Number(number) if messages.are_uids() => number.get(),
            Bound::Number(number) => number.get().min(last),
            Bound::Last => last,
        };
        let ranges = messages.set().ranges().iter().rev().map(|(a, b)| (number(a), number(b)));
        // Message 0 of an empty mailbox is none.
        ranges.filter(|(a, b)| *a > 0 && *b > 0).map(|(a, b)| a.min(b)..=a.max(b)).collect()
    }
}

impl Window {
    /// The message, if a fetch is one of those that this window is about.
    fn admits(&self, messages: &Messages, items: &FetchItems) -> Option<MessageId> {
        let &[(Bound::Number(first), Bound::Number(last))] = messages.set().ranges() else {
            return None;
        };
        let fits = first == last
            && messages.are_uids() == self.by_uid
            && self.members.contains(first.get())
            && *items == self.items;
        fits.then(|| MessageId::new(first, self.by_uid))
    }

    fn is_valid(&self, client: &ImapClient) -> bool {
        let (selections, expunged) = client.epoch();
        selections == self.epoch.0 && (self.by_uid || expunged == self.epoch.1)
    }

    fn take(
        &mut self,
        client: &mut ImapClient,
        message: MessageId,
        items: &FetchItems,
    ) -> Result<Option<Handle>, Error> {
        let Some(handle) = self.sent.get(&message.get()).copied() else {
            self.passed.insert(message.get());
            self.top_up(client)?;
            return Ok(None);
        };
        let is_read_only = client.selected().is_some_and(|mailbox| mailbox.read_only);
        if items.marks_seen() && !is_read_only {
            let seen =
                Command::store(&message.into(), StoreMode::Add, &[Flag::new("\\Seen")?], true)?;
            let mark = client.begin([seen], Nothing)?;
            client.forget(mark);
        }
        self.sent.remove(&message.get());
        self.top_up(client)?;
        Ok(Some(handle))
    }

    fn top_up(&mut self, client: &mut ImapClient) -> Result<(), Error> {
        while self.sent.len() < self.size && client.held() < MOST_HELD {
            let Some(message) = self.next() else { break };
            let one = MessageId::new(message, self.by_uid);
            let handle = client.send(Command::fetch(&one.into(), &self.items)?)?;
            self.sent.insert(message.get(), handle);
        }
        client.flush()
    }

    fn next(&mut self) -> Option<NonZeroU32> {
        loop {
            let range = self.left.last_mut()?;
            match range.next() {
                Some(message) if !self.passed.contains(&message) => {
                    return NonZeroU32::new(message);
                }
                Some(_) => {}
                None => {
                    self.left.pop();
                }
            }
        }
    }
}
