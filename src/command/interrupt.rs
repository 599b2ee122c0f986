//! Handles Ctrl-C. SIGTERM and SIGHUP have the same effect.

use crate::host::{Context, Host, Interrupter};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The exit code after Ctrl-C or one of the other signals, as in shells.
pub(super) const INTERRUPTED: i32 = 130;

/// Stops the form of a host, and tells whether the host is still there.
type Watched = Option<(Interrupter, Weak<Context>)>;

/// Stops the running form of the watched host on Ctrl-C. The process exits on a second Ctrl-C while
/// that form still runs, and on Ctrl-C while no host is watched.
pub(super) struct CtrlC {
    host: Arc<Mutex<Watched>>,
    /// Whether Ctrl-C was pressed.
    pub pressed: Arc<AtomicBool>,
}

impl CtrlC {
    /// Starts to listen to Ctrl-C. Call it once in a process.
    pub fn listen() -> Result<CtrlC, String> {
        let ctrl_c = CtrlC { host: Arc::default(), pressed: Arc::default() };
        let (host, pressed) = (ctrl_c.host.clone(), ctrl_c.pressed.clone());
        ctrlc::set_handler(move || {
            pressed.store(true, Ordering::SeqCst);
            match &*host.lock().unwrap_or_else(PoisonError::into_inner) {
                Some((interrupter, host))
                    if host.strong_count() > 0 && !interrupter.is_stopping() =>
                {
                    interrupter.interrupt()
                }
                _ => {
                    super::asking::show_typing();
                    std::process::exit(INTERRUPTED)
                }
            }
        })
        .map_err(|error| error.to_string())?;
        Ok(ctrl_c)
    }

    /// Makes this host the one to stop.
    pub fn watch(&self, host: &Host) {
        let watched = (host.interrupter(), Arc::downgrade(host.context()));
        *self.host.lock().unwrap_or_else(PoisonError::into_inner) = Some(watched);
    }
}
