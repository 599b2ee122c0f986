//! The initial letters of a sandbox: the manual's session of September 1999.
//!
//! The manual prints numbers 4 and 7; the others are test mail of the same day. Some UIDs are
//! missing, as after deletions, so that UIDs and message numbers differ.

use std::sync::Arc;

use crate::sandbox::store::flags::Flags;
use crate::sandbox::store::letter::Content;
use crate::sandbox::store::mailbox::{Mailbox, Message};
use crate::sandbox::store::{dates, header};

/// The eighth letter, which can be delivered while a session runs.
pub const NEXT_LETTER: &str = include_str!("seed/next.eml");

/// UID, whether it was read, and the letter. Its Date field gives the internal date.
const LETTERS: [(u32, bool, &str); 7] = [
    (59, true, include_str!("seed/1.eml")),
    (60, true, include_str!("seed/2.eml")),
    (62, false, include_str!("seed/3.eml")),
    (64, false, include_str!("seed/4.eml")),
    (65, false, include_str!("seed/5.eml")),
    (67, false, include_str!("seed/6.eml")),
    (68, false, include_str!("seed/7.eml")),
];

/// Puts the manual's seven letters into an empty inbox.
pub(crate) fn fill(inbox: &mut Mailbox) {
    for (uid, seen, letter) in LETTERS {
        let content = Arc::new(Content::new(letter.as_bytes()));
        let date = header::value(content.bytes(), header::range(content.bytes()), "Date");
        let internal_date =
            date.and_then(|date| dates::sent_moment(&date)).unwrap_or_else(jiff::Zoned::now);
        let mut flags = Flags::default();
        if seen {
            flags.set(Flags::SEEN);
        }
        inbox.uid_next = uid;
        inbox.append(Message::new(content, flags, internal_date));
    }
    // All but the last have been announced to an earlier session.
    inbox.first_recent = 68;
}
