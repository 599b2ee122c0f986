//! A stream to a server, plain or TLS, whose waits end: at the idle timeout, at the total deadline, or when the user interrupts.

use super::error::InterruptedMark;
use native_tls::TlsStream;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Asked during every wait; `true` ends it.
pub type Interrupt = Arc<dyn Fn() -> bool + Send + Sync>;

/// Told how many bytes went over the wire, either way, as they do.
pub type Meter = Arc<dyn Fn(usize) + Send + Sync>;

/// How long a server may take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// The longest wait for the next bytes.
    pub idle: Duration,
    /// The longest time for the whole reply to one command, besides what its bytes take at `slowest`; so a server that drips a byte a second does not
    /// hold the caller for ever, and a large letter over a slow line arrives.
    pub total: Duration,
    /// Bytes per second that count as progress.
    pub slowest: u32,
}

impl Pace {
    /// The pace for a timeout: five times that for a whole reply, and 1 KiB a second as progress.
    pub fn from_timeout(timeout: Duration) -> Self {
        Pace { idle: timeout, total: timeout.saturating_mul(5), slowest: 1024 }
    }

    /// The longest time for a greeting or a TLS handshake, which need no work of the server: twice the longest wait.
    fn opening(&self) -> Duration {
        self.total.min(self.idle.saturating_mul(2))
    }
}

/// How often a wait looks whether it was interrupted.
const SLICE: Duration = Duration::from_millis(100);

/// How long an operation that can do nothing yet waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// Not at all.
    None,
    /// A slice.
    Slice,
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
    /// How long it may take from there, besides what its bytes take.
    allowed: Duration,
    received: u64,
    patience: Patience,
    /// What was read beyond what TLS asked for: it asks for a record's five bytes of header, then for its body.
    beyond: Beyond,
}

/// Bytes that wait for TLS.
#[derive(Default)]
struct Beyond {
    /// Empty until there is TLS.
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
        // Commands are written whole; waiting to fill a packet would cost 40 ms each.
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

    /// Begins something that may take this long.
    fn begin(&mut self, allowed: Duration) {
        (self.started, self.allowed, self.received) = (Instant::now(), allowed, 0);
    }

    /// Begins a TLS handshake.
    pub(super) fn begin_handshake(&mut self) {
        self.begin(self.pace.opening());
    }

    /// From here on TLS reads.
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

    /// Tells who watches how much goes over the wire.
    fn meter(&self, bytes: usize) {
        if let Some(meter) = &self.meter {
            meter(bytes);
        }
    }

    /// Repeats an operation on the socket until it does something or the wait is over.
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
            // Before every read, not only after a wait: a server that drips never lets one run into its timeout.
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
                    ) =>
                {
                    if self.patience == Patience::Slice {
                        return Err(io::ErrorKind::WouldBlock.into());
                    }
                }
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
pub enum Moved {
    /// So many bytes went out.
    Out(usize),
    /// So many came in; none are the stream's end.
    In(usize),
}

/// A plain or a TLS stream.
pub enum Stream {
    /// In the clear.
    Plain(Socket),
    /// Encrypted.
    Tls(Box<TlsStream<Socket>>),
    /// Closed: every use fails.
    Closed,
}

impl Stream {
    /// Whether the stream is encrypted.
    pub fn is_encrypted(&self) -> bool {
        matches!(self, Stream::Tls(_))
    }

    /// Begins a new reply: the total deadline counts from now.
    pub fn begin_reply(&mut self) {
        if let Some(socket) = self.socket() {
            socket.begin(socket.pace.total);
        }
    }

    /// Reads what is there already; `None` when nothing is.
    ///
    /// # Errors
    /// What the stream says; 0 bytes are its end.
    pub fn read_at_once(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        self.with(Patience::None, |stream| stream.read(buffer))
    }

    /// Writes what can be taken now; `None` when nothing can.
    ///
    /// # Errors
    /// What the stream says.
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

    /// Writes some of the bytes. While the server takes none, what it says is read into `room`: one that waits to be heard would never take any.
    ///
    /// # Errors
    /// What the stream says, and the end of the wait.
    pub fn write_or_read(&mut self, bytes: &[u8], room: &mut [u8]) -> io::Result<Moved> {
        let since = Instant::now();
        // Nothing of the standard library waits for either direction: a wait to write now and then looks whether there is something to read.
        let mut patience = Patience::None;
        loop {
            // Not only when there is nothing to do: one that never stops speaking must not hold the caller either.
            if let Some(over) = self.socket().and_then(|socket| socket.wait_is_over(since)) {
                return Err(over);
            }
            if let Some(count) = self.with(patience, |stream| stream.write(bytes))? {
                return Ok(Moved::Out(count));
            }
            if let Some(count) = self.read_at_once(room)? {
                return Ok(Moved::In(count));
            }
            patience = Patience::Slice;
        }
    }

    /// Changes the pace, for waits that are meant to be long.
    pub fn set_pace(&mut self, pace: Pace) {
        if let Some(socket) = self.socket() {
            socket.pace = pace;
        }
    }

    /// The pace in force.
    pub fn pace(&mut self) -> Option<Pace> {
        self.socket().map(|socket| socket.pace)
    }

    /// The server's address.
    pub fn peer_address(&mut self) -> Option<SocketAddr> {
        self.socket().and_then(|socket| socket.tcp.peer_addr().ok())
    }

    /// This side's address.
    pub fn local_address(&mut self) -> Option<SocketAddr> {
        self.socket().and_then(|socket| socket.tcp.local_addr().ok())
    }

    /// Closes the stream at once.
    pub fn close(&mut self) {
        if let Some(socket) = self.socket() {
            let _ = socket.tcp.shutdown(std::net::Shutdown::Both); // it may be closed already, which is what we want
        }
        *self = Stream::Closed;
    }

    /// Whether the stream was closed on this side.
    pub fn is_closed(&self) -> bool {
        matches!(self, Stream::Closed)
    }

    /// Counts what was said, not what TLS wraps around it: a byte in a record of its own is no more than a byte.
    fn progressed(&mut self, count: usize) {
        if let Some(socket) = self.socket() {
            socket.received += count as u64;
        }
    }

    fn socket(&mut self) -> Option<&mut Socket> {
        match self {
            Stream::Plain(socket) => Some(socket),
            Stream::Tls(tls) => Some(tls.get_mut()),
            Stream::Closed => None,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match self {
            Stream::Plain(socket) => socket.read(buffer),
            Stream::Tls(tls) => tls.read(buffer),
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
            Stream::Closed => Err(io::ErrorKind::NotConnected.into()),
        }?;
        self.progressed(count); // what goes out is progress too: a large APPEND takes its time
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Plain(socket) => socket.flush(),
            Stream::Tls(tls) => tls.flush(),
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
