//! Checks of the letters that we build.

use super::input::Input;
use postoffice::mime::{Letter, NewPart, Outgoing, TransferEncoding, parse_mailbox_list};

const BCC: &str = "hidden-recipient@example.org";

/// A built letter reads back as the values it was built from, and no value leaves its field or
/// part.
pub fn new_letter(data: &[u8]) {
    let mut input = Input::new(data);
    let mode = input.byte();
    let (from, to, subject) = (input.text(), input.text(), input.text());
    let header = (input.text(), input.text());
    let text = input.text();
    let html = (mode & 1 != 0).then(|| input.text());
    let encodings = [
        None,
        Some(TransferEncoding::SevenBit),
        Some(TransferEncoding::QuotedPrintable),
        Some(TransferEncoding::Base64),
    ];
    let (file_name, content_type) = (input.text(), input.text());
    let mut file = NewPart::attachment(&file_name, &content_type, input.rest().to_vec());
    file.encoding = encodings[usize::from(mode >> 4) % 4];
    let attachments = if mode & 2 != 0 { vec![file.clone()] } else { Vec::new() };
    let has_header = mode & 4 != 0;
    let outgoing = Outgoing {
        from: from.clone(),
        to: vec![to.clone()],
        bcc: vec![BCC.to_owned()],
        subject: Some(subject.clone()),
        headers: if has_header { vec![header.clone()] } else { Vec::new() },
        text: text.clone(),
        html: html.clone(),
        attachments: attachments.clone(),
        ..Outgoing::default()
    };
    let Ok(built) = outgoing.build() else { return };
    check_wire(&built);
    assert!(
        String::from_utf8_lossy(data).contains(BCC)
            || !String::from_utf8_lossy(&built).contains(BCC),
        "Bcc was written"
    );

    let letter = Letter::parse(&built);
    let names: Vec<String> = letter.root().fields().map(|field| field.name.to_owned()).collect();
    let mut expected = vec!["From", "To", "Subject"];
    expected.extend(has_header.then_some(header.0.as_str()));
    expected.extend(["MIME-Version", "Content-Type"]);
    if html.is_none() && attachments.is_empty() {
        expected.push("Content-Transfer-Encoding");
    }
    assert_eq!(names, expected);
    let field = |name: &str| letter.root().fields().find(|field| field.is(name)).unwrap().decoded();
    assert_eq!(field("subject"), subject);
    assert_eq!(
        parse_mailbox_list(&letter.root().field("from").unwrap()),
        parse_mailbox_list(&from)
    );
    assert_eq!(parse_mailbox_list(&letter.root().field("to").unwrap()), parse_mailbox_list(&to));
    let leaf = |content_type: &str| {
        letter.parts().find(|part| part.content_type() == content_type).unwrap()
    };
    assert_eq!(leaf("text/plain").text(), text.replace("\r\n", "\n"));
    if let Some(html) = html {
        assert_eq!(leaf("text/html").text(), html.replace("\r\n", "\n"));
    }
    for file in attachments {
        check_file(&letter, &file);
    }
}

/// Checks the rules of RFC 5322 for a letter on the wire: no NUL, no bare CR or LF, and lines of at
/// most 998 bytes.
fn check_wire(built: &[u8]) {
    assert!(!built.contains(&0), "a NUL");
    assert!(
        !built.windows(2).any(|pair| (pair[0] == b'\r') != (pair[1] == b'\n'))
            && !built.ends_with(b"\r"),
        "a bare line end"
    );
    for line in built.split(|byte| *byte == b'\n') {
        assert!(line.len() <= 999, "a line of {} bytes: {}", line.len(), line.escape_ascii());
    }
}

fn check_file(letter: &Letter, file: &NewPart) {
    let part = letter.root().parts().last().unwrap();
    let name = file.file_name.as_deref().filter(|name| !name.is_empty());
    assert_eq!(part.file_name().as_deref(), name);
    let bytes = part.decoded();
    let is_exact = file.encoding != Some(TransferEncoding::SevenBit)
        && !part.content_type().starts_with("message/");
    if is_exact {
        assert_eq!(*bytes, file.body[..], "a file that differs");
    } else {
        let lines = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace("\r\n", "\n");
        assert_eq!(
            lines(&bytes),
            lines(&file.body),
            "a file that differs in more than its line ends"
        );
    }
}
