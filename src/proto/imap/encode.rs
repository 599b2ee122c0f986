//! Builds commands from typed values.
//!
//! An [`Encoder`] collects the arguments of one command as parts. It alone decides what is sent as
//! an atom, a quoted string or a literal, and it refuses what cannot be sent: NUL, and line ends in
//! names and strings. So no argument can become a second command. Some decisions wait until
//! the session sends the command, because they depend on what the server offers and has enabled: how
//! a mailbox name is encoded, whether text in UTF-8 can be quoted, and whether a literal waits for
//! `+`.
//!
//! A literal may also come from outside: then only its length is known here, and the session asks
//! for the bytes while it sends the command. Secrets are parts of their own, wiped when dropped and
//! hidden from `Debug`.

use super::date::DateTime;
use super::flag::{Flag, is_atom_char};
use super::sequence::SequenceSet;
use super::utf7;
use crate::proto::error::EncodeError;
use crate::proto::secret::Secret;
use zeroize::Zeroize;

/// A piece of a command.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub bytes: Vec<u8>,
    pub form: Form,
    pub secret: bool,
    /// Number of literal bytes that the caller supplies during sending; `bytes` is empty then.
    pub outside: u64,
}

/// How the bytes of a [`Part`] are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Unchanged.
    Text,
    /// As a literal, preceded by their length.
    Literal,
    /// A mailbox name, in UTF-8 until the session encodes it as the server requires.
    Mailbox,
    /// A pattern of LIST: a mailbox name in which `*` and `%` are wildcards.
    Pattern,
    /// A label, in UTF-8 until the session encodes it as names of mailboxes.
    Label,
    /// A short string that is not ASCII: quoted where text travels as UTF-8, else as a literal.
    Utf8,
    /// Unchanged after ENABLE UTF8=ACCEPT (RFC 6855), else left out.
    IfUtf8Accepted,
    /// Left out where text travels as UTF-8, else unchanged.
    UnlessUtf8,
}

impl Part {
    fn new(bytes: Vec<u8>, form: Form, secret: bool) -> Part {
        Part { bytes, form, secret, outside: 0 }
    }

    pub fn text(text: &str, secret: bool) -> Part {
        Part::new(text.as_bytes().to_vec(), Form::Text, secret)
    }

    /// Encodes a mailbox name for sending: as an atom, a quoted string or a literal, in UTF-8 if
    /// `utf8`, else in modified UTF-7 (RFC 3501 5.1.3). If the server gave the name in another form,
    /// `given` is that.
    pub fn encode_name(&mut self, utf8: bool, given: Option<&[u8]>) {
        let name = std::mem::take(&mut self.bytes);
        let is_atom_byte = |byte: u8| is_atom_char(byte) || byte == b']';
        let name = match (given, std::str::from_utf8(&name)) {
            (Some(given), _) => given.to_vec(),
            (None, Ok(name)) if !utf8 => utf7::encode(name).into_bytes(),
            _ => name,
        };
        let is_atom = self.form == Form::Mailbox
            && !name.is_empty()
            && name.iter().all(|byte| is_atom_byte(*byte))
            && !name.eq_ignore_ascii_case(b"NIL");
        (self.bytes, self.form) = match name {
            name if is_atom => (name, Form::Text),
            name if is_quotable(&name) => (quote(&name), Form::Text),
            name if utf8 && name.len() <= LONGEST_QUOTED && std::str::from_utf8(&name).is_ok() => {
                (quote(&name), Form::Text)
            }
            name => (name, Form::Literal),
        };
    }

    /// Encodes a string that is not ASCII for sending.
    pub fn encode_text(&mut self, utf8: bool) {
        (self.bytes, self.form) = match std::mem::take(&mut self.bytes) {
            text if utf8 => (quote(&text), Form::Text),
            text => (text, Form::Literal),
        };
    }

    pub fn length(&self) -> u64 {
        self.bytes.len() as u64 + self.outside
    }
}

impl std::fmt::Debug for Part {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = if self.secret {
            "#<secret>".to_owned()
        } else {
            self.bytes.escape_ascii().to_string()
        };
        formatter.debug_struct("Part").field("form", &self.form).field("bytes", &shown).finish()
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if self.secret {
            self.bytes.zeroize();
        }
    }
}

