//! `send-letter`, `send-smtp` and `send-smtp-auth`.
//!
//! All arguments are checked, and the letter is built, before anything is sent. `send-letter`
//! accepts addresses with names: headers show them as given, and the SMTP envelope has the plain
//! addresses, each once. The other two add nothing to their messages.

use super::Answer;
use super::dates;
use super::parts::{attachment, headers};
use super::sets::required;
use super::smtp::{MailServer, deliver, login_of, mail_server};
use crate::client::smtp::{Envelope, Refused};
use crate::condition::Condition;
use crate::host::{self, Call, Value};
use crate::mime::{Entry, NewPart, Outgoing, is_plain_address, parse_mailbox_list};
use crate::proto::smtp::Notices;
use crate::proto::smtp::domain::ascii_domain;
use crate::proto::smtp::notices::{Notify, Returned};
use jiff::Zoned;
use std::hash::{BuildHasher, Hasher, RandomState};

const ADDRESS: &str =
    "an address such as foo or foo@bar.com, without name, brackets, spaces and control characters";

fn address(call: &Call<'_>, parameter: &str, value: &Value) -> Result<String, Condition> {
    let address = host::as_str(value).filter(|address| is_plain_address(address));
    address.map(str::to_owned).ok_or_else(|| call.wrong(parameter, ADDRESS, value))
}

const MAILBOX: &str = "an address such as foo@bar.com or \"Foo Bar <foo@bar.com>\", or (\"Foo Bar\" . \"foo@bar.com\")";

/// An address, with the name to be shown for it.
#[derive(Clone)]
struct Mailbox {
    /// The form for headers: `Foo Bar <foo@bar.com>`.
    shown: String,
    /// The plain address: `foo@bar.com`.
    address: String,
}

impl Mailbox {
    fn of(value: &Value) -> Option<Mailbox> {
        let mailbox = Mailbox::as_given(value)?;
        let address = ascii_domain(&mailbox.address).ok()?;
        if address == mailbox.address {
            return Some(mailbox);
        }
        // The address stands at the end, perhaps in brackets.
        let at = mailbox.shown.rfind(&mailbox.address)?;
        let end = &mailbox.shown[at + mailbox.address.len()..];
        let shown = format!("{}{address}{end}", &mailbox.shown[..at]);
        Some(Mailbox { shown, address: address.into_owned() })
    }

    fn as_given(value: &Value) -> Option<Mailbox> {
        if let Some((name, address)) = host::as_dotted_pair(value) {
            let name = host::as_str(&name).filter(|name| !name.contains(char::is_control))?;
            let name = name.replace('\\', "\\\\").replace('"', "\\\"");
            let address = host::as_str(&address).filter(|address| is_plain_address(address))?;
            return Some(Mailbox {
                shown: format!("\"{name}\" <{address}>"),
                address: address.to_owned(),
            });
        }
        let text = host::as_str(value)?;
        if text.contains(char::is_control) {
            return None;
        }
        if is_plain_address(text) {
            return Some(Mailbox { shown: text.to_owned(), address: text.to_owned() });
        }
        match &parse_mailbox_list(text)[..] {
            _ if !text.ends_with('>') => None, // a lenient parser would close an open bracket
            [Entry::Mailbox { display: Some(_), route: None, local, domain: Some(domain) }] => {
                let address = format!("{local}@{domain}");
                let is_plain = is_plain_address(&address);
                is_plain.then(|| Mailbox { shown: text.to_owned(), address })
            }
            _ => None,
        }
    }
}

fn mailbox(call: &Call<'_>, parameter: &str, value: &Value) -> Result<Mailbox, Condition> {
    Mailbox::of(value).ok_or_else(|| call.wrong(parameter, MAILBOX, value))
}

/// Reads one mailbox or a list of them.
fn mailboxes(call: &Call<'_>, parameter: &str, value: &Value) -> Result<Vec<Mailbox>, Condition> {
    match host::as_list(value) {
        Some(items) => items.map(|item| mailbox(call, parameter, &item)).collect(),
        None => Ok(vec![mailbox(call, parameter, value)?]),
    }
}

fn key_mailboxes(call: &Call<'_>, key: &str) -> Result<Vec<Mailbox>, Condition> {
    call.key(key).map_or(Ok(Vec::new()), |value| mailboxes(call, key, value))
}

fn shown(mailboxes: &[Mailbox]) -> Vec<String> {
    mailboxes.iter().map(|mailbox| mailbox.shown.clone()).collect()
}

