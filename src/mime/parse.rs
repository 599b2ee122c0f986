//! Finds the parts of a letter (RFC 2046) in one pass over its lines, without recursion.
//!
//! Theory of operation. The open parts form a stack with the innermost on top. Each line either
//! delimits an open multipart or belongs to the part on top, which is in its header or in its body:
//!
//! | event | effect |
//! |---|---|
//! | delimiter of an open multipart | closes all parts above it, so a child that was never closed ends here |
//! | end of header, `multipart/…` | the part waits for its delimiters |
//! | end of header, `message/rfc822` | opens the embedded letter |
//! | end of header, anything else | the part is a leaf |
//!
//! Only byte ranges of the letter and the content types are stored.

use super::header::{field_start, fields, is_blank, line_end, without_line_end};
use super::parameter::Parameterised;
use super::part::Part;
use std::ops::Range;

/// Maximum nesting of multiparts and embedded letters. Real letters have about five levels; a
/// multipart beyond the limit is one opaque part.
pub const DEPTH: usize = 100;
/// Maximum number of parts in a letter. The largest digests have hundreds; the last part takes all
/// the rest.
pub const PARTS: usize = 100_000;
/// Maximum size of one part's header in bytes. Servers stop far below; everything after it is
/// opaque body.
pub const HEADER: usize = 1 << 20;

/// Maximum length of a delimiter line in bytes. RFC 2046, section 5.1.1 allows boundaries of 70
/// characters; a longer line delimits nothing.
pub const DELIMITER: usize = 4096;

/// A parsed letter: its bytes and its parts. Parsing never fails.
#[derive(Debug)]
pub struct Letter {
    source: Source,
    pub(super) parts: Vec<PartData>,
}

/// The bytes of a letter, whoever owns them.
struct Source(Box<dyn AsRef<[u8]> + Send + Sync>);

impl std::fmt::Debug for Source {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Source({} bytes)", (*self.0).as_ref().len())
    }
}

/// The stored data of a part.
#[derive(Debug, Default)]
pub(super) struct PartData {
    pub(super) whole: Range<usize>,
    pub(super) header: Range<usize>,
    pub(super) body: Range<usize>,
    pub(super) content: Parameterised,
    pub(super) encoding: String,
    pub(super) parent: Option<usize>,
    pub(super) children: Vec<usize>,
    pub(super) opaque: bool,
}

impl Letter {
    /// Parses a copy of `letter`.
    pub fn parse(letter: &[u8]) -> Self {
        Letter::from_bytes(letter.to_vec())
    }

    /// Parses `source` and keeps it without a copy.
    pub fn from_bytes(source: Vec<u8>) -> Self {
        Letter::over(Box::new(source))
    }

    /// Parses bytes that somebody else may share, and keeps them without a copy.
    pub fn over(source: Box<dyn AsRef<[u8]> + Send + Sync>) -> Self {
        let bytes = (*source).as_ref();
        let parts = Parser { source: bytes, parts: Vec::new(), open: Vec::new() }.run();
        Letter { source: Source(source), parts }
    }

    /// The root part: the letter itself.
    pub fn root(&self) -> Part<'_> {
        Part { letter: self, index: 0 }
    }

    /// The part with this index, or `None`. Parts are numbered in the order of their headers.
    pub fn part(&self, index: usize) -> Option<Part<'_>> {
        (index < self.parts.len()).then_some(Part { letter: self, index })
    }

    /// All parts: the root first, parents before their children.
    pub fn parts(&self) -> impl ExactSizeIterator<Item = Part<'_>> {
        (0..self.parts.len()).map(|index| Part { letter: self, index })
    }

    /// The bytes that were parsed.
    pub fn as_bytes(&self) -> &[u8] {
        (*self.source.0).as_ref()
    }
}

struct Parser<'a> {
    source: &'a [u8],
    parts: Vec<PartData>,
    open: Vec<Open>,
}

struct Open {
    index: usize,
    /// The boundary, if this is a multipart that waits for delimiters.
    boundary: Option<Vec<u8>>,
    /// State of the header while it is being read; `None` after its end.
    header: Option<HeaderState>,
}

#[derive(Default)]
struct HeaderState {
    first_broken: Option<usize>,
}

