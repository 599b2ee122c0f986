//! The base subject (RFC 5256 2.1), by which SORT and THREAD compare letters.
//!
//! The steps of the RFC, one after the other, on a vector of characters.

/// Longer subjects are cut: the steps take quadratic time, and nobody reads so much.
const LONGEST: usize = 2_000;

/// Returns the base subject, and whether it was one of a reply or a forwarded letter.
pub(crate) fn base_subject(subject: &str) -> (String, bool) {
    let words: Vec<&str> = subject.split([' ', '\t', '\r', '\n']).collect();
    let blank = |at: usize| words[at].is_empty();
    let mut text = String::new();
    for at in 0..words.len() {
        // A run of blanks is one; those at the ends go away below.
        if at > 0 && !(blank(at) && at + 1 < words.len()) {
            text.push(' ');
        }
        text.push_str(words[at]);
    }
    let mut rest: Vec<char> = text.chars().take(LONGEST).collect();
    let mut answers = false;
    loop {
        // (2) trailers
        loop {
            if rest.last() == Some(&' ') {
                rest.pop();
            } else if ends_with(&rest, "(fwd)") {
                rest.truncate(rest.len() - 5);
                answers = true;
            } else {
                break;
            }
        }
        // (3) to (5) leaders and blobs
        loop {
            if rest.first() == Some(&' ') {
                rest.remove(0);
                continue;
            }
            if let Some(length) = leader(&rest) {
                rest.drain(..length);
                answers = true;
                continue;
            }
            match blob(&rest) {
                Some(length) if length < rest.len() => drop(rest.drain(..length)),
                _ => break,
            }
        }
        // (6) a wrapping
        if starts_with(&rest, "[fwd:") && rest.last() == Some(&']') {
            rest.pop();
            rest.drain(..5);
            answers = true;
        } else {
            return (rest.into_iter().collect(), answers);
        }
    }
}

fn same(text: &[char], word: &str) -> bool {
    text.len() == word.len()
        && text.iter().zip(word.chars()).all(|(one, other)| one.eq_ignore_ascii_case(&other))
}

fn starts_with(text: &[char], word: &str) -> bool {
    text.get(..word.len()).is_some_and(|start| same(start, word))
}

fn ends_with(text: &[char], word: &str) -> bool {
    text.len() >= word.len() && same(&text[text.len() - word.len()..], word)
}

fn blanks(text: &[char]) -> usize {
    text.iter().take_while(|char| **char == ' ').count()
}

/// The length of `[…]` with the blanks after it.
fn blob(text: &[char]) -> Option<usize> {
    if text.first() != Some(&'[') {
        return None;
    }
    let end = 1 + text[1..].iter().position(|char| "[]".contains(*char))?;
    (text[end] == ']').then(|| end + 1 + blanks(&text[end + 1..]))
}

/// The length of `re:`, `fw:` or `fwd:`, with blobs before it and one before the colon.
fn leader(text: &[char]) -> Option<usize> {
    let mut at = 0;
    while let Some(length) = blob(&text[at..]) {
        at += length;
    }
    let word = ["re", "fwd", "fw"].into_iter().find(|word| starts_with(&text[at..], word))?;
    at += word.len();
    at += blanks(&text[at..]);
    at += blob(&text[at..]).unwrap_or(0);
    (text.get(at) == Some(&':')).then_some(at + 1)
}

#[cfg(test)]
mod tests {
    use super::base_subject;

    #[test]
    fn marks_are_removed_from_both_ends() {
        for (subject, base, answers) in [
            ("Re: [list] RE[2]: a  b (fwd) ", "a b", true),
            ("[list] a", "a", false),
            ("[a] [b]", "[b]", false),
            ("[Fwd: Re: a]", "a", true),
            ("a", "a", false),
            ("re:", "", true),
            (" ", "", false),
        ] {
            assert_eq!(base_subject(subject), (base.to_owned(), answers), "{subject}");
        }
    }
}
