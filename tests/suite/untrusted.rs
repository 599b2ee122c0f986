//! Untrusted scripts try to escape in every way we can think of, and to exhaust the machine.
//!
//! The first tests run forms on a host with a policy: files, variables, programs, hosts and the
//! interpreter's own functions must be out of reach, whatever the script redefines. The next run
//! the command, whose process also has limits of memory and time. The last feeds arbitrary text to
//! the reader and the evaluator.

use crate::support::{Server, empty};
use postoffice::api::State;
use postoffice::api::{Setup, attach};
use postoffice::condition::Identifier;
use postoffice::host::{self, Function, Host, Options, Report, Run, TimeLimit};
use postoffice::lisp::printer;
use postoffice::policy::Policy;
use postoffice::transport::Connector;
use proptest::prelude::*;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What a script must never see.
const TREASURE: &str = "treasure-4711";

struct Prison {
    host: Host,
    output: Arc<Mutex<String>>,
    _state: Option<Arc<State>>,
}

/// A host whose scripts may do what the policy allows, on the network or on the sandbox.
fn prison(policy: Policy, sandboxed: bool) -> Prison {
    let output = Arc::new(Mutex::new(String::new()));
    let (written, warned) = (output.clone(), output.clone());
    let options = Options {
        output: Box::new(move |text| {
            written.lock().unwrap().push_str(text);
            Ok(())
        }),
        warnings: Box::new(move |condition| {
            warned.lock().unwrap().push_str(&condition.to_string())
        }),
        policy,
        ..Options::default()
    };
    let mut host = Host::new(options);
    let setup = if sandboxed {
        Setup::sandboxed(postoffice::sandbox::Options { accept_any: true, ..Default::default() })
            .unwrap()
    } else {
        Setup {
            connector: Connector::default(),
            router: None,
            limits: postoffice::proto::Limits::default(),
            ask_secret: None,
            ..Setup::default()
        }
    };
    let state = attach(&mut host, &setup);
    Prison { host, output, _state: Some(state) }
}

impl Prison {
    fn run(&mut self, source: &str) -> Result<String, Box<Report>> {
        let value = self.host.evaluate(source, "script").map_err(Box::new)?;
        Ok(printer::readably(&self.host.datum(&value)))
    }

    /// Returns the value as printed, or the report.
    fn shows(&mut self, source: &str) -> String {
        self.run(source).unwrap_or_else(|report| report.to_string())
    }
}

/// Runs forms that must all be refused, with `:not-allowed` or because a name is undefined. Returns
/// those that were not, with what they showed.
fn not_refused(prison: &mut Prison, forms: &[String]) -> Vec<(String, String)> {
    let mut wrong = Vec::new();
    for form in forms {
        let refused = match prison.run(form) {
            Ok(_) => false,
            Err(report) => {
                let undefined = ["is not defined", "is unbound", "no value"]
                    .iter()
                    .any(|words| report.condition.message.contains(words));
                let shown = report.to_string();
                !shown.contains(TREASURE)
                    && (report.condition.identifier == Identifier::NotAllowed || undefined)
            }
        };
        if !refused {
            wrong.push((form.clone(), prison.shows(form)));
        }
    }
    wrong
}

/// Returns the paths and contents of what is in a folder.
fn inventory(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.display().to_string(), std::fs::read(&path).unwrap_or_default()))
        .collect();
    found.sort();
    found
}

