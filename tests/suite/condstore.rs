//! CONDSTORE and QRESYNC (RFC 7162): what has changed and vanished, changes on condition, and the
//! message numbers of a session that is told UIDs.

use crate::support::script::{Peer, Script};
use crate::support::{Server, define_lose, empty, on_every_server};
use postoffice::api::{Setup, attach};
use postoffice::client::{
    ConnectOptions, Credentials, Error, FetchReader, ImapClient, WarningKind, modified,
};
use postoffice::proto::imap::command::StoreMode;
use postoffice::proto::imap::flag::Flag;
use postoffice::proto::imap::{
    Completion, Data, FetchItems, FetchedItems, Messages, SearchKey, SequenceSet, Since,
};
use postoffice::repl::Session;
use postoffice::sandbox::{Extension, Extensions, Options};

const LETTERS: [&str; 4] =
    ["Subject: 1\n\nx\n", "Subject: 2\n\nx\n", "Subject: 3\n\nx\n", "Subject: 4\n\nx\n"];
const NEW: &[u8] = b"Subject: new\r\n\r\nx\r\n";

fn without(extension: Extension) -> Server {
    let extensions = Extensions::default().without(extension);
    Server::sandbox(Options { extensions, ..empty() })
}

/// Runs a test on every server, and on the sandbox without QRESYNC.
fn on_every_server_and_without_qresync(test: impl Fn(&Server)) {
    on_every_server(&test);
    test(&without(Extension::QResync));
}

fn numbers(set: &str) -> Messages {
    Messages::Numbers(set.parse().unwrap())
}

/// Collects `uid flags` of each FETCH response, and the messages that were left alone.
#[derive(Clone, Default)]
struct Changed(Vec<String>, SequenceSet);

impl FetchReader for Changed {
    type Output = (Vec<String>, String);

    fn item(&mut self, mut data: Data<'_>) -> Result<(), Error> {
        let (mut uid, mut told) = (0, Vec::new());
        let mut items = FetchedItems::of(&mut data.tokens)?;
        while let Some((name, value)) = items.next()? {
            if name == b"UID" {
                uid = value.number().unwrap();
            } else if name == b"FLAGS" {
                let flags = items.flags()?.into_iter().map(|flag| flag.escape_ascii().to_string());
                told.extend(flags.filter(|flag| flag != "\\\\Recent"));
            } else if name == b"MODSEQ" {
                told.push("modseq".into());
            }
        }
        told.sort();
        self.0.push(format!("{uid} {}", told.join(" ")));
        Ok(())
    }

    fn completed(&mut self, completion: &Completion) {
        self.1 = modified(completion);
    }

    fn finish(mut self) -> Result<Self::Output, Error> {
        self.0.sort();
        self.0.dedup();
        Ok((self.0, self.1.to_string()))
    }
}

/// The state of the selected mailbox, once the server keeps mod-sequences.
fn state(client: &mut ImapClient) -> Since {
    let modseq = FetchItems::parse("modseq").unwrap();
    client.fetch(&Messages::all(), &modseq, &mut |_| Ok(())).unwrap();
    client.select("INBOX", false).unwrap();
    let selected = client.selected().unwrap();
    Since {
        uid_validity: selected.uid_validity.unwrap(),
        modseq: selected.highest_modseq.unwrap(),
        uids: None,
    }
}

/// Flags letter 2, removes letter 3 and adds one, as another client.
fn change(server: &Server) {
    let mut other = server.connect();
    other.select("INBOX", false).unwrap();
    other.store_silently(&numbers("2"), StoreMode::Add, &[Flag::FLAGGED]).unwrap();
    other.store_silently(&numbers("3"), StoreMode::Add, &[Flag::DELETED]).unwrap();
    other.expunge().unwrap();
    other.append("INBOX", &[], None, NEW).unwrap();
    other.close();
}

