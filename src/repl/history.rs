//! The history of inputs, kept across sessions, without secrets.

use crate::host::without_secrets;
use std::io;
use std::path::{Path, PathBuf};

/// The number of inputs that are kept.
pub const KEPT: usize = 2_000;

/// Returns the file of the history, in the [`folder`].
pub fn path(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    Some(folder(variable)?.join("history"))
}

/// Returns the folder for what outlives a session: `$POSTOFFICE_STATE`, where a relative path counts
/// from the current folder, or `$XDG_STATE_HOME/postoffice`, by default below `~/.local/state`;
/// `None` if there is no home folder.
pub fn folder(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let named = variable("POSTOFFICE_STATE").filter(|folder| !folder.is_empty());
    if let Some(folder) = named.and_then(|folder| std::path::absolute(folder).ok()) {
        return Some(folder);
    }
    let home = || absolute("HOME").map(|home| home.join(".local/state"));
    let state = absolute("XDG_STATE_HOME").or_else(home).or_else(|| absolute("LOCALAPPDATA"))?;
    Some(state.join("postoffice"))
}

/// Returns the input as it is kept: every password or other secret is replaced by `#<secret>`,
/// which cannot be read back.
pub fn kept(input: &str) -> String {
    without_value(&without_secrets(input.trim_end()))
}

/// Replaces the string in `(use-value "…")`, which may be another password.
fn without_value(input: &str) -> String {
    const CALL: &str = "(use-value";
    let Some((before, after)) = input.split_once(CALL) else { return input.to_owned() };
    let text = after.trim_start();
    let Some(literal) = text.strip_prefix('"') else {
        return format!("{before}{CALL}{}", without_value(after));
    };
    let mut escaped = false;
    let end = literal.find(|character| {
        let ends = character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
        ends
    });
    let rest = end.map_or("", |end| &literal[end + 1..]);
    format!("{before}{CALL} #<secret>{}", without_value(rest))
}

/// Creates the file and its folder, readable for their owner only.
///
/// # Errors
/// The error of the system.
pub fn prepare(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    #[cfg(not(unix))]
    drop(file);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_folder_is_the_users() {
        let path_with = |pairs: &'static [(&str, &str)]| {
            path(|name| pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1.to_owned()))
        };
        assert_eq!(
            path_with(&[("XDG_STATE_HOME", "/s"), ("HOME", "/h")]),
            Some("/s/postoffice/history".into())
        );
        assert_eq!(
            path_with(&[("XDG_STATE_HOME", "relative"), ("HOME", "/h")]),
            Some("/h/.local/state/postoffice/history".into())
        );
        assert_eq!(
            path_with(&[("POSTOFFICE_STATE", "/p"), ("HOME", "/h")]),
            Some("/p/history".into())
        );
        let here = std::env::current_dir().unwrap();
        assert_eq!(
            path_with(&[("POSTOFFICE_STATE", "a/p"), ("HOME", "/h")]),
            Some(here.join("a/p/history"))
        );
        assert_eq!(
            path_with(&[("POSTOFFICE_STATE", ""), ("HOME", "/h")]),
            Some("/h/.local/state/postoffice/history".into())
        );
        assert_eq!(path_with(&[("HOME", "")]), None);
    }

    #[test]
    fn secrets_are_not_kept() {
        for (typed, expected) in [
            (
                "(make-imap-connection \"h\" :user \"u\" :password \"sesame\")",
                "(make-imap-connection \"h\" :user \"u\" :password #<secret>)",
            ),
            ("(setq password \"sesame\")", "(setq password #<secret>)"),
            (
                r#"(list (use-value "se\"same" c) (use-value v) (use-value "x"))"#,
                "(list (use-value #<secret> c) (use-value v) (use-value #<secret>))",
            ),
            ("(f :password\n \"sesame\" :x \"y\")\n", "(f :password\n #<secret> :x \"y\")"),
            (
                "(send-smtp-auth \"h\" \"a\" \"b\" \"login\" \"sesame\" \"text\")",
                "(send-smtp-auth \"h\" \"a\" \"b\" \"login\" #<secret> \"text\")",
            ),
            ("(f :password \"sesame", "(f :password #<secret>"),
            ("(f :password '(:env \"sesame!\"))", "(f :password '(:env #<secret>))"),
            ("(f :password (list \"sesame\"))", "(f :password (list #<secret>))"),
            (
                "(define-account work :host \"h\" :user \"u\" \"sesame\")",
                "(define-account work :host \"h\" :user \"u\" #<secret>)",
            ),
        ] {
            assert_eq!(kept(typed), expected);
        }
    }

    #[test]
    fn where_a_secret_comes_from_is_kept() {
        for typed in [
            "(f :password '(:env \"MAIL_PASSWORD\"))",
            "(f :password '(:command \"pass\" \"show\" \"mail/work\") :port 143)",
            "(f :token '( :file \"token\"))",
            "(f :password '(:keyring \"mail\"))",
        ] {
            assert_eq!(kept(typed), typed);
        }
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_reads_the_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a/postoffice/history");
        prepare(&file).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        prepare(&file).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    }
}
