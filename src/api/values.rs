//! Turns the tokens of a server into Lisp values, without a tree in between.
//!
//! `fetched` reads a FETCH response and keeps the items that were asked for; `value` reads one of
//! them. It uses no recursion, and counts the values up to a limit. Two shortcuts save time and
//! memory: short strings are shared, and a list that repeats the one before it, as the addresses of
//! an envelope often do, is the same value again.

use super::flags::flag_value;
use crate::client::Error;
use crate::client::spool::{for_each_chunk, read};
use crate::host::{self, Value, ValueKind};
use crate::proto::Limits;
use crate::proto::imap::listed::decode_name;
use crate::proto::imap::tokens::{Place, lossless};
use crate::proto::imap::{Data, FetchItems, Store, Token, Tokens};
use std::borrow::Cow;
use std::ops::Range;

/// How strings are returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Texts {
    /// As strings with `\n` line ends.
    Strings,
    /// As bytevectors with the server's exact bytes.
    Raw,
}

/// Returns text for a script. CR LF becomes LF. Text that is not UTF-8 is converted byte by byte,
/// so that no byte is lost.
pub(super) fn text(bytes: &[u8]) -> String {
    let is_utf8 = std::str::from_utf8(bytes);
    let mut text = String::with_capacity(bytes.len());
    for_each_piece(bytes, |range| match is_utf8 {
        Ok(whole) => text.push_str(&whole[range]),
        Err(_) => push_by_byte(&mut text, &bytes[range]),
    });
    text
}

/// Appends each byte as the character with its number.
fn push_by_byte(text: &mut String, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(ascii) if ascii.is_ascii() => text.push_str(ascii),
        _ => text.extend(bytes.iter().map(|byte| char::from(*byte))),
    }
}

/// Calls `on_piece` with the ranges that remain when every CR LF becomes LF.
fn for_each_piece(bytes: &[u8], mut on_piece: impl FnMut(Range<usize>)) {
    let mut from = 0;
    for at in memchr::memchr_iter(b'\r', bytes).filter(|at| bytes.get(at + 1) == Some(&b'\n')) {
        on_piece(from..at);
        from = at + 1;
    }
    on_piece(from..bytes.len());
}

/// Returns [`text`] of bytes that are not in memory, with little more memory than the text takes.
fn text_of(bytes: &dyn Store) -> Result<String, Error> {
    let mut text = Vec::with_capacity(usize::try_from(bytes.size()).unwrap_or_default());
    for_each_run(bytes, |run| text.extend_from_slice(run))?;
    let bytes_alone = match String::from_utf8(text) {
        Ok(text) => return Ok(text),
        Err(error) => error.into_bytes(),
    };
    // In UTF-8 the characters from 128 to 255 have two bytes.
    let longer = bytes_alone.iter().filter(|byte| !byte.is_ascii()).count();
    let length = bytes_alone.len() + longer;
    drop(bytes_alone); // before there is room for another text
    let mut text = String::with_capacity(length);
    for_each_run(bytes, |run| push_by_byte(&mut text, run))?;
    Ok(text)
}

/// As [`for_each_piece`], for bytes that are not in memory.
fn for_each_run(bytes: &dyn Store, mut on_run: impl FnMut(&[u8])) -> Result<(), Error> {
    let mut ended_in_cr = false; // which is held back: an LF may follow
    for_each_chunk(bytes, &mut |mut bytes| {
        if ended_in_cr && bytes.first() != Some(&b'\n') {
            on_run(b"\r");
        }
        ended_in_cr = bytes.ends_with(b"\r");
        bytes = &bytes[..bytes.len() - usize::from(ended_in_cr)];
        for_each_piece(bytes, |range| on_run(&bytes[range]));
        Ok(())
    })?;
    if ended_in_cr {
        on_run(b"\r");
    }
    Ok(())
}

