//! Each fault does what it says on real sockets: through a relay, and on the sandbox's own
//! connections.

use crate::support::{Server, empty, relay_to};
use postoffice::sandbox::faults::{Fault, FaultRule, Relay, Said, Side};
use postoffice::sandbox::{Options, Sandbox};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Only reached by a hang; everything these tests wait for comes promptly.
const HANG: Duration = Duration::from_secs(60);

fn faults(faults: &[&str]) -> Vec<Fault> {
    faults.iter().map(|fault| fault.parse().unwrap()).collect()
}

fn rules(rules: &[&str]) -> Vec<FaultRule> {
    rules.iter().map(|rule| rule.parse().unwrap()).collect()
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(HANG)).unwrap();
    stream
}

fn rest(mut stream: &TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

/// Starts a server that sends `0123456789` and then reads to the end. Returns a relay to it, and a
/// channel with what it read on each connection.
fn counting_server(faults: Vec<Fault>) -> (Relay, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, heard) = channel();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            stream.write_all(b"0123456789").unwrap();
            stream.set_read_timeout(Some(HANG)).unwrap();
            if sender.send(rest(&stream)).is_err() {
                return;
            }
        }
    });
    (relay_to(port, &faults), heard)
}

#[test]
fn bytes_pass_both_ways_and_are_recorded() {
    let (relay, heard) = counting_server(Vec::new());
    let mut client = connect(relay.address());
    let mut greeting = [0; 10];
    client.read_exact(&mut greeting).unwrap();
    client.write_all(b"hello").unwrap();
    drop(client);
    assert_eq!(heard.recv_timeout(HANG).unwrap(), "hello");
    relay.wait_for_end();
    let said = |side, text: &str| Said { side, bytes: text.into() };
    assert_eq!(relay.said(), [said(Side::Server, "0123456789"), said(Side::Client, "hello")]);
    assert_eq!((relay.sent_by(Side::Client), relay.sent_by(Side::Server)), (5, 10));
}

#[test]
fn a_cut_ends_both_sides_behind_the_byte_it_names() {
    let (relay, heard) = counting_server(faults(&["server:cut@3"]));
    let mut client = connect(relay.address());
    assert_eq!(rest(&client), "012");
    let _ = client.write_all(b"too late"); // may fail, since the connection has ended
    assert_eq!(heard.recv_timeout(HANG).unwrap(), "");
    relay.set_faults(faults(&["client:cut@3"]));
    let mut client = connect(relay.address());
    client.write_all(b"hello").unwrap();
    assert_eq!(heard.recv_timeout(HANG).unwrap(), "hel");
    assert!("0123456789".starts_with(&rest(&client)));
}

#[test]
fn a_stall_lets_nothing_more_through_and_leaves_the_connection_open() {
    let (relay, heard) = counting_server(faults(&["server:stall@3"]));
    let mut client = connect(relay.address());
    let mut greeting = [0; 3];
    client.read_exact(&mut greeting).unwrap();
    client.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert!(matches!(
        client.read(&mut [0; 1]).unwrap_err().kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut
    ));
    client.write_all(b"hello").unwrap();
    drop(client);
    assert_eq!(heard.recv_timeout(HANG).unwrap(), "hello");
}

#[test]
fn bytes_are_inserted_replaced_and_doubled_both_ways() {
    let (relay, heard) = counting_server(faults(&[
        "server:insert@0=>",
        "server:replace@2=ab",
        "server:double@5..7",
        "client:insert@2=-",
        "client:byte-at-a-time",
        "server:drip=0.001",
    ]));
    let mut client = connect(relay.address());
    let mut greeting = [0; 13];
    client.read_exact(&mut greeting).unwrap();
    assert_eq!(greeting.escape_ascii().to_string(), ">01ab45656789");
    client.write_all(b"hello").unwrap();
    drop(client);
    assert_eq!(heard.recv_timeout(HANG).unwrap(), "he-llo");
}

#[test]
fn a_server_that_is_not_there_is_a_connection_that_ends() {
    // A client socket's own port: nothing listens there, and no other test's server can bind it.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = connect(listener.local_addr().unwrap());
    let relay = relay_to(client.local_addr().unwrap().port(), &[]);
    assert_eq!(rest(&connect(relay.address())), "");
}

#[test]
fn a_relay_ends_with_its_connections_still_open() {
    let (relay, heard) = counting_server(faults(&["server:stall@1", "client:drip=3600"]));
    let mut client = connect(relay.address());
    client.read_exact(&mut [0; 1]).unwrap(); // the relay has connected to the server by now
    client.write_all(b"x").unwrap();
    drop(relay);
    // The end of the stream or a reset, as after a crash.
    assert!(matches!(client.read(&mut [0; 1]), Ok(0) | Err(_)));
    assert_eq!(heard.recv_timeout(HANG).unwrap(), "");
}

/// Connects to the sandbox over IMAP, sends LOGOUT and returns everything the server sent.
fn greeting(sandbox: &Sandbox) -> String {
    let mut client = connect(sandbox.imap_address());
    client.write_all(b"a LOGOUT\r\n").unwrap();
    rest(&client)
}

#[test]
fn a_rule_holds_for_its_protocol_and_its_connection() {
    let sandbox = Sandbox::start(Options {
        faults: rules(&["imap#2:server:cut@4", "pop:server:insert@0=!"]),
        ..Options::default()
    })
    .unwrap();
    let whole = greeting(&sandbox);
    assert!(whole.starts_with("* OK ") && whole.contains("a OK "), "{whole}");
    assert_eq!(greeting(&sandbox), "* OK");
    assert_eq!(greeting(&sandbox), whole);
    let mut pop = connect(sandbox.pop_address());
    pop.write_all(b"QUIT\r\n").unwrap();
    assert!(rest(&pop).starts_with("!+OK "));
    sandbox.set_faults(rules(&["pop:server:cut@1", "imap#1:server:cut@0"]));
    assert_eq!(greeting(&sandbox), "");
    sandbox.set_faults(rules(&["imap#2:client:replace@0=b"]));
    assert_eq!(greeting(&sandbox), whole);
    assert!(greeting(&sandbox).contains("b OK "));
    sandbox.set_faults(Vec::new());
    assert_eq!(greeting(&sandbox), whole);
}

#[test]
fn a_sandbox_stops_with_disturbed_connections_still_open() {
    let server = Server::sandbox(Options {
        faults: rules(&["imap:server:stall@4", "pop:server:drip=3600"]),
        ..empty()
    });
    let clients = [server.port, server.pop_port]
        .map(|port| connect(SocketAddr::from(([127, 0, 0, 1], port))));
    let mut greeting = [0; 4];
    (&clients[0]).read_exact(&mut greeting).unwrap();
    server.the_sandbox().disconnect_all();
    assert_eq!(rest(&clients[0]), "");
    let client = connect(SocketAddr::from(([127, 0, 0, 1], server.port)));
    (&client).read_exact(&mut greeting).unwrap();
    drop(server);
    assert_eq!(rest(&client), "");
}
