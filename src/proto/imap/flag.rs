//! Flags and keywords that a client can set (RFC 3501 2.3.2): `\Seen`, `$Forwarded`, `junk`.
//!
//! A [`Flag`] is checked when it is made, so it can be sent as it is.

use crate::proto::error::EncodeError;
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// A flag or keyword.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag(Cow<'static, str>);

impl Flag {
    /// The message has been read.
    pub const SEEN: Flag = Flag(Cow::Borrowed("\\Seen"));
    /// The message has been answered.
    pub const ANSWERED: Flag = Flag(Cow::Borrowed("\\Answered"));
    /// The message is marked as important.
    pub const FLAGGED: Flag = Flag(Cow::Borrowed("\\Flagged"));
    /// The message will be removed by the next EXPUNGE.
    pub const DELETED: Flag = Flag(Cow::Borrowed("\\Deleted"));
    /// The message is a draft.
    pub const DRAFT: Flag = Flag(Cow::Borrowed("\\Draft"));

    /// Makes a flag from text: an atom, or `\` and an atom.
    ///
    /// # Errors
    /// [`EncodeError`] for anything else, including `\*` and `\Recent`, which no client may set.
    pub fn new(text: &str) -> Result<Self, EncodeError> {
        let atom = text.strip_prefix('\\').unwrap_or(text);
        if atom.is_empty()
            || !atom.bytes().all(is_atom_char)
            || text.eq_ignore_ascii_case("\\recent")
        {
            return Err(EncodeError::new(
                "flag",
                "a flag that can be set: letters, digits and signs without spaces",
                text.as_bytes(),
            ));
        }
        Ok(Flag(text.to_owned().into()))
    }

    /// The flag as it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Flag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for Flag {
    type Err = EncodeError;

    fn from_str(text: &str) -> Result<Self, EncodeError> {
        Flag::new(text)
    }
}

/// Returns whether a byte is an ATOM-CHAR of RFC 3501 9.
pub(super) fn is_atom_char(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"(){%*\"\\]".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_atoms_are_flags() {
        for flag in ["\\Seen", "\\deleted", "junk", "$Forwarded", "a[b"] {
            assert!(Flag::new(flag).is_ok(), "{flag}");
        }
        for flag in [
            "",
            "\\",
            "a b",
            "a)",
            "\\*",
            "a\r\nX LOGOUT",
            "a\0",
            "{5}",
            "é",
            "\\Recent",
            "a\\b",
            "\"x\"",
        ] {
            assert!(Flag::new(flag).is_err(), "{flag}");
        }
    }
}
