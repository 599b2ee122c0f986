//! `watch`: each letter is handled once, whatever happens to servers, connections and processes.

use crate::journal::Numbers;
use crate::support::script::Script;
use crate::support::{Server, define_lose, empty};
use postoffice::api::{Event, Setup, Supervisor, What, attach, supervise};
use postoffice::host::{self, TimeLimit};
use postoffice::proto::imap::Messages;
use postoffice::proto::imap::command::StoreMode;
use postoffice::proto::imap::flag::Flag;
use postoffice::repl::Session;
use postoffice::sandbox::{Extension, Extensions, Options};
use postoffice::state::{Cursor, CursorKey, Database, OnDemand, Sync};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// Remembers what happens, and lets a test wait for it.
#[derive(Default)]
struct Seen {
    events: Mutex<Vec<String>>,
    changed: Condvar,
    ends: AtomicBool,
}

/// How long a test waits for something that must happen.
const PATIENCE: Duration = Duration::from_secs(60);

impl Seen {
    fn note(&self, event: String) {
        self.events.lock().unwrap().push(event);
        self.changed.notify_all();
    }

    /// Waits until the events are as wanted.
    #[track_caller]
    fn wait(&self, what: &str, wanted: impl Fn(&[String]) -> bool) {
        let events = self.events.lock().unwrap();
        let (events, timeout) =
            self.changed.wait_timeout_while(events, PATIENCE, |events| !wanted(events)).unwrap();
        assert!(!timeout.timed_out(), "{what}: {events:#?}");
    }

    /// Waits until there are so many events of this text, or that begin with these words.
    #[track_caller]
    fn wait_for(&self, event: &str, times: usize) {
        self.wait(&format!("{event} {times}"), |events| count(events, event) >= times);
    }

    fn count(&self, event: &str) -> usize {
        count(&self.events.lock().unwrap(), event)
    }

    fn end(&self) {
        self.ends.store(true, Ordering::SeqCst);
    }
}

fn count(events: &[String], event: &str) -> usize {
    let is_it = |seen: &&String| {
        seen.strip_prefix(event).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    };
    events.iter().filter(is_it).count()
}

/// Ends the watch when the test has ended, also by a panic.
struct EndsWith<'s>(&'s Seen);

impl Drop for EndsWith<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Supervisor for Seen {
    fn happened(&self, event: &Event<'_>) {
        let what = match &event.what {
            What::Lost { error, .. } => format!("lost {error}"),
            What::Handled { uid, .. } => format!("handled {uid}"),
            What::Failed { uid, attempts, error, again } => {
                format!("failed {uid} {attempts} {} {error}", again.is_some())
            }
            What::Repeats { uid } => format!("repeats {uid}"),
            What::Waits(means) => format!("waits {means:?}"),
            other => other.to_string(),
        };
        for (mailbox, cursor) in [(event.mailbox, event.cursor)].iter().chain(&event.others) {
            self.note(format!("{mailbox} {cursor}: {what}"));
        }
    }

    fn goes_on(&self) -> bool {
        !self.ends.load(Ordering::SeqCst)
    }
}

/// A session as a process would be: its state is in `folder`, `a` is the server's account, `(take
/// mailbox)` makes a watch of it whose procedure notes "MAILBOX SUBJECTS".
fn session(servers: &[&Server], folder: &Path, seen: &Arc<Seen>) -> Session {
    let mut session = Session::new(Vec::new());
    let state = Arc::new(OnDemand::in_folder(folder.to_owned()));
    attach(session.host(), &Setup { state, ..Setup::default() });
    supervise(session.host().context(), seen.clone());
    define_lose(&mut session);
    let noting = seen.clone();
    session.host().register_fn("note", "(text)", "Notes a text.", move |call| {
        noting.note(host::as_str(call.arg(0).unwrap()).unwrap().to_owned());
        Ok(host::nil())
    });
    let mut forms = String::from(
        r#"(defun subjects (letters) (mapcar #'letter-subject (letters->list letters)))
           (defun take (mailbox &optional (account 'a) (cursor 'c))
             (list account mailbox cursor
               (lambda (mb letters) (note (format nil "~a ~{~a~^ ~}" mailbox (subjects letters))))
               :from :all))"#,
    );
    for (server, name) in servers.iter().zip(["a", "b"]) {
        let Server { user, password, port, .. } = server;
        forms += &format!(
            r#"(define-account {name} :host "127.0.0.1" :port {port} :user "{user}" :password "{password}" :auth :login)"#
        );
    }
    let reply = session.evaluate(&forms);
    assert!(reply.result.is_ok(), "{}", reply.text());
    session
}

