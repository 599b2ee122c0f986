//! SEARCH with RETURN (RFC 4731, RFC 9394), and `$`, the saved result of a search (RFC 5182).
//!
//! `imap-codec` decodes neither. [`Extended::decode`] takes the options off a command and finds each
//! `$` in it. When the command is executed, the saved UIDs or message numbers are written in the
//! place of each `$`, and `imap-codec` decodes the rest. A mailbox's saved result is a list of UIDs
//! in the session's view; letters that have left it are no longer counted.

use std::fmt::{self, Write as _};
use std::ops::Range;

use imap_codec::{CommandCodec, decode::Decoder, imap_types::command::CommandBody};

use crate::sandbox::Extension;
use crate::sandbox::imap::own::Words;
use crate::sandbox::imap::search::Match;
use crate::sandbox::imap::sequence::compact;
use crate::sandbox::imap::session::{Outcome, Session, State, bad};

/// The commands that address messages by a set, which `$` may be.
const ON_SETS: [&str; 5] = ["FETCH", "STORE", "COPY", "MOVE", "EXPUNGE"];

/// The commands with search keys, of which `$` may be one.
const ON_KEYS: [&str; 3] = ["SEARCH", "SORT", "THREAD"];

/// What a search is to return.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    min: bool,
    max: bool,
    count: bool,
    all: bool,
    save: bool,
    /// The first and last place; negative from the end.
    partial: Option<(i64, i64)>,
}

/// A command with RETURN or `$`.
#[derive(PartialEq, Eq)]
pub(crate) struct Extended {
    tag: String,
    options: Option<Options>,
    uid: bool,
    verb: String,
    /// The command without RETURN.
    command: Vec<u8>,
    /// Where each `$` is in it, `UID` before it included.
    saved: Vec<Range<usize>>,
}

impl fmt::Debug for Extended {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = String::from_utf8_lossy(&self.command);
        let text = text.trim_end().split_once(' ').map_or("", |(_, text)| text);
        match self.options {
            Some(options) => write!(formatter, "{text} returning {options:?}"),
            None => formatter.write_str(text),
        }
    }
}

impl Extended {
    /// Reads a command, which may end at a literal that has not arrived. `None` if it has neither
    /// RETURN nor `$`.
    pub(crate) fn decode(command: &[u8]) -> Option<Extended> {
        let mut words = Words::of(command.strip_suffix(b"\r\n")?);
        let tag = words.atom()?;
        let mut verb = words.atom()?.to_ascii_uppercase();
        let uid = verb == "UID";
        if uid {
            verb = words.atom()?.to_ascii_uppercase();
        }
        let mut text = command.to_vec();
        let mut options = None;
        let mut rest = words.clone();
        if verb == "SEARCH" && rest.atom().is_some_and(|word| word.eq_ignore_ascii_case("RETURN")) {
            options = Some(Options::decode(&mut rest)?);
            text.truncate(command.len() - words.rest().len() - 2);
            text.extend_from_slice(rest.rest());
            text.extend_from_slice(b"\r\n");
        }
        let start = command.len() - words.rest().len() - 2;
        let saved = if ON_SETS.contains(&verb.as_str()) {
            let is_set = text[start..].starts_with(b" $ ") || text[start..].starts_with(b" $\r");
            is_set.then_some(start + 1..start + 2).into_iter().collect()
        } else if ON_KEYS.contains(&verb.as_str()) {
            saved_keys(&text, start)
        } else {
            Vec::new()
        };
        let is_extended = options.is_some() || !saved.is_empty();
        is_extended.then_some(Extended { tag, options, uid, verb, command: text, saved })
    }

    /// The tag of the command.
    pub(crate) fn tag(&self) -> &str {
        &self.tag
    }

    /// Whether message numbers must not change while the command is answered.
    pub(crate) fn uses_numbers(&self) -> bool {
        !self.uid && !["COPY", "MOVE", "EXPUNGE"].contains(&self.verb.as_str())
    }

    /// The command in a form that `imap-codec` decodes, with these sets in the place of each `$`.
    pub(crate) fn plain(&self, set: &str, key: &str) -> Vec<u8> {
        let text = if ON_KEYS.contains(&self.verb.as_str()) { key } else { set };
        let mut plain = Vec::with_capacity(self.command.len());
        let mut end = 0;
        for range in &self.saved {
            plain.extend_from_slice(&self.command[end..range.start]);
            plain.extend_from_slice(text.as_bytes());
            end = range.end;
        }
        plain.extend_from_slice(&self.command[end..]);
        plain
    }
}

