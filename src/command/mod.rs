//! What the command does, one function a subcommand. `main` only reads arguments.

pub mod arguments;
mod asking;
mod confinement;
mod demo;
mod documents;
mod environment;
mod interrupt;
pub mod output;
mod progress;
mod prompt;
mod replaying;
mod running;
mod sandboxing;
mod setup;

pub use environment::{SandboxEnvironment, SandboxRouter};
pub use replaying::replay_text;
pub use setup::{Setup, attach};

use crate::host::report_only_uncaught_panics;
use arguments::{Arguments, Command};

/// Carries out a command line; the exit code.
///
/// # Errors
/// A message for standard error; the exit code is 1 then.
pub fn carry_out(arguments: Arguments) -> Result<i32, String> {
    confinement::prepare_process();
    report_only_uncaught_panics();
    let global = arguments.global;
    if let Some((confinement, time)) = arguments.command.as_ref().and_then(Command::confinement)
        && !global.confined
    {
        return confinement::oversee(confinement, time);
    }
    match arguments.command {
        None => prompt::prompt(&global),
        Some(Command::Run { file, arguments, confinement, time, json }) => {
            running::run(&global, &confinement, time.time_limit, &file, arguments, json)
        }
        Some(Command::Eval { expression, confinement, time, json }) => {
            running::eval(&global, &confinement, time.time_limit, &expression, json)
        }
        Some(Command::Replay(options)) => replaying::replay_files(&global, &options),
        Some(Command::Sandbox(options)) => sandboxing::sandbox(&global, &options),
        Some(Command::Demo) => demo::demo(&global),
        Some(Command::Completions { shell }) => documents::completions(shell),
        Some(Command::Reference { man }) => documents::reference(man),
    }
}
