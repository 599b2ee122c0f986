//! The whole catalog of functions: every one is documented, and wrong arguments are refused before
//! a byte is sent.

use postoffice::api::catalog::TOPICS;
use postoffice::api::{Setup, attach};
use postoffice::condition::Identifier;
use postoffice::host::{Function, Run, Type};
use postoffice::repl::Session;
use postoffice::sandbox::{Options, Sandbox};
use std::sync::Arc;

/// A session whose inbox is selected in `mb`, with a POP connection `pb`, and the sandbox it talks
/// to.
fn session() -> (Session, Arc<Sandbox>) {
    let setup = Setup::sandboxed(Options::default()).unwrap();
    let sandbox = setup.router.as_ref().unwrap().sandbox().clone();
    let mut session = Session::new(Vec::new());
    attach(session.host(), &setup);
    for form in [
        r#"(setq mb (make-imap-connection "h" :user "myacct" :password "mypasswd"))"#,
        r#"(select-mailbox mb "inbox")"#,
        r#"(setq pb (make-pop-connection "h" :user "myacct" :password "mypasswd"))"#,
    ] {
        assert!(session.evaluate(form).result.is_ok());
    }
    (session, sandbox)
}

#[test]
fn every_name_has_a_value_once_it_is_mentioned() {
    let (mut session, _sandbox) = session();
    let names = session.host().names();
    assert!(names.len() > 500, "{}", names.len());
    for name in names {
        let result = session.host().evaluate(&name, "test");
        let is_form = |text: &str| text.ends_with("a form of the language is not a value");
        assert!(
            result.as_ref().err().is_none_or(|report| is_form(&report.condition.message)),
            "{name}: {result:?}"
        );
    }
}

struct Parameters {
    required: Vec<&'static str>,
    optional: Vec<&'static str>,
    keys: Vec<&'static str>,
    rest: bool,
}

fn parameters(function: &Function) -> Parameters {
    let mut found =
        Parameters { required: Vec::new(), optional: Vec::new(), keys: Vec::new(), rest: false };
    let mut section = 0;
    for word in function.lambda_list.trim_matches(['(', ')']).split_whitespace() {
        match (word, section) {
            ("&optional", _) => section = 1,
            ("&key", _) => section = 2,
            ("&rest", _) => section = 3,
            (_, 3) => found.rest = true,
            (_, 0) => found.required.push(word),
            (_, 1) => found.optional.push(word),
            _ => found.keys.push(word),
        }
    }
    found
}

/// Returns a valid argument for a parameter with this name.
fn right(parameter: &str) -> &'static str {
    match parameter {
        "mb" | "other-mb" => "mb",
        "pb" => "pb",
        "mail-server" | "login" | "password" | "folder" => "\"x\"",
        "from" | "to" => "\"a@example.org\"",
        "line-count" => "0",
        "buffer" => "(make-bytevector 1)",
        "letter" | "part" | "attachment" => "(parse-letter \"x\")",
        "f" | "issue" => "(lambda (item) item)",
        "receive" => "(lambda (item result) result)",
        "host" | "name" | "destination" | "old-name" | "new-name" | "path" | "capability" => {
            "\"x\""
        }
        "text" => "\"Subject: x\n\nx\n\"",
        "messages" | "message" | "modseq" => "1",
        "letters" => "'()",
        "flags" => ":work",
        "labels" => "\"work\"",
        "bytes" => "(bytes 1)",
        "parts" => "\"flags\"",
        "items" => "'(:messages)",
        "expression" => ":all",
        "criteria" => ":date",
        "algorithm" => ":references",
        "info" => "'((1 (\"FLAGS\" ())))",
        "entry" => "'(() \"/\" \"x\")",
        "special-use" => ":\\\\sent",
        "identifier" => "\"x\"",
        "rights" => "\"lr\"",
        "entries" | "entry-name" => "\"/private/comment\"",
        "envelope" => "'(1 2 3 4 5 6 7 8 9 10)",
        "rows" => "'((1))",
        "program" => "\"true\"",
        "control" => "\"%F\"",
        "time" | "other-time" => "0",
        "value" | "json" => "\"1\"",
        "account" | "cursor" => "'work",
        "watches" => "(list (list 'work \"inbox\" 'new (lambda (mb letters) letters)))",
        "address" => "'(\"n\" () \"m\" \"h\")",
        other => panic!("which argument is right for {other}?"),
    }
}

