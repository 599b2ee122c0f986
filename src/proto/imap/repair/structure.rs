//! Body structures, and the values of other items: lists of strings and numbers.

use super::Source;
use super::strings::{Next, opens_with};
use super::writer::Writer;

impl Source<'_> {
    /// Reads the structure of a part, whose strings may have quotes.
    pub(super) fn structure(&mut self, out: &mut Writer, depth: usize) -> Option<()> {
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

    pub(super) fn value(&mut self, out: &mut Writer, depth: usize) -> Option<()> {
        self.skip_spaces();
        if depth < self.deepest() && self.takes(b'(') {
            out.open();
            return self.values(out, depth + 1);
        }
        self.text(Next::Value, out)
    }
}
