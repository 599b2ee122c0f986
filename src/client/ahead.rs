//! IMAP commands that are sent before their answers are waited for, so that a slow line costs one round trip for many of them.
//!
//! [`ImapClient::ahead`] sends the one command of an operation and gives a ticket; [`ImapClient::redeem`] runs the same operation again, which then takes
//! the answers to the command that was sent. What comes for other commands meanwhile is kept for them. Commands whose answers could be
//! taken for each other's, or whose message numbers could mean something else by the time they arrive, are never in flight together (RFC 9051 5.5): the ones
//! before are heard out first.

use super::answers::uid_of;
use super::error::Error;
use super::imap::ImapClient;
use super::running::Input;
use crate::proto::imap::sequence::Members;
use crate::proto::imap::{Command, Completion, Data, Handle, OwnedResponse};
use std::collections::VecDeque;

/// A command that was sent and is not waited for yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket(pub(super) Handle);

/// What [`ImapClient::ahead`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sending<T> {
    /// The command is on its way.
    Sent(Ticket),
    /// The operation needs no command; this is its result.
    Needless(T),
}

impl<T> Sending<T> {
    /// The ticket, if a command was sent.
    pub fn ticket(self) -> Option<Ticket> {
        match self {
            Sending::Sent(ticket) => Some(ticket),
            Sending::Needless(_) => None,
        }
    }
}

/// The commands in flight besides the one that is waited for.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    sent: VecDeque<Sent>,
    /// Whether the next command is only sent.
    pub(super) only_send: bool,
    /// The command whose answers the next operation takes.
    claimed: Option<Ticket>,
    /// Bytes of answers that are kept.
    held: u64,
}

/// One command in flight, and what came for it.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) handle: Handle,
    about: About,
    pub(super) answers: Vec<OwnedResponse>,
    pub(super) completion: Option<Completion>,
    /// Whether nobody will ask for the answers.
    forgotten: bool,
}

/// What a command's answers can be told by.
#[derive(Debug)]
pub(super) struct About {
    name: &'static str,
    messages: Option<(Members, bool)>,
}

/// Which commands may be in flight together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// By message numbers, and no message leaves while they run.
    Numbers,
    /// By unique ids, which do not shift.
    Uids,
    /// About no message of the selected mailbox.
    Elsewhere,
    /// Changes what the others are about.
    Alone,
}

fn kind(name: &str) -> Kind {
    match name {
        "FETCH" | "STORE" | "SEARCH" => Kind::Numbers,
        "UID FETCH" | "UID STORE" | "UID SEARCH" | "UID COPY" => Kind::Uids,
        "LIST" | "LSUB" | "STATUS" | "APPEND" | "CAPABILITY" => Kind::Elsewhere,
        _ => Kind::Alone,
    }
}

impl About {
    pub(super) fn answers_to(&self, data: &Data<'_>) -> bool {
        if data.is("FETCH") {
            let Some((messages, uid)) = &self.messages else { return false };
            let number = if *uid {
                uid_of(&mut data.tokens.clone()).ok().flatten().map(u32::from)
            } else {
                data.number
            };
            return number.is_some_and(|number| messages.contains(number));
        }
        let bare = self.name.strip_prefix("UID ").unwrap_or(self.name);
        data.is(bare) || (bare == "SEARCH" && data.is("ESEARCH"))
    }
}

impl Ahead {
    /// Notes a command that was sent.
    pub(super) fn note(&mut self, handle: Handle, about: About) -> Ticket {
        self.sent.push_back(Sent {
            handle,
            about,
            answers: Vec::new(),
            completion: None,
            forgotten: false,
        });
        Ticket(handle)
    }

