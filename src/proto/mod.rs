//! The protocol cores, sans-IO: bytes in, bytes and events out. Nothing here opens a socket, reads a clock or knows of Scheme.

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

pub use error::{EncodeError, ProtocolError};
pub use limits::{Limit, Limits};
pub use outgoing::Outgoing;
pub use secret::Secret;

/// What the one loop around every session needs of it: commands in, bytes to send, room for bytes,
/// and whether there is something to tell.
pub trait Protocol {
    /// The protocol's name: `imap`, `pop3` or `smtp`.
    const NAME: &'static str;
    /// A command that is ready to be sent.
    type Command;
    /// A submitted command.
    type Handle: Copy + PartialEq + Send;

    /// The change that the command makes if it is submitted now; `None` if it only reads.
    fn deed(&self, command: &Self::Command) -> Option<deed::Deed>;

    /// Queues a command; its text is in [`Protocol::take_outgoing`] as far as it may be sent.
    fn submit(&mut self, command: Self::Command) -> Self::Handle;

    /// The deed that the event found last ends, by the handle of its command, and whether the
    /// server says that it is done. A letter's transaction ends under the handle of its MAIL.
    fn ended(&self) -> Option<(Self::Handle, bool)>;

    /// Whether the server may have all that it needs to carry out the command's deed.
    fn is_wholly_sent(&self, handle: Self::Handle) -> bool;

    /// The bytes to send now; empty when there are none.
    fn take_outgoing(&mut self) -> Outgoing;

    /// Room to read into; say with [`Protocol::filled`] how much was read.
    fn space(&mut self) -> &mut [u8];

    /// Says that `count` bytes were read into [`Protocol::space`].
    fn filled(&mut self, count: usize);

    /// Finds the next event, which the session's `current_event` then shows; `false` when more bytes are needed first.
    ///
    /// # Errors
    /// [`ProtocolError`]; the connection must be closed then.
    fn find_event(&mut self) -> Result<bool, ProtocolError>;

    /// Forgets all that was learnt before TLS began.
    ///
    /// # Errors
    /// [`ProtocolError::OutOfTurn`] when bytes were sent in the clear behind the reply that allowed it.
    fn tls_established(&mut self) -> Result<(), ProtocolError>;
}
