//! Typical mistakes of a newcomer. Each message names the function and the argument, says what was
//! expected and what came, and has a place. `run` finds all of them, and `check` those that can be
//! seen without running.
//!
//! All forms of a run are in files of one folder; the sandbox is the mail server.

use std::path::Path;
use std::process::{Command, Stdio};

/// The form, the column with the message, and whether `check` finds the mistake.
type Row = (&'static str, &'static str, bool);

const MISTAKES: &[Row] = {
    #[rustfmt::skip]
    const ROWS: &[Row] = &[
        ("(with-imap-connection (mb \"h\" :user \"me\" :password \"x\") (select-mailbox mb \"inbox\") (print (serch-mailbox mb :unseen)))", "92: the function serch-mailbox is not defined; did you mean `search-mailbox`?", true),
        ("(with-imap-connection (mb \"h\" :user \"me\" :password \"x\") (select-mailbox mb))", "57: select-mailbox: expected at least 2 arguments (mb name &key read-only since), got 1", true),
        ("(with-imap-connection (mb \"h\" :user \"me\" :password \"x\") (select-mailbox mb \"inbox\" :readonly t))", "57: select-mailbox: unknown key :readonly; expected :read-only or :since; did you mean `:read-only`?", true),
        ("(with-imap-connection (mb \"h\" :user \"me\" :password (getenv \"MY_PASS\")) (select-mailbox mb \"inbox\"))", "1: make-imap-connection: :password: expected a string, a procedure of no arguments, (:env \"NAME\"), (:command \"program\" …), (:file \"path\") or (:keyring \"service\"), got nil: the environment variable MY_PASS is not set", false),
        ("(with-imap-connection (mb \"h\" :user \"me\" :password \"x\") (select-mailbox mb \"inbox\") (fetch-letter mb \"1\"))", "85: fetch-letter: message: expected a message number from 1 on, got \"1\"", false),
        ("(with-imap-connection (mb \"h\" :user \"me\" :password \"x\") (select-mailbox mb \"inbox\") (search-mailbox mb '(:form \"joe\")))", "85: search-mailbox: search expression: expected a search predicate such as (:from \"jkf\"), (:since \"7-Mar-1999\") or (:larger 1000), got (:form \"joe\"); did you mean `:from`?", true),
        ("(with-imap-connection (mb \"h\" :user \"me\" :password \"x\") (select-mailbox mb \"inbox\") (search-mailbox mb '(:since \"yesterdayy\")))", "85: search-mailbox: search expression: expected a predicate with a universal time, or a date such as \"7-Feb-1994\" or \"1994-02-07T21:52:25Z\", got (:since \"yesterdayy\")", true),
        ("(with-imap-connection (mb \"h\" :user \"me\" :password \"x\") (select-mailbox mb \"inbox\") (search-mailbox mb (:from \"joe\")))", "104: not a function: :from; a list of data is quoted: '(:from …)", true),
        ("(with-imap-connection (mb \"h\" :user \"me\" :password \"x\") (select-mailbox mb \"inbox\") (search-mailbox mb \":unseen\"))", "85: search-mailbox: search expression: expected a predicate, a message set, or (and …), (or …), (not …), got \":unseen\"", true),
        ("(with-imap-connection (mb \"h\" :user \"me\" :password \"x\") (select-mailbox mb \"inbox\") (search-mailbox mb 'unseen))", "85: search-mailbox: search expression: expected a predicate, a message set, or (and …), (or …), (not …), got unseen", true),
        ("(with-imap-connection (mb \"h\" :user \"me\" :password \"x\") (select-mailbox mb \"inbx\"))", "57: select-mailbox: the server refused SELECT (the server said: [NONEXISTENT] No such mailbox.)", false),
        ("(with-imap-connection (mb \"h\" :user \"me\" :password \"x\") (select-mailbox mb \"inbox\") (move-to-mailbox mb 1 \"Archive\"))", "85: move-to-mailbox: the server refused MOVE; :create t makes the mailbox (the server said: [TRYCREATE] No such mailbox.)", false),
        ("(with-imap-connection (mb \"h\" :user \"me\" :password \"x\") (select-mailbox mb \"inbox\") (alter-flags mb 1 :add-flag :seen))", "85: alter-flags: unknown key :add-flag; expected :flags, :add-flags, :remove-flags, :silent, :uid or :unchanged-since; did you mean `:add-flags`?", true),
        ("(with-imap-connection (mb \"h\" :user \"me\" :password \"x\") (select-mailbox mb \"inbox\") (alter-flags mb 1 :flags \"seen\"))", "85: alter-flags: flags: expected a flag such as :\\\\seen or :junk, or a list of flags, got \"seen\"", false),
        ("(with-imap-connection (mb \"h\" :user \"me\") (select-mailbox mb \"inbox\"))", "1: make-imap-connection: expected :password with a string", false),
        ("(with-imap-connection (\"h\" :user \"me\" :password \"x\") (select-mailbox mb \"inbox\"))", "24: with-imap-connection: expected the name of a variable", true),
        ("(with-imap-connection mb (select-mailbox mb \"inbox\"))", "1: with-imap-connection: malformed: expected (with-imap-connection (mb host . options) . body)", true),
        ("(load \"nothere.scm\")", "1: load: nothere.scm: No such file or directory (os error 2)", false),
        ("(with-open-file (f \"nothere.txt\") (read-line f))", "1: open: nothere.txt: No such file or directory (os error 2)", false),
        ("(defun f (x) (* x 2)) (print (f 1 2))", "30: f: expected 1 argument, got 2", true),
        ("(defun f (x) (* x 2)) (print (f))", "30: f: expected 1 argument, got 0", true),
        ("(print (+ 1 \"2\"))", "8: +: expected numbers, got 1 and \"2\"", true),
        ("(print (length 5))", "8: length: expected a list, string or vector, got 5", false),
        ("(print (car 5))", "8: car: expected a list or pair, got 5", false),
        ("(print (nth \"1\" '(1 2)))", "8: nth: expected a whole number, at least 0, got \"1\"", true),
        ("(print (concat \"a\" \"b\"))", "8: the function concat is not defined; use (string-append text …)", true),
        ("(print (format nil \"~d\" ))", "8: format: more directives than arguments", false),
        ("(print (string-upcase 5))", "8: string-upcase: expected a string, got 5", true),
        ("(print (subseq \"abc\" 2 1))", "8: subseq: 2 to 1 is not within a sequence of length 3", false),
        ("(if (= 1 1) (print \"yes\") (print \"no\") (print \"more\"))", "1: if: expected (if test then else)", true),
        ("(let (x 5) (print x))", "9: let: expected a binding (name value)", true),
        ("(let ((x 5) (y)) (print z))", "25: unbound variable: z", true),
        ("(let x 5 (print x))", "8: let: expected bindings ((name value) …)", true),
        ("(defun (x) 1)", "8: defun: expected the name to define", true),
        ("(setq 5 3)", "7: setq: expected the name of a variable", true),
        ("(setq x)", "1: setq: expected pairs of a name and a value", true),
        ("(dolist x '(1 2) (print x))", "9: dolist: expected (dolist (variable list result) form …)", true),
        ("(dotimes (i \"5\") (print i))", "1: dotimes: expected a whole number, got \"5\"", false),
        ("(loop for x i '(1 2) collect x)", "13: loop: expected in, on, across, being, = or from after the variable", true),
        ("(loop for x in 5 collect x)", "1: loop: expected a list, got 5", false),
        ("(cond ((= 1 1) (print 1) else (print 2)))", "26: unbound variable: else", true),
        ("(print (get-hash 1 (make-hash-table)))", "8: the function get-hash is not defined; did you mean `gethash`?", true),
        ("(print (gethash (make-hash-table) 1))", "8: gethash: expected a hash table, got 1", true),
        ("(send-letter \"h\" \"a@b.c\" \"d@e.f\")", "1: send-letter: expected at least 4 arguments (mail-server from to message &key subject reply-to cc bcc headers login password attachments html date message-id partial null-return-path notify return envelope-id), got 3", true),
        ("(send-letter \"h\" \"a@b.c\" \"not an address\" \"hi\")", "1: send-letter: to: expected an address such as foo@bar.com or \"Foo Bar <foo@bar.com>\", or (\"Foo Bar\" . \"foo@bar.com\"), got \"not an address\"", false),
        ("(send-letter \"h\" \"a@b.c\" \"d@e.f\" \"hi\" :subjct \"x\")", "1: send-letter: unknown key :subjct; expected :subject, :reply-to, :cc, :bcc, :headers, :login, :password, :attachments, :html, :date, :message-id, :partial, :null-return-path, :notify, :return or :envelope-id; did you mean `:subject`?", true),
        ("(send-letter \"h\" \"a@b.c\" \"d@e.f\" \"hi\" :attachments \"nothere.pdf\")", "1: send-letter: cannot read nothere.pdf: No such file or directory (os error 2)", false),
        ("(print 'a 'b 'c)", "1: print: expected 1 to 2 arguments, got 3", true),
        ("(\"print\" 1)", "1: not a function: \"print\"; a list of data is quoted: '(\"print\" …)", true),
        ("(1 2 3)", "1: not a function: 1; a list of data is quoted: '(1 …)", true),
        ("(print \"unterminated)", "8: the string that starts here is not closed", true),
        ("(print (list 1 2)))", "19: this parenthesis closes nothing", true),
        ("(defun greet (name) (format t \"Hello ~a~%\" nmae)) (greet \"x\")", "44: unbound variable: nmae", true),
        ("(print (string-append \"a\" 5))", "8: string-append: expected a string, got 5", true),
        ("(print (string-split 5 \" \"))", "8: string-split: expected a string, got 5", true),
        ("(print (parse-integer \"abc\"))", "8: parse-integer: not a whole number: \"abc\"", false),
        ("(print (sort '(3 \"a\" 1) #'<))", "8: <: expected a number as argument 2, got \"a\"", false),
        ("(print (apply + 1))", "1: apply: expected a list, got 1", false),
        ("(print (mapcar '(1 2) #'1+))", "8: mapcar: expected a list, got #<procedure>", false),
        ("(print (mapcar #'add1 '(1 2)))", "18: the function add1 is not defined", true),
        ("(print (reduce + '(1 \"a\")))", "8: +: expected a number, got \"a\"", false),
        ("(with-pop-connection (mb \"h\" :user \"me\" :password \"x\") (fetch-letter mb 99))", "56: fetch-letter: the server refused RETR (the server said: There is no such message.)", false),
        ("(make-imap-connection \"h\" :port \"993\" :user \"me\" :password \"x\")", "1: make-imap-connection: port: expected a port from 1 to 65535, got \"993\"", false),
        ("(make-imap-connection \"h\" :user \"me\" :password nil)", "1: make-imap-connection: :password: expected a string, a procedure of no arguments, (:env \"NAME\"), (:command \"program\" …), (:file \"path\") or (:keyring \"service\"), got nil", false),
        ("(print (aref (vector 1 2) 5))", "8: aref: 5 is not within a sequence of length 2", false),
        ("(print (char \"abc\" 10))", "8: char: 10 is not within \"abc\"", false),
        ("(print (elt '(1 2) 2))", "8: elt: 2 is not within a sequence of length 2", false),
        ("(defvar x 1 2 3 4)", "1: defvar: expected (defvar name value documentation)", true),
        ("(print (strcat \"a\"))", "8: the function strcat is not defined; use (string-append text …)", true),
        ("(print (equal? 1))", "8: equal? expected 2 arguments, got 1", true),
        ("(let ((v (vector 1 2))) (setf (vref v 1) 2))", "31: setf: (vref …) is not a place: nothing defines how it is set; (defun (setf vref) (value …) …) or defsetf can", true),
        ("(push 1)", "1: push: expected (push value place)", true),
        ("(incf \"x\")", "7: incf: expected a place, got a constant", true),
        ("(return 5)", "1: return: there is no loop or block around it", true),
        ("(fetch-letter \"h\" 1)", "1: fetch-letter: mailbox: expected a mailbox, as make-imap-connection returns it, got \"h\"", false),
        ("(with-rules (mb) ((\"a\") (delete)))", "1: with-rules: malformed: expected (with-rules (mb name &key dry-run log create) rule …)", true),
        ("(select-letters mb '(:from \"x\"))", "17: unbound variable: mb", true),
    ];
    ROWS
};

