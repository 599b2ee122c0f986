//! A compressed stream: raw DEFLATE in both directions, below the protocol and above TLS (RFC
//! 4978).
//!
//! Each write is compressed, flushed and sent whole before it counts as written, so that nothing
//! stays behind in a buffer while both sides wait. As with TLS, a write that would block has to be
//! repeated with the same bytes: they are compressed already, and only their rest is sent.

use super::stream::Stream;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use std::io::{self, Read, Write};
use std::ops::Range;

/// How much is read from the wire at once.
const READ_SIZE: usize = 32 << 10;

/// How much is compressed at once; bounds the memory of a write.
const WRITE_SIZE: usize = 32 << 10;

/// A stream whose contents are compressed.
pub struct Deflated {
    pub(super) inner: Box<Stream>,
    inflate: Decompress,
    deflate: Compress,
    /// Compressed bytes from the server, and which of them are still to be inflated.
    came: Vec<u8>,
    waiting: Range<usize>,
    /// Whether inflating may go on without further bytes: it has filled the caller's buffer.
    has_more: bool,
    /// Compressed bytes for the server, and how many of them are out.
    out: Vec<u8>,
    sent: usize,
    /// How many bytes of the caller `out` stands for.
    taken: usize,
}

impl Deflated {
    /// Compresses a stream from here on. `came` are compressed bytes that were read already.
    pub(super) fn new(inner: Stream, came: Vec<u8>) -> Deflated {
        Deflated {
            inner: Box::new(inner),
            inflate: Decompress::new(false),
            deflate: Compress::new(Compression::default(), false),
            waiting: 0..came.len(),
            came,
            has_more: false,
            out: Vec::new(),
            sent: 0,
            taken: 0,
        }
    }

    /// Inflates what has been read; `None` if more bytes are needed.
    fn inflate(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        if self.waiting.is_empty() && !self.has_more {
            return Ok(None);
        }
        let (read, written) = (self.inflate.total_in(), self.inflate.total_out());
        let input = &self.came[self.waiting.clone()];
        let status = self.inflate.decompress(input, buffer, FlushDecompress::Sync);
        let status = status.map_err(|_| invalid("the server's compressed data are malformed"))?;
        let read = (self.inflate.total_in() - read) as usize;
        let written = (self.inflate.total_out() - written) as usize;
        self.waiting.start += read;
        self.has_more = written == buffer.len();
        match (written, status) {
            (0, Status::StreamEnd) => Ok(Some(0)), // the server has ended its side
            (0, _) if read == 0 && !self.waiting.is_empty() => {
                Err(invalid("the server's compressed data lead nowhere"))
            }
            (0, _) => Ok(None),
            _ => Ok(Some(written)),
        }
    }

    /// Compresses the next bytes of the caller into `out`.
    fn compress(&mut self, bytes: &[u8]) -> io::Result<()> {
        let piece = &bytes[..bytes.len().min(WRITE_SIZE)];
        (self.sent, self.taken) = (0, piece.len());
        self.out.clear();
        let before = self.deflate.total_in();
        loop {
            self.out.reserve(piece.len() / 2 + 1024);
            let done = (self.deflate.total_in() - before) as usize;
            let result =
                self.deflate.compress_vec(&piece[done..], &mut self.out, FlushCompress::Sync);
            result.map_err(|_| invalid("the data cannot be compressed"))?;
            // Room that is left means that all has been flushed.
            if self.out.len() < self.out.capacity() {
                return Ok(());
            }
        }
    }
}

impl Read for Deflated {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if let Some(count) = self.inflate(buffer)? {
                return Ok(count);
            }
            if self.waiting.is_empty() {
                self.came.resize(READ_SIZE, 0);
                self.waiting = 0..0;
                let count = self.inner.read(&mut self.came)?;
                self.waiting = 0..count;
                if count == 0 {
                    return Ok(0);
                }
            }
        }
    }
}

impl Write for Deflated {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        if self.taken == 0 {
            self.compress(bytes)?;
        }
        while self.sent < self.out.len() {
            match self.inner.write(&self.out[self.sent..])? {
                0 => return Ok(0),
                count => self.sent += count,
            }
        }
        Ok(std::mem::take(&mut self.taken))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::super::stream::{Pace, Socket};
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    /// Both ends of a connection, compressed, and the bytes that each side has read already.
    fn pair() -> (Deflated, Deflated) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let theirs = listener.accept().unwrap().0;
        let stream = |tcp| {
            let pace = Pace::from_timeout(Duration::from_secs(30));
            Stream::Plain(Socket::new(tcp, pace, None, None).unwrap())
        };
        (Deflated::new(stream(ours), Vec::new()), Deflated::new(stream(theirs), Vec::new()))
    }

    fn noise(length: usize) -> Vec<u8> {
        let mut state = 88_172_645_463_325_252_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn everything_arrives_whole_whatever_its_size() {
        let (mut ours, mut theirs) = pair();
        let sent: Vec<Vec<u8>> =
            [1, 2, 1000, 32 << 10, (32 << 10) + 1, 300_000].map(noise).into_iter().collect();
        let mut all = sent.concat();
        all.extend(vec![b'x'; 2_000_000]);
        let expected = all.clone();
        let writer = std::thread::spawn(move || {
            for piece in sent {
                ours.write_all(&piece).unwrap();
            }
            ours.write_all(&vec![b'x'; 2_000_000]).unwrap();
            ours.inner.close();
        });
        let mut got = Vec::new();
        for size in [1, 7, 100_000, 65_536].into_iter().cycle() {
            let mut room = vec![0; size];
            let count = theirs.read(&mut room).unwrap();
            got.extend_from_slice(&room[..count]);
            if count == 0 {
                break;
            }
        }
        writer.join().unwrap();
        assert!(got == expected);
    }

    #[test]
    fn a_write_that_would_block_loses_and_repeats_nothing() {
        let (mut ours, mut theirs) = pair();
        let sent = noise(8_000_000);
        let mut at = 0;
        let mut blocked = false;
        let mut got = Vec::new();
        let mut room = vec![0; 100_000];
        let mut stream = Stream::Deflated(Box::new(ours_of(&mut ours)));
        while at < sent.len() {
            match stream.write_at_once(&sent[at..]).unwrap() {
                Some(count) => at += count,
                None => {
                    blocked = true;
                    let count = theirs.read(&mut room).unwrap();
                    got.extend_from_slice(&room[..count]);
                }
            }
        }
        stream.close();
        loop {
            let count = theirs.read(&mut room).unwrap();
            if count == 0 {
                break;
            }
            got.extend_from_slice(&room[..count]);
        }
        assert!(blocked && got == sent);
    }

    fn ours_of(ours: &mut Deflated) -> Deflated {
        std::mem::replace(ours, Deflated::new(Stream::Closed, Vec::new()))
    }

    #[test]
    fn what_was_read_before_counts_and_malformed_data_are_an_error() {
        let (ours, _theirs) = pair();
        let Deflated { inner, .. } = ours;
        let mut broken = Deflated::new(*inner, vec![0xff; 20]);
        let error = broken.read(&mut [0; 100]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);

        let (mut ours, theirs) = pair();
        ours.compress(b"* OK early\r\n").unwrap();
        let mut early = Deflated::new(*theirs.inner, ours.out.clone());
        let mut room = [0; 100];
        let count = early.read(&mut room).unwrap();
        assert_eq!(&room[..count], b"* OK early\r\n");
    }
}
