//! The SASL mechanisms PLAIN (RFC 4616) and LOGIN, as POP3 and SMTP exchange them line by line.

use std::io;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::sandbox::wire::conversation::Conversation;

/// A line of SASL data may be this long (RFC 4954 4).
const RESPONSE_LIMIT: usize = 12_288;

#[derive(Clone, Copy)]
pub(crate) enum Mechanism {
    Plain,
    Login,
}

/// Who wants to log in, before anything was checked.
pub(crate) struct Credentials {
    pub(crate) user: Vec<u8>,
    pub(crate) password: Vec<u8>,
}

/// Why there are no credentials.
#[derive(Debug)]
pub(crate) enum Fault {
    Cancelled,
    Unreadable,
    NotBase64,
    NotPlain,
    /// An authorization identity that is not the user.
    OtherIdentity,
    Broken(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Fault {
        Fault::Broken(error)
    }
}

/// Where a protocol offers these mechanisms, by name.
pub(crate) fn mechanism(name: &str, plain: bool, login: bool) -> Option<Mechanism> {
    let name = name.to_ascii_uppercase();
    match name.as_str() {
        "PLAIN" if plain => Some(Mechanism::Plain),
        "LOGIN" if login => Some(Mechanism::Login),
        _ => None,
    }
}

/// Asks for what the command did not bring; `prompt` is how the protocol begins a challenge.
pub(crate) fn exchange(
    conversation: &mut Conversation,
    prompt: &str,
    mechanism: Mechanism,
    initial: Option<&str>,
) -> Result<Credentials, Fault> {
    let mut respond = |initial: Option<&str>, challenge: &str| match initial {
        // RFC 4954 4: an empty initial response is sent as an equals sign.
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

/// RFC 4616 2: authorization identity, NUL, user, NUL, password.
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
