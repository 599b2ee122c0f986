//! The IMAP session: commands in, bytes out; bytes in, events out.
//!
//! Commands wait in one queue, in the order of submission. Their text is sent as far as possible:
//! up to a literal for which the server must first send `+` (RFC 3501 4.3), or up to a command that
//! nothing may follow until it has ended (STARTTLS, logins, IDLE, LOGOUT). The server may finish
//! commands in any order (5.5); a tagged response ends the command with that tag.
//!
//! A literal may come from outside, that is, from the caller while it is being sent. Only its
//! length is sent with the command; [`Event::LiteralWanted`] then asks for the bytes piece by
//! piece. If the server refuses the command in the meantime, it still expects the announced bytes
//! and would read anything else as part of them (RFC 7888 4). So such a command stays in the queue
//! until its literal is complete.
//!
//! | response | goes to | is a protocol error if |
//! |---|---|---|
//! | greeting | [`Event::Greeting`] | it is not an untagged OK, PREAUTH or BYE |
//! | `+` | the command being sent, else [`Event::Continue`] | no command waits for it |
//! | tagged | [`Event::Done`] | its tag is not in flight, or OK precedes the end of the command |
//! | untagged | [`Event::Data`] or [`Event::Status`], after the state | limit `responses` is hit |

use super::command::{Command, Effect};
use super::encode::{Form, Part};
use super::frame::{Frame, LiteralSpan, Raw, Step};
use super::kept::Kept;
use super::listed::GivenNames;
use super::response::{self, Data, Response, Status, StatusKind};
use super::state::{Capabilities, SelectedMailbox};
use super::stored::CopiedUids;
use super::verb::Changes;
use crate::proto::Protocol;
use crate::proto::deed::Deed;
use crate::proto::error::{ProtocolError, excerpt};
use crate::proto::limits::Limits;
use crate::proto::outgoing::Outgoing;
use crate::proto::secret::Secret;
use std::collections::VecDeque;
use zeroize::Zeroize;

/// Identifies a submitted command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(u32);

impl Handle {
    /// Returns whether the command was sent with this tag.
    pub fn has_tag(self, tag: &[u8]) -> bool {
        tag_of(self).as_bytes() == tag
    }
}

/// The events of [`Session::next_event`].
#[derive(Debug, Clone)]
pub enum Event<'a> {
    /// No event is ready: send [`Session::take_outgoing`], then read more.
    NeedBytes,
    /// The first response of the connection.
    Greeting(Status<'a>),
    /// Untagged data.
    Data(Data<'a>),
    /// An untagged status.
    Status(Status<'a>),
    /// An untagged response that cannot be read.
    Unreadable {
        /// The fault.
        what: &'static str,
        /// The response.
        bytes: &'a [u8],
    },
    /// A piece of a literal that is being streamed.
    Piece(Piece<'a>),
    /// The server waits for the client: IDLE has begun, or this is a challenge of AUTHENTICATE, in
    /// base64; answer it with [`Session::answer`].
    Continue(&'a [u8]),
    /// The bytes of a literal from outside can be sent. Pass this many to [`Session::feed`]; the
    /// event repeats until all have been given.
    LiteralWanted(u64),
    /// A command ended.
    Done {
        /// The command.
        handle: Handle,
        /// How it ended.
        status: Status<'a>,
    },
}

/// A piece of a streamed literal.
#[derive(Debug, Clone)]
pub struct Piece<'a> {
    /// The response up to the literal: `* 12 FETCH (UID 5 BODY[] {60000000}`.
    pub before: &'a [u8],
    /// The piece's bytes.
    pub bytes: &'a [u8],
    /// Whether this is the literal's last piece.
    pub last: bool,
    /// Whether the literal shall be kept for its response ([`Session::keep_literals_over`]).
    pub to_keep: bool,
}

/// A copy of a response that outlives the buffer.
#[derive(Debug, Clone)]
pub struct OwnedResponse {
    bytes: Vec<u8>,
    literals: Vec<LiteralSpan>,
    kept: Vec<Kept>,
    /// For a response that `repair` has written: what it could not read.
    lost: Option<String>,
}

impl OwnedResponse {
    pub(super) fn copy_of(bytes: Vec<u8>, literals: Vec<LiteralSpan>, kept: &[Kept]) -> Self {
        OwnedResponse { bytes, literals, kept: kept.to_vec(), lost: None }
    }

    pub(super) fn repaired(
        bytes: Vec<u8>,
        literals: Vec<LiteralSpan>,
        kept: &[Kept],
        lost: String,
    ) -> Self {
        OwnedResponse { lost: Some(lost), ..OwnedResponse::copy_of(bytes, literals, kept) }
    }

    /// Its size in bytes, with literals that are kept elsewhere.
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64 + self.kept.iter().map(|kept| kept.size()).sum::<u64>()
    }

    /// Parses it; `None` unless it is untagged data. `max_depth` limits the nesting of parentheses.
    ///
    /// # Errors
    /// As [`Session::next_event`].
    pub fn data(&self, max_depth: usize) -> Result<Option<Data<'_>>, ProtocolError> {
        let raw = Raw { bytes: &self.bytes, literals: &self.literals, kept: &self.kept };
        let Response::Data(data) = response::parse(raw, max_depth)? else { return Ok(None) };
        Ok(Some(match &self.lost {
            Some(lost) => {
                let lost = Some(lost.as_str()).filter(|lost| !lost.is_empty());
                Data { tokens: data.tokens.of_repaired(), lost, ..data }
            }
            None => data,
        }))
    }
}

/// How a command ended, as owned text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// OK, NO or BAD.
    pub kind: StatusKind,
    /// The code's name in upper case and its arguments.
    pub code: Option<(String, String)>,
    /// The text without the code.
    pub text: String,
}

