//! Commands that `imap-codec` does not decode, read from their words.
//!
//! A command whose form `imap-codec` knows is always decoded there. What it refuses is offered to
//! [`decode`], which returns `None` for what it does not know either.

use std::borrow::Cow;

use crate::sandbox::imap::returning::Extended;
use imap_codec::imap_types::command::CommandBody;
use imap_codec::imap_types::flag::{StoreResponse, StoreType};
use imap_codec::imap_types::sequence::SequenceSet;

use crate::sandbox::imap::append::{Letter, Letters};
use crate::sandbox::imap::counts::Item;
use crate::sandbox::imap::notify::Notify;
use crate::sandbox::imap::objects::{self, Extra};

/// A command that is decoded here.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Own {
    /// MYRIGHTS (RFC 4314 3.5) of a mailbox.
    MyRights(String),
    /// A command with RETURN or `$`.
    Extended(Extended),
    /// GETACL (RFC 4314 3.3) of a mailbox.
    GetAcl(String),
    /// SETACL (RFC 4314 3.1).
    SetAcl { mailbox: String, identifier: String, rights: String },
    /// DELETEACL (RFC 4314 3.2).
    DeleteAcl { mailbox: String, identifier: String },
    /// LISTRIGHTS (RFC 4314 3.4).
    ListRights { mailbox: String, identifier: String },
    /// LIST with options or several patterns (RFC 5258 3).
    List(ExtendedList),
    /// CREATE with special uses (RFC 6154 3).
    CreateFor { mailbox: String, uses: Vec<String> },
    /// STATUS with items of extensions.
    Status { mailbox: String, items: Vec<Item> },
    /// APPEND of letters in other forms than a single plain literal.
    Append { mailbox: String, letters: Vec<Letter> },
    /// REPLACE (RFC 8508) of a message by number or UID.
    Replace { message: u32, uid: bool, mailbox: String, letters: Vec<Letter> },
    /// FETCH with items of extensions; the others are in the command.
    Fetch(Box<CommandBody<'static>>, Vec<Extra>),
    /// NOTIFY (RFC 5465).
    Notify(Notify),
    /// STORE of Gmail's labels.
    StoreLabels {
        set: SequenceSet,
        uid: bool,
        kind: StoreType,
        response: StoreResponse,
        labels: Vec<String>,
    },
}

/// The arguments of an extended LIST.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ExtendedList {
    /// Selection options, in upper case.
    pub(crate) selects: Vec<String>,
    pub(crate) reference: String,
    pub(crate) patterns: Vec<String>,
    /// Return options, in upper case, without STATUS.
    pub(crate) returns: Vec<String>,
    pub(crate) status: Option<Vec<Item>>,
}

impl Own {
    /// Whether the command addresses messages by number, so that none may be expunged while it is
    /// answered (RFC 3501 7.4.1).
    pub(crate) fn uses_numbers(&self) -> bool {
        match self {
            Own::Extended(command) => command.uses_numbers(),
            Own::Fetch(body, _) => matches!(**body, CommandBody::Fetch { uid: false, .. }),
            Own::StoreLabels { uid, .. } => !uid,
            Own::MyRights(_)
            | Own::GetAcl(_)
            | Own::SetAcl { .. }
            | Own::DeleteAcl { .. }
            | Own::ListRights { .. }
            | Own::List(_)
            | Own::CreateFor { .. }
            | Own::Append { .. }
            | Own::Replace { .. }
            | Own::Notify(_)
            | Own::Status { .. } => false,
        }
    }
}

impl Own {
    /// Whether each NUL of the command is in a literal8.
    pub(crate) fn may_have_nul(&self) -> bool {
        match self {
            Own::Append { letters, .. } | Own::Replace { letters, .. } => {
                !letters.iter().any(Letter::has_bad_nul)
            }
            _ => false,
        }
    }
}

