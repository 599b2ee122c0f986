//! `postoffice replay`: replays transcripts as tests, each on a fresh sandbox or on the servers of
//! `--connect-to`.

use super::arguments::{Global, ReplayOptions};
use super::environment::SandboxEnvironment;
use super::interrupt::{CtrlC, INTERRUPTED};
use super::output::{complain, print};
use super::setup::{guard, sandbox_for, setup_for, trace_to_stderr};
use crate::api::{Setup, attach};
use crate::host::Host;
use crate::policy::Policy;
use crate::repl::{Environment, Limits, Outcome, Session, Stop, replay};
use std::path::Path;
use std::time::Duration;

pub(super) fn replay_files(global: &Global, options: &ReplayOptions) -> Result<i32, String> {
    let policy = options.confinement.enter(Duration::from_secs(options.time_limit))?;
    let ctrl_c = CtrlC::listen()?;
    let limits = Limits {
        time: Duration::from_secs(options.time_limit),
        interrupted: ctrl_c.pressed.clone(),
    };
    let mut code = 0;
    for file in &options.files {
        match replay_file(global, &policy, file, options.bless, &limits, &ctrl_c) {
            Ok(INTERRUPTED) => return Ok(INTERRUPTED),
            Ok(one) => code = code.max(one),
            // The other transcripts are replayed anyway.
            Err(message) => {
                complain(&format!("postoffice: {message}"));
                code = 1;
            }
        }
    }
    Ok(code)
}

fn replay_file(
    global: &Global,
    policy: &Policy,
    file: &Path,
    bless: bool,
    limits: &Limits,
    ctrl_c: &CtrlC,
) -> Result<i32, String> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| format!("{name}: {error}"))?;
    let folder = file.parent().unwrap_or(Path::new("."));
    let outcome = replay_limited(
        global,
        policy,
        &text,
        &name,
        folder,
        limits,
        &mut |_, _| {},
        &mut |host| ctrl_c.watch(host),
    )?;
    let say = |text: String| print(&text).map_err(|error| error.to_string());
    outcome.differences.iter().try_for_each(|difference| say(format!("{difference}\n")))?;
    match outcome.stop {
        Some(Stop::Interrupted(message)) => {
            complain(&format!("postoffice: {message}"));
            return Ok(INTERRUPTED);
        }
        Some(Stop::Failed(message)) => return Err(message),
        None => {}
    }
    if bless && outcome.blessed != text {
        std::fs::write(file, &outcome.blessed).map_err(|error| format!("{name}: {error}"))?;
        let replies = match outcome.differences.len() {
            1 => "1 reply was".to_owned(),
            several => format!("{several} replies were"),
        };
        say(format!("{name}: {replies} written anew\n"))?;
        return Ok(0);
    }
    let all = outcome.agreed + outcome.differences.len();
    let (replies, agree) = if all == 1 { ("reply", "agrees") } else { ("replies", "agree") };
    say(format!("{name}: {} of {all} {replies} {agree}\n", outcome.agreed))?;
    Ok(i32::from(!outcome.differences.is_empty()))
}

/// Replays a transcript on a fresh sandbox, or on the servers of `--connect-to`.
///
/// A transcript that cannot be read or has no inputs; a sandbox that cannot start.
pub fn replay_text(
    global: &Global,
    text: &str,
    name: &str,
    folder: &Path,
    watch: &mut dyn FnMut(&str, &str),
) -> Result<Outcome, String> {
    replay_limited(
        global,
        &Policy::trusted(),
        text,
        name,
        folder,
        &Limits::default(),
        watch,
        &mut |_| {},
    )
}

/// Replays a transcript under limits. `started` gets the host before the first form runs.
#[allow(
    clippy::too_many_arguments,
    reason = "each is one thing, and there is one caller of each kind"
)]
fn replay_limited(
    global: &Global,
    policy: &Policy,
    text: &str,
    name: &str,
    folder: &Path,
    limits: &Limits,
    watch: &mut dyn FnMut(&str, &str),
    started: &mut dyn FnMut(&Host),
) -> Result<Outcome, String> {
    let sandboxed = global.connect_to.is_empty();
    let mut setup =
        if sandboxed { Setup::sandboxed(sandbox_for(global))? } else { setup_for(global)? };
    if sandboxed {
        guard(&mut setup, global);
        setup.connector.trace = global.trace.then(trace_to_stderr);
    }
    let mut session = Session::with_policy(Vec::new(), policy.clone());
    let state = attach(session.host(), &setup);
    started(session.host());
    let outcome = match &setup.router {
        Some(router) => replay(
            text,
            name,
            folder,
            &mut session,
            &mut SandboxEnvironment::new(router.clone()),
            limits,
            watch,
        ),
        None => replay(text, name, folder, &mut session, &mut NoEnvironment, limits, watch),
    };
    state.close_all();
    outcome
}

/// Directives work on the sandbox only.
struct NoEnvironment;

impl Environment for NoEnvironment {
    fn direct(
        &mut self,
        directive: &str,
        _folder: &Path,
        _session: &mut Session,
    ) -> Result<(), String> {
        Err(format!("{directive:?} directs the sandbox, and with --connect-to there is none"))
    }
}
