//! Whether a plan still fits.
//!
//! All letters that a plan changes and has not put there itself are looked for before the first
//! change, by UID under the UIDVALIDITY of the plan; and so are its mailboxes. A letter that the plan
//! deletes must have the flags of then, because somebody may have marked it meanwhile to keep it.

use super::places::{Given, Mailbox, Places, canonical};
use super::{Plan, PlanStep};
use crate::client::{Error, ImapClient, StatusValue};
use crate::proto::deed::{Account, Act};
use crate::proto::imap::command::StoreMode;
use crate::proto::imap::{FetchItems, Flag, Messages};
use crate::state::rows::numbers;
use crate::state::{Accounts, AppliedState};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Something of a plan that does not fit any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// The number of the step.
    pub step: usize,
    /// What does not fit.
    pub why: String,
    /// The letters that it is about; none if it is about the whole step.
    pub uids: Vec<u32>,
}

/// A letter that must be there.
struct Needed {
    step: usize,
    /// The flags that it must have, if it is going to be deleted.
    flags: Option<BTreeSet<String>>,
}

/// What a mailbox of before must have.
#[derive(Default)]
struct Demands {
    /// Its UIDVALIDITY, and the first step that says so.
    uid_validity: Option<(u32, usize)>,
    letters: BTreeMap<u32, Needed>,
}

impl Plan {
    /// Asks the servers what of the plan does not fit any more, besides the steps that were begun.
    /// Changes nothing.
    ///
    /// # Errors
    /// Why a server cannot be asked.
    pub fn misfits(
        &self,
        begun: &[(usize, AppliedState)],
        accounts: &mut dyn Accounts,
    ) -> Result<Vec<Misfit>, String> {
        let begun: HashSet<usize> = begun.iter().map(|(step, _)| *step).collect();
        let is_rename = |(number, step): (usize, &PlanStep)| {
            begun.contains(&number) && matches!(step.act, Act::RenameMailbox { .. })
        };
        if (1..).zip(&self.steps).any(is_rename) {
            return Ok(Vec::new()); // names mean other mailboxes now
        }
        let mut misfits = Vec::new();
        for (host, account) in self.imap_accounts() {
            let mut found = None;
            accounts.with_imap(&host, &account, &mut |client| {
                found = Some(self.misfits_of(&host, &account, &begun, client));
            })?;
            let found = found.ok_or_else(|| format!("{host}: the server was not asked"))?;
            misfits.extend(found.map_err(|error| format!("{host}: {error}"))?);
        }
        misfits.sort_by_key(|misfit| misfit.step);
        Ok(misfits)
    }

    /// The IMAP accounts, each once.
    fn imap_accounts(&self) -> Vec<(String, Account)> {
        let mut seen = HashSet::new();
        let all =
            self.steps.iter().filter_map(|step| Some((step.host.clone(), step.imap()?.clone())));
        all.filter(|account| seen.insert(account.clone())).collect()
    }