#[test]
fn no_file_variable_or_program_is_reached() {
    let folder = tempfile::tempdir().unwrap();
    let (secret, new) = (folder.path().join("secret.scm"), folder.path().join("new"));
    std::fs::write(&secret, format!("\"{TREASURE}\"\n")).unwrap();
    let before = inventory(folder.path());
    let mut prison = prison(Policy::untrusted(), true);
    let connected = r#"(setq mb (make-imap-connection "h" :user "u" :password "p")) (select-mailbox mb "inbox")
        (setq letter (parse-letter "Content-Type: text/plain; name=x\nContent-Disposition: attachment\n\nx"))"#;
    assert_eq!(
        prison.run(connected).map(|_| ()).map_err(|report| report.to_string()),
        Ok(()),
        "the sandbox is allowed"
    );
    let mut forms: Vec<String> = Vec::new();
    for path in [
        secret.to_str().unwrap(),
        "/etc/passwd",
        "/proc/self/environ",
        "/proc/self/mem",
        "Cargo.toml",
        ".",
        "/",
    ] {
        for form in [
            "(open PATH)",
            "(open PATH :direction :input :if-does-not-exist nil)",
            "(open-input-file PATH)",
            "(with-open-file (port PATH) (read-line port))",
            "(with-open-file (port PATH :direction :input) (read-string port))",
            "(call-with-input-file PATH read-line)",
            "(load PATH)",
            "(require PATH)",
            "(probe-file PATH)",
            "(file-exists? PATH)",
            "(file-write-date PATH)",
            "(file-directory-p PATH)",
            "(directory PATH)",
            "(directory (string-append PATH \"/\"))",
            "(directory (string-append PATH \"/*\"))",
            "(copy-file PATH \"new\")",
            "(funcall 'open PATH)",
            "(funcall #'open PATH)",
            "(apply open (list PATH))",
            "(mapcar 'probe-file (list PATH))",
            "(let ((f open)) (f PATH))",
            "(make-mime-part :file PATH)",
            "(append-letter mb \"inbox\" (list :file PATH))",
            "(send-letter \"h\" \"a@b.c\" \"a@b.c\" \"x\" :attachments PATH)",
            "(send-letter \"h\" \"a@b.c\" \"a@b.c\" \"x\" :attachments (list PATH))",
            "(send-letter '(\"h\" :ca-file PATH) \"a@b.c\" \"a@b.c\" \"x\")",
            "(make-imap-connection \"h\" :user \"u\" :password \"p\" :ca-file PATH)",
            "(make-imap-connection \"h\" :user \"u\" :password \"p\" :client-identity PATH)",
            "(make-pop-connection \"h\" :user \"u\" :password \"p\" :client-identity '(:pkcs12 PATH \"x\"))",
            "(make-smtp-connection \"h\" :client-identity '(:pem PATH PATH))",
            "(make-smtp-connection \"h\" :ca-file PATH)",
        ] {
            forms.push(form.replace("PATH", &format!("{path:?}")));
        }
    }
    for path in [
        new.to_str().unwrap(),
        secret.to_str().unwrap(),
        "/tmp/x",
        "new",
        "",
        "../x",
        "~/x",
        "/dev/stdout",
        "/dev/null",
    ] {
        for form in [
            "(mailbox-report mb :html PATH)",
            "(open PATH :direction :output)",
            "(open PATH :direction :output :if-exists :append)",
            "(open PATH :direction :output :if-exists :error)",
            "(open PATH :direction :io)",
            "(open-output-file PATH)",
            "(with-open-file (port PATH :direction :output) (princ \"x\" port))",
            "(call-with-output-file PATH (lambda (port) (princ \"x\" port)))",
            "(delete-file PATH)",
            "(make-directory PATH)",
            "(delete-directory PATH)",
            "(rename-file PATH \"x\")",
            "(copy-file PATH \"x\" :if-exists :supersede)",
            "(save-letter mb 1 PATH)",
            "(save-letter mb 1 PATH :append t)",
            "(save-letter mb 1 PATH :mbox t)",
            "(save-attachment (first (letter-attachments letter)) PATH)",
            "(save-attachments mb 1 PATH)",
        ] {
            forms.push(form.replace("PATH", &format!("{path:?}")));
        }
    }
    forms.push(format!(
        "(ensure-directories-exist {:?})",
        folder.path().join("deep/").display().to_string()
    ));
    for name in ["HOME", "PATH", "POSTOFFICE_PASSWORD", "", "NONE"] {
        forms.push(format!("(getenv {name:?})"));
    }
    for program in ["\"sh\"", "\"sh\" \"-c\" \"exit\"", "\"/usr/sbin/sendmail\""] {
        forms.push(format!("(send-letter '(:program {program}) \"a@b.c\" \"a@b.c\" \"x\")"));
        forms.push(format!("(send-smtp '(:program {program}) \"a@b.c\" \"a@b.c\" \"x\")"));
        forms
            .push(format!("(apply 'run-program (list (first '({program})) :arguments '(\"-c\")))"));
        forms.push(format!(
            "(send-smtp-auth '(:program {program}) \"a@b.c\" \"a@b.c\" \"l\" \"p\" \"x\")"
        ));
    }
    // The sources of a password are out of reach too.
    let secret = secret.to_str().unwrap();
    for source in [
        "'(:env \"HOME\")".to_owned(),
        "(list :env \"POSTOFFICE_PASSWORD\")".into(),
        format!("'(:file {secret:?})"),
        "'(:command \"sh\" \"-c\" \"exit\")".into(),
        format!("(list :command \"cat\" {secret:?})"),
        "'(:keyring \"mail\")".into(),
        "(lambda () (getenv \"HOME\"))".into(),
        format!("(lambda () (with-open-file (port {secret:?}) (read-line port)))"),
    ] {
        for form in [
            "(make-imap-connection \"h\" :user \"u\" :password S)",
            "(make-pop-connection \"h\" :user \"u\" :token S)",
            "(make-smtp-connection \"h\" :login \"u\" :password S)",
            "(send-letter (list \"h\" :login \"u\" :password S) \"a@b.c\" \"a@b.c\" \"x\")",
            "(send-letter \"h\" \"a@b.c\" \"a@b.c\" \"x\" :login \"u\" :password S)",
            "(send-smtp-auth \"h\" \"a@b.c\" \"a@b.c\" \"u\" S \"x\")",
            "(progn (define-account a :host \"h\" :user \"u\" :password S) (connect 'a))",
        ] {
            forms.push(form.replace(" S", &format!(" {source}")));
        }
    }
    let wrong = not_refused(&mut prison, &forms);
    assert!(wrong.is_empty(), "of {}: {wrong:#?}", forms.len());
    assert_eq!(inventory(folder.path()), before, "a file was touched");
    assert!(!prison.output.lock().unwrap().contains(TREASURE));
}

#[test]
fn a_refusal_says_nothing_of_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("there"), TREASURE).unwrap();
    let mut prison = prison(Policy::untrusted(), false);
    for function in [
        "open",
        "probe-file",
        "file-write-date",
        "file-directory-p",
        "directory",
        "delete-file",
        "make-directory",
        "delete-directory",
        "load",
    ] {
        let says = |prison: &mut Prison, name: &str| {
            let path = folder.path().join(name).display().to_string();
            prison
                .run(&format!("({function} {path:?})"))
                .unwrap_err()
                .condition
                .message
                .replace(name, "NAME")
        };
        assert_eq!(says(&mut prison, "there"), says(&mut prison, "absent"));
    }
}