fn deliver(server: &Server, mailbox: &str, subjects: &[&str]) {
    let mut client = server.connect();
    for subject in subjects {
        let letter = format!("Subject: {subject}\r\nMessage-ID: <{subject}@x>\r\n\r\nx\r\n");
        client.append(mailbox, &[], None, letter.as_bytes()).unwrap();
    }
    client.close();
}

/// Runs a watch in a thread while `test` runs.
fn watching(session: &mut Session, form: &str, seen: &Seen, test: impl FnOnce()) -> String {
    seen.ends.store(false, Ordering::SeqCst);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| match session.evaluate(form).result {
            Ok(value) => value,
            Err(report) => report.condition.message,
        });
        let _ends = EndsWith(seen);
        test();
        seen.end();
        watch.join().unwrap()
    })
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// The sandbox with NOTIFY, with IDLE only, and with neither; and Dovecot.
fn servers() -> Vec<Server> {
    let all = Extensions::default();
    let idle = all.without(Extension::Notify);
    let sandbox = |extensions| Some(Server::sandbox(Options { extensions, ..empty() }));
    let sandboxes = [all, idle, idle.without(Extension::Idle)].map(sandbox);
    sandboxes.into_iter().chain([Server::dovecot()]).flatten().collect()
}

#[test]
fn every_letter_of_every_mailbox_is_handled_once() {
    for connections in [1, 2, 10] {
        for server in servers() {
            let (folder, seen) = (folder(), Arc::new(Seen::default()));
            let mut client = server.connect();
            client.create("Other").unwrap();
            client.create("Grün").unwrap();
            deliver(&server, "INBOX", &["a", "b"]);
            let mut session = session(&[&server], folder.path(), &seen);
            let form = format!(
                r#"(watch (list (take "inbox") (take "Other") (take "Grün") (take "inbox" 'a 'second)) :connections {connections})"#
            );
            let handled = watching(&mut session, &form, &seen, || {
                seen.wait_for("inbox a", 2);
                deliver(&server, "Other", &["c"]);
                deliver(&server, "Grün", &["d", "e"]);
                deliver(&server, "INBOX", &["f"]);
                seen.wait_for("Other c", 1);
                seen.wait_for("Grün e", 1);
                seen.wait_for("inbox f", 2);
            });
            assert_eq!(handled, "9", "{} {connections}", server.name);
            for (event, times) in [
                ("inbox a", 2),
                ("inbox b", 2),
                ("Other c", 1),
                ("Grün d", 1),
                ("Grün e", 1),
                ("inbox f", 2),
                ("inbox c: the watch has ended", 1),
            ] {
                assert_eq!(seen.count(event), times, "{event} {} {connections}", server.name);
            }
            // Nothing is left for the next process.
            let form = r#"(watch (list (take "inbox") (take "Other")) :once t)"#;
            assert_eq!(
                watching(&mut session, form, &seen, || seen
                    .wait_for("inbox c: the watch has ended", 2)),
                "0"
            );
        }
    }
}

#[test]
fn a_new_cursor_begins_now_and_reading_changes_nothing() {
    let server = Server::sandbox(empty());
    let (folder, seen) = (folder(), Arc::new(Seen::default()));
    deliver(&server, "INBOX", &["a"]);
    let mut session = session(&[&server], folder.path(), &seen);
    let form = r#"(watch (list (list 'a "inbox" 'new (lambda (mb letters) (note (format nil "~a" (subjects letters)))))))"#;
    watching(&mut session, form, &seen, || {
        seen.wait_for("inbox new: waits", 1);
        deliver(&server, "INBOX", &["b"]);
        server.left_as_it_was("watch", || seen.wait_for("(b)", 1));
    });
    assert_eq!((seen.count("(a)"), seen.count("(b)")), (0, 1));
}

