//! Deeds: descriptions of what a command changes on a server, made before the command is sent.
//!
//! Code that guards a script's changes needs them as values, not as bytes: the action, the mailbox
//! and its UIDVALIDITY, the letters, and whether the action can be undone. Every command that
//! changes something carries such a description from the moment it is built ([`Change`]). When the
//! command is submitted, the session adds the selected mailbox, which makes it a [`Deed`]. The
//! connection shows each deed to its [`Witness`](super::witness::Witness) before the first byte of
//! the command is sent, and again when its outcome is known.
//!
//! Some deeds are side effects of a command or involve no mail protocol at all. They are described
//! too: a FETCH that sets `\Seen`, a SELECT that clears `\Recent`, a CLOSE that expunges, a POP3
//! QUIT that removes the marked letters, a letter handed to a program, and a delivery into the
//! sandbox.

use super::imap::Messages;
use super::imap::command::StoreMode;
use super::imap::flag::Flag;
use super::witness::Facts;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// The kind of change.
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
    /// IMAP's SETACL or DELETEACL changes the rights of somebody to a mailbox.
    SetRights {
        /// Whose rights.
        identifier: String,
        /// The rights, with `+` or `-` before them if they are added or removed; `None` if all are
        /// removed.
        rights: Option<String>,
    },
    /// IMAP's SETMETADATA sets or removes a metadata entry of a mailbox or of the server.
    SetMetadata {
        /// The entry's name.
        entry: String,
        /// Its value; `None` if it is removed.
        value: Option<String>,
    },
    /// IMAP's APPEND adds a letter.
    Append {
        /// Its size in bytes.
        bytes: u64,
        /// Its flags.
        flags: Vec<Flag>,
        /// Its Message-ID, if it has one and the letter was at hand when the command was built.
        message_id: Option<String>,
    },
    /// IMAP's APPEND adds several letters (MULTIAPPEND, RFC 3502), all or none.
    AppendMany {
        /// Their sizes in bytes.
        sizes: Vec<u64>,
    },
    /// IMAP's REPLACE adds a letter and removes another one (RFC 8508).
    Replace {
        /// The mailbox that the new letter goes to.
        to: String,
        /// Its size in bytes.
        bytes: u64,
    },
    /// IMAP's COPY copies letters.
    Copy {
        /// The destination mailbox.
        to: String,
    },
    /// IMAP's MOVE moves letters.
    Move {
        /// The destination mailbox.
        to: String,
    },
    /// IMAP's STORE sets, adds or removes flags.
    StoreFlags {
        /// How the flags change.
        mode: StoreMode,
        /// The flags.
        flags: Vec<Flag>,
        /// If it leaves letters alone that have changed since a mod-sequence, that number (RFC
        /// 7162).
        unchanged_since: Option<u64>,
    },
    /// Gmail's STORE of X-GM-LABELS sets, adds or removes labels.
    StoreLabels {
        /// How the labels change.
        mode: StoreMode,
        /// The labels; those of the system begin with `\`.
        labels: Vec<String>,
    },
    /// A FETCH sets `\Seen`.
    MarkSeen,
    /// A SELECT clears `\Recent` on the letters that have it.
    TakeRecent,
    /// EXPUNGE, UID EXPUNGE or CLOSE removes letters that are marked `\Deleted`.
    Expunge,
    /// POP3's DELE marks letters for removal at QUIT.
    MarkForRemoval,
    /// POP3's RSET clears all marks.
    Unmark,
    /// POP3's QUIT removes the marked letters.
    Remove,
    /// A letter is handed to an SMTP server.
    Send {
        /// The reverse path; empty for bounces.
        from: String,
        /// The recipients.
        to: Vec<String>,
    },
    /// A letter is handed to a program such as sendmail, or a script runs a program of its own.
    Run {
        /// The program.
        program: String,
        /// The recipients; none for a program that gets no letter.
        to: Vec<String>,
    },
    /// A letter is delivered into a mailbox of the sandbox.
    Deliver,
}

