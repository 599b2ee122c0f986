//! Sending mail. No argument or letter can add an SMTP command, replies are parsed strictly, and
//! success is reported only if the server said so.

use super::server::*;
use crate::support::script::Peer;
use postoffice::client::smtp::Envelope;
use postoffice::client::{Error, SmtpClient, TlsMode};
use postoffice::condition::Identifier::{
    self, ErrorResponse, RecipientsRefused, ServerShutdownConnection, SyntaxError, Unexpected,
};
use postoffice::transport::Connector;

const LETTER: &[u8] = b"Subject: the plan\r\n\r\n.\r\nMAIL FROM:<evil@x>\r\n";

fn send(client: &mut Client) -> Result<usize, Error> {
    let to = ["a@example.org".to_owned(), "b@example.org".to_owned()];
    let envelope = Envelope { from: "joe@example.org", to: &to, partial: false, long_lines: false };
    client.smtp().send(&envelope, LETTER).map(|refused| refused.len())
}

/// Sends [`LETTER`] to a server that gives `answers` in turn. An answer that begins with `*`
/// follows the whole letter, all others follow a line. Returns the result, and what the server
/// read.
fn sending(mode: TlsMode, answers: Vec<String>) -> (Result<usize, Error>, Vec<String>) {
    let script = move |peer: &mut Peer| {
        for answer in answers {
            match answer.strip_prefix('*') {
                Some(answer) => {
                    let letter = peer.hear_to_the_end_of_a_letter();
                    peer.heard.push(String::from_utf8(letter).unwrap());
                    peer.say(answer);
                }
                None => drop(peer.answer(&answer)),
            }
        }
        peer.hang_up_sending();
        peer.hear_rest();
    };
    Smtp.with(mode, unchanged, script, send)
}

