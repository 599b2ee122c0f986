//! Conditions of `#+` and `#-` (ANSI 24.1.2).

use super::node::{Kind, Node};
use super::reader::{ReadError, malformed};

/// The features of this host. `:allegro` is not among them: what a program keeps for Allegro CL
/// alone uses more of it than there is here.
const FEATURES: [&str; 4] =
    ["postoffice", "common-lisp", "ieee-floating-point", if cfg!(unix) { "unix" } else { "win32" }];

/// Returns whether a condition holds: a feature, or `and`, `or` or `not` of conditions.
pub(super) fn holds(condition: &Node) -> Result<bool, ReadError> {
    match &condition.kind {
        Kind::Symbol(symbol) => Ok(is_feature(&symbol.name)),
        Kind::Keyword(name) => Ok(is_feature(name)),
        Kind::List(elements) => match elements.split_first() {
            Some((head, rest)) if is(head, "and") => {
                rest.iter().try_fold(true, |all, one| Ok(holds(one)? && all))
            }
            Some((head, rest)) if is(head, "or") => {
                rest.iter().try_fold(false, |any, one| Ok(holds(one)? || any))
            }
            Some((head, [one])) if is(head, "not") => Ok(!holds(one)?),
            _ => Err(wrong(condition)),
        },
        _ => Err(wrong(condition)),
    }
}

fn is_feature(name: &str) -> bool {
    FEATURES.iter().any(|feature| feature.eq_ignore_ascii_case(name))
}

fn is(head: &Node, operator: &str) -> bool {
    match &head.kind {
        Kind::Symbol(symbol) => symbol.name.eq_ignore_ascii_case(operator),
        Kind::Keyword(name) => name.eq_ignore_ascii_case(operator),
        _ => false,
    }
}

fn wrong(condition: &Node) -> ReadError {
    let expected = "expected a feature, or (and …), (or …), (not …) of features, after #+ or #-";
    malformed(expected.to_owned(), condition.span)
}
