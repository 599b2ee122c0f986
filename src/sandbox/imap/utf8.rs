//! UTF-8 on the wire (RFC 6855) and IMAP4rev2 (RFC 9051), for clients that have enabled them.
//!
//! The store has mailbox names in modified UTF-7, so names are translated on their way in and out.
//! `imap-codec` decodes no quoted strings in UTF-8, so they become literals before it sees them.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::{GeneralPurpose, general_purpose::NO_PAD};
use imap_codec::imap_types::{
    extensions::enable::CapabilityEnable, mailbox::Mailbox as MailboxName, search::SearchKey,
};

use crate::sandbox::Extension;
use crate::sandbox::imap::session::{Refusal, Session, bad};
use crate::sandbox::imap::text;
use crate::sandbox::store::names;

const BASE64: GeneralPurpose = GeneralPurpose::new(&IMAP_MUTF7, NO_PAD);

/// What the client of a session has switched on.
#[derive(Clone, Copy, Default)]
pub(crate) struct Utf8 {
    pub(crate) accept: bool,
    pub(crate) rev2: bool,
}

impl Utf8 {
    /// Whether strings and names travel as UTF-8.
    pub(crate) fn is_on(self) -> bool {
        self.accept || self.rev2
    }

    /// A mailbox name or a label of the store as the client sees it.
    pub(crate) fn shown(self, name: &str) -> Cow<'_, str> {
        match self.is_on().then(|| from_utf7(name)).flatten() {
            Some(name) => Cow::Owned(name),
            None => Cow::Borrowed(name),
        }
    }
}

impl Session {
    /// Switches on what ENABLE names, and returns the names of what is on.
    pub(crate) fn enable_utf8(
        &mut self,
        capabilities: &[CapabilityEnable<'_>],
    ) -> Vec<&'static str> {
        let mut enabled = Vec::new();
        for capability in capabilities {
            let name = capability.to_string();
            let is = |extension: Extension| {
                name.eq_ignore_ascii_case(extension.name()) && self.extensions.has(extension)
            };
            if is(Extension::Utf8Accept) {
                self.utf8.accept = true;
                enabled.push("UTF8=ACCEPT");
            } else if is(Extension::Rev2) {
                self.utf8.rev2 = true;
                enabled.push("IMAP4rev2");
            }
        }
        self.framing.takes_utf8 = self.utf8.is_on();
        enabled
    }

    /// The name in the store of a mailbox that a command names.
    pub(crate) fn name_of(&self, mailbox: &MailboxName<'_>) -> String {
        match mailbox {
            MailboxName::Inbox => names::INBOX.to_owned(),
            MailboxName::Other(other) => {
                self.stored(&String::from_utf8_lossy(other.inner().as_ref()))
            }
        }
    }

    /// A mailbox name or a label in the store's encoding.
    pub(crate) fn stored(&self, name: &str) -> String {
        if self.utf8.is_on() { to_utf7(name) } else { name.to_owned() }
    }

    /// A mailbox name of the store as the client sees it.
    pub(crate) fn shown<'n>(&self, name: &'n str) -> Cow<'n, str> {
        self.utf8.shown(name)
    }

    /// Writes a mailbox name of the store.
    pub(crate) fn write_name(&self, out: &mut Vec<u8>, name: &str) {
        let name = self.shown(name);
        match name.is_ascii() {
            true => text::astring(out, name.as_bytes()),
            false => text::quoted(out, name.as_bytes()),
        }
    }

    /// BAD for what IMAP4rev2 no longer has (RFC 9051 appendix E), if the client has enabled it.
    pub(crate) fn not_in_rev2(&self, command: &str) -> Result<(), Refusal> {
        if self.utf8.rev2 { bad(format!("IMAP4rev2 has no {command}.")) } else { Ok(()) }
    }
}

/// Whether NEW, OLD or RECENT is among the keys.
pub(crate) fn uses_recent(keys: &[SearchKey<'_>]) -> bool {
    let is_in = |key| uses_recent(std::slice::from_ref(key));
    keys.iter().any(|key| match key {
        SearchKey::New | SearchKey::Old | SearchKey::Recent => true,
        SearchKey::And(keys) => uses_recent(keys.as_ref()),
        SearchKey::Or(one, other) => is_in(one) || is_in(other),
        SearchKey::Not(key) => is_in(key),
        _ => false,
    })
}

/// Makes literals of the quoted strings in a command that are not ASCII.
pub(crate) fn as_literals(command: &[u8]) -> Cow<'_, [u8]> {
    if command.is_ascii() {
        return Cow::Borrowed(command);
    }
    let mut result = Vec::with_capacity(command.len() + 16);
    let mut rest = command;
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'"' | b'{')) {
        let end = match rest[at] {
            b'{' => literal_end(&rest[at..]),
            _ => quoted_end(&rest[at..]),
        };
        let end = at + end.unwrap_or(1);
        let whole = &rest[at..end];
        result.extend_from_slice(&rest[..at]);
        match whole {
            [b'"', inside @ .., b'"']
                if !inside.is_ascii() && std::str::from_utf8(inside).is_ok() =>
            {
                let mut contents = Vec::with_capacity(inside.len());
                let mut bytes = inside.iter();
                while let Some(byte) = bytes.next() {
                    let escaped = if *byte == b'\\' { bytes.next() } else { None };
                    contents.push(*escaped.unwrap_or(byte));
                }
                result.extend_from_slice(format!("{{{}+}}\r\n", contents.len()).as_bytes());
                result.extend_from_slice(&contents);
            }
            _ => result.extend_from_slice(whole),
        }
        rest = &rest[end..];
    }
    result.extend_from_slice(rest);
    Cow::Owned(result)
}

