//! An extension that is switched off is neither advertised nor accepted.

use postoffice::sandbox::{Extension, Extensions, Options, Sandbox};

use super::client::*;

#[test]
fn what_is_off_is_neither_advertised_nor_accepted() {
    for (name, command, expected) in [
        ("MOVE", "MOVE 1 INBOX", "BAD MOVE is not supported."),
        ("IDLE", "IDLE", "BAD IDLE is not supported."),
        ("UNSELECT", "UNSELECT", "BAD UNSELECT is not supported."),
        ("UIDPLUS", "UID EXPUNGE 1", "BAD UID EXPUNGE is not supported."),
        ("ID", "ID NIL", "BAD ID is not supported."),
        ("ENABLE", "ENABLE CONDSTORE", "BAD ENABLE is not supported."),
        ("NAMESPACE", "NAMESPACE", "BAD NAMESPACE is not supported."),
        ("COMPRESS=DEFLATE", "COMPRESS DEFLATE", "BAD COMPRESS=DEFLATE is not supported."),
        ("ACL", "MYRIGHTS INBOX", "BAD ACL is not supported."),
        ("STATUS=SIZE", "STATUS INBOX (SIZE)", "BAD A status item is not supported."),
        ("WITHIN", "SEARCH OLDER 5", "BAD WITHIN is not supported."),
        ("BINARY", "FETCH 1 BINARY.PEEK[1]", "BAD BINARY is not supported."),
        ("BINARY", "APPEND INBOX ~{1+}\r\nx", "BAD BINARY is not supported."),
        ("MULTIAPPEND", "APPEND INBOX {1+}\r\nx {1+}\r\ny", "BAD MULTIAPPEND is not supported."),
        ("REPLACE", "REPLACE 1 INBOX {1+}\r\nx", "BAD REPLACE is not supported."),
        ("UTF8=ACCEPT", "APPEND INBOX UTF8 (~{1+}\r\nx)", "BAD UTF8=ACCEPT is not enabled."),
        ("ESEARCH", "SEARCH RETURN (MIN) ALL", "BAD ESEARCH is not supported."),
        ("SEARCHRES", "SEARCH RETURN (SAVE) ALL", "BAD SEARCHRES is not supported."),
        ("SEARCHRES", "FETCH $ FLAGS", "BAD SEARCHRES is not supported."),
        ("PARTIAL", "SEARCH RETURN (PARTIAL 1:2) ALL", "BAD PARTIAL is not supported."),
        ("SORT", "SORT (DATE) UTF-8 ALL", "BAD SORT is not supported."),
        ("SORT=DISPLAY", "SORT (DISPLAYTO) UTF-8 ALL", "BAD SORT=DISPLAY is not supported."),
        ("THREAD=REFS", "THREAD REFS UTF-8 ALL", "BAD THREAD=REFS is not supported."),
        (
            "THREAD=REFERENCES",
            "THREAD REFERENCES UTF-8 ALL",
            "BAD THREAD=REFERENCES is not supported.",
        ),
        (
            "THREAD=ORDEREDSUBJECT",
            "THREAD ORDEREDSUBJECT UTF-8 ALL",
            "BAD THREAD=ORDEREDSUBJECT is not supported.",
        ),
        ("LIST-EXTENDED", "LIST () \"\" (a b)", "BAD LIST-EXTENDED is not supported."),
        (
            "LIST-STATUS",
            "LIST \"\" * RETURN (STATUS (MESSAGES))",
            "BAD An option of LIST is not supported.",
        ),
        ("SPECIAL-USE", "LIST (SPECIAL-USE) \"\" *", "BAD An option of LIST is not supported."),
        (
            "CREATE-SPECIAL-USE",
            "CREATE x (USE (\\Sent))",
            "BAD CREATE-SPECIAL-USE is not supported.",
        ),
        ("METADATA", "GETMETADATA \"\" /shared/x", "BAD METADATA is not supported."),
        ("OBJECTID", "FETCH 1 EMAILID", "BAD An item is not supported."),
        ("SAVEDATE", "FETCH 1 SAVEDATE", "BAD An item is not supported."),
        ("PREVIEW", "FETCH 1 PREVIEW", "BAD An item is not supported."),
        ("APPENDLIMIT", "STATUS INBOX (APPENDLIMIT)", "BAD A status item is not supported."),
        ("CONDSTORE", "STATUS INBOX (HIGHESTMODSEQ MAILBOXID)", "BAD CONDSTORE is not supported."),
        ("CONDSTORE", "FETCH 1 (MODSEQ)", "BAD CONDSTORE is not supported."),
        ("QRESYNC", "SELECT INBOX (QRESYNC (1 1))", "BAD QRESYNC is not enabled."),
        ("NOTIFY", "NOTIFY NONE", "BAD NOTIFY is not supported."),
        ("CHILDREN", "CAPABILITY", "OK CAPABILITY completed."),
    ] {
        let capabilities = |sandbox: &Sandbox| {
            Client::inbox(sandbox).ok("CAPABILITY")[0].replace("* CAPABILITY ", "")
        };
        let advertised = |sandbox: &Sandbox| {
            capabilities(sandbox).split(' ').any(|capability| capability == name)
        };
        assert!(advertised(&manual()), "{name}");
        let off = without(&[name]);
        assert!(!advertised(&off), "{name}");
        assert_eq!(Client::inbox(&off).tagged(command), expected, "{name}");
    }
}

