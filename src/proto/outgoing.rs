//! The output buffer: bytes to send, and which of them a trace must hide.

use std::ops::Range;
use zeroize::Zeroize;

/// Bytes to send. If any of them are secret, all are wiped from memory when dropped.
#[derive(Default)]
pub struct Outgoing {
    bytes: Vec<u8>,
    secrets: Vec<Range<usize>>,
}

impl Outgoing {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes with each secret replaced by `#<secret>`, for a trace.
    pub fn redacted(&self) -> Vec<u8> {
        let mut shown = Vec::with_capacity(self.bytes.len());
        let mut from = 0;
        for secret in &self.secrets {
            shown.extend_from_slice(&self.bytes[from..secret.start]);
            shown.extend_from_slice(b"#<secret>");
            from = secret.end;
        }
        shown.extend_from_slice(&self.bytes[from..]);
        shown
    }

    pub(crate) fn push(&mut self, bytes: &[u8], secret: bool) {
        let start = self.bytes.len();
        self.make_room(bytes.len(), secret);
        self.bytes.extend_from_slice(bytes);
        if secret {
            self.secrets.push(start..self.bytes.len());
        }
    }
}

impl Outgoing {
    /// Makes room for `more` bytes. If the buffer has to move and holds secrets, wipes the old one.
    fn make_room(&mut self, more: usize, secret: bool) {
        let needed = self.bytes.len() + more;
        if needed > self.bytes.capacity() && (secret || !self.secrets.is_empty()) {
            let mut moved = Vec::with_capacity(needed.max(2 * self.bytes.capacity()));
            moved.extend_from_slice(&self.bytes);
            self.bytes.zeroize();
            self.bytes = moved;
        }
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        if !self.secrets.is_empty() {
            self.bytes.zeroize();
        }
    }
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Outgoing({})", self.redacted().escape_ascii())
    }
}
