//! Replies: the manual's session, long replies, errors, and the prompt's own commands.

use super::screen::{BINARY, Terminal};
use postoffice::repl::Transcript;
use postoffice::repl::transcript::Step;

#[test]
fn the_manuals_session_typed_line_by_line_shows_the_same() {
    let Some(terminal) = Terminal::run_in(
        "manual",
        tempfile::tempdir().unwrap(),
        200,
        50,
        &format!("{BINARY} --sandbox"),
    ) else {
        return;
    };
    let transcript = Transcript::parse(include_str!("../../golden/imap-session.repl")).unwrap();
    let mut number = 1;
    terminal.wait_for("user(1):");
    for step in transcript.steps {
        let (input, reply) = match step {
            Step::Directive { .. } => (
                "(sandbox-deliver \"Subject: hello\n\nhello\n\" :user \"myacct\")".to_owned(),
                "69".to_owned(),
            ),
            Step::Exchange(exchange) => (exchange.input, exchange.reply),
        };
        let came = terminal.reply_to(number, &input);
        number += 1;
        let expected: Vec<String> = reply.lines().map(|line| line.trim_end().to_owned()).collect();
        assert!(
            postoffice::repl::matching::matches(&expected.join("\n"), &came),
            "{input}\nexpected:\n{reply}\ncame:\n{came}"
        );
    }
    assert!(terminal.reply_to(number, "(+ 1\n\"a\"\n)").starts_with("Error: +"));
}

#[test]
fn a_report_begins_on_a_fresh_line_of_the_terminal() {
    let command = format!(
        "{BINARY} eval '(progn (princ \"unfinished\") (car 5))'; echo code $?; exec sleep 600"
    );
    let Some(terminal) = Terminal::run("fresh-line", &command) else { return };
    let screen = terminal.wait_for("code 1");
    assert!(screen.starts_with("unfinished\nexpression:1:"), "{screen}");
}

#[test]
fn long_lists_are_laid_out_and_long_replies_cut() {
    let Some(terminal) = Terminal::open("long", "--sandbox") else { return };
    let long = "'((4 (\"FLAGS\" (:\\\\seen :a-flag) \"ENVELOPE\" (\"Mon, 13 Sep 1999 13:36:54 -0700\" \"s test\" nil nil) \"UID\" 64)))";
    let laid_out = terminal.reply_to(1, &format!("(setq long\n{long})"));
    assert_eq!(
        laid_out,
        "((4 (\"FLAGS\" (:\\\\seen :a-flag)\n     \"ENVELOPE\" (\"Mon, 13 Sep 1999 13:36:54 -0700\" \"s test\" nil nil)\n     \"UID\" 64)))"
    );
    let lines = "(let ((text \"\")) (dotimes (i 100) (setq text (format nil \"~a~%line ~a\" text i))) text)";
    let cut = terminal.reply_to(2, lines);
    assert!(
        cut.starts_with("\"\nline 0\n")
            && cut.ends_with("\n… 75 more lines: :more shows all, :print plain never cuts"),
        "{cut}"
    );
    assert!(terminal.reply_to(3, ":more").ends_with("\nline 98\nline 99\""));
    assert_eq!(terminal.reply_to(4, ":print plain"), "values are printed plain");
    assert!(terminal.reply_to(5, lines).ends_with("\nline 99\""));
    // Control characters from a letter are escaped, so they cannot control the terminal.
    assert_eq!(
        terminal.reply_to(6, "(list \"a\\x1b;[2Jb\" \"c\\rd\")"),
        "(\"a\\u{1b}[2Jb\" \"c\\rd\")"
    );
    assert!(
        terminal
            .reply_to(7, "long")
            .replace('\n', "")
            .starts_with("((4 (\"FLAGS\" (:\\\\seen :a-flag) \"ENVELOPE\" (")
    );
}

