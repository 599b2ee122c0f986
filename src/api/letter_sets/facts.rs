//! What is known of letters, and how it is asked for.
//!
//! The first accessor that needs a fact fetches it for all letters of the batch in one command, so
//! that a loop over a set waits once. A letter that the server does not describe has left the
//! mailbox; it is not asked for again.
//!
//! | kind | one FETCH of | for |
//! |---|---|---|
//! | [`Kind::Brief`] | FLAGS, INTERNALDATE, RFC822.SIZE | all letters of the batch |
//! | [`Kind::Overview`] | these and ENVELOPE | all letters of the batch |
//! | [`Kind::Fields`] | some header fields | all letters of the batch |
//! | [`Kind::Labels`] | X-GM-LABELS; elsewhere labels are keywords, and brief facts | all letters of the batch |
//! | [`Kind::Header`] | whole headers | this letter and 255 after it; only the last of these pieces is kept |
//! | whole letters | BODY.PEEK[] | this letter and, if they are read in order, those after it, a megabyte or so; only the last of these pieces is kept |
//!
//! Nothing here sets `\Seen`.

use super::{Batch, Letter};
use crate::client::{Fetched, ImapClient, label_of_keyword};
use crate::condition::Condition;
use crate::host::Call;
use crate::mime;
use crate::proto::imap::envelope::Envelope;
use crate::proto::imap::{FetchItems, Messages};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, MutexGuard, PoisonError};

/// Whole letters that are fetched together have at most this many bytes, unless one alone has more.
const PIECE: u64 = 1 << 20;

/// And at most this many letters.
const PIECE_LETTERS: usize = 256;

/// How many envelopes are fetched for printing.
const GLANCE: usize = 20;

/// What one FETCH tells.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Brief,
    Overview,
    /// Header fields, their names in lower case, comma-separated.
    Fields(&'static str),
    /// A field that a script names, in lower case.
    Field(String),
    /// The whole header.
    Header,
    /// Gmail's labels.
    Labels,
}

/// What is known of the letters of one origin.
#[derive(Default)]
pub(super) struct Facts {
    brief: HashMap<u32, Brief>,
    envelopes: HashMap<u32, Arc<Envelope>>,
    /// By the kind that was asked, and by UID: the fields as they came.
    headers: HashMap<Kind, HashMap<u32, Arc<[u8]>>>,
    labels: HashMap<u32, Vec<String>>,
    /// The letters that were asked for, by kind.
    asked: HashMap<Kind, HashSet<u32>>,
    /// Letters whose flags a verb has changed since.
    changed: HashSet<u32>,
    /// The piece of whole letters fetched last.
    whole: Vec<(u32, Option<Arc<mime::Letter>>)>,
}

/// The small facts of a letter.
#[derive(Clone)]
pub(super) struct Brief {
    pub flags: Vec<String>,
    pub size: Option<u64>,
    /// In seconds since 1970.
    pub arrived: Option<i64>,
}

impl Batch {
    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.origin.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that this kind is known of a letter, and of the others of the batch with it.
    fn know(&self, call: &Call<'_>, kind: &Kind, uid: u32) -> Result<(), Condition> {
        if self.facts().has_asked(kind, uid) {
            return Ok(());
        }
        let missing: Vec<u32> = {
            let mut facts = self.facts();
            if *kind == Kind::Header {
                facts.forget(kind);
                let from = self.uids.iter().position(|one| *one == uid).unwrap_or(0);
                self.uids[from..].iter().copied().take(PIECE_LETTERS).collect()
            } else {
                self.uids.iter().copied().filter(|uid| !facts.has_asked(kind, *uid)).collect()
            }
        };
        let items = kind.items();
        let fetched = self.origin.run(call, |client| fetch(client, &missing, &items))?;
        self.facts().learn(kind, missing, fetched);
        Ok(())
    }
}

