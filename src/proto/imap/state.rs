//! Session state that any response may update: the server's capabilities and the selected mailbox
//! (RFC 3501 5.2, 7).
//!
//! [`Capabilities`] holds the latest list that the server announced. [`SelectedMailbox`] follows
//! EXISTS, RECENT, EXPUNGE, VANISHED and FLAGS responses and the response codes of SELECT. It also
//! remembers which message numbers were expunged, so that a caller can tell whether a number it
//! holds still means the same message. VANISHED says UIDs; `known_uids` finds the numbers.

use super::fetched::{FetchedItems, message_number};
use super::known_uids::KnownUids;
use super::response::{Code, Data};
use super::sequence::{Bound, SequenceSet};
use super::tokens::{Token, Tokens, lossless, parse_number};
use crate::proto::error::ProtocolError;
use crate::proto::limits::Limits;

/// The capabilities that the server currently advertises.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    names: Vec<String>,
}

impl Capabilities {
    /// Returns whether a capability such as `IDLE` or `AUTH=PLAIN` is advertised. Case is ignored.
    pub fn has(&self, name: &str) -> bool {
        self.names.iter().any(|known| known.eq_ignore_ascii_case(name))
    }

    /// Returns whether the server offers an extension: it advertises the name, or one that includes
    /// it. IMAP4rev2 includes many (RFC 9051 appendix E), METADATA includes METADATA-SERVER (RFC
    /// 5464 1), and APPENDLIMIT may have a number (RFC 7889 2).
    pub fn offers(&self, name: &str) -> bool {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        self.has(name)
            || (IN_REV2.iter().any(|included| is(included)) && self.has("IMAP4rev2"))
            || (is("METADATA-SERVER") && self.has("METADATA"))
            || (is("APPENDLIMIT") && self.append_limit().is_some())
    }

    /// The size of the largest letter that the server takes by APPEND, in bytes, if it is the same
    /// for all mailboxes: `APPENDLIMIT=35651584` (RFC 7889 2).
    pub fn append_limit(&self) -> Option<u64> {
        let limit = self.names.iter().find_map(|name| name.strip_prefix("APPENDLIMIT="))?;
        parse_number(limit.as_bytes())
    }

    /// The names in the server's order, in upper case.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns whether no capabilities are known.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Returns whether the server supports IMAP4rev2 (RFC 9051) and nothing earlier.
    pub fn is_only_rev2(&self) -> bool {
        self.has("IMAP4rev2") && !self.has("IMAP4rev1")
    }

    pub(super) fn replace(
        &mut self,
        tokens: Tokens<'_>,
        limits: &Limits,
    ) -> Result<(), ProtocolError> {
        let mut names = Vec::new();
        // By words, not by tokens: an odd one must not hide those behind it, such as LOGINDISABLED.
        for name in tokens.rest().split(u8::is_ascii_whitespace).filter(|name| !name.is_empty()) {
            limits.check("names", names.len() as u64 + 1)?;
            names.push(String::from_utf8_lossy(name).to_ascii_uppercase());
        }
        self.names = names;
        Ok(())
    }

    pub(super) fn clear(&mut self) {
        self.names.clear();
    }
}

/// The extensions that IMAP4rev2 includes whole (RFC 9051 appendix E).
const IN_REV2: [&str; 14] = [
    "CHILDREN",
    "ENABLE",
    "ESEARCH",
    "IDLE",
    "LIST-EXTENDED",
    "LIST-STATUS",
    "LITERAL-",
    "MOVE",
    "NAMESPACE",
    "SASL-IR",
    "SEARCHRES",
    "STATUS=SIZE",
    "UIDPLUS",
    "UNSELECT",
];

