//! The operations of the POP client, against the sandbox and against Dovecot, and misbehaving
//! servers.

use crate::support::script::{Peer, Script};
use crate::support::{Server, empty, on_every_server};
use postoffice::client::{ConnectOptions, Content, Error, PopClient, TlsMode};
use postoffice::transport::{Connector, TlsOptions};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const LETTER: &str = "From: jkf <jkf@example.org>\nSubject: first\n\nhello\n.\n..dots\nFrom here\n";

fn options(server: &Server) -> ConnectOptions {
    ConnectOptions { port: Some(server.pop_port), ..server.options() }
}

fn connect(server: &Server) -> PopClient {
    PopClient::connect(&Connector::default(), "127.0.0.1", &server.credentials(), &options(server))
        .unwrap()
}

/// Fills the inbox with three letters.
fn filled(server: &Server) {
    server.with_letters(&[LETTER, "Subject: second\n\nx\n", LETTER]).close();
}

#[test]
fn letters_come_back_byte_for_byte() {
    on_every_server(|server| {
        filled(server);
        let mut client = connect(server);
        assert_eq!(client.count(), 3);
        let expected = LETTER.replace('\n', "\r\n");
        assert_eq!(String::from_utf8(client.letter(1, None).unwrap()).unwrap(), expected);
        let top = String::from_utf8(client.letter(1, Some(1)).unwrap()).unwrap();
        assert!(expected.starts_with(&top) && top.ends_with("hello\r\n"), "{top:?}");
        let mut all = Vec::new();
        client
            .letters(&[3, 1, 2], &[], None, &mut |number, letter| {
                all.push((number, letter.into_bytes()?.len()));
                Ok(())
            })
            .unwrap();
        assert_eq!(all.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [3, 1, 2]);
        assert_eq!(client.sizes().unwrap().len(), 3);
        client.close().unwrap();
    });
}

#[test]
fn letters_that_are_expected_come_in_any_order_and_between_other_commands() {
    on_every_server(|server| {
        filled(server);
        let mut client = connect(server);
        let [first, second] = [1, 2].map(|number| client.letter(number, None).unwrap());
        client.expect([1, 2, 3], None).unwrap();
        assert!(client.letter(2, None).unwrap() == second);
        assert!(client.unique_id(3).is_ok());
        assert!(client.letter(1, None).unwrap() == first);
        client.forget_letters();
        client.set_window(1);
        client.expect([3, 2, 1], None).unwrap();
        assert!(client.letter(1, None).unwrap() == first, "before its turn");
        client.delete(&[1]).unwrap();
        client.expect([1], None).unwrap();
        assert!(matches!(client.letter(1, None), Err(Error::Refused { .. })));
        assert!(client.letter(2, None).unwrap() == second);
        let mut all = Vec::new();
        let mut note = |number, letter: Content| {
            all.push((number, letter.into_bytes()?));
            Ok(())
        };
        client.letters(&[2], &[3], None, &mut note).unwrap();
        client.letters(&[3], &[], None, &mut note).unwrap();
        assert!(all == [(2, second), (3, first)]);
        client.reset().unwrap();
        client.close().unwrap();
    });
}

/// Plays the login of a server that supports PIPELINING. It reads STAT before it answers the second
/// CAPA.
fn log_in(peer: &mut Peer, stat: &str) {
    peer.say("+OK hello\r\n");
    peer.answer("+OK\r\nPIPELINING\r\nUSER\r\n.\r\n");
    peer.answer("+OK\r\n");
    peer.answer("+OK\r\n");
    peer.hear();
    peer.answer(&format!("+OK\r\nPIPELINING\r\n.\r\n{stat}"));
}

fn connect_to(script: &Script) -> PopClient {
    connect_by(&Connector::default(), script)
}

fn connect_by(connector: &Connector, script: &Script) -> PopClient {
    let credentials = postoffice::client::Credentials::new("user", "sesame-open");
    let options = ConnectOptions {
        port: Some(script.address.port()),
        tls: Some(TlsMode::None),
        ..ConnectOptions::default()
    };
    PopClient::connect(connector, "127.0.0.1", &credentials, &options).unwrap()
}

#[test]
fn letters_that_are_expected_are_asked_for_at_once() {
    let script = Script::run(|peer| {
        log_in(peer, "+OK 3 30\r\n");
        // Read all three commands before answering any of them.
        let asked = [peer.hear(), peer.hear(), peer.hear()];
        asked.iter().for_each(|command| peer.say(&format!("+OK\r\n{command}\r\n.\r\n")));
        peer.answer("+OK\r\n");
    });
    let mut client = connect_to(&script);
    client.expect([3, 1, 2], None).unwrap();
    let letters =
        [1, 2, 3].map(|number| String::from_utf8(client.letter(number, None).unwrap()).unwrap());
    assert_eq!(letters, ["RETR 1\r\n", "RETR 2\r\n", "RETR 3\r\n"]);
    client.close().unwrap();
    assert_eq!(script.heard()[5..], ["RETR 3", "RETR 1", "RETR 2", "QUIT"]);
}

