//! Files as a whole: whether they are there, renaming, copying, deleting, and listing, making
//! and deleting a folder.
//!
//! Every path is checked against the policy, and then only the path that the policy returns is
//! used. A refusal or a failure comes back as an `Outcome`, which the prelude raises as a
//! `:not-allowed` or `:file` condition. A copy is written next to its destination and renamed, so
//! it is there completely or not at all.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use steel::SteelErr;

use super::files::{done, refused};
use super::pathnames::renamed;
use super::regexps::wildcard;
use super::{Answer, Code, context, string_of, time, wrong};
use crate::host::value::{Value, as_keyword, integer, list, nil, string, truth};
use crate::policy::Refusal;

pub(super) static TABLE: &[(&str, Code)] = &[
    ("%probe-file", |arguments| settled("probe-file", arguments, probe)),
    ("%delete-file", |arguments| settled("delete-file", arguments, delete)),
    ("%file-write-date", |arguments| settled("file-write-date", arguments, write_date)),
    ("%directory", |arguments| settled("directory", arguments, directory)),
    ("%file-directory-p", |arguments| settled("file-directory-p", arguments, is_folder)),
    ("%make-directory", |arguments| settled("make-directory", arguments, make_folder)),
    ("%delete-directory", |arguments| settled("delete-directory", arguments, delete_folder)),
    ("%rename-file", |arguments| settled("rename-file", arguments, rename)),
    ("%copy-file", |arguments| settled("copy-file", arguments, copy)),
];

/// Why a function did nothing.
enum Failure {
    /// A wrong argument.
    Misuse(SteelErr),
    Refused(Refusal),
    /// The path, as the script wrote it, and the system's error.
    File(String, io::Error),
}

impl From<SteelErr> for Failure {
    fn from(error: SteelErr) -> Self {
        Failure::Misuse(error)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Failure::Refused(refusal)
    }
}

type Attempt = Result<Value, Failure>;

/// Runs a function on its arguments, of which the first is a path.
fn settled(
    function: &str,
    arguments: &[Value],
    run: fn(&str, &str, &[Value]) -> Attempt,
) -> Answer {
    let path = string_of(function, &arguments[0])?;
    match run(function, path, &arguments[1..]) {
        Ok(value) => Ok(value),
        Err(Failure::Misuse(error)) => Err(error),
        Err(Failure::Refused(refusal)) => Ok(refused(function, &refusal)),
        Err(Failure::File(path, error)) => Ok(done(Err(error), function, &path)),
    }
}

fn at(path: &str) -> impl Fn(io::Error) -> Failure + '_ {
    move |error| Failure::File(path.to_owned(), error)
}

fn readable(path: &str) -> Result<PathBuf, Failure> {
    Ok(context()?.policy().check_reading(Path::new(path))?)
}

fn writable(path: &str) -> Result<PathBuf, Failure> {
    Ok(context()?.policy().check_writing(Path::new(path))?)
}

fn probe(_: &str, path: &str, _: &[Value]) -> Attempt {
    Ok(if readable(path)?.exists() { string(path) } else { nil() })
}

fn delete(_: &str, path: &str, _: &[Value]) -> Attempt {
    let entry = context()?.policy().check_deleting(Path::new(path))?;
    fs::remove_file(entry).map_err(at(path))?;
    Ok(truth(true))
}

fn is_folder(_: &str, path: &str, _: &[Value]) -> Attempt {
    Ok(truth(readable(path)?.is_dir()))
}

fn make_folder(_: &str, path: &str, _: &[Value]) -> Attempt {
    fs::create_dir(writable(path)?).map_err(at(path))?;
    Ok(truth(true))
}

/// Deletes an empty folder. It can only be replaced by a new folder or a file, never by a link, so
/// an untrusted script cannot lead another of its threads out of its folders with it.
fn delete_folder(_: &str, path: &str, _: &[Value]) -> Attempt {
    let entry = context()?.policy().check_deleting(Path::new(path))?;
    fs::remove_dir(entry).map_err(at(path))?;
    Ok(truth(true))
}

fn write_date(_: &str, path: &str, _: &[Value]) -> Attempt {
    let modified = fs::metadata(readable(path)?).and_then(|facts| facts.modified());
    let modified = Timestamp::try_from(modified.map_err(at(path))?)
        .map_err(|error| at(path)(io::Error::other(error)))?;
    Ok(integer(time::universal(modified)))
}

/// `(%rename-file path new-path if-exists)`.
fn rename(function: &str, path: &str, arguments: &[Value]) -> Attempt {
    let new_path = &*renamed(string_of(function, &arguments[0])?, path);
    let replaces = replaces(function, &arguments[1])?;
    let old = context()?.policy().check_moving(Path::new(path))?;
    let new = writable(new_path)?;
    if !replaces && new.symlink_metadata().is_ok() {
        return Err(at(new_path)(exists()));
    }
    fs::rename(old, new).map_err(at(path))?;
    Ok(string(new_path))
}

