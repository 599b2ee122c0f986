//! The quarantine: what a script deletes is there afterwards, whatever extensions the server has, and
//! the witnesses behind see moves.

use crate::support::{Server, empty, sandboxes};
use postoffice::api::{Setup, attach};
use postoffice::guard::{Budget, ChangeLimits};
use postoffice::proto::deed::Deed;
use postoffice::proto::imap::command::StoreMode;
use postoffice::proto::imap::{CopiedUids, Flag, Messages};
use postoffice::proto::witness::{Ending, Refusal, Witness};
use postoffice::repl::Session;
use postoffice::sandbox::{Account, Extension, Extensions, Options, Quota};
use postoffice::transport::Connector;
use std::sync::{Arc, Mutex};

const TRASH: &str = "trash";

/// Notes the deeds that are done.
#[derive(Debug, Default)]
struct Notes(Mutex<Vec<String>>);

impl Witness for Notes {
    fn before(&self, _: &Deed) -> Result<(), Refusal> {
        Ok(())
    }

    fn after(&self, deed: &Deed, ending: Ending, _: Option<&CopiedUids>) {
        if ending == Ending::Done {
            self.0.lock().unwrap().push(deed.to_string());
        }
    }
}

/// Five letters in the inbox, the first three marked; the mailboxes `full`, with copies of these,
/// and `empty`.
fn fill(server: &Server) {
    let letters = ["1", "2", "3", "4", "5"].map(|number| format!("Subject: {number}\n\nx\n"));
    let mut client = server.with_letters(&letters.each_ref().map(String::as_str));
    for name in ["full", "empty"] {
        client.create(name).unwrap();
    }
    client.copy(&Messages::numbers([1, 2, 3]), "full").unwrap();
    client.store_silently(&Messages::numbers([1, 2, 3]), StoreMode::Add, &[Flag::DELETED]).unwrap();
    client.close();
}

/// The subjects of a mailbox, those of marked letters with `!`; `-` if there is no such mailbox.
fn letters(server: &Server, mailbox: &str) -> String {
    let mut client = server.connect();
    if client.select(mailbox, true).is_err() {
        return "-".to_owned();
    }
    let items = "(UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])".parse().unwrap();
    let letter = |letter: postoffice::client::Fetched| {
        let text = String::from_utf8_lossy(&letter.texts[0].1).into_owned();
        let marked = letter.flags.unwrap().iter().any(|flag| flag == "\\Deleted");
        format!("{}{}", text["Subject:".len()..].trim(), if marked { "!" } else { "" })
    };
    let found = client.fetch_all(&Messages::all(), &items).unwrap();
    found.into_iter().map(letter).collect::<Vec<_>>().join(" ")
}

fn session(server: &Server, limits: ChangeLimits, witness: Arc<dyn Witness>) -> Session {
    let ports = [(143, server.port), (110, server.pop_port)];
    let redirect = |(from, to)| format!("h:{from}=127.0.0.1:{to}").parse().unwrap();
    let connector = Connector {
        redirects: ports.map(redirect).to_vec(),
        quarantine: Some(TRASH.into()),
        witness,
        ..Connector::default()
    };
    let setup = Setup { connector, budget: Arc::new(Budget::new(limits)), ..Setup::default() };
    let mut session = Session::new(Vec::new());
    attach(session.host(), &setup);
    let login = format!("\"h\" :user {:?} :password {:?}", server.user, server.password);
    for form in [
        format!("(setq mb (make-imap-connection {login} :auth :login))"),
        format!("(defun pop () (make-pop-connection {login}))"),
        "(select-mailbox mb \"inbox\")".to_owned(),
    ] {
        assert!(session.evaluate(&form).result.is_ok(), "{form}");
    }
    session
}

fn run(server: &Server, limits: ChangeLimits, form: &str) -> String {
    let form = format!("(handler-case {form} (po-error (c) (po-condition-identifier c)))");
    session(server, limits, Arc::new(Notes::default())).evaluate(&form).text()
}

fn servers() -> Vec<(String, Server)> {
    let mut servers = sandboxes(&[Extension::Move, Extension::UidPlus]);
    servers.extend(Server::dovecot().map(|server| ("all".to_owned(), server)));
    servers.iter().for_each(|(_, server)| fill(server));
    servers
}

