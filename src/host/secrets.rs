//! Finds the secrets in a script's text, so that reports never show them.
//!
//! The text is scanned as words and string literals, without the reader, because a text that cannot
//! be read is reported too. A literal is a secret if it
//!
//! - follows a name such as `:password`, unless the form there only says where to get the secret;
//! - is the fifth argument of `send-smtp-auth`;
//! - stands among the options of a connection without a keyword before it;
//! - equals such a literal, and has at least five characters.

use std::collections::HashSet;
use std::ops::Range;

use zeroize::Zeroizing;

use super::distance::distance;

/// Shown instead of a secret.
pub(super) const SHOWN: &str = "#<secret>";

/// Returns whether a parameter or variable of this name holds a secret. Misspelt names count too.
pub(super) fn is_secret_name(name: &str) -> bool {
    let name = name.trim_matches([':', '*', '+', '-']).to_ascii_lowercase();
    let parts = ["passw", "pasw", "passphrase", "pwd", "token", "secret", "credential"];
    parts.iter().any(|part| name.contains(part))
        || name == "pass"
        || (name.len() >= 6 && distance(&name, "password", 2) <= 2)
}

/// Returns a script's text with `#<secret>` in place of the literals that are found to be secrets.
pub fn without_secrets(text: &str) -> String {
    masked(text, 0, text.len(), &ranges(text))
}

/// Returns the secrets in the text, without their escapes.
pub(super) fn texts(text: &str) -> Vec<Zeroizing<String>> {
    let literal = |range: Range<usize>| text.get(range.start + 1..range.end.saturating_sub(1));
    let plain = |literal: &str| {
        let (mut plain, mut escaped) =
            (Zeroizing::new(String::with_capacity(literal.len())), false);
        for character in literal.chars() {
            escaped = character == '\\' && !escaped;
            if !escaped {
                plain.push(character);
            }
        }
        plain
    };
    ranges(text).into_iter().filter_map(literal).map(plain).collect()
}

/// Finds the string literals of `text` that are secrets, sorted and without overlaps.
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
                if is_secret_name(name) || name == ":pkcs12" {
                    secrets_of(bytes, skip_blanks(bytes, end), &mut found);
                } else if name.rsplit(':').next() == Some("send-smtp-auth") {
                    let fifth = (0..4).fold(end, |at, _| form_end(bytes, skip_blanks(bytes, at)));
                    secrets_of(bytes, skip_blanks(bytes, fifth), &mut found);
                } else if let Some(options) = connection_options(bytes, name, end) {
                    stray_strings(bytes, options, &mut found);
                }
                at = end;
            }
        }
    }
    add_repeated(bytes, &mut found);
    found.sort_by_key(|range| (range.start, std::cmp::Reverse(range.end)));
    found.dedup_by(|later, earlier| later.start < earlier.end);
    found
}

/// Adds other occurrences of the literals found. A literal as short as `"x"` is not a secret by
/// itself.
fn add_repeated(bytes: &[u8], found: &mut Vec<Range<usize>>) {
    let known: HashSet<&[u8]> = found
        .iter()
        .map(|range| &bytes[range.clone()])
        .filter(|literal| literal.len() > 6)
        .collect();
    let mut at = 0;
    while !known.is_empty() && at < bytes.len() {
        match bytes[at] {
            b'"' => {
                let end = string_end(bytes, at);
                if known.contains(&bytes[at..end]) {
                    found.push(at..end);
                }
                at = end;
            }
            byte if is_delimiter(byte) => at += 1,
            _ => at = word_end(bytes, at),
        }
    }
}

/// Adds the string literals of the form at `start`, which is in the place of a secret. Adds none if
/// the form only says where to get the secret: `(:env "NAME")`, `(getenv "NAME")`,
/// `(:command "pass" …)`, `(:file "path")`, `(:keyring "service")`.
fn secrets_of(bytes: &[u8], start: usize, found: &mut Vec<Range<usize>>) {
    let word = |at: usize| at..word_end(bytes, at);
    let names_source = bytes.get(start) == Some(&b'(') && {
        let key = word(skip_blanks(bytes, start + 1));
        match &bytes[key.clone()] {
            // Text that cannot be a variable's name is a misplaced password.
            b":env" | b"getenv" => {
                let name = skip_blanks(bytes, key.end);
                let name = bytes
                    .get(name + 1..string_end(bytes, name).saturating_sub(1))
                    .unwrap_or_default();
                is_variable_name(name)
            }
            b":command" | b":file" | b":keyring" => true,
            _ => false,
        }
    };
    if !names_source {
        strings_of(bytes, start, found);
    }
}

/// Returns whether an environment variable can have this name: letters, digits and `_`, and no
/// digit first.
pub fn is_variable_name(name: &[u8]) -> bool {
    name.first().is_some_and(|first| !first.is_ascii_digit())
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// Returns where the options begin in `(define-account name …`, `(make-imap-connection host …` and
/// `(with-imap-connection (mb host …`, and in the forms of the other protocols. `end` is the end of
/// the form's name.
fn connection_options(bytes: &[u8], name: &str, end: usize) -> Option<usize> {
    let name = name.rsplit(':').next()?;
    if name == "define-account" {
        return Some(form_end(bytes, skip_blanks(bytes, end)));
    }
    let (verb, protocol) = name.strip_suffix("-connection")?.split_once('-')?;
    if !matches!(protocol, "imap" | "pop" | "smtp") {
        return None;
    }
    let at = skip_blanks(bytes, end);
    match verb {
        "make" => Some(form_end(bytes, at)),
        "with" if bytes.get(at) == Some(&b'(') => {
            let variable_end = form_end(bytes, skip_blanks(bytes, at + 1));
            Some(form_end(bytes, skip_blanks(bytes, variable_end)))
        }
        _ => None,
    }
}

/// Adds the strings among the options from `at` on that follow no keyword: `:password` was left
/// out.
fn stray_strings(bytes: &[u8], mut at: usize, found: &mut Vec<Range<usize>>) {
    let mut behind_key = false;
    loop {
        at = skip_blanks(bytes, at);
        let end = form_end(bytes, at);
        if end <= at {
            return;
        }
        if bytes[at] == b'"' && !behind_key {
            found.push(at..end);
        }
        behind_key = bytes[at] == b':' && !behind_key;
        at = end;
    }
}

/// Returns the text from `from` up to `to` with its secrets masked. A secret that begins before
/// `from` is shown at `from`.
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
    byte.is_ascii_whitespace()
        || matches!(byte, b'(' | b')' | b'[' | b']' | b'\'' | b'`' | b',' | b';' | b'"')
}

fn word_end(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && !is_delimiter(bytes[at]) {
        // A character such as #\" does not begin a string.
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
