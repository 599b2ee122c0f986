//! Writes header text: encoded words where they are needed (RFC 2047), and folding.
//!
//! Text is encoded from the first to the last word that needs it; the words before and after stay
//! readable. The span is encoded as a whole because decoders drop blanks between encoded words. Q
//! or B encoding is used, whichever is shorter, with a preference for the readable Q.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Maximum lengths of an encoded word and of a line that contains one (RFC 2047, section 2).
const WORD: usize = 75;
const LINE: usize = 76;
/// Longer words and longer runs of blanks are encoded, because they cannot be folded and a line,
/// field name included, may not exceed 998 bytes (RFC 5322, section 2.1.1).
const UNFOLDED: usize = 900;
const BLANKS: usize = 20;
const PREFIX_AND_SUFFIX: usize = "=?UTF-8?Q??=".len();

/// Encodes text as a header value. ASCII stays as it is; other words become encoded words; lines
/// are folded at 76 bytes. Decoding returns the same text.
pub fn encode_text(text: &str) -> String {
    encode_text_at(text, 0)
}

/// Like [`encode_text`], for a value that starts at `column`, after the field's name.
pub fn encode_text_at(text: &str, column: usize) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    let Some((first, last)) = span_to_encode(&words) else { return fold_words(&words, column) };
    let mut folder = Folder { out: String::with_capacity(text.len() * 2), column };
    for (index, word) in words[..first].iter().enumerate() {
        folder.word(word, index > 0);
    }
    folder.encoded(&words[first..=last].join(" "), first > 0);
    for word in &words[last + 1..] {
        folder.word(word, true);
    }
    folder.out
}

/// Indexes of the first and the last word that must be encoded. Blanks at either end would be
/// trimmed, so they are encoded together with the adjacent word.
fn span_to_encode(words: &[&str]) -> Option<(usize, usize)> {
    let is_bad = |word: &&str| needs_encoding(word);
    let has_long_blanks = words
        .chunk_by(|one, next| one.is_empty() && next.is_empty())
        .any(|blanks| blanks.len() > BLANKS);
    if has_long_blanks || words.len() > 1 && words.iter().all(|word| word.is_empty()) {
        return Some((0, words.len() - 1));
    }
    let first_solid = words.iter().position(|word| !word.is_empty())?;
    let last_solid = words.iter().rposition(|word| !word.is_empty())?;
    let leads = words[0].is_empty();
    let trails = words[words.len() - 1].is_empty();
    let firsts = [leads.then_some(0), words.iter().position(is_bad), trails.then_some(last_solid)];
    let lasts = [
        leads.then_some(first_solid),
        words.iter().rposition(is_bad),
        trails.then_some(words.len() - 1),
    ];
    Some((firsts.into_iter().flatten().min()?, lasts.into_iter().flatten().max()?))
}

fn needs_encoding(word: &str) -> bool {
    word.len() > UNFOLDED
        || word.contains("=?")
        || word.bytes().any(|byte| !byte.is_ascii_graphic())
}

/// Folds plain text, such as a list of message ids, at its blanks.
pub(super) fn fold_at(text: &str, column: usize) -> String {
    fold_words(&text.split(' ').collect::<Vec<_>>(), column)
}

fn fold_words(words: &[&str], column: usize) -> String {
    let mut folder = Folder { out: String::new(), column };
    for (index, word) in words.iter().enumerate() {
        folder.word(word, index > 0);
    }
    folder.out
}

struct Folder {
    out: String,
    column: usize,
}

impl Folder {
    /// Adds a word. Of several blanks only the last may follow the line end, because unfolding
    /// turns all blanks after it into one.
    fn word(&mut self, word: &str, blank: bool) {
        if blank {
            if self.column > 1 && !word.is_empty() && self.column + 1 + word.len() > LINE {
                self.out.push_str("\r\n");
                self.column = 0;
            }
            self.push(" ");
        }
        self.push(word);
    }

    fn encoded(&mut self, text: &str, mut blank: bool) {
        // Q may cost a few bytes more, because people can read it.
        let base64 = text.len().div_ceil(3) * 4 + 8 < text.bytes().map(q_length).sum();
        let mut rest = text;
        loop {
            if blank && self.column + 1 + PREFIX_AND_SUFFIX + 12 > LINE {
                self.out.push_str("\r\n");
                self.column = 0;
            }
            if blank {
                self.push(" ");
            }
            let room = LINE.saturating_sub(self.column).clamp(PREFIX_AND_SUFFIX + 12, WORD)
                - PREFIX_AND_SUFFIX;
            let taken = fitting(rest, room, base64);
            let word = encode_word(&rest[..taken], base64);
            self.push(&word);
            rest = &rest[taken..];
            blank = true;
            if rest.is_empty() {
                break;
            }
        }
    }

