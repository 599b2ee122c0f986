//! Takes the steps of a run back, the last one first.
//!
//! Every step looks at what there is now and changes only what is still as the run left it. So an
//! undo that was interrupted can be begun again, and what others have done since stays. Where
//! letters are now, [`Trail`](super::trail) knows.
//!
//! | step | is taken back by |
//! |---|---|
//! | STORE, `\Seen` by a FETCH | setting again each flag that it removed, removing each that it added |
//! | MOVE | moving the letters back |
//! | COPY | removing the copies, where the original is there and has the same flags |
//! | APPEND | removing the letter, if its flags are those it came with |
//! | EXPUNGE | moving copies back that the same run made; without one the letter is lost |
//! | CREATE | deleting the mailbox, and those above it that CREATE made, if they are empty |
//! | DELETE | creating the mailbox; its letters are lost |
//! | RENAME, SUBSCRIBE, UNSUBSCRIBE, SETACL, SETMETADATA | its opposite |
//! | REPLACE, letters appended in a group, labels, a letter sent, a program run, letters removed over POP3 | nothing |
//!
//! `alike` joins steps that are taken back together. `flags`, `letters` and `mailboxes` take a step
//! back, by what it changed; `finding` looks for letters, and `words` says what was done.
//!
//! An undo is a run of its own: its connections have the [`Journal`] as their witness. So it can be
//! undone.

mod alike;
mod finding;
mod flags;
mod letters;
mod mailboxes;
mod words;

use self::alike::alike;
use self::words::{impossible, nothing};
use super::database::{Database, StateError};
use super::journal::Journal;
use super::rows::Step;
use super::settling::{Settled, Settling};
use super::trail::{Place, Remover, Trail, new_places, uids};
use crate::client::{Error, ImapClient};
use crate::proto::deed::{Account, Act};
use crate::proto::witness::Previous;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Connections to the accounts of the journal.
pub trait Accounts {
    /// Calls `task` with a connection to this IMAP account, the same for every call. Its witness
    /// must be the journal of the undo.
    ///
    /// # Errors
    /// Why there is no connection.
    fn with_imap(
        &mut self,
        host: &str,
        account: &Account,
        task: &mut dyn FnMut(&mut ImapClient),
    ) -> Result<(), String>;
}

/// How far a step was taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All of it is as before.
    Restored,
    /// There was nothing to do: it is as before already.
    Nothing,
    /// Some of it cannot come back.
    Partly,
    /// It cannot come back.
    Impossible,
}

/// What an undo did, or would do, about one step or several alike.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Undone {
    /// The step; the first, if there are several alike.
    pub step: Step,
    /// The number of the last one.
    pub last: i64,
    /// How far it was taken back.
    pub verdict: Verdict,
    /// In words: what was done, and what cannot come back and why.
    pub words: String,
}

/// Takes back runs.
pub struct Undo<'a> {
    database: &'a Database,
    /// The journal of this undo; `None` for a dry run, which changes nothing.
    journal: Option<&'a Journal>,
    accounts: &'a mut dyn Accounts,
    trails: HashMap<(String, Option<Account>), Trail>,
    foreseen: Foreseen,
    /// Whether a later step of the run has removed letters that cannot come back. Then letters that
    /// it stored may be all that is left of them.
    has_lost: bool,
}

/// What a dry run would have changed by now.
#[derive(Default)]
struct Foreseen {
    created: BTreeSet<String>,
    deleted: BTreeSet<String>,
    /// How many letters would have left a mailbox.
    left: HashMap<String, u64>,
    /// The flags that letters would have, by mailbox and UID.
    flags: HashMap<(String, u32), Vec<String>>,
}

type Taken = Result<(Verdict, String), Error>;

impl<'a> Undo<'a> {
    /// Prepares an undo. Without a journal it is a dry run.
    pub fn new(
        database: &'a Database,
        journal: Option<&'a Journal>,
        accounts: &'a mut dyn Accounts,
    ) -> Self {
        Undo {
            database,
            journal,
            accounts,
            trails: HashMap::new(),
            foreseen: Foreseen::default(),
            has_lost: false,
        }
    }

