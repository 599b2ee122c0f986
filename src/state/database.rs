//! The state database: one SQLite file for each user.
//!
//! It is in write-ahead mode, so that several processes can read and write it at once; one that
//! waits longer than [`PATIENCE`] for another gives up. A transaction that was committed survives
//! `kill -9`. With [`Sync::Normal`] a power cut may lose the last second; with [`Sync::Full`] each
//! transaction is on the disk before it counts.
//!
//! `user_version` holds the number of the schema. [`MIGRATIONS`] has the statements that lead from
//! each version to the next. A file lock keeps two processes from opening a new file together.

use rusqlite::{Connection, OptionalExtension};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;

/// The longest wait for another process.
const PATIENCE: Duration = Duration::from_secs(10);

/// The statements that lead from each version of the schema to the next; the first makes it.
const MIGRATIONS: [&str; 4] = [
    "
    CREATE TABLE accounts (
        id INTEGER PRIMARY KEY,
        protocol TEXT NOT NULL,
        host TEXT NOT NULL,
        port INTEGER NOT NULL,
        user TEXT NOT NULL,
        UNIQUE (protocol, host, port, user)
    );
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,
        script TEXT,
        arguments TEXT NOT NULL,
        undoes INTEGER,
        process INTEGER NOT NULL,
        begun INTEGER NOT NULL,
        ended INTEGER,
        outcome TEXT
    );
    CREATE TABLE steps (
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
        account INTEGER NOT NULL REFERENCES accounts (id),
        at INTEGER NOT NULL,
        act TEXT NOT NULL,
        mailbox TEXT,
        uid_validity INTEGER,
        uidplus INTEGER NOT NULL,
        letters TEXT,
        facts TEXT,
        reverses INTEGER,
        state INTEGER NOT NULL,
        stored TEXT
    );
    CREATE INDEX steps_of_run ON steps (run);
",
    "
    CREATE TABLE cursors (
        account TEXT NOT NULL,
        mailbox TEXT NOT NULL,
        name TEXT NOT NULL,
        uid_validity INTEGER NOT NULL,
        uid INTEGER NOT NULL,
        known BLOB NOT NULL,
        has_earlier INTEGER NOT NULL,
        revision INTEGER NOT NULL,
        committed INTEGER NOT NULL,
        PRIMARY KEY (account, mailbox, name)
    ) WITHOUT ROWID;
",
    "
    CREATE TABLE applied (
        plan TEXT NOT NULL,
        step INTEGER NOT NULL,
        state INTEGER NOT NULL,
        becomes TEXT,
        after INTEGER NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (plan, step)
    ) WITHOUT ROWID;
",
    "
    CREATE TABLE due (
        account TEXT NOT NULL,
        mailbox TEXT NOT NULL,
        name TEXT NOT NULL,
        uid_validity INTEGER NOT NULL,
        uid INTEGER NOT NULL,
        identity INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        next INTEGER,
        error TEXT,
        PRIMARY KEY (account, mailbox, name, uid_validity, uid)
    ) WITHOUT ROWID;
    CREATE TABLE claims (
        account TEXT NOT NULL,
        mailbox TEXT NOT NULL,
        name TEXT NOT NULL,
        owner TEXT NOT NULL,
        PRIMARY KEY (account, mailbox, name)
    ) WITHOUT ROWID;
",
];

/// The state database cannot be used.
#[derive(Debug, Error)]
#[error("the state database {path}: {cause}")]
pub struct StateError {
    /// The file.
    pub path: String,
    /// What is wrong with it.
    pub cause: String,
}

/// When a transaction counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sync {
    /// When the system has it: it survives the process, but not always a power cut.
    #[default]
    Normal,
    /// When the disk has it.
    Full,
}

/// An open state database.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
    path: PathBuf,
}

impl Database {
    /// Opens the database in a folder, and makes both if they are not there. Only their owner can
    /// read them.
    ///
    /// # Errors
    /// [`StateError`]: the file cannot be made or is none of ours, or a newer version has made it.
    pub fn open(folder: &Path, sync: Sync) -> Result<Self, StateError> {
        let path = folder.join("state.db");
        let failed = |cause: String| StateError { path: path.display().to_string(), cause };
        let by_system = |error: std::io::Error| failed(error.to_string());
        make_private(folder).map_err(by_system)?;
        let lock = private_file(&folder.join("state.lock")).map_err(by_system)?;
        lock.lock().map_err(by_system)?;
        // SQLite gives its other files the mode of this one. The file is not opened if it is there:
        // closing it would release the locks of all connections of this process.
        if path.exists() {
            set_private(&path).map_err(by_system)?;
        } else {
            drop(private_file(&path).map_err(by_system)?);
        }
        let connection = open(&path, sync).map_err(|error| failed(error.to_string()))?;
        let database = Database { connection, path: path.clone() };
        database.migrate()?;
        Ok(database)
    }

