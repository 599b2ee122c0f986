//! Reads the runs of the journal and their steps, and forgets old ones.
//!
//! The process of a run holds a lock on a file of its own, which the system releases however the
//! process ends. A run without an end whose file is not locked was interrupted.

use super::database::{Database, StateError, private_file};
use super::now;
use super::rows::{
    Step, StepState, account_of, act_of, facts_of, facts_text, letters_of, stored_of, stored_text,
};
use crate::proto::deed::{Act, Change, Deed};
use rusqlite::{OptionalExtension, Row, params};
use std::collections::HashSet;
use std::path::PathBuf;

/// Runs that ended longer ago, in days, are forgotten.
pub const KEPT_DAYS: i64 = 90;

/// If the database has more bytes, the oldest runs are forgotten.
pub const KEPT_BYTES: usize = 256 << 20;

/// A run in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Run {
    /// Its number.
    pub id: i64,
    /// What made the changes: `run`, `eval`, `prompt`, `undo`.
    pub kind: String,
    /// The script, if there is one.
    pub script: Option<String>,
    /// Its arguments, with known secrets replaced.
    pub arguments: Vec<String>,
    /// The run that it takes back.
    pub undoes: Option<i64>,
    /// The process.
    pub process: u32,
    /// When its first change was written, in milliseconds since 1970.
    pub begun: i64,
    /// When it ended.
    pub ended: Option<i64>,
    /// How it ended, in words; `None` if it runs, or was interrupted.
    pub outcome: Option<String>,
    /// Whether its process still runs.
    pub is_running: bool,
    /// How many steps it has.
    pub steps: u32,
    /// How many of them are in doubt.
    pub in_doubt: u32,
}

const RUNS: &str =
    "SELECT runs.id, kind, script, arguments, undoes, process, begun, ended, outcome,
    COUNT(steps.id), COUNT(CASE WHEN state IN (0, 4) THEN 1 END)
    FROM runs LEFT JOIN steps ON steps.run = runs.id";

const STEPS: &str =
    "SELECT steps.id, run, at, act, mailbox, uid_validity, uidplus, letters, facts, reverses,
    state, stored, protocol, host, port, user FROM steps JOIN accounts ON accounts.id = account";

impl Database {
    /// The newest runs, oldest first.
    ///
    /// # Errors
    /// [`StateError`]; the same holds for all that read.
    pub fn runs(&self, most: u32) -> Result<Vec<Run>, StateError> {
        let sql = format!("{RUNS} GROUP BY runs.id ORDER BY runs.id DESC LIMIT ?1");
        let mut runs = self.all(&sql, params![most], |row| self.run_of(row))?;
        runs.reverse();
        Ok(runs)
    }

