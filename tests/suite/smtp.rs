//! The SMTP client, against the sandbox and against Postfix, and misbehaving servers.

use crate::support::script::Script;
use crate::support::{Server, empty, relay_to, sound_wires};
use postoffice::client::smtp::Envelope;
use postoffice::client::{ConnectOptions, Credentials, Error, SmtpClient, StatusValue, TlsMode};
use postoffice::condition::{Condition, Identifier};
use postoffice::proto::imap::MessageId;
use postoffice::proto::smtp::Notices;
use postoffice::proto::smtp::notices::{Notify, Returned};
use postoffice::sandbox::{Options, SmtpExtensions};
use postoffice::transport::{Connector, TlsOptions};

fn connect(port: u16) -> SmtpClient {
    let options = ConnectOptions { port: Some(port), ..ConnectOptions::default() };
    SmtpClient::connect(&Connector::default(), "127.0.0.1", None, None, &options).unwrap()
}

fn identifier<T>(result: Result<T, Error>) -> Identifier {
    match result {
        Ok(_) => panic!("expected an error"),
        Err(error) => Condition::from(&error).identifier,
    }
}

fn envelope<'e>(to: &'e [String], partial: bool) -> Envelope<'e> {
    Envelope { from: "joe@example.org", to, partial, long_lines: false }
}

/// Runs a test with an SMTP port and a server that gives access to the delivered mail: the sandbox,
/// and Postfix with Dovecot if they are there. Each runs over every sound wire.
fn on_every_server(test: impl Fn(u16, &Server)) {
    for (wire, faults) in sound_wires() {
        eprintln!("bytes travel {wire}");
        at_once_on_every_server(|port, server| {
            let relay = relay_to(port, &faults);
            test(relay.address().port(), server);
        });
    }
}

fn at_once_on_every_server(test: impl Fn(u16, &Server)) {
    // Small letters go by BDAT, or by DATA.
    for chunking in [true, false] {
        let mut options = empty();
        options.refuse = vec!["refused@example.org".into()];
        options.smtp.chunking = chunking;
        let server = Server::sandbox(options);
        test(server.the_sandbox().smtp_address().port(), &server);
    }
    if let Some((server, port)) = Server::postfix() {
        eprintln!("server: postfix");
        test(port, &server);
    }
}

/// Waits until there are `count` letters, and returns the body of the newest.
fn body_of_letter(server: &Server, count: u32) -> Vec<u8> {
    let mut client = server.connect();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        client.select("INBOX", true).unwrap();
        if client.selected().unwrap().exists >= count {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "the letter does not arrive");
        std::thread::sleep(std::time::Duration::from_millis(20)); // Postfix takes its time to deliver
    }
    let mut letter = Vec::new();
    client
        .write_letter(MessageId::Number(count.try_into().unwrap()), true, "x", &mut letter)
        .unwrap();
    let end = letter.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    letter.split_off(end + 4)
}

#[test]
fn nothing_inside_a_letter_ends_it() {
    let bodies: [&str; 8] = [
        "plain\n",
        ".\n..\n.a\n",
        "a\n.\nMAIL FROM:<evil@x>\n",
        "a\r.\rb\n",
        "a\n.\r\nb\n",
        "a\r\n.\nb\n",
        "no line end",
        "\n\n",
    ];
    on_every_server(|port, server| {
        let to = [format!("{}@example.org", server.user)];
        let mut client = connect(port);
        for (index, body) in bodies.iter().enumerate() {
            client.send(&envelope(&to, false), format!("Subject: x\n\n{body}").as_bytes()).unwrap();
            let expected = body.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n");
            let got = String::from_utf8(body_of_letter(server, index as u32 + 1)).unwrap();
            assert_eq!(got.trim_end_matches("\r\n"), expected.trim_end_matches("\r\n"), "{body:?}");
        }
        client.close();
        client.close();
    });
}

