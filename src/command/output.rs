//! Standard output that ends quietly when nobody reads it any more.

use std::io::{self, Write};

/// Writes to standard output. When its reader is gone, as behind `| head`, the program ends with 0: there is nothing left to do.
///
/// # Errors
/// What keeps it from being written, a full disk for example.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        done => done,
    }
}
