//! `gunzip` and `unzip`: what reports and invoices come packed in (RFC 1952; ZIP's APPNOTE).
//!
//! Archives come from strangers, so nothing in them is believed. What is unpacked counts against a
//! limit while it is unpacked, whatever sizes the archive states, and checksums are verified.
//! `unzip` reads the table at the end of the archive, as other programs do, and the two methods
//! that mail has: stored and deflated. Neither writes a file.

use super::Answer;
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Function, Type, Value};
use flate2::Crc;
use flate2::bufread::{DeflateDecoder, GzDecoder};
use std::io::Read;

/// The rows of the topic "Archives".
pub(super) const FUNCTIONS: &[Function] = &[
    Function::native(
        "gunzip",
        "(bytes &key limit)",
        gunzip,
        "Unpacks gzip data (RFC 1952). Returns a bytevector; of several packed files one after the other, their contents joined.
bytes: a bytevector, as attachment-bytes returns it. :limit  the most bytes to unpack, an integer, 67108864. Errors: :syntax-error for what is no gzip data, or is damaged; :response-too-large.",
    ).typed(&[("limit", Type::Integer(1, MOST_LIMIT))]).checked(),
    Function::native(
        "unzip",
        "(bytes &key limit count)",
        unzip,
        "Unpacks a ZIP archive. Returns the list ((name . bytevector) …) in the archive's order, without folders. Names are as the archive has them: do not use one as a path before it is made safe.
bytes: a bytevector, as attachment-bytes returns it. :limit  the most bytes to unpack in all, an integer, 67108864. :count  the most files, an integer, 1000.
Errors: :syntax-error for what is no ZIP archive, or is damaged; :unsupported when it is encrypted or packed in a way that is neither stored nor deflated; :response-too-large.",
    ).typed(&[("limit", Type::Integer(1, MOST_LIMIT)), ("count", Type::Integer(0, 65_535))]).checked(),
];

const LIMIT: u64 = 64 << 20;
const MOST_LIMIT: i64 = 1 << 32;
const COUNT: usize = 1000;

fn packed(call: &Call<'_>) -> Result<Vec<u8>, Condition> {
    call.typed(0, "a bytevector, as attachment-bytes returns it", host::as_bytes)
}

fn limit(call: &Call<'_>) -> Result<u64, Condition> {
    let limit = call.typed_key("limit", "an integer, more than 0", host::as_integer)?;
    Ok(limit.and_then(|limit| u64::try_from(limit).ok()).unwrap_or(LIMIT))
}

