//! What a program may reach outside of itself.
//!
//! A trusted program may reach all that its user may. An untrusted one reaches nothing but what was named: the hosts of
//! [`Policy::allow_host`], the folders of [`Policy::allow_folder`] and [`Policy::allow_reading`], the environment variables of
//! [`Policy::allow_variable`]; it starts no other program. Each check stands where the reach happens: connections in
//! [`crate::transport::Connector`], files and variables in the function that uses them, and of the functions of a host only those run
//! that are on its lists. Time is `host::TimeLimit`'s matter; memory is that of the process, which the command limits.

mod folder;
mod host;

pub use host::AllowedHost;

use folder::Folder;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;

/// What a program may reach. By default it is [`Policy::trusted`].
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// `None` allows all.
    grants: Option<Arc<Grants>>,
}

#[derive(Debug, Clone, Default)]
struct Grants {
    hosts: Vec<AllowedHost>,
    folders: Vec<Folder>,
    variables: BTreeSet<String>,
}

/// What an untrusted program wanted to do, and what would allow it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Refusal(String);

impl Policy {
    /// The program may do what its user may.
    pub fn trusted() -> Policy {
        Policy { grants: None }
    }

    /// The program reaches nothing.
    pub fn untrusted() -> Policy {
        Policy { grants: Some(Arc::default()) }
    }

    /// Whether the program may reach only what was named.
    pub fn is_untrusted(&self) -> bool {
        self.grants.is_some()
    }

    /// Lets an untrusted program connect to this host.
    pub fn allow_host(&mut self, host: AllowedHost) {
        self.grant(|grants| grants.hosts.push(host));
    }

    /// Lets an untrusted program read, write and delete below this folder. Links that lead out of it are not followed.
    ///
    /// # Errors
    /// There is no such folder.
    pub fn allow_folder(&mut self, path: &Path) -> io::Result<()> {
        let folder = Folder::new(path, true)?;
        self.grant(|grants| grants.folders.push(folder));
        Ok(())
    }

    /// Lets an untrusted program read below this folder.
    ///
    /// # Errors
    /// There is no such folder.
    pub fn allow_reading(&mut self, path: &Path) -> io::Result<()> {
        let folder = Folder::new(path, false)?;
        self.grant(|grants| grants.folders.push(folder));
        Ok(())
    }

    /// Lets an untrusted program read this environment variable.
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

    /// Whether a connection may go to this host and port. The port counts as it is used, not as the script gave it.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn check_host(&self, host: &str, port: u16) -> Result<(), Refusal> {
        match &self.grants {
            Some(grants) if !grants.hosts.iter().any(|allowed| allowed.fits(host, port)) => Err(
                refusal(&format!("connect to {host}:{port}"), "--allow-host HOST allows a host"),
            ),
            _ => Ok(()),
        }
    }

    /// The path to read for `path`. For an untrusted program it is absolute and without links.
    ///
    /// # Errors
    /// [`Refusal`]; it says nothing about whether there is such a file.
    pub fn check_reading(&self, path: &Path) -> Result<PathBuf, Refusal> {
        self.check_path(
            path,
            |_| true,
            || {
                refusal(
                    &format!("read {}", path.display()),
                    "--allow-read DIR or --allow-dir DIR allows a folder",
                )
            },
        )
    }

    /// The path to write, make or delete for `path`. For an untrusted program it is absolute and without links.
    ///
    /// # Errors
    /// [`Refusal`]; it says nothing about whether there is such a file.
    pub fn check_writing(&self, path: &Path) -> Result<PathBuf, Refusal> {
        self.check_path(
            path,
            |folder| folder.writable,
            || {
                refusal(
                    &format!("write or delete {}", path.display()),
                    "--allow-dir DIR allows a folder",
                )
            },
        )
    }

    fn check_path(
        &self,
        path: &Path,
        suits: impl Fn(&Folder) -> bool,
        refusal: impl FnOnce() -> Refusal,
    ) -> Result<PathBuf, Refusal> {
        let Some(grants) = &self.grants else { return Ok(path.to_owned()) };
        let found = folder::resolve(path)
            .filter(|real| grants.folders.iter().any(|folder| suits(folder) && folder.holds(real)));
        found.ok_or_else(refusal)
    }

    /// Whether this environment variable may be read.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn check_variable(&self, name: &str) -> Result<(), Refusal> {
        match &self.grants {
            Some(grants) if !grants.variables.contains(name) => Err(refusal(
                &format!("read the environment variable {name}"),
                "--allow-env NAME allows one",
            )),
            _ => Ok(()),
        }
    }

    /// Whether a password may be taken from the keyring of the user.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn check_keyring(&self) -> Result<(), Refusal> {
        match &self.grants {
            Some(_) => {
                Err(refusal("read the keyring", "only running it without --untrusted allows that"))
            }
            None => Ok(()),
        }
    }

    /// Whether another program may be started.
    ///
    /// # Errors
    /// [`Refusal`].
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
