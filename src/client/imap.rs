//! The IMAP client: a method an operation, over one connection.

use super::ahead::{Ahead, Sending, Ticket};
use super::answers::{
    Answers, copied_uids, is_mailbox, merge, read_listed, read_numbers, read_status, uid_of,
};
use super::error::Error;
use crate::proto::imap::command::StoreMode;
use crate::proto::imap::flag::Flag;
use crate::proto::imap::sequence::{Bound, Members};
use crate::proto::imap::{
    Capabilities, Command, Completion, Data, SearchKey, SelectedMailbox, SequenceSet, Session,
};
use crate::proto::{EncodeError, Limits};
use crate::transport::Connection;
use std::collections::HashSet;
use std::num::NonZeroU32;
use std::time::Duration;

/// Characters of a warning that are kept.
const LONGEST_WARNING: usize = 500;

/// Nobody waits longer for a server to say good-bye.
const LONGEST_FAREWELL: Duration = Duration::from_secs(2);

/// Sequence sets are sent in pieces of at most this many bytes: RFC 7162 4 asks servers to take lines of 8,192.
const LONGEST_SET: usize = 8000;

/// An IMAP connection.
pub struct ImapClient {
    connection: Connection<Session>,
    separator: Separator,
    warnings: Vec<Warning>,
    ahead: Ahead,
}

/// The hierarchy separator is asked for at the login, and heard when somebody wants to know it.
enum Separator {
    Asked(Ticket),
    Known(Option<String>),
}

/// Something the server said that need not stop anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// What kind.
    pub kind: WarningKind,
    /// The server's words.
    pub words: String,
}

/// The kinds of warnings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WarningKind {
    /// An untagged NO or BAD, an alert, or a mailbox that opened read-only.
    Problem,
    /// An untagged OK with a code that we do not know.
    UnknownOk,
    /// Untagged data that we do not know.
    UnknownUntagged,
}

/// An entry of LIST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its flags, `\Noselect` for example.
    pub flags: Vec<String>,
    /// The hierarchy separator; `None` for a flat name.
    pub separator: Option<String>,
    /// The name, decoded.
    pub name: String,
}

/// Where copies went (UIDPLUS, RFC 4315): the destination's UID validity, the UIDs there and here, as ranges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedUids {
    /// The destination's UID validity.
    pub uid_validity: u32,
    /// UIDs in the selected mailbox.
    pub from: SequenceSet,
    /// UIDs in the destination.
    pub to: SequenceSet,
}

