//! SMTP (RFC 5321), sans-IO, with the extensions that sending a letter needs: STARTTLS (RFC 3207),
//! AUTH (4954), SIZE (1870), 8BITMIME (6152), PIPELINING (2920), SMTPUTF8 (6531), enhanced status
//! codes (3463), DSN (3461).
//!
//! A [`Session`] takes the server's bytes and the caller's [`Command`]s, and produces bytes to send
//! and [`Event`]s. Replies arrive in the order of the commands. A letter's bytes go through
//! [`Body`], which normalises line ends and doubles leading dots.

pub(crate) mod body;
pub mod command;
pub mod domain;
pub mod notices;
pub(crate) mod session;

pub use body::Body;
pub use command::{Command, MailOptions};
pub use notices::Notices;
pub use session::{Event, Handle, Reply, Session};