/// Returns the bytes with LF for every CR LF.
pub(super) fn without_crlf(bytes: &[u8]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(bytes.len());
    for_each_piece(bytes, |range| lines.extend_from_slice(&bytes[range]));
    lines
}

/// Reads one value. NIL becomes `nil`, digits a number, `\x` a flag, a list a list, and everything
/// else text. `count` grows with each value, up to the limit.
fn value(
    tokens: &mut Tokens<'_>,
    first: Token<'_>,
    texts: Texts,
    shape: Shape,
    limits: &Limits,
    count: &mut usize,
) -> Result<Value, Error> {
    let (most, atoms_are_flags) = (limits.values, shape == Shape::Flags);
    let (mut values, mut open): (Vec<Value>, Vec<OpenList>) = (Vec::new(), Vec::new());
    let mut token = first;
    loop {
        *count += 1;
        if *count > most {
            limits.check("values", *count as u64)?;
        }
        let value = match token {
            _ if shape == Shape::Labels
                && texts == Texts::Strings
                && !open.is_empty()
                && is_label(token) =>
            {
                label(&token.bytes().unwrap_or_default())
            }
            Token::Open => {
                open.push(OpenList {
                    start: values.len(),
                    place: tokens.place(),
                    counted: *count,
                    has_only_lists: true,
                });
                token = tokens.expect_token()?;
                continue;
            }
            Token::Close => {
                let OpenList { start, place, counted, .. } = open.pop().ok_or_else(|| {
                    tokens.malformed("a closing parenthesis where a value is expected")
                })?;
                if !shape.fits(&values, start, open.last(), open.len()) && !tokens.are_repaired() {
                    return Err(tokens.malformed("fields of other kinds than they must be").into());
                }
                let list = host::list_of(values.drain(start..));
                let behind = tokens.place();
                // A repeated list counts as if it were read, because a script that walks the result
                // meets each value.
                let size = *count - counted + 1;
                while !open.is_empty() && size <= most - *count && tokens.repeats(place, behind) {
                    *count += size;
                    values.push(list.clone());
                }
                list
            }
            Token::Atom(atom)
                if atom.first() == Some(&b'\\') || (atoms_are_flags && !open.is_empty()) =>
            {
                flag_value(&lossless(atom))
            }
            Token::Atom(atom) => match token.number() {
                Some(number) => host::integer(number as i64), // at most 63 bits
                None if token.is_nil() => host::nil(),
                None => string(atom, texts),
            },
            Token::Quoted(_) | Token::Literal(_) => {
                string(&token.bytes().unwrap_or_default(), texts)
            }
            Token::Streamed(_, kept) => {
                kept.map_or(Ok(host::nil()), |kept| large(&**kept, texts))?
            }
        };
        let Some(around) = open.last_mut() else { return Ok(value) };
        around.has_only_lists &= is_list(&value);
        values.push(value);
        token = tokens.expect_token()?;
    }
}

/// A list that is being read.
struct OpenList {
    /// Where it begins among the values of all open lists.
    start: usize,
    /// Where it begins in the response.
    place: Place,
    /// The count of values with it.
    counted: usize,
    /// Whether all of its values so far are lists.
    has_only_lists: bool,
}

/// What a value's lists must look like. A string that a server did not escape may be read as two,
/// and all fields after it would be those before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Any,
    Flags,
    Envelope,
    Structure,
    Labels,
}

impl Shape {
    /// The shape of an item's value.
    fn of(item: &str) -> Self {
        match item {
            "FLAGS" => Shape::Flags,
            "ENVELOPE" => Shape::Envelope,
            "BODYSTRUCTURE" | "BODY" => Shape::Structure,
            "X-GM-LABELS" => Shape::Labels,
            _ => Shape::Any,
        }
    }

