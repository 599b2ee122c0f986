//! Splits the server's bytes into responses and finds their literals, before any parsing.
//!
//! A response is a line that ends in CR LF, or in LF alone if the server's first line does. `{n}`
//! before the line end announces `n` bytes of
//! literal, after which the line continues (RFC 3501 4.3). Only untagged data has literals: the
//! text of a status line is free, so `{5}` at its end is text. Literal bytes are never inspected.
//!
//! Everything is read into one buffer, which grows in proportion to what has arrived, never by an
//! announced size alone; the limits are checked before room is made. A literal above the threshold
//! of [`Frame::stream_literals_over`] or [`Frame::keep_literals_over`] is handed on piece by piece
//! and removed from the buffer, so memory use does not depend on its size. The first is for literals
//! that go straight to where they are wanted, the second for those that belong to their response,
//! for which the limits of memory hold.

use super::kept::Kept;
use crate::proto::error::{ProtocolError, excerpt};
use crate::proto::limits::Limits;
use memchr::memchr;
use std::num::NonZeroU32;
use std::ops::Range;

/// The location of a literal's bytes within its response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiteralSpan {
    /// Offset of the first byte after `{n}` CR LF, from the start of the response.
    pub start: usize,
    /// Number of bytes in the buffer: 0 for a literal that was streamed.
    pub length: usize,
    /// Number of bytes that the server announced.
    pub announced: u64,
    /// Whether the bytes were handed on as pieces and are not in the response.
    pub streamed: bool,
    /// If the bytes were handed on and kept: the place of their handle in [`Raw::kept`], from 1 on.
    pub kept: Option<NonZeroU32>,
}

/// The result of [`Frame::advance`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// No response or piece is complete: more bytes are needed.
    NeedBytes,
    /// A response is complete; [`Frame::response`] shows it until the next call.
    Response,
    /// A piece of a literal that is being streamed; [`Frame::piece`] shows it, and
    /// [`Frame::response`] the response up to the literal.
    Piece,
}

/// A response's bytes, without the last CR LF, and its literals in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Raw<'a> {
    /// The bytes, literals included.
    pub bytes: &'a [u8],
    /// Where the literals are.
    pub literals: &'a [LiteralSpan],
    /// The handles of the literals that are kept elsewhere.
    pub kept: &'a [Kept],
}

/// The splitter and its input buffer.
#[derive(Debug)]
pub struct Frame {
    limits: Limits,
    buffer: Vec<u8>,
    filled: usize,
    /// Start of the response being read.
    start: usize,
    /// Where to look for the next line end.
    scan: usize,
    /// Start of the line being read, for finding `{n}`.
    line: usize,
    /// Number of literal bytes of this response before `scan`; the other bytes count as line.
    literal_bytes: usize,
    /// Number of bytes of this response's literals that are kept elsewhere.
    kept_bytes: u64,
    kept: Vec<Kept>,
    literals: Vec<LiteralSpan>,
    /// Number of bytes of the current literal that are still to come.
    remaining: u64,
    streaming: bool,
    /// Whether the pieces of the current literal shall be kept.
    keeping: bool,
    /// The last piece handed out; the next call removes it from the buffer.
    piece: Range<usize>,
    /// End of the last response handed out, and where the next one starts.
    complete: Option<(usize, usize)>,
    stream_over: Option<u64>,
    keep_over: Option<u64>,
    line_ends: LineEnds,
}

/// How the server ends its lines; its first line decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineEnds {
    Undecided,
    /// As the RFC says.
    CrLf,
    /// A line feed, before which a CR may stand.
    Lf,
}

/// Large enough for a fast server, small enough for the CPU cache.
const READ_SIZE: usize = 64 << 10;

impl Frame {
    /// Makes a splitter with an empty buffer.
    pub fn new(limits: Limits) -> Self {
        Frame {
            limits,
            buffer: Vec::new(),
            filled: 0,
            start: 0,
            scan: 0,
            line: 0,
            literal_bytes: 0,
            kept_bytes: 0,
            kept: Vec::new(),
            literals: Vec::new(),
            remaining: 0,
            streaming: false,
            keeping: false,
            piece: 0..0,
            complete: None,
            stream_over: None,
            keep_over: None,
            line_ends: LineEnds::Undecided,
        }
    }

