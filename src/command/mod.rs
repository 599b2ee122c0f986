//! The command's subcommands, one function each. `main` only parses arguments.

pub mod arguments;
mod asking;
mod checking;
mod confinement;
mod demo;
mod documents;
mod environment;
mod init;
mod interrupt;
pub mod output;
mod progress;
mod prompt;
mod replaying;
mod running;
mod sandboxing;
mod setup;

pub use environment::SandboxEnvironment;
pub use replaying::replay_text;

use crate::host::report_only_uncaught_panics;
use arguments::{Arguments, Command};
use running::Way;

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
        None => prompt::prompt(&global, !arguments.no_init),
        Some(Command::Run { file, arguments, confinement, time, json, init }) => running::run(
            &global,
            &Way { confinement, seconds: time.time_limit, as_json: json, init },
            &file,
            arguments,
        ),
        Some(Command::Eval { expression, confinement, time, json, init }) => running::eval(
            &global,
            &Way { confinement, seconds: time.time_limit, as_json: json, init },
            &expression,
        ),
        Some(Command::Check { files }) => checking::check(&files),
        Some(Command::Replay(options)) => replaying::replay_files(&global, &options),
        Some(Command::Sandbox(options)) => sandboxing::sandbox(&global, &options),
        Some(Command::Demo) => demo::demo(&global),
        Some(Command::Completions { shell }) => documents::completions(shell),
        Some(Command::Reference { man }) => documents::reference(man),
    }
}