fn said(arguments: &[&str], folder: &Path) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_postoffice"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("MY_PASS")
        .env("XDG_CONFIG_HOME", folder)
        .env("POSTOFFICE_STATE", folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

#[test]
fn every_mistake_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let mut wrong = String::new();
    for (form, message, is_checked) in MISTAKES {
        std::fs::write(folder.path().join("t.scm"), form).unwrap();
        let (column, message) = message.split_once(": ").unwrap();
        let expected = format!("t.scm:1:{column}: error: {message}");
        let (code, run) = said(&["--sandbox", "run", "t.scm"], folder.path());
        if code != 1 || !run.contains(&expected) {
            wrong.push_str(&format!("{form}\n  run: {run}  expected: {expected}\n"));
        }
        let (code, found) = said(&["check", "t.scm"], folder.path());
        if (code == 1) != *is_checked || (code == 0) != found.is_empty() {
            wrong.push_str(&format!("{form}\n  check: {code} {found}\n"));
        }
        for text in [run, found] {
            let shown: String = text.lines().filter(|line| line.contains("error: ")).collect();
            if ["%", "##", "s/", "u/", "#<void>", "steel"].iter().any(|it| shown.contains(it)) {
                wrong.push_str(&format!("{form}\n  an internal name: {shown}\n"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
