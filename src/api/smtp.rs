//! Mail servers in scripts: reading them, connecting to them, and handing letters over.
//!
//! A mail server is a host, an address, a list with options, a program, or an open connection.
//! `mail_server` reads all of these, and `deliver` hands a letter to any of them. A host gets a
//! connection for each letter; an open connection is used for many.

use super::connections::{default_options, host_name, port, read_option};
use super::mailbox::{failed, progress};
use super::objects::SmtpConnection;
use super::pipeline;
use super::program;
use super::reconnection::{How, Reconnection};
use super::secret::Login;
use super::sets::required;
use super::state::state;
use crate::client::smtp::{Envelope, Refused};
use crate::client::{Auth, ConnectOptions, Credentials, SmtpClient};
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Function, Run, Type, Value};
use crate::proto::smtp::Notices;
use crate::shown::escape_controls;
use std::sync::Arc;

/// The rows of the topic "SMTP".
pub(super) const FUNCTIONS: &[Function] = &[
    Function::native(
        "send-letter",
        "(mail-server from to message &key subject reply-to cc bcc headers login password attachments html date message-id partial null-return-path notify return envelope-id)",
        super::sending::send_letter,
        "Builds a letter and sends it. Returns t, or with :partial the list ((address words) …) of recipients that were refused.
mail-server: a host name, \"host:port\", an integer IPv4 address, a list (\"host\" :port 25 :tls :starttls …), (:program \"command\" …), or an SMTP connection.
from: an address such as foo, foo@bar.com or \"Foo <foo@bar.com>\", or (\"Foo\" . \"foo@bar.com\"). to: one or a list of them. message: a string with \\n line ends, or a part as make-mime-part returns it; a header that the part has appears once, as the part has it.
:subject :html  strings. :reply-to :cc :bcc  addresses; the letter does not show bcc. :headers  a list of (\"name\" . \"value\") or \"name: value\".
:login  a string. :password  as for make-imap-connection. :attachments  a list of parts, as make-mime-part returns them, and of file names. :date  a universal time or a string as for parse-date, now by default. :message-id  a string, made if absent.
:null-return-path  t sends it so that no bounce and no automatic reply comes back, for replies that a program writes (RFC 3834).
:partial  t sends to the accepted recipients even if others are refused; without it, nothing is sent then.
:notify  a list of :success, :failure and :delay, the events that the server is to tell the sender of, or :never. :return  what of the letter comes back then, :headers or :full. :envelope-id  a string that the server repeats. A server without DSN (RFC 3461) is :unsupported.
An address of which only the domain is not ASCII is sent with the domain's A-label, xn--kln-sna.de for köln.de, and shown so.
Errors: :syntax-error before anything is sent, for addresses with control characters for example; :recipients-refused, :error-response, :insecure, :unsupported;
:server-shutdown-connection, which says so when the letter may have been delivered.",
    ).typed(&[("partial", Type::Truth), ("null-return-path", Type::Truth)]).checked(),
    Function::native(
        "send-smtp",
        "(mail-server from to &rest messages)",
        super::sending::send_smtp,
        "Sends the messages, joined to one letter, without adding anything. Line ends become CR LF on the way. Returns t.
mail-server  as for send-letter. from: an address such as foo@bar.com, without a name. to: one or a list of them. messages: strings, or bytevectors, whose lines may be of any length; after them, the keys :notify, :return and :envelope-id of send-letter. Errors: as for send-letter.",
    ).checked(),
    Function::native(
        "send-smtp-auth",
        "(mail-server from to login password &rest messages)",
        super::sending::send_smtp_auth,
        "Like send-smtp, after logging in. Returns t.
mail-server from to messages  as for send-smtp. login: a string. password: as for make-imap-connection. Errors: as for send-letter, and :authentication.",
    ).checked(),
    Function::native(
        "test-email-address",
        "(address)",
        test_email_address,
        "Asks the mail server of an address's domain whether it knows the address (VRFY). Returns t or nil. Many servers reply to every address that they will try.
address: a string, foo@bar.com. Errors: as for send-letter.",
    ).checked(),
    Function::native(
        "make-smtp-connection",
        "(mail-server &key port ssl starttls tls ca-file client-identity verify timeout limits auth token helo login password)",
        make_smtp_connection,
        "Connects to a mail server, to send many letters over one connection. Returns an object that can be used wherever a mail-server is expected; close-connection closes it.
mail-server: a host, as for send-letter. :port :tls :ca-file :client-identity :verify :timeout :limits  as for make-imap-connection; 465 with TLS from the first byte, else 25. :ssl :starttls  t is short for :tls.
:login  a string. :password :token :auth  as for make-imap-connection. :helo  the name to give with EHLO, by default the address of this side.
Errors: as for make-imap-connection.",
    ).typed(&[("ssl", Type::Truth), ("starttls", Type::Truth), ("verify", Type::Truth)]).checked(),
    Function::new(
        "with-smtp-connection",
        "((s mail-server . options) . body)",
        "Runs the body with s bound to a new connection, and closes it however the body ends. The arguments are those of make-smtp-connection.
Returns the value of the body's last form. Errors: those of make-smtp-connection and of the body.",
        Run::Macro(
            "(syntax-rules ()
               ((_ (mb . arguments) body ...)
                (let ((mb (make-smtp-connection . arguments))) (unwind-protect (progn body ...) (close-connection mb)))))",
        ),
    ).checked(),
];

