//! Signals, as messages to the service.
//!
//! `ctrlc` makes one of all signals, so it is not used here where `signal-hook` tells them apart.

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// SIGTERM: to end.
    Terminate,
    /// Ctrl-C: to end, with another exit code.
    Interrupt,
    /// SIGHUP: to read the scripts anew.
    HangUp,
}

/// Calls `receive` with each signal from now on, in a thread. Call it once in a process.
#[cfg(unix)]
pub(super) fn listen(receive: impl Fn(Signal) + Send + 'static) -> Result<(), String> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let text = |error: std::io::Error| format!("signals: {error}");
    let mut signals =
        signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGTERM]).map_err(text)?;
    let listener = std::thread::Builder::new().name("signals".to_owned());
    let listener = listener.spawn(move || {
        for signal in signals.forever() {
            receive(match signal {
                SIGHUP => Signal::HangUp,
                SIGINT => Signal::Interrupt,
                _ => Signal::Terminate,
            });
        }
    });
    listener.map(drop).map_err(text)
}

/// The same, for Ctrl-C only.
#[cfg(not(unix))]
pub(super) fn listen(receive: impl Fn(Signal) + Send + 'static) -> Result<(), String> {
    ctrlc::set_handler(move || receive(Signal::Interrupt)).map_err(|error| error.to_string())
}
