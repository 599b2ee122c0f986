//! SMTP commands: their order and syntax, and input that is not SMTP.

use super::client::*;

#[test]
fn the_server_greets_and_names_its_extensions() {
    let sandbox = manual();
    let mut client = Client::raw(sandbox.smtp_address());
    assert_eq!(client.line(), "220 sandbox ESMTP Sandbox ready.");
    assert_eq!(
        client.reply("EHLO client.example"),
        [
            "250-sandbox greets client.example.",
            "250-PIPELINING",
            "250-SIZE 67108864",
            "250-8BITMIME",
            "250-SMTPUTF8",
            "250-DSN",
            "250-CHUNKING",
            "250-STARTTLS",
            "250-AUTH PLAIN LOGIN",
            "250 ENHANCEDSTATUSCODES",
        ]
    );
    assert_eq!(client.ask("helo [127.0.0.1]"), "250 sandbox greets [127.0.0.1].");
    assert_eq!(client.ask("QUIT"), "221 2.0.0 Bye.");
    assert!(client.is_closed());
}

#[test]
fn a_command_at_the_wrong_time_is_refused() {
    let sandbox = manual();
    let mut client = Client::raw(sandbox.smtp_address());
    client.line();
    for command in ["MAIL FROM:<a@b>", "STARTTLS", "AUTH PLAIN"] {
        assert_eq!(client.ask(command), "503 5.5.1 EHLO comes first.", "{command}");
    }
    client.reply("EHLO x");
    assert_eq!(client.ask("RCPT TO:<a@b>"), "503 5.5.1 MAIL comes first.");
    assert_eq!(client.ask("DATA"), "503 5.5.1 MAIL comes first.");
    assert_eq!(client.ask("MAIL FROM:<a@b>"), "250 2.1.0 The sender is noted.");
    assert_eq!(client.ask("DATA"), "503 5.5.1 RCPT comes first.");
    assert_eq!(client.ask("MAIL FROM:<a@b>"), "503 5.5.1 A letter is on its way.");
    assert_eq!(client.ask("AUTH PLAIN"), "503 5.5.1 A letter is on its way.");
    assert_eq!(client.ask("RSET"), "250 2.0.0 Forgotten.");
    assert_eq!(client.ask("RCPT TO:<a@b>"), "503 5.5.1 MAIL comes first.");
    assert_eq!(client.ask("MAIL FROM:<a@b>"), "250 2.1.0 The sender is noted.");
    client.reply("EHLO x");
    assert_eq!(client.ask("RCPT TO:<a@b>"), "503 5.5.1 MAIL comes first.");
}