    fn misfits_of(
        &self,
        host: &str,
        account: &Account,
        begun: &HashSet<usize>,
        client: &mut ImapClient,
    ) -> Result<Vec<Misfit>, Error> {
        let mut places = Places::new(client.separator()?.map(str::to_owned));
        let mut demands: BTreeMap<String, Demands> = BTreeMap::new();
        let mut misfits = Vec::new();
        // The flags of letters before the plan changes them; none if that was not asked for in time.
        let mut before: HashMap<(Mailbox, u32), Option<BTreeSet<String>>> = HashMap::new();
        // How many letters the plan has put into a mailbox, less those that it has taken out.
        let mut put: HashMap<Mailbox, (i64, u64)> = HashMap::new();
        let steps = (1..).zip(&self.steps);
        for (number, step) in
            steps.filter(|(_, step)| step.host == host && step.imap() == Some(account))
        {
            let name = step.mailbox.as_deref().unwrap_or_default();
            let mailbox = places.mailbox(name);
            if begun.contains(&number) {
                let uids = numbers(&step.uids).unwrap_or_default();
                before.extend(uids.into_iter().map(|uid| ((mailbox.clone(), uid), None)));
                match step.act {
                    // A name that was free then is free now.
                    Act::DeleteMailbox => {}
                    _ => places.follow(number, step, &Given::Uid),
                }
                continue;
            }
            let more = put.get(&mailbox).copied().unwrap_or_default();
            if let Some(why) = whole(step, &mailbox, more, &places, client)? {
                misfits.push(Misfit { step: number, why, uids: Vec::new() });
            }
            let uids = numbers(&step.uids).unwrap_or_default();
            if let (Mailbox::Before(named), false) = (&mailbox, uids.is_empty()) {
                let demands = demands.entry(named.clone()).or_default();
                if demands.uid_validity.is_none() {
                    demands.uid_validity = step.uid_validity.map(|validity| (validity, number));
                }
                let flags = step.flags_before();
                for uid in uids.iter().filter(|uid| !places.is_made(&mailbox, **uid)) {
                    let needed = Needed { step: number, flags: None };
                    let needed = demands.letters.entry(*uid).or_insert(needed);
                    let key = (mailbox.clone(), *uid);
                    if let Some(flags) = flags.get(uid) {
                        before.entry(key.clone()).or_insert_with(|| Some(flags.clone()));
                    }
                    if step.deletes() && needed.flags.is_none() {
                        needed.flags = before.get(&key).cloned().flatten();
                    }
                }
            }
            if uids.iter().any(|uid| places.uid(&mailbox, *uid) == Given::NotTold) {
                let why = format!(
                    "the server does not say which UIDs the letters get that the plan stores in {name:?}"
                );
                misfits.push(Misfit { step: number, why, uids: Vec::new() });
            }
            let count = i64::try_from(uids.len()).unwrap_or(i64::MAX);
            if matches!(step.act, Act::Move { .. } | Act::Expunge) {
                put.entry(mailbox.clone()).or_default().0 -= count;
            }
            let stored = match &step.act {
                Act::Move { to } | Act::Copy { to } => Some((places.mailbox(to), count)),
                Act::Append { .. } => Some((mailbox, 1)),
                _ => None,
            };
            if let Some((to, count)) = stored {
                let (more, arrived) = put.entry(to).or_default();
                *more += count;
                *arrived += count.unsigned_abs();
            }
            places.follow(number, step, &Given::Uid);
        }
        for (name, demands) in demands {
            misfits.extend(letters(&name, demands, client)?);
        }
        Ok(misfits)
    }
}

/// What keeps a step from being done at all. `more` is how many more letters the plan has put into
/// the mailbox than it has taken out, and `arrived` how many it has put there.
fn whole(
    step: &PlanStep,
    mailbox: &Mailbox,
    (more, arrived): (i64, u64),
    places: &Places,
    client: &mut ImapClient,
) -> Result<Option<String>, Error> {
    let name = step.mailbox.as_deref().unwrap_or_default();
    let is_there = |mailbox: &Mailbox, client: &mut ImapClient| {
        Ok::<bool, Error>(match mailbox {
            Mailbox::Before(name) => client.exists(name)? || places.has_made_below(name),
            Mailbox::Made(_) => true,
            // What is deleted stays as a name above others.
            Mailbox::Gone => places.has_made_below(name),
        })
    };
    let is_taken = |name: &str, client: &mut ImapClient| {
        Ok::<bool, Error>(match places.certain(name) {
            Mailbox::Before(name) => client.exists(&name)?,
            Mailbox::Made(_) => true,
            Mailbox::Gone => false,
        })
    };
    let missing = |name: &str| format!("there is no mailbox {name:?}");
    let in_the_way = |name: &str| format!("there is a mailbox {name:?} now");
    Ok(match &step.act {
        Act::CreateMailbox => is_taken(name, client)?.then(|| in_the_way(name)),
        Act::RenameMailbox { to } => {
            let taken = is_taken(to, client)?.then(|| in_the_way(to));
            let there = is_there(mailbox, client)?;
            (!there).then(|| missing(name)).or(taken)
        }
        Act::Copy { to } | Act::Move { to } => {
            let there = is_there(&places.mailbox(to), client)?;
            (!there).then(|| missing(to))
        }
        Act::DeleteMailbox => match (is_there(mailbox, client)?, mailbox, step.count) {
            (false, ..) => Some(missing(name)),
            (true, Mailbox::Before(before), Some(count))
                if canonical(name) == *before && client.exists(before)? =>
            {
                let items = client.status(before, &["MESSAGES".to_owned()])?;
                let now = items.into_iter().find_map(|(_, value)| match value {
                    StatusValue::Number(count) => Some(count),
                    _ => None,
                });
                let then = i64::try_from(count).unwrap_or(i64::MAX).saturating_sub(more);
                let differs = now.is_some_and(|now| i64::try_from(now).unwrap_or(i64::MAX) != then);
                let next = client.status(before, &["UIDNEXT".to_owned()])?;
                let next = next.into_iter().find_map(|(_, value)| match value {
                    StatusValue::Number(next) => Some(next),
                    _ => None,
                });
                let came = next
                    .zip(step.uid_next)
                    .is_some_and(|(now, then)| now > u64::from(then).saturating_sub(arrived));
                (differs || came)
                    .then(|| format!("the mailbox {name:?} has other letters than then"))
            }
            _ => None,
        },
        _ => (!is_there(mailbox, client)?).then(|| missing(name)),
    })
}

