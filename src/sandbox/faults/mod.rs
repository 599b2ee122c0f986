//! Faults on the wire between a client and a server, for trying how a script or client handles
//! them.
//!
//! On every connection each side's bytes are counted from 0. A [`Fault`] names a side and what
//! happens to some of its bytes; all others pass unchanged.
//! [`Sandbox::set_faults`](super::Sandbox::set_faults) applies [`FaultRule`]s to a sandbox's own
//! connections; a [`Relay`] stands in front of any other server. Under TLS the bytes are the
//! encrypted ones.
//!
//! From the inside out: `mangle` decides what becomes of bytes, `link` carries them between two
//! sockets, and `relay` or the sandbox's listener (with a `plan`) accepts connections.
//!
//! ```
//! use postoffice::sandbox::faults::{FaultRule, Relay};
//! use postoffice::sandbox::{Options, Sandbox};
//!
//! // The second IMAP connection breaks after 100 bytes from the server.
//! let rule: FaultRule = "imap#2:server:cut@100".parse().unwrap();
//! let sandbox = Sandbox::start(Options { faults: vec![rule], ..Options::default() })?;
//!
//! // A relay, in front of any server.
//! let relay = Relay::start(sandbox.pop_address(), vec!["client:drip=0.01".parse().unwrap()]).unwrap();
//! assert!(relay.address().ip().is_loopback());
//! # Ok::<(), postoffice::sandbox::SandboxError>(())
//! ```

mod link;
mod mangle;
mod plan;
mod relay;
mod text;

use std::{ops::Range, time::Duration};

use super::Protocol;
pub(super) use link::{Link, pair};
pub(super) use plan::Plan;
pub use relay::{Relay, Said};

/// Who sends bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The client: commands and letters.
    Client,
    /// The server: the greeting and answers.
    Server,
}

/// What happens to one side's bytes. Offsets count from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The connection ends for both sides after this many bytes.
    Cut {
        /// Bytes that pass first.
        at: u64,
    },
    /// Nothing from this side passes after this many bytes; the connection stays open.
    Stall {
        /// Bytes that pass first.
        at: u64,
    },
    /// Each byte travels alone, `interval` after the previous one.
    Drip {
        /// The bytes affected; the others pass normally.
        range: Range<u64>,
        /// Pause before each byte. With zero the system may join some bytes again.
        interval: Duration,
    },
    /// Extra bytes come before byte `at`, as soon as those before it have passed.
    Insert {
        /// Offset at which they are inserted.
        at: u64,
        /// The bytes to insert.
        bytes: Vec<u8>,
    },
    /// Other bytes replace those from `at` on, one for one.
    Replace {
        /// Offset of the first byte replaced.
        at: u64,
        /// The replacement.
        bytes: Vec<u8>,
    },
    /// These bytes are sent twice; the copy follows the last of them.
    Double {
        /// The bytes to repeat.
        range: Range<u64>,
    },
}

/// What happens to the bytes of one side. Text form: `server:cut@120`; see [`FaultRule`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The side that sends the bytes.
    pub side: Side,
    /// What happens to them.
    pub kind: FaultKind,
}

/// A fault, and the connections of a sandbox that it applies to.
///
/// Text form: `[PROTOCOL[#N]:]SIDE:FAULT`. PROTOCOL is `imap`, `pop` or `smtp`, by default any. N
/// is the connection's number, 1 for the first of its protocol since the rules were set, by default
/// every one. SIDE is `client` or `server`. FAULT is one of
///
/// | fault | what it does |
/// |---|---|
/// | `cut@N` | passes N bytes, then ends the connection |
/// | `stall@N` | passes N bytes, then nothing more |
/// | `byte-at-a-time` | every byte travels alone |
/// | `drip=SECONDS` | pauses this long before every byte |
/// | `insert@N=TEXT` | inserts bytes before byte N |
/// | `replace@N=TEXT` | replaces the bytes from N on |
/// | `double@N..M` | sends the bytes from N up to, but not including, M twice |
///
/// `byte-at-a-time@N..M` and `drip@N..M=SECONDS` affect those bytes only. In TEXT `\r`, `\n`, `\t`,
/// `\0`, `\\` and `\xHH` are single bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultRule {
    /// The protocol; `None` for all.
    pub protocol: Option<Protocol>,
    /// The connection's number among those of its protocol, from 1; `None` for all.
    pub connection: Option<u32>,
    /// What happens to its bytes.
    pub fault: Fault,
}
