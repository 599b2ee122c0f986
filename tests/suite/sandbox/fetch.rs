//! FETCH: items, sections, partial fetches, and `\Seen`.

use super::client::*;

const NESTED: &[u8] = b"Subject: outer\nX-A: 1\nFrom: a@x\nx-a: 2\n folded\nContent-Type: multipart/mixed; boundary=b1\n\n\
    preamble\n--b1\nX-Part: one\n\nfirst\n--b1\nContent-Type: message/rfc822\n\nSubject: inner\n\
    Content-Type: multipart/alternative; boundary=b2\n\n--b2\n\ninner one\n--b2\nContent-Type: text/html\n\ninner two\n--b2--\n\
    --b1\nContent-Type: message/rfc822\n\nSubject: flat\n\nflat body\n--b1--\n";

#[test]
fn sections() {
    let sandbox = holding(&[NESTED, b"Subject: plain\n\nonly body\n", b"Subject: headless"]);
    let mut client = Client::inbox(&sandbox);
    for (number, section, expected) in [
        (1, "1", "{5}first"),
        (1, "1.MIME", "{15}X-Part: one\r\n\r\n"),
        (1, "1.HEADER", "NIL"),
        (
            1,
            "2.HEADER",
            "{68}Subject: inner\r\nContent-Type: multipart/alternative; boundary=b2\r\n\r\n",
        ),
        (1, "2.1", "{9}inner one"),
        (1, "2.2", "{9}inner two"),
        (1, "2.2.MIME", "{27}Content-Type: text/html\r\n\r\n"),
        (
            1,
            "2.TEXT",
            "{69}--b2\r\n\r\ninner one\r\n--b2\r\nContent-Type: text/html\r\n\r\ninner two\r\n--b2--",
        ),
        (1, "2.HEADER.FIELDS (subject)", "{18}Subject: inner\r\n\r\n"),
        (1, "3", "{26}Subject: flat\r\n\r\nflat body"),
        (1, "3.1", "{9}flat body"),
        (1, "3.TEXT", "{9}flat body"),
        (1, "4", "NIL"),
        (1, "1.1", "NIL"),
        (1, "2.3", "NIL"),
        (1, "HEADER.FIELDS (X-A)", "{27}X-A: 1\r\nx-a: 2\r\n folded\r\n\r\n"),
        (1, "HEADER.FIELDS (\"X-A\" None)", "{27}X-A: 1\r\nx-a: 2\r\n folded\r\n\r\n"),
        (1, "HEADER.FIELDS (None)", "{2}\r\n"),
        (1, "HEADER.FIELDS.NOT (X-A Content-Type)", "{29}Subject: outer\r\nFrom: a@x\r\n\r\n"),
        (2, "1", "{11}only body\r\n"),
        (2, "TEXT", "{11}only body\r\n"),
        (2, "HEADER", "{18}Subject: plain\r\n\r\n"),
        (2, "2", "NIL"),
        (3, "HEADER", "{17}Subject: headless"),
        (3, "TEXT", "{0}"),
        (3, "HEADER.FIELDS (Subject)", "{17}Subject: headless"),
    ] {
        let name = section.replace('"', "");
        assert_eq!(
            client.ok(&format!("FETCH {number} BODY.PEEK[{section}]")),
            [format!("* {number} FETCH (BODY[{name}] {expected})")],
            "{number} {section}"
        );
    }
}

#[test]
fn partial_fetches() {
    let sandbox = holding(&[b"Subject: x\n\n0123456789\n"]);
    let mut client = Client::inbox(&sandbox);
    for (item, expected) in [
        ("BODY.PEEK[TEXT]<0.4>", "BODY[TEXT]<0> {4}0123"),
        ("BODY.PEEK[TEXT]<4.2>", "BODY[TEXT]<4> {2}45"),
        ("BODY.PEEK[TEXT]<8.100>", "BODY[TEXT]<8> {4}89\r\n"),
        ("BODY.PEEK[TEXT]<12.1>", "BODY[TEXT]<12> {0}"),
        ("BODY.PEEK[TEXT]<4294967295.4294967295>", "BODY[TEXT]<4294967295> {0}"),
        ("BODY.PEEK[]<0.7>", "BODY[]<0> {7}Subject"),
        ("BODY.PEEK[9]<0.7>", "BODY[9]<0> NIL"),
    ] {
        assert_eq!(
            client.ok(&format!("FETCH 1 {item}")),
            [format!("* 1 FETCH ({expected})")],
            "{item}"
        );
    }
}

