//! `postoffice watch --failed` and `--retry`: letters whose procedure has failed.

use crate::command::output::print;
use crate::command::setup::state_folder;
use crate::command::tables::{table, time};
use crate::state::{Database, StateError, now};

pub(super) fn failed(show: bool, retry: bool) -> Result<i32, String> {
    let folder = state_folder()
        .ok_or("there is no home folder for the state, and POSTOFFICE_STATE names none")?;
    let text = |error: StateError| error.to_string();
    let database = Database::open_existing(&folder).map_err(text)?;
    if show {
        let letters = database.as_ref().map(Database::failed_letters).transpose().map_err(text)?;
        out(&shown(letters.unwrap_or_default()))?;
    }
    if retry {
        let count =
            database.map_or(Ok(0), |database| database.retry_failed(now())).map_err(text)?;
        out(&match count {
            0 => "No letter is to be tried again.\n".to_owned(),
            1 => "1 letter is tried again.\n".to_owned(),
            count => format!("{count} letters are tried again.\n"),
        })?;
    }
    Ok(0)
}

fn shown(letters: Vec<(crate::state::CursorKey, crate::state::Due)>) -> String {
    if letters.is_empty() {
        return "No letter has failed.\n".to_owned();
    }
    let rows = letters.into_iter().map(|(key, letter)| {
        let next = letter.next.map_or("set aside".to_owned(), time);
        let numbers = [letter.uid.to_string(), letter.attempts.to_string()];
        let [uid, attempts] = numbers;
        let error = letter.error.unwrap_or_default();
        [key.account, key.mailbox, key.name, uid, attempts, next, error]
    });
    table(["account", "mailbox", "cursor", "uid", "attempts", "next try", "error"], rows)
}

fn out(text: &str) -> Result<(), String> {
    print(text).map_err(|error| error.to_string())
}
