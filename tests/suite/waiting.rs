//! `wait_for_mail` and `wait-for-mail`: IDLE (RFC 2177), and NOOP where the server has none.

use crate::support::script::{Peer, Script};
use crate::support::{Server, define_lose, empty, on_every_server};
use postoffice::api::{Setup, attach};
use postoffice::client::{
    ConnectOptions, Credentials, Error, ImapClient, WarningKind, wait_for_any,
};
use postoffice::proto::imap::command::StoreMode;
use postoffice::proto::imap::flag::Flag;
use postoffice::proto::imap::{Messages, SearchKey};
use postoffice::repl::Session;
use postoffice::sandbox::{Extension, Extensions, Options};
use postoffice::transport::{Connector, TransportError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const LETTERS: [&str; 3] = ["Subject: 1\n\nx\n", "Subject: 2\n\nx\n", "Subject: 3\n\nx\n"];
const NEW: &[u8] = b"Subject: new\r\n\r\nx\r\n";
/// Asks the server once.
const ONCE: Option<Duration> = Some(Duration::ZERO);

fn without_idle() -> Server {
    let extensions = Extensions::default().without(Extension::Idle);
    Server::sandbox(Options { extensions, ..empty() })
}

/// Waits until the sandbox has received this command `count` times.
fn until_received(server: &Server, command: &str, count: usize) {
    while server.received().iter().filter(|received| *received == command).count() < count {
        std::thread::yield_now();
    }
}

#[test]
fn a_letter_ends_the_wait_and_other_changes_do_not() {
    let test = |server: &Server| {
        let mut client = server.with_letters(&LETTERS);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut other = server.connect();
                other.select("INBOX", false).unwrap();
                let second = Messages::Numbers(std::num::NonZeroU32::new(2).unwrap().into());
                other.store_silently(&second, StoreMode::Add, &[Flag::DELETED]).unwrap();
                other.expunge().unwrap();
                other.append("INBOX", &[], None, NEW).unwrap();
            });
            assert_eq!(client.wait_for_mail(None).unwrap(), Some(3));
        });
        let selected = client.selected().unwrap();
        assert_eq!((selected.exists, selected.lowest_that_left_since(0)), (3, Some(2)));
        assert_eq!(client.search(&SearchKey::All).unwrap(), [1, 2, 3]);
        assert_eq!(client.wait_for_mail(ONCE).unwrap(), None, "it was heard of");
    };
    on_every_server(test);
    test(&without_idle());
}

#[test]
fn a_letter_that_came_before_the_call_is_not_missed() {
    let test = |server: &Server| {
        let mut client = server.with_letters(&LETTERS);
        assert_eq!(client.wait_for_mail(ONCE).unwrap(), None, "letters of before SELECT");
        // Not announced yet, then announced by another command.
        for announce in [false, true] {
            let mut other = server.connect();
            other.append("INBOX", &[], None, NEW).unwrap();
            if announce {
                client.noop().unwrap();
            }
            let count = client.wait_for_mail(None).unwrap();
            assert_eq!(count, client.selected().map(|selected| selected.exists));
            assert_eq!(client.wait_for_mail(ONCE).unwrap(), None);
        }
    };
    on_every_server(test);
    test(&without_idle());
}

#[test]
fn a_letter_that_comes_while_the_server_idles_or_between_two_noops_ends_the_wait() {
    for (server, command) in [(Server::sandbox(empty()), "Idle"), (without_idle(), "Noop")] {
        let mut client = server.with_letters(&LETTERS);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                until_received(&server, command, 1);
                server.store().deliver("user", "INBOX", NEW).unwrap();
            });
            assert_eq!(client.wait_for_mail(None).unwrap(), Some(4));
        });
        assert!(client.take_warnings().is_empty());
        client.noop().unwrap();
    }
}

