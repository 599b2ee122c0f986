//! The prompt in a terminal, and the same prompt for input from a pipe.
//!
//! [`run`] reads an input, hands it to [`Session::answer`] and prints the answer. Commands that
//! concern more than the session, such as `:reset` and `:trace`, are carried out by the caller's
//! [`Surroundings`]. With a terminal, rustyline reads the input: `Typing` supplies completion,
//! colours and the check whether the input is complete, and `Indenting` handles Return within a
//! form. Without a terminal, [`run`] reads lines and prints as in a transcript.

use super::assistant::Assistant;
use super::breaks;
use super::commands;
use super::display::Terminal;
use super::highlight;
use super::history;
use super::indent::indentation;
use super::session::{Answer, Session};
use crate::lisp::reader::{self, Completeness};
use rustyline::completion::{Completer, FilenameCompleter};
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::history::{FileHistory, History};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{
    Cmd, ColorMode, CompletionType, ConditionalEventHandler, Config, Editor, Event, EventContext,
    EventHandler, Helper, KeyCode, KeyEvent, Modifiers, RepeatCount,
};
use std::borrow::Cow;
use std::cell::Cell;
use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The services that the prompt needs from its environment.
pub trait Surroundings {
    /// Writes to standard output.
    ///
    /// The error of the write.
    fn print(&mut self, text: &str) -> std::io::Result<()>;
    /// Replaces the session with a fresh one and closes the old one's connections.
    ///
    /// # Errors
    /// A message if the host cannot start.
    fn reset(&mut self, session: &mut Session) -> Result<(), String>;
    /// Switches the trace if `on` is given. Returns whether it is on.
    fn trace(&mut self, on: Option<bool>) -> bool;
    /// Returns a message for each connection that an interrupted form left closed.
    fn after_interrupt(&mut self) -> Vec<String>;
    /// Returns a function that asks a question whose answer is not shown, if there is one.
    fn ask_hidden(&self) -> Option<AskHidden>;
    /// Collects the data for completion.
    fn assistant(&self, session: &mut Session) -> Assistant;
}

/// Asks a question whose answer is not shown. `None` means that there was no answer.
pub type AskHidden = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// The appearance of the prompt and the place of its history.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Whether to use colours.
    pub colours: bool,
    /// The file of the history; `None` keeps the history for the session only.
    pub history: Option<PathBuf>,
}

/// The callbacks of the line editor while a form is typed.
struct Typing {
    assistant: Assistant,
    files: FilenameCompleter,
    colours: bool,
    /// Whether the input was accepted. It is then drawn once more, without marked parentheses.
    accepted: Cell<bool>,
}

impl Completer for Typing {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        context: &rustyline::Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        if line.trim_start().starts_with(":ld ") {
            let (start, pairs) = self.files.complete(line, position, context)?;
            return Ok((start, pairs.into_iter().map(|pair| pair.replacement).collect()));
        }
        let found = super::completion::complete(line, position, &self.assistant);
        Ok((found.start, found.candidates))
    }
}

impl Hinter for Typing {
    type Hint = String;
}

impl Highlighter for Typing {
    fn highlight<'l>(&self, line: &'l str, position: usize) -> Cow<'l, str> {
        if !self.colours {
            return line.into();
        }
        highlight::painted(line, if self.accepted.get() { usize::MAX } else { position }).into()
    }

    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(
        &'s self,
        prompt: &'p str,
        _default: bool,
    ) -> Cow<'b, str> {
        if self.colours { format!("\x1b[1m{prompt}\x1b[0m").into() } else { prompt.into() }
    }

    fn highlight_char(&self, _line: &str, _position: usize, kind: CmdKind) -> bool {
        self.accepted.set(kind == CmdKind::ForcedRefresh);
        self.colours
    }
}

impl Helper for Typing {}

/// Makes Return add a line while the input is incomplete.
impl Validator for Typing {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(if is_unfinished(context.input()) {
            ValidationResult::Incomplete
        } else {
            ValidationResult::Valid(None)
        })
    }
}

fn is_unfinished(input: &str) -> bool {
    !commands::is_one_line(input)
        && matches!(
            reader::completeness(&commands::without_command(input)),
            Completeness::Incomplete
        )
}

