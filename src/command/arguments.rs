//! The command line, parsed by clap. The doc comments of options and commands are their help texts.

use crate::policy::AllowedHost;
use crate::proto::Limits;
use crate::sandbox::Account;
use crate::sandbox::faults::FaultRule;
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
    /// What to do; the prompt by default.
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
        ] {
            if given && !arguments.has_sandbox() {
                Arguments::command().error(ErrorKind::MissingRequiredArgument, message).exit();
            }
        }
        if arguments.no_init && arguments.command.is_some() {
            let message = "--no-init is for the prompt; run and eval load no init.scm unless --init is given, the other commands never do";
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
    /// Connections to HOST go to ADDR:PORT instead; may be given several times
    #[arg(long, global = true, value_name = "HOST[:PORT]=ADDR:PORT")]
    pub connect_to: Vec<Redirect>,
    /// Start a sandbox mail server in this process and send every connection there; any account can log in, with any password
    #[arg(long, global = true)]
    pub sandbox: bool,
    /// Mail for the sandbox instead of the manual's: an mbox file, a Maildir or a folder of .eml files; may be given several times
    #[arg(long, global = true, value_name = "PATH")]
    pub mail: Vec<PathBuf>,
    /// How much a server may send: a limit of the README's table and its value; may be given several times
    #[arg(long, global = true, value_name = "NAME=VALUE", value_parser = limit)]
    pub limit: Vec<(&'static str, u64)>,
    /// Disturb the sandbox's connections: imap#2:server:cut@120 breaks the second IMAP connection behind byte 120 of the server's; also stall@N, drip=SECONDS,
    /// byte-at-a-time, insert@N=TEXT, replace@N=TEXT, double@N..M; may be given several times
    #[arg(long, global = true, value_name = "[PROTOCOL[#N]:]SIDE:FAULT")]
    pub fault: Vec<FaultRule>,
    /// Show on standard error what goes over the wire, secrets replaced
    #[arg(long, global = true)]
    pub trace: bool,
    /// Refuse to change messages by numbers that have shifted since they were told, instead of a warning
    #[arg(long, global = true)]
    pub strict: bool,
    /// Show no progress of long work
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Says that this process is the one that --untrusted has started
    #[arg(long, global = true, hide = true)]
    pub confined: bool,
}

/// What an untrusted script may reach, and how much memory it may use.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Untrusted scripts")]
pub struct Confinement {
    /// The script reaches no file, program, environment variable or host but what is allowed here, --connect-to redirects and --sandbox answers for; it has limits of time and memory (exit code 124)
    #[arg(long)]
    pub untrusted: bool,
    /// It may connect to HOST, at any port or at this one; may be given several times, as all of these
    #[arg(long, value_name = "HOST[:PORT]", requires = "untrusted")]
    pub allow_host: Vec<AllowedHost>,
    /// It may read, write and delete below DIR; links that lead out of it are not followed
    #[arg(long, value_name = "DIR", requires = "untrusted")]
    pub allow_dir: Vec<PathBuf>,
    /// It may read below DIR
    #[arg(long, value_name = "DIR", requires = "untrusted")]
    pub allow_read: Vec<PathBuf>,
    /// It may read the environment variable NAME
    #[arg(long, value_name = "NAME", requires = "untrusted")]
    pub allow_env: Vec<String>,
    /// How much memory it may use, in MB; 0 sets no limit
    #[arg(long, value_name = "MB", requires = "untrusted", default_value_t = 256, value_parser = clap::value_parser!(u64).range(0..=1_000_000))]
    pub memory_limit: u64,
}

/// A script's time.
#[derive(Debug, Clone, Args)]
pub struct TimeOption {
    /// How long the untrusted script may run
    #[arg(long, value_name = "SECONDS", requires = "untrusted", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=1_000_000), help_heading = "Untrusted scripts")]
    pub time_limit: u64,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a script
    Run {
        /// What it may do
        #[command(flatten)]
        confinement: Confinement,
        /// How long
        #[command(flatten)]
        time: TimeOption,
        /// Print the last value as JSON, on one line, when all is done
        #[arg(long)]
        json: bool,
        /// Load ~/.config/postoffice/init.scm first, as the prompt does
        #[arg(long, conflicts_with = "untrusted")]
        init: bool,
        /// The script; - is standard input
        file: String,
        /// What (command-line) gives in the script
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Evaluate one expression and print its value
    Eval {
        /// What it may do
        #[command(flatten)]
        confinement: Confinement,
        /// How long
        #[command(flatten)]
        time: TimeOption,
        /// Print the value as JSON, on one line; of several expressions the last one's
        #[arg(long)]
        json: bool,
        /// Load ~/.config/postoffice/init.scm first, as the prompt does
        #[arg(long, conflicts_with = "untrusted")]
        init: bool,
        /// The expression
        expression: String,
    },
    /// Look scripts through without running them: unknown names, wrong numbers of arguments, unknown keys; exit code 1 when there are any
    Check {
        /// The scripts
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Replay transcripts and compare every reply; exit code 1 when one differs
    Replay(ReplayOptions),
    /// Run a sandbox mail server on this machine until Ctrl-C
    Sandbox(SandboxOptions),
    /// Replay the manual's session on the sandbox and show it
    Demo,
    /// Print the completion of this command's arguments for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the reference of all functions, as Markdown or as a manual page
    Reference {
        /// A manual page, for man
        #[arg(long)]
        man: bool,
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
    /// Write the replies that came into the transcripts
    #[arg(long)]
    pub bless: bool,
    /// What the transcripts may do
    #[command(flatten)]
    pub confinement: Confinement,
    /// How long each form may run; with --untrusted, all of the transcripts together
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub time_limit: u64,
}

/// Options of `postoffice sandbox`.
#[derive(Debug, Clone, Args)]
pub struct SandboxOptions {
    /// An account; may be given several times. By default the manual's, myacct:mypasswd
    #[arg(long, value_name = "USER:PASSWORD", value_parser = account)]
    pub account: Vec<Account>,
    /// The IMAP port; by default one that is free
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    pub imap_port: u16,
    /// The port for IMAP over TLS; by default one that is free
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    pub imaps_port: u16,
    /// Begin with empty mailboxes
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
