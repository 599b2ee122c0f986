//! The tokenizer for all data that a server sends: flat, zero-copy, and limited in depth.
//!
//! IMAP data is made of parenthesised lists of atoms, numbers, strings and NIL (RFC 3501 4).
//! [`Tokens`] is a cursor that returns one token after another, as slices of the response. A caller
//! builds what it needs and skips the rest with [`Tokens::skip_value`]. The tokenizer does not
//! recurse, and it limits the nesting of parentheses, so a hostile server cannot exhaust the stack
//! of callers that do.
//!
//! Two things need context. Where fetch items may occur, `BODY[HEADER.FIELDS (FROM)]<0>` is a
//! single atom. And literals are found not by their `{n}` but by the spans that `frame` recorded,
//! because a streamed literal's bytes are no longer in the response.
//!
//! For speed, atoms and quoted strings are scanned 16 bytes at a time.

use super::frame::{LiteralSpan, Raw};
use super::kept::Kept;
use crate::proto::error::{ProtocolError, excerpt};
use crate::proto::limits::Limits;
use std::borrow::Cow;

/// One token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token<'a> {
    /// `(`
    Open,
    /// `)`
    Close,
    /// Anything unquoted: a name, a number, a flag, `NIL`, or a fetch item such as
    /// `BODY[HEADER.FIELDS (FROM)]<0>`.
    Atom(&'a [u8]),
    /// The contents of a quoted string, with backslash escapes still in place.
    Quoted(&'a [u8]),
    /// A literal's bytes.
    Literal(&'a [u8]),
    /// A literal that was streamed: its size in bytes, and the bytes if they were kept.
    Streamed(u64, Option<&'a Kept>),
}

impl<'a> Token<'a> {
    /// Returns whether this is the atom `NIL`, in any case.
    pub fn is_nil(self) -> bool {
        matches!(self, Token::Atom(atom) if atom.eq_ignore_ascii_case(b"NIL"))
    }

    /// Returns an atom of digits as a number; `None` for anything else and for numbers beyond 63
    /// bits, which do not fit a fixed-size Lisp integer.
    pub fn number(self) -> Option<u64> {
        match self {
            Token::Atom(atom) => parse_number(atom),
            _ => None,
        }
    }

    /// Returns the bytes of an atom or string, with escapes undone; `None` for parentheses and
    /// streamed literals.
    pub fn bytes(self) -> Option<Cow<'a, [u8]>> {
        match self {
            Token::Atom(bytes) | Token::Literal(bytes) => Some(Cow::Borrowed(bytes)),
            Token::Quoted(inside) => Some(unescape(inside)),
            Token::Open | Token::Close | Token::Streamed(..) => None,
        }
    }
}

/// Reads a decimal number, leading zeros allowed (RFC 3501 9, number). `None` if it is empty, has
/// other bytes, or exceeds 63 bits.
pub fn parse_number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    let number = digits.iter().try_fold(0u64, |number, byte| {
        byte.is_ascii_digit().then_some(())?;
        number.checked_mul(10)?.checked_add(u64::from(byte - b'0'))
    })?;
    (number <= i64::MAX as u64).then_some(number)
}

/// Returns bytes as text: as UTF-8 if they are valid, otherwise each byte as the character with its
/// number, so that none is lost.
pub(crate) fn lossless(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

/// Undoes the escapes `\"` and `\\` (RFC 3501 4.3); borrows if there are none. A backslash before
/// any other character is one that the server should have escaped, so it stays.
pub fn unescape(inside: &[u8]) -> Cow<'_, [u8]> {
    if !inside.contains(&b'\\') {
        return Cow::Borrowed(inside);
    }
    let mut plain = Vec::with_capacity(inside.len());
    let mut bytes = inside.iter();
    while let Some(&byte) = bytes.next() {
        let next = bytes.as_slice().first().filter(|next| matches!(next, b'"' | b'\\'));
        plain.push(match next {
            Some(&escaped) if byte == b'\\' => {
                bytes.next();
                escaped
            }
            _ => byte,
        });
    }
    Cow::Owned(plain)
}

/// The number of bytes scanned at once, as an integer whose lowest byte is the first. Few strings
/// are longer. SIMD vectors are slower, because safe code has no short way from a vector to the
/// position of a byte. A lookup table is slower too, because the end of its loop cannot be
/// predicted.
const CHUNK: usize = 16;
const LOW: u128 = u128::from_le_bytes([1; CHUNK]);

/// Returns the bytes from `at` on, padded with zeros past the end.
#[inline(always)]
fn chunk(bytes: &[u8], at: usize) -> u128 {
    match bytes.get(at..at + CHUNK).and_then(|chunk| chunk.first_chunk()) {
        Some(chunk) => u128::from_le_bytes(*chunk),
        None => last_chunk(bytes, at),
    }
}

#[inline(never)] // once or twice per response
fn last_chunk(bytes: &[u8], at: usize) -> u128 {
    let rest = &bytes[at..];
    if let Some(last) = bytes.last_chunk() {
        return u128::from_le_bytes(*last).unbounded_shr(8 * (CHUNK - rest.len()) as u32);
    }
    let mut chunk = [0; CHUNK];
    chunk[..rest.len()].copy_from_slice(rest);
    u128::from_le_bytes(chunk)
}

/// Sets the highest bit of each byte that is less than `bound`. Bytes after the first such byte may
/// be marked wrongly, and so may bytes beyond ASCII.
#[inline(always)]
fn below(chunk: u128, bound: u8) -> u128 {
    chunk.wrapping_sub(LOW * u128::from(bound))
}

/// As [`below`], for each byte that equals `byte`.
#[inline(always)]
fn equal(chunk: u128, byte: u8) -> u128 {
    below(chunk ^ (LOW * u128::from(byte)), 1)
}

/// Returns the position of the first marked byte, ignoring bytes beyond ASCII.
#[inline(always)]
fn first(chunk: u128, marks: u128) -> Option<usize> {
    let marks = marks & !chunk & (LOW << 7);
    (marks != 0).then(|| marks.trailing_zeros() as usize / 8)
}

/// A cursor over a response.
#[derive(Debug, Clone)]
pub struct Tokens<'a> {
    bytes: &'a [u8],
    literals: &'a [LiteralSpan],
    kept: &'a [Kept],
    at: usize,
    depth: usize,
    max_depth: usize,
    /// Whether names of fetch items may occur.
    sections: bool,
    /// Whether `repair` has written the bytes: atoms may have any byte but blanks and parentheses.
    repaired: bool,
}