/// Collects the arguments of one command. Each method adds one argument, with a space before it
/// where needed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encoder {
    parts: Vec<Part>,
    no_space: bool,
}

/// The longest string, in bytes, that is sent quoted. Servers limit the length of a line, and a
/// quoted string is part of it; longer ones are sent as literals.
const LONGEST_QUOTED: usize = 1000;

impl Encoder {
    /// Starts with the command's name, a trusted constant.
    pub(super) fn new(name: &'static str) -> Self {
        let mut encoder = Encoder::default();
        encoder.raw(name.as_bytes());
        encoder
    }

    pub(super) fn into_parts(self) -> Vec<Part> {
        self.parts
    }

    /// Adds a keyword of the grammar.
    pub fn word(&mut self, word: &'static str) -> &mut Self {
        self.space();
        self.raw(word.as_bytes());
        self
    }

    /// Adds a number.
    pub fn number(&mut self, number: u64) -> &mut Self {
        self.space();
        self.raw(number.to_string().as_bytes());
        self
    }

    /// Adds a parenthesised list with the arguments that `inside` adds.
    ///
    /// # Errors
    /// The error of `inside`.
    pub fn list(
        &mut self,
        inside: impl FnOnce(&mut Self) -> Result<(), EncodeError>,
    ) -> Result<&mut Self, EncodeError> {
        self.space();
        self.raw(b"(");
        self.no_space = true;
        inside(self)?;
        self.no_space = false;
        self.raw(b")");
        Ok(self)
    }

    /// Adds an atom that came from a script, for example a status item. `what` names it in errors.
    ///
    /// # Errors
    /// [`EncodeError`] if it is not an atom (RFC 3501 9).
    pub fn atom(&mut self, what: &'static str, atom: &str) -> Result<&mut Self, EncodeError> {
        if atom.is_empty() || !atom.bytes().all(is_atom_char) {
            return Err(EncodeError::new(
                what,
                "a word without spaces, parentheses, quotes and control characters",
                atom.as_bytes(),
            ));
        }
        self.space();
        self.raw(atom.as_bytes());
        Ok(self)
    }

    /// Adds a string in the shortest form that can hold it: an atom, a quoted string or a literal.
    ///
    /// # Errors
    /// [`EncodeError`] for NUL and line ends.
    pub fn astring(&mut self, what: &'static str, text: &str) -> Result<&mut Self, EncodeError> {
        let is_atom = !text.is_empty()
            && text.bytes().all(|byte| is_atom_char(byte) || byte == b']')
            && !text.eq_ignore_ascii_case("NIL");
        if is_atom {
            self.space();
            self.raw(text.as_bytes());
            return Ok(self);
        }
        self.string(what, text)
    }

    /// Adds a string, quoted or as a literal.
    ///
    /// # Errors
    /// [`EncodeError`] for NUL and line ends.
    pub fn string(&mut self, what: &'static str, text: &str) -> Result<&mut Self, EncodeError> {
        self.space();
        self.put_string(what, text.as_bytes(), false)
    }

    /// Adds a password, as [`Encoder::string`] does; traces show `#<secret>`.
    ///
    /// # Errors
    /// [`EncodeError`] for NUL and line ends, without showing the text.
    pub fn secret(&mut self, what: &'static str, text: &Secret) -> Result<&mut Self, EncodeError> {
        self.space();
        self.put_string(what, text.reveal().as_bytes(), true)
    }

    /// Adds the charset of a search in UTF-8, which must not be named after ENABLE UTF8=ACCEPT (RFC
    /// 6855 3) and is the default of IMAP4rev2.
    pub fn charset(&mut self) -> &mut Self {
        self.parts.push(Part::new(b" CHARSET UTF-8".to_vec(), Form::UnlessUtf8, false));
        self
    }

