//! Writes the repaired response: lists, atoms, and literals with their places.

use super::super::frame::LiteralSpan;

#[derive(Default)]
pub(super) struct Writer {
    pub(super) bytes: Vec<u8>,
    pub(super) literals: Vec<LiteralSpan>,
    /// Whether a list has just begun.
    pub(super) has_opened: bool,
}

impl Writer {
    pub(super) fn text(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
    }

    /// Writes a space unless a list has just begun.
    pub(super) fn space(&mut self) {
        if !std::mem::take(&mut self.has_opened) {
            self.bytes.push(b' ');
        }
    }

    pub(super) fn open(&mut self) {
        self.space();
        self.bytes.push(b'(');
        self.has_opened = true;
    }

    pub(super) fn close(&mut self) {
        self.has_opened = false;
        self.bytes.push(b')');
    }

    pub(super) fn literal(&mut self, text: &[u8]) {
        self.space();
        self.text(format!("{{{}}}\r\n", text.len()).as_bytes());
        let (start, length) = (self.bytes.len(), text.len());
        let announced = length as u64;
        self.literals.push(LiteralSpan { start, length, announced, streamed: false, kept: None });
        self.text(text);
    }

    pub(super) fn mark(&self) -> (usize, usize, bool) {
        (self.bytes.len(), self.literals.len(), self.has_opened)
    }

    /// Drops what was written since the mark.
    pub(super) fn rewind(&mut self, (bytes, literals, has_opened): (usize, usize, bool)) {
        self.bytes.truncate(bytes);
        self.literals.truncate(literals);
        self.has_opened = has_opened;
    }
}
