//! A connection: pumps a sans-IO session over a stream.
//!
//! The session never waits. It answers "send these bytes", "here is an event" or "need bytes", and
//! [`Connection::wait`] is the one loop that acts on the answer: send what is queued, look for an
//! event, otherwise read. Events are parsed while the server is still sending.
//!
//! | method | sends | reads | waits |
//! |---|---|---|---|
//! | [`Connection::wait`] | all | until an event is complete | yes |
//! | [`Connection::event_at_once`] | what goes out now | what has arrived already | no |
//! | [`Connection::poll`] | nothing | nothing, parses what is buffered | no |
//! | [`Connection::overhear`] | nothing | what has arrived already | no |
//! | [`Connection::send_ahead`] | all, or until the server speaks | that speech | to write |
//! | [`Connection::flush`] | all | nothing | to write |
//!
//! A server that waits to be heard may stop reading, so writing alternates with reading: neither
//! side can block the other for ever. Any error but a refusal by the witness closes the stream.

use super::connect::{Connector, Gauge};
use super::deflate::Deflated;
use super::door::OpenDeeds;
use super::error::TransportError;
use super::stream::{Moved, Pace, Stream};
use super::tls::{self, TlsOptions};
use super::trace::Trace;
use super::wait::Awaited;
use crate::proto::witness::Refusal;
use crate::proto::{Outgoing, Protocol, ProtocolError, Secret};
use std::io::{self, Read, Write};
use std::time::Duration;
use thiserror::Error;

/// A stream and the session that speaks over it. Commands enter through [`Connection::submit`].
pub struct Connection<S: Protocol> {
    stream: Stream,
    pub(super) session: S,
    pub(super) deeds: OpenDeeds<S::Handle>,
    /// Bytes being sent, and how many of them are out.
    unsent: (Outgoing, usize),
    trace: Trace,
    pub(super) host: String,
    pub(super) port: u16,
    /// Who has logged in.
    pub(super) user: Option<String>,
    tls: TlsOptions,
    loopback: bool,
    timeout_seconds: f64,
    gauge: Option<Gauge>,
}

