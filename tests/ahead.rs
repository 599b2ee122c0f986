//! Commands that are sent before their answers are waited for.

mod support;

use postoffice::client::{Error, ImapClient};
use postoffice::proto::imap::command::StoreMode;
use postoffice::proto::imap::flag::Flag;
use postoffice::proto::imap::{SearchKey, SequenceSet};
use support::script::Script;
use support::{Server, empty, on_every_server};

fn one(number: u32) -> SequenceSet {
    SequenceSet::from(std::num::NonZeroU32::new(number).unwrap())
}

/// The numbers and bodies that FETCH tells.
fn fetch(client: &mut ImapClient, message: u32) -> Result<Vec<(u32, String)>, Error> {
    let mut found = Vec::new();
    client.fetch(&one(message), "BODY.PEEK[TEXT]", false, &mut |data| {
        found.push((
            data.number.unwrap_or(0),
            String::from_utf8_lossy(data.tokens.rest()).into_owned(),
        ));
        Ok(())
    })?;
    Ok(found)
}

fn letters() -> Vec<String> {
    (1..=9).map(|index| format!("Subject: {index}\n\nletter {index}\n")).collect()
}

#[test]
fn answers_reach_the_operation_that_asked_in_whatever_order_they_are_wanted() {
    on_every_server(|server| {
        let letters = letters();
        let mut client =
            server.with_letters(&letters.iter().map(String::as_str).collect::<Vec<_>>());
        client.separator().unwrap(); // asked for at the login
        for order in
            [[1, 2, 3, 4, 5, 6, 7, 8, 9], [9, 8, 7, 6, 5, 4, 3, 2, 1], [4, 9, 2, 5, 5, 1, 8, 3, 6]]
        {
            let tickets: Vec<_> = (1..=9)
                .map(|n| client.ahead(|client| fetch(client, n)).unwrap().ticket().unwrap())
                .collect();
            for (at, message) in order.into_iter().enumerate() {
                let found = if order[..at].contains(&message) {
                    fetch(&mut client, message).unwrap() // its ticket is used up
                } else {
                    client
                        .redeem(tickets[message as usize - 1], |client| fetch(client, message))
                        .unwrap()
                };
                assert!(
                    found.len() == 1
                        && found[0].0 == message
                        && found[0].1.contains(&format!("letter {message}")),
                    "{found:?}"
                );
            }
            tickets.into_iter().for_each(|ticket| client.forget(ticket));
            assert_eq!(client.held(), 0);
        }
    });
}

#[test]
fn what_must_not_be_in_flight_together_is_not() {
    on_every_server(|server| {
        let letters = letters();
        let mut client =
            server.with_letters(&letters.iter().map(String::as_str).collect::<Vec<_>>());
        let deleted = [Flag::new("\\Deleted").unwrap()];
        let by_number = client.ahead(|client| fetch(client, 5)).unwrap().ticket().unwrap();
        client.store(&one(1), StoreMode::Add, &deleted, true, false, &mut |_| Ok(())).unwrap();
        assert_eq!(client.expunge().unwrap(), [1]);
        // Sent before the numbers shifted, so that it is about the fifth letter of then.
        assert!(
            client.redeem(by_number, |client| fetch(client, 5)).unwrap()[0].1.contains("letter 5")
        );
        let search = client
            .ahead(|client| client.search(&SearchKey::Word("ALL"), false))
            .unwrap()
            .ticket()
            .unwrap();
        client.select("INBOX", true).unwrap();
        assert_eq!(
            client
                .redeem(search, |client| client.search(&SearchKey::Word("ALL"), false))
                .unwrap()
                .len(),
            8
        );
    });
    let server = Server::sandbox(empty());
    let mut client = server.with_letters(&["Subject: x\n\nx\n", "Subject: y\n\ny\n"]);
    client.separator().unwrap();
    let before = server.received().len();
    let first = client.ahead(|client| fetch(client, 1)).unwrap().ticket().unwrap();
    let nobody = client
        .ahead(|client| client.fetch(&SequenceSet::new(), "FLAGS", false, &mut |_| Ok(())))
        .unwrap();
    assert_eq!(nobody.ticket(), None, "no message, no command");
    assert!(client.ahead(|client| client.fetch(&one(1), "{5}", false, &mut |_| Ok(()))).is_err());
    client.forget(first);
    client.noop().unwrap();
    assert_eq!(client.held(), 0);
    assert_eq!(server.received().len(), before + 2);
}

