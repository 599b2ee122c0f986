//! Operations on messages of the selected mailbox: search, fetch, store flags, copy, expunge.
//!
//! Each operation splits a long set into several commands and has a [`Reader`] for the answer.
//! FETCH responses pass through [`Fetch`], which drops those about other messages and hands the
//! rest to a [`FetchReader`] one by one, so that large answers need not be held in memory.

use super::answers::{
    Admission, Answers, copied_uids, merge, read_numbers, uid_of, unreadable_words,
};
use super::error::Error;
use super::imap::{ImapClient, LONGEST_SET};
use super::pending::{Each, Pending, Reader};
use crate::proto::Limits;
use crate::proto::imap::command::StoreMode;
use crate::proto::imap::flag::Flag;
use crate::proto::imap::repair::with_uid;
use crate::proto::imap::{
    Command, Completion, CopiedUids, Data, FetchItems, Messages, SearchKey, SequenceSet, Status,
    vanished,
};
use std::collections::{HashMap, HashSet};

/// Takes untagged data; its error ends the operation once the server has finished.
pub(super) type OnData<'f> = &'f mut dyn FnMut(Data<'_>) -> Result<(), Error>;

impl ImapClient {
    /// SEARCH (RFC 3501 6.4.4): returns message sequence numbers in ascending order.
    ///
    /// # Errors
    /// [`Error::Refused`], for example for a charset that the server does not know.
    pub fn search(&mut self, key: &SearchKey) -> Result<Vec<u32>, Error> {
        let pending = self.begin_search(key, false)?;
        self.wait(pending)
    }

    /// UID SEARCH (6.4.8): returns UIDs in ascending order.
    ///
    /// # Errors
    /// As [`ImapClient::search`].
    pub fn uid_search(&mut self, key: &SearchKey) -> Result<Vec<u32>, Error> {
        let pending = self.begin_search(key, true)?;
        self.wait(pending)
    }

    /// Begins [`ImapClient::search`], or [`ImapClient::uid_search`] if `uid` is true.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for one of Gmail's keys elsewhere; an error if the command cannot be
    /// sent.
    pub fn begin_search(&mut self, key: &SearchKey, uid: bool) -> Result<Pending<Search>, Error> {
        let keys = self.understood(key)?.split(LONGEST_SET);
        let commands =
            keys.iter().map(|key| Command::search(key, uid)).collect::<Result<Vec<_>, _>>()?;
        let reader = Search::new(self.limits());
        self.begin(commands, reader)
    }

    /// FETCH (6.4.5): passes every `FETCH` response about these messages to `on_item` while the
    /// server is still sending. Responses about other messages are dropped.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::Protocol`] if the server reports the same messages without end;
    /// an error of `on_item`, after the server has finished.
    pub fn fetch(
        &mut self,
        messages: &Messages,
        items: &FetchItems,
        on_item: OnData<'_>,
    ) -> Result<(), Error> {
        let pending = self.begin_fetch(messages, items, Each(on_item))?;
        self.wait(pending)
    }

    /// Begins a FETCH whose responses about these messages go to `reader`.
    ///
    /// If [`ImapClient::read_ahead`] or [`ImapClient::expect_fetch`] has already requested the
    /// messages, the responses to that command are used, and a STORE of `\Seen` is sent if the
    /// fetch would have set it. If the witness refuses to set `\Seen`, the items are fetched with
    /// `.PEEK`.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for an item of an extension that the server does not offer; an error
    /// if the command cannot be sent.
    pub fn begin_fetch<R: FetchReader>(
        &mut self,
        messages: &Messages,
        items: &FetchItems,
        mut reader: R,
    ) -> Result<Pending<Fetch<R>>, Error> {
        let items = &*self.spared(items)?;
        self.check_fetch_items(items)?;
        let modern;
        let items = match items.have_old_texts() && self.is_rev2()? {
            true => {
                modern = items.without_old_texts();
                &modern
            }
            false => items,
        };
        if items.ask_for("MODSEQ") {
            self.check_condstore()?;
        }
        let answers = Answers::to(self, messages);
        let depth = self.limits().depth;
        let is_one = messages.only().is_some() && items.is_one();
        let fetch = |reader| Fetch { answers, reader, is_one, lost: None, depth };
        if let Some(sent) = self.take_read_ahead(messages, items)? {
            reader.asked(&items.peeking());
            return Ok(Pending::sent_before(sent, fetch(reader)));
        }
        reader.asked(items);
        let commands = self.for_each_part(messages, |part| Command::fetch(part, items))?;
        self.begin(commands, fetch(reader))
    }

    /// STORE (6.4.6): passes the `FETCH` responses with the new flags of these messages to
    /// `on_item`.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn store(
        &mut self,
        messages: &Messages,
        mode: StoreMode,
        flags: &[Flag],
        on_item: OnData<'_>,
    ) -> Result<(), Error> {
        let pending = self.begin_store(messages, mode, flags, false, Each(on_item))?;
        self.wait(pending)
    }

    /// STORE with `.SILENT`: the server does not report the new flags.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn store_silently(
        &mut self,
        messages: &Messages,
        mode: StoreMode,
        flags: &[Flag],
    ) -> Result<(), Error> {
        let nobody = Each(|_: Data<'_>| Ok(()));
        let pending = self.begin_store(messages, mode, flags, true, nobody)?;
        self.wait(pending)
    }

    /// Begins a STORE whose responses go to `reader`. With `silent` the server omits them.
    ///
    /// # Errors
    /// An error if the command cannot be sent.
    pub fn begin_store<R: FetchReader>(
        &mut self,
        messages: &Messages,
        mode: StoreMode,
        flags: &[Flag],
        silent: bool,
        reader: R,
    ) -> Result<Pending<Fetch<R>>, Error> {
        self.begin_store_unchanged(messages, mode, flags, silent, None, reader)
    }

    /// Begins a STORE that leaves messages alone which have changed since a mod-sequence, if one is
    /// given. The completions say which ([`modified`](super::condstore::modified)).
    ///
    /// # Errors
    /// [`Error::Unsupported`] without CONDSTORE; an error if the command cannot be sent.
    pub fn begin_store_unchanged<R: FetchReader>(
        &mut self,
        messages: &Messages,
        mode: StoreMode,
        flags: &[Flag],
        silent: bool,
        since: Option<u64>,
        reader: R,
    ) -> Result<Pending<Fetch<R>>, Error> {
        if since.is_some() {
            self.check_condstore()?;
        }
        let fetch = self.fetch_reader(messages, reader);
        let store =
            |part: &Messages| Command::store_unchanged_since(part, mode, flags, silent, since);
        let commands = self.for_each_part(messages, store)?;
        self.begin(commands, fetch)
    }

    /// Passes the FETCH responses about these messages to `reader`.
    pub(super) fn fetch_reader<R>(&self, messages: &Messages, reader: R) -> Fetch<R> {
        let (answers, depth) = (Answers::to(self, messages), self.limits().depth);
        Fetch { answers, reader, is_one: false, lost: None, depth }
    }

    /// COPY (6.4.7). With UIDPLUS the server reports where the copies were stored.
    ///
    /// # Errors
    /// [`Error::Refused`] if the destination does not exist.
    pub fn copy(
        &mut self,
        messages: &Messages,
        destination: &str,
    ) -> Result<Option<CopiedUids>, Error> {
        let pending = self.begin_copy(messages, destination)?;
        self.wait(pending)
    }

    /// Begins [`ImapClient::copy`].
    ///
    /// # Errors
    /// An error if the command cannot be sent.
    pub fn begin_copy(
        &mut self,
        messages: &Messages,
        destination: &str,
    ) -> Result<Pending<Copied>, Error> {
        let commands = self.for_each_part(messages, |part| Command::copy(part, destination))?;
        self.begin(commands, Copied::default())
    }

    /// EXPUNGE (6.4.3): returns the numbers that the server reported, in its order. With a
    /// quarantine, the marked messages are moved there instead.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn expunge(&mut self) -> Result<Vec<u32>, Error> {
        if let Some(quarantine) = self.quarantine.clone() {
            return self.put_marked_away(None, &quarantine);
        }
        self.expunge_now()
    }

    pub(super) fn expunge_now(&mut self) -> Result<Vec<u32>, Error> {
        let reader = self.expunged_reader(None)?;
        self.carry_out([Command::expunge()], reader)
    }

    /// UID EXPUNGE (RFC 4315 2.1): removes those of these messages that are marked `\Deleted`.
    /// Returns the numbers that the server reported.
    ///
    /// # Errors
    /// [`Error::Unsupported`] without UIDPLUS.
    pub fn uid_expunge(&mut self, uids: &SequenceSet) -> Result<Vec<u32>, Error> {
        if !self.has_uidplus() {
            let why = "the server does not offer UIDPLUS, which removing single messages needs";
            return Err(Error::Unsupported(why.into()));
        }
        if let Some(quarantine) = self.quarantine.clone() {
            return self.put_marked_away(Some(uids), &quarantine);
        }
        self.uid_expunge_all(uids)
    }

    pub(super) fn uid_expunge_all(&mut self, uids: &SequenceSet) -> Result<Vec<u32>, Error> {
        let parts = uids.split(LONGEST_SET);
        let commands = parts.iter().map(Command::uid_expunge).collect::<Result<Vec<_>, _>>()?;
        let reader = self.expunged_reader(Some(uids))?;
        self.carry_out(commands, reader)
    }

    /// Reads the numbers of what an EXPUNGE removes. With QRESYNC the server will say UIDs, so the
    /// numbers of what is marked `\Deleted` are asked for before.
    fn expunged_reader(&mut self, uids: Option<&SequenceSet>) -> Result<Expunged, Error> {
        if !self.connection().session().has_qresync() {
            return Ok(Expunged::default());
        }
        let marked = SearchKey::And(
            std::iter::once(SearchKey::Deleted)
                .chain(uids.map(|uids| SearchKey::Uid(uids.clone())))
                .collect(),
        );
        let marked = Messages::Uids(self.uid_search(&marked)?.into_iter().collect());
        self.expunged_among(&marked)
    }

    /// Reads the numbers of those of these messages that are removed.
    pub(super) fn expunged_among(&mut self, messages: &Messages) -> Result<Expunged, Error> {
        let mut numbers = HashMap::new();
        if self.connection().session().has_qresync() {
            self.fetch(messages, &FetchItems::parse("(UID)")?, &mut |mut data| {
                if let (Some(number), Some(uid)) = (data.number, uid_of(&mut data.tokens)?) {
                    numbers.insert(uid.get(), number);
                }
                Ok(())
            })?;
        }
        let mut numbers: Vec<(u32, u32)> = numbers.into_iter().collect();
        numbers.sort_unstable();
        Ok(Expunged { told: Vec::new(), numbers, gone: Vec::new() })
    }

    /// Returns the UIDs of those messages of the set that exist, in the server's order.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn uids_of(&mut self, messages: &Messages) -> Result<SequenceSet, Error> {
        let asked = self.asked_for(messages);
        let mut seen = HashSet::new();
        let mut uids = SequenceSet::new();
        self.fetch(messages, &FetchItems::parse("(UID)")?, &mut |mut data| {
            let number = data.number.unwrap_or(0);
            if let Some(found) = uid_of(&mut data.tokens)?
                && asked.contains(if messages.are_uids() { found.get() } else { number })
                && seen.insert(found)
            {
                uids.push(found);
            }
            Ok(())
        })?;
        Ok(uids)
    }
}

