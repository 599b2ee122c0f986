//! Two sessions on one mailbox, and IDLE.

use super::client::*;

#[test]
fn another_session_hears_at_its_next_command() {
    let sandbox = manual();
    let (mut one, mut two) = (Client::inbox(&sandbox), Client::inbox(&sandbox));
    one.ok("STORE 2,5 +FLAGS (\\Deleted)");
    assert_eq!(
        two.ok("NOOP"),
        ["* 2 FETCH (FLAGS (\\Deleted \\Seen))", "* 5 FETCH (FLAGS (\\Deleted))"]
    );
    assert_eq!(one.ok("EXPUNGE"), ["* 2 EXPUNGE", "* 4 EXPUNGE"]);
    sandbox.store().deliver("myacct", "INBOX", b"Subject: new\n\n").unwrap();
    assert_eq!(two.ok("NOOP"), ["* 2 EXPUNGE", "* 4 EXPUNGE", "* 6 EXISTS", "* 1 RECENT"]);
    assert_eq!(one.ok("NOOP"), ["* 6 EXISTS", "* 1 RECENT"]);
}

#[test]
fn message_numbers_stay_while_they_are_in_use() {
    let sandbox = manual();
    let (mut one, mut two) = (Client::inbox(&sandbox), Client::inbox(&sandbox));
    one.ok("STORE 1 +FLAGS.SILENT (\\Deleted)");
    one.ok("EXPUNGE");
    assert_eq!(two.ok("FETCH 2 UID"), ["* 2 FETCH (UID 60)"]);
    assert_eq!(
        two.command("FETCH 1:2 UID"),
        ["* 2 FETCH (UID 60)", "NO [EXPUNGEISSUED] Some of these letters are gone."]
    );
    assert_eq!(two.ok("SEARCH 1:3"), ["* SEARCH 2 3"]);
    assert_eq!(two.ok("STORE 2 +FLAGS (\\Flagged)"), ["* 2 FETCH (FLAGS (\\Flagged \\Seen))"]);
    assert_eq!(
        two.command("COPY 1 INBOX"),
        ["* 1 EXPUNGE", "NO [EXPUNGEISSUED] Some of these letters are gone."]
    );
    assert_eq!(two.ok("UID FETCH 59:60 FLAGS"), ["* 1 FETCH (UID 60 FLAGS (\\Flagged \\Seen))"]);
}

#[test]
fn expunges_are_renumbered_as_they_are_told() {
    let sandbox = manual();
    let mut client = Client::inbox(&sandbox);
    client.ok("STORE 3:5 +FLAGS.SILENT (\\Deleted)");
    assert_eq!(client.ok("EXPUNGE"), ["* 3 EXPUNGE", "* 3 EXPUNGE", "* 3 EXPUNGE"]);
    assert_eq!(
        client.ok("FETCH 1:* UID"),
        [59, 60, 67, 68]
            .iter()
            .zip(1..)
            .map(|(uid, n)| format!("* {n} FETCH (UID {uid})"))
            .collect::<Vec<_>>()
    );
}

#[test]
fn silent_is_silent_to_oneself_only() {
    let sandbox = manual();
    let (mut one, mut two) = (Client::inbox(&sandbox), Client::inbox(&sandbox));
    assert!(one.ok("STORE 3 +FLAGS.SILENT (\\Answered)").is_empty());
    assert!(one.ok("NOOP").is_empty());
    assert_eq!(two.ok("NOOP"), ["* 3 FETCH (FLAGS (\\Answered))"]);
}

#[test]
fn a_new_keyword_is_announced_before_it_is_used() {
    let sandbox = manual();
    let (mut one, mut two) = (Client::inbox(&sandbox), Client::inbox(&sandbox));
    let told = [
        "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Todo)",
        "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Todo \\*)] Flags kept for good.",
        "* 3 FETCH (FLAGS ($Todo))",
    ];
    assert_eq!(one.ok("STORE 3 +FLAGS ($Todo)"), told);
    assert_eq!(two.ok("NOOP"), told);
    assert_eq!(one.ok("STORE 4 +FLAGS ($TODO)"), ["* 4 FETCH (FLAGS ($Todo))"]);
}

#[test]
fn idle_tells_at_once() {
    let sandbox = manual();
    let (mut idle, mut other) = (Client::inbox(&sandbox), Client::inbox(&sandbox));
    idle.send("i IDLE\r\n");
    assert_eq!(idle.line(), "+ idling");
    sandbox.store().deliver("myacct", "INBOX", b"Subject: new\n\n").unwrap();
    assert_eq!(idle.line(), "* 8 EXISTS");
    assert!(idle.line().ends_with(" RECENT"));
    other.ok("STORE 2 +FLAGS.SILENT (\\Deleted)");
    assert_eq!(idle.line(), "* 2 FETCH (FLAGS (\\Deleted \\Seen))");
    other.ok("EXPUNGE");
    assert_eq!(idle.line(), "* 2 EXPUNGE");
    idle.send("done\r\n");
    assert_eq!(idle.line(), "i OK IDLE completed.");
    idle.send("i IDLE\r\nDONE\r\n");
    assert_eq!(idle.line(), "+ idling");
    assert_eq!(idle.line(), "i OK IDLE completed.");
    idle.send("i IDLE\r\nNOOP\r\n");
    assert_eq!(idle.line(), "+ idling");
    assert_eq!(idle.line(), "i BAD Expected DONE.");
}

