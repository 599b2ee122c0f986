//! One session at the prompt, without a terminal: a form goes in, what the prompt prints comes out.

use super::forms::evaluate_forms;
use crate::condition::Condition;
use crate::host::{Host, Options, Report};
use crate::lisp::printer;
use std::sync::{Arc, Mutex, PoisonError};

/// A host whose output is collected form by form.
pub struct Session {
    host: Host,
    output: Arc<Mutex<String>>,
    number: usize,
}

/// What an input gave, which is one form as a rule.
pub struct Reply {
    /// What was printed, warnings among it, and the values of all forms but the last.
    pub output: String,
    /// The last form's value, printed, or what went wrong.
    pub result: Result<String, Box<Report>>,
}

impl Reply {
    /// The whole reply as the prompt prints it, without a last line end.
    pub fn text(&self) -> String {
        let result = match &self.result {
            Ok(value) => value.clone(),
            Err(report) => error_text(report),
        };
        let mut text = self.output.clone();
        start_line(&mut text);
        text.push_str(&result);
        text
    }
}

/// Ends a line that was begun.
fn start_line(text: &mut String) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
}

/// `Error: what happened [:identifier]`.
fn error_text(report: &Report) -> String {
    if report.interrupted {
        return "Interrupted".into();
    }
    format!("Error: {} [:{}]", report.condition, report.condition.identifier.name())
}

/// `Warning: what the server said [:identifier]`.
pub fn warning_text(condition: &Condition) -> String {
    format!("Warning: {condition} [:{}]\n", condition.identifier.name())
}

impl Session {
    /// A session whose prompt begins at 1.
    ///
    /// # Errors
    /// What keeps a host from starting.
    pub fn new(arguments: Vec<String>) -> Result<Session, Condition> {
        let output = Arc::new(Mutex::new(String::new()));
        let (printed, warned) = (output.clone(), output.clone());
        let add = |to: &Mutex<String>, text: &str| to.lock().unwrap_or_else(PoisonError::into_inner).push_str(text);
        let host = Host::new(Options {
            arguments,
            output: Box::new(move |text| {
                add(&printed, text);
                Ok(())
            }),
            warnings: Box::new(move |condition| add(&warned, &warning_text(condition))),
        })?;
        Ok(Session { host, output, number: 1 })
    }

    /// The host.
    pub fn host(&mut self) -> &mut Host {
        &mut self.host
    }

    /// The next prompt: `user(4): `.
    pub fn prompt(&self) -> String {
        format!("user({}): ", self.number)
    }

    /// Continues with this number.
    pub fn set_number(&mut self, number: usize) {
        self.number = number;
    }

    /// Evaluates what was typed.
    pub fn evaluate(&mut self, input: &str) -> Reply {
        self.host.context().set_at_line_start(true);
        let output = self.output.clone();
        let take = || std::mem::take(&mut *output.lock().unwrap_or_else(PoisonError::into_inner));
        let mut shown = String::new();
        let mut last = None;
        let result = evaluate_forms(&mut self.host, input, "prompt", |host, value| {
            if let Some(value) = last.take() {
                add_value(&mut shown, value);
            }
            shown.push_str(&take());
            last = Some(printer::readably(&host.datum(value)));
            host.context().set_at_line_start(true);
        });
        self.number += 1;
        let result = match result {
            Ok(()) => Ok(last.unwrap_or_default()),
            Err(report) => {
                if let Some(value) = last {
                    add_value(&mut shown, value);
                }
                Err(Box::new(report))
            }
        };
        shown.push_str(&take());
        Reply { output: shown, result }
    }
}

fn add_value(shown: &mut String, value: String) {
    start_line(shown);
    shown.push_str(&value);
    shown.push('\n');
}
