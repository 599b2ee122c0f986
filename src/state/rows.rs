//! Changes as columns of the database, and back.
//!
//! An act and its facts are JSON, because each kind has other fields. A set of UIDs is IMAP's own
//! notation, and so is where letters were stored: the arguments of COPYUID or APPENDUID.

use crate::proto::deed::{Account, Act, Deed, Letters};
use crate::proto::imap::command::StoreMode;
use crate::proto::imap::sequence::Bound;
use crate::proto::imap::{CopiedUids, Flag, Messages, SequenceSet};
use crate::proto::witness::{Facts, LetterFacts, Previous};
use serde_json::{Value, json};

/// The most letters that a row names one by one. A server's answer may name more than there are.
const MOST_LETTERS: u64 = 5_000_000;

/// A change in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// Its number; later steps have higher ones.
    pub id: i64,
    /// The number of its run.
    pub run: i64,
    /// When it was written, in milliseconds since 1970.
    pub at: i64,
    /// The change.
    pub deed: Deed,
    /// The step of another run that it takes back.
    pub reverses: Option<i64>,
    /// How it ended.
    pub state: StepState,
    /// Where the server stored letters.
    pub stored: Option<CopiedUids>,
}

impl Step {
    /// Returns whether only the server knows if it was carried out, or how far: it is in doubt, or
    /// a MOVE of several letters that was refused, perhaps after some of them (RFC 6851 3.3).
    pub fn is_uncertain(&self) -> bool {
        let is_move = matches!(self.deed.act, Act::Move { .. });
        let may_be_several = || match &self.deed.letters {
            Letters::Messages(Messages::Numbers(set) | Messages::Uids(set)) => {
                numbers(set).is_none_or(|numbers| numbers.len() != 1)
            }
            _ => false,
        };
        self.state.is_in_doubt() || self.state == StepState::Refused && is_move && may_be_several()
    }
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StepState {
    /// It was written before it began. If its run has ended, it is in doubt.
    Begun,
    /// The server reported success.
    Done,
    /// The server refused it.
    Refused,
    /// It was never sent whole, or the server has not carried it out.
    NotDone,
    /// The connection was lost before the answer.
    InDoubt,
}

impl StepState {
    const ALL: [StepState; 5] = [
        StepState::Begun,
        StepState::Done,
        StepState::Refused,
        StepState::NotDone,
        StepState::InDoubt,
    ];

    pub(super) fn number(self) -> i64 {
        StepState::ALL.iter().zip(0..).find(|(state, _)| **state == self).map_or(0, |(_, at)| at)
    }

    pub(super) fn of(number: i64) -> Self {
        let index = usize::try_from(number).unwrap_or(0);
        StepState::ALL.get(index).copied().unwrap_or(StepState::InDoubt)
    }

    /// Returns whether it is not known whether the server has carried it out.
    pub fn is_in_doubt(self) -> bool {
        matches!(self, StepState::Begun | StepState::InDoubt)
    }

    /// The state in words.
    pub fn words(self) -> &'static str {
        match self {
            StepState::Begun | StepState::InDoubt => "in doubt",
            StepState::Done => "done",
            StepState::Refused => "refused",
            StepState::NotDone => "not done",
        }
    }
}

fn flag_texts(flags: &[Flag]) -> Vec<&str> {
    flags.iter().map(Flag::as_str).collect()
}

fn mode_text(mode: StoreMode) -> &'static str {
    match mode {
        StoreMode::Replace => "=",
        StoreMode::Add => "+",
        StoreMode::Remove => "-",
    }
}

fn mode_of(text: &str) -> StoreMode {
    match text {
        "=" => StoreMode::Replace,
        "+" => StoreMode::Add,
        _ => StoreMode::Remove,
    }
}

