//! A stream to a server, plain or TLS, perhaps compressed, with deadlines.
//!
//! The socket's own timeout is a short slice of 100 ms. After each slice, and before each read, the
//! stream checks whether the wait is over:
//!
//! - the interrupt returns `true`: the error carries `InterruptedMark`;
//! - no byte has moved for [`Pace::idle`];
//! - the reply as a whole has taken longer than [`Pace::total`], plus the time that its bytes take
//!   at [`Pace::slowest`].
//!
//! How long an operation waits is its patience: not at all (`*_at_once`), one slice
//! ([`Stream::write_or_read`], which alternates directions) or as long as the pace allows. An operation that waits for one slice returns `WouldBlock` when the wait is
//! over, and its caller looks why: an error inside TLS would make the stream unusable.

use super::deflate::Deflated;
use super::error::InterruptedMark;
use native_tls::TlsStream;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Polled during every wait; returning `true` ends the wait.
pub type Interrupt = Arc<dyn Fn() -> bool + Send + Sync>;

/// Called with the number of bytes of each read and write, before TLS decodes or after it encodes.
pub type Meter = Arc<dyn Fn(usize) + Send + Sync>;

/// How long a server may take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// The longest wait for the next bytes.
    pub idle: Duration,
    /// The longest time for the whole reply to one command, besides the time that its bytes take at
    /// `slowest`. A server that drips a byte a second cannot hold the caller for ever, and a large
    /// letter over a slow line still arrives.
    pub total: Duration,
    /// Bytes per second that earn a reply more time.
    pub slowest: u32,
}

impl Pace {
    /// The pace for one timeout: idle as given, total five times that, slowest 1 KiB a second.
    pub fn from_timeout(timeout: Duration) -> Self {
        Pace { idle: timeout, total: timeout.saturating_mul(5), slowest: 1024 }
    }

    /// The longest time for a greeting or a TLS handshake, which cost the server no work: twice the
    /// idle limit.
    fn opening(&self) -> Duration {
        self.total.min(self.idle.saturating_mul(2))
    }
}

/// How often a wait polls the interrupt and the deadlines.
const SLICE: Duration = Duration::from_millis(100);

/// How long an operation waits that cannot proceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// Not at all.
    None,
    /// A slice, which ends then.
    Slice(Instant),
    /// As long as the pace allows.
    Pace,
}

/// A TCP socket with deadlines.
pub struct Socket {
    tcp: TcpStream,
    pace: Pace,
    interrupt: Option<Interrupt>,
    meter: Option<Meter>,
    started: Instant,
    /// How long the reply may take from `started`, besides the time that its bytes take.
    allowed: Duration,
    received: u64,
    patience: Patience,
    /// Read-ahead for TLS, which reads in small steps: a record's five-byte header, then its body.
    beyond: Beyond,
}

/// Bytes read from the socket that TLS has not asked for yet.
#[derive(Default)]
struct Beyond {
    /// Empty while the stream is plain.
    bytes: Vec<u8>,
    waiting: std::ops::Range<usize>,
}

impl Beyond {
    const SIZE: usize = 64 << 10;

    fn take(&mut self, buffer: &mut [u8]) -> usize {
        let waiting = &self.bytes[self.waiting.clone()];
        let count = waiting.len().min(buffer.len());
        buffer[..count].copy_from_slice(&waiting[..count]);
        self.waiting.start += count;
        count
    }
}

impl Socket {
    pub(super) fn new(
        tcp: TcpStream,
        pace: Pace,
        interrupt: Option<Interrupt>,
        meter: Option<Meter>,
    ) -> io::Result<Self> {
        // Commands are written whole; Nagle's algorithm would delay each by up to 40 ms.
        tcp.set_nodelay(true)?;
        let slice = Some(pace.idle.min(SLICE).max(Duration::from_millis(1)));
        tcp.set_read_timeout(slice)?;
        tcp.set_write_timeout(slice)?;
        Ok(Socket {
            tcp,
            pace,
            interrupt,
            meter,
            started: Instant::now(),
            allowed: pace.opening(),
            received: 0,
            patience: Patience::Pace,
            beyond: Beyond::default(),
        })
    }

    /// Starts the clock of a reply that may take this long.
    fn begin(&mut self, allowed: Duration) {
        (self.started, self.allowed, self.received) = (Instant::now(), allowed, 0);
    }

    /// Starts the clock of a TLS handshake.
    pub(super) fn begin_handshake(&mut self) {
        self.begin(self.pace.opening());
    }

    /// Turns on read-ahead for TLS.
    pub(super) fn read_for_tls(&mut self) {
        self.beyond.bytes = vec![0; Beyond::SIZE];
    }

