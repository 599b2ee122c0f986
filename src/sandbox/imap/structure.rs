//! ENVELOPE, BODY and BODYSTRUCTURE (RFC 3501 7.4.2), written from a letter's parsed structure.
//!
//! Header values are written raw, not decoded. Every part gets a form that the grammar allows: an
//! empty multipart gets an empty text part, and a multipart or message that was not parsed further
//! appears as application/octet-stream.

use std::ops::Range;

use crate::sandbox::imap::address;
use crate::sandbox::imap::text::{nstring, string};
use crate::sandbox::parameters::{Parameters, parse_parameters};
use crate::sandbox::store::header;
use crate::sandbox::store::mime::{Kind, Part};

/// Writes `(date subject from sender reply-to to cc bcc in-reply-to message-id)`. An empty Sender
/// or Reply-To is replaced by From.
pub(crate) fn write_envelope(out: &mut Vec<u8>, bytes: &[u8], header: Range<usize>) {
    let text = |name: &str| header::value(bytes, header.clone(), name);
    let addresses = |name: &str| {
        let values = header::values(bytes, header.clone(), name);
        address::parse(&values.join(&b", "[..]))
    };
    let from = addresses("From");
    let or_from = |name: &str| {
        Some(addresses(name)).filter(|list| !list.is_empty()).unwrap_or_else(|| from.clone())
    };
    out.push(b'(');
    nstring(out, text("Date").as_deref());
    out.push(b' ');
    nstring(out, text("Subject").as_deref());
    for list in [
        &from,
        &or_from("Sender"),
        &or_from("Reply-To"),
        &addresses("To"),
        &addresses("Cc"),
        &addresses("Bcc"),
    ] {
        out.push(b' ');
        address::write(out, list);
    }
    out.push(b' ');
    nstring(out, text("In-Reply-To").as_deref());
    out.push(b' ');
    nstring(out, text("Message-Id").as_deref());
    out.push(b')');
}

/// Writes BODY, or BODYSTRUCTURE if `extended`.
pub(crate) fn write_structure(out: &mut Vec<u8>, bytes: &[u8], part: &Part, extended: bool) {
    out.push(b'(');
    match &part.kind {
        Kind::Multipart(parts) => {
            parts.iter().for_each(|part| write_structure(out, bytes, part, extended));
            if parts.is_empty() {
                // The grammar requires a part although the letter has none.
                let extension: &[u8] = if extended { b" NIL NIL NIL NIL" } else { b"" };
                out.extend_from_slice(
                    b"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0",
                );
                out.extend_from_slice(extension);
                out.push(b')');
            }
            out.push(b' ');
            string(out, &part.media.sub);
            if extended {
                out.push(b' ');
                write_parameters(out, &part.media.parameters);
                write_extension(out, bytes, part);
            }
        }
        _ => write_single(out, bytes, part, extended),
    }
    out.push(b')');
}

/// Writes a part that is not a multipart.
fn write_single(out: &mut Vec<u8>, bytes: &[u8], part: &Part, extended: bool) {
    let field = |name: &str| header::value(bytes, part.header.clone(), name);
    // The grammar has no form for a multipart or message whose inside was not parsed.
    let opaque = part.media.is_main("multipart");
    let unread = part.media.is("message", "rfc822") && matches!(part.kind, Kind::Leaf);
    if opaque || unread {
        out.extend_from_slice(b"\"application\" \"octet-stream\"");
    } else {
        string(out, &part.media.main);
        out.push(b' ');
        string(out, &part.media.sub);
    }
    out.push(b' ');
    write_parameters(out, &part.media.parameters);
    for name in ["Content-Id", "Content-Description"] {
        out.push(b' ');
        nstring(out, field(name).as_deref());
    }
    out.push(b' ');
    let encoding = field("Content-Transfer-Encoding").map(|value| parse_parameters(&value).0);
    string(out, encoding.as_deref().filter(|encoding| !encoding.is_empty()).unwrap_or(b"7bit"));
    out.extend_from_slice(format!(" {}", part.body.len()).as_bytes());
    if let Kind::Message(inner) = &part.kind {
        out.push(b' ');
        write_envelope(out, bytes, inner.header.clone());
        out.push(b' ');
        write_structure(out, bytes, inner, extended);
    }
    if part.media.is_main("text") || matches!(part.kind, Kind::Message(_)) {
        let lines = memchr::memchr_iter(b'\n', &bytes[part.body.clone()]).count();
        out.extend_from_slice(format!(" {lines}").as_bytes());
    }
    if extended {
        out.push(b' ');
        nstring(out, field("Content-Md5").as_deref());
        write_extension(out, bytes, part);
    }
}

