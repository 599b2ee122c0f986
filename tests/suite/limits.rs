//! Limits on changes hold against scripts that try to get around them: nothing of what is refused
//! reaches the server, on the sandbox and on Dovecot, as limits of the program and as `with-limits`.

use crate::support::{Server, define_lose, empty, sandboxes};
use postoffice::api::{Setup, attach};
use postoffice::guard::{Budget, ChangeLimits};
use postoffice::proto::imap::command::StoreMode;
use postoffice::proto::imap::{Flag, Messages};
use postoffice::repl::Session;
use postoffice::sandbox::{Account, Extension, Options, Quota};
use postoffice::transport::Connector;
use std::sync::Arc;

const LETTERS: [&str; 5] = [
    "Subject: 1\n\nx\n",
    "Subject: 2\n\nx\n",
    "Subject: 3\n\nx\n",
    "Subject: 4\n\nx\n",
    "Subject: 5\n\nx\n",
];

/// An account with five letters in the inbox, of which the first three are marked `\Deleted`, and
/// the mailboxes `full`, with three letters, and `lists/a`.
fn fill(server: &Server) {
    let mut client = server.with_letters(&LETTERS);
    for name in ["full", "lists/a"] {
        client.create(name).unwrap();
    }
    client.copy(&Messages::numbers([1, 2, 3]), "full").unwrap();
    client.store_silently(&Messages::numbers([1, 2, 3]), StoreMode::Add, &[Flag::DELETED]).unwrap();
    client.select("full", false).unwrap(); // which clears \Recent
    client.close();
}

fn servers() -> impl Iterator<Item = Server> {
    let servers = [Some(Server::sandbox(empty())), Server::dovecot()];
    servers.into_iter().flatten().inspect(fill)
}

/// A session under these limits, with `(imap)`, `(pop)`, and `mb`, whose inbox is selected.
fn session(server: &Server, limits: ChangeLimits) -> Session {
    let smtp = if server.is_sandbox() { server.the_sandbox().smtp_address().port() } else { 1 };
    let ports = [(143, server.port), (110, server.pop_port), (25, smtp)];
    let redirect = |(from, to)| format!("h:{from}=127.0.0.1:{to}").parse().unwrap();
    let connector = Connector { redirects: ports.map(redirect).to_vec(), ..Connector::default() };
    let setup = Setup { connector, budget: Arc::new(Budget::new(limits)), ..Setup::default() };
    let mut session = Session::new(Vec::new());
    attach(session.host(), &setup);
    define_lose(&mut session);
    let login = format!(":user {:?} :password {:?}", server.user, server.password);
    for form in [
        format!("(defun imap () (make-imap-connection \"h\" {login} :auth :login))"),
        format!("(defun pop () (make-pop-connection \"h\" {login}))"),
        "(setq mb (imap))".to_owned(),
        "(select-mailbox mb \"inbox\")".to_owned(),
    ] {
        assert!(session.evaluate(&form).result.is_ok(), "{form}");
    }
    session
}

fn none() -> ChangeLimits {
    ChangeLimits::default()
}

fn deletes(most: u64) -> ChangeLimits {
    ChangeLimits { max_deletes: Some(most), ..none() }
}

fn changes(most: u64) -> ChangeLimits {
    ChangeLimits { max_changes: Some(most), ..none() }
}

fn read_only() -> ChangeLimits {
    ChangeLimits { read_only: true, ..none() }
}

fn only(pattern: &str) -> ChangeLimits {
    ChangeLimits { only_mailbox: vec![pattern.parse().unwrap()], ..none() }
}

/// The options of `with-limits` for the same limits.
fn options(limits: &ChangeLimits) -> String {
    let mut options = String::new();
    if limits.read_only {
        options += " :read-only t";
    }
    for (name, most) in [("deletes", limits.max_deletes), ("changes", limits.max_changes)] {
        options += &most.map(|most| format!(" :max-{name} {most}")).unwrap_or_default();
    }
    for pattern in &limits.only_mailbox {
        options += &format!(" :only-mailbox \"{pattern}\"");
    }
    options
}

