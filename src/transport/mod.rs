//! The only sockets of the client.
//!
//! `connect` finds an address and opens a [`stream`] with deadlines, `tls` encrypts it, `drive`
//! pumps a session over it, `door` is the one way to submit a command, and `trace` shows the lines.

pub mod connect;
mod door;
pub mod drive;
pub mod error;
pub mod stream;
pub mod tls;
pub mod trace;

pub use connect::{Connector, Redirect, Route, Router};
pub use drive::Connection;
pub use error::TransportError;
pub use stream::{Interrupt, Meter, Pace, Stream};
pub use tls::{ClientIdentity, TlsOptions};
pub use trace::{Trace, TraceSink};