#[test]
fn addresses_and_parameters_are_checked() {
    let sandbox = manual();
    let no_address = "501 5.1.7 This is not an address.";
    let expected_from = "501 5.5.2 Expected FROM:<address>.";
    for (command, expected) in [
        ("MAIL FROM:<>", "250 2.1.0 The sender is noted."),
        (
            "mail from:<a@b> size=1000 body=8bitmime smtputf8 auth=<>",
            "250 2.1.0 The sender is noted.",
        ),
        ("MAIL FROM:<a@b> AUTH=e+3Dmc2@example.com", "250 2.1.0 The sender is noted."),
        ("MAIL FROM:<@x.org:a@b>", "250 2.1.0 The sender is noted."),
        ("MAIL FROM:<\"a b>\"@c>", "250 2.1.0 The sender is noted."),
        ("MAIL FROM:<jörg@example.org> SMTPUTF8", "250 2.1.0 The sender is noted."),
        ("MAIL FROM:<jörg@example.org>", "553 5.6.7 The address needs SMTPUTF8."),
        ("MAIL", expected_from),
        ("MAIL FROM", expected_from),
        ("MAIL FROM:", expected_from),
        ("MAIL FROM:a@b", expected_from),
        ("MAIL FROM: <a@b>", expected_from),
        ("MAIL FROM:<a@b", expected_from),
        ("MAIL TO:<a@b>", expected_from),
        ("MAIL FROÄ:<a@b>", expected_from),
        ("MAIL FROM:<a@>", no_address),
        ("MAIL FROM:<a b@c>", no_address),
        ("MAIL FROM:<a@b..c>", no_address),
        ("MAIL FROM:<<a@b>>", no_address),
        ("MAIL FROM:<a@b>SIZE=1", "501 5.5.4 A space must follow the address."),
        ("MAIL FROM:<a@b>  SIZE=1", "501 5.5.4 A parameter is malformed."),
        ("MAIL FROM:<a@b> ", "501 5.5.4 A parameter is malformed."),
        ("MAIL FROM:<a@b> SIZE=", "501 5.5.4 A parameter is malformed."),
        ("MAIL FROM:<a@b> SIZE", "501 5.5.4 SIZE needs a number."),
        ("MAIL FROM:<a@b> SIZE=-1", "501 5.5.4 SIZE needs a number."),
        ("MAIL FROM:<a@b> SIZE=1 SIZE=2", "501 5.5.4 Parameter SIZE comes twice."),
        ("MAIL FROM:<a@b> SIZE=67108864", "250 2.1.0 The sender is noted."),
        ("MAIL FROM:<a@b> SIZE=67108865", "552 5.3.4 The letter is too big."),
        ("MAIL FROM:<a@b> SIZE=99999999999999999999", "552 5.3.4 The letter is too big."),
        ("MAIL FROM:<a@b> BODY=BINARYMIME", "501 5.5.4 BODY is 7BIT or 8BITMIME."),
        ("MAIL FROM:<a@b> SMTPUTF8=1", "501 5.5.4 SMTPUTF8 takes no value."),
        (
            "MAIL FROM:<a@b> AUTH=a+b",
            "501 5.5.4 AUTH needs an address or <>, encoded as RFC 3461 says.",
        ),
        ("MAIL FROM:<a@b> RET=FULL ENVID=QQ+20314", "250 2.1.0 The sender is noted."),
        ("MAIL FROM:<a@b> RET=ALL", "501 5.5.4 RET is FULL or HDRS."),
        ("MAIL FROM:<a@b> ENVID=a+b", "501 5.5.4 ENVID needs up to 100 octets of xtext."),
        ("MAIL FROM:<a@b> MT-PRIORITY=3", "555 5.5.4 Parameter MT-PRIORITY is not supported."),
        ("MAIL FROM:<a@b> \u{1b}[2J", "500 5.5.2 A command cannot contain control characters."),
    ] {
        assert_eq!(Client::smtp(&sandbox).ask(command), expected, "{command:?}");
    }
    for (command, expected) in [
        ("RCPT TO:<Postmaster>", "250 2.1.5 The recipient is noted."),
        ("RCPT TO:<a@[127.0.0.1]>", "250 2.1.5 The recipient is noted."),
        ("RCPT TO:<>", "501 5.1.3 This is not an address."),
        ("RCPT TO:<a@b@c>", "501 5.1.3 This is not an address."),
        ("RCPT TO:<j\u{f6}rg@b>", "553 5.6.7 The address needs SMTPUTF8."),
        ("RCPT TO:a@b", "501 5.5.2 Expected TO:<address>."),
        ("RCPT TO:<a@b> NOTIFY=NEVER", "250 2.1.5 The recipient is noted."),
        (
            "RCPT TO:<a@b> NOTIFY=success,DELAY ORCPT=rfc822;a@b",
            "250 2.1.5 The recipient is noted.",
        ),
        ("RCPT TO:<a@b> NOTIFY=NEVER,DELAY", "501 5.5.4 NOTIFY is NEVER, or a list of events."),
        ("RCPT TO:<a@b> ORCPT=a@b", "501 5.5.4 ORCPT needs a type and an address in xtext."),
        ("RCPT TO:<a@b> SIZE=1", "555 5.5.4 Parameter SIZE is not supported."),
    ] {
        let mut client = Client::smtp(&sandbox);
        client.ask("MAIL FROM:<>");
        assert_eq!(client.ask(command), expected, "{command:?}");
    }
}

