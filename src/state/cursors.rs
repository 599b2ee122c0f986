//! Cursors: up to which letter of a mailbox a script has come.
//!
//! A cursor is a UID under a UIDVALIDITY: letters above it are new, because a server gives each new
//! letter a higher UID (RFC 3501 2.3.1.1). Should the UIDVALIDITY change, the UIDs mean nothing any
//! more; for that case the cursor remembers what tells the last letters again ([`Known`]).
//!
//! Each commit raises the cursor's revision. A commit names the revision that it follows, so that
//! of two processes with the same cursor the second is told ([`Database::commit_cursor`]).

use super::{Database, StateError};
use rusqlite::{OptionalExtension, params};

/// Which cursor: the account, the mailbox and the script's name for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CursorKey {
    /// `user@host`, with `:port` unless it is the protocol's own.
    pub account: String,
    /// The mailbox's name.
    pub mailbox: String,
    /// The name that the script gave it.
    pub name: String,
}

/// The most letters that a cursor remembers.
pub const MOST_KNOWN: usize = 1000;

/// What tells letters again under another UIDVALIDITY.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// A number for each of the last letters, made of Message-ID, date and size; oldest first, at
    /// most [`MOST_KNOWN`].
    pub letters: Vec<u64>,
    /// Whether the mailbox had earlier letters, which are not among them.
    pub has_earlier: bool,
}

/// Where a script has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The UIDVALIDITY of the UID.
    pub uid_validity: u32,
    /// The highest UID that is not new.
    pub uid: u32,
    /// What tells the last letters again.
    pub known: Known,
    /// How often it was committed.
    pub revision: i64,
    /// When it was committed last, in seconds since 1970.
    pub committed: i64,
}

impl Known {
    /// Adds letters, and forgets the oldest beyond [`MOST_KNOWN`].
    pub fn add(&mut self, letters: impl IntoIterator<Item = u64>) {
        self.letters.extend(letters);
        let surplus = self.letters.len().saturating_sub(MOST_KNOWN);
        self.has_earlier |= surplus > 0;
        self.letters.drain(..surplus);
    }

    fn bytes(&self) -> Vec<u8> {
        self.letters.iter().flat_map(|letter| letter.to_le_bytes()).collect()
    }

    fn read(bytes: &[u8], has_earlier: bool) -> Self {
        let letters = bytes.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
        Known { letters, has_earlier }
    }
}

const COLUMNS: &str = "uid_validity, uid, known, has_earlier, revision, committed";

/// Makes a cursor of revision 0, or replaces the one of the revision that is named.
const COMMIT: &str = "
    INSERT INTO cursors (account, mailbox, name, uid_validity, uid, known, has_earlier, revision, committed)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 + 1, ?9
    WHERE ?8 = 0
        OR EXISTS (SELECT 1 FROM cursors WHERE account = ?1 AND mailbox = ?2 AND name = ?3)
    ON CONFLICT (account, mailbox, name) DO UPDATE
    SET uid_validity = ?4, uid = ?5, known = ?6, has_earlier = ?7, revision = ?8 + 1, committed = ?9
    WHERE revision = ?8";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Cursor> {
    Ok(Cursor {
        uid_validity: row.get("uid_validity")?,
        uid: row.get("uid")?,
        known: Known::read(row.get_ref("known")?.as_blob()?, row.get("has_earlier")?),
        revision: row.get("revision")?,
        committed: row.get("committed")?,
    })
}

impl Database {
    /// Finds a cursor.
    ///
    /// # Errors
    /// [`StateError`] if the database cannot be read.
    pub fn cursor(&self, key: &CursorKey) -> Result<Option<Cursor>, StateError> {
        let query = format!(
            "SELECT {COLUMNS} FROM cursors WHERE account = ?1 AND mailbox = ?2 AND name = ?3"
        );
        let found = self.connection().prepare(&query).and_then(|mut statement| {
            statement.query_row([&key.account, &key.mailbox, &key.name], read).optional()
        });
        found.map_err(|error| self.failed(error))
    }

