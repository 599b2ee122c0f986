//! The IMAP server: a session, and a file for each group of commands.
//!
//! `framing` splits the client's bytes into commands and literals, `imap-codec` decodes them, and
//! `session` answers with the help of the other files. `selected` is the session's view of the
//! selected mailbox: message numbers, and what the client has not been told yet.

mod address;
mod append;
mod copying;
mod dates;
mod fetch;
mod folders;
mod framing;
mod idle;
mod list;
mod login;
mod matching;
mod quota;
mod search;
mod section;
mod selected;
mod sequence;
pub(in crate::sandbox) mod session;
mod structure;
mod text;
