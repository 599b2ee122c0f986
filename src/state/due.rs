//! Letters that a watch has to handle: new ones, and ones whose procedure has failed.
//!
//! A watch writes the new letters of a mailbox down and moves its cursor behind them, both in one
//! transaction. Each letter's row goes when the letter was handled. So a process that is killed at
//! any instant finds what is left, and a letter that fails keeps no other waiting.
//!
//! A row belongs to a cursor, and to the UIDVALIDITY of its UID. After a change of UIDVALIDITY the
//! row's identity tells which letter it was.

use super::database::{Database, StateError, make_private, private_file};
use super::{Cursor, CursorKey};
use rusqlite::params;
use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::time::Duration;

/// A letter that has to be handled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The UIDVALIDITY of the UID.
    pub uid_validity: u32,
    /// The UID.
    pub uid: u32,
    /// What tells the letter again under another UIDVALIDITY, made of Message-ID, date and size.
    pub identity: u64,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried again, in milliseconds since 1970; `None` if it is set aside.
    pub next: Option<i64>,
    /// Why the last attempt failed.
    pub error: Option<String>,
}

const COLUMNS: &str = "uid_validity, uid, identity, attempts, next, error";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Due> {
    Ok(Due {
        uid_validity: row.get("uid_validity")?,
        uid: row.get("uid")?,
        identity: row.get::<_, i64>("identity")?.cast_unsigned(),
        attempts: row.get("attempts")?,
        next: row.get("next")?,
        error: row.get("error")?,
    })
}

