//! The wire is cut behind every byte of a session. Nothing is lost, nothing is done twice, and every error has its identifier.

mod support;

use postoffice::client::smtp::Envelope;
use postoffice::client::{ConnectOptions, Error, ImapClient, PopClient, SmtpClient};
use postoffice::condition::{Condition, Identifier};
use postoffice::proto::imap::SequenceSet;
use postoffice::transport::Connector;
use std::num::NonZeroU32;
use support::cut::Wire;
use support::{Server, empty};

fn options(wire: &Wire) -> ConnectOptions {
    ConnectOptions { port: Some(wire.address.port()), ..ConnectOptions::default() }
}

/// What a cut may end with: the end of the connection, told as such.
fn assert_is_the_end(error: &Error, at: i64) {
    let identifier = Condition::from(error).identifier;
    assert!(matches!(identifier, Identifier::ServerShutdownConnection), "cut behind byte {at}: {error} is {identifier:?}");
}

fn subjects(server: &Server, mailbox: &str) -> Vec<String> {
    let letters = server.store().letters("user", mailbox);
    letters
        .iter()
        .map(|letter| String::from_utf8_lossy(&letter.bytes).lines().find(|line| line.starts_with("Subject: ")).unwrap().to_owned())
        .collect()
}

#[test]
fn a_pop_session_with_deletions() {
    let server = Server::sandbox(empty());
    let session = |wire: &Wire| -> Result<(), Error> {
        let mut client = PopClient::connect(&Connector::default(), "127.0.0.1", &server.credentials(), None, &options(wire))?;
        client.letter(1, None)?;
        client.delete(&[1, 3])?;
        client.close()
    };
    let fill = || {
        server.store().reset(vec![postoffice::sandbox::Account::new("user", "pw")], postoffice::sandbox::Seed::Empty);
        for number in 1..=3 {
            server.store().deliver("user", "INBOX", format!("Subject: {number}\n\nx\n").as_bytes()).unwrap();
        }
    };
    let all = ["Subject: 1", "Subject: 2", "Subject: 3"];
    fill();
    let wire = Wire::new(server.the_sandbox().pop_address(), i64::MAX);
    session(&wire).unwrap();
    let length = i64::try_from(wire.passed()).unwrap();
    assert_eq!(subjects(&server, "INBOX"), ["Subject: 2"]);
    for at in 0..length {
        fill();
        let wire = Wire::new(server.the_sandbox().pop_address(), at);
        let result = session(&wire);
        wire.passed();
        let left = subjects(&server, "INBOX");
        match result {
            Ok(()) => assert_eq!(left, ["Subject: 2"], "cut behind byte {at}: said to be gone"),
            Err(error) => {
                assert_is_the_end(&error, at);
                // Where the answer to QUIT is missing they may be gone, as was asked; never others.
                assert!(left == all || left == ["Subject: 2"], "cut behind byte {at}: {left:?}");
            }
        }
    }
}

#[test]
fn an_smtp_session_with_two_recipients() {
    let mut setup = empty();
    setup.accounts.push(postoffice::sandbox::Account::new("other", "pw"));
    let accounts = setup.accounts.clone();
    let server = Server::sandbox(setup);
    let to = ["user@example.org".to_owned(), "other@example.org".to_owned()];
    let session = |wire: &Wire| -> Result<(), Error> {
        let mut client = SmtpClient::connect(&Connector::default(), "127.0.0.1", Some("localhost"), None, None, &options(wire))?;
        let envelope = Envelope { from: "joe@example.org", to: &to, partial: false, long_lines: false };
        client.send(&envelope, b"Subject: once\n\nx\n")?;
        client.close();
        Ok(())
    };
    let wire = Wire::new(server.the_sandbox().smtp_address(), i64::MAX);
    session(&wire).unwrap();
    let length = i64::try_from(wire.passed()).unwrap();
    for at in 0..length {
        server.store().reset(accounts.clone(), postoffice::sandbox::Seed::Empty);
        let wire = Wire::new(server.the_sandbox().smtp_address(), at);
        let result = session(&wire);
        wire.passed();
        let delivered = [server.store().letters("user", "INBOX").len(), server.store().letters("other", "INBOX").len()];
        assert!(delivered == [0, 0] || delivered == [1, 1], "cut behind byte {at}: {delivered:?}");
        match result {
            Ok(()) => assert_eq!(delivered, [1, 1], "cut behind byte {at}: said to be sent"),
            Err(error) => {
                assert_is_the_end(&error, at);
                let unknown = matches!(error, Error::DeliveryUnknown { .. });
                assert!(unknown || delivered == [0, 0], "cut behind byte {at}: delivered, and the error does not say so: {error}");
            }
        }
    }
}

#[test]
fn an_imap_session_that_moves_with_and_without_move() {
    for has_move in [true, false] {
        let mut setup = empty();
        setup.extensions.move_ = has_move;
        let accounts = setup.accounts.clone();
        let server = Server::sandbox(setup);
        let fill = || {
            server.store().reset(accounts.clone(), postoffice::sandbox::Seed::Empty);
            server.store().create_mailbox("user", "box").unwrap();
            for number in 1..=3 {
                server.store().deliver("user", "INBOX", format!("Subject: {number}\n\nx\n").as_bytes()).unwrap();
            }
        };
        let session = |wire: &Wire| -> Result<(), Error> {
            let mut client = ImapClient::connect(&Connector::default(), "127.0.0.1", &server.credentials(), &options(wire))?;
            client.select("INBOX", false)?;
            client.move_to(&[1, 3].map(|number| NonZeroU32::new(number).unwrap()).into_iter().collect::<SequenceSet>(), "box", false)?;
            client.close();
            Ok(())
        };
        fill();
        let wire = Wire::new(server.the_sandbox().imap_address(), i64::MAX);
        session(&wire).unwrap();
        let length = i64::try_from(wire.passed()).unwrap();
        for at in 0..length {
            fill();
            let wire = Wire::new(server.the_sandbox().imap_address(), at);
            let result = session(&wire);
            wire.passed();
            let (inbox, moved) = (subjects(&server, "INBOX"), subjects(&server, "box"));
            for letter in ["Subject: 1", "Subject: 2", "Subject: 3"] {
                let places = [&inbox, &moved].into_iter().flatten().filter(|found| *found == letter).count();
                assert!(places >= 1, "cut behind byte {at}: {letter} is gone");
            }
            if let Err(error) = result {
                assert_is_the_end(&error, at);
            }
        }
    }
}