/// A position in a response, for [`Tokens::repeats`].
#[derive(Debug, Clone, Copy)]
pub struct Place {
    at: usize,
    literals: usize,
}

impl<'a> Tokens<'a> {
    /// Starts at byte `at` of the response. `max_depth` limits the nesting of parentheses.
    pub fn new(raw: Raw<'a>, at: usize, max_depth: usize) -> Self {
        let Raw { bytes, literals, kept } = raw;
        Tokens { bytes, literals, kept, at, depth: 0, max_depth, sections: true, repaired: false }
    }

    /// Returns a cursor over bytes that `repair` has written.
    #[must_use]
    pub(super) fn of_repaired(self) -> Self {
        Tokens { repaired: true, ..self }
    }

    /// Returns whether `repair` has written the bytes, so that a structure of an odd shape is what
    /// the server meant.
    pub(crate) fn are_repaired(&self) -> bool {
        self.repaired
    }

    /// Returns all bytes of the response and its literals that lie ahead.
    pub(super) fn raw(&self) -> Raw<'a> {
        Raw { bytes: self.bytes, literals: self.literals, kept: self.kept }
    }

    /// Returns a cursor that is `bytes` further on, in data without literals.
    #[must_use]
    pub(super) fn moved_by(self, bytes: usize) -> Self {
        Tokens { at: (self.at + bytes).min(self.bytes.len()), ..self }
    }

    /// Returns the offset of the cursor in the response.
    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// Returns a cursor for data without fetch items, in which `BODY[x` may be a mailbox name.
    #[must_use]
    pub fn without_sections(self) -> Self {
        Tokens { sections: false, ..self }
    }

    /// Returns how many parentheses are open.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Returns the remaining bytes, for text without token structure.
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// Returns the current position, for [`Tokens::repeats`].
    pub fn place(&self) -> Place {
        Place { at: self.at, literals: self.literals.len() }
    }

    /// Skips the next list if it repeats an earlier one byte for byte, and returns whether it did.
    /// `first` is the position after the earlier list's opening parenthesis, `behind` the one after
    /// its closing parenthesis. A list with literals never counts as repeated. Envelopes often give
    /// the same addresses as From, Sender and Reply-To.
    pub fn repeats(&mut self, first: Place, behind: Place) -> bool {
        let repeated = first.literals == behind.literals
            && first.at > 0
            && self.bytes.get(self.at) == Some(&b' ')
            && self.bytes[self.at + 1..].starts_with(&self.bytes[first.at - 1..behind.at]);
        if repeated {
            self.at += 1 + behind.at - (first.at - 1);
        }
        repeated
    }

    /// Returns the next token; `None` at the end of the response, if all parentheses are closed.
    ///
    /// # Errors
    /// [`ProtocolError::Malformed`] for anything the grammar does not allow,
    /// [`ProtocolError::TooLarge`] for parentheses nested too deep.
    // Inlined because returning the large result through memory took half of the time. Nothing
    // called here borrows the cursor, so it stays in registers.
    #[inline(always)]
    pub fn next_token(&mut self) -> Result<Option<Token<'a>>, ProtocolError> {
        while self.bytes.get(self.at) == Some(&b' ') {
            self.at += 1;
        }
        let Some(&first) = self.bytes.get(self.at) else {
            return if self.depth == 0 {
                Ok(None)
            } else {
                Err(self.malformed("an unclosed parenthesis"))
            };
        };
        match first {
            b'(' => {
                self.depth += 1;
                if self.depth > self.max_depth {
                    return Err(too_deep(self.max_depth));
                }
                self.at += 1;
                Ok(Some(Token::Open))
            }
            b')' => {
                self.depth = self
                    .depth
                    .checked_sub(1)
                    .ok_or_else(|| self.malformed("a closing parenthesis too many"))?;
                self.at += 1;
                Ok(Some(Token::Close))
            }
            b'"' => self.quoted().map(Some),
            b'{' => self.literal().map(Some),
            b'~' if self.bytes.get(self.at + 1) == Some(&b'{') => {
                self.at += 1;
                self.literal().map(Some)
            }
            _ => self.atom().map(Some),
        }
    }

    /// Returns the next token, which must exist.
    ///
    /// # Errors
    /// As [`Tokens::next_token`], and [`ProtocolError::Malformed`] at the end.
    #[inline]
    pub fn expect_token(&mut self) -> Result<Token<'a>, ProtocolError> {
        self.next_token()?.ok_or_else(|| self.malformed("the response ends too early"))
    }

    /// Checks that nothing follows but blanks.
    ///
    /// # Errors
    /// [`ProtocolError::Malformed`] for anything else.
    #[inline]
    pub fn expect_end(&self) -> Result<(), ProtocolError> {
        match self.rest() {
            [] => Ok(()),
            rest if rest.iter().all(|byte| *byte == b' ') => Ok(()),
            _ => Err(self.malformed("text after the end of the response")),
        }
    }

    /// Reads one `(`.
    ///
    /// # Errors
    /// [`ProtocolError::Malformed`] for anything else.
    pub fn expect_open(&mut self) -> Result<(), ProtocolError> {
        match self.expect_token()? {
            Token::Open => Ok(()),
            _ => Err(self.malformed("expected an opening parenthesis")),
        }
    }

    /// Skips the rest of a value whose first token was `first`.
    ///
    /// # Errors
    /// As [`Tokens::next_token`].
    pub fn skip_value(&mut self, first: Token<'a>) -> Result<(), ProtocolError> {
        match first {
            Token::Open => {
                let outside = self.depth - 1;
                while self.depth > outside {
                    self.expect_token()?;
                }
                Ok(())
            }
            Token::Close => Err(self.malformed("a closing parenthesis where a value is expected")),
            _ => Ok(()),
        }
    }

    /// Makes an error at the current position.
    #[inline(always)]
    pub fn malformed(&self, what: &'static str) -> ProtocolError {
        malformed(self.bytes, self.at, what)
    }

    #[inline(always)]
    fn quoted(&mut self) -> Result<Token<'a>, ProtocolError> {
        let start = self.at + 1;
        let end = self.end_of_quoted(start)?;
        self.at = end + 1;
        if let Some(&next) = self.bytes.get(self.at)
            && next != b' '
            && next != b')'
        {
            return Err(self.malformed("text after a closing quote"));
        }
        Ok(Token::Quoted(&self.bytes[start..end]))
    }

    /// Returns the end of the atom, or the place of a `!` or of a byte that no atom has.
    #[inline(always)]
    fn end_of_atom(&self) -> usize {
        let mut at = self.at;
        let four = self
            .bytes
            .get(at..at + 4)
            .and_then(|four| four.first_chunk())
            .map_or(0, |four| u32::from_le_bytes(*four));
        if four == u32::from_le_bytes(*b"NIL ") || four == u32::from_le_bytes(*b"NIL)") {
            return at + 3; // most atoms: skips the scan for their end
        }
        loop {
            let chunk = chunk(self.bytes, at);
            // Below 0x23 are control characters, the blank, `"`, and `!`.
            match first(chunk, below(chunk, 0x23) | equal(chunk | LOW, b')') | equal(chunk, 127)) {
                Some(found) => return at + found,
                None => at += CHUNK,
            }
        }
    }

    #[inline(always)]
    fn end_of_quoted(&self, mut at: usize) -> Result<usize, ProtocolError> {
        loop {
            let chunk = chunk(self.bytes, at);
            // Flipping bit 1 turns the quote into 0x20, next to the control characters, so that one
            // comparison finds both.
            let Some(found) = first(chunk, below(chunk ^ (LOW * 2), 0x21) | equal(chunk, b'\\'))
            else {
                at += CHUNK;
                continue;
            };
            at += found;
            if self.bytes.get(at) == Some(&b'"') {
                return Ok(at);
            }
            match (self.bytes.get(at), self.bytes.get(at + 1)) {
                (None, _) | (Some(b'\\'), None) => {
                    return Err(self.malformed("an unclosed quoted string"));
                }
                (Some(b'\r' | b'\n' | 0), _) | (Some(b'\\'), Some(b'\r' | b'\n' | 0)) => {
                    return Err(self.malformed("a line end or NUL in a quoted string"));
                }
                (Some(b'\\'), _) => at += 2,
                _ => at += 1,
            }
        }
    }

    #[inline(always)]
    fn literal(&mut self) -> Result<Token<'a>, ProtocolError> {
        let Some((literal, rest)) = self.literals.split_first() else {
            return Err(self.malformed("`{` without a literal"));
        };
        let header = &self.bytes[self.at..literal.start.max(self.at)];
        // A server may end its lines in LF alone.
        let digits = header.strip_suffix(b"}\r\n").or_else(|| header.strip_suffix(b"}\n"));
        if !digits.is_some_and(|digits| digits[1..].iter().all(u8::is_ascii_digit)) {
            return Err(self.malformed("`{` without a literal"));
        }
        self.literals = rest;
        self.at = literal.start + literal.length;
        if literal.streamed {
            let kept = literal.kept.and_then(|place| self.kept.get(place.get() as usize - 1));
            return Ok(Token::Streamed(literal.announced, kept));
        }
        Ok(Token::Literal(&self.bytes[literal.start..self.at]))
    }

    #[inline(always)]
    fn atom(&mut self) -> Result<Token<'a>, ProtocolError> {
        let start = self.at;
        if self.sections && self.depth <= 1 && matches!(self.bytes[start], b'B' | b'b') {
            *self = self.clone().behind_section()?;
        }
        self.at = self.end_of_atom();
        if !matches!(self.bytes.get(self.at), None | Some(b' ' | b'(' | b')')) {
            self.at = end_of_odd_atom(self.bytes, self.at, self.repaired)?;
        }
        Ok(Token::Atom(&self.bytes[start..self.at]))
    }

    /// If a section such as `BODY[HEADER.FIELDS ("From" {4} CR LF …)]` starts here, moves to just
    /// after its closing bracket. Strings and field names inside it may contain brackets (RFC 3501
    /// 9, header-list of astrings).
    #[inline(never)]
    fn behind_section(mut self) -> Result<Self, ProtocolError> {
        let rest = self.rest();
        let opens = |opening: &&[u8]| {
            rest.get(..opening.len()).is_some_and(|here| here.eq_ignore_ascii_case(opening))
        };
        let Some(opening) = OPENINGS.iter().find(|opening| opens(opening)) else { return Ok(self) };
        self.at += opening.len();
        let mut in_list = false;
        loop {
            match self.bytes.get(self.at) {
                Some(b']') if !in_list => {
                    self.at += 1;
                    return Ok(self);
                }
                Some(b'"') => self.at = self.end_of_quoted(self.at + 1)? + 1,
                Some(b'{') => {
                    self.literal()?;
                }
                Some(0..=31 | 127) => {
                    return Err(self.malformed("a control character in a section"));
                }
                Some(byte) => {
                    in_list = *byte == b'(' || in_list && *byte != b')';
                    self.at += 1;
                }
                None => return Err(self.malformed("an unclosed section")),
            }
        }
    }
}

