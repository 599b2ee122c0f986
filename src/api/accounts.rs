//! Accounts: named sets of connection options, for `define-account` and `connect`.
//!
//! The list of accounts is kept in a Scheme closure, `%accounts`. Each entry is a name and a
//! procedure that returns the options, so that printing an entry shows no password. The natives
//! here keep no state: `%check-account` validates the options at definition, `%account-index` finds
//! a name, and `%account-call` turns the options for one side into the arguments of
//! `make-imap-connection`, `make-pop-connection` or `make-smtp-connection`. A password is looked up
//! only when a connection is made.

use super::objects::ImapMailbox;
use super::secret::check_source;
use super::sets::required;
use crate::condition::Condition;
use crate::host::{self, Call, Function, Run, Value};
use crate::shown::escape_controls;

/// The rows of the topic "Accounts".
pub(super) const FUNCTIONS: &[Function] = &[
    Function::native(
        "%check-account",
        "(name options)",
        check_account,
        "Checks the options of an account. Returns its name, a symbol. Errors: :syntax-error.",
    ).checked(),
    Function::new(
        "%accounts",
        "(&rest new)",
        "The accounts, a list of (name . procedure). new: the list that replaces them, if given. A procedure does not print what it returns.",
        Run::Scheme("(let ((known '())) (lambda new (when (pair? new) (set! known (%car new))) known))"),
    ).checked(),
    Function::native(
        "%account-index",
        "(names name)",
        account_index,
        "The position of a name among names, an integer. Errors: :syntax-error when it is not there.",
    ).checked(),
    Function::native(
        "%account-call",
        "(name options &optional side)",
        account_call,
        "The side and the arguments for connecting to an account, a list. Errors: :syntax-error.",
    ).checked(),
    Function::new(
        "%define-account",
        "(name options)",
        "Remembers an account. Returns its name.",
        Run::Scheme(
            "(lambda (name options)
               (let ((name (%check-account name options)))
                 (%account-mailboxes (remove-if (lambda (one) (eq (%car one) name)) (%account-mailboxes)))
                 (%accounts (append (remove-if (lambda (one) (eq (%car one) name)) (%accounts)) (list (cons name (lambda () options)))))
                 name))",
        ),
    ).checked(),
    Function::new(
        "define-account",
        "(name . options)",
        "Remembers an account under a name, for connect. A good place for it is ~/.config/postoffice/init.scm.
name: a symbol, not quoted. options: the keys of make-imap-connection, and :host. Their values are evaluated; a password is looked up only when a connection is made. :port applies to IMAP only.
:imap :pop :smtp  lists of keys and values for one side, such as '(:host \"smtp.example.org\" :port 587); they replace or extend the options above. Returns the name.
Errors: :syntax-error.",
        Run::Macro("(syntax-rules () ((_ name . options) (%define-account 'name (list . options))))"),
    ).checked(),
    Function::new(
        "%account-mailboxes",
        "(&rest new)",
        "The connections of accounts that sets of letters use, a list of (name . mailbox object). new: the list that replaces them, if given.",
        Run::Scheme("(let ((known '())) (lambda new (when (pair? new) (set! known (%car new))) known))"),
    ).inside_of("select-letters").checked(),
    Function::new(
        "%account",
        "(account)",
        "Returns the entry of an account, (name . procedure). Errors: :syntax-error when there is no such account.",
        Run::Scheme(
            "(lambda (account)
               (let ((known (%accounts)))
                 (nth (%account-index (mapcar (lambda (one) (%car one)) known) account) known)))",
        ),
    ).inside_of("connect").checked(),
    Function::new(
        "%account-mailbox",
        "(account)",
        "Returns the connection of an account that sets of letters use. It is made when it is first needed, and anew when it was closed or lost.",
        Run::Scheme(
            "(lambda (account)
               (let* ((name (%car (%account account)))
                      (others (remove-if (lambda (one) (eq (%car one) name)) (%account-mailboxes)))
                      (kept (find-if (lambda (one) (eq (%car one) name)) (%account-mailboxes))))
                 (if (and kept (%open? (%cdr kept)))
                     (%cdr kept)
                     (let ((mb (connect account)))
                       (%account-mailboxes (cons (cons name mb) others))
                       mb))))",
        ),
    ).inside_of("select-letters").checked(),
    Function::native(
        "%open?",
        "(mb)",
        is_open,
        "Whether a connection is open. mb: a mailbox object. Returns t or nil.",
    ).inside_of("select-letters").checked(),
    Function::native(
        "%account?",
        "(value)",
        |call| Ok(host::truth(is_account(required(call, 0)))),
        "Whether a value may name an account. Returns t or nil.",
    ).inside_of("move-letters").checked(),
    Function::new(
        "%destination",
        "(to)",
        "Returns the :to of move-letters, with a mailbox object in place of an account.",
        Run::Scheme(
            "(lambda (to)
               (if (and (consp to) (%account? (%car to))) (list (%account-mailbox (%car to)) (second to)) to))",
        ),
    ).inside_of("move-letters").checked(),
    Function::new(
        "connect",
        "(account &optional side)",
        "Connects to an account. Returns the result of make-imap-connection; for the side :pop that of make-pop-connection, for :smtp that of make-smtp-connection. close-connection closes it.
account: a symbol or a string, the name of an account from define-account. side: :imap, :pop or :smtp.
Errors: :syntax-error when there is no such account, and those of the function that connects.",
        Run::Scheme(
            "(lambda (account &optional side)
               (let* ((found (%account account))
                      (call (%account-call (%car found) (funcall (%cdr found)) side)))
                 (apply (cond ((eq (%car call) :pop) make-pop-connection) ((eq (%car call) :smtp) make-smtp-connection) (t make-imap-connection))
                        (%cdr call))))",
        ),
    ).checked(),
    Function::new(
        "with-account",
        "((mb account . side) . body)",
        "Runs the body with mb bound to a new connection, and closes it however the body ends. The arguments are those of connect.
Returns the value of the body's last form. Errors: those of connect and of the body.",
        Run::Macro(
            "(syntax-rules ()
               ((_ (mb account . side) body ...)
                (let ((mb (connect account . side))) (unwind-protect (progn body ...) (close-connection mb)))))",
        ),
    ).checked(),
    Function::new(
        "accounts",
        "()",
        "The names of the accounts, a list of symbols.",
        Run::Scheme("(lambda () (mapcar (lambda (one) (%car one)) (%accounts)))"),
    ).checked(),
];

