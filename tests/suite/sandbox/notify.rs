//! NOTIFY (RFC 5465): what the sandbox tells between commands, and what it refuses.

use postoffice::sandbox::{Account, Options, Sandbox, Seed};

use super::client::*;

const LETTER: &[u8] = b"Subject: new\r\n\r\nx\r\n";
const WORK: &str = "(mailboxes work (MessageNew MessageExpunge))";

/// A sandbox with the mailboxes `work`, with two letters, and `work/a`.
fn sandbox() -> Sandbox {
    let sandbox = empty();
    for name in ["work", "work/a"] {
        sandbox.store().create_mailbox("myacct", name).unwrap();
    }
    for _ in 0..2 {
        deliver(&sandbox, "work");
    }
    sandbox
}

fn deliver(sandbox: &Sandbox, mailbox: &str) {
    sandbox.store().deliver("myacct", mailbox, LETTER).unwrap();
}

/// The number after a name in a response.
fn number(line: &str, name: &str) -> u32 {
    let (_, after) = line.split_once(&format!("{name} ")).unwrap_or_else(|| panic!("{line}"));
    after.split([' ', ')']).next().unwrap().parse().unwrap()
}

#[test]
fn the_state_of_each_mailbox_is_told_first_if_it_is_wanted() {
    let sandbox = sandbox();
    let mut client = Client::inbox(&sandbox);
    for (groups, expected) in [
        (WORK, &["work"][..]),
        ("(subtree work (MessageNew MessageExpunge))", &["work", "work/a"]),
        ("(personal (MessageNew MessageExpunge))", &["work", "work/a"]),
        ("(inboxes (MessageNew MessageExpunge))", &["work", "work/a"]),
        (
            "(mailboxes (work/a \"work\" inbox nowhere) (MessageNew MessageExpunge))",
            &["work", "work/a"],
        ),
        ("(subscribed (MessageNew MessageExpunge))", &[]),
        ("(mailboxes work NONE) (personal (MessageNew MessageExpunge))", &["work/a"]),
        ("(selected (MessageNew MessageExpunge))", &[]),
        ("(personal (MailboxName))", &[]),
    ] {
        let told = client.ok(&format!("NOTIFY SET STATUS {groups}"));
        let names: Vec<&str> = told.iter().map(|line| line.split(' ').nth(2).unwrap()).collect();
        assert_eq!(
            names.iter().map(|name| name.trim_matches('"')).collect::<Vec<_>>(),
            expected,
            "{groups}"
        );
        assert!(client.ok(&format!("NOTIFY SET {groups}")).is_empty(), "{groups}");
    }
    client.ok("SUBSCRIBE work");
    let told = client.ok("NOTIFY SET STATUS (subscribed (MessageNew MessageExpunge))");
    let validity = number(&client.ok("STATUS work (UIDVALIDITY)")[0], "UIDVALIDITY");
    assert_eq!(told, [format!("* STATUS work (MESSAGES 2 UIDNEXT 3 UIDVALIDITY {validity})")]);
    client.ok("ENABLE CONDSTORE");
    let told = client.ok(&format!("NOTIFY SET STATUS {WORK}"));
    assert_eq!(number(&told[0], "HIGHESTMODSEQ"), 3);
}

