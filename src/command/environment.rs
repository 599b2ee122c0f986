//! Carries out the directives of transcripts on the sandbox.

use crate::api::SandboxRouter;
use crate::policy::Policy;
use crate::repl::{Environment, Session};
use crate::sandbox::faults::FaultRule;
use crate::sandbox::seed::NEXT_LETTER;
use crate::sandbox::{Account, Extensions, Seed};
use std::path::Path;
use std::sync::Arc;

/// Carries out the directives of a transcript on a sandbox:
///
/// | directive | effect |
/// |---|---|
/// | `fresh`, `fresh empty` | resets the sandbox to the manual's account and mail, or to an empty inbox |
/// | `account USER PASSWORD` | adds an account without mail |
/// | `hosts NAME …`, `hosts` | the sandbox answers only for these names, or for all |
/// | `deliver FILE [USER [MAILBOX]]` | delivers a letter, by default to the first account's inbox; `next-letter` is a built-in letter |
/// | `deliver-to-waiting FILE [USER [MAILBOX]]` | the same, as soon as a client waits for letters |
/// | `disconnect` | drops all connections, as a crash would |
/// | `misname` | from now on certificates name another host |
/// | `refuse ADDRESS …`, `refuse` | refuses letters for these addresses, or accepts all again |
/// | `say LINE` | sends this line before the next answer to an IMAP command, for example `* NO The disk is nearly full` |
/// | `fault [PROTOCOL[#N]:]SIDE:FAULT` | disturbs new connections, in addition to earlier faults; see [`FaultRule`] |
/// | `fault` | new connections are sound again |
/// | `with NAME …` | new IMAP connections have these extensions, which are off by default |
/// | `without NAME …` | new IMAP connections lack these extensions, in addition to earlier ones |
/// | `without` | new connections have the default extensions again |
pub struct SandboxEnvironment {
    router: Arc<SandboxRouter>,
}

impl SandboxEnvironment {
    /// Carries out directives on this router's sandbox.
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
            [word @ ("deliver" | "deliver-to-waiting"), file, ref to @ ..] if to.len() <= 2 => {
                let letter = letter(file, folder, session.host().context().policy())?;
                let first = sandbox.store().first_account();
                let user = to.first().copied().unwrap_or(&first);
                let mailbox = to.get(1).copied().unwrap_or("INBOX");
                if word == "deliver" {
                    let delivered = sandbox.store().deliver(user, mailbox, &letter);
                    delivered.map_err(|error| error.to_string())?;
                } else {
                    sandbox.deliver_to_waiting(user, mailbox, &letter);
                }
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
                // The whole rest of the line, because the text of a fault may contain blanks.
                let (_, rule) = directive.split_once("fault").unwrap_or_default();
                let rule: FaultRule =
                    rule.trim_start().parse().map_err(|error| format!("fault: {error}"))?;
                sandbox.set_faults([sandbox.faults(), vec![rule]].concat());
            }
            ["without"] => sandbox.set_extensions(Extensions::default()),
            [word @ ("with" | "without"), ref names @ ..] if !names.is_empty() => {
                let mut extensions = sandbox.extensions();
                for name in names {
                    extensions.set(name.parse()?, word == "with");
                }
                sandbox.set_extensions(extensions);
            }
            _ => return Err(wrong(words.first().copied().unwrap_or(""))),
        }
        Ok(())
    }
}

/// Returns a message with the arguments that a directive expects, or with a list of the directives.
fn wrong(directive: &str) -> String {
    let expected = match directive {
        "fresh" => "nothing, or empty",
        "account" => "USER PASSWORD",
        "deliver" | "deliver-to-waiting" => "FILE [USER [MAILBOX]]",
        "disconnect" | "misname" => "nothing",
        "say" => "a line",
        "with" => "NAME …",
        _ => {
            return format!(
                "unknown directive {directive:?}; known are fresh, account, hosts, deliver, deliver-to-waiting, disconnect, fault, misname, refuse, say, with and without"
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
