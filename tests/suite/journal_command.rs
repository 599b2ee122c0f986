//! `postoffice journal` and `postoffice undo`: what a user sees, and what a process that was killed
//! leaves behind.

use crate::journal::snapshot;
use crate::support::{Server, empty, leaks};
use postoffice::sandbox::{Account, Extension, Extensions, Options, Seed};
use std::path::Path;
use std::process::{Command, Stdio};

/// A user: a folder with the configuration, the state and the scripts.
pub struct User {
    folder: tempfile::TempDir,
    port: u16,
}

impl User {
    /// A user whose init.scm defines the account `work` on the server.
    pub fn of(server: &Server) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config/postoffice");
        std::fs::create_dir_all(&config).unwrap();
        let account = format!(
            "(define-account work :host \"mail.example.org\" :user \"{}\" :password \"{}\" :tls :none)",
            server.user, server.password
        );
        std::fs::write(config.join("init.scm"), account).unwrap();
        User { folder, port: server.port }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap()
    }

    /// Runs the command. Returns its exit code, `None` if it was killed, and its whole output.
    fn postoffice(&self, arguments: &[&str], crash: &str) -> (Option<i32>, String) {
        let mut command = self.command(arguments);
        if !crash.is_empty() {
            command.env("POSTOFFICE_JOURNAL_CRASH", crash);
        }
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        leaks::check(&text);
        (output.status.code(), text)
    }

    /// The command with these arguments.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_postoffice"));
        let redirect = format!("mail.example.org=127.0.0.1:{}", self.port);
        command
            .args(["--connect-to", &redirect])
            .args(arguments)
            .current_dir(self.path())
            .env("XDG_CONFIG_HOME", self.path().join("config"))
            .env("POSTOFFICE_STATE", self.path().join("state"))
            .env_remove("RUST_BACKTRACE")
            .stdin(Stdio::null());
        command
    }

    pub fn says(&self, arguments: &str) -> String {
        self.postoffice(&arguments.split(' ').collect::<Vec<_>>(), "").1
    }
}

/// The times in a text, made equal.
fn without_times(text: &str) -> String {
    let is_time =
        |word: &str| word.len() == 19 && word.starts_with("20") && word.as_bytes()[13] == b':';
    let mut text = text.to_owned();
    let starts: Vec<usize> = text
        .char_indices()
        .map(|(at, _)| at)
        .filter(|at| text.get(*at..at + 19).is_some_and(is_time))
        .collect();
    starts.iter().for_each(|at| text.replace_range(at..&(at + 19), "2026-12-01 09:30:00"));
    text
}

/// Runs the commands of a section of the README on a user's machine. Other blocks are scripts.
fn follow_the_readme(user: &User, section: &str) -> usize {
    let readme = include_str!("../../README.md");
    let section = readme.split(&format!("\n## {section}\n")).nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let mut commands = 0;
    for block in
        section.split("\n\n").filter(|block| block.trim_start_matches('\n').starts_with("    "))
    {
        let block: String =
            block.lines().map(|line| format!("{}\n", line.trim_start_matches("    "))).collect();
        let block = block.trim_start_matches('\n');
        match block.strip_prefix("$ postoffice ") {
            None => user.write("tidy.scm", block),
            Some(typed) => {
                let (typed, expected) = typed.split_once('\n').unwrap();
                assert_eq!(without_times(&user.says(typed)), without_times(expected), "{typed}");
                commands += 1;
            }
        }
    }
    commands
}

fn manual_server() -> Server {
    let accounts = vec![Account::manual()];
    Server::sandbox(Options { accounts, seed: Seed::Manual, ..Options::default() })
}

#[test]
fn the_readmes_session_is_what_comes() {
    let server = manual_server();
    let user = User::of(&server);
    let commands = follow_the_readme(&user, "Journal and undo");
    assert!(commands >= 5, "{commands}");
}

#[test]
fn the_readmes_dry_run_is_what_comes_and_can_be_undone() {
    let server = manual_server();
    let user = User::of(&server);
    let readme = include_str!("../../README.md");
    let script = readme.split("    ;; tidy.scm\n").nth(1).unwrap().split("\n\n").next().unwrap();
    user.write("tidy.scm", script);
    let before = snapshot(&server);
    let commands = follow_the_readme(&user, "Dry runs and plans");
    assert!(commands >= 2, "{commands}");
    assert_ne!(snapshot(&server), before);
    user.says("undo");
    assert_eq!(snapshot(&server), before);
}

