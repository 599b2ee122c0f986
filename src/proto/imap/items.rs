//! The data items of a FETCH (RFC 3501 6.4.5), parsed once.
//!
//! A caller writes data items in IMAP's own notation: `body[]`, `(flags envelope)`,
//! `body.peek[header.fields (from to)]<0.1000>`, an extension's `x-gm-labels`. [`FetchItems`]
//! splits that text into items and answers every question about it: whether the command sets
//! `\Seen`, which items fetch the same data without setting it, which names the server uses in its
//! answer, and whether an item that the server sends was asked for. No other code looks into the
//! text.
//!
//! Four data items set `\Seen` when fetched: `BODY[…]`, `BINARY[…]` (RFC 3516), and the older
//! `RFC822` and `RFC822.TEXT`. The first two have a form with `.PEEK` that does not. The older two
//! do not: [`FetchItems::peeking`] asks for `BODY.PEEK[]` and `BODY.PEEK[TEXT]` instead, which are
//! the same bytes, and [`FetchItems::names_for`] gives the answer its old name back.

use super::encode::check_raw;
use crate::proto::error::EncodeError;
use std::fmt;
use std::str::FromStr;

/// The data items of a FETCH.
///
/// Two values are equal if they ask for the same data in the same order, however it is written, and
/// whether or not fetching it sets `\Seen`.
#[derive(Debug, Clone)]
pub struct FetchItems {
    items: Vec<Item>,
    parenthesised: bool,
}

/// One data item.
#[derive(Debug, Clone)]
struct Item {
    /// The text that is sent.
    text: String,
    /// The name in the server's answer: upper case, without `.PEEK`, and with `<0.1000>` as `<0>`.
    answer: String,
    /// The name that the caller asked for, if it differs from `answer`.
    alias: Option<String>,
    marks_seen: bool,
    /// Whether the answer is text of the letter, of unlimited length.
    is_text: bool,
}

impl FetchItems {
    /// Parses items in IMAP's notation, with or without parentheses around them.
    ///
    /// # Errors
    /// [`EncodeError`] unless the text is printable ASCII with balanced parentheses, brackets and
    /// quotes, is not blank, and has no braces outside quotes.
    pub fn parse(text: &str) -> Result<Self, EncodeError> {
        check_raw("fetch items", text)?;
        let text = text.trim_matches(' ');
        let inside = parenthesised(text);
        let items = split(inside.unwrap_or(text)).into_iter().map(Item::new).collect();
        Ok(FetchItems { items, parenthesised: inside.is_some() })
    }

    /// Returns whether these are one item, and no macro for several.
    pub fn is_one(&self) -> bool {
        matches!(&self.items[..], [item] if !["ALL", "FAST", "FULL"].contains(&item.answer.as_str()))
    }

    /// Returns whether fetching these items sets `\Seen`.
    pub fn marks_seen(&self) -> bool {
        self.items.iter().any(|item| item.marks_seen)
    }

    /// Returns items for the same data that leave `\Seen` alone.
    pub fn peeking(&self) -> Self {
        let items = self.items.iter().map(Item::peeking).collect();
        FetchItems { items, parenthesised: self.parenthesised }
    }

    /// Returns whether these items have some that IMAP4rev2 lacks: `RFC822`, `RFC822.HEADER` or
    /// `RFC822.TEXT` (RFC 9051 appendix E).
    pub fn have_old_texts(&self) -> bool {
        self.items.iter().any(|item| item.without_old_text().is_some())
    }

    /// Returns items for the same data, in IMAP4rev2's words.
    #[must_use]
    pub fn without_old_texts(&self) -> Self {
        let item = |item: &Item| item.without_old_text().unwrap_or_else(|| item.clone());
        FetchItems {
            items: self.items.iter().map(item).collect(),
            parenthesised: self.parenthesised,
        }
    }

    /// Returns whether the answers contain text of letters, so that they can be as large as the
    /// letters themselves.
    pub fn hold_texts(&self) -> bool {
        self.items.iter().any(|item| item.is_text)
    }

