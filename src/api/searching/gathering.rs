//! Fetches what decides a search, and no more.
//!
//! The searches that the server answers are sent together. Then, level by level, what the letters
//! need that are still open is fetched for all of them at once; a letter that is decided drops out.
//! Flags, dates, sizes and header fields come in one FETCH; then body structures; then the text
//! parts that the structures name, in pieces, so that memory stays flat.
//!
//! Nothing here sets `\Seen`.

use super::facts::{Card, Level, Section, Tests, Texts, sections};
use super::plan::Plan;
use crate::client::{Error, Fetched, ImapClient, Pending};
use crate::proto::imap::{FetchItems, Messages, Returns, SearchKey, SequenceSet, Structure};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

/// How many letters one FETCH of small items describes.
const LETTERS: usize = 20_000;

/// Texts that are fetched together have at most this many bytes, unless one letter has more.
const PIECE: u64 = 4 << 20;

/// And are those of at most this many letters.
const PIECE_LETTERS: usize = 256;

/// How many letters are fetched whole together; their sizes are not known.
const WHOLE_LETTERS: usize = 4;

/// How many FETCHes are in flight.
const IN_FLIGHT: usize = 2;

/// Says which tests of a letter can still matter. The last two arguments: whether the letter is among
/// those that a search has found, and what takes the tests.
pub(in crate::api) type OnOpen<'o> =
    dyn Fn(&Card, &dyn Fn(usize, u32) -> bool, &mut dyn FnMut(usize)) + 'o;

/// What is known of the letters that a search may match.
#[derive(Debug)]
pub(in crate::api) struct Gathering {
    pub tests: Tests,
    /// Ascending by UID. `None`: all letters of the mailbox, of which nothing is known yet.
    cards: Option<Vec<Card>>,
    /// What each search of [`Plan::asked`] has found, ascending.
    asked: Vec<Vec<u32>>,
    /// The structures of letters whose texts may be needed.
    structures: HashMap<u32, Option<Structure>>,
}

impl Gathering {
    /// Whether a search is needed before anything is fetched: not if all letters are open and fit into
    /// one FETCH.
    pub(super) fn searches_first(
        client: &ImapClient,
        narrowing: &SearchKey,
        asked: &[SearchKey],
    ) -> bool {
        let exists = client.selected().map_or(0, |selected| selected.exists);
        let is_one_fetch = (1..=LETTERS).contains(&(exists as usize));
        *narrowing != SearchKey::All || !asked.is_empty() || !is_one_fetch
    }

    /// Sends the searches of a plan.
    ///
    /// # Errors
    /// As [`ImapClient::search`].
    pub(in crate::api) fn start(
        client: &mut ImapClient,
        narrowing: &SearchKey,
        asked: &[SearchKey],
        tests: Tests,
    ) -> Result<Gathering, Error> {
        let is_all = !Self::searches_first(client, narrowing, asked);
        // Answers to RETURN say whose they are, so that these searches can be in flight together.
        // The narrowing is first: a letter that arrives meanwhile must not be missing only from what
        // decides.
        let mut pending = Vec::new();
        for key in (!is_all).then_some(narrowing).into_iter().chain(asked) {
            pending.push(client.begin_search_returning(key, true, &Returns::ALL)?);
        }
        let mut found = Vec::new();
        for pending in pending {
            found.push(client.wait(pending)?.all.unwrap_or_default());
        }
        let narrowed = (!is_all).then(|| found.remove(0));
        let cards = narrowed.map(|uids| uids.into_iter().map(|uid| tests.card(uid)).collect());
        Ok(Gathering { tests, cards, asked: found, structures: HashMap::new() })
    }

    pub(in crate::api) fn cards(&self) -> &[Card] {
        self.cards.as_deref().unwrap_or_default()
    }

    /// Whether a search has found a letter.
    pub(in crate::api) fn asked(&self, search: usize, uid: u32) -> bool {
        self.asked.get(search).is_some_and(|uids| uids.binary_search(&uid).is_ok())
    }

    /// Fetches until no letter is open but for the procedures of the script.
    ///
    /// # Errors
    /// As [`ImapClient::fetch`].
    pub(in crate::api) fn advance(
        &mut self,
        client: &mut ImapClient,
        on_open: &OnOpen<'_>,
    ) -> Result<(), Error> {
        if self.cards.is_none() {
            self.first_round(client)?;
        }
        loop {
            let mut wanted: BTreeMap<Level, (Vec<u32>, BTreeSet<usize>)> = BTreeMap::new();
            for card in self.cards().iter().filter(|card| !card.is_gone) {
                let mut open = BTreeSet::new();
                on_open(card, &|search, uid| self.asked(search, uid), &mut |test| {
                    open.insert(test);
                });
                let level = open.iter().map(|test| self.tests.get(*test).level()).min();
                let Some(level) = level.filter(|level| *level < Level::Procedure) else { continue };
                // Flags and header fields come together.
                let level = if level == Level::Header { Level::Brief } else { level };
                let (uids, tests) = wanted.entry(level).or_default();
                uids.push(card.uid);
                tests.extend(open);
            }
            let Some((level, (uids, open))) = wanted.pop_first() else { return Ok(()) };
            match level {
                Level::Text => self.texts(client, &uids, &open)?,
                _ => self.round(client, Some(&uids), level, &open)?,
            }
        }
    }

