//! What is new since last time: `new-letters`, `commit-cursor`, `with-new-letters`.
//!
//! A cursor is a name that a script gives to its place in a mailbox. `new-letters` finds the letters
//! above that place and remembers, on the mailbox object, where it has looked ([`Found`]);
//! `commit-cursor` writes that place into the state database. Letters that arrive between the two
//! are above it, and a script that ends before it commits gets the same letters again.
//!
//! The first call makes the cursor. After a change of UIDVALIDITY the UIDs mean other letters. Then
//! `new-letters` signals `:uid-validity-changed`; its restarts begin as the first call would
//! (`start-over`), or tell the letters that were there before by Message-ID, date and size
//! (`resynchronise`).

use super::Answer;
use super::letter_sets::letters_with;
use super::looking::{Look, Looked, account_of, beginning, look_for};
use super::mailbox::{mailbox_at, on_mailbox};
use super::objects::ImapMailbox;
use super::selection::folded;
use super::sets::required;
use super::state::state;
use crate::client::Error;
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Function, Run};
use crate::state::{Cursor, CursorKey, Database, Known, StateError, now};
use std::sync::{Arc, Mutex, PoisonError};

/// The rows of the topic "New since last time".
pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "new-letters",
        "(mb cursor &key from)",
        "The letters of the selected mailbox that arrived since the cursor was committed, a set in the mailbox's order.
mb: a mailbox object. cursor: the script's name for its place in the mailbox, a symbol or a string; scripts with other names have places of their own. :from  where a cursor begins that is not there yet: :now (the default), after the letters that are there, of which none is new; :all, before them; or a date, before the letters that arrived on that day or later.
The cursor stays where it is until commit-cursor, so a script that ends before gets the same letters again. Cursors belong to the account (user, host and port) and the mailbox, and are kept in the state database of the user; those of a sandbox end with it.
Errors: :error-response when no mailbox is selected; :uid-validity-changed when the server has given the mailbox new UIDs, with the restarts start-over, which begins as :from says, and resynchronise, which tells the letters that are not new by Message-ID, date and size; :unsupported when the server tells no UIDVALIDITY; :file when the state database cannot be used.",
        Run::Scheme(
            "(lambda (mb cursor &key (from :now))
               (restart-case (%new-letters mb cursor from nil)
                 (start-over () :report \"Begin again as :from says.\" (%new-letters mb cursor from :start-over))
                 (resynchronise () :report \"Tell the letters that are not new by Message-ID, date and size.\" (%new-letters mb cursor from :resynchronise))))",
        ),
    ).refused(),
    Function::native(
        "%new-letters",
        "(mb cursor from how)",
        new_letters,
        "Does the work of new-letters. how: nil, :start-over or :resynchronise.",
    ).inside_of("new-letters").refused(),
    Function::native(
        "commit-cursor",
        "(mb cursor)",
        commit_cursor,
        "Moves a cursor behind the letters that the last new-letters on this mailbox object returned: they are not new any more. Returns t, or nil if there were none.
mb: a mailbox object. cursor: the name that new-letters was given. Another mailbox may be selected meanwhile; of several mailboxes with a cursor of that name, it is the one that new-letters was called for last.
Errors: :syntax-error when new-letters was not called for this cursor since the last commit; :in-doubt when another process has committed the cursor meanwhile, so that letters may have been handled twice; :file when the state database cannot be written.",
    ).refused(),
    Function::new(
        "with-new-letters",
        "((var mb cursor . keys) . body)",
        "Runs the body with var bound to the new letters, as new-letters returns them, and commits the cursor when the body has ended. Returns the body's value. If the body ends by an error or a jump, the cursor stays, and the next call gets the same letters again.
mb, cursor, keys: as for new-letters. Errors: those of new-letters, of commit-cursor and of the body.",
        Run::Macro(
            "(syntax-rules ()
               ((_ (var mb cursor . keys) body ...)
                (let ((mailbox mb) (name cursor))
                  (let ((var (new-letters mailbox name . keys)))
                    (prog1 (progn body ...) (commit-cursor mailbox name))))))",
        ),
    ).refused(),
];

/// Where `new-letters` has looked, until it is committed.
#[derive(Default)]
struct Uncommitted(Mutex<Vec<Found>>);

struct Found {
    key: CursorKey,
    /// The place to commit.
    cursor: Cursor,
    /// Whether the place is another one than that in the database.
    moves: bool,
}

fn cursor_name(call: &Call<'_>) -> Result<String, Condition> {
    call.typed(1, "the name of a cursor, a symbol or a string", |value| {
        let name = host::as_str(value).or_else(|| host::as_symbol(value));
        name.or_else(|| host::as_keyword(value)).filter(|name| !name.is_empty()).map(str::to_owned)
    })
}

fn failed(call: &Call<'_>, error: &StateError) -> Condition {
    Condition::new(Identifier::File, format!("{}: {error}", call.name()))
}

