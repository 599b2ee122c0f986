//! What is new since last time: `new-letters`, `commit-cursor`, `with-new-letters`, on the sandbox
//! and on Dovecot, across processes (hosts that share a state folder), and after a change of
//! UIDVALIDITY.

use crate::support::{Server, empty};
use postoffice::api::{Setup, attach};
use postoffice::repl::Session;
use postoffice::state::{CursorKey, Database, OnDemand, Sync};
use std::path::Path;
use std::sync::Arc;

/// A session as a process would be: its state is in `folder`, `mb` is a connection to the server's
/// account with the inbox selected, and `(uids set)` gives a set's UIDs.
fn session(server: &Server, folder: &Path) -> Session {
    let mut session = Session::new(Vec::new());
    let state = Arc::new(OnDemand::in_folder(folder.to_owned()));
    let setup = Setup { state, ..Setup::default() };
    attach(session.host(), &setup);
    let Server { user, password, port, .. } = server;
    let forms = format!(
        r#"(setq mb (make-imap-connection "127.0.0.1" :port {port} :user "{user}" :password "{password}" :auth :login))
           (select-mailbox mb "inbox")
           (defun uids (from) (letters-uids (new-letters mb 'filer :from from)))
           (defun identifier-of (thunk)
             (handler-case (funcall thunk) (po-error (c) (po-condition-identifier c))))"#
    );
    let reply = session.evaluate(&forms);
    assert!(reply.result.is_ok(), "{}", reply.text());
    session
}

#[track_caller]
fn check(session: &mut Session, forms: &[(&str, &str)]) {
    for (form, expected) in forms {
        let value = match session.evaluate(form).result {
            Ok(value) => value,
            Err(report) => report.condition.message,
        };
        assert_eq!(value, *expected, "{form}");
    }
}

fn deliver(server: &Server, subjects: &[&str]) {
    let mut client = server.connect();
    for subject in subjects {
        let letter = format!("Subject: {subject}\r\nMessage-ID: <{subject}@x>\r\n\r\nx\r\n");
        client.append("INBOX", &[], None, letter.as_bytes()).unwrap();
    }
}

fn each_server(test: impl Fn(&Server, &Path)) {
    for server in [Some(Server::sandbox(empty())), Server::dovecot()].into_iter().flatten() {
        let folder = tempfile::tempdir().unwrap();
        test(&server, folder.path());
    }
}

#[test]
fn a_cursor_begins_now_and_goes_on_from_its_last_commit() {
    each_server(|server, folder| {
        deliver(server, &["a", "b"]);
        let mut first = session(server, folder);
        check(&mut first, &[("(uids :now)", "nil"), ("(uids :now)", "nil")]);
        deliver(server, &["c", "d"]);
        check(
            &mut first,
            &[
                ("(uids :now)", "(3 4)"),
                (
                    "(mapcar #'letter-subject (letters->list (new-letters mb 'filer)))",
                    "(\"c\" \"d\")",
                ),
                ("(letters-uids (new-letters mb 'other :from :all))", "(1 2 3 4)"),
            ],
        );
        // A letter that comes between new-letters and the commit is new the next time.
        deliver(server, &["e"]);
        check(&mut first, &[("(commit-cursor mb 'filer)", "t"), ("(uids :now)", "(5)")]);
        // A process that ended before it committed gets the same letters again.
        let mut second = session(server, folder);
        check(
            &mut second,
            &[
                ("(uids :now)", "(5)"),
                ("(commit-cursor mb 'filer)", "t"),
                ("(uids :now)", "nil"),
                ("(commit-cursor mb 'filer)", "nil"),
                ("(letters-uids (new-letters mb \"filer\"))", "nil"),
                ("(letters-uids (new-letters mb :other :from :all))", "(1 2 3 4 5)"),
            ],
        );
    });
}

#[test]
fn letters_that_leave_and_flags_that_change_make_nothing_new() {
    each_server(|server, folder| {
        deliver(server, &["a", "b", "c"]);
        let mut session = session(server, folder);
        check(
            &mut session,
            &[
                ("(uids :all)", "(1 2 3)"),
                ("(commit-cursor mb 'filer)", "t"),
                (
                    "(progn (delete-letter mb 3) (alter-flags mb 1 :add-flags :seen) (uids :all))",
                    "nil",
                ),
                (
                    "(progn (create-mailbox mb \"box\") (move-letters (select-letters mb :all) :to \"box\"))",
                    "2",
                ),
                ("(uids :all)", "nil"),
                // What comes back is new: it has a new UID.
                (
                    "(move-letters (select-letters mb '(:subject \"a\") :mailbox \"box\") :to \"inbox\")",
                    "1",
                ),
                ("(uids :all)", "(4)"),
            ],
        );
    });
}

#[test]
fn a_date_begins_with_what_arrived_on_that_day() {
    let server = Server::sandbox(empty());
    for (at, day) in ["2024-01-01", "2024-01-02", "2024-01-03"].into_iter().enumerate() {
        let date = format!("{day}T12:00:00Z[UTC]").parse().unwrap();
        let letter = format!("Subject: {at}\r\n\r\nx\r\n");
        server
            .store()
            .deliver_with(&server.user, "INBOX", letter.as_bytes(), &[], Some(date))
            .unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(&server, folder.path());
    check(
        &mut session,
        &[
            ("(uids \"2-Jan-2024\")", "(2 3)"),
            ("(uids (parse-date \"3 Jan 2024 00:00:00 +0000\"))", "(3)"),
            ("(commit-cursor mb 'filer)", "t"),
            ("(uids :all)", "nil"),
        ],
    );
}

#[test]
fn the_body_of_with_new_letters_commits_only_at_its_end() {
    each_server(|server, folder| {
        deliver(server, &["a"]);
        let mut session = session(server, folder);
        check(
            &mut session,
            &[
                (
                    "(identifier-of (lambda () (with-new-letters (set mb 'filer :from :all) (letter-uid 5))))",
                    ":syntax-error",
                ),
                (
                    "(block nil (with-new-letters (set mb 'filer :from :all) (return :left)))",
                    ":left",
                ),
                ("(with-new-letters (set mb 'filer :from :all) (letters-uids set))", "(1)"),
                ("(with-new-letters (set mb 'filer :from :all) (letters-uids set))", "nil"),
            ],
        );
    });
}

#[test]
fn another_mailbox_may_be_selected_before_the_commit() {
    each_server(|server, folder| {
        deliver(server, &["a"]);
        let mut session = session(server, folder);
        check(
            &mut session,
            &[
                ("(uids :all)", "(1)"),
                ("(progn (create-mailbox mb \"box\") (select-mailbox mb \"box\"))", "t"),
                ("(commit-cursor mb 'filer)", "t"),
                ("(progn (select-mailbox mb \"inbox\") (uids :all))", "nil"),
            ],
        );
    });
}

#[test]
fn of_two_processes_with_one_cursor_the_second_is_told() {
    let server = Server::sandbox(empty());
    let folder = tempfile::tempdir().unwrap();
    deliver(&server, &["a"]);
    let [mut first, mut second] = [(); 2].map(|()| session(&server, folder.path()));
    check(&mut first, &[("(uids :all)", "(1)")]);
    check(&mut second, &[("(uids :all)", "(1)"), ("(commit-cursor mb 'filer)", "t")]);
    check(
        &mut first,
        &[
            ("(identifier-of (lambda () (commit-cursor mb 'filer)))", ":in-doubt"),
            ("(uids :all)", "nil"),
        ],
    );
}

/// Gives the inbox new UIDs, as a server does that rebuilds it: the letters come again in another
/// order, and a new one among them.
fn renumber(server: &Server, session: &mut Session, subjects: &[&str]) {
    check(
        session,
        &[("(progn (rename-mailbox mb \"box\" \"old\") (create-mailbox mb \"box\") t)", "t")],
    );
    let mut client = server.connect();
    client.select("old", false).unwrap();
    let dates = client
        .fetch_all(
            &postoffice::proto::imap::Messages::all(),
            &"(INTERNALDATE ENVELOPE)".parse().unwrap(),
        )
        .unwrap();
    for subject in subjects {
        let letter = format!("Subject: {subject}\r\nMessage-ID: <{subject}@x>\r\n\r\nx\r\n");
        let old = dates
            .iter()
            .find(|letter| letter.envelope.as_ref().unwrap().subject.as_deref() == Some(subject));
        client
            .append("box", &[], old.and_then(|letter| letter.internal_date), letter.as_bytes())
            .unwrap();
    }
    client.delete("old").unwrap();
}

#[test]
fn after_another_uidvalidity_the_script_chooses_what_is_new() {
    each_server(|server, folder| {
        let mut session = session(server, folder);
        let letter =
            |subject: &str| format!("Subject: {subject}\r\nMessage-ID: <{subject}@x>\r\n\r\nx\r\n");
        check(&mut session, &[("(progn (create-mailbox mb \"box\") t)", "t")]);
        let mut client = server.connect();
        for subject in ["a", "b", "c"] {
            client.append("box", &[], None, letter(subject).as_bytes()).unwrap();
        }
        check(
            &mut session,
            &[
                ("(progn (select-mailbox mb \"box\") (uids :all))", "(1 2 3)"),
                ("(commit-cursor mb 'filer)", "t"),
                ("(progn (select-mailbox mb \"inbox\") t)", "t"),
            ],
        );
        renumber(server, &mut session, &["c", "new", "a"]);
        check(
            &mut session,
            &[
                (
                    "(progn (select-mailbox mb \"box\") (identifier-of (lambda () (uids :now))))",
                    ":uid-validity-changed",
                ),
                (
                    "(handler-bind ((po-error (lambda (c) (invoke-restart 'resynchronise)))) (uids :now))",
                    "(2)",
                ),
                // Nothing is committed yet.
                ("(identifier-of (lambda () (uids :now)))", ":uid-validity-changed"),
                (
                    "(handler-bind ((po-error (lambda (c) (invoke-restart 'start-over)))) (uids :all))",
                    "(1 2 3)",
                ),
                (
                    "(handler-bind ((po-error (lambda (c) (invoke-restart 'resynchronise)))) (uids :now))",
                    "(2)",
                ),
                ("(commit-cursor mb 'filer)", "t"),
                ("(uids :now)", "nil"),
            ],
        );
    });
}

#[test]
fn arguments_and_states_that_cannot_be_used_have_clear_errors() {
    let server = Server::sandbox(empty());
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(&server, folder.path());
    check(
        &mut session,
        &[
            (
                "(commit-cursor mb 'filer)",
                "commit-cursor: new-letters was not called for the cursor \"filer\" on this mailbox object since the last commit",
            ),
            (
                "(new-letters mb 5)",
                "new-letters: cursor: expected the name of a cursor, a symbol or a string, got 5",
            ),
            (
                "(new-letters mb 'filer :from :then)",
                "new-letters: :from: expected :now, :all or a date, got :then",
            ),
            (
                "(progn (close-mailbox mb) (identifier-of (lambda () (uids :now))))",
                ":error-response",
            ),
        ],
    );
    std::fs::write(folder.path().join("state.db"), vec![b'x'; 5000]).unwrap();
    check(
        &mut session,
        &[(
            "(progn (select-mailbox mb \"inbox\") (identifier-of (lambda () (uids :now))))",
            ":file",
        )],
    );
}

#[test]
fn a_cursor_is_kept_under_its_account_and_read_only_for_its_owner() {
    let server = Server::sandbox(empty());
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(&server, folder.path());
    check(&mut session, &[("(uids :now)", "nil")]);
    let database = Database::open(folder.path(), Sync::Normal).unwrap();
    let key = CursorKey {
        account: format!("{}@127.0.0.1:{}", server.user, server.port),
        mailbox: "INBOX".into(),
        name: "filer".into(),
    };
    let cursors = database.cursors().unwrap();
    assert_eq!(cursors.len(), 1);
    assert_eq!(cursors[0].0, key);
}