/// Evaluates a form under limits of the program, and again under `with-limits`. Returns each time
/// what it shows; an error as the list of its identifier.
fn under(server: &Server, limits: &ChangeLimits, form: &str) -> [String; 2] {
    let form = format!("(handler-case {form} (po-error (c) (list (po-condition-identifier c))))");
    let within = format!("(with-limits ({}) {form})", options(limits));
    [
        session(server, limits.clone()).evaluate(&form).text(),
        session(server, none()).evaluate(&within).text(),
    ]
}

/// Asserts that each form is refused by a limit, and that nothing of it reached the store.
fn all_are_refused(limits: &ChangeLimits, forms: &[&str]) {
    for server in servers() {
        let mut wrong = Vec::new();
        for form in forms {
            let shown = server.left_as_it_was(form, || under(&server, limits, form));
            // Before it there may be a warning, of a connection that was lost.
            if !shown.iter().all(|shown| shown.ends_with("(:limit)")) {
                wrong.push((form, shown));
            }
        }
        assert!(wrong.is_empty(), "on {}: {wrong:#?}", server.name);
    }
}

#[test]
fn no_way_deletes_more_letters_than_may_be_deleted() {
    all_are_refused(
        &deletes(2),
        &[
            "(expunge-mailbox mb)",
            "(expunge-mailbox mb :uids '(:seq 1 5))",
            "(close-mailbox mb)",
            "(delete-letter mb 5)", // the three others that are marked would leave with it
            "(delete-letter mb '(:seq 3 5))",
            "(delete-letter mb '(:seq 1 :*) :uid t)",
            "(delete-letters (select-letters mb :all))",
            "(delete-letters (letters-union (select-letters mb '(:seq 4 5)) (select-letters mb :all :mailbox \"full\")))",
            "(delete-mailbox mb \"full\")",
            "(with-limits (:max-deletes 0) (replace-letter mb 4 (format nil \"x: y~%~%z~%\")))",
            "(apply #'expunge-mailbox (list mb))",
            "(funcall (lambda (f) (funcall f mb)) #'close-mailbox)",
            "(eval '(expunge-mailbox mb))",
            "(macrolet ((zap (m) `(expunge-mailbox ,m))) (zap mb))",
            "(let ((other (imap))) (select-mailbox other \"inbox\") (expunge-mailbox other))",
            "(remove-duplicates (mapcar #'po-condition-identifier (parallel-map (lambda (i) (let ((m (imap))) (select-mailbox m \"inbox\") (expunge-mailbox m))) '(1 2))))",
            "(with-limits (:max-deletes 1000) (expunge-mailbox mb))",
            "(with-limits (:max-changes 1000) (with-limits () (expunge-mailbox mb)))",
            "(with-reconnect () (expunge-mailbox mb))",
            "(with-reconnect () (lose) (expunge-mailbox mb))",
            "(handler-bind ((po-error (lambda (c) (when (find-restart 'retry) (invoke-restart 'retry))))) (expunge-mailbox mb))",
            "(let ((pb (pop))) (delete-letter pb '(1 2 3)) (close-connection pb))",
            "(let ((pb (pop))) (dolist (n '(1 2 3)) (delete-letter pb n)) (close-connection pb))",
            "(let ((pb (pop))) (delete-letter pb '(1 2)) (with-limits (:max-deletes 1) (close-connection pb)))",
            "(let ((a (pop)) (b nil)) (delete-letter a '(1 2)) (with-limits (:read-only t) (close-connection a)))",
            "(progn (%leave-limits (%limits :max-deletes 2)) (expunge-mailbox mb))",
            "(progn (catch 'out (with-limits (:max-deletes 9) (throw 'out 1))) (expunge-mailbox mb))",
        ],
    );
}

