//! Makes values from a fuzzer's bytes.

/// A cursor over a fuzzer's bytes. Past their end numbers are 0 and texts are empty, so every input
/// is valid.
pub struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Input { rest: bytes }
    }

    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        *first
    }

    pub fn number(&mut self) -> u32 {
        u32::from_be_bytes([self.byte(), self.byte(), self.byte(), self.byte()])
    }

    /// Returns the bytes up to the next `\xff`, which never occurs in UTF-8.
    pub fn bytes(&mut self) -> &'a [u8] {
        let mut parts = self.rest.splitn(2, |byte| *byte == 0xff);
        let piece = parts.next().unwrap_or_default();
        self.rest = parts.next().unwrap_or_default();
        piece
    }

    pub fn text(&mut self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }

    pub fn rest(self) -> &'a [u8] {
        self.rest
    }
}
