//! From the journal of a dry run to a plan.
//!
//! The journal has the changes. [`Keeper`], a witness in front of it, keeps the letters that were
//! appended, because a later step may move or remove them. Those that were sent are in the mirrors.
//! Subjects are asked for at the end, of a few letters of each step; a letter that an earlier step has
//! moved is looked for where it came from.

use super::{Plan, PlanStep, PlannedLetter};
use crate::mime::header;
use crate::mirror::Mirrors;
use crate::proto::deed::{Account, Act, Deed};
use crate::proto::imap::{CopiedUids, SequenceSet};
use crate::proto::witness::{Ending, LetterFacts, Refusal, Wanted, Witness};
use crate::state::rows::{numbers, pairs};
use crate::state::trail::uids;
use crate::state::{Journal, Step, StepState};
use std::collections::{HashMap, VecDeque};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many subjects a step has.
const SUBJECTS: usize = 3;

/// An account and a mailbox.
type Place = (String, Option<Account>, String);

/// The witness of a dry run: writes the journal, with the names that mailboxes have, and keeps the
/// letters that are appended.
#[derive(Debug)]
pub struct Keeper {
    journal: Arc<Journal>,
    mirrors: Arc<Mirrors>,
    appended: Mutex<HashMap<Place, VecDeque<PlannedLetter>>>,
    /// The UIDNEXT of mailboxes that were deleted.
    deleted: Mutex<HashMap<Place, VecDeque<u32>>>,
    /// The same of those that are about to be, by deed.
    deleting: Mutex<HashMap<u64, u32>>,
}

impl Keeper {
    /// A keeper before the journal of a dry run.
    pub fn new(journal: Arc<Journal>, mirrors: Arc<Mirrors>) -> Self {
        let (appended, deleted, deleting) = Default::default();
        Keeper { journal, mirrors, appended, deleted, deleting }
    }