impl Database {
    /// Moves a cursor, and writes down which letters have to be handled now, both or neither.
    /// Letters that are written down already stay as they are. Returns `false`, and changes nothing, if
    /// another process has committed the cursor meanwhile; see [`Database::commit_cursor`].
    ///
    /// # Errors
    /// [`StateError`].
    pub fn take_in(
        &self,
        key: &CursorKey,
        cursor: &Cursor,
        letters: &[(u32, u64)],
        now: i64,
    ) -> Result<bool, StateError> {
        self.whole(|| {
            if !self.commit_cursor(key, cursor, now / 1000)? {
                return Ok(false);
            }
            let sql = "INSERT OR IGNORE INTO due
                (account, mailbox, name, uid_validity, uid, identity, attempts, next)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7)";
            let mut insert = self.connection().prepare(sql).map_err(|error| self.failed(error))?;
            for (uid, identity) in letters {
                let identity = identity.cast_signed();
                insert
                    .execute(params![
                        key.account,
                        key.mailbox,
                        key.name,
                        cursor.uid_validity,
                        uid,
                        identity,
                        now
                    ])
                    .map_err(|error| self.failed(error))?;
            }
            Ok(true)
        })
    }

    /// The letters of a cursor that have to be handled, in the order of their UIDs.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn due(&self, key: &CursorKey) -> Result<Vec<Due>, StateError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM due WHERE account = ?1 AND mailbox = ?2 AND name = ?3
             ORDER BY uid_validity, uid"
        );
        self.all(&sql, params![key.account, key.mailbox, key.name], read)
    }

    /// All letters that have failed, with their cursors.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn failed_letters(&self) -> Result<Vec<(CursorKey, Due)>, StateError> {
        let sql = format!(
            "SELECT account, mailbox, name, {COLUMNS} FROM due WHERE attempts > 0
             ORDER BY account, mailbox, name, uid_validity, uid"
        );
        self.all(&sql, params![], |row| {
            let key = CursorKey {
                account: row.get("account")?,
                mailbox: row.get("mailbox")?,
                name: row.get("name")?,
            };
            Ok((key, read(row)?))
        })
    }

    /// A letter was handled, or is not there any more.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn done_with(
        &self,
        key: &CursorKey,
        uid_validity: u32,
        uid: u32,
    ) -> Result<(), StateError> {
        let sql = "DELETE FROM due
            WHERE account = ?1 AND mailbox = ?2 AND name = ?3 AND uid_validity = ?4 AND uid = ?5";
        let row = params![key.account, key.mailbox, key.name, uid_validity, uid];
        self.connection().execute(sql, row).map(drop).map_err(|error| self.failed(error))
    }

    /// Writes how an attempt has failed, and when the next one is.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn note_failure(&self, key: &CursorKey, letter: &Due) -> Result<(), StateError> {
        let sql = "UPDATE due SET attempts = ?6, next = ?7, error = ?8
            WHERE account = ?1 AND mailbox = ?2 AND name = ?3 AND uid_validity = ?4 AND uid = ?5";
        let row = params![
            key.account,
            key.mailbox,
            key.name,
            letter.uid_validity,
            letter.uid,
            letter.attempts,
            letter.next,
            letter.error
        ];
        self.connection().execute(sql, row).map(drop).map_err(|error| self.failed(error))
    }

    /// Gives a letter another UID, after a change of UIDVALIDITY.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn renumber(&self, key: &CursorKey, from: &Due, to: (u32, u32)) -> Result<(), StateError> {
        let sql = "UPDATE OR REPLACE due SET uid_validity = ?6, uid = ?7
            WHERE account = ?1 AND mailbox = ?2 AND name = ?3 AND uid_validity = ?4 AND uid = ?5";
        let (uid_validity, uid) = to;
        let row = params![
            key.account,
            key.mailbox,
            key.name,
            from.uid_validity,
            from.uid,
            uid_validity,
            uid
        ];
        self.connection().execute(sql, row).map(drop).map_err(|error| self.failed(error))
    }

    /// Lets letters that have failed be tried again now, as if for the first time. Returns how many.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn retry_failed(&self, now: i64) -> Result<usize, StateError> {
        let sql = "UPDATE due SET attempts = 0, next = ?1 WHERE attempts > 0";
        self.connection().execute(sql, [now]).map_err(|error| self.failed(error))
    }

    /// Makes the owner of the cursors of a watch. It lives as long as the value.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn begin_watch(&self) -> Result<Owner, StateError> {
        let mut id = [0; 8];
        getrandom::fill(&mut id).map_err(|error| self.failed(error))?;
        let name: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        if !self.is_file() {
            return Ok(Owner { name, held: None });
        }
        let path = self.file_of(&name);
        let file = make_private(&self.running()).and_then(|()| private_file(&path));
        let file = file.map_err(|error| self.failed(error))?;
        file.try_lock().map_err(|error| self.failed(error))?;
        self.forget_dead_owners();
        Ok(Owner { name, held: Some((file, path)) })
    }

    /// Claims a cursor for a watch, so that no other one uses it. Returns `false` if another owner,
    /// who lives, has it.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn claim_cursor(&self, owner: &Owner, key: &CursorKey) -> Result<bool, StateError> {
        self.whole(|| {
            let sql = "SELECT owner FROM claims WHERE account = ?1 AND mailbox = ?2 AND name = ?3";
            let row = params![key.account, key.mailbox, key.name];
            let claimed = self.all(sql, row, |row| row.get::<_, String>("owner"))?;
            if claimed.iter().any(|other| *other != owner.name && self.lives(other)) {
                return Ok(false);
            }
            let sql = "INSERT OR REPLACE INTO claims (account, mailbox, name, owner)
                VALUES (?1, ?2, ?3, ?4)";
            let row = params![key.account, key.mailbox, key.name, owner.name];
            self.connection().execute(sql, row).map_err(|error| self.failed(error))?;
            Ok(true)
        })
    }

    /// Removes the files that killed processes have left. Young ones may not be locked yet.
    fn forget_dead_owners(&self) {
        for entry in std::fs::read_dir(self.running()).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_ours = path.extension().is_some_and(|extension| extension == "watch");
            let age = entry.metadata().and_then(|facts| facts.modified()).map(|at| at.elapsed());
            let is_old = matches!(age, Ok(Ok(age)) if age > Duration::from_secs(3600));
            if is_ours && is_old && File::open(&path).is_ok_and(|file| file.try_lock().is_ok()) {
                let _ = std::fs::remove_file(path); // another process may have done so
            }
        }
    }

    /// Whether an owner holds its file. Those of a database in memory have none.
    fn lives(&self, owner: &str) -> bool {
        let file = self.is_file().then(|| File::open(self.file_of(owner)));
        let Some(Ok(file)) = file else { return false };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }

    fn running(&self) -> PathBuf {
        self.folder().join("running")
    }

    fn file_of(&self, owner: &str) -> PathBuf {
        self.running().join(format!("{owner}.watch"))
    }

    /// Runs statements in a transaction, which is taken back if they return an error or `false`.
    fn whole(&self, run: impl FnOnce() -> Result<bool, StateError>) -> Result<bool, StateError> {
        self.transaction(run, |all| *all)
    }

    /// Runs queries in one transaction, which is taken back if one of them fails. They cannot be such
    /// that have a transaction of their own.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn together(&self, run: impl FnOnce() -> Result<(), StateError>) -> Result<(), StateError> {
        self.transaction(run, |()| true)
    }

    fn transaction<T>(
        &self,
        run: impl FnOnce() -> Result<T, StateError>,
        is_kept: impl FnOnce(&T) -> bool,
    ) -> Result<T, StateError> {
        let execute =
            |sql| self.connection().execute_batch(sql).map_err(|error| self.failed(error));
        execute("BEGIN IMMEDIATE")?;
        let result = run();
        let end = match &result {
            Ok(result) if is_kept(result) => execute("COMMIT"),
            _ => execute("ROLLBACK"),
        };
        let result = result?;
        end?;
        Ok(result)
    }
}

