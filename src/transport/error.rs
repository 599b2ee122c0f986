//! What goes wrong between this machine and the server.

use std::io;
use thiserror::Error;

/// A stream could not be made, or broke.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The host name has no address.
    #[error("cannot find the host {host:?}: {cause}")]
    UnknownHost {
        /// The name.
        host: String,
        /// What the resolver said.
        cause: String,
    },
    /// No address of the host took the connection.
    #[error("cannot connect to {host}:{port}: {cause}")]
    Refused {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// What the last address tried said.
        cause: String,
    },
    /// The server said nothing, or too little, for too long.
    #[error("no answer within {0} seconds")]
    Timeout(f64),
    /// The server closed the stream.
    #[error("the server closed the connection")]
    Closed,
    /// The stream broke.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// The server's certificate could not be verified.
    #[error("the certificate of {host} cannot be verified: {cause}")]
    Certificate {
        /// The name that it was verified for.
        host: String,
        /// What the TLS library said.
        cause: String,
    },
    /// TLS failed otherwise.
    #[error("TLS with {host} failed: {cause}")]
    Tls {
        /// The server's name.
        host: String,
        /// What the TLS library said.
        cause: String,
    },
    /// A file of certificates or keys cannot be used.
    #[error("{what} {path:?} cannot be used: {cause}")]
    File {
        /// Which option named the file.
        what: &'static str,
        /// The file.
        path: String,
        /// What is wrong.
        cause: String,
    },
    /// The program may not connect to this host.
    #[error(transparent)]
    NotAllowed(#[from] crate::policy::Refusal),
    /// The user interrupted the wait (Ctrl-C).
    #[error("interrupted")]
    Interrupted,
}

/// Marks, inside an [`io::Error`], that the user interrupted the wait.
#[derive(Debug, Error)]
#[error("interrupted")]
pub(super) struct InterruptedMark;

impl TransportError {
    /// Classifies an error of reading or writing.
    pub(super) fn from_io(error: &io::Error, timeout_seconds: f64) -> Self {
        if error.get_ref().is_some_and(|inner| inner.is::<InterruptedMark>()) {
            return TransportError::Interrupted;
        }
        match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
                TransportError::Timeout(timeout_seconds)
            }
            io::ErrorKind::UnexpectedEof => TransportError::Closed,
            _ => TransportError::Broken(error.to_string()),
        }
    }
}
