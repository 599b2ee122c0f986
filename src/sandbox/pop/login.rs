//! Commands of the AUTHORIZATION state: STLS, USER and PASS, APOP, AUTH. A successful login opens
//! the maildrop.

use crate::sandbox::sasl;
use crate::sandbox::sasl::Fault;
use crate::sandbox::wire::conversation::split;

use crate::sandbox::pop::{
    Done, Maildrop, Outcome, PopSession, Refusal, State, Unavailable, bad, failed, ok,
};

impl PopSession {
    /// STLS, in AUTHORIZATION only. The name from an earlier USER is forgotten (RFC 2595 4).
    pub(super) fn stls(&mut self) -> Outcome {
        self.not_authenticated()?;
        if self.conversation.is_encrypted() {
            return bad("TLS is up already.");
        }
        self.conversation.start_tls("+OK Begin TLS now.")?;
        Ok(Done::Sent)
    }

    /// USER. Accepts any name, so that a client cannot find out which accounts exist.
    pub(super) fn user(&mut self, arguments: Option<&str>) -> Outcome {
        self.not_authenticated()?;
        self.login_allowed()?;
        let Some(name) = arguments.filter(|name| !name.is_empty()) else {
            return bad("USER needs a name.");
        };
        self.state = State::Authorization { user: Some(name.to_owned()) };
        ok("Now the password.")
    }

    /// PASS. The whole rest of the line is the password, which may contain spaces (RFC 1939 7).
    pub(super) fn pass(&mut self, user: Option<String>, arguments: Option<&str>) -> Outcome {
        self.not_authenticated()?;
        let Some(user) = user else { return bad("USER comes first.") };
        let Some(password) = arguments else { return bad("PASS needs a password.") };
        let user = self.shared.store.login(user.as_bytes(), password.as_bytes());
        self.enter(user)
    }

    pub(super) fn apop(&mut self, arguments: Option<&str>) -> Outcome {
        let (name, digest) =
            arguments.and_then(|arguments| arguments.rsplit_once(' ')).unwrap_or_default();
        self.not_authenticated()?;
        self.login_allowed()?;
        let hexadecimal = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if name.is_empty() || digest.len() != 32 || !digest.as_bytes().iter().all(hexadecimal) {
            return bad("APOP needs a name and a digest of 32 lower-case hexadecimal digits.");
        }
        let user = self.shared.store.login_by_digest(name, &self.timestamp, digest);
        self.enter(user)
    }

    pub(super) fn auth(&mut self, arguments: Option<&str>) -> Outcome {
        let (name, initial) = arguments.map(split).unwrap_or_default();
        self.not_authenticated()?;
        self.login_allowed()?;
        if name.is_empty() {
            return bad("AUTH needs a mechanism.");
        }
        let extensions = self.shared.pop;
        let Some(mechanism) = sasl::mechanism(&name, extensions.sasl_plain, extensions.sasl_login)
        else {
            return failed("", "This mechanism is not supported.");
        };
        match sasl::exchange(&mut self.conversation, "+ ", mechanism, initial) {
            Ok(credentials) => {
                let user = self.shared.store.login(&credentials.user, &credentials.password);
                self.enter(user)
            }
            Err(Fault::Cancelled) => failed("", "AUTH cancelled."),
            Err(Fault::OtherIdentity) => failed("AUTH", "You cannot act for someone else."),
            Err(Fault::NotBase64) => bad("The response is not base64."),
            Err(Fault::NotPlain) => bad("This is not a PLAIN response."),
            Err(Fault::Unreadable) => bad("The response is too long or not a line of text."),
            Err(Fault::Broken(error)) => Err(error.into()),
        }
    }

    /// Opens the maildrop of the authenticated user; `None` means that the login failed.
    fn enter(&mut self, user: Option<String>) -> Outcome {
        let Some(user) = user else { return failed("AUTH", "Wrong user or password.") };
        match Maildrop::open(&self.shared.store, &user, self.number) {
            Ok(maildrop) => {
                let (count, octets) = maildrop.count();
                self.state = State::Transaction(maildrop);
                ok(format!("{count} messages ({octets} octets)."))
            }
            Err(Unavailable::InUse) => failed("IN-USE", "Another session has the maildrop open."),
            Err(Unavailable::Gone) => failed("SYS/TEMP", "The maildrop is gone."),
        }
    }

    fn not_authenticated(&self) -> Result<(), Refusal> {
        match self.state {
            State::Authorization { .. } => Ok(()),
            _ => bad("You are logged in already."),
        }
    }

    fn login_allowed(&self) -> Result<(), Refusal> {
        if self.shared.pop.auth_before_tls_refused && !self.conversation.is_encrypted() {
            return failed("", "Logging in needs TLS first.");
        }
        Ok(())
    }
}
