//! The client side of SASL (RFC 4422), as IMAP, POP3 and SMTP carry it: line by line, in base64.
//!
//! An [`Exchange`] is one login. [`Exchange::initial`] and [`Exchange::answer`] return messages
//! that are ready for the wire. Every mechanism has a fixed number of messages and fails if the
//! server asks for more, so a server cannot prolong a login forever. When the server reports
//! success, the caller must check it with [`Exchange::finish`]: the client must have sent its
//! credentials, and with SCRAM the server must have proved that it knows the password.

use super::error::EncodeError;
use super::secret::Secret;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::borrow::Cow;

mod scram;

/// A SASL mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// A challenge-response mechanism: the password is not sent, and the server proves that it
    /// knows it (RFC 7677).
    ScramSha256,
    /// User and password in one message (RFC 4616).
    Plain,
    /// User and password in two messages; an obsolete mechanism of old servers.
    Login,
    /// A bearer token (RFC 7628).
    OAuthBearer,
    /// A bearer token in the older form used by Google and Microsoft.
    XOAuth2,
    /// TLS identifies the client, by its certificate (RFC 4422 appendix A).
    External,
}

impl Mechanism {
    /// All mechanisms, in order of preference.
    pub const ALL: [Mechanism; 6] = [
        Mechanism::ScramSha256,
        Mechanism::Plain,
        Mechanism::Login,
        Mechanism::OAuthBearer,
        Mechanism::XOAuth2,
        Mechanism::External,
    ];

    /// The mechanism's registered name.
    pub fn name(self) -> &'static str {
        match self {
            Mechanism::ScramSha256 => "SCRAM-SHA-256",
            Mechanism::Plain => "PLAIN",
            Mechanism::Login => "LOGIN",
            Mechanism::OAuthBearer => "OAUTHBEARER",
            Mechanism::XOAuth2 => "XOAUTH2",
            Mechanism::External => "EXTERNAL",
        }
    }

    /// Returns whether it sends a token instead of a password.
    pub fn takes_token(self) -> bool {
        matches!(self, Mechanism::OAuthBearer | Mechanism::XOAuth2)
    }
}

/// One login attempt.
#[derive(Debug, Clone)]
pub struct Exchange {
    mechanism: Mechanism,
    user: String,
    secret: Secret,
    /// The number of messages that the client has sent.
    said: usize,
    /// Whether the initial response was sent with the command.
    sent_along: bool,
    scram: Option<scram::Client>,
}

