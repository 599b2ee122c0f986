//! ID (RFC 2971): how clients and servers identify themselves.

use crate::support::script::Script;
use crate::support::{Server, empty, on_every_server};
use postoffice::client::{ConnectOptions, Credentials, Error, ImapClient, ServerId};
use postoffice::proto::EncodeError;
use postoffice::proto::imap::Command;
use postoffice::sandbox::{Extension, Extensions, Options};

fn field(name: &str, value: Option<&str>) -> (String, Option<String>) {
    (name.to_owned(), value.map(str::to_owned))
}

#[test]
fn servers_name_themselves_whatever_they_are_told() {
    let long = "\u{e9}".repeat(512);
    let own = [field("name", Some("a \"b\" \\ {3}")), field("os", None), field("x", Some(&long))];
    on_every_server(|server| {
        let mut client = server.connect();
        for own in [&own[..], &[]] {
            let id = client.server_id(own).unwrap();
            assert_eq!(id[0].0.to_lowercase(), "name", "{id:?}");
            assert!(id[0].1.is_some(), "{id:?}");
        }
        client.noop().unwrap();
    });
}

#[test]
fn a_server_without_id_is_not_asked() {
    let extensions = Extensions::default().without(Extension::Id);
    let server = Server::sandbox(Options { extensions, ..empty() });
    let mut client = server.connect();
    client.noop().unwrap(); // ENABLE is sent ahead
    let before = server.received().len();
    assert!(matches!(client.server_id(&[]), Err(Error::Unsupported(_))));
    assert_eq!(server.received().len(), before);
}

/// What the client makes of an answer to the command that is expected.
fn exchange(
    own: &[(String, Option<String>)],
    command: &'static str,
    answer: &'static str,
) -> Result<ServerId, Error> {
    let script = Script::run(move |peer| {
        peer.log_in("ID");
        let heard = peer.answer(&format!("{answer}{{tag}} OK done\r\n"));
        assert_eq!(heard.split_once(' ').unwrap().1, command);
        peer.hear_rest();
    });
    let options = ConnectOptions { port: Some(script.address.port()), ..Default::default() };
    let credentials = Credentials::new("user", "sesame-open");
    let result = ImapClient::connect(&Default::default(), "127.0.0.1", &credentials, &options)?
        .server_id(own);
    script.heard(); // fails if the command was another
    result
}

fn read(answer: &'static str) -> Result<ServerId, Error> {
    exchange(&[], "ID NIL", answer)
}

#[test]
fn fields_of_the_client_are_sent_as_they_are() {
    let own = [field("name", Some("sodr \"2\"")), field("version", None), field("", Some(""))];
    let sent = r#"ID ("name" "sodr \"2\"" "version" NIL "" "")"#;
    assert_eq!(exchange(&own, sent, "* ID NIL\r\n").unwrap(), []);
}

#[test]
fn fields_that_must_not_be_sent_are_refused() {
    // RFC 2971 3.3.
    let thirty: Vec<_> = (0..30).map(|number| field(&number.to_string(), None)).collect();
    let wide = [field(&"f".repeat(30), Some(&"v".repeat(1024)))];
    assert!(Command::id(&thirty).is_ok() && Command::id(&wide).is_ok());
    let table = [
        ("ID fields", (0..31).map(|number| field(&number.to_string(), None)).collect()),
        ("ID field", vec![field(&"f".repeat(31), None)]),
        ("ID field", vec![field("name", None), field("NAME", Some("x"))]),
        ("ID value", vec![field("name", Some(&"v".repeat(1025)))]),
        ("ID field", vec![field("a\r\nA9 LOGOUT", None)]),
        ("ID value", vec![field("name", Some("a\0"))]),
    ];
    for (expected, own) in table {
        let Err(EncodeError { what, .. }) = Command::id(&own) else { panic!("{own:?}") };
        assert_eq!(what, expected, "{own:?}");
    }
}

#[test]
fn answers_of_servers_are_read() {
    // The example of RFC 2971 section 3.2, shortened, with `NIL` as the version.
    assert_eq!(
        read("* ID (\"name\" \"Cyrus\" \"version\" NIL)\r\n").unwrap(),
        [field("name", Some("Cyrus")), field("version", None)]
    );
    for nothing in ["* ID NIL\r\n", "* ID ()\r\n", ""] {
        assert_eq!(read(nothing).unwrap(), [], "{nothing}");
    }
    for bad in ["* ID\r\n", "* ID (\"name\")\r\n", "* ID (\"name\" (\"x\"))\r\n", "* ID name\r\n"] {
        let error = read(bad).unwrap_err();
        assert!(matches!(error, Error::Unexpected(_)), "{bad}: {error}");
    }
}
