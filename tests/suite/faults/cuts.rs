//! The connection is cut after every byte of every session, in both directions: a run takes every
//! fifth byte, and the next run others.

use super::attempt::{Attempt, Conditions, attempt};
use super::bench::{Case, PATIENT, one_in, record, run};
use super::sessions::{SESSIONS, Session, session};
use super::stand::Stand;
use postoffice::condition::Identifier;
use postoffice::sandbox::Protocol;
use postoffice::sandbox::faults::{Fault, FaultKind, Side};

pub fn of(side: Side, sent: (u64, u64)) -> u64 {
    match side {
        Side::Client => sent.0,
        Side::Server => sent.1,
    }
}

pub fn cut(side: Side, at: u64) -> Fault {
    Fault { side, kind: FaultKind::Cut { at } }
}

/// Judges an attempt whose connection was cut. `needed` means that the client cannot know of its
/// success without the bytes after the cut, so it must notice the cut.
pub fn verdict(session: &Session, attempt: &Attempt, needed: bool) -> Result<(), String> {
    match attempt.identifier() {
        None if needed => return Err(attempt.describe("the cut was not noticed")),
        None | Some(Identifier::ServerShutdownConnection) => {}
        Some(_) => {
            return Err(attempt.describe("the end of the connection is told as something else"));
        }
    }
    attempt.check_truth(session)
}

fn cuts(session: &'static Session) -> Vec<Case> {
    let recorded = record(session);
    let told = recorded.told.unwrap();
    let sent = |side| {
        recorded
            .said
            .iter()
            .filter(|said| said.side == side)
            .map(|said| said.bytes.len() as u64)
            .sum::<u64>()
    };
    let mut cases = Vec::new();
    for side in [Side::Client, Side::Server] {
        // The login is the same in most sessions, so it is skipped. Sessions about logging in begin
        // at 0.
        for at in of(side, recorded.entered)..=sent(side) {
            let needed = at < of(side, told);
            cases.push(Case::new(session, vec![cut(side, at)], PATIENT, move |attempt| {
                verdict(session, attempt, needed)
            }));
        }
    }
    cases
}

fn every_byte(protocol: Protocol) {
    let sessions = SESSIONS.iter().filter(|session| session.protocol == protocol);
    run(one_in(5, sessions.flat_map(cuts)));
}

#[test]
fn every_byte_of_the_imap_sessions() {
    every_byte(Protocol::Imap);
}

#[test]
fn every_byte_of_the_pop_sessions() {
    every_byte(Protocol::Pop);
}

#[test]
fn every_byte_of_the_smtp_sessions() {
    every_byte(Protocol::Smtp);
}

/// Cuts inside the TLS handshake and between records. Their sizes differ from one handshake to the
/// next, so no single byte is known to be needed.
#[test]
fn cuts_under_tls_are_ends_too() {
    let mut cases = Vec::new();
    for session in ["imap move by copy", "pop deletions", "smtp to two"].map(session) {
        let sound = Conditions { faults: Vec::new(), timeout: PATIENT, starttls: true };
        let recorded = attempt(&mut Stand::sandbox(session), session, &sound);
        recorded.result.as_ref().unwrap();
        for side in [Side::Client, Side::Server] {
            for at in (0..of(side, recorded.told.unwrap())).step_by(29) {
                let mut case = Case::new(session, vec![cut(side, at)], PATIENT, |attempt| {
                    verdict(session, attempt, false)
                });
                case.conditions.starttls = true;
                cases.push(case);
            }
        }
    }
    run(cases);
}
