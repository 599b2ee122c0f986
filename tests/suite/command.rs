//! The command as a user sees it: exit codes, messages, pipes, scripts, replay and Ctrl-C. The
//! interactive prompt is tested in `terminal`.

use crate::support::leaks;
use crate::support::script::Script;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

const BINARY: &str = env!("CARGO_BIN_EXE_postoffice");

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command
        .args(arguments)
        .env("POSTOFFICE_PASSWORD", leaks::PASSWORD)
        .env_remove("RUST_BACKTRACE")
        .stdin(Stdio::null());
    // Do not read the init.scm of the user who runs the tests.
    command.env("XDG_CONFIG_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/no-such-folder"));
    command.env("POSTOFFICE_STATE", concat!(env!("CARGO_TARGET_TMPDIR"), "/state-of-command"));
    command
}

fn run(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

/// Returns the command's output as text. Fails if it contains a password of the tests.
fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).into_owned();
    leaks::check(&text);
    text
}

/// Runs the command. Returns its exit code, standard output and standard error.
fn outcome(arguments: &[&str]) -> (i32, String, String) {
    let output = run(arguments);
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn with_input(arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut child = command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn eval_prints_the_value_and_nothing_else() {
    assert_eq!(
        outcome(&["eval", "(list 1 \"a\" :b nil t)"]),
        (0, "(1 \"a\" :b nil t)\n".into(), String::new())
    );
    let (code, out, error) = outcome(&[
        "--sandbox",
        "eval",
        r#"(with-imap-connection (mb "h" :user "u" :password "p") (select-mailbox mb "inbox") (mailbox-message-count mb))"#,
    ]);
    assert_eq!((code, out.as_str(), error.as_str()), (0, "7\n", ""));
}

#[test]
fn json_is_for_other_programs() {
    assert_eq!(
        outcome(&["eval", "--json", r#"1 (list :uid 5 :subject "x")"#]),
        (0, "{\"uid\":5,\"subject\":\"x\"}\n".into(), String::new())
    );
    assert_eq!(
        with_input(&["run", "--json", "-"], "(princ \"seen\") '(1 nil \"a\")"),
        (0, "seen\n[1,null,\"a\"]\n".into(), String::new())
    );
    assert_eq!(
        outcome(&["eval", "--json", "--untrusted", "(from-json \"[true,1e2]\")"]),
        (0, "[true,100.0]\n".into(), String::new())
    );
    let (code, out, error) =
        outcome(&["eval", "--json", "(let ((v (make-vector 1))) (vector-set! v 0 v) v)"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(error.contains("holds itself"), "{error}");
    let (code, out, error) = outcome(&["eval", "--json", "(error \"no\")"]);
    assert_eq!((code, out.as_str()), (1, ""), "{error}");
}

#[test]
fn csv_goes_to_a_file_whole_and_only_where_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out.csv");
    let form = format!(
        "(write-csv '((1 \"a;b\" nil)) :columns '(n subject \"x\") :separator \";\" :file {:?})",
        file.to_str().unwrap()
    );
    let (code, _, error) = outcome(&["eval", "--untrusted", &form]);
    assert_eq!((code, file.exists()), (1, false));
    assert!(error.contains(":not-allowed"), "{error}");
    assert_eq!(outcome(&["eval", &form]), (0, "nil\n".into(), String::new()));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "n;subject;x\n1;\"a;b\";\n");
    for expected in ["n,b\n1,2\n", "n,b\n1,2\n1,2\n"] {
        let file = folder.path().join("more.csv");
        let form = format!(
            "(write-csv '((1 2)) :columns '(n b) :append t :file {:?})",
            file.to_str().unwrap()
        );
        assert_eq!(outcome(&["eval", &form]), (0, "nil\n".into(), String::new()));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), expected);
    }
}

#[test]
fn a_script_prints_only_what_it_prints() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("s.scm");
    std::fs::write(&file, "#!/usr/bin/env -S postoffice run\n(princ (command-line))\n42\n")
        .unwrap();
    assert_eq!(
        outcome(&["run", file.to_str().unwrap(), "a", "--b", "-c"]),
        (0, "(a --b -c)".into(), String::new())
    );
    assert_eq!(
        with_input(&["run", "-", "x"], "(princ (first (command-line)))"),
        (0, "x".into(), String::new())
    );
}

#[test]
fn error_output_is_standard_error() {
    for (form, out, error) in [
        ("(format *error-output* \"a~%\") (princ 1)", "1", "a\n"),
        ("(write-line \"a\" *error-output*) (fresh-line *error-output*) (princ 1)", "1", "a\n"),
        ("(princ 1) (princ 2 (current-error-port)) (fresh-line *error-output*)", "1", "2\n"),
        (
            "(princ (with-output-to-string (s) (let ((*error-output* s)) (princ 1 *error-output*))))",
            "1",
            "",
        ),
        ("(let ((*standard-output* *error-output*)) (princ 1)) (princ 2)", "2", "1"),
        ("(let ((*error-output* *standard-output*)) (princ 1 *error-output*))", "1", ""),
        ("(format *terminal-io* \"a\") (princ 1 *query-io*) (princ 2 *debug-io*)", "a12", ""),
        ("(parallel-map (lambda (x) (princ x *error-output*) (princ (* 2 x))) '(1 2))", "24", "12"),
    ] {
        for confined in [&["run", "-"][..], &["run", "--untrusted", "-"]] {
            let expected = (0, out.to_owned(), error.to_owned());
            assert_eq!(with_input(confined, form), expected, "{form} {confined:?}");
        }
    }
}

#[test]
fn check_finds_slips_and_runs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("slips.scm");
    let name = file.to_str().unwrap();
    let part = folder.path().join("part.scm");
    std::fs::write(&part, "(defun included (x &optional y) (list x y))").unwrap();
    for (source, expected) in [
        (
            "(princ 1) (defun f (a b) (list a b)) (f 1)",
            "1:38: error: f: expected 2 arguments (a b), got 1",
        ),
        (
            "(defun f (a &key b) (list a b)) (f 1 :c 2)",
            "1:33: error: f: unknown key :c; expected :b",
        ),
        (
            "(defun f (&aux (a 1)) a) (f) (f 2)",
            "1:30: error: f: expected no arguments (&aux (a 1)), got 1",
        ),
        (
            "(defun f (&optional x &aux (a x)) a) (f 1) (f 1 2)",
            "1:44: error: f: expected 0 to 1 argument",
        ),
        (
            "(defun f (&key x &aux (a x) b) (list a b)) (f :x 1) (f :a 1)",
            "1:53: error: f: unknown key :a; expected :x",
        ),
        (
            "(defun f () (prnt 1))",
            "1:13: error: the function prnt is not defined; did you mean `print`?",
        ),
        (
            "(defun f () (handler-case 1 (error (c) (list cc))))",
            "1:46: error: unbound variable: cc",
        ),
        (
            "(defun f (mb) (fetch-parts mb 1))",
            "1:15: error: fetch-parts: expected at least 3 arguments (mb messages parts &key uid raw), got 2",
        ),
        (
            "(defun f (mb) (select-mailbox mb \"x\" :readonly t))",
            "1:15: error: select-mailbox: unknown key :readonly; expected :read-only",
        ),
        (
            "(defun f (mb) (search-mailbox mb '(:unsen)))",
            "1:15: error: search-mailbox: search expression: expected a search predicate with its argument, got (:unsen); did you mean `:unseen`?",
        ),
        (
            "(defun f (mb) (search-mailbox mb '(and :seen (:from 5))))",
            "1:15: error: search-mailbox: search expression: expected a predicate with a string, got (:from 5)",
        ),
        (
            "(defun f (mb) (fetch-parts mb '(:seq 1) \"flags\"))",
            "1:15: error: fetch-parts: messages: expected ",
        ),
        (
            "(defun f (mb) (fetch-parts mb 1 \"flags\" :uid 64))",
            "1:15: error: fetch-parts: :uid: expected t or nil, got 64",
        ),
        (
            "(defun f (mb) (fetch-parts mb 1 \"body[\"))",
            "1:15: error: fetch-parts: parts: expected ",
        ),
        ("(defun f () (if 1 2 3 4))", "1:13: error: if: expected (if test then else)"),
        ("(princ 1) (car 5", "1:11: error: "),
        (
            "(load \"part.scm\") (included 1 2 3)",
            "1:19: error: included: expected 1 to 2 arguments (x &optional y), got 3",
        ),
    ] {
        std::fs::write(&file, source).unwrap();
        let (code, out, error) = outcome(&["check", name]);
        assert_eq!((code, error.as_str()), (1, ""), "{source}");
        assert!(out.starts_with(&format!("{name}:{expected}")), "{source}: {out}");
    }
    for source in [
        "(princ 1)",
        "(defun f (mb e) (search-mailbox mb e) (search-mailbox mb `(:from ,e)) (search-mailbox mb :all))",
        "(defun f (mb) (fetch-parts mb '(:seq 1 :*) \"(uid flags)\" :uid t) (delete-letter mb '()))",
        "(load \"part.scm\") (included 1) (included 1 2)",
        "(defun f (&rest r) r) (f 1 2 :x 3) (defun g (a . b) (list a b)) (g 1 2)",
        "(defun f (&rest r &aux (n (length r))) n) (f 1 2) (defun g (&aux x) x) (g)",
        "(defun f (x &key y) (list x y)) (apply #'f 1 '(:y 2)) (let ((k :y)) (f 1 k 2))",
        "(let ((x 1)) (setq y x) (print y))",
        "(defmacro m (x) `(list ,x)) (defun f () (print 1) (m 1))",
        "(defun f (mb) (fetch-letter mb 1 :uid t) (fetch-letter mb 1 \"body[]\" :peek t))",
    ] {
        std::fs::write(&file, source).unwrap();
        assert_eq!(outcome(&["check", name]), (0, String::new(), String::new()), "{source}");
    }
    let scripts = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts")).unwrap();
    for script in scripts.map(|entry| entry.unwrap().path()) {
        if script.extension().is_some_and(|extension| extension == "scm") {
            let checked = outcome(&["check", script.to_str().unwrap()]);
            assert_eq!(checked, (0, String::new(), String::new()), "{}", script.display());
        }
    }
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
        assert!(
            error.starts_with(&format!("{name}{place}")) && error.contains(message),
            "{source}: {error}"
        );
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
        (
            1,
            String::new(),
            "postoffice: /no/such/file.scm: No such file or directory (os error 2)\n".into()
        )
    );
    for wrong in [
        &["--nonsense"][..],
        &["run"],
        &["replay"],
        &["--connect-to", "x", "eval", "1"],
        &["--limit", "lines=5", "eval", "1"],
        &["--limit", "line=x", "eval", "1"],
        &["frobnicate"],
    ] {
        let (code, out, error) = outcome(wrong);
        assert_eq!((code, out.as_str()), (2, ""), "{wrong:?}");
        assert!(error.contains("error:"), "{wrong:?}: {error}");
    }
    for (wrong, message) in [
        (&["--mail", "x", "eval", "1"][..], "error: --mail needs a sandbox"),
        (
            &["--mail", "x", "--connect-to", "a=127.0.0.1:1", "replay", "y"],
            "error: --mail needs a sandbox",
        ),
        (&["--fault", "server:cut@1", "eval", "1"], "error: --fault needs a sandbox"),
        (&["--without", "MOVE", "eval", "1"], "error: --without needs a sandbox"),
        (&["--without", "chunking", "eval", "1"], "error: --without needs a sandbox"),
        (&["--with", "IMAP4rev2", "eval", "1"], "error: --with needs a sandbox"),
        (
            &["--sandbox", "--without", "MOVE,XYZZY", "eval", "1"],
            "error: invalid value 'XYZZY' for '--without <NAME>': the sandbox has no extension \"XYZZY\"; it has IMAP4rev2, LITERAL+, ",
        ),
        (
            &["--fault", "server:cut@1", "--connect-to", "a=127.0.0.1:1", "replay", "y"],
            "error: --fault needs a sandbox",
        ),
        (
            &["--sandbox", "--fault", "imap:cut@1", "eval", "1"],
            "expected [imap|pop|smtp[#N]:]client|server:FAULT",
        ),
        (
            &["sandbox", "--account", "x"],
            "error: invalid value 'x' for '--account <USER:PASSWORD>': expected USER:PASSWORD",
        ),
        (&["sandbox", "--account", ":x"], "expected USER:PASSWORD"),
        (&["replay", "x", "--time-limit", "0"], "'--time-limit <SECONDS>'"),
        (&["--no-init", "eval", "1"], "error: --no-init is for the prompt"),
        (
            &["run", "--init", "--untrusted", "x"],
            "error: the argument '--init' cannot be used with '--untrusted'",
        ),
        (&["replay", "--init", "x"], "error: unexpected argument '--init'"),
    ] {
        let (code, out, error) = outcome(wrong);
        assert_eq!((code, out.as_str()), (2, ""), "{wrong:?}");
        assert!(error.contains(message) && error.contains("--help"), "{wrong:?}: {error}");
    }
    assert!(outcome(&["--version"]).1.starts_with("postoffice 0."));
    assert!(outcome(&["--help"]).1.contains("--connect-to"));
}