    fn push(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.len();
    }
}

/// The number of bytes of `text` that fit into an encoded word of `room` bytes: whole characters,
/// and at least one.
fn fitting(text: &str, room: usize, base64: bool) -> usize {
    let mut used = 0;
    let mut taken = 0;
    for letter in text.chars() {
        let mut buffer = [0; 4];
        let bytes = letter.encode_utf8(&mut buffer).as_bytes();
        used += if base64 { bytes.len() } else { bytes.iter().copied().map(q_length).sum() };
        let length = if base64 { used.div_ceil(3) * 4 } else { used };
        if length > room && taken > 0 {
            break;
        }
        taken += bytes.len();
    }
    taken
}

fn encode_word(text: &str, base64: bool) -> String {
    if base64 {
        return format!("=?UTF-8?B?{}?=", STANDARD.encode(text.as_bytes()));
    }
    let mut word = String::from("=?UTF-8?Q?");
    for byte in text.bytes() {
        match byte {
            b' ' => word.push('_'),
            _ if q_length(byte) == 1 => word.push(char::from(byte)),
            _ => word.push_str(&format!("={byte:02X}")),
        }
    }
    word.push_str("?=");
    word
}

/// Encoded length of a byte. Only characters that are also safe in a phrase stay as they are (RFC
/// 2047, section 5, rule 3), so one encoding serves all fields.
fn q_length(byte: u8) -> usize {
    if byte.is_ascii_alphanumeric() || matches!(byte, b'!' | b'*' | b'+' | b'-' | b'/' | b' ') {
        1
    } else {
        3
    }
}

/// Formats a display name for an address: plain words if possible, otherwise a quoted string,
/// otherwise encoded words.
pub fn encode_phrase(name: &str) -> String {
    encode_phrase_at(name, 0)
}

pub(super) fn encode_phrase_at(name: &str, column: usize) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    let words = name.split(' ');
    if !name.contains("=?")
        && words
            .clone()
            .all(|word| !word.is_empty() && word.len() <= LINE && word.bytes().all(plain))
    {
        return fold_at(name, column);
    }
    if name.len() <= WORD
        && !name.contains("=?")
        && name.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
    {
        return format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""));
    }
    let mut folder = Folder { out: String::new(), column };
    folder.encoded(name, false);
    folder.out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_encoded_and_folded() {
        let table = [
            ("plain text", "plain text"),
            ("a  b", "a  b"),
            ("", ""),
            ("Das Café ist zu", "Das =?UTF-8?Q?Caf=C3=A9?= ist zu"),
            ("é è", "=?UTF-8?Q?=C3=A9_=C3=A8?="),
            ("a =?b", "a =?UTF-8?Q?=3D=3Fb?="),
            (" x", "=?UTF-8?Q?_x?="),
            ("x y  ", "x =?UTF-8?Q?y__?="),
            ("a\r\nBcc: b", "=?UTF-8?Q?a=0D=0ABcc=3A?= b"),
        ];
        for (text, expected) in table {
            assert_eq!(encode_text(text), expected, "{text:?}");
        }
    }

    #[test]
    fn encoding_is_undone_by_decoding() {
        let long = "日本語のとても長い件名".repeat(20);
        let ascii = "word ".repeat(60) + "end";
        let one_word = "x".repeat(2000);
        let blanks = format!("x{}y", " ".repeat(2000));
        for text in [
            long.as_str(),
            ascii.as_str(),
            one_word.as_str(),
            "tab\there",
            &blanks,
            " lead",
            "trail ",
            " ",
            "=?utf-8?Q?a?=",
            "a  é  b",
            "😀",
        ] {
            let field = format!("Subject: {}\r\n", encode_text_at(text, 9));
            assert!(field.lines().all(|line| line.len() <= 78), "{field}");
            let read = crate::mime::fields(field.as_bytes()).next().unwrap().decoded();
            assert_eq!(read, text, "{field}");
        }
    }

    #[test]
    fn phrases_are_words_quoted_or_encoded() {
        let table = [
            ("Joe Q Public", "Joe Q Public"),
            ("Public, Joe", "\"Public, Joe\""),
            ("a \"b\" \\", "\"a \\\"b\\\" \\\\\""),
            ("J. Doe", "\"J. Doe\""),
            ("Zoë", "=?UTF-8?Q?Zo=C3=AB?="),
            ("a  b", "\"a  b\""),
            ("a\r\nb", "=?UTF-8?Q?a=0D=0Ab?="),
        ];
        for (name, expected) in table {
            assert_eq!(encode_phrase(name), expected, "{name:?}");
        }
    }
}
