//! Connecting, logging in and closing; the server's capabilities and identity.
//!
//! `make-imap-connection` and `make-pop-connection` work in the same order: read the host, the
//! options and the form of the secret; look the secret up; connect; adopt the client into the
//! host's `State`, which closes it at the end if the script does not. The secret is looked up only
//! when everything else has been checked. `smtp` reads its options with the functions of this
//! module, too.

use super::mailbox::{any_mailbox_at, deliver_warnings, failed, on_mailbox, operate};
use super::objects::{AnyMailbox, ImapMailbox, PopMailbox, SmtpConnection};
use super::reconnection::{How, Reconnection};
use super::secret::Login;
use super::selection::forget_borrowed;
use super::sets::required;
use super::state::state;
use crate::client::{
    Auth, Compress, ConnectOptions, Error, ImapClient, PopClient, ServerId, TlsMode, own_identity,
};
use crate::condition::Condition;
use crate::host::{self, Call, Function, Run, Type, Value, ValueKind};
use crate::lisp::Datum;
use crate::proto::sasl::Mechanism;
use crate::proto::{Limits, Secret};
use crate::transport::ClientIdentity;
use std::time::Duration;

/// The lambda list of make-imap-connection.
pub(super) const IMAP_ARGUMENTS: &str = "(host &key user password token auth port timeout ssl starttls tls ca-file client-identity verify limits id compress utf8)";

/// The types of its keys.
pub(super) const IMAP_TYPES: &[(&str, Type)] = &[
    ("ssl", Type::Truth),
    ("starttls", Type::Truth),
    ("verify", Type::Truth),
    ("utf8", Type::Truth),
];

