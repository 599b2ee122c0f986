//! The IMAP commands, one constructor each, built from typed values.
//!
//! A [`Command`] holds its verb, its arguments encoded as parts, its effect on the session's state
//! once it succeeds, the messages it addresses, and the change it makes on the server. Constructors
//! check their arguments, so every [`Command`] can be sent. Commands on messages get the prefix
//! `UID` if the [`Messages`] are UIDs. Section numbers without an RFC are those of RFC 3501.

mod connection;
mod letters;
mod mailboxes;
mod messages;

pub use connection::Watched;
pub use letters::NewLetter;
pub use mailboxes::{ListOptions, Since};
pub use messages::StoreMode;

use super::encode::{Encoder, Part};
use super::messages::Messages;
use super::verb::Verb;
use crate::proto::deed::Change;
use crate::proto::error::EncodeError;

/// A command that is ready to be sent.
#[derive(Debug, Clone)]
pub struct Command {
    verb: Verb,
    pub(super) parts: Vec<Part>,
    pub(super) effect: Effect,
    messages: Option<Messages>,
    change: Option<Change>,
    is_correlated: bool,
}

/// The effect of a successful command on the session's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    None,
    StartTls,
    LogIn,
    Authenticate,
    Select { name: String, read_only: bool },
    Unselect,
    Enable,
    Idle,
    Logout,
}

type Built = Result<Command, EncodeError>;

impl Command {
    /// Makes a command whose arguments `build` adds.
    fn with(verb: Verb, build: impl FnOnce(&mut Encoder) -> Result<(), EncodeError>) -> Built {
        Command::encoded(verb, None, build)
    }

    /// Makes a command on messages; the sequence set is its first argument.
    fn on(
        verb: Verb,
        messages: &Messages,
        build: impl FnOnce(&mut Encoder) -> Result<(), EncodeError>,
    ) -> Built {
        Command::encoded(verb, Some(messages.clone()), |to| {
            to.sequence_set(messages.set())?;
            build(to)
        })
    }

    fn encoded(
        verb: Verb,
        messages: Option<Messages>,
        build: impl FnOnce(&mut Encoder) -> Result<(), EncodeError>,
    ) -> Built {
        let mut command = Command { messages, ..Command::plain(verb) };
        let mut encoder = Encoder::new(command.name());
        build(&mut encoder)?;
        command.parts = encoder.into_parts();
        Ok(command)
    }

    fn plain(verb: Verb) -> Command {
        let parts = Encoder::new(verb.row().name).into_parts();
        Command {
            verb,
            parts,
            effect: Effect::None,
            messages: None,
            change: None,
            is_correlated: false,
        }
    }

    fn with_effect(self, effect: Effect) -> Command {
        Command { effect, ..self }
    }

    fn changing(self, change: Change) -> Command {
        Command { change: Some(change), ..self }
    }

    /// The command's verb.
    pub fn verb(&self) -> Verb {
        self.verb
    }

    /// The command's name as it is sent, for example `UID FETCH`.
    pub fn name(&self) -> &'static str {
        let row = self.verb.row();
        if self.by_uid() { row.uid_name.unwrap_or(row.name) } else { row.name }
    }

    /// Returns whether it addresses messages by UID.
    pub fn by_uid(&self) -> bool {
        self.messages.as_ref().is_some_and(Messages::are_uids)
    }

    /// The messages it addresses, if it addresses any. For SEARCH the set is empty and only says
    /// whether the answer's numbers are UIDs.
    pub fn messages(&self) -> Option<&Messages> {
        self.messages.as_ref()
    }

    /// Returns whether its answer is an ESEARCH that names the command's tag (RFC 4731 3.2).
    pub fn is_correlated(&self) -> bool {
        self.is_correlated
    }

    /// The change it makes, as far as its arguments show; `None` if it changes nothing.
    pub fn change(&self) -> Option<&Change> {
        self.change.as_ref()
    }
}
