//! Break levels: what the prompt does with an error that no handler takes (Allegro's listener).
//!
//! [`Host::break_with`] makes `%break`, in `breaks.scm`, a handler outside of all others. A handler
//! runs before the call that failed is left, so its restarts are still there. `%break` tells a
//! [`Listener`] of the condition and its restarts, and then does what the listener answers, until
//! a restart is taken or the level is left. A form that is typed meanwhile is evaluated by `eval`;
//! its value is that of `*` then, and its error opens the next level.
//!
//! An error of the interpreter itself has left everything before a handler sees it, and an error
//! without restarts leaves at once. The prompt counts a level for it, too, but nothing waits in
//! that.

use super::Host;
use super::context::lock;
use super::value::nil;
use crate::condition::Condition;
use crate::lisp::Datum;
use crate::lisp::expander::{global, names};

/// What was typed at a break level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The text of forms to evaluate.
    Forms(String),
    /// The number of the restart to take.
    Continue(usize),
    /// Leave this level.
    Pop,
    /// Leave all levels.
    Reset,
    /// End the program with this status.
    Exit(i32),
}

/// Talks to the person at the prompt while a form that failed waits.
pub trait Listener: Send {
    /// A level has opened. `restarts` are the ones of [`Input::Continue`], each its name and what
    /// it does. The host adds none for leaving.
    fn opened(&mut self, level: usize, condition: &Condition, restarts: &[String]);

    /// Returns what to do next at this level.
    fn input(&mut self, level: usize) -> Input;

    /// Asks for what a restart takes: the text of a form, or a secret, which is typed hidden.
    /// Returns `None` if there is no answer.
    fn ask(&mut self, question: &str, is_secret: bool) -> Option<String>;

    /// Shows the value of a form.
    fn value(&mut self, value: &Datum);
}

impl Host {
    /// Opens break levels from now on: an error that no handler takes asks the listener.
    ///
    /// # Panics
    /// If the prelude is broken. It is part of the program.
    pub fn break_with(&mut self, listener: Box<dyn Listener>) {
        *lock(&self.context.listener) = Some(listener);
        let wanted = "(s/%break-handlers)";
        self.demand(wanted).unwrap_or_else(|report| panic!("break levels: {report}"));
        self.engine.flush().unwrap_or_else(|error| panic!("break levels: {error}"));
        for name in [names::LAST_VALUE, &global("**"), &global("***")] {
            if self.engine.global(name).is_none() {
                self.engine.set_global(name, nil());
            }
        }
        self.engine.breaks = true;
        self.engine.reset();
    }

    /// Says how many levels are open at the prompt itself, for errors that have left their form.
    pub fn set_break_level(&mut self, level: usize) {
        self.engine.break_level = level;
        self.engine.set_break_level();
    }
}
