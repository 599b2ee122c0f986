//! Witnesses: what guards and records the changes that a program makes.
//!
//! A [`Witness`] sees each [`Deed`] twice: [`Witness::before`] its first byte is sent, where it may
//! refuse it, and [`Witness::after`] its outcome is known. Before that it may ask for facts about
//! the letters ([`Witness::wants`]): how many they are, which UIDs, which flags they have. The client
//! asks the server for them and adds them to the deed.
//!
//! Several witnesses are asked in order ([`Witnesses`]). If one refuses, those before it hear that
//! the deed was abandoned.

use super::deed::Deed;
use super::imap::CopiedUids;
use std::fmt;
use std::sync::Arc;
use thiserror::Error;

/// The outcome of a deed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The server reported success.
    Done,
    /// The server refused it. A command on several letters may still have been carried out in part.
    Refused,
    /// It was abandoned before the server could carry it out.
    Abandoned,
    /// The connection ended before the server answered, so the outcome is unknown.
    InDoubt,
}

/// A witness refused a deed. Nothing of its command was sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{rule} does not allow to {deed}{}", .why.as_ref().map(|why| format!(": {why}")).unwrap_or_default())]
pub struct Refusal {
    /// The rule, for example `read-only`.
    pub rule: String,
    /// The deed, in words.
    pub deed: String,
    /// What the rule found, if its name does not say it.
    pub why: Option<String>,
}

impl Refusal {
    /// A refusal of `deed` by `rule`.
    pub fn new(rule: &str, deed: &Deed) -> Self {
        Refusal { rule: rule.to_owned(), deed: deed.to_string(), why: None }
    }

    /// The same refusal, with what the rule found.
    #[must_use]
    pub fn because(self, why: impl Into<String>) -> Self {
        Refusal { why: Some(why.into()), ..self }
    }
}

/// Which facts about the letters of a deed a witness wants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wanted {
    /// Their UIDs, and so how many they are. In POP3 their message numbers.
    pub letters: bool,
    /// Their flags.
    pub flags: bool,
    /// What tells a letter again elsewhere: size, internal date, Message-ID.
    pub identity: bool,
    /// What there was before a change that replaces something, or where letters will be stored; see
    /// [`Previous`].
    pub previous: bool,
}

impl Wanted {
    /// Nothing.
    pub const NOTHING: Wanted =
        Wanted { letters: false, flags: false, identity: false, previous: false };

    /// All there is.
    pub const ALL: Wanted = Wanted { letters: true, flags: true, identity: true, previous: true };

    /// Returns whether nothing is wanted.
    pub fn is_nothing(self) -> bool {
        self == Wanted::NOTHING
    }

    /// Returns whether anything about letters is wanted.
    pub fn of_letters(self) -> bool {
        self.letters | self.flags | self.identity
    }

    /// What either wants.
    #[must_use]
    pub fn and(self, other: Wanted) -> Wanted {
        Wanted {
            letters: self.letters | other.letters,
            flags: self.flags | other.flags,
            identity: self.identity | other.identity,
            previous: self.previous | other.previous,
        }
    }
}

/// What the server said about the letters of a deed before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Facts {
    /// How many letters the deed changes; `None` if that was not asked for.
    pub count: Option<u64>,
    /// These letters, unless only the count is known: the letters of a mailbox that is deleted.
    pub letters: Vec<LetterFacts>,
    /// What there was before, if it was wanted.
    pub previous: Previous,
}

/// What there was before a change, besides letters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Previous {
    /// Nobody asked, or the server did not say.
    #[default]
    Unknown,
    /// Nothing: no rights, no metadata entry, no subscription, no mailbox to store letters in.
    Absent,
    /// The rights or the value of the metadata entry; empty for a subscription.
    Value(String),
    /// Of a mailbox that is created and the mailboxes above it, those that did not exist; the
    /// uppermost first.
    Missing(Vec<String>),
    /// The mailbox where an APPEND, a COPY or a MOVE stores letters: they get UIDs from `uid_next`
    /// on.
    Next {
        /// Its UIDVALIDITY.
        uid_validity: u32,
        /// Its UIDNEXT.
        uid_next: u32,
    },
}

