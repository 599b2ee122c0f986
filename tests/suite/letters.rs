//! Letters: difficult ones are parsed, hostile ones do no harm, built ones parse back to the same.
//!
//! The letters are in `tests/letters`. Where Python is installed, its `email` package must find the
//! same structure, file names and contents as our parser.

use crate::stopwatch::Stopwatch;
use postoffice::mime::{
    BuildError, Disposition, Entry, Letter, NewPart, Outgoing, Part, Subparts, TransferEncoding,
    decode_text, encode_parameter, fields, is_plain_address, parse_mailbox_list, safe_name, split,
};
use proptest::prelude::*;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/letters")
}

fn letter(name: &str) -> Letter {
    Letter::from_bytes(std::fs::read(folder().join(name)).unwrap())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Lists the parts in order: type, file name and decoded content. The Python program below prints
/// the same lines.
fn outline(letter: &Letter) -> String {
    let line = |part: Part<'_>| {
        let is_leaf = part.parts().len() == 0;
        let name = part.file_name().unwrap_or_default();
        format!(
            "{}|{}|{}\n",
            part.content_type(),
            hex(name.as_bytes()),
            if is_leaf { hex(&part.decoded()) } else { String::new() }
        )
    };
    letter.parts().map(line).collect()
}

const PYTHON: &str = r#"
import email, email.policy, sys
with open(sys.argv[1], 'rb') as file:
    letter = email.message_from_bytes(file.read(), policy=email.policy.compat32)
for part in letter.walk():
    name = part.get_filename() or ''
    data = '' if part.is_multipart() else (part.get_payload(decode=True) or b'').hex()
    print('%s|%s|%s' % (part.get_content_type(), name.encode('utf-8').hex(), data))
"#;

/// Returns Python's outline of a letter, or `None` if there is no Python and none is required.
fn python_outline(path: &Path) -> Option<String> {
    let output = Command::new("python3").arg("-c").arg(PYTHON).arg(path).output();
    assert!(
        output.is_ok() || std::env::var("POSTOFFICE_REAL_SERVERS").is_err(),
        "python3 is missing"
    );
    let output = output.ok()?;
    assert!(
        output.status.success(),
        "{}: {}",
        path.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    Some(String::from_utf8(output.stdout).unwrap().replace("\r\n", "\n"))
}

#[test]
fn structure_names_and_bodies_agree_with_another_library() {
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // Python parses the letters named `ours-` differently, on purpose or not.
        if !name.starts_with("ours-")
            && let Some(theirs) = python_outline(&path)
        {
            assert_eq!(outline(&letter(&name)), theirs, "{name}");
        }
    }
}

#[test]
fn another_library_reads_what_is_built() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("built.eml");
    let mut letter = sample();
    letter.attachments.push(NewPart::attachment(
        "日本語の長い名前".repeat(8),
        "image/png",
        (0..=255).collect(),
    ));
    letter.attachments.push(NewPart::attachment(
        "a \"b\" \\ c;d.txt",
        "text/plain",
        b"x\ny".to_vec(),
    ));
    let bytes = letter.build().unwrap();
    std::fs::write(&path, &bytes).unwrap();
    if let Some(theirs) = python_outline(&path) {
        assert_eq!(outline(&Letter::from_bytes(bytes)), theirs);
    }
}

#[test]
fn the_readable_text_is_found() {
    let table = [
        ("plain.eml", "hello\nworld\n"),
        ("latin1.eml", "café\n"),
        ("quoted-printable.eml", "café au lait \n"),
        ("alternative.eml", "plain"),
        ("nested.eml", "x\n"),
        ("rfc822.eml", "see below"),
        ("unclosed.eml", "one\ntwo\nthree, the child was never closed"),
        ("no-boundary.eml", "--b\n\none\n--b--\n"),
        ("never-delimited.eml", "just text\n"),
        ("digest.eml", ""),
        ("japanese.eml", "日本\n"),
        ("ours-uuencode.eml", "Here it is:\nBye.\n"),
        ("ours-html-only.eml", "one\n\ntwo\n"),
        ("ours-mbox.eml", "body\n"),
    ];
    for (name, expected) in table {
        assert_eq!(letter(name).text(), expected, "{name}");
    }
    assert_eq!(letter("alternative.eml").html().as_deref(), Some("<p>html</p>"));
    assert_eq!(letter("plain.eml").html(), None);
    assert_eq!(letter("japanese.eml").root().subject().as_deref(), Some("日本"));
    assert_eq!(letter("ours-mbox.eml").root().subject().as_deref(), Some("kept"));
}

