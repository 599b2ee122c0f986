//! How much a server may send before the connection is given up.

/// Limits on what a server may send. Every default has its reason beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one response without its literals. A `SEARCH` of a million UIDs takes 7 MB.
    pub line: usize,
    /// Bytes of one literal that is kept in memory. The largest providers refuse letters over 150 MB.
    pub literal: u64,
    /// Bytes of one literal that goes straight to a file. Beyond the largest letter there is; it only bounds a full disk.
    pub streamed_literal: u64,
    /// Bytes of one response with its literals, in memory.
    pub response: u64,
    /// Depth of parentheses. `BODYSTRUCTURE` takes two for each level of multipart, and servers stop at about 100.
    pub depth: usize,
    /// Untagged responses to one command. Ten times the largest mailboxes in use.
    pub responses: u64,
    /// Warnings kept for one command; further ones are dropped, they say nothing new.
    pub warnings: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            line: 16 << 20,
            literal: 256 << 20,
            streamed_literal: 4 << 30,
            response: 512 << 20,
            depth: 256,
            responses: 10_000_000,
            warnings: 100,
        }
    }
}
