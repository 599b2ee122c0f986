//! Letters as values and sets of them, on the sandbox and on Dovecot.

use crate::support::{Server, define_lose, empty};
use postoffice::api::{Setup, attach};
use postoffice::repl::Session;
use postoffice::sandbox::{Account, Extension, Extensions, Options, Quota};

const LETTERS: [&str; 5] = [
    "From: Ann <ann@a.example>\nTo: me@x.example, \"You\" <you@y.example>\nSubject: Invoice 7\nDate: Mon, 1 Jan 2024 10:00:00 +0100\nMessage-ID: <1@a>\n\none\n",
    "From: bob@b.example\nSubject: =?utf-8?Q?gr=C3=BCn?=\nDate: Tue, 2 Jan 2024 10:00:00 +0000\nReferences: <1@a> <x@b>\nList-Id: The list <l.b.example>\n\ntwo\n",
    "Subject: no sender\nDate: nonsense\n\nthree\n",
    "From: Ann <ann@a.example>\nSubject: offer\nDate: Wed, 3 Jan 2024 10:00:00 +0000\nX-Tag: a\nX-Tag: =?utf-8?Q?=C3=A4?=\n\nfour\n",
    "From: Carl <carl@A.example>\nSubject: Re: offer\nDate: Fri, 5 Jan 2024 10:00:00 +0000\nIn-Reply-To: <4@a>\n\nfive\n",
];

