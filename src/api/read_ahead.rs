//! `with-read-ahead`: what the body is going to fetch is asked for ahead, and plain calls are answered from commands that are in flight.

use super::mailbox::{ImapMailbox, mailbox, on_mailbox, pop_mailbox};
use super::sets::{messages, truth};
use crate::client::{Error, ImapClient, Sending, Ticket};
use crate::condition::Condition;
use crate::host::{self, Call, Value};
use crate::proto::imap::SequenceSet;
use crate::proto::imap::command::StoreMode;
use crate::proto::imap::flag::Flag;
use crate::proto::imap::sequence::{Bound, Members};
use std::collections::{HashMap, HashSet};
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes of answers that came in another order than they were wanted; with more, nothing further is asked for.
const MOST_HELD: u64 = 16 << 20;

/// What is being read ahead on a mailbox.
#[derive(Default)]
pub(super) struct ReadAhead(Mutex<Option<Reading>>);

struct Reading {
    parts: String,
    uid: bool,
    members: Members,
    left: Vec<RangeInclusive<u32>>,
    sent: HashMap<u32, Ticket>,
    /// What was asked for by the body before its turn.
    passed: HashSet<u32>,
    window: usize,
    /// The mailbox as it was: with another, or when messages left, numbers mean others.
    epoch: (u64, u64),
}

impl ReadAhead {
    fn reading(&self) -> MutexGuard<'_, Option<Reading>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The command in flight that answers a fetch of one message, if there is one; the next are sent.
    pub(super) fn take(
        &self,
        client: &mut ImapClient,
        messages: &SequenceSet,
        parts: &str,
        uid: bool,
    ) -> Result<Option<Ticket>, Error> {
        let mut reading = self.reading();
        let Some(ahead) = reading.as_mut() else { return Ok(None) };
        let &[(Bound::Number(first), Bound::Number(last))] = messages.ranges() else {
            return Ok(None);
        };
        let message = first.get();
        if first != last
            || uid != ahead.uid
            || normal(parts) != ahead.parts
            || !ahead.members.contains(message)
        {
            return Ok(None);
        }
        if !ahead.is_valid(client) {
            reading.take().into_iter().for_each(|ahead| ahead.drop_all(client));
            return Ok(None);
        }
        let ticket = ahead.sent.remove(&message);
        if ticket.is_none() {
            ahead.passed.insert(message);
        }
        ahead.top_up(client)?;
        let marks_seen = ticket.is_some() && !parts.to_ascii_lowercase().contains(".peek[");
        if marks_seen && client.selected().is_some_and(|mailbox| !mailbox.read_only) {
            let seen = [Flag::new("\\Seen")?];
            if let Sending::Sent(mark) = client.ahead(|client| {
                client.store(messages, StoreMode::Add, &seen, true, uid, &mut |_| Ok(()))
            })? {
                client.forget(mark);
            }
        }
        Ok(ticket)
    }
}

impl Reading {
    fn is_valid(&self, client: &ImapClient) -> bool {
        let (selected, expunged) = client.epoch();
        selected == self.epoch.0 && (self.uid || expunged == self.epoch.1)
    }

    fn top_up(&mut self, client: &mut ImapClient) -> Result<(), Error> {
        while self.sent.len() < self.window && client.held() < MOST_HELD {
            let Some(message) = self.next() else { break };
            let set = SequenceSet::from(message);
            let sent = client
                .ahead(|client| client.fetch(&set, &self.parts, self.uid, &mut |_| Ok(())))?;
            if let Sending::Sent(ticket) = sent {
                self.sent.insert(message.get(), ticket);
            }
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

    fn drop_all(self, client: &mut ImapClient) {
        self.sent.into_values().for_each(|ticket| client.forget(ticket));
    }
}

/// Parts as they are sent ahead, and as two calls' parts are compared: in lower case, and leaving `\Seen` alone.
fn normal(parts: &str) -> String {
    super::fetching::peeking(&parts.split_whitespace().collect::<Vec<_>>().join(" "))
}

pub(super) fn begin(call: &Call<'_>) -> Result<Value, Condition> {
    start(call).map_err(|condition| Condition {
        message: condition.message.replacen(call.name(), "with-read-ahead", 1),
        ..condition
    })
}

fn start(call: &Call<'_>) -> Result<Value, Condition> {
    let window =
        call.key_integer("window", 1..=1000)?.and_then(|window| usize::try_from(window).ok());
    if let Some(mailbox) = pop_mailbox(call, 0) {
        return super::pop::read_ahead(call, &mailbox, window);
    }
    let window = window.unwrap_or(256);
    let (messages, parts, uid) =
        (messages(call, 1)?, super::fetching::parts(call, 2)?, truth(call, "uid")?);
    let mailbox = mailbox(call)?;
    let reading = on_mailbox(call, |client| {
        // Ranges of unique ids have gaps, and their ends may be open.
        let has_ranges =
            messages.ranges().iter().any(|(first, last)| first != last || *first == Bound::Last);
        let messages = if uid && has_ranges { client.uids_of(&messages, true)? } else { messages };
        let members = client.asked_for(&messages, uid);
        let last = client.selected().map_or(0, |mailbox| mailbox.exists);
        let number = |bound: &Bound| match bound {
            Bound::Number(number) if uid => number.get(),
            Bound::Number(number) => number.get().min(last),
            Bound::Last => last,
        };
        // Backwards, since the next is taken from the end; message 0 of an empty mailbox is none.
        let ranges = messages.ranges().iter().rev().map(|(a, b)| (number(a), number(b)));
        let left =
            ranges.filter(|(a, b)| *a > 0 && *b > 0).map(|(a, b)| a.min(b)..=a.max(b)).collect();
        let epoch = client.epoch();
        let mut reading = Reading {
            parts: normal(&parts),
            uid,
            members,
            left,
            sent: HashMap::new(),
            passed: HashSet::new(),
            window,
            epoch,
        };
        reading.top_up(client)?;
        Ok(reading)
    })?;
    *mailbox.read_ahead.reading() = Some(reading);
    Ok(host::truth(true))
}

pub(super) fn end(call: &Call<'_>) -> Result<Value, Condition> {
    if let Some(mailbox) = pop_mailbox(call, 0) {
        mailbox.client().forget_letters();
        return Ok(host::nil());
    }
    let mailbox: std::sync::Arc<ImapMailbox> = mailbox(call)?;
    let reading = mailbox.read_ahead.reading().take();
    reading.into_iter().for_each(|reading| reading.drop_all(&mut mailbox.client()));
    Ok(host::nil())
}
