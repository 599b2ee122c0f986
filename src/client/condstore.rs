//! CONDSTORE and QRESYNC (RFC 7162): what has changed in a mailbox since a state of it, and changes of
//! flags that are made only where nobody else has made one.
//!
//! Mod-sequences number the changes of a mailbox. A caller remembers the UIDVALIDITY and the highest
//! mod-sequence, and [`ImapClient::select_since`] says what happened since:
//!
//! | the server has | changed | vanished |
//! |---|---|---|
//! | QRESYNC | in the answer to SELECT | in the answer to SELECT |
//! | CONDSTORE | UID FETCH with CHANGEDSINCE | UID SEARCH: what is not there |
//!
//! QRESYNC is enabled by the first such call only, since from then on the server may answer with
//! VANISHED, which says UIDs, instead of EXPUNGE. A server that goes on with EXPUNGE is understood
//! as well.

use super::answers::uid_of;
use super::error::Error;
use super::fetched::Collected;
use super::imap::ImapClient;
use super::messages::{Fetch, FetchReader};
use super::pending::{Pending, Reader};
use super::told::StatusValue;
use crate::proto::Limits;
use crate::proto::imap::command::StoreMode;
use crate::proto::imap::sequence::Bound;
use crate::proto::imap::{
    Command, Completion, Data, FetchItems, Flag, Messages, SearchKey, SequenceSet, Since, Status,
    vanished,
};
use std::num::NonZeroU32;

/// What a changed message is asked for.
const CHANGED: &str = "(UID FLAGS MODSEQ)";

impl ImapClient {
    /// SELECT, or EXAMINE if `read_only`, with what has happened since: passes a FETCH response with
    /// UID, FLAGS and MODSEQ of each new or changed message to the reader that `reader` makes, and
    /// returns its result and the UIDs of messages that have vanished. Among these may be UIDs
    /// that the caller never knew.
    ///
    /// # Errors
    /// [`Error::Unsupported`] without CONDSTORE, or for a mailbox without mod-sequences;
    /// [`Error::OtherUidValidity`]; [`Error::Refused`], then no mailbox is selected.
    pub fn select_since<R: FetchReader>(
        &mut self,
        name: &str,
        read_only: bool,
        since: &Since,
        reader: impl Fn() -> R,
    ) -> Result<(R::Output, SequenceSet), Error> {
        self.check_condstore()?;
        let read_only = self.opens_read_only(name, read_only)?;
        let (by_qresync, by_condstore) = (
            Command::select_since(name, read_only, since)?,
            Command::select_condstore(name, read_only)?,
        );
        if self.enable_qresync()? {
            let limits = self.limits().clone();
            let happened = Happened {
                changed: reader(),
                make: reader,
                vanished: SequenceSet::new(),
                limits,
                completion: None,
            };
            let (changed, vanished, completion) = self.carry_out([by_qresync], happened)?;
            completion.iter().for_each(|words| self.warn_if_read_only(read_only, words));
            self.check_state(since)?;
            return Ok((changed.finish()?, vanished));
        }
        let completion = self.run(by_condstore)?;
        self.warn_if_read_only(read_only, &completion);
        self.check_state(since)?;
        let known = since.uids.clone().unwrap_or_else(SequenceSet::all);
        let pending = self.begin_changed(&Messages::Uids(known.clone()), since.modseq, reader())?;
        let changed = self.wait(pending)?;
        let next = self.selected().and_then(|selected| selected.uid_next);
        let there = self.uid_search(&SearchKey::Uid(known.clone()))?;
        // Without UIDNEXT, no UID above those that are known counts.
        let told = known.members(0).ranges().last().map_or(0, |(_, last)| *last);
        let highest = told.max(there.last().copied().unwrap_or(0));
        let last = next.map_or(highest, |next| next.saturating_sub(1));
        Ok((changed, missing(&known, last, &there)))
    }

    /// Begins a UID FETCH of the flags of all messages that have changed since a mod-sequence. A
    /// NOOP before it lets the server announce new ones.
    ///
    /// # Errors
    /// [`Error::Unsupported`] without CONDSTORE; an error if the command cannot be sent.
    pub fn begin_changed_letters<R: FetchReader>(
        &mut self,
        modseq: u64,
        reader: R,
    ) -> Result<Pending<Fetch<R>>, Error> {
        self.check_condstore()?;
        self.noop()?;
        self.begin_changed(&Messages::Uids(SequenceSet::all()), modseq, reader)
    }

