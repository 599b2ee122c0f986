//! UTF8=ACCEPT (RFC 6855) and IMAP4rev2 (RFC 9051): what they change, once a client has enabled them.

use super::client::*;
use postoffice::sandbox::{Extension, Extensions, Options, Sandbox};

#[test]
fn names_and_strings_travel_as_utf8_once_it_is_enabled() {
    let sandbox = holding(&["Subject: Grüße\n\nx\n".as_bytes()]);
    let mut before = Client::inbox(&sandbox);
    before.ok("CREATE Entw&APw-rfe");
    assert!(!before.tagged("SELECT \"Entwürfe\"").starts_with("OK "));
    let mut client = Client::login(&sandbox);
    assert_eq!(client.ok("ENABLE UTF8=ACCEPT"), ["* ENABLED UTF8=ACCEPT"]);
    assert_eq!(client.ok("LIST \"\" Ent*"), ["* LIST (\\HasNoChildren) \"/\" \"Entwürfe\""]);
    client.ok("CREATE \"R&D/Köln\"");
    assert_eq!(client.ok("STATUS \"R&D/Köln\" (MESSAGES)"), ["* STATUS \"R&D/Köln\" (MESSAGES 0)"]);
    assert_eq!(client.ok("LIST \"\" \"R&D/K_ln\""), [""; 0]);
    assert_eq!(client.ok("LIST \"\" \"R&D/%ö%\"").len(), 1);
    assert_eq!(before.ok("LIST \"\" R*/*").len(), 1);
    assert!(before.ok("LIST \"\" R*/*")[0].ends_with(" R&-D/K&APY-ln"));
    client.ok("SELECT INBOX");
    assert_eq!(client.ok("SEARCH SUBJECT \"grüße\""), ["* SEARCH 1"]);
    assert!(client.tagged("SEARCH CHARSET UTF-8 ALL").starts_with("BAD "));
    assert_eq!(client.ok("SORT (DATE) UTF-8 SUBJECT \"ü\""), ["* SORT 1"]);
    for (command, answer) in [
        ("APPEND \"Entwürfe\" UTF8 (~{12+}\r\nSubject: ü\r)", "OK [APPENDUID "),
        (
            "APPEND \"Entwürfe\" (\\Seen) UTF8 (~{1+}\r\nx) \" 3-Sep-1999 11:36:26 -0700\" {1+}\r\ny",
            "OK [APPENDUID ",
        ),
        ("APPEND \"Entwürfe\" UTF8 {1+}\r\nx", "BAD "),
        ("APPEND \"nowhere ü\" UTF8 (~{1+}\r\nx)", "NO [TRYCREATE] "),
    ] {
        let found = client.tagged(command);
        assert!(found.starts_with(answer), "{command}: {found}");
    }
    assert_eq!(client.ok("STATUS \"Entwürfe\" (MESSAGES)"), ["* STATUS \"Entwürfe\" (MESSAGES 3)"]);
}

#[test]
fn imap4rev2_has_no_recent_no_lsub_and_answers_with_esearch() {
    let extensions = Extensions::default().with(Extension::Rev2);
    let sandbox = Sandbox::start(Options { extensions, ..Options::default() }).unwrap();
    let mut client = Client::login(&sandbox);
    assert!(client.ok("CAPABILITY")[0].contains(" IMAP4rev2 "));
    assert!(client.ok("SELECT INBOX").iter().any(|line| line.ends_with(" RECENT")));
    client.ok("UNSELECT");
    assert_eq!(client.ok("ENABLE IMAP4rev2 X-NO"), ["* ENABLED IMAP4rev2"]);
    let selected = client.ok("SELECT INBOX");
    assert!(!selected.iter().any(|line| line.contains("RECENT") || line.contains("[UNSEEN")));
    assert!(selected.contains(&"* LIST () \"/\" INBOX".to_owned()), "{selected:?}");
    assert!(client.ok("EXAMINE INBOX")[0].starts_with("* OK [CLOSED] "));
    let found = client.ok("SEARCH ALL");
    assert!(found[0].starts_with("* ESEARCH (TAG \"") && found[0].contains(" ALL 1:"), "{found:?}");
    assert!(client.ok("UID SEARCH NOT ALL")[0].ends_with("\") UID"));
    for command in [
        "LSUB \"\" *",
        "CHECK",
        "STATUS INBOX (RECENT)",
        "SEARCH NEW",
        "SEARCH OR SEEN NOT OLD",
        "FETCH 1 RFC822",
        "FETCH 1 (RFC822.TEXT)",
        "FETCH 1 RFC822.HEADER",
    ] {
        let refused = client.tagged(command);
        assert!(refused.starts_with("BAD IMAP4rev2 has no "), "{command}: {refused}");
    }
    assert!(client.ok("FETCH 1 FLAGS").iter().all(|line| !line.contains("Recent")));
    // What it includes cannot be switched off under it.
    let extensions = extensions.without(Extension::ListExtended);
    let sandbox = Sandbox::start(Options { extensions, ..Options::default() }).unwrap();
    assert!(!Client::login(&sandbox).ok("CAPABILITY")[0].contains("IMAP4rev2"));
}

#[test]
fn a_letter_is_replaced_and_several_are_appended_at_once() {
    let sandbox = holding(&[b"Subject: one\n\n", b"Subject: two\n\n"]);
    let mut client = Client::inbox(&sandbox);
    let answer = client.ok("UID REPLACE 1 INBOX (\\Seen) {14+}\r\nSubject: new\r\n");
    assert!(answer[0].starts_with("* OK [APPENDUID ") && answer[0].contains(" 3] "), "{answer:?}");
    assert!(answer.contains(&"* 1 EXPUNGE".to_owned()), "{answer:?}");
    assert_eq!(client.ok("FETCH 1:2 (UID)"), ["* 1 FETCH (UID 2)", "* 2 FETCH (UID 3)"]);
    for (command, answer) in [
        ("REPLACE 9 INBOX {1+}\r\nx", "NO [NONEXISTENT] "),
        ("UID REPLACE 1 INBOX {1+}\r\nx", "NO [NONEXISTENT] "),
        ("REPLACE 1 nowhere {1+}\r\nx", "NO [TRYCREATE] "),
        ("REPLACE 1 INBOX {1+}\r\nx {1+}\r\ny", "BAD "),
        ("APPEND nowhere {1+}\r\nx {1+}\r\ny", "NO [TRYCREATE] "),
        ("APPEND INBOX {1+}\r\nx (\\Odd) {1+}\r\ny", "BAD "),
    ] {
        let found = client.tagged(command);
        assert!(found.starts_with(answer), "{command}: {found}");
    }
    assert_eq!(client.ok("STATUS INBOX (MESSAGES)"), ["* STATUS INBOX (MESSAGES 2)"]);
    let stored = client.tagged("APPEND INBOX {1+}\r\nx (\\Seen) {1+}\r\ny ~{2+}\r\n\0z");
    assert!(stored.starts_with("OK [APPENDUID ") && stored.contains(" 4:6] "), "{stored}");
    assert_eq!(
        client.tagged("APPEND INBOX {1+}\r\n\0 {1+}\r\nx"),
        "BAD A command cannot contain NUL."
    );
}
