//! Errors of the way to the server: name, connection, TLS.

use std::io;
use thiserror::Error;

/// Why a stream could not be opened, or broke.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The host name has no address.
    #[error("cannot find the host {host:?}: {cause}")]
    UnknownHost {
        /// The name.
        host: String,
        /// The resolver's message.
        cause: String,
    },
    /// No address of the host accepted the connection.
    #[error("cannot connect to {host}:{port}: {cause}")]
    Refused {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// The message for the last address tried.
        cause: String,
    },
    /// The server was silent, or too slow, for too long; in seconds, the idle limit.
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
        /// The TLS library's message.
        cause: String,
    },
    /// TLS failed for another reason.
    #[error("TLS with {host} failed: {cause}")]
    Tls {
        /// The server's name.
        host: String,
        /// The TLS library's message.
        cause: String,
    },
    /// A file of certificates or keys cannot be used.
    #[error("{what} {path:?} cannot be used: {cause}")]
    File {
        /// Which option named the file.
        what: &'static str,
        /// The file.
        path: String,
        /// Why it cannot be used.
        cause: String,
    },
    /// The program may not connect to this host.
    #[error(transparent)]
    NotAllowed(#[from] crate::policy::Refusal),
    /// The user interrupted the wait (Ctrl-C).
    #[error("interrupted")]
    Interrupted,
}

/// Inside an [`io::Error`], says that the user interrupted the wait.
#[derive(Debug, Error)]
#[error("interrupted")]
pub(super) struct InterruptedMark;

impl TransportError {
    /// Classifies an I/O error; `timeout_seconds` is what [`TransportError::Timeout`] then shows.
    pub(crate) fn from_io(error: &io::Error, timeout_seconds: f64) -> Self {
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
