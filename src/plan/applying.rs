//! Doing a plan.
//!
//! The steps are done in order, each by one operation of the client. Letters that the plan expected
//! to get certain UIDs are found by those that the server gave. Each step is written down before it
//! begins and when it has ended, so that a plan that was interrupted goes on where it stopped: a
//! step that had begun is looked up in the journal, and the server is asked about it if the journal
//! does not know. Nothing is done twice, and no letter is sent twice.

use super::doing::{by_planned, do_now, joined};
use super::places::{Given, Mailbox, Places};
use super::{Plan, PlanStep};
use crate::client::{Error, ImapClient};
use crate::proto::deed::{Account, Act};
use crate::proto::imap::{CopiedUids, SearchKey, SequenceSet};
use crate::state::rows::{numbers, pairs};
use crate::state::{
    Accounts, AppliedState, Database, Journal, NewRun, Settled, Settling, StepState,
};
use sha2::{Digest as _, Sha256};
use std::collections::{HashMap, HashSet};

/// What does the steps that are not IMAP's, too.
pub trait Hands: Accounts {
    /// Hands a letter to a mail server.
    ///
    /// # Errors
    /// Why it was not accepted.
    fn send(
        &mut self,
        host: &str,
        account: &Account,
        from: &str,
        to: &[String],
        letter: &[u8],
    ) -> Result<(), String>;

    /// Hands a letter to a program.
    ///
    /// # Errors
    /// Why it was not accepted.
    fn hand_over(
        &mut self,
        program: &[String],
        from: &str,
        to: &[String],
        letter: &[u8],
    ) -> Result<(), String>;
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was done now; the number of letters that were left out of it.
    Done(usize),
    /// It was done before.
    DoneBefore,
    /// It was left out, because it or all of its letters do not fit.
    LeftOut,
}

/// The doing of a plan.
pub struct Applied<'a> {
    plan: &'a Plan,
    /// Tells plans apart.
    name: String,
    database: &'a Database,
    journal: &'a Journal,
    /// Steps, and letters of steps, that are left out.
    skipped: HashSet<usize>,
    without_letters: HashMap<usize, HashSet<u32>>,
    places: HashMap<(String, Account), Places>,
}