#[test]
fn attachments_are_found_with_their_names() {
    let table: [(&str, &[(&str, &str)]); 9] = [
        ("plain.eml", &[]),
        ("alternative.eml", &[]),
        ("nested.eml", &[("image/png", "p.png"), ("application/pdf", "a b.pdf")]),
        ("rfc822.eml", &[("message/rfc822", "")]),
        ("rfc2231.eml", &[("application/x-a", "café plain.txt"), ("application/x-b", "été.doc")]),
        ("digest.eml", &[("message/rfc822", ""), ("message/rfc822", "")]),
        ("ours-uuencode.eml", &[("application/octet-stream", "cat.txt")]),
        ("ours-raw-filename.eml", &[("application/pdf", "résumé.pdf")]),
        ("ours-2047-filename.eml", &[("application/pdf", "résumé.pdf")]),
    ];
    for (name, expected) in table {
        let letter = letter(name);
        let got: Vec<_> = letter
            .attachments()
            .iter()
            .map(|found| (found.content_type(), found.file_name().unwrap_or_default()))
            .collect();
        let expected: Vec<_> =
            expected.iter().map(|(kind, name)| (*kind, name.to_string())).collect();
        assert_eq!(got, expected, "{name}");
    }
    assert_eq!(&*letter("ours-uuencode.eml").attachments()[0].bytes(), b"Cat");
    assert_eq!(&*letter("nested.eml").attachments()[1].bytes(), b"%PDF-1.4\n");
    assert!(letter("rfc822.eml").attachments()[0].bytes().starts_with(b"Subject: inside\n"));
}

#[test]
fn a_letter_with_nothing_in_it_is_a_letter() {
    for bytes in ["", "\n", "\r\n\r\n", ":", "\0", "--", "no header at all\nmore\n"] {
        let letter = Letter::parse(bytes.as_bytes());
        assert_eq!(letter.root().content_type(), "text/plain", "{bytes:?}");
        let _ = (letter.text(), letter.html(), letter.attachments().len());
    }
    assert_eq!(Letter::parse(b"no header at all\nmore\n").text(), "no header at all\nmore\n");
    assert_eq!(Letter::parse(b"Subject: x\nno empty line\n").text(), "no empty line\n");
    assert_eq!(
        Letter::parse(b"Subject: x\nbroken line\nContent-Type: text/html\n\n<p>y</p>")
            .html()
            .as_deref(),
        Some("<p>y</p>")
    );
}

#[test]
fn ranges_and_lines_are_the_letters_own() {
    let bytes = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nA: 1\r\n\r\none\r\ntwo\r\n--b--\r\n";
    let letter = Letter::parse(bytes);
    let part = letter.part(1).unwrap();
    assert_eq!(
        (part.bytes(), part.header(), part.body()),
        (&b"A: 1\r\n\r\none\r\ntwo"[..], &b"A: 1\r\n"[..], &b"one\r\ntwo"[..])
    );
    assert_eq!(&bytes[part.body_range()], part.body());
    assert_eq!(
        (part.line_count(), part.parent().unwrap().index(), part.text().as_str()),
        (2, 0, "one\ntwo")
    );
}

#[test]
fn what_is_decoded_in_pieces_is_what_is_decoded() {
    let lines = |text: &str| format!("{text}\r\n").repeat(300_000 / text.len());
    for (encoding, body) in [
        ("base64", lines("QUJDREVG QUJ\u{e4}EQUJDREVG-")),
        ("base64", lines("QUJDREVGQUJDREVGQUJ")),
        ("quoted-printable", lines("gr=C3=BCn =  = =4 und so weiter =\r\n ")),
        ("x-uuencode", format!("begin 644 a\r\n{}`\r\nend\r\n", lines("#04)#"))),
        ("8bit", lines("plain")),
        ("x-unknown", lines("plain")),
    ] {
        let head = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n";
        let part =
            format!("Content-Type: a/b\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{body}");
        let letter = Letter::parse(format!("{head}{part}\r\n--b--\r\n").as_bytes());
        let attachments = letter.attachments();
        let mut written = Vec::new();
        attachments[0].write(&mut written).unwrap();
        assert!(written.len() > 100_000 && written == *attachments[0].bytes(), "{encoding}");
    }
}

