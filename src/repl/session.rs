//! A session at the prompt, without a terminal: an input goes in, a form or a command, and the
//! printed reply comes out.
//!
//! The prompt in a terminal, the replay of transcripts and tests share it. Output is either
//! collected into the reply ([`Session::new`]) or written immediately ([`Session::streaming`]).
//! [`Session::answer`] returns commands that concern more than the session to the caller;
//! [`Session::evaluate`] handles them as a transcript would.

use super::commands::{self, Command};
use super::display::{Terminal, error_text, explained, fitted, printed_value, warning_text};
use super::forms::{defined, evaluate_forms};
use crate::condition::{Condition, Identifier};
use crate::host::{Host, Listener, Options, Output, Report, Value};
use crate::lisp::{printer, reader};
use crate::policy::Policy;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// A host, the number of the next prompt, and the last value and error.
pub struct Session {
    host: Host,
    printed: Arc<Mutex<Printed>>,
    number: Arc<AtomicUsize>,
    terminal: Option<Terminal>,
    plain: bool,
    last: Option<Value>,
    failed: Option<Box<Report>>,
    definitions: BTreeMap<String, String>,
    /// Set when a break level has shown an error.
    told: Option<Arc<AtomicBool>>,
    /// Who is asked at break levels, until the first input: what break levels need is compiled then,
    /// not before the first prompt.
    listener: Option<Box<dyn Listener>>,
    /// How many break levels are open in which nothing waits, and what the last one offers.
    level: usize,
    actions: String,
}

/// The destination of output.
enum Printed {
    Collected(String),
    Stream(Output),
}

impl Printed {
    fn write(&mut self, text: &str) -> std::io::Result<()> {
        match self {
            Printed::Collected(collected) => {
                collected.push_str(text);
                Ok(())
            }
            Printed::Stream(write) => write(text),
        }
    }

    fn take(&mut self) -> String {
        match self {
            Printed::Collected(collected) => std::mem::take(collected),
            Printed::Stream(_) => String::new(),
        }
    }
}

/// The result of an input, usually one form.
pub struct Reply {
    /// The printed output, warnings included, and the values of all forms but the last. If output
    /// is streamed, only the missing line end.
    pub output: String,
    /// The last form's value, printed, or the error.
    pub result: Result<String, Box<Report>>,
}

impl Reply {
    /// Returns the whole reply as the prompt prints it, without the last line end.
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

/// The result of an input: a reply, or an action for the caller.
pub enum Answer {
    /// The input was evaluated.
    Reply(Reply),
    /// A command was carried out and prints this, without the last line end.
    Text(String),
    /// `:exit`, with its status.
    Exit(i32),
    /// `:reset`.
    Reset,
    /// `:history`.
    History,
    /// `:trace`: on, off, or `None` to ask.
    Trace(Option<bool>),
}

/// Ends an unfinished line.
fn start_line(text: &mut String) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
}

impl Session {
    /// Creates a session whose prompt starts at 1 and whose replies contain the output.
    pub fn new(arguments: Vec<String>) -> Session {
        Session::with_policy(arguments, Policy::trusted())
    }

    /// Like [`Session::new`], for programs confined by a policy.
    pub fn with_policy(arguments: Vec<String>, policy: Policy) -> Session {
        Session::printing(arguments, Printed::Collected(String::new()), policy)
    }

    /// Creates a session that prints while its forms run.
    pub fn streaming(arguments: Vec<String>, write: Output) -> Session {
        Session::printing(arguments, Printed::Stream(write), Policy::trusted())
    }

    fn printing(arguments: Vec<String>, printed: Printed, policy: Policy) -> Session {
        let printed = Arc::new(Mutex::new(printed));
        let (output, errors, warned) = (printed.clone(), printed.clone(), printed.clone());
        let write = |to: &Mutex<Printed>, text: &str| {
            to.lock().unwrap_or_else(PoisonError::into_inner).write(text)
        };
        let host = Host::new(Options {
            arguments,
            output: Box::new(move |text| write(&output, text)),
            errors: Box::new(move |text| write(&errors, text)),
            // A warning that cannot be shown is dropped; the next output reports the error.
            warnings: Box::new(move |condition| drop(write(&warned, &warning_text(condition)))),
            policy,
        });
        let definitions = BTreeMap::new();
        Session {
            host,
            printed,
            number: Arc::new(AtomicUsize::new(1)),
            terminal: None,
            plain: false,
            last: None,
            failed: None,
            definitions,
            told: None,
            listener: None,
            level: 0,
            actions: String::new(),
        }
    }

