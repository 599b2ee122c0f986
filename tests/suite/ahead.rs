//! Pipelined commands: several are in flight, and their responses are waited for in any order.

use crate::support::script::Script;
use crate::support::{Server, empty, on_every_server};
use postoffice::client::{
    ConnectOptions, Credentials, Error, Fetch, FetchReader, ImapClient, Pending,
};
use postoffice::proto::ProtocolError;
use postoffice::proto::imap::command::StoreMode;
use postoffice::proto::imap::flag::Flag;
use postoffice::proto::imap::{Data, Messages, Returns, SearchKey, SequenceSet};

fn one(number: u32) -> SequenceSet {
    SequenceSet::from(std::num::NonZeroU32::new(number).unwrap())
}

/// Collects each message's number and the rest of its FETCH response.
#[derive(Default)]
struct Bodies(Vec<(u32, String)>);

impl FetchReader for Bodies {
    type Output = Vec<(u32, String)>;

    fn item(&mut self, data: Data<'_>) -> Result<(), Error> {
        let text = String::from_utf8_lossy(data.tokens.rest()).into_owned();
        self.0.push((data.number.unwrap_or(0), text));
        Ok(())
    }

    fn finish(self) -> Result<Self::Output, Error> {
        Ok(self.0)
    }
}

fn begin(client: &mut ImapClient, message: u32) -> Pending<Fetch<Bodies>> {
    let items = "BODY.PEEK[TEXT]".parse().unwrap();
    client.begin_fetch(&Messages::Numbers(one(message)), &items, Bodies::default()).unwrap()
}

/// A client of a scripted server, with its inbox selected.
fn with_inbox(script: &Script) -> ImapClient {
    let options = ConnectOptions { port: Some(script.address.port()), ..Default::default() };
    let credentials = Credentials::new("user", "sesame-open");
    let mut client =
        ImapClient::connect(&Default::default(), "127.0.0.1", &credentials, &options).unwrap();
    client.select("INBOX", false).unwrap();
    client
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
        client.separator().unwrap(); // the answer to the LIST that the login sent ahead
        for order in
            [[1, 2, 3, 4, 5, 6, 7, 8, 9], [9, 8, 7, 6, 5, 4, 3, 2, 1], [4, 9, 2, 5, 5, 1, 8, 3, 6]]
        {
            let mut pending: Vec<_> =
                (1..=9).map(|message| Some(begin(&mut client, message))).collect();
            for message in order {
                let sent = pending[message as usize - 1].take();
                // A message whose answer was already taken is fetched again.
                let sent = sent.unwrap_or_else(|| begin(&mut client, message));
                let found = client.wait(sent).unwrap();
                assert!(
                    found.len() == 1
                        && found[0].0 == message
                        && found[0].1.contains(&format!("letter {message}")),
                    "{found:?}"
                );
            }
            pending.into_iter().flatten().for_each(|pending| client.forget(pending));
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
        let by_number = begin(&mut client, 5);
        client.store_silently(&Messages::Numbers(one(1)), StoreMode::Add, &deleted).unwrap();
        assert_eq!(client.expunge().unwrap(), [1]);
        // The command was sent before the numbers shifted, so it means what was then the fifth
        // letter.
        assert!(client.wait(by_number).unwrap()[0].1.contains("letter 5"));
        let search = client.begin_search(&SearchKey::All, false).unwrap();
        client.select("INBOX", true).unwrap();
        assert_eq!(client.wait(search).unwrap().len(), 8);
    });
    let server = Server::sandbox(empty());
    let mut client = server.with_letters(&["Subject: x\n\nx\n", "Subject: y\n\ny\n"]);
    client.separator().unwrap();
    let before = server.received().len();
    let first = begin(&mut client, 1);
    let nobody = Messages::Numbers(SequenceSet::new());
    let nobody = client.begin_fetch(&nobody, &"FLAGS".parse().unwrap(), Bodies::default()).unwrap();
    assert!(!nobody.is_in_flight(), "no message, no command");
    assert_eq!(client.wait(nobody).unwrap(), []);
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
        // Answers in another order than the commands, each with data about a message of its own.
        peer.say(&format!("* 3 FETCH (BODY[TEXT] \"three\")\r\n{} OK done\r\n", tags[2]));
        peer.say(&format!("* 9 FETCH (FLAGS ())\r\n{} NO [EXPUNGEISSUED] gone\r\n", tags[1]));
        peer.say(&format!("* 1 FETCH (BODY[TEXT] \"one\")\r\n{} OK done\r\n", tags[0]));
        peer.hear_rest();
    });
    let mut client = with_inbox(&script);
    let pending: Vec<_> = (1..=3).map(|message| begin(&mut client, message)).collect();
    let mut results = pending.into_iter().map(|pending| client.wait(pending));
    let mut holds = |message, body: &str| {
        let found = results.next().unwrap();
        found.is_ok_and(|found| found.iter().any(|(n, text)| *n == message && text.contains(body)))
    };
    assert!(holds(1, "one"));
    assert!(!holds(2, ""), "it was refused");
    assert!(holds(3, "three"));
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
    let mut client = with_inbox(&script);
    let keys = [SearchKey::Subject("\u{e9}".into()), SearchKey::All];
    let [first, second] = keys.map(|key| client.begin_search(&key, false).unwrap());
    let refused = client.wait(first).unwrap_err();
    assert_eq!(refused.server_words().as_deref(), Some("[BADCHARSET] none"));
    assert_eq!(client.wait(second).unwrap(), [2]);
}