#[test]
fn letters_elsewhere_are_told_at_once_without_a_command_and_in_idle() {
    let sandbox = sandbox();
    let mut client = Client::login(&sandbox);
    let mut other = Client::login(&sandbox);
    client.ok(&format!("NOTIFY SET {WORK}"));
    deliver(&sandbox, "work");
    assert_eq!(client.line(), "* STATUS work (MESSAGES 3 UIDNEXT 4)");
    deliver(&sandbox, "INBOX");
    deliver(&sandbox, "work/a");
    other.ok("SELECT work");
    other.ok("STORE 1:2 +FLAGS (\\Deleted)");
    other.ok("EXPUNGE");
    let mut told = client.line();
    while number(&told, "MESSAGES") > 1 {
        told = client.line(); // each letter that leaves may be told alone
    }
    assert_eq!(told, "* STATUS work (MESSAGES 1 UIDNEXT 4)");
    client.send("i IDLE\r\n");
    assert!(client.line().starts_with("+ "));
    deliver(&sandbox, "work");
    assert_eq!(client.line(), "* STATUS work (MESSAGES 2 UIDNEXT 5)");
    client.send("DONE\r\n");
    assert_eq!(client.answer("i"), ["i OK IDLE completed."]);
    assert!(client.ok("NOOP").is_empty());
    assert!(client.ok("NOTIFY NONE").is_empty());
    deliver(&sandbox, "work");
    assert!(client.ok("NOOP").is_empty());
}

#[test]
fn news_come_before_the_completion_of_any_command() {
    let sandbox = sandbox();
    let mut client = Client::inbox(&sandbox);
    client.ok(&format!("NOTIFY SET (selected (MessageNew MessageExpunge)) {WORK}"));
    client.send("a APPEND work {3}\r\n");
    assert!(client.line().starts_with("+ "));
    client.send("x\r\n\r\nb STATUS work (MESSAGES UNSEEN)\r\n");
    let told = client.answer("a");
    assert_eq!(told[0], "* STATUS work (MESSAGES 3 UIDNEXT 4)", "{told:?}");
    assert_eq!(client.answer("b")[0], "* STATUS work (MESSAGES 3 UNSEEN 3)");
}

#[test]
fn a_mailbox_that_is_made_anew_is_told_with_its_uid_validity() {
    let sandbox = sandbox();
    let mut client = Client::login(&sandbox);
    let mut other = Client::login(&sandbox);
    client.ok("NOTIFY SET (mailboxes (work later) (MessageNew MessageExpunge))");
    other.ok("CREATE later");
    deliver(&sandbox, "later");
    let told = client.line();
    assert!(told.starts_with("* STATUS later (MESSAGES 1 UIDNEXT 2 UIDVALIDITY "), "{told}");
    other.ok("DELETE later");
    other.ok("CREATE later");
    deliver(&sandbox, "later");
    let again = client.line();
    assert_ne!(number(&told, "UIDVALIDITY"), number(&again, "UIDVALIDITY"));
    deliver(&sandbox, "later");
    assert_eq!(client.line(), "* STATUS later (MESSAGES 2 UIDNEXT 3)");
    // What follows is another mailbox of that name.
    other.ok("RENAME later earlier");
    other.ok("RENAME work/a later");
    deliver(&sandbox, "later");
    assert!(client.line().contains("(MESSAGES 1 UIDNEXT 2 UIDVALIDITY "));
}

/// The next response, without what is said of `\\Recent`.
fn next(client: &mut Client) -> String {
    let lines = std::iter::repeat_with(|| client.line());
    without_recent(lines).next().unwrap()
}

fn without_recent(lines: impl IntoIterator<Item = String>) -> impl Iterator<Item = String> {
    let lines = lines.into_iter().filter(|line| !line.ends_with(" RECENT"));
    lines.map(|line| line.replace(" \\Recent", "").replace("\\Recent", ""))
}

