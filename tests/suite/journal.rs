//! The journal as a library: each change is written before it is made, and a run can be taken back.

use crate::door::{imap, steps, watched};
use crate::support::{Server, empty, sandboxes};
use postoffice::client::{Error, ImapClient, StatusValue};
use postoffice::proto::deed::{Account, Act, Change, Deed};
use postoffice::proto::imap::command::StoreMode;
use postoffice::proto::imap::{CopiedUids, Flag, MessageId, Messages};
use postoffice::proto::witness::{Ending, Refusal, Wanted, Witness, Witnesses};
use postoffice::sandbox::{Extension, Extensions, Options};
use postoffice::state::{
    Accounts, Database, Journal, NewRun, StepState, Sync, Undo, Undone, Verdict,
};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn open(folder: &Path) -> Database {
    Database::open(folder, Sync::Normal).unwrap()
}

/// Looks into the journal when a change is about to be made.
#[derive(Debug)]
struct Reader(PathBuf, Mutex<Vec<String>>);

impl Witness for Reader {
    fn before(&self, deed: &Deed) -> Result<(), Refusal> {
        // Marking what is seen already changes nothing.
        let marks_nothing = deed.act == Act::MarkSeen
            && deed.facts.as_ref().is_some_and(|facts| facts.count == Some(0));
        if deed.act != Act::TakeRecent && !marks_nothing {
            let step = open(&self.0).steps(1).unwrap().pop().unwrap();
            assert_eq!((step.deed.to_string(), step.state), (deed.to_string(), StepState::Begun));
            self.1.lock().unwrap().push(deed.to_string());
        }
        Ok(())
    }

    fn after(&self, _: &Deed, _: Ending, _: Option<&CopiedUids>) {}
}

#[test]
fn every_change_is_written_before_it_is_sent_and_marked_when_it_is_done() {
    let server = Server::sandbox(empty());
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(Journal::new(folder.path(), NewRun::of("test")));
    let reader = Arc::new(Reader(folder.path().to_owned(), Mutex::default()));
    let both = Witnesses(vec![journal.clone(), reader.clone()]);
    let mut client = imap(&server, &watched(Arc::new(both)));
    assert!(!folder.path().join("state.db").exists(), "nothing is changed yet");
    for (deed, step) in steps() {
        step(&mut client).unwrap_or_else(|error| panic!("{deed}: {error}"));
    }
    client.close();
    let running = open(folder.path()).run(1).unwrap().unwrap();
    assert!(running.is_running && running.outcome.is_none());
    journal.finish("ended");
    let run = open(folder.path()).run(1).unwrap().unwrap();
    assert_eq!((run.is_running, run.outcome.as_deref(), run.in_doubt), (false, Some("ended"), 0));
    let written = open(folder.path()).steps(1).unwrap();
    assert!(written.iter().all(|step| step.state == StepState::Done));
    let written: Vec<String> = written.iter().map(|step| step.deed.to_string()).collect();
    assert_eq!(written, *reader.1.lock().unwrap());
    assert_eq!(
        written.len(),
        steps().len() - 2,
        "all but the SELECT and the second FETCH of a letter"
    );
}

#[test]
fn a_long_run_is_split_where_no_change_is_under_way() {
    let server = Server::sandbox(empty());
    let folder = tempfile::tempdir().unwrap();
    let run = NewRun { arguments: vec!["x".to_owned()], ..NewRun::of("watch") };
    let journal = Arc::new(Journal::new(folder.path(), run).with_longest_run(Duration::ZERO));
    let mut client = imap(&server, &watched(journal.clone()));
    client.create("a").unwrap();
    let deed = Deed::new(Change::delivery("box"));
    journal.before(&deed).unwrap();
    client.create("b").unwrap(); // while the delivery is under way
    journal.after(&deed, Ending::Done, None);
    client.create("c").unwrap();
    client.close();
    journal.finish("ended");
    let database = open(folder.path());
    let runs = database.runs(9).unwrap();
    let shown: Vec<_> = runs.iter().map(|run| (run.steps, run.outcome.as_deref())).collect();
    assert_eq!(shown, [(1, Some("continued")), (2, Some("continued")), (1, Some("ended"))]);
    assert!(runs.iter().all(|run| run.arguments == ["x"] && !run.is_running));
}

#[test]
fn refused_and_lost_changes_are_marked_so() {
    let server = Server::sandbox(empty());
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(Journal::new(folder.path(), NewRun::of("test")));
    let mut client = imap(&server, &watched(journal.clone()));
    client.delete("nowhere").unwrap_err();
    client.close();
    let deed = Deed::new(Change::delivery("box"));
    for ending in [Ending::InDoubt, Ending::Abandoned] {
        journal.before(&deed).unwrap();
        journal.after(&deed, ending, None);
    }
    journal.before(&deed).unwrap();
    drop((client, journal)); // as a killed process leaves it
    let database = open(folder.path());
    let states: Vec<StepState> = database.steps(1).unwrap().iter().map(|step| step.state).collect();
    let expected = [StepState::Refused, StepState::InDoubt, StepState::NotDone, StepState::Begun];
    // Marks within a series wait for the next step.
    assert_eq!(states, expected);
    let run = database.run(1).unwrap().unwrap();
    assert_eq!((run.in_doubt, run.is_running, run.outcome), (2, false, None));
}