#[test]
fn many_connections_are_waited_for_at_once() {
    let [one, two] = [Server::sandbox(empty()), without_idle()];
    let mut clients = [one.with_letters(&LETTERS), two.with_letters(&LETTERS), one.connect()];
    clients[2].create("Other").unwrap();
    clients[2].select("Other", false).unwrap();
    let mut wait = |timeout| {
        let mut clients: Vec<_> = clients.iter_mut().collect();
        wait_for_any(&mut clients, timeout)
            .map_err(|(position, error)| (position, error.to_string()))
    };
    assert_eq!(wait(ONCE), Ok(Vec::new()));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            until_received(&one, "Idle", 3);
            one.store().deliver("user", "Other", NEW).unwrap();
        });
        assert_eq!(wait(None), Ok(vec![(2, 1)]));
    });
    one.store().deliver("user", "INBOX", NEW).unwrap();
    two.store().deliver("user", "INBOX", NEW).unwrap();
    let mut heard = Vec::new();
    while heard.len() < 2 {
        heard.extend(wait(None).unwrap());
    }
    heard.sort_unstable();
    assert_eq!(heard, [(0, 4), (1, 4)]);
    // One that is lost does not take the others with it.
    two.the_sandbox().disconnect_all();
    assert_eq!(wait(None).unwrap_err().0, 1);
    one.store().deliver("user", "INBOX", NEW).unwrap();
    assert_eq!(clients[0].wait_for_mail(None).unwrap(), Some(5));
}

#[test]
fn idle_is_renewed() {
    let server = Server::sandbox(empty());
    let mut client = server.with_letters(&LETTERS);
    client.renew_idle_after(Duration::ZERO);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            until_received(&server, "Idle", 3);
            server.store().deliver("user", "INBOX", NEW).unwrap();
        });
        assert_eq!(client.wait_for_mail(None).unwrap(), Some(4));
    });
}

#[test]
fn an_interrupt_leaves_the_connection_usable() {
    for (server, command) in [(Server::sandbox(empty()), "Idle"), (without_idle(), "Noop")] {
        server.with_letters(&LETTERS).close();
        let flag = Arc::new(AtomicBool::new(false));
        let polled = flag.clone();
        let connector = Connector {
            interrupt: Some(Arc::new(move || polled.load(Ordering::SeqCst))),
            ..Connector::default()
        };
        let mut client =
            ImapClient::connect(&connector, "127.0.0.1", &server.credentials(), &server.options())
                .unwrap();
        client.select("INBOX", false).unwrap();
        for round in 1..=2 {
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    until_received(&server, command, round);
                    flag.store(true, Ordering::SeqCst);
                });
                let error = client.wait_for_mail(None).unwrap_err();
                assert!(matches!(error, Error::Transport(TransportError::Interrupted)), "{error}");
            });
            flag.store(false, Ordering::SeqCst);
            server.store().deliver("user", "INBOX", NEW).unwrap();
            assert_eq!(client.wait_for_mail(None).unwrap(), Some(3 + round as u32));
        }
    }
}

#[test]
fn nothing_is_waited_for_without_a_mailbox() {
    let server = Server::sandbox(empty());
    let mut client = server.connect();
    assert!(matches!(client.wait_for_mail(None), Err(Error::NothingSelected)));
    client.abandon();
    assert!(client.wait_for_mail(None).is_err());
}

/// Waits at a server that plays this script after SELECT, with an inbox of one letter.
fn wait_at(
    timeout: Duration,
    script: impl FnOnce(&mut Peer) + Send + 'static,
) -> (Result<Option<u32>, Error>, ImapClient, Script) {
    let script = Script::run(move |peer| {
        peer.log_in("IDLE");
        peer.answer("* 1 EXISTS\r\n{tag} OK selected\r\n");
        script(peer);
        peer.hear_rest();
    });
    let port = Some(script.address.port());
    let options = ConnectOptions { port, timeout, ..Default::default() };
    let credentials = Credentials::new("user", "sesame-open");
    let mut client =
        ImapClient::connect(&Default::default(), "127.0.0.1", &credentials, &options).unwrap();
    client.select("INBOX", false).unwrap();
    (client.wait_for_mail(None), client, script)
}

/// What a server does after SELECT.
type Play = fn(&mut Peer);

const PATIENT: Duration = Duration::from_secs(20);
/// For servers that never answer.
const HASTY: Duration = Duration::from_millis(300);

