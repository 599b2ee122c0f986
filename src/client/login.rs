//! From a host name to a session that is logged in: TLS policy, greeting, authentication (RFC 9051 6.2).

use super::error::Error;
use super::imap::ImapClient;
use crate::proto::imap::{Command, Event, StatusKind};
use crate::proto::{Limits, Secret};
use crate::transport::{Connection, Connector, Pace, TlsOptions};
use std::time::Duration;

/// How the stream is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// From the first byte, usually port 993.
    Implicit,
    /// By STARTTLS; without it the connection ends before a password is sent.
    StartTls,
    /// Not at all: the password travels in the clear.
    None,
}

/// Who logs in.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The user's name.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// How to connect.
#[derive(Debug, Clone)]
pub struct ImapOptions {
    /// The port; by default 993 for [`TlsMode::Implicit`], else 143.
    pub port: Option<u16>,
    /// Encryption; by default implicit on port 993, none when the bytes stay on this machine, else STARTTLS.
    pub tls: Option<TlsMode>,
    /// Certificates.
    pub tls_options: TlsOptions,
    /// The longest wait for the server's next bytes; 30 seconds.
    pub timeout: Duration,
    /// Limits on what the server may send.
    pub limits: Limits,
}

impl Default for ImapOptions {
    fn default() -> Self {
        ImapOptions {
            port: None,
            tls: None,
            tls_options: TlsOptions::default(),
            timeout: Duration::from_secs(30),
            limits: Limits::default(),
        }
    }
}

impl ImapClient {
    /// Connects, encrypts as the options say, and logs in.
    ///
    /// # Errors
    /// [`Error::Insecure`] where the password would travel in the clear off this machine and [`TlsMode::None`] was not asked for;
    /// [`Error::Authentication`], [`Error::Transport`], [`Error::Protocol`] and [`Error::Bye`] as they say. Nothing stays open.
    pub fn connect(connector: &Connector, host: &str, credentials: &Credentials, options: &ImapOptions) -> Result<Self, Error> {
        let login = Command::login(&credentials.user, &credentials.password)?; // before a byte is sent
        let mode = options.tls.or((options.port == Some(993)).then_some(TlsMode::Implicit));
        let port = options.port.unwrap_or(if mode == Some(TlsMode::Implicit) { 993 } else { 143 });
        let implicit = mode == Some(TlsMode::Implicit);
        let pace = Pace::from_timeout(options.timeout);
        let mut connection = Connection::open(connector, host, port, implicit, options.tls_options.clone(), pace, options.limits.clone())?;
        connection.hide(&credentials.password);
        let mut client = ImapClient::over(connection);
        let authenticated = client.greeting()?;
        let wants_starttls = mode == Some(TlsMode::StartTls) || (mode.is_none() && client.connection().is_exposed());
        if wants_starttls {
            client.start_tls(authenticated)?;
        }
        if !authenticated {
            client.log_in(login, credentials)?;
        }
        client.know_capabilities()?;
        client.learn_separator()?;
        Ok(client)
    }

    /// Whether the server says that we are logged in already.
    fn greeting(&mut self) -> Result<bool, Error> {
        let (kind, words) = match self.connection().event()? {
            Event::Greeting(status) => (status.kind, String::from_utf8_lossy(status.text).into_owned()),
            _ => return Err(Error::Unexpected("something else than a greeting came first".into())),
        };
        match kind {
            StatusKind::Ok => Ok(false),
            StatusKind::PreAuth => Ok(true),
            _ => {
                self.connection().close();
                Err(Error::Bye { words })
            }
        }
    }

    fn start_tls(&mut self, authenticated: bool) -> Result<(), Error> {
        if authenticated {
            return Err(self.give_up("the server says that we are logged in before TLS, so that STARTTLS cannot be used any more"));
        }
        self.know_capabilities()?;
        if !self.capabilities().has("STARTTLS") {
            return Err(self.give_up("the server offers no STARTTLS, and the password would travel in the clear; give :tls :none to allow that, or :tls :implicit for port 993"));
        }
        match self.run(Command::starttls(), &mut |_| Ok(())) {
            Ok(_) => self.connection().start_tls()?,
            Err(Error::Refused { completion, .. }) => {
                return Err(self.give_up(&format!("the server refused STARTTLS: {}", completion.words())));
            }
            Err(error) => return Err(error),
        }
        self.forget_warnings();
        self.know_capabilities()
    }

    fn log_in(&mut self, login: Command, credentials: &Credentials) -> Result<(), Error> {
        self.know_capabilities()?;
        let capabilities = self.capabilities().clone();
        let command = if capabilities.has("AUTH=PLAIN") {
            Command::authenticate_plain(&credentials.user, &credentials.password, capabilities.has("SASL-IR"))?
        } else if capabilities.has("LOGINDISABLED") {
            return Err(self.give_up("the server takes no password on this connection (LOGINDISABLED)"));
        } else {
            login
        };
        match self.run(command, &mut |_| Ok(())) {
            Ok(_) => Ok(()),
            Err(Error::Refused { completion, .. }) => {
                let words = self.connection().redact(&completion.words());
                self.close();
                Err(Error::Authentication { user: credentials.user.clone(), words })
            }
            Err(error) => Err(error),
        }
    }

    /// Asks for the capabilities unless the server has told them.
    fn know_capabilities(&mut self) -> Result<(), Error> {
        if self.capabilities().is_empty() {
            self.run(Command::capability(), &mut |_| Ok(()))?;
        }
        Ok(())
    }

    fn give_up(&mut self, why: &str) -> Error {
        self.close();
        Error::Insecure(why.to_owned())
    }
}
