//! SCRAM-SHA-256 (RFC 5802, RFC 7677), without channel binding.
//!
//! The exchange has four messages: the client's first (user and nonce), the server's challenge
//! (nonce, salt, iteration count), the client's proof ([`Client::prove`]), and the server's
//! signature ([`Client::verify`]). The server's nonce must extend ours, and the iteration count
//! must lie within [`ITERATIONS`]. The login counts only after the server's signature has been
//! verified.

use super::super::error::EncodeError;
use super::super::secret::Secret;
use super::{SaslError, sasl_name};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::ops::RangeInclusive;

/// The iteration counts that are accepted. With fewer rounds anyone who sees the exchange could
/// guess the password (RFC 7677 4); more would keep the client busy for seconds.
pub(super) const ITERATIONS: RangeInclusive<u32> = 4096..=1_000_000;

/// `n,,`: no channel binding, no authorization identity.
const GS2_HEADER: &str = "n,,";

type Key = [u8; 32];

#[derive(Debug, Clone)]
pub(super) struct Client {
    /// The client's first message: the GS2 header and the bare message.
    first: String,
    nonce: String,
    /// The signature that the server must send; known after its challenge.
    expected: Option<Key>,
    verified: bool,
}

impl Client {
    pub(super) fn new(user: &str) -> Result<Self, EncodeError> {
        let mut random = [0; 18];
        getrandom::fill(&mut random)
            .map_err(|_| EncodeError::new("nonce", "random bytes from the system", b"none"))?;
        Client::with_nonce(user, &BASE64_STANDARD.encode(random))
    }

    fn with_nonce(user: &str, nonce: &str) -> Result<Self, EncodeError> {
        let user = prepared(user).ok_or_else(|| {
            EncodeError::new("user", "characters that SASLprep allows (RFC 4013)", user.as_bytes())
        })?;
        Ok(Client {
            first: format!("{GS2_HEADER}n={},r={nonce}", sasl_name(&user)),
            nonce: nonce.to_owned(),
            expected: None,
            verified: false,
        })
    }

    pub(super) fn first(&self) -> &str {
        &self.first
    }

    pub(super) fn is_verified(&self) -> bool {
        self.verified
    }

    /// Answers the server's first message, `r=…,s=…,i=…`, with the client's final message.
    pub(super) fn prove(
        &mut self,
        challenge: &[u8],
        password: &Secret,
    ) -> Result<Secret, SaslError> {
        let text =
            std::str::from_utf8(challenge).map_err(|_| SaslError::Challenge("it is no UTF-8"))?;
        let mut attributes = text.split(',');
        // A mandatory extension, `m=`, would come first and is rejected here (RFC 5802 5.1).
        let nonce = attribute(attributes.next(), "r=", "it has no nonce")?;
        if nonce.len() <= self.nonce.len() || !nonce.starts_with(&self.nonce) {
            return Err(SaslError::Challenge("its nonce does not begin with ours"));
        }
        let salt = attribute(attributes.next(), "s=", "it has no salt")?;
        let salt = BASE64_STANDARD
            .decode(salt)
            .map_err(|_| SaslError::Challenge("its salt is no base 64"))?;
        let iterations: u64 = attribute(attributes.next(), "i=", "it has no iteration count")?
            .parse()
            .map_err(|_| SaslError::Challenge("its iteration count is no number"))?;
        let rounds = u32::try_from(iterations).ok().filter(|rounds| ITERATIONS.contains(rounds));
        let rounds = rounds.ok_or(SaslError::Iterations { iterations })?;
        let password = prepared(password.reveal())
            .ok_or(SaslError::Challenge("the password has characters that SASLprep forbids"))?;

        let salted: Key =
            pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password.as_bytes(), &salt, rounds);
        let client_key = signed(&salted, b"Client Key");
        let stored_key: Key = Sha256::digest(client_key).into();
        let unproven = format!("c={},r={nonce}", BASE64_STANDARD.encode(GS2_HEADER));
        let bare = self.first.strip_prefix(GS2_HEADER).unwrap_or_default();
        let message = format!("{bare},{text},{unproven}");
        let signature = signed(&stored_key, message.as_bytes());
        let mut proof = client_key;
        proof.iter_mut().zip(signature).for_each(|(byte, other)| *byte ^= other);
        self.expected = Some(signed(&signed(&salted, b"Server Key"), message.as_bytes()));
        Ok(Secret::new(format!("{unproven},p={}", BASE64_STANDARD.encode(proof))))
    }

    /// Verifies the server's final message, `v=…`.
    pub(super) fn verify(&mut self, challenge: &[u8]) -> Result<(), SaslError> {
        let signature =
            challenge.strip_prefix(b"v=").and_then(|rest| rest.split(|byte| *byte == b',').next());
        let signature = signature.and_then(|text| BASE64_STANDARD.decode(text).ok());
        self.verified = signature
            .is_some_and(|signature| self.expected.is_some_and(|expected| signature == expected));
        if self.verified { Ok(()) } else { Err(SaslError::NotProven) }
    }
}