/// Returns the end of an atom that goes on at `at` with a `!`, which the fast scan stops at, or with
/// any byte if `repair` has written it.
#[cold]
#[inline(never)]
fn end_of_odd_atom(bytes: &[u8], at: usize, repaired: bool) -> Result<usize, ProtocolError> {
    let is_delimiter = |byte: &u8| matches!(byte, b' ' | b'(' | b')');
    let is_end = |byte: &u8| is_delimiter(byte) || matches!(byte, 0..=31 | b'"' | 127);
    let rest = &bytes[at..];
    let end = match repaired {
        true => rest.iter().position(is_delimiter),
        false => rest.iter().position(is_end),
    };
    let end = end.map_or(bytes.len(), |length| at + length);
    match bytes.get(end) {
        Some(byte) if !is_delimiter(byte) => {
            Err(malformed(bytes, end, "a quote or a control character in an atom"))
        }
        _ => Ok(end),
    }
}

#[cold]
#[inline(never)]
fn malformed(bytes: &[u8], at: usize, what: &'static str) -> ProtocolError {
    let from = at.saturating_sub(20);
    ProtocolError::Malformed { what, offset: at, near: excerpt(&bytes[from..]) }
}

#[cold]
#[inline(never)]
fn too_deep(limit: usize) -> ProtocolError {
    Limits { depth: limit, ..Limits::default() }.exceeded("depth")
}

