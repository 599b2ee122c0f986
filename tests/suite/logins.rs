//! Every authentication mechanism in each protocol, on the sandbox and on real servers, and against
//! servers that violate the mechanisms.

use crate::support::script::{Peer, Script};
use crate::support::{Server, empty};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use postoffice::client::{
    Auth, ConnectOptions, Credentials, Error, ImapClient, PopClient, SmtpClient,
};
use postoffice::condition::{Condition, Identifier};
use postoffice::proto::sasl::{Mechanism, SaslError};
use postoffice::transport::Connector;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Imap,
    Pop,
    Smtp,
}

const PROTOCOLS: [Protocol; 3] = [Protocol::Imap, Protocol::Pop, Protocol::Smtp];

fn connect(protocol: Protocol, port: u16, credentials: &Credentials) -> Result<(), Error> {
    let (connector, options) =
        (Connector::default(), ConnectOptions { port: Some(port), ..ConnectOptions::default() });
    match protocol {
        Protocol::Imap => ImapClient::connect(&connector, "127.0.0.1", credentials, &options)
            .map(|mut client| client.close()),
        Protocol::Pop => PopClient::connect(&connector, "127.0.0.1", credentials, &options)
            // Not `abandon`, after which the maildrop might still be locked at the next login.
            .and_then(|mut client| client.close()),
        Protocol::Smtp => {
            SmtpClient::connect(&connector, "127.0.0.1", None, Some(credentials), &options)
                .map(|mut client| client.close())
        }
    }
}

fn with(auth: Option<Auth>, user: &str, password: &str) -> Credentials {
    Credentials { auth, ..Credentials::new(user, password) }
}

const SCRAM: Auth = Auth::Sasl(Mechanism::ScramSha256);
const PLAIN: Auth = Auth::Sasl(Mechanism::Plain);

/// Logs in with the right password, and then with a wrong one.
fn try_out(protocol: Protocol, port: u16, auth: Option<Auth>, user: &str) {
    if let Err(error) = connect(protocol, port, &with(auth, user, "pw")) {
        panic!("{protocol:?} {auth:?}: {error}");
    }
    let refused = connect(protocol, port, &with(auth, user, "wrong-password")).unwrap_err();
    let condition = Condition::from(&refused);
    assert_eq!(
        condition.identifier,
        Identifier::Authentication,
        "{protocol:?} {auth:?}: {refused}"
    );
    assert!(!format!("{refused} {refused:?} {condition:?}").contains("wrong-password"));
}

#[test]
fn the_sandbox_takes_what_it_offers_and_nothing_else_is_tried() {
    let server = Server::sandbox(empty());
    let ports = [server.port, server.pop_port, server.the_sandbox().smtp_address().port()];
    for (protocol, port) in PROTOCOLS.into_iter().zip(ports) {
        for auth in [None, Some(Auth::Login), Some(PLAIN)] {
            try_out(protocol, port, auth, "user");
        }
        for auth in
            [SCRAM, Auth::Token, Auth::Sasl(Mechanism::XOAuth2), Auth::Sasl(Mechanism::External)]
        {
            let refused = connect(protocol, port, &with(Some(auth), "user", "pw"));
            assert!(
                matches!(refused, Err(Error::Unsupported(_))),
                "{protocol:?} {auth:?}: {refused:?}"
            );
        }
    }
    try_out(Protocol::Pop, server.pop_port, Some(Auth::Apop), "user");
}

#[test]
fn dovecot_and_postfix_take_every_way_they_offer() {
    let Some(server) = Server::dovecot() else { return };
    let mut offered = vec![(Protocol::Imap, server.port), (Protocol::Pop, server.pop_port)];
    offered.extend(
        std::env::var("POSTOFFICE_POSTFIX")
            .ok()
            .map(|port| (Protocol::Smtp, port.parse().unwrap())),
    );
    for (protocol, port) in offered {
        for auth in [None, Some(Auth::Login), Some(PLAIN), Some(SCRAM)] {
            try_out(protocol, port, auth, &server.user);
        }
    }
}

