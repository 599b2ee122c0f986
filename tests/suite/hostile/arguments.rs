//! Hostile arguments of Scheme functions, which a script may have taken from a letter or a server.
//!
//! NUL and line ends are refused with `:syntax-error` before a byte is sent. Text that looks like a
//! literal is sent as text or refused. No argument adds a header field or a recipient to a letter.

use postoffice::api::{Setup, attach};
use postoffice::condition::Identifier;
use postoffice::repl::Session;
use postoffice::sandbox::{Options, Sandbox};
use std::sync::Arc;

fn session() -> (Session, Arc<Sandbox>) {
    let setup = Setup::sandboxed(Options { accept_any: true, ..Options::default() }).unwrap();
    let sandbox = setup.router.as_ref().unwrap().sandbox().clone();
    let mut session = Session::new(Vec::new());
    attach(session.host(), &setup);
    for form in [
        r#"(setq mb (make-imap-connection "h" :user "myacct" :password "mypasswd"))"#,
        r#"(select-mailbox mb "inbox")"#,
        r#"(setq letters (select-letters mb :all))"#,
        r#"(setq pb (make-pop-connection "h" :user "myacct" :password "mypasswd"))"#,
        r#"(setq s (make-smtp-connection "h"))"#,
    ] {
        assert!(session.evaluate(form).result.is_ok(), "{form}");
    }
    (session, sandbox)
}

/// Returns a string as source text of the language.
fn quoted(text: &str) -> String {
    let inside: String = text
        .chars()
        .map(|c| match c {
            '"' | '\\' => format!("\\{c}"),
            '\r' => "\\r".into(),
            '\n' => "\\n".into(),
            c if c.is_control() => format!("\\x{:x};", u32::from(c)),
            c => c.to_string(),
        })
        .collect();
    format!("\"{inside}\"")
}

/// Strings that would end a line of the protocol, or contain NUL.
const BREAKS: [&str; 8] =
    ["a\r\nA9 LOGOUT", "\r\nA9 LOGOUT\r\n", "a\nb", "a\rb", "a\0b", "\n", "a\r\n", "{3}\r\nabc"];

/// Strings that end like the announcement of a literal.
const LITERALS: [&str; 4] = ["a{3}", "{3}", "a{3+}", "{5}abc{3+}"];