#[test]
fn a_sandbox_behaves_as_its_faults_say() {
    let enter = r#"(handler-case (progn (make-imap-connection "h" :user "u" :password "p" :timeout 0.3) :in) (po-error (c) (po-condition-identifier c)))"#;
    for (faults, told) in [
        (&["imap:server:cut@60"][..], ":server-shutdown-connection\n:server-shutdown-connection\n"),
        (&["imap#1:server:stall@60"], ":timeout\n:in\n"),
        (
            &["imap#1:server:insert@0=+OK\\r\\n", "imap#2:server:insert@0=* BYE busy\\r\\n"],
            ":unexpected\n:server-shutdown-connection\n",
        ),
        (&["pop:server:cut@0"], ":in\n:in\n"),
    ] {
        let faults = faults.iter().flat_map(|fault| ["--fault", fault]);
        let arguments: Vec<&str> =
            ["--sandbox"].into_iter().chain(faults).chain(["eval"]).collect();
        let source = format!("{enter} {enter}");
        assert_eq!(
            outcome(&[&arguments[..], &[&source]].concat()),
            (0, told.into(), String::new())
        );
    }
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let mut child = command(&["eval", "(dotimes (i 100000) (print i))"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    drop(out);
    let mut error = String::new();
    child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    assert_eq!((child.wait().unwrap().code(), error.as_str()), (Some(0), ""));
}

#[test]
fn a_closed_standard_error_changes_nothing() {
    let closed = |arguments: &[&str]| {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = command(arguments).stderr(writer).output().unwrap();
        (output.status.code(), text(&output.stdout))
    };
    assert_eq!(closed(&["eval", "(car 5)"]), (Some(1), String::new()));
    assert_eq!(closed(&["run", "/no/such/file"]), (Some(1), String::new()));
    assert_eq!(closed(&["eval", "(warn \"careful\") 5"]).0, Some(0));
    let source = r#"(close-connection (make-imap-connection "h" :user "joe" :password "x"))"#;
    assert_eq!(closed(&["--sandbox", "--trace", "eval", source]), (Some(0), "t\n".into()));
}

#[test]
fn every_form_of_an_input_shows_its_value() {
    assert_eq!(outcome(&["eval", "(+ 1 2) (+ 3 4)"]), (0, "3\n7\n".into(), String::new()));
    assert_eq!(
        outcome(&["eval", "(princ \"a\") ; b\n'b"]),
        (0, "a\n\"a\"\nb\n".into(), String::new())
    );
    let (code, out, error) = outcome(&["eval", "(+ 1 2)\n(+ 3 4) (car 5) 6"]);
    assert_eq!((code, out.as_str()), (1, "3\n7\n"));
    assert!(
        error.starts_with("expression:2:9: error: car")
            && error.contains("\n  2 | (+ 3 4) (car 5) 6\n    |         ^"),
        "{error}"
    );
    assert_eq!(outcome(&["eval", "(+ 1 2) )"]).1, "");
    assert_eq!(
        outcome(&["eval", "(princ 1) (exit 3) (princ 2)"]),
        (3, "1\n1\n".into(), String::new())
    );
    let (_, out, _) =
        with_input(&[], "(+ 1 2) (princ \"a\") (+ 3 4)\n(+ 1 1) (car 5)\n(fresh-line)\n");
    assert!(
        out.starts_with("user(1): 3\na\n\"a\"\n7\nuser(2): 2\nError: car")
            && out.contains("\nuser(3): nil\n"),
        "{out}"
    );
}

/// Runs a command that must end with `code`, print nothing to standard output and show no
/// backtrace. Returns its standard error.
fn complaint(code: i32, arguments: &[&str]) -> String {
    let output = command(arguments).env("RUST_BACKTRACE", "1").output().unwrap();
    let error = text(&output.stderr);
    assert_eq!(
        (output.status.code(), text(&output.stdout).as_str()),
        (Some(code), ""),
        "{arguments:?}: {error}"
    );
    assert!(
        !error.contains("panicked")
            && !error.contains("stack backtrace")
            && !error.contains("RUST_BACKTRACE"),
        "{error}"
    );
    error
}

#[test]
fn what_is_wrong_is_said_once_and_clearly() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    // A folder instead of a file, a transcript that does not exist, and mail that does not exist.
    assert_eq!(
        complaint(1, &["run", folder.path().to_str().unwrap()]),
        format!("postoffice: {}: Is a directory (os error 21)\n", folder.path().display())
    );
    assert_eq!(
        complaint(1, &["replay", &at("none.repl")]),
        format!("postoffice: {}: No such file or directory (os error 2)\n", at("none.repl"))
    );
    assert_eq!(complaint(1, &["--sandbox", "--mail", &at("none"), "eval", "1"]).lines().count(), 1);
    // A syntax error late in a file: nothing before it has run, and the report has three lines,
    // with the place, the source line and the mark.
    let long = at("long.scm");
    for (last, place, what) in [
        ("(princ 2))", "300:10", "closes nothing"),
        ("(princ \"no end", "300:8", "string"),
        ("(princ 2", "300:1", ""),
    ] {
        std::fs::write(&long, "(princ 1)\n".repeat(299) + last + "\n").unwrap();
        let error = complaint(1, &["run", &long]);
        assert!(
            error.starts_with(&format!("{long}:{place}: error: ")) && error.contains(what),
            "{error}"
        );
        assert_eq!(error.lines().count(), 3, "{error}");
    }
    // An unknown host: names in `.invalid` never resolve (RFC 2606).
    let error = complaint(
        1,
        &["eval", "(make-imap-connection \"mail.invalid\" :user \"u\" :password \"p\" :tls :none)"],
    );
    assert!(
        error.starts_with("expression:1:1: error: make-imap-connection: cannot ")
            && error.contains("mail.invalid"),
        "{error}"
    );
    assert!(
        error.contains("[:server-shutdown-connection]") && error.lines().count() == 3,
        "{error}"
    );
    // A client socket's own port: nothing listens there, and no other test's server can bind it.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let port = taken.local_addr().unwrap().port();
    for (function, user) in [
        ("make-imap-connection", "user"),
        ("make-pop-connection", "user"),
        ("make-smtp-connection", "login"),
    ] {
        let error = complaint(
            1,
            &[
                "eval",
                &format!("({function} \"127.0.0.1\" :port {port} :{user} \"u\" :password \"p\")"),
            ],
        );
        let says =
            format!("expression:1:1: error: {function}: cannot connect to 127.0.0.1:{port}: ");
        assert!(
            error.starts_with(&says) && error.contains("refused") && error.lines().count() == 3,
            "{error}"
        );
    }
    // A usage error says what is wrong and refers to --help.
    for (wrong, what) in [
        (&["eval"][..], "required arguments were not provided"),
        (&["evaluate", "1"], "unrecognized subcommand 'evaluate'"),
        (&["eval", "1", "2"], "unexpected argument '2'"),
        (&["--trase", "eval", "1"], "a similar argument exists: '--trace'"),
        (&["completions", "csh"], "invalid value 'csh'"),
        (&["eval", "--allow-env", "X", "1"], "--untrusted"),
    ] {
        let error = complaint(2, wrong);
        assert!(
            error.starts_with("error: ") && error.contains(what) && error.contains("--help"),
            "{wrong:?}: {error}"
        );
    }
}

/// Makes a folder for `XDG_CONFIG_HOME` with this init.scm.
fn config(init: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("postoffice")).unwrap();
    std::fs::write(folder.path().join("postoffice/init.scm"), init).unwrap();
    folder
}

