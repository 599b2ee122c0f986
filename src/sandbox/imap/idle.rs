//! IDLE (RFC 2177).
//!
//! While the session idles, its reads are interruptible: a change of the selected mailbox wakes the
//! session with `WouldBlock`. The session then announces the changes and goes on reading. Each line
//! ends IDLE; any line but DONE is a BAD.

use std::io;
use std::sync::PoisonError;

use crate::sandbox::Extension;
use crate::sandbox::imap::session::{Outcome, Refusal, Session, State, bad, no};
use crate::sandbox::wire::lines::Line;

/// The longest line accepted in place of `DONE`.
const LINE_LIMIT: usize = 1024;

impl Session {
    /// Announces changes as they happen, until the client sends DONE. Without a selected mailbox
    /// there are no changes to announce but those that NOTIFY asks for.
    pub(crate) fn idle(&mut self) -> Outcome {
        self.needs(Extension::Idle)?;
        self.user()?;
        self.out.extend_from_slice(b"+ idling\r\n");
        self.deliver_awaited();
        self.framing.lines.transport.set_interruptible(true);
        let result = self.wait_for_done();
        self.framing.lines.transport.set_interruptible(false);
        result
    }

    /// Delivers the next letter that was kept until a client waits. A mailbox that is not there any
    /// more gets none.
    pub(crate) fn deliver_awaited(&self) {
        let mut awaited = self.shared.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((user, mailbox, letter)) = awaited.pop_front() {
            let _ = self.shared.store.deliver(&user, &mailbox, &letter);
        }
    }

    fn wait_for_done(&mut self) -> Outcome {
        loop {
            self.announce(true);
            self.flush()?;
            if matches!(self.state, State::Logout) {
                return no("The mailbox is gone.");
            }
            while !self.framing.lines.has_line() {
                match self.framing.lines.fill() {
                    Ok(true) => {}
                    Ok(false) => return Err(Refusal::Broken(io::ErrorKind::UnexpectedEof.into())),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                }
                if self.framing.lines.pending().len() > LINE_LIMIT {
                    break;
                }
            }
            if self.framing.lines.has_line() || self.framing.lines.pending().len() > LINE_LIMIT {
                return self.end_idle();
            }
        }
    }

    fn end_idle(&mut self) -> Outcome {
        self.framing.lines.transport.set_interruptible(false);
        match self.framing.lines.read_line(LINE_LIMIT)? {
            Line::Complete(line) if line.trim_ascii_end().eq_ignore_ascii_case(b"DONE") => {
                Ok("IDLE completed.".to_owned())
            }
            Line::End => Err(Refusal::Broken(io::ErrorKind::UnexpectedEof.into())),
            _ => bad("Expected DONE."),
        }
    }
}
