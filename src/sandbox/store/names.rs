//! A user's mailbox names: hierarchy, INBOX, subscriptions, and LIST patterns.

use std::collections::{BTreeMap, BTreeSet};

/// What separates the levels of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Separator {
    /// This character.
    By(char),
    /// Nothing: all names are of one level.
    Flat,
}

impl Default for Separator {
    fn default() -> Separator {
        Separator::By('/')
    }
}

impl Separator {
    fn is(self, c: char) -> bool {
        self == Separator::By(c)
    }

    /// What the names below this one begin with; `None` if there can be none.
    pub(crate) fn below(self, name: &str) -> Option<String> {
        match self {
            Separator::By(separator) => Some(format!("{name}{separator}")),
            Separator::Flat => None,
        }
    }

    /// The names above this one, the uppermost first.
    pub(crate) fn above(self, name: &str) -> impl Iterator<Item = &str> {
        let ends = name.match_indices(move |c| self.is(c));
        ends.map(|(end, _)| &name[..end])
    }

    /// A name without the separator that announces levels below it.
    pub(crate) fn trimmed(self, name: &str) -> &str {
        name.strip_suffix(|c| self.is(c)).unwrap_or(name)
    }

    /// As LIST and NAMESPACE show it.
    pub(crate) fn shown(self) -> String {
        match self {
            Separator::By(separator @ ('"' | '\\')) => format!("\"\\{separator}\""),
            Separator::By(separator) => format!("\"{separator}\""),
            Separator::Flat => "NIL".to_owned(),
        }
    }
}

/// The mailbox that always exists.
pub(crate) const INBOX: &str = "INBOX";

/// Identifies a mailbox across renames.
pub(crate) type MailboxId = u64;

/// Names and the mailboxes they refer to. `None` is a name that has only children (`\Noselect`).
#[derive(Default)]
pub(crate) struct Names {
    pub(crate) mailboxes: BTreeMap<String, Option<MailboxId>>,
    pub(crate) subscribed: BTreeSet<String>,
}

impl Names {
    pub(crate) fn has_children(&self, name: &str, separator: Separator) -> bool {
        let Some(prefix) = separator.below(name) else { return false };
        self.mailboxes
            .range(prefix.clone()..)
            .next()
            .is_some_and(|(child, _)| child.starts_with(&prefix))
    }

    /// The name and all names below it.
    pub(crate) fn with_children(&self, name: &str, separator: Separator) -> Vec<String> {
        let own = self.mailboxes.contains_key(name).then(|| name.to_owned());
        let Some(prefix) = separator.below(name) else { return own.into_iter().collect() };
        let below = self
            .mailboxes
            .range(prefix.clone()..)
            .take_while(|(child, _)| child.starts_with(&prefix));
        own.into_iter().chain(below.map(|(child, _)| child.clone())).collect()
    }
}

/// Normalises INBOX, in any case, alone or as the first level.
pub(crate) fn canonical(name: &str, separator: Separator) -> String {
    match name.split_once(|c| separator.is(c)) {
        None if name.eq_ignore_ascii_case(INBOX) => INBOX.to_owned(),
        Some((first, _)) if first.eq_ignore_ascii_case(INBOX) => {
            format!("{INBOX}{}", &name[INBOX.len()..])
        }
        _ => name.to_owned(),
    }
}

/// Checks a new mailbox name. Modified UTF-7 is 7-bit, and names with wildcards could never be
/// listed.
pub(crate) fn check(name: &str, separator: Separator) -> Result<(), String> {
    if name.is_empty() {
        return Err("a mailbox name cannot be empty".to_owned());
    }
    if name.len() > 1000 {
        return Err("mailbox name too long".to_owned());
    }
    if let Separator::By(separator) = separator
        && name.split(separator).any(str::is_empty)
    {
        return Err("a level of the mailbox name is empty".to_owned());
    }
    if let Some(bad) =
        name.chars().find(|c| c.is_control() || !c.is_ascii() || matches!(c, '*' | '%'))
    {
        return Err(format!("character {bad:?} cannot stand in a mailbox name"));
    }
    Ok(())
}

/// Whether `name` matches a LIST pattern: `*` matches anything, `%` anything but the delimiter (RFC
/// 3501 6.3.8).
///
/// Tracks the set of pattern positions reached, so that `*a*a*a*…` takes no longer than other
/// patterns.
pub(crate) fn matches(pattern: &str, name: &str, separator: Separator) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let mut reached = vec![false; pattern.len() + 1];
    reached[0] = true;
    pass_wildcards(&pattern, &mut reached);
    for c in name.chars() {
        let mut next = vec![false; pattern.len() + 1];
        for (at, expected) in pattern.iter().enumerate().filter(|(at, _)| reached[*at]) {
            match expected {
                '*' => next[at] = true,
                '%' => next[at] |= !separator.is(c),
                _ => next[at + 1] |= *expected == c,
            }
        }
        pass_wildcards(&pattern, &mut next);
        reached = next;
    }
    reached[pattern.len()]
}

fn pass_wildcards(pattern: &[char], reached: &mut [bool]) {
    for (at, c) in pattern.iter().enumerate() {
        if reached[at] && matches!(c, '*' | '%') {
            reached[at + 1] = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Separator, matches};

    #[test]
    fn wildcards() {
        for (pattern, name, expected) in [
            ("*", "a/b/c", true),
            ("%", "a/b", false),
            ("%", "a", true),
            ("a/%", "a/b", true),
            ("a/%", "a/b/c", false),
            ("a/*", "a/b/c", true),
            ("a*", "a", true),
            ("%/%", "a/b", true),
            ("*b", "a/b", true),
            ("*b", "a/c", false),
            ("%b%", "abc", true),
            ("", "a", false),
            ("*a*a*a*b", "aaaaaaaaaaaaaaaa", false),
        ] {
            assert_eq!(matches(pattern, name, Separator::default()), expected, "{pattern} {name}");
        }
    }
}
