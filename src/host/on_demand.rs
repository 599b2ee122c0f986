//! Definitions that run once something mentions them. The prelude and the application have some two
//! thousand, and a script uses a few. Most are loaded as they were compiled ahead (see `image`).

use std::collections::{HashMap, HashSet};

/// The source of a global's value.
#[derive(Clone)]
pub(super) enum Definition {
    /// A form of the prelude.
    Language(&'static str),
    /// A form in the application's text.
    Form(String),
    /// The value of another emitted global.
    Alias(String),
    /// What the first of these emitted globals returns for the others.
    Call(Vec<String>),
}

impl Definition {
    /// Returns the emitted text that defines `global`; `None` for a form, which must be expanded.
    pub fn text(&self, global: &str) -> Option<String> {
        match self {
            Definition::Language(_) | Definition::Form(_) => None,
            Definition::Alias(target) => Some(format!("(set! {global} {target})")),
            Definition::Call(words) => Some(format!("(set! {global} ({}))", words.join(" "))),
        }
    }
}

/// Room for the definitions of the language and the application, so that the table need not grow at
/// start.
const DEFINITIONS: usize = 2000;

/// Definitions that nothing has mentioned yet, by emitted global.
#[derive(Default)]
pub(super) struct OnDemand {
    waiting: HashMap<String, Definition>,
    /// Globals whose definitions were mentioned and have not run yet.
    under_way: HashSet<String>,
}

impl OnDemand {
    pub fn new() -> OnDemand {
        OnDemand { waiting: HashMap::with_capacity(DEFINITIONS), under_way: HashSet::new() }
    }

    pub fn put(&mut self, global: String, definition: Definition) {
        self.waiting.insert(global, definition);
    }

    /// Takes a waiting definition, which counts as under way until [`OnDemand::settle`].
    pub fn take(&mut self, global: &str) -> Option<Definition> {
        let definition = self.waiting.remove(global)?;
        self.under_way.insert(global.to_owned());
        Some(definition)
    }

    pub fn remove(&mut self, global: &str) {
        self.waiting.remove(global);
    }

    /// Returns whether the global has a definition that has not run yet.
    pub fn contains(&self, global: &str) -> bool {
        self.waiting.contains_key(global) || self.under_way.contains(global)
    }

    /// Returns whether nothing has mentioned the global's definition yet.
    pub fn is_waiting(&self, global: &str) -> bool {
        self.waiting.contains_key(global)
    }

    pub fn globals(&self) -> impl Iterator<Item = &String> {
        self.waiting.keys()
    }

    /// Notes that the mentioned definitions have run.
    pub fn settle(&mut self) {
        self.under_way.clear();
    }

    /// Returns all definitions that wait.
    #[cfg(test)]
    pub fn waiting(&self) -> impl Iterator<Item = (&String, &Definition)> {
        self.waiting.iter()
    }

    /// Returns the waiting globals that emitted text mentions. Words inside strings count too,
    /// which is harmless.
    pub fn mentioned(&self, text: &str) -> Vec<String> {
        let words = text
            .split(['(', ')', ' ', '\n', '"', '\''])
            .filter(|word| word.starts_with("u/") || word.starts_with("s/"));
        words.filter(|word| self.waiting.contains_key(*word)).map(str::to_owned).collect()
    }
}