    /// Adds the argument that `letter` adds, a literal, in the form for letters whose header is in
    /// UTF-8 where the server accepts them: `UTF8 (~{5}…)` (RFC 6855 4).
    ///
    /// # Errors
    /// The error of `letter`.
    pub fn utf8_letter(
        &mut self,
        letter: impl FnOnce(&mut Self) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        self.space();
        self.parts.push(Part::new(b"UTF8 (~".to_vec(), Form::IfUtf8Accepted, false));
        self.no_space = true;
        letter(self)?;
        self.parts.push(Part::new(b")".to_vec(), Form::IfUtf8Accepted, false));
        Ok(())
    }

    /// Adds a letter's bytes, always as a literal.
    ///
    /// # Errors
    /// [`EncodeError`] for NUL, which a plain literal must not contain (RFC 3501 9, CHAR8).
    pub fn literal(&mut self, what: &'static str, bytes: &[u8]) -> Result<&mut Self, EncodeError> {
        if bytes.contains(&0) {
            return Err(EncodeError::new(what, "bytes without NUL", b"a NUL"));
        }
        self.space();
        self.parts.push(Part::new(bytes.to_vec(), Form::Literal, false));
        Ok(self)
    }

    /// Adds a letter's bytes as a literal8, which may contain NUL (RFC 3516 4.4).
    pub fn literal8(&mut self, bytes: &[u8]) -> &mut Self {
        self.space();
        self.raw(b"~");
        self.parts.push(Part::new(bytes.to_vec(), Form::Literal, false));
        self
    }

    /// Adds a literal of `length` bytes, which [`super::Session::feed`] supplies during sending.
    pub fn literal_from_outside(&mut self, length: u64) -> &mut Self {
        self.space();
        let mut part = Part::new(Vec::new(), Form::Literal, false);
        part.outside = length;
        self.parts.push(part);
        self
    }

    /// Adds a mailbox name. The session encodes it when it sends the command: in modified UTF-7 or,
    /// for a server that supports only IMAP4rev2, in UTF-8.
    ///
    /// # Errors
    /// [`EncodeError`] for NUL, CR and LF.
    pub fn mailbox(&mut self, name: &str) -> Result<&mut Self, EncodeError> {
        check_name("mailbox name", name)?;
        self.space();
        self.parts.push(Part::new(name.as_bytes().to_vec(), Form::Mailbox, false));
        Ok(self)
    }

    /// Adds a pattern of LIST: a mailbox name in which `*` and `%` are wildcards.
    ///
    /// # Errors
    /// As [`Encoder::mailbox`].
    pub fn mailbox_pattern(&mut self, pattern: &str) -> Result<&mut Self, EncodeError> {
        check_name("mailbox pattern", pattern)?;
        self.space();
        self.parts.push(Part::new(pattern.as_bytes().to_vec(), Form::Pattern, false));
        Ok(self)
    }

    /// Adds one of Gmail's labels, which are encoded as mailbox names are.
    ///
    /// # Errors
    /// [`EncodeError`] for NUL, CR and LF; `what` names the argument.
    pub fn label(&mut self, what: &'static str, label: &str) -> Result<&mut Self, EncodeError> {
        check_name(what, label)?;
        self.space();
        self.parts.push(Part::new(label.as_bytes().to_vec(), Form::Label, false));
        Ok(self)
    }

    /// Adds a sequence set.
    ///
    /// # Errors
    /// [`EncodeError`] for the empty set.
    pub fn sequence_set(&mut self, set: &SequenceSet) -> Result<&mut Self, EncodeError> {
        if set.is_empty() && !set.is_saved() {
            return Err(EncodeError::new("messages", "at least one message", b""));
        }
        self.space();
        let text = if set.is_saved() { "$".to_owned() } else { set.to_string() };
        self.raw(text.as_bytes());
        Ok(self)
    }

    /// Adds a date and time, quoted (RFC 3501 9, date-time).
    pub fn date_time(&mut self, date: DateTime) -> &mut Self {
        self.space();
        self.raw(format!("\"{date}\"").as_bytes());
        self
    }

    /// Adds a parenthesised list of flags.
    ///
    /// # Errors
    /// Never fails: a [`Flag`] is checked when it is made.
    pub fn flags(&mut self, flags: &[Flag]) -> Result<&mut Self, EncodeError> {
        self.list(|inside| {
            flags.iter().for_each(|flag| _ = inside.flag(flag));
            Ok(())
        })
    }