    /// Sets the threshold for streaming: longer literals are handed on in pieces. `None`, the
    /// default, keeps every literal whole.
    pub fn stream_literals_over(&mut self, bytes: Option<u64>) {
        self.stream_over = bytes;
    }

    /// Sets the threshold for keeping: longer literals are handed on in pieces, too, but belong to
    /// their response. The receiver keeps the pieces for [`Frame::keep_literal`]. Streaming comes
    /// first.
    pub fn keep_literals_over(&mut self, bytes: Option<u64>) {
        self.keep_over = bytes;
    }

    /// Attaches the bytes of the literal whose last piece was found last.
    pub fn keep_literal(&mut self, kept: Kept) {
        if let Some(literal) = self.literals.last_mut().filter(|literal| literal.streamed) {
            self.kept.push(kept);
            literal.kept = u32::try_from(self.kept.len()).ok().and_then(NonZeroU32::new);
        }
    }

    /// Forgets that the server ends its lines in LF alone, unless its next line does so too: the line
    /// that decided came before TLS, perhaps from somebody else.
    pub fn tls_established(&mut self) {
        if self.line_ends == LineEnds::Lf {
            self.line_ends = LineEnds::Undecided;
        }
    }

    /// Returns room to read into; report with [`Frame::filled`] how much was read.
    pub fn space(&mut self) -> &mut [u8] {
        self.drop_handed_out();
        if self.start == self.filled {
            self.shift_to_front();
        }
        // The room for a large literal grows with what has arrived, never by the server's number
        // alone: up to 1 MiB, or four times the bytes of the response so far. So once a fifth has
        // arrived there is room for all of it. Pieces of a streamed literal leave the buffer
        // immediately.
        let remaining = usize::try_from(self.remaining).unwrap_or(usize::MAX);
        let most =
            if self.streaming { READ_SIZE } else { (4 * (self.filled - self.start)).max(1 << 20) };
        let wanted = remaining.clamp(READ_SIZE, most);
        if self.buffer.len() - self.filled < READ_SIZE {
            self.shift_to_front();
            if self.buffer.len() - self.filled < READ_SIZE {
                // While a literal is incomplete, make room for several reads, so that the partial
                // response is not moved to the front at every read.
                let several = if self.remaining == 0 { READ_SIZE } else { 4 * READ_SIZE };
                let grown = (self.filled + wanted)
                    .max(self.buffer.len() + self.buffer.len() / 2)
                    .max(several);
                if self.filled == 0 {
                    self.buffer = vec![0; grown];
                } else {
                    self.buffer.resize(grown, 0);
                }
            }
        }
        &mut self.buffer[self.filled..]
    }

    /// Reports that `count` bytes were read into [`Frame::space`].
    pub fn filled(&mut self, count: usize) {
        self.filled = (self.filled + count).min(self.buffer.len());
    }

