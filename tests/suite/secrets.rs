//! Passwords never appear in traces, errors, reports, the prompt's replies, transcripts, `Debug`
//! output or core dumps.
//!
//! The tests log in with each of the passwords in `tests/support/passwords.txt`, also to servers
//! that repeat them back, and make mistakes that involve them. `leaks::check` then searches the
//! output for each password in every encoding.

use crate::support::leaks::{PASSWORD, check, forms, passwords};
use crate::support::script::{Peer, Script};
use postoffice::api::{Setup, attach};
use postoffice::client::{ConnectOptions, Credentials};
use postoffice::proto::Secret;
use postoffice::proto::sasl::{Exchange, Mechanism};
use postoffice::repl::Session;
use postoffice::sandbox::{Account, Options};
use postoffice::transport::{ClientIdentity, TlsOptions};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

const BINARY: &str = env!("CARGO_BIN_EXE_postoffice");

/// Returns a password as a string literal of the language.
fn quoted(password: &str) -> String {
    format!("\"{}\"", password.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Runs the command and returns all its output. Fails if it contains a password of the tests.
fn output(arguments: &[&str]) -> String {
    let output = Command::new(BINARY)
        .env("POSTOFFICE_STATE", concat!(env!("CARGO_TARGET_TMPDIR"), "/state"))
        .args(arguments)
        .env("SECRET", PASSWORD)
        .env("RUST_BACKTRACE", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    check(&text);
    text
}

#[test]
fn the_search_finds_what_it_looks_for() {
    for password in passwords() {
        for form in forms(password) {
            let found = std::panic::catch_unwind(|| check(&format!("before {form} after")));
            assert!(found.is_err(), "{form}");
        }
    }
    // A SASL PLAIN response (RFC 4616), encoded by another program than ours.
    assert!(
        std::panic::catch_unwind(|| check(
            "C: A2 AUTHENTICATE PLAIN AG15YWNjdABCbGF1ZXItSGlyc2NoLTQ3MTE="
        ))
        .is_err()
    );
    check("Blauer Hirsch, 4711, Grosse Eule");
}

#[test]
fn traces_of_every_way_to_log_in() {
    for (number, password) in passwords().into_iter().enumerate() {
        let password = quoted(password);
        let forms = [
            "(close-connection (make-imap-connection \"h\" :user \"joe\" :password P))",
            "(close-connection (make-imap-connection '(\"h\" :ssl t) :user \"joe\" :password P))",
            "(close-connection (make-imap-connection \"h\" :tls :starttls :user \"joe\" :password P))",
            "(close-connection (make-pop-connection \"h\" :user \"joe\" :password P))",
            "(close-connection (make-pop-connection \"h\" :user \"joe\" :password P :auth :login))",
            "(close-connection (make-pop-connection \"h\" :user \"joe\" :password P :auth :plain))",
            "(close-connection (make-pop-connection \"h\" :user \"joe\" :password P :auth :apop))",
            "(close-connection (make-smtp-connection \"h\" :login \"joe\" :password P))",
            "(close-connection (make-smtp-connection \"h\" :login \"joe\" :password P :auth :plain))",
            "(close-connection (make-smtp-connection \"h\" :login \"joe\" :password P :auth :login))",
            "(close-connection (make-smtp-connection \"h\" :login \"joe\" :token P :auth :xoauth2))",
            "(send-letter \"h\" \"a@b.c\" \"a@b.c\" \"x\" :login \"joe\" :password P)",
            "(send-letter '(\"h\" :login \"joe\" :password P) \"a@b.c\" \"a@b.c\" \"x\")",
            "(send-smtp-auth \"h\" \"a@b.c\" \"a@b.c\" \"joe\" P \"x\")",
        ];
        // The first password is tried with all forms, each of the others with some.
        for (_, form) in forms
            .into_iter()
            .enumerate()
            .filter(|(index, _)| number == 0 || index % passwords().len() == number)
        {
            let trace = output(&["--sandbox", "--trace", "eval", &form.replace('P', &password)]);
            assert!(trace.contains("C: ") && trace.contains("S: "), "{form}: {trace}");
        }
    }
}

/// Makes a server's answer from the tag and the whole line of a command.
type Answer = Box<dyn Fn(&str, &str) -> String + Send>;

/// Sends `greeting`, and then `answer` of every line, so that a test can repeat the password back
/// in any way a server might.
fn echo(peer: &mut Peer, greeting: &str, answer: impl Fn(&str, &str) -> String) {
    peer.say(greeting);
    loop {
        let line = peer.hear();
        if line.is_empty() {
            return;
        }
        let tag = line.split(' ').next().unwrap_or("").to_owned();
        peer.say(&answer(&tag, &line));
    }
}

#[test]
fn a_server_that_repeats_the_password_gets_it_into_no_output() {
    for password in passwords() {
        let lisp = quoted(password);
        let again = password.to_owned();
        let imap: Vec<(&str, Answer)> = vec![
            (
                "refuses",
                Box::new(|tag, line| {
                    format!("* OK [ALERT] you said {line}\r\n{tag} NO no: {line}\r\n")
                }),
            ),
            (
                "wants base64",
                Box::new(|tag, line| {
                    if line.contains("AUTH") {
                        "+ \r\n".into()
                    } else {
                        format!("{tag} BAD {line}\r\n* BYE {line}\r\n")
                    }
                }),
            ),
            (
                "breaks the protocol",
                Box::new(|_, line| format!("* {line}\r\n+ {line}\r\nx1 OK {line}\r\n")),
            ),
            ("greets and refuses later", {
                let again = again.clone();
                Box::new(move |tag, line| {
                    if line.contains("SELECT") {
                        format!(
                            "* NO {again}\r\n* OK [X {again}] {again}\r\n{tag} NO [{again}] {again} is wrong\r\n"
                        )
                    } else if line.contains("LIST") {
                        format!("* LIST () \"/\" \"\"\r\n{tag} OK\r\n")
                    } else {
                        format!("{tag} OK [CAPABILITY IMAP4rev1] hello {again}\r\n")
                    }
                })
            }),
        ];
        for (name, answer) in imap {
            for capabilities in
                ["IMAP4rev1", "IMAP4rev1 AUTH=PLAIN", "IMAP4rev1 AUTH=PLAIN SASL-IR"]
            {
                let answer = &answer;
                std::thread::scope(|scope| {
                    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
                    let redirect = format!("h={}", listener.local_addr().unwrap());
                    let form = format!(
                        "(let ((mb (make-imap-connection \"h\" :timeout 5 :user \"joe\" :password {lisp}))) (ignore-errors (print (mailbox-list mb))) (select-mailbox mb \"x\"))"
                    );
                    let client = scope.spawn(move || {
                        output(&["--trace", "--connect-to", &redirect, "eval", &form])
                    });
                    serve(
                        &listener,
                        &format!("* OK [CAPABILITY {capabilities}] hello\r\n"),
                        answer,
                    );
                    let text = client.join().unwrap();
                    assert!(text.contains("error: "), "{name}: {text}");
                });
            }
        }
        for (greeting, form) in [
            (
                "+OK <1@h> hello\r\n",
                "(make-pop-connection \"h\" :timeout 5 :user \"joe\" :auth :login :password P)",
            ),
            (
                "220 hello\r\n",
                "(make-smtp-connection \"h\" :timeout 5 :login \"joe\" :auth :login :password P)",
            ),
            (
                "220 hello\r\n",
                "(make-smtp-connection \"h\" :timeout 5 :login \"joe\" :auth :plain :password P)",
            ),
        ] {
            let server = Script::run(move |peer| {
                let pop = greeting.starts_with('+');
                echo(peer, greeting, |_, line| match (pop, line.split(' ').next().unwrap_or("")) {
                    (true, "USER") => "+OK\r\n".into(),
                    (true, _) => format!("-ERR {line}\r\n"),
                    (false, "EHLO") => "250-h\r\n250 AUTH PLAIN LOGIN\r\n".into(),
                    (false, "AUTH") if !line.contains("PLAIN ") => "334 VXNlcm5hbWU6\r\n".into(),
                    (false, _) if line.ends_with("joe") || line == "am9l" => {
                        "334 UGFzc3dvcmQ6\r\n".into()
                    }
                    (false, _) => format!("535-5.7.8 {line}\r\n535 5.7.8 {line}\r\n"),
                });
            });
            let text = output(&[
                "--trace",
                "--connect-to",
                &format!("h={}", server.address),
                "eval",
                &form.replace('P', &lisp),
            ]);
            assert!(text.contains("error: "), "{text}");
        }
    }
}

/// Serves one connection as [`echo`] does.
fn serve(
    listener: &std::net::TcpListener,
    greeting: &str,
    answer: &(dyn Fn(&str, &str) -> String + Send),
) {
    use std::io::Write;
    let (stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(stream);
    let _ = reader.get_mut().write_all(greeting.as_bytes()); // the client may be gone already, here and below
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|count| count > 0) {
        let heard = line.trim_end().to_owned();
        let tag = heard.split(' ').next().unwrap_or("").to_owned();
        let _ = reader.get_mut().write_all(answer(&tag, &heard).as_bytes());
        line.clear();
    }
}

/// Mistakes and failures that involve a password, written P. Each ends in an error.
const SLIPS: &[&str] = &[
    "(make-imap-connection \"h\" :user \"u\" :password P :port 0)",
    "(make-imap-connection \"h\" :user \"u\" :pasword P)",
    "(make-imap-connection \"h\" :user \"u\" :passwd P)",
    "(make-imap-connection \"h\" :user \"u\" P)",
    "(make-imap-connection \"h\" \"u\" P)",
    "(make-imap-connection \"h\" :user 5 :password P)",
    "(make-imap-connection \"h\" :password P)",
    "(make-imap-connection \"h\" :password P :password P :user \"u\")",
    "(make-imap-connection \"h\" :user \"u\" :password (list P))",
    "(make-imap-connection \"h\" :user \"u\" :password (string->symbol P))",
    "(make-imap-connection \"h\" :user \"u\" :password P :client-identity '(:pkcs12 \"/no/such\" P))",
    "(make-imap-connection \"h\" :user \"u\" :password P :client-identity '(:pkcs12 P))",
    "(make-imap-connection \"h\" :user \"u\" :password P :client-identity (list :pkcs12 5 P))",
    "(make-imap-connection \"h\" :user \"myacct\" :password P)",
    "(make-pop-connection \"h\" :user \"myacct\" :password P)",
    "(make-pop-connection \"h\" :user \"myacct\" :password P :auth :nonsense)",
    "(make-smtp-connection \"h\" :login \"u\" :password P :tls :nonsense)",
    "(make-smtp-connection \"h\" :password P)",
    "(make-smtp-connection '(\"h\" :login \"u\" :pass P))",
    "(make-smtp-connection '(\"h\" :login \"u\" :password P :x))",
    "(send-letter '(\"h\" :login \"u\" :password P) \"a b\" \"c\" \"x\")",
    "(send-letter '(\"h\" :password P) \"a@b.c\" \"a@b.c\" \"x\")",
    "(send-letter (list P 5) \"a@b.c\" \"a@b.c\" \"x\" :login \"u\" :password P)",
    "(send-letter \"h\" \"a@b.c\" \"a@b.c\" 5 :login \"u\" :password P)",
    "(send-letter \"h\" \"a@b.c\" \"a@b.c\" \"x\" :login 5 :password P)",
    "(send-smtp-auth \"h\" \"a b\" \"c\" \"u\" P \"x\")",
    "(send-smtp-auth \"h\" \"a@b.c\" \"c@d.e\" 5 P \"x\")",
    "(send-smtp-auth \"h\" \"a@b.c\" \"c@d.e\" \"u\" (list P) \"x\")",
    "(send-smtp-auth \"h\" \"a@b.c\" \"c@d.e\" \"u\" P)",
    "(let ((password P)) (car 5))",
    "(let ((my-token P) (x 1)) (undefined-function x))",
    "(setq *imap-password* P) (car 5)",
    "(defun connect (&key user password) (car password)) (connect :user \"u\" :password P) (car 5)",
    "(make-imap-connection \"h\" :user \"u\" :password P",
    "(make-imap-connection \"h\" :user \"u\" :password P))",
    "(make-imap-connection \"h\" :user \"u\" :password '(:env P))",
    "(make-imap-connection \"h\" :user \"u\" :password '(:enw P))",
    "(make-imap-connection \"h\" :user \"u\" :password (list :env P P))",
    "(make-imap-connection \"h\" :user \"u\" :password (list :file \"x\" (string->symbol P)))",
    "(make-imap-connection \"h\" :user \"u\" :password (lambda () (list P)))",
    "(make-imap-connection \"h\" :user \"u\" :password (lambda () (string->symbol P)))",
    "(make-imap-connection \"h\" :user \"myacct\" :password (lambda () P))",
    "(make-imap-connection \"h\" :user \"u\" :password (lambda () (error \"not ~a\" P)))",
    "(define-account a P)",
    "(define-account a :host \"h\" P)",
    "(define-account a :host \"h\" :pasword P)",
    "(define-account a :host \"h\" :password (list P))",
    "(define-account a :host \"h\" :imap '(:password P :x 1))",
    "(define-account a :host \"h\" :user \"myacct\" :password P) (connect 'a)",
    "(define-account a :host \"h\" :user \"myacct\" :password P) (connect P)",
    "(define-account a :host \"h\" :user \"myacct\" :password P) (connect 'a P)",
    "(define-account a :host \"h\" :user \"myacct\" :password P) (error \"~a ~a\" (%accounts) (accounts))",
    "(with-imap-connection (mb \"h\" :user \"myacct\" :password P) 1)",
    "(with-imap-connection (mb \"h\" :user \"myacct\" :password P :no-key 1) 1)",
];

#[test]
fn slips_and_failures_show_no_password() {
    let setup = Setup::sandboxed(Options::default()).unwrap();
    let mut session = Session::new(Vec::new());
    attach(session.host(), &setup);
    for (number, password) in passwords().into_iter().enumerate() {
        for (index, slip) in SLIPS.iter().enumerate() {
            let input = slip.replace('P', &quoted(password));
            let reply = session.evaluate(&input);
            let report = reply.result.as_ref().map_or_else(
                |report| format!("{report}\n{report:?}"),
                |value| panic!("{slip}: no error but {value}"),
            );
            check(&report);
            // The reply may show values that the input defined. Only its last line is the error.
            check(reply.text().lines().last().unwrap_or(""));
            if index % passwords().len() == number {
                output(&["--sandbox", "eval", &format!("(progn {input} (car 5))")]);
            }
        }
    }
    let received = setup.router.unwrap().sandbox().received();
    assert!(received.len() > 10);
    received.iter().for_each(|line| check(line));
}

#[test]
fn a_password_that_was_used_once_is_known_in_every_later_report() {
    let mut session = Session::new(Vec::new());
    attach(
        session.host(),
        &Setup::sandboxed(Options { accept_any: true, ..Options::default() }).unwrap(),
    );
    let typed = format!(
        "(setq x {}) (setq mb (make-imap-connection \"h\" :user \"u\" :password x))",
        quoted(PASSWORD)
    );
    assert!(session.evaluate(&typed).result.is_ok());
    for form in [
        "(+ 1 x)",
        "(car x)",
        "(error \"cannot use ~a\" x)",
        "(select-mailbox mb x)",
        "(parse-integer x)",
        "(vector-ref x 0)",
        "(funcall x)",
        "(warn x)",
        "(raise x)",
    ] {
        let reply = session.evaluate(form);
        check(&reply.text());
        assert!(
            reply.text().contains("#<secret>")
                || form.starts_with("(vector-ref")
                || form.starts_with("(select"),
            "{form}: {}",
            reply.text()
        );
    }
    for form in
        ["mb", "(princ mb)", "(format nil \"~s ~a\" mb mb)", "(list mb)", "(prin1-to-string mb)"]
    {
        check(&session.evaluate(form).text());
    }
}

#[test]
fn a_password_from_the_environment_is_not_shown() {
    for form in [
        "(make-imap-connection \"h\" :user \"u\" :password (getenv \"SECRET\") :port 0)",
        "(make-imap-connection \"127.0.0.1\" :port 1 :user \"u\" :password (getenv \"SECRET\"))",
    ] {
        assert!(output(&["eval", form]).contains("error: "));
    }
    output(&["eval", "--untrusted", "(getenv \"SECRET\")"]);
    output(&[
        "eval",
        "--untrusted",
        "--memory-limit",
        "128",
        "(let next ((x \"a\")) (next (string-append x x)))",
    ]);
}

#[cfg(unix)]
#[test]
fn a_password_from_any_source_is_in_no_output() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, format!("{PASSWORD}\nmore\n")).unwrap();
    let file = file.to_str().unwrap();
    for source in [
        "'(:env \"SECRET\")".to_owned(),
        format!("'(:file {file:?})"),
        format!("'(:command \"cat\" {file:?})"),
        "(lambda () (getenv \"SECRET\"))".to_owned(),
    ] {
        for connect in [
            "(make-imap-connection \"h\" :user \"joe\" :password S)",
            "(make-pop-connection \"h\" :user \"joe\" :password S)",
            "(make-smtp-connection \"h\" :login \"joe\" :password S)",
            "(progn (define-account a :host \"h\" :user \"joe\" :password S) (print (%accounts)) (connect 'a))",
            "(progn (define-account a :host \"h\" :smtp (list :login \"joe\" :password S)) (connect 'a :smtp))",
        ] {
            let connect = connect.replace(" S", &format!(" {source}"));
            // The login uses the password; then the script puts it into an error message, which
            // must mask it.
            let form = format!(
                "(progn (print (close-connection {connect})) (error \"cannot use ~a\" (getenv \"SECRET\")))"
            );
            let text = output(&["--sandbox", "--trace", "eval", &form]);
            assert!(
                text.contains("C: ") && text.contains("error: cannot use #<secret>"),
                "{form}: {text}"
            );
        }
    }
    for script in ["cat F; cat F >&2; exit 3", "set -x; echo $(cat F); exit 1"] {
        let command = format!("(list :command \"sh\" \"-c\" {:?})", script.replace('F', file));
        let text = output(&[
            "--sandbox",
            "eval",
            &format!("(make-imap-connection \"h\" :user \"u\" :password {command})"),
        ]);
        assert!(text.contains("[:authentication]") && text.contains("#<secret>"), "{text}");
    }
}

#[test]
fn a_blessed_transcript_has_no_password_that_was_not_typed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.repl");
    let name = file.to_str().unwrap();
    let typed = format!(
        "user(1): (setq mb (make-imap-connection \"h\" :user \"myacct\" :password \"{PASSWORD}\"))\n"
    );
    std::fs::write(&file, format!("{typed}x\nuser(2): mb\nx\n")).unwrap();
    output(&["--trace", "replay", "--bless", name]);
    let blessed = std::fs::read_to_string(&file).unwrap();
    assert!(blessed.starts_with(&typed) && blessed.contains("[:authentication]"), "{blessed}");
    check(&blessed[typed.len()..]);
}