#[test]
fn odd_servers_are_understood() {
    let table: [(&str, Play, usize); 8] = [
        (
            "a new letter before the +",
            |peer| {
                let idle = peer.hear();
                peer.say("* 2 EXISTS\r\n+ idling\r\n");
                assert_eq!(peer.hear(), "DONE");
                peer.say(&format!("{} OK done\r\n", tag(&idle)));
            },
            0,
        ),
        (
            "only with the completion",
            |peer| {
                let idle = peer.hear();
                peer.say("+ idling\r\n* 2 EXISTS\r\n");
                peer.hear();
                peer.say(&format!("* 2 EXISTS\r\n{} OK done\r\n", tag(&idle)));
            },
            0,
        ),
        (
            "+ twice, and other talk",
            |peer| {
                let idle = peer.hear();
                peer.say("+ idling\r\n+ still\r\n* OK Still here\r\n* 1 EXISTS\r\n* 1 FETCH (FLAGS ())\r\n* 2 EXISTS\r\n");
                peer.hear();
                peer.say(&format!("{} OK done\r\n", tag(&idle)));
            },
            0,
        ),
        (
            "IDLE is refused with NO",
            |peer| {
                peer.answer("{tag} NO not now\r\n");
                assert!(peer.answer("{tag} OK\r\n").ends_with("NOOP"));
                peer.answer("* 2 EXISTS\r\n{tag} OK\r\n");
            },
            1,
        ),
        (
            "IDLE is refused with BAD",
            |peer| {
                peer.answer("{tag} BAD what?\r\n");
                peer.answer("* 2 EXISTS\r\n{tag} OK\r\n");
            },
            1,
        ),
        (
            "the server ends IDLE",
            |peer| {
                peer.answer("+ idling\r\n{tag} OK enough\r\n");
                assert!(peer.answer("* 2 EXISTS\r\n{tag} OK\r\n").ends_with("NOOP"));
            },
            0,
        ),
        (
            "the server ends IDLE with a letter",
            |peer| {
                peer.answer("+ idling\r\n* 2 EXISTS\r\n{tag} OK enough\r\n");
            },
            0,
        ),
        (
            "a letter between two NOOPs",
            |peer| {
                peer.answer("{tag} NO not now\r\n");
                peer.answer("{tag} OK\r\n* 2 EXISTS\r\n");
            },
            1,
        ),
    ];
    for (what, script, warnings) in table {
        let (waited, mut client, _script) = wait_at(PATIENT, script);
        assert_eq!(waited.unwrap_or_else(|error| panic!("{what}: {error}")), Some(2), "{what}");
        let told = client.take_warnings();
        assert_eq!(told.len(), warnings, "{what}: {told:?}");
        assert!(told.iter().all(|warning| warning.kind == WarningKind::Problem), "{what}");
        client.abandon();
    }
}

fn tag(command: &str) -> &str {
    command.split(' ').next().unwrap_or_default()
}

#[test]
fn servers_that_never_answer_are_given_up() {
    let table: [(&str, Play); 3] = [
        ("no +", |peer| drop(peer.hear())),
        ("talk instead of a +", |peer| {
            peer.hear();
            peer.go_on(b"* OK wait\r\n", usize::MAX);
        }),
        ("no answer to DONE", |peer| {
            peer.hear();
            peer.say("+ idling\r\n* 2 EXISTS\r\n");
            assert_eq!(peer.hear(), "DONE");
        }),
    ];
    for (what, script) in table {
        let (waited, client, _script) = wait_at(HASTY, script);
        let error = waited.unwrap_err();
        assert!(matches!(error, Error::Transport(TransportError::Timeout(_))), "{what}: {error}");
        assert!(client.is_closed(), "{what}");
    }
}

#[test]
fn what_ends_the_connection_is_said() {
    let table: [(&str, Play, &str); 4] = [
        (
            "BYE before the +",
            |peer| {
                peer.hear();
                peer.say("* BYE going down\r\n");
            },
            "the server closed the connection: going down",
        ),
        (
            "BYE while idling",
            |peer| {
                peer.hear();
                peer.say("+ idling\r\n* BYE going down\r\n");
                peer.hang_up();
            },
            "the server closed the connection: going down",
        ),
        (
            "the end of the stream",
            |peer| {
                peer.hear();
                peer.say("+ idling\r\n");
                peer.hang_up_sending();
            },
            "the server closed the connection",
        ),
        (
            "+ without end",
            |peer| {
                peer.hear();
                peer.go_on(b"+ idling\r\n", 1_000_000);
            },
            "challenges",
        ),
    ];
    for (what, script, expected) in table {
        let (waited, client, _script) = wait_at(PATIENT, script);
        let error = waited.unwrap_err().to_string();
        assert!(error.contains(expected), "{what}: {error}");
        assert!(client.is_closed(), "{what}");
    }
}

