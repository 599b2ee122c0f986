//! A state database that is opened when it is needed first.

use super::database::{Database, StateError, Sync};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// A state database, opened by the first query. By default it is in memory, and ends with this
/// value. Threads that share it use it in turn.
#[derive(Debug, Default)]
pub struct OnDemand {
    place: Place,
    open: Mutex<Option<Database>>,
}

#[derive(Debug, Default)]
enum Place {
    #[default]
    Memory,
    Folder(PathBuf),
    /// In memory, beginning with what the database of the folder holds.
    CopyOf(PathBuf),
    Nowhere(String),
}

impl OnDemand {
    /// The database of a folder.
    pub fn in_folder(folder: PathBuf) -> Self {
        OnDemand { place: Place::Folder(folder), open: Mutex::default() }
    }

    /// A database in memory, which begins with the cursors in the one of a folder.
    pub fn copy_of(folder: PathBuf) -> Self {
        OnDemand { place: Place::CopyOf(folder), open: Mutex::default() }
    }

    /// A database that cannot be, and why: every query fails.
    pub fn nowhere(why: &str) -> Self {
        OnDemand { place: Place::Nowhere(why.to_owned()), open: Mutex::default() }
    }

    /// Runs a query; opens the database before the first.
    ///
    /// # Errors
    /// [`StateError`] if the database cannot be opened; those of the query.
    pub fn with<T>(
        &self,
        query: impl FnOnce(&Database) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let database = match (open.take(), &self.place) {
            (Some(database), _) => database,
            (None, Place::Memory) => Database::in_memory()?,
            (None, Place::Folder(folder)) => Database::open(folder, Sync::Normal)?,
            (None, Place::CopyOf(folder)) => Database::copy_of(folder)?,
            (None, Place::Nowhere(why)) => {
                return Err(StateError { path: "(nowhere)".to_owned(), cause: why.clone() });
            }
        };
        query(open.insert(database))
    }
}