    fn begin_changed<R: FetchReader>(
        &mut self,
        messages: &Messages,
        modseq: u64,
        reader: R,
    ) -> Result<Pending<Fetch<R>>, Error> {
        let items = FetchItems::parse(CHANGED)?;
        let changed = |part: &Messages| Command::fetch_changed_since(part, &items, modseq);
        let mut commands = self.for_each_part(messages, changed)?;
        if self.selected().is_some_and(|selected| selected.exists == 0) {
            commands.clear();
        }
        let reader = self.fetch_reader(messages, reader);
        self.begin(commands, reader)
    }

    /// The highest mod-sequence of the selected mailbox; `None` if no mailbox is selected or it has
    /// none. Asks by STATUS if SELECT did not tell it: some servers count only once a client asks
    /// (RFC 7162 3.1).
    ///
    /// # Errors
    /// As every operation: [`Error`].
    pub fn highest_modseq(&mut self) -> Result<Option<u64>, Error> {
        let Some(selected) = self.selected() else { return Ok(None) };
        if selected.highest_modseq.is_some() || self.check_condstore().is_err() {
            return Ok(selected.highest_modseq);
        }
        let name = selected.name.clone();
        let told = self.status(&name, &["HIGHESTMODSEQ".to_owned()])?;
        Ok(told.into_iter().find_map(|(_, value)| match value {
            StatusValue::Number(modseq) => Some(modseq).filter(|modseq| *modseq > 0),
            _ => None,
        }))
    }

    /// STORE with `.SILENT` that leaves messages alone which have changed since a mod-sequence.
    /// Returns those, and the highest mod-sequence of the others after it, if the server told it.
    ///
    /// # Errors
    /// [`Error::Unsupported`] without CONDSTORE; [`Error::Refused`].
    pub fn store_unchanged(
        &mut self,
        messages: &Messages,
        mode: StoreMode,
        flags: &[Flag],
        since: u64,
    ) -> Result<(SequenceSet, Option<u64>), Error> {
        let reader = Stored {
            told: Collected::of(messages, false), // no labels are asked for
            left_alone: SequenceSet::new(),
        };
        let pending =
            self.begin_store_unchanged(messages, mode, flags, true, Some(since), reader)?;
        self.wait(pending)
    }

    pub(super) fn check_condstore(&self) -> Result<(), Error> {
        // QRESYNC includes CONDSTORE (RFC 7162 3.2.3).
        if self.capabilities().has("CONDSTORE") || self.capabilities().has("QRESYNC") {
            return Ok(());
        }
        Err(self.lacks(&["CONDSTORE", "QRESYNC"], ""))
    }

    /// Returns whether QRESYNC is enabled now. ENABLE is allowed only while no mailbox is selected
    /// (RFC 5161 3.1), so the selected one is left.
    fn enable_qresync(&mut self) -> Result<bool, Error> {
        let is_enabled = |client: &mut ImapClient| client.connection().session().has_qresync();
        if is_enabled(self) || !self.capabilities().has("QRESYNC") {
            return Ok(is_enabled(self));
        }
        if self.selected().is_some() {
            self.unselect()?;
        }
        match self.run(Command::enable(&["QRESYNC"])) {
            Ok(_) | Err(Error::Refused { .. }) => Ok(is_enabled(self)),
            Err(error) => Err(error),
        }
    }

    /// Checks that the selected mailbox is the one that the caller remembers.
    fn check_state(&self, since: &Since) -> Result<(), Error> {
        let selected = self.selected().ok_or(Error::NothingSelected)?;
        if selected.uid_validity != Some(since.uid_validity) {
            let (before, now) = (since.uid_validity, selected.uid_validity);
            return Err(Error::OtherUidValidity { before, now });
        }
        if selected.highest_modseq.is_none_or(|modseq| modseq == 0) {
            let why = "the server keeps no modification sequences for this mailbox";
            return Err(Error::Unsupported(why.into()));
        }
        Ok(())
    }
}

