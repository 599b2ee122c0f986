//! Reads a FETCH response again that the tokenizer could not read, and writes one that it can.
//!
//! Some servers send what no grammar allows: quotes within quoted strings, values that are missing,
//! envelopes of nine fields. The end of such a response is certain all the same, because `frame` has
//! found its lines and literals. So only the item that cannot be read is lost, and the connection
//! goes on. This is the cold path: the tokenizer and the readers of its tokens only notice that
//! something is odd.
//!
//! | fault | lost |
//! |---|---|
//! | a quote or a backslash in a string that should have been escaped, a NUL in it | nothing, if only one end of the string fits what must follow |
//! | fields of an envelope: too few, too many, of the wrong kind | those that may belong to another field; all, if even the date is not certain |
//! | fields of a body structure: too few, too many, NIL for a list or a number and the reverse | nothing: the script gets them as they are |
//! | no value after an item's name | the item |
//! | quotes, parentheses or control characters that fit nothing | the item |
//! | text around the items, a missing or a superfluous last parenthesis | nothing but the text |
//! | another untagged response that cannot be read, message number 0, a number beyond 32 bits | the response |
//! | an entry of a list, a number of SEARCH, a line of a POP listing | the entry |
//! | a line after a status line that is neither untagged nor tagged | nothing: it is more of the status's text |
//! | a literal that does not fit, a tag that no command has, a reply before its command, bytes beyond a limit | the connection |
//!
//! What is lost becomes a warning that names the letter; if the script asked for nothing else, the
//! call fails, and the connection stays as good as before.
//!
//! A quoted string ends at a quote that is followed by what the grammar wants there: the next field
//! of its kind, or the closing parenthesis. An envelope has ten fields of fixed kinds, so a string
//! that was cut in two never moves the fields after it. All strings of a repaired item are written
//! as literals.

use super::frame::{LiteralSpan, Raw};
use super::response::Data;
use super::session::OwnedResponse;
use super::tokens::{Token, Tokens, unescape};
use crate::proto::error::excerpt;
use std::ops::Range;

/// How many quotes are tried as the end of a string that fits the grammar better than the first.
const CANDIDATES: usize = 32;
/// How often the search for the next readable item is resumed.
const RESUMED: usize = 8;
/// How deep the parts of a message may be nested in a repaired structure.
const DEPTH: usize = 64;

/// Names of data items that a FETCH response may have; `[` and `<` may follow some.
const ITEMS: [&str; 18] = [
    "UID",
    "FLAGS",
    "RFC822.SIZE",
    "INTERNALDATE",
    "ENVELOPE",
    "BODYSTRUCTURE",
    "BODY",
    "RFC822",
    "RFC822.HEADER",
    "RFC822.TEXT",
    "MODSEQ",
    "X-GM-MSGID",
    "X-GM-THRID",
    "X-GM-LABELS",
    "EMAILID",
    "THREADID",
    "SAVEDATE",
    "PREVIEW",
];

/// Writes a FETCH response that can be read, with everything that is certain. `None` for other data.
#[cold]
pub(crate) fn repair(data: &Data<'_>, max_depth: usize) -> Option<OwnedResponse> {
    let number = data.number.filter(|_| data.is("FETCH"))?;
    let raw = data.tokens.raw();
    let mut source = Source::new(raw, data.tokens.offset(), max_depth);
    let mut out = Writer::default();
    out.text(format!("* {number} FETCH").as_bytes());
    out.open();
    let mut lost = Vec::new();
    source.items(&mut out, &mut lost);
    out.close();
    Some(OwnedResponse::repaired(out.bytes, out.literals, raw.kept, lost.join("; ")))
}

/// Writes a FETCH response with this UID before its items, for servers that answer UID FETCH
/// without one.
#[cold]
pub(crate) fn with_uid(data: &Data<'_>, uid: u32) -> Option<OwnedResponse> {
    let number = data.number?;
    let raw = data.tokens.raw();
    let start = data.tokens.offset();
    let open = start + raw.bytes.get(start..)?.iter().position(|byte| *byte == b'(')?;
    let mut out = Writer::default();
    out.text(format!("* {number} FETCH (UID {uid} ").as_bytes());
    Source::new(raw, open, 0).copy(open + 1..raw.bytes.len(), &mut out);
    let (bytes, literals) = (out.bytes, out.literals);
    Some(match data.tokens.are_repaired() {
        true => {
            let lost = data.lost.unwrap_or_default().to_owned();
            OwnedResponse::repaired(bytes, literals, raw.kept, lost)
        }
        false => OwnedResponse::copy_of(bytes, literals, raw.kept),
    })
}