#[test]
fn a_change_that_cannot_be_written_is_refused() {
    let server = Server::sandbox(empty());
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("state.db"), vec![b'x'; 5000]).unwrap();
    let journal = Arc::new(Journal::new(folder.path(), NewRun::of("test")));
    let mut client = imap(&server, &watched(journal));
    let error = client.create("box").unwrap_err();
    assert!(matches!(error, Error::Limit(_)));
    let file = folder.path().join("state.db").display().to_string();
    assert_eq!(
        error.to_string(),
        format!(
            "the journal (the state database {file}: file is not a database; --no-journal does without it) does not allow to create the mailbox \"box\" on 127.0.0.1"
        )
    );
    assert!(!client.exists("box").unwrap());
}

#[test]
fn several_processes_write_at_once() {
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let journal = Journal::new(folder.path(), NewRun::of("test"));
                for _ in 0..50 {
                    let deed = Deed::new(Change::delivery("box"));
                    journal.before(&deed).unwrap();
                    journal.after(&deed, Ending::Done, None);
                }
                journal.finish("ended");
            });
        }
    });
    let database = open(folder.path());
    for run in database.runs(10).unwrap() {
        assert_eq!((run.steps, run.in_doubt), (50, 0));
    }
    assert_eq!(database.runs(10).unwrap().len(), 4);
}

/// One connection for every account.
pub(crate) struct One(pub(crate) ImapClient);

impl Accounts for One {
    fn with_imap(
        &mut self,
        _: &str,
        _: &Account,
        task: &mut dyn FnMut(&mut ImapClient),
    ) -> Result<(), String> {
        task(&mut self.0);
        Ok(())
    }
}

/// All that can be seen of an account, but for UIDs.
pub(crate) fn snapshot(server: &Server) -> Vec<String> {
    let mut client = server.connect();
    let mut lines = Vec::new();
    for listed in client.list_subscribed("", "*").unwrap() {
        lines.push(format!("subscribed {}", listed.name));
    }
    let items = "(FLAGS RFC822.SIZE INTERNALDATE BODY.PEEK[])".parse().unwrap();
    for listed in client.list("", "*").unwrap() {
        let name = &listed.name;
        if listed.has("\\Noselect") || listed.has("\\NonExistent") {
            lines.push(format!("{name}: no mailbox"));
            continue;
        }
        lines.push(format!("{name}: {:?}", client.rights(name).ok()));
        let entry = ["/private/comment".to_owned()];
        lines.push(format!("{name}: {:?}", client.metadata(name, &entry, false).ok()));
        client.select(name, true).unwrap();
        for letter in client.fetch_all(&Messages::all(), &items).unwrap() {
            let mut flags = letter.flags.unwrap();
            flags.retain(|flag| flag != "\\Recent");
            flags.sort();
            let text = String::from_utf8_lossy(&letter.texts[0].1).into_owned();
            let date = letter.internal_date.map(|date| date.unix_seconds());
            lines.push(format!("{name}: {flags:?} {:?} {date:?} {text:?}", letter.size));
        }
    }
    client.close();
    lines.sort();
    lines
}

/// Runs `change` over a connection whose changes are written.
fn run(
    server: &Server,
    folder: &Path,
    change: &dyn Fn(&mut ImapClient) -> Result<(), Error>,
) -> Result<i64, Error> {
    let journal = Arc::new(Journal::new(folder, NewRun::of("test")));
    let mut client = imap(server, &watched(journal.clone()));
    let result = change(&mut client);
    client.close();
    let run = journal.run();
    journal.finish("ended");
    result.map(|()| run.expect("it changes something"))
}

/// Takes a run back. With `dry`, only says what it would do.
fn undo(server: &Server, folder: &Path, run: i64, dry: bool) -> Vec<Undone> {
    let database = open(folder);
    let journal =
        Arc::new(Journal::new(folder, NewRun { undoes: Some(run), ..NewRun::of("undo") }));
    let mut accounts = One(imap(server, &watched(journal.clone())));
    let mut told = Vec::new();
    Undo::new(&database, (!dry).then_some(&*journal), &mut accounts)
        .run(run, &mut |undone| told.push(undone))
        .unwrap();
    accounts.0.close();
    journal.finish("ended");
    told
}

fn letter(client: &mut ImapClient, mailbox: &str, name: &str) {
    let letter = format!("Message-ID: <{name}@example.org>\r\nSubject: {name}\r\n\r\n{name}\r\n");
    client.append(mailbox, &[], None, letter.as_bytes()).unwrap();
}

fn set(
    client: &mut ImapClient,
    uids: &[u32],
    mode: StoreMode,
    flags: &[&str],
) -> Result<(), Error> {
    let flags: Vec<Flag> = flags.iter().map(|flag| Flag::new(flag).unwrap()).collect();
    client.store_silently(&Messages::uids(uids.iter().copied()), mode, &flags)
}

