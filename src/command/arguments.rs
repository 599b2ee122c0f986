//! The command line, parsed by clap. The doc comments of options and commands are their help texts.

use super::cursors::CursorsCommand;
use super::watching::WatchOptions;
use crate::guard::MailboxPattern;
use crate::policy::AllowedHost;
use crate::proto::Limits;
use crate::sandbox::faults::FaultRule;
use crate::sandbox::{Account, Extension, Switch};
use crate::transport::Redirect;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// A Lisp prompt and script host for mail.
#[derive(Debug, Parser)]
#[command(
    name = "postoffice",
    version,
    about,
    long_about = "A Lisp prompt and script host for mail over IMAP, POP3 and SMTP.\nWithout a command it opens the prompt; (help) there lists all functions."
)]
pub struct Arguments {
    /// Options of all commands.
    #[command(flatten)]
    pub global: Global,
    /// Start the prompt without loading ~/.config/postoffice/init.scm
    #[arg(long)]
    pub no_init: bool,
    /// The command to run; the prompt by default.
    #[command(subcommand)]
    pub command: Option<Command>,
}

impl Arguments {
    /// Parses the arguments of this process. Wrong usage ends the process with a message and exit
    /// code 2.
    pub fn read() -> Arguments {
        let arguments = Arguments::parse();
        let global = &arguments.global;
        for (given, message) in [
            (
                !global.mail.is_empty(),
                "--mail needs a sandbox to put the mail in: --sandbox, or the command sandbox",
            ),
            (
                !global.fault.is_empty(),
                "--fault needs a sandbox to disturb: --sandbox, or the command sandbox",
            ),
            (
                !global.without.is_empty(),
                "--without needs a sandbox to take extensions from: --sandbox, or the command sandbox",
            ),
            (
                !global.with.is_empty(),
                "--with needs a sandbox to give extensions to: --sandbox, or the command sandbox",
            ),
        ] {
            if given && !arguments.has_sandbox() {
                Arguments::command().error(ErrorKind::MissingRequiredArgument, message).exit();
            }
        }
        if arguments.no_init && arguments.command.is_some() {
            let message = "--no-init is for the prompt; run, eval and watch load no init.scm unless --init is given, the other commands never do";
            Arguments::command().error(ErrorKind::ArgumentConflict, message).exit();
        }
        arguments
    }

    fn has_sandbox(&self) -> bool {
        self.global.sandbox
            || match self.command {
                Some(Command::Sandbox(_) | Command::Demo) => true,
                Some(Command::Replay(_)) => self.global.connect_to.is_empty(),
                _ => false,
            }
    }
}

