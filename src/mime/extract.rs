//! Extracts attachments from a letter that arrives in pieces of any size. The result is the same as
//! that of [`Letter::attachments`](super::Letter::attachments) on the whole letter.
//!
//! Theory of operation. As in [`super::parse`], whose rules are used, the open parts form a stack.
//! Only these bytes are buffered:
//!
//! | buffer | at most |
//! |---|---|
//! | the header being read | [`HEADER`] bytes |
//! | the boundaries of the open parts | [`DELIMITER`] bytes each |
//! | the current line, while it may be a delimiter | [`DELIMITER`] bytes |
//!
//! When its header ends, a part becomes a file, a text that may contain uuencoded files, or
//! neither. All bytes up to the delimiter that closes a file's part belong to the file, including
//! any parts inside. A file that has begun may still be discarded: a multipart treated as an
//! attachment may have parts after all, and a uuencoded file may lack its end.

use super::header::without_line_end;
use super::parameter::Parameterised;
use super::parse::{
    DELIMITER, DEPTH, DIGEST, HEADER, HeaderLine, PARTS, delimiter, describe, is_identity,
    is_letter,
};
use super::part::{disposition, file_name};
use super::readable::leaf_is_attachment;
use super::unpack::{Body, Output};
use std::io;

/// Receives the extracted files. Files are numbered in the order in which they start in the letter.
pub trait Files {
    /// Starts a file. `name` is the name that the sender wrote; make it safe with
    /// [`super::safe_name`].
    ///
    /// # Errors
    /// Any error that keeps the file from being written. As for all methods of this trait, an error
    /// ends the extraction.
    fn begin(&mut self, number: usize, name: Option<&str>, content_type: &str) -> io::Result<()>;

    /// Appends bytes to a file that has begun.
    ///
    /// # Errors
    /// See [`Files::begin`].
    fn write(&mut self, number: usize, bytes: &[u8]) -> io::Result<()>;

    /// Ends a file: it is complete.
    ///
    /// # Errors
    /// See [`Files::begin`].
    fn end(&mut self, number: usize) -> io::Result<()>;

    /// Removes a file that turned out not to be an attachment. It may already have ended.
    fn discard(&mut self, number: usize);
}

/// Follows the parts of a letter as it arrives.
#[derive(Debug)]
pub struct Extractor<F> {
    out: Output<F>,
    open: Vec<Open>,
    /// Number of parts so far.
    parts: usize,
    /// Header of the innermost part, while it is being read.
    header: Option<Header>,
    /// The start of a line that cannot be classified yet.
    line: Vec<u8>,
    /// Whether the rest of the current line belongs to the body in any case.
    in_body_line: bool,
    /// The body that becomes a file or contains files, with the level of its part.
    body: Option<(usize, Body)>,
    /// Whether the limit on parts was reached: everything else is one last part.
    is_rest: bool,
}

#[derive(Debug, Default)]
struct Open {
    boundary: Option<Vec<u8>>,
    is_digest: bool,
}

#[derive(Debug, Default)]
struct Header {
    bytes: Vec<u8>,
    first_broken: Option<usize>,
}

impl<F: Files> Extractor<F> {
    /// Creates an extractor, ready for the letter's first byte.
    pub fn new(files: F) -> Self {
        let mut extractor = Extractor {
            out: Output::new(files),
            open: Vec::new(),
            parts: 0,
            header: None,
            line: Vec::new(),
            in_body_line: false,
            body: None,
            is_rest: false,
        };
        extractor.open_part(Vec::new());
        extractor
    }

