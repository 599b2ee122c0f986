//! What SORT sorts by, and how THREAD makes threads (RFC 5256, RFC 5957).

use super::encode::Encoder;
use crate::proto::error::EncodeError;

/// What SORT compares (RFC 5256 BASE.6.4.SORT, RFC 5957 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the key of that name")]
pub enum SortKey {
    Arrival,
    Cc,
    Date,
    From,
    Size,
    Subject,
    To,
    DisplayFrom,
    DisplayTo,
}

impl SortKey {
    /// Every key.
    pub const ALL: [SortKey; 9] = {
        use SortKey::*;
        [Arrival, Cc, Date, From, Size, Subject, To, DisplayFrom, DisplayTo]
    };

    /// The key as it is sent.
    pub const fn name(self) -> &'static str {
        match self {
            SortKey::Arrival => "ARRIVAL",
            SortKey::Cc => "CC",
            SortKey::Date => "DATE",
            SortKey::From => "FROM",
            SortKey::Size => "SIZE",
            SortKey::Subject => "SUBJECT",
            SortKey::To => "TO",
            SortKey::DisplayFrom => "DISPLAYFROM",
            SortKey::DisplayTo => "DISPLAYTO",
        }
    }

    /// The capability that a server needs for it.
    pub const fn capability(self) -> &'static str {
        match self {
            SortKey::DisplayFrom | SortKey::DisplayTo => "SORT=DISPLAY",
            _ => "SORT",
        }
    }
}

/// A criterion of SORT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortCriterion {
    /// What is compared.
    pub key: SortKey,
    /// `REVERSE`: whether the greatest comes first.
    pub reverse: bool,
}

/// Adds `(REVERSE DATE SUBJECT)` to a command.
pub(super) fn encode_criteria(
    criteria: &[SortCriterion],
    to: &mut Encoder,
) -> Result<(), EncodeError> {
    if criteria.is_empty() {
        return Err(EncodeError::new("sort criteria", "at least one criterion", b""));
    }
    to.list(|inside| {
        for criterion in criteria {
            if criterion.reverse {
                inside.word("REVERSE");
            }
            inside.word(criterion.key.name());
        }
        Ok(())
    })
    .map(drop)
}

/// How THREAD makes threads (RFC 5256 BASE.6.4.THREAD).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThreadAlgorithm {
    /// By base subject and sent date.
    OrderedSubject,
    /// By the message ids that letters name, then by subject.
    References,
    /// By message ids only (draft-ietf-morg-inthread).
    Refs,
}

impl ThreadAlgorithm {
    /// Every algorithm.
    pub const ALL: [ThreadAlgorithm; 3] =
        [ThreadAlgorithm::OrderedSubject, ThreadAlgorithm::References, ThreadAlgorithm::Refs];

    /// The algorithm as it is sent.
    pub const fn name(self) -> &'static str {
        match self {
            ThreadAlgorithm::OrderedSubject => "ORDEREDSUBJECT",
            ThreadAlgorithm::References => "REFERENCES",
            ThreadAlgorithm::Refs => "REFS",
        }
    }

    /// The capability that a server needs for it.
    pub const fn capability(self) -> &'static str {
        match self {
            ThreadAlgorithm::OrderedSubject => "THREAD=ORDEREDSUBJECT",
            ThreadAlgorithm::References => "THREAD=REFERENCES",
            ThreadAlgorithm::Refs => "THREAD=REFS",
        }
    }
}
