//! Memory and time. Whatever a server announces, repeats or drips, the client neither allocates for
//! a number it was merely told nor waits for ever. Input that is large for a good reason is
//! accepted.

use super::server::*;
use crate::support::script::{Peer, Script};
use postoffice::client::{ConnectOptions, Error, TlsMode};
use postoffice::condition::Identifier::{self, ResponseTooLarge, Timeout, Unexpected};
use postoffice::proto::imap::{MessageId, Messages};
use postoffice::proto::imap::{SearchKey, SequenceSet, Token};
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

fn one() -> SequenceSet {
    SequenceSet::from(NonZeroU32::MIN)
}

/// Fetches message 1 and returns how many tokens were in the response.
fn fetch(client: &mut Client) -> Result<usize, Error> {
    let mut count = 0;
    client.imap().fetch(
        &Messages::Numbers(one()),
        &"(BODY[])".parse().unwrap(),
        &mut |mut data| {
            while data.tokens.next_token()?.is_some() {
                count += 1;
            }
            Ok(())
        },
    )?;
    Ok(count)
}

/// Fetches message 1 from a server that sends `answer` and then the tagged OK.
fn fetching(change: fn(&mut ConnectOptions), answer: Vec<u8>) -> Result<usize, Error> {
    let answer_script = move |peer: &mut Peer| {
        let tag = peer.hear().split(' ').next().unwrap_or("").to_owned();
        let _ = peer.say_bytes(&answer);
        peer.say(&format!("{tag} OK done\r\n"));
        peer.hear_rest();
    };
    Imap.with(TlsMode::None, change, answer_script, fetch).0
}

/// Runs `work` and fails if it takes two minutes. The tests here measure no speed; the limit only
/// tells a hang from a slow machine.
fn without_hanging<T>(work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = work();
    assert!(started.elapsed() < Duration::from_secs(120), "that took {:?}", started.elapsed());
    result
}

#[test]
fn rule_10_a_literal_is_refused_by_its_size_before_room_is_made() {
    for size in
        ["4294967295", "4294967296", "18446744073709551615", "9223372036854775808", "268435457"]
    {
        let result = fetching(unchanged, format!("* 1 FETCH (BODY[] {{{size}}}\r\n").into_bytes());
        assert_eq!(identifier(&result), ResponseTooLarge, "{size}");
        assert!(result.unwrap_err().to_string().contains(":limits '(:literal N)"));
    }
    for size in [
        "18446744073709551616",
        "99999999999999999999999999",
        "-1",
        "+1",
        "1e3",
        "",
        " 5",
        "5 ",
        "0x5",
        "5+",
    ] {
        let result =
            fetching(unchanged, format!("* 1 FETCH (BODY[] {{{size}}}\r\nabcde)\r\n").into_bytes());
        assert_eq!(identifier(&result), Unexpected, "{size:?}");
    }
    assert_eq!(
        fetching(unchanged, b"* 1 FETCH (BODY[] {0}\r\n)\r\n".to_vec()).unwrap(),
        4,
        "an empty literal is one"
    );
}