impl From<&Status<'_>> for Completion {
    fn from(status: &Status<'_>) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code =
            status.code.map(|code| (text(code.name).to_ascii_uppercase(), text(code.arguments)));
        Completion { kind: status.kind, code, text: text(status.text) }
    }
}

impl Completion {
    /// The server's text with the code before it.
    pub fn words(&self) -> String {
        match &self.code {
            Some((name, arguments)) if arguments.is_empty() => format!("[{name}] {}", self.text),
            Some((name, arguments)) => format!("[{name} {arguments}] {}", self.text),
            None => self.text.clone(),
        }
    }
}

#[derive(Debug)]
struct InFlight {
    handle: Handle,
    effect: Effect,
    parts: VecDeque<Part>,
    sending: Sending,
    responses: u64,
    /// How many `+` it has brought.
    challenges: u32,
    capabilities_seen: u64,
    /// Whether the server refused it before it was wholly sent. The rest of its literal must still
    /// be sent then.
    refused: bool,
    /// Whether an IDLE shall end.
    is_ending: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sending {
    /// Nothing has been sent yet.
    Not,
    /// Text can be sent.
    Going,
    /// The server must send `+` before the next part.
    WaitsForContinue,
    /// The literal's bytes come from outside.
    WaitsForBytes,
    /// Everything has been sent.
    Done,
}

/// One IMAP connection's protocol state.
#[derive(Debug)]
pub struct Session {
    limits: Limits,
    frame: Frame,
    out: Outgoing,
    queue: VecDeque<InFlight>,
    next_tag: u32,
    greeted: bool,
    capabilities: Capabilities,
    /// How often the server has announced its capabilities; starting TLS counts too.
    capabilities_told: u64,
    enabled: Enabled,
    selected: Option<SelectedMailbox>,
    selections: u64,
    given_names: GivenNames,
    ended: bool,
    /// Whether the last response was a status, whose text may go on in the next line.
    was_status: bool,
    found: Found,
    /// Where the command at the front has stored letters, as the server said.
    stored: Option<CopiedUids>,
}

/// What the server has enabled (RFC 5161).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Enabled {
    /// QRESYNC (RFC 7162): the server may answer with VANISHED.
    qresync: bool,
    /// UTF8=ACCEPT (RFC 6855): names and strings travel as UTF-8, and letters may have headers in
    /// UTF-8.
    utf8_accept: bool,
    /// IMAP4rev2 (RFC 9051): names and strings travel as UTF-8, `\Recent` and LSUB are gone.
    rev2: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    NeedBytes,
    Greeting,
    Untagged,
    Piece,
    Continue,
    LiteralWanted,
    Done(Handle),
}

