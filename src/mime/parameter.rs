//! Reads and writes `value; name=value`, as in Content-Type and Content-Disposition (RFC 2045,
//! section 5.1; RFC 2231).
//!
//! RFC 2231 splits long values into numbered pieces (`name*0`, `name*1`) and encodes others with a
//! charset and percent escapes (`name*`, `name*0*`). Reading collects plain values and pieces first
//! and resolves them when the field ends.

use super::{charset, encoded_word, transfer};
use memchr::memchr;
use std::collections::BTreeMap;
use std::collections::HashMap;

/// Maximum number of parameters; the rest is dropped.
const PARAMETERS: usize = 1000;
/// Maximum length of one parameter on a line, in bytes.
const LINE: usize = 72;

/// The value of a structured field: its first word and its parameters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parameterised {
    /// The first word, such as `text/plain` or `attachment`: lower case, without comments and
    /// surrounding blanks.
    pub value: String,
    /// Names in lower case and decoded values, in order of first appearance. Of repeated names the
    /// first counts.
    pub parameters: Vec<(String, String)>,
    /// The boundary as bytes, because it is compared with raw lines.
    pub(super) boundary: Option<Vec<u8>>,
}

impl Parameterised {
    /// Parses a field's unfolded value and skips malformed pieces. Parameters whose name ends in
    /// `*` are joined and decoded. Encoded words in file names are decoded too, which RFC 2047
    /// forbids but many senders use.
    pub fn read(bytes: &[u8]) -> Self {
        let (value, mut rest) = take_until_semicolon(bytes);
        let mut found = Found::default();
        while !rest.is_empty() && found.order.len() < PARAMETERS {
            let (parameter, after) = take_until_semicolon(rest);
            rest = after;
            if let Some(equals) = memchr(b'=', parameter) {
                found.add(parameter[..equals].trim_ascii(), parameter[equals + 1..].trim_ascii());
            }
        }
        let value = charset::utf8_or_latin1(without_comment(value)).trim().to_lowercase();
        let boundary = found.plain.get("boundary").cloned();
        let parameters: Vec<_> = found.resolve();
        let boundary = boundary.or_else(|| {
            parameters
                .iter()
                .find(|(name, _)| name == "boundary")
                .map(|(_, value)| value.clone().into_bytes())
        });
        Parameterised {
            value,
            parameters,
            boundary: boundary.filter(|boundary| !boundary.is_empty()),
        }
    }

    /// The value of the parameter `name`, given in lower case.
    pub fn get(&self, name: &str) -> Option<&str> {
        lookup(&self.parameters, name)
    }
}

pub(super) fn lookup<'a>(parameters: &'a [(String, String)], name: &str) -> Option<&'a str> {
    parameters.iter().find(|(candidate, _)| candidate == name).map(|(_, value)| value.as_str())
}

/// Parameters as found: plain values, and pieces by number.
#[derive(Default)]
struct Found {
    order: Vec<String>,
    plain: HashMap<String, Vec<u8>>,
    pieces: HashMap<String, BTreeMap<u32, (bool, Vec<u8>)>>,
}

impl Found {
    fn add(&mut self, name: &[u8], value: &[u8]) {
        if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
            return;
        }
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        let (base, extended, number) = name_and_number(&name);
        let value = unquote(value, matches!(base, "name" | "filename"));
        if !self.plain.contains_key(base) && !self.pieces.contains_key(base) {
            self.order.push(base.to_owned());
        }
        match (number, extended) {
            (None, false) => {
                self.plain.entry(base.to_owned()).or_insert(value);
            }
            (number, extended) => {
                let pieces = self.pieces.entry(base.to_owned()).or_default();
                pieces.entry(number.unwrap_or(0)).or_insert((extended, value));
            }
        }
    }

    /// Joins the pieces. An extended value takes precedence over a plain one.
    fn resolve(mut self) -> Vec<(String, String)> {
        let order = std::mem::take(&mut self.order);
        order
            .into_iter()
            .map(|name| {
                let joined = self.pieces.get(&name).and_then(join);
                let value = joined.unwrap_or_else(|| {
                    let plain = self.plain.get(&name).map(Vec::as_slice).unwrap_or_default();
                    if matches!(name.as_str(), "name" | "filename") {
                        encoded_word::decode_bytes(plain)
                    } else {
                        charset::utf8_or_latin1(plain).into_owned()
                    }
                });
                (name, value)
            })
            .collect()
    }
}

