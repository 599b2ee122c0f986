//! Operations on whole mailboxes: select, create, delete, rename, subscribe, list, status, close.
//! `listing` has LIST with options.

use super::answers::{Likeness, compare_mailbox, read_listed, read_status};
use super::error::Error;
use super::extension_items::Asked;
use super::imap::ImapClient;
use super::pending::{Pending, Reader};
use super::told::{Listed, StatusValue, WarningKind};
use crate::proto::imap::{Command, Completion, Data, Flag, SelectedMailbox};
use crate::proto::{EncodeError, Limits};

impl ImapClient {
    /// SELECT or EXAMINE (RFC 3501 6.3.1, 6.3.2). If SELECT opens the mailbox read-only, this adds
    /// a warning. It is EXAMINE too if the witness spares the mailbox the SELECT.
    ///
    /// # Errors
    /// [`Error::Refused`]; then no mailbox is selected.
    pub fn select(&mut self, name: &str, read_only: bool) -> Result<(), Error> {
        let read_only = self.opens_read_only(name, read_only)?;
        let completion = self.run(Command::select(name, read_only)?)?;
        self.warn_if_read_only(read_only, &completion);
        Ok(())
    }

    /// Warns of a mailbox that SELECT opens read-only.
    pub(super) fn warn_if_read_only(&mut self, read_only: bool, completion: &Completion) {
        if !read_only && self.selected().is_some_and(|mailbox| mailbox.read_only) {
            self.warn(WarningKind::Problem, completion.words());
        }
    }

    /// CREATE (6.3.3).
    ///
    /// # Errors
    /// [`Error::Refused`] if the mailbox exists.
    pub fn create(&mut self, name: &str) -> Result<(), Error> {
        self.simple(Command::create(name))
    }

    /// CREATE of a mailbox with a special use such as `\Sent` (RFC 6154 3).
    ///
    /// # Errors
    /// [`Error::Unsupported`] without CREATE-SPECIAL-USE; [`Error::Refused`] if the mailbox exists,
    /// or cannot have this use.
    pub fn create_for(&mut self, name: &str, special_use: &Flag) -> Result<(), Error> {
        if !self.capabilities().offers("CREATE-SPECIAL-USE") {
            return Err(self.lacks(&["CREATE-SPECIAL-USE"], ""));
        }
        self.simple(Command::create_for(name, special_use))
    }

    /// DELETE (6.3.4). With a quarantine, a mailbox with letters is renamed instead.
    ///
    /// # Errors
    /// [`Error::Refused`] if the mailbox does not exist.
    pub fn delete(&mut self, name: &str) -> Result<(), Error> {
        match self.quarantine.clone() {
            Some(quarantine) => self.put_mailbox_away(name, &quarantine),
            None => self.delete_now(name),
        }
    }

    pub(super) fn delete_now(&mut self, name: &str) -> Result<(), Error> {
        self.simple(Command::delete(name))
    }

    /// RENAME (6.3.5).
    ///
    /// # Errors
    /// [`Error::Refused`] if the old name does not exist or the new one does.
    pub fn rename(&mut self, old: &str, new: &str) -> Result<(), Error> {
        let rename = Command::rename(old, new)?;
        if self.connection().foresees() {
            self.foresee_below(old, new)?;
        }
        self.run(rename).map(drop)
    }

    /// Asks the witness about the mailboxes below one, which RENAME takes along.
    fn foresee_below(&mut self, old: &str, new: &str) -> Result<(), Error> {
        let Some(separator) = self.separator()?.map(str::to_owned) else { return Ok(()) };
        let above = format!("{old}{separator}");
        let below = self.list("", &format!("{above}*"))?;
        let renamed = below.iter().filter_map(|listed| {
            let rest = listed.name.strip_prefix(&above)?;
            Some((&listed.name, format!("{new}{separator}{rest}")))
        });
        let commands = renamed.map(|(old, new)| Command::rename(old, &new));
        let commands = commands.collect::<Result<Vec<_>, _>>()?;
        self.foresee(&commands)
    }