/// The owner of the cursors of a watch. Others may claim them when it is dropped, or its process has
/// ended.
#[derive(Debug)]
pub struct Owner {
    name: String,
    /// Locked as long as it is open.
    held: Option<(File, PathBuf)>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        if let Some((_, path)) = &self.held {
            let _ = std::fs::remove_file(path); // an empty file that is left says that nobody lives
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Sync;

    fn key(name: &str) -> CursorKey {
        CursorKey { account: "me@host".into(), mailbox: "INBOX".into(), name: name.into() }
    }

    fn uids(database: &Database) -> Vec<u32> {
        database.due(&key("a")).unwrap().iter().map(|due| due.uid).collect()
    }

    #[test]
    fn letters_are_written_down_with_the_cursor_or_not_at_all() {
        let database = Database::in_memory().unwrap();
        let cursor = Cursor { uid_validity: 7, uid: 9, ..Cursor::default() };
        assert!(database.take_in(&key("a"), &cursor, &[(8, u64::MAX), (9, 1)], 5000).unwrap());
        let due = Due {
            uid_validity: 7,
            uid: 8,
            identity: u64::MAX,
            attempts: 0,
            next: Some(5000),
            error: None,
        };
        assert_eq!(database.due(&key("a")).unwrap()[0], due);
        assert!(database.due(&key("b")).unwrap().is_empty());
        // Another process was faster.
        assert!(!database.take_in(&key("a"), &cursor, &[(10, 2)], 5000).unwrap());
        assert_eq!(uids(&database), [8, 9]);
        let next = Cursor { revision: 1, uid: 10, ..cursor };
        assert!(database.take_in(&key("a"), &next, &[(9, 1), (10, 2)], 6000).unwrap());
        assert_eq!(uids(&database), [8, 9, 10]);
        database.done_with(&key("a"), 7, 9).unwrap();
        assert_eq!(uids(&database), [8, 10]);
    }

    #[test]
    fn failures_are_kept_until_they_are_tried_again() {
        let database = Database::in_memory().unwrap();
        let cursor = Cursor { uid_validity: 7, uid: 9, ..Cursor::default() };
        database.take_in(&key("a"), &cursor, &[(8, 1), (9, 2)], 5000).unwrap();
        assert!(database.failed_letters().unwrap().is_empty());
        let mut letter = database.due(&key("a")).unwrap().remove(0);
        (letter.attempts, letter.next, letter.error) = (5, None, Some("no".into()));
        database.note_failure(&key("a"), &letter).unwrap();
        assert_eq!(database.failed_letters().unwrap(), [(key("a"), letter.clone())]);
        database.renumber(&key("a"), &letter, (8, 1)).unwrap();
        assert_eq!(database.retry_failed(9000).unwrap(), 1);
        let again = Due { uid_validity: 8, uid: 1, attempts: 0, next: Some(9000), ..letter };
        assert_eq!(database.due(&key("a")).unwrap()[1], again);
    }

    #[test]
    fn one_process_at_a_time_watches_with_a_cursor() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Database::open(folder.path(), Sync::Normal).unwrap();
        let (one, two) = (open(), open());
        let (first, second) = (one.begin_watch().unwrap(), two.begin_watch().unwrap());
        assert!(one.claim_cursor(&first, &key("a")).unwrap());
        assert!(one.claim_cursor(&first, &key("a")).unwrap());
        assert!(!two.claim_cursor(&second, &key("a")).unwrap());
        assert!(two.claim_cursor(&second, &key("b")).unwrap());
        drop(first);
        assert!(two.claim_cursor(&second, &key("a")).unwrap());
    }
}
