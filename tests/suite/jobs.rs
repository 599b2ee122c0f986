//! The five jobs of docs/jobs.md, run on the sandbox and on Dovecot as they stand there.

use crate::support::{Server, empty};
use postoffice::api::{Setup, attach};
use postoffice::repl::Session;
use postoffice::sandbox::{Account, Options};

const PAGE: &str = include_str!("../../docs/jobs.md");

/// The sections with a program: heading, program in our language, stated number of lines of the
/// other program, and that program.
fn jobs() -> Vec<(&'static str, &'static str, usize, &'static str)> {
    let block = |section: &'static str, language: &str| {
        let (_, rest) = section.split_once(&format!("```{language}\n"))?;
        rest.split_once("```").map(|(block, _)| block)
    };
    let job = |section: &'static str| {
        let (title, _) = section.split_once('\n')?;
        let words: Vec<&str> = section.split_whitespace().collect();
        let lines = words.windows(2).find(|pair| pair[1].starts_with("lines"))?[0].parse().ok()?;
        let other = block(section, "lua").or_else(|| block(section, "python"))?;
        Some((title, block(section, "lisp")?, lines, other))
    };
    PAGE.split("\n## ").filter_map(job).collect()
}

#[test]
fn a_job_takes_twelve_lines_at_most_and_the_other_program_as_many_as_the_page_says() {
    let jobs = jobs();
    assert_eq!(jobs.len(), 5);
    for (title, program, lines, other) in jobs {
        assert!(program.lines().count() <= 12, "{title}");
        assert_eq!(other.lines().count(), lines, "{title}");
    }
}

fn letters() -> Vec<String> {
    let pdf = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nsee there\n--b\nContent-Type: application/pdf\nContent-Disposition: attachment; filename=\"../7.pdf\"\n\n%PDF\n--b--\n";
    let text = "\nhello\n";
    let large = format!("\n{}", "0123456789\n".repeat(100_000));
    [
        ("boss@example.org", "Invoice?", "2020", "", text),
        ("a@x.example", "Your invoice 7", "2020", "", pdf),
        ("a@x.example", "Your invoice 8", "2021", "", pdf),
        ("b@x.example", "news", "2021", "List-Id: News <n.x.example>\n", text),
        ("c@x.example", "hello", "2021", "", text),
        ("c@x.example", "large", "2020", "", &large),
    ]
    .map(|(from, subject, year, more, body)| {
        format!("From: {from}\nSubject: {subject}\nDate: Fri, 13 Mar {year} 10:00:00 +0000\n{more}{body}")
    })
    .into()
}

