//! The witness that keeps a program within its limits.
//!
//! A [`Budget`] has limits and counts what was done under them. All connections and threads of a
//! program share it. A [`Limiter`] has a stack of budgets: those of the command line, then those of
//! each `with-limits` that the script is in. A deed must pass all of them, so an inner one can only
//! narrow an outer one. The threads of `parallel-map` have limiters of their own, with the budgets
//! that the call was in.
//!
//! A deed is counted before it is sent. One that is refused by any budget is counted by none. One
//! that the server refuses, or that was never sent whole, is given back; one whose outcome is unknown
//! stays counted. POP3's letters are counted when DELE marks them, so that QUIT counts only
//! those that were marked before the budget began.

use super::cost::{Cost, can_be_asked, cost_of, must_be_asked};
use super::pattern::MailboxPattern;
use crate::proto::deed::{Account, Act, Deed, Letters, Purpose};
use crate::proto::imap::CopiedUids;
use crate::proto::witness::{Ending, Refusal, Wanted, Witness};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a program may change; by default everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangeLimits {
    /// Whether it may change nothing.
    pub read_only: bool,
    /// The most letters that it may delete.
    pub max_deletes: Option<u64>,
    /// The most changes: letters flagged, moved, copied, stored, sent and deleted, mailboxes
    /// created, renamed and deleted, and so on.
    pub max_changes: Option<u64>,
    /// The mailboxes that it may change; empty for all.
    pub only_mailbox: Vec<MailboxPattern>,
}

impl ChangeLimits {
    /// Returns whether everything may be changed.
    pub fn is_none(&self) -> bool {
        *self == ChangeLimits::default()
    }

    fn counts(&self) -> bool {
        self.max_deletes.is_some() || self.max_changes.is_some()
    }
}

/// Limits, and what was done under them.
#[derive(Debug, Default)]
pub struct Budget {
    limits: ChangeLimits,
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    cost: Cost,
    /// How often each POP3 letter was marked for removal since, by its number.
    marked: HashMap<(String, Option<Account>, u32), u64>,
}

