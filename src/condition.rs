//! Errors and warnings as a script sees them.
//!
//! A [`Condition`] has an [`Identifier`], a message that says what happened or was expected, and
//! the server's words if there are any. The server's words are kept as they came and are escaped
//! when they are shown.

use crate::shown::escape_controls;
use std::fmt;

/// The kind of a condition; `po-condition-identifier` returns it as a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Identifier {
    /// A warning of the server or of a function, for example that a mailbox was opened read-only.
    Problem,
    /// The server sent an informative `OK` with an unknown code.
    UnknownOk,
    /// The server sent an untagged response of an unknown kind.
    UnknownUntagged,
    /// The server refused the command; the connection remains usable.
    ErrorResponse,
    /// The arguments of a function of this interface are malformed; nothing was sent.
    SyntaxError,
    /// The server's response cannot be understood, and the operation cannot continue.
    Unexpected,
    /// A warning with the same name: a part of a response cannot be understood and was left out,
    /// and the operation continues.
    Unreadable,
    /// The connection broke or could not be made; it is closed.
    ServerShutdownConnection,
    /// The connection was lost and made anew, but a change may have been made already, or message
    /// numbers may mean other messages now.
    InDoubt,
    /// No answer within the timeout.
    Timeout,
    /// A response exceeded a limit; the connection is closed.
    ResponseTooLarge,
    /// A password or a letter would have been sent unencrypted.
    Insecure,
    /// The server's certificate could not be verified.
    Certificate,
    /// The server refused the user or the password.
    Authentication,
    /// The server refused recipients of a letter.
    RecipientsRefused,
    /// The server does not offer what was requested.
    Unsupported,
    /// A dry run does not know what the server would do.
    CannotForesee,
    /// Letters were selected under another UIDVALIDITY, so they cannot be told any more.
    Stale,
    /// The mailbox has another UIDVALIDITY than the script remembers.
    UidValidityChanged,
    /// A file could not be read or written.
    File,
    /// A limit on changes forbids this; none of it was sent.
    Limit,
    /// An untrusted script may not do this.
    NotAllowed,
    /// An error of the script itself or of the interpreter: `(error "…")`, an unbound variable, a
    /// wrong type.
    ProgramError,
}

impl Identifier {
    /// The keyword without its colon, for example `error-response`.
    pub fn name(self) -> &'static str {
        match self {
            Identifier::Problem => "problem",
            Identifier::UnknownOk => "unknown-ok",
            Identifier::UnknownUntagged => "unknown-untagged",
            Identifier::ErrorResponse => "error-response",
            Identifier::SyntaxError => "syntax-error",
            Identifier::Unexpected | Identifier::Unreadable => "unexpected",
            Identifier::ServerShutdownConnection => "server-shutdown-connection",
            Identifier::InDoubt => "in-doubt",
            Identifier::Timeout => "timeout",
            Identifier::ResponseTooLarge => "response-too-large",
            Identifier::Insecure => "insecure",
            Identifier::Certificate => "certificate",
            Identifier::Authentication => "authentication",
            Identifier::RecipientsRefused => "recipients-refused",
            Identifier::Unsupported => "unsupported",
            Identifier::CannotForesee => "cannot-foresee",
            Identifier::Stale => "stale",
            Identifier::UidValidityChanged => "uid-validity-changed",
            Identifier::File => "file",
            Identifier::Limit => "limit",
            Identifier::NotAllowed => "not-allowed",
            Identifier::ProgramError => "program-error",
        }
    }

    /// Returns whether this is an error, which stops the program unless it is handled. The others
    /// are warnings.
    pub fn is_error(self) -> bool {
        !matches!(
            self,
            Identifier::Problem
                | Identifier::UnknownOk
                | Identifier::UnknownUntagged
                | Identifier::Unreadable
        )
    }
}

/// An error or a warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The kind of the condition.
    pub identifier: Identifier,
    /// The message for people, in lower case.
    pub message: String,
    /// The server's own words, unescaped; `None` if they are not from a server.
    pub server_string: Option<String>,
}

impl Condition {
    /// Makes a condition without a server's words.
    pub fn new(identifier: Identifier, message: impl Into<String>) -> Self {
        Condition { identifier, message: message.into(), server_string: None }
    }

    /// Makes a `:syntax-error`: the arguments of a function of this interface are malformed.
    pub fn syntax(message: impl Into<String>) -> Self {
        Condition::new(Identifier::SyntaxError, message)
    }

    /// Adds the server's words.
    pub fn with_server_string(mut self, words: impl Into<String>) -> Self {
        self.server_string = Some(words.into());
        self
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.message)?;
        if let Some(words) = &self.server_string {
            write!(formatter, " (the server said: {})", escape_controls(words))?;
        }
        Ok(())
    }
}

impl std::error::Error for Condition {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_words_are_escaped_when_shown() {
        let condition = Condition::new(Identifier::ErrorResponse, "select-mailbox: refused")
            .with_server_string("no \u{1b}[2J\u{202e}such");
        assert_eq!(
            condition.to_string(),
            "select-mailbox: refused (the server said: no \\u{1b}[2J\\u{202e}such)"
        );
    }

    /// The identifiers, as [`Identifier::name`] has them.
    fn names() -> Vec<&'static str> {
        let source = include_str!("condition.rs");
        let arms = source.lines().filter_map(|line| {
            let (variant, name) = line.trim().split_once(" => \"")?;
            variant.starts_with("Identifier::").then_some(name.strip_suffix("\",")?)
        });
        arms.collect()
    }

    #[test]
    fn the_readme_has_every_identifier() {
        let readme = include_str!("../README.md");
        let rows = readme.lines().skip_while(|line| *line != "| identifier | when |").skip(2);
        let mut described: Vec<&str> = rows
            .take_while(|line| line.starts_with('|'))
            .flat_map(|line| line.split('|').nth(1).unwrap_or("").split(','))
            .map(|name| name.trim().trim_matches('`').trim_start_matches(':'))
            .collect();
        let mut names = names();
        assert!(names.contains(&Identifier::Limit.name()));
        described.sort_unstable();
        names.sort_unstable();
        assert_eq!(described, names);
    }
}
