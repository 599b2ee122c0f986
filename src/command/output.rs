//! Standard output and standard error, whose readers may be gone.

use crate::shown::escape_controls;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether what was written to standard output ended its line.
static AT_LINE_START: AtomicBool = AtomicBool::new(true);

/// Whether what is printed may come from somebody who is not trusted.
static FROM_STRANGERS: AtomicBool = AtomicBool::new(false);

/// From now on control characters are shown instead of sent to a terminal, which could be made to type or to tell things by them.
pub(super) fn distrust() {
    FROM_STRANGERS.store(true, Ordering::Relaxed);
}

/// Text without control characters, but with its line ends and tabs.
fn harmless(text: &str) -> String {
    text.split_inclusive(['\n', '\t'])
        .map(|piece| match piece.strip_suffix(['\n', '\t']) {
            Some(front) => escape_controls(front) + &piece[front.len()..],
            None => escape_controls(piece),
        })
        .collect()
}

/// Writes to standard output. When its reader is gone, as behind `| head`, the program ends with 0: there is nothing left to do.
///
/// # Errors
/// The error of writing, for example a full disk.
pub fn print(text: &str) -> io::Result<()> {
    if !text.is_empty() {
        AT_LINE_START.store(text.ends_with('\n'), Ordering::Relaxed);
    }
    let shown = if FROM_STRANGERS.load(Ordering::Relaxed) && io::stdout().is_terminal() {
        &harmless(text)
    } else {
        text
    };
    let mut out = io::stdout().lock();
    match out.write_all(shown.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        done => done,
    }
}

/// Writes lines to standard error, control characters shown as such; on a terminal they begin on a fresh line. When its reader is gone they are lost and the program goes on: a script that moves mail is not
/// left half-way because nobody reads its trace, and the exit code still says how it went.
pub fn complain(text: &str) {
    begin_line();
    let _ = io::stderr().lock().write_all(format!("{}\n", harmless(text)).as_bytes()); // there is nobody to tell
}

/// Ends the line that standard output has begun, if both are shown on a terminal.
pub(super) fn begin_line() {
    if !AT_LINE_START.load(Ordering::Relaxed)
        && io::stdout().is_terminal()
        && io::stderr().is_terminal()
    {
        AT_LINE_START.store(true, Ordering::Relaxed);
        let _ = io::stderr().write_all(b"\n"); // as above
    }
}
