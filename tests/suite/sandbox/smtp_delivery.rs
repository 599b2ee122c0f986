//! Delivery by SMTP: which mailbox or outbox a letter goes to, and what happens to its bytes.

use postoffice::sandbox::{Account, Options, Sandbox, Seed};

use super::client::*;

/// An empty sandbox that adds no trace lines.
fn plain() -> Sandbox {
    Sandbox::start(Options { seed: Seed::Empty, trace_headers: false, ..Options::default() })
        .unwrap()
}

#[test]
fn local_recipients_get_the_letter_and_the_outbox_the_rest() {
    let refuse = vec!["nobody@example.org".to_owned()];
    let sandbox = Sandbox::start(Options {
        seed: Seed::Empty,
        trace_headers: false,
        refuse,
        ..Options::default()
    })
    .unwrap();
    let mut client = Client::smtp(&sandbox);
    assert_eq!(client.ask("MAIL FROM:<me@example.org>"), "250 2.1.0 The sender is noted.");
    assert_eq!(client.ask("RCPT TO:<myacct@localhost>"), "250 2.1.5 The recipient is noted.");
    assert_eq!(client.ask("RCPT TO:<Friend@far.example>"), "250 2.1.5 The recipient is noted.");
    assert_eq!(client.ask("RCPT TO:<Nobody@Example.org>"), "550 5.1.1 There is no such recipient.");
    assert_eq!(client.ask("DATA"), "354 Send the letter; a dot alone on a line ends it.");
    client.send("Subject: x\r\n\r\nhello\r\n");
    assert!(client.ask(".").starts_with("250 2.0.0 The letter is taken as "));
    assert_eq!(inbox_of(&sandbox, "myacct"), ["Subject: x\r\n\r\nhello\r\n"]);
    let outbox = sandbox.store().outbox();
    assert_eq!(
        (outbox.len(), outbox[0].from.as_str(), outbox[0].to.join(" ").as_str()),
        (1, "me@example.org", "Friend@far.example")
    );
    assert_eq!(*outbox[0].bytes, *b"Subject: x\r\n\r\nhello\r\n");
    assert_eq!(client.ask("DATA"), "503 5.5.1 MAIL comes first.");
    sandbox.store().reset(vec![Account::manual()], Seed::Empty);
    assert!(sandbox.store().outbox().is_empty());
}

#[test]
fn without_a_valid_recipient_there_is_no_data() {
    let sandbox =
        Sandbox::start(Options { refuse: vec!["a@b".to_owned()], ..Options::default() }).unwrap();
    let mut client = Client::smtp(&sandbox);
    client.ask("MAIL FROM:<>");
    assert_eq!(client.ask("RCPT TO:<a@b>"), "550 5.1.1 There is no such recipient.");
    assert_eq!(client.ask("DATA"), "554 5.5.1 There are no valid recipients.");
    assert_eq!(client.ask("RCPT TO:<a@c>"), "250 2.1.5 The recipient is noted.");
    assert!(client.ask("DATA").starts_with("354 "));
}

#[test]
fn who_is_local() {
    let accounts = vec![
        Account::manual(),
        Account::new("jane@work.example", "x"),
        Account::new("two words", "x"),
    ];
    for (address, user) in [
        ("myacct", Some("myacct")),
        ("MYACCT@LocalHost", Some("myacct")),
        ("myacct@example.org", Some("myacct")),
        ("myacct@tiger.franz.com", Some("myacct")),
        ("\"myacct\"@sandbox", Some("myacct")),
        ("@relay.example:myacct@sandbox", Some("myacct")),
        ("jane@work.example", Some("jane@work.example")),
        ("\"two words\"@sandbox", Some("two words")),
        ("myacct@far.example", None),
        ("myacct@sub.example.org", None),
        ("jane@example.org", None),
        ("stranger@localhost", None),
    ] {
        let sandbox = Sandbox::start(Options {
            accounts: accounts.clone(),
            seed: Seed::Empty,
            ..Options::default()
        })
        .unwrap();
        Client::smtp(&sandbox).submit("", &[address], "x\r\n");
        for account in &accounts {
            let expected = usize::from(user == Some(&account.user));
            assert_eq!(
                inbox_of(&sandbox, &account.user).len(),
                expected,
                "{address} {}",
                account.user
            );
        }
        assert_eq!(sandbox.store().outbox().len(), usize::from(user.is_none()), "{address}");
    }
    let sandbox =
        Sandbox::start(Options { domains: vec!["far.example".to_owned()], ..Options::default() })
            .unwrap();
    Client::smtp(&sandbox).submit("", &["myacct@far.example", "myacct@localhost"], "x\r\n");
    assert_eq!(
        (inbox_of(&sandbox, "myacct").len(), &sandbox.store().outbox()[0].to[..]),
        (8, &["myacct@localhost".to_owned()][..])
    );
}