#[test]
fn a_large_letter_with_every_byte_arrives() {
    let mut data: Vec<u8> = (1..=255u8).filter(|byte| !b"\r\n".contains(byte)).collect();
    data.extend_from_slice(b"\r\n");
    let letter = [b"Subject: every byte\r\n\r\n".to_vec(), data.repeat(8_000)].concat();
    on_every_server(|port, server| {
        let to = [format!("{}@example.org", server.user)];
        connect(port).send(&envelope(&to, false), &letter).unwrap();
        let got = body_of_letter(server, 1);
        assert_eq!(got.len(), letter.len() - 23);
        assert!(letter.ends_with(&got));
    });
}

#[test]
fn a_refused_recipient_is_named_and_nothing_is_sent() {
    on_every_server(|port, server| {
        let to = [format!("{}@example.org", server.user), "refused@example.org".to_owned()];
        let mut client = connect(port);
        let Err(Error::Recipients { refused }) =
            client.send(&envelope(&to, false), b"Subject: x\n\nfirst\n")
        else {
            panic!("expected a refusal")
        };
        assert_eq!(refused.len(), 1);
        assert!(
            refused[0].address == "refused@example.org" && refused[0].words.starts_with("55"),
            "{refused:?}"
        );
        assert_eq!(
            identifier(client.send(&envelope(&to[1..], true), b"Subject: x\n\nx\n")),
            Identifier::RecipientsRefused
        );
        let refused = client.send(&envelope(&to, true), b"Subject: x\n\nsecond\n");
        assert_eq!(refused.unwrap().len(), 1);
        assert_eq!(body_of_letter(server, 1), b"second\r\n");
    });
}

#[test]
fn tls_works() {
    on_every_server(|port, server| {
        let tls_options =
            TlsOptions { ca_file: Some(server.ca_file.clone()), ..TlsOptions::default() };
        let options = ConnectOptions {
            port: Some(port),
            tls: Some(TlsMode::StartTls),
            tls_options,
            ..ConnectOptions::default()
        };
        let client = SmtpClient::connect(
            &Connector::default(),
            "localhost",
            Some("client.example.org"),
            None,
            &options,
        )
        .unwrap();
        assert!(client.is_encrypted() && client.has("PIPELINING") && client.has("SIZE"));
    });
}

#[test]
fn addresses_and_letters_that_cannot_be_sent_are_refused_before_a_byte_is() {
    let server = Server::sandbox(empty());
    let mut client = connect(server.the_sandbox().smtp_address().port());
    let before = server.received().len();
    for address in ["a b@x", "a>", "a\r\nRCPT TO:<b@x", "", "a\0"] {
        assert_eq!(
            identifier(client.send(&envelope(&[address.to_owned()], false), b"x")),
            Identifier::SyntaxError,
            "{address:?}"
        );
    }
    assert_eq!(identifier(client.send(&envelope(&[], false), b"x")), Identifier::SyntaxError);
    let to = ["user@example.org".to_owned()];
    assert_eq!(identifier(client.send(&envelope(&to, false), b"a\0b")), Identifier::SyntaxError);
    assert_eq!(
        identifier(client.send(&envelope(&to, false), &[b'x'; 999])),
        Identifier::SyntaxError
    );
    assert_eq!(server.received().len(), before);
    client.send(&envelope(&to, false), &[b'x'; 998]).unwrap();
}

fn send(client: &mut SmtpClient) -> Result<(), Error> {
    client
        .send(
            &envelope(&["a@example.org".to_owned(), "b@example.org".to_owned()], false),
            b"Subject: x\n\nx\n",
        )
        .map(drop)
}

/// What a server answers to a letter of one chunk, and what becomes of it.
struct Chunked {
    to: &'static [&'static str],
    partial: bool,
    /// The commands that come together, and the answers to them.
    turns: &'static [(&'static [&'static str], &'static str)],
    result: &'static str,
}

