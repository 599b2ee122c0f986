//! The SASL mechanisms PLAIN (RFC 4616) and LOGIN, exchanged line by line as in POP3 and SMTP.

use std::io;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::sandbox::wire::conversation::Conversation;

/// The longest line of SASL data (RFC 4954 4).
const RESPONSE_LIMIT: usize = 12_288;

#[derive(Clone, Copy)]
pub(crate) enum Mechanism {
    Plain,
    Login,
}

/// The user name and password a client sent, not checked yet.
pub(crate) struct Credentials {
    pub(crate) user: Vec<u8>,
    pub(crate) password: Vec<u8>,
}

/// Why an exchange gave no credentials.
#[derive(Debug)]
pub(crate) enum Fault {
    Cancelled,
    Unreadable,
    NotBase64,
    NotPlain,
    /// The authorization identity is not the user.
    OtherIdentity,
    Broken(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Fault {
        Fault::Broken(error)
    }
}

/// Looks up a mechanism by name among those switched on.
pub(crate) fn mechanism(name: &str, plain: bool, login: bool) -> Option<Mechanism> {
    let name = name.to_ascii_uppercase();
    match name.as_str() {
        "PLAIN" if plain => Some(Mechanism::Plain),
        "LOGIN" if login => Some(Mechanism::Login),
        _ => None,
    }
}

/// Asks for what the command did not include. `prompt` begins each challenge: `+ ` or `334 `.
pub(crate) fn exchange(
    conversation: &mut Conversation,
    prompt: &str,
    mechanism: Mechanism,
    initial: Option<&str>,
) -> Result<Credentials, Fault> {
    let mut respond = |initial: Option<&str>, challenge: &str| match initial {
        // An empty initial response is sent as an equals sign (RFC 4954 4).
        Some("=") => Ok(Vec::new()),
        Some(initial) => decode(initial),
        None => {
            let line = conversation
                .ask(&format!("{prompt}{}", STANDARD.encode(challenge)), RESPONSE_LIMIT)?;
            let line = line.ok_or(Fault::Unreadable)?;
            if line == "*" { Err(Fault::Cancelled) } else { decode(&line) }
        }
    };
    match mechanism {
        Mechanism::Plain => plain(&respond(initial, "")?),
        Mechanism::Login => Ok(Credentials {
            user: respond(initial, "Username:")?,
            password: respond(None, "Password:")?,
        }),
    }
}

/// Splits authorization identity, NUL, user, NUL, password (RFC 4616 2).
pub(crate) fn plain(response: &[u8]) -> Result<Credentials, Fault> {
    let fields: Vec<&[u8]> = response.split(|byte| *byte == 0).collect();
    match fields[..] {
        [identity, user, password] if identity.is_empty() || identity == user => {
            Ok(Credentials { user: user.to_vec(), password: password.to_vec() })
        }
        [_, _, _] => Err(Fault::OtherIdentity),
        _ => Err(Fault::NotPlain),
    }
}

fn decode(text: &str) -> Result<Vec<u8>, Fault> {
    STANDARD.decode(text).map_err(|_| Fault::NotBase64)
}
