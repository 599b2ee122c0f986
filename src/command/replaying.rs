//! Transcripts as tests.

use super::arguments::Global;
use super::environment::SandboxEnvironment;
use super::output::print;
use super::setup::{Setup, attach};
use crate::repl::{Environment, Outcome, Session, replay};
use crate::sandbox::Options;
use std::path::{Path, PathBuf};

pub(super) fn replay_files(global: &Global, files: &[PathBuf], bless: bool) -> Result<i32, String> {
    let mut differ = false;
    for file in files {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file).map_err(|error| format!("{name}: {error}"))?;
        let folder = file.parent().unwrap_or(Path::new("."));
        let outcome = replay_text(global, &text, &name, folder, &mut |_, _| {})?;
        outcome.differences.iter().try_for_each(|difference| print(&format!("{difference}\n"))).map_err(|error| error.to_string())?;
        if bless && outcome.blessed != text {
            std::fs::write(file, &outcome.blessed).map_err(|error| format!("{name}: {error}"))?;
            print(&format!("{name}: {} replies were written anew\n", outcome.differences.len())).map_err(|error| error.to_string())?;
        } else {
            differ |= !outcome.differences.is_empty();
            let all = outcome.agreed + outcome.differences.len();
            print(&format!("{name}: {} of {all} replies agree\n", outcome.agreed)).map_err(|error| error.to_string())?;
        }
    }
    Ok(i32::from(differ))
}

/// Replays a transcript on a fresh sandbox, or where `--connect-to` says.
///
/// # Errors
/// A transcript that cannot be read, a directive that cannot be carried out, a sandbox that cannot start.
pub fn replay_text(global: &Global, text: &str, name: &str, folder: &Path, watch: &mut dyn FnMut(&str, &str)) -> Result<Outcome, String> {
    let sandboxed = global.connect_to.is_empty();
    let mut setup =
        if sandboxed { Setup::sandboxed(Options { mail: global.mail.clone(), ..Options::default() })? } else { Setup::new(global)? };
    if sandboxed {
        setup.connector.trace =
            global.trace.then(|| -> crate::transport::TraceSink { std::sync::Arc::new(|line: &str| eprintln!("{line}")) });
    }
    let mut session = Session::new(Vec::new()).map_err(|condition| condition.to_string())?;
    let state = attach(session.host(), &setup);
    let outcome = match &setup.router {
        Some(router) => replay(text, name, folder, &mut session, &mut SandboxEnvironment::new(router.clone()), watch),
        None => replay(text, name, folder, &mut session, &mut NoEnvironment, watch),
    };
    state.close_all();
    outcome
}

/// Real servers take no directions.
struct NoEnvironment;

impl Environment for NoEnvironment {
    fn direct(&mut self, directive: &str, _folder: &Path, _session: &mut Session) -> Result<(), String> {
        Err(format!("{directive:?} directs the sandbox, and with --connect-to there is none"))
    }
}
