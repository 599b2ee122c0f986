//! Fetch, move and delete over broken wires to Dovecot, if there is one: another server's bytes,
//! and another server's handling of broken connections.

use super::attempt::{Conditions, attempt};
use super::bench::{Case, HASTY, PATIENT, run_on};
use super::cuts::{cut, of, verdict};
use super::sessions::session;
use super::stand::Stand;
use postoffice::condition::Identifier;
use postoffice::sandbox::faults::{Fault, FaultKind, Side};

/// The distance between faults. An attempt takes a tenth of a second here, too long to try every
/// byte.
const STRIDE: usize = 23;

/// How far offsets vary from run to run, because Dovecot's responses say how long they took.
const SLACK: u64 = 64;

#[test]
fn fetch_move_and_delete_in_front_of_dovecot() {
    let Some(mut stand) = Stand::dovecot() else { return };
    let mut cases = Vec::new();
    for session in ["imap fetch", "imap move", "imap delete"].map(session) {
        let recorded = attempt(
            &mut stand,
            session,
            &Conditions { faults: Vec::new(), timeout: PATIENT, starttls: false },
        );
        recorded.result.as_ref().unwrap();
        recorded.check_truth(session).unwrap();
        for side in [Side::Client, Side::Server] {
            let (entered, told) = (of(side, recorded.entered), of(side, recorded.told.unwrap()));
            for at in (entered..told + SLACK).step_by(STRIDE) {
                let needed = at + SLACK < told;
                cases.push(Case::new(session, vec![cut(side, at)], PATIENT, move |attempt| {
                    verdict(session, attempt, needed)
                }));
            }
            let stalled =
                vec![Fault { side, kind: FaultKind::Stall { at: entered + (told - entered) / 2 } }];
            cases.push(Case::new(session, stalled, HASTY, move |attempt| {
                match attempt.identifier() {
                    Some(Identifier::Timeout) => attempt.check_truth(session),
                    _ => Err(attempt.describe("expected a timeout")),
                }
            }));
        }
        for at in (of(Side::Server, recorded.entered)..of(Side::Server, recorded.told.unwrap()))
            .step_by(STRIDE * 2)
        {
            let doubled = FaultKind::Double { range: at..at + 40 };
            for kind in [doubled, FaultKind::Insert { at, bytes: b"\r\n* 1 EXPUNGE\r\n".to_vec() }]
            {
                let fault = Fault { side: Side::Server, kind };
                cases.push(Case::new(session, vec![fault], HASTY, move |attempt| {
                    attempt.check_mail(session)
                }));
            }
        }
    }
    run_on(cases, |_| Stand::dovecot().unwrap());
}
