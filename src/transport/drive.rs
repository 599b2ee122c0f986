//! Pumps a session: writes what it has to send, reads what it needs. Events are parsed while the server still sends.

use super::connect::Connector;
use super::error::TransportError;
use super::stream::{Pace, Stream};
use super::tls::{self, TlsOptions};
use super::trace::Trace;
use crate::proto::{Protocol, ProtocolError, Secret};
use std::io::{Read, Write};
use std::time::Duration;
use thiserror::Error;

/// A stream and the session that speaks over it.
pub struct Connection<S> {
    stream: Stream,
    session: S,
    trace: Trace,
    host: String,
    tls: TlsOptions,
    loopback: bool,
    timeout_seconds: f64,
}

/// Either side of a connection failed.
#[derive(Debug, Error)]
pub enum DriveError {
    /// The stream.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The server's protocol.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
}

impl<S: Protocol> Connection<S> {
    /// Connects; with `implicit_tls` the stream is encrypted from the first byte.
    ///
    /// # Errors
    /// [`TransportError`].
    pub fn open(
        connector: &Connector,
        host: &str,
        port: u16,
        implicit_tls: bool,
        mut tls: TlsOptions,
        pace: Pace,
        session: S,
    ) -> Result<Self, TransportError> {
        let opened = connector.open(host, port, S::NAME, implicit_tls, pace)?;
        tls.roots_pem = opened.roots_pem.or(tls.roots_pem);
        let timeout_seconds = pace.idle.as_secs_f64();
        let stream = if implicit_tls { tls::encrypt(opened.socket, host, &tls, timeout_seconds)? } else { Stream::Plain(opened.socket) };
        let trace = Trace::new(connector.trace.clone()).switched_by(connector.trace_switch.clone());
        Ok(Connection { stream, session, trace, host: host.to_owned(), tls, loopback: opened.loopback, timeout_seconds })
    }

    /// The session.
    pub fn session(&mut self) -> &mut S {
        &mut self.session
    }

    /// The session, to look at.
    pub fn session_ref(&self) -> &S {
        &self.session
    }

    /// The stream.
    pub fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }

    /// The host that was asked for.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether what is sent can be read on the way.
    pub fn is_exposed(&self) -> bool {
        !self.loopback && !self.stream.is_encrypted()
    }

    /// Whether the stream is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.stream.is_encrypted()
    }

    /// Whether the stream was closed on this side.
    pub fn is_closed(&self) -> bool {
        self.stream.is_closed()
    }

    /// Keeps a secret out of the trace and out of messages.
    pub fn hide(&mut self, secret: &Secret) {
        self.trace.hide(secret);
    }

    /// Text with every known secret replaced.
    pub fn redact(&self, text: &str) -> String {
        self.trace.redact(text)
    }

    /// Encrypts the stream, after the server said OK to STARTTLS.
    ///
    /// # Errors
    /// [`DriveError`]; the connection is closed then.
    pub fn start_tls(&mut self) -> Result<(), DriveError> {
        // The server says nothing before this side's hello: what is there was sent in the clear behind its reply.
        self.overhear()?;
        if let Err(error) = self.session.tls_established() {
            self.stream.close();
            return Err(error.into());
        }
        match std::mem::replace(&mut self.stream, Stream::Closed) {
            Stream::Plain(mut socket) => {
                socket.begin_handshake();
                self.stream = tls::encrypt(socket, &self.host, &self.tls, self.timeout_seconds)?;
            }
            other => self.stream = other,
        }
        Ok(())
    }

    /// Waits until the session has something to tell, which its `current_event` then shows.
    ///
    /// # Errors
    /// [`DriveError`], in which no secret is; the stream is closed then.
    pub fn wait(&mut self) -> Result<(), DriveError> {
        self.fill().map_err(|error| {
            self.stream.close();
            match error {
                DriveError::Protocol(error) => DriveError::Protocol(error.map_near(|near| self.trace.redact(near))),
                other => other,
            }
        })
    }

    fn fill(&mut self) -> Result<(), DriveError> {
        loop {
            self.flush()?;
            if self.session.find_event()? {
                return self.flush();
            }
            self.flush()?;
            let count = self.stream.read(self.session.space()).map_err(|error| TransportError::from_io(&error, self.timeout_seconds))?;
            self.took(count)?;
        }
    }

    /// Takes what has come while nobody waited, without waiting. To be called before a command goes out: what is there by then does not answer it.
    ///
    /// # Errors
    /// [`DriveError::Transport`]; the stream is closed then.
    pub fn overhear(&mut self) -> Result<(), DriveError> {
        let result = match self.stream.read_at_once(self.session.space()) {
            Ok(None) => Ok(()),
            Ok(Some(count)) => self.took(count),
            Err(error) => Err(TransportError::from_io(&error, self.timeout_seconds).into()),
        };
        if result.is_err() {
            self.stream.close();
        }
        result
    }

    /// Finds the next event in what has come, without waiting.
    ///
    /// # Errors
    /// [`DriveError::Protocol`]; the stream is closed then.
    pub fn poll(&mut self) -> Result<bool, DriveError> {
        let result = self.session.find_event();
        if result.is_err() {
            self.stream.close();
        }
        Ok(result?)
    }

    fn took(&mut self, count: usize) -> Result<(), DriveError> {
        if count == 0 {
            return Err(TransportError::Closed.into());
        }
        if self.trace.is_on() {
            let bytes = self.session.space()[..count].to_vec();
            self.trace.received(&bytes);
        }
        self.session.filled(count);
        Ok(())
    }

    /// Sends what the session has to send.
    ///
    /// # Errors
    /// [`DriveError::Transport`].
    pub fn flush(&mut self) -> Result<(), DriveError> {
        let outgoing = self.session.take_outgoing();
        if outgoing.bytes().is_empty() {
            return Ok(());
        }
        if self.trace.is_on() {
            self.trace.sent(&outgoing.redacted());
        }
        let sent = self.stream.write_all(outgoing.bytes()).and_then(|()| self.stream.flush());
        Ok(sent.map_err(|error| TransportError::from_io(&error, self.timeout_seconds))?)
    }

    /// From now on nothing is waited for longer than this.
    pub fn hurry(&mut self, longest: Duration) {
        if let Some(pace) = self.stream.pace() {
            self.stream.set_pace(Pace { idle: pace.idle.min(longest), total: pace.total.min(longest), ..pace });
        }
    }

    /// Closes the stream at once, whatever is in flight.
    pub fn close(&mut self) {
        self.stream.close();
    }
}
