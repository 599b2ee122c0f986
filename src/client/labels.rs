//! Labels of letters: Gmail's own (X-GM-EXT-1), elsewhere keywords (RFC 3501 2.3.2).
//!
//! A name that no keyword can carry is kept in modified UTF-7, as names of mailboxes are: `To Do` is
//! the keyword `To&ACA-Do`. A keyword that is not written that way is a label as it is.

use super::error::Error;
use super::extension_items::GMAIL;
use super::imap::ImapClient;
use super::pending::Each;
use crate::proto::imap::command::StoreMode;
use crate::proto::imap::{Command, Data, Flag, Messages, utf7};

/// Returns the keyword for a label; `None` if there is none, as for the empty one.
pub fn keyword_of_label(label: &str) -> Option<Flag> {
    Flag::new(&utf7::encode_atom(label)?).ok()
}

/// Returns the label that a keyword stands for.
pub fn label_of_keyword(keyword: &str) -> String {
    utf7::decode_atom(keyword).unwrap_or_else(|| keyword.to_owned())
}

impl ImapClient {
    /// Whether the server has labels of its own.
    pub fn has_labels(&self) -> bool {
        self.capabilities().offers(GMAIL)
    }

    /// Adds labels to letters, or removes them. Those that begin with `\` are the system's, such as
    /// `\Important`, which only Gmail has.
    ///
    /// # Errors
    /// An error for a label that cannot be sent, before anything is sent.
    pub fn store_labels(
        &mut self,
        messages: &Messages,
        mode: StoreMode,
        labels: &[String],
    ) -> Result<(), Error> {
        if !self.has_labels() {
            self.check_foreseen(&["X-GM-EXT-1"])?;
            let keyword = |label: &String| {
                keyword_of_label(label).filter(|_| !label.starts_with('\\')).ok_or_else(|| {
                    Error::Unsupported(format!(
                        "the server has no labels of its own, and no keyword can be the label {label:?}"
                    ))
                })
            };
            let keywords: Vec<Flag> = labels.iter().map(keyword).collect::<Result<_, _>>()?;
            return self.store_silently(messages, mode, &keywords);
        }
        let reader = self.fetch_reader(messages, Each(|_: Data<'_>| Ok(())));
        let store = |part: &Messages| Command::store_labels(part, mode, labels);
        let commands = self.for_each_part(messages, store)?;
        let pending = self.begin(commands, reader)?;
        self.wait(pending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_keywords_are_each_others() {
        for (label, keyword) in [
            ("work", "work"),
            ("To Do", "To&ACA-Do"),
            ("R&D", "R&-D"),
            ("grün", "gr&APw-n"),
            ("a(b)*", "a&ACg-b&ACkAKg-"),
            ("$Forwarded", "$Forwarded"),
        ] {
            assert_eq!(keyword_of_label(label).unwrap().as_str(), keyword);
            assert_eq!(label_of_keyword(keyword), label);
        }
        for other in ["R&D", "&", "gr&APw", "a&AGE-"] {
            assert_eq!(label_of_keyword(other), other);
        }
        assert_eq!(keyword_of_label(""), None);
    }
}