/// Why something was not unpacked.
#[derive(Debug, PartialEq, Eq)]
enum Failure {
    Damaged(&'static str),
    Unsupported(&'static str),
    TooLarge,
    TooMany,
}

impl Failure {
    fn condition(&self, call: &Call<'_>, limit: u64, count: usize) -> Condition {
        let (identifier, what) = match self {
            Failure::Damaged(what) => (Identifier::SyntaxError, (*what).to_owned()),
            Failure::Unsupported(what) => (Identifier::Unsupported, (*what).to_owned()),
            Failure::TooLarge => {
                let what = format!("there are more than {limit} bytes; :limit allows more");
                (Identifier::ResponseTooLarge, what)
            }
            Failure::TooMany => {
                let what = format!("there are more than {count} files; :count allows more");
                (Identifier::ResponseTooLarge, what)
            }
        };
        Condition::new(identifier, format!("{}: {what}", call.name()))
    }
}

fn gunzip(call: &Call<'_>) -> Answer {
    let (packed, limit) = (packed(call)?, limit(call)?);
    let bytes = gunzipped(&packed, limit).map_err(|failure| failure.condition(call, limit, 0))?;
    Ok(host::bytes(bytes))
}

/// The first bytes of gzip data.
const GZIP: [u8; 2] = [0x1f, 0x8b];

fn gunzipped(mut packed: &[u8], limit: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    // What comes after the last file and is none is ignored, as gzip does.
    while packed.starts_with(&GZIP) || bytes.is_empty() {
        let mut decoder = GzDecoder::new(packed);
        read(&mut decoder, limit, &mut bytes, "this is no gzip data, or it is damaged")?;
        packed = decoder.into_inner();
        if packed.is_empty() || !packed.starts_with(&GZIP) {
            break;
        }
    }
    Ok(bytes)
}

/// Adds what a decoder gives, up to the limit.
fn read(
    from: &mut impl Read,
    limit: u64,
    bytes: &mut Vec<u8>,
    damaged: &'static str,
) -> Result<(), Failure> {
    let room = limit.saturating_sub(bytes.len() as u64);
    let added = from.take(room.saturating_add(1)).read_to_end(bytes);
    let added = added.map_err(|_| Failure::Damaged(damaged))?;
    if added as u64 > room { Err(Failure::TooLarge) } else { Ok(()) }
}

fn unzip(call: &Call<'_>) -> Answer {
    let (packed, limit) = (packed(call)?, limit(call)?);
    let count = call.typed_key("count", "an integer", host::as_integer)?;
    let count = count.and_then(|count| usize::try_from(count).ok()).unwrap_or(COUNT);
    let files = unzipped(&packed, limit, count);
    let files = files.map_err(|failure| failure.condition(call, limit, count))?;
    let pair = |(name, bytes)| host::cons(host::string(name), host::bytes(bytes));
    Ok(host::list(files.into_iter().map(pair).collect::<Vec<Value>>()))
}

const NO_ZIP: &str = "this is no ZIP archive, or it is damaged";

/// Reads little-endian numbers at places of a record.
#[derive(Clone, Copy)]
struct Record<'a>(&'a [u8]);

impl<'a> Record<'a> {
    /// The bytes from `at` on, which must begin with a signature.
    fn at(archive: &'a [u8], at: usize, signature: &[u8; 4]) -> Result<Record<'a>, Failure> {
        let rest = archive.get(at..).filter(|rest| rest.starts_with(signature));
        rest.map(Record).ok_or(Failure::Damaged(NO_ZIP))
    }

    fn bytes(self, at: usize, count: usize) -> Result<&'a [u8], Failure> {
        let end = at.checked_add(count);
        end.and_then(|end| self.0.get(at..end)).ok_or(Failure::Damaged(NO_ZIP))
    }

    fn number(self, at: usize, size: usize) -> Result<usize, Failure> {
        let byte = |number, byte: &u8| (number << 8) | usize::from(*byte);
        Ok(self.bytes(at, size)?.iter().rev().fold(0, byte))
    }
}

/// A file in the table at the end of an archive.
struct Entry<'a> {
    name: &'a [u8],
    is_utf8: bool,
    method: usize,
    checksum: usize,
    size: usize,
    packed: &'a [u8],
}

fn unzipped(archive: &[u8], limit: u64, count: usize) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let end = end_of_table(archive)?;
    let (entries, size, offset) = (end.number(10, 2)?, end.number(12, 4)?, end.number(16, 4)?);
    if entries == 0xffff || offset == 0xffff_ffff {
        return Err(Failure::Unsupported("the archive is larger than ZIP without ZIP64 can be"));
    }
    // An archive may stand after something else, a program for example.
    let place = archive.len() - end.0.len();
    let begin = place.checked_sub(size).ok_or(Failure::Damaged(NO_ZIP))?;
    let before = begin.checked_sub(offset).ok_or(Failure::Damaged(NO_ZIP))?;
    let (mut files, mut at, mut total) = (Vec::new(), begin, 0);
    for _ in 0..entries {
        let record = Record::at(archive, at, b"PK\x01\x02")?;
        let entry = entry(archive, record, before)?;
        at += 46 + record.number(28, 2)? + record.number(30, 2)? + record.number(32, 2)?;
        if entry.name.ends_with(b"/") {
            continue;
        }
        if files.len() >= count {
            return Err(Failure::TooMany);
        }
        let bytes = contents(&entry, limit - total)?;
        total += bytes.len() as u64;
        files.push((name(&entry), bytes));
    }
    Ok(files)
}