    /// The run with this number.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn run(&self, id: i64) -> Result<Option<Run>, StateError> {
        let sql = format!("{RUNS} WHERE runs.id = ?1 GROUP BY runs.id");
        Ok(self.all(&sql, params![id], |row| self.run_of(row))?.pop())
    }

    /// The newest run that has changed something, or may have.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn last_run(&self) -> Result<Option<Run>, StateError> {
        let sql = format!(
            "{RUNS} WHERE state IN (0, 1, 4) OR state = 2 AND act LIKE '[\"move\"%'
                AND letters GLOB '*[,:*]*' GROUP BY runs.id ORDER BY runs.id DESC LIMIT 1"
        );
        let found = self.all(&sql, params![], |row| self.run_of(row))?.pop();
        found.map_or(Ok(None), |run| self.run(run.id))
    }

    /// The newest run with a step in doubt whose process has ended.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn last_run_in_doubt(&self) -> Result<Option<Run>, StateError> {
        let runs = self.runs(u32::MAX)?;
        Ok(runs.into_iter().rev().find(|run| run.in_doubt > 0 && !run.is_running))
    }

    /// The steps of a run, in order.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn steps(&self, run: i64) -> Result<Vec<Step>, StateError> {
        self.all(&format!("{STEPS} WHERE run = ?1 ORDER BY steps.id"), params![run], step_of)
    }

    /// The step with this number.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn step(&self, id: i64) -> Result<Option<Step>, StateError> {
        Ok(self.all(&format!("{STEPS} WHERE steps.id = ?1"), params![id], step_of)?.pop())
    }

    /// The changes of a kind in a mailbox that were written after a step, in order.
    pub(super) fn steps_like(
        &self,
        after: i64,
        act: &str,
        mailbox: Option<&str>,
    ) -> Result<Vec<Step>, StateError> {
        let sql =
            format!("{STEPS} WHERE steps.id > ?1 AND act = ?2 AND mailbox IS ?3 ORDER BY steps.id");
        self.all(&sql, params![after, act, mailbox], step_of)
    }

    /// The steps from this one on that move, copy or remove letters, or rename or delete mailboxes,
    /// in order; and the number of the last step that was looked at.
    pub(super) fn moving_steps_from(&self, step: i64) -> Result<(Vec<Step>, i64), StateError> {
        let last =
            self.all("SELECT MAX(id) FROM steps", params![], |row| row.get::<_, Option<i64>>(0))?;
        let last = last.into_iter().flatten().next().unwrap_or(0);
        let kinds = ["move", "copy", "expunge", "replace", "rename", "delete"];
        let kinds = kinds.map(|kind| format!("act LIKE '[\"{kind}\"%'")).join(" OR ");
        let sql =
            format!("{STEPS} WHERE steps.id BETWEEN ?1 AND ?2 AND ({kinds}) ORDER BY steps.id");
        Ok((self.all(&sql, params![step, last], step_of)?, last))
    }

    /// The steps from this one on that have stored letters or expunged some.
    pub(super) fn stored_from(&self, step: i64) -> Result<Vec<Step>, StateError> {
        let sql = format!(
            "{STEPS} WHERE steps.id >= ?1 AND (stored IS NOT NULL OR act LIKE '[\"expunge\"%')
                ORDER BY steps.id"
        );
        self.all(&sql, params![step], step_of)
    }

    /// The steps of a run for which a later step has changed flags, to take them back.
    pub(super) fn marked_by_undo(&self, run: i64) -> Result<HashSet<i64>, StateError> {
        let sql = "SELECT reverses FROM steps WHERE reverses IS NOT NULL AND act LIKE '[\"store\"%'
            AND id > (SELECT MIN(id) FROM steps WHERE run = ?1)";
        Ok(self.all(sql, params![run], |row| row.get(0))?.into_iter().collect())
    }

    /// The run that takes this one back right now.
    pub(super) fn undone_by(&self, run: i64) -> Result<Option<i64>, StateError> {
        let sql = "SELECT id FROM runs WHERE undoes = ?1 AND ended IS NULL";
        let undoing = self.all(sql, params![run], |row| row.get(0))?;
        Ok(undoing.into_iter().find(|undoing| self.is_running(*undoing)))
    }

    /// Writes what the server said about an uncertain step: its state, its facts, and where letters
    /// were stored.
    pub(super) fn settle_step(&self, step: &Step) -> Result<(), StateError> {
        let sql = "UPDATE steps SET state = ?2, stored = ?3, facts = ?4 WHERE id = ?1";
        let (stored, facts) =
            (step.stored.as_ref().map(stored_text), step.deed.facts.as_ref().map(facts_text));
        let row = params![step.id, step.state.number(), stored, facts];
        self.connection().execute(sql, row).map(drop).map_err(|error| self.failed(error))
    }

    pub(super) fn all<T>(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StateError> {
        let connection = self.connection();
        let rows = connection.prepare(sql).and_then(|mut statement| {
            statement.query_map(parameters, |row| read(row))?.collect::<rusqlite::Result<Vec<T>>>()
        });
        rows.map_err(|error| self.failed(error))
    }

    fn run_of(&self, row: &Row<'_>) -> rusqlite::Result<Run> {
        let (id, arguments, outcome) = (row.get(0)?, row.get::<_, String>(3)?, row.get(8)?);
        Ok(Run {
            id,
            kind: row.get(1)?,
            script: row.get(2)?,
            arguments: serde_json::from_str(&arguments).unwrap_or_default(),
            undoes: row.get(4)?,
            process: row.get(5)?,
            begun: row.get(6)?,
            ended: row.get(7)?,
            is_running: Option::is_none(&outcome) && self.is_running(id),
            outcome,
            steps: row.get(9)?,
            in_doubt: row.get(10)?,
        })
    }

    /// Whether the process of a run holds its lock.
    fn is_running(&self, run: i64) -> bool {
        let path = running_file(self, run);
        if !path.exists() {
            return false;
        }
        let Ok(file) = private_file(&path) else { return true };
        matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock))
    }
}

/// The file that the process of a run locks.
pub(super) fn running_file(database: &Database, run: i64) -> PathBuf {
    database.folder().join("running").join(run.to_string())
}

fn step_of(row: &Row<'_>) -> rusqlite::Result<Step> {
    let text = |at: usize| row.get::<_, Option<String>>(at);
    let act = text(3)?.as_deref().and_then(act_of);
    // Acts that this version does not know cannot be taken back; it shows them as programs.
    let act = act.unwrap_or(Act::Run { program: String::new(), to: Vec::new() });
    let change = Change { act, mailbox: text(4)?, letters: letters_of(text(7)?.as_deref()) };
    let (protocol, port, user) =
        (row.get::<_, String>(12)?, row.get(14)?, row.get::<_, String>(15)?);
    let deed = Deed {
        id: 0,
        host: row.get(13)?,
        account: account_of(&protocol, port, &user),
        uid_validity: row.get(5)?,
        has_uidplus: row.get(6)?,
        facts: text(8)?.as_deref().and_then(facts_of),
        ..Deed::new(change)
    };
    Ok(Step {
        id: row.get(0)?,
        run: row.get(1)?,
        at: row.get(2)?,
        deed,
        reverses: row.get(9)?,
        state: StepState::of(row.get(10)?),
        stored: text(11)?.as_deref().and_then(stored_of),
    })
}