/// Which letters of a mailbox are not as they must be.
fn letters(name: &str, demands: Demands, client: &mut ImapClient) -> Result<Vec<Misfit>, Error> {
    let Some((&first, _)) = demands.letters.first_key_value() else { return Ok(Vec::new()) };
    let first = demands.letters.get(&first).map_or(0, |needed| needed.step);
    let whole = |step, why| Ok(vec![Misfit { step, why, uids: Vec::new() }]);
    match client.select(name, true) {
        Err(Error::Refused { completion, .. }) => {
            let words = completion.words();
            return whole(first, format!("the mailbox {name:?} cannot be opened: {words}"));
        }
        selected => selected?,
    }
    let now = client.selected().and_then(|selected| selected.uid_validity);
    if let Some((then, step)) = demands.uid_validity
        && now != Some(then)
    {
        return whole(step, format!("another mailbox has the name {name:?} now (UIDVALIDITY)"));
    }
    let wanted = Messages::uids(demands.letters.keys().copied());
    let items = FetchItems::parse("(UID FLAGS)")?;
    let found: HashMap<u32, BTreeSet<String>> = client
        .fetch_all(&wanted, &items)?
        .into_iter()
        .filter_map(|letter| Some((letter.uid?, plain(letter.flags.unwrap_or_default()))))
        .collect();
    let mut by_step: BTreeMap<(usize, [&str; 2]), Vec<u32>> = BTreeMap::new();
    for (uid, needed) in &demands.letters {
        let why = match (found.get(uid), &needed.flags) {
            (None, _) => ["is gone", "are gone"],
            (Some(now), Some(then)) if now != then => {
                ["has other flags than then", "have other flags than then"]
            }
            _ => continue,
        };
        by_step.entry((needed.step, why)).or_default().push(*uid);
    }
    let misfit = |((step, [of_one, of_many]), uids): ((usize, [&str; 2]), Vec<u32>)| {
        let why = match uids.len() {
            1 => format!("1 letter of {name:?} {of_one}"),
            count => format!("{count} letters of {name:?} {of_many}"),
        };
        Misfit { step, why, uids }
    };
    Ok(by_step.into_iter().map(misfit).collect())
}

/// Flags without those that say nothing of a letter's worth, in one spelling.
fn plain(flags: impl IntoIterator<Item = String>) -> BTreeSet<String> {
    let flags = flags.into_iter().map(|flag| flag.to_ascii_lowercase());
    flags.filter(|flag| flag != "\\recent").collect()
}

impl PlanStep {
    /// The account, if it is one of IMAP.
    pub(super) fn imap(&self) -> Option<&Account> {
        self.account.as_ref().filter(|account| account.protocol == "imap")
    }

    /// The flags that each letter has before.
    fn flags_before(&self) -> HashMap<u32, BTreeSet<String>> {
        let rows = self.flags.iter().flat_map(|(uids, flags)| {
            let uids = numbers(uids).unwrap_or_default();
            uids.into_iter().map(move |uid| (uid, plain(flags.iter().cloned())))
        });
        rows.collect()
    }

    /// Whether it deletes letters, or marks them for it.
    pub(super) fn deletes(&self) -> bool {
        match &self.act {
            Act::Expunge => true,
            Act::StoreFlags { mode: StoreMode::Add | StoreMode::Replace, flags, .. } => {
                flags.contains(&Flag::DELETED)
            }
            _ => false,
        }
    }
}
