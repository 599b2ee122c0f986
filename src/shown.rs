//! Makes text from outside safe to show to people.

/// Escapes characters that could take over a terminal, as `\n` or `\u{…}`: control characters, and
/// those that change the direction of text.
pub fn escape_controls(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        let turns_direction = matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if matches!(character, '\n' | '\r' | '\t') {
            shown.extend(character.escape_default());
        } else if character.is_control() || turns_direction {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}