impl Session {
    /// Makes a session that waits for the greeting.
    pub fn new(limits: Limits) -> Self {
        Session {
            frame: Frame::new(limits.clone()),
            limits,
            out: Outgoing::default(),
            queue: VecDeque::new(),
            next_tag: 0,
            greeted: false,
            capabilities: Capabilities::default(),
            capabilities_told: 0,
            enabled: Enabled::default(),
            selected: None,
            selections: 0,
            given_names: GivenNames::default(),
            ended: false,
            was_status: false,
            found: Found::NeedBytes,
            stored: None,
        }
    }

    /// Continues the tags and the count of selections of an earlier session with the same server,
    /// so that its handles and epochs mean nothing here.
    pub fn following(self, earlier: &Session) -> Self {
        Session { next_tag: earlier.next_tag, selections: earlier.selections, ..self }
    }

    /// Sends names as the server gave them in an earlier session.
    pub fn keep_names_of(&mut self, earlier: &Session) {
        self.given_names = earlier.given_names.clone();
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The server's current capabilities.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Returns whether the server has enabled QRESYNC.
    pub fn has_qresync(&self) -> bool {
        self.enabled.qresync
    }

    /// Returns whether the session is one of IMAP4rev2 (RFC 9051): it is enabled, or the server
    /// knows nothing else.
    pub fn is_rev2(&self) -> bool {
        self.enabled.rev2 || self.capabilities.is_only_rev2()
    }

    /// Returns whether strings travel as UTF-8: UTF8=ACCEPT (RFC 6855 3) is enabled, or the session
    /// is one of IMAP4rev2 (RFC 9051 4.3).
    pub fn has_utf8(&self) -> bool {
        self.enabled.utf8_accept || self.is_rev2()
    }

    /// Returns whether mailbox names travel as UTF-8 instead of modified UTF-7: where strings do,
    /// unless the server goes on with modified UTF-7.
    pub fn utf8_names(&self) -> bool {
        self.has_utf8() && !self.given_names.are_utf7()
    }

    /// The selected mailbox, including one whose SELECT has not been answered yet.
    pub fn selected(&self) -> Option<&SelectedMailbox> {
        self.selected.as_ref()
    }

    /// How many commands that select or leave a mailbox have been submitted.
    pub fn selections(&self) -> u64 {
        self.selections
    }

    /// Returns whether the server sent BYE or completed a LOGOUT.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Returns how many commands have not ended.
    pub fn in_flight(&self) -> usize {
        self.queue.len()
    }

    /// Sets the threshold for streaming: longer literals arrive as [`Event::Piece`]. `None`, the
    /// default, keeps every literal whole.
    pub fn stream_literals_over(&mut self, bytes: Option<u64>) {
        self.frame.stream_literals_over(bytes);
    }

    /// Takes the bytes behind the response found last: after the OK to COMPRESS they are compressed.
    pub fn take_unread(&mut self) -> Vec<u8> {
        self.frame.take_unread()
    }

    /// Sets the threshold for keeping: literals over it arrive as [`Event::Piece`], too, unless they
    /// are streamed. After the last piece, [`Session::keep_literal`] attaches what was kept to the
    /// response. `None` is the default.
    pub fn keep_literals_over(&mut self, bytes: Option<u64>) {
        self.frame.keep_literals_over(bytes);
    }

    /// Attaches the bytes of the literal whose last piece was just shown to its response.
    pub fn keep_literal(&mut self, kept: Kept) {
        self.frame.keep_literal(kept);
    }

    /// Ends IDLE with `DONE`, once the server idles: before its `+` it would take `DONE` for a
    /// command. Does nothing if no IDLE is in flight, or if this was called for it already.
    pub fn end_idle(&mut self) {
        if let Some(idle) = self.queue.iter_mut().find(|command| command.effect == Effect::Idle) {
            let has_begun = idle.challenges > 0;
            if !std::mem::replace(&mut idle.is_ending, true) && has_begun {
                self.out.push(b"DONE\r\n", false);
            }
        }
    }

    /// Returns whether the server idles: it has answered IDLE with `+`.
    pub fn is_idling(&self) -> bool {
        let idle = self.queue.iter().find(|command| command.effect == Effect::Idle);
        idle.is_some_and(|command| command.challenges > 0)
    }

    /// Sets [`SelectedMailbox::unheard`] of the selected mailbox.
    pub fn set_unheard(&mut self, arrived: u64) {
        self.selected.iter_mut().for_each(|selected| selected.unheard = arrived);
    }

    /// Returns how many bytes of a literal from outside can be given to [`Session::feed`] now.
    pub fn literal_wanted(&self) -> u64 {
        let waits = self.queue.iter().find(|command| command.sending == Sending::WaitsForBytes);
        waits.and_then(|command| command.parts.front()).map_or(0, |part| part.outside)
    }

    /// Sends the next bytes of the literal that [`Event::LiteralWanted`] asks for. Bytes beyond the
    /// literal's end are ignored.
    pub fn feed(&mut self, bytes: &[u8]) {
        let Some(position) =
            self.queue.iter().position(|command| command.sending == Sending::WaitsForBytes)
        else {
            return;
        };
        let command = &mut self.queue[position];
        let Some(part) = command.parts.front_mut() else { return };
        let count = usize::try_from(part.outside).unwrap_or(usize::MAX).min(bytes.len());
        self.out.push(&bytes[..count], false);
        part.outside -= count as u64;
        if part.outside > 0 {
            return;
        }
        command.sending = Sending::Going;
        self.pump();
        if self.queue[position].refused {
            self.queue.remove(position);
        }
    }

    /// Answers a challenge of AUTHENTICATE; `answer` is in base64.
    pub fn answer(&mut self, answer: &Secret) {
        self.out.push(answer.reveal().as_bytes(), true);
        self.out.push(b"\r\n", false);
    }

    /// Copies received bytes in, instead of [`Session::space`] and [`Session::filled`].
    pub fn receive(&mut self, bytes: &[u8]) {
        self.frame.push(bytes);
    }

    /// Returns whether the session is at rest: no command is in flight and no response has begun.
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && !self.frame.has_unread()
    }

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

