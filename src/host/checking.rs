//! `postoffice check`: finds errors in a program without running it.
//!
//! The survey of the whole program (see `lisp::expander`) finds forms that cannot be expanded,
//! undefined functions and variables, and all calls. This module compares the calls with the lambda
//! lists of the program's and the host's functions: too few or too many arguments, and unknown
//! keys.

use super::parameters::Parameters;
use super::report::{Report, Source};
use super::{Host, messages, natives, program_error};
use crate::lisp::expander::{Program, Survey};
use crate::lisp::{Span, printer, reader};
use std::sync::Arc;

impl Host {
    /// Checks a program without running any of it. Files that it loads are read. `lambda_list`
    /// returns the parameters of a function of the host, for example `(mb name &key create)`.
    /// Returns the errors, in the order of the text.
    pub fn check(
        &mut self,
        text: &str,
        source_name: &str,
        lambda_list: &dyn Fn(&str) -> Option<String>,
    ) -> Vec<Report> {
        let source = Arc::new(Source { name: source_name.to_owned(), text: text.to_owned() });
        let context = self.context.clone();
        let found = natives::with_context(&context, || {
            let forms = match reader::read(text) {
                Ok(forms) => forms,
                Err(error) => return vec![(error.span, error.message)],
            };
            let mut program = Program::default();
            self.follow_loads(&forms, &source.name, 0, &mut program);
            let survey = self.expander.survey(&program, &mut self.engine);
            findings(&survey, lambda_list)
        });
        let report = |(span, message): (Span, String)| {
            let condition = self.with_nearest_name(program_error(message));
            Report::of(condition, Some(source.place(span)))
        };
        found.into_iter().map(report).collect()
    }
}

fn findings(survey: &Survey, lambda_list: &dyn Fn(&str) -> Option<String>) -> Vec<(Span, String)> {
    let mut found: Vec<(Span, String)> =
        survey.errors().iter().map(|error| (error.span, error.message.clone())).collect();
    let undefined = |(name, span): (&str, Span)| (span, messages::undefined_function(name));
    found.extend(survey.unknown().map(undefined));
    let unbound = |(name, span): (&str, Span)| (span, messages::unbound_variable(name));
    found.extend(survey.unknown_variables().map(unbound));
    for call in survey.known_calls() {
        let own = survey.lambda_list(&call.name).map(printer::readably);
        let list = if survey.defines(&call.name) { own } else { lambda_list(&call.name) };
        let wrong = list.and_then(|list| Parameters::parse(&list).misfit(&call.arguments));
        found.extend(wrong.map(|wrong| (call.span, format!("{}: {wrong}", call.name))));
    }
    found.sort_by_key(|(span, _)| span.start);
    found
}