#[test]
fn no_host_is_reached_but_those_allowed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut policy = Policy::untrusted();
    policy.allow_host("mail.example.org".parse().unwrap());
    policy.allow_host(format!("127.0.0.1:{}", if port == 1 { 2 } else { 1 }).parse().unwrap());
    let mut prison = prison(policy, false);
    let mut forms = Vec::new();
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "::1",
        "::ffff:127.0.0.1",
        "0.0.0.0",
        "mail.example.org.evil.example",
        "evil-mail.example.org",
        "example.org",
    ] {
        for form in [
            "(make-imap-connection \"HOST\" :port PORT :user \"u\" :password \"p\")",
            "(make-imap-connection '(\"HOST\" :port PORT) :user \"u\" :password \"p\")",
            "(make-imap-connection '(\"HOST\" :port PORT :ssl t) :user \"u\" :password \"p\")",
            "(with-imap-connection (mb \"HOST\" :port PORT :user \"u\" :password \"p\") 1)",
            "(make-pop-connection \"HOST\" :port PORT :user \"u\" :password \"p\")",
            "(with-pop-connection (mb \"HOST\" :port PORT :user \"u\" :password \"p\") 1)",
            "(make-smtp-connection \"HOST\" :port PORT)",
            "(with-smtp-connection (s \"HOST\" :port PORT) 1)",
            "(send-letter '(\"HOST\" :port PORT) \"a@b.c\" \"a@b.c\" \"x\")",
            "(send-smtp '(\"HOST\" :port PORT) \"a@b.c\" \"a@b.c\" \"x\")",
            "(send-smtp-auth '(\"HOST\" :port PORT) \"a@b.c\" \"a@b.c\" \"l\" \"p\" \"x\")",
        ] {
            forms.push(form.replace("HOST", host).replace("PORT", &port.to_string()));
        }
    }
    for form in [
        format!("(send-letter \"127.0.0.1:{port}\" \"a@b.c\" \"a@b.c\" \"x\")"),
        format!("(send-letter \"localhost:{port}\" \"a@b.c\" \"a@b.c\" \"x\")"),
        format!("(send-letter '(2130706433 :port {port}) \"a@b.c\" \"a@b.c\" \"x\")"),
        format!("(make-smtp-connection 2130706433 :port {port})"),
        "(send-letter 2130706433 \"a@b.c\" \"a@b.c\" \"x\")".into(),
        "(test-email-address \"a@localhost\")".into(),
        "(test-email-address \"a@127.0.0.1\")".into(),
    ] {
        forms.push(form);
    }
    let wrong = not_refused(&mut prison, &forms);
    assert!(wrong.is_empty(), "of {}: {wrong:#?}", forms.len());
    listener.set_nonblocking(true).unwrap();
    assert_eq!(
        listener.accept().unwrap_err().kind(),
        std::io::ErrorKind::WouldBlock,
        "somebody has connected"
    );
}