/// Parses a letter, walks it and returns it. Fails after ten seconds, which is far more than a
/// linear parser needs even on a slow machine.
fn within_reason(what: &str, bytes: Vec<u8>) -> Letter {
    let started = Stopwatch::start();
    let length = bytes.len();
    let letter = Letter::from_bytes(bytes);
    let text = letter.text();
    let _ = (letter.html(), letter.attachments().len());
    let _ = fields(split(letter.as_bytes()).0).map(|field| field.decoded().len()).sum::<usize>();
    assert!(text.len() <= 4 * length + 16, "{what}: {} bytes of text from {length}", text.len());
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "{what}: {:?} for {length} bytes",
        started.elapsed()
    );
    letter
}

#[test]
fn hostile_letters_are_read_in_linear_time() {
    let repeat = |text: &str, times: usize| text.repeat(times).into_bytes();
    let mut nested = String::new();
    for level in 0..200_000 {
        let _ = write!(nested, "Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n");
    }
    assert_eq!(within_reason("nested multiparts", nested.into_bytes()).parts().len(), 100);
    assert_eq!(
        within_reason("nested letters", repeat("Content-Type: message/rfc822\n\n", 200_000))
            .parts()
            .len(),
        100
    );
    let many =
        format!("Content-Type: multipart/mixed; boundary=b\n\n{}", "--b\n\nx\n".repeat(10_000));
    assert_eq!(within_reason("10,000 parts", many.into_bytes()).parts().len(), 10_001);
    let most = format!("Content-Type: multipart/mixed; boundary=b\n\n{}", "--b\n".repeat(300_000));
    let most = within_reason("300,000 parts", most.into_bytes());
    assert_eq!(most.parts().len(), 100_000);
    assert!(
        most.part(99_999).unwrap().is_opaque() && most.part(99_999).unwrap().body().len() > 700_000
    );
    let long = format!("Subject: {}\nContent-Type: text/html\n\nx", "y".repeat(2 << 20));
    assert!(within_reason("a header over the limit", long.into_bytes()).root().is_opaque());
    let folded = format!("Subject: a{}\n\nx", "\n b".repeat(250_000));
    assert_eq!(within_reason("a folded header", folded.into_bytes()).text(), "x");
    let boundary_lines =
        format!("Content-Type: multipart/mixed; boundary=b\n\n--b\n\n{}", "--bb\n".repeat(500_000));
    within_reason("lines that are almost delimiters", boundary_lines.into_bytes());
    within_reason(
        "encoded words without end",
        [b"Subject: ".to_vec(), repeat("=?utf-8?Q?a", 90_000), b"\n\n".to_vec()].concat(),
    );
    within_reason(
        "encoded words",
        [b"Subject: ".to_vec(), repeat("=?utf-8?Q?a?= ", 70_000), b"\n\n".to_vec()].concat(),
    );
    within_reason(
        "parameters",
        [b"Content-Type: a/b".to_vec(), repeat("; n*1=a", 140_000), b"\n\n".to_vec()].concat(),
    );
    within_reason("begin lines", repeat("begin 644 x\nM\n", 200_000));
    for piece in ["<", "<a ", "<!--", "<script>", "</", "&", "<a b=\"", "<p>", "<pre>\n", "&#1;"] {
        within_reason(
            piece,
            [b"Content-Type: text/html\n\n".to_vec(), repeat(piece, 200_000)].concat(),
        );
    }
}

#[test]
fn hostile_address_lists_are_read_in_linear_time() {
    for piece in [
        "(",
        "\"",
        "<",
        ",",
        ":",
        "a:",
        "@",
        "a@",
        "a b ",
        "=?",
        "[",
        "\\",
        ";",
        "a. ",
        "<@a,",
        "a <b>",
        "(x)",
        "=?utf-8?Q?x?= ",
    ] {
        let started = Stopwatch::start();
        let _ = parse_mailbox_list(&piece.repeat(50_000));
        let _ = parse_mailbox_list(&format!("{}@{}", "a ".repeat(50_000), piece.repeat(50_000)));
        assert!(started.elapsed() < Duration::from_secs(10), "{piece:?}: {:?}", started.elapsed());
    }
}