#[test]
fn a_connection_that_breaks_breaks_all() {
    let server = Server::sandbox(empty());
    let mut client = server.with_letters(&["Subject: x\n\nx\n"; 3]);
    let pending: Vec<_> = (1..=3).map(|message| begin(&mut client, message)).collect();
    server.the_sandbox().disconnect_all();
    for pending in pending {
        assert!(client.wait(pending).is_err());
    }
    client.close();
}

/// Fails at its first item, and counts how often it is called.
struct Failing<'c> {
    calls: &'c std::cell::Cell<u32>,
    error: fn() -> Error,
}

impl FetchReader for Failing<'_> {
    type Output = ();

    fn item(&mut self, _: Data<'_>) -> Result<(), Error> {
        self.calls.set(self.calls.get() + 1);
        Err((self.error)())
    }

    fn finish(self) -> Result<(), Error> {
        Ok(())
    }
}

#[test]
fn a_reader_that_fails_on_buffered_answers_is_not_called_again() {
    let out_of_turn = || {
        let (what, near) = ("not a letter", String::new());
        Error::Protocol(ProtocolError::OutOfTurn { what, near })
    };
    let unexpected = || Error::Unexpected("not a letter".into());
    for (error, closes) in [(unexpected as fn() -> Error, false), (out_of_turn, true)] {
        let script = Script::run(|peer| {
            peer.log_in("");
            peer.answer("* 2 EXISTS\r\n{tag} OK done\r\n");
            let first = peer.hear();
            let second = peer.hear();
            for (command, number) in [(&first, 1), (&second, 2)] {
                let tag = command.split(' ').next().unwrap();
                let item = format!("* {number} FETCH (BODY[TEXT] \"x\")\r\n");
                peer.say(&format!("{item}{item}{tag} OK done\r\n"));
            }
            peer.answer("{tag} OK done\r\n");
            peer.hear_rest();
        });
        let mut client = with_inbox(&script);
        let items = "BODY.PEEK[TEXT]".parse().unwrap();
        let calls = std::cell::Cell::new(0);
        let reader = Failing { calls: &calls, error };
        let sent = client.begin_fetch(&Messages::Numbers(one(1)), &items, reader).unwrap();
        let other = begin(&mut client, 2);
        assert_eq!(client.wait(other).unwrap().len(), 2);
        assert!(client.wait(sent).is_err());
        assert_eq!(calls.get(), 1);
        assert_eq!(client.is_closed(), closes);
        assert_eq!(client.noop().is_ok(), !closes);
    }
}

#[test]
fn searches_whose_answers_nobody_could_tell_apart_are_not_in_flight_together() {
    let script = Script::run(|peer| {
        peer.log_in("");
        peer.answer("* 3 EXISTS\r\n{tag} OK selected\r\n");
        assert!(peer.answer("* SEARCH 1\r\n{tag} OK done\r\n").ends_with("SEARCH SEEN"));
        assert!(peer.answer("* SEARCH 2\r\n{tag} OK done\r\n").ends_with("SEARCH DRAFT"));
        peer.hear_rest();
    });
    let mut client = with_inbox(&script);
    let keys = [SearchKey::Seen, SearchKey::Draft];
    let [first, second] = keys.map(|key| client.begin_search(&key, false).unwrap());
    assert_eq!(client.wait(second).unwrap(), [2]);
    assert_eq!(client.wait(first).unwrap(), [1]);
}

#[test]
fn searches_in_flight_get_their_own_answers() {
    on_every_server(|server| {
        let letters = letters();
        let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
        let mut client = server.with_letters(&letters);
        let key = |text: &str| SearchKey::Subject(text.to_owned());
        for returns in [None, Some(Returns::ALL)] {
            let texts = ["none", "3", "", "7"];
            let expected: [&[u32]; 4] = [&[], &[3], &[1, 2, 3, 4, 5, 6, 7, 8, 9], &[7]];
            match returns {
                None => {
                    let sent = texts.map(|text| client.begin_search(&key(text), true).unwrap());
                    let found = sent.map(|pending| client.wait(pending).unwrap());
                    assert_eq!(found.each_ref().map(Vec::as_slice), expected);
                }
                Some(returns) => {
                    let sent = texts.map(|text| {
                        client.begin_search_returning(&key(text), true, &returns).unwrap()
                    });
                    let found = sent.map(|pending| client.wait(pending).unwrap().all.unwrap());
                    assert_eq!(found.each_ref().map(Vec::as_slice), expected);
                }
            }
        }
    });
}