    /// Copies bytes in, for callers that already have them.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let space = self.space();
            let count = space.len().min(bytes.len());
            space[..count].copy_from_slice(&bytes[..count]);
            self.filled(count);
            bytes = &bytes[count..];
        }
    }

    /// Returns whether there are bytes beyond the responses handed out so far.
    pub fn has_unread(&self) -> bool {
        !self.unread().is_empty()
    }

    /// The bytes beyond the responses handed out so far.
    pub fn unread(&self) -> &[u8] {
        let from = self.complete.map_or(self.start, |(_, next)| next);
        self.buffer.get(from..self.filled).unwrap_or(b"")
    }

    /// Takes these bytes out of the buffer.
    pub fn take_unread(&mut self) -> Vec<u8> {
        let unread = self.unread().to_vec();
        self.filled -= unread.len();
        unread
    }

    /// Finds the next response or piece.
    ///
    /// # Errors
    /// [`ProtocolError::TooLarge`] over a limit, [`ProtocolError::Malformed`] for a bare LF or a
    /// literal size beyond 64 bits.
    pub fn advance(&mut self) -> Result<Step, ProtocolError> {
        self.drop_handed_out();
        loop {
            if self.remaining > 0 {
                let here = usize::try_from(self.remaining)
                    .unwrap_or(usize::MAX)
                    .min(self.filled - self.scan);
                if self.streaming {
                    if here == 0 {
                        return Ok(Step::NeedBytes);
                    }
                    self.remaining -= here as u64;
                    self.piece = self.scan..self.scan + here;
                    return Ok(Step::Piece);
                }
                self.remaining -= here as u64;
                self.scan += here;
                self.literal_bytes += here;
                if self.remaining > 0 {
                    return Ok(Step::NeedBytes);
                }
                self.line = self.scan;
            }
            let Some(found) = memchr(b'\n', &self.buffer[self.scan..self.filled]) else {
                self.scan = self.filled;
                self.check_line(self.scan)?;
                return Ok(Step::NeedBytes);
            };
            let end = self.scan + found;
            self.check_line(end)?;
            let is_crlf = end > self.line && self.buffer[end - 1] == b'\r';
            if !is_crlf || self.line_ends != LineEnds::CrLf {
                self.check_line_end(is_crlf, end)?;
            }
            let text_end = end - usize::from(is_crlf);
            match self.announced_literal(text_end)? {
                None => {
                    self.complete = Some((text_end, end + 1));
                    return Ok(Step::Response);
                }
                Some(announced) => self.begin_literal(announced, end + 1)?,
            }
        }
    }

    /// Lets the first line decide how lines end, and checks another line by that.
    #[cold]
    #[inline(never)]
    fn check_line_end(&mut self, is_crlf: bool, end: usize) -> Result<(), ProtocolError> {
        if self.line_ends == LineEnds::Undecided {
            self.line_ends = if is_crlf { LineEnds::CrLf } else { LineEnds::Lf };
        }
        if !is_crlf && self.line_ends == LineEnds::CrLf {
            return Err(self.malformed("a bare LF", end));
        }
        Ok(())
    }

    /// The response that [`Frame::advance`] found last; while a literal is streamed, the response
    /// up to the literal.
    pub fn response(&self) -> Raw<'_> {
        let end = self.complete.map_or(self.scan, |(end, _)| end);
        let bytes = &self.buffer[self.start..end];
        Raw { bytes, literals: &self.literals, kept: &self.kept }
    }

    /// The piece of a streamed literal that [`Frame::advance`] found last.
    pub fn piece(&self) -> &[u8] {
        &self.buffer[self.piece.clone()]
    }

    /// Returns whether the last piece ends its literal.
    pub fn piece_is_last(&self) -> bool {
        self.remaining == 0
    }

    /// Returns whether the last piece shall be kept for its response.
    pub fn piece_is_to_keep(&self) -> bool {
        self.keeping
    }

    fn begin_literal(&mut self, announced: u64, at: usize) -> Result<(), ProtocolError> {
        let is_over = |over: Option<u64>| over.is_some_and(|over| announced > over);
        let passes_through = is_over(self.stream_over);
        self.keeping = !passes_through && is_over(self.keep_over);
        self.streaming = passes_through || self.keeping;
        let (limit, name, of_response) = match passes_through {
            true => (self.limits.streamed_literal, "streamed-literal", 0),
            false => (self.limits.literal, "literal", announced),
        };
        if announced > limit {
            return Err(self.limits.exceeded(name));
        }
        if self.literal_bytes as u64 + self.kept_bytes + of_response > self.limits.response {
            return Err(self.limits.exceeded("response"));
        }
        if self.literals.len() >= self.limits.literals {
            return Err(self.limits.exceeded("literals"));
        }
        self.literals.push(LiteralSpan {
            start: at - self.start,
            length: if self.streaming { 0 } else { announced as usize },
            announced,
            streamed: self.streaming,
            kept: None,
        });
        self.kept_bytes += if self.keeping { announced } else { 0 };
        self.remaining = announced;
        self.scan = at;
        self.line = at;
        Ok(())
    }

    /// Returns the size in `{n}` before the line end at `end`, if the line ends that way and the
    /// response may have literals.
    fn announced_literal(&self, end: usize) -> Result<Option<u64>, ProtocolError> {
        let line = &self.buffer[self.line..end];
        let Some((b'}', line)) = line.split_last() else { return Ok(None) };
        let open = line.iter().rposition(|byte| !byte.is_ascii_digit()).unwrap_or(0);
        let (line, [b'{', digits @ ..]) = line.split_at(open) else { return Ok(None) };
        let stands_apart = matches!(line.last(), None | Some(b' ' | b'(' | b'[' | b'~'));
        if digits.is_empty() || !stands_apart || !may_have_literals(&self.buffer[self.start..end]) {
            return Ok(None);
        }
        let size = digits.iter().try_fold(0u64, |size, digit| {
            size.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
        });
        size.map(Some)
            .ok_or_else(|| self.malformed("a literal size beyond 64 bits", self.line + open))
    }

    fn check_line(&self, to: usize) -> Result<(), ProtocolError> {
        // The line limit applies only to the text between literals.
        let length = to - self.start - self.literal_bytes;
        let Limits { line, status, .. } = self.limits;
        if length <= line.min(status) {
            return Ok(());
        }
        // Data may be long for good reason; text for people is not, so it has a lower limit.
        let is_data = may_have_literals(&self.buffer[self.start..to]);
        let name = if status < line && !is_data { "status" } else { "line" };
        self.limits.check(name, length as u64)
    }

    fn malformed(&self, what: &'static str, at: usize) -> ProtocolError {
        let from = at.saturating_sub(30).max(self.start);
        ProtocolError::Malformed {
            what,
            offset: at - self.start,
            near: excerpt(&self.buffer[from..self.filled.min(at + 30)]),
        }
    }

    fn drop_handed_out(&mut self) {
        if let Some((_, next)) = self.complete.take() {
            self.start = next;
            self.scan = next;
            self.line = next;
            self.literal_bytes = 0;
            self.literals.clear();
            if self.kept_bytes > 0 {
                self.drop_kept();
            }
        }
        if !self.piece.is_empty() {
            let piece = std::mem::take(&mut self.piece);
            self.buffer.copy_within(piece.end..self.filled, piece.start);
            self.filled -= piece.len();
        }
    }

    #[cold]
    #[inline(never)]
    fn drop_kept(&mut self) {
        self.kept_bytes = 0;
        self.kept.clear();
    }

    fn shift_to_front(&mut self) {
        if self.start == 0 {
            return;
        }
        self.buffer.copy_within(self.start..self.filled, 0);
        self.scan -= self.start;
        self.line -= self.start;
        self.filled -= self.start;
        self.start = 0;
        if self.filled == 0 && self.buffer.len() > 4 << 20 {
            self.buffer = Vec::new(); // do not keep a large letter's memory for the rest of the session
        }
    }
}

