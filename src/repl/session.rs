//! One session at the prompt, without a terminal: a form goes in, what the prompt prints comes out.

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

/// What one form gave.
pub struct Reply {
    /// What it printed, warnings among it.
    pub output: String,
    /// Its value, printed, or what went wrong.
    pub result: Result<String, Box<Report>>,
}

impl Reply {
    /// The whole reply as the prompt prints it, without a last line end.
    pub fn text(&self) -> String {
        let result = match &self.result {
            Ok(value) => value.clone(),
            Err(report) => error_text(report),
        };
        let gap = if self.output.is_empty() || self.output.ends_with('\n') { "" } else { "\n" };
        format!("{}{gap}{result}", self.output)
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
        let result = self.host.evaluate(input, "prompt");
        self.number += 1;
        let result = match result {
            Ok(value) => Ok(printer::readably(&self.host.datum(&value))),
            Err(report) => Err(Box::new(report)),
        };
        let output = std::mem::take(&mut *self.output.lock().unwrap_or_else(PoisonError::into_inner));
        Reply { output, result }
    }
}