/// A connection failed, or a command was refused before it was sent.
#[derive(Debug, Error)]
pub enum DriveError {
    /// The stream failed.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The server broke the protocol, or used it in a way we do not understand.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// The witness refused a command; the connection is unaffected.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl<S: Protocol> Connection<S> {
    /// Connects to `host`; with `implicit_tls` the stream is encrypted from the first byte.
    ///
    /// # Errors
    /// [`TransportError`]: the host is unknown, not allowed or refuses; TLS fails; the time is up.
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
            port,
            user: None,
            tls,
            loopback: opened.loopback,
            timeout_seconds,
            gauge: connector.gauge.clone(),
        })
    }

    /// Tells a progress display how much of a command the server has done, and of how much.
    pub fn report_work(&self, done: u64, all: u64) {
        self.gauge.iter().for_each(|gauge| gauge(done, all));
    }

    /// The session, read only. Commands go through [`Connection::submit`].
    pub fn session(&self) -> &S {
        &self.session
    }

    /// The stream.
    pub fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }

    /// The host name that the connection was opened with.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether others could read what is sent: it is not encrypted and leaves this machine.
    pub fn is_exposed(&self) -> bool {
        !self.loopback && !self.stream.is_encrypted()
    }

    /// Whether the stream is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.stream.is_encrypted()
    }

    /// Whether the bytes stay on this machine.
    pub fn is_local(&self) -> bool {
        self.loopback
    }

    /// Whether this side has closed the stream.
    pub fn is_closed(&self) -> bool {
        self.stream.is_closed()
    }

    /// Replaces a secret in the trace and in messages from now on.
    pub fn hide(&mut self, secret: &Secret) {
        self.trace.hide(secret);
    }

    /// Returns the text with every known secret replaced.
    pub fn redact(&self, text: &str) -> String {
        self.trace.redact(text)
    }

    /// Starts TLS, after the server said OK to STARTTLS or STLS.
    ///
    /// # Errors
    /// [`DriveError`]; the connection is closed then. Bytes that arrived in the clear after the OK
    /// are an error: an attacker could have injected them (CVE-2011-0411).
    pub fn start_tls(&mut self) -> Result<(), DriveError> {
        // A server is silent before the client's hello, so bytes that are here now came in the
        // clear.
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

    /// Compresses the stream from here on, after the server said OK to COMPRESS DEFLATE (RFC 4978).
    /// `came` are compressed bytes that followed the OK.
    pub(super) fn compress_with(&mut self, came: Vec<u8>) {
        let plain = std::mem::replace(&mut self.stream, Stream::Closed);
        self.stream = Stream::Deflated(Box::new(Deflated::new(plain, came)));
    }

    /// Waits for the next event, which the session's `current_event` then shows.
    ///
    /// # Errors
    /// [`DriveError`], with secrets replaced; the stream is closed then.
    pub fn wait(&mut self) -> Result<(), DriveError> {
        self.fill().map(|()| self.note_end()).map_err(|error| self.closed_by(error))
    }

    fn closed_by(&mut self, error: DriveError) -> DriveError {
        self.close();
        match error {
            DriveError::Protocol(error) => {
                DriveError::Protocol(error.map_near(|near| self.trace.redact(near)))
            }
            other => other,
        }
    }

    /// Finds the next event without waiting: sends what goes out now, and reads what has arrived.
    /// When there is none, nothing is left that was read already, so the stream can be waited for
    /// ([`super::wait_for_any`]).
    ///
    /// # Errors
    /// [`DriveError`], with secrets replaced; the stream is closed then.
    pub fn event_at_once(&mut self) -> Result<bool, DriveError> {
        let found = self.find_at_once().map_err(|error| self.closed_by(error))?;
        if found {
            self.note_end();
        }
        Ok(found)
    }

    fn find_at_once(&mut self) -> Result<bool, DriveError> {
        loop {
            if self.session.find_event()? {
                self.send_at_once();
                return Ok(true);
            }
            self.send_at_once();
            let read = self.stream.read_at_once(self.session.space());
            match read.map_err(|error| self.failed(&error))? {
                Some(count) => self.took(count)?,
                None => return Ok(false),
            }
        }
    }

    /// What to wait for after [`Connection::event_at_once`] has found nothing.
    pub fn awaited(&mut self) -> Awaited<'_> {
        let sends = self.has_unsent();
        Awaited { stream: &self.stream, sends }
    }

    /// Gives up a server that does not answer in time: closes the stream, and returns the error.
    pub fn give_up(&mut self) -> DriveError {
        self.close();
        TransportError::Timeout(self.timeout_seconds).into()
    }

    fn note_end(&mut self) {
        if let Some((handle, done)) = self.session.ended() {
            self.deeds.end(handle, done, self.session.stored());
        }
    }

    fn fill(&mut self) -> Result<(), DriveError> {
        loop {
            let (found, all_sent) = self.exchange()?;
            if found {
                return Ok(());
            }
            if all_sent && self.send()? {
                let count =
                    self.stream.read(self.session.space()).map_err(|error| self.failed(&error))?;
                self.took(count)?;
            }
        }
    }

    /// Sends what is queued, and looks for an event in what has been read. Returns whether there is
    /// one, and whether all is out.
    fn exchange(&mut self) -> Result<(bool, bool), DriveError> {
        let all_sent = match self.send() {
            // What the server said before the stream broke explains why.
            Err(DriveError::Transport(TransportError::Broken(_) | TransportError::Closed))
                if self.session.find_event()? =>
            {
                return Ok((true, false));
            }
            sent => sent?,
        };
        let found = self.session.find_event()?;
        if found {
            self.send_at_once();
        }
        Ok((found, all_sent))
    }

    fn failed(&self, error: &io::Error) -> TransportError {
        TransportError::from_io(error, self.timeout_seconds)
    }

    /// Sends what the session has queued until all is out or the server speaks. Returns whether all
    /// is out.
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
                        // What the server said may explain why the stream was closed.
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

    /// Sends as much as goes out without waiting; an error shows at the next wait. Reads nothing,
    /// so the event just found stays current.
    fn send_at_once(&mut self) {
        while self.has_unsent() {
            let (outgoing, sent) = &mut self.unsent;
            match self.stream.write_at_once(&outgoing.bytes()[*sent..]) {
                Ok(Some(count)) if count > 0 => *sent += count,
                _ => break,
            }
        }
    }

    /// Returns whether output is still unsent. New output is taken from the session once the buffer
    /// is empty.
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

    /// Reads what has arrived, without waiting. Returns whether there was anything. Call this
    /// before a command is sent: what is here by then cannot answer it.
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

    /// Finds the next event in what has been read, without reading or waiting.
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

    /// Sends what the session has queued, without reading meanwhile.
    ///
    /// # Errors
    /// [`DriveError::Transport`]; the stream is closed then, since nobody knows how much went out.
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

    /// Sends pipelined commands, whose replies are read later. If the server speaks meanwhile, the
    /// rest goes out with the next wait.
    ///
    /// # Errors
    /// As [`Connection::flush`].
    pub fn send_ahead(&mut self) -> Result<(), DriveError> {
        self.stream.begin_reply();
        self.send().map(drop).inspect_err(|_| self.close())
    }

    /// Limits every later wait to this.
    pub fn hurry(&mut self, longest: Duration) {
        if let Some(pace) = self.stream.pace() {
            self.stream.set_pace(Pace {
                idle: pace.idle.min(longest),
                total: pace.total.min(longest),
                ..pace
            });
        }
    }

    /// Closes the stream immediately. Whatever is in flight is lost; the witness hears of open
    /// deeds.
    pub fn close(&mut self) {
        self.stream.close();
        self.unsent = Default::default(); // a secret may be in it
        self.deeds.close(|handle| self.session.is_wholly_sent(handle));
    }
}