#[test]
fn what_happened_since_a_state_is_told() {
    on_every_server_and_without_qresync(|server| {
        let mut client = server.with_letters(&LETTERS);
        let mut since = state(&mut client);
        let uids = client.uid_search(&SearchKey::All).unwrap();
        change(server);
        let changed =
            [format!("{} \\\\Flagged modseq", uids[1]), format!("{} modseq", uids[3] + 1)];
        let pending = client.begin_changed_letters(since.modseq, Changed::default()).unwrap();
        assert_eq!(client.wait(pending).unwrap().0, changed);
        // With a mailbox selected, and on a new connection.
        for mut client in [client, server.connect()] {
            let (told, vanished) =
                client.select_since("INBOX", false, &since, Changed::default).unwrap();
            assert_eq!(told.0, changed);
            let vanished = vanished.members(0);
            let is_told: Vec<bool> = uids.iter().map(|uid| vanished.contains(*uid)).collect();
            assert_eq!(is_told, [false, false, true, false]);
            assert!(client.take_warnings().is_empty());
            let after = client.selected().unwrap().clone();
            assert!(after.exists == 4 && after.highest_modseq > Some(since.modseq));
            // Nothing has happened since.
            let now = Since { modseq: after.highest_modseq.unwrap(), ..since.clone() };
            let (told, vanished) =
                client.select_since("INBOX", true, &now, Changed::default).unwrap();
            assert!(told.0.is_empty() && !vanished.members(0).contains(uids[0]));
            assert!(client.selected().unwrap().read_only);
        }
        // Only about some letters.
        since.uids = Some([uids[0], uids[2]].into_iter().collect());
        let mut client = server.connect();
        let (told, vanished) =
            client.select_since("INBOX", false, &since, Changed::default).unwrap();
        assert!(told.0.is_empty());
        assert_eq!(vanished.to_string(), uids[2].to_string());
        // Another UIDVALIDITY: the mailbox is selected.
        let other = Since { uid_validity: since.uid_validity - 1, ..since.clone() };
        let error = client.select_since("INBOX", false, &other, Changed::default).err().unwrap();
        assert!(matches!(error, Error::OtherUidValidity { .. }), "{error}");
        assert!(client.selected().is_some_and(|selected| selected.exists == 4));
        let error = client.select_since("none", false, &since, Changed::default).err().unwrap();
        assert!(matches!(error, Error::Refused { .. }), "{error}");
        client.noop().unwrap();
    });
}

#[test]
fn letters_that_others_have_changed_are_left_alone_and_named() {
    on_every_server_and_without_qresync(|server| {
        let mut client = server.with_letters(&LETTERS);
        let since = state(&mut client);
        let mut other = server.connect();
        other.select("INBOX", false).unwrap();
        other.store_silently(&numbers("2,4"), StoreMode::Add, &[Flag::SEEN]).unwrap();
        let uids = client.uid_search(&SearchKey::All).unwrap();
        let by_uid = Messages::Uids(uids.iter().copied().collect());
        for (messages, named) in
            [(numbers("1:4"), "2,4".to_owned()), (by_uid, format!("{},{}", uids[1], uids[3]))]
        {
            let flagged = [Flag::FLAGGED];
            let modseq = Some(since.modseq);
            // The second call finds the changes of the first.
            let pending = client
                .begin_store_unchanged(
                    &messages,
                    StoreMode::Add,
                    &flagged,
                    false,
                    modseq,
                    Changed::default(),
                )
                .unwrap();
            let told = client.wait(pending).unwrap();
            let left_alone: SequenceSet = told.1.parse().unwrap();
            let named: SequenceSet = named.parse().unwrap();
            let is_named = named.ranges().iter().all(|range| {
                left_alone.ranges().contains(range)
                    || matches!(range.0, postoffice::proto::imap::sequence::Bound::Number(one) if left_alone.members(0).contains(one.get()))
            });
            assert!(is_named, "{named} in {left_alone}");
            assert_eq!(client.search(&SearchKey::Flagged).unwrap(), [1, 3]);
        }
        let pending = client
            .begin_store_unchanged(
                &numbers("1"),
                StoreMode::Add,
                &[Flag::SEEN],
                true,
                Some(u64::MAX >> 1),
                Changed::default(),
            )
            .unwrap();
        assert_eq!(client.wait(pending).unwrap().1, "");
        assert_eq!(client.search(&SearchKey::Seen).unwrap(), [1, 2, 4]);
    });
}

