//! STARTTLS (RFC 3207) and AUTH (RFC 4954).

use crate::sandbox::sasl;
use crate::sandbox::sasl::Fault;
use crate::sandbox::wire::conversation::split;

use crate::sandbox::smtp::reply::Outcome;
use crate::sandbox::smtp::{Reply, SmtpSession, refuse, reply};

impl SmtpSession {
    /// STARTTLS. Forgets everything the client said before, including its name (RFC 3207 4.2).
    pub(super) fn starttls(&mut self) -> Outcome {
        if !self.shared.smtp.starttls {
            return refuse(502, "5.5.1", "STARTTLS is not supported.");
        }
        if self.conversation.is_encrypted() {
            return refuse(503, "5.5.1", "TLS is up already.");
        }
        self.extended()?;
        (self.client, self.user, self.transaction) = (None, None, None);
        let status = if self.shared.smtp.enhanced_status_codes { "2.0.0 " } else { "" };
        self.conversation.start_tls(&format!("220 {status}Begin TLS now."))?;
        Ok(Reply::lines(0, Vec::new()))
    }

    pub(super) fn auth(&mut self, arguments: Option<&str>) -> Outcome {
        let extensions = self.shared.smtp;
        if !extensions.has_auth() {
            return refuse(502, "5.5.1", "AUTH is not supported.");
        }
        self.extended()?;
        if self.user.is_some() {
            return refuse(503, "5.5.1", "You are logged in already.");
        }
        if self.transaction.is_some() {
            return refuse(503, "5.5.1", "A letter is on its way.");
        }
        if extensions.auth_before_tls_refused && !self.conversation.is_encrypted() {
            return refuse(538, "5.7.11", "Logging in needs TLS first.");
        }
        let Some((name, initial)) = arguments.filter(|arguments| !arguments.is_empty()).map(split)
        else {
            return refuse(501, "5.5.4", "AUTH needs a mechanism.");
        };
        let Some(mechanism) = sasl::mechanism(&name, extensions.auth_plain, extensions.auth_login)
        else {
            return refuse(504, "5.5.4", "This mechanism is not supported.");
        };
        match sasl::exchange(&mut self.conversation, "334 ", mechanism, initial) {
            Ok(credentials) => {
                match self.shared.store.login(&credentials.user, &credentials.password) {
                    Some(user) => {
                        self.user = Some(user);
                        reply(235, "2.7.0", "You are logged in.")
                    }
                    None => refuse(535, "5.7.8", "Wrong user or password."),
                }
            }
            Err(Fault::Cancelled) => refuse(501, "5.7.0", "AUTH cancelled."),
            Err(Fault::OtherIdentity) => refuse(535, "5.7.8", "You cannot act for someone else."),
            Err(Fault::NotBase64) => refuse(501, "5.5.2", "The response is not base64."),
            Err(Fault::NotPlain) => refuse(501, "5.5.2", "This is not a PLAIN response."),
            Err(Fault::Unreadable) => {
                refuse(500, "5.5.6", "The response is too long or not a line of text.")
            }
            Err(Fault::Broken(error)) => Err(error.into()),
        }
    }
}
