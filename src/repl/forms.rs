//! Several forms in one input, one after the other, so that each value can be shown.

use crate::host::{Host, Report, Value};
use crate::lisp::reader;

/// Evaluates the forms of an input in turn and shows each value before the next form runs. Input that cannot be read is not run at all.
///
/// # Errors
/// What stopped a form; the ones before it have run, those after it have not. The place is one in the whole input.
pub fn evaluate_forms(host: &mut Host, input: &str, name: &str, mut show: impl FnMut(&Host, &Value)) -> Result<(), Report> {
    let forms = reader::read(input).unwrap_or_default();
    if forms.len() < 2 {
        let value = host.evaluate(input, name)?;
        show(host, &value);
        return Ok(());
    }
    for form in forms {
        // Blanks in place of what stands before the form, so that lines and columns are right.
        let before: String = input[..form.span.start].chars().map(|character| if character == '\n' { '\n' } else { ' ' }).collect();
        let result = host.evaluate(&format!("{before}{}", &input[form.span.start..form.span.end]), name);
        match result {
            Ok(value) => show(host, &value),
            Err(report) => return Err(with_source_line(report, input)),
        }
    }
    Ok(())
}

/// The report with the line as it was typed.
fn with_source_line(mut report: Report, input: &str) -> Report {
    if let Some(place) = &mut report.place
        && let Some(line) = place.line.checked_sub(1).and_then(|before| input.split('\n').nth(before))
        && place.source_line.trim_start().chars().count() > 0
        && line.contains(place.source_line.trim())
    {
        place.source_line = line.trim_end_matches('\r').to_owned();
    }
    report
}