/// The columns that describe an act.
pub(crate) fn act_text(act: &Act) -> String {
    let value = match act {
        Act::CreateMailbox => json!(["create"]),
        Act::DeleteMailbox => json!(["delete"]),
        Act::RenameMailbox { to } => json!(["rename", to]),
        Act::Subscribe => json!(["subscribe"]),
        Act::Unsubscribe => json!(["unsubscribe"]),
        Act::SetRights { identifier, rights } => json!(["rights", identifier, rights]),
        Act::SetMetadata { entry, value } => json!(["metadata", entry, value]),
        Act::Append { bytes, flags: set, message_id } => {
            json!(["append", bytes, flag_texts(set), message_id])
        }
        Act::AppendMany { sizes } => json!(["append-many", sizes]),
        Act::Replace { to, bytes } => json!(["replace", to, bytes]),
        Act::Copy { to } => json!(["copy", to]),
        Act::Move { to } => json!(["move", to]),
        Act::StoreFlags { mode, flags: set, unchanged_since } => {
            json!(["store", mode_text(*mode), flag_texts(set), unchanged_since])
        }
        Act::StoreLabels { mode, labels } => json!(["labels", mode_text(*mode), labels]),
        Act::MarkSeen => json!(["seen"]),
        Act::TakeRecent => json!(["recent"]),
        Act::Expunge => json!(["expunge"]),
        Act::MarkForRemoval => json!(["mark"]),
        Act::Unmark => json!(["unmark"]),
        Act::Remove => json!(["remove"]),
        Act::Send { from, to } => json!(["send", from, to]),
        Act::Run { program, to } => json!(["run", program, to]),
        Act::Deliver => json!(["deliver"]),
    };
    value.to_string()
}

pub(crate) fn act_of(text: &str) -> Option<Act> {
    let value: Vec<Value> = serde_json::from_str(text).ok()?;
    let (kind, rest) = value.split_first()?;
    let text = |at: usize| rest.get(at).and_then(Value::as_str).map(str::to_owned);
    let texts = |at: usize| {
        let texts = match rest.get(at)? {
            Value::Null => return Some(Vec::new()), // as a plan writes it
            texts => texts.as_array()?.iter(),
        };
        Some(texts.filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>())
    };
    let flags = |at| Some(texts(at)?.iter().filter_map(|flag| Flag::new(flag).ok()).collect());
    let number = |at: usize| rest.get(at).and_then(Value::as_u64);
    Some(match kind.as_str()? {
        "create" => Act::CreateMailbox,
        "delete" => Act::DeleteMailbox,
        "rename" => Act::RenameMailbox { to: text(0)? },
        "subscribe" => Act::Subscribe,
        "unsubscribe" => Act::Unsubscribe,
        "rights" => Act::SetRights { identifier: text(0)?, rights: text(1) },
        "metadata" => Act::SetMetadata { entry: text(0)?, value: text(1) },
        "append" => Act::Append { bytes: number(0)?, flags: flags(1)?, message_id: text(2) },
        "copy" => Act::Copy { to: text(0)? },
        "move" => Act::Move { to: text(0)? },
        "append-many" => {
            let sizes = rest.first().and_then(Value::as_array)?.iter();
            Act::AppendMany { sizes: sizes.filter_map(Value::as_u64).collect() }
        }
        "replace" => Act::Replace { to: text(0)?, bytes: number(1)? },
        "store" => Act::StoreFlags {
            mode: mode_of(&text(0)?),
            flags: flags(1)?,
            unchanged_since: number(2),
        },
        "labels" => Act::StoreLabels { mode: mode_of(&text(0)?), labels: texts(1)? },
        "seen" => Act::MarkSeen,
        "recent" => Act::TakeRecent,
        "expunge" => Act::Expunge,
        "mark" => Act::MarkForRemoval,
        "unmark" => Act::Unmark,
        "remove" => Act::Remove,
        "send" => Act::Send { from: text(0)?, to: texts(1)? },
        "run" => Act::Run { program: text(0)?, to: texts(1)? },
        "deliver" => Act::Deliver,
        _ => return None,
    })
}

pub(super) fn letters_text(letters: &Letters) -> Option<String> {
    match letters {
        Letters::None => None,
        Letters::Messages(Messages::Uids(set)) => Some(format!("uid {}", plain(set))),
        Letters::Messages(Messages::Numbers(set)) => Some(format!("number {}", plain(set))),
        Letters::Marked => Some("marked".to_owned()),
        Letters::Numbers(numbers) => {
            let set: SequenceSet = numbers.iter().copied().collect();
            Some(format!("pop {set}"))
        }
    }
}

/// A set by its numbers, even if it is sent as `$`.
fn plain(set: &SequenceSet) -> SequenceSet {
    let mut plain = SequenceSet::new();
    set.ranges().iter().for_each(|&(first, last)| plain.push_range(first, last));
    plain
}

