//! Pumps a session: writes what it has to send, reads what it needs. Events are parsed while the server still sends.

use super::connect::Connector;
use super::door::OpenDeeds;
use super::error::TransportError;
use super::stream::{Moved, Pace, Stream};
use super::tls::{self, TlsOptions};
use super::trace::Trace;
use crate::proto::deed::Refusal;
use crate::proto::{Outgoing, Protocol, ProtocolError, Secret};
use std::io::{self, Read, Write};
use std::time::Duration;
use thiserror::Error;

/// A stream and the session that speaks over it.
pub struct Connection<S: Protocol> {
    stream: Stream,
    pub(super) session: S,
    pub(super) deeds: OpenDeeds<S::Handle>,
    /// What is going out, and how much of it has.
    unsent: (Outgoing, usize),
    trace: Trace,
    pub(super) host: String,
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
    /// Neither: the witness did not let a command pass.
    #[error(transparent)]
    Refused(#[from] Refusal),
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
        let stream = if implicit_tls {
            tls::encrypt(opened.socket, host, &tls, timeout_seconds)?
        } else {
            Stream::Plain(opened.socket)
        };
        let trace = Trace::new(connector.trace.clone()).switched_by(connector.trace_switch.clone());
        Ok(Connection {
            stream,
            session,
            deeds: OpenDeeds::new(connector.witness.clone()),
            unsent: Default::default(),
            trace,
            host: host.to_owned(),
            tls,
            loopback: opened.loopback,
            timeout_seconds,
        })
    }

    /// The session, to look at. Commands go through [`Connection::submit`].
    pub fn session(&self) -> &S {
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
        let established = if self.has_unsent() {
            Err(ProtocolError::OutOfTurn {
                what: "a reply to STARTTLS before it was wholly sent",
                near: String::new(),
            })
        } else {
            self.session.tls_established()
        };
        if let Err(error) = established {
            self.close();
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
        self.fill().map(|()| self.note_end()).map_err(|error| {
            self.close();
            match error {
                DriveError::Protocol(error) => {
                    DriveError::Protocol(error.map_near(|near| self.trace.redact(near)))
                }
                other => other,
            }
        })
    }

    fn note_end(&mut self) {
        if let Some((handle, done)) = self.session.ended() {
            self.deeds.end(handle, done);
        }
    }

    fn fill(&mut self) -> Result<(), DriveError> {
        loop {
            let all_sent = match self.send() {
                // The words that have come say why it broke.
                Err(DriveError::Transport(TransportError::Broken(_) | TransportError::Closed))
                    if self.session.find_event()? =>
                {
                    return Ok(());
                }
                sent => sent?,
            };
            if self.session.find_event()? {
                self.send_at_once();
                return Ok(());
            }
            if all_sent && self.send()? {
                let count =
                    self.stream.read(self.session.space()).map_err(|error| self.failed(&error))?;
                self.took(count)?;
            }
        }
    }

    fn failed(&self, error: &io::Error) -> TransportError {
        TransportError::from_io(error, self.timeout_seconds)
    }

    /// Sends what the session has to send, all of it or until the server says something instead of listening; whether it was all.
    fn send(&mut self) -> Result<bool, DriveError> {
        while self.has_unsent() {
            let (outgoing, sent) = &mut self.unsent;
            let came =
                match self.stream.write_or_read(&outgoing.bytes()[*sent..], self.session.space()) {
                    Ok(Moved::Out(0)) => return Err(TransportError::Closed.into()),
                    Ok(Moved::Out(count)) => {
                        *sent += count;
                        continue;
                    }
                    Ok(Moved::In(count)) => count,
                    Err(error) => {
                        let error = self.failed(&error);
                        // What has come may tell why the stream was closed.
                        match self.stream.read_at_once(self.session.space()) {
                            Ok(Some(count))
                                if count > 0 && matches!(error, TransportError::Broken(_)) =>
                            {
                                count
                            }
                            _ => return Err(error.into()),
                        }
                    }
                };
            self.took(came)?;
            return Ok(false);
        }
        self.stream.flush().map_err(|error| self.failed(&error))?;
        Ok(true)
    }

    /// Sends as much as goes out without waiting; what keeps it from going out is told by the next wait. Nothing is read, so that the event that was found
    /// stays.
    fn send_at_once(&mut self) {
        while self.has_unsent() {
            let (outgoing, sent) = &mut self.unsent;
            match self.stream.write_at_once(&outgoing.bytes()[*sent..]) {
                Ok(Some(count)) if count > 0 => *sent += count,
                _ => break,
            }
        }
    }

    /// Whether something is left to send. What the session has is taken over when all before is out.
    fn has_unsent(&mut self) -> bool {
        if self.unsent.1 < self.unsent.0.bytes().len() {
            return true;
        }
        self.unsent = (self.session.take_outgoing(), 0);
        if self.trace.is_on() && !self.unsent.0.bytes().is_empty() {
            self.trace.sent(&self.unsent.0.redacted());
        }
        !self.unsent.0.bytes().is_empty()
    }

    /// Takes what has come while nobody waited, without waiting; whether there was anything. To be called before a command goes out: what is there by then
    /// does not answer it.
    ///
    /// # Errors
    /// [`DriveError::Transport`]; the stream is closed then.
    pub fn overhear(&mut self) -> Result<bool, DriveError> {
        let result = match self.stream.read_at_once(self.session.space()) {
            Ok(None) => Ok(false),
            Ok(Some(count)) => self.took(count).map(|()| true),
            Err(error) => Err(self.failed(&error).into()),
        };
        if result.is_err() {
            self.close();
        }
        result
    }

    /// Finds the next event in what has come, without waiting.
    ///
    /// # Errors
    /// [`DriveError::Protocol`]; the stream is closed then.
    pub fn poll(&mut self) -> Result<bool, DriveError> {
        let result = self.session.find_event();
        match result {
            Ok(true) => self.note_end(),
            Ok(false) => {}
            Err(_) => self.close(),
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

    /// Sends what the session has to send, without hearing what the server says meanwhile.
    ///
    /// # Errors
    /// [`DriveError::Transport`]; the stream is closed then, since nobody knows what has gone out.
    pub fn flush(&mut self) -> Result<(), DriveError> {
        while self.has_unsent() {
            let (outgoing, sent) = &mut self.unsent;
            let result = self
                .stream
                .write_all(&outgoing.bytes()[*sent..])
                .and_then(|()| self.stream.flush());
            *sent = outgoing.bytes().len();
            if let Err(error) = result {
                let error = self.failed(&error);
                self.close();
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Sends commands whose replies are waited for later. Where the server speaks instead of listening, the rest goes out with the next wait.
    ///
    /// # Errors
    /// As [`Connection::flush`].
    pub fn send_ahead(&mut self) -> Result<(), DriveError> {
        self.stream.begin_reply();
        self.send().map(drop).inspect_err(|_| self.close())
    }

    /// From now on nothing is waited for longer than this.
    pub fn hurry(&mut self, longest: Duration) {
        if let Some(pace) = self.stream.pace() {
            self.stream.set_pace(Pace {
                idle: pace.idle.min(longest),
                total: pace.total.min(longest),
                ..pace
            });
        }
    }

    /// Closes the stream at once, whatever is in flight.
    pub fn close(&mut self) {
        self.stream.close();
        self.unsent = Default::default(); // a secret may be in it
        self.deeds.close(|handle| self.session.is_wholly_sent(handle));
    }
}