/// The selected mailbox.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SelectedMailbox {
    /// Its name, as the caller wrote it.
    pub name: String,
    /// Whether it is open read-only.
    pub read_only: bool,
    /// Number of messages in it.
    pub exists: u32,
    /// Number of messages expunged since it was selected.
    pub expunged: u64,
    /// For expunged messages, the value of `expunged` then and the message's number. An entry is
    /// dropped when a later one has the same or a lower number, so both fields only increase.
    pub(super) left: Vec<(u64, u32)>,
    /// Number of messages that are new to this session (`\Recent`).
    pub recent: u32,
    /// The flags defined in the mailbox (FLAGS).
    pub flags: Vec<String>,
    /// The flags that a client can change permanently; `\*` means that it can create new keywords
    /// too.
    pub permanent_flags: Vec<String>,
    /// The predicted UID of the next message, as last announced.
    pub uid_next: Option<u32>,
    /// The UIDVALIDITY of the mailbox: UIDs hold only as long as it stays the same.
    pub uid_validity: Option<u32>,
    /// The number of the first message without `\Seen`, as last announced.
    pub first_unseen: Option<u32>,
    /// The highest modification sequence (RFC 7162).
    pub highest_modseq: Option<u64>,
    /// How many messages have arrived since SELECT completed, or since the caller heard of them; it
    /// says so with [`super::Session::set_unheard`]. Some of them may have left again.
    pub unheard: u64,
    /// How many messages had been in the mailbox when `uid_next` was announced: those that exist
    /// and those expunged since SELECT. `None` until SELECT has completed.
    pub(super) counted: Option<u64>,
    pub(super) uids: KnownUids,
}

impl SelectedMailbox {
    /// Returns whether SELECT has completed, so that the fields describe the mailbox.
    pub fn is_open(&self) -> bool {
        self.counted.is_some()
    }

    /// Returns the lowest UID that the next message can get: UIDNEXT as last announced, plus one
    /// for each message that has arrived since. `None` if the server announced no UIDNEXT.
    pub fn lowest_next_uid(&self) -> Option<u64> {
        let arrived = self.ever_counted().saturating_sub(self.counted?);
        Some(u64::from(self.uid_next?) + arrived)
    }

    fn ever_counted(&self) -> u64 {
        u64::from(self.exists) + self.expunged
    }

    /// Notes that SELECT has completed.
    pub(super) fn opened(&mut self) {
        self.counted = Some(self.ever_counted());
    }

    /// Returns the lowest number of any message expunged after `expunged` had the given value;
    /// `None` if none was. Every message with a lower number has kept it.
    pub fn lowest_that_left_since(&self, expunged: u64) -> Option<u32> {
        let later = self.left.partition_point(|(count, _)| *count <= expunged);
        self.left.get(later).map(|(_, number)| *number)
    }

    pub(super) fn apply_data(
        &mut self,
        data: &Data<'_>,
        limits: &Limits,
    ) -> Result<(), ProtocolError> {
        match data.number {
            Some(number) if data.is("EXISTS") => {
                let arrived = number.saturating_sub(self.exists);
                self.unheard += if self.is_open() { u64::from(arrived) } else { 0 };
                self.exists = number;
            }
            Some(number) if data.is("RECENT") => self.recent = number,
            // Ignore a number beyond the mailbox: it is the server's mistake and must not make the
            // count wrap.
            Some(number) if data.is("EXPUNGE") && number <= self.exists => {
                self.uids.forget_from(number);
                self.leave(1, number);
            }
            None if data.is("VANISHED") => self.apply_vanished(data, limits)?,
            None if data.is("FLAGS") => self.flags = flag_list(&mut data.tokens.clone(), limits)?,
            _ => {}
        }
        Ok(())
    }

    fn leave(&mut self, count: u32, lowest: u32) {
        self.exists = self.exists.saturating_sub(count);
        self.expunged += u64::from(count);
        while self.left.last().is_some_and(|(_, last)| *last >= lowest) {
            self.left.pop();
        }
        self.left.push((self.expunged, lowest));
    }

    /// Without a set that can be read, any number may have shifted.
    fn apply_vanished(&mut self, data: &Data<'_>, limits: &Limits) -> Result<(), ProtocolError> {
        match vanished(data) {
            Some((true, _)) => {} // these have no numbers any more
            Some((false, set)) => {
                limits.check("responses", set.ranges().len() as u64)?;
                let left = self.uids.vanish(&set.members(0), self.exists);
                left.into_iter().for_each(|left| self.leave(left.count, left.lowest));
            }
            None => {
                let exists = self.exists;
                self.uids.forget_from(1);
                self.leave(1, 1);
                self.exists = exists;
            }
        }
        Ok(())
    }