/// The sides of an account, one for each protocol.
const SIDES: [&str; 3] = ["imap", "pop", "smtp"];

/// The options that every side accepts.
const COMMON: [&str; 13] = [
    "host",
    "user",
    "password",
    "token",
    "auth",
    "timeout",
    "ssl",
    "starttls",
    "tls",
    "ca-file",
    "client-identity",
    "verify",
    "limits",
];

/// The options that only the side `:smtp` accepts.
const SENDING: [&str; 2] = ["helo", "login"];

/// The functions that scripts call; error messages name them.
const DEFINING: &str = "define-account";
const CONNECTING: &str = "connect";

type Pairs = Vec<(String, Value)>;

/// Reads `(:key value …)`, each key once. `place` goes into error messages: `:smtp: `, for example.
fn pairs(items: &[Value], place: &str) -> Result<Pairs, Condition> {
    let wrong = |what: &str| Condition::syntax(format!("{DEFINING}: {place}expected {what}"));
    let mut found: Pairs = Vec::new();
    for pair in items.chunks(2) {
        // A misplaced argument may be a password, so the message does not show it.
        let key = host::as_keyword(&pair[0])
            .ok_or_else(|| wrong("keys and values, :host \"mail.example.org\" for example"))?;
        let value = pair
            .get(1)
            .ok_or_else(|| wrong(&format!("a value behind :{}", escape_controls(key))))?;
        if found.iter().any(|(known, _)| known == key) {
            return Err(wrong(&format!("each key once, got :{} twice", escape_controls(key))));
        }
        found.push((key.to_owned(), value.clone()));
    }
    Ok(found)
}

fn check_keys(
    call: &Call<'_>,
    pairs: &Pairs,
    place: &str,
    known: &[&str],
) -> Result<(), Condition> {
    for (key, value) in pairs {
        if !known.contains(&key.as_str()) {
            let names: Vec<String> = known.iter().map(|known| format!(":{known}")).collect();
            let near = host::nearest(key, known.iter().copied())
                .map_or_else(String::new, |near| format!("; did you mean `:{near}`?"));
            let (key, names) = (escape_controls(key), names.join(" "));
            return Err(Condition::syntax(format!(
                "{DEFINING}: {place}unknown key :{key}{near}; there are {names}"
            )));
        }
        if matches!(key.as_str(), "password" | "token") {
            check_source(call.context(), DEFINING, key, value)?;
        }
    }
    Ok(())
}

/// Whether a connection is open. What a set of letters has selected stays selected.
fn is_open(call: &Call<'_>) -> Result<Value, Condition> {
    let mailbox = call.native::<ImapMailbox>(0, "a mailbox object")?;
    Ok(host::truth(!mailbox.client().is_closed()))
}

/// Whether the value may name an account: a symbol or a string.
pub(super) fn is_account(value: &Value) -> bool {
    let symbol = host::as_symbol(value).filter(|name| !name.starts_with(':'));
    symbol.or_else(|| host::as_str(value)).is_some_and(|name| !name.is_empty())
}