#[test]
fn nothing_that_holds_a_password_shows_it_for_debugging() {
    for password in passwords() {
        let secret = Secret::new(password);
        let credentials = Credentials::new("joe", password);
        let options = ConnectOptions {
            tls_options: TlsOptions {
                identity: Some(ClientIdentity::Pkcs12("x.p12".into(), secret.clone())),
                ..TlsOptions::default()
            },
            ..ConnectOptions::default()
        };
        for shown in [
            format!("{secret:?}"),
            format!("{credentials:#?}"),
            format!("{options:#?}"),
            format!("{:?}", Account::new("joe", password)),
            format!("{:?}", postoffice::proto::imap::Command::login("joe", &secret).unwrap()),
            format!(
                "{:?}",
                postoffice::proto::imap::Command::authenticate(Mechanism::Plain, Some(&secret))
            ),
            format!(
                "{:?}",
                postoffice::proto::smtp::Command::auth(Mechanism::Plain, Some(&secret))
            ),
            format!(
                "{:?}",
                postoffice::proto::pop3::Command::auth(Mechanism::Plain, Some(&secret))
            ),
            format!(
                "{:?}",
                Mechanism::ALL.map(|mechanism| Exchange::new(mechanism, "joe", &secret).unwrap())
            ),
            format!("{:?}", postoffice::proto::pop3::Command::pass(&secret).unwrap()),
            format!(
                "{:?}",
                postoffice::proto::imap::Command::login(
                    "joe",
                    &Secret::new(format!("{password}\0"))
                )
                .unwrap_err()
            ),
            format!(
                "{:?}",
                postoffice::proto::pop3::Command::pass(&Secret::new(format!("{password}\n")))
                    .unwrap_err()
            ),
        ] {
            check(&shown);
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_command_writes_no_core_dump() {
    for untrusted in [false, true] {
        let mut arguments = vec!["eval"];
        arguments.extend(untrusted.then_some("--untrusted"));
        arguments.push("(princ \"running\") (terpri) (read-line)");
        let mut child = Command::new(BINARY)
            .env("POSTOFFICE_STATE", concat!(env!("CARGO_TARGET_TMPDIR"), "/state"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert_eq!(core.split_whitespace().collect::<Vec<_>>()[4..6], ["0", "0"], "{core}");
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}