    /// Whether the list `values[start..]`, which is inside of `depth` others, may be what it must
    /// be. `around` is the innermost of these.
    fn fits(self, values: &[Value], start: usize, around: Option<&OpenList>, depth: usize) -> bool {
        let list = &values[start..];
        let is_text = |value: &Value| !is_list(value);
        match (self, depth) {
            (Shape::Envelope, 0) => {
                let may_list = |value: &Value| host::is_nil(value) || is_list(value);
                list.len() == 10
                    && list[..2].iter().chain(&list[8..]).all(is_text)
                    && list[2..8].iter().all(may_list)
            }
            (Shape::Envelope, 1) => list.iter().all(is_list),
            (Shape::Envelope, _) => list.len() == 4 && list.iter().all(is_text),
            (Shape::Structure, _) => {
                let before = &values[around.map_or(start, |around| around.start)..start];
                match before {
                    // The parameters of a part are pairs; in the envelope of a letter within the
                    // letter, a list of addresses stands there.
                    [first, second] if is_text(first) && is_text(second) => {
                        list.first().is_some_and(is_list) || list.len().is_multiple_of(2)
                    }
                    // A part: all before it are parts, too.
                    _ if around.is_none_or(|around| around.has_only_lists) => is_part(list),
                    _ => true,
                }
            }
            _ => true,
        }
    }
}

fn is_list(value: &Value) -> bool {
    matches!(host::kind_of(value), ValueKind::Sequence)
}

/// Whether a list may be a part of a message: one with parts, or with a size where it belongs.
fn is_part(list: &[Value]) -> bool {
    let is_size = |size: &Value| host::is_nil(size) || host::as_integer(size).is_some();
    list.first().is_none_or(is_list) || list.get(6).is_none_or(is_size)
}

/// Whether a token is one of Gmail's labels. System labels that are not quoted are flags.
fn is_label(token: Token<'_>) -> bool {
    match token {
        Token::Atom(atom) => atom.first() != Some(&b'\\'),
        Token::Quoted(_) | Token::Literal(_) => true,
        _ => false,
    }
}

/// A label, which is in modified UTF-7 as names of mailboxes are.
fn label(bytes: &[u8]) -> Value {
    host::shared_string(&decode_name(bytes, false))
}

/// Reads the identifier of an EMAILID or THREADID, `(M6d99)`, as a string (RFC 8474 5); `None` if
/// the value is another one.
fn identifier(tokens: &mut Tokens<'_>, first: Token<'_>) -> Result<Option<Value>, Error> {
    let mut inside = tokens.clone();
    if first == Token::Open
        && let Some(word) = inside.expect_token()?.bytes()
        && inside.expect_token()? == Token::Close
    {
        let value = string_value(&word);
        *tokens = inside;
        return Ok(Some(value));
    }
    Ok(None)
}

fn string(bytes: &[u8], texts: Texts) -> Value {
    match texts {
        Texts::Strings => string_value(bytes),
        Texts::Raw => host::bytes(bytes.to_vec()),
    }
}

/// Returns text that is not in memory: it is read into the one string or bytevector.
pub(super) fn large(text: &dyn Store, texts: Texts) -> Result<Value, Error> {
    Ok(match texts {
        Texts::Strings => host::string(text_of(text)?),
        Texts::Raw => host::bytes(read(text)?),
    })
}

/// Returns a string. Short ones are shared, because a response repeats names, hosts and addresses.
fn string_value(bytes: &[u8]) -> Value {
    if bytes.len() <= host::LONGEST_SHARED
        && !bytes.contains(&b'\r')
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        return host::shared_string(text);
    }
    host::string(text(bytes))
}

/// The items that a FETCH asked for. Flags, UIDs and modification sequences, which servers also
/// send unasked, are dropped if they are not among them.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'i> {
    pub items: Option<&'i FetchItems>,
    pub by_uid: bool,
}

