//! Suggestions to try after an error.

use crate::condition::{Condition, Identifier};

/// Returns a suggestion of one line for the prompt; `None` if the message already says everything.
pub fn advice(condition: &Condition) -> Option<String> {
    let words = condition.server_string.as_deref().unwrap_or("").to_uppercase();
    let said = |code: &str| words.contains(code);
    let message = condition.message.as_str();
    let function =
        message.split_once(": ").map(|(name, _)| name).filter(|name| !name.contains(' '));
    Some(match condition.identifier {
        Identifier::ErrorResponse if message.contains("no mailbox is selected") => return None,
        Identifier::ErrorResponse if said("[TRYCREATE]") => {
            ":create t makes the destination, or (create-mailbox mb name)".to_owned()
        }
        Identifier::ErrorResponse if said("[NONEXISTENT]") => {
            "(mapcar 'mailbox-list-name (mailbox-list mb)) lists the mailboxes".to_owned()
        }
        Identifier::ErrorResponse if said("[OVERQUOTA]") => {
            "the account is full: delete letters, then (expunge-mailbox mb)".to_owned()
        }
        Identifier::Authentication if said("[IN-USE]") => {
            "another program has the mailbox open: try again when it has left".to_owned()
        }
        Identifier::Authentication => {
            "the :user and :password; some servers want an application password".to_owned()
        }
        Identifier::SyntaxError => format!("(help '{}) tells what it takes", function?),
        Identifier::ServerShutdownConnection if message.contains("may have been delivered") => {
            "look at the recipient's side before you send the letter again".to_owned()
        }
        Identifier::ServerShutdownConnection
            if message.contains("connection") && !message.contains("cannot connect") =>
        {
            "connect again; a connection that was closed stays closed".to_owned()
        }
        Identifier::ServerShutdownConnection => "the host's name, :port and :tls".to_owned(),
        Identifier::Timeout => ":timeout SECONDS waits longer; connect again".to_owned(),
        Identifier::Certificate => {
            ":ca-file \"authority.pem\" trusts one more authority".to_owned()
        }
        Identifier::ResponseTooLarge => {
            "fewer messages or parts at a time, or save-letter, which holds nothing in memory"
                .to_owned()
        }
        Identifier::Unexpected => {
            ":trace on, connect again, and look at what the server says".to_owned()
        }
        Identifier::ProgramError
            if unknown_name(message).is_some() && !message.contains("did you mean") =>
        {
            format!("(apropos \"{}\") finds names", first_part(unknown_name(message)?))
        }
        _ => return None,
    })
}

fn unknown_name(message: &str) -> Option<&str> {
    let function =
        message.strip_prefix("the function ").and_then(|rest| rest.strip_suffix(" is not defined"));
    function.or_else(|| message.strip_prefix("unbound variable: "))
}

/// Returns the longest word of a name, which is the part most likely to be spelt right.
fn first_part(name: &str) -> &str {
    let longest = name.split(['-', '"', '\\']).max_by_key(|part| part.len());
    longest.filter(|part| !part.is_empty()).unwrap_or("mail")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_fits_what_happened() {
        let condition = |identifier, message: &str, words: Option<&str>| Condition {
            identifier,
            message: message.to_owned(),
            server_string: words.map(str::to_owned),
        };
        for (identifier, message, words, part) in [
            (
                Identifier::ErrorResponse,
                "select-mailbox: refused",
                Some("[NONEXISTENT] no"),
                Some("lists the mailboxes"),
            ),
            (
                Identifier::ErrorResponse,
                "fetch-parts: refused; no mailbox is selected: call …",
                Some("[NONEXISTENT]"),
                None,
            ),
            (Identifier::ErrorResponse, "noop: refused", Some("no"), None),
            (
                Identifier::SyntaxError,
                "fetch-parts: expected 3 arguments",
                None,
                Some("(help 'fetch-parts)"),
            ),
            (
                Identifier::ProgramError,
                "the function frobnicate-it is not defined",
                None,
                Some("(apropos \"frobnicate\")"),
            ),
            (Identifier::ProgramError, "unbound variable: mm; did you mean `mb`?", None, None),
            (Identifier::ProgramError, "car: expected a list", None, None),
            (
                Identifier::ServerShutdownConnection,
                "noop: the connection is closed",
                None,
                Some("connect again"),
            ),
            (
                Identifier::ServerShutdownConnection,
                "x: cannot connect to h:143: refused",
                None,
                Some(":port"),
            ),
        ] {
            let found = advice(&condition(identifier, message, words));
            match part {
                Some(part) => assert!(
                    found.as_deref().is_some_and(|found| found.contains(part)),
                    "{message}: {found:?}"
                ),
                None => assert_eq!(found, None, "{message}"),
            }
        }
    }
}
