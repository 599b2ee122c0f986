//! Postoffice: mail scripting in a Lisp whose functions are named as in Allegro CL's
//! `net.post-office`, on its own protocol core.
//!
//! From the inside out:
//!
//! - [`proto`]: the protocol cores, sans-IO. Bytes in, bytes and events out; no sockets, no clock.
//!   Usable alone.
//! - [`mime`]: reads and builds letters: headers, addresses, parts. Usable alone.
//! - [`transport`]: the only sockets: TCP and TLS with deadlines, redirects, traces.
//! - [`client`]: blocking clients, one method per operation.
//! - [`condition`]: errors and warnings as a script sees them.
//! - [`policy`]: limits what a program may reach.
//! - [`guard`]: limits what a program may change.
//! - `lisp`: the language without an interpreter: reader, expander, printer.
//! - `host`: the Scheme interpreter, and how native functions are called from it.
//! - `api`: the functions that scripts call, in one catalog.
//! - `repl`: the prompt and transcripts.
//! - `sandbox`: a mail server inside this process.
//! - `mirror`: real accounts behind a sandbox, which takes all changes.
//! - `state`: the state database: the journal of changes, and undoing them.
//! - `plan`: what a dry run would change, and doing it.
//! - `command`: the `postoffice` command.
//!
//! `sandbox` and `mirror` need the feature `sandbox`; `lisp`, `host`, `api`, `repl`, `state` and `plan` need
//! `host`; `command` needs `cli`. Without default features, the crate is the protocol cores and the mail
//! clients.
//!
//! # A host with the whole interface
//!
//! ```
//! # #[cfg(feature = "host")] {
//! use postoffice::api::{Setup, attach};
//! use postoffice::repl::Session;
//!
//! let mut session = Session::new(Vec::new());
//! attach(session.host(), &Setup::sandboxed(Default::default())?);
//! session.evaluate(r#"(setq mb (make-imap-connection "mail.example.org" :user "myacct" :password "mypasswd"))"#);
//! session.evaluate(r#"(select-mailbox mb "inbox")"#);
//! assert_eq!(session.evaluate("(mailbox-message-count mb)").text(), "7");
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "host")]
pub mod api;
pub mod client;
#[cfg(feature = "cli")]
pub mod command;
pub mod condition;
pub mod guard;
#[cfg(feature = "host")]
pub mod host;
#[cfg(any(feature = "host", fuzzing))]
pub mod lisp;
pub mod mime;
#[cfg(feature = "sandbox")]
pub mod mirror;
#[cfg(feature = "host")]
pub mod plan;
pub mod policy;
pub mod proto;
#[cfg(any(feature = "host", fuzzing))]
pub mod repl;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod shown;
#[cfg(feature = "host")]
pub mod state;
pub mod transport;