#[test]
fn no_number_of_attempts_changes_anything() {
    let table = [
        (deletes(2), "(dotimes (i 9 :done) (ignore-errors (expunge-mailbox mb)))"),
        (
            deletes(2),
            "(progn (handler-case (expunge-mailbox mb) (po-error (c) (ignore-errors (close-mailbox mb)))) :done)",
        ),
        (
            deletes(2),
            "(progn (parallel-map (lambda (i) (let ((m (imap))) (select-mailbox m \"inbox\") (ignore-errors (expunge-mailbox m)) nil)) '(1 2 3)) :done)",
        ),
        (
            changes(0),
            "(progn (ignore-errors (pipelined-map (lambda (n) (alter-flags mb n :add-flags :\\\\flagged)) (lambda (n r) r) '(1 2 3))) :done)",
        ),
        (
            changes(0),
            "(progn (unwind-protect (ignore-errors (fetch-letter mb 1)) (ignore-errors (alter-flags mb 1 :add-flags :\\\\flagged))) :done)",
        ),
        (
            changes(2),
            "(progn (ignore-errors (with-read-ahead (mb '(:seq 1 5) \"body[]\") (with-limits (:max-changes 0) (fetch-letter mb 1)))) :done)",
        ),
    ];
    for server in servers() {
        for (limits, form) in &table {
            let shown = server.left_as_it_was(form, || under(&server, limits, form));
            assert_eq!(shown, [":done", ":done"], "{form} on {}", server.name);
        }
    }
}

#[test]
fn no_way_changes_more_than_may_be_changed() {
    all_are_refused(
        &changes(1),
        &[
            "(alter-flags mb '(1 2) :add-flags :\\\\flagged)",
            "(alter-flags mb '(:seq 1 :*) :add-flags :\\\\flagged)",
            "(alter-flags mb '(:seq 1 9) :uid t :add-flags :\\\\flagged)",
            "(alter-flags mb '(:seq 4 5) :flags :\\\\flagged :silent t)",
            "(flag-letters (select-letters mb :all) :\\\\flagged)",
            "(flag-letters (letters-union (select-letters mb '(:seq 1 1)) (select-letters mb '(:seq 1 1) :mailbox \"full\")) :\\\\flagged)",
            "(move-letters (letters-union (select-letters mb '(:seq 1 1)) (select-letters mb '(:seq 1 1) :mailbox \"full\")) :to \"lists/a\")",
            "(label-letters (select-letters mb :all) \"x\")",
            "(with-limits (:max-changes 1) (replace-letter mb 4 (format nil \"x: y~%~%z~%\")))",
            "(fetch-parts mb '(1 2) \"body[]\")",
            "(fetch-parts mb '(:seq 1 :*) \"(flags rfc822.text)\")",
            "(copy-to-mailbox mb '(1 2) \"full\")",
            "(move-to-mailbox mb '(1 2) \"full\")",
            "(move-to-mailbox mb '(:seq 1 :*) \"full\")",
            "(move-letters (select-letters mb :all) :to \"full\")",
            "(copy-letters mb '(1 2) (imap) \"full\")",
            "(move-letters (select-letters mb :all) :to (list (imap) \"full\"))",
            "(delete-letter mb '(4 5))",
            "(expunge-mailbox mb)",
            "(close-mailbox mb)",
            "(delete-mailbox mb \"full\")",
            "(with-limits (:max-changes 0) (create-mailbox mb \"new\"))",
            "(with-limits (:max-changes 0) (append-letter mb \"full\" (format nil \"x: y~%~%z~%\")))",
            "(with-limits (:max-changes 0) (subscribe-mailbox mb \"lists/a\"))",
            "(with-limits (:max-changes 0) (rename-mailbox mb \"lists/a\" \"lists/b\"))",
            "(with-limits (:max-changes 0) (fetch-letter mb 4))",
            "(with-limits (:max-changes 0) (run-program \"true\"))",
            "(with-limits (:max-changes 0) (send-smtp '(:program \"true\") \"a@example.org\" \"b@example.org\" \"x\"))",
            "(with-limits (:max-changes 0) (let ((pb (pop))) (delete-letter pb 1) (close-connection pb)))",
        ],
    );
}

