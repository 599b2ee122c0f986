//! The restart `reconnect` and `with-reconnect`, on the sandbox: what is made again, what is
//! refused, and what a mailbox object is afterwards. Cuts of the wire are in `faults`.

use crate::support::define_lose;
use postoffice::api::{Setup, State, attach};
use postoffice::repl::Session;
use postoffice::sandbox::{Account, Options, Sandbox, Seed};
use std::collections::BTreeSet;

/// `(lose)` closes every connection on this side, as if it had broken.
const SETUP: &str = r#"
(setq mb (make-imap-connection "h" :user "myacct" :password (lambda () "mypasswd")))
(setq other (make-imap-connection "h" :user "myacct" :password "mypasswd"))
(select-mailbox mb "inbox")
(defun from-elsewhere (thunk)
  (let ((c (make-imap-connection "h" :user "myacct" :password "mypasswd")))
    (select-mailbox c "inbox")
    (funcall thunk c)
    (close-connection c)))
(defun identifier-of (thunk)
  (handler-case (funcall thunk) (po-error (c) (po-condition-identifier c))))
"#;

fn session(options: Options) -> Session {
    let mut session = Session::new(Vec::new());
    attach(session.host(), &Setup::sandboxed(options).unwrap());
    define_lose(&mut session);
    let reply = session.evaluate(SETUP);
    assert!(reply.result.is_ok(), "{}", reply.text());
    session
}

/// Evaluates the form and compares what is printed for its value, or the message of its error.
#[track_caller]
fn check(form: &str, expected: &str) {
    let value = match session(Options::default()).evaluate(form).result {
        Ok(value) => value,
        Err(report) => report.condition.message,
    };
    assert_eq!(value, expected, "{form}");
}

#[test]
fn a_call_that_reads_is_made_again_on_the_same_object() {
    check(
        r#"(with-reconnect ()
             (list (progn (lose) (length (search-mailbox mb :all)))
                   (progn (lose) (mailbox-name mb))
                   (progn (lose) (length (fetch-letter mb 1)) (mailbox-name mb))
                   (progn (lose) (second (mailbox-status mb "inbox" '(:messages))))
                   (mailbox-message-count mb)))"#,
        r#"(7 "inbox" "inbox" 7 7)"#,
    );
    // The mode stays: a mailbox that was only read is only read again.
    check(
        r#"(progn (select-mailbox mb "inbox" :read-only t)
                  (with-reconnect () (lose) (noop mb) (mailbox-read-only? mb)))"#,
        "t",
    );
}

#[test]
fn without_it_the_error_reaches_the_script() {
    check("(progn (lose) (identifier-of (lambda () (noop mb))))", ":server-shutdown-connection");
    check(
        "(progn (lose) (catch 'names (handler-bind ((po-error (lambda (c) (throw 'names (mapcar #'restart-name (compute-restarts c)))))) (noop mb))))",
        "(reconnect)",
    );
    check(
        "(progn (lose) (handler-bind ((po-error (lambda (c) (invoke-restart 'reconnect)))) (mailbox-name mb) (length (search-mailbox mb :all))))",
        "7",
    );
}

#[test]
fn a_connection_that_the_script_closed_stays_closed() {
    check(
        "(progn (close-connection mb) (with-reconnect () (identifier-of (lambda () (noop mb)))))",
        ":server-shutdown-connection",
    );
}

#[test]
fn numbers_stay_good_while_no_letter_has_left() {
    check(
        r#"(progn (from-elsewhere (lambda (c) (append-letter c "inbox" "Subject: new\n\nx")))
                  (with-reconnect ()
                    (lose)
                    (alter-flags mb 7 :add-flags :\\flagged)
                    (list (mailbox-message-count mb) (search-mailbox mb :flagged))))"#,
        "(8 (7))",
    );
}

