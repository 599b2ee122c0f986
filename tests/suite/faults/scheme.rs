//! The guarantees that scripts rely on, tested from Scheme: a file is replaced whole or not at all,
//! a moved letter is always somewhere, nothing is sent twice, and every error has its identifier.

use super::bench::PATIENT;
use super::cuts::cut;
use super::sessions::session;
use super::stand::{Mail, Stand, letter};
use postoffice::api::{Setup, attach};
use postoffice::repl::Session;
use postoffice::sandbox::Protocol;
use postoffice::sandbox::faults::{Fault, Relay, Side};
use postoffice::transport::Connector;

/// The number of bytes between two cuts. `cuts` tries every byte of the clients' sessions.
const STRIDE: usize = 13;

/// A host whose scripts connect to a relay on this machine.
struct Scripts {
    session: Session,
}

impl Scripts {
    fn new() -> Scripts {
        let mut session = Session::new(Vec::new());
        attach(
            session.host(),
            &Setup {
                connector: Connector::default(),
                router: None,
                limits: postoffice::proto::Limits::default(),
                ask_secret: None,
                ..Setup::default()
            },
        );
        Scripts { session }
    }

    /// Evaluates `body` with a connection `mb` or `pb`, or the address `server`, that goes through
    /// `relay`. Returns the value as printed, or the identifier of the error.
    fn run(&mut self, relay: &Relay, protocol: Protocol, body: &str) -> String {
        let port = relay.address().port();
        let options =
            format!(r#":port {port} :user "user" :password "pw" :timeout {}"#, PATIENT.as_secs());
        let form = match protocol {
            Protocol::Imap => format!(
                r#"(with-imap-connection (mb "127.0.0.1" {options}) (select-mailbox mb "inbox") {body})"#
            ),
            Protocol::Pop => format!(r#"(with-pop-connection (pb "127.0.0.1" {options}) {body})"#),
            Protocol::Smtp => format!(r#"(let ((server '("127.0.0.1" :port {port}))) {body})"#),
        };
        let reply = self
            .session
            .evaluate(&format!("(handler-case {form} (po-error (c) (po-condition-identifier c)))"));
        assert!(reply.result.is_ok(), "{}", reply.text());
        reply.text().trim().to_owned()
    }
}

/// Runs a script once over a sound wire, where its value must be `value`, and then over wires cut
/// every [`STRIDE`] bytes. `check` gets the mail afterwards, and whether the script reported
/// success.
fn over_broken_wires(
    stand: &mut Stand,
    protocol: Protocol,
    body: &str,
    value: &str,
    check: impl Fn(&Mail, bool) -> bool,
) {
    let mut scripts = Scripts::new();
    let mut over = |faults: &[Fault]| {
        stand.fill();
        let relay = stand.behind(faults);
        let value = scripts.run(relay, protocol, body);
        relay.wait_for_end();
        (value, stand.mail(), [Side::Client, Side::Server].map(|side| (side, relay.sent_by(side))))
    };
    let (sound, mail, sent) = over(&[]);
    assert_eq!(sound, value);
    assert!(check(&mail, true), "{body}: {mail:?}");
    let mut failures = 0;
    for (side, count) in sent {
        for at in (0..count).step_by(STRIDE) {
            let (told, mail, _) = over(&[cut(side, at)]);
            failures += usize::from(told != value);
            let expected = told == value || told == ":server-shutdown-connection";
            assert!(
                expected && check(&mail, told == value),
                "{body}, {}: {told}, {mail:?}",
                cut(side, at)
            );
        }
    }
    assert!(failures > 10, "{body}: only {failures} cuts were noticed");
}

/// Like [`over_broken_wires`], for `save-letter`. Afterwards the file is either the old one or the
/// whole new one, and there is no other file in its folder.
fn saves(name: &str, protocol: Protocol, options: &str, new: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letter");
    let mailbox = if protocol == Protocol::Imap { "mb" } else { "pb" };
    let old = b"From here\n\nold\n".as_slice();
    std::fs::write(&path, old).unwrap();
    let body = format!(r#"(save-letter {mailbox} 2 "{}"{options})"#, path.display());
    over_broken_wires(&mut Stand::sandbox(session(name)), protocol, &body, "t", |mail, told| {
        let file = std::fs::read(&path).unwrap();
        std::fs::write(&path, old).unwrap();
        let whole = if options.contains(":append") { [old, new].concat() } else { new.to_vec() };
        let alone = std::fs::read_dir(folder.path()).unwrap().count() == 1;
        (if told { file == whole } else { file == old || file == whole })
            && alone
            && *mail == Mail::initial()
    });
}

#[test]
fn save_letter_leaves_the_old_file_or_the_whole_new_one() {
    saves("imap fetch", Protocol::Imap, "", &letter(2));
    saves("imap fetch", Protocol::Imap, " :append t", &letter(2));
    saves("pop letters", Protocol::Pop, "", &letter(2));
    saves("pop letters", Protocol::Pop, " :append t", &letter(2));
}

#[test]
fn save_letter_of_a_large_letter_that_comes_in_pieces() {
    let large = [
        letter(5),
        b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\r\n".repeat(4_000),
    ]
    .concat();
    let mut scripts = Scripts::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letter");
    for session in ["imap fetch", "pop letters"].map(session) {
        let (protocol, stand) = (session.protocol, Stand::sandbox(session));
        stand.server.store().reset(
            vec![postoffice::sandbox::Account::new("user", "pw")],
            postoffice::sandbox::Seed::Empty,
        );
        stand.server.store().deliver("user", "INBOX", &large).unwrap();
        let mailbox = if protocol == Protocol::Imap { "mb" } else { "pb" };
        let body = format!(r#"(save-letter {mailbox} 1 "{}")"#, path.display());
        // Before the letter, inside each tenth of it, and after it.
        for at in (0..10)
            .map(|tenth| 600 + large.len() as u64 * tenth / 10)
            .chain([large.len() as u64 + 5_000])
        {
            std::fs::write(&path, "old").unwrap();
            let relay = stand.behind(&[cut(Side::Server, at)]);
            let told = scripts.run(relay, protocol, &body);
            relay.wait_for_end();
            let file = std::fs::read(&path).unwrap();
            match told.as_str() {
                "t" => assert!(file == large && at > large.len() as u64, "cut behind byte {at}"),
                _ => {
                    assert_eq!(
                        (told.as_str(), file.as_slice()),
                        (":server-shutdown-connection", b"old".as_slice()),
                        "cut behind byte {at}"
                    )
                }
            }
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        }
    }
}

#[test]
fn move_to_mailbox_leaves_every_letter_somewhere() {
    for session in ["imap move", "imap move by copy", "imap move by copy and EXPUNGE"].map(session)
    {
        // The value of `move-to-mailbox` has a uid validity, which changes with every refill.
        let body = "(progn (move-to-mailbox mb '(1 3) \"box\") t)";
        over_broken_wires(&mut Stand::sandbox(session), Protocol::Imap, body, "t", |mail, told| {
            if told { (session.done)(mail) } else { (session.safe)(mail) }
        });
    }
}

#[test]
fn delete_letter_deletes_no_other_letter() {
    let session = session("imap delete");
    over_broken_wires(
        &mut Stand::sandbox(session),
        Protocol::Imap,
        "(delete-letter mb '(1 3))",
        "(1 2)",
        |mail, told| {
            if told { (session.done)(mail) } else { (session.safe)(mail) }
        },
    );
}

#[test]
fn delete_letter_over_pop_deletes_at_the_end_or_not_at_all() {
    let session = session("pop deletions");
    let body = "(progn (delete-letter pb '(1 3)) (close-connection pb))";
    over_broken_wires(&mut Stand::sandbox(session), Protocol::Pop, body, "t", |mail, told| {
        if told { (session.done)(mail) } else { (session.safe)(mail) }
    });
}

#[test]
fn send_letter_sends_once_or_says_that_it_may_have() {
    let stand = Stand::sandbox(session("smtp to two"));
    let mut scripts = Scripts::new();
    let body = r#"(handler-case (send-letter server "joe@example.org" '("user@example.org" "other@example.org") "hello" :subject "once")
                    (po-error (c) (list (po-condition-identifier c) (po-condition-message c))))"#;
    let send = |scripts: &mut Scripts, faults: &[Fault]| {
        let accounts =
            ["user", "other"].map(|user| postoffice::sandbox::Account::new(user, "pw")).to_vec();
        stand.server.store().reset(accounts, postoffice::sandbox::Seed::Empty);
        let relay = stand.behind(faults);
        let told = scripts.run(relay, Protocol::Smtp, body);
        relay.wait_for_end();
        let delivered =
            ["user", "other"].map(|user| stand.server.store().letters(user, "INBOX").len());
        (told, delivered, [Side::Client, Side::Server].map(|side| (side, relay.sent_by(side))))
    };
    let (told, delivered, sent) = send(&mut scripts, &[]);
    assert_eq!((told.as_str(), delivered), ("t", [1, 1]));
    let mut unknown = 0;
    for (side, count) in sent {
        for at in (0..count).step_by(7) {
            let (told, delivered, _) = send(&mut scripts, &[cut(side, at)]);
            let message = format!("{}: {told}, {delivered:?}", cut(side, at));
            assert!(delivered == [0, 0] || delivered == [1, 1], "{message}");
            if told == "t" {
                assert_eq!(delivered, [1, 1], "{message}");
                continue;
            }
            assert!(told.starts_with("(:server-shutdown-connection "), "{message}");
            let says_so = told.contains("may have been delivered");
            assert!(says_so || delivered == [0, 0], "{message}");
            unknown += usize::from(says_so);
        }
    }
    assert!(unknown > 0);
}

/// A fault rule names one connection, so it can test a script that tries again: the first
/// connection breaks, the second does not.
#[test]
fn a_script_that_tries_again_succeeds_the_second_time() {
    let setup = Setup::sandboxed(postoffice::sandbox::Options {
        faults: vec![
            "imap#1:server:cut@20".parse().unwrap(),
            "imap#2:server:byte-at-a-time".parse().unwrap(),
        ],
        ..postoffice::sandbox::Options::default()
    });
    let mut session = Session::new(Vec::new());
    attach(session.host(), &setup.unwrap());
    let enter = r#"(make-imap-connection "h" :user "myacct" :password "mypasswd")"#;
    let reply = session.evaluate(&format!(
        "(let ((mb (handler-case {enter} (po-error (c) (list (po-condition-identifier c) {enter})))))
           (list (first mb) (progn (select-mailbox (second mb) \"inbox\") (mailbox-message-count (second mb)))))"
    ));
    assert_eq!(reply.text(), "(:server-shutdown-connection 7)");
}
