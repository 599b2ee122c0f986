//! Broken networks and misbehaving servers: each failure ends in the right error, within the
//! timeout.

use crate::support::script::{Peer, Script};
use crate::support::{Server, empty};
use postoffice::client::{ConnectOptions, Credentials, Error, ImapClient, TlsMode, WarningKind};
use postoffice::condition::{Condition, Identifier};
use postoffice::proto::imap::SequenceSet;
use postoffice::proto::imap::{MessageId, Messages};
use postoffice::transport::{Connector, Redirect, TlsOptions};
use std::time::Duration;

fn credentials() -> Credentials {
    Credentials::new("user", "sesame-open")
}

fn options(script: &Script) -> ConnectOptions {
    ConnectOptions {
        port: Some(script.address.port()),
        timeout: Duration::from_secs(30),
        ..ConnectOptions::default()
    }
}

/// Long enough to log in on a busy machine, short enough to wait for.
const BRIEFLY: Duration = Duration::from_secs(1);

fn connect(script: &Script) -> Result<ImapClient, Error> {
    ImapClient::connect(&Connector::default(), "127.0.0.1", &credentials(), &options(script))
}

fn identifier<T>(result: Result<T, Error>) -> Identifier {
    match result {
        Ok(_) => panic!("expected an error"),
        Err(error) => Condition::from(&error).identifier,
    }
}

/// Connects to a server that plays a login and then runs `after`. Returns the result of
/// `operation`.
fn after_login<T>(
    after: impl FnOnce(&mut Peer) + Send + 'static,
    operation: impl FnOnce(&mut ImapClient) -> Result<T, Error>,
) -> Result<T, Error> {
    let script = Script::run(|peer| {
        peer.log_in("");
        after(peer);
    });
    operation(&mut connect(&script).unwrap())
}

/// Like [`after_login`], with other options.
fn after_login_with<T>(
    change: impl FnOnce(&mut ConnectOptions),
    after: impl FnOnce(&mut Peer) + Send + 'static,
    operation: impl FnOnce(&mut ImapClient) -> Result<T, Error>,
) -> Result<T, Error> {
    let script = Script::run(|peer| {
        peer.log_in("");
        after(peer);
    });
    let mut options = options(&script);
    change(&mut options);
    operation(
        &mut ImapClient::connect(&Connector::default(), "127.0.0.1", &credentials(), &options)
            .unwrap(),
    )
}

#[test]
fn a_silent_server_is_a_timeout() {
    let script = Script::run(|peer| peer.hear_rest());
    let brief = ConnectOptions { timeout: BRIEFLY, ..options(&script) };
    assert_eq!(
        identifier(ImapClient::connect(&Connector::default(), "127.0.0.1", &credentials(), &brief)),
        Identifier::Timeout
    );
    let silent = after_login_with(
        |options| options.timeout = BRIEFLY,
        |peer| peer.hear_rest(),
        |client| client.noop(),
    );
    assert_eq!(identifier(silent), Identifier::Timeout);
}

#[test]
fn a_refused_login_names_the_user_and_hides_the_password() {
    let script = Script::run(|peer| {
        peer.say("* OK hello\r\n");
        peer.answer("* CAPABILITY IMAP4rev1\r\n{tag} OK done\r\n");
        peer.answer("{tag} NO [AUTHENTICATIONFAILED] user/sesame-open is wrong\r\n");
        peer.hear_rest();
    });
    let Err(error) = connect(&script) else { panic!("expected an error") };
    let condition = Condition::from(&error);
    assert_eq!(condition.identifier, Identifier::Authentication);
    assert_eq!(
        condition.server_string.as_deref(),
        Some("[AUTHENTICATIONFAILED] user/#<secret> is wrong")
    );
    assert!(!format!("{condition} {condition:?} {error} {error:?}").contains("sesame"));
}

