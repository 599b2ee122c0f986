//! Files that are written completely or not at all, and the forms in which letters are saved.
//!
//! A [`Target`] is a hidden file next to its destination. When it is complete, it is renamed, or
//! its content is appended to the existing file; when it is dropped before, it is removed. A
//! [`Whole`] is a complete file that still needs a name that no other file has. [`InBackground`]
//! writes in a thread while a letter arrives. [`Exact`] and [`MboxWriter`] are the forms of a
//! letter.

use crate::mime::numbered;
use jiff::Timestamp;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::thread::{self, Scope, ScopedJoinHandle};

/// A file that is written completely or not at all. It is written next to its destination, and at
/// the end renamed, or appended to the existing file in one go.
pub(super) struct Target {
    pub file: File,
    beside: PathBuf,
    path: PathBuf,
    append: bool,
}

impl Target {
    pub fn open(path: &Path, append: bool) -> io::Result<Target> {
        if path.is_dir() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a folder"));
        }
        Target::open_beside(path, append)
    }

    /// Like [`Target::open`], for a file that gets its name when it is kept.
    pub fn open_in(folder: &Path) -> io::Result<Target> {
        Target::open_beside(&folder.join("letter"), false)
    }

    fn open_beside(path: &Path, append: bool) -> io::Result<Target> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let Some(name) = path.file_name() else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "it is not the name of a file",
            ));
        };
        // Hidden, with our process number, and always new: a file or link that somebody else has
        // put there is never followed.
        let mut beside_name = std::ffi::OsString::from(".");
        beside_name.push(name);
        beside_name.push(format!(
            ".{}-{}.part",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        ));
        let beside = path.with_file_name(beside_name);
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&beside)?;
        Ok(Target { file, beside, path: path.to_owned(), append })
    }

    /// Gives the file a name. It must have been synced already.
    pub fn rename(self, path: &Path) -> io::Result<()> {
        std::fs::rename(&self.beside, path)
    }

    /// Syncs and closes the file, which is complete.
    pub fn finish(mut self) -> io::Result<Whole> {
        self.file.sync_all()?;
        Ok(Whole { beside: std::mem::take(&mut self.beside) })
    }

    /// Makes the content permanent. If appending fails, the existing file gets its old length back.
    pub fn keep(mut self) -> io::Result<()> {
        if !self.append {
            self.file.sync_all()?;
            return std::fs::rename(&self.beside, &self.path);
        }
        let mut old = OpenOptions::new().append(true).create(true).open(&self.path)?;
        let length = old.seek(SeekFrom::End(0))?;
        self.file.rewind()?;
        let added = io::copy(&mut self.file, &mut old).and_then(|_| old.sync_all());
        if added.is_err() {
            old.set_len(length)?;
        }
        added
    }
}

/// A complete, synced file that has no name of its own yet.
pub(super) struct Whole {
    beside: PathBuf,
}

/// How many names are tried before giving up on a folder full of the same one.
const MOST_NAMES: u64 = 100_000;

impl Whole {
    /// Moves the file to a name that no other file has: `name`, or from number `first` on `name-2`,
    /// `name-3` and so on. Returns the path and its number.
    pub fn name(self, folder: &Path, name: &str, first: u64) -> io::Result<(PathBuf, u64)> {
        for number in first..=MOST_NAMES {
            let path =
                folder.join(if number == 1 { name.to_owned() } else { numbered(name, number) });
            // Takes the name before moving the file there, because moving would replace another
            // file.
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(_) => {
                    let moved = std::fs::rename(&self.beside, &path);
                    if moved.is_err() {
                        let _ = std::fs::remove_file(&path); // the error of the move is the one to report
                    }
                    return moved.map(|()| (path, number));
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, "too many files of that name"))
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.beside); // it has its name already, or is not needed
    }
}

/// Writes to a file in a thread, and syncs it in another, so that the connection is read all the
/// time.
pub(super) struct InBackground<'scope> {
    block: Vec<u8>,
    blocks: Option<SyncSender<Vec<u8>>>,
    writer: Option<ScopedJoinHandle<'scope, io::Result<()>>>,
}

/// The bytes in a block, the blocks that may wait, and the bytes after which the file is synced, so
/// that little is left to sync at the end.
const BLOCK: usize = 128 << 10;
const WAITING: usize = 4;
const TO_DISK: usize = 8 << 20;

