//! The way in: which command a response belongs to, and what it changes of the session's state.

use super::super::command::Effect;
use super::super::frame::Step;
use super::super::response::{self, Response, StatusKind};
use super::super::state::SelectedMailbox;
use super::super::stored::CopiedUids;
use super::{Event, Found, InFlight, OwnedResponse, Piece, Sending, Session, tag_of};
use crate::proto::error::{ProtocolError, excerpt};

impl Session {
    /// Checks that no reply has arrived before its command. Without a command in flight only
    /// untagged responses may arrive.
    ///
    /// # Errors
    /// [`ProtocolError::OutOfTurn`] if anything else has begun to arrive.
    pub fn check_nothing_ahead(&self) -> Result<(), ProtocolError> {
        match self.frame.unread() {
            [] | [b'*', ..] => Ok(()),
            ahead if self.queue.is_empty() => {
                Err(out_of_turn("a reply that no command waits for", ahead))
            }
            _ => Ok(()),
        }
    }

    /// Whether a line begins with the tag of a command in flight.
    fn has_tag_in_flight(&self, line: &[u8]) -> bool {
        let word = line.split(|byte| *byte == b' ').next().unwrap_or_default();
        self.queue.iter().any(|command| tag_of(command.handle).as_bytes() == word)
    }

    pub(super) fn advance(&mut self) -> Result<Found, ProtocolError> {
        if matches!(self.found, Found::Done(_)) {
            self.stored = None;
        }
        loop {
            match self.frame.advance()? {
                Step::NeedBytes => return Ok(Found::NeedBytes),
                Step::Piece => return Ok(Found::Piece),
                Step::Response => {}
            }
            let raw = self.frame.response();
            // Nothing is tolerated around STARTTLS, where nobody is trusted.
            let is_strict =
                self.queue.front().is_some_and(|command| command.effect == Effect::StartTls);
            if raw.bytes.iter().all(|byte| *byte == b' ') && self.greeted && !is_strict {
                self.count_response()?;
                continue;
            }
            let was_status = std::mem::replace(&mut self.was_status, false);
            let response = match response::parse(raw, self.limits.depth) {
                // Nobody needs the further lines of a text. A line with the tag of a command is its
                // reply.
                Err(_) if was_status && self.greeted && !self.has_tag_in_flight(raw.bytes) => {
                    self.was_status = true;
                    self.count_response()?;
                    continue;
                }
                response => response?,
            };
            self.was_status = matches!(response, Response::Status(_) | Response::Tagged { .. });
            match response {
                Response::Status(status) if !self.greeted => {
                    let (kind, code) = (status.kind, status.code);
                    if !matches!(kind, StatusKind::Ok | StatusKind::PreAuth | StatusKind::Bye) {
                        return Err(out_of_turn("the greeting is a refusal", raw.bytes));
                    }
                    if let Some(code) = code.filter(|code| code.is("CAPABILITY")) {
                        self.capabilities.replace(code.tokens(self.limits.depth), &self.limits)?;
                        self.capabilities_told += 1;
                    }
                    self.greeted = true;
                    self.ended = kind == StatusKind::Bye;
                    return Ok(Found::Greeting);
                }
                _ if !self.greeted => {
                    return Err(out_of_turn("something else than a greeting", raw.bytes));
                }
                Response::Status(status) => {
                    let kind = status.kind;
                    if let Some(code) = status.code {
                        if code.is("CAPABILITY") {
                            self.capabilities
                                .replace(code.tokens(self.limits.depth), &self.limits)?;
                            self.capabilities_told += 1;
                        } else if let Some(stored) = stored_uids(code.name, code.arguments) {
                            self.stored = Some(stored);
                        } else if let Some(selected) = &mut self.selected {
                            selected.apply_code(&code, &self.limits)?;
                        }
                    }
                    self.ended |= kind == StatusKind::Bye;
                    self.count_response()?;
                    return Ok(Found::Untagged);
                }
                Response::Unreadable { .. } => {
                    self.count_response()?;
                    return Ok(Found::Untagged);
                }
                Response::Data(data) => {
                    if data.number.is_none() && data.is("CAPABILITY") {
                        self.capabilities.replace(data.tokens, &self.limits)?;
                        self.capabilities_told += 1;
                    } else if data.is("LIST") || data.is("LSUB") {
                        let is_utf8 = self.has_utf8();
                        self.given_names.note(&data, is_utf8, &self.limits);
                    } else if data.number.is_none() && data.is("ENABLED") {
                        let is = |name: &[u8]| {
                            let mut names = data.tokens.rest().split(u8::is_ascii_whitespace);
                            names.any(|known| known.eq_ignore_ascii_case(name))
                        };
                        self.enabled.qresync |= is(b"QRESYNC");
                        // What was not asked for must not change what is sent.
                        if self.queue.iter().any(|command| command.effect == Effect::Enable) {
                            self.enabled.utf8_accept |= is(b"UTF8=ACCEPT");
                            self.enabled.rev2 |= is(b"IMAP4REV2");
                        }
                    } else if let Some(stored) = stored_uids(data.name, data.tokens.rest()) {
                        self.stored = Some(stored);
                    } else if let Some(selected) = &mut self.selected {
                        // Only VANISHED needs the UIDs of numbers.
                        if self.enabled.qresync && data.is("FETCH") {
                            selected.learn_uid(&data);
                        }
                        selected.apply_data(&data, &self.limits)?;
                    }
                    self.count_response()?;
                    return Ok(Found::Untagged);
                }
                Response::Continue(text) => {
                    let waits = |command: &InFlight| {
                        command.sending != Sending::Done || command.effect == Effect::Idle
                    };
                    let position = self.queue.iter().position(waits).or_else(|| {
                        let last = self.queue.len().checked_sub(1)?;
                        (self.queue[last].effect == Effect::Authenticate).then_some(last)
                    });
                    let Some(position) = position else {
                        return Err(out_of_turn("a continuation that no command waits for", text));
                    };
                    let command = &mut self.queue[position];
                    let ahead = format!("{} OK", tag_of(command.handle));
                    let is_ahead = self.frame.unread().split_at_checked(ahead.len()).is_some_and(
                        |(reply, behind)| {
                            reply.eq_ignore_ascii_case(ahead.as_bytes())
                                && matches!(behind.first(), None | Some(b' ' | b'\r' | b'\n'))
                        },
                    );
                    if is_ahead && command.effect != Effect::Idle {
                        return Err(out_of_turn(
                            "a command succeeded before it was wholly sent",
                            text,
                        ));
                    }
                    match command.sending {
                        Sending::WaitsForContinue => {
                            command.sending = Sending::Going;
                            self.pump();
                        }
                        Sending::Done => {
                            command.challenges += 1;
                            self.limits.check("challenges", u64::from(command.challenges))?;
                            if command.is_ending && command.challenges == 1 {
                                self.out.push(b"DONE\r\n", false);
                            }
                            return Ok(Found::Continue);
                        }
                        Sending::Not | Sending::Going | Sending::WaitsForBytes => {
                            return Err(out_of_turn(
                                "a continuation that no command waits for",
                                text,
                            ));
                        }
                    }
                }
                Response::Tagged { tag, status } => {
                    let (kind, code) = (status.kind, status.code);
                    let has_tag = |command: &InFlight| {
                        command.sending != Sending::Not
                            && !command.refused
                            && tag_of(command.handle).as_bytes() == tag
                    };
                    let Some(position) = self.queue.iter().position(has_tag) else {
                        return Err(out_of_turn("a tag that no command in flight has", raw.bytes));
                    };
                    let capability = code.filter(|code| code.is("CAPABILITY"));
                    if let Some(capability) = capability {
                        self.capabilities
                            .replace(capability.tokens(self.limits.depth), &self.limits)?;
                        self.capabilities_told += 1;
                    }
                    if let Some(stored) =
                        code.and_then(|code| stored_uids(code.name, code.arguments))
                    {
                        self.stored = Some(stored);
                    }
                    if let (Some(code), Some(selected)) = (code, &mut self.selected) {
                        selected.apply_code(&code, &self.limits)?;
                    }
                    if kind == StatusKind::Ok && self.queue[position].sending != Sending::Done {
                        return Err(out_of_turn(
                            "a command succeeded before it was wholly sent",
                            raw.bytes,
                        ));
                    }
                    if self.queue[position].sending == Sending::WaitsForBytes {
                        self.queue[position].refused = true;
                        return Ok(Found::Done(self.queue[position].handle));
                    }
                    let Some(command) = self.queue.remove(position) else { continue };
                    self.apply_end(&command, kind)?;
                    self.pump();
                    return Ok(Found::Done(command.handle));
                }
            }
        }
    }