#[test]
fn rule_11_what_has_no_end_is_given_up() {
    let line = |start: &'static str| {
        move |peer: &mut Peer| {
            peer.hear();
            peer.say(start);
            peer.go_on(&[b'x'; 10_000], 1_000);
        }
    };
    let again = |text: &'static str| {
        move |peer: &mut Peer| {
            peer.hear();
            peer.go_on(text.repeat(500).as_bytes(), 1_000);
        }
    };
    for start in [
        "",
        "* ",
        "* OK ",
        "* 1 FETCH (",
        "* SEARCH ",
        "A3 OK ",
        "+ ",
        "* LIST () \"",
        "* OK [CAPABILITY ",
    ] {
        assert_eq!(
            identifier(&Imap.with(TlsMode::None, small, line(start), Client::ask).0),
            ResponseTooLarge,
            "{start:?}"
        );
    }
    for start in ["", "+OK ", "-ERR ", "+ "] {
        assert_eq!(
            identifier(&Pop.with(TlsMode::None, small, line(start), Client::ask).0),
            ResponseTooLarge,
            "{start:?}"
        );
    }
    for start in ["", "250 ", "250-", "550 "] {
        assert_eq!(
            identifier(&Smtp.with(TlsMode::None, small, line(start), Client::ask).0),
            ResponseTooLarge,
            "{start:?}"
        );
    }
    for text in [
        "* 1 EXISTS\r\n",
        "* OK still here\r\n",
        "* XYZZY\r\n",
        "* 1 FETCH (FLAGS ())\r\n",
        "* BAD no\r\n",
    ] {
        assert_eq!(
            identifier(&Imap.with(TlsMode::None, small, again(text), Client::ask).0),
            ResponseTooLarge,
            "{text:?}"
        );
    }
    assert_eq!(
        identifier(&Smtp.with(TlsMode::None, small, again("250-x\r\n"), Client::ask).0),
        ResponseTooLarge
    );
    for operation in [
        |client: &mut Client| client.pop().unique_ids().map(drop),
        |client: &mut Client| client.pop().letter(1, None).map(drop),
    ] {
        let endless = |peer: &mut Peer| {
            peer.answer("+OK\r\n");
            peer.go_on("1 x\r\n".repeat(500).as_bytes(), 1_000);
        };
        assert_eq!(
            identifier(&Pop.with(TlsMode::None, small, endless, operation).0),
            ResponseTooLarge
        );
    }
}

#[test]
fn rule_11_capabilities_without_end_are_given_up_before_the_login() {
    let many = "ABC ".repeat(20_000);
    let table: Vec<(Protocol, String)> = vec![
        (Imap, format!("* OK [CAPABILITY {many}] hello\r\n")),
        (Imap, format!("* OK hello\r\n* CAPABILITY {many}\r\n")),
        (Pop, format!("+OK hello\r\nWAIT+OK\r\n{}.\r\n", "ABC\r\n".repeat(20_000))),
        (Smtp, format!("220 hello\r\nWAIT{}250 x\r\n", "250-ABC\r\n".repeat(20_000))),
    ];
    for (protocol, text) in table {
        let (result, heard) = protocol.meet(unchanged, move |peer| {
            let (greeting, answer) = text.split_once("WAIT").unwrap_or((&text, ""));
            peer.say(greeting);
            if !answer.is_empty() {
                peer.answer(answer);
            }
            peer.hear_rest();
        });
        assert_eq!(identifier(&result), ResponseTooLarge, "{protocol:?}");
        assert_no_password(&heard);
    }
    let endless: [(Protocol, &str); 3] =
        [(Imap, "* CAPABILITY A\r\n"), (Pop, "A\r\n"), (Smtp, "250-A\r\n")];
    for (protocol, text) in endless {
        let (result, heard) = protocol.meet(small, move |peer| {
            peer.say(if protocol == Imap { "* OK hello\r\n" } else { protocol.greeting() });
            peer.answer(if protocol == Pop { "+OK\r\n" } else { "" });
            peer.go_on(text.repeat(500).as_bytes(), 1_000);
        });
        assert_eq!(identifier(&result), ResponseTooLarge, "{protocol:?}");
        assert_no_password(&heard);
    }
}

