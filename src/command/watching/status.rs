//! The status of watches: a file of each process, and `postoffice status`, which reads all of them.
//!
//! The files are in the folder `running` beside the state database, `NAME.watch.json`. The process
//! holds a lock on `NAME.watch.lock` as long as it lives, so that everybody can tell whether it does.
//! A process that ends well removes both. The file of one that has failed or was killed stays for a
//! day, or until a process starts with the same scripts.

use super::board::Known;
use super::log::harmless;
use crate::command::output::{print, write_private};
use crate::command::setup::state_folder;
use crate::command::tables::{table, time};
use crate::state::{make_private, now, private_file};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// How long the files of processes that have ended are kept, in milliseconds.
const KEPT: i64 = 24 * 3600 * 1000;

const ENDING: &str = ".watch.json";

/// The status file of this process.
pub(super) struct StatusFile {
    path: PathBuf,
    lock: PathBuf,
    /// Locked while the process lives.
    _held: File,
    /// The absolute paths of the scripts.
    scripts: Vec<String>,
    started: i64,
}

impl StatusFile {
    /// Makes the file's lock, and removes the files of processes that have ended with these scripts.
    pub(super) fn create(scripts: Vec<String>) -> Result<StatusFile, String> {
        let folder = running().ok_or("there is no home folder for it")?;
        let text = |error: std::io::Error| error.to_string();
        make_private(&folder).map_err(text)?;
        // Processes of several containers may have the same number.
        for number in 0.. {
            let name = match number {
                0 => std::process::id().to_string(),
                number => format!("{}-{number}", std::process::id()),
            };
            let lock = folder.join(format!("{name}.watch.lock"));
            let held = private_file(&lock).map_err(text)?;
            match held.try_lock() {
                Ok(()) => {
                    for old in all(&folder)? {
                        if !old.lives && (old.is_old() || old.content["files"] == json!(scripts)) {
                            old.remove();
                        }
                    }
                    let path = folder.join(format!("{name}{ENDING}"));
                    return Ok(StatusFile { path, lock, _held: held, scripts, started: now() });
                }
                Err(fs::TryLockError::WouldBlock) if number < 100 => {}
                Err(fs::TryLockError::WouldBlock) => break,
                Err(fs::TryLockError::Error(error)) => return Err(error.to_string()),
            }
        }
        Err("another process uses it".to_owned())
    }

    /// Writes what is known. `code` is the exit code, at the end.
    pub(super) fn write(
        &self,
        names: &[String],
        known: &Known,
        code: Option<i32>,
    ) -> Result<(), String> {
        let scripts = known.scripts.iter().filter_map(|(number, script)| {
            let name = names.get(*number)?;
            Some(json!({
                "script": name,
                "runs": script.runs,
                "error": script.error,
                "next": script.next.map(stamp),
            }))
        });
        let watches =
            known.watches.iter().filter(|(key, watch)| known.is_current(key, watch)).filter_map(
                |((number, account, mailbox, cursor), watch)| {
                    Some(json!({
                        "script": names.get(*number)?,
                        "account": account,
                        "mailbox": mailbox,
                        "cursor": cursor,
                        "state": watch.state.words(),
                        "since": stamp(watch.since),
                        "arrived": watch.arrived,
                        "handled": watch.handled,
                        "failed": watch.failed,
                        "set-aside": watch.set_aside,
                        "repeated": watch.repeated,
                        "connections-lost": watch.lost,
                        "last-letter": watch.last_letter.map(stamp),
                        "error": watch.error,
                        "next": watch.next.filter(|next| *next > now()).map(stamp),
                    }))
                },
            );
        let content = json!({
            "process": std::process::id(),
            "started": stamp(self.started),
            "written": stamp(now()),
            "exit-code": code,
            "files": self.scripts,
            "scripts": scripts.collect::<Vec<_>>(),
            "watches": watches.collect::<Vec<_>>(),
        });
        write_private(&self.path, &content.to_string()).map_err(|error| error.to_string())
    }

    /// Removes the file, when the process has ended well.
    pub(super) fn remove(self) {
        let _ = fs::remove_file(&self.path); // the next process removes it
        let _ = fs::remove_file(&self.lock);
    }
}

/// The status of a process.
struct Process {
    content: Value,
    lives: bool,
    path: PathBuf,
    written: i64,
}

impl Process {
    fn is_old(&self) -> bool {
        now().saturating_sub(self.written) > KEPT
    }

