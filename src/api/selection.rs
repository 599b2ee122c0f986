//! Whose mailbox is selected on a connection: the script's, or that of a set of letters.
//!
//! A set of letters selects its own mailbox when it needs it ([`Place::select`]). The script must not
//! notice: `expunge-mailbox` and `(:seq 1 :*)` mean the mailbox that the script selected. So what was
//! selected is remembered ([`Borrowed`]), and every function that is given the mailbox object first
//! selects that again ([`imap_mailbox`]). If letters may have left it meanwhile, message
//! numbers are refused until the script asks for them again.

use super::objects::ImapMailbox;
use super::operation::on;
use super::reconnection::Reconnection;
use super::shifting::Given;
use crate::client::{Error, Found, ImapClient, Lost};
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Value};
use crate::proto::imap::SequenceSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A mailbox on a connection, as it was when letters were selected in it.
pub(super) struct Place {
    pub mailbox: Arc<ImapMailbox>,
    pub name: String,
    pub read_only: bool,
    pub uid_validity: Option<u32>,
}

impl Place {
    /// Selects the mailbox, unless it is selected. Returns whether its UIDs mean the same letters as
    /// before.
    pub(super) fn select(&self, client: &mut ImapClient) -> Result<bool, Error> {
        if !self.is_selected(client) {
            self.mailbox.extra::<Borrowed>().select(client, &self.name, self.read_only)?;
        }
        let uid_validity = client.selected().and_then(|selected| selected.uid_validity);
        Ok(uid_validity == self.uid_validity)
    }

    pub(super) fn is_selected(&self, client: &ImapClient) -> bool {
        is_selected(client, &self.name, self.read_only)
    }

    /// Whether both mean the same letters by the same UIDs.
    pub(super) fn is_same(&self, other: &Place) -> bool {
        Arc::ptr_eq(&self.mailbox, &other.mailbox)
            && (folded(&self.name), self.read_only, self.uid_validity)
                == (folded(&other.name), other.read_only, other.uid_validity)
    }

    /// The condition for another UIDVALIDITY.
    pub(super) fn stale(&self, function: &str) -> Condition {
        let message = format!(
            "{function}: {:?} has another UIDVALIDITY than when the letters were selected, so they cannot be told any more; select them again",
            self.name
        );
        Condition::new(Identifier::Stale, message)
    }
}

/// A name for comparing: INBOX is the same in any case (RFC 3501 5.1).
pub(super) fn folded(name: &str) -> &str {
    if name.eq_ignore_ascii_case("inbox") { "INBOX" } else { name }
}

/// Whether this mailbox is selected in this mode.
pub(super) fn is_selected(client: &ImapClient, name: &str, read_only: bool) -> bool {
    client.selected().is_some_and(|selected| {
        selected.is_open()
            && folded(&selected.name) == folded(name)
            && selected.read_only == read_only
    })
}

/// Forgets what the script had selected on the connection in the first argument: the call closes
/// it.
pub(super) fn forget_borrowed(call: &Call<'_>) {
    if let Some(mailbox) = call.arg(0).and_then(host::downcast::<ImapMailbox>) {
        mailbox.extra::<Borrowed>().forget();
    }
}

/// What the script had selected on a connection while a set has another mailbox selected.
#[derive(Default)]
pub(super) struct Borrowed(Mutex<Option<Before>>);

#[derive(Clone)]
struct Before {
    selected: Lost,
    epoch: (u64, u64),
    /// What `:saved` stood for.
    saved: SequenceSet,
}

impl Borrowed {
    fn before(&self) -> MutexGuard<'_, Option<Before>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Selects a mailbox for a set, and remembers what the script had selected.
    pub(super) fn select(
        &self,
        client: &mut ImapClient,
        name: &str,
        read_only: bool,
    ) -> Result<(), Error> {
        self.before().get_or_insert_with(|| Before {
            selected: client.lost(false, false),
            epoch: client.epoch(),
            saved: client.saved(),
        });
        client.select(name, read_only)
    }

    /// Forgets what the script had selected.
    pub(super) fn forget(&self) {
        *self.before() = None;
    }

    /// Whether a set has another mailbox selected.
    pub(super) fn is_out(&self) -> bool {
        self.before().is_some()
    }

    /// Selects again what the script had selected.
    pub(super) fn restore(
        &self,
        client: &mut ImapClient,
        mailbox: &ImapMailbox,
    ) -> Result<(), Error> {
        if client.is_closed() {
            return Ok(()); // the call will say so, and find this after the connection is made anew
        }
        // It is forgotten only when it is selected again: a connection that is lost meanwhile comes
        // back with the set's mailbox.
        let Some(before) = self.before().clone() else { return Ok(()) };
        if before.selected.selected.is_none() {
            if client.selected().is_some() {
                client.unselect()?;
            }
            *self.before() = None;
            return Ok(());
        }
        let found = match client.reselect(&before.selected) {
            Err(Error::Refused { .. }) => Found::NothingSelected, // it has been removed
            found => found?,
        };
        *self.before() = None;
        if found != Found::OtherUidValidity {
            client.keep_saved(before.saved);
        }
        match found {
            Found::SameNumbers => mailbox.extra::<Given>().go_on(before.epoch, client.epoch()),
            _ => mailbox.extra::<Reconnection>().numbers_are_old(),
        }
        Ok(())
    }
}

/// Reads a mailbox object, and selects again what the script had selected if a set of letters has
/// selected another mailbox.
pub(super) fn imap_mailbox(
    call: &Call<'_>,
    argument: &Value,
) -> Result<Option<Arc<ImapMailbox>>, Condition> {
    let mailbox = host::downcast::<ImapMailbox>(argument);
    if let Some(mailbox) = &mailbox {
        let borrowed = mailbox.extra::<Borrowed>();
        if borrowed.is_out() {
            on(call.context(), call.name(), mailbox, |client| {
                client.begin_operation(call.number());
                borrowed.restore(client, mailbox)
            })?;
        }
    }
    Ok(mailbox)
}