#[test]
fn what_is_deleted_is_in_the_quarantine() {
    // The form, what it returns, what is in the inbox afterwards, and in the quarantine. Some need
    // that single letters can be removed.
    let table = [
        ("(expunge-mailbox mb)", "(1 1 1)", "4 5", "1 2 3", false),
        ("(progn (close-mailbox mb) (mailbox-name mb))", "nil", "4 5", "1 2 3", false),
        ("(delete-letter mb 5)", "(1 1 1 2)", "4", "1 2 3 5", false),
        ("(delete-letter mb 5 :expunge nil)", "nil", "1! 2! 3! 4 5!", "-", false),
        ("(delete-letter mb '(:seq 1 :*) :uid t)", "(1 1 1 1 1)", "", "1 2 3 4 5", false),
        ("(delete-letters (select-letters mb '(:seq 4 5)))", "2", "1! 2! 3!", "4 5", true),
        ("(move-letters (select-letters mb '(:seq 4 5)) :to \"full\")", "2", "1! 2! 3!", "-", true),
        ("(progn (expunge-mailbox mb) (expunge-mailbox mb))", "nil", "4 5", "1 2 3", false),
        ("(progn (expunge-mailbox mb) (delete-letter mb 1))", "(1)", "5", "1 2 3 4", false),
    ];
    for (form, returned, inbox, quarantine, needs_single) in table {
        for (name, server) in servers() {
            if needs_single && name == "none" {
                continue;
            }
            let shown = run(&server, ChangeLimits::default(), form);
            let mut numbers = shown.trim_matches(['(', ')']).split(' ').collect::<Vec<_>>();
            if server.is_sandbox() {
                assert_eq!(shown, returned, "{form} on {} {name}", server.name);
            } else {
                // Dovecot may report the last one first.
                numbers.sort_unstable();
                assert_eq!(numbers.len(), returned.split(' ').count(), "{form}: {shown}");
            }
            assert_eq!(letters(&server, "INBOX"), inbox, "{form} on {} {name}", server.name);
            assert_eq!(letters(&server, TRASH), quarantine, "{form} on {} {name}", server.name);
            assert!(letters(&server, "full").starts_with("1 2 3"), "{form}");
        }
    }
}

#[test]
fn letters_that_find_no_room_in_the_quarantine_stay_marked() {
    let quota = Quota { storage: None, messages: Some(9) };
    let accounts = vec![Account::new("user", "pw").with_quota(quota)];
    let extensions = Extensions::default().without(Extension::Move);
    let server = Server::sandbox(Options { accounts, extensions, ..empty() });
    fill(&server);
    assert_eq!(run(&server, ChangeLimits::default(), "(expunge-mailbox mb)"), ":error-response");
    assert_eq!(letters(&server, "INBOX"), "1! 2! 3! 4 5");
}

#[test]
fn without_a_way_to_remove_single_letters_the_originals_stay() {
    let (_, server) = servers().into_iter().find(|(name, _)| name == "none").unwrap();
    run(&server, ChangeLimits::default(), "(delete-letters (select-letters mb '(:seq 4 5)))");
    assert_eq!(letters(&server, "INBOX"), "1! 2! 3! 4! 5!");
    assert_eq!(letters(&server, TRASH), "4 5");
}

#[test]
fn single_uids_are_moved() {
    for (name, server) in servers() {
        if name == "none" || name.to_lowercase().contains("uidplus") {
            continue;
        }
        run(&server, ChangeLimits::default(), "(expunge-mailbox mb :uids '(1 2 4))");
        assert_eq!(letters(&server, "INBOX"), "3! 4 5", "{} {name}", server.name);
        assert_eq!(letters(&server, TRASH), "1 2", "{} {name}", server.name);
    }
}

