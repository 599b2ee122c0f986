//! What is kept of a connection so that it can be made anew, and whether its message numbers still
//! mean what the script thinks.

use super::objects::ImapMailbox;
use super::secret::Login;
use crate::client::ConnectOptions;
use crate::condition::{Condition, Identifier};
use crate::host::Call;
use crate::proto::imap::Messages;
use crate::proto::imap::sequence::Bound;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How a connection was made, and what its script may still use.
#[derive(Default)]
pub(super) struct Reconnection {
    how: Mutex<Option<Arc<How>>>,
    /// Whether it was lost because the server did not answer in time.
    by_timeout: AtomicBool,
    /// Whether message numbers may mean other letters than the script thinks.
    numbers_are_old: AtomicBool,
}

pub(super) struct How {
    pub login: Login,
    pub options: ConnectOptions,
}

impl Reconnection {
    /// Remembers how the connection was made.
    pub(super) fn remember(&self, login: Login, options: ConnectOptions) {
        self.set_how(Some(Arc::new(How { login, options })));
    }

    /// Forgets it: the script has closed the connection.
    pub(super) fn forget(&self) {
        self.set_how(None);
    }

    pub(super) fn set_how(&self, how: Option<Arc<How>>) {
        *self.how.lock().unwrap_or_else(PoisonError::into_inner) = how;
    }

    pub(super) fn how(&self) -> Option<Arc<How>> {
        self.how.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the connection was lost because the server did not answer in time.
    pub(super) fn by_timeout(&self) -> bool {
        self.by_timeout.load(Ordering::Relaxed)
    }

    /// Notes that an operation ended with this error.
    pub(super) fn note(&self, error: &Condition) {
        self.by_timeout.store(error.identifier == Identifier::Timeout, Ordering::Relaxed);
    }

    /// Notes that the script asks for message numbers now.
    pub(super) fn numbers_are_new(&self) {
        self.numbers_are_old.store(false, Ordering::Relaxed);
    }

    /// Notes that letters may have left the mailbox while it was not selected.
    pub(super) fn numbers_are_old(&self) {
        self.numbers_are_old.store(true, Ordering::Relaxed);
    }
}

/// Refuses message numbers that may mean other letters since the connection was made anew. All
/// messages, `(:seq 1 :*)`, mean what is there.
///
/// # Errors
/// `:in-doubt`.
pub(super) fn check_numbers(
    call: &Call<'_>,
    mailbox: &ImapMailbox,
    messages: &Messages,
) -> Result<(), Condition> {
    let Messages::Numbers(set) = messages else { return Ok(()) };
    let all = [(Bound::Number(NonZeroU32::MIN), Bound::Last)];
    if set.ranges() == all
        || !mailbox.extra::<Reconnection>().numbers_are_old.load(Ordering::Relaxed)
    {
        return Ok(());
    }
    Err(Condition::new(
        Identifier::InDoubt,
        format!(
            "{}: the mailbox was selected anew, and letters may have left it meanwhile, so message numbers from before may be \
             other letters now: ask for them again with search-mailbox, or use :uid t",
            call.name()
        ),
    ))
}
