//! Functions that work differently on a POP mailbox, and those that only a POP mailbox has.
//!
//! The natives for both kinds of mailbox call this module when their mailbox is one of POP. Its
//! letters have numbers from 1 on, which stay fixed until the connection is closed. `:uid` is
//! refused, because unique ids are strings here. A set may name letters that do not exist:
//! `numbers` keeps them, so that the server refuses them; `numbers_within` and `existing` leave
//! them out.

use super::Answer;
use super::batches::{BATCH_BYTES, BATCH_MESSAGES};
use super::fetching::texts;
use super::mailbox::{on_pop_mailbox, operate, pop_mailbox};
use super::objects::PopMailbox;
use super::pipeline;
use super::reconnection::{self, Reconnection};
use super::sets::{self, message, messages};
use super::values::{Texts, large, text};
use crate::client::{Content, Error, PopClient};
use crate::condition::Condition;
use crate::host::{self, Call, Function, Run, Type, Value};
use crate::proto::imap::sequence::Bound;
use crate::proto::imap::{MessageId, Messages, SequenceSet};
use std::io::Write;
use std::sync::Arc;

/// The rows of the topic "POP".
pub(super) const FUNCTIONS: &[Function] = &[
    Function::native(
        "make-pop-connection",
        "(host &key user password token auth port timeout ssl starttls tls ca-file client-identity verify limits)",
        super::connections::make_pop_connection,
        "Connects to a POP server and logs in. Returns a mailbox object. Its letters are numbered from 1 to mailbox-message-count, and keep their numbers until the connection is closed.
host :user :password :token :timeout :ssl :starttls :tls :ca-file :client-identity :verify :limits  as for make-imap-connection. :port  an integer; 995 with TLS from the first byte, else 110.
:auth  as for make-imap-connection, and :apop.
These functions work on it: close-connection, noop, mailbox-message-count, fetch-letter, delete-letter, save-letter, for-each-letter, mailbox-capabilities and capable?.
Errors: as for make-imap-connection; :authentication with [IN-USE] when another program is reading the mailbox.",
    ).typed(&[("ssl", Type::Truth), ("starttls", Type::Truth), ("verify", Type::Truth)]).checked(),
    Function::new(
        "with-pop-connection",
        "((pb host . options) . body)",
        "Runs the body with pb bound to a new connection, and closes it however the body ends, which removes the letters that the body has marked. The arguments are those of make-pop-connection.
Returns the value of the body's last form. Errors: those of make-pop-connection and of the body.",
        Run::Macro(
            "(syntax-rules ()
               ((_ (mb . arguments) body ...)
                (let ((mb (make-pop-connection . arguments))) (unwind-protect (progn body ...) (close-connection mb)))))",
        ),
    ).checked(),
    Function::native(
        "top-lines",
        "(pb message line-count)",
        top_lines,
        "The header of a letter, the empty line after it, and the first lines of its body, as a string.
pb: a POP mailbox object. message: an integer. line-count: an integer from 0 on. Errors: :error-response when there is no such letter, when it is marked, or when the server has no TOP.",
    ).checked(),
    Function::native(
        "unique-id",
        "(pb &optional message)",
        unique_id,
        "A letter's unique id, a string that stays the same from one connection to the next. Without message, the list ((number \"id\") …) of all letters that are not marked.
pb: a POP mailbox object. message: an integer. Errors: :error-response when there is no such letter, or when the server has no UIDL.",
    ).checked(),
    Function::native(
        "reset-mailbox",
        "(pb)",
        reset_mailbox,
        "Undoes every delete-letter: no letter is marked any more.
pb: a POP mailbox object. Returns t. Errors: :error-response.",
    ).checked(),
];

/// Refuses `:uid`: the unique ids of POP are not numbers.
fn refuse_uid(call: &Call<'_>) -> Result<(), Condition> {
    if call.boolean_key("uid") {
        return Err(Condition::syntax(format!(
            "{}: :uid is not for a POP mailbox; its letters have numbers, and unique-id tells a string",
            call.name()
        )));
    }
    Ok(())
}

/// Refuses message numbers that may mean other letters since the connection was made anew.
///
/// # Errors
/// `:in-doubt`.
pub(super) fn check_numbers(
    call: &Call<'_>,
    mailbox: &PopMailbox,
    messages: &Messages,
) -> Result<(), Condition> {
    let how = "mailbox-message-count or unique-id";
    reconnection::check_numbers(call, mailbox, messages, how)
}

