//! The POP3 commands, one constructor each.
//!
//! A constructor checks its arguments and returns the command's text in parts, each marked if a
//! trace must hide it. An argument with control characters is refused, so none can start a second
//! command. Login commands, STLS and QUIT are barriers: they are sent alone, and nothing is sent
//! until they are answered.

use crate::proto::deed::{Act, Change, Letters};
use crate::proto::error::EncodeError;
use crate::proto::sasl::Mechanism;
use crate::proto::secret::Secret;

/// The shape of the reply after `+OK`: nothing more, or a multi-line body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Line,
    Lines,
}

/// A command that is ready to be sent.
#[derive(Clone)]
pub struct Command {
    pub(super) name: &'static str,
    /// The text in parts, and whether a trace must hide each.
    pub(super) parts: Vec<(String, bool)>,
    pub(super) shape: Shape,
    /// Whether it is sent alone, and nothing more before its reply.
    pub(super) barrier: bool,
    /// The change it makes. For QUIT and RSET the session fills in which letters.
    pub(super) change: Option<Change>,
}

impl std::fmt::Debug for Command {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Command({})", self.name)
    }
}

type Built = Result<Command, EncodeError>;

impl Command {
    fn new(name: &'static str, shape: Shape) -> Command {
        Command { name, parts: vec![(name.to_owned(), false)], shape, barrier: false, change: None }
    }

    fn with(mut self, text: String, secret: bool) -> Command {
        self.parts.push((" ".into(), false));
        self.parts.push((text, secret));
        self
    }

    fn changing(self, act: Act, letters: Letters) -> Command {
        Command { change: Some(Change::of_selected(letters, act)), ..self }
    }

    fn alone(mut self) -> Command {
        self.barrier = true;
        self
    }

    /// The command's name, for messages.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// CAPA (RFC 2449 5).
    pub fn capa() -> Command {
        Command::new("CAPA", Shape::Lines)
    }

    /// STLS (RFC 2595 4).
    pub fn stls() -> Command {
        Command::new("STLS", Shape::Line).alone()
    }

    /// USER (RFC 1939 7).
    ///
    /// # Errors
    /// [`EncodeError`] for an empty name or control characters; the same holds for every command
    /// with text.
    pub fn user(user: &str) -> Built {
        Ok(Command::new("USER", Shape::Line).with(line("user", user)?, false).alone())
    }

    /// PASS (RFC 1939 7). A password may contain spaces, but no control characters.
    ///
    /// # Errors
    /// [`EncodeError`] for an empty password or control characters; it does not show the text.
    pub fn pass(password: &Secret) -> Built {
        line("password", password.reveal()).map_err(|_| {
            EncodeError::new("password", "text without control characters", b"#<secret>")
        })?;
        Ok(Command::new("PASS", Shape::Line).with(password.reveal().to_owned(), true).alone())
    }

    /// APOP, with the digest of the greeting's timestamp and the password (RFC 1939 7).
    ///
    /// # Errors
    /// [`EncodeError`] for control characters, and for spaces in the user.
    pub fn apop(user: &str, digest: &str) -> Built {
        if user.contains(' ') {
            return Err(EncodeError::new(
                "user",
                "a name without blanks, for APOP",
                user.as_bytes(),
            ));
        }
        Ok(Command::new("APOP", Shape::Line)
            .with(line("user", user)?, false)
            .with(line("digest", digest)?, true)
            .alone())
    }

    /// AUTH with a mechanism and its initial response in base64, if it is sent along (RFC 5034 4).
    pub fn auth(mechanism: Mechanism, initial: Option<&Secret>) -> Command {
        let command =
            Command::new("AUTH", Shape::Line).with(mechanism.name().to_owned(), false).alone();
        match initial {
            Some(initial) => command.with(initial.reveal().to_owned(), true),
            None => command,
        }
    }

    /// STAT: the number of letters and their total size (RFC 1939 5).
    pub fn stat() -> Command {
        Command::new("STAT", Shape::Line)
    }

    /// LIST: the sizes of all letters.
    pub fn list() -> Command {
        Command::new("LIST", Shape::Lines)
    }

    /// UIDL: the unique identifier of one letter, or of all.
    pub fn uidl(number: Option<u32>) -> Command {
        match number {
            Some(number) => Command::new("UIDL", Shape::Line).with(number.to_string(), false),
            None => Command::new("UIDL", Shape::Lines),
        }
    }

    /// RETR: one whole letter.
    pub fn retr(number: u32) -> Command {
        Command::new("RETR", Shape::Lines).with(number.to_string(), false)
    }

    /// TOP: the header and the first `lines` lines of the body.
    pub fn top(number: u32, lines: u32) -> Command {
        Command::new("TOP", Shape::Lines)
            .with(number.to_string(), false)
            .with(lines.to_string(), false)
    }

    /// DELE: marks one letter for removal.
    pub fn dele(number: u32) -> Command {
        Command::new("DELE", Shape::Line)
            .with(number.to_string(), false)
            .changing(Act::MarkForRemoval, Letters::Numbers(vec![number]))
    }

    /// RSET: clears all marks.
    pub fn rset() -> Command {
        Command::new("RSET", Shape::Line).changing(Act::Unmark, Letters::Marked)
    }

    /// QUIT: removes the marked letters and ends the session.
    pub fn quit() -> Command {
        Command::new("QUIT", Shape::Line).alone().changing(Act::Remove, Letters::Marked)
    }
}

fn line(what: &'static str, text: &str) -> Result<String, EncodeError> {
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(EncodeError::new(what, "text without control characters", text.as_bytes()));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_becomes_a_second_command() {
        for bad in ["a\r\nDELE 1", "a\nb", "\0", ""] {
            assert!(
                Command::user(bad).is_err()
                    && Command::pass(&Secret::new(bad)).is_err()
                    && Command::apop(bad, "0").is_err(),
                "{bad:?}"
            );
        }
        assert!(Command::apop("a b", "0").is_err());
        let refused = Command::pass(&Secret::new("hunter2\n")).unwrap_err();
        assert!(!refused.to_string().contains("hunter"));
    }
}