/// `title*1*` gives `title`, extended, piece 1.
fn name_and_number(name: &str) -> (&str, bool, Option<u32>) {
    let (rest, extended) = match name.strip_suffix('*') {
        Some(rest) => (rest, true),
        None => (name, false),
    };
    match rest.rsplit_once('*') {
        Some((base, digits)) if digits.len() <= 4 && !base.is_empty() => match digits.parse() {
            Ok(number) => (base, extended, Some(number)),
            Err(_) => (rest, extended, None),
        },
        _ => (rest, extended, None),
    }
}

/// Joins the pieces from 0 up to the first missing one. Bytes are joined before decoding, because a
/// character may be split between pieces.
fn join(pieces: &BTreeMap<u32, (bool, Vec<u8>)>) -> Option<String> {
    let mut label = String::new();
    let mut bytes = Vec::new();
    for (expected, (number, (extended, value))) in pieces.iter().enumerate() {
        if usize::try_from(*number) != Ok(expected) {
            break;
        }
        let mut value = value.as_slice();
        if *extended && expected == 0 {
            let mut marks = memchr::memchr_iter(b'\'', value);
            if let (Some(first), Some(second)) = (marks.next(), marks.next()) {
                label = String::from_utf8_lossy(&value[..first]).into_owned();
                value = &value[second + 1..];
            }
        }
        if *extended { decode_percent(value, &mut bytes) } else { bytes.extend_from_slice(value) }
    }
    pieces.contains_key(&0).then(|| {
        charset::decode(&label, &bytes)
            .unwrap_or_else(|| charset::utf8_or_latin1(&bytes).into_owned())
    })
}

fn decode_percent(mut value: &[u8], bytes: &mut Vec<u8>) {
    while let Some((&byte, rest)) = value.split_first() {
        value = rest;
        match transfer::hex_pair(rest) {
            Some(decoded) if byte == b'%' => {
                bytes.push(decoded);
                value = &rest[2..];
            }
            _ => bytes.push(byte),
        }
    }
}

/// Splits at the next semicolon outside quotes.
fn take_until_semicolon(bytes: &[u8]) -> (&[u8], &[u8]) {
    let mut quoted = false;
    let mut escaped = false;
    for (index, byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b';' if !quoted => return (&bytes[..index], &bytes[index + 1..]),
            _ => {}
        }
    }
    (bytes, &[])
}

/// Removes quotes and comments. File names keep what looks like a comment, because `filename=report
/// (1).pdf` is far more common than a real comment.
fn unquote(value: &[u8], keep_comment: bool) -> Vec<u8> {
    let Some(inside) = value.strip_prefix(b"\"") else {
        let value = if keep_comment { value } else { without_comment(value) };
        return value.trim_ascii().to_vec();
    };
    let mut bytes = Vec::with_capacity(inside.len());
    let mut escaped = false;
    for byte in inside {
        match byte {
            _ if escaped => {
                // Only `\"` and `\\` are escapes: `C:\dir\file` is a path that the sender did not
                // escape.
                if !matches!(byte, b'"' | b'\\') {
                    bytes.push(b'\\');
                }
                bytes.push(*byte);
                escaped = false;
            }
            b'\\' => escaped = true,
            b'"' => break,
            other => bytes.push(*other),
        }
    }
    bytes
}

fn without_comment(value: &[u8]) -> &[u8] {
    memchr(b'(', value).map_or(value, |open| &value[..open])
}

