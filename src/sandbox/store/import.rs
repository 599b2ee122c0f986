//! Imports mail, letter by letter, from mbox files, Maildirs and folders of `.eml` files.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

use jiff::{Timestamp, Zoned, civil::DateTime, tz::TimeZone};

use crate::sandbox::SandboxError;
use crate::sandbox::store::{dates, header};

/// The largest letter; anything larger is probably not mail.
const LETTER_LIMIT: usize = 64 * 1024 * 1024;

/// A letter read from a file.
#[derive(Clone, Debug)]
pub struct ImportedLetter {
    /// The file it was in.
    pub path: PathBuf,
    /// How many NULs it had, which `bytes` has as bytes 128.
    pub nuls: usize,
    /// The letter's bytes, with mbox quoting undone.
    pub bytes: Vec<u8>,
    /// System flags, from the file's name or the Status fields.
    pub flags: Vec<String>,
    /// When it arrived, if the file says so.
    pub internal_date: Option<Zoned>,
    /// Its Maildir++ folder, as a mailbox name; `None` is the inbox.
    pub mailbox: Option<String>,
}

/// Receives letters one at a time; an error ends the import.
type Visitor<'a> = &'a mut dyn FnMut(ImportedLetter) -> Result<(), SandboxError>;

/// Reads all letters of an mbox file, a Maildir, a folder of `.eml` files, or one `.eml` file.
/// Fails if it is none of these or cannot be read.
pub fn import(path: &Path) -> Result<Vec<ImportedLetter>, SandboxError> {
    let mut letters = Vec::new();
    import_each(path, &mut |letter| {
        letters.push(letter);
        Ok(())
    })?;
    Ok(letters)
}

/// Passes on each letter as it is read, so that a large mbox is never in memory as a whole.
pub(crate) fn import_each(path: &Path, visitor: Visitor<'_>) -> Result<(), SandboxError> {
    let kind = fs::metadata(path).map_err(|error| failed(path, error))?;
    if kind.is_dir() {
        if is_maildir(path) {
            return import_maildir(path, visitor);
        }
        return import_folder(path, visitor);
    }
    if is_eml(path) { visitor(read_eml(path)?) } else { import_mbox(path, visitor) }
}

/// An mbox file: each letter begins with a `From ` line, and lines inside that begin so are quoted
/// with `>`.
fn import_mbox(path: &Path, visitor: Visitor<'_>) -> Result<(), SandboxError> {
    let mut reader = BufReader::new(File::open(path).map_err(|error| failed(path, error))?);
    let mut line = Vec::new();
    let mut letter: Option<(Vec<u8>, Option<Zoned>)> = None;
    let mut after_blank = true;
    loop {
        line.clear();
        let count = reader.read_until(b'\n', &mut line).map_err(|error| failed(path, error))?;
        if count == 0 || after_blank && line.starts_with(b"From ") {
            if let Some((bytes, date)) = letter.take() {
                visitor(mbox_letter(path, bytes, date)?)?;
            }
            if count == 0 {
                return Ok(());
            }
            letter = Some((Vec::new(), from_line_date(&line)));
            after_blank = false;
            continue;
        }
        let Some((bytes, _)) = &mut letter else {
            return Err(failed(path, "an mbox file begins with a `From ` line, this one does not"));
        };
        after_blank = matches!(line.as_slice(), b"\n" | b"\r\n");
        let quoted =
            line.first() == Some(&b'>') && line.trim_ascii_start_of(b'>').starts_with(b"From ");
        bytes.extend_from_slice(if quoted { &line[1..] } else { &line });
        if bytes.len() > LETTER_LIMIT {
            return Err(failed(path, "a letter is larger than 64 MiB"));
        }
    }
}

/// Removes a leading quoting character, repeated.
trait TrimStartOf {
    fn trim_ascii_start_of(&self, byte: u8) -> &[u8];
}

impl TrimStartOf for Vec<u8> {
    fn trim_ascii_start_of(&self, byte: u8) -> &[u8] {
        &self[self.iter().take_while(|first| **first == byte).count()..]
    }
}

/// Removes the blank line that separates letters, and reads the flags that mail programs keep in
/// Status fields.
fn mbox_letter(
    path: &Path,
    mut bytes: Vec<u8>,
    date: Option<Zoned>,
) -> Result<ImportedLetter, SandboxError> {
    for blank in [&b"\r\n\r\n"[..], b"\n\n"] {
        if bytes.ends_with(blank) {
            bytes.truncate(bytes.len() - blank.len() / 2);
            break;
        }
    }
    let status = status_letters(&bytes);
    let letters = [
        ('R', "\\Seen"),
        ('A', "\\Answered"),
        ('F', "\\Flagged"),
        ('D', "\\Deleted"),
        ('T', "\\Draft"),
    ];
    let set = letters.iter().filter(|(letter, _)| status.contains(*letter));
    letter(path, bytes, set.map(|(_, flag)| (*flag).to_owned()).collect(), date, None)
}

fn status_letters(bytes: &[u8]) -> String {
    // Files may have bare line feeds here; the header ends at the first empty line.
    let end = memchr::memmem::find(bytes, b"\n\n").unwrap_or(header::range(bytes).end);
    let field = |name: &str| header::value(bytes, 0..end, name).unwrap_or_default();
    // Status holds R (read) and O (old), of which only R counts; the other flags are in X-Status.
    let seen = if field("Status").contains(&b'R') { "R" } else { "" };
    format!("{seen}{}", String::from_utf8_lossy(&field("X-Status")).replace('R', ""))
}