#[test]
fn rule_11_what_is_long_for_a_reason_is_taken() {
    let numbers: String = (1..=1_000_000).map(|number| format!(" {number}")).collect();
    assert!(numbers.len() > 6_800_000);
    let (found, _) = Imap.with(
        TlsMode::None,
        unchanged,
        move |peer| {
            peer.answer(&format!("* SEARCH{numbers}\r\n{{tag}} OK done\r\n"));
            peer.hear_rest();
        },
        |client| client.imap().search(&SearchKey::All),
    );
    assert_eq!(found.unwrap().len(), 1_000_000);
    let long = "x".repeat(200_000);
    let text = format!("+OK {long}\r\nSubject: {long}\r\n\r\n{long}\r\n.\r\n");
    let (letter, _) = Pop.with(
        TlsMode::None,
        unchanged,
        move |peer| {
            peer.answer(&text);
            peer.hear_rest();
        },
        |client| client.pop().letter(1, None),
    );
    assert_eq!(letter.unwrap().len(), 400_015);
    let id = "y".repeat(10_000);
    let listing = format!("+OK\r\n1 {id}\r\n2 {id}\r\n.\r\n");
    let (ids, _) = Pop.with(
        TlsMode::None,
        unchanged,
        move |peer| {
            peer.answer(&listing);
            peer.hear_rest();
        },
        |client| client.pop().unique_ids(),
    );
    assert_eq!(ids.unwrap()[1].1.len(), 10_000);
}

#[test]
fn rule_12_reading_is_linear() {
    without_hanging(|| {
        // Each response repeats one thing: literals, quoted strings, lists, escapes, or the bytes
        // of a single word.
        let inputs: Vec<Vec<u8>> = vec![
            [b"* 1 FETCH (".to_vec(), b"X {1}\r\na ".repeat(90_000), b"Y NIL)\r\n".to_vec()]
                .concat(),
            [b"* ({1}\r\n".to_vec(), b"a{1}\r\n".repeat(90_000), b"a)\r\n".to_vec()].concat(),
            [b"* 1 FETCH (X (".to_vec(), b"\"\\\"\" ".repeat(1_000_000), b"))\r\n".to_vec()]
                .concat(),
            [b"* 1 FETCH (X (".to_vec(), b"()".repeat(3_000_000), b"))\r\n".to_vec()].concat(),
            [b"* 1 FETCH (X \"".to_vec(), b"\\\\".repeat(4_000_000), b"\")\r\n".to_vec()].concat(),
            [b"* 1 FETCH (BODY[".to_vec(), b"[".repeat(8_000_000), b"] NIL)\r\n".to_vec()].concat(),
            [b"* 1 FETCH (X ".to_vec(), b"{".repeat(8_000_000), b"}\r\n".to_vec()].concat(),
            [b"* 1 FETCH (X ".to_vec(), b"a!".repeat(4_000_000), b")\r\n".to_vec()].concat(),
            // These are read again, since they cannot be read at first.
            [b"* 1 FETCH (FLAGS (".to_vec(), b"\"".repeat(8_000_000), b" ) UID 3)\r\n".to_vec()]
                .concat(),
            [
                b"* 1 FETCH (FLAGS (a\"b".to_vec(),
                b" {~{".repeat(2_000_000),
                b") UID 3)\r\n".to_vec(),
            ]
            .concat(),
        ];
        for input in inputs {
            let start = input[..20].escape_ascii().to_string();
            match fetching(unchanged, input) {
                Ok(_) => {}
                Err(error) => assert!(
                    matches!(error, Error::Protocol(_) | Error::Unexpected(_)),
                    "{start}: {error}"
                ),
            }
        }
        let text = [b"* OK [X ".to_vec(), b"\"".repeat(1_000_000), b"\r\n".to_vec()].concat();
        assert_eq!(fetching(unchanged, text).unwrap(), 0);
    });
}

#[test]
fn rule_12_a_letter_in_many_pieces_behind_much_else_is_linear() {
    let before = "x".repeat(8_000_000);
    let (result, _) = Imap.with(
        TlsMode::None,
        unchanged,
        move |peer| {
            let tag = peer.hear().split(' ').next().unwrap().to_owned();
            peer.say(&format!("* 1 FETCH (X \"{before}\" BODY[] {{2000000}}\r\n"));
            peer.go_on(&[b'y'; 100], 20_000);
            peer.say(&format!(")\r\n{tag} OK done\r\n"));
            peer.hear_rest();
        },
        |client| {
            without_hanging(|| {
                client.imap().write_letter(
                    MessageId::Number(NonZeroU32::MIN),
                    true,
                    "x",
                    &mut std::io::sink(),
                )
            })
        },
    );
    assert_eq!(result.unwrap(), Some(2_000_000));
}