/// Finds the record at the end of the table, which only a comment may follow.
fn end_of_table(archive: &[u8]) -> Result<Record<'_>, Failure> {
    const SIZE: usize = 22;
    let last = archive.len().checked_sub(SIZE).ok_or(Failure::Damaged(NO_ZIP))?;
    let first = last.saturating_sub(0xffff);
    for at in (first..=last).rev() {
        if let Ok(record) = Record::at(archive, at, b"PK\x05\x06")
            && record.number(20, 2)? <= last - at
        {
            return Ok(record);
        }
    }
    Err(Failure::Damaged(NO_ZIP))
}

fn entry<'a>(archive: &'a [u8], record: Record<'a>, before: usize) -> Result<Entry<'a>, Failure> {
    let flags = record.number(8, 2)?;
    if flags & 1 != 0 {
        return Err(Failure::Unsupported("the archive is encrypted"));
    }
    let start = before.checked_add(record.number(42, 4)?).ok_or(Failure::Damaged(NO_ZIP))?;
    let local = Record::at(archive, start, b"PK\x03\x04")?;
    let header = 30 + local.number(26, 2)? + local.number(28, 2)?;
    Ok(Entry {
        name: record.bytes(46, record.number(28, 2)?)?,
        is_utf8: flags & 0x800 != 0,
        method: record.number(10, 2)?,
        checksum: record.number(16, 4)?,
        size: record.number(24, 4)?,
        packed: local.bytes(header, record.number(20, 4)?)?,
    })
}

/// The bytes of a file.
fn contents(entry: &Entry<'_>, limit: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    match entry.method {
        0 => read(&mut &*entry.packed, limit, &mut bytes, NO_ZIP)?,
        8 => read(&mut DeflateDecoder::new(entry.packed), limit, &mut bytes, NO_ZIP)?,
        _ => {
            let what =
                "a file of the archive is packed in a way that is neither stored nor deflated";
            return Err(Failure::Unsupported(what));
        }
    }
    let mut checksum = Crc::new();
    checksum.update(&bytes);
    if bytes.len() != entry.size || checksum.sum() as usize != entry.checksum {
        return Err(Failure::Damaged("a file of the archive is damaged: its checksum is wrong"));
    }
    Ok(bytes)
}

