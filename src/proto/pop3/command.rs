//! The commands, one constructor each.

use crate::proto::deed::{Act, Change, Letters};
use crate::proto::error::EncodeError;
use crate::proto::sasl::Mechanism;
use crate::proto::secret::Secret;

/// The shape of a command's reply after `+OK`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Line,
    Lines,
}

/// A command that is ready to be sent.
#[derive(Clone)]
pub struct Command {
    pub(super) name: &'static str,
    /// Text, and whether a trace must not show it.
    pub(super) parts: Vec<(String, bool)>,
    pub(super) shape: Shape,
    /// Whether nothing may be sent before its reply.
    pub(super) barrier: bool,
    /// The change it makes. For QUIT the session knows which letters.
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

    /// USER.
    ///
    /// # Errors
    /// [`EncodeError`] for control characters; so for all commands with text.
    pub fn user(user: &str) -> Built {
        Ok(Command::new("USER", Shape::Line).with(line("user", user)?, false).alone())
    }

    /// PASS. A password may hold blanks; what it may not hold is the end of a line.
    ///
    /// # Errors
    /// [`EncodeError`], without showing the text.
    pub fn pass(password: &Secret) -> Built {
        line("password", password.reveal()).map_err(|_| {
            EncodeError::new("password", "text without control characters", b"#<secret>")
        })?;
        Ok(Command::new("PASS", Shape::Line).with(password.reveal().to_owned(), true).alone())
    }

    /// APOP, with the digest of the greeting's timestamp and the password (RFC 1939 7).
    ///
    /// # Errors
    /// [`EncodeError`] for control characters and blanks in the user.
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

    /// AUTH with a mechanism and its initial response in base 64, if it goes along (RFC 5034 4).
    pub fn auth(mechanism: Mechanism, initial: Option<&Secret>) -> Command {
        let command =
            Command::new("AUTH", Shape::Line).with(mechanism.name().to_owned(), false).alone();
        match initial {
            Some(initial) => command.with(initial.reveal().to_owned(), true),
            None => command,
        }
    }

    /// STAT.
    pub fn stat() -> Command {
        Command::new("STAT", Shape::Line)
    }

    /// LIST of all letters.
    pub fn list() -> Command {
        Command::new("LIST", Shape::Lines)
    }

    /// UIDL of one letter, or of all.
    pub fn uidl(number: Option<u32>) -> Command {
        match number {
            Some(number) => Command::new("UIDL", Shape::Line).with(number.to_string(), false),
            None => Command::new("UIDL", Shape::Lines),
        }
    }

    /// RETR.
    pub fn retr(number: u32) -> Command {
        Command::new("RETR", Shape::Lines).with(number.to_string(), false)
    }

    /// TOP: the header and so many lines of the body.
    pub fn top(number: u32, lines: u32) -> Command {
        Command::new("TOP", Shape::Lines)
            .with(number.to_string(), false)
            .with(lines.to_string(), false)
    }

    /// DELE.
    pub fn dele(number: u32) -> Command {
        Command::new("DELE", Shape::Line)
            .with(number.to_string(), false)
            .changing(Act::MarkForRemoval, Letters::Numbers(vec![number]))
    }

    /// RSET: nothing is marked any more.
    pub fn rset() -> Command {
        Command::new("RSET", Shape::Line).changing(Act::Unmark, Letters::Marked)
    }

    /// QUIT: what is marked goes.
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
