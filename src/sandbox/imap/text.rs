//! Strings in responses: quoted where they can be, else as literals (RFC 3501 4.3).

/// A quoted string may be this long; a longer one goes as a literal, which clients read without copying.
const QUOTED_LIMIT: usize = 1000;

/// `NIL`, a quoted string or a literal.
pub(crate) fn nstring(out: &mut Vec<u8>, value: Option<&[u8]>) {
    match value {
        Some(value) => string(out, value),
        None => out.extend_from_slice(b"NIL"),
    }
}

/// A quoted string, or a literal where bytes would not fit into one.
pub(crate) fn string(out: &mut Vec<u8>, value: &[u8]) {
    let plain = |byte: &u8| matches!(byte, 1..=127) && !matches!(byte, b'\r' | b'\n');
    if value.len() > QUOTED_LIMIT || !value.iter().all(plain) {
        return literal(out, value);
    }
    out.push(b'"');
    for byte in value {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

/// `{5}` and the bytes.
pub(crate) fn literal(out: &mut Vec<u8>, value: &[u8]) {
    out.extend_from_slice(format!("{{{}}}\r\n", value.len()).as_bytes());
    out.extend_from_slice(value);
}

/// An atom where the name can be one, else a string.
pub(crate) fn astring(out: &mut Vec<u8>, value: &[u8]) {
    let special = |byte: &u8| !byte.is_ascii_graphic() || b"(){%*\"\\".contains(byte);
    if value.is_empty() || value.iter().any(special) {
        return string(out, value);
    }
    out.extend_from_slice(value);
}