    /// The command that the next operation takes over, if one was claimed.
    pub(super) fn take_claimed(&mut self) -> Option<Sent> {
        let Ticket(handle) = self.claimed.take()?;
        let at = self.sent.iter().position(|sent| sent.handle == handle)?;
        let sent = self.sent.remove(at)?;
        self.held -= sent.answers.iter().map(OwnedResponse::size).sum::<u64>();
        Some(sent)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// Keeps a response for the command that it answers; `false` when it is for the one that is waited for. Servers answer in order as a rule, so that of
    /// two commands about a message the one that was sent first gets it.
    pub(super) fn keep(
        &mut self,
        data: &Data<'_>,
        own: Option<(Handle, &About)>,
        owned: impl FnOnce() -> OwnedResponse,
    ) -> bool {
        let own_is_first = |sent: &Sent| {
            own.is_some_and(|(handle, about)| handle < sent.handle && about.answers_to(data))
        };
        for sent in self.sent.iter_mut().filter(|sent| sent.completion.is_none()) {
            if own_is_first(sent) {
                return false;
            }
            if sent.about.answers_to(data) {
                if !sent.forgotten {
                    let response = owned();
                    self.held += response.size();
                    sent.answers.push(response);
                }
                return true;
            }
        }
        false
    }

    pub(super) fn held(&self) -> u64 {
        self.held
    }

    /// Notes that a command has ended.
    pub(super) fn end(&mut self, handle: Handle, completion: Completion) {
        if let Some(at) = self.sent.iter().position(|sent| sent.handle == handle) {
            if self.sent[at].forgotten {
                self.sent.remove(at);
            } else {
                self.sent[at].completion = Some(completion);
            }
        }
    }

    fn is_in_the_way(&self, name: &str) -> bool {
        let new = kind(name);
        self.sent.iter().filter(|sent| sent.completion.is_none()).any(|sent| {
            match (kind(sent.about.name), new) {
                (Kind::Elsewhere, new) => new == Kind::Numbers,
                (old, new) => old != new,
            }
        })
    }

    fn has_unfinished(&self) -> bool {
        self.sent.iter().any(|sent| sent.completion.is_none())
    }
}

impl ImapClient {
    /// Sends the first command of `operation` without waiting for its answer; the operation is not carried out by this.
    ///
    /// # Errors
    /// What keeps the command from being sent, [`Error::Argument`] for example.
    pub fn ahead<T>(
        &mut self,
        operation: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<Sending<T>, Error> {
        self.commands_ahead().only_send = true;
        let result = operation(self);
        self.commands_ahead().only_send = false;
        match result {
            Ok(value) => Ok(Sending::Needless(value)),
            Err(Error::Sent(ticket)) => Ok(Sending::Sent(ticket)),
            Err(error) => Err(error),
        }
    }

    /// Carries out the operation that a ticket stands for: the same as was given to [`ImapClient::ahead`].
    ///
    /// # Errors
    /// Those of the operation.
    pub fn redeem<T>(
        &mut self,
        ticket: Ticket,
        operation: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.commands_ahead().claimed = Some(ticket);
        let result = operation(self);
        self.commands_ahead().claimed = None;
        result
    }

    /// Lets go of a ticket: the answers are dropped when they come.
    pub fn forget(&mut self, ticket: Ticket) {
        let ahead = self.commands_ahead();
        let Some(at) = ahead.sent.iter().position(|sent| sent.handle == ticket.0) else { return };
        let sent = &mut ahead.sent[at];
        ahead.held -= sent.answers.drain(..).map(|answer| answer.size()).sum::<u64>();
        sent.forgotten = true;
        if sent.completion.is_some() {
            ahead.sent.remove(at);
        }
    }

    /// Bytes of answers that came for commands whose tickets are still held.
    pub fn held(&mut self) -> u64 {
        self.commands_ahead().held()
    }

    /// Sends what waits to be sent; else it goes out with the next wait.
    ///
    /// # Errors
    /// [`Error::Transport`]; the connection is closed then.
    pub fn flush(&mut self) -> Result<(), Error> {
        Ok(self.connection().send_ahead()?)
    }

    /// Waits until no command is in flight; the answers are kept for their tickets.
    ///
    /// # Errors
    /// [`Error`]; the connection is closed then.
    pub fn settle(&mut self) -> Result<(), Error> {
        while self.commands_ahead().has_unfinished() {
            self.hear(None, &mut Input::None, &mut |_| Ok(()), &mut None)?;
        }
        Ok(())
    }

    /// Hears out the commands that must not be in flight together with a new one.
    pub(super) fn make_way(&mut self, name: &str) -> Result<(), Error> {
        if self.commands_ahead().is_in_the_way(name) { self.settle() } else { Ok(()) }
    }

    pub(super) fn about(&self, command: &Command) -> About {
        About {
            name: command.name(),
            messages: command.messages().map(|(set, uid)| (self.asked_for(set, uid), uid)),
        }
    }
}
