//! One step of a plan as an operation of the client, and the UIDs that servers answer with.

use super::PlanStep;
use crate::client::{Error, ImapClient};
use crate::proto::deed::Act;
use crate::proto::imap::command::StoreMode;
use crate::proto::imap::{CopiedUids, DateTime, Flag, Messages, SequenceSet};
use crate::state::rows::numbers;
use std::collections::HashMap;

/// Does a step by the operation of the client.
pub(super) fn do_now(
    step: &PlanStep,
    name: &str,
    uids: &SequenceSet,
    client: &mut ImapClient,
) -> Result<Option<CopiedUids>, Error> {
    let messages = Messages::Uids(uids.clone());
    let is_nothing = uids.is_empty() && !step.uids.is_empty();
    match &step.act {
        _ if is_nothing => Ok(None),
        Act::CreateMailbox => client.create(name).map(|()| None),
        Act::DeleteMailbox => client.delete(name).map(|()| None),
        Act::RenameMailbox { to } => client.rename(name, to).map(|()| None),
        Act::Subscribe => client.subscribe(name).map(|()| None),
        Act::Unsubscribe => client.unsubscribe(name).map(|()| None),
        Act::Copy { to } => client.copy(&messages, to),
        Act::Move { to } => Ok(client.move_to(&messages, to)?.copied),
        Act::StoreFlags { mode, flags, .. } => {
            client.store_silently(&messages, *mode, flags).map(|()| None)
        }
        Act::MarkSeen => {
            client.store_silently(&messages, StoreMode::Add, &[Flag::SEEN]).map(|()| None)
        }
        Act::Expunge => match client.remove(uids)? {
            true => Ok(None),
            false => Err(Error::Unsupported(
                "other letters are marked \\Deleted, and the server cannot remove single ones"
                    .into(),
            )),
        },
        Act::Append { flags, .. } => {
            let none = || Error::Unexpected("the plan has no letter".to_owned());
            let letter = step.letter.as_ref().ok_or_else(none)?;
            let date: Option<DateTime> =
                letter.date.as_deref().map(str::parse).transpose().map_err(Error::Argument)?;
            let stored = client.append(name, flags, date, &letter.bytes)?;
            Ok(stored.map(|(uid_validity, uid)| CopiedUids {
                uid_validity,
                from: SequenceSet::new(),
                to: [uid].into_iter().collect(),
            }))
        }
        _ => Err(Error::Unsupported("this version cannot do it".into())),
    }
}

/// Two answers as one.
pub(super) fn joined(one: CopiedUids, other: CopiedUids) -> CopiedUids {
    let both = |one: &SequenceSet, other: &SequenceSet| {
        let all = numbers(one).into_iter().chain(numbers(other)).flatten();
        in_order(all)
    };
    CopiedUids {
        uid_validity: other.uid_validity,
        from: both(&one.from, &other.from),
        to: both(&one.to, &other.to),
    }
}

/// A set that keeps the order of its numbers.
fn in_order(numbers: impl Iterator<Item = u32>) -> SequenceSet {
    let mut set = SequenceSet::new();
    numbers.filter_map(std::num::NonZeroU32::new).for_each(|number| set.push(number));
    set
}

/// The answer with the UIDs of the plan in the place of those that the letters had.
pub(super) fn by_planned(becomes: CopiedUids, planned: &HashMap<u32, u32>) -> CopiedUids {
    if becomes.from.is_empty() {
        return becomes;
    }
    let from = numbers(&becomes.from).into_iter().flatten();
    let from = in_order(from.map(|uid| planned.get(&uid).copied().unwrap_or(uid)));
    CopiedUids { from, ..becomes }
}
