//! The restart `reconnect`, and `with-reconnect`.
//!
//! A mailbox object keeps how its connection was made. When a call finds the connection lost, its
//! condition offers `reconnect`, whose work `%reconnect` does:
//!
//! 1. It logs in as before. A password from a program, a file, a variable or the keyring is looked up
//!    again, so a token may be a new one.
//! 2. It asks the client whether the call may be made again, by the deeds that the lost call has
//!    done or may have done (see `client::reconnecting`).
//! 3. It selects the same mailbox, and puts the new client into the object.
//! 4. If the call may not be made again, it returns an `:in-doubt` condition, which the call then
//!    signals.
//!
//! If letters may have left the mailbox meanwhile, the numbers that the script holds may be other
//! letters now. Calls with message numbers are refused then, until the script asks for numbers
//! again. A new UIDVALIDITY leaves no mailbox selected, so that no UID is used either.
//!
//! The same is done for the objects of POP and SMTP connections; `client::remaking` says what a lost
//! one has left behind.

use super::letter_sets;
use super::objects::{Client, Held, ImapMailbox, PopMailbox, SmtpConnection};
use super::pipeline;
use super::progress::Progress;
use super::reconnection::{How, Reconnection};
use super::sets::required;
use super::shifting::Given;
use super::state::state;
use crate::client::{Credentials, Error, Found, ImapClient, Repeat, SmtpClient};
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Function, Run, Type, Value};
use crate::proto::witness::Ending;
use std::sync::Arc;

/// The rows of the topic "Connections" about lost ones.
pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "with-reconnect",
        "((&key attempts backoff longest) . body)",
        "Runs the body. When a call in it finds the connection of its mailbox lost, or gets no answer in time, it connects again and makes the call again, as the restart reconnect does. No handler sees the error, unless all attempts fail.
:attempts  how often it tries in a row, 5. :backoff  seconds before the second attempt, 1; each further attempt waits twice as long, with some chance in it. :longest  the longest wait in seconds, 300. The first attempt is made at once.
A call is made again only if nothing of it can be done twice: it reads, it was not sent whole, doing it twice is the same, or the server says that it did not happen. Otherwise it signals :in-doubt, which says what is known, with the restarts retry, use-value and skip.
If letters may have left the mailbox meanwhile, calls with message numbers signal :in-doubt until numbers are asked for again by search-mailbox, mailbox-message-count or select-mailbox. With another UIDVALIDITY no mailbox is selected.
The mailbox object stays the same. expunge-mailbox that is made again returns only the numbers that the server reports then, with a warning. A with-reconnect inside another takes its place. It does nothing for a connection that was closed by close-connection.
On a POP mailbox numbers stay good if the unique ids say that all letters have theirs; otherwise calls with numbers signal :in-doubt until mailbox-message-count or unique-id is called. The server has forgotten the marks of delete-letter and removed nothing: if there were any, the call signals :in-doubt, which names them.
A letter that is sent over an SMTP connection is sent again unless it had been sent whole; then the call signals :in-doubt.
Returns the value of the body's last form. Errors: those of the body.",
        Run::Macro("(syntax-rules (nil)
               ((_ nil body ...) (%with-reconnect (lambda () body ...)))
               ((_ () body ...) (%with-reconnect (lambda () body ...)))
               ((_ (key value . options) body ...) (%with-reconnect (lambda () body ...) key value . options)))"),
    ).checked(),
    Function::new(
        "%with-reconnect",
        "(thunk &key attempts backoff longest)",
        "Does the work of with-reconnect. thunk: the body. Returns its value.",
        Run::Scheme(
            "(lambda (thunk . options)
               (let* ((checked (apply %reconnect-options options))
                      (attempts (first checked)) (backoff (second checked)) (longest (third checked))
                      (failed 0) (seen %recoveries))
                 (%reconnecting t)
                 (unwind-protect
                     (%persisting
                       (lambda ()
                         (unless (= seen %recoveries) (setq seen %recoveries) (setq failed 0))
                         (when (< failed attempts)
                           (when (> failed 0)
                             (sleep (min longest (* backoff (expt 2 (- failed 1)) (+ 0.5 (random 0.5))))))
                           (incf failed)
                           t))
                       thunk)
                   (%reconnecting nil))))",
        ),
    ).inside_of("with-reconnect").checked(),
    Function::native(
        "%reconnect-options",
        "(&key attempts backoff longest)",
        options,
        "Checks the options of with-reconnect. Returns a list of them, with the defaults in place of nil.",
    ).typed(&[("attempts", Type::Integer(0, 1_000)), ("backoff", Type::Seconds), ("longest", Type::Seconds)])
    .inside_of("with-reconnect").checked(),
    Function::native(
        "%reconnecting",
        "(begins)",
        reconnecting,
        "Notes that the body of a with-reconnect begins or, with nil, that it ends. Returns nil.",
    ).inside_of("with-reconnect").checked(),
    Function::native(
        "%reconnect",
        "(function arguments message &key password)",
        reconnect,
        "Connects the lost connections among the arguments of a call again. message: that of its error. :password  a new password or token. Returns nil, or the condition that says why the call must not be made again.",
    ).inside_of("reconnect").checked(),
];