/// Calls with `~` in place of one argument. Each must refuse the strings in [`BREAKS`].
const CALLS: [&str; 92] = [
    "(watch (list (list 'work ~ 'new (lambda (mb letters) letters))) :once t)",
    "(label-letters letters ~)",
    "(unlabel-letters letters (list ~))",
    "(select-mailbox mb ~)",
    "(select-mailbox mb ~ :read-only t)",
    "(select-mailbox mb ~ :since '(1 1))",
    "(select-mailbox mb \"x\" :since (list 1 ~))",
    "(select-mailbox mb \"x\" :since (list 1 1 ~))",
    "(create-mailbox mb ~)",
    "(ensure-mailbox mb ~)",
    "(mailbox-exists? mb ~)",
    "(delete-mailbox mb ~)",
    "(rename-mailbox mb ~ \"x\")",
    "(rename-mailbox mb \"x\" ~)",
    "(subscribe-mailbox mb ~)",
    "(unsubscribe-mailbox mb ~)",
    "(mailbox-status mb ~)",
    "(server-id mb :id (list (cons ~ \"x\")))",
    "(server-id mb :id (list (cons \"name\" ~)))",
    "(create-mailbox mb ~ :special-use :\\\\sent)",
    "(mailbox-list mb :status (list ~))",
    "(mailbox-rights mb ~)",
    "(mailbox-rights mb ~ :own t)",
    "(set-mailbox-rights mb ~ \"x\" \"l\")",
    "(set-mailbox-rights mb \"x\" ~ \"l\")",
    "(set-mailbox-rights mb \"x\" ~ nil)",
    "(set-mailbox-rights mb \"x\" \"y\" ~)",
    "(mailbox-metadata mb ~)",
    "(mailbox-metadata mb \"x\" ~)",
    "(set-mailbox-metadata mb ~ \"/private/x\" \"y\")",
    "(set-mailbox-metadata mb \"x\" ~ \"y\")",
    "(search-mailbox mb (list :x-gm-labels ~))",
    "(mailbox-list mb :reference ~)",
    "(mailbox-list mb :pattern ~)",
    "(mailbox-list mb :subscribed t :pattern ~)",
    "(copy-to-mailbox mb 1 ~)",
    "(move-to-mailbox mb 1 ~)",
    "(append-letter mb ~ \"Subject: x\")",
    "(replace-letter mb 1 \"Subject: x\" :mailbox ~)",
    "(search-mailbox mb (list :subject ~))",
    "(search-mailbox mb (list :from ~))",
    "(search-mailbox mb (list :text ~))",
    "(search-mailbox mb (list :header \"x\" ~))",
    "(search-mailbox mb (list :header ~ \"x\"))",
    "(search-mailbox mb (list 'or :seen (list 'not (list :body ~))))",
    "(search-mailbox mb (list :matches ~ \"x\"))",
    "(search-mailbox mb (list :list ~))",
    "(search-mailbox mb (list :attachment ~))",
    "(search-mailbox mb (list 'or :has-attachment (list :subject ~)) :exact t)",
    "(search-mailbox mb (list :raw ~))",
    "(search-mailbox mb (list :gmail ~))",
    "(search-mailbox mb (list :since ~))",
    "(search-mailbox mb (list :keyword ~))",
    "(search-mailbox mb (list :uid ~))",
    "(search-mailbox mb (list :larger ~))",
    "(search-mailbox mb ~)",
    "(sort-mailbox mb :date (list :subject ~))",
    "(thread-mailbox mb :references (list :header ~ \"x\"))",
    "(fetch-parts mb 1 ~)",
    "(fetch-parts mb ~ \"flags\")",
    "(fetch-parts mb (list :seq 1 ~) \"flags\")",
    "(fetch-parts mb 1 (concatenate 'string \"body[header.fields (\" ~ \")]\"))",
    "(fetch-letter mb 1 ~)",
    "(for-each-letter (lambda (item) item) mb 1 ~)",
    "(save-letter mb ~ \"/no/such/folder/x\")",
    "(alter-flags mb 1 :add-flags ~)",
    "(alter-flags mb 1 :add-flags (list :seen ~))",
    "(alter-flags mb ~ :add-flags :seen)",
    "(alter-flags mb 1 :add-flags (string->symbol (string-append \":\" ~)))",
    "(append-letter mb \"inbox\" \"Subject: x\" :date ~)",
    "(append-letter mb \"inbox\" \"Subject: x\" :flags ~)",
    "(expunge-mailbox mb :uids ~)",
    "(mailbox-status mb \"inbox\" (list ~))",
    "(make-imap-connection \"h\" :user ~ :password \"x\")",
    "(make-imap-connection \"h\" :user \"x\" :password ~)",
    "(make-imap-connection ~ :user \"x\" :password \"x\")",
    "(make-pop-connection \"h\" :user ~ :password \"x\")",
    "(make-pop-connection \"h\" :user \"x\" :password ~)",
    "(make-pop-connection \"h\" :user \"x\" :password ~ :auth :plain)",
    "(unique-id pb ~)",
    "(fetch-letter pb ~)",
    "(send-letter s ~ \"a@example.org\" \"x\")",
    "(send-letter s \"a@example.org\" ~ \"x\")",
    "(send-letter s \"a@example.org\" (list \"b@example.org\" ~) \"x\")",
    "(send-letter s \"a@example.org\" \"b@example.org\" \"x\" :cc ~)",
    "(send-letter s \"a@example.org\" \"b@example.org\" \"x\" :bcc ~)",
    "(send-smtp s ~ \"a@example.org\" \"x\")",
    "(send-smtp s \"a@example.org\" ~ \"x\")",
    "(send-smtp-auth \"h\" \"a@example.org\" \"b@example.org\" ~ \"x\" \"x\")",
    "(send-smtp-auth \"h\" \"a@example.org\" \"b@example.org\" \"x\" ~ \"x\")",
    "(make-smtp-connection (list \"h\" :helo ~))",
    "(make-smtp-connection \"h\" :login \"x\" :password ~)",
];

#[test]
fn rule_22_what_breaks_a_line_is_refused_before_a_byte_is_sent() {
    let (mut session, sandbox) = session();
    let before = sandbox.received();
    for call in CALLS {
        for text in BREAKS {
            let call = call.replace('~', &quoted(text));
            let reply = session.evaluate(&call);
            let Err(report) = &reply.result else { panic!("{call} gave {}", reply.text()) };
            assert_eq!(
                report.condition.identifier,
                Identifier::SyntaxError,
                "{call}: {}",
                report.condition
            );
        }
        assert_eq!(
            sandbox.received().len(),
            before.len(),
            "{call}: {:?}",
            sandbox.received().last()
        );
    }
}