/// The rows of the topic "Connections".
pub(super) const FUNCTIONS: &[Function] = &[
    Function::native(
        "make-imap-connection",
        IMAP_ARGUMENTS,
        make_imap_connection,
        "Connects to an IMAP server and logs in. Returns a mailbox object; no mailbox is selected on it yet.
host: a string, or a list (\"host\" :port n :ssl t :starttls t).
:user  a string. :password  a string, a procedure of no arguments that returns it, or a form that says where to get it: (:env \"NAME\"), (:command \"pass\" \"show\" \"x\") for the first line of its output, (:file \"path\") for the first line of the file, or (:keyring \"service\"). It is looked up last, after everything else has been checked.
Without :password, :token and :auth the command asks for it at a terminal.
:auth  :login, :plain, :scram-sha-256, :oauthbearer, :xoauth2 or :external (the certificate of :client-identity identifies the user); by default the strongest that the server offers.
:token  a bearer token instead of the password, given in the same ways.
:port  an integer; 993 with TLS from the first byte, else 143.
:timeout  seconds, 30: the longest wait for the server's next data; a whole reply may take five times as long, and longer while it makes progress.
:ssl :starttls  t is short for :tls :implicit and :tls :starttls.
:tls  :implicit (TLS from the first byte), :starttls, or :none. By default port 993 means :implicit; a connection to this machine may be unencrypted unless :ca-file or :client-identity is given; any other uses STARTTLS.
:ca-file  a PEM file of authorities that are trusted in addition to the system's.
:client-identity  \"file.p12\", (:pkcs12 \"file\" \"password\") or (:pem \"certificate\" \"key\").
:verify  nil accepts any certificate, which lets others read the traffic.
:limits  how much the server may send before :response-too-large, for example '(:literal 100000000 :line 1000000); the README has a table of them.
:id  what a server that offers ID (RFC 2971) is told about the program after the login, for example '(:name \"x\" :version \"1\"); by default the name and the version of Postoffice. nil tells nothing.
:compress  :auto, the default, compresses the connection after the login if it leaves this machine and the server offers COMPRESS=DEFLATE (RFC 4978); t compresses it always, and a server that cannot is :unsupported; nil never does.
:utf8  t, the default, enables UTF8=ACCEPT (RFC 6855) and IMAP4rev2 (RFC 9051) on a server that offers them: names, headers and searches then travel as UTF-8. nil leaves the server as it is.
Errors: :insecure before a password would be sent unencrypted, :certificate, :authentication, :timeout, :server-shutdown-connection. No connection stays open then.",
    ).typed(IMAP_TYPES).checked(),
    Function::native(
        "close-connection",
        "(mb)",
        close_connection,
        "Logs out and closes the connection, whatever the server replies. Messages that are marked as deleted stay; see close-mailbox and expunge-mailbox.
mb: a mailbox object. Returns t, even if the connection is already closed or dead.",
    ).checked(),
    Function::new(
        "with-imap-connection",
        "((mb host . options) . body)",
        "Runs the body with mb bound to a new connection, and closes it however the body ends. The arguments are those of make-imap-connection.
Returns the value of the body's last form. Errors: those of make-imap-connection and of the body.",
        Run::Macro(
            "(syntax-rules ()
               ((_ (mb . arguments) body ...)
                (let ((mb (make-imap-connection . arguments))) (unwind-protect (progn body ...) (close-connection mb)))))",
        ),
    ).checked(),
    Function::native(
        "noop",
        "(mb)",
        noop,
        "Does nothing but keep the connection alive; the server uses the occasion to tell what is new, which mailbox-message-count and the other accessors show afterwards.
mb: a mailbox object. Returns nil.",
    ).checked(),
    Function::native(
        "mailbox-capabilities",
        "(mb)",
        mailbox_capabilities,
        "The capabilities that the server reports, as a list of keywords: (:imap4rev1 :idle …).
mb: a mailbox object.",
    ).checked(),
    Function::native(
        "server-id",
        "(mb &key id)",
        server_id,
        "An IMAP server's description of its own implementation (ID, RFC 2971), in exchange for one of this program.
mb: a mailbox object of an IMAP connection.
:id  what the server learns, a list of (\"field\" . \"value\"); a value may be nil. By default the name, postoffice, and its version; with nil, nothing.
Returns an alist ((field . value) …) of strings, in the server's order; a value may be nil. Returns nil if the server says nothing.
Errors: :unsupported if the server does not offer ID; :syntax-error for more than 30 fields, a field twice, or more than 30 octets in a field or 1024 in a value.",
    ).checked(),
    Function::native(
        "capable?",
        "(mb capability)",
        capable,
        "Whether the server offers an extension: it reports the capability, or one that includes it, as IMAP4rev2 includes NAMESPACE: (capable? mb \"IDLE\").
mb: a mailbox object. capability: a string or keyword, in any case. Returns t or nil.",
    ).checked(),
];

/// Reads the arguments of make-imap-connection: the host, the login and the options.
pub(super) fn imap_arguments(
    call: &Call<'_>,
) -> Result<(String, Login, ConnectOptions), Condition> {
    let mut options = default_options(call);
    let host = host_argument(call, &mut options)?;
    read_options(call, &mut options)?;
    if let Some(value) = call.key("id") {
        options.id = (!host::is_nil(value)).then(|| own_id(call)).transpose()?;
    }
    options.compress = match call.key("compress") {
        None => Compress::Auto,
        Some(value) if host::as_keyword(value) == Some("auto") => Compress::Auto,
        Some(value) if host::is_nil(value) => Compress::Never,
        Some(value) if host::kind_of(value) == ValueKind::True => Compress::Always,
        Some(value) => return Err(call.wrong(":compress", "t, nil or :auto", value)),
    };
    options.utf8 = call.key("utf8").is_none_or(|value| !host::is_nil(value));
    Ok((host, login(call, false)?, options))
}

pub(super) fn make_imap_connection(call: &Call<'_>) -> Result<Value, Condition> {
    let (host, login, options) = imap_arguments(call)?;
    let credentials = login.credentials(call, &host)?;
    let state = state(call);
    let connector = &state.connector;
    let client = match &state.mirrors {
        Some(mirrors) => mirrors.connect_imap(connector, &host, &credentials, &options),
        None => ImapClient::connect(connector, &host, &credentials, &options),
    };
    let mut client = client.map_err(|error| failed(call, &error))?;
    deliver_warnings(call.context(), call.name(), &mut client);
    let mailbox = state.adopt_imap(client);
    if let Some(mailbox) = host::downcast::<ImapMailbox>(&mailbox) {
        mailbox.extra::<Reconnection>().remember(How::new(login.kept(&credentials), options));
    }
    Ok(mailbox)
}

pub(super) fn make_pop_connection(call: &Call<'_>) -> Result<Value, Condition> {
    let mut options = default_options(call);
    let host = host_argument(call, &mut options)?;
    read_options(call, &mut options)?;
    let login = login(call, true)?;
    let credentials = login.credentials(call, &host)?;
    let state = state(call);
    if state.mirrors.is_some() {
        let what = "what a POP connection changes".to_owned();
        return Err(failed(call, &Error::CannotForesee(what)));
    }
    let client = PopClient::connect(&state.connector, &host, &credentials, &options)
        .map_err(|error| failed(call, &error))?;
    let mailbox = state.adopt_pop(client);
    if let Some(mailbox) = host::downcast::<PopMailbox>(&mailbox) {
        mailbox.extra::<Reconnection>().remember(How::new(login.kept(&credentials), options));
    }
    Ok(mailbox)
}

/// Returns the default options: the host's limits, and otherwise those of the client.
pub(super) fn default_options(call: &Call<'_>) -> ConnectOptions {
    ConnectOptions { limits: state(call).limits.clone(), ..ConnectOptions::default() }
}

/// Reads the host: a name, or `("host" :port n :ssl t :starttls t)`, whose keys are added to
/// `options`.
fn host_argument(call: &Call<'_>, options: &mut ConnectOptions) -> Result<String, Condition> {
    let value = required(call, 0);
    let wrong = || call.wrong("host", "a host name, or a list (\"host\" :port 993 :ssl t)", value);
    if let Some(name) = host::as_str(value) {
        return host_name(name).ok_or_else(wrong);
    }
    let items: Vec<Value> = host::as_list(value).ok_or_else(wrong)?.collect();
    let (name, keys) = items.split_first().ok_or_else(wrong)?;
    let (pairs, odd) = keys.as_chunks::<2>();
    if !odd.is_empty() {
        return Err(wrong());
    }
    let mut given = std::collections::HashSet::new();
    for [key, value] in pairs {
        if !given.insert(host::as_keyword(key)) {
            return Err(call.wrong("host", "each key once", key));
        }
        match host::as_keyword(key) {
            Some("port") => {
                options.port =
                    Some(port(value).ok_or_else(|| {
                        call.wrong("host's :port", "a port from 1 to 65535", value)
                    })?)
            }
            Some(key @ ("ssl" | "starttls")) => _ = read_option(call, options, key, value)?,
            _ => return Err(call.wrong("host", "the keys :port :ssl :starttls", key)),
        }
    }
    host::as_str(name).and_then(host_name).ok_or_else(wrong)
}

/// Returns a well-formed host name. Names with spaces or control characters do not exist, and would
/// appear in messages.
pub(super) fn host_name(name: &str) -> Option<String> {
    let is_name = !name.is_empty()
        && name.len() <= 255
        && name.chars().all(|c| c.is_alphanumeric() || "-._:%".contains(c));
    is_name.then(|| name.to_owned())
}

/// Reads an integer or a float.
fn number(value: &Value) -> Option<f64> {
    match host::kind_of(value) {
        ValueKind::Float(number) => Some(number),
        _ => host::as_integer(value).map(|number| number as f64), // seconds, far below 2^53
    }
}

pub(super) fn port(value: &Value) -> Option<u16> {
    u16::try_from(host::as_integer(value)?).ok().filter(|port| *port > 0)
}

fn read_options(call: &Call<'_>, options: &mut ConnectOptions) -> Result<(), Condition> {
    if let Some(value) = call.key("port") {
        options.port =
            Some(port(value).ok_or_else(|| call.wrong("port", "a port from 1 to 65535", value))?);
    }
    for key in
        ["timeout", "ssl", "starttls", "tls", "ca-file", "verify", "client-identity", "limits"]
    {
        if let Some(value) = call.key(key) {
            read_option(call, options, key, value)?;
        }
    }
    Ok(())
}

/// Reads one option of a connection. Returns `false` for an unknown key.
pub(super) fn read_option(
    call: &Call<'_>,
    options: &mut ConnectOptions,
    key: &str,
    value: &Value,
) -> Result<bool, Condition> {
    match key {
        "timeout" => {
            let seconds = number(value).filter(|seconds| *seconds > 0.0 && *seconds <= 86_400.0);
            options.timeout = Duration::from_secs_f64(seconds.ok_or_else(|| {
                call.wrong("timeout", "seconds, more than 0 and at most 86400", value)
            })?);
        }
        "ssl" | "starttls" => {
            let mode = if key == "ssl" { TlsMode::Implicit } else { TlsMode::StartTls };
            if host::is_true(value) && options.tls.is_some_and(|asked| asked != mode) {
                return Err(call.wrong(key, "only one of :ssl, :starttls and :tls", value));
            }
            options.tls = options.tls.or_else(|| host::is_true(value).then_some(mode));
        }
        "tls" => {
            let mode = match host::as_keyword(value) {
                Some("implicit") => TlsMode::Implicit,
                Some("starttls") => TlsMode::StartTls,
                Some("none") => TlsMode::None,
                _ => return Err(call.wrong("tls", ":implicit, :starttls or :none", value)),
            };
            if options.tls.is_some_and(|asked| asked != mode) {
                return Err(call.wrong("tls", "what :ssl or :starttls says", value));
            }
            options.tls = Some(mode);
        }
        "ca-file" => {
            let path =
                host::as_str(value).ok_or_else(|| call.wrong("ca-file", "a string", value))?;
            options.tls_options.ca_file = Some(call.readable(path)?);
        }
        "verify" => options.tls_options.verify = host::is_true(value),
        "limits" => read_limits(call, &mut options.limits, value)?,
        "client-identity" => options.tls_options.identity = Some(identity(call, value)?),
        _ => return Ok(false),
    }
    Ok(true)
}

/// Reads `(:literal 100000000 :line 1000000)`.
fn read_limits(call: &Call<'_>, limits: &mut Limits, value: &Value) -> Result<(), Condition> {
    let wrong = || {
        call.wrong(
            "limits",
            "a list of names and whole numbers such as (:literal 100000000 :line 1000000)",
            value,
        )
    };
    let items: Vec<Value> = host::as_list(value).ok_or_else(wrong)?.collect();
    let (pairs, odd) = items.as_chunks::<2>();
    if !odd.is_empty() {
        return Err(wrong());
    }
    let mut given = std::collections::HashSet::new();
    for [key, number] in pairs {
        let name = host::as_keyword(key).ok_or_else(wrong)?;
        let number = host::as_integer(number)
            .and_then(|number| u64::try_from(number).ok())
            .ok_or_else(wrong)?;
        if !given.insert(name.to_lowercase()) {
            return Err(call.wrong("limits", "each name once", key));
        }
        limits.set(name, number).ok_or_else(|| {
            let names: Vec<String> =
                Limits::TABLE.iter().map(|limit| format!(":{}", limit.name)).collect();
            call.wrong("limits", &format!("the names {}", names.join(" ")), key)
        })?;
    }
    Ok(())
}

/// Reads `"file.p12"`, `(:pkcs12 "file.p12" "password")` or `(:pem "certificate.pem" "key.pem")`.
fn identity(call: &Call<'_>, value: &Value) -> Result<ClientIdentity, Condition> {
    // The value may hold a password, so the message does not show it.
    let wrong = || {
        Condition::syntax(format!(
            "{}: client-identity: expected \"file.p12\", (:pkcs12 \"file\" \"password\") or (:pem \"certificate\" \"key\")",
            call.name()
        ))
    };
    if let Some(path) = host::as_str(value) {
        return Ok(ClientIdentity::Pkcs12(call.readable(path)?, Secret::new("")));
    }
    let items: Vec<Value> = host::as_list(value).ok_or_else(wrong)?.collect();
    let text = |index: usize| items.get(index).and_then(host::as_str).ok_or_else(wrong);
    match (items.first().and_then(host::as_keyword), items.len()) {
        (Some("pkcs12"), 3) => {
            call.context().keep_secret(text(2)?);
            Ok(ClientIdentity::Pkcs12(call.readable(text(1)?)?, Secret::new(text(2)?)))
        }
        (Some("pem"), 3) => {
            Ok(ClientIdentity::Pem(call.readable(text(1)?)?, call.readable(text(2)?)?))
        }
        _ => Err(wrong()),
    }
}

/// Reads `:user` with `:password` or `:token`. With `:auth :external` the certificate replaces both
/// secrets.
fn login(call: &Call<'_>, apop: bool) -> Result<Login, Condition> {
    let user = call.key_string("user")?;
    let user = user.ok_or_else(|| {
        Condition::syntax(format!("{}: expected :user with a string", call.name()))
    })?;
    let auth = call.key("auth").map(|value| auth(call, value, apop)).transpose()?;
    Login::new(call, user, call.key("password"), call.key("token"), auth)
}

/// Reads `:auth`. `apop` permits `:apop`, which only POP has.
pub(super) fn auth(call: &Call<'_>, value: &Value, apop: bool) -> Result<Auth, Condition> {
    let mechanism = |name: &str| {
        Mechanism::ALL.into_iter().find(|mechanism| mechanism.name().eq_ignore_ascii_case(name))
    };
    match host::as_keyword(value) {
        Some("login") => Ok(Auth::Login),
        Some("apop") if apop => Ok(Auth::Apop),
        Some(name) if mechanism(name).is_some() => {
            Ok(mechanism(name).map_or(Auth::Login, Auth::Sasl))
        }
        _ => {
            let own = if apop { ":login :apop" } else { ":login" };
            Err(call.wrong(
                "auth",
                &format!("one of {own} :plain :scram-sha-256 :oauthbearer :xoauth2 :external"),
                value,
            ))
        }
    }
}

pub(super) fn close_connection(call: &Call<'_>) -> Result<Value, Condition> {
    if let Some(connection) = host::downcast::<SmtpConnection>(required(call, 0)) {
        connection.extra::<Reconnection>().forget();
        connection.client().close();
        return Ok(host::truth(true));
    }
    forget_borrowed(call);
    match any_mailbox_at(call, 0)? {
        AnyMailbox::Imap(mailbox) => {
            mailbox.extra::<Reconnection>().forget();
            mailbox.client().close();
        }
        AnyMailbox::Pop(mailbox) => {
            mailbox.extra::<Reconnection>().forget();
            operate(call, &mailbox, PopClient::close)?
        }
    }
    Ok(host::truth(true))
}

pub(super) fn noop(call: &Call<'_>) -> Result<Value, Condition> {
    match any_mailbox_at(call, 0)? {
        AnyMailbox::Imap(_) => on_mailbox(call, ImapClient::noop)?,
        AnyMailbox::Pop(mailbox) => operate(call, &mailbox, PopClient::stat)?,
    }
    Ok(host::nil())
}

pub(super) fn mailbox_capabilities(call: &Call<'_>) -> Result<Value, Condition> {
    let keyword =
        |name: &String| host::keyword(&name.split(' ').next().unwrap_or("").to_lowercase());
    Ok(host::list(match any_mailbox_at(call, 0)? {
        AnyMailbox::Imap(mailbox) => {
            mailbox.client().real_capabilities().names().iter().map(keyword).collect()
        }
        AnyMailbox::Pop(mailbox) => mailbox.client().capabilities().iter().map(keyword).collect(),
    }))
}

fn server_id(call: &Call<'_>) -> Result<Value, Condition> {
    let own = own_id(call)?;
    let fields = on_mailbox(call, |client| client.server_id(&own))?;
    let pair = |(name, value): (String, Option<String>)| {
        host::cons(host::string(name), value.map_or_else(host::nil, host::string))
    };
    Ok(host::list(fields.into_iter().map(pair).collect()))
}

/// Reads `:id`: a list of pairs, or of keywords and strings. The key left out is this program's own
/// description; `nil` is none.
fn own_id(call: &Call<'_>) -> Result<ServerId, Condition> {
    let Some(value) = call.key("id") else { return Ok(own_identity()) };
    let items: Option<Vec<Value>> = host::as_list(value).map(Iterator::collect);
    let fields = items.and_then(|items| match items.first().and_then(host::as_keyword) {
        Some(_) => items.chunks(2).map(keyword_field).collect(),
        None => items.iter().map(id_field).collect(),
    });
    fields.ok_or_else(|| {
        let expected = "a list such as (:name \"x\") or ((\"name\" . \"x\")), or nil";
        call.wrong(":id", expected, value)
    })
}

/// Reads `:name "x"`.
fn keyword_field(pair: &[Value]) -> Option<(String, Option<String>)> {
    let [name, value] = pair else { return None };
    let text = host::as_str(value).map(str::to_owned);
    (text.is_some() || host::is_nil(value)).then_some(())?;
    Some((host::as_keyword(name)?.to_lowercase(), text))
}

/// Reads `("field" . "value")`, or `("field")`, which is `("field" . nil)`.
fn id_field(item: &Value) -> Option<(String, Option<String>)> {
    match &host::to_datum(item) {
        Datum::List(field) => match &field[..] {
            [Datum::String(field)] => Some((field.clone(), None)),
            _ => None,
        },
        Datum::Dotted(field, value) => match (&field[..], &**value) {
            ([Datum::String(field)], Datum::String(value)) => {
                Some((field.clone(), Some(value.clone())))
            }
            _ => None,
        },
        _ => None,
    }
}

pub(super) fn capable(call: &Call<'_>) -> Result<Value, Condition> {
    let value = required(call, 1);
    let name = host::as_str(value).or_else(|| host::as_keyword(value));
    let name = name.ok_or_else(|| call.wrong("capability", "a string such as \"IDLE\"", value))?;
    Ok(host::truth(match any_mailbox_at(call, 0)? {
        AnyMailbox::Imap(mailbox) => mailbox.client().real_capabilities().offers(name),
        AnyMailbox::Pop(mailbox) => mailbox.client().has(name),
    }))
}
