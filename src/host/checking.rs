//! `postoffice check`: finds errors in a program without running it.
//!
//! The survey of the whole program (see `lisp::expander`) finds forms that cannot be expanded,
//! undefined functions and variables, and all calls. This module compares the calls with the lambda
//! lists of the program's functions, the host's, and the language's: too few or too many arguments,
//! and unknown keys. An argument that is a constant is checked as it would be when the program runs:
//! first by the type in the function's row, then by [`Known::misuse`]. A word of the language has no
//! types; the names of its parameters tell some (see [`kind_of`]).

use super::loading::spliced;
use super::parameters::{self, Parameters};
use super::report::{Report, Source};
use super::value::{self, Value};
use super::{Function, Host, messages, natives, program_error, words};
use crate::lisp::expander::{Called, Survey};
use crate::lisp::{Datum, Span, printer, reader};
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
        self.check_after(None, text, source_name, known)
    }

    /// The same for a program that runs after another one, such as a user's init file: what that
    /// defines is known. `before` is its text and its name. Its own errors are not returned.
    pub fn check_after(
        &mut self,
        before: Option<(&str, &str)>,
        text: &str,
        source_name: &str,
        known: &dyn Known,
    ) -> Vec<Report> {
        let source = Arc::new(Source { name: source_name.to_owned(), text: text.to_owned() });
        let context = self.context.clone();
        let found = natives::with_context(&context, || {
            let forms = match reader::read(text) {
                Ok(forms) => spliced(forms),
                Err(error) => return vec![(error.span, error.message)],
            };
            let before = before.map(|(text, name)| {
                (reader::read(text).map_or_else(|_| Vec::new(), spliced), name)
            });
            let before = before.as_ref().map(|(forms, name)| (forms.as_slice(), *name));
            let program = self.program_after(before, &forms, &source.name);
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
    found.extend(survey.unknown_function_values().map(undefined));
    let not_called = |(head, has_arguments, span): &(Datum, bool, Span)| {
        (*span, messages::not_called(&printer::readably(head), *has_arguments))
    };
    found.extend(survey.data_calls().iter().map(not_called));
    for call in survey.known_calls() {
        if survey.defines(&call.name) {
            let own = survey.lambda_list(&call.name).map(printer::readably);
            let wrong = own.and_then(|list| Parameters::parse(&list).misfit(&call.arguments));
            found.extend(wrong.map(|wrong| (call.span, format!("{}: {wrong}", call.name))));
        } else if let Some(function) = known.function(&call.name) {
            found.extend(misuse(call, function, known).map(|wrong| (call.span, wrong)));
        } else if let Some((name, list, _)) = words::all().find(|word| *word.0 == *call.name) {
            let wrong = word_misuse(call, &Parameters::parse(list));
            found.extend(wrong.map(|wrong| (call.span, format!("{name}: {wrong}"))));
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

/// Returns the first thing that is wrong with a call of a word of the language.
fn word_misuse(call: &Called, parameters: &Parameters) -> Option<String> {
    parameters.misfit(&call.arguments).or_else(|| {
        parameters.constants(&call.arguments).find_map(|(parameter, datum)| {
            let (expected, admits) = kind_of(parameter)?;
            let value = value::from_datum(datum);
            (!admits(datum)).then(|| format!("expected {expected}, got {}", value::shown(&value)))
        })
    })
}

/// What is expected, and whether a constant may be that.
type Kind = (&'static str, fn(&Datum) -> bool);

/// Returns the kind of a parameter of this name. The names are those of `words`. Only what every word
/// refuses is no such constant.
fn kind_of(parameter: &str) -> Option<Kind> {
    Some(match parameter {
        "number" | "numbers" | "divisor" | "index" => ("a number", is_number),
        "character" => ("a character", |datum| matches!(datum, Datum::Char(_))),
        "string" | "strings" | "text" | "texts" => ("a string", |datum| !is_number(datum)),
        "table" => ("a hash table", |_| false),
        _ => return None,
    })
}

fn is_number(datum: &Datum) -> bool {
    matches!(datum, Datum::Integer(_) | Datum::Float(_) | Datum::Number(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Options;

    /// Returns an argument that suits most parameters of this name.
    fn suitable(parameter: &str) -> &'static str {
        match parameter {
            "number" | "numbers" | "divisor" | "count" | "end" | "byte" => "1",
            "index" | "start" => "0",
            "string" | "strings" | "text" | "texts" => "\"abc\"",
            "character" | "characters" => "#\\a",
            "table" => "(make-hash-table)",
            "vector" => "(vector 1 2)",
            "list" | "lists" | "sequence" => "'(1 2)",
            "function" | "f" => "#'identity",
            _ => "'q",
        }
    }

    #[test]
    fn what_is_no_constant_of_a_kind_is_refused_by_every_word() {
        let mut host = Host::new(Options { output: Box::new(|_| Ok(())), ..Options::default() });
        let macros = host.expander.macro_names();
        let mut accepted = Vec::new();
        for (name, list, _) in words::all().filter(|word| !macros.iter().any(|it| it == word.0)) {
            let parameters = Parameters::parse(list);
            let named =
                [parameters.required, parameters.optional, parameters.rest.into_iter().collect()];
            let named = named.concat();
            for (at, parameter) in named.iter().enumerate() {
                let Some((_, admits)) = kind_of(parameter) else { continue };
                for constant in ["5", "\"s\""] {
                    let datum = &reader::read(constant).unwrap()[0].datum();
                    if admits(datum) {
                        continue;
                    }
                    let mut arguments: Vec<&str> =
                        named[..at].iter().map(|it| suitable(it)).collect();
                    arguments.push(constant);
                    let more = parameters_after(list, at);
                    arguments.extend(more.iter().map(|it| suitable(it)));
                    let call = format!("({name} {})", arguments.join(" "));
                    if host.evaluate(&call, "test").is_ok() {
                        accepted.push(call);
                    }
                }
            }
        }
        assert!(accepted.is_empty(), "{accepted:#?}");
    }

    /// Returns the names of the required parameters after one.
    fn parameters_after(list: &str, at: usize) -> Vec<String> {
        Parameters::parse(list).required.into_iter().skip(at + 1).collect()
    }
}
