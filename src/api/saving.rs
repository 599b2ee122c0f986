//! `save-letters`: saves many letters to files in one operation.
//!
//! The client streams the letters, in the server's order, into `Files` (one file for each) or
//! `MboxFile` (one file for all). Everything is written to temporary files first, so a file is
//! complete or does not exist. `Files` syncs and renames its files in groups, because a disk takes
//! much longer for each alone; letters that are complete before an error are kept. The mbox file is
//! kept only if all went well. Letters of sets take the same way: see `letter_sets::handing_over`.

use super::files::cannot_write;
use super::mailbox::{
    any_mailbox_at, asked_count, on_mailbox, on_pop_mailbox, pop_mailbox, progress,
};
use super::pop;
use super::sets::addressed;
use super::target::{Letter, MboxWriter, Target};
use crate::client::{Error, Letters};
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Value};
use crate::mime::numbered;
use crate::proto::imap::Messages;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

pub(super) fn save_letters(call: &Call<'_>) -> Result<Value, Condition> {
    any_mailbox_at(call, 0)?;
    let messages = addressed(call, 1)?;
    let saved = save(call, 2, messages.is_empty(), |to| run(call, &messages, to))?;
    Ok(host::list(saved.into_iter().map(|number| host::integer(i64::from(number))).collect()))
}

/// Saves the letters that `feed` passes on, in the folder or the mbox file that argument `index`
/// names. Returns their numbers.
pub(super) fn save(
    call: &Call<'_>,
    index: usize,
    is_nothing: bool,
    feed: impl FnOnce(&mut dyn Letters) -> Result<(), Condition>,
) -> Result<Vec<u32>, Condition> {
    let path = call.string(index)?;
    let prefix = call.key_string("prefix")?.unwrap_or("");
    if prefix.contains(['/', '\\', '\0']) {
        let given = call.key("prefix").cloned().unwrap_or_else(host::nil);
        return Err(call.wrong("prefix", "the beginning of a file's name", &given));
    }
    let target = call.writable(path)?;
    if is_nothing {
        return Ok(Vec::new());
    }
    let cannot = |cause: io::Error| cannot_write(call, path, &cause);
    let mut saved = Vec::new();
    if call.boolean_key("mbox") {
        let target = Target::open(&target, false).map_err(cannot)?;
        feed(&mut MboxFile { file: &target.file, entry: None, at: 0, path, saved: &mut saved })?;
        target.keep().map_err(cannot)?;
    } else {
        if !target.is_dir() {
            return Err(Condition::new(
                Identifier::File,
                format!("{}: {path} is not a folder", call.name()),
            ));
        }
        let mut files = Files {
            folder: &target,
            prefix,
            coming: None,
            waiting: Vec::new(),
            bytes: 0,
            names: HashMap::new(),
            path,
            saved: &mut saved,
        };
        // Letters that arrived completely are kept even if a later one fails.
        let result = feed(&mut files);
        let kept = files.keep_waiting();
        result.and(kept.map_err(cannot)).map_err(|condition| {
            let message =
                format!("{}; {} letters were saved before", condition.message, saved.len());
            Condition { message, ..condition }
        })?;
    }
    Ok(saved)
}

fn run(call: &Call<'_>, messages: &Messages, to: &mut dyn Letters) -> Result<(), Condition> {
    let progress = progress(call);
    let mut to = Counted { to, count: &|| progress.message() };
    if pop_mailbox(call, 0).is_some() {
        let numbers = pop::existing(call, messages.set())?;
        progress.expect_messages(Some(numbers.len() as u64));
        return on_pop_mailbox(call, |client| {
            numbers.iter().try_for_each(|&number| {
                to.write(&[])?; // a letter may be empty
                match client.retrieve(number, None, &mut |piece| to.write(piece)) {
                    Ok(()) => to.end(Some(number)),
                    Err(refusal @ Error::Refused { .. }) if numbers.len() > 1 => {
                        client.warn_refused(number, &refusal);
                        to.end(None)
                    }
                    Err(error) => Err(error),
                }
            })
        });
    }
    on_mailbox(call, |client| {
        progress.expect_messages(asked_count(client, messages));
        client.write_letters(messages, &mut to)
    })
}

