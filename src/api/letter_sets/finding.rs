//! Carries out searches: in one mailbox or several, with what is decided here.
//!
//! What the server can decide alone is one UID SEARCH. Otherwise `searching` plans and gathers. A
//! procedure of the script cannot run while a native does. So the native leaves what it has found so
//! far ([`Finder`]), asks for the procedure to be called with the letters that are still open, and is
//! restarted with the results.

use super::{Batch, Letter, LetterSet, Origin, letter_value};
use crate::api::Answer;
use crate::api::mailbox::on;
use crate::api::objects::ImapMailbox;
use crate::api::ordering::threads_of;
use crate::api::pipeline;
use crate::api::searching::{
    Card, Gathering, OurKey, Plan, Policy, Search, Tests, check_sendable, known, search,
};
use crate::api::selection::{Borrowed, Place, is_selected};
use crate::client::ImapClient;
use crate::condition::Condition;
use crate::host::{self, Call, Value};
use crate::proto::imap::{SearchKey, SequenceSet};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

/// A mailbox that is searched.
pub(in crate::api) struct Target {
    pub mailbox: Arc<ImapMailbox>,
    /// `None` for the mailbox that is selected.
    pub name: Option<String>,
    pub read_only: bool,
}

/// What was found in a mailbox.
pub(in crate::api) struct Found {
    pub(super) origin: Arc<Origin>,
    /// Ascending.
    pub uids: Vec<u32>,
}

/// What a search has found before it asks for a procedure of the script.
#[derive(Default)]
struct Finder {
    finished: Vec<Found>,
    current: Option<Current>,
}

/// The mailbox that is being searched.
struct Current {
    origin: Arc<Origin>,
    plan: Plan,
    gathering: Gathering,
    /// The procedure that is asked for next.
    procedure: usize,
    /// The letters for which it was asked.
    letters: Vec<u32>,
}

