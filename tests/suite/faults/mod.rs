//! Faults of the wire: whole sessions are run while it breaks, stalls or lies, and what must hold then is looked at. Nobody panics and nobody waits beyond
//! the deadline; what fails has the right identifier; no letter is lost or sent twice.
//!
//! `sessions` says what is run and what must hold, `stand` is the server, `attempt` runs one session over one wire and `bench` many at a time; the other files
//! are the tests, one a kind of fault.

mod attempt;
mod bench;
mod cuts;
mod dovecot;
mod mangled;
mod relay;
#[cfg(feature = "host")]
mod scheme;
mod sessions;
mod stalls;
mod stand;
mod turns;