    /// A database that ends with the process, for mail that does so too.
    ///
    /// # Errors
    /// [`StateError`] if there is no memory for it.
    pub fn in_memory() -> Result<Self, StateError> {
        let path = PathBuf::from("in memory");
        let connection = Connection::open_in_memory().map_err(|error| StateError {
            path: path.display().to_string(),
            cause: error.to_string(),
        })?;
        let database = Database { connection, path };
        database.migrate()?;
        Ok(database)
    }

    /// A database that ends with the process, with the cursors of the one in a folder.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub fn copy_of(folder: &Path) -> Result<Self, StateError> {
        let copy = Database::in_memory()?;
        if let Some(kept) = Database::open_existing(folder)? {
            let attach = "ATTACH DATABASE ?1 AS kept";
            let path = kept.path.display().to_string();
            copy.connection
                .execute(attach, [path])
                .and_then(|_| {
                    copy.connection.execute_batch(
                        "INSERT INTO cursors SELECT * FROM kept.cursors; DETACH DATABASE kept;",
                    )
                })
                .map_err(|error| kept.failed(error))?;
        }
        Ok(copy)
    }

    /// Opens the database if there is one.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub fn open_existing(folder: &Path) -> Result<Option<Self>, StateError> {
        let exists = folder.join("state.db").exists();
        exists.then(|| Database::open(folder, Sync::Normal)).transpose()
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Whether other processes can have it open, too.
    pub(super) fn is_file(&self) -> bool {
        !self.folder().as_os_str().is_empty()
    }

    /// The folder of the file.
    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    pub(super) fn failed(&self, cause: impl ToString) -> StateError {
        StateError { path: self.path.display().to_string(), cause: cause.to_string() }
    }

    /// Brings the schema to the newest version.
    fn migrate(&self) -> Result<(), StateError> {
        let latest = MIGRATIONS.len();
        let version: usize = self.pragma("user_version")?;
        if version > latest {
            let cause = format!(
                "a newer Postoffice made it: its schema is {version}, this one knows {latest}"
            );
            return Err(self.failed(cause));
        }
        for (statements, version) in MIGRATIONS.iter().zip(1..).skip(version) {
            let whole =
                format!("BEGIN IMMEDIATE;{statements};PRAGMA user_version = {version};COMMIT");
            self.connection.execute_batch(&whole).map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    pub(super) fn pragma(&self, name: &str) -> Result<usize, StateError> {
        let value = self.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let value = value.optional().map_err(|error| self.failed(error))?.unwrap_or(0);
        Ok(usize::try_from(value).unwrap_or(0))
    }
}

fn open(path: &Path, sync: Sync) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(PATIENCE)?;
    let synchronous = if sync == Sync::Full { "FULL" } else { "NORMAL" };
    // Few checkpoints, because each waits for the disk.
    connection.execute_batch(&format!(
        "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous};
         PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 4000; PRAGMA trusted_schema = OFF;"
    ))?;
    Ok(connection)
}

/// Makes a folder that only its owner can enter.
pub(crate) fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Opens a file that only its owner can read, and makes it if it is not there.
pub(crate) fn private_file(path: &Path) -> std::io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    set_private(path)?;
    Ok(file)
}

/// Lets only the owner read a file.
fn set_private(path: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_of_the_schema_is_brought_to_the_newest() {
        for version in 0..=MIGRATIONS.len() {
            let folder = tempfile::tempdir().unwrap();
            let old = Connection::open(folder.path().join("state.db")).unwrap();
            old.execute_batch(&MIGRATIONS[..version].concat()).unwrap();
            old.pragma_update(None, "user_version", version as i64).unwrap();
            drop(old);
            let database = Database::open(folder.path(), Sync::Normal).unwrap();
            assert_eq!(database.pragma("user_version").unwrap(), MIGRATIONS.len());
            database.connection().prepare("SELECT stored FROM steps").unwrap();
        }
    }

    #[test]
    fn what_a_newer_version_made_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let newer = Connection::open(folder.path().join("state.db")).unwrap();
        newer.pragma_update(None, "user_version", 1000).unwrap();
        drop(newer);
        let error = Database::open(folder.path(), Sync::Normal).unwrap_err();
        assert!(error.cause.starts_with("a newer Postoffice made it"), "{error}");
    }

    #[test]
    fn what_is_no_database_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state.db");
        fs::write(&file, vec![b'x'; 5000]).unwrap();
        let error = Database::open(folder.path(), Sync::Normal).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("the state database {}: file is not a database", file.display())
        );
    }

    #[test]
    fn several_open_a_new_one_at_once() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| Database::open(folder.path(), Sync::Full).unwrap());
            }
        });
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt;
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("state/postoffice");
        let database = Database::open(&folder, Sync::Normal).unwrap();
        database
            .connection()
            .execute("INSERT INTO accounts VALUES (1, 'imap', 'h', 1, 'u')", [])
            .unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        for name in ["state.db", "state.db-wal", "state.db-shm", "state.lock"] {
            assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
        }
    }
}
