//! Where a server has stored letters: APPENDUID and COPYUID (UIDPLUS, RFC 4315 3).

use super::sequence::SequenceSet;

/// Where letters were stored (UIDPLUS, RFC 4315).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopiedUids {
    /// The destination's UIDVALIDITY.
    pub uid_validity: u32,
    /// UIDs in the selected mailbox; empty after an APPEND.
    pub from: SequenceSet,
    /// UIDs in the destination, in the same order.
    pub to: SequenceSet,
}

impl CopiedUids {
    /// Reads the arguments of APPENDUID or COPYUID, `1 5:7 10:12`; `None` for other codes and
    /// malformed ones.
    pub fn read(code: &str, arguments: &str) -> Option<CopiedUids> {
        let mut fields = arguments.split_ascii_whitespace();
        let uid_validity = fields.next()?.parse().ok()?;
        let from = match code {
            "COPYUID" => read_set(fields.next()?)?,
            "APPENDUID" => SequenceSet::new(),
            _ => return None,
        };
        Some(CopiedUids { uid_validity, from, to: read_set(fields.next()?)? })
    }
}

/// Reads a uid-set, which has no `*` (RFC 4315 4).
fn read_set(text: &str) -> Option<SequenceSet> {
    text.parse().ok().filter(|_| !text.contains('*'))
}
