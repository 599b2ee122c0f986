//! Commands on whole mailboxes: SELECT, EXAMINE, CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE,
//! STATUS, CHECK, CLOSE, UNSELECT.
//!
//! The store decides whether a name may be created, deleted or renamed. It returns a reason, which
//! `refusal` turns into the text of a NO.

use imap_codec::imap_types::{
    command::SelectParameter, mailbox::Mailbox as MailboxName, status::StatusDataItemName,
};

use crate::sandbox::imap::counts::{Item, mailbox_id};
use crate::sandbox::imap::selected::{Selected, flags_responses};
use crate::sandbox::imap::session::{Outcome, Session, State, no};
use crate::sandbox::store::flags::Flags;
use crate::sandbox::store::mailbox::{Mailbox, Message};
use crate::sandbox::store::names;
use crate::sandbox::{Extension, Extensions};

impl Session {
    /// SELECT and EXAMINE. A failure leaves no mailbox selected (RFC 3501 6.3.1).
    pub(crate) fn select(
        &mut self,
        mailbox: &MailboxName<'_>,
        read_only: bool,
        parameters: &[SelectParameter],
    ) -> Outcome {
        let user = self.user()?;
        let since = self.since(parameters)?;
        let tells_closed = self.resync.qresync || self.utf8.rev2;
        if tells_closed && matches!(self.state, State::Selected(..)) {
            self.untagged("OK [CLOSED] The mailbox is left.");
        }
        self.leave_mailbox();
        let name = self.name_of(mailbox);
        let mut state = self.shared.store.lock();
        let Some(id) = state.find(&user, &name) else {
            return no("[NONEXISTENT] No such mailbox.");
        };
        let Some(mailbox) = state.mailbox_mut(id) else {
            return no("[NONEXISTENT] No such mailbox.");
        };
        let has_recent = !self.utf8.rev2; // RFC 9051 appendix E
        let mut view = Selected::open(id, mailbox, self.number, read_only, &self.incoming);
        if !has_recent {
            view.forget_recent();
        }
        let mut lines = flags_responses(mailbox, read_only);
        lines += &format!("* {} EXISTS\r\n", view.uids.len());
        if has_recent {
            lines += &format!("* {} RECENT\r\n", view.recent_count());
        }
        let first = view.uids.iter().position(|uid| is_unseen(mailbox.messages.get(uid)));
        if let Some(place) = first.filter(|_| has_recent) {
            lines += &format!("* OK [UNSEEN {}] The first unseen letter.\r\n", place + 1);
        }
        lines += &format!("* OK [UIDVALIDITY {}] UIDs are valid.\r\n", mailbox.uid_validity);
        lines += &format!("* OK [UIDNEXT {}] The next UID.\r\n", mailbox.uid_next);
        if self.extensions.has(Extension::ObjectId) {
            lines += &format!("* OK [MAILBOXID ({})] Its id.\r\n", mailbox_id(id));
        }
        let mut lines = lines.into_bytes();
        if !has_recent {
            self.line(
                &mut lines,
                "LIST",
                "",
                &names::canonical(&name, self.shared.store.separator()),
            );
        }
        self.out.append(&mut lines);
        if self.extensions.has(Extension::CondStore) {
            let line = format!("OK [HIGHESTMODSEQ {}] The last change.", mailbox.highest_modseq);
            self.out.extend_from_slice(format!("* {line}\r\n").as_bytes());
        }
        if let Some(since) = since {
            since.tell(mailbox, &view, self.resync, &mut self.out);
        }
        drop(state);
        self.state = State::Selected(user, view);
        Ok(if read_only {
            "[READ-ONLY] EXAMINE completed."
        } else {
            "[READ-WRITE] SELECT completed."
        }
        .to_owned())
    }

    pub(crate) fn create(&mut self, mailbox: &MailboxName<'_>) -> Outcome {
        self.create_for(&self.name_of(mailbox), &[])
    }

