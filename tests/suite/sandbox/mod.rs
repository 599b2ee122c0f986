//! The sandbox, tested by a client that knows no protocol: text in, lines out.
mod client;
mod concurrent;
mod condstore;
mod extensions;
mod fetch;
mod mailboxes;
mod messages;
mod pop;
mod pop_login;
mod search;
mod session;
mod smtp;
mod smtp_delivery;
mod smtp_login;
mod store;
mod structure;
mod tls;