#[test]
fn a_letter_in_chunks_is_taken_as_it_is() {
    for pipelining in [true, false] {
        let sandbox = with_smtp(|e| e.pipelining = pipelining);
        let mut client = Client::smtp(&sandbox);
        client.ask("EHLO x");
        while client.line().as_bytes()[3] == b'-' {}
        // What follows a refused BDAT is read, and is no command.
        client.send("BDAT 6 LAST\r\nQUIT\r\n");
        assert_eq!(client.line(), "503 5.5.1 MAIL comes first.");
        client.ask("MAIL FROM:<a@b>");
        client.send("bdat 6\r\nQUIT\r\n");
        assert_eq!(client.line(), "503 5.5.1 RCPT comes first.");
        client.ask("RCPT TO:<myacct@localhost>");
        client.send("BDAT 14\r\nSubject: x\r\n\r\n");
        assert_eq!(client.line(), "250 2.0.0 14 octets are taken.");
        assert_eq!(client.ask("DATA"), "503 5.5.1 The letter has begun by BDAT.");
        client.send("BDAT 0\r\n");
        assert_eq!(client.line(), "250 2.0.0 0 octets are taken.");
        client.send("BDAT 8 last\r\n.\r\n.\nx\r\n");
        assert!(client.line().starts_with("250 2.0.0 The letter is taken as "));
        assert!(inbox_of(&sandbox, "myacct")[7].ends_with("Subject: x\r\n\r\n.\r\n.\nx\r\n"));
        client.send("BDAT 1 LAST\r\nx");
        assert_eq!(client.line(), "503 5.5.1 MAIL comes first.");
        assert_eq!(client.ask("NOOP"), "250 2.0.0 Done.");
        assert_eq!(
            client.ask("BDAT x"),
            "501 5.5.4 BDAT needs a number of octets, and perhaps LAST."
        );
        assert!(client.is_closed());
    }
    let sandbox = with_smtp(|e| e.size = Some(10));
    let mut client = Client::smtp(&sandbox);
    client.ask("HELO x");
    client.ask("MAIL FROM:<a@b>");
    client.ask("RCPT TO:<myacct@localhost>");
    client.send("BDAT 11 LAST\r\nSubject: xx");
    assert_eq!(client.line(), "552 5.3.4 The letter is too big.");
    assert_eq!(client.ask("RCPT TO:<a@b>"), "503 5.5.1 MAIL comes first.");
}

#[test]
fn what_cannot_be_understood_is_refused() {
    let sandbox = manual();
    for (input, expected) in [
        ("", "500 5.5.1 This command is unknown."),
        (" NOOP", "500 5.5.1 This command is unknown."),
        ("XYZZY", "500 5.5.1 This command is unknown."),
        ("EXPN list", "502 5.5.1 This command is not implemented."),
        ("EHLO", "501 5.5.4 A host name or an address in brackets is expected."),
        ("EHLO ", "501 5.5.4 A host name or an address in brackets is expected."),
        ("EHLO a b", "501 5.5.4 A host name or an address in brackets is expected."),
        ("HELO <x>", "501 5.5.4 A host name or an address in brackets is expected."),
        ("DATA now", "501 5.5.4 This command takes no arguments."),
        ("RSET x", "501 5.5.4 This command takes no arguments."),
        ("QUIT x", "501 5.5.4 This command takes no arguments."),
        ("STARTTLS x", "501 5.5.4 This command takes no arguments."),
        ("VRFY", "501 5.5.4 VRFY needs a name."),
        ("NO\0OP", "500 5.5.2 A command cannot contain control characters."),
        ("NO\rOP", "500 5.5.2 A command cannot contain control characters."),
        ("NOOP whatever", "250 2.0.0 Done."),
        ("HELP", "214 2.0.0 This is a sandbox; see RFC 5321."),
        ("VRFY myacct", "250 2.1.5 <myacct@sandbox>"),
        ("VRFY <MyAcct@Example.ORG>", "250 2.1.5 <myacct@sandbox>"),
        ("VRFY myacct@elsewhere.net", "252 2.0.0 There is no telling, but a letter will be taken."),
        ("VRFY ((", "252 2.0.0 There is no telling, but a letter will be taken."),
    ] {
        assert_eq!(Client::smtp(&sandbox).ask(input), expected, "{input:?}");
    }
    let mut client = Client::smtp(&sandbox);
    client.send("NOOP\n");
    assert_eq!(client.line(), "500 5.5.2 A line must end with CRLF.");
    client.send(b"NOOP \xff\r\n");
    assert_eq!(client.line(), "500 5.5.2 The line is not UTF-8.");
    for length in [2042, 3000, 200_000] {
        assert_eq!(
            client.ask(&format!("NOOP {}", "x".repeat(length))),
            "500 5.5.2 The command line is too long.",
            "{length}"
        );
    }
    assert_eq!(client.ask(&format!("NOOP {}", "x".repeat(2041))), "250 2.0.0 Done.");
}