fn options(call: &Call<'_>) -> Result<Value, Condition> {
    let defaults = [("attempts", 5), ("backoff", 1), ("longest", 300)];
    let given = |(key, default)| {
        call.key(key).cloned().filter(host::is_true).unwrap_or_else(|| host::integer(default))
    };
    Ok(host::list(defaults.map(given).to_vec()))
}

fn reconnecting(call: &Call<'_>) -> Result<Value, Condition> {
    state(call).set_reconnects(host::is_true(required(call, 0)));
    Ok(host::nil())
}

/// An object whose connection is lost.
pub(super) enum Lost {
    Imap(Arc<ImapMailbox>),
    Pop(Arc<PopMailbox>),
    Smtp(Arc<SmtpConnection>),
}

impl Lost {
    fn host(&self) -> String {
        match self {
            Lost::Imap(mailbox) => mailbox.client().host().to_owned(),
            Lost::Pop(mailbox) => mailbox.client().host().to_owned(),
            Lost::Smtp(connection) => connection.client().host().to_owned(),
        }
    }

    fn reconnection(&self) -> Arc<Reconnection> {
        match self {
            Lost::Imap(mailbox) => mailbox.extra(),
            Lost::Pop(mailbox) => mailbox.extra(),
            Lost::Smtp(connection) => connection.extra(),
        }
    }
}

/// Returns whether a call with these arguments has lost its connection and can get another.
pub(super) fn applies(arguments: &[Value]) -> bool {
    !lost(arguments).is_empty()
}

/// The objects whose connection is lost, with how it was made.
fn lost(arguments: &[Value]) -> Vec<(Lost, Arc<How>)> {
    let imap = mailboxes(arguments)
        .filter_map(|mailbox| how_if_lost(&mailbox).map(|how| (Lost::Imap(mailbox), how)));
    let others = arguments.iter().filter_map(|argument| {
        if let Some(mailbox) = host::downcast::<PopMailbox>(argument) {
            return how_if_lost(&mailbox).map(|how| (Lost::Pop(mailbox), how));
        }
        let connection = host::downcast::<SmtpConnection>(argument)?;
        how_if_lost(&connection).map(|how| (Lost::Smtp(connection), how))
    });
    imap.chain(others).collect()
}

fn how_if_lost<C: Client>(held: &Held<C>) -> Option<Arc<How>> {
    let is_lost = held.client_if_free().is_some_and(|client| client.is_closed());
    held.extra::<Reconnection>().how().filter(|_| is_lost)
}

fn mailboxes(arguments: &[Value]) -> impl Iterator<Item = Arc<ImapMailbox>> {
    let mailbox = |argument: &Value| {
        host::downcast::<ImapMailbox>(argument).or_else(|| pipeline::mailbox_of(argument))
    };
    let mailboxes = move |argument| match mailbox(argument) {
        Some(mailbox) => vec![mailbox],
        None => {
            // A list of mailboxes, or (mb "name").
            let items = host::as_list(argument).into_iter().flatten();
            let listed: Vec<_> = items.filter_map(|item| mailbox(&item)).collect();
            [letter_sets::mailboxes_of(argument), listed].concat()
        }
    };
    arguments.iter().flat_map(mailboxes)
}

