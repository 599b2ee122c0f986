//! The journal: a witness that writes each change down before its first byte is sent, and marks it
//! when its end is known.
//!
//! To take a change back, one must know what it replaces. What the server has to be asked for, and
//! when, decides what the journal costs:
//!
//! | change | asked before it |
//! |---|---|
//! | COPY, MOVE | nothing but, once for each destination, its UIDNEXT: the server's answer has the UIDs (COPYUID). If messages are named by number, their UIDs. Without UIDPLUS: the identity of each letter, and UIDNEXT each time |
//! | APPEND | UIDNEXT of the mailbox, once; without UIDPLUS each time |
//! | STORE, a FETCH that sets `\Seen` | the flags of the letters |
//! | EXPUNGE, CLOSE | the UIDs and the identity of what is removed, so that the journal can name it |
//! | CREATE, RENAME, DELETE | which mailboxes exist; how many letters |
//! | SUBSCRIBE, SETACL, SETMETADATA | what there is |
//!
//! UIDNEXT tells where to look if the answer to an APPEND, a COPY or a MOVE never came: the letters
//! that it stored have UIDs from there on.
//!
//! A change is one transaction: the mark of the change before waits for it, if both belong to a quick
//! series. So a process that is killed may leave two steps in doubt, that one and the next.
//!
//! A run that goes on for months would never be forgotten, and nobody would take back all of it. So it can
//! be split: see [`Journal::with_longest_run`].
//!
//! Not written are changes that leave nothing behind: a SELECT that clears `\Recent`, and POP3's
//! marks, which only QUIT makes effective. The first change opens the database; a run that changes
//! nothing leaves no trace there. If a change cannot be written, it is refused.

use super::database::{Database, StateError, Sync, make_private, private_file};
use super::now;
use super::rows::{StepState, act_text, facts_text, letters_text, numbers, stored_text};
use super::runs::{forget_old, running_file};
use crate::proto::deed::{Account, Act, Deed, Letters};
use crate::proto::imap::sequence::Bound;
use crate::proto::imap::{CopiedUids, Messages};
use crate::proto::witness::{Ending, Facts, Previous, Refusal, Wanted, Witness};
use rusqlite::params;
use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Changes that follow each other within this many milliseconds are a series.
const SERIES: u128 = 100;

/// What is known about a run when it begins.
#[derive(Debug, Clone, Default)]
pub struct NewRun {
    /// What makes the changes: `run`, `eval`, `prompt`, `undo`, or the name of a program.
    pub kind: String,
    /// The script, if there is one.
    pub script: Option<String>,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// The run that it takes back.
    pub undoes: Option<i64>,
}

impl NewRun {
    /// A run of this kind without script and arguments.
    pub fn of(kind: &str) -> Self {
        NewRun { kind: kind.to_owned(), ..NewRun::default() }
    }
}

/// Replaces secrets in a text.
type Redact = Arc<dyn Fn(&str) -> String + Send + std::marker::Sync>;

/// The witness that writes the journal of one run. Connections of several threads may share it.
pub struct Journal {
    folder: PathBuf,
    sync: Sync,
    longest: Option<Duration>,
    writing: Mutex<Writing>,
}

#[derive(Default)]
struct Writing {
    new: NewRun,
    redact: Option<Redact>,
    open: Option<Open>,
    reversing: Option<i64>,
    #[cfg(debug_assertions)]
    crash: Option<Crash>,
    /// Where the next letter of a mailbox will be stored, as far as this run knows.
    next: HashMap<Place, (u32, u32)>,
}

/// What the first change opens.
struct Open {
    database: Database,
    run: i64,
    since: Instant,
    /// Locked while the process lives.
    running: (PathBuf, File),
    /// The step of each deed whose end is not known.
    steps: HashMap<u64, i64>,
    /// Ends that are not written yet: the step, its state, where letters were stored.
    marks: Vec<(i64, StepState, Option<String>)>,
    /// When the last step was written, and whether it belongs to a series.
    last: Option<Instant>,
    in_series: bool,
    accounts: HashMap<(String, Option<Account>), i64>,
}

