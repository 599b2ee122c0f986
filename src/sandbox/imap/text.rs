//! Writes strings in responses: quoted if possible, otherwise as literals (RFC 3501 4.3).

/// The longest quoted string. Longer strings are sent as literals, which clients can read without
/// copying.
const QUOTED_LIMIT: usize = 1000;

/// Writes `NIL`, a quoted string or a literal.
pub(crate) fn nstring(out: &mut Vec<u8>, value: Option<&[u8]>) {
    match value {
        Some(value) => string(out, value),
        None => out.extend_from_slice(b"NIL"),
    }
}

/// Writes a quoted string, or a literal if the value is too long or has bytes that cannot be
/// quoted.
pub(crate) fn string(out: &mut Vec<u8>, value: &[u8]) {
    let plain = |byte: &u8| matches!(byte, 1..=127) && !matches!(byte, b'\r' | b'\n');
    if value.len() > QUOTED_LIMIT || !value.iter().all(plain) {
        return literal(out, value);
    }
    quoted(out, value);
}

/// Writes a quoted string, whatever bytes it has.
pub(crate) fn quoted(out: &mut Vec<u8>, value: &[u8]) {
    out.push(b'"');
    for byte in value {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

/// Writes `{5}`, a line end and the bytes.
pub(crate) fn literal(out: &mut Vec<u8>, value: &[u8]) {
    out.extend_from_slice(format!("{{{}}}\r\n", value.len()).as_bytes());
    out.extend_from_slice(value);
}

/// Writes an atom if the value can be one, otherwise a string.
pub(crate) fn astring(out: &mut Vec<u8>, value: &[u8]) {
    let special = |byte: &u8| !byte.is_ascii_graphic() || b"(){%*\"\\".contains(byte);
    if value.is_empty() || value.iter().any(special) {
        return string(out, value);
    }
    out.extend_from_slice(value);
}
