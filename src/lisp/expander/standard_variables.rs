//! Variables of Common Lisp that change how values are printed and read there, and have no effect
//! here. Giving one another value than it always has would be silently wrong, so it is refused.

use super::{Expanded, Pass};
use crate::lisp::node::{Kind, Node};

/// The name, the values that change nothing here, and what to use instead.
const FIXED: &[(&str, &[&str], &str)] = &[
    ("*print-base*", &["10"], "format with ~b, ~o, ~x or ~r, or write's :base"),
    ("*print-radix*", &["nil"], "format with ~b, ~o or ~x"),
    ("*print-length*", &["nil"], "subseq"),
    ("*print-level*", &["nil"], "format"),
    ("*print-lines*", &["nil"], "subseq"),
    ("*print-escape*", &["t"], "princ"),
    ("*print-readably*", &["nil"], "prin1"),
    ("*print-circle*", &["nil"], "format"),
    ("*print-case*", &[":upcase", ":downcase"], "string-upcase or string-capitalize"),
    ("*read-base*", &["10"], "parse-integer with :radix"),
];

impl Pass<'_> {
    /// Refuses to give such a variable a value that would have no effect. A variable that the script
    /// defines under the name is its own.
    pub(super) fn check_fixed(&self, form: &str, name: &Node, value: Option<&Node>) -> Expanded {
        let Some(symbol) = name.as_symbol().filter(|symbol| !self.system && symbol.mark == 0)
        else {
            return Ok(());
        };
        let Some((own, values, instead)) = FIXED.iter().find(|it| *it.0 == *symbol.name) else {
            return Ok(());
        };
        let shown = value.map_or_else(
            || "nil".to_owned(),
            |value| match &value.kind {
                Kind::List(elements) if elements.is_empty() => "nil".to_owned(),
                _ => crate::lisp::printer::readably(&value.datum()),
            },
        );
        if self.memory.dynamic.contains(&symbol.name) || values.contains(&shown.as_str()) {
            return Ok(());
        }
        let always = values.join(" or ");
        self.error(name.span, format!("{form}: {own} is always {always} here; use {instead}"))
    }
}