#[test]
fn rule_23_what_looks_like_a_literal_stays_text_or_is_refused() {
    let (mut session, sandbox) = session();
    for call in CALLS {
        if ["make-", "send-smtp-auth"].iter().any(|name| call.contains(name)) {
            continue; // logs in on a connection of its own, and the sandbox accepts any login
        }
        for text in LITERALS {
            let call = call.replace('~', &quoted(text));
            let before = sandbox.received().len();
            let reply = session.evaluate(&call);
            let sent = sandbox.received().len() - before;
            match &reply.result {
                Err(report) if report.condition.identifier == Identifier::SyntaxError => {
                    assert_eq!(sent, 0, "{call}")
                }
                _ => assert!(sent <= 4, "{call}: {sent} commands"),
            }
            // If a literal had been announced, it would swallow these commands.
            for (probe, expected) in [
                ("(progn (noop mb) (mailbox-separator mb))", "\"/\""),
                ("(progn (noop pb) t)", "t"),
            ] {
                assert_eq!(session.evaluate(probe).text(), expected, "behind {call}");
            }
        }
    }
    for text in ["body[]{3}", "body[] {3}", "flags {3+}", "({3}", "\"{3}", "body[{3}]"] {
        let before = sandbox.received().len();
        for call in [
            format!("(fetch-parts mb 1 {})", quoted(text)),
            format!("(search-mailbox mb (list :raw {}))", quoted(text)),
        ] {
            let Err(report) = session.evaluate(&call).result else { panic!("{call}") };
            assert_eq!(report.condition.identifier, Identifier::SyntaxError, "{call}");
        }
        assert_eq!(sandbox.received().len(), before);
    }
}

#[test]
fn rule_25_what_a_server_or_a_letter_gave_is_checked_like_any_other_text() {
    let (mut session, sandbox) = session();
    let before = sandbox.received().len();
    for form in [
        "(select-mailbox mb (mailbox-list-name (list () \"/\" \"a\\r\\nA9 LOGOUT\")))",
        "(search-mailbox mb (list :header \"Message-ID\" (envelope-message-id (list 1 2 3 4 5 6 7 8 9 \"<a>\\r\\nA9 LOGOUT\"))))",
        "(send-letter s \"a@example.org\" (address->string (list \"n\" () \"m\\r\\nRCPT TO:<evil\" \"h\")) \"x\")",
    ] {
        let reply = session.evaluate(form);
        let Err(report) = &reply.result else { panic!("{form} gave {}", reply.text()) };
        assert_eq!(
            report.condition.identifier,
            Identifier::SyntaxError,
            "{form}: {}",
            report.condition
        );
    }
    assert_eq!(sandbox.received().len(), before);
}