    /// Takes the UID of a FETCH response, if it has one.
    pub(super) fn learn_uid(&mut self, data: &Data<'_>) {
        let Some(number) = data.number.filter(|number| *number > 0 && *number <= self.exists)
        else {
            return;
        };
        let mut tokens = data.tokens.clone();
        let Ok(mut items) = FetchedItems::of(&mut tokens) else { return };
        while let Ok(Some((name, value))) = items.next() {
            if name.eq_ignore_ascii_case(b"UID") {
                message_number(value).iter().for_each(|uid| self.uids.learn(number, uid.get()));
                return;
            }
        }
    }

    pub(super) fn apply_code(
        &mut self,
        code: &Code<'_>,
        limits: &Limits,
    ) -> Result<(), ProtocolError> {
        // What came before was about the mailbox that this SELECT leaves (RFC 7162 3.2.11).
        if code.is("CLOSED") && !self.is_open() {
            let (name, read_only) = (std::mem::take(&mut self.name), self.read_only);
            *self = SelectedMailbox { name, read_only, ..Default::default() };
        }
        let number = || code.number().and_then(|number| u32::try_from(number).ok());
        if code.is("UIDNEXT") {
            self.uid_next = number();
            self.counted = self.counted.map(|_| self.ever_counted());
        } else if code.is("UIDVALIDITY") {
            self.uid_validity = number();
        } else if code.is("UNSEEN") {
            self.first_unseen = number();
        } else if code.is("HIGHESTMODSEQ") {
            self.highest_modseq = code.number();
        } else if code.is("PERMANENTFLAGS") {
            self.permanent_flags = flag_list(&mut code.tokens(limits.depth), limits)?;
        } else if code.is("READ-ONLY") {
            self.read_only = true;
        } else if code.is("READ-WRITE") {
            self.read_only = false;
        }
        Ok(())
    }
}

/// Reads VANISHED (RFC 7162 3.2.10): whether it is about earlier times, and the UIDs. `None` if it
/// cannot be read.
pub fn vanished(data: &Data<'_>) -> Option<(bool, SequenceSet)> {
    let mut tokens = data.tokens.clone();
    let mut token = tokens.next_token().ok()??;
    let is_earlier = token == Token::Open;
    if is_earlier {
        tokens.skip_value(token).ok()?;
        token = tokens.next_token().ok()??;
    }
    let set: SequenceSet = std::str::from_utf8(&token.bytes()?).ok()?.parse().ok()?;
    let is_last = |bound: &Bound| *bound == Bound::Last;
    let has_last = set.ranges().iter().any(|(first, last)| is_last(first) || is_last(last));
    (!has_last && tokens.expect_end().is_ok()).then_some((is_earlier, set))
}

/// Reads a list of flags, `(\Seen junk \*)`. Servers put anything into keywords, so whatever the
/// tokenizer cannot read is split at blanks.
pub(super) fn flag_list(
    tokens: &mut Tokens<'_>,
    limits: &Limits,
) -> Result<Vec<String>, ProtocolError> {
    let text = tokens.rest();
    let mut flags = Vec::new();
    let mut depth = 0;
    while let Ok(Some(token)) = tokens.next_token() {
        match token {
            Token::Open => depth += 1,
            Token::Close if depth == 1 => return Ok(flags),
            Token::Close => depth -= 1,
            _ => {
                limits.check("names", flags.len() as u64 + 1)?;
                flags.extend(token.bytes().map(|flag| lossless(&flag)));
            }
        }
    }
    let words = text.split(|byte| byte.is_ascii_whitespace() || matches!(byte, b'(' | b')'));
    let is_flag = |word: &&[u8]| !word.is_empty() && !word.eq_ignore_ascii_case(b"NIL");
    let words: Vec<&[u8]> = words.filter(is_flag).collect();
    limits.check("names", words.len() as u64)?;
    Ok(words.into_iter().map(lossless).collect())
}
