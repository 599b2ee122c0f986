//! What a session tells its caller: events, the pieces of streamed literals, copies of responses,
//! and how a command ended.

use super::super::frame::{LiteralSpan, Raw};
use super::super::kept::Kept;
use super::super::response::{self, Data, Response, Status, StatusKind};
use super::Handle;
use crate::proto::error::ProtocolError;

/// The events of [`Session::next_event`](super::Session::next_event).
#[derive(Debug, Clone)]
pub enum Event<'a> {
    /// No event is ready: send
    /// [`Session::take_outgoing`](crate::proto::Protocol::take_outgoing), then read more.
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
    /// base64; answer it with [`Session::answer`](super::Session::answer).
    Continue(&'a [u8]),
    /// The bytes of a literal from outside can be sent. Pass this many to
    /// [`Session::feed`](super::Session::feed); the event repeats until all have been given.
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
    /// Whether the literal shall be kept for its response
    /// ([`Session::keep_literals_over`](super::Session::keep_literals_over)).
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
    pub(in super::super) fn copy_of(
        bytes: Vec<u8>,
        literals: Vec<LiteralSpan>,
        kept: &[Kept],
    ) -> Self {
        OwnedResponse { bytes, literals, kept: kept.to_vec(), lost: None }
    }

    pub(in super::super) fn repaired(
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
    /// As [`Session::next_event`](super::Session::next_event).
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