/// Decodes a whole command; returns its tag as well.
pub(crate) fn decode(command: &[u8]) -> Option<(String, Own)> {
    if let Some(extended) = Extended::decode(command) {
        return Some((extended.tag().to_owned(), Own::Extended(extended)));
    }
    let mut words = Words::of(command.strip_suffix(b"\r\n")?);
    let tag = words.atom()?;
    if let Some((own, Letters::Whole(letters))) = with_letters(&mut words.clone()) {
        return Some((tag, own(letters)));
    }
    let own = match words.atom()?.to_ascii_uppercase().as_str() {
        "MYRIGHTS" => Own::MyRights(words.text()?),
        "GETACL" => Own::GetAcl(words.text()?),
        "SETACL" => {
            Own::SetAcl { mailbox: words.text()?, identifier: words.text()?, rights: words.text()? }
        }
        "DELETEACL" => Own::DeleteAcl { mailbox: words.text()?, identifier: words.text()? },
        "LISTRIGHTS" => Own::ListRights { mailbox: words.text()?, identifier: words.text()? },
        "LIST" => Own::List(extended_list(&mut words)?),
        "CREATE" => {
            let mailbox = words.text()?;
            let is_use = words.open() && words.atom()?.eq_ignore_ascii_case("USE");
            let uses = words.list()?;
            (is_use && words.close()).then_some(Own::CreateFor { mailbox, uses })?
        }
        "STATUS" => Own::Status { mailbox: words.text()?, items: status_items(&mut words)? },
        "NOTIFY" => Own::Notify(Notify::decode(&mut words)?),
        "FETCH" => return objects::decode(command),
        "UID" => match objects::decode(command) {
            None if words.atom()?.eq_ignore_ascii_case("STORE") => store_labels(&mut words, true)?,
            fetch => return fetch,
        },
        "STORE" => store_labels(&mut words, false)?,
        _ => return None,
    };
    words.is_at_end().then_some((tag, own))
}

fn store_labels(words: &mut Words<'_>, uid: bool) -> Option<Own> {
    let set = SequenceSet::try_from(words.atom()?.as_str()).ok()?;
    let item = words.atom()?.to_ascii_uppercase();
    let (kind, item) = match item.split_at_checked(1)? {
        ("+", item) => (StoreType::Add, item),
        ("-", item) => (StoreType::Remove, item),
        _ => (StoreType::Replace, &item[..]),
    };
    let response = match item {
        "X-GM-LABELS" => StoreResponse::Answer,
        "X-GM-LABELS.SILENT" => StoreResponse::Silent,
        _ => return None,
    };
    let labels = words.list().or_else(|| words.text().map(|label| vec![label]))?;
    Some(Own::StoreLabels { set, uid, kind, response, labels })
}

/// Makes a command of its letters.
type OfLetters = Box<dyn FnOnce(Vec<Letter>) -> Own>;

/// Reads an APPEND or REPLACE after its tag: what it is, once it has its letters, and these.
fn with_letters(words: &mut Words<'_>) -> Option<(OfLetters, Letters)> {
    let mut name = words.atom()?.to_ascii_uppercase();
    let uid = name == "UID";
    if uid {
        name = words.atom()?.to_ascii_uppercase();
    }
    let own: OfLetters = match name.as_str() {
        "APPEND" if !uid => {
            let mailbox = words.text()?;
            Box::new(|letters| Own::Append { mailbox, letters })
        }
        "REPLACE" => {
            let message = words.atom()?.parse().ok()?;
            let mailbox = words.text()?;
            Box::new(move |letters| Own::Replace { message, uid, mailbox, letters })
        }
        _ => return None,
    };
    Some((own, Letters::decode(words)))
}

/// Whether the beginning of a command, up to a literal, may be one that is decoded here.
pub(crate) fn may_go_on(command: &[u8]) -> bool {
    let mut words = Words::of(command);
    let mut letters = words.clone();
    if letters.atom().is_some()
        && let Some((_, letters)) = with_letters(&mut letters)
    {
        return matches!(letters, Letters::Begun);
    }
    let name = words.atom().and_then(|_| words.atom()).unwrap_or_default();
    ["MYRIGHTS", "GETACL", "SETACL", "DELETEACL", "LISTRIGHTS", "LIST", "NOTIFY"]
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known))
}

