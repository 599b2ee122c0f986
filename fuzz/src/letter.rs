//! Checks of letters: their parts, transfer encodings, texts, attachments and file names.

use super::extraction::assert_agrees;
use super::header::is_in_proportion;
use postoffice::mime::html::html_to_text;
use postoffice::mime::transfer::{
    decode_base64, decode_quoted_printable, decode_uuencode, encode_base64,
    encode_quoted_printable_bytes, encode_quoted_printable_text,
};
use postoffice::mime::{Letter, Part, numbered, safe_name};

/// Any bytes are a letter whose parts are nested in order; decoded data stays in proportion to it.
pub fn letter(data: &[u8]) {
    let letter = Letter::parse(data);
    assert_eq!(letter.as_bytes(), data);
    assert_eq!(letter.root().range(), 0..data.len());
    let mut bodies = 0;
    for part in letter.parts() {
        check_place(part);
        let decoded = part.decoded();
        assert!(decoded.len() <= part.body().len(), "a decoded body is larger");
        assert!(is_in_proportion(&part.text(), part.body().len()));
        bodies += if part.parts().len() == 0 { part.body().len() } else { 0 };
        let _ =
            (part.id(), part.description(), part.subject(), part.disposition(), part.line_count());
    }
    assert!(bodies <= data.len(), "the leaves overlap");
    assert!(
        is_in_proportion(&letter.text(), data.len() + letter.parts().len()),
        "the text is larger than the letter"
    );
    assert!(letter.html().is_none_or(|html| is_in_proportion(&html, data.len())));
    let mut files = 0;
    for attachment in letter.attachments() {
        files += attachment.bytes().len();
        let _ = attachment.content_type();
        check_name(attachment.file_name().as_deref());
    }
    assert!(files <= data.len(), "the files are larger than the letter");
    assert_agrees(data, &[1, 7, data.len().max(1)]);
    if !data.contains(&b'\r') {
        with_cr_lf_is_the_same(&letter, data);
    }
}

fn check_place(part: Part<'_>) {
    let (whole, body) = (part.range(), part.body_range());
    assert!(
        whole.start <= body.start
            && body.end <= whole.end
            && part.header().len() <= body.start - whole.start
    );
    if let Some(parent) = part.parent() {
        assert!(
            parent.index() < part.index()
                && parent.parts().any(|child| child.index() == part.index())
        );
    }
    let mut before = body.start;
    for child in part.parts() {
        assert!(
            before <= child.range().start && child.range().end <= body.end,
            "a part lies outside of its place"
        );
        before = child.range().end;
    }
}

fn with_cr_lf_is_the_same(letter: &Letter, data: &[u8]) {
    let with_cr: Vec<u8> = data
        .iter()
        .flat_map(|byte| if *byte == b'\n' { vec![b'\r', b'\n'] } else { vec![*byte] })
        .collect();
    let other = Letter::from_bytes(with_cr);
    assert!(
        letter
            .parts()
            .map(|part| part.content_type())
            .eq(other.parts().map(|part| part.content_type())),
        "LF and CR LF differ"
    );
}

/// A file name from a letter becomes a single safe name in a folder, whatever it was.
fn check_name(name: Option<&str>) {
    let safe = safe_name(name, "letter.eml");
    for safe in [numbered(&safe, 7), safe] {
        assert!(
            !safe.is_empty()
                && safe.len() <= 200
                && !safe.starts_with(['.', '-', '~'])
                && !safe.ends_with(['.', ' ']),
            "{safe:?}"
        );
        assert!(
            !safe.contains(|letter: char| letter.is_control() || "/\\:*?\"<>|".contains(letter)),
            "{safe:?}"
        );
    }
}

/// Bytes survive every encoding; decoding anything else stays in proportion.
pub fn transfer(data: &[u8]) {
    assert_eq!(decode_base64(&encode_base64(data)), data);
    assert_eq!(decode_quoted_printable(&encode_quoted_printable_bytes(data)), data);
    let text = encode_quoted_printable_text(data);
    assert!(
        !text.windows(2).any(|pair| (pair[0] == b'\r') != (pair[1] == b'\n')),
        "a bare line end"
    );
    assert!(
        text.split(|byte| *byte == b'\n').all(|line| line.len() <= 77),
        "a line that is too long"
    );
    let decoded = decode_quoted_printable(&text);
    assert_eq!(
        String::from_utf8_lossy(&decoded).replace("\r\n", "\n"),
        String::from_utf8_lossy(data).replace("\r\n", "\n")
    );
    assert!(
        decode_base64(data).len() <= data.len()
            && decode_quoted_printable(data).len() <= data.len()
    );
    assert!(decode_uuencode(data).is_none_or(|file| file.len() <= data.len()));
    check_name(std::str::from_utf8(data).ok());
}

/// Any text is an HTML page, and its plain text stays in proportion to it.
pub fn html(data: &[u8]) {
    let page = String::from_utf8_lossy(data);
    assert!(is_in_proportion(&html_to_text(&page), page.len()));
}
