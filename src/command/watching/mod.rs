//! `postoffice watch`: runs scripts that watch mailboxes, as a service.
//!
//! Each script runs in a host and a thread of its own ([`run`]). The main thread ([`service`]) hears
//! of signals and of runs that have ended, starts scripts again, and tells others how it goes.
//!
//! | file | contents |
//! |---|---|
//! | `service` | the main thread: signals, starting scripts, starting them again |
//! | `run` | one run of a script, and the supervisor of its watches |
//! | `signals` | SIGTERM, Ctrl-C and SIGHUP |
//! | `board` | what is known about each watch |
//! | `log` | the log |
//! | `failed` | letters that have failed |
//! | `status`, `metrics`, `notify` | the status file and `postoffice status`, Prometheus, systemd |

mod board;
mod failed;
mod log;
mod metrics;
mod notify;
mod run;
mod service;
mod signals;
mod status;

pub use log::LogForm;
pub(super) use status::status;

use super::arguments::Global;
use clap::Args;
use std::path::PathBuf;

/// Options of `postoffice watch`.
#[derive(Debug, Clone, Args)]
pub struct WatchOptions {
    /// The scripts; each runs in a thread of its own
    #[arg(required_unless_present_any = ["failed", "retry"], value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Handle what is there now, and end then; exit code 1 if a letter or a script has failed
    #[arg(long, conflicts_with_all = ["failed", "retry"])]
    pub once: bool,
    /// Load ~/.config/postoffice/init.scm before each script, as the prompt does
    #[arg(long, conflicts_with_all = ["failed", "retry"])]
    pub init: bool,
    /// The form of the log, which goes to standard error; --quiet logs only what somebody should
    /// look at
    #[arg(long, value_name = "FORM", value_enum, default_value_t)]
    pub log: LogForm,
    /// Write counts to FILE every 10 seconds, as the textfile collector of Prometheus' node exporter
    /// reads them
    #[arg(long, value_name = "FILE", conflicts_with_all = ["failed", "retry"])]
    pub metrics: Option<PathBuf>,
    /// How long a procedure may take; after it systemd's watchdog ends the process
    #[arg(long, value_name = "SECONDS", default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub stuck_after: u64,
    /// Show the letters whose procedure has failed, in all watches
    #[arg(long, conflicts_with = "files")]
    pub failed: bool,
    /// Let these letters be tried again
    #[arg(long, conflicts_with = "files")]
    pub retry: bool,
    /// The arguments of the scripts, which (command-line) returns
    #[arg(last = true, value_name = "ARGUMENT")]
    pub arguments: Vec<String>,
}

/// Carries out `postoffice watch`.
pub(super) fn watch(global: &Global, options: WatchOptions) -> Result<i32, String> {
    if options.failed || options.retry {
        return failed::failed(options.failed, options.retry);
    }
    service::serve(global, options)
}