impl Budget {
    /// A budget of which nothing is used.
    pub fn new(limits: ChangeLimits) -> Self {
        Budget { limits, used: Mutex::default() }
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses what no count decides.
    fn check_rules(&self, deed: &Deed) -> Result<(), Refusal> {
        if self.limits.read_only {
            return Err(Refusal::new("read-only", deed));
        }
        let patterns = &self.limits.only_mailbox;
        let is_allowed = |name: &&str| patterns.iter().any(|pattern| pattern.matches(name));
        match changed_mailboxes(deed).into_iter().find(|name| !is_allowed(name)) {
            Some(other) if !patterns.is_empty() => {
                let patterns: Vec<String> =
                    patterns.iter().map(|pattern| format!("\"{pattern}\"")).collect();
                let rule = format!("only-mailbox {}", patterns.join(" "));
                Err(Refusal::new(&rule, deed).because(format!("{other:?} does not match")))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a deed, or the last of several, that is more than is left.
    fn check_count(&self, used: &Used, deed: &Deed, cost: Option<Cost>) -> Result<(), Refusal> {
        let before = used.cost;
        let deletes = cost.map(|cost| cost.deletes);
        let changes = cost.map(|cost| cost.changes);
        for (name, most, before, count, one, many) in [
            (
                "max-deletes",
                self.limits.max_deletes,
                before.deletes,
                deletes,
                "deletion",
                "deletions",
            ),
            ("max-changes", self.limits.max_changes, before.changes, changes, "change", "changes"),
        ] {
            let Some(most) = most else { continue };
            if name == "max-deletes" && !deletes_letters(deed) {
                continue;
            }
            let rule = format!("{name} {most}");
            let Some(count) = count else {
                let why = "the server does not say how many letters that is";
                return Err(Refusal::new(&rule, deed).because(why));
            };
            let left = most.saturating_sub(before);
            if count > left {
                let what = if count == 1 { one } else { many };
                let why = format!("it is {count} {what}, and {left} of {most} are left");
                return Err(Refusal::new(&rule, deed).because(why));
            }
        }
        Ok(())
    }
}

impl Used {
    /// What the deed adds: letters that are marked already were counted then.
    fn cost_of(&self, deed: &Deed) -> Option<Cost> {
        match (&deed.act, &deed.letters) {
            (Act::Remove, Letters::Numbers(numbers)) => {
                let is_new = |number: &&u32| !self.marked.contains_key(&key(deed, **number));
                Some(Cost::deletion(numbers.iter().filter(is_new).count() as u64))
            }
            _ => cost_of(deed),
        }
    }

    fn take(&mut self, deed: &Deed, cost: Cost) {
        self.cost = self.cost.and(cost);
        if let (Act::MarkForRemoval, Letters::Numbers(numbers)) = (&deed.act, &deed.letters) {
            for number in numbers {
                *self.marked.entry(key(deed, *number)).or_default() += 1;
            }
        }
    }

    fn give_back(&mut self, cost: Cost) {
        self.cost.deletes = self.cost.deletes.saturating_sub(cost.deletes);
        self.cost.changes = self.cost.changes.saturating_sub(cost.changes);
    }

    /// Forgets marks. Returns how many there were.
    fn unmark(&mut self, deed: &Deed) -> u64 {
        let Letters::Numbers(numbers) = &deed.letters else { return 0 };
        let mut found = 0;
        for number in numbers {
            let key = key(deed, *number);
            if let Some(times) = self.marked.get_mut(&key) {
                found += 1;
                *times -= 1;
                if *times == 0 {
                    self.marked.remove(&key);
                }
            }
        }
        found
    }

    fn end(&mut self, deed: &Deed, cost: Cost, ending: Ending) {
        match (&deed.act, ending) {
            (Act::Unmark, Ending::Done) => {
                let marked = self.unmark(deed);
                self.give_back(Cost::deletion(marked));
            }
            (Act::Remove, Ending::Done) => {
                self.unmark(deed);
            }
            (Act::Unmark, _) | (_, Ending::Done | Ending::InDoubt) => {}
            (act, Ending::Refused | Ending::Abandoned) => {
                if *act == Act::MarkForRemoval {
                    self.unmark(deed);
                }
                self.give_back(cost);
            }
        }
    }
}

fn key(deed: &Deed, number: u32) -> (String, Option<Account>, u32) {
    (deed.host.clone(), deed.account.clone(), number)
}

/// Whether a deed of this kind can delete letters.
fn deletes_letters(deed: &Deed) -> bool {
    match deed.act {
        Act::Expunge
        | Act::DeleteMailbox
        | Act::MarkForRemoval
        | Act::Remove
        | Act::Replace { .. } => true,
        Act::StoreFlags { .. } => deed.purpose.is_some(),
        Act::Copy { .. } | Act::Move { .. } | Act::RenameMailbox { .. } => {
            deed.purpose == Some(Purpose::Quarantine)
        }
        _ => false,
    }
}

/// The mailboxes that the deed changes. The letters of a POP3 account are those of its INBOX.
fn changed_mailboxes(deed: &Deed) -> Vec<&str> {
    let own = deed.mailbox.as_deref().unwrap_or_default();
    match &deed.act {
        Act::Send { .. } | Act::Run { .. } | Act::Unmark => Vec::new(),
        // The script has not asked for the quarantine.
        Act::CreateMailbox if deed.purpose == Some(Purpose::Quarantine) => Vec::new(),
        _ if deed.purpose == Some(Purpose::Quarantine) => vec![own],
        Act::MarkForRemoval | Act::Remove => vec!["INBOX"],
        // The letters that are copied stay as they are, unless they are moved.
        Act::Copy { to } if deed.purpose.is_none() => vec![to],
        Act::Copy { to } => vec![own, to],
        Act::Move { to } | Act::RenameMailbox { to } | Act::Replace { to, .. } => vec![own, to],
        _ => vec![own],
    }
}

/// The budgets that took a deed, and what each counted.
type Taken = Vec<(Arc<Budget>, Cost)>;

/// Refuses changes that go beyond any of its budgets.
#[derive(Debug, Default)]
pub struct Limiter {
    budgets: Mutex<Vec<Arc<Budget>>>,
    /// Deeds whose end is not known yet, by their ID.
    open: Mutex<HashMap<u64, Taken>>,
}

impl Limiter {
    /// A limiter with these budgets, the outermost first.
    pub fn new(budgets: Vec<Arc<Budget>>) -> Self {
        Limiter { budgets: Mutex::new(budgets), open: Mutex::default() }
    }

    /// The budgets, the outermost first.
    pub fn budgets(&self) -> Vec<Arc<Budget>> {
        self.stack().clone()
    }

    /// Adds a budget inside of all others, unless it is there or has no limits.
    pub fn enter(&self, budget: Arc<Budget>) {
        let mut stack = self.stack();
        if !budget.limits.is_none() && !stack.iter().any(|found| Arc::ptr_eq(found, &budget)) {
            stack.push(budget);
        }
    }

    /// Takes a budget away again. Deeds that it counted and that end later are still given back.
    pub fn leave(&self, budget: &Arc<Budget>) {
        let mut stack = self.stack();
        stack.retain(|found| !Arc::ptr_eq(found, budget));
    }

    /// Refuses a deed that no count would allow.
    ///
    /// # Errors
    /// [`Refusal`] by `read-only` or `only-mailbox`.
    pub fn check_rules(&self, deed: &Deed) -> Result<(), Refusal> {
        self.budgets().iter().try_for_each(|budget| budget.check_rules(deed))
    }

    fn stack(&self) -> MutexGuard<'_, Vec<Arc<Budget>>> {
        self.budgets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Taken>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Witness for Limiter {
    fn wants(&self, deed: &Deed) -> Wanted {
        let is_too_much = |budget: &Arc<Budget>| {
            let used = budget.used();
            budget.check_count(&used, deed, used.cost_of(deed)).is_err()
        };
        let matters = |budget: &Arc<Budget>| {
            budget.limits.max_changes.is_some()
                || budget.limits.max_deletes.is_some() && deletes_letters(deed)
        };
        let is_wanted = |budget: &Arc<Budget>| {
            matters(budget) && (must_be_asked(deed) || can_be_asked(deed) && is_too_much(budget))
        };
        Wanted { letters: self.budgets().iter().any(is_wanted), ..Wanted::NOTHING }
    }

    fn spares(&self, deed: &Deed) -> bool {
        matches!(deed.act, Act::TakeRecent | Act::MarkSeen) && self.check_rules(deed).is_err()
    }

    fn foresees(&self) -> bool {
        !self.stack().is_empty()
    }

    fn foresee(&self, deeds: &[Deed]) -> Result<(), Refusal> {
        for budget in self.budgets() {
            deeds.iter().try_for_each(|deed| budget.check_rules(deed))?;
            let used = budget.used();
            let mut sum = Some(Cost::default());
            for deed in deeds {
                sum = sum.zip(used.cost_of(deed)).map(|(sum, cost)| sum.and(cost));
                budget.check_count(&used, deed, sum)?;
            }
        }
        Ok(())
    }

    fn before(&self, deed: &Deed) -> Result<(), Refusal> {
        let budgets = self.budgets();
        budgets.iter().try_for_each(|budget| budget.check_rules(deed))?;
        let counting: Vec<Arc<Budget>> =
            budgets.into_iter().filter(|budget| budget.limits.counts()).collect();
        // All are locked, always the outer ones first, so that all or none count it.
        let mut locked = Vec::new();
        for budget in &counting {
            let used = budget.used();
            let cost = used.cost_of(deed);
            budget.check_count(&used, deed, cost)?;
            locked.push((used, cost.unwrap_or_default()));
        }
        let mut costs = Vec::new();
        for (mut used, cost) in locked {
            used.take(deed, cost);
            costs.push(cost);
        }
        if !counting.is_empty() {
            self.open().insert(deed.id, counting.into_iter().zip(costs).collect());
        }
        Ok(())
    }

    fn after(&self, deed: &Deed, ending: Ending, _: Option<&CopiedUids>) {
        let taken = self.open().remove(&deed.id).unwrap_or_default();
        taken.iter().for_each(|(budget, cost)| budget.used().end(deed, *cost, ending));
    }
}
