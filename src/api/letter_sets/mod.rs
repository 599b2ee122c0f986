//! Letters as values, and sets of them.
//!
//! A [`Letter`] is a UID in a mailbox under a UIDVALIDITY. It holds its mailbox object, so it means
//! the same letter whatever happens to message numbers, and whichever mailbox is selected: each
//! operation selects the letter's mailbox if another one is selected (see `selection`). If the
//! UIDVALIDITY is another one by then, no letter can be told any more, and the operation is refused
//! with `:stale`. A letter that has left the mailbox has no facts, and is skipped by changes.
//!
//! ```text
//! Origin   a mailbox as it was when letters were selected in it, and what is known of them (facts)
//!   Batch    letters of one origin that are asked for together
//!     Letter   a UID
//! ```
//!
//! | file | contents |
//! |---|---|
//! | `facts` | fetches what is asked of a letter, for all letters of its batch at once |
//! | `reading` | `letter-subject` and the other accessors |
//! | `choosing` | `select-letters`, the algebra of sets, groups and orders |
//! | `finding` | searches mailboxes, also by what is decided here |
//! | `rules` | `with-rules` |
//! | `changing` | `move-letters` and the other verbs |
//! | `handing_over` | `save-letters` and `pipe-letters`: letters for files and programs |

mod changing;
mod choosing;
mod facts;
mod finding;
mod handing_over;
mod reading;
mod rules;

pub(super) use changing::FUNCTIONS as CHANGING;
pub(super) use choosing::FUNCTIONS as CHOOSING;
pub(super) use finding::{Target, find, letters_with, sets_of, with_threads};
pub(super) use handing_over::FUNCTIONS as HANDING_OVER;
pub(super) use reading::{FUNCTIONS as READING, list_identifier, whole_letter};
pub(super) use rules::FUNCTIONS as RULES;

use super::mailbox::on;
use super::objects::ImapMailbox;
use super::pipeline;
use super::selection::{Place, folded};
use super::sets::required;
use crate::client::{Error, ImapClient};
use crate::condition::Condition;
use crate::host::{self, Call, Value};
use changing::Group;
use facts::Facts;
use std::fmt;
use std::sync::{Arc, Mutex};

/// A mailbox as it was when letters were selected in it, and what is known of them.
pub(super) struct Origin {
    place: Place,
    facts: Mutex<Facts>,
}

/// Letters of one origin that are asked for together, in the order of their set.
struct Batch {
    origin: Arc<Origin>,
    uids: Vec<u32>,
}

/// A letter in a mailbox.
pub(super) struct Letter {
    batch: Arc<Batch>,
    uid: u32,
}

/// Letters in an order, each once.
pub(super) struct LetterSet {
    letters: Vec<Arc<Letter>>,
}

impl Letter {
    fn origin(&self) -> &Arc<Origin> {
        &self.batch.origin
    }

    /// What makes two letters the same one.
    fn identity(&self) -> (usize, &str, Option<u32>, u32) {
        let origin = self.origin();
        let connection = Arc::as_ptr(&origin.place.mailbox) as usize;
        (connection, folded(&origin.place.name), origin.place.uid_validity, self.uid)
    }
}

impl LetterSet {
    /// Makes a set of letters in this order. They are asked for together from now on; what is known
    /// of them stays known.
    fn of(letters: &[Arc<Letter>]) -> LetterSet {
        let mut origins: Vec<(Arc<Origin>, Vec<u32>)> = Vec::new();
        for letter in letters {
            match origins.iter_mut().find(|(origin, _)| Arc::ptr_eq(origin, letter.origin())) {
                Some((_, uids)) => uids.push(letter.uid),
                None => origins.push((letter.origin().clone(), vec![letter.uid])),
            }
        }
        let batch = |(origin, uids)| Arc::new(Batch { origin, uids });
        let batches: Vec<Arc<Batch>> = origins.into_iter().map(batch).collect();
        let again = |letter: &Arc<Letter>| {
            let batch = batches.iter().find(|batch| Arc::ptr_eq(&batch.origin, letter.origin()));
            let batch = batch.unwrap_or(&letter.batch).clone();
            Arc::new(Letter { batch, uid: letter.uid })
        };
        LetterSet { letters: letters.iter().map(again).collect() }
    }

    fn value(self) -> Value {
        host::displayed_object(Arc::new(self))
    }
}

/// Makes the object of a letter; the same letter of a set is the same object.
fn letter_value(letter: &Arc<Letter>) -> Value {
    host::displayed_object(letter.clone())
}

