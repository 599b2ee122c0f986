//! One side falls silent while the connection stays open. Every wait ends at the deadline.

use super::bench::{Case, HASTY, record, run};
use super::cuts::of;
use super::sessions::{SESSIONS, Session};
use postoffice::condition::Identifier;
use postoffice::sandbox::faults::{Fault, FaultKind, Side};

/// Where to stall: at the first byte, in the middle of the login, in the first and the last third
/// of what follows, and before the last byte that is needed.
fn places(entered: u64, told: u64) -> [u64; 5] {
    let inside = told - entered;
    [0, entered / 2, entered + inside / 6, entered + inside * 5 / 6, told - 1]
}

fn stalls(session: &'static Session) -> Vec<Case> {
    let recorded = record(session);
    let mut cases = Vec::new();
    for side in [Side::Client, Side::Server] {
        for at in places(of(side, recorded.entered), of(side, recorded.told.unwrap())) {
            let faults = vec![Fault { side, kind: FaultKind::Stall { at } }];
            cases.push(Case::new(session, faults, HASTY, move |attempt| {
                match attempt.identifier() {
                    Some(Identifier::Timeout) => attempt.check_truth(session),
                    // Silence after the end of the letter leaves its delivery unknown, which is a
                    // different error.
                    Some(Identifier::ServerShutdownConnection)
                        if session.name.starts_with("smtp") =>
                    {
                        attempt.check_truth(session)
                    }
                    _ => Err(attempt.describe("expected a timeout")),
                }
            }));
        }
    }
    cases
}

#[test]
fn silence_ends_at_the_deadline() {
    run(SESSIONS.iter().flat_map(stalls).collect());
}

#[test]
fn a_drip_ends_at_the_deadline_for_the_whole_reply() {
    let mut cases = Vec::new();
    for session in &SESSIONS {
        // Every byte arrives within the timeout, but the reply as a whole does not.
        let kind = FaultKind::Drip { range: 0..u64::MAX, interval: HASTY / 2 };
        cases.push(Case::new(
            session,
            vec![Fault { side: Side::Server, kind }],
            HASTY,
            move |attempt| match attempt.identifier() {
                Some(Identifier::Timeout) => attempt.check_truth(session),
                _ => Err(attempt.describe("expected a timeout")),
            },
        ));
    }
    run(cases);
}