#[test]
fn labels_are_gmails_own_and_off_by_default() {
    let off = manual();
    let mut client = Client::inbox(&off);
    assert!(!client.ok("CAPABILITY")[0].contains("X-GM-EXT-1"));
    assert_eq!(client.tagged("FETCH 1 X-GM-LABELS"), "BAD An item is not supported.");
    assert_eq!(client.tagged("STORE 1 +X-GM-LABELS (x)"), "BAD X-GM-EXT-1 is not supported.");
    let extensions = Extensions::default().with(Extension::Gmail);
    let on = Sandbox::start(Options { extensions, ..Options::default() }).unwrap();
    let mut client = Client::inbox(&on);
    assert!(client.ok("CAPABILITY")[0].contains(" X-GM-EXT-1"));
    assert_eq!(client.ok("FETCH 1 X-GM-LABELS"), ["* 1 FETCH (X-GM-LABELS ())"]);
    for (command, expected) in [
        (
            r#"STORE 1:2 +X-GM-LABELS ("a \"b\"" \Important)"#,
            &[
                r#"* 1 FETCH (X-GM-LABELS ("a \"b\"" \Important))"#,
                r#"* 2 FETCH (X-GM-LABELS ("a \"b\"" \Important))"#,
            ][..],
        ),
        (
            r#"UID STORE 59 -X-GM-LABELS "A \"B\"""#,
            &["* 1 FETCH (UID 59 X-GM-LABELS (\\Important))"],
        ),
        ("STORE 1 +X-GM-LABELS.SILENT work", &[]),
        ("STORE 1 FLAGS.SILENT (x)", &[]),
        ("UID FETCH 59 (X-GM-LABELS)", &["* 1 FETCH (UID 59 X-GM-LABELS (\\Important \"work\"))"]),
        ("STORE 1 X-GM-LABELS (only)", &["* 1 FETCH (X-GM-LABELS (\"only\"))"]),
    ] {
        let told = client.ok(command);
        let told: Vec<&String> = told.iter().filter(|line| line.contains("FETCH")).collect();
        assert_eq!(told, expected, "{command}");
    }
    assert_eq!(client.tagged("STORE 1 *X-GM-LABELS (x)").split(' ').next(), Some("BAD"));
}

#[test]
fn before_the_login_too() {
    let sandbox = without(&["SASL-IR", "STARTTLS"]);
    let mut client = Client::connect(&sandbox);
    assert!(!client.ok("CAPABILITY")[0].contains("SASL-IR"));
    assert!(!client.ok("CAPABILITY")[0].contains("STARTTLS"));
    assert_eq!(client.tagged("STARTTLS"), "BAD STARTTLS is not supported.");
    assert_eq!(
        client.tagged("AUTHENTICATE PLAIN AG15YWNjdABteXBhc3N3ZA=="),
        "BAD An initial response was not offered."
    );
    let sandbox = without(&["AUTH=PLAIN"]);
    assert_eq!(
        Client::connect(&sandbox).tagged("AUTHENTICATE PLAIN"),
        "NO This mechanism is not supported."
    );
    assert_eq!(
        Client::connect(&manual()).tagged("AUTHENTICATE LOGIN"),
        "NO This mechanism is not supported."
    );
}

