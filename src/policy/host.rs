//! The hosts that a script may connect to.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A host, and one port or any.
///
/// Names are compared without case and without a final dot, addresses by value. A name is never
/// resolved: one that resolves to an allowed address is another host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedHost {
    host: Name,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    Address(IpAddr),
    Name(String),
}

impl Name {
    fn of(text: &str) -> Name {
        let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        match inner.parse::<IpAddr>() {
            // `::ffff:10.0.0.1` is `10.0.0.1`.
            Ok(address) => Name::Address(address.to_canonical()),
            Err(_) => Name::Name(text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase()),
        }
    }
}

impl AllowedHost {
    /// Returns whether this entry allows a connection to this host and port.
    pub fn fits(&self, host: &str, port: u16) -> bool {
        self.port.is_none_or(|allowed| allowed == port) && self.host == Name::of(host)
    }
}

/// Parses `HOST`, `HOST:PORT`, `ADDRESS`, `ADDRESS:PORT`, `[IPV6]` or `[IPV6]:PORT`.
impl FromStr for AllowedHost {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "expected HOST or HOST:PORT, for example mail.example.org:993 or [::1]:143, got {text:?}"
            )
        };
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, Some(port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?))
            }
            _ => (text, None),
        };
        let host = Name::of(host);
        match &host {
            Name::Name(name)
                if name.is_empty()
                    || !name.chars().all(|c| c.is_alphanumeric() || "-._%".contains(c)) =>
            {
                Err(wrong())
            }
            _ => Ok(AllowedHost { host, port }),
        }
    }
}

impl fmt::Display for AllowedHost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Name::Address(IpAddr::V6(address)) => write!(formatter, "[{address}]")?,
            Name::Address(address) => write!(formatter, "{address}")?,
            Name::Name(name) => formatter.write_str(name)?,
        }
        self.port.map_or(Ok(()), |port| write!(formatter, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_compared_as_what_they_mean() {
        for (allowed, host, port, fits) in [
            ("mail.example.org", "mail.example.org", 143, true),
            ("mail.example.org", "MAIL.Example.ORG.", 25, true),
            ("mail.example.org.", "mail.example.org", 25, true),
            ("mail.example.org:993", "mail.example.org", 993, true),
            ("mail.example.org:993", "mail.example.org", 143, false),
            ("mail.example.org", "example.org", 143, false),
            ("example.org", "mail.example.org", 143, false),
            ("example.org", "example.org.evil.example", 143, false),
            ("example.org", "example.org..", 143, false),
            ("127.0.0.1", "127.0.0.1", 143, true),
            ("127.0.0.1", "::ffff:127.0.0.1", 143, true),
            ("127.0.0.1", "127.1", 143, false),
            ("127.0.0.1", "2130706433", 143, false),
            ("127.0.0.1", "0x7f000001", 143, false),
            ("127.0.0.1", "localhost", 143, false),
            ("localhost", "127.0.0.1", 143, false),
            ("::1", "0:0:0:0:0:0:0:1", 143, true),
            ("[::1]:143", "::1", 143, true),
            ("[::1]:143", "::1", 25, false),
            ("::1", "::1%lo", 143, false),
        ] {
            let allowed: AllowedHost = allowed.parse().unwrap();
            assert_eq!(allowed.fits(host, port), fits, "{allowed} {host} {port}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for wrong in [
            "",
            ":25",
            "x:",
            "x:0",
            "x:65536",
            "x:y",
            "a b",
            "*",
            "*.example.org",
            "x/24",
            "[::1",
            "a:b:c",
        ] {
            let parsed = wrong.parse::<AllowedHost>();
            assert!(parsed.is_err(), "{wrong}: {parsed:?}");
        }
        for right in ["mail.example.org:993", "10.0.0.1", "[::1]:143", "[::1]"] {
            assert_eq!(right.parse::<AllowedHost>().unwrap().to_string(), right);
        }
    }
}
