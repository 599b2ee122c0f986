//! Encryption and trust. Before required TLS is up, the client sends nothing that an attacker could
//! use. Whatever the server said in plain text is forgotten once TLS is up. The server's
//! certificate is verified, and control characters in its text are never shown.

use super::server::*;
use crate::support::certificates::Flaw;
use crate::support::script::{Peer, Script};
use postoffice::client::{ConnectOptions, TlsMode};
use postoffice::condition::{Condition, Identifier};
use postoffice::transport::{Connector, TlsOptions};
use std::sync::{Arc, Mutex};

fn starttls(options: &mut ConnectOptions) {
    options.tls = Some(TlsMode::StartTls);
    options.timeout = std::time::Duration::from_secs(10);
}

#[track_caller]
fn assert_harmless(heard: &[String]) {
    for line in heard {
        let words: Vec<&str> = line.split(' ').collect();
        let harmless = words.iter().any(|word| {
            ["CAPABILITY", "STARTTLS", "LOGOUT", "CAPA", "STLS", "QUIT", "EHLO"].contains(word)
        });
        assert!(harmless && words.len() <= 2, "{line:?} went out in the clear");
    }
    assert_no_password(heard);
}

#[test]
fn rule_01_any_reply_but_yes_to_starttls_ends_the_connection() {
    let table: &[(Protocol, &[&'static str])] = &[
        (
            Imap,
            &[
                "{tag} NO not today\r\n",
                "{tag} BAD what\r\n",
                "* BYE bye\r\n",
                "* OK go\r\n{tag} NO no\r\n",
                "A99 OK go\r\n",
                "{tag}x OK go\r\n",
                "{tag} OKAY go\r\n",
                "{tag} PREAUTH go\r\n",
                "+ go\r\n",
                "OK go\r\n",
                "{tag} OK go\n",
                "garbage\r\n",
                "\0\r\n",
                "\r\n",
                "",
            ],
        ),
        (
            Pop,
            &[
                "-ERR no\r\n",
                "+ go\r\n",
                "OK go\r\n",
                "+OKAY\r\n",
                "+OK go\n",
                ".\r\n",
                "garbage\r\n",
                "\0\r\n",
                "\r\n",
                "",
            ],
        ),
        (
            Smtp,
            &[
                "454 no\r\n",
                "501 no\r\n",
                "421 bye\r\n",
                "250 go\r\n",
                "200 go\r\n",
                "354 go\r\n",
                "334 go\r\n",
                "120 go\r\n",
                "22 go\r\n",
                "2200 go\r\n",
                "220-go\r\n250 go\r\n",
                "220 go\n",
                "garbage\r\n",
                "\r\n",
                "",
            ],
        ),
    ];
    for (protocol, answers) in table {
        for &answer in *answers {
            let protocol = *protocol;
            let (result, heard) = protocol.meet(starttls, move |peer| {
                let tag = protocol.up_to_starttls(peer);
                peer.say(&answer.replace("{tag}", &tag));
                if answer.is_empty() {
                    peer.hang_up();
                }
                peer.hear_rest();
            });
            assert!(result.is_err(), "{protocol:?} {answer:?}");
            assert_harmless(&heard);
        }
    }
}

#[test]
fn rule_01_a_server_without_starttls_gets_no_password() {
    let table: &[(Protocol, &'static str, &[&'static str])] = &[
        (Imap, "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n", &[]),
        (Imap, "* OK hello\r\n", &["* CAPABILITY IMAP4rev1\r\n{tag} OK done\r\n"]),
        (Imap, "* OK hello\r\n", &["{tag} BAD what\r\n"]),
        (Imap, "* OK hello\r\n", &["{tag} OK done\r\n"]),
        (Pop, "+OK hello <1@x>\r\n", &["+OK\r\nUSER\r\n.\r\n"]),
        (Pop, "+OK hello <1@x>\r\n", &["-ERR what\r\n"]),
        (Smtp, "220 hello\r\n", &["250-here\r\n250 AUTH PLAIN\r\n"]),
        (Smtp, "220 hello\r\n", &["502 what\r\n"]),
        (Smtp, "220 hello\r\n", &["554 no\r\n"]),
    ];
    for (protocol, greeting, answers) in table {
        let (result, heard) = protocol.meet(starttls, move |peer| {
            peer.say(greeting);
            answers.iter().for_each(|answer| drop(peer.answer(answer)));
            peer.hear_rest();
        });
        assert!(
            matches!(identifier(&result), Identifier::Insecure | Identifier::ErrorResponse),
            "{protocol:?} {greeting:?} {result:?}"
        );
        assert_harmless(&heard);
    }
}

#[test]
fn rule_02_bytes_behind_the_starttls_reply_abort() {
    for protocol in PROTOCOLS {
        let injected: &[&'static str] = match protocol {
            Imap => &[
                "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n",
                "A2 OK in\r\n",
                "* PREAUTH x\r\n",
                "x",
                "\r\n",
                "\0",
            ],
            Pop => &["+OK in\r\n", "+OK\r\n.\r\n", "x", "\r\n"],
            Smtp => &["250 here\r\n", "250-here\r\n250 AUTH PLAIN\r\n", "235 in\r\n", "x", "\r\n"],
        };
        for &injected in injected {
            // In the same write as the reply, and in a second one, which may arrive at any moment.
            for at_once in [true, false] {
                let (result, heard) = protocol.meet(starttls, move |peer| {
                    let tag = protocol.up_to_starttls(peer);
                    if at_once {
                        peer.say(&format!("{}{injected}", protocol.go_ahead(&tag)));
                    } else {
                        peer.say(&protocol.go_ahead(&tag));
                        peer.say(injected);
                    }
                    if peer.encrypt(&acceptor(Flaw::None)) {
                        peer.hear_rest();
                    }
                });
                assert!(result.is_err(), "{protocol:?} {injected:?}");
                if at_once {
                    assert_eq!(
                        identifier(&result),
                        Identifier::Unexpected,
                        "{protocol:?} {injected:?}"
                    );
                }
                assert_harmless(&heard);
            }
        }
    }
}

#[test]
fn rule_03_what_was_said_before_tls_does_not_count_behind_it() {
    let (result, heard) = Imap.with(
        TlsMode::StartTls,
        unchanged,
        |peer| {
            peer.answer("{tag} OK done\r\n");
            peer.hear_rest();
        },
        |client| {
            let client = client.imap();
            assert!(!client.capabilities().has("STARTTLS"));
            client.noop()
        },
    );
    result.unwrap();
    assert!(heard[0].ends_with("NOOP"));

    // An alert, a LIST response and a message count, injected before TLS.
    let script = Script::run(|peer| {
        let greeting = "* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=XYZ] hello\r\n* 7 EXISTS\r\n* LIST () \"!\" evil\r\n* OK [ALERT] call 555\r\n";
        peer.say(greeting);
        peer.answer("* NO [ALERT] call 555\r\n{tag} OK [CAPABILITY IMAP4rev1 AUTH=XYZ] go\r\n");
        assert!(peer.encrypt(&acceptor(Flaw::None)));
        peer.answer("* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR\r\n{tag} OK done\r\n");
        Imap.log_in(peer);
        peer.hear_rest();
    });
    let mut client = Imap.connect(&script, starttls).unwrap();
    let client = client.imap();
    assert_eq!(client.separator().unwrap(), Some("/"));
    assert_eq!((client.take_warnings(), client.selected()), (Vec::new(), None));
    assert!(client.capabilities().has("AUTH=PLAIN") && !client.capabilities().has("AUTH=XYZ"));
    client.close();

    // POP3: an APOP timestamp and capabilities. SMTP: extensions.
    let script = Script::run(|peer| {
        peer.say("+OK hello <1@evil>\r\n");
        peer.answer("+OK\r\nSTLS\r\nPIPELINING\r\nSASL PLAIN\r\n.\r\n");
        peer.answer("+OK go\r\n");
        assert!(peer.encrypt(&acceptor(Flaw::None)));
        Pop.log_in(peer);
        peer.hear_rest();
    });
    let mut client = Pop.connect(&script, starttls).unwrap();
    assert!(!client.pop().has("STLS") && !client.pop().has("PIPELINING"));
    drop(client);
    assert_eq!(script.heard()[2..5], ["CAPA", "USER user", &format!("PASS {PASSWORD}")]);
    let (result, heard) = Smtp.with(TlsMode::StartTls, unchanged, Peer::hear_rest, |client| {
        Ok(client.smtp().has("STARTTLS"))
    });
    assert!(!result.unwrap() && heard.is_empty());
}

#[test]
fn rule_03_apop_does_not_use_a_timestamp_from_before_tls() {
    let script = Script::run(|peer| {
        peer.say("+OK hello <1@evil>\r\n");
        peer.answer("+OK\r\nSTLS\r\n.\r\n");
        peer.answer("+OK go\r\n");
        assert!(peer.encrypt(&acceptor(Flaw::None)));
        peer.answer("+OK\r\nUSER\r\n.\r\n");
        peer.hear_rest();
    });
    let mut connector = Connector::default();
    connector.redirects.push(format!("localhost={}", script.address).parse().unwrap());
    let credentials = postoffice::client::Credentials {
        auth: Some(postoffice::client::Auth::Apop),
        ..postoffice::client::Credentials::new("user", PASSWORD)
    };
    let mut options = ConnectOptions { tls: Some(TlsMode::StartTls), ..ConnectOptions::default() };
    trust(&mut options);
    let result =
        postoffice::client::PopClient::connect(&connector, "localhost", &credentials, &options);
    assert_eq!(identifier(&result), Identifier::Unsupported);
    drop(result);
    assert!(script.heard().iter().all(|line| !line.starts_with("APOP")));
}

#[test]
fn rule_04_a_reply_that_comes_before_its_command_is_none() {
    // Greetings followed by replies to commands that the client has not sent yet.
    let table: &[(Protocol, &'static str)] = &[
        (Imap, "* OK [CAPABILITY IMAP4rev1 STARTTLS] hello\r\nA1 OK go\r\n"),
        (Imap, "* OK [CAPABILITY IMAP4rev1 STARTTLS] hello\r\nA1 O"),
        (Imap, "* OK hello\r\nA1 OK done\r\nA2 OK go\r\n"),
        (Pop, "+OK hello\r\n+OK\r\nSTLS\r\n.\r\n+OK go\r\n"),
        (Pop, "+OK hello\r\n+"),
        (Smtp, "220 hello\r\n250-here\r\n250 STARTTLS\r\n220 go\r\n"),
        (Smtp, "220 hello\r\n250 here\r\n"),
    ];
    for (protocol, ahead) in table {
        for mode in [TlsMode::None, TlsMode::StartTls] {
            let (result, heard) = protocol.meet(
                |options| options.tls = Some(mode),
                move |peer| {
                    peer.say(ahead);
                    peer.hear_rest();
                },
            );
            assert_eq!(identifier(&result), Identifier::Unexpected, "{protocol:?} {ahead:?}");
            assert_eq!(heard, [""; 0], "{protocol:?} {ahead:?}");
        }
    }
    let (result, _) = Imap.with(
        TlsMode::None,
        unchanged,
        |peer| {
            peer.answer("{tag} OK done already\r\n");
            peer.hear_rest();
        },
        |client| client.imap().append("INBOX", &[], None, b"Subject: x\r\n\r\n"),
    );
    assert_eq!(
        identifier(&result),
        Identifier::Unexpected,
        "a success before the literal was sent"
    );
}

#[test]
fn rule_05_greetings_that_are_none_end_the_connection() {
    let table: &[(Protocol, &[&'static str])] = &[
        (
            Imap,
            &[
                "* NO go away\r\n",
                "* BAD go away\r\n",
                "* BYE busy\r\n",
                "A1 OK hello\r\n",
                "* OKAY hello\r\n",
                "*OK hello\r\n",
                "+ OK hello\r\n",
                "* 1 EXISTS\r\n",
                "+OK hello\r\n",
                "220 hello\r\n",
                "HTTP/1.1 200 OK\r\n",
                "SSH-2.0-x\r\n",
                "\x16\x03\x01\r\n",
                "* OK hello\r",
                "\r\n",
                "",
            ],
        ),
        (
            Pop,
            &["-ERR busy\r\n", "OK\r\n", "+ x\r\n", "* OK hello\r\n", "220 hello\r\n", "\r\n", ""],
        ),
        (
            Smtp,
            &[
                "554 no\r\n",
                "421 busy\r\n",
                "250 hello\r\n",
                "120 wait\r\n",
                "354 go\r\n",
                "2200 x\r\n",
                "220x\r\n",
                "* OK hello\r\n",
                "\r\n",
                "",
            ],
        ),
    ];
    for (protocol, greetings) in table {
        for &greeting in *greetings {
            for mode in [TlsMode::None, TlsMode::StartTls] {
                let (result, heard) = protocol.meet(
                    |options| options.tls = Some(mode),
                    move |peer| {
                        peer.say(greeting);
                        peer.hang_up_sending();
                        peer.hear_rest();
                    },
                );
                assert!(result.is_err(), "{protocol:?} {greeting:?}");
                assert_eq!(heard, [""; 0], "{protocol:?} {greeting:?}");
            }
        }
    }
}

#[test]
fn rule_05_preauth_is_no_way_around_starttls() {
    for greeting in ["* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] hello\r\n", "* PREAUTH hello\r\n"] {
        let (result, heard) = Imap.meet(starttls, move |peer| {
            peer.say(greeting);
            peer.hear_rest();
        });
        assert_eq!(identifier(&result), Identifier::Insecure);
        assert_eq!(heard, [""; 0]);
    }
}

#[test]
fn rule_06_logindisabled_is_honoured_and_referrals_are_not_followed() {
    let (result, heard) = Imap.meet(unchanged, |peer| {
        peer.say("* OK [CAPABILITY IMAP4rev1 logindisabled] hello\r\n");
        peer.hear_rest();
    });
    assert_eq!(identifier(&result), Identifier::Insecure);
    assert_eq!(heard, [""; 0]);
    let elsewhere = Script::run(Peer::hear_rest);
    let referral = format!("[REFERRAL imap://user;AUTH=*@{}/] over there", elsewhere.address);
    for answer in [format!("{{tag}} NO {referral}\r\n"), format!("* BYE {referral}\r\n")] {
        let (result, heard) = Imap.meet(unchanged, move |peer| {
            peer.say("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] hello\r\n");
            peer.answer(&answer);
            peer.hear_rest();
        });
        assert!(result.is_err());
        assert_eq!(heard.len(), 1, "the password is asked for once: {heard:?}");
    }
    assert!(!elsewhere.was_reached());
}

#[test]
fn rule_07_certificates_are_verified() {
    for protocol in PROTOCOLS {
        for mode in [TlsMode::StartTls, TlsMode::Implicit] {
            for flaw in [
                Flaw::Expired,
                Flaw::NotYetValid,
                Flaw::SelfSigned,
                Flaw::OtherHost,
                Flaw::ClientOnly,
            ] {
                let (result, heard) = protocol.meet(
                    |options| options.tls = Some(mode),
                    move |peer| {
                        if mode == TlsMode::StartTls {
                            let tag = protocol.up_to_starttls(peer);
                            peer.say(&protocol.go_ahead(&tag));
                        }
                        if peer.encrypt(&acceptor(flaw)) {
                            peer.hear_rest();
                        }
                    },
                );
                assert_eq!(
                    identifier(&result),
                    Identifier::Certificate,
                    "{protocol:?} {mode:?} {flaw:?}: {result:?}"
                );
                assert_harmless(&heard);
            }
            // An authority that the client does not trust.
            let (result, _) = protocol.meet(
                |options| (options.tls, options.tls_options) = (Some(mode), TlsOptions::default()),
                move |peer| {
                    if mode == TlsMode::StartTls {
                        let tag = protocol.up_to_starttls(peer);
                        peer.say(&protocol.go_ahead(&tag));
                    }
                    peer.encrypt(&acceptor(Flaw::None));
                },
            );
            assert_eq!(identifier(&result), Identifier::Certificate);
            let (result, heard) = protocol.with(
                mode,
                unchanged,
                move |peer| drop(peer.answer(protocol.yes())),
                Client::ask,
            );
            assert!(result.is_ok(), "{protocol:?} {mode:?}: {result:?} {heard:?}");
        }
    }
}

#[test]
fn rule_07_the_timeout_covers_the_handshake() {
    let silent_or_dripping = |protocol: Protocol, mode: TlsMode, drips: bool| {
        let (result, heard) = protocol.meet(
            |options| {
                options.tls = Some(mode);
                options.timeout = std::time::Duration::from_secs(3); // enough for a busy machine
            },
            move |peer| {
                if mode == TlsMode::StartTls {
                    let tag = protocol.up_to_starttls(peer);
                    peer.say(&protocol.go_ahead(&tag));
                }
                if drips {
                    // A handshake record of 16 KB, sent one byte at a time.
                    let _ = peer.say_bytes(&[22, 3, 3, 0x3f, 0xff, 2, 0, 0x3f, 0xfb]);
                    peer.drip(&[0]);
                } else {
                    peer.hear_rest();
                }
            },
        );
        assert_eq!(
            identifier(&result),
            Identifier::Timeout,
            "{protocol:?} {mode:?} {drips}: {result:?}"
        );
        assert_no_password(&heard);
    };
    std::thread::scope(|scope| {
        for protocol in PROTOCOLS {
            for mode in [TlsMode::StartTls, TlsMode::Implicit] {
                for drips in [false, true] {
                    scope.spawn(move || silent_or_dripping(protocol, mode, drips));
                }
            }
        }
    });
}

#[test]
fn rule_08_every_connection_is_made_for_its_own_options() {
    let once = |peer: &mut Peer| {
        Smtp.begin(TlsMode::None, peer);
        Smtp.log_in(peer);
        peer.hear_rest();
    };
    let scripts = [Script::run(once), Script::run(once)];
    let clients: Vec<_> =
        scripts.iter().map(|script| Smtp.connect(script, unchanged).unwrap()).collect();
    drop(clients);
    for script in scripts {
        assert!(script.heard().iter().any(|line| line.starts_with("AUTH")));
    }
}

#[test]
fn rule_09_control_characters_from_a_server_are_not_shown() {
    const ESCAPES: &str = "\x1b]0;title\x07\x1b[2J\u{202e}\u{9b}31m\x08";
    for protocol in PROTOCOLS {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = lines.clone();
        let script = Script::run(move |peer| {
            protocol.begin(TlsMode::None, peer);
            protocol.log_in(peer);
            peer.answer(&match protocol {
                Imap => format!("* NO {ESCAPES}\r\n{{tag}} NO {ESCAPES}\r\n"),
                Pop => format!("-ERR {ESCAPES}\r\n"),
                Smtp => format!("550 {ESCAPES}\r\n"),
            });
            peer.hear_rest();
        });
        let mut connector = Connector {
            trace: Some(Arc::new(move |line: &str| sink.lock().unwrap().push(line.to_owned()))),
            ..Connector::default()
        };
        connector.redirects.push(format!("localhost={}", script.address).parse().unwrap());
        let mut client = protocol.connect_by(&connector, script.address.port(), unchanged).unwrap();
        let shown = match client.ask() {
            Err(error) => Condition::from(&error).to_string(),
            Ok(()) => String::new(), // SMTP's VRFY reports a refusal as `None`, not as an error
        };
        let all = format!("{shown}{}", lines.lock().unwrap().join(""));
        assert!(
            all.contains("\\u{1b}") && !all.chars().any(|c| c.is_control() || c == '\u{202e}'),
            "{protocol:?}: {all:?}"
        );
    }
}
