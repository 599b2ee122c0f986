//! A letter's flags (RFC 3501 2.3.2): five system flags as bits, keywords by name; and its labels
//! (Gmail), which go along wherever the flags go.

use std::borrow::Cow;
use std::sync::Arc;

use imap_codec::imap_types::flag::Flag;

use crate::sandbox::SandboxError;

/// The system flags, by the index of their bit. `\Recent` belongs to the session and is not stored.
pub(crate) const SYSTEM: [&str; 5] = ["\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft"];

/// The flags of a letter. Keywords are compared without case and keep their first spelling.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    system: u8,
    keywords: Vec<Arc<str>>,
    /// As they were sent, those of the system with their backslash.
    labels: Vec<Arc<str>>,
}

impl Flags {
    pub(crate) const ANSWERED: u8 = 1;
    pub(crate) const FLAGGED: u8 = 2;
    pub(crate) const DELETED: u8 = 4;
    pub(crate) const SEEN: u8 = 8;
    pub(crate) const DRAFT: u8 = 16;

    /// The flags of a STORE or APPEND command. `\Recent` and unknown system flags are refused.
    pub(crate) fn from_command(flags: &[Flag<'_>]) -> Result<Flags, String> {
        let mut result = Flags::default();
        for flag in flags {
            match flag {
                Flag::Answered => result.system |= Flags::ANSWERED,
                Flag::Flagged => result.system |= Flags::FLAGGED,
                Flag::Deleted => result.system |= Flags::DELETED,
                Flag::Seen => result.system |= Flags::SEEN,
                Flag::Draft => result.system |= Flags::DRAFT,
                Flag::Keyword(keyword) => result.insert_keyword(Arc::from(keyword.inner())),
                Flag::Extension(_) => return Err(format!("flag {flag} cannot be set")),
            }
        }
        Ok(result)
    }

    /// The labels of a STORE, without flags.
    pub(crate) fn from_labels(labels: &[String]) -> Flags {
        let mut result = Flags::default();
        labels.iter().for_each(|label| insert(&mut result.labels, Arc::from(&**label)));
        result
    }

    /// Flags by name, system flags with their backslash, as a program gives them.
    pub(crate) fn from_names(names: &[&str]) -> Result<Flags, SandboxError> {
        let flags: Result<Vec<Flag<'_>>, _> =
            names.iter().map(|name| Flag::try_from(*name)).collect();
        let flags =
            flags.map_err(|_| SandboxError::Invalid(format!("not a list of flags: {names:?}")))?;
        Flags::from_command(&flags).map_err(SandboxError::Invalid)
    }

    /// Flags by name; what is no flag that can be stored is left out.
    pub(crate) fn known(names: &[&str]) -> Flags {
        let mut result = Flags::default();
        for name in names {
            match SYSTEM.iter().position(|system| system.eq_ignore_ascii_case(name)) {
                Some(bit) => result.system |= 1 << bit,
                None if name.starts_with('\\') => {}
                None => result.insert_keyword(Arc::from(*name)),
            }
        }
        result
    }

    pub(crate) fn has(&self, system: u8) -> bool {
        self.system & system != 0
    }

    pub(crate) fn set(&mut self, system: u8) {
        self.system |= system;
    }

    pub(crate) fn has_keyword(&self, name: &str) -> bool {
        has(&self.keywords, name)
    }

    pub(crate) fn add(&mut self, other: &Flags) {
        self.system |= other.system;
        for keyword in &other.keywords {
            self.insert_keyword(Arc::clone(keyword));
        }
        other.labels.iter().for_each(|label| insert(&mut self.labels, Arc::clone(label)));
    }

    /// Sets the flags to these, and leaves the labels.
    pub(crate) fn replace(&mut self, other: &Flags) {
        *self = Flags { labels: std::mem::take(&mut self.labels), ..other.clone() };
    }

    /// Sets the labels to these, and leaves the flags.
    pub(crate) fn replace_labels(&mut self, other: &Flags) {
        self.labels.clone_from(&other.labels);
    }

    pub(crate) fn remove(&mut self, other: &Flags) {
        self.system &= !other.system;
        self.keywords.retain(|keyword| !other.has_keyword(keyword));
        self.labels.retain(|label| !has(&other.labels, label));
    }

    /// Changes every keyword to the spelling the mailbox knows, and adds new keywords to the
    /// mailbox.
    pub(crate) fn adopt_spelling(&mut self, known: &mut Vec<Arc<str>>) {
        for keyword in &mut self.keywords {
            match known.iter().find(|name| name.eq_ignore_ascii_case(keyword)) {
                Some(name) => *keyword = Arc::clone(name),
                None => known.push(Arc::clone(keyword)),
            }
        }
    }

    /// All names, system flags first.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let system = SYSTEM.iter().enumerate().filter(|(bit, _)| self.system & (1 << bit) != 0);
        system.map(|(_, name)| *name).chain(self.keywords.iter().map(|keyword| &**keyword))
    }

    /// The list as FETCH shows it: `(\Seen \Recent)`.
    pub(crate) fn list(&self, recent: bool) -> String {
        let recent = recent.then_some("\\Recent");
        format!("({})", self.names().chain(recent).collect::<Vec<_>>().join(" "))
    }

    /// The labels as FETCH shows them: `(\Important "To do")`. `shown` encodes a label for the client.
    pub(crate) fn label_list<'l>(&'l self, shown: impl Fn(&'l str) -> Cow<'l, str>) -> String {
        let label = |label: &'l Arc<str>| match label.starts_with('\\') {
            true => label.to_string(),
            false => format!("\"{}\"", shown(label).replace('\\', "\\\\").replace('"', "\\\"")),
        };
        format!("({})", self.labels.iter().map(label).collect::<Vec<_>>().join(" "))
    }

    fn insert_keyword(&mut self, keyword: Arc<str>) {
        insert(&mut self.keywords, keyword);
    }
}

fn has(names: &[Arc<str>], name: &str) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn insert(names: &mut Vec<Arc<str>>, name: Arc<str>) {
    if !has(names, &name) {
        names.push(name);
    }
}
