//! The sandbox, tried by clients that know no protocol: text in, lines out.
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
#[path = "sandbox/pop.rs"]
mod pop;
#[path = "sandbox/pop_login.rs"]
mod pop_login;
#[path = "sandbox/search.rs"]
mod search;
#[path = "sandbox/session.rs"]
mod session;
#[path = "sandbox/smtp.rs"]
mod smtp;
#[path = "sandbox/smtp_delivery.rs"]
mod smtp_delivery;
#[path = "sandbox/smtp_login.rs"]
mod smtp_login;
#[path = "sandbox/store.rs"]
mod store;
#[path = "sandbox/structure.rs"]
mod structure;
#[path = "sandbox/tls.rs"]
mod tls;