impl Facts {
    /// The letters with these UIDs; in POP3 with these message numbers.
    pub fn of(uids: impl IntoIterator<Item = u32>) -> Self {
        let of_uid = |uid| LetterFacts { uid, ..LetterFacts::default() };
        let letters: Vec<LetterFacts> = uids.into_iter().map(of_uid).collect();
        Facts { count: Some(letters.len() as u64), letters, previous: Previous::Unknown }
    }
}

/// What the server said about one letter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LetterFacts {
    /// The UID; in POP3 the message number.
    pub uid: u32,
    /// The flags, if they were wanted.
    pub flags: Option<Vec<String>>,
    /// The size in bytes, if the identity was wanted.
    pub size: Option<u64>,
    /// The internal date in seconds since 1970, if the identity was wanted.
    pub internal_date: Option<i64>,
    /// The Message-ID; in POP3 what UIDL says.
    pub message_id: Option<String>,
}

/// Observes every change that a connection makes, and may refuse it.
///
/// A witness is called on the thread that makes the change, and may be shared by many connections.
pub trait Witness: fmt::Debug + Send + Sync {
    /// Says what it wants to know about the deed's letters. By default nothing.
    fn wants(&self, _: &Deed) -> Wanted {
        Wanted::NOTHING
    }

    /// Returns whether it refuses this side effect of a command that otherwise reads: a FETCH that
    /// sets `\Seen`, a SELECT that clears `\Recent`. The client then sends the form without it, with
    /// `.PEEK` or as EXAMINE. By default not.
    fn spares(&self, _: &Deed) -> bool {
        false
    }

    /// Returns whether [`Witness::foresee`] may refuse anything. By default not.
    fn foresees(&self) -> bool {
        false
    }

    /// Called with all deeds of an operation before the first, if there are several: refuses them if
    /// one of them will be refused. [`Witness::before`] is still called for each. By default it
    /// refuses nothing.
    ///
    /// # Errors
    /// [`Refusal`]; no command of the operation is then sent.
    fn foresee(&self, _: &[Deed]) -> Result<(), Refusal> {
        Ok(())
    }

    /// Called before the first byte of the deed's command is sent.
    ///
    /// # Errors
    /// [`Refusal`]; the command is then not sent.
    fn before(&self, deed: &Deed) -> Result<(), Refusal>;

    /// Called once the outcome of a deed is known, for every deed that [`Witness::before`] allowed.
    /// `stored` says where the server stored letters, if it did.
    fn after(&self, deed: &Deed, ending: Ending, stored: Option<&CopiedUids>);
}

/// Several witnesses, asked in order.
#[derive(Debug, Clone, Default)]
pub struct Witnesses(pub Vec<Arc<dyn Witness>>);

impl Witness for Witnesses {
    fn wants(&self, deed: &Deed) -> Wanted {
        self.0.iter().fold(Wanted::NOTHING, |wanted, witness| wanted.and(witness.wants(deed)))
    }

    fn spares(&self, deed: &Deed) -> bool {
        self.0.iter().any(|witness| witness.spares(deed))
    }

    fn foresees(&self) -> bool {
        self.0.iter().any(|witness| witness.foresees())
    }

    fn foresee(&self, deeds: &[Deed]) -> Result<(), Refusal> {
        self.0.iter().try_for_each(|witness| witness.foresee(deeds))
    }

    fn before(&self, deed: &Deed) -> Result<(), Refusal> {
        for (asked, witness) in self.0.iter().enumerate() {
            if let Err(refusal) = witness.before(deed) {
                let before = self.0[..asked].iter().rev();
                before.for_each(|witness| witness.after(deed, Ending::Abandoned, None));
                return Err(refusal);
            }
        }
        Ok(())
    }

    fn after(&self, deed: &Deed, ending: Ending, stored: Option<&CopiedUids>) {
        self.0.iter().rev().for_each(|witness| witness.after(deed, ending, stored));
    }
}

/// Allows every deed; the default.
#[derive(Debug, Clone, Copy, Default)]
pub struct LetPass;

impl Witness for LetPass {
    fn before(&self, _: &Deed) -> Result<(), Refusal> {
        Ok(())
    }

    fn after(&self, _: &Deed, _: Ending, _: Option<&CopiedUids>) {}
}

/// Refuses every deed.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadOnly;

impl Witness for ReadOnly {
    fn before(&self, deed: &Deed) -> Result<(), Refusal> {
        Err(Refusal::new("read-only", deed))
    }

    fn after(&self, _: &Deed, _: Ending, _: Option<&CopiedUids>) {}
}
