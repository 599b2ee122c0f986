//! `watch`: calls a procedure with each letter that arrives, on many mailboxes, for months.
//!
//! ```text
//! post    a mailbox of an account, with the cursor that says which letters are new, and a procedure
//! link    a connection, which serves one or more posts of an account
//! ```
//!
//! The loop is in Scheme, because only it can call a procedure: `%watch-next` returns the next letters
//! and waits for them, the procedure handles them, `%watch-done` writes down how it ended.
//!
//! Nothing is handled twice or forgotten by way of the state database. New letters are written
//! down there in the same transaction that moves the cursor behind them, and each is
//! crossed out when its procedure has ended. A process that is killed finds the rest when it is started
//! again; only a letter whose procedure was running is handled once more.
//!
//! | file | contents |
//! |---|---|
//! | `watcher` | the watch: the loop, waiting for all connections at once; `links`: what becomes of them; `handling`: which letter is next |
//! | `link` | a connection and its jobs, which run in threads |
//! | `intake` | finds what is new in a mailbox, and writes it down |
//! | `events` | what happens, for logs; what the program wants |

mod events;
mod intake;
mod link;
mod watcher;

pub use events::{Event, Means, Supervisor, What, spoken};

use super::Answer;
use super::connections::{IMAP_ARGUMENTS, IMAP_TYPES, imap_arguments};
use super::looking::beginning;
use super::pipeline;
use super::reconnection::How;
use super::sets::required;
use super::state::state;
use crate::client::Error;
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Context, Function, Run, Type, Value};
use link::Account;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use watcher::{Next, Post, Supervised, Watcher, Way};

/// The rows of the topic "Watching".
pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "watch",
        "(watches &key timeout once count attempts retry-after batch connections keep-alive)",
        "Waits for new letters in many mailboxes at once, and calls a procedure with each. It goes on until Ctrl-C, or until the time is up.
watches: a list of (account mailbox cursor procedure . keys). account: the name of an account from define-account, a symbol or a string. mailbox: a string. cursor: the script's name for its place in the mailbox, as for new-letters. procedure: called as (procedure mb letters) with the connection, on which the mailbox is selected, and the set of new letters, one unless :batch says more. keys: :from  where a cursor begins that is not there yet, as for new-letters: :now (the default), :all or a date.
:timeout  seconds; without it, it goes on for ever. :once  t handles what is there now, and ends then. :count  ends when so many letters were handled. :batch  the most letters in one call, 1. :connections  the most connections for each account, 10. A server with NOTIFY (RFC 5465) tells of all mailboxes over one; on others each mailbox has one of its own, with IDLE, and those beyond the limit are asked for again and again. :keep-alive  seconds after which an idle connection is tried, 240, on this machine 1680.
:attempts  how often a letter is tried whose procedure signals an error, 5; then it is set aside, which postoffice watch --failed shows. :retry-after  a list of seconds to wait after each attempt, (60 300 1800); the last one counts for all further ones. Others go on meanwhile.
Letters are written down in the state database before they are handled, and crossed out after: a watch that is ended at any moment, and started again, handles each letter that it has not. A letter whose procedure was running then is handled again, and so is one whose procedure lost the connection. Lost connections are made again, after pauses that grow to five minutes; one slow server delays no other. After a change of UIDVALIDITY new letters are told by Message-ID, date and size.
Procedures are called one after the other. Each account needs a password that can be looked up without asking.
Returns how many letters were handled. Errors: :in-doubt when another process watches with the same cursor; :file when the state database cannot be used; with :once, that of a server that could not be reached. :syntax-error for a wrong list.",
        Run::Scheme(
            "(lambda (watches . options)
               (let* ((made '())
                      (reached
                        (lambda (account)
                          (let* ((found (%account account)) (known (assoc (%car found) made)))
                            (if known
                                (cdr known)
                                (let ((new (apply %imap-account (%cdr (%account-call (%car found) (funcall (%cdr found)) :imap)))))
                                  (setq made (cons (cons (%car found) new) made))
                                  new)))))
                      (posts (mapcar (lambda (one) (cons (reached (car one)) one)) (%watches watches)))
                      (watcher (apply %watcher posts options)))
                 (unwind-protect
                   (do ((next (%watch-next watcher) (%watch-next watcher)))
                       ((null next) (%watch-count watcher))
                     (let ((procedure (nth 3 (nth (first next) watches))))
                       (%watch-done watcher
                         (handler-case (progn (funcall procedure (second next) (third next)) nil)
                           (error (c) c)))))
                   (%watch-end watcher))))",
        ),
    ).typed(&[
        ("timeout", Type::Seconds),
        ("once", Type::Truth),
        ("count", Type::Integer(1, i64::MAX)),
        ("attempts", Type::Integer(1, 1_000)),
        ("retry-after", Type::List),
        ("batch", Type::Integer(1, 10_000)),
        ("connections", Type::Integer(1, 10_000)),
        ("keep-alive", Type::Seconds),
    ]).refused(),
    Function::native(
        "%imap-account",
        IMAP_ARGUMENTS,
        imap_account,
        "Returns how an account is reached, from the arguments of make-imap-connection. Connects to nothing.",
    ).typed(IMAP_TYPES).inside_of("watch").refused(),
    Function::native(
        "%watches",
        "(watches)",
        check_watches,
        "Checks the argument of watch. Returns it. Errors: :syntax-error.",
    ).inside_of("watch").refused(),
    Function::native(
        "%watcher",
        "(posts &key timeout once count attempts retry-after batch connections keep-alive)",
        make_watcher,
        "Begins a watch. posts: the argument of watch, each with its account in front. Returns an object.",
    ).inside_of("watch").refused(),
    Function::native(
        "%watch-next",
        "(watcher)",
        next,
        "Waits for letters. Returns (number mb letters), or nil when the watch is over.",
    ).inside_of("watch").refused(),
    Function::native(
        "%watch-done",
        "(watcher failure)",
        done,
        "Notes how the procedure has ended. failure: its condition, or nil. Returns nil.",
    ).inside_of("watch").refused(),
    Function::native(
        "%watch-count",
        "(watcher)",
        |call| Ok(host::integer(i64::try_from(watcher(call)?.lock().handled()).unwrap_or(i64::MAX))),
        "Returns how many letters were handled.",
    ).inside_of("watch").refused(),
    Function::native(
        "%watch-end",
        "(watcher)",
        |call| {
            watcher(call)?.lock().end(call);
            Ok(host::nil())
        },
        "Ends a watch: logs out everywhere. Returns nil.",
    ).inside_of("watch").refused(),
];