/// What may follow the end of a string.
#[derive(Clone, Copy)]
enum Next {
    /// Any value, or a closing parenthesis.
    Value,
    /// A string or NIL.
    Text,
    /// A list of addresses or NIL.
    Addresses,
    /// The route of an address, which nobody uses any more, and a string after it.
    Route,
    /// The end of a list.
    Close,
    /// As `Text` and `Close`, for the message ids of an envelope: these end at the first quote that
    /// ends any value, since a field too many could be taken for a part of them.
    Id,
    LastId,
    /// The end of a list, or a parameter's name.
    Parameter,
    /// The encoding of a part and its size.
    EncodingAndSize,
    /// The next item of the response, or its end.
    Item,
}

struct Source<'a> {
    raw: Raw<'a>,
    at: usize,
    max_depth: usize,
    /// Where the blanks and closing parentheses at the end of the response begin.
    tail: usize,
    /// Whether a backslash escapes a quote. Servers that do not escape quotes may not escape
    /// backslashes either.
    escapes: bool,
}

/// Why an item is lost.
struct Fault {
    what: String,
    /// Whether what is certain of it was written.
    in_part: bool,
}

impl From<&str> for Fault {
    fn from(what: &str) -> Self {
        Fault { what: what.to_owned(), in_part: false }
    }
}

#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
    literals: Vec<LiteralSpan>,
    /// Whether a list has just begun.
    has_opened: bool,
}

impl Writer {
    fn text(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
    }

    /// Writes a space unless a list has just begun.
    fn space(&mut self) {
        if !std::mem::take(&mut self.has_opened) {
            self.bytes.push(b' ');
        }
    }

    fn open(&mut self) {
        self.space();
        self.bytes.push(b'(');
        self.has_opened = true;
    }

    fn close(&mut self) {
        self.has_opened = false;
        self.bytes.push(b')');
    }

    fn literal(&mut self, text: &[u8]) {
        self.space();
        self.text(format!("{{{}}}\r\n", text.len()).as_bytes());
        let (start, length) = (self.bytes.len(), text.len());
        let announced = length as u64;
        self.literals.push(LiteralSpan { start, length, announced, streamed: false, kept: None });
        self.text(text);
    }

    fn mark(&self) -> (usize, usize, bool) {
        (self.bytes.len(), self.literals.len(), self.has_opened)
    }

    /// Drops what was written since the mark.
    fn rewind(&mut self, (bytes, literals, has_opened): (usize, usize, bool)) {
        self.bytes.truncate(bytes);
        self.literals.truncate(literals);
        self.has_opened = has_opened;
    }
}

impl<'a> Source<'a> {
    fn new(raw: Raw<'a>, at: usize, max_depth: usize) -> Self {
        let last = raw.bytes.iter().rposition(|byte| !matches!(byte, b' ' | b')'));
        Source { raw, at, max_depth, tail: last.map_or(0, |last| last + 1), escapes: true }
    }

    /// How deep lists may be nested within an item's value: the list of items is around it.
    fn deepest(&self) -> usize {
        DEPTH.min(self.max_depth.saturating_sub(2))
    }

