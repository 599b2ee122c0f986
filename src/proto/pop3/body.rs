//! Finds the end of a multi-line reply and undoes its dot-stuffing (RFC 1939 3).
//!
//! Only CR LF `.` CR LF ends a body. A bare CR or LF is content: a client that took LF `.` LF for
//! the end would read the rest of the letter as replies. The bytes are not copied:
//! [`Body::advance`] says how many of the next bytes belong to the letter, and which to leave out.

use memchr::memmem;

/// The decoder, with the state between calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    at_line_start: bool,
    /// Whether lines end in LF alone.
    lf: bool,
}

/// The result of [`Body::advance`]: what the bytes begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// This many bytes of the letter.
    Piece(usize),
    /// A stuffed dot: one byte to leave out.
    Dot,
    /// The end of the body: this many bytes to leave out.
    End(usize),
    /// Too few bytes to decide.
    NeedBytes,
}

impl Default for Body {
    fn default() -> Self {
        Body { at_line_start: true, lf: false }
    }
}

impl Body {
    /// Makes a decoder for a server that ends its lines in LF alone.
    pub fn with_bare_lf() -> Self {
        Body { at_line_start: true, lf: true }
    }

    /// Examines the next bytes. The caller removes what was found before it calls again.
    pub fn advance(&mut self, bytes: &[u8]) -> Found {
        if self.at_line_start && bytes.first() == Some(&b'.') {
            return match bytes {
                [_, b'\r', b'\n', ..] => Found::End(3),
                [_, b'\n', ..] if self.lf => Found::End(2),
                [_] | [_, b'\r'] => Found::NeedBytes,
                _ => {
                    self.at_line_start = false;
                    Found::Dot
                }
            };
        }
        if bytes.is_empty() {
            return Found::NeedBytes;
        }
        // Everything up to the next line that starts with a dot is one piece; other line ends need
        // no look.
        let line_end: &[u8] = if self.lf { b"\n" } else { b"\r\n" };
        let finder: &[u8] = if self.lf { b"\n." } else { b"\r\n." };
        if let Some(found) = memmem::find(bytes, finder) {
            self.at_line_start = true;
            return Found::Piece(found + line_end.len());
        }
        // Keep back a CR at the end: a dot that has not arrived may follow its LF.
        let keep = if bytes.ends_with(b"\r") && !self.lf { 1 } else { 0 };
        if bytes.len() == keep {
            return Found::NeedBytes;
        }
        self.at_line_start = keep == 0 && bytes.ends_with(line_end);
        Found::Piece(bytes.len() - keep)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the letter in a body that arrives in chunks of `size`, the bytes left after it, and
    /// whether it ended.
    fn read(body: &[u8], size: usize) -> (String, String, bool) {
        read_by(Body::default(), body, size)
    }

    fn read_by(mut state: Body, body: &[u8], size: usize) -> (String, String, bool) {
        let (mut buffer, mut letter, mut ended) = (Vec::new(), Vec::new(), false);
        for chunk in body.chunks(size) {
            buffer.extend_from_slice(chunk);
            while !ended {
                match state.advance(&buffer) {
                    Found::Piece(count) => letter.extend(buffer.drain(..count)),
                    Found::Dot => drop(buffer.remove(0)),
                    Found::End(count) => {
                        buffer.drain(..count);
                        ended = true;
                    }
                    Found::NeedBytes => break,
                }
            }
        }
        (letter.escape_ascii().to_string(), buffer.escape_ascii().to_string(), ended)
    }

    #[test]
    fn only_the_right_end_ends_a_letter() {
        let table: &[(&str, &str, &str)] = &[
            (".\r\n", "", ""),
            ("a\r\n.\r\n+OK\r\n", "a\r\n", "+OK\r\n"),
            ("..a\r\n..\r\n.\r\n", ".a\r\n.\r\n", ""),
            ("a\n.\nb\r.\rc\n.\r\nd\r\n.\r\n", "a\n.\nb\r.\rc\n.\r\nd\r\n", ""),
            ("a\r\n.b\r\n.\r\n", "a\r\nb\r\n", ""),
            ("\r\n\r\r\n.\r\n", "\r\n\r\r\n", ""),
            ("a\r\n.\rb\r\n.\r\n", "a\r\n\rb\r\n", ""),
        ];
        let escape = |text: &str| text.as_bytes().escape_ascii().to_string();
        for (body, letter, rest) in table {
            for size in [1, 2, 3, 1000] {
                let (got, left, ended) = read(body.as_bytes(), size);
                let left = if size == 1000 { left } else { String::new() };
                let rest = if size == 1000 { escape(rest) } else { String::new() };
                assert_eq!((got, left, ended), (escape(letter), rest, true), "{body:?} by {size}");
            }
        }
        for size in [1, 2, 100] {
            let (letter, _, ended) =
                read_by(Body::with_bare_lf(), b"a\n..b\r\n.c\n\r\n.\r\n", size);
            assert_eq!((letter.as_str(), ended), ("a\\n.b\\r\\nc\\n\\r\\n", true), "by {size}");
            let (letter, _, ended) = read_by(Body::with_bare_lf(), b"a\n.\n", size);
            assert_eq!((letter.as_str(), ended), ("a\\n", true), "by {size}");
        }
        assert!(!read(b"a letter that breaks off\r\n.\n", 7).2);
    }
}
