//! Checks of headers: fields, encoded words (RFC 2047), parameters (RFC 2231), dates and addresses.
//! Anything can be read, and the result is never much larger than the input; whatever is written
//! stays in its field and reads back unchanged.

use postoffice::mime::parameter::Parameterised;
use postoffice::mime::{
    Entry, Envelope, WrittenDate, decode_bytes, decode_text, encode_parameter, encode_phrase,
    encode_text, envelope_addresses, fields, is_plain_address, parse_mailbox_list, split,
};

/// Returns whether decoded text is no larger than decoding can make it. Bytes that are not UTF-8
/// are read as Latin-1, two bytes each; a decoder gives at most three bytes for one byte of any
/// charset.
pub fn is_in_proportion(decoded: &str, bytes: usize) -> bool {
    decoded.len() <= bytes * 6 + 6
}

/// Returns whether text written for a header is ASCII and contains no line that begins another
/// field.
fn stays_in_its_field(written: &str) -> bool {
    let lines: Vec<&str> = written.split("\r\n").collect();
    written.is_ascii()
        && lines.iter().all(|line| !line.contains(['\r', '\n', '\0']))
        && lines[1..].iter().all(|line| line.starts_with([' ', '\t']) && !line.trim().is_empty())
}

/// Any bytes have readable fields, the same with LF as with CR LF, and no field is longer than its
/// source.
pub fn header(data: &[u8]) {
    let (header, body) = split(data);
    assert!(
        header.len() + body.len() <= data.len() && data.starts_with(header) && data.ends_with(body)
    );
    let mut length = 0;
    for field in fields(header) {
        assert!(
            !field.name.is_empty()
                && field.name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':')
        );
        assert!(
            !field.value.contains(&b'\n') && field.value.trim_ascii().len() == field.value.len()
        );
        length += field.name.len() + field.value.len();
        assert!(
            is_in_proportion(&field.text(), field.value.len())
                && is_in_proportion(&field.decoded(), field.value.len())
        );
    }
    assert!(length <= header.len(), "the fields are longer than the header");
    let envelope = Envelope::read(header);
    let _ = envelope.addresses();
    if !data.contains(&b'\r') {
        let with_cr: Vec<u8> = data
            .iter()
            .flat_map(|byte| if *byte == b'\n' { vec![b'\r', b'\n'] } else { vec![*byte] })
            .collect();
        let (header_with_cr, _) = split(&with_cr);
        assert!(fields(header_with_cr).eq(fields(header)), "LF and CR LF differ");
        assert_eq!(Envelope::read(header_with_cr), envelope);
    }
}

/// Text written as a header's value reads back unchanged; decoding anything as encoded words stays
/// in proportion.
pub fn encoded_words(data: &[u8]) {
    assert!(is_in_proportion(&decode_bytes(data), data.len()));
    let text = String::from_utf8_lossy(data);
    assert!(is_in_proportion(&decode_text(&text), text.len()));
    if text.contains(['\r', '\n', '\0']) {
        return;
    }
    let written = encode_text(&text);
    assert!(stays_in_its_field(&written), "{written:?}");
    let line = format!("Subject: {written}\r\n");
    let read: Vec<_> = fields(line.as_bytes()).collect();
    assert!(read.len() == 1 && read[0].name == "Subject", "{line:?} has fields {read:?}");
    assert_eq!(read[0].decoded(), text, "{line:?}");
}

/// A parameter reads back with its name and value; the parameters of any structured field stay in
/// proportion to it.
pub fn parameter(data: &[u8]) {
    let read = Parameterised::read(data);
    let length: usize = read.parameters.iter().map(|(name, value)| name.len() + value.len()).sum();
    assert!(
        read.value.len() + length <= data.len() * 6 + 6,
        "the parameters are longer than the field"
    );
    let value = String::from_utf8_lossy(data);
    let written = encode_parameter("filename", &value);
    assert!(stays_in_its_field(&written), "{written:?}");
    let line = format!("Content-Disposition: attachment;\r\n {written};\r\n size=5\r\n");
    let field = fields(line.as_bytes()).next().unwrap();
    let read = Parameterised::read(&field.value);
    assert_eq!(
        (read.value.as_str(), read.get("filename"), read.get("size")),
        ("attachment", Some(&*value), Some("5")),
        "{line:?}"
    );
}

/// A date that could be read is one of the calendar, and reads back from RFC 5322's form and from
/// ISO 8601.
pub fn date(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Some(date) = WrittenDate::parse(&text) else { return };
    assert!((1..=9999).contains(&date.day.year()), "{date:?}");
    let (hour, minute, second) = date.time.unwrap_or_default();
    let time = format!("{hour:02}:{minute:02}:{second:02}");
    let zone = match date.offset {
        Some(offset) => {
            let sign = if offset < 0 { '-' } else { '+' };
            format!("{sign}{:02}{:02}", offset.abs() / 60, offset.abs() % 60)
        }
        None => "-0000".to_owned(),
    };
    let whole = WrittenDate { time: Some((hour, minute, second)), ..date };
    for written in [
        format!("{} {time} {zone}", date.day.strftime("%a, %d %b %Y")),
        format!("{}T{time}{zone}", date.day),
    ] {
        assert_eq!(WrittenDate::parse(&written), Some(whole), "{written}");
    }
    assert_eq!(whole.unix_seconds(), date.unix_seconds());
}

/// Any text can be read as an address list; a plain address reads back, also with any display name
/// before it.
pub fn addresses(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let entries = parse_mailbox_list(&text);
    assert!(
        entries.iter().map(length).sum::<usize>() <= text.len() * 6 + 6,
        "the addresses are longer than the list"
    );
    let envelope = envelope_addresses(&text);
    assert!(envelope.len() <= 2 * text.len() + 2);
    if is_plain_address(&text) {
        assert!(
            matches!(&entries[..], [Entry::Mailbox { display: None, route: None, .. }]),
            "{entries:?}"
        );
    }
    for entry in entries {
        let Entry::Mailbox { display: Some(display), route: None, local, domain: Some(domain) } =
            &entry
        else {
            continue;
        };
        // Line ends and NUL from encoded words become blanks.
        if display.contains(['\r', '\n', '\0']) {
            continue;
        }
        let address = format!("{local}@{domain}");
        let phrase = encode_phrase(display);
        assert!(stays_in_its_field(&phrase), "{phrase:?}");
        if is_plain_address(&address) {
            let written = format!("{phrase} <{address}>");
            assert_eq!(parse_mailbox_list(&written), [entry], "{written:?}");
        }
    }
}

fn length(entry: &Entry) -> usize {
    let of = |text: &Option<String>| text.as_deref().map_or(0, str::len);
    match entry {
        Entry::Mailbox { display, route, local, domain } => {
            of(display) + of(route) + local.len() + of(domain)
        }
        Entry::Group { name, members } => name.len() + members.iter().map(length).sum::<usize>(),
    }
}
