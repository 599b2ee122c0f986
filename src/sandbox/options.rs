//! The options of a sandbox: accounts, seed, ports, extensions.

use std::{fmt, path::PathBuf, sync::Arc};

use crate::sandbox::faults::FaultRule;
use crate::sandbox::store::origin::Origin;
use crate::sandbox::{Extensions, PopExtensions, Quota, SmtpExtensions};

/// The options of a sandbox.
#[derive(Clone, Debug)]
pub struct Options {
    /// The accounts; the first one receives the imported mail. Default: the manual's `myacct`.
    pub accounts: Vec<Account>,
    /// The contents of the first account's inbox. Default: the manual's seven letters.
    pub seed: Seed,
    /// Port of the plain IMAP listener. 0, the default, lets the system choose, so that tests never
    /// collide.
    pub imap_port: u16,
    /// Port of the IMAP listener with implicit TLS; 0, the default, lets the system choose.
    pub imaps_port: u16,
    /// Port of the plain POP3 listener; 0, the default, lets the system choose.
    pub pop_port: u16,
    /// Port of the POP3 listener with implicit TLS; 0, the default, lets the system choose.
    pub pops_port: u16,
    /// Port of the plain SMTP listener; 0, the default, lets the system choose.
    pub smtp_port: u16,
    /// Port of the SMTP listener with implicit TLS; 0, the default, lets the system choose.
    pub smtps_port: u16,
    /// The extensions of RFC 3501 that are advertised and accepted. Default: all that are
    /// implemented but `LITERAL-` and `LOGINDISABLED`.
    pub extensions: Extensions,
    /// The extensions of RFC 1939 that are advertised and accepted.
    pub pop: PopExtensions,
    /// The extensions of RFC 5321 that are advertised and accepted.
    pub smtp: SmtpExtensions,
    /// Local domains: a recipient there whose local part names an account gets the letter into the
    /// inbox; all others go to [`Store::outbox`](super::Store::outbox). Default: `localhost`,
    /// `example.org`, `tiger.franz.com`, `sandbox`.
    pub domains: Vec<String>,
    /// Recipient addresses that RCPT refuses with 550 5.1.1. Default: none.
    pub refuse: Vec<String>,
    /// Whether letters delivered by SMTP get Return-Path and Received fields, as on a real server.
    /// Default: yes.
    pub trace_headers: bool,
    /// Mail to import into the first account: mbox files, Maildirs, folders of `.eml` files.
    /// Default: none.
    pub mail: Vec<PathBuf>,
    /// Takes a warning for each imported letter that had to be changed. Default: drops it.
    pub warn: fn(&str),
    /// Whether anyone can log in, with any password. An unknown user then gets a copy of the first
    /// account's mail, so that a script runs with the account it names. Default: no.
    pub accept_any: bool,
    /// Faults on the connections; see [`Sandbox::set_faults`](super::Sandbox::set_faults). Default:
    /// none.
    pub faults: Vec<FaultRule>,
    /// The server that has the mail of the first account, in the place of the seed. Default: none.
    pub origin: Option<Arc<dyn Origin>>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            accounts: vec![Account::manual()],
            seed: Seed::Manual,
            imap_port: 0,
            imaps_port: 0,
            pop_port: 0,
            pops_port: 0,
            smtp_port: 0,
            smtps_port: 0,
            extensions: Extensions::default(),
            pop: PopExtensions::default(),
            smtp: SmtpExtensions::default(),
            domains: ["localhost", "example.org", "tiger.franz.com", "sandbox"]
                .map(str::to_owned)
                .to_vec(),
            refuse: Vec::new(),
            trace_headers: true,
            mail: Vec::new(),
            warn: |_| {},
            accept_any: false,
            faults: Vec::new(),
            origin: None,
        }
    }
}

/// A protocol the sandbox speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// IMAP4rev1.
    Imap,
    /// POP3.
    Pop,
    /// SMTP submission.
    Smtp,
}

/// An account that can log in.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// The user name.
    pub user: String,
    /// The password; hidden from `Debug`.
    pub password: String,
    /// How much the account may hold. Default: anything.
    pub quota: Quota,
}

impl Account {
    /// An account with this name and password.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Account {
        Account { user: user.into(), password: password.into(), quota: Quota::default() }
    }

    /// The same account with a quota.
    pub fn with_quota(self, quota: Quota) -> Account {
        Account { quota, ..self }
    }

    /// The account in the manual's examples: `myacct`, `mypasswd`.
    pub fn manual() -> Account {
        Account::new("myacct", "mypasswd")
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Account")
            .field("user", &self.user)
            .field("password", &"<secret>")
            .finish()
    }
}

/// The mail at start and after a reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seed {
    /// The first account's inbox holds the seven letters of the manual's session.
    Manual,
    /// Every account has an empty inbox.
    Empty,
}
