//! The passwords that the tests use, and a check that no output contains one in any encoding.
//! `scripts/dev/test` searches the output of the whole suite for the same passwords.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// The passwords in `passwords.txt`, one per line. They resemble no other text, so every match is a
/// leak.
pub fn passwords() -> Vec<&'static str> {
    include_str!("passwords.txt").lines().collect()
}

/// The entry of [`passwords`] that has only letters, digits and hyphens.
pub const PASSWORD: &str = "Blauer-Hirsch-4711";

/// Returns the encodings in which a secret could appear: as it is, escaped for a Lisp or a Rust
/// string, percent-encoded, in hexadecimal, and in base64, alone or within a longer input.
pub fn forms(secret: &str) -> Vec<String> {
    let percent: String = secret
        .bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                (byte as char).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect();
    let hexadecimal: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let quoted = secret.replace('\\', "\\\\").replace('"', "\\\"");
    let mut forms = vec![
        secret.to_owned(),
        quoted,
        secret.escape_debug().to_string(),
        secret.as_bytes().escape_ascii().to_string(),
        percent,
        hexadecimal,
    ];
    for before in 0..3 {
        let bytes = [&b"xx"[..before], secret.as_bytes()].concat();
        let encoded = BASE64_STANDARD.encode(&bytes);
        // Keep only the characters that depend on the secret alone, not on its neighbours.
        forms.push(encoded[(8 * before).div_ceil(6)..8 * bytes.len() / 6].to_owned());
    }
    forms
}

/// Fails if `output` contains a password of the tests in any of its [`forms`].
pub fn check(output: &str) {
    for (number, password) in passwords().into_iter().enumerate() {
        for form in forms(password) {
            assert!(
                !output.contains(&form),
                "password {number} came out as {:?}... in:\n{}",
                form.chars().take(3).collect::<String>(),
                output.replace(&form, "<<<HERE>>>")
            );
        }
    }
}
