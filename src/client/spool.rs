//! Letters that are too large for memory. While such a letter comes, it goes to a file that has no
//! name: only its owner can read it (it is private and belongs to no folder), and the system removes
//! it with the last handle, however the program ends.
//!
//! The client collects a letter in a [`Spool`], which becomes its [`Content`]. Whoever wants the
//! bytes reads them from there into the one string or bytevector, or passes them on in pieces.
//!
//! IMAP announces the size of a letter, so those above [`LARGE`] go to a file from the first byte
//! on. POP does not always, so a letter goes to a file when there is more than that of it; so much may
//! be held a second time later.

use super::error::Error;
use crate::proto::imap::{Kept, Store};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::sync::{Mutex, PoisonError};
use tempfile::{SpooledData, SpooledTempFile};

/// Up to this many bytes of a letter stay in memory.
pub(super) const LARGE: u64 = 1 << 20;
const ROOM: usize = LARGE as usize;

/// The bytes that are read at a time.
const CHUNK: usize = 64 << 10;

/// How messages name the place of the files.
pub(crate) const PLACE: &str = "the folder for temporary files";

/// The error for a temporary file that cannot be written or read.
pub(crate) fn cannot_spool(cause: io::Error) -> Error {
    Error::File { path: PLACE.to_owned(), cause }
}

/// A letter that is coming.
#[derive(Debug)]
pub(super) struct Spool {
    bytes: BufWriter<SpooledTempFile>,
    size: u64,
}

impl Default for Spool {
    fn default() -> Self {
        Spool::with_room(ROOM)
    }
}

impl Spool {
    /// A letter of this size; one that is large goes to a file from its first byte on.
    pub fn of(size: Option<u64>) -> Self {
        let is_large = size.is_some_and(|size| size > LARGE);
        Spool::with_room(if is_large { 0 } else { ROOM })
    }

    /// A letter of which this many bytes may be in memory.
    fn with_room(room: usize) -> Self {
        Spool { bytes: BufWriter::new(SpooledTempFile::new(room)), size: 0 }
    }

    /// How many bytes have come.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// Those of the system for the file, for example that the disk is full.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.size += bytes.len() as u64;
        self.bytes.write_all(bytes)
    }

    /// Ends the letter.
    ///
    /// # Errors
    /// As [`Spool::write`].
    pub fn finish(self) -> io::Result<Content> {
        let bytes = self.bytes.into_inner().map_err(io::IntoInnerError::into_error)?;
        if bytes.is_rolled() {
            return Ok(Content(At::File(Mutex::new(bytes), self.size)));
        }
        Ok(Content(At::Memory(match bytes.into_inner() {
            SpooledData::InMemory(bytes) => bytes.into_inner(),
            SpooledData::OnDisk(_) => Vec::new(), // only if it is rolled
        })))
    }
}

/// The bytes of a letter, in memory or in a file without a name.
#[derive(Debug)]
pub struct Content(At);

#[derive(Debug)]
enum At {
    Memory(Vec<u8>),
    /// The file and its size.
    File(Mutex<SpooledTempFile>, u64),
}

impl Content {
    /// Returns the bytes.
    ///
    /// # Errors
    /// [`Error::File`] if they cannot be read back.
    pub fn into_bytes(self) -> Result<Vec<u8>, Error> {
        match self.0 {
            At::Memory(bytes) => Ok(bytes),
            At::File(..) => read(&self),
        }
    }

    /// Returns the bytes if they are in memory.
    pub fn in_memory(&self) -> Option<&[u8]> {
        match &self.0 {
            At::Memory(bytes) => Some(bytes),
            At::File(..) => None,
        }
    }
}

impl Store for Content {
    fn size(&self) -> u64 {
        match &self.0 {
            At::Memory(bytes) => bytes.len() as u64,
            At::File(_, size) => *size,
        }
    }

    fn reader(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(match &self.0 {
            At::Memory(bytes) => Box::new(&bytes[..]),
            At::File(file, size) => Box::new(Reading { file, at: 0, size: *size }),
        })
    }
}

/// Reads a file from its beginning, whoever else reads it.
struct Reading<'f> {
    file: &'f Mutex<SpooledTempFile>,
    at: u64,
    size: u64,
}

