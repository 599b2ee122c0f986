//! What the tests share: servers to talk to, and connections to them.
#![allow(dead_code, reason = "every test binary uses its own part of this")]

pub mod cut;
pub mod script;

use postoffice::client::{ConnectOptions, Credentials, ImapClient};
use postoffice::proto::Secret;
use postoffice::sandbox::{Account, Options, Sandbox, Seed};
use postoffice::transport::Connector;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A server with one fresh account.
pub struct Server {
    pub name: &'static str,
    pub user: String,
    pub password: String,
    pub port: u16,
    pub tls_port: u16,
    pub pop_port: u16,
    pub pops_port: u16,
    pub ca_file: PathBuf,
    sandbox: Option<Sandbox>,
    _folder: tempfile::TempDir,
}

impl Server {
    /// The sandbox, empty, with an account of its own.
    pub fn sandbox(options: Options) -> Server {
        let folder = tempfile::tempdir().unwrap();
        let account = options.accounts[0].clone();
        let sandbox = Sandbox::start(options).unwrap();
        let ca_file = folder.path().join("ca.pem");
        std::fs::write(&ca_file, sandbox.certificate_authority_pem()).unwrap();
        Server {
            name: "sandbox",
            user: account.user,
            password: account.password,
            port: sandbox.imap_address().port(),
            tls_port: sandbox.imaps_address().port(),
            pop_port: sandbox.pop_address().port(),
            pops_port: sandbox.pops_address().port(),
            ca_file,
            sandbox: Some(sandbox),
            _folder: folder,
        }
    }

    /// A Dovecot that `scripts/dev/test` has started; `None` where none was. Where real servers are required a missing one is a failure.
    pub fn dovecot() -> Option<Server> {
        let Ok(description) = std::env::var("POSTOFFICE_DOVECOT") else {
            assert!(std::env::var("POSTOFFICE_REAL_SERVERS").is_err(), "POSTOFFICE_REAL_SERVERS is set, but POSTOFFICE_DOVECOT is not");
            return None;
        };
        let fields: Vec<&str> = description.split(' ').collect();
        let [port, tls_port, pop_port, pops_port, ca_file] = fields[..] else { panic!("POSTOFFICE_DOVECOT: {description}") };
        static USERS: AtomicU32 = AtomicU32::new(0);
        Some(Server {
            name: "dovecot",
            user: format!("u{}-{}", std::process::id(), USERS.fetch_add(1, Ordering::Relaxed)),
            password: "pw".into(),
            port: port.parse().unwrap(),
            tls_port: tls_port.parse().unwrap(),
            pop_port: pop_port.parse().unwrap(),
            pops_port: pops_port.parse().unwrap(),
            ca_file: ca_file.into(),
            sandbox: None,
            _folder: tempfile::tempdir().unwrap(),
        })
    }

    pub fn store(&self) -> &postoffice::sandbox::Store {
        self.sandbox.as_ref().expect("the sandbox").store()
    }

    pub fn received(&self) -> Vec<String> {
        self.sandbox.as_ref().expect("the sandbox").received()
    }

    pub fn the_sandbox(&self) -> &Sandbox {
        self.sandbox.as_ref().expect("the sandbox")
    }

    pub fn is_sandbox(&self) -> bool {
        self.sandbox.is_some()
    }

    pub fn credentials(&self) -> Credentials {
        Credentials { user: self.user.clone(), password: Secret::new(self.password.clone()) }
    }

    pub fn options(&self) -> ConnectOptions {
        ConnectOptions { port: Some(self.port), timeout: Duration::from_secs(20), ..ConnectOptions::default() }
    }

    pub fn connect(&self) -> ImapClient {
        ImapClient::connect(&Connector::default(), "127.0.0.1", &self.credentials(), &self.options()).unwrap()
    }

    /// A connection with the inbox selected, in which `letters` were put.
    pub fn with_letters(&self, letters: &[&str]) -> ImapClient {
        let mut client = self.connect();
        for letter in letters {
            client.append("INBOX", &[], None, letter.replace('\n', "\r\n").as_bytes()).unwrap();
        }
        client.select("INBOX", false).unwrap();
        client
    }
}

/// Options of a sandbox that holds nothing, with an account `user`, `pw`.
pub fn empty() -> Options {
    Options { accounts: vec![Account::new("user", "pw")], seed: Seed::Empty, ..Options::default() }
}

/// Runs a test against the sandbox, and against Dovecot where it is there.
pub fn on_every_server(test: impl Fn(&Server)) {
    for server in [Some(Server::sandbox(empty())), Server::dovecot()].into_iter().flatten() {
        eprintln!("server: {}", server.name);
        test(&server);
    }
}