impl Parser<'_> {
    fn run(mut self) -> Vec<PartData> {
        self.open_part(None, 0);
        let mut at = 0;
        while at < self.source.len() {
            let next = line_end(self.source, at);
            match self.delimiter(&self.source[at..next]) {
                Some((level, is_last)) => {
                    self.close_above(level, self.before_line_break(at));
                    let parent = self.open[level].index;
                    if is_last {
                        self.open[level].boundary = None;
                    } else if self.parts.len() + 1 >= PARTS {
                        self.rest_as_one_part(parent, next);
                        break;
                    } else {
                        self.open_part(Some(parent), next);
                    }
                }
                None => self.line(at, next),
            }
            at = next;
        }
        self.close_all();
        self.parts
    }

    /// The level of the open multipart that a line delimits, innermost first, and whether the line
    /// closes it.
    fn delimiter(&self, line: &[u8]) -> Option<(usize, bool)> {
        delimiter(self.open.iter().map(|open| open.boundary.as_deref()), line)
    }

    fn open_part(&mut self, parent: Option<usize>, start: usize) {
        let index = self.parts.len();
        self.parts.push(PartData {
            whole: start..start,
            header: start..start,
            body: start..start,
            parent,
            ..Default::default()
        });
        if let Some(parent) = parent {
            self.parts[parent].children.push(index);
        }
        self.open.push(Open { index, boundary: None, header: Some(HeaderState::default()) });
    }

    /// Processes a line that is not a delimiter. Only headers care.
    fn line(&mut self, at: usize, next: usize) {
        let Some(open) = self.open.last_mut() else { return };
        let Some(state) = &mut open.header else { return };
        let start = self.parts[open.index].whole.start;
        match HeaderLine::of(&self.source[at..next], at - start, start == 0) {
            HeaderLine::Field => {}
            HeaderLine::Broken => _ = state.first_broken.get_or_insert(at),
            HeaderLine::End => self.end_of_header(at, next, false),
            HeaderLine::NoHeader => self.end_of_header(at, at, false),
            HeaderLine::TooLong => self.end_of_header(at, at, true),
        }
    }

    fn end_of_header(&mut self, header_end: usize, body_start: usize, opaque: bool) {
        let depth = self.open.len();
        let Some(open) = self.open.last_mut() else { return };
        open.header = None;
        let index = open.index;
        self.describe(index, header_end, body_start);
        self.parts[index].opaque = opaque;
        let part = &mut self.parts[index];
        let is_multipart = part.content.value.starts_with("multipart/");
        if opaque || !(is_multipart || is_letter(&part.content.value, &part.encoding)) {
            return;
        }
        if depth >= DEPTH {
            part.opaque = true;
        } else if is_multipart {
            let boundary = part.content.boundary.clone();
            self.open[depth - 1].boundary = boundary;
        } else if self.parts.len() + 1 >= PARTS {
            self.parts[index].opaque = true;
        } else {
            self.open_part(Some(index), body_start);
        }
    }

    fn describe(&mut self, index: usize, header_end: usize, body_start: usize) {
        let start = self.parts[index].whole.start;
        let in_digest = self.parts[index]
            .parent
            .is_some_and(|parent| self.parts[parent].content.value == DIGEST);
        let (content, encoding) = describe(&self.source[start..header_end], in_digest);
        let part = &mut self.parts[index];
        part.header = start..header_end;
        part.body = body_start..body_start;
        part.content = content;
        part.encoding = encoding;
    }

    fn rest_as_one_part(&mut self, parent: usize, start: usize) {
        let index = self.parts.len();
        self.open_part(Some(parent), start);
        self.end_of_header(start, start, true);
        self.parts[index].content.value = "application/octet-stream".to_owned();
    }

    fn close_above(&mut self, level: usize, end: usize) {
        while self.open.len() > level + 1 {
            self.close_top(end);
        }
    }

    fn close_all(&mut self) {
        while !self.open.is_empty() {
            self.close_top(self.source.len());
        }
    }

    fn close_top(&mut self, end: usize) {
        let Some(open) = self.open.pop() else { return };
        // An empty line can be both the end of this part's header and the line break that belongs
        // to the delimiter. The part ends before it.
        let part = &mut self.parts[open.index];
        for range in [&mut part.whole, &mut part.header, &mut part.body] {
            *range = range.start.min(end)..range.end.min(end);
        }
        if let Some(state) = open.header {
            let body = state.first_broken.unwrap_or(end).min(end);
            self.describe(open.index, body, body);
        }
        let part = &mut self.parts[open.index];
        part.whole.end = end;
        part.body.end = end;
    }

    /// The end of the line before `at` without its line break, which belongs to the delimiter.
    fn before_line_break(&self, at: usize) -> usize {
        without_line_end(&self.source[..at]).len()
    }
}

