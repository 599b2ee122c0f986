//! The verbs: `move-letters` and the others.
//!
//! A verb goes through the groups of its letters, one for each mailbox. Moving, copying and deleting
//! are an operation of their own for each group, so that a lost connection costs the group it was
//! in, and what is done stays done. Letters that have left their mailbox are not sent; the verbs
//! count them.

use super::{Letter, Origin, are_letters, letters, letters_in};
use crate::api::Answer;
use crate::api::accounts::is_account;
use crate::api::copying::{copy_between, with_note};
use crate::api::flags::{flag_text, flags};
use crate::api::mailbox::deliver_warnings;
use crate::api::messages::or_create;
use crate::api::objects::ImapMailbox;
use crate::api::sets::required;
use crate::api::state::state;
use crate::client::{Error, ImapClient};
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Function, Run, Value};
use crate::mime::decode_text;
use crate::proto::deed::{Act, Change, Deed, Purpose};
use crate::proto::imap::command::StoreMode;
use crate::proto::imap::{Flag, Messages, SequenceSet};
use crate::proto::witness::{Facts, Witness};
use crate::shown::escape_controls;
use jiff::Timestamp;
use std::sync::{Arc, OnceLock};

/// The rows of the topic "Changing letters of a set".
pub(in crate::api) const FUNCTIONS: &[Function] = &[
    Function::native(
        "%letter-groups",
        "(function letters to)",
        letter_groups,
        "The letters of each mailbox, a list of groups. Checks the arguments of a verb, whose name errors give. to: its :to; t if it has none.",
    ).inside_of("move-letters").checked(),
    Function::native(
        "%group-size",
        "(group)",
        |call| Ok(host::integer(group(call)?.uids.len() as i64)),
        "How many letters a group has, an integer. group: as %letter-groups returns it.",
    ).inside_of("move-letters").checked(),
    Function::native(
        "%letters?",
        "(value)",
        |call| Ok(host::truth(are_letters(required(call, 0)))),
        "Whether a value is a letter, a set, or a list of these. Returns t or nil.",
    ).inside_of("copy-letters").checked(),
    Function::native(
        "%move-group",
        "(group to create)",
        |call| transfer(call, true),
        "Moves the letters of a group. Returns a list: how many were moved, and how many were there.",
    ).inside_of("move-letters").checked(),
    Function::native(
        "%copy-group",
        "(group to create)",
        |call| transfer(call, false),
        "Copies the letters of a group. Returns a list: how many were copied, and how many were there.",
    ).inside_of("copy-letters").checked(),
    Function::native(
        "%delete-group",
        "(group)",
        delete_group,
        "Removes the letters of a group. Returns a list: how many were removed, and how many were there.",
    ).inside_of("delete-letters").checked(),
    Function::new(
        "%for-letter-groups",
        "(groups f)",
        "Calls f with each group. Returns how many letters were dealt with, and how many had left.",
        Run::Scheme(
            "(lambda (groups f)
               (let ((done 0) (gone 0))
                 (dolist (group groups)
                   (let ((counts (f group)))
                     (incf done (first counts))
                     (incf gone (- (%group-size group) (second counts)))))
                 (values done gone)))",
        ),
    ).inside_of("move-letters").checked(),
    Function::new(
        "move-letters",
        "(letters &key to create)",
        "Moves letters to a mailbox. Returns two integers: how many were moved, and how many were not there any more.
letters: a letter or a set, as select-letters returns it, or a list of these. :to  the name of a mailbox on the letters' own server, or a list (mb \"name\") for one on another connection, or '(work \"name\") for one of an account, whose connection is that of select-letters; a letter is removed here only after it was stored there. :create  t creates the mailbox if it does not exist.
Without MOVE and UIDPLUS, if other letters of the mailbox are marked :\\\\deleted, the letters are copied and stay, marked, with a warning; they do not count as moved.
Errors: :error-response, also for letters that were selected read-only; :stale when a mailbox has another UIDVALIDITY than when its letters were selected. Letters that were moved before an error stay moved, and no letter is lost.",
        Run::Scheme(
            "(lambda (letters &key to create)
               (%for-letter-groups (%letter-groups \"move-letters\" letters to)
                 (lambda (group) (%move-group group (%destination to) create))))",
        ),
    ).checked(),
    Function::new(
        "%copy-set",
        "(letters &key to create)",
        "Does the work of copy-letters for letters of sets. Returns two integers.",
        Run::Scheme(
            "(lambda (letters &key to create)
               (%for-letter-groups (%letter-groups \"copy-letters\" letters to)
                 (lambda (group) (%copy-group group (%destination to) create))))",
        ),
    ).inside_of("copy-letters").checked(),
    Function::new(
        "copy-letters",
        "(letters &rest arguments)",
        "Copies letters with their flags and dates. It is called in two ways:
(copy-letters letters :to destination :create nil) copies letters of sets. letters :to :create  as for move-letters. Returns two integers: how many were copied, and how many were not there any more.
(copy-letters mb messages other-mb destination :uid nil :create nil) copies from a mailbox to one on another connection, such as another server's. Many letters are in flight at a time, and memory stays flat. mb other-mb: mailbox objects of two IMAP connections. messages  as for fetch-parts. destination: a string. :uid  t takes messages as unique ids. Returns the list of the numbers, or unique ids, that were copied.
:\\\\seen is not set. :create  t creates the destination if it does not exist.
Errors: :error-response when the destination does not exist or a letter is refused; the message says how many were copied before.",
        Run::Scheme(
            "(lambda (letters . arguments)
               (if (%letters? letters) (apply %copy-set letters arguments) (apply %copy-letters letters arguments)))",
        ),
    ).checked(),
    Function::new(
        "delete-letters",
        "(letters)",
        "Removes letters from their mailboxes for good, and no others. Returns two integers: how many were removed, and how many were not there any more.
letters: as for move-letters. Without UIDPLUS, if other letters of the mailbox are marked :\\\\deleted, these stay, marked, with a warning; they do not count as removed. Errors: :error-response, also for letters that were selected read-only; :stale.",
        Run::Scheme("(lambda (letters) (%for-letter-groups (%letter-groups \"delete-letters\" letters t) %delete-group))"),
    ).checked(),
    Function::native(
        "flag-letters",
        "(letters flags)",
        |call| store(call, StoreMode::Add),
        "Sets flags of letters. Returns two integers: how many letters there were, and how many were not there any more.
letters: as for move-letters. flags: a flag such as :\\\\seen or :junk, or a list of flags. Errors: :syntax-error, :stale; :error-response, also for letters that were selected read-only.",
    ).checked(),
    Function::native(
        "unflag-letters",
        "(letters flags)",
        |call| store(call, StoreMode::Remove),
        "Takes flags away from letters. Arguments, values and errors as for flag-letters.",
    ).checked(),
    Function::native(
        "label-letters",
        "(letters labels)",
        |call| store_labels(call, StoreMode::Add),
        "Gives letters labels. On Gmail these are its labels; on other servers keywords, in which a name that no keyword can carry is kept in modified UTF-7, as names of mailboxes are: \"To Do\" is the keyword To&ACA-Do. Returns two integers: how many letters there were, and how many were not there any more.
letters: as for move-letters. labels: a string or a list of strings; on Gmail also flags such as :\\\\important for the labels of its system. Errors: :syntax-error, :stale; :unsupported for a label that the server cannot have; :error-response, also for letters that were selected read-only.",
    ).checked(),
    Function::native(
        "unlabel-letters",
        "(letters labels)",
        |call| store_labels(call, StoreMode::Remove),
        "Takes labels away from letters. Arguments, values and errors as for label-letters.",
    ).checked(),
    Function::native(
        "%letter-line",
        "(letter)",
        letter_line,
        "The line of print-letters for a letter, a string.",
    ).inside_of("print-letters").checked(),
    Function::new(
        "print-letters",
        "(letters)",
        "Prints a line for each letter: date, sender and subject, with control characters escaped. Returns nil.\nletters: as for move-letters. Errors: :stale.",
        Run::Scheme(
            "(lambda (letters)
               (dolist (letter (%letters-for \"print-letters\" letters))
                 (format t \"~a~%\" (%letter-line letter))))",
        ),
    ).checked(),
];

/// The letters of one mailbox.
pub(super) struct Group {
    pub origin: Arc<Origin>,
    uids: Vec<u32>,
    /// How many of them were there at first. A call that is made again, after its connection was
    /// lost, may find that it has moved them.
    found: OnceLock<u64>,
}

impl Group {
    pub(super) fn messages(&self) -> Messages {
        Messages::uids(self.uids.iter().copied())
    }

    /// Those of its letters that are still there, and how many were there at first. The mailbox is
    /// selected.
    fn there(&self, client: &mut ImapClient) -> Result<(SequenceSet, u64), Error> {
        let there = client.uids_of(&self.messages())?;
        let found = *self.found.get_or_init(|| there.members(0).count());
        Ok((there, found))
    }
}

pub(super) fn grouped(letters: &[Arc<Letter>]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for letter in letters {
        let same = |group: &&mut Group| group.origin.place.is_same(&letter.origin().place);
        match groups.iter_mut().find(same) {
            Some(group) => group.uids.push(letter.uid),
            None => groups.push(Group {
                origin: letter.origin().clone(),
                uids: vec![letter.uid],
                found: OnceLock::new(),
            }),
        }
    }
    groups
}

/// Some servers take a change of a mailbox that is open read-only, and do not make it; and without
/// MOVE, a letter would be copied before the server refuses to remove it.
fn check_changeable(
    call: &Call<'_>,
    function: &str,
    letters: &[Arc<Letter>],
) -> Result<(), Condition> {
    let Some(letter) = letters.iter().find(|letter| letter.origin().place.read_only) else {
        return Ok(());
    };
    let place = &letter.origin().place;
    let name = &place.name;
    // They may have been selected read-only because a limit forbids to change them.
    let deed = Deed::new(Change::of(name, marking())).on(place.mailbox.client().host());
    state(call)
        .limiter
        .check_rules(&deed)
        .map_err(|refusal| Condition::new(Identifier::Limit, format!("{function}: {refusal}")))?;
    let message =
        format!("{function}: the letters were selected read-only in {name:?}; nothing was sent");
    Err(Condition::new(Identifier::ErrorResponse, message))
}

fn marking() -> Act {
    Act::StoreFlags { mode: StoreMode::Add, flags: Vec::new(), unchanged_since: None }
}

/// Refuses a verb whose later groups a limit would refuse, before it begins with the first.
fn foresee(
    call: &Call<'_>,
    function: &str,
    act: &Act,
    purpose: Option<Purpose>,
    groups: &[Group],
) -> Result<(), Condition> {
    if groups.len() < 2 {
        return Ok(());
    }
    let deed = |group: &Group| {
        let place = &group.origin.place;
        let deed = Deed::new(Change::of(&place.name, act.clone()));
        let facts = Facts { count: Some(group.uids.len() as u64), ..Facts::default() };
        Deed { facts: Some(facts), purpose: purpose.clone(), ..deed }
            .on(place.mailbox.client().host())
    };
    let deeds: Vec<Deed> = groups.iter().map(deed).collect();
    let refused = |refusal| Condition::new(Identifier::Limit, format!("{function}: {refusal}"));
    state(call).limiter.foresee(&deeds).map_err(refused)
}

fn letter_groups(call: &Call<'_>) -> Answer {
    let function = host::as_str(required(call, 0)).unwrap_or_else(|| call.name());
    let to = required(call, 2);
    let found = letters_in(function, "letters", required(call, 1))?;
    if host::kind_of(to) != host::ValueKind::True
        && Destination::of(to).is_none()
        && !is_of_account(to)
    {
        let expected =
            "the name of a mailbox, or a list (mailbox-object \"name\") or (account \"name\")";
        return Err(host::wrong_argument(function, ":to", expected, to));
    }
    if function != "copy-letters" {
        check_changeable(call, function, &found)?;
    }
    let groups = grouped(&found);
    let to = Destination::of(to).map_or_else(String::new, |to| to.name);
    let (act, purpose) = match function {
        "delete-letters" => (marking(), Some(Purpose::Delete { others: 0 })),
        "copy-letters" => (Act::Copy { to }, None),
        _ => (Act::Move { to }, None),
    };
    foresee(call, function, &act, purpose, &groups)?;
    Ok(host::list(groups.into_iter().map(|group| host::object(group, "#<letters>")).collect()))
}

fn group(call: &Call<'_>) -> Result<Arc<Group>, Condition> {
    call.typed(0, "a group of letters", host::downcast::<Group>)
}

/// Where letters go.
struct Destination {
    /// `None` if the mailbox is on their own connection.
    connection: Option<Arc<ImapMailbox>>,
    name: String,
}

impl Destination {
    fn of(value: &Value) -> Option<Destination> {
        if let Some(name) = host::as_str(value) {
            return Some(Destination { connection: None, name: name.to_owned() });
        }
        let parts: Vec<Value> = host::as_list(value)?.collect();
        let [connection, name] = &parts[..] else { return None };
        let connection = Some(host::downcast::<ImapMailbox>(connection)?);
        Some(Destination { connection, name: host::as_str(name)?.to_owned() })
    }
}

/// Whether the value is `(account "name")`.
fn is_of_account(value: &Value) -> bool {
    let parts: Vec<Value> = host::as_list(value).into_iter().flatten().collect();
    matches!(&parts[..], [account, name] if is_account(account) && host::as_str(name).is_some())
}

/// How many letters were dealt with, and how many were there.
fn counts(done: u64, there: u64) -> Value {
    let count = |number: u64| host::integer(i64::try_from(number).unwrap_or(i64::MAX));
    host::list(vec![count(done), count(there)])
}

/// Copies or moves the letters of a group.
fn transfer(call: &Call<'_>, is_move: bool) -> Answer {
    let group = group(call)?;
    let create = host::is_true(required(call, 2));
    let to = call.typed(1, "the name of a mailbox", Destination::of)?;
    let (name, state) = (to.name.as_str(), state(call));
    let own = &group.origin.place.mailbox;
    if let Some(other) = to.connection.filter(|other| !Arc::ptr_eq(other, own)) {
        return transfer_away(call, &group, &other, name, create, is_move);
    }
    let (done, there) = group.origin.run(call, |client| {
        let (there, all) = group.there(client)?;
        if there.is_empty() {
            return Ok((if is_move { all } else { 0 }, all));
        }
        let messages = Messages::Uids(there);
        let go = |client: &mut ImapClient| {
            if is_move {
                return client.move_to(&messages, name).map(|moved| moved.removed);
            }
            client.copy(&messages, name).map(|_| true)
        };
        let first = go(client);
        let done = if create { or_create(client, first, name, &state, go)? } else { first? };
        Ok((if done { all } else { 0 }, all))
    })?;
    Ok(counts(done, there))
}

/// Copies or moves the letters of a group to another connection.
fn transfer_away(
    call: &Call<'_>,
    group: &Group,
    other: &ImapMailbox,
    name: &str,
    create: bool,
    is_move: bool,
) -> Answer {
    let mut target = other.client();
    target.begin_operation(call.number());
    let (mut copied, mut removed, mut all) = (Vec::new(), false, 0);
    let result = group.origin.run(call, |client| {
        let (there, found) = group.there(client)?;
        all = found;
        let messages = Messages::Uids(there);
        if is_move && all > 0 {
            client.foresee_move(&messages, name)?;
        }
        let sent = copy_between(call, client, &messages, &mut target, name, create, &mut copied);
        // What the other side has confirmed leaves, after an error too: otherwise the next attempt
        // would store it twice.
        if is_move && !copied.is_empty() && !client.is_closed() {
            removed = client.remove_moved(&copied.iter().copied().collect(), name)?;
        }
        sent
    });
    deliver_warnings(call.context(), call.name(), &mut target);
    let stored = copied.len() as u64;
    result.map_err(|condition| {
        let what = if removed { "moved" } else { "copied" };
        with_note(condition, &format!("{stored} letters were {what} before, to {name:?}"))
    })?;
    Ok(counts(if removed || !is_move { stored } else { 0 }, all))
}

fn delete_group(call: &Call<'_>) -> Answer {
    let group = group(call)?;
    let (removed, there) = group.origin.run(call, |client| {
        let (there, all) = group.there(client)?;
        Ok((there.is_empty() || client.remove(&there)?, all))
    })?;
    Ok(counts(if removed { there } else { 0 }, there))
}

/// Adds or takes away flags.
fn store(call: &Call<'_>, mode: StoreMode) -> Answer {
    let letters = letters(call, 0)?;
    let flags = flags(call, "flags", required(call, 1))?;
    change_flags(call, &letters, |client, there| client.store_silently(there, mode, &flags))
}

/// Adds or takes away labels.
fn store_labels(call: &Call<'_>, mode: StoreMode) -> Answer {
    let letters = letters(call, 0)?;
    let expected = "a label, a string without line ends, or a list of them; on Gmail also :\\\\important and the like";
    let label = |value: &Value| match host::as_str(value) {
        Some(label) => {
            let is_label = !label.is_empty()
                && !label.starts_with('\\')
                && !label.contains(['\0', '\r', '\n']);
            is_label.then(|| label.to_owned())
        }
        None => flag_text(value).filter(|flag| flag.starts_with('\\') && Flag::new(flag).is_ok()),
    };
    let labels: Vec<String> = call.typed(1, expected, |value| match host::as_list(value) {
        Some(mut items) => items.try_fold(Vec::new(), |mut found, item| {
            found.push(label(&item)?);
            Some(found)
        }),
        None => label(value).map(|label| vec![label]),
    })?;
    change_flags(call, &letters, |client, there| match labels.is_empty() {
        true => Ok(()),
        false => client.store_labels(there, mode, &labels),
    })
}

/// Changes flags or labels, in one command for each mailbox. Returns how many letters there were, and how many were gone.
fn change_flags(
    call: &Call<'_>,
    letters: &[Arc<Letter>],
    change: impl Fn(&mut ImapClient, &Messages) -> Result<(), Error>,
) -> Answer {
    check_changeable(call, call.name(), letters)?;
    let (mut there, groups) = (0, grouped(letters));
    foresee(call, call.name(), &marking(), None, &groups)?;
    for group in groups {
        there += group.origin.run(call, |client| {
            let (there, all) = group.there(client)?;
            if !there.is_empty() {
                change(client, &Messages::Uids(there))?;
            }
            Ok(all)
        })?;
        let here = |letter: &&Arc<Letter>| group.origin.place.is_same(&letter.origin().place);
        letters.iter().filter(here).for_each(|letter| letter.forget_flags());
    }
    let count = |number: u64| host::integer(i64::try_from(number).unwrap_or(i64::MAX));
    Ok(call.values(vec![count(there), count(letters.len() as u64 - there)]))
}

fn letter_line(call: &Call<'_>) -> Answer {
    let letter = call.typed(0, super::EXPECTED, host::downcast::<Letter>)?;
    let envelope = letter.envelope(call)?;
    let date = letter.date(call)?.and_then(|seconds| Timestamp::from_second(seconds).ok());
    let date = date.map_or_else(String::new, |date| date.strftime("%Y-%m-%d %H:%M").to_string());
    let (from, subject) = match &envelope {
        None => (String::new(), "(gone)".to_owned()),
        Some(envelope) => (
            envelope.from.first().and_then(|address| address.email()).unwrap_or_default(),
            decode_text(envelope.subject.as_deref().unwrap_or_default()),
        ),
    };
    Ok(host::string(escape_controls(&format!("{date:<16}  {from:<30}  {subject}"))))
}
