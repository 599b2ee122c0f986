//! Connections to the accounts of the user, for commands that work on a journal or a plan.
//!
//! An account is connected to by its definition (`define-account`), which `init.scm` or `--load` has.
//! The password of one that is not defined is asked for at the terminal.

use super::arguments::AccountOptions;
use super::asking;
use super::init;
use super::output::{complain, print};
use crate::api::{ImapMailbox, Setup, SmtpConnection, attach};
use crate::client::ImapClient;
use crate::client::smtp::Envelope;
use crate::host::{self, Host, Options, Value};
use crate::plan::Hands;
use crate::policy::Policy;
use crate::proto::deed::Account;
use crate::shown::escape_controls;
use crate::state::Accounts;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// Connections to the accounts that the user has defined.
pub(super) struct Connections {
    pub(super) host: Host,
    state: Arc<crate::api::State>,
    defined: Vec<Defined>,
    open: HashMap<(String, Account), Value>,
}

impl Connections {
    /// Loads the user's accounts.
    pub(super) fn open(options: &AccountOptions, mut setup: Setup) -> Result<Connections, String> {
        setup.ask_secret = asking::at_terminal();
        let warnings = |condition: &crate::condition::Condition| {
            complain(crate::repl::display::warning_text(condition).trim_end_matches('\n'))
        };
        let host_options = Options {
            output: Box::new(print),
            warnings: Box::new(warnings),
            policy: Policy::trusted(),
            ..Options::default()
        };
        let mut host = Host::new(host_options);
        let state = attach(&mut host, &setup);
        match &options.load {
            Some(file) => {
                let source = init::source_of(Path::new(file))?;
                let loaded = host.evaluate_file(&source, &file.display().to_string());
                loaded.map_err(|report| report.to_string())?;
            }
            None => drop(init::load_if_there(&mut host)),
        }
        let found = host.evaluate(ACCOUNTS, "accounts").map_err(|report| report.to_string())?;
        let defined = host::as_list(&found).into_iter().flatten();
        let defined = defined.filter_map(|one| Defined::read(&one)).collect();
        Ok(Connections { host, state, defined, open: HashMap::new() })
    }

    pub(super) fn close(&self) {
        self.state.close_all();
    }

    /// The connection to an account; made at the first call.
    fn opened(&mut self, host: &str, account: &Account) -> Result<Value, String> {
        let key = (host.to_owned(), account.clone());
        if let Some(open) = self.open.get(&key) {
            return Ok(open.clone());
        }
        let connection = self.connect(host, account)?;
        self.open.insert(key, connection.clone());
        Ok(connection)
    }

    fn connect(&mut self, host: &str, account: &Account) -> Result<Value, String> {
        let user = account.user.as_deref().unwrap_or_default();
        let known = self.defined.iter().find(|known| {
            known.protocol == account.protocol
                && known.host.eq_ignore_ascii_case(host)
                && known.port == account.port
                && known.user == user
        });
        let form = match known {
            Some(known) if known.protocol == "smtp" => {
                format!("(connect {} :smtp)", quoted(&known.name))
            }
            Some(known) => format!("(connect {} :imap)", quoted(&known.name)),
            None if account.protocol == "smtp" => {
                let (host, port) = (quoted(host), account.port);
                match &account.user {
                    Some(user) => format!(
                        "(make-smtp-connection {host} :port {port} :login {})",
                        quoted(user)
                    ),
                    None => format!("(make-smtp-connection {host} :port {port})"),
                }
            }
            // Asks for the password at the terminal.
            None => format!(
                "(make-imap-connection {} :port {} :user {})",
                quoted(host),
                account.port,
                quoted(user)
            ),
        };
        self.host.evaluate(&form, "connection").map_err(|report| {
            let hint = match known {
                Some(_) => "",
                None => {
                    " (no account is defined for it: define-account in init.scm, or --load FILE)"
                }
            };
            let shown = format!("{user} at {host}:{}{hint}: {report}", account.port);
            shown.lines().map(escape_controls).collect::<Vec<_>>().join("\n")
        })
    }
}

/// Lists the IMAP and SMTP sides of all accounts: side, name, host and options.
const ACCOUNTS: &str = "(mapcan (lambda (side)
  (mapcan (lambda (one)
      (handler-case (list (list* side (symbol-name (car one)) (cdr (%account-call (car one) (funcall (cdr one)) side))))
        (error () '())))
    (%accounts)))
  '(:imap :smtp))";

/// One side of an account that the user has defined.
struct Defined {
    protocol: &'static str,
    name: String,
    host: String,
    port: u16,
    user: String,
}

impl Defined {
    /// Reads `(:imap "name" "host" :user "u" …)`.
    fn read(value: &Value) -> Option<Defined> {
        let items: Vec<Value> = host::as_list(value)?.collect();
        let [side, name, server, options @ ..] = &items[..] else { return None };
        let (name, server) = (host::as_str(name)?, host::as_str(server)?);
        let key = |key: &str| {
            let mut pairs = options.chunks(2);
            pairs.find(|pair| host::as_keyword(&pair[0]) == Some(key))?.get(1)
        };
        let is_implicit = key("tls").is_some_and(|mode| host::as_keyword(mode) == Some("implicit"))
            || key("ssl").is_some_and(|value| !host::is_nil(value));
        let (protocol, default, user) = match (host::as_keyword(side)?, is_implicit) {
            ("smtp", false) => ("smtp", 25, "login"),
            ("smtp", true) => ("smtp", 465, "login"),
            (_, false) => ("imap", 143, "user"),
            (_, true) => ("imap", 993, "user"),
        };
        let port = key("port").and_then(host::as_integer).and_then(|port| u16::try_from(port).ok());
        let user = key(user).and_then(host::as_str).unwrap_or_default().to_owned();
        let (name, host) = (name.to_owned(), server.to_owned());
        Some(Defined { protocol, name, host, port: port.unwrap_or(default), user })
    }
}

/// A text as a literal of the language.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

impl Accounts for Connections {
    fn with_imap(
        &mut self,
        host: &str,
        account: &Account,
        task: &mut dyn FnMut(&mut ImapClient),
    ) -> Result<(), String> {
        let connection = self.opened(host, account)?;
        let mailbox = host::downcast::<ImapMailbox>(&connection);
        let mailbox = mailbox.ok_or_else(|| format!("{host}: there is no connection"))?;
        task(&mut mailbox.client());
        Ok(())
    }
}

impl Hands for Connections {
    fn send(
        &mut self,
        host: &str,
        account: &Account,
        from: &str,
        to: &[String],
        letter: &[u8],
    ) -> Result<(), String> {
        let connection = self.opened(host, account)?;
        let connection = host::downcast::<SmtpConnection>(&connection);
        let connection = connection.ok_or_else(|| format!("{host}: there is no connection"))?;
        let envelope = Envelope { from, to, partial: false, long_lines: true };
        let sent = connection.client().send(&envelope, letter);
        sent.map(drop).map_err(|error| error.to_string())
    }

    fn hand_over(
        &mut self,
        program: &[String],
        from: &str,
        to: &[String],
        letter: &[u8],
    ) -> Result<(), String> {
        let letter = std::str::from_utf8(letter)
            .map_err(|_| "the letter has 8-bit bytes that are no UTF-8".to_owned())?;
        let words = |words: &[String]| {
            let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
            words.join(" ")
        };
        let form = format!(
            "(send-smtp (list :program {}) {} (list {}) {})",
            words(program),
            quoted(from),
            words(to),
            quoted(letter)
        );
        self.host.evaluate(&form, "letter").map(drop).map_err(|report| report.to_string())
    }
}
