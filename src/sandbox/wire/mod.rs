//! The bytes of one connection, plain or encrypted.
//!
//! A small thread per connection moves what the socket brings into [`Incoming`]. The session's own thread waits there, on
//! one condition variable, for bytes, for the end, or (in IDLE) for a change of the mailbox. So IDLE answers at once, also
//! under TLS, without a polling timeout; a read timeout on the socket was the alternative and would have delayed one of both.

pub(in crate::sandbox) mod certificates;
pub(in crate::sandbox) mod conversation;
pub(in crate::sandbox) mod lines;

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use native_tls::{HandshakeError, TlsAcceptor, TlsStream};

/// The reading thread waits when this much is unread, so that a flooding client is held back by TCP.
const HIGH_WATER: usize = 256 * 1024;

/// What has arrived and was not read yet, and the bell that others ring.
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
    /// Wakes the session if it is in IDLE; else it hears at its next command anyway.
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
        // The reading thread holds a clone of the socket and would otherwise wait for the client for ever.
        let _ = self.socket.shutdown(Shutdown::Both);
        self.incoming.end();
    }
}

/// A connection before or after TLS.
pub(crate) enum Transport {
    Plain(Wire),
    Tls(Box<TlsStream<Wire>>),
    /// The handshake failed.
    Gone,
}

impl Transport {
    pub(crate) fn is_encrypted(&self) -> bool {
        matches!(self, Transport::Tls(_))
    }

    /// Throws away everything that came in plain text (RFC 9051 6.2.1) and does the server's half of the handshake.
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

    /// Forgets bytes that were sent ahead of their turn.
    pub(crate) fn discard_incoming(&mut self) {
        if let Transport::Plain(wire) = self {
            wire.incoming.discard();
        }
    }

    /// In IDLE a read ends with `WouldBlock` when the bell rings.
    pub(crate) fn set_interruptible(&mut self, interruptible: bool) {
        match self {
            Transport::Plain(wire) => wire.interruptible = interruptible,
            Transport::Tls(stream) => stream.get_mut().interruptible = interruptible,
            Transport::Gone => {}
        }
    }

    pub(crate) fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        match self {
            Transport::Plain(wire) => wire.read(target),
            Transport::Tls(stream) => stream.read(target),
            Transport::Gone => Ok(0),
        }
    }

    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Transport::Plain(wire) => wire.write_all(bytes),
            Transport::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
            Transport::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Says goodbye under TLS, so that the client can tell the end from a cut.
    pub(crate) fn close(&mut self) {
        if let Transport::Tls(stream) = self {
            let _ = stream.shutdown();
        }
    }
}
