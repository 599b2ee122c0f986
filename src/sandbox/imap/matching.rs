//! Tests whether a letter contains a text (RFC 3501 6.4.4).
//!
//! The raw bytes are searched first, which is cheap. If they do not contain the text, the header
//! fields and text parts are decoded and searched, as the RFC requires.

use std::ops::Range;

use mail_parser::{HeaderValue, MessageParser, PartType, parsers::MessageStream};
use memchr::memmem::Finder;

use crate::sandbox::store::header;
use crate::sandbox::store::letter::Content;
use crate::sandbox::store::mime::{Kind, Part};

/// A text to search for, ignoring case, in raw bytes and in decoded text.
pub(crate) struct Needle {
    raw: Finder<'static>,
    decoded: Finder<'static>,
}

impl Needle {
    pub(crate) fn new(text: &[u8]) -> Needle {
        let decoded = String::from_utf8_lossy(text).to_lowercase();
        Needle {
            raw: Finder::new(&text.to_ascii_lowercase()).into_owned(),
            decoded: Finder::new(&decoded).into_owned(),
        }
    }

    fn in_raw(&self, bytes: &[u8]) -> bool {
        self.raw.needle().is_empty() || self.raw.find(&bytes.to_ascii_lowercase()).is_some()
    }

    fn in_decoded(&self, text: &str) -> bool {
        self.decoded.find(text.to_lowercase().as_bytes()).is_some()
    }
}

/// HEADER, FROM, SUBJECT and so on: whether any field of this name contains the text.
pub(crate) fn in_header(bytes: &[u8], name: &str, needle: &Needle) -> bool {
    let values = header::values(bytes, header::range(bytes), name);
    values.iter().any(|value| needle.in_raw(value) || needle.in_decoded(&decode_field(value)))
}

/// TEXT: whether the header or the body contains the text.
pub(crate) fn in_text(content: &Content, needle: &Needle) -> bool {
    let bytes = content.bytes();
    needle.in_raw(bytes)
        || in_decoded_fields(bytes, header::range(bytes), needle)
        || in_decoded_parts(content, needle)
}

/// BODY: whether the body contains the text.
pub(crate) fn in_body(content: &Content, needle: &Needle) -> bool {
    let bytes = content.bytes();
    needle.in_raw(&bytes[header::range(bytes).end..]) || in_decoded_parts(content, needle)
}

/// Searches every text part, and the headers of all enclosed letters.
///
/// Parts are decoded one by one. `mail-parser` does not limit how deep letters are nested in
/// letters, and dropping 200,000 levels exhausts the stack. Our own structure has a limit.
fn in_decoded_parts(content: &Content, needle: &Needle) -> bool {
    let bytes = content.bytes();
    let mut parts: Vec<&Part> = vec![content.structure()];
    while let Some(part) = parts.pop() {
        let found = match &part.kind {
            Kind::Multipart(children) => {
                parts.extend(children);
                false
            }
            Kind::Message(inner) => {
                parts.push(inner);
                in_decoded_fields(bytes, inner.header.clone(), needle)
            }
            Kind::Leaf => {
                part.media.is_main("text")
                    && in_decoded_leaf(&bytes[part.header.start..part.body.end], needle)
            }
        };
        if found {
            return true;
        }
    }
    false
}

fn in_decoded_leaf(part: &[u8], needle: &Needle) -> bool {
    let Some(message) = MessageParser::default().parse(part) else { return false };
    message.parts.iter().any(|part| matches!(&part.body, PartType::Text(text) | PartType::Html(text) if needle.in_decoded(text)))
}

fn in_decoded_fields(bytes: &[u8], header: Range<usize>, needle: &Needle) -> bool {
    let fields = header::fields(bytes, header);
    fields
        .iter()
        .any(|field| needle.in_decoded(&decode_field(&header::unfold(&bytes[field.value.clone()]))))
}

/// Decodes encoded words (RFC 2047). If the field is not text, its bytes are read as UTF-8.
pub(crate) fn decode_field(value: &[u8]) -> String {
    let line = [value, b"\n"].concat();
    match MessageStream::new(&line).parse_unstructured() {
        HeaderValue::Text(text) => text.into_owned(),
        _ => String::from_utf8_lossy(value).into_owned(),
    }
}
