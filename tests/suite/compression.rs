//! COMPRESS=DEFLATE (RFC 4978): all that works on a plain connection works on a compressed one, and
//! what a server compresses is held to the same limits.

use crate::support::script::{Peer, Script};
use crate::support::{Server, empty, on_every_server};
use flate2::{Compression, write::DeflateEncoder};
use postoffice::client::{Compress, ConnectOptions, Credentials, Error, ImapClient, TlsMode};
use postoffice::proto::ProtocolError;
use postoffice::proto::imap::Messages;
use postoffice::sandbox::{Extension, Extensions, Options};
use postoffice::transport::{Connector, TlsOptions};
use std::io::Write as _;

fn connect(server: &Server, options: ConnectOptions) -> Result<ImapClient, Error> {
    ImapClient::connect(&Connector::default(), "127.0.0.1", &server.credentials(), &options)
}

fn compressed(server: &Server) -> ConnectOptions {
    ConnectOptions { compress: Compress::Always, ..server.options() }
}

/// Bytes that do not get smaller, as lines of printable ASCII.
fn noise(lines: usize) -> String {
    let mut state = 88_172_645_463_325_252_u64;
    let mut text = String::from("Subject: noise\r\n\r\n");
    for _ in 0..lines {
        for _ in 0..70 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            text.push(char::from(b'!' + (state >> 32) as u8 % 90));
        }
        text.push_str("\r\n");
    }
    text
}

#[test]
fn letters_come_and_go_whole_on_every_server() {
    let letters = [noise(4000), format!("Subject: x\r\n\r\n{}", "same again\r\n".repeat(20_000))];
    on_every_server(|server| {
        let mut client = connect(server, compressed(server)).unwrap();
        for letter in &letters {
            client.append("INBOX", &[], None, letter.as_bytes()).unwrap();
        }
        client.select("INBOX", false).unwrap();
        let items = "(UID BODY.PEEK[])".parse().unwrap();
        let fetched = client.fetch_all(&Messages::all(), &items).unwrap();
        let texts: Vec<&[u8]> =
            fetched.iter().map(|message| message.text("BODY[]").unwrap()).collect();
        assert!(texts == letters.iter().map(String::as_bytes).collect::<Vec<_>>());
        assert!(matches!(client.compress(), Err(Error::Refused { .. } | Error::Unsupported(_))));
        client.noop().unwrap();
        client.logout().unwrap();
    });
}

#[test]
fn compression_lies_within_tls() {
    let server = Server::sandbox(empty());
    let options = ConnectOptions {
        port: Some(server.tls_port),
        tls: Some(TlsMode::Implicit),
        tls_options: TlsOptions { ca_file: Some(server.ca_file.clone()), ..Default::default() },
        ..compressed(&server)
    };
    let mut client =
        ImapClient::connect(&Connector::default(), "localhost", &server.credentials(), &options)
            .unwrap();
    assert!(client.is_encrypted());
    client.append("INBOX", &[], None, noise(1000).as_bytes()).unwrap();
    client.select("INBOX", false).unwrap();
    assert_eq!(client.selected().unwrap().exists, 1);
}

