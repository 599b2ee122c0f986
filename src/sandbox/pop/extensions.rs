//! The optional parts of POP3 that can be switched off.

/// Switches for everything beyond RFC 1939's minimum. An extension that is off is neither
/// advertised nor accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PopExtensions {
    /// `CAPA` (RFC 2449).
    pub capa: bool,
    /// `UIDL`.
    pub uidl: bool,
    /// `TOP`.
    pub top: bool,
    /// `STLS` (RFC 2595) on the plain listener.
    pub stls: bool,
    /// `APOP`, with the timestamp in the greeting.
    pub apop: bool,
    /// `AUTH PLAIN` (RFC 5034, 4616).
    pub sasl_plain: bool,
    /// `AUTH LOGIN`, a mechanism without an RFC that many servers have.
    pub sasl_login: bool,
    /// `PIPELINING` (RFC 2449): the client may send commands before it has the answers to earlier
    /// ones. If this is off, a client that does so is disconnected.
    pub pipelining: bool,
    /// `RESP-CODES` and `AUTH-RESP-CODE` (RFC 2449, 3206): `[IN-USE]`, `[AUTH]` and `[SYS/TEMP]`
    /// before the text of an error.
    pub resp_codes: bool,
    /// Whether logging in requires TLS. Off by default, since the manual's session logs in without
    /// TLS.
    pub auth_before_tls_refused: bool,
}

impl Default for PopExtensions {
    fn default() -> PopExtensions {
        PopExtensions {
            capa: true,
            uidl: true,
            top: true,
            stls: true,
            apop: true,
            sasl_plain: true,
            sasl_login: true,
            pipelining: true,
            resp_codes: true,
            auth_before_tls_refused: false,
        }
    }
}

impl PopExtensions {
    /// RFC 1939's minimum: USER and PASS, and no optional command.
    pub fn none() -> PopExtensions {
        PopExtensions {
            capa: false,
            uidl: false,
            top: false,
            stls: false,
            apop: false,
            sasl_plain: false,
            sasl_login: false,
            pipelining: false,
            resp_codes: false,
            auth_before_tls_refused: false,
        }
    }

    /// The lines of CAPA for a connection in this state (RFC 2449 6, 2595 4, 5034 3).
    pub(crate) fn capabilities(&self, encrypted: bool, authenticated: bool) -> Vec<String> {
        let login = encrypted || !self.auth_before_tls_refused;
        let mechanisms = [(" PLAIN", self.sasl_plain), (" LOGIN", self.sasl_login)];
        let mechanisms: String =
            mechanisms.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect();
        let list = [
            ("TOP", self.top),
            ("UIDL", self.uidl),
            ("USER", login),
            ("STLS", self.stls && !encrypted && !authenticated),
            ("RESP-CODES", self.resp_codes),
            ("AUTH-RESP-CODE", self.resp_codes),
            ("PIPELINING", self.pipelining),
        ];
        let mut lines: Vec<String> =
            list.iter().filter(|(_, on)| *on).map(|(name, _)| (*name).to_owned()).collect();
        if login && !mechanisms.is_empty() {
            lines.push(format!("SASL{mechanisms}"));
        }
        lines.push(
            concat!("IMPLEMENTATION postoffice-sandbox-", env!("CARGO_PKG_VERSION")).to_owned(),
        );
        lines
    }
}
