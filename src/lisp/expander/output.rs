//! The output of the expander: text, and a map from its parts to places in the script.
//!
//! [`Output`] keeps the map right while texts are joined, wrapped and cut. It also carries the cost
//! of nested conditionals, so that [`conditional`] can order branches cheaply for the interpreter's
//! compiler. [`locate`] answers for a position of an error in the emitted text which form of the
//! script it belongs to.

use crate::lisp::node::Span;

/// Emitted text with its map.
#[derive(Debug, Default)]
pub struct Output {
    /// The text.
    pub text: String,
    /// Ranges of `text` and the forms of the script that they come from; inner ranges come before
    /// outer ones.
    pub places: Vec<Place>,
    /// How often nested conditionals double the compiler's work on this text: see [`conditional`].
    doublings: u32,
}

/// A range of emitted text and the form of the script that it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The first byte of the emitted form.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
    /// The form of the script.
    pub span: Span,
}

impl Output {
    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub(super) fn from(text: &str) -> Output {
        Output { text: text.to_owned(), ..Output::default() }
    }

    pub(super) fn append(&mut self, other: Output) {
        let offset = self.text.len();
        self.doublings = self.doublings.max(other.doublings);
        self.text.push_str(&other.text);
        self.places.extend(other.places.into_iter().map(|place| Place {
            start: place.start + offset,
            end: place.end + offset,
            ..place
        }));
    }

    pub(super) fn mark(&mut self, start: usize, span: Span) {
        self.places.push(Place { start, end: self.text.len(), span });
    }

    /// Puts `before` and `after` around the text.
    pub(super) fn wrap(&mut self, before: &str, after: &str) {
        self.text.insert_str(0, before);
        self.text.push_str(after);
        for place in &mut self.places {
            (place.start, place.end) = (place.start + before.len(), place.end + before.len());
        }
    }

    /// Appends a string literal.
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

/// The start of a test of a value that may be the empty list. `FALSE` is its negation and has the
/// same length, so that one can replace the other without moving places.
pub(super) const TRUE: &str = "(s/%true? ";
const FALSE: &str = "(s/%nil?  ";
const NOT: &str = "(#%prim.not ";

/// Emits `(if test then otherwise)`.
///
/// One pass of the interpreter's compiler visits the first branch twice and the second not at all:
/// conditionals nested in first branches cost it exponential time. So the branch with the deeper
/// nesting of that kind becomes the second one, and the test is negated.
pub(super) fn conditional(test: Output, then: Output, otherwise: Output) -> Output {
    if test.text.starts_with(NOT) {
        // The compiler's pass swaps the branches of such a test itself.
        return conditional(test.stripped(NOT.len()), otherwise, then);
    }
    let swapped = then.doublings >= 2 && then.doublings > otherwise.doublings;
    let (test, first, second) =
        if swapped { (test.contrary(), otherwise, then) } else { (test, then, otherwise) };
    let doublings = (first.doublings + 1).max(test.doublings);
    let mut output = Output::default();
    output.push("(if ");
    output.append(test);
    output.push(" ");
    output.append(first);
    output.push(" ");
    output.append(second);
    output.push(")");
    output.doublings = doublings;
    output
}

/// A change of emitted text: text that is inserted at a place, or bytes that are removed there.
pub(super) struct Edit {
    at: usize,
    cut: usize,
    text: String,
    /// Whether it ends what an earlier edit began.
    closes: bool,
}

impl Edit {
    /// Inserts before the form that starts at `at`.
    pub fn open(at: usize, text: String) -> Edit {
        Edit { at, cut: 0, text, closes: false }
    }

    /// Inserts after the form that ends at `at`.
    pub fn close(at: usize, text: String) -> Edit {
        Edit { at, cut: 0, text, closes: true }
    }

    /// Removes the text from `start` to `end`.
    pub fn cut(start: usize, end: usize) -> Edit {
        Edit { at: start, cut: end - start, text: String::new(), closes: false }
    }
}

impl Output {
    /// Makes all edits. Of two at the same place, the first is the outer one.
    pub(super) fn edit(&mut self, edits: Vec<Edit>) {
        let mut edits: Vec<(usize, Edit)> = edits.into_iter().enumerate().collect();
        edits.sort_by_key(|(order, edit)| {
            (edit.at, !edit.closes, if edit.closes { usize::MAX - order } else { *order })
        });
        let mut text = String::with_capacity(self.text.len() * 2);
        let mut copied = 0;
        // How far the text after each edit has moved.
        let mut moves = Vec::with_capacity(edits.len());
        for (_, edit) in &edits {
            text.push_str(&self.text[copied..edit.at]);
            text.push_str(&edit.text);
            copied = edit.at + edit.cut;
            moves.push(text.len() as isize - copied as isize);
        }
        text.push_str(&self.text[copied..]);
        self.text = text;
        let moved = |offset: usize| match edits.partition_point(|(_, edit)| edit.at < offset) {
            0 => offset,
            count => {
                let edit = &edits[count - 1].1;
                let kept = offset.max(edit.at + edit.cut);
                (kept as isize + moves[count - 1]) as usize
            }
        };
        for place in &mut self.places {
            (place.start, place.end) = (moved(place.start), moved(place.end));
        }
    }

