//! The sandbox, tried by clients that know no IMAP: text in, lines out.
#![cfg(feature = "sandbox")]

#[path = "sandbox/client.rs"]
mod client;
#[path = "sandbox/concurrent.rs"]
mod concurrent;
#[path = "sandbox/extensions.rs"]
mod extensions;
#[path = "sandbox/fetch.rs"]
mod fetch;
#[path = "sandbox/mailboxes.rs"]
mod mailboxes;
#[path = "sandbox/messages.rs"]
mod messages;
#[path = "sandbox/search.rs"]
mod search;
#[path = "sandbox/session.rs"]
mod session;
#[path = "sandbox/store.rs"]
mod store;
#[path = "sandbox/structure.rs"]
mod structure;
#[path = "sandbox/tls.rs"]
mod tls;