    /// Adds a flag.
    pub fn flag(&mut self, flag: &Flag) -> &mut Self {
        self.space();
        self.raw(flag.as_str().as_bytes());
        self
    }

    /// Adds text in IMAP's own notation, such as fetch items or a raw search.
    ///
    /// # Errors
    /// [`EncodeError`] unless it is printable ASCII with balanced parentheses, brackets and quotes,
    /// is not blank, and has no braces outside quotes, which could begin a literal.
    pub fn raw_text(&mut self, what: &'static str, text: &str) -> Result<&mut Self, EncodeError> {
        check_raw(what, text)?;
        self.space();
        self.raw(text.as_bytes());
        Ok(self)
    }

    fn put_string(
        &mut self,
        what: &'static str,
        bytes: &[u8],
        secret: bool,
    ) -> Result<&mut Self, EncodeError> {
        // A literal could carry line ends, but no name, word or password has any. Text with a line
        // end was probably made to smuggle in a second command.
        if memchr::memchr3(0, b'\r', b'\n', bytes).is_some() {
            return Err(EncodeError::new(
                what,
                "text without NUL and line ends",
                if secret { b"#<secret>" } else { bytes },
            ));
        }
        let (bytes, form) = match bytes {
            bytes if is_quotable(bytes) => (quote(bytes), Form::Text),
            bytes if bytes.len() <= LONGEST_QUOTED && !secret => (bytes.to_vec(), Form::Utf8),
            bytes => (bytes.to_vec(), Form::Literal),
        };
        if secret || form != Form::Text {
            self.parts.push(Part::new(bytes, form, secret));
        } else {
            self.raw(&bytes);
        }
        Ok(self)
    }

    fn space(&mut self) {
        if self.no_space {
            self.no_space = false;
        } else {
            self.raw(b" ");
        }
    }

    fn raw(&mut self, bytes: &[u8]) {
        match self.parts.last_mut() {
            Some(Part { bytes: text, form: Form::Text, secret: false, .. }) => {
                text.extend_from_slice(bytes)
            }
            _ => self.parts.push(Part::new(bytes.to_vec(), Form::Text, false)),
        }
    }
}

fn is_quotable(bytes: &[u8]) -> bool {
    bytes.len() <= LONGEST_QUOTED && bytes.is_ascii()
}

fn quote(bytes: &[u8]) -> Vec<u8> {
    let mut quoted = Vec::with_capacity(bytes.len() + 2);
    quoted.push(b'"');
    for &byte in bytes {
        if matches!(byte, b'"' | b'\\') {
            quoted.push(b'\\');
        }
        quoted.push(byte);
    }
    quoted.push(b'"');
    quoted
}

pub(super) fn check_name(what: &'static str, name: &str) -> Result<(), EncodeError> {
    if name.contains(['\0', '\r', '\n']) {
        return Err(EncodeError::new(what, "a name without NUL and line ends", name.as_bytes()));
    }
    Ok(())
}

