//! The optional parts of SMTP that can be switched off.

/// Switches for everything beyond RFC 5321's minimum. An extension that is off is neither
/// advertised nor accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SmtpExtensions {
    /// `EHLO`. Without it clients have only HELO, and of the extensions below only pipelining and
    /// enhanced status codes work.
    pub ehlo: bool,
    /// `STARTTLS` (RFC 3207) on the plain listener.
    pub starttls: bool,
    /// `AUTH PLAIN` (RFC 4954, 4616).
    pub auth_plain: bool,
    /// `AUTH LOGIN`, a mechanism without an RFC that many servers have.
    pub auth_login: bool,
    /// `SIZE` (RFC 1870): the largest letter accepted, in octets. `Some(0)` is advertised as
    /// `SIZE 0`, without a limit, and `None` is neither advertised nor accepted as a parameter;
    /// with both, the sandbox's own limit of 64 MiB applies. Default: 64 MiB.
    pub size: Option<u64>,
    /// `8BITMIME` (RFC 6152).
    pub eight_bit_mime: bool,
    /// `SMTPUTF8` (RFC 6531).
    pub smtp_utf8: bool,
    /// `DSN` (RFC 3461). The sandbox keeps what was asked for with the letter, and sends no
    /// notifications.
    pub dsn: bool,
    /// `PIPELINING` (RFC 2920). If this is off, a client that sends commands ahead is disconnected.
    pub pipelining: bool,
    /// `CHUNKING` (RFC 3030): letters by BDAT.
    pub chunking: bool,
    /// `ENHANCEDSTATUSCODES` (RFC 2034, 3463).
    pub enhanced_status_codes: bool,
    /// Whether MAIL requires AUTH. Off by default, as on a server's port 25.
    pub require_auth: bool,
    /// Whether AUTH requires TLS. Off by default, so that scripts can be tried without
    /// certificates.
    pub auth_before_tls_refused: bool,
}

/// The largest letter if no other limit is set.
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
            dsn: true,
            pipelining: true,
            chunking: true,
            enhanced_status_codes: true,
            require_auth: false,
            auth_before_tls_refused: false,
        }
    }
}

impl SmtpExtensions {
    /// RFC 5321's minimum: EHLO without extensions.
    pub fn none() -> SmtpExtensions {
        SmtpExtensions {
            ehlo: true,
            starttls: false,
            auth_plain: false,
            auth_login: false,
            size: None,
            eight_bit_mime: false,
            smtp_utf8: false,
            dsn: false,
            pipelining: false,
            chunking: false,
            enhanced_status_codes: false,
            require_auth: false,
            auth_before_tls_refused: false,
        }
    }

    /// The largest letter accepted, in octets.
    pub(crate) fn size_limit(&self) -> u64 {
        self.size.filter(|size| *size > 0).unwrap_or(SIZE_LIMIT)
    }

    /// Whether any AUTH mechanism is on.
    pub(crate) fn has_auth(&self) -> bool {
        self.auth_plain || self.auth_login
    }

    /// The lines of the answer to EHLO after the first, for a connection in this state.
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
            ("DSN".to_owned(), self.dsn),
            ("CHUNKING".to_owned(), self.chunking),
            ("STARTTLS".to_owned(), self.starttls && !encrypted),
            (format!("AUTH{mechanisms}"), auth),
            ("ENHANCEDSTATUSCODES".to_owned(), self.enhanced_status_codes),
        ];
        list.into_iter().filter(|(_, on)| *on).map(|(line, _)| line).collect()
    }
}