impl<'scope> InBackground<'scope> {
    pub fn new<'env>(scope: &'scope Scope<'scope, 'env>, file: &'env File) -> io::Result<Self> {
        let (blocks, waiting) = mpsc::sync_channel::<Vec<u8>>(WAITING);
        let mut file_writer = file;
        let writer = thread::Builder::new().spawn_scoped(scope, move || {
            thread::scope(|scope| {
                let (enough, noticed) = mpsc::sync_channel(1);
                let to_disk = move || noticed.iter().try_for_each(|()| file.sync_data());
                let syncer = thread::Builder::new().spawn_scoped(scope, to_disk)?;
                let mut written = 0;
                let result = waiting.iter().try_for_each(|block| {
                    file_writer.write_all(&block)?;
                    written += block.len();
                    if written >= TO_DISK && enough.try_send(()).is_ok() {
                        written = 0;
                    }
                    Ok(())
                });
                drop(enough);
                result.and(joined(syncer))
            })
        })?;
        Ok(InBackground { block: Vec::new(), blocks: Some(blocks), writer: Some(writer) })
    }

    /// Waits until everything is written.
    pub fn finish(&mut self) -> io::Result<()> {
        self.hand_over()?;
        self.blocks = None;
        self.outcome()
    }

    fn hand_over(&mut self) -> io::Result<()> {
        let block = std::mem::take(&mut self.block);
        match &self.blocks {
            Some(blocks) if blocks.send(block).is_ok() => Ok(()),
            _ => self.outcome().and(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn outcome(&mut self) -> io::Result<()> {
        self.writer.take().map_or(Ok(()), joined)
    }
}

fn joined(thread: ScopedJoinHandle<'_, io::Result<()>>) -> io::Result<()> {
    thread.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
}

impl Write for InBackground<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.block.len() + bytes.len() > BLOCK && !self.block.is_empty() {
            self.hand_over()?;
        }
        if self.block.capacity() == 0 {
            self.block.reserve_exact(BLOCK);
        }
        let count = bytes.len().min(BLOCK);
        self.block.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(()) // finish does this
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.beside); // renamed already, or not needed
    }
}

/// Writes a letter as an entry of an mbox file: a `From ` line, LF line ends, `>` before lines that
/// look like one (mboxrd), and an empty line at the end. Buffers only a possible `From ` prefix and
/// a trailing CR, because a line may be as long as a letter.
pub(super) struct MboxWriter<W> {
    out: W,
    begun: bool,
    /// The place of the next byte in its line.
    at: At,
    /// Whether the last byte was a CR, which belongs to the line end or to the line.
    carriage_return: bool,
}

/// A place in a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Start,
    /// After one or more `>`, after the first bytes of [`FROM`], or after both. The number of those
    /// bytes is kept, and they are held back until it is clear whether the line is quoted.
    Looking(usize),
    /// Where nothing can make the line look like the first line of an entry any more, or where it
    /// has been quoted already.
    Within,
}

const FROM: &[u8] = b"From ";

impl<W: Write> MboxWriter<W> {
    pub fn new(out: W) -> Self {
        MboxWriter { out, begun: false, at: At::Start, carriage_return: false }
    }

    fn begin(&mut self) -> io::Result<()> {
        self.begun = true;
        let now = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
        writeln!(self.out, "From MAILER-DAEMON {}", now.strftime("%a %b %e %H:%M:%S %Y"))
    }

    /// Writes bytes of one line, without its end.
    fn part(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        if std::mem::take(&mut self.carriage_return) {
            self.text(b"\r")?;
        }
        if let Some(before) = bytes.strip_suffix(b"\r") {
            (bytes, self.carriage_return) = (before, true);
        }
        self.text(bytes)
    }

    fn text(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while self.at != At::Within
            && let Some((&byte, rest)) = bytes.split_first()
        {
            let waiting = if let At::Looking(waiting) = self.at { waiting } else { 0 };
            if byte == b'>' && waiting == 0 {
                self.out.write_all(b">")?;
                self.at = At::Looking(0);
            } else if FROM[waiting] != byte {
                self.out.write_all(&FROM[..waiting])?;
                self.at = At::Within;
                break;
            } else if waiting + 1 < FROM.len() {
                self.at = At::Looking(waiting + 1);
            } else {
                // It makes no difference whether the additional `>` comes before the others or
                // after them.
                self.out.write_all(b">From ")?;
                self.at = At::Within;
            }
            bytes = rest;
        }
        self.out.write_all(bytes)
    }

    fn end_line(&mut self) -> io::Result<()> {
        if let At::Looking(waiting) = self.at {
            self.out.write_all(&FROM[..waiting])?;
        }
        (self.at, self.carriage_return) = (At::Start, false);
        self.out.write_all(b"\n")
    }

