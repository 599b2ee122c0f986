//! Commands about the connection: capabilities, login, TLS, compression, ENABLE, IDLE, NOTIFY, ID.

use super::super::encode::{Encoder, Part};
use super::super::verb::Verb;
use super::{Built, Command, Effect};
use crate::proto::error::EncodeError;
use crate::proto::sasl::Mechanism;
use crate::proto::secret::Secret;

/// The mailboxes that NOTIFY watches besides the selected one (RFC 5465 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watched<'w> {
    /// Those with these names; there may be none.
    Mailboxes(&'w [&'w str]),
    /// All in the user's personal namespaces.
    Personal,
}

impl Command {
    /// CAPABILITY (RFC 3501 6.1.1).
    pub fn capability() -> Command {
        Command::plain(Verb::Capability)
    }

    /// NOOP (6.1.2).
    pub fn noop() -> Command {
        Command::plain(Verb::Noop)
    }

    /// LOGOUT (6.1.3).
    pub fn logout() -> Command {
        Command::plain(Verb::Logout).with_effect(Effect::Logout)
    }

    /// STARTTLS (6.2.1).
    pub fn starttls() -> Command {
        Command::plain(Verb::StartTls).with_effect(Effect::StartTls)
    }

    /// COMPRESS DEFLATE (RFC 4978 3). Bytes behind the server's OK are compressed.
    pub fn compress() -> Built {
        Command::with(Verb::Compress, |to| {
            to.atom("mechanism", "DEFLATE")?;
            Ok(())
        })
    }

    /// LOGIN (6.2.3).
    ///
    /// # Errors
    /// [`EncodeError`] for NUL and line ends in the user or the password.
    pub fn login(user: &str, password: &Secret) -> Built {
        Command::with(Verb::Login, |to| {
            to.string("user", user)?.secret("password", password)?;
            Ok(())
        })
        .map(|command| command.with_effect(Effect::LogIn))
    }

    /// AUTHENTICATE with a mechanism and, if the server accepts one in the command (SASL-IR, RFC
    /// 4959), its initial response in base64 (6.2.2).
    pub fn authenticate(mechanism: Mechanism, initial: Option<&Secret>) -> Command {
        let mut command = Command::plain(Verb::Authenticate).with_effect(Effect::Authenticate);
        let mut push = |text: &str, secret| command.parts.push(Part::text(text, secret));
        push(&format!(" {}", mechanism.name()), false);
        if let Some(initial) = initial {
            push(" ", false);
            push(initial.reveal(), true);
        }
        command
    }

    /// ID (RFC 2971 3.1) with fields that describe this client, each with or without a value. No
    /// fields at all are sent as NIL, which tells nothing.
    ///
    /// # Errors
    /// [`EncodeError`] for more than RFC 2971 3.3 allows: 30 fields, each once in any case, of 30
    /// octets and with a value of 1,024; and for NUL and line ends.
    pub fn id(fields: &[(String, Option<String>)]) -> Built {
        check_id(fields)?;
        Command::with(Verb::Id, |to| {
            if fields.is_empty() {
                to.word("NIL");
                return Ok(());
            }
            to.list(|inside| {
                fields.iter().try_for_each(|(field, value)| {
                    inside.string("ID field", field)?;
                    match value {
                        Some(value) => inside.string("ID value", value)?,
                        None => inside.word("NIL"),
                    };
                    Ok(())
                })
            })
            .map(drop)
        })
    }

    /// ENABLE (RFC 5161 3.1) of extensions, by their trusted names.
    pub fn enable(extensions: &[&'static str]) -> Command {
        let mut encoder = Encoder::new(Verb::Enable.row().name);
        for extension in extensions {
            encoder.word(extension);
        }
        let command = Command::plain(Verb::Enable).with_effect(Effect::Enable);
        Command { parts: encoder.into_parts(), ..command }
    }

    /// NOTIFY SET (RFC 5465 3.1): asks for the status of these mailboxes now, and whenever letters
    /// arrive there or leave. Of the selected mailbox the server goes on telling what it tells
    /// without NOTIFY, and expunges only where it could tell them then; a command that does not
    /// mention it would silence them.
    ///
    /// # Errors
    /// [`EncodeError`] for a name that cannot be sent.
    pub fn notify_set(watched: Watched<'_>) -> Built {
        let letters = |events: &mut Encoder| {
            events.word("MessageNew").word("MessageExpunge");
            Ok(())
        };
        Command::with(Verb::Notify, |to| {
            to.word("SET").word("STATUS").list(|group| {
                group.word("selected-delayed").list(|events| {
                    events.word("MessageNew").word("MessageExpunge").word("FlagChange");
                    Ok(())
                })?;
                Ok(())
            })?;
            match watched {
                Watched::Mailboxes([]) => {}
                Watched::Mailboxes(names) => {
                    to.list(|group| {
                        group.word("mailboxes").list(|list| {
                            names.iter().try_for_each(|name| list.mailbox(name).map(drop))
                        })?;
                        group.list(letters).map(drop)
                    })?;
                }
                Watched::Personal => {
                    to.list(|group| group.word("personal").list(letters).map(drop))?;
                }
            }
            Ok(())
        })
    }

    /// IDLE (RFC 2177); [`super::super::Session::end_idle`] ends it.
    pub fn idle() -> Command {
        Command::plain(Verb::Idle).with_effect(Effect::Idle)
    }
}

/// Checks what a client must not send in ID (RFC 2971 3.3).
fn check_id(fields: &[(String, Option<String>)]) -> Result<(), EncodeError> {
    let refuse = |what, expected, got: &str| Err(EncodeError::new(what, expected, got.as_bytes()));
    if fields.len() > 30 {
        return refuse("ID fields", "at most 30", &fields.len().to_string());
    }
    for (index, (field, value)) in fields.iter().enumerate() {
        if field.len() > 30 {
            return refuse("ID field", "at most 30 octets", field);
        }
        if fields[..index].iter().any(|(earlier, _)| earlier.eq_ignore_ascii_case(field)) {
            return refuse("ID field", "each field once", field);
        }
        if let Some(value) = value.as_ref().filter(|value| value.len() > 1024) {
            return refuse("ID value", "at most 1024 octets", value);
        }
    }
    Ok(())
}