/// Where `$` and `UID $` are search keys, from `start` on.
fn saved_keys(text: &[u8], start: usize) -> Vec<Range<usize>> {
    let mut words = Words::of(&text[start..text.len() - 2]);
    let mut saved = Vec::new();
    let mut uid_at = None;
    loop {
        if let Some(atom) = words.atom() {
            let end = text.len() - 2 - words.rest().len();
            let begin = end - atom.len();
            if atom == "$" {
                saved.push(uid_at.unwrap_or(begin)..end);
            }
            uid_at = atom.eq_ignore_ascii_case("UID").then_some(begin);
        } else if words.word().is_some() {
            uid_at = None;
        } else {
            return saved;
        }
    }
}

impl Options {
    /// Reads `(MIN COUNT PARTIAL 1:10)`.
    fn decode(words: &mut Words<'_>) -> Option<Options> {
        let mut options = Options::default();
        if !words.open() {
            return None;
        }
        while !words.close() {
            match words.atom()?.to_ascii_uppercase().as_str() {
                "MIN" => options.min = true,
                "MAX" => options.max = true,
                "COUNT" => options.count = true,
                "ALL" => options.all = true,
                "SAVE" => options.save = true,
                "PARTIAL" if options.partial.is_none() => {
                    options.partial = Some(places(&words.atom()?)?);
                }
                _ => return None,
            }
        }
        // RFC 4731 3.1: an empty list is ALL. RFC 9394 3.1: not ALL and PARTIAL.
        options.all |= options == Options::default();
        (!(options.all && options.partial.is_some())).then_some(options)
    }

    /// The numbers of an ascending list that PARTIAL returns.
    fn part<T: Copy>(self, found: &[T]) -> Vec<T> {
        let Some((first, last)) = self.partial else { return Vec::new() };
        let place = |place: i64| match usize::try_from(place) {
            Ok(place) => place as i64 - 1,
            Err(_) => found.len() as i64 + place,
        };
        let (first, last) = (place(first).min(place(last)), place(first).max(place(last)));
        let index = |at: i64| usize::try_from(at.max(0)).unwrap_or(0).min(found.len());
        found[index(first)..index(last + 1)].to_vec()
    }

    /// What SAVE keeps (RFC 5182 2.4, RFC 9394 3.1).
    fn kept(self, found: &[u32]) -> Vec<u32> {
        if self.all || self.count || !(self.min || self.max || self.partial.is_some()) {
            return found.to_vec();
        }
        let mut kept = self.part(found);
        kept.extend(found.first().filter(|_| self.min));
        kept.extend(found.last().filter(|_| self.max));
        kept.sort_unstable();
        kept.dedup();
        kept
    }
}

/// Reads `1:10` or `-1:-10`.
fn places(text: &str) -> Option<(i64, i64)> {
    let (first, last) = text.split_once(':')?;
    let place = |text: &str| {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let number = digits.parse::<u32>().ok().filter(|number| *number > 0)?;
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        let sign = if digits.len() < text.len() { -1 } else { 1 };
        is_number.then_some(i64::from(number) * sign)
    };
    let (first, last) = (place(first)?, place(last)?);
    ((first > 0) == (last > 0)).then_some((first, last))
}

impl Session {
    /// Executes a command with RETURN or `$`.
    pub(crate) fn extended(&mut self, command: &Extended) -> Outcome {
        let options = command.options;
        if options.is_some() && !self.extensions.has(Extension::ESearch) {
            return bad("ESEARCH is not supported.");
        }
        let saves = options.is_some_and(|options| options.save) || !command.saved.is_empty();
        if saves && !self.extensions.has(Extension::SearchRes) {
            return bad("SEARCHRES is not supported.");
        }
        if options.is_some_and(|options| options.partial.is_some())
            && !self.extensions.has(Extension::Partial)
        {
            return bad("PARTIAL is not supported.");
        }
        let view = self.selected()?;
        let (numbers, uids): (Vec<u32>, Vec<u32>) = view.saved().unzip();
        let is_on_set = ON_SETS.contains(&command.verb.as_str());
        if uids.is_empty() && is_on_set {
            return Ok(format!("{} completed.", command.verb));
        }
        let key = match uids.is_empty() {
            true => "NOT ALL".to_owned(),
            false => format!("UID {}", compact(&uids)),
        };
        let set = compact(if command.uid { &uids } else { &numbers });
        let Ok((b"", decoded)) = CommandCodec::default().decode_static(&command.plain(&set, &key))
        else {
            return bad(format!("Command {} has wrong arguments.", command.verb));
        };
        match (decoded.body, options) {
            (CommandBody::Search { charset, criteria, uid }, Some(options)) => {
                self.check_charset(charset.as_ref())?;
                let found = self.matches(charset.as_ref(), criteria.as_ref());
                if options.save
                    && let State::Selected(_, view) = &mut self.state
                {
                    let uids: Vec<u32> =
                        found.iter().flatten().map(|found: &Match| found.uid).collect();
                    view.save(options.kept(&uids));
                }
                self.tell_found(&command.tag, uid, options, &found?);
                Ok("SEARCH completed.".to_owned())
            }
            (body, _) => self.execute(body),
        }
    }

