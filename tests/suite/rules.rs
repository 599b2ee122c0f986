//! `with-rules`, on the sandbox and on Dovecot.

use crate::support::{Server, empty};
use postoffice::repl::Session;

const LETTERS: [&str; 6] = [
    "From: Ann <ann@a.example>\nSubject: Invoice 7\n\nsum\n",
    "From: bob@b.example\nSubject: hello\nList-Id: The list <dev.b.example>\n\nx\n",
    "From: carl@c.example\nSubject: cheap pills\n\nbuy\n",
    "From: Ann <ann@a.example>\nSubject: cheap Invoice 8\nList-Id: <../up/%*.a.example>\n\nsecret word\n",
    "From: dora@d.example\nSubject: nothing\nList-Id: <>\n\nx\n",
    "From: bob@b.example\nSubject: again\nList-Id: The list <dev.b.example>\n\nx\n",
];

fn servers() -> impl Iterator<Item = Server> {
    [Some(Server::sandbox(empty())), Server::dovecot()].into_iter().flatten()
}

fn session(server: &Server) -> Session {
    let mut client = server.with_letters(&LETTERS);
    client.create("elsewhere").unwrap();
    client.close();
    let mut session = server.session();
    let setup = r#"(select-mailbox mb "elsewhere")
        (defun subjects (name)
          (map-letters #'letter-subject (select-letters mb :all :mailbox name)))"#;
    assert!(session.evaluate(setup).result.is_ok());
    session
}

#[track_caller]
fn check(forms: &[(&str, &str)]) {
    for server in servers() {
        let mut session = session(&server);
        for (form, expected) in forms {
            let value = match session.evaluate(form).result {
                Ok(value) => value,
                Err(report) => report.condition.message,
            };
            assert_eq!(value, *expected, "{form} on {}", server.name);
        }
    }
}

#[test]
fn the_first_rule_that_matches_takes_the_letter() {
    check(&[
        (
            r#"(with-rules (mb "inbox" :create t)
                 ((:subject "cheap") :delete)
                 ((:from "ann") (:flag :\\flagged :bill) (:move "bills"))
                 ((:matches :list-id "<([^.>]+)\\.") (:move "lists-\\1"))
                 (t :stop)
                 ((:from "dora") :delete))"#,
            "((1 . 2) (2 . 1) (3 . 2) (4 . 1) (5 . 0))",
        ),
        (r#"(subjects "inbox")"#, r#"("nothing")"#),
        (r#"(subjects "bills")"#, r#"("Invoice 7")"#),
        (
            r#"(letters-count (select-letters mb '(and :flagged (:keyword :bill)) :mailbox "bills"))"#,
            "1",
        ),
        (r#"(subjects "lists-dev")"#, r#"("hello" "again")"#),
        // The script's mailbox is still selected.
        ("(mailbox-name mb)", r#""elsewhere""#),
    ]);
}

#[test]
fn rules_go_on_after_continue() {
    check(&[
        (
            r#"(let ((called '()))
                 (list (with-rules (mb "inbox" :create t)
                         ((or (:from "ann") (:list "dev.b.example")) (:flag :known) :continue t)
                         ((:from "bob") (:call (lambda (letter) (push (letter-uid letter) called))) (:copy "copies") :continue t)
                         ((and (:from "bob") (not (:subject "again"))) (:move "one"))
                         ((:from "bob") (:move "two")))
                       called))"#,
            "(((1 . 4) (2 . 2) (3 . 1) (4 . 1)) (6 2))",
        ),
        (r#"(letters-uids (select-letters mb '(:keyword :known) :mailbox "inbox"))"#, "(1 4)"),
        (r#"(subjects "copies")"#, r#"("hello" "again")"#),
        (r#"(subjects "one")"#, r#"("hello")"#),
        (r#"(subjects "two")"#, r#"("again")"#),
    ]);
}

#[test]
fn a_dry_run_changes_nothing_and_returns_the_plan() {
    for server in servers() {
        let mut session = session(&server);
        let plan = server.left_as_it_was("with-rules", || {
            session
                .evaluate(
                    r#"(with-rules (mb "inbox" :dry-run t)
                         ((:body "secret") (:move "found"))
                         ((:body-matches "^bu.") :delete)
                         ((:matches :list-id "<([^.>]*)") (:move "lists/\\1"))
                         ((:from "ann") (:flag :x) (:copy "c")))"#,
                )
                .text()
        });
        assert_eq!(
            plan,
            r#"(((:flag :x) (1)) ((:copy "c") (1)) ((:move "found") (4)) ((:move "lists/dev") (2 6)) ((:delete) (3)))"#,
            "{}",
            server.name
        );
    }
}

#[test]
fn a_letter_chooses_no_place_outside_of_a_rules_target() {
    check(&[
        (
            r#"(with-rules (mb "inbox" :dry-run t) ((:matches :list-id "<(?<id>[^>]+)\\.a\\.example>") (:move "lists/\\k<id>")))"#,
            r#"(((:move "lists/.._up___") (4)))"#,
        ),
        // In letters 4 and 5 the group is empty.
        (
            r#"(with-rules (mb "inbox" :dry-run t) ((:matches :list-id "<([^.>]*)") (:copy "l-\\1")))"#,
            r#"(((:copy "l-dev") (2 6)))"#,
        ),
    ]);
}

#[test]
fn letters_get_labels_and_go_to_programs() {
    let folder = tempfile::tempdir().unwrap();
    let seen = folder.path().join("seen");
    let program = format!("cat >> {}; exit 3", seen.display());
    let rules = format!(
        r#"(with-rules (mb "inbox" :create t)
             ((:matches :list-id "<([^.>]+)\\.") (:label "list" "l-\\1") :continue t)
             ((:from "bob") (:pipe "sh" "-c" {program:?}) (:move "bob")))"#
    );
    let plan = rules.replace(":create t", ":dry-run t");
    for server in servers() {
        let mut session = session(&server);
        let mut shows = |form: &str| session.evaluate(form).result.unwrap();
        let shown = format!(
            r#"(((:label "list" "l-..") (4)) ((:label "list" "l-dev") (2 6)) ((:pipe "sh" "-c" {program:?}) (2 6)) ((:move "bob") (2 6)))"#
        );
        let shown = shown.replace(r#"((:label "list" "l-..") (4)) "#, "");
        assert_eq!(shows(&plan), shown, "{}", server.name);
        assert!(!seen.exists());
        assert_eq!(shows(&rules), "((1 . 2) (2 . 2))");
        assert_eq!(
            shows(
                r#"(map-letters (lambda (one) (sort (letter-labels one) #'string<)) (select-letters mb :all :mailbox "bob"))"#
            ),
            r#"(("l-dev" "list") ("l-dev" "list"))"#
        );
        let letters = std::fs::read_to_string(&seen).unwrap();
        assert_eq!(letters.matches("Subject: hello").count(), 1);
        assert_eq!(letters.matches("Subject: again").count(), 1);
        std::fs::remove_file(&seen).unwrap();
        // No letter chooses a label of the system.
        server.connect().append("INBOX", &[], None, b"Subject: \\Important x\r\n\r\n").unwrap();
        let form = r#"(with-rules (mb "inbox" :dry-run t)
             ((and (:subject "Important") (:matches :subject "^(\\S+)")) (:label "\\1")))"#;
        assert_eq!(shows(form), r#"(((:label "_Important") (7)))"#, "{}", server.name);
    }
}

#[test]
fn the_log_says_which_rule_took_which_letter() {
    check(&[(
        r#"(with-output-to-string (out)
             (with-rules (mb "inbox" :dry-run t :log out)
               ((:from "ann") (:flag :x) (:move "a"))
               ((:from "carl") :stop)))"#,
        "\"rule 1 took letter 1: (:flag x) (:move \\\"a\\\")\nrule 2 took letter 3: :stop\nrule 1 took letter 4: (:flag x) (:move \\\"a\\\")\n\"",
    )]);
}

#[test]
fn conditions_take_procedures_and_values() {
    check(&[
        (
            r#"(let ((sender "ann"))
                 (with-rules (mb "inbox" :dry-run t)
                   ((and (:from ,sender) (:where (lambda (letter) (= (letter-uid letter) 4)))) (:move "a"))
                   ((:where #'letter-list-id) (:move "b"))))"#,
            r#"(((:move "a") (4)) ((:move "b") (2 6)))"#,
        ),
        (r#"(with-rules (mb "elsewhere") (t :delete))"#, "((1 . 0))"),
    ]);
}

#[test]
fn wrong_rules_are_refused_before_a_byte_is_sent() {
    let server = Server::sandbox(empty());
    let mut session = session(&server);
    let before = server.received().len();
    for (rule, why) in [
        ("((:from \"x\"))", "rule 1: expected a rule"),
        ("(:seen)", "rule 1: expected a rule"),
        ("(t (:label))", "rule 1: expected a rule"),
        ("(t (:label \"\"))", "rule 1: expected a rule"),
        ("(t (:label :x))", "rule 1: expected a rule"),
        ("(t (:label \"a-\\\\1\"))", "rule 1: expected a (:matches"),
        ("(t (:pipe))", "rule 1: expected a rule"),
        ("(t (:pipe \"\"))", "rule 1: expected a rule"),
        ("(t (:pipe \"x\" 1))", "rule 1: expected a rule"),
        ("(:seen (:move))", "expected a rule"),
        ("(:seen (:move \"\"))", "expected a rule"),
        ("(:seen (:move \"a\nb\"))", "expected a rule"),
        ("(:seen (:flag))", "expected a rule"),
        ("(:seen (:burn))", "expected a rule"),
        ("(:seen :move)", "expected a rule"),
        ("(:seen :stop :delete)", "expected a rule"),
        ("(:seen :delete :stop :continue t)", "expected a rule"),
        ("(:seen :stop :continue t)", "expected a rule"),
        ("((:from \"x\") (:move \"\\\\1\"))", "a (:matches field regexp) in the condition"),
        ("((:matches :from \"(\") :delete)", "unclosed group"),
        ("((:no-such-key 5) :delete)", "a search predicate"),
    ] {
        let form = format!("(with-rules (mb \"inbox\") {rule})");
        let Err(report) = session.evaluate(&form).result else { panic!("{form}") };
        let message = report.condition.message;
        assert!(message.starts_with("with-rules: ") && message.contains(why), "{form}: {message}");
    }
    assert_eq!(server.received().len(), before);
}

#[test]
fn many_rules_cost_one_fetch() {
    let server = Server::sandbox(empty());
    let mut session = session(&server);
    let rules: String = (0..500)
        .map(|number| format!("((:from \"nobody{number}\") (:move \"x\")) ((:matches :subject \"^no {number}$\") :delete)\n"))
        .collect();
    let before = server.received().len();
    let form = format!(
        "(with-rules (mb \"inbox\") {rules} ((:from \"ann\") (:flag :a)) ((:list \"dev.b.example\") (:flag :b)))"
    );
    assert!(session.evaluate(&form).text().ends_with("(1001 . 2) (1002 . 2))"));
    let received = server.received()[before..].to_vec();
    let fetches = received.iter().filter(|command| command.contains("HeaderFields")).count();
    assert_eq!(
        (fetches, received.iter().filter(|command| command.contains("Search")).count()),
        (1, 0),
        "{received:?}"
    );
    assert!(received.len() <= 6, "{received:?}");
}