/// Runs a query on the state database.
fn with_database<T>(
    call: &Call<'_>,
    query: impl FnOnce(&Database) -> Result<T, StateError>,
) -> Result<T, Condition> {
    state(call).database.with(query).map_err(|error| failed(call, &error))
}

fn new_letters(call: &Call<'_>) -> Answer {
    let name = cursor_name(call)?;
    let beginning = beginning("new-letters", required(call, 2))?;
    let mailbox = mailbox_at(call, 0)?;
    let (key, uid_validity) = on_mailbox(call, |client| {
        let selected = client.selected().filter(|selected| selected.is_open());
        let selected = selected.ok_or(Error::NothingSelected)?;
        let uid_validity = selected.uid_validity.ok_or_else(|| {
            Error::Unsupported("the server tells no UIDVALIDITY, which a cursor needs".into())
        })?;
        let mailbox = folded(&selected.name).to_owned();
        Ok((CursorKey { account: account_of(client), mailbox, name: name.clone() }, uid_validity))
    })?;
    let stored = with_database(call, |database| database.cursor(&key))?;
    let revision = stored.as_ref().map_or(0, |cursor| cursor.revision);
    let (look, known) = match (stored, host::as_keyword(required(call, 3))) {
        (None, _) | (Some(_), Some("start-over")) => (beginning, Known::default()),
        (Some(cursor), _) if cursor.uid_validity == uid_validity => {
            (Look::Above(cursor.uid), cursor.known)
        }
        (Some(cursor), Some("resynchronise")) => (Look::Unknown(cursor.known), Known::default()),
        (Some(cursor), _) => return Err(changed(&key, &cursor, uid_validity)),
    };
    let looked = on_mailbox(call, |client| {
        let is_same = client.selected().and_then(|it| it.uid_validity) == Some(uid_validity);
        if !is_same {
            return Ok(None);
        }
        client.noop()?;
        look_for(client, &look, known).map(Some)
    })?;
    let Some(Looked { uids, upto, known, .. }) = looked else {
        let cursor = Cursor { uid_validity, ..Cursor::default() };
        return Err(changed(&key, &cursor, 0));
    };
    let cursor = Cursor { uid_validity, uid: upto, known, revision, committed: 0 };
    let moves = !matches!(look, Look::Above(uid) if uid == upto);
    let mut found = Found { key, cursor, moves };
    if matches!(look, Look::Nowhere) {
        // The place is where the letters ended now, whatever the script does next.
        store(call, &mut found)?;
    }
    let uncommitted = mailbox.extra::<Uncommitted>();
    let mut uncommitted = uncommitted.0.lock().unwrap_or_else(PoisonError::into_inner);
    uncommitted.retain(|other| other.key != found.key);
    uncommitted.push(found);
    drop(uncommitted);
    letters_with(call, &mailbox, uids)
}

fn changed(key: &CursorKey, cursor: &Cursor, now: u32) -> Condition {
    let now = if now == 0 { "now".to_owned() } else { format!("now it is {now}") };
    let message = format!(
        "new-letters: {:?} has another UIDVALIDITY than the cursor {:?} ({}; {now}), so it cannot be told by UIDs which letters are new",
        key.mailbox, key.name, cursor.uid_validity
    );
    Condition::new(Identifier::UidValidityChanged, message)
}

/// Stores a place, and notes that it is stored.
fn store(call: &Call<'_>, found: &mut Found) -> Result<(), Condition> {
    let stored = with_database(call, |database| {
        database.commit_cursor(&found.key, &found.cursor, now() / 1000)
    })?;
    if !stored {
        let message = format!(
            "{}: another process has committed the cursor {:?} of {:?} meanwhile; letters may have been handled twice",
            call.name().trim_start_matches('%'),
            found.key.name,
            found.key.mailbox
        );
        return Err(Condition::new(Identifier::InDoubt, message));
    }
    found.cursor.revision += 1;
    found.moves = false;
    Ok(())
}

fn commit_cursor(call: &Call<'_>) -> Answer {
    let name = cursor_name(call)?;
    let mailbox: Arc<ImapMailbox> = mailbox_at(call, 0)?;
    let uncommitted = mailbox.extra::<Uncommitted>();
    let mut uncommitted = uncommitted.0.lock().unwrap_or_else(PoisonError::into_inner);
    // Of several mailboxes the last one: what became of the others is not known.
    let last = uncommitted.iter().rposition(|found| found.key.name == name);
    let found = last.map(|last| uncommitted.remove(last));
    drop(uncommitted);
    let Some(mut found) = found else {
        let message = format!(
            "commit-cursor: new-letters was not called for the cursor {name:?} on this mailbox object since the last commit"
        );
        return Err(Condition::new(Identifier::SyntaxError, message));
    };
    let moves = found.moves;
    if moves {
        store(call, &mut found)?;
    }
    Ok(host::truth(moves))
}