/// Reads FETCH responses one by one. Closures passed to [`ImapClient::fetch`] are readers, too.
pub trait FetchReader {
    /// The result.
    type Output;

    /// Receives the requested items before the first response. If the messages were prefetched,
    /// these are [`FetchItems::peeking`].
    fn asked(&mut self, _: &FetchItems) {}

    /// Takes one response about one of the messages.
    ///
    /// # Errors
    /// An error that ends the operation once the server has finished.
    fn item(&mut self, data: Data<'_>) -> Result<(), Error>;

    /// Takes the successful completion of one of the operation's commands.
    fn completed(&mut self, _: &Completion) {}

    /// Returns the result.
    ///
    /// # Errors
    /// An error if the answer is incomplete.
    fn finish(self) -> Result<Self::Output, Error>;
}

impl<F: FnMut(Data<'_>) -> Result<(), Error>> FetchReader for Each<F> {
    type Output = ();

    fn item(&mut self, data: Data<'_>) -> Result<(), Error> {
        (self.0)(data)
    }

    fn finish(self) -> Result<(), Error> {
        Ok(())
    }
}

/// Passes those FETCH responses to a reader that are about the messages of the operation.
pub struct Fetch<R> {
    answers: Answers,
    reader: R,
    /// Whether one item of one message was asked for, so that losing it is an error.
    is_one: bool,
    /// What could not be read of an answer.
    lost: Option<String>,
    depth: usize,
}

impl<R: FetchReader> Reader for Fetch<R> {
    type Output = R::Output;