    /// Returns whether these items ask for one such as `FLAGS`, either by its name in an answer or
    /// by one of the macros `ALL`, `FAST` and `FULL`; `BINARY[` means any section.
    pub fn ask_for(&self, name: &str) -> bool {
        let expands_to = |item: &Item| {
            let all = ["FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY"];
            let count = match item.answer.as_str() {
                "FAST" => 3,
                "ALL" => 4,
                "FULL" => 5,
                _ => 0,
            };
            all[..count].iter().any(|part| part.eq_ignore_ascii_case(name))
        };
        let is_named = |item: &Item| match name.ends_with('[') {
            true => item.answer.starts_with(name),
            false => item.answer.eq_ignore_ascii_case(name),
        };
        self.items.iter().any(|item| is_named(item) || expands_to(item))
    }

    /// Returns whether an item of an answer was asked for. Servers may send flags, UIDs and
    /// modification sequences unasked at any time, so these count only if they were requested;
    /// every other item counts as asked for. `by_uid` says that the command addressed messages by
    /// UID, which requests `UID` as well. `name` must be in upper case.
    pub fn want(&self, name: &str, by_uid: bool) -> bool {
        match name {
            "UID" => by_uid || self.ask_for(name),
            "FLAGS" | "MODSEQ" => self.ask_for(name),
            _ => true,
        }
    }

    /// Returns the names that the caller used for the item that the server answers as `answer`:
    /// `RFC822` for `BODY[]` after [`FetchItems::peeking`], usually `answer` itself, or both if
    /// both were asked for.
    pub fn names_for<'i>(&'i self, answer: &'i str) -> impl Iterator<Item = &'i str> {
        let answering = || self.items.iter().filter(move |item| item.answer == answer);
        let is_known = answering().next().is_some();
        let itself = !is_known || answering().any(|item| item.alias.is_none());
        let aliases = answering().filter_map(|item| item.alias.as_deref());
        itself.then_some(answer).into_iter().chain(aliases)
    }
}

impl PartialEq for FetchItems {
    fn eq(&self, other: &Self) -> bool {
        let answers = |items: &Self| -> Vec<String> {
            items.peeking().items.into_iter().map(|item| item.answer).collect()
        };
        answers(self) == answers(other)
    }
}

impl Eq for FetchItems {}

impl FromStr for FetchItems {
    type Err = EncodeError;

    fn from_str(text: &str) -> Result<Self, EncodeError> {
        FetchItems::parse(text)
    }
}

impl fmt::Display for FetchItems {
    /// Writes the items as they are sent.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<&str> = self.items.iter().map(|item| item.text.as_str()).collect();
        let text = texts.join(" ");
        if self.parenthesised || self.items.len() != 1 {
            write!(formatter, "({text})")
        } else {
            formatter.write_str(&text)
        }
    }
}

impl Item {
    fn new(text: &str) -> Self {
        let answer = answer_name(text);
        let upper = text.to_ascii_uppercase();
        let old_text = matches!(answer.as_str(), "RFC822" | "RFC822.TEXT");
        let is_section = answer.starts_with("BODY[") || answer.starts_with("BINARY[");
        let peeks = upper.starts_with("BODY.PEEK[") || upper.starts_with("BINARY.PEEK[");
        Item {
            marks_seen: old_text || (is_section && !peeks),
            is_text: old_text || is_section || answer == "RFC822.HEADER",
            text: text.to_owned(),
            alias: None,
            answer,
        }
    }

    fn peeking(&self) -> Self {
        if !self.marks_seen {
            return self.clone();
        }
        let text = match self.answer.as_str() {
            "RFC822" => "BODY.PEEK[]".to_owned(),
            "RFC822.TEXT" => "BODY.PEEK[TEXT]".to_owned(),
            _ => self.text.replacen('[', ".PEEK[", 1),
        };
        let item = Item::new(&text);
        let alias = (item.answer != self.answer).then(|| self.answer.clone());
        Item { alias: alias.or_else(|| self.alias.clone()), ..item }
    }

