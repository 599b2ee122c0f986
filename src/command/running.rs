//! Scripts and single expressions.

use super::arguments::Global;
use super::output::print;
use super::setup::{Setup, attach};
use crate::host::{Host, Options, Report};
use crate::lisp::printer;
use std::io::Read;

/// Exit code after Ctrl-C, as shells have it.
const INTERRUPTED: i32 = 130;

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
    evaluate(global, &source, name, arguments, |_, _| Ok(()))
}

pub(super) fn eval(global: &Global, expression: &str) -> Result<i32, String> {
    evaluate(global, expression, "expression", Vec::new(), |host, value| {
        let text = printer::readably(&host.datum(value));
        print(&format!("{text}\n")).map_err(|error| error.to_string())
    })
}

fn evaluate(
    global: &Global,
    source: &str,
    name: &str,
    arguments: Vec<String>,
    show: impl FnOnce(&Host, &crate::host::Value) -> Result<(), String>,
) -> Result<i32, String> {
    let setup = Setup::new(global)?;
    let warnings = |condition: &crate::condition::Condition| eprint!("{}", crate::repl::session::warning_text(condition));
    let options = Options { arguments, output: Box::new(print), warnings: Box::new(warnings) };
    let mut host = Host::new(options).map_err(|condition| condition.to_string())?;
    let state = attach(&mut host, &setup);
    interrupt_on_ctrl_c(&host)?;
    let result = host.evaluate(source, name);
    let code = match &result {
        Ok(value) => show(&host, value).map(|()| 0),
        Err(report) => Ok(report_failure(report)),
    };
    state.close_all();
    code
}

fn report_failure(report: &Report) -> i32 {
    if let Some(code) = report.exit {
        return code;
    }
    if report.interrupted {
        eprintln!("Interrupted");
        return INTERRUPTED;
    }
    eprintln!("{report}");
    1
}

/// Ctrl-C stops the form that runs; a second one while it still runs ends the program.
pub(super) fn interrupt_on_ctrl_c(host: &Host) -> Result<(), String> {
    let interrupter = host.interrupter();
    let context = std::sync::Arc::downgrade(host.context());
    ctrlc::set_handler(move || {
        if context.upgrade().is_some_and(|context| context.interrupted()) {
            std::process::exit(INTERRUPTED);
        }
        interrupter.interrupt();
    })
    .map_err(|error| error.to_string())
}
