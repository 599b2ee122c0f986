//! Envelopes: ten fields of fixed kinds, or those of them that are certain.

use super::super::tokens::Token;
use super::Fault;
use super::Source;
use super::strings::{Next, starts_with_nil};
use super::writer::Writer;
use std::ops::Range;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    List,
    Nil,
}

impl Source<'_> {
    pub(super) fn envelope_item(&mut self, out: &mut Writer) -> Result<(), Fault> {
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

    /// Reads an envelope with ten fields of their kinds.
    pub(super) fn envelope(&mut self, out: &mut Writer) -> Option<()> {
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
}
