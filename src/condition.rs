//! What goes wrong, as a script sees it: an identifier, the server's words, and a message that says what was expected.

use crate::shown::escape_controls;
use std::fmt;

/// What kind of thing happened; `po-condition-identifier` gives it as a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Identifier {
    /// The server answered with a warning, for example that a mailbox was opened read-only.
    Problem,
    /// An informative `OK` that we do not know.
    UnknownOk,
    /// An untagged response that we do not know.
    UnknownUntagged,
    /// The server refused the command; the connection is as good as before.
    ErrorResponse,
    /// The arguments to a function of this interface are malformed; nothing was sent.
    SyntaxError,
    /// A response that cannot be understood and prevents us from going on.
    Unexpected,
    /// The connection broke or could not be made; the socket is closed already.
    ServerShutdownConnection,
    /// No answer within the timeout.
    Timeout,
    /// A response over a limit; the connection is closed.
    ResponseTooLarge,
    /// A password or a letter would have travelled in the clear.
    Insecure,
    /// The server's certificate could not be verified.
    Certificate,
    /// The server refused the user or the password.
    Authentication,
    /// The server refused recipients of a letter.
    RecipientsRefused,
    /// The server does not offer what was asked for.
    Unsupported,
    /// A file could not be read or written.
    File,
    /// A limit on what may be changed does not let this happen; nothing of it was sent.
    Limit,
    /// An untrusted script may not do this.
    NotAllowed,
    /// An error of the script itself or of the interpreter: `(error "…")`, an unbound variable, a wrong type.
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
            Identifier::Unexpected => "unexpected",
            Identifier::ServerShutdownConnection => "server-shutdown-connection",
            Identifier::Timeout => "timeout",
            Identifier::ResponseTooLarge => "response-too-large",
            Identifier::Insecure => "insecure",
            Identifier::Certificate => "certificate",
            Identifier::Authentication => "authentication",
            Identifier::RecipientsRefused => "recipients-refused",
            Identifier::Unsupported => "unsupported",
            Identifier::File => "file",
            Identifier::Limit => "limit",
            Identifier::NotAllowed => "not-allowed",
            Identifier::ProgramError => "program-error",
        }
    }

    /// Whether this is a `po-error`, which stops the program unless handled; else it is a plain `po-condition`.
    pub fn is_error(self) -> bool {
        !matches!(self, Identifier::Problem | Identifier::UnknownOk | Identifier::UnknownUntagged)
    }
}

/// One condition: an error or a warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// What kind of thing happened.
    pub identifier: Identifier,
    /// What happened, in lower case, for people.
    pub message: String,
    /// The server's own words, unescaped; `None` where no server spoke.
    pub server_string: Option<String>,
}

impl Condition {
    /// A condition without a server's words.
    pub fn new(identifier: Identifier, message: impl Into<String>) -> Self {
        Condition { identifier, message: message.into(), server_string: None }
    }

    /// A `:syntax-error`: arguments of a function of this interface are malformed.
    pub fn syntax(message: impl Into<String>) -> Self {
        Condition::new(Identifier::SyntaxError, message)
    }

    /// The same condition with the server's words.
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
}
