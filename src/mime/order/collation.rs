//! Compares texts as `i;unicode-casemap` does (RFC 5051).

use unicode_normalization::char::decompose_compatible;

/// Returns a text that compares, byte by byte, as the given one does under `i;unicode-casemap`:
/// every character in titlecase and decomposed (RFC 5051 2).
pub fn collation_key(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_uppercase();
    }
    let mut key = String::with_capacity(text.len());
    for char in text.chars() {
        decompose_compatible(titlecase(char), |part| {
            // What a character is decomposed into is mapped again: `ﬁ` becomes `FI`.
            decompose_compatible(titlecase(part), |part| key.push(part));
        });
    }
    key
}

/// The titlecase of a character, if that is one character; otherwise the character.
fn titlecase(char: char) -> char {
    match char {
        'Ǆ'..='ǆ' => 'ǅ',
        'Ǉ'..='ǉ' => 'ǈ',
        'Ǌ'..='ǌ' => 'ǋ',
        'Ǳ'..='ǳ' => 'ǲ',
        'ა'..='ჿ' => char, // Georgian letters have uppercase, but titlecase is the same letter
        '\u{1f80}'..='\u{1faf}' => char::from_u32(char as u32 | 8).unwrap_or(char),
        'ᾳ' => 'ᾼ',
        'ῃ' => 'ῌ',
        'ῳ' => 'ῼ',
        _ => {
            let mut upper = char.to_uppercase();
            match (upper.next(), upper.next()) {
                (Some(upper), None) => upper,
                _ => char,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_compared_without_case_and_with_their_base_letters() {
        for (one, other) in [
            ("abc", "ABC"),
            ("é", "É"),
            ("é", "e\u{301}"),
            ("ﬁn", "FIN"),
            ("ｆｕｌｌ", "FULL"),
            ("ǆ", "Ǆ"),
            ("ᾀ", "ᾈ"),
            ("одна", "ОДНА"),
        ] {
            assert_eq!(collation_key(one), collation_key(other), "{one}");
        }
        for (less, more) in [("a", "B"), ("é", "f"), ("e", "é"), ("z", "ä\u{0}"), ("ß", "я")] {
            let (less_key, more_key) = (collation_key(less), collation_key(more));
            assert_eq!(less_key < more_key, less != "z", "{less} {more}");
        }
        assert_eq!(collation_key(""), "");
    }
}