#[test]
fn it_begins_after_the_login_and_only_where_it_is_wanted() {
    let server = Server::sandbox(empty());
    let commands = |connector: &Connector, compress| {
        let before = server.received().len();
        let options = ConnectOptions { compress, tls: Some(TlsMode::None), ..server.options() };
        let client = ImapClient::connect(connector, "127.0.0.1", &server.credentials(), &options);
        client.unwrap().close();
        let all = server.received().split_off(before);
        all.iter().map(|command| command.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let here = Connector::default();
    let away = Connector { loopback_is_exposed: true, ..Connector::default() };
    let plain = ["Authenticate", "Id", "List", "Enable", "Logout"];
    let packed = ["Authenticate", "Id", "Compress", "List", "Enable", "Logout"];
    assert_eq!(commands(&here, Compress::Auto), plain);
    assert_eq!(commands(&here, Compress::Always), packed);
    assert_eq!(commands(&away, Compress::Auto), packed);
    assert_eq!(commands(&away, Compress::Never), plain);
}

#[test]
fn a_server_that_does_not_compress_is_used_as_it_is_unless_told_otherwise() {
    let extensions = Extensions::default().without(Extension::Compress);
    let server = Server::sandbox(Options { extensions, ..empty() });
    assert!(matches!(connect(&server, compressed(&server)), Err(Error::Unsupported(_))));
    server.connect().noop().unwrap();

    // A server that compresses within TLS already refuses, which is no reason to give it up.
    for (compress, refused) in [(Compress::Auto, false), (Compress::Always, true)] {
        let script = Script::run(|peer| {
            log_in(peer);
            peer.answer("{tag} NO [COMPRESSIONACTIVE] TLS does\r\n");
            peer.hear_rest();
        });
        let connector = Connector { loopback_is_exposed: true, ..Connector::default() };
        let options = ConnectOptions {
            port: Some(script.address.port()),
            tls: Some(TlsMode::None),
            compress,
            ..Default::default()
        };
        let credentials = Credentials::new("user", "sesame-open");
        let result = ImapClient::connect(&connector, "127.0.0.1", &credentials, &options);
        assert_eq!(matches!(result, Err(Error::Refused { .. })), refused);
        drop(result);
        script.heard();
    }
}

/// The greeting and the login of a server that offers compression.
fn log_in(peer: &mut Peer) {
    peer.say("* OK [CAPABILITY IMAP4rev1 COMPRESS=DEFLATE] hello\r\n");
    peer.answer("{tag} OK [CAPABILITY IMAP4rev1 COMPRESS=DEFLATE] in\r\n");
}

/// What NOOP ends with, on a server that says these bytes right behind its OK to COMPRESS.
fn behind_the_ok(bytes: Vec<u8>) -> Error {
    let script = Script::run(move |peer| {
        log_in(peer);
        let tag = peer.hear().split(' ').next().unwrap().to_owned();
        let mut answer = format!("{tag} OK go\r\n").into_bytes();
        answer.extend(bytes);
        let _ = peer.say_bytes(&answer); // the client may have closed the connection
        peer.hear_until_the_end(&mut Vec::new());
    });
    let options = ConnectOptions {
        port: Some(script.address.port()),
        compress: Compress::Always,
        ..Default::default()
    };
    let credentials = Credentials::new("user", "sesame-open");
    let client = ImapClient::connect(&Connector::default(), "127.0.0.1", &credentials, &options);
    let error = client.and_then(|mut client| client.noop()).unwrap_err();
    script.heard();
    error
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.flush().unwrap();
    encoder.get_ref().clone()
}

#[test]
fn what_follows_the_ok_is_compressed() {
    let early = behind_the_ok(deflated(b"* BYE early\r\n"));
    assert!(matches!(&early, Error::Bye { words } if words == "early"), "{early}");
    let clear = behind_the_ok(b"* BYE in the clear\r\n".to_vec());
    // It may happen to inflate to something, but not to a response.
    assert!(matches!(clear, Error::Transport(_) | Error::Protocol(_)), "{clear}");
    let broken = behind_the_ok(vec![0xff; 20]);
    assert!(matches!(broken, Error::Transport(_)), "{broken}");
}

#[test]
fn what_inflates_is_held_to_the_limits() {
    // 20 MB in 20 KB.
    let line = behind_the_ok(deflated(format!("* {}", "x".repeat(20_000_000)).as_bytes()));
    assert!(matches!(line, Error::Protocol(ProtocolError::TooLarge { .. })), "{line}");
    let mut letter = b"* 1 FETCH (BODY[] {4000000000}\r\n".to_vec();
    letter.extend(vec![b'x'; 1_000_000]);
    let letter = behind_the_ok(deflated(&letter));
    assert!(matches!(letter, Error::Protocol(ProtocolError::TooLarge { .. })), "{letter}");
}