#[test]
fn two_addresses_of_one_account_are_one_letter() {
    let sandbox = plain();
    Client::smtp(&sandbox).submit("", &["myacct@localhost", "myacct@sandbox"], "x\r\n");
    assert_eq!(inbox_of(&sandbox, "myacct"), ["x\r\n"]);
}

#[test]
fn trace_lines_stand_in_front() {
    let sandbox = empty();
    let mut client = Client::smtp(&sandbox);
    client.submit("me@example.org", &["myacct@localhost"], "Subject: x\r\n");
    client.submit("", &["myacct@localhost", "secret@far.example"], "Subject: y\r\n");
    let letters = inbox_of(&sandbox, "myacct");
    let first = "Return-Path: <me@example.org>\r\nReceived: from client.example (localhost [127.0.0.1])\r\n    by sandbox with ESMTP id ";
    assert!(letters[0].starts_with(first), "{}", letters[0]);
    assert!(
        letters[0].contains("\r\n    for <myacct@localhost>; ")
            && letters[0].ends_with("\r\nSubject: x\r\n"),
        "{}",
        letters[0]
    );
    assert!(
        letters[1].starts_with("Return-Path: <>\r\n") && !letters[1].contains("secret"),
        "{}",
        letters[1]
    );
    assert_eq!(*sandbox.store().outbox()[0].bytes, *b"Subject: y\r\n");
    let mut encrypted = tls(&sandbox, sandbox.smtps_address(), "localhost").unwrap();
    encrypted.line();
    encrypted.reply("EHLO x");
    encrypted.ask("AUTH PLAIN AG15YWNjdABteXBhc3N3ZA==");
    encrypted.submit("", &["myacct"], "x\r\n");
    assert_eq!(encrypted.ask("MAIL FROM:<> SMTPUTF8"), "250 2.1.0 The sender is noted.");
    assert_eq!(encrypted.ask("RCPT TO:<myacct>"), "250 2.1.5 The recipient is noted.");
    encrypted.ask("DATA");
    encrypted.ask(".");
    let letters = inbox_of(&sandbox, "myacct");
    assert!(
        letters[2].contains(" with ESMTPSA id ") && letters[3].contains(" with UTF8SMTPSA id "),
        "{letters:?}"
    );
}

#[test]
fn dots_are_unstuffed_and_nothing_but_crlf_dot_crlf_is_an_end() {
    for (sent, kept) in [
        ("a\r\n..\r\n", "a\r\n.\r\n"),
        (".a\r\n...\r\n", "a\r\n..\r\n"),
        ("a.\r\nb\r\n", "a.\r\nb\r\n"),
        ("a\n.\nb\r\n", "a\n.\nb\r\n"),
        ("a\r.\rb\r\n", "a\r.\rb\r\n"),
        ("a\n.\r\nb\r\n", "a\n.\r\nb\r\n"),
        ("a\r\n.\nb\r\n", "a\r\n\nb\r\n"),
        ("a\r.\r\nb\r\n", "a\r.\r\nb\r\n"),
        ("a\r\n.\rb\r\n", "a\r\n\rb\r\n"),
        ("", ""),
    ] {
        let sandbox = plain();
        let mut client = Client::smtp(&sandbox);
        // SMTP smuggling: commands after a false end of the letter are part of its text.
        let hidden = "MAIL FROM:<evil@x>\r\nRCPT TO:<myacct>\r\nDATA\r\nhidden\r\n";
        assert!(
            client.submit("", &["myacct"], &format!("{sent}{hidden}")).starts_with("250 "),
            "{sent:?}"
        );
        assert_eq!(inbox_of(&sandbox, "myacct"), [format!("{kept}{hidden}")], "{sent:?}");
        assert_eq!(client.ask("NOOP"), "250 2.0.0 Done.", "{sent:?}");
    }
}

#[test]
fn a_letter_may_come_byte_by_byte() {
    let sandbox = plain();
    let mut client = Client::smtp(&sandbox);
    for byte in b"MAIL FROM:<>\r\nRCPT TO:<myacct>\r\nDATA\r\na\r\n..b\r\n.\r\n" {
        client.send([*byte]);
    }
    for code in ["250", "250", "354", "250"] {
        assert!(client.line().starts_with(code));
    }
    assert_eq!(inbox_of(&sandbox, "myacct"), ["a\r\n.b\r\n"]);
}