    /// Processes the next bytes of the letter.
    ///
    /// # Errors
    /// Any error from `files`.
    pub fn push(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.is_rest {
                return self.content(bytes);
            }
            let end = memchr::memchr(b'\n', bytes).map(|found| found + 1);
            let (piece, behind) = bytes.split_at(end.unwrap_or(bytes.len()));
            bytes = behind;
            if self.in_body_line {
                self.content(piece)?;
                self.in_body_line = end.is_none();
            } else if self.line.is_empty() && end.is_some() {
                self.line(piece)?;
            } else {
                self.line.extend_from_slice(piece);
                if end.is_some() {
                    self.kept_line()?;
                } else {
                    self.let_go_of_line()?;
                }
            }
        }
        Ok(())
    }

    /// Ends the letter and returns the files.
    ///
    /// # Errors
    /// Any error from `files`.
    pub fn finish(mut self) -> io::Result<F> {
        if !self.line.is_empty() {
            self.kept_line()?;
        }
        while !self.open.is_empty() {
            self.close_top(false)?;
        }
        Ok(self.out.files)
    }

    fn kept_line(&mut self) -> io::Result<()> {
        let mut line = std::mem::take(&mut self.line);
        self.line(&line)?;
        line.clear();
        self.line = line;
        Ok(())
    }

    /// Passes on a line that has not ended if it can no longer be a delimiter.
    fn let_go_of_line(&mut self) -> io::Result<()> {
        let line = &self.line;
        let has_delimiters = self.open.iter().any(|open| open.boundary.is_some());
        if has_delimiters && line.len() <= DELIMITER && (line.starts_with(b"--") || line == b"-") {
            return Ok(());
        }
        if let Some(header) = &self.header
            && (line.len() <= b"\r\n".len() || header.bytes.len() + line.len() <= HEADER)
        {
            return Ok(());
        }
        let line = std::mem::take(&mut self.line);
        self.in_body_line = true;
        self.line_of_part(&line)
    }

    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        match delimiter(self.open.iter().map(|open| open.boundary.as_deref()), line) {
            Some((level, is_last)) => self.delimit(level, is_last, line),
            None => self.line_of_part(line),
        }
    }

    fn delimit(&mut self, level: usize, is_last: bool, line: &[u8]) -> io::Result<()> {
        while self.open.len() > level + 1 {
            self.close_top(true)?;
        }
        match &self.body {
            // The file is not an attachment after all: it has parts.
            Some((of, _)) if *of == level && !is_last => {
                if let Some((_, body)) = self.body.take() {
                    body.discard(&mut self.out);
                }
            }
            _ => self.content(line)?,
        }
        if is_last {
            self.open[level].boundary = None;
        } else if self.parts + 1 >= PARTS {
            self.open_part(Vec::new());
            (self.header, self.is_rest) = (None, true);
            let content = Parameterised {
                value: "application/octet-stream".to_owned(),
                ..Parameterised::default()
            };
            self.begin_body(&[], &content, "7bit", true, false)?;
        } else {
            self.open_part(Vec::new());
        }
        Ok(())
    }

    fn open_part(&mut self, header: Vec<u8>) {
        self.parts += 1;
        self.open.push(Open::default());
        self.header = Some(Header { bytes: header, first_broken: None });
    }

    /// Processes a line that is not a delimiter.
    fn line_of_part(&mut self, line: &[u8]) -> io::Result<()> {
        let within_file = self.body.is_some();
        let Some(header) = &mut self.header else { return self.content(line) };
        let kind = HeaderLine::of(line, header.bytes.len(), self.open.len() == 1);
        match kind {
            HeaderLine::Field => header.bytes.extend_from_slice(line),
            HeaderLine::Broken => {
                header.first_broken.get_or_insert(header.bytes.len());
                header.bytes.extend_from_slice(line);
            }
            HeaderLine::End => self.end_of_header(&[], false)?,
            HeaderLine::NoHeader => self.end_of_header(line, false)?,
            HeaderLine::TooLong => self.end_of_header(line, true)?,
        }
        let in_body = matches!(kind, HeaderLine::NoHeader | HeaderLine::TooLong);
        if within_file || in_body { self.content(line) } else { Ok(()) }
    }

    /// `first_line` is the first line of the body; for an embedded letter it belongs to that
    /// letter's header.
    fn end_of_header(&mut self, first_line: &[u8], mut opaque: bool) -> io::Result<()> {
        let header = self.header.take().unwrap_or_default().bytes;
        let depth = self.open.len();
        let (content, encoding) = self.describe(&header);
        let is_multipart = content.value.starts_with("multipart/");
        let mut opens_letter = false;
        if !opaque && (is_multipart || is_letter(&content.value, &encoding)) {
            opaque = depth >= DEPTH || (!is_multipart && self.parts + 1 >= PARTS);
            opens_letter = !opaque && !is_multipart;
        }
        if is_multipart && !opaque {
            self.open[depth - 1].boundary =
                content.boundary.clone().filter(|boundary| boundary.len() <= DELIMITER);
        }
        self.open[depth - 1].is_digest = content.value == DIGEST;
        self.begin_body(&header, &content, &encoding, opaque, opens_letter)?;
        if opens_letter {
            self.open_part(first_line.to_vec());
        }
        Ok(())
    }

    fn describe(&self, header: &[u8]) -> (Parameterised, String) {
        let parent = self.open.len().checked_sub(2).map(|parent| &self.open[parent]);
        describe(header, parent.is_some_and(|parent| parent.is_digest))
    }

    /// Decides what the innermost part is, unless it is inside a file.
    fn begin_body(
        &mut self,
        header: &[u8],
        content: &Parameterised,
        encoding: &str,
        opaque: bool,
        has_letter: bool,
    ) -> io::Result<()> {
        if self.body.is_some() {
            return Ok(());
        }
        let level = self.open.len() - 1;
        let disposition = disposition(header);
        let name = file_name(disposition.as_ref(), &content.parameters);
        let is_file = leaf_is_attachment(
            &content.value,
            disposition.as_ref(),
            name.clone(),
            level == 0,
            opaque,
        );
        // Multiparts and embedded letters are not encoded, whatever they declare.
        let encoding =
            if has_letter || is_identity(encoding) || content.value.starts_with("multipart/") {
                "7bit"
            } else {
                encoding
            };
        if is_file {
            self.body = Some((level, Body::file(&mut self.out, name, &content.value, encoding)?));
        } else if content.value == "text/plain" {
            self.body = Some((level, Body::text(encoding)));
        }
        Ok(())
    }

    fn content(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.body.as_mut().map_or(Ok(()), |(_, body)| body.push(bytes, &mut self.out))
    }

    fn close_top(&mut self, by_delimiter: bool) -> io::Result<()> {
        if let Some(header) = self.header.take()
            && self.body.is_none()
        {
            // The line break before a delimiter belongs to the delimiter.
            let end = if by_delimiter {
                without_line_end(&header.bytes).len()
            } else {
                header.bytes.len()
            };
            let (fields, body) = header.bytes.split_at(header.first_broken.unwrap_or(end).min(end));
            let (content, encoding) = self.describe(fields);
            self.begin_body(fields, &content, &encoding, false, false)?;
            self.content(body)?;
        }
        self.open.pop();
        if let Some((_, body)) = self.body.take_if(|(level, _)| *level == self.open.len()) {
            body.finish(by_delimiter, &mut self.out)?;
        }
        Ok(())
    }
}
