//! Commands of the TRANSACTION state: STAT, LIST, UIDL, RETR, TOP, DELE, RSET. A unique identifier
//! is UIDVALIDITY and UID joined by a hyphen.

use std::{ops::Range, sync::Arc};

use crate::sandbox::pop::{Done, Outcome, PopSession, Refusal, bad, failed, ok};

impl PopSession {
    pub(super) fn stat(&mut self) -> Outcome {
        let (count, octets) = self.maildrop()?.count();
        ok(format!("{count} {octets}"))
    }

    pub(super) fn list(&mut self, arguments: Option<&str>) -> Outcome {
        let maildrop = self.maildrop()?;
        if let Some(arguments) = arguments {
            let number = self.number_of(arguments)?;
            return ok(format!(
                "{number} {}",
                maildrop.letter(number).map_or(0, |letter| letter.size())
            ));
        }
        let (count, octets) = maildrop.count();
        let lines = maildrop
            .remaining()
            .map(|(number, letter)| format!("{number} {}", letter.size()))
            .collect();
        self.listing(&format!("{count} messages ({octets} octets)."), lines)
    }

    pub(super) fn uidl(&mut self, arguments: Option<&str>) -> Outcome {
        let maildrop = self.maildrop()?;
        let unique = |uid: u32| format!("{}-{uid}", maildrop.uid_validity);
        if let Some(arguments) = arguments {
            let number = self.number_of(arguments)?;
            return ok(format!(
                "{number} {}",
                maildrop.letter(number).map_or_else(String::new, |letter| unique(letter.uid))
            ));
        }
        let lines = maildrop
            .remaining()
            .map(|(number, letter)| format!("{number} {}", unique(letter.uid)))
            .collect();
        self.listing("Unique identifiers follow.", lines)
    }

    pub(super) fn retr(&mut self, arguments: Option<&str>) -> Outcome {
        let letter = self.letter(arguments.unwrap_or_default())?;
        let text = format!("{} octets.", letter.size);
        let whole = 0..letter.bytes.len();
        self.send(&text, &letter.bytes, whole)
    }

    /// TOP: the header, the blank line and the first lines of the body (RFC 1939 7).
    pub(super) fn top(&mut self, arguments: Option<&str>) -> Outcome {
        self.maildrop()?;
        let Some((number, count)) = arguments.and_then(|arguments| arguments.split_once(' '))
        else {
            return bad("TOP needs a message number and a number of lines.");
        };
        let letter = self.letter(number)?;
        let Some(count) = decimal(count) else { return bad("This is not a number of lines.") };
        let range = 0..end_of_top(&letter.bytes, count);
        self.send("The beginning follows.", &letter.bytes, range)
    }

    pub(super) fn dele(&mut self, arguments: Option<&str>) -> Outcome {
        let number = self.number_of(arguments.unwrap_or_default())?;
        self.maildrop_mut()?.delete(number);
        ok(format!("Message {number} will be deleted at QUIT."))
    }

    pub(super) fn rset(&mut self) -> Outcome {
        let maildrop = self.maildrop_mut()?;
        maildrop.reset();
        let (count, octets) = maildrop.count();
        ok(format!("{count} messages ({octets} octets)."))
    }

    /// Parses a message number; fails unless the letter exists and is not marked.
    fn number_of(&self, argument: &str) -> Result<usize, Refusal> {
        let maildrop = self.maildrop()?;
        let Some(number) = decimal(argument) else { return bad("A message number is expected.") };
        match maildrop.letter(number) {
            Some(_) => Ok(number),
            None => failed("", "There is no such message."),
        }
    }

    fn letter(&self, argument: &str) -> Result<Bytes, Refusal> {
        let number = self.number_of(argument)?;
        match self.maildrop()?.letter(number) {
            Some(letter) => {
                Ok(Bytes { bytes: Arc::clone(letter.content.bytes()), size: letter.size() })
            }
            None => failed("", "There is no such message."),
        }
    }

    fn listing(&mut self, text: &str, lines: Vec<String>) -> Outcome {
        self.conversation.say(&format!("+OK {text}"));
        for line in lines {
            self.conversation.say(&line);
            self.conversation.flush_if_large()?;
        }
        self.conversation.say(".");
        Ok(Done::Sent)
    }

    /// Sends part of a letter line by line, with a dot before each line that begins with one. Only
    /// CRLF ends a line.
    fn send(&mut self, text: &str, bytes: &[u8], range: Range<usize>) -> Outcome {
        self.conversation.say(&format!("+OK {text}"));
        for line in lines(&bytes[range]) {
            if line.starts_with(b".") {
                self.conversation.out.push(b'.');
            }
            self.conversation.out.extend_from_slice(line);
            if !line.ends_with(b"\r\n") {
                self.conversation.out.extend_from_slice(b"\r\n");
            }
            self.conversation.flush_if_large()?;
        }
        self.conversation.say(".");
        Ok(Done::Sent)
    }
}

/// A letter's bytes, shared, so that the session can send them while it is borrowed mutably.
struct Bytes {
    bytes: Arc<[u8]>,
    size: usize,
}

/// The lines, each with its CRLF; the last may lack one.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = memchr::memmem::find(rest, b"\r\n").map_or(rest.len(), |at| at + 2);
        let (line, behind) = rest.split_at(end);
        rest = behind;
        Some(line)
    })
}

/// The offset at which TOP stops: after the blank line and `count` lines of the body.
fn end_of_top(bytes: &[u8], count: usize) -> usize {
    let mut end = 0;
    let mut left = None;
    for line in lines(bytes) {
        match &mut left {
            Some(0) => return end,
            Some(left) => *left -= 1,
            None if line == b"\r\n" => left = Some(count),
            None => {}
        }
        end += line.len();
    }
    end
}

/// Parses digits. A number that does not fit becomes the largest number, which no letter has.
fn decimal(text: &str) -> Option<usize> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::end_of_top;

    #[test]
    fn top_ends_behind_so_many_lines() {
        let letter = b"Subject: x\r\n\r\none\r\ntwo\r\nthree";
        for (count, expected) in [(0, 14), (1, 19), (2, 24), (3, 29), (usize::MAX, 29)] {
            assert_eq!(end_of_top(letter, count), expected, "{count}");
        }
        assert_eq!(end_of_top(b"Subject: x\r\n", 5), 12);
        assert_eq!(end_of_top(b"", 5), 0);
    }
}