#[test]
fn ten_bad_commands_in_a_row_end_the_session() {
    let sandbox = manual();
    let mut client = Client::smtp(&sandbox);
    for round in 0..2 {
        for _ in 0..9 {
            assert_eq!(client.ask("RUBBISH"), "500 5.5.1 This command is unknown.");
        }
        if round == 0 {
            client.ask("NOOP");
        }
    }
    assert_eq!(client.ask("RUBBISH"), "421 4.7.0 Too many bad commands.");
    assert!(client.is_closed());
}

#[test]
fn commands_sent_at_once_are_answered_in_order() {
    let sandbox = empty();
    let mut client = Client::smtp(&sandbox);
    client.send("MAIL FROM:<a@b>\r\nRCPT TO:<myacct@localhost>\r\nRCPT TO:<bad>>\r\nDATA\r\nSubject: x\r\n\r\nhi\r\n.\r\nNOOP\r\nQUIT\r\n");
    let codes: Vec<String> = (0..7).map(|_| client.line()[..3].to_owned()).collect();
    assert_eq!(codes, ["250", "250", "501", "354", "250", "250", "221"]);
    assert!(client.is_closed());
    assert!(inbox_of(&sandbox, "myacct")[0].ends_with("Subject: x\r\n\r\nhi\r\n"));
}

#[test]
fn what_is_off_is_neither_advertised_nor_accepted() {
    type Switch = fn(&mut postoffice::sandbox::SmtpExtensions);
    let cases: [(&str, Switch, &str, &str); 9] = [
        (
            "SIZE",
            |e| e.size = None,
            "MAIL FROM:<> SIZE=1",
            "555 5.5.4 Parameter SIZE is not supported.",
        ),
        (
            "8BITMIME",
            |e| e.eight_bit_mime = false,
            "MAIL FROM:<> BODY=8BITMIME",
            "555 5.5.4 Parameter BODY is not supported.",
        ),
        (
            "SMTPUTF8",
            |e| e.smtp_utf8 = false,
            "MAIL FROM:<> SMTPUTF8",
            "555 5.5.4 Parameter SMTPUTF8 is not supported.",
        ),
        (
            "DSN",
            |e| e.dsn = false,
            "MAIL FROM:<> RET=HDRS",
            "555 5.5.4 Parameter RET is not supported.",
        ),
        ("CHUNKING", |e| e.chunking = false, "BDAT 5 LAST", "500 5.5.1 This command is unknown."),
        ("STARTTLS", |e| e.starttls = false, "STARTTLS", "502 5.5.1 STARTTLS is not supported."),
        (
            "AUTH",
            |e| (e.auth_plain, e.auth_login) = (false, false),
            "AUTH PLAIN",
            "502 5.5.1 AUTH is not supported.",
        ),
        (
            "AUTH",
            |e| (e.auth_plain, e.auth_login) = (false, false),
            "MAIL FROM:<> AUTH=<>",
            "555 5.5.4 Parameter AUTH is not supported.",
        ),
        ("ENHANCEDSTATUSCODES", |e| e.enhanced_status_codes = false, "NOOP", "250 Done."),
    ];
    for (name, switch, command, expected) in cases {
        let sandbox = with_smtp(switch);
        let mut client = Client::smtp(&sandbox);
        let offered = client.reply("EHLO x");
        assert!(
            !offered.iter().any(|line| line[4..].split(' ').next() == Some(name)),
            "{name}: {offered:?}"
        );
        assert_eq!(client.ask(command), expected, "{name}");
    }
    let one = with_smtp(|e| e.auth_login = false);
    assert!(Client::smtp(&one).reply("EHLO x").contains(&"250-AUTH PLAIN".to_owned()));
    assert_eq!(Client::smtp(&one).ask("AUTH LOGIN"), "504 5.5.4 This mechanism is not supported.");
}

#[test]
fn nothing_but_the_minimum_is_enough() {
    let options = postoffice::sandbox::Options {
        smtp: postoffice::sandbox::SmtpExtensions::none(),
        ..Default::default()
    };
    let sandbox = postoffice::sandbox::Sandbox::start(options).unwrap();
    let mut client = Client::smtp(&sandbox);
    assert_eq!(client.reply("EHLO x"), ["250 sandbox greets x."]);
    assert!(
        client
            .submit("a@b", &["myacct@localhost"], "Subject: x\r\n")
            .starts_with("250 The letter is taken as ")
    );
}

