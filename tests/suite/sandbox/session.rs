//! The manual's session, the states of RFC 3501 section 3, and input that is not IMAP.

use super::client::*;

#[test]
fn the_manual_s_inbox_is_there() {
    let sandbox = manual();
    let mut client = Client::login(&sandbox);
    assert_eq!(
        client.ok("SELECT inbox"),
        [
            "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)",
            "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] Flags kept for good.",
            "* 7 EXISTS",
            "* 1 RECENT",
            "* OK [UNSEEN 3] The first unseen letter.",
            "* OK [UIDVALIDITY 937180800] UIDs are valid.",
            "* OK [UIDNEXT 69] The next UID.",
            "* OK [MAILBOXID (F0)] Its id.",
            "* OK [HIGHESTMODSEQ 8] The last change.",
        ]
    );
    assert_eq!(client.ok("SEARCH TEXT blitzfig"), ["* SEARCH 7"]);
    assert_eq!(client.ok("UID SEARCH TEXT blitzfig"), ["* SEARCH 68"]);
    assert_eq!(
        client.ok("FETCH 4 BODY[]"),
        ["* 4 FETCH (BODY[] {390}Return-Path: <jkfmail@tiger.franz.com>\r\n\
          Received: from tiger.franz.com (jkf@tiger [192.132.95.103])\r\n    by tiger.franz.com (8.8.7/8.8.7) with SMTP id LAA20261\r\n    \
          for <jkfmail@tiger.franz.com>; Mon, 13 Sep 1999 11:36:26 -0700\r\nDate: Mon, 13 Sep 1999 11:36:26 -0700\r\n\
          From: jkf mail tester <jkfmail@tiger.franz.com>\r\nMessage-Id: <199909131836.LAA20261@tiger.franz.com>\r\n\r\n\
          message number 5\r\n FLAGS (\\Seen))"]
    );
    assert_eq!(
        client.ok("FETCH 7 (UID INTERNALDATE)"),
        ["* 7 FETCH (UID 68 INTERNALDATE \"13-Sep-1999 13:36:54 -0700\")"]
    );
    assert!(client.ok("FETCH 7 BODY.PEEK[TEXT]")[0].contains("secret word: blitzfig\r\nok?\r\n)"));
}

#[test]
fn a_command_in_the_wrong_state_is_refused() {
    let sandbox = manual();
    let mut client = Client::connect(&sandbox);
    for command in [
        "SELECT INBOX",
        "LIST \"\" *",
        "STATUS INBOX (MESSAGES)",
        "FETCH 1 FLAGS",
        "EXPUNGE",
        "CLOSE",
        "IDLE",
        "NAMESPACE",
    ] {
        assert_eq!(client.tagged(command), "BAD Log in first.", "{command}");
    }
    client.ok("LOGIN myacct mypasswd");
    assert_eq!(client.tagged("LOGIN myacct mypasswd"), "BAD You are logged in already.");
    assert_eq!(client.tagged("STARTTLS"), "BAD You are logged in already.");
    for command in [
        "FETCH 1 FLAGS",
        "SEARCH ALL",
        "STORE 1 FLAGS ()",
        "EXPUNGE",
        "CHECK",
        "CLOSE",
        "UNSELECT",
        "COPY 1 INBOX",
    ] {
        assert_eq!(client.tagged(command), "BAD Select a mailbox first.", "{command}");
    }
}

#[test]
fn a_wrong_password_is_refused_and_the_right_one_taken_after_it() {
    let sandbox = manual();
    let mut client = Client::connect(&sandbox);
    for command in [
        "LOGIN myacct wrong",
        "LOGIN nobody mypasswd",
        "LOGIN MYACCT mypasswd",
        "AUTHENTICATE PLAIN AG15YWNjdAB3cm9uZw==",
    ] {
        assert_eq!(
            client.tagged(command),
            "NO [AUTHENTICATIONFAILED] Wrong user or password.",
            "{command}"
        );
    }
    client.ok("LOGIN \"myacct\" {8+}\r\nmypasswd");
}

