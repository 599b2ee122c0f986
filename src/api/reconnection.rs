//! What is kept of a connection so that it can be made anew, and whether its message numbers still
//! mean what the script thinks.

use super::objects::{Held, PopMailbox};
use super::secret::Login;
use super::state::state;
use crate::client::{ConnectOptions, Credentials, Error, PopClient};
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
    /// `None` for an SMTP connection without a login.
    pub login: Option<Login>,
    /// The name for EHLO, if the script has given one.
    pub helo: Option<String>,
    pub options: ConnectOptions,
}

impl How {
    pub(super) fn new(login: Login, options: ConnectOptions) -> How {
        How { login: Some(login), helo: None, options }
    }

    /// The same with another password or token.
    pub(super) fn with_secret(&self, secret: &str) -> How {
        let login = self.login.as_ref().map(|login| login.with_secret(secret));
        How { login, helo: self.helo.clone(), options: self.options.clone() }
    }

    /// Looks the secret up.
    ///
    /// # Errors
    /// Those of [`Login::credentials`].
    pub(super) fn credentials(
        &self,
        call: &Call<'_>,
        host: &str,
    ) -> Result<Option<Credentials>, Condition> {
        self.login.as_ref().map(|login| login.credentials(call, host)).transpose()
    }
}

impl Reconnection {
    /// Remembers how the connection was made.
    pub(super) fn remember(&self, how: How) {
        self.set_how(Some(Arc::new(how)));
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

/// Asks a POP server for its unique ids where a lost connection may be made anew: then they tell
/// whether numbers mean the same letters. That is within `with-reconnect`, and where a person at
/// the prompt is asked what to do.
///
/// # Errors
/// Those of [`PopClient::learn_ids`].
pub(super) fn learn_ids(
    call: &Call<'_>,
    mailbox: &PopMailbox,
    client: &mut PopClient,
) -> Result<(), Error> {
    let may_reconnect = state(call).reconnects() || call.context().opens_break_levels();
    if may_reconnect && !client.is_closed() && mailbox.extra::<Reconnection>().how().is_some() {
        client.learn_ids()?;
    }
    Ok(())
}

/// Refuses message numbers that may mean other letters since the connection was made anew. All
/// messages, `(:seq 1 :*)`, mean what is there. `how_to_ask` says how numbers are asked for.
///
/// # Errors
/// `:in-doubt`.
pub(super) fn check_numbers<C>(
    call: &Call<'_>,
    mailbox: &Held<C>,
    messages: &Messages,
    how_to_ask: &str,
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
             other letters now: ask for them again with {how_to_ask}",
            call.name()
        ),
    ))
}
