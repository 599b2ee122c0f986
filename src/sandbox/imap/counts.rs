//! The items of STATUS (RFC 3501 6.3.10), those of extensions included.

use imap_codec::imap_types::status::StatusDataItemName;

use crate::sandbox::Extension;
use crate::sandbox::imap::folders::status_item;
use crate::sandbox::imap::framing::LITERAL_LIMIT;
use crate::sandbox::imap::session::{Outcome, Refusal, Session, bad, no, stored_name};
use crate::sandbox::store::names::{self, MailboxId};

/// An item of STATUS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// One that `imap-codec` decodes.
    Known(StatusDataItemName),
    /// MAILBOXID (RFC 8474 4.3).
    MailboxId,
    /// APPENDLIMIT (RFC 7889 4).
    AppendLimit,
}

impl Item {
    pub(crate) fn named(word: &str) -> Option<Item> {
        Some(match word.to_ascii_uppercase().as_str() {
            "MESSAGES" => Item::Known(StatusDataItemName::Messages),
            "RECENT" => Item::Known(StatusDataItemName::Recent),
            "UIDNEXT" => Item::Known(StatusDataItemName::UidNext),
            "UIDVALIDITY" => Item::Known(StatusDataItemName::UidValidity),
            "UNSEEN" => Item::Known(StatusDataItemName::Unseen),
            "DELETED" => Item::Known(StatusDataItemName::Deleted),
            "DELETED-STORAGE" => Item::Known(StatusDataItemName::DeletedStorage),
            "SIZE" => Item::Known(StatusDataItemName::Size),
            "HIGHESTMODSEQ" => Item::Known(StatusDataItemName::HighestModSeq),
            "MAILBOXID" => Item::MailboxId,
            "APPENDLIMIT" => Item::AppendLimit,
            _ => return None,
        })
    }
}

/// The identifier of a mailbox, which it keeps when it is renamed (RFC 8474 4).
pub(crate) fn mailbox_id(id: MailboxId) -> String {
    format!("F{id}")
}

impl Session {
    pub(crate) fn status_of(&mut self, mailbox: &str, items: &[Item]) -> Outcome {
        let user = self.user()?;
        let is_recent = |item: &Item| *item == Item::Known(StatusDataItemName::Recent);
        if items.iter().any(is_recent) {
            self.not_in_rev2("RECENT")?;
        }
        let found = self.shared.store.lock().find(&user, &stored_name(mailbox));
        let Some(id) = found else { return no("[NONEXISTENT] No such mailbox.") };
        let line = self.status_line(mailbox, id, items)?;
        self.out.extend_from_slice(&line);
        Ok("STATUS completed.".to_owned())
    }

    /// The STATUS response for a mailbox; BAD for an item that is not supported.
    pub(crate) fn status_line(
        &mut self,
        name: &str,
        id: MailboxId,
        items: &[Item],
    ) -> Result<Vec<u8>, Refusal> {
        if items.contains(&Item::Known(StatusDataItemName::HighestModSeq)) {
            self.use_condstore()?;
        }
        let state = self.shared.store.lock();
        let Some(mailbox) = state.mailbox(id) else { return no("[NONEXISTENT] No such mailbox.") };
        let has = |extension| self.extensions.has(extension);
        let value = |item: &Item| match item {
            Item::Known(item) => status_item(mailbox, item, self.extensions),
            Item::MailboxId => {
                has(Extension::ObjectId).then(|| format!("MAILBOXID ({})", mailbox_id(id)))
            }
            Item::AppendLimit => {
                has(Extension::AppendLimit).then(|| format!("APPENDLIMIT {LITERAL_LIMIT}"))
            }
        };
        let values: Option<Vec<String>> = items.iter().map(value).collect();
        let Some(values) = values else { return bad("A status item is not supported.") };
        let mut line = b"* STATUS ".to_vec();
        self.write_name(&mut line, &names::canonical(name, self.shared.store.separator()));
        line.extend_from_slice(format!(" ({})\r\n", values.join(" ")).as_bytes());
        Ok(line)
    }
}
