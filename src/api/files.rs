//! Letters to files, without holding them in memory.

use super::mailbox::on_mailbox;
use super::sets::message;
use crate::client::Error;
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Value};
use jiff::Timestamp;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

pub(super) fn save_letter(call: &Call<'_>) -> Result<Value, Condition> {
    let (message, path) = (message(call, 1)?, call.string(2)?);
    let (uid, append, mbox) = (call.boolean_key("uid"), call.boolean_key("append"), call.boolean_key("mbox"));
    let mut target = Target::open(Path::new(path), append).map_err(|cause| cannot_write(call, path, &cause))?;
    let written = on_mailbox(call, |client| {
        let file = |cause| Error::File { path: path.to_owned(), cause };
        let mut out = BufWriter::new(&mut target.file);
        let written = if mbox {
            let mut letter = MboxWriter::new(&mut out);
            let written = client.write_letter(message, uid, path, &mut letter)?;
            if written.is_some() {
                letter.finish().map_err(file)?;
            }
            written
        } else {
            client.write_letter(message, uid, path, &mut out)?
        };
        out.flush().map_err(file)?;
        Ok(written)
    })?;
    if written.is_none() {
        return Err(Condition::new(
            Identifier::ErrorResponse,
            format!("{}: there is no message {message}; {path} is as it was", call.name()),
        ));
    }
    target.keep().map_err(|cause| cannot_write(call, path, &cause))?;
    Ok(host::truth(true))
}

pub(super) fn ensure_directories_exist(call: &Call<'_>) -> Result<Value, Condition> {
    let path = call.string(0)?;
    let folder = if path.ends_with('/') { Some(Path::new(path)) } else { Path::new(path).parent() };
    if let Some(folder) = folder.filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|cause| cannot_write(call, path, &cause))?;
    }
    Ok(host::string(path))
}

fn cannot_write(call: &Call<'_>, path: &str, cause: &io::Error) -> Condition {
    Condition::new(Identifier::File, format!("{}: cannot write {path}: {cause}", call.name()))
}

/// A file that is written whole or not at all: a new one beside its place, renamed at the end; or an old one, cut back to its length.
struct Target {
    file: File,
    undo: Option<Undo>,
}

/// How a file that is not kept becomes what it was.
enum Undo {
    Remove { beside: PathBuf, path: PathBuf },
    CutBack { length: u64 },
}

impl Target {
    fn open(path: &Path, append: bool) -> io::Result<Target> {
        if append {
            let mut file = OpenOptions::new().append(true).create(true).open(path)?;
            let length = file.seek(SeekFrom::End(0))?;
            return Ok(Target { file, undo: Some(Undo::CutBack { length }) });
        }
        let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it is not the name of a file"))?;
        if path.is_dir() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a folder"));
        }
        // Hidden and with our number: two scripts that save beside each other do not meet.
        let mut beside_name = std::ffi::OsString::from(".");
        beside_name.push(name);
        beside_name.push(format!(".{}.part", std::process::id()));
        let beside = path.with_file_name(beside_name);
        Ok(Target { file: File::create(&beside)?, undo: Some(Undo::Remove { beside, path: path.to_owned() }) })
    }

    /// Makes what was written permanent.
    fn keep(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        if let Some(Undo::Remove { beside, path }) = &self.undo {
            std::fs::rename(beside, path)?;
        }
        self.undo = None;
        Ok(())
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // Nothing more can be done where undoing fails; the error that led here is what the caller hears of.
        match &self.undo {
            Some(Undo::Remove { beside, .. }) => drop(std::fs::remove_file(beside)),
            Some(Undo::CutBack { length }) => drop(self.file.set_len(*length)),
            None => {}
        }
    }
}

/// Writes a letter as an entry of an mbox file: a `From ` line, LF line ends, `>` before lines that look like one (mboxrd), an empty line behind.
struct MboxWriter<W> {
    out: W,
    line: Vec<u8>,
    begun: bool,
}

impl<W: Write> MboxWriter<W> {
    fn new(out: W) -> Self {
        MboxWriter { out, line: Vec::new(), begun: false }
    }

    fn begin(&mut self) -> io::Result<()> {
        self.begun = true;
        let now = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
        writeln!(self.out, "From MAILER-DAEMON {}", now.strftime("%a %b %e %H:%M:%S %Y"))
    }

    fn end_line(&mut self) -> io::Result<()> {
        if self.line.last() == Some(&b'\r') {
            self.line.pop();
        }
        let unquoted = self.line.iter().position(|byte| *byte != b'>').unwrap_or(self.line.len());
        if self.line[unquoted..].starts_with(b"From ") {
            self.out.write_all(b">")?;
        }
        self.line.push(b'\n');
        self.out.write_all(&self.line)?;
        self.line.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<()> {
        if !self.line.is_empty() {
            self.end_line()?;
        }
        self.out.write_all(b"\n")
    }
}

impl<W: Write> Write for MboxWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.begun {
            self.begin()?;
        }
        for byte in bytes {
            if *byte == b'\n' {
                self.end_line()?;
            } else {
                self.line.push(*byte);
            }
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
            assert_eq!(std::fs::read_to_string(&path).unwrap(), if append { "oldnew" } else { "new" });
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        }
    }
}
