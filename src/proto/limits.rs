//! How much a server may send before the connection is closed: one table of names, defaults and
//! reasons.
//!
//! Buffers and counts that a server could grow without bound are checked against these limits, so
//! that a broken or hostile server cannot exhaust memory. The `limits!` invocation below generates
//! the fields of [`Limits`], their defaults, [`Limits::TABLE`], and access by name for `:limits`
//! and `--limit`. A test compares the table with the one in the README. Exceeding a limit is a
//! [`ProtocolError::TooLarge`], whose message says how to raise it; excess warnings are merely
//! dropped.

use super::error::ProtocolError;

/// One entry of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// The name as `:limits` and `--limit` take it, for example `streamed-literal`.
    pub name: &'static str,
    /// What the limit applies to.
    pub what: &'static str,
    /// `bytes`, or empty for a count.
    pub unit: &'static str,
    /// The default value.
    pub default: u64,
    /// The reason for the default.
    pub reason: &'static str,
}

macro_rules! limits {
    ($($field:ident = $name:literal: $type:ty = $default:expr, $unit:literal, $what:literal, $reason:literal;)*) => {
        /// Limits on what a server may send. [`Limits::TABLE`] gives the reason for every default.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Limits {
            $(#[doc = concat!($what, ". ", $reason, ".")] pub $field: $type,)*
        }

        impl Default for Limits {
            fn default() -> Self {
                Limits { $($field: $default,)* }
            }
        }

        impl Limits {
            /// All limits, in the order of the fields.
            pub const TABLE: &'static [Limit] = &[$(
                Limit { name: $name, what: $what, unit: $unit, default: { let default: $type = $default; default as u64 }, reason: $reason },
            )*];

            /// Returns a limit by its name, ignoring case; `None` for an unknown name.
            pub fn get(&self, name: &str) -> Option<u64> {
                $(if name.eq_ignore_ascii_case($name) { return Some(self.$field as u64); })*
                None
            }

            /// Sets a limit by its name, ignoring case; `None` for an unknown name. A value too
            /// large for the field's type becomes that type's maximum.
            pub fn set(&mut self, name: &str, value: u64) -> Option<()> {
                $(if name.eq_ignore_ascii_case($name) {
                    self.$field = <$type>::try_from(value).unwrap_or(<$type>::MAX);
                    return Some(());
                })*
                None
            }
        }
    };
}

limits! {
    line = "line": usize = 16 << 20, "bytes",
        "an untagged IMAP response without its literals, a POP listing", "a SEARCH answer of a million UIDs takes 7 MB";
    status = "status": usize = 1 << 20, "bytes",
        "a status line with its text, an SMTP reply", "people read it; servers send a few hundred";
    literal = "literal": u64 = 256 << 20, "bytes",
        "a literal or a POP letter in memory", "the largest providers refuse letters over 150 MB";
    streamed_literal = "streamed-literal": u64 = 4 << 30, "bytes",
        "a letter that goes straight to a file", "beyond the largest letter there is; it only bounds a full disk";
    response = "response": u64 = 512 << 20, "bytes",
        "a response with its literals, in memory", "twice the largest letter";
    literals = "literals": usize = 100_000, "",
        "the literals of one response", "an envelope has a few dozen";
    depth = "depth": usize = 256, "",
        "parentheses within parentheses", "BODYSTRUCTURE takes two for each level of multipart, and servers stop at about 100";
    values = "values": usize = 500_000, "",
        "the values of one FETCH response", "a letter of 10,000 parts has 300,000";
    names = "names": usize = 10_000, "",
        "the capabilities, flags or status items of one answer", "servers announce a few dozen";
    listed = "listed": usize = 200_000, "",
        "the mailboxes of a LIST, the letters of a POP listing", "ten times the largest accounts in use";
    responses = "responses": u64 = 10_000_000, "",
        "the untagged responses to one command", "ten times the largest mailboxes in use";
    challenges = "challenges": u32 = 10, "",
        "the questions of the server in one authentication", "every mechanism here has at most two";
    warnings = "warnings": usize = 100, "",
        "the warnings of one command; further ones are dropped", "they say nothing new";
}