    /// The item that has the place of this one in IMAP4rev2; `None` if this one is there.
    fn without_old_text(&self) -> Option<Self> {
        let text = match self.answer.as_str() {
            "RFC822" => "BODY[]",
            "RFC822.TEXT" => "BODY[TEXT]",
            "RFC822.HEADER" => "BODY.PEEK[HEADER]",
            _ => return None,
        };
        Some(Item { alias: Some(self.answer.clone()), ..Item::new(text) })
    }
}

/// Returns the text inside parentheses that enclose all of it.
fn parenthesised(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('(')?.strip_suffix(')')?;
    let mut depth = 0usize;
    let closes_early = outside_quotes(inside).any(|(_, byte)| {
        match byte {
            b'(' => depth += 1,
            b')' if depth == 0 => return true,
            b')' => depth -= 1,
            _ => {}
        }
        false
    });
    (!closes_early).then_some(inside)
}

/// Splits at spaces outside brackets and parentheses. A list after an item is its argument:
/// `PREVIEW (LAZY)`.
fn split(text: &str) -> Vec<&str> {
    let (mut items, mut start, mut depth) = (Vec::new(), 0, 0usize);
    for (at, byte) in outside_quotes(text) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b' ' if depth == 0 && !text[at..].trim_start_matches(' ').starts_with('(') => {
                items.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    items.push(&text[start..]);
    items.into_iter().map(|item| item.trim_matches(' ')).filter(|item| !item.is_empty()).collect()
}

/// Returns the bytes outside quoted strings, with their positions.
fn outside_quotes(text: &str) -> impl Iterator<Item = (usize, u8)> {
    let (mut quoted, mut escaped) = (false, false);
    text.bytes().enumerate().filter(move |(_, byte)| {
        let was_quoted = quoted;
        if quoted && !escaped && *byte == b'\\' {
            escaped = true;
        } else {
            quoted ^= *byte == b'"' && !escaped;
            escaped = false;
        }
        !was_quoted && *byte != b'"'
    })
}

/// Returns a data item's name as servers write it in answers, for comparing names: upper case,
/// without `.PEEK`, quotes and arguments, with `<0.1000>` as `<0>`, and with single spaces.
pub fn answer_name(name: &str) -> String {
    let mut name = without_literals(&name.trim().to_uppercase().replace('"', ""));
    if let Some(inside) = name.strip_prefix('(').and_then(|name| name.strip_suffix(')')) {
        name = inside.trim().to_owned();
    }
    for kind in ["BODY", "BINARY"] {
        if let Some(rest) = name.strip_prefix(kind).and_then(|rest| rest.strip_prefix(".PEEK[")) {
            name = format!("{kind}[{rest}");
        }
    }
    if let Some((before, partial)) = name.rsplit_once("]<")
        && let Some((start, _)) = partial.split_once('.')
    {
        name = format!("{before}]<{start}>");
    }
    // The argument of an item, as in `PREVIEW (LAZY)`.
    if !name.contains('[')
        && let Some((item, _)) = name.split_once(" (")
    {
        name = item.to_owned();
    }
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Removes literal sizes, which servers may write before field names, as in
/// `BODY[HEADER.FIELDS ({4} FROM)]`.
fn without_literals(name: &str) -> String {
    let mut pieces = name.split('{');
    let first = pieces.next().unwrap_or("").to_owned();
    pieces.fold(first, |text, piece| {
        let (_, rest) = piece.split_once('}').unwrap_or(("", piece));
        text + rest.trim_start_matches(['\r', '\n'])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(text: &str) -> FetchItems {
        FetchItems::parse(text).unwrap()
    }

    #[test]
    fn items_are_sent_as_they_were_written_and_peek_when_they_are_told_to() {
        let table = [
            ("body[]", "body[]", "body.PEEK[]", true),
            ("flags envelope", "(flags envelope)", "(flags envelope)", false),
            ("(FLAGS)", "(FLAGS)", "(FLAGS)", false),
            (
                "body.peek[header] body[text]",
                "(body.peek[header] body[text])",
                "(body.peek[header] body.PEEK[text])",
                true,
            ),
            ("body.peek[]", "body.peek[]", "body.peek[]", false),
            ("rfc822", "rfc822", "BODY.PEEK[]", true),
            ("(uid RFC822.TEXT)", "(uid RFC822.TEXT)", "(uid BODY.PEEK[TEXT])", true),
            ("rfc822.header", "rfc822.header", "rfc822.header", false),
            ("rfc822.size", "rfc822.size", "rfc822.size", false),
            ("body", "body", "body", false),
            ("bodystructure", "bodystructure", "bodystructure", false),
            ("binary[1]<0.5>", "binary[1]<0.5>", "binary.PEEK[1]<0.5>", true),
            ("binary.size[1]", "binary.size[1]", "binary.size[1]", false),
            ("all", "all", "all", false),
            (" envelope ", "envelope", "envelope", false),
            ("preview (lazy) uid", "(preview (lazy) uid)", "(preview (lazy) uid)", false),
            (
                "body[header.fields (\"a)b\" to)]",
                "body[header.fields (\"a)b\" to)]",
                "body.PEEK[header.fields (\"a)b\" to)]",
                true,
            ),
        ];
        for (text, sent, peeking, marks_seen) in table {
            let parsed = items(text);
            assert_eq!(parsed.to_string(), sent, "{text}");
            assert_eq!(parsed.peeking().to_string(), peeking, "{text}");
            assert_eq!(parsed.marks_seen(), marks_seen, "{text}");
            assert!(!parsed.peeking().marks_seen(), "{text}");
            assert_eq!(parsed, parsed.peeking(), "{text}");
        }
    }

    #[test]
    fn only_what_was_asked_for_is_wanted() {
        let table = [
            ("body[]", "FLAGS", false, false),
            ("body[header.fields (flags from)]", "FLAGS", false, false),
            ("(FLAGS envelope)", "FLAGS", false, true),
            ("fast", "FLAGS", false, true),
            ("fast", "ENVELOPE", false, true),
            ("envelope", "UID", false, false),
            ("envelope", "UID", true, true),
            ("(uid modseq)", "MODSEQ", false, true),
            ("flags", "MODSEQ", false, false),
            ("x-gm-labels", "X-GM-LABELS", false, true),
        ];
        for (text, name, by_uid, wanted) in table {
            assert_eq!(items(text).want(name, by_uid), wanted, "{text} {name}");
        }
    }

    #[test]
    fn an_answer_to_a_peek_has_the_name_that_was_asked_for() {
        let names = |text: &str, answer: &str| {
            items(text).peeking().names_for(answer).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(names("rfc822", "BODY[]"), ["RFC822"]);
        assert_eq!(names("(rfc822.text flags)", "BODY[TEXT]"), ["RFC822.TEXT"]);
        assert_eq!(names("(rfc822 body[])", "BODY[]"), ["BODY[]", "RFC822"]);
        assert_eq!(names("body[]", "BODY[]"), ["BODY[]"]);
        assert_eq!(names("rfc822", "FLAGS"), ["FLAGS"]);
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        for text in ["", " ", "body[", "(flags", "flags)", "([)]", "body[] {5}", "a\r\nb", "é"] {
            assert!(FetchItems::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_compare_as_the_server_answers_them() {
        let table = [
            ("body[]", "BODY[]"),
            ("body.peek[header.fields (from to)]", "BODY[HEADER.FIELDS (FROM TO)]"),
            ("BODY[HEADER.FIELDS (\"From\"  To)]", "BODY[HEADER.FIELDS (FROM TO)]"),
            ("body[]<0.1000>", "BODY[]<0>"),
            ("BODY[1.2]<5>", "BODY[1.2]<5>"),
            ("(flags)", "FLAGS"),
            ("BODY[HEADER.FIELDS ({4}\r\nFROM TO)]", "BODY[HEADER.FIELDS (FROM TO)]"),
            (" envelope ", "ENVELOPE"),
            ("preview (lazy)", "PREVIEW"),
        ];
        for (name, expected) in table {
            assert_eq!(answer_name(name), expected, "{name}");
        }
    }
}
