//! Feeds the same bytes to a session in chunks of several sizes, and requires the same result each
//! time: the same events, the same output and the same error.

use postoffice::proto::{Protocol, ProtocolError};

/// Everything that a session reports and sends. Pieces of a letter are joined, so the result does
/// not depend on the size of the chunks.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub events: Vec<String>,
    /// The pieces of a letter since the last other event.
    pub pieces: Vec<u8>,
    pub sent: Vec<u8>,
    /// The error that ended the session, without the bytes near it: those include bytes that
    /// arrived later in the same chunk.
    pub error: Option<String>,
}

impl Told {
    pub fn event(&mut self, event: String) {
        if !self.pieces.is_empty() {
            self.events.push(format!("pieces {}", std::mem::take(&mut self.pieces).escape_ascii()));
        }
        self.events.push(event);
    }
}

/// Returns the text of an error without the bytes near it.
pub fn without_near(error: ProtocolError) -> String {
    match error {
        ProtocolError::Malformed { what, offset, .. } => format!("{what} at {offset}"),
        ProtocolError::OutOfTurn { what, .. } => what.to_owned(),
        other => other.to_string(),
    }
}

/// The password that sessions send; it must not appear in a trace.
pub const PASSWORD: &str = "hunter2";

/// Feeds the bytes to a session in chunks of `size`. `tell` records and answers every event.
pub fn feed<P: Protocol>(
    session: &mut P,
    bytes: &[u8],
    size: usize,
    mut tell: impl FnMut(&mut P, &mut Told),
) -> Told {
    let mut told = Told::default();
    send(session, &mut told);
    for mut chunk in bytes.chunks(size.max(1)) {
        while !chunk.is_empty() {
            let space = session.space();
            let count = space.len().min(chunk.len());
            space[..count].copy_from_slice(&chunk[..count]);
            session.filled(count);
            chunk = &chunk[count..];
        }
        loop {
            match session.find_event() {
                Ok(true) => tell(session, &mut told),
                Ok(false) => break,
                Err(error) => {
                    send(session, &mut told);
                    told.error = Some(without_near(error));
                    return told;
                }
            }
            send(session, &mut told);
        }
        send(session, &mut told);
    }
    told
}

fn send<P: Protocol>(session: &mut P, told: &mut Told) {
    let outgoing = session.take_outgoing();
    let shown = outgoing.redacted();
    assert!(
        !shown.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes()),
        "a trace shows the password"
    );
    told.sent.extend_from_slice(outgoing.bytes());
}

/// Requires the same result for all bytes at once, for single bytes and for chunks of 7.
pub fn same_in_any_chunks(bytes: &[u8], mut tell_in_chunks: impl FnMut(usize) -> Told) {
    let whole = tell_in_chunks(bytes.len());
    // A reply that arrives before its command is sent is detected only if it is in the same chunk.
    if whole.error.as_deref() == Some("a command succeeded before it was wholly sent") {
        return;
    }
    for size in [1, 7] {
        assert_eq!(tell_in_chunks(size), whole, "in chunks of {size}");
    }
}
