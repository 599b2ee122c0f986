//! Splits the prelude's text into its definitions without reading them. A script needs few of them,
//! and each is read when the script first mentions it. A definition begins with `(define` at the
//! start of a line; a comment between two belongs to the first.

use memchr::memmem;

const TEXTS: [&str; 9] = [
    include_str!("prelude.scm"),
    include_str!("restarts.scm"),
    include_str!("sequences.scm"),
    include_str!("scheme.scm"),
    include_str!("evaluation.scm"),
    include_str!("breaks.scm"),
    include_str!("conditions.scm"),
    include_str!("streams.scm"),
    include_str!("timeouts.scm"),
];

/// A form of the prelude.
pub(super) struct Definition {
    pub name: &'static str,
    pub kind: Kind,
    /// The text of the form.
    pub text: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Defines a function or a variable.
    Value,
    /// Defines a macro.
    Syntax,
}

pub(super) fn definitions() -> Vec<Definition> {
    TEXTS.into_iter().flat_map(definitions_of).collect()
}

fn definitions_of(text: &'static str) -> Vec<Definition> {
    let mut starts: Vec<usize> =
        memmem::find_iter(text.as_bytes(), "\n(define").map(|line_end| line_end + 1).collect();
    starts.push(text.len());
    starts.windows(2).filter_map(|bounds| definition(&text[bounds[0]..bounds[1]])).collect()
}

fn definition(text: &'static str) -> Option<Definition> {
    let (head, rest) = text.split_once(' ')?;
    let name = rest.trim_start_matches('(').split([' ', ')', '\n']).next()?;
    Some(Definition {
        name,
        kind: if head == "(define-syntax" { Kind::Syntax } else { Kind::Value },
        text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lisp::expander::announced;
    use crate::lisp::expander::several::SEVERAL;
    use crate::lisp::{Node, reader};

    #[test]
    fn every_form_of_the_prelude_is_found_under_its_name() {
        let forms: Vec<Node> = TEXTS.iter().flat_map(|text| reader::read(text).unwrap()).collect();
        let found = definitions();
        assert_eq!(found.len(), forms.len());
        for (definition, form) in found.iter().zip(&forms) {
            let alone = reader::read(definition.text).unwrap();
            assert_eq!(
                alone.iter().map(Node::datum).collect::<Vec<_>>(),
                [form.datum()],
                "{}",
                definition.name
            );
            let mut announced_name = None;
            announced(form, &mut |name| announced_name = Some(name.to_string()));
            let is_value = definition.kind == Kind::Value;
            assert_eq!(
                announced_name,
                is_value.then(|| definition.name.to_owned()),
                "{}",
                definition.text
            );
        }
    }

    /// Functions that mention one that gives several values, and give one.
    #[rustfmt::skip]
    const SINGLE: &[&str] = &[
        "boundp", "drop-while", "fboundp", "floor-quotient", "floor-remainder",
        "hash-table-exists?", "hash-table-ref/default", "hash-table-update!", "isqrt", "makunbound",
        "pairlis", "set", "symbol-function", "symbol-value",
        "regexp-match", "string-join", "take-while",
        "truncate-quotient", "truncate-remainder",
    ];

    #[test]
    fn definitions_that_give_several_values_are_known_to_the_expander() {
        let mut unknown = Vec::new();
        for definition in definitions().iter().filter(|definition| definition.kind == Kind::Value) {
            // What `apply` and `funcall` give depends on the function; these pass it on inside.
            let mut words =
                definition.text.split(|c: char| c.is_whitespace() || "()'".contains(c)).skip(2);
            let gives = words.any(|word| {
                word == "%values-from"
                    || !["apply", "funcall", definition.name].contains(&word)
                        && SEVERAL.binary_search(&word).is_ok()
            });
            if gives
                && !definition.name.starts_with('%')
                && !SINGLE.contains(&definition.name)
                && SEVERAL.binary_search(&definition.name).is_err()
            {
                unknown.push(definition.name);
            }
        }
        assert!(unknown.is_empty(), "add to SEVERAL, or to SINGLE: {unknown:?}");
    }
}