/// A mailbox of an account.
#[derive(PartialEq, Eq, Hash)]
struct Place {
    host: String,
    account: Option<Account>,
    mailbox: String,
}

/// Ends the process at a write, for tests of what a crash leaves behind.
#[cfg(debug_assertions)]
struct Crash {
    before: bool,
    writes: u64,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Journal").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Journal {
    /// Makes the journal of a run, in the database of this folder.
    pub fn new(folder: &Path, run: NewRun) -> Self {
        let writing = Writing { new: run, ..Writing::default() };
        Journal {
            folder: folder.to_owned(),
            sync: Sync::Normal,
            longest: None,
            writing: Mutex::new(writing),
        }
    }

    /// Chooses when a written change counts.
    #[must_use]
    pub fn with_sync(self, sync: Sync) -> Self {
        Journal { sync, ..self }
    }

    /// Ends a run after this time with the outcome `continued`, and begins another one with the next
    /// change; never while a change is under way. By default a run is as long as its journal lives.
    #[must_use]
    pub fn with_longest_run(self, longest: Duration) -> Self {
        Journal { longest: Some(longest), ..self }
    }

    /// Sets what replaces secrets in the arguments of the run.
    pub fn set_redaction(
        &self,
        redact: impl Fn(&str) -> String + Send + std::marker::Sync + 'static,
    ) {
        self.writing().redact = Some(Arc::new(redact));
    }

    /// Ends the process without clean-up at a write, as a crash would: `before 3` or `after 3`. For
    /// tests, so only in builds for development.
    #[cfg(debug_assertions)]
    pub fn crash_at(&self, when: &str) {
        let parsed = when.split_once(' ').and_then(|(side, writes)| {
            Some(Crash { before: side == "before", writes: writes.parse().ok()? })
        });
        self.writing().crash = parsed;
    }

    /// Says which step of another run the next changes take back.
    pub fn set_reversing(&self, step: Option<i64>) {
        self.writing().reversing = step;
    }

    /// The number of the run; `None` before its first change.
    pub fn run(&self) -> Option<i64> {
        self.writing().open.as_ref().map(|open| open.run)
    }

    /// Writes the marks that wait for the next step.
    pub fn flush(&self) {
        // If it fails the steps stay in doubt.
        let _ = self.writing().open.as_mut().map(Open::write_marks);
    }

    /// Begins the run before its first change, so that other processes know of it. Without a change
    /// it leaves no trace in the end.
    ///
    /// # Errors
    /// [`StateError`]: the database fails, or another run takes back the same.
    pub fn begin(&self) -> Result<(), StateError> {
        self.writing().open(&self.folder, self.sync)
    }

    /// Writes how the run ended. Call it after the connections are closed.
    pub fn finish(&self, outcome: &str) {
        self.writing().finish(outcome);
    }

    fn writing(&self) -> MutexGuard<'_, Writing> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Witness for Journal {
    fn wants(&self, deed: &Deed) -> Wanted {
        let wanted = Wanted::NOTHING;
        match &deed.act {
            Act::Copy { .. } | Act::Move { .. } => Wanted {
                letters: !are_certain(&deed.letters) || !deed.has_uidplus,
                identity: !deed.has_uidplus,
                previous: !deed.has_uidplus || !self.writing().knows_next(deed),
                ..wanted
            },
            Act::Append { .. } => {
                Wanted { previous: !deed.has_uidplus || !self.writing().knows_next(deed), ..wanted }
            }
            Act::StoreFlags { .. } | Act::MarkSeen => {
                Wanted { letters: true, flags: true, ..wanted }
            }
            Act::Expunge | Act::Replace { .. } => {
                Wanted { letters: true, identity: true, ..wanted }
            }
            Act::DeleteMailbox | Act::RenameMailbox { .. } => Wanted { letters: true, ..wanted },
            Act::CreateMailbox
            | Act::Subscribe
            | Act::Unsubscribe
            | Act::SetRights { .. }
            | Act::SetMetadata { .. } => Wanted { previous: true, ..wanted },
            Act::AppendMany { .. }
            | Act::StoreLabels { .. }
            | Act::TakeRecent
            | Act::MarkForRemoval
            | Act::Unmark
            | Act::Remove
            | Act::Send { .. }
            | Act::Run { .. }
            | Act::Deliver => wanted,
        }
    }