#[test]
fn rule_28_nothing_adds_a_field_or_a_recipient_to_a_letter() {
    const EVIL: [&str; 5] =
        ["x\r\nX-Evil: 1", "x\nX-Evil: 1", "x\rX-Evil: 1", "x\r\n\r\nX-Evil: 1", "x\0y"];
    let calls = [
        "(send-letter s \"a@example.org\" \"myacct@example.org\" \"body\" :subject ~)",
        "(send-letter s \"a@example.org\" \"myacct@example.org\" \"body\" :reply-to ~)",
        "(send-letter s \"a@example.org\" \"myacct@example.org\" \"body\" :message-id ~)",
        "(send-letter s \"a@example.org\" \"myacct@example.org\" \"body\" :date ~)",
        "(send-letter s \"a@example.org\" \"myacct@example.org\" \"body\" :headers (list (cons \"X-A\" ~)))",
        "(send-letter s \"a@example.org\" \"myacct@example.org\" \"body\" :headers (list (cons ~ \"v\")))",
        "(send-letter s \"a@example.org\" \"myacct@example.org\" \"body\" :attachments (list (make-mime-part :text \"t\" :name ~ :attachmentp t)))",
        "(send-letter s \"a@example.org\" \"myacct@example.org\" \"body\" :attachments (list (make-mime-part :text \"t\" :id ~)))",
        "(send-letter s \"a@example.org\" \"myacct@example.org\" \"body\" :attachments (list (make-mime-part :text \"t\" :description ~)))",
        "(send-letter s \"a@example.org\" \"myacct@example.org\" \"body\" :attachments (list (make-mime-part :text \"t\" :charset ~)))",
        "(send-letter s \"a@example.org\" \"myacct@example.org\" \"body\" :attachments (list (make-mime-part :text \"t\" :content-type ~)))",
        "(send-letter s \"a@example.org\" \"myacct@example.org\" \"body\" :attachments (list (make-mime-part :text \"t\" :parameters (list (cons \"a\" ~)))))",
        "(send-letter s \"a@example.org\" \"myacct@example.org\" \"body\" :attachments (list (make-mime-part :text \"t\" :parameters (list (cons ~ \"b\")))))",
        "(send-letter s \"a@example.org\" \"myacct@example.org\" \"body\" :attachments (list (make-mime-part :text \"t\" :headers (list (cons \"X-A\" ~)))))",
    ];
    let (mut session, sandbox) = session();
    for call in calls {
        for text in EVIL {
            let call = call.replace('~', &quoted(text));
            let before = sandbox.store().letters("myacct", "INBOX").len();
            let reply = session.evaluate(&call);
            let letters = sandbox.store().letters("myacct", "INBOX");
            match &reply.result {
                Err(report) => {
                    assert_eq!(
                        report.condition.identifier,
                        Identifier::SyntaxError,
                        "{call}: {}",
                        report.condition
                    );
                    assert_eq!(letters.len(), before, "{call}");
                }
                // The argument may be part of the letter if it is encoded.
                Ok(_) => {
                    let raw = String::from_utf8_lossy(&letters.last().unwrap().bytes).into_owned();
                    let adds = raw.split(['\r', '\n']).any(|line| line.starts_with("X-Evil"));
                    assert!(!adds && !raw.contains('\0'), "{call}: {raw}");
                }
            }
        }
    }
    let form = "(send-letter s \"a@example.org\" \"myacct@example.org\" \"body\" :subject \"hidden\" :bcc '(\"secret@example.org\"))";
    assert_eq!(session.evaluate(form).text(), "t");
    let raw =
        String::from_utf8_lossy(&sandbox.store().letters("myacct", "INBOX").last().unwrap().bytes)
            .into_owned();
    assert!(
        raw.contains("Subject: hidden")
            && !raw.to_lowercase().contains("\nbcc:")
            && !raw.contains("secret@"),
        "{raw}"
    );
}

#[test]
fn limits_are_read_and_checked() {
    let (mut session, _) = session();
    let small = "(make-imap-connection \"h\" :user \"myacct\" :password \"mypasswd\" :limits '(:literal 10 :line 100000))";
    session.evaluate(&format!("(setq small {small})"));
    session.evaluate("(select-mailbox small \"inbox\")");
    let reply = session.evaluate("(fetch-letter small 1)");
    let Err(report) = &reply.result else { panic!("{}", reply.text()) };
    assert_eq!(report.condition.identifier, Identifier::ResponseTooLarge);
    assert!(
        report
            .condition
            .message
            .contains("the limit of 10 bytes; :limits '(:literal N) allows more"),
        "{}",
        report.condition.message
    );
    for wrong in [
        "5",
        "'(:literal)",
        "'(:literal -1)",
        "'(:literal \"5\")",
        "'(:liter 5)",
        "'(literal 5)",
        "'(:line 5 :line 5)",
        "'(:literal 1.5)",
    ] {
        for function in [
            "make-imap-connection \"h\"",
            "make-pop-connection \"h\"",
            "make-smtp-connection \"h\"",
        ] {
            let login = if function.contains("smtp") { "" } else { ":user \"x\" :password \"x\"" };
            let call = format!("({function} {login} :limits {wrong})");
            let reply = session.evaluate(&call);
            let Err(report) = &reply.result else { panic!("{call} gave {}", reply.text()) };
            assert_eq!(report.condition.identifier, Identifier::SyntaxError, "{call}");
        }
    }
    assert!(
        session.evaluate("(make-smtp-connection '(\"h\" :limits (:status 100000)))").result.is_ok()
    );
    let reply = session.evaluate("(make-smtp-connection '(\"h\" :limits (:status 10)))");
    let Err(report) = &reply.result else { panic!("{}", reply.text()) };
    assert_eq!(report.condition.identifier, Identifier::ResponseTooLarge);
}
