//! A server that wants to do harm, over IMAP, POP3 and SMTP, in plain text, by STARTTLS and over TLS from the first byte: what a client must not do,
//! a test a rule. The numbers order the rules; each file says what its own are about.

mod appending;
#[cfg(feature = "cli")]
mod arguments;
mod framing;
#[cfg(all(feature = "host", target_os = "linux"))]
mod memory;
mod resources;
mod server;
mod smtp;
mod tls;
