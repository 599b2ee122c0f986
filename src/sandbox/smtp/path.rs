//! Parses the addresses in MAIL and RCPT (RFC 5321 4.1.2, 6531 3.3).

/// The longest local part (RFC 5321 4.5.3.1.1).
const LOCAL_LIMIT: usize = 64;

/// The longest domain (RFC 5321 4.5.3.1.2).
const DOMAIN_LIMIT: usize = 255;

/// The path between `<` and `>`, without the source route, which servers ignore (RFC 5321 C).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    /// The address as the client wrote it; empty for `<>`.
    pub(crate) text: String,
    /// The local part, without quotes and backslashes.
    pub(crate) local: String,
    /// The domain; the sandbox also accepts an address without one.
    pub(crate) domain: Option<String>,
}

impl Path {
    /// Parses an address without angle brackets; `None` if it is malformed.
    pub(crate) fn parse(text: &str) -> Option<Path> {
        let text = without_route(text)?;
        let (local, rest) = match text.strip_prefix('"') {
            Some(quoted) => quoted_string(quoted)?,
            None => dot_string(text)?,
        };
        let domain = match rest.strip_prefix('@') {
            Some(domain) if is_domain(domain) => Some(domain.to_owned()),
            None if rest.is_empty() => None,
            _ => return None,
        };
        (text.len() - rest.len() <= LOCAL_LIMIT).then(|| Path {
            text: text.to_owned(),
            local,
            domain,
        })
    }

    /// The null reverse path, `<>`.
    pub(crate) fn null() -> Path {
        Path { text: String::new(), local: String::new(), domain: None }
    }
}

/// Splits `<address> parameters`; `None` if a bracket is missing.
pub(crate) fn split_brackets(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('<')?;
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in inner.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '>' if !quoted => return Some((&inner[..at], &inner[at + 1..])),
            _ => {}
        }
    }
    None
}

/// Removes a source route: `@one,@two:user@host` becomes `user@host`.
fn without_route(text: &str) -> Option<&str> {
    if !text.starts_with('@') {
        return Some(text);
    }
    let (route, address) = text.split_once(':')?;
    let hop = |hop: &str| hop.strip_prefix('@').is_some_and(is_domain);
    route.split(',').all(hop).then_some(address)
}

/// Reads a quoted string after its first quote. Returns its value and the rest.
fn quoted_string(quoted: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            c => value.push(c),
        }
    }
    None
}

/// Splits a local part of atoms with single dots between them from the rest, which begins at `@`.
fn dot_string(text: &str) -> Option<(String, &str)> {
    let (local, rest) = text.split_at(text.find('@').unwrap_or(text.len()));
    let atom = |atom: &str| !atom.is_empty() && atom.chars().all(is_atext);
    local.split('.').all(atom).then(|| (local.to_owned(), rest))
}

fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || is_other_letter(c)
}

/// Beyond ASCII, but not a control character that a terminal would act on.
fn is_other_letter(c: char) -> bool {
    !c.is_ascii() && !c.is_control()
}

fn is_domain(text: &str) -> bool {
    if text.len() > DOMAIN_LIMIT {
        return false;
    }
    if let Some(literal) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        return !literal.is_empty()
            && literal.bytes().all(|byte| byte.is_ascii_graphic() && !b"[]\\<>".contains(&byte));
    }
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '-' || is_other_letter(c);
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(inner)
    };
    text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::{Path, split_brackets};

    #[test]
    fn addresses() {
        for (text, expected) in [
            ("a@b", Some(("a", Some("b")))),
            ("a.b+c@d-e.org", Some(("a.b+c", Some("d-e.org")))),
            ("postmaster", Some(("postmaster", None))),
            ("\"a b\"@c", Some(("a b", Some("c")))),
            ("\"a\\\"@>\"@c", Some(("a\"@>", Some("c")))),
            ("a@[127.0.0.1]", Some(("a", Some("[127.0.0.1]")))),
            ("a@[IPv6:::1]", Some(("a", Some("[IPv6:::1]")))),
            ("@x.org,@y.org:a@b", Some(("a", Some("b")))),
            ("jörg@bücher.example", Some(("jörg", Some("bücher.example")))),
            ("", None),
            ("@b", None),
            ("a@", None),
            ("a@b@c", None),
            ("a b@c", None),
            (".a@b", None),
            ("a..b@c", None),
            ("a@b..c", None),
            ("a@-b", None),
            ("a@b c", None),
            ("a@[]", None),
            ("\"a@b", None),
            ("\"a\\", None),
            ("<a@b>", None),
            ("@x:", None),
            ("@:a@b", None),
        ] {
            let path = Path::parse(text);
            let found = path.as_ref().map(|path| (path.local.as_str(), path.domain.as_deref()));
            assert_eq!(found, expected, "{text:?}");
        }
        assert!(Path::parse(&format!("{}@b", "a".repeat(64))).is_some());
        assert!(Path::parse(&format!("{}@b", "a".repeat(65))).is_none());
    }

    #[test]
    fn brackets_end_outside_quotes() {
        for (text, expected) in [
            ("<a@b> SIZE=1", Some(("a@b", " SIZE=1"))),
            ("<>", Some(("", ""))),
            ("<\"a>\\\"\"@b>", Some(("\"a>\\\"\"@b", ""))),
            ("<a@b", None),
            ("a@b", None),
            ("", None),
        ] {
            assert_eq!(split_brackets(text), expected, "{text:?}");
        }
    }
}
