//! Properties of the parsers and printers that must hold for any bytes. Each subject has one
//! function, which panics if its property does not hold.
//!
//! The fuzz targets call these functions with the fuzzer's inputs; `tests/fuzzed/corpora.rs` calls
//! them with inputs that it found earlier.

pub mod extraction;
mod feed;
mod header;
mod imap;
mod imap_codec;
mod imap_commands;
mod input;
mod letter;
#[cfg(any(fuzzing, feature = "host"))]
mod lisp;
mod new_letter;
mod pop3;
mod smtp;
#[cfg(any(fuzzing, feature = "host"))]
mod transcript;

/// A subject's name, which is also that of its target and its corpus, and the function that checks
/// it.
pub type Check = (&'static str, fn(&[u8]));

/// All subjects.
pub const CHECKS: &[Check] = &[
    ("addresses", header::addresses),
    ("date", header::date),
    ("encoded_words", header::encoded_words),
    #[cfg(any(fuzzing, feature = "host"))]
    ("expander", lisp::expander),
    ("header", header::header),
    ("html", letter::html),
    ("imap_codec", imap_codec::responses),
    ("imap_frame", imap::frame),
    ("imap_session", imap::session),
    ("letter", letter::letter),
    ("letter_body", smtp::letter_body),
    ("mailbox_name", imap_commands::mailbox_name),
    ("new_letter", new_letter::new_letter),
    ("parameter", header::parameter),
    ("pop3_session", pop3::session),
    #[cfg(any(fuzzing, feature = "host"))]
    ("reader", lisp::reader),
    ("search", imap_commands::search),
    ("sequence_set", imap_commands::sequence_set),
    ("smtp_session", smtp::session),
    ("transfer", letter::transfer),
    #[cfg(any(fuzzing, feature = "host"))]
    ("transcript", transcript::transcript),
];

/// Runs the check with this name.
///
/// # Panics
/// If the property does not hold, or if there is no such check.
pub fn check(name: &str, data: &[u8]) {
    let (_, check) = CHECKS
        .iter()
        .find(|(known, _)| *known == name)
        .unwrap_or_else(|| panic!("there is no check {name}"));
    check(data);
}