    fn read_from_wire(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.patiently(|tcp| tcp.read(buffer))?;
        self.meter(count);
        Ok(count)
    }

    fn wait_is_over(&self, since: Instant) -> Option<io::Error> {
        if self.interrupt.as_ref().is_some_and(|interrupt| interrupt()) {
            return Some(io::Error::other(InterruptedMark));
        }
        let progress = Duration::from_secs(self.received / u64::from(self.pace.slowest.max(1)));
        let over = since.elapsed() >= self.pace.idle
            || self.started.elapsed() >= self.allowed.min(self.pace.total).saturating_add(progress);
        over.then(|| io::ErrorKind::TimedOut.into())
    }

    fn meter(&self, bytes: usize) {
        if let Some(meter) = &self.meter {
            meter(bytes);
        }
    }

    /// Repeats an operation on the socket until it makes progress or the wait is over.
    fn patiently(
        &mut self,
        mut operation: impl FnMut(&mut TcpStream) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if self.patience == Patience::None {
            self.tcp.set_nonblocking(true)?;
            let count = operation(&mut self.tcp);
            self.tcp.set_nonblocking(false)?;
            return count;
        }
        let since = Instant::now();
        loop {
            // Check before every read, not only after a slice without data: a server that drips
            // never causes one.
            if let Patience::Slice(end) = self.patience
                && (Instant::now() >= end || self.wait_is_over(since).is_some())
            {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            if let Some(over) = self.wait_is_over(since) {
                return Err(over);
            }
            match operation(&mut self.tcp) {
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock
                            | io::ErrorKind::TimedOut
                            | io::ErrorKind::Interrupted
                    ) => {}
                done => return done,
            }
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.beyond.waiting.is_empty() && !buffer.is_empty() {
            if self.beyond.bytes.is_empty() {
                return self.read_from_wire(buffer);
            }
            let mut bytes = std::mem::take(&mut self.beyond.bytes);
            let count = self.read_from_wire(&mut bytes);
            self.beyond.bytes = bytes;
            self.beyond.waiting = 0..count?;
        }
        Ok(self.beyond.take(buffer))
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.patiently(|tcp| tcp.write(bytes))?;
        self.meter(count);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}

/// What [`Stream::write_or_read`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moved {
    /// This many bytes were written.
    Out(usize),
    /// This many bytes were read; 0 is the end of the stream.
    In(usize),
}

/// A plain, TLS or compressed stream.
pub enum Stream {
    /// In the clear.
    Plain(Socket),
    /// Encrypted with TLS.
    Tls(Box<TlsStream<Socket>>),
    /// Compressed, in the clear or within TLS.
    Deflated(Box<Deflated>),
    /// Closed by this side: every operation fails with `NotConnected`.
    Closed,
}

impl Stream {
    /// Whether the stream is encrypted.
    pub fn is_encrypted(&self) -> bool {
        match self {
            Stream::Tls(_) => true,
            Stream::Deflated(deflated) => deflated.inner.is_encrypted(),
            Stream::Plain(_) | Stream::Closed => false,
        }
    }

    /// Starts the clock of a new reply: its total deadline counts from now.
    pub fn begin_reply(&mut self) {
        if let Some(socket) = self.socket() {
            socket.begin(socket.pace.total);
        }
    }

    /// Reads what has arrived; `None` if nothing has.
    ///
    /// # Errors
    /// The stream's error. `Some(0)` is the end of the stream.
    pub fn read_at_once(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        self.with(Patience::None, |stream| stream.read(buffer))
    }

    /// Writes as much as fits now; `None` if nothing does.
    ///
    /// # Errors
    /// The stream's error.
    pub fn write_at_once(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        self.with(Patience::None, |stream| stream.write(bytes))
    }

    fn with(
        &mut self,
        patience: Patience,
        operation: impl FnOnce(&mut Self) -> io::Result<usize>,
    ) -> io::Result<Option<usize>> {
        let Some(socket) = self.socket() else { return Err(io::ErrorKind::NotConnected.into()) };
        socket.patience = patience;
        let result = operation(self);
        if let Some(socket) = self.socket() {
            socket.patience = Patience::Pace;
        }
        match result {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) =>
            {
                Ok(None)
            }
            result => result.map(Some),
        }
    }

