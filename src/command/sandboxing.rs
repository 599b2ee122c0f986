//! `postoffice sandbox`: runs a sandbox mail server that other programs can connect to, until
//! Ctrl-C.

use super::arguments::{Global, SandboxOptions};
use super::output::print;
use super::setup::{sandbox_for, seed_for};
use crate::sandbox::{Account, Options, Sandbox, Seed};
use std::sync::mpsc;

pub(super) fn sandbox(global: &Global, options: &SandboxOptions) -> Result<i32, String> {
    let mut accounts = options.account.clone();
    if accounts.is_empty() {
        accounts.push(Account::manual());
    }
    let users: Vec<String> = accounts.iter().map(|account| account.user.clone()).collect();
    let seed = if options.empty { Seed::Empty } else { seed_for(global) };
    let (imap_port, imaps_port) = (options.imap_port, options.imaps_port);
    let started = Options { accounts, seed, imap_port, imaps_port, ..sandbox_for(global) };
    let sandbox =
        Sandbox::start(started).map_err(|error| format!("the sandbox cannot start: {error}"))?;
    if let Some(path) = &options.ca_file {
        std::fs::write(path, sandbox.certificate_authority_pem())
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let lines = format!(
        "imap  {}\nimaps {}\nusers {}\nCtrl-C ends the sandbox; its mail is gone then.\n",
        sandbox.imap_address(),
        sandbox.imaps_address(),
        users.join(" ")
    );
    print(&lines).map_err(|error| error.to_string())?;
    let (sender, receiver) = mpsc::channel();
    ctrlc::set_handler(move || {
        let _ = sender.send(()); // nobody is waiting any more if this is the second signal
    })
    .map_err(|error| error.to_string())?;
    let _ = receiver.recv(); // returns on Ctrl-C or another signal that ends the process
    Ok(0)
}