fn uids(numbers: impl IntoIterator<Item = u32>) -> Messages {
    Messages::uids(numbers)
}

type Changing = fn(&mut ImapClient) -> Result<(), Error>;

/// Every kind of change that can be taken back, in an account with `box`, which is empty, `full`,
/// and three letters in the inbox, which is selected. The second letter is `\Flagged`.
fn kinds() -> Vec<(&'static str, Changing)> {
    vec![
        ("create", |c| c.create("new")),
        ("create below", |c| {
            let separator = c.separator()?.unwrap_or(".").to_owned();
            c.create(&format!("a{separator}b"))
        }),
        ("delete", |c| c.delete("box")),
        ("rename", |c| c.rename("full", "case")),
        ("rename the inbox", |c| c.rename("INBOX", "old")),
        ("subscribe", |c| c.subscribe("box")),
        ("subscribe again", |c| c.subscribe("full")),
        ("unsubscribe", |c| c.unsubscribe("full")),
        ("append", |c| c.append("box", &[Flag::SEEN], None, b"Subject: x\r\n\r\nx\r\n").map(drop)),
        ("append from a reader", |c| {
            c.append_from("INBOX", &[], None, 5, &mut &b"\r\nx\r\n"[..]).map(drop)
        }),
        ("add flags", |c| set(c, &[1, 2], StoreMode::Add, &["\\Flagged", "$Own"])),
        ("remove flags", |c| set(c, &[1, 2], StoreMode::Remove, &["\\FLAGGED"])),
        ("replace flags", |c| set(c, &[1, 2, 3], StoreMode::Replace, &["\\Answered"])),
        ("flags there and back", |c| {
            set(c, &[1, 2], StoreMode::Add, &["\\Flagged"])?;
            set(c, &[1, 2], StoreMode::Remove, &["\\Flagged"])?;
            set(c, &[3], StoreMode::Replace, &["\\Seen"])
        }),
        ("mark by number", |c| {
            c.store_silently(&Messages::numbers([3]), StoreMode::Add, &[Flag::DRAFT])
        }),
        ("read", |c| c.fetch(&uids([1, 2]), &"body[]".parse().unwrap(), &mut |_| Ok(()))),
        ("copy", |c| c.copy(&uids([1, 2, 3]), "full").map(drop)),
        ("copy within a mailbox", |c| c.copy(&uids([2]), "INBOX").map(drop)),
        ("copy and mark", |c| {
            c.copy(&uids([2]), "box")?;
            set(c, &[2], StoreMode::Remove, &["\\Flagged"])
        }),
        ("move", |c| c.move_to(&uids([1, 3]), "full").map(drop)),
        ("move one after another", |c| {
            (1..=3).try_for_each(|uid| c.move_to(&uids([uid]), "box").map(drop))
        }),
        ("move by number", |c| c.move_to(&Messages::all(), "box").map(drop)),
        ("mark, move and mark", |c| {
            set(c, &[1], StoreMode::Add, &["\\Answered"])?;
            c.move_to(&uids([1, 2]), "box")?;
            c.select("box", false)?;
            c.store_silently(&Messages::all(), StoreMode::Replace, &[Flag::DRAFT])
        }),
        ("move on and on", |c| {
            c.move_to(&uids([1, 2]), "box")?;
            c.select("box", false)?;
            c.move_to(&Messages::all(), "full")?;
            c.rename("full", "case")?;
            c.select("case", false)?;
            c.move_to(&Messages::all(), "INBOX").map(drop)
        }),
        ("empty and delete", |c| {
            c.select("spare", false)?;
            c.move_to(&Messages::all(), "INBOX")?;
            c.select("INBOX", false)?;
            c.delete("spare")
        }),
        ("copy, mark and remove", |c| {
            c.copy(&uids([2, 3]), "box")?;
            set(c, &[2, 3], StoreMode::Add, &["\\Deleted"])?;
            c.expunge().map(drop)
        }),
        ("mark, copy all and remove one", |c| {
            set(c, &[1, 2, 3], StoreMode::Add, &["\\Answered"])?;
            c.copy(&uids([1, 2, 3]), "box")?;
            c.remove(&[2].into_iter().collect()).map(drop)
        }),
        ("copy twice and remove", |c| {
            c.copy(&uids([1, 2]), "box")?;
            c.copy(&uids([1, 2]), "full")?;
            c.remove(&[1].into_iter().collect()).map(drop)
        }),
        ("copy, rename and remove", |c| {
            c.copy(&uids([1, 2]), "box")?;
            c.rename("box", "case")?;
            c.remove(&[1].into_iter().collect()).map(drop)
        }),
        ("copy, move the copies and remove", |c| {
            c.copy(&uids([1, 2]), "box")?;
            c.select("box", false)?;
            c.move_to(&Messages::all(), "full")?;
            c.select("INBOX", false)?;
            c.remove(&[1, 2].into_iter().collect()).map(drop)
        }),
        ("copy and move", |c| {
            c.copy(&uids([1, 2]), "box")?;
            c.move_to(&uids([1, 3]), "full").map(drop)
        }),
        ("copy, mark and move the copies", |c| {
            c.copy(&uids([1, 2, 3]), "box")?;
            c.select("box", false)?;
            c.store_silently(&Messages::numbers([1, 2]), StoreMode::Add, &[Flag::DRAFT])?;
            c.move_to(&Messages::numbers([1, 3]), "full")?;
            c.select("full", false)?;
            c.store_silently(&Messages::numbers([2]), StoreMode::Add, &[Flag::ANSWERED])
        }),
        ("copy, copy the copy and remove both", |c| {
            c.copy(&uids([1]), "box")?;
            c.select("box", false)?;
            c.copy(&Messages::all(), "full")?;
            c.mark_and_expunge(&Messages::all())?;
            c.select("INBOX", false)?;
            c.remove(&[1].into_iter().collect()).map(drop)
        }),
        ("delete and take the name", |c| {
            c.delete("box")?;
            c.rename("full", "box")?;
            c.create("full")
        }),
        ("rights", |c| c.set_rights("box", "fred", Some("lr"))),
        ("more rights", |c| c.set_rights("full", "fred", Some("+s"))),
        ("no rights", |c| c.set_rights("full", "fred", None)),
        ("metadata", |c| c.set_metadata("box", "/private/comment", Some("x"))),
        ("no metadata", |c| c.set_metadata("full", "/private/comment", None)),
    ]
}

