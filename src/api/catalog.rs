//! The table of all functions, by topic.
//!
//! The rows of a topic are next to its functions, in a constant `FUNCTIONS`. A row has the name,
//! the lambda list, the types of arguments, the docstring, the implementation, and whether an
//! untrusted script may call the function. Registration, help, completion, the reference and the
//! list for untrusted scripts all read this table.

use super::{
    accessors, accounts, connections, cursors, dates, envelope, fetching, help, letter_sets,
    letters, limits, mailboxes, messages, parts, pipeline, pop, reconnecting, run_program,
    searching, sets, smtp, tables, unpacking, waiting, watching,
};
use crate::host::{self, Function, Known, Value};

/// A group of related functions.
pub struct Topic {
    /// The heading in help and reference.
    pub title: &'static str,
    /// The functions, in display order.
    pub functions: &'static [Function],
}

/// All functions of the mail interface, in the order of registration and of the help.
pub const TOPICS: &[Topic] = &[
    Topic { title: "Connections", functions: connections::FUNCTIONS },
    Topic { title: "Lost connections", functions: reconnecting::FUNCTIONS },
    Topic { title: "Mailboxes", functions: mailboxes::FUNCTIONS },
    Topic { title: "What a mailbox object knows", functions: accessors::FUNCTIONS },
    Topic { title: "Fetching", functions: fetching::FUNCTIONS },
    Topic { title: "Many calls at once", functions: pipeline::FUNCTIONS },
    Topic { title: "Changing", functions: messages::FUNCTIONS },
    Topic { title: "Limits", functions: limits::FUNCTIONS },
    Topic { title: "Waiting", functions: waiting::FUNCTIONS },
    Topic { title: "Envelopes", functions: envelope::FUNCTIONS },
    Topic { title: "Archives", functions: unpacking::FUNCTIONS },
    Topic { title: "POP", functions: pop::FUNCTIONS },
    Topic { title: "SMTP", functions: smtp::FUNCTIONS },
    // After the topics whose functions it calls.
    Topic { title: "Accounts", functions: accounts::FUNCTIONS },
    Topic { title: "Sets of letters", functions: letter_sets::CHOOSING },
    Topic { title: "What a letter knows", functions: letter_sets::READING },
    Topic { title: "Changing letters of a set", functions: letter_sets::CHANGING },
    Topic { title: "New since last time", functions: cursors::FUNCTIONS },
    Topic { title: "Watching", functions: watching::FUNCTIONS },
    Topic { title: "Rules", functions: letter_sets::RULES },
    Topic { title: "Letters for files and programs", functions: letter_sets::HANDING_OVER },
    Topic { title: "Headers and addresses", functions: letters::FUNCTIONS },
    Topic { title: "Letters and their parts", functions: parts::FUNCTIONS },
    Topic { title: "Dates", functions: dates::FUNCTIONS },
    Topic { title: "Output for other programs", functions: tables::FUNCTIONS },
    Topic { title: "Other programs", functions: run_program::FUNCTIONS },
    Topic { title: "Help and sandbox", functions: help::FUNCTIONS },
];

/// The functions of this table, for checking programs that call them.
pub struct Interface;

impl Known for Interface {
    fn function(&self, name: &str) -> Option<&'static Function> {
        TOPICS.iter().flat_map(|topic| topic.functions).find(|function| function.name == name)
    }

    fn misuse(&self, function: &str, parameter: &str, value: &Value) -> Option<String> {
        let wrong = match parameter {
            "expression" => searching::check(function, value),
            "messages" => sets::check(function, parameter, value),
            "parts" if host::as_str(value).is_some() => fetching::check(function, value),
            _ => return None,
        };
        wrong.err().map(|condition| condition.message)
    }
}

/// Returns the names of the functions that an untrusted script may call.
pub fn for_untrusted() -> impl Iterator<Item = &'static str> {
    let functions = TOPICS.iter().flat_map(|topic| topic.functions);
    functions.filter(|function| function.for_untrusted == Some(true)).map(|function| function.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_is_checked_or_refused() {
        let functions = TOPICS.iter().flat_map(|topic| topic.functions);
        let undecided: Vec<_> = functions
            .filter(|function| function.for_untrusted.is_none())
            .map(|function| function.name)
            .collect();
        assert!(
            undecided.is_empty(),
            "may an untrusted script call these? if each asks the policy before it reaches for anything, its row is .checked(), else .refused(): {undecided:?}"
        );
    }

    #[test]
    fn every_type_belongs_to_a_parameter() {
        for function in TOPICS.iter().flat_map(|topic| topic.functions) {
            let words: Vec<&str> = function.lambda_list.split([' ', '(', ')']).collect();
            for (parameter, _) in function.types {
                assert!(words.contains(parameter), "{}: {parameter}", function.name);
            }
        }
    }
}