/// Checks the name and the options of an account. Returns the name as a symbol.
pub(super) fn check_account(call: &Call<'_>) -> Result<Value, Condition> {
    let name = required(call, 0);
    let name = host::as_symbol(name)
        .filter(|name| !name.starts_with(':'))
        .or_else(|| host::as_str(name))
        .filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| {
        Condition::syntax(format!(
            "{DEFINING}: expected a name that is not quoted, work for example"
        ))
    })?;
    let items: Vec<Value> =
        host::as_list(required(call, 1)).map(Iterator::collect).unwrap_or_default();
    let options = pairs(&items, "")?;
    check_keys(call, &options, "", &[&COMMON[..], &["port"], &SIDES].concat())?;
    let mut hosts = options.iter().any(|(key, _)| key == "host");
    for (side, value) in options.iter().filter(|(key, _)| SIDES.contains(&key.as_str())) {
        let place = format!(":{side}: ");
        let items = host::as_list(value).ok_or_else(|| {
            Condition::syntax(format!("{DEFINING}: {place}expected a list of keys and values"))
        })?;
        let own = pairs(&items.collect::<Vec<_>>(), &place)?;
        let known = if side == "smtp" {
            [&COMMON[..], &["port"], &SENDING].concat()
        } else {
            [&COMMON[..], &["port"]].concat()
        };
        check_keys(call, &own, &place, &known)?;
        hosts |= own.iter().any(|(key, _)| key == "host");
    }
    if !hosts {
        return Err(Condition::syntax(format!("{DEFINING}: expected :host with a string")));
    }
    Ok(host::symbol(name))
}

/// Returns the position of an account among the known names.
pub(super) fn account_index(call: &Call<'_>) -> Result<Value, Condition> {
    let known: Vec<Value> =
        host::as_list(required(call, 0)).map(Iterator::collect).unwrap_or_default();
    let names: Vec<&str> = known.iter().filter_map(host::as_symbol).collect();
    let given = required(call, 1);
    let name = host::as_symbol(given).or_else(|| host::as_str(given));
    let name = name.ok_or_else(|| {
        Condition::syntax(format!("{CONNECTING}: account: expected a name such as 'work"))
    })?;
    if let Some(index) = names.iter().position(|known| *known == name) {
        return Ok(host::integer(index as i64)); // there are only a few accounts
    }
    let near = host::nearest(name, names.iter().copied())
        .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    let all = if names.is_empty() {
        "none is defined".to_owned()
    } else {
        format!("there are {}", names.join(" "))
    };
    Err(Condition::syntax(format!(
        "{CONNECTING}: there is no account {}{near}; {all}",
        escape_controls(name)
    )))
}

/// Returns the side and the arguments for the function that connects:
/// `(:imap "host" :user "me" …)`. The options of a side replace the common ones, and also those
/// that they exclude: a `:token` replaces a common `:password`.
pub(super) fn account_call(call: &Call<'_>) -> Result<Value, Condition> {
    let given = call.arg(2).filter(|side| !host::is_nil(side));
    let side = match given.map(|side| host::as_keyword(side)) {
        None => "imap",
        Some(Some(side)) if SIDES.contains(&side) => side,
        Some(_) => {
            return Err(Condition::syntax(format!(
                "{CONNECTING}: side: expected :imap, :pop or :smtp"
            )));
        }
    };
    let items: Vec<Value> =
        host::as_list(required(call, 1)).map(Iterator::collect).unwrap_or_default();
    let (sides, mut options): (Pairs, Pairs) =
        pairs(&items, "")?.into_iter().partition(|(key, _)| SIDES.contains(&key.as_str()));
    // No two protocols share a port: a common `:port` is that of IMAP.
    options.retain(|(key, _)| key != "port" || side == "imap");
    let own = sides
        .iter()
        .find(|(key, _)| key == side)
        .and_then(|(_, value)| host::as_list(value))
        .map(Iterator::collect::<Vec<_>>);
    for (key, value) in pairs(&own.unwrap_or_default(), "")? {
        let replaced: &[&str] = match key.as_str() {
            "password" | "token" => &["password", "token"],
            "login" | "user" => &["login", "user"],
            "ssl" | "starttls" | "tls" => &["ssl", "starttls", "tls"],
            other => &[other],
        };
        options.retain(|(known, _)| !replaced.contains(&known.as_str()));
        options.push((key, value));
    }
    let host =
        options.iter().position(|(key, _)| key == "host").map(|index| options.remove(index).1);
    let name = host::as_symbol(required(call, 0)).unwrap_or_default();
    let host = host.ok_or_else(|| {
        Condition::syntax(format!("{CONNECTING}: the account {name} has no :host for :{side}"))
    })?;
    let keys = options.into_iter().flat_map(|(key, value)| {
        let key = if side == "smtp" && key == "user" { "login" } else { key.as_str() };
        [host::keyword(key), value]
    });
    Ok(host::list([host::keyword(side), host].into_iter().chain(keys).collect()))
}