    /// Fetches what all letters of the mailbox need first.
    fn first_round(&mut self, client: &mut ImapClient) -> Result<(), Error> {
        let open: BTreeSet<usize> = self.tests.numbers().collect();
        let level = open.iter().map(|test| self.tests.get(*test).level()).min();
        let level = match level {
            Some(Level::Procedure) | None => {
                let uids = client.uid_search(&SearchKey::All)?;
                self.cards = Some(uids.into_iter().map(|uid| self.tests.card(uid)).collect());
                return Ok(());
            }
            Some(Level::Brief | Level::Header) => Level::Brief,
            Some(Level::Structure | Level::Text) => Level::Structure,
        };
        self.round(client, None, level, &open)
    }

    /// Fetches small items of these letters, or of all.
    fn round(
        &mut self,
        client: &mut ImapClient,
        uids: Option<&[u32]>,
        level: Level,
        open: &BTreeSet<usize>,
    ) -> Result<(), Error> {
        let levels: &[Level] = match level {
            Level::Brief => &[Level::Brief, Level::Header],
            _ => &[Level::Structure],
        };
        let mut items: Vec<String> =
            levels.iter().flat_map(|level| self.tests.items(*level, open)).collect();
        if level == Level::Structure {
            items = vec!["BODYSTRUCTURE".to_owned()];
        }
        let items = FetchItems::parse(&format!("(UID {})", items.join(" ")))?;
        let Some(uids) = uids else {
            let fetched = client.fetch_all(&Messages::all(), &items)?;
            let mut uids: Vec<u32> = fetched.iter().filter_map(|one| one.uid).collect();
            uids.sort_unstable();
            uids.dedup();
            self.cards = Some(uids.iter().map(|uid| self.tests.card(*uid)).collect());
            self.learn(levels, &uids, fetched, open);
            return Ok(());
        };
        for piece in uids.chunks(LETTERS) {
            let fetched = client.fetch_all(&Messages::uids(piece.iter().copied()), &items)?;
            self.learn(levels, piece, fetched, open);
        }
        Ok(())
    }

    fn learn(
        &mut self,
        levels: &[Level],
        uids: &[u32],
        fetched: Vec<Fetched>,
        open: &BTreeSet<usize>,
    ) {
        let has_texts = open.iter().any(|test| self.tests.get(*test).level() == Level::Text);
        let mut told = BTreeSet::new();
        for mut one in fetched {
            let Some(uid) = one.uid.filter(|uid| told.insert(*uid)) else { continue };
            let Some(card) = card(self.cards.as_mut(), uid) else { continue };
            for level in levels {
                self.tests.learn(*level, card, &one);
            }
            if has_texts && levels.contains(&Level::Structure) {
                self.structures.insert(uid, one.structure.take());
            }
        }
        self.forget_others(uids, &told);
    }

    /// Letters that the server did not describe have left.
    fn forget_others(&mut self, uids: &[u32], told: &BTreeSet<u32>) {
        for uid in uids.iter().filter(|uid| !told.contains(uid)) {
            if let Some(card) = card(self.cards.as_mut(), *uid) {
                card.is_gone = true;
            }
        }
    }

    /// Fetches the texts of these letters, the structures first of those whose are not known.
    fn texts(
        &mut self,
        client: &mut ImapClient,
        uids: &[u32],
        open: &BTreeSet<usize>,
    ) -> Result<(), Error> {
        let unknown: Vec<u32> =
            uids.iter().copied().filter(|uid| !self.structures.contains_key(uid)).collect();
        if !unknown.is_empty() {
            self.round(client, Some(&unknown), Level::Structure, open)?;
        }
        let mut in_flight: VecDeque<Sent> = VecDeque::new();
        for job in self.jobs(uids, open) {
            if in_flight.len() == IN_FLIGHT
                && let Some(sent) = in_flight.pop_front()
            {
                self.take(client, sent)?;
            }
            in_flight.push_back(job.send(client)?);
        }
        while let Some(sent) = in_flight.pop_front() {
            self.take(client, sent)?;
        }
        Ok(())
    }