#[test]
fn read_only_lets_nothing_through_that_changes_a_store() {
    all_are_refused(
        &read_only(),
        &[
            "(alter-flags mb 1 :add-flags :\\\\flagged)",
            "(flag-letters (select-letters mb :all) :\\\\flagged)",
            "(delete-letters (select-letters mb :all))",
            "(move-letters (select-letters mb :all) :to \"full\")",
            "(copy-letters (select-letters mb :all) :to \"full\")",
            "(move-letters (select-letters mb :all) :to (list (imap) \"full\"))",
            "(copy-to-mailbox mb 1 \"full\")",
            "(move-to-mailbox mb 1 \"full\" :create t)",
            "(delete-letter mb 1)",
            "(delete-letter mb 1 :expunge nil)",
            "(expunge-mailbox mb)",
            "(append-letter mb \"full\" \"x\")",
            "(create-mailbox mb \"new\")",
            "(ensure-mailbox mb \"new\")",
            "(rename-mailbox mb \"full\" \"empty\")",
            "(delete-mailbox mb \"full\")",
            "(subscribe-mailbox mb \"full\")",
            "(unsubscribe-mailbox mb \"full\")",
            "(let ((pb (pop))) (delete-letter pb 1) (close-connection pb))",
            "(run-program \"true\")",
            "(send-letter '(:program \"true\") \"a@example.org\" \"b@example.org\" \"x\")",
            "(with-limits (:read-only nil) (create-mailbox mb \"new\"))",
            "(list (po-condition-identifier (first (parallel-map (lambda (name) (create-mailbox (imap) name)) '(\"new\")))))",
        ],
    );
}

#[test]
fn read_only_reads_without_marking_anything() {
    let forms = [
        "(progn (fetch-letter mb 4) t)",
        "(progn (fetch-letter mb 4 :uid t) t)",
        "(progn (fetch-parts mb '(:seq 1 :*) \"(flags body[])\") t)",
        "(equal (fetch-field 4 \"rfc822.text\" (fetch-parts mb 4 \"rfc822.text\")) (format nil \"x~%\"))",
        "(progn (dolist (n (search-mailbox mb :all)) (fetch-letter mb n)) t)",
        "(with-read-ahead (mb '(:seq 1 :*) \"body[]\") (dotimes (n 5 t) (fetch-letter mb (+ n 1))))",
        "(progn (pipelined-map (lambda (n) (fetch-letter mb n)) (lambda (n r) r) '(1 2 3)) t)",
        "(progn (with-fetch-letter-sequence (mb 4) (fetch-letter-sequence mb (make-bytevector 9))) t)",
        "(progn (select-mailbox mb \"full\") (fetch-letter mb 1) t)",
        "(progn (select-mailbox mb \"full\") (close-mailbox mb) t)",
        "(progn (lose) (with-reconnect () (fetch-letter mb 4)) t)",
        "(progn (map-letters #'letter-text (select-letters mb :all)) t)",
        "(let ((pb (pop))) (fetch-letter pb 1) (close-connection pb))",
    ];
    for server in servers() {
        for limits in
            [read_only(), only("nothing"), ChangeLimits { max_changes: Some(0), ..read_only() }]
        {
            // Dovecot marks what POP fetches as seen.
            let forms = forms.iter().filter(|form| server.is_sandbox() || !form.contains("(pop)"));
            for form in forms {
                let shown = server.left_as_it_was(form, || under(&server, &limits, form));
                assert_eq!(shown, ["t", "t"], "{form} on {} under {limits:?}", server.name);
            }
        }
    }
}

#[test]
fn other_mailboxes_are_not_changed() {
    all_are_refused(
        &only("lists/*"),
        &[
            "(alter-flags mb 1 :add-flags :\\\\flagged)",
            "(expunge-mailbox mb)",
            "(copy-to-mailbox mb 1 \"full\")",
            "(move-to-mailbox mb 1 \"lists/a\")", // it would leave the inbox
            "(move-letters (select-letters mb :all) :to (list (imap) \"lists/a\"))",
            "(append-letter mb \"inbox\" \"x\")",
            "(create-mailbox mb \"lists\")",
            "(create-mailbox mb \"lists/../full\")",
            "(rename-mailbox mb \"lists/a\" \"full2\")",
            "(rename-mailbox mb \"full\" \"lists/full\")",
            "(delete-mailbox mb \"full\")",
            "(subscribe-mailbox mb \"full\")",
            "(with-limits (:only-mailbox \"full\") (create-mailbox mb \"lists/b\"))",
            "(with-limits (:only-mailbox '(\"full\" \"inbox\")) (delete-mailbox mb \"full\"))",
            "(let ((pb (pop))) (delete-letter pb 1))",
        ],
    );
    for server in servers() {
        let mut session = session(&server, only("lists/*"));
        for (form, expected) in [
            ("(copy-to-mailbox mb 4 \"lists/a\")", None),
            ("(create-mailbox mb \"lists/b\")", Some("t")),
            ("(rename-mailbox mb \"lists/b\" \"lists/c\")", Some("t")),
            ("(select-mailbox mb \"lists/a\")", None),
            ("(delete-letter mb 1)", Some("(1)")),
        ] {
            let answer = session.evaluate(form);
            assert!(answer.result.is_ok(), "{form} on {}: {}", server.name, answer.text());
            if let Some(expected) = expected {
                assert_eq!(answer.text(), expected, "{form} on {}", server.name);
            }
        }
    }
}

