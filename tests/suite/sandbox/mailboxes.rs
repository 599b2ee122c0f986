//! Mailbox names: CREATE, DELETE, RENAME, LIST, LSUB, STATUS.

use super::client::*;

fn with_mailboxes(names: &[&str]) -> (postoffice::sandbox::Sandbox, Client) {
    let sandbox = manual();
    for name in names {
        sandbox.store().create_mailbox("myacct", name).unwrap();
    }
    let client = Client::login(&sandbox);
    (sandbox, client)
}

fn names(lines: &[String]) -> Vec<&str> {
    lines.iter().map(|line| line.rsplit_once("\"/\" ").unwrap().1).collect()
}

#[test]
fn wildcards() {
    let (_sandbox, mut client) =
        with_mailboxes(&["work/a", "work/b/c", "play", "Inbox/sub", "with space", "q\"uote"]);
    for (arguments, expected) in [
        (
            "\"\" *",
            vec![
                "INBOX",
                "INBOX/sub",
                "play",
                "\"q\\\"uote\"",
                "\"with space\"",
                "work",
                "work/a",
                "work/b",
                "work/b/c",
            ],
        ),
        ("\"\" %", vec!["INBOX", "play", "\"q\\\"uote\"", "\"with space\"", "work"]),
        ("\"\" work/%", vec!["work/a", "work/b"]),
        ("work/ %", vec!["work/a", "work/b"]),
        ("work/ *", vec!["work/a", "work/b", "work/b/c"]),
        ("\"\" w*c", vec!["work/b/c"]),
        ("\"\" %/%", vec!["INBOX/sub", "work/a", "work/b"]),
        ("\"\" inbox", vec!["INBOX"]),
        ("\"\" InBoX/%", vec!["INBOX/sub"]),
        ("\"\" WORK", vec![]),
        ("\"\" \"with space\"", vec!["\"with space\""]),
        ("nothing/ *", vec![]),
    ] {
        assert_eq!(names(&client.ok(&format!("LIST {arguments}"))), expected, "{arguments}");
    }
    assert_eq!(client.ok("LIST \"\" \"\""), ["* LIST (\\Noselect) \"/\" \"\""]);
    assert_eq!(client.ok("LIST work \"\""), ["* LIST (\\Noselect) \"/\" \"\""]);
}

#[test]
fn create_makes_the_levels_above() {
    let (_sandbox, mut client) = with_mailboxes(&[]);
    client.ok("CREATE a/b/c");
    assert_eq!(
        client.ok("LIST \"\" a*"),
        [
            "* LIST (\\HasChildren) \"/\" a",
            "* LIST (\\HasChildren) \"/\" a/b",
            "* LIST (\\HasNoChildren) \"/\" a/b/c"
        ]
    );
    client.ok("CREATE d/");
    for (command, expected) in [
        ("CREATE inbox", "NO [ALREADYEXISTS] mailbox INBOX exists already."),
        ("CREATE a/b", "NO [ALREADYEXISTS] mailbox a/b exists already."),
        ("CREATE \"\"", "NO [CANNOT] a mailbox name cannot be empty."),
        ("CREATE a//b", "NO [CANNOT] a level of the mailbox name is empty."),
        ("CREATE /a", "NO [CANNOT] a level of the mailbox name is empty."),
        ("CREATE \"a*\"", "NO [CANNOT] character '*' cannot stand in a mailbox name."),
        ("CREATE {2+}\r\n\u{e9}", "NO [CANNOT] character '?' cannot stand in a mailbox name."),
        ("CREATE {3+}\r\na\r\n", "NO [CANNOT] character '\\r' cannot stand in a mailbox name."),
    ] {
        assert_eq!(client.tagged(command), expected, "{command:?}");
    }
}

#[test]
fn delete_keeps_a_name_with_children() {
    let (_sandbox, mut client) = with_mailboxes(&["a/b"]);
    client.ok("DELETE a");
    assert_eq!(
        client.ok("LIST \"\" a*"),
        ["* LIST (\\Noselect \\HasChildren) \"/\" a", "* LIST (\\HasNoChildren) \"/\" a/b"]
    );
    assert_eq!(client.tagged("SELECT a"), "NO [NONEXISTENT] No such mailbox.");
    assert_eq!(
        client.tagged("DELETE a"),
        "NO [CANNOT] a has children and holds no letters itself."
    );
    client.ok("DELETE a/b");
    client.ok("DELETE a");
    assert!(client.ok("LIST \"\" a*").is_empty());
    assert_eq!(client.tagged("DELETE a"), "NO [NONEXISTENT] no mailbox a.");
    assert_eq!(client.tagged("DELETE INBOX"), "NO [CANNOT] INBOX cannot be deleted.");
}

