//! Secrets that stand in a script's text: never shown in a report.

use std::ops::Range;

use super::messages::distance;

/// What is shown in the place of a secret.
pub(super) const SHOWN: &str = "#<secret>";

/// Whether a parameter or variable of this name holds a secret; slips count.
pub(super) fn is_secret_name(name: &str) -> bool {
    let name = name.trim_matches([':', '*', '+', '-']).to_ascii_lowercase();
    let parts = ["passw", "pasw", "passphrase", "pwd", "token", "secret", "credential"];
    parts.iter().any(|part| name.contains(part)) || name == "pass" || (name.len() >= 6 && distance(&name, "password", 2) <= 2)
}

/// The string literals of `text` that are secrets: what follows a name such as `:password`, and the password of `send-smtp-auth`.
pub(super) fn ranges(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let (mut found, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = string_end(bytes, at),
            byte if is_delimiter(byte) => at += 1,
            _ => {
                let end = word_end(bytes, at);
                let name = text.get(at..end).unwrap_or_default();
                if is_secret_name(name) {
                    strings_of(bytes, skip_blanks(bytes, end), &mut found);
                } else if name.rsplit(':').next() == Some("send-smtp-auth") {
                    let fifth = (0..4).fold(end, |at, _| form_end(bytes, skip_blanks(bytes, at)));
                    strings_of(bytes, skip_blanks(bytes, fifth), &mut found);
                }
                at = end;
            }
        }
    }
    found
}

/// The text from `from` up to `to` with its secrets masked. The one that begins before `from` is shown at `from`.
pub(super) fn masked(text: &str, from: usize, to: usize, secrets: &[Range<usize>]) -> String {
    let (mut shown, mut at) = (String::new(), from);
    for secret in secrets.iter().filter(|secret| secret.start < to && secret.end > from) {
        if secret.start < at && at > from {
            continue;
        }
        shown.push_str(text.get(at..secret.start.max(at)).unwrap_or_default());
        shown.push_str(SHOWN);
        at = secret.end.min(to);
    }
    shown.push_str(text.get(at..to).unwrap_or_default());
    shown
}

fn is_delimiter(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'(' | b')' | b'[' | b']' | b'\'' | b'`' | b',' | b';' | b'"')
}

fn word_end(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && !is_delimiter(bytes[at]) {
        // A character such as #\" is no string.
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at.min(bytes.len())
}

fn skip_blanks(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() {
        if bytes[at].is_ascii_whitespace() || matches!(bytes[at], b'\'' | b'`' | b',') {
            at += 1;
        } else if bytes[at] == b';' {
            at = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |end| at + end);
        } else {
            break;
        }
    }
    at
}

/// The byte after the string literal at `at`; the end of the text if it is not closed.
fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if bytes[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}

fn form_end(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0usize);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = string_end(bytes, at),
            b'(' | b'[' => (at, depth) = (at + 1, depth + 1),
            b')' | b']' if depth == 0 => return at,
            b')' | b']' => (at, depth) = (at + 1, depth - 1),
            byte if is_delimiter(byte) => {
                at += 1;
                continue;
            }
            _ => at = word_end(bytes, at),
        }
        if depth == 0 {
            return at;
        }
    }
    at
}

/// The string literals of the form at `start`.
fn strings_of(bytes: &[u8], start: usize, found: &mut Vec<Range<usize>>) {
    let end = form_end(bytes, start);
    let mut at = start;
    while at < end {
        match bytes[at] {
            b'"' => {
                let after = string_end(bytes, at);
                if found.last().is_none_or(|last| last.end <= at) {
                    found.push(at..after);
                }
                at = after;
            }
            byte if is_delimiter(byte) => at += 1,
            _ => at = word_end(bytes, at),
        }
    }
}
