//! Where a response begins and ends. A literal is never read as protocol, only a command's own tag
//! completes it, only CRLF dot CRLF ends a POP3 letter, and nothing is sent to a server that has
//! said goodbye.

use super::server::*;
use crate::support::script::Peer;
use postoffice::client::{Error, TlsMode};
use postoffice::condition::Identifier::{ServerShutdownConnection, Unexpected};
use postoffice::proto::imap::{MessageId, Messages};
use postoffice::proto::imap::{SequenceSet, Token};
use std::num::NonZeroU32;

/// Fetches the body of message 1, and sends another command to check that the framing is intact.
fn body(client: &mut Client) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    client.imap().fetch(
        &Messages::Numbers(SequenceSet::from(NonZeroU32::MIN)),
        &"(BODY[])".parse().unwrap(),
        &mut |mut data| {
            while let Some(token) = data.tokens.next_token()? {
                if let Token::Literal(bytes) = token {
                    body.extend_from_slice(bytes);
                }
            }
            Ok(())
        },
    )?;
    client.ask()?; // fails if part of the response is left over
    Ok(body)
}

#[test]
fn rule_18_a_literal_is_never_read_as_protocol() {
    for content in [
        "",
        ")\r\nA3 OK done\r\n",
        "A3 OK done\r\nA4 OK done\r\n",
        "{5}\r\n",
        "* BYE gone\r\n",
        "\"",
        "((((((",
        "\0\r\0\n",
        "* 1 FETCH (BODY[] {4294967295}\r\n",
        "x {0}\r\n",
    ] {
        for mode in MODES {
            let text = format!(
                "* 1 FETCH (BODY[] {{{}}}\r\n{content})\r\n{{tag}} OK done\r\n",
                content.len()
            );
            let (result, _) = Imap.with(
                mode,
                unchanged,
                move |peer| {
                    peer.answer(&text);
                    peer.answer("{tag} OK done\r\n");
                    peer.hear_rest();
                },
                body,
            );
            assert_eq!(result.unwrap(), content.as_bytes(), "{content:?}");
        }
    }
}

#[test]
fn rule_18_a_literal_where_none_belongs_is_refused_or_skipped() {
    for line in [
        "* {3}\r\nabc",
        "* 1 {3}\r\nabc",
        "* {3}\r\nabc FETCH (X 1)",
        "* 1 FETCH {3}\r\nabc",
        "* 1 FETCH ({3}\r\nabc 1)",
        "* 1 FETCH (BODY[] {3}\r\nab",
        "* 1 FETCH (BODY[] x{3}\r\nabc)",
        "* 1 FETCH (BODY[] {3})\r\nabc)",
        "* 1 FETCH (BODY[] {3}\nabc)",
        "* 1 FETCH (BODY[] \"{3}\r\nabc\")",
    ] {
        let text = format!("{line}\r\n{{tag}} OK done\r\n");
        let (result, _) = Imap.with(
            TlsMode::None,
            unchanged,
            move |peer| {
                peer.answer(&text);
                peer.answer("{tag} OK done\r\n");
                peer.hang_up();
            },
            body,
        );
        assert!(
            matches!(&result, Ok(body) if body.is_empty() || body == b"abc") || result.is_err(),
            "{line:?}: {result:?}"
        );
        if let Err(error) = &result {
            assert!(
                matches!(error, Error::Protocol(_) | Error::Transport(_)),
                "{line:?}: {error:?}"
            );
        }
    }
}

#[test]
fn rule_19_only_the_current_tag_ends_a_command() {
    for mode in MODES {
        for tag in ["A99", "A0", "a{n}", "A0{n}", "A{n}x", "A{n+1}", "{n}", "A+{n}", "A1", "*", "A"]
        {
            let (result, _) = Imap.with(
                mode,
                unchanged,
                move |peer| {
                    let command = peer.hear();
                    let number: u32 = command.split(' ').next().unwrap()[1..].parse().unwrap();
                    let tag = tag
                        .replace("{n+1}", &(number + 1).to_string())
                        .replace("{n}", &number.to_string());
                    peer.say(&format!("{tag} OK done\r\n"));
                    peer.hang_up_sending();
                    peer.hear_rest();
                },
                Client::ask,
            );
            let expected = if tag == "*" { ServerShutdownConnection } else { Unexpected };
            assert_eq!(identifier(&result), expected, "{tag}");
        }
    }
}