    /// Lets an error that no handler takes open a break level, at which `listener` is asked what to
    /// do. The listener counts its inputs with the session's own number, and sets `told` when it
    /// has shown an error.
    pub fn break_with(&mut self, listener: Box<dyn Listener>, told: Arc<AtomicBool>) {
        self.listener = Some(listener);
        self.told = Some(told);
    }

    /// Returns a function that writes where the session writes.
    pub fn writer(&self) -> Box<dyn Fn(&str) + Send> {
        let printed = self.printed.clone();
        // An error of the write is reported with the next output.
        Box::new(move |text| {
            drop(printed.lock().unwrap_or_else(PoisonError::into_inner).write(text));
        })
    }

    /// Returns the number of the next prompt, which a listener shares.
    pub fn shared_number(&self) -> Arc<AtomicUsize> {
        self.number.clone()
    }

    /// Returns whether a break level has shown the last error.
    pub fn was_told(&self) -> bool {
        self.told.as_ref().is_some_and(|told| told.load(Ordering::Relaxed))
    }

    fn count_input(&self) -> usize {
        self.number.fetch_add(1, Ordering::Relaxed)
    }

    /// Returns the host.
    pub fn host(&mut self) -> &mut Host {
        &mut self.host
    }

    /// Returns the next prompt: `user(4): `.
    pub fn prompt(&self) -> String {
        let level = if self.level > 0 { format!("[{}] ", self.level) } else { String::new() };
        format!("{level}user({}): ", self.number())
    }

    /// Returns the number in the next prompt.
    pub fn number(&self) -> usize {
        self.number.load(Ordering::Relaxed)
    }

    /// Sets the number of the next prompt.
    pub fn set_number(&mut self, number: usize) {
        self.number.store(number, Ordering::Relaxed);
    }

    /// Sets the terminal that [`Session::shown`] fits replies to. With `None` it shows them as
    /// transcripts do.
    pub fn set_terminal(&mut self, terminal: Option<Terminal>) {
        self.terminal = terminal;
    }

    /// Returns the lambda lists of functions and macros defined in this session, by name.
    pub fn definitions(&self) -> &BTreeMap<String, String> {
        &self.definitions
    }

    /// Evaluates an input, or carries out its command as far as that needs no terminal. The reply
    /// is the one that a transcript contains.
    pub fn evaluate(&mut self, input: &str) -> Reply {
        let text = match self.answer(input) {
            Answer::Reply(reply) => return reply,
            Answer::Text(text) => text,
            Answer::Exit(status) => {
                let condition = Condition::new(Identifier::ProgramError, "the program has ended");
                let report = Report { exit: Some(status), ..Report::from(condition) };
                return Reply { output: String::new(), result: Err(Box::new(report)) };
            }
            Answer::Reset | Answer::History | Answer::Trace(_) => {
                "this command is for the prompt in a terminal".to_owned()
            }
        };
        Reply { output: String::new(), result: Ok(text) }
    }

