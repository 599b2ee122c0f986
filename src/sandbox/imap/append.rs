//! APPEND (RFC 3501 6.3.11), with APPENDUID (RFC 4315), and REPLACE (RFC 8508). Without a date a letter
//! is dated now. The date keeps the time zone that the client gave.
//!
//! `imap-codec` decodes an APPEND of one letter in a plain literal. Several letters (MULTIAPPEND, RFC
//! 3502), a literal8 (BINARY, RFC 3516), a letter in the form `UTF8 (…)` (RFC 6855) and REPLACE are
//! decoded here. All letters are stored, or none.

use std::{fmt, sync::Arc};

use imap_codec::{
    CommandCodec,
    decode::Decoder,
    imap_types::{
        command::CommandBody, datetime::DateTime, extensions::binary::LiteralOrLiteral8,
        flag::Flag, mailbox::Mailbox as MailboxName,
    },
};
use jiff::Zoned;

use crate::sandbox::Extension;
use crate::sandbox::imap::copying::GONE;
use crate::sandbox::imap::dates;
use crate::sandbox::imap::own::{Word, Words};
use crate::sandbox::imap::quota::OVER_QUOTA;
use crate::sandbox::imap::session::{Outcome, Refusal, Session, bad, no, stored_name};
use crate::sandbox::store::flags::Flags;
use crate::sandbox::store::letter::Content;
use crate::sandbox::store::mailbox::Message;

/// A letter of an APPEND.
#[derive(PartialEq, Eq)]
pub(crate) struct Letter {
    flags: Vec<Flag<'static>>,
    date: Option<DateTime>,
    bytes: Vec<u8>,
    /// Whether it came in a literal8.
    is_binary: bool,
    /// Whether it came in the form `UTF8 (…)`.
    is_utf8: bool,
}

impl fmt::Debug for Letter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a letter of {} octets", self.bytes.len())
    }
}

impl Letter {
    /// Whether it has NUL where it may not.
    pub(crate) fn has_bad_nul(&self) -> bool {
        !self.is_binary && self.bytes.contains(&0)
    }
}

/// The letters of a command, as far as they have arrived.
pub(crate) enum Letters {
    Whole(Vec<Letter>),
    /// The command ends at a literal that has not arrived.
    Begun,
    Wrong,
}

impl Letters {
    /// Reads `(\Seen) "date" {5}… UTF8 (~{5}…)`, up to the end.
    pub(crate) fn decode(words: &mut Words<'_>) -> Letters {
        let mut letters = Vec::new();
        loop {
            let Some(flags) = flag_list(words) else { return Letters::Wrong };
            let date = match next(words) {
                Some(b'"') => words.text(),
                _ => None,
            };
            let Some((flags, date)) = decoded(&flags, date.as_deref()) else {
                return Letters::Wrong;
            };
            let is_utf8 =
                words.clone().atom().is_some_and(|word| word.eq_ignore_ascii_case("UTF8"));
            if is_utf8 && !(words.atom().is_some() && words.open()) {
                return Letters::Wrong;
            }
            let is_binary = next(words) == Some(b'~');
            if !is_binary && next(words) != Some(b'{') {
                return Letters::Wrong;
            }
            let Some(Word::String(bytes)) = words.word() else { return Letters::Begun };
            letters.push(Letter { flags, date, bytes: bytes.into_owned(), is_binary, is_utf8 });
            if is_utf8 && !words.close() {
                return Letters::Wrong;
            }
            if words.is_at_end() {
                return Letters::Whole(letters);
            }
        }
    }
}

/// Takes a list of flags, if there is one; `None` if it holds anything but atoms.
fn flag_list(words: &mut Words<'_>) -> Option<Vec<String>> {
    let mut flags = Vec::new();
    if words.open() {
        while !words.close() {
            flags.push(words.atom()?);
        }
    }
    Some(flags)
}

/// The first byte of the next word.
fn next(words: &Words<'_>) -> Option<u8> {
    let rest = words.rest();
    rest.strip_prefix(b" ").unwrap_or(rest).first().copied()
}

/// Lets `imap-codec` decode flags and a date.
fn decoded(flags: &[String], date: Option<&str>) -> Option<(Vec<Flag<'static>>, Option<DateTime>)> {
    let date = date.map(|date| format!("\"{date}\" ")).unwrap_or_default();
    let command = format!("a APPEND INBOX ({}) {date}{{0+}}\r\n\r\n", flags.join(" "));
    let (_, decoded) = CommandCodec::default().decode_static(command.as_bytes()).ok()?;
    match decoded.body {
        CommandBody::Append { flags, date, .. } => Some((flags, date)),
        _ => None,
    }
}

