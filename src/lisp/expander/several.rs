//! Where a form gives one value only.
//!
//! `values` returns its first value and keeps the list of all in a place of its own, where
//! `multiple-value-bind` and its like look for it. So a list that nobody asked for could be taken
//! for the values of a form that is evaluated later and returns the same first value:
//! `(multiple-value-list (+ 0 (truncate 7 2)))`. In an argument, in a binding and in an assignment
//! only the first value counts (ANSI 3.1.7), so a form there that may give several is emitted
//! within `s/%single`, which forgets the list.

use super::output::Output;
use super::scope::{Binding, Meaning};
use super::{Expanded, Pass, Scope};
use crate::lisp::node::{Kind, Node};

/// Functions and forms of the language that may give several values, sorted.
#[rustfmt::skip]
pub(crate) const SEVERAL: &[&str] = &[
    "apply", "break", "break!", "call-with-current-continuation", "call-with-escape-continuation",
    "call-with-input-file", "call-with-output-file", "call-with-port", "call-with-values", "call/cc", "call/ec",
    "car+cdr", "ceiling", "decode-universal-time", "dynamic-wind", "eval", "exact-integer-sqrt", "fceiling",
    "ffloor", "floor", "floor/", "force", "fround", "ftruncate", "funcall", "get-decoded-time",
    "get-properties", "gethash", "handler-bind", "hash-table-ref", "ignore-errors", "invoke-restart",
    "invoke-restart-interactively", "let*-values", "let-values", "match-re", "match-regexp",
    "multiple-value-call", "multiple-value-prog1", "octets-to-string", "parse-integer", "partition", "partition!",
    "raise-continuable", "read-from-string", "read-line", "receive", "restart-bind", "restart-case", "round", "run-program", "span",
    "span!", "split-at", "split-at!", "string-to-octets", "truncate", "truncate/", "unzip2", "unzip3", "values",
    "values-list", "with-simple-restart",
];

/// Forms whose value is that of a form within, sorted.
#[rustfmt::skip]
const PASSING: &[&str] = &[
    "and", "begin", "block", "case", "catch", "cond", "destructuring-bind", "ecase", "etypecase",
    "flet", "guard", "handler-case", "if", "if*", "labels", "let", "let*", "letrec", "letrec*",
    "locally", "macrolet", "match", "multiple-value-bind", "or", "progn", "progv", "symbol-macrolet", "the", "typecase", "unless", "unwind-protect",
    "when", "with-handler", "with-open-file", "with-timeout",
];

impl Pass<'_> {
    /// Emits a form of which only the first value counts.
    pub(super) fn single(&mut self, node: &Node, scope: &Scope, output: &mut Output) -> Expanded {
        if self.system || !self.may_give_several(node, scope) {
            return self.form(node, scope, output);
        }
        if let Some(elements) = node.as_list()
            && self.library_name(&elements[0], scope).as_deref() == Some("gethash")
        {
            // This function gives the first value alone, at less cost.
            self.wants_first = true;
            return self.form(node, scope, output);
        }
        output.push("(s/%single ");
        self.form(node, scope, output)?;
        output.push(")");
        Ok(())
    }

    fn may_give_several(&self, node: &Node, scope: &Scope) -> bool {
        let Some([head, rest @ ..]) = node.as_list() else { return false };
        let Some(symbol) = head.as_symbol() else { return true };
        self.is_several(&symbol.name)
            || self.is_local(head, scope)
            || PASSING.binary_search(&&*symbol.name).is_ok()
                && rest.iter().any(|form| self.mentions_several(form, scope))
    }

    fn is_several(&self, name: &str) -> bool {
        SEVERAL.binary_search(&name).is_ok() || self.memory.several.contains(name)
    }

    /// Returns whether the head of a call is a local function, whose body is not known here.
    fn is_local(&self, head: &Node, scope: &Scope) -> bool {
        head.as_symbol().is_some_and(|symbol| {
            matches!(
                self.resolve(symbol, scope),
                Meaning::Bound(Binding::Variable(_) | Binding::Grouped(_))
            )
        })
    }

    fn mentions_several(&self, node: &Node, scope: &Scope) -> bool {
        match &node.kind {
            Kind::List(elements) => {
                elements.first().is_some_and(|head| self.is_local(head, scope))
                    || elements.iter().any(|element| self.mentions_several(element, scope))
            }
            Kind::Symbol(symbol) => self.is_several(&symbol.name),
            _ => false,
        }
    }

    /// Notes a function of a script whose body mentions another that gives several values.
    pub(super) fn note_several(&mut self, name: &Node, body: &[Node], scope: &Scope) {
        if let Some(symbol) = name.as_symbol().filter(|_| !self.system)
            && body.iter().any(|form| self.mentions_several(form, scope))
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