/// Lets a supervisor see the watches of the host that has this context, and end them.
pub fn supervise(context: &Context, supervisor: Arc<dyn Supervisor>) {
    context.set_state(Supervised(supervisor));
}

/// The object that the loop holds.
struct Held(Mutex<Watcher>);

impl Held {
    fn lock(&self) -> MutexGuard<'_, Watcher> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn watcher(call: &Call<'_>) -> Result<Arc<Held>, Condition> {
    call.native::<Held>(0, "a watch")
}

fn imap_account(call: &Call<'_>) -> Answer {
    let (host, login, options) = imap_arguments(call)?;
    let login = login.standing(call, &host)?;
    let how = Arc::new(How::new(login, options));
    Ok(host::object(Arc::new(Account { host, how }), "#<account>"))
}

/// One watch, as the script gives it.
struct Given {
    account: String,
    mailbox: String,
    cursor: String,
    from: Value,
}

const EXPECTED: &str = "a list of watches such as (work \"inbox\" filer procedure), of an account, a mailbox, a cursor and a procedure";

/// A symbol or a string.
fn name(value: &Value) -> Option<String> {
    let symbol = host::as_symbol(value).filter(|name| !name.starts_with(':'));
    let name = symbol.or_else(|| host::as_str(value)).or_else(|| host::as_keyword(value));
    name.filter(|name| !name.is_empty()).map(str::to_owned)
}

fn given(watch: &[Value]) -> Option<Given> {
    let [account, mailbox, cursor, procedure, keys @ ..] = watch else { return None };
    let from = match keys {
        [] => host::keyword("now"),
        [key, from] if host::as_keyword(key) == Some("from") => from.clone(),
        _ => return None,
    };
    let is_name = |name: &&str| !name.is_empty() && !name.contains(['\r', '\n', '\0']);
    let mailbox = host::as_str(mailbox).filter(is_name)?.to_owned();
    let (account, cursor) = (name(account)?, name(cursor)?);
    host::is_procedure(procedure).then_some(Given { account, mailbox, cursor, from })
}

