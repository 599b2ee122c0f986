//! Definitions that are compiled once something mentions them. The prelude and the application have some hundred, of which a script uses a few, and compiling
//! is nearly all of what starting takes.

use std::collections::HashMap;
use std::sync::Arc;

use crate::lisp::Node;

/// How a global gets its value.
pub(super) enum Definition {
    /// By a form of the prelude.
    Form(Arc<Node>),
    /// By emitted text.
    Text(String),
}

/// What waits to be mentioned, by emitted global.
#[derive(Default)]
pub(super) struct OnDemand(HashMap<String, Definition>);

impl OnDemand {
    pub fn put(&mut self, global: String, definition: Definition) {
        self.0.insert(global, definition);
    }

    pub fn take(&mut self, global: &str) -> Option<Definition> {
        self.0.remove(global)
    }

    pub fn contains(&self, global: &str) -> bool {
        self.0.contains_key(global)
    }

    pub fn globals(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }

    /// The globals that emitted text mentions and that wait. What looks like one within a string is among them, which does no harm.
    pub fn mentioned(&self, text: &str) -> Vec<String> {
        let words = text.split(['(', ')', ' ', '\n', '"', '\'']).filter(|word| word.starts_with("u/") || word.starts_with("s/"));
        words.filter(|word| self.contains(word)).map(str::to_owned).collect()
    }
}
