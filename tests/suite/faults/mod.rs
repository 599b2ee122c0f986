//! Faults of the wire: whole client sessions run while the connection breaks, stalls or alters
//! bytes. In every case nobody panics or waits past the deadline, a failure has the right
//! identifier, and no letter is lost or sent twice.
//!
//! `sessions` lists the sessions and their invariants, `stand` is the server with known mail,
//! `attempt` runs one session over one wire, and `bench` runs many attempts in parallel. The other
//! files are the tests, one per kind of fault. Most first record a session without faults and then
//! place a fault at every interesting offset of that recording.

mod attempt;
mod bench;
mod cuts;
mod dovecot;
mod mangled;
#[cfg(feature = "host")]
mod reconnecting;
mod relay;
#[cfg(feature = "host")]
mod scheme;
mod sessions;
mod stalls;
mod stand;
mod turns;
