//! The receive buffer of the line-based protocols: bytes that no event has reported yet.

/// Bytes in the order in which they came. What an event shows stays until the next event is looked for.
#[derive(Debug, Default)]
pub(crate) struct Received {
    bytes: Vec<u8>,
    start: usize,
    filled: usize,
    /// Bytes at the start that the last event shows.
    shown: usize,
    /// Unread bytes that are known to hold no line end.
    scanned: usize,
}

impl Received {
    /// Room for at least `size` bytes more.
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

    /// Says that `count` bytes were read into the room.
    pub fn filled(&mut self, count: usize) {
        self.filled = (self.filled + count).min(self.bytes.len());
    }

    /// The bytes that no event has reported yet, including those of the current event.
    pub fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.filled]
    }

    /// The end of the line that begins `from` unread bytes on: the offset of its LF, if that has come. No byte is looked at twice while it has not.
    pub fn line_end(&mut self, from: usize) -> Option<usize> {
        let begin = self.scanned.max(from);
        let found = memchr::memchr(b'\n', self.unread().get(begin..)?).map(|at| begin + at);
        self.scanned = if found.is_some() { from } else { self.unread().len() };
        found
    }

    /// Whether bytes are there behind what the last event shows.
    pub fn has_unshown(&self) -> bool {
        self.unread().len() > self.shown
    }

    /// The first bytes, which an event shows.
    pub fn first(&self, count: usize) -> &[u8] {
        &self.bytes[self.start..self.start + count]
    }

    /// Says that the next event shows so many bytes.
    pub fn show(&mut self, count: usize) {
        self.shown = count;
    }

    /// Leaves bytes out that no event shows.
    pub fn skip(&mut self, count: usize) {
        self.start += count;
        self.scanned = 0;
    }

    /// Drops what the last event showed.
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