/// Makes the account that [`kinds`] begin with.
fn prepare(server: &Server) {
    let mut client = server.connect();
    ["1", "2", "3"].iter().for_each(|name| letter(&mut client, "INBOX", name));
    client.create("box").unwrap();
    client.create("full").unwrap();
    client.create("spare").unwrap();
    client.subscribe("full").unwrap();
    letter(&mut client, "full", "4");
    letter(&mut client, "spare", "5");
    for refused in [
        client.set_rights("full", "fred", Some("lr")),
        client.set_metadata("full", "/private/comment", Some("before")),
    ] {
        assert!(matches!(refused, Ok(()) | Err(Error::Unsupported(_) | Error::Refused { .. })));
    }
    client.select("INBOX", false).unwrap();
    set(&mut client, &[2], StoreMode::Add, &["\\Flagged"]).unwrap();
    client.close();
}

fn is_whole(undone: &Undone) -> bool {
    matches!(undone.verdict, Verdict::Restored | Verdict::Nothing)
}

/// What an undo said, one line for each step.
fn said(told: &[Undone]) -> String {
    let line =
        |undone: &Undone| format!("{}: {:?}: {}", undone.step.deed, undone.verdict, undone.words);
    told.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Makes each change on a fresh account, takes it back, and the undo of it too.
fn each_kind_comes_back(name: &str, server: impl Fn() -> Server) {
    for (kind, change) in kinds() {
        kind_comes_back(&format!("{kind} on {name}"), kind, change, &server());
    }
}

fn kind_comes_back(name: &str, kind: &str, change: Changing, server: &Server) {
    prepare(server);
    let folder = tempfile::tempdir().unwrap();
    let before = snapshot(server);
    let changed = |client: &mut ImapClient| {
        client.select("INBOX", false)?;
        change(client)
    };
    let run = match run(server, folder.path(), &changed) {
        Ok(run) => run,
        // Not every server lets this user set rights, or has metadata.
        Err(Error::Unsupported(_) | Error::Refused { .. }) => return,
        Err(error) => panic!("{name}: {error}"),
    };
    let after = snapshot(server);
    let foreseen = undo(server, folder.path(), run, true);
    assert_eq!(snapshot(server), after, "{name}: a dry run changes nothing");
    let told = undo(server, folder.path(), run, false);
    assert_eq!(snapshot(server), before, "{name}: {}", said(&told));
    assert!(told.iter().all(is_whole), "{name}: {}", said(&told));
    assert!(foreseen.iter().all(is_whole), "{name}: {}", said(&foreseen));
    assert_eq!(foreseen.len(), told.len(), "{name}");
    let undoing = open(folder.path()).last_run().unwrap().unwrap();
    let again = undo(server, folder.path(), run, false);
    assert_eq!(snapshot(server), before, "{name}: again changes nothing: {}", said(&again));
    if kind == "append" || kind == "append from a reader" {
        return; // a letter that was removed does not come back
    }
    if undoing.id != run {
        let told = undo(server, folder.path(), undoing.id, false);
        assert_eq!(snapshot(server), after, "{name}, undo of undo: {}", said(&told));
    }
}

#[test]
fn every_kind_of_change_can_be_taken_back_on_the_sandbox() {
    for without in [
        vec![],
        vec![Extension::UidPlus],
        vec![Extension::Move],
        vec![Extension::UidPlus, Extension::Move],
    ] {
        let extensions = without.iter().fold(Extensions::default(), |on, one| on.without(*one));
        let server = || Server::sandbox(Options { extensions, ..empty() });
        each_kind_comes_back(&format!("the sandbox without {without:?}"), server);
    }
}

#[test]
fn every_kind_of_change_can_be_taken_back_on_dovecot() {
    if Server::dovecot().is_some() {
        each_kind_comes_back("Dovecot", || Server::dovecot().unwrap());
    }
}

#[test]
fn the_new_version_of_a_letter_stays_if_the_old_one_is_lost() {
    let bare = Extensions::default().without(Extension::Replace);
    let servers = [Extensions::default(), bare.without(Extension::UidPlus), bare]
        .map(|extensions| Some(Server::sandbox(Options { extensions, ..empty() })));
    for server in servers.into_iter().chain([Server::dovecot()]).flatten() {
        prepare(&server);
        let folder = tempfile::tempdir().unwrap();
        let run = run(&server, folder.path(), &|client| {
            client.select("INBOX", false)?;
            let letter = b"Subject: new\r\nMessage-ID: <new@x>\r\n\r\nx\r\n";
            client.replace(MessageId::Uid(NonZeroU32::MIN), None, None, None, letter).map(drop)
        })
        .unwrap();
        let after = snapshot(&server);
        let told = undo(&server, folder.path(), run, false);
        assert_eq!(snapshot(&server).len(), after.len(), "{told:#?}");
        assert!(
            snapshot(&server).iter().any(|letter| letter.contains("Subject: new")),
            "{told:#?}"
        );
        assert!(!told.iter().all(is_whole), "{told:#?}");
    }
}

#[test]
fn what_others_did_since_stays() {
    let server = Server::sandbox(empty());
    prepare(&server);
    let folder = tempfile::tempdir().unwrap();
    let run = run(&server, folder.path(), &|client| {
        client.create("new")?;
        client.select("INBOX", false)?;
        set(client, &[1, 2, 3], StoreMode::Add, &["\\Seen", "\\Answered"])?;
        client.copy(&uids([3]), "full")?;
        client.move_to(&uids([1, 2]), "box").map(drop)
    })
    .unwrap();
    let mut other = server.connect();
    letter(&mut other, "new", "5");
    other.select("box", false).unwrap();
    set(&mut other, &[1], StoreMode::Remove, &["\\Seen"]).unwrap();
    set(&mut other, &[2], StoreMode::Add, &["\\Deleted"]).unwrap();
    other.expunge().unwrap();
    other.select("INBOX", false).unwrap();
    set(&mut other, &[3], StoreMode::Add, &["$Own"]).unwrap();
    other.close();
    let told = undo(&server, folder.path(), run, false);
    let words: Vec<String> =
        told.iter().map(|undone| format!("{:?}: {}", undone.verdict, undone.words)).collect();
    assert_eq!(
        words,
        [
            "Partly: 1 letter back to \"INBOX\"; 1 not where the run left it",
            "Impossible: 0 copies removed from \"full\"; 1 kept, because its flags are not the original's",
            "Partly: flags of 2 letters; 1 gone",
            "Impossible: \"new\" stays: it has 1 letter",
        ]
    );
    let state = server.store().letters(&server.user, "INBOX");
    let mut flags: Vec<Vec<String>> = state.iter().map(|letter| letter.flags.clone()).collect();
    flags.sort();
    assert_eq!(flags, [vec![], vec!["$Own".to_owned()]]);
}

#[test]
fn what_cannot_come_back_is_named() {
    let server = Server::sandbox(empty());
    prepare(&server);
    let folder = tempfile::tempdir().unwrap();
    let run = run(&server, folder.path(), &|client| {
        client.delete("full")?;
        client.select("INBOX", false)?;
        client.remove(&[1, 3].into_iter().collect()).map(drop)
    })
    .unwrap();
    let told = undo(&server, folder.path(), run, false);
    let words: Vec<&str> = told.iter().map(|undone| undone.words.as_str()).collect();
    assert_eq!(
        words,
        [
            "2 letters removed for good (<1@example.org>, <3@example.org>)",
            "flags of 0 letters; 2 removed by the run",
            "\"full\" created; lost: 1 letter",
        ]
    );
}

/// Lets another client act before the first change of a kind.
struct Between<F> {
    journal: Arc<Journal>,
    is_it: fn(&Act) -> bool,
    other: Mutex<Option<F>>,
}

impl<F> std::fmt::Debug for Between<F> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Between").finish_non_exhaustive()
    }
}