#[test]
fn renaming_a_mailbox_renames_those_below_it() {
    for server in servers() {
        server.connect().create("full/below").unwrap();
        let mut session = session(&server, only("f%"));
        for form in
            ["(rename-mailbox mb \"full\" \"fuller\")", "(delete-mailbox mb \"full/below\")"]
        {
            let answer = session.evaluate(form).text();
            assert!(answer.contains("\"full/below\"") && answer.ends_with("[:limit]"), "{answer}");
        }
        server.connect().delete("full/below").unwrap();
        let answer = session.evaluate("(rename-mailbox mb \"full\" \"fuller\")").text();
        assert_eq!(answer, "t", "{}", server.name);
    }
}

#[test]
fn what_fits_is_done_and_counted() {
    // The form runs under the limits; a second one shows what is left of them.
    let flag = "(alter-flags mb 5 :add-flags :\\\\flagged :silent t)";
    let table = [
        // The last of four changes is one too many.
        (changes(3), format!("(dotimes (i 4) {flag})"), "(:limit)"),
        (changes(4), format!("(dotimes (i 4 :done) {flag})"), ":done"),
        // Letters that are seen already, and UIDs without a letter, do not count.
        (changes(1), "(dotimes (i 4 :done) (fetch-letter mb 4))".into(), ":done"),
        (changes(2), "(alter-flags mb '(:seq 4 4000) :uid t :add-flags :\\\\flagged :silent t)".into(), "nil"),
        // A refusal by the server, or by a limit, is not counted.
        (changes(1), format!("(progn (dotimes (i 4) (ignore-errors (delete-mailbox mb \"nowhere\"))) {flag})"), "nil"),
        (changes(2), format!("(progn (dotimes (i 4) (ignore-errors (copy-to-mailbox mb '(:seq 1 :*) \"full\"))) {flag})"), "nil"),
        // Inner limits count for themselves, and for the outer ones.
        (changes(3), format!("(progn (with-limits (:max-changes 2) {flag} {flag}) {flag})"), "nil"),
        (changes(3), format!("(progn (with-limits (:max-changes 2) {flag} {flag}) {flag} {flag})"), "(:limit)"),
        (changes(3), format!("(progn (ignore-errors (with-limits (:max-changes 0) {flag})) {flag} {flag} {flag} :done)"), ":done"),
        // An inner limit ends with its body, whichever way.
        (none(), format!("(progn (ignore-errors (with-limits (:max-changes 0) {flag})) {flag})"), "nil"),
        (none(), format!("(progn (catch 'out (with-limits (:max-changes 0) (throw 'out 1))) {flag})"), "nil"),
        (none(), format!("(progn (block out (with-limits (:max-changes 0) (return-from out 1))) {flag})"), "nil"),
        (none(), format!("(progn (with-simple-restart (skip \"skip\") (with-limits (:max-changes 0) (invoke-restart 'skip))) {flag})"), "nil"),
        // A move is no deletion; a letter that is deleted counts once.
        (deletes(0), "(progn (move-to-mailbox mb 4 \"full\") :done)".into(), ":done"),
        (deletes(0), "(move-letters (select-letters mb '(:seq 4 4)) :to \"full\")".into(), "1"),
        (deletes(0), "(move-letters (select-letters mb '(:seq 4 4)) :to (list (imap) \"full\"))".into(), "1"),
        (deletes(4), "(progn (delete-letter mb 4) :done)".into(), ":done"),
        (deletes(1), "(delete-letters (select-letters mb '(:seq 5 5)))".into(), "1"),
        (deletes(3), "(progn (delete-mailbox mb \"full\") :done)".into(), ":done"),
        (changes(1), "(delete-letters (select-letters mb '(:seq 5 5)))".into(), "1"),
        (changes(2), "(let ((pb (pop))) (delete-letter pb '(1 2)) (close-connection pb) :done)".into(), ":done"),
        (changes(2), "(let ((pb (pop))) (delete-letter pb '(1 2)) (reset-mailbox pb) (delete-letter pb '(1 2)) (close-connection pb) :done)".into(), ":done"),
        // The letters of an inbox that is renamed are moved.
        (changes(5), "(rename-mailbox mb \"inbox\" \"old\")".into(), "(:limit)"),
        // The threads of a parallel map share one count.
        (changes(2), format!("(let ((answers (parallel-map (lambda (i) (let ((mb (imap))) (select-mailbox mb \"inbox\") (handler-case (progn {flag} 1) (:limit (c) 0)))) '(1 2 3 4)))) (apply #'+ answers))"), "2"),
    ];
    for (limits, form, expected) in &table {
        for within in [false, true] {
            for server in servers() {
                let form = format!(
                    "(handler-case {form} (po-error (c) (list (po-condition-identifier c))))"
                );
                let shown = if within {
                    let form = format!("(with-limits ({}) {form})", options(limits));
                    session(&server, none()).evaluate(&form).text()
                } else {
                    session(&server, limits.clone()).evaluate(&form).text()
                };
                assert_eq!(shown, *expected, "{form} on {} under {limits:?}", server.name);
            }
        }
    }
}

