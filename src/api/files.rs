//! `save-letter`, and helpers that write files.
//!
//! A letter is written to its file while it arrives, by a background thread, so it is never in
//! memory as a whole and the connection is read all the time. Files are written completely or not
//! at all, see `target`.

use super::batches::uid_and_size;
use super::mailbox::{on_mailbox, pop_mailbox, progress};
use super::pop;
use super::sets::{message, message_id};
use super::target::{Exact, InBackground, Letter, MboxWriter, Target};
use crate::client::{Error, ImapClient};
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Value};
use crate::proto::imap::{FetchItems, MessageId};
use std::io::{self, Write};
use std::path::Path;

pub(super) fn save_letter(call: &Call<'_>) -> Result<Value, Condition> {
    let (message, path) = (message(call, 1)?, call.string(2)?);
    let id = message_id(call, 1)?;
    let (append, mbox) = (call.boolean_key("append"), call.boolean_key("mbox"));
    let target = Target::open(&call.writable(path)?, append)
        .map_err(|cause| cannot_write(call, path, &cause))?;
    let found = std::thread::scope(|scope| {
        let mut out = InBackground::new(scope, &target.file)
            .map_err(|cause| cannot_write(call, path, &cause))?;
        let mut letter: Box<dyn Letter + '_> =
            if mbox { Box::new(MboxWriter::new(&mut out)) } else { Box::new(Exact(&mut out)) };
        let found = match pop_mailbox(call, 0) {
            Some(mailbox) => pop::write_letter(call, &mailbox, message.get(), path, &mut letter)?,
            None => on_mailbox(call, |client| {
                expect_size(call, client, id)?;
                client.write_letter(id, true, path, &mut letter)
            })?
            .is_some(),
        };
        let finished = if found { letter.finish() } else { Ok(()) };
        drop(letter);
        finished.and_then(|()| out.finish()).map_err(|cause| cannot_write(call, path, &cause))?;
        Ok::<_, Condition>(found)
    })?;
    if !found {
        return Err(Condition::new(
            Identifier::ErrorResponse,
            format!("{}: there is no message {message}; {path} is as it was", call.name()),
        ));
    }
    target.keep().map_err(|cause| cannot_write(call, path, &cause))?;
    Ok(host::truth(true))
}

/// Asks the server for the size of the letter if progress is displayed.
pub(super) fn expect_size(
    call: &Call<'_>,
    client: &mut ImapClient,
    message: MessageId,
) -> Result<(), Error> {
    let progress = progress(call);
    if !progress.is_shown() {
        return Ok(());
    }
    let items = FetchItems::parse("(UID RFC822.SIZE)")?;
    client.fetch(&message.into(), &items, &mut |mut data| {
        let number = data.number.unwrap_or(0);
        if let Some((found, size)) = uid_and_size(&mut data.tokens)?
            && message.get() == if message.is_uid() { found.get() } else { number }
        {
            progress.expect_bytes(size);
        }
        Ok(())
    })
}

pub(super) fn ensure_directories_exist(call: &Call<'_>) -> Result<Value, Condition> {
    let path = call.string(0)?;
    let whole = Path::new(path);
    // A lone name without an extension is a folder whose slash was forgotten.
    let is_folder = path.ends_with('/') || (!path.contains('/') && whole.extension().is_none());
    let folder = if is_folder { Some(whole) } else { whole.parent() };
    if let Some(folder) = folder.filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(call.writable(&folder.to_string_lossy())?)
            .map_err(|cause| cannot_write(call, path, &cause))?;
    }
    Ok(host::string(path))
}

/// Writes a file, or adds to it, completely or not at all, if the policy allows it.
pub(super) fn write_whole(
    call: &Call<'_>,
    path: &str,
    content: &[u8],
    append: bool,
) -> Result<(), Condition> {
    let cannot = |cause: io::Error| cannot_write(call, path, &cause);
    let mut target = Target::open(&call.writable(path)?, append).map_err(cannot)?;
    target.file.write_all(content).map_err(cannot)?;
    target.keep().map_err(cannot)
}

pub(super) fn cannot_write(call: &Call<'_>, path: &str, cause: &io::Error) -> Condition {
    Condition::new(Identifier::File, format!("{}: cannot write {path}: {cause}", call.name()))
}
