//! `with-timeout`: a body that takes too long is ended wherever it is.

use crate::common_lisp::{Language, check};
use postoffice::api::{Setup, attach};
use postoffice::host::TimeLimit;
use postoffice::repl::Session;
use postoffice::sandbox::Options;
use std::io::Read;
use std::net::TcpListener;
use std::time::Duration;

#[test]
fn a_body_in_time_gives_its_values() {
    check(&[
        ("(with-timeout (60 :late) 1 2)", "2"),
        ("(with-timeout (60 :late))", "nil"),
        ("(with-timeout (60) 5)", "5"),
        ("(mp:with-timeout (60 :late) 5)", "5"),
        ("(multiple-value-list (with-timeout (60 :late) (values 1 2 3)))", "(1 2 3)"),
        ("(multiple-value-bind (a b) (with-timeout (60) (floor 7 2)) (list a b))", "(3 1)"),
        ("(block b (with-timeout (60 :late) (return-from b 3)) 4)", "3"),
        ("(catch 'c (with-timeout (60 :late) (throw 'c 3)) 4)", "3"),
        ("(handler-case (with-timeout (60 :late) (car 5)) (error () :caught))", ":caught"),
        ("(with-timeout (60 :late) (error \"x ~a\" 1))", "error: x 1"),
        (
            "(handler-case (with-timeout (60 :late) (error \"x\")) (:timeout () 1) (error () 2))",
            "2",
        ),
        ("(let ((n 0)) (dotimes (i 2000 n) (with-timeout (60) (incf n))))", "2000"),
        (
            "(let ((n 0)) (dotimes (i 500 n) (ignore-errors (with-timeout (60) (incf n) (error \"x\")))))",
            "500",
        ),
    ]);
}

#[test]
fn a_body_that_takes_longer_is_ended_wherever_it_is() {
    for body in [
        "(loop)",
        "(do () (nil))",
        "(loop for i from 0 collect 1 do (setq i 0))",
        "(let next () (next))",
        "(sleep 100000)",
        "(labels ((f (n) (if (= n 0) 0 (+ 1 (f (- n 1)))))) (loop (f 50)))",
        "(mapc (lambda (x) (loop)) '(1 2))",
        "(sort (list 3 1 2) (lambda (a b) (loop)))",
        "(eval '(loop))",
        "(handler-case (loop) (t () 'caught))",
        "(ignore-errors (loop))",
        "(handler-bind ((t (lambda (c) (error \"handled\")))) (loop))",
        "(restart-case (loop) (continue () 'continued))",
        "(block b (catch 'c (unwind-protect (loop) 1)))",
        "(handler-case (error \"x\") (error () (loop)))",
        "(handler-bind ((error (lambda (c) (loop)))) (error \"x\"))",
        "(unwind-protect 1 (loop))",
        "(call/cc (lambda (k) (loop)))",
        "(tagbody again (go again))",
        "(with-output-to-string (s) (loop (princ 1 s) (return (loop))))",
        "(parallel-map (lambda (x) (loop)) '(1 2))",
        "(parallel-map (lambda (x) (sleep 100000)) '(1 2))",
        "(parallel-map (lambda (x) (with-timeout (100000 :inner) (loop))) '(1 2))",
    ] {
        for (seconds, wanted) in [("0", ":late"), ("0.03", ":late"), ("1/50", ":late")] {
            let mut session = sandboxed();
            let form = format!("(list 1 (with-timeout ({seconds} :none :late) {body}))");
            assert_eq!(session.evaluate(&form).text(), format!("(1 {wanted})"), "{form}");
            assert_eq!(
                session.evaluate("(list (+ 1 2) (with-timeout (60 1) (princ-to-string 5)))").text(),
                "(3 \"5\")",
                "{form}"
            );
        }
    }
}

