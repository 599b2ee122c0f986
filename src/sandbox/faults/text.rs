//! The text form of faults and rules.

use std::{fmt, ops::Range, str::FromStr, time::Duration};

use super::{Fault, FaultKind, FaultRule, Protocol, Side};

/// The longest pause between two bytes, in seconds; more than a day is a typing error.
const LONGEST_DRIP: f64 = 86_400.0;

const FAULTS: &str =
    "cut@N, stall@N, byte-at-a-time, drip=SECONDS, insert@N=TEXT, replace@N=TEXT or double@N..M";

impl FromStr for FaultRule {
    type Err = String;

    fn from_str(text: &str) -> Result<FaultRule, String> {
        let wrong = || {
            format!(
                "expected [imap|pop|smtp[#N]:]client|server:FAULT, where FAULT is {FAULTS}, got {text:?}"
            )
        };
        let (first, rest) = text.split_once(':').ok_or_else(wrong)?;
        if side(first).is_some() {
            let fault = fault(text).ok_or_else(wrong)?;
            return Ok(FaultRule { protocol: None, connection: None, fault });
        }
        let (name, number) =
            first.split_once('#').map_or((first, None), |(name, number)| (name, Some(number)));
        let protocol =
            PROTOCOLS.iter().find(|(_, known)| *known == name).map(|(protocol, _)| *protocol);
        let number = number
            .map(|number| number.parse().ok().filter(|number| *number > 0).ok_or_else(wrong))
            .transpose()?;
        Ok(FaultRule {
            protocol: Some(protocol.ok_or_else(wrong)?),
            connection: number,
            fault: fault(rest).ok_or_else(wrong)?,
        })
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Fault, String> {
        fault(text).ok_or_else(|| {
            format!("expected client|server:FAULT, where FAULT is {FAULTS}, got {text:?}")
        })
    }
}

const PROTOCOLS: [(Protocol, &str); 3] =
    [(Protocol::Imap, "imap"), (Protocol::Pop, "pop"), (Protocol::Smtp, "smtp")];

fn side(text: &str) -> Option<Side> {
    match text {
        "client" => Some(Side::Client),
        "server" => Some(Side::Server),
        _ => None,
    }
}

fn fault(text: &str) -> Option<Fault> {
    let (name, kind) = text.split_once(':')?;
    Some(Fault { side: side(name)?, kind: kind_of(kind)? })
}

fn kind_of(text: &str) -> Option<FaultKind> {
    let (place, value) =
        text.split_once('=').map_or((text, None), |(place, value)| (place, Some(value)));
    let (name, at) = place.split_once('@').map_or((place, None), |(name, at)| (name, Some(at)));
    let offset = || at?.parse().ok();
    let range = || at.map_or(Some(0..u64::MAX), range);
    match (name, value) {
        ("cut", None) => Some(FaultKind::Cut { at: offset()? }),
        ("stall", None) => Some(FaultKind::Stall { at: offset()? }),
        ("byte-at-a-time", None) => {
            Some(FaultKind::Drip { range: range()?, interval: Duration::ZERO })
        }
        ("drip", Some(seconds)) => {
            let seconds =
                seconds.parse().ok().filter(|seconds| (0.0..=LONGEST_DRIP).contains(seconds))?;
            Some(FaultKind::Drip { range: range()?, interval: Duration::from_secs_f64(seconds) })
        }
        ("insert", Some(value)) => Some(FaultKind::Insert { at: offset()?, bytes: bytes(value)? }),
        ("replace", Some(value)) => {
            Some(FaultKind::Replace { at: offset()?, bytes: bytes(value)? })
        }
        ("double", None) => at.and_then(self::range).map(|range| FaultKind::Double { range }),
        _ => None,
    }
}

fn range(text: &str) -> Option<Range<u64>> {
    let (from, to) = text.split_once("..")?;
    let range = from.parse().ok()?..to.parse().ok()?;
    (!range.is_empty()).then_some(range)
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let (&escaped, behind) = rest.split_first()?;
        rest = behind;
        bytes.push(match escaped {
            b'r' => b'\r',
            b'n' => b'\n',
            b't' => b'\t',
            b'0' => 0,
            b'\\' => b'\\',
            b'x' => {
                let (digits, behind) = rest.split_at_checked(2)?;
                rest = behind;
                let value = digits.iter().try_fold(0, |value, digit| {
                    Some(value * 16 + char::from(*digit).to_digit(16)?)
                })?;
                u8::try_from(value).ok()?
            }
            _ => return None,
        });
    }
    (!bytes.is_empty()).then_some(bytes)
}