#[test]
fn sizes_bound_how_many_letters_are_on_their_way() {
    let script = Script::run(|peer| {
        log_in(peer, "+OK 30 11400000\r\n");
        // Until the sizes are known, the client asks for as many letters as would fit if all had
        // the average size.
        let asked: Vec<String> = (0..=22).map(|_| peer.hear()).collect();
        let sizes: String = (1..=30)
            .map(|number| format!("{number} {}\r\n", if number <= 22 { 380_000 } else { 6 << 20 }))
            .collect();
        peer.say(&format!("+OK\r\n{sizes}.\r\n"));
        asked[1..].iter().for_each(|command| peer.say(&format!("+OK\r\n{command}\r\n.\r\n")));
        for _ in 23..=30 {
            let command = peer.hear();
            peer.say(&format!("+OK\r\n{command}\r\n.\r\n"));
        }
        peer.answer("+OK\r\n");
    });
    let mut client = connect_to(&script);
    client.expect(1..=30, None).unwrap();
    for number in 1..=30 {
        assert_eq!(
            String::from_utf8(client.letter(number, None).unwrap()).unwrap(),
            format!("RETR {number}\r\n")
        );
    }
    client.close().unwrap();
    let expected =
        std::iter::once("LIST".to_owned()).chain((1..=30).map(|number| format!("RETR {number}")));
    assert!(script.heard()[5..].iter().cloned().eq(expected.chain(["QUIT".to_owned()])));
}

/// A server that answers RETR with `letter` of the command, LIST with thirty small sizes, and every
/// other command with one line.
fn obliging(letter: impl Fn(&str) -> String + Send + 'static) -> Script {
    Script::run(move |peer| {
        log_in(peer, "+OK 30 300\r\n");
        loop {
            let command = peer.hear();
            match command.split(' ').next() {
                Some("") | None => break,
                Some("RETR") => peer.say(&format!("+OK\r\n{}.\r\n", letter(&command))),
                Some("LIST") => peer.say(&format!(
                    "+OK\r\n{}.\r\n",
                    (1..=30).map(|number| format!("{number} 10\r\n")).collect::<String>()
                )),
                _ => peer.say("+OK 1 a\r\n"),
            }
        }
    })
}

#[test]
fn after_an_interrupt_no_letter_is_taken_for_another() {
    let script = obliging(|command| format!("{command}\r\n"));
    let stop = Arc::new(AtomicBool::new(false));
    let interrupt = stop.clone();
    let connector = Connector {
        interrupt: Some(Arc::new(move || interrupt.load(Ordering::Relaxed))),
        ..Connector::default()
    };
    let mut client = connect_by(&connector, &script);
    stop.store(true, Ordering::Relaxed);
    assert!(client.expect([1], None).is_err());
    stop.store(false, Ordering::Relaxed);
    assert!(client.is_closed(), "nobody knows what has gone out");
    assert!(matches!(client.letter(1, None), Err(Error::Closed)));
}

#[test]
fn what_has_come_of_letters_is_dropped_when_it_is_true_no_more() {
    on_every_server(|server| {
        filled(server);
        let mut client = connect(server);
        let second = client.letter(2, None).unwrap();
        client.delete(&[2]).unwrap();
        client.expect([1, 2, 3], None).unwrap();
        client.delete(&[1]).unwrap();
        assert!(
            matches!(client.letter(1, None), Err(Error::Refused { .. })),
            "marked since it came"
        );
        client.reset().unwrap();
        assert!(
            client.letter(2, None).unwrap() == second,
            "marked when it was asked for, and no more"
        );
        client.expect([1, 2], None).unwrap();
        client.stat().unwrap();
        client.close().unwrap();
        assert!(matches!(client.letter(1, None), Err(Error::Closed)));
    });
}

#[test]
fn letters_that_are_larger_than_list_says_are_not_all_held() {
    let script = obliging(|command| {
        format!("{command}\r\n{}", format!("{}\r\n", "x".repeat(998)).repeat(1000))
    });
    let mut client = connect_to(&script);
    client.expect(1..=30, None).unwrap();
    client.unique_id(1).unwrap();
    for number in [1, 30] {
        assert!(
            client
                .letter(number, None)
                .unwrap()
                .starts_with(format!("RETR {number}\r\n").as_bytes())
        );
    }
    client.close().unwrap();
    let heard = script.heard();
    let asked =
        |number: u32| heard.iter().filter(|command| **command == format!("RETR {number}")).count();
    assert_eq!((asked(1), asked(30)), (1, 2), "the last was dropped, and asked for again");
}