#[test]
fn rule_13_ranges_from_a_server_stay_ranges() {
    let (copied, _) = Imap.with(
        TlsMode::None,
        unchanged,
        |peer| {
            peer.answer("* VANISHED 1:4294967295\r\n* ESEARCH (TAG \"A1\") UID ALL 1:4294967295\r\n{tag} OK [COPYUID 1 1:4294967295 4294967295:1] done\r\n");
            peer.hear_rest();
        },
        |client| client.imap().copy(&Messages::Uids(one()), "box"),
    );
    let copied = copied.unwrap().unwrap();
    assert_eq!(
        (copied.from.to_string(), copied.to.to_string()),
        ("1:4294967295".into(), "4294967295:1".into())
    );
    for code in ["1 0:5 1", "1 1:4294967296 1", "1 5", "x 1 1", "1 1:* 1", "", "1 -1 1"] {
        let answer = format!("{{tag}} OK [COPYUID {code}] done\r\n");
        let (copied, _) = Imap.with(
            TlsMode::None,
            unchanged,
            move |peer| {
                peer.answer(&answer);
                peer.hear_rest();
            },
            |client| client.imap().copy(&Messages::Uids(one()), "box"),
        );
        assert_eq!(copied.unwrap(), None, "{code}");
    }
}

#[test]
fn rule_14_nesting_is_capped_and_no_number_wraps() {
    let nested =
        [b"* 1 FETCH (X ".to_vec(), b"(".repeat(100_000), b")".repeat(100_000), b")\r\n".to_vec()]
            .concat();
    assert_eq!(identifier(&fetching(unchanged, nested)), ResponseTooLarge);
    for line in [
        "* 0 FETCH (X 1)",
        "* 4294967296 FETCH (X 1)",
        "* -1 EXISTS",
        "* 99999999999999999999 EXISTS",
        "* 0 EXPUNGE",
        "* 1",
        "* FETCH (X 1)",
    ] {
        assert_eq!(fetching(unchanged, format!("{line}\r\n").into_bytes()).unwrap(), 0, "{line}");
    }
    let (result, _) = Imap.with(
        TlsMode::None,
        unchanged,
        |peer| {
            peer.answer("* 4294967295 EXISTS\r\n* 4294967295 RECENT\r\n* OK [UNSEEN 99999999999] x\r\n* OK [UIDNEXT 0] x\r\n{tag} OK [READ-WRITE] done\r\n");
            peer.answer("* 4294967295 EXPUNGE\r\n* 4294967295 EXPUNGE\r\n* 0 EXISTS\r\n* 1 EXPUNGE\r\n* 1 EXPUNGE\r\n{tag} OK done\r\n");
            peer.answer("* SEARCH 4294967295 4294967296\r\n{tag} OK done\r\n");
            peer.hear_rest();
        },
        |client| {
            let client = client.imap();
            client.select("inbox", false)?;
            assert_eq!(client.selected().unwrap().exists, u32::MAX);
            client.noop()?;
            assert_eq!(client.selected().unwrap().exists, 0);
            client.search(&SearchKey::All)
        },
    );
    assert_eq!(result.unwrap(), [u32::MAX]);
    for answer in [
        "+OK 4294967296 1",
        "+OK -1 1",
        "+OK 1 -1",
        "+OK",
        "+OK +1 +1",
        "+OK 18446744073709551616 1",
        "+OK 1 18446744073709551616",
        "+OK a b",
    ] {
        let answer = format!("{answer}\r\n");
        let (result, _) =
            Pop.with(TlsMode::None, unchanged, move |peer| drop(peer.answer(&answer)), Client::ask);
        assert_eq!(identifier(&result), Unexpected);
    }
    let (result, _) = Pop.with(
        TlsMode::None,
        unchanged,
        |peer| drop(peer.answer("+OK 4294967295 1\r\n")),
        Client::ask,
    );
    assert_eq!(identifier(&result), ResponseTooLarge, "nobody counts up to that");
    for line in ["0 5", "-1 5", "4294967296 5", "x 5", "1", "+1 5", ""] {
        let answer = format!("+OK\r\n{line}\r\n.\r\n");
        let (result, _) = Pop.with(
            TlsMode::None,
            unchanged,
            move |peer| drop(peer.answer(&answer)),
            |client| client.pop().sizes(),
        );
        assert_eq!(identifier(&result), Unexpected, "{line}");
    }
}