/// Formats a parameter as `name=value`. The value is quoted if necessary, and encoded as in RFC
/// 2231 if it is not ASCII or too long for a line; pieces are then joined by `;`, CR LF and a
/// space. `name` must be a token. Control characters in the value are encoded.
pub fn encode_parameter(name: &str, value: &str) -> String {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&+-.^_`{|}~".contains(&byte);
    let short = name.len() + value.len() + 3 <= LINE;
    if short && !value.is_empty() && value.bytes().all(is_token) {
        return format!("{name}={value}");
    }
    let printable = value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if short && printable && !value.contains("=?") && value.trim() == value {
        return format!("{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
    }
    let mut encoded = Vec::new();
    for byte in value.bytes() {
        encoded.push(if is_token(byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        });
    }
    let whole: String = encoded.concat();
    if name.len() + whole.len() + "*=UTF-8''".len() <= LINE {
        return format!("{name}*=UTF-8''{whole}");
    }
    continuations(name, &encoded)
}

fn continuations(name: &str, encoded: &[String]) -> String {
    let mut pieces = vec![String::from("UTF-8''")];
    for unit in encoded {
        let number = pieces.len() - 1;
        let piece = pieces.last_mut().filter(|piece| {
            name.len() + piece.len() + unit.len() + "*9999*=;".len() <= LINE.max(name.len() + 30)
        });
        match piece {
            Some(piece) => piece.push_str(unit),
            None if number < 9999 => pieces.push(unit.clone()),
            None => break, // no file system takes half a megabyte of name
        }
    }
    let numbered: Vec<String> = pieces
        .iter()
        .enumerate()
        .map(|(number, piece)| format!("{name}*{number}*={piece}"))
        .collect();
    numbered.join(";\r\n ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (String, Vec<(String, String)>) {
        let read = Parameterised::read(text.as_bytes());
        (read.value, read.parameters)
    }

    #[test]
    fn parameters_are_read() {
        type Row = (&'static str, &'static str, &'static [(&'static str, &'static str)]);
        let table: [Row; 24] = [
            ("text/plain", "text/plain", &[]),
            ("", "", &[]),
            (";;;", "", &[]),
            ("Text/HTML; Charset=\"UTF-8\"", "text/html", &[("charset", "UTF-8")]),
            ("text/plain; charset=us-ascii (Plain text)", "text/plain", &[("charset", "us-ascii")]),
            ("text/plain (comment); a=b;", "text/plain", &[("a", "b")]),
            ("a/b; x=\"1;2\"; y=3", "a/b", &[("x", "1;2"), ("y", "3")]),
            ("a/b; x=\"q\\\"q\\\\\"", "a/b", &[("x", "q\"q\\")]),
            ("a/b; name=\"C:\\dir\\f.txt\"", "a/b", &[("name", "C:\\dir\\f.txt")]),
            ("a/b; filename=my report (1).pdf", "a/b", &[("filename", "my report (1).pdf")]),
            ("a/b; x=\"unclosed; y=1", "a/b", &[("x", "unclosed; y=1")]),
            ("a/b; x; =y; z=1", "a/b", &[("z", "1")]),
            ("a/b; x = 1 ; x=2", "a/b", &[("x", "1")]),
            ("a/b; filename=\"=?utf-8?Q?caf=C3=A9?=\"", "a/b", &[("filename", "café")]),
            // RFC 2231
            (
                "a/b; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A",
                "a/b",
                &[("title", "This is ***fun***")],
            ),
            ("a/b; u*0=\"ftp://\"; u*1=\"x.org\"", "a/b", &[("u", "ftp://x.org")]),
            (
                "a/b; title*0*=us-ascii'en'This%20is%20even%20more%20; title*1*=%2A%2A%2Afun%2A%2A%2A%20; title*2=\"isn't it!\"",
                "a/b",
                &[("title", "This is even more ***fun*** isn't it!")],
            ),
            ("a/b; n*1*=%A9; n*0*=utf-8''caf%C3", "a/b", &[("n", "café")]),
            ("a/b; n*0=a; n*2=c", "a/b", &[("n", "a")]),
            ("a/b; n*1=b; n=plain", "a/b", &[("n", "plain")]),
            ("a/b; n=plain; n*=utf-8''better", "a/b", &[("n", "better")]),
            ("a/b; n*=noquotes%41", "a/b", &[("n", "noquotesA")]),
            ("a/b; n*=x-klingon''%E9", "a/b", &[("n", "é")]),
            ("a/b; n*=utf-8''%4", "a/b", &[("n", "%4")]),
        ];
        for (text, value, parameters) in table {
            let parameters: Vec<_> = parameters
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect();
            assert_eq!(read(text), (value.to_string(), parameters), "{text:?}");
        }
    }

    #[test]
    fn parameters_are_encoded_and_read_back() {
        assert_eq!(encode_parameter("name", "a.txt"), "name=a.txt");
        assert_eq!(encode_parameter("name", "a b.txt"), "name=\"a b.txt\"");
        assert_eq!(encode_parameter("name", "é.txt"), "name*=UTF-8''%C3%A9.txt");
        let long = "日本語".repeat(30);
        for value in [
            "",
            " ",
            "a\"b\\c",
            "x\ty",
            "=?utf-8?Q?x?=",
            "a;b=c",
            "it's 100% *",
            long.as_str(),
            &"y".repeat(300),
        ] {
            let encoded = encode_parameter("filename", value);
            assert!(encoded.lines().all(|line| line.len() <= 78), "{encoded}");
            let field = format!("a/b; {}", encoded.replace("\r\n", ""));
            assert_eq!(read(&field).1, [("filename".to_owned(), value.to_owned())], "{encoded}");
        }
    }

    #[test]
    fn a_boundary_is_bytes() {
        assert_eq!(
            Parameterised::read(b"multipart/mixed; boundary=\"\xff=?x\"").boundary.as_deref(),
            Some(b"\xff=?x".as_slice())
        );
        assert_eq!(Parameterised::read(b"multipart/mixed; boundary=\"\"").boundary, None);
    }
}
