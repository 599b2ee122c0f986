//! Plans: what a dry run would have changed, to be looked at, kept, and done.
//!
//! A plan is a list of steps, one for each command that changes something, in order. A step names
//! its letters by UID, under the UIDVALIDITY of their mailbox. Letters that an earlier step has
//! stored somewhere have the UIDs that the dry run expected there; the step says which they are
//! ([`PlanStep::becomes`]), so that the UIDs that the server really gives can take their place. A step
//! that appends or sends a letter has the letter.
//!
//! | file | contents |
//! |---|---|
//! | `making` | from the journal of a dry run to a plan |
//! | `text` | the plan as S-expressions, and back; the table for people |
//! | `places` | what names and UIDs mean after some of the steps |
//! | `checking` | whether the plan still fits |
//! | `applying`, `doing` | doing it: the order of steps, and what was done before; one step |

mod applying;
mod checking;
mod doing;
mod making;
mod places;
mod text;

pub use applying::{Applied, Hands, Outcome};
pub use checking::Misfit;
pub use making::Keeper;
pub use text::PlanError;

use crate::proto::deed::{Account, Act};
use crate::proto::imap::{CopiedUids, SequenceSet};

/// What a dry run would have changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The script, if there is one.
    pub script: Option<String>,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Tells this plan from another one that says the same: both can be done.
    pub id: String,
    /// The changes, in order.
    pub steps: Vec<PlanStep>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanStep {
    /// The kind of change.
    pub act: Act,
    /// The server's host; the program for [`Act::Run`].
    pub host: String,
    /// The rest of the account; `None` for a program.
    pub account: Option<Account>,
    /// The mailbox.
    pub mailbox: Option<String>,
    /// Its UIDVALIDITY, if the letters are in it.
    pub uid_validity: Option<u32>,
    /// The UIDs of the letters.
    pub uids: SequenceSet,
    /// The flags that letters have before, if that matters.
    pub flags: Vec<(SequenceSet, Vec<String>)>,
    /// The UIDs that letters are expected to get.
    pub becomes: Option<CopiedUids>,
    /// How many letters a mailbox has that is deleted or renamed.
    pub count: Option<u64>,
    /// The UIDNEXT that a mailbox has which is deleted, with the letters that the plan has put there.
    pub uid_next: Option<u32>,
    /// Subjects of some of the letters.
    pub subjects: Vec<String>,
    /// The letter that is appended or sent.
    pub letter: Option<PlannedLetter>,
    /// The program and its arguments, for [`Act::Run`].
    pub program: Vec<String>,
}

impl PlanStep {
    /// Whether it changes letters that are in a mailbox.
    fn is_of_letters(&self) -> bool {
        is_of_letters(&self.act)
    }
}

/// Whether an act changes letters that are in a mailbox.
fn is_of_letters(act: &Act) -> bool {
    matches!(
        act,
        Act::Copy { .. } | Act::Move { .. } | Act::StoreFlags { .. } | Act::MarkSeen | Act::Expunge
    )
}