#[test]
fn numbers_are_right_when_the_server_tells_uids() {
    for knows_uids in [false, true] {
        on_every_server_and_without_qresync(|server| {
            let mut client = server.with_letters(&LETTERS);
            let since = state(&mut client);
            client.select_since("INBOX", false, &since, Changed::default).unwrap();
            if knows_uids {
                client.uids_of(&Messages::all()).unwrap();
            }
            change(server); // letter 3 leaves
            client.noop().unwrap();
            let selected = client.selected().unwrap();
            let lowest = selected.lowest_that_left_since(0);
            assert_eq!((selected.exists, selected.expunged), (4, 1));
            let has_qresync = client.capabilities().has("QRESYNC");
            match knows_uids || !has_qresync {
                true => assert_eq!(lowest, Some(3)),
                // Dovecot tells the UID of letter 2, whose flags changed, before.
                false => assert!(lowest.is_some_and(|lowest| lowest <= 3), "{lowest:?}"),
            }
            assert_eq!(client.search(&SearchKey::All).unwrap(), [1, 2, 3, 4]);
            // The numbers that EXPUNGE would have told.
            client.store_silently(&numbers("2:3"), StoreMode::Add, &[Flag::DELETED]).unwrap();
            assert_eq!(client.expunge().unwrap(), [2, 2]);
            assert_eq!(client.selected().unwrap().exists, 2);
            assert_eq!(client.selected().unwrap().lowest_that_left_since(1), Some(2));
            let uids = client.uid_search(&SearchKey::All).unwrap();
            client.store_silently(&numbers("1:2"), StoreMode::Add, &[Flag::DELETED]).unwrap();
            let last: SequenceSet = uids[1..].iter().copied().collect();
            assert_eq!(client.uid_expunge(&last).unwrap(), [2]);
            client.create("box").unwrap();
            client.move_to(&numbers("1"), "box").unwrap();
            assert_eq!(client.selected().unwrap().exists, 0);
            assert!(client.take_warnings().is_empty());
        });
    }
}

#[test]
fn letters_that_vanish_while_the_server_idles_are_counted() {
    on_every_server_and_without_qresync(|server| {
        let mut client = server.with_letters(&LETTERS);
        let since = state(&mut client);
        client.select_since("INBOX", false, &since, Changed::default).unwrap();
        client.uids_of(&Messages::all()).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| change(server));
            assert_eq!(client.wait_for_mail(None).unwrap(), Some(4));
        });
        let selected = client.selected().unwrap();
        assert_eq!((selected.exists, selected.lowest_that_left_since(0)), (4, Some(3)));
    });
}

#[test]
fn a_server_without_condstore_is_not_asked() {
    let server = without(Extension::CondStore);
    let mut client = server.with_letters(&LETTERS);
    let before = server.received().len();
    let since = Since { uid_validity: 1, modseq: 1, uids: None };
    let flags = [Flag::SEEN];
    let errors = [
        client.select_since("INBOX", false, &since, Changed::default).err(),
        client.begin_changed_letters(1, Changed::default()).err(),
        client
            .begin_store_unchanged(
                &numbers("1"),
                StoreMode::Add,
                &flags,
                false,
                Some(1),
                Changed::default(),
            )
            .err(),
        client.fetch(&Messages::all(), &"(uid modseq)".parse().unwrap(), &mut |_| Ok(())).err(),
    ];
    for error in errors {
        assert!(matches!(error, Some(Error::Unsupported(_))), "{error:?}");
    }
    assert_eq!(server.received().len(), before);
    assert_eq!(client.selected().unwrap().highest_modseq, None);
}

