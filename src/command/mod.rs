//! What the command does, one function a subcommand. `main` only reads arguments.

pub mod arguments;
mod demo;
mod environment;
mod interrupt;
pub mod output;
mod prompt;
mod replaying;
mod running;
mod sandboxing;
mod setup;

pub use environment::{SandboxEnvironment, SandboxRouter};
pub use replaying::replay_text;
pub use setup::{Setup, attach};

use arguments::{Arguments, Command};

/// Carries out a command line; the exit code.
///
/// # Errors
/// A message for standard error; the exit code is 1 then.
pub fn carry_out(arguments: Arguments) -> Result<i32, String> {
    let global = arguments.global;
    match arguments.command {
        None => prompt::prompt(&global),
        Some(Command::Run { file, arguments }) => running::run(&global, &file, arguments),
        Some(Command::Eval { expression }) => running::eval(&global, &expression),
        Some(Command::Replay(options)) => replaying::replay_files(&global, &options),
        Some(Command::Sandbox(options)) => sandboxing::sandbox(&global, &options),
        Some(Command::Demo) => demo::demo(&global),
    }
}