/// Reads one plain address or a list of them.
fn addresses(call: &Call<'_>, parameter: &str, value: &Value) -> Result<Vec<String>, Condition> {
    match host::as_list(value) {
        Some(items) => items.map(|item| address(call, parameter, &item)).collect(),
        None => Ok(vec![address(call, parameter, value)?]),
    }
}

pub(super) fn send_letter(call: &Call<'_>) -> Answer {
    let mut server = mail_server(call)?;
    let from = mailbox(call, "from", required(call, 1))?;
    let to = mailboxes(call, "to", required(call, 2))?;
    let (cc, bcc) = (key_mailboxes(call, "cc")?, key_mailboxes(call, "bcc")?);
    let text = |key: &str| call.key_string(key).map(|text| text.map(str::to_owned));
    let message = required(call, 3);
    let body = host::downcast::<NewPart>(message).map(|part| (*part).clone());
    let plain = match (&body, host::as_str(message)) {
        (Some(_), _) => String::new(),
        (None, Some(text)) => text.to_owned(),
        (None, None) => {
            return Err(call.wrong(
                "message",
                "a string, or a part as make-mime-part returns it",
                message,
            ));
        }
    };
    let attachments = match call.key("attachments").filter(|value| !host::is_nil(value)) {
        None => Vec::new(),
        Some(value) => match host::as_list(value) {
            Some(items) => items.map(|item| attachment(call, &item)).collect::<Result<_, _>>()?,
            None => vec![attachment(call, value)?],
        },
    };
    let password = call.key("password").filter(|value| !host::is_nil(value));
    if let Some(login) = login_of(call, call.key_string("login")?, password, None, None)? {
        match &mut server {
            MailServer::Host(host) => host.login = Some(login),
            _ => {
                return Err(Condition::syntax(format!(
                    "{}: :login is for a host; a connection is logged in already",
                    call.name()
                )));
            }
        }
    }
    let date = call.typed_key("date", dates::EXPECTED, dates::header_date)?;
    let letter = Outgoing {
        date: Some(date.unwrap_or_else(|| dates::in_header(&Zoned::now()))),
        message_id: Some(text("message-id")?.unwrap_or_else(|| new_message_id(&from.address))),
        reply_to: shown(&key_mailboxes(call, "reply-to")?),
        subject: text("subject")?,
        headers: headers(call, "headers")?,
        html: text("html")?,
        text: plain,
        body,
        attachments,
        from: from.shown,
        to: shown(&to),
        cc: shown(&cc),
        bcc: shown(&bcc),
    };
    let letter =
        letter.build().map_err(|error| Condition::syntax(format!("{}: {error}", call.name())))?;
    let mut recipients: Vec<String> =
        [to, cc, bcc].into_iter().flatten().map(|mailbox| mailbox.address).collect();
    let mut seen = std::collections::HashSet::new();
    recipients.retain(|address| seen.insert(address.clone()));
    let return_path = if call.boolean_key("null-return-path") { "" } else { from.address.as_str() };
    let envelope = Envelope {
        from: return_path,
        to: &recipients,
        partial: call.boolean_key("partial"),
        long_lines: false,
    };
    let asked = Asked::of(call, &|key| call.key(key).cloned())?;
    Ok(result(deliver(call, &server, &envelope, &asked.notices(), &letter)?))
}

pub(super) fn send_smtp(call: &Call<'_>) -> Answer {
    let server = mail_server(call)?;
    let from = address(call, "from", required(call, 1))?;
    let to = addresses(call, "to", required(call, 2))?;
    send_as_it_is(call, &server, &from, &to, call.rest())
}

pub(super) fn send_smtp_auth(call: &Call<'_>) -> Answer {
    let mut server = mail_server(call)?;
    let from = address(call, "from", required(call, 1))?;
    let to = addresses(call, "to", required(call, 2))?;
    // The argument may be the password, so it is not shown.
    let user = host::as_str(required(call, 3))
        .ok_or_else(|| Condition::syntax(format!("{}: login: expected a string", call.name())))?;
    let login = login_of(call, Some(user), Some(required(call, 4)), None, None)?;
    match &mut server {
        MailServer::Host(host) => host.login = login,
        _ => return Err(call.wrong("mail-server", "a host", required(call, 0))),
    }
    send_as_it_is(call, &server, &from, &to, call.rest())
}