/// Connects to a server that plays this script after the login.
fn at(
    capabilities: &'static str,
    script: impl FnOnce(&mut Peer) + Send + 'static,
) -> (ImapClient, Script) {
    let script = Script::run(move |peer| {
        peer.log_in(capabilities);
        script(peer);
        peer.hear_rest();
    });
    let options = ConnectOptions { port: Some(script.address.port()), ..Default::default() };
    let credentials = Credentials::new("user", "sesame-open");
    let client =
        ImapClient::connect(&Default::default(), "127.0.0.1", &credentials, &options).unwrap();
    (client, script)
}

const QRESYNC: &str = "ENABLE CONDSTORE QRESYNC UNSELECT";
const SELECTED: &str = "* 5 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [HIGHESTMODSEQ 90] x\r\n";

fn since() -> Since {
    Since { uid_validity: 7, modseq: 50, uids: None }
}

#[test]
fn what_came_before_closed_is_about_the_other_mailbox() {
    let (mut client, script) = at(QRESYNC, |peer| {
        peer.answer("* ENABLED QRESYNC\r\n{tag} OK\r\n");
        peer.answer(&format!("{SELECTED}{{tag}} OK\r\n"));
        peer.answer(&format!(
            "* 9 EXISTS\r\n* VANISHED 4\r\n* VANISHED (EARLIER) 2\r\n* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (60))\r\n* OK [CLOSED] x\r\n{SELECTED}* VANISHED (EARLIER) 41,43:116\r\n* 2 FETCH (UID 8 FLAGS () MODSEQ (70))\r\n{{tag}} OK\r\n"
        ));
    });
    client.select_since("a", false, &since(), Changed::default).unwrap();
    let ((changed, _), vanished) =
        client.select_since("b", false, &since(), Changed::default).unwrap();
    assert_eq!(changed, ["8 modseq"]);
    assert_eq!(vanished.to_string(), "41,43:116");
    let selected = client.selected().unwrap();
    assert_eq!((selected.exists, selected.expunged), (5, 0));
    client.abandon();
    let heard = script.heard();
    let commands: Vec<&str> =
        heard.iter().map(|line| line.split_once(' ').map_or("", |(_, line)| line)).collect();
    assert_eq!(
        commands[2..],
        ["ENABLE QRESYNC", "SELECT a (QRESYNC (7 50))", "SELECT b (QRESYNC (7 50))",]
    );
}

#[test]
fn servers_that_do_not_enable_qresync_are_asked_by_condstore() {
    for enable in ["* ENABLED\r\n{tag} OK\r\n", "{tag} OK\r\n", "{tag} BAD what?\r\n"] {
        let (mut client, _script) = at(QRESYNC, move |peer| {
            peer.answer(&format!("{SELECTED}{{tag}} OK\r\n"));
            assert!(peer.answer("{tag} OK\r\n").ends_with("UNSELECT"));
            peer.answer(enable);
            let command = peer.answer(&format!("{SELECTED}* OK [UIDNEXT 10] x\r\n{{tag}} OK\r\n"));
            assert!(command.ends_with("SELECT a (CONDSTORE)"), "{command}");
            let command = peer.answer("* 2 FETCH (UID 8 FLAGS () MODSEQ (70))\r\n{tag} OK\r\n");
            assert!(
                command.ends_with("UID FETCH 1:* (UID FLAGS MODSEQ) (CHANGEDSINCE 50)"),
                "{command}"
            );
            peer.answer("* SEARCH 1 3 4 8 9\r\n{tag} OK\r\n");
        });
        client.select("x", false).unwrap();
        let ((changed, _), vanished) =
            client.select_since("a", false, &since(), Changed::default).unwrap();
        assert_eq!((changed, vanished.to_string()), (vec!["8 modseq".into()], "2,5:7".into()));
    }
}

#[test]
fn a_mailbox_without_mod_sequences_is_unsupported() {
    let (mut client, _script) = at(QRESYNC, |peer| {
        peer.answer("* ENABLED QRESYNC\r\n{tag} OK\r\n");
        peer.answer("* 5 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [NOMODSEQ] x\r\n{tag} OK\r\n");
    });
    let error = client.select_since("a", false, &since(), Changed::default).err().unwrap();
    assert!(matches!(error, Error::Unsupported(_)), "{error}");
}