fn outcome_with(config: &Path, arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut command = command(arguments);
    command
        .env("XDG_CONFIG_HOME", config)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes()); // a command that fails may not read it
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_prompt_begins_with_the_users_own_file() {
    let good = config(
        b"(define-account work :host \"mail.example.org\" :user \"me\" :password '(:env \"POSTOFFICE_PASSWORD\"))\n(define own 7)\n",
    );
    let path = good.path();
    assert_eq!(
        outcome_with(path, &[], "(list own (accounts))\n"),
        (0, "user(1): (7 (work))\nuser(2): \n".into(), String::new())
    );
    assert_eq!(outcome_with(path, &[], ":reset\nown\n").1.lines().nth(1), Some("user(2): 7"));
    assert_eq!(
        outcome_with(path, &["--sandbox"], "(with-account (mb 'work) 5)\n").1,
        "user(1): 5\nuser(2): \n"
    );
    assert!(outcome_with(path, &["--no-init"], "own\n").1.starts_with("user(1): Error: "));
    // Scripts load it only with --init.
    assert_eq!(
        outcome_with(path, &["eval", "--init", "own"], ""),
        (0, "7\n".into(), String::new())
    );
    assert_eq!(
        outcome_with(path, &["run", "--init", "-"], "(princ own)"),
        (0, "7".into(), String::new())
    );
    assert_eq!(outcome_with(path, &["eval", "own"], "").0, 1);
    assert_eq!(outcome_with(path, &["eval", "--untrusted", "own"], "").0, 1);
    let (_folder, transcript) = transcript("user(1): (accounts)\nnil\n");
    assert_eq!(outcome_with(path, &["replay", &transcript], "").0, 0);
    // The file is optional for the prompt; --init fails without it.
    let none = tempfile::tempdir().unwrap();
    assert_eq!(
        outcome_with(none.path(), &[], "1\n"),
        (0, "user(1): 1\nuser(2): \n".into(), String::new())
    );
    let (code, out, error) = outcome_with(none.path(), &["eval", "--init", "1"], "");
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(
        error.starts_with("postoffice: ")
            && error.ends_with("init.scm: No such file or directory (os error 2)\n"),
        "{error}"
    );
}