fn send_as_it_is(
    call: &Call<'_>,
    server: &MailServer,
    from: &str,
    to: &[String],
    messages: &[Value],
) -> Answer {
    let is_key = |value: &Value| host::as_keyword(value).is_some();
    let (messages, keys) =
        messages.split_at(messages.iter().position(is_key).unwrap_or(messages.len()));
    let (pairs, odd) = keys.as_chunks::<2>();
    let is_known =
        |[key, _]: &[Value; 2]| host::as_keyword(key).is_some_and(|key| Asked::KEYS.contains(&key));
    if let Some(wrong) =
        pairs.iter().find(|pair| !is_known(pair)).map(|[key, _]| key).or(odd.first())
    {
        return Err(call.wrong(
            "messages",
            "strings, then :notify, :return and :envelope-id",
            wrong,
        ));
    }
    let asked = Asked::of(call, &|key| {
        let pair = pairs.iter().find(|[known, _]| host::as_keyword(known) == Some(key));
        pair.map(|[_, value]| value.clone())
    })?;
    let mut letter = Vec::new();
    let mut raw = false;
    for message in messages {
        match (host::as_str(message), host::as_bytes(message)) {
            (Some(text), _) => letter.extend_from_slice(text.as_bytes()),
            (None, Some(bytes)) => {
                raw = true;
                letter.extend_from_slice(&bytes);
            }
            (None, None) => return Err(call.wrong("messages", "strings", message)),
        }
    }
    let envelope = Envelope { from, to, partial: false, long_lines: raw };
    Ok(result(deliver(call, server, &envelope, &asked.notices(), &letter)?))
}

/// The notifications that a call asks for.
struct Asked {
    notify: Option<Vec<Notify>>,
    returned: Option<Returned>,
    envelope_id: Option<String>,
}

impl Asked {
    const KEYS: [&str; 3] = ["notify", "return", "envelope-id"];

    /// Reads the keys, of which `key` gives the values.
    fn of(call: &Call<'_>, key: &dyn Fn(&str) -> Option<Value>) -> Result<Asked, Condition> {
        let given = |name: &str| key(name).filter(|value| !host::is_nil(value));
        let notify = given("notify").map(|value| {
            let expected = ":never, or a list of :success, :failure and :delay";
            events(&value).ok_or_else(|| call.wrong(":notify", expected, &value))
        });
        let returned = given("return").map(|value| match host::as_keyword(&value) {
            Some("headers") => Ok(Returned::Headers),
            Some("full") => Ok(Returned::Full),
            _ => Err(call.wrong(":return", ":headers or :full", &value)),
        });
        let envelope_id = given("envelope-id").map(|value| {
            let text = host::as_str(&value).map(str::to_owned);
            text.ok_or_else(|| call.wrong(":envelope-id", "a string", &value))
        });
        let asked = Asked {
            notify: notify.transpose()?,
            returned: returned.transpose()?,
            envelope_id: envelope_id.transpose()?,
        };
        match asked.notices().check() {
            Ok(()) => Ok(asked),
            Err(error) => Err(Condition::syntax(format!("{}: {error}", call.name()))),
        }
    }

    fn notices(&self) -> Notices<'_> {
        Notices {
            notify: self.notify.as_deref(),
            returned: self.returned,
            envelope_id: self.envelope_id.as_deref(),
        }
    }
}

/// Reads `:never`, or one or several events.
fn events(value: &Value) -> Option<Vec<Notify>> {
    let event = |value: &Value| match host::as_keyword(value)? {
        "success" => Some(Notify::Success),
        "failure" => Some(Notify::Failure),
        "delay" => Some(Notify::Delay),
        _ => None,
    };
    if host::as_keyword(value) == Some("never") {
        return Some(Vec::new());
    }
    match host::as_list(value) {
        Some(mut events) => events.by_ref().map(|value| event(&value)).collect(),
        None => Some(vec![event(value)?]),
    }
}

/// Returns `t`, or the refused recipients with the server's words.
fn result(refused: Vec<Refused>) -> Value {
    if refused.is_empty() {
        return host::truth(true);
    }
    host::list(
        refused
            .into_iter()
            .map(|one| host::list(vec![host::string(one.address), host::string(one.words)]))
            .collect(),
    )
}

/// Makes a unique message id from the time and a number that the system seeds at random (RFC 5322
/// 3.6.4).
fn new_message_id(from: &str) -> String {
    let random = RandomState::new().build_hasher().finish();
    let domain = from.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
    let domain = if domain.is_ascii() { domain } else { "localhost" };
    format!("<{:x}.{random:016x}@{domain}>", Zoned::now().timestamp().as_nanosecond())
}