/// Applies SASLprep (RFC 4013); `None` if the text has forbidden characters. Printable ASCII is
/// left as it is.
fn prepared(text: &str) -> Option<Cow<'_, str>> {
    stringprep::saslprep(text).ok()
}

fn attribute<'a>(
    field: Option<&'a str>,
    name: &str,
    missing: &'static str,
) -> Result<&'a str, SaslError> {
    field.and_then(|field| field.strip_prefix(name)).ok_or(SaslError::Challenge(missing))
}

fn signed(key: &[u8], message: &[u8]) -> Key {
    // HMAC takes keys of any length, so this cannot fail; a default of zeros would never verify.
    Hmac::<Sha256>::new_from_slice(key)
        .map(|mac| mac.chain_update(message).finalize().into_bytes().into())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER_FIRST: &[u8] =
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    const SERVER_FINAL: &[u8] = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

    fn begun() -> Client {
        Client::with_nonce("user", "rOprNGfwEbeRWgbNEkqO").unwrap()
    }

    #[test]
    fn the_exchange_of_rfc_7677() {
        let mut client = begun();
        assert_eq!(client.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let answer = client.prove(SERVER_FIRST, &Secret::new("pencil")).unwrap();
        assert_eq!(
            answer.reveal(),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert!(!client.is_verified());
        client.verify(SERVER_FINAL).unwrap();
        assert!(client.is_verified());
    }

    #[test]
    fn a_server_that_does_not_know_the_password_is_found_out() {
        let mut client = begun();
        assert_eq!(client.verify(SERVER_FINAL), Err(SaslError::NotProven)); // before any challenge
        client.prove(SERVER_FIRST, &Secret::new("another")).unwrap();
        for wrong in [SERVER_FINAL, b"v=", b"", b"v=AAAA", b"e=invalid-proof"] {
            assert_eq!(client.verify(wrong), Err(SaslError::NotProven));
            assert!(!client.is_verified());
        }
    }

    #[test]
    fn challenges_of_a_hostile_server_are_refused() {
        let refused = |challenge: &str| {
            begun().prove(challenge.as_bytes(), &Secret::new("pencil")).unwrap_err()
        };
        let ours = "r=rOprNGfwEbeRWgbNEkqO";
        for bad in [
            "",
            "m=must,r=x",
            "r=other,s=AAAA,i=4096",
            &format!("{ours},s=AAAA,i=4096"), // the server did not extend the nonce
            &format!("{ours}x"),
            &format!("{ours}x,s=?,i=4096"),
            &format!("{ours}x,s=AAAA,i=many"),
        ] {
            assert!(matches!(refused(bad), SaslError::Challenge(_)), "{bad}");
        }
        for (count, shown) in
            [("1", 1), ("4095", 4095), ("1000001", 1_000_001), ("4294967296", 4_294_967_296)]
        {
            assert_eq!(
                refused(&format!("{ours}x,s=AAAA,i={count}")),
                SaslError::Iterations { iterations: shown }
            );
        }
    }

    #[test]
    fn names_are_escaped_and_prepared() {
        assert_eq!(Client::with_nonce("a,b=c", "n").unwrap().first(), "n,,n=a=2Cb=3Dc,r=n");
        assert_eq!(Client::with_nonce("I\u{ad}X", "n").unwrap().first(), "n,,n=IX,r=n"); // RFC 4013 3
        assert!(Client::with_nonce("\u{7}", "n").is_err());
    }
}