/// Forgets runs that are too old, and the oldest if the file is too large. A run with a step in
/// doubt stays.
pub(super) fn forget_old(database: &Database) -> Result<(), StateError> {
    forget(database, now() - KEPT_DAYS * 86_400_000, KEPT_BYTES)
}

/// Writes an end for runs whose process is gone.
fn close_interrupted(database: &Database) -> Result<(), StateError> {
    let sql = "SELECT id FROM runs WHERE ended IS NULL";
    for run in database.all(sql, params![], |row| row.get::<_, i64>(0))? {
        if !database.is_running(run) {
            let sql = "UPDATE runs SET ended = ?2, outcome = 'interrupted' WHERE id = ?1 AND ended IS NULL";
            let written = database.connection().execute(sql, params![run, now()]);
            written.map_err(|error| database.failed(error))?;
            let _ = std::fs::remove_file(running_file(database, run)); // an unlocked file means the same
        }
    }
    Ok(())
}

fn forget(database: &Database, before: i64, most_bytes: usize) -> Result<(), StateError> {
    close_interrupted(database)?;
    let connection = database.connection();
    let settled = "ended IS NOT NULL AND NOT EXISTS (SELECT 1 FROM steps WHERE run = runs.id AND state IN (0, 4))";
    let failed = |error: rusqlite::Error| database.failed(error);
    let old = format!("DELETE FROM runs WHERE begun < ?1 AND {settled}");
    let mut gone = connection.execute(&old, params![before]).map_err(failed)?;
    let used = || {
        let pages =
            database.pragma("page_count")?.saturating_sub(database.pragma("freelist_count")?);
        Ok::<_, StateError>(pages * database.pragma("page_size")?)
    };
    while used()? > most_bytes {
        let oldest = format!("SELECT id FROM runs WHERE {settled} ORDER BY id LIMIT 1");
        let oldest = connection.query_row(&oldest, [], |row| row.get::<_, i64>(0)).optional();
        let Some(oldest) = oldest.map_err(failed)? else { break };
        gone += connection.execute("DELETE FROM runs WHERE id = ?1", [oldest]).map_err(failed)?;
    }
    if gone > 0 {
        connection.execute_batch("PRAGMA incremental_vacuum").map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Sync;

    /// A database with a run for each row: when it began, whether it has ended, the state of its
    /// step.
    fn with_runs(runs: &[(i64, bool, StepState)]) -> (tempfile::TempDir, Database) {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(folder.path(), Sync::Normal).unwrap();
        let connection = database.connection();
        connection.execute("INSERT INTO accounts VALUES (1, 'imap', 'h', 143, 'u')", []).unwrap();
        for (begun, ended, state) in runs {
            let ended = ended.then_some(begun);
            let run = "INSERT INTO runs (kind, arguments, process, begun, ended) VALUES ('run', '[]', 1, ?1, ?2)";
            connection.execute(run, params![begun, ended]).unwrap();
            let step = "INSERT INTO steps (run, account, at, act, uidplus, state) VALUES (?1, 1, 0, ?3, 1, ?2)";
            let act = format!("[\"rename\",\"{}\"]", "x".repeat(100_000));
            let row = params![connection.last_insert_rowid(), state.number(), act];
            connection.execute(step, row).unwrap();
        }
        (folder, database)
    }

    fn numbers(database: &Database) -> Vec<i64> {
        database.runs(100).unwrap().iter().map(|run| run.id).collect()
    }

    #[test]
    fn old_runs_are_forgotten_but_not_those_in_doubt() {
        let runs = [
            (10, true, StepState::Done),
            (10, true, StepState::InDoubt),
            (10, false, StepState::Done),
            (10, true, StepState::Refused),
            (99, true, StepState::Done),
        ];
        let (_folder, database) = with_runs(&runs);
        forget(&database, 50, KEPT_BYTES).unwrap();
        assert_eq!(numbers(&database), [2, 5]);
        assert_eq!(database.steps(1).unwrap(), []);
    }

    #[test]
    fn the_oldest_runs_are_forgotten_when_the_file_is_too_large() {
        let mut runs = [(10, true, StepState::Done); 10];
        runs[3].2 = StepState::Begun;
        let (_folder, database) = with_runs(&runs);
        let pages = || database.pragma("page_count").unwrap();
        let before = pages();
        forget(&database, 0, 500_000).unwrap();
        let left = numbers(&database);
        assert!(left.contains(&4) && left.contains(&10) && left.len() <= 5, "{left:?}");
        assert!(pages() < before, "the file shrinks");
        forget(&database, 0, 0).unwrap();
        assert_eq!(numbers(&database), [4]);
    }
}