/// Writes disposition, language and location.
fn write_extension(out: &mut Vec<u8>, bytes: &[u8], part: &Part) {
    let field = |name: &str| header::value(bytes, part.header.clone(), name);
    out.push(b' ');
    match field("Content-Disposition").filter(|value| !value.is_empty()) {
        Some(value) => {
            let (kind, parameters) = parse_parameters(&value);
            out.push(b'(');
            string(out, &kind);
            out.push(b' ');
            write_parameters(out, &parameters);
            out.push(b')');
        }
        None => nstring(out, None),
    }
    out.push(b' ');
    write_languages(out, field("Content-Language").as_deref());
    out.push(b' ');
    nstring(out, field("Content-Location").as_deref());
}

fn write_languages(out: &mut Vec<u8>, value: Option<&[u8]>) {
    let tags = value
        .unwrap_or_default()
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|tag| !tag.is_empty());
    let tags: Vec<&[u8]> = tags.collect();
    if tags.is_empty() {
        return nstring(out, None);
    }
    out.push(b'(');
    for (index, tag) in tags.into_iter().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        string(out, tag);
    }
    out.push(b')');
}

fn write_parameters(out: &mut Vec<u8>, parameters: &Parameters) {
    if parameters.is_empty() {
        return nstring(out, None);
    }
    out.push(b'(');
    for (index, (name, value)) in parameters.iter().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        string(out, name);
        out.push(b' ');
        string(out, value);
    }
    out.push(b')');
}

#[cfg(test)]
mod tests {
    use super::{write_envelope, write_structure};
    use crate::sandbox::store::mime::{Kind, Part};

    /// Every part lies within the one that holds it, in order.
    fn check(part: &Part, within: std::ops::Range<usize>) {
        assert!(
            part.header.start >= within.start
                && part.header.end <= part.body.start
                && part.body.end <= within.end,
            "{part:?}"
        );
        let children = match &part.kind {
            Kind::Leaf => &[][..],
            Kind::Multipart(parts) => parts,
            Kind::Message(inner) => std::slice::from_ref(&**inner),
        };
        let mut start = part.body.start;
        for child in children {
            check(child, start..part.body.end);
            start = child.body.end;
        }
    }

    #[test]
    fn parts_lie_in_order_whatever_the_lines_are() {
        let lines = [
            "Content-Type: multipart/mixed; boundary=a\r\n",
            "Content-Type: multipart/mixed; boundary=b\r\n",
            "Content-Type: multipart/digest; boundary=\"\"\r\n",
            "Content-Type: message/rfc822\r\n",
            "From: \"a\\\" <b@(c:d;,<\r\n",
            "Subject: (\"\\\r\n",
            " folded\r\n",
            "\r\n",
            "\r\n",
            "--a\r\n",
            "--a--\r\n",
            "--b\r\n",
            "--b--\r\n",
            "--a\n",
            "--a--",
            "text\r\n",
            "\u{fc}\r",
            "\n",
        ];
        let mut state = 7_u32;
        for _ in 0..20_000 {
            let mut letter = String::new();
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            for _ in 0..(state >> 27) {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                letter += lines[(state >> 8) as usize % lines.len()];
            }
            let letter = letter.as_bytes();
            let part = Part::parse(letter);
            check(&part, 0..letter.len());
            let mut out = Vec::new();
            write_structure(&mut out, letter, &part, true);
            write_envelope(&mut out, letter, part.header.clone());
        }
    }
}
