//! An operation in flight: a command that was sent, and the reader that turns its answer into a
//! result.
//!
//! Every operation of [`ImapClient`] has two halves. The first (`begin_search`, `begin_fetch` and
//! so on) sends its command and returns a [`Pending`]. The second, [`ImapClient::wait`], reads the
//! answer and returns the result. A caller that begins many operations before it waits for the
//! first pays one round trip for all of them (RFC 9051 5.5). The plain methods, such as `search`
//! and `fetch`, run both halves in turn.
//!
//! An operation on more messages than fit into one command has several commands. The first is sent
//! immediately. Each of the others is sent by `wait` after the one before has succeeded, so that
//! nothing is sent after a refusal.

use super::error::Error;
use super::imap::ImapClient;
use crate::proto::ProtocolError;
use crate::proto::imap::{Command, Completion, Data, Event, Handle, Status};
use std::collections::VecDeque;

/// Reads the answer to an operation.
pub trait Reader {
    /// The operation's result.
    type Output;

    /// Takes untagged data while the server is still sending. Some of it may be about other
    /// messages or mailboxes: servers report changes at any moment.
    ///
    /// # Errors
    /// An error that ends the operation once the server has finished. The connection stays usable
    /// unless the error is [`Error::Protocol`]. After [`ProtocolError::Malformed`]
    /// the reader gets the response once more, repaired; if it returns the error again, that
    /// response is left out with a warning.
    fn data(&mut self, data: Data<'_>) -> Result<(), Error>;

    /// Whether a single response answers the operation, so that the operation fails if it cannot be
    /// read.
    fn has_one_answer(&self) -> bool {
        false
    }

    /// Takes an untagged status response.
    fn status(&mut self, _: &Status<'_>) {}

    /// Takes the successful completion of one of the operation's commands.
    fn completed(&mut self, _: &Completion) {}

    /// Returns the result, after the last command has succeeded.
    ///
    /// # Errors
    /// An error if the answer is incomplete.
    fn finish(self) -> Result<Self::Output, Error>;
}

/// An operation whose first command was sent.
///
/// Pass it to [`ImapClient::wait`] or [`ImapClient::forget`] of the client that began it. If it is
/// dropped instead, the answer is buffered until the connection ends.
#[must_use = "the answer is kept until somebody waits for it or forgets it"]
pub struct Pending<R> {
    sent: Option<Handle>,
    unsent: VecDeque<Command>,
    reader: R,
}

impl<R> Pending<R> {
    /// Whether a command is in flight for this operation; an operation on no messages needs none.
    pub fn is_in_flight(&self) -> bool {
        self.sent.is_some()
    }

    /// An operation whose command was sent earlier, by prefetching.
    pub(super) fn sent_before(handle: Handle, reader: R) -> Self {
        Pending { sent: Some(handle), unsent: VecDeque::new(), reader }
    }
}

impl ImapClient {
    /// Sends the first of an operation's commands.
    pub(super) fn begin<R: Reader>(
        &mut self,
        commands: impl IntoIterator<Item = Command>,
        reader: R,
    ) -> Result<Pending<R>, Error> {
        let mut unsent: VecDeque<Command> = commands.into_iter().collect();
        if unsent.len() > 1 {
            self.foresee(unsent.make_contiguous())?;
        }
        let sent = unsent.pop_front().map(|command| self.send(command)).transpose()?;
        Ok(Pending { sent, unsent, reader })
    }

    /// Begins an operation and waits for its result.
    pub(super) fn carry_out<R: Reader>(
        &mut self,
        commands: impl IntoIterator<Item = Command>,
        reader: R,
    ) -> Result<R::Output, Error> {
        let pending = self.begin(commands, reader)?;
        self.wait(pending)
    }

    /// Reads the answer to an operation and returns its result. Operations may be waited for in any
    /// order.
    ///
    /// # Errors
    /// Those of the operation.
    pub fn wait<R: Reader>(&mut self, pending: Pending<R>) -> Result<R::Output, Error> {
        let Pending { mut sent, mut unsent, mut reader } = pending;
        while let Some(handle) = sent {
            let completion = self.hear_out(handle, &mut |event| match event {
                Event::Data(data) => match reader.data(data) {
                    Err(Error::Protocol(fault @ ProtocolError::Malformed { .. }))
                        if reader.has_one_answer() =>
                    {
                        Err(Error::Unexpected(fault.to_string()))
                    }
                    read => read,
                },
                Event::Status(status) => {
                    reader.status(&status);
                    Ok(())
                }
                _ => Ok(()),
            })?;
            reader.completed(&completion);
            sent = unsent.pop_front().map(|command| self.send(command)).transpose()?;
        }
        let result = reader.finish().inspect_err(|error| {
            if let Error::Unexpected(words) = error {
                self.drop_warning(words);
            }
        });
        self.redacted(result)
    }

    /// Gives up an operation: its answer is dropped when it arrives, and commands not sent yet are
    /// not sent.
    pub fn forget<R>(&mut self, pending: Pending<R>) {
        pending.sent.into_iter().for_each(|handle| self.forget_answer(handle));
    }
}

/// Reads nothing: for operations that only succeed or fail.
pub struct Nothing;

impl Reader for Nothing {
    type Output = ();

    fn data(&mut self, _: Data<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn finish(self) -> Result<(), Error> {
        Ok(())
    }
}

/// Passes all data to a closure.
pub(super) struct Each<F>(pub F);

impl<F: FnMut(Data<'_>) -> Result<(), Error>> Reader for Each<F> {
    type Output = ();

    fn data(&mut self, data: Data<'_>) -> Result<(), Error> {
        (self.0)(data)
    }

    fn finish(self) -> Result<(), Error> {
        Ok(())
    }
}
