//! `postoffice run` and `postoffice eval`: scripts and single expressions.

use super::arguments::{Confinement, Global};
use super::asking;
use super::confinement::{STOPPED, too_long};
use super::dry_run::DryRun;
use super::init::{self, source_of};
use super::interrupt::{CtrlC, INTERRUPTED};
use super::journal::Journaled;
use super::output::{complain, print, print_error};
use super::progress::on_terminal;
use super::setup::setup_for;
use crate::api::attach_showing;
use crate::api::json::json;
use crate::condition::Condition;
use crate::host::{Host, Options, Report, TimeLimit, Value, without_secrets};
use crate::lisp::printer;
use crate::policy::Policy;
use crate::repl::display::warning_text;
use crate::repl::evaluate_forms;
use crate::state::NewRun;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The longest part of an expression that the journal shows, in characters.
const LONGEST_TITLE: usize = 200;

/// How to run a program.
pub(super) struct Way {
    pub confinement: Confinement,
    /// The time limit in seconds; used for untrusted programs only.
    pub seconds: u64,
    pub as_json: bool,
    /// Whether to load the user's init file first.
    pub init: bool,
    /// Whether to change nothing, and where to write the plan then.
    pub dry_run: Option<Option<PathBuf>>,
}

pub(super) fn run(
    global: &Global,
    way: &Way,
    file: &str,
    arguments: Vec<String>,
) -> Result<i32, String> {
    let source = if file == "-" {
        let mut source = String::new();
        std::io::stdin()
            .read_to_string(&mut source)
            .map_err(|error| format!("standard input: {error}"))?;
        source
    } else {
        source_of(Path::new(file))?
    };
    let name = if file == "-" { "standard input" } else { file };
    let mut failed = None;
    let script = Some(name.to_owned());
    let journaled = NewRun { script, arguments: arguments.clone(), ..NewRun::of("run") };
    let code = evaluate(global, way, arguments, journaled, |host| {
        let value = host.evaluate_file(&source, name)?;
        failed = if way.as_json { print_json(host, &value).err() } else { None };
        Ok(())
    })?;
    failed.map_or(Ok(code), Err)
}

pub(super) fn eval(global: &Global, way: &Way, expression: &str) -> Result<i32, String> {
    let mut failed = None;
    let script = Some(without_secrets(expression).chars().take(LONGEST_TITLE).collect());
    let journaled = NewRun { script, ..NewRun::of("eval") };
    let code = evaluate(global, way, Vec::new(), journaled, |host| {
        evaluate_forms(host, expression, "expression", |host, value, more| {
            let printed = if !way.as_json {
                print_value(host, &printer::readably(&host.datum(value)))
            } else if more {
                Ok(())
            } else {
                print_json(host, value)
            };
            failed = failed.take().or(printed.err());
        })
    })?;
    failed.map_or(Ok(code), Err)
}

fn print_json(host: &Host, value: &Value) -> Result<(), String> {
    let text = json(value).map_err(|what| format!("--json: the value: {what}"))?;
    print_value(host, &text)
}

/// Prints a value on a line of its own.
fn print_value(host: &Host, text: &str) -> Result<(), String> {
    let gap = if host.context().at_line_start() { "" } else { "\n" };
    print(&format!("{gap}{text}\n")).map_err(|error| error.to_string())?;
    host.context().set_at_line_start(true);
    Ok(())
}

fn evaluate(
    global: &Global,
    way: &Way,
    arguments: Vec<String>,
    journaled: NewRun,
    program: impl FnOnce(&mut Host) -> Result<(), Report>,
) -> Result<i32, String> {
    let (confinement, seconds) = (&way.confinement, way.seconds);
    let init = way.init.then(init::asked_for).transpose()?;
    let policy = confinement.enter(Duration::from_secs(seconds))?;
    let mut setup = setup_for(global)?;
    // Never prompt for untrusted scripts or JSON output.
    setup.ask_secret =
        if confinement.untrusted || way.as_json { None } else { asking::at_terminal() };
    let dry_run = match &way.dry_run {
        Some(plan) => {
            Some(DryRun::begin(&mut setup, journaled.clone(), plan.clone(), way.as_json)?)
        }
        None => None,
    };
    let journaled = match dry_run {
        Some(_) => Journaled::nowhere(),
        None => Journaled::begin(global, &mut setup, journaled, !confinement.untrusted),
    };
    let mut host = Host::new(options(arguments, policy));
    let state = attach_showing(&mut host, &setup, &on_terminal(global.quiet));
    journaled.attach(&host);
    if let Some(dry_run) = &dry_run {
        dry_run.attach(&host);
    }
    let ctrl_c = CtrlC::listen()?;
    ctrl_c.watch(&host);
    let Ok(limit) = confinement
        .untrusted
        .then(|| TimeLimit::start(&host, Duration::from_secs(seconds)))
        .transpose()
    else {
        complain(&confinement.too_much());
        return Ok(STOPPED);
    };
    let result = init::load(&mut host, init.as_ref());
    // The host forgets an interrupt that comes while no form runs.
    if result.is_ok() && ctrl_c.pressed.load(Ordering::SeqCst) {
        complain("Interrupted");
        state.close_all();
        journaled.finish(INTERRUPTED);
        dry_run.map_or(Ok(()), |dry_run| dry_run.finish(INTERRUPTED))?;
        return Ok(INTERRUPTED);
    }
    let code = match result.and_then(|()| program(&mut host)) {
        Ok(()) => 0,
        Err(report) if report.interrupted && limit.as_ref().is_some_and(TimeLimit::is_over) => {
            complain(&too_long(Duration::from_secs(seconds)));
            STOPPED
        }
        Err(report) if report.is_out_of_memory() && confinement.untrusted => {
            complain(&confinement.too_much());
            STOPPED
        }
        Err(report) => report_failure(&report),
    };
    state.close_all();
    journaled.finish(code);
    dry_run.map_or(Ok(()), |dry_run| dry_run.finish(code))?;
    // The process ends here. Freeing the values of a big result one by one would take as long as
    // reading it took.
    std::mem::forget(host);
    Ok(code)
}

/// The options of a host that writes to the standard streams.
pub(super) fn options(arguments: Vec<String>, policy: Policy) -> Options {
    let warnings = |condition: &Condition| complain(warning_text(condition).trim_end_matches('\n'));
    Options {
        arguments,
        output: Box::new(print),
        errors: Box::new(print_error),
        warnings: Box::new(warnings),
        policy,
    }
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
