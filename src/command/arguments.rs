//! The command line.

use crate::sandbox::Account;
use crate::transport::Redirect;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};
use std::path::PathBuf;

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
    /// What to do; the prompt by default.
    #[command(subcommand)]
    pub command: Option<Command>,
}

impl Arguments {
    /// Reads the program's arguments. Wrong usage ends the program with a message and the exit code 2.
    pub fn read() -> Arguments {
        let arguments = Arguments::parse();
        if arguments.mail_has_no_place() {
            let message = "--mail needs a sandbox to put the mail in: --sandbox, or the command sandbox";
            Arguments::command().error(ErrorKind::MissingRequiredArgument, message).exit();
        }
        arguments
    }

    fn mail_has_no_place(&self) -> bool {
        let sandboxed = match self.command {
            Some(Command::Sandbox(_) | Command::Demo) => true,
            Some(Command::Replay(_)) => self.global.connect_to.is_empty(),
            _ => false,
        };
        !(self.global.mail.is_empty() || self.global.sandbox || sandboxed)
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
    /// Show on standard error what goes over the wire, secrets replaced
    #[arg(long, global = true)]
    pub trace: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a script
    Run {
        /// The script; - is standard input
        file: String,
        /// What (command-line) gives in the script
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Evaluate one expression and print its value
    Eval {
        /// The expression
        expression: String,
    },
    /// Replay transcripts and compare every reply; exit code 1 when one differs
    Replay(ReplayOptions),
    /// Run a sandbox mail server on this machine until Ctrl-C
    Sandbox(SandboxOptions),
    /// Replay the manual's session on the sandbox and show it
    Demo,
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
    /// How long each form may run
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

/// `USER:PASSWORD`.
fn account(text: &str) -> Result<Account, String> {
    match text.split_once(':') {
        Some((user, password)) if !user.is_empty() => Ok(Account::new(user, password)),
        _ => Err("expected USER:PASSWORD".into()),
    }
}