/// Handles Return in an incomplete form: inserts the line end and indents the next line.
struct Indenting {
    assistant: Assistant,
    /// The width of the prompt on the first line.
    first_column: Arc<AtomicUsize>,
}

impl ConditionalEventHandler for Indenting {
    fn handle(
        &self,
        _: &Event,
        _: RepeatCount,
        _: bool,
        context: &EventContext<'_>,
    ) -> Option<Cmd> {
        if !is_unfinished(context.line()) {
            return None;
        }
        let before = commands::without_command(context.line().get(..context.pos())?).into_owned();
        let column = self.first_column.load(Ordering::Relaxed);
        let blanks = indentation(&before, column, &|name| self.assistant.signature(name));
        Some(Cmd::Insert(1, format!("\n{}", " ".repeat(blanks))))
    }
}

type LineEditor = Editor<Typing, FileHistory>;

/// Runs the prompt until the end of input or `(exit)`. Returns the exit code.
///
/// # Errors
/// A terminal that cannot be read or written.
pub fn run(
    session: &mut Session,
    options: &Options,
    surroundings: &mut dyn Surroundings,
) -> Result<i32, String> {
    let text = |error: std::io::Error| error.to_string();
    if !std::io::stdin().is_terminal() {
        return run_lines(session, surroundings).map_err(text);
    }
    let first_column = Arc::new(AtomicUsize::new(0));
    let editor = line_editor(session, options, surroundings, &first_column)
        .map_err(|error| error.to_string())?;
    let typed = Typed(Arc::new(Mutex::new(editor)), options.clone(), first_column);
    breaks::listen(session, &typed, surroundings.ask_hidden());
    loop {
        let prompt = session.prompt();
        typed.refresh(&surroundings.assistant(session));
        match typed.line(&prompt) {
            Ok(input) if input.trim().is_empty() => {}
            Ok(input) => {
                session.set_terminal(typed.terminal());
                let history = || listed(typed.editor().history());
                let number = session.shared_number();
                let code = answer(session, &input, surroundings, &history).map_err(text)?;
                if let Some(code) = code {
                    return Ok(code);
                }
                // `:reset` has made another session.
                if !Arc::ptr_eq(&number, &session.shared_number()) {
                    breaks::listen(session, &typed, surroundings.ask_hidden());
                }
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) if session.pop() => {}
            Err(ReadlineError::Eof) => return Ok(0),
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// The line editor, shared by the prompt and its break levels.
#[derive(Clone)]
pub(super) struct Typed(Arc<Mutex<LineEditor>>, Options, Arc<AtomicUsize>);

impl Typed {
    fn editor(&self) -> MutexGuard<'_, LineEditor> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads an input and keeps it in the history.
    pub(super) fn line(&self, prompt: &str) -> rustyline::Result<String> {
        let mut editor = self.editor();
        self.2.store(prompt.chars().count(), Ordering::Relaxed);
        let input = editor.readline(prompt)?;
        if !input.trim().is_empty() {
            keep(&mut editor, &self.1, &input);
        }
        Ok(input)
    }

    fn refresh(&self, assistant: &Assistant) {
        if let Some(helper) = self.editor().helper_mut() {
            helper.assistant.refresh(assistant);
        }
    }

    /// The terminal that replies are fitted to, if there is one.
    pub(super) fn terminal(&self) -> Option<Terminal> {
        let size = self.editor().dimensions().filter(|_| std::io::stdout().is_terminal());
        size.map(|(columns, rows)| Terminal {
            rows: rows.into(),
            columns: columns.into(),
            colours: self.1.colours,
        })
    }
}

fn line_editor(
    session: &mut Session,
    options: &Options,
    surroundings: &dyn Surroundings,
    first_column: &Arc<AtomicUsize>,
) -> rustyline::Result<LineEditor> {
    let config = Config::builder()
        .max_history_size(history::KEPT)?
        .completion_type(CompletionType::List)
        .completion_show_all_if_ambiguous(true)
        .completion_prompt_limit(200)
        .color_mode(if options.colours { ColorMode::Enabled } else { ColorMode::Disabled })
        .build();
    let mut editor: LineEditor = Editor::with_config(config)?;
    let assistant = surroundings.assistant(session);
    editor.set_helper(Some(Typing {
        assistant: assistant.clone(),
        files: FilenameCompleter::new(),
        colours: options.colours,
        accepted: Cell::new(false),
    }));
    let indenting = || {
        EventHandler::Conditional(Box::new(Indenting {
            assistant: assistant.clone(),
            first_column: first_column.clone(),
        }))
    };
    for key in [KeyEvent(KeyCode::Enter, Modifiers::NONE), KeyEvent::ctrl('J'), KeyEvent::ctrl('M')]
    {
        editor.bind_sequence(key, indenting());
    }
    if let Some(path) = &options.history
        && history::prepare(path).is_ok()
    {
        let _ = editor.load_history(path); // an empty or foreign file is not a history
    }
    Ok(editor)
}

/// Adds an input to the history and immediately to its file, so that a killed session loses
/// nothing.
fn keep(editor: &mut LineEditor, options: &Options, input: &str) {
    let added = editor.add_history_entry(history::kept(input)).unwrap_or(false);
    if let Some(path) = options.history.as_ref().filter(|_| added) {
        // A full disk or a missing folder is not a reason to stop working.
        let _ = history::prepare(path)
            .and_then(|()| editor.append_history(path).map_err(std::io::Error::other));
    }
}

/// Returns the output of `:history`.
fn listed(history: &dyn History) -> String {
    const SHOWN: usize = 100;
    let first = history.len().saturating_sub(SHOWN);
    let entry = |index: usize| {
        let entry = history.get(index, rustyline::history::SearchDirection::Forward).ok()??;
        Some(format!("{:>5}  {}", index + 1, entry.entry.replace('\n', "\n       ")))
    };
    (first..history.len()).filter_map(entry).collect::<Vec<_>>().join("\n")
}

/// Runs the prompt on input from a pipe or a file. Prompts and replies are printed in the form of a
/// transcript.
fn run_lines(session: &mut Session, surroundings: &mut dyn Surroundings) -> std::io::Result<i32> {
    let mut pending = String::new();
    surroundings.print(&session.prompt())?;
    loop {
        // Standard input is not locked while a form runs, because the form may read from it.
        if std::io::stdin().lock().read_line(&mut pending)? == 0 {
            break;
        }
        if pending.trim().is_empty() {
            pending.clear();
            continue;
        }
        if is_unfinished(&pending) {
            continue;
        }
        if let Some(code) = answer(session, &pending, surroundings, &String::new)? {
            return Ok(code);
        }
        pending.clear();
        surroundings.print(&session.prompt())?;
    }
    if !pending.is_empty()
        && let Some(code) = answer(session, &pending, surroundings, &String::new)?
    {
        return Ok(code);
    }
    surroundings.print("\n")?;
    Ok(0)
}

/// Prints the answer to an input. Returns the exit code if the input ends the prompt.
fn answer(
    session: &mut Session,
    input: &str,
    surroundings: &mut dyn Surroundings,
    history: &dyn Fn() -> String,
) -> std::io::Result<Option<i32>> {
    let text = match session.answer(input) {
        Answer::Reply(reply) => {
            if let Err(report) = &reply.result {
                if session.was_told() && report.exit.is_none() && !report.interrupted {
                    surroundings.print(&reply.output)?;
                    return Ok(None);
                }
                if let Some(code) = report.exit {
                    surroundings.print(if reply.output == "\n" { "" } else { &reply.output })?;
                    return Ok(Some(code));
                }
                if report.interrupted {
                    let notes: String = surroundings
                        .after_interrupt()
                        .iter()
                        .map(|note| format!("\n{note}"))
                        .collect();
                    session.shown(input, &reply) + &notes
                } else {
                    session.shown(input, &reply)
                }
            } else {
                session.shown(input, &reply)
            }
        }
        Answer::Text(text) => text,
        Answer::Exit(code) => return Ok(Some(code)),
        Answer::Reset => match surroundings.reset(session) {
            Ok(()) => "connections are closed, definitions forgotten".to_owned(),
            Err(message) => format!("Error: {message}"),
        },
        Answer::History => history(),
        Answer::Trace(on) => {
            format!("the trace is {}", if surroundings.trace(on) { "on" } else { "off" })
        }
    };
    if !text.is_empty() {
        surroundings.print(&format!("{text}\n"))?;
    }
    Ok(None)
}
