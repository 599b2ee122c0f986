//! Finds header fields in a letter, and their unfolded raw values.

use std::ops::Range;

/// The range of a letter's header, found without parsing its structure.
pub(crate) fn range(bytes: &[u8]) -> Range<usize> {
    if bytes.starts_with(b"\r\n") {
        return 0..0;
    }
    0..memchr::memmem::find(bytes, b"\r\n\r\n").map_or(bytes.len(), |at| at + 2)
}

/// One header field: its name, its value, and the whole field with folded lines and final line end.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: Range<usize>,
    pub(crate) value: Range<usize>,
    pub(crate) whole: Range<usize>,
}

/// The fields of a header, in order. A line without a colon is ignored; it neither belongs to nor
/// ends a field.
pub(crate) fn fields(bytes: &[u8], header: Range<usize>) -> Vec<Field> {
    let mut result: Vec<Field> = Vec::new();
    let mut continues = false;
    let mut start = header.start;
    while start < header.end {
        let end = memchr::memchr(b'\n', &bytes[start..header.end])
            .map_or(header.end, |at| start + at + 1);
        let line = &bytes[start..end];
        if matches!(line.first(), Some(b' ' | b'\t')) {
            if let (true, Some(field)) = (continues, result.last_mut()) {
                field.value.end = end;
                field.whole.end = end;
            }
        } else if let Some(colon) = colon(line) {
            let name_length = line[..colon].trim_ascii_end().len();
            result.push(Field {
                name: start..start + name_length,
                value: start + colon + 1..end,
                whole: start..end,
            });
            continues = true;
        } else {
            continues = false;
        }
        start = end;
    }
    result
}

/// The unfolded value of the first field of this name, trimmed.
pub(crate) fn value(bytes: &[u8], header: Range<usize>, name: &str) -> Option<Vec<u8>> {
    values(bytes, header, name).into_iter().next()
}

/// The unfolded values of all fields of this name, trimmed.
pub(crate) fn values(bytes: &[u8], header: Range<usize>, name: &str) -> Vec<Vec<u8>> {
    let wanted = |field: &Field| bytes[field.name.clone()].eq_ignore_ascii_case(name.as_bytes());
    let fields = fields(bytes, header);
    fields
        .iter()
        .filter(|field| wanted(field))
        .map(|field| unfold(&bytes[field.value.clone()]))
        .collect()
}

/// Removes line ends and keeps the blank that follows each (RFC 5322 2.2.3).
pub(crate) fn unfold(value: &[u8]) -> Vec<u8> {
    let joined: Vec<u8> =
        value.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    joined.trim_ascii().to_vec()
}

/// The position of the colon after a field name, if the line begins with one.
fn colon(line: &[u8]) -> Option<usize> {
    let colon = memchr::memchr(b':', line)?;
    let name = line[..colon].trim_ascii_end();
    (!name.is_empty() && name.iter().all(|byte| byte.is_ascii_graphic() || *byte >= 0x80))
        .then_some(colon)
}