    /// Writes some of the bytes. While the server accepts none, reads what it says into `room`: a
    /// server that waits for us to read would never accept any.
    ///
    /// # Errors
    /// The stream's error, or the end of the wait.
    pub(crate) fn write_or_read(&mut self, bytes: &[u8], room: &mut [u8]) -> io::Result<Moved> {
        let since = Instant::now();
        // std cannot wait for reading or writing, so we alternate short waits.
        let mut patience = Patience::None;
        loop {
            // Check on every round, not only when idle: a server that never stops talking must not
            // hold us.
            if let Some(over) = self.socket().and_then(|socket| socket.wait_is_over(since)) {
                return Err(over);
            }
            if let Some(count) = self.with(patience, |stream| stream.write(bytes))? {
                return Ok(Moved::Out(count));
            }
            if let Some(count) = self.read_at_once(room)? {
                return Ok(Moved::In(count));
            }
            patience = Patience::Slice(Instant::now() + SLICE);
        }
    }

    /// Changes the pace, for waits that are meant to be long.
    pub fn set_pace(&mut self, pace: Pace) {
        if let Some(socket) = self.socket() {
            socket.pace = pace;
        }
    }

    /// The pace in force; `None` if closed.
    pub fn pace(&mut self) -> Option<Pace> {
        self.socket().map(|socket| socket.pace)
    }

    /// The server's address; `None` if closed.
    pub fn peer_address(&mut self) -> Option<SocketAddr> {
        self.socket().and_then(|socket| socket.tcp.peer_addr().ok())
    }

    /// This side's address; `None` if closed.
    pub fn local_address(&mut self) -> Option<SocketAddr> {
        self.socket().and_then(|socket| socket.tcp.local_addr().ok())
    }

    /// Closes the stream immediately.
    pub fn close(&mut self) {
        if let Some(socket) = self.socket() {
            let _ = socket.tcp.shutdown(std::net::Shutdown::Both); // fails if it is closed already
        }
        *self = Stream::Closed;
    }

    /// Whether this side has closed the stream.
    pub fn is_closed(&self) -> bool {
        matches!(self, Stream::Closed)
    }

    /// Counts content, not TLS overhead: a byte in a record of its own is still one byte of
    /// progress.
    fn progressed(&mut self, count: usize) {
        if let Some(socket) = self.socket() {
            socket.received += count as u64;
        }
    }

    /// The socket itself, for waiting.
    #[cfg(unix)]
    pub(super) fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Stream::Plain(socket) => Some(&socket.tcp),
            Stream::Tls(tls) => Some(&tls.get_ref().tcp),
            Stream::Deflated(deflated) => deflated.inner.tcp(),
            Stream::Closed => None,
        }
    }

    /// What ends every wait early.
    pub(crate) fn interrupt(&mut self) -> Option<Interrupt> {
        self.socket().and_then(|socket| socket.interrupt.clone())
    }

    fn socket(&mut self) -> Option<&mut Socket> {
        match self {
            Stream::Plain(socket) => Some(socket),
            Stream::Tls(tls) => Some(tls.get_mut()),
            Stream::Deflated(deflated) => deflated.inner.socket(),
            Stream::Closed => None,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match self {
            Stream::Plain(socket) => socket.read(buffer),
            Stream::Tls(tls) => tls.read(buffer),
            Stream::Deflated(deflated) => return deflated.read(buffer), // counted within
            Stream::Closed => Err(io::ErrorKind::NotConnected.into()),
        }?;
        self.progressed(count);
        Ok(count)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = match self {
            Stream::Plain(socket) => socket.write(bytes),
            Stream::Tls(tls) => tls.write(bytes),
            Stream::Deflated(deflated) => return deflated.write(bytes), // counted within
            Stream::Closed => Err(io::ErrorKind::NotConnected.into()),
        }?;
        self.progressed(count); // output is progress too: a large APPEND takes its time
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Plain(socket) => socket.flush(),
            Stream::Tls(tls) => tls.flush(),
            Stream::Deflated(deflated) => deflated.flush(),
            Stream::Closed => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn what_tls_reads_in_small_steps_comes_whole_and_in_order() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let tcp = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut server = listener.accept().unwrap().0;
        let sent: Vec<u8> = (0..200_000u32).map(|at| (at % 251) as u8).collect();
        let mut socket =
            Socket::new(tcp, Pace::from_timeout(Duration::from_secs(30)), None, None).unwrap();
        socket.read_for_tls();
        let to_send = sent.clone();
        let writer = std::thread::spawn(move || server.write_all(&to_send).unwrap());
        let mut got = Vec::new();
        for size in [5, 4_000, 1, 16_384, 0].into_iter().cycle() {
            let mut piece = vec![0; size];
            let count = socket.read(&mut piece).unwrap();
            got.extend_from_slice(&piece[..count]);
            if got.len() >= sent.len() || count == 0 && size > 0 {
                break;
            }
        }
        writer.join().unwrap();
        assert!(got == sent);
        assert_eq!(socket.read(&mut [0; 5]).unwrap(), 0, "the end is the end");
    }
}
