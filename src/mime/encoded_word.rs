//! Decodes encoded words, `=?charset?encoding?text?=` (RFC 2047).

use super::{charset, transfer};

/// Maximum length of a charset name. Without a bound, every `=?` would search the whole text.
const CHARSET_NAME: usize = 80;

/// Like [`decode_text`], for bytes. Bytes above 127 in an encoded word, which the RFC forbids, are
/// in its charset; outside of the words the text is read as UTF-8 if valid, otherwise as Latin-1.
pub fn decode_bytes(bytes: &[u8]) -> String {
    if bytes.is_ascii() || memchr::memmem::find(bytes, b"=?").is_none() {
        return decode_text(&charset::utf8_or_latin1(bytes));
    }
    decode(bytes, |between| charset::utf8_or_latin1(between).into_owned())
}

/// Decodes the encoded words in a text.
///
/// Blanks between encoded words are dropped. Neighbouring words in the same charset are joined
/// before they are decoded, because many senders split characters between words. Encoded words in
/// an unknown charset, and text that only resembles one, stay as they are. Line ends and NUL in a
/// decoded word become blanks, because a field is one line.
///
/// Characters from 128 to 255 in an encoded word stand for bytes: text that is not UTF-8 reaches
/// scripts as Latin-1.
pub fn decode_text(text: &str) -> String {
    let is_latin1 = !text.is_ascii() && text.contains("=?") && text.chars().all(|c| c <= '\u{ff}');
    if is_latin1 {
        let bytes: Vec<u8> = text.chars().map(|c| c as u8).collect(); // at most 255
        return decode(&bytes, |between| between.iter().map(|byte| char::from(*byte)).collect());
    }
    decode(text.as_bytes(), |between| String::from_utf8_lossy(between).into_owned())
}

/// Decodes the words, and passes what is between them through `plain_text`.
fn decode(text: &[u8], plain_text: impl Fn(&[u8]) -> String) -> String {
    let is_lenient = !text.is_ascii();
    let mut out = String::with_capacity(text.len());
    let mut pending: Option<Pending> = None;
    let mut at = 0;
    let mut plain = 0;
    while let Some(found) = memchr::memmem::find(&text[at..], b"=?") {
        let start = at + found;
        let Some(word) = Word::read(&text[start..]) else {
            at = start + 2;
            continue;
        };
        let between = &text[plain..start];
        let adjacent = pending.is_some() && between.iter().all(u8::is_ascii_whitespace);
        match &mut pending {
            Some(open) if adjacent && open.joins(&word) => {
                open.bytes.extend_from_slice(&word.bytes)
            }
            _ => {
                flush(&mut pending, is_lenient, &mut out);
                if !adjacent {
                    out.push_str(&plain_text(between));
                }
                pending = Some(Pending { charset: word.charset.to_owned(), bytes: word.bytes });
            }
        }
        at = start + word.length;
        plain = at;
    }
    flush(&mut pending, is_lenient, &mut out);
    out.push_str(&plain_text(&text[plain..]));
    out
}

/// The length in bytes of the encoded word at the start of the text.
pub(super) fn word_length(text: &str) -> Option<usize> {
    Word::read(text.as_bytes()).map(|word| word.length)
}

struct Pending {
    charset: String,
    bytes: Vec<u8>,
}

impl Pending {
    fn joins(&self, word: &Word<'_>) -> bool {
        self.charset.eq_ignore_ascii_case(word.charset) && !charset::is_stateful(word.charset)
    }
}

/// Appends the decoded words. If `is_lenient`, UTF-8 that is none is read as Latin-1: a byte stood in
/// the word as it is.
fn flush(pending: &mut Option<Pending>, is_lenient: bool, out: &mut String) {
    if let Some(open) = pending.take() {
        let is_false = is_lenient
            && charset::is_utf8(&open.charset)
            && std::str::from_utf8(&open.bytes).is_err();
        let text = charset::decode(&open.charset, &open.bytes)
            .filter(|_| !is_false)
            .unwrap_or_else(|| charset::utf8_or_latin1(&open.bytes).into_owned());
        out.extend(
            text.chars()
                .map(|letter| if matches!(letter, '\r' | '\n' | '\0') { ' ' } else { letter }),
        );
    }
}

struct Word<'a> {
    charset: &'a str,
    bytes: Vec<u8>,
    length: usize,
}

impl<'a> Word<'a> {
    /// Reads one encoded word. Each step stops at the next `?`, so all attempts on one text
    /// together take linear time.
    fn read(text: &'a [u8]) -> Option<Self> {
        let rest = text.strip_prefix(b"=?")?;
        let name_end = rest.iter().take(CHARSET_NAME).position(|byte| *byte == b'?')?;
        let name = std::str::from_utf8(&rest[..name_end]).ok()?;
        // A language tag may follow the charset (RFC 2231, section 5).
        let charset = name.split('*').next().unwrap_or(name);
        if charset.is_empty()
            || !name.bytes().all(|byte| byte.is_ascii_graphic())
            || charset::decode(charset, b"").is_none()
        {
            return None;
        }
        let rest = rest.get(name_end + 1..)?;
        let (&encoding, rest) = rest.split_first()?;
        let rest = rest.strip_prefix(b"?")?;
        let end = memchr::memchr(b'?', rest)?;
        if rest.get(end + 1) != Some(&b'=') {
            return None;
        }
        let bytes = match encoding {
            b'b' | b'B' if rest[..end].iter().all(|byte| is_base64(*byte)) => {
                transfer::decode_base64(&rest[..end])
            }
            b'q' | b'Q' => decode_q(&rest[..end]),
            _ => return None,
        };
        Some(Word {
            charset,
            bytes,
            length: "=?".len() + name_end + "?Q?".len() + end + "?=".len(),
        })
    }
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b' ' | b'\t')
}

