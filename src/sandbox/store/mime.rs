//! The MIME structure of a letter as offsets into its bytes (RFC 2045, 2046).
//!
//! One pass over the lines: every line that begins with `--` is compared with all open boundaries,
//! so a truncated or badly nested letter still divides into parts. Nesting is limited; a part
//! beyond the limit counts as a leaf.

use std::ops::Range;

use crate::sandbox::parameters::{Parameters, parse_parameters};
use crate::sandbox::store::header;

/// The deepest nesting that is parsed.
const DEPTH_LIMIT: usize = 50;

/// The most parts in a letter; the rest stays in the last one. RFC 2046 sets no limit, but hostile
/// letters require one.
const PART_LIMIT: usize = 10_000;

/// A part, or the whole letter.
#[derive(Debug)]
pub(crate) struct Part {
    /// The header, including the blank line after it.
    pub(crate) header: Range<usize>,
    pub(crate) body: Range<usize>,
    pub(crate) media: Media,
    pub(crate) kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Leaf,
    Multipart(Vec<Part>),
    Message(Box<Part>),
}

/// The Content-Type, or the default if there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Media {
    pub(crate) main: Vec<u8>,
    pub(crate) sub: Vec<u8>,
    pub(crate) parameters: Parameters,
}

impl Part {
    /// Parses the structure of a whole letter.
    pub(crate) fn parse(bytes: &[u8]) -> Part {
        let mut scanner = Scanner { bytes, at: 0, boundaries: Vec::new(), parts: 0 };
        scanner.part(false).0
    }

    /// The part with this number in this letter (RFC 3501 6.4.5). A body that is not a multipart is
    /// part 1.
    pub(crate) fn find(&self, path: &[u32]) -> Option<&Part> {
        let Some((number, rest)) = path.split_first() else { return Some(self) };
        let part = match &self.kind {
            Kind::Multipart(parts) => parts.get(usize::try_from(*number).ok()?.checked_sub(1)?)?,
            _ if *number == 1 => self,
            _ => return None,
        };
        if rest.is_empty() {
            return Some(part);
        }
        match &part.kind {
            Kind::Multipart(_) if !std::ptr::eq(part, self) => part.find(rest),
            Kind::Message(inner) => inner.find(rest),
            _ => None,
        }
    }
}

impl Media {
    /// US-ASCII text, the default of RFC 2045 5.2.
    fn plain() -> Media {
        Media {
            main: b"text".to_vec(),
            sub: b"plain".to_vec(),
            parameters: vec![(b"charset".to_vec(), b"us-ascii".to_vec())],
        }
    }

    fn message() -> Media {
        Media { main: b"message".to_vec(), sub: b"rfc822".to_vec(), parameters: Vec::new() }
    }

    /// Parses a Content-Type; one without a slash counts as missing.
    fn parse(value: &[u8]) -> Option<Media> {
        let (kind, parameters) = parse_parameters(value);
        let slash = kind.iter().position(|byte| *byte == b'/')?;
        let (main, sub) = (kind[..slash].trim_ascii(), kind[slash + 1..].trim_ascii());
        if main.is_empty() || sub.is_empty() {
            return None;
        }
        let mut media = Media { main: main.to_vec(), sub: sub.to_vec(), parameters };
        if media.is_main("text") && media.parameter("charset").is_none() {
            // The default of RFC 2045 5.2, added as other servers do, so that clients need not know
            // it.
            media.parameters.push((b"charset".to_vec(), b"us-ascii".to_vec()));
        }
        Some(media)
    }

    pub(crate) fn is(&self, main: &str, sub: &str) -> bool {
        self.main.eq_ignore_ascii_case(main.as_bytes())
            && self.sub.eq_ignore_ascii_case(sub.as_bytes())
    }

    pub(crate) fn is_main(&self, main: &str) -> bool {
        self.main.eq_ignore_ascii_case(main.as_bytes())
    }

    fn parameter(&self, name: &str) -> Option<&[u8]> {
        let wanted = |(key, _): &&(Vec<u8>, Vec<u8>)| key.eq_ignore_ascii_case(name.as_bytes());
        self.parameters.iter().find(wanted).map(|(_, value)| value.as_slice())
    }
}

/// What ended a part.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// The end of the letter.
    Letter,
    /// A boundary line of the multipart at this level of the stack; `last` for `--boundary--`.
    Boundary { level: usize, last: bool },
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    boundaries: Vec<Vec<u8>>,
    parts: usize,
}