fn reconnect(call: &Call<'_>) -> Result<Value, Condition> {
    let function = host::as_str(required(call, 0)).unwrap_or("reconnect").to_owned();
    let arguments: Vec<Value> =
        host::as_list(required(call, 1)).map(Iterator::collect).unwrap_or_default();
    let mut lost = lost(&arguments);
    if let Some(password) = call.key_string("password")? {
        call.context().keep_secret(password);
        lost.iter_mut().for_each(|(_, how)| *how = Arc::new(how.with_secret(password)));
    }
    let credentials: Vec<_> = lost
        .iter()
        .map(|(connection, how)| how.credentials(call, &connection.host()))
        .collect::<Result<_, _>>()?;
    let _work = call.context().state::<Progress>().begin(&function);
    let operation = lost.iter().find_map(|(connection, _)| match connection {
        Lost::Imap(mailbox) => mailbox.client().operation(),
        _ => None,
    });
    let mut doubts: Vec<String> = mailboxes(&arguments)
        .filter(|mailbox| !mailbox.client().is_closed())
        .flat_map(|mailbox| done_elsewhere(&mailbox, operation))
        .collect();
    for ((connection, how), credentials) in lost.iter().zip(credentials) {
        let doubt = renew(call, &function, connection, how, credentials.as_ref());
        doubts.extend(doubt.map_err(|error| {
            let condition = Condition::from(&error);
            let identifier = match &error {
                Error::Authentication { words, .. } if is_for_now(words) => {
                    Identifier::ServerShutdownConnection
                }
                _ => condition.identifier,
            };
            let message = format!("{function}: {}", condition.message);
            Condition { identifier, message, ..condition }
        })?);
        connection.reconnection().set_how(Some(how.clone()));
        state(call).readopt(connection);
    }
    if doubts.is_empty() {
        return Ok(host::nil());
    }
    let said = host::as_str(required(call, 2)).unwrap_or_default();
    let said = said.strip_prefix(&format!("{function}: ")).unwrap_or(said);
    let message = format!(
        "{function}: the connection was made anew ({said}), but the call was not made again: {}",
        doubts.join("; ")
    );
    Ok(host::condition_object(Condition::new(Identifier::InDoubt, message)))
}

/// Whether a POP server refuses a login only for now, by its words (RFC 2449 8.1, RFC 3206): it has
/// not noticed yet that the old connection, which locks the mailbox, is lost. Another attempt may
/// succeed.
fn is_for_now(words: &str) -> bool {
    ["[IN-USE]", "[LOGIN-DELAY]", "[SYS/TEMP]"]
        .iter()
        .any(|code| words.get(..code.len()).is_some_and(|start| start.eq_ignore_ascii_case(code)))
}

/// What the call has done on a connection that it has not lost.
fn done_elsewhere(mailbox: &ImapMailbox, operation: Option<u64>) -> Option<String> {
    let client = mailbox.client();
    let done = if client.operation() == operation { client.deeds_done() } else { 0 };
    (done > 0).then(|| format!("{done} changes are done on {}", client.host()))
}

