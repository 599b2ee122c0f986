//! Commands that change or copy letters of the selected mailbox: STORE, EXPUNGE, COPY, MOVE.
//!
//! They change the mailbox and its log only. Untagged EXPUNGE responses come from the view's next
//! `sync`, as for any session that has the mailbox selected. COPY and MOVE copy all letters or
//! none.

use imap_codec::imap_types::{
    command::StoreModifier,
    flag::{Flag, StoreResponse, StoreType},
    mailbox::Mailbox as MailboxName,
    sequence::SequenceSet,
};

use crate::sandbox::Extension;
use crate::sandbox::imap::folders::deleted;
use crate::sandbox::imap::quota::OVER_QUOTA;
use crate::sandbox::imap::sequence;
use crate::sandbox::imap::session::{Outcome, Refusal, Session, bad, no};
use crate::sandbox::store::flags::Flags;
use crate::sandbox::store::mailbox::Message;

/// The NO for a command that names letters another session has removed (RFC 2180 4, RFC 5530).
pub(crate) const GONE: &str = "[EXPUNGEISSUED] Some of these letters are gone.";

impl Session {
    pub(crate) fn store(
        &mut self,
        set: &SequenceSet,
        kind: StoreType,
        response: StoreResponse,
        flags: &[Flag<'_>],
        uid: bool,
        modifiers: &[StoreModifier],
    ) -> Outcome {
        self.selected_writable()?;
        let unchanged_since = self.unchanged_since(modifiers)?;
        let flags = Flags::from_command(flags).or_else(bad)?;
        let change = |known: &mut Flags| match kind {
            StoreType::Replace => known.replace(&flags),
            StoreType::Add => known.add(&flags),
            StoreType::Remove => known.remove(&flags),
        };
        let told = |flags: &Flags, is_recent| format!("FLAGS {}", flags.list(is_recent));
        self.change_all(set, uid, unchanged_since, response, &change, &told)
    }

    /// STORE of Gmail's labels.
    pub(crate) fn store_labels(
        &mut self,
        set: &SequenceSet,
        kind: StoreType,
        response: StoreResponse,
        labels: &[String],
        uid: bool,
    ) -> Outcome {
        self.needs(Extension::Gmail)?;
        self.selected_writable()?;
        let labels: Vec<String> = labels.iter().map(|label| self.stored(label)).collect();
        let labels = Flags::from_labels(&labels);
        let change = |known: &mut Flags| match kind {
            StoreType::Replace => known.replace_labels(&labels),
            StoreType::Add => known.add(&labels),
            StoreType::Remove => known.remove(&labels),
        };
        let utf8 = self.utf8;
        let told = |flags: &Flags, _: bool| {
            format!("X-GM-LABELS {}", flags.label_list(|label| utf8.shown(label)))
        };
        self.change_all(set, uid, None, response, &change, &told)
    }

    /// Changes the flags of letters; `told` is what is answered of each.
    fn change_all(
        &mut self,
        set: &SequenceSet,
        uid: bool,
        unchanged_since: Option<u64>,
        response: StoreResponse,
        change: &dyn Fn(&mut Flags),
        told: &dyn Fn(&Flags, bool) -> String,
    ) -> Outcome {
        let view = self.selected()?;
        let targets = view.resolve(set, uid).or_else(bad)?;
        let mut state = self.shared.store.lock();
        let Some(mailbox) = state.mailbox_mut(view.id) else { return no(GONE) };
        let mut missing = false;
        let mut answers = Vec::new();
        let mut modified = Vec::new();
        for (number, target) in targets {
            let modseq = mailbox.messages.get(&target).map(|message| message.modseq);
            if unchanged_since.is_some_and(|since| modseq.is_some_and(|modseq| modseq > since)) {
                modified.push(if uid { target } else { number });
                continue;
            }
            let found = mailbox.change_flags(target, view.session, change);
            missing |= !found;
            let Some(message) = mailbox.messages.get(&target) else { continue };
            let told = [
                (uid || self.resync.qresync).then(|| format!("UID {target}")),
                (response == StoreResponse::Answer)
                    .then(|| told(&message.flags, view.is_recent(target))),
                // RFC 7162 3.1.3: even for .SILENT.
                self.resync.condstore.then(|| format!("MODSEQ ({})", message.modseq)),
            ];
            if response == StoreResponse::Answer || self.resync.condstore {
                let told: Vec<String> = told.into_iter().flatten().collect();
                answers.push(format!("* {number} FETCH ({})\r\n", told.join(" ")));
            }
        }
        drop(state);
        // Announces new keywords before the answers use them.
        self.sync(false);
        for answer in answers {
            self.out.extend_from_slice(answer.as_bytes());
        }
        if missing && !uid {
            return no(GONE);
        }
        if !modified.is_empty() {
            let modified = sequence::compact(&modified);
            return Ok(format!("[MODIFIED {modified}] Others have changed some letters."));
        }
        Ok("STORE completed.".to_owned())
    }

    /// EXPUNGE, or UID EXPUNGE if there is a set.
    pub(crate) fn expunge(&mut self, set: Option<&SequenceSet>) -> Outcome {
        if set.is_some() && !self.extensions.has(Extension::UidPlus) {
            return bad("UID EXPUNGE is not supported.");
        }
        let view = self.selected_writable()?;
        let mut state = self.shared.store.lock();
        let Some(mailbox) = state.mailbox_mut(view.id) else { return no(GONE) };
        let mut uids = deleted(mailbox);
        if let Some(set) = set {
            let spans = sequence::spans(set, view.last_uid());
            uids.retain(|uid| sequence::contains(&spans, *uid));
        }
        mailbox.remove(&uids, view.session);
        Ok(format!("{}EXPUNGE completed.", self.resync.highest(mailbox)))
    }

    pub(crate) fn copy(
        &mut self,
        set: &SequenceSet,
        target: &MailboxName<'_>,
        uid: bool,
    ) -> Outcome {
        let copied = self.copy_letters(set, target, uid, true)?;
        Ok(format!("{}COPY completed.", copied.code(self.extensions.has(Extension::UidPlus))))
    }

    /// MOVE (RFC 6851). COPYUID is sent in an untagged OK, so that it precedes the EXPUNGE
    /// responses.
    pub(crate) fn move_(
        &mut self,
        set: &SequenceSet,
        target: &MailboxName<'_>,
        uid: bool,
    ) -> Outcome {
        self.needs(Extension::Move)?;
        self.selected_writable()?;
        let copied = self.copy_letters(set, target, uid, false)?;
        let code = copied.code(self.extensions.has(Extension::UidPlus));
        if !code.is_empty() {
            self.untagged(&format!("OK {code}Moved."));
        }
        let view = self.selected()?;
        if let Some(mailbox) = self.shared.store.lock().mailbox_mut(view.id) {
            mailbox.remove(&copied.from, view.session);
        }
        Ok("MOVE completed.".to_owned())
    }

    /// Copies all letters or none. UIDs that are gone are skipped; a message number whose letter is
    /// gone is an error. MOVE needs no room, since all mailboxes of an account share its quota.
    fn copy_letters(
        &mut self,
        set: &SequenceSet,
        target: &MailboxName<'_>,
        uid: bool,
        needs_room: bool,
    ) -> Result<Copied, Refusal> {
        let view = self.selected()?;
        let user = self.user()?;
        let sources = view.resolve(set, uid).or_else(bad)?;
        let mut state = self.shared.store.lock();
        let Some(target) = state.find(&user, &self.name_of(target)) else {
            return no("[TRYCREATE] No such mailbox.");
        };
        let Some(source) = state.mailbox(view.id) else { return no(GONE) };
        let mut letters: Vec<(u32, Message)> = Vec::with_capacity(sources.len());
        for (_, from) in sources {
            match source.messages.get(&from) {
                Some(message) => letters.push((from, message.clone())),
                None if uid => {}
                None => return no(GONE),
            }
        }
        let octets = letters.iter().map(|(_, message)| message.content.size()).sum();
        if needs_room && !state.has_room(&user, octets, letters.len() as u64) {
            return no(OVER_QUOTA);
        }
        let Some(target) = state.mailbox_mut(target) else {
            return no("[TRYCREATE] No such mailbox.");
        };
        let count = u32::try_from(letters.len()).unwrap_or(u32::MAX);
        if target.uid_next.checked_add(count).is_none() {
            return no("The mailbox has no UIDs left.");
        }
        let mut copied =
            Copied { uid_validity: target.uid_validity, from: Vec::new(), to: Vec::new() };
        for (from, message) in letters {
            copied.to.extend(target.append(message));
            copied.from.push(from);
        }
        Ok(copied)
    }
}

/// The source and destination UIDs of a copy, in pairs.
struct Copied {
    uid_validity: u32,
    from: Vec<u32>,
    to: Vec<u32>,
}

impl Copied {
    /// The response code `[COPYUID 1 3:5 8:10] `; empty without UIDPLUS or if nothing was copied.
    fn code(&self, uidplus: bool) -> String {
        if !uidplus || self.from.is_empty() {
            return String::new();
        }
        format!(
            "[COPYUID {} {} {}] ",
            self.uid_validity,
            sequence::compact(&self.from),
            sequence::compact(&self.to)
        )
    }
}