impl Scanner<'_> {
    /// Parses a part and consumes the boundary that ends it.
    fn part(&mut self, in_digest: bool) -> (Part, End) {
        self.parts += 1;
        let (header, ended) = self.header();
        let media = header::value(self.bytes, header.clone(), "Content-Type")
            .and_then(|value| Media::parse(&value))
            .unwrap_or_else(|| if in_digest { Media::message() } else { Media::plain() });
        let start = self.at;
        if let Some((header_end, end)) = ended {
            let header = header.start..header_end;
            return (Part { body: header_end..header_end, header, media, kind: Kind::Leaf }, end);
        }
        let deep = self.boundaries.len() >= DEPTH_LIMIT || self.parts > PART_LIMIT;
        let boundary = media.parameter("boundary").unwrap_or_default().trim_ascii_end().to_vec();
        match Some(boundary).filter(|_| media.is_main("multipart") && !deep) {
            // No line is a boundary then; what remains is a multipart without parts.
            Some(boundary) if boundary.is_empty() => {
                let (body_end, end) = self.skip_to_boundary();
                (
                    Part {
                        header,
                        body: start..body_end.max(start),
                        media,
                        kind: Kind::Multipart(Vec::new()),
                    },
                    end,
                )
            }
            Some(boundary) => {
                let (parts, body_end, end) =
                    self.multipart(boundary, media.is("multipart", "digest"));
                (
                    Part {
                        header,
                        body: start..body_end.max(start),
                        media,
                        kind: Kind::Multipart(parts),
                    },
                    end,
                )
            }
            None if media.is("message", "rfc822") && !deep => {
                // A level without a boundary of its own, so that the depth of messages in messages
                // is limited too.
                self.boundaries.push(Vec::new());
                let (inner, end) = self.part(false);
                self.boundaries.pop();
                let body = start..inner.body.end;
                (Part { header, body, media, kind: Kind::Message(Box::new(inner)) }, end)
            }
            None => {
                let (body_end, end) = self.skip_to_boundary();
                (Part { header, body: start..body_end.max(start), media, kind: Kind::Leaf }, end)
            }
        }
    }

    fn multipart(&mut self, boundary: Vec<u8>, digest: bool) -> (Vec<Part>, usize, End) {
        let level = self.boundaries.len();
        self.boundaries.push(boundary);
        let mut parts: Vec<Part> = Vec::new();
        let (mut body_end, mut end) = self.skip_to_boundary();
        while end == (End::Boundary { level, last: false }) {
            if self.parts >= PART_LIMIT {
                (body_end, end) = self.skip_to_boundary();
                if let Some(Part { body, kind: Kind::Leaf, .. }) = parts.last_mut() {
                    body.end = body_end.max(body.start);
                }
                continue;
            }
            let (part, part_end) = self.part(digest);
            body_end = part.body.end;
            end = part_end;
            parts.push(part);
        }
        self.boundaries.pop();
        if end == (End::Boundary { level, last: true }) {
            // Without an epilogue, the line end after `--boundary--` belongs to the next boundary.
            let line_end = if self.bytes[..self.at].ends_with(b"\r\n") { 2 } else { 1 };
            (body_end, end) = self.skip_to_boundary_from(self.at - line_end);
        }
        (parts, body_end, end)
    }

    /// Reads lines up to the blank one. If a boundary comes first, also returns where the header
    /// ends.
    fn header(&mut self) -> (Range<usize>, Option<(usize, End)>) {
        let start = self.at;
        while self.at < self.bytes.len() {
            let line_start = self.at;
            let line = self.line();
            if matches!(line, b"\r\n" | b"\n") {
                return (start..self.at, None);
            }
            if let Some(end) = self.boundary(line) {
                return (start..line_start, Some((line_start, end)));
            }
        }
        (start..self.at, None)
    }

    /// Skips to the next open boundary. The line end before it is part of the boundary (RFC 2046
    /// 5.1.1).
    fn skip_to_boundary(&mut self) -> (usize, End) {
        self.skip_to_boundary_from(self.at)
    }

    /// As `skip_to_boundary`, for a text that begins at `start`, which may be one line end back.
    fn skip_to_boundary_from(&mut self, start: usize) -> (usize, End) {
        while self.at < self.bytes.len() {
            let line_start = self.at;
            let line = self.line();
            if let Some(end) = self.boundary(line) {
                let before = &self.bytes[start..line_start];
                let line_end = if before.ends_with(b"\r\n") {
                    2
                } else {
                    usize::from(before.ends_with(b"\n"))
                };
                return (line_start - line_end, end);
            }
        }
        (self.at, End::Letter)
    }

    /// The open boundary that this line matches, innermost first.
    fn boundary(&self, line: &[u8]) -> Option<End> {
        let rest = line.strip_prefix(b"--")?.trim_ascii_end();
        (0..self.boundaries.len())
            .rev()
            .filter(|level| !self.boundaries[*level].is_empty())
            .find_map(|level| match rest.strip_prefix(self.boundaries[level].as_slice())? {
                b"" => Some(End::Boundary { level, last: false }),
                b"--" => Some(End::Boundary { level, last: true }),
                _ => None,
            })
    }
}

impl<'a> Scanner<'a> {
    fn line(&mut self) -> &'a [u8] {
        let rest = &self.bytes[self.at..];
        let length = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        self.at += length;
        &rest[..length]
    }
}
