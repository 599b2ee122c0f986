//! Checks that [`Extractor`], which reads a letter in pieces, finds the same attachments as
//! [`Letter`], which has the whole letter.

use postoffice::mime::{Extractor, Files, Letter};
use std::collections::BTreeMap;
use std::io;

/// A file's name, content type and bytes.
pub type Found = (Option<String>, String, Vec<u8>);

#[derive(Default)]
struct Kept {
    coming: BTreeMap<usize, Found>,
    whole: BTreeMap<usize, Found>,
}

impl Files for Kept {
    fn begin(&mut self, number: usize, name: Option<&str>, content_type: &str) -> io::Result<()> {
        assert!(
            self.coming
                .insert(number, (name.map(str::to_owned), content_type.to_owned(), Vec::new()))
                .is_none()
        );
        assert!(self.coming.len() <= 2, "files that are open");
        Ok(())
    }

    fn write(&mut self, number: usize, bytes: &[u8]) -> io::Result<()> {
        self.coming.get_mut(&number).unwrap().2.extend_from_slice(bytes);
        Ok(())
    }

    fn end(&mut self, number: usize) -> io::Result<()> {
        let file = self.coming.remove(&number).unwrap();
        assert!(self.whole.insert(number, file).is_none());
        Ok(())
    }

    fn discard(&mut self, number: usize) {
        assert!(self.coming.remove(&number).is_some() || self.whole.remove(&number).is_some());
    }
}

/// Returns the files that `Extractor` finds in a letter that arrives in these pieces.
pub fn extracted<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Found> {
    let mut extractor = Extractor::new(Kept::default());
    pieces.into_iter().for_each(|piece| extractor.push(piece).unwrap());
    let kept = extractor.finish().unwrap();
    assert!(kept.coming.is_empty(), "a file that neither ends nor is discarded");
    kept.whole.into_values().collect()
}

/// Returns the attachments of the whole letter.
pub fn expected(letter: &[u8]) -> Vec<Found> {
    let letter = Letter::parse(letter);
    let found = letter.attachments();
    found
        .iter()
        .map(|one| (one.file_name(), one.content_type().to_owned(), one.bytes().into_owned()))
        .collect()
}

/// Returns the letter's files.
///
/// # Panics
/// If pieces of one of these sizes give other files than the whole letter.
#[track_caller]
pub fn assert_agrees(letter: &[u8], sizes: &[usize]) -> Vec<Found> {
    let expected = expected(letter);
    for size in sizes {
        let found = extracted(letter.chunks(*size));
        assert!(
            found == expected,
            "in pieces of {size}: {found:?}\ninstead of {expected:?}\nin {}",
            letter.escape_ascii()
        );
    }
    expected
}
