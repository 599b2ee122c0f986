//! Prefetches messages, so that a plain loop of fetches waits one round trip for many of them.
//!
//! [`ImapClient::read_ahead`] announces the messages that will be fetched one at a time. It
//! requests a window of them with `.PEEK`, so that none is marked as seen. A later fetch of one of
//! these messages takes over the command in flight, and the window moves on. Only if that fetch
//! would have set `\Seen` is the flag then stored. [`ImapClient::expect_fetch`] does the same for
//! one batch of messages.
//!
//! Message numbers refer to other messages once another mailbox is selected or messages have left.
//! A window by numbers is dropped then, and the fetch sends an ordinary command. A window by UIDs
//! is dropped only when the mailbox is closed or another one selected.
//!
//! A message of the window is in one of these places: `left` (still to be requested), `sent` (in
//! flight or buffered), or `passed` (fetched before the window had requested it).

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

/// The most bytes of buffered responses. Above it no further message is requested.
const MOST_HELD: u64 = 16 << 20;

/// Prefetched messages.
#[derive(Default)]
pub(super) struct ReadAhead {
    window: Option<Window>,
    batch: Option<Batch>,
}

/// A batch of messages that will be fetched next.
struct Batch {
    messages: Messages,
    items: FetchItems,
    /// How often a mailbox had been selected when the batch was requested.
    selections: u64,
    sent: Handle,
}

/// Messages that will be fetched one at a time.
struct Window {
    items: FetchItems,
    by_uid: bool,
    members: Members,
    /// Messages still to be requested, in reverse order: the next one is last.
    left: Vec<RangeInclusive<u32>>,
    sent: HashMap<u32, Handle>,
    /// Messages that were fetched before the window had requested them.
    passed: HashSet<u32>,
    size: usize,
    /// The epoch of the mailbox when the window was opened.
    epoch: (u64, u64),
}

impl ImapClient {
    /// Announces that these messages will be fetched one at a time, in this order. Up to `size` of
    /// them are requested together. Replaces an earlier window.
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
        // Ranges of UIDs have gaps, and their ends may be open, so the existing UIDs are asked for.
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

    /// Drops the window; responses to it are dropped when they arrive.
    pub fn end_read_ahead(&mut self) {
        let window = self.read_ahead.window.take();
        let sent = window.into_iter().flat_map(|window| window.sent.into_values());
        sent.for_each(|handle| self.forget_answer(handle));
    }

    /// Requests a batch of messages that will be fetched next, all with one command. Nothing is
    /// sent if fetching sets `\Seen`, since the batch may never be wanted, or if the batch needs
    /// several commands.
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

    /// The command in flight that answers this fetch, if there is one.
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

    /// The ranges of a set with `*` resolved, last range first.
    fn ranges_backwards(&self, messages: &Messages) -> Vec<RangeInclusive<u32>> {
        let last = self.selected().map_or(0, |mailbox| mailbox.exists);
        let number = |bound: &Bound| match bound {
            Bound::Number(number) if messages.are_uids() => number.get(),
            Bound::Number(number) => number.get().min(last),
            Bound::Last => last,
        };
        let ranges = messages.set().ranges().iter().rev().map(|(a, b)| (number(a), number(b)));
        // In an empty mailbox `*` is 0, which is not a message.
        ranges.filter(|(a, b)| *a > 0 && *b > 0).map(|(a, b)| a.min(b)..=a.max(b)).collect()
    }
}

impl Window {
    /// The message, if this fetch is one that the window has announced.
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

    /// Whether the numbers still refer to the same messages.
    fn is_valid(&self, client: &ImapClient) -> bool {
        let (selections, expunged) = client.epoch();
        selections == self.epoch.0 && (self.by_uid || expunged == self.epoch.1)
    }

    /// Takes a message's command out of the window, storing `\Seen` if the fetch sets it, and
    /// requests the next messages. `None` if the message was not requested yet.
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
            let mark = client.in_background(|client| client.begin([seen], Nothing))?;
            client.forget(mark);
        }
        self.sent.remove(&message.get());
        self.top_up(client)?;
        Ok(Some(handle))
    }

    /// Requests messages until the window is full.
    fn top_up(&mut self, client: &mut ImapClient) -> Result<(), Error> {
        while self.sent.len() < self.size && client.held() < MOST_HELD {
            let Some(message) = self.next() else { break };
            let one = MessageId::new(message, self.by_uid);
            let handle = client.send(Command::fetch(&one.into(), &self.items)?)?;
            self.sent.insert(message.get(), handle);
        }
        client.flush()
    }

    /// The next message to request.
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