/// The messages that a STORE with a mod-sequence left alone: UIDs if the command had UIDs.
pub fn modified(completion: &Completion) -> SequenceSet {
    let code = completion.code.as_ref().filter(|(name, _)| name == "MODIFIED");
    code.and_then(|(_, set)| set.trim().parse().ok()).unwrap_or_default()
}

/// The UIDs of `known`, up to `last`, that are not there. `there` is ascending.
fn missing(known: &SequenceSet, last: u32, there: &[u32]) -> SequenceSet {
    let mut missing = SequenceSet::new();
    let mut push = |first: u64, last: u64| {
        let bound = |uid: u64| u32::try_from(uid).ok().and_then(NonZeroU32::new);
        if let (true, Some(first), Some(last)) = (first <= last, bound(first), bound(last)) {
            missing.push_range(Bound::Number(first), Bound::Number(last));
        }
    };
    for &(first, end) in known.members(last).ranges() {
        let end = end.min(last);
        let mut from = u64::from(first);
        let within = there[there.partition_point(|uid| *uid < first)..].iter();
        for uid in within.take_while(|uid| **uid <= end).map(|uid| u64::from(*uid)) {
            push(from, uid.saturating_sub(1));
            from = uid + 1;
        }
        push(from, end.into());
    }
    missing
}

/// Reads the answer to STORE with a mod-sequence: the new ones (RFC 7162 3.1.3), and MODIFIED.
struct Stored {
    told: Collected,
    left_alone: SequenceSet,
}

impl FetchReader for Stored {
    type Output = (SequenceSet, Option<u64>);

    fn item(&mut self, data: Data<'_>) -> Result<(), Error> {
        self.told.item(data)
    }

    fn completed(&mut self, completion: &Completion) {
        let modified = modified(completion);
        modified.ranges().iter().for_each(|&(first, last)| self.left_alone.push_range(first, last));
    }

    fn finish(self) -> Result<Self::Output, Error> {
        let highest = self.told.finish()?.iter().filter_map(|one| one.modseq).max();
        Ok((self.left_alone, highest))
    }
}

/// Reads the answer to SELECT with QRESYNC.
struct Happened<R, F> {
    changed: R,
    make: F,
    vanished: SequenceSet,
    limits: Limits,
    completion: Option<Completion>,
}

impl<R: FetchReader, F: Fn() -> R> Reader for Happened<R, F> {
    type Output = (R, SequenceSet, Option<Completion>);

    fn data(&mut self, data: Data<'_>) -> Result<(), Error> {
        if data.is("FETCH") {
            if uid_of(&mut data.tokens.clone())?.is_none() {
                return Err(data.tokens.malformed("a change without a UID").into());
            }
            return self.changed.item(data);
        }
        if let Some((true, uids)) = data.is("VANISHED").then(|| vanished(&data)).flatten() {
            let count = self.vanished.ranges().len() + uids.ranges().len();
            self.limits.check("responses", count as u64)?;
            uids.ranges().iter().for_each(|&(first, last)| self.vanished.push_range(first, last));
        }
        Ok(())
    }

    /// What came before CLOSED was about the mailbox selected earlier (RFC 7162 3.2.11).
    fn status(&mut self, status: &Status<'_>) {
        if status.code.is_some_and(|code| code.is("CLOSED")) {
            (self.changed, self.vanished) = ((self.make)(), SequenceSet::new());
        }
    }

    fn completed(&mut self, completion: &Completion) {
        self.completion = Some(completion.clone());
    }

    fn finish(self) -> Result<Self::Output, Error> {
        Ok((self.changed, self.vanished, self.completion))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing() {
        for (known, last, there, expected) in [
            ("1:*", 9, &[2, 3, 5][..], "1,4,6:9"),
            ("1:*", 3, &[1, 2, 3], ""),
            ("1:*", 0, &[], ""),
            ("4:6,2,9:12", 10, &[1, 5, 9], "2,4,6,10"),
            ("1:4294967295", u32::MAX, &[1, u32::MAX], "2:4294967294"),
        ] {
            let missing = missing(&known.parse().unwrap(), last, there).to_string();
            assert_eq!(missing, expected, "{known} {last} {there:?}");
        }
    }
}
