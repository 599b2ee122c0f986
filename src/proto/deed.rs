//! Deeds: what a command changes on a server, described before it is sent.
//!
//! Whoever guards a script's changes needs to know them as values, not as bytes: what happens, in
//! which mailbox under which UIDVALIDITY, to which letters, and whether it can be taken back. Every
//! command that changes something carries such a description from the moment it is built
//! ([`Change`]); the session completes it with the selected mailbox when the command is submitted
//! ([`Deed`]). A connection shows each deed to its [`Witness`] before the first byte of the command
//! goes out, and again when its end is known.
//!
//! Some deeds belong to no verb of their own, and are described all the same: a FETCH that sets
//! `\Seen`, a SELECT that takes `\Recent`, a CLOSE that expunges, POP3's QUIT that removes what was
//! marked, a letter handed to a program, a delivery into the sandbox.

use super::imap::Messages;
use super::imap::command::StoreMode;
use super::imap::flag::Flag;
use std::fmt;
use thiserror::Error;

/// What is done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Act {
    /// IMAP's CREATE.
    CreateMailbox,
    /// IMAP's DELETE.
    DeleteMailbox,
    /// IMAP's RENAME.
    RenameMailbox {
        /// The new name.
        to: String,
    },
    /// IMAP's SUBSCRIBE.
    Subscribe,
    /// IMAP's UNSUBSCRIBE.
    Unsubscribe,
    /// A letter is added by IMAP's APPEND.
    Append {
        /// Its size.
        bytes: u64,
        /// Its flags.
        flags: Vec<Flag>,
    },
    /// Letters are copied.
    Copy {
        /// The mailbox that gets them.
        to: String,
    },
    /// Letters are moved.
    Move {
        /// The mailbox that gets them.
        to: String,
    },
    /// Flags are set, added or removed by STORE.
    StoreFlags {
        /// How the flags change.
        mode: StoreMode,
        /// The flags.
        flags: Vec<Flag>,
    },
    /// A FETCH sets `\Seen`.
    MarkSeen,
    /// A SELECT takes `\Recent` from the letters that have it.
    TakeRecent,
    /// Letters that are marked `\Deleted` are removed, by EXPUNGE, UID EXPUNGE or CLOSE.
    Expunge,
    /// POP3's DELE marks letters; they are removed at QUIT.
    MarkForRemoval,
    /// POP3's RSET takes all marks away.
    Unmark,
    /// POP3's QUIT removes the letters that are marked.
    Remove,
    /// A letter is handed to an SMTP server.
    Send {
        /// The reverse path; empty for bounces.
        from: String,
        /// The recipients.
        to: Vec<String>,
    },
    /// A letter is handed to a program such as sendmail.
    Run {
        /// The program.
        program: String,
        /// The recipients.
        to: Vec<String>,
    },
    /// A letter is put into a mailbox of the sandbox.
    Deliver,
}

/// Whether and how an act can be taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reversal {
    /// By this act on the same mailbox, or on the new name of one that was renamed.
    By(Act),
    /// By removing the letters that the server's answer names (APPENDUID, COPYUID of RFC 4315).
    RemoveResult,
    /// By restoring what was before; somebody must have asked for it first.
    RestorePrevious,
    /// Not at all.
    Impossible,
}

impl Act {
    /// Whether and how the act can be taken back. `mailbox` is where it is done.
    pub fn reversal(&self, mailbox: &str) -> Reversal {
        match self {
            Act::CreateMailbox => Reversal::By(Act::DeleteMailbox),
            Act::RenameMailbox { .. } => {
                Reversal::By(Act::RenameMailbox { to: mailbox.to_owned() })
            }
            Act::Subscribe => Reversal::By(Act::Unsubscribe),
            Act::Unsubscribe => Reversal::By(Act::Subscribe),
            Act::MarkForRemoval => Reversal::By(Act::Unmark),
            Act::Append { .. } | Act::Copy { .. } | Act::Move { .. } => Reversal::RemoveResult,
            Act::StoreFlags { .. } | Act::MarkSeen | Act::Unmark => Reversal::RestorePrevious,
            Act::DeleteMailbox
            | Act::TakeRecent
            | Act::Expunge
            | Act::Remove
            | Act::Send { .. }
            | Act::Run { .. }
            | Act::Deliver => Reversal::Impossible,
        }
    }
}

/// Which letters an act is about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Letters {
    /// None that are in a mailbox already.
    None,
    /// These of the selected mailbox.
    Messages(Messages),
    /// All that are marked `\Deleted`.
    Marked,
    /// These of a POP3 mailbox, by number.
    Numbers(Vec<u32>),
}

/// The change of a command, as far as its arguments show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What is done.
    pub act: Act,
    /// The mailbox that the command names; `None` stands for the selected one.
    pub mailbox: Option<String>,
    /// The letters.
    pub letters: Letters,
}

impl Change {
    /// A letter delivered into a mailbox of the sandbox.
    pub fn delivery(mailbox: &str) -> Self {
        Change::of(mailbox, Act::Deliver)
    }