#[test]
fn odd_answers_leave_no_number_in_doubt() {
    // What the server says after UIDs 10, 20, 30 of numbers 1 to 3 of 5 messages; the messages that
    // are left, the lowest number that may have shifted, and whether it is a warning.
    let table: [(&'static str, u32, Option<u32>, bool); 14] = [
        ("* VANISHED 20", 4, Some(2), false),
        ("* 2 EXPUNGE", 4, Some(2), false),
        ("* VANISHED 40", 4, Some(4), false),
        ("* VANISHED 11:19", 5, None, false),
        ("* VANISHED 5", 5, None, false),
        ("* VANISHED 1:4294967295", 0, Some(1), false),
        ("* VANISHED 4294967295:1", 0, Some(1), false),
        ("* VANISHED (EARLIER) 10:30", 5, None, false),
        ("* VANISHED 10\r\n* VANISHED 10", 4, Some(1), false),
        ("* VANISHED 20\r\n* 2 EXPUNGE", 3, Some(2), false),
        ("* VANISHED 20\r\n* VANISHED 30", 3, Some(2), false),
        ("* VANISHED", 5, Some(1), true),
        ("* VANISHED 10:*", 5, Some(1), true),
        ("* VANISHED (EARLIER) nothing", 5, Some(1), true),
    ];
    for (said, exists, lowest, warns) in table {
        let (mut client, _script) = at(QRESYNC, move |peer| {
            peer.answer("* ENABLED QRESYNC\r\n{tag} OK\r\n");
            peer.answer(&format!("{SELECTED}{{tag}} OK\r\n"));
            peer.answer(
                "* 1 FETCH (UID 10)\r\n* 2 FETCH (UID 20)\r\n* 3 FETCH (UID 30)\r\n{tag} OK\r\n",
            );
            peer.answer(&format!("{said}\r\n{{tag}} OK\r\n"));
        });
        client.select_since("a", false, &since(), Changed::default).unwrap();
        client.uids_of(&numbers("1:3")).unwrap();
        client.noop().unwrap();
        let selected = client.selected().unwrap();
        let found = (selected.exists, selected.lowest_that_left_since(0));
        assert_eq!(found, (exists, lowest), "{said}");
        let warnings = client.take_warnings();
        assert_eq!(warnings.len(), usize::from(warns), "{said}: {warnings:?}");
        assert!(warnings.iter().all(|warning| warning.kind == WarningKind::Unreadable), "{said}");
    }
}

/// A session in the sandbox; `(from-elsewhere f)` calls `f` with another connection.
fn session(extensions: Extensions) -> Session {
    let mut session = Session::new(Vec::new());
    attach(
        session.host(),
        &Setup::sandboxed(Options { extensions, ..Options::default() }).unwrap(),
    );
    define_lose(&mut session);
    let setup = r#"
(setq mb (make-imap-connection "h" :user "myacct" :password "mypasswd"))
(select-mailbox mb "inbox")
(setq state (list (mailbox-uidvalidity mb) (or (mailbox-highest-modseq mb) 1)))
(defun from-elsewhere (f)
  (let ((c (make-imap-connection "h" :user "myacct" :password "mypasswd")))
    (select-mailbox c "inbox")
    (funcall f c)
    (close-connection c)))
(defun change ()
  (from-elsewhere (lambda (c)
    (alter-flags c 2 :add-flags :\\flagged)
    (delete-letter c 3)
    (append-letter c "inbox" "Subject: new\n\nx"))))
(setq uids (search-mailbox mb :all :uid t))
(defun gone (since)
  (remove-if-not
    (lambda (uid)
      (find-if (lambda (one) (if (numberp one) (= one uid) (<= (second one) uid (third one))))
               (getf since :vanished)))
    uids))
(defun identifier-of (thunk)
  (handler-case (funcall thunk) (po-error (c) (po-condition-identifier c))))
"#;
    let reply = session.evaluate(setup);
    assert!(reply.result.is_ok(), "{}", reply.text());
    session
}

#[test]
fn scripts_are_told_and_the_same_without_qresync() {
    for (form, expected) in [
        (
            "(progn (change) (let ((since (select-mailbox mb \"inbox\" :since state)))
               (list (mapcar #'first (getf since :changed))
                     (fetch-field 60 \"flags\" (getf since :changed) :uid t)
                     (numberp (first (fetch-field 60 \"modseq\" (getf since :changed) :uid t)))
                     (gone since))))",
            "((2 7) (:\\\\flagged :\\\\seen) t (62))",
        ),
        (
            "(progn (change) (mapcar #'first (changed-letters mb (second state))))",
            "(2 7)",
        ),
        ("(select-mailbox mb \"inbox\" :since (list (first state) (mailbox-highest-modseq mb) '(60 68)))", "(:changed nil :vanished nil)"),
        ("(identifier-of (lambda () (select-mailbox mb \"inbox\" :since '(5 5))))", ":uid-validity-changed"),
        ("(identifier-of (lambda () (select-mailbox mb \"inbox\" :since '(5 0))))", ":syntax-error"),
        ("(identifier-of (lambda () (select-mailbox mb \"inbox\" :since '(5 5 (:seq 1 :*)))))", ":syntax-error"),
        ("(select-mailbox mb \"inbox\" :since nil)", "t"),
        (
            "(progn (from-elsewhere (lambda (c) (alter-flags c 2 :add-flags :\\flagged)))
                    (let ((done (alter-flags mb '(1 2 3) :add-flags :\\deleted :unchanged-since (second state))))
                      (list (mapcar #'first (getf done :changed)) (getf done :modified)
                            (search-mailbox mb :deleted))))",
            "((2 1 3) (2) (1 3))",
        ),
        ("(getf (alter-flags mb '(1 2) :add-flags :\\deleted :unchanged-since (mailbox-highest-modseq mb)) :modified)", "nil"),
        ("(getf (alter-flags mb '(1 2) :add-flags :\\deleted :silent t :unchanged-since (mailbox-highest-modseq mb)) :changed)", "nil"),
        (
            "(progn (select-mailbox mb \"inbox\" :since state) (delete-letter mb '(3 4 5)))",
            "(3 3 3)",
        ),
        ("(numberp (first (fetch-field 1 \"modseq\" (fetch-parts mb 1 \"modseq\"))))", "t"),
        ("(length (search-mailbox mb '(:modseq 1)))", "7"),
        // A state that is lost with the connection.
        (
            "(with-reconnect () (change) (lose) (gone (select-mailbox mb \"inbox\" :since state)))",
            "(62)",
        ),
        (
            "(with-reconnect () (lose) (getf (alter-flags mb 1 :add-flags :\\seen :unchanged-since (second state)) :modified))",
            "nil",
        ),
    ] {
        for extensions in
            [Extensions::default(), Extensions::default().without(Extension::QResync)]
        {
            assert_eq!(session(extensions).evaluate(form).text(), expected, "{form}");
        }
    }
}

#[test]
fn scripts_hear_that_a_server_cannot() {
    for call in [
        "(select-mailbox mb \"inbox\" :since state)",
        "(changed-letters mb 1)",
        "(alter-flags mb 1 :add-flags :\\seen :unchanged-since 5)",
        "(fetch-parts mb 1 \"(flags modseq)\")",
    ] {
        let mut session = session(Extensions::default().without(Extension::CondStore));
        let form = format!("(identifier-of (lambda () {call}))");
        assert_eq!(session.evaluate(&form).text(), ":unsupported", "{call}");
    }
}

#[test]
fn a_conditional_change_in_doubt_is_not_made_again() {
    use postoffice::proto::deed::Act;
    let act = |unchanged_since| Act::StoreFlags {
        mode: StoreMode::Add,
        flags: vec![Flag::SEEN],
        unchanged_since,
    };
    assert!(act(None).is_repeatable() && !act(Some(5)).is_repeatable());
}