#[test]
fn each_command_gets_its_own_refusal() {
    let script = Script::run(|peer| {
        peer.log_in("");
        peer.answer("* 3 EXISTS\r\n{tag} OK selected\r\n");
        let tags: Vec<String> =
            (0..3).map(|_| peer.hear().split(' ').next().unwrap().to_owned()).collect();
        // Not in the order in which they were sent, and each with something about another message.
        peer.say(&format!("* 3 FETCH (BODY[TEXT] \"three\")\r\n{} OK done\r\n", tags[2]));
        peer.say(&format!("* 9 FETCH (FLAGS ())\r\n{} NO [EXPUNGEISSUED] gone\r\n", tags[1]));
        peer.say(&format!("* 1 FETCH (BODY[TEXT] \"one\")\r\n{} OK done\r\n", tags[0]));
        peer.hear_rest();
    });
    let options = postoffice::client::ConnectOptions {
        port: Some(script.address.port()),
        ..Default::default()
    };
    let credentials = postoffice::client::Credentials::new("user", "sesame-open");
    let mut client =
        ImapClient::connect(&Default::default(), "127.0.0.1", &credentials, &options).unwrap();
    client.select("INBOX", false).unwrap();
    let tickets: Vec<_> = (1..=3)
        .map(|n| client.ahead(|client| fetch(client, n)).unwrap().ticket().unwrap())
        .collect();
    assert!(
        client
            .redeem(tickets[0], |client| fetch(client, 1))
            .unwrap()
            .iter()
            .any(|(n, text)| *n == 1 && text.contains("one"))
    );
    assert!(matches!(
        client.redeem(tickets[1], |client| fetch(client, 2)),
        Err(Error::Refused { .. })
    ));
    assert!(
        client
            .redeem(tickets[2], |client| fetch(client, 3))
            .unwrap()
            .iter()
            .any(|(n, text)| *n == 3 && text.contains("three"))
    );
}

#[test]
fn a_refusal_lets_the_command_behind_it_out() {
    let script = Script::run(|peer| {
        peer.log_in("");
        peer.answer("* 3 EXISTS\r\n{tag} OK selected\r\n");
        assert!(peer.answer("{tag} NO [BADCHARSET] none\r\n").ends_with("{2}"));
        assert!(peer.answer("* SEARCH 2\r\n{tag} OK done\r\n").ends_with("SEARCH ALL"));
        peer.hear_rest();
    });
    let options = postoffice::client::ConnectOptions {
        port: Some(script.address.port()),
        ..Default::default()
    };
    let credentials = postoffice::client::Credentials::new("user", "sesame-open");
    let mut client =
        ImapClient::connect(&Default::default(), "127.0.0.1", &credentials, &options).unwrap();
    client.select("INBOX", false).unwrap();
    let keys = [SearchKey::Text("SUBJECT", "\u{e9}".into()), SearchKey::Word("ALL")];
    let tickets = keys
        .each_ref()
        .map(|key| client.ahead(|client| client.search(key, false)).unwrap().ticket().unwrap());
    let refused = client.redeem(tickets[0], |client| client.search(&keys[0], false)).unwrap_err();
    assert_eq!(refused.server_words().as_deref(), Some("[BADCHARSET] none"));
    assert_eq!(client.redeem(tickets[1], |client| client.search(&keys[1], false)).unwrap(), [2]);
}

#[test]
fn a_connection_that_breaks_breaks_all() {
    let server = Server::sandbox(empty());
    let mut client = server.with_letters(&["Subject: x\n\nx\n"; 3]);
    let tickets: Vec<_> = (1..=3)
        .map(|n| client.ahead(|client| fetch(client, n)).unwrap().ticket().unwrap())
        .collect();
    server.the_sandbox().disconnect_all();
    for (ticket, number) in tickets.into_iter().zip(1..) {
        assert!(client.redeem(ticket, |client| fetch(client, number)).is_err());
    }
    client.close();
}
