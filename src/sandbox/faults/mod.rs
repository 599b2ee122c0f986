//! Faults of the wire between a client and a server, for trying what a script or a client does then.
//!
//! Theory: each side's bytes are counted from 0 on every connection. A [`Fault`] names a side and what happens at some of its bytes; all others pass as
//! they are. [`Sandbox::set_faults`](super::Sandbox::set_faults) disturbs a sandbox's own connections by [`FaultRule`]s, a [`Relay`] stands in front of
//! any other server. Under TLS the bytes are the encrypted ones.
//!
//! From the inside out: what becomes of bytes (`mangle`), two sockets between which they travel (`link`), and who accepts connections (`relay`, and the
//! sandbox's listener by a `plan`).
//!
//! ```
//! use postoffice::sandbox::faults::{FaultRule, Relay};
//! use postoffice::sandbox::{Options, Sandbox};
//!
//! // The second IMAP connection breaks behind 100 bytes of the server's.
//! let rule: FaultRule = "imap#2:server:cut@100".parse().unwrap();
//! let sandbox = Sandbox::start(Options { faults: vec![rule], ..Options::default() })?;
//!
//! // A wire of its own, in front of any server.
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

/// What happens to one side's bytes, offsets counted from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// So many bytes pass, then the connection ends for both sides.
    Cut {
        /// How many.
        at: u64,
    },
    /// So many bytes pass, then this side is heard no more; the connection stays open.
    Stall {
        /// How many.
        at: u64,
    },
    /// Every byte travels alone, `interval` after the one before.
    Drip {
        /// These bytes; the others pass at once.
        range: Range<u64>,
        /// How long each waits. Zero: not at all, so that the system may join some of them again.
        interval: Duration,
    },
    /// Bytes that nobody sent come in front of byte `at`, as soon as those before it have passed.
    Insert {
        /// Where.
        at: u64,
        /// What.
        bytes: Vec<u8>,
    },
    /// Other bytes stand in the place of those from `at` on, one for one.
    Replace {
        /// Where the first stands.
        at: u64,
        /// What stands there instead.
        bytes: Vec<u8>,
    },
    /// These bytes come twice, the second time behind their last.
    Double {
        /// Which.
        range: Range<u64>,
    },
}

/// What happens to the bytes of one side of a connection. As text: `server:cut@120`; see [`FaultRule`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Whose bytes.
    pub side: Side,
    /// What becomes of them.
    pub kind: FaultKind,
}

/// A fault, and the connections of a sandbox that have it.
///
/// As text: `[PROTOCOL[#N]:]SIDE:FAULT`. PROTOCOL is `imap`, `pop` or `smtp`, by default any; N is a connection's number, 1 for the protocol's first since the
/// rules were set, by default every one; SIDE is `client` or `server`. FAULT is one of
///
/// | fault | what it does |
/// |---|---|
/// | `cut@N` | passes N bytes, then ends the connection |
/// | `stall@N` | passes N bytes, then nothing more |
/// | `byte-at-a-time` | every byte travels alone |
/// | `drip=SECONDS` | every byte waits so long |
/// | `insert@N=TEXT` | puts bytes in front of byte N |
/// | `replace@N=TEXT` | puts bytes in the place of those from N on |
/// | `double@N..M` | passes the bytes from N up to, without, M twice |
///
/// `byte-at-a-time@N..M` and `drip@N..M=SECONDS` do so with some bytes only. In TEXT `\r`, `\n`, `\t`, `\0`, `\\` and `\xHH` are single bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultRule {
    /// The protocol; `None` for all.
    pub protocol: Option<Protocol>,
    /// The connection's number among those of its protocol, from 1 on; `None` for all.
    pub connection: Option<u32>,
    /// What happens to it.
    pub fault: Fault,
}