#[test]
fn of_the_selected_mailbox_its_own_group_decides() {
    let sandbox = sandbox();
    let mut client = Client::login(&sandbox);
    client.ok("SELECT work");
    let mut other = Client::login(&sandbox);
    other.ok("SELECT work");
    let ok = |client: &mut Client, command: &str| -> Vec<String> {
        without_recent(client.ok(command)).collect()
    };
    // Nothing is told without such a group, not even by NOOP.
    client.ok(&format!("NOTIFY SET {WORK}"));
    deliver(&sandbox, "work");
    other.ok("STORE 1 +FLAGS (\\Flagged)");
    assert!(client.ok("NOOP").is_empty());
    // The command itself tells what there is, and then everything.
    let delayed = "NOTIFY SET (selected-delayed (MessageNew MessageExpunge FlagChange))";
    assert_eq!(ok(&mut client, delayed), ["* 3 EXISTS", "* 1 FETCH (FLAGS (\\Flagged))"]);
    deliver(&sandbox, "work");
    assert_eq!(next(&mut client), "* 4 EXISTS");
    other.ok("STORE 2 +FLAGS (\\Seen)");
    assert_eq!(next(&mut client), "* 2 FETCH (FLAGS (\\Seen))");
    // EXPUNGE waits for a command that allows it.
    other.ok("STORE 1 +FLAGS.SILENT (\\Deleted)");
    assert_eq!(next(&mut client), "* 1 FETCH (FLAGS (\\Flagged \\Deleted))");
    other.ok("EXPUNGE");
    deliver(&sandbox, "work");
    assert_eq!(next(&mut client), "* 5 EXISTS");
    assert!(ok(&mut client, "FETCH 2 FLAGS")[0].starts_with("* 2 FETCH"));
    assert_eq!(ok(&mut client, "NOOP"), ["* 1 EXPUNGE"]);
    // At once, and without flags.
    client.ok("NOTIFY SET (selected (MessageNew MessageExpunge))");
    other.ok("STORE 1 +FLAGS (\\Deleted)");
    other.ok("EXPUNGE");
    assert_eq!(next(&mut client), "* 1 EXPUNGE");
    // An own EXPUNGE tells what it does, whatever is wanted.
    client.ok("NOTIFY SET (selected NONE)");
    client.ok("STORE 1 +FLAGS.SILENT (\\Deleted)");
    assert_eq!(ok(&mut client, "EXPUNGE"), ["* 1 EXPUNGE"]);
    // A mailbox that is left is watched as others are.
    client.ok(&format!("NOTIFY SET {WORK}"));
    deliver(&sandbox, "work");
    assert_eq!(client.ok("UNSELECT"), ["* STATUS work (MESSAGES 3 UIDNEXT 7)"]);
}

#[test]
fn items_of_new_letters_are_fetched() {
    let sandbox = sandbox();
    let mut client = Client::login(&sandbox);
    client.ok("SELECT work");
    for (items, expected) in [
        ("(UID FLAGS)", "* 3 FETCH (UID 3 FLAGS (\\Recent))"),
        (
            "(body.peek[header.fields (subject)] PREVIEW)",
            "* 4 FETCH (BODY[HEADER.FIELDS (subject)] {16}Subject: new\r\n\r\n PREVIEW \"x\")",
        ),
    ] {
        client.ok(&format!("NOTIFY SET (selected (MessageNew {items} MessageExpunge))"));
        deliver(&sandbox, "work");
        assert!(client.line().ends_with(" EXISTS"));
        client.line();
        assert_eq!(client.response(), expected, "{items}");
        assert!(client.ok("NOOP").is_empty());
    }
}

#[test]
fn flags_elsewhere_are_told_by_mod_sequences() {
    let sandbox = sandbox();
    let mut client = Client::login(&sandbox);
    let mut other = Client::login(&sandbox);
    client.ok("NOTIFY SET (mailboxes work (MessageNew MessageExpunge FlagChange))");
    other.ok("SELECT work");
    other.ok("STORE 1 +FLAGS (\\Flagged)");
    let told = client.line();
    assert!(told.starts_with("* STATUS work (UIDVALIDITY "), "{told}");
    assert_eq!(number(&told, "HIGHESTMODSEQ"), 4);
}

