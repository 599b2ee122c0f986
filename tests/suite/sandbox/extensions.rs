//! An extension that is switched off is neither advertised nor accepted.

use postoffice::sandbox::{Extensions, Options, Sandbox};

use super::client::*;

type Switch = fn(&mut Extensions);

#[test]
fn what_is_off_is_neither_advertised_nor_accepted() {
    let cases: [(&str, Switch, &str, &str); 8] = [
        ("MOVE", |e| e.move_ = false, "MOVE 1 INBOX", "BAD MOVE is not supported."),
        ("IDLE", |e| e.idle = false, "IDLE", "BAD IDLE is not supported."),
        ("UNSELECT", |e| e.unselect = false, "UNSELECT", "BAD UNSELECT is not supported."),
        ("UIDPLUS", |e| e.uidplus = false, "UID EXPUNGE 1", "BAD UID EXPUNGE is not supported."),
        ("ID", |e| e.id = false, "ID NIL", "BAD ID is not supported."),
        ("ENABLE", |e| e.enable = false, "ENABLE CONDSTORE", "BAD ENABLE is not supported."),
        (
            "NAMESPACE",
            |e| e.namespace = false,
            "NAMESPACE",
            "BAD Command NAMESPACE is unknown or has wrong arguments.",
        ),
        ("CHILDREN", |e| e.children = false, "CAPABILITY", "OK CAPABILITY completed."),
    ];
    for (name, switch, command, expected) in cases {
        let capabilities = |sandbox: &Sandbox| {
            Client::inbox(sandbox).ok("CAPABILITY")[0].replace("* CAPABILITY ", "")
        };
        let advertised = |sandbox: &Sandbox| {
            capabilities(sandbox).split(' ').any(|capability| capability == name)
        };
        assert!(advertised(&manual()), "{name}");
        let off = with(switch);
        assert!(!advertised(&off), "{name}");
        assert_eq!(Client::inbox(&off).tagged(command), expected, "{name}");
    }
}

#[test]
fn before_the_login_too() {
    let sandbox = with(|e| (e.sasl_ir, e.starttls, e.auth_plain) = (false, false, true));
    let mut client = Client::connect(&sandbox);
    assert!(!client.ok("CAPABILITY")[0].contains("SASL-IR"));
    assert!(!client.ok("CAPABILITY")[0].contains("STARTTLS"));
    assert_eq!(client.tagged("STARTTLS"), "BAD STARTTLS is not supported.");
    assert_eq!(
        client.tagged("AUTHENTICATE PLAIN AG15YWNjdABteXBhc3N3ZA=="),
        "BAD An initial response was not offered."
    );
    let sandbox = with(|e| e.auth_plain = false);
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
    let sandbox = with(|e| e.uidplus = false);
    let mut client = Client::inbox(&sandbox);
    assert_eq!(client.append("INBOX", "x"), "OK APPEND completed.");
    client.ok("CREATE box");
    assert_eq!(client.tagged("COPY 1 box"), "OK COPY completed.");
    assert_eq!(client.ok("MOVE 1 box"), ["* 1 EXPUNGE"]);
}

#[test]
fn a_literal_that_was_not_offered_ends_the_session() {
    let large = format!("LOGIN x {{5000+}}\r\n{}", "y".repeat(5000));
    let cases: [(Switch, &str, bool); 5] = [
        (|_| {}, &large, true),
        (|e| e.literal_plus = false, "LOGIN x {1+}\r\ny", false),
        (|e| (e.literal_plus, e.literal_minus) = (false, true), "LOGIN x {1+}\r\ny", true),
        (|e| (e.literal_plus, e.literal_minus) = (false, true), &large, false),
        (|e| e.literal_plus = false, "LOGIN x y", true),
    ];
    for (switch, command, accepted) in cases {
        let sandbox = with(switch);
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
    assert_eq!(client.ok("ENABLE CONDSTORE"), ["* ENABLED"]);
}
