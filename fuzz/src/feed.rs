//! The same bytes in chunks of several sizes.

use postoffice::proto::{Protocol, ProtocolError};

/// What is told in the end, whatever the size of the chunks: pieces are joined.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub events: Vec<String>,
    /// A letter's pieces since the last event that was none.
    pub pieces: Vec<u8>,
    pub sent: Vec<u8>,
    /// What ended it. Without what stood near, since that shows bytes that had come behind.
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

pub fn without_near(error: ProtocolError) -> String {
    match error {
        ProtocolError::Malformed { what, offset, .. } => format!("{what} at {offset}"),
        ProtocolError::OutOfTurn { what, .. } => what.to_owned(),
        other => other.to_string(),
    }
}

/// The password that sessions send; no trace shows it.
pub const PASSWORD: &str = "hunter2";

/// Gives the bytes to a session in chunks of `size`; `tell` answers every event.
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

/// The answers to the bytes whole, byte by byte and in odd chunks are the same.
pub fn same_in_any_chunks(bytes: &[u8], mut tell_in_chunks: impl FnMut(usize) -> Told) {
    let whole = tell_in_chunks(bytes.len());
    // That a reply was there before its command is seen only where it has come already.
    if whole.error.as_deref() == Some("a command succeeded before it was wholly sent") {
        return;
    }
    for size in [1, 7] {
        assert_eq!(tell_in_chunks(size), whole, "in chunks of {size}");
    }
}
