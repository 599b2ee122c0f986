//! The command as a user meets it: exit codes, messages, pipes, scripts, replay, Ctrl-C, and the prompt in a terminal.

mod support;

use postoffice::repl::Transcript;
use postoffice::repl::transcript::Step;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

const BINARY: &str = env!("CARGO_BIN_EXE_postoffice");

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.args(arguments).env("POSTOFFICE_PASSWORD", "mypasswd").env_remove("RUST_BACKTRACE").stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Exit code, standard output, standard error.
fn outcome(arguments: &[&str]) -> (i32, String, String) {
    let output = run(arguments);
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn with_input(arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut child = command(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn eval_prints_the_value_and_nothing_else() {
    assert_eq!(outcome(&["eval", "(list 1 \"a\" :b nil t)"]), (0, "(1 \"a\" :b nil t)\n".into(), String::new()));
    let (code, out, error) = outcome(&[
        "--sandbox",
        "eval",
        r#"(with-imap-connection (mb "h" :user "u" :password "p") (select-mailbox mb "inbox") (mailbox-message-count mb))"#,
    ]);
    assert_eq!((code, out.as_str(), error.as_str()), (0, "7\n", ""));
}

#[test]
fn a_script_prints_only_what_it_prints() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("s.scm");
    std::fs::write(&file, "#!/usr/bin/env -S postoffice run\n(princ (command-line))\n42\n").unwrap();
    assert_eq!(outcome(&["run", file.to_str().unwrap(), "a", "--b", "-c"]), (0, "(a --b -c)".into(), String::new()));
    assert_eq!(with_input(&["run", "-", "x"], "(princ (first (command-line)))"), (0, "x".into(), String::new()));
}

#[test]
fn an_error_names_file_line_column_and_shows_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.scm");
    let name = file.to_str().unwrap();
    for (source, place, message) in [
        ("(define a 1)\n(princ \"x\")\n  (car a)\n", ":3:3: ", "car"),
        ("(defun f (x) (car x))\n(princ \"x\")\n(f 5)\n", ":1:14: ", "car"),
        ("(princ \"x\")\n(nonsense 1)\n", ":2:1: ", "nonsense"),
        ("(princ \"x\"\n\n", ":1:1: ", ""),
        ("(princ \"x\")\n)\n", ":2:1: ", ""),
        ("(princ \"x\")\n(error \"no ~a\" \"luck\")\n", ":2:1: ", "no luck"),
    ] {
        std::fs::write(&file, source).unwrap();
        let (code, _, error) = outcome(&["run", name]);
        assert_eq!(code, 1, "{source}");
        assert!(error.starts_with(&format!("{name}{place}")) && error.contains(message), "{source}: {error}");
        assert!(!error.contains("panicked"), "{error}");
    }
    std::fs::write(&file, b"(princ \"\xff\")").unwrap();
    assert!(outcome(&["run", name]).2.contains("not UTF-8 at byte 8"));
}

#[test]
fn exit_codes_say_what_happened() {
    assert_eq!(outcome(&["eval", "(exit 7)"]).0, 7);
    assert_eq!(outcome(&["eval", "(car 1)"]).0, 1);
    assert_eq!(
        outcome(&["run", "/no/such/file.scm"]),
        (1, String::new(), "postoffice: /no/such/file.scm: No such file or directory (os error 2)\n".into())
    );
    for wrong in [&["--nonsense"][..], &["run"], &["replay"], &["--connect-to", "x", "eval", "1"], &["frobnicate"]] {
        let (code, out, error) = outcome(wrong);
        assert_eq!((code, out.as_str()), (2, ""), "{wrong:?}");
        assert!(error.contains("error:"), "{wrong:?}: {error}");
    }
    assert_eq!(outcome(&["--mail", "x", "eval", "1"]).0, 1);
    assert!(outcome(&["--version"]).1.starts_with("postoffice 0."));
    assert!(outcome(&["--help"]).1.contains("--connect-to"));
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let mut child = command(&["eval", "(dotimes (i 100000) (print i))"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    drop(out);
    let mut error = String::new();
    child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    assert_eq!((child.wait().unwrap().code(), error.as_str()), (Some(0), ""));
}

#[test]
fn ctrl_c_stops_a_loop_and_cleans_up() {
    let mut child = command(&["run", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"(princ \"ready\n\") (unwind-protect (do ((i 0 (+ i 1))) (nil)) (princ \"cleaned\n\"))")
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    line.clear();
    out.read_line(&mut line).unwrap();
    assert_eq!(line, "cleaned\n");
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn ctrl_c_ends_a_wait_for_the_server() {
    let (told, heard) = std::sync::mpsc::channel();
    let silent = support::script::Script::run(move |peer| {
        peer.log_in("");
        peer.hear();
        told.send(()).unwrap();
        peer.hear_rest();
    });
    let source = format!("(noop (make-imap-connection \"127.0.0.1\" :port {} :user \"u\" :password \"p\"))", silent.address.port());
    let mut child = command(&["eval", &source]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    heard.recv().unwrap();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn a_trace_shows_both_sides_and_no_secret() {
    let (code, _, trace) =
        outcome(&["--sandbox", "--trace", "eval", r#"(close-connection (make-imap-connection "h" :user "joe" :password "sesame-open"))"#]);
    assert_eq!(code, 0);
    assert!(trace.contains("C: A") && trace.contains("S: * OK") && trace.contains("#<secret>"), "{trace}");
    assert!(!trace.contains("sesame") && !trace.contains("c2VzYW1l"), "{trace}");
}

#[test]
fn a_transcript_that_differs_shows_where_and_can_be_blessed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.repl");
    let name = file.to_str().unwrap();
    std::fs::write(&file, "Sums.\n\nuser(1): (+ 1 2)\n4\n\nuser(2): (list 1\n  2)\n\nDone.\nuser(3): \"same\"\n\"same\"\n").unwrap();
    let (code, out, _) = outcome(&["replay", name]);
    assert_eq!(code, 1);
    assert!(out.contains(&format!("{name}:3: ")) && out.contains("  - 4\n  + 3\n") && out.contains("1 of 3 replies agree"), "{out}");
    assert_eq!(outcome(&["replay", name, "--bless"]).0, 0);
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        "Sums.\n\nuser(1): (+ 1 2)\n3\n\nuser(2): (list 1\n  2)\n(1 2)\n\nDone.\nuser(3): \"same\"\n\"same\"\n"
    );
    assert_eq!(outcome(&["replay", name]).0, 0);
    std::fs::write(&file, ";;; dance\nuser(1): 1\n1\n").unwrap();
    let (code, _, error) = outcome(&["replay", name]);
    assert!(code == 1 && error.contains(&format!("{name}:1: unknown directive")), "{error}");
}

#[test]
fn the_demo_agrees() {
    let (code, out, error) = outcome(&["demo"]);
    assert_eq!((code, error.as_str()), (0, ""));
    assert!(out.contains("user(18): (let ((count") && out.ends_with("All 19 replies agree with the manual's session.\n"), "{out}");
}

#[test]
fn the_sandbox_command_serves_other_programs() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("one.eml"), "Subject: mine\n\nhello\n").unwrap();
    let mail = folder.path().to_str().unwrap();
    let mut child = command(&["sandbox", "--account", "joe:pw", "--mail", mail]).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let address = line.split_whitespace().nth(1).unwrap().to_owned();
    let source = r#"(with-imap-connection (mb "mail.example.org" :user "joe" :password "pw") (select-mailbox mb "inbox") (envelope-subject (fetch-field 1 "envelope" (fetch-parts mb 1 "envelope"))))"#;
    assert_eq!(outcome(&["--connect-to", &format!("mail.example.org={address}"), "eval", source]).1, "\"mine\"\n");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// Runs one of the scripts that people can use as they are, on a sandbox.
fn script(name: &str, sandbox: &[&str], arguments: &[&str]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(name);
    let all = [&["--sandbox"], sandbox, &["run", path.to_str().unwrap()], arguments].concat();
    let (code, out, error) = outcome(&all);
    assert_eq!((code, error.as_str()), (0, ""), "{name}: {out}");
    out
}

#[test]
fn the_unread_report_counts_what_is_unread() {
    let out = script("unread-report.scm", &[], &["mail.example.org", "myacct"]);
    assert!(
        out.starts_with("INBOX: 5 unread of 7\n") && out.contains("  jkf <jkf@verada.com>: s test\n") && out.ends_with("5 unread in all\n"),
        "{out}"
    );
}

#[test]
fn archiving_previews_first() {
    let preview = script("archive-by-age.scm", &[], &["mail.example.org", "myacct", "30"]);
    assert_eq!(preview, "would move 7 letters to archive/1999\n");
    let moved = script("archive-by-age.scm", &[], &["mail.example.org", "myacct", "30", "--move"]);
    assert_eq!(moved, "moving 7 letters to archive/1999\n");
    assert_eq!(script("archive-by-age.scm", &[], &["mail.example.org", "myacct", "100000"]), "nothing is older than 100000 days\n");
}

#[test]
fn a_backup_saves_every_letter_once() {
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().join("deep/backup");
    let arguments = ["mail.example.org", "myacct", "inbox", files.to_str().unwrap()];
    assert_eq!(script("backup-mailbox.scm", &[], &arguments), "7 letters saved, 0 were there already\n");
    assert_eq!(script("backup-mailbox.scm", &[], &arguments), "0 letters saved, 7 were there already\n");
    let seventh = std::fs::read(
        std::fs::read_dir(&files)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.to_str().unwrap().ends_with("-68.eml"))
            .unwrap(),
    )
    .unwrap();
    assert!(seventh.starts_with(b"Return-Path: <jkf@verada.com>\r\n") && seventh.ends_with(b"ok?\r\n"));
}

#[test]
fn letters_with_attachments_of_one_sender_are_saved() {
    let folder = tempfile::tempdir().unwrap();
    let mail = folder.path().join("mail");
    std::fs::create_dir(&mail).unwrap();
    let letter = |from: &str, disposition: &str| {
        format!(
            "From: {from}\nSubject: x\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nhello\n--b\nContent-Type: text/plain\nContent-Disposition: {disposition}; filename=\"../../x\"\n\ndata\n--b--\n"
        )
    };
    std::fs::write(mail.join("1.eml"), letter("max@example.org", "attachment")).unwrap();
    std::fs::write(mail.join("2.eml"), letter("joe@example.org", "attachment")).unwrap();
    std::fs::write(mail.join("3.eml"), letter("max@example.org", "inline")).unwrap();
    let files = folder.path().join("saved");
    let out = script("save-letters-from.scm", &["--mail", mail.to_str().unwrap()], &["h", "u", "max@example.org", files.to_str().unwrap()]);
    assert_eq!(out, "1 letters with attachments saved\n");
    assert_eq!(std::fs::read_dir(&files).unwrap().count(), 1);
}

#[test]
fn the_examples_run() {
    let sandbox = postoffice::sandbox::Sandbox::start(Default::default()).unwrap();
    let cargo = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO")).args(["run", "--quiet", "--example"]).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let address = sandbox.imap_address().to_string();
    assert!(cargo(&["core", "--", &address, "myacct", "mypasswd"]).starts_with("7 messages, "));
    assert!(cargo(&["embed"]).ends_with("subject: s test\n7 letters\n"));
}

#[test]
fn the_prompt_takes_input_from_a_pipe() {
    let (code, out, error) = with_input(&[], "(+ 1\n\n 2)\n\n(car 5)\n\"a\n");
    assert_eq!((code, error.as_str()), (0, ""));
    assert!(out.starts_with("user(1): 3\nuser(2): Error: car: "), "{out}");
    assert_eq!(with_input(&[], "(exit 4)\n").0, 4);
}

/// A terminal of its own, driven by tmux.
struct Terminal {
    name: String,
}

impl Terminal {
    fn open(arguments: &str) -> Option<Terminal> {
        let name = format!("postoffice-{}", std::process::id());
        let command = format!("{BINARY} {arguments}");
        let started =
            Command::new("tmux").args(["-L", &name, "-f", "/dev/null", "new-session", "-d", "-x", "200", "-y", "50", &command]).status();
        match started {
            Ok(status) => assert!(status.success()),
            Err(_) => {
                assert!(std::env::var("POSTOFFICE_REAL_SERVERS").is_err(), "tmux is missing");
                return None;
            }
        }
        Some(Terminal { name })
    }

    fn tmux(&self, arguments: &[&str]) -> Output {
        Command::new("tmux").args(["-L", &self.name]).args(arguments).output().unwrap()
    }

    fn type_line(&self, line: &str) {
        self.tmux(&["send-keys", "-l", "--", line]);
        self.tmux(&["send-keys", "Enter"]);
    }

    /// All that was shown, scrolled away or not.
    fn screen(&self) -> String {
        text(&self.tmux(&["capture-pane", "-p", "-J", "-S", "-", "-t", "0"]).stdout).trim_end().to_owned()
    }

    /// Waits until the screen ends with this.
    fn wait_for(&self, end: &str) -> String {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        loop {
            let screen = self.screen();
            if screen.ends_with(end.trim_end()) {
                return screen;
            }
            assert!(std::time::Instant::now() < deadline, "waited for {end:?}; the screen is\n{screen}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

#[test]
fn the_manuals_session_typed_line_by_line_shows_the_same() {
    let Some(terminal) = Terminal::open("--sandbox") else { return };
    let transcript = Transcript::parse(include_str!("golden/imap-session.repl")).unwrap();
    let mut number = 1;
    terminal.wait_for("user(1):");
    for step in transcript.steps {
        let (input, reply) = match step {
            Step::Directive { .. } => ("(sandbox-deliver \"Subject: hello\n\nhello\n\" :user \"myacct\")".to_owned(), "69".to_owned()),
            Step::Exchange(exchange) => (exchange.input, exchange.reply),
        };
        for line in input.lines() {
            terminal.type_line(line);
        }
        number += 1;
        let screen = terminal.wait_for(&format!("\nuser({number}):"));
        let shown = screen.rsplit_once(&format!("user({}): ", number - 1)).unwrap().1.rsplit_once('\n').unwrap().0;
        let lines = input.lines().count();
        let came: Vec<&str> = shown.lines().skip(lines).collect();
        let expected: Vec<String> = reply.lines().map(|line| line.trim_end().to_owned()).collect();
        assert!(
            postoffice::repl::matching::matches(&expected.join("\n"), &came.join("\n")),
            "{input}\nexpected:\n{reply}\ncame:\n{}",
            came.join("\n")
        );
    }
    terminal.type_line("(+ 1");
    terminal.type_line("\"a\"");
    terminal.type_line(")");
    assert!(terminal.wait_for(&format!("\nuser({}):", number + 1)).contains("Error: +"));
}
