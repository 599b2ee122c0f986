//! CONDSTORE and QRESYNC (RFC 7162): the parameters of SELECT, FETCH and STORE, and what a client
//! that uses them is told.
//!
//! The store numbers the changes of a mailbox ([`Mailbox::highest_modseq`]). CONDSTORE is switched on
//! by the first command that uses it (3.1), QRESYNC by ENABLE only. Mod-sequences of a mailbox with
//! the same UIDVALIDITY only grow, so QRESYNC's hints about message numbers are not needed, and are
//! ignored.

use std::io::Write as _;

use imap_codec::imap_types::{
    command::{FetchModifier, SelectParameter, StoreModifier},
    extensions::enable::CapabilityEnable,
    sequence::SequenceSet,
};

use crate::sandbox::Extension;
use crate::sandbox::imap::copying::GONE;
use crate::sandbox::imap::selected::Selected;
use crate::sandbox::imap::sequence::{self, Span};
use crate::sandbox::imap::session::{Refusal, Session, bad, no};
use crate::sandbox::store::mailbox::Mailbox;

/// What the client of a session has switched on.
#[derive(Clone, Copy, Default)]
pub(crate) struct Resync {
    pub(crate) condstore: bool,
    /// Only together with `condstore`.
    pub(crate) qresync: bool,
}

impl Resync {
    /// The item ` MODSEQ (12)` at the end of a FETCH response, if the client wants it.
    pub(crate) fn modseq(self, modseq: u64) -> String {
        if self.condstore { format!(" MODSEQ ({modseq})") } else { String::new() }
    }

    /// The response code of a command that expunges, `[HIGHESTMODSEQ 12] `, if the client wants it.
    pub(crate) fn highest(self, mailbox: &Mailbox) -> String {
        if !self.condstore {
            return String::new();
        }
        format!("[HIGHESTMODSEQ {}] ", mailbox.highest_modseq)
    }
}

/// The state that a client remembers of a mailbox.
pub(crate) struct Since {
    uid_validity: u32,
    modseq: u64,
    known: Option<SequenceSet>,
}

impl Since {
    /// Writes what has vanished and changed (3.2.5); nothing if the UIDVALIDITY is another one.
    pub(crate) fn tell(
        self,
        mailbox: &Mailbox,
        view: &Selected,
        resync: Resync,
        out: &mut Vec<u8>,
    ) {
        if self.uid_validity != mailbox.uid_validity {
            return;
        }
        let known = self.known.map(|set| sequence::spans(&set, view.last_uid()));
        let is_known =
            |uid: &u32| known.as_ref().is_none_or(|known| sequence::contains(known, *uid));
        let mut gone = mailbox.gone_since(self.modseq);
        gone.retain(is_known);
        vanished_earlier(&gone, out);
        for uid in view.uids.iter().filter(|uid| is_known(uid)) {
            if mailbox.messages.get(uid).is_some_and(|message| message.modseq > self.modseq) {
                view.announce_flags(mailbox, *uid, resync, out);
            }
        }
    }
}

fn vanished_earlier(gone: &[u32], out: &mut Vec<u8>) {
    if !gone.is_empty() {
        let _ = write!(out, "* VANISHED (EARLIER) {}\r\n", sequence::compact(gone));
    }
}

impl Session {
    /// Switches CONDSTORE on; BAD without the extension.
    pub(crate) fn use_condstore(&mut self) -> Result<(), Refusal> {
        self.needs(Extension::CondStore)?;
        self.resync.condstore = true;
        Ok(())
    }

    /// Switches on what ENABLE names, and returns the names of what is on.
    pub(crate) fn enable_resync(
        &mut self,
        capabilities: &[CapabilityEnable<'_>],
    ) -> Vec<&'static str> {
        let mut enabled = Vec::new();
        let offers = self.extensions;
        for capability in capabilities {
            let name = capability.to_string();
            if name.eq_ignore_ascii_case("CONDSTORE") && offers.has(Extension::CondStore) {
                self.resync.condstore = true;
                enabled.push("CONDSTORE");
            } else if name.eq_ignore_ascii_case("QRESYNC") && offers.has(Extension::QResync) {
                self.resync = Resync { condstore: true, qresync: true };
                enabled.push("QRESYNC");
            }
        }
        enabled
    }

    /// Reads the parameters of SELECT. BAD for QRESYNC that is not enabled (3.2.5).
    pub(crate) fn since(
        &mut self,
        parameters: &[SelectParameter],
    ) -> Result<Option<Since>, Refusal> {
        let mut since = None;
        for parameter in parameters {
            match parameter {
                SelectParameter::CondStore => self.use_condstore()?,
                SelectParameter::QResync { .. } if !self.resync.qresync => {
                    return bad("QRESYNC is not enabled.");
                }
                SelectParameter::QResync {
                    uid_validity, mod_sequence_value, known_uids, ..
                } => {
                    since = Some(Since {
                        uid_validity: uid_validity.get(),
                        modseq: mod_sequence_value.get(),
                        known: known_uids.clone(),
                    });
                }
            }
        }
        Ok(since)
    }

    /// Reads the modifiers of FETCH. VANISHED is for UID FETCH with CHANGEDSINCE, and QRESYNC
    /// enabled (3.2.6).
    pub(crate) fn changed_since(
        &mut self,
        modifiers: &[FetchModifier],
        uid: bool,
    ) -> Result<Option<u64>, Refusal> {
        let since = modifiers.iter().find_map(|modifier| match modifier {
            FetchModifier::ChangedSince(modseq) => Some(modseq.get()),
            FetchModifier::Vanished => None,
        });
        if since.is_some() {
            self.use_condstore()?;
        }
        let wants_vanished = modifiers.contains(&FetchModifier::Vanished);
        if wants_vanished && !(uid && since.is_some() && self.resync.qresync) {
            return bad("VANISHED is not possible here.");
        }
        Ok(since)
    }

    /// Writes which of these UIDs have vanished since a mod-sequence.
    pub(crate) fn tell_vanished(&mut self, set: &SequenceSet, since: u64) -> Result<(), Refusal> {
        let view = self.selected()?;
        let state = self.shared.store.lock();
        let Some(mailbox) = state.mailbox(view.id) else { return no(GONE) };
        let spans: Vec<Span> = sequence::spans(set, view.last_uid());
        let mut gone = mailbox.gone_since(since);
        // Those that are still to be announced have not vanished earlier.
        gone.retain(|uid| {
            sequence::contains(&spans, *uid) && view.uids.binary_search(uid).is_err()
        });
        drop(state);
        vanished_earlier(&gone, &mut self.out);
        Ok(())
    }

    /// Reads the modifiers of STORE.
    pub(crate) fn unchanged_since(
        &mut self,
        modifiers: &[StoreModifier],
    ) -> Result<Option<u64>, Refusal> {
        let mut since = None;
        for StoreModifier::UnchangedSince(modseq) in modifiers {
            self.use_condstore()?;
            since = Some(*modseq);
        }
        Ok(since)
    }
}
