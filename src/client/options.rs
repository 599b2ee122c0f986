//! How to connect, alike for all three protocols, and the rule about encryption.

use super::error::Error;
use crate::proto::{Limits, Protocol, Secret};
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

impl Credentials {
    /// Keeps the password, and what SASL makes of it, out of traces and messages.
    pub(super) fn hide_in<S: Protocol>(&self, connection: &mut Connection<S>) {
        connection.hide(&self.password);
        let (user, password) = (&self.user, self.password.reveal());
        connection.hide(&Secret::new(format!("\0{user}\0{password}")));
        connection.hide(&Secret::new(format!("user={user}\u{1}auth=Bearer {password}\u{1}\u{1}")));
    }
}

/// How to connect.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// The port; by default the protocol's own, for IMAP 993 with [`TlsMode::Implicit`], else 143.
    pub port: Option<u16>,
    /// Encryption; by default implicit on the protocol's port for that, none when the bytes stay on this machine and no CA file or
    /// identity is given, else STARTTLS.
    pub tls: Option<TlsMode>,
    /// Certificates.
    pub tls_options: TlsOptions,
    /// The longest wait for the server's next bytes; 30 seconds.
    pub timeout: Duration,
    /// The longest time for the whole reply to a command, besides what its bytes take at 1 KiB a second; ten times the timeout.
    pub reply_deadline: Option<Duration>,
    /// Limits on what the server may send.
    pub limits: Limits,
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
        }
    }
}

/// A protocol's ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ports {
    pub plain: u16,
    pub implicit_tls: u16,
}

/// What was decided before a connection is opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    mode: Option<TlsMode>,
    port: u16,
    pace: Pace,
}

impl ConnectOptions {
    pub(super) fn way(&self, ports: Ports) -> Way {
        let mode = self.tls.or((self.port == Some(ports.implicit_tls)).then_some(TlsMode::Implicit));
        // Who says what to trust wants TLS, also through a tunnel's mouth on this machine.
        let names_trust = self.tls_options.ca_file.is_some() || self.tls_options.identity.is_some();
        let mode = mode.or(names_trust.then_some(TlsMode::StartTls));
        let port = self.port.unwrap_or(if mode == Some(TlsMode::Implicit) { ports.implicit_tls } else { ports.plain });
        let mut pace = Pace::from_timeout(self.timeout);
        pace.total = self.reply_deadline.unwrap_or(pace.total);
        Way { mode, port, pace }
    }
}

impl Way {
    pub(super) fn open<S: Protocol>(
        &self,
        connector: &Connector,
        host: &str,
        options: &ConnectOptions,
        session: S,
    ) -> Result<Connection<S>, Error> {
        let implicit = self.mode == Some(TlsMode::Implicit);
        Ok(Connection::open(connector, host, self.port, implicit, options.tls_options.clone(), self.pace, session)?)
    }

    /// Whether nothing may be said before STARTTLS: where it was asked for, and by default wherever somebody could listen.
    pub(super) fn wants_starttls<S: Protocol>(&self, connection: &Connection<S>) -> bool {
        self.mode == Some(TlsMode::StartTls) || (self.mode.is_none() && connection.is_exposed())
    }
}