    /// Handles an input and returns its result.
    pub fn answer(&mut self, input: &str) -> Answer {
        let command = match commands::parse(input) {
            None => return Answer::Reply(self.evaluate_form(input)),
            Some(Ok(command)) => command,
            Some(Err(wrong)) => {
                self.count_input();
                return Answer::Text(format!("Error: {wrong}"));
            }
        };
        match command {
            Command::Help(Some(name)) => {
                return Answer::Reply(
                    self.evaluate_form(&format!("(help '|{}|)", name.replace(['|', '\\'], ""))),
                );
            }
            Command::Time(form) => return self.timed(&form),
            Command::Load(files) => return Answer::Reply(self.load(&files)),
            _ => drop(self.count_input()),
        }
        match command {
            Command::Exit(status) => Answer::Exit(status),
            Command::Continue(_) | Command::Pop | Command::Zoom => {
                Answer::Text(self.leave(&command))
            }
            Command::Reset if self.level > 0 => Answer::Text(self.leave(&command)),
            Command::Reset => Answer::Reset,
            Command::History => Answer::History,
            Command::Trace(on) => Answer::Trace(on),
            Command::Backtrace => Answer::Text(self.backtrace()),
            Command::More => Answer::Text(
                self.last
                    .as_ref()
                    .map_or_else(|| "nil".to_owned(), |value| self.printed_value(value)),
            ),
            Command::Print(plain) => {
                self.plain = plain.unwrap_or(self.plain);
                Answer::Text(format!(
                    "values are printed {}",
                    if self.plain { "plain" } else { "pretty" }
                ))
            }
            // `:help`, and commands that were handled above.
            _ => Answer::Text(format!(
                "{}\n(help) lists the functions by topic, (apropos \"flag\") finds them.",
                commands::HELP
            )),
        }
    }

    fn evaluate_form(&mut self, input: &str) -> Reply {
        let name = format!("user({})", self.count_input());
        let reply = self.run(|session, shown| {
            session.note_definitions(input);
            let terminal = session.terminal;
            let plain = session.plain;
            let printed = session.printed.clone();
            let mut last = None;
            let result = evaluate_forms(&mut session.host, input, &name, |host, value, more| {
                shown.push_str(&printed.lock().unwrap_or_else(PoisonError::into_inner).take());
                if more {
                    let text = printed_value(host, value, terminal, plain);
                    write_line(host, &printed, shown, &text);
                } else {
                    last = Some(value.clone());
                }
                host.remember(value);
            });
            session.last = last.or(session.last.take());
            result
        });
        // A text that cannot be read has run nothing.
        if reply.result.is_err() && reader::read(input).is_ok() {
            self.break_after(&reply);
        }
        reply
    }

    /// Counts a break level for an error that has left its form before any could be opened.
    fn break_after(&mut self, reply: &Reply) {
        let Err(report) = &reply.result else { return };
        if self.told.is_some() && !self.was_told() && report.exit.is_none() && !report.interrupted {
            self.set_level(self.level + 1);
            self.actions = actions(&[], self.level);
        }
    }

    fn set_level(&mut self, level: usize) {
        self.level = level;
        self.host.set_break_level(level);
    }

    /// Leaves a break level in which nothing waits. Returns whether there was one.
    pub fn pop(&mut self) -> bool {
        let is_open = self.level > 0;
        self.set_level(self.level.saturating_sub(1));
        is_open
    }

    /// Carries out a command that concerns the break level.
    fn leave(&mut self, command: &Command) -> String {
        let level = match command {
            _ if self.level == 0 => {
                return "no break level is open: an error opens one".to_owned();
            }
            Command::Zoom => return format!("{}{}", self.backtrace(), self.actions),
            Command::Pop | Command::Continue(0) => self.level - 1,
            Command::Continue(1) if self.level > 1 => 0,
            Command::Continue(number) => return format!("Error: there is no restart {number}"),
            _ => 0,
        };
        self.set_level(level);
        String::new()
    }

    /// Runs the forms of files; the value is `t`.
    fn load(&mut self, files: &[String]) -> Reply {
        self.count_input();
        let reply = self.run(|session, _| {
            for file in files {
                let failed = |cause: &dyn std::fmt::Display| {
                    Report::from(Condition::new(Identifier::File, format!(":ld: {file}: {cause}")))
                };
                let bytes = std::fs::read(file).map_err(|error| failed(&error))?;
                let text = String::from_utf8(bytes).map_err(|error| {
                    failed(&format!("it is not UTF-8 at byte {}", error.utf8_error().valid_up_to()))
                })?;
                session.note_definitions(&text);
                session.host.evaluate_file(&text, file)?;
            }
            session.last = Some(crate::host::truth(true));
            Ok(())
        });
        self.break_after(&reply);
        reply
    }

