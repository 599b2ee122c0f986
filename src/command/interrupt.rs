//! Ctrl-C, and what ends a service: SIGTERM and SIGHUP do the same.

use crate::host::{Context, Host, Interrupter};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Exit code after Ctrl-C, as shells have it, and after the other signals.
pub(super) const INTERRUPTED: i32 = 130;

/// The host whose form is stopped. Its context tells whether that was asked for already.
type Watched = Option<(Interrupter, Weak<Context>)>;

/// What Ctrl-C does: it stops the form that runs in the host that is watched; a second one while that form still runs ends the program, as does one while there
/// is no host.
pub(super) struct CtrlC {
    host: Arc<Mutex<Watched>>,
    /// Whether it was pressed.
    pub pressed: Arc<AtomicBool>,
}

impl CtrlC {
    /// Listens to Ctrl-C from now on; once in a process.
    pub fn listen() -> Result<CtrlC, String> {
        let ctrl_c = CtrlC { host: Arc::default(), pressed: Arc::default() };
        let (host, pressed) = (ctrl_c.host.clone(), ctrl_c.pressed.clone());
        ctrlc::set_handler(move || {
            pressed.store(true, Ordering::SeqCst);
            match &*host.lock().unwrap_or_else(PoisonError::into_inner) {
                Some((interrupter, context))
                    if context.upgrade().is_some_and(|context| !context.interrupted()) =>
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

    /// From now on it is this host that is stopped.
    pub fn watch(&self, host: &Host) {
        let watched = (host.interrupter(), Arc::downgrade(host.context()));
        *self.host.lock().unwrap_or_else(PoisonError::into_inner) = Some(watched);
    }
}
