//! ENVELOPE and BODYSTRUCTURE, as known-answer tests.

use imap_codec::{ResponseCodec, decode::Decoder};

use super::client::*;

#[test]
fn envelopes() {
    for (header, expected) in [
        ("", "NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL"),
        (
            "From: a@x",
            "NIL NIL ((NIL NIL \"a\" \"x\")) ((NIL NIL \"a\" \"x\")) ((NIL NIL \"a\" \"x\")) NIL NIL NIL NIL NIL",
        ),
        (
            "From: a@x\nSender: s@x\nReply-To: r@x",
            "NIL NIL ((NIL NIL \"a\" \"x\")) ((NIL NIL \"s\" \"x\")) ((NIL NIL \"r\" \"x\")) NIL NIL NIL NIL NIL",
        ),
        ("Subject:", "NIL \"\" NIL NIL NIL NIL NIL NIL NIL NIL"),
        ("Subject: a\n b\n\tc", "NIL \"a b\tc\" NIL NIL NIL NIL NIL NIL NIL NIL"),
        (
            "Subject: say \"hi\" \\o/",
            "NIL \"say \\\"hi\\\" \\\\o/\" NIL NIL NIL NIL NIL NIL NIL NIL",
        ),
        ("Subject: s\u{fc}\u{df}", "NIL {5}s\u{fc}\u{df} NIL NIL NIL NIL NIL NIL NIL NIL"),
        ("Subject: =?utf-8?q?raw?=", "NIL \"=?utf-8?q?raw?=\" NIL NIL NIL NIL NIL NIL NIL NIL"),
        (
            "Date: Mon, 13 Sep 1999 11:36:26 -0700\nMessage-ID: <1@x>\nIn-Reply-To: <0@x>\n <00@x>",
            "\"Mon, 13 Sep 1999 11:36:26 -0700\" NIL NIL NIL NIL NIL NIL NIL \"<0@x> <00@x>\" \"<1@x>\"",
        ),
        (
            "To: undisclosed-recipients:;",
            "NIL NIL NIL NIL NIL ((NIL NIL \"undisclosed-recipients\" NIL)(NIL NIL NIL NIL)) NIL NIL NIL NIL",
        ),
        (
            "To: Old Friends: a@x, B <b@y>;, c@z",
            "NIL NIL NIL NIL NIL ((NIL NIL \"Old Friends\" NIL)(NIL NIL \"a\" \"x\")(\"B\" NIL \"b\" \"y\")(NIL NIL NIL NIL)\
             (NIL NIL \"c\" \"z\")) NIL NIL NIL NIL",
        ),
        (
            "Cc: \"Doe, John\" <john@x>, John Q. Public <jqp@x>, k@x (Karl), <l@x>",
            "NIL NIL NIL NIL NIL NIL ((\"Doe, John\" NIL \"john\" \"x\")(\"John Q. Public\" NIL \"jqp\" \"x\")(\"Karl\" NIL \"k\" \"x\")\
             (NIL NIL \"l\" \"x\")) NIL NIL NIL",
        ),
        ("Bcc: <@a,@b:u@x>", "NIL NIL NIL NIL NIL NIL NIL ((NIL \"@a,@b\" \"u\" \"x\")) NIL NIL"),
        (
            "To: \"q\\\"uote\" <q@x>",
            "NIL NIL NIL NIL NIL ((\"q\\\"uote\" NIL \"q\" \"x\")) NIL NIL NIL NIL",
        ),
        (
            "To: local",
            "NIL NIL NIL NIL NIL ((NIL NIL \"local\" \"MISSING_DOMAIN\")) NIL NIL NIL NIL",
        ),
        (
            "To: a@x\nTo: b@x",
            "NIL NIL NIL NIL NIL ((NIL NIL \"a\" \"x\")(NIL NIL \"b\" \"x\")) NIL NIL NIL NIL",
        ),
    ] {
        let sandbox = holding(&[format!("X: y\n{header}\n\nbody\n").as_bytes()]);
        assert_eq!(
            Client::inbox(&sandbox).ok("FETCH 1 ENVELOPE"),
            [format!("* 1 FETCH (ENVELOPE ({expected}))")],
            "{header:?}"
        );
    }
}

const PLAIN: &str = "\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\"";

