//! The state database, and what stands in it: the journal of the changes that scripts make, and the
//! cursors of what is new since last time.
//!
//! The journal is a [`Witness`](crate::proto::witness::Witness). It writes each change down before
//! its first byte is sent, and marks it when its end is known. So a run that was killed at any
//! instant leaves a journal that names every change, and at most those that were under way are in
//! doubt.
//!
//! | file | contents |
//! |---|---|
//! | `database` | the file: where it is, who may read it, its schema, several processes at once |
//! | `on_demand` | opens it when it is needed first |
//! | `cursors` | up to which letter of a mailbox a script has come |
//! | `due` | letters that a watch has to handle, and who watches |
//! | `rows` | changes as text: from a [`Deed`](crate::proto::deed::Deed) to columns and back |
//! | `journal` | the witness: what it asks the server for, and when it writes |
//! | `runs` | reads runs and their steps; forgets old ones |
//! | `trail` | where letters and mailboxes are now that later steps have moved |
//! | `settling` | asks the server about steps in doubt |
//! | `undoing` | takes the steps of a run back |
//!
//! A library user gives the witness to a [`Connector`](crate::transport::Connector):
//!
//! ```
//! use postoffice::state::{Journal, NewRun};
//! use postoffice::transport::Connector;
//! use std::sync::Arc;
//!
//! let folder = tempfile::tempdir()?;
//! let journal = Arc::new(Journal::new(folder.path(), NewRun::of("tidy")));
//! let connector = Connector { witness: journal.clone(), ..Connector::default() };
//! // … changes over connections of this connector …
//! journal.finish("done");
//! # Ok::<(), std::io::Error>(())
//! ```

mod applied;
mod cursors;
mod database;
mod due;
mod journal;
mod on_demand;
pub(crate) mod rows;
mod runs;
mod settling;
pub(crate) mod trail;
mod undoing;

pub use applied::AppliedState;
pub use cursors::{Cursor, CursorKey, Known, MOST_KNOWN};
pub use database::{Database, StateError, Sync};
#[cfg(feature = "cli")]
pub(crate) use database::{make_private, private_file};
pub use due::{Due, Owner};
pub use journal::{Journal, NewRun};
pub use on_demand::OnDemand;
pub use rows::{Step, StepState};
pub use runs::{KEPT_BYTES, KEPT_DAYS, Run};
pub use settling::{Settled, Settling};
pub use undoing::{Accounts, Undo, Undone, Verdict, lost};

use std::time::{SystemTime, UNIX_EPOCH};

/// The time as the database has it: milliseconds since 1970.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