fn natives() -> impl Iterator<Item = &'static Function> {
    TOPICS.iter().flat_map(|topic| topic.functions).filter(|function| {
        !matches!(function.run, Run::Macro(_)) && !function.name.starts_with('%')
    })
}

/// Evaluates a call that must fail with a `:syntax-error` that names this function.
fn assert_syntax_error(session: &mut Session, name: &str, call: &str) {
    let reply = session.evaluate(call);
    let Err(report) = reply.result else { panic!("{call} gave {}", reply.text()) };
    assert_eq!(
        report.condition.identifier,
        Identifier::SyntaxError,
        "{call}: {}",
        report.condition
    );
    assert!(
        report.condition.message.starts_with(&format!("{name}: ")),
        "{call}: {}",
        report.condition
    );
}

#[test]
fn wrong_arguments_are_syntax_errors_before_a_byte_is_sent() {
    let (mut session, sandbox) = session();
    let before = sandbox.received().len();
    for function in natives() {
        let name = match function.run {
            Run::Alias(other) => other,
            _ => function.name,
        };
        let Parameters { required, optional, keys, rest } = parameters(function);
        let arguments: Vec<&str> = required.iter().map(|parameter| right(parameter)).collect();
        if !required.is_empty() {
            assert_syntax_error(
                &mut session,
                name,
                &format!("({} {})", function.name, arguments[1..].join(" ")),
            );
        }
        let too_many = vec!["1"; optional.len() + 1].join(" ");
        if !rest {
            assert_syntax_error(
                &mut session,
                name,
                &format!("({} {} {too_many})", function.name, arguments.join(" ")),
            );
        }
        if !keys.is_empty() {
            let all =
                [arguments.clone(), optional.iter().map(|parameter| right(parameter)).collect()]
                    .concat()
                    .join(" ");
            let key = keys[0];
            assert_syntax_error(
                &mut session,
                name,
                &format!("({} {all} :no-such-key 1)", function.name),
            );
            assert_syntax_error(&mut session, name, &format!("({} {all} :{key})", function.name));
            assert_syntax_error(
                &mut session,
                name,
                &format!("({} {all} :{key} t :{key} t)", function.name),
            );
        }
        // Every value can be turned into JSON, so no `value` is wrong.
        for wrong in (0..required.len()).filter(|wrong| required[*wrong] != "value") {
            let mut arguments = arguments.clone();
            arguments[wrong] = "#\\x";
            assert_syntax_error(
                &mut session,
                name,
                &format!("({} {})", function.name, arguments.join(" ")),
            );
        }
    }
    assert_eq!(sandbox.received().len(), before, "{:?}", sandbox.received());
}

/// Values that a parameter of this type must refuse.
fn wrong_values(kind: Type) -> &'static [&'static str] {
    match kind {
        Type::Truth => &["64", "\"x\"", ":no", "'yes"],
        Type::Integer(_, i64::MAX) => &["t", "\"5\"", "1.5", "-1"],
        Type::Seconds => &["t", "\"5\"", "-1"],
        Type::Integer(..) => &["t", "\"5\"", "1.5", "-1", "100000000000"],
        Type::String => &["5", ":x", "'(\"x\")"],
        Type::Function(_) => &["5", "\"car\"", "'(lambda (x) x)"],
        Type::List => &["5", "\"x\""],
        _ => &["5"],
    }
}

#[test]
fn every_typed_parameter_of_every_function_is_checked() {
    let (mut session, sandbox) = session();
    let before = sandbox.received().len();
    let mut checked = 0;
    for function in natives() {
        let Parameters { required, .. } = parameters(function);
        for (name, kind) in function.types {
            for wrong in wrong_values(*kind) {
                let is_key = !required.contains(name);
                let argument =
                    |parameter: &&str| if parameter == name { *wrong } else { right(parameter) };
                let mut arguments: Vec<String> =
                    required.iter().map(|parameter| argument(parameter).to_owned()).collect();
                if is_key {
                    arguments.push(format!(":{name} {wrong}"));
                }
                let call = format!("({} {})", function.name, arguments.join(" "));
                assert_syntax_error(&mut session, function.name, &call);
                let Err(report) = session.evaluate(&call).result else { panic!("{call}") };
                let expected = kind.expected();
                assert!(
                    report.condition.message.contains(&format!("{name}: expected {expected}, got")),
                    "{call}: {}",
                    report.condition
                );
                checked += 1;
            }
        }
    }
    assert!(checked > 100, "{checked}");
    assert_eq!(sandbox.received().len(), before, "{:?}", sandbox.received());
}