#[test]
fn without_forms_it_is_a_condition() {
    check(&[
        (
            "(with-timeout (0.01) (loop))",
            "error: with-timeout: the body took longer than 0.01 seconds",
        ),
        ("(with-timeout (0) (loop))", "error: with-timeout: the body took longer than 0 seconds"),
        (
            "(handler-case (with-timeout (0.01) (loop)) (:timeout (c) (po-condition-identifier c)))",
            ":timeout",
        ),
        ("(handler-case (with-timeout (0.01) (loop)) (error () 'error))", "error"),
        ("(with-timeout (0.01 nil) (loop))", "nil"),
        ("(multiple-value-list (with-timeout (0.01 (values 1 2)) (loop)))", "(1 2)"),
        // The forms are outside of the body, its handlers and its blocks.
        (
            "(handler-case (with-timeout (0.01 (error \"late\")) (handler-case (loop) (error () 1))) (error () 2))",
            "2",
        ),
        ("(block b (with-timeout (0.01 (return-from b 1)) (loop)) 2)", "1"),
        ("(list (block b (with-timeout (0.01 (block b (return-from b 1))) (loop))))", "(1)"),
        (
            "(with-timeout (-1) 5)",
            "error: with-timeout: seconds: expected a number of seconds, at least 0, got -1",
        ),
        (
            "(with-timeout (\"1\") 5)",
            "error: with-timeout: seconds: expected a number of seconds, at least 0, got \"1\"",
        ),
        (
            "(with-timeout (nil) 5)",
            "error: with-timeout: seconds: expected a number of seconds, at least 0, got nil",
        ),
    ]);
}

#[test]
fn the_inner_one_does_not_outlive_the_outer() {
    check(&[
        ("(with-timeout (0.03 :outer) (with-timeout (100000 :inner) (loop)))", ":outer"),
        ("(with-timeout (100000 :outer) (list (with-timeout (0.03 :inner) (loop))))", "(:inner)"),
        ("(with-timeout (0 :outer) (with-timeout (0 :inner) (loop)))", ":outer"),
        ("(with-timeout (0.03 :outer) (with-timeout (0.03 :inner) (loop)) (loop))", ":outer"),
        ("(with-timeout (0.05 :outer) (loop (with-timeout (0.01 :inner) (loop))))", ":outer"),
        // The outer one counts while the forms and the clean-up of the inner one run.
        ("(with-timeout (0.05 :outer) (with-timeout (0.01 (loop)) (loop)))", ":outer"),
        (
            "(with-timeout (1.5 :outer) (with-timeout (0.01 :inner) (unwind-protect (loop) (loop))))",
            ":outer",
        ),
        (
            "(with-timeout (100000 :a) (with-timeout (0.03 :b) (with-timeout (100000 :c) (loop))))",
            ":b",
        ),
        ("(with-timeout (0.03 (with-timeout (0.03 :second) (loop))) (loop))", ":second"),
        ("(let ((n 0)) (dotimes (i 20 n) (with-timeout (0 (incf n)) (loop))))", "20"),
        (
            "(labels ((f (n) (if (= n 0) (loop) (with-timeout (100000 :inner) (f (- n 1)))))) (with-timeout (0.05 :outer) (f 200)))",
            ":outer",
        ),
    ]);
}

#[test]
fn clean_up_forms_run_before_the_forms() {
    for (form, expected) in [
        (
            "(with-timeout (0.2 (note 'late)) (unwind-protect (loop) (note 'cleaned)))",
            "(cleaned late)",
        ),
        (
            "(with-timeout (0.2 (note 'late)) (unwind-protect (unwind-protect (loop) (note 'inner)) (note 'outer)))",
            "(inner outer late)",
        ),
        (
            "(unwind-protect (with-timeout (0.2 (note 'late)) (unwind-protect (loop) (note 'inner))) (note 'outside))",
            "(inner late outside)",
        ),
        // One that fails takes the place of the forms; the others run.
        (
            "(ignore-errors (with-timeout (0.2 (note 'late)) (unwind-protect (unwind-protect (loop) (note 'inner) (error \"x\")) (note 'outer))))",
            "(inner outer)",
        ),
        (
            "(block b (with-timeout (0.2 (note 'late)) (unwind-protect (loop) (note 'inner) (return-from b 1))))",
            "(inner)",
        ),
        // The clean-up of the outer body runs when the outer one ends.
        (
            "(with-timeout (0.6 (note 'outer)) (unwind-protect (with-timeout (100000 (note 'inner)) (unwind-protect (loop) (note 'a))) (note 'b)))",
            "(a b outer)",
        ),
        (
            "(with-timeout (1.7 (note 'outer)) (unwind-protect (with-timeout (0.2 (note 'inner)) (unwind-protect (loop) (unwind-protect (loop) (note 'a)))) (note 'b)))",
            "(a b outer)",
        ),
        (
            "(dynamic-wind (lambda () (note 'in)) (lambda () (with-timeout (0.2 (note 'late)) (loop))) (lambda () (note 'out)))",
            "(in late out)",
        ),
    ] {
        let mut language = Language::new();
        language.shows("(setq log nil) (defun note (x) (push x log))");
        language.shows(form);
        assert_eq!(language.shows("(reverse log)"), expected, "{form}");
    }
}