    fn end(&mut self) -> io::Result<()> {
        if !self.begun {
            self.begin()?;
        }
        if self.at != At::Start || self.carriage_return {
            self.end_line()?;
        }
        self.out.write_all(b"\n")
    }
}

/// A letter that is being written, in one form or another.
pub(super) trait Letter: Write {
    /// Ends the letter: all bytes have been written.
    fn finish(&mut self) -> io::Result<()>;
}

/// Writes the bytes as they arrive.
pub(super) struct Exact<W>(pub W);

impl<W: Write> Write for Exact<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<W: Write> Letter for Exact<W> {
    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<W: Write> Letter for MboxWriter<W> {
    fn finish(&mut self) -> io::Result<()> {
        self.end()
    }
}

impl<W: Write> Write for MboxWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.begun {
            self.begin()?;
        }
        let mut lines = bytes.split(|byte| *byte == b'\n');
        self.part(lines.next().unwrap_or_default())?;
        for line in lines {
            self.end_line()?;
            self.part(line)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_mbox_entry_quotes_lines_that_look_like_its_first() {
        let mut out = Vec::new();
        let mut letter = MboxWriter::new(&mut out);
        letter.write_all(b"Subject: x\r\n\r\nFrom here\r\n>From there\r\nFromage\r\nlast").unwrap();
        letter.finish().unwrap();
        let entry = String::from_utf8(out).unwrap();
        let (first, letter) = entry.split_once('\n').unwrap();
        assert!(first.starts_with("From MAILER-DAEMON "), "{first}");
        assert_eq!(letter, "Subject: x\n\n>From here\n>>From there\nFromage\nlast\n\n");
    }

    #[test]
    fn what_is_written_in_the_background_is_all_there_or_an_error() {
        let mut file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = (0..3_000_000u32).map(|number| number as u8).collect();
        std::thread::scope(|scope| {
            let mut out = InBackground::new(scope, &file).unwrap();
            for piece in bytes.chunks(70_001).chain([&b""[..], &b"end"[..]]) {
                out.write_all(piece).unwrap();
            }
            out.finish().unwrap();
        });
        let mut back = Vec::new();
        file.rewind().unwrap();
        io::Read::read_to_end(&mut file, &mut back).unwrap();
        assert!(back.len() == 3_000_003 && back.starts_with(&bytes) && back.ends_with(b"end"));
        // A file that cannot be written to.
        let path = tempfile::NamedTempFile::new().unwrap();
        let read_only = File::open(path.path()).unwrap();
        std::thread::scope(|scope| {
            let mut out = InBackground::new(scope, &read_only).unwrap();
            let result = bytes
                .chunks(100_000)
                .try_for_each(|piece| out.write_all(piece))
                .and_then(|()| out.finish());
            assert!(result.is_err());
            assert!(out.write_all(&bytes).is_err());
        });
    }

    #[test]
    fn an_mbox_entry_is_the_same_however_its_bytes_come() {
        let letter = b">>From a\r\n>Fro\nFrom\n>\r\n\rFrom b\r\r\nFFrom c\nFrom\r\n> From \n\n>\n>F>From \nFrom \r";
        let expected = ">>>From a\n>Fro\nFrom\n>\n\rFrom b\r\nFFrom c\nFrom\n> From \n\n>\n>F>From \n>From \n\n";
        for length in 1..=letter.len() {
            let mut out = Vec::new();
            let mut writer = MboxWriter::new(&mut out);
            letter.chunks(length).for_each(|chunk| writer.write_all(chunk).unwrap());
            writer.finish().unwrap();
            let entry = String::from_utf8(out).unwrap();
            assert_eq!(entry.split_once('\n').unwrap().1, expected, "{length} at a time");
        }
    }

    #[test]
    fn a_line_is_written_while_it_comes() {
        let mut out = Vec::new();
        let mut writer = MboxWriter::new(&mut out);
        writer.write_all(&[b'x'; 1_000]).unwrap();
        assert!(writer.out.len() > 1_000);
    }

    #[test]
    fn a_file_that_is_not_kept_is_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("letter");
        for append in [false, true] {
            std::fs::write(&path, "old").unwrap();
            let mut target = Target::open(&path, append).unwrap();
            target.file.write_all(b"new").unwrap();
            drop(target);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "old", "append {append}");
            let mut target = Target::open(&path, append).unwrap();
            target.file.write_all(b"new").unwrap();
            target.keep().unwrap();
            assert_eq!(
                std::fs::read_to_string(&path).unwrap(),
                if append { "oldnew" } else { "new" }
            );
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        }
    }
}