impl Batch {
    /// Fetches the envelopes that printing shows, if the connection is at hand: free, open, and with
    /// the mailbox selected. Errors do not matter here; the next operation will show them.
    fn glance(&self, uid: u32) {
        if self.facts().has_asked(&Kind::Overview, uid) {
            return;
        }
        let Some(mut client) = self.origin.place.mailbox.client_if_free() else { return };
        let uid_validity = client.selected().and_then(|selected| selected.uid_validity);
        let place = &self.origin.place;
        if !place.is_selected(&client) || uid_validity != place.uid_validity {
            return;
        }
        let from = self.uids.iter().position(|one| *one == uid).unwrap_or(0);
        let some: Vec<u32> = self.uids[from..].iter().copied().take(GLANCE).collect();
        let Ok(fetched) = fetch(&mut client, &some, &Kind::Overview.items()) else { return };
        self.facts().learn(&Kind::Overview, some, fetched);
    }
}

fn fetch(
    client: &mut ImapClient,
    uids: &[u32],
    items: &str,
) -> Result<Vec<Fetched>, crate::client::Error> {
    client.fetch_all(&Messages::uids(uids.iter().copied()), &FetchItems::parse(items)?)
}

impl Kind {
    fn items(&self) -> String {
        let fields = |names: &str| {
            format!("(UID BODY.PEEK[HEADER.FIELDS ({})])", names.replace(',', " ").to_uppercase())
        };
        match self {
            Kind::Brief => "(UID FLAGS INTERNALDATE RFC822.SIZE)".to_owned(),
            Kind::Overview => "(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)".to_owned(),
            Kind::Fields(names) => fields(names),
            Kind::Field(name) => fields(name),
            Kind::Header => "(UID BODY.PEEK[HEADER])".to_owned(),
            Kind::Labels => "(UID X-GM-LABELS)".to_owned(),
        }
    }
}

impl Facts {
    fn has_asked(&self, kind: &Kind, uid: u32) -> bool {
        let has = |kind| self.asked.get(kind).is_some_and(|uids| uids.contains(&uid));
        match kind {
            Kind::Brief => !self.changed.contains(&uid) && (has(kind) || has(&Kind::Overview)),
            kind => has(kind),
        }
    }

    fn forget(&mut self, kind: &Kind) {
        self.asked.remove(kind);
        self.headers.remove(kind);
    }

    /// Takes what the server told of the letters that were asked for. Those that it did not describe
    /// have left.
    fn learn(&mut self, kind: &Kind, asked: Vec<u32>, fetched: Vec<Fetched>) {
        if matches!(kind, Kind::Brief | Kind::Overview) {
            for uid in &asked {
                self.changed.remove(uid);
                self.brief.remove(uid);
            }
        }
        self.asked.entry(kind.clone()).or_default().extend(asked);
        fetched.into_iter().for_each(|one| self.keep(kind, one));
    }

    fn keep(&mut self, kind: &Kind, fetched: Fetched) {
        let Some(uid) = fetched.uid else { return };
        match kind {
            Kind::Brief | Kind::Overview => {
                let brief = Brief {
                    flags: fetched.flags.unwrap_or_default(),
                    size: fetched.size,
                    arrived: fetched.internal_date.map(|date| date.unix_seconds()),
                };
                self.brief.insert(uid, brief);
                if let Some(envelope) = fetched.envelope {
                    self.envelopes.insert(uid, Arc::new(envelope));
                }
            }
            Kind::Labels => _ = self.labels.insert(uid, fetched.labels.unwrap_or_default()),
            Kind::Fields(_) | Kind::Field(_) | Kind::Header => {
                if let Some((_, text)) = fetched.texts.into_iter().next() {
                    self.headers.entry(kind.clone()).or_default().insert(uid, text.into());
                }
            }
        }
    }
}

impl Letter {
    /// Flags, size and time of arrival; `None` if the letter has left the mailbox.
    pub(super) fn brief(&self, call: &Call<'_>) -> Result<Option<Brief>, Condition> {
        self.batch.know(call, &Kind::Brief, self.uid)?;
        Ok(self.batch.facts().brief.get(&self.uid).cloned())
    }

    /// The labels; those of Gmail's system begin with `\`. `None` if the letter has left the mailbox.
    pub(super) fn labels(&self, call: &Call<'_>) -> Result<Option<Vec<String>>, Condition> {
        if !self.origin().place.mailbox.client().has_labels() {
            let keywords = |brief: Brief| {
                let own = brief.flags.into_iter().filter(|flag| !flag.starts_with('\\'));
                own.map(|keyword| label_of_keyword(&keyword)).collect()
            };
            return Ok(self.brief(call)?.map(keywords));
        }
        self.batch.know(call, &Kind::Labels, self.uid)?;
        Ok(self.batch.facts().labels.get(&self.uid).cloned())
    }

