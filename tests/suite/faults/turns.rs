//! The server answers out of turn: a script replays the server's side of a recorded session, with
//! an answer missing, repeated, swapped or early.

use super::attempt::Visit;
use super::bench::{HASTY, record};
use super::sessions::{SESSIONS, Session};
use postoffice::client::{Credentials, Error};
use postoffice::condition::{Condition, Identifier};
use postoffice::sandbox::Protocol;
use postoffice::sandbox::faults::Side;
use std::io::{Read, Write};
use std::net::TcpListener;

/// How the order of the answers is disturbed.
#[derive(Debug, Clone, Copy)]
enum Disorder {
    /// The answer never comes, but those after it do.
    Missing,
    /// The answer comes twice.
    Twice,
    /// The answer comes together with the one before, before the client asked.
    Early,
    /// The answer and the one before it trade places.
    Swapped,
}

const ALL: [Disorder; 4] = [Disorder::Missing, Disorder::Twice, Disorder::Early, Disorder::Swapped];

/// Returns the turns with one disturbed. A turn is everything the server sends before it reads
/// again.
fn disordered(turns: &[Vec<u8>], at: usize, disorder: Disorder) -> Vec<Vec<u8>> {
    let mut turns = turns.to_vec();
    match disorder {
        Disorder::Missing => drop(turns.remove(at)),
        Disorder::Twice => turns[at] = turns[at].repeat(2),
        Disorder::Early => {
            let early = turns.remove(at);
            turns[at - 1].extend(early);
        }
        Disorder::Swapped => turns.swap(at - 1, at),
    }
    turns
}

/// Runs a session against a server that sends one turn, reads once, and goes on to the next.
/// Returns the result, and all that the client sent.
fn play(session: &Session, turns: Vec<Vec<u8>>) -> (Result<(), Error>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut heard = Vec::new();
        let mut chunk = [0; 4096];
        for turn in turns {
            let _ = stream.write_all(&turn); // the client may have given up
            match stream.read(&mut chunk) {
                Ok(count) if count > 0 => heard.extend_from_slice(&chunk[..count]),
                _ => break,
            }
        }
        String::from_utf8_lossy(&heard).into_owned()
    });
    let credentials = Credentials::new("user", "pw");
    let mut visit = Visit::new(port, credentials, HASTY, None);
    let result = (session.run)(&mut visit);
    (result, server.join().unwrap())
}

/// Returns whether two answers differ at most in their human-readable text, such as two `+OK` lines
/// or two 250 replies.
fn are_alike(one: &[u8], other: &[u8]) -> bool {
    let is_line = |answer: &[u8]| answer.iter().filter(|byte| **byte == b'\n').count() == 1;
    is_line(one) && is_line(other) && !one.starts_with(b"*") && one[..3] == other[..3]
}

fn out_of_turn(protocol: Protocol) {
    for session in SESSIONS.iter().filter(|session| session.protocol == protocol) {
        let recorded = record(session);
        let told = recorded.told.unwrap().1 as usize;
        let turns: Vec<Vec<u8>> = recorded
            .said
            .into_iter()
            .filter(|said| said.side == Side::Server)
            .map(|said| said.bytes)
            .collect();
        // The last of these tells the client that everything succeeded; a farewell follows.
        let needed =
            (1..=turns.len()).find(|count| turns[..*count].concat().len() >= told).unwrap();
        for at in 1..needed {
            for disorder in ALL {
                if matches!(disorder, Disorder::Swapped) && are_alike(&turns[at - 1], &turns[at]) {
                    continue;
                }
                let (result, heard) = play(session, disordered(&turns, at, disorder));
                let told =
                    format!("{}, answer {at} {disorder:?}: {result:?}\n{heard}", session.name);
                match result.map_err(|error| Condition::from(&error).identifier) {
                    Ok(()) => assert!(
                        matches!(disorder, Disorder::Twice) && at == needed - 1,
                        "that went unnoticed: {told}"
                    ),
                    Err(identifier) => assert!(
                        matches!(
                            identifier,
                            Identifier::Unexpected
                                | Identifier::Timeout
                                | Identifier::ServerShutdownConnection
                                | Identifier::ErrorResponse
                                | Identifier::Authentication
                                | Identifier::Unsupported
                        ),
                        "{told}"
                    ),
                }
            }
        }
    }
}

#[test]
fn an_imap_server_that_answers_out_of_turn() {
    out_of_turn(Protocol::Imap);
}

#[test]
fn a_pop_server_that_answers_out_of_turn() {
    out_of_turn(Protocol::Pop);
}

#[test]
fn an_smtp_server_that_answers_out_of_turn() {
    out_of_turn(Protocol::Smtp);
}