#[test]
fn keys_of_the_wrong_type_are_syntax_errors() {
    let (mut session, sandbox) = session();
    let before = sandbox.received().len();
    let calls = [
        ("make-imap-connection", r#"(make-imap-connection "h" :user 5 :password "x")"#),
        ("make-imap-connection", r#"(make-imap-connection "h" :user "x" :password 5)"#),
        ("make-imap-connection", r#"(make-imap-connection "h" :user "x")"#),
        ("make-imap-connection", r#"(make-imap-connection "h" :user "x" :password "x" :port 0)"#),
        (
            "make-imap-connection",
            r#"(make-imap-connection "h" :user "x" :password "x" :port 70000)"#,
        ),
        (
            "make-imap-connection",
            r#"(make-imap-connection "h" :user "x" :password "x" :timeout -1)"#,
        ),
        (
            "make-imap-connection",
            r#"(make-imap-connection "h" :user "x" :password "x" :tls :maybe)"#,
        ),
        (
            "make-imap-connection",
            r#"(make-imap-connection "h" :user "x" :password "x" :ca-file 5)"#,
        ),
        (
            "make-imap-connection",
            r#"(make-imap-connection "h" :user "x" :password "x" :client-identity '(:pem "a"))"#,
        ),
        (
            "make-imap-connection",
            r#"(make-imap-connection '("h" :portt 5) :user "x" :password "x")"#,
        ),
        ("make-imap-connection", r#"(make-imap-connection "a b" :user "x" :password "x")"#),
        ("make-imap-connection", r#"(make-imap-connection "h" :user "a\x0;b" :password "x")"#),
        ("server-id", "(server-id mb :id t)"),
        ("server-id", r#"(server-id mb :id "name")"#),
        ("server-id", r#"(server-id mb :id '("name" . "x"))"#),
        ("server-id", r#"(server-id mb :id '(("name" "x")))"#),
        ("server-id", r#"(server-id mb :id '(("name" . 5)))"#),
        ("server-id", r#"(server-id mb :id '((:name . "x")))"#),
        ("server-id", r#"(server-id mb :id '(("name" . "x") ("Name" . "y")))"#),
        ("mailbox-list", "(mailbox-list mb :pattern 5)"),
        ("mailbox-list", "(mailbox-list mb :status 5)"),
        ("mailbox-list", "(mailbox-list mb :status '(:messages \"x\"))"),
        ("create-mailbox", r#"(create-mailbox mb "x" :special-use "Sent")"#),
        ("create-mailbox", r#"(create-mailbox mb "x" :special-use :\\)"#),
        ("find-mailbox", r#"(find-mailbox mb "Sent")"#),
        ("mailbox-rights", r#"(mailbox-rights mb "x" :own "y")"#),
        ("set-mailbox-rights", r#"(set-mailbox-rights mb "x" "y" :lr)"#),
        ("set-mailbox-rights", r#"(set-mailbox-rights mb "x" "y" "L R")"#),
        ("mailbox-metadata", r#"(mailbox-metadata mb "x" "comment")"#),
        ("mailbox-metadata", r#"(mailbox-metadata mb "x" '("/private/x" 5))"#),
        ("set-mailbox-metadata", r#"(set-mailbox-metadata mb "x" "/private/x" 5)"#),
        ("set-mailbox-metadata", r#"(set-mailbox-metadata mb "x" "/x" "y")"#),
        ("mailbox-status", r#"(mailbox-status mb "inbox" "unseen")"#),
        ("fetch-parts", "(fetch-parts mb '(:seq 1) \"flags\")"),
        ("fetch-parts", "(fetch-parts mb '(:seq 0 5) \"flags\")"),
        ("fetch-parts", "(fetch-parts mb 4294967296 \"flags\")"),
        ("fetch-parts", "(fetch-parts mb -1 \"flags\")"),
        ("fetch-parts", "(fetch-parts mb 1 \"flags)\")"),
        ("fetch-parts", "(fetch-parts mb 1 \"flags\r\nA9 LOGOUT\")"),
        ("alter-flags", "(alter-flags mb 1 :flags () :add-flags ())"),
        ("alter-flags", "(alter-flags mb 1 :add-flags '(:a 5))"),
        ("expunge-mailbox", "(expunge-mailbox mb :uids \"1\")"),
        ("append-letter", r#"(append-letter mb "inbox" "x" :date "yesterday")"#),
        ("append-letter", r#"(append-letter mb "inbox" "x" :flags :\\recent)"#),
        ("replace-letter", r#"(replace-letter mb 1 '(:file "x"))"#),
        ("replace-letter", r#"(replace-letter mb 1 "x" :mailbox 5)"#),
        ("replace-letter", r#"(replace-letter mb 1 "x" :flags :\\recent)"#),
        ("send-letter", r#"(send-letter "h" "a" "b" "x" :notify 5)"#),
        ("send-letter", r#"(send-letter "h" "a" "b" "x" :notify '(:delay :always))"#),
        ("send-letter", r#"(send-letter "h" "a" "b" "x" :return t)"#),
        ("send-letter", r#"(send-letter "h" "a" "b" "x" :envelope-id 5)"#),
        ("send-letter", r#"(send-letter "h" "a" "b" "x" :envelope-id "a\nRSET")"#),
        ("send-letter", r#"(send-letter "h" "a" "b@-ü.de" "x")"#),
        ("send-smtp", r#"(send-smtp "h" "a" "b" "x" :notify)"#),
        ("send-smtp", r#"(send-smtp "h" "a" "b" "x" :notfy :never)"#),
        ("send-smtp", r#"(send-smtp "h" "a" "b" "x" :return :all)"#),
        ("append-letter", r#"(append-letter mb "inbox" '(:file))"#),
        ("append-letter", r#"(append-letter mb "inbox" '(:file 5))"#),
        ("append-letter", r#"(append-letter mb "inbox" '(:file "a" "b"))"#),
        ("append-letter", r#"(append-letter mb "inbox" '(:env "HOME"))"#),
        ("save-attachments", "(save-attachments pb 1 \".\" :uid t)"),
        ("search-mailbox", "(search-mailbox mb ())"),
        ("search-mailbox", "(search-mailbox mb :nonsense)"),
        ("search-mailbox", "(search-mailbox mb '(not :seen :new))"),
        ("search-mailbox", "(search-mailbox mb '(and :seen (:since \"30-Feb-2000\")))"),
        ("search-mailbox", "(search-mailbox mb '(:larger -1))"),
        ("search-mailbox", "(search-mailbox mb '(:keyword :\\\\seen))"),
        ("search-mailbox", "(search-mailbox mb '(:raw \"ALL)\"))"),
        ("search-mailbox", "(search-mailbox mb '(:header \"a b\" \"x\"))"),
        ("search-mailbox", "(search-mailbox mb '(:text \"a\\x0;b\"))"),
        ("help", "(help 'no-such-function)"),
        ("->json", "(let ((v (make-vector 1))) (vector-set! v 0 v) (->json v))"),
        ("from-json", r#"(from-json "[1,")"#),
        ("write-csv", "(write-csv '(5))"),
        ("write-csv", r#"(write-csv '((5)) :separator "ab")"#),
        ("write-csv", r#"(write-csv '((5)) :separator "\"")"#),
        ("write-csv", "(write-csv '((5)) :file 5)"),
        ("write-file", "(write-file 5 \"x\")"),
        ("write-file", "(write-file \"x\" 5)"),
        ("write-file", "(write-file \"x\" \"y\" :append 5)"),
        ("print-table", "(print-table '((5)) :columns 5)"),
    ];
    for (name, call) in calls {
        assert_syntax_error(&mut session, name, call);
    }
    assert_eq!(sandbox.received().len(), before, "{:?}", sandbox.received());
}

#[test]
fn a_server_learns_what_the_script_says_of_itself() {
    let (mut session, sandbox) = session();
    let own = concat!(
        r#"Some([(Quoted(Quoted("name")), NString(Some(Quoted(Quoted("postoffice"))))), "#,
        r#"(Quoted(Quoted("version")), NString(Some(Quoted(Quoted(""#,
        env!("CARGO_PKG_VERSION"),
        r#"")))))])"#
    );
    let answer = concat!(
        r#"(("name" . "postoffice sandbox") ("version" . ""#,
        env!("CARGO_PKG_VERSION"),
        r#""))"#
    );
    for (call, expected) in [
        ("(server-id mb)", own),
        ("(server-id mb :id nil)", "None"),
        ("(server-id mb :id ())", "None"),
        (
            r#"(server-id mb :id '(("name" . "backup") ("os")))"#,
            r#"Some([(Quoted(Quoted("name")), NString(Some(Quoted(Quoted("backup"))))), (Quoted(Quoted("os")), NString(None))])"#,
        ),
        (
            r#"(server-id mb :id (list (cons "os" nil)))"#,
            r#"Some([(Quoted(Quoted("os")), NString(None))])"#,
        ),
    ] {
        assert_eq!(session.evaluate(call).text(), answer, "{call}");
        let expected = format!("Id {{ parameters: {expected} }}");
        assert_eq!(sandbox.received().last(), Some(&expected), "{call}");
    }
    // What the server says can be sent back.
    assert_eq!(session.evaluate("(server-id mb :id (server-id mb))").text(), answer);
}

#[test]
fn every_function_is_documented() {
    for function in TOPICS.iter().flat_map(|topic| topic.functions) {
        let Parameters { required, optional, keys, .. } = parameters(function);
        let doc = function.doc;
        assert!(doc.len() > 30, "{}", function.name);
        let words = |text: &str, word: &str| {
            text.split(|c: char| !(c.is_alphanumeric() || "-?>".contains(c)))
                .any(|found| found == word)
        };
        if !matches!(function.run, Run::Macro(_))
            && !function.name.starts_with('%')
            && !doc.contains("as for copy-to-mailbox")
        {
            for parameter in required.iter().chain(&optional).chain(&keys) {
                assert!(
                    words(doc, parameter),
                    "{}: the documentation does not mention {parameter}",
                    function.name
                );
            }
        }
        let tells_result = [
            "Returns",
            "list",
            "string",
            "integer",
            "letter",
            "result",
            "Prints",
            "messages",
            "unique ids",
            "number",
        ]
        .iter()
        .any(|word| doc.contains(word));
        assert!(tells_result, "{}: the documentation does not tell the result", function.name);
    }
}

#[test]
fn names_are_unique() {
    let mut names: Vec<&str> =
        TOPICS.iter().flat_map(|topic| topic.functions).map(|function| function.name).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn the_manuals_names_are_all_there() {
    let manual = "make-imap-connection close-connection select-mailbox create-mailbox delete-mailbox rename-mailbox mailbox-list mailbox-list-flags \
        mailbox-list-separator mailbox-list-name alter-flags close-mailbox copy-to-mailbox delete-letter expunge-mailbox fetch-field fetch-letter fetch-parts noop \
        search-mailbox mailbox-flags mailbox-permanent-flags mailbox-message-count mailbox-recent-messages mailbox-separator mailbox-uidnext mailbox-uidvalidty \
        envelope-date envelope-subject envelope-from envelope-sender envelope-reply-to envelope-to envelope-cc envelope-bcc envelope-in-reply-to envelope-message-id \
        address-name address-additional address-mailbox address-host \
        make-pop-connection top-lines unique-id parse-mail-header make-envelope-from-text send-letter send-smtp";
    for name in manual.split_whitespace() {
        assert!(
            TOPICS.iter().flat_map(|topic| topic.functions).any(|function| function.name == name),
            "{name} is missing"
        );
    }
    let (mut session, _) = session();
    let names = session.host().names();
    for name in ["po-condition-identifier", "po-condition-server-string"] {
        assert!(names.iter().any(|known| known == name), "{name} is missing");
    }
}

#[test]
fn help_knows_the_interface_and_the_language() {
    let (mut session, _) = session();
    let all = session.evaluate("(help)").text();
    for name in ["fetch-parts", "handler-case", "po-condition-identifier", "defun"] {
        assert!(all.split_whitespace().any(|word| word == name), "{name}: {all}");
        let one = session.evaluate(&format!("(help '{name})"));
        assert!(
            one.result.is_ok() && one.text().starts_with(&format!("({name}")),
            "{}",
            one.text()
        );
    }
    assert!(!all.contains('%'), "{all}");
    assert!(
        session
            .evaluate("(help 'with-imap-connection)")
            .text()
            .starts_with("(with-imap-connection (mb host . options) . body)\n")
    );
}

#[test]
fn a_program_gets_the_letter_and_its_failure_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (mut session, sandbox) = session();
    let before = sandbox.received().len();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let script = format!("cat > {}; echo \\\"$@\\\" > {}", path("letter"), path("arguments"));
    let sent = session.evaluate(&format!(
        "(send-smtp '(:program \"sh\" \"-c\" \"{script}\" \"sendmail\") \"joe@example.org\" '(\"a@x.org\" \"b@x.org\") \"Subject: x\n\n.\nGr\u{fc}\u{df}e\n\")"
    ));
    assert_eq!(sent.text(), "t");
    assert_eq!(
        std::fs::read_to_string(path("letter")).unwrap(),
        "Subject: x\n\n.\nGr\u{fc}\u{df}e\n"
    );
    assert_eq!(
        std::fs::read_to_string(path("arguments")).unwrap(),
        "-i -f joe@example.org -- a@x.org b@x.org\n"
    );
    for (program, expected) in [
        (
            "\"sh\" \"-c\" \"cat > /dev/null; echo no such user >&2; exit 67\"",
            "sh ended with 67 (the server said: no such user) [:error-response]",
        ),
        ("\"/no/such/program\"", "cannot run /no/such/program: "),
    ] {
        let failed =
            session.evaluate(&format!("(send-smtp '(:program {program}) \"joe@example.org\" \"a@x.org\" \"Subject: x\n\nx\n\")")).text();
        assert!(failed.starts_with("Error: send-smtp: ") && failed.contains(expected), "{failed}");
    }
    assert_eq!(sandbox.received().len(), before, "a program needs no server");
}

#[test]
fn a_program_that_does_not_end_is_killed_when_the_user_interrupts() {
    let folder = tempfile::tempdir().unwrap();
    let begun = folder.path().join("begun");
    let (mut session, _sandbox) = session();
    let interrupter = session.host().interrupter();
    let mark = begun.clone();
    let user = std::thread::spawn(move || {
        let pid = loop {
            match std::fs::read_to_string(&mark) {
                Ok(text) if text.ends_with('\n') => break text.trim().to_owned(),
                _ => std::thread::yield_now(),
            }
        };
        interrupter.interrupt();
        pid
    });
    let script = format!("cat > /dev/null; echo $$ > {}; exec sleep 1000", begun.display());
    let stopped = session
        .evaluate(&format!("(send-smtp '(:program \"sh\" \"-c\" \"{script}\") \"joe@example.org\" \"a@x.org\" \"Subject: x\n\nx\n\")"));
    assert_eq!(stopped.text(), "Interrupted");
    let pid = user.join().unwrap();
    assert!(
        !std::process::Command::new("kill")
            .args(["-0", &pid])
            .stderr(std::process::Stdio::null())
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn connections_left_open_are_left_in_good_order() {
    let setup = Setup::sandboxed(Options::default()).unwrap();
    let sandbox = setup.router.as_ref().unwrap().sandbox().clone();
    let mut session = Session::new(Vec::new());
    let state = attach(session.host(), &setup);
    for form in [
        r#"(setq s (make-smtp-connection "h" :login "myacct" :password "mypasswd"))"#,
        r#"(setq mb (make-imap-connection "h" :user "myacct" :password "mypasswd"))"#,
        r#"(setq pb (make-pop-connection "h" :user "myacct" :password "mypasswd"))"#,
        "(delete-letter pb 1)",
    ] {
        assert!(session.evaluate(form).result.is_ok(), "{form}");
    }
    assert_eq!(state.take_closed(), [""; 0]);
    let before = sandbox.store().letters("myacct", "INBOX").len();
    state.close_all();
    let received = sandbox.received();
    // Only SMTP gets a QUIT: over POP3 it would remove the marked letter.
    assert_eq!(received.iter().filter(|line| line.ends_with("QUIT")).count(), 1, "{received:?}");
    assert!(received.iter().any(|line| line == "Logout"), "{received:?}");
    assert_eq!(sandbox.store().letters("myacct", "INBOX").len(), before);
}

#[test]
fn a_connection_that_breaks_is_named_whatever_its_protocol() {
    let setup = Setup::sandboxed(Options::default()).unwrap();
    let sandbox = setup.router.as_ref().unwrap().sandbox().clone();
    let mut session = Session::new(Vec::new());
    let state = attach(session.host(), &setup);
    for form in [
        r#"(setq s (make-smtp-connection "smtp.h" :login "myacct" :password "mypasswd"))"#,
        r#"(setq mb (make-imap-connection "imap.h" :user "myacct" :password "mypasswd"))"#,
        r#"(setq pb (make-pop-connection "pop.h" :user "myacct" :password "mypasswd"))"#,
    ] {
        assert!(session.evaluate(form).result.is_ok(), "{form}");
    }
    sandbox.disconnect_all();
    for form in [r#"(send-smtp s "a@b.c" "d@e.f" "x")"#, "(noop mb)", "(noop pb)"] {
        assert!(session.evaluate(form).result.is_err(), "{form}");
    }
    let mut closed = state.take_closed();
    closed.sort();
    assert_eq!(closed, ["imap.h", "pop.h", "smtp.h"]);
    assert_eq!(state.take_closed(), [""; 0]);
}
