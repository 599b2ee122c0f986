//! Hostile servers over IMAP, POP3 and SMTP, in plain text, with STARTTLS and with implicit TLS.
//! Each test states one rule about what a client must not do; the number in its name orders the
//! rules. The head of each file says what its rules are about. `server` has the server and the
//! client they use.

mod appending;
#[cfg(feature = "cli")]
mod arguments;
mod framing;
#[cfg(all(feature = "host", target_os = "linux"))]
mod letters;
#[cfg(all(feature = "host", target_os = "linux"))]
mod memory;
mod resources;
mod server;
mod smtp;
mod tls;
