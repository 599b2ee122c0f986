//! Which part may know of which. The protocol cores and the language are pure: no sockets, no TLS, no clock, no interpreter.

use std::fs;
use std::path::{Path, PathBuf};

/// Folder or file below `src`, and what must not stand in it.
const RULES: &[(&str, &[&str])] = &[
    (
        "proto",
        &[
            "std::net",
            "std::io",
            "std::time",
            "std::thread",
            "std::fs",
            "native_tls",
            "steel",
            "crate::transport",
            "crate::client",
            "crate::lisp",
            "crate::host",
            "crate::api",
            "crate::sandbox",
            "crate::condition",
        ],
    ),
    (
        "mime",
        &[
            "std::net",
            "std::time",
            "std::thread",
            "std::fs",
            "native_tls",
            "steel",
            "crate::proto",
            "crate::transport",
            "crate::client",
            "crate::lisp",
            "crate::host",
            "crate::api",
            "crate::sandbox",
            "crate::condition",
        ],
    ),
    (
        "lisp",
        &[
            "std::net",
            "std::io",
            "std::time",
            "std::thread",
            "std::fs",
            "native_tls",
            "steel",
            "crate::proto",
            "crate::transport",
            "crate::client",
            "crate::host",
            "crate::api",
            "crate::sandbox",
            "crate::condition",
        ],
    ),
    (
        "policy",
        &[
            "std::net::Tcp",
            "std::time",
            "std::thread",
            "native_tls",
            "steel",
            "crate::proto",
            "crate::transport",
            "crate::client",
            "crate::lisp",
            "crate::host",
            "crate::api",
            "crate::repl",
            "crate::sandbox",
        ],
    ),
    (
        "transport",
        &[
            "steel",
            "crate::client",
            "crate::lisp",
            "crate::host",
            "crate::api",
            "crate::repl",
            "crate::sandbox",
        ],
    ),
    (
        "client",
        &["steel", "crate::lisp", "crate::host", "crate::api", "crate::repl", "crate::sandbox"],
    ),
    (
        "host",
        &[
            "std::net",
            "native_tls",
            "crate::proto",
            "crate::transport",
            "crate::client",
            "crate::api",
            "crate::repl",
            "crate::sandbox",
        ],
    ),
    ("api", &["std::net", "native_tls", "use steel", "crate::repl", "crate::command"]),
    (
        "repl",
        &[
            "std::net",
            "native_tls",
            "use steel",
            "crate::client",
            "crate::transport",
            "crate::sandbox",
            "crate::command",
        ],
    ),
    (
        "sandbox",
        &[
            "steel",
            "crate::client",
            "crate::lisp",
            "crate::host",
            "crate::api",
            "crate::repl",
            "crate::proto::imap",
        ],
    ),
];

fn files_below(path: &Path, into: &mut Vec<PathBuf>) {
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| files_below(&entry.unwrap().path(), into));
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        into.push(path.to_owned());
    }
}

/// The code of a file without comments and without its tests.
fn code_of(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]").next().unwrap_or("");
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn imports_go_down_only() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (part, forbidden) in RULES {
        let mut files = Vec::new();
        files_below(&source.join(part), &mut files);
        assert!(!files.is_empty(), "there is no src/{part}");
        for file in files {
            let code = code_of(&file);
            for word in *forbidden {
                assert!(!code.contains(word), "{} must not mention {word}", file.display());
            }
        }
    }
}