/// Returns the number in argument 1, if it means the letter that the script thinks.
fn letter(call: &Call<'_>) -> Result<u32, Condition> {
    let number = message(call, 1)?;
    sets::check_numbers(call, 1, &MessageId::new(number, false).into())?;
    Ok(number.get())
}

/// Returns the numbers in argument `index`, if they mean the letters that the script thinks.
fn letters(call: &Call<'_>, index: usize) -> Result<SequenceSet, Condition> {
    let messages = Messages::new(messages(call, index)?, false);
    sets::check_numbers(call, index, &messages)?;
    Ok(messages.set().clone())
}

/// Announces the letters of `with-read-ahead` to the client.
pub(super) fn read_ahead(call: &Call<'_>, mailbox: &PopMailbox, window: Option<usize>) -> Answer {
    refuse_uid(call)?;
    let (messages, (_, lines)) = (letters(call, 1)?, lines_of(call, 2)?);
    operate(call, mailbox, |client| {
        window.into_iter().for_each(|window| client.set_window(window));
        client.expect(numbers_within(&messages, client.count()), lines)
    })?;
    Ok(host::truth(true))
}

fn letter_value(letter: Content, texts: Texts) -> Result<Value, Error> {
    Ok(match (texts, letter.in_memory()) {
        (Texts::Strings, Some(bytes)) => host::string(text(bytes)),
        (Texts::Raw, Some(_)) => host::bytes(letter.into_bytes()?),
        (_, None) => large(&letter, texts)?,
    })
}

pub(super) fn fetch_letter(call: &Call<'_>, mailbox: &Arc<PopMailbox>) -> Answer {
    refuse_uid(call)?;
    if let Some(parts) = call.arg(2) {
        return Err(call.wrong("parts", "nothing: a POP mailbox gives whole letters", parts));
    }
    let message = letter(call)?;
    let texts = texts(call);
    pipeline::perform_letter(call, mailbox, message, move |letter| letter_value(letter, texts))
}

pub(super) fn top_lines(call: &Call<'_>) -> Answer {
    let message = letter(call)?;
    let lines = call.integer(2, 0..=i64::from(u32::MAX))?;
    on_pop_mailbox(call, |client| {
        letter_value(client.content(message, u32::try_from(lines).ok())?, Texts::Strings)
    })
}

pub(super) fn unique_id(call: &Call<'_>) -> Answer {
    if call.arg(1).is_some_and(|message| !host::is_nil(message)) {
        let message = letter(call)?;
        return Ok(host::string(on_pop_mailbox(call, |client| client.unique_id(message))?));
    }
    let ids = on_pop_mailbox(call, PopClient::unique_ids)?;
    if let Some(mailbox) = pop_mailbox(call, 0) {
        mailbox.extra::<Reconnection>().numbers_are_new();
    }
    let pair = |(number, id): (u32, String)| {
        host::list(vec![host::integer(i64::from(number)), host::string(id)])
    };
    Ok(host::list(ids.into_iter().map(pair).collect()))
}

pub(super) fn reset_mailbox(call: &Call<'_>) -> Answer {
    on_pop_mailbox(call, PopClient::reset)?;
    Ok(host::truth(true))
}

pub(super) fn delete_letter(call: &Call<'_>, mailbox: &PopMailbox) -> Answer {
    refuse_uid(call)?;
    if let Some(expunge) = call.key("expunge") {
        return Err(call.wrong(
            "expunge",
            "nothing: a POP mailbox removes letters at close-connection",
            expunge,
        ));
    }
    let messages = letters(call, 1)?;
    operate(call, mailbox, |client| {
        let last = client.count();
        let mut numbers = numbers(&messages, last);
        // A range may end far beyond the last letter. Marking stops at the first number that the
        // server refuses.
        loop {
            let some: Vec<u32> = numbers.by_ref().take(AT_ONCE).collect();
            if some.is_empty() {
                return Ok(());
            }
            client.delete(&some)?;
        }
    })?;
    Ok(host::truth(true))
}

/// How many letters one call of the client marks.
const AT_ONCE: usize = 1_000;

/// Returns the numbers of a set, in its order; `:*` is the last letter.
fn numbers(set: &SequenceSet, last: u32) -> impl Iterator<Item = u32> {
    let number = move |bound: Bound| match bound {
        Bound::Number(number) => number.get(),
        Bound::Last => last,
    };
    set.ranges().iter().flat_map(move |&(first, second)| {
        let (first, second) = (number(first), number(second));
        first.min(second)..=first.max(second)
    })
}

