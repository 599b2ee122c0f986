//! The verbs: `move-letters` and the others.
//!
//! A verb goes through the groups of its letters, one for each mailbox, and calls the function of
//! the manual that does the same for unique ids: so what holds there, about lost connections,
//! restarts and limits, holds here. Letters that have left their mailbox are not sent; the verbs
//! count them.

use super::{Origin, are_letters, letters};
use crate::api::Answer;
use crate::api::flags::flag_text;
use crate::api::mailbox::on_mailbox;
use crate::api::objects::ImapMailbox;
use crate::api::sets::{message_set, required};
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Function, Run, Value};
use crate::proto::imap::flag::Flag;
use crate::proto::imap::{Messages, SequenceSet};
use std::sync::Arc;

/// The rows of the topic "Changing letters of a set".
pub(in crate::api) const FUNCTIONS: &[Function] = &[
    Function::native(
        "%letter-groups",
        "(letters)",
        letter_groups,
        "The letters of each mailbox, a list of groups. letters: as for move-letters.",
    ).inside_of("move-letters").checked(),
    Function::native(
        "%select-group",
        "(group)",
        select_group,
        "Selects the mailbox of a group. Returns a list (mb uids), uids being those that are still there.",
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
        "%remove-letters",
        "(mb uids)",
        remove_letters,
        "Marks these letters :\\\\deleted and removes them, and no others. uids: a set of unique ids. Returns how many were removed, an integer.",
    ).inside_of("delete-letters").checked(),
    Function::native(
        "%forget-flags",
        "(letters)",
        |call| {
            // It runs when a call is left by an error, too, and must not hide that.
            let mut known = Vec::new();
            super::collect(required(call, 0), &mut known);
            known.iter().for_each(|letter| letter.forget_flags());
            Ok(host::nil())
        },
        "Notes that the flags of letters have changed. Returns nil.",
    ).inside_of("flag-letters").checked(),
    Function::native(
        "%letters-destination",
        "(function to)",
        destination,
        "Checks :to of move-letters. to: the name of a mailbox, or (mb name). Returns it as it is.",
    ).inside_of("move-letters").checked(),
    Function::native(
        "%changeable-letters",
        "(function letters)",
        changeable_letters,
        "Refuses letters that were selected read-only, for a function whose name errors give. Returns the letters, as a list.",
    ).inside_of("move-letters").checked(),
    Function::native(
        "%checked-flags",
        "(function flags)",
        checked_flags,
        "Checks flags, for a function whose name errors give. Returns them as they are, a list.",
    ).inside_of("flag-letters").checked(),
    Function::new(
        "%for-letter-groups",
        "(function letters f)",
        "Calls f with a mailbox object and the unique ids of the letters that are still there, for each mailbox. Returns the number of letters, and of those that have left.",
        Run::Scheme(
            "(lambda (function letters f)
               (let ((done 0) (asked 0))
                 (dolist (group (%letter-groups (%letters-for function letters)))
                   (incf asked (%group-size group))
                   (let ((selected (%select-group group)))
                     (when (second selected)
                       (let ((count (f (first selected) (second selected))))
                         (incf done (if (integerp count) count (length (second selected))))))))
                 (values done (- asked done))))",
        ),
    ).inside_of("move-letters").checked(),
    Function::new(
        "move-letters",
        "(letters &key to create)",
        "Moves letters to a mailbox. Returns two integers: how many were moved, and how many were not there any more.
letters: a letter or a set, as select-letters returns it, or a list of these. :to  the name of a mailbox on the letters' own server, or a list (mb \"name\") for one on another connection; letters are removed here only after all of them were stored there, so after an error all are still here. :create  t creates the mailbox if it does not exist.
Errors: those of move-to-mailbox and copy-letters; :stale when a mailbox has another UIDVALIDITY than when its letters were selected.",
        Run::Scheme(
            "(lambda (letters &key to create)
               (let ((to (%letters-destination \"move-letters\" to)))
                 (%for-letter-groups \"move-letters\" (%changeable-letters \"move-letters\" letters)
                   (lambda (mb uids)
                     (if (string? to)
                         (move-to-mailbox mb uids to :uid t :create create)
                         (%remove-letters mb (%copy-letters mb uids (first to) (second to) :uid t :create create)))))))",
        ),
    ).checked(),
    Function::new(
        "%copy-set",
        "(letters &key to create)",
        "Does the work of copy-letters for letters of sets. Returns two integers.",
        Run::Scheme(
            "(lambda (letters &key to create)
               (let ((to (%letters-destination \"copy-letters\" to)))
                 (%for-letter-groups \"copy-letters\" letters
                   (lambda (mb uids)
                     (if (string? to)
                         (copy-to-mailbox mb uids to :uid t :create create)
                         (%copy-letters mb uids (first to) (second to) :uid t :create create))))))",
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
letters: as for move-letters. Without UIDPLUS, if other letters of the mailbox are marked :\\\\deleted, these stay marked, with a warning. Errors: :error-response, :stale.",
        Run::Scheme("(lambda (letters) (%for-letter-groups \"delete-letters\" (%changeable-letters \"delete-letters\" letters) %remove-letters))"),
    ).checked(),
    Function::new(
        "flag-letters",
        "(letters flags)",
        "Sets flags of letters. Returns two integers: how many letters there were, and how many were not there any more.
letters: as for move-letters. flags: a flag such as :\\\\seen or :junk, or a list of flags. Errors: :syntax-error, :error-response, :stale.",
        Run::Scheme(
            "(lambda (letters flags)
               (%checked-flags \"flag-letters\" flags)
               (unwind-protect
                   (%for-letter-groups \"flag-letters\" (%changeable-letters \"flag-letters\" letters)
                     (lambda (mb uids) (alter-flags mb uids :add-flags flags :uid t :silent t)))
                 (%forget-flags letters)))",
        ),
    ).checked(),
    Function::new(
        "unflag-letters",
        "(letters flags)",
        "Takes flags away from letters. Arguments, values and errors as for flag-letters.",
        Run::Scheme(
            "(lambda (letters flags)
               (%checked-flags \"unflag-letters\" flags)
               (unwind-protect
                   (%for-letter-groups \"unflag-letters\" (%changeable-letters \"unflag-letters\" letters)
                     (lambda (mb uids) (alter-flags mb uids :remove-flags flags :uid t :silent t)))
                 (%forget-flags letters)))",
        ),
    ).checked(),
    Function::new(
        "print-letters",
        "(letters)",
        "Prints a line for each letter: date, sender and subject. Returns nil.\nletters: as for move-letters. Errors: :stale.",
        Run::Scheme(
            "(lambda (letters)
               (dolist (letter (%letters-for \"print-letters\" letters))
                 (format t \"~a  ~30a  ~a~%\"
                         (if (letter-date letter) (format-date \"%Y-%m-%d %H:%M\" (letter-date letter)) \"                \")
                         (or (address-email (letter-from letter)) \"\")
                         (or (letter-subject letter) \"\"))))",
        ),
    ).checked(),
];

/// The letters of one mailbox.
pub(super) struct Group {
    pub origin: Arc<Origin>,
    uids: Vec<u32>,
}

fn letter_groups(call: &Call<'_>) -> Answer {
    let mut groups: Vec<Group> = Vec::new();
    for letter in letters(call, 0)? {
        let same = |group: &&mut Group| group.origin.place.is_same(&letter.origin().place);
        match groups.iter_mut().find(same) {
            Some(group) => group.uids.push(letter.uid),
            None => groups.push(Group { origin: letter.origin().clone(), uids: vec![letter.uid] }),
        }
    }
    Ok(host::list(groups.into_iter().map(|group| host::object(group, "#<letters>")).collect()))
}

fn group(call: &Call<'_>) -> Result<Arc<Group>, Condition> {
    call.typed(0, "a group of letters", host::downcast::<Group>)
}

fn select_group(call: &Call<'_>) -> Answer {
    let group = group(call)?;
    let asked = Messages::uids(group.uids.iter().copied());
    let there = group.origin.run(call, |client| client.uids_of(&asked))?;
    let members = there.members(0);
    let uids = group.uids.iter().filter(|uid| members.contains(**uid));
    let uids = host::list(uids.map(|uid| host::integer(i64::from(*uid))).collect());
    let mailbox = host::object(group.origin.place.clone(), "#<mailbox::imap-mailbox>");
    Ok(host::list(vec![mailbox, uids]))
}

fn remove_letters(call: &Call<'_>) -> Answer {
    let set: SequenceSet = call.typed(1, "a set of unique ids", message_set)?;
    let removed = set.is_empty() || on_mailbox(call, |client| client.remove(&set))?;
    let count = if removed { set.members(0).count() } else { 0 };
    Ok(host::integer(i64::try_from(count).unwrap_or(i64::MAX)))
}

/// Some servers take a change of a mailbox that is open read-only, and do not make it; and without
/// MOVE, a letter would be copied before the server refuses to remove it.
fn changeable_letters(call: &Call<'_>) -> Answer {
    let mut found = Vec::new();
    super::collect(required(call, 1), &mut found);
    let read_only = found.iter().find(|letter| letter.origin().place.read_only);
    let Some(letter) = read_only else { return Ok(required(call, 1).clone()) };
    let function = host::as_str(required(call, 0)).unwrap_or_else(|| call.name());
    let name = &letter.origin().place.name;
    let message =
        format!("{function}: the letters were selected read-only in {name:?}; nothing was sent");
    Err(Condition::new(Identifier::ErrorResponse, message))
}

fn checked_flags(call: &Call<'_>) -> Answer {
    let value = required(call, 1);
    let items: Vec<Value> = match host::as_list(value) {
        Some(items) => items.collect(),
        None => vec![value.clone()],
    };
    let is_flag = |item: &Value| flag_text(item).is_some_and(|text| Flag::new(&text).is_ok());
    if items.iter().all(is_flag) {
        return Ok(host::list(items));
    }
    let function = host::as_str(required(call, 0)).unwrap_or_else(|| call.name());
    let expected = "a flag such as :\\\\seen or :junk, or a list of flags";
    Err(host::wrong_argument(function, "flags", expected, value))
}

fn destination(call: &Call<'_>) -> Answer {
    let value = required(call, 1);
    let is_pair = |value: &Value| {
        let parts: Vec<Value> = host::as_list(value).map(Iterator::collect).unwrap_or_default();
        matches!(&parts[..], [mailbox, name]
            if host::downcast::<ImapMailbox>(mailbox).is_some() && host::as_str(name).is_some())
    };
    if host::as_str(value).is_some() || is_pair(value) {
        return Ok(value.clone());
    }
    let function = host::as_str(required(call, 0)).unwrap_or_else(|| call.name());
    let expected = "the name of a mailbox, or a list (mailbox-object \"name\")";
    Err(host::wrong_argument(function, ":to", expected, value))
}
