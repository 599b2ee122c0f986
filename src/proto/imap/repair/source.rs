//! The response as it is read: a place in it, and what the tokenizer makes of what follows.

use super::super::frame::{LiteralSpan, Raw};
use super::super::tokens::Tokens;
use super::Source;
use super::writer::Writer;
use std::ops::Range;

/// How deep the parts of a message may be nested in a repaired structure.
const DEPTH: usize = 64;

impl<'a> Source<'a> {
    pub(super) fn new(raw: Raw<'a>, at: usize, max_depth: usize) -> Self {
        let last = raw.bytes.iter().rposition(|byte| !matches!(byte, b' ' | b')'));
        Source { raw, at, max_depth, tail: last.map_or(0, |last| last + 1), escapes: true }
    }

    /// How deep lists may be nested within an item's value: the list of items is around it.
    pub(super) fn deepest(&self) -> usize {
        DEPTH.min(self.max_depth.saturating_sub(2))
    }

    /// The literals from this offset on.
    pub(super) fn literals_from(&self, at: usize) -> &'a [LiteralSpan] {
        let first = self.raw.literals.partition_point(|literal| literal.start < at);
        &self.raw.literals[first..]
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.raw.bytes.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.rest().first().copied()
    }

    pub(super) fn skip_spaces(&mut self) {
        self.at += self.rest().iter().take_while(|byte| **byte == b' ').count();
    }

    pub(super) fn takes(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// The tokens from `at` on.
    pub(super) fn tokens(&self, at: usize) -> Tokens<'a> {
        let raw = Raw {
            bytes: self.raw.bytes,
            literals: self.literals_from(at + 1),
            kept: self.raw.kept,
        };
        Tokens::new(raw, at, self.max_depth).without_sections()
    }

    /// The literal whose `{n}` is here.
    pub(super) fn literal(&self) -> Option<LiteralSpan> {
        let is_literal = matches!(self.peek(), Some(b'{' | b'~'));
        let first = self.literals_from(self.at + 1).first().filter(|_| is_literal)?;
        let mut tokens = self.tokens(self.at);
        (tokens.next_token().is_ok() && tokens.offset() == first.start + first.length)
            .then_some(*first)
    }

    /// Copies bytes and the literals in them.
    pub(super) fn copy(&self, range: Range<usize>, out: &mut Writer) {
        let shift = |at: usize| out.bytes.len() + at - range.start;
        let inside = self.literals_from(range.start);
        let inside = inside.iter().take_while(|literal| literal.start <= range.end);
        let moved = inside.map(|one| LiteralSpan { start: shift(one.start), ..*one });
        let moved: Vec<LiteralSpan> = moved.collect();
        out.literals.extend(moved);
        out.text(&self.raw.bytes[range]);
    }

    /// The end of a value that the tokenizer reads.
    pub(super) fn strict_value(&self, at: usize) -> Option<usize> {
        let mut tokens = self.tokens(at);
        let first = tokens.next_token().ok()??;
        tokens.skip_value(first).ok()?;
        let end = tokens.offset();
        matches!(self.raw.bytes.get(end), None | Some(b' ' | b')')).then_some(end)
    }

    pub(super) fn is_at_item_end(&self) -> bool {
        matches!(self.peek(), None | Some(b' ' | b')'))
    }
}
