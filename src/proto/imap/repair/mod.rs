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

mod envelope;
mod source;
mod strings;
mod structure;
mod writer;

use super::frame::Raw;
use super::response::Data;
use super::session::OwnedResponse;
use super::tokens::{Token, Tokens};
use crate::proto::error::excerpt;
use strings::{Next, is_item};
use writer::Writer;

/// How often the search for the next readable item is resumed.
const RESUMED: usize = 8;

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

impl<'a> Source<'a> {
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

    /// Reads an item with backslashes as escapes, or else as characters.
    pub(super) fn either_way(
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
