//! `with-reconnect`: the first connection of a script is cut after many of its bytes, in both
//! directions; a run of every byte takes minutes.
//! Afterwards the store is as without the cut, or the script got `:in-doubt` and the store is as
//! before or after the step that got it. So nothing is done twice, and nothing is left out.

use super::bench::PATIENT;
use super::cuts::cut;
use super::sessions::session;
use super::stand::Stand;
use crate::support::relay_to;
use postoffice::api::{Setup, attach};
use postoffice::host;
use postoffice::proto::imap::{FetchItems, Messages, SequenceSet};
use postoffice::repl::Session;
use postoffice::sandbox::faults::{Fault, Relay, Side};
use postoffice::transport::Connector;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Reads, flags, copies, appends, moves, removes, and changes mailboxes; by number and by UID.
const STEPS: &[&str] = &[
    r#"(select-mailbox mb "inbox")"#,
    "(fetch-letter mb 1)",
    r"(alter-flags mb 2 :add-flags :\\flagged)",
    r"(alter-flags mb 3 :add-flags :\\answered :unchanged-since (mailbox-highest-modseq mb))",
    "(wait-for-mail mb :timeout 0)",
    r#"(copy-to-mailbox mb 2 "box")"#,
    r#"(append-letter mb "box" (letter-of-size 300))"#,
    r#"(append-letter mb "inbox" (letter-of-size 400))"#,
    r#"(move-to-mailbox mb 3 "box")"#,
    "(fetch-parts mb '(1 2 3) \"flags\")",
    r#"(move-to-mailbox mb (first (search-mailbox mb '(:subject "1") :uid t)) "box" :uid t)"#,
    r"(alter-flags mb 1 :add-flags :\\deleted)",
    "(expunge-mailbox mb)",
    r#"(create-mailbox mb "new")"#,
    r#"(rename-mailbox mb "new" "newer")"#,
    r#"(select-mailbox mb "box")"#,
    "(with-read-ahead (mb '(1 2 3) \"body[]\" :window 2) (dotimes (i 3) (fetch-letter mb (+ i 1))))",
    r"(alter-flags mb '(1 2) :flags :\\deleted)",
    "(close-mailbox mb)",
    r#"(delete-mailbox mb "newer")"#,
];

/// Where a script ended, and why if not at its end.
#[derive(Debug, PartialEq, Eq)]
struct End {
    step: usize,
    /// The identifier of the error, and its message.
    error: Option<(String, String)>,
}

/// A mailbox as a test sees it: its name, and the size and flags of each letter.
type Contents = Vec<(String, Vec<(usize, Vec<String>)>)>;

fn contents(stand: &Stand) -> Contents {
    if !stand.server.is_sandbox() {
        return contents_by_client(stand);
    }
    let letters = |name: &str| {
        let letters = stand.server.store().letters("user", name).into_iter();
        let mut letters: Vec<_> = letters
            .map(|letter| {
                let mut flags = letter.flags;
                flags.sort();
                (letter.bytes.len(), flags)
            })
            .collect();
        letters.sort();
        letters
    };
    let mut names = stand.server.store().mailboxes("user");
    names.sort();
    names.into_iter().map(|name| (name.clone(), letters(&name))).collect()
}

/// Reads the contents as any client would.
fn contents_by_client(stand: &Stand) -> Contents {
    let mut client = stand.server.connect();
    let mut names: Vec<String> =
        client.list("", "*").unwrap().into_iter().map(|listed| listed.name).collect();
    names.sort();
    let all = Messages::Numbers(SequenceSet::all());
    let items = FetchItems::parse("(FLAGS RFC822.SIZE)").unwrap();
    let mut contents = Contents::new();
    for name in names {
        client.select(&name, true).unwrap();
        let found = client.fetch_all(&all, &items).unwrap();
        let mut letters: Vec<_> = found
            .into_iter()
            .map(|letter| {
                let mut flags = letter.flags.unwrap();
                flags.retain(|flag| flag != "\\Recent");
                flags.sort();
                (letter.size.unwrap() as usize, flags)
            })
            .collect();
        letters.sort();
        contents.push((name, letters));
    }
    client.close();
    contents
}

/// A host whose scripts connect through one relay.
struct Scripts {
    session: Session,
    relay: Arc<Relay>,
}

