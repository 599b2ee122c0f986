//! `BODY[section]<partial>` (RFC 3501 6.4.5): the bytes of a section, and its name in the response.
//!
//! A section is a part number, a specifier (`HEADER`, `TEXT`, `MIME`, `HEADER.FIELDS`), or both.
//! Parts are ranges in the letter's bytes, so that only selected header fields need to be copied.

use std::{borrow::Cow, ops::Range};

use imap_codec::imap_types::{
    core::AString,
    fetch::{Part as PartNumber, Section},
};

use crate::sandbox::imap::text::astring;
use crate::sandbox::store::header;
use crate::sandbox::store::letter::Content;
use crate::sandbox::store::mime::{Kind, Part};

/// Returns the bytes of a section; `None` (NIL on the wire) if the letter has no such part. No
/// section means the whole letter.
pub(crate) fn bytes<'a>(
    content: &'a Content,
    section: Option<&Section<'_>>,
) -> Option<Cow<'a, [u8]>> {
    let slice = |range: Range<usize>| Some(Cow::Borrowed(&content.bytes()[range]));
    let Some(section) = section else { return Some(Cow::Borrowed(content.bytes())) };
    let root = content.structure();
    match section {
        Section::Part(number) => slice(find(root, number)?.body.clone()),
        Section::Mime(number) => slice(find(root, number)?.header.clone()),
        Section::Header(number) => slice(message(root, number.as_ref())?.header.clone()),
        Section::Text(number) => slice(message(root, number.as_ref())?.body.clone()),
        Section::HeaderFields(number, names) => Some(Cow::Owned(header_fields(
            content.bytes(),
            message(root, number.as_ref())?,
            names.as_ref(),
            true,
        ))),
        Section::HeaderFieldsNot(number, names) => Some(Cow::Owned(header_fields(
            content.bytes(),
            message(root, number.as_ref())?,
            names.as_ref(),
            false,
        ))),
    }
}

/// Returns at most `count` bytes from offset `first`; an offset beyond the end gives an empty
/// slice.
pub(crate) fn partial(bytes: &[u8], first: u32, count: u32) -> &[u8] {
    let first = usize::try_from(first).unwrap_or(usize::MAX).min(bytes.len());
    let count = usize::try_from(count).unwrap_or(usize::MAX).min(bytes.len() - first);
    &bytes[first..first + count]
}

/// Writes the name of a section, such as `BODY[1.HEADER.FIELDS (Subject)]`.
pub(crate) fn write_name(out: &mut Vec<u8>, section: Option<&Section<'_>>) {
    out.extend_from_slice(b"BODY[");
    match section {
        None => {}
        Some(Section::Part(number)) => out.extend_from_slice(dotted(number).as_bytes()),
        Some(Section::Mime(number)) => write_specifier(out, Some(number), "MIME"),
        Some(Section::Header(number)) => write_specifier(out, number.as_ref(), "HEADER"),
        Some(Section::Text(number)) => write_specifier(out, number.as_ref(), "TEXT"),
        Some(Section::HeaderFields(number, names)) => {
            write_specifier(out, number.as_ref(), "HEADER.FIELDS");
            write_names(out, names.as_ref());
        }
        Some(Section::HeaderFieldsNot(number, names)) => {
            write_specifier(out, number.as_ref(), "HEADER.FIELDS.NOT");
            write_names(out, names.as_ref());
        }
    }
    out.push(b']');
}

fn write_specifier(out: &mut Vec<u8>, number: Option<&PartNumber>, specifier: &str) {
    if let Some(number) = number {
        out.extend_from_slice(dotted(number).as_bytes());
        out.push(b'.');
    }
    out.extend_from_slice(specifier.as_bytes());
}

fn write_names(out: &mut Vec<u8>, names: &[AString<'_>]) {
    for (index, name) in names.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b" (" } else { b" " });
        astring(out, name.as_ref());
    }
    out.push(b')');
}

fn dotted(number: &PartNumber) -> String {
    number.0.as_ref().iter().map(ToString::to_string).collect::<Vec<_>>().join(".")
}

fn find<'a>(root: &'a Part, number: &PartNumber) -> Option<&'a Part> {
    let path: Vec<u32> = number.0.as_ref().iter().map(|number| number.get()).collect();
    root.find(&path)
}

/// The message that HEADER and TEXT refer to: the whole letter, or the one inside a message/rfc822
/// part.
fn message<'a>(root: &'a Part, number: Option<&PartNumber>) -> Option<&'a Part> {
    let Some(number) = number else { return Some(root) };
    match &find(root, number)?.kind {
        Kind::Message(inner) => Some(inner),
        _ => None,
    }
}

/// The named fields if `wanted`, otherwise all others, unchanged; and the blank line if the header
/// has one.
fn header_fields(bytes: &[u8], message: &Part, names: &[AString<'_>], wanted: bool) -> Vec<u8> {
    let mut result = Vec::new();
    for field in header::fields(bytes, message.header.clone()) {
        let named =
            names.iter().any(|name| bytes[field.name.clone()].eq_ignore_ascii_case(name.as_ref()));
        if named == wanted {
            result.extend_from_slice(&bytes[field.whole]);
        }
    }
    // RFC 3501 6.4.5: the blank line is included unless the letter has none.
    let header = &bytes[message.header.clone()];
    if header == b"\r\n" || header.ends_with(b"\r\n\r\n") {
        result.extend_from_slice(b"\r\n");
    }
    result
}