#[test]
fn the_state_of_the_program_is_that_outside_of_the_body() {
    check(&[
        (
            "(progn (defvar *v* 1) (list (with-timeout (0.01 *v*) (let ((*v* 2)) (loop))) *v*))",
            "(1 1)",
        ),
        (
            "(let ((s (make-string-output-stream))) (with-timeout (0.01) 1) (ignore-errors (with-timeout (0.01) (let ((*standard-output* s)) (loop)))) (princ-to-string 1))",
            "\"1\"",
        ),
        (
            "(progn (ignore-errors (with-timeout (0.01) (restart-case (loop) (r () 1)))) (find-restart 'r))",
            "nil",
        ),
        (
            "(handler-case (progn (with-timeout (0.01 1) (handler-case (loop) (error () :inner))) (error \"x\")) (error () :outer))",
            ":outer",
        ),
        (
            "(progn (with-timeout (0.01 1) (catch 'c (loop))) (handler-case (throw 'c 1) (error () :none)))",
            ":none",
        ),
    ]);
}

#[test]
fn a_limit_of_the_whole_program_goes_first() {
    for body in ["(loop)", "(with-timeout (0.2 (loop)) (loop))", "(with-timeout (100000 1) (loop))"]
    {
        let mut session = sandboxed();
        let limit = TimeLimit::start(session.host(), Duration::from_millis(100)).unwrap();
        let report =
            session.evaluate(&format!("(with-timeout (100000 :late) {body})")).result.unwrap_err();
        assert!(report.interrupted && limit.is_over(), "{body}: {report}");
        drop(limit);
        assert_eq!(session.evaluate("(with-timeout (60 1) 2)").text(), "2");
    }
}

#[test]
fn each_call_of_parallel_map_has_its_own() {
    let mut session = sandboxed();
    let form = "(parallel-map (lambda (x) (with-timeout (0.05 (list x :late)) (if (evenp x) (loop) x))) '(1 2 3 4))";
    assert_eq!(session.evaluate(form).text(), "(1 (2 :late) 3 (4 :late))");
}

#[test]
fn a_mail_call_that_waits_is_ended_and_its_connection_stays_if_it_can() {
    let mut session = sandboxed();
    let made = r#"(setq mb (make-imap-connection "h" :user "myacct" :password "mypasswd"))
                  (select-mailbox mb "inbox")"#;
    assert!(session.evaluate(made).result.is_ok());
    let waiting = "(with-timeout (0.05 :late) (wait-for-mail mb))";
    assert_eq!(session.evaluate(waiting).text(), ":late");
    assert_eq!(session.evaluate("(mailbox-message-count mb)").text(), "7");
}

#[test]
fn a_silent_server_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // Reading ends because the client closes its end.
    let server = std::thread::spawn(move || {
        listener.accept().unwrap().0.read_to_end(&mut Vec::new()).unwrap()
    });
    let mut session = Session::new(Vec::new());
    attach(session.host(), &Setup::default());
    let form = format!(
        "(with-timeout (0.2 :late) (make-imap-connection \"127.0.0.1\" :port {port} :ssl nil :user \"u\" :password \"p\"))"
    );
    assert_eq!(session.evaluate(&form).text(), ":late");
    assert_eq!(server.join().unwrap(), 0);
}

fn sandboxed() -> Session {
    let mut session = Session::new(Vec::new());
    attach(session.host(), &Setup::sandboxed(Options::default()).unwrap());
    session
}
