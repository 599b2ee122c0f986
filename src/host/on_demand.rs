//! Definitions that are compiled once something mentions them. The prelude and the application have some hundred, of which a script uses a few, and compiling
//! is nearly all of what starting takes.

use std::collections::{HashMap, HashSet};

/// How a global gets its value.
pub(super) enum Definition {
    /// By a form of the prelude.
    Language(&'static str),
    /// By a form of the application's own text.
    Form(String),
    /// By emitted text.
    Text(String),
}

/// Definitions that no script has mentioned yet, by emitted global.
#[derive(Default)]
pub(super) struct OnDemand {
    waiting: HashMap<String, Definition>,
    /// Definitions that were mentioned and have not run yet.
    under_way: HashSet<String>,
}

impl OnDemand {
    pub fn put(&mut self, global: String, definition: Definition) {
        self.waiting.insert(global, definition);
    }

    /// A definition that from now on is under way.
    pub fn take(&mut self, global: &str) -> Option<Definition> {
        let definition = self.waiting.remove(global)?;
        self.under_way.insert(global.to_owned());
        Some(definition)
    }

    pub fn remove(&mut self, global: &str) {
        self.waiting.remove(global);
    }

    /// Whether the global has a value as soon as what was mentioned has run.
    pub fn contains(&self, global: &str) -> bool {
        self.waiting.contains_key(global) || self.under_way.contains(global)
    }

    pub fn globals(&self) -> impl Iterator<Item = &String> {
        self.waiting.keys()
    }

    /// Notes that the mentioned definitions have run.
    pub fn settle(&mut self) {
        self.under_way.clear();
    }

    /// The globals that emitted text mentions and that wait. What looks like one within a string is among them, which does no harm.
    pub fn mentioned(&self, text: &str) -> Vec<String> {
        let words = text
            .split(['(', ')', ' ', '\n', '"', '\''])
            .filter(|word| word.starts_with("u/") || word.starts_with("s/"));
        words.filter(|word| self.waiting.contains_key(*word)).map(str::to_owned).collect()
    }
}