#[test]
fn letters_that_are_skipped_make_room_for_others() {
    let script = obliging(|command| format!("{command}\r\n"));
    let mut client = connect_to(&script);
    client.set_window(4);
    client.expect(1..=20, None).unwrap();
    for number in [5, 6, 7, 8, 9] {
        client.letter(number, None).unwrap();
    }
    client.close().unwrap();
    let heard = script.heard();
    let place = |command: &str| heard.iter().position(|heard| heard == command).unwrap();
    assert!(place("RETR 9") < place("QUIT") && heard.contains(&"RETR 12".to_owned()), "{heard:?}");
}

#[test]
fn marked_letters_go_at_the_end_and_only_then() {
    on_every_server(|server| {
        filled(server);
        let mut client = connect(server);
        let ids = client.unique_ids().unwrap();
        assert_eq!(client.unique_id(2).unwrap(), ids[1].1);
        client.delete(&[1, 2]).unwrap();
        assert!(matches!(client.letter(1, None), Err(Error::Refused { .. })));
        client.reset().unwrap();
        client.delete(&[2]).unwrap();
        client.abandon();
        drop(client);
        let mut client = again(server);
        assert_eq!(client.count(), 3, "a connection that breaks removes nothing");
        client.delete(&[2]).unwrap();
        client.close().unwrap();
        client.close().unwrap();
        assert!(matches!(client.stat(), Err(Error::Closed)));
        let mut client = connect(server);
        assert_eq!(
            client.unique_ids().unwrap().into_iter().map(|(_, id)| id).collect::<Vec<_>>(),
            [ids[0].1.clone(), ids[2].1.clone()]
        );
        client.close().unwrap();
    });
}

/// Connects again, once the server has noticed that the last connection is gone.
fn again(server: &Server) -> PopClient {
    loop {
        match PopClient::connect(
            &Connector::default(),
            "127.0.0.1",
            &server.credentials(),
            &options(server),
        ) {
            Ok(client) => return client,
            Err(Error::Authentication { words, .. }) if words.contains("IN-USE") => {
                std::thread::yield_now()
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn every_way_of_encryption_works() {
    on_every_server(|server| {
        for (mode, port) in [
            (TlsMode::Implicit, server.pops_port),
            (TlsMode::StartTls, server.pop_port),
            (TlsMode::None, server.pop_port),
        ] {
            let tls_options =
                TlsOptions { ca_file: Some(server.ca_file.clone()), ..TlsOptions::default() };
            let options = ConnectOptions {
                port: Some(port),
                tls: Some(mode),
                tls_options,
                ..server.options()
            };
            let mut client = PopClient::connect(
                &Connector::default(),
                "localhost",
                &server.credentials(),
                &options,
            )
            .unwrap();
            assert_eq!(client.is_encrypted(), mode != TlsMode::None);
            client.close().unwrap();
        }
    });
    let server = Server::sandbox(empty());
    PopClient::connect(
        &Connector::default(),
        "127.0.0.1",
        &server.credentials(),
        &options(&server),
    )
    .unwrap();
    assert!(server.received().iter().any(|command| command.starts_with("APOP user ")));
}

#[test]
fn stls_that_fails_never_falls_back() {
    for answers in [
        &["-ERR no CAPA\r\n"][..],
        &["+OK\r\nUSER\r\n.\r\n"],
        &["+OK\r\nSTLS\r\n.\r\n", "-ERR no\r\n"],
        &["+OK\r\nSTLS\r\n.\r\n", "+OK go\r\n+OK injected\r\n"],
    ] {
        let answers: Vec<String> = answers.iter().map(ToString::to_string).collect();
        let script = Script::run(move |peer| {
            peer.say("+OK hello\r\n");
            for answer in &answers {
                peer.answer(answer);
            }
            peer.hear_rest();
        });
        let connector = Connector { loopback_is_exposed: true, ..Connector::default() };
        let credentials = postoffice::client::Credentials::new("user", "sesame-open");
        let options =
            ConnectOptions { port: Some(script.address.port()), ..ConnectOptions::default() };
        assert!(PopClient::connect(&connector, "127.0.0.1", &credentials, &options).is_err());
        let heard = script.heard();
        assert!(heard.iter().all(|line| ["CAPA", "STLS"].contains(&line.as_str())), "{heard:?}");
    }
}