#[test]
fn a_small_letter_goes_in_one_trip_where_no_recipient_can_be_left_out() {
    const LETTER: &str = "BDAT 12 LAST|Subject: x";
    let table = [
        Chunked {
            to: &["a@x"],
            partial: false,
            turns: &[(
                &["MAIL FROM:<joe@example.org>", "RCPT TO:<a@x>", LETTER],
                "250 a\r\n250 b\r\n250 taken\r\n",
            )],
            result: "sent to all",
        },
        Chunked {
            to: &["a@x"],
            partial: false,
            turns: &[
                (
                    &["MAIL FROM:<joe@example.org>", "RCPT TO:<a@x>", LETTER],
                    "250 a\r\n550 no\r\n554 none\r\n",
                ),
                (&["RSET"], "250 reset\r\n"),
            ],
            result: "refused a@x 550 no",
        },
        Chunked {
            to: &["a@x"],
            partial: false,
            turns: &[
                (
                    &["MAIL FROM:<joe@example.org>", "RCPT TO:<a@x>", LETTER],
                    "550 you\r\n503 b\r\n503 c\r\n",
                ),
                (&["RSET"], "250 reset\r\n"),
            ],
            result: "MAIL: 550 you",
        },
        Chunked {
            to: &["a@x"],
            partial: false,
            turns: &[
                (
                    &["MAIL FROM:<joe@example.org>", "RCPT TO:<a@x>", LETTER],
                    "250 a\r\n250 b\r\n452 full\r\n",
                ),
                (&["RSET"], "250 reset\r\n"),
            ],
            result: "the letter: 452 full",
        },
        Chunked {
            to: &["a@x", "b@x"],
            partial: true,
            turns: &[(
                &["MAIL FROM:<joe@example.org>", "RCPT TO:<a@x>", "RCPT TO:<b@x>", LETTER],
                "250 a\r\n250 b\r\n550 no\r\n250 taken\r\n",
            )],
            result: "sent but refused b@x 550 no",
        },
        Chunked {
            to: &["a@x", "b@x"],
            partial: false,
            turns: &[
                (
                    &["MAIL FROM:<joe@example.org>", "RCPT TO:<a@x>", "RCPT TO:<b@x>"],
                    "250 a\r\n250 b\r\n250 c\r\n",
                ),
                (&[LETTER], "250 taken\r\n"),
            ],
            result: "sent to all",
        },
        Chunked {
            to: &["a@x", "b@x"],
            partial: false,
            turns: &[
                (
                    &["MAIL FROM:<joe@example.org>", "RCPT TO:<a@x>", "RCPT TO:<b@x>"],
                    "250 a\r\n250 b\r\n550 no\r\n",
                ),
                (&["RSET"], "250 reset\r\n"),
            ],
            result: "refused b@x 550 no",
        },
        // Nobody knows what became of a letter whose verdict did not come.
        Chunked {
            to: &["a@x"],
            partial: false,
            turns: &[(&["MAIL FROM:<joe@example.org>", "RCPT TO:<a@x>", LETTER], "250 a\r\n")],
            result: "unknown",
        },
        Chunked {
            to: &["a@x", "b@x"],
            partial: false,
            turns: &[(
                &["MAIL FROM:<joe@example.org>", "RCPT TO:<a@x>", "RCPT TO:<b@x>"],
                "250 a\r\n250 b\r\n",
            )],
            result: "lost",
        },
    ];
    for Chunked { to, partial, turns, result } in table {
        let script = Script::run(move |peer| {
            peer.say("220 hello\r\n");
            peer.answer("250-hello\r\n250-PIPELINING\r\n250 CHUNKING\r\n");
            for (commands, answers) in turns {
                for command in *commands {
                    for line in command.split('|') {
                        assert_eq!(peer.hear(), line, "{to:?} {result}");
                    }
                }
                peer.say(answers);
            }
            if result == "unknown" || result == "lost" {
                peer.hang_up();
            }
            peer.hear_rest();
        });
        let to: Vec<String> = to.iter().map(ToString::to_string).collect();
        let mut client = connect(script.address.port());
        let shown = |refused: &[postoffice::client::smtp::Refused]| {
            refused.iter().map(|one| format!("refused {} {}", one.address, one.words)).collect()
        };
        let seen: String = match client.send(&envelope(&to, partial), b"Subject: x\n") {
            Ok(refused) if refused.is_empty() => "sent to all".to_owned(),
            Ok(refused) => format!("sent but {}", shown(&refused) as String),
            Err(Error::Recipients { refused }) => shown(&refused),
            Err(Error::Refused { command, completion }) => {
                format!("{command}: {}", completion.text)
            }
            Err(Error::DeliveryUnknown { .. }) => "unknown".to_owned(),
            Err(_) => "lost".to_owned(),
        };
        assert_eq!(seen, result, "{to:?}");
        drop(client);
        script.heard();
    }
}

