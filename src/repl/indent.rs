//! The indentation of the next line of a form.

use super::signature::Signature;
use crate::lisp::cursor::{Partial, around};
use unicode_width::UnicodeWidthStr;

/// Returns the number of blanks at the start of the line after `text`. Bodies are indented by two
/// columns, arguments below the first argument, data below its first element, and the inside of a
/// string not at all. `first_column` is where the first line begins, after the prompt.
pub fn indentation(
    text: &str,
    first_column: usize,
    lambda_list: &dyn Fn(&str) -> Option<String>,
) -> usize {
    let found = around(text, text.len());
    if matches!(found.partial, Partial::String(_)) {
        return 0;
    }
    let Some(list) = found.open.last() else { return 0 };
    let column = |at: usize| {
        let line = text[..at].rsplit('\n').next().unwrap_or("");
        line.width() + if text[..at].contains('\n') { 0 } else { first_column }
    };
    let inside = column(list.start) + 1;
    // A word at the end of the text is an element like the others.
    let partial = match found.partial {
        Partial::Word(start) => Some(start),
        _ => None,
    };
    let mut elements = list.elements.iter().map(|element| element.span.start).chain(partial);
    let head = list.head().filter(|_| !list.quoted);
    let Some(head) = head.or_else(|| {
        partial.filter(|_| list.elements.is_empty() && !list.quoted).map(|start| &text[start..])
    }) else {
        return inside;
    };
    if lambda_list(head).is_some_and(|lambda_list| Signature::parse(&lambda_list).has_body) {
        return inside + 1;
    }
    match elements.nth(1) {
        Some(argument) if !text[list.start..argument].contains('\n') => column(argument),
        _ => inside,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_indented_as_lisp_is() {
        let lambda_list = |name: &str| match name {
            "let" => Some("(((name value) …) form …)".to_owned()),
            "defun" => Some("(name (parameter …) form …)".to_owned()),
            "progn" => Some("(form …)".to_owned()),
            _ => None,
        };
        for (text, expected) in [
            ("(f", 1),
            ("(f a", 3),
            ("(let ((a 1)", 6),
            ("(let ((a 1))", 2),
            ("(defun f (x)\n  (g x", 5),
            ("(progn (a)", 7),
            ("'(1 2", 2),
            ("(f \"a", 0),
            ("(f \"a\nb\" c", 0),
            ("(f x)", 0),
            ("(((", 3),
            ("(f é (g", 6),
        ] {
            let expected = if text == "(f \"a\nb\" c" { 3 } else { expected };
            assert_eq!(indentation(text, 0, &lambda_list), expected, "{text}");
        }
        assert_eq!(
            indentation("(f a", 9, &lambda_list),
            12,
            "below the argument, behind the prompt"
        );
        assert_eq!(indentation("(f a\n   (g b", 9, &lambda_list), 6);
    }
}
