//! The data that completion and indentation look up while a form is typed. The parts of the line
//! editor share it, and it is refreshed before each input.

use super::completion::Known;
use crate::host::Context;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Looks up something on the connection that a variable holds, or without a name on the only open
/// connection.
pub type OfConnection = Arc<dyn Fn(Option<&str>) -> Vec<String> + Send + Sync>;

/// The data as of the last refresh.
#[derive(Clone)]
pub struct Facts {
    /// All names that can be used.
    pub names: Vec<String>,
    /// Lambda lists of the user's own functions.
    pub definitions: BTreeMap<String, String>,
    /// Where to find the lambda lists of the language and the application.
    pub context: Arc<Context>,
    /// The names of mailboxes.
    pub mailboxes: OfConnection,
    /// The flags of the selected mailbox.
    pub flags: OfConnection,
    /// The words of search expressions.
    pub search_words: Vec<String>,
    /// The words for parameters that take some of a few keywords.
    pub order_words: fn(&str) -> Vec<String>,
}

/// Answers the questions of completion and indentation. Clones share their facts.
#[derive(Clone)]
pub struct Assistant {
    facts: Arc<Mutex<Facts>>,
    names: Arc<Vec<String>>,
}

impl Assistant {
    /// Creates an assistant with these facts.
    pub fn new(facts: Facts) -> Assistant {
        let names = Arc::new(facts.names.clone());
        Assistant { facts: Arc::new(Mutex::new(facts)), names }
    }

    /// Replaces the facts of this assistant and its clones with those of `other`.
    pub fn refresh(&mut self, other: &Assistant) {
        let facts = other.facts().clone();
        self.names = Arc::new(facts.names.clone());
        *self.facts() = facts;
    }

    /// Returns the lambda list of a name.
    pub fn signature(&self, name: &str) -> Option<String> {
        let facts = self.facts();
        let own = facts.definitions.get(name).cloned();
        own.or_else(|| {
            facts
                .context
                .documentation(name)
                .map(|known| known.lambda_list)
                .filter(|list| !list.is_empty())
        })
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known for Assistant {
    fn names(&self) -> &[String] {
        &self.names
    }

    fn lambda_list(&self, name: &str) -> Option<String> {
        self.signature(name)
    }

    fn mailboxes(&self, connection: Option<&str>) -> Vec<String> {
        let ask = self.facts().mailboxes.clone();
        ask(connection)
    }

    fn flags(&self, connection: Option<&str>) -> Vec<String> {
        let ask = self.facts().flags.clone();
        ask(connection)
    }

    fn search_words(&self) -> Vec<String> {
        self.facts().search_words.clone()
    }

    fn order_words(&self, parameter: &str) -> Vec<String> {
        let words = self.facts().order_words;
        words(parameter)
    }
}
