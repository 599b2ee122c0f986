//! The functions that scripts call: one per name, with checked and typed arguments and a Lisp value
//! as its result.
//!
//! `catalog` lists the topics. Each topic has a module with a table of rows, from which functions
//! are registered and documented. A call takes this way: the host checks the arguments against the
//! row's lambda list and types; the native reads them with `sets`, `flags` and others; `mailbox`
//! finds the connection and runs one operation of the client; `values` turns the response into the
//! result. `pipeline` splits this into sending and waiting, so that many calls can be in flight.
//!
//! `state` and `objects` hold the connections of a host, `setup` makes a bare host one with all
//! functions, and [`register`] adds them with a [`State`] of the caller's.

mod accessors;
mod accounts;
mod appending;
mod attachments;
mod batches;
pub mod catalog;
mod condstore;
mod connections;
mod copying;
mod cursors;
mod dates;
mod envelope;
pub mod examples;
mod fetching;
mod files;
mod flags;
mod help;
pub(crate) mod json;
mod letter_sets;
mod letters;
mod limits;
mod looking;
mod mailbox;
mod mailboxes;
mod messages;
mod metadata;
mod names;
mod objects;
mod operation;
mod ordering;
mod parallel;
mod parts;
mod pieces;
mod pipeline;
mod pop;
mod program;
pub mod progress;
mod read_ahead;
mod reconnecting;
mod reconnection;
pub mod reference;
mod report;
mod rights;
mod router;
mod run_program;
mod sandbox;
mod saving;
mod searching;
mod secret;
mod selection;
mod sending;
mod sets;
mod setup;
mod shifting;
mod smtp;
mod state;
mod tables;
mod target;
mod unpacking;
mod values;
mod waiting;
mod watching;
mod witnessed;

pub use objects::{Held, ImapMailbox, PopMailbox, SmtpConnection};
pub use ordering::order_words;
pub use progress::Progress;
pub use router::SandboxRouter;
pub use searching::search_words;
pub use secret::AskSecret;
pub use setup::{Setup, attach, attach_showing};
pub use state::{Equip, State};
pub use watching::{Event, Means, Supervisor, What, spoken, supervise};

use crate::condition::Condition;
use crate::host::{Host, Value};

/// The result of a native.
type Answer = Result<Value, Condition>;

/// Registers every function of the catalog in a host, with `state` as the state that they share.
///
/// The policy of an untrusted host also governs its connections. Its scripts can call only the
/// functions whose rows say that they are checked.
pub fn register(host: &mut Host, mut state: State) {
    if host.context().policy().is_untrusted() {
        state.connector.policy = host.context().policy().clone();
    }
    host.context().set_state(state);
    host.vouch_for(&catalog::for_untrusted().collect::<Vec<_>>());
    for topic in catalog::TOPICS {
        host.register(topic.functions);
    }
    host.recover_with("%reconnect", reconnecting::applies);
}
