//! The words of an undo about a step.

use super::Verdict;

pub(super) fn nothing(words: &str) -> (Verdict, String) {
    (Verdict::Nothing, words.to_owned())
}

pub(super) fn impossible(words: &str) -> (Verdict, String) {
    (Verdict::Impossible, words.to_owned())
}

pub(super) fn plural(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

pub(super) fn letters_text(count: usize) -> String {
    plural(count, "letter", "letters")
}

/// Says that letters are left alone because their mailbox was replaced during the undo.
pub(super) const REPLACED: &str = "{} left alone, because another mailbox has its name now";

/// Builds the words about a step.
pub(super) struct Words(String);

impl Words {
    pub(super) fn new(words: String) -> Self {
        Words(words)
    }

    /// Adds what else is so, if there is any. Words for one and for several are separated by `|`.
    pub(super) fn also(&mut self, count: usize, words: &str) {
        if count > 0 {
            let words = match words.split_once('|') {
                Some((one, _)) if count == 1 => one,
                Some((_, several)) => several,
                None => words,
            };
            self.0 += &format!("; {}", words.replace("{}", &count.to_string()));
        }
    }

    pub(super) fn verdict(self, done: usize, lost: usize) -> (Verdict, String) {
        let verdict = match (done, lost) {
            (0, 0) => Verdict::Nothing,
            (_, 0) => Verdict::Restored,
            (0, _) => Verdict::Impossible,
            _ => Verdict::Partly,
        };
        (verdict, self.0)
    }
}