#[test]
fn rule_14_what_the_server_tells_of_other_messages_is_not_kept() {
    let mut kept = 0;
    let (result, _) = Imap.with(
        TlsMode::None,
        unchanged,
        |peer| {
            let others: String =
                (2..20_000).map(|number| format!("* {number} FETCH (BODY[] x)\r\n")).collect();
            peer.answer(&format!("{others}* 1 FETCH (BODY[] x)\r\n{{tag}} OK done\r\n"));
            let same = "* 1 FETCH (FLAGS (x))\r\n".repeat(20_000);
            peer.answer(&format!("{same}{{tag}} OK done\r\n"));
            peer.hear_rest();
        },
        |client| {
            client.imap().fetch(
                &Messages::Numbers(one()),
                &"(BODY[])".parse().unwrap(),
                &mut |_| {
                    kept += 1;
                    Ok(())
                },
            )?;
            client
                .imap()
                .fetch(&Messages::Numbers(one()), &"(FLAGS)".parse().unwrap(), &mut |_| Ok(()))
        },
    );
    assert_eq!((identifier(&result), kept), (Unexpected, 1));
}

#[test]
fn rule_15_a_server_that_drips_does_not_hold_anybody() {
    std::thread::scope(|scope| {
        for protocol in PROTOCOLS {
            for (place, mode) in [
                ("the greeting", TlsMode::None),
                ("a reply", TlsMode::None),
                ("a reply", TlsMode::StartTls),
                ("a reply", TlsMode::Implicit),
            ] {
                scope.spawn(move || {
                    let text: &[u8] = match protocol {
                        Imap => b"* OK still here, still here, still here, still here, still here, still here\r\n",
                        Pop => b"+OK still here, still here, still here, still here, still here, still here, still here ",
                        Smtp => b"250-still here, still here, still here, still here, still here, still here\r\n",
                    };
                    let result = if place == "the greeting" {
                        protocol.meet(brief, move |peer| peer.drip(text.split_last().unwrap().1)).0
                    } else {
                        let change = |options: &mut ConnectOptions| {
                            options.timeout = Duration::from_secs(10); // enough for a busy machine
                            options.reply_deadline = Some(Duration::from_secs(3));
                        };
                        let dripping = move |peer: &mut Peer| {
                            peer.hear();
                            peer.drip(text);
                        };
                        protocol.with(mode, change, dripping, Client::ask).0
                    };
                    assert!(matches!(identifier(&result), Timeout), "{protocol:?} {mode:?} {place}: {result:?}");
                });
            }
        }
    });
}

#[test]
fn rule_15_what_makes_progress_is_no_drip() {
    let change =
        |options: &mut ConnectOptions| options.reply_deadline = Some(Duration::from_secs(1));
    let slow = |peer: &mut Peer| {
        let tag = peer.hear().split(' ').next().unwrap().to_owned();
        peer.say("* 1 FETCH (BODY[] {3000000}\r\n");
        for _ in 0..30 {
            peer.go_on(&[b'x'; 100_000], 1);
            std::thread::sleep(Duration::from_millis(60)); // 1.8 seconds in all, more than the deadline
        }
        peer.say(&format!(")\r\n{tag} OK done\r\n"));
        peer.hear_rest();
    };
    let (result, _) = Imap.with(TlsMode::None, change, slow, fetch);
    assert_eq!(result.unwrap(), 4);
}