/// Runs the job whose title begins so, and then evaluates forms. `work` and `archive` are accounts
/// of the server, `mb` and `other` connections to them; FOLDER is an empty folder.
#[track_caller]
fn check(title: &str, before: &str, forms: &[(&str, &str)]) {
    let (_, program, ..) = jobs().into_iter().find(|job| job.0.starts_with(title)).unwrap();
    for (server, other) in servers() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().to_str().unwrap();
        let mut session = Session::new(Vec::new());
        attach(session.host(), &Setup::default());
        let mut evaluate = |form: &str| match session.evaluate(form).result {
            Ok(value) => value,
            Err(report) => panic!("{form} on {}: {}", server.name, report.condition),
        };
        let auth = if server.is_sandbox() { "plain" } else { "login" };
        for (account, mb, user) in [("work", "mb", &server.user), ("archive", "other", &other)] {
            evaluate(&format!(
                r#"(progn (define-account {account} :host "127.0.0.1" :port {} :user "{user}" :password "{}" :auth :{auth})
                          (setq {mb} (connect '{account})))"#,
                server.port, server.password
            ));
        }
        for letter in letters() {
            let date = letter.lines().find_map(|line| line.strip_prefix("Date: ")).unwrap();
            let letter = letter.replace('\\', "\\\\").replace('"', "\\\"");
            evaluate(&format!(r#"(append-letter mb "inbox" "{letter}" :date "{date}")"#));
        }
        evaluate(r#"(select-mailbox mb "inbox")"#);
        evaluate(before);
        let here = |text: &str| {
            text.replace("\"invoices/", &format!("\"{folder}/"))
                .replace("\"report.csv", &format!("\"{folder}/report.csv"))
                .replace("FOLDER", folder)
        };
        evaluate(&here(program));
        evaluate("(noop mb)");
        for (form, expected) in forms {
            assert_eq!(evaluate(&here(form)), *expected, "{form} on {}", server.name);
        }
    }
}

/// Servers, each with the name of a second account.
fn servers() -> impl Iterator<Item = (Server, String)> {
    let accounts = vec![Account::new("user", "pw"), Account::new("archive", "pw")];
    let sandbox = Server::sandbox(Options { accounts, ..empty() });
    let dovecot = Server::dovecot().map(|server| {
        let other = format!("{}-archive", server.user);
        (server, other)
    });
    std::iter::once((sandbox, "archive".to_owned())).chain(dovecot)
}

const SUBJECTS: &str = "(map-letters #'letter-subject (select-letters mb :all))";

#[test]
fn letters_are_filed() {
    check(
        "File",
        "nil",
        &[
            (SUBJECTS, r#"("hello" "large")"#),
            (
                r#"(mapcar (lambda (box) (map-letters #'letter-subject (select-letters mb :all :mailbox box))) '("important" "invoices" "lists"))"#,
                r#"(("Invoice?") ("Your invoice 7" "Your invoice 8") ("news"))"#,
            ),
        ],
    );
}

#[test]
fn attachments_are_saved_once() {
    check(
        "Save",
        "nil",
        &[
            (
                r#"(mapcar (lambda (path) (not (null (probe-file (format nil "FOLDER/~a" path))))) '("2020-03/7.pdf" "2021-03/7.pdf" "2020-03/7-2.pdf" "7.pdf"))"#,
                "(t t nil nil)",
            ),
            ("(search-mailbox mb '(:keyword :collected))", "(1 2 3)"),
            ("(search-mailbox mb :seen)", "nil"),
        ],
    );
}

#[test]
fn a_report_is_written() {
    check(
        "Write",
        "nil",
        &[
            (
                r#"(split-re "\n" (with-open-file (in "FOLDER/report.csv") (read-string in)) :limit 3)"#,
                "(\"date,from,subject,bytes\" \"2020-03-13,boss@example.org,Invoice?,91\" \"2020-03-13,a@x.example,Your invoice 7,270\n2021-03-13,a@x.example,Your invoice 8,270\n2021-03-13,b@x.example,news,111\n2021-03-13,c@x.example,hello,83\n2020-03-13,c@x.example,large,1200076\n\")",
            ),
            ("(search-mailbox mb :seen)", "nil"),
        ],
    );
}

#[test]
fn years_go_to_another_account() {
    check(
        "Archive",
        r#"(alter-flags mb 2 :add-flags :\\seen)"#,
        &[
            ("(search-mailbox mb :all)", "nil"),
            (
                r#"(mapcar (lambda (box) (map-letters #'letter-subject (select-letters other :all :mailbox box))) '("2020" "2021"))"#,
                r#"(("Invoice?" "Your invoice 7" "large") ("Your invoice 8" "news" "hello"))"#,
            ),
            (
                r#"(map-letters #'letter-subject (select-letters other :seen :mailbox "2020"))"#,
                r#"("Your invoice 7")"#,
            ),
        ],
    );
}

#[test]
fn what_is_old_goes_by_list_and_size_unless_it_is_flagged() {
    let kept = r#"("Invoice?" "Your invoice 7" "Your invoice 8" "hello")"#;
    check("Clean", "nil", &[(SUBJECTS, kept)]);
    let kept = r#"("Invoice?" "Your invoice 7" "Your invoice 8" "news" "hello")"#;
    check("Clean", r#"(alter-flags mb 4 :add-flags :\\flagged)"#, &[(SUBJECTS, kept)]);
}
