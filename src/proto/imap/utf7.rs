//! Modified UTF-7, the encoding of mailbox names (RFC 3501 5.1.3).
//!
//! Printable ASCII stands for itself, `&` is written `&-`, and every other run of characters is
//! `&`, its UTF-16 in a variant of base64, and `-`. Decoding accepts only what [`encode`] produces,
//! so a decoded name always encodes to the name that the server sent.

use super::flag::is_atom_char;
use base64::Engine as _;
use base64::alphabet::Alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use std::sync::LazyLock;

/// Base64 with `,` for `/` and without padding.
static BASE64: LazyLock<GeneralPurpose> = LazyLock::new(|| {
    let alphabet =
        Alphabet::new("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,")
            .expect("64 different characters");
    GeneralPurpose::new(
        &alphabet,
        GeneralPurposeConfig::new()
            .with_encode_padding(false)
            .with_decode_padding_mode(DecodePaddingMode::RequireNone),
    )
});

/// Encodes a mailbox name.
pub fn encode(name: &str) -> String {
    encode_all_but(name, is_direct)
}

/// Encodes text as an atom: what an atom cannot hold, such as a space, is written as characters
/// beyond ASCII are. `None` for the empty text.
pub fn encode_atom(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| encode_all_but(text, is_direct_in_atom))
}

/// Decodes what [`encode_atom`] has written; `None` for anything else.
pub fn decode_atom(atom: &str) -> Option<String> {
    decode_with(atom, is_direct_in_atom)
}

fn encode_all_but(name: &str, is_direct: fn(char) -> bool) -> String {
    let mut encoded = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        if is_direct(first) {
            encoded.push(first);
            if first == '&' {
                encoded.push('-');
            }
            rest = &rest[1..];
        } else {
            let end = rest.find(is_direct).unwrap_or(rest.len());
            let utf16: Vec<u8> = rest[..end].encode_utf16().flat_map(u16::to_be_bytes).collect();
            encoded.push('&');
            BASE64.encode_string(utf16, &mut encoded);
            encoded.push('-');
            rest = &rest[end..];
        }
    }
    encoded
}

/// Decodes a mailbox name; `None` if [`encode`] would not have written it that way.
pub fn decode(name: &[u8]) -> Option<String> {
    decode_with(std::str::from_utf8(name).ok()?, is_direct)
}

fn decode_with(name: &str, is_direct: fn(char) -> bool) -> Option<String> {
    let mut decoded = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(shift) = rest.find('&') {
        decoded.push_str(&rest[..shift]);
        let (inside, after) = rest[shift + 1..].split_once('-')?;
        if inside.is_empty() {
            decoded.push('&');
        } else {
            let utf16 = BASE64.decode(inside).ok()?;
            let (units, odd) = utf16.as_chunks::<2>();
            if !odd.is_empty() {
                return None;
            }
            let units = units.iter().map(|unit| u16::from_be_bytes(*unit));
            for character in char::decode_utf16(units) {
                decoded.push(character.ok()?);
            }
        }
        rest = after;
    }
    decoded.push_str(rest);
    (encode_all_but(&decoded, is_direct) == name).then_some(decoded)
}

fn is_direct(character: char) -> bool {
    matches!(character, ' '..='~')
}

fn is_direct_in_atom(character: char) -> bool {
    u8::try_from(character).is_ok_and(is_atom_char)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_names_are_encoded_and_decoded() {
        let table = [
            ("INBOX", "INBOX"),
            ("Entwürfe", "Entw&APw-rfe"),
            ("a&b", "a&-b"),
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("&", "&-"),
            ("💌", "&2D3cjA-"),
            ("tab\tend", "tab&AAk-end"),
            ("", ""),
        ];
        for (name, encoded) in table {
            assert_eq!(encode(name), encoded);
            assert_eq!(decode(encoded.as_bytes()).as_deref(), Some(name));
        }
    }

    #[test]
    fn what_encode_would_not_write_is_not_decoded() {
        for name in
            ["a&b", "&", "&AA-", "&2D0-", "&AGE-", "&U,BTFw=-", "Entwürfe", "&APw-&APw-", "&AP-"]
        {
            assert_eq!(decode(name.as_bytes()), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn every_name_comes_back(name in any::<String>()) {
            let encoded = encode(&name);
            prop_assert!(encoded.bytes().all(|byte| matches!(byte, b' '..=b'~')));
            prop_assert_eq!(decode(encoded.as_bytes()), Some(name.clone()));
            let atom = encode_atom(&name);
            prop_assert!(atom.iter().flat_map(|atom| atom.bytes()).all(is_atom_char));
            prop_assert_eq!(atom.map(|atom| decode_atom(&atom)), (!name.is_empty()).then_some(Some(name)));
        }
    }
}
