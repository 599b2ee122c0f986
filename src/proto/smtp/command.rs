//! The SMTP commands, one constructor each.
//!
//! A constructor checks its arguments and returns the command's text in parts, each marked if a
//! trace must hide it. No argument can add a parameter or start a second command: addresses and
//! names with spaces, `<`, `>` or control characters are refused before anything is sent. Commands
//! that must end a pipelined batch (RFC 2920 3.1) are barriers.

use super::body::in_one_chunk;
use super::notices::Notices;
use crate::proto::deed::{Act, Change, Letters};
use crate::proto::error::EncodeError;
use crate::proto::sasl::Mechanism;
use crate::proto::secret::Secret;

/// A command that is ready to be sent.
#[derive(Clone)]
pub struct Command {
    pub(super) name: &'static str,
    /// The text in parts, and whether a trace must hide each.
    pub(super) parts: Vec<(String, bool)>,
    /// What follows the line.
    pub(super) content: Vec<u8>,
    /// Whether nothing more may be sent before its reply.
    pub(super) barrier: bool,
    /// The sending of a letter, which MAIL begins.
    pub(super) change: Option<Change>,
}

/// The parameters of MAIL. The caller sets each only if the server offers the extension.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MailOptions {
    /// The letter's size in bytes (RFC 1870).
    pub size: Option<u64>,
    /// Whether the letter has 8-bit bytes (RFC 6152).
    pub eight_bit: bool,
    /// Whether an address or a header field is not ASCII (RFC 6531).
    pub utf8: bool,
}

impl std::fmt::Debug for Command {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Command({})", self.name)
    }
}

type Built = Result<Command, EncodeError>;

impl Command {
    fn new(name: &'static str, rest: &str, barrier: bool) -> Command {
        let parts = vec![(format!("{name}{rest}"), false)];
        Command { name, parts, content: Vec::new(), barrier, change: None }
    }

    /// The command's name, for messages.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// EHLO with this client's name (RFC 5321 4.1.1.1).
    ///
    /// # Errors
    /// [`EncodeError`] if `name` is empty, longer than 255 bytes, or has a character that neither a
    /// domain name nor an address literal has.
    pub fn ehlo(name: &str) -> Built {
        Ok(Command::new("EHLO", &format!(" {}", domain(name)?), true))
    }

    /// HELO, for servers without EHLO.
    ///
    /// # Errors
    /// As [`Command::ehlo`].
    pub fn helo(name: &str) -> Built {
        Ok(Command::new("HELO", &format!(" {}", domain(name)?), true))
    }

    /// STARTTLS (RFC 3207).
    pub fn starttls() -> Command {
        Command::new("STARTTLS", "", true)
    }

    /// AUTH with a mechanism and its initial response in base64, if it has one (RFC 4954 4).
    pub fn auth(mechanism: Mechanism, initial: Option<&Secret>) -> Command {
        let mut command = Command::new("AUTH", &format!(" {}", mechanism.name()), true);
        if let Some(initial) = initial {
            command.parts.push((" ".into(), false));
            command.parts.push((initial.reveal().to_owned(), true));
        }
        command
    }

    /// MAIL, which starts a transaction: a letter from the reverse path `from` (empty for bounces)
    /// to the recipients `to`. The recipients only describe the change; each also needs an RCPT of
    /// its own.
    ///
    /// # Errors
    /// [`EncodeError`] for a sender address that could end the path or the line, is longer than 512
    /// bytes, or is not ASCII without [`MailOptions::utf8`].
    pub fn mail(from: &str, to: &[String], options: MailOptions) -> Built {
        Command::mail_with(from, to, options, &Notices::default())
    }

    /// MAIL with parameters of DSN (RFC 3461 4.3, 4.4), which the server must offer.
    ///
    /// # Errors
    /// As [`Command::mail`], and as [`Notices::check`].
    pub fn mail_with(
        from: &str,
        to: &[String],
        options: MailOptions,
        notices: &Notices<'_>,
    ) -> Built {
        notices.check()?;
        if !from.is_empty() {
            path("from", from, options.utf8)?;
        }
        let mut text = format!(" FROM:<{from}>");
        if let Some(size) = options.size {
            text.push_str(&format!(" SIZE={size}"));
        }
        if options.eight_bit {
            text.push_str(" BODY=8BITMIME");
        }
        if options.utf8 {
            text.push_str(" SMTPUTF8");
        }
        text.push_str(&notices.of_mail());
        let act = Act::Send { from: from.to_owned(), to: to.to_vec() };
        let change = Some(Change::of_selected(Letters::None, act));
        Ok(Command { change, ..Command::new("MAIL", &text, false) })
    }

