//! CONDSTORE and QRESYNC (RFC 7162) as a client sees them on the wire.

use super::client::*;

#[test]
fn mod_sequences_number_the_changes() {
    let sandbox = manual();
    let mut client = Client::inbox(&sandbox);
    // Flags are told with mod-sequences as soon as the client has asked for one.
    assert_eq!(client.ok("STORE 2 +FLAGS (\\Flagged)"), ["* 2 FETCH (FLAGS (\\Flagged \\Seen))"]);
    assert_eq!(
        client.ok("FETCH 1:2 (MODSEQ)"),
        ["* 1 FETCH (MODSEQ (2))", "* 2 FETCH (MODSEQ (9))"]
    );
    for (command, expected) in [
        ("STORE 2 +FLAGS (\\Flagged)", "* 2 FETCH (FLAGS (\\Flagged \\Seen) MODSEQ (9))"),
        ("STORE 2 -FLAGS.SILENT (\\Flagged)", "* 2 FETCH (MODSEQ (10))"),
        ("UID STORE 60 -FLAGS.SILENT (\\Flagged)", "* 2 FETCH (UID 60 MODSEQ (10))"),
        ("FETCH 1:7 (FLAGS) (CHANGEDSINCE 8)", "* 2 FETCH (FLAGS (\\Seen) MODSEQ (10))"),
        ("UID FETCH 1:* (UID) (CHANGEDSINCE 8)", "* 2 FETCH (UID 60 MODSEQ (10))"),
        ("STATUS INBOX (HIGHESTMODSEQ)", "* STATUS INBOX (HIGHESTMODSEQ 10)"),
        ("SEARCH MODSEQ 10", "* SEARCH 2 (MODSEQ 10)"),
        ("SEARCH MODSEQ \"/flags/\\\\seen\" all 9", "* SEARCH 2 (MODSEQ 10)"),
        ("SEARCH NOT MODSEQ 3", "* SEARCH 1 (MODSEQ 2)"),
        ("SEARCH MODSEQ 11", "* SEARCH"),
    ] {
        assert_eq!(client.ok(command), [expected], "{command}");
    }
    assert_eq!(client.ok("FETCH 1:7 (FLAGS) (CHANGEDSINCE 10)"), [""; 0]);
    let mut other = Client::inbox(&sandbox);
    other.ok("STORE 1 +FLAGS (\\Flagged)");
    assert_eq!(client.ok("NOOP"), ["* 1 FETCH (FLAGS (\\Flagged \\Seen) MODSEQ (11))"]);
    assert_eq!(
        client.ok("FETCH 3 (BODY[]<0.1>)"),
        ["* 3 FETCH (BODY[]<0> {1}R FLAGS (\\Seen) MODSEQ (12))"]
    );
}

#[test]
fn a_store_leaves_alone_what_has_changed() {
    let sandbox = manual();
    let mut client = Client::inbox(&sandbox);
    let mut other = Client::inbox(&sandbox);
    other.ok("STORE 2,4 +FLAGS (\\Flagged)");
    assert_eq!(
        client.tagged("STORE 1:4 (UNCHANGEDSINCE 8) +FLAGS.SILENT (\\Deleted)"),
        "OK [MODIFIED 2,4] Others have changed some letters."
    );
    assert_eq!(
        client.tagged("UID STORE 60 (UNCHANGEDSINCE 8) +FLAGS.SILENT (\\Deleted)"),
        "OK [MODIFIED 60] Others have changed some letters."
    );
    assert_eq!(client.ok("SEARCH DELETED"), ["* SEARCH 1 3"]);
    assert_eq!(
        client.tagged("STORE 2 (UNCHANGEDSINCE 99) +FLAGS.SILENT (\\Seen)"),
        "OK STORE completed."
    );
    assert_eq!(client.tagged("EXPUNGE"), "OK [HIGHESTMODSEQ 13] EXPUNGE completed.");
}

#[test]
fn what_vanished_and_changed_is_told() {
    let sandbox = manual();
    let mut other = Client::inbox(&sandbox);
    other.ok("STORE 3:4 +FLAGS (\\Deleted)");
    other.ok("EXPUNGE");
    other.ok("STORE 2 +FLAGS (\\Flagged)");
    let mut client = Client::inbox(&sandbox);
    assert_eq!(
        client.tagged("SELECT INBOX (QRESYNC (937180800 8))"),
        "BAD QRESYNC is not enabled."
    );
    assert_eq!(
        client.tagged("UID FETCH 1:* (FLAGS) (CHANGEDSINCE 8 VANISHED)"),
        "BAD VANISHED is not possible here."
    );
    assert_eq!(client.ok("ENABLE QRESYNC"), ["* ENABLED QRESYNC"]);
    let told = client.ok("SELECT INBOX (QRESYNC (937180800 8))");
    assert_eq!(told[0], "* OK [CLOSED] The mailbox is left.");
    let changed = "* 2 FETCH (UID 60 FLAGS (\\Flagged \\Seen) MODSEQ (12))";
    assert_eq!(told[told.len() - 2..], ["* VANISHED (EARLIER) 62,64", changed]);
    for (parameters, last) in [
        ("937180800 12", "* OK [HIGHESTMODSEQ 12] The last change."),
        ("937180800 8 1:60", changed),
        ("937180800 8 64", "* VANISHED (EARLIER) 64"),
        ("937180800 8 1:64 (1:3 59:61)", changed),
        ("1 8", "* OK [HIGHESTMODSEQ 12] The last change."),
    ] {
        let told = client.ok(&format!("SELECT INBOX (QRESYNC ({parameters}))"));
        assert_eq!(told.last().unwrap(), last, "{parameters}");
    }
    assert_eq!(
        client.ok("UID FETCH 1:* (UID) (CHANGEDSINCE 8 VANISHED)"),
        ["* VANISHED (EARLIER) 62,64", "* 2 FETCH (UID 60 MODSEQ (12))"]
    );
    // From now on EXPUNGE says UIDs.
    other.ok("STORE 1:2 +FLAGS (\\Deleted)");
    other.ok("EXPUNGE");
    assert_eq!(client.ok("FETCH 5 (UID)"), ["* 5 FETCH (UID 68)"]);
    assert_eq!(client.ok("NOOP"), ["* VANISHED 59:60"]);
    assert_eq!(
        client.ok("UID FETCH 1:* (UID) (CHANGEDSINCE 12 VANISHED)")[0],
        "* VANISHED (EARLIER) 59:60"
    );
}