#[test]
fn rule_16_questions_without_end_end_the_login() {
    for protocol in PROTOCOLS {
        let question: &'static str = match protocol {
            Imap | Pop => "+ bW9yZQ==\r\n",
            Smtp => "334 bW9yZQ==\r\n",
        };
        let (result, heard) = protocol.meet(unchanged, move |peer| {
            peer.say(protocol.greeting());
            match protocol {
                Imap => {}
                Pop => drop(peer.answer("+OK\r\nSASL PLAIN\r\n.\r\n")),
                Smtp => drop(peer.answer("250-here\r\n250 AUTH LOGIN\r\n")),
            }
            peer.hear();
            peer.go_on(question.repeat(100).as_bytes(), 10_000);
            peer.hear_rest();
        });
        assert!(
            matches!(
                identifier(&result),
                ResponseTooLarge | Unexpected | Identifier::Authentication
            ),
            "{protocol:?}: {result:?}"
        );
        assert!(heard.len() < 20, "{protocol:?}: {heard:?}");
    }
    // With a limit below what the mechanism needs, the limit is what ends the login.
    for protocol in PROTOCOLS {
        let change = |options: &mut ConnectOptions| options.limits.challenges = 0;
        let (result, heard) = protocol.meet(change, move |peer| {
            match protocol {
                Imap => peer.say("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n"),
                Pop | Smtp => peer.say(protocol.greeting()),
            }
            match protocol {
                Imap => drop(peer.answer("+ \r\n")),
                Pop => {
                    peer.answer("+OK\r\nSASL SCRAM-SHA-256\r\n.\r\n");
                    peer.answer("+ bW9yZQ==\r\n");
                }
                Smtp => {
                    peer.answer("250-here\r\n250 AUTH LOGIN\r\n");
                    peer.answer("334 VXNlcm5hbWU6\r\n");
                }
            }
            peer.hear_rest();
        });
        assert_eq!(identifier(&result), ResponseTooLarge, "{protocol:?}: {heard:?}");
        assert!(result.unwrap_err().to_string().contains(":limits '(:challenges N)"));
        assert_no_password(&heard);
    }
    for protocol in [Imap, Pop] {
        let endless = |peer: &mut Peer| {
            peer.hear();
            peer.go_on(b"+ go on\r\n", 10_000);
        };
        assert_eq!(
            identifier(&protocol.with(TlsMode::None, unchanged, endless, Client::ask).0),
            Unexpected
        );
    }
}

#[test]
fn rule_17_any_bytes_and_any_end_are_survived() {
    // Greetings cut after every byte, and with every byte replaced by NUL, 0xff, CR, LF or a brace.
    for protocol in PROTOCOLS {
        let text: &[u8] = match protocol {
            Imap => b"* OK [CAPABILITY IMAP4rev1] hello\r\n",
            Pop => b"+OK hello <1@x>\r\n",
            Smtp => b"220-hello\r\n220 you\r\n",
        };
        std::thread::scope(|scope| {
            for at in 0..text.len() {
                scope.spawn(move || {
                    for with in
                        [None, Some(b'\0'), Some(0xff), Some(b'\r'), Some(b'\n'), Some(b'{')]
                    {
                        let bytes = match with {
                            None => text[..at].to_vec(),
                            Some(byte) => [&text[..at], &[byte], &text[at + 1..]].concat(),
                        };
                        let (result, _) = protocol.meet(unchanged, move |peer| {
                            let _ = peer.say_bytes(&bytes);
                            peer.hang_up_sending();
                            peer.hear_rest();
                        });
                        assert!(
                            matches!(
                                identifier(&result),
                                Unexpected | Identifier::ServerShutdownConnection
                            ),
                            "{at} {with:?}: {result:?}"
                        );
                    }
                });
            }
        });
    }
}