/// The names that a section may follow. Elsewhere `[` is an ordinary character, as in
/// `[Gmail]/Sent`.
const OPENINGS: [&[u8]; 5] =
    [b"BODY[", b"BODY.PEEK[", b"BINARY[", b"BINARY.PEEK[", b"BINARY.SIZE["];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::imap::frame::{Frame, Step};

    #[test]
    fn strings_and_atoms_end_where_they_end_read_byte_by_byte() {
        let quoted_end = |bytes: &[u8]| {
            let mut at = 1;
            while !matches!(bytes.get(at)?, b'"' | b'\r' | b'\n' | 0) {
                let escaped = bytes[at] == b'\\';
                at += 1;
                at += usize::from(escaped && !matches!(bytes.get(at)?, b'\r' | b'\n' | 0));
            }
            let follows = matches!(bytes.get(at + 1), None | Some(b' ' | b')'));
            (bytes[at] == b'"' && follows).then_some(at)
        };
        let atom_end = |bytes: &[u8]| {
            let end = bytes
                .iter()
                .position(|byte| matches!(byte, b' ' | b'(' | b')' | b'"' | 0..=31 | 127))
                .unwrap_or(bytes.len());
            matches!(bytes.get(end), None | Some(b' ' | b'(' | b')')).then_some(end)
        };
        let read = |bytes: &[u8]| {
            Tokens::new(Raw { bytes, literals: &[], kept: &[] }, 0, 9)
                .next_token()
                .ok()?
                .and_then(Token::bytes)
                .map(Cow::into_owned)
        };
        for length in 1..40 {
            for at in 0..length {
                for byte in 0..=255 {
                    let mut bytes = vec![b'a'; length + 2];
                    bytes[1 + at] = byte;
                    bytes[1 + (at + 3) % length] |= 0x80;
                    let atom = atom_end(&bytes).map(|end| bytes[..end].to_vec());
                    assert_eq!(read(&bytes), atom, "{}", bytes.escape_ascii());
                    (bytes[0], bytes[length + 1]) = (b'"', b'"');
                    let quoted =
                        quoted_end(&bytes).map(|end| unescape(&bytes[1..end]).into_owned());
                    assert_eq!(read(&bytes), quoted, "{}", bytes.escape_ascii());
                }
            }
        }
    }

    fn tokens_of(line: &str, max_depth: usize) -> Result<Vec<String>, ProtocolError> {
        let mut frame = Frame::new(Limits::default());
        frame.push(format!("* X {line}\r\n").as_bytes());
        assert_eq!(frame.advance()?, Step::Response);
        let mut tokens = Tokens::new(frame.response(), 4, max_depth);
        let mut found = Vec::new();
        while let Some(token) = tokens.next_token()? {
            found.push(match token {
                Token::Open => "(".into(),
                Token::Close => ")".into(),
                Token::Atom(atom) => String::from_utf8_lossy(atom).into_owned(),
                Token::Quoted(inside) => {
                    format!("\"{}\"", String::from_utf8_lossy(&unescape(inside)))
                }
                Token::Literal(bytes) => format!("{{{}}}", bytes.escape_ascii()),
                Token::Streamed(size, _) => format!("<{size}>"),
            });
        }
        Ok(found)
    }

    #[test]
    fn every_kind_of_token_is_read() {
        let table = [
            (r#"(UID 5 FLAGS (\Seen \*))"#, "( UID 5 FLAGS ( \\Seen \\* ) )"),
            (r#"("a \"b\" \\" NIL)(1)"#, r#"( "a "b" \" NIL ) ( 1 )"#),
            (r#"("c:\temp" a!b !)"#, r#"( "c:\temp" a!b ! )"#),
            ("BODY[] {3}\r\na)b X", "BODY[] {a)b} X"),
            (
                "BODY[HEADER.FIELDS (FROM \"a]b\")]<0> NIL",
                "BODY[HEADER.FIELDS (FROM \"a]b\")]<0> NIL",
            ),
            ("BODY[HEADER.FIELDS ({3}\r\na]b)] \"\"", "BODY[HEADER.FIELDS ({3}\r\na]b)] \"\""),
            ("BODY[HEADER.FIELDS (X[a] Y])]<0> NIL", "BODY[HEADER.FIELDS (X[a] Y])]<0> NIL"),
            ("() \"/\" [Gmail]/Sent", "( ) \"/\" [Gmail]/Sent"),
            ("BINARY[1] ~{2}\r\n\0\u{1}", "BINARY[1] {\\x00\\x01}"),
            ("", ""),
        ];
        for (line, expected) in table {
            assert_eq!(
                tokens_of(line, 9).map(|found| found.join(" ")).as_deref(),
                Ok(expected),
                "{line:?}"
            );
        }
    }

    #[test]
    fn what_the_grammar_forbids_is_malformed() {
        for line in [
            "(", ")", "(a", "a)", "\"a", "\"a\\", "a\u{1}b", "BODY[", "BODY[\"a", "{a}", "{5",
            "\"a\0\"", "\"a\"b", "\"a\"\"", "\"a\"(", "a\"b", "b\"",
        ] {
            assert!(matches!(tokens_of(line, 9), Err(ProtocolError::Malformed { .. })), "{line:?}");
        }
        let deep = "(".repeat(100_000);
        assert!(matches!(tokens_of(&deep, 256), Err(ProtocolError::TooLarge { .. })));
    }

    #[test]
    fn numbers_do_not_wrap() {
        let table: &[(&[u8], Option<u64>)] = &[
            (b"0", Some(0)),
            (b"00000000000000000000000000000012", Some(12)),
            (b"4294967296", Some(1 << 32)),
            (b"9223372036854775807", Some(i64::MAX as u64)),
            (b"9223372036854775808", None),
            (b"18446744073709551616", None),
            (b"99999999999999999999999", None),
            (b"", None),
            (b"-1", None),
            (b"1a", None),
        ];
        for (digits, expected) in table {
            assert_eq!(parse_number(digits), *expected, "{}", digits.escape_ascii());
        }
    }
}