    /// Groups the letters by the texts that they have.
    fn jobs(&mut self, uids: &[u32], open: &BTreeSet<usize>) -> Vec<Job> {
        let (all, header) = (self.tests.need_all(open), self.tests.need_header(open));
        let mut groups: BTreeMap<Option<Vec<Section>>, Vec<Job>> = BTreeMap::new();
        for uid in uids {
            let Some(structure) = self.structures.remove(uid) else { continue }; // it has left
            let found = sections(structure.as_ref(), all);
            let (sections, bytes) = match found {
                Some((sections, bytes)) => (Some(sections), bytes),
                None => (None, PIECE / WHOLE_LETTERS as u64),
            };
            if sections.as_ref().is_some_and(Vec::is_empty) && !header {
                if let Some(card) = card(self.cards.as_mut(), *uid) {
                    self.tests.texts(card, &Texts::default());
                }
                continue;
            }
            let jobs = groups.entry(sections.clone()).or_default();
            match jobs.last_mut() {
                Some(job) if job.bytes + bytes <= PIECE && job.uids.len() < PIECE_LETTERS => {
                    job.bytes += bytes;
                    job.uids.push(*uid);
                }
                _ => jobs.push(Job { sections, header, uids: vec![*uid], bytes }),
            }
        }
        groups.into_values().flatten().collect()
    }

    fn take(&mut self, client: &mut ImapClient, sent: Sent) -> Result<(), Error> {
        let mut told = BTreeSet::new();
        for one in client.wait(sent.pending)? {
            let Some(uid) = one.uid.filter(|uid| told.insert(*uid)) else { continue };
            let Some(card) = card(self.cards.as_mut(), uid) else { continue };
            let texts = match &sent.job.sections {
                Some(sections) => Texts::of_sections(sections, &one),
                None => {
                    let whole = one.texts.into_iter().next();
                    Texts::of_letter(whole.map(|(_, text)| text).unwrap_or_default())
                }
            };
            self.tests.texts(card, &texts);
        }
        self.forget_others(&sent.job.uids, &told);
        Ok(())
    }

    /// The letters for which `holds` is true.
    pub(in crate::api) fn matching(&self, plan: &Plan) -> Vec<u32> {
        let asked = |search: usize, uid: u32| self.asked(search, uid);
        let cards = self.cards().iter().filter(|card| !card.is_gone);
        cards
            .filter(|card| plan.rest.decide(&super::facts::known(card, &asked)) == Some(true))
            .map(|card| card.uid)
            .collect()
    }

    /// The letters for which a procedure of the script has to be called.
    pub(in crate::api) fn open_for(&self, procedure: usize, on_open: &OnOpen<'_>) -> Vec<u32> {
        let is_open = |card: &&Card| {
            let mut is_open = false;
            on_open(card, &|search, uid| self.asked(search, uid), &mut |test| {
                is_open |= self.tests.is_procedure(test, procedure);
            });
            !card.is_gone && is_open
        };
        self.cards().iter().filter(is_open).map(|card| card.uid).collect()
    }

    /// Takes what a procedure has returned for these letters.
    pub(in crate::api) fn answer(&mut self, procedure: usize, uids: &[u32], answers: &[bool]) {
        for (uid, holds) in uids.iter().zip(answers) {
            if let Some(card) = card(self.cards.as_mut(), *uid) {
                card.answer(&self.tests, procedure, *holds);
            }
        }
    }
}

/// A FETCH of texts.
struct Job {
    /// `None`: whole letters.
    sections: Option<Vec<Section>>,
    header: bool,
    uids: Vec<u32>,
    bytes: u64,
}

struct Sent {
    job: Job,
    pending: Pending<crate::client::Fetch<crate::client::Collected>>,
}

impl Job {
    fn send(self, client: &mut ImapClient) -> Result<Sent, Error> {
        let mut items = vec!["UID".to_owned()];
        match &self.sections {
            None => items.push("BODY.PEEK[]".to_owned()),
            Some(sections) => {
                items.extend(sections.iter().map(|section| format!("BODY.PEEK[{}]", section.name)));
                items.extend(self.header.then(|| "BODY.PEEK[HEADER]".to_owned()));
            }
        }
        let items = FetchItems::parse(&format!("({})", items.join(" ")))?;
        let messages = Messages::Uids(
            self.uids
                .iter()
                .copied()
                .filter_map(std::num::NonZeroU32::new)
                .collect::<SequenceSet>(),
        );
        let pending = client.begin_fetch_all(&messages, &items)?;
        Ok(Sent { job: self, pending })
    }
}

fn card(cards: Option<&mut Vec<Card>>, uid: u32) -> Option<&mut Card> {
    let cards = cards?;
    let at = cards.binary_search_by_key(&uid, |card| card.uid).ok()?;
    cards.get_mut(at)
}
