//! Types for what servers report: entries of LIST, destinations of copies, warnings.

/// A message from the server that does not stop the operation.
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
    /// An untagged OK with an unknown response code.
    UnknownOk,
    /// An untagged response of an unknown kind.
    UnknownUntagged,
    /// Something that the client itself has noticed; the words are not the server's.
    Noticed,
    /// A part of a response could not be read and was left out; the words say which and why.
    Unreadable,
}

/// An entry of LIST.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listed {
    /// Its attributes, for example `\Noselect`.
    pub flags: Vec<String>,
    /// The hierarchy separator; `None` for a flat name.
    pub separator: Option<String>,
    /// The mailbox name, decoded.
    pub name: String,
    /// Its STATUS items, if they were asked for and the server gave them.
    pub status: Option<Vec<(String, StatusValue)>>,
}

impl Listed {
    /// Returns whether it has an attribute such as `\Noselect`, in any case.
    pub fn has(&self, attribute: &str) -> bool {
        self.flags.iter().any(|flag| flag.eq_ignore_ascii_case(attribute))
    }
}

/// The value of a STATUS item.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum StatusValue {
    /// A number, as most items have.
    Number(u64),
    /// A word, such as the identifier of MAILBOXID (RFC 8474 4.3).
    Text(String),
    /// NIL: `APPENDLIMIT` of a mailbox without a limit (RFC 7889 4).
    Nil,
}

impl From<u64> for StatusValue {
    fn from(number: u64) -> Self {
        StatusValue::Number(number)
    }
}