impl Read for Reading<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.size {
            return Ok(0);
        }
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.at))?;
        let count = file.read(buffer)?;
        if count == 0 && !buffer.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += count as u64;
        Ok(count)
    }
}

/// Reads all bytes of a letter.
///
/// # Errors
/// [`Error::File`] if they could not be stored, or cannot be read back.
pub fn read(store: &dyn Store) -> Result<Vec<u8>, Error> {
    let size = usize::try_from(store.size()).unwrap_or(usize::MAX);
    let mut bytes = Vec::new();
    let whole = store.reader().and_then(|mut reader| {
        bytes.reserve_exact(size);
        reader.read_to_end(&mut bytes)
    });
    whole.map_err(cannot_spool)?;
    Ok(bytes)
}

/// Passes on all bytes of a letter. Returns how many there are.
///
/// # Errors
/// As [`read`], and those of `to`.
pub fn for_each_chunk(
    store: &dyn Store,
    to: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
) -> Result<u64, Error> {
    let mut reader = store.reader().map_err(cannot_spool)?;
    let mut buffer = vec![0; CHUNK];
    let mut passed = 0;
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(passed),
            Ok(count) => {
                to(&buffer[..count])?;
                passed += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(cannot_spool(error)),
        }
    }
}

/// A letter that could not be stored.
#[derive(Debug)]
struct Lost(io::ErrorKind, String);

impl Store for Lost {
    fn size(&self) -> u64 {
        0
    }

    fn reader(&self) -> io::Result<Box<dyn Read + '_>> {
        Err(io::Error::new(self.0, self.1.as_str()))
    }
}

/// The literal that is coming and shall be kept for its response. An error of its file is the error
/// of those who want its bytes; for all others the response is as good as any.
#[derive(Debug, Default)]
pub(super) struct Keeping(Option<io::Result<Spool>>);

impl Keeping {
    /// Takes the next piece. Returns the handle for the response after the last one.
    pub fn take(&mut self, piece: &[u8], is_last: bool) -> Option<Kept> {
        let spool = self.0.take().unwrap_or_else(|| Ok(Spool::of(Some(LARGE))));
        let spool = spool.and_then(|mut spool| spool.write(piece).map(|()| spool));
        if !is_last {
            self.0 = Some(spool);
            return None;
        }
        Some(match spool.and_then(Spool::finish) {
            Ok(content) => Kept::new(content),
            Err(cause) => Kept::new(Lost(cause.kind(), cause.to_string())),
        })
    }

    /// Drops what has come.
    pub fn forget(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_the_same_in_memory_and_in_a_file() {
        let letter: Vec<u8> = (0..50_000u32).map(|number| number as u8).collect();
        for room in [0, 1, 10_000, letter.len() - 1, letter.len()] {
            for piece in [1_000, 7_777, letter.len()] {
                let mut spool = Spool::with_room(room);
                letter.chunks(piece).for_each(|piece| spool.write(piece).unwrap());
                assert_eq!(spool.size(), letter.len() as u64);
                let content = spool.finish().unwrap();
                assert_eq!(content.in_memory().is_some(), room == letter.len());
                assert_eq!(content.size(), letter.len() as u64);
                assert!(read(&content).unwrap() == letter && read(&content).unwrap() == letter);
                assert!(content.into_bytes().unwrap() == letter);
            }
        }
        assert_eq!(Spool::default().finish().unwrap().into_bytes().unwrap(), b"");
    }

    #[test]
    fn two_read_one_file_at_a_time() {
        let mut spool = Spool::of(Some(LARGE));
        spool.write(b"one letter").unwrap();
        let content = spool.finish().unwrap();
        let (mut first, mut second) = (content.reader().unwrap(), content.reader().unwrap());
        let read = |reader: &mut Box<dyn Read + '_>, count: usize| {
            let mut bytes = vec![0; count];
            reader.read_exact(&mut bytes).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(read(&mut first, 4), "one ");
        assert_eq!(read(&mut second, 10), "one letter");
        assert_eq!(read(&mut first, 6), "letter");
        assert_eq!(first.read(&mut [0]).unwrap() + second.read(&mut [0]).unwrap(), 0);
    }
}