/// `(%copy-file path new-path if-exists)`.
fn copy(function: &str, path: &str, arguments: &[Value]) -> Attempt {
    let new_path = string_of(function, &arguments[0])?;
    let replaces = replaces(function, &arguments[1])?;
    let (old, new) = (readable(path)?, writable(new_path)?);
    // Reading a pipe or a device might never end.
    let facts = fs::metadata(&old).map_err(at(path))?;
    if !facts.is_file() {
        return Err(at(path)(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file")));
    }
    if new.is_dir() {
        return Err(at(new_path)(io::Error::new(io::ErrorKind::InvalidInput, "it is a folder")));
    }
    if !replaces && new.symlink_metadata().is_ok() {
        return Err(at(new_path)(exists()));
    }
    let mut from = File::open(&old).map_err(at(path))?;
    let folder = new.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut copy = tempfile::Builder::new()
        .suffix(".part")
        .tempfile_in(folder.unwrap_or(Path::new(".")))
        .map_err(|error| at(new_path)(without_path(error)))?;
    let mut block = vec![0; 128 << 10];
    loop {
        if context()?.interrupted() {
            return Err(at(path)(io::Error::other("interrupted")));
        }
        match from.read(&mut block).map_err(at(path))? {
            0 => break,
            length => copy.write_all(&block[..length]).map_err(at(new_path))?,
        }
    }
    let whole = copy.as_file().set_permissions(facts.permissions());
    whole.and_then(|()| copy.as_file().sync_all()).map_err(at(new_path))?;
    let kept = if replaces { copy.persist(&new) } else { copy.persist_noclobber(&new) };
    kept.map_err(|kept| match kept.error.kind() {
        io::ErrorKind::AlreadyExists => at(new_path)(exists()),
        _ => at(new_path)(kept.error),
    })?;
    Ok(string(new_path))
}

/// Leaves the name of the temporary file out of an error.
fn without_path(error: io::Error) -> io::Error {
    let text = error.to_string();
    io::Error::new(error.kind(), text.split(" at path ").next().unwrap_or(&text))
}

/// Reads `:if-exists`: whether a file of the new name is replaced.
fn replaces(function: &str, value: &Value) -> Result<bool, SteelErr> {
    match as_keyword(value) {
        Some("error") => Ok(false),
        Some("supersede" | "overwrite") => Ok(true),
        _ => Err(wrong(function, ":error or :supersede as :if-exists", value)),
    }
}

fn exists() -> io::Error {
    let why = "it exists already; :if-exists :supersede replaces it";
    io::Error::new(io::ErrorKind::AlreadyExists, why)
}

/// Lists a folder, or what matches a pattern. `**` stands for folders at any depth. Names that are
/// not UTF-8 are left out, because no string could name them.
fn directory(_: &str, path: &str, _: &[Value]) -> Attempt {
    let (folder, pattern) = path.split_at(path.rfind('/').map_or(0, |slash| slash + 1));
    let mut found = Vec::new();
    if !has_wildcard(folder) {
        found = matching(folder, pattern)?;
    } else if pattern.is_empty() {
        found = folders(folder)?;
    } else {
        for folder in folders(folder)? {
            found.append(&mut matching(&folder, pattern)?);
        }
    }
    found.sort();
    found.dedup();
    Ok(list(found.into_iter().map(string).collect()))
}

fn has_wildcard(pattern: &str) -> bool {
    pattern.contains(['*', '?'])
}

fn too_long() -> Failure {
    Failure::Misuse(super::fail("directory: the pattern is too long"))
}

/// Returns the paths in a folder whose names match a pattern; none if there is no such folder.
fn matching(folder: &str, pattern: &str) -> Result<Vec<String>, Failure> {
    if !pattern.is_empty() && !has_wildcard(pattern) {
        let path = format!("{folder}{pattern}");
        return Ok(if readable(&path)?.exists() { vec![path] } else { Vec::new() });
    }
    // Common Lisp's pattern for any name with any type, or without one.
    let pattern = if matches!(pattern, "" | "*.*") { "*" } else { pattern };
    let wanted = wildcard(pattern, false).ok_or_else(too_long)?;
    let mut found = Vec::new();
    for (name, _) in entries(folder)? {
        if wanted.is_match(&name) {
            let mut whole = format!("{folder}{name}");
            if readable(&whole).is_ok_and(|real| real.is_dir()) {
                whole.push('/');
            }
            found.push(whole);
        }
    }
    Ok(found)
}

/// Returns the folders that match a pattern such as `"mail/*/"`, each with its slash. Links to
/// folders are not followed for `**`, because they may lead around in a circle.
fn folders(pattern: &str) -> Result<Vec<String>, Failure> {
    let mut found = vec![String::new()];
    for part in pattern.split_inclusive('/') {
        let name = part.trim_end_matches('/');
        let mut next = Vec::new();
        for folder in found {
            if name == "**" {
                let mut pending = vec![folder];
                while let Some(folder) = pending.pop() {
                    let inner = entries(&folder)?.into_iter().filter(|(_, is_folder)| *is_folder);
                    pending.extend(inner.map(|(name, _)| format!("{folder}{name}/")));
                    next.push(folder);
                }
            } else if has_wildcard(name) {
                let inner = matching(&folder, name)?.into_iter();
                next.extend(inner.filter(|path| path.ends_with('/')));
            } else {
                next.push(format!("{folder}{part}"));
            }
        }
        found = next;
    }
    Ok(found)
}

/// Returns the names in a folder, and which of them are folders themselves and no links; none if
/// there is no such folder.
fn entries(folder: &str) -> Result<Vec<(String, bool)>, Failure> {
    let real = readable(if folder.is_empty() { "." } else { folder })?;
    let read = match fs::read_dir(real) {
        Ok(read) => read,
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(at(folder)(error)),
    };
    let mut found = Vec::new();
    for entry in read {
        let entry = entry.map_err(at(folder))?;
        if let Ok(name) = entry.file_name().into_string() {
            found.push((name, entry.file_type().is_ok_and(|kind| kind.is_dir())));
        }
    }
    Ok(found)
}