    fn before(&self, deed: &Deed) -> Result<(), Refusal> {
        if leaves_nothing(deed) {
            return Ok(());
        }
        let mut writing = self.writing();
        if self.longest.is_some_and(|longest| writing.may_split(longest)) {
            writing.finish("continued");
        }
        let written = writing.open(&self.folder, self.sync).and_then(|()| writing.begin(deed));
        written.map_err(|error| {
            let rule = format!("the journal ({error}; --no-journal does without it)");
            Refusal::new(&rule, deed)
        })
    }

    fn after(&self, deed: &Deed, ending: Ending, stored: Option<&CopiedUids>) {
        if !leaves_nothing(deed) {
            self.writing().end(deed, ending, stored);
        }
    }
}

impl Writing {
    /// Opens the database and writes the row of the run, at the first change.
    fn open(&mut self, folder: &Path, sync: Sync) -> Result<(), StateError> {
        if self.open.is_some() {
            return Ok(());
        }
        let database = Database::open(folder, sync)?;
        forget_old(&database)?;
        let sql = "INSERT INTO runs (kind, script, arguments, undoes, process, begun)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let NewRun { kind, script, undoes, .. } = &self.new;
        let row = params![kind, script, self.arguments(), undoes, std::process::id(), now()];
        let connection = database.connection();
        // No other process may take it for an interrupted run before the lock is held.
        let inserted = connection
            .execute_batch("BEGIN IMMEDIATE")
            .map_err(|error| database.failed(error))
            .and_then(|()| undoes.map_or(Ok(None), |run| database.undone_by(run)))
            .and_then(|other| match other {
                Some(other) => Err(database.failed(format!("run {other} does the same"))),
                None => Ok(()),
            })
            .and_then(|()| connection.execute(sql, row).map_err(|error| database.failed(error)))
            .and_then(|_| {
                let run = connection.last_insert_rowid();
                let path = running_file(&database, run);
                let locked = make_private(path.parent().unwrap_or(folder))
                    .and_then(|()| private_file(&path))
                    .and_then(|file| file.lock().map(|()| file));
                Ok((run, (path, locked.map_err(|error| database.failed(error))?)))
            })
            .and_then(|opened| {
                connection.execute_batch("COMMIT").map_err(|error| database.failed(error))?;
                Ok(opened)
            });
        let (run, running) = inserted?;
        self.open = Some(Open {
            database,
            run,
            since: Instant::now(),
            running,
            steps: HashMap::new(),
            marks: Vec::new(),
            last: None,
            in_series: false,
            accounts: HashMap::new(),
        });
        Ok(())
    }

    /// Whether the run is so old, and no change is under way.
    fn may_split(&self, age: Duration) -> bool {
        self.open.as_ref().is_some_and(|open| open.steps.is_empty() && open.since.elapsed() >= age)
    }

    /// Ends the run.
    fn finish(&mut self, outcome: &str) {
        let Some(mut open) = self.open.take() else { return };
        let _ = open.write_marks(); // if it fails the steps stay in doubt
        let Open { database, run, running, .. } = open;
        let sql = "UPDATE runs SET ended = ?2, outcome = ?3, arguments = ?4 WHERE id = ?1";
        let row = params![run, now(), outcome, self.arguments()];
        // Without it the run counts as interrupted, which the next command shows.
        let _ = database.connection().execute(sql, row);
        let sql =
            "DELETE FROM runs WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM steps WHERE run = ?1)";
        let _ = database.connection().execute(sql, params![run]); // then it is an empty row
        drop(running.1);
        let _ = std::fs::remove_file(running.0); // an unlocked file means the same
    }

