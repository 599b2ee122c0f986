//! The integration tests, all in one program, because linking the interpreter costs more than
//! running any of them.
//!
//! There is one module per subject; `tests/support` holds what they share. `cargo test` runs them
//! all in one process, so a test must not change the process: its environment, current folder,
//! limits or signal handlers. A test that needs such a change runs the command, or itself, as a
//! child process.
//!
//! Without the feature `cli` the tests of the command are left out. Without `host` only the tests
//! that need no interpreter remain, and without `sandbox` only those that need no server.

#[cfg(feature = "sandbox")]
mod ahead;
#[cfg(feature = "host")]
mod api;
#[cfg(feature = "sandbox")]
mod appending;
mod architecture;
#[cfg(feature = "sandbox")]
mod client;
#[cfg(feature = "cli")]
mod command;
#[cfg(feature = "sandbox")]
mod commands;
#[cfg(feature = "host")]
mod common_lisp;
#[cfg(feature = "sandbox")]
mod compression;
#[cfg(feature = "host")]
mod conditions;
#[cfg(all(feature = "host", feature = "sandbox"))]
mod condstore;
#[cfg(all(feature = "host", feature = "sandbox"))]
mod cursors;
#[cfg(feature = "host")]
mod dates;
#[cfg(feature = "host")]
mod differential;
#[cfg(feature = "sandbox")]
mod door;
#[cfg(feature = "host")]
mod dry_run;
#[cfg(feature = "host")]
mod evaluating;
#[cfg(feature = "host")]
mod evaluation;
#[cfg(feature = "sandbox")]
mod failures;
#[cfg(feature = "sandbox")]
mod faults;
#[cfg(feature = "host")]
mod files;
#[cfg(feature = "host")]
mod forms;
#[cfg(feature = "cli")]
mod golden;
#[cfg(all(feature = "cli", target_os = "linux"))]
mod growth;
#[cfg(feature = "sandbox")]
mod hostile;
#[cfg(feature = "sandbox")]
mod identity;
#[cfg(all(feature = "host", feature = "sandbox"))]
mod jobs;
#[cfg(feature = "host")]
mod journal;
#[cfg(feature = "cli")]
mod journal_command;
#[cfg(feature = "host")]
mod language;
#[cfg(feature = "host")]
mod letter_sets;
mod letters;
#[cfg(feature = "host")]
mod libraries;
#[cfg(all(feature = "host", feature = "sandbox"))]
mod limits;
#[cfg(feature = "sandbox")]
mod logins;
#[cfg(feature = "host")]
mod loop_and_format;
#[cfg(feature = "host")]
mod macros;
#[cfg(feature = "cli")]
mod mail_answers;
#[cfg(feature = "sandbox")]
mod mailboxes;
#[cfg(feature = "cli")]
mod mistakes;
#[cfg(feature = "sandbox")]
mod notifying;
#[cfg(all(feature = "host", feature = "sandbox"))]
mod offers;
#[cfg(feature = "host")]
mod ordering;
#[cfg(feature = "host")]
mod parallel;
#[cfg(feature = "host")]
mod patterns;
#[cfg(all(unix, feature = "cli"))]
mod period_programs;
#[cfg(feature = "sandbox")]
mod pop;
#[cfg(all(unix, feature = "host"))]
mod programs;
#[cfg(all(feature = "host", feature = "sandbox"))]
mod quarantine;
#[cfg(feature = "sandbox")]
mod quota;
#[cfg(feature = "host")]
mod reading;
#[cfg(feature = "host")]
mod reconnecting;
#[cfg(feature = "host")]
mod regexps;
#[cfg(feature = "host")]
mod report;
#[cfg(feature = "host")]
mod restarts;
#[cfg(feature = "host")]
mod rules;
#[cfg(feature = "sandbox")]
mod sandbox;
#[cfg(feature = "host")]
mod saving;
#[cfg(feature = "host")]
mod scheme;
#[cfg(feature = "cli")]
mod scripts;
#[cfg(feature = "host")]
mod searching;
#[cfg(feature = "cli")]
mod secrets;
#[cfg(all(feature = "host", feature = "sandbox"))]
mod servers;
#[cfg(feature = "cli")]
mod shifting;
#[cfg(feature = "sandbox")]
mod smtp;
#[cfg(feature = "cli")]
mod terminal;
#[cfg(all(feature = "host", feature = "sandbox"))]
mod timeouts;
#[cfg(feature = "cli")]
mod untrusted;
#[cfg(feature = "sandbox")]
mod utf8;
#[cfg(all(feature = "host", feature = "sandbox"))]
mod waiting;
#[cfg(all(unix, feature = "cli"))]
mod watch_command;
#[cfg(all(feature = "host", feature = "sandbox"))]
mod watching;
#[cfg(feature = "sandbox")]
mod wire;
#[cfg(feature = "host")]
mod words;

#[path = "../support/stopwatch.rs"]
mod stopwatch;
#[cfg(feature = "sandbox")]
#[path = "../support/mod.rs"]
mod support;