    fn data(&mut self, data: Data<'_>) -> Result<(), Error> {
        let admission = self.answers.admit(&data)?;
        if self.is_one && !matches!(admission, Admission::Other) {
            self.lost = data.lost.map(|lost| unreadable_words(&data, lost)).or(self.lost.take());
        }
        match admission {
            Admission::Admitted => self.reader.item(data),
            Admission::Other => Ok(()),
            Admission::WithoutUid(uid) => {
                let Some(response) = with_uid(&data, uid) else { return Ok(()) };
                match response.data(self.depth)? {
                    Some(data) => self.reader.item(data),
                    None => Ok(()),
                }
            }
        }
    }

    fn completed(&mut self, completion: &Completion) {
        self.reader.completed(completion);
    }

    fn finish(self) -> Result<R::Output, Error> {
        match self.lost {
            Some(lost) => Err(Error::Unexpected(lost)),
            None => self.reader.finish(),
        }
    }
}

/// Reads the numbers of SEARCH.
pub struct Search {
    limits: Limits,
    numbers: Vec<u32>,
    /// How many different numbers there were after the last sort.
    sorted: usize,
}

impl Search {
    pub(super) fn new(limits: &Limits) -> Self {
        Search { limits: limits.clone(), numbers: Vec::new(), sorted: 0 }
    }