/// Counts each letter for the progress, and passes it on.
pub(super) struct Counted<'c> {
    pub to: &'c mut dyn Letters,
    pub count: &'c dyn Fn(),
}

impl Letters for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.to.write(bytes)
    }

    fn end(&mut self, message: Option<u32>) -> Result<(), Error> {
        (self.count)();
        self.to.end(message)
    }
}

/// How many files, and how many bytes in them, are synced together: a disk takes much longer for
/// each alone.
const TOGETHER: (usize, u64) = (500, 64 << 20);

/// Writes a file for each letter.
struct Files<'f> {
    folder: &'f Path,
    prefix: &'f str,
    coming: Option<BufWriter<Target>>,
    waiting: Vec<(Target, PathBuf, u32)>,
    bytes: u64,
    /// How often each number has come: letters of several mailboxes may have the same.
    names: HashMap<u32, u64>,
    path: &'f str,
    saved: &'f mut Vec<u32>,
}

impl Files<'_> {
    fn failed(&self, cause: io::Error) -> Error {
        Error::File { path: self.path.to_owned(), cause }
    }

    fn keep_waiting(&mut self) -> io::Result<()> {
        self.bytes = 0;
        let waiting = std::mem::take(&mut self.waiting);
        if waiting.is_empty() {
            return Ok(());
        }
        waiting.iter().try_for_each(|(target, ..)| target.file.sync_data())?;
        let mut result = Ok(());
        for (target, path, message) in waiting {
            match target.rename(&path) {
                Ok(()) => self.saved.push(message),
                Err(cause) => result = result.and(Err(cause)),
            }
        }
        // Syncs the names, too. Where a folder cannot be opened, the system does this itself.
        result.and(File::open(self.folder).map_or(Ok(()), |folder| folder.sync_all()))
    }
}

impl Letters for Files<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.coming.is_none() {
            self.coming = Some(BufWriter::new(
                Target::open_in(self.folder).map_err(|cause| self.failed(cause))?,
            ));
        }
        self.bytes += bytes.len() as u64;
        let written = self.coming.as_mut().map_or(Ok(()), |file| file.write_all(bytes));
        written.map_err(|cause| self.failed(cause))
    }

    fn end(&mut self, message: Option<u32>) -> Result<(), Error> {
        let coming = self.coming.take();
        let (Some(file), Some(message)) = (coming, message) else { return Ok(()) };
        let target = file.into_inner().map_err(|error| self.failed(error.into_error()))?;
        let times = self.names.entry(message).and_modify(|times| *times += 1).or_insert(1);
        let name = format!("{}{message}.eml", self.prefix);
        let name = if *times == 1 { name } else { numbered(&name, *times) };
        self.waiting.push((target, self.folder.join(name), message));
        if self.waiting.len() >= TOGETHER.0 || self.bytes >= TOGETHER.1 {
            self.keep_waiting().map_err(|cause| self.failed(cause))?;
        }
        Ok(())
    }
}

/// Writes one mbox file for all letters.
struct MboxFile<'f> {
    file: &'f File,
    entry: Option<MboxWriter<BufWriter<&'f File>>>,
    /// Where the current entry begins. If nobody asked for the letter, the file is cut here.
    at: u64,
    path: &'f str,
    saved: &'f mut Vec<u32>,
}

impl MboxFile<'_> {
    fn finish(&mut self, message: Option<u32>) -> io::Result<()> {
        let Some(mut entry) = self.entry.take() else { return Ok(()) };
        let mut file = self.file;
        match message {
            Some(message) => {
                entry.finish()?;
                entry.flush()?;
                self.at = file.stream_position()?;
                self.saved.push(message);
            }
            None => {
                drop(entry);
                file.set_len(self.at)?;
                file.seek(SeekFrom::Start(self.at))?;
            }
        }
        Ok(())
    }
}

impl Letters for MboxFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let file = self.file;
        let entry = self.entry.get_or_insert_with(|| MboxWriter::new(BufWriter::new(file)));
        entry.write_all(bytes).map_err(|cause| Error::File { path: self.path.to_owned(), cause })
    }

    fn end(&mut self, message: Option<u32>) -> Result<(), Error> {
        self.finish(message).map_err(|cause| Error::File { path: self.path.to_owned(), cause })
    }
}
