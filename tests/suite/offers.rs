//! What a server does not offer is refused before it is asked, and what differs by extension elsewhere
//! does not differ here.

use crate::support::{Server, empty};
use postoffice::repl::Session;
use postoffice::sandbox::{Extension, Extensions, Options};

fn opened(extensions: Extensions) -> (Server, Session) {
    let server = Server::sandbox(Options { extensions, ..empty() });
    server.with_letters(&["Subject: x\n\ny\n"]).close();
    let session = server.session();
    (server, session)
}

fn shows(session: &mut Session, form: &str) -> String {
    session.evaluate(form).text()
}

#[test]
fn what_needs_an_extension_is_unsupported_without_it() {
    for extensions in [Extensions::none(), Extensions::default().without(Extension::CondStore)] {
        let (server, mut session) = opened(extensions);
        let before = server.received().len();
        for form in [
            "(search-mailbox mb '(:modseq 5))",
            "(search-mailbox mb '(or :seen (not (:modseq 5))))",
            "(search-mailbox mb '(:modseq 5) :return '(:count))",
            "(sort-mailbox mb :date '(:modseq 5))",
            "(fetch-parts mb 1 \"modseq\")",
            "(fetch-parts mb 1 \"(flags x-gm-labels)\")",
            "(fetch-parts mb 1 \"x-gm-msgid\")",
            "(fetch-parts mb 1 \"x-gm-thrid\")",
            "(select-mailbox mb \"inbox\" :since '(1 5))",
            "(select-mailbox mb \"inbox\" :since '(1 nil))",
            "(select-mailbox mb \"inbox\" :since (list (mailbox-uidvalidity mb) (mailbox-highest-modseq mb)))",
            "(mailbox-status mb \"inbox\" :highestmodseq)",
        ] {
            let shown = shows(&mut session, form);
            assert!(shown.contains("[:unsupported]"), "{form}: {shown}");
        }
        assert_eq!(server.received().len(), before);
    }
    let (_server, mut session) = opened(Extensions::default().without(Extension::Binary));
    for form in ["(fetch-parts mb 1 \"binary.peek[1]\")", "(fetch-parts mb 1 \"binary.size[1]\")"] {
        assert!(shows(&mut session, form).contains("[:unsupported]"), "{form}");
    }
    let (_server, mut session) = opened(Extensions::default());
    assert_eq!(
        shows(&mut session, "(fetch-parts mb 1 \"binary.size[1]\")"),
        "((1 (\"BINARY.SIZE[1]\" 3)))"
    );
    assert!(
        shows(&mut session, "(select-mailbox mb \"inbox\" :since '(nil 5))")
            .contains("[:syntax-error]")
    );
    assert!(
        shows(&mut session, "(select-mailbox mb \"inbox\" :since '(1 nil))")
            .contains("[:unsupported]")
    );
}

#[test]
fn an_empty_pattern_is_the_same_on_every_server() {
    let all = Extensions::default();
    for extensions in [
        all,
        all.without(Extension::ListExtended),
        all.without(Extension::ListStatus),
        all.with(Extension::Rev2),
        Extensions::none(),
    ] {
        let (_server, mut session) = opened(extensions);
        for (form, expected) in [
            ("(mailbox-list mb :pattern \"\")", "(((:\\\\noselect) \"/\" \"\"))"),
            ("(mailbox-list mb :pattern \"\" :status :messages)", "nil"),
            ("(mailbox-list mb :pattern \"\" :subscribed t)", "nil"),
            ("(mailbox-list mb :reference \"inbox\" :pattern \"\" :status :messages)", "nil"),
        ] {
            assert_eq!(shows(&mut session, form), expected, "{form} {extensions:?}");
        }
    }
}

#[test]
fn a_misspelt_status_item_is_refused_with_the_right_one() {
    let (server, mut session) = opened(Extensions::default());
    let before = server.received().len();
    for (given, near) in [
        (":mesages", ":messages"),
        (":unsen", ":unseen"),
        (":uid-next", ":uidnext"),
        (":uid-validity", ":uidvalidity"),
        ("'(:messages :highest-modseq)", ":highestmodseq"),
        (":mailbox-id", ":mailboxid"),
    ] {
        for form in [
            format!("(mailbox-status mb \"inbox\" {given})"),
            format!("(mailbox-list mb :status {given})"),
        ] {
            let shown = shows(&mut session, &form);
            let expected = format!("did you mean `{near}`? [:syntax-error]");
            assert!(shown.contains(&expected), "{form}: {shown}");
        }
    }
    assert_eq!(server.received().len(), before);
    // What resembles nothing may be an item of the server's own.
    let shown = shows(&mut session, "(mailbox-status mb \"inbox\" :x-weather)");
    assert!(shown.contains("[:error-response]"), "{shown}");
}

#[test]
fn the_items_that_imap4rev2_lacks_are_asked_for_in_its_words() {
    for extensions in [Extensions::default(), Extensions::default().with(Extension::Rev2)] {
        let (_server, mut session) = opened(extensions);
        let form = "(fetch-parts mb 1 \"(rfc822.header rfc822.text rfc822)\")";
        let expected = shows(&mut session, form);
        assert!(expected.starts_with("((1 (\"RFC822.HEADER\" \"Subject: x"), "{expected}");
        assert!(expected.contains("\"RFC822.TEXT\" \"y"), "{expected}");
        assert!(expected.contains("\"RFC822\" \"Subject: x"), "{expected}");
    }
}
