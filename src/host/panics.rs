//! Turns panics of the interpreter and of natives into errors of the running form.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    /// How many calls of [`caught`] are active in this thread.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Runs code that may panic.
///
/// # Errors
/// The panic's message.
pub(crate) fn caught<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    DEPTH.set(DEPTH.get() + 1);
    let result = catch_unwind(AssertUnwindSafe(run));
    DEPTH.set(DEPTH.get() - 1);
    result.map_err(|panic| {
        let text = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned());
        text.unwrap_or_else(|| "panic".to_owned())
    })
}

/// Stops the printing of panics that become errors of a script; the error holds the message. Other
/// panics are reported as before. This is for programs, not for libraries, because it affects the
/// whole process.
pub fn report_only_uncaught_panics() {
    static DONE: Once = Once::new();
    DONE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if DEPTH.get() == 0 {
                usual(panic);
            }
        }));
    });
}