#[test]
fn rule_17_a_fetch_response_with_any_byte_anywhere_is_survived() {
    let text = b"* 1 FETCH (UID 5 FLAGS (\\Seen) BODY[TEXT] {3}\r\nabc ENVELOPE (\"d\" NIL ((\"n\" NIL \"m\" \"h\"))))\r\nA3 OK done\r\n";
    std::thread::scope(|scope| {
        for part in 0..4 {
            scope.spawn(move || {
                for at in (part..text.len()).step_by(4) {
                    let script = Script::run(move |peer| {
                        Imap.begin(TlsMode::None, peer);
                        Imap.log_in(peer);
                        peer.hear();
                        let mut bytes = text.to_vec();
                        bytes[at] = [0, 0xff, b'(', b')', b'"', b'{', b'\n', b'\r'][at % 8];
                        let _ = peer.say_bytes(&bytes);
                        peer.hang_up_sending();
                        peer.hear_rest();
                    });
                    let mut client = Imap.connect(&script, unchanged).unwrap();
                    let result = client.imap().fetch(
                        &Messages::Numbers(one()),
                        &"(UID)".parse().unwrap(),
                        &mut |mut data| {
                            while let Some(token) = data.tokens.next_token()? {
                                if token == Token::Open {
                                    continue;
                                }
                            }
                            Ok(())
                        },
                    );
                    assert!(
                        result.is_ok()
                            || matches!(
                                result,
                                Err(Error::Protocol(_)
                                    | Error::Unexpected(_)
                                    | Error::Transport(_)
                                    | Error::Refused { .. }
                                    | Error::Bye { .. })
                            ),
                        "{at}: {result:?}"
                    );
                }
            });
        }
    });
}