#[test]
fn the_end_of_the_connection_is_told_and_stays_told() {
    for after in [
        |peer: &mut Peer| {
            peer.hear();
            peer.hang_up()
        },
        |peer: &mut Peer| peer.hang_up(),
        |peer: &mut Peer| {
            peer.answer("* BYE too long idle\r\n");
        },
    ] {
        let result = after_login(after, |client| {
            let first = identifier(client.noop());
            assert_eq!(
                identifier(client.noop()),
                Identifier::ServerShutdownConnection,
                "and again"
            );
            client.close();
            Ok(first)
        });
        assert_eq!(result.unwrap(), Identifier::ServerShutdownConnection);
    }
}

#[test]
fn a_server_that_dies_in_the_middle_gives_no_short_letter() {
    let result = after_login(
        |peer| {
            peer.hear();
            peer.say("* 1 FETCH (BODY[] {1000000}\r\nhalf a letter");
            peer.hang_up();
        },
        |client| {
            let mut written = Vec::new();
            client.write_letter(MessageId::Number(1.try_into().unwrap()), true, "x", &mut written)
        },
    );
    assert_eq!(identifier(result), Identifier::ServerShutdownConnection);
}

#[test]
fn responses_out_of_turn_end_the_connection() {
    for answer in [
        "A99 OK done\r\n",
        "{tag} OK one\r\n{tag} OK two\r\n",
        "+ go on\r\n",
        "nonsense\r\n",
        "{tag} HELLO\r\n",
    ] {
        let result = after_login(
            move |peer| {
                peer.answer(answer);
                peer.hear_rest();
            },
            |client| {
                let mut flags = 0;
                let set = SequenceSet::from(std::num::NonZeroU32::MIN);
                client.fetch(
                    &Messages::Numbers(set.clone()),
                    &"(FLAGS)".parse().unwrap(),
                    &mut |mut data| {
                        while data.tokens.next_token()?.is_some() {}
                        flags += 1;
                        Ok(())
                    },
                )?;
                client.noop()
            },
        );
        assert_eq!(identifier(result), Identifier::Unexpected, "{answer:?}");
    }
}

#[test]
fn a_refused_literal_is_not_sent_and_the_connection_goes_on() {
    let script = Script::run(|peer| {
        peer.log_in("");
        peer.answer("{tag} NO too large\r\n");
        peer.answer("{tag} OK\r\n");
        peer.hear_rest();
    });
    let mut client = connect(&script).unwrap();
    assert_eq!(
        identifier(client.append("INBOX", &[], None, b"Subject: secret plan\r\n\r\n")),
        Identifier::ErrorResponse
    );
    client.noop().unwrap();
    drop(client);
    assert!(script.heard().iter().all(|line| !line.contains("secret plan")));
}

#[test]
fn literals_go_at_once_only_where_the_server_says_so() {
    for (capability, large, at_once) in [
        ("", false, false),
        ("LITERAL+", false, true),
        ("LITERAL+", true, true),
        ("LITERAL-", false, true),
        ("LITERAL-", true, false),
    ] {
        let letter = if large { vec![b'x'; 5000] } else { vec![b'x'; 50] };
        let size = letter.len();
        let script = Script::run(move |peer| {
            peer.log_in(capability);
            let command = peer.hear();
            let tag = command.split(' ').next().unwrap().to_owned();
            if !command.ends_with("+}") {
                peer.say("+ go on\r\n");
            }
            peer.hear_bytes(size);
            peer.hear();
            peer.say(&format!("{tag} OK [APPENDUID 7 5] done\r\n"));
            peer.hear_rest();
        });
        let mut client = connect(&script).unwrap();
        assert_eq!(client.append("INBOX", &[], None, &letter).unwrap(), Some((7, 5)));
        drop(client);
        let heard = script.heard();
        assert_eq!(
            heard[2].ends_with(&format!("{{{size}+}}")),
            at_once,
            "{capability} {large}: {heard:?}"
        );
    }
}