    fn sort(&mut self) {
        self.numbers.sort_unstable();
        self.numbers.dedup();
    }
}

impl Reader for Search {
    type Output = Vec<u32>;

    fn data(&mut self, mut data: Data<'_>) -> Result<(), Error> {
        let read = match data.is("SEARCH") || data.is("ESEARCH") {
            true => read_numbers(&mut data, &mut self.numbers, &self.limits),
            false => Ok(()),
        };
        // A server may repeat numbers. Only different ones count towards the limit.
        if self.numbers.len() > 2 * self.sorted.max(1_000_000) {
            self.sort();
            self.sorted = self.numbers.len();
            self.limits.check("responses", self.numbers.len() as u64)?;
        }
        read
    }

    fn finish(mut self) -> Result<Vec<u32>, Error> {
        self.sort();
        Ok(self.numbers)
    }
}

/// Reads COPYUID, which reports where copies were stored (RFC 4315 3).
#[derive(Default)]
pub struct Copied {
    /// The UIDs of all commands that have ended.
    all: Option<CopiedUids>,
    /// The UIDs from an untagged OK: MOVE sends them before the messages leave (RFC 6851 4.3).
    untagged: Option<CopiedUids>,
}

impl Reader for Copied {
    type Output = Option<CopiedUids>;

    /// Some servers send COPYUID as a response of its own.
    fn data(&mut self, data: Data<'_>) -> Result<(), Error> {
        if data.is("COPYUID") {
            let arguments = String::from_utf8_lossy(data.tokens.rest());
            let told = CopiedUids::read("COPYUID", &arguments);
            self.untagged = told.or(self.untagged.take());
        }
        Ok(())
    }

    fn status(&mut self, status: &Status<'_>) {
        let code = Completion::from(status).code;
        self.untagged = code.as_ref().and_then(copied_uids).or(self.untagged.take());
    }

    fn completed(&mut self, completion: &Completion) {
        let tagged = completion.code.as_ref().and_then(copied_uids);
        merge(&mut self.all, self.untagged.take().or(tagged));
    }

    fn finish(self) -> Result<Option<CopiedUids>, Error> {
        Ok(self.all)
    }
}

/// Reads the numbers of what was removed, from EXPUNGE or VANISHED responses.
#[derive(Default)]
pub(super) struct Expunged {
    told: Vec<u32>,
    /// UIDs and numbers before the command, of messages that may be removed.
    numbers: Vec<(u32, u32)>,
    /// Those numbers that VANISHED responses have removed, ascending.
    gone: Vec<u32>,
}

impl Reader for Expunged {
    type Output = Vec<u32>;

    /// VANISHED can name UIDs that others have removed at the same time. Nobody knows their
    /// numbers, so they are left out.
    fn data(&mut self, data: Data<'_>) -> Result<(), Error> {
        self.told.extend(data.number.filter(|_| data.is("EXPUNGE")));
        let Some((false, uids)) = data.is("VANISHED").then(|| vanished(&data)).flatten() else {
            return Ok(());
        };
        for (first, last) in uids.members(0).ranges() {
            let from = self.numbers.partition_point(|(uid, _)| uid < first);
            for (_, number) in self.numbers[from..].iter().take_while(|(uid, _)| uid <= last) {
                let below = self.gone.partition_point(|gone| gone < number);
                if self.gone.get(below) != Some(number) {
                    self.gone.insert(below, *number);
                    self.told.push(number - below as u32); // `below` lower numbers left before
                }
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Vec<u32>, Error> {
        Ok(self.told)
    }
}
