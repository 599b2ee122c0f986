//! Numbers of messages shift when a letter leaves the mailbox. A change by numbers from before is
//! warned of, and refused with `--strict`; one by UIDs, by fresh numbers or in one call is not.

use std::path::Path;
use std::process::{Command, Stdio};

/// The form, how many warnings it causes, and how many of seven letters are left in the end.
const ROWS: &[(&str, usize, usize)] = &[
    ("(dolist (n '(1 2)) (delete-letter mb n))", 1, 5),
    ("(dolist (n (list (first all) (second all))) (delete-letter mb n))", 1, 5),
    ("(dolist (n (reverse all)) (delete-letter mb n))", 0, 0),
    ("(dolist (uid (search-mailbox mb :all :uid t)) (delete-letter mb uid :uid t))", 0, 0),
    ("(delete-letter mb all)", 0, 0),
    (
        "(progn (move-to-mailbox mb (first all) \"x\") (alter-flags mb (third all) :add-flags :a))",
        1,
        6,
    ),
    ("(progn (delete-letter mb (second all)) (copy-to-mailbox mb (third all) \"x\"))", 1, 6),
    ("(progn (delete-letter mb (third all)) (alter-flags mb (first all) :add-flags :a))", 0, 6),
    ("(progn (delete-letter mb (third all)) (fetch-parts mb (fourth all) \"flags\"))", 0, 6),
    ("(progn (delete-letter mb 1) (delete-letter mb (first (search-mailbox mb :all))))", 0, 5),
    (
        "(progn (delete-letter mb 1)\n(alter-flags mb 3 :add-flags :a)\n(alter-flags mb 3 :add-flags :b))",
        2,
        6,
    ),
    (
        "(progn (delete-letter mb 1) (dotimes (i 3) (alter-flags mb (third all) :add-flags :a)))",
        1,
        6,
    ),
    (
        "(progn (delete-letter mb 1) (select-mailbox mb \"x\") (select-mailbox mb \"inbox\") (delete-letter mb 2))",
        0,
        5,
    ),
    ("(dotimes (i (mailbox-message-count mb)) (delete-letter mb 1))", 1, 0),
    // Whole lists.
    (
        "(let ((old (list (second all) (third all)))) (delete-letter mb (list (first all))) (move-to-mailbox mb old \"x\"))",
        1,
        4,
    ),
    (
        "(progn (delete-letter mb '(1 2)) (move-to-mailbox mb (list (third all) (fourth all)) \"x\"))",
        1,
        3,
    ),
    (
        "(progn (delete-letter mb '(6 7)) (move-to-mailbox mb (list (first all) (third all)) \"x\"))",
        0,
        3,
    ),
    (
        "(progn (delete-letter mb '(1 2)) (move-to-mailbox mb (search-mailbox mb '(:seq 1 2)) \"x\"))",
        0,
        3,
    ),
    ("(progn (delete-letter mb '(1 2)) (move-to-mailbox mb '(:seq 1 2) \"x\"))", 0, 3),
    ("(progn (delete-letter mb '(1 2)) (move-to-mailbox mb '() \"x\"))", 0, 5),
];

fn run(options: &[&str], folder: &Path) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_postoffice"))
        .args(["--sandbox", "run"])
        .args(options)
        .arg("t.scm")
        .current_dir(folder)
        .env("XDG_CONFIG_HOME", folder)
        .env("POSTOFFICE_STATE", folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn changes_by_numbers_from_before_are_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let mut wrong = String::new();
    for (form, warnings, left) in ROWS {
        let program = format!(
            "(setq mb (make-imap-connection \"h\" :user \"me\" :password \"x\"))
             (create-mailbox mb \"x\")
             (select-mailbox mb \"inbox\")
             (setq all (search-mailbox mb :all))
             {form}
             (format t \"~a\" (mailbox-message-count mb))"
        );
        std::fs::write(folder.path().join("t.scm"), program).unwrap();
        let (code, out, error) = run(&[], folder.path());
        let found = error.matches("given before letters left the mailbox").count();
        if (code, out.as_str(), found) != (0, left.to_string().as_str(), *warnings) {
            wrong.push_str(&format!("{form}: {code} {out} {found}\n{error}\n"));
        }
        let (code, _, error) = run(&["--strict"], folder.path());
        if (code == 1) != (*warnings > 0) || (code == 1) != error.contains("given before") {
            wrong.push_str(&format!("{form} --strict: {code} {error}\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
