//! `save-attachment` and `save-attachments`: write attachments to new files.
//!
//! The first writes one attachment of a letter that is already in memory. The second streams a
//! letter from the server through the `Extractor`. Each attachment goes to a temporary file, and
//! all files get their names at the end, so that either all of them exist or none. The sender
//! chooses the names: `safe_name` makes them harmless, and a number is added where a name is taken.
//! Nothing is overwritten.

use super::files::expect_size;
use super::mailbox::{any_mailbox_at, on_mailbox, pop_mailbox};
use super::parts::with_attachment;
use super::pop;
use super::sets::{message, message_id};
use super::target::{Target, Whole};
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Value};
use crate::mime::{Extractor, Files, safe_name};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

pub(super) fn save_attachment(call: &Call<'_>) -> Result<Value, Condition> {
    let folder = call.string(1)?;
    let real = call.writable(folder)?;
    let name = call.key_string("name")?;
    let written = with_attachment(call, |attachment| {
        let mut target = Target::open_in(&real)?;
        attachment.write(&mut target.file)?;
        let own = attachment.file_name();
        target.finish()?.name(&real, &safe_name(name.or(own.as_deref()), FALLBACK), 1)
    })?;
    let (path, _) = written.map_err(|cause| cannot_write(call, folder, &cause))?;
    Ok(host::string(path.to_string_lossy()))
}

/// The file name for an attachment that has none.
const FALLBACK: &str = "attachment";

fn cannot_write(call: &Call<'_>, folder: &str, cause: &io::Error) -> Condition {
    Condition::new(
        Identifier::File,
        format!("{}: cannot write into {folder}: {cause}", call.name()),
    )
}

pub(super) fn save_attachments(call: &Call<'_>) -> Result<Value, Condition> {
    any_mailbox_at(call, 0)?;
    let (message, folder) = (message(call, 1)?, call.string(2)?);
    let id = message_id(call, 1)?;
    let real = call.writable(folder)?;
    if !real.is_dir() {
        return Err(Condition::new(
            Identifier::File,
            format!("{}: {folder} is not a folder", call.name()),
        ));
    }
    let mut letter = Pieces(Extractor::new(NewFiles { folder: &real, files: BTreeMap::new() }));
    let found = match pop_mailbox(call, 0) {
        Some(mailbox) => pop::write_letter(call, &mailbox, message.get(), folder, &mut letter),
        None => on_mailbox(call, |client| {
            expect_size(call, client, id)?;
            client.write_letter(id, true, folder, &mut letter)
        })
        .map(|written| written.is_some()),
    };
    let saved = found.and_then(|found| match found {
        true => letter
            .0
            .finish()
            .and_then(NewFiles::keep)
            .map_err(|cause| cannot_write(call, folder, &cause)),
        false => Err(Condition::new(
            Identifier::ErrorResponse,
            format!("{}: there is no message {message}", call.name()),
        )),
    });
    match saved {
        Ok(paths) => {
            Ok(host::list(paths.iter().map(|path| host::string(path.to_string_lossy())).collect()))
        }
        Err(condition) => Err(Condition {
            message: format!("{}; nothing was saved", condition.message),
            ..condition
        }),
    }
}

/// Passes the bytes of a letter to the extractor as they arrive.
struct Pieces<'f>(Extractor<NewFiles<'f>>);

impl Write for Pieces<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.push(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(()) // files are completed in NewFiles::end
    }
}

/// The new files of one letter. They get their names when all are complete, so that either all
/// exist or none.
struct NewFiles<'f> {
    folder: &'f Path,
    files: BTreeMap<usize, (String, State)>,
}

enum State {
    /// The first bytes, in memory. A part that begins like an attachment may be discarded, a letter
    /// may hold many of these, and creating a file costs more than buffering.
    Begun(Vec<u8>),
    Coming(BufWriter<Target>),
    Whole(Whole),
}

/// Up to this many bytes stay in memory until the file ends.
const BUFFER: usize = 64 << 10;

impl Files for NewFiles<'_> {
    fn begin(&mut self, number: usize, name: Option<&str>, _: &str) -> io::Result<()> {
        self.files.insert(number, (safe_name(name, FALLBACK), State::Begun(Vec::new())));
        Ok(())
    }

    fn write(&mut self, number: usize, bytes: &[u8]) -> io::Result<()> {
        let folder = self.folder;
        match self.files.get_mut(&number) {
            Some((_, State::Begun(begun))) if begun.len() + bytes.len() <= BUFFER => {
                begun.extend_from_slice(bytes)
            }
            Some((_, state)) => {
                state.open(folder)?;
                if let State::Coming(file) = state {
                    file.write_all(bytes)?;
                }
            }
            None => {}
        }
        Ok(())
    }

    fn end(&mut self, number: usize) -> io::Result<()> {
        let Some((name, mut state)) = self.files.remove(&number) else { return Ok(()) };
        state.open(self.folder)?;
        if let State::Coming(file) = state {
            let whole = file.into_inner().map_err(io::IntoInnerError::into_error)?.finish()?;
            self.files.insert(number, (name, State::Whole(whole)));
        }
        Ok(())
    }

    fn discard(&mut self, number: usize) {
        self.files.remove(&number);
    }
}

impl State {
    /// Creates the file and writes the buffered bytes to it.
    fn open(&mut self, folder: &Path) -> io::Result<()> {
        if let State::Begun(begun) = self {
            let mut file = BufWriter::with_capacity(BUFFER, Target::open_in(folder)?);
            file.write_all(begun)?;
            *self = State::Coming(file);
        }
        Ok(())
    }
}

impl NewFiles<'_> {
    /// Gives all files their names. Returns their paths in the letter's order. On an error, removes
    /// those that have been named already.
    fn keep(self) -> io::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        let named = self.name_all(&mut paths);
        if named.is_err() {
            paths.iter().for_each(|path| _ = std::fs::remove_file(path)); // the first error is the one to report
        }
        named.map(|()| paths)
    }

    fn name_all(self, paths: &mut Vec<PathBuf>) -> io::Result<()> {
        // Remembers the last number of each name, so equal names do not try the taken ones again.
        let mut numbers: HashMap<String, u64> = HashMap::new();
        for (name, file) in self.files.into_values() {
            let State::Whole(file) = file else { continue };
            let first = numbers.get(&name).map_or(1, |last| last + 1);
            let (path, number) = file.name(self.folder, &name, first)?;
            paths.push(path);
            numbers.insert(name, number);
        }
        // Syncs the names, too. Where a folder cannot be opened, the system does this itself.
        File::open(self.folder).map_or(Ok(()), |folder| folder.sync_all())
    }
}
