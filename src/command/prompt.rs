//! The prompt.

use super::arguments::Global;
use super::interrupt::CtrlC;
use super::output::print;
use super::setup::{Setup, attach};
use crate::repl::{Session, editor};

pub(super) fn prompt(global: &Global) -> Result<i32, String> {
    let setup = Setup::new(global)?;
    let mut session = Session::new(Vec::new()).map_err(|condition| condition.to_string())?;
    let state = attach(session.host(), &setup);
    CtrlC::listen()?.watch(session.host());
    let code = editor::run(&mut session, print);
    state.close_all();
    code
}
