//! BDAT (RFC 3030 2): a letter in chunks of a length that the client says, the last one marked.
//!
//! The octets of a chunk are read in any case, also behind a command that is refused, because the next
//! command comes after them. Nothing in them is changed.

use std::io;

use crate::sandbox::smtp::reply::Outcome;
use crate::sandbox::smtp::{SmtpSession, refuse, reply};

/// The chunks of a letter so far; `None` is a letter that is too big.
pub(crate) struct Chunks(Option<Vec<u8>>);

impl SmtpSession {
    pub(super) fn bdat(&mut self, arguments: Option<&str>) -> Outcome {
        let mut words = arguments.unwrap_or_default().split(' ');
        let size = words.next().filter(|size| size.bytes().all(|byte| byte.is_ascii_digit()));
        let is_last = words.next().map(|word| word.eq_ignore_ascii_case("LAST"));
        let (Some(Ok(size)), None | Some(true), None) =
            (size.map(str::parse::<u64>), is_last, words.next())
        else {
            // Nobody knows where the next command begins.
            self.over = true;
            return refuse(501, "5.5.4", "BDAT needs a number of octets, and perhaps LAST.");
        };
        let checked = self.has_recipients();
        let limit = self.shared.smtp.size_limit();
        let before = self.transaction.as_mut().and_then(|transaction| transaction.chunks.take());
        let mut letter = match &checked {
            Ok(()) => before.map_or_else(|| Some(Vec::new()), |before| before.0),
            Err(_) => None,
        };
        let mut left = size;
        while left > 0 {
            if self.conversation.lines.pending().is_empty() && !self.conversation.lines.fill()? {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            let pending = self.conversation.lines.pending();
            let used = usize::try_from(left).unwrap_or(usize::MAX).min(pending.len());
            letter = letter.filter(|letter| (letter.len() + used) as u64 <= limit);
            if let Some(letter) = &mut letter {
                letter.extend_from_slice(&pending[..used]);
            }
            self.conversation.lines.consume(used);
            left -= used as u64;
        }
        checked?;
        if is_last == Some(true) {
            return self.deliver(letter);
        }
        if let Some(transaction) = &mut self.transaction {
            transaction.chunks = Some(Chunks(letter));
        }
        reply(250, "2.0.0", format!("{size} octets are taken."))
    }
}