#[test]
fn body_structures() {
    let n = "NIL NIL NIL NIL";
    for (letter, expected) in [
        ("\nbody\n", format!("({PLAIN} 6 1 {n})")),
        ("", format!("({PLAIN} 0 0 {n})")),
        ("X: y", format!("({PLAIN} 0 0 {n})")),
        (
            "Content-Type: TEXT/Html; CharSet=\"utf-8\" (really); x=\"a\\\"b\"\nContent-Transfer-Encoding: BASE64\nContent-ID: <i>\n\
             Content-Description: what it is\nContent-MD5: md5\nContent-Disposition: attachment; filename=\"a b\"\nContent-Language: en, de\n\
             Content-Location: http://x/\n\na\nb",
            "(\"TEXT\" \"Html\" (\"CharSet\" \"utf-8\" \"x\" \"a\\\"b\") \"<i>\" \"what it is\" \"BASE64\" 4 1 \"md5\" \
             (\"attachment\" (\"filename\" \"a b\")) (\"en\" \"de\") \"http://x/\")"
                .to_owned(),
        ),
        (
            "Content-Type: image/png\nContent-Disposition: inline\n\nx",
            "(\"image\" \"png\" NIL NIL NIL \"7bit\" 1 NIL (\"inline\" NIL) NIL NIL)".to_owned(),
        ),
        (
            "Content-Type: application/pdf; name*0=ab; name*1=cd; title*0*=utf-8''e; title*1*=%20f\n\nx",
            "(\"application\" \"pdf\" (\"name\" \"abcd\" \"title*\" \"utf-8''e%20f\") NIL NIL \"7bit\" 1 NIL NIL NIL NIL)".to_owned(),
        ),
        (
            "Content-Type: multipart/mixed; boundary=\"b 1\"\n\npreamble\n--b 1\n\none\n--b 1\n\ntwo\n\n--b 1--\nepilogue\n",
            format!("(({PLAIN} 3 0 {n})({PLAIN} 5 1 {n}) \"mixed\" (\"boundary\" \"b 1\") NIL NIL NIL)"),
        ),
        (
            "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\none\n\
             --c\nContent-Type: text/html\n\n<b>\n--c--\n--b\nContent-Type: message/rfc822\n\nSubject: in\n\ninner\n--b--\n",
            format!(
                "((({PLAIN} 3 0 {n})(\"text\" \"html\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 0 {n}) \"alternative\" (\"boundary\" \"c\") \
                 NIL NIL NIL)(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 20 (NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) ({PLAIN} 5 0 {n}) 2 {n}) \
                 \"mixed\" (\"boundary\" \"b\") NIL NIL NIL)"
            ),
        ),
        (
            "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: d\n\nx\n--b--\n",
            format!(
                "((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 15 (NIL \"d\" NIL NIL NIL NIL NIL NIL NIL NIL) ({PLAIN} 1 0 {n}) 2 {n}) \
                 \"digest\" (\"boundary\" \"b\") NIL NIL NIL)"
            ),
        ),
        ("Content-Type: rubbish\n\nx", format!("({PLAIN} 1 0 {n})")),
        ("Content-Type: multipart/mixed\n\n--b\n\nx", format!("(({PLAIN} 0 0 {n}) \"mixed\" NIL NIL NIL NIL)")),
        (
            "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nnever closed",
            format!("(({PLAIN} 12 0 {n}) \"mixed\" (\"boundary\" \"b\") NIL NIL NIL)"),
        ),
        (
            "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\nouter ends inner\n--b\n\nx\n--b--",
            format!(
                "((({PLAIN} 16 0 {n}) \"mixed\" (\"boundary\" \"c\") NIL NIL NIL)({PLAIN} 1 0 {n}) \"mixed\" (\"boundary\" \"b\") NIL NIL NIL)"
            ),
        ),
    ] {
        let sandbox = holding(&[letter.as_bytes()]);
        let mut client = Client::inbox(&sandbox);
        assert_eq!(client.ok("FETCH 1 BODYSTRUCTURE"), [format!("* 1 FETCH (BODYSTRUCTURE {expected})")], "{letter}");
    }
}

#[test]
fn body_is_the_structure_without_its_extension() {
    let sandbox = holding(&[b"Content-Type: multipart/mixed; boundary=b\nContent-Language: en\n\n--b\nContent-MD5: x\n\none\n--b--\n"]);
    assert_eq!(
        Client::inbox(&sandbox).ok("FETCH 1 BODY"),
        [format!("* 1 FETCH (BODY (({PLAIN} 3 0) \"mixed\"))")]
    );
}

#[test]
fn nesting_without_end_is_cut() {
    let mut multiparts = String::new();
    for level in 0..5000 {
        multiparts += &format!("Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n");
    }
    let messages = "Content-Type: message/rfc822\n\n".repeat(100_000);
    let sandbox = holding(&[multiparts.as_bytes(), messages.as_bytes()]);
    let mut client = Client::inbox(&sandbox);
    assert_eq!(client.ok("FETCH 1:2 (BODYSTRUCTURE ENVELOPE)").len(), 2);
    assert_eq!(client.ok("SEARCH BODY nothing"), ["* SEARCH"]);
}

/// Another project's parser accepts the sandbox's responses.
#[test]
fn another_parser_understands_the_answers() {
    let mut letters: Vec<Vec<u8>> = Vec::new();
    for header in [
        "",
        "Subject: \"q\" \\",
        "Subject: s\u{fc}\u{df}",
        "From: <>, :;, \"a\\\"\" <(>",
        "To: g: a@x, b;",
        "Content-Type: multipart/mixed",
    ] {
        letters.push(format!("X: y\n{header}\n\nbody\n").into_bytes());
    }
    letters
        .push(b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\nFrom: a@x\n\nx\n--b\n\n--b--\n".to_vec());
    letters.push(
        b"Content-Disposition: attachment; filename=\"\xc3\xbc\"\nContent-Language: en,de\n\nx"
            .to_vec(),
    );
    let letters: Vec<&[u8]> = letters.iter().map(Vec::as_slice).collect();
    let sandbox = holding(&letters);
    let mut client = Client::login(&sandbox);
    for command in [
        "CAPABILITY",
        "LIST \"\" *",
        "LIST \"\" \"\"",
        "STATUS INBOX (MESSAGES UIDNEXT)",
        "SELECT INBOX",
        "SEARCH ALL",
        "SEARCH 99",
        "FETCH 1:* FULL",
        "FETCH 1:* (UID BODYSTRUCTURE BODY[] BODY.PEEK[HEADER.FIELDS (Subject)] BODY.PEEK[TEXT]<1.2> BODY.PEEK[9])",
        "STORE 1:* +FLAGS ($x \\Deleted)",
        "COPY 1 INBOX",
        "EXPUNGE",
    ] {
        let answer = client.raw_answer(command);
        let mut rest = &answer[..];
        while !rest.is_empty() {
            let shown = String::from_utf8_lossy(rest).into_owned();
            rest = ResponseCodec::default()
                .decode(rest)
                .unwrap_or_else(|error| panic!("{command}: {error:?}: {shown}"))
                .0;
        }
    }
}