/// The way to undo an act, if there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reversal {
    /// By this act on the same mailbox (for a rename, on the mailbox's new name).
    By(Act),
    /// By removing the letters named in the server's reply (APPENDUID, COPYUID of RFC 4315).
    RemoveResult,
    /// By restoring the previous state, which must have been fetched before the act.
    RestorePrevious,
    /// It cannot be undone.
    Impossible,
}

impl Act {
    /// Returns whether doing it again changes nothing more, as long as it names the same messages,
    /// and has the same result. A STORE with a mod-sequence has not: the second would take the first
    /// for the change of another.
    pub fn is_repeatable(&self) -> bool {
        matches!(
            self,
            Act::Subscribe
                | Act::Unsubscribe
                | Act::SetRights { .. }
                | Act::SetMetadata { .. }
                | Act::Move { .. }
                | Act::StoreFlags { unchanged_since: None, .. }
                | Act::StoreLabels { .. }
                | Act::MarkSeen
                | Act::TakeRecent
                | Act::Expunge
        )
    }

    /// Returns whether and how the act can be undone. `mailbox` is where it takes place.
    pub fn reversal(&self, mailbox: &str) -> Reversal {
        match self {
            Act::CreateMailbox => Reversal::By(Act::DeleteMailbox),
            Act::RenameMailbox { .. } => {
                Reversal::By(Act::RenameMailbox { to: mailbox.to_owned() })
            }
            Act::Subscribe => Reversal::By(Act::Unsubscribe),
            Act::Unsubscribe => Reversal::By(Act::Subscribe),
            Act::MarkForRemoval => Reversal::By(Act::Unmark),
            Act::Append { .. } | Act::AppendMany { .. } | Act::Copy { .. } | Act::Move { .. } => {
                Reversal::RemoveResult
            }
            Act::StoreFlags { .. }
            | Act::StoreLabels { .. }
            | Act::MarkSeen
            | Act::Unmark
            | Act::SetRights { .. }
            | Act::SetMetadata { .. } => Reversal::RestorePrevious,
            Act::DeleteMailbox
            | Act::TakeRecent
            | Act::Expunge
            | Act::Replace { .. }
            | Act::Remove
            | Act::Send { .. }
            | Act::Run { .. }
            | Act::Deliver => Reversal::Impossible,
        }
    }
}

/// The letters that an act affects.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Letters {
    /// No letters that are already in a mailbox.
    None,
    /// These letters of the selected mailbox.
    Messages(Messages),
    /// All letters of the selected mailbox that are marked `\Deleted`; all marked letters in POP3.
    Marked,
    /// These letters of a POP3 mailbox, by message number.
    Numbers(Vec<u32>),
}

/// The change that a command makes, as far as its arguments show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The kind of change.
    pub act: Act,
    /// The mailbox that the command names; `None` if it acts on the selected one, or on none.
    pub mailbox: Option<String>,
    /// The letters.
    pub letters: Letters,
}

impl Change {
    /// A delivery of a letter into a mailbox of the sandbox.
    pub fn delivery(mailbox: &str) -> Self {
        Change::of(mailbox, Act::Deliver)
    }

    /// A letter handed to a program such as sendmail, for the recipients `to`; without any, a
    /// program that gets no letter.
    pub fn by_program(program: &str, to: &[String]) -> Self {
        let act = Act::Run { program: program.to_owned(), to: to.to_vec() };
        Change { act, mailbox: None, letters: Letters::None }
    }

    /// A change of the mailbox that the command names.
    pub(crate) fn of(mailbox: &str, act: Act) -> Self {
        Change { act, mailbox: Some(mailbox.to_owned()), letters: Letters::None }
    }

    /// A change of letters in the selected mailbox.
    pub(crate) fn of_selected(letters: Letters, act: Act) -> Self {
        Change { act, mailbox: None, letters }
    }
}

/// The larger change that a deed is a step of. Servers without MOVE or UIDPLUS need several commands
/// for one change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purpose {
    /// Moves letters: COPY, or APPEND to another server, then STORE of `\Deleted`, then EXPUNGE.
    Move {
        /// The destination mailbox.
        to: String,
    },
    /// Moves letters into quarantine, or renames their mailbox, in the place of deleting them.
    Quarantine,
    /// Deletes letters: STORE of `\Deleted`, then EXPUNGE.
    Delete {
        /// How many other letters the EXPUNGE removes, because they are marked, too.
        others: u64,
    },
}

