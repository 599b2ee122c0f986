//! Streaming decoders for transfer encodings. They use constant memory, and the output does not
//! depend on how the input was split.

use super::header::is_blank;
use super::transfer::hex_pair;

/// Decodes the transfer encoding of one body.
#[derive(Debug)]
pub(super) enum Decoder {
    /// Passes bytes through.
    Identity,
    Base64(Base64),
    QuotedPrintable(QuotedPrintable),
}

impl Decoder {
    /// The decoder for an encoding name in lower case. Unknown encodings are passed through.
    pub(super) fn of(encoding: &str) -> Decoder {
        match encoding {
            "base64" => Decoder::Base64(Base64::default()),
            "quoted-printable" => Decoder::QuotedPrintable(QuotedPrintable::default()),
            _ => Decoder::Identity,
        }
    }

    /// Decodes the next piece of the text and appends the result to `out`.
    pub(super) fn decode(&mut self, text: &[u8], out: &mut Vec<u8>) {
        match self {
            Decoder::Identity => out.extend_from_slice(text),
            Decoder::Base64(decoder) => decoder.decode(text, out),
            Decoder::QuotedPrintable(decoder) => decoder.decode(text, out),
        }
    }

    /// Appends whatever is still buffered when the text ends.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        match self {
            Decoder::Identity => {}
            Decoder::Base64(decoder) => decoder.finish(out),
            Decoder::QuotedPrintable(decoder) => decoder.finish(out),
        }
    }
}

/// Base64. Skips bytes outside the alphabet. Padding ends the data, so a mailing list's footer is
/// not decoded.
#[derive(Debug, Default)]
pub(super) struct Base64 {
    bits: u32,
    count: u32,
    ended: bool,
}

impl Base64 {
    pub(super) fn decode(&mut self, text: &[u8], out: &mut Vec<u8>) {
        if self.ended {
            return;
        }
        for byte in text {
            let value = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                b'=' if self.count >= 2 => {
                    self.ended = true;
                    return;
                }
                _ => continue,
            };
            self.bits = self.bits << 6 | u32::from(value);
            self.count += 1;
            if self.count == 4 {
                out.extend_from_slice(&self.bits.to_be_bytes()[1..]);
                (self.bits, self.count) = (0, 0);
            }
        }
    }

    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        match self.count {
            2 => out.push((self.bits >> 4) as u8),
            3 => out.extend_from_slice(&((self.bits >> 2) as u16).to_be_bytes()),
            _ => {}
        }
        *self = Base64 { ended: true, ..Base64::default() };
    }
}

/// A longer run of blanks is passed through wherever it is. No legal line is that long (RFC 5322,
/// section 2.1.1), and holding it back would take unbounded memory.
const BLANKS: usize = 1 << 16;

/// Quoted-printable. Drops blanks at the end of a line (RFC 2045, section 6.7) and keeps a `=` that
/// starts no valid escape. Buffers the end of the current line while it may still be an escape,
/// trailing blanks or a soft line break, in this order.
#[derive(Debug, Default)]
pub(super) struct QuotedPrintable {
    /// A pending `=` and the first hexadecimal digit after it.
    escape: Option<Option<u8>>,
    blanks: Vec<u8>,
    carriage_return: bool,
}

impl QuotedPrintable {
    pub(super) fn decode(&mut self, mut text: &[u8], out: &mut Vec<u8>) {
        while let Some((&byte, rest)) = text.split_first() {
            if self.is_empty() {
                let plain = text
                    .iter()
                    .position(|byte| matches!(byte, b'=' | b' ' | b'\t' | b'\r' | b'\n'))
                    .unwrap_or(text.len());
                out.extend_from_slice(&text[..plain]);
                text = &text[plain..];
                if plain > 0 {
                    continue;
                }
            }
            text = rest;
            if byte == b'\n' {
                self.end_line(out);
            } else {
                self.byte(byte, out);
            }
        }
    }

    /// Ends the body; the last line may lack its line end.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        match self.escape {
            Some(None) => *self = QuotedPrintable::default(),
            _ => {
                self.blanks.clear();
                self.give_up(out);
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.escape.is_none() && self.blanks.is_empty() && !self.carriage_return
    }

    fn end_line(&mut self, out: &mut Vec<u8>) {
        // A `=` before the line end, or before blanks at the line end, is a soft line break: it
        // joins this line with the next.
        if self.escape == Some(None) {
            *self = QuotedPrintable::default();
            return;
        }
        self.blanks.clear();
        self.give_up(out);
        out.push(b'\n');
    }

    fn byte(&mut self, byte: u8, out: &mut Vec<u8>) {
        if self.carriage_return {
            self.give_up(out);
        }
        match (self.escape, byte) {
            (_, b'\r') => self.carriage_return = true,
            (Some(Some(_)), _) if is_blank(byte) => {
                self.give_up(out);
                self.blanks.push(byte);
            }
            (_, _) if is_blank(byte) => {
                self.blanks.push(byte);
                if self.blanks.len() > BLANKS {
                    self.give_up(out);
                }
            }
            (_, b'=') => {
                self.give_up(out);
                self.escape = Some(None);
            }
            (Some(None), _) if byte.is_ascii_hexdigit() && self.blanks.is_empty() => {
                self.escape = Some(Some(byte))
            }
            (Some(Some(first)), _) if byte.is_ascii_hexdigit() => {
                out.extend(hex_pair(&[first, byte]));
                self.escape = None;
            }
            _ => {
                self.give_up(out);
                out.push(byte);
            }
        }
    }

    /// Writes the buffered bytes unchanged: they were not an escape.
    fn give_up(&mut self, out: &mut Vec<u8>) {
        if let Some(digit) = self.escape.take() {
            out.push(b'=');
            out.extend(digit);
        }
        out.append(&mut self.blanks);
        if std::mem::take(&mut self.carriage_return) {
            out.push(b'\r');
        }
    }
}
