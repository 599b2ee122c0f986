//! STORE, APPEND, COPY, MOVE, EXPUNGE, CLOSE, UNSELECT.

use super::client::*;

#[test]
fn store_sets_adds_and_removes() {
    let sandbox = manual();
    let mut client = Client::inbox(&sandbox);
    for (command, expected) in [
        ("STORE 3 FLAGS (\\Seen \\Draft)", vec!["* 3 FETCH (FLAGS (\\Seen \\Draft))"]),
        ("STORE 3 +FLAGS (\\Flagged)", vec!["* 3 FETCH (FLAGS (\\Flagged \\Seen \\Draft))"]),
        ("STORE 3 -FLAGS (\\Seen \\Draft)", vec!["* 3 FETCH (FLAGS (\\Flagged))"]),
        (
            "STORE 3 +FLAGS \\Seen \\Answered",
            vec!["* 3 FETCH (FLAGS (\\Answered \\Flagged \\Seen))"],
        ),
        ("STORE 3 FLAGS ()", vec!["* 3 FETCH (FLAGS ())"]),
        (
            "UID STORE 62,64 +FLAGS (\\Seen)",
            vec!["* 3 FETCH (UID 62 FLAGS (\\Seen))", "* 4 FETCH (UID 64 FLAGS (\\Seen))"],
        ),
        ("UID STORE 61,63 +FLAGS (\\Seen)", vec![]),
        ("STORE 5:6 FLAGS.SILENT (\\Seen)", vec![]),
        ("STORE 5 -FLAGS.SILENT (\\Seen)", vec![]),
        ("STORE 5,6 +FLAGS ()", vec!["* 5 FETCH (FLAGS ())", "* 6 FETCH (FLAGS (\\Seen))"]),
    ] {
        assert_eq!(client.ok(command), expected, "{command}");
    }
    assert_eq!(client.tagged("STORE 8 FLAGS ()"), "BAD Message number 8 is beyond the last, 7.");
    assert_eq!(client.tagged("STORE 1 FLAGS (\\Recent)"), "BAD flag \\Recent cannot be set");
}

#[test]
fn append_takes_flags_and_a_date() {
    let sandbox = empty();
    let mut client = Client::inbox(&sandbox);
    let answer = client.append(
        "INBOX (\\Seen $Note) \" 2-Jan-1999 03:04:05 +0530\"",
        "Subject: x\r\n\r\nbody\r\n",
    );
    assert_eq!(answer, "OK [APPENDUID 937180800 1] APPEND completed.");
    assert_eq!(
        client.ok("FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE)"),
        [
            "* 1 FETCH (FLAGS (\\Seen $Note \\Recent) INTERNALDATE \" 2-Jan-1999 03:04:05 +0530\" RFC822.SIZE 20)"
        ]
    );
    assert_eq!(client.append("nothing", "x"), "NO [TRYCREATE] No such mailbox.");
    assert_eq!(client.append("INBOX (\\Recent)", "x"), "BAD flag \\Recent cannot be set");
    assert_eq!(
        client.append("INBOX \"32-Jan-1999 00:00:00 +0000\"", "x"),
        "BAD Command APPEND is unknown or has wrong arguments."
    );
    assert_eq!(sandbox.store().letters("myacct", "INBOX").len(), 1);
}

#[test]
fn copy_keeps_flags_and_dates_and_says_where() {
    let sandbox = manual();
    let mut client = Client::inbox(&sandbox);
    client.ok("CREATE box");
    client.append("box", "Subject: first\r\n\r\n");
    client.ok("STORE 4 +FLAGS (\\Flagged $Todo)");
    let validity = client.ok("STATUS box (UIDVALIDITY)")[0]
        .replace("* STATUS box (UIDVALIDITY ", "")
        .replace(')', "");
    assert_eq!(
        client.tagged("COPY 7,3:4 box"),
        format!("OK [COPYUID {validity} 62,64,68 2:4] COPY completed.")
    );
    assert_eq!(client.tagged("UID COPY 61 box"), "OK COPY completed.");
    assert_eq!(client.tagged("COPY 1 nothing"), "NO [TRYCREATE] No such mailbox.");
    client.ok("SELECT box");
    assert_eq!(
        client.ok("FETCH 3 (FLAGS INTERNALDATE)"),
        [
            "* 3 FETCH (FLAGS (\\Flagged $Todo \\Recent) INTERNALDATE \"13-Sep-1999 11:36:26 -0700\")"
        ]
    );
}