/// Where a letter is handed over.
pub(super) enum MailServer {
    Open(Arc<SmtpConnection>),
    Host(Box<HostServer>),
    Program(Vec<String>),
}

pub(super) struct HostServer {
    host: String,
    options: ConnectOptions,
    helo: Option<String>,
    pub login: Option<Login>,
}

const EXPECTED: &str = "a host name, an integer IPv4 address, a list (\"host\" :port 25 …) or (:program \"command\" …), or an SMTP connection";

/// Reads the mail server in the first argument.
pub(super) fn mail_server(call: &Call<'_>) -> Result<MailServer, Condition> {
    let value = required(call, 0);
    // A list may hold a password, so the message does not show it.
    let wrong = || {
        if host::as_list(value).is_some() {
            Condition::syntax(format!("{}: mail-server: expected {EXPECTED}", call.name()))
        } else {
            call.wrong("mail-server", EXPECTED, value)
        }
    };
    if let Some(connection) = host::downcast::<SmtpConnection>(value) {
        return Ok(MailServer::Open(connection));
    }
    let mut server =
        HostServer { host: String::new(), options: default_options(call), helo: None, login: None };
    if let Some(items) = host::as_list(value) {
        let items: Vec<Value> = items.collect();
        let (first, rest) = items.split_first().ok_or_else(wrong)?;
        if host::as_keyword(first) == Some("program") {
            let words: Option<Vec<String>> =
                rest.iter().map(|word| host::as_str(word).map(str::to_owned)).collect();
            let words = words.filter(|words| !words.is_empty()).ok_or_else(wrong)?;
            call.context()
                .policy()
                .check_program(&words[0])
                .map_err(|refusal| host::not_allowed(call.name(), &refusal))?;
            return Ok(MailServer::Program(words));
        }
        set_host(&mut server, first).ok_or_else(wrong)?;
        let (pairs, odd) = rest.as_chunks::<2>();
        if !odd.is_empty() {
            return Err(wrong());
        }
        read_server_options(
            call,
            &mut server,
            pairs.iter().map(|[key, value]| (host::as_keyword(key).unwrap_or(""), value)),
        )?;
    } else {
        set_host(&mut server, value).ok_or_else(wrong)?;
    }
    Ok(MailServer::Host(Box::new(server)))
}

/// Reads `"host"`, `"host:port"`, or an IPv4 address as one integer.
fn set_host(server: &mut HostServer, value: &Value) -> Option<()> {
    if let Some(address) = host::as_integer(value) {
        let [a, b, c, d] = u32::try_from(address).ok()?.to_be_bytes();
        server.host = format!("{a}.{b}.{c}.{d}");
        return Some(());
    }
    let text = host::as_str(value)?;
    let (name, number) = match text.rsplit_once(':') {
        Some((name, number)) if !name.contains(':') => {
            (name, Some(number.parse().ok().filter(|port| *port > 0)?))
        }
        _ => (text, None),
    };
    server.host = host_name(name)?;
    server.options.port = number.or(server.options.port);
    Some(())
}

fn read_server_options<'v>(
    call: &Call<'_>,
    server: &mut HostServer,
    pairs: impl Iterator<Item = (&'v str, &'v Value)>,
) -> Result<(), Condition> {
    let (mut login, mut password, mut token, mut auth) = (None, None, None, None);
    for (key, value) in pairs {
        let text = |value: &Value| host::as_str(value).map(str::to_owned);
        match key {
            "port" => {
                server.options.port = Some(
                    port(value)
                        .ok_or_else(|| call.wrong(":port", "a port from 1 to 65535", value))?,
                )
            }
            "helo" => {
                server.helo =
                    Some(text(value).ok_or_else(|| call.wrong(":helo", "a string", value))?)
            }
            "auth" => {
                auth = Some(super::connections::auth(call, value, false)?);
            }
            "login" => {
                login = Some(text(value).ok_or_else(|| call.wrong(":login", "a string", value))?)
            }
            "password" => password = Some(value),
            "token" => token = Some(value),
            _ if read_option(call, &mut server.options, key, value)? => {}
            _ => {
                return Err(Condition::syntax(format!(
                    "{}: mail-server: unknown key :{}",
                    call.name(),
                    escape_controls(key)
                )));
            }
        }
    }
    server.login = login_of(call, login.as_deref(), password, token, auth)?.or(server.login.take());
    Ok(())
}