impl Limits {
    /// Returns the error for exceeding the limit `name`.
    pub(crate) fn exceeded(&self, name: &'static str) -> ProtocolError {
        let entry = Limits::TABLE.iter().find(|limit| limit.name == name);
        let (what, unit) = entry.map_or((name, ""), |limit| (limit.what, limit.unit));
        ProtocolError::TooLarge { what, name, limit: self.get(name).unwrap_or(0), unit }
    }

    /// Returns an error if `count` exceeds the limit `name`.
    pub(crate) fn check(&self, name: &'static str, count: u64) -> Result<(), ProtocolError> {
        if self.get(name).is_some_and(|limit| count > limit) {
            Err(self.exceeded(name))
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::sasl::Mechanism;
    use crate::proto::{Protocol, imap, pop3, smtp};

    #[test]
    fn every_limit_is_read_and_changed_by_its_name() {
        let mut limits = Limits::default();
        for (index, limit) in Limits::TABLE.iter().enumerate() {
            assert_eq!(limits.get(limit.name), Some(limit.default), "{}", limit.name);
            limits.set(&limit.name.to_uppercase(), index as u64).unwrap();
        }
        for (index, limit) in Limits::TABLE.iter().enumerate() {
            assert_eq!(limits.get(limit.name), Some(index as u64), "{}", limit.name);
        }
        assert!(limits.get("lines").is_none() && limits.set("", 1).is_none());
        limits.set("challenges", u64::MAX).unwrap();
        assert_eq!(limits.challenges, u32::MAX);
    }

    /// Submits AUTH, and returns the session's error when the server sends challenges without end,
    /// and how many it passed on before.
    fn challenged<S: Protocol>(
        mut session: S,
        command: S::Command,
        greeting: &str,
        challenge: &str,
    ) -> (usize, ProtocolError) {
        fn hear<S: Protocol>(session: &mut S, text: &str) -> Result<bool, ProtocolError> {
            session.space()[..text.len()].copy_from_slice(text.as_bytes());
            session.filled(text.len());
            session.find_event()
        }
        assert!(hear(&mut session, greeting).unwrap());
        session.submit(command);
        let told = (0..1_000).map(|_| hear(&mut session, challenge));
        told.enumerate().find_map(|(count, found)| Some((count, found.err()?))).unwrap()
    }

    #[test]
    fn challenges_without_end_exceed_the_limit_in_every_protocol() {
        for challenges in [0, 1, 10] {
            let limits = Limits { challenges, ..Limits::default() };
            let plain = Mechanism::Plain;
            let table = [
                challenged(
                    imap::Session::new(limits.clone()),
                    imap::Command::authenticate(plain, None),
                    "* OK hello\r\n",
                    "+ bW9yZQ==\r\n",
                ),
                challenged(
                    pop3::Session::new(limits.clone()),
                    pop3::Command::auth(plain, None),
                    "+OK hello\r\n",
                    "+ bW9yZQ==\r\n",
                ),
                challenged(
                    smtp::Session::new(limits.clone()),
                    smtp::Command::auth(plain, None),
                    "220 hello\r\n",
                    "334 bW9yZQ==\r\n",
                ),
            ];
            for (count, error) in table {
                assert_eq!(count, challenges as usize, "{error}");
                assert_eq!(error, limits.exceeded("challenges"));
            }
        }
    }

    #[test]
    fn the_readme_has_the_table() {
        let readme = include_str!("../../README.md");
        for limit in Limits::TABLE {
            let row = readme
                .lines()
                .find(|line| line.starts_with(&format!("| `{}` |", limit.name)))
                .unwrap_or_else(|| panic!("{}", limit.name));
            let default: String =
                row.split('|').nth(2).unwrap().chars().filter(char::is_ascii_digit).collect();
            assert_eq!(default, limit.default.to_string(), "{row}");
            assert!(row.contains(limit.what) && row.contains(limit.reason), "{row}");
        }
    }

    #[test]
    fn what_is_too_large_says_how_to_allow_more() {
        let error = Limits::default().check("literals", 100_001).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the literals of one response: more than the limit of 100000; :limits '(:literals N) allows more"
        );
        let error = Limits::default().exceeded("status");
        assert!(
            error
                .to_string()
                .contains("more than the limit of 1048576 bytes; :limits '(:status N)"),
            "{error}"
        );
        assert!(Limits::default().check("literals", 100_000).is_ok());
    }
}