    /// All cursors, in the order of account, mailbox and name.
    ///
    /// # Errors
    /// [`StateError`] if the database cannot be read.
    pub fn cursors(&self) -> Result<Vec<(CursorKey, Cursor)>, StateError> {
        let query = format!(
            "SELECT account, mailbox, name, {COLUMNS} FROM cursors ORDER BY account, mailbox, name"
        );
        let found = self.connection().prepare(&query).and_then(|mut statement| {
            let rows = statement.query_map([], |row| {
                let key = CursorKey {
                    account: row.get("account")?,
                    mailbox: row.get("mailbox")?,
                    name: row.get("name")?,
                };
                Ok((key, read(row)?))
            })?;
            rows.collect()
        });
        found.map_err(|error| self.failed(error))
    }

    /// Stores a cursor, if its revision there is still that of `cursor`; 0 stands for a new one.
    /// The new revision is one more. Returns whether it was stored: `false` if another process has
    /// committed meanwhile.
    ///
    /// # Errors
    /// [`StateError`] if the database cannot be written.
    pub fn commit_cursor(
        &self,
        key: &CursorKey,
        cursor: &Cursor,
        now: i64,
    ) -> Result<bool, StateError> {
        let values = params![
            key.account,
            key.mailbox,
            key.name,
            cursor.uid_validity,
            cursor.uid,
            cursor.known.bytes(),
            cursor.known.has_earlier,
            cursor.revision,
            now,
        ];
        let stored = self.connection().prepare(COMMIT).and_then(|mut it| it.execute(values));
        stored.map(|stored| stored == 1).map_err(|error| self.failed(error))
    }

    /// Forgets a cursor, and its letters that a watch has not handled. Returns whether there was one.
    ///
    /// # Errors
    /// [`StateError`] if the database cannot be written.
    pub fn forget_cursor(&self, key: &CursorKey) -> Result<bool, StateError> {
        let from = |table: &str| {
            let sql =
                format!("DELETE FROM {table} WHERE account = ?1 AND mailbox = ?2 AND name = ?3");
            self.connection()
                .execute(&sql, [&key.account, &key.mailbox, &key.name])
                .map_err(|error| self.failed(error))
        };
        from("due")?;
        Ok(from("cursors")? == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> CursorKey {
        CursorKey { account: "me@host".into(), mailbox: "INBOX".into(), name: name.into() }
    }

    #[test]
    fn a_cursor_is_stored_and_found_again() {
        let database = Database::in_memory().unwrap();
        assert_eq!(database.cursor(&key("a")).unwrap(), None);
        let mut known = Known::default();
        known.add([7, u64::MAX]);
        let cursor = Cursor { uid_validity: 1, uid: 9, known, revision: 0, committed: 0 };
        assert!(database.commit_cursor(&key("a"), &cursor, 5).unwrap());
        let stored = Cursor { revision: 1, committed: 5, ..cursor };
        assert_eq!(database.cursor(&key("a")).unwrap(), Some(stored.clone()));
        assert_eq!(database.cursors().unwrap(), [(key("a"), stored)]);
        assert!(database.forget_cursor(&key("a")).unwrap());
        assert!(!database.forget_cursor(&key("a")).unwrap());
    }

    #[test]
    fn only_one_commit_follows_a_revision() {
        let database = Database::in_memory().unwrap();
        let cursor = |revision| Cursor { revision, ..Cursor::default() };
        for (revision, is_stored) in
            [(1, false), (0, true), (0, false), (1, true), (1, false), (2, true)]
        {
            let stored = database.commit_cursor(&key("a"), &cursor(revision), 0).unwrap();
            assert_eq!(stored, is_stored, "{revision}");
        }
    }

    #[test]
    fn the_oldest_letters_are_forgotten() {
        let mut known = Known::default();
        known.add(0..1500);
        assert_eq!(
            (known.letters[0], known.letters.len(), known.has_earlier),
            (500, MOST_KNOWN, true)
        );
    }
}