pub(super) fn letters_of(text: Option<&str>) -> Letters {
    let Some(text) = text else { return Letters::None };
    let (kind, set) = text.split_once(' ').unwrap_or((text, ""));
    let set: SequenceSet = set.parse().unwrap_or_default();
    match kind {
        "uid" => Letters::Messages(Messages::Uids(set)),
        "number" => Letters::Messages(Messages::Numbers(set)),
        "pop" => Letters::Numbers(numbers(&set).unwrap_or_default()),
        _ => Letters::Marked,
    }
}

/// Facts as text. Neighbours that differ only in their UIDs share a row, since most letters of a
/// set have the same flags.
pub(super) fn facts_text(facts: &Facts) -> String {
    let mut rows: Vec<(SequenceSet, &LetterFacts)> = Vec::new();
    for letter in &facts.letters {
        let Some(uid) = std::num::NonZeroU32::new(letter.uid) else { continue };
        match rows.last_mut() {
            Some((uids, like)) if LetterFacts { uid: like.uid, ..letter.clone() } == **like => {
                uids.push(uid)
            }
            _ => rows.push((uid.into(), letter)),
        }
    }
    let row = |(uids, letter): &(SequenceSet, &LetterFacts)| {
        json!([
            uids.to_string(),
            letter.flags,
            letter.size,
            letter.internal_date,
            letter.message_id
        ])
    };
    let previous = match &facts.previous {
        Previous::Unknown => Value::Null,
        Previous::Absent => json!([]),
        Previous::Value(value) => json!(["value", value]),
        Previous::Missing(missing) => json!(["missing", missing]),
        Previous::Next { uid_validity, uid_next } => json!(["next", uid_validity, uid_next]),
    };
    json!([facts.count, rows.iter().map(row).collect::<Vec<_>>(), previous]).to_string()
}

pub(super) fn facts_of(text: &str) -> Option<Facts> {
    let (count, rows, previous): (Option<u64>, Vec<Value>, Value) =
        serde_json::from_str(text).ok()?;
    let mut letters = Vec::new();
    for row in rows {
        type Row = (String, Option<Vec<String>>, Option<u64>, Option<i64>, Option<String>);
        let (uids, flags, size, internal_date, message_id): Row =
            serde_json::from_value(row).ok()?;
        for uid in numbers(&uids.parse().ok()?)? {
            let (flags, message_id) = (flags.clone(), message_id.clone());
            letters.push(LetterFacts { uid, flags, size, internal_date, message_id });
        }
    }
    let number =
        |at: usize| previous.get(at)?.as_u64().and_then(|number| u32::try_from(number).ok());
    let previous = match previous.get(0).and_then(Value::as_str) {
        None if previous.is_array() => Previous::Absent,
        Some("value") => Previous::Value(previous.get(1)?.as_str()?.to_owned()),
        Some("missing") => {
            Previous::Missing(serde_json::from_value(previous.get(1)?.clone()).ok()?)
        }
        Some("next") => Previous::Next { uid_validity: number(1)?, uid_next: number(2)? },
        _ => Previous::Unknown,
    };
    Some(Facts { count, letters, previous })
}

pub(crate) fn stored_text(stored: &CopiedUids) -> String {
    let CopiedUids { uid_validity, from, to } = stored;
    if from.is_empty() {
        format!("{uid_validity} {to}")
    } else {
        format!("{uid_validity} {from} {to}")
    }
}

pub(crate) fn stored_of(text: &str) -> Option<CopiedUids> {
    let code = if text.split(' ').count() == 3 { "COPYUID" } else { "APPENDUID" };
    CopiedUids::read(code, text)
}

/// The account of a step; the protocol is empty for what goes through no connection.
pub(crate) fn account_of(protocol: &str, port: u16, user: &str) -> Option<Account> {
    let protocol = ["imap", "pop3", "smtp"].into_iter().find(|known| *known == protocol)?;
    let user = Some(user.to_owned()).filter(|user| !user.is_empty());
    Some(Account { protocol, port, user })
}

/// The numbers of a set, in its order; `None` if it has `*` or is too large.
pub(crate) fn numbers(set: &SequenceSet) -> Option<Vec<u32>> {
    let mut numbers = Vec::new();
    for range in set.ranges() {
        let (Bound::Number(first), Bound::Number(last)) = range else { return None };
        let (first, last) = (first.min(last).get(), first.max(last).get());
        if numbers.len() as u64 + u64::from(last - first) >= MOST_LETTERS {
            return None;
        }
        numbers.extend(first..=last);
    }
    Some(numbers)
}