impl Session {
    pub(crate) fn append(
        &mut self,
        mailbox: &MailboxName<'_>,
        flags: &[Flag<'_>],
        date: Option<&DateTime>,
        message: &LiteralOrLiteral8<'_>,
    ) -> Outcome {
        let letter = match message {
            LiteralOrLiteral8::Literal(letter) => letter.data(),
            LiteralOrLiteral8::Literal8(letter) => {
                self.needs(Extension::Binary)?;
                &letter.data
            }
        };
        let message = message_of(flags, date, letter)?;
        self.append_all(&self.name_of(mailbox), vec![message], "APPEND")
    }

    /// APPEND in a form that `imap-codec` does not decode.
    pub(crate) fn append_letters(&mut self, mailbox: &str, letters: &[Letter]) -> Outcome {
        if letters.len() > 1 {
            self.needs(Extension::MultiAppend)?;
        }
        let messages = self.messages_of(letters)?;
        self.append_all(mailbox, messages, "APPEND")
    }

    /// REPLACE (RFC 8508 3): appends the letter, then removes the old one from the selected mailbox.
    pub(crate) fn replace(
        &mut self,
        message: u32,
        uid: bool,
        mailbox: &str,
        letters: &[Letter],
    ) -> Outcome {
        self.needs(Extension::Replace)?;
        if letters.len() > 1 {
            return bad("REPLACE takes one letter.");
        }
        let view = self.selected_writable()?;
        let old = match uid {
            true => view.uids.binary_search(&message).ok().map(|_| message),
            false => usize::try_from(message)
                .ok()
                .and_then(|at| view.uids.get(at.checked_sub(1)?))
                .copied(),
        };
        let (id, session) = (view.id, view.session);
        let Some(old) = old else { return no("[NONEXISTENT] There is no such letter.") };
        let messages = self.messages_of(letters)?;
        let stored = self.append_all(mailbox, messages, "REPLACE")?;
        if let Some((code, _)) = stored.split_once("] ") {
            self.untagged(&format!("OK {code}] The new letter is there."));
        }
        let mut state = self.shared.store.lock();
        let Some(mailbox) = state.mailbox_mut(id) else { return no(GONE) };
        mailbox.remove(&[old], session);
        let code = self.resync.highest(mailbox);
        Ok(format!("{code}REPLACE completed."))
    }

    fn messages_of(&self, letters: &[Letter]) -> Result<Vec<Message>, Refusal> {
        letters
            .iter()
            .map(|letter| {
                if letter.is_utf8 && !self.utf8.accept {
                    return bad("UTF8=ACCEPT is not enabled.");
                }
                if letter.is_binary && !letter.is_utf8 {
                    self.needs(Extension::Binary)?;
                }
                message_of(&letter.flags, letter.date.as_ref(), &letter.bytes)
            })
            .collect()
    }

    /// Stores all messages or none.
    fn append_all(&mut self, mailbox: &str, messages: Vec<Message>, command: &str) -> Outcome {
        let user = self.user()?;
        let mut state = self.shared.store.lock();
        let Some(id) = state.find(&user, &stored_name(mailbox)) else {
            return no("[TRYCREATE] No such mailbox.");
        };
        let octets = messages.iter().map(|message| message.content.size()).sum();
        if !state.has_room(&user, octets, messages.len() as u64) {
            return no(OVER_QUOTA);
        }
        let Some(mailbox) = state.mailbox_mut(id) else {
            return no("[TRYCREATE] No such mailbox.");
        };
        let (uid_validity, count) = (mailbox.uid_validity, messages.len());
        if (u32::MAX - mailbox.uid_next) as usize <= count {
            return no("The mailbox has no UIDs left.");
        }
        let uids: Vec<u32> =
            messages.into_iter().filter_map(|message| mailbox.append(message)).collect();
        if self.extensions.has(Extension::UidPlus) {
            let uids = crate::sandbox::imap::sequence::compact(&uids);
            return Ok(format!("[APPENDUID {uid_validity} {uids}] {command} completed."));
        }
        Ok(format!("{command} completed."))
    }
}

fn message_of(
    flags: &[Flag<'_>],
    date: Option<&DateTime>,
    bytes: &[u8],
) -> Result<Message, Refusal> {
    let flags = Flags::from_command(flags).or_else(bad)?;
    let internal_date = match date {
        Some(date) => dates::from_command(date).map_or_else(|| bad("This date cannot be."), Ok)?,
        None => Zoned::now(),
    };
    Ok(Message::new(Arc::new(Content::new(bytes)), flags, internal_date))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str) -> Option<usize> {
        match Letters::decode(&mut Words::of(text.as_bytes())) {
            Letters::Whole(letters) => Some(letters.len()),
            Letters::Begun => Some(0),
            Letters::Wrong => None,
        }
    }

    #[test]
    fn letters_are_decoded_as_far_as_they_have_come() {
        for (text, expected) in [
            (" {1}\r\na", Some(1)),
            (" (\\Seen x) {1}\r\na", Some(1)),
            (" (\\Seen) \" 3-Sep-1999 11:36:26 -0700\" ~{1+}\r\na", Some(1)),
            (" UTF8 (~{1+}\r\na)", Some(1)),
            (" {1}\r\na (x) {2+}\r\n()", Some(2)),
            (" UTF8 (~{1+}\r\na) \" 3-Sep-1999 11:36:26 -0700\" {0}\r\n", Some(2)),
            (" {2}\r\n", Some(0)),
            (" {1}\r\na UTF8 (~{3}\r\n", Some(0)),
            ("", None),
            (" x", None),
            (" {1}\r\na x", None),
            (" (\"x y\") {1}\r\na", None),
            (" \"no date\" {1}\r\na", None),
            (" UTF8 {1}\r\na", None),
            (" UTF8 (~{1}\r\na", None),
        ] {
            assert_eq!(count(text), expected, "{text:?}");
        }
    }
}
