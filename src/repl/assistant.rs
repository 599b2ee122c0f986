//! The data that completion and indentation look up while a form is typed. The parts of the line editor share it; it is renewed before each input.

use super::completion::Known;
use crate::host::Context;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Looks up something of the connection that a variable holds; without one, of the only connection there is.
pub type OfConnection = Arc<dyn Fn(Option<&str>) -> Vec<String> + Send + Sync>;

/// The current data.
#[derive(Clone)]
pub struct Facts {
    /// Every name that can be used.
    pub names: Vec<String>,
    /// Lambda lists of the user's own functions.
    pub definitions: BTreeMap<String, String>,
    /// Where the language's and the application's lambda lists are.
    pub context: Arc<Context>,
    /// The names of mailboxes.
    pub mailboxes: OfConnection,
    /// The flags of the selected mailbox.
    pub flags: OfConnection,
    /// The words of search expressions.
    pub search_words: Vec<String>,
}

/// Answers from the latest facts.
#[derive(Clone)]
pub struct Assistant {
    facts: Arc<Mutex<Facts>>,
    names: Arc<Vec<String>>,
}

impl Assistant {
    /// An assistant that knows these facts.
    pub fn new(facts: Facts) -> Assistant {
        let names = Arc::new(facts.names.clone());
        Assistant { facts: Arc::new(Mutex::new(facts)), names }
    }

    /// From now on this and its clones know what `other` knows.
    pub fn refresh(&mut self, other: &Assistant) {
        let facts = other.facts().clone();
        self.names = Arc::new(facts.names.clone());
        *self.facts() = facts;
    }

    /// The lambda list of a name.
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
}
