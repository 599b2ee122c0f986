//! What a script can call: one function per name, its arguments checked and typed, its result a Lisp value.

mod accessors;
pub mod catalog;
mod connections;
mod envelope;
mod fetching;
mod files;
mod flags;
mod help;
mod letters;
mod mailbox;
mod mailboxes;
mod messages;
mod parts;
mod pop;
mod sandbox;
mod searching;
mod sending;
mod sets;
mod smtp;
mod values;

pub use mailbox::{ImapMailbox, PopMailbox, State};
pub use smtp::SmtpConnection;

use crate::host::Host;

/// Makes every function of the catalog known to a host.
pub fn register(host: &mut Host, state: State) {
    host.context().set_state(state);
    for topic in catalog::TOPICS {
        host.register(topic.functions);
    }
}
