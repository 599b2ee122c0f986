//! Postoffice: mail scripting in a Lisp whose functions are named as in Allegro CL's `net.post-office`, on a protocol core of its own.
//!
//! From the inside out:
//!
//! - [`proto`]: the protocol cores, sans-IO. Bytes in, bytes and events out; no sockets, no clock. Usable alone.
//! - [`mime`]: letters: headers, addresses, parts; reading and building. Usable alone.
//! - [`transport`]: the only sockets: TCP and TLS with deadlines, redirects, traces.
//! - [`client`]: blocking clients, one method an operation.
//! - [`condition`]: what goes wrong, as a script sees it.
//! - [`policy`]: what a program may reach.
//! - `lisp`: the language without an interpreter: reader, expander, printer.
//! - `host`: the Scheme engine, and how native functions meet it.
//! - `api`: the functions that scripts call, in one catalog.
//! - `repl`: the prompt and transcripts.
//! - `sandbox`: a mail server inside this process.
//! - `command`: what the `postoffice` command does.
//!
//! The last ones need the features `sandbox` and `host`; without default features the crate is the mail clients alone.
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
#[cfg(feature = "host")]
pub mod host;
#[cfg(any(feature = "host", fuzzing))]
pub mod lisp;
pub mod mime;
pub mod policy;
pub mod proto;
#[cfg(any(feature = "host", fuzzing))]
pub mod repl;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod shown;
pub mod transport;
