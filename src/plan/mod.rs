//! Plans: what a dry run would have changed, to be looked at, kept, and done.
//!
//! A plan is a list of steps, one for each command that changes something, in order. A step names
//! its letters by UID, under the UIDVALIDITY of their mailbox. Letters that an earlier step has
//! stored somewhere have the UIDs that the dry run expected there; the step says which they are
//! ([`PlanStep::becomes`]), so that the UIDs that the server really gives can take their place. A step
//! that appends or sends a letter has the letter.
//!
//! | file | contents |
//! |---|---|
//! | `making` | from the journal of a dry run to a plan |
//! | `text` | the plan as S-expressions, and back; the table for people |

mod making;
mod text;

pub use making::Keeper;
pub use text::PlanError;

use crate::proto::deed::{Account, Act};
use crate::proto::imap::{CopiedUids, SequenceSet};

/// What a dry run would have changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The script, if there is one.
    pub script: Option<String>,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// The changes, in order.
    pub steps: Vec<PlanStep>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanStep {
    /// The kind of change.
    pub act: Act,
    /// The server's host; the program for [`Act::Run`].
    pub host: String,
    /// The rest of the account; `None` for a program.
    pub account: Option<Account>,
    /// The mailbox.
    pub mailbox: Option<String>,
    /// Its UIDVALIDITY, if the letters are in it.
    pub uid_validity: Option<u32>,
    /// The UIDs of the letters.
    pub uids: SequenceSet,
    /// The flags that letters have before, if that matters.
    pub flags: Vec<(SequenceSet, Vec<String>)>,
    /// The UIDs that letters are expected to get.
    pub becomes: Option<CopiedUids>,
    /// How many letters a mailbox has that is deleted or renamed.
    pub count: Option<u64>,
    /// Subjects of some of the letters.
    pub subjects: Vec<String>,
    /// The letter that is appended or sent.
    pub letter: Option<PlannedLetter>,
    /// The program and its arguments, for [`Act::Run`].
    pub program: Vec<String>,
}

/// A letter that a plan appends or sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedLetter {
    /// The internal date, for APPEND, as IMAP writes it: `13-Sep-1999 11:36:26 -0700`.
    pub date: Option<String>,
    /// The letter, with CRLF line ends.
    pub bytes: Vec<u8>,
}