/// A change that is about to be made, with everything known about where.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deed {
    /// A number that no other deed of this process has.
    pub id: u64,
    /// The kind of change.
    pub act: Act,
    /// The server's host, as the script named it; the program for [`Act::Run`].
    pub host: String,
    /// The rest of the account; `None` for what goes through no connection.
    pub account: Option<Account>,
    /// The mailbox; `None` where there is none, as in POP3 and SMTP.
    pub mailbox: Option<String>,
    /// The UIDVALIDITY that qualifies the UIDs, if the change is in the selected mailbox and the
    /// server announced one.
    pub uid_validity: Option<u32>,
    /// The letters.
    pub letters: Letters,
    /// Whether the server says where it stores letters (UIDPLUS, RFC 4315).
    pub has_uidplus: bool,
    /// What the server said before, as far as the witness wanted it.
    pub facts: Option<Facts>,
    /// The larger change that it is a step of, if it is one.
    pub purpose: Option<Purpose>,
}

/// Where a connection is logged in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Account {
    /// `imap`, `pop3` or `smtp`.
    pub protocol: &'static str,
    /// The port.
    pub port: u16,
    /// The user, once there was a login.
    pub user: Option<String>,
}

static LAST_ID: AtomicU64 = AtomicU64::new(0);

impl Deed {
    /// Makes a deed of a change outside the selected mailbox. The connection fills in the host and
    /// the account.
    pub fn new(change: Change) -> Self {
        Deed {
            id: LAST_ID.fetch_add(1, Ordering::Relaxed) + 1,
            act: change.act,
            host: String::new(),
            account: None,
            mailbox: change.mailbox,
            uid_validity: None,
            letters: change.letters,
            has_uidplus: false,
            facts: None,
            purpose: None,
        }
    }

    /// Returns the same deed with the host filled in.
    pub fn on(self, host: &str) -> Self {
        Deed { host: host.to_owned(), ..self }
    }

    /// Returns whether and how the deed can be undone.
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
            Act::SetRights { identifier, .. } => format!("set rights of {identifier:?} to"),
            Act::SetMetadata { entry, .. } => format!("set metadata {entry} of"),
            Act::Append { bytes, .. } => format!("append a letter of {bytes} bytes to"),
            Act::AppendMany { sizes } => format!("append {} letters to", sizes.len()),
            Act::Replace { to, bytes } => {
                format!("put a letter of {bytes} bytes into {to:?} and remove one from")
            }
            Act::Copy { to } => format!("copy to {to:?} letters of"),
            Act::Move { to } => format!("move to {to:?} letters of"),
            Act::StoreFlags { .. } if matches!(self.purpose, Some(Purpose::Delete { .. })) => {
                "delete letters of".to_owned()
            }
            Act::StoreFlags { .. } => "change flags of letters in".to_owned(),
            Act::StoreLabels { .. } => "change labels of letters in".to_owned(),
            Act::MarkSeen => "set \\Seen on letters of".to_owned(),
            Act::TakeRecent => "take \\Recent from letters of".to_owned(),
            Act::Expunge => "remove letters from".to_owned(),
            Act::MarkForRemoval => "mark letters for removal on".to_owned(),
            Act::Unmark => "take back the marks of letters on".to_owned(),
            Act::Remove => "remove letters from".to_owned(),
            Act::Send { to, .. } => format!("send a letter to {} by", to.join(", ")),
            Act::Run { to, .. } if to.is_empty() => "run".to_owned(),
            Act::Run { to, .. } => format!("send a letter to {} by", to.join(", ")),
            Act::Deliver => "deliver a letter into".to_owned(),
        };
        match &self.mailbox {
            Some(mailbox) => write!(formatter, "{what} {mailbox:?} on {}", self.host),
            None => write!(formatter, "{what} {}", self.host),
        }
    }
}
