//! Asks for a password at the terminal, without echo.
//!
//! On Unix the terminal is restored when the question is answered or interrupted, and by
//! [`show_typing`] when the process exits in the middle of it.

use super::output::begin_line;
use crate::api::AskSecret;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Returns a function that asks on standard error, if standard error and standard input are
/// terminals; otherwise `None`.
pub(super) fn at_terminal() -> Option<AskSecret> {
    (io::stdin().is_terminal() && io::stderr().is_terminal()).then(|| Arc::new(ask) as AskSecret)
}

fn say(text: &str) -> io::Result<()> {
    io::stderr().lock().write_all(text.as_bytes())
}

#[cfg(unix)]
mod echo {
    use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
    use std::io;
    use std::sync::{Mutex, PoisonError};

    /// The terminal's settings from before the echo was switched off.
    static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

    /// Switches the echo off and discards input typed before.
    pub fn hide() -> io::Result<Hidden> {
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO);
        silent.local_flags.insert(LocalFlags::ECHONL | LocalFlags::ICANON | LocalFlags::ISIG);
        *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
        tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &silent)?;
        Ok(Hidden)
    }

    /// Restores the terminal if the echo is off.
    pub fn show() {
        if let Some(before) = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, &before); // the terminal may be gone
        }
    }

    /// Restores the terminal when it is dropped.
    pub struct Hidden;

    impl Drop for Hidden {
        fn drop(&mut self) {
            show();
        }
    }
}

/// Restores the terminal before the process exits in the middle of a question.
pub(super) fn show_typing() {
    #[cfg(unix)]
    echo::show();
}

/// Only one question at a time: several threads may ask.
#[cfg(unix)]
static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// Reads a line byte by byte and bypasses Rust's buffer of standard input, from which the password
/// could not be erased.
#[cfg(unix)]
fn ask(question: &str, interrupted: &dyn Fn() -> bool) -> io::Result<Option<Zeroizing<String>>> {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::AsFd;
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    begin_line();
    let _hidden = echo::hide()?;
    say(question)?;
    let stdin = io::stdin();
    let mut typed = Zeroizing::new(Vec::with_capacity(4096)); // the longest line that a terminal delivers
    loop {
        if interrupted() {
            say("\n")?;
            return Err(io::ErrorKind::Interrupted.into());
        }
        let mut waiting = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        if !poll(&mut waiting, PollTimeout::from(100u8)).is_ok_and(|ready| ready > 0) {
            continue;
        }
        let mut byte = Zeroizing::new([0]);
        match nix::unistd::read(stdin.as_fd(), &mut *byte) {
            Ok(0) if typed.is_empty() => {
                say("\n")?;
                return Ok(None);
            }
            Ok(_) if byte[0] != b'\n' && byte[0] != 0 => typed.push(byte[0]),
            Ok(_) => break,
            Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let text = std::str::from_utf8(&typed).map_err(|_| io::Error::other("it is not UTF-8"))?;
    Ok(Some(Zeroizing::new(text.to_owned())))
}

#[cfg(not(unix))]
fn ask(question: &str, interrupted: &dyn Fn() -> bool) -> io::Result<Option<Zeroizing<String>>> {
    begin_line();
    say(question)?;
    let typed = console::Term::stderr().read_secure_line()?;
    if interrupted() {
        Err(io::ErrorKind::Interrupted.into())
    } else {
        Ok(Some(Zeroizing::new(typed)))
    }
}