#[test]
fn a_client_that_says_helo_has_no_extensions() {
    let sandbox = with_smtp(|e| e.ehlo = false);
    let mut client = Client::raw(sandbox.smtp_address());
    assert_eq!(client.line(), "220 sandbox SMTP Sandbox ready.");
    assert_eq!(client.ask("EHLO x"), "500 5.5.1 This command is unknown.");
    assert_eq!(client.ask("HELO x"), "250 sandbox greets x.");
    assert_eq!(client.ask("MAIL FROM:<a@b> SIZE=1"), "555 5.5.4 Parameters need EHLO.");
    assert_eq!(client.ask("AUTH PLAIN"), "503 5.5.1 EHLO comes first.");
    assert_eq!(client.ask("STARTTLS"), "503 5.5.1 EHLO comes first.");
    client.submit("a@b", &["myacct@localhost"], "Subject: x\r\n");
    assert!(inbox_of(&sandbox, "myacct")[7].contains("\r\n    by sandbox with SMTP id "));
}

#[test]
fn without_pipelining_what_is_sent_ahead_ends_the_session() {
    let sandbox = with_smtp(|e| e.pipelining = false);
    let mut client = Client::smtp(&sandbox);
    client.send("MAIL FROM:<a@b>\r\nRCPT TO:<myacct>\r\n");
    assert_eq!(client.line(), "421 4.7.0 Commands were sent ahead without PIPELINING.");
    assert!(client.is_closed());
    assert!(Client::smtp(&sandbox).submit("a@b", &["myacct"], "x\r\n").starts_with("250 "));
}

#[test]
fn bytes_of_all_kinds_never_silence_the_server() {
    let sandbox = Client::noise_at(
        |sandbox| sandbox.smtp_address(),
        b"\r\n\r\n\r\n :<>@.=\"\\[]\0\xffEHLOMAILFROMRCPTTODATAUTH",
    );
    assert!(Client::smtp(&sandbox).submit("a@b", &["myacct"], "x\r\n").starts_with("250 "));
}

#[test]
fn gibberish_in_a_transaction_is_no_harm_either() {
    let sandbox = empty();
    let mut state = 7_u32;
    for _ in 0..200 {
        let mut client = Client::smtp(&sandbox);
        let noise: Vec<u8> = (0..200)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                b"\r\n.\r\n.a\0\xff"[(state >> 8) as usize % 9]
            })
            .collect();
        client.send([b"MAIL FROM:<>\r\nRCPT TO:<myacct>\r\nDATA\r\n", &noise[..]].concat());
    }
    assert!(Client::smtp(&sandbox).submit("", &["myacct"], "the last\r\n").starts_with("250 "));
    assert!(Client::inbox(&sandbox).ok("SEARCH TEXT \"the last\"")[0].len() > "* SEARCH".len());
}

#[test]
fn a_closed_sandbox_lets_nobody_wait() {
    let sandbox = manual();
    let mut data = Client::smtp(&sandbox);
    data.send("MAIL FROM:<>\r\nRCPT TO:<myacct>\r\nDATA\r\n");
    for code in ["250", "250", "354"] {
        assert!(data.line().starts_with(code));
    }
    let mut challenged = Client::smtp(&sandbox);
    assert_eq!(challenged.ask("AUTH PLAIN"), "334 ");
    let mut pop = Client::maildrop(&sandbox);
    let mut encrypted = tls(&sandbox, sandbox.pops_address(), "localhost").unwrap();
    assert!(encrypted.line().starts_with("+OK "));
    let mut handshake = Client::raw(sandbox.smtps_address());
    sandbox.stop();
    assert!(
        data.is_closed()
            && challenged.is_closed()
            && pop.is_closed()
            && encrypted.is_closed()
            && handshake.is_closed()
    );
    assert_eq!(inbox_of(&sandbox, "myacct").len(), 7);
    for address in [
        sandbox.pop_address(),
        sandbox.pops_address(),
        sandbox.smtp_address(),
        sandbox.smtps_address(),
    ] {
        assert!(std::net::TcpStream::connect(address).is_err());
    }
}