    /// A letter handed to a program.
    pub fn by_program(program: &str, to: &[String]) -> Self {
        let act = Act::Run { program: program.to_owned(), to: to.to_vec() };
        Change { act, mailbox: None, letters: Letters::None }
    }

    /// A change of a mailbox that the command names.
    pub(crate) fn of(mailbox: &str, act: Act) -> Self {
        Change { act, mailbox: Some(mailbox.to_owned()), letters: Letters::None }
    }

    /// A change of letters in the selected mailbox.
    pub(crate) fn of_selected(letters: Letters, act: Act) -> Self {
        Change { act, mailbox: None, letters }
    }
}

/// A change that is about to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deed {
    /// What is done.
    pub act: Act,
    /// The server's host, as the script named it; the program for [`Act::Run`].
    pub host: String,
    /// The mailbox; `None` where the protocol has none.
    pub mailbox: Option<String>,
    /// The UIDVALIDITY under which UIDs hold, if the mailbox is selected and told one.
    pub uid_validity: Option<u32>,
    /// The letters.
    pub letters: Letters,
}

impl Deed {
    /// A change in no mailbox that is selected. The connection fills in the host.
    pub fn new(change: Change) -> Self {
        Deed {
            act: change.act,
            host: String::new(),
            mailbox: change.mailbox,
            uid_validity: None,
            letters: change.letters,
        }
    }

    /// The same deed on a host.
    pub fn on(self, host: &str) -> Self {
        Deed { host: host.to_owned(), ..self }
    }

    /// Whether and how it can be taken back.
    pub fn reversal(&self) -> Reversal {
        self.act.reversal(self.mailbox.as_deref().unwrap_or_default())
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match &self.act {
            Act::CreateMailbox => "create the mailbox".to_owned(),
            Act::DeleteMailbox => "delete the mailbox".to_owned(),
            Act::RenameMailbox { to } => format!("rename to {to:?} the mailbox"),
            Act::Subscribe => "subscribe to".to_owned(),
            Act::Unsubscribe => "unsubscribe from".to_owned(),
            Act::Append { bytes, .. } => format!("append a letter of {bytes} bytes to"),
            Act::Copy { to } => format!("copy to {to:?} letters of"),
            Act::Move { to } => format!("move to {to:?} letters of"),
            Act::StoreFlags { .. } => "change flags of letters in".to_owned(),
            Act::MarkSeen => "set \\Seen on letters of".to_owned(),
            Act::TakeRecent => "take \\Recent from letters of".to_owned(),
            Act::Expunge => "remove letters from".to_owned(),
            Act::MarkForRemoval => "mark letters for removal on".to_owned(),
            Act::Unmark => "take back the marks of letters on".to_owned(),
            Act::Remove => "remove letters from".to_owned(),
            Act::Send { to, .. } => format!("send a letter to {} by", to.join(", ")),
            Act::Run { to, .. } => format!("send a letter to {} by", to.join(", ")),
            Act::Deliver => "deliver a letter into".to_owned(),
        };
        match &self.mailbox {
            Some(mailbox) => write!(formatter, "{what} {mailbox:?} on {}", self.host),
            None => write!(formatter, "{what} {}", self.host),
        }
    }
}

/// How a deed ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The server says that it is done.
    Done,
    /// The server refused it; a command about several letters may have been done in part.
    Refused,
    /// It was given up before the server could carry it out.
    Abandoned,
    /// The connection ended before the server answered: nobody knows.
    InDoubt,
}

/// A witness does not let a deed happen. Nothing of its command was sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{rule} does not allow to {deed}")]
pub struct Refusal {
    /// The rule, for example `read-only`.
    pub rule: String,
    /// The deed, in words.
    pub deed: String,
}

impl Refusal {
    /// A refusal of `deed` by `rule`.
    pub fn new(rule: &str, deed: &Deed) -> Self {
        Refusal { rule: rule.to_owned(), deed: deed.to_string() }
    }
}

/// Sees every change that a connection makes, and may refuse it.
///
/// It is called by the thread that makes the change, and may be shared by many connections.
pub trait Witness: fmt::Debug + Send + Sync {
    /// Called before the first byte of the deed's command is sent.
    ///
    /// # Errors
    /// [`Refusal`]: the command is not sent.
    fn before(&self, deed: &Deed) -> Result<(), Refusal>;

    /// Called once the end of a deed is known, for every deed that [`Witness::before`] let pass.
    fn after(&self, deed: &Deed, ending: Ending);
}

/// Lets every deed pass; the default.
#[derive(Debug, Clone, Copy, Default)]
pub struct LetPass;

impl Witness for LetPass {
    fn before(&self, _: &Deed) -> Result<(), Refusal> {
        Ok(())
    }

    fn after(&self, _: &Deed, _: Ending) {}
}

/// Refuses every deed.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadOnly;

impl Witness for ReadOnly {
    fn before(&self, deed: &Deed) -> Result<(), Refusal> {
        Err(Refusal::new("read-only", deed))
    }

    fn after(&self, _: &Deed, _: Ending) {}
}
