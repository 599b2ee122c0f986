//! Break levels at the prompt in a terminal, as Allegro's listener has them.
//!
//! An error that no handler takes is shown with its restarts, numbered, and the next prompt is
//! `[1] user(5): `. Forms are evaluated as at the prompt; `:continue N` takes a restart, `:pop`
//! leaves the level, `:reset` all of them. The interpreter waits within the form that failed all
//! the while, so this module may use the terminal but not the session.

use super::commands::{self, Command};
use super::display::{error_text, explained, fitted, printed_datum};
use super::editor::{AskHidden, Typed};
use super::session::{Session, actions};
use crate::condition::Condition;
use crate::host::{Input, Listener, Report};
use crate::lisp::{Datum, reader};
use rustyline::error::ReadlineError;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Lets errors of the session open break levels.
pub(super) fn listen(session: &mut Session, typed: &Typed, ask_secret: Option<AskHidden>) {
    let told = Arc::new(AtomicBool::new(false));
    let listener = AtPrompt {
        typed: typed.clone(),
        number: session.shared_number(),
        told: told.clone(),
        write: session.writer(),
        ask_secret,
        levels: Vec::new(),
    };
    session.break_with(Box::new(listener), told);
}

struct AtPrompt {
    typed: Typed,
    number: Arc<AtomicUsize>,
    told: Arc<AtomicBool>,
    write: Box<dyn Fn(&str) + Send>,
    ask_secret: Option<AskHidden>,
    /// The open levels: the number, what is shown, and how many restarts there are.
    levels: Vec<(usize, String, usize)>,
}

impl AtPrompt {
    fn print(&self, text: &str) {
        (self.write)(&format!("{text}\n"));
    }

    /// Carries out what was typed, or returns it for the interpreter.
    fn answer(&self, level: usize, input: String) -> Option<Input> {
        let restarts = self.levels.last().map_or(0, |(_, _, restarts)| *restarts);
        let command = match commands::parse(&input) {
            None => match reader::read(&input) {
                Ok(_) => return Some(Input::Forms(input)),
                Err(error) => {
                    self.print(&format!("Error: {}", error.message));
                    return None;
                }
            },
            Some(Ok(command)) => command,
            Some(Err(wrong)) => {
                self.print(&format!("Error: {wrong}"));
                return None;
            }
        };
        match command {
            Command::Continue(number) if number < restarts => {
                return Some(Input::Continue(number));
            }
            // The numbers after the restarts lead out.
            Command::Continue(number) if number == restarts => return Some(Input::Pop),
            Command::Continue(number) if number == restarts + 1 && level > 1 => {
                return Some(Input::Reset);
            }
            Command::Continue(number) => {
                self.print(&format!("Error: there is no restart {number}"))
            }
            Command::Pop => return Some(Input::Pop),
            Command::Reset => return Some(Input::Reset),
            Command::Exit(status) => return Some(Input::Exit(status)),
            Command::Help(Some(name)) => {
                return Some(Input::Forms(format!("(help '|{}|)", name.replace(['|', '\\'], ""))));
            }
            Command::Help(None) => self.print(commands::HELP.trim_end()),
            Command::Zoom | Command::Backtrace => {
                self.print(self.levels.last().map_or("", |(_, shown, _)| shown));
            }
            _ => self.print(
                "Error: a form waits here, so there are only :continue :pop :reset :zoom :bt :help :exit",
            ),
        }
        None
    }
}

impl Listener for AtPrompt {
    fn opened(&mut self, level: usize, condition: &Condition, restarts: &[String]) {
        let report = Report::from(condition.clone());
        // The advice is to connect again, which the restart does.
        let reconnects = restarts.iter().any(|restart| restart.starts_with("reconnect:"));
        let mut shown = match self.typed.terminal().filter(|_| !reconnects) {
            Some(terminal) => explained("", "", &report, terminal),
            None => error_text(&report),
        };
        shown.push_str(&actions(restarts, level));
        self.print(&shown);
        self.levels.retain(|(open, ..)| *open < level);
        self.levels.push((level, shown, restarts.len()));
    }

    fn input(&mut self, level: usize) -> Input {
        let input = self.next_input(level);
        self.told.store(matches!(input, Input::Pop | Input::Reset), Ordering::Relaxed);
        input
    }

    fn ask(&mut self, question: &str, is_secret: bool) -> Option<String> {
        let answer = match &self.ask_secret {
            Some(ask) if is_secret => ask(question)?,
            _ => self.typed.line(question).ok()?,
        };
        Some(answer).filter(|answer| !answer.trim().is_empty())
    }

    fn value(&mut self, value: &Datum) {
        let terminal = self.typed.terminal();
        let text = printed_datum(value, terminal, false);
        self.print(&terminal.map_or(text.clone(), |terminal| fitted(&text, terminal, false)));
    }
}

impl AtPrompt {
    /// Reads inputs until one is for the interpreter.
    fn next_input(&mut self, level: usize) -> Input {
        self.levels.retain(|(open, ..)| *open <= level);
        loop {
            let number = self.number.load(Ordering::Relaxed);
            match self.typed.line(&format!("[{level}] user({number}): ")) {
                Ok(input) if input.trim().is_empty() => {}
                Ok(input) => {
                    self.number.fetch_add(1, Ordering::Relaxed);
                    if let Some(input) = self.answer(level, input) {
                        return input;
                    }
                }
                Err(ReadlineError::Interrupted) => {}
                Err(_) => return Input::Pop,
            }
        }
    }
}
