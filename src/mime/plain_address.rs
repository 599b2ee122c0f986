//! Checks the plain addresses accepted for sending, and splits addresses that a person typed.

/// Maximum length of an address in bytes: 64, `@` and 255 (RFC 5321, section 4.5.3.1).
const ADDRESS: usize = 320;

/// Whether `address` is a bare `foo` or `foo@bar.com`: no name, brackets, quotes, blanks, control
/// characters or parameters. Characters beyond ASCII are allowed (RFC 6531).
pub fn is_plain_address(address: &str) -> bool {
    if address.len() > ADDRESS {
        return false;
    }
    match address.split_once('@') {
        Some((local, domain)) => is_dot_atom(local) && is_domain(domain),
        None => is_dot_atom(address),
    }
}

/// Splits a single address into local part and domain; surrounding blanks are ignored. Returns
/// `None` if `text` is not an address, or lacks a required domain or a required dot in the domain.
pub fn parse_email_address(
    text: &str,
    require_domain: bool,
    require_dotted_domain: bool,
) -> Option<(String, Option<String>)> {
    let address = text.trim();
    if !is_plain_address(address) {
        return None;
    }
    match address.split_once('@') {
        Some((_, domain)) if require_dotted_domain && !domain.contains('.') => None,
        Some((local, domain)) => Some((local.to_owned(), Some(domain.to_owned()))),
        None => (!require_domain).then(|| (address.to_owned(), None)),
    }
}

fn is_dot_atom(text: &str) -> bool {
    text.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom_letter))
}

fn is_atom_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric()
        || "!#$%&'*+-/=?^_`{|}~".contains(letter)
        || is_letter_beyond_ascii(letter)
}

/// Whether `text` is a host name, with the underscore that some hosts use.
fn is_domain(text: &str) -> bool {
    let is_letter = |letter: char| {
        letter.is_ascii_alphanumeric()
            || matches!(letter, '-' | '_')
            || is_letter_beyond_ascii(letter)
    };
    text.split('.').all(|label| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(is_letter)
    })
}

/// Allows letters, marks and symbols, but no blanks, controls, separators or direction marks, which
/// could make one address look like another.
fn is_letter_beyond_ascii(letter: char) -> bool {
    !letter.is_ascii()
        && !letter.is_whitespace()
        && !letter.is_control()
        && !super::filename::is_invisible(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_addresses_are_told_from_the_rest() {
        let long = format!("{}@x.org", "a".repeat(320));
        let good = [
            "foo",
            "foo@bar.com",
            "a.b+c@x-y.org",
            "o'brien@x",
            "zoë@exämple.org",
            "用户@例子.中国",
            "!#$%&'*+-/=?^_`{|}~@x",
            "a@1.2.3.4",
        ];
        let bad = [
            "",
            "@",
            "@x",
            "foo@",
            "foo@bar@baz",
            "Foo <foo@bar.com>",
            "<foo@bar.com>",
            "foo @x",
            "foo@x ",
            "foo@x\r\n",
            "a\0b",
            "\"a b\"@x",
            "a..b@x",
            ".a@x",
            "a.@x",
            "a@x.",
            "a@.x",
            "a@-x",
            "a@[1.2.3.4]",
            "a,b@x",
            "a@x>",
            "a@x SIZE=1",
            "a@x\u{202e}y",
            "a\u{a0}b@x",
            "a@x\u{2028}y",
            "a\\b@x",
            "a@x:25",
            "a\u{85}@x",
            &long,
        ];
        for address in good {
            assert!(is_plain_address(address), "{address:?}");
        }
        for address in bad {
            assert!(!is_plain_address(address), "{address:?}");
        }
    }

    #[test]
    fn typed_addresses_are_split() {
        let pair =
            |local: &str, domain: Option<&str>| Some((local.to_owned(), domain.map(str::to_owned)));
        assert_eq!(parse_email_address(" joe@x.org\n", true, true), pair("joe", Some("x.org")));
        assert_eq!(parse_email_address("joe@x", true, false), pair("joe", Some("x")));
        assert_eq!(parse_email_address("joe@x", true, true), None);
        assert_eq!(parse_email_address("joe", false, true), pair("joe", None));
        assert_eq!(parse_email_address("joe", true, true), None);
        assert_eq!(parse_email_address("Joe <joe@x.org>", false, false), None);
    }
}