#[test]
fn a_mailbox_made_again_has_another_uid_validity() {
    let (_sandbox, mut client) = with_mailboxes(&["a"]);
    let before = client.ok("STATUS a (UIDVALIDITY)");
    client.ok("DELETE a");
    client.ok("CREATE a");
    assert_ne!(client.ok("STATUS a (UIDVALIDITY)"), before);
}

#[test]
fn rename_takes_the_children_along() {
    let (_sandbox, mut client) = with_mailboxes(&["a/b/c", "x"]);
    client.ok("RENAME a new/a");
    assert_eq!(
        names(&client.ok("LIST \"\" *")),
        ["INBOX", "new", "new/a", "new/a/b", "new/a/b/c", "x"]
    );
    assert_eq!(client.tagged("RENAME a b"), "NO [NONEXISTENT] no mailbox a.");
    assert_eq!(client.tagged("RENAME x new"), "NO [ALREADYEXISTS] mailbox new exists already.");
    assert_eq!(client.tagged("RENAME new new/below"), "NO [CANNOT] new/below lies below new.");
}

#[test]
fn renaming_the_inbox_moves_its_letters() {
    let (_sandbox, mut client) = with_mailboxes(&["INBOX/sub"]);
    client.ok("RENAME INBOX old");
    assert_eq!(client.ok("STATUS old (MESSAGES UNSEEN)"), ["* STATUS old (MESSAGES 7 UNSEEN 5)"]);
    assert_eq!(
        client.ok("STATUS INBOX (MESSAGES UIDNEXT)"),
        ["* STATUS INBOX (MESSAGES 0 UIDNEXT 69)"]
    );
    assert_eq!(names(&client.ok("LIST \"\" *")), ["INBOX", "INBOX/sub", "old"]);
}

#[test]
fn subscriptions_are_a_list_of_their_own() {
    let (_sandbox, mut client) = with_mailboxes(&["a/b", "c"]);
    client.ok("SUBSCRIBE a/b");
    assert_eq!(client.ok("LSUB \"\" *"), ["* LSUB () \"/\" INBOX", "* LSUB () \"/\" a/b"]);
    assert_eq!(client.ok("LSUB \"\" %"), ["* LSUB () \"/\" INBOX", "* LSUB (\\Noselect) \"/\" a"]);
    client.ok("UNSUBSCRIBE a/b");
    assert_eq!(client.tagged("UNSUBSCRIBE a/b"), "NO You are not subscribed to this mailbox.");
    assert_eq!(client.tagged("SUBSCRIBE nothing"), "NO [NONEXISTENT] No such mailbox.");
    assert_eq!(client.ok("LSUB \"\" *"), ["* LSUB () \"/\" INBOX"]);
}

#[test]
fn status_counts() {
    let (_sandbox, mut client) = with_mailboxes(&["with space"]);
    assert_eq!(
        client.ok("STATUS inbox (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN)"),
        ["* STATUS INBOX (MESSAGES 7 RECENT 1 UIDNEXT 69 UIDVALIDITY 937180800 UNSEEN 5)"]
    );
    assert_eq!(
        client.ok("STATUS \"with space\" (MESSAGES)"),
        ["* STATUS \"with space\" (MESSAGES 0)"]
    );
    assert_eq!(client.tagged("STATUS nothing (MESSAGES)"), "NO [NONEXISTENT] No such mailbox.");
}

#[test]
fn a_failed_select_leaves_nothing_selected() {
    let (_sandbox, mut client) = with_mailboxes(&[]);
    client.ok("SELECT INBOX");
    assert_eq!(client.tagged("SELECT nothing"), "NO [NONEXISTENT] No such mailbox.");
    assert_eq!(client.tagged("FETCH 1 FLAGS"), "BAD Select a mailbox first.");
}

#[test]
fn an_examined_mailbox_cannot_be_changed() {
    let (_sandbox, mut client) = with_mailboxes(&["box"]);
    let lines = client.command("EXAMINE INBOX");
    assert_eq!(lines.last().unwrap(), "OK [READ-ONLY] EXAMINE completed.");
    assert!(lines.contains(&"* OK [PERMANENTFLAGS ()] Flags kept for good.".to_owned()));
    for command in ["STORE 1 +FLAGS (\\Deleted)", "EXPUNGE", "MOVE 1 box", "UID EXPUNGE 1:*"] {
        assert_eq!(client.tagged(command), "NO The mailbox is open for reading only.", "{command}");
    }
    client.ok("FETCH 4 BODY[]");
    assert_eq!(client.ok("FETCH 4 FLAGS"), ["* 4 FETCH (FLAGS ())"]);
    client.ok("COPY 4 box");
}