    /// The envelope; `None` if the letter has left the mailbox.
    pub(super) fn envelope(&self, call: &Call<'_>) -> Result<Option<Arc<Envelope>>, Condition> {
        self.batch.know(call, &Kind::Overview, self.uid)?;
        Ok(self.batch.facts().envelopes.get(&self.uid).cloned())
    }

    /// When it was written, in seconds since 1970; by its Date field, or else when it arrived.
    pub(super) fn date(&self, call: &Call<'_>) -> Result<Option<i64>, Condition> {
        let envelope = self.envelope(call)?;
        let written = envelope.and_then(|envelope| {
            mime::WrittenDate::parse(envelope.date.as_deref()?).map(|date| date.unix_seconds())
        });
        if written.is_some() {
            return Ok(written);
        }
        Ok(self.brief(call)?.and_then(|brief| brief.arrived))
    }

    /// The header fields of this kind, as the letter has them.
    pub(super) fn header(
        &self,
        call: &Call<'_>,
        kind: &Kind,
    ) -> Result<Option<Arc<[u8]>>, Condition> {
        self.batch.know(call, kind, self.uid)?;
        Ok(self.batch.facts().headers.get(kind).and_then(|texts| texts.get(&self.uid).cloned()))
    }

    /// The whole letter; `None` if it has left the mailbox.
    pub(super) fn whole(&self, call: &Call<'_>) -> Result<Option<Arc<mime::Letter>>, Condition> {
        let known = |facts: &Facts| {
            facts.whole.iter().find(|(uid, _)| *uid == self.uid).map(|(_, letter)| letter.clone())
        };
        if let Some(letter) = known(&self.batch.facts()) {
            return Ok(letter);
        }
        self.batch.know(call, &Kind::Brief, self.uid)?;
        let piece = self.piece();
        let fetched =
            self.origin().run(call, |client| fetch(client, &piece, "(UID BODY.PEEK[])"))?;
        let mut texts: HashMap<u32, Vec<u8>> = HashMap::new();
        for one in fetched {
            if let (Some(uid), Some((_, text))) = (one.uid, one.texts.into_iter().next()) {
                texts.insert(uid, text);
            }
        }
        let parsed = |uid: u32| {
            let letter = texts.remove(&uid).map(mime::Letter::from_bytes);
            (uid, letter.map(Arc::new))
        };
        let mut facts = self.batch.facts();
        facts.whole = piece.into_iter().map(parsed).collect();
        Ok(known(&facts).flatten())
    }

    /// This letter, and those after it that are fetched with it: none unless the letters are read
    /// one after the other, from the first one that is read.
    fn piece(&self) -> Vec<u32> {
        let facts = self.batch.facts();
        let uids = &self.batch.uids;
        let from = uids.iter().position(|uid| *uid == self.uid).unwrap_or(0);
        let is_next = match facts.whole.last() {
            None => true,
            Some((last, _)) => from > 0 && uids[from - 1] == *last,
        };
        if !is_next {
            return vec![self.uid];
        }
        let mut bytes = 0;
        let fits = |uid: &u32| {
            bytes += facts.brief.get(uid).and_then(|brief| brief.size).unwrap_or(0);
            *uid == self.uid || bytes <= PIECE
        };
        let letters = uids[from..].iter().copied();
        letters.take_while(fits).take(PIECE_LETTERS).collect()
    }

    /// The sender's address and the subject, for printing; `None` if they are not known, and cannot
    /// be asked for in passing.
    pub(super) fn headline(&self) -> Option<(String, String)> {
        self.batch.glance(self.uid);
        let envelope = self.batch.facts().envelopes.get(&self.uid).cloned()?;
        let from = envelope.from.first().and_then(|address| address.email()).unwrap_or_default();
        let subject = mime::decode_text(envelope.subject.as_deref().unwrap_or_default());
        Some((crate::shown::escape_controls(&from), subject))
    }

    /// Notes that a verb has changed flags or labels: they are asked for again.
    pub(super) fn forget_flags(&self) {
        let mut facts = self.batch.facts();
        facts.changed.insert(self.uid);
        if let Some(asked) = facts.asked.get_mut(&Kind::Labels) {
            asked.remove(&self.uid);
        }
    }
}