fn extended_list(words: &mut Words<'_>) -> Option<ExtendedList> {
    let mut list = ExtendedList::default();
    list.selects = words.clone().list().map_or_else(Vec::new, |selects| upper(&selects));
    if words.clone().open() {
        words.list()?;
    }
    list.reference = words.text()?;
    list.patterns = match words.clone().open() {
        true => words.list()?,
        false => vec![words.text()?],
    };
    if words.is_at_end() {
        return Some(list);
    }
    let is_return = words.atom()?.eq_ignore_ascii_case("RETURN") && words.open();
    is_return.then_some(())?;
    while !words.close() {
        match words.atom()?.to_ascii_uppercase() {
            option if option == "STATUS" => list.status = Some(status_items(words)?),
            option => list.returns.push(option),
        }
    }
    Some(list)
}

fn upper(words: &[String]) -> Vec<String> {
    words.iter().map(|word| word.to_ascii_uppercase()).collect()
}

fn status_items(words: &mut Words<'_>) -> Option<Vec<Item>> {
    let items: Option<Vec<Item>> = words.list()?.iter().map(|item| Item::named(item)).collect();
    items.filter(|items| !items.is_empty())
}

/// A word of a command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Word<'a> {
    /// Anything without quotes, up to a space or parenthesis: `UID`, `2:4`, `BODY[TEXT]`.
    Atom(&'a [u8]),
    /// The contents of a quoted string or a literal.
    String(Cow<'a, [u8]>),
    /// `(`
    Open,
    /// `)`
    Close,
}

/// The words of a command from left to right. Every method returns `None`, and takes nothing, if
/// the next word is another one than asked for.
#[derive(Clone)]
pub(crate) struct Words<'a> {
    rest: &'a [u8],
}

