//! Types of server responses: entries of LIST, destinations of copies, warnings.

use crate::proto::imap::SequenceSet;

/// Something the server said that need not stop anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The kind.
    pub kind: WarningKind,
    /// The server's words.
    pub words: String,
}

/// The kinds of warnings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WarningKind {
    /// An untagged NO or BAD, an alert, or a mailbox that opened read-only.
    Problem,
    /// An untagged OK with a response code that is not known.
    UnknownOk,
    /// An untagged response that is not known.
    UnknownUntagged,
}

/// An entry of LIST.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listed {
    /// Its attributes, `\Noselect` for example.
    pub flags: Vec<String>,
    /// The hierarchy separator; `None` for a flat name.
    pub separator: Option<String>,
    /// The mailbox name, decoded.
    pub name: String,
}

/// Where copies went (UIDPLUS, RFC 4315).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopiedUids {
    /// The destination's UIDVALIDITY.
    pub uid_validity: u32,
    /// UIDs in the selected mailbox.
    pub from: SequenceSet,
    /// UIDs in the destination, in the same order.
    pub to: SequenceSet,
}
