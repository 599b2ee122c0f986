//! Limits what a script may reach outside itself.
//!
//! A trusted script may reach everything that its user may. An untrusted one reaches only what the
//! command line grants:
//!
//! | what | granted by | checked in |
//! |---|---|---|
//! | hosts | [`Policy::allow_host`] | [`crate::transport::Connector`] |
//! | folders | [`Policy::allow_folder`], [`Policy::allow_reading`] | each function that uses a file |
//! | environment variables | [`Policy::allow_variable`] | the function that reads one |
//! | keyring, other programs | never | the functions that use them |
//!
//! The policy only answers; each check is made at the point of access. Other limits are set
//! elsewhere: the functions that an untrusted script may call by `host::allowed`, its time by
//! `host::TimeLimit`, and its memory by the command, for the whole process.

mod folder;
mod host;

pub use host::AllowedHost;

use folder::Folder;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;

/// The limits on a script. The default is [`Policy::trusted`].
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// `None` allows everything.
    grants: Option<Arc<Grants>>,
}

#[derive(Debug, Clone, Default)]
struct Grants {
    hosts: Vec<AllowedHost>,
    folders: Vec<Folder>,
    variables: BTreeSet<String>,
}

/// An access that was refused: what the script tried, and which option would allow it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Refusal(String);

impl Policy {
    /// Allows everything that the user may do.
    pub fn trusted() -> Policy {
        Policy { grants: None }
    }

    /// Allows nothing until it is granted.
    pub fn untrusted() -> Policy {
        Policy { grants: Some(Arc::default()) }
    }

    /// Returns whether the script is confined to what was granted.
    pub fn is_untrusted(&self) -> bool {
        self.grants.is_some()
    }

    /// Lets an untrusted script connect to this host.
    pub fn allow_host(&mut self, host: AllowedHost) {
        self.grant(|grants| grants.hosts.push(host));
    }

    /// Lets an untrusted script read, write and delete inside this folder. Links that lead out of
    /// it are not followed.
    ///
    /// # Errors
    /// The folder does not exist, or is not a folder.
    pub fn allow_folder(&mut self, path: &Path) -> io::Result<()> {
        let folder = Folder::new(path, true)?;
        self.grant(|grants| grants.folders.push(folder));
        Ok(())
    }

    /// Lets an untrusted script read inside this folder.
    ///
    /// # Errors
    /// The folder does not exist, or is not a folder.
    pub fn allow_reading(&mut self, path: &Path) -> io::Result<()> {
        let folder = Folder::new(path, false)?;
        self.grant(|grants| grants.folders.push(folder));
        Ok(())
    }

    /// Lets an untrusted script read this environment variable.
    pub fn allow_variable(&mut self, name: impl Into<String>) {
        let name = name.into();
        self.grant(|grants| {
            grants.variables.insert(name);
        });
    }

    fn grant(&mut self, change: impl FnOnce(&mut Grants)) {
        if let Some(grants) = &mut self.grants {
            change(Arc::make_mut(grants));
        }
    }

    /// Checks a connection to this host and port. `port` is the one really used, not the script's
    /// argument.
    ///
    /// # Errors
    /// [`Refusal`] if it is not allowed.
    pub fn check_host(&self, host: &str, port: u16) -> Result<(), Refusal> {
        match &self.grants {
            Some(grants) if !grants.hosts.iter().any(|allowed| allowed.fits(host, port)) => Err(
                refusal(&format!("connect to {host}:{port}"), "--allow-host HOST allows a host"),
            ),
            _ => Ok(()),
        }
    }

    /// Checks reading `path` and returns the path to use, which for an untrusted script is absolute
    /// and has its links resolved.
    ///
    /// # Errors
    /// [`Refusal`] if it is not allowed; it does not reveal whether the file exists.
    pub fn check_reading(&self, path: &Path) -> Result<PathBuf, Refusal> {
        self.check_path(
            path,
            folder::resolve,
            |_| true,
            || {
                refusal(
                    &format!("read {}", path.display()),
                    "--allow-read DIR or --allow-dir DIR allows a folder",
                )
            },
        )
    }

    /// Checks writing or creating `path` and returns the path to use, which for an
    /// untrusted script is absolute and has its links resolved.
    ///
    /// # Errors
    /// [`Refusal`] if it is not allowed; it does not reveal whether the file exists.
    pub fn check_writing(&self, path: &Path) -> Result<PathBuf, Refusal> {
        self.check_path(
            path,
            folder::resolve,
            |folder| folder.writable,
            || {
                refusal(
                    &format!("write or delete {}", path.display()),
                    "--allow-dir DIR allows a folder",
                )
            },
        )
    }

