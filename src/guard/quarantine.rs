//! The witness behind a quarantine: no letter is removed that was not moved there first.
//!
//! The moving is the client's work (`client::quarantine`): in the place of an EXPUNGE it moves the
//! marked letters, in the place of a DELETE it renames the mailbox. Those behind this witness see a move
//! or a rename, which can be undone. What would remove letters in another way is refused here, whoever
//! sends it.

use crate::proto::deed::{Act, Deed, Purpose};
use crate::proto::imap::CopiedUids;
use crate::proto::witness::{Ending, Refusal, Wanted, Witness};

/// Refuses to remove letters that stay nowhere else.
#[derive(Debug, Clone, Copy, Default)]
pub struct OnlyMoves;

impl Witness for OnlyMoves {
    fn wants(&self, deed: &Deed) -> Wanted {
        Wanted { letters: deed.act == Act::DeleteMailbox, ..Wanted::NOTHING }
    }

    fn before(&self, deed: &Deed) -> Result<(), Refusal> {
        let why = match &deed.act {
            Act::Expunge | Act::Replace { .. } if !is_step_of_move(deed) => {
                "they can be removed only by moving them there"
            }
            Act::MarkForRemoval | Act::Remove => "POP cannot move letters there",
            Act::DeleteMailbox => match deed.facts.as_ref().and_then(|facts| facts.count) {
                Some(0) => return Ok(()),
                Some(_) => "its letters cannot be moved there",
                None => "the server does not say whether it has letters",
            },
            _ => return Ok(()),
        };
        Err(Refusal::new("quarantine", deed).because(why))
    }

    fn after(&self, _: &Deed, _: Ending, _: Option<&CopiedUids>) {}
}

fn is_step_of_move(deed: &Deed) -> bool {
    matches!(deed.purpose, Some(Purpose::Move { .. } | Purpose::Quarantine))
}