/// Returns the numbers of a set up to that of the last letter.
pub(super) fn numbers_within(set: &SequenceSet, last: u32) -> impl Iterator<Item = u32> {
    let clipped = set.ranges().iter().filter_map(move |&(first, second)| {
        let [first, second] = [first, second]
            .map(|bound| if let Bound::Number(number) = bound { number.get() } else { last });
        let (low, high) = (first.min(second), first.max(second).min(last));
        (low <= high).then_some(low..=high)
    });
    clipped.flatten()
}

/// Returns the numbers of a set that exist.
pub(super) fn existing(call: &Call<'_>, messages: &SequenceSet) -> Result<Vec<u32>, Condition> {
    refuse_uid(call)?;
    on_pop_mailbox(call, |client| {
        let there: std::collections::HashSet<u32> =
            client.sizes()?.into_iter().map(|(number, _)| number).collect();
        Ok(numbers_within(messages, client.count())
            .filter(|number| there.contains(number))
            .collect())
    })
}

pub(super) fn write_letter(
    call: &Call<'_>,
    mailbox: &PopMailbox,
    message: u32,
    path: &str,
    to: &mut dyn Write,
) -> Result<bool, Condition> {
    refuse_uid(call)?;
    operate(call, mailbox, |client| {
        client.retrieve(message, None, &mut |piece| {
            to.write_all(piece).map_err(|cause| Error::File { path: path.to_owned(), cause })
        })
    })?;
    Ok(true)
}

/// Reads the parts: `body[]` means RETR, `body[header]` means TOP with no lines.
fn lines_of(call: &Call<'_>, index: usize) -> Result<(&'static str, Option<u32>), Condition> {
    match call.string(index)?.trim().to_ascii_lowercase().as_str() {
        "body[]" | "body.peek[]" => Ok(("BODY[]", None)),
        "body[header]" | "body.peek[header]" => Ok(("BODY[HEADER]", Some(0))),
        _ => Err(Condition::syntax(format!(
            "{}: parts: expected \"body[]\" or \"body[header]\" for a POP mailbox, got {:?}",
            call.name(),
            call.string(index)?
        ))),
    }
}

pub(super) fn letter_batches(call: &Call<'_>, mailbox: &PopMailbox) -> Answer {
    refuse_uid(call)?;
    let (messages, (_, lines)) = (letters(call, 2)?, lines_of(call, 3)?);
    if messages.is_empty() {
        return Ok(host::nil());
    }
    let sizes: std::collections::HashMap<u32, u64> =
        operate(call, mailbox, PopClient::sizes)?.into_iter().collect();
    let last = mailbox.client().count();
    let (mut batches, mut batch, mut bytes) = (Vec::new(), Vec::new(), 0);
    for number in numbers_within(&messages, last).filter(|number| sizes.contains_key(number)) {
        let size = if lines.is_some() { 0 } else { sizes[&number] };
        if batch.len() >= BATCH_MESSAGES || (bytes + size > BATCH_BYTES && !batch.is_empty()) {
            batches.push(host::list(std::mem::take(&mut batch)));
            bytes = 0;
        }
        batch.push(host::integer(i64::from(number)));
        bytes += size;
    }
    if !batch.is_empty() {
        batches.push(host::list(batch));
    }
    Ok(host::list(batches))
}

pub(super) fn fetch_letters(call: &Call<'_>, mailbox: &PopMailbox) -> Answer {
    let (numbers, texts) = (existing(call, &letters(call, 1)?)?, texts(call));
    let mut letters = Vec::new();
    operate(call, mailbox, |client| {
        client.letters(&numbers, &[], None, &mut |number, letter| {
            letters.push(host::list(vec![
                host::integer(i64::from(number)),
                letter_value(letter, texts)?,
            ]));
            Ok(())
        })
    })?;
    Ok(host::list(letters))
}

pub(super) fn fetch_batch(call: &Call<'_>, mailbox: &PopMailbox) -> Answer {
    let (batch, (name, lines), next, texts) =
        (letters(call, 1)?, lines_of(call, 2)?, messages(call, 3)?, texts(call));
    let mut items = Vec::new();
    operate(call, mailbox, |client| {
        let [batch, next] =
            [batch, next].map(|batch| numbers_within(&batch, client.count()).collect::<Vec<u32>>());
        client.letters(&batch, &next, lines, &mut |number, letter| {
            let parts = host::list(vec![host::string(name), letter_value(letter, texts)?]);
            items.push(host::list(vec![host::integer(i64::from(number)), parts]));
            Ok(())
        })
    })?;
    Ok(host::list(items))
}
