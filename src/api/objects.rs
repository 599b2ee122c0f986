//! The objects that scripts hold for connections.
//!
//! An object owns its client behind a lock, so one caller uses it at a time. It does not know the
//! features that are built on it: a feature that keeps state for a connection stores it in
//! `Extras`, under its own type.

use crate::client::{ImapClient, PopClient, SmtpClient};
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

/// A connection that a script holds, with the state that features keep for it.
pub struct Held<C> {
    client: Mutex<C>,
    extras: Extras,
}

/// The result of `make-imap-connection`: a connection with its selected mailbox.
pub type ImapMailbox = Held<ImapClient>;

/// The result of `make-pop-connection`.
pub type PopMailbox = Held<PopClient>;

/// The result of `make-smtp-connection`.
pub type SmtpConnection = Held<SmtpClient>;

impl<C> Held<C> {
    pub(super) fn new(client: C) -> Self {
        Held { client: Mutex::new(client), extras: Extras::default() }
    }

    /// Locks the client, for one caller at a time.
    pub fn client(&self) -> MutexGuard<'_, C> {
        // A panic in a native was reported when it happened; the connection's own state says
        // whether it is still usable.
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the client unless it is in use.
    pub(super) fn client_if_free(&self) -> Option<MutexGuard<'_, C>> {
        match self.client.try_lock() {
            Ok(client) => Some(client),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Returns the state of type `T` that a feature keeps for this connection.
    pub(super) fn extra<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        self.extras.get()
    }
}

/// One value for each type.
#[derive(Default)]
struct Extras(Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>);

impl Extras {
    fn get<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let mut extras = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let extra = extras.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(T::default()));
        extra.clone().downcast().unwrap_or_default() // it was stored under this type
    }
}

/// A mailbox of either kind, for functions that work on both.
pub(super) enum AnyMailbox {
    Imap(Arc<ImapMailbox>),
    Pop(Arc<PopMailbox>),
}

impl AnyMailbox {
    pub(super) fn extra<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        match self {
            AnyMailbox::Imap(mailbox) => mailbox.extra(),
            AnyMailbox::Pop(mailbox) => mailbox.extra(),
        }
    }
}

/// Operations on every open connection, whatever its protocol.
pub(super) trait Client {
    /// The object's type, as printed.
    const TYPE: &'static str;

    fn host(&self) -> &str;
    fn is_closed(&self) -> bool;

    /// Ends the session in good order, but never removes letters that a script has only marked.
    fn leave(&mut self);

    /// Closes the stream without logging out.
    fn abandon(&mut self);
}

impl Client for ImapClient {
    const TYPE: &'static str = "imap-mailbox";

    fn host(&self) -> &str {
        ImapClient::host(self)
    }

    fn is_closed(&self) -> bool {
        ImapClient::is_closed(self)
    }

    fn leave(&mut self) {
        self.close();
    }

    fn abandon(&mut self) {
        ImapClient::abandon(self);
    }
}

impl Client for PopClient {
    const TYPE: &'static str = "pop-mailbox";

    fn host(&self) -> &str {
        PopClient::host(self)
    }

    fn is_closed(&self) -> bool {
        PopClient::is_closed(self)
    }

    /// Sends no QUIT, which would remove the marked letters: only `close-connection` does that.
    fn leave(&mut self) {
        PopClient::abandon(self);
    }

    fn abandon(&mut self) {
        PopClient::abandon(self);
    }
}

impl Client for SmtpClient {
    const TYPE: &'static str = "smtp-connection";

    fn host(&self) -> &str {
        SmtpClient::host(self)
    }

    fn is_closed(&self) -> bool {
        SmtpClient::is_closed(self)
    }

    fn leave(&mut self) {
        self.close();
    }

    fn abandon(&mut self) {
        SmtpClient::abandon(self);
    }
}
