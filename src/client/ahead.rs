//! The commands in flight, and buffered responses to those that nobody waits for yet.
//!
//! A server may answer pipelined commands in any order, and report other changes in between. Each
//! untagged response goes to the command in flight that it answers: a FETCH response to the first
//! FETCH or STORE that names the message, a SEARCH response to the first SEARCH, and so on. An
//! ESEARCH names the tag of its command, so that of another command is not taken by a search with
//! RETURN. A command that is waited for is taken out of the list (`take`), and its responses go
//! directly to its reader.
//!
//! The table of verbs says which commands may be in flight together
//! ([`crate::proto::imap::verb::Flight`]). A command that must not join the others waits until they
//! have ended.

use super::answers::uid_or_repaired;
use super::error::Error;
use super::imap::ImapClient;
use super::running::Input;
use crate::proto::imap::sequence::Members;
use crate::proto::imap::verb::Flight;
use crate::proto::imap::{Command, Completion, Data, Handle, OwnedResponse, Token, Verb};
use std::borrow::Cow;
use std::collections::VecDeque;

/// The commands in flight that nobody waits for yet, in the order in which they were sent.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    sent: VecDeque<InFlight>,
    /// Bytes of answers that are kept.
    held: u64,
}

/// A command in flight, and its buffered responses.
#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) handle: Handle,
    pub(super) about: About,
    pub(super) answers: Vec<OwnedResponse>,
    pub(super) completion: Option<Completion>,
    /// Whether the answers are dropped, since nobody will ask for them.
    forgotten: bool,
}

/// How a command's responses are recognised.
#[derive(Debug)]
pub(super) struct About {
    pub(super) verb: Verb,
    pub(super) name: &'static str,
    by_uid: bool,
    messages: Option<Members>,
    is_correlated: bool,
}

impl About {
    fn flight(&self) -> Flight {
        self.verb.flight(self.by_uid)
    }

    /// Whether nobody could tell the answers to both apart. Dovecot searches for several commands
    /// in turns, and tells all results before it completes the first.
    fn is_confused_with(&self, other: &About) -> bool {
        matches!(self.verb, Verb::Search | Verb::Sort | Verb::Thread)
            && self.verb == other.verb
            && !(self.is_correlated && other.is_correlated)
    }

    /// Whether untagged data answers this command.
    fn is_answered_by(&self, data: &Data<'_>) -> bool {
        if !self.verb.row().answers.iter().any(|name| data.is(name)) {
            return false;
        }
        if !data.is("FETCH") {
            return true;
        }
        let Some(messages) = &self.messages else { return false };
        let uid = || uid_or_repaired(data);
        let number = if self.by_uid { uid() } else { data.number };
        number.is_some_and(|number| messages.contains(number))
    }
}

impl InFlight {
    /// Whether untagged data answers this command.
    fn is_answered_by(&self, data: &Data<'_>) -> bool {
        self.about.is_answered_by(data) && !self.is_of_another(data)
    }

    /// Whether the command is a search with RETURN, and the data an ESEARCH with the tag of another
    /// command (RFC 4731 3.2).
    pub(super) fn is_of_another(&self, data: &Data<'_>) -> bool {
        self.about.is_correlated
            && data.is("ESEARCH")
            && correlator(data).is_some_and(|tag| !self.handle.has_tag(&tag))
    }
}

/// The tag in `(TAG "A285")` at the start of an ESEARCH response (RFC 4466 2.6.2).
fn correlator<'d>(data: &Data<'d>) -> Option<Cow<'d, [u8]>> {
    let mut tokens = data.tokens.clone();
    let is_open = tokens.next_token().ok()?? == Token::Open;
    let name = tokens.next_token().ok()??;
    let is_tag = is_open && name.bytes().is_some_and(|name| name.eq_ignore_ascii_case(b"TAG"));
    let tag = if is_tag { tokens.next_token().ok()?? } else { return None };
    tag.bytes()
}

impl Ahead {
    /// Adds a command that was sent.
    pub(super) fn note(&mut self, handle: Handle, about: About) {
        let answers = Vec::new();
        let sent = InFlight { handle, about, answers, completion: None, forgotten: false };
        self.sent.push_back(sent);
    }