    /// Takes the steps of a run back, and tells of each. Steps in doubt are settled first.
    ///
    /// # Errors
    /// A text: the database fails, an account cannot be reached, or the run is being undone already.
    /// What was taken back until then stays so; the undo can be begun again.
    pub fn run(&mut self, run: i64, told: &mut dyn FnMut(Undone)) -> Result<(), String> {
        let text = |error: StateError| error.to_string();
        if let Some(journal) = self.journal {
            if let Some(other) = self.database.undone_by(run).map_err(text)? {
                return Err(format!("run {run} is being undone already, by run {other}"));
            }
            journal.begin().map_err(text)?;
        }
        let mut steps = self.database.steps(run).map_err(text)?;
        let mut settling = Settling::new(self.database);
        // The last one first: what it has stored is not taken for what an earlier one has.
        for step in steps.iter_mut().rev().filter(|step| step.is_uncertain()) {
            if let Some(why) = self.settle(step, &mut settling)? {
                self.has_lost |= removes_letters(&step.deed.act);
                let words = format!("whether it was done is not known: {why}");
                let (step, last) = (step.clone(), step.id);
                told(Undone { step, last, verdict: Verdict::Impossible, words });
            }
        }
        let of_run: HashSet<i64> = steps.iter().map(|step| step.id).collect();
        let marked = self.database.marked_by_undo(run).map_err(text)?;
        // What an undo takes back began in the run that it undid.
        let first = steps.iter().flat_map(|step| [Some(step.id), step.reverses]).flatten().min();
        let first = first.unwrap_or(0);
        for (step, last) in alike(steps).into_iter().rev() {
            let Some(account) = imap_account(&step) else {
                self.has_lost |= removes_letters(&step.deed.act);
                told(Undone { last, verdict: Verdict::Impossible, words: lost(&step), step });
                continue;
            };
            let (host, mut taken) = (step.deed.host.clone(), None);
            let key = (host.clone(), step.deed.account.clone());
            let mut trail = self.trails.remove(&key).unwrap_or_else(|| Trail::new(&step.deed));
            if let Some(journal) = self.journal {
                journal.flush(); // its steps are part of the trail
                journal.set_reversing(Some(step.id));
            }
            let from = first.max(trail.read() + 1);
            let (moving, read) = self.database.moving_steps_from(from).map_err(text)?;
            let (database, is_dry) = (self.database, self.journal.is_none());
            let (foreseen, has_lost) = (&mut self.foreseen, self.has_lost);
            self.accounts.with_imap(&host, &account, &mut |client| {
                if trail.separator.is_none() {
                    match client.separator() {
                        Ok(separator) => trail.separator = separator.map(str::to_owned),
                        Err(error) => return taken = Some(Err(error)),
                    }
                }
                trail.extend(&moving, read);
                let trail = &trail;
                let (of_run, marked) = (&of_run, &marked);
                let mut taking =
                    Taking { database, client, trail, foreseen, is_dry, has_lost, of_run, marked };
                taken = Some(taking.take_back(&step));
            })?;
            self.trails.insert(key, trail);
            let (verdict, words) = match taken.unwrap_or(Ok((Verdict::Nothing, String::new()))) {
                Ok(taken) => taken,
                Err(error @ (Error::Refused { .. } | Error::Unsupported(_) | Error::Limit(_))) => {
                    (Verdict::Impossible, error.to_string())
                }
                Err(error) => return Err(error.to_string()),
            };
            let is_short = !matches!(verdict, Verdict::Restored | Verdict::Nothing);
            self.has_lost |= is_short && removes_letters(&step.deed.act);
            told(Undone { step, last, verdict, words });
        }
        Ok(())
    }

    /// Asks the server about an uncertain step. Returns why it stays so, if it does.
    fn settle(
        &mut self,
        step: &mut Step,
        settling: &mut Settling<'_>,
    ) -> Result<Option<String>, String> {
        let Some(account) = imap_account(step) else { return Ok(Some(lost(step))) };
        let mut settled = None;
        let host = step.deed.host.clone();
        self.accounts.with_imap(&host, &account, &mut |client| {
            settled = Some(settling.settle(step, client));
        })?;
        let settled =
            settled.ok_or("the server was not asked")?.map_err(|error| error.to_string())?;
        match settled.map_err(|error| error.to_string())? {
            Settled::Unclear(why) => Ok(Some(why)),
            Settled::Done | Settled::NotDone => Ok(None),
        }
    }
}

/// Whether an act removes letters, of which another one of the run may have stored a copy.
fn removes_letters(act: &Act) -> bool {
    matches!(act, Act::Expunge | Act::Remove | Act::DeleteMailbox | Act::Replace { .. })
}

