//! The prompt in a real pseudo-terminal, as a user sees it: tmux types and captures the screen.

mod asking;
mod breaking;
mod completing;
mod editing;
mod interrupting;
mod replies;
mod screen;