#[test]
fn a_letter_too_big_is_refused_at_mail_and_after_data() {
    let sandbox = Sandbox::start(Options {
        seed: Seed::Empty,
        trace_headers: false,
        smtp: postoffice::sandbox::SmtpExtensions { size: Some(10), ..Default::default() },
        ..Options::default()
    })
    .unwrap();
    let mut client = Client::smtp(&sandbox);
    assert!(client.reply("EHLO x").contains(&"250-SIZE 10".to_owned()));
    assert_eq!(client.ask("MAIL FROM:<> SIZE=11"), "552 5.3.4 The letter is too big.");
    assert_eq!(client.submit("", &["myacct"], "123456789\r\n"), "552 5.3.4 The letter is too big.");
    assert_eq!(
        client.submit("", &["myacct"], &("x".repeat(1_000_000) + "\r\n")),
        "552 5.3.4 The letter is too big."
    );
    assert!(client.submit("", &["myacct"], "..23456789\r\n").starts_with("552 "));
    assert!(client.submit("", &["myacct"], "..2345678\r\n").starts_with("250 "));
    assert_eq!(inbox_of(&sandbox, "myacct"), [".2345678\r\n"]);
    let sandbox = with_smtp(|e| e.size = Some(0));
    assert!(Client::smtp(&sandbox).reply("EHLO x").contains(&"250-SIZE 0".to_owned()));
}

#[test]
fn eight_bits_are_kept_and_nul_is_refused() {
    let sandbox = plain();
    let mut client = Client::smtp(&sandbox);
    assert!(client.submit("", &["myacct"], "Subject: ä\r\n").starts_with("250 "));
    assert_eq!(
        client.submit("", &["myacct"], "a\0b\r\n"),
        "550 5.6.0 A letter cannot contain NUL."
    );
    assert_eq!(inbox_of(&sandbox, "myacct"), ["Subject: ä\r\n"]);
}

#[test]
fn a_connection_cut_before_the_last_dot_delivers_nothing() {
    let sandbox = plain();
    let mut client = Client::smtp(&sandbox);
    client.ask("MAIL FROM:<>");
    client.ask("RCPT TO:<myacct>");
    client.ask("DATA");
    client.send("half a letter\r\n.\r");
    sandbox.disconnect_all();
    assert!(client.is_closed());
    assert!(inbox_of(&sandbox, "myacct").is_empty());
}

#[test]
fn a_recipient_gone_before_the_end_is_an_error() {
    let sandbox = two_users();
    let mut client = Client::smtp(&sandbox);
    client.ask("MAIL FROM:<>");
    client.ask("RCPT TO:<myacct>");
    client.ask("RCPT TO:<other>");
    client.ask("DATA");
    sandbox.store().reset(vec![Account::manual()], Seed::Empty);
    client.send("x\r\n");
    assert_eq!(client.ask("."), "451 4.3.0 A recipient is gone; nothing was delivered.");
    assert!(inbox_of(&sandbox, "myacct").is_empty());
}

#[test]
fn imap_and_pop_see_what_smtp_delivers() {
    let sandbox = plain();
    let mut idle = Client::inbox(&sandbox);
    idle.send("i IDLE\r\n");
    assert_eq!(idle.line(), "+ idling");
    Client::smtp(&sandbox).submit("", &["myacct"], "Subject: x\r\n\r\nhello\r\n");
    assert_eq!(idle.line(), "* 1 EXISTS");
    assert_eq!(Client::maildrop(&sandbox).octets("RETR 1"), b"Subject: x\r\n\r\nhello\r\n");
}

#[test]
fn too_many_recipients_are_refused_one_by_one() {
    let sandbox = plain();
    let mut client = Client::smtp(&sandbox);
    client.ask("MAIL FROM:<>");
    for number in 0..1000 {
        assert_eq!(
            client.ask(&format!("RCPT TO:<r{number}@far.example>")),
            "250 2.1.5 The recipient is noted."
        );
    }
    assert_eq!(client.ask("RCPT TO:<one@far.example>"), "452 4.5.3 There are too many recipients.");
    client.ask("DATA");
    assert!(client.ask(".").starts_with("250 "));
    assert_eq!(sandbox.store().outbox()[0].to.len(), 1000);
}
