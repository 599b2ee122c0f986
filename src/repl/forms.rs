//! Evaluates several forms in one input one by one, so that each value can be shown; finds the
//! functions that forms define.

use crate::host::{Host, Report, Value, without_secrets};
use crate::lisp::{Datum, Kind, Node, printer, reader};

/// Evaluates the forms of an input in turn and shows each value before the next form runs. The flag
/// for `show` is whether another form follows. Input that cannot be read is not run at all.
///
/// # Errors
/// The report of the form that failed. Earlier forms have run, later ones have not. The place
/// refers to the whole input.
pub fn evaluate_forms(
    host: &mut Host,
    input: &str,
    name: &str,
    mut show: impl FnMut(&mut Host, &Value, bool),
) -> Result<(), Report> {
    let forms = reader::read(input).unwrap_or_default();
    if forms.len() < 2 {
        let value = host.evaluate(input, name)?;
        show(host, &value, false);
        return Ok(());
    }
    let count = forms.len();
    for (index, form) in forms.into_iter().enumerate() {
        // Blanks in place of the text before the form keep lines and columns right.
        let before: String = input[..form.span.start]
            .chars()
            .map(|character| if character == '\n' { '\n' } else { ' ' })
            .collect();
        let result =
            host.evaluate(&format!("{before}{}", &input[form.span.start..form.span.end]), name);
        match result {
            Ok(value) => show(host, &value, index + 1 < count),
            Err(report) => return Err(with_source_line(report, input)),
        }
    }
    Ok(())
}

/// Returns the report with the whole line as it was typed, instead of the form alone.
fn with_source_line(mut report: Report, input: &str) -> Report {
    if let Some(place) = &mut report.place
        && let Some(line) = place.line.checked_sub(1).and_then(|before| input.split('\n').nth(before))
        && place.source_line.trim_start().chars().count() > 0
        && line.contains(place.source_line.trim())
        // Another form on the line may hold a password; then this form is shown alone.
        && without_secrets(input).split('\n').nth(place.line - 1) == Some(line)
    {
        place.source_line = line.trim_end_matches('\r').to_owned();
    }
    report
}

/// Returns the functions and macros that forms define at top level: name and lambda list.
pub fn defined(forms: &[Node]) -> Vec<(String, String)> {
    forms.iter().filter_map(defined_by).collect()
}

fn defined_by(form: &Node) -> Option<(String, String)> {
    let elements = form.as_list()?;
    let (head, target) = (elements.first()?.as_symbol()?, elements.get(1)?);
    let (name, parameters) = match (&*head.name, &target.kind) {
        ("defun" | "defmacro", Kind::Symbol(name)) => (name.clone(), elements.get(2)?.datum()),
        ("define", Kind::List(parts)) => (
            parts.first()?.as_symbol()?.clone(),
            Datum::list(parts[1..].iter().map(Node::datum).collect()),
        ),
        ("define", Kind::Dotted(parts, tail)) => {
            let parameters = parts[1..].iter().map(Node::datum).collect();
            (parts.first()?.as_symbol()?.clone(), Datum::dotted(parameters, tail.datum()))
        }
        _ => return None,
    };
    let parameters =
        if parameters == Datum::Nil { "()".to_owned() } else { printer::readably(&parameters) };
    let body =
        if &*head.name == "defmacro" { parameters.replace("&body", "&rest") } else { parameters };
    Some((name.name.to_string(), body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_found_with_their_lambda_lists() {
        let text = "(defun f (a &key (b 1)) a) (define (g x . y) x) (define h 5) (defmacro m (x &body b) x) (define (k) 1) (f 1)";
        let found = defined(&reader::read(text).unwrap());
        let expected =
            [("f", "(a &key (b 1))"), ("g", "(x . y)"), ("m", "(x &rest b)"), ("k", "()")];
        assert_eq!(found, expected.map(|(name, list)| (name.to_owned(), list.to_owned())));
    }
}
