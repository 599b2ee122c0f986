//! How to connect, for all three protocols, and the rule about encryption.
//!
//! Without an explicit [`TlsMode`], the first rule that applies decides:
//!
//! | condition | encryption |
//! |---|---|
//! | the port is the protocol's TLS port | implicit TLS |
//! | a CA file or a client identity is given | STARTTLS |
//! | the traffic stays on this machine | none |
//! | otherwise | STARTTLS |
//!
//! If STARTTLS is required and the server does not offer it, the connection ends before a password
//! is sent.

use super::error::Error;
use super::identity::{ServerId, own_identity};
use crate::proto::sasl::{Exchange, Mechanism};
use crate::proto::{EncodeError, Limits, Protocol, Secret};
use crate::transport::{Connection, Connector, Pace, TlsOptions};
use std::time::Duration;

/// How the stream is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// From the first byte: usually port 993 for IMAP, 995 for POP3, 465 for SMTP.
    Implicit,
    /// By STARTTLS. If the server does not offer it, the connection ends before a password is sent.
    StartTls,
    /// Not at all. The password is sent unencrypted.
    None,
}

/// A user, a password or token, and how to log in.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The user's name.
    pub user: String,
    /// The password, or the bearer token.
    pub password: Secret,
    /// How to log in; by default the strongest way that the server offers.
    pub auth: Option<Auth>,
}

/// How to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// The protocol's own command: LOGIN in IMAP, USER and PASS in POP3, AUTH LOGIN in SMTP.
    Login,
    /// POP3's APOP: an MD5 digest is sent instead of the password (RFC 1939 7).
    Apop,
    /// The password is a bearer token, sent by OAUTHBEARER or XOAUTH2, whichever the server offers.
    Token,
    /// AUTHENTICATE or AUTH with this mechanism.
    Sasl(Mechanism),
}

impl Credentials {
    /// A user with a password, logging in by the strongest mechanism that the server offers.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Credentials { user: user.into(), password: Secret::new(password), auth: None }
    }

    /// Chooses a mechanism among those for which `offers` returns true. `None` means the protocol's
    /// own login command.
    pub(super) fn mechanism(
        &self,
        offers: impl Fn(&str) -> bool,
    ) -> Result<Option<Mechanism>, Error> {
        let first =
            |known: &[Mechanism]| known.iter().copied().find(|mechanism| offers(mechanism.name()));
        match self.auth {
            Some(Auth::Login | Auth::Apop) => Ok(None),
            None => Ok(first(&[Mechanism::ScramSha256, Mechanism::Plain])),
            Some(Auth::Token) => {
                first(&[Mechanism::OAuthBearer, Mechanism::XOAuth2]).map(Some).ok_or_else(|| {
                    Error::Unsupported(
                        "the server takes no bearer token (OAUTHBEARER, XOAUTH2)".into(),
                    )
                })
            }
            Some(Auth::Sasl(mechanism)) if offers(mechanism.name()) => Ok(Some(mechanism)),
            Some(Auth::Sasl(mechanism)) => {
                Err(Error::Unsupported(format!("the server does not offer {}", mechanism.name())))
            }
        }
    }

    /// Checks user and password before a byte is sent: neither may contain a line end or NUL.
    pub(super) fn check(&self) -> Result<(), EncodeError> {
        let breaks = |text: &str| text.contains(['\0', '\r', '\n']);
        if breaks(&self.user) {
            return Err(EncodeError::new(
                "user",
                "text without NUL and line ends",
                self.user.as_bytes(),
            ));
        }
        if breaks(self.password.reveal()) {
            return Err(EncodeError::new(
                "password",
                "text without NUL and line ends",
                b"#<secret>",
            ));
        }
        let mechanism = match self.auth {
            Some(Auth::Sasl(mechanism)) => mechanism,
            Some(Auth::Token) => Mechanism::OAuthBearer,
            _ => Mechanism::Plain,
        };
        Exchange::new(mechanism, &self.user, &self.password).map(drop)
    }

    /// Names the user to the connection, and keeps the password and its SASL encodings out of traces
    /// and messages.
    pub(super) fn tell<S: Protocol>(&self, connection: &mut Connection<S>) {
        connection.set_user(&self.user);
        connection.hide(&self.password);
        let (user, password) = (&self.user, self.password.reveal());
        connection.hide(&Secret::new(format!("\0{user}\0{password}")));
        connection.hide(&Secret::new(format!("user={user}\u{1}auth=Bearer {password}\u{1}\u{1}")));
    }
}

