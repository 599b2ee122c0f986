//! The sandbox behind a script: which hosts it answers for, and what a transcript's directives do to it.

use crate::api::SandboxRouter;
use crate::policy::Policy;
use crate::repl::{Environment, Session};
use crate::sandbox::faults::FaultRule;
use crate::sandbox::seed::NEXT_LETTER;
use crate::sandbox::{Account, Seed};
use std::path::Path;
use std::sync::Arc;

/// Directives of a transcript, carried out on a sandbox:
///
/// | directive | what it does |
/// |---|---|
/// | `fresh`, `fresh empty` | the manual's account and mail again, or an empty inbox |
/// | `account USER PASSWORD` | one more account, empty |
/// | `hosts NAME …`, `hosts` | answers only for these names, or for all |
/// | `deliver FILE [USER [MAILBOX]]` | delivers a letter, to the first account unless told; `next-letter` is one that is built in |
/// | `disconnect` | drops every connection, as a crash would |
/// | `misname` | from now on certificates are for another host |
/// | `refuse ADDRESS …`, `refuse` | no letter is taken for these addresses, or all are taken again |
/// | `say LINE` | the next answer to an IMAP command comes behind this line, `* NO The disk is nearly full` for example |
/// | `fault [PROTOCOL[#N]:]SIDE:FAULT` | disturbs the connections from now on, beside what other faults do; see [`FaultRule`] |
/// | `fault` | the connections from now on are sound |
pub struct SandboxEnvironment {
    router: Arc<SandboxRouter>,
}

impl SandboxEnvironment {
    /// Directs this router's sandbox.
    pub fn new(router: Arc<SandboxRouter>) -> Self {
        SandboxEnvironment { router }
    }
}

impl Environment for SandboxEnvironment {
    fn direct(
        &mut self,
        directive: &str,
        folder: &Path,
        session: &mut Session,
    ) -> Result<(), String> {
        let sandbox = self.router.sandbox();
        let words: Vec<&str> = directive.split_whitespace().collect();
        match words[..] {
            ["fresh"] => sandbox.store().reset(vec![Account::manual()], Seed::Manual),
            ["fresh", "empty"] => sandbox.store().reset(vec![Account::manual()], Seed::Empty),
            ["account", user, password] => {
                sandbox.store().add_account(Account::new(user, password))
            }
            ["hosts"] => self.router.answer_for(None),
            ["hosts", ref hosts @ ..] => {
                self.router.answer_for(Some(hosts.iter().map(ToString::to_string).collect()))
            }
            ["deliver", file, ref to @ ..] if to.len() <= 2 => {
                let letter = letter(file, folder, session.host().context().policy())?;
                let first = sandbox.store().first_account();
                let user = to.first().copied().unwrap_or(&first);
                sandbox
                    .store()
                    .deliver(user, to.get(1).copied().unwrap_or("INBOX"), &letter)
                    .map_err(|error| error.to_string())?;
            }
            ["disconnect"] => sandbox.disconnect_all(),
            ["misname"] => self.router.misname(),
            ["refuse", ref addresses @ ..] => {
                sandbox.refuse(addresses.iter().map(ToString::to_string).collect())
            }
            ["say", _, ..] => {
                sandbox.say(directive.trim_start().strip_prefix("say ").unwrap_or(directive))
            }
            ["fault"] => sandbox.set_faults(Vec::new()),
            ["fault", ..] => {
                // The whole rest of the line, since a fault's text may hold blanks.
                let (_, rule) = directive.split_once("fault").unwrap_or_default();
                let rule: FaultRule =
                    rule.trim_start().parse().map_err(|error| format!("fault: {error}"))?;
                sandbox.set_faults([sandbox.faults(), vec![rule]].concat());
            }
            _ => return Err(wrong(words.first().copied().unwrap_or(""))),
        }
        Ok(())
    }
}

/// A message that names what a directive expects, or lists the directives.
fn wrong(directive: &str) -> String {
    let expected = match directive {
        "fresh" => "nothing, or empty",
        "account" => "USER PASSWORD",
        "deliver" => "FILE [USER [MAILBOX]]",
        "disconnect" | "misname" => "nothing",
        "say" => "a line",
        _ => {
            return format!(
                "unknown directive {directive:?}; known are fresh, account, hosts, deliver, disconnect, fault, misname, refuse and say"
            );
        }
    };
    format!("{directive}: expected {expected}")
}

fn letter(file: &str, folder: &Path, policy: &Policy) -> Result<Vec<u8>, String> {
    if file == "next-letter" {
        return Ok(NEXT_LETTER.as_bytes().to_vec());
    }
    let path =
        policy.check_reading(&folder.join(file)).map_err(|refusal| format!("{file}: {refusal}"))?;
    std::fs::read(path).map_err(|error| format!("{file}: {error}"))
}