impl fmt::Display for FaultRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = PROTOCOLS
            .iter()
            .find(|(protocol, _)| Some(*protocol) == self.protocol)
            .map(|(_, name)| *name);
        match (name, self.connection) {
            (Some(name), Some(number)) => write!(formatter, "{name}#{number}:")?,
            (Some(name), None) => write!(formatter, "{name}:")?,
            (None, _) => {}
        }
        self.fault.fmt(formatter)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.side == Side::Client { "client:" } else { "server:" })?;
        let some = |range: &Range<u64>| {
            if *range == (0..u64::MAX) {
                String::new()
            } else {
                format!("@{}..{}", range.start, range.end)
            }
        };
        match &self.kind {
            FaultKind::Cut { at } => write!(formatter, "cut@{at}"),
            FaultKind::Stall { at } => write!(formatter, "stall@{at}"),
            FaultKind::Drip { range, interval } if interval.is_zero() => {
                write!(formatter, "byte-at-a-time{}", some(range))
            }
            FaultKind::Drip { range, interval } => {
                write!(formatter, "drip{}={}", some(range), interval.as_secs_f64())
            }
            FaultKind::Insert { at, bytes } => {
                write!(formatter, "insert@{at}={}", bytes.escape_ascii())
            }
            FaultKind::Replace { at, bytes } => {
                write!(formatter, "replace@{at}={}", bytes.escape_ascii())
            }
            FaultKind::Double { range } => {
                write!(formatter, "double@{}..{}", range.start, range.end)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_and_shown() {
        for text in [
            "server:cut@0",
            "client:stall@17",
            "imap:server:byte-at-a-time",
            "imap:server:byte-at-a-time@5..10",
            "pop#3:client:drip=0.25",
            "smtp:client:drip@1..2=0.5",
            "smtp#1:server:insert@12=* BYE a=b:c@d\\r\\n",
            "server:replace@4=\\x00\\xff\\\\",
            "client:double@3..5",
        ] {
            assert_eq!(text.parse::<FaultRule>().unwrap().to_string(), text);
        }
        let rule: FaultRule = "pop#2:server:insert@7=a\\r\\n\\x41".parse().unwrap();
        let fault = Fault {
            side: Side::Server,
            kind: FaultKind::Insert { at: 7, bytes: b"a\r\nA".to_vec() },
        };
        assert_eq!(rule, FaultRule { protocol: Some(Protocol::Pop), connection: Some(2), fault });
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for text in [
            "",
            "cut@1",
            "server",
            "server:",
            "server:cut",
            "server:cut@",
            "server:cut@-1",
            "server:cut@1=2",
            "nntp:server:cut@1",
            "imap#0:server:cut@1",
            "imap#x:server:cut@1",
            "imap:cut@1",
            "server:drip",
            "server:drip=-1",
            "server:drip=NaN",
            "server:drip=1e9",
            "server:insert@1",
            "server:insert@1=",
            "server:insert@1=\\",
            "server:insert@1=\\q",
            "server:insert@1=\\x1",
            "server:insert@1=\\x+1",
            "server:insert=a",
            "server:double",
            "server:double@1",
            "server:double@2..2",
            "server:byte-at-a-time=1",
            "imap:imap:server:cut@1",
        ] {
            let error = text.parse::<FaultRule>().unwrap_err();
            assert!(error.ends_with(&format!("got {text:?}")), "{error}");
        }
    }
}
