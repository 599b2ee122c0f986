//! What a server is to tell the sender of a letter's delivery (DSN, RFC 3461): parameters of MAIL and
//! RCPT.

use crate::proto::error::EncodeError;

/// An event that the sender wants to hear of (RFC 3461 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notify {
    /// The letter was delivered.
    Success,
    /// It could not be delivered.
    Failure,
    /// It is still under way.
    Delay,
}

/// What of the letter comes back with a notification (RFC 3461 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returned {
    /// Only the header.
    Headers,
    /// The whole letter.
    Full,
}

/// The notifications that the sender of a letter wants. By default the server decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Notices<'n> {
    /// The events; none at all means no notification ever.
    pub notify: Option<&'n [Notify]>,
    /// What comes back with a notification.
    pub returned: Option<Returned>,
    /// A text that notifications repeat.
    pub envelope_id: Option<&'n str>,
}

impl Notices<'_> {
    /// Returns whether the server needs DSN for them.
    pub fn need_dsn(&self) -> bool {
        *self != Notices::default()
    }

    /// Checks the envelope's identifier.
    ///
    /// # Errors
    /// [`EncodeError`] unless it is printable ASCII of at most 100 bytes as it is sent (RFC 3461 4.4).
    pub fn check(&self) -> Result<(), EncodeError> {
        let fits = |id: &str| {
            !id.is_empty()
                && id.bytes().all(|byte| matches!(byte, b' '..=b'~'))
                && xtext(id).len() <= 100
        };
        match self.envelope_id.filter(|id| !fits(id)) {
            Some(id) => Err(EncodeError::new(
                "envelope id",
                "printable ASCII of at most 100 bytes",
                id.as_bytes(),
            )),
            None => Ok(()),
        }
    }

    /// The parameters of MAIL, each with a space before it.
    pub(super) fn of_mail(&self) -> String {
        let returned = match self.returned {
            Some(Returned::Headers) => " RET=HDRS",
            Some(Returned::Full) => " RET=FULL",
            None => "",
        };
        let id = self.envelope_id.map(|id| format!(" ENVID={}", xtext(id))).unwrap_or_default();
        format!("{returned}{id}")
    }

    /// The parameters of RCPT, each with a space before it. With them the server knows the recipient
    /// as the sender named it (RFC 3461 4.2).
    pub(super) fn of_rcpt(&self, address: &str) -> String {
        let Some(events) = self.notify else { return String::new() };
        let name = |event: &Notify| match event {
            Notify::Success => "SUCCESS",
            Notify::Failure => "FAILURE",
            Notify::Delay => "DELAY",
        };
        let names: Vec<&str> = events.iter().map(name).collect();
        let names = if names.is_empty() { "NEVER".to_owned() } else { names.join(",") };
        let original = match address.is_ascii() {
            true => format!(" ORCPT=rfc822;{}", xtext(address)),
            false => String::new(),
        };
        format!(" NOTIFY={names}{original}")
    }
}

/// Encodes text as xtext (RFC 3461 4).
fn xtext(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'!'..=b'~' if byte != b'+' && byte != b'=' => char::from(byte).to_string(),
        _ => format!("+{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_written_as_the_rfc_has_them() {
        let notices = Notices {
            notify: Some(&[Notify::Failure, Notify::Delay]),
            returned: Some(Returned::Headers),
            envelope_id: Some("QQ 314+159="),
        };
        assert_eq!(notices.of_mail(), " RET=HDRS ENVID=QQ+20314+2B159+3D");
        assert_eq!(notices.of_rcpt("a+b@c.d"), " NOTIFY=FAILURE,DELAY ORCPT=rfc822;a+2Bb@c.d");
        assert_eq!(notices.of_rcpt("ü@c.d"), " NOTIFY=FAILURE,DELAY");
        let never = Notices { notify: Some(&[]), ..Notices::default() };
        assert_eq!(never.of_rcpt("a"), " NOTIFY=NEVER ORCPT=rfc822;a");
        assert!(never.need_dsn() && never.of_mail().is_empty());
        assert!(!Notices::default().need_dsn());
    }

    #[test]
    fn an_identifier_that_cannot_be_sent_is_refused() {
        for (id, fits) in [
            ("x", true),
            ("a b", true),
            ("", false),
            ("a\r\nRSET", false),
            ("ü", false),
            ("\0", false),
            (&"+".repeat(33), true),
            (&"+".repeat(34), false),
        ] {
            let notices = Notices { envelope_id: Some(id), ..Notices::default() };
            assert_eq!(notices.check().is_ok(), fits, "{id:?}");
        }
    }
}