#[test]
fn names_and_subscriptions_are_told() {
    let sandbox = sandbox();
    let mut client = Client::login(&sandbox);
    let mut other = Client::login(&sandbox);
    client.ok("NOTIFY SET (personal (MailboxName SubscriptionChange))");
    for (command, expected) in [
        ("CREATE new", &["* LIST (\\HasNoChildren) \"/\" new"][..]),
        ("SUBSCRIBE new", &["* LIST (\\Subscribed \\HasNoChildren) \"/\" new"]),
        ("UNSUBSCRIBE new", &["* LIST (\\HasNoChildren) \"/\" new"]),
        ("RENAME new newer", &["* LIST (\\HasNoChildren) \"/\" newer (\"OLDNAME\" (new))"]),
        ("DELETE newer", &["* LIST (\\NonExistent) \"/\" newer"]),
        ("DELETE work", &["* LIST (\\Noselect \\HasChildren) \"/\" work"]),
        ("NOOP", &[]),
    ] {
        other.ok(command);
        let told: Vec<String> = expected.iter().map(|_| client.line()).collect();
        assert_eq!(told, expected, "{command}");
    }
    assert!(client.ok("NOOP").is_empty());
}

#[test]
fn what_rfc_5465_does_not_allow_is_refused_and_changes_nothing() {
    let sandbox = sandbox();
    let mut client = Client::login(&sandbox);
    client.ok(&format!("NOTIFY SET {WORK}"));
    let supported = "MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange";
    for (arguments, expected) in [
        ("SET (mailboxes work (MessageNew))", "BAD MessageNew and MessageExpunge go together."),
        ("SET (personal (MessageExpunge))", "BAD MessageNew and MessageExpunge go together."),
        ("SET (selected (FlagChange))", "BAD FlagChange needs MessageNew and MessageExpunge."),
        (
            "SET (selected NONE) (selected-delayed NONE)",
            "BAD The selected mailbox can be in one group only.",
        ),
        (
            "SET (selected (MailboxName))",
            "BAD Only events of letters can be told of the selected mailbox.",
        ),
        (
            "SET (personal (MessageNew (UID) MessageExpunge))",
            "BAD Only letters of the selected mailbox can be fetched.",
        ),
        (
            "SET (selected (MessageNew (XYZZY) MessageExpunge))",
            "BAD These items cannot be fetched.",
        ),
        ("SET (selected (MessageNew MessageExpunge (UID)))", "BAD These items cannot be fetched."),
    ] {
        assert_eq!(client.tagged(&format!("NOTIFY {arguments}")), expected, "{arguments}");
    }
    for arguments in [
        "SET (personal (MailboxMetadataChange))",
        "SET (selected (MessageNew MessageExpunge AnnotationChange))",
        "SET (personal (MessageNew Xyzzy))",
    ] {
        let told = client.tagged(&format!("NOTIFY {arguments}"));
        let expected = format!("NO [BADEVENT ({supported})] An event is not supported.");
        assert_eq!(told, expected, "{arguments}");
    }
    for arguments in [
        "",
        "SET",
        "SET STATUS",
        "NONE x",
        "GET",
        "SET personal NONE",
        "SET (personal ())",
        "SET (personal)",
        "SET (everything NONE)",
        "SET (mailboxes () NONE)",
        "SET (mailboxes NONE)",
        "SET (personal (MessageNew MessageExpunge)",
        "SET (personal (MessageNew ( MessageExpunge))",
    ] {
        let told = client.tagged(&format!("NOTIFY {arguments}"));
        assert_eq!(told, "BAD Command NOTIFY is unknown or has wrong arguments.", "{arguments}");
        client.ok("NOOP"); // ten in a row would end the session
    }
    deliver(&sandbox, "work");
    assert_eq!(client.line(), "* STATUS work (MESSAGES 3 UIDNEXT 4)");
    let mut stranger = Client::connect(&sandbox);
    assert_eq!(stranger.tagged("NOTIFY NONE"), "BAD Log in first.");
}