fn check_watches(call: &Call<'_>) -> Answer {
    pipeline::check(call)?;
    if state(call).mirrors.is_some() {
        let what = "what arrives while the script waits".to_owned();
        return Err(super::operation::failed(call, &Error::CannotForesee(what)));
    }
    let value = required(call, 0);
    let wrong = |value| host::wrong_argument("watch", "watches", EXPECTED, value);
    let items: Vec<Value> = host::as_list(value).ok_or_else(|| wrong(value))?.collect();
    if items.is_empty() {
        return Err(wrong(value));
    }
    let mut known = HashSet::new();
    for item in &items {
        let watch: Option<Vec<Value>> = host::as_list(item).map(Iterator::collect);
        let Given { account, mailbox, cursor, from } =
            watch.and_then(|watch| given(&watch)).ok_or_else(|| wrong(item))?;
        beginning("watch", &from)?;
        let mailbox = super::selection::folded(&mailbox).to_owned();
        if !known.insert((account, mailbox, cursor)) {
            let expected = "each account, mailbox and cursor once";
            return Err(host::wrong_argument("watch", "watches", expected, item));
        }
    }
    Ok(value.clone())
}

fn make_watcher(call: &Call<'_>) -> Answer {
    let seconds = |key: &str| {
        let seconds = call.key(key).and_then(host::as_float);
        seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
    };
    let number = |key: &str, default: usize| {
        let number = call.key(key).and_then(host::as_integer);
        number.and_then(|number| usize::try_from(number).ok()).unwrap_or(default)
    };
    let way = Way {
        until: seconds("timeout").and_then(|timeout| Instant::now().checked_add(timeout)),
        once: call.key("once").is_some_and(host::is_true),
        count: call.key("count").and_then(host::as_integer).and_then(|it| u64::try_from(it).ok()),
        attempts: u32::try_from(number("attempts", 5)).unwrap_or(u32::MAX),
        retry_after: retry_after(call)?,
        batch: number("batch", 1),
        connections: number("connections", 10),
        keep_alive: seconds("keep-alive"),
    };
    let mut accounts: Vec<(String, Arc<Account>)> = Vec::new();
    let mut posts = Vec::new();
    for post in host::as_list(required(call, 0)).into_iter().flatten() {
        let items: Vec<Value> = host::as_list(&post).into_iter().flatten().collect();
        let Some((reached, watch)) = items.split_first() else { continue };
        let (Some(reached), Some(watch)) = (host::downcast::<Arc<Account>>(reached), given(watch))
        else {
            continue; // %watches has checked it
        };
        let from = beginning("watch", &watch.from)?;
        if !accounts.iter().any(|(name, _)| *name == watch.account) {
            accounts.push((watch.account.clone(), (*reached).clone()));
        }
        posts.push(Post::new(watch.account, watch.mailbox, watch.cursor, from));
    }
    let watcher = Watcher::new(call, way, posts, &accounts)?;
    Ok(host::object(Held(Mutex::new(watcher)), "#<watch>"))
}

fn retry_after(call: &Call<'_>) -> Result<Vec<Duration>, Condition> {
    let Some(value) = call.key("retry-after").filter(|value| host::is_true(value)) else {
        return Ok([60, 300, 1800].map(Duration::from_secs).to_vec());
    };
    let seconds = |item: Value| {
        host::as_float(&item).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
    };
    let all: Option<Vec<Duration>> = host::as_list(value).and_then(|mut items| {
        items.try_fold(Vec::new(), |mut all, item| {
            all.push(seconds(item)?);
            Some(all)
        })
    });
    all.ok_or_else(|| {
        host::wrong_argument("watch", ":retry-after", "a list of seconds such as (60 300)", value)
    })
}

fn next(call: &Call<'_>) -> Answer {
    let next = watcher(call)?.lock().next(call)?;
    Ok(next.map_or_else(host::nil, |Next { post, mailbox, letters }| {
        let number = host::integer(i64::try_from(post).unwrap_or(0));
        host::list(vec![number, mailbox, letters])
    }))
}

fn done(call: &Call<'_>) -> Answer {
    let failure = required(call, 1);
    let condition = host::is_true(failure).then(|| {
        host::condition_of(failure).unwrap_or_else(|| {
            let message = "the procedure has signalled something that is no condition";
            Arc::new(Condition::new(Identifier::ProgramError, message))
        })
    });
    watcher(call)?.lock().done(call, condition.as_deref())?;
    Ok(host::nil())
}