#[test]
fn what_is_not_known_is_a_warning() {
    let script = Script::run(|peer| {
        peer.log_in("");
        peer.answer("* XYZZY 1 2\r\n* OK [XCODE 5] what\r\n* NO disk is nearly full\r\n* OK [ALERT] down at 8\r\n* OK still here\r\n* OK [UNSEEN 1] x\r\n{tag} OK done\r\n");
        peer.hear_rest();
    });
    let mut client = connect(&script).unwrap();
    client.noop().unwrap();
    let kinds: Vec<_> = client.take_warnings().into_iter().map(|warning| warning.kind).collect();
    assert_eq!(
        kinds,
        [
            WarningKind::UnknownUntagged,
            WarningKind::UnknownOk,
            WarningKind::Problem,
            WarningKind::Problem
        ]
    );
}

#[test]
fn nothing_listens_and_nobody_is_called_so() {
    // A client socket's own port: nothing listens there, and no other test's server can bind it.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let port = taken.local_addr().unwrap().port();
    let options = ConnectOptions { port: Some(port), ..ConnectOptions::default() };
    let result = ImapClient::connect(&Connector::default(), "127.0.0.1", &credentials(), &options);
    assert!(
        matches!(&result, Err(Error::Transport(error)) if error.to_string().contains("cannot connect to 127.0.0.1"))
    );
    assert_eq!(identifier(result), Identifier::ServerShutdownConnection);
    let result = ImapClient::connect(
        &Connector::default(),
        "no-such-host.invalid",
        &credentials(),
        &options,
    );
    assert!(
        matches!(&result, Err(Error::Transport(error)) if error.to_string().contains("no-such-host.invalid"))
    );
}

// STARTTLS and certificates

/// Connects as if the scripted server were on another machine, so that STARTTLS is the default.
fn with_starttls(script: &Script) -> Result<ImapClient, Error> {
    let connector = Connector { loopback_is_exposed: true, ..Connector::default() };
    ImapClient::connect(&connector, "127.0.0.1", &credentials(), &options(script))
}

