//! The only sockets: TCP and TLS streams with deadlines, the way from a host name to a stream, and the trace.

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
