//! What a script can call: one function per name, its arguments checked and typed, its result a Lisp value.

mod accessors;
mod accounts;
mod appending;
mod attachments;
pub mod catalog;
mod connections;
mod copying;
mod envelope;
pub mod examples;
mod fetching;
mod files;
mod flags;
mod help;
pub mod json;
mod letters;
mod mailbox;
mod mailboxes;
mod messages;
mod names;
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
mod sandbox;
mod saving;
mod searching;
mod secret;
mod sending;
mod sets;
mod smtp;
mod tables;
mod target;
pub mod untrusted;
mod values;

pub use mailbox::{Equip, ImapMailbox, PopMailbox, State};
pub use progress::Progress;
pub use secret::AskSecret;
pub use smtp::SmtpConnection;

use crate::host::Host;

/// Makes every function of the catalog known to a host.
///
/// The host's policy holds for the connections too; of an untrusted host's functions, those of [`untrusted::CHECKED`] run.
pub fn register(host: &mut Host, mut state: State) {
    if host.context().policy().is_untrusted() {
        state.connector.policy = host.context().policy().clone();
    }
    host.context().set_state(state);
    host.vouch_for(untrusted::CHECKED);
    for topic in catalog::TOPICS {
        host.register_around(topic.functions, pipeline::run);
    }
}