impl<F: FnOnce() + Send> Witness for Between<F> {
    fn wants(&self, deed: &Deed) -> Wanted {
        self.journal.wants(deed)
    }

    fn before(&self, deed: &Deed) -> Result<(), Refusal> {
        if (self.is_it)(&deed.act)
            && let Some(other) = self.other.lock().unwrap().take()
        {
            other();
        }
        self.journal.before(deed)
    }

    fn after(&self, deed: &Deed, ending: Ending, stored: Option<&CopiedUids>) {
        self.journal.after(deed, ending, stored);
    }
}

/// Takes a run back, and lets another client act before its first change of flags. Returns the
/// verdicts and words.
fn undo_while(server: &Server, folder: &Path, run: i64, act: fn(&mut ImapClient)) -> Vec<String> {
    let database = open(folder);
    let new = NewRun { undoes: Some(run), ..NewRun::of("undo") };
    let journal = Arc::new(Journal::new(folder, new));
    let mut other = server.connect();
    let other = Mutex::new(Some(move || {
        act(&mut other);
        other.close();
    }));
    let is_it = |act: &Act| matches!(act, Act::StoreFlags { .. });
    let between = Between { journal: journal.clone(), is_it, other };
    let mut accounts = One(imap(server, &watched(Arc::new(between))));
    let mut told = Vec::new();
    Undo::new(&database, Some(&journal), &mut accounts)
        .run(run, &mut |undone| told.push(undone))
        .unwrap();
    accounts.0.close();
    journal.finish("ended");
    told.iter().map(|undone| format!("{:?}: {}", undone.verdict, undone.words)).collect()
}

