//! POP3 (RFC 1939) with CAPA (RFC 2449), STLS (RFC 2595) and SASL (RFC 5034), sans-IO.
//!
//! A [`Session`] takes the server's bytes and the caller's [`Command`]s, and produces bytes to send
//! and [`Event`]s. Replies arrive in the order of the commands, so several commands can be in
//! flight. Letters are handed on in pieces, with dot-stuffing undone, and are never buffered whole.

pub(crate) mod body;
pub mod command;
pub(crate) mod session;

pub use body::{Body, Found};
pub use command::Command;
pub use session::{Event, Handle, Reply, Session};
