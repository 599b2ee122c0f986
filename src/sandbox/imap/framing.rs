//! Splits the client's bytes into commands: lines, literals and their limits.
//!
//! A command is a line. If the line ends in a literal marker, the literal's octets and another line
//! follow, and so on. The marker `{n}` announces a synchronizing literal: the client waits for `+`.
//! `{n+}` announces a non-synchronizing literal: the octets follow without waiting (RFC 7888).
//!
//! Before the server sends `+`, `imap-codec` or `own` must accept the command so far. So a
//! client learns of a mistake before it sends a whole letter. A refused non-synchronizing literal is
//! fatal, since its octets are already on their way and would be read as commands.

use std::borrow::Cow;
use std::io;

use imap_codec::{
    CommandCodec,
    decode::{CommandDecodeError, Decoder},
    imap_types::command::Command,
};

use crate::sandbox::imap::own::{self, Own};
use crate::sandbox::imap::returning::Extended;
use crate::sandbox::imap::utf8;
use crate::sandbox::wire::Transport;
use crate::sandbox::wire::lines::{Line, Lines};
use crate::sandbox::{Extension, Extensions};

/// The longest command, not counting its literals.
const LINE_LIMIT: usize = 64 * 1024;

/// The most octets that all literals of one command may have.
pub(crate) const LITERAL_LIMIT: usize = 64 * 1024 * 1024;

/// The largest non-synchronizing literal that LITERAL- allows (RFC 7888 5).
const LITERAL_MINUS_LIMIT: usize = 4096;

/// Input from the client.
pub(crate) enum Frame {
    Command(Command<'static>),
    /// A command that `imap-codec` does not decode, with its tag.
    Own(String, Own),
    /// Not an executable command. `answer` begins with BAD or NO; after a `fatal` one the session
    /// ends.
    Refused {
        tag: String,
        answer: String,
        fatal: bool,
    },
    /// The client has disconnected.
    End,
}

/// A connection whose input is read as commands.
pub(crate) struct Framing {
    pub(crate) lines: Lines,
    extensions: Extensions,
    /// Whether quoted strings may be in UTF-8.
    pub(crate) takes_utf8: bool,
}

/// A literal announced at the end of a line. `size` is `None` if the number does not fit.
struct Announced {
    size: Option<usize>,
    synchronizing: bool,
}

impl Framing {
    pub(crate) fn new(transport: Transport, extensions: Extensions) -> Framing {
        Framing { lines: Lines::new(transport), extensions, takes_utf8: false }
    }

    /// Reads one command with its literals, and asks the client to send the synchronizing ones.
    pub(crate) fn read_command(&mut self) -> io::Result<Frame> {
        let mut command = Vec::new();
        let (mut line_octets, mut literal_octets) = (0, 0);
        loop {
            let line = match self.lines.read_line(LINE_LIMIT - line_octets)? {
                Line::Complete(line) => line,
                Line::TooLong => {
                    return Ok(refused(&command, "BAD The command line is too long.", false));
                }
                Line::End => return Ok(Frame::End),
            };
            line_octets += line.len();
            command.extend_from_slice(&line);
            let Some(literal) = announced(&line) else { return Ok(self.decode(&command)) };
            if let Some(refusal) = self.agree(&command, &literal, literal_octets)? {
                return Ok(refusal);
            }
            let size = literal.size.unwrap_or(0);
            literal_octets += size;
            if !self.lines.read_exactly(size, &mut command)? {
                return Ok(Frame::End);
            }
        }
    }

    /// Accepts a literal, with `+` if it is synchronizing, or returns the refusal. `before` counts
    /// the octets of earlier literals.
    fn agree(
        &mut self,
        command: &[u8],
        literal: &Announced,
        before: usize,
    ) -> io::Result<Option<Frame>> {
        let size = literal.size.filter(|size| size.saturating_add(before) <= LITERAL_LIMIT);
        let Some(size) = size else {
            return Ok(Some(refused(
                command,
                "NO [TOOBIG] The literal is too big.",
                !literal.synchronizing,
            )));
        };
        if !literal.synchronizing {
            let allowed = self.extensions.has(Extension::LiteralPlus)
                || self.extensions.has(Extension::LiteralMinus) && size <= LITERAL_MINUS_LIMIT;
            return Ok(
                (!allowed).then(|| refused(command, "BAD Such a literal was not offered.", true))
            );
        }
        // Decoding at every literal would take quadratic time, so only commands shorter than a line
        // are checked here. Longer ones are checked when they are complete.
        let plain = self.in_literals(command);
        if command.len() < LINE_LIMIT && !ends_at_literal(&plain) && !own::may_go_on(&plain) {
            return Ok(Some(malformed(command)));
        }
        self.lines.transport.write_all(b"+ Go ahead.\r\n")?;
        Ok(None)
    }