/// How many letters of an account have `\Answered`.
fn answered(server: &Server) -> usize {
    snapshot(server).iter().filter(|letter| letter.contains("\\\\Answered")).count()
}

#[test]
fn flags_that_change_while_an_undo_runs_stay() {
    for server in [Some(Server::sandbox(empty())), Server::dovecot()].into_iter().flatten() {
        prepare(&server);
        let folder = tempfile::tempdir().unwrap();
        let run = run(&server, folder.path(), &|client| {
            client.select("INBOX", false)?;
            set(client, &[1, 2, 3], StoreMode::Replace, &["\\Answered"])
        })
        .unwrap();
        let told = undo_while(&server, folder.path(), run, |other| {
            other.select("INBOX", false).unwrap();
            set(other, &[3], StoreMode::Remove, &["\\Answered"]).unwrap();
            set(other, &[3], StoreMode::Add, &["\\Answered"]).unwrap();
        });
        assert_eq!(told, ["Partly: flags of 2 letters; 1 changed meanwhile"], "{}", server.name);
        assert_eq!(answered(&server), 1);
        // The undo can be begun again, and each can be taken back.
        let told = undo(&server, folder.path(), run, false);
        assert!(told.iter().all(is_whole) && answered(&server) == 0, "{}", said(&told));
        for (undoing, left) in [(3, 1), (2, 3)] {
            let told = undo(&server, folder.path(), undoing, false);
            assert!(told.iter().all(is_whole), "{undoing}: {}", said(&told));
            assert_eq!(answered(&server), left, "{undoing}: {}", said(&told));
        }
    }
}

#[test]
fn a_mailbox_that_is_replaced_while_an_undo_runs_is_left_alone() {
    let server = Server::sandbox(empty());
    prepare(&server);
    let folder = tempfile::tempdir().unwrap();
    let marked = run(&server, folder.path(), &|client| {
        client.select("INBOX", false)?;
        set(client, &[1, 3], StoreMode::Add, &["\\Answered"])
    })
    .unwrap();
    run(&server, folder.path(), &|client| {
        client.select("INBOX", false)?;
        client.move_to(&uids([1]), "box")?;
        client.move_to(&uids([3]), "spare").map(drop)
    })
    .unwrap();
    // The first change is made in `box`.
    let told = undo_while(&server, folder.path(), marked, |other| {
        other.delete("spare").unwrap();
        other.create("spare").unwrap();
        for name in ["6", "7"] {
            let letter = format!("Message-ID: <{name}@example.org>\r\n\r\n");
            other.append("spare", &[Flag::ANSWERED], None, letter.as_bytes()).unwrap();
        }
    });
    let expected =
        "Partly: flags of 1 letter; 1 left alone, because another mailbox has its name now";
    assert_eq!(told, [expected]);
    assert_eq!(answered(&server), 2);
}

/// Writes the MOVEs of a client into the journal as refused, after another client has moved the
/// first letter.
struct RefusedHalfway {
    journal: Arc<Journal>,
    other: Mutex<Option<ImapClient>>,
}

impl std::fmt::Debug for RefusedHalfway {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("RefusedHalfway").finish_non_exhaustive()
    }
}

impl Witness for RefusedHalfway {
    fn wants(&self, deed: &Deed) -> Wanted {
        self.journal.wants(deed)
    }

    fn before(&self, deed: &Deed) -> Result<(), Refusal> {
        let Act::Move { to } = &deed.act else { return Ok(()) };
        self.journal.before(deed)?;
        let mut other = self.other.lock().unwrap().take().unwrap();
        other.move_to(&uids([1]), to).unwrap();
        other.close();
        self.journal.after(deed, Ending::Refused, None);
        Err(Refusal::new("the test", deed))
    }

    fn after(&self, _: &Deed, _: Ending, _: Option<&CopiedUids>) {}
}

#[test]
fn a_move_that_was_refused_halfway_is_taken_back_as_far_as_it_went() {
    let server = Server::sandbox(empty());
    prepare(&server);
    let before = snapshot(&server);
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(Journal::new(folder.path(), NewRun::of("test")));
    let mut other = server.connect();
    other.select("INBOX", false).unwrap();
    let other = Mutex::new(Some(other));
    let refusing = RefusedHalfway { journal: journal.clone(), other };
    let mut client = imap(&server, &watched(Arc::new(refusing)));
    client.select("INBOX", false).unwrap();
    client.move_to(&uids([1, 2]), "box").unwrap_err();
    client.close();
    journal.finish("ended");
    assert_ne!(snapshot(&server), before);
    assert_eq!(open(folder.path()).last_run().unwrap().map(|run| run.id), Some(1));
    let told = undo(&server, folder.path(), 1, false);
    assert_eq!(snapshot(&server), before, "{}", said(&told));
    let told: Vec<&str> = told.iter().map(|undone| undone.words.as_str()).collect();
    assert_eq!(told, ["1 letter back to \"INBOX\""]);
}