/// A letter that a plan appends or sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedLetter {
    /// The internal date, for APPEND, as IMAP writes it: `13-Sep-1999 11:36:26 -0700`.
    pub date: Option<String>,
    /// The reverse path, for a program.
    pub from: Option<String>,
    /// The letter, with CRLF line ends.
    pub bytes: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::rows::stored_of;

    /// A step of one account.
    pub(super) fn step(act: Act, mailbox: &str, uids: &str, becomes: Option<&str>) -> PlanStep {
        PlanStep {
            act,
            host: "h".into(),
            account: Some(Account { protocol: "imap", port: 143, user: Some("u".into()) }),
            mailbox: Some(mailbox.into()),
            uid_validity: Some(7),
            uids: uids.parse().unwrap_or_default(),
            flags: Vec::new(),
            becomes: becomes.and_then(stored_of),
            count: None,
            uid_next: None,
            subjects: Vec::new(),
            letter: None,
            program: Vec::new(),
        }
    }

    #[test]
    fn a_plan_is_read_back_as_it_was_written() {
        let flag = |name: &str| crate::proto::imap::Flag::new(name).unwrap();
        let store = Act::StoreFlags {
            mode: crate::proto::imap::command::StoreMode::Add,
            flags: vec![flag("\\Deleted"), flag("$x")],
            unchanged_since: None,
        };
        let mut stored = step(store, "INBOX", "4:9", None);
        stored.flags =
            vec![("4:8".parse().unwrap(), vec!["\\Seen".into()]), ("9".parse().unwrap(), vec![])];
        stored.subjects = vec!["Déjà \"vu\" \\ \n".into()];
        let none = Act::StoreFlags {
            mode: crate::proto::imap::command::StoreMode::Replace,
            flags: vec![],
            unchanged_since: None,
        };
        let append = Act::Append { bytes: 3, flags: vec![], message_id: None };
        let mut appended = step(append, "ä", "", Some("7 3"));
        appended.letter =
            Some(PlannedLetter { date: Some("x".into()), from: None, bytes: vec![0, 255, 10] });
        let mut run = step(Act::Run { program: "p".into(), to: vec!["a@b".into()] }, "", "", None);
        run.account = None;
        run.mailbox = None;
        run.uid_validity = None;
        run.host = "p".into();
        run.program = vec!["p".into(), "-i".into()];
        run.uids = SequenceSet::new();
        run.letter = Some(PlannedLetter { date: None, from: Some("me@x".into()), bytes: vec![] });
        let mut send =
            step(Act::Send { from: String::new(), to: vec!["a@b".into()] }, "", "", None);
        send.account = Some(Account { protocol: "smtp", port: 25, user: None });
        send.mailbox = None;
        send.letter =
            Some(PlannedLetter { date: None, from: None, bytes: b"Subject: x\r\n\r\n".to_vec() });
        let mut deleted = step(Act::DeleteMailbox, "x", "", None);
        deleted.count = Some(12);
        deleted.uid_next = Some(13);
        let plan = Plan {
            script: Some("a \"b\".scm".into()),
            arguments: vec!["-x".into(), String::new()],
            id: "12ab".into(),
            steps: vec![
                step(Act::Move { to: "b\nc".into() }, "INBOX", "1,3:5", Some("9 1,3:5 1:4")),
                stored,
                step(none, "INBOX", "7", None),
                appended,
                run,
                send,
                deleted,
                step(Act::Expunge, "INBOX", "4", None),
            ],
        };
        let text = plan.to_string();
        assert_eq!(text.parse::<Plan>().as_ref(), Ok(&plan), "{text}");
    }

    #[test]
    fn what_is_no_plan_is_refused() {
        for (text, expected) in [
            ("", "at the beginning"),
            ("(plan :version 2)", "its version is 2"),
            ("(plan)", ":version"),
            (
                "(plan :version 1 :id \"x\") (step 2 (create) :account (\"imap\" \"h\" 143 \"u\"))",
                "step 1",
            ),
            (
                "(plan :version 1 :id \"x\") (step 1 (fly) :account (\"imap\" \"h\" 143 \"u\"))",
                "step 1",
            ),
            (
                "(plan :version 1 :id \"x\") (step 1 (create) :account (\"http\" \"h\" 143 \"u\"))",
                "step 1",
            ),
            ("(plan :version 1 :id \"x\") (step 1 (create))", "step 1"),
            (
                "(plan :version 1 :id \"x\") (step 1 (append 3 nil nil) :account (\"imap\" \"h\" 143 \"u\"))",
                "step 1",
            ),
            (
                "(plan :version 1 :id \"x\") (step 1 (move \"b\") :account (\"imap\" \"h\" 143 \"u\") :uids \"1:*\")",
                "step 1",
            ),
            ("(plan :version 1", "not a plan"),
            ("(plan :version 1)", ":id"),
        ] {
            let error = text.parse::<Plan>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