impl Plan {
    /// A name that tells this plan from others: the digest of its text.
    pub fn name(&self) -> String {
        Sha256::digest(self.to_string()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The run of the journal that does this plan, from a file.
    pub fn new_run(&self, file: &str) -> NewRun {
        let arguments = vec![self.name()];
        NewRun { script: Some(file.to_owned()), arguments, ..NewRun::of("apply") }
    }
}

impl<'a> Applied<'a> {
    /// Begins, or goes on. `database` is that of the journal, which is the witness of all
    /// connections; its run must be [`Plan::new_run`].
    pub fn new(plan: &'a Plan, database: &'a Database, journal: &'a Journal) -> Self {
        Applied {
            plan,
            name: plan.name(),
            database,
            journal,
            skipped: HashSet::new(),
            without_letters: HashMap::new(),
            places: HashMap::new(),
        }
    }

    /// Leaves out letters that do not fit, now and when the plan goes on after an interruption.
    ///
    /// # Errors
    /// A misfit of a whole step: what later steps do might depend on it.
    pub fn leave_out(&mut self, misfits: &[super::Misfit]) -> Result<(), String> {
        if let Some(whole) = misfits.iter().find(|misfit| misfit.uids.is_empty()) {
            return Err(format!(
                "step {} does not fit as a whole ({}), and only letters can be left out",
                whole.step, whole.why
            ));
        }
        // A letter that is stored by one step and removed by others would be doubled.
        let stores = self.plan.steps.iter().any(|step| matches!(step.act, Act::Append { .. }));
        let step_of = |misfit: &super::Misfit| self.plan.steps.get(misfit.step.checked_sub(1)?);
        let deletes = |misfit: &&super::Misfit| step_of(misfit).is_some_and(PlanStep::deletes);
        if let Some(misfit) = misfits.iter().find(deletes).filter(|_| stores) {
            return Err(format!(
                "step {} deletes letters of which some do not fit ({}), and the plan may have stored them elsewhere",
                misfit.step, misfit.why
            ));
        }
        for misfit in misfits {
            let uids: SequenceSet = misfit.uids.iter().copied().collect();
            let kept = self.database.leave_out_of(&self.name, misfit.step, &uids);
            kept.map_err(|error| error.to_string())?;
            self.without_letters.entry(misfit.step).or_default().extend(&misfit.uids);
        }
        Ok(())
    }

    /// Leaves out a step, even one that is in doubt.
    pub fn skip(&mut self, step: usize) {
        self.skipped.insert(step);
    }

    /// Does all steps that were not done. Calls `told` after each.
    ///
    /// # Errors
    /// Why a step was not done. Those before it are; the next run goes on with it.
    pub fn run(
        &mut self,
        hands: &mut dyn Hands,
        told: &mut dyn FnMut(Outcome),
    ) -> Result<(), String> {
        let before: HashMap<usize, AppliedState> = self
            .database
            .applied(&self.name)
            .map_err(|error| error.to_string())?
            .into_iter()
            .collect();
        let left_out = self.database.left_out_of(&self.name).map_err(|error| error.to_string())?;
        for (step, uids) in left_out {
            let uids = numbers(&uids).unwrap_or_default();
            self.without_letters.entry(step).or_default().extend(uids);
        }
        let plan = self.plan;
        for (number, step) in (1..).zip(&plan.steps) {
            let outcome = self
                .one(number, step, before.get(&number), hands)
                .map_err(|why| format!("step {number}, to {}: {why}", step.words()))?;
            told(outcome);
        }
        Ok(())
    }

    fn one(
        &mut self,
        number: usize,
        step: &PlanStep,
        before: Option<&AppliedState>,
        hands: &mut dyn Hands,
    ) -> Result<Outcome, String> {
        let key = step.imap().map(|account| (step.host.clone(), account.clone()));
        if let Some((host, account)) = &key
            && !self.places.contains_key(&(host.clone(), account.clone()))
        {
            let separator =
                with(hands, host, account, |client| Ok(client.separator()?.map(str::to_owned)))?;
            self.places.insert((host.clone(), account.clone()), Places::new(separator));
        }
        let mut known = None;
        match before {
            Some(AppliedState::Done(becomes)) => {
                self.follow(number, step, becomes.as_ref(), &HashSet::new());
                return Ok(Outcome::DoneBefore);
            }
            Some(AppliedState::LeftOut) => {
                self.leave(number, step);
                return Ok(Outcome::LeftOut);
            }
            Some(AppliedState::Begun(_)) if self.skipped.contains(&number) => {}
            Some(AppliedState::Begun(after)) => known = Some(self.look_up(step, *after, hands)?),
            None => {}
        }
        let uids = numbers(&step.uids).unwrap_or_default();
        let left = self.mapped(number, step, &uids)?;
        let is_empty = !uids.is_empty() && left.is_empty();
        if known.is_none() && (self.skipped.contains(&number) || is_empty) {
            self.end(number, &AppliedState::LeftOut)?;
            self.leave(number, step);
            return Ok(Outcome::LeftOut);
        }
        if known.is_none() {
            self.journal.flush();
            let begun = self.database.begin_applying(&self.name, number);
            begun.map_err(|error| error.to_string())?;
        }
        let becomes = match known {
            Some(Known::Done(becomes)) => becomes,
            other => self.carry_out(step, &left, other, hands)?,
        };
        // The UIDs by those of the plan.
        let planned: HashMap<u32, u32> =
            left.iter().map(|(planned, real)| (*real, *planned)).collect();
        let becomes = becomes.map(|becomes| by_planned(becomes, &planned));
        self.journal.flush();
        self.end(number, &AppliedState::Done(becomes.clone()))?;
        let done: HashSet<u32> = left.iter().map(|(planned, _)| *planned).collect();
        self.follow(number, step, becomes.as_ref(), &done);
        Ok(Outcome::Done(uids.len() - left.len()))
    }

    fn end(&self, number: usize, state: &AppliedState) -> Result<(), String> {
        let ended = self.database.end_applying(&self.name, number, state);
        ended.map_err(|error| error.to_string())
    }

    fn places_of(&mut self, step: &PlanStep) -> Option<&mut Places> {
        let account = step.imap()?.clone();
        self.places.get_mut(&(step.host.clone(), account))
    }

    /// Follows a step that was left out.
    fn leave(&mut self, number: usize, step: &PlanStep) {
        let is_of_letters =
            matches!(step.act, Act::Copy { .. } | Act::Move { .. } | Act::Append { .. });
        if let Some(places) = self.places_of(step).filter(|_| is_of_letters) {
            places.follow(number, step, &|_| Given::LeftOut);
        }
    }

    /// Follows a step that was done with these letters, if they are known, and had this answer.
    fn follow(
        &mut self,
        number: usize,
        step: &PlanStep,
        becomes: Option<&CopiedUids>,
        done: &HashSet<u32>,
    ) {
        let given: HashMap<u32, u32> = match becomes {
            Some(becomes) if becomes.from.is_empty() => {
                numbers(&becomes.to).into_iter().flatten().map(|uid| (0, uid)).collect()
            }
            Some(becomes) => pairs(becomes).into_iter().collect(),
            None => HashMap::new(),
        };
        if let Some(places) = self.places_of(step) {
            places.follow(number, step, &|uid| match given.get(&uid) {
                Some(real) => Given::Uid(*real),
                None if becomes.is_some() && !done.contains(&uid) => Given::LeftOut,
                None => Given::NotTold,
            });
        }
    }

    /// The letters that are not left out: the UIDs of the plan, and those that they have.
    fn mapped(
        &mut self,
        number: usize,
        step: &PlanStep,
        uids: &[u32],
    ) -> Result<Vec<(u32, u32)>, String> {
        let plan = self.plan;
        let without = &self.without_letters;
        // A letter that does not fit is left out of all steps of its mailbox.
        let is_out = |uid: &u32| {
            without.iter().any(|(other, uids)| {
                let same = plan.steps.get(other - 1).is_some_and(|other| {
                    (&other.host, &other.account, &other.mailbox, other.uid_validity)
                        == (&step.host, &step.account, &step.mailbox, step.uid_validity)
                });
                (same || *other == number) && uids.contains(uid)
            })
        };
        let kept: Vec<u32> = uids.iter().copied().filter(|uid| !is_out(uid)).collect();
        let name = step.mailbox.clone().unwrap_or_default();
        let Some(places) = self.places_of(step) else { return Ok(Vec::new()) };
        let mailbox = places.mailbox(&name);
        let mut letters = Vec::with_capacity(kept.len());
        for uid in kept {
            match places.uid(&mailbox, uid) {
                Given::Uid(real) => letters.push((uid, real)),
                Given::LeftOut => {}
                Given::NotTold => {
                    return Err(format!(
                        "the server did not say where it stored the letter that has the UID {uid} in the plan"
                    ));
                }
            }
        }
        Ok(letters)
    }

    /// What became of a step that had begun.
    fn look_up(
        &mut self,
        step: &PlanStep,
        after: i64,
        hands: &mut dyn Hands,
    ) -> Result<Known, String> {
        let text = |error: crate::state::StateError| error.to_string();
        let mailbox = step.mailbox.as_deref();
        let found = self.database.steps_after(after, &step.act, mailbox).map_err(text)?;
        let mut runs: HashMap<i64, bool> = HashMap::new();
        let mut is_of_plan = |run: i64| -> Result<bool, String> {
            if let Some(known) = runs.get(&run) {
                return Ok(*known);
            }
            let found = self.database.run(run).map_err(text)?;
            let is_of_plan = found.is_some_and(|run| run.arguments.contains(&self.name));
            runs.insert(run, is_of_plan);
            Ok(is_of_plan)
        };
        let mut stored: Vec<CopiedUids> = Vec::new();
        let mut is_done = false;
        for mut found in found {
            let is_of_step = found.deed.host == step.host && found.deed.account == step.account;
            if !is_of_step || !is_of_plan(found.run)? {
                continue;
            }
            if found.is_uncertain() {
                let Some(account) = step.imap() else {
                    return Err(format!("it is in doubt: {}", crate::state::lost(&found)));
                };
                let mut settling = Settling::new(self.database);
                let settled = with(hands, &step.host, account, |client| {
                    let settled = settling.settle(&mut found, client);
                    settled.map_err(|error| Error::Unexpected(error.to_string()))?
                })?;
                if let Settled::Unclear(why) = settled {
                    return Err(format!("it is in doubt: {why}"));
                }
            }
            if found.state == StepState::Done {
                is_done = true;
                stored.extend(found.stored);
            }
        }
        let stored = stored.into_iter().reduce(joined);
        // A set of letters may have needed several commands, of which some were not sent.
        let is_told = stored.is_some() || !matches!(step.act, Act::Copy { .. });
        let has_letters = !step.uids.is_empty() && is_told;
        Ok(match (is_done, has_letters) {
            (true, false) => Known::Done(stored),
            (true, true) => Known::Partly(stored),
            (false, _) => Known::NotDone,
        })
    }

    /// Does a step. Returns the UIDs that letters got, by those that they had.
    fn carry_out(
        &mut self,
        step: &PlanStep,
        letters: &[(u32, u32)],
        known: Option<Known>,
        hands: &mut dyn Hands,
    ) -> Result<Option<CopiedUids>, String> {
        let letter = step.letter.as_ref().map(|letter| &letter.bytes[..]).unwrap_or_default();
        let (host, name) = (&step.host, step.mailbox.as_deref().unwrap_or_default());
        match (&step.act, &step.account) {
            (Act::Send { from, to }, Some(account)) => {
                return hands.send(host, account, from, to, letter).map(|()| None);
            }
            (Act::Run { to, .. }, _) => {
                let from = step.letter.as_ref().and_then(|letter| letter.from.as_deref());
                let from = from.unwrap_or_default();
                return hands.hand_over(&step.program, from, to, letter).map(|()| None);
            }
            _ => {}
        }
        let account = step.imap().ok_or("it has no account")?.clone();
        // Of a mailbox that the plan has made, the UIDVALIDITY was only expected.
        let in_plan = self.places_of(step).and_then(|places| match places.mailbox(name) {
            Mailbox::Before(_) => {
                let mailbox = places.mailbox(name);
                let is_root = |(planned, _): &(u32, u32)| !places.is_made(&mailbox, *planned);
                step.uid_validity.filter(|_| letters.iter().any(is_root))
            }
            _ => None,
        });
        let partly = match &known {
            Some(Known::Partly(stored)) => stored.clone(),
            _ => None,
        };
        let already: HashMap<u32, u32> = partly.iter().flat_map(pairs).collect();
        // What was removed already, by whomever, need not be removed.
        let may_be_gone = matches!(step.act, Act::Expunge)
            || matches!((&step.act, &known), (Act::Move { .. }, Some(Known::Partly(_))));
        let uids: SequenceSet = letters
            .iter()
            .map(|(_, real)| *real)
            .filter(|uid| !already.contains_key(uid))
            .collect();
        let now = with(hands, host, &account, |client| {
            if !letters.is_empty() {
                let is_open = client.selected().is_some_and(|selected| {
                    selected.is_open() && selected.name == name && !selected.read_only
                });
                if !is_open {
                    client.select(name, false)?;
                }
                let found = client.selected().and_then(|selected| selected.uid_validity);
                if in_plan.is_some() && found != in_plan {
                    return Err(Error::OtherUidValidity {
                        before: in_plan.unwrap_or(0),
                        now: found,
                    });
                }
                let among = SearchKey::Uid(uids.clone());
                let here = if uids.is_empty() { Vec::new() } else { client.uid_search(&among)? };
                let wanted = numbers(&uids).map_or(0, |uids| uids.len());
                let missing = wanted.saturating_sub(here.len());
                if missing > 0 && !may_be_gone {
                    return Ok(Err(missing));
                }
            }
            do_now(step, name, &uids, client).map(Ok)
        })?;
        let now = now.map_err(|missing: usize| match missing {
            1 => format!("1 letter is not in {name:?} any more"),
            missing => format!("{missing} letters are not in {name:?} any more"),
        })?;
        Ok(match (partly, now) {
            (Some(before), Some(now)) => Some(joined(before, now)),
            (before, now) => before.or(now),
        })
    }
}

/// What is known of a step that had begun.
enum Known {
    Done(Option<CopiedUids>),
    /// Some of its letters are done, perhaps all.
    Partly(Option<CopiedUids>),
    NotDone,
}

/// Does something on the connection to an account.
fn with<T>(
    hands: &mut dyn Hands,
    host: &str,
    account: &Account,
    mut task: impl FnMut(&mut ImapClient) -> Result<T, Error>,
) -> Result<T, String> {
    let mut result = None;
    hands.with_imap(host, account, &mut |client| result = Some(task(client)))?;
    let result = result.ok_or_else(|| format!("{host}: there is no connection"))?;
    result.map_err(|error| error.to_string())
}