#[test]
fn items_and_macros() {
    let sandbox = holding(&[b"Subject: x\n\nbody\n"]);
    let mut client = Client::inbox(&sandbox);
    client.ok("STORE 1 +FLAGS.SILENT (\\Seen)");
    let date = client.ok("FETCH 1 INTERNALDATE")[0].replace("* 1 FETCH (", "").replace(')', "");
    let fast = format!("FLAGS (\\Seen \\Recent) {date} RFC822.SIZE 20");
    let envelope = "ENVELOPE (NIL \"x\" NIL NIL NIL NIL NIL NIL NIL NIL)";
    let body = "BODY (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 6 1)";
    for (items, expected) in [
        ("FAST", fast.clone()),
        ("ALL", format!("{fast} {envelope}")),
        ("FULL", format!("{fast} {envelope} {body}")),
        ("(UID FLAGS)", "UID 1 FLAGS (\\Seen \\Recent)".to_owned()),
        ("RFC822", "RFC822 {20}Subject: x\r\n\r\nbody\r\n".to_owned()),
        ("RFC822.HEADER", "RFC822.HEADER {14}Subject: x\r\n\r\n".to_owned()),
        ("RFC822.TEXT", "RFC822.TEXT {6}body\r\n".to_owned()),
        ("(BODY.PEEK[1] BODY)", format!("BODY[1] {{6}}body\r\n {body}")),
    ] {
        assert_eq!(
            client.ok(&format!("FETCH 1 {items}")),
            [format!("* 1 FETCH ({expected})")],
            "{items}"
        );
    }
    assert_eq!(client.ok("UID FETCH 1 FLAGS"), ["* 1 FETCH (UID 1 FLAGS (\\Seen \\Recent))"]);
    assert_eq!(client.ok("UID FETCH 1 (FLAGS UID)"), ["* 1 FETCH (FLAGS (\\Seen \\Recent) UID 1)"]);
}

#[test]
fn parts_are_fetched_decoded() {
    let letter = b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Transfer-Encoding: base64\n\nAAEC/w==\n--b\nContent-Transfer-Encoding: quoted-printable\n\na=C3=BC\n--b\nContent-Transfer-Encoding: x-odd\n\nx\n--b--\n";
    let sandbox = holding(&[letter]);
    let mut client = Client::inbox(&sandbox);
    assert_eq!(
        client.ok("FETCH 1 (BINARY.SIZE[1] BINARY.PEEK[2] BINARY.PEEK[2]<1.2> BINARY[9])"),
        [
            "* 1 FETCH (BINARY.SIZE[1] 4 BINARY[2] {3}a\u{fc} BINARY[2]<1> {2}\u{fc} BINARY[9] NIL FLAGS (\\Seen \\Recent))"
        ]
    );
    assert_eq!(
        client.tagged("FETCH 1 (FLAGS BINARY.PEEK[3])"),
        "NO [UNKNOWN-CTE] The transfer encoding of a part is not known."
    );
}

#[test]
fn reading_sets_seen_and_says_so() {
    let sandbox = manual();
    for (item, seen) in [
        ("BODY[]", true),
        ("BODY[TEXT]<0.1>", true),
        ("BODY[HEADER]", true),
        ("RFC822", true),
        ("RFC822.TEXT", true),
        ("RFC822.HEADER", false),
        ("BODY.PEEK[]", false),
        ("ENVELOPE", false),
        ("BODYSTRUCTURE", false),
    ] {
        let mut client = Client::inbox(&sandbox);
        client.ok("STORE 3 -FLAGS.SILENT (\\Seen)");
        let answer = client.ok(&format!("FETCH 3 {item}"));
        assert_eq!(answer[0].ends_with(" FLAGS (\\Seen))"), seen, "{item}");
        assert_eq!(client.ok("FETCH 3 FLAGS")[0] == "* 3 FETCH (FLAGS (\\Seen))", seen, "{item}");
    }
    let mut client = Client::inbox(&sandbox);
    client.ok("STORE 3 -FLAGS.SILENT (\\Seen)");
    assert!(
        client.ok("FETCH 3 (FLAGS BODY[])")[0].starts_with("* 3 FETCH (FLAGS (\\Seen) BODY[] {")
    );
}

#[test]
fn sets_of_letters() {
    let sandbox = manual();
    let mut client = Client::inbox(&sandbox);
    let mut numbers = |command: &str| -> String {
        let lines = client.ok(command);
        lines.iter().map(|line| line.split(' ').nth(1).unwrap()).collect::<Vec<_>>().join(" ")
    };
    for (command, expected) in [
        ("FETCH 1:3 UID", "1 2 3"),
        ("FETCH 3:1 UID", "1 2 3"),
        ("FETCH * UID", "7"),
        ("FETCH 6:* UID", "6 7"),
        ("FETCH 5,2,5:6 UID", "2 5 6"),
        ("UID FETCH 60:64 UID", "2 3 4"),
        ("UID FETCH 61,63,1000 UID", ""),
        ("UID FETCH 1000:* UID", "7"),
        ("UID FETCH 1:4294967295 UID", "1 2 3 4 5 6 7"),
    ] {
        assert_eq!(numbers(command), expected, "{command}");
    }
    assert_eq!(client.tagged("FETCH 8 UID"), "BAD Message number 8 is beyond the last, 7.");
    let sandbox = empty();
    let mut client = Client::inbox(&sandbox);
    assert_eq!(client.tagged("FETCH 1:* UID"), "BAD The mailbox is empty.");
    assert!(client.ok("UID FETCH 1:* UID").is_empty());
    assert_eq!(client.ok("SEARCH ALL"), ["* SEARCH"]);
}