#[test]
fn move_says_where_before_it_expunges() {
    let sandbox = manual();
    let mut client = Client::inbox(&sandbox);
    client.ok("CREATE box");
    let validity = client.ok("STATUS box (UIDVALIDITY)")[0]
        .replace("* STATUS box (UIDVALIDITY ", "")
        .replace(')', "");
    assert_eq!(
        client.ok("MOVE 2:3 box"),
        [
            format!("* OK [COPYUID {validity} 60,62 1:2] Moved."),
            "* 2 EXPUNGE".to_owned(),
            "* 2 EXPUNGE".to_owned()
        ]
    );
    assert_eq!(
        client.ok("UID MOVE 68 box"),
        [format!("* OK [COPYUID {validity} 68 3] Moved."), "* 5 EXPUNGE".to_owned()]
    );
    assert!(client.ok("UID MOVE 1:58 box").is_empty());
    assert_eq!(client.tagged("MOVE 1 nothing"), "NO [TRYCREATE] No such mailbox.");
    assert_eq!(client.ok("STATUS box (MESSAGES)"), ["* STATUS box (MESSAGES 3)"]);
}

#[test]
fn uid_expunge_removes_only_its_own() {
    let sandbox = manual();
    let mut client = Client::inbox(&sandbox);
    client.ok("STORE 1:3 +FLAGS.SILENT (\\Deleted)");
    assert_eq!(client.ok("UID EXPUNGE 60:61,64"), ["* 2 EXPUNGE"]);
    assert_eq!(client.ok("SEARCH DELETED"), ["* SEARCH 1 2"]);
}

#[test]
fn close_expunges_in_silence_and_unselect_does_not() {
    let sandbox = manual();
    let mut client = Client::inbox(&sandbox);
    client.ok("STORE 1 +FLAGS.SILENT (\\Deleted)");
    assert!(client.ok("UNSELECT").is_empty());
    assert_eq!(client.ok("STATUS INBOX (MESSAGES)"), ["* STATUS INBOX (MESSAGES 7)"]);
    client.ok("EXAMINE INBOX");
    client.ok("CLOSE");
    assert_eq!(client.ok("STATUS INBOX (MESSAGES)"), ["* STATUS INBOX (MESSAGES 7)"]);
    client.ok("SELECT INBOX");
    assert!(client.ok("CLOSE").is_empty());
    assert_eq!(client.ok("STATUS INBOX (MESSAGES)"), ["* STATUS INBOX (MESSAGES 6)"]);
    assert_eq!(client.tagged("CLOSE"), "BAD Select a mailbox first.");
}

#[test]
fn a_hundred_thousand_letters_stay_usable() {
    let sandbox = empty();
    for number in 0..100_000 {
        sandbox
            .store()
            .deliver("myacct", "INBOX", format!("Subject: letter {number}\n\nbody\n").as_bytes())
            .unwrap();
    }
    let mut client = Client::inbox(&sandbox);
    assert_eq!(client.ok("UID FETCH 1:* FLAGS").len(), 100_000);
    assert_eq!(client.ok("SEARCH SUBJECT \"letter 99999\""), ["* SEARCH 100000"]);
    client.ok("UID STORE 1:99998 +FLAGS.SILENT (\\Deleted)");
    assert_eq!(client.ok("EXPUNGE").len(), 99_998);
    assert_eq!(client.ok("FETCH 1:* UID"), ["* 1 FETCH (UID 99999)", "* 2 FETCH (UID 100000)"]);
}