#[test]
fn an_error_in_the_users_own_file_is_reported_and_the_prompt_starts() {
    let bad = config(b"(define before 1)\n  (car 5)\n(define behind 2)\n");
    let file = bad.path().join("postoffice/init.scm").display().to_string();
    let (code, out, error) = outcome_with(bad.path(), &[], "before\n");
    assert_eq!((code, out.as_str()), (0, "user(1): 1\nuser(2): \n"));
    assert!(error.starts_with(&format!("{file}:2:3: error: car: ")), "{error}");
    let (code, out, error) = outcome_with(bad.path(), &["eval", "--init", "1"], "");
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(error.starts_with(&format!("{file}:2:3: error: car: ")), "{error}");
    for (init, says) in
        [(&b"(princ 1"[..], ":1:1: error: "), (b"(princ \"\xff\")", ": it is not UTF-8 at byte 8")]
    {
        let bad = config(init);
        let (code, out, error) = outcome_with(bad.path(), &[], "1\n");
        assert_eq!((code, out.as_str()), (0, "user(1): 1\nuser(2): \n"));
        assert!(error.contains(&format!("init.scm{says}")), "{error}");
    }
    assert_eq!(
        outcome_with(config(b"(exit 3)").path(), &[], "1\n"),
        (3, String::new(), String::new())
    );
}

#[cfg(unix)]
#[test]
fn ctrl_c_kills_a_program_that_is_to_tell_a_password() {
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("told");
    assert!(Command::new("mkfifo").arg(&told).status().unwrap().success());
    // The program writes its process id, and then becomes one that does not end.
    let script = format!("echo $$ > {}; exec sleep 1000", told.display());
    let source = format!(
        "(make-imap-connection \"h\" :user \"u\" :password (list :command \"sh\" \"-c\" {script:?}))"
    );
    let mut child = command(&["--sandbox", "eval", &source])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let program = std::fs::read_to_string(&told).unwrap();
    assert!(
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success()
    );
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let alive =
        Command::new("kill").args(["-0", program.trim()]).stderr(Stdio::null()).status().unwrap();
    assert!(!alive.success(), "the program still runs");
}

