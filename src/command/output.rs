//! Standard output and standard error, whose readers may be gone.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether what was written to standard output ended its line.
static AT_LINE_START: AtomicBool = AtomicBool::new(true);

/// Writes to standard output. When its reader is gone, as behind `| head`, the program ends with 0: there is nothing left to do.
///
/// # Errors
/// What keeps it from being written, a full disk for example.
pub fn print(text: &str) -> io::Result<()> {
    if !text.is_empty() {
        AT_LINE_START.store(text.ends_with('\n'), Ordering::Relaxed);
    }
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        done => done,
    }
}

/// Writes lines to standard error; on a terminal they begin on a fresh line. When its reader is gone they are lost and the program goes on: a script that moves mail is not
/// left half-way because nobody reads its trace, and the exit code still says how it went.
pub fn complain(text: &str) {
    if !AT_LINE_START.load(Ordering::Relaxed) && io::stdout().is_terminal() && io::stderr().is_terminal() {
        AT_LINE_START.store(true, Ordering::Relaxed);
        let _ = io::stderr().write_all(b"\n"); // as below
    }
    let _ = io::stderr().lock().write_all(format!("{text}\n").as_bytes()); // there is nobody to tell
}