#[test]
fn plain_comes_with_the_command_or_after_a_challenge() {
    let response = "AG15YWNjdABteXBhc3N3ZA==";
    let sandbox = manual();
    assert!(
        Client::connect(&sandbox)
            .tagged(&format!("AUTHENTICATE PLAIN {response}"))
            .starts_with("OK [CAPABILITY ")
    );
    let mut client = Client::connect(&sandbox);
    for (answer, expected) in [
        ("*", "t BAD AUTHENTICATE cancelled."),
        ("!", "t BAD The response is not base64."),
        ("AA==", "t BAD This is not a PLAIN response."),
        (
            "Ym9zcwBteWFjY3QAbXlwYXNzd2Q=",
            "t NO [AUTHORIZATIONFAILED] You cannot act for someone else.",
        ),
    ] {
        client.send("t AUTHENTICATE PLAIN\r\n");
        assert_eq!(client.line(), "+ ");
        client.send(format!("{answer}\r\n"));
        assert_eq!(client.line(), expected);
    }
    client.send(format!("t authenticate plain\r\n{response}\r\n"));
    assert_eq!(client.line(), "+ ");
    assert!(client.line().starts_with("t OK "));
}

#[test]
fn capabilities_follow_the_state() {
    let sandbox = manual();
    let mut client = Client::connect(&sandbox);
    let before = client.ok("CAPABILITY").remove(0);
    let login = "* CAPABILITY IMAP4rev1 LITERAL+ STARTTLS AUTH=PLAIN SASL-IR ";
    let extensions = before.strip_prefix(login).unwrap();
    assert!(extensions.starts_with("IDLE UNSELECT UIDPLUS MOVE "), "{extensions}");
    let login = client.tagged("LOGIN myacct mypasswd").replace("COMPRESS=DEFLATE ", "");
    assert_eq!(login, format!("OK [CAPABILITY IMAP4rev1 LITERAL+ {extensions}] LOGIN completed."));
    let after = client.ok("CAPABILITY").remove(0);
    assert!(after.contains(" COMPRESS=DEFLATE "), "{after}"); // after the login only
    let after = after.replace("COMPRESS=DEFLATE ", "");
    assert_eq!(after, format!("* CAPABILITY IMAP4rev1 LITERAL+ {extensions}"));
}

#[test]
fn what_cannot_be_understood_is_answered_bad() {
    let sandbox = manual();
    for (input, expected) in [
        ("", "* BAD The line is empty."),
        ("   ", "* BAD The line is empty."),
        ("a", "a BAD There is no command behind the tag."),
        ("a ", "a BAD There is no command behind the tag."),
        ("a  NOOP", "a BAD There is no command behind the tag."),
        ("* NOOP", "* BAD The line does not begin with a tag."),
        ("a+b NOOP", "* BAD The line does not begin with a tag."),
        ("a XYZZY", "a BAD Command XYZZY is unknown or has wrong arguments."),
        ("a NOOP NOOP", "a BAD Command NOOP is unknown or has wrong arguments."),
        ("a LOGIN x", "a BAD Command LOGIN is unknown or has wrong arguments."),
        ("a LOGIN \"x y", "a BAD Command LOGIN is unknown or has wrong arguments."),
        ("a \u{1b}[2J", "a BAD Command ?[2J is unknown or has wrong arguments."),
        ("a LOGIN \0 x", "a BAD A command cannot contain NUL."),
        ("a LOGIN x {3+}\r\na\0b", "a BAD A command cannot contain NUL."),
        ("a FETCH 0 FLAGS", "a BAD Command FETCH is unknown or has wrong arguments."),
        ("a FETCH 99999999999 FLAGS", "a BAD Command FETCH is unknown or has wrong arguments."),
        ("a FETCH 1 BODY[0]", "a BAD Command FETCH is unknown or has wrong arguments."),
        ("a SELECT {5}", "+ Go ahead."),
        ("a XYZZY {5}", "a BAD Command XYZZY is unknown or has wrong arguments."),
        ("a LOGIN x {99999999}", "a NO [TOOBIG] The literal is too big."),
        ("a LOGIN x {99999999999999999999999}", "a NO [TOOBIG] The literal is too big."),
    ] {
        let mut client = Client::connect(&sandbox);
        client.send(format!("{input}\r\n"));
        assert_eq!(client.line(), expected, "{input:?}");
    }
    let mut client = Client::connect(&sandbox);
    client.send("a NOOP\n");
    assert_eq!(client.line(), "a BAD A line must end with CRLF.");
}