#[test]
fn without_uidplus_no_uids_are_told() {
    let sandbox = without(&["UIDPLUS"]);
    let mut client = Client::inbox(&sandbox);
    assert_eq!(client.append("INBOX", "x"), "OK APPEND completed.");
    client.ok("CREATE box");
    assert_eq!(client.tagged("COPY 1 box"), "OK COPY completed.");
    assert_eq!(client.ok("MOVE 1 box"), ["* 1 EXPUNGE"]);
}

#[test]
fn a_literal_that_was_not_offered_ends_the_session() {
    let large = format!("LOGIN x {{5000+}}\r\n{}", "y".repeat(5000));
    let neither = Extensions::default().without(Extension::LiteralPlus);
    let small = neither.with(Extension::LiteralMinus);
    for (extensions, command, accepted) in [
        (Extensions::default(), large.as_str(), true),
        (neither, "LOGIN x {1+}\r\ny", false),
        (small, "LOGIN x {1+}\r\ny", true),
        (small, &large, false),
        (neither, "LOGIN x y", true),
    ] {
        let sandbox = Sandbox::start(Options { extensions, ..Options::default() }).unwrap();
        let mut client = Client::connect(&sandbox);
        client.send(format!("t {command}\r\n"));
        if accepted {
            assert_eq!(client.line(), "t NO [AUTHENTICATIONFAILED] Wrong user or password.");
            continue;
        }
        assert_eq!(client.line(), "t BAD Such a literal was not offered.");
        assert_eq!(client.line(), "* BYE Cannot go on after this.");
        assert!(client.is_closed());
    }
}

#[test]
fn a_literal_too_big_is_not_awaited() {
    let sandbox = manual();
    let mut client = Client::connect(&sandbox);
    assert_eq!(client.tagged("LOGIN x {67108865}"), "NO [TOOBIG] The literal is too big.");
    client.ok("NOOP");
    client.send("t LOGIN x {67108865+}\r\n");
    assert_eq!(client.line(), "t NO [TOOBIG] The literal is too big.");
    assert_eq!(client.line(), "* BYE Cannot go on after this.");
}

#[test]
fn nothing_but_the_minimum_is_enough() {
    let sandbox =
        Sandbox::start(Options { extensions: Extensions::none(), ..Options::default() }).unwrap();
    let mut client = Client::connect(&sandbox);
    assert_eq!(client.ok("CAPABILITY"), ["* CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN"]);
    client.ok("LOGIN myacct mypasswd");
    assert_eq!(client.ok("LIST \"\" *"), ["* LIST () \"/\" INBOX"]);
    client.ok("SELECT INBOX");
    assert_eq!(client.ok("SEARCH TEXT blitzfig"), ["* SEARCH 7"]);
}

#[test]
fn lists_with_options_name_what_was_asked_for() {
    let sandbox = manual();
    let mut client = Client::login(&sandbox);
    for command in ["CREATE a/b", "CREATE c (USE (\\Sent \\junk))", "SUBSCRIBE a/b", "SUBSCRIBE c"]
    {
        client.ok(command);
    }
    client.ok("DELETE c");
    client.ok("CREATE d (USE (\\Trash))");
    for (command, expected) in [
        (
            "LIST (SUBSCRIBED) \"\" *",
            &[
                "* LIST (\\Subscribed) \"/\" INBOX",
                "* LIST (\\Subscribed) \"/\" a/b",
                "* LIST (\\Subscribed \\NonExistent) \"/\" c",
            ][..],
        ),
        (
            "LIST (SUBSCRIBED RECURSIVEMATCH) \"\" %",
            &[
                "* LIST (\\Subscribed) \"/\" INBOX",
                "* LIST () \"/\" a (\"CHILDINFO\" (\"SUBSCRIBED\"))",
                "* LIST (\\Subscribed \\NonExistent) \"/\" c",
            ],
        ),
        ("LIST () \"\" (a d)", &["* LIST () \"/\" a", "* LIST () \"/\" d"]),
        (
            "LIST \"\" (d a/%) RETURN (SUBSCRIBED CHILDREN SPECIAL-USE STATUS (MESSAGES))",
            &[
                "* LIST (\\Subscribed \\HasNoChildren) \"/\" a/b",
                "* STATUS a/b (MESSAGES 0)",
                "* LIST (\\HasNoChildren \\Trash) \"/\" d",
                "* STATUS d (MESSAGES 0)",
            ],
        ),
        ("LIST (SPECIAL-USE) \"\" *", &["* LIST (\\Trash) \"/\" d"]),
        ("LIST (SPECIAL-USE SUBSCRIBED) \"\" *", &[]),
        ("LIST \"\" d", &["* LIST (\\HasNoChildren \\Trash) \"/\" d"]),
    ] {
        assert_eq!(client.ok(command), expected, "{command}");
    }
    for (command, expected) in [
        ("LIST (RECURSIVEMATCH) \"\" *", "BAD RECURSIVEMATCH needs another option."),
        ("LIST (NONSENSE) \"\" *", "BAD An option of LIST is not supported."),
        ("CREATE x (USE (\\Foo))", "NO [USEATTR] A mailbox cannot have this use."),
    ] {
        assert_eq!(client.tagged(command), expected, "{command}");
    }
}

