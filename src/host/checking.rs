//! `postoffice check`: finds errors in a program without running it.
//!
//! The survey of the whole program (see `lisp::expander`) finds forms that cannot be expanded,
//! undefined functions and variables, and all calls. This module compares the calls with the lambda
//! lists of the program's and the host's functions: too few or too many arguments, and unknown
//! keys. An argument that is a constant is checked as it would be when the program runs: first by
//! the type in the function's row, then by [`Known::misuse`].

use super::loading::spliced;
use super::parameters::{self, Parameters};
use super::report::{Report, Source};
use super::value::{self, Value};
use super::{Function, Host, messages, natives, program_error};
use crate::lisp::expander::{Called, Survey};
use crate::lisp::{Span, printer, reader};
use std::sync::Arc;

/// What is known about the host's functions.
pub trait Known {
    /// Returns the row of a function.
    fn function(&self, name: &str) -> Option<&'static Function>;

    /// Returns the error that a constant causes as an argument. `parameter` is a name in the
    /// function's lambda list.
    fn misuse(&self, function: &str, parameter: &str, value: &Value) -> Option<String>;
}

impl Host {
    /// Checks a program without running any of it. Files that it loads are read. Returns the
    /// errors, in the order of the text.
    pub fn check(&mut self, text: &str, source_name: &str, known: &dyn Known) -> Vec<Report> {
        let source = Arc::new(Source { name: source_name.to_owned(), text: text.to_owned() });
        let context = self.context.clone();
        let found = natives::with_context(&context, || {
            let forms = match reader::read(text) {
                Ok(forms) => spliced(forms),
                Err(error) => return vec![(error.span, error.message)],
            };
            let program = self.program(&forms, &source.name);
            let survey = self.expander.survey(&program, &mut self.engine);
            findings(&survey, known)
        });
        let report = |(span, message): (Span, String)| {
            let condition = self.with_nearest_name(program_error(message));
            Report::of(condition, Some(source.place(span)))
        };
        found.into_iter().map(report).collect()
    }
}

fn findings(survey: &Survey, known: &dyn Known) -> Vec<(Span, String)> {
    let mut found: Vec<(Span, String)> =
        survey.errors().iter().map(|error| (error.span, error.message.clone())).collect();
    let undefined = |(name, span): (&str, Span)| (span, messages::undefined_function(name));
    found.extend(survey.unknown().map(undefined));
    let unbound = |(name, span): (&str, Span)| (span, messages::unbound_variable(name));
    found.extend(survey.unknown_variables().map(unbound));
    for call in survey.known_calls() {
        if survey.defines(&call.name) {
            let own = survey.lambda_list(&call.name).map(printer::readably);
            let wrong = own.and_then(|list| Parameters::parse(&list).misfit(&call.arguments));
            found.extend(wrong.map(|wrong| (call.span, format!("{}: {wrong}", call.name))));
        } else if let Some(function) = known.function(&call.name) {
            found.extend(misuse(call, function, known).map(|wrong| (call.span, wrong)));
        }
    }
    found.sort_by_key(|(span, _)| span.start);
    found
}

/// Returns the first thing that is wrong with a call of a function of the host.
fn misuse(call: &Called, function: &Function, known: &dyn Known) -> Option<String> {
    let parameters = Parameters::parse(function.lambda_list);
    if let Some(wrong) = parameters.misfit(&call.arguments) {
        return Some(format!("{}: {wrong}", call.name));
    }
    parameters.constants(&call.arguments).find_map(|(parameter, datum)| {
        let value = value::from_datum(datum);
        let kind = function.types.iter().find(|(name, _)| *name == parameter);
        match kind {
            Some((_, kind)) if !value::is_nil(&value) && !kind.admits(&value) => {
                let is_key = parameters.keys.iter().any(|key| key == parameter);
                let shown = if is_key { format!(":{parameter}") } else { parameter.to_owned() };
                Some(parameters::wrong(&call.name, &shown, &kind.expected(), &value))
            }
            _ => known.misuse(&call.name, parameter, &value),
        }
    })
}