impl Wanted<'_> {
    fn wants(self, name: &str) -> bool {
        self.items.is_none_or(|items| items.want(name, self.by_uid))
    }

    /// Adds an item under the names by which it was asked for.
    fn push(self, into: &mut Vec<Value>, name: &str, value: Value) {
        let Some(items) = self.items else {
            into.extend([host::shared_string(name), value]);
            return;
        };
        for name in items.names_for(name) {
            into.extend([host::shared_string(name), value.clone()]);
        }
    }
}

/// Returns a FETCH response as `(number ("NAME" value …))`; `None` if it has nothing that was asked
/// for.
pub(super) fn fetched(
    mut data: Data<'_>,
    texts: Texts,
    wanted: Wanted<'_>,
    limits: &Limits,
) -> Result<Option<Value>, Error> {
    let tokens = &mut data.tokens;
    let (mut items, mut count) = (Vec::new(), 0);
    tokens.expect_open()?;
    loop {
        match tokens.expect_token()? {
            Token::Close => break tokens.expect_end()?,
            Token::Atom(name) => {
                let name = item_name(name);
                let first = tokens.expect_token()?;
                if wanted.wants(&name) {
                    let is_text = matches!(&*name, "INTERNALDATE" | "SAVEDATE");
                    let texts = if is_text { Texts::Strings } else { texts };
                    let found = match &*name {
                        "EMAILID" | "THREADID" => {
                            count += 1;
                            limits.check("values", count as u64)?;
                            identifier(tokens, first)?
                        }
                        _ => None,
                    };
                    let shape = Shape::of(&name);
                    let value = match found {
                        Some(found) => found,
                        None => value(tokens, first, texts, shape, limits, &mut count)?,
                    };
                    wanted.push(&mut items, &name, value);
                } else {
                    tokens.skip_value(first)?;
                }
            }
            _ => return Err(tokens.malformed("expected a fetch item's name").into()),
        }
    }
    let number = i64::from(data.number.unwrap_or_default());
    Ok((!items.is_empty()).then(|| host::list(vec![host::integer(number), host::list(items)])))
}

