//! Bytes are added, changed or doubled on the way. With the server's bytes the mail stays safe, whatever the client believes; with the client's the server is
//! told other things than were meant, so that only the client itself is looked at.

use super::attempt::Attempt;
use super::bench::{Case, HASTY, record, run};
use super::cuts::of;
use super::sessions::{SESSIONS, Session};
use postoffice::condition::Identifier;
use postoffice::sandbox::Protocol;
use postoffice::sandbox::faults::{Fault, FaultKind, Side};
use std::collections::BTreeSet;

/// Every so many bytes, besides those where something begins or ends.
const STRIDE: usize = 11;

/// What is put in between: what means something in one of the protocols, and what means nothing in any.
const INSERTED: [&[u8]; 26] = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b"\xff\xfe",
    b" ",
    b"(",
    b")",
    b"\"",
    b"\\",
    b"{3}\r\n",
    b"{4294967296}\r\n",
    b"0",
    b"99999999999",
    b"* BYE out\r\n",
    b"* 1 EXPUNGE\r\n",
    b"* 9 EXISTS\r\n",
    b"* 2 FETCH (UID 2 FLAGS (\\Deleted))\r\n",
    b"+ go on\r\n",
    b"* NO [ALERT] look out\r\n",
    b"+OK\r\n",
    b"-ERR no\r\n",
    b".\r\n",
    b"250 ok\r\n",
    b"354 go\r\n",
    b"421 out\r\n",
];

/// A number after another, always the same ones.
struct Numbers(u32);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as usize % limit
    }
}

/// Where something begins or ends, and every so many bytes.
fn offsets(bytes: &[u8], entered: usize) -> BTreeSet<usize> {
    let structure = |at: &usize| {
        let near = &bytes[at.saturating_sub(1)..bytes.len().min(at + 1)];
        near.iter().any(|byte| b"\r\n{}()\".+*".contains(byte)) || at.is_multiple_of(STRIDE)
    };
    (entered..=bytes.len()).filter(structure).collect()
}

/// The line around an offset.
fn line_at(bytes: &[u8], at: usize) -> std::ops::Range<u64> {
    let start = bytes[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let end =
        bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| at + end + 1);
    start as u64..end as u64
}

/// Errors that speak of the server or the wire. Others would put the blame on the script, its files or its settings.
fn check_identifier(attempt: &Attempt) -> Result<(), String> {
    match attempt.identifier() {
        None
        | Some(
            Identifier::Unexpected
            | Identifier::ServerShutdownConnection
            | Identifier::Timeout
            | Identifier::ErrorResponse
            | Identifier::Authentication
            | Identifier::RecipientsRefused
            | Identifier::ResponseTooLarge
            | Identifier::Unsupported,
        ) => Ok(()),
        Some(_) => Err(attempt.describe("this is not what is wrong")),
    }
}

fn cases(session: &'static Session, side: Side, seed: u32) -> Vec<Case> {
    let recorded = record(session);
    let bytes: Vec<u8> = recorded
        .said
        .iter()
        .filter(|said| said.side == side)
        .flat_map(|said| said.bytes.clone())
        .collect();
    let entered = usize::try_from(of(side, recorded.entered)).unwrap();
    let mut numbers = Numbers(seed);
    let mut faults = Vec::new();
    let mut lines = BTreeSet::new();
    for at in offsets(&bytes, entered) {
        let place = at as u64;
        faults.push(FaultKind::Insert {
            at: place,
            bytes: INSERTED[numbers.below(INSERTED.len())].to_vec(),
        });
        if at < bytes.len() {
            let other = [bytes[at] ^ (1 << numbers.below(8)), b" 0)\r\n\0"[numbers.below(6)]]
                [numbers.below(2)];
            faults.push(FaultKind::Replace { at: place, bytes: vec![other] });
            let line = line_at(&bytes, at);
            if lines.insert(line.start) {
                faults.push(FaultKind::Double { range: line });
            }
            faults.push(FaultKind::Double {
                range: place..(at + 1 + numbers.below(bytes.len() - at)) as u64,
            });
        }
    }
    let verdict = move |attempt: &Attempt| {
        check_identifier(attempt)?;
        if side == Side::Server { attempt.check_mail(session) } else { Ok(()) }
    };
    faults
        .into_iter()
        .map(|kind| Case::new(session, vec![Fault { side, kind }], HASTY, verdict))
        .collect()
}

fn mangle(protocol: Protocol, side: Side) {
    let sessions = SESSIONS.iter().filter(|session| session.protocol == protocol);
    run(sessions.zip(1..).flat_map(|(session, seed)| cases(session, side, seed)).collect());
}

#[test]
fn an_imap_server_that_is_misheard() {
    mangle(Protocol::Imap, Side::Server);
}

#[test]
fn a_pop_server_that_is_misheard() {
    mangle(Protocol::Pop, Side::Server);
}

#[test]
fn an_smtp_server_that_is_misheard() {
    mangle(Protocol::Smtp, Side::Server);
}

#[test]
fn an_imap_client_that_is_misheard() {
    mangle(Protocol::Imap, Side::Client);
}

#[test]
fn a_pop_client_that_is_misheard() {
    mangle(Protocol::Pop, Side::Client);
}

#[test]
fn an_smtp_client_that_is_misheard() {
    mangle(Protocol::Smtp, Side::Client);
}
