//! The folders that a script may use, and resolving paths to the files they really name.

use std::io;
use std::path::{Component, Path, PathBuf};

/// A folder whose files an untrusted script may use.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    /// Absolute, with links resolved.
    path: PathBuf,
    pub writable: bool,
}

impl Folder {
    pub fn new(path: &Path, writable: bool) -> io::Result<Folder> {
        let path = path.canonicalize()?;
        if path.is_dir() {
            Ok(Folder { path, writable })
        } else {
            Err(io::ErrorKind::NotADirectory.into())
        }
    }

    /// Returns whether this path, absolute and with links resolved, is this folder or inside it.
    pub fn holds(&self, real: &Path) -> bool {
        real.starts_with(&self.path)
    }
}

/// Makes a path absolute and resolves its links. `None` if it cannot be resolved.
///
/// The last components may not exist yet, as for a file to write. They must be plain names then: a
/// `..` after a missing component could mean anything once that exists. A dangling link is refused:
/// writing through it would create a file at its target.
///
/// There is no race with the later use of the path, though a script may work in several threads: it
/// has no function that creates links, and [`super::Policy::check_moving`] keeps it from moving
/// links and folders, so a folder in the path stays what it was.
pub(super) fn resolve(path: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(path).ok()?;
    let mut missing = Vec::new();
    let mut existing = absolute.as_path();
    loop {
        match existing.symlink_metadata() {
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                match existing.components().next_back()? {
                    Component::Normal(name) => missing.push(name),
                    _ => return None,
                }
                existing = existing.parent()?;
            }
            Err(_) => return None,
        }
    }
    let mut real = existing.canonicalize().ok()?;
    real.extend(missing.into_iter().rev());
    Some(real)
}

/// As [`resolve`], but a link in the last place is not followed: the path names the link itself.
pub(super) fn resolve_entry(path: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(path).ok()?;
    match absolute.components().next_back()? {
        Component::Normal(name) => Some(resolve(absolute.parent()?)?.join(name)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;

    #[test]
    fn nothing_leads_out_of_the_folder() {
        let outer = tempfile::tempdir().unwrap();
        let (inside, outside) = (outer.path().join("in"), outer.path().join("out"));
        std::fs::create_dir_all(inside.join("deep")).unwrap();
        std::fs::create_dir(outer.path().join("in-too")).unwrap();
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("secret"), "x").unwrap();
        std::fs::write(inside.join("file"), "x").unwrap();
        #[cfg(unix)]
        for (target, link) in [
            ("../out", "link"),
            ("../out/secret", "file-link"),
            ("../out/new", "nowhere"),
            ("file", "inner-link"),
            ("loop", "loop"),
        ] {
            std::os::unix::fs::symlink(target, inside.join(link)).unwrap();
        }
        let mut policy = Policy::untrusted();
        policy.allow_folder(&inside).unwrap();
        for (path, allowed) in [
            ("file", true),
            ("", true),
            (".", true),
            ("new", true),
            ("deep/new", true),
            ("deep/../file", true),
            ("new/deeper/still", true),
            ("deep/../../in/file", true),
            ("..", false),
            ("../out/secret", false),
            ("../out/new", false),
            ("../in-too", false),
            ("../in-too/x", false),
            ("../new", false),
            ("deep/../../out/secret", false),
            ("new/../../out/secret", false),
            ("new/../../../../../../../etc/passwd", false),
            ("file/x", false),
            ("a\0b", false),
        ] {
            assert_eq!(policy.check_writing(&inside.join(path)).is_ok(), allowed, "{path}");
            assert_eq!(policy.check_reading(&inside.join(path)).is_ok(), allowed, "{path}");
        }
        #[cfg(unix)]
        for (path, allowed) in [
            ("inner-link", true),
            ("link", false),
            ("link/secret", false),
            ("file-link", false),
            ("nowhere", false),
            ("loop", false),
            ("link/../x", false),
        ] {
            assert_eq!(policy.check_writing(&inside.join(path)).is_ok(), allowed, "{path}");
        }
        for absolute in
            ["/etc/passwd", "/", "/nonexistent", "/proc/self/environ", "C:\\Windows", "~/x"]
        {
            assert!(policy.check_reading(Path::new(absolute)).is_err(), "{absolute}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_are_deleted_themselves_and_only_files_are_renamed() {
        let outer = tempfile::tempdir().unwrap();
        let inside = outer.path().canonicalize().unwrap().join("in");
        std::fs::create_dir_all(inside.join("deep")).unwrap();
        std::fs::write(inside.join("file"), "x").unwrap();
        std::os::unix::fs::symlink("file", inside.join("link")).unwrap();
        std::os::unix::fs::symlink("..", inside.join("out")).unwrap();
        let mut policy = Policy::untrusted();
        policy.allow_folder(&inside).unwrap();
        assert_eq!(policy.check_deleting(&inside.join("link")).unwrap(), inside.join("link"));
        assert_eq!(policy.check_deleting(&inside.join("out")).unwrap(), inside.join("out"));
        assert!(policy.check_deleting(&inside.join("out/x")).is_err());
        for (path, allowed) in
            [("file", true), ("new", true), ("deep", false), ("link", false), ("out", false)]
        {
            assert_eq!(policy.check_moving(&inside.join(path)).is_ok(), allowed, "{path}");
        }
        assert!(Policy::trusted().check_moving(&inside.join("deep")).is_ok());
    }

    #[test]
    fn a_folder_to_read_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let mut policy = Policy::untrusted();
        policy.allow_reading(folder.path()).unwrap();
        assert!(policy.check_reading(&folder.path().join("x")).is_ok());
        assert!(policy.check_writing(&folder.path().join("x")).is_err());
        assert!(policy.allow_folder(&folder.path().join("none")).is_err());
    }
}
