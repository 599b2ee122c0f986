//! Warns of message numbers that may have shifted.
//!
//! When a letter leaves a mailbox, every letter after it gets a smaller number (RFC 3501 2.3.1.2).
//! A script that searches once and then moves the letters one by one, by number, moves the wrong
//! ones from the second on, and no server can detect this. So a connection remembers which numbers
//! it gave to the script, and how many letters had left by then. Changing letters by such numbers,
//! one or a list, causes a warning if a letter with one of them or a smaller one has left since; with
//! `--strict` it is refused. Ranges, and lists with a number that was not given, are written by the
//! script itself, so they are taken as meant.

use super::objects::ImapMailbox;
use super::state::state;
use crate::client::ImapClient;
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Value};
use crate::proto::imap::Messages;
use crate::proto::imap::sequence::Members;
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many sets of numbers are remembered. A set of one number is not: its script is just using
/// it.
const MOST_SETS: usize = 16;

/// The numbers that a connection has given to its script since a letter last left.
#[derive(Default)]
pub(super) struct Given(Mutex<Numbers>);

#[derive(Default)]
struct Numbers {
    /// The selection, and the count of letters that had left; see [`ImapClient::epoch`].
    epoch: (u64, u64),
    sets: Vec<Members>,
    /// The places in scripts that have been warned.
    warned: HashSet<Option<usize>>,
}

impl Given {
    fn numbers(&self) -> MutexGuard<'_, Numbers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers numbers that the script is given now, and forgets those from before a letter left.
    pub(super) fn note(&self, client: &ImapClient, numbers: Members) {
        let mut given = self.numbers();
        if given.epoch != client.epoch() {
            given.epoch = client.epoch();
            given.sets.clear();
        }
        if numbers.count() > 1 && given.sets.len() < MOST_SETS {
            given.sets.push(numbers);
        }
    }

    /// Goes on with the numbers on a new connection, on which they mean the same letters.
    pub(super) fn carry_over(&self, old: &ImapClient, new: &ImapClient) {
        self.go_on(old.epoch(), new.epoch());
    }

    /// Goes on with the numbers of one epoch in another, in which they mean the same letters.
    pub(super) fn go_on(&self, old: (u64, u64), new: (u64, u64)) {
        let mut given = self.numbers();
        if given.epoch == old {
            given.epoch = new;
        }
    }
}

/// Warns if a change names messages by numbers that have shifted since the script received them.
/// The call's second argument is the messages. Warns once for each mailbox and place in the script.
///
/// # Errors
/// `:problem` with `--strict`.
pub(super) fn check(
    call: &Call<'_>,
    mailbox: &ImapMailbox,
    messages: &Messages,
) -> Result<(), Condition> {
    let (Messages::Numbers(_), Some(argument)) = (messages, call.arg(1)) else { return Ok(()) };
    let Some(numbers) = numbers(argument) else { return Ok(()) };
    let given = mailbox.extra::<Given>();
    let mut given = given.numbers();
    let lowest = {
        let client = mailbox.client();
        let (selection, left) = given.epoch;
        let selected = client.selected().filter(|_| client.epoch().0 == selection);
        selected.and_then(|selected| selected.lowest_that_left_since(left))
    };
    let Some(lowest) = lowest else { return Ok(()) };
    let were_given = |set: &Members| numbers.iter().all(|number| set.contains(*number));
    if numbers.iter().all(|number| *number < lowest) || !given.sets.iter().any(were_given) {
        return Ok(());
    }
    let message = match numbers[..] {
        [number] => format!(
            "{}: {number} was given before letters left the mailbox, and may be another letter now: use :uid t here and where the numbers \
             come from, or give one call the whole list",
            call.name()
        ),
        _ => format!(
            "{}: the numbers were given before letters left the mailbox, and may be other letters now: use :uid t here and where they come \
             from, or search again",
            call.name()
        ),
    };
    let condition = Condition::new(Identifier::Problem, message);
    if state(call).strict {
        return Err(condition);
    }
    if given.warned.insert(call.place()) {
        call.context().warn(condition);
    }
    Ok(())
}

/// Returns a number, or the numbers of a list, as an argument; `None` for anything else.
fn numbers(value: &Value) -> Option<Vec<u32>> {
    let number = |value: &Value| host::as_integer(value).and_then(|it| u32::try_from(it).ok());
    match number(value) {
        Some(number) => Some(vec![number]),
        None => host::as_list(value)?.map(|item| number(&item)).collect::<Option<Vec<_>>>(),
    }
}
