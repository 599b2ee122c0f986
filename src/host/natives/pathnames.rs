//! The parts of a path. Paths are strings: a folder, which ends in a slash, and a file, which is a
//! name and a type, the part after the last dot. No file is looked at.

use super::{Answer, Code, count, string_of};
use crate::host::value::{Value, nil, string};

pub(super) static TABLE: &[(&str, Code)] = &[
    ("namestring", |arguments| part("namestring", arguments, |path| Some(path.to_owned()))),
    ("directory-namestring", |arguments| {
        part("directory-namestring", arguments, |path| Some(split(path).0.to_owned()))
    }),
    ("file-namestring", |arguments| {
        part("file-namestring", arguments, |path| Some(split(path).1.to_owned()))
    }),
    ("pathname-name", |arguments| {
        part("pathname-name", arguments, |path| {
            Some(name_and_type(split(path).1).0).filter(|name| !name.is_empty()).map(str::to_owned)
        })
    }),
    ("pathname-type", |arguments| {
        part("pathname-type", arguments, |path| name_and_type(split(path).1).1.map(str::to_owned))
    }),
    ("merge-pathnames", merge),
];

fn part(function: &str, arguments: &[Value], of: fn(&str) -> Option<String>) -> Answer {
    count(function, arguments, 1, 1)?;
    Ok(of(string_of(function, &arguments[0])?).map_or_else(nil, string))
}

/// Returns the folder and the file.
fn split(path: &str) -> (&str, &str) {
    path.split_at(path.rfind('/').map_or(0, |slash| slash + 1))
}

/// Returns the name and the type. A dot at the start of a file belongs to the name.
fn name_and_type(file: &str) -> (&str, Option<&str>) {
    match file.rsplit_once('.') {
        Some((name, kind)) if !name.trim_matches('.').is_empty() => (name, Some(kind)),
        _ => (file, None),
    }
}

fn merge(arguments: &[Value]) -> Answer {
    count("merge-pathnames", arguments, 1, 2)?;
    let path = string_of("merge-pathnames", &arguments[0])?;
    let default = match arguments.get(1) {
        Some(default) => string_of("merge-pathnames", default)?,
        None => "",
    };
    Ok(string(merged(path, default)))
}

/// Takes the parts that a path lacks from a default. The folder of a relative path is within that of
/// the default.
fn merged(path: &str, default: &str) -> String {
    let ((folder, file), (default_folder, default_file)) = (split(path), split(default));
    let ((name, kind), (default_name, default_kind)) =
        (name_and_type(file), name_and_type(default_file));
    let mut merged = String::new();
    if !folder.starts_with('/') {
        merged.push_str(default_folder);
    }
    merged.push_str(folder);
    merged.push_str(if name.is_empty() { default_name } else { name });
    if let Some(kind) = kind.or(default_kind) {
        merged.push('.');
        merged.push_str(kind);
    }
    merged
}

/// Takes the parts that a new name for a file lacks from the old one. Unlike Common Lisp's, a name
/// with a folder is not taken relative to the folder of the old one, so that
/// `(rename-file "mail/a" "mail/b")` does what it seems to do.
pub(super) fn renamed(new_path: &str, path: &str) -> String {
    merged(new_path, if split(new_path).0.is_empty() { path } else { split(path).1 })
}
