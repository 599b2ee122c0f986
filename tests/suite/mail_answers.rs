//! Kinds of answers of the mail functions that were once silently wrong: letters that lack a header,
//! headers that two sources give, and keys that are true or false. The sandbox is the mail server.

use std::process::{Command, Stdio};

const SETUP: &str = r#"(setq e (make-envelope-from-text (format nil "Subject: no from~%~%hi~%") :parsed t))
(setq mb (make-imap-connection "h" :user "u" :password "p"))
(select-mailbox mb "inbox")
(defun names? (line)
  (some (lambda (name) (eql 0 (search name line))) '("From:" "Subject:" "To:" "Cc:" "Bcc:" "Reply-To:")))
(defun sent (&rest arguments)
  (apply #'send-letter "mail.example.org" arguments)
  (remove-if-not #'names? (string-split (third (first (last (sandbox-outbox)))) (format nil "~%"))))
"#;

/// Checks forms and what they print, or the message of their error, in one program.
fn check(table: &[(&str, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    let shows = |(form, _): &(&str, &str)| {
        format!("(handler-case (prin1 {form}) (error (c) (princ c))) (terpri)\n")
    };
    let program = SETUP.to_owned() + &table.iter().map(shows).collect::<String>();
    std::fs::write(folder.path().join("t.scm"), program).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_postoffice"))
        .args(["--sandbox", "run", "t.scm"])
        .current_dir(folder.path())
        .env("XDG_CONFIG_HOME", folder.path())
        .env("POSTOFFICE_STATE", folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (out, error) = (text(output.stdout), text(output.stderr));
    let mut wrong = String::new();
    for ((form, expected), shown) in table.iter().zip(out.lines().chain(std::iter::repeat(""))) {
        if *expected != shown {
            wrong.push_str(&format!("{form}\n  shows    {shown}\n  expected {expected}\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}{error}");
}

#[test]
fn what_a_letter_lacks_is_nil() {
    check(&[
        ("(envelope-from e)", "nil"),
        ("(first (envelope-from e))", "nil"),
        ("(address->string (first (envelope-from e)))", "\"\""),
        ("(address-name (first (envelope-from e)))", "nil"),
        ("(address-mailbox nil)", "nil"),
        ("(address-host nil)", "nil"),
        ("(envelope-to e)", "nil"),
        ("(envelope-message-id e)", "nil"),
        ("(envelope-subject e)", "\"no from\""),
        ("(envelope-date (make-envelope-from-text \"X: y\"))", "nil"),
        (
            "(envelope-subject (make-envelope-from-text \"Subject: =?utf-8?Q?gr=C3=BCn?=\"))",
            "\"grün\"",
        ),
        (
            "(envelope-subject (make-envelope-from-text \"Subject: =?utf-8?Q?gr=C3=BCn?=\") :raw t)",
            "\"=?utf-8?Q?gr=C3=BCn?=\"",
        ),
        (
            "(address-name (first (envelope-from (make-envelope-from-text \"From: =?utf-8?Q?J=C3=B6rg?= <j@x.example>\" :parsed t))))",
            "\"Jörg\"",
        ),
        (
            "(address->string (first (envelope-from (make-envelope-from-text \"From: =?utf-8?Q?J=C3=B6rg?= <j@x.example>\" :parsed t))))",
            "\"Jörg <j@x.example>\"",
        ),
        (
            "(address-name (first (envelope-from (make-envelope-from-text \"From: j@x.example\" :parsed t))))",
            "nil",
        ),
        (
            "(address->string (first (envelope-from (make-envelope-from-text \"From: j@x.example\" :parsed t))))",
            "\"j@x.example\"",
        ),
    ]);
}

#[test]
fn a_header_stands_once() {
    check(&[
        (
            "(sent \"a@x.example\" \"b@x.example\" (make-mime-part :text \"hi\" :headers '((\"From\" . \"Me <a@x.example>\") (\"Subject\" . \"one\"))) :subject \"two\")",
            "(\"To: b@x.example\" \"From: Me <a@x.example>\" \"Subject: one\")",
        ),
        (
            "(sent \"a@x.example\" \"b@x.example\" \"hi\" :subject \"one\")",
            "(\"From: a@x.example\" \"To: b@x.example\" \"Subject: one\")",
        ),
        (
            "(sent \"Alerts <alerts@x.example>\" \"b@x.example\" \"hi\")",
            "(\"From: Alerts <alerts@x.example>\" \"To: b@x.example\")",
        ),
        (
            "(sent '(\"Alerts\" . \"alerts@x.example\") '(\"b@x.example\" (\"Bee\" . \"bee@x.example\")) \"hi\")",
            "(\"From: Alerts <alerts@x.example>\" \"To: b@x.example, Bee <bee@x.example>\")",
        ),
        (
            "(sent \"a@x.example\" \"B <b@x.example>\" \"hi\" :cc '(\"C\" . \"c@x.example\"))",
            "(\"From: a@x.example\" \"To: B <b@x.example>\" \"Cc: C <c@x.example>\")",
        ),
        (
            "(sent \"a@x.example\" \"b@x.example\" \"hi\" :bcc \"d@x.example\")",
            "(\"From: a@x.example\" \"To: b@x.example\")",
        ),
        (
            "(sent \"a@x.example\" \"b@x.example\" \"hi\" :headers '((\"Subject\" . \"from headers\")) :subject \"key\")",
            "send-letter: header Subject: set it by its own option",
        ),
        (
            "(sent \"a@x.example\" \"b@x.example\" \"hi\" :headers '((\"Reply-To\" . \"r@x.example\")) :reply-to \"s@x.example\")",
            "send-letter: header Reply-To: set it by its own option",
        ),
        (
            "(sent \"a@x.example\" \"b@x.example\" (make-mime-part :text \"hi\" :headers '((\"To\" . \"list@x.example\"))))",
            "(\"From: a@x.example\" \"To: list@x.example\")",
        ),
        (
            "(sent '(\"Jörg\" . \"j@x.example\") \"b@x.example\" \"hi\" :subject \"grün\")",
            "(\"From: =?UTF-8?Q?J=C3=B6rg?= <j@x.example>\" \"To: b@x.example\" \"Subject: =?UTF-8?Q?gr=C3=BCn?=\")",
        ),
        (
            "(sent '(\"Doe, J.\" . \"j@x.example\") \"b@x.example\" \"hi\")",
            "(\"From: \\\"Doe, J.\\\" <j@x.example>\" \"To: b@x.example\")",
        ),
        (
            "(sent \"a@x.example\" \"not an address\" \"hi\")",
            "send-letter: to: expected an address such as foo@bar.com or \"Foo Bar <foo@bar.com>\", or (\"Foo Bar\" . \"foo@bar.com\"), got \"not an address\"",
        ),
    ]);
}

#[test]
fn keys_are_true_or_false_and_nothing_else() {
    check(&[
        ("(fetch-letter mb 1 :uid 64)", "fetch-letter: :uid: expected t or nil, got 64"),
        (
            "(fetch-letter mb 1 :peek \"yes\")",
            "fetch-letter: :peek: expected t or nil, got \"yes\"",
        ),
        ("(search-mailbox mb :all :uid 1)", "search-mailbox: :uid: expected t or nil, got 1"),
        (
            "(send-letter \"h\" \"a@b.c\" \"d@e.f\" \"hi\" :null-return-path 5)",
            "send-letter: :null-return-path: expected t or nil, got 5",
        ),
        (
            "(send-letter \"h\" \"a@b.c\" \"d@e.f\" \"hi\" :partial 5)",
            "send-letter: :partial: expected t or nil, got 5",
        ),
        (
            "(select-mailbox mb \"inbox\" :read-only 1)",
            "select-mailbox: :read-only: expected t or nil, got 1",
        ),
        (
            "(alter-flags mb 1 :add-flags :a :silent 'yes)",
            "alter-flags: :silent: expected t or nil, got yes",
        ),
        (
            "(copy-to-mailbox mb 1 \"x\" :create \"t\")",
            "copy-to-mailbox: :create: expected t or nil, got \"t\"",
        ),
        (
            "(fetch-field 1 \"envelope\" '() :uid 64)",
            "fetch-field: :uid: expected t or nil, got 64",
        ),
        (
            "(pipelined-map (lambda (n) n) (lambda (n r) r) '(1 2) :window \"x\")",
            "pipelined-map: :window: expected a whole number from 1 to 1000, got \"x\"",
        ),
        (
            "(make-envelope-from-text \"From: x@y\" :parsed 5)",
            "make-envelope-from-text: :parsed: expected t or nil, got 5",
        ),
        ("(delete-letter mb 1 :uid \"1\")", "delete-letter: :uid: expected t or nil, got \"1\""),
    ]);
}