/// The account of a step that was made over IMAP.
fn imap_account(step: &Step) -> Option<Account> {
    step.deed.account.clone().filter(|account| account.protocol == "imap")
}

/// Says why a step that was not made over IMAP cannot be taken back.
pub fn lost(step: &Step) -> String {
    match &step.deed.act {
        Act::Send { to, .. } => format!("a letter that was sent stays sent: {}", to.join(", ")),
        Act::Run { to, .. } if !to.is_empty() => {
            format!("a letter that was sent stays sent: {}", to.join(", "))
        }
        Act::Remove => "letters removed over POP3 are gone".to_owned(),
        Act::Deliver => "the sandbox is gone".to_owned(),
        Act::AppendMany { .. } => "letters that were stored in a group stay".to_owned(),
        Act::Replace { .. } => {
            "the letter that was replaced is gone, and the new one stays".to_owned()
        }
        Act::StoreLabels { .. } => "the labels before it are not known".to_owned(),
        _ => "what a program has done is not known".to_owned(),
    }
}

/// Takes one step back over a connection.
struct Taking<'t> {
    database: &'t Database,
    client: &'t mut ImapClient,
    trail: &'t Trail,
    foreseen: &'t mut Foreseen,
    is_dry: bool,
    has_lost: bool,
    /// The steps of the run.
    of_run: &'t HashSet<i64>,
    /// Those whose letters an undo that was interrupted has marked.
    marked: &'t HashSet<i64>,
}

impl Taking<'_> {
    fn take_back(&mut self, step: &Step) -> Taken {
        let mailbox = step.deed.mailbox.clone().unwrap_or_default();
        let previous = step.deed.facts.as_ref().map(|facts| facts.previous.clone());
        let previous = previous.unwrap_or_default();
        let now = self.trail.name_now(&mailbox, step.id);
        match &step.deed.act {
            Act::StoreFlags { .. } | Act::MarkSeen => self.restore_flags(step, &mailbox),
            Act::Move { to } => {
                let (taken, known): (Vec<_>, Vec<_>) =
                    new_places(step, to).partition(|(uid, _)| self.trail.was_copy(step, *uid));
                let known: Vec<Place> = known.into_iter().map(|(_, place)| place).collect();
                let unknown = uids(step).len().saturating_sub(known.len() + taken.len());
                if known.len() + taken.len() == 0 {
                    return Ok(impossible("the server did not say where the letters went"));
                }
                self.bring_home(known, step, &now, [unknown, taken.len()])
            }
            Act::Expunge => self.restore_removed(step, &now),
            Act::Copy { to } => self.remove_copies(step, &mailbox, to),
            Act::Append { .. } => self.remove_appended(step, &mailbox),
            Act::CreateMailbox => self.delete_created(&now, &previous, step.id),
            Act::DeleteMailbox => {
                self.create_again(&self.trail.name_of_deleted(&mailbox, step.id), step)
            }
            Act::RenameMailbox { to } => self.rename_back(step, &mailbox, to),
            Act::Subscribe => match previous {
                Previous::Value(_) => Ok(nothing("it was subscribed before")),
                _ => self.subscribe(&now, false),
            },
            Act::Unsubscribe => match previous {
                Previous::Absent => Ok(nothing("it was not subscribed before")),
                _ => self.subscribe(&now, true),
            },
            Act::SetRights { .. } | Act::SetMetadata { .. } => {
                self.set_previous(step, &now, previous)
            }
            _ => Ok((Verdict::Impossible, lost(step))),
        }
    }

    /// Whether the run, or an undo of it, has removed a letter.
    fn is_of_run(&self, remover: Remover, step: &Step) -> bool {
        remover.run == step.run
            || remover.reverses.is_some_and(|reversed| self.of_run.contains(&reversed))
    }

    fn is_there(&mut self, mailbox: &str) -> Result<bool, Error> {
        if self.is_dry && self.foreseen.created.contains(mailbox) {
            return Ok(true);
        }
        if self.is_dry && self.foreseen.deleted.contains(mailbox) {
            return Ok(false);
        }
        self.client.exists(mailbox)
    }

    /// Leaves the selected mailbox, which is going to be deleted or renamed.
    fn leave(&mut self) -> Result<(), Error> {
        match self.client.selected() {
            Some(_) => self.client.unselect(),
            None => Ok(()),
        }
    }
}
