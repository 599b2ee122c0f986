//! The functions that scripts call: one per name, with checked and typed arguments and a Lisp value as its result.

mod accessors;
mod accounts;
mod appending;
mod attachments;
mod batches;
pub mod catalog;
mod connections;
mod copying;
mod envelope;
pub mod examples;
mod fetching;
mod files;
mod flags;
mod help;
pub(crate) mod json;
mod letters;
mod mailbox;
mod mailboxes;
mod messages;
mod names;
mod objects;
mod parallel;
mod parts;
mod pieces;
mod pipeline;
mod pop;
mod program;
pub mod progress;
mod read_ahead;
pub mod reference;
mod report;
mod router;
mod sandbox;
mod saving;
mod searching;
mod secret;
mod sending;
mod sets;
mod setup;
mod shifting;
mod smtp;
mod state;
mod tables;
mod target;
mod values;
mod witnessed;

pub use objects::{Held, ImapMailbox, PopMailbox, SmtpConnection};
pub use progress::Progress;
pub use router::SandboxRouter;
pub use searching::search_words;
pub use secret::AskSecret;
pub use setup::{Setup, attach, attach_showing};
pub use state::{Equip, State};

use crate::condition::Condition;
use crate::host::{Host, Value};

/// The result of a function of the catalog.
type Answer = Result<Value, Condition>;

/// Makes every function of the catalog known to a host.
///
/// The host's policy holds for the connections too; of an untrusted host's functions, those run that
/// their rows say are checked.
pub fn register(host: &mut Host, mut state: State) {
    if host.context().policy().is_untrusted() {
        state.connector.policy = host.context().policy().clone();
    }
    host.context().set_state(state);
    host.vouch_for(&catalog::for_untrusted().collect::<Vec<_>>());
    for topic in catalog::TOPICS {
        host.register(topic.functions);
    }
}