#[test]
fn ten_bad_commands_in_a_row_end_the_session() {
    let sandbox = manual();
    let mut client = Client::connect(&sandbox);
    for round in 0..2 {
        for _ in 0..9 {
            assert!(client.tagged("RUBBISH").starts_with("BAD "));
        }
        if round == 0 {
            client.ok("NOOP");
        }
    }
    client.send("t RUBBISH\r\n");
    assert!(client.line().starts_with("t BAD "));
    assert_eq!(client.line(), "* BYE Too many bad commands.");
    assert!(client.is_closed());
}

#[test]
fn a_line_without_end_is_skipped() {
    let sandbox = manual();
    let mut client = Client::connect(&sandbox);
    client.send(format!("a LOGIN {}\r\nb NOOP\r\n", "x".repeat(200_000)));
    assert_eq!(client.line(), "* BAD The command line is too long.");
    assert_eq!(client.line(), "b OK NOOP completed.");
}

#[test]
fn bytes_of_all_kinds_never_silence_the_server() {
    let sandbox = manual();
    let mut state = 1_u32;
    for _ in 0..300 {
        let mut client = Client::inbox(&sandbox);
        let noise: Vec<u8> = (0..200)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                b"a1 \r\n\"(){}[]*%\\\0\xff+<>:,~UIDFETCHSEARCHSTOREBODY"
                    [state as usize % 10_007 % 46]
            })
            .collect();
        client.send(noise);
        // Whatever the noise did, a new client is still served.
    }
    assert_eq!(Client::inbox(&sandbox).ok("SEARCH TEXT blitzfig"), ["* SEARCH 7"]);
}

#[test]
fn logout_says_bye_first() {
    let sandbox = manual();
    let mut client = Client::inbox(&sandbox);
    assert_eq!(client.ok("LOGOUT"), ["* BYE Logging out."]);
    assert!(client.is_closed());
}

#[test]
fn commands_sent_at_once_are_answered_in_order() {
    let sandbox = manual();
    let mut client = Client::inbox(&sandbox);
    client.send("a NOOP\r\nb FETCH 1 UID\r\nc SEARCH UNSEEN\r\n");
    assert_eq!(client.answer("a"), ["a OK NOOP completed."]);
    assert_eq!(client.answer("b"), ["* 1 FETCH (UID 59)", "b OK FETCH completed."]);
    assert_eq!(client.answer("c"), ["* SEARCH 3 4 5 6 7", "c OK SEARCH completed."]);
}

#[test]
fn received_commands_can_be_looked_at_without_secrets() {
    let sandbox = manual();
    let mut client = Client::inbox(&sandbox);
    client.append("INBOX", "Subject: x\r\n\r\n");
    Client::connect(&sandbox).ok("AUTHENTICATE PLAIN AG15YWNjdABteXBhc3N3ZA==");
    assert_eq!(
        sandbox.received(),
        [
            "Login { username: Atom(AtomExt(\"myacct\")), password: \"<secret>\" }",
            "Select { mailbox: Inbox }",
            "Append { mailbox: Inbox, flags: [], date: None, message: 14 octets }",
            "Authenticate { mechanism: Plain, initial_response: Some(\"<secret>\") }",
        ]
    );
}

#[test]
fn a_closed_sandbox_lets_nobody_wait() {
    let sandbox = manual();
    let mut idle = Client::inbox(&sandbox);
    idle.send("t IDLE\r\n");
    assert_eq!(idle.line(), "+ idling");
    let mut silent = Client::connect(&sandbox);
    let mut encrypted = tls(&sandbox, sandbox.imaps_address(), "localhost").unwrap();
    assert!(encrypted.line().starts_with("* OK "));
    let mut handshake = Client::raw(sandbox.imaps_address());
    let address = sandbox.imap_address();
    sandbox.stop();
    sandbox.stop();
    drop(sandbox);
    assert!(
        idle.is_closed() && silent.is_closed() && encrypted.is_closed() && handshake.is_closed()
    );
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn disconnecting_all_leaves_the_listener() {
    let sandbox = manual();
    let mut client = Client::inbox(&sandbox);
    client.ok("STORE 1 +FLAGS (\\Flagged)");
    sandbox.disconnect_all();
    assert!(client.is_closed());
    assert_eq!(
        Client::inbox(&sandbox).ok("FETCH 1 FLAGS"),
        ["* 1 FETCH (FLAGS (\\Flagged \\Seen))"]
    );
}