impl fmt::Display for Letter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "#<letter {}", self.uid)?;
        if let Some((from, subject)) = self.headline() {
            write!(formatter, " {from} {subject:?}")?;
        }
        write!(formatter, ">")
    }
}

impl fmt::Display for LetterSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.letters.len();
        write!(formatter, "#<{count} letter{}", if count == 1 { "" } else { "s" })?;
        let mut names: Vec<&str> = Vec::new();
        for letter in &self.letters {
            let name = letter.origin().place.name.as_str();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        if !names.is_empty() && names.len() <= 3 {
            write!(formatter, " of {}", names.join(", "))?;
        }
        let subjects: Vec<String> = self
            .letters
            .iter()
            .take(SHOWN)
            .map_while(|letter| Some(format!("{:?}", letter.headline()?.1)))
            .collect();
        if !subjects.is_empty() {
            let more = if count > subjects.len() { ", …" } else { "" };
            write!(formatter, ": {}{more}", subjects.join(", "))?;
        }
        write!(formatter, ">")
    }
}

/// What is taken as letters, for messages.
const EXPECTED: &str = "a letter or a set, as select-letters returns it, or a list of these";

/// How many subjects a set shows.
const SHOWN: usize = 3;

impl Origin {
    /// Runs an operation with the mailbox selected.
    ///
    /// # Errors
    /// `:stale` if its UIDVALIDITY is another one now; those of the operation.
    fn run<T>(
        &self,
        call: &Call<'_>,
        operation: impl FnOnce(&mut ImapClient) -> Result<T, Error>,
    ) -> Result<T, Condition> {
        pipeline::check(call)?;
        let result = on(call.context(), call.name(), &self.place.mailbox, |client| {
            client.begin_operation(call.number());
            if !self.place.select(client)? {
                return Ok(None);
            }
            operation(client).map(Some)
        })?;
        result.ok_or_else(|| self.place.stale(call.name()))
    }
}

/// Returns the letters in argument `index`: a letter, a set, or a list of these.
fn letters(call: &Call<'_>, index: usize) -> Result<Vec<Arc<Letter>>, Condition> {
    letters_in(call.name(), "letters", required(call, index))
}

/// Reads letters, each once, from an argument of a function.
fn letters_in(
    function: &str,
    parameter: &str,
    value: &Value,
) -> Result<Vec<Arc<Letter>>, Condition> {
    let mut found = Vec::new();
    collect(value, &mut found)
        .ok_or_else(|| host::wrong_argument(function, parameter, EXPECTED, value))?;
    Ok(each_once(found))
}

/// Leaves out letters that stand there already.
fn each_once(mut letters: Vec<Arc<Letter>>) -> Vec<Arc<Letter>> {
    let mut seen = std::collections::HashSet::new();
    letters.retain(|letter| {
        let (connection, name, uid_validity, uid) = letter.identity();
        seen.insert((connection, name.to_owned(), uid_validity, uid))
    });
    letters
}

fn collect(value: &Value, found: &mut Vec<Arc<Letter>>) -> Option<()> {
    if let Some(letter) = host::downcast::<Letter>(value) {
        found.push(letter);
    } else if let Some(set) = host::downcast::<LetterSet>(value) {
        found.extend(set.letters.iter().cloned());
    } else {
        for item in host::as_list(value)? {
            match (host::downcast::<Letter>(&item), host::downcast::<LetterSet>(&item)) {
                (Some(letter), _) => found.push(letter),
                (_, Some(set)) => found.extend(set.letters.iter().cloned()),
                _ => return None,
            }
        }
    }
    Some(())
}

/// Whether the value is a letter, a set, or a list of these. The empty list is one.
fn are_letters(value: &Value) -> bool {
    collect(value, &mut Vec::new()).is_some()
}

/// The connections of the letters in an argument, for making them anew after one was lost.
pub(super) fn mailboxes_of(value: &Value) -> Vec<Arc<ImapMailbox>> {
    if let Some(group) = host::downcast::<Group>(value) {
        return vec![group.origin.place.mailbox.clone()];
    }
    let mut found = Vec::new();
    let mut mailboxes: Vec<Arc<ImapMailbox>> = Vec::new();
    if collect(value, &mut found).is_some() {
        for letter in found {
            let mailbox = &letter.origin().place.mailbox;
            if !mailboxes.iter().any(|known| Arc::ptr_eq(known, mailbox)) {
                mailboxes.push(mailbox.clone());
            }
        }
    }
    mailboxes
}
