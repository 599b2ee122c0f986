//! Steps that are taken back together.

use crate::proto::deed::Act;
use crate::state::rows::{Step, StepState};

/// Steps that were carried out, each with the number of the last that it stands for: moves between
/// two mailboxes that follow each other, and equal changes of flags, are taken back together.
pub(super) fn alike(steps: Vec<Step>) -> Vec<(Step, i64)> {
    let mut merged: Vec<(Step, i64)> = Vec::new();
    for step in steps.into_iter().filter(|step| step.state == StepState::Done) {
        let last = step.id;
        if let Some((before, id)) = merged.last_mut()
            && joins(before, &step)
        {
            *id = last;
            if let (Some(stored), Some(more)) = (&mut before.stored, &step.stored) {
                for (all, more) in [(&mut stored.from, &more.from), (&mut stored.to, &more.to)] {
                    more.ranges().iter().for_each(|&(first, last)| all.push_range(first, last));
                }
            }
            if let (Some(facts), Some(more)) = (&mut before.deed.facts, step.deed.facts) {
                facts.letters.extend(more.letters);
            }
            continue;
        }
        merged.push((step, last));
    }
    merged
}

fn joins(before: &Step, step: &Step) -> bool {
    let (one, other) = (&before.deed, &step.deed);
    let same = one.act == other.act
        && one.mailbox == other.mailbox
        && one.uid_validity == other.uid_validity
        && (&one.host, &one.account) == (&other.host, &other.account);
    same && match &one.act {
        Act::Move { to } => {
            let validity = |step: &Step| step.stored.as_ref().map(|stored| stored.uid_validity);
            validity(before).is_some()
                && validity(before) == validity(step)
                && Some(to) != one.mailbox.as_ref()
                && [before, step].iter().all(|step| {
                    step.deed.facts.as_ref().is_none_or(|facts| facts.letters.is_empty())
                })
        }
        Act::StoreFlags { unchanged_since: None, .. } | Act::MarkSeen => {
            one.facts.is_some() && other.facts.is_some()
        }
        _ => false,
    }
}
