//! What can be switched off in a sandbox, by name, whatever protocol it belongs to.

use super::{Extension, Options, PopExtensions, SmtpExtensions};
use std::collections::BTreeSet;
use std::str::FromStr;

/// An extension of one or several of the sandbox's protocols, to be switched off. Its text form is
/// the name that a server announces: `MOVE`, `TOP`, `CHUNKING`. A name that several protocols have, such
/// as `PIPELINING` or `STARTTLS`, stands for all of them.
#[derive(Clone, Copy, Debug)]
pub struct Switch {
    imap: Option<Extension>,
    pop: Option<fn(&mut PopExtensions)>,
    smtp: Option<fn(&mut SmtpExtensions)>,
}

type Of<E> = (&'static str, fn(&mut E));

/// The names of POP3: commands, and capabilities of CAPA (RFC 2449, 2595, 5034).
const POP: [Of<PopExtensions>; 9] = [
    ("CAPA", |on| on.capa = false),
    ("TOP", |on| on.top = false),
    ("UIDL", |on| on.uidl = false),
    ("STLS", |on| on.stls = false),
    ("APOP", |on| on.apop = false),
    ("RESP-CODES", |on| on.resp_codes = false),
    ("PIPELINING", |on| on.pipelining = false),
    ("AUTH=PLAIN", |on| on.sasl_plain = false),
    ("AUTH=LOGIN", |on| on.sasl_login = false),
];

/// The names of SMTP: EHLO and its keywords.
const SMTP: [Of<SmtpExtensions>; 11] = [
    ("EHLO", |on| on.ehlo = false),
    ("STARTTLS", |on| on.starttls = false),
    ("SIZE", |on| on.size = None),
    ("8BITMIME", |on| on.eight_bit_mime = false),
    ("SMTPUTF8", |on| on.smtp_utf8 = false),
    ("DSN", |on| on.dsn = false),
    ("CHUNKING", |on| on.chunking = false),
    ("ENHANCEDSTATUSCODES", |on| on.enhanced_status_codes = false),
    ("PIPELINING", |on| on.pipelining = false),
    ("AUTH=PLAIN", |on| on.auth_plain = false),
    ("AUTH=LOGIN", |on| on.auth_login = false),
];

impl Switch {
    /// Switches it off.
    pub fn off(&self, options: &mut Options) {
        if let Some(extension) = self.imap {
            options.extensions.set(extension, false);
        }
        if let Some(off) = self.pop {
            off(&mut options.pop);
        }
        if let Some(off) = self.smtp {
            off(&mut options.smtp);
        }
    }
}

impl FromStr for Switch {
    type Err = String;

    /// Reads a name in any case. The error lists all names.
    fn from_str(name: &str) -> Result<Switch, String> {
        let switch = Switch {
            imap: Extension::all().find(|known| known.name().eq_ignore_ascii_case(name)),
            pop: found(&POP, name),
            smtp: found(&SMTP, name),
        };
        if switch.imap.is_some() || switch.pop.is_some() || switch.smtp.is_some() {
            return Ok(switch);
        }
        let imap: Vec<&str> = Extension::all().map(Extension::name).collect();
        let of_others = POP.iter().map(|(name, _)| *name).chain(SMTP.iter().map(|(name, _)| *name));
        let others: BTreeSet<&str> = of_others.filter(|name| !imap.contains(name)).collect();
        let others: Vec<&str> = others.into_iter().collect();
        let (imap, others) = (imap.join(", "), others.join(", "));
        Err(format!(
            "the sandbox has no extension {name:?}; it has {imap}; and of POP and SMTP {others}"
        ))
    }
}

fn found<E>(all: &[Of<E>], name: &str) -> Option<fn(&mut E)> {
    all.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, off)| *off)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_switches_off_what_has_it() {
        let names = POP.iter().map(|(name, _)| *name).chain(SMTP.iter().map(|(name, _)| *name));
        for name in names.chain(Extension::all().map(Extension::name)) {
            let mut options = Options::default();
            for extension in Extension::all() {
                options.extensions.set(extension, true);
            }
            let before = (options.extensions, options.pop, options.smtp);
            name.to_ascii_lowercase().parse::<Switch>().unwrap().off(&mut options);
            let is_off = Extension::all().any(|known| known.name() == name);
            assert_eq!(options.extensions != before.0, is_off, "{name}");
            assert_eq!(options.pop != before.1, found(&POP, name).is_some(), "{name}");
            assert_eq!(options.smtp != before.2, found(&SMTP, name).is_some(), "{name}");
        }
    }
}