    /// SUBSCRIBE (6.3.6).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn subscribe(&mut self, name: &str) -> Result<(), Error> {
        self.simple(Command::subscribe(name))
    }

    /// UNSUBSCRIBE (6.3.7).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn unsubscribe(&mut self, name: &str) -> Result<(), Error> {
        self.simple(Command::unsubscribe(name))
    }

    /// LIST (6.3.8), in the server's order.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn list(&mut self, reference: &str, pattern: &str) -> Result<Vec<Listed>, Error> {
        let pending = self.begin_list(reference, pattern)?;
        self.wait(pending)
    }

    /// LSUB (6.3.9): as LIST, but only subscribed names.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn list_subscribed(
        &mut self,
        reference: &str,
        pattern: &str,
    ) -> Result<Vec<Listed>, Error> {
        let pending = self.begin_list_subscribed(reference, pattern)?;
        self.wait(pending)
    }

    /// Begins [`ImapClient::list_subscribed`].
    pub(super) fn begin_list_subscribed(
        &mut self,
        reference: &str,
        pattern: &str,
    ) -> Result<Pending<Listing>, Error> {
        let listing = self.listing("LSUB")?;
        self.begin([Command::list(reference, pattern, true)?], listing)
    }

    /// Begins [`ImapClient::list`].
    ///
    /// # Errors
    /// An error if the command cannot be sent.
    pub fn begin_list(
        &mut self,
        reference: &str,
        pattern: &str,
    ) -> Result<Pending<Listing>, Error> {
        let listing = self.listing("LIST")?;
        self.begin([Command::list(reference, pattern, false)?], listing)
    }

    fn listing(&mut self, name: &'static str) -> Result<Listing, Error> {
        let (utf8_names, limits) = (self.utf8_names()?, self.limits().clone());
        Ok(Listing { name, utf8_names, limits, entries: Vec::new() })
    }

    /// STATUS (6.3.10): returns the name of each item, in upper case, and its value.
    ///
    /// # Errors
    /// [`Error::Refused`] if the mailbox does not exist; [`Error::Unsupported`] for an item of an
    /// extension that the server does not offer.
    pub fn status(
        &mut self,
        name: &str,
        items: &[String],
    ) -> Result<Vec<(String, StatusValue)>, Error> {
        let pending = self.begin_status(name, items)?;
        self.wait(pending)
    }

    /// Begins [`ImapClient::status`].
    ///
    /// # Errors
    /// [`Error::Unsupported`] as there; an error if the command cannot be sent.
    pub fn begin_status(
        &mut self,
        name: &str,
        items: &[String],
    ) -> Result<Pending<StatusOf>, Error> {
        let (mailbox, asked) = (name.to_owned(), self.status_items(items)?);
        let (utf8_names, limits) = (self.utf8_names()?, self.limits().clone());
        let command = Command::status(name, asked.sent())?;
        let reader = StatusOf { mailbox, asked, utf8_names, limits, found: None, similar: None };
        self.begin([command], reader)
    }

    /// CLOSE (6.4.2): expunges and deselects the mailbox. With a quarantine, the marked letters are
    /// moved there instead.
    ///
    /// # Errors
    /// [`Error::Refused`] if no mailbox is selected.
    pub fn close_mailbox(&mut self) -> Result<(), Error> {
        let is_open = |selected: &SelectedMailbox| selected.is_open() && !selected.read_only;
        if let Some(quarantine) = self.quarantine.clone()
            && self.selected().is_some_and(is_open)
        {
            self.put_marked_away(None, &quarantine)?;
            return self.unselect();
        }
        self.simple(Ok(Command::close()))
    }

    /// UNSELECT (RFC 3691). If the server does not offer it: EXAMINE of the same mailbox, then
    /// CLOSE, which expunges nothing in a read-only mailbox.
    ///
    /// # Errors
    /// [`Error::Refused`] if no mailbox is selected.
    pub fn unselect(&mut self) -> Result<(), Error> {
        if self.capabilities().offers("UNSELECT") {
            return self.simple(Ok(Command::unselect()));
        }
        let Some(name) = self.selected().map(|mailbox| mailbox.name.clone()) else {
            return self.simple(Ok(Command::unselect()));
        };
        self.select(&name, true)?;
        self.close_mailbox()
    }

    fn simple(&mut self, command: Result<Command, EncodeError>) -> Result<(), Error> {
        self.run(command?).map(drop)
    }
}

/// Reads the entries of LIST or LSUB.
pub struct Listing {
    name: &'static str,
    utf8_names: bool,
    limits: Limits,
    entries: Vec<Listed>,
}

impl Reader for Listing {
    type Output = Vec<Listed>;

    fn data(&mut self, data: Data<'_>) -> Result<(), Error> {
        if data.is(self.name) {
            self.limits.check("listed", self.entries.len() as u64 + 1)?;
            self.entries.push(read_listed(&data.tokens, self.utf8_names, &self.limits)?);
        }
        Ok(())
    }

    fn finish(self) -> Result<Vec<Listed>, Error> {
        Ok(self.entries)
    }
}

/// Reads the STATUS response for one mailbox.
pub struct StatusOf {
    mailbox: String,
    asked: Asked,
    utf8_names: bool,
    limits: Limits,
    found: Option<Vec<(String, StatusValue)>>,
    /// The answer under a name that differs in case.
    similar: Option<Vec<(String, StatusValue)>>,
}

impl Reader for StatusOf {
    type Output = Vec<(String, StatusValue)>;

    fn has_one_answer(&self) -> bool {
        true
    }

    fn data(&mut self, mut data: Data<'_>) -> Result<(), Error> {
        if !data.is("STATUS") {
            return Ok(());
        }
        let found = match compare_mailbox(&mut data.tokens, &self.mailbox, self.utf8_names)? {
            Likeness::Same => &mut self.found,
            Likeness::ButForCase => &mut self.similar,
            Likeness::Other => return Ok(()),
        };
        let told = read_status(&mut data.tokens, &self.limits)?;
        self.asked.add(found.get_or_insert_default(), told);
        Ok(())
    }

    fn finish(self) -> Result<Vec<(String, StatusValue)>, Error> {
        let missing = "the server's answer to STATUS says nothing of the mailbox";
        let found = self.found.or(self.similar).ok_or_else(|| Error::Unexpected(missing.into()))?;
        Ok(self.asked.complete(found))
    }
}