pub(super) type OnData<'f> = &'f mut dyn FnMut(Data<'_>) -> Result<(), Error>;

impl ImapClient {
    pub(super) fn over(connection: Connection<Session>) -> Self {
        ImapClient {
            connection,
            separator: Separator::Known(None),
            warnings: Vec::new(),
            ahead: Ahead::default(),
        }
    }

    pub(super) fn connection(&mut self) -> &mut Connection<Session> {
        &mut self.connection
    }

    pub(super) fn commands_ahead(&mut self) -> &mut Ahead {
        &mut self.ahead
    }

    pub(super) fn parts(&mut self) -> (&mut Connection<Session>, &mut Ahead) {
        (&mut self.connection, &mut self.ahead)
    }

    /// What the server advertises.
    pub fn capabilities(&self) -> &Capabilities {
        self.connection.session_ref().capabilities()
    }

    /// The selected mailbox, as the responses so far describe it.
    pub fn selected(&self) -> Option<&SelectedMailbox> {
        self.connection.session_ref().selected()
    }

    /// How often a mailbox was selected or left, and how many messages have left the selected one: while both stay, a message number means the same message.
    pub fn epoch(&self) -> (u64, u64) {
        (
            self.connection.session_ref().selections(),
            self.selected().map_or(0, |mailbox| mailbox.expunged),
        )
    }

    /// The hierarchy separator; `None` where names are flat.
    ///
    /// # Errors
    /// As every operation: [`Error`].
    pub fn separator(&mut self) -> Result<Option<&str>, Error> {
        if let Separator::Asked(ticket) = self.separator {
            self.separator = Separator::Known(None);
            let found = match self.redeem(ticket, |client| client.list("", "", false)) {
                Ok(entries) => entries.into_iter().next().and_then(|entry| entry.separator),
                Err(Error::Refused { .. }) => None, // a server that does not tell is one without hierarchy
                Err(error) => return Err(error),
            };
            self.separator = Separator::Known(found);
        }
        match &self.separator {
            Separator::Known(found) => Ok(found.as_deref()),
            Separator::Asked(_) => Ok(None),
        }
    }

    /// The host that was asked for.
    pub fn host(&self) -> &str {
        self.connection.host()
    }

    /// Whether the stream is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.connection.is_encrypted()
    }

    /// Whether the connection is closed on this side.
    pub fn is_closed(&self) -> bool {
        self.connection.is_closed()
    }

    /// Limits on what the server may send.
    pub fn limits(&self) -> &Limits {
        self.connection.session_ref().limits()
    }

    /// The warnings since the last call.
    pub fn take_warnings(&mut self) -> Vec<Warning> {
        std::mem::take(&mut self.warnings)
    }

    pub(super) fn forget_warnings(&mut self) {
        self.warnings.clear();
    }

    /// Logs out and closes the stream, whatever the server says. Safe to call again.
    pub fn close(&mut self) {
        if !self.is_closed() {
            self.connection.hurry(LONGEST_FAREWELL);
            let _ = self.run(Command::logout(), &mut |_| Ok(())); // the stream is closed in any case
        }
        self.connection.close();
    }

    /// Closes the stream without a farewell.
    pub fn abandon(&mut self) {
        self.connection.close();
    }

    /// NOOP: hears of what is new.
    ///
    /// # Errors
    /// As every operation: [`Error`].
    pub fn noop(&mut self) -> Result<(), Error> {
        self.run(Command::noop(), &mut |_| Ok(())).map(drop)
    }

    /// SELECT or EXAMINE. A mailbox that could be opened only for reading is a warning.
    ///
    /// # Errors
    /// [`Error::Refused`]; then no mailbox is selected.
    pub fn select(&mut self, name: &str, read_only: bool) -> Result<(), Error> {
        let command = Command::select(name, read_only, self.utf8_names())?;
        let completion = self.run(command, &mut |_| Ok(()))?;
        if !read_only && self.selected().is_some_and(|mailbox| mailbox.read_only) {
            self.warn(WarningKind::Problem, completion.words());
        }
        Ok(())
    }

    /// CREATE.
    ///
    /// # Errors
    /// [`Error::Refused`] when it exists.
    pub fn create(&mut self, name: &str) -> Result<(), Error> {
        self.simple(Command::create(name, self.utf8_names()))
    }

    /// DELETE.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is none of that name.
    pub fn delete(&mut self, name: &str) -> Result<(), Error> {
        self.simple(Command::delete(name, self.utf8_names()))
    }

    /// RENAME.
    ///
    /// # Errors
    /// [`Error::Refused`] when the old name does not exist or the new one does.
    pub fn rename(&mut self, old: &str, new: &str) -> Result<(), Error> {
        self.simple(Command::rename(old, new, self.utf8_names()))
    }

    /// SUBSCRIBE.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn subscribe(&mut self, name: &str) -> Result<(), Error> {
        self.simple(Command::subscribe(name, self.utf8_names()))
    }

    /// UNSUBSCRIBE.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn unsubscribe(&mut self, name: &str) -> Result<(), Error> {
        self.simple(Command::unsubscribe(name, self.utf8_names()))
    }

    /// LIST, or LSUB for `subscribed`, in the server's order.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn list(
        &mut self,
        reference: &str,
        pattern: &str,
        subscribed: bool,
    ) -> Result<Vec<Listed>, Error> {
        let command = Command::list(reference, pattern, subscribed, self.utf8_names())?;
        let name = command.name();
        let utf8_names = self.utf8_names();
        let limits = self.limits().clone();
        let mut entries = Vec::new();
        self.run(command, &mut |mut data| {
            if data.is(name) {
                limits.check("listed", entries.len() as u64 + 1)?;
                entries.push(read_listed(&mut data.tokens, utf8_names, &limits)?);
            }
            Ok(())
        })?;
        Ok(entries)
    }

    /// STATUS: each item's name in upper case and its number.
    ///
    /// # Errors
    /// [`Error::Refused`] when the mailbox does not exist.
    pub fn status(&mut self, name: &str, items: &[String]) -> Result<Vec<(String, u64)>, Error> {
        let command = Command::status(name, items, self.utf8_names())?;
        let utf8_names = self.utf8_names();
        let limits = self.limits().clone();
        let mut found = None;
        self.run(command, &mut |mut data| {
            if data.is("STATUS") && is_mailbox(&mut data.tokens, name, utf8_names)? {
                found = Some(read_status(&mut data.tokens, &limits)?);
            }
            Ok(())
        })?;
        found.ok_or_else(|| {
            Error::Unexpected("the server's answer to STATUS says nothing of the mailbox".into())
        })
    }

    /// CLOSE: expunges and unselects.
    ///
    /// # Errors
    /// [`Error::Refused`] when none is selected.
    pub fn close_mailbox(&mut self) -> Result<(), Error> {
        self.simple(Ok(Command::close()))
    }

    /// UNSELECT (RFC 3691); where the server has none, EXAMINE of the same mailbox and CLOSE, which expunges nothing in one that is read-only.
    ///
    /// # Errors
    /// [`Error::Refused`] when none is selected.
    pub fn unselect(&mut self) -> Result<(), Error> {
        if self.capabilities().has("UNSELECT") || self.capabilities().has("IMAP4rev2") {
            return self.simple(Ok(Command::unselect()));
        }
        let Some(name) = self.selected().map(|mailbox| mailbox.name.clone()) else {
            return self.simple(Ok(Command::unselect()));
        };
        self.select(&name, true)?;
        self.close_mailbox()
    }

    /// EXPUNGE: the numbers that the server reported, in its order.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn expunge(&mut self) -> Result<Vec<u32>, Error> {
        self.collect_expunged(Command::expunge())
    }

    /// UID EXPUNGE: removes only these among the messages that are marked.
    ///
    /// # Errors
    /// [`Error::Unsupported`] without UIDPLUS.
    pub fn uid_expunge(&mut self, uids: &SequenceSet) -> Result<Vec<u32>, Error> {
        if !self.has_uidplus() {
            return Err(Error::Unsupported(
                "the server does not offer UIDPLUS, which removing single messages needs".into(),
            ));
        }
        let mut expunged = Vec::new();
        for part in uids.split(LONGEST_SET) {
            expunged.extend(self.collect_expunged(Command::uid_expunge(&part)?)?);
        }
        Ok(expunged)
    }

    fn collect_expunged(&mut self, command: Command) -> Result<Vec<u32>, Error> {
        let mut numbers = Vec::new();
        self.run(command, &mut |data| {
            numbers.extend(data.number.filter(|_| data.is("EXPUNGE")));
            Ok(())
        })?;
        Ok(numbers)
    }

    /// SEARCH: ascending numbers or UIDs.
    ///
    /// # Errors
    /// [`Error::Refused`], among other reasons for a charset that the server does not know.
    pub fn search(&mut self, key: &SearchKey, uid: bool) -> Result<Vec<u32>, Error> {
        let limits = self.limits().clone();
        let mut numbers = Vec::new();
        let sort = |numbers: &mut Vec<u32>| {
            numbers.sort_unstable();
            numbers.dedup();
        };
        let mut sorted = 1_000_000;
        for key in key.split(LONGEST_SET) {
            self.run(Command::search(&key, uid)?, &mut |mut data| {
                if data.is("SEARCH") {
                    read_numbers(&mut data.tokens, &mut numbers)?;
                }
                // A server may tell the same numbers again and again; only different ones count.
                if numbers.len() > 2 * sorted {
                    sort(&mut numbers);
                    sorted = numbers.len().max(sorted);
                    limits.check("responses", numbers.len() as u64)?;
                }
                Ok(())
            })?;
        }
        sort(&mut numbers);
        Ok(numbers)
    }

    /// FETCH: `on_item` gets every `FETCH` response that tells of these messages while the server still sends. What it tells of others is dropped.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::Unexpected`] from a server that tells of the same messages without end; what `on_item` gives ends the operation when the server has finished.
    pub fn fetch(
        &mut self,
        messages: &SequenceSet,
        items: &str,
        uid: bool,
        on_item: OnData<'_>,
    ) -> Result<(), Error> {
        let commands =
            self.for_each_part(messages, uid, |part| Command::fetch(part, items, uid))?;
        let mut answers = Answers::to(self, messages, uid);
        self.run_all(commands, &mut |data| {
            if answers.admit(&data)? { on_item(data) } else { Ok(()) }
        })
    }

    /// STORE: `on_item` gets the `FETCH` responses of these messages that tell the new flags; with `silent` the server leaves them out.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn store(
        &mut self,
        messages: &SequenceSet,
        mode: StoreMode,
        flags: &[Flag],
        silent: bool,
        uid: bool,
        on_item: OnData<'_>,
    ) -> Result<(), Error> {
        let commands = self
            .for_each_part(messages, uid, |part| Command::store(part, mode, flags, silent, uid))?;
        let mut answers = Answers::to(self, messages, uid);
        self.run_all(commands, &mut |data| {
            if answers.admit(&data)? { on_item(data) } else { Ok(()) }
        })
    }

    /// COPY.
    ///
    /// # Errors
    /// [`Error::Refused`] when the destination does not exist.
    pub fn copy(
        &mut self,
        messages: &SequenceSet,
        destination: &str,
        uid: bool,
    ) -> Result<Option<CopiedUids>, Error> {
        let mut copied = None;
        let utf8_names = self.utf8_names();
        for command in self.for_each_part(messages, uid, |part| {
            Command::copy(part, destination, uid, utf8_names)
        })? {
            let completion = self.run(command, &mut |_| Ok(()))?;
            merge(&mut copied, completion.code.as_ref().and_then(copied_uids));
        }
        Ok(copied)
    }

    /// MOVE. Without it: COPY, then, only if that succeeded, marks and removes exactly these messages.
    ///
    /// # Errors
    /// [`Error::Refused`]; every message is in at least one of the two mailboxes then.
    pub fn move_to(
        &mut self,
        messages: &SequenceSet,
        destination: &str,
        uid: bool,
    ) -> Result<Option<CopiedUids>, Error> {
        let has_move = self.capabilities().has("MOVE") || self.capabilities().has("IMAP4rev2");
        // Numbers shift while messages leave, and a range may grow while it is copied: what goes by several commands goes by UIDs that exist now.
        let at_once = has_move && messages.split(LONGEST_SET).len() == 1;
        let (messages, uid) =
            if at_once { (messages.clone(), uid) } else { (self.uids_of(messages, uid)?, true) };
        if messages.is_empty() {
            return Ok(None);
        }
        if !has_move {
            return self.move_by_copy(&messages, destination);
        }
        let mut copied = None;
        for part in messages.split(LONGEST_SET) {
            let mut untagged = None;
            let command = Command::move_to(&part, destination, uid, self.utf8_names())?;
            let completion = self.run_watching(command, &mut |_| Ok(()), &mut |status| {
                // MOVE tells COPYUID in an untagged OK, before the messages leave (RFC 6851 4.3).
                let code = Completion::from(status).code;
                untagged = code.as_ref().and_then(copied_uids).or(untagged.take());
            })?;
            merge(&mut copied, untagged.or(completion.code.as_ref().and_then(copied_uids)));
        }
        Ok(copied)
    }

    fn move_by_copy(
        &mut self,
        uids: &SequenceSet,
        destination: &str,
    ) -> Result<Option<CopiedUids>, Error> {
        let uidplus = self.has_uidplus(); // decided once: capabilities may change under way
        let copied = self.copy(uids, destination, true)?;
        let deleted = [Flag::new("\\Deleted")?];
        self.store(uids, StoreMode::Add, &deleted, true, true, &mut |_| Ok(()))?;
        if uidplus {
            for part in uids.split(LONGEST_SET) {
                self.collect_expunged(Command::uid_expunge(&part)?)?;
            }
        } else if self.others_are_marked(uids)? {
            let words = "the letters were copied and marked \\Deleted, but not removed: others are marked too, and this server can only remove all of them";
            self.warn(WarningKind::Problem, words.into());
        } else {
            self.expunge()?;
        }
        Ok(copied)
    }

    /// Whether messages besides these are marked `\Deleted`.
    fn others_are_marked(&mut self, uids: &SequenceSet) -> Result<bool, Error> {
        let marked = self.search(&SearchKey::Word("DELETED"), true)?;
        let members = uids.members(0);
        Ok(marked.iter().any(|uid| !members.contains(*uid)))
    }

    /// The UIDs of messages that exist, in the server's order. What the server tells of other messages meanwhile does not count.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn uids_of(&mut self, messages: &SequenceSet, uid: bool) -> Result<SequenceSet, Error> {
        let asked = self.asked_for(messages, uid);
        let mut seen = HashSet::new();
        let mut uids = SequenceSet::new();
        self.fetch(messages, "(UID)", uid, &mut |mut data| {
            let number = data.number;
            if let Some(found) = uid_of(&mut data.tokens)?
                && asked.contains(if uid { found.get() } else { number.unwrap_or(0) })
                && seen.insert(found)
            {
                uids.push(found);
            }
            Ok(())
        })?;
        Ok(uids)
    }

    /// The numbers or UIDs that a set asks for now. Servers tell of other messages too, at any moment.
    pub fn asked_for(&self, messages: &SequenceSet, uid: bool) -> Members {
        // The highest UID is not known; `*` among UIDs means whatever is there.
        let mut all = SequenceSet::new();
        all.push_range(Bound::Number(NonZeroU32::MIN), Bound::Last);
        let is_last = |range: &(Bound, Bound)| *range == (Bound::Last, Bound::Last);
        let messages = if uid && messages.ranges().iter().any(is_last) { &all } else { messages };
        messages.members(if uid {
            u32::MAX
        } else {
            self.selected().map_or(0, |mailbox| mailbox.exists)
        })
    }

    /// Asks for the separator without waiting for the answer.
    pub(super) fn ask_separator(&mut self) -> Result<(), Error> {
        if let Sending::Sent(ticket) = self.ahead(|client| client.list("", "", false))? {
            self.separator = Separator::Asked(ticket);
        }
        Ok(())
    }

    /// The commands that work on all messages of a set; none for `1:*` in an empty mailbox, which servers refuse.
    pub(super) fn for_each_part(
        &self,
        messages: &SequenceSet,
        uid: bool,
        command: impl Fn(&SequenceSet) -> Result<Command, EncodeError>,
    ) -> Result<Vec<Command>, Error> {
        let up_to_last = messages
            .ranges()
            .iter()
            .any(|(first, last)| *first == Bound::Last || *last == Bound::Last);
        if up_to_last && !uid && self.selected().is_some_and(|mailbox| mailbox.exists == 0) {
            return Ok(Vec::new());
        }
        Ok(messages.split(LONGEST_SET).iter().map(command).collect::<Result<_, _>>()?)
    }

    pub(super) fn utf8_names(&self) -> bool {
        self.capabilities().utf8_names()
    }

    fn has_uidplus(&self) -> bool {
        self.capabilities().has("UIDPLUS") || self.capabilities().has("IMAP4rev2")
    }

    fn simple(&mut self, command: Result<Command, EncodeError>) -> Result<(), Error> {
        self.run(command?, &mut |_| Ok(())).map(drop)
    }

    /// Keeps a warning, as many as the limit allows.
    pub(super) fn note_warning(&mut self, warning: Warning) {
        if self.warnings.len() < self.limits().warnings {
            self.warn(warning.kind, warning.words);
        }
    }

    fn warn(&mut self, kind: WarningKind, words: String) {
        let words = self.connection.redact(&words).chars().take(LONGEST_WARNING).collect();
        self.warnings.push(Warning { kind, words });
    }
}
