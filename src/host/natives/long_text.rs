//! Finds characters in strings by their number.
//!
//! Strings are UTF-8, so a search for a character in the middle would scan the string. A long
//! string gets an index of where its characters begin. The indexes of the last strings in use are
//! kept.

use std::cell::RefCell;

use steel::rvals::SteelString;

/// The length in bytes of a string that gets an index.
const LONG: usize = 1_000;

/// Of longer strings, only one is kept.
const VERY_LONG: usize = 1 << 20;

/// How many characters lie between two marks of an index.
const STEP: usize = 256;

/// Where the characters of a long string begin.
struct Index {
    /// The string. It is kept alive, so no other can be at its address.
    text: SteelString,
    /// The number of characters.
    length: usize,
    /// The byte at which each [`STEP`]th character begins; empty if the string is ASCII.
    marks: Vec<usize>,
}

thread_local! {
    /// The newest index first.
    static LAST: RefCell<[Option<Index>; 2]> = const { RefCell::new([None, None]) };
}

impl Index {
    fn new(text: &SteelString) -> Index {
        if text.is_ascii() {
            return Index { text: text.clone(), length: text.len(), marks: Vec::new() };
        }
        let mut length = 0;
        let mut marks = Vec::new();
        for (offset, _) in text.char_indices() {
            if length % STEP == 0 {
                marks.push(offset);
            }
            length += 1;
        }
        Index { text: text.clone(), length, marks }
    }

    fn is_of(&self, text: &SteelString) -> bool {
        self.text.as_ptr() == text.as_ptr() && self.text.len() == text.len()
    }

    fn offset(&self, index: usize) -> Option<usize> {
        if index >= self.length {
            return (index == self.length).then_some(self.text.len());
        }
        let Some(mark) = self.marks.get(index / STEP) else { return Some(index) };
        let (offset, _) = self.text[*mark..].char_indices().nth(index % STEP)?;
        Some(mark + offset)
    }
}

/// Calls `read` with the index of a long string.
fn with_index<T>(text: &SteelString, read: impl FnOnce(&Index) -> T) -> T {
    LAST.with_borrow_mut(|last| {
        if !last[0].as_ref().is_some_and(|index| index.is_of(text)) {
            last.swap(0, 1);
        }
        match &last[0] {
            Some(index) if index.is_of(text) => read(index),
            _ => {
                if text.len() > VERY_LONG {
                    last[1] = None;
                }
                read(last[0].insert(Index::new(text)))
            }
        }
    })
}

/// Returns the number of characters.
pub(super) fn length_of(text: &SteelString) -> usize {
    if text.len() < LONG { text.chars().count() } else { with_index(text, |index| index.length) }
}

/// Returns the byte at which a character begins; the end for an index one past the last.
pub(super) fn offset_of(text: &SteelString, index: usize) -> Option<usize> {
    if text.len() >= LONG {
        return with_index(text, |known| known.offset(index));
    }
    if text.is_ascii() {
        return (index <= text.len()).then_some(index);
    }
    text.char_indices().map(|(offset, _)| offset).chain([text.len()]).nth(index)
}

/// Returns the character at an index; `None` if it is past the last.
pub(super) fn character_at(text: &SteelString, index: usize) -> Option<char> {
    text.get(offset_of(text, index)?..)?.chars().next()
}

/// Returns the characters from `start` up to `end`; `None` if they are outside of the text.
pub(super) fn slice(text: &SteelString, start: usize, end: Option<usize>) -> Option<&str> {
    if start == 0 && end.is_none() {
        return Some(text);
    }
    let from = offset_of(text, start)?;
    let to = end.map_or(Some(text.len()), |end| offset_of(text, end))?;
    text.get(from..to)
}