fn three_letters() -> Server {
    let server = Server::sandbox(empty());
    let mut client = server.connect();
    for at in 1..=3 {
        let letter = format!("Message-ID: <{at}@x>\r\n\r\n{at}\r\n");
        client.append("INBOX", &[], None, letter.as_bytes()).unwrap();
    }
    client.close();
    server
}

/// A snapshot without the internal dates, which are those of the tests.
fn without_dates(snapshot: Vec<String>) -> Vec<String> {
    let plain = |line: String| {
        let parts = line.split("Some(").map(|part| match part.split_once(')') {
            Some((digits, rest)) if digits.len() == 10 && digits.parse::<u64>().is_ok() => rest,
            _ => part,
        });
        parts.collect::<Vec<_>>().join("Some(")
    };
    snapshot.into_iter().map(plain).collect()
}

#[test]
fn an_apply_that_is_killed_at_any_write_goes_on() {
    let whole = three_letters();
    let user = User::of(&whole);
    user.write("tidy.scm", SCRIPT);
    user.says("run --init --dry-run --plan tidy.plan tidy.scm");
    user.says("apply tidy.plan");
    let expected = without_dates(snapshot(&whole));
    let mut killed = 0;
    for side in ["before", "after"] {
        for write in 1.. {
            let server = three_letters();
            let user = User::of(&server);
            user.write("tidy.scm", SCRIPT);
            user.says("run --init --dry-run --plan tidy.plan tidy.scm");
            let crash = format!("{side} {write}");
            let (code, said) = user.postoffice(&["apply", "tidy.plan"], &crash);
            killed += usize::from(code.is_none());
            let (again, more) = user.postoffice(&["apply", "tidy.plan"], "");
            assert_eq!(again, Some(0), "{crash}: {said}\n{more}");
            let found = without_dates(snapshot(&server));
            assert_eq!(found, expected, "{crash}: {said}\n{more}");
            if code == Some(0) {
                break;
            }
        }
    }
    assert!(killed > 10, "{killed}");
}

const SCRIPT: &str = r#"(with-account (mb 'work)
  (create-mailbox mb "box")
  (subscribe-mailbox mb "box")
  (select-mailbox mb "inbox")
  (append-letter mb "inbox" (format nil "Message-ID: <new@x>~%~%new~%"))
  (alter-flags mb 1 :add-flags :\\flagged)
  (move-to-mailbox mb 2 "box")
  (move-to-mailbox mb 2 "box")
  (copy-to-mailbox mb 1 "box")
  (rename-mailbox mb "box" "case"))
"#;

#[test]
fn a_run_that_is_killed_at_any_write_can_be_taken_back() {
    let server = three_letters();
    let before = snapshot(&server);
    let mut killed = 0;
    for side in ["before", "after"] {
        for write in 1.. {
            let user = User::of(&server);
            user.write("tidy.scm", SCRIPT);
            let crash = format!("{side} {write}");
            let (code, said) = user.postoffice(&["run", "--init", "tidy.scm"], &crash);
            killed += usize::from(code.is_none());
            let journal = user.says("journal 1");
            let check = user.postoffice(&["journal", "check"], "");
            assert_eq!(check.0, Some(0), "{crash}: {}\n{journal}", check.1);
            let undone = user.postoffice(&["undo"], "");
            assert_eq!(snapshot(&server), before, "{crash}: {journal}\n{}\n{}", check.1, undone.1);
            if code.is_some() {
                assert_eq!((code, said.as_str(), undone.0), (Some(0), "", Some(0)));
                break;
            }
            assert!(write < 40, "it never ends");
        }
    }
    assert!(killed >= 18, "{killed}");
}

#[test]
fn an_undo_that_is_killed_at_any_write_can_be_begun_again() {
    let server = three_letters();
    let before = snapshot(&server);
    for write in 1.. {
        let user = User::of(&server);
        user.write("tidy.scm", SCRIPT);
        assert_eq!(user.postoffice(&["run", "--init", "tidy.scm"], "").0, Some(0));
        let (code, _) = user.postoffice(&["undo", "1"], &format!("before {write}"));
        if code.is_some() {
            assert!(write > 5, "{write}");
            break;
        }
        let said = [user.says("journal check"), user.says("undo 1")];
        assert_eq!(snapshot(&server), before, "{write}: {said:#?}");
    }
}

