//! Reads lines and counted octets from a connection, for all three protocols.

use std::io;

use crate::sandbox::wire::Transport;

/// A line read from the client.
pub(crate) enum Line {
    /// A line, including its line end.
    Complete(Vec<u8>),
    /// The line was too long; it was skipped to its end.
    TooLong,
    End,
}

/// A connection and a buffer of bytes read but not consumed.
pub(crate) struct Lines {
    pub(crate) transport: Transport,
    buffer: Vec<u8>,
    at: usize,
}

impl Lines {
    pub(crate) fn new(transport: Transport) -> Lines {
        Lines { transport, buffer: Vec::new(), at: 0 }
    }

    /// Discards what the client has sent so far, in this buffer and below.
    pub(crate) fn discard_incoming(&mut self) {
        self.buffer.clear();
        self.at = 0;
        self.transport.discard_incoming();
    }

    /// Compresses the connection from the next byte on.
    pub(crate) fn compress(&mut self) {
        let arrived = self.buffer.split_off(self.at);
        self.consume(arrived.len());
        self.transport.compress(arrived);
    }

    /// Reads up to a line feed.
    pub(crate) fn read_line(&mut self, limit: usize) -> io::Result<Line> {
        let mut searched = 0;
        let mut too_long = false;
        loop {
            let pending = self.pending();
            if let Some(length) =
                memchr::memchr(b'\n', &pending[searched..]).map(|at| searched + at + 1)
            {
                let line = pending[..length].to_vec();
                self.at += length;
                return Ok(if too_long || length > limit {
                    Line::TooLong
                } else {
                    Line::Complete(line)
                });
            }
            searched = pending.len();
            if searched > limit {
                (too_long, searched, self.at) = (true, 0, self.buffer.len());
            }
            if !self.fill()? {
                return Ok(Line::End);
            }
        }
    }

    /// Appends exactly `size` octets to `target`; false if the client disconnects first.
    pub(crate) fn read_exactly(&mut self, size: usize, target: &mut Vec<u8>) -> io::Result<bool> {
        let mut missing = size;
        loop {
            let count = missing.min(self.pending().len());
            target.extend_from_slice(&self.pending()[..count]);
            self.consume(count);
            missing -= count;
            if missing == 0 {
                return Ok(true);
            }
            if !self.fill()? {
                return Ok(false);
            }
        }
    }

    /// Whether the buffer holds a whole line; does not read.
    pub(crate) fn has_line(&self) -> bool {
        memchr::memchr(b'\n', self.pending()).is_some()
    }

    /// The buffered bytes.
    pub(crate) fn pending(&self) -> &[u8] {
        &self.buffer[self.at..]
    }

    /// Removes octets from the front of the buffer.
    pub(crate) fn consume(&mut self, count: usize) {
        self.at = self.buffer.len().min(self.at + count);
    }

    /// Reads more bytes; false at the end. During IDLE it fails with `WouldBlock` when the mailbox
    /// changes.
    pub(crate) fn fill(&mut self) -> io::Result<bool> {
        self.buffer.drain(..self.at);
        self.at = 0;
        let length = self.buffer.len();
        self.buffer.extend_from_slice(&[0; 16 * 1024]);
        let result = self.transport.read(&mut self.buffer[length..]);
        self.buffer.truncate(length + *result.as_ref().unwrap_or(&0));
        Ok(result? > 0)
    }
}
