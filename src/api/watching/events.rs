//! What happens while mailboxes are watched, for logs and displays, and what the program that runs
//! the watch wants of it.

use std::fmt;
use std::time::Duration;

/// Sees what a watch does, and decides how long it goes on. `postoffice watch` is one.
pub trait Supervisor: Send + Sync {
    /// Something happened.
    fn happened(&self, event: &Event<'_>);

    /// Whether the watch goes on. Asked ten times a second, and before each letter.
    fn goes_on(&self) -> bool;

    /// Whether the watch handles what is there now, and ends then.
    fn once(&self) -> bool {
        false
    }
}

/// Something that happened to a mailbox that is watched.
#[derive(Debug, Clone)]
pub struct Event<'e> {
    /// The script's name for the account.
    pub account: &'e str,
    /// The mailbox.
    pub mailbox: &'e str,
    /// The cursor's name.
    pub cursor: &'e str,
    /// The mailboxes and cursors of the other watches that this happened to, too, because they share
    /// the connection.
    pub others: Vec<(&'e str, &'e str)>,
    /// What happened.
    pub what: What<'e>,
}

/// What happened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum What<'e> {
    /// The watch begins.
    Begins,
    /// A connection is made.
    Connecting,
    /// It waits for letters, by this means.
    Waits(Means),
    /// The connection was lost, or could not be made.
    Lost {
        /// Why.
        error: &'e str,
        /// When the next attempt is.
        again: Duration,
        /// How many attempts in a row have failed.
        failures: u32,
    },
    /// Letters arrived.
    Arrived(usize),
    /// A letter was handled.
    Handled {
        /// Its UID.
        uid: u32,
        /// How long the procedure took.
        took: Duration,
    },
    /// The procedure has failed for a letter.
    Failed {
        /// Its UID.
        uid: u32,
        /// How often it was tried.
        attempts: u32,
        /// The error.
        error: &'e str,
        /// When it is tried again; `None` if it is set aside.
        again: Option<Duration>,
    },
    /// The connection was lost while the procedure handled a letter, which is tried again at once.
    Repeats {
        /// Its UID.
        uid: u32,
    },
    /// Letters that were to be handled have left the mailbox.
    Left(usize),
    /// The server has given the mailbox other UIDs; new letters were told by Message-ID, date and
    /// size.
    OtherUids,
    /// The watch has ended.
    Ends,
}

/// How a connection hears of new letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// IDLE (RFC 2177).
    Idle,
    /// NOTIFY (RFC 5465).
    Notify,
    /// NOOP or STATUS again and again.
    Asking,
}

impl fmt::Display for Means {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Means::Idle => "IDLE",
            Means::Notify => "NOTIFY",
            Means::Asking => "asking again and again",
        })
    }
}

impl Event<'_> {
    /// The account and the mailbox, with `between` in between, for people: `work inbox`, and `work inbox
    /// and 2 more` if it happened to others, too.
    pub fn place(&self, between: &str) -> String {
        let Event { account, mailbox, others, .. } = self;
        match others.len() {
            0 => format!("{account}{between}{mailbox}"),
            more => format!("{account}{between}{mailbox} and {more} more"),
        }
    }
}

impl What<'_> {
    /// Whether somebody should look at it.
    pub fn is_problem(&self) -> bool {
        matches!(self, What::Lost { .. } | What::Failed { .. } | What::OtherUids)
    }
}

/// A time in words for people: `0.5 s`, `12 s`, `5 min`, `2 h`.
pub fn spoken(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        10..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

impl fmt::Display for What<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Begins => write!(formatter, "the watch begins"),
            What::Connecting => write!(formatter, "connecting"),
            What::Waits(means) => write!(formatter, "waits for letters ({means})"),
            What::Lost { error, again, .. } => {
                write!(formatter, "{error}; tried again in {}", spoken(*again))
            }
            What::Arrived(1) => write!(formatter, "1 new letter"),
            What::Arrived(count) => write!(formatter, "{count} new letters"),
            What::Handled { uid, took } => {
                write!(formatter, "letter {uid} handled in {} ms", took.as_millis())
            }
            What::Failed { uid, attempts, error, again: Some(again) } => write!(
                formatter,
                "letter {uid} failed (attempt {attempts}): {error}; tried again in {}",
                spoken(*again)
            ),
            What::Failed { uid, attempts, error, again: None } => write!(
                formatter,
                "letter {uid} failed (attempt {attempts}): {error}; set aside, see postoffice watch --failed"
            ),
            What::Repeats { uid } => {
                write!(formatter, "the connection was lost while letter {uid} was handled")
            }
            What::Left(count) => {
                write!(formatter, "{count} letters to be handled have left the mailbox")
            }
            What::OtherUids => write!(
                formatter,
                "the server has given the mailbox other UIDs; new letters are told by Message-ID, date and size"
            ),
            What::Ends => write!(formatter, "the watch has ended"),
        }
    }
}