    fn keep(&self, deed: &Deed, stored: Option<&CopiedUids>) {
        let (Some(account), Some(mailbox)) = (&deed.account, &deed.mailbox) else { return };
        let Some(mirror) = self.mirrors.mirror(&deed.host, account) else { return };
        let uid = stored.and_then(|stored| numbers(&stored.to)?.first().copied());
        // Without UIDPLUS it is the last.
        let Some(letter) = mirror.letter(mailbox, uid) else { return };
        let letter = PlannedLetter {
            date: Some(letter.internal_date.strftime("%d-%b-%Y %H:%M:%S %z").to_string()),
            from: None,
            bytes: letter.bytes.to_vec(),
        };
        let place = (deed.host.clone(), deed.account.clone(), mailbox.clone());
        lock(&self.appended).entry(place).or_default().push_back(letter);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Witness for Keeper {
    fn wants(&self, deed: &Deed) -> Wanted {
        let mut wanted = self.journal.wants(deed);
        // A plan names the letters that are there, and what is deleted must be as it was.
        match deed.act {
            Act::Expunge => wanted.flags = true,
            Act::Copy { .. } | Act::Move { .. } => wanted.letters = true,
            _ => {}
        }
        wanted
    }

    fn spares(&self, deed: &Deed) -> bool {
        self.journal.spares(deed)
    }

    fn foresees(&self) -> bool {
        self.journal.foresees()
    }

    fn foresee(&self, deeds: &[Deed]) -> Result<(), Refusal> {
        self.journal.foresee(deeds)
    }

    fn before(&self, deed: &Deed) -> Result<(), Refusal> {
        let (Some(account), Some(mailbox)) = (&deed.account, &deed.mailbox) else {
            return self.journal.before(deed);
        };
        let mirror = self.mirrors.mirror(&deed.host, account);
        if let (Act::DeleteMailbox, Some(mirror)) = (&deed.act, &mirror)
            && let Some(uid_next) = mirror.uid_next(mailbox)
        {
            lock(&self.deleting).insert(deed.id, uid_next);
        }
        let named = mirror.zip(deed.uid_validity);
        match named.map(|(mirror, validity)| mirror.names_now(mailbox, validity)) {
            None => self.journal.before(deed),
            Some(names) => match &names[..] {
                [name] if name == mailbox => self.journal.before(deed),
                [name] => {
                    self.journal.before(&Deed { mailbox: Some(name.clone()), ..deed.clone() })
                }
                _ => Err(Refusal::new("a dry run", deed).because(
                    "another connection has renamed the mailbox, and which it is cannot be told",
                )),
            },
        }
    }

    fn after(&self, deed: &Deed, ending: Ending, stored: Option<&CopiedUids>) {
        let uid_next = lock(&self.deleting).remove(&deed.id);
        match (ending, &deed.act, uid_next, &deed.mailbox) {
            (Ending::Done, Act::Append { .. }, ..) => self.keep(deed, stored),
            (Ending::Done, _, Some(uid_next), Some(mailbox)) => {
                let place = (deed.host.clone(), deed.account.clone(), mailbox.clone());
                lock(&self.deleted).entry(place).or_default().push_back(uid_next);
            }
            _ => {}
        }
        self.journal.after(deed, ending, stored);
    }
}

impl Plan {
    /// The plan of a dry run of a script with these arguments, from the steps of its journal.
    pub fn of(
        script: Option<String>,
        arguments: Vec<String>,
        steps: Vec<Step>,
        keeper: &Keeper,
    ) -> Plan {
        let mirrors = &keeper.mirrors;
        let mut appended = std::mem::take(&mut *lock(&keeper.appended));
        let mut deleted = std::mem::take(&mut *lock(&keeper.deleted));
        let mut sent = mirrors.held();
        let mut for_programs = VecDeque::from(mirrors.held_for_programs());
        let done = steps.into_iter().filter(|step| step.state == StepState::Done);
        let changes_something = |step: &PlanStep| !step.is_of_letters() || !step.uids.is_empty();
        let mut planned: Vec<PlanStep> = done.map(planned).filter(changes_something).collect();
        for step in &mut planned {
            let user = step.account.as_ref().and_then(|account| account.user.clone());
            match &step.act {
                Act::Append { bytes, .. } => {
                    let mailbox = step.mailbox.clone().unwrap_or_default();
                    let place = (step.host.clone(), step.account.clone(), mailbox);
                    // Threads may have stored several at once.
                    step.letter = appended.get_mut(&place).and_then(|letters| {
                        let is_it = |letter: &PlannedLetter| letter.bytes.len() as u64 == *bytes;
                        letters.remove(letters.iter().position(is_it)?)
                    });
                }
                Act::DeleteMailbox => {
                    let mailbox = step.mailbox.clone().unwrap_or_default();
                    let place = (step.host.clone(), step.account.clone(), mailbox);
                    step.uid_next = deleted.get_mut(&place).and_then(VecDeque::pop_front);
                }
                Act::Send { .. } => {
                    let port = step.account.as_ref().map_or(0, |account| account.port);
                    let key = (step.host.to_ascii_lowercase(), port, user.unwrap_or_default());
                    let letters = sent.get_mut(&key).filter(|letters| !letters.is_empty());
                    step.letter = letters.map(|letters| letters.remove(0)).map(|sent| {
                        PlannedLetter { date: None, from: None, bytes: sent.bytes.to_vec() }
                    });
                }
                Act::Run { .. } => {
                    if let Some(held) = for_programs.pop_front() {
                        step.program = held.words;
                        let from = Some(held.from);
                        step.letter = Some(PlannedLetter { date: None, from, bytes: held.letter });
                    }
                }
                _ => {}
            }
            if let Some(letter) = &step.letter {
                let (header, _) = header::split(&letter.bytes);
                let subject = header::fields(header).find(|field| field.is("Subject"));
                step.subjects.extend(subject.map(|subject| subject.decoded()));
            }
        }
        add_subjects(&mut planned, mirrors);
        let mut id = [0; 8];
        // Without randomness two plans that say the same count as one, which is then done once.
        let _ = getrandom::fill(&mut id);
        let id = id.iter().map(|byte| format!("{byte:02x}")).collect();
        Plan { script, arguments, id, steps: planned }
    }
}

/// A step of the journal as one of a plan, without letters and subjects.
fn planned(step: Step) -> PlanStep {
    let uids = uids(&step);
    let Deed { act, host, account, mailbox, uid_validity, facts, .. } = step.deed;
    let facts = facts.unwrap_or_default();
    let mut flags: Vec<(SequenceSet, Vec<String>)> = Vec::new();
    for LetterFacts { uid, flags: found, .. } in &facts.letters {
        let (Some(uid), Some(found)) = (NonZeroU32::new(*uid), found) else { continue };
        match flags.last_mut() {
            Some((uids, last)) if last == found => uids.push(uid),
            _ => flags.push((uid.into(), found.clone())),
        }
    }
    let counts = matches!(act, Act::DeleteMailbox | Act::RenameMailbox { .. });
    PlanStep {
        act,
        host,
        account,
        mailbox,
        uid_validity,
        uids: uids.into_iter().collect(),
        flags,
        becomes: step.stored,
        count: facts.count.filter(|_| counts),
        uid_next: None,
        subjects: Vec::new(),
        letter: None,
        program: Vec::new(),
    }
}

/// Where a letter was at the beginning: an account, a mailbox, and a UID.
type Root = (String, Option<Account>, String, u32);

/// Asks for subjects of the letters of each step.
fn add_subjects(steps: &mut [PlanStep], mirrors: &Mirrors) {
    let mut came_from: HashMap<Root, Root> = HashMap::new();
    let mut own: HashMap<Root, String> = HashMap::new();
    let mut samples: Vec<Vec<Root>> = Vec::new();
    let mut wanted: HashMap<Place, Vec<u32>> = HashMap::new();
    for step in &*steps {
        let mailbox = step.mailbox.clone().unwrap_or_default();
        let at =
            |mailbox: &str, uid| (step.host.clone(), step.account.clone(), mailbox.to_owned(), uid);
        let mut roots = Vec::new();
        let uids = numbers(&step.uids).unwrap_or_default();
        for uid in uids.iter().take(SUBJECTS) {
            let place = at(&mailbox, *uid);
            let root = came_from.get(&place).cloned().unwrap_or(place);
            if !own.contains_key(&root) {
                let (host, account, mailbox, uid) = root.clone();
                wanted.entry((host, account, mailbox)).or_default().push(uid);
            }
            roots.push(root);
        }
        samples.push(roots);
        let Some(becomes) = &step.becomes else { continue };
        match &step.act {
            Act::Move { to } | Act::Copy { to } => {
                for (from, new) in pairs(becomes) {
                    let place = at(&mailbox, from);
                    let root = came_from.get(&place).cloned().unwrap_or(place);
                    came_from.insert(at(to, new), root);
                }
            }
            Act::Append { .. } => {
                for uid in numbers(&becomes.to).unwrap_or_default() {
                    own.insert(at(&mailbox, uid), step.subjects.concat());
                }
            }
            _ => {}
        }
    }
    for ((host, account, mailbox), mut uids) in wanted {
        let Some(mirror) = account.as_ref().and_then(|account| mirrors.mirror(&host, account))
        else {
            continue;
        };
        uids.sort_unstable();
        uids.dedup();
        for (uid, subject) in mirror.subjects(&mailbox, &uids) {
            own.insert((host.clone(), account.clone(), mailbox.clone(), uid), subject);
        }
    }
    for (step, roots) in steps.iter_mut().zip(samples) {
        step.subjects.extend(roots.iter().filter_map(|root| own.get(root).cloned()));
    }
}