#[test]
fn helo_is_tried_where_ehlo_is_not_known() {
    let script = Script::run(|peer| {
        peer.say("220 hello\r\n");
        peer.answer("500 what\r\n");
        peer.answer("250 hello\r\n");
        for answer in ["250 ok\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n"] {
            peer.answer(answer);
        }
        while peer.hear() != "." {}
        peer.say("250 taken\r\n");
        peer.hear_rest();
    });
    send(&mut connect(script.address.port())).unwrap();
    let heard = script.heard();
    assert!(
        heard[0].starts_with("EHLO [127.0.0.1]") && heard[1].starts_with("HELO [127.0.0.1]"),
        "{heard:?}"
    );
}

#[test]
fn starttls_that_fails_never_falls_back() {
    for answers in [
        &["250 here\r\n"][..],
        &["250-here\r\n250 STARTTLS\r\n", "454 no\r\n"],
        &["250-here\r\n250 STARTTLS\r\n", "220 go\r\n250 injected\r\n"],
    ] {
        let answers: Vec<String> = answers.iter().map(ToString::to_string).collect();
        let script = Script::run(move |peer| {
            peer.say("220 hello\r\n");
            for answer in &answers {
                peer.answer(answer);
            }
            peer.hear_rest();
        });
        let connector = Connector { loopback_is_exposed: true, ..Connector::default() };
        let credentials = Credentials::new("user", "sesame-open");
        let options =
            ConnectOptions { port: Some(script.address.port()), ..ConnectOptions::default() };
        assert!(
            SmtpClient::connect(&connector, "127.0.0.1", None, Some(&credentials), &options)
                .is_err()
        );
        let heard = script.heard();
        assert!(
            heard.iter().all(|line| line.starts_with("EHLO") || line == "STARTTLS"),
            "{heard:?}"
        );
    }
}

#[test]
fn an_attachment_of_10_mb_comes_back_byte_for_byte_over_imap_and_pop() {
    // Pseudorandom bytes, so that every value occurs and no short pattern repeats.
    let mut state = 1u32;
    let data: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(10_000_000)
    .collect();
    let letter = postoffice::mime::Outgoing {
        from: "joe@example.org".into(),
        to: vec!["user@example.org".into()],
        subject: Some("large".into()),
        text: "See the file.\n".into(),
        attachments: vec![postoffice::mime::NewPart::attachment(
            "data.bin",
            "application/octet-stream",
            data.clone(),
        )],
        ..Default::default()
    };
    let letter = letter.build().unwrap();
    at_once_on_every_server(|port, server| {
        let to = [format!("{}@example.org", server.user)];
        connect(port).send(&envelope(&to, false), &letter).unwrap();
        body_of_letter(server, 1);
        let mut over_imap = Vec::new();
        let mut imap = server.connect();
        imap.select("INBOX", true).unwrap();
        imap.write_letter(MessageId::Number(1.try_into().unwrap()), true, "x", &mut over_imap)
            .unwrap();
        imap.close();
        let options = ConnectOptions { port: Some(server.pop_port), ..ConnectOptions::default() };
        let mut pop = postoffice::client::PopClient::connect(
            &Connector::default(),
            "127.0.0.1",
            &server.credentials(),
            &options,
        )
        .unwrap();
        let over_pop = pop.letter(1, None).unwrap();
        pop.close().unwrap();
        for letter in [over_imap, over_pop] {
            let letter = postoffice::mime::Letter::from_bytes(letter);
            assert_eq!(letter.text().trim_end(), "See the file.");
            let attachments = letter.attachments();
            assert_eq!(attachments.len(), 1);
            assert!(attachments[0].bytes() == data);
        }
    });
}

