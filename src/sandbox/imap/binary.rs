//! FETCH of decoded parts: `BINARY[1]` and `BINARY.SIZE[1]` (RFC 3516).

use std::borrow::Cow;
use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::sandbox::imap::section;
use crate::sandbox::parameters::parse_parameters;
use crate::sandbox::store::header;
use crate::sandbox::store::letter::Content;
use crate::sandbox::store::mime::Kind;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// What a part holds.
pub(crate) enum Decoded<'a> {
    Bytes(Cow<'a, [u8]>),
    /// The letter has no such part.
    Missing,
    /// Its transfer encoding is not known.
    UnknownEncoding,
}

/// Decodes a part. The whole letter is the empty section.
pub(crate) fn decoded<'a>(content: &'a Content, path: &[NonZeroU32]) -> Decoded<'a> {
    let numbers: Vec<u32> = path.iter().map(|number| number.get()).collect();
    let Some(part) = content.structure().find(&numbers) else { return Decoded::Missing };
    let bytes = content.bytes();
    if path.is_empty() {
        return Decoded::Bytes(Cow::Borrowed(bytes));
    }
    let body = &bytes[part.body.clone()];
    let field = header::value(bytes, part.header.clone(), "Content-Transfer-Encoding");
    let encoding = field.map(|value| parse_parameters(&value).0.to_ascii_lowercase());
    let is_leaf = matches!(part.kind, Kind::Leaf);
    match encoding.as_deref().unwrap_or(b"7bit") {
        b"7bit" | b"8bit" | b"binary" | b"" => Decoded::Bytes(Cow::Borrowed(body)),
        b"base64" if is_leaf => {
            let text: Vec<u8> =
                body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
            match BASE64.decode(text) {
                Ok(bytes) => Decoded::Bytes(Cow::Owned(bytes)),
                Err(_) => Decoded::UnknownEncoding,
            }
        }
        b"quoted-printable" if is_leaf => Decoded::Bytes(Cow::Owned(from_quoted_printable(body))),
        _ => Decoded::UnknownEncoding,
    }
}

/// Writes `BINARY[1] ~{5}…`, or `BINARY[1]<0> {5}…` for a part of it.
pub(crate) fn write(
    out: &mut Vec<u8>,
    path: &[NonZeroU32],
    partial: Option<(u32, NonZeroU32)>,
    decoded: &Decoded<'_>,
) {
    out.extend_from_slice(format!("BINARY[{}]", dotted(path)).as_bytes());
    if let Some((first, _)) = partial {
        out.extend_from_slice(format!("<{first}>").as_bytes());
    }
    let Decoded::Bytes(bytes) = decoded else { return out.extend_from_slice(b" NIL") };
    let bytes = match partial {
        Some((first, count)) => section::partial(bytes, first, count.get()),
        None => bytes,
    };
    let sign = if bytes.contains(&0) { "~" } else { "" };
    out.extend_from_slice(format!(" {sign}{{{}}}\r\n", bytes.len()).as_bytes());
    out.extend_from_slice(bytes);
}

/// Writes `BINARY.SIZE[1] 5`.
pub(crate) fn write_size(out: &mut Vec<u8>, path: &[NonZeroU32], decoded: &Decoded<'_>) {
    let size = match decoded {
        Decoded::Bytes(bytes) => bytes.len(),
        _ => 0,
    };
    out.extend_from_slice(format!("BINARY.SIZE[{}] {size}", dotted(path)).as_bytes());
}

fn dotted(path: &[NonZeroU32]) -> String {
    path.iter().map(ToString::to_string).collect::<Vec<_>>().join(".")
}

/// Decodes quoted-printable (RFC 2045 6.7). A `=` that begins nothing stands for itself.
fn from_quoted_printable(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let coded = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        rest = match (byte, coded) {
            (b'=', _) if after.starts_with(b"\r\n") => &after[2..],
            (b'=', Some(coded)) if after[0].is_ascii_hexdigit() => {
                decoded.push(coded);
                &after[2..]
            }
            _ => {
                decoded.push(*byte);
                after
            }
        };
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_decoded() {
        for (encoding, body, expected) in [
            ("base64", "AAEC\r\n/w==\r\n", Some(&b"\x00\x01\x02\xff"[..])),
            ("BASE64", "AAEC/w", Some(b"\x00\x01\x02\xff")),
            ("base64", "A", None),
            ("quoted-printable", "a=20=\r\nb=C3=BC=+1=", Some("a b\u{fc}=+1=".as_bytes())),
            ("8bit", "\u{fc}", Some("\u{fc}".as_bytes())),
            ("x-uuencode", "a", None),
        ] {
            let letter = format!("Content-Transfer-Encoding: {encoding}\r\n\r\n{body}");
            let content = Content::new(letter.as_bytes());
            let found = match decoded(&content, &[NonZeroU32::MIN]) {
                Decoded::Bytes(bytes) => Some(bytes.into_owned()),
                _ => None,
            };
            assert_eq!(found.as_deref(), expected, "{encoding} {body}");
        }
        let content = Content::new(b"Subject: x\r\n\r\ny");
        assert!(matches!(decoded(&content, &[NonZeroU32::MAX]), Decoded::Missing));
    }
}