fn sample() -> Outgoing {
    Outgoing {
        from: "Zoë Müller <zoe@x.org>".to_owned(),
        to: vec!["a@x.org".to_owned(), "\"Doe, Joe\" <joe@y.org>".to_owned()],
        bcc: vec!["secret@x.org".to_owned()],
        subject: Some("Grüße aus Köln".to_owned()),
        date: Some("Mon, 1 Mar 1999 00:00:00 +0000".to_owned()),
        message_id: Some("1@x.org".to_owned()),
        headers: vec![("X-Note".to_owned(), "a b".to_owned())],
        text: "Hällo\n".to_owned(),
        html: Some("<p>Hällo</p>".to_owned()),
        attachments: vec![NewPart::attachment(
            "grüße.bin",
            "application/octet-stream",
            vec![0, 1, 255, b'\n', b'\r'],
        )],
        ..Default::default()
    }
}

#[test]
fn a_built_letter_is_what_goes_over_the_wire() {
    let bytes = sample().build().unwrap();
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(
        text.is_ascii()
            && !text.contains("secret")
            && !text.replace("\r\n", "").contains(['\r', '\n']),
        "{text}"
    );
    assert!(text.starts_with("Date: Mon, 1 Mar 1999 00:00:00 +0000\r\nFrom: =?UTF-8?Q?Zo=C3=AB_M=C3=BCller?= <zoe@x.org>\r\n"), "{text}");
    assert!(
        text.contains("To: a@x.org, \"Doe, Joe\" <joe@y.org>\r\n")
            && text.contains("Message-ID: <1@x.org>\r\n"),
        "{text}"
    );
    let letter = Letter::parse(&bytes);
    assert_eq!(
        letter.parts().map(|part| part.content_type()).collect::<Vec<_>>().join(" "),
        "multipart/mixed multipart/alternative text/plain text/html application/octet-stream"
    );
    assert_eq!(
        (letter.text().as_str(), letter.html().as_deref()),
        ("Hällo\n", Some("<p>Hällo</p>"))
    );
    assert_eq!(letter.attachments()[0].file_name().as_deref(), Some("grüße.bin"));
    assert_eq!(&*letter.attachments()[0].bytes(), [0, 1, 255, b'\n', b'\r']);
    assert_eq!(sample().build().unwrap(), bytes);
}

