//! ID (RFC 2971): how servers identify themselves.

use crate::support::script::Script;
use crate::support::{Server, empty, on_every_server};
use postoffice::client::{ConnectOptions, Credentials, Error, ImapClient, ServerId};
use postoffice::proto::ProtocolError;
use postoffice::sandbox::{Extensions, Options};

#[test]
fn servers_name_themselves() {
    on_every_server(|server| {
        let id = server.connect().server_id().unwrap();
        assert_eq!(id[0].0.to_lowercase(), "name", "{id:?}");
        assert!(id[0].1.is_some(), "{id:?}");
    });
}

#[test]
fn a_server_without_id_is_not_asked() {
    let extensions = Extensions { id: false, ..Extensions::default() };
    let server = Server::sandbox(Options { extensions, ..empty() });
    let mut client = server.connect();
    let before = server.received().len();
    assert!(matches!(client.server_id(), Err(Error::Unsupported(_))));
    assert_eq!(server.received().len(), before);
}

fn read(answer: &'static str) -> Result<ServerId, Error> {
    let script = Script::run(move |peer| {
        peer.log_in("ID");
        assert_eq!(
            peer.answer(&format!("{answer}{{tag}} OK done\r\n")).split_once(' ').unwrap().1,
            "ID NIL"
        );
        peer.hear_rest();
    });
    let options = ConnectOptions { port: Some(script.address.port()), ..Default::default() };
    let credentials = Credentials::new("user", "sesame-open");
    ImapClient::connect(&Default::default(), "127.0.0.1", &credentials, &options)?.server_id()
}

#[test]
fn answers_of_servers_are_read() {
    let field = |name: &str, value: Option<&str>| (name.to_owned(), value.map(str::to_owned));
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
        assert!(
            matches!(error, Error::Protocol(ProtocolError::Malformed { .. })),
            "{bad}: {error}"
        );
    }
}