#[test]
fn numbers_are_refused_after_a_letter_has_left() {
    let left = r#"(from-elsewhere (lambda (c) (delete-letter c 1)))"#;
    for call in [
        "(fetch-letter mb 2)",
        "(alter-flags mb '(2 3) :flags :\\\\seen)",
        "(move-to-mailbox mb 2 \"x\" :create t)",
    ] {
        check(
            &format!(
                "(progn {left} (lose) (with-reconnect () (identifier-of (lambda () {call}))))"
            ),
            ":in-doubt",
        );
    }
    // All letters are what is there; UIDs mean the same; numbers that are asked for are good.
    check(
        &format!(
            r#"(progn {left} (lose)
                 (with-reconnect ()
                   (list (length (fetch-parts mb '(:seq 1 :*) "uid"))
                         (length (fetch-parts mb '(:seq 1 :*) "uid" :uid t))
                         (identifier-of (lambda () (fetch-letter mb 2)))
                         (progn (search-mailbox mb :all) (length (fetch-parts mb 2 "uid"))))))"#
        ),
        "(6 6 :in-doubt 1)",
    );
}

#[test]
fn another_uidvalidity_leaves_no_mailbox_selected() {
    check(
        r#"(progn
             (create-mailbox mb "a") (append-letter mb "a" "Subject: one\n\nx")
             (select-mailbox mb "a")
             (from-elsewhere (lambda (c) (delete-mailbox c "a") (create-mailbox c "a")
                                         (append-letter c "a" "Subject: two\n\ny")))
             (lose)
             (list (with-reconnect () (identifier-of (lambda () (delete-letter mb 1 :uid t))))
                   (mailbox-name mb)
                   (second (mailbox-status mb "a" '(:messages)))))"#,
        "(:in-doubt nil 1)",
    );
    // A mailbox that is gone is said so.
    check(
        r#"(progn (create-mailbox mb "a") (select-mailbox mb "a")
                  (from-elsewhere (lambda (c) (delete-mailbox c "a")))
                  (lose)
                  (with-reconnect () (search-mailbox mb :all)))"#,
        "search-mailbox: the connection was made anew (the connection is closed), but the call was not made again: \"a\" cannot be selected any more ([NONEXISTENT] No such mailbox.), and no mailbox is selected now",
    );
}

#[test]
fn attempts_are_counted_and_begin_again_after_success() {
    let body = "(dotimes (i 4 (length (search-mailbox mb :all))) (lose) (noop mb))";
    // Connections 3 and 4, 6 and 7, and so on break: two attempts in a row fail, the third does not.
    let faults = [3, 4, 6, 7, 9, 10, 12, 13].map(|number| format!("imap#{number}:server:cut@20"));
    for (attempts, expected) in [(3, "7"), (2, ":server-shutdown-connection")] {
        let faults = faults.iter().map(|fault| fault.parse().unwrap()).collect();
        let options = Options { faults, ..Options::default() };
        let form = format!(
            "(handler-case (with-reconnect (:attempts {attempts} :backoff 0) {body})
               (po-error (c) (po-condition-identifier c)))"
        );
        assert_eq!(session(options).evaluate(&form).text(), expected);
    }
}

#[test]
fn a_handler_for_one_letter_does_not_take_a_lost_connection_for_its_error() {
    check(
        "(with-reconnect ()
           (let ((failed 0))
             (dotimes (i 7 failed)
               (when (= i 3) (lose))
               (handler-case (fetch-letter mb (+ i 1)) (error (c) (incf failed))))))",
        "0",
    );
}

#[test]
fn another_password_is_taken_and_remembered() {
    let mut session = session(Options::default());
    let state = session.host().context().try_state::<State>().unwrap();
    let account = Account::new("myacct", "changed");
    state.sandbox.as_ref().unwrap().store().reset(vec![account], Seed::Empty);
    let form = r#"(progn (lose)
        (handler-bind ((po-error (lambda (c)
                         (if (eq (po-condition-identifier c) :authentication)
                             (use-value "changed")
                             (invoke-restart 'reconnect)))))
          (length (mailbox-list other))))"#;
    assert_eq!(session.evaluate(form).text(), "1");
    let again = "(progn (lose) (with-reconnect () (length (mailbox-list other))))";
    assert_eq!(session.evaluate(again).text(), "1");
}

#[test]
fn calls_of_pipelined_map_are_made_again() {
    let each = |issue: &str, receive: &str| {
        format!(
            "(with-reconnect ()
               (let ((count 0))
                 (pipelined-map (lambda (n) {issue})
                                (lambda (n result) (when (= (incf count) 3) (lose)) {receive})
                                '(1 2 3 4 5 6 7) :window 3)))"
        )
    };
    check(&each(r#"(fetch-parts mb n "uid")"#, "(length result)"), "(1 1 1 1 1 1 1)");
    check(&each("(search-mailbox mb (list :body \"x\"))", "(listp result)"), "(t t t t t t t)");
    check(
        &format!(
            "(progn {} (length (search-mailbox mb :flagged)))",
            each(r"(alter-flags mb n :add-flags :\\flagged)", "n")
        ),
        "7",
    );
    // The copies that were under way may have been made.
    check(
        &format!(
            "(progn (create-mailbox mb \"box\") (identifier-of (lambda () {})))",
            each("(copy-to-mailbox mb n \"box\")", "n")
        ),
        ":in-doubt",
    );
}

#[test]
fn a_mailbox_that_the_call_would_make_is_no_doubt() {
    // Cut in the answers to COPY, CREATE and the second COPY.
    for at in [800, 840, 880, 920] {
        let faults = vec![format!("imap#3:server:cut@{at}").parse().unwrap()];
        let options = Options { faults, ..Options::default() };
        let mut session = session(options);
        let form = r#"(let ((c (make-imap-connection "h" :user "myacct" :password "mypasswd")))
             (with-reconnect (:backoff 0)
               (select-mailbox c "inbox")
               (dolist (uid (search-mailbox c :all :uid t)) (move-to-mailbox c uid "new" :uid t :create t))
               (list (mailbox-message-count c) (mailbox-status c "new" '(:messages)))))"#;
        assert_eq!(session.evaluate(form).text(), "(0 (:messages 7))", "cut at {at}");
    }
}

#[test]
fn a_doubt_says_what_is_done() {
    let told = |at: usize| {
        let faults = vec![format!("imap#3:server:cut@{at}").parse().unwrap()];
        let options = Options { faults, ..Options::default() };
        let form = r#"(let ((c (make-imap-connection "h" :user "myacct" :password "mypasswd")))
             (create-mailbox mb "in")
             (handler-case (with-reconnect (:backoff 0) (copy-letters mb '(:seq 1 7) c "in"))
               (po-error (c) (po-condition-message c))))"#;
        session(options).evaluate(form).text()
    };
    let doubts: Vec<String> =
        (400..900).step_by(25).map(told).filter(|told| told.contains("made anew")).collect();
    assert!(!doubts.is_empty());
    for doubt in doubts {
        assert!(
            doubt.contains("letters were copied before") && doubt.contains("append "),
            "{doubt}"
        );
    }
}

#[test]
fn bad_options_are_refused() {
    check("(with-reconnect nil 5)", "5");
    check(
        "(with-reconnect (5 6) 5)",
        "with-reconnect: expected a key, :attempts, :backoff or :longest, got 5",
    );
    check(
        "(with-reconnect (:attempts -1) 1)",
        "with-reconnect: :attempts: expected a whole number from 0 to 1000, got -1",
    );
    check(
        "(with-reconnect (:backoff \"x\") 1)",
        "with-reconnect: :backoff: expected seconds, a number that is not negative, got \"x\"",
    );
    check("(with-reconnect () 1 2)", "2");
}

#[test]
fn a_call_in_doubt_offers_what_a_refused_one_does() {
    let left = r#"(from-elsewhere (lambda (c) (delete-letter c 1)))"#;
    check(
        &format!(
            "(progn {left} (lose)
               (catch 'names
                 (handler-bind ((po-error (lambda (c)
                     (case (po-condition-identifier c)
                       (:in-doubt (throw 'names (mapcar #'restart-name (compute-restarts c))))
                       (t (invoke-restart 'reconnect))))))
                   (fetch-letter mb 2))))"
        ),
        "(retry use-value skip)",
    );
}

/// Opens a POP mailbox with seven letters and an SMTP connection.
const OTHERS: &str = r#"
(setq pb (make-pop-connection "h" :user "myacct" :password (lambda () "mypasswd")))
(setq s (make-smtp-connection "h" :login "myacct" :password (lambda () "mypasswd")))
(defun remaining ()
  (with-imap-connection (c "h" :user "myacct" :password "mypasswd")
    (second (mailbox-status c "inbox" '(:messages)))))
(defun message-of (thunk) (handler-case (funcall thunk) (po-error (c) (po-condition-message c))))
"#;

#[track_caller]
fn check_others(form: &str, expected: &str) {
    check(&format!("(progn {OTHERS} {form})"), expected);
}

#[test]
fn a_pop_mailbox_is_read_on() {
    check_others(
        r#"(with-reconnect (:attempts 100 :backoff 0.01)
             (list (length (unique-id pb))
                   (progn (lose) (noop pb))
                   (progn (lose) (mailbox-message-count pb))
                   (progn (lose) (= (length (fetch-letter pb 1)) (length (fetch-letter pb 1))))
                   (progn (lose) (stringp (top-lines pb 2 0)))
                   (progn (lose) (stringp (unique-id pb 3)))
                   (progn (lose) (length (unique-id pb)))
                   (let ((n 0)) (for-each-letter (lambda (parts) (when (= n 3) (lose)) (incf n)) pb '(:seq 1 :*) "body[]") n)
                   (progn (lose) (reset-mailbox pb))))"#,
        "(7 nil 7 t t t 7 7 t)",
    );
    // Without it the restart is there, and the error reaches the script.
    check_others(
        "(progn (lose) (catch 'names (handler-bind ((po-error (lambda (c) (throw 'names (mapcar #'restart-name (compute-restarts c)))))) (noop pb))))",
        "(reconnect)",
    );
    check_others(
        "(progn (lose) (identifier-of (lambda () (noop pb))))",
        ":server-shutdown-connection",
    );
    check_others(
        "(progn (close-connection pb) (with-reconnect (:attempts 100 :backoff 0.01) (identifier-of (lambda () (noop pb)))))",
        ":server-shutdown-connection",
    );
}

/// A server locks the mailbox until it notices that the old connection is lost.
#[test]
fn a_pop_mailbox_that_is_locked_is_worth_another_attempt() {
    check_others(
        r#"(progn (lose)
             (do () ((setq p2 (ignore-errors (make-pop-connection "h" :user "myacct" :password "mypasswd")))))
             (list (with-reconnect (:attempts 2 :backoff 0.01) (identifier-of (lambda () (noop pb))))
                   (mailbox-message-count p2)))"#,
        "(:server-shutdown-connection 7)",
    );
}

#[test]
fn numbers_of_a_pop_mailbox_are_good_while_its_ids_say_so() {
    let told = "(with-reconnect (:attempts 100 :backoff 0.01) (noop pb)";
    // More letters leave the others their numbers.
    check_others(
        &format!(
            r#"(progn {told}
                 (from-elsewhere (lambda (c) (append-letter c "inbox" "Subject: new\n\nx")))
                 (lose) (list (stringp (fetch-letter pb 7)) (mailbox-message-count pb))))"#
        ),
        "(t 8)",
    );
    for call in [
        "(fetch-letter pb 2)",
        "(top-lines pb 2 0)",
        "(unique-id pb 2)",
        "(delete-letter pb 2)",
        "(fetch-letters pb '(2 3))",
        "(for-each-letter (lambda (parts) 1) pb '(2 3) \"body[]\")",
        "(with-read-ahead (pb '(2 3) \"body[]\") 1)",
    ] {
        let left = "(from-elsewhere (lambda (c) (delete-letter c 1)))";
        check_others(
            &format!(
                "{told} {left} (lose) (list (identifier-of (lambda () {call})) (identifier-of (lambda () {call})) (remaining) (progn (mailbox-message-count pb) (identifier-of (lambda () (fetch-letter pb 2) :asked)))))"
            ),
            "(:in-doubt :in-doubt 6 :asked)",
        );
    }
    // What is not known is in doubt: the ids were never asked for.
    check_others(
        "(progn (lose) (with-reconnect (:attempts 100 :backoff 0.01) (list (noop pb) (identifier-of (lambda () (fetch-letter pb 2))) (length (unique-id pb)) (stringp (fetch-letter pb 2)))))",
        "(nil :in-doubt 7 t)",
    );
    // All letters are those that are there.
    check_others(
        "(progn (lose) (with-reconnect (:attempts 100 :backoff 0.01) (length (fetch-letters pb '(:seq 1 :*)))))",
        "7",
    );
}

#[test]
fn marks_that_are_lost_are_told() {
    check_others(
        r#"(with-reconnect (:attempts 100 :backoff 0.01) (noop pb) (delete-letter pb '(1 3)) (lose)
             (list (message-of (lambda () (fetch-letter pb 2)))
                   (stringp (fetch-letter pb 1))
                   (progn (close-connection pb) (remaining))))"#,
        r#"("fetch-letter: the connection was made anew (the connection is closed), but the call was not made again: no letter is marked any more, and none was removed; delete-letter had marked 1, 3" t 7)"#,
    );
    // A call that marks may mark again, since the lost marks are gone.
    check_others(
        "(with-reconnect (:attempts 100 :backoff 0.01) (noop pb) (lose) (delete-letter pb '(1 3)) (close-connection pb) (remaining))",
        "5",
    );
    check_others(
        "(with-reconnect (:attempts 100 :backoff 0.01) (noop pb) (delete-letter pb 1) (lose) (reset-mailbox pb) (delete-letter pb 2) (close-connection pb) (remaining))",
        "6",
    );
    check_others(
        "(handler-bind ((:in-doubt (lambda (c) (retry)))) (with-reconnect (:attempts 100 :backoff 0.01) (noop pb) (delete-letter pb 1) (lose) (delete-letter pb 2) (close-connection pb) (remaining)))",
        "6",
    );
}

#[test]
fn a_letter_that_was_not_sent_whole_is_sent_over_a_new_connection() {
    let send = |subject: &str| {
        format!(r#"(send-letter s "a@example.org" "b@example.org" "x" :subject "{subject}")"#)
    };
    check_others(
        &format!(
            "(progn (lose) (list (identifier-of (lambda () {})) (with-reconnect (:attempts 100 :backoff 0.01) {} (lose) {})))",
            send("1"),
            send("2"),
            send("3")
        ),
        "(:server-shutdown-connection t)",
    );
    check_others(
        &format!(
            "(progn (close-connection s) (with-reconnect (:attempts 100 :backoff 0.01) (identifier-of (lambda () {}))))",
            send("1")
        ),
        ":server-shutdown-connection",
    );
}

/// Cuts the first connection of a protocol after every `step`th byte of each side, and runs the form
/// each time. `judge` gets what is shown, and a description of the cut.
fn cut_everywhere(
    protocol: &str,
    most: u64,
    step: usize,
    form: &str,
    mut judge: impl FnMut(&str, &Sandbox, &str),
) {
    let setup = Setup::sandboxed(Options::default()).unwrap();
    let sandbox = setup.router.as_ref().unwrap().sandbox().clone();
    let mut session = Session::new(Vec::new());
    attach(session.host(), &setup);
    let mut ends = BTreeSet::new();
    for side in ["client", "server"] {
        for at in (0..most).step_by(step) {
            let cut = format!("{protocol}#1:{side}:cut@{at}");
            sandbox.set_faults(vec![cut.parse().unwrap()]);
            let shown = session.evaluate(form).text();
            judge(&shown, &sandbox, &cut);
            ends.insert(shown);
        }
    }
    assert!(ends.contains("t") && ends.contains(":in-doubt"), "{ends:?}");
}

#[test]
fn a_letter_is_sent_once_or_in_doubt_wherever_the_connection_is_cut() {
    let form = r#"(handler-case
        (let ((s (make-smtp-connection "h" :login "myacct" :password "mypasswd")))
          (with-reconnect (:attempts 100 :backoff 0.01)
            (handler-case (send-letter s "a@example.org" "b@example.org" "text" :subject "cut")
              (:in-doubt () :in-doubt))))
      (po-error () :not-connected))"#;
    let mut before = 0;
    cut_everywhere("smtp", 700, 3, form, |shown, sandbox, cut| {
        let sent = sandbox.store().outbox().len() - before;
        before += sent;
        let fits = match shown {
            "t" => sent == 1,
            ":in-doubt" => sent <= 1,
            ":not-connected" => sent == 0,
            _ => false,
        };
        assert!(fits, "{cut}: {shown}, {sent} letters were delivered");
    });
}

#[test]
fn letters_are_removed_or_there_wherever_a_pop_connection_is_cut() {
    let form = r#"(let ((pb nil))
        (with-imap-connection (mb "h" :user "myacct" :password "mypasswd")
          (select-mailbox mb "inbox")
          (when (> (mailbox-message-count mb) 7) (delete-letter mb 8))
          (append-letter mb "inbox" (format nil "Subject: last~%~%x")))
        (handler-case
          (progn
            (setq pb (with-reconnect (:attempts 100 :backoff 0.01) (make-pop-connection "h" :user "myacct" :password "mypasswd")))
            (handler-case
              (with-reconnect (:attempts 100 :backoff 0.01)
                (noop pb)
                (fetch-letter pb 2)
                (delete-letter pb 8)
                (fetch-letter pb 3)
                (close-connection pb))
              (:in-doubt () (close-connection pb) :in-doubt)))
          (po-error () (if pb :not-closed :not-connected))))"#;
    cut_everywhere("pop", 2500, 13, form, |shown, sandbox, cut| {
        let left = sandbox.store().letters("myacct", "INBOX");
        let fits = match shown {
            "t" => left.len() == 7,
            ":in-doubt" | ":not-connected" => left.len() == 8,
            ":not-closed" => left.len() == 7 || left.len() == 8,
            _ => false,
        };
        assert!(fits, "{cut}: {shown}, and {} letters are there", left.len());
    });
}