#[test]
fn notifications_are_asked_for_where_the_server_sends_them() {
    on_every_server(|port, server| {
        let to = [format!("{}@example.org", server.user)];
        let notices = Notices {
            notify: Some(&[Notify::Failure, Notify::Delay]),
            returned: Some(Returned::Headers),
            envelope_id: Some("QQ 314+159"),
        };
        let before = server.connect().status("INBOX", &["MESSAGES".into()]).unwrap();
        let mut client = connect(port);
        let letter = b"Subject: x\n\nhello\n";
        client.send_with(&envelope(&to, false), &notices, letter).unwrap();
        client.close();
        let StatusValue::Number(before) = before[0].1 else { panic!("{before:?}") };
        let count = u32::try_from(before).unwrap() + 1;
        assert_eq!(body_of_letter(server, count), b"hello\r\n");
        if server.is_sandbox() {
            let said = server.received();
            assert!(said.contains(
                &"MAIL FROM:<joe@example.org> SIZE=18 RET=HDRS ENVID=QQ+20314+2B159".to_owned()
            ));
            let rcpt = format!("RCPT TO:<{0}> NOTIFY=FAILURE,DELAY ORCPT=rfc822;{0}", to[0]);
            assert!(said.contains(&rcpt), "{said:?}");
        }
    });
    let smtp = SmtpExtensions { dsn: false, ..SmtpExtensions::default() };
    let server = Server::sandbox(Options { smtp, ..empty() });
    let mut client = connect(server.the_sandbox().smtp_address().port());
    let to = ["user".to_owned()];
    let notices = Notices { notify: Some(&[]), ..Notices::default() };
    let sent = client.send_with(&envelope(&to, false), &notices, b"Subject: x\n\n");
    assert_eq!(identifier(sent), Identifier::Unsupported);
    client.send(&envelope(&to, false), b"Subject: x\n\n").unwrap();
}

#[test]
fn a_domain_alone_that_is_not_ascii_goes_as_its_a_label() {
    for smtp_utf8 in [true, false] {
        let smtp = SmtpExtensions { smtp_utf8, ..SmtpExtensions::default() };
        let server = Server::sandbox(Options { smtp, ..empty() });
        let mut client = connect(server.the_sandbox().smtp_address().port());
        let to = ["a@k\u{f6}ln.example".to_owned()];
        let from = "b@b\u{fc}cher.example";
        client.send(&Envelope { from, ..envelope(&to, false) }, b"Subject: x\n\n").unwrap();
        let sent = server.store().outbox();
        assert_eq!(sent[0].from, "b@xn--bcher-kva.example");
        assert_eq!(sent[0].to, ["a@xn--kln-sna.example"]);
        // A local part that is not ASCII needs the extension, and its domain stays.
        let to = ["j\u{f6}rg@k\u{f6}ln.example".to_owned()];
        let result = client.send(&envelope(&to, false), b"Subject: x\n\n");
        match smtp_utf8 {
            true => assert_eq!(server.store().outbox()[1].to, to),
            false => assert_eq!(identifier(result), Identifier::Unsupported),
        }
        let to = ["a@\u{1f600}.example".to_owned()];
        let result = client.send(&envelope(&to, false), b"Subject: x\n\n");
        assert_eq!(identifier(result), Identifier::SyntaxError);
    }
}