/// The reason why a login cannot continue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SaslError {
    /// The server sent more challenges than the mechanism has answers.
    #[error("the server asks more than {0} has to say")]
    TooManyChallenges(&'static str),
    /// A challenge that is not valid base64, or not one that the mechanism expects.
    #[error("the server's challenge cannot be understood: {0}")]
    Challenge(&'static str),
    /// The server asks for an iteration count outside the accepted range: too low to be safe, or
    /// too high to compute.
    #[error("the server wants {iterations} rounds of hashing, expected {} to {}", scram::ITERATIONS.start(), scram::ITERATIONS.end())]
    Iterations {
        /// The iteration count that the server asks for.
        iterations: u64,
    },
    /// The server reported success before the client sent its credentials.
    #[error("the server says that the login succeeded before it has heard it")]
    TooSoon,
    /// The server did not prove that it knows the password.
    #[error("the server did not prove that it knows the password")]
    NotProven,
}

impl Exchange {
    /// Starts a login of `user` with a password or, for token mechanisms, a token.
    ///
    /// # Errors
    /// [`EncodeError`] if the user or the secret contains NUL, which separates fields, or, for
    /// token mechanisms, any control character; for SCRAM also if SASLprep forbids a character of
    /// the user (RFC 4013) or the system has no random bytes.
    pub fn new(mechanism: Mechanism, user: &str, secret: &Secret) -> Result<Self, EncodeError> {
        let refused = |character: char| {
            if mechanism.takes_token() { character.is_control() } else { character == '\0' }
        };
        if user.contains(refused) || secret.reveal().contains(refused) {
            return Err(EncodeError::new(
                "user and password",
                "text without NUL, and a token without control characters",
                b"#<secret>",
            ));
        }
        let scram =
            (mechanism == Mechanism::ScramSha256).then(|| scram::Client::new(user)).transpose()?;
        Ok(Exchange {
            mechanism,
            user: user.to_owned(),
            secret: secret.clone(),
            said: 0,
            sent_along: false,
            scram,
        })
    }

    /// The mechanism.
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// The user.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Returns the initial response in base64; `None` if the server speaks first. An empty response
    /// is `=`.
    pub fn initial(&mut self) -> Option<Secret> {
        if self.mechanism == Mechanism::Login {
            return None;
        }
        let response = self.response();
        (self.said, self.sent_along) = (1, true);
        Some(if response.reveal().is_empty() {
            Secret::new("=")
        } else {
            in_base64(response.reveal())
        })
    }

    /// Answers a challenge of the server. Challenge and answer are in base64.
    ///
    /// # Errors
    /// [`SaslError`]; the connection must then be closed.
    pub fn answer(&mut self, challenge: &[u8]) -> Result<Secret, SaslError> {
        if std::mem::take(&mut self.sent_along) && self.asks_again(challenge) {
            return Ok(in_base64(self.response().reveal()));
        }
        let said = self.said;
        self.said += 1;
        let answer = match (self.mechanism, said) {
            (Mechanism::Login, 0) => Secret::new(self.user.as_str()),
            (Mechanism::Login, 1) => self.secret.clone(),
            (Mechanism::Login, _) => return Err(self.nothing_more()),
            (_, 0) => self.response(),
            // The server has sent the reason for its refusal and waits for this answer before it
            // refuses (RFC 7628 3.2.3).
            (Mechanism::OAuthBearer, 1) => Secret::new("\u{1}"),
            (Mechanism::XOAuth2, 1) => Secret::new(""),
            (Mechanism::ScramSha256, _) => {
                let challenge = BASE64_STANDARD
                    .decode(challenge.trim_ascii())
                    .map_err(|_| SaslError::Challenge("it is no base 64"))?;
                let scram =
                    self.scram.as_mut().ok_or(SaslError::TooManyChallenges("SCRAM-SHA-256"))?;
                match said {
                    1 => scram.prove(&challenge, &self.secret)?,
                    2 => {
                        scram.verify(&challenge)?;
                        Secret::new("")
                    }
                    _ => return Err(self.nothing_more()),
                }
            }
            _ => return Err(self.nothing_more()),
        };
        Ok(in_base64(answer.reveal()))
    }

    /// Checks that the server may report success now.
    ///
    /// # Errors
    /// [`SaslError::TooSoon`] if the client has not sent its credentials yet,
    /// [`SaslError::NotProven`] if the mechanism requires the server to prove itself and it has
    /// not.
    pub fn finish(&self) -> Result<(), SaslError> {
        let needed = if self.mechanism == Mechanism::Login { 2 } else { 1 };
        if self.said < needed {
            return Err(SaslError::TooSoon);
        }
        if self.scram.as_ref().is_some_and(|scram| !scram.is_verified()) {
            Err(SaslError::NotProven)
        } else {
            Ok(())
        }
    }

    /// Whether the server has overlooked the initial response and asks for it: with a text for
    /// people, with nothing, or under a mechanism that has no challenges.
    fn asks_again(&self, challenge: &[u8]) -> bool {
        let challenge = challenge.trim_ascii();
        matches!(self.mechanism, Mechanism::Plain | Mechanism::External)
            || challenge.is_empty()
            || BASE64_STANDARD.decode(challenge).is_err()
    }

    fn response(&self) -> Secret {
        let (user, secret) = (self.user.as_str(), self.secret.reveal());
        match self.mechanism {
            Mechanism::Plain => Secret::new(format!("\0{user}\0{secret}")),
            Mechanism::XOAuth2 => {
                Secret::new(format!("user={user}\u{1}auth=Bearer {secret}\u{1}\u{1}"))
            }
            Mechanism::OAuthBearer => {
                Secret::new(format!("n,a={},\u{1}auth=Bearer {secret}\u{1}\u{1}", sasl_name(user)))
            }
            Mechanism::ScramSha256 => {
                Secret::new(self.scram.as_ref().map_or("", scram::Client::first))
            }
            // No authorization identity: the server uses the certificate's.
            Mechanism::External | Mechanism::Login => Secret::new(""),
        }
    }

    fn nothing_more(&self) -> SaslError {
        SaslError::TooManyChallenges(self.mechanism.name())
    }
}

fn in_base64(text: &str) -> Secret {
    Secret::new(BASE64_STANDARD.encode(text))
}

/// Escapes commas and equals signs, which are syntax in SCRAM and GS2 messages (RFC 5802 5.1).
fn sasl_name(user: &str) -> Cow<'_, str> {
    if user.contains([',', '=']) {
        user.replace('=', "=3D").replace(',', "=2C").into()
    } else {
        user.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(secret: &Secret) -> String {
        String::from_utf8(BASE64_STANDARD.decode(secret.reveal()).unwrap()).unwrap()
    }

    #[test]
    fn each_mechanism_says_what_its_rfc_shows() {
        let mut plain =
            Exchange::new(Mechanism::Plain, "tim", &Secret::new("tanstaaftanstaaf")).unwrap();
        assert_eq!(plain.initial().unwrap().reveal(), "AHRpbQB0YW5zdGFhZnRhbnN0YWFm"); // RFC 4616 4, RFC 4954 4.1
        // A server that has overlooked it gets it again, but once.
        let again = plain.answer(b"go ahead").unwrap();
        assert_eq!(again.reveal(), "AHRpbQB0YW5zdGFhZnRhbnN0YWFm");
        assert_eq!(plain.answer(b""), Err(SaslError::TooManyChallenges("PLAIN")));

        let mut login = Exchange::new(Mechanism::Login, "me", &Secret::new("pw")).unwrap();
        assert!(login.initial().is_none());
        assert_eq!(decoded(&login.answer(b"VXNlcm5hbWU6").unwrap()), "me");
        assert_eq!(decoded(&login.answer(b"UGFzc3dvcmQ6").unwrap()), "pw");
        assert!(login.answer(b"").is_err());

        let mut bearer =
            Exchange::new(Mechanism::OAuthBearer, "user=1@example.com", &Secret::new("token"))
                .unwrap();
        assert_eq!(
            decoded(&bearer.initial().unwrap()),
            "n,a=user=3D1@example.com,\u{1}auth=Bearer token\u{1}\u{1}"
        );
        assert_eq!(decoded(&bearer.answer(b"eyJzdGF0dXMiOiI0MDEifQ==").unwrap()), "\u{1}");
        assert!(bearer.answer(b"").is_err());

        let mut external = Exchange::new(Mechanism::External, "me", &Secret::new("")).unwrap();
        assert_eq!(external.initial().unwrap().reveal(), "=");
    }

    #[test]
    fn what_separates_the_fields_is_in_none_of_them() {
        for mechanism in Mechanism::ALL {
            assert!(Exchange::new(mechanism, "a\0b", &Secret::new("pw")).is_err(), "{mechanism:?}");
            let refused = Exchange::new(mechanism, "a", &Secret::new("hunter\x002")).unwrap_err();
            assert!(!refused.to_string().contains("hunter"));
        }
        assert!(
            Exchange::new(Mechanism::XOAuth2, "a\u{1}auth=Bearer x", &Secret::new("t")).is_err()
        );
    }
}
