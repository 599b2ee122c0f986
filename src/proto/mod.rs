//! The protocol cores, sans-IO: bytes in, bytes and events out. Nothing here opens a socket, reads a clock or knows of Scheme.

pub mod error;
pub mod imap;
pub mod limits;
pub mod secret;

pub use error::{EncodeError, ProtocolError};
pub use limits::Limits;
pub use secret::Secret;
