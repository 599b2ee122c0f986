//! The passwords that tests use, and the search for them in all that comes out. `scripts/dev/test` searches what the whole suite prints for
//! the same ones.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// The passwords, one a line: no other text is like them, so that to find one means something.
pub fn passwords() -> Vec<&'static str> {
    include_str!("passwords.txt").lines().collect()
}

/// The one of [`passwords`] that is plain letters, digits and hyphens.
pub const PASSWORD: &str = "Blauer-Hirsch-4711";

/// What a secret looks like as it is, in a string of Lisp or Rust, percent-encoded, in hexadecimal, and in base 64, alone or within more.
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
        // Only the characters that are made of the secret alone.
        forms.push(encoded[(8 * before).div_ceil(6)..8 * bytes.len() / 6].to_owned());
    }
    forms
}

/// Fails when a password that tests use is in the output, in any form.
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