    /// The literals from this offset on.
    fn literals_from(&self, at: usize) -> &'a [LiteralSpan] {
        let first = self.raw.literals.partition_point(|literal| literal.start < at);
        &self.raw.literals[first..]
    }

    fn rest(&self) -> &'a [u8] {
        self.raw.bytes.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.rest().first().copied()
    }

    fn skip_spaces(&mut self) {
        self.at += self.rest().iter().take_while(|byte| **byte == b' ').count();
    }

    fn takes(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// The tokens from `at` on.
    fn tokens(&self, at: usize) -> Tokens<'a> {
        let raw = Raw {
            bytes: self.raw.bytes,
            literals: self.literals_from(at + 1),
            kept: self.raw.kept,
        };
        Tokens::new(raw, at, self.max_depth).without_sections()
    }

    /// The literal whose `{n}` is here.
    fn literal(&self) -> Option<LiteralSpan> {
        let is_literal = matches!(self.peek(), Some(b'{' | b'~'));
        let first = self.literals_from(self.at + 1).first().filter(|_| is_literal)?;
        let mut tokens = self.tokens(self.at);
        (tokens.next_token().is_ok() && tokens.offset() == first.start + first.length)
            .then_some(*first)
    }

    /// Copies bytes and the literals in them.
    fn copy(&self, range: Range<usize>, out: &mut Writer) {
        let shift = |at: usize| out.bytes.len() + at - range.start;
        let inside = self.literals_from(range.start);
        let inside = inside.iter().take_while(|literal| literal.start <= range.end);
        let moved = inside.map(|one| LiteralSpan { start: shift(one.start), ..*one });
        let moved: Vec<LiteralSpan> = moved.collect();
        out.literals.extend(moved);
        out.text(&self.raw.bytes[range]);
    }

    /// Reads items up to the end of the response.
    fn items(&mut self, out: &mut Writer, lost: &mut Vec<String>) {
        let mut resumed = 0;
        self.skip_spaces();
        self.takes(b'(');
        loop {
            self.skip_spaces();
            match self.peek() {
                None => return,
                Some(b')') => {
                    self.at += 1;
                    continue;
                }
                Some(_) => {}
            }
            let start = self.at;
            let mark = out.mark();
            let fault = match self.item_name() {
                Some(name) => {
                    out.space();
                    self.copy(start..start + name.len(), out);
                    self.item_value(name, out).err()
                }
                None => Some("expected an item's name".into()),
            };
            let Some(Fault { what, in_part }) = fault else { continue };
            if !in_part {
                out.rewind(mark);
            }
            lost.push(format!("{what}, near {}", excerpt(&self.raw.bytes[start..])));
            resumed += 1;
            match self.next_item(start) {
                Some(next) if resumed < RESUMED => self.at = next,
                _ => return,
            }
        }
    }

    /// Reads `UID`, `BODY[1.MIME]<0>`.
    fn item_name(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest();
        let is_name =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        let mut length = rest.iter().take_while(|byte| is_name(byte)).count();
        if !rest.first()?.is_ascii_alphabetic() {
            return None;
        }
        if rest.get(length) == Some(&b'[') {
            let raw = Raw {
                bytes: self.raw.bytes,
                literals: self.literals_from(self.at + 1),
                kept: self.raw.kept,
            };
            let mut tokens = Tokens::new(raw, self.at, self.max_depth);
            let Ok(Some(Token::Atom(name))) = tokens.next_token() else { return None };
            length = name.len();
        }
        self.at += length;
        matches!(self.peek(), None | Some(b' ' | b'(' | b')')).then_some(&rest[..length])
    }

    /// Reads an item's value. On an error the cursor is anywhere.
    fn item_value(&mut self, name: &[u8], out: &mut Writer) -> Result<(), Fault> {
        self.skip_spaces();
        let is = |item: &str| name.eq_ignore_ascii_case(item.as_bytes());
        if self.is_item_or_end() {
            return Err("an item without a value".into());
        }
        let (start, mark) = (self.at, out.mark());
        if is("ENVELOPE") {
            return self.envelope_item(out);
        }
        if is("FLAGS") {
            return self.flags(out);
        }
        let is_list = self.peek() == Some(b'(');
        if is_list && (is("BODYSTRUCTURE") || is("BODY")) {
            if self.either_way(out, |source, out| source.structure(out, 0)) {
                return Ok(());
            }
            out.rewind(mark);
            self.at = start;
        }
        if let Some(end) = self.strict_value(start) {
            out.space();
            self.copy(start..end, out);
            self.at = end;
            return Ok(());
        }
        let found = if is_list { self.value(out, 0) } else { self.text(Next::Item, out) };
        match found {
            Some(()) if self.is_at_item_end() => Ok(()),
            _ => Err("a value that cannot be read".into()),
        }
    }

    /// The end of a value that the tokenizer reads.
    fn strict_value(&self, at: usize) -> Option<usize> {
        let mut tokens = self.tokens(at);
        let first = tokens.next_token().ok()??;
        tokens.skip_value(first).ok()?;
        let end = tokens.offset();
        matches!(self.raw.bytes.get(end), None | Some(b' ' | b')')).then_some(end)
    }

    fn is_at_item_end(&self) -> bool {
        matches!(self.peek(), None | Some(b' ' | b')'))
    }

    /// Whether the name of an item or the end of the response is here.
    fn is_item_or_end(&self) -> bool {
        match self.peek() {
            None => true,
            Some(b')') => self.at >= self.tail,
            Some(_) => is_item(self.rest()),
        }
    }

    /// The next place from which on all items can be read.
    fn next_item(&self, from: usize) -> Option<usize> {
        let bytes = self.raw.bytes;
        let mut tried = 0;
        let mut at = from;
        while at + 1 < bytes.len() && tried < RESUMED {
            match self.literals_from(at).first() {
                Some(literal) if literal.start == at && literal.length > 0 => {
                    at += literal.length;
                    continue;
                }
                _ => {}
            }
            let is_between = matches!(bytes[at], b' ' | b')') && at > from;
            if is_between && is_item(&bytes[at + 1..]) {
                tried += 1;
                if self.reads_to_the_end(at + 1) {
                    return Some(at + 1);
                }
            }
            at += 1;
        }
        None
    }

    fn reads_to_the_end(&self, at: usize) -> bool {
        let mut source = Source { at, ..*self };
        loop {
            source.skip_spaces();
            match source.peek() {
                None => return true,
                Some(b')') => source.at += 1,
                Some(_) => {
                    if source.item_name().is_none() {
                        return false;
                    }
                    source.skip_spaces();
                    let Some(end) = source.strict_value(source.at) else { return false };
                    source.at = end;
                }
            }
        }
    }

    /// Reads a list of flags. Blanks divide them, and the first parenthesis ends them after which
    /// an item or the end follows.
    fn flags(&mut self, out: &mut Writer) -> Result<(), Fault> {
        if !self.takes(b'(') {
            return match self.strict_value(self.at) {
                Some(end) => {
                    out.space();
                    self.copy(self.at..end, out);
                    self.at = end;
                    Ok(())
                }
                None => Err("flags that are not a list".into()),
            };
        }
        let rest = self.rest();
        let ends = |at: &usize| {
            let after = &rest[at + 1..];
            let is_last = self.at + at + 1 >= self.tail;
            rest[*at] == b')' && (is_last || after.first() == Some(&b' ') && is_item(&after[1..]))
        };
        let end = (0..rest.len()).find(ends).ok_or("flags without an end")?;
        out.open();
        for flag in rest[..end].split(|byte| matches!(byte, b' ' | b'(' | b')')) {
            let flag: Vec<u8> = flag.iter().copied().filter(|byte| *byte > b' ').collect();
            // A flag never begins like a string or a literal, so the tokenizer would not see one.
            let mut flag = &flag[..];
            while let [b'"' | b'{', rest @ ..] | [b'~', b'{', rest @ ..] = flag {
                flag = rest;
            }
            if !flag.is_empty() {
                out.space();
                out.text(flag);
            }
        }
        out.close();
        self.at += end + 1;
        Ok(())
    }

    fn envelope_item(&mut self, out: &mut Writer) -> Result<(), Fault> {
        let (start, mark) = (self.at, out.mark());
        if starts_with_nil(self.rest()) {
            out.space();
            out.text(b"NIL");
            self.at += 3;
            return Ok(());
        }
        if self.either_way(out, Self::envelope) {
            return Ok(());
        }
        out.rewind(mark);
        self.at = start;
        self.certain_fields(out)
    }

    /// Reads an item with backslashes as escapes, or else as characters.
    fn either_way(
        &mut self,
        out: &mut Writer,
        read: fn(&mut Self, &mut Writer) -> Option<()>,
    ) -> bool {
        let (start, mark) = (self.at, out.mark());
        let found = [true, false].into_iter().any(|escapes| {
            out.rewind(mark);
            (self.at, self.escapes) = (start, escapes);
            read(self, out).is_some() && self.is_at_item_end()
        });
        self.escapes = true;
        found
    }

    /// Reads an envelope with ten fields of their kinds.
    fn envelope(&mut self, out: &mut Writer) -> Option<()> {
        self.skip_spaces();
        self.takes(b'(').then_some(())?;
        out.open();
        self.text(Next::Text, out)?;
        self.text(Next::Addresses, out)?;
        for _ in 0..6 {
            self.addresses(out)?;
        }
        self.text(Next::Id, out)?;
        self.text(Next::LastId, out)?;
        self.skip_spaces();
        out.close();
        self.takes(b')').then_some(())
    }

    fn addresses(&mut self, out: &mut Writer) -> Option<()> {
        self.skip_spaces();
        if starts_with_nil(self.rest()) {
            self.at += 3;
            out.space();
            out.text(b"NIL");
            return Some(());
        }
        self.takes(b'(').then_some(())?;
        out.open();
        loop {
            self.skip_spaces();
            if self.takes(b')') {
                out.close();
                return Some(());
            }
            if starts_with_nil(self.rest()) {
                self.at += 3; // in place of an address
                continue;
            }
            self.takes(b'(').then_some(())?;
            out.open();
            self.text(Next::Route, out)?;
            self.text(Next::Text, out)?;
            self.text(Next::Text, out)?;
            self.text(Next::Close, out)?;
            self.skip_spaces();
            self.takes(b')').then_some(())?;
            out.close();
        }
    }

    /// Writes the fields of an envelope that no other reading could move, if its tokens can be read
    /// but are not ten of the right kinds.
    fn certain_fields(&mut self, out: &mut Writer) -> Result<(), Fault> {
        let wrong = || Fault::from("a value that is not an envelope");
        let start = self.at;
        let end = self.strict_value(start).ok_or_else(wrong)?;
        let mut fields: Vec<(Range<usize>, Kind)> = Vec::new();
        let mut tokens = self.tokens(start);
        let opens = matches!(tokens.next_token(), Ok(Some(Token::Open)));
        while opens && fields.len() < 100 {
            let from = tokens.offset();
            let token = tokens.expect_token().map_err(|_| wrong())?;
            if token == Token::Close {
                break;
            }
            let kind = match token {
                Token::Open => Kind::List,
                _ if token.is_nil() => Kind::Nil,
                _ => Kind::Text,
            };
            tokens.skip_value(token).map_err(|_| wrong())?;
            let blanks = self.raw.bytes[from..].iter().take_while(|byte| **byte == b' ').count();
            fields.push((from + blanks..tokens.offset(), kind));
        }
        let fits = |at: usize, kind: Kind| match at {
            2..=7 => kind != Kind::Text,
            _ => kind != Kind::List,
        };
        let fitting =
            fields.iter().enumerate().take_while(|(at, (_, kind))| fits(*at, *kind)).count();
        // Too few fields: one is missing anywhere. Too many: only a string can be in excess, and
        // after the six lists it may be any of the last.
        let certain = if fields.len() > 10 && fitting >= 8 { 8 } else { fitting.min(2) };
        if certain == 0 {
            return Err(wrong());
        }
        out.open();
        for (range, _) in &fields[..certain] {
            out.space();
            self.copy(range.clone(), out);
        }
        out.text(" NIL".repeat(10 - certain).as_bytes());
        out.close();
        self.at = end;
        let what = format!(
            "an envelope of {} fields, of which {certain} are certain (it has ten)",
            fields.len()
        );
        Err(Fault { what, in_part: true })
    }

    /// Reads the structure of a part, whose strings may have quotes.
    fn structure(&mut self, out: &mut Writer, depth: usize) -> Option<()> {
        self.skip_spaces();
        (depth < self.deepest() && self.takes(b'(')).then_some(())?;
        out.open();
        self.skip_spaces();
        if self.peek() == Some(b'(') {
            while self.peek() == Some(b'(') {
                self.structure(out, depth + 1)?;
                self.skip_spaces();
            }
            return self.values(out, depth);
        }
        let starts_message = opens_with(self.rest(), b"\"MESSAGE\"");
        for next in [Next::Text, Next::Value] {
            self.skip_spaces();
            if self.peek() == Some(b')') {
                return self.values(out, depth);
            }
            self.text(next, out)?;
        }
        self.skip_spaces();
        match self.peek() {
            Some(b'(') => self.parameters(out, depth)?,
            Some(b')') => {}
            _ => self.text(Next::Text, out)?,
        }
        for next in [Next::Text, Next::EncodingAndSize, Next::Value] {
            self.skip_spaces();
            if matches!(self.peek(), Some(b')' | b'(')) {
                break;
            }
            self.text(next, out)?;
        }
        self.skip_spaces();
        if starts_message && self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.value(out, depth)?;
            self.skip_spaces();
            let (start, mark) = (self.at, out.mark());
            let has_both = self.peek() == Some(b'(')
                && self.envelope(out).is_some()
                && self.structure(out, depth + 1).is_some();
            if !has_both {
                out.rewind(mark);
                self.at = start;
            }
        }
        self.values(out, depth)
    }

    /// Reads the names and values of a part's parameters.
    fn parameters(&mut self, out: &mut Writer, depth: usize) -> Option<()> {
        self.takes(b'(');
        out.open();
        loop {
            self.skip_spaces();
            match self.peek()? {
                b')' | b'(' => return self.values(out, depth),
                _ => self.text(Next::Value, out)?,
            }
            self.skip_spaces();
            match self.peek()? {
                b')' | b'(' => return self.values(out, depth),
                _ => self.text(Next::Parameter, out)?,
            }
        }
    }

    /// Reads values up to the end of the list, and that end.
    fn values(&mut self, out: &mut Writer, depth: usize) -> Option<()> {
        loop {
            self.skip_spaces();
            if self.takes(b')') {
                out.close();
                return Some(());
            }
            self.value(out, depth)?;
        }
    }

    fn value(&mut self, out: &mut Writer, depth: usize) -> Option<()> {
        self.skip_spaces();
        if depth < self.deepest() && self.takes(b'(') {
            out.open();
            return self.values(out, depth + 1);
        }
        self.text(Next::Value, out)
    }

    /// Reads a string, an atom or NIL; not a list.
    fn text(&mut self, next: Next, out: &mut Writer) -> Option<()> {
        self.skip_spaces();
        let start = self.at;
        if let Some(literal) = self.literal() {
            out.space();
            let end = literal.start + literal.length;
            self.copy(start..end, out);
            self.at = end;
            return Some(());
        }
        match self.peek()? {
            b'(' | b')' | b'{' => None,
            b'"' => {
                let end = self.end_of_string(next)?;
                out.literal(&unescape(&self.raw.bytes[start + 1..end]));
                self.at = end + 1;
                Some(())
            }
            _ => {
                let is_end = |byte: &u8| matches!(byte, b' ' | b')' | b'(');
                let length = self.rest().iter().position(is_end).unwrap_or(self.rest().len());
                let atom = &self.rest()[..length];
                let is_odd = atom.iter().any(|byte| matches!(byte, 0..=31 | b'"' | 127));
                if is_odd || atom.starts_with(b"~{") {
                    out.literal(atom);
                } else {
                    out.space();
                    out.text(atom);
                }
                self.at += length;
                Some(())
            }
        }
    }

    /// The quote that ends the string which begins here: the first one that is followed by what
    /// belongs there, or else by any value.
    fn end_of_string(&self, next: Next) -> Option<usize> {
        let bytes = self.raw.bytes;
        // A literal would end the string's line.
        let literal = self.literals_from(self.at + 1).first();
        let last = literal.map_or(bytes.len(), |literal| literal.start);
        let mut escaped = false;
        let (mut any, mut tried) = (None, 0);
        for (at, byte) in bytes.iter().enumerate().take(last).skip(self.at + 1) {
            let is_quote = *byte == b'"' && !(escaped && self.escapes);
            escaped = *byte == b'\\' && !escaped;
            if !is_quote || !self.follows(at + 1, Next::Value) {
                continue;
            }
            if self.follows(at + 1, next) {
                return Some(at);
            }
            if matches!(next, Next::Id | Next::LastId) {
                return None;
            }
            any = any.or(Some(at));
            tried += 1;
            if tried > CANDIDATES {
                break;
            }
        }
        // Within an envelope only the right kind will do.
        any.filter(|_| matches!(next, Next::Value | Next::Parameter | Next::EncodingAndSize))
    }

    /// Whether what follows a string is what belongs there.
    fn follows(&self, at: usize, next: Next) -> bool {
        let Some(rest) = self.raw.bytes.get(at..) else { return false };
        let Some(after) = rest.strip_prefix(b" ") else {
            return match next {
                Next::Value | Next::Close | Next::LastId | Next::Parameter => {
                    matches!(rest.first(), Some(b')')) || rest.is_empty()
                }
                Next::Item => at >= self.tail,
                _ => false,
            };
        };
        let value = after.trim_ascii_start();
        match next {
            Next::Value => starts_value(value),
            Next::Text | Next::Id => starts_text(value),
            Next::Addresses => {
                starts_with_nil(value)
                    || value.starts_with(b"()")
                    || value
                        .strip_prefix(b"(")
                        .map(<[u8]>::trim_ascii_start)
                        .is_some_and(|inside| inside.starts_with(b"(") || starts_with_nil(inside))
            }
            Next::Route => {
                starts_with_nil(value)
                    || value.starts_with(b"\"\" ")
                    || value.starts_with(b"\"@")
                    || value.starts_with(b"{")
            }
            Next::Close | Next::LastId => value.starts_with(b")"),
            Next::Parameter => {
                let inside = value.strip_prefix(b"\"").unwrap_or_default();
                let is_token =
                    |byte: &u8| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(byte);
                let length = inside.iter().take_while(|byte| is_token(byte)).count();
                value.starts_with(b")") || length > 0 && inside[length..].starts_with(b"\" ")
            }
            Next::EncodingAndSize => {
                let after = end_of_plain_text(value).map(|end| &value[end..]);
                let size =
                    after.and_then(|after| after.strip_prefix(b" ")).map(<[u8]>::trim_ascii_start);
                size.is_some_and(|size| {
                    starts_with_nil(size) || size.first().is_some_and(u8::is_ascii_digit)
                })
            }
            Next::Item => at >= self.tail || is_item(value),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    List,
    Nil,
}

/// Whether a data item's name begins here, and a value after it.
fn is_item(bytes: &[u8]) -> bool {
    let length = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
        .count();
    let (name, after) = bytes.split_at(length);
    let has_section = after.starts_with(b"[")
        && [&b"BODY"[..], b"BODY.PEEK", b"BINARY", b"BINARY.PEEK", b"BINARY.SIZE"]
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known));
    has_section
        || after.first() == Some(&b' ')
            && ITEMS.iter().any(|item| name.eq_ignore_ascii_case(item.as_bytes()))
}

