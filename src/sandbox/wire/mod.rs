//! The bytes of one connection, plain or encrypted.
//!
//! A small thread per connection moves bytes from the socket into [`Incoming`]. The session's
//! thread waits on one condition variable for bytes, for the end, or (in IDLE) for a change of the
//! mailbox. So IDLE reacts immediately to both client and mailbox, even under TLS. The alternative,
//! a read timeout on the socket, would have delayed one of them.

pub(in crate::sandbox) mod certificates;
pub(in crate::sandbox) mod conversation;
mod deflate;
pub(in crate::sandbox) mod lines;

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use native_tls::{HandshakeError, TlsAcceptor, TlsStream};

use deflate::Deflated;

/// The reading thread pauses above this many unread bytes, so that TCP slows a flooding client
/// down.
const HIGH_WATER: usize = 256 * 1024;

/// Bytes that have arrived but are unread, and a bell that other sessions ring.
#[derive(Default)]
pub(crate) struct Incoming {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    bytes: VecDeque<u8>,
    ended: bool,
    rung: bool,
}

impl Incoming {
    /// Wakes the session if it is in IDLE; otherwise it looks at the mailbox with its next command
    /// anyway.
    pub(crate) fn ring(&self) {
        self.lock().rung = true;
        self.changed.notify_all();
    }

    /// Moves bytes from the socket until it ends; the body of the reading thread.
    pub(crate) fn pump(&self, mut socket: TcpStream) {
        let mut chunk = vec![0; 32 * 1024];
        loop {
            match socket.read(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => break,
                Ok(count) => {
                    let mut queue = self.lock();
                    while queue.bytes.len() > HIGH_WATER && !queue.ended {
                        queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
                    }
                    queue.bytes.extend(&chunk[..count]);
                    self.changed.notify_all();
                }
            }
        }
        self.end();
    }

    fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }

    fn discard(&self) {
        self.lock().bytes.clear();
        self.changed.notify_all();
    }

    fn read(&self, target: &mut [u8], interruptible: bool) -> io::Result<usize> {
        let mut queue = self.lock();
        loop {
            if !queue.bytes.is_empty() {
                let count = queue.bytes.read(target)?;
                self.changed.notify_all();
                return Ok(count);
            }
            if queue.ended {
                return Ok(0);
            }
            if interruptible && queue.rung {
                queue.rung = false;
                return Err(io::ErrorKind::WouldBlock.into());
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A socket whose reads come from [`Incoming`].
pub(crate) struct Wire {
    socket: TcpStream,
    incoming: Arc<Incoming>,
    interruptible: bool,
}

impl Wire {
    pub(crate) fn new(socket: TcpStream, incoming: Arc<Incoming>) -> Wire {
        Wire { socket, incoming, interruptible: false }
    }
}

impl Read for Wire {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        self.incoming.read(target, self.interruptible)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // Shut down explicitly: the reading thread holds a clone of the socket and would wait for
        // ever.
        let _ = self.socket.shutdown(Shutdown::Both);
        self.incoming.end();
    }
}

/// A connection: plain, encrypted, compressed.
pub(crate) enum Transport {
    Plain(Wire),
    Tls(Box<TlsStream<Wire>>),
    Deflated(Box<Deflated>),
    /// The handshake failed; nothing can be read or written.
    Gone,
}

impl Transport {
    pub(crate) fn is_encrypted(&self) -> bool {
        match self {
            Transport::Tls(_) => true,
            Transport::Deflated(deflated) => deflated.inner.is_encrypted(),
            Transport::Plain(_) | Transport::Gone => false,
        }
    }

    /// Compresses what follows; `arrived` was read behind the client's command already.
    pub(crate) fn compress(&mut self, arrived: Vec<u8>) {
        let inner = std::mem::replace(self, Transport::Gone);
        *self = Transport::Deflated(Box::new(Deflated::new(inner, arrived)));
    }

    /// Discards everything received in plain text (RFC 9051 6.2.1) and does the server's half of
    /// the handshake.
    pub(crate) fn accept_tls(&mut self, acceptor: &TlsAcceptor) -> io::Result<()> {
        if let Transport::Plain(wire) = std::mem::replace(self, Transport::Gone) {
            let stream = acceptor.accept(wire).map_err(|error| match error {
                HandshakeError::Failure(error) => io::Error::other(error),
                HandshakeError::WouldBlock(_) => io::ErrorKind::WouldBlock.into(),
            })?;
            *self = Transport::Tls(Box::new(stream));
        }
        Ok(())
    }

    /// Discards bytes that were sent ahead.
    pub(crate) fn discard_incoming(&mut self) {
        if let Transport::Plain(wire) = self {
            wire.incoming.discard();
        }
    }

    /// Sets whether the bell interrupts a read with `WouldBlock`, as during IDLE.
    pub(crate) fn set_interruptible(&mut self, interruptible: bool) {
        match self {
            Transport::Plain(wire) => wire.interruptible = interruptible,
            Transport::Tls(stream) => stream.get_mut().interruptible = interruptible,
            Transport::Deflated(deflated) => deflated.inner.set_interruptible(interruptible),
            Transport::Gone => {}
        }
    }

    pub(crate) fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        match self {
            Transport::Plain(wire) => wire.read(target),
            Transport::Tls(stream) => stream.read(target),
            Transport::Deflated(deflated) => deflated.read(target),
            Transport::Gone => Ok(0),
        }
    }

    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Transport::Plain(wire) => wire.write_all(bytes),
            Transport::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
            Transport::Deflated(deflated) => deflated.write_all(bytes),
            Transport::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Closes TLS properly, so that the client can tell an end from a cut.
    pub(crate) fn close(&mut self) {
        match self {
            Transport::Tls(stream) => {
                let _ = stream.shutdown();
            }
            Transport::Deflated(deflated) => deflated.inner.close(),
            Transport::Plain(_) | Transport::Gone => {}
        }
    }
}