/// Begins a second undo when the first one connects.
struct Second<'a> {
    first: One,
    server: &'a Server,
    folder: &'a Path,
    said: Vec<String>,
}

impl Accounts for Second<'_> {
    fn with_imap(
        &mut self,
        host: &str,
        account: &Account,
        task: &mut dyn FnMut(&mut ImapClient),
    ) -> Result<(), String> {
        let database = open(self.folder);
        let new = NewRun { undoes: Some(1), ..NewRun::of("undo") };
        let journal = Arc::new(Journal::new(self.folder, new));
        let mut accounts = One(imap(self.server, &watched(journal.clone())));
        let result = Undo::new(&database, Some(&journal), &mut accounts).run(1, &mut |_| {});
        self.said.extend(result.err());
        accounts.0.close();
        journal.finish("failed");
        self.first.with_imap(host, account, task)
    }
}

#[test]
fn a_run_is_undone_by_one_process_at_a_time() {
    let server = Server::sandbox(empty());
    prepare(&server);
    let before = snapshot(&server);
    let folder = tempfile::tempdir().unwrap();
    let run = run(&server, folder.path(), &|client| client.create("new")).unwrap();
    let database = open(folder.path());
    let new = NewRun { undoes: Some(run), ..NewRun::of("undo") };
    let journal = Arc::new(Journal::new(folder.path(), new));
    let first = One(imap(&server, &watched(journal.clone())));
    let mut accounts = Second { first, server: &server, folder: folder.path(), said: Vec::new() };
    Undo::new(&database, Some(&journal), &mut accounts).run(run, &mut |_| {}).unwrap();
    assert_eq!(accounts.said, ["run 1 is being undone already, by run 2"]);
    accounts.first.0.close();
    journal.finish("ended");
    assert_eq!(snapshot(&server), before);
    // Now it may be undone again; without a change such a run leaves no trace.
    assert!(undo(&server, folder.path(), run, false).iter().all(is_whole));
    assert_eq!(database.runs(10).unwrap().len(), 2);
}

/// Letters that are alike, on a server that does not say where it copies.
#[test]
fn copies_that_cannot_be_told_from_others_stay() {
    // What a later run does, and what another client does.
    let cases: [(Changing, Changing); 2] = [
        // It stores the same letter there.
        (|c| c.create("later"), |c| c.copy(&uids([1]), "box").map(drop)),
        // The original follows its copy, and one of them is removed.
        (
            |c| c.move_to(&uids([1]), "box").map(drop),
            |c| {
                c.select("box", false)?;
                c.store_silently(&Messages::numbers([1]), StoreMode::Add, &[Flag::DELETED])?;
                c.expunge().map(drop)
            },
        ),
    ];
    for (later, others) in cases {
        let extensions = Extensions::default().without(Extension::UidPlus);
        let server = Server::sandbox(Options { extensions, ..empty() });
        prepare(&server);
        let folder = tempfile::tempdir().unwrap();
        let copied = run(&server, folder.path(), &|client| {
            client.select("INBOX", false)?;
            client.copy(&uids([1]), "box").map(drop)
        });
        run(&server, folder.path(), &|client| {
            client.select("INBOX", false)?;
            later(client)
        })
        .unwrap();
        let mut other = server.connect();
        other.select("INBOX", false).unwrap();
        others(&mut other).unwrap();
        other.close();
        let before = snapshot(&server);
        let told = undo(&server, folder.path(), copied.unwrap(), false);
        assert_eq!(snapshot(&server), before, "{}", said(&told));
        let words: Vec<&str> = told.iter().map(|undone| undone.words.as_str()).collect();
        let kept = "0 copies removed from \"box\"; 1 kept, because several letters may be the copy";
        assert_eq!(words, [kept]);
        assert_eq!(told[0].verdict, Verdict::Impossible);
    }
}

/// A small generator of numbers, so that a seed makes the same program everywhere.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    pub(crate) fn of<'t>(&mut self, list: &[&'t str]) -> &'t str {
        list[self.below(list.len())]
    }
}