#[test]
fn the_last_three_values_are_at_hand() {
    let Some(terminal) = Terminal::open("values", "") else { return };
    assert_eq!(terminal.reply_to(1, "(list 1 2)"), "(1 2)");
    assert_eq!(terminal.reply_to(2, "(length *)"), "2");
    assert_eq!(terminal.reply_to(3, "(* 3 4)"), "12");
    assert_eq!(terminal.reply_to(4, "(list * ** ***)"), "(12 2 (1 2))");
    assert_eq!(
        terminal
            .reply_to(5, "(list (apply * '(2 3)) (reduce #'* '(2 3 4)) (mapcar '* '(1 2) '(3 4)))"),
        "(6 24 (3 8))"
    );
    assert!(terminal.reply_to(6, "(car 5)").starts_with("Error: car"));
    assert_eq!(terminal.reply_to(7, "*"), "(6 24 (3 8))");
}

#[test]
fn an_error_says_where_and_what_to_try() {
    let Some(terminal) = Terminal::open("errors", "--sandbox") else { return };
    assert_eq!(
        terminal.reply_to(1, "(car 5)"),
        "Error: car: expected a list or pair, got 5 [:program-error]"
    );
    assert_eq!(
        terminal.reply_to(2, "(list 1\n(car 5))"),
        "Error: car: expected a list or pair, got 5 [:program-error]\n  2 |                    (car 5))\n    |                    ^^^^^^^"
    );
    let said = terminal.reply_to(3, "(fetch-partz 1 2 3)");
    assert_eq!(
        said,
        "Error: the function fetch-partz is not defined; did you mean `fetch-parts`? [:program-error]"
    );
    assert!(
        terminal
            .reply_to(4, "(fetch-parts)")
            .ends_with("\n  Try: (help 'fetch-parts) tells what it takes")
    );
    terminal.reply_to(5, "(defun inner (x) (list (car x)))");
    terminal.reply_to(6, "(defun middle (x) (list (inner x)))");
    terminal.reply_to(7, "(defun outer (x) (list (middle x)))");
    assert!(terminal.reply_to(8, "(list (outer 5))").starts_with("Error: car"));
    let frames = terminal.reply_to(9, ":bt");
    // The interpreter does not say where the function is that the form itself calls.
    assert!(
        frames.contains("\nuser(5):1:24\n")
            && frames
                .contains("\n  in inner, defined at user(5):1\n  in middle, defined at user(6):1"),
        "{frames}"
    );
}

#[test]
fn commands_do_what_they_say() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a file.scm");
    std::fs::write(&file, "(define loaded (* 6 7))\n(defun broken () (car 5))\n").unwrap();
    let Some(terminal) = Terminal::open("commands", "--sandbox") else { return };
    assert!(terminal.reply_to(1, ":help").contains(":ld FILE"));
    assert!(terminal.reply_to(2, ":help noop").starts_with("(noop mb)"));
    assert_eq!(terminal.reply_to(3, &format!(":ld {file:?}")), "t");
    assert_eq!(terminal.reply_to(4, "loaded"), "42");
    let timed = terminal.reply_to(5, ":time (+ 1\n2)");
    assert!(timed.starts_with("; 0.") && timed.ends_with(" seconds\n3"), "{timed}");
    assert_eq!(terminal.reply_to(6, ":trace"), "the trace is off");
    assert_eq!(terminal.reply_to(7, ":trace on"), "the trace is on");
    let traced = terminal
        .reply_to(8, "(setq mb (make-imap-connection \"h\" :user \"u\" :password \"sesame\"))");
    assert!(
        traced.contains("S: * OK") && traced.contains("#<secret>") && !traced.contains("sesame"),
        "{traced}"
    );
    assert_eq!(terminal.reply_to(9, ":trace off"), "the trace is off");
    assert_eq!(terminal.reply_to(10, "(noop mb)"), "nil");
    assert_eq!(terminal.reply_to(11, ":reset"), "connections are closed, definitions forgotten");
    assert!(terminal.reply_to(12, "loaded").starts_with("Error: unbound variable: loaded"));
    assert_eq!(
        terminal.reply_to(13, ":ld nowhere.scm").lines().next().unwrap(),
        "Error: :ld: nowhere.scm: No such file or directory (os error 2) [:file]"
    );
    assert_eq!(terminal.reply_to(14, ":seen"), ":seen");
}