/// A session in the sandbox with `mb`, whose inbox has seven letters, and `(arrive)`, which
/// delivers another.
fn session(options: Options) -> Session {
    let mut session = Session::new(Vec::new());
    attach(session.host(), &Setup::sandboxed(options).unwrap());
    define_lose(&mut session);
    let setup = r#"
(setq mb (make-imap-connection "h" :user "myacct" :password "mypasswd"))
(select-mailbox mb "inbox")
(defun arrive ()
  (let ((c (make-imap-connection "h" :user "myacct" :password "mypasswd")))
    (append-letter c "inbox" "Subject: new\n\nx")
    (close-connection c)))
"#;
    let reply = session.evaluate(setup);
    assert!(reply.result.is_ok(), "{}", reply.text());
    session
}

#[test]
fn scripts_wait() {
    for (form, expected) in [
        ("(wait-for-mail mb :timeout 0)", "nil"),
        ("(progn (arrive) (eq (caar (wait-for-mail mb)) mb))", "t"),
        ("(progn (arrive) (cdar (wait-for-mail mb :timeout 5)))", "(:exists 8)"),
        ("(progn (arrive) (noop mb) (cdar (wait-for-mail mb :timeout nil)))", "(:exists 8)"),
        ("(progn (arrive) (wait-for-mail mb) (wait-for-mail mb :timeout 0.001))", "nil"),
        // Letters that came while the connection was lost.
        ("(progn (arrive) (lose) (with-reconnect () (cdar (wait-for-mail mb))))", "(:exists 8)"),
        (
            "(progn (arrive) (noop mb) (lose) (with-reconnect () (cdar (wait-for-mail mb))))",
            "(:exists 8)",
        ),
        ("(progn (lose) (with-reconnect () (wait-for-mail mb :timeout 0)))", "nil"),
        (
            "(progn (unselect-mailbox mb) (handler-case (wait-for-mail mb) (po-error (c) (list (po-condition-identifier c) (po-condition-message c)))))",
            r#"(:error-response "wait-for-mail: no mailbox is selected: call (select-mailbox mb \"inbox\") first")"#,
        ),
        ("(let ((l (wait-for-mail (list mb mb) :timeout 0))) l)", "nil"),
        (
            "(progn (arrive) (mapcar (lambda (one) (list (eq (car one) mb) (cdr one))) (wait-for-mail (list mb mb))))",
            "((t (:exists 8)))",
        ),
        (
            "(progn (arrive) (lose) (with-reconnect () (cdar (wait-for-mail (list mb)))))",
            "(:exists 8)",
        ),
        (
            "(handler-case (wait-for-mail (list mb 7)) (po-error (c) (po-condition-message c)))",
            r#""wait-for-mail: mailbox: expected mailboxes, as make-imap-connection returns them, got 7""#,
        ),
        (
            "(handler-case (wait-for-mail nil) (po-error (c) (po-condition-identifier c)))",
            ":syntax-error",
        ),
        (
            "(handler-case (wait-for-mail mb :timeout -1) (po-error (c) (po-condition-identifier c)))",
            ":syntax-error",
        ),
    ] {
        for extensions in [Extensions::default(), Extensions::default().without(Extension::Idle)] {
            let options = Options { extensions, ..Options::default() };
            assert_eq!(session(options).evaluate(form).text(), expected, "{form}");
        }
    }
}

#[test]
fn a_time_limit_ends_the_wait_and_clean_up_uses_the_connection() {
    let mut session = session(Options::default());
    let limit =
        postoffice::host::TimeLimit::start(session.host(), Duration::from_millis(100)).unwrap();
    let form =
        "(unwind-protect (wait-for-mail mb) (setq after (mailbox-status mb \"inbox\" :messages)))";
    let Err(report) = session.evaluate(form).result else { panic!("it waits for ever") };
    assert!(report.interrupted, "{}", report.condition);
    drop(limit);
    assert_eq!(
        session.evaluate("(list after (mailbox-message-count mb))").text(),
        "((:messages 7) 7)"
    );
    assert_eq!(session.evaluate("(wait-for-mail mb :timeout 0)").text(), "nil");
}