    /// Finds and returns the next event.
    ///
    /// # Errors
    /// [`ProtocolError`]; the connection must then be closed.
    pub fn next_event(&mut self) -> Result<Event<'_>, ProtocolError> {
        self.find_event()?;
        self.current_event()
    }

    /// Returns the event that was found last.
    ///
    /// # Errors
    /// As [`Session::next_event`].
    pub fn current_event(&self) -> Result<Event<'_>, ProtocolError> {
        self.view(self.found)
    }

    /// Whether a line begins with the tag of a command in flight.
    fn has_tag_in_flight(&self, line: &[u8]) -> bool {
        let word = line.split(|byte| *byte == b' ').next().unwrap_or_default();
        self.queue.iter().any(|command| tag_of(command.handle).as_bytes() == word)
    }

    fn advance(&mut self) -> Result<Found, ProtocolError> {
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

    fn view(&self, found: Found) -> Result<Event<'_>, ProtocolError> {
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

    fn check_nothing_behind_starttls(&self) -> Result<(), ProtocolError> {
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

    /// Writes as much of the queue as may be sent now.
    fn pump(&mut self) {
        let (has_utf8, utf8_names) = (self.has_utf8(), self.utf8_names());
        for command in &mut self.queue {
            if command.sending == Sending::Not {
                command.sending = Sending::Going;
                self.out.push(format!("{} ", tag_of(command.handle)).as_bytes(), false);
            }
            while command.sending == Sending::Going {
                let Some(part) = command.parts.front_mut() else {
                    self.out.push(b"\r\n", false);
                    command.sending = Sending::Done;
                    break;
                };
                match part.form {
                    Form::Mailbox | Form::Pattern => {
                        let given = self.given_names.get(&part.bytes).map(<[u8]>::to_vec);
                        part.encode_name(utf8_names, given.as_deref());
                    }
                    Form::Utf8 => part.encode_text(has_utf8),
                    Form::IfUtf8Accepted if !self.enabled.utf8_accept => part.bytes.clear(),
                    Form::UnlessUtf8 if has_utf8 => part.bytes.clear(),
                    _ => {}
                }
                if part.form == Form::Literal {
                    let at_once = self.capabilities.has("LITERAL+")
                        || (self.capabilities.has("LITERAL-") && part.length() <= 4096);
                    let sign = if at_once { "+" } else { "" };
                    self.out.push(format!("{{{}{sign}}}\r\n", part.length()).as_bytes(), false);
                    part.form = Form::Text;
                    if !at_once {
                        command.sending = Sending::WaitsForContinue;
                        break;
                    }
                }
                if part.outside > 0 {
                    command.sending = Sending::WaitsForBytes;
                    break;
                }
                self.out.push(&part.bytes, part.secret);
                if part.secret {
                    part.bytes.zeroize();
                }
                command.parts.pop_front();
            }
            if command.sending != Sending::Done
                || matches!(
                    command.effect,
                    Effect::StartTls
                        | Effect::LogIn
                        | Effect::Authenticate
                        | Effect::Idle
                        | Effect::Logout
                )
            {
                break; // nothing may follow these before they have ended
            }
        }
    }
}

impl Protocol for Session {
    const NAME: &'static str = "imap";
    type Command = Command;
    type Handle = Handle;

    fn deed(&self, command: &Command) -> Option<Deed> {
        let change = command.change()?;
        let has_uidplus = self.capabilities().offers("UIDPLUS");
        if change.mailbox.is_some() {
            return Some(Deed { has_uidplus, ..Deed::new(change.clone()) });
        }
        let selected = self.selected.as_ref();
        // In a read-only mailbox FETCH sets no flag and CLOSE removes nothing.
        if command.verb().row().changes == Changes::Sometimes
            && selected.is_some_and(|selected| selected.read_only)
        {
            return None;
        }
        let mut deed = Deed { has_uidplus, ..Deed::new(change.clone()) };
        deed.mailbox = selected.map(|selected| selected.name.clone());
        deed.uid_validity = selected.and_then(|selected| selected.uid_validity);
        Some(deed)
    }

    fn submit(&mut self, command: Command) -> Handle {
        self.next_tag = self.next_tag.wrapping_add(1);
        let handle = Handle(self.next_tag);
        // After this command only its answer can come.
        self.was_status &= !self.queue.is_empty();
        if matches!(command.effect, Effect::Select { .. } | Effect::Unselect) {
            self.selections += 1;
        }
        if let Effect::Select { name, read_only } = &command.effect {
            // Responses from here on concern the new mailbox.
            self.selected = Some(SelectedMailbox {
                name: name.clone(),
                read_only: *read_only,
                ..Default::default()
            });
        }
        self.queue.push_back(InFlight {
            handle,
            effect: command.effect,
            parts: command.parts.into(),
            sending: Sending::Not,
            responses: 0,
            challenges: 0,
            capabilities_seen: self.capabilities_told,
            refused: false,
            is_ending: false,
        });
        self.pump();
        handle
    }

    fn ended(&self) -> Option<(Handle, bool)> {
        let Found::Done(handle) = self.found else { return None };
        let Ok(Event::Done { status, .. }) = self.current_event() else { return None };
        Some((handle, status.kind == StatusKind::Ok))
    }

    fn stored(&self) -> Option<&CopiedUids> {
        self.stored.as_ref()
    }

    fn is_wholly_sent(&self, handle: Handle) -> bool {
        let is_it = |command: &&InFlight| command.handle == handle;
        self.queue.iter().find(is_it).is_none_or(|command| command.sending == Sending::Done)
    }

    fn take_outgoing(&mut self) -> Outgoing {
        std::mem::take(&mut self.out)
    }

    fn space(&mut self) -> &mut [u8] {
        self.frame.space()
    }

    fn filled(&mut self, count: usize) {
        self.frame.filled(count);
    }

    fn tls_established(&mut self) -> Result<(), ProtocolError> {
        self.check_nothing_behind_starttls()?;
        self.capabilities.clear();
        self.capabilities_told += 1;
        self.selected = None;
        self.given_names = GivenNames::default();
        self.enabled = Enabled::default();
        self.frame.tls_established();
        Ok(())
    }

    fn find_event(&mut self) -> Result<bool, ProtocolError> {
        self.found = self.advance()?;
        if self.found == Found::NeedBytes && self.literal_wanted() > 0 {
            self.found = Found::LiteralWanted;
        }
        Ok(self.found != Found::NeedBytes)
    }
}

/// Reads APPENDUID or COPYUID; `None` for others.
fn stored_uids(name: &[u8], arguments: &[u8]) -> Option<CopiedUids> {
    let code = ["APPENDUID", "COPYUID"]
        .into_iter()
        .find(|code| name.eq_ignore_ascii_case(code.as_bytes()))?;
    CopiedUids::read(code, &String::from_utf8_lossy(arguments))
}

fn tag_of(handle: Handle) -> String {
    format!("A{}", handle.0)
}

fn out_of_turn(what: &'static str, near: &[u8]) -> ProtocolError {
    ProtocolError::OutOfTurn { what, near: excerpt(near) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a session that has submitted IDLE after `before` other commands.
    fn idling(before: usize) -> Session {
        let mut session = Session::new(Limits::default());
        session.receive(b"* OK hello\r\n");
        session.next_event().unwrap();
        for _ in 0..before {
            session.submit(Command::noop());
        }
        session.submit(Command::idle());
        session.take_outgoing();
        session
    }

    fn sent(session: &mut Session) -> String {
        String::from_utf8(session.take_outgoing().bytes().to_vec()).unwrap()
    }

    fn hear(session: &mut Session, text: &str) {
        session.receive(text.as_bytes());
        assert!(session.find_event().unwrap(), "{text}");
    }

    #[test]
    fn the_further_lines_of_a_text_are_skipped_and_no_others() {
        let mut session = Session::new(Limits::default());
        session.receive(b"* OK hello\r\nand welcome\r\n\r\n");
        assert!(matches!(session.next_event(), Ok(Event::Greeting(_))));
        assert!(matches!(session.next_event(), Ok(Event::NeedBytes)));
        session.submit(Command::noop());
        session.receive(b"* OK one\r\n two\r\nthree {5}\r\nA1 OK four\r\nfive\r\n");
        assert!(matches!(session.next_event(), Ok(Event::Status(_))));
        assert!(matches!(session.next_event(), Ok(Event::Done { .. })));
        assert!(matches!(session.next_event(), Ok(Event::NeedBytes)));
        for line in ["nonsense\r\n", "* 1 EXISTS\r\nnonsense\r\n", "* OK x\r\nA7 OK done\r\n"] {
            let mut session = Session::new(Limits::default());
            session.receive(b"* OK hello\r\n");
            session.next_event().unwrap();
            session.submit(Command::noop());
            session.receive(line.as_bytes());
            let mut events = std::iter::from_fn(|| match session.next_event() {
                Ok(Event::NeedBytes) => None,
                Ok(_) => Some(true),
                Err(_) => Some(false),
            });
            assert!(events.any(|is_read| !is_read), "{line}");
        }
    }

    #[test]
    fn done_waits_until_the_server_idles() {
        let mut session = idling(0);
        session.end_idle();
        session.end_idle();
        assert_eq!(sent(&mut session), "");
        hear(&mut session, "* 1 EXISTS\r\n");
        assert_eq!(sent(&mut session), "");
        hear(&mut session, "+ idling\r\n");
        assert_eq!(sent(&mut session), "DONE\r\n");
        session.end_idle();
        assert_eq!(sent(&mut session), "", "DONE goes out once");
        hear(&mut session, "A1 OK done\r\n");
        assert_eq!(session.in_flight(), 0);

        let mut session = idling(0);
        hear(&mut session, "+ idling\r\n");
        assert_eq!(sent(&mut session), "");
        session.end_idle();
        assert_eq!(sent(&mut session), "DONE\r\n");
    }

    #[test]
    fn no_done_follows_a_refused_idle() {
        let mut session = idling(0);
        session.submit(Command::noop()); // waits for the end of IDLE
        session.end_idle();
        hear(&mut session, "A1 NO not now\r\n");
        assert_eq!(sent(&mut session), "A2 NOOP\r\n");
        session.end_idle();
        assert_eq!(sent(&mut session), "");
    }

    #[test]
    fn idle_after_other_commands_can_be_ended_too() {
        let mut session = idling(1);
        session.end_idle();
        hear(&mut session, "A1 OK done\r\n");
        assert_eq!(sent(&mut session), "");
        hear(&mut session, "+ idling\r\n");
        assert_eq!(sent(&mut session), "DONE\r\n");
    }
}