#[test]
fn signals_stop_a_loop_and_clean_up() {
    for signal in ["-INT", "-TERM", "-HUP"] {
        let mut child = command(&["run", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
        .stdin
        .take()
        .unwrap()
        .write_all(b"(unwind-protect (progn (princ \"ready\n\") (do ((i 0 (+ i 1))) (nil))) (princ \"cleaned\n\"))")
        .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        assert!(
            Command::new("kill")
                .args([signal, &child.id().to_string()])
                .status()
                .unwrap()
                .success()
        );
        line.clear();
        out.read_line(&mut line).unwrap();
        assert_eq!(line, "cleaned\n");
        assert_eq!(child.wait().unwrap().code(), Some(130));
    }
}

#[test]
fn ctrl_c_ends_a_wait_for_the_server() {
    let (told, heard) = std::sync::mpsc::channel();
    let silent = Script::run(move |peer| {
        peer.log_in("");
        peer.hear();
        told.send(()).unwrap();
        peer.hear_rest();
    });
    let source = format!(
        "(noop (make-imap-connection \"127.0.0.1\" :port {} :user \"u\" :password \"p\"))",
        silent.address.port()
    );
    let mut child =
        command(&["eval", &source]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    heard.recv().unwrap();
    assert!(
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success()
    );
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn a_trace_shows_both_sides_and_no_secret() {
    let (code, _, trace) = outcome(&[
        "--sandbox",
        "--trace",
        "eval",
        r#"(close-connection (make-imap-connection "h" :user "joe" :password "sesame-open"))"#,
    ]);
    assert_eq!(code, 0);
    assert!(
        trace.contains("C: A") && trace.contains("S: * OK") && trace.contains("#<secret>"),
        "{trace}"
    );
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
    assert!(
        out.contains(&format!("{name}:3: "))
            && out.contains("  - 4\n  + 3\n")
            && out.contains("1 of 3 replies agree"),
        "{out}"
    );
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

/// Writes a transcript to a temporary folder. Returns the folder and the file's path.
fn transcript(content: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.repl");
    std::fs::write(&file, content).unwrap();
    let name = file.to_str().unwrap().to_owned();
    (folder, name)
}

#[test]
fn every_reply_can_be_blessed_and_agrees_then() {
    for (before, after) in [
        (
            "user(1): (format t \"a~%~%b~%\")\nx\n\nProse.\n",
            "user(1): (format t \"a~%~%b~%\")\n| a\n|\n| b\n| nil\n\nProse.\n",
        ),
        ("user(1): (print \"z\")\nProse.\n", "user(1): (print \"z\")\n|\n| \"z\" \n| \"z\"\n"),
        ("user(1): '(1 2)\n(1)\nProse.\n", "user(1): '(1 2)\n(1 2)\nProse.\n"),
        ("```\r\nuser(1): 5\r\n4\r\n```\r\n", "```\r\nuser(1): 5\r\n5\r\n```\r\n"),
    ] {
        let (_folder, name) = transcript(before);
        assert_eq!(outcome(&["replay", &name]).0, 1, "{before}");
        assert_eq!(
            outcome(&["replay", "--bless", &name]).1.lines().last().unwrap(),
            format!("{name}: 1 reply was written anew")
        );
        assert_eq!(std::fs::read_to_string(&name).unwrap(), after);
        assert_eq!(
            outcome(&["replay", "--bless", &name]),
            (0, format!("{name}: 1 of 1 reply agrees\n"), String::new())
        );
        assert_eq!(std::fs::read_to_string(&name).unwrap(), after);
    }
    let (_folder, name) = transcript("user(1): 1\nuser(2): 2\n");
    assert!(outcome(&["replay", "--bless", &name]).1.ends_with(": 2 replies were written anew\n"));
    assert_eq!(std::fs::read_to_string(&name).unwrap(), "user(1): 1\n1\nuser(2): 2\n2\n");
}

#[test]
fn a_transcript_that_cannot_be_replayed_is_a_failure_and_the_others_are_replayed() {
    let (_one, empty) = transcript("Only prose.\n;;; fresh\n");
    let (_two, good) = transcript("user(1): 1\n1\n");
    let (code, out, error) = outcome(&["replay", &empty, "/no/such.repl", &good]);
    assert_eq!((code, out), (1, format!("{good}: 1 of 1 reply agrees\n")));
    assert!(error.contains(&format!("postoffice: {empty}: there is no input in it")), "{error}");
    assert!(error.contains("postoffice: /no/such.repl: No such file"), "{error}");
}

#[test]
fn a_form_that_takes_too_long_is_stopped_and_named() {
    let (_folder, name) = transcript("user(1): 1\n2\n\nuser(2): (loop)\nnil\nuser(3): 1\n1\n");
    let (_other, good) = transcript("user(1): 1\n1\n");
    let (code, out, error) = outcome(&["replay", "--time-limit", "1", "--bless", &name, &good]);
    assert_eq!(
        (code, error),
        (
            1,
            format!(
                "postoffice: {name}:4: (loop) was stopped, since it took longer than 1 seconds\n"
            )
        )
    );
    assert!(
        out.contains("  - 2\n  + 1\n") && out.ends_with(&format!("{good}: 1 of 1 reply agrees\n")),
        "{out}"
    );
    assert!(std::fs::read_to_string(&name).unwrap().starts_with("user(1): 1\n2\n"));
}

#[test]
fn ctrl_c_ends_a_replay_and_says_where() {
    let (folder, name) = transcript("");
    let started = folder.path().join("started");
    let source = format!(
        "user(1): 1\n1\nuser(2): (progn (with-open-file (f {started:?} :direction :output) (princ 1 f)) (loop))\n"
    );
    std::fs::write(&name, source).unwrap();
    let child = command(&["replay", &name, &name])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !started.exists() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert!(
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success()
    );
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), text(&output.stderr)),
        (Some(130), format!("postoffice: {name}:3: interrupted\n"))
    );
}

#[test]
fn directives_say_what_they_expect() {
    for (directive, message) in [
        ("account onlyone", "account: expected USER PASSWORD"),
        ("fresh water", "fresh: expected nothing, or empty"),
        ("deliver", "deliver: expected FILE [USER [MAILBOX]]"),
        ("deliver a b c d", "deliver: expected FILE [USER [MAILBOX]]"),
        ("disconnect all", "disconnect: expected nothing"),
        ("deliver missing.eml", "missing.eml: No such file or directory (os error 2)"),
        (
            "dance",
            "unknown directive \"dance\"; known are fresh, account, hosts, deliver, deliver-to-waiting, disconnect, fault, misname, refuse, say, with and without",
        ),
        (
            "fault imap:cut@1",
            "fault: expected [imap|pop|smtp[#N]:]client|server:FAULT, where FAULT is cut@N, stall@N, byte-at-a-time, drip=SECONDS, \
             insert@N=TEXT, replace@N=TEXT or double@N..M, got \"imap:cut@1\"",
        ),
    ] {
        let (_folder, name) = transcript(&format!("user(1): 1\n1\n;;; {directive}\n"));
        let (code, _, error) = outcome(&["replay", &name]);
        assert_eq!((code, error), (1, format!("postoffice: {name}:3: {message}\n")));
    }
}

#[test]
fn extensions_are_switched_off_for_new_connections() {
    let ask = |capability: &str| {
        format!(
            "user(1): (with-imap-connection (mb \"h\" :user \"myacct\" :password \"mypasswd\") (capable? mb \"{capability}\"))\n"
        )
    };
    let (off, on) = (ask("MOVE") + "nil\n", ask("MOVE") + "t\n");
    let (_folder, name) = transcript(&format!(
        ";;; without MOVE quota\n{off};;; without IDLE\n{off};;; without\n{on}"
    ));
    assert_eq!(outcome(&["replay", &name]).0, 0);
    let expression = ask("MOVE").replace("user(1): ", "");
    let (_, out, _) = outcome(&["--sandbox", "--without", "move", "eval", expression.trim_end()]);
    assert_eq!(out, "nil\n");
}

#[test]
fn a_letter_goes_to_the_first_account_unless_told() {
    let (_folder, name) = transcript(
        ";;; account aaa pw\n;;; deliver next-letter\n;;; deliver next-letter aaa\n;;; deliver next-letter aaa\n\
         user(1): (with-imap-connection (mb \"h\" :user \"myacct\" :password \"mypasswd\") (select-mailbox mb \"inbox\") (mailbox-message-count mb))\n8\n\
         user(2): (with-imap-connection (mb \"h\" :user \"aaa\" :password \"pw\") (select-mailbox mb \"inbox\") (mailbox-message-count mb))\n2\n",
    );
    let (code, out, _) = outcome(&["replay", &name]);
    assert_eq!(code, 0, "{out}");
}

#[test]
fn with_sandbox_every_account_takes_every_password() {
    let count = |user: &str, password: &str| {
        format!(
            "(with-imap-connection (mb \"h\" :user {user:?} :password {password:?}) (select-mailbox mb \"inbox\") (mailbox-message-count mb))"
        )
    };
    let source = [count("myacct", "else"), count("joe", "one"), count("joe", "two")].join(" ");
    assert_eq!(outcome(&["--sandbox", "eval", &source]), (0, "7\n7\n7\n".into(), String::new()));
}

#[test]
fn the_readmes_script_prints_what_the_readme_says() {
    let readme = include_str!("../../README.md");
    let block = |start: &str| {
        let lines = readme.lines().skip_while(|line| !line.starts_with(&format!("    {start}")));
        lines
            .map_while(|line| line.strip_prefix("    "))
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("unread.scm");
    std::fs::write(&file, block("#!/usr/bin/env")).unwrap();
    let said = block("$ POSTOFFICE_PASSWORD=x postoffice --sandbox run unread.scm");
    let expected = said.split_once('\n').unwrap().1;
    assert_eq!(
        outcome(&["--sandbox", "run", file.to_str().unwrap()]),
        (0, expected.to_owned(), String::new())
    );
}

#[cfg(unix)]
#[test]
fn the_readmes_account_works() {
    let readme = include_str!("../../README.md");
    let block = readme
        .lines()
        .skip_while(|line| !line.starts_with("    (define-account work"))
        .map_while(|line| line.strip_prefix("    "));
    let source: String = block.map(|line| format!("{line}\n")).collect();
    let source = source.replace("\"pass\" \"show\" \"mail/work\"", "\"echo\" \"x\"");
    assert_eq!(
        outcome(&["--sandbox", "eval", &source]),
        (0, "work\n5\nt\n".into(), String::new()),
        "{source}"
    );
}

/// Returns the README's indented blocks.
fn readme_blocks() -> Vec<String> {
    let mut blocks = vec![String::new()];
    for line in include_str!("../../README.md").lines() {
        match line.strip_prefix("    ") {
            Some(line) => blocks.last_mut().unwrap().push_str(&format!("{line}\n")),
            None if blocks.last().unwrap().is_empty() => {}
            None => blocks.push(String::new()),
        }
    }
    blocks
}

#[test]
fn every_form_in_the_readme_runs() {
    let folder = tempfile::tempdir().unwrap();
    let mail = folder.path().join("mail.mbox");
    let letters: String =
        (0..200).map(|number| format!("From x\nSubject: {number}\n\nhello\n\n")).collect();
    std::fs::write(&mail, letters).unwrap();
    let mut count = 0;
    for block in readme_blocks()
        .iter()
        .filter(|block| block.starts_with('(') && !block.starts_with("(define-account"))
    {
        let forms: String = block
            .lines()
            .filter(|line| !line.starts_with("postoffice "))
            .map(|line| format!("{line}\n"))
            .collect();
        let source = format!(
            "(defun file-away (letter) (check (stringp letter) t))
             (setq mb (make-imap-connection \"h\" :user \"u\" :password \"p\"))
             (select-mailbox mb \"inbox\")
             {forms}"
        );
        let (code, _, error) =
            outcome(&["--sandbox", "--mail", mail.to_str().unwrap(), "eval", &source]);
        assert_eq!((code, error.as_str()), (0, ""), "{forms}");
        count += 1;
    }
    assert!(count >= 3, "{count}");
}

#[cfg(unix)]
#[test]
fn every_command_in_the_readme_says_what_the_readme_says() {
    let path = Path::new(BINARY).parent().unwrap().display().to_string();
    let mut count = 0;
    for block in readme_blocks() {
        let Some((typed, expected)) =
            block.strip_prefix("$ postoffice --sandbox ").and_then(|block| block.split_once('\n'))
        else {
            continue;
        };
        let shell = format!("PATH={path}:$PATH; postoffice --sandbox {typed} 2>&1");
        let output = Command::new("sh").args(["-c", &shell]).output().unwrap();
        assert!(
            text(&output.stdout).starts_with(expected) && !output.stdout.is_empty(),
            "{typed}: {}",
            text(&output.stdout)
        );
        count += 1;
    }
    assert!(count >= 2, "{count}");
}

#[test]
fn the_readmes_report_on_ten_thousand_letters_is_what_comes() {
    let readme = include_str!("../../README.md");
    let section =
        readme.split("## A picture of a mailbox\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let indented: Vec<&str> =
        section.lines().filter(|line| line.is_empty() || line.starts_with("    ")).collect();
    let indented: String = indented
        .iter()
        .map(|line| format!("{}\n", line.strip_prefix("    ").unwrap_or(line)))
        .collect();
    let (letters, said) = indented.split_once("$ POSTOFFICE_PASSWORD=x postoffice ").unwrap();
    let (typed, expected) = said.split_once('\n').unwrap();
    let folder = tempfile::tempdir().unwrap();
    assert!(
        Command::new("sh")
            .args(["-c", letters.trim()])
            .current_dir(folder.path())
            .status()
            .unwrap()
            .success()
    );
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("scripts/mailbox-report.scm")
        .display()
        .to_string();
    let arguments: Vec<&str> = typed
        .split(' ')
        .map(
            |argument| {
                if argument == "scripts/mailbox-report.scm" { script.as_str() } else { argument }
            },
        )
        .collect();
    let output = command(&arguments).current_dir(folder.path()).output().unwrap();
    let (out, error) = (text(&output.stdout), text(&output.stderr));
    assert!(
        output.status.success()
            && out.starts_with(expected.trim_end())
            && out.contains("\nBy month "),
        "{out}{error}"
    );
    assert!(
        std::fs::read_to_string(folder.path().join("report.html"))
            .unwrap()
            .contains("<data value=\"10000\">10,000</data>")
    );
}

#[test]
fn help_shows_a_whole_lambda_list() {
    let (_, out, _) = outcome(&["eval", "(help 'with-imap-connection)"]);
    assert!(out.starts_with("(with-imap-connection (mb host . options) . body)\n"), "{out}");
}

#[test]
fn the_demo_agrees() {
    let (code, out, error) = outcome(&["demo"]);
    assert_eq!((code, error.as_str()), (0, ""));
    assert!(
        out.contains("user(18): (let ((count")
            && out.ends_with("All 19 replies agree with the manual's session.\n"),
        "{out}"
    );
}

#[test]
fn the_sandbox_command_serves_other_programs() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("one.eml"), "Subject: mine\n\nhello\n").unwrap();
    let mail = folder.path().to_str().unwrap();
    let mut child = command(&["sandbox", "--account", "joe:pw", "--mail", mail])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let address = line.split_whitespace().nth(1).unwrap().to_owned();
    let source = r#"(with-imap-connection (mb "mail.example.org" :user "joe" :password "pw") (select-mailbox mb "inbox") (envelope-subject (fetch-field 1 "envelope" (fetch-parts mb 1 "envelope"))))"#;
    assert_eq!(
        outcome(&["--connect-to", &format!("mail.example.org={address}"), "eval", source]).1,
        "\"mine\"\n"
    );
    assert!(
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success()
    );
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// Runs one of the scripts in `scripts` on a sandbox. It must succeed and write nothing to standard
/// error.
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
        out.starts_with("INBOX: 5 unread of 7\n")
            && out.contains("  jkf <jkf@verada.com>: s test\n")
            && out.ends_with("5 unread in all\n"),
        "{out}"
    );
}

#[test]
fn archiving_previews_first() {
    let preview = script("archive-by-age.scm", &[], &["mail.example.org", "myacct", "30"]);
    assert_eq!(preview, "would move 7 letters to archive/1999\n");
    let moved = script("archive-by-age.scm", &[], &["mail.example.org", "myacct", "30", "--move"]);
    assert_eq!(moved, "moving 7 letters to archive/1999\n");
    assert_eq!(
        script("archive-by-age.scm", &[], &["mail.example.org", "myacct", "100000"]),
        "nothing is older than 100000 days\n"
    );
}

#[test]
fn a_backup_saves_every_letter_once() {
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().join("deep/backup");
    let arguments = ["mail.example.org", "myacct", "inbox", files.to_str().unwrap()];
    assert_eq!(
        script("backup-mailbox.scm", &[], &arguments),
        "7 letters saved, 0 were there already\n"
    );
    assert_eq!(
        script("backup-mailbox.scm", &[], &arguments),
        "0 letters saved, 7 were there already\n"
    );
    let seventh = std::fs::read(
        std::fs::read_dir(&files)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.to_str().unwrap().ends_with("-68.eml"))
            .unwrap(),
    )
    .unwrap();
    assert!(
        seventh.starts_with(b"Return-Path: <jkf@verada.com>\r\n") && seventh.ends_with(b"ok?\r\n")
    );
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
    let out = script(
        "save-letters-from.scm",
        &["--mail", mail.to_str().unwrap()],
        &["h", "u", "max@example.org", files.to_str().unwrap()],
    );
    assert_eq!(out, "1 letters with attachments saved\n");
    assert_eq!(std::fs::read_dir(&files).unwrap().count(), 1);
}

#[test]
fn the_examples_of_the_help_are_what_comes() {
    let folder = tempfile::tempdir().unwrap();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api/examples.repl");
    let output = command(&["replay", examples.to_str().unwrap()])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let documented: Vec<&str> = postoffice::api::examples::names().collect();
    let functions = postoffice::api::catalog::TOPICS
        .iter()
        .flat_map(|topic| topic.functions)
        .map(|function| function.name);
    let missing: Vec<&str> =
        functions.filter(|name| !name.starts_with('%') && !documented.contains(name)).collect();
    assert!(missing.is_empty(), "without an example: {missing:?}");
    let (_, out, _) = outcome(&["eval", "(help 'fetch-field)"]);
    assert!(out.contains("\nExample:\n  user(26): (setq info (fetch-parts mb '(4 7)"), "{out}");
}

#[test]
fn help_and_apropos_find_what_is_meant() {
    assert_eq!(
        outcome(&["eval", "(apropos \"unsubscribe\")"]).1,
        "  (unsubscribe-mailbox mb name)\n      Removes a mailbox from the subscribed ones; its messages stay\nnil\n"
    );
    assert!(outcome(&["eval", "(apropos 'flag)"]).1.starts_with("  (alter-flags mb messages &key"));
    assert_eq!(outcome(&["eval", "(apropos \"zzzz\")"]).1, "nothing is known of \"zzzz\"\nnil\n");
    assert!(
        outcome(&["eval", "(help \"fetching\")"])
            .1
            .starts_with("Fetching:\n  (fetch-parts mb messages parts &key uid raw)\n")
    );
    assert!(
        outcome(&["eval", "(help 'fetch-partz)"])
            .2
            .contains("nothing is known of fetch-partz; did you mean `fetch-parts`?")
    );
}

#[test]
fn the_documents_are_those_that_the_program_makes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    for (file, arguments) in
        [("reference.md", &["reference"][..]), ("postoffice.1", &["reference", "--man"])]
    {
        let kept = std::fs::read_to_string(folder.join(file)).unwrap();
        assert!(
            kept == outcome(arguments).1,
            "docs/{file} is stale: postoffice {} > docs/{file}",
            arguments.join(" ")
        );
    }
}

#[test]
fn shells_complete_the_commands_arguments() {
    for shell in ["bash", "zsh", "fish"] {
        let (code, out, _) = outcome(&["completions", shell]);
        assert!(code == 0 && out.contains("postoffice") && out.contains("connect-to"), "{shell}");
    }
    let (_, script, _) = outcome(&["completions", "bash"]);
    let checked = Command::new("bash").args(["-n", "-c", &script]).output().unwrap();
    assert!(checked.status.success(), "{}", text(&checked.stderr));
}

#[test]
fn a_panic_of_the_interpreter_is_an_error_and_prints_nothing_else() {
    let (code, _, error) = outcome(&["eval", "(make-string -1 #\\a)"]);
    assert!(
        code == 1
            && error.starts_with("expression:1:1: error: internal error of the interpreter: "),
        "{error}"
    );
    assert!(!error.contains("panicked"), "{error}");
}

#[test]
fn a_form_at_a_piped_prompt_can_read_the_next_line() {
    let (_, out, _) = with_input(&[], "(list (read-line))\nnext\n(+ 1 2)\n");
    assert_eq!(out, "user(1): (\"next\")\nuser(2): 3\nuser(3): \n");
}

#[test]
fn a_text_is_written_to_a_file_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let out = |form: String| outcome(&["eval", &form]);
    let (code, ..) = out(format!("(write-file \"grün\" {:?})", path("a")));
    assert_eq!((code, std::fs::read(path("a")).unwrap()), (0, "grün".into()));
    let (code, ..) = out(format!("(write-file (bytevector 0 255) {:?} :append t)", path("a")));
    assert_eq!((code, std::fs::read(path("a")).unwrap()), (0, b"gr\xc3\xbcn\0\xff".into()));
    let (code, ..) = out(format!("(write-file \"new\" {:?})", path("a")));
    assert_eq!((code, std::fs::read(path("a")).unwrap()), (0, b"new".into()));
    let (code, _, error) = out(format!("(write-file \"x\" {:?})", path("none/a")));
    assert!(code == 1 && error.contains("write-file: "), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn the_examples_run() {
    let sandbox = postoffice::sandbox::Sandbox::start(Default::default()).unwrap();
    // The variables that cargo sets for this test would make it build anew what a build script
    // depends on, and once more when the test has ended.
    let of_this_test = std::env::vars_os().filter_map(|(name, _)| {
        let name = name.into_string().ok()?;
        (name.starts_with("CARGO_MANIFEST_") || name.starts_with("CARGO_PKG_")).then_some(name)
    });
    let of_this_test: Vec<String> = of_this_test.collect();
    let cargo = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO"));
        for name in &of_this_test {
            command.env_remove(name);
        }
        let output =
            command.args(["run", "--quiet", "--example"]).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let address = sandbox.imap_address().to_string();
    assert!(cargo(&["core", "--", &address, "myacct", "mypasswd"]).starts_with("7 messages, "));
    let port = sandbox.imap_address().port().to_string();
    let unread = cargo(&["client", "--", "127.0.0.1", &port, "myacct", "mypasswd"]);
    assert_eq!(unread.lines().count(), 5, "{unread}");
    assert!(unread.lines().all(|line| line.contains('@')), "{unread}");
    assert_eq!(cargo(&["client", "--", "127.0.0.1", &port, "myacct", "mypasswd"]), unread);
    assert!(cargo(&["embed"]).ends_with("subject: s test\n7 letters\n"));
}

#[test]
fn the_prompt_takes_input_from_a_pipe() {
    let (code, out, error) = with_input(&[], "(+ 1\n\n 2)\n\n(car 5)\n\"a\n");
    assert_eq!((code, error.as_str()), (0, ""));
    assert!(out.starts_with("user(1): 3\nuser(2): Error: car: "), "{out}");
    assert_eq!(with_input(&[], "(exit 4)\n").0, 4);
}

/// Makes a folder of letters for the sandbox.
fn mail_folder(letters: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (number, letter) in letters.iter().enumerate() {
        std::fs::write(folder.path().join(format!("{number:02}.eml")), letter).unwrap();
    }
    folder
}

#[test]
fn pop_to_mbox_fetches_only_what_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let (mbox, ids) = (folder.path().join("mbox"), folder.path().join("ids"));
    let arguments = ["mail.example.org", "myacct", mbox.to_str().unwrap(), ids.to_str().unwrap()];
    assert_eq!(script("pop-to-mbox.scm", &[], &arguments), "7 new letters\n");
    assert_eq!(script("pop-to-mbox.scm", &[], &arguments), "0 new letters\n");
    let text = std::fs::read_to_string(&ids).unwrap();
    std::fs::write(&ids, text.lines().skip(1).map(|line| format!("{line}\n")).collect::<String>())
        .unwrap();
    assert_eq!(script("pop-to-mbox.scm", &[], &arguments), "1 new letters\n");
    let mbox = std::fs::read_to_string(&mbox).unwrap();
    assert_eq!(mbox.lines().filter(|line| line.starts_with("From ")).count(), 8);
}

#[test]
fn a_mail_merge_shows_before_it_sends() {
    let folder = tempfile::tempdir().unwrap();
    let (csv, template) = (folder.path().join("people.csv"), folder.path().join("letter.txt"));
    std::fs::write(
        &csv,
        "name,email,note\nJoe,joe@example.org,\"a, \"\"b\"\"\"\r\nMax,max@example.org,{name}\n",
    )
    .unwrap();
    std::fs::write(&template, "Hello {name}\nDear {name}: {note}\n").unwrap();
    let arguments =
        ["mail.example.org", "me@example.org", csv.to_str().unwrap(), template.to_str().unwrap()];
    let shown = script("mail-merge.scm", &[], &arguments);
    assert!(
        shown.starts_with("To: joe@example.org\nSubject: Hello Joe\n\nDear Joe: a, \"b\"\n\n")
            && shown.ends_with("would send 2 letters\n"),
        "{shown}"
    );
    let sent = script("mail-merge.scm", &[], &[&arguments[..], &["--send"]].concat());
    assert_eq!(sent, "sent to joe@example.org\nsent to max@example.org\nsent 2 letters\n");
}

#[test]
fn the_auto_responder_answers_people_only_and_once() {
    let letter = |headers: &str| {
        format!("To: me@example.org\nSubject: hello\nMessage-ID: <1@x>\n{headers}\n\nhi\n")
    };
    let letters: Vec<String> = [
        "From: Joe <joe@example.org>",
        "From: joe@example.org",
        "From: me@example.org",
        "From: MAILER-DAEMON@example.org",
        "From: news-request@example.org",
        "From: max@example.org\nReturn-Path: <>",
        "From: max@example.org\nAuto-Submitted: auto-replied",
        "From: max@example.org\nPrecedence: bulk",
        "From: max@example.org\nList-Id: <l.example.org>",
    ]
    .map(letter)
    .into();
    let other = "From: max@example.org\nTo: somebody@example.org\nSubject: not to us\n\nhi\n";
    let letters: Vec<&str> = letters.iter().map(String::as_str).chain([other]).collect();
    let mail = mail_folder(&letters);
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("away.txt");
    std::fs::write(&text, "I am away.\n").unwrap();
    let arguments =
        ["mail.example.org", "u", "mail.example.org", "me@example.org", text.to_str().unwrap()];
    let sandbox = ["--mail", mail.path().to_str().unwrap()];
    assert_eq!(
        script("auto-responder.scm", &sandbox, &arguments),
        "would answer joe@example.org\n1 answers\n"
    );
    assert_eq!(
        script("auto-responder.scm", &sandbox, &[&arguments[..], &["--send"]].concat()),
        "answered joe@example.org\n1 answers\n"
    );
}

#[test]
fn attachments_of_a_type_are_saved_inside_the_folder_and_overwrite_nothing() {
    let part = |name: &str, content_type: &str| {
        format!(
            "--b\nContent-Type: {content_type}\nContent-Disposition: attachment; filename=\"{name}\"\nContent-Transfer-Encoding: base64\n\nAAEC\n"
        )
    };
    let long = "x".repeat(300);
    let names = [
        "../../x.png",
        "/etc/passwd",
        "CON",
        "",
        &long,
        "x.png",
        "x.png",
        "..",
        "a\u{202e}gnp.exe",
    ];
    let parts: String = names.iter().map(|name| part(name, "image/png")).collect();
    let letter = format!(
        "From: a@b\nSubject: x\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n{parts}{}--b--\n",
        part("no.txt", "text/x-other")
    );
    let mail = mail_folder(&[&letter]);
    let folder = tempfile::tempdir().unwrap();
    let saved = folder.path().join("in/here");
    let out = script(
        "save-attachments.scm",
        &["--mail", mail.path().to_str().unwrap()],
        &["h", "u", "image", saved.to_str().unwrap()],
    );
    assert!(out.ends_with(&format!("{} attachments saved\n", names.len())), "{out}");
    let files: Vec<_> =
        std::fs::read_dir(&saved).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), names.len());
    assert!(files.iter().all(|file| std::fs::read(file).unwrap() == [0, 1, 2]));
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "something was written outside"
    );
    assert_eq!(
        std::fs::read_dir(folder.path().join("in")).unwrap().count(),
        1,
        "something was written outside"
    );
}
