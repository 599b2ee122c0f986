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

mod event;
mod receiving;
mod sending;

pub use event::{Completion, Event, OwnedResponse, Piece};

use super::command::{Command, Effect};
use super::encode::Part;
use super::frame::Frame;
use super::kept::Kept;
use super::listed::GivenNames;
use super::response::StatusKind;
use super::state::{Capabilities, SelectedMailbox};
use super::stored::CopiedUids;
use super::verb::Changes;
use crate::proto::Protocol;
use crate::proto::deed::Deed;
use crate::proto::error::ProtocolError;
use crate::proto::limits::Limits;
use crate::proto::outgoing::Outgoing;
use std::collections::VecDeque;

/// Identifies a submitted command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(u32);

impl Handle {
    /// Returns whether the command was sent with this tag.
    pub fn has_tag(self, tag: &[u8]) -> bool {
        tag_of(self).as_bytes() == tag
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

    /// Sets [`SelectedMailbox::unheard`] of the selected mailbox.
    pub fn set_unheard(&mut self, arrived: u64) {
        self.selected.iter_mut().for_each(|selected| selected.unheard = arrived);
    }

    /// Copies received bytes in, instead of [`Session::space`] and [`Session::filled`].
    pub fn receive(&mut self, bytes: &[u8]) {
        self.frame.push(bytes);
    }

    /// Returns whether the session is at rest: no command is in flight and no response has begun.
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && !self.frame.has_unread()
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

fn tag_of(handle: Handle) -> String {
    format!("A{}", handle.0)
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