#[test]
fn a_mailbox_with_letters_is_renamed() {
    for (name, server) in servers() {
        for (form, returned) in [
            ("(delete-mailbox mb \"full\")", "t"),
            ("(delete-mailbox mb \"empty\")", "t"),
            ("(delete-mailbox mb \"nowhere\")", ":limit"),
            (
                "(progn (create-mailbox mb \"full\") (copy-to-mailbox mb 5 \"full\") (delete-mailbox mb \"full\"))",
                "t",
            ),
            (
                "(progn (create-mailbox mb \"up/down\") (copy-to-mailbox mb 5 \"up\") (delete-mailbox mb \"up\"))",
                ":limit",
            ),
            ("(delete-mailbox mb \"trash/full\")", ":limit"),
            ("(delete-mailbox mb \"inbox\")", ":limit"),
        ] {
            if form.contains("up/down") && !server.is_sandbox() {
                continue; // "up" alone is no mailbox there
            }
            let shown = run(&server, ChangeLimits::default(), form);
            assert_eq!(shown, returned, "{form} on {} {name}", server.name);
        }
        assert_eq!(letters(&server, "full"), "-");
        assert_eq!(letters(&server, "empty"), "-");
        assert_eq!(letters(&server, "trash/full"), "1 2 3", "{} {name}", server.name);
        assert_eq!(letters(&server, "trash/full-2"), "5", "{} {name}", server.name);
    }
}

#[test]
fn what_is_in_quarantine_stays_there() {
    for (name, server) in servers() {
        for form in [
            "(progn (expunge-mailbox mb) (select-mailbox mb \"trash\") (delete-letter mb 1))",
            "(delete-letters (select-letters mb :all :mailbox \"trash\"))",
            "(delete-mailbox mb \"trash\")",
            "(let ((pb (pop))) (delete-letter pb 1))",
        ] {
            let shown = run(&server, ChangeLimits::default(), form);
            assert_eq!(shown, ":limit", "{form} on {} {name}", server.name);
        }
        assert_eq!(letters(&server, TRASH), "1 2 3", "{} {name}", server.name);
        assert_eq!(letters(&server, "INBOX"), "4 5", "{} {name}", server.name);
    }
}

#[test]
fn limits_count_what_goes_into_quarantine_as_deleted() {
    let deletes = |most| ChangeLimits { max_deletes: Some(most), ..ChangeLimits::default() };
    let changes = |most| ChangeLimits { max_changes: Some(most), ..ChangeLimits::default() };
    let inbox =
        || ChangeLimits { only_mailbox: vec!["inbox".parse().unwrap()], ..ChangeLimits::default() };
    for (name, server) in servers() {
        for (limits, form) in [
            (deletes(2), "(expunge-mailbox mb)"),
            (deletes(2), "(close-mailbox mb)"),
            (deletes(3), "(delete-letter mb 5)"),
            (deletes(1), "(delete-letters (select-letters mb '(:seq 4 5)))"),
            (deletes(2), "(delete-mailbox mb \"full\")"),
            (changes(2), "(expunge-mailbox mb)"),
            (inbox(), "(delete-mailbox mb \"full\")"),
            (ChangeLimits { read_only: true, ..ChangeLimits::default() }, "(delete-letter mb 1)"),
        ] {
            let shown = server.left_as_it_was(form, || run(&server, limits, form));
            assert_eq!(shown, ":limit", "{form} on {} {name}", server.name);
        }
        let limits = ChangeLimits { max_deletes: Some(3), max_changes: Some(3), ..inbox() };
        let shown = run(&server, limits, "(length (expunge-mailbox mb))");
        assert_eq!(shown, "3", "{} {name}", server.name);
    }
}

#[test]
fn those_behind_see_a_move() {
    let server = Server::sandbox(empty());
    fill(&server);
    let notes = Arc::new(Notes::default());
    let mut session = session(&server, ChangeLimits::default(), notes.clone());
    session.evaluate("(expunge-mailbox mb)");
    session.evaluate("(delete-mailbox mb \"full\")");
    let deeds = notes.0.lock().unwrap().clone();
    assert_eq!(
        deeds.iter().map(|deed| deed.replace("\"inbox\"", "\"INBOX\"")).collect::<Vec<_>>(),
        [
            "take \\Recent from letters of \"INBOX\" on h",
            "create the mailbox \"trash\" on h",
            "change flags of letters in \"INBOX\" on h",
            "move to \"trash\" letters of \"INBOX\" on h",
            "rename to \"trash/full\" the mailbox \"full\" on h",
        ]
    );
}