/// The server refuses the first MOVE or COPY, because there is no such mailbox yet.
#[test]
fn a_run_that_is_killed_while_it_makes_a_mailbox_can_be_taken_back() {
    let script = "(with-account (mb 'work) (select-mailbox mb \"inbox\")
      (move-letters (select-letters mb :all) :to \"new\" :create t))";
    for without in [None, Some(Extension::Move)] {
        let all = Extensions::default();
        let extensions = without.map_or(all, |one| all.without(one));
        let server = Server::sandbox(Options { extensions, ..empty() });
        let mut client = server.connect();
        for at in 1..=3 {
            let letter = format!("Message-ID: <{at}@x>\r\n\r\n{at}\r\n");
            client.append("INBOX", &[], None, letter.as_bytes()).unwrap();
        }
        client.close();
        let before = snapshot(&server);
        for write in 1.. {
            let user = User::of(&server);
            user.write("tidy.scm", script);
            let crash = format!("after {write}");
            let (code, said) = user.postoffice(&["run", "--init", "tidy.scm"], &crash);
            // The script does its work before somebody asks.
            if code.is_none() {
                let again = user.postoffice(&["run", "--init", "tidy.scm"], "");
                assert_eq!(again.0, Some(0), "{crash}: {}", again.1);
            }
            let check = user.postoffice(&["journal", "check"], "");
            assert_eq!(check.0, Some(0), "{crash}: {}\n{}", check.1, user.says("journal 1"));
            let mut undone = Vec::new();
            for run in if code.is_none() { &["2", "1"][..] } else { &["1"] } {
                undone.push(user.postoffice(&["undo", run], ""));
            }
            assert_eq!(snapshot(&server), before, "{crash}: {said}{}\n{undone:?}", check.1);
            assert!(undone.iter().all(|(code, _)| *code == Some(0)), "{crash}: {undone:?}");
            if code.is_some() {
                assert_eq!(code, Some(0), "{said}");
                assert!(write > 3, "{write}");
                break;
            }
        }
    }
}

#[test]
fn a_program_that_cannot_be_started_was_not_run() {
    let server = Server::sandbox(empty());
    let user = User::of(&server);
    let program = "'(:program \"/nowhere/sendmail\")";
    let forms = [
        "(run-program \"/nowhere/program\")".to_owned(),
        "(run-program \"true\" :output '(:file \"/nowhere/file\"))".to_owned(),
        format!("(send-smtp {program} \"joe@x.org\" '(\"ann@x.org\") \"Subject: x\")"),
    ];
    for (form, run) in forms.iter().zip(1..) {
        let (code, said) = user.postoffice(&["eval", form], "");
        assert_eq!(code, Some(1), "{said}");
        let said = user.postoffice(&["journal", "check"], "");
        assert_eq!(said, (Some(0), "Nothing is in doubt.\n".to_owned()), "{form}");
        let shown = user.says(&format!("journal {run}"));
        assert!(shown.contains("not done") && !shown.contains("in doubt"), "{shown}");
    }
}

#[test]
fn an_account_that_cannot_be_reached_is_reported_line_by_line() {
    let server = Server::sandbox(empty());
    let user = User::of(&server);
    user.write("s.scm", "(with-account (mb 'work) (create-mailbox mb \"x\"))");
    let made = user.postoffice(&["run", "--init", "s.scm"], "");
    assert_eq!(made.0, Some(0), "{}", made.1);
    let init = user.path().join("config/postoffice/init.scm");
    let account = std::fs::read_to_string(&init).unwrap();
    std::fs::write(&init, account.replace("\"pw\"", "\"wrong\"")).unwrap();
    let (code, said) = user.postoffice(&["undo"], "");
    assert_eq!(code, Some(1));
    assert!(said.contains("user at mail.example.org:143: ") && !said.contains("\\n"), "{said}");
}

#[test]
fn no_argument_that_is_a_secret_is_in_the_journal() {
    let server = Server::sandbox(empty());
    let user = User::of(&server);
    let script = "(define password (first (command-line)))
      (with-account (mb 'work) (create-mailbox mb \"x\"))
      (let ((mb (make-imap-connection \"mail.example.org\" :user \"user\" :password password :tls :none)))
        (delete-mailbox mb \"x\")
        (close-connection mb))";
    user.write("s.scm", script);
    let (code, said) = user.postoffice(&["run", "--init", "s.scm", "pw", "--pw=pw", "pwd"], "");
    assert_eq!(code, Some(0), "{said}");
    let listed = user.says("journal");
    assert!(listed.contains("s.scm #<secret> --pw=#<secret> pwd "), "{listed}");
}

#[test]
fn a_secret_is_in_no_argument_even_if_it_is_used_after_the_first_change() {
    let accounts = vec![Account::new("user", "pw"), Account::new("other", "Blauer-Hirsch-4711")];
    let server = Server::sandbox(Options { accounts, seed: Seed::Empty, ..Options::default() });
    let user = User::of(&server);
    let script = "(with-account (mb 'work) (create-mailbox mb \"x\"))
      (close-connection (make-imap-connection \"mail.example.org\" :user \"other\"
        :password (first (command-line)) :tls :none))";
    user.write("s.scm", script);
    let run = ["run", "--init", "s.scm", "Blauer-Hirsch-4711"];
    let (code, said) = user.postoffice(&run, "");
    assert_eq!(code, Some(0), "{said}");
    let listed = user.says("journal");
    assert!(listed.contains("s.scm #<secret> "), "{listed}");
}

#[test]
fn a_relative_state_folder_counts_from_the_current_one() {
    let server = Server::sandbox(empty());
    let user = User::of(&server);
    let run = |folder: &Path, state: &str, arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_postoffice"))
            .args(["--connect-to", &format!("mail.example.org=127.0.0.1:{}", user.port)])
            .args(arguments)
            .current_dir(folder)
            .env("XDG_CONFIG_HOME", user.path().join("config"))
            .env("XDG_STATE_HOME", user.path().join("elsewhere"))
            .env("POSTOFFICE_STATE", state)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let below = user.path().join("below");
    std::fs::create_dir(&below).unwrap();
    user.write("s.scm", "(with-account (mb 'work) (create-mailbox mb \"x\"))");
    run(user.path(), "mine", &["run", "--init", "s.scm"]);
    assert!(user.path().join("mine/state.db").exists());
    assert!(!user.path().join("elsewhere").exists());
    assert!(run(&below, "../mine", &["journal"]).contains("\n1 "));
}

#[test]
fn sandboxes_strangers_and_those_who_want_none_have_no_journal() {
    let server = Server::sandbox(empty());
    let user = User::of(&server);
    let change = "(with-account (mb 'work) (create-mailbox mb \"x\") (delete-mailbox mb \"x\"))";
    let account = format!(
        "(define-account work :host \"mail.example.org\" :user \"{}\" :password \"{}\" :tls :none)",
        server.user, server.password
    );
    let whole = format!("{account} {change}");
    let state = user.path().join("state");
    for arguments in [
        vec!["--sandbox", "eval", &whole],
        vec!["--no-journal", "eval", &whole],
        vec!["eval", "--untrusted", &whole],
    ] {
        let (code, said) = user.postoffice(&arguments, "");
        assert_eq!(code, Some(0), "{said}");
        assert!(!state.exists(), "{arguments:?}");
    }
    assert_eq!(user.says("journal"), "The journal is empty.\n");
    assert_eq!(user.says("journal check"), "Nothing is in doubt.\n");
    assert_eq!(user.says("journal 7"), "postoffice: the journal has no run 7\n");
    assert_eq!(user.says("undo"), "postoffice: there is no run to undo\n");
    assert_eq!(user.postoffice(&["eval", &whole], "").0, Some(0));
    assert!(state.exists());
    let listed = user.says("journal");
    assert!(
        listed.contains(":password #<secret>") && !listed.contains(&server.password),
        "{listed}"
    );
}

#[test]
fn names_from_servers_and_scripts_cannot_drive_the_terminal() {
    let server = Server::sandbox(empty());
    let user = User::of(&server);
    let script =
        "(with-account (mb 'work) (create-mailbox mb (format nil \"x~cy\" (code-char 155))))";
    user.write("evil.scm", script);
    let (code, said) = user.postoffice(&["run", "--init", "evil.scm", "\u{1b}[2J"], "");
    assert_eq!(code, Some(0), "{said}");
    for arguments in ["journal", "journal 1", "undo"] {
        let said = user.says(arguments);
        assert!(!said.chars().any(|c| c.is_control() && c != '\n'), "{said:?}");
    }
}
