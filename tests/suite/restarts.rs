//! The restarts that mail functions offer, chosen by handlers of a script.

use postoffice::api::{Setup, attach};
use postoffice::repl::Session;
use postoffice::sandbox::Options;

const SETUP: &str = r#"
(setq mb (make-imap-connection "h" :user "myacct" :password "mypasswd"))
(setq tries 0)
(defun choosing (choice thunk)
  (handler-bind ((po-error (lambda (c) (incf tries) (funcall choice c)))) (funcall thunk)))
"#;

/// Evaluates the form and compares what is printed for its value, or the message of its error.
#[track_caller]
fn check(form: &str, expected: &str) {
    let mut session = Session::new(Vec::new());
    attach(session.host(), &Setup::sandboxed(Options::default()).unwrap());
    assert!(session.evaluate(SETUP).result.is_ok());
    let value = match session.evaluate(form).result {
        Ok(value) => value,
        Err(report) => report.condition.message,
    };
    assert_eq!(value, expected, "{form}");
}

#[test]
fn a_refused_call_can_be_made_again() {
    check(
        r#"(list (choosing (lambda (c) (create-mailbox mb "new") (retry))
                           (lambda () (select-mailbox mb "new") (mailbox-name mb)))
                 tries)"#,
        r#"("new" 1)"#,
    );
    // A call that is refused again offers its restarts again.
    check(
        r#"(list (choosing (lambda (c) (when (= tries 3) (create-mailbox mb "new")) (retry))
                           (lambda () (mailbox-status mb "new" '(:messages))))
                 tries)"#,
        "((:messages 0) 3)",
    );
}

#[test]
fn a_refused_call_can_be_given_a_value() {
    check(
        r#"(choosing (lambda (c) (use-value 5)) (lambda () (list 1 (select-mailbox mb "nope"))))"#,
        "(1 5)",
    );
    check(
        r#"(choosing (lambda (c) (invoke-restart 'skip)) (lambda () (list 1 (delete-mailbox mb "nope"))))"#,
        "(1 nil)",
    );
}

#[test]
fn restarts_depend_on_the_condition() {
    let names = "(lambda (c) (throw 'names (mapcar #'restart-name (compute-restarts c))))";
    let offered = |call: &str| format!("(catch 'names (choosing {names} (lambda () {call})))");
    check(&offered(r#"(select-mailbox mb "nope")"#), "(retry use-value skip)");
    check(
        &offered(r#"(make-imap-connection "h" :user "myacct" :password "wrong")"#),
        "(use-value)",
    );
    check(&offered("(fetch-parts mb 1 5)"), "nil");
}

#[test]
fn another_password_is_taken() {
    check(
        r#"(choosing (lambda (c) (use-value "mypasswd"))
                     (lambda ()
                       (let ((c (make-imap-connection "h" :user "myacct" :password "wrong")))
                         (select-mailbox c "inbox")
                         (list tries (mailbox-message-count c)))))"#,
        "(1 7)",
    );
}

#[test]
fn without_a_choice_errors_are_as_before() {
    check(r#"(select-mailbox mb "nope")"#, "select-mailbox: the server refused SELECT");
    check(
        r#"(handler-case (select-mailbox mb "nope") (po-error (c) (list (po-condition-identifier c) (compute-restarts))))"#,
        "(:error-response nil)",
    );
}

#[test]
fn a_function_of_the_script_does_not_run_twice() {
    // The call cannot be made again once it has called the script back.
    check(
        r#"(let ((asked 0))
             (catch 'done
               (choosing (lambda (c) (throw 'done (list asked (compute-restarts c))))
                         (lambda () (make-imap-connection "h" :user "myacct" :password (lambda () (incf asked) "wrong"))))))"#,
        "(1 nil)",
    );
}