/// Connects again, and puts the new client in the place of the lost one. Returns why the lost call
/// must not be made again, if it must not.
fn renew(
    call: &Call<'_>,
    function: &str,
    connection: &Lost,
    how: &How,
    credentials: Option<&Credentials>,
) -> Result<Option<String>, Error> {
    let (connector, options) = (&state(call).connector, &how.options);
    match (connection, credentials) {
        (Lost::Imap(mailbox), Some(credentials)) => {
            let mut held = mailbox.client();
            let client = held.connect_again(connector, credentials, options)?;
            resume(call, function, mailbox, &mut held, client)
        }
        (Lost::Pop(mailbox), Some(credentials)) => {
            let mut held = mailbox.client();
            let mut client = held.connect_again(connector, credentials, options)?;
            if !client.has_numbers_of(&held)? {
                connection.reconnection().numbers_are_old();
            }
            let doubt = marks_are_gone(function, held.marked_before());
            super::operation::deliver(call.context(), function, client.take_warnings());
            *held = client;
            Ok(doubt)
        }
        (Lost::Smtp(smtp), credentials) => {
            let mut held = smtp.client();
            let helo = how.helo.as_deref();
            let client = SmtpClient::connect(connector, held.host(), helo, credentials, options)?;
            let lost = std::mem::replace(&mut *held, client);
            Ok(match lost.repeat() {
                Repeat::Safe => None,
                Repeat::InDoubt(what) => Some(what),
            })
        }
        // Both are made with a login only.
        (Lost::Imap(_) | Lost::Pop(_), None) => Err(Error::Closed),
    }
}

/// The doubt about a call on a POP mailbox whose letters were marked before it. `reset-mailbox` wants
/// no marks.
fn marks_are_gone(function: &str, marked: &[u32]) -> Option<String> {
    if marked.is_empty() || function == "reset-mailbox" {
        return None;
    }
    let numbers = marked.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    Some(format!(
        "no letter is marked any more, and none was removed; delete-letter had marked {numbers}"
    ))
}

/// Puts a new client in the place of the lost one. Returns why the lost call must not be made
/// again, if it must not.
fn resume(
    call: &Call<'_>,
    function: &str,
    mailbox: &ImapMailbox,
    held: &mut ImapClient,
    mut client: ImapClient,
) -> Result<Option<String>, Error> {
    let reconnection = mailbox.extra::<Reconnection>();
    let by_timeout = reconnection.by_timeout();
    let lost = held.lost(function != "create-mailbox", by_timeout);
    // A call of pipelined-map judges itself: others may have begun since.
    let deeds = held.deeds_of_operation().filter(|_| function != "pipelined-map");
    let repeat = client.repeat(deeds, &lost)?;
    let mut doubt = match repeat {
        Repeat::Safe => None,
        Repeat::InDoubt(what) => {
            let named =
                held.deeds_of_operation().filter(|deed| deed.ending == Ending::Done).count();
            Some(match held.deeds_done() {
                done if done > named as u64 => {
                    format!("{done} changes are done, among them: {what}")
                }
                _ => what,
            })
        }
    };
    let found = match client.reselect(&lost) {
        Err(Error::Refused { completion, .. }) => {
            let name = lost.selected.as_ref().map_or("", |selected| &selected.name);
            doubt.get_or_insert(format!(
                "{name:?} cannot be selected any more ({}), and no mailbox is selected now",
                completion.words()
            ));
            Found::NothingSelected
        }
        found => found?,
    };
    if found == Found::OtherUidValidity {
        doubt.get_or_insert("the mailbox has another UIDVALIDITY, so neither numbers nor unique ids mean the same letters as before; no mailbox is selected now".into());
    }
    let left_out = client.repeat_in_background(held.background_deeds(), found)?;
    let problem = |what: &str| Condition::new(Identifier::Problem, format!("{function}: {what}"));
    if left_out > 0 {
        call.context().warn(problem(&format!(
            "the connection was lost before the server confirmed \\Seen for {left_out} letters that were read ahead; they may still be unseen"
        )));
    }
    let all_are_there = found == Found::SameNumbers && !lost.shifted;
    if function == "expunge-mailbox" && !all_are_there && doubt.is_none() {
        call.context().warn(problem(
            "letters left the mailbox before the connection was made anew; their numbers are not known",
        ));
    }
    if matches!(found, Found::SameNumbers | Found::SameUids) {
        client.keep_saved_of(held);
    }
    match found {
        Found::SameNumbers => mailbox.extra::<Given>().carry_over(held, &client),
        Found::SameUids | Found::OtherUidValidity => {
            reconnection.numbers_are_old();
        }
        Found::NothingSelected => {}
    }
    super::mailbox::deliver_warnings(call.context(), function, &mut client);
    *held = client;
    Ok(doubt)
}