/// The content type whose parts default to `message/rfc822` instead of `text/plain`.
pub(super) const DIGEST: &str = "multipart/digest";

/// The level of the open part that a line delimits, innermost first, and whether the line closes
/// it. `boundaries` are those of the open parts.
pub(super) fn delimiter<'b>(
    boundaries: impl DoubleEndedIterator<Item = Option<&'b [u8]>> + ExactSizeIterator,
    line: &[u8],
) -> Option<(usize, bool)> {
    if line.len() > DELIMITER {
        return None;
    }
    let rest = without_line_end(line.strip_prefix(b"--")?);
    let blanks = rest.iter().rev().take_while(|byte| is_blank(**byte)).count();
    let trimmed = &rest[..rest.len() - blanks];
    let closing = trimmed.strip_suffix(b"--");
    boundaries.enumerate().rev().find_map(|(level, boundary)| {
        // A boundary may itself end in dashes.
        match (boundary?, closing) {
            (boundary, _) if trimmed == boundary => Some((level, false)),
            (boundary, Some(closing)) if closing == boundary => Some((level, true)),
            _ => None,
        }
    })
}

/// The role of a line in a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeaderLine {
    Field,
    /// Not a field. Skipped if an empty line follows; otherwise the body starts with the first such
    /// line.
    Broken,
    End,
    /// The first line is not a field, so there is no header.
    NoHeader,
    TooLong,
}

impl HeaderLine {
    /// Classifies a line that follows `before` bytes of the header.
    pub(super) fn of(line: &[u8], before: usize, of_letter: bool) -> HeaderLine {
        let text = without_line_end(line);
        let is_first = before == 0;
        let is_field = field_start(text).is_some()
            || (!is_first && text.first().is_some_and(|byte| is_blank(*byte)));
        let is_mailbox_mark =
            is_first && of_letter && (text.starts_with(b"From ") || text.starts_with(b">From "));
        match () {
            () if text.is_empty() => HeaderLine::End,
            () if before + line.len() > HEADER => HeaderLine::TooLong,
            () if is_field || is_mailbox_mark => HeaderLine::Field,
            () if is_first => HeaderLine::NoHeader,
            () => HeaderLine::Broken,
        }
    }
}

/// The content type and the transfer encoding that a header declares.
pub(super) fn describe(header: &[u8], in_digest: bool) -> (Parameterised, String) {
    let mut content = None;
    let mut encoding = None;
    for field in fields(header) {
        if content.is_none() && field.is("content-type") {
            content = Some(Parameterised::read(&field.value));
        } else if encoding.is_none() && field.is("content-transfer-encoding") {
            encoding = Some(Parameterised::read(&field.value).value);
        }
    }
    let mut content = content.unwrap_or_default();
    if content.value.is_empty() && in_digest {
        content.value = "message/rfc822".to_owned();
    } else if !is_media_type(&content.value) {
        content.value = "text/plain".to_owned();
    }
    (content, encoding.filter(|encoding| !encoding.is_empty()).unwrap_or_else(|| "7bit".to_owned()))
}

/// Whether a part contains a letter that can be parsed.
pub(super) fn is_letter(content_type: &str, encoding: &str) -> bool {
    matches!(content_type, "message/rfc822" | "message/global") && is_identity(encoding)
}

pub(super) fn is_identity(encoding: &str) -> bool {
    matches!(encoding, "7bit" | "8bit" | "binary")
}

/// Whether a content type can be read; if not, it counts as `text/plain` (RFC 2045, section 5.2).
fn is_media_type(value: &str) -> bool {
    value
        .split_once('/')
        .is_some_and(|(main, sub)| !main.is_empty() && !sub.is_empty() && !sub.contains(['/', ' ']))
}