/// Options of all commands.
#[derive(Debug, Clone, Default, Args)]
pub struct Global {
    /// Connect to ADDR:PORT instead of HOST; may be given several times
    #[arg(long, global = true, value_name = "HOST[:PORT]=ADDR:PORT")]
    pub connect_to: Vec<Redirect>,
    /// Start a sandbox mail server in this process and send every connection there; it accepts
    /// every account with any password
    #[arg(long, global = true)]
    pub sandbox: bool,
    /// Load mail into the sandbox instead of the manual's: an mbox file, a Maildir or a folder of
    /// .eml files; may be given several times
    #[arg(long, global = true, value_name = "PATH")]
    pub mail: Vec<PathBuf>,
    /// Set a limit on what a server may send; the README lists the names and defaults; may be given
    /// several times
    #[arg(long, global = true, value_name = "NAME=VALUE", value_parser = limit)]
    pub limit: Vec<(&'static str, u64)>,
    /// Disturb the sandbox's connections: imap#2:server:cut@120 ends the second IMAP connection
    /// after 120 bytes from the server; also stall@N, drip=SECONDS, byte-at-a-time, insert@N=TEXT,
    /// replace@N=TEXT, double@N..M; may be given several times
    #[arg(long, global = true, value_name = "[PROTOCOL[#N]:]SIDE:FAULT")]
    pub fault: Vec<FaultRule>,
    /// Switch extensions of the sandbox's IMAP, POP3 and SMTP off, so that a script is tried without
    /// them: MOVE,UIDPLUS,TOP,CHUNKING; may be given several times
    #[arg(long, global = true, value_name = "NAME", value_delimiter = ',')]
    pub without: Vec<Switch>,
    /// Switch on IMAP extensions of the sandbox that are off by default: IMAP4rev2, LITERAL-,
    /// LOGINDISABLED
    #[arg(long, global = true, value_name = "NAME", value_delimiter = ',')]
    pub with: Vec<Extension>,
    /// Show what goes over the wire on standard error, with secrets masked
    #[arg(long, global = true)]
    pub trace: bool,
    /// Refuse, instead of warning, to change a message by a number that may have shifted
    #[arg(long, global = true)]
    pub strict: bool,
    /// Change nothing on any server: mailboxes are opened read-only, fetches do not mark letters as
    /// seen, and every other change is refused
    #[arg(long, global = true, help_heading = "Limits on changes")]
    pub read_only: bool,
    /// Refuse to delete more than N letters, on all servers together
    #[arg(long, global = true, value_name = "N", help_heading = "Limits on changes")]
    pub max_deletes: Option<u64>,
    /// Refuse to make more than N changes: letters flagged, moved, copied, appended, sent or
    /// deleted, mailboxes created, renamed or deleted, and so on
    #[arg(long, global = true, value_name = "N", help_heading = "Limits on changes")]
    pub max_changes: Option<u64>,
    /// Refuse to change other mailboxes; * stands for any characters, % for any but / and .; may be
    /// given several times
    #[arg(long, global = true, value_name = "PATTERN", help_heading = "Limits on changes")]
    pub only_mailbox: Vec<MailboxPattern>,
    /// Move letters into MAILBOX, which is made if it is missing, in the place of deleting them;
    /// rename a mailbox that is deleted with letters to a name below it; refuse to delete letters by
    /// POP
    #[arg(long, global = true, value_name = "MAILBOX", help_heading = "Limits on changes")]
    pub quarantine: Option<String>,
    /// Do not write a journal of what run, eval and the prompt change; journal and undo know nothing
    /// of it then
    #[arg(long, global = true)]
    pub no_journal: bool,
    /// When a change in the journal counts as written: normal, when the system has it, so that a
    /// power cut may lose the last second; full, when the disk has it
    #[arg(long, global = true, value_name = "WHEN", value_parser = ["normal", "full"])]
    pub journal_sync: Option<String>,
    /// Do not show the progress of long operations
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Mark this process as the one that --untrusted started
    #[arg(long, global = true, hide = true)]
    pub confined: bool,
}

impl Global {
    /// Whether a change in the journal must be on the disk before it is made.
    pub(super) fn journal_sync_full(&self) -> bool {
        self.journal_sync.as_deref() == Some("full")
    }
}

/// Where the accounts of a run are defined.
#[derive(Debug, Clone, Args)]
pub struct AccountOptions {
    /// Load FILE, which defines the accounts with define-account, instead of
    /// ~/.config/postoffice/init.scm; the password of an account that is not defined is asked for
    #[arg(long, value_name = "FILE")]
    pub load: Option<PathBuf>,
}

/// What an untrusted script may reach, and how much memory it may use.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Untrusted scripts")]
pub struct Confinement {
    /// Run an untrusted script: it can reach no program, and only the files, environment variables
    /// and hosts allowed by these options, by --connect-to and by --sandbox; its time and memory
    /// are limited (exit code 124)
    #[arg(long)]
    pub untrusted: bool,
    /// Allow connections to HOST, on any port or only on PORT; this and the other --allow options
    /// may be given several times
    #[arg(long, value_name = "HOST[:PORT]", requires = "untrusted")]
    pub allow_host: Vec<AllowedHost>,
    /// Allow reading, writing and deleting files below DIR; links that lead out of it are not
    /// followed
    #[arg(long, value_name = "DIR", requires = "untrusted")]
    pub allow_dir: Vec<PathBuf>,
    /// Allow reading files below DIR
    #[arg(long, value_name = "DIR", requires = "untrusted")]
    pub allow_read: Vec<PathBuf>,
    /// Allow reading the environment variable NAME
    #[arg(long, value_name = "NAME", requires = "untrusted")]
    pub allow_env: Vec<String>,
    /// Limit the script's memory, in MB; 0 sets no limit
    #[arg(long, value_name = "MB", requires = "untrusted", default_value_t = 256, value_parser = clap::value_parser!(u64).range(0..=1_000_000))]
    pub memory_limit: u64,
}

/// The time limit of an untrusted script.
#[derive(Debug, Clone, Args)]
pub struct TimeOption {
    /// Limit the running time of an untrusted script
    #[arg(long, value_name = "SECONDS", requires = "untrusted", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=1_000_000), help_heading = "Untrusted scripts")]
    pub time_limit: u64,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a script
    Run {
        /// The script's confinement.
        #[command(flatten)]
        confinement: Confinement,
        /// The script's time limit.
        #[command(flatten)]
        time: TimeOption,
        /// Print the last value as JSON, on one line, after the script's output
        #[arg(long)]
        json: bool,
        /// Load ~/.config/postoffice/init.scm first, as the prompt does
        #[arg(long, conflicts_with = "untrusted")]
        init: bool,
        /// Change nothing on any server: the script runs on a mirror of the accounts, which takes all changes and
        /// holds all mail; what it would have done is shown as a plan
        #[arg(long, conflicts_with = "untrusted")]
        dry_run: bool,
        /// Write the plan to FILE, for postoffice apply
        #[arg(long, value_name = "FILE", requires = "dry_run")]
        plan: Option<PathBuf>,
        /// The script; - is standard input
        file: String,
        /// The script's arguments, which (command-line) returns
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Evaluate one expression and print its value
    Eval {
        /// The script's confinement.
        #[command(flatten)]
        confinement: Confinement,
        /// The script's time limit.
        #[command(flatten)]
        time: TimeOption,
        /// Print the value as JSON, on one line; of several expressions only the last value
        #[arg(long)]
        json: bool,
        /// Load ~/.config/postoffice/init.scm first, as the prompt does
        #[arg(long, conflicts_with = "untrusted")]
        init: bool,
        /// The expression
        expression: String,
    },
    /// Examine scripts without running them for unknown names, wrong numbers of arguments and
    /// unknown keys; exit code 1 if there are any
    Check {
        /// The scripts
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Show what run, eval and the prompt have changed: the latest runs, or the steps of one
    #[command(args_conflicts_with_subcommands = true)]
    Journal {
        /// The run, by its number
        run: Option<i64>,
        /// What to do instead.
        #[command(subcommand)]
        command: Option<JournalCommand>,
    },
    /// Show the cursors of new-letters: up to which letter of a mailbox scripts have come
    Cursors {
        /// What to do instead.
        #[command(subcommand)]
        command: Option<CursorsCommand>,
    },
    /// Take back what a run has changed, as far as that is possible; exit code 1 if some of it is not
    Undo {
        /// The run, by its number in the journal; by default the last that changed something, which
        /// may be an undo
        run: Option<i64>,
        /// Only say what would be taken back
        #[arg(long)]
        dry_run: bool,
        /// The accounts.
        #[command(flatten)]
        accounts: AccountOptions,
    },
    /// Do what a plan of run --dry-run says, or nothing if it does not fit any more; begun again, it
    /// goes on where it stopped
    Apply {
        /// The plan
        file: PathBuf,
        /// Leave out letters that do not fit any more, and list them
        #[arg(long)]
        partial: bool,
        /// Leave out a step, for example one that is in doubt after an interruption; may be given
        /// several times
        #[arg(long, value_name = "STEP")]
        skip: Vec<usize>,
        /// Only say whether the plan still fits; exit code 1 if it does not
        #[arg(long)]
        check: bool,
        /// The accounts.
        #[command(flatten)]
        accounts: AccountOptions,
    },
    /// Run scripts that watch mailboxes, until Ctrl-C or SIGTERM; SIGHUP reads them anew; see
    /// docs/watching.md
    Watch(WatchOptions),
    /// Show what the watches of this user are doing
    Status {
        /// Print it as JSON, on one line
        #[arg(long)]
        json: bool,
    },
    /// Replay transcripts and compare every reply; exit code 1 if one differs
    Replay(ReplayOptions),
    /// Run a sandbox mail server on this machine until Ctrl-C
    Sandbox(SandboxOptions),
    /// Replay the manual's session on the sandbox and show it
    Demo,
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the reference of all functions, as Markdown or as a manual page
    Reference {
        /// Print a manual page instead of Markdown
        #[arg(long)]
        man: bool,
    },
}

/// The subcommands of `postoffice journal`.
#[derive(Debug, Subcommand)]
pub enum JournalCommand {
    /// Ask the servers about the steps of a run that are in doubt, because the process or the
    /// connection ended before the answer; exit code 1 if they cannot tell
    Check {
        /// The run, by its number; by default the last with a step in doubt
        run: Option<i64>,
        /// The accounts.
        #[command(flatten)]
        accounts: AccountOptions,
    },
}

impl Command {
    /// Returns the confinement and the time limit for a command that runs untrusted.
    pub(super) fn confinement(&self) -> Option<(&Confinement, Duration)> {
        let (confinement, seconds) = match self {
            Command::Run { confinement, time, .. } | Command::Eval { confinement, time, .. } => {
                (confinement, time.time_limit)
            }
            Command::Replay(options) => (&options.confinement, options.time_limit),
            _ => return None,
        };
        confinement.untrusted.then(|| (confinement, Duration::from_secs(seconds)))
    }
}

/// Options of `postoffice replay`.
#[derive(Debug, Clone, Args)]
pub struct ReplayOptions {
    /// The transcripts
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Rewrite the transcripts with the actual replies
    #[arg(long)]
    pub bless: bool,
    /// The transcripts' confinement.
    #[command(flatten)]
    pub confinement: Confinement,
    /// Limit the running time of each form; with --untrusted, of all transcripts together
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub time_limit: u64,
}

/// Options of `postoffice sandbox`.
#[derive(Debug, Clone, Args)]
pub struct SandboxOptions {
    /// Add an account; may be given several times; by default the manual's, myacct:mypasswd
    #[arg(long, value_name = "USER:PASSWORD", value_parser = account)]
    pub account: Vec<Account>,
    /// The port for IMAP; by default a free one
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    pub imap_port: u16,
    /// The port for IMAP over TLS; by default a free one
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    pub imaps_port: u16,
    /// Start with empty mailboxes
    #[arg(long)]
    pub empty: bool,
    /// Write the certificate authority to this file, for :ca-file
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
}

/// Parses a limit such as `literal=100000000`.
fn limit(text: &str) -> Result<(&'static str, u64), String> {
    let wrong = || {
        let names: Vec<&str> = Limits::TABLE.iter().map(|limit| limit.name).collect();
        format!("expected NAME=VALUE with a whole number and one of the names {}", names.join(", "))
    };
    let (name, value) = text.split_once('=').ok_or_else(wrong)?;
    let limit = Limits::TABLE
        .iter()
        .find(|limit| limit.name.eq_ignore_ascii_case(name))
        .ok_or_else(wrong)?;
    Ok((limit.name, value.parse().map_err(|_| wrong())?))
}

/// Parses `USER:PASSWORD`.
fn account(text: &str) -> Result<Account, String> {
    match text.split_once(':') {
        Some((user, password)) if !user.is_empty() => Ok(Account::new(user, password)),
        _ => Err("expected USER:PASSWORD".into()),
    }
}