#[test]
fn names_travel_in_the_encoding_of_the_session() {
    let sandbox = sandbox();
    sandbox.store().create_mailbox("myacct", "Entw&APw-rfe").unwrap();
    let mut client = Client::login(&sandbox);
    client.ok("NOTIFY SET (mailboxes (\"Entw&APw-rfe\") (MessageNew MessageExpunge))");
    deliver(&sandbox, "Entw&APw-rfe");
    assert!(client.line().starts_with("* STATUS Entw&APw-rfe (MESSAGES 1 "));
    client.ok("ENABLE UTF8=ACCEPT");
    for name in ["\"Entw\u{fc}rfe\"", "{9+}\r\nEntw\u{fc}rfe"] {
        client.ok(&format!("NOTIFY SET (mailboxes ({name}) (MessageNew MessageExpunge))"));
        deliver(&sandbox, "Entw&APw-rfe");
        assert!(client.line().starts_with("* STATUS \"Entw\u{fc}rfe\" (MESSAGES "), "{name}");
    }
    client.send("n NOTIFY SET (mailboxes ({4}\r\n");
    assert!(client.line().starts_with("+ "));
    client.send("work) (MessageNew MessageExpunge))\r\n");
    assert_eq!(client.answer("n"), ["n OK NOTIFY completed."]);
}

#[test]
fn too_many_mailboxes_are_an_overflow() {
    let sandbox = sandbox();
    let mut client = Client::inbox(&sandbox);
    // With these there are 1,000.
    for number in 0..997 {
        sandbox.store().create_mailbox("myacct", &format!("m{number}")).unwrap();
    }
    let all =
        "NOTIFY SET (selected (MessageNew MessageExpunge)) (personal (MessageNew MessageExpunge))";
    client.ok(all);
    deliver(&sandbox, "m500");
    assert!(client.line().starts_with("* STATUS m500 (MESSAGES 1 "));
    sandbox.store().create_mailbox("myacct", "one/more").unwrap();
    assert_eq!(client.line(), "* OK [NOTIFICATIONOVERFLOW] These are too many mailboxes.");
    deliver(&sandbox, "m500");
    deliver(&sandbox, "INBOX");
    assert!(client.ok("NOOP").is_empty(), "as after NOTIFY NONE");
    let told = client.tagged(all);
    assert_eq!(told, "NO [NOTIFICATIONOVERFLOW] These are too many mailboxes.");
    client.ok("NOTIFY SET (mailboxes m1 NONE) (subtree one (MessageNew MessageExpunge))");
    deliver(&sandbox, "one/more");
    assert!(client.line().starts_with("* STATUS one/more (MESSAGES 1 "));
}

#[test]
fn each_account_and_each_connection_is_told_its_own() {
    let accounts = vec![Account::new("a", "pw"), Account::new("b", "pw")];
    let sandbox =
        Sandbox::start(Options { accounts, seed: Seed::Empty, ..Options::default() }).unwrap();
    let watch = |user: &str| {
        let mut client = Client::connect(&sandbox);
        client.ok(&format!("LOGIN {user} pw"));
        client.ok("NOTIFY SET (personal (MessageNew MessageExpunge))");
        client
    };
    let (mut one, mut same, mut other) = (watch("a"), watch("a"), watch("b"));
    sandbox.store().deliver("a", "INBOX", LETTER).unwrap();
    for client in [&mut one, &mut same] {
        let told = client.line();
        assert!(told.starts_with("* STATUS INBOX (MESSAGES 1 UIDNEXT 2"), "{told}");
    }
    assert!(other.ok("NOOP").is_empty());
}

#[test]
fn news_come_over_tls_and_a_deleted_mailbox_ends_the_session() {
    let sandbox = sandbox();
    let mut client = tls(&sandbox, sandbox.imaps_address(), "localhost").unwrap();
    assert!(client.line().starts_with("* OK "));
    client.ok("LOGIN myacct mypasswd");
    client.ok("NOTIFY SET (selected (MessageNew MessageExpunge)) (mailboxes work/a (MessageNew MessageExpunge))");
    deliver(&sandbox, "work/a");
    assert!(client.line().starts_with("* STATUS work/a (MESSAGES 1 "));
    client.ok("SELECT work/a");
    Client::login(&sandbox).ok("DELETE work/a");
    assert_eq!(client.line(), "* BYE The selected mailbox was deleted.");
    assert!(client.is_closed());
}