#[test]
fn a_move_without_move_is_no_deletion() {
    for (name, server) in sandboxes(&[Extension::Move, Extension::UidPlus]) {
        let mut client = server.with_letters(&LETTERS);
        client.create("full").unwrap();
        client.close();
        let mut session = session(&server, ChangeLimits { max_changes: Some(4), ..deletes(0) });
        for (form, expected) in [
            ("(progn (move-to-mailbox mb '(1 2) \"full\") t)", "t"),
            ("(move-letters (select-letters mb '(:seq 1 1)) :to \"full\")", "1"),
            ("(move-letters (select-letters mb '(:seq 1 1)) :to (list (imap) \"full\"))", "1"),
            ("(mailbox-message-count mb)", "1"),
        ] {
            assert_eq!(session.evaluate(form).text(), expected, "{form} {name}");
        }
        let before = server.store().letters(&server.user, "INBOX").len();
        assert!(session.evaluate("(move-to-mailbox mb 1 \"full\")").text().ends_with("[:limit]"));
        assert_eq!(server.store().letters(&server.user, "INBOX").len(), before);
        assert_eq!(server.store().letters(&server.user, "full").len(), 4, "{name}");
    }
}

#[test]
fn what_does_not_fit_into_a_quota_is_given_back() {
    let quota = Quota { messages: Some(6), ..Quota::default() };
    let accounts = vec![Account::new("user", "pw").with_quota(quota)];
    let server = Server::sandbox(Options { accounts, ..empty() });
    let mut client = server.with_letters(&LETTERS);
    client.create("full").unwrap();
    client.close();
    let append = "(append-letter mb \"full\" (format nil \"x: y~%~%z~%\"))";
    let mut session = session(&server, changes(2));
    for (form, expected) in [
        (format!("(progn {append} :done)"), ":done"),
        (format!("(dotimes (i 5 :done) (ignore-errors {append}))"), ":done"),
        (
            "(dotimes (i 5 :done) (ignore-errors (copy-to-mailbox mb '(1 2 3) \"full\")))".into(),
            ":done",
        ),
        ("(progn (alter-flags mb 1 :add-flags :\\\\flagged) :done)".into(), ":done"),
        (format!("(handler-case {append} (:limit (c) :refused))"), ":refused"),
    ] {
        assert_eq!(session.evaluate(&form).text(), expected, "{form}");
    }
    assert_eq!(server.store().letters(&server.user, "full").len(), 1);
}

