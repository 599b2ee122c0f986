//! `postoffice cursors`: shows the cursors of `new-letters`, and sets them back or forgets them.

use super::output::print;
use super::setup::state_folder;
use super::tables::{table, time};
use crate::state::{Cursor, CursorKey, Database, StateError};
use clap::{Args, Subcommand};

/// The subcommands of `postoffice cursors`.
#[derive(Debug, Subcommand)]
pub enum CursorsCommand {
    /// Set a cursor: letters with unique ids above UID are new again
    Set {
        /// Which cursor.
        #[command(flatten)]
        which: Which,
        /// The highest unique id that is not new; 0 makes all letters new
        uid: u32,
    },
    /// Forget a cursor: the next new-letters begins as its :from says
    Forget {
        /// Which cursor.
        #[command(flatten)]
        which: Which,
    },
}

/// A cursor, as the list shows it.
#[derive(Debug, Args)]
pub struct Which {
    /// The account, USER@HOST or USER@HOST:PORT
    account: String,
    /// The mailbox
    mailbox: String,
    /// The cursor's name
    name: String,
}

pub(super) fn cursors(command: Option<CursorsCommand>) -> Result<i32, String> {
    let folder = state_folder()
        .ok_or("there is no home folder for cursors, and POSTOFFICE_STATE names none")?;
    let database = Database::open_existing(&folder).map_err(text)?;
    match (database, command) {
        (None, None) => out("There are no cursors.\n"),
        (Some(database), None) => list(&database),
        (None, Some(CursorsCommand::Set { which, .. } | CursorsCommand::Forget { which })) => {
            Err(missing(&which))
        }
        (Some(database), Some(CursorsCommand::Set { which, uid })) => {
            let key = key(&which);
            let cursor = database.cursor(&key).map_err(text)?.ok_or_else(|| missing(&which))?;
            let now = jiff::Timestamp::now().as_second();
            match database.commit_cursor(&key, &Cursor { uid, ..cursor }, now).map_err(text)? {
                true => Ok(0),
                false => Err("the cursor was committed meanwhile; nothing was changed".into()),
            }
        }
        (Some(database), Some(CursorsCommand::Forget { which })) => {
            match database.forget_cursor(&key(&which)).map_err(text)? {
                true => Ok(0),
                false => Err(missing(&which)),
            }
        }
    }
}

fn list(database: &Database) -> Result<i32, String> {
    let cursors = database.cursors().map_err(text)?;
    if cursors.is_empty() {
        return out("There are no cursors.\n");
    }
    let rows = cursors.into_iter().map(|(key, cursor)| {
        let committed = time(cursor.committed.saturating_mul(1000));
        [key.account, key.mailbox, key.name, cursor.uid.to_string(), committed]
    });
    out(&table(["account", "mailbox", "cursor", "uid", "committed"], rows))
}

fn key(Which { account, mailbox, name }: &Which) -> CursorKey {
    CursorKey { account: account.clone(), mailbox: mailbox.clone(), name: name.clone() }
}

fn missing(Which { account, mailbox, name }: &Which) -> String {
    format!(
        "there is no cursor {name:?} of {mailbox:?} on {account:?}; postoffice cursors lists them"
    )
}

fn text(error: StateError) -> String {
    error.to_string()
}

fn out(text: &str) -> Result<i32, String> {
    print(text).map(|()| 0).map_err(|error| error.to_string())
}