    /// Removes and returns a command that somebody waits for now.
    pub(super) fn take(&mut self, handle: Handle) -> Option<InFlight> {
        let at = self.sent.iter().position(|sent| sent.handle == handle)?;
        let sent = self.sent.remove(at)?;
        self.held -= sent.answers.iter().map(OwnedResponse::size).sum::<u64>();
        Some(sent)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// Buffers a response for the command that it answers. Returns false if there is none, or if
    /// the response is for `own`, which is being waited for. Servers usually answer in order, so of
    /// two commands about a message the one that was sent first gets it.
    pub(super) fn keep(
        &mut self,
        data: &Data<'_>,
        own: Option<&InFlight>,
        owned: impl FnOnce() -> OwnedResponse,
    ) -> bool {
        let own = own.filter(|own| own.is_answered_by(data));
        let goes_before = |sent: &InFlight| own.is_none_or(|own| sent.handle < own.handle);
        let unfinished = self.sent.iter_mut().filter(|sent| sent.completion.is_none());
        let Some(sent) =
            unfinished.take_while(|sent| goes_before(sent)).find(|sent| sent.is_answered_by(data))
        else {
            return false;
        };
        if !sent.forgotten {
            let response = owned();
            self.held += response.size();
            sent.answers.push(response);
        }
        true
    }

    /// Bytes of answers that are kept.
    pub(super) fn held(&self) -> u64 {
        self.held
    }

    /// Keeps the completion of a command that nobody waits for yet.
    pub(super) fn end(&mut self, handle: Handle, completion: Completion) {
        if let Some(at) = self.sent.iter().position(|sent| sent.handle == handle) {
            if self.sent[at].forgotten {
                self.sent.remove(at);
            } else {
                self.sent[at].completion = Some(completion);
            }
        }
    }

    fn forget(&mut self, handle: Handle) {
        let Some(at) = self.sent.iter().position(|sent| sent.handle == handle) else { return };
        let sent = &mut self.sent[at];
        self.held -= sent.answers.drain(..).map(|answer| answer.size()).sum::<u64>();
        sent.forgotten = true;
        if sent.completion.is_some() {
            self.sent.remove(at);
        }
    }

    /// Whether the completion of a command has arrived.
    pub(super) fn has_ended(&self, handle: Handle) -> bool {
        self.unfinished().all(|sent| sent.handle != handle)
    }

    /// The commands whose completion has not arrived.
    fn unfinished(&self) -> impl Iterator<Item = &InFlight> {
        self.sent.iter().filter(|sent| sent.completion.is_none())
    }
}

impl ImapClient {
    /// Bytes of buffered responses.
    pub fn held(&self) -> u64 {
        self.commands_in_flight().held()
    }

    /// Sends the commands that are still in the output buffer. Otherwise they are sent with the
    /// next wait.
    ///
    /// # Errors
    /// [`Error::Transport`]; the connection is closed then.
    pub fn flush(&mut self) -> Result<(), Error> {
        Ok(self.connection().send_ahead()?)
    }

    /// Waits until every command in flight has ended. The answers stay buffered.
    ///
    /// # Errors
    /// [`Error`]; the connection is closed then.
    pub fn settle(&mut self) -> Result<(), Error> {
        while self.commands_ahead().unfinished().next().is_some() {
            self.hear(None, &mut Input::None, &mut |_| Ok(()), &mut None)?;
        }
        Ok(())
    }

    /// Waits for the commands in flight unless a new one may join them.
    pub(super) fn make_way(&mut self, command: &Command) -> Result<(), Error> {
        let new = self.about(command);
        let may_join = |sent: &InFlight| {
            new.flight().may_follow(sent.about.flight()) && !new.is_confused_with(&sent.about)
        };
        if self.commands_ahead().unfinished().all(may_join) { Ok(()) } else { self.settle() }
    }

    /// Waits for the answer to ENABLE, if one is in flight.
    pub(super) fn hear_enabled(&mut self) -> Result<(), Error> {
        let is_enable = |sent: &InFlight| sent.about.verb == Verb::Enable;
        if self.commands_ahead().unfinished().any(is_enable) { self.settle() } else { Ok(()) }
    }

    /// Drops a command's responses, both buffered and still to come.
    pub(super) fn forget_answer(&mut self, handle: Handle) {
        self.commands_ahead().forget(handle);
    }

    /// Describes how a command's responses will be recognised.
    pub(super) fn about(&self, command: &Command) -> About {
        About {
            verb: command.verb(),
            name: command.name(),
            by_uid: command.by_uid(),
            messages: command.messages().map(|messages| self.asked_for(messages)),
            is_correlated: command.is_correlated(),
        }
    }
}