    /// Wraps in `s/%single` every variable and constant that the value of this text can come from.
    /// Such a value is a single value, even if a call before it returned several.
    pub(super) fn single_values(&mut self) {
        const OPEN: &str = "(s/%single ";
        let mut atoms = Vec::new();
        value_atoms(self.text.as_bytes(), 0, &mut atoms);
        let mut text = String::with_capacity(self.text.len() + atoms.len() * (OPEN.len() + 1));
        let mut copied = 0;
        for (start, end) in &atoms {
            text.push_str(&self.text[copied..*start]);
            text.push_str(OPEN);
            text.push_str(&self.text[*start..*end]);
            text.push(')');
            copied = *end;
        }
        text.push_str(&self.text[copied..]);
        self.text = text;
        let moved = |offset: usize| {
            let opened = atoms.partition_point(|(start, _)| *start < offset);
            let closed = atoms.partition_point(|(_, end)| *end < offset);
            offset + opened * OPEN.len() + closed
        };
        for place in &mut self.places {
            (place.start, place.end) = (moved(place.start), moved(place.end));
        }
    }

    /// Returns how deep parentheses nest, outside of strings.
    pub(super) fn depth(&self) -> usize {
        let (mut depth, mut deepest, mut quoted, mut escaped) = (0usize, 0, false, false);
        for byte in self.text.bytes() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => quoted = !quoted,
                b'(' if !quoted => depth += 1,
                b')' if !quoted => depth = depth.saturating_sub(1),
                _ => {}
            }
            deepest = deepest.max(depth);
        }
        deepest
    }

    /// Removes the first `start` bytes and the closing parenthesis at the end.
    fn stripped(mut self, start: usize) -> Output {
        self.text.pop();
        self.text.drain(..start);
        for place in &mut self.places {
            (place.start, place.end) = (
                place.start.saturating_sub(start),
                place.end.saturating_sub(start).min(self.text.len()),
            );
        }
        self
    }

    fn contrary(mut self) -> Output {
        if self.text.starts_with(TRUE) {
            self.text.replace_range(..TRUE.len(), FALSE);
            return self;
        }
        let mut output = Output::default();
        output.push(FALSE);
        output.append(self);
        output.push(")");
        output
    }
}

/// Returns the byte after the form at `start`.
fn form_end(text: &[u8], start: usize) -> usize {
    let (mut at, mut depth, mut quoted) = (start, 0usize, false);
    while let Some(byte) = text.get(at) {
        match byte {
            b'\\' if quoted => at += 1,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'(' => depth += 1,
            b')' | b' ' | b'\n' if depth == 0 => return at,
            b')' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 && !quoted && matches!(byte, b')' | b'"') {
            return at;
        }
    }
    at
}

/// Returns where the forms of the list at `start` begin, including its head.
fn parts(text: &[u8], start: usize) -> Vec<usize> {
    let (mut at, mut parts) = (start + 1, Vec::new());
    while at < text.len() && text[at] != b')' {
        if matches!(text[at], b' ' | b'\n') {
            at += 1;
            continue;
        }
        parts.push(at);
        at = form_end(text, at).max(at + 1);
    }
    parts
}

/// Collects the ranges of the variables and constants that the value of the form at `start` can
/// come from, in order.
fn value_atoms(text: &[u8], start: usize, atoms: &mut Vec<(usize, usize)>) {
    let form = &text[start..];
    if !form.starts_with(b"(") {
        if !form.is_empty() {
            atoms.push((start, form_end(text, start)));
        }
        return;
    }
    let branches = if form.starts_with(b"(begin ") || form.starts_with(b"(let ") {
        1
    } else if form.starts_with(b"(if ") {
        2
    } else {
        // A body with definitions is emitted as ((lambda () … value)).
        if form.starts_with(b"((lambda () ")
            && let Some(last) = parts(text, start + 1).last()
            && parts(text, start).len() == 1
        {
            value_atoms(text, *last, atoms);
        }
        return;
    };
    let parts = parts(text, start);
    for branch in &parts[parts.len().saturating_sub(branches)..] {
        value_atoms(text, *branch, atoms);
    }
}

/// Returns the innermost form of the script that the emitted text at `offset` comes from.
pub fn locate(places: &[Place], offset: usize) -> Option<Span> {
    let around = places.iter().filter(|place| place.start <= offset && offset < place.end);
    around.min_by_key(|place| place.end - place.start).map(|place| place.span)
}
