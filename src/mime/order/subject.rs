//! The base subject of a letter (RFC 5256 2.1): its subject without the marks of replies and
//! forwarded letters, and without the names of lists.
//!
//! The marks are removed from both ends in linear time: what was looked at and stays is not looked
//! at again.

/// A subject without the marks of replies, forwarded letters and lists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BaseSubject {
    /// The text; its case is kept.
    pub text: String,
    /// Whether a mark of a reply or a forwarded letter was removed: `Re:`, `Fwd:`, `(fwd)`, `[fwd: …]`.
    pub is_reply: bool,
}

/// Extracts the base subject of a subject whose encoded words are decoded (RFC 5256 2.1).
pub fn base_subject(subject: &str) -> BaseSubject {
    let single = single_spaced(subject);
    let (mut text, mut is_reply) = (single.as_str(), false);
    loop {
        (text, is_reply) = without_trailers(text, is_reply);
        (text, is_reply) = without_leaders(text, is_reply);
        let inner = strip_start(text, "[fwd:").and_then(|text| text.strip_suffix(']'));
        match inner {
            Some(inner) => (text, is_reply) = (inner, true),
            None => return BaseSubject { text: text.to_owned(), is_reply },
        }
    }
}

/// Replaces tabs and line ends by spaces, and runs of spaces by one.
fn single_spaced(text: &str) -> String {
    let mut single = String::with_capacity(text.len());
    for char in text.chars() {
        let char = if matches!(char, '\t' | '\r' | '\n') { ' ' } else { char };
        if char != ' ' || !single.ends_with(' ') {
            single.push(char);
        }
    }
    single
}

/// Removes spaces and `(fwd)` at the end (`subj-trailer`).
fn without_trailers(mut text: &str, mut is_reply: bool) -> (&str, bool) {
    loop {
        text = text.trim_end_matches(' ');
        let start = text.len().wrapping_sub("(fwd)".len());
        match text.get(start..) {
            Some(end) if end.eq_ignore_ascii_case("(fwd)") => {
                (text, is_reply) = (&text[..start], true);
            }
            _ => return (text, is_reply),
        }
    }
}

/// Removes spaces, blobs and `re:` at the start (`subj-leader`, `subj-blob`). A blob that is all
/// that is left stays.
fn without_leaders(mut text: &str, mut is_reply: bool) -> (&str, bool) {
    loop {
        text = text.trim_start_matches(' ');
        let (mut rest, mut last_blob) = (text, text);
        while let Some(behind) = without_blob(rest) {
            (last_blob, rest) = (rest, behind);
        }
        match without_refwd(rest) {
            Some(behind) => (text, is_reply) = (behind, true),
            None if rest.is_empty() => return (last_blob, is_reply),
            None => return (rest, is_reply),
        }
    }
}

/// Removes `[…]` and the spaces after it (`subj-blob`).
fn without_blob(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('[')?;
    let end = inside.find(['[', ']'])?;
    inside[end..].strip_prefix(']').map(|behind| behind.trim_start_matches(' '))
}

/// Removes `re:`, `fw:` or `fwd:`, with spaces and a blob before the colon (`subj-refwd`).
fn without_refwd(text: &str) -> Option<&str> {
    let word = strip_start(text, "re")
        .or_else(|| strip_start(text, "fwd"))
        .or_else(|| strip_start(text, "fw"))?;
    let word = word.trim_start_matches(' ');
    without_blob(word).unwrap_or(word).strip_prefix(':')
}

/// Removes a prefix in any case.
fn strip_start<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let start = text.get(..prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_subjects_are_those_of_rfc_5256() {
        for (subject, text, is_reply) in [
            ("hello", "hello", false),
            ("  hello\t \r\n world ", "hello world", false),
            ("Re: hello", "hello", true),
            ("RE:RE : re[2]: hello", "hello", true),
            ("Re [list] : hello", "hello", true),
            ("Fw: hello", "hello", true),
            ("fwd: hello", "hello", true),
            ("Fwd : hello (fwd)", "hello", true),
            ("hello (fwd) (FWD)  ", "hello", true),
            ("[list] hello", "hello", false),
            ("[list] [other] Re: [third] hello", "hello", true),
            ("[a][b]", "[b]", false),
            ("[a]", "[a]", false),
            ("[a] ", "[a]", false),
            ("Re: [a]", "[a]", true),
            ("[fwd: hello]", "hello", true),
            ("[Fwd: Re: [list] hello (fwd)]", "hello", true),
            ("[fwd: [fwd: hello]]", "hello", true),
            ("[fwd: hello] x", "x", false),
            ("[fwd: hello", "[fwd: hello", false),
            ("Re: [fwd: hello]", "hello", true),
            ("[fwd:]", "", true),
            ("Re:", "", true),
            ("Re: ", "", true),
            ("(fwd)", "", true),
            ("", "", false),
            ("   ", "", false),
            ("Reply: hello", "Reply: hello", false),
            ("Re hello", "Re hello", false),
            ("Fwdx: hello", "Fwdx: hello", false),
            ("[a [b] c", "[a [b] c", false),
            ("[a]b] c", "b] c", false),
            ("hello Re: there", "hello Re: there", false),
            ("AW: hello", "AW: hello", false),
            ("Ré: é", "Ré: é", false),
            ("é", "é", false),
            ("(fwé)", "(fwé)", false),
        ] {
            let expected = BaseSubject { text: text.to_owned(), is_reply };
            assert_eq!(base_subject(subject), expected, "{subject:?}");
        }
    }
}