fn item_name(name: &[u8]) -> Cow<'_, str> {
    match String::from_utf8_lossy(name) {
        name if name.chars().any(char::is_lowercase) => name.to_uppercase().into(),
        name => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_byte_of_a_text_is_lost() {
        let table: &[(&[u8], &str)] = &[
            (b"a\r\nb\r\n", "a\nb\n"),
            (b"a\rb\n", "a\rb\n"),
            (b"\r\r\n", "\r\n"),
            ("é".as_bytes(), "é"),
            (b"\xe9\r\n\xff", "é\nÿ"),
            (b"", ""),
        ];
        for (bytes, expected) in table {
            assert_eq!(text(bytes), *expected, "{}", bytes.escape_ascii());
        }
    }

    /// Bytes that are read in chunks of one size.
    #[derive(Debug)]
    struct InChunks<'b>(&'b [u8], usize);

    impl Store for InChunks<'_> {
        fn size(&self) -> u64 {
            self.0.len() as u64
        }

        fn reader(&self) -> std::io::Result<Box<dyn std::io::Read + '_>> {
            Ok(Box::new(InChunks(self.0, self.1)))
        }
    }

    impl std::io::Read for InChunks<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let size = self.1.min(buffer.len());
            std::io::Read::read(&mut self.0, &mut buffer[..size])
        }
    }

    #[test]
    fn text_that_is_not_in_memory_is_the_same_text() {
        for letter in [
            &b""[..],
            b"a\r\nb\r\n",
            b"\r\r\n\n\r\r",
            "gr\u{fc}n \u{20ac}\r\n\u{1f4ee}".as_bytes(),
            b"gr\xfcn\r\n\xff",
            b"\xe2\x82\r\n\xac",
        ] {
            for size in 1..=letter.len().max(1) {
                let found = text_of(&InChunks(letter, size)).unwrap();
                assert_eq!(found, text(letter), "{} by {size}", letter.escape_ascii());
                let raw = read(&InChunks(letter, size)).unwrap();
                assert_eq!(raw, letter);
            }
        }
    }

    #[test]
    fn a_list_that_comes_again_is_the_same_value() {
        for (data, shown) in [
            ("((a b) (a b) (a b) (a))", "((\"a\" \"b\") (\"a\" \"b\") (\"a\" \"b\") (\"a\"))"),
            ("(((\"x\" 1)) ((\"x\" 1)) ((\"x\" 1) 2))", "(((\"x\" 1)) ((\"x\" 1)) ((\"x\" 1) 2))"),
            ("(() () NIL)", "(nil nil nil)"),
            ("((a)(a) (a)b)", "((\"a\") (\"a\") (\"a\") \"b\")"),
            ("(({1}\r\nx) ({1}\r\nx) ({1}\r\ny))", "((\"x\") (\"x\") (\"y\"))"),
        ] {
            let mut frame = crate::proto::imap::frame::Frame::new(Limits::default());
            frame.push(format!("* X {data}\r\n").as_bytes());
            frame.advance().unwrap();
            let mut tokens = Tokens::new(frame.response(), 4, 9);
            let (first, mut count) = (tokens.expect_token().unwrap(), 0);
            let made = value(
                &mut tokens,
                first,
                Texts::Strings,
                Shape::Any,
                &Limits::default(),
                &mut count,
            )
            .unwrap();
            assert_eq!(crate::lisp::printer::readably(&host::to_datum(&made)), shown, "{data}");
            assert_eq!(tokens.next_token().unwrap(), None, "{data}");
        }
    }

    fn structure(data: &str) -> Result<Value, Error> {
        let mut frame = crate::proto::imap::frame::Frame::new(Limits::default());
        frame.push(format!("* X {data}\r\n").as_bytes());
        frame.advance().unwrap();
        let mut tokens = Tokens::new(frame.response(), 4, 99);
        let first = tokens.expect_token().unwrap();
        value(&mut tokens, first, Texts::Strings, Shape::Structure, &Limits::default(), &mut 0)
    }

    #[test]
    fn structures_of_any_letter_fit() {
        let text = r#"("TEXT" "PLAIN" ("CHARSET" "UTF-8") NIL NIL "7BIT" 9 1)"#;
        // One sender makes an odd list where another structure has pairs.
        let envelope = r#"("date" "subject" (("Joe" NIL "joe" "example.org")) NIL NIL NIL NIL NIL NIL "<1@x>")"#;
        let forwarded =
            format!(r#"("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 99 {envelope} {text} 9)"#);
        for data in [text.to_owned(), forwarded.clone(), format!(r#"({text}{forwarded} "MIXED")"#)]
        {
            assert!(structure(&data).is_ok(), "{data}");
        }
        let odd = r#"("TEXT" "PLAIN" ("CHARSET" "UTF-8" "x") NIL NIL "7BIT" 9 1)"#;
        assert!(structure(odd).is_err());
    }

    #[test]
    fn structures_are_checked_in_linear_time() {
        let data = format!("({}\"MIXED\")", "(1)(2)".repeat(70_000));
        assert!(structure(&data).is_ok());
    }

    #[test]
    fn a_list_that_comes_again_counts_like_one_that_is_read() {
        let limits = Limits { values: 100, ..Limits::default() };
        for (times, fits) in [(24, true), (25, false)] {
            let mut frame = crate::proto::imap::frame::Frame::new(Limits::default());
            frame.push(format!("* X ({})\r\n", ["(a b)"; 25][..times].join(" ")).as_bytes());
            frame.advance().unwrap();
            let mut tokens = Tokens::new(frame.response(), 4, 9);
            let (first, mut count) = (tokens.expect_token().unwrap(), 0);
            let made = value(&mut tokens, first, Texts::Strings, Shape::Any, &limits, &mut count);
            assert_eq!(made.is_ok(), fits, "{times}");
        }
    }
}