    /// The command with literals for quoted strings that `imap-codec` does not decode.
    fn in_literals<'c>(&self, command: &'c [u8]) -> Cow<'c, [u8]> {
        if self.takes_utf8 { utf8::as_literals(command) } else { Cow::Borrowed(command) }
    }

    fn decode(&self, command: &[u8]) -> Frame {
        let command = &*self.in_literals(command);
        if memchr::memchr(0, command).is_some() {
            // A literal8 may have NUL (RFC 3516 4.4).
            if let Some((tag, own)) = own::decode(command).filter(|(_, own)| own.may_have_nul()) {
                return Frame::Own(tag, own);
            }
            return refused(command, "BAD A command cannot contain NUL.", false);
        }
        match CommandCodec::default().decode_static(command) {
            Ok((b"", command)) => Frame::Command(command),
            _ => match own::decode(command) {
                Some((tag, command)) => Frame::Own(tag, command),
                None => malformed(command),
            },
        }
    }
}

/// Whether `imap-codec` accepts a command so far, without what it does not know.
fn ends_at_literal(command: &[u8]) -> bool {
    let plain = Extended::decode(command).map(|extended| extended.plain("1", "ALL"));
    let decoded = CommandCodec::default().decode(plain.as_deref().unwrap_or(command)).map(drop);
    matches!(decoded, Err(CommandDecodeError::LiteralFound { .. }))
}

/// The literal announced at the end of a line: `{5}`, `{5+}` or `~{5}`.
fn announced(line: &[u8]) -> Option<Announced> {
    let line = line.strip_suffix(b"\n")?;
    let inner = line.strip_suffix(b"\r").unwrap_or(line).strip_suffix(b"}")?;
    let digits = &inner[memchr::memrchr(b'{', inner)? + 1..];
    let (digits, synchronizing) = match digits.strip_suffix(b"+") {
        Some(digits) => (digits, false),
        None => (digits, true),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // A number that does not fit means a literal that is too big, not a line without a literal.
    let size = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
    Some(Announced { size, synchronizing })
}

/// Explains as far as possible why `imap-codec` could not decode a command.
fn malformed(command: &[u8]) -> Frame {
    let line_end = memchr::memchr(b'\n', command).map_or(command.len(), |at| at);
    let line = &command[..line_end];
    if line.trim_ascii().is_empty() {
        return refused(command, "BAD The line is empty.", false);
    }
    if !line.ends_with(b"\r") {
        return refused(command, "BAD A line must end with CRLF.", false);
    }
    if tag_of(command) == "*" {
        return refused(command, "BAD The line does not begin with a tag.", false);
    }
    let words: Vec<&[u8]> = line.trim_ascii().split(|byte| *byte == b' ').collect();
    let Some(verb) = words.get(1).filter(|verb| !verb.is_empty()) else {
        return refused(command, "BAD There is no command behind the tag.", false);
    };
    let verb: String = verb
        .iter()
        .take(20)
        .map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '?' })
        .collect();
    refused(
        command,
        &format!("BAD Command {} is unknown or has wrong arguments.", verb.to_uppercase()),
        false,
    )
}

fn refused(command: &[u8], answer: &str, fatal: bool) -> Frame {
    Frame::Refused { tag: tag_of(command), answer: answer.to_owned(), fatal }
}

/// The tag at the beginning of a line, or `*` if it is not a valid tag: answers must not echo
/// arbitrary bytes.
fn tag_of(command: &[u8]) -> String {
    let end = command.iter().position(|byte| b" \r\n".contains(byte)).unwrap_or(command.len());
    let tag = &command[..end];
    let sound = |byte: &u8| byte.is_ascii_graphic() && !b"(){%*\"\\+".contains(byte);
    if tag.is_empty() || tag.len() > 100 || !tag.iter().all(sound) {
        return "*".to_owned();
    }
    String::from_utf8_lossy(tag).into_owned()
}
