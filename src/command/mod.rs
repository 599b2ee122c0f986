//! The subcommands of `postoffice`, one function each; `main` only parses the arguments.
//!
//! [`carry_out`] prepares the process and selects the subcommand. For an untrusted script it only
//! supervises: `confinement::oversee` starts the same command line again with `--confined`, and
//! that process does the work.
//!
//! | file | subcommand or part |
//! |---|---|
//! | `prompt`, `running`, `checking`, `replaying`, `journal`, `cursors`, `watching`, `sandboxing`, `demo`, `documents` | the subcommands |
//! | [`arguments`] | the command line, by clap |
//! | `setup`, `init` | options to connections and sandbox; the user's init.scm |
//! | `confinement` | the process and the limits of an untrusted script |
//! | `interrupt`, `asking`, `progress`, [`output`] | Ctrl-C, questions for passwords, the progress line, the standard streams |
//! | `environment` | the directives of transcripts, carried out on the sandbox |

mod accounts;
mod applying;
pub mod arguments;
mod asking;
mod checking;
mod confinement;
mod cursors;
mod demo;
mod documents;
mod dry_run;
mod environment;
mod init;
mod interrupt;
mod journal;
pub mod output;
mod progress;
mod prompt;
mod replaying;
mod running;
mod sandboxing;
mod setup;
mod tables;
mod watching;

pub use environment::SandboxEnvironment;
pub use replaying::replay_text;

use crate::host::report_only_uncaught_panics;
use arguments::{Arguments, Command, JournalCommand};
use running::Way;

/// Carries out a command line and returns the exit code.
///
/// # Errors
/// A message for standard error; the exit code is then 1.
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
        Some(Command::Run { file, arguments, confinement, time, json, init, dry_run, plan }) => {
            let dry_run = dry_run.then_some(plan);
            let way = Way { confinement, seconds: time.time_limit, as_json: json, init, dry_run };
            running::run(&global, &way, &file, arguments)
        }
        Some(Command::Eval { expression, confinement, time, json, init }) => running::eval(
            &global,
            &Way { confinement, seconds: time.time_limit, as_json: json, init, dry_run: None },
            &expression,
        ),
        Some(Command::Check { files }) => checking::check(&files),
        Some(Command::Cursors { command }) => cursors::cursors(command),
        Some(Command::Journal { run, command: None }) => journal::journal(run),
        Some(Command::Journal {
            command: Some(JournalCommand::Check { run, accounts }), ..
        }) => journal::check(&global, &accounts, run),
        Some(Command::Undo { run, dry_run, accounts }) => {
            journal::undo(&global, &accounts, run, dry_run)
        }
        Some(Command::Apply { file, partial, check, skip, accounts }) => {
            applying::apply(&global, &accounts, &file, partial, check, &skip)
        }
        Some(Command::Watch(options)) => watching::watch(&global, options),
        Some(Command::Status { json }) => watching::status(json),
        Some(Command::Replay(options)) => replaying::replay_files(&global, &options),
        Some(Command::Sandbox(options)) => sandboxing::sandbox(&global, &options),
        Some(Command::Demo) => demo::demo(&global),
        Some(Command::Completions { shell }) => documents::completions(shell),
        Some(Command::Reference { man }) => documents::reference(man),
    }
}
