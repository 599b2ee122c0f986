//! A password typed at the terminal, without echo.

use super::output::begin_line;
use crate::api::AskSecret;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Asks on standard error where that and standard input are a terminal; elsewhere nobody is asked.
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

    /// The terminal as it was, while it shows nothing of what is typed.
    static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

    /// Shows nothing from now on; what was typed before is forgotten.
    pub fn hide() -> io::Result<Hidden> {
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO);
        silent.local_flags.insert(LocalFlags::ECHONL | LocalFlags::ICANON | LocalFlags::ISIG);
        *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
        tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &silent)?;
        Ok(Hidden)
    }

    /// As before, if nothing is shown now.
    pub fn show() {
        if let Some(before) = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, &before); // the terminal may be gone
        }
    }

    /// Shows again what is typed, when it is dropped.
    pub struct Hidden;

    impl Drop for Hidden {
        fn drop(&mut self) {
            show();
        }
    }
}

/// Before the program ends in the middle of a question: the terminal shows what is typed, as before.
pub(super) fn show_typing() {
    #[cfg(unix)]
    echo::show();
}

/// One question at a time: several threads may want to know something.
#[cfg(unix)]
static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// Reads a line byte for byte, past what Rust keeps of standard input, which would stay in memory.
#[cfg(unix)]
fn ask(question: &str, interrupted: &dyn Fn() -> bool) -> io::Result<Option<Zeroizing<String>>> {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::AsFd;
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    begin_line();
    let _hidden = echo::hide()?;
    say(question)?;
    let stdin = io::stdin();
    let mut typed = Zeroizing::new(Vec::with_capacity(4096)); // the longest line that a terminal takes
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