/// What a server sends in a session. `{tag}` stands for the command's tag.
enum Say {
    /// Without having read anything.
    First(&'static str),
    /// After a command.
    Reply(&'static str),
    /// After a letter.
    Verdict(&'static str),
}

/// The sessions of [`use_session`], as a server plays them.
fn session_of(protocol: Protocol) -> &'static [Say] {
    match protocol {
        Imap => &[
            Say::First("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] hello\r\n"),
            Say::Reply("{tag} OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] in\r\n"),
            Say::Reply("* LIST () \"/\" \"\"\r\n{tag} OK done\r\n"),
            Say::Reply(
                "* FLAGS (\\Seen)\r\n* 1 EXISTS\r\n* 0 RECENT\r\n* OK [UIDVALIDITY 5] x\r\n{tag} OK [READ-WRITE] in\r\n",
            ),
            Say::Reply(
                "* 1 FETCH (UID 5 FLAGS (\\Seen) BODY[TEXT] {3}\r\nabc)\r\n{tag} OK done\r\n",
            ),
        ],
        Pop => &[
            Say::First("+OK hello\r\n"),
            Say::Reply("+OK\r\nUSER\r\nUIDL\r\nTOP\r\n.\r\n"),
            Say::Reply("+OK\r\n"),
            Say::Reply("+OK in\r\n"),
            Say::Reply("+OK\r\nUSER\r\nUIDL\r\n.\r\n"),
            Say::Reply("+OK 2 300\r\n"),
            Say::Reply("+OK\r\n1 abc\r\n2 def\r\n.\r\n"),
            Say::Reply("+OK 20\r\nSubject: x\r\n\r\n..dot\r\n.\r\n"),
        ],
        Smtp => &[
            Say::First("220-hello\r\n220 you\r\n"),
            Say::Reply("250-here\r\n250-8BITMIME\r\n250 AUTH PLAIN\r\n"),
            Say::Reply("235 in\r\n"),
            Say::Reply("250 sender\r\n"),
            Say::Reply("250 recipient\r\n"),
            Say::Reply("354 go\r\n"),
            Say::Verdict("250-taken\r\n250 done\r\n"),
        ],
    }
}

fn use_session(protocol: Protocol, script: &Script) -> Result<(), Error> {
    let mut client = protocol.connect(script, unchanged)?;
    match protocol {
        Imap => {
            client.imap().select("inbox", false)?;
            fetch(&mut client).map(drop)
        }
        Pop => {
            client.pop().unique_ids()?;
            client.pop().letter(1, None).map(drop)
        }
        Smtp => {
            let to = ["a@example.org".to_owned()];
            let envelope = postoffice::client::smtp::Envelope {
                from: "joe@example.org",
                to: &to,
                partial: false,
                long_lines: false,
            };
            client.smtp().send(&envelope, b"Subject: x\r\n\r\nx\r\n").map(drop)
        }
    }
}

/// Plays a session up to the byte `at` of all that it says. That byte is replaced by `with`, and the
/// reply completed, or else the reply is cut there. Then nothing more is sent.
fn play(peer: &mut Peer, session: &[Say], mut at: usize, with: Option<u8>) {
    for say in session {
        let (text, tag) = match say {
            Say::First(text) => (text, String::new()),
            Say::Reply(text) => (text, peer.hear().split(' ').next().unwrap_or("").to_owned()),
            Say::Verdict(text) => {
                peer.hear_to_the_end_of_a_letter();
                (text, String::new())
            }
        };
        let mut bytes = text.replace("{tag}", &tag).into_bytes();
        if at < bytes.len() {
            match with {
                Some(with) => bytes[at] = with,
                None => bytes.truncate(at),
            }
            let _ = peer.say_bytes(&bytes);
            break;
        }
        at -= bytes.len();
        let _ = peer.say_bytes(&bytes);
    }
    peer.hang_up_sending();
    peer.hear_rest();
}

#[test]
fn rule_17_a_session_survives_any_byte_and_any_end_anywhere() {
    const OTHERS: [u8; 10] = [0, 0xff, b'\r', b'\n', b'{', b'(', b'"', b'9', b' ', b'*'];
    for protocol in PROTOCOLS {
        let session = session_of(protocol);
        // Tags are of two bytes here.
        let length: usize = session
            .iter()
            .map(|say| match say {
                Say::First(text) | Say::Reply(text) | Say::Verdict(text) => {
                    text.replace("{tag}", "A1").len()
                }
            })
            .sum();
        let run = move |at: usize, with: Option<u8>| {
            let script = Script::run(move |peer| play(peer, session, at, with));
            let result = use_session(protocol, &script);
            script.heard();
            result
        };
        assert!(run(length, None).is_ok(), "{protocol:?}: {:?}", run(length, None));
        std::thread::scope(|scope| {
            for part in 0..4 {
                scope.spawn(move || {
                    for at in (part..length).step_by(4) {
                        let cut = run(at, None);
                        assert!(
                            matches!(identifier(&cut), Identifier::ServerShutdownConnection),
                            "{protocol:?} {at}: {cut:?}"
                        );
                        for with in [OTHERS[at % 10], OTHERS[(at + 3) % 10]] {
                            let result = run(at, Some(with));
                            // Only the server may be blamed, and no result is made up.
                            let is_expected = match &result {
                                Ok(()) => true,
                                Err(_) => matches!(
                                    identifier(&result),
                                    Unexpected
                                        | ResponseTooLarge
                                        | Identifier::ServerShutdownConnection
                                        | Identifier::ErrorResponse
                                        | Identifier::Authentication
                                        | Identifier::Unsupported
                                        | Identifier::RecipientsRefused
                                        | Identifier::Insecure
                                ),
                            };
                            assert!(is_expected, "{protocol:?} {at} {with}: {result:?}");
                        }
                    }
                });
            }
        });
    }
}
