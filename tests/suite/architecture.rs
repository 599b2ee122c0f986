//! The layers of the source tree: which part may import which. The table in `src/README.md` is the
//! rule, and these tests enforce it.
//!
//! Each row of the table names a file or folder below `src` and, in its last column, the parts of
//! this crate that it may import. `nothing of ours` allows none, `everything` allows all. Which
//! parts may use the network, files, threads, clocks or the interpreter is listed in this file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Paths outside the crate that give access to the system or the interpreter.
const OUTSIDE: [&str; 8] = [
    "std::net",
    "std::fs",
    "std::process",
    "std::thread",
    "std::time",
    "std::env",
    "native_tls",
    "steel",
];

/// The pure parts: they turn bytes and text into bytes and values, and may use nothing of
/// [`OUTSIDE`].
const PURE: [&str; 6] = ["proto", "guard", "mime", "lisp", "shown", "condition"];

/// What other parts may use of [`OUTSIDE`]. `command` may use everything.
const TOUCHES: [(&str, &[&str]); 8] = [
    ("policy", &["std::net", "std::fs", "std::env"]),
    ("transport", &["std::net", "std::fs", "std::thread", "std::time", "native_tls"]),
    ("client", &["std::net", "std::time"]),
    ("host", &["std::fs", "std::thread", "std::time", "std::env", "steel"]),
    ("api", &["std::fs", "std::process", "std::thread", "std::time", "std::env"]),
    ("repl", &["std::fs", "std::time", "std::env"]),
    ("state", &["std::fs", "std::process", "std::time"]),
    ("sandbox", &["std::net", "std::fs", "std::process", "std::thread", "std::time", "native_tls"]),
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files_below(path: &Path, into: &mut Vec<PathBuf>) {
    if path.is_dir() {
        let entries = fs::read_dir(path).unwrap();
        entries.for_each(|entry| files_below(&entry.unwrap().path(), into));
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        into.push(path.to_owned());
    }
}

/// Returns the part, path and code of every file below `src`, without line comments and tests.
fn sources() -> Vec<(String, PathBuf, String)> {
    let mut files = Vec::new();
    files_below(&source(), &mut files);
    files.retain(|path| !path.to_str().is_some_and(|path| path.ends_with("_tests.rs")));
    let read = |path: PathBuf| {
        let relative = path.strip_prefix(source()).unwrap();
        let part = relative.components().next().unwrap().as_os_str().to_str().unwrap().to_owned();
        let part = part.strip_suffix(".rs").unwrap_or(&part).to_owned();
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or("");
        let code = code.split("#[cfg(all(test").next().unwrap_or("");
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        (part, path, lines.collect::<Vec<_>>().join("\n"))
    };
    files.into_iter().map(read).collect()
}

/// Returns the names in backquotes.
fn quoted(text: &str) -> BTreeSet<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Reads the table in `src/README.md`: each part and the parts it may import, `None` for all.
fn table() -> BTreeMap<String, Option<BTreeSet<String>>> {
    let readme = fs::read_to_string(source().join("README.md")).unwrap();
    let rows = readme.lines().filter(|line| line.starts_with("| `"));
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches(['|', ' ']).split(" | ").collect();
        let [part, _, imports] = cells[..] else { panic!("three cells: {line}") };
        let part = part.trim_matches('`').trim_end_matches(".rs").to_owned();
        let imports = match imports.trim() {
            "everything" => None,
            "nothing of ours" => Some(BTreeSet::new()),
            some => Some(quoted(some)),
        };
        (part, imports)
    };
    rows.map(row).collect()
}

/// Returns whether `word` occurs in `code` as a path of its own, not as part of another.
fn mentions(code: &str, word: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].bytes().next_back();
        let after = code[at + word.len()..].bytes().next();
        !before.is_some_and(|byte| is_part(byte) || byte == b':') && !after.is_some_and(is_part)
    })
}

#[test]
fn parts_import_what_the_readme_allows() {
    let table = table();
    let mut parts = BTreeSet::new();
    for (part, path, code) in sources() {
        parts.insert(part.clone());
        if part == "lib" {
            continue;
        }
        let Some(allowed) = table.get(&part) else { panic!("src/README.md has no row for {part}") };
        let Some(allowed) = allowed else { continue };
        for import in code.split("crate::").skip(1) {
            let end = import.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(0);
            let import = &import[..end];
            assert!(
                import == part || import.is_empty() || allowed.contains(import),
                "{}: {part} may not import {import}; src/README.md allows {allowed:?}",
                path.display()
            );
        }
    }
    for part in table.keys() {
        assert!(parts.contains(part), "src/README.md has a row for {part}, which is not there");
    }
}

#[test]
fn pure_parts_touch_nothing_outside() {
    for (part, path, code) in sources() {
        let touches = TOUCHES.iter().find(|(name, _)| *name == part).map(|(_, touches)| *touches);
        let allowed = match touches {
            Some(touches) => touches,
            None if PURE.contains(&part.as_str()) => &[],
            None => continue,
        };
        for word in OUTSIDE.iter().filter(|word| !allowed.contains(word)) {
            assert!(!mentions(&code, word), "{}: {part} may not touch {word}", path.display());
        }
    }
}

#[test]
fn the_interpreters_variants_stay_in_the_host() {
    let variants = ["SteelVal", "Value::ListV", "Value::Pair", "Value::StringV", "Value::SymbolV"];
    let numbers = ["Value::IntV", "Value::NumV", "Value::BigNum", "Value::BoolV", "Value::Void"];
    let others = ["Value::VectorV", "Value::MutableVector", "Value::ByteVector", "Value::Custom"];
    for (_, path, code) in sources().into_iter().filter(|(part, ..)| part != "host") {
        for word in variants.iter().chain(&numbers).chain(&others) {
            assert!(!mentions(&code, word), "{}: {word} is for the host", path.display());
        }
    }
}

/// A command reaches a session only through the door, `Connection::submit`. Changes made without a
/// connection must go through `witnessed`.
#[test]
fn there_is_one_way_out() {
    let mut submits = Vec::new();
    for (part, path, code) in sources() {
        let name = path.strip_prefix(source()).unwrap().to_str().unwrap().to_owned();
        // Collects the files that submit to a session directly; only the door may.
        if mentions_call(&code, "session.submit(") || mentions_call(&code, "session().submit(") {
            submits.push(name.clone());
        }
        let reaches_store = part == "api" && code.contains("store.deliver(");
        let runs_programs = part == "api" && code.contains(".stdin(Stdio::piped())");
        if reaches_store || runs_programs {
            assert!(code.contains("witnessed("), "{name} changes something unseen");
        }
        if part != "transport" {
            assert!(!code.contains("session_mut("), "{name} reaches a session");
        }
    }
    assert_eq!(submits, ["transport/door.rs"]);
    let drive = fs::read_to_string(source().join("transport/drive.rs")).unwrap();
    assert!(!drive.contains("-> &mut S {"), "a session is not handed out");
}

fn mentions_call(code: &str, call: &str) -> bool {
    code.split_whitespace().collect::<String>().contains(call)
}
