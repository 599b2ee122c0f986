//! The receive buffer of the line-based protocols, POP3 and SMTP: bytes that no event has reported
//! yet.

/// A queue of received bytes. The bytes of the current event stay in it until the next event is
/// looked for.
#[derive(Debug, Default)]
pub(crate) struct Received {
    bytes: Vec<u8>,
    start: usize,
    filled: usize,
    /// How many bytes at the start belong to the current event.
    shown: usize,
    /// How many unread bytes have been scanned without finding a line end.
    scanned: usize,
}

impl Received {
    /// Drops the current event's bytes and returns room for at least `size` more bytes.
    pub fn space(&mut self, size: usize) -> &mut [u8] {
        self.drop_shown();
        if self.bytes.len() - self.filled < size {
            self.bytes.copy_within(self.start..self.filled, 0);
            self.filled -= self.start;
            self.start = 0;
            if self.bytes.len() - self.filled < size {
                self.bytes.resize((self.filled + size).max(self.bytes.len() * 3 / 2), 0);
            }
        }
        &mut self.bytes[self.filled..]
    }

    /// Reports that `count` bytes were read into that room.
    pub fn filled(&mut self, count: usize) {
        self.filled = (self.filled + count).min(self.bytes.len());
    }

    /// The bytes that no event has reported yet, including those of the current event.
    pub fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.filled]
    }

    /// Returns the offset of the LF that ends the line starting `from` unread bytes on, if it has
    /// arrived. While it has not, no byte is scanned twice.
    pub fn line_end(&mut self, from: usize) -> Option<usize> {
        let begin = self.scanned.max(from);
        let found = memchr::memchr(b'\n', self.unread().get(begin..)?).map(|at| begin + at);
        self.scanned = if found.is_some() { from } else { self.unread().len() };
        found
    }

    /// Returns whether there are bytes after those of the current event.
    pub fn has_unshown(&self) -> bool {
        self.unread().len() > self.shown
    }

    /// The first `count` bytes, which belong to the current event.
    pub fn first(&self, count: usize) -> &[u8] {
        &self.bytes[self.start..self.start + count]
    }

    /// Marks the first `count` bytes as the current event's.
    pub fn show(&mut self, count: usize) {
        self.shown = count;
    }

    /// Discards `count` bytes that belong to no event.
    pub fn skip(&mut self, count: usize) {
        self.start += count;
        self.scanned = 0;
    }

    /// Discards the bytes of the last event.
    pub fn drop_shown(&mut self) {
        if self.shown > 0 {
            self.start += std::mem::take(&mut self.shown);
            self.scanned = 0;
        }
        if self.start == self.filled {
            (self.start, self.filled) = (0, 0);
        }
    }
}