/// Returns a user with a secret; `None` if neither is given.
pub(super) fn login_of(
    call: &Call<'_>,
    user: Option<&str>,
    password: Option<&Value>,
    token: Option<&Value>,
    auth: Option<Auth>,
) -> Result<Option<Login>, Condition> {
    match user {
        Some(user) => Login::new(call, user, password, token, auth).map(Some),
        None if password.is_none() && token.is_none() && auth.is_none() => Ok(None),
        None => Err(Condition::syntax(format!("{}: expected :login with :password", call.name()))),
    }
}

impl HostServer {
    fn connect(&self, call: &Call<'_>) -> Result<SmtpClient, Condition> {
        self.connect_as(call, self.credentials(call)?.as_ref())
    }

    fn credentials(&self, call: &Call<'_>) -> Result<Option<Credentials>, Condition> {
        self.login.as_ref().map(|login| login.credentials(call, &self.host)).transpose()
    }

    fn connect_as(
        &self,
        call: &Call<'_>,
        credentials: Option<&Credentials>,
    ) -> Result<SmtpClient, Condition> {
        let state = state(call);
        let helo = self.helo.as_deref();
        let (connector, options) = (&state.connector, &self.options);
        let client = match &state.mirrors {
            Some(mirrors) => {
                mirrors.connect_smtp(connector, &self.host, helo, credentials, options)
            }
            None => SmtpClient::connect(connector, &self.host, helo, credentials, options),
        };
        client.map_err(|error| failed(call, &error))
    }
}

pub(super) fn make_smtp_connection(call: &Call<'_>) -> Result<Value, Condition> {
    let MailServer::Host(mut server) = mail_server(call)? else {
        return Err(call.wrong("mail-server", "a host", required(call, 0)));
    };
    const KEYS: [&str; 14] = [
        "port",
        "ssl",
        "starttls",
        "tls",
        "ca-file",
        "client-identity",
        "verify",
        "timeout",
        "limits",
        "auth",
        "token",
        "helo",
        "login",
        "password",
    ];
    read_server_options(
        call,
        &mut server,
        KEYS.iter().filter_map(|key| call.key(key).map(|value| (*key, value))),
    )?;
    let credentials = server.credentials(call)?;
    let client = server.connect_as(call, credentials.as_ref())?;
    let state = state(call);
    let connection = state.adopt_smtp(client);
    // A dry run's own connection is never lost.
    if let Some(connection) =
        host::downcast::<SmtpConnection>(&connection).filter(|_| state.mirrors.is_none())
    {
        let HostServer { options, helo, login, .. } = *server;
        let login = login.zip(credentials).map(|(login, credentials)| login.kept(&credentials));
        connection.extra::<Reconnection>().remember(How { login, helo, options });
    }
    Ok(connection)
}

/// Hands a letter over. Returns the refused recipients, if the envelope allows partial delivery.
pub(super) fn deliver(
    call: &Call<'_>,
    server: &MailServer,
    envelope: &Envelope<'_>,
    notices: &Notices<'_>,
    letter: &[u8],
) -> Result<Vec<Refused>, Condition> {
    pipeline::check(call)?;
    let progress = progress(call);
    let _work = progress.begin(call.name());
    progress.expect_bytes(letter.len() as u64);
    match server {
        MailServer::Open(connection) => {
            let mut client = connection.client();
            client.begin_operation(call.number());
            client.send_with(envelope, notices, letter).map_err(|error| failed(call, &error))
        }
        MailServer::Host(server) => {
            let mut client = server.connect(call)?;
            let result = client.send_with(envelope, notices, letter);
            client.close();
            result.map_err(|error| failed(call, &error))
        }
        MailServer::Program(_) if notices.need_dsn() => Err(Condition::new(
            Identifier::Unsupported,
            format!("{}: a program is not asked for notifications", call.name()),
        )),
        MailServer::Program(words) => {
            program::hand_over(call, words, envelope, letter).map(|()| Vec::new())
        }
    }
}

pub(super) fn test_email_address(call: &Call<'_>) -> Result<Value, Condition> {
    let address = call.string(0)?;
    if !crate::mime::is_plain_address(address) {
        return Err(call.wrong("address", "an address such as foo@bar.com", required(call, 0)));
    }
    let Some((_, domain)) = address.rsplit_once('@') else {
        return Err(call.wrong("address", "an address with a domain", required(call, 0)));
    };
    let server = HostServer {
        host: domain.to_owned(),
        options: default_options(call),
        helo: None,
        login: None,
    };
    let mut client = server.connect(call)?;
    let known = client.verify(address);
    client.close();
    Ok(host::truth(known.map_err(|error| failed(call, &error))?.is_some()))
}
