//! Writing to standard output and standard error, whose readers may have closed them, and to files.

use crate::shown::escape_controls;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the last text written to standard output ended its line.
static AT_LINE_START: AtomicBool = AtomicBool::new(true);

/// Whether printed text may come from an untrusted script.
static FROM_STRANGERS: AtomicBool = AtomicBool::new(false);

/// Whether the last text written to standard output ended its line.
pub(super) fn at_line_start() -> bool {
    AT_LINE_START.load(Ordering::Relaxed)
}

/// From now on, shows control characters instead of sending them to a terminal. They could make it
/// type or report things.
pub(super) fn distrust() {
    FROM_STRANGERS.store(true, Ordering::Relaxed);
}

/// Returns text with control characters escaped, except line ends and tabs.
fn harmless(text: &str) -> String {
    text.split_inclusive(['\n', '\t'])
        .map(|piece| match piece.strip_suffix(['\n', '\t']) {
            Some(front) => escape_controls(front) + &piece[front.len()..],
            None => escape_controls(piece),
        })
        .collect()
}

/// Writes to standard output. If the reader has closed it, as `| head` does, the process exits with
/// 0, because nothing is left to do.
///
/// The error of the write, for example a full disk.
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

/// Writes text of a script to standard error. If the reader has closed it, the text is lost, as in
/// [`complain`].
pub(super) fn print_error(text: &str) -> io::Result<()> {
    begin_line();
    let shown = if FROM_STRANGERS.load(Ordering::Relaxed) && io::stderr().is_terminal() {
        &harmless(text)
    } else {
        text
    };
    match io::stderr().lock().write_all(shown.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

/// Writes lines to standard error with control characters escaped; on a terminal they begin on a
/// fresh line. If the reader has closed it, they are lost and the program continues: a script that
/// moves mail must not stop half-way because nobody reads its trace, and the exit code still
/// reports the outcome.
pub fn complain(text: &str) {
    begin_line();
    let _ = io::stderr().lock().write_all(format!("{}\n", harmless(text)).as_bytes()); // nobody is left to report this to
}

/// Ends an unfinished line of standard output, if both streams are shown on a terminal.
pub(super) fn begin_line() {
    if !AT_LINE_START.load(Ordering::Relaxed)
        && io::stdout().is_terminal()
        && io::stderr().is_terminal()
    {
        AT_LINE_START.store(true, Ordering::Relaxed);
        let _ = io::stderr().write_all(b"\n"); // as above
    }
}

/// Writes a file that only its owner can read, whole or not at all: it may hold letters.
pub(super) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(text.as_bytes())?;
    file.persist(path).map(drop).map_err(|error| error.error)
}
