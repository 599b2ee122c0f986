//! The prompt in a terminal.

use super::session::Session;
use crate::lisp::reader::{self, Completeness};
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Editor, Helper};
use std::io::{BufRead, IsTerminal, Write};

/// Lets Return add a line while the input is not complete.
struct MultiLine;

impl Completer for MultiLine {
    type Candidate = String;
}

impl Hinter for MultiLine {
    type Hint = String;
}

impl Highlighter for MultiLine {}

impl Helper for MultiLine {}

impl Validator for MultiLine {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(match reader::completeness(context.input()) {
            Completeness::Incomplete => ValidationResult::Incomplete,
            Completeness::Complete | Completeness::Malformed(_) => ValidationResult::Valid(None),
        })
    }
}

/// Runs the prompt until the end of input or `(exit)`; the exit code.
///
/// # Errors
/// A terminal that cannot be read or written.
pub fn run(session: &mut Session, mut print: impl FnMut(&str) -> std::io::Result<()>) -> Result<i32, String> {
    let text = |error: std::io::Error| error.to_string();
    if !std::io::stdin().is_terminal() {
        return run_lines(session, std::io::stdin().lock(), &mut print).map_err(text);
    }
    let mut editor: Editor<MultiLine, _> = Editor::new().map_err(|error| error.to_string())?;
    editor.set_helper(Some(MultiLine));
    loop {
        match editor.readline(&session.prompt()) {
            Ok(input) if input.trim().is_empty() => {}
            Ok(input) => {
                // A line with a password is not kept.
                if !input.contains(":password") {
                    let _ = editor.add_history_entry(&input); // only within this session
                }
                if let Some(code) = evaluate(session, &input, &mut print).map_err(text)? {
                    return Ok(code);
                }
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => return Ok(0),
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// Input from a pipe or a file: the prompt and the replies are printed as a terminal would show them.
fn run_lines(session: &mut Session, input: impl BufRead, print: &mut impl FnMut(&str) -> std::io::Result<()>) -> std::io::Result<i32> {
    let mut pending = String::new();
    print(&session.prompt())?;
    for line in input.lines() {
        pending.push_str(&line?);
        pending.push('\n');
        if pending.trim().is_empty() {
            pending.clear();
            continue;
        }
        if matches!(reader::completeness(&pending), Completeness::Incomplete) {
            continue;
        }
        if let Some(code) = evaluate(session, &pending, print)? {
            return Ok(code);
        }
        pending.clear();
        print(&session.prompt())?;
    }
    if !pending.is_empty() {
        evaluate(session, &pending, print)?;
    }
    print("\n")?;
    std::io::stdout().flush()?;
    Ok(0)
}

/// Prints the reply; the exit code when the form asked to leave.
fn evaluate(session: &mut Session, input: &str, print: &mut impl FnMut(&str) -> std::io::Result<()>) -> std::io::Result<Option<i32>> {
    let reply = session.evaluate(input);
    if let Err(report) = &reply.result
        && let Some(code) = report.exit
    {
        print(&reply.output)?;
        return Ok(Some(code));
    }
    print(&format!("{}\n", reply.text()))?;
    Ok(None)
}
