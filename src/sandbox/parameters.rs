//! Header values with parameters, as in Content-Type and Content-Disposition (RFC 2045 5.1, RFC
//! 2231).

/// Names and unquoted values, in order.
pub(crate) type Parameters = Vec<(Vec<u8>, Vec<u8>)>;

/// Splits `token; name=value; name="value"`. Comments in parentheses are skipped.
pub(crate) fn parse_parameters(value: &[u8]) -> (Vec<u8>, Parameters) {
    let mut pieces = split_at_semicolons(value).into_iter();
    let token = pieces.next().unwrap_or_default();
    let parameter = |piece: Vec<u8>| {
        let equals = piece.iter().position(|byte| *byte == b'=')?;
        let (name, value) = (piece[..equals].trim_ascii(), piece[equals + 1..].trim_ascii());
        (!name.is_empty()).then(|| (name.to_vec(), unquote(value)))
    };
    (token.trim_ascii().to_vec(), join_continuations(pieces.filter_map(parameter).collect()))
}

/// Joins `name*0=ab; name*1=cd` to `name=abcd`, as RFC 2231 6 asks of IMAP servers. Encoded values
/// stay encoded, under `name*`.
fn join_continuations(parameters: Parameters) -> Parameters {
    let mut result: Parameters = Vec::new();
    for (name, value) in parameters {
        let encoded = name.ends_with(b"*");
        let plain = name.strip_suffix(b"*").unwrap_or(&name);
        let star = memchr::memrchr(b'*', plain)
            .filter(|star| plain[star + 1..].iter().all(u8::is_ascii_digit));
        let Some(star) = star.filter(|star| *star > 0 && star + 1 < plain.len()) else {
            result.push((name, value));
            continue;
        };
        let base = &plain[..star];
        let begun = |(known, _): &&mut (Vec<u8>, Vec<u8>)| {
            known.strip_suffix(b"*").unwrap_or(known).eq_ignore_ascii_case(base)
        };
        match result.last_mut().filter(begun).filter(|_| &plain[star + 1..] != b"0") {
            Some((_, joined)) => joined.extend_from_slice(&value),
            None => result.push(([base, if encoded { b"*" } else { b"" }].concat(), value)),
        }
    }
    result
}

fn split_at_semicolons(value: &[u8]) -> Vec<Vec<u8>> {
    let mut pieces = vec![Vec::new()];
    let (mut quoted, mut depth, mut escaped) = (false, 0_usize, false);
    for byte in value {
        let keep = match byte {
            _ if escaped => {
                escaped = false;
                depth == 0
            }
            b'\\' if quoted || depth > 0 => {
                escaped = true;
                depth == 0
            }
            b'"' if depth == 0 => {
                quoted = !quoted;
                true
            }
            b'(' if !quoted => {
                depth += 1;
                false
            }
            b')' if !quoted && depth > 0 => {
                depth -= 1;
                false
            }
            b';' if !quoted && depth == 0 => {
                pieces.push(Vec::new());
                false
            }
            _ => depth == 0,
        };
        if let (true, Some(piece)) = (keep, pieces.last_mut()) {
            piece.push(*byte);
        }
    }
    pieces
}

/// The content of a quoted string; any other value unchanged.
fn unquote(value: &[u8]) -> Vec<u8> {
    let Some(inner) = value.strip_prefix(b"\"") else { return value.to_vec() };
    let mut result = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => break,
            b'\\' => result.extend(bytes.next()),
            _ => result.push(*byte),
        }
    }
    result
}