/// The length of the quoted string at the start.
fn quoted_end(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    while *text.get(at)? != b'"' {
        at += 1 + usize::from(text[at] == b'\\');
    }
    Some(at + 1)
}

/// The length of the literal at the start.
fn literal_end(text: &[u8]) -> Option<usize> {
    let brace = memchr::memchr(b'}', text)?;
    let digits = text[1..brace].strip_suffix(b"+").unwrap_or(&text[1..brace]);
    let size: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
    text[brace + 1..].starts_with(b"\r\n").then_some(())?;
    Some(brace + 3 + size).filter(|end| *end <= text.len())
}

/// Encodes a name in modified UTF-7 (RFC 3501 5.1.3).
fn to_utf7(name: &str) -> String {
    let mut encoded = String::new();
    let mut units: Vec<u8> = Vec::new();
    let end_run = |units: &mut Vec<u8>, encoded: &mut String| {
        if !units.is_empty() {
            encoded.push('&');
            encoded.push_str(&BASE64.encode(&*units));
            encoded.push('-');
            units.clear();
        }
    };
    for character in name.chars() {
        if (' '..='~').contains(&character) {
            end_run(&mut units, &mut encoded);
            encoded.push_str(if character == '&' { "&-" } else { "" });
            encoded.extend((character != '&').then_some(character));
        } else {
            let mut buffer = [0; 2];
            let utf16 = character.encode_utf16(&mut buffer);
            units.extend(utf16.iter().flat_map(|unit| unit.to_be_bytes()));
        }
    }
    end_run(&mut units, &mut encoded);
    encoded
}

/// Decodes a name from modified UTF-7; `None` if it is not in that form.
fn from_utf7(name: &str) -> Option<String> {
    let mut decoded = String::new();
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('&') {
        decoded.push_str(before);
        let (inside, after) = after.split_once('-')?;
        if inside.is_empty() {
            decoded.push('&');
        } else {
            let bytes = BASE64.decode(inside).ok()?;
            let units: Vec<u16> = bytes
                .chunks(2)
                .map(|unit| Some(u16::from_be_bytes([unit[0], *unit.get(1)?])))
                .collect::<Option<_>>()?;
            decoded.push_str(&String::from_utf16(&units).ok()?);
        }
        rest = after;
    }
    decoded.push_str(rest);
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_translated_both_ways() {
        for (utf8, utf7) in [
            ("INBOX", "INBOX"),
            ("R&D", "R&-D"),
            ("Entwürfe", "Entw&APw-rfe"),
            ("日本語/a", "&ZeVnLIqe-/a"),
            ("😀", "&2D3eAA-"),
        ] {
            assert_eq!(to_utf7(utf8), utf7);
            assert_eq!(from_utf7(utf7).as_deref(), Some(utf8));
        }
        for broken in ["a&b", "&A-", "&!!!!-", "&2D0-"] {
            assert_eq!(from_utf7(broken), None, "{broken}");
        }
    }

    #[test]
    fn quoted_strings_in_utf8_become_literals() {
        for (command, expected) in [
            ("a SELECT \"x\"\r\n", "a SELECT \"x\"\r\n"),
            ("a SELECT \"ü\"\r\n", "a SELECT {2+}\r\nü\r\n"),
            ("a SELECT \"ü\\\"\\\\\"\r\n", "a SELECT {4+}\r\nü\"\\\r\n"),
            ("a RENAME {4+}\r\n\"ü\" \"é\"\r\n", "a RENAME {4+}\r\n\"ü\" {2+}\r\né\r\n"),
            ("a SELECT \"ü\r\n", "a SELECT \"ü\r\n"),
        ] {
            assert_eq!(String::from_utf8_lossy(&as_literals(command.as_bytes())), expected);
        }
        assert_eq!(&*as_literals(b"a SELECT \"\xff\"\r\n"), b"a SELECT \"\xff\"\r\n");
    }
}
