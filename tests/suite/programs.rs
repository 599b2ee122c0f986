//! `run-program`: input and output of every kind, the exit code, limits, and wrong arguments.

use postoffice::api::{Setup, attach};
use postoffice::proto::witness::ReadOnly;
use postoffice::repl::Session;
use postoffice::sandbox::Options;
use postoffice::transport::Connector;
use std::process::{Command, Stdio};
use std::sync::Arc;

fn session() -> Session {
    let mut session = Session::new(Vec::new());
    attach(session.host(), &Setup::sandboxed(Options::default()).unwrap());
    session
}

/// Evaluates forms, with `(sh …)` for a program in the shell's language and `@` for the folder.
fn check(table: &[(&str, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().display().to_string();
    let mut session = session();
    for (form, expected) in table {
        let form = form.replace("(sh ", "(run-program \"sh\" :arguments (list \"-c\" ");
        let shown = session.evaluate(&form.replace('@', &folder)).text();
        assert_eq!(shown.trim_end().replace(&folder, "@"), *expected, "{form}");
    }
}

#[test]
fn output_and_exit_code_are_values() {
    check(&[
        (
            r#"(multiple-value-list (sh "echo out; echo err >&2; exit 3")))"#,
            "(\"out\n\" 3 \"err\n\")",
        ),
        (r#"(run-program "printf" :arguments '("%s-" "a b" "$HOME" "*"))"#, "\"a b-$HOME-*-\""),
        (r#"(sh "printf 'a\\r\\nb\\n\\nc'") :output :lines)"#, r#"("a" "b" "" "c")"#),
        (r#"(run-program "true" :output :lines)"#, "nil"),
        (r#"(bytes->list (sh "printf '\\377a'") :output :bytes))"#, "(255 97)"),
        (r#"(sh "printf '\\377a'"))"#, "\"\u{fffd}a\""),
        (
            r#"(multiple-value-list (sh "echo out; echo err >&2") :output nil :error :lines))"#,
            r#"(nil 0 ("err"))"#,
        ),
        (r#"(nth-value 1 (sh "kill -9 $$")))"#, "137"),
        (r#"(list (sh "echo x") :output :lines))"#, r#"(("x"))"#),
        (r#"(multiple-value-list (+ 0 (length (sh "exit 4")))))"#, "(0)"),
    ]);
}

#[test]
fn input_is_text_bytes_a_file_or_nothing() {
    check(&[
        (r#"(run-program "cat" :input "grün")"#, "\"grün\""),
        (r#"(run-program "cat")"#, "\"\""),
        (r#"(run-program "cat" :input nil)"#, "\"\""),
        (
            r#"(bytes->list (run-program "cat" :input (bytes 0 255 10) :output :bytes))"#,
            "(0 255 10)",
        ),
        (
            r#"(multiple-value-list (sh "echo out; echo err >&2") :output '(:file "@/log") :error '(:file "@/log")))"#,
            "(nil 0 nil)",
        ),
        (r#"(run-program "sort" :input '(:file "@/log") :output :lines)"#, r#"("err" "out")"#),
        (r#"(run-program "true" :output '(:file "@/log"))"#, "nil"),
        (r#"(run-program "cat" :input '(:file "@/log"))"#, "\"\""),
        (r#"(run-program "echo" :output '(:file "/dev/null"))"#, "nil"),
        (
            r#"(sh "pwd; echo $POSTOFFICE_X ${HOME-none}") :directory "@" :environment '(("POSTOFFICE_X" . "a b") ("HOME")) :output :lines)"#,
            r#"("@" "a b none")"#,
        ),
    ]);
}

#[test]
fn much_goes_both_ways_and_a_program_need_not_read() {
    check(&[
        (
            "(let ((much (make-string 5000000 :initial-element #\\x))) (equal much (run-program \"cat\" :input much)))",
            "t",
        ),
        (
            r#"(multiple-value-bind (output code error) (sh "cat >&2; cat /dev/zero | head -c 3000000") :input (make-string 3000000 :initial-element #\x)) (list (length output) code (length error)))"#,
            "(3000000 0 3000000)",
        ),
        (
            r#"(multiple-value-list (run-program "true" :input (make-string 5000000 :initial-element #\x)))"#,
            r#"("" 0 "")"#,
        ),
        // A child that goes on is not waited for.
        (r#"(sh "echo begun; sleep 20 & exit 0"))"#, "\"begun\n\""),
        (
            r#"(handler-case (run-program "cat" :input '(:file "/dev/zero")) (:response-too-large (c) (po-condition-message c)))"#,
            r#""run-program: cat wrote more than 64 MiB and was stopped; :output '(:file \"path\") has no such limit""#,
        ),
    ]);
}

#[test]
fn a_program_that_does_not_end_is_killed() {
    check(&[(
        r#"(handler-case (sh "exec sleep 1000") :timeout 0.05) (:timeout (c) (po-condition-message c)))"#,
        r#""run-program: sh did not end in time and was killed""#,
    )]);
    let folder = tempfile::tempdir().unwrap();
    let begun = folder.path().join("begun");
    assert!(Command::new("mkfifo").arg(&begun).status().unwrap().success());
    let mut session = session();
    let interrupter = session.host().interrupter();
    let mark = begun.clone();
    let user = std::thread::spawn(move || {
        let pid = std::fs::read_to_string(mark).unwrap();
        interrupter.interrupt();
        pid.trim().to_owned()
    });
    let form = format!(
        "(run-program \"sh\" :arguments '(\"-c\" \"echo $$ > {}; exec sleep 1000\"))",
        begun.display()
    );
    assert_eq!(session.evaluate(&form).text(), "Interrupted");
    let pid = user.join().unwrap();
    let alive = Command::new("kill").args(["-0", &pid]).stderr(Stdio::null()).status().unwrap();
    assert!(!alive.success(), "the program still runs");
}

#[test]
fn a_witness_may_refuse_a_program() {
    let connector = Connector { witness: Arc::new(ReadOnly), ..Connector::default() };
    let mut session = Session::new(Vec::new());
    attach(session.host(), &Setup { connector, ..Setup::default() });
    assert_eq!(
        session.evaluate("(run-program \"/no/such/program\")").text(),
        "Error: run-program: read-only does not allow to run /no/such/program [:limit]"
    );
}

#[test]
fn wrong_arguments_start_nothing() {
    let output = ":string, :lines, :bytes, (:file \"path\") or nil";
    let variables = "a list of (\"NAME\" . \"value\"), with nil as the value to remove a variable";
    check(&[
        (
            r#"(run-program "/no/such/program")"#,
            "Error: run-program: cannot run /no/such/program: No such file or directory (os error 2) [:file]",
        ),
        (
            r#"(run-program "")"#,
            "Error: run-program: program: expected the name of a program, a string, got \"\" [:syntax-error]",
        ),
        (
            r#"(run-program "true" :arguments '("a" 5))"#,
            "Error: run-program: :arguments: expected a list of strings without NUL, got (\"a\" 5) [:syntax-error]",
        ),
        (
            r#"(run-program "true" :input 5)"#,
            "Error: run-program: :input: expected a string, a bytevector, (:file \"path\") or nil, got 5 [:syntax-error]",
        ),
        (
            r#"(run-program "true" :output :text)"#,
            &format!("Error: run-program: :output: expected {output}, got :text [:syntax-error]"),
        ),
        (
            r#"(run-program "true" :error '(:file))"#,
            &format!("Error: run-program: :error: expected {output}, got (:file) [:syntax-error]"),
        ),
        (
            r#"(run-program "true" :timeout 0)"#,
            "Error: run-program: :timeout: expected a number of seconds, more than 0, got 0 [:syntax-error]",
        ),
        (
            r#"(run-program "true" :environment '(("A=B" . "c")))"#,
            &format!(
                "Error: run-program: :environment: expected {variables}, got ((\"A=B\" . \"c\")) [:syntax-error]"
            ),
        ),
        (
            r#"(run-program "true" :directory "@/none")"#,
            "Error: run-program: :directory: there is no folder @/none [:file]",
        ),
        (
            r#"(run-program "true" :input '(:file "@/none"))"#,
            "Error: run-program: cannot read @/none: No such file or directory (os error 2) [:file]",
        ),
        (
            r#"(run-program "true" :output '(:file "@/none/x"))"#,
            "Error: run-program: cannot write @/none/x: No such file or directory (os error 2) [:file]",
        ),
    ]);
}
