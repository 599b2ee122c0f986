//! What guards the changes of a program: witnesses that refuse.
//!
//! Witnesses are asked in this order:
//!
//! | witness | what it does |
//! |---|---|
//! | policy | is asked before a connection is opened, not here: `policy` |
//! | [`Limiter`] | refuses what goes beyond the limits of the program |
//! | [`OnlyMoves`] | with a quarantine, refuses to remove letters that were not moved there first |
//! | what an embedding program adds | `Connector::witness` |
//!
//! [`Limiter`] is first, so that those behind it do not hear of what is refused. It counts a move into
//! quarantine as the deletion that the script asked for; those behind see a move. The limits are below
//! the interpreter: whatever a script calls, each change passes the door (`transport::door`), and the
//! door asks.

mod cost;
mod limiter;
mod pattern;
mod quarantine;

pub use limiter::{Budget, ChangeLimits, Limiter};
pub use pattern::MailboxPattern;
pub use quarantine::OnlyMoves;
