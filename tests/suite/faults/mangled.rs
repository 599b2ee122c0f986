//! Bytes are inserted, changed or doubled on the way: a run takes every fifth of these faults, and
//! the next run others.
//!
//! If the server's bytes are altered, the mail must stay safe whatever the client believes. If the
//! client's bytes are altered, the server executes commands that nobody meant, so only the client's
//! own behaviour is checked: it does not panic or hang, and its error blames the server or the
//! wire.

use super::attempt::Attempt;
use super::bench::{Case, HASTY, one_in, record, run};
use super::cuts::of;
use super::sessions::{SESSIONS, Session};
use postoffice::condition::Identifier;
use postoffice::sandbox::Protocol;
use postoffice::sandbox::faults::{Fault, FaultKind, Side};
use std::collections::BTreeSet;

/// Faults are placed at every multiple of this offset, besides those next to punctuation.
const STRIDE: usize = 29;

/// What is inserted: pieces that mean something in one of the protocols, and some that mean nothing
/// in any.
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

/// A linear congruential generator, so that every run makes the same choices.
struct Numbers(u32);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as usize % limit
    }
}

/// The offsets from `entered` on that touch a line end, bracket or other punctuation, and every
/// multiple of [`STRIDE`].
fn offsets(bytes: &[u8], entered: usize) -> BTreeSet<usize> {
    let structure = |at: &usize| {
        let near = &bytes[at.saturating_sub(1)..bytes.len().min(at + 1)];
        near.iter().any(|byte| b"\r\n{}()\".+*".contains(byte)) || at.is_multiple_of(STRIDE)
    };
    (entered..=bytes.len()).filter(structure).collect()
}

/// The range of the line that contains an offset, with its line end.
fn line_at(bytes: &[u8], at: usize) -> std::ops::Range<u64> {
    let start = bytes[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let end =
        bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| at + end + 1);
    start as u64..end as u64
}

/// Accepts only errors that speak of the server or the wire. Other identifiers would blame the
/// script, its files or its settings.
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
    let cases = sessions.zip(1..).flat_map(|(session, seed)| cases(session, side, seed));
    run(one_in(5, cases));
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
