//! Scripts and single expressions.

use super::arguments::Global;
use super::interrupt::{CtrlC, INTERRUPTED};
use super::output::{complain, print};
use super::setup::{Setup, attach};
use crate::condition::Condition;
use crate::host::{Host, Options, Report};
use crate::lisp::printer;
use crate::repl::evaluate_forms;
use crate::repl::session::warning_text;
use std::io::Read;

pub(super) fn run(global: &Global, file: &str, arguments: Vec<String>) -> Result<i32, String> {
    let source = if file == "-" {
        let mut source = String::new();
        std::io::stdin().read_to_string(&mut source).map_err(|error| format!("standard input: {error}"))?;
        source
    } else {
        let bytes = std::fs::read(file).map_err(|error| format!("{file}: {error}"))?;
        String::from_utf8(bytes).map_err(|error| format!("{file}: it is not UTF-8 at byte {}", error.utf8_error().valid_up_to()))?
    };
    let name = if file == "-" { "standard input" } else { file };
    evaluate(global, arguments, |host| host.evaluate(&source, name).map(|_| ()))
}

pub(super) fn eval(global: &Global, expression: &str) -> Result<i32, String> {
    let mut failed = None;
    let code = evaluate(global, Vec::new(), |host| {
        evaluate_forms(host, expression, "expression", |host, value| {
            let gap = if host.context().at_line_start() { "" } else { "\n" };
            let text = printer::readably(&host.datum(value));
            failed = failed.take().or(print(&format!("{gap}{text}\n")).err());
            host.context().set_at_line_start(true);
        })
    })?;
    failed.map_or(Ok(code), |error| Err(error.to_string()))
}

fn evaluate(global: &Global, arguments: Vec<String>, program: impl FnOnce(&mut Host) -> Result<(), Report>) -> Result<i32, String> {
    let setup = Setup::new(global)?;
    let warnings = |condition: &Condition| complain(warning_text(condition).trim_end_matches('\n'));
    let options = Options { arguments, output: Box::new(print), warnings: Box::new(warnings) };
    let mut host = Host::new(options).map_err(|condition| condition.to_string())?;
    let state = attach(&mut host, &setup);
    CtrlC::listen()?.watch(&host);
    let code = program(&mut host).map_or_else(|report| report_failure(&report), |()| 0);
    state.close_all();
    Ok(code)
}

fn report_failure(report: &Report) -> i32 {
    if let Some(code) = report.exit {
        return code;
    }
    if report.interrupted {
        complain("Interrupted");
        return INTERRUPTED;
    }
    complain(&report.to_string());
    1
}