    /// CREATE of a mailbox with special uses, attributes such as `\Sent`.
    pub(crate) fn create_for(&mut self, mailbox: &str, uses: &[&'static str]) -> Outcome {
        let user = self.user()?;
        let mut state = self.shared.store.lock();
        if let Err(reason) = state.create(&user, mailbox) {
            return no(refusal(&reason));
        }
        let created = state.find(&user, self.shared.store.separator().trimmed(mailbox));
        if let Some(created) = created.and_then(|id| state.mailbox_mut(id)) {
            created.details.special_use = uses.to_vec();
        }
        Ok(match created {
            Some(id) if self.extensions.has(Extension::ObjectId) => {
                format!("[MAILBOXID ({})] CREATE completed.", mailbox_id(id))
            }
            _ => "CREATE completed.".to_owned(),
        })
    }

    pub(crate) fn delete(&mut self, mailbox: &MailboxName<'_>) -> Outcome {
        let user = self.user()?;
        let mut state = self.shared.store.lock();
        let id = state.find(&user, &self.name_of(mailbox));
        let result = state.delete(&user, &self.name_of(mailbox));
        drop(state);
        // Deleting the selected mailbox deselects it, as in Dovecot. Otherwise the client would end
        // its own session.
        if result.is_ok()
            && matches!((&self.state, id), (State::Selected(_, view), Some(id)) if view.id == id)
        {
            self.leave_mailbox();
        }
        result.map_or_else(|reason| no(refusal(&reason)), |()| Ok("DELETE completed.".to_owned()))
    }

    pub(crate) fn rename(&mut self, from: &MailboxName<'_>, to: &MailboxName<'_>) -> Outcome {
        let user = self.user()?;
        let result = self.shared.store.lock().rename(&user, &self.name_of(from), &self.name_of(to));
        result.map_or_else(|reason| no(refusal(&reason)), |()| Ok("RENAME completed.".to_owned()))
    }

    pub(crate) fn subscribe(&mut self, mailbox: &MailboxName<'_>) -> Outcome {
        let user = self.user()?;
        let name = names::canonical(&self.name_of(mailbox), self.shared.store.separator());
        let mut state = self.shared.store.lock();
        match state.names_mut(&user) {
            Some(names) if names.mailboxes.contains_key(&name) => {
                names.subscribed.insert(name);
                Ok("SUBSCRIBE completed.".to_owned())
            }
            _ => no("[NONEXISTENT] No such mailbox."),
        }
    }

    pub(crate) fn unsubscribe(&mut self, mailbox: &MailboxName<'_>) -> Outcome {
        let user = self.user()?;
        let name = names::canonical(&self.name_of(mailbox), self.shared.store.separator());
        let mut state = self.shared.store.lock();
        if state.names_mut(&user).is_some_and(|names| names.subscribed.remove(&name)) {
            return Ok("UNSUBSCRIBE completed.".to_owned());
        }
        no("You are not subscribed to this mailbox.")
    }

    pub(crate) fn status(
        &mut self,
        mailbox: &MailboxName<'_>,
        items: &[StatusDataItemName],
    ) -> Outcome {
        let items: Vec<Item> = items.iter().cloned().map(Item::Known).collect();
        self.status_of(&self.name_of(mailbox), &items)
    }

    /// CHECK. Letters are in memory, so nothing needs to be written.
    pub(crate) fn check(&mut self) -> Outcome {
        self.selected()?;
        self.not_in_rev2("CHECK")?;
        Ok("CHECK completed.".to_owned())
    }

    /// CLOSE: removes letters with `\Deleted` without EXPUNGE responses, unless the mailbox was
    /// opened by EXAMINE.
    pub(crate) fn close(&mut self) -> Outcome {
        let view = self.selected()?;
        let mut code = String::new();
        if !view.read_only {
            let mut state = self.shared.store.lock();
            if let Some(mailbox) = state.mailbox_mut(view.id) {
                mailbox.remove(&deleted(mailbox), view.session);
                code = self.resync.highest(mailbox);
            }
        }
        self.leave_mailbox();
        Ok(format!("{code}CLOSE completed."))
    }

    pub(crate) fn unselect(&mut self) -> Outcome {
        self.needs(Extension::Unselect)?;
        self.selected()?;
        self.leave_mailbox();
        Ok("UNSELECT completed.".to_owned())
    }
}

/// The UIDs of letters with `\Deleted`.
pub(crate) fn deleted(mailbox: &Mailbox) -> Vec<u32> {
    let deleted = mailbox.messages.iter().filter(|(_, message)| message.flags.has(Flags::DELETED));
    deleted.map(|(uid, _)| *uid).collect()
}

fn is_unseen(message: Option<&Message>) -> bool {
    message.is_some_and(|message| !message.flags.has(Flags::SEEN))
}

/// One item of a STATUS response; `None` if it is not supported.
pub(crate) fn status_item(
    mailbox: &Mailbox,
    item: &StatusDataItemName,
    extensions: Extensions,
) -> Option<String> {
    let count = |wanted: fn(&Message) -> bool| {
        mailbox.messages.values().filter(|message| wanted(message)).count()
    };
    Some(match item {
        StatusDataItemName::Messages => format!("MESSAGES {}", mailbox.messages.len()),
        StatusDataItemName::Recent => {
            format!("RECENT {}", mailbox.messages.range(mailbox.first_recent..).count())
        }
        StatusDataItemName::UidNext => format!("UIDNEXT {}", mailbox.uid_next),
        StatusDataItemName::UidValidity => format!("UIDVALIDITY {}", mailbox.uid_validity),
        StatusDataItemName::Unseen => {
            format!("UNSEEN {}", count(|message| !message.flags.has(Flags::SEEN)))
        }
        // RFC 9208 4.1.4 requires both of a server that limits these resources.
        StatusDataItemName::Deleted if extensions.has(Extension::Quota) => {
            format!("DELETED {}", count(|message| message.flags.has(Flags::DELETED)))
        }
        StatusDataItemName::DeletedStorage if extensions.has(Extension::Quota) => {
            let deleted = mailbox.messages.values();
            let deleted = deleted.filter(|message| message.flags.has(Flags::DELETED));
            let sizes = deleted.map(|message| message.content.size());
            format!("DELETED-STORAGE {}", sizes.sum::<u64>())
        }
        StatusDataItemName::Size if extensions.has(Extension::StatusSize) => {
            let sizes = mailbox.messages.values().map(|message| message.content.size());
            format!("SIZE {}", sizes.sum::<u64>())
        }
        StatusDataItemName::HighestModSeq => format!("HIGHESTMODSEQ {}", mailbox.highest_modseq),
        _ => return None,
    })
}

/// Turns a reason from the store into the text of a NO, with a response code of RFC 5530.
fn refusal(reason: &str) -> String {
    let code = if reason.ends_with("exists already") {
        "[ALREADYEXISTS] "
    } else if reason.starts_with("no mailbox") {
        "[NONEXISTENT] "
    } else {
        "[CANNOT] "
    };
    // Reasons contain names from the client; characters that could break the line are replaced.
    let text: String = reason
        .chars()
        .map(|c| if c.is_ascii() && !c.is_ascii_control() { c } else { '?' })
        .collect();
    format!("{code}{text}.")
}