/// Returns whether the response may have literals. Only untagged data may; continuations, tagged
/// lines and untagged status lines end in free text.
fn may_have_literals(response: &[u8]) -> bool {
    let Some(rest) = response.strip_prefix(b"* ") else { return false };
    // A status word is short. Searching further would scan the whole response again at each of its
    // literals.
    if rest.first().is_some_and(u8::is_ascii_digit) {
        return true; // no status begins with a digit
    }
    let rest = rest[..rest.len().min(20)].trim_ascii_start();
    !super::response::begins_with_status(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `input` in chunks of `size` and returns each response's bytes, with pieces joined as
    /// `<piece…>`.
    fn split(
        input: &[u8],
        size: usize,
        stream_over: Option<u64>,
    ) -> Result<Vec<String>, ProtocolError> {
        let mut frame = Frame::new(Limits {
            line: 200,
            status: 100,
            literal: 1000,
            literals: 5,
            ..Limits::default()
        });
        frame.stream_literals_over(stream_over);
        let (mut found, mut streamed) = (Vec::new(), Vec::new());
        for chunk in input.chunks(size) {
            frame.push(chunk);
            loop {
                match frame.advance()? {
                    Step::NeedBytes => break,
                    Step::Piece => streamed.extend_from_slice(frame.piece()),
                    Step::Response => {
                        let pieces = if streamed.is_empty() {
                            String::new()
                        } else {
                            format!("<{}>", streamed.escape_ascii())
                        };
                        found.push(format!("{}{pieces}", frame.response().bytes.escape_ascii()));
                        streamed.clear();
                    }
                }
            }
        }
        Ok(found)
    }

    #[test]
    fn responses_are_split_alike_whole_and_byte_by_byte() {
        let table: &[(&str, &[&str])] = &[
            ("* 3 EXISTS\r\n* 0 RECENT\r\n", &["* 3 EXISTS", "* 0 RECENT"]),
            ("* 1 FETCH (A {5}\r\na\r\nbc B NIL)\r\n", &["* 1 FETCH (A {5}\\r\\na\\r\\nbc B NIL)"]),
            ("* 1 FETCH (A {0}\r\n)\r\n", &["* 1 FETCH (A {0}\\r\\n)"]),
            (
                "* 1 FETCH (A {3}\r\nx)\r B {3}\r\n}\r\n)\r\n",
                &["* 1 FETCH (A {3}\\r\\nx)\\r B {3}\\r\\n}\\r\\n)"],
            ),
            (
                "* OK text {5}\r\nA1 NO text {99999999999999999999}\r\n+ {3}\r\n",
                &["* OK text {5}", "A1 NO text {99999999999999999999}", "+ {3}"],
            ),
            ("* LIST () \"/\" a{5}\r\n", &["* LIST () \\\"/\\\" a{5}"]),
        ];
        for (input, expected) in table {
            for size in [usize::MAX, 1, 2, 3, 7] {
                assert_eq!(
                    split(input.as_bytes(), size.min(input.len()), None).as_deref(),
                    Ok(&expected.map_strings()[..]),
                    "{input:?} by {size}"
                );
            }
        }
    }

    trait MapStrings {
        fn map_strings(&self) -> Vec<String>;
    }
    impl MapStrings for &[&str] {
        fn map_strings(&self) -> Vec<String> {
            self.iter().map(ToString::to_string).collect()
        }
    }

    #[test]
    fn a_streamed_literal_leaves_the_response() {
        for size in [1, 3, 1000] {
            let found = split(
                b"* 1 FETCH (UID 5 BODY[] {12}\r\nhello\r\nthere FLAGS ())\r\n* 2 EXISTS\r\n",
                size,
                Some(10),
            );
            assert_eq!(
                found.unwrap(),
                ["* 1 FETCH (UID 5 BODY[] {12}\\r\\n FLAGS ())<hello\\r\\nthere>", "* 2 EXISTS"],
                "by {size}"
            );
        }
    }

    #[derive(Debug)]
    struct Nothing;

    impl crate::proto::imap::Store for Nothing {
        fn size(&self) -> u64 {
            0
        }

        fn reader(&self) -> std::io::Result<Box<dyn std::io::Read + '_>> {
            Ok(Box::new(std::io::empty()))
        }
    }

    #[test]
    fn a_kept_literal_leaves_the_response_and_stays_with_it() {
        // Over 10 bytes they are kept, and over 5 or 20 streamed.
        for (streamed_over, to_keep) in [(None, true), (Some(20), true), (Some(5), false)] {
            let mut frame = Frame::new(Limits::default());
            frame.keep_literals_over(Some(10));
            frame.stream_literals_over(streamed_over);
            frame.push(
                b"* 1 FETCH (BODY[] {12}\r\nhello\r\nthere BODY[1] {2}\r\nab)\r\n* 2 EXISTS\r\n",
            );
            assert_eq!(frame.advance(), Ok(Step::Piece));
            assert_eq!(
                (frame.piece(), frame.piece_is_to_keep()),
                (&b"hello\r\nthere"[..], to_keep)
            );
            let kept = to_keep.then(|| Kept::new(Nothing));
            kept.iter().for_each(|kept| frame.keep_literal(kept.clone()));
            assert_eq!(frame.advance(), Ok(Step::Response));
            let raw = frame.response();
            assert_eq!(raw.bytes, b"* 1 FETCH (BODY[] {12}\r\n BODY[1] {2}\r\nab)");
            assert_eq!(raw.literals[0].kept.is_some(), to_keep);
            assert_eq!((raw.literals[1].streamed, raw.literals[1].kept), (false, None));
            assert_eq!(raw.kept, kept.as_slice());
            assert_eq!(frame.advance(), Ok(Step::Response));
            assert!(frame.response().literals.is_empty() && frame.response().kept.is_empty());
        }
    }

    #[test]
    fn the_limits_of_memory_hold_for_literals_that_are_kept() {
        let limits = Limits { literal: 100, response: 150, ..Limits::default() };
        for keep_over in [None, Some(0), Some(70)] {
            for (sizes, limit) in [
                (&[100][..], None),
                (&[101], Some("literal")),
                (&[80, 60, 10], None),
                (&[80, 60, 11], Some("response")),
            ] {
                let mut frame = Frame::new(limits.clone());
                frame.keep_literals_over(keep_over);
                let mut error = None;
                for size in sizes {
                    frame.push(format!("* 1 FETCH (A {{{size}}}\r\n{:size$}", "").as_bytes());
                    error = error.or(std::iter::from_fn(|| match frame.advance() {
                        Ok(Step::Piece) => Some(None),
                        Ok(_) => None,
                        Err(error) => Some(Some(error)),
                    })
                    .find_map(|error| error));
                }
                assert_eq!(
                    error,
                    limit.map(|limit| limits.exceeded(limit)),
                    "{keep_over:?} {sizes:?}"
                );
            }
        }
    }

    #[test]
    fn limits_hold_before_room_is_made() {
        let line = [b"* SEARCH".to_vec(), vec![b' '; 300]].concat();
        let is_over = |result, limit: &str| matches!(result, Err(ProtocolError::TooLarge { name, .. }) if name == limit);
        assert!(is_over(split(&line, 7, None), "line"));
        let status = [b"* OK ".to_vec(), vec![b' '; 120]].concat();
        assert!(is_over(split(&status, 7, None), "status"));
        for size in [7, 300] {
            assert!(is_over(split(&[b'A'; 300], size, None), "status"), "by {size}");
        }
        assert!(is_over(
            split(&[b"* 1 FETCH (".to_vec(), b"{1}\r\nx".repeat(6)].concat(), 7, None),
            "literals"
        ));
        for size in ["1001", "4294967295", "18446744073709551615"] {
            let literal = format!("* 1 FETCH (A {{{size}}}\r\n");
            assert!(is_over(split(literal.as_bytes(), 5, None), "literal"), "{size}");
        }
        assert!(matches!(
            split(b"* 1 FETCH (A {99999999999999999999}\r\n", 9, None),
            Err(ProtocolError::Malformed { .. })
        ));
        for line in ["* OK hello\r\n* 1 EXISTS\n", "* OK hello\r\n\n"] {
            assert!(matches!(
                split(line.as_bytes(), 9, None),
                Err(ProtocolError::Malformed { what: "a bare LF", .. })
            ));
        }
    }

    #[test]
    fn a_server_whose_first_line_ends_in_lf_may_go_on_like_that() {
        let input = "* OK hello\n* 1 FETCH (A {3}\na\nb)\n* 2 EXISTS\r\n\nA1 OK {3}\n";
        let found = ["* OK hello", "* 1 FETCH (A {3}\\na\\nb)", "* 2 EXISTS", "", "A1 OK {3}"];
        for size in [1, 2, 7, 100] {
            assert_eq!(split(input.as_bytes(), size, None).unwrap(), found, "by {size}");
        }
        let mut frame = Frame::new(Limits::default());
        frame.push(b"* OK hello\nA1 OK go\n");
        assert_eq!((frame.advance(), frame.advance()), (Ok(Step::Response), Ok(Step::Response)));
        frame.tls_established();
        frame.push(b"* OK\r\n* OK\n");
        assert_eq!(frame.advance(), Ok(Step::Response));
        assert!(frame.advance().is_err());
    }
}
