//! Which steps of a plan were done.
//!
//! Each step is written before it begins and after its end. If the process ends between the two,
//! the journal tells: the step's changes are those of its kind that a run of the plan has written there
//! since.

use super::database::{Database, StateError, make_private, private_file};
use super::now;
use super::rows::{Step, act_text, stored_of, stored_text};
use super::runs::KEPT_DAYS;
use crate::proto::deed::Act;
use crate::proto::imap::{CopiedUids, SequenceSet};
use rusqlite::params;
use std::fs::{File, TryLockError};

/// How far a step of a plan has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppliedState {
    /// It began. Its end is not known; the number is that of the last step in the journal before.
    Begun(i64),
    /// It was done, and letters got these UIDs.
    Done(Option<CopiedUids>),
    /// It was left out.
    LeftOut,
}

impl AppliedState {
    /// Whether nothing is left to do.
    pub fn is_over(&self) -> bool {
        !matches!(self, AppliedState::Begun(_))
    }
}

impl Database {
    /// The steps of a plan that were begun, by their numbers. `plan` tells plans apart.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn applied(&self, plan: &str) -> Result<Vec<(usize, AppliedState)>, StateError> {
        let sql = "SELECT step, state, becomes, after FROM applied
            WHERE plan = ?1 AND step > 0 ORDER BY step";
        self.all(sql, params![plan], |row| {
            let becomes = row.get::<_, Option<String>>(2)?.as_deref().and_then(stored_of);
            let state = match row.get::<_, i64>(1)? {
                0 => AppliedState::Begun(row.get(3)?),
                1 => AppliedState::Done(becomes),
                _ => AppliedState::LeftOut,
            };
            Ok((usize::try_from(row.get::<_, i64>(0)?).unwrap_or(0), state))
        })
    }

    /// Keeps other processes from doing a plan as long as the file is open; `None` if another one is
    /// doing it.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn lock_plan(&self, plan: &str) -> Result<Option<File>, StateError> {
        let folder = self.folder().join("running");
        let file = make_private(&folder).and_then(|()| private_file(&folder.join(plan)));
        let file = file.map_err(|error| self.failed(error))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(self.failed(error)),
        }
    }

    /// Removes the file of a plan that is done.
    pub fn forget_lock(&self, plan: &str) {
        // What is left behind is empty.
        let _ = std::fs::remove_file(self.folder().join("running").join(plan));
    }

    /// Writes that a step begins. Forgets plans of long ago.
    ///
    /// # Errors
    /// [`StateError`]; the step must not begin.
    pub fn begin_applying(&self, plan: &str, step: usize) -> Result<(), StateError> {
        let old = now() - KEPT_DAYS * 86_400_000;
        let forget = "DELETE FROM applied WHERE plan IN
            (SELECT plan FROM applied WHERE plan != ?2 GROUP BY plan HAVING MAX(at) < ?1)";
        self.execute(forget, params![old, plan])?;
        let sql = "INSERT OR REPLACE INTO applied (plan, step, state, becomes, after, at)
            SELECT ?1, ?2, 0, NULL, COALESCE(MAX(id), 0), ?3 FROM steps";
        self.execute(sql, params![plan, i64::try_from(step).unwrap_or(0), now()])
    }

    /// Writes how a step ended.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn end_applying(
        &self,
        plan: &str,
        step: usize,
        state: &AppliedState,
    ) -> Result<(), StateError> {
        let (number, becomes) = match state {
            AppliedState::Begun(_) => return Ok(()),
            AppliedState::Done(becomes) => (1, becomes.as_ref().map(stored_text)),
            AppliedState::LeftOut => (2, None),
        };
        let sql = "INSERT OR REPLACE INTO applied (plan, step, state, becomes, after, at)
            VALUES (?1, ?2, ?3, ?4, 0, ?5)";
        let row = params![plan, i64::try_from(step).unwrap_or(0), number, becomes, now()];
        self.execute(sql, row)
    }

    /// Writes which letters are left out of a step.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn leave_out_of(
        &self,
        plan: &str,
        step: usize,
        uids: &SequenceSet,
    ) -> Result<(), StateError> {
        // Rows of their own, below those of the steps.
        let sql = "INSERT OR REPLACE INTO applied (plan, step, state, becomes, after, at)
            VALUES (?1, ?2, 3, ?3, 0, ?4)";
        let row = params![plan, -i64::try_from(step).unwrap_or(0), uids.to_string(), now()];
        self.execute(sql, row)
    }

    /// The letters that are left out of steps.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn left_out_of(&self, plan: &str) -> Result<Vec<(usize, SequenceSet)>, StateError> {
        let sql = "SELECT step, becomes FROM applied WHERE plan = ?1 AND step < 0";
        self.all(sql, params![plan], |row| {
            let step = usize::try_from(-row.get::<_, i64>(0)?).unwrap_or(0);
            Ok((step, row.get::<_, String>(1)?.parse().unwrap_or_default()))
        })
    }

    /// The changes of a kind in a mailbox that were written in the journal after a step, in order.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn steps_after(
        &self,
        after: i64,
        act: &Act,
        mailbox: Option<&str>,
    ) -> Result<Vec<Step>, StateError> {
        self.steps_like(after, &act_text(act), mailbox)
    }

    fn execute(&self, sql: &str, row: impl rusqlite::Params) -> Result<(), StateError> {
        self.connection().execute(sql, row).map(drop).map_err(|error| self.failed(error))
    }
}