#[test]
fn rights_and_metadata_answer() {
    let sandbox = without(&["LITERAL+"]);
    let mut client = Client::login(&sandbox);
    client.send("t SETACL INBOX {4}\r\n");
    assert!(client.line().starts_with("+ "));
    client.send("fred c\r\n");
    assert_eq!(client.line(), "t OK SETACL completed.");
    for (command, expected) in [
        ("GETACL inbox", "* ACL inbox myacct lrswipkxtecda fred kxc"),
        ("LISTRIGHTS INBOX myacct", "* LISTRIGHTS INBOX myacct lrswipkxtecda"),
        ("LISTRIGHTS INBOX fred", "* LISTRIGHTS INBOX fred \"\" l r s w i p k x t e c d a"),
    ] {
        assert_eq!(client.ok(command), [expected], "{command}");
    }
    assert_eq!(client.tagged("SETACL INBOX myacct lr"), "NO [CANNOT] The owner keeps all rights.");
    client.ok("SETMETADATA INBOX (/private/a \"1\" /private/a/b \"22\" /shared/a/b/c \"333\")");
    for (command, expected) in [
        (
            "GETMETADATA INBOX (/private/A /private/z)",
            &["* METADATA INBOX (/private/A \"1\" /private/z NIL)"][..],
        ),
        ("GETMETADATA (DEPTH 1) INBOX /private", &["* METADATA INBOX (/private/a \"1\")"]),
        (
            "GETMETADATA (DEPTH infinity) INBOX (/private/a /shared)",
            &["* METADATA INBOX (/private/a \"1\" /private/a/b \"22\" /shared/a/b/c \"333\")"],
        ),
        ("GETMETADATA (DEPTH 1) INBOX /shared", &[]),
    ] {
        assert_eq!(client.ok(command), expected, "{command}");
    }
    let long = "GETMETADATA (MAXSIZE 1 DEPTH infinity) INBOX (/private)";
    assert_eq!(client.tagged(long), "OK [METADATA LONGENTRIES 2] GETMETADATA completed.");
    // All or nothing.
    let many = "SETMETADATA INBOX (/private/a NIL /private/b {65537}";
    client.send(format!("t {many}\r\n"));
    assert!(client.line().starts_with("+ "));
    client.send(format!("{})\r\n", "x".repeat(65_537)));
    assert_eq!(client.line(), "t NO [METADATA MAXSIZE 65536] The value is too long.");
    assert_eq!(client.ok("GETMETADATA INBOX /private/a"), ["* METADATA INBOX (/private/a \"1\")"]);
    assert_eq!(
        client.tagged("GETMETADATA INBOX /comment"),
        "BAD This is not the name of an entry."
    );
}

#[test]
fn small_extensions_answer() {
    let sandbox = manual();
    let mut client = Client::connect(&sandbox);
    assert_eq!(
        client.ok("ID (\"name\" \"test\")"),
        [concat!(
            "* ID (\"name\" \"postoffice sandbox\" \"version\" \"",
            env!("CARGO_PKG_VERSION"),
            "\")"
        )]
    );
    client.ok("LOGIN myacct mypasswd");
    assert_eq!(client.ok("NAMESPACE"), ["* NAMESPACE ((\"\" \"/\")) NIL NIL"]);
    assert_eq!(client.ok("ENABLE CONDSTORE"), ["* ENABLED CONDSTORE"]);
    assert_eq!(client.ok("ENABLE XYZZY"), ["* ENABLED"]);
}
