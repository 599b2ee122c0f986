//! Patterns for names of mailboxes, as IMAP's LIST has them (RFC 3501 6.3.8).

use std::fmt;
use std::str::FromStr;

/// A pattern for names of mailboxes: `*` stands for any characters, `%` for any but `/` and `.`,
/// which most servers use to separate the levels of a name. INBOX is the same in any case; all other
/// characters stand for themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailboxPattern(Vec<char>);

impl FromStr for MailboxPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("expected the name of a mailbox, or a pattern such as lists/*".into());
        }
        Ok(MailboxPattern(folded(text).chars().collect()))
    }
}

impl fmt::Display for MailboxPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|character| character.fmt(formatter))
    }
}

impl MailboxPattern {
    /// Returns whether the name matches. A name that some servers take for another one does not: it
    /// has a level `..`, or it ends with a separator and would not match without it.
    pub fn matches(&self, name: &str) -> bool {
        let name = folded(name);
        let is_parent = |level: &str| level == "..";
        let without_end = name.trim_end_matches(['/', '.']);
        !name.split('/').any(is_parent) && self.fits(name) && self.fits(folded(without_end))
    }

    fn fits(&self, name: &str) -> bool {
        // Whether the pattern up to here fits each start of the name, the empty one included.
        let name: Vec<char> = name.chars().collect();
        let mut fits = vec![false; name.len() + 1];
        fits[0] = true;
        for wanted in &self.0 {
            let mut next = vec![false; name.len() + 1];
            for at in 0..=name.len() {
                next[at] = match (wanted, at.checked_sub(1)) {
                    ('*', None) | ('%', None) => fits[0],
                    ('*', Some(before)) => fits[at] || next[before],
                    ('%', Some(before)) => {
                        fits[at] || (next[before] && !matches!(name[before], '/' | '.'))
                    }
                    (_, None) => false,
                    (wanted, Some(before)) => fits[before] && *wanted == name[before],
                };
            }
            fits = next;
        }
        fits[name.len()]
    }
}

/// A name for comparing: INBOX is the same in any case (RFC 3501 5.1).
pub(super) fn folded(name: &str) -> &str {
    if name.eq_ignore_ascii_case("INBOX") { "INBOX" } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_patterns() {
        let table = [
            ("lists/*", "lists/rust", true),
            ("lists/*", "lists/rust/old", true),
            ("lists/*", "lists", false),
            ("lists/*", "Lists/rust", false),
            ("lists/*", "lists/", false),
            ("lists/*", "lists/../INBOX", false),
            ("lists/%", "lists/rust", true),
            ("lists/%", "lists/rust/old", false),
            ("lists/%", "lists/rust.old", false),
            ("inbox", "INBOX", true),
            ("INBOX", "inBox", true),
            ("INBOX", "INBOX.", false),
            ("INBOX", "INBOX/sub", false),
            ("*", "", true),
            ("*", "anything", true),
            ("%", "a/b", false),
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*c", "abd", false),
            ("*x*y", "axbyy", true),
            ("Entwürfe", "Entwürfe", true),
            ("box", "", false),
        ];
        for (pattern, name, expected) in table {
            let pattern: MailboxPattern = pattern.parse().unwrap();
            assert_eq!(pattern.matches(name), expected, "{pattern} {name:?}");
        }
        assert!("".parse::<MailboxPattern>().is_err());
    }

    #[test]
    fn a_long_name_takes_no_long_time() {
        let pattern: MailboxPattern = "*a".repeat(100).parse().unwrap();
        assert!(!pattern.matches(&"b".repeat(5_000)));
    }
}