/// The pairs of old and new UIDs that a server's answer names; empty if they do not match.
pub(crate) fn pairs(stored: &CopiedUids) -> Vec<(u32, u32)> {
    match (numbers(&stored.from), numbers(&stored.to)) {
        (Some(from), Some(to)) if from.len() == to.len() => from.into_iter().zip(to).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_act_is_read_back() {
        let text = || "Déjà \"vu\"\n".to_owned();
        let set = vec![Flag::SEEN, Flag::new("$x").unwrap()];
        let acts = [
            Act::CreateMailbox,
            Act::DeleteMailbox,
            Act::RenameMailbox { to: text() },
            Act::Subscribe,
            Act::Unsubscribe,
            Act::SetRights { identifier: text(), rights: None },
            Act::SetRights { identifier: text(), rights: Some("+l".into()) },
            Act::SetMetadata { entry: "/private/x".into(), value: Some(text()) },
            Act::SetMetadata { entry: "/private/x".into(), value: None },
            Act::Append { bytes: u64::MAX, flags: set.clone(), message_id: Some("<a@b>".into()) },
            Act::Append { bytes: 0, flags: vec![], message_id: None },
            Act::AppendMany { sizes: vec![0, u64::MAX] },
            Act::Replace { to: text(), bytes: 7 },
            Act::StoreLabels { mode: StoreMode::Add, labels: vec![text(), "\\Inbox".into()] },
            Act::Copy { to: text() },
            Act::Move { to: text() },
            Act::StoreFlags { mode: StoreMode::Replace, flags: set, unchanged_since: Some(7) },
            Act::StoreFlags { mode: StoreMode::Add, flags: vec![], unchanged_since: None },
            Act::StoreFlags { mode: StoreMode::Remove, flags: vec![], unchanged_since: None },
            Act::MarkSeen,
            Act::TakeRecent,
            Act::Expunge,
            Act::MarkForRemoval,
            Act::Unmark,
            Act::Remove,
            Act::Send { from: String::new(), to: vec![text()] },
            Act::Run { program: text(), to: vec![] },
            Act::Deliver,
        ];
        for act in acts {
            assert_eq!(act_of(&act_text(&act)).as_ref(), Some(&act), "{}", act_text(&act));
        }
        for text in ["", "[]", "[\"other\"]", "[\"move\"]", "{}"] {
            assert_eq!(act_of(text), None);
        }
    }

    #[test]
    fn facts_letters_and_copies_are_read_back() {
        let letter = |uid, flag: &str| LetterFacts {
            uid,
            flags: Some(vec![flag.into()]),
            size: Some(3),
            internal_date: Some(-1),
            message_id: None,
        };
        let same = vec![letter(1, "a"), letter(2, "a"), letter(9, "a"), letter(10, "b")];
        for previous in [
            Previous::Unknown,
            Previous::Absent,
            Previous::Value(String::new()),
            Previous::Missing(vec!["a".into(), "a/b".into()]),
            Previous::Next { uid_validity: 1, uid_next: u32::MAX },
        ] {
            let facts = Facts { count: Some(5), letters: same.clone(), previous };
            assert_eq!(facts_of(&facts_text(&facts)), Some(facts));
        }
        assert!(facts_text(&Facts::of(1..=5000)).len() < 60);
        for letters in [
            Letters::None,
            Letters::Marked,
            Letters::Messages(Messages::uids([3, 4, 9])),
            Letters::Messages(Messages::all()),
            Letters::Numbers(vec![3, 1, 2]),
        ] {
            assert_eq!(letters_of(letters_text(&letters).as_deref()), letters);
        }
        for text in ["1 5:7 10:12", "3 8"] {
            assert_eq!(stored_text(&stored_of(text).unwrap()), text);
        }
        assert_eq!(pairs(&stored_of("1 3,1 7:8").unwrap()), [(3, 7), (1, 8)]);
        assert_eq!(pairs(&stored_of("1 1:3 7:8").unwrap()), []);
        assert_eq!(pairs(&stored_of("1 1:4294967295 1:4294967295").unwrap()), []);
    }
}