    /// Returns a copy of the last response, for later.
    pub fn owned_response(&self) -> OwnedResponse {
        let raw = self.frame.response();
        OwnedResponse::copy_of(raw.bytes.to_vec(), raw.literals.to_vec(), raw.kept)
    }

    pub(super) fn view(&self, found: Found) -> Result<Event<'_>, ProtocolError> {
        let raw = self.frame.response();
        match found {
            Found::NeedBytes => return Ok(Event::NeedBytes),
            Found::LiteralWanted => return Ok(Event::LiteralWanted(self.literal_wanted())),
            Found::Piece => {
                return Ok(Event::Piece(Piece {
                    before: raw.bytes,
                    bytes: self.frame.piece(),
                    last: self.frame.piece_is_last(),
                    to_keep: self.frame.piece_is_to_keep(),
                }));
            }
            _ => {}
        }
        Ok(match (response::parse(raw, self.limits.depth)?, found) {
            (Response::Status(status), Found::Greeting) => Event::Greeting(status),
            (Response::Status(status), _) => Event::Status(status),
            (Response::Data(data), _) => Event::Data(data),
            (Response::Unreadable { what, bytes }, _) => Event::Unreadable { what, bytes },
            (Response::Continue(text), _) => Event::Continue(text),
            (Response::Tagged { status, .. }, Found::Done(handle)) => {
                Event::Done { handle, status }
            }
            (Response::Tagged { .. }, _) => Event::NeedBytes,
        })
    }

    fn apply_end(&mut self, command: &InFlight, kind: StatusKind) -> Result<(), ProtocolError> {
        match (&command.effect, kind) {
            // A failed SELECT leaves no mailbox selected (RFC 3501 6.3.1).
            (Effect::Select { .. }, StatusKind::No | StatusKind::Bad)
            | (Effect::Unselect, StatusKind::Ok) => self.selected = None,
            (Effect::Select { .. }, StatusKind::Ok) => {
                self.selected.iter_mut().for_each(SelectedMailbox::opened);
            }
            (Effect::StartTls, StatusKind::Ok) => self.check_nothing_behind_starttls()?,
            // Capabilities may change at login, so discard those announced before it, unless the
            // server has announced new ones since (RFC 3501 6.2.2).
            (Effect::LogIn | Effect::Authenticate, StatusKind::Ok)
                if self.capabilities_told == command.capabilities_seen =>
            {
                self.capabilities.clear()
            }
            (Effect::Logout, StatusKind::Ok) => self.ended = true,
            _ => {}
        }
        Ok(())
    }

    pub(super) fn check_nothing_behind_starttls(&self) -> Result<(), ProtocolError> {
        if self.frame.has_unread() {
            return Err(out_of_turn("text in the clear behind the reply to STARTTLS", b""));
        }
        Ok(())
    }

    fn count_response(&mut self) -> Result<(), ProtocolError> {
        let Some(command) = self.queue.front_mut() else { return Ok(()) };
        command.responses += 1;
        if command.responses > self.limits.responses {
            return Err(self.limits.exceeded("responses"));
        }
        Ok(())
    }
}

/// Reads APPENDUID or COPYUID; `None` for others.
fn stored_uids(name: &[u8], arguments: &[u8]) -> Option<CopiedUids> {
    let code = ["APPENDUID", "COPYUID"]
        .into_iter()
        .find(|code| name.eq_ignore_ascii_case(code.as_bytes()))?;
    CopiedUids::read(code, &String::from_utf8_lossy(arguments))
}

fn out_of_turn(what: &'static str, near: &[u8]) -> ProtocolError {
    ProtocolError::OutOfTurn { what, near: excerpt(near) }
}
