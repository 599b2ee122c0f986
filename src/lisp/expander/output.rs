//! What the expander emits: text, and which part of it stands for which part of the script.

use crate::lisp::node::Span;

/// Emitted text with its map.
#[derive(Debug, Default)]
pub struct Output {
    /// The text.
    pub text: String,
    /// Ranges of `text` and the forms of the script they stand for; inner ranges come before outer ones.
    pub places: Vec<Place>,
}

/// A range of emitted text and the script's form it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Where the emitted form starts.
    pub start: usize,
    /// The byte after it.
    pub end: usize,
    /// The form of the script.
    pub span: Span,
}

impl Output {
    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub(super) fn append(&mut self, other: Output) {
        let offset = self.text.len();
        self.text.push_str(&other.text);
        self.places.extend(other.places.into_iter().map(|place| Place { start: place.start + offset, end: place.end + offset, ..place }));
    }

    pub(super) fn mark(&mut self, start: usize, span: Span) {
        self.places.push(Place { start, end: self.text.len(), span });
    }

    /// A string literal.
    pub(super) fn string(&mut self, text: &str) {
        self.text.push('"');
        for character in text.chars() {
            if matches!(character, '"' | '\\') {
                self.text.push('\\');
            }
            self.text.push(character);
        }
        self.text.push('"');
    }
}

/// The script's form that the emitted text at `offset` stands for: the innermost one.
pub fn locate(places: &[Place], offset: usize) -> Option<Span> {
    let around = places.iter().filter(|place| place.start <= offset && offset < place.end);
    around.min_by_key(|place| place.end - place.start).map(|place| place.span)
}