    /// The arguments, without the secrets that are known now.
    fn arguments(&self) -> String {
        let redacted = |text: &String| match &self.redact {
            Some(redact) => redact(text),
            None => text.clone(),
        };
        let arguments: Vec<String> = self.new.arguments.iter().map(redacted).collect();
        serde_json::Value::from(arguments).to_string()
    }

    fn begin(&mut self, deed: &Deed) -> Result<(), StateError> {
        let facts = self.facts(deed);
        self.about_to_write(true);
        let reversing = self.reversing;
        let Some(open) = &mut self.open else { return Ok(()) };
        let account = open.account(deed)?;
        let now_at = Instant::now();
        let last = open.last.replace(now_at);
        open.in_series = last.is_some_and(|last| (now_at - last).as_millis() < SERIES);
        let sql = "INSERT INTO steps
            (run, account, at, act, mailbox, uid_validity, uidplus, letters, facts, reverses, state)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
        let connection = open.database.connection();
        let row = params![
            open.run,
            account,
            now(),
            act_text(&deed.act),
            deed.mailbox,
            deed.uid_validity,
            deed.has_uidplus,
            letters_text(&deed.letters),
            facts.as_ref().map(facts_text),
            reversing,
            StepState::Begun.number(),
        ];
        let written = (|| {
            if !open.marks.is_empty() {
                connection.execute_batch("BEGIN IMMEDIATE")?;
            }
            open.mark_all()?;
            connection.execute(sql, row)?;
            let step = connection.last_insert_rowid();
            if !connection.is_autocommit() {
                connection.execute_batch("COMMIT")?;
            }
            Ok(step)
        })();
        let step = written.map_err(|error: rusqlite::Error| {
            if !connection.is_autocommit() {
                let _ = connection.execute_batch("ROLLBACK"); // the failure itself is told
            }
            open.database.failed(error)
        })?;
        open.marks.clear();
        open.steps.insert(deed.id, step);
        self.about_to_write(false);
        Ok(())
    }

    fn end(&mut self, deed: &Deed, ending: Ending, stored: Option<&CopiedUids>) {
        self.learn_next(deed, ending, stored);
        let Some(open) = &mut self.open else { return };
        let Some(step) = open.steps.remove(&deed.id) else { return };
        let state = match ending {
            Ending::Done => StepState::Done,
            Ending::Refused => StepState::Refused,
            Ending::Abandoned => StepState::NotDone,
            Ending::InDoubt => StepState::InDoubt,
        };
        open.marks.push((step, state, stored.map(stored_text)));
        if !open.in_series {
            self.about_to_write(true);
            // If this fails the mark is written with the next step, or the step stays in doubt.
            let _ = self.open.as_mut().map(Open::write_marks);
            self.about_to_write(false);
        }
    }

    /// The facts, with the destination's UIDNEXT if an earlier step told it.
    fn facts(&mut self, deed: &Deed) -> Option<Facts> {
        let mut facts = deed.facts.clone();
        let Some(place) = destination(deed) else { return facts };
        let previous = facts.as_ref().map(|facts| &facts.previous);
        if let Some(&Previous::Next { uid_validity, uid_next }) = previous {
            self.next.insert(place, (uid_validity, uid_next));
        } else if let Some(&(uid_validity, uid_next)) = self.next.get(&place) {
            facts.get_or_insert_default().previous = Previous::Next { uid_validity, uid_next };
        }
        facts
    }

    fn knows_next(&self, deed: &Deed) -> bool {
        destination(deed).is_some_and(|place| self.next.contains_key(&place))
    }