    /// Writes the ESEARCH response to a SEARCH without RETURN, as in IMAP4rev2.
    pub(crate) fn tell_all(&mut self, uid: bool, found: &[Match]) {
        let tag = self.tag.clone();
        self.tell_found(&tag, uid, Options { all: true, ..Options::default() }, found);
    }

    /// Writes the ESEARCH response, unless only SAVE was asked for.
    fn tell_found(&mut self, tag: &str, uid: bool, options: Options, found: &[Match]) {
        if options == (Options { save: true, ..Options::default() }) {
            return;
        }
        let numbers: Vec<u32> =
            found.iter().map(|found| if uid { found.uid } else { found.number }).collect();
        let mut line = format!("ESEARCH (TAG \"{tag}\"){}", if uid { " UID" } else { "" });
        if let (Some(first), Some(last)) = (numbers.first(), numbers.last()) {
            let results = [
                (options.min, format!(" MIN {first}")),
                (options.max, format!(" MAX {last}")),
                (options.all, format!(" ALL {}", compact(&numbers))),
            ];
            line.extend(results.into_iter().filter(|(wanted, _)| *wanted).map(|(_, text)| text));
        }
        if options.count {
            let _ = write!(line, " COUNT {}", numbers.len());
        }
        if let Some((first, last)) = options.partial {
            let part = options.part(&numbers);
            let part = if part.is_empty() { "NIL".to_owned() } else { compact(&part) };
            let _ = write!(line, " PARTIAL ({first}:{last} {part})");
        }
        self.untagged(&line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(command: &str) -> Option<(String, Option<Options>)> {
        let extended = Extended::decode(command.as_bytes())?;
        let plain = String::from_utf8(extended.plain("SET", "KEY")).unwrap();
        Some((plain, extended.options))
    }

    #[test]
    fn options_are_taken_off_and_dollars_replaced() {
        for (command, expected) in [
            ("a SEARCH RETURN () ALL\r\n", "a SEARCH ALL\r\n"),
            (
                "a uid search return (min Count) CHARSET UTF-8 SEEN\r\n",
                "a uid search CHARSET UTF-8 SEEN\r\n",
            ),
            ("a SEARCH RETURN (SAVE) FROM {1+}\r\n$\r\n", "a SEARCH FROM {1+}\r\n$\r\n"),
            ("a SEARCH RETURN (SAVE) FROM {1}\r\n", "a SEARCH FROM {1}\r\n"),
            ("a SEARCH $ SUBJECT \"$\"\r\n", "a SEARCH KEY SUBJECT \"$\"\r\n"),
            (
                "a SEARCH RETURN (PARTIAL -1:-2) NOT (UID $ OR $ SEEN)\r\n",
                "a SEARCH NOT (KEY OR KEY SEEN)\r\n",
            ),
            ("a FETCH $ FLAGS\r\n", "a FETCH SET FLAGS\r\n"),
            ("a UID EXPUNGE $\r\n", "a UID EXPUNGE SET\r\n"),
            ("a STORE $ +FLAGS ($)\r\n", "a STORE SET +FLAGS ($)\r\n"),
            ("a SORT (DATE) UTF-8 $\r\n", "a SORT (DATE) UTF-8 KEY\r\n"),
        ] {
            assert_eq!(plain(command).unwrap().0, expected, "{command}");
        }
        for other in [
            "a SEARCH ALL\r\n",
            "a SEARCH KEYWORD $Junk\r\n",
            "a SEARCH RETURN (XYZZY) ALL\r\n",
            "a SEARCH RETURN (PARTIAL 1:2 ALL) ALL\r\n",
            "a SEARCH RETURN (PARTIAL 1:-2) ALL\r\n",
            "a SEARCH RETURN (PARTIAL 0:2) ALL\r\n",
            "a SEARCH RETURN (PARTIAL +1:2) ALL\r\n",
            "a SEARCH RETURN (MIN",
            "a SEARCH RETURN (MIN\r\n",
            "a SEARCH RETURN MIN ALL\r\n",
            "a FETCH 1 $\r\n",
            "a CREATE $\r\n",
        ] {
            assert_eq!(plain(other), None, "{other}");
        }
    }
}