#[test]
fn starttls_that_fails_never_falls_back() {
    let table: [(&'static str, &'static [&'static str], Identifier); 6] = [
        ("* OK [CAPABILITY IMAP4rev1] hello\r\n", &[], Identifier::Insecure),
        ("* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] hello\r\n", &[], Identifier::Insecure),
        (
            "* OK [CAPABILITY IMAP4rev1 STARTTLS] hello\r\n",
            &["{tag} NO not today\r\n"],
            Identifier::Insecure,
        ),
        (
            "* OK [CAPABILITY IMAP4rev1 STARTTLS] hello\r\n",
            &["{tag} BAD what\r\n"],
            Identifier::Insecure,
        ),
        (
            "* OK [CAPABILITY IMAP4rev1 STARTTLS] hello\r\n",
            &["{tag} OK go\r\n* OK [CAPABILITY IMAP4rev1 X] injected\r\n"],
            Identifier::Unexpected,
        ),
        (
            "* OK [CAPABILITY IMAP4rev1 STARTTLS] hello\r\n",
            &["A2 OK go\r\n"],
            Identifier::Unexpected,
        ),
    ];
    for (greeting, answers, expected) in table {
        let script = Script::run(move |peer| {
            peer.say(greeting);
            for answer in answers {
                peer.answer(answer);
            }
            peer.hear_rest();
        });
        assert_eq!(identifier(with_starttls(&script)), expected, "{greeting:?} {answers:?}");
        let heard = script.heard();
        assert!(
            heard.iter().all(|line| ["STARTTLS", "LOGOUT", "CAPABILITY"]
                .iter()
                .any(|word| line.ends_with(word))),
            "{heard:?}"
        );
    }
}

#[test]
fn a_host_off_this_machine_is_reached_by_starttls_unless_plain_text_is_asked_for() {
    let server = Server::sandbox(empty());
    let connector = Connector { loopback_is_exposed: true, ..Connector::default() };
    let connect = |tls: Option<TlsMode>, ca_file: bool| {
        let tls_options = TlsOptions {
            ca_file: ca_file.then(|| server.ca_file.clone()),
            ..TlsOptions::default()
        };
        ImapClient::connect(
            &connector,
            "localhost",
            &server.credentials(),
            &ConnectOptions { tls, tls_options, ..server.options() },
        )
    };
    assert!(connect(None, true).unwrap().is_encrypted());
    assert_eq!(identifier(connect(None, false)), Identifier::Certificate);
    assert!(!connect(Some(TlsMode::None), false).unwrap().is_encrypted());
}

#[test]
fn certificates_and_host_names_are_verified() {
    let server = Server::sandbox(empty());
    let attempt = |host: &str, tls_options: TlsOptions, mode: TlsMode, port: u16| {
        let mut connector = Connector::default();
        connector.redirects.push(format!("{host}=127.0.0.1:{port}").parse::<Redirect>().unwrap());
        let options =
            ConnectOptions { port: Some(port), tls: Some(mode), tls_options, ..server.options() };
        ImapClient::connect(&connector, host, &server.credentials(), &options)
    };
    let trusted = || TlsOptions { ca_file: Some(server.ca_file.clone()), ..TlsOptions::default() };
    for (mode, port) in [(TlsMode::Implicit, server.tls_port), (TlsMode::StartTls, server.port)] {
        assert_eq!(
            identifier(attempt("localhost", TlsOptions::default(), mode, port)),
            Identifier::Certificate,
            "an unknown authority"
        );
        assert_eq!(
            identifier(attempt("mail.example.org", trusted(), mode, port)),
            Identifier::Certificate,
            "another host's name"
        );
        attempt("localhost", trusted(), mode, port).unwrap();
        attempt(
            "mail.example.org",
            TlsOptions { verify: false, ..TlsOptions::default() },
            mode,
            port,
        )
        .unwrap();
    }
    let missing = TlsOptions { ca_file: Some("/no/such/file.pem".into()), ..TlsOptions::default() };
    assert_eq!(
        identifier(attempt("localhost", missing, TlsMode::Implicit, server.tls_port)),
        Identifier::File
    );
    assert!(server.received().iter().all(|command| !command.contains("pw")));
}

#[test]
fn plain_text_from_a_tls_port_is_no_hang() {
    let script = Script::run(|peer| {
        peer.say("* OK hello\r\n");
        peer.hear_rest();
    });
    let options = ConnectOptions { tls: Some(TlsMode::Implicit), ..options(&script) };
    assert!(
        ImapClient::connect(&Connector::default(), "127.0.0.1", &credentials(), &options).is_err()
    );
}

// Data about messages that were not asked for

/// A server that has selected an inbox of 40 messages and then gives `answers` in turn.
fn with_inbox(capabilities: &'static str, answers: &'static [&'static str]) -> Script {
    Script::run(move |peer| {
        peer.log_in(capabilities);
        peer.answer("* 40 EXISTS\r\n{tag} OK [READ-WRITE] done\r\n");
        for answer in answers {
            peer.answer(answer);
        }
        peer.hear_rest();
    })
}

fn one(number: u32) -> SequenceSet {
    SequenceSet::from(std::num::NonZeroU32::new(number).unwrap())
}

#[test]
fn a_move_without_move_removes_exactly_what_it_copied() {
    // The server reports another message's UID in between, and a shorter capability list during the
    // copy.
    let script = with_inbox(
        "UIDPLUS",
        &[
            "* 3 FETCH (FLAGS (\\Seen) UID 33)\r\n* 1 FETCH (UID 11)\r\n{tag} OK done\r\n",
            "* CAPABILITY IMAP4rev1\r\n{tag} OK [COPYUID 1 11 1] done\r\n",
            "{tag} OK done\r\n",
            "* 1 EXPUNGE\r\n{tag} OK done\r\n",
        ],
    );
    let mut client = connect(&script).unwrap();
    client.select("inbox", false).unwrap();
    client.move_to(&Messages::Numbers(one(1)), "box").unwrap();
    drop(client);
    let heard: Vec<String> = script
        .heard()
        .into_iter()
        .skip(3)
        .map(|line| line.split_once(' ').unwrap().1.to_owned())
        .collect();
    assert_eq!(
        heard,
        [
            "FETCH 1 (UID)",
            "UID COPY 11 box",
            "UID STORE 11 +FLAGS.SILENT (\\Deleted)",
            "UID EXPUNGE 11"
        ]
    );
}

#[test]
fn an_open_range_is_resolved_before_it_is_moved() {
    let script = with_inbox(
        "UIDPLUS",
        &[
            "* 5 FETCH (UID 50)\r\n* 6 FETCH (UID 61)\r\n{tag} OK done\r\n",
            "{tag} OK done\r\n",
            "{tag} OK done\r\n",
            "{tag} OK done\r\n",
        ],
    );
    let mut client = connect(&script).unwrap();
    client.select("inbox", false).unwrap();
    let mut range = SequenceSet::new();
    range.push_range(
        postoffice::proto::imap::sequence::Bound::Number(50.try_into().unwrap()),
        postoffice::proto::imap::sequence::Bound::Last,
    );
    client.move_to(&Messages::Uids(range.clone()), "box").unwrap();
    drop(client);
    let heard = script.heard();
    assert!(
        heard[3].ends_with("UID FETCH 50:* (UID)")
            && heard[4..].iter().all(|line| line.contains(" 50,61")),
        "{heard:?}"
    );
}

#[test]
fn another_letter_is_never_taken_for_the_one_asked_for() {
    let large = "x".repeat(70_000);
    for (uid, answer) in [
        (false, "* 2 FETCH (BODY[] {5}\r\nWRONG)\r\n* 1 FETCH (BODY[] {5}\r\nRIGHT)\r\n{tag} OK done\r\n".to_owned()),
        (true, "* 2 FETCH (UID 2 BODY[] {5}\r\nWRONG)\r\n* 9 FETCH (BODY[] {5}\r\nRIGHT UID 1)\r\n{tag} OK done\r\n".to_owned()),
        (true, format!("* 2 FETCH (UID 2 BODY[] {{70000}}\r\n{large})\r\n* 9 FETCH (UID 1 BODY[] {{5}}\r\nRIGHT)\r\n{{tag}} OK done\r\n")),
        (false, format!("* 1 FETCH (BODY[] {{5}}\r\nRIGHT RFC822.HEADER {{70000}}\r\n{large})\r\n{{tag}} OK done\r\n")),
    ] {
        let result = after_login(
            move |peer| {
                peer.answer(&answer);
                peer.hear_rest();
            },
            |client| {
                let mut written = Vec::new();
                let count = client.write_letter(MessageId::new(1.try_into().unwrap(), uid), true, "x", &mut written)?;
                Ok((count, String::from_utf8(written).unwrap()))
            },
        );
        assert_eq!(result.unwrap(), (Some(5), "RIGHT".to_owned()));
    }
    // The UID arrives after the letter has been written, and is the wrong one.
    let result = after_login(
        move |peer| {
            peer.answer(&format!(
                "* 2 FETCH (BODY[] {{70000}}\r\n{large} UID 2)\r\n{{tag}} OK done\r\n"
            ));
            peer.hear_rest();
        },
        |client| {
            client.write_letter(MessageId::Uid(1.try_into().unwrap()), true, "x", &mut Vec::new())
        },
    );
    assert_eq!(identifier(result), Identifier::Unexpected);
}

#[test]
fn no_secret_is_in_any_error() {
    for answer in [
        "* BYE bad password sesame-open\r\n",
        "sesame-open OK x\r\n",
        "* NO [ALERT] sesame-open\r\n{tag} NO AHVzZXIAc2VzYW1lLW9wZW4= \"sesame-open\"\r\n",
        "* sesame-open\r\n{tag} BAD x\r\n",
    ] {
        let script = Script::run(move |peer| {
            peer.log_in("");
            peer.answer(answer);
            peer.hear_rest();
        });
        let mut client = connect(&script).unwrap();
        let error = client.noop().unwrap_err();
        let all = format!(
            "{error} {error:?} {} {:?} {:?}",
            Condition::from(&error),
            Condition::from(&error),
            client.take_warnings()
        );
        assert!(!all.contains("sesame") && !all.contains("AHVzZXIA"), "{answer:?}: {all}");
    }
}