    /// Checks deleting `path` and returns the path to use. Of a link it is the link's own path.
    ///
    /// # Errors
    /// [`Refusal`] if it is not allowed; it does not reveal whether the file exists.
    pub fn check_deleting(&self, path: &Path) -> Result<PathBuf, Refusal> {
        self.check_path(
            path,
            folder::resolve_entry,
            |folder| folder.writable,
            || {
                refusal(
                    &format!("write or delete {}", path.display()),
                    "--allow-dir DIR allows a folder",
                )
            },
        )
    }

    /// Checks renaming `path`: as [`Policy::check_deleting`], but an untrusted script renames files
    /// only. If it could exchange a folder for a link while another of its threads opens a file in
    /// it, that file could be anywhere.
    ///
    /// # Errors
    /// [`Refusal`] if it is not allowed.
    pub fn check_moving(&self, path: &Path) -> Result<PathBuf, Refusal> {
        let entry = self.check_deleting(path)?;
        let is_other = || entry.symlink_metadata().is_ok_and(|facts| !facts.is_file());
        if self.grants.is_some() && is_other() {
            return Err(refusal(
                &format!("rename {}", path.display()),
                "only files can be renamed, not folders and links",
            ));
        }
        Ok(entry)
    }

    fn check_path(
        &self,
        path: &Path,
        resolve: fn(&Path) -> Option<PathBuf>,
        suits: impl Fn(&Folder) -> bool,
        refusal: impl FnOnce() -> Refusal,
    ) -> Result<PathBuf, Refusal> {
        let Some(grants) = &self.grants else { return Ok(path.to_owned()) };
        let found = resolve(path)
            .filter(|real| grants.folders.iter().any(|folder| suits(folder) && folder.holds(real)));
        found.ok_or_else(refusal)
    }

    /// Checks reading an environment variable.
    ///
    /// # Errors
    /// [`Refusal`] if it is not allowed.
    pub fn check_variable(&self, name: &str) -> Result<(), Refusal> {
        match &self.grants {
            Some(grants) if !grants.variables.contains(name) => Err(refusal(
                &format!("read the environment variable {name}"),
                "--allow-env NAME allows one",
            )),
            _ => Ok(()),
        }
    }

    /// Checks taking a password from the user's keyring.
    ///
    /// # Errors
    /// [`Refusal`] if the script is untrusted.
    pub fn check_keyring(&self) -> Result<(), Refusal> {
        match &self.grants {
            Some(_) => {
                Err(refusal("read the keyring", "only running it without --untrusted allows that"))
            }
            None => Ok(()),
        }
    }

    /// Checks starting another program.
    ///
    /// # Errors
    /// [`Refusal`] if the script is untrusted.
    pub fn check_program(&self, program: &str) -> Result<(), Refusal> {
        match &self.grants {
            Some(_) => Err(refusal(
                &format!("start the program {program}"),
                "only running it without --untrusted allows that",
            )),
            None => Ok(()),
        }
    }
}

fn refusal(deed: &str, remedy: &str) -> Refusal {
    Refusal(format!(
        "an untrusted script may not {}; {remedy}",
        crate::shown::escape_controls(deed)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trusted_program_may_do_all() {
        let policy = Policy::default();
        assert!(policy.check_host("mail.example.org", 143).is_ok());
        assert_eq!(policy.check_writing(Path::new("../x")), Ok(PathBuf::from("../x")));
        assert!(policy.check_variable("HOME").is_ok() && policy.check_program("sh").is_ok());
    }

    #[test]
    fn an_untrusted_program_may_do_nothing_but_what_was_named() {
        let mut policy = Policy::untrusted();
        assert_eq!(
            policy.check_host("mail.example.org", 143).unwrap_err().to_string(),
            "an untrusted script may not connect to mail.example.org:143; --allow-host HOST allows a host"
        );
        assert!(
            policy.check_reading(Path::new("/")).is_err()
                && policy.check_writing(Path::new(".")).is_err()
        );
        assert!(policy.check_variable("HOME").is_err() && policy.check_program("sh").is_err());
        assert!(policy.check_keyring().is_err());
        policy.allow_host("mail.example.org:993".parse().unwrap());
        policy.allow_variable("LANG");
        assert!(
            policy.check_host("MAIL.example.org.", 993).is_ok()
                && policy.check_host("mail.example.org", 143).is_err()
        );
        assert!(policy.check_variable("LANG").is_ok() && policy.check_variable("LANG2").is_err());
    }
}