impl Scripts {
    fn new(stand: &Stand) -> Scripts {
        let relay = Arc::new(relay_to(stand.server.port, &[]));
        let mut session = Session::new(Vec::new());
        attach(session.host(), &Setup { connector: Connector::default(), ..Setup::default() });
        let other = relay.clone();
        session.host().register_fn("sound-wire", "()", "From now on no fault.", move |_| {
            other.set_faults(Vec::new());
            Ok(host::nil())
        });
        let helper = r#"(defun letter-of-size (size)
            (format nil "Subject: ~a~%~%~a" size (make-string size :initial-element #\x)))"#;
        assert!(session.evaluate(helper).result.is_ok());
        Scripts { session, relay }
    }

    /// Runs the first `count` steps, with these faults on the first connection.
    fn run(&mut self, stand: &Stand, faults: &[Fault], count: usize) -> End {
        let user = stand.server.credentials();
        self.relay.set_faults(faults.to_vec());
        let steps = STEPS[..count].iter().enumerate();
        let steps: String =
            steps.map(|(at, step)| format!("(setq step {}) {step}\n", at + 1)).collect();
        let reply = self.session.evaluate(&format!(
            r#"(setq step 0 identifier nil message nil)
               (handler-case
                 (with-imap-connection (mb "127.0.0.1" :port {} :user {:?} :password {:?} :timeout {})
                   (sound-wire)
                   (with-reconnect (:backoff 0) {steps} nil))
                 (po-error (c) (setq identifier (po-condition-identifier c) message (po-condition-message c))))"#,
            self.relay.address().port(),
            user.user,
            user.password.reveal(),
            PATIENT.as_secs()
        ));
        assert!(reply.result.is_ok(), "{}", reply.text());
        self.relay.wait_for_end();
        let mut shown = |form: &str| self.session.evaluate(form).text().trim().to_owned();
        let identifier = shown("identifier");
        let error = (identifier != "nil").then(|| (identifier, shown("message")));
        End { step: shown("step").parse().unwrap(), error }
    }
}

/// Cuts the first connection at every `stride`th byte that each side sends, and judges what is left.
fn cut_everywhere(mut stand: Stand, stride: usize) {
    let mut scripts = Scripts::new(&stand);
    // The store after each step of an undisturbed run.
    let states: Vec<Contents> = (0..=STEPS.len())
        .map(|count| {
            stand.fill();
            assert_eq!(scripts.run(&stand, &[], count), End { step: count, error: None });
            contents(&stand)
        })
        .collect();
    let mut recording = Scripts::new(&stand);
    stand.fill();
    recording.run(&stand, &[], STEPS.len());
    let mut doubts = BTreeSet::new();
    for side in [Side::Client, Side::Server] {
        for at in (0..recording.relay.sent_by(side)).step_by(stride) {
            stand.fill();
            let end = scripts.run(&stand, &[cut(side, at)], STEPS.len());
            let now = contents(&stand);
            let told = format!("{}: {end:?}\nnow {now:#?}", cut(side, at));
            match &end.error {
                None => assert_eq!(now, states[STEPS.len()], "{told}"),
                Some((identifier, _)) if identifier == ":in-doubt" => {
                    assert!(states[end.step - 1..=end.step].contains(&now), "{told}");
                    doubts.insert(end.step);
                }
                // The login itself is not repeated.
                Some((identifier, _)) => {
                    let end = (identifier.as_str(), end.step);
                    assert_eq!(end, (":server-shutdown-connection", 0), "{told}");
                }
            }
        }
    }
    // What only reads, and what has the same effect twice, is never in doubt.
    let in_doubt: Vec<&str> = doubts.into_iter().map(|step| STEPS[step - 1]).collect();
    let certain = |step: &&str| {
        ["(select-", "(fetch-", "(with-read-ahead", "(close-"]
            .iter()
            .any(|word| step.starts_with(word))
            || step.contains(":uid t")
    };
    assert!(!in_doubt.is_empty() && !in_doubt.iter().any(certain), "{in_doubt:?}");
}

#[test]
fn cuts_leave_no_change_out_and_do_none_twice() {
    cut_everywhere(Stand::sandbox(session("imap move")), 41);
}

#[test]
fn cuts_in_front_of_dovecot_leave_no_change_out_and_do_none_twice() {
    if let Some(stand) = Stand::dovecot() {
        cut_everywhere(stand, 211);
    }
}
