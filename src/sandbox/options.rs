//! How a sandbox is set up: accounts, seed, ports and extensions.

use std::{fmt, path::PathBuf};

use crate::sandbox::faults::FaultRule;
use crate::sandbox::{PopExtensions, Quota, SmtpExtensions};

/// What a sandbox starts with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The accounts; the first one receives the imported mail. Default: the manual's `myacct`.
    pub accounts: Vec<Account>,
    /// What the first account's inbox holds. Default: the manual's seven letters.
    pub seed: Seed,
    /// The port of the plain listener; 0, the default, lets the system choose, so that tests never collide.
    pub imap_port: u16,
    /// The port of the implicit TLS listener; 0, the default, lets the system choose.
    pub imaps_port: u16,
    /// The port of the plain POP3 listener; 0, the default, lets the system choose.
    pub pop_port: u16,
    /// The port of the POP3 listener with implicit TLS; 0, the default, lets the system choose.
    pub pops_port: u16,
    /// The port of the plain SMTP listener; 0, the default, lets the system choose.
    pub smtp_port: u16,
    /// The port of the SMTP listener with implicit TLS; 0, the default, lets the system choose.
    pub smtps_port: u16,
    /// What is advertised and accepted beyond RFC 3501. Default: everything the sandbox can do.
    pub extensions: Extensions,
    /// The same for POP3 and RFC 1939.
    pub pop: PopExtensions,
    /// The same for SMTP and RFC 5321.
    pub smtp: SmtpExtensions,
    /// Domains whose mail stays here: a recipient there whose local part names an account gets the letter into the inbox. Everyone else's goes
    /// to [`Store::outbox`](super::Store::outbox). Default: `localhost`, `example.org`, `tiger.franz.com`, `sandbox`.
    pub domains: Vec<String>,
    /// Recipient addresses that RCPT refuses with 550 5.1.1. Default: none.
    pub refuse: Vec<String>,
    /// Whether a letter delivered by SMTP gets Return-Path and Received in front, as a mail server does it. Default: yes.
    pub trace_headers: bool,
    /// Mail to import into the first account: mbox files, Maildirs, folders of `.eml` files. Default: none.
    pub mail: Vec<PathBuf>,
    /// Whether everybody can log in, with any password; an unknown user then has a copy of the first account's mail. So a script runs with the account
    /// that it names. Default: no.
    pub accept_any: bool,
    /// What disturbs the connections; see [`Sandbox::set_faults`](super::Sandbox::set_faults). Default: nothing.
    pub faults: Vec<FaultRule>,
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
            accept_any: false,
            faults: Vec::new(),
        }
    }
}

/// What the sandbox speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// IMAP4rev1.
    Imap,
    /// POP3.
    Pop,
    /// SMTP submission.
    Smtp,
}

/// Someone who can log in.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// The name given to LOGIN.
    pub user: String,
    /// The password; not shown by `Debug`.
    pub password: String,
    /// How much the account may hold. Default: anything.
    pub quota: Quota,
}

impl Account {
    /// An account of this name and password.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Account {
        Account { user: user.into(), password: password.into(), quota: Quota::default() }
    }

    /// The same account with a quota.
    pub fn with_quota(self, quota: Quota) -> Account {
        Account { quota, ..self }
    }

    /// The account of the manual's examples: `myacct`, `mypasswd`.
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

/// What the accounts hold at start and after a reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seed {
    /// The first account's inbox holds the seven letters of the manual's session.
    Manual,
    /// Every account has an empty inbox.
    Empty,
}

/// Switches for everything beyond RFC 3501's minimum. What is off is neither advertised nor accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extensions {
    /// `LITERAL+` (RFC 7888): literals the client sends without waiting.
    pub literal_plus: bool,
    /// `LITERAL-` (RFC 7888): the same up to 4096 octets. Off by default, since `LITERAL+` includes it.
    pub literal_minus: bool,
    /// `SASL-IR` (RFC 4959): an initial response on the AUTHENTICATE line.
    pub sasl_ir: bool,
    /// `AUTH=PLAIN` (RFC 4616).
    pub auth_plain: bool,
    /// `UIDPLUS` (RFC 4315): UID EXPUNGE, APPENDUID and COPYUID.
    pub uidplus: bool,
    /// `MOVE` (RFC 6851).
    pub move_: bool,
    /// `IDLE` (RFC 2177).
    pub idle: bool,
    /// `UNSELECT` (RFC 3691).
    pub unselect: bool,
    /// `STARTTLS` on the plain listener.
    pub starttls: bool,
    /// `ID` (RFC 2971).
    pub id: bool,
    /// `ENABLE` (RFC 5161); there is nothing to enable, so the answer is an empty list.
    pub enable: bool,
    /// `NAMESPACE` (RFC 2342).
    pub namespace: bool,
    /// `CHILDREN` (RFC 3348): `\HasChildren` and `\HasNoChildren` in LIST.
    pub children: bool,
    /// `QUOTA` (RFC 9208): GETQUOTA and GETQUOTAROOT. Quotas hold without it, too.
    pub quota: bool,
    /// `LOGINDISABLED` until TLS is up. Off by default, since the manual's session logs in on port 143 in the clear.
    pub login_disabled_before_tls: bool,
}

impl Default for Extensions {
    fn default() -> Extensions {
        Extensions {
            literal_plus: true,
            literal_minus: false,
            sasl_ir: true,
            auth_plain: true,
            uidplus: true,
            move_: true,
            idle: true,
            unselect: true,
            starttls: true,
            id: true,
            enable: true,
            namespace: true,
            children: true,
            quota: true,
            login_disabled_before_tls: false,
        }
    }
}

impl Extensions {
    /// RFC 3501's minimum: no extension at all but STARTTLS and AUTH=PLAIN, which it requires.
    pub fn none() -> Extensions {
        Extensions {
            literal_plus: false,
            literal_minus: false,
            sasl_ir: false,
            auth_plain: true,
            uidplus: false,
            move_: false,
            idle: false,
            unselect: false,
            starttls: true,
            id: false,
            enable: false,
            namespace: false,
            children: false,
            quota: false,
            login_disabled_before_tls: false,
        }
    }

    /// The capability line for a connection in this state (RFC 3501 7.2.1).
    pub(crate) fn capabilities(&self, encrypted: bool, authenticated: bool) -> String {
        let login_disabled = self.login_disabled_before_tls && !encrypted;
        let list = [
            ("LITERAL+", self.literal_plus),
            ("LITERAL-", self.literal_minus && !self.literal_plus),
            ("STARTTLS", self.starttls && !encrypted && !authenticated),
            ("LOGINDISABLED", login_disabled && !authenticated),
            ("AUTH=PLAIN", self.auth_plain && !login_disabled && !authenticated),
            ("SASL-IR", self.sasl_ir && !authenticated),
            ("IDLE", self.idle),
            ("UNSELECT", self.unselect),
            ("UIDPLUS", self.uidplus),
            ("MOVE", self.move_),
            ("ID", self.id),
            ("ENABLE", self.enable),
            ("NAMESPACE", self.namespace),
            ("CHILDREN", self.children),
            ("QUOTA", self.quota),
            ("QUOTA=RES-STORAGE", self.quota),
            ("QUOTA=RES-MESSAGE", self.quota),
        ];
        let offered = list.iter().filter(|(_, on)| *on).map(|(name, _)| *name);
        std::iter::once("IMAP4rev1").chain(offered).collect::<Vec<_>>().join(" ")
    }
}