fn opens_with(bytes: &[u8], start: &[u8]) -> bool {
    bytes.get(..start.len()).is_some_and(|here| here.eq_ignore_ascii_case(start))
}

fn starts_with_nil(bytes: &[u8]) -> bool {
    opens_with(bytes, b"NIL") && matches!(bytes.get(3), None | Some(b' ' | b')' | b'('))
}

fn starts_text(bytes: &[u8]) -> bool {
    matches!(bytes.first(), Some(b'"')) || starts_with_nil(bytes) || starts_literal(bytes)
}

fn starts_literal(bytes: &[u8]) -> bool {
    let digits = bytes.strip_prefix(b"~").unwrap_or(bytes).strip_prefix(b"{").unwrap_or_default();
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let after = &digits[length..];
    length > 0 && (after.starts_with(b"}\r\n") || after.starts_with(b"}\n"))
}

fn starts_value(bytes: &[u8]) -> bool {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    bytes.is_empty()
        || matches!(bytes.first(), Some(b'(' | b')'))
        || starts_text(bytes)
        || digits > 0 && matches!(bytes.get(digits), None | Some(b' ' | b')' | b'('))
        || is_item(bytes)
}

/// The end of NIL or of a quoted string without quotes and backslashes.
fn end_of_plain_text(bytes: &[u8]) -> Option<usize> {
    if starts_with_nil(bytes) {
        return Some(3);
    }
    let inside = bytes.strip_prefix(b"\"")?;
    let length = inside.iter().position(|byte| matches!(byte, b'"' | b'\\' | b'(' | b')'))?;
    (inside[length] == b'"').then_some(length + 2)
}