/// A server that offers one mechanism and then runs `script`.
fn offering(
    protocol: Protocol,
    mechanism: &'static str,
    script: impl FnOnce(&mut Peer) + Send + 'static,
) -> Script {
    Script::run(move |peer| {
        match protocol {
            Protocol::Imap => {
                peer.say(&format!("* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH={mechanism}] hello\r\n"))
            }
            Protocol::Pop => {
                peer.say("+OK hello\r\n");
                peer.answer(&format!("+OK\r\nSASL {mechanism}\r\n.\r\n"));
            }
            Protocol::Smtp => {
                peer.say("220 hello\r\n");
                peer.answer(&format!("250-hello\r\n250 AUTH {mechanism}\r\n"));
            }
        }
        script(peer);
    })
}

/// Returns how the protocol begins a challenge, and how it reports success and failure. `{tag}`
/// stands for IMAP's tag.
fn says(protocol: Protocol) -> (&'static str, &'static str, &'static str) {
    match protocol {
        Protocol::Imap => ("+ ", "{tag} OK in\r\n", "{tag} NO no\r\n"),
        Protocol::Pop => ("+ ", "+OK in\r\n", "-ERR no\r\n"),
        Protocol::Smtp => ("334 ", "235 in\r\n", "535 no\r\n"),
    }
}

/// Splits an authentication command into its first word and its arguments: the mechanism and the
/// initial response.
fn command_words(command: &str) -> (String, Vec<String>) {
    let mut words = command.split(' ').map(str::to_owned);
    let first = words.next().unwrap();
    let rest: Vec<String> = words.collect();
    if rest[0] == "AUTHENTICATE" { (first, rest[1..].to_vec()) } else { (first, rest) }
}

#[test]
fn scram_servers_that_cheat_are_found_out() {
    // The server's answers to the client's first message, where `{nonce}` stands for the client's
    // nonce, and to its proof.
    let cheats: [(&str, &str, SaslError); 6] = [
        ("r={nonce}x,s=AAAA,i=1", "", SaslError::Iterations { iterations: 1 }),
        ("r={nonce}x,s=AAAA,i=4294967295", "", SaslError::Iterations { iterations: 4_294_967_295 }),
        ("r=other,s=AAAA,i=4096", "", SaslError::Challenge("its nonce does not begin with ours")),
        ("r={nonce}x,s=AAAA,i=4096", "v=AAAA", SaslError::NotProven),
        ("r={nonce}x,s=AAAA,i=4096", "OK", SaslError::NotProven), // success without a proof
        ("OK", "", SaslError::NotProven),                         // success before the exchange
    ];
    for protocol in PROTOCOLS {
        for (first, second, expected) in cheats.clone() {
            let (prompt, success, _) = says(protocol);
            let script = offering(protocol, "SCRAM-SHA-256", move |peer| {
                let (tag, words) = command_words(&peer.hear());
                let message =
                    String::from_utf8(BASE64_STANDARD.decode(&words[1]).unwrap()).unwrap();
                let nonce = message.split("r=").nth(1).unwrap().to_owned();
                for answer in [first, second] {
                    if answer == "OK" {
                        peer.say(&success.replace("{tag}", &tag));
                    } else if !answer.is_empty() {
                        peer.say(&format!(
                            "{prompt}{}\r\n",
                            BASE64_STANDARD.encode(answer.replace("{nonce}", &nonce))
                        ));
                    }
                    peer.hear();
                }
                peer.hear_rest();
            });
            let result =
                connect(protocol, script.address.port(), &with(None, "user", "sesame-open"));
            match result {
                Err(Error::Login { cause, .. }) => assert_eq!(cause, expected, "{protocol:?}"),
                other => panic!("{protocol:?} {first:?}: {other:?}"),
            }
            assert!(script.heard().iter().all(|line| !line.contains("sesame")
                && !line.contains(&BASE64_STANDARD.encode("sesame-open"))));
        }
    }
}