#[test]
fn no_rule_runs_a_program() {
    let mut prison = prison(Policy::untrusted(), true);
    prison.run(r#"(setq mb (make-imap-connection "h" :user "u" :password "p"))"#).unwrap();
    prison.run(r#"(append-letter mb "inbox" "Subject: x")"#).unwrap();
    let shown = prison.shows(r#"(with-rules (mb "inbox") (t (:flag :x)) (t (:pipe "true")))"#);
    assert!(
        shown.contains("with-rules: an untrusted script may not start the program true"),
        "{shown}"
    );
    let count = "(letters-count (select-letters mb '(:keyword :x) :mailbox \"inbox\"))";
    assert_eq!(prison.shows(count), "0");
    assert_eq!(
        prison.shows(r#"(with-rules (mb "inbox") ((:subject "x") (:flag :x)))"#),
        "((1 . 1))"
    );
    assert_eq!(prison.shows(count), "1");
}

#[test]
fn neither_the_interpreter_nor_the_inside_of_the_host_can_be_called() {
    let mut prison = prison(Policy::untrusted(), true);
    let mut forms = Vec::new();
    for name in [
        "eval-string",
        "compile",
        "require-builtin",
        "module",
        "env-var",
        "set-env-var!",
        "command",
        "spawn-process",
        "set-current-dir!",
        "system",
        "run-shell-command",
        "excl:shell",
        "sb-ext:run-program",
        "%module-get%",
        "%proto-hash-get%",
        "#%prim.command",
        "#%app",
        "#%private",
        "steel/process",
        "spawn-native-thread",
        "spawn-thread!",
        "thread-join!",
        "tcp-connect",
        "http-get",
        "path-exists?",
        "read-dir",
        "delete-directory!",
        "create-directory!",
        "copy-directory-recursively!",
        "current-directory",
        "canonicalize-path",
        "open-input-output-file",
        "file-metadata",
        "load-dylib",
        "dlopen",
        "%open",
        "%getenv",
        "%delete-file",
        "%probe-file",
        "%deliver",
        "%invoke",
        "%plain-expt",
        "s/%open",
        "s/open",
        "u/open",
        "call-with-exception-handler",
        "current-milliseconds",
        "#%intern",
        "eval!",
        "emit-expanded",
        "stdin",
        "stdout",
        "stderr",
        "block-on",
        "local-executor/block-on",
        "memory-address",
        "error-with-span",
        "engine",
        "run!",
        "exit!",
        "current-os!",
        "arch!",
        "target-arch!",
        "platform-dll-prefix!",
        "git-clone",
    ] {
        for form in [
            "(NAME \"sh\")",
            "(funcall 'NAME \"sh\")",
            "(funcall (intern \"NAME\") \"sh\")",
            "(apply 'NAME '(\"sh\"))",
            "NAME",
        ] {
            forms.push(form.replace("NAME", name));
        }
    }
    let wrong: Vec<_> = forms
        .iter()
        .filter_map(|form| prison.run(form).ok().map(|value| (form.clone(), value)))
        // A bare name that begins with `#%` may have a value, and so may one of ours, whose function
        // refuses; only calls must fail.
        .filter(|(form, _)| !form.starts_with("#%") && form != "sb-ext:run-program")
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn redefinitions_and_handlers_open_nothing() {
    let mut prison = prison(Policy::untrusted(), true);
    let mut forms: Vec<String> = [
        "(defun %deliver (outcome) outcome)",
        "(setq %open (lambda arguments 5))",
        "(defmacro %outcome-error (x) nil)",
        "(define-syntax %raise (syntax-rules () ((_ x) nil)))",
        "(defun raise (x) nil)",
        "(defun error (&rest x) nil)",
        "(define (%true? x) t)",
        "(defun po-error? (x) nil)",
        "(setq not-allowed nil)",
    ]
    .map(str::to_owned)
    .to_vec();
    for form in &forms {
        prison.run(form).ok();
    }
    forms = [
        "(open \"/etc/passwd\")",
        "(getenv \"PATH\")",
        "(handler-bind ((error (lambda (c) nil))) (open \"/etc/passwd\"))",
        "(unwind-protect (open \"/etc/passwd\") 1)",
        "(call/cc (lambda (k) (open \"/etc/passwd\")))",
        "(let ((open open)) (with-open-file (f \"/etc/passwd\") f))",
        "(dynamic-wind (lambda () 1) (lambda () (open \"/etc/passwd\")) (lambda () 2))",
        "(defmacro peek () (open \"/etc/passwd\")) (peek)",
    ]
    .map(str::to_owned)
    .to_vec();
    // What a macro calls is refused during expansion, possibly under another identifier.
    let wrong: Vec<_> = not_refused(&mut prison, &forms)
        .into_iter()
        .filter(|(_, shown)| !shown.contains("may not read /etc/passwd"))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(
        prison.shows("(handler-case (open \"/etc/passwd\") (po-error (c) (list (po-condition-identifier c) (po-condition-message c))))"),
        "(:not-allowed \"open: an untrusted script may not read /etc/passwd; --allow-read DIR or --allow-dir DIR allows a folder\")"
    );
}

#[test]
fn what_is_allowed_works() {
    let (folder, shelf) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(shelf.path().join("book"), "text").unwrap();
    std::fs::write(shelf.path().join("more.scm"), "(setq loaded 7)").unwrap();
    let mut policy = Policy::untrusted();
    policy.allow_folder(folder.path()).unwrap();
    policy.allow_reading(shelf.path()).unwrap();
    policy.allow_variable("CARGO_PKG_NAME_THAT_IS_NOT_SET");
    let mut prison = prison(policy, true);
    let at = |folder: &tempfile::TempDir, name: &str| {
        format!("{:?}", folder.path().join(name).display().to_string())
    };
    for (form, expected) in [
        (format!("(with-open-file (port {} :direction :output) (princ \"x\" port))", at(&folder, "a")), "\"x\""),
        (format!("(values (with-open-file (port {}) (read-line port)))", at(&folder, "a")), "\"x\""),
        (format!("(values (with-open-file (port {}) (read-line port)))", at(&shelf, "book")), "\"text\""),
        (format!("(load {}) loaded", at(&shelf, "more.scm")), "7"),
        (format!("(require {}) loaded", at(&shelf, "more.scm")), "7"),
        (format!("(progn (ensure-directories-exist {}) 1)", at(&folder, "deep/er/")), "1"),
        (format!("(if (probe-file {}) 1 2)", at(&folder, "deep/er")), "1"),
        (format!("(make-directory {})", at(&folder, "deep/est")), "t"),
        (format!("(file-directory-p {})", at(&folder, "deep/est")), "t"),
        (format!("(delete-directory {})", at(&folder, "deep/est")), "t"),
        (format!("(probe-file {})", at(&folder, "none")), "nil"),
        (format!("(progn (copy-file {} {}) 1)", at(&shelf, "book"), at(&folder, "b")), "1"),
        (format!("(progn (rename-file {} \"c\") 1)", at(&folder, "b")), "1"),
        (format!("(length (directory {}))", at(&folder, "*")), "3"),
        (format!("(length (directory {}))", at(&shelf, "")), "2"),
        (format!("(> (file-write-date {}) 0)", at(&shelf, "book")), "t"),
        (format!("(delete-file {})", at(&folder, "a")), "t"),
        (
            format!(
                "(with-imap-connection (mb \"h\" :user \"u\" :password \"p\") (select-mailbox mb \"inbox\") (save-letter mb 1 {}))",
                at(&folder, "letter")
            ),
            "t",
        ),
        (
            format!(
                "(with-imap-connection (mb \"h\" :user \"u\" :password \"p\") (select-mailbox mb \"inbox\") (getf (mailbox-report mb :html {}) :messages))",
                at(&folder, "report.html")
            ),
            "7",
        ),
        ("(getenv \"CARGO_PKG_NAME_THAT_IS_NOT_SET\")".into(), "nil"),
        (format!("(close-connection (make-imap-connection \"h\" :user \"u\" :password '(:file {})))", at(&shelf, "book")), "t"),
        ("(define-account a :host \"h\" :user \"u\" :password (lambda () \"p\")) (with-account (mb 'a) 7)".into(), "7"),
        (
            "(handler-case (make-imap-connection \"h\" :user \"u\" :password '(:env \"CARGO_PKG_NAME_THAT_IS_NOT_SET\")) (:authentication (c) 7))".into(),
            "7",
        ),
    ] {
        assert_eq!(prison.shows(&form), expected, "{form}");
    }
    assert!(std::fs::read_to_string(folder.path().join("letter")).unwrap().contains("Subject"));
    let wrong = not_refused(
        &mut prison,
        &[
            format!("(open {} :direction :output)", at(&shelf, "book")),
            format!("(delete-file {})", at(&shelf, "book")),
            format!("(make-directory {})", at(&shelf, "x")),
            format!("(delete-directory {})", at(&shelf, "x")),
            format!("(make-directory {})", at(&folder, "../x")),
            format!("(rename-file {} {})", at(&shelf, "book"), at(&folder, "x")),
            format!("(rename-file {} {})", at(&folder, "c"), at(&shelf, "x")),
            format!("(rename-file {} {})", at(&folder, "c"), at(&folder, "../x")),
            format!("(copy-file {} {})", at(&folder, "c"), at(&shelf, "x")),
            format!(
                "(copy-file {} {} :if-exists :supersede)",
                at(&folder, "c"),
                at(&shelf, "book")
            ),
            format!("(directory {})", at(&folder, "../*")),
            // The folder itself stays where it is.
            format!("(rename-file {:?} {})", folder.path().display().to_string(), at(&folder, "x")),
            format!("(open {})", at(&folder, "../book")),
            format!("(open {} :direction :output)", at(&folder, "../new")),
        ],
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[cfg(unix)]
#[test]
fn links_lead_nowhere_outside() {
    let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(outside.path().join("secret"), TREASURE).unwrap();
    let before = inventory(outside.path());
    for (target, name) in [("secret", "file"), ("new", "dangling"), (".", "dir")] {
        std::os::unix::fs::symlink(outside.path().join(target), folder.path().join(name)).unwrap();
    }
    let mut policy = Policy::untrusted();
    policy.allow_folder(folder.path()).unwrap();
    let mut prison = prison(policy, true);
    prison.run(r#"(setq mb (make-imap-connection "h" :user "u" :password "p")) (select-mailbox mb "inbox")"#).unwrap();
    let mut forms = Vec::new();
    for name in ["file", "dangling", "dir/secret", "dir/new", "dir", "dir/../x"] {
        let path = format!("{:?}", folder.path().join(name).display().to_string());
        for form in [
            "(open PATH)",
            "(open PATH :direction :output)",
            "(open PATH :direction :output :if-exists :append)",
            "(probe-file PATH)",
            "(file-write-date PATH)",
            "(file-directory-p PATH)",
            "(make-directory PATH)",
            "(directory PATH)",
            "(copy-file PATH FOLDER/x)",
            "(copy-file FOLDER/x PATH :if-exists :supersede)",
            "(rename-file PATH FOLDER/x)",
            "(rename-file FOLDER/x PATH :if-exists :supersede)",
            "(load PATH)",
            "(require PATH)",
            "(save-letter mb 1 PATH)",
            "(append-letter mb \"inbox\" (list :file PATH))",
        ] {
            let x = format!("{:?}", folder.path().join("x").display().to_string());
            forms.push(form.replace("PATH", &path).replace("FOLDER/x", &x));
        }
        if name.contains('/') {
            forms.push(format!("(delete-file {path})"));
            forms.push(format!("(delete-directory {path})"));
        }
    }
    let wrong = not_refused(&mut prison, &forms);
    assert!(wrong.is_empty(), "{wrong:#?}");
    // To delete a link deletes the link.
    for name in ["file", "dangling", "dir"] {
        let path = folder.path().join(name);
        prison.run(&format!("(delete-file {:?})", path.display().to_string())).unwrap();
        assert!(path.symlink_metadata().is_err(), "{name}");
    }
    assert_eq!(inventory(outside.path()), before);
}

#[test]
fn functions_of_the_application_run_when_it_vouches_for_them() {
    let functions = || {
        [
            ("lookup", Run::Native(|_| Ok(host::integer(1)))),
            ("twice", Run::Scheme("(lambda (x) (* 2 x))")),
            ("const", Run::Macro("(syntax-rules () ((_) 3))")),
        ]
        .into_iter()
        .map(|(name, run)| Function::new(name, if name == "twice" { "(x)" } else { "()" }, "", run))
        .collect::<Vec<_>>()
    };
    let calls = ["(lookup)", "(twice 4)", "(const)", "(own)"].map(str::to_owned);
    let mut refused = prison(Policy::untrusted(), false);
    refused.host.register(&functions());
    refused.host.register_fn("own", "()", "", |_| Ok(host::integer(5)));
    let wrong = not_refused(&mut refused, &calls);
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(
        refused.run("(lookup)").unwrap_err().condition.message,
        "lookup: not among the functions that an untrusted script may call; only running it without --untrusted allows that"
    );
    for policy in [Policy::untrusted(), Policy::trusted()] {
        let mut vouched = prison(policy, false);
        vouched.host.vouch_for(&["lookup", "twice", "const", "own"]);
        vouched.host.register(&functions());
        vouched.host.register_fn("own", "()", "", |_| Ok(host::integer(5)));
        assert_eq!(calls.each_ref().map(|call| vouched.shows(call)), ["1", "8", "3", "5"]);
    }
}

#[test]
fn a_time_limit_stops_loops_and_clean_up_that_does_not_end() {
    for source in [
        "(loop)",
        "(sleep 1000)",
        "(unwind-protect (loop) (loop))",
        "(defun again () (unwind-protect (loop) (again))) (again)",
        "(let next () (unwind-protect (unwind-protect (loop) (loop)) (next)))",
        "(let next () (handler-case (loop) (t (c) (next))))",
        "(let next () (ignore-errors (loop)) (next))",
    ] {
        let mut prison = prison(Policy::untrusted(), false);
        let limit = TimeLimit::start(&prison.host, Duration::from_millis(200)).unwrap();
        let report = prison.run(source).unwrap_err();
        assert!(report.interrupted && limit.is_over(), "{source}: {report}");
        assert!(prison.run("1").unwrap_err().interrupted, "nothing runs when the time is up");
        drop(limit);
        assert_eq!(prison.shows("(+ 1 2)"), "3", "{source}");
    }
}

#[test]
fn a_call_of_parallel_map_reaches_no_more_than_the_script() {
    let folder = tempfile::tempdir().unwrap();
    let (secret, allowed) = (folder.path().join("secret"), folder.path().join("allowed"));
    std::fs::write(&secret, TREASURE).unwrap();
    std::fs::create_dir(&allowed).unwrap();
    std::fs::write(allowed.join("x"), "mine").unwrap();
    let mut policy = Policy::untrusted();
    policy.allow_folder(&allowed).unwrap();
    let mut prison = prison(policy, false);
    let path = format!("{:?}", secret.to_str().unwrap());
    let forms: Vec<String> = [
        "(open PATH)",
        "(with-open-file (port PATH) (read-line port))",
        "(funcall #'open PATH)",
        "(open PATH :direction :output)",
        "(delete-file PATH)",
        "(probe-file PATH)",
        "(write-csv '((1)) :file PATH)",
        "(write-file \"x\" PATH)",
        "(getenv \"HOME\")",
        "(make-imap-connection \"127.0.0.1\" :user \"u\" :password \"p\")",
        "(make-imap-connection \"h\" :user \"u\" :password \"p\" :ca-file PATH)",
        "(send-letter '(:program \"sh\") \"a@b.c\" \"a@b.c\" \"x\")",
        "(send-letter \"127.0.0.1\" \"a@b.c\" \"a@b.c\" \"x\")",
        "(%open PATH)",
        "(command \"sh\")",
        "(run-program \"true\")",
        "(spawn-native-thread car)",
    ]
    .iter()
    .map(|form| form.replace("PATH", &path))
    .collect();
    // The script itself is refused these forms, and so are the workers.
    assert_eq!(not_refused(&mut prison, &forms), []);
    for form in &forms {
        let alone = prison.run(form).unwrap_err().condition;
        let source = format!(
            "(let ((x (first (parallel-map (lambda (x) {form}) '(1))))) (list (error? x) (error-message x)))"
        );
        let expected = printer::readably(&postoffice::lisp::Datum::String(alone.message));
        assert_eq!(prison.shows(&source), format!("(t {expected})"), "{form}");
    }
    let mine = format!(
        "(parallel-map (lambda (path) (with-open-file (port path) (read-line port))) '({:?}))",
        allowed.join("x").to_str().unwrap()
    );
    assert_eq!(prison.shows(&mine), "(\"mine\")");
    assert!(!prison.output.lock().unwrap().contains(TREASURE));
}

// --- through the command ---

const BINARY: &str = env!("CARGO_BIN_EXE_postoffice");

fn outcome(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(BINARY)
        .env("POSTOFFICE_STATE", concat!(env!("CARGO_TARGET_TMPDIR"), "/state"))
        .args(arguments)
        .env("POSTOFFICE_PASSWORD", TREASURE)
        .env_remove("RUST_BACKTRACE")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

#[test]
fn memory_that_is_wanted_without_end_ends_the_script_with_a_word() {
    for source in [
        "(let next ((list nil)) (next (cons (make-string 100000 #\\a) list)))",
        "(let next ((list nil)) (next (cons 1 list)))",
        "(let next ((text \"ab\")) (next (string-append text text)))",
        "(let next ((list '(1))) (next (append list list)))",
        "(let next ((table (hash)) (i 0)) (next (hash-insert table i (make-string 10000 #\\a)) (+ i 1)))",
        "(let ((table (make-hash-table))) (let next ((i 0)) (setf (gethash i table) (make-string 10000 #\\a)) (next (+ i 1))))",
        "(with-output-to-string (port) (loop (princ \"0123456789012345678901234567890123456789\" port) (princ (make-string 100000 #\\a) port)))",
        "(make-vector 49000000 0)",
        "(format nil \"~{~a~}\" (let next ((list '(1))) (next (append list list))))",
        "(let ((text (make-string 1000000 #\\a))) (mapcar (lambda (x) (string-upcase text)) (range 0 1000000)))",
        "(defun deep (x) (+ 1 (deep (cons (make-string 1000 #\\a) x)))) (deep nil)",
    ] {
        let (code, out, error) = outcome(&["eval", "--untrusted", "--memory-limit", "128", source]);
        assert_eq!((code, out.trim_end_matches("deep\n")), (124, ""), "{source}: {error}");
        assert!(
            error.ends_with("postoffice: the script was stopped: it needed more than 128 MB of memory (--memory-limit)\n"),
            "{source}: {error}"
        );
    }
}

#[test]
fn the_usual_memory_is_enough_for_calls_in_parallel() {
    let (code, out, error) =
        outcome(&["eval", "--untrusted", "(parallel-map (lambda (x) (* x x)) '(1 2 3 4 5 6 7 8))"]);
    assert_eq!((code, out.as_str()), (0, "(1 4 9 16 25 36 49 64)\n"), "{error}");
    let (code, _, error) = outcome(&[
        "eval",
        "--untrusted",
        "--time-limit",
        "1",
        "(parallel-map (lambda (x) (loop)) '(1 2 3 4))",
    ]);
    assert_eq!(
        (code, error.as_str()),
        (124, "postoffice: the script was stopped: it took longer than 1 seconds (--time-limit)\n")
    );
}

#[test]
fn time_that_is_taken_without_end_ends_the_script_with_a_word() {
    for source in [
        "(loop)",
        "(sleep 100000)",
        "(let next () (ignore-errors (loop)) (next))",
        "(unwind-protect (loop) (loop))",
        "(dotimes (i 1000000000000) (princ \"\"))",
        "(let next ((number 9)) (next (* number number)))",
        "1 2 (loop) 3",
    ] {
        let begun = Instant::now();
        let (code, _, error) = outcome(&["eval", "--untrusted", "--time-limit", "1", source]);
        assert_eq!(
            (code, error.as_str()),
            (
                124,
                "postoffice: the script was stopped: it took longer than 1 seconds (--time-limit)\n"
            ),
            "{source}"
        );
        assert!(begun.elapsed() < Duration::from_secs(60), "{source}");
    }
}

#[test]
fn a_wait_that_nobody_ends_is_ended() {
    let mut child = Command::new(BINARY)
        .env("POSTOFFICE_STATE", concat!(env!("CARGO_TARGET_TMPDIR"), "/state"))
        .args(["eval", "--untrusted", "--time-limit", "1", "(read-line)"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let open = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    drop(open);
    assert_eq!(output.status.code(), Some(124));
    assert!(String::from_utf8_lossy(&output.stderr).contains("(--time-limit)"));
}

#[test]
fn numbers_that_are_too_large_are_errors_and_end_nothing() {
    let mut prison = prison(Policy::trusted(), false);
    for source in [
        "(make-vector 1000000000000 0)",
        "(make-vector 1000000000000000000)",
        "(make-string 1000000000000 #\\a)",
        "(make-bytes 1000000000000)",
        "(make-bytevector 1000000000000 1)",
        "(make-list 1000000000000 1)",
        "(iota 1000000000000)",
        "(range 0 1000000000000)",
        "(range 1000000000000)",
        "(range-vec 0 1000000000000)",
        "(expt 7 1000000000000)",
        "(expt 7 (expt 7 77))",
        "(expt 1/3 -1000000000000)",
        "(ash 1 1000000000000)",
        "(hash-code (let next ((i 0) (x 1)) (if (< i 100000) (next (+ i 1) (list x)) x)))",
        "(hash-insert (hash) (let next ((i 0) (x 1)) (if (< i 100000) (next (+ i 1) (list x)) x)) 1)",
    ] {
        let message = prison.run(source).map_err(|report| report.condition.message);
        assert!(
            message.as_ref().is_err_and(|message| !message.contains("internal error")),
            "{source}: {message:?}"
        );
    }
    assert_eq!(prison.shows("(length (format nil \"~1000000000000a\" 1))"), "10000");
    for (source, expected) in [
        ("(expt 2 10)", "1024"),
        ("(make-vector 2 1)", "#(1 1)"),
        ("(range 1 4)", "(1 2 3)"),
        ("(expt -1 1000000000001)", "-1"),
    ] {
        assert_eq!(prison.shows(source), expected);
    }
}

#[test]
fn the_command_hands_on_what_the_script_does() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("s.scm");
    let name = file.to_str().unwrap();
    std::fs::write(&file, "(princ (command-line)) (princ (read-line)) (exit 7)").unwrap();
    let mut child = Command::new(BINARY)
        .env("POSTOFFICE_STATE", concat!(env!("CARGO_TARGET_TMPDIR"), "/state"))
        .args(["run", "--untrusted", name, "a", "--b"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"line\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), String::from_utf8_lossy(&output.stdout).as_ref()),
        (Some(7), "(a --b)line")
    );

    let (code, _, error) = outcome(&["eval", "--untrusted", "(getenv \"POSTOFFICE_PASSWORD\")"]);
    assert!(
        code == 1
            && error.contains("[:not-allowed]")
            && error.contains("--allow-env")
            && !error.contains(TREASURE),
        "{error}"
    );
    assert_eq!(
        outcome(&[
            "eval",
            "--untrusted",
            "--allow-env",
            "POSTOFFICE_PASSWORD",
            "(length (getenv \"POSTOFFICE_PASSWORD\"))"
        ])
        .1,
        "13\n"
    );

    let inside = folder.path().to_str().unwrap();
    let write =
        format!("(with-open-file (port \"{inside}/new\" :direction :output) (princ 1 port))");
    assert_eq!(outcome(&["eval", "--untrusted", "--allow-read", inside, &write]).0, 1);
    assert_eq!(
        outcome(&["eval", "--untrusted", "--allow-dir", inside, &write]),
        (0, "1\n".into(), String::new())
    );

    let count = "(with-imap-connection (mb \"h\" :user \"u\" :password \"p\") (select-mailbox mb \"inbox\") (mailbox-message-count mb))";
    assert_eq!(
        outcome(&["--sandbox", "eval", "--untrusted", count]),
        (0, "7\n".into(), String::new())
    );
    let (code, _, error) = outcome(&["eval", "--untrusted", count]);
    assert!(
        code == 1 && error.contains("may not connect to h:143; --allow-host HOST allows a host"),
        "{error}"
    );
}

#[test]
fn a_redirect_on_the_command_line_is_allowed_and_no_other_host_is() {
    let server = Server::sandbox(empty());
    let call = "(with-imap-connection (mb \"mail.example.org\" :user \"user\" :password \"pw\") 5)";
    let redirect = format!("mail.example.org=127.0.0.1:{}", server.port);
    assert_eq!(outcome(&["--connect-to", &redirect, "eval", "--untrusted", call]).1, "5\n");
    let direct = format!(
        "(with-imap-connection (mb \"127.0.0.1\" :port {} :user \"user\" :password \"pw\") 5)",
        server.port
    );
    assert_eq!(outcome(&["--connect-to", &redirect, "eval", "--untrusted", &direct]).0, 1);
    let allowed = format!("127.0.0.1:{}", server.port);
    assert_eq!(outcome(&["eval", "--untrusted", "--allow-host", &allowed, &direct]).1, "5\n");
}

#[test]
fn an_untrusted_transcript_is_confined_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.repl");
    let name = file.to_str().unwrap();
    std::fs::write(&file, "user(1): (mailbox-message-count mb)\n1\n").unwrap();
    std::fs::write(folder.path().join("x.eml"), "Subject: x\n\nx\n").unwrap();
    std::fs::write(&file, "user(1): (getenv \"PATH\")\nError: getenv: an untrusted script may not read…\nuser(2): (+ 1 2)\n3\n").unwrap();
    assert_eq!(
        outcome(&["replay", "--untrusted", name]),
        (0, format!("{name}: 2 of 2 replies agree\n"), String::new())
    );
    std::fs::write(&file, ";;; deliver x.eml\nuser(1): 1\n1\n").unwrap();
    assert_eq!(outcome(&["replay", name]).0, 0);
    let (code, _, error) = outcome(&["replay", "--untrusted", name]);
    assert!(code == 1 && error.contains("x.eml: an untrusted script may not read"), "{error}");
    assert_eq!(
        outcome(&["replay", "--untrusted", "--allow-read", folder.path().to_str().unwrap(), name])
            .0,
        0
    );
}

#[test]
fn options_that_make_no_sense_are_refused() {
    for (arguments, code, message) in [
        (&["eval", "--allow-host", "x", "1"][..], 2, "--untrusted"),
        (&["eval", "--allow-dir", "/tmp", "1"], 2, "--untrusted"),
        (&["run", "--time-limit", "5", "x.scm"], 2, "--untrusted"),
        (&["eval", "--untrusted", "--allow-host", "a b", "1"], 2, "expected HOST or HOST:PORT"),
        (&["eval", "--untrusted", "--time-limit", "0", "1"], 2, "--time-limit"),
        (
            &["eval", "--untrusted", "--allow-dir", "/no/such/folder", "1"],
            1,
            "--allow-dir /no/such/folder: ",
        ),
        (
            &["eval", "--untrusted", "--allow-read", "Cargo.toml", "1"],
            1,
            "--allow-read Cargo.toml: ",
        ),
        (&["--untrusted", "eval", "1"], 2, "--untrusted"),
        (&["demo", "--untrusted"], 2, "--untrusted"),
    ] {
        let (got, out, error) = outcome(arguments);
        assert_eq!((got, out.as_str()), (code, ""), "{arguments:?}: {error}");
        assert!(error.contains(message), "{arguments:?}: {error}");
    }
}

// --- any text ---

/// Generates hostile source text: unbalanced, nested, with huge numbers, odd characters, reader
/// syntax, and forms with missing or wrong arguments.
fn hostile_source() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "'",
        "`",
        ",",
        ",@",
        "#'",
        "#(",
        "#u8(",
        "#\\",
        "#|",
        "|#",
        "#;",
        "\"",
        "\\",
        "|",
        ";",
        "\n",
        " ",
        ". ",
        "...",
        "#t",
        "#f",
        "nil",
        "t",
        "define ",
        "defun ",
        "lambda ",
        "let ",
        "let* ",
        "letrec ",
        "loop ",
        "do ",
        "dolist ",
        "dotimes ",
        "cond ",
        "case ",
        "if ",
        "setq ",
        "setf ",
        "quote ",
        "quasiquote ",
        "unquote ",
        "define-syntax ",
        "syntax-rules ",
        "defmacro ",
        "handler-case ",
        "unwind-protect ",
        "block ",
        "return-from ",
        "catch ",
        "throw ",
        "multiple-value-bind ",
        "destructuring-bind ",
        "typecase ",
        "with-open-file ",
        "for ",
        "in ",
        "collect ",
        "from ",
        "to ",
        "&key ",
        "&optional ",
        "&rest ",
        "else ",
        "=> ",
        "_ ",
        "x ",
        "y ",
        "f ",
        ":key ",
        ":uid ",
        "car ",
        "cdr ",
        "cons ",
        "list ",
        "apply ",
        "funcall ",
        "map ",
        "format ",
        "nil ",
        "string-append ",
        "substring ",
        "subseq ",
        "vector-ref ",
        "hash ",
        "expt ",
        "ash ",
        "sqrt ",
        "exact ",
        "number->string ",
        "string->number ",
        "parse-integer ",
        "integer->char ",
        "1 ",
        "-1 ",
        "0 ",
        "1/0 ",
        "1e999 ",
        "-9223372036854775808 ",
        "9223372036854775807 ",
        "99999999999999999999999999999999999999999 ",
        "1.5e-400 ",
        "+nan.0 ",
        "+inf.0 ",
        "#xffffffffffffffffffff ",
        "#b2 ",
        "1+2i ",
        "\u{0}",
        "\u{feff}",
        "\u{202e}",
        "é",
        "\u{1f600}",
        "\u{10ffff}",
        "#:x ",
        "net.post-office::car ",
        ":\\\\seen ",
        "~{~a~}",
        "~1000000000000a",
        "~v",
        "\"~^~[~;\" ",
        "#u8(256) ",
        "#\\x110000 ",
        "#\\space ",
        "\\u{",
        "#!/",
        "#!",
        "#d",
        "#e1.5 ",
        "@",
        "^",
        "%open ",
        "#%prim.car ",
    ]);
    prop_oneof![
        prop::collection::vec(words, 1..60).prop_map(|words| words.concat()),
        "\\PC{0,80}",
        any::<String>(),
        (
            1usize..3000,
            prop::sample::select(vec![
                "(",
                "[",
                "'",
                "`",
                "#(",
                "(list ",
                "(let ((x ",
                "(lambda (x) ",
                "(if t ",
                "#|",
                "(cond (",
                "(quote ",
                "`(,"
            ])
        )
            .prop_map(|(depth, piece)| piece.repeat(depth)),
        (
            1usize..3000,
            prop::sample::select(vec![
                ("(", ")"),
                ("'(", ")"),
                ("(list ", " 1)"),
                ("(+ 1 ", " 1)"),
                ("(let ((x 1)) ", ")"),
                ("(if t ", ")"),
                ("`(,", "1)"),
                ("#(", ")")
            ])
        )
            .prop_map(|(depth, (open, close))| format!("{}{}", open.repeat(depth), close.repeat(depth))),
        "[0-9]{1,400}".prop_map(|digits| format!(
            "(* {digits} {digits}) (/ {digits} 3) (sqrt {digits}) (number->string {digits} 2) (exact->inexact {digits})"
        )),
    ]
}

#[test]
fn reader_and_evaluator_survive_any_text() {
    let mut prison = prison(Policy::untrusted(), false);
    let begun = Instant::now();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 500,
        ..ProptestConfig::default()
    });
    let shared = std::cell::RefCell::new(&mut prison);
    let result = runner.run(&hostile_source(), |source| {
        let mut prison = shared.borrow_mut();
        let limit = TimeLimit::start(&prison.host, Duration::from_secs(5)).unwrap();
        let result = prison.run(&source);
        let over = limit.is_over();
        drop(limit);
        prop_assert!(!over || source.contains("loop") || source.contains("do "), "takes too long");
        if let Err(report) = result {
            prop_assert!(!report.condition.message.contains("internal error"), "{report}");
        }
        Ok(())
    });
    result.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(600));
    // Whatever the scripts redefined, a new host has the original language.
    let mut fresh = self::prison(Policy::untrusted(), false);
    assert_eq!(fresh.shows("(mapcar '1+ '(1 2 3))"), "(2 3 4)");
}