#[cfg(test)]
mod tests {
    use super::super::frame::Frame;
    use super::*;
    use crate::proto::limits::Limits;

    /// The items of the repaired response, with its strings quoted, and what was lost.
    fn repaired(items: &[u8]) -> (String, String) {
        let mut frame = Frame::new(Limits::default());
        frame.push(&[b"* 7 FETCH ", items, b"\r\n"].concat());
        frame.advance().unwrap();
        let raw = frame.response();
        let tokens = Tokens::new(raw, 10, 50);
        let data = Data { number: Some(7), name: b"FETCH", tokens, lost: None };
        let response = repair(&data, 50).unwrap();
        let data = response.data(50).unwrap().unwrap();
        let (lost, mut tokens) = (data.lost.unwrap_or("").to_owned(), data.tokens);
        let mut shown = String::new();
        while let Some(token) = tokens.next_token().unwrap() {
            let text = match token {
                Token::Open => "(".to_owned(),
                Token::Close => ")".to_owned(),
                Token::Atom(atom) => atom.escape_ascii().to_string(),
                other => format!("<{}>", other.bytes().unwrap().escape_ascii()),
            };
            let is_apart = !shown.is_empty() && !shown.ends_with('(') && text != ")";
            shown += &format!("{}{text}", if is_apart { " " } else { "" });
        }
        (shown, lost)
    }

