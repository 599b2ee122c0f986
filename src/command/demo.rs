//! `postoffice demo`: replays the manual's session on the sandbox, shows it, and compares the
//! replies.

use super::arguments::Global;
use super::output::print;
use super::replaying::replay_text;
use crate::repl::Stop;
use std::path::Path;

const SESSION: &str = include_str!("../../tests/golden/imap-session.repl");

pub(super) fn demo(global: &Global) -> Result<i32, String> {
    let mut failed = None;
    let mut show = |input: &str, reply: &str| {
        failed = failed.take().or(print(&format!("{input}\n{reply}\n\n")).err());
    };
    let outcome = replay_text(
        &Global { connect_to: Vec::new(), ..global.clone() },
        SESSION,
        "imap-session.repl",
        Path::new("."),
        &mut show,
    )?;
    if let Some(error) = failed {
        return Err(error.to_string());
    }
    if let Some(Stop::Failed(message) | Stop::Interrupted(message)) = outcome.stop {
        return Err(message);
    }
    let all = outcome.agreed + outcome.differences.len();
    let closing = if outcome.differences.is_empty() {
        format!("All {all} replies agree with the manual's session.\n")
    } else {
        format!(
            "{}\n{} of {all} replies differ from the manual's session.\n",
            outcome.differences.join("\n"),
            outcome.differences.len()
        )
    };
    print(&closing).map_err(|error| error.to_string())?;
    Ok(i32::from(!outcome.differences.is_empty()))
}