/// How to connect.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// The port. The default is the protocol's plain port, or with [`TlsMode::Implicit`] its TLS
    /// port: 143 or 993 for IMAP, 110 or 995 for POP3, 25 or 465 for SMTP.
    pub port: Option<u16>,
    /// Encryption. By default: implicit on the protocol's TLS port; none on a loopback host if no
    /// CA file or identity is given; STARTTLS otherwise.
    pub tls: Option<TlsMode>,
    /// Trusted certificates and the client identity.
    pub tls_options: TlsOptions,
    /// The longest wait for the server's next bytes. Default: 30 seconds.
    pub timeout: Duration,
    /// The deadline for the whole reply to a command, plus one second for each KiB received.
    /// Default: five times the timeout. The greeting and the TLS handshake have twice the timeout.
    pub reply_deadline: Option<Duration>,
    /// Limits on what the server may send.
    pub limits: Limits,
    /// What an IMAP server is told about this program after the login, if it offers ID (RFC 2971);
    /// `None` tells it nothing. Default: [`own_identity`](super::identity::own_identity). Some
    /// servers refuse every SELECT until they know.
    pub id: Option<ServerId>,
    /// Whether an IMAP connection is compressed after the login (RFC 4978). Default:
    /// [`Compress::Auto`].
    pub compress: Compress,
    /// Whether UTF8=ACCEPT (RFC 6855) and IMAP4rev2 (RFC 9051) are enabled after the login to an
    /// IMAP server that offers them. Default: true.
    pub utf8: bool,
}

/// Whether a connection is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compress {
    /// If the server offers it and the connection leaves this machine.
    #[default]
    Auto,
    /// Always; a server that cannot is an error.
    Always,
    /// Never.
    Never,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        ConnectOptions {
            port: None,
            tls: None,
            tls_options: TlsOptions::default(),
            timeout: Duration::from_secs(30),
            reply_deadline: None,
            limits: Limits::default(),
            id: Some(own_identity()),
            compress: Compress::default(),
            utf8: true,
        }
    }
}

/// A protocol's ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ports {
    pub plain: u16,
    pub implicit_tls: u16,
}

/// The decisions made before a connection is opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    mode: Option<TlsMode>,
    port: u16,
    pace: Pace,
}

impl ConnectOptions {
    /// Decides mode, port and deadlines before connecting.
    pub(super) fn way(&self, ports: Ports) -> Way {
        let mode =
            self.tls.or((self.port == Some(ports.implicit_tls)).then_some(TlsMode::Implicit));
        // A CA file or identity requires TLS even on a loopback host, which may be the end of a
        // tunnel.
        let names_trust = self.tls_options.ca_file.is_some() || self.tls_options.identity.is_some();
        let mode = mode.or(names_trust.then_some(TlsMode::StartTls));
        let port = self.port.unwrap_or(if mode == Some(TlsMode::Implicit) {
            ports.implicit_tls
        } else {
            ports.plain
        });
        let mut pace = Pace::from_timeout(self.timeout);
        pace.total = self.reply_deadline.unwrap_or(pace.total);
        Way { mode, port, pace }
    }
}

impl Way {
    /// Opens the stream, with implicit TLS if that is the mode.
    pub(super) fn open<S: Protocol>(
        &self,
        connector: &Connector,
        host: &str,
        options: &ConnectOptions,
        session: S,
    ) -> Result<Connection<S>, Error> {
        let implicit = self.mode == Some(TlsMode::Implicit);
        Ok(Connection::open(
            connector,
            host,
            self.port,
            implicit,
            options.tls_options.clone(),
            self.pace,
            session,
        )?)
    }

    /// Whether STARTTLS must come before anything else: if it was asked for, and by default if the
    /// traffic leaves this machine.
    pub(super) fn wants_starttls<S: Protocol>(&self, connection: &Connection<S>) -> bool {
        self.mode == Some(TlsMode::StartTls) || (self.mode.is_none() && connection.is_exposed())
    }
}