    #[test]
    fn strings_with_quotes_end_where_the_grammar_ends_them() {
        let from = r#"(("a" NIL "m" "h"))"#;
        let rest = r#"NIL NIL NIL NIL NIL NIL "<i>")"#;
        let read = "((<a> NIL <m> <h>)) NIL NIL NIL NIL NIL NIL <<i>>)";
        let table: Vec<(String, String)> = vec![
            (
                format!(r#"(ENVELOPE ("d" "a "b" c" {from} {rest} UID 5)"#),
                format!(r#"(ENVELOPE (<d> <a \"b\" c> {read} UID 5)"#),
            ),
            (
                format!(r#"(ENVELOPE ("d" "a" "b" {from} {rest})"#),
                format!(r#"(ENVELOPE (<d> <a\" \"b> {read})"#),
            ),
            (
                format!(r#"(ENVELOPE ("d" """" {from} {rest})"#),
                format!(r#"(ENVELOPE (<d> <\"\"> {read})"#),
            ),
            (
                format!(r#"(ENVELOPE ("d" "c:\" {from} {rest})"#),
                format!(r#"(ENVELOPE (<d> <c:\\> {read})"#),
            ),
            (
                r#"(ENVELOPE ("d" NIL ((""A" B" NIL "a"b" "h")("x "y" NIL "m" "h"))"#.to_owned()
                    + r#" NIL NIL NIL NIL NIL NIL NIL) FLAGS (\Seen))"#,
                r#"(ENVELOPE (<d> NIL ((<\"A\" B> NIL <a\"b> <h>) (<x \"y> NIL <m> <h>))"#.to_owned()
                    + r#" NIL NIL NIL NIL NIL NIL NIL) FLAGS (\\Seen))"#,
            ),
            (
                "(BODYSTRUCTURE (\"TEXT\" \"HTML\"\" NIL NIL NIL {5}\r\n8bit\" 74 2))".into(),
                r#"(BODYSTRUCTURE (<TEXT> <HTML\"> NIL NIL NIL <8bit\"> 74 2))"#.into(),
            ),
            (
                r#"(BODY ("application" "pdf" ("name" "a "b".pdf" "x" "y") NIL """" "base64" 65) UID 9)"#.into(),
                r#"(BODY (<application> <pdf> (<name> <a \"b\".pdf> <x> <y>) NIL <\"\"> <base64> 65) UID 9)"#.into(),
            ),
            (
                r#"(BODY (("text" "plain" NIL NIL "a" "b" c" "7bit" 5 1)("image" "png" NIL NIL "d" "e" "base64" 7) "mixed"))"#.into(),
                r#"(BODY ((<text> <plain> NIL NIL <a\" \"b\" c> <7bit> 5 1) (<image> <png> NIL NIL <d\" \"e> <base64> 7) <mixed>))"#.into(),
            ),
            (
                format!(r#"(BODY ("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 9 ("d" "a "b" c" {from} {rest} ("TEXT" "PLAIN" NIL NIL NIL "7BIT" 1 1) 4))"#),
                format!(r#"(BODY (<MESSAGE> <RFC822> NIL NIL NIL <7BIT> 9 (<d> <a \"b\" c> {read} (<TEXT> <PLAIN> NIL NIL NIL <7BIT> 1 1) 4))"#),
            ),
            (
                r#"(FLAGS (\Seen a"b [x] "y" {5} é) UID 3)"#.into(),
                r#"(FLAGS (\\Seen a"b [x] y" 5} \xc3\xa9) UID 3)"#.into(),
            ),
            (
                r#"(X-GM-LABELS (Foo "a "b" c") UID 3)"#.into(),
                r#"(X-GM-LABELS (Foo <a \"b\" c>) UID 3)"#.into(),
            ),
            (r#"UID 3 FLAGS ()"#.into(), "(UID 3 FLAGS ())".into()),
            (r#"(UID 3 FLAGS (a)"#.into(), "(UID 3 FLAGS (a))".into()),
            (r#"(UID 3 BODY[1] "a "b" c" FLAGS ())"#.into(), r#"(UID 3 BODY[1] <a \"b\" c> FLAGS ())"#.into()),
            ("(BODY[1] {3}\r\na)( UID 3 BODY[2] \"x\0y\")".into(), r"(BODY[1] <a)(> UID 3 BODY[2] <x\x00y>)".into()),
        ];
        for (items, expected) in table {
            let unescaped = expected.replace("\\\"", "\"");
            let (shown, lost) = repaired(items.as_bytes());
            assert_eq!(shown.replace("\\\"", "\""), unescaped, "{items}");
            assert_eq!(lost, "", "{items}");
        }
    }

    #[test]
    fn an_item_that_cannot_be_read_is_lost_alone() {
        let table = [
            (r#"(UID 5 BODY[2] )"#, "(UID 5)", "an item without a value"),
            (r#"(BODY[2] UID 5)"#, "(UID 5)", "an item without a value"),
            (r#"(BODY[2]  FLAGS (x) UID 5)"#, "(FLAGS (x) UID 5)", "an item without a value"),
            (r#"(ENVELOPE (((( broken UID 5 FLAGS ())"#, "(UID 5 FLAGS ())", "not an envelope"),
            (
                r#"(UID 5 ENVELOPE ("d" "s" (("x" NIL "m") FLAGS (a))"#,
                "(UID 5 FLAGS (a))",
                "not an envelope",
            ),
            (
                r#"(UID 5 ENVELOPE ("d" "s" NIL) FLAGS (a))"#,
                r#"(UID 5 ENVELOPE (<d> <s> NIL NIL NIL NIL NIL NIL NIL NIL) FLAGS (a))"#,
                "3 fields",
            ),
            (
                r#"(ENVELOPE ("d" "s" NIL NIL NIL NIL NIL NIL "<a>" "<b>" "<c>"))"#,
                "(ENVELOPE (<d> <s> NIL NIL NIL NIL NIL NIL NIL NIL))",
                "11 fields",
            ),
            (r#"(UID 5 INTERNALDATE "x)"#, "(UID 5)", "a value that cannot be read"),
            ("%%%", "()", "expected an item's name"),
            ("", "()", ""),
        ];
        for (items, expected, why) in table {
            let (shown, lost) = repaired(items.as_bytes());
            assert_eq!(shown, expected, "{items}");
            assert!(lost.contains(why), "{items}: {lost}");
            assert_eq!(lost.is_empty(), why.is_empty(), "{items}: {lost}");
        }
    }
}