#[test]
fn no_line_end_gets_into_a_header() {
    type Change = fn(&mut Outgoing, &str);
    let places: [(&str, Change); 14] = [
        ("From", |letter, bad| letter.from = format!("a@x{bad}")),
        ("To", |letter, bad| letter.to = vec![format!("a@x{bad}")]),
        ("To", |letter, bad| letter.to = vec![format!("\"a{bad}\" <a@x>")]),
        ("Cc", |letter, bad| letter.cc = vec![format!("a@x{bad}")]),
        ("Bcc", |letter, bad| letter.bcc = vec![format!("a@x{bad}")]),
        ("Reply-To", |letter, bad| letter.reply_to = vec![format!("a@x{bad}")]),
        ("Subject", |letter, bad| letter.subject = Some(format!("a{bad}"))),
        ("Date", |letter, bad| letter.date = Some(format!("a{bad}"))),
        ("Message-ID", |letter, bad| letter.message_id = Some(format!("a{bad}b"))),
        ("X", |letter, bad| letter.headers = vec![("X".to_owned(), format!("a{bad}"))]),
        ("file name", |letter, bad| letter.attachments[0].file_name = Some(format!("a{bad}"))),
        ("parameter", |letter, bad| {
            letter.attachments[0].parameters = vec![("x".to_owned(), format!("a{bad}"))]
        }),
        ("Content-ID", |letter, bad| letter.attachments[0].id = Some(format!("a{bad}"))),
        ("Content-Description", |letter, bad| {
            letter.attachments[0].description = Some(format!("a{bad}"))
        }),
    ];
    for (place, change) in places {
        for bad in ["\r", "\n", "\r\nBcc: x@y", "\0"] {
            let mut letter = sample();
            change(&mut letter, bad);
            assert_eq!(
                letter.build(),
                Err(BuildError::LineBreak { what: place.to_owned() }),
                "{place} {bad:?}"
            );
        }
    }
    let refused = |change: fn(&mut Outgoing)| {
        let mut letter = sample();
        change(&mut letter);
        letter.build().unwrap_err().to_string()
    };
    assert_eq!(
        refused(|letter| letter.headers = vec![("X: y\r\nZ".to_owned(), "a".to_owned())]),
        "header name: \"X: y\\r\\nZ\" is none"
    );
    assert_eq!(
        refused(|letter| letter.headers = vec![("bcc".to_owned(), "a@x".to_owned())]),
        "header bcc: set it by its own option"
    );
    assert_eq!(
        refused(|letter| letter.to = vec!["a@x> SIZE=1".to_owned()]),
        "To: expected an address, got \"a@x> SIZE=1\""
    );
    assert_eq!(
        refused(|letter| letter.to = vec!["\"joe@x.org\"".to_owned()]),
        "To: expected an address, got \"\\\"joe@x.org\\\"\""
    );
    assert!(
        refused(
            |letter| letter.attachments[0].content_type = Some(format!("a/{}", "b".repeat(999)))
        )
        .starts_with("content type: ")
    );
    assert_eq!(
        refused(|letter| letter.from = String::new()),
        "From: expected an address, got \"\""
    );
    assert_eq!(
        refused(|letter| letter.attachments[0].content_type = Some("a/b\r\nX: y".to_owned())),
        "content type: \"a/b\\r\\nX: y\" is none"
    );
    assert_eq!(
        refused(|letter| letter.attachments[0].content_type = Some("multipart/mixed".to_owned())),
        "a multipart needs at least one part"
    );
}

#[test]
fn parts_choose_an_encoding_that_fits() {
    let encoding = |text: &str| {
        let bytes =
            Outgoing { from: "a@x".to_owned(), text: text.to_owned(), ..Default::default() }
                .build()
                .unwrap();
        let letter = Letter::from_bytes(bytes);
        assert_eq!(letter.text(), text);
        letter.root().encoding().to_owned()
    };
    assert_eq!(encoding("plain\ntext\n"), "7bit");
    assert_eq!(encoding(&"x".repeat(998)), "7bit");
    assert_eq!(encoding(&"x".repeat(999)), "quoted-printable");
    assert_eq!(encoding("mostly plain, un café"), "quoted-printable");
    assert_eq!(encoding("日本語だけの手紙"), "base64");
    assert_eq!(encoding("some text a\rb"), "quoted-printable");
    assert_eq!(encoding("some text a\0b"), "quoted-printable");
    let forced = |encoding, body: &[u8]| {
        let part = NewPart {
            encoding: Some(encoding),
            body: body.to_vec(),
            disposition: Some(Disposition::Attachment),
            ..Default::default()
        };
        let bytes =
            Outgoing { from: "a@x".to_owned(), body: Some(part), ..Default::default() }.build()?;
        Ok(Letter::from_bytes(bytes).root().decoded().into_owned())
    };
    assert_eq!(
        forced(TransferEncoding::QuotedPrintable, b"a\nb\r\xff "),
        Ok(b"a\nb\r\xff ".to_vec())
    );
    assert_eq!(forced(TransferEncoding::Base64, b"a\nb"), Ok(b"a\nb".to_vec()));
    assert_eq!(forced(TransferEncoding::SevenBit, b"\xff"), Err(BuildError::NotSevenBit));
}

#[test]
fn a_boundary_occurs_in_no_part() {
    let mut letter = sample();
    for _ in 0..3 {
        let inside = letter.build().unwrap();
        letter.attachments = vec![NewPart {
            body: inside.clone(),
            content_type: Some("message/rfc822".to_owned()),
            ..Default::default()
        }];
        let outside = Letter::from_bytes(letter.build().unwrap());
        assert_eq!(&*outside.attachments()[0].bytes(), inside);
    }
}