    /// RCPT, one recipient. `utf8` allows a non-ASCII address.
    ///
    /// # Errors
    /// As [`Command::mail`], and for an empty address.
    pub fn rcpt(to: &str, utf8: bool) -> Built {
        Command::rcpt_with(to, utf8, &Notices::default())
    }

    /// RCPT with parameters of DSN (RFC 3461 4.1, 4.2), which the server must offer.
    ///
    /// # Errors
    /// As [`Command::rcpt`].
    pub fn rcpt_with(to: &str, utf8: bool, notices: &Notices<'_>) -> Built {
        path("to", to, utf8)?;
        Ok(Command::new("RCPT", &format!(" TO:<{to}>{}", notices.of_rcpt(to)), false))
    }

    /// DATA; after the reply 354 the letter follows.
    pub fn data() -> Command {
        Command::new("DATA", "", true)
    }

    /// BDAT with the whole letter as its only chunk (RFC 3030 2), which the server must offer as
    /// CHUNKING. Line ends become CR LF.
    pub fn letter(letter: &[u8]) -> Command {
        let content = in_one_chunk(letter);
        let rest = format!(" {} LAST", content.len());
        Command { content, ..Command::new("BDAT", &rest, false) }
    }

    /// RSET, which aborts the transaction.
    pub fn rset() -> Command {
        Command::new("RSET", "", false)
    }

    /// VRFY (RFC 5321 3.5.1).
    ///
    /// # Errors
    /// As [`Command::rcpt`].
    pub fn vrfy(address: &str) -> Built {
        path("address", address, false)?;
        Ok(Command::new("VRFY", &format!(" {address}"), true))
    }

    /// QUIT, which ends the session.
    pub fn quit() -> Command {
        Command::new("QUIT", "", true)
    }
}

fn domain(name: &str) -> Result<&str, EncodeError> {
    let fits = !name.is_empty()
        && name.len() <= 255
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.[]:_".contains(&byte));
    if fits {
        Ok(name)
    } else {
        Err(EncodeError::new("helo", "a domain name or an address in brackets", name.as_bytes()))
    }
}

/// Checks an address that is sent between `<` and `>`: nothing in it may end the path, add a
/// parameter or end the line.
fn path(what: &'static str, address: &str, utf8: bool) -> Result<(), EncodeError> {
    let fits = !address.is_empty()
        && address.len() <= 512
        && !address.chars().any(|c| c.is_control() || c.is_whitespace() || "<>".contains(c))
        && (utf8 || address.is_ascii());
    if fits {
        Ok(())
    } else {
        Err(EncodeError::new(
            what,
            "an address such as foo@bar.com, without name, brackets and spaces",
            address.as_bytes(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_becomes_a_parameter_or_a_second_command() {
        for bad in ["a b", "a>", "<a", "a\r\nRCPT TO:<b>", "a\0", "a\u{a0}b", "a> SIZE=1"] {
            assert!(
                Command::mail(bad, &[], MailOptions::default()).is_err()
                    && Command::rcpt(bad, true).is_err()
                    && Command::vrfy(bad).is_err(),
                "{bad:?}"
            );
            assert!(Command::ehlo(bad).is_err(), "{bad:?}");
        }
        assert!(
            Command::rcpt("", true).is_err()
                && Command::rcpt("ü@x", false).is_err()
                && Command::rcpt("ü@x", true).is_ok()
        );
        let options = MailOptions { size: Some(5), eight_bit: true, utf8: true };
        assert_eq!(
            Command::mail("a@b", &[], options).unwrap().parts[0].0,
            "MAIL FROM:<a@b> SIZE=5 BODY=8BITMIME SMTPUTF8"
        );
        assert_eq!(
            Command::mail("", &[], MailOptions::default()).unwrap().parts[0].0,
            "MAIL FROM:<>"
        );
    }
}
