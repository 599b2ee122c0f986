//! Commands before and around the login: STARTTLS, LOGIN, AUTHENTICATE, ENABLE, ID, NAMESPACE.
//!
//! The store checks user names and passwords. With `LOGINDISABLED` both login
//! commands are refused until the connection is encrypted.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use imap_codec::imap_types::{auth::AuthMechanism, extensions::enable::CapabilityEnable};

use crate::sandbox::Extension;
use crate::sandbox::imap::session::{Outcome, Refusal, Session, State, bad, no};
use crate::sandbox::sasl;
use crate::sandbox::sasl::Fault;
use crate::sandbox::wire::Transport;
use crate::sandbox::wire::lines::Line;

/// The longest line of SASL data.
const RESPONSE_LIMIT: usize = 8 * 1024;

impl Session {
    /// Checks whether TLS may start. The session does the handshake after it has sent the OK.
    pub(crate) fn starttls(&mut self) -> Outcome {
        self.needs(Extension::StartTls)?;
        if self.framing.lines.transport.is_encrypted() {
            return bad("TLS is up already.");
        }
        self.not_authenticated()?;
        Ok("Begin TLS now.".to_owned())
    }

    pub(crate) fn login(&mut self, user: &[u8], password: &[u8]) -> Outcome {
        self.not_authenticated()?;
        self.login_allowed()?;
        self.check_password(user, password, "LOGIN")
    }

    pub(crate) fn authenticate(
        &mut self,
        mechanism: &AuthMechanism<'_>,
        initial: Option<&[u8]>,
    ) -> Outcome {
        self.not_authenticated()?;
        self.login_allowed()?;
        if !self.extensions.has(Extension::AuthPlain) || *mechanism != AuthMechanism::Plain {
            return no("This mechanism is not supported.");
        }
        if initial.is_some() && !self.extensions.has(Extension::SaslIr) {
            return bad("An initial response was not offered.");
        }
        let response = match initial {
            Some(initial) => initial.to_vec(),
            None => self.ask_for_response()?,
        };
        match sasl::plain(&response) {
            Ok(credentials) => {
                self.check_password(&credentials.user, &credentials.password, "AUTHENTICATE")
            }
            Err(Fault::OtherIdentity) => {
                no("[AUTHORIZATIONFAILED] You cannot act for someone else.")
            }
            Err(_) => bad("This is not a PLAIN response."),
        }
    }

    /// Sends an empty challenge and reads the client's response.
    fn ask_for_response(&mut self) -> Result<Vec<u8>, Refusal> {
        self.out.extend_from_slice(b"+ \r\n");
        self.flush()?;
        let line = match self.framing.lines.read_line(RESPONSE_LIMIT)? {
            Line::Complete(line) => line,
            Line::TooLong => return bad("The response is too long."),
            Line::End => return Err(Refusal::Broken(std::io::ErrorKind::UnexpectedEof.into())),
        };
        let line = line.trim_ascii_end();
        if line == b"*" {
            return bad("AUTHENTICATE cancelled.");
        }
        STANDARD.decode(line).or_else(|_| bad("The response is not base64."))
    }

    fn check_password(&mut self, user: &[u8], password: &[u8], command: &str) -> Outcome {
        let Some(user) = self.shared.store.login(user, password) else {
            return no("[AUTHENTICATIONFAILED] Wrong user or password.");
        };
        self.state = State::Authenticated(user);
        Ok(format!("[CAPABILITY {}] {command} completed.", self.capabilities()))
    }

    /// ENABLE (RFC 5161 3.1): the response lists the extensions that this command enabled.
    pub(crate) fn enable(&mut self, capabilities: &[CapabilityEnable<'_>]) -> Outcome {
        self.needs(Extension::Enable)?;
        self.user()?;
        let mut enabled = self.enable_resync(capabilities);
        enabled.extend(self.enable_utf8(capabilities));
        self.untagged(&["ENABLED"].into_iter().chain(enabled).collect::<Vec<_>>().join(" "));
        Ok("ENABLE completed.".to_owned())
    }

    pub(crate) fn id(&mut self) -> Outcome {
        self.needs(Extension::Id)?;
        self.untagged(concat!(
            "ID (\"name\" \"postoffice sandbox\" \"version\" \"",
            env!("CARGO_PKG_VERSION"),
            "\")"
        ));
        Ok("ID completed.".to_owned())
    }

    /// Checks whether compression may start. The session compresses after it has sent the OK.
    pub(crate) fn compress(&mut self) -> Outcome {
        self.needs(Extension::Compress)?;
        self.user()?; // never together with a secret
        if matches!(self.framing.lines.transport, Transport::Deflated(_)) {
            return no("[COMPRESSIONACTIVE] The connection is compressed already.");
        }
        Ok("Compression begins.".to_owned())
    }

    pub(crate) fn namespace(&mut self) -> Outcome {
        self.needs(Extension::Namespace)?;
        self.user()?;
        let separator = self.shared.store.separator().shown();
        self.untagged(&format!("NAMESPACE ((\"\" {separator})) NIL NIL"));
        Ok("NAMESPACE completed.".to_owned())
    }

    fn not_authenticated(&self) -> Result<(), Refusal> {
        match self.state {
            State::NotAuthenticated => Ok(()),
            _ => bad("You are logged in already."),
        }
    }

    fn login_allowed(&self) -> Result<(), Refusal> {
        if self.extensions.has(Extension::LoginDisabled)
            && !self.framing.lines.transport.is_encrypted()
        {
            return no("[PRIVACYREQUIRED] Logging in needs TLS first.");
        }
        Ok(())
    }
}