impl<'a> Words<'a> {
    pub(crate) fn of(command: &'a [u8]) -> Words<'a> {
        Words { rest: command }
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next word, with the one space before it if there is one.
    pub(crate) fn word(&mut self) -> Option<Word<'a>> {
        let rest = self.rest.strip_prefix(b" ").unwrap_or(self.rest);
        let (word, rest) = match rest.first()? {
            b'(' => (Word::Open, &rest[1..]),
            b')' => (Word::Close, &rest[1..]),
            b'"' => quoted(&rest[1..])?,
            b'{' => literal(rest)?,
            b'~' if rest.starts_with(b"~{") => literal(&rest[1..])?,
            _ => {
                let end = rest.iter().position(|byte| b" ()".contains(byte)).unwrap_or(rest.len());
                if end == 0 {
                    return None;
                }
                (Word::Atom(&rest[..end]), &rest[end..])
            }
        };
        self.rest = rest;
        Some(word)
    }

    /// The next word if it is an atom in UTF-8.
    pub(crate) fn atom(&mut self) -> Option<String> {
        let before = self.rest;
        if let Some(Word::Atom(atom)) = self.word()
            && let Ok(atom) = std::str::from_utf8(atom)
        {
            return Some(atom.to_owned());
        }
        self.rest = before;
        None
    }

    /// The next word if it is an atom or a string in UTF-8.
    pub(crate) fn text(&mut self) -> Option<String> {
        let before = self.rest;
        let bytes = match self.word() {
            Some(Word::Atom(atom)) => Cow::Borrowed(atom),
            Some(Word::String(string)) => string,
            _ => Cow::Borrowed(&b"\xff"[..]),
        };
        let text = String::from_utf8(bytes.into_owned()).ok();
        if text.is_none() {
            self.rest = before;
        }
        text
    }

    /// Takes `(`; false if the next word is another one.
    pub(crate) fn open(&mut self) -> bool {
        self.takes(&Word::Open)
    }

    /// Takes `)`; false if the next word is another one.
    pub(crate) fn close(&mut self) -> bool {
        self.takes(&Word::Close)
    }

    /// The next words if they are a list of atoms and strings in UTF-8.
    pub(crate) fn list(&mut self) -> Option<Vec<String>> {
        let before = self.rest;
        let mut list = Vec::new();
        if self.open() {
            loop {
                if self.close() {
                    return Some(list);
                }
                let Some(text) = self.text() else { break };
                list.push(text);
            }
        }
        self.rest = before;
        None
    }

    fn takes(&mut self, wanted: &Word<'_>) -> bool {
        let before = self.rest;
        let taken = self.word().as_ref() == Some(wanted);
        if !taken {
            self.rest = before;
        }
        taken
    }

    /// What has not been taken.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

fn quoted(text: &[u8]) -> Option<(Word<'_>, &[u8])> {
    let mut at = 0;
    while *text.get(at)? != b'"' {
        at += 1 + usize::from(text[at] == b'\\');
    }
    let raw = &text[..at];
    let contents = if raw.contains(&b'\\') {
        let mut contents = Vec::with_capacity(raw.len());
        let mut bytes = raw.iter();
        while let Some(byte) = bytes.next() {
            contents.push(if *byte == b'\\' { *bytes.next()? } else { *byte });
        }
        Cow::Owned(contents)
    } else {
        Cow::Borrowed(raw)
    };
    Some((Word::String(contents), &text[at + 1..]))
}

fn literal(text: &[u8]) -> Option<(Word<'_>, &[u8])> {
    let end = memchr::memchr(b'}', text)?;
    let digits = text[1..end].strip_suffix(b"+").unwrap_or(&text[1..end]);
    let size: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let rest = text[end + 1..].strip_prefix(b"\r\n")?;
    let (contents, rest) = rest.split_at_checked(size)?;
    Some((Word::String(Cow::Borrowed(contents)), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_taken_one_by_one() {
        let mut words = Words::of(b"a UID (\"q\\\"\" {3}\r\n()x) b");
        assert_eq!(words.atom().as_deref(), Some("a"));
        assert!(!words.open() && words.text().as_deref() == Some("UID"));
        assert!(words.open() && words.atom().is_none());
        assert_eq!(words.text().as_deref(), Some("q\""));
        assert_eq!(words.word(), Some(Word::String(Cow::Borrowed(b"()x"))));
        assert!(words.close() && words.rest() == b" b");
        assert!(words.atom().is_some() && words.is_at_end() && words.word().is_none());
        for broken in ["\"a", "\"a\\", "{9}\r\nx", "{x}\r\n", "{1}x", ""] {
            assert_eq!(Words::of(broken.as_bytes()).word(), None, "{broken}");
        }
    }

    #[test]
    fn lists_with_options_are_decoded() {
        let decoded =
            decode(b"a LIST (subscribed) \"\" (% \"b c\") RETURN (children STATUS (messages))\r\n");
        let list = ExtendedList {
            selects: vec!["SUBSCRIBED".into()],
            reference: String::new(),
            patterns: vec!["%".into(), "b c".into()],
            returns: vec!["CHILDREN".into()],
            status: Some(vec![Item::named("MESSAGES").unwrap()]),
        };
        assert_eq!(decoded, Some(("a".to_owned(), Own::List(list))));
        for broken in [
            "LIST (SUBSCRIBED \"\" *",
            "LIST () \"\" * RETURN",
            "LIST () \"\" * RETURN (STATUS ())",
            "LIST () \"\" * RETURN (STATUS (X))",
            "LIST () \"\" * RETURN () x",
            "CREATE x (USE \\Sent)",
            "CREATE x (\\Sent)",
            "STATUS x ()",
            "SETACL x y",
            "FETCH 1 (FLAGS",
        ] {
            assert_eq!(decode(format!("a {broken}\r\n").as_bytes()), None, "{broken}");
        }
    }

    #[test]
    fn only_whole_commands_are_decoded() {
        let rights = |name: &str| Some(("a".to_owned(), Own::MyRights(name.to_owned())));
        assert_eq!(decode(b"a MyRights {3}\r\nx y\r\n"), rights("x y"));
        for other in
            ["a MYRIGHTS\r\n", "a MYRIGHTS x", "a MYRIGHTS x y\r\n", "a NOOP x\r\n", "\r\n"]
        {
            assert_eq!(decode(other.as_bytes()), None, "{other}");
        }
    }
}