#[test]
fn idle_tells_under_tls_and_without_a_mailbox() {
    let sandbox = manual();
    let mut client = tls(&sandbox, sandbox.imaps_address(), "localhost").unwrap();
    client.line();
    client.ok("LOGIN myacct mypasswd");
    client.send("i IDLE\r\n");
    assert_eq!(client.line(), "+ idling");
    client.send("DONE\r\n");
    assert_eq!(client.line(), "i OK IDLE completed.");
    client.ok("SELECT INBOX");
    client.send("i IDLE\r\n");
    assert_eq!(client.line(), "+ idling");
    for count in 8..12 {
        sandbox.store().deliver("myacct", "INBOX", b"Subject: new\n\n").unwrap();
        assert_eq!(client.line(), format!("* {count} EXISTS"));
        client.line();
    }
    client.send("DONE\r\n");
    assert_eq!(client.line(), "i OK IDLE completed.");
}

#[test]
fn recent_belongs_to_the_first_session_that_looks() {
    let sandbox = manual();
    let mut reader = Client::login(&sandbox);
    assert!(reader.ok("EXAMINE INBOX").contains(&"* 1 RECENT".to_owned()));
    assert_eq!(reader.ok("STATUS INBOX (RECENT)"), ["* STATUS INBOX (RECENT 1)"]);
    let mut one = Client::login(&sandbox);
    assert!(one.ok("SELECT INBOX").contains(&"* 1 RECENT".to_owned()));
    assert_eq!(one.ok("SEARCH RECENT"), ["* SEARCH 7"]);
    assert_eq!(one.ok("FETCH 7 FLAGS"), ["* 7 FETCH (FLAGS (\\Recent))"]);
    let mut two = Client::login(&sandbox);
    assert!(two.ok("SELECT INBOX").contains(&"* 0 RECENT".to_owned()));
    assert_eq!(two.ok("FETCH 7 FLAGS"), ["* 7 FETCH (FLAGS ())"]);
    sandbox.store().deliver("myacct", "INBOX", b"Subject: new\n\n").unwrap();
    assert_eq!(two.ok("NOOP"), ["* 8 EXISTS", "* 1 RECENT"]);
    assert_eq!(one.ok("NOOP"), ["* 8 EXISTS", "* 1 RECENT"]);
    assert_eq!(one.ok("SEARCH RECENT"), ["* SEARCH 7"]);
}

#[test]
fn a_deleted_mailbox_ends_the_sessions_that_have_it_open() {
    let sandbox = manual();
    let mut one = Client::login(&sandbox);
    one.ok("CREATE box");
    let mut two = Client::login(&sandbox);
    two.ok("SELECT box");
    let mut idle = Client::login(&sandbox);
    idle.ok("SELECT box");
    idle.send("i IDLE\r\n");
    assert_eq!(idle.line(), "+ idling");
    one.ok("SELECT box");
    one.ok("DELETE box");
    assert_eq!(one.tagged("FETCH 1 FLAGS"), "BAD Select a mailbox first.");
    assert_eq!(idle.line(), "* BYE The selected mailbox was deleted.");
    assert_eq!(
        two.command("NOOP"),
        ["* BYE The selected mailbox was deleted.", "OK NOOP completed."]
    );
    assert!(two.is_closed());
}

#[test]
fn a_renamed_mailbox_stays_open() {
    let sandbox = manual();
    let mut client = Client::login(&sandbox);
    client.ok("CREATE box");
    client.append("box", "Subject: x\r\n\r\n");
    client.ok("SELECT box");
    Client::login(&sandbox).ok("RENAME box crate");
    assert_eq!(client.ok("FETCH 1 UID"), ["* 1 FETCH (UID 1)"]);
}

#[test]
fn users_do_not_see_each_other() {
    let sandbox = two_users();
    let mut client = Client::connect(&sandbox);
    client.ok("LOGIN other secret");
    assert!(client.ok("SELECT INBOX").contains(&"* 0 EXISTS".to_owned()));
    client.ok("CREATE mine");
    assert_eq!(sandbox.store().mailboxes("myacct"), ["INBOX"]);
    assert_eq!(sandbox.store().mailboxes("other"), ["INBOX", "mine"]);
}