fn answers(answers: &[&str]) -> Vec<String> {
    answers.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn assert_no_letter(heard: &[String]) {
    assert!(!heard.iter().any(|line| line.contains("Subject")), "the letter went out: {heard:?}");
}

#[test]
fn rule_27_nothing_leaves_an_address_or_a_name() {
    let bad = [
        "a\r\nRCPT TO:<evil@x>",
        "a\n",
        "a\r",
        "a\0",
        "a>",
        "<a",
        "a> SIZE=9",
        "a b",
        "a\t",
        "a\u{85}",
        "a\u{2028}b",
        "ü\r\n",
    ];
    for text in bad {
        let (result, heard) = Smtp.with(TlsMode::None, unchanged, Peer::hear_rest, |client| {
            let to = [text.to_owned()];
            let as_recipient = client
                .smtp()
                .send(
                    &Envelope { from: "x@example.org", to: &to, partial: false, long_lines: false },
                    LETTER,
                )
                .map(drop);
            assert_eq!(identifier(&as_recipient), SyntaxError, "{text:?}");
            let to = ["x@example.org".to_owned()];
            let as_sender = client
                .smtp()
                .send(&Envelope { from: text, to: &to, partial: false, long_lines: false }, LETTER)
                .map(drop);
            assert_eq!(identifier(&as_sender), SyntaxError, "{text:?}");
            client.smtp().verify(text)
        });
        assert_eq!(identifier(&result), SyntaxError, "{text:?}");
        assert_eq!(heard, [""; 0]);
        let script = crate::support::script::Script::run(Peer::hear_rest);
        let options = postoffice::client::ConnectOptions {
            port: Some(script.address.port()),
            ..Default::default()
        };
        let result =
            SmtpClient::connect(&Connector::default(), "127.0.0.1", Some(text), None, &options);
        assert_eq!(identifier(&result), SyntaxError, "{text:?}");
        assert!(!script.was_reached());
    }
}

#[test]
fn rule_29_line_ends_are_made_right_before_dots_are_doubled() {
    let bodies = [
        "a\n.\nb",
        "a\r.\rb",
        "a\r\n.\r\nb",
        "a\n.\r\nQUIT",
        ".",
        "..",
        "a\r\r\n.\n",
        "\n\n.\n\n",
        "x\r\n.\rMAIL FROM:<y>",
    ];
    for body in bodies {
        let letter = format!("Subject: x\n\n{body}");
        let (result, heard) = Smtp.with(
            TlsMode::None,
            unchanged,
            |peer| {
                for answer in ["250 ok\r\n", "250 ok\r\n", "354 go\r\n"] {
                    peer.answer(answer);
                }
                peer.heard.clear();
                let bytes = peer.hear_to_the_end_of_a_letter();
                peer.say("250 taken\r\n");
                peer.heard.push(String::from_utf8(bytes).unwrap());
                peer.hear_rest();
            },
            |client| {
                let to = ["a@example.org".to_owned()];
                client.smtp().send(
                    &Envelope {
                        from: "joe@example.org",
                        to: &to,
                        partial: false,
                        long_lines: false,
                    },
                    letter.as_bytes(),
                )
            },
        );
        result.unwrap();
        let wire = &heard[0];
        assert_eq!(heard.len(), 1, "{body:?} said more: {heard:?}");
        assert_eq!(wire.matches('\r').count(), wire.matches("\r\n").count(), "{wire:?}");
        assert_eq!(wire.matches('\n').count(), wire.matches("\r\n").count(), "{wire:?}");
        assert_eq!(wire.matches("\r\n.\r\n").count(), 1, "{wire:?}");
        let lines: Vec<&str> = wire
            .strip_suffix(".\r\n")
            .unwrap()
            .lines()
            .map(|line| line.strip_prefix('.').unwrap_or(line))
            .collect();
        let sent = letter.replace("\r\n", "\n").replace('\r', "\n");
        assert_eq!(lines, sent.lines().collect::<Vec<_>>());
    }
    let (result, heard) = Smtp.with(TlsMode::None, unchanged, Peer::hear_rest, |client| {
        let to = ["a@example.org".to_owned()];
        client.smtp().send(
            &Envelope { from: "joe@example.org", to: &to, partial: false, long_lines: false },
            b"Subject: x\r\n\r\na\0b\r\n",
        )
    });
    assert_eq!(identifier(&result), SyntaxError);
    assert_eq!(heard, [""; 0]);
}

#[test]
fn rule_30_a_reply_has_one_code_of_three_digits() {
    let bad = [
        "25 ok\r\n",
        "2500 ok\r\n",
        "250ok\r\n",
        "250\tok\r\n",
        "250_ok\r\n",
        " 250 ok\r\n",
        "+250 ok\r\n",
        "2x0 ok\r\n",
        "150 ok\r\n",
        "050 ok\r\n",
        "650 ok\r\n",
        "999 ok\r\n",
        "250-a\r\n550 b\r\n",
        "550-a\r\n250 b\r\n",
        "250-a\r\n251 b\r\n",
        "250-a\r\nb\r\n",
        "250 ok\n",
        "250-a\n250 b\r\n",
        "ok\r\n",
        "\r\n",
        "250-\r\n\r\n",
        "354 go\r\n",
        "334 x\r\n",
    ];
    for (mode, bad) in
        [(TlsMode::None, &bad[..]), (TlsMode::StartTls, &bad[..3]), (TlsMode::Implicit, &bad[..3])]
    {
        for reply in bad {
            let (result, heard) = sending(mode, answers(&[*reply]));
            assert_eq!(identifier(&result), Unexpected, "{reply:?}");
            assert_no_letter(&heard);
        }
    }
    for reply in ["250\r\n", "250 \r\n", "250-\r\n250\r\n", "250-a\r\n250 b\r\n", "299 ok\r\n"] {
        let all = [vec![reply.to_owned(); 3], answers(&["354 go\r\n", "*250 taken\r\n"])].concat();
        assert_eq!(sending(TlsMode::None, all).0.unwrap(), 0, "{reply:?}");
    }
}

#[test]
fn rule_31_the_letter_goes_only_behind_354_and_refusals_are_named() {
    for mode in MODES {
        for (replies, expected) in [
            (&["250 ok\r\n", "250 ok\r\n", "250 ok\r\n", "250 go\r\n"][..], ErrorResponse),
            (&["250 ok\r\n", "250 ok\r\n", "250 ok\r\n", "554 no\r\n"], ErrorResponse),
            (&["250 ok\r\n", "250 ok\r\n", "250 ok\r\n", "421 no\r\n"], ServerShutdownConnection),
            (&["250 ok\r\n", "250 ok\r\n", "250 ok\r\n", "353 go\r\n"], Unexpected),
            (&["250 ok\r\n", "250 ok\r\n", "250 ok\r\n", ""], ServerShutdownConnection),
            (&["250 ok\r\n", "550 no\r\n", "250 ok\r\n", "250 reset\r\n"], RecipientsRefused),
            (&["250 ok\r\n", "250 ok\r\n", "550 no\r\n", "250 reset\r\n"], RecipientsRefused),
            (&["250 ok\r\n", "550 no\r\n", "451 no\r\n", "250 reset\r\n"], RecipientsRefused),
            (&["550 no\r\n", "250 reset\r\n"], ErrorResponse),
            (&["354 go\r\n"], Unexpected),
            (&["250 ok\r\n", "354 go\r\n"], Unexpected),
            // Replies that come before their command, or before the letter.
            (&["250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n"], Unexpected),
            (&["250 ok\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n250 taken\r\n"], Unexpected),
            (&["250 ok\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n550 no\r\n"], Unexpected),
        ] {
            let (result, heard) = sending(mode, answers(replies));
            assert_eq!(identifier(&result), expected, "{mode:?} {replies:?}: {result:?}");
            assert_no_letter(&heard);
        }
    }
    let (result, _) = sending(
        TlsMode::None,
        answers(&["250 ok\r\n", "550 no a\r\n", "451 no b\r\n", "250 reset\r\n"]),
    );
    let Err(Error::Recipients { refused }) = result else { panic!("{result:?}") };
    let refused: Vec<(&str, &str)> =
        refused.iter().map(|one| (one.address.as_str(), one.words.as_str())).collect();
    assert_eq!(refused, [("a@example.org", "550 no a"), ("b@example.org", "451 no b")]);
}

#[test]
fn rule_32_behind_the_final_dot_only_the_servers_word_is_success() {
    for mode in MODES {
        let begin = ["250 ok\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n"];
        for (end, unknown) in [
            ("*", true),
            ("*25", true),
            ("*250", true),
            ("*250-taken\r\n", true),
            ("*250 taken\n", true),
            ("*garbage\r\n", true),
            ("*354 go\r\n", true),
            ("*550 no\r\n", false),
            ("*451 no\r\n", false),
            ("*421 bye\r\n", false),
        ] {
            let (result, heard) = sending(mode, answers(&[&begin[..], &[end]].concat()));
            match &result {
                Err(Error::DeliveryUnknown { .. }) if unknown => {
                    assert!(result.unwrap_err().to_string().contains("may have been delivered"))
                }
                Err(Error::Refused { .. } | Error::Bye { .. }) if !unknown => {}
                _ => panic!("{mode:?} {end:?}: {result:?}"),
            }
            assert_eq!(
                heard.iter().filter(|line| line.contains("Subject")).count(),
                1,
                "sent once: {heard:?}"
            );
        }
        let (result, _) = sending(mode, answers(&[&begin[..], &["*250 taken\r\n"]].concat()));
        assert_eq!(result.unwrap(), 0);
    }
}

#[test]
fn rule_30_what_ehlo_offers_may_be_anything() {
    for offer in [
        "SIZE",
        "SIZE 18446744073709551616",
        "SIZE -1",
        "SIZE 0",
        "SIZE x",
        "AUTH",
        "AUTH=",
        "AUTH PLAIN\0",
        "STARTTLS x",
        "\u{0}",
        "SIZE 5 6",
        "",
    ] {
        let ehlo = format!("250-here\r\n250-AUTH PLAIN\r\n250 {offer}\r\n");
        let (result, _) = Smtp.meet(unchanged, move |peer| {
            peer.say("220 hello\r\n");
            peer.answer(&ehlo);
            peer.answer("235 in\r\n");
            peer.hear_rest();
        });
        assert!(result.is_ok(), "{offer:?}: {result:?}");
    }
    let (result, heard) = Smtp.meet(unchanged, |peer| {
        peer.say("220 hello\r\n");
        peer.answer("250-here\r\n250 AUTH \0\x07 XYZ\r\n");
        peer.hear_rest();
    });
    assert_eq!(identifier(&result), Identifier::Unsupported);
    assert_no_password(&heard);
}