/// The name of a file: UTF-8, or byte by byte if it is none.
fn name(entry: &Entry<'_>) -> String {
    match std::str::from_utf8(entry.name) {
        Ok(name) => name.to_owned(),
        Err(_) if entry.is_utf8 => String::from_utf8_lossy(entry.name).into_owned(),
        Err(_) => entry.name.iter().map(|byte| char::from(*byte)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder};
    use std::io::Write;

    fn gzipped(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn deflated(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// An archive of files: name, flags, method, bytes.
    fn archive(files: &[(&str, u16, u16, &[u8])]) -> Vec<u8> {
        let (mut all, mut table) = (Vec::new(), Vec::new());
        for (name, flags, method, bytes) in files {
            let mut checksum = Crc::new();
            checksum.update(bytes);
            let packed = if *method == 8 { deflated(bytes) } else { bytes.to_vec() };
            let mut common = Vec::new();
            common.extend([20, 0]);
            common.extend(flags.to_le_bytes());
            common.extend(method.to_le_bytes());
            common.extend([0; 4]);
            common.extend(checksum.sum().to_le_bytes());
            common.extend((packed.len() as u32).to_le_bytes());
            common.extend((bytes.len() as u32).to_le_bytes());
            common.extend((name.len() as u16).to_le_bytes());
            common.extend([0; 2]);
            let offset = all.len() as u32;
            all.extend(b"PK\x03\x04");
            all.extend(&common);
            all.extend(name.as_bytes());
            all.extend(&packed);
            table.extend(b"PK\x01\x02\x14\x00");
            table.extend(&common);
            table.extend([0; 10]);
            table.extend(offset.to_le_bytes());
            table.extend(name.as_bytes());
        }
        let (count, size, offset) = (files.len() as u16, table.len() as u32, all.len() as u32);
        all.extend(table);
        all.extend(b"PK\x05\x06\x00\x00\x00\x00");
        all.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
        all.extend([size.to_le_bytes(), offset.to_le_bytes()].concat());
        all.extend([0; 2]);
        all
    }

    #[test]
    fn gzip_data_is_unpacked_up_to_the_limit() {
        let bytes = vec![7; 100_000];
        let packed = gzipped(&bytes);
        assert_eq!(gunzipped(&packed, 100_000), Ok(bytes));
        assert_eq!(gunzipped(&packed, 99_999), Err(Failure::TooLarge));
        assert_eq!(gunzipped(&gzipped(b""), 1), Ok(Vec::new()));
        let joined = [gzipped(b"a"), gzipped(b"b"), vec![0; 512]].concat();
        assert_eq!(gunzipped(&joined, 2), Ok(b"ab".to_vec()));
        assert_eq!(gunzipped(&joined, 1), Err(Failure::TooLarge));
        for end in 0..packed.len() {
            assert!(
                matches!(gunzipped(&packed[..end], 1 << 20), Err(Failure::Damaged(_))),
                "{end}"
            );
        }
        let mut wrong = gzipped(b"hello");
        let last = wrong.len() - 5; // of the checksum
        wrong[last] ^= 1;
        assert!(matches!(gunzipped(&wrong, 10), Err(Failure::Damaged(_))));
    }

    #[test]
    fn archives_are_unpacked_up_to_the_limits() {
        let files: &[(&str, u16, u16, &[u8])] = &[
            ("a.txt", 0, 0, b"stored"),
            ("d/", 0, 0, b""),
            ("d/\u{e4}.xml", 0x800, 8, &[b'x'; 5000]),
            ("../up", 0, 8, b"up"),
        ];
        let packed = archive(files);
        let found = unzipped(&packed, 1 << 20, 3).unwrap();
        let names: Vec<&str> = found.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["a.txt", "d/\u{e4}.xml", "../up"]);
        assert_eq!(found[1].1, vec![b'x'; 5000]);
        assert_eq!(unzipped(&packed, 5008, 3).unwrap().len(), 3);
        assert_eq!(unzipped(&packed, 5007, 3), Err(Failure::TooLarge));
        assert_eq!(unzipped(&packed, 1 << 20, 2), Err(Failure::TooMany));
        // After something else, and before a comment.
        let mut around =
            [b"#!/bin/sh\n".to_vec(), packed.clone(), b"PK\x05\x06hello".to_vec()].concat();
        let comment = around.len() - 9 - 2;
        around[comment] = 9;
        assert_eq!(unzipped(&around, 1 << 20, 3).unwrap().len(), 3);
        assert_eq!(unzipped(&archive(&[]), 1, 0), Ok(Vec::new()));
    }

    #[test]
    fn damaged_archives_are_errors() {
        let files: &[(&str, u16, u16, &[u8])] =
            &[("a", 0, 8, b"hello hello hello"), ("b", 0, 0, b"x")];
        let packed = archive(files);
        for end in 0..packed.len() {
            assert!(unzipped(&packed[..end], 1 << 20, 9).is_err(), "{end}");
        }
        for at in 0..packed.len() {
            for bit in 0..8 {
                let mut wrong = packed.clone();
                wrong[at] ^= 1 << bit;
                let _ = unzipped(&wrong, 1 << 20, 9); // whatever it is, it returns
            }
        }
        for (flags, method) in [(1, 0), (0, 12)] {
            let other = archive(&[("a", flags, method, b"x")]);
            assert!(matches!(unzipped(&other, 9, 9), Err(Failure::Unsupported(_))));
        }
        let mut wrong = archive(&[("a", 0, 0, b"hello")]);
        wrong[31] ^= 1;
        assert!(matches!(unzipped(&wrong, 9, 9), Err(Failure::Damaged(_))));
    }
}