#[test]
fn rule_19_a_reply_too_many_is_not_the_next_commands_answer() {
    let table: &[(Protocol, &[&'static str])] = &[
        (
            Imap,
            &[
                "{tag} OK done\r\n{next} OK done\r\n",
                "{tag} OK done\r\n{tag} OK done\r\n",
                "{tag} OK done\r\n+ go\r\n",
                "{tag} NO no\r\n{next} OK d",
            ],
        ),
        (
            Pop,
            &[
                "+OK 3 300\r\n+OK 9 900\r\n",
                "+OK 3 300\r\n-ERR no\r\n",
                "-ERR no\r\n+OK 9 900\r\n",
                "+OK 3 300\r\n+",
                "+OK 3 300\r\n.\r\n",
            ],
        ),
        (
            Smtp,
            &[
                "250 yes\r\n250 yes\r\n",
                "250 yes\r\n550 no\r\n",
                "550 no\r\n250-yes\r\n250 yes\r\n",
            ],
        ),
    ];
    for (protocol, answers) in table {
        for answer in *answers {
            for mode in MODES {
                let protocol = *protocol;
                let (result, heard) = protocol.with(
                    mode,
                    unchanged,
                    move |peer| {
                        let tag = peer.hear().split(' ').next().unwrap().to_owned();
                        let next =
                            format!("A{}", tag.trim_start_matches('A').parse().unwrap_or(0u32) + 1);
                        peer.say(&answer.replace("{tag}", &tag).replace("{next}", &next));
                        peer.hear_rest();
                    },
                    |client| {
                        let _ = client.ask(); // this may fail, but the connection stays open
                        client.ask()
                    },
                );
                assert_eq!(
                    identifier(&result),
                    Unexpected,
                    "{protocol:?} {mode:?} {answer:?}: {result:?}"
                );
                assert_eq!(heard.len(), 1, "nothing more went out: {heard:?}");
            }
        }
    }
}

#[test]
fn rule_20_a_bare_line_end_never_ends_a_pop_letter() {
    for content in [
        "a\n.\nb",
        "a\r.\rb",
        "a\n.\r\nb",
        "a\r\n.\nb",
        "a\r.\r\nb",
        ".\n",
        "\n.\r\n+OK 9 9\r\nx",
        "\r\n\r.\r\n",
        "a\n.\r\n+OK\r\n.\r",
    ] {
        for mode in MODES {
            // A correct server doubles a dot at the start of a line.
            let wire = format!("\r\n{content}").replace("\r\n.", "\r\n..");
            let text = format!("+OK\r\n{}\r\n.\r\n", &wire[2..]);
            let (result, _) = Pop.with(
                mode,
                unchanged,
                move |peer| {
                    peer.answer(&text);
                    peer.answer("+OK 3 300\r\n");
                    peer.hear_rest();
                },
                |client| {
                    let letter = client.pop().letter(1, None)?;
                    client.ask()?;
                    Ok(letter)
                },
            );
            assert_eq!(String::from_utf8(result.unwrap()).unwrap(), format!("{content}\r\n"));
        }
    }
}

#[test]
fn rule_20_a_letter_that_breaks_off_is_no_short_letter() {
    for end in ["half a let", "half\r\n", "half\r\n.", "half\r\n.\r", "half\n.\n", ""] {
        let (result, _) = Pop.with(
            TlsMode::None,
            unchanged,
            move |peer| {
                peer.answer(&format!("+OK\r\n{end}"));
                peer.hang_up_sending();
                peer.hear_rest();
            },
            |client| client.pop().letter(1, None),
        );
        assert_eq!(identifier(&result), ServerShutdownConnection, "{end:?}");
    }
    for (size, sent) in [(100, "x"), (100_000, "x"), (100_000, ""), (1, "x"), (1, "x)\r\n")] {
        let (result, _) = Imap.with(
            TlsMode::None,
            unchanged,
            move |peer| {
                peer.answer(&format!("* 1 FETCH (BODY[] {{{size}}}\r\n{sent}"));
                peer.hang_up_sending();
                peer.hear_rest();
            },
            |client| {
                client.imap().write_letter(
                    MessageId::Number(NonZeroU32::MIN),
                    true,
                    "x",
                    &mut Vec::new(),
                )
            },
        );
        assert_eq!(identifier(&result), ServerShutdownConnection);
    }
}

#[test]
fn rule_20_a_bare_line_end_in_a_listing_does_not_make_two_lines() {
    let (result, _) = Pop.with(
        TlsMode::None,
        unchanged,
        |peer| {
            peer.answer("+OK\r\n1 a\n2 b\r\n.\r\n");
            peer.hear_rest();
        },
        |client| client.pop().unique_ids(),
    );
    assert_eq!(result.unwrap(), [(1, "a\n2".to_owned())]); // the first word
}

#[test]
fn rule_21_a_server_that_takes_its_leave_hears_no_more() {
    for protocol in PROTOCOLS {
        let answers: &[&'static str] = match protocol {
            Imap => &[
                "* BYE later\r\n",
                "* BYE later\r\n{tag} OK done\r\n",
                "{tag} OK done\r\n* BYE later\r\n",
                "* bye\r\n",
            ],
            Pop => &[""],
            Smtp => &["421 later\r\n", "421-a\r\n421 b\r\n", "250 yes\r\n421 later\r\n", ""],
        };
        for answer in answers {
            for mode in MODES {
                let (result, heard) = protocol.with(
                    mode,
                    unchanged,
                    move |peer: &mut Peer| {
                        peer.answer(answer);
                        if answer.is_empty() {
                            peer.hang_up_sending();
                        }
                        peer.hear_rest();
                    },
                    |client| {
                        let _ = client.ask(); // may succeed, if the answer came before the goodbye
                        let result = client.ask();
                        assert_eq!(identifier(&client.ask()), ServerShutdownConnection);
                        result
                    },
                );
                assert_eq!(
                    identifier(&result),
                    ServerShutdownConnection,
                    "{protocol:?} {mode:?} {answer:?}: {result:?}"
                );
                assert_eq!(heard.len(), 1, "nothing more went out: {heard:?}");
            }
        }
    }
}