#[test]
fn a_letter_that_fails_is_tried_again_and_set_aside_while_others_go_on() {
    for server in servers() {
        let (folder, seen) = (folder(), Arc::new(Seen::default()));
        deliver(&server, "INBOX", &["good", "bad", "late", "better"]);
        let mut session = session(&[&server], folder.path(), &seen);
        let form = r#"
(let ((late 0))
  (watch (list (list 'a "inbox" 'c
                 (lambda (mb letters)
                   (let ((subject (first (subjects letters))))
                     (when (equal subject "bad") (error "no good"))
                     (when (and (equal subject "late") (< (incf late) 3)) (error "not yet"))
                     (note subject)))
                 :from :all))
         :attempts 3 :retry-after '(0.05 0)))"#;
        let handled = watching(&mut session, form, &seen, || {
            seen.wait_for("inbox c: failed 2 3 false no good", 1);
            seen.wait_for("late", 1);
            deliver(&server, "INBOX", &["more"]);
            seen.wait_for("more", 1);
        });
        assert_eq!(handled, "4");
        for event in ["good", "better", "late", "more"] {
            assert_eq!(seen.count(event), 1, "{event} {}", server.name);
        }
        assert_eq!(seen.count("inbox c: failed 3"), 2);
        let database = Database::open(folder.path(), Sync::Normal).unwrap();
        let failed = database.failed_letters().unwrap();
        let [(key, letter)] = &failed[..] else { panic!("{failed:?}") };
        assert_eq!((&*key.mailbox, &*key.name), ("INBOX", "c"));
        assert_eq!((letter.uid, letter.attempts, letter.next), (2, 3, None));
        assert!(letter.error.as_deref().unwrap().contains("no good"));
        // It stays set aside until somebody asks for it.
        let form = r#"(watch (list (take "inbox")) :once t)"#;
        assert_eq!(watching(&mut session, form, &seen, || {}), "0");
        assert_eq!(database.retry_failed(0).unwrap(), 1);
        assert_eq!(watching(&mut session, form, &seen, || seen.wait_for("inbox bad", 1)), "1");
        assert!(database.failed_letters().unwrap().is_empty());
    }
}

#[test]
fn a_failed_letter_that_has_left_is_forgotten() {
    let server = Server::sandbox(empty());
    let (folder, seen) = (folder(), Arc::new(Seen::default()));
    deliver(&server, "INBOX", &["bad", "good"]);
    let mut session = session(&[&server], folder.path(), &seen);
    let form = r#"
(watch (list (list 'a "inbox" 'c
               (lambda (mb letters)
                 (when (equal (subjects letters) '("bad"))
                   (delete-letters letters)
                   (error "no good")))
               :from :all))
       :retry-after '(0))"#;
    let handled = watching(&mut session, form, &seen, || {
        seen.wait_for("inbox c: 1 letters to be handled have left", 1);
        seen.wait_for("inbox c: handled 2", 1);
    });
    assert_eq!(handled, "1");
    assert!(
        Database::open(folder.path(), Sync::Normal).unwrap().failed_letters().unwrap().is_empty()
    );
}

#[test]
fn a_lost_connection_is_made_again_and_no_letter_is_missed() {
    for (server, again) in [(Server::sandbox(empty()), 3), (Server::sandbox(empty()), 1)] {
        let (folder, seen) = (folder(), Arc::new(Seen::default()));
        deliver(&server, "INBOX", &["a"]);
        let mut session = session(&[&server], folder.path(), &seen);
        let form = format!(
            r#"
(let ((lost 0))
  (watch (list (list 'a "inbox" 'c
                 (lambda (mb letters)
                   (when (and (equal (subjects letters) '("x")) (<= (incf lost) {again}))
                     (lose) (mailbox-status mb "inbox" :messages))
                   (note (first (subjects letters))))
                 :from :all))))"#
        );
        watching(&mut session, &form, &seen, || {
            seen.wait_for("inbox c: waits", 1);
            server.the_sandbox().disconnect_all();
            deliver(&server, "INBOX", &["b"]);
            seen.wait_for("b", 1);
            deliver(&server, "INBOX", &["x", "c"]);
            seen.wait_for("x", 1);
            seen.wait_for("c", 1);
        });
        for event in ["a", "b", "x", "c"] {
            assert_eq!(seen.count(event), 1, "{event}");
        }
        assert_eq!(seen.count("inbox c: repeats 3"), again);
        assert_eq!(seen.count("inbox c: failed"), 0);
    }
}

#[test]
fn a_letter_that_always_loses_the_connection_is_set_aside() {
    let server = Server::sandbox(empty());
    let (folder, seen) = (folder(), Arc::new(Seen::default()));
    deliver(&server, "INBOX", &["x"]);
    let mut session = session(&[&server], folder.path(), &seen);
    let form = r#"
(watch (list (list 'a "inbox" 'c
               (lambda (mb letters) (lose) (noop mb)) :from :all))
       :attempts 1)"#;
    watching(&mut session, form, &seen, || seen.wait_for("inbox c: failed 1 1 false", 1));
    assert_eq!(seen.count("inbox c: repeats 1"), 3);
}

#[test]
fn what_a_procedure_does_to_its_connection_harms_nothing() {
    let server = Server::sandbox(empty());
    server.connect().create("Other").unwrap();
    for deed in [
        "(close-connection mb)",
        "(select-mailbox mb \"Other\")",
        "(unselect-mailbox mb)",
        "(select-letters :all :mailbox \"Other\")",
        "(move-letters letters :to \"Other\")",
        "(delete-letters letters)",
        "(rename-mailbox mb \"Other\" \"Other\")",
    ] {
        let (folder, seen) = (folder(), Arc::new(Seen::default()));
        let mut session = session(&[&server], folder.path(), &seen);
        let form = format!(
            r#"(watch (list (list 'a "inbox" 'c
                 (lambda (mb letters) (note (first (subjects letters))) (ignore-errors {deed})))))"#
        );
        watching(&mut session, &form, &seen, || {
            seen.wait_for("inbox c: waits", 1);
            deliver(&server, "INBOX", &["k"]);
            seen.wait_for("k", 1);
            deliver(&server, "INBOX", &["l", "m"]);
            seen.wait_for("m", 1);
        });
        assert_eq!((seen.count("k"), seen.count("l"), seen.count("m")), (1, 1, 1), "{deed}");
        assert_eq!(seen.count("inbox c: failed"), 0, "{deed}");
    }
}

#[test]
fn a_silent_server_delays_no_other() {
    let server = Server::sandbox(empty());
    let silent = Script::run(|peer| {
        peer.log_in("IDLE");
        peer.hear_rest();
    });
    let (folder, seen) = (folder(), Arc::new(Seen::default()));
    let mut session = session(&[&server], folder.path(), &seen);
    let account = format!(
        r#"(define-account b :host "127.0.0.1" :port {} :user "user" :password "sesame-open" :timeout 2)
           (define-account gone :host "127.0.0.1" :port 1 :user "user" :password "sesame-open")"#,
        silent.address.port()
    );
    assert!(session.evaluate(&account).result.is_ok());
    let form = r#"(watch (list (take "silent" 'b) (take "gone" 'gone) (take "inbox")))"#;
    watching(&mut session, form, &seen, || {
        for subject in ["a", "b", "c"] {
            deliver(&server, "INBOX", &[subject]);
            seen.wait_for(&format!("inbox {subject}"), 1);
        }
        seen.wait_for("silent c: lost", 1);
        seen.wait_for("gone c: lost", 2);
    });
    drop(silent);
}

#[test]
fn other_uids_mean_the_same_letters() {
    for server in servers() {
        let (folder, seen) = (folder(), Arc::new(Seen::default()));
        let mut client = server.connect();
        client.create("Box").unwrap();
        deliver(&server, "Box", &["a", "bad", "c"]);
        let mut session = session(&[&server], folder.path(), &seen);
        let form = r#"
(let ((fails t))
  (watch (list (list 'a "Box" 'c
                 (lambda (mb letters)
                   (let ((subject (first (subjects letters))))
                     (when (and fails (equal subject "bad")) (setq fails nil) (error "no good"))
                     (note subject)))
                 :from :all))
         :retry-after '(0.01)
         :timeout 0.000001))"#;
        // Only what was taken in, nothing handled: the time is up.
        let first = form
            .replace(":timeout 0.000001", ":once t :retry-after '(3600)")
            .replace(":retry-after '(0.01)\n", "");
        assert_eq!(watching(&mut session, &first, &seen, || seen.wait_for("c", 1)), "2");
        // The same letters in another order, one more, under another UIDVALIDITY.
        client.rename("Box", "Old").unwrap();
        client.create("Box").unwrap();
        client.select("Old", false).unwrap();
        for number in [3, 2, 1] {
            let message = Messages::Numbers(std::num::NonZeroU32::new(number).unwrap().into());
            client.copy(&message, "Box").unwrap();
        }
        deliver(&server, "Box", &["new"]);
        let again = form.replace(":timeout 0.000001", "").replace("(fails t)", "(fails nil)");
        let database = Database::open(folder.path(), Sync::Normal).unwrap();
        database.retry_failed(0).unwrap();
        watching(&mut session, &again, &seen, || {
            seen.wait_for("new", 1);
            seen.wait_for("bad", 1);
        });
        for event in ["a", "bad", "c", "new"] {
            assert_eq!(seen.count(event), 1, "{event} {}", server.name);
        }
        assert_eq!(seen.count("Box c: the server has given"), 1, "{}", server.name);
    }
}

#[test]
fn letters_that_are_alike_keep_their_places_under_other_uids() {
    for server in servers() {
        let (folder, seen) = (folder(), Arc::new(Seen::default()));
        let mut client = server.connect();
        client.create("Box").unwrap();
        deliver(&server, "Box", &["same", "same", "same", "last"]);
        let mut session = session(&[&server], folder.path(), &seen);
        // The first of them is handled, the other two fail.
        let form = r#"
(let ((count 0))
  (watch (list (list 'a "Box" 'c
                 (lambda (mb letters)
                   (setq count (+ count 1))
                   (when (< 1 count 4) (error "no good"))
                   (note (format nil "~{~a~}" (subjects letters))))
                 :from :all))
         :once t :retry-after '(3600)))"#;
        watching(&mut session, form, &seen, || seen.wait_for("last", 1));
        assert_eq!(seen.count("same"), 1, "{}", server.name);
        client.rename("Box", "Old").unwrap();
        client.create("Box").unwrap();
        client.select("Old", false).unwrap();
        client.copy(&Messages::all(), "Box").unwrap();
        let database = Database::open(folder.path(), Sync::Normal).unwrap();
        database.retry_failed(0).unwrap();
        let again = form.replace("(count 0)", "(count 9)");
        watching(&mut session, &again, &seen, || seen.wait_for("same", 3));
        assert_eq!((seen.count("same"), seen.count("last")), (3, 1), "{}", server.name);
        assert!(database.failed_letters().unwrap().is_empty(), "{}", server.name);
    }
}

#[test]
fn a_mailbox_that_is_missing_harms_no_other_and_is_watched_once_it_is_made() {
    for server in servers() {
        let (folder, seen) = (folder(), Arc::new(Seen::default()));
        let mut session = session(&[&server], folder.path(), &seen);
        let form =
            r#"(watch (list (take "missing") (take "inbox")) :connections 1 :retry-after '(0))"#;
        watching(&mut session, form, &seen, || {
            seen.wait_for("missing c: lost", 1);
            deliver(&server, "INBOX", &["a"]);
            seen.wait_for("inbox a", 1);
            server.connect().create("missing").unwrap();
            deliver(&server, "missing", &["b"]);
            seen.wait_for("missing b", 1);
        });
        assert_eq!((seen.count("inbox a"), seen.count("missing b")), (1, 1), "{}", server.name);
    }
}

#[test]
fn a_letter_of_which_the_server_tells_nothing_is_not_left_out() {
    let script = Script::run(|peer| {
        peer.log_in("");
        loop {
            let command = peer.hear();
            let Some((tag, rest)) = command.split_once(' ') else { return };
            let data = match rest.split(' ').collect::<Vec<_>>()[..] {
                ["SELECT", ..] => "* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 4] x\r\n",
                ["UID", "SEARCH", "UID", "2:*"] => "* SEARCH 2 3\r\n",
                ["UID", "SEARCH", ..] => "* SEARCH 2\r\n", // the other one has left
                ["LOGOUT"] => "* BYE x\r\n",
                _ => "", // also to FETCH
            };
            peer.say(&format!("{data}{tag} OK done\r\n"));
        }
    });
    let (folder, seen) = (folder(), Arc::new(Seen::default()));
    let mut session = session(&[], folder.path(), &seen);
    let port = script.address.port();
    let account = format!(
        r#"(define-account a :host "127.0.0.1" :port {port} :user "u" :password "pass-word" :auth :login)"#
    );
    session.evaluate(&account).result.unwrap();
    let (account, mailbox, name) = (format!("u@127.0.0.1:{port}"), "INBOX".into(), "c".into());
    let cursor = Cursor { uid_validity: 7, uid: 1, ..Cursor::default() };
    let database = Database::open(folder.path(), Sync::Normal).unwrap();
    assert!(database.take_in(&CursorKey { account, mailbox, name }, &cursor, &[], 0).unwrap());
    let form = r#"(watch (list (list 'a "inbox" 'c
        (lambda (mb letters) (note (format nil "uids ~a" (letters-uids letters)))) :from :all)))"#;
    let handled = watching(&mut session, form, &seen, || seen.wait_for("uids (2)", 1));
    assert_eq!((handled.as_str(), seen.count("uids (2)")), ("1", 1));
}

#[test]
fn a_mailbox_that_is_refused_is_asked_for_again_without_news() {
    let server = Server::sandbox(empty());
    let (folder, seen) = (folder(), Arc::new(Seen::default()));
    let mut client = server.connect();
    client.create("Old").unwrap();
    deliver(&server, "Old", &["b"]);
    let mut session = session(&[&server], folder.path(), &seen);
    let form = r#"(watch (list (take "inbox") (take "Box")) :connections 1)"#;
    watching(&mut session, form, &seen, || {
        seen.wait_for("Box c: lost", 1);
        seen.wait_for("inbox c: waits Notify", 1);
        client.rename("Old", "Box").unwrap(); // of which NOTIFY tells nothing
        seen.wait_for("Box b", 1);
        seen.wait_for("Box c: waits Notify", 2);
    });
    assert_eq!(seen.count("Box b"), 1);
}

#[test]
fn a_letter_that_comes_while_its_mailbox_is_selected_is_not_missed() {
    for server in servers() {
        let (folder, seen) = (folder(), Arc::new(Seen::default()));
        server.connect().create("two").unwrap();
        deliver(&server, "INBOX", &["a"]);
        deliver(&server, "two", &["b"]);
        let mut session = session(&[&server], folder.path(), &seen);
        // Each procedure's letter brings another into the mailbox that is left after it.
        let form = r#"
(flet ((one (mailbox)
         (list 'a mailbox 'c
           (lambda (mb letters)
             (let ((subject (first (subjects letters))))
               (note (format nil "~a ~a" mailbox subject))
               (when (< (length subject) 4)
                 (with-account (other 'a)
                   (append-letter other mailbox (format nil "Subject: ~ax~%~%x" subject))))))
           :from :all)))
  (watch (list (one "inbox") (one "two")) :connections 1))"#;
        watching(&mut session, form, &seen, || {
            seen.wait_for("inbox axxx", 1);
            seen.wait_for("two bxxx", 1);
        });
        for event in ["inbox a", "inbox ax", "inbox axx", "two b", "two bx", "two bxx"] {
            assert_eq!(seen.count(event), 1, "{event} {}", server.name);
        }
    }
}

#[test]
fn a_letter_that_ends_the_process_each_time_is_set_aside() {
    let server = Server::sandbox(empty());
    let (folder, seen) = (folder(), Arc::new(Seen::default()));
    deliver(&server, "INBOX", &["a", "b"]);
    let form = r#"
(block nil
  (watch (list (list 'a "inbox" 'c
                 (lambda (mb letters)
                   (note (first (subjects letters)))
                   (when (equal (subjects letters) '("a")) (return 'out)))
                 :from :all))
         :attempts 2 :count 1))"#;
    for (expected, event, times) in [("out", "a", 1), ("out", "a", 2), ("1", "b", 1)] {
        let mut session = session(&[&server], folder.path(), &seen);
        let text = watching(&mut session, form, &seen, || seen.wait_for(event, times));
        assert_eq!(text, expected);
    }
    assert_eq!((seen.count("a"), seen.count("b")), (2, 1));
    let event = "inbox c: failed 1 2 false its procedure has begun and not ended";
    assert_eq!(seen.count(event), 1);
}

#[test]
fn one_process_at_a_time_watches_with_a_cursor() {
    let server = Server::sandbox(empty());
    let (folder, seen, second) = (folder(), Arc::new(Seen::default()), Arc::new(Seen::default()));
    let mut one = session(&[&server], folder.path(), &seen);
    let mut two = session(&[&server], folder.path(), &second);
    watching(&mut one, r#"(watch (list (take "inbox")))"#, &seen, || {
        seen.wait_for("inbox c: waits", 1);
        let message = two.evaluate(r#"(watch (list (take "INBOX")))"#).text();
        assert!(message.contains("another process watches \"INBOX\""), "{message}");
        let form = r#"(watch (list (take "inbox" 'a 'other)))"#;
        assert_eq!(
            watching(&mut two, form, &second, || second.wait_for("inbox other: waits", 1)),
            "0"
        );
    });
    // It takes over when the first is gone.
    watching(&mut two, r#"(watch (list (take "inbox")))"#, &second, || {
        second.wait_for("inbox c: waits", 1);
    });
}

#[test]
fn a_watch_that_ends_in_a_procedure_handles_that_letter_again() {
    let server = Server::sandbox(empty());
    let (folder, seen) = (folder(), Arc::new(Seen::default()));
    deliver(&server, "INBOX", &["a", "b", "c"]);
    let mut session = session(&[&server], folder.path(), &seen);
    let form = r#"
(block nil
  (watch (list (list 'a "inbox" 'c
                 (lambda (mb letters)
                   (note (first (subjects letters)))
                   (when (equal (subjects letters) '("b")) (return 'out)))
                 :from :all))))"#;
    assert_eq!(watching(&mut session, form, &seen, || seen.wait_for("b", 1)), "out");
    let form = r#"(watch (list (take "inbox")) :once t)"#;
    assert_eq!(watching(&mut session, form, &seen, || seen.wait_for("inbox c", 1)), "2");
    assert_eq!((seen.count("a"), seen.count("inbox a"), seen.count("inbox b")), (1, 0, 1));
}

#[test]
fn letters_come_together_if_the_script_wants_it() {
    let server = Server::sandbox(empty());
    let (folder, seen) = (folder(), Arc::new(Seen::default()));
    deliver(&server, "INBOX", &["a", "b", "c", "d", "e"]);
    let mut session = session(&[&server], folder.path(), &seen);
    let form = r#"(watch (list (take "inbox")) :once t :batch 2)"#;
    assert_eq!(watching(&mut session, form, &seen, || seen.wait_for("inbox e", 1)), "5");
    assert_eq!((seen.count("inbox a b"), seen.count("inbox c d")), (1, 1));
    // What is asked of one is fetched for all.
    let fetches = server.received().iter().filter(|command| command.contains("Envelope")).count();
    assert!(fetches <= 3, "{fetches}: {:?}", server.received());
}

#[test]
fn time_limits_and_timeouts_end_it() {
    let server = Server::sandbox(empty());
    let (folder, seen) = (folder(), Arc::new(Seen::default()));
    let mut session = session(&[&server], folder.path(), &seen);
    assert_eq!(session.evaluate(r#"(watch (list (take "inbox")) :timeout 0.1)"#).text(), "0");
    let limit = TimeLimit::start(session.host(), Duration::from_millis(100)).unwrap();
    let Err(report) = session.evaluate(r#"(watch (list (take "inbox")))"#).result else {
        panic!("it watches for ever")
    };
    assert!(report.interrupted, "{}", report.condition);
    drop(limit);
    assert_eq!(session.evaluate(r#"(watch (list (take "inbox")) :once t)"#).text(), "0");
}

#[test]
fn wrong_arguments_are_refused_before_anything_is_sent() {
    let server = Server::sandbox(empty());
    let (folder, seen) = (folder(), Arc::new(Seen::default()));
    let mut session = session(&[&server], folder.path(), &seen);
    for (form, expected) in [
        ("(watch nil)", "watch: watches: expected a list of watches"),
        ("(watch 'a)", "watch: watches: expected a list of watches"),
        ("(watch (list 'a \"inbox\" 'c #'list))", "watch: watches: expected a list of watches"),
        ("(watch (list (list 'a \"inbox\" 'c 7)))", "watch: watches: expected a list of watches"),
        ("(watch (list (list 'a \"inbox\" 'c #'list :form :all)))", "watch: watches: expected"),
        (
            "(watch (list (list 'a \"inbox\" 'c #'list :from :al)))",
            "watch: :from: expected :now, :all or a date",
        ),
        (
            "(watch (list (list 'nobody \"inbox\" 'c #'list)))",
            "connect: there is no account nobody",
        ),
        (
            "(watch (list (take \"inbox\") (take \"INBOX\")))",
            "watch: watches: expected each account, mailbox and cursor once",
        ),
        (
            "(watch (list (take \"inbox\")) :retry-after '(1 x))",
            "watch: :retry-after: expected a list of seconds",
        ),
        ("(watch (list (take \"inbox\")) :batch 0)", "batch: expected"),
        ("(watch (list (take \"inbox\")) :onse t)", "onse"),
    ] {
        let message = session.evaluate(form).text();
        assert!(message.contains(expected), "{form}: {message}");
    }
    assert_eq!(server.received(), Vec::<String>::new());
    // A server that cannot be reached ends a single round with its error.
    let form = r#"(progn (define-account gone :host "127.0.0.1" :port 1 :user "u" :password "sesame-open")
                         (watch (list (take "inbox" 'gone)) :once t))"#;
    let message = session.evaluate(form).text();
    assert!(message.contains("watch: gone: "), "{message}");
}

/// Whatever happens, each letter is handled, and repeats are told.
#[test]
fn chance() {
    let by_hand = std::env::var("POSTOFFICE_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    for seed in 1..=by_hand.unwrap_or(4) {
        let mut random = Numbers(seed);
        let server = Server::sandbox(empty());
        let folder = folder();
        let mut client = server.connect();
        for mailbox in ["one", "two"] {
            client.create(mailbox).unwrap();
        }
        let (mut sent, mut handled) = (0, BTreeMap::<String, usize>::new());
        let mut repeats = 0;
        for _process in 0..3 {
            let seen = Arc::new(Seen::default());
            let mut session = session(&[&server], folder.path(), &seen);
            let form = r#"
(watch (list (take "one") (take "two") (take "inbox"))
       :retry-after '(0) :connections 2)"#;
            watching(&mut session, form, &seen, || {
                for _ in 0..20 {
                    let mailbox = ["one", "two", "INBOX"][random.below(3)];
                    match random.below(6) {
                        0 => server.the_sandbox().disconnect_all(),
                        1 => {
                            // Another reader changes flags and removes a letter that was handled.
                            let mut other = server.connect();
                            other.select(mailbox, false).unwrap();
                            if other.selected().unwrap().exists > 0 {
                                let all = Messages::all();
                                other.store_silently(&all, StoreMode::Add, &[Flag::SEEN]).unwrap();
                            }
                        }
                        _ => {
                            deliver(&server, mailbox, &[&format!("s{sent}-")]);
                            sent += 1;
                        }
                    }
                }
            });
            for event in seen.events.lock().unwrap().iter() {
                if event.contains(": repeats") {
                    repeats += 1;
                }
                if let Some((_, subject)) =
                    event.split_once(' ').filter(|(_, it)| it.starts_with('s') && it.ends_with('-'))
                {
                    *handled.entry(subject.to_owned()).or_default() += 1;
                }
            }
        }
        // What the last process left.
        let seen = Arc::new(Seen::default());
        let mut session = session(&[&server], folder.path(), &seen);
        let form = r#"(watch (list (take "one") (take "two") (take "inbox")) :once t)"#;
        let message =
            watching(&mut session, form, &seen, || seen.wait_for("one c: the watch has ended", 1));
        for event in seen.events.lock().unwrap().iter() {
            if let Some((_, subject)) =
                event.split_once(' ').filter(|(_, it)| it.starts_with('s') && it.ends_with('-'))
            {
                *handled.entry(subject.to_owned()).or_default() += 1;
            }
        }
        assert_eq!(handled.len(), sent, "seed {seed}: {message}: {handled:?}");
        let twice: usize = handled.values().map(|times| times - 1).sum();
        assert!(twice <= repeats + 3, "seed {seed}: {handled:?}");
    }
}