    fn learn_next(&mut self, deed: &Deed, ending: Ending, stored: Option<&CopiedUids>) {
        if matches!(deed.act, Act::CreateMailbox | Act::DeleteMailbox | Act::RenameMailbox { .. }) {
            self.next.clear(); // a name may mean another mailbox now
        }
        let Some(place) = destination(deed) else { return };
        let last = stored.and_then(|stored| {
            let highest = |range: &(Bound, Bound)| match range {
                (Bound::Number(first), Bound::Number(last)) => Some(first.max(last).get()),
                _ => None,
            };
            Some((stored.uid_validity, stored.to.ranges().iter().filter_map(highest).max()?))
        });
        match (last, ending) {
            (Some((uid_validity, last)), Ending::Done) => {
                self.next.insert(place, (uid_validity, last.saturating_add(1)));
            }
            (_, Ending::Refused | Ending::Abandoned) => {}
            _ => drop(self.next.remove(&place)),
        }
    }

    #[cfg(not(debug_assertions))]
    fn about_to_write(&mut self, _: bool) {}

    #[cfg(debug_assertions)]
    fn about_to_write(&mut self, before: bool) {
        let Some(crash) = &mut self.crash else { return };
        if crash.before == before {
            crash.writes = crash.writes.saturating_sub(1);
            if crash.writes == 0 {
                std::process::abort();
            }
        }
    }
}

impl Open {
    /// Writes the ends that are not written yet.
    fn write_marks(&mut self) -> rusqlite::Result<()> {
        self.mark_all()?;
        self.marks.clear();
        Ok(())
    }

    fn mark_all(&self) -> rusqlite::Result<()> {
        let sql = "UPDATE steps SET state = ?2, stored = ?3 WHERE id = ?1";
        for (step, state, stored) in &self.marks {
            let connection = self.database.connection();
            connection.execute(sql, params![step, state.number(), stored])?;
        }
        Ok(())
    }

    fn account(&mut self, deed: &Deed) -> Result<i64, StateError> {
        let key = (deed.host.clone(), deed.account.clone());
        if let Some(id) = self.accounts.get(&key) {
            return Ok(*id);
        }
        let (protocol, port, user) = match &deed.account {
            Some(Account { protocol, port, user }) => {
                (*protocol, *port, user.as_deref().unwrap_or_default())
            }
            None => ("", 0, ""),
        };
        let row = params![protocol, deed.host, port, user];
        let connection = self.database.connection();
        let insert =
            "INSERT OR IGNORE INTO accounts (protocol, host, port, user) VALUES (?1, ?2, ?3, ?4)";
        let select =
            "SELECT id FROM accounts WHERE (protocol, host, port, user) = (?1, ?2, ?3, ?4)";
        let id = connection
            .execute(insert, row)
            .and_then(|_| connection.query_row(select, row, |row| row.get(0)))
            .map_err(|error| self.database.failed(error))?;
        self.accounts.insert(key, id);
        Ok(id)
    }
}

/// Whether an act leaves nothing behind that could be taken back.
fn leaves_nothing(deed: &Deed) -> bool {
    match &deed.act {
        Act::TakeRecent | Act::MarkForRemoval | Act::Unmark => true,
        Act::MarkSeen => deed.facts.as_ref().is_some_and(|facts| facts.count == Some(0)),
        _ => false,
    }
}

/// Where a deed stores letters.
fn destination(deed: &Deed) -> Option<Place> {
    let mailbox = match &deed.act {
        Act::Copy { to } | Act::Move { to } => to.clone(),
        Act::Append { .. } => deed.mailbox.clone()?,
        _ => return None,
    };
    Some(Place { host: deed.host.clone(), account: deed.account.clone(), mailbox })
}

/// Whether letters are named by UIDs that will mean the same later.
fn are_certain(letters: &Letters) -> bool {
    match letters {
        Letters::Messages(Messages::Uids(set)) => !set.is_saved() && numbers(set).is_some(),
        _ => false,
    }
}