    fn remove(&self) {
        let _ = fs::remove_file(&self.path); // another process may have done it
        let _ = fs::remove_file(self.path.with_extension("lock"));
    }
}

fn running() -> Option<PathBuf> {
    state_folder().map(|folder| folder.join("running"))
}

/// The status of all processes, the oldest first.
fn all(folder: &Path) -> Result<Vec<Process>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if !path.to_str().is_some_and(|path| path.ends_with(ENDING)) {
            continue;
        }
        let content = fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let Some(content) = content else { continue }; // it was removed meanwhile
        let content: Value = content;
        let written = content["written"].as_str().and_then(milliseconds).unwrap_or(0);
        let lock = File::open(path.with_extension("lock"));
        let lives = lock
            .is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(fs::TryLockError::WouldBlock)));
        found.push(Process { content, lives, path, written });
    }
    found.sort_by(|one, other| {
        let started = |process: &Process| process.content["started"].as_str().map(str::to_owned);
        started(one).cmp(&started(other)).then_with(|| one.path.cmp(&other.path))
    });
    Ok(found)
}

/// A time as RFC 3339 has it, and back.
fn stamp(milliseconds: i64) -> String {
    jiff::Timestamp::from_millisecond(milliseconds).map_or_else(|_| "?".into(), |it| it.to_string())
}

fn milliseconds(stamp: &str) -> Option<i64> {
    stamp.parse().ok().map(|time: jiff::Timestamp| time.as_millisecond())
}

/// `postoffice status`.
pub(in crate::command) fn status(as_json: bool) -> Result<i32, String> {
    let folder = running()
        .ok_or("there is no home folder for the state, and POSTOFFICE_STATE names none")?;
    let mut processes = all(&folder)?;
    processes.retain(|process| {
        let is_kept = process.lives || !process.is_old();
        if !is_kept {
            process.remove();
        }
        is_kept
    });
    let text = if as_json { json_of(&processes) } else { text_of(&processes) };
    print(&text).map(|()| 0).map_err(|error| error.to_string())
}

fn json_of(processes: &[Process]) -> String {
    let all = processes.iter().map(|process| {
        let mut content = process.content.clone();
        content["running"] = json!(process.lives);
        content
    });
    format!("{}\n", harmless(&json!({ "processes": all.collect::<Vec<_>>() }).to_string()))
}

fn text_of(processes: &[Process]) -> String {
    if processes.is_empty() {
        return "No watch is running.\n".to_owned();
    }
    let parts: Vec<String> = processes.iter().map(Process::text).collect();
    parts.join("\n")
}

impl Process {
    fn text(&self) -> String {
        let when = |value: &Value| {
            value.as_str().and_then(milliseconds).map_or_else(|| "-".to_owned(), time)
        };
        let words = |value: &Value| match value {
            Value::Null => "-".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let content = &self.content;
        let end = match (self.lives, &content["exit-code"]) {
            (true, _) => format!("running since {}", when(&content["started"])),
            (false, Value::Null) => format!("was killed after {}", when(&content["written"])),
            (false, code) => format!("ended {}, exit code {code}", when(&content["written"])),
        };
        let mut text = format!("process {}: {end}\n", words(&content["process"]));
        for script in content["scripts"].as_array().into_iter().flatten() {
            let error = script["error"].as_str().unwrap_or_default();
            if let Some(first) = error.lines().next() {
                let next = match &script["next"] {
                    Value::Null => String::new(),
                    next => format!("; started again {}", when(next)),
                };
                let line = format!("{} has failed: {first}{next}", words(&script["script"]));
                text += &format!("{}\n", crate::shown::escape_controls(&line));
            }
        }
        let watches = content["watches"].as_array().into_iter().flatten();
        let rows = watches.map(|watch| {
            let state = if self.lives { words(&watch["state"]) } else { "ended".to_owned() };
            [
                words(&watch["account"]),
                words(&watch["mailbox"]),
                words(&watch["cursor"]),
                state,
                when(&watch["since"]),
                words(&watch["handled"]),
                words(&watch["failed"]),
                when(&watch["next"]),
                words(&watch["error"]),
            ]
        });
        let head = [
            "account",
            "mailbox",
            "cursor",
            "state",
            "since",
            "handled",
            "failed",
            "next try",
            "last error",
        ];
        text + &table(head, rows)
    }
}
