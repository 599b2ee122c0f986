//! The only sockets of the client.
//!
//! `connect` finds an address and opens a `stream` with deadlines, `tls` encrypts it,
//! `deflate` compresses it, `drive` pumps a session over it, `door` is the one way to submit a command,
//! `wait` waits for many streams at once, and `trace` shows the lines.

pub(crate) mod connect;
mod deflate;
mod door;
pub(crate) mod drive;
pub(crate) mod error;
pub(crate) mod stream;
pub(crate) mod tls;
pub(crate) mod trace;
pub(crate) mod wait;

pub use connect::{Connector, Gauge, Redirect, Route, Router};
pub use deflate::Deflated;
pub use door::SettledDeed;
pub use drive::{Connection, DriveError};
pub use error::TransportError;
pub use stream::{Interrupt, Meter, Pace, Socket, Stream};
pub use tls::{ClientIdentity, TlsOptions};
pub use trace::{Trace, TraceSink};
pub use wait::{Awaited, WakeUp, Waker, Woken, wait_for_any};
