//! APPEND (RFC 3501 6.3.11), with APPENDUID (RFC 4315). Without a date the letter is dated now. The
//! date keeps the time zone that the client gave.

use std::sync::Arc;

use imap_codec::imap_types::{
    datetime::DateTime, extensions::binary::LiteralOrLiteral8, flag::Flag,
    mailbox::Mailbox as MailboxName,
};
use jiff::Zoned;

use crate::sandbox::Extension;
use crate::sandbox::imap::dates;
use crate::sandbox::imap::quota::OVER_QUOTA;
use crate::sandbox::imap::session::{Outcome, Session, bad, name_of, no};
use crate::sandbox::store::flags::Flags;
use crate::sandbox::store::letter::Content;
use crate::sandbox::store::mailbox::Message;

impl Session {
    pub(crate) fn append(
        &mut self,
        mailbox: &MailboxName<'_>,
        flags: &[Flag<'_>],
        date: Option<&DateTime>,
        message: &LiteralOrLiteral8<'_>,
    ) -> Outcome {
        let user = self.user()?;
        let LiteralOrLiteral8::Literal(letter) = message else {
            return bad("BINARY is not supported.");
        };
        let flags = Flags::from_command(flags).or_else(bad)?;
        let internal_date = match date {
            Some(date) => {
                dates::from_command(date).map_or_else(|| bad("This date cannot be."), Ok)?
            }
            None => Zoned::now(),
        };
        let content = Arc::new(Content::new(letter.data()));
        let mut state = self.shared.store.lock();
        let Some(id) = state.find(&user, &name_of(mailbox)) else {
            return no("[TRYCREATE] No such mailbox.");
        };
        if !state.has_room(&user, content.bytes.len() as u64, 1) {
            return no(OVER_QUOTA);
        }
        let Some(mailbox) = state.mailbox_mut(id) else {
            return no("[TRYCREATE] No such mailbox.");
        };
        let uid_validity = mailbox.uid_validity;
        let Some(uid) = mailbox.append(Message::new(content, flags, internal_date)) else {
            return no("The mailbox has no UIDs left.");
        };
        if self.extensions.has(Extension::UidPlus) {
            return Ok(format!("[APPENDUID {uid_validity} {uid}] APPEND completed."));
        }
        Ok("APPEND completed.".to_owned())
    }
}