    /// Runs `work` and makes a reply from its output and the last value.
    fn run(&mut self, work: impl FnOnce(&mut Session, &mut String) -> Result<(), Report>) -> Reply {
        if let Some(listener) = self.listener.take() {
            self.host.break_with(listener);
        }
        if let Some(told) = &self.told {
            told.store(false, Ordering::Relaxed);
        }
        self.actions.clear();
        self.host.context().set_at_line_start(true);
        let mut output = String::new();
        let result = work(self, &mut output);
        output.push_str(&self.printed.lock().unwrap_or_else(PoisonError::into_inner).take());
        if self.is_streaming() && !self.host.context().at_line_start() {
            output.push('\n');
        }
        let result = match result {
            Ok(()) => Ok(self.last.as_ref().map_or_else(
                || "nil".to_owned(),
                |value| printer::readably(&self.host.datum(value)),
            )),
            Err(report) => {
                self.failed = Some(Box::new(report.clone()));
                Err(Box::new(report))
            }
        };
        Reply { output, result }
    }

    fn is_streaming(&self) -> bool {
        matches!(*self.printed.lock().unwrap_or_else(PoisonError::into_inner), Printed::Stream(_))
    }

    fn note_definitions(&mut self, text: &str) {
        if let Ok(forms) = reader::read(text) {
            self.definitions.extend(defined(&forms));
        }
    }

    fn timed(&mut self, form: &str) -> Answer {
        let started = Instant::now();
        let mut reply = self.evaluate_form(form);
        let seconds = started.elapsed().as_secs_f64();
        start_line(&mut reply.output);
        reply.output.push_str(&format!("; {seconds:.3} seconds\n"));
        Answer::Reply(reply)
    }

    fn backtrace(&self) -> String {
        let Some(report) = &self.failed else { return "there was no error yet".to_owned() };
        let mut text = error_text(report);
        if let Some(place) = &report.place {
            text.push_str(&format!(
                "\n{}:{}:{}\n{}",
                place.source_name,
                place.line,
                place.column,
                place.excerpt()
            ));
        }
        for frame in &report.frames {
            text.push_str(&format!("\n  in {frame}"));
        }
        text
    }

    /// Returns a reply as the terminal shows it: laid out, cut to the screen, errors with their
    /// place and a suggestion.
    pub fn shown(&self, input: &str, reply: &Reply) -> String {
        let Some(terminal) = self.terminal else { return reply.text() };
        let mut text = reply.output.clone();
        if text != "\n" {
            start_line(&mut text);
        }
        match (&reply.result, &self.last) {
            (Ok(_), Some(value)) => {
                text.push_str(&fitted(&self.printed_value(value), terminal, self.plain))
            }
            (Ok(value), None) => text.push_str(value),
            (Err(report), _) => {
                let source_name = format!("user({})", self.number() - 1);
                text.push_str(&explained(input, &source_name, report, terminal));
                text.push_str(&self.actions);
            }
        }
        text
    }

    fn printed_value(&self, value: &Value) -> String {
        printed_value(&self.host, value, self.terminal, self.plain)
    }
}

/// Returns the lines that number the restarts, and then the ways out of the level.
pub(super) fn actions(restarts: &[String], level: usize) -> String {
    let out = match level {
        1 => vec!["return to the top level".to_owned()],
        _ => vec![format!("return to level {}", level - 1), "return to the top level".to_owned()],
    };
    let numbered = restarts.iter().chain(&out).enumerate();
    let lines: String = numbered.map(|(number, action)| format!("\n {number}: {action}")).collect();
    format!("\n\nRestart actions (select using :continue):{lines}")
}

/// Prints the value of a form that is followed by other forms.
fn write_line(host: &mut Host, printed: &Mutex<Printed>, shown: &mut String, text: &str) {
    let mut printed = printed.lock().unwrap_or_else(PoisonError::into_inner);
    match &mut *printed {
        Printed::Collected(_) => {
            start_line(shown);
            shown.push_str(text);
            shown.push('\n');
        }
        Printed::Stream(write) => {
            let gap = if host.context().at_line_start() { "" } else { "\n" };
            let _ = write(&format!("{gap}{text}\n")); // the next output reports the error
        }
    }
    drop(printed);
    host.context().set_at_line_start(true);
}
