//! The way out: the queue of commands, and how far their text may be sent.
//!
//! A command waits for `+` before a literal, for the caller's bytes if the literal comes from
//! outside, and for its own end if nothing may follow it.

use super::super::command::Effect;
use super::super::encode::Form;
use super::{Sending, Session, tag_of};
use crate::proto::secret::Secret;
use zeroize::Zeroize;

impl Session {
    /// Ends IDLE with `DONE`, once the server idles: before its `+` it would take `DONE` for a
    /// command. Does nothing if no IDLE is in flight, or if this was called for it already.
    pub fn end_idle(&mut self) {
        if let Some(idle) = self.queue.iter_mut().find(|command| command.effect == Effect::Idle) {
            let has_begun = idle.challenges > 0;
            if !std::mem::replace(&mut idle.is_ending, true) && has_begun {
                self.out.push(b"DONE\r\n", false);
            }
        }
    }

    /// Returns whether the server idles: it has answered IDLE with `+`.
    pub fn is_idling(&self) -> bool {
        let idle = self.queue.iter().find(|command| command.effect == Effect::Idle);
        idle.is_some_and(|command| command.challenges > 0)
    }

    /// Returns how many bytes of a literal from outside can be given to [`Session::feed`] now.
    pub fn literal_wanted(&self) -> u64 {
        let waits = self.queue.iter().find(|command| command.sending == Sending::WaitsForBytes);
        waits.and_then(|command| command.parts.front()).map_or(0, |part| part.outside)
    }

    /// Sends the next bytes of the literal that
    /// [`Event::LiteralWanted`](super::Event::LiteralWanted) asks for. Bytes beyond the literal's
    /// end are ignored.
    pub fn feed(&mut self, bytes: &[u8]) {
        let Some(position) =
            self.queue.iter().position(|command| command.sending == Sending::WaitsForBytes)
        else {
            return;
        };
        let command = &mut self.queue[position];
        let Some(part) = command.parts.front_mut() else { return };
        let count = usize::try_from(part.outside).unwrap_or(usize::MAX).min(bytes.len());
        self.out.push(&bytes[..count], false);
        part.outside -= count as u64;
        if part.outside > 0 {
            return;
        }
        command.sending = Sending::Going;
        self.pump();
        if self.queue[position].refused {
            self.queue.remove(position);
        }
    }

    /// Answers a challenge of AUTHENTICATE; `answer` is in base64.
    pub fn answer(&mut self, answer: &Secret) {
        self.out.push(answer.reveal().as_bytes(), true);
        self.out.push(b"\r\n", false);
    }

    /// Writes as much of the queue as may be sent now.
    pub(super) fn pump(&mut self) {
        let (has_utf8, utf8_names) = (self.has_utf8(), self.utf8_names());
        for command in &mut self.queue {
            if command.sending == Sending::Not {
                command.sending = Sending::Going;
                self.out.push(format!("{} ", tag_of(command.handle)).as_bytes(), false);
            }
            while command.sending == Sending::Going {
                let Some(part) = command.parts.front_mut() else {
                    self.out.push(b"\r\n", false);
                    command.sending = Sending::Done;
                    break;
                };
                match part.form {
                    Form::Mailbox | Form::Pattern => {
                        let given = self.given_names.get(&part.bytes).map(<[u8]>::to_vec);
                        part.encode_name(utf8_names, given.as_deref());
                    }
                    Form::Label => part.encode_name(utf8_names, None),
                    Form::Utf8 => part.encode_text(has_utf8),
                    Form::IfUtf8Accepted if !self.enabled.utf8_accept => part.bytes.clear(),
                    Form::UnlessUtf8 if has_utf8 => part.bytes.clear(),
                    _ => {}
                }
                if part.form == Form::Literal {
                    let at_once = self.capabilities.has("LITERAL+")
                        || (self.capabilities.has("LITERAL-") && part.length() <= 4096);
                    let sign = if at_once { "+" } else { "" };
                    self.out.push(format!("{{{}{sign}}}\r\n", part.length()).as_bytes(), false);
                    part.form = Form::Text;
                    if !at_once {
                        command.sending = Sending::WaitsForContinue;
                        break;
                    }
                }
                if part.outside > 0 {
                    command.sending = Sending::WaitsForBytes;
                    break;
                }
                self.out.push(&part.bytes, part.secret);
                if part.secret {
                    part.bytes.zeroize();
                }
                command.parts.pop_front();
            }
            if command.sending != Sending::Done
                || matches!(
                    command.effect,
                    Effect::StartTls
                        | Effect::LogIn
                        | Effect::Authenticate
                        | Effect::Idle
                        | Effect::Logout
                )
            {
                break; // nothing may follow these before they have ended
            }
        }
    }
}
