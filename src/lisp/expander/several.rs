//! Where a form gives one value only.
//!
//! `values` returns its first value and keeps the list of all in a place of its own, where
//! `multiple-value-bind` and its like look for it. So a list that nobody asked for could be taken
//! for the values of a form that is evaluated later and returns the same first value:
//! `(multiple-value-list (+ 0 (truncate 7 2)))`. In an argument, in a binding and in an assignment
//! only the first value counts (ANSI 3.1.7), so a form there that may give several is emitted
//! within `s/%single`, which forgets the list.

use super::output::Output;
use super::{Expanded, Pass, Scope};
use crate::lisp::node::{Kind, Node};

/// Functions of the language that give several values, sorted.
const SEVERAL: &[&str] = &[
    "ceiling",
    "decode-universal-time",
    "exact-integer-sqrt",
    "fceiling",
    "ffloor",
    "floor",
    "floor/",
    "fround",
    "ftruncate",
    "get-decoded-time",
    "get-properties",
    "gethash",
    "ignore-errors",
    "multiple-value-prog1",
    "parse-integer",
    "partition",
    "read-line",
    "round",
    "run-program",
    "truncate",
    "truncate/",
    "values",
    "values-list",
];

/// Forms whose value is that of a form within.
const PASSING: &[&str] =
    &["begin", "case", "cond", "if", "let", "let*", "progn", "unless", "unwind-protect", "when"];

impl Pass<'_> {
    /// Emits a form of which only the first value counts.
    pub(super) fn single(&mut self, node: &Node, scope: &Scope, output: &mut Output) -> Expanded {
        if self.system || !self.may_give_several(node) {
            return self.form(node, scope, output);
        }
        output.push("(s/%single ");
        self.form(node, scope, output)?;
        output.push(")");
        Ok(())
    }

    fn may_give_several(&self, node: &Node) -> bool {
        let Some([head, rest @ ..]) = node.as_list() else { return false };
        let Some(symbol) = head.as_symbol() else { return false };
        self.is_several(&symbol.name)
            || PASSING.binary_search(&&*symbol.name).is_ok()
                && rest.iter().any(|form| self.mentions_several(form))
    }

    fn is_several(&self, name: &str) -> bool {
        SEVERAL.binary_search(&name).is_ok() || self.memory.several.contains(name)
    }

    fn mentions_several(&self, node: &Node) -> bool {
        match &node.kind {
            Kind::List(elements) => elements.iter().any(|element| self.mentions_several(element)),
            Kind::Symbol(symbol) => self.is_several(&symbol.name),
            _ => false,
        }
    }

    /// Notes a function of a script whose body mentions another that gives several values.
    pub(super) fn note_several(&mut self, name: &Node, body: &[Node]) {
        if self.system {
            return;
        }
        if let Some(symbol) = name.as_symbol()
            && body.iter().any(|form| self.mentions_several(form))
        {
            self.memory.several.insert(symbol.name.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tables_are_sorted() {
        assert!(super::SEVERAL.is_sorted());
        assert!(super::PASSING.is_sorted());
    }
}