/// A session whose `mb` is a connection to the server's account, with the letters in its inbox, and
/// an empty mailbox `box`.
fn session(server: &Server) -> Session {
    let mut client = server.with_letters(&LETTERS);
    client.create("box").unwrap();
    client.close();
    let mut session = Session::new(Vec::new());
    attach(session.host(), &Setup::default());
    define_lose(&mut session);
    let (user, password, port) = (&server.user, &server.password, server.port);
    let setup = format!(
        r#"(defun log-in () (make-imap-connection "127.0.0.1" :port {port} :user "{user}" :password "{password}" :auth :{auth}))
           (define-account work :host "127.0.0.1" :port {port} :user "{user}" :password "{password}" :auth :{auth})
           (setq mb (log-in))
           (select-mailbox mb "inbox")
           (setq all (select-letters mb :all))
           (defun slurp (path)
             (with-open-file (in path)
               (let ((lines '()))
                 (do ((line (read-line in nil nil) (read-line in nil nil)))
                     ((null line) (format nil "~{{~a~%~}}" (reverse lines)))
                   (push line lines)))))
           (defun identifier-of (thunk)
             (handler-case (funcall thunk) (po-error (c) (po-condition-identifier c))))"#,
        auth = if server.is_sandbox() { "plain" } else { "login" }
    );
    let reply = session.evaluate(&setup);
    assert!(reply.result.is_ok(), "{}", reply.text());
    session
}

fn servers() -> impl Iterator<Item = Server> {
    let bare = Extensions::default().without(Extension::Move).without(Extension::UidPlus);
    let bare = Server::sandbox(Options { extensions: bare, ..empty() });
    [Some(Server::sandbox(empty())), Some(bare), Server::dovecot()].into_iter().flatten()
}

/// Evaluates the forms one after the other, on every server. An empty result is any.
#[track_caller]
fn check(forms: &[(&str, &str)]) {
    servers().for_each(|server| check_on(&server, forms));
}

#[track_caller]
fn check_on(server: &Server, forms: &[(&str, &str)]) {
    let mut session = session(server);
    for (form, expected) in forms {
        if expected.is_empty() {
            assert!(session.evaluate(form).result.is_ok(), "{form}");
            continue;
        }
        let value = match session.evaluate(form).result {
            Ok(value) => value,
            Err(report) => report.condition.message,
        };
        assert_eq!(value, *expected, "{form} on {}", server.name);
    }
}

#[test]
fn letters_know_what_their_headers_say() {
    check(&[
        (
            "(map-letters #'letter-subject all)",
            r#"("Invoice 7" "grün" "no sender" "offer" "Re: offer")"#,
        ),
        (
            "(map-letters (lambda (l) (address-email (letter-from l))) all)",
            r#"("ann@a.example" "bob@b.example" nil "ann@a.example" "carl@A.example")"#,
        ),
        (
            "(map-letters (lambda (l) (address-domain (letter-from l))) all)",
            r#"("a.example" "b.example" nil "a.example" "a.example")"#,
        ),
        (
            "(letter-to (first (letters->list all)))",
            r#"((nil nil "me" "x.example") ("You" nil "you" "y.example"))"#,
        ),
        (
            r#"(map-letters (lambda (l) (date-day (letter-date l))) (select-letters mb '(:from "a.example")))"#,
            "(1 3 5)",
        ),
        // A date that cannot be read is that of the arrival.
        ("(< (- (get-universal-time) (letter-date (third (letters->list all)))) 1000)", "t"),
        ("(letter-references (second (letters->list all)))", r#"("<1@a>" "<x@b>")"#),
        ("(map-letters #'letter-list-id all)", r#"(nil "l.b.example" nil nil nil)"#),
        ("(letter-message-id (first (letters->list all)))", r#""<1@a>""#),
        ("(letter-in-reply-to (fifth (letters->list all)))", r#""<4@a>""#),
        (r#"(letter-header (fourth (letters->list all)) "x-tag" :all t)"#, r#"("a" "ä")"#),
        (r#"(letter-header (fourth (letters->list all)) "X-Tag")"#, r#""a""#),
        (r#"(letter-header (first (letters->list all)) "X-Tag")"#, "nil"),
        (
            "(first (letter-headers (fifth (letters->list all))))",
            r#"("From" . "Carl <carl@A.example>")"#,
        ),
        (
            "(map-letters #'letter-text all)",
            "(\"one\n\" \"two\n\" \"three\n\" \"four\n\" \"five\n\")",
        ),
        ("(letter-mailbox (first (letters->list all)))", r#""inbox""#),
        ("(letter-size (third (letters->list all)))", "45"),
        ("(letters-uids all)", "(1 2 3 4 5)"),
        ("(letter-attachments (first (letters->list all)))", "nil"),
    ]);
}

#[test]
fn the_accessors_take_parsed_letters_and_texts_too() {
    let letter = LETTERS[3].replace('\n', "\\n");
    let expected = r#"("offer" ("Ann" nil "ann" "a.example") "a" nil nil "four
" 3)"#;
    for form in ["text", "(parse-letter text)", "(string->utf8 text)"] {
        check(&[(
            &format!(
                r#"(let* ((text "{letter}") (l {form}))
                     (list (letter-subject l) (letter-from l) (letter-header l "x-tag") (letter-uid l) (letter-flags l)
                           (letter-text l) (date-day (letter-date l))))"#
            ),
            expected,
        )]);
    }
}

#[test]
fn reading_changes_nothing_and_asks_once() {
    for server in servers() {
        let mut session = session(&server);
        let before = if server.is_sandbox() { server.received().len() } else { 0 };
        let reading = r#"(do-letters (l (select-letters mb :all))
             (letter-subject l) (letter-from l) (letter-date l) (letter-size l) (letter-flags l) (letter-message-id l))"#;
        server.left_as_it_was("reading", || {
            for form in
                [reading, "(map-letters #'letter-text all)", "(map-letters #'letter-headers all)"]
            {
                assert!(session.evaluate(form).result.is_ok());
            }
            if server.is_sandbox() {
                let all = server.received().split_off(before);
                let own = all.iter().filter(|command| command.contains("Envelope"));
                assert_eq!(own.count(), 1, "one FETCH for all letters and facts: {all:?}");
            }
        });
    }
}

#[test]
fn sets_are_joined_narrowed_grouped_and_sorted() {
    check(&[
        (
            r#"(setq ann (select-letters mb '(:from "ann")))"#,
            r#"#<2 letters of inbox: "Invoice 7", "offer">"#,
        ),
        (
            r#"(setq offers (select-letters mb '(:subject "offer")))"#,
            r#"#<2 letters of inbox: "offer", "Re: offer">"#,
        ),
        ("(letters-uids (letters-union ann offers))", "(1 4 5)"),
        ("(letters-uids (letters-intersection ann offers))", "(4)"),
        ("(letters-uids (letters-difference all ann offers))", "(2 3)"),
        ("(letters-uids (letters-difference ann ann))", "nil"),
        (
            "(list (letters-count all) (letters-count '()) (letters-count (first (letters->list all))))",
            "(5 0 1)",
        ),
        (
            "(mapcar (lambda (g) (cons (car g) (letters-uids (cdr g)))) (group-letters all :by :domain))",
            r#"(("a.example" 1 4 5) ("b.example" 2) (nil 3))"#,
        ),
        ("(letters-uids (sort-letters all :by :subject))", "(2 1 3 4 5)"),
        ("(letters-uids (sort-letters all :by #'letter-uid :reverse t))", "(5 4 3 2 1)"),
        ("(letters-uids (sort-letters ann))", "(1 4)"),
        (
            "(sort-letters all :by (lambda (l) '(1)))",
            "sort-letters: :by: expected a function that returns numbers, strings or nil, got (1)",
        ),
        (
            "(letters-union all 5)",
            "letters-union: more: expected a letter or a set, as select-letters returns it, or a list of these, got 5",
        ),
        ("(first (letters->list all))", r#"#<letter 1 ann@a.example "Invoice 7">"#),
    ]);
}

#[test]
fn verbs_do_it_for_the_letters_that_are_there_and_count_the_others() {
    check(&[
        (r#"(multiple-value-list (flag-letters all '(:\\flagged :work)))"#, "(5 0)"),
        (r#"(letters-count (select-letters mb '(and :flagged (:keyword :work))))"#, "5"),
        (r#"(multiple-value-list (unflag-letters (first (letters->list all)) :work))"#, "(1 0)"),
        (
            r#"(mapcar (lambda (f) (not (null (member :work f)))) (map-letters #'letter-flags all))"#,
            "(nil t t t t)",
        ),
        (
            r#"(setq ann (select-letters mb '(:from "ann")))"#,
            r#"#<2 letters of inbox: "Invoice 7", "offer">"#,
        ),
        (r#"(multiple-value-list (move-letters ann :to "box"))"#, "(2 0)"),
        // They are gone, and skipped from now on.
        (r#"(multiple-value-list (move-letters all :to "new" :create t))"#, "(3 2)"),
        (r#"(multiple-value-list (move-letters all :to "box"))"#, "(0 5)"),
        ("(letter-subject (first (letters->list ann)))", r#""Invoice 7""#), // known before
        ("(letter-references (first (letters->list ann)))", "nil"),
        ("(letter-text (first (letters->list ann)))", "nil"),
        (
            r#"(map-letters #'letter-subject (select-letters mb :all :mailbox '("box" "new")))"#,
            r#"("Invoice 7" "offer" "grün" "no sender" "Re: offer")"#,
        ),
        (
            r#"(multiple-value-list (copy-letters (select-letters mb :all :mailbox "box") :to "inbox"))"#,
            "(2 0)",
        ),
        (
            r#"(multiple-value-list (delete-letters (select-letters mb '(:subject "offer") :mailbox '("box" "new"))))"#,
            "(2 0)",
        ),
        (
            r#"(mapcar (lambda (n) (second (mailbox-status mb n '(:messages)))) '("inbox" "box" "new"))"#,
            "(2 1 2)",
        ),
        (
            r#"(move-letters all :to 5)"#,
            "move-letters: :to: expected the name of a mailbox, or a list (mailbox-object \"name\") or (account \"name\"), got 5",
        ),
        (
            "(identifier-of (lambda () (move-letters (select-letters mb :all) :to \"nowhere\")))",
            ":error-response",
        ),
        ("(letters-count (select-letters mb :all))", "2"),
    ]);
}

#[test]
fn letters_go_to_another_connection_and_leave_only_then() {
    check(&[
        ("(setq other (log-in))", "#<mailbox::imap-mailbox @ #x2064ca8a>"),
        (
            r#"(multiple-value-list (copy-letters (first (letters->list all)) :to (list other "box")))"#,
            "(1 0)",
        ),
        (
            r#"(multiple-value-list (move-letters (select-letters mb '(:subject "offer")) :to (list other "box")))"#,
            "(2 0)",
        ),
        ("(letters-count (select-letters mb :all))", "3"),
        (r#"(letters-count (select-letters other :all :mailbox "box"))"#, "3"),
        (
            r#"(identifier-of (lambda () (move-letters (select-letters mb :all) :to (list other "nowhere"))))"#,
            ":error-response",
        ),
        ("(letters-count (select-letters mb :all))", "3"),
    ]);
}

#[test]
fn a_set_lends_the_connection_and_gives_it_back() {
    check(&[
        (r#"(letters-count (select-letters mb '(:subject "offer")))"#, "2"),
        (r#"(multiple-value-list (copy-letters all :to "box"))"#, "(5 0)"),
        (
            r#"(setq boxed (select-letters mb :all :mailbox "box"))"#,
            r#"#<5 letters of box: "Invoice 7", "grün", "no sender", …>"#,
        ),
        // What the script selected is what its own functions mean.
        ("(list (mailbox-name mb) (mailbox-message-count mb))", r#"("inbox" 5)"#),
        (r#"(multiple-value-list (delete-letters (second (letters->list boxed))))"#, "(1 0)"),
        ("(search-mailbox mb :all)", "(1 2 3 4 5)"),
        // What is known stays known; the set was printed before.
        ("(map-letters #'letter-size boxed)", "(152 156 45 126 115)"),
        // So does what a search saved.
        (
            r#"(progn (search-mailbox mb '(:subject "offer") :return '(:save)) (letters-uids (select-letters mb :all :mailbox "box")))"#,
            "(1 3 4 5)",
        ),
        ("(mapcar #'first (fetch-parts mb :saved \"uid\"))", "(4 5)"),
        // Numbers mean what they meant, since nothing has left the inbox.
        (
            r#"(envelope-subject (fetch-field 4 "envelope" (fetch-parts mb 4 "envelope")))"#,
            r#""offer""#,
        ),
        ("(letters-count (select-letters mb :all))", "5"),
        // Another connection takes a letter away while the set has the connection.
        (
            "(progn (select-mailbox mb \"inbox\") (letters-uids (select-letters mb :all :mailbox \"box\")))",
            "(1 3 4 5)",
        ),
        (
            r#"(let ((other (log-in))) (select-mailbox other "inbox") (delete-letter other 1) (close-connection other) (mailbox-name mb))"#,
            r#""inbox""#,
        ),
        ("(identifier-of (lambda () (fetch-letter mb 4 nil :peek t)))", ":in-doubt"),
        ("(search-mailbox mb :all)", "(1 2 3 4)"),
        ("(length (fetch-parts mb 4 \"flags\"))", "1"),
    ]);
}

#[test]
fn a_connection_without_a_selected_mailbox_has_none_afterwards() {
    check(&[
        (
            r#"(progn (setq fresh (log-in)) (letters-count (select-letters fresh :all :mailbox "inbox")))"#,
            "5",
        ),
        ("(mailbox-name fresh)", "nil"),
        ("(identifier-of (lambda () (select-letters fresh :all)))", ":error-response"),
        ("(identifier-of (lambda () (expunge-mailbox fresh)))", ":error-response"),
    ]);
}

#[test]
fn a_set_of_another_uidvalidity_is_refused() {
    for server in servers() {
        let mut session = session(&server);
        let form = r#"(progn
            (copy-letters all :to "box")
            (setq boxed (select-letters mb :all :mailbox "box"))
            (rename-mailbox mb "box" "old")
            (create-mailbox mb "box")
            (copy-letters all :to "box")
            (select-mailbox mb "inbox")
            (list (identifier-of (lambda () (delete-letters boxed)))
                  (identifier-of (lambda () (letter-list-id (first (letters->list boxed)))))
                  (second (mailbox-status mb "box" '(:messages)))))"#;
        assert_eq!(session.evaluate(form).text(), "(:stale :stale 5)", "{}", server.name);
    }
}

#[test]
fn one_letter_is_one_however_it_was_found() {
    check(&[
        (
            r#"(setq up (select-letters mb :all :mailbox "INBOX"))"#,
            r#"#<5 letters of inbox: "Invoice 7", "grün", "no sender", …>"#,
        ),
        ("(letters-count (letters-union all up))", "5"),
        ("(letters-count (letters-difference all up))", "0"),
        (r#"(letters-count (select-letters mb :all :mailbox '("inbox" "INBOX")))"#, "5"),
        (r#"(select-letters mb :all :mailbox '())"#, "#<0 letters>"),
        (
            "(letters-uids (sort-letters (list (fifth (letters->list all)) all) :by :uid))",
            "(1 2 3 4 5)",
        ),
        ("(length (map-letters #'letter-uid (list all (first (letters->list all)))))", "5"),
        (
            "(identifier-of (lambda () (flag-letters (select-letters mb :all :read-only t) :work)))",
            ":error-response",
        ),
        ("(mailbox-read-only? mb)", "nil"),
        (
            r#"(progn (search-mailbox mb '(:subject "offer") :return '(:save)) (map-letters #'letter-uid up) (letters-uids (select-letters mb :saved)))"#,
            "(4 5)",
        ),
    ]);
}

#[test]
fn a_select_that_is_refused_here_leaves_the_set_where_it_was() {
    check(&[
        (r#"(letters-count (select-letters mb :all :mailbox "box"))"#, "0"),
        (r#"(identifier-of (lambda () (select-mailbox mb "inbox" :since "x")))"#, ":syntax-error"),
        ("(mailbox-name mb)", r#""inbox""#),
        (
            r#"(identifier-of (lambda () (select-letters mb :all :mailbox "nowhere")))"#,
            ":error-response",
        ),
        ("(mailbox-name mb)", r#""inbox""#),
    ]);
}

#[test]
fn a_connection_that_is_lost_while_it_is_given_back_never_keeps_the_sets_mailbox() {
    let mut hits = 0;
    for at in (900..1600).step_by(7) {
        let faults = vec![format!("imap#1:server:cut@{at}").parse().unwrap()];
        let server = Server::sandbox(Options { faults, ..empty() });
        for letter in LETTERS {
            let letter = letter.replace('\n', "\r\n");
            server.store().deliver(&server.user, "INBOX", letter.as_bytes()).unwrap();
        }
        let mut session = Session::new(Vec::new());
        attach(session.host(), &Setup::default());
        let form = format!(
            r#"(with-reconnect (:backoff 0)
                 (let* ((mb (make-imap-connection "127.0.0.1" :port {} :user "user" :password "pw"))
                        (set (select-letters mb :all :mailbox "inbox")))
                   (flag-letters set :\\\\deleted)
                   (expunge-mailbox mb)))"#,
            server.port
        );
        let _ = session.evaluate(&form); // no mailbox is selected, so this is refused
        let received = server.received();
        let again = received.iter().filter(|one| one.starts_with("Authenticate")).count() > 1;
        hits += usize::from(again && received.iter().any(|one| one == "Unselect"));
        assert_eq!(server.store().letters(&server.user, "INBOX").len(), 5, "cut at {at}");
    }
    assert!(hits > 0, "no cut hit the moment");
}

#[test]
fn a_verb_that_is_made_again_counts_what_it_did_before_the_connection_was_lost() {
    let mut hits = 0;
    for at in (1_000..5_000).step_by(53) {
        let faults = vec![format!("imap#1:server:cut@{at}").parse().unwrap()];
        let server = Server::sandbox(Options { faults, ..empty() });
        for letter in &LETTERS[..3] {
            let letter = letter.replace('\n', "\r\n");
            server.store().deliver(&server.user, "INBOX", letter.as_bytes()).unwrap();
        }
        let mut session = Session::new(Vec::new());
        attach(session.host(), &Setup::default());
        let form = format!(
            r#"(with-reconnect ()
                 (let ((mb (make-imap-connection "127.0.0.1" :port {} :user "user" :password "pw")))
                   (select-mailbox mb "inbox")
                   (ensure-mailbox mb "box")
                   (let ((set (select-letters mb :all)))
                     (multiple-value-list (move-letters set :to "box")))))"#,
            server.port
        );
        let told = session.evaluate(&form).text();
        let moved = server.store().letters(&server.user, "box").len();
        let moves = server.received().iter().filter(|one| one.starts_with("Move")).count();
        hits += usize::from(moved == 3 && told == "(3 0)" && moves == 1);
        let is_right = moved == 3 && told == "(3 0)" || told.starts_with("Error");
        assert!(is_right, "cut at {at}: {told}, {moved} moved");
    }
    assert!(hits > 0, "no cut hit the moment");
}

#[test]
fn a_program_does_not_run_twice_for_a_letter() {
    let mut doubts = 0;
    for at in (2_800..5_000).step_by(61) {
        let faults = vec![format!("imap#1:server:cut@{at}").parse().unwrap()];
        let server = Server::sandbox(Options { faults, ..empty() });
        server.store().create_mailbox(&server.user, "box").unwrap();
        for (at, mailbox) in ["INBOX", "INBOX", "box", "box"].into_iter().enumerate() {
            let letter = format!("Subject: {at}\r\n\r\nx\r\n");
            server.store().deliver(&server.user, mailbox, letter.as_bytes()).unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("note.sh");
        let log = folder.path().join("log");
        std::fs::write(&script, format!("grep ^Subject: >> {}", log.display())).unwrap();
        let mut session = Session::new(Vec::new());
        attach(session.host(), &Setup::default());
        // Letters of two mailboxes are not fetched together.
        let form = format!(
            r#"(with-reconnect (:backoff 0)
                 (let* ((mb (make-imap-connection "127.0.0.1" :port {} :user "user" :password "pw"))
                        (set (letters-union (select-letters mb :all :mailbox "inbox")
                                            (select-letters mb :all :mailbox "box"))))
                   (handler-case (pipe-letters set "sh" "{}")
                     (po-error (c) (po-condition-identifier c)))))"#,
            server.port,
            script.display()
        );
        let told = session.evaluate(&form).text();
        let log = std::fs::read_to_string(&log).unwrap_or_default();
        let mut lines: Vec<&str> = log.lines().collect();
        let runs = lines.len();
        lines.dedup();
        assert_eq!(lines.len(), runs, "cut at {at}: {told}: {log}");
        assert!(told != "(0 0 0 0)" || runs == 4, "cut at {at}: {log}");
        doubts += usize::from(told == ":in-doubt" && runs == 2);
    }
    assert!(doubts > 0, "no cut hit the moment");
}

#[test]
fn a_move_that_fails_half_way_takes_away_what_was_stored() {
    let quota = Quota { storage: None, messages: Some(3) };
    let accounts = vec![Account::new("user", "pw"), Account::new("small", "pw").with_quota(quota)];
    let server = Server::sandbox(Options { accounts, ..empty() });
    let mut session = session(&server);
    let form = format!(
        r#"(progn
             (setq other (make-imap-connection "127.0.0.1" :port {} :user "small" :password "pw"))
             (handler-case (move-letters all :to (list other "inbox"))
               (po-error (c) (list (po-condition-message c) (letters-uids (select-letters mb :all))))))"#,
        server.port
    );
    let told = session.evaluate(&form).text();
    assert!(
        told.contains("3 letters were moved before, to \\\"inbox\\\"") && told.ends_with("(4 5))"),
        "{told}"
    );
    assert_eq!(server.store().letters("small", "INBOX").len(), 3);
}

#[test]
fn letters_that_stay_do_not_count_as_removed() {
    let extensions = Extensions::default().without(Extension::Move).without(Extension::UidPlus);
    let server = Server::sandbox(Options { extensions, ..empty() });
    let mut session = session(&server);
    for (form, expected) in [
        (r#"(alter-flags mb 1 :add-flags :\\deleted :silent t)"#, "nil"),
        (
            r#"(setq two (select-letters mb '(2 3)))"#,
            r#"#<2 letters of inbox: "grün", "no sender">"#,
        ),
        (r#"(multiple-value-list (move-letters two :to "box"))"#, "(0 0)"),
        ("(multiple-value-list (delete-letters two))", "(0 0)"),
        ("(letters-count (select-letters mb :all))", "5"),
    ] {
        assert_eq!(session.evaluate(form).result.unwrap(), expected, "{form}");
    }
}

#[test]
fn errors_name_the_verb_and_lines_are_escaped() {
    check(&[
        (
            r#"(append-letter mb "box" (format nil "From: a@b.example~%Subject: =?utf-8?q?x=1B[31mred?=~%Date: Mon, 1 Jan 2024 10:00:00 +0000~%~%x~%"))"#,
            "",
        ),
        (r#"(setq boxed (select-letters mb :all :mailbox "box"))"#, ""),
        (
            r#"(with-output-to-string (*standard-output*) (print-letters boxed))"#,
            r#""2024-01-01 10:00  a@b.example                     x\\u{1b}[31mred
""#,
        ),
        (r#"(progn (delete-mailbox mb "box") (create-mailbox mb "box"))"#, "t"),
        (
            r#"(mapcar (lambda (f) (subseq (handler-case (funcall f boxed) (po-error (c) (po-condition-message c))) 0 12))
                    (list #'delete-letters (lambda (l) (flag-letters l :work)) (lambda (l) (move-letters l :to "x")) (lambda (l) (copy-letters l :to "x"))))"#,
            r#"("delete-lette" "flag-letters" "move-letters" "copy-letters")"#,
        ),
    ]);
}

#[test]
fn mailboxes_are_made_if_there_are_none() {
    check(&[
        (
            r#"(mapcar (lambda (n) (mailbox-exists? mb n)) '("inbox" "INBOX" "box" "bo%" "*" "none"))"#,
            "(t t t nil nil nil)",
        ),
        (
            r#"(list (ensure-mailbox mb "box") (ensure-mailbox mb "a b") (ensure-mailbox mb "a b"))"#,
            "(nil t nil)",
        ),
        (r#"(mailbox-exists? mb "a b")"#, "t"),
    ]);
}

#[test]
fn a_dead_connection_is_closed_without_an_error() {
    let server = Server::sandbox(empty());
    let mut session = session(&server);
    session.evaluate(r#"(select-letters mb :all :mailbox "box")"#).result.unwrap();
    server.the_sandbox().disconnect_all();
    assert_eq!(session.evaluate("(close-connection mb)").text(), "t");
}

#[test]
fn a_lost_connection_is_mended_on_the_way() {
    check(&[(
        r#"(with-reconnect ()
             (let ((subjects '()))
               (do-letters (l all)
                 (lose)
                 (push (letter-list-id l) subjects))
               (lose)
               (list subjects (multiple-value-list (move-letters all :to "box")) (mailbox-name mb))))"#,
        r#"((nil nil nil "l.b.example" nil) (5 0) "inbox")"#,
    )]);
}

#[test]
fn letters_go_to_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    std::fs::write(folder.path().join("1.eml"), "older").unwrap();
    check(&[
        (r#"(multiple-value-list (copy-letters (first (letters->list all)) :to "box"))"#, "(1 0)"),
        (r#"(setq boxed (select-letters mb :all :mailbox "box"))"#, ""),
        (&format!(r#"(multiple-value-list (save-letters (list all boxed) "{path}"))"#), "(6 0)"),
        (
            &format!(
                r#"(mapcar (lambda (n) (let ((l (parse-letter (slurp (format nil "{path}/~a.eml" n))))) (letter-subject l))) '(1 4 "1-2"))"#
            ),
            r#"("Invoice 7" "offer" "Invoice 7")"#,
        ),
        (
            &format!(
                r#"(multiple-value-list (save-letters (fifth (letters->list all)) "{path}" :prefix "x-"))"#
            ),
            "(1 0)",
        ),
        (&format!(r#"(probe-file "{path}/x-5.eml")"#), ""),
        (&format!(r#"(multiple-value-list (save-letters '() "{path}"))"#), "(0 0)"),
        (
            &format!(
                r#"(multiple-value-list (save-letters (list boxed all) "{path}/all.mbox" :mbox t))"#
            ),
            "(6 0)",
        ),
        (
            "(map-letters (lambda (l) (member :\\\\seen (letter-flags l))) (select-letters mb :all))",
            "(nil nil nil nil nil)",
        ),
        ("(delete-letters (second (letters->list all)))", ""),
        (&format!(r#"(multiple-value-list (save-letters all "{path}" :prefix "y-"))"#), "(4 1)"),
        (&format!(r#"(identifier-of (lambda () (save-letters all "{path}/none")))"#), ":file"),
        (
            &format!(r#"(identifier-of (lambda () (save-letters all "{path}" :prefix "../x")))"#),
            ":syntax-error",
        ),
        (&format!(r#"(identifier-of (lambda () (save-letters 5 "{path}")))"#), ":syntax-error"),
        (&format!(r#"(save-letters mb '(1 2) "{path}" :prefix "n")"#), "(1 2)"),
    ]);
}

#[test]
fn letters_go_to_programs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    check(&[
        (r#"(pipe-letters all "sh" "-c" "grep -q offer")"#, "(1 1 1 0 0)"),
        (
            &format!(
                r#"(progn (pipe-letters (second (letters->list all)) "tee" "{path}/one") (letter-list-id (slurp "{path}/one")))"#
            ),
            r#""l.b.example""#,
        ),
        (r#"(pipe-letters all "sh" "-c" "exit $(($1 + 1))" "x" "2")"#, "(3 3 3 3 3)"),
        // A program need not read.
        (r#"(pipe-letters all "true")"#, "(0 0 0 0 0)"),
        (r#"(pipe-letters '() "no such program")"#, "nil"),
        (r#"(identifier-of (lambda () (pipe-letters all "no such program")))"#, ":file"),
        (r#"(identifier-of (lambda () (pipe-letters all "true" 5)))"#, ":syntax-error"),
        (r#"(identifier-of (lambda () (pipe-letters 5 "true")))"#, ":syntax-error"),
        (
            "(map-letters (lambda (l) (member :\\\\seen (letter-flags l))) (select-letters mb :all))",
            "(nil nil nil nil nil)",
        ),
        ("(delete-letters (second (letters->list all)))", ""),
        (r#"(pipe-letters all "true")"#, "(0 nil 0 0 0)"),
    ]);
}

#[test]
fn accounts_stand_where_mailboxes_may() {
    check(&[
        ("(letters-count (select-letters :all :account 'work))", "5"),
        (
            r#"(letters-count (select-letters '(:subject "offer") :account "work" :mailbox '("inbox" "box")))"#,
            "2",
        ),
        (
            r#"(multiple-value-list (move-letters (select-letters mb '(:subject "offer")) :to '(work "box")))"#,
            "(2 0)",
        ),
        (r#"(multiple-value-list (copy-letters all :to '(work "new") :create t))"#, "(3 2)"),
        (
            r#"(setq new (select-letters :all :account '(work) :mailbox "new"))"#,
            r#"#<3 letters of new: "Invoice 7", "grün", "no sender">"#,
        ),
        // One connection serves all, also on the letters' own server.
        (r#"(multiple-value-list (move-letters new :to '(work "box")))"#, "(3 0)"),
        (
            r#"(letters-count (letters-union (select-letters :all :account 'work :mailbox "box")))"#,
            "5",
        ),
        ("(identifier-of (lambda () (select-letters :all :account 'home)))", ":syntax-error"),
        ("(identifier-of (lambda () (select-letters :nonsense :account 'work)))", ":syntax-error"),
        ("(identifier-of (lambda () (select-letters mb :all :account 'work)))", ":syntax-error"),
        (r#"(identifier-of (lambda () (move-letters all :to '(home "box"))))"#, ":syntax-error"),
        (
            r#"(identifier-of (lambda () (move-letters all :to '(work "nowhere"))))"#,
            ":error-response",
        ),
        ("(letters-count (select-letters mb :all))", "3"),
    ]);
}

#[test]
fn an_account_has_one_connection_and_gets_another_when_it_is_closed() {
    let server = Server::sandbox(empty());
    let mut session = session(&server);
    let logins = || {
        let received = server.received();
        received.iter().filter(|one| one.starts_with("Authenticate")).count()
    };
    let before = logins();
    let all = "(letters-count (select-letters :all :account 'work))";
    assert_eq!(session.evaluate(all).text(), "5");
    let form = r#"(copy-letters (select-letters :all :account 'work) :to '(work "box"))"#;
    assert_eq!(session.evaluate(form).text(), "5");
    assert_eq!(logins() - before, 1);
    let received = server.received();
    let last = received.iter().rev().take_while(|one| !one.starts_with("Authenticate"));
    let last: Vec<&str> = last.filter_map(|one| one.split(' ').next()).collect();
    assert_eq!(last, ["Copy", "Fetch", "Search", "Search", "Select", "Enable", "List", "Id"]);
    server.the_sandbox().disconnect_all();
    assert!(session.evaluate(all).result.is_err()); // the loss is noticed
    assert_eq!(session.evaluate(all).text(), "5");
    assert_eq!(logins() - before, 2);
}

/// Labels as on Gmail, and as keywords elsewhere.
const LABELS: [(&str, &str); 12] = [
    ("(defun labels (l) (sort (remove-if-not #'stringp (letter-labels l)) #'string<))", ""),
    ("(defun nth-letter (n) (nth n (letters->list all)))", ""),
    ("(map-letters #'letter-labels all)", "(nil nil nil nil nil)"),
    (r#"(multiple-value-list (label-letters all "To Do"))"#, "(5 0)"),
    (r#"(multiple-value-list (label-letters (nth-letter 0) '("R&D" "grün" "a(b)*")))"#, "(1 0)"),
    ("(labels (nth-letter 0))", r#"("R&D" "To Do" "a(b)*" "grün")"#),
    (r#"(multiple-value-list (unlabel-letters all '("To Do" "none")))"#, "(5 0)"),
    ("(map-letters #'labels all)", r#"(("R&D" "a(b)*" "grün") nil nil nil nil)"#),
    ("(multiple-value-list (label-letters all '()))", "(5 0)"),
    (r#"(letter-labels "Subject: x")"#, "nil"),
    ("(delete-letters (nth-letter 1))", ""),
    (r#"(multiple-value-list (label-letters all "late"))"#, "(4 1)"),
];

fn gmail() -> Server {
    let extensions = Extensions::default().with(Extension::Gmail);
    Server::sandbox(Options { extensions, ..empty() })
}

#[test]
fn labels_are_given_and_taken_away() {
    check(&LABELS);
    check_on(&gmail(), &LABELS);
}

#[test]
fn labels_are_gmails_own_there_and_keywords_elsewhere() {
    check_on(
        &gmail(),
        &[
            (r#"(label-letters all '("work" :\\important))"#, ""),
            ("(letter-labels (first (letters->list all)))", r#"("work" :\\important)"#),
            ("(letter-flags (first (letters->list all)))", "nil"),
            (
                r#"(fetch-field 1 "x-gm-labels" (fetch-parts mb 1 "x-gm-labels"))"#,
                r#"("work" :\\important)"#,
            ),
            ("(unlabel-letters all :\\\\important)", ""),
            ("(alter-flags mb 1 :flags :\\\\seen :silent t)", "nil"),
            ("(letter-labels (first (letters->list all)))", r#"("work")"#),
            (r#"(copy-letters (first (letters->list all)) :to "box")"#, ""),
            (
                r#"(map-letters #'letter-labels (select-letters mb :all :mailbox "box"))"#,
                r#"(("work"))"#,
            ),
        ],
    );
    check(&[
        (r#"(label-letters all "To Do")"#, ""),
        (r#"(letters-uids (select-letters mb '(:keyword :to&aca-do)))"#, "(1 2 3 4 5)"),
        ("(flag-letters (first (letters->list all)) :other)", ""),
        (
            r#"(not (member "other" (letter-labels (first (letters->list all))) :test #'string=))"#,
            "nil",
        ),
        ("(identifier-of (lambda () (label-letters all :\\\\important)))", ":unsupported"),
        ("(identifier-of (lambda () (fetch-parts mb 1 \"x-gm-labels\")))", ":unsupported"),
    ]);
}

#[test]
fn gmails_labels_travel_as_names_of_mailboxes_do() {
    let with_utf8 = Extensions::default().with(Extension::Gmail);
    let without = with_utf8.without(Extension::Utf8Accept);
    for (extensions, sent) in [(with_utf8, "grün & rot"), (without, "gr&APw-n &- rot")] {
        let server = Server::sandbox(Options { extensions, ..empty() });
        check_on(
            &server,
            &[
                (r#"(label-letters all "grün & rot")"#, ""),
                (
                    r#"(fetch-field 1 "x-gm-labels" (fetch-parts mb 1 "x-gm-labels"))"#,
                    r#"("grün & rot")"#,
                ),
                ("(letter-labels (first (letters->list all)))", r#"("grün & rot")"#),
                (r#"(unlabel-letters all "grün & rot")"#, ""),
                ("(letter-labels (first (letters->list all)))", "nil"),
            ],
        );
        let stores = |line: &String| line.starts_with("StoreLabels") && line.contains(sent);
        assert!(server.received().iter().any(stores), "{sent}: {:?}", server.received());
    }
}

#[test]
fn labels_that_are_none_are_refused() {
    let wrong = ["5", ":work", "\"\"", "\"\\\\Seen\"", "'(\"x\" 5)", "\"a\nb\""];
    for label in wrong {
        check_on(
            &gmail(),
            &[(
                &format!("(identifier-of (lambda () (label-letters all {label})))"),
                ":syntax-error",
            )],
        );
    }
    check(&[(
        r#"(identifier-of (lambda () (label-letters (select-letters mb :all :read-only t) "x")))"#,
        ":error-response",
    )]);
}
