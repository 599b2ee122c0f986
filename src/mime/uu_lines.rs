//! Finds uuencoded files in a text that arrives in pieces. The result is the same as that of
//! [`super::transfer::uuencoded_files`] on the whole text.

use super::header::{line_end, without_line_end};
use super::transfer::{LONGEST_UU_LINE, begin_line, is_end_line, uu_line};
use std::io;

/// Decodes the uuencoded lines of a text that arrives in pieces.
#[derive(Debug, Default)]
pub(super) struct UuLines {
    /// The start of the current line, as far as it is needed to classify it.
    line: Vec<u8>,
    within: bool,
    bytes: Vec<u8>,
}

/// The events reported.
pub(super) enum Uu<'a> {
    Begin(String),
    Bytes(&'a [u8]),
    End,
    /// The block that has begun is not a file.
    Broken,
}

type OnUu<'f> = &'f mut dyn FnMut(Uu<'_>) -> io::Result<()>;

impl UuLines {
    pub(super) fn push(&mut self, bytes: &[u8], tell: OnUu<'_>) -> io::Result<()> {
        let mut at = 0;
        while at < bytes.len() {
            let next = line_end(bytes, at);
            let room = (LONGEST_UU_LINE + b"\r\n".len() + 1).saturating_sub(self.line.len());
            let piece = &bytes[at..next];
            self.line.extend_from_slice(&piece[..piece.len().min(room)]);
            if piece.ends_with(b"\n") {
                self.end_line(tell)?;
            }
            at = next;
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, tell: OnUu<'_>) -> io::Result<()> {
        if !self.line.is_empty() {
            self.end_line(tell)?;
        }
        if std::mem::take(&mut self.within) { tell(Uu::Broken) } else { Ok(()) }
    }

    fn end_line(&mut self, tell: OnUu<'_>) -> io::Result<()> {
        let kept = std::mem::take(&mut self.line);
        let line = without_line_end(&kept);
        if self.within {
            self.bytes.clear();
            if is_end_line(line) {
                self.within = false;
                tell(Uu::End)?;
            } else if uu_line(line, &mut self.bytes) {
                tell(Uu::Bytes(&self.bytes))?;
            } else {
                self.within = false;
                tell(Uu::Broken)?;
                self.begin(line, tell)?;
            }
        } else {
            self.begin(line, tell)?;
        }
        self.line = kept;
        self.line.clear();
        Ok(())
    }

    fn begin(&mut self, line: &[u8], tell: OnUu<'_>) -> io::Result<()> {
        let Some(name) = begin_line(line) else { return Ok(()) };
        self.within = true;
        tell(Uu::Begin(name))
    }
}