#[test]
fn parts_do_not_nest_without_end() {
    let mut part = NewPart::default();
    for _ in 0..100 {
        part = NewPart { parts: Subparts::new(vec![part]).unwrap(), ..Default::default() };
    }
    assert!(Subparts::new(vec![part]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_bytes_are_a_letter(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let letter = Letter::parse(&bytes);
        for part in letter.parts() {
            prop_assert!(part.decoded().len() <= bytes.len());
        }
        let _ = (letter.text(), letter.html(), letter.attachments().len());
    }

    #[test]
    fn pieces_of_letters_in_any_order_are_a_letter(pieces in proptest::collection::vec(prop::sample::select(vec![
        "Content-Type: multipart/mixed; boundary=b\n", "Content-Type: message/rfc822\r\n", "Content-Type: text/html; charset=utf-7\n", "\n", "\r\n", "--b\n", "--b--\n", "--c", " ",
        "Content-Transfer-Encoding: base64\n", "Content-Transfer-Encoding: quoted-printable\n", "Content-Transfer-Encoding: x-uuencode\n", "=?utf-8?Q?=C3?=", "; name*0*=%",
        "Subject:", "begin 644 x\n", "#0V%T\n", "end\n", "=\n", "=A", "<p", ">", "&#", "\u{fe}", "(", "\"", "boundary=c;", "Content-Disposition: attachment; filename=",
    ]), 0..40)) {
        let bytes = pieces.concat().into_bytes();
        let letter = Letter::parse(&bytes);
        for part in letter.parts() {
            prop_assert!(part.decoded().len() <= bytes.len() && part.range().end <= bytes.len());
            let _ = (part.text(), part.file_name(), part.description(), part.line_count());
        }
        let _ = (letter.text(), letter.html(), letter.attachments().len());
    }

    #[test]
    fn any_text_survives_the_small_readers(text in "\\PC{0,80}|[=?<>@,;:\"()\\\\ a\\.utf8QB_%*'-]{0,80}") {
        let _ = (decode_text(&text), parse_mailbox_list(&text), is_plain_address(&text));
        let name = safe_name(Some(&text), "part");
        prop_assert!(!name.is_empty() && name.len() <= 200 && Path::new(&name).components().count() == 1 && name != "..", "{}", name);
        prop_assert_eq!(safe_name(Some(&name), "x"), name);
        prop_assert!(encode_parameter("n", &text).is_ascii());
    }

    #[test]
    fn what_is_built_is_read_back(
        text in "(\\PC|\n| |\t){0,300}", subject in "\\PC{0,200}| {0,3}[a-z=? ]{0,90}", display in "\\PC{0,90}", name in "\\PC{1,90}",
        body in proptest::collection::vec(any::<u8>(), 0..600), html in proptest::option::of("\\PC{1,100}"),
    ) {
        let entry = Entry::Mailbox { display: (!display.trim().is_empty()).then_some(display.clone()), route: None, local: "joe".to_owned(), domain: Some("x.org".to_owned()) };
        let from = if display.trim().is_empty() { "joe@x.org".to_owned() } else { format!("{} <joe@x.org>", postoffice::mime::encode_phrase(&display).replace("\r\n", "")) };
        let outgoing = Outgoing {
            from, to: vec!["a@x.org, b@y.org".to_owned()], subject: Some(subject.clone()), text: text.clone(), html: html.clone(),
            attachments: vec![NewPart::attachment(name.clone(), "text/x-thing", body.clone())],
            ..Default::default()
        };
        let bytes = outgoing.build().unwrap();
        prop_assert!(bytes.is_ascii());
        prop_assert!(bytes.split(|byte| *byte == b'\n').all(|line| line.len() <= 999));
        let letter = Letter::parse(&bytes);
        prop_assert_eq!(letter.root().subject(), Some(subject));
        let read = letter.parts().find(|part| part.content_type() == "text/plain").unwrap().text();
        prop_assert_eq!(read, text);
        prop_assert_eq!(parse_mailbox_list(&letter.root().field("from").unwrap()), vec![entry]);
        let attachments = letter.attachments();
        prop_assert_eq!(attachments.len(), 1);
        prop_assert_eq!(attachments[0].file_name(), Some(name));
        prop_assert_eq!(&*attachments[0].bytes(), &body[..]);
        prop_assert_eq!(letter.html(), html);
    }
}
