//! SMTP (RFC 5321) and the extensions that sending a letter needs, sans-IO: STARTTLS (3207), AUTH (4954), SIZE (1870), 8BITMIME (6152),
//! PIPELINING (2920), SMTPUTF8 (6531), enhanced status codes (3463).
//!
//! A [`Session`] takes the server's bytes and the caller's [`Command`]s, and gives bytes to send and [`Event`]s. Replies come in the order of the
//! commands. A letter's bytes go through [`Body`], which makes the line ends right and doubles the dots.

pub(crate) mod body;
pub mod command;
pub(crate) mod session;

pub use body::Body;
pub use command::{Command, MailOptions};
pub use session::{Event, Handle, Reply, Session};
