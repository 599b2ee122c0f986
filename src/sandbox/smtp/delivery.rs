//! Delivers letters: to the inboxes of local recipients, and to the outbox for all others.
//!
//! A recipient is local if its whole address is an account's name, or if its domain is one of the
//! sandbox's and its local part is an account's name. An address without a domain counts as local.
//! A letter is delivered to all recipients or to none.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Zoned;

use crate::sandbox::Store;
use crate::sandbox::smtp::path::Path;
use crate::sandbox::smtp::transaction::Transaction;
use crate::sandbox::store::flags::Flags;
use crate::sandbox::store::letter::Content;
use crate::sandbox::store::mailbox::Message;
use crate::sandbox::store::names::INBOX;

/// A letter sent to recipients elsewhere. The sandbox keeps it and does not forward it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The address of MAIL; empty for `<>`.
    pub from: String,
    /// The addresses of RCPT that are not local.
    pub to: Vec<String>,
    /// The letter as received, with dots unstuffed and without trace fields.
    pub bytes: Arc<[u8]>,
}

impl Store {
    /// The letters sent by SMTP to recipients that are not local, oldest first, one entry per
    /// transaction. A reset clears them.
    pub fn outbox(&self) -> Vec<Sent> {
        self.lock().outbox.clone()
    }
}

/// The domains that are local, the refused recipients, and whether letters get trace fields.
pub(crate) struct Delivery {
    domains: Vec<String>,
    refuse: Mutex<Vec<String>>,
    trace_headers: bool,
}

/// How a letter was received, for its Received field.
pub(crate) struct Trace<'a> {
    pub(crate) client: &'a str,
    pub(crate) extended: bool,
    pub(crate) encrypted: bool,
    pub(crate) authenticated: bool,
    pub(crate) identity: &'a str,
}

impl Delivery {
    pub(crate) fn new(domains: Vec<String>, refuse: Vec<String>, trace_headers: bool) -> Delivery {
        Delivery { domains, refuse: Mutex::new(refuse), trace_headers }
    }

    pub(crate) fn refuses(&self, path: &Path) -> bool {
        let refuse = self.refuse.lock().unwrap_or_else(PoisonError::into_inner);
        refuse.iter().any(|refused| refused.eq_ignore_ascii_case(&path.text))
    }

    pub(crate) fn refuse(&self, addresses: Vec<String>) {
        *self.refuse.lock().unwrap_or_else(PoisonError::into_inner) = addresses;
    }

    /// The account of an address: one named by the whole address, otherwise by the local part if
    /// the domain is local.
    pub(crate) fn account(&self, store: &Store, path: &Path) -> Option<String> {
        let ours =
            |domain: &String| self.domains.iter().any(|own| own.eq_ignore_ascii_case(domain));
        let local = path.domain.as_ref().is_none_or(ours);
        store
            .account_named(&path.text)
            .or_else(|| if local { store.account_named(&path.local) } else { None })
    }

    /// Delivers to all recipients or to none.
    pub(crate) fn deliver(
        &self,
        store: &Store,
        transaction: Transaction,
        bytes: Vec<u8>,
        trace: &Trace<'_>,
    ) -> Result<(), Undelivered> {
        let now = Zoned::now();
        let traced: Arc<[u8]> = if self.trace_headers {
            [trace_lines(&transaction, trace, &now).as_bytes(), &bytes].concat().into()
        } else {
            bytes.as_slice().into()
        };
        let (local, elsewhere): (Vec<_>, Vec<_>) =
            transaction.recipients.into_iter().partition(|recipient| recipient.user.is_some());
        let mut users: Vec<String> =
            local.into_iter().filter_map(|recipient| recipient.user).collect();
        users.sort_unstable();
        // An account with several of the addresses gets one copy, as on a mail server.
        users.dedup();
        let content = Arc::new(Content::as_it_is(traced));
        let mut state = store.lock();
        let inboxes: Option<Vec<_>> = users.iter().map(|user| state.find(user, INBOX)).collect();
        let room = |id: &u64| state.mailbox(*id).is_some_and(|mailbox| mailbox.uid_next < u32::MAX);
        let Some(inboxes) = inboxes.filter(|inboxes| inboxes.iter().all(room)) else {
            return Err(Undelivered::AccountGone);
        };
        let octets = content.size();
        if !users.iter().all(|user| state.has_room(user, octets, 1)) {
            return Err(Undelivered::OverQuota);
        }
        for id in inboxes {
            let message = Message::new(Arc::clone(&content), Flags::default(), now.clone());
            state.mailbox_mut(id).and_then(|mailbox| mailbox.append(message));
        }
        if !elsewhere.is_empty() {
            let to = elsewhere.into_iter().map(|recipient| recipient.path.text).collect();
            state.outbox.push(Sent { from: transaction.from.text, to, bytes: bytes.into() });
        }
        Ok(())
    }
}

/// Why a letter was not delivered.
pub(crate) enum Undelivered {
    /// A local recipient's account is gone, or its inbox has no UIDs left.
    AccountGone,
    /// A local recipient's account has no room.
    OverQuota,
}

/// Writes Return-Path and Received (RFC 5321 4.4). Received names the recipient only if there is
/// just one, so that blind copies stay hidden.
fn trace_lines(transaction: &Transaction, trace: &Trace<'_>, now: &Zoned) -> String {
    let with = match (transaction.utf8, trace.extended) {
        (true, _) => "UTF8SMTP",
        (false, true) => "ESMTP",
        (false, false) => "SMTP",
    };
    let (secure, authenticated) =
        (if trace.encrypted { "S" } else { "" }, if trace.authenticated { "A" } else { "" });
    let recipient = match &transaction.recipients[..] {
        [only] => format!("\r\n    for <{}>", only.path.text),
        _ => String::new(),
    };
    let date = now.strftime("%a, %-d %b %Y %H:%M:%S %z");
    format!(
        "Return-Path: <{}>\r\nReceived: from {} (localhost [127.0.0.1])\r\n    by sandbox with {with}{secure}{authenticated} id {}{recipient}; {date}\r\n",
        transaction.from.text, trace.client, trace.identity
    )
}