fn decode_q(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'_' => bytes.push(b' '),
            b'=' => match transfer::hex_pair(after) {
                Some(value) => {
                    bytes.push(value);
                    rest = &after[2..];
                }
                None => bytes.push(b'='),
            },
            other => bytes.push(other),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_in_an_encoded_word_are_in_its_charset() {
        let table: [(&[u8], &str); 8] = [
            (b"=?iso-8859-1?Q?Fr\xf6sche?=", "Fr\u{f6}sche"),
            (b"=?iso-8859-2?Q?\xb1?= x", "\u{105} x"),
            (b"=?koi8-r?q?\xf0\xf2?=", "\u{41f}\u{420}"),
            ("=?utf-8?Q?caf\u{e9}?=".as_bytes(), "caf\u{e9}"),
            (b"=?utf-8?Q?caf\xc3?= =?utf-8?Q?\xa9?=", "caf\u{e9}"),
            (b"\xfc =?iso-8859-5?Q?\xb0?= \xfc", "\u{fc} \u{410} \u{fc}"),
            ("\u{fc} =?iso-8859-5?Q?=B0?=".as_bytes(), "\u{fc} \u{410}"),
            (b"=?iso-8859-1?B?\xf6?=", "=?iso-8859-1?B?\u{f6}?="),
        ];
        for (bytes, expected) in table {
            assert_eq!(decode_bytes(bytes), expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn characters_that_were_bytes_are_bytes_again() {
        let table = [
            ("=?iso-8859-1?Q?Fr\u{f6}sche?=", "Fr\u{f6}sche"),
            ("=?koi8-r?Q?\u{f0}\u{f2}?= \u{fc}", "\u{41f}\u{420} \u{fc}"),
            ("=?utf-8?Q?\u{fc}?=", "\u{fc}"),
            ("=?utf-8?Q?\u{c3}\u{a9}?=", "\u{e9}"),
            ("\u{41f} =?iso-8859-1?Q?=F6?=", "\u{41f} \u{f6}"),
        ];
        for (text, expected) in table {
            assert_eq!(decode_text(text), expected, "{text}");
        }
    }

    #[test]
    fn encoded_words_are_decoded() {
        let table = [
            ("plain", "plain"),
            ("", ""),
            ("=?utf-8?Q?caf=C3=A9?=", "café"),
            ("=?UTF-8?q?caf=c3=a9?= au lait", "café au lait"),
            ("=?ISO-8859-1?Q?a_b=5F?=", "a b_"),
            ("=?utf-8?B?Y2Fmw6k=?=", "café"),
            ("=?utf-8?b?Y2Fmw6k?=", "café"),
            ("=?utf-8*en?Q?x?=", "x"),
            // RFC 2047, section 8
            ("(=?ISO-8859-1?Q?a?= b)", "(a b)"),
            ("(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)", "(ab)"),
            ("=?ISO-8859-1?Q?a_?= =?ISO-8859-2?Q?_b?=", "a  b"),
            // a character split between two words
            ("=?utf-8?Q?caf=C3?= =?utf-8?B?qQ==?=", "café"),
            ("=?utf-8?Q?caf=C3?=\r\n =?UTF-8?Q?=A9?=", "café"),
            ("=?iso-2022-jp?B?GyRCRnwbKEI=?= =?iso-2022-jp?B?GyRCS1wbKEI=?=", "日本"),
            ("=?gb2312?B?xOM=?=", "你"),
            // malformed words stay as they are
            ("=?x-klingon?Q?a?=", "=?x-klingon?Q?a?="),
            ("=?utf-8?X?a?=", "=?utf-8?X?a?="),
            ("=?utf-8?Q?a", "=?utf-8?Q?a"),
            ("=?utf-8?Q?a?b?=", "=?utf-8?Q?a?b?="),
            ("=?utf-8?B?@@?=", "=?utf-8?B?@@?="),
            ("=??Q?a?=", "=??Q?a?="),
            ("=?=?utf-8?Q?a?=", "=?a"),
            ("=?", "=?"),
            ("=?utf-8?Q?=G1=?=", "=G1="),
            // tolerated
            ("a=?utf-8?Q?b?=c", "abc"),
            ("=?utf-8?Q?a b?=", "a b"),
            ("=?utf-8?Q??=", ""),
            ("=?utf-8?Q?=0D=0ABcc:_x?=", "  Bcc: x"),
            ("=?utf-8?Q?=FF?=", "\u{fffd}"),
        ];
        for (text, expected) in table {
            assert_eq!(decode_text(text), expected, "{text:?}");
        }
    }
}