#[test]
fn a_refusal_names_the_function_the_rule_and_the_count() {
    let server = Server::sandbox(empty());
    fill(&server);
    let inbox = "\"INBOX\" on h";
    let table = [
        (deletes(2), "(expunge-mailbox mb)", format!("expunge-mailbox: max-deletes 2 does not allow to remove letters from {inbox}: it is 3 deletions, and 2 of 2 are left")),
        (deletes(2), "(progn (delete-letters (select-letters mb '(:seq 5 5))) (expunge-mailbox mb))", format!("expunge-mailbox: max-deletes 2 does not allow to remove letters from {inbox}: it is 3 deletions, and 1 of 2 are left")),
        (changes(0), "(create-mailbox mb \"x\")", "create-mailbox: max-changes 0 does not allow to create the mailbox \"x\" on h: it is 1 change, and 0 of 0 are left".to_owned()),
        (read_only(), "(create-mailbox mb \"x\")", "create-mailbox: read-only does not allow to create the mailbox \"x\" on h".to_owned()),
        (read_only(), "(delete-letters (select-letters mb :all))", "delete-letters: read-only does not allow to change flags of letters in \"inbox\" on h".to_owned()),
        (only("lists/*"), "(move-to-mailbox mb 1 \"lists/a\")", format!("move-to-mailbox: only-mailbox \"lists/*\" does not allow to move to \"lists/a\" letters of {inbox}: \"INBOX\" does not match")),
        (read_only(), "(run-program \"true\")", "run-program: read-only does not allow to run true".to_owned()),
    ];
    for (limits, form, expected) in table {
        let shown = session(&server, limits).evaluate(form).text();
        let shown = shown.replace("\"inbox\"", "\"INBOX\"");
        let expected = expected.replace("\"inbox\"", "\"INBOX\"");
        assert_eq!(shown, format!("Error: {expected} [:limit]"), "{form}");
    }
}

#[test]
fn a_server_that_does_not_say_how_many_letters_it_is_gets_no_command() {
    let server = Server::sandbox(empty());
    fill(&server);
    let mut session = session(&server, deletes(100));
    session.evaluate("(delete-mailbox mb \"lists\")"); // a level without a mailbox has no STATUS
    let answer = session.evaluate("(delete-mailbox mb \"nowhere\")").text();
    assert!(
        answer.starts_with("Error: delete-mailbox: max-deletes 100 does not allow")
            && answer.ends_with("the server does not say how many letters that is [:limit]"),
        "{answer}"
    );
}

#[test]
fn an_untrusted_script_cannot_lift_a_limit() {
    use postoffice::host::{Host, Options};
    let setup = Setup {
        budget: Arc::new(Budget::new(deletes(2))),
        ..Setup::sandboxed(postoffice::sandbox::Options { accept_any: true, ..Default::default() })
            .unwrap()
    };
    let policy = postoffice::policy::Policy::untrusted();
    let mut host = Host::new(Options { policy, ..Options::default() });
    attach(&mut host, &setup);
    for form in [
        "(with-imap-connection (mb \"h\" :user \"u\" :password \"p\") (select-mailbox mb \"inbox\") (with-limits (:max-deletes 9) (delete-letter mb '(1 2 3))))",
        "(with-limits (:max-deletes 0) (with-imap-connection (mb \"h\" :user \"u\" :password \"p\") (select-mailbox mb \"inbox\") (delete-letter mb 1)))",
    ] {
        let report = host.evaluate(form, "script").unwrap_err();
        assert_eq!(report.condition.identifier.name(), "limit", "{form}: {report}");
    }
}

#[test]
fn wrong_options_are_refused() {
    let mut session = session(&Server::sandbox(Options::default()), none());
    for form in [
        "(with-limits (:max-deletes -1) 1)",
        "(with-limits (:max-changes 1.5) 1)",
        "(with-limits (:read-only 1) 1)",
        "(with-limits (:only-mailbox 7) 1)",
        "(with-limits (:only-mailbox \"\") 1)",
        "(with-limits (:only-mailbox '(\"a\" 7)) 1)",
        "(with-limits (:most 1) 1)",
    ] {
        let answer = session.evaluate(form).text();
        assert!(answer.starts_with("Error: with-limits: "), "{form}: {answer}");
        assert!(answer.ends_with("[:syntax-error]"), "{form}: {answer}");
    }
    for form in [
        "(with-limits () 7)",
        "(with-limits nil 7)",
        "(with-limits (:max-deletes nil :only-mailbox nil) 7)",
    ] {
        assert_eq!(session.evaluate(form).text(), "7", "{form}");
    }
}