/// Checks text in IMAP's own notation. Braces outside quotes could begin a literal, so they are
/// refused everywhere.
pub(super) fn check_raw(what: &'static str, text: &str) -> Result<(), EncodeError> {
    let refuse = |expected| Err(EncodeError::new(what, expected, text.as_bytes()));
    let mut open = Vec::new();
    let mut characters = text.bytes();
    while let Some(byte) = characters.next() {
        match byte {
            b'(' | b'[' => open.push(byte),
            b')' if open.pop() != Some(b'(') => return refuse("balanced parentheses"),
            b']' if open.pop() != Some(b'[') => return refuse("balanced brackets"),
            b'{' | b'}' => return refuse("text without braces, which begin a literal"),
            b'"' => loop {
                match characters.next() {
                    Some(b'"') => break,
                    Some(b'\\') if !matches!(characters.next(), Some(b'"' | b'\\')) => {
                        return refuse(
                            "quoted strings in which a backslash stands before a quote or backslash",
                        );
                    }
                    Some(b' '..=b'~') => {}
                    _ => return refuse("quoted strings that are closed and printable"),
                }
            },
            b' '..=b'~' => {}
            _ => return refuse("printable ASCII without line ends"),
        }
    }
    if !open.is_empty() {
        return refuse("balanced parentheses and brackets");
    }
    if text.trim().is_empty() {
        return refuse("something to ask for");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(
        build: impl FnOnce(&mut Encoder) -> Result<(), EncodeError>,
    ) -> Result<String, EncodeError> {
        sent_to(false, build)
    }

    fn sent_to(
        utf8_names: bool,
        build: impl FnOnce(&mut Encoder) -> Result<(), EncodeError>,
    ) -> Result<String, EncodeError> {
        let mut encoder = Encoder::new("X");
        build(&mut encoder)?;
        let mut parts = encoder.into_parts();
        let is_name = |part: &&mut Part| matches!(part.form, Form::Mailbox | Form::Pattern);
        parts.iter_mut().filter(is_name).for_each(|part| part.encode_name(utf8_names, None));
        Ok(parts
            .iter()
            .map(|part| {
                if matches!(part.form, Form::Literal | Form::Utf8) {
                    format!("{{{}}}", part.bytes.escape_ascii())
                } else {
                    String::from_utf8_lossy(&part.bytes).into_owned()
                }
            })
            .collect())
    }

    #[test]
    fn a_string_goes_in_the_shortest_form_that_carries_it() {
        let table = [
            ("plain", "X plain"),
            ("", "X \"\""),
            ("nil", "X \"nil\""),
            ("a b", "X \"a b\""),
            ("a\"b\\c", "X \"a\\\"b\\\\c\""),
            ("{5}", "X \"{5}\""),
            ("é", "X {\\xc3\\xa9}"),
            ("a)b", "X \"a)b\""),
            ("50%", "X \"50%\""),
        ];
        for (text, expected) in table {
            assert_eq!(
                sent(|encoder| encoder.astring("text", text).map(|_| ())).as_deref(),
                Ok(expected),
                "{text:?}"
            );
        }
        for text in ["a\0b", "a\r\nX2 LOGOUT", "\n", "a\r"] {
            assert!(sent(|encoder| encoder.astring("text", text).map(|_| ())).is_err(), "{text:?}");
        }
        assert_eq!(
            sent(|encoder| encoder.astring("text", &"a b".repeat(400)).map(|_| ()))
                .map(|sent| sent.starts_with("X {")),
            Ok(true)
        );
    }

    #[test]
    fn mailbox_names_are_encoded_and_never_become_commands() {
        assert_eq!(
            sent(|encoder| encoder.mailbox("Entwürfe").map(|_| ())).as_deref(),
            Ok("X Entw&APw-rfe")
        );
        assert_eq!(
            sent_to(true, |encoder| encoder.mailbox("Entwürfe").map(|_| ())).as_deref(),
            Ok("X \"Entwürfe\"")
        );
        for name in ["a\r\nb", "a\0", "\n"] {
            assert!(sent(|encoder| encoder.mailbox(name).map(|_| ())).is_err());
        }
    }

    #[test]
    fn raw_text_is_checked() {
        for text in [
            "body[]",
            "(flags envelope)",
            "body.peek[header.fields (from \"to\")]<0.10>",
            "\"a {5}\"",
        ] {
            assert!(check_raw("parts", text).is_ok(), "{text}");
        }
        for text in [
            "",
            " ",
            "body[",
            "(flags",
            "flags)",
            "([)]",
            "body[] {5}",
            "a{5+}",
            "a\r\nb",
            "é",
            "\"a",
            "\"a\\x\"",
            "a\0",
        ] {
            assert!(check_raw("parts", text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        let mut encoder = Encoder::new("LOGIN");
        encoder.secret("password", &Secret::new("hunter2")).unwrap();
        assert!(!format!("{encoder:?}").contains("hunter2"));
        let refused =
            Encoder::new("LOGIN").secret("password", &Secret::new("hunter2\0")).unwrap_err();
        assert!(!refused.to_string().contains("hunter2"));
    }
}
