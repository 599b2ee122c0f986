//! `save-letters` and `pipe-letters`: the exact bytes of letters, for files and for programs.
//!
//! Nothing here holds a letter in memory. Files are written as `saving` does. For programs, a few
//! letters are fetched together, each into a file without a name, from which its program reads.

use super::changing::grouped;
use super::{Letter, letters};
use crate::api::Answer;
use crate::api::copying::with_note;
use crate::api::mailbox::progress;
use crate::api::run_program::{pipe, program_at};
use crate::api::saving::{Counted, save};
use crate::client::spool::cannot_spool;
use crate::client::{Error, Letters};
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Function, Run, Type};
use crate::proto::imap::Messages;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Seek, Write};
use std::sync::Arc;

/// The rows of the topic "Letters for files and programs".
pub(in crate::api) const FUNCTIONS: &[Function] = &[
    Function::native(
        "%save-set",
        "(letters path &key prefix mbox)",
        save_set,
        "Does the work of save-letters for letters of sets. Returns two integers.",
    ).typed(&[("prefix", Type::String), ("mbox", Type::Truth)]).inside_of("save-letters").checked(),
    Function::new(
        "save-letters",
        "(letters &rest arguments)",
        "Writes letters' exact bytes to files as they arrive, all of a mailbox requested together. Memory stays flat, and :\\\\seen is not set. Each file is complete or does not exist; an older file of that name is replaced. It is called in two ways:
(save-letters letters path :prefix \"\" :mbox nil) saves letters of sets, to path/UID.eml; letters of several mailboxes that have the same unique id get names such as UID-2.eml. letters: a letter or a set, as select-letters returns it, or a list of these. Returns two integers: how many were saved, and how many were not there any more.
(save-letters mb messages path :uid nil :prefix \"\" :mbox nil) saves messages to path/NUMBER.eml. mb: a mailbox object of either kind. messages  as for fetch-parts. :uid  t takes messages as unique ids, and names the files by them. Returns the list of the numbers, or unique ids, that were saved, without unique ids that do not exist.
path: a string, a folder that exists. :prefix  a string that the file names begin with. :mbox  t makes path one mbox file of all letters instead, written completely or not at all.
Errors: :file, :error-response, :stale. Files that were complete before an error stay.",
        Run::Scheme(
            "(lambda (letters . arguments)
               (if (%letters? letters) (apply %save-set letters arguments) (apply %save-letters letters arguments)))",
        ),
    ).checked(),
    Function::native(
        "%pipe-letters",
        "(letters program &rest arguments)",
        pipe_letters,
        "As pipe-letters, for rules; it asks the policy before it runs a program.",
    ).inside_of("with-rules").checked(),
    Function::native(
        "pipe-letters",
        "(letters program &rest arguments)",
        pipe_letters,
        "Runs a program for each letter, one after the other, with the letter's exact bytes as its input; :\\\\seen is not set. Returns the list of the exit codes, integers, in the order of the letters; nil for a letter that was not there any more, for which the program does not run.
letters: a letter or a set, as select-letters returns it, or a list of these. program: a string, looked up in PATH unless it has a slash; there is no shell. arguments: strings, the program's arguments. What the program writes is dropped: run-program with :input returns it.
Errors: :file when the program cannot be started, :stale. An exit code is not an error; it is 128 and the number of the signal if one ended the program. Untrusted scripts cannot run programs.",
    ).refused(),
];

/// Saves letters, a mailbox after the other.
fn save_set(call: &Call<'_>) -> Answer {
    let letters = letters(call, 0)?;
    let progress = progress(call);
    let saved = save(call, 1, letters.is_empty(), |to| {
        progress.expect_messages(Some(letters.len() as u64));
        let mut to = Counted { to, count: &|| progress.message() };
        grouped(&letters).iter().try_for_each(|group| {
            group.origin.run(call, |client| client.write_letters(&group.messages(), &mut to))
        })
    })?;
    let count = |number: usize| host::integer(i64::try_from(number).unwrap_or(i64::MAX));
    Ok(call.values(vec![count(saved.len()), count(letters.len() - saved.len())]))
}

/// Letters that are fetched together for programs: bytes, unless one alone has more, and number.
const PIECE: (u64, usize) = (8 << 20, 64);

fn pipe_letters(call: &Call<'_>) -> Answer {
    let letters = letters(call, 0)?;
    let program = program_at(call, 1)?;
    let argument = |value| {
        let text = host::as_str(value).filter(|text| !text.contains('\0')).map(str::to_owned);
        text.ok_or_else(|| call.wrong("arguments", "strings without NUL", value))
    };
    let arguments: Vec<String> = call.rest().iter().map(argument).collect::<Result<_, _>>()?;
    let progress = progress(call);
    progress.expect_messages(Some(letters.len() as u64));
    let mut codes = Vec::new();
    let mut rest = &letters[..];
    while !rest.is_empty() {
        let (piece, after) =
            rest.split_at(piece(call, rest).map_err(|error| not_again(error, codes.len()))?);
        rest = after;
        let mut files = Spools::default();
        let fetched = piece[0].origin().run(call, |client| {
            client.write_letters(&Messages::uids(piece.iter().map(|one| one.uid)), &mut files)
        });
        fetched.map_err(|error| not_again(error, codes.len()))?;
        for letter in piece {
            let code = files.complete.remove(&letter.uid).map(|file| {
                let run = pipe(call, program, &arguments, file);
                run.map_err(|error| not_again(error, codes.len()))
            });
            codes.push(code.transpose()?.map_or_else(host::nil, host::integer));
            progress.message();
        }
    }
    Ok(host::list(codes))
}

/// The error after the program ran for some letters: the call must not be made again, which would run
/// it for them twice.
fn not_again(error: Condition, ran: usize) -> Condition {
    if ran == 0 {
        return error;
    }
    let is_lost =
        matches!(error.identifier, Identifier::ServerShutdownConnection | Identifier::Timeout);
    let error = with_note(error, &format!("it ran for {ran} letters before"));
    if is_lost { Condition { identifier: Identifier::InDoubt, ..error } } else { error }
}

/// How many of these letters are fetched together. There is at least one.
fn piece(call: &Call<'_>, letters: &[Arc<Letter>]) -> Result<usize, Condition> {
    let (most_bytes, most) = PIECE;
    let (mut bytes, mut count) = (0, 0);
    for letter in letters.iter().take(most) {
        bytes += letter.brief(call)?.and_then(|brief| brief.size).unwrap_or(0);
        let is_same = letter.origin().place.is_same(&letters[0].origin().place);
        if count > 0 && (!is_same || bytes > most_bytes) {
            break;
        }
        count += 1;
    }
    Ok(count)
}

/// A file without a name for each letter.
#[derive(Default)]
struct Spools {
    coming: Option<BufWriter<File>>,
    complete: HashMap<u32, File>,
}

impl Letters for Spools {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.coming.is_none() {
            self.coming = Some(BufWriter::new(tempfile::tempfile().map_err(cannot_spool)?));
        }
        self.coming.as_mut().map_or(Ok(()), |file| file.write_all(bytes)).map_err(cannot_spool)
    }

    fn end(&mut self, message: Option<u32>) -> Result<(), Error> {
        let (Some(file), Some(message)) = (self.coming.take(), message) else { return Ok(()) };
        let mut file = file.into_inner().map_err(|error| cannot_spool(error.into_error()))?;
        file.rewind().map_err(cannot_spool)?;
        self.complete.insert(message, file);
        Ok(())
    }
}
