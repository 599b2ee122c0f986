//! The parts of SMTP that can be switched off.

/// Switches for everything beyond RFC 5321's minimum. What is off is neither advertised nor accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SmtpExtensions {
    /// `EHLO`; without it a client has HELO only, and none of the extensions below but enhanced status codes.
    pub ehlo: bool,
    /// `STARTTLS` (RFC 3207) on the plain listener.
    pub starttls: bool,
    /// `AUTH PLAIN` (RFC 4954, 4616).
    pub auth_plain: bool,
    /// `AUTH LOGIN`, which many servers have and no RFC describes.
    pub auth_login: bool,
    /// `SIZE` (RFC 1870): the largest letter accepted, 0 for the sandbox's own limit without a number; `None` is neither advertised nor
    /// accepted. Default: 64 MiB, which is also the limit where no other is set.
    pub size: Option<u64>,
    /// `8BITMIME` (RFC 6152).
    pub eight_bit_mime: bool,
    /// `SMTPUTF8` (RFC 6531).
    pub smtp_utf8: bool,
    /// `PIPELINING` (RFC 2920). Without it a command sent ahead ends the session.
    pub pipelining: bool,
    /// `ENHANCEDSTATUSCODES` (RFC 2034, 3463).
    pub enhanced_status_codes: bool,
    /// Whether MAIL needs AUTH first. Off by default, as on a server's port 25.
    pub require_auth: bool,
    /// Whether AUTH needs TLS first. Off by default, so that a script can be tried without certificates.
    pub auth_before_tls_refused: bool,
}

/// The largest letter, where no other limit is set.
const SIZE_LIMIT: u64 = 64 * 1024 * 1024;

impl Default for SmtpExtensions {
    fn default() -> SmtpExtensions {
        SmtpExtensions {
            ehlo: true,
            starttls: true,
            auth_plain: true,
            auth_login: true,
            size: Some(SIZE_LIMIT),
            eight_bit_mime: true,
            smtp_utf8: true,
            pipelining: true,
            enhanced_status_codes: true,
            require_auth: false,
            auth_before_tls_refused: false,
        }
    }
}

impl SmtpExtensions {
    /// RFC 5321's minimum: EHLO that names no extension.
    pub fn none() -> SmtpExtensions {
        SmtpExtensions {
            ehlo: true,
            starttls: false,
            auth_plain: false,
            auth_login: false,
            size: None,
            eight_bit_mime: false,
            smtp_utf8: false,
            pipelining: false,
            enhanced_status_codes: false,
            require_auth: false,
            auth_before_tls_refused: false,
        }
    }

    /// How large a letter may be.
    pub(crate) fn size_limit(&self) -> u64 {
        self.size.filter(|size| *size > 0).unwrap_or(SIZE_LIMIT)
    }

    /// Whether AUTH can be used at all.
    pub(crate) fn has_auth(&self) -> bool {
        self.auth_plain || self.auth_login
    }

    /// The lines of EHLO's answer behind the first, for a connection in this state.
    pub(crate) fn keywords(&self, encrypted: bool) -> Vec<String> {
        let auth = self.has_auth() && (encrypted || !self.auth_before_tls_refused);
        let mechanisms = [("", true), (" PLAIN", self.auth_plain), (" LOGIN", self.auth_login)];
        let mechanisms: String =
            mechanisms.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect();
        let list = [
            ("PIPELINING".to_owned(), self.pipelining),
            (format!("SIZE {}", self.size.unwrap_or(0)), self.size.is_some()),
            ("8BITMIME".to_owned(), self.eight_bit_mime),
            ("SMTPUTF8".to_owned(), self.smtp_utf8),
            ("STARTTLS".to_owned(), self.starttls && !encrypted),
            (format!("AUTH{mechanisms}"), auth),
            ("ENHANCEDSTATUSCODES".to_owned(), self.enhanced_status_codes),
        ];
        list.into_iter().filter(|(_, on)| *on).map(|(line, _)| line).collect()
    }
}