/// Makes one random change of these kinds over one of the connections. Refusals are part of it.
fn random_step(numbers: &mut Numbers, clients: &mut [ImapClient], kinds: usize) {
    const NAMES: [&str; 5] = ["INBOX", "a", "b", "c", "d"];
    let at = numbers.below(clients.len());
    let client = &mut clients[at];
    let (name, other) = (NAMES[numbers.below(5)], NAMES[numbers.below(5)]);
    let kind = numbers.below(kinds);
    if kind >= 6 && client.select(name, false).is_err() {
        return;
    }
    let mut chosen: Vec<u32> = Vec::new();
    if kind >= 6 {
        let all = client.uid_search(&postoffice::proto::imap::SearchKey::All);
        chosen.extend(all.into_iter().flatten().filter(|_| numbers.below(2) == 0));
    }
    let empty = chosen.is_empty();
    let messages = Messages::uids(chosen);
    let flags = ["\\Seen", "\\Flagged", "$Own", "\\Deleted"];
    let flags =
        [flags[numbers.below(4)], flags[numbers.below(4)]].map(|flag| Flag::new(flag).unwrap());
    let mode = [StoreMode::Add, StoreMode::Remove, StoreMode::Replace][numbers.below(3)];
    let result = match kind {
        0 => client.create(name),
        1 if name != "INBOX" => client.rename(name, other),
        2 => client.subscribe(name),
        3 => client.unsubscribe(name),
        4 => client.append(name, &flags[..1], None, b"\r\nx\r\n").map(drop),
        5 if name != "INBOX" => match client.status(name, &["MESSAGES".to_owned()]) {
            Ok(told) if told[0].1 == StatusValue::Number(0) => client.delete(name),
            _ => Ok(()),
        },
        _ if empty => Ok(()),
        6..=8 => client.store_silently(&messages, mode, &flags),
        9 | 10 => client.copy(&messages, other).map(drop),
        11..=13 => client.move_to(&messages, other).map(drop),
        14 => client.move_to(&Messages::numbers([1]), other).map(drop),
        15 => client.fetch(&messages, &"body[]".parse().unwrap(), &mut |_| Ok(())),
        16 | 17 => (0..kind - 15)
            .try_for_each(|at| client.copy(&messages, NAMES[(at + numbers.below(5)) % 5]).map(drop))
            .and_then(|()| client.remove(messages.set()).map(drop)),
        18 => client.remove(messages.set()).map(drop),
        _ => Ok(()),
    };
    // A server ends the connection whose mailbox another deletes.
    let expected =
        matches!(result, Ok(()) | Err(Error::Refused { .. } | Error::Bye { .. } | Error::Closed));
    assert!(expected, "{result:?}");
}

/// Runs a random program over two connections and takes it back, and the undo, too. Returns what was
/// said if not all of it came back.
fn random_run_comes_back(seed: u64, server: &Server, kinds: usize) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let mut client = server.connect();
    (0..4).for_each(|at| letter(&mut client, "INBOX", &format!("{seed}-{at}")));
    let _ = client.create("a"); // it may be there
    client.close();
    let before = snapshot(server);
    let journal = Arc::new(Journal::new(folder.path(), NewRun::of("test")));
    let mut clients = [0, 1].map(|_| imap(server, &watched(journal.clone())));
    let mut numbers = Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1);
    for _ in 0..20 {
        random_step(&mut numbers, &mut clients, kinds);
    }
    clients.iter_mut().for_each(ImapClient::close);
    let run = journal.run();
    journal.finish("ended");
    let (after, run) = (snapshot(server), run?);
    let told = undo(server, folder.path(), run, false);
    let name = format!("seed {seed} on {}", server.name);
    if !told.iter().all(is_whole) {
        return Some(said(&told));
    }
    assert_eq!(snapshot(server), before, "{name}: {}", said(&told));
    // Without a change the undo left no run.
    let undoing = open(folder.path()).last_run().unwrap().filter(|undoing| undoing.id != run);
    if let Some(undoing) = undoing {
        let told = undo(server, folder.path(), undoing.id, false);
        if told.iter().all(is_whole) {
            assert_eq!(snapshot(server), after, "{name}, undo of undo: {}", said(&told));
        }
    }
    None
}

#[test]
fn random_runs_come_back() {
    let without = [Extension::UidPlus, Extension::Move];
    for (name, _) in sandboxes(&[]).into_iter().take(1) {
        for seed in 0..60 {
            let server = Server::sandbox(empty());
            let short = random_run_comes_back(seed, &server, 16);
            assert!(short.is_none(), "seed {seed} on {name}: {short:?}");
        }
    }
    // Without UIDPLUS letters that are alike cannot be told apart; what then stays is named.
    let mut short = 0;
    for seed in 0..30 {
        let extensions = Extensions::default().without(without[(seed % 2) as usize]);
        let server = Server::sandbox(Options { extensions, ..empty() });
        short += usize::from(random_run_comes_back(seed, &server, 16).is_some());
    }
    assert!(short <= 15, "{short} of 30");
    // Letters that were removed come back if there is a copy.
    let mut short = 0;
    for seed in 100..140 {
        let server = Server::sandbox(empty());
        let kinds = if seed % 2 == 0 { 18 } else { 19 };
        short += usize::from(random_run_comes_back(seed, &server, kinds).is_some());
    }
    assert!(short <= 20, "{short} of 40");
}

#[test]
fn random_runs_come_back_on_dovecot() {
    for seed in 1000..1010 {
        let Some(server) = Server::dovecot() else { return };
        let short = random_run_comes_back(seed, &server, 16);
        assert!(short.is_none(), "seed {seed} on Dovecot: {short:?}");
    }
}
