//! The user's own init file, `~/.config/postoffice/init.scm`. The prompt loads it before the first
//! input, `run` and `eval` only with `--init`.

use super::output::complain;
use crate::host::{Host, Report};
use std::io;
use std::path::{Path, PathBuf};

/// Returns its path below `$XDG_CONFIG_HOME`, by default `~/.config`; `None` if there is no home
/// folder.
fn path(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || absolute("HOME").map(|home| home.join(".config"));
    let folder = absolute("XDG_CONFIG_HOME").or_else(home).or_else(|| absolute("APPDATA"))?;
    Some(folder.join("postoffice").join("init.scm"))
}

/// Returns its path for the current user.
fn own_path() -> Option<PathBuf> {
    path(|name| std::env::var(name).ok())
}

/// Reads a source file.
///
/// # Errors
/// A message that names the file.
pub(super) fn source_of(file: &Path) -> Result<String, String> {
    let bytes = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    String::from_utf8(bytes).map_err(|error| {
        format!("{}: it is not UTF-8 at byte {}", file.display(), error.utf8_error().valid_up_to())
    })
}

/// Loads the file for the prompt, if it exists. Errors are reported and the prompt starts anyway.
/// Returns the exit code if the file calls `(exit)`.
pub(super) fn load_if_there(host: &mut Host) -> Option<i32> {
    let path =
        own_path().filter(|path| !matches!(path.metadata(), Err(error) if is_missing(&error)))?;
    match source_of(&path) {
        Ok(source) => match host.evaluate_file(&source, &path.display().to_string()) {
            Ok(_) => {}
            Err(report) if report.exit.is_some() => return report.exit,
            Err(report) if report.interrupted => {
                complain(&format!("postoffice: {}: interrupted", path.display()))
            }
            Err(report) => complain(&report.to_string()),
        },
        Err(message) => complain(&format!("postoffice: {message}")),
    }
    None
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Returns the text for `--init` and the file's name.
///
/// A message. With `--init` the file must exist.
pub(super) fn asked_for() -> Result<(String, String), String> {
    let path =
        own_path().ok_or("--init: there is no home folder, and XDG_CONFIG_HOME names none")?;
    Ok((source_of(&path)?, path.display().to_string()))
}

/// Runs the text from [`asked_for`] before the program.
pub(super) fn load(host: &mut Host, init: Option<&(String, String)>) -> Result<(), Report> {
    init.map_or(Ok(()), |(source, name)| host.evaluate_file(source, name).map(drop))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_the_users() {
        let path_with = |pairs: &'static [(&str, &str)]| {
            path(|name| pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1.to_owned()))
        };
        assert_eq!(
            path_with(&[("XDG_CONFIG_HOME", "/c"), ("HOME", "/h")]),
            Some("/c/postoffice/init.scm".into())
        );
        assert_eq!(
            path_with(&[("XDG_CONFIG_HOME", "relative"), ("HOME", "/h")]),
            Some("/h/.config/postoffice/init.scm".into())
        );
        assert_eq!(path_with(&[("HOME", "")]), None);
    }
}