/// Searches mailboxes one after the other. Message numbers and `:saved` mean those of the mailbox.
pub(in crate::api) fn find(
    call: &Call<'_>,
    targets: &[Target],
    expression: &Value,
    policy: Policy,
) -> Result<Vec<Found>, Condition> {
    pipeline::check(call)?;
    let mut finder = Finder::default();
    if let Some((state, answers)) = call.answered::<Mutex<Finder>>() {
        finder = std::mem::take(&mut *state.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(current) = &mut finder.current {
            let answers: Vec<bool> = answers.iter().map(host::is_true).collect();
            current.gathering.answer(current.procedure, &current.letters, &answers);
            current.procedure += 1;
        }
    }
    while finder.finished.len() < targets.len() {
        let mut current = match finder.current.take() {
            Some(current) => current,
            None => match begin(call, &targets[finder.finished.len()], expression, policy)? {
                Begun::Found(found) => {
                    finder.finished.push(found);
                    continue;
                }
                Begun::Open(current) => *current,
            },
        };
        if let Some(letters) = current.next_letters() {
            let procedures = search(call.name(), expression, &SequenceSet::new)?.procedures();
            let procedure = procedures.get(current.procedure).cloned().unwrap_or_else(host::nil);
            finder.current = Some(current);
            let state = host::object(Mutex::new(finder), "#<search>");
            return Err(call.ask_each(state, &procedure, letters));
        }
        let uids = current.gathering.matching(&current.plan);
        finder.finished.push(Found { origin: current.origin, uids });
    }
    Ok(finder.finished)
}

enum Begun {
    Found(Found),
    Open(Box<Current>),
}

/// Selects the mailbox and does all that needs no procedure.
fn begin(
    call: &Call<'_>,
    target: &Target,
    expression: &Value,
    policy: Policy,
) -> Result<Begun, Condition> {
    let mailbox = &target.mailbox;
    let saved = select(call, target)?;
    let search = search(call.name(), expression, &|| saved.clone())?;
    if let Some(key) = search.to_key().filter(|_| policy == Policy::Server) {
        return on(call.context(), call.name(), mailbox, |client| {
            let uids = client.uid_search(&key)?;
            Ok(Begun::Found(Found { origin: origin_of(client, mailbox), uids }))
        });
    }
    check_sendable(call.name(), &search)?;
    on(call.context(), call.name(), mailbox, |client| {
        let search = with_threads(call, client, search)?;
        let mut plan = Plan::of(&search, policy, !client.real_capabilities().offers("X-GM-EXT-1"));
        let tests = Tests::new(std::mem::take(&mut plan.tests), false);
        let mut gathering = Gathering::start(client, &plan.narrowing, &plan.asked, tests)?;
        gathering.advance(client, &|card, asked, on_test| open(&plan, card, asked, on_test))?;
        let (origin, letters) = (origin_of(client, mailbox), Vec::new());
        Ok(Begun::Open(Box::new(Current { origin, plan, gathering, procedure: 0, letters })))
    })
}

fn open(
    plan: &Plan,
    card: &Card,
    asked: &dyn Fn(usize, u32) -> bool,
    mut on_test: &mut dyn FnMut(usize),
) {
    plan.rest.for_each_open(&known(card, asked), &mut on_test);
}

impl Current {
    /// The letters that the next procedure is called with.
    fn next_letters(&mut self) -> Option<Vec<Value>> {
        while self.procedure < self.plan.procedures {
            let plan = &self.plan;
            let uids = self.gathering.open_for(self.procedure, &|card, asked, on_test| {
                open(plan, card, asked, on_test);
            });
            if !uids.is_empty() {
                let batch = Arc::new(Batch { origin: self.origin.clone(), uids: uids.clone() });
                let letter =
                    |uid: &u32| letter_value(&Arc::new(Letter { batch: batch.clone(), uid: *uid }));
                let letters = uids.iter().map(letter).collect();
                self.letters = uids;
                return Some(letters);
            }
            self.procedure += 1;
        }
        None
    }
}

/// The mailbox that is selected.
pub(super) fn origin_of(client: &ImapClient, mailbox: &Arc<ImapMailbox>) -> Arc<Origin> {
    let selected = client.selected();
    let place = Place {
        mailbox: mailbox.clone(),
        name: selected.map_or_else(String::new, |selected| selected.name.clone()),
        read_only: selected.is_some_and(|selected| selected.read_only),
        uid_validity: selected.and_then(|selected| selected.uid_validity),
    };
    Arc::new(Origin { place, facts: Mutex::default() })
}

/// The set of the letters with these UIDs in the mailbox that is selected.
pub(in crate::api) fn letters_with(
    call: &Call<'_>,
    mailbox: &Arc<ImapMailbox>,
    mut uids: Vec<u32>,
) -> Answer {
    let origin = on(call.context(), call.name(), mailbox, |client| Ok(origin_of(client, mailbox)))?;
    uids.sort_unstable();
    uids.dedup();
    let batch = Arc::new(Batch { origin, uids });
    let letter = |uid: &u32| Arc::new(Letter { batch: batch.clone(), uid: *uid });
    Ok(LetterSet { letters: batch.uids.iter().map(letter).collect() }.value())
}

/// Sets of at most `size` of these letters each, in the mailbox that is selected. What is asked of one
/// is fetched for all.
pub(in crate::api) fn sets_of(
    client: &ImapClient,
    mailbox: &Arc<ImapMailbox>,
    uids: Vec<u32>,
    size: usize,
) -> Vec<Value> {
    let batch = Arc::new(Batch { origin: origin_of(client, mailbox), uids });
    let letter = |uid: &u32| Arc::new(Letter { batch: batch.clone(), uid: *uid });
    let set = |uids: &[u32]| LetterSet { letters: uids.iter().map(letter).collect() }.value();
    batch.uids.chunks(size.max(1)).map(set).collect()
}

/// Selects a mailbox for a search. Returns what `:saved` stands for there.
pub(super) fn select(call: &Call<'_>, target: &Target) -> Result<SequenceSet, Condition> {
    let Target { mailbox, name, read_only } = target;
    on(call.context(), call.name(), mailbox, |client| {
        client.begin_operation(call.number());
        let borrowed = mailbox.extra::<Borrowed>();
        let own = match name {
            Some(name) => Some(name.clone()),
            None => {
                borrowed.restore(client, mailbox)?;
                let selected = client.selected().filter(|selected| !selected.read_only);
                selected.filter(|_| *read_only).map(|selected| selected.name.clone())
            }
        };
        if let Some(name) = own.filter(|name| !is_selected(client, name, *read_only)) {
            borrowed.select(client, &name, *read_only)?;
        }
        Ok(client.saved())
    })
}

/// Replaces `(:thread-of uid)` by the letters of the thread.
pub(in crate::api) fn with_threads(
    call: &Call<'_>,
    client: &mut ImapClient,
    mut search: Search,
) -> Result<Search, crate::client::Error> {
    let mut uids = Vec::new();
    search.for_each_ours(&mut |key| {
        if let Search::Ours(OurKey::ThreadOf(uid)) = key {
            uids.push(*uid);
        }
    });
    if uids.is_empty() {
        return Ok(search);
    }
    let mut threads = threads_of(call, client, &uids)?.into_iter();
    search.for_each_ours(&mut |key| {
        if let Search::Ours(OurKey::ThreadOf(_)) = key {
            let thread = threads.next().unwrap_or_default();
            let uids: SequenceSet = thread.into_iter().filter_map(NonZeroU32::new).collect();
            *key = Search::Key(match uids.is_empty() {
                true => SearchKey::Or(Vec::new()),
                false => SearchKey::Uid(uids),
            });
        }
    });
    Ok(search)
}