/// Reads the date in `From someone Mon Sep 13 11:36:26 1999`. It has no zone; UTC is assumed.
fn from_line_date(line: &[u8]) -> Option<Zoned> {
    let text = std::str::from_utf8(line).ok()?;
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let date = words.get(words.len().checked_sub(5)?..)?.join(" ");
    DateTime::strptime("%a %b %d %H:%M:%S %Y", date).ok()?.to_zoned(TimeZone::UTC).ok()
}

/// A Maildir and its Maildir++ subfolders, named `.Name` and `.Name.Child`.
fn import_maildir(path: &Path, visitor: Visitor<'_>) -> Result<(), SandboxError> {
    import_maildir_folder(path, None, visitor)?;
    for folder in entries(path)? {
        let name =
            folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if let Some(name) =
            name.strip_prefix('.').filter(|name| !name.is_empty() && is_maildir(&folder))
        {
            import_maildir_folder(&folder, Some(&name.replace('.', "/")), visitor)?;
        }
    }
    Ok(())
}

fn import_maildir_folder(
    path: &Path,
    mailbox: Option<&str>,
    visitor: Visitor<'_>,
) -> Result<(), SandboxError> {
    let mut files = Vec::new();
    for part in ["cur", "new"] {
        let part = path.join(part);
        if part.is_dir() {
            files.extend(entries(&part)?.into_iter().filter(|file| file.is_file()));
        }
    }
    // File names begin with the time of delivery, in seconds.
    let second = |file: &PathBuf| {
        let name =
            file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let digits: String = name.chars().take_while(char::is_ascii_digit).collect();
        (digits.parse::<u64>().unwrap_or(u64::MAX), name)
    };
    files.sort_by_cached_key(second);
    for file in files.iter().filter(|file| !second(file).1.starts_with('.')) {
        let name = second(file).1;
        let flags = name
            .rsplit_once(":2,")
            .or_else(|| name.rsplit_once("!2,"))
            .map_or("", |(_, flags)| flags);
        let known = [
            ('S', "\\Seen"),
            ('R', "\\Answered"),
            ('F', "\\Flagged"),
            ('T', "\\Deleted"),
            ('D', "\\Draft"),
        ];
        let set = known
            .iter()
            .filter(|(letter, _)| flags.contains(*letter))
            .map(|(_, flag)| (*flag).to_owned());
        visitor(letter(
            file,
            read(file)?,
            set.collect(),
            modified(file),
            mailbox.map(str::to_owned),
        )?)?;
    }
    Ok(())
}

/// The `.eml` files of a folder, sorted by name; other files are ignored.
fn import_folder(path: &Path, visitor: Visitor<'_>) -> Result<(), SandboxError> {
    let files: Vec<PathBuf> =
        entries(path)?.into_iter().filter(|file| is_eml(file) && file.is_file()).collect();
    if files.is_empty() {
        return Err(failed(path, "neither a Maildir nor a folder with .eml files"));
    }
    files.iter().try_for_each(|file| visitor(read_eml(file)?))
}

fn read_eml(path: &Path) -> Result<ImportedLetter, SandboxError> {
    letter(path, read(path)?, Vec::new(), None, None)
}

/// A letter with a date: the known one, otherwise that of its Date field. IMAP cannot send NUL, so
/// as on other servers each becomes the byte 128.
fn letter(
    path: &Path,
    mut bytes: Vec<u8>,
    flags: Vec<String>,
    internal_date: Option<Zoned>,
    mailbox: Option<String>,
) -> Result<ImportedLetter, SandboxError> {
    let nuls = memchr::memchr_iter(0, &bytes).count();
    bytes.iter_mut().filter(|byte| **byte == 0).for_each(|byte| *byte = 0x80);
    let end = memchr::memmem::find(&bytes, b"\n\n").unwrap_or(header::range(&bytes).end);
    let date = || dates::sent_moment(&header::value(&bytes, 0..end, "Date")?);
    let internal_date = internal_date.or_else(date);
    Ok(ImportedLetter { path: path.to_owned(), nuls, bytes, flags, internal_date, mailbox })
}

fn read(path: &Path) -> Result<Vec<u8>, SandboxError> {
    let size = fs::metadata(path).map_err(|error| failed(path, error))?.len();
    if size > LETTER_LIMIT as u64 {
        return Err(failed(path, "the letter is larger than 64 MiB"));
    }
    fs::read(path).map_err(|error| failed(path, error))
}

fn modified(path: &Path) -> Option<Zoned> {
    let time = fs::metadata(path).ok()?.modified().ok()?;
    Some(Timestamp::try_from(time).ok()?.to_zoned(TimeZone::system()))
}

fn entries(path: &Path) -> Result<Vec<PathBuf>, SandboxError> {
    let entries = fs::read_dir(path).map_err(|error| failed(path, error))?;
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<PathBuf>, _>>()
        .map_err(|error| failed(path, error))?;
    paths.sort();
    Ok(paths)
}

fn is_maildir(path: &Path) -> bool {
    path.join("cur").is_dir() || path.join("new").is_dir()
}

fn is_eml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("eml"))
}

fn failed(path: &Path, reason: impl ToString) -> SandboxError {
    SandboxError::Import { path: path.to_owned(), reason: reason.to_string() }
}
