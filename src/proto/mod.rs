//! The protocol cores, sans-IO: bytes in, bytes and events out. Nothing here opens a socket, reads
//! a clock or knows about Scheme.
//!
//! A driver submits commands, sends what [`Protocol::take_outgoing`] returns, reads into
//! [`Protocol::space`], and asks [`Protocol::find_event`] for the next event, until it needs more
//! bytes.

mod buffer;
pub mod deed;
pub(crate) mod error;
pub mod imap;
pub(crate) mod limits;
pub(crate) mod outgoing;
pub mod pop3;
pub mod sasl;
pub(crate) mod secret;
pub mod smtp;
pub mod witness;

pub use error::{EncodeError, ProtocolError};
pub use limits::{Limit, Limits};
pub use outgoing::Outgoing;
pub use secret::Secret;

/// The interface between a protocol session and the I/O loop that drives it.
pub trait Protocol {
    /// The protocol's name: `imap`, `pop3` or `smtp`.
    const NAME: &'static str;
    /// A command that is ready to be sent.
    type Command;
    /// Identifies a submitted command.
    type Handle: Copy + PartialEq + Send;

    /// Returns the change that the command would make if it were submitted now; `None` if it
    /// changes nothing.
    fn deed(&self, command: &Self::Command) -> Option<deed::Deed>;

    /// Queues a command. Its bytes appear in [`Protocol::take_outgoing`] as soon as they may be
    /// sent.
    fn submit(&mut self, command: Self::Command) -> Self::Handle;

    /// If the event found last ended a command, returns the command's handle and whether the server
    /// reported success. In SMTP only mail transactions count; each ends under the handle of its
    /// MAIL.
    fn ended(&self) -> Option<(Self::Handle, bool)>;

    /// Where the command that ended last has stored letters, if it did and the server said so.
    fn stored(&self) -> Option<&imap::CopiedUids> {
        None
    }

    /// Returns whether everything the server needs to carry out the command has been released for
    /// sending. If the connection breaks then, the outcome is unknown.
    fn is_wholly_sent(&self, handle: Self::Handle) -> bool;

    /// Takes the bytes to send now; empty if there are none.
    fn take_outgoing(&mut self) -> Outgoing;

    /// Returns room to read into; report with [`Protocol::filled`] how much was read.
    fn space(&mut self) -> &mut [u8];

    /// Reports that `count` bytes were read into [`Protocol::space`].
    fn filled(&mut self, count: usize);

    /// Finds the next event, which the session's `current_event` then shows. Returns `false` if
    /// more bytes are needed first.
    ///
    /// # Errors
    /// [`ProtocolError`]; the connection must then be closed.
    fn find_event(&mut self) -> Result<bool, ProtocolError>;

    /// Discards what was learned over the unencrypted connection. Called after the server accepted
    /// STARTTLS, before the handshake.
    ///
    /// # Errors
    /// [`ProtocolError::OutOfTurn`] if unencrypted bytes followed the reply that allowed TLS.
    fn tls_established(&mut self) -> Result<(), ProtocolError>;
}