#[test]
fn a_server_cannot_ask_for_ever() {
    for protocol in PROTOCOLS {
        for mechanism in Mechanism::ALL {
            let (prompt, _, _) = says(protocol);
            let script = offering(protocol, mechanism.name(), move |peer| {
                peer.hear();
                for _ in 0..10_000 {
                    peer.say(&format!("{prompt}\r\n"));
                }
                peer.hear_rest();
            });
            let result = connect(
                protocol,
                script.address.port(),
                &with(Some(Auth::Sasl(mechanism)), "user", "sesame-open"),
            );
            assert!(
                matches!(result, Err(Error::Login { .. })),
                "{protocol:?} {mechanism:?}: {result:?}"
            );
            assert!(script.heard().len() < 12, "{protocol:?} {mechanism:?}");
        }
    }
}

#[test]
fn tokens_go_by_the_mechanism_that_is_offered_and_a_refusal_is_heard_out() {
    for protocol in PROTOCOLS {
        for (mechanism, response, farewell) in [
            ("XOAUTH2", "user=joe\u{1}auth=Bearer t0ken-abc\u{1}\u{1}", ""),
            ("OAUTHBEARER", "n,a=joe,\u{1}auth=Bearer t0ken-abc\u{1}\u{1}", "\u{1}"),
        ] {
            let (prompt, _, refusal) = says(protocol);
            let script = offering(protocol, mechanism, move |peer| {
                let (tag, _) = command_words(&peer.hear());
                peer.say(&format!(
                    "{prompt}{}\r\n",
                    BASE64_STANDARD.encode("{\"status\":\"401\"}")
                ));
                peer.hear();
                peer.say(&refusal.replace("{tag}", &tag));
                peer.hear_rest();
            });
            let result = connect(
                protocol,
                script.address.port(),
                &with(Some(Auth::Token), "joe", "t0ken-abc"),
            );
            assert!(
                matches!(result, Err(Error::Authentication { .. })),
                "{protocol:?} {mechanism}: {result:?}"
            );
            let heard = script.heard();
            assert!(
                heard.iter().any(|line| line
                    .ends_with(&format!("{mechanism} {}", BASE64_STANDARD.encode(response)))),
                "{heard:?}"
            );
            if !farewell.is_empty() {
                assert_eq!(heard.last().unwrap(), &BASE64_STANDARD.encode(farewell));
            }
        }
    }
}

#[test]
fn the_certificate_can_say_who_it_is() {
    for protocol in PROTOCOLS {
        let (_, success, _) = says(protocol);
        let script = offering(protocol, "EXTERNAL", move |peer| {
            peer.answer(success);
            if protocol == Protocol::Imap {
                peer.answer("* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n");
                peer.answer("{tag} OK\r\n");
            } else if protocol == Protocol::Pop {
                peer.answer("-ERR\r\n");
                peer.answer("+OK 0 0\r\n");
            }
            peer.answer(match protocol {
                Protocol::Imap => "* BYE\r\n{tag} OK\r\n",
                Protocol::Pop => "+OK\r\n",
                Protocol::Smtp => "221 bye\r\n",
            });
        });
        connect(
            protocol,
            script.address.port(),
            &with(Some(Auth::Sasl(Mechanism::External)), "joe", ""),
        )
        .unwrap();
        assert!(script.heard().iter().any(|line| line.ends_with("EXTERNAL =")));
    }
}

#[test]
fn a_login_that_cannot_be_sent_is_refused_before_a_byte_is() {
    for protocol in PROTOCOLS {
        for (auth, user, password) in [
            (None, "a\0b", "pw"),
            (None, "a", "p\0w"),
            (Some(SCRAM), "a\0b", "pw"),
            (Some(Auth::Token), "a\u{1}b", "t"),
            (Some(Auth::Token), "a", "t\r\nx"),
        ] {
            let script = Script::run(|peer| peer.hear_rest());
            let refused = connect(protocol, script.address.port(), &with(auth, user, password));
            assert!(
                matches!(refused, Err(Error::Argument(_))),
                "{protocol:?} {auth:?} {refused:?}"
            );
            // No client has connected; this connection ends the script.
            let _ = std::net::TcpStream::connect(script.address);
            assert_eq!(script.heard(), [""; 0]);
        }
    }
}
