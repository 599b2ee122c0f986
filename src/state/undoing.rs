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
//! An undo is a run of its own: its connections have the [`Journal`] as their witness. So it can be
//! undone.

use super::database::{Database, StateError};
use super::journal::Journal;
use super::rows::{Step, StepState};
use super::settling::{
    Settled, by_number, flag_set, flags_after, letters, letters_from, open_as, previous_now, settle,
};
use super::trail::{Known, Place, Trail, is_letter, new_places, uids};
use crate::client::{Error, Fetched, ImapClient};
use crate::proto::deed::{Account, Act};
use crate::proto::imap::command::StoreMode;
use crate::proto::imap::{Flag, Messages, SequenceSet};
use crate::proto::witness::{LetterFacts, Previous};
use std::collections::{BTreeMap, BTreeSet, HashMap};

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

/// A mailbox, the flags to remove from letters there, and those to add.
type ChangeOfFlags<'p> = (&'p str, Vec<String>, Vec<String>);

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
    /// A text: the database fails, or an account cannot be reached. What was taken back until then
    /// stays so; the undo can be begun again.
    pub fn run(&mut self, run: i64, told: &mut dyn FnMut(Undone)) -> Result<(), String> {
        let text = |error: StateError| error.to_string();
        let mut steps = self.database.steps(run).map_err(text)?;
        // The last one first: what it has stored is not taken for what an earlier one has.
        for step in steps.iter_mut().rev() {
            if let (true, Some(account)) = (step.state.is_in_doubt(), imap_account(step)) {
                let mut settled = None;
                let (database, host) = (self.database, step.deed.host.clone());
                self.accounts.with_imap(&host, &account, &mut |client| {
                    settled = Some(settle(database, step, client));
                })?;
                let settled = settled.unwrap_or(Ok(Ok(Settled::NotDone))).map_err(text)?;
                if let Settled::Unclear(why) = settled.map_err(|error| error.to_string())? {
                    let words = format!("whether it was done is not known: {why}");
                    let (step, last) = (step.clone(), step.id);
                    told(Undone { step, last, verdict: Verdict::Impossible, words });
                }
            }
        }
        let first = steps.first().map_or(0, |step| step.id);
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
            }
            let from = first.max(trail.last() + 1);
            trail.extend(self.database.moving_steps_from(from).map_err(text)?);
            if let Some(journal) = self.journal {
                journal.set_reversing(Some(step.id));
            }
            let (database, is_dry) = (self.database, self.journal.is_none());
            let (foreseen, has_lost) = (&mut self.foreseen, self.has_lost);
            self.accounts.with_imap(&host, &account, &mut |client| {
                let mut taking =
                    Taking { database, client, trail: &mut trail, foreseen, is_dry, has_lost };
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

/// Steps that were carried out, each with the number of the last that it stands for: moves between
/// two mailboxes that follow each other, and equal changes of flags, are taken back together.
fn alike(steps: Vec<Step>) -> Vec<(Step, i64)> {
    let mut merged: Vec<(Step, i64)> = Vec::new();
    for step in steps.into_iter().filter(|step| step.state == StepState::Done) {
        let last = step.id;
        if let Some((before, id)) = merged.last_mut()
            && joins(before, &step)
        {
            *id = last;
            if let (Some(stored), Some(more)) = (&mut before.stored, &step.stored) {
                let joined = |one: &SequenceSet, other: &SequenceSet| {
                    let mut all = one.clone();
                    other.ranges().iter().for_each(|&(first, last)| all.push_range(first, last));
                    all
                };
                stored.from = joined(&stored.from, &more.from);
                stored.to = joined(&stored.to, &more.to);
            }
            if let (Some(facts), Some(more)) = (&mut before.deed.facts, step.deed.facts) {
                facts.letters.extend(more.letters);
            }
            continue;
        }
        merged.push((step, last));
    }
    merged
}

fn joins(before: &Step, step: &Step) -> bool {
    let (one, other) = (&before.deed, &step.deed);
    let same = one.act == other.act
        && one.mailbox == other.mailbox
        && one.uid_validity == other.uid_validity
        && (&one.host, &one.account) == (&other.host, &other.account);
    same && match &one.act {
        Act::Move { to } => {
            let validity = |step: &Step| step.stored.as_ref().map(|stored| stored.uid_validity);
            validity(before).is_some()
                && validity(before) == validity(step)
                && Some(to) != one.mailbox.as_ref()
                && [before, step].iter().all(|step| {
                    step.deed.facts.as_ref().is_none_or(|facts| facts.letters.is_empty())
                })
        }
        Act::StoreFlags { unchanged_since: None, .. } | Act::MarkSeen => {
            one.facts.is_some() && other.facts.is_some()
        }
        _ => false,
    }
}

/// Takes one step back over a connection.
struct Taking<'t> {
    database: &'t Database,
    client: &'t mut ImapClient,
    trail: &'t mut Trail,
    foreseen: &'t mut Foreseen,
    is_dry: bool,
    has_lost: bool,
}

impl Taking<'_> {
    fn take_back(&mut self, step: &Step) -> Taken {
        if self.trail.separator.is_none() {
            self.trail.separator = self.client.separator()?.map(str::to_owned);
        }
        let mailbox = step.deed.mailbox.clone().unwrap_or_default();
        let previous = step.deed.facts.as_ref().map(|facts| facts.previous.clone());
        let previous = previous.unwrap_or_default();
        let now = self.trail.name_now(&mailbox, step.id);
        match &step.deed.act {
            Act::StoreFlags { .. } | Act::MarkSeen => self.restore_flags(step, &mailbox),
            Act::Move { to } => {
                let places = new_places(step, to);
                let named = uids(step);
                let known: Vec<Place> =
                    named.iter().filter_map(|uid| places.get(uid).cloned()).collect();
                let unknown = named.len() - known.len();
                if known.is_empty() {
                    return Ok(impossible("the server did not say where the letters went"));
                }
                self.bring_home(known, step, &now, unknown)
            }
            Act::Expunge => self.restore_removed(step, &now),
            Act::Copy { to } => self.remove_copies(step, &mailbox, to),
            Act::Append { .. } => self.remove_appended(step, &mailbox),
            Act::CreateMailbox => self.delete_created(&now, &previous, step.id),
            Act::DeleteMailbox => self.create_again(&now, step),
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

    fn restore_flags(&mut self, step: &Step, mailbox: &str) -> Taken {
        let Some(validity) = step.deed.uid_validity else {
            return Ok(impossible("the mailbox has no UIDVALIDITY"));
        };
        let facts = step.deed.facts.iter().flat_map(|facts| &facts.letters);
        let before: Vec<&LetterFacts> = facts.filter(|letter| letter.flags.is_some()).collect();
        if by_number(step) {
            return Ok(impossible("the flags before it are not known"));
        }
        let place = |uid| Place { mailbox: mailbox.to_owned(), known: Known::Uid(validity, uid) };
        let places = before.iter().map(|letter| place(letter.uid)).collect();
        let places = self.trail.now(places, step.id);
        let found = self.find(&places)?;
        let mut changes: BTreeMap<ChangeOfFlags<'_>, Vec<u32>> = BTreeMap::new();
        let (mut gone, mut changed, mut other) = (0, 0, 0);
        for ((before, place), found) in before.iter().zip(&places).zip(&found) {
            let was = flag_set(before.flags.iter().flatten());
            let after = flags_after(&step.deed.act, &was);
            if was == after {
                continue;
            }
            let Some(found) = found else {
                gone += 1;
                continue;
            };
            let is = flag_set(found.flags.iter().flatten());
            let remove: Vec<String> = (&after - &was).intersection(&is).cloned().collect();
            let add: Vec<String> = (&(&was - &after) - &is).into_iter().collect();
            // In the case in which the server spelled them.
            let spelled = |flag: &String| {
                let known = before.flags.iter().flatten().chain(found.flags.iter().flatten());
                known.into_iter().find(|known| known.eq_ignore_ascii_case(flag)).cloned()
            };
            let spell = |flags: &[String]| flags.iter().filter_map(spelled).collect::<Vec<_>>();
            if remove.is_empty() && add.is_empty() {
                other += 1;
                continue;
            }
            changed += 1;
            if let (true, Some(uid)) = (self.is_dry, found.uid) {
                let kept = is.iter().filter(|flag| !remove.contains(flag)).cloned();
                let flags = kept.chain(add.iter().cloned()).collect();
                self.foreseen.flags.insert((place.mailbox.clone(), uid), flags);
            }
            let key = (place.mailbox.as_str(), spell(&remove), spell(&add));
            changes.entry(key).or_default().extend(found.uid);
        }
        for ((mailbox, remove, add), uids) in changes {
            if self.is_dry {
                continue;
            }
            open_as(self.client, mailbox, false)?;
            let messages = Messages::uids(uids);
            for (mode, flags) in [(StoreMode::Remove, remove), (StoreMode::Add, add)] {
                let flags: Vec<Flag> =
                    flags.iter().filter_map(|flag| Flag::new(flag).ok()).collect();
                if !flags.is_empty() {
                    self.client.store_silently(&messages, mode, &flags)?;
                }
            }
        }
        // Where letters are gone, the step that removed them says so.
        let mut words = Words::new(format!("flags of {}", letters_text(changed)));
        words.also(other, "of {} they are not as the run left them, or as before already");
        words.also(gone, "{} gone");
        Ok(words.verdict(changed, 0))
    }

    /// Moves letters that were at these places after the step into their mailbox.
    fn bring_home(&mut self, places: Vec<Place>, step: &Step, home: &str, unknown: usize) -> Taken {
        let places = self.trail.now(places, step.id);
        let (at_home, away): (Vec<Place>, Vec<Place>) =
            places.into_iter().partition(|place| place.mailbox == home);
        let found = self.find(&away)?;
        let mut moves: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for (place, found) in away.iter().zip(&found) {
            if let Some(uid) = found.as_ref().and_then(|found| found.uid) {
                moves.entry(&place.mailbox).or_default().push(uid);
            }
        }
        let moved: usize = moves.values().map(Vec::len).sum();
        let gone = away.len() - moved + unknown;
        if moved > 0 && !self.is_there(home)? {
            return Ok(impossible(&format!("the mailbox {home:?} is not there any more")));
        }
        for (mailbox, uids) in moves {
            let count = uids.len() as u64;
            if self.is_dry {
                *self.foreseen.left.entry(mailbox.to_owned()).or_default() += count;
                continue;
            }
            open_as(self.client, mailbox, false)?;
            self.client.move_to(&Messages::uids(uids), home)?;
        }
        let mut words = Words::new(format!("{} back to {home:?}", letters_text(moved)));
        words.also(at_home.len(), "{} there already");
        words.lost(gone, "{} not where the run left them");
        Ok(words.verdict(moved, gone))
    }

    fn restore_removed(&mut self, step: &Step, home: &str) -> Taken {
        let removed = uids(step);
        if let Some(copied) = self.copied_again(step)? {
            return Ok(copied);
        }
        let mut places = Vec::new();
        let mut without: Vec<u32> = Vec::new();
        for uid in removed {
            match self.trail.copy_of(step, uid) {
                Some(place) => places.push(place),
                None => without.push(uid),
            }
        }
        // Some may have stayed, if the server carried it out in part.
        let mut lost = without.len();
        if let Some(validity) = step.deed.uid_validity.filter(|_| !without.is_empty())
            && open_as(self.client, home, self.is_dry)? == Some(validity)
        {
            lost -= letters(self.client, &without)?.len();
        }
        let (verdict, mut words) = match places.is_empty() {
            true => (Verdict::Nothing, String::new()),
            false => self.bring_home(places, step, home, 0)?,
        };
        if lost == 0 {
            return Ok((verdict, words));
        }
        if !words.is_empty() {
            words += "; ";
        }
        let named: Vec<&str> = step
            .deed
            .facts
            .iter()
            .flat_map(|facts| &facts.letters)
            .filter(|letter| without.contains(&letter.uid))
            .filter_map(|letter| letter.message_id.as_deref())
            .take(3)
            .collect();
        words += &format!("{} removed for good", letters_text(lost));
        if !named.is_empty() {
            let more = if lost > named.len() { ", …" } else { "" };
            words += &format!(" ({}{more})", named.join(", "));
        }
        let partly = matches!(verdict, Verdict::Restored | Verdict::Partly);
        Ok((if partly { Verdict::Partly } else { Verdict::Impossible }, words))
    }

    /// If the step removed copies because an undo took a COPY back, copies the letters again.
    fn copied_again(&mut self, step: &Step) -> Result<Option<(Verdict, String)>, Error> {
        let Some(original) = step.reverses else { return Ok(None) };
        let original = self.database.step(original).ok().flatten();
        let Some(copy) = original else { return Ok(None) };
        let (Act::Copy { to }, Some(from)) = (&copy.deed.act, copy.deed.mailbox.clone()) else {
            return Ok(None);
        };
        let removed: BTreeSet<u32> = uids(step).into_iter().collect();
        let Some(validity) = copy.deed.uid_validity else { return Ok(None) };
        let sources: Vec<Place> = new_places(&copy, to)
            .into_iter()
            .filter(|(_, place)| match place.known {
                Known::Uid(_, uid) => removed.contains(&uid),
                Known::Identity(..) => true,
            })
            .map(|(uid, _)| Place { mailbox: from.clone(), known: Known::Uid(validity, uid) })
            .collect();
        let sources = self.trail.now(sources, copy.id);
        let found = self.find(&sources)?;
        let to = self.trail.name_now(to, copy.id);
        let mut again: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for (place, found) in sources.iter().zip(&found) {
            if let Some(uid) = found.as_ref().and_then(|found| found.uid) {
                again.entry(&place.mailbox).or_default().push(uid);
            }
        }
        let copied: usize = again.values().map(Vec::len).sum();
        for (mailbox, uids) in again.into_iter().filter(|_| !self.is_dry) {
            open_as(self.client, mailbox, false)?;
            self.client.copy(&Messages::uids(uids), &to)?;
        }
        let lost = removed.len().saturating_sub(copied);
        let mut words = Words::new(format!("{} copied to {to:?} again", letters_text(copied)));
        words.lost(lost, "{} gone");
        Ok(Some(words.verdict(copied, lost)))
    }

    fn remove_copies(&mut self, step: &Step, mailbox: &str, to: &str) -> Taken {
        let Some(validity) = step.deed.uid_validity else {
            return Ok(impossible("the mailbox has no UIDVALIDITY"));
        };
        let mut copies: BTreeMap<u32, Place> = new_places(step, to).into_iter().collect();
        if copies.is_empty() {
            return Ok(impossible("the server did not say where the copies are"));
        }
        let taken_over = self.trail.taken_over(step);
        let all = copies.len();
        copies.retain(|uid, _| !taken_over.contains(uid));
        if copies.is_empty() && all > 0 {
            return Ok(nothing("the copies have taken the place of the letters"));
        }
        let source =
            |uid: &u32| Place { mailbox: mailbox.to_owned(), known: Known::Uid(validity, *uid) };
        let sources = self.trail.now(copies.keys().map(source).collect(), step.id);
        let copies = self.trail.now(copies.into_values().collect(), step.id);
        let was_marked = self.was_marked(step);
        let originals = self.find(&sources)?;
        let found = self.find(&copies)?;
        let (mut remove, mut alone, mut changed, mut gone) = (BTreeMap::new(), 0, 0, 0);
        for ((place, found), original) in copies.iter().zip(&found).zip(&originals) {
            let flags = |letter: &Fetched| flags_of(letter, was_marked);
            match (found, original) {
                (None, _) => gone += 1,
                (_, None) => alone += 1,
                (Some(found), Some(original)) if flags(found) != flags(original) => changed += 1,
                (Some(found), _) => {
                    let uids: &mut Vec<u32> = remove.entry(place.mailbox.clone()).or_default();
                    uids.extend(found.uid);
                }
            }
        }
        let (removed, marked) = self.remove(remove)?;
        let copies = |count: usize| plural(count, "copy", "copies");
        let mut words = Words::new(format!("{} removed from {to:?}", copies(removed)));
        words.also(gone, "{} gone already");
        words.lost(alone, "{} kept, because the original is gone");
        words.lost(changed, "{} kept, because its flags are not the original's");
        words.lost(marked, "{} only marked \\Deleted: this server cannot remove single letters");
        Ok(words.verdict(removed, alone + changed + marked))
    }

    fn remove_appended(&mut self, step: &Step, mailbox: &str) -> Taken {
        let Act::Append { bytes, flags, message_id } = &step.deed.act else {
            return Ok(nothing(""));
        };
        if self.has_lost {
            return Ok(impossible(
                "the letter stays, because the run removed letters for good, and it may be one of them",
            ));
        }
        let previous = step.deed.facts.as_ref().map(|facts| facts.previous.clone());
        let known = match (&step.stored, previous) {
            (Some(stored), _) => match super::rows::numbers(&stored.to).as_deref() {
                Some(&[uid]) => Some(Known::Uid(stored.uid_validity, uid)),
                _ => None,
            },
            (None, Some(Previous::Next { uid_next, .. })) => {
                let (size, message_id) = (Some(*bytes), message_id.clone());
                let letter = LetterFacts { size, message_id, ..LetterFacts::default() };
                Some(Known::Identity(letter, uid_next))
            }
            _ => None,
        };
        let Some(known) = known else {
            return Ok(impossible("the server did not say where it stored the letter"));
        };
        let places = vec![Place { mailbox: mailbox.to_owned(), known }];
        let places = self.trail.now(places, step.id);
        let found = self.find(&places)?;
        let Some(found) = found.into_iter().flatten().next() else {
            return Ok(nothing("the letter is gone already, or several may be it"));
        };
        let given: Vec<String> = flags.iter().map(|flag| flag.as_str().to_owned()).collect();
        if flag_set(&given) != flags_of(&found, self.was_marked(step)) {
            return Ok(impossible("the letter stays, because its flags have changed since"));
        }
        let place = places[0].mailbox.clone();
        let uids = found.uid.into_iter().collect();
        let (_, marked) = self.remove(BTreeMap::from([(place.clone(), uids)]))?;
        if marked > 0 {
            return Ok(impossible(
                "it is only marked \\Deleted: this server cannot remove single letters",
            ));
        }
        Ok((Verdict::Restored, format!("the letter removed from {place:?}")))
    }

    /// Whether an undo that was interrupted has marked the letters of a step as `\Deleted`.
    fn was_marked(&self, step: &Step) -> bool {
        self.database.is_marked_by_undo(step.id).unwrap_or(false)
    }

    /// Removes letters. Returns how many were removed, and how many the server could only mark.
    fn remove(&mut self, letters: BTreeMap<String, Vec<u32>>) -> Result<(usize, usize), Error> {
        let (mut removed, mut marked) = (0, 0);
        for (mailbox, uids) in letters {
            let count = uids.len();
            if self.is_dry {
                *self.foreseen.left.entry(mailbox).or_default() += count as u64;
                removed += count;
                continue;
            }
            open_as(self.client, &mailbox, false)?;
            match self.client.remove(&uids.into_iter().collect())? {
                true => removed += count,
                false => marked += count,
            }
        }
        Ok((removed, marked))
    }

    fn delete_created(&mut self, mailbox: &str, previous: &Previous, step: i64) -> Taken {
        let names = match previous {
            Previous::Missing(missing) if missing.is_empty() => {
                return Ok(nothing("it was there before"));
            }
            Previous::Missing(missing) => {
                missing.iter().map(|name| self.trail.name_now(name, step)).collect()
            }
            _ => vec![mailbox.to_owned()],
        };
        let mut deleted = Vec::new();
        for name in names.iter().rev() {
            if !self.is_there(name)? {
                continue;
            }
            if let Some(why) = self.why_not_empty(name)? {
                return Ok(match deleted.is_empty() {
                    true => impossible(&format!("{name:?} stays: {why}")),
                    false => (
                        Verdict::Partly,
                        format!("{} deleted; {name:?} stays: {why}", deleted.join(", ")),
                    ),
                });
            }
            if !self.is_dry {
                self.leave()?;
                self.client.delete(name)?;
            }
            self.foreseen.deleted.insert(name.clone());
            self.foreseen.created.remove(name);
            deleted.push(format!("{name:?}"));
        }
        Ok(match deleted.is_empty() {
            true => nothing("it is not there"),
            false => (Verdict::Restored, format!("{} deleted", deleted.join(", "))),
        })
    }

    /// Why a mailbox must not be deleted: letters, or mailboxes below it.
    /// Whether the server lists a name without a mailbox.
    fn is_only_a_name(&mut self, name: &str) -> Result<bool, Error> {
        let listed = self.client.list("", name)?;
        let listed = listed.iter().find(|one| one.name == name);
        Ok(listed.is_none_or(|one| one.has("\\Noselect") || one.has("\\NonExistent")))
    }

    fn why_not_empty(&mut self, name: &str) -> Result<Option<String>, Error> {
        if let Some(separator) = self.trail.separator.clone().filter(|text| !text.is_empty()) {
            let prefix = format!("{name}{separator}");
            let below = self.client.list("", &format!("{prefix}*"))?;
            let there = below.iter().find(|one| {
                one.name.starts_with(&prefix) && !self.foreseen.deleted.contains(&one.name)
            });
            if let Some(below) = there {
                return Ok(Some(format!("{:?} is below it", below.name)));
            }
        }
        let left = self.foreseen.left.get(name).copied().unwrap_or(0);
        let count = match open_as(self.client, name, true)? {
            Some(_) => self.client.selected().map_or(0, |selected| u64::from(selected.exists)),
            None if self.is_only_a_name(name)? => 0,
            None => return Ok(Some("the server does not open it".to_owned())),
        };
        let count = count.saturating_sub(left);
        Ok((count > 0).then(|| format!("it has {}", letters_text(count as usize))))
    }

    fn create_again(&mut self, mailbox: &str, step: &Step) -> Taken {
        let lost = step.deed.facts.as_ref().and_then(|facts| facts.count);
        if self.is_there(mailbox)? {
            return Ok(nothing("it is there already"));
        }
        if !self.is_dry {
            self.client.create(mailbox)?;
        }
        self.foreseen.created.insert(mailbox.to_owned());
        self.foreseen.deleted.remove(mailbox);
        let created = format!("{mailbox:?} created");
        Ok(match lost {
            Some(0) => (Verdict::Restored, created),
            Some(lost) => {
                let lost = letters_text(lost as usize);
                (Verdict::Partly, format!("{created}; lost: {lost}"))
            }
            None => (Verdict::Partly, format!("{created}; lost: the letters in it")),
        })
    }

    fn rename_back(&mut self, step: &Step, from: &str, to: &str) -> Taken {
        let to = self.trail.name_now(to, step.id);
        if !self.is_there(&to)? {
            return Ok(impossible(&format!("the mailbox {to:?} is not there any more")));
        }
        if from.eq_ignore_ascii_case("INBOX") {
            return self.refill_inbox(step, &to);
        }
        if to == from {
            return Ok(nothing("it has its name already"));
        }
        if self.is_there(from)? {
            return Ok(impossible(&format!("a mailbox {from:?} exists")));
        }
        if !self.is_dry {
            self.leave()?;
            self.client.rename(&to, from)?;
        }
        self.foreseen.created.insert(from.to_owned());
        Ok((Verdict::Restored, format!("{to:?} renamed to {from:?}")))
    }

    /// RENAME of INBOX moves its letters into a new mailbox (RFC 3501 6.3.5).
    fn refill_inbox(&mut self, step: &Step, to: &str) -> Taken {
        open_as(self.client, to, self.is_dry)?;
        let exists = self.client.selected().map_or(0, |selected| u64::from(selected.exists));
        let expected = step.deed.facts.as_ref().and_then(|facts| facts.count);
        if expected != Some(exists) {
            return Ok(impossible(&format!("{to:?} does not have the letters that it had")));
        }
        if !self.is_dry {
            if exists > 0 {
                self.client.move_to(&Messages::all(), "INBOX")?;
            }
            self.leave()?;
            self.client.delete(to)?;
        }
        let words = format!("{} back to \"INBOX\", {to:?} deleted", letters_text(exists as usize));
        Ok((Verdict::Restored, words))
    }

    fn subscribe(&mut self, mailbox: &str, subscribe: bool) -> Taken {
        let listed = self.client.list_subscribed("", mailbox)?;
        let is_subscribed = listed.iter().any(|one| one.name == mailbox);
        if is_subscribed == subscribe {
            return Ok(nothing("it is as before already"));
        }
        if !self.is_dry {
            match subscribe {
                true => self.client.subscribe(mailbox)?,
                false => self.client.unsubscribe(mailbox)?,
            }
        }
        let words = if subscribe { "subscribed again" } else { "unsubscribed again" };
        Ok((Verdict::Restored, words.to_owned()))
    }

    fn set_previous(&mut self, step: &Step, mailbox: &str, previous: Previous) -> Taken {
        let value = match previous {
            Previous::Value(value) => Some(value),
            Previous::Absent => None,
            _ => return Ok(impossible("the server did not say what there was before")),
        };
        let mut moved = step.clone();
        moved.deed.mailbox = Some(mailbox.to_owned());
        let now = match previous_now(&moved, self.client)? {
            Previous::Value(value) => Some(value),
            _ => None,
        };
        if now == value {
            return Ok(nothing("it is as before already"));
        }
        let (left, what) = match &step.deed.act {
            Act::SetRights { identifier, rights } => (
                rights_after(value.as_deref(), rights.as_deref()),
                format!("rights of {identifier:?}"),
            ),
            Act::SetMetadata { entry, value } => (value.clone(), entry.clone()),
            _ => return Ok(nothing("")),
        };
        let sorted = |rights: &Option<String>| {
            let mut letters: Vec<char> = rights.iter().flat_map(|rights| rights.chars()).collect();
            letters.sort_unstable();
            letters
        };
        let is_as_left = match &step.deed.act {
            Act::SetMetadata { .. } => now == left,
            _ => sorted(&now) == sorted(&left),
        };
        if !is_as_left {
            return Ok(impossible("it was changed since"));
        }
        if !self.is_dry {
            match &step.deed.act {
                Act::SetRights { identifier, .. } => {
                    self.client.set_rights(mailbox, identifier, value.as_deref())?;
                }
                Act::SetMetadata { entry, .. } => {
                    self.client.set_metadata(mailbox, entry, value.as_deref())?;
                }
                _ => {}
            }
        }
        Ok((Verdict::Restored, format!("{what} as before")))
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

    /// The letters at these places, with their flags; `None` for one that is not there, and for one
    /// that several may be.
    fn find(&mut self, places: &[Place]) -> Result<Vec<Option<Fetched>>, Error> {
        let mut found: Vec<Option<Fetched>> = vec![None; places.len()];
        let mailboxes: BTreeSet<&str> = places.iter().map(|place| place.mailbox.as_str()).collect();
        for mailbox in mailboxes {
            let here = || places.iter().enumerate().filter(|(_, place)| place.mailbox == mailbox);
            let Some(validity) = open_as(self.client, mailbox, self.is_dry)? else { continue };
            let by_uid = |(at, place): (usize, &Place)| match place.known {
                Known::Uid(known, uid) if known == validity => Some((at, uid)),
                _ => None,
            };
            let uids: Vec<(usize, u32)> = here().filter_map(by_uid).collect();
            let named: Vec<u32> = uids.iter().map(|(_, uid)| *uid).collect();
            let there = letters(self.client, &named)?;
            for (at, uid) in uids {
                found[at] = there.get(&uid).cloned();
            }
            let identified: Vec<(usize, &LetterFacts, u32)> = here()
                .filter_map(|(at, place)| match &place.known {
                    Known::Identity(letter, lowest) => Some((at, letter, *lowest)),
                    Known::Uid(..) => None,
                })
                .collect();
            let Some(lowest) = identified.iter().map(|(_, _, lowest)| *lowest).min() else {
                continue;
            };
            let there = letters_from(self.client, lowest)?;
            // Letters that are alike stand for each other, if there are as many as are looked for.
            let mut groups: Vec<(&LetterFacts, u32, Vec<usize>)> = Vec::new();
            for (at, letter, lowest) in identified {
                let like = |one: &LetterFacts| LetterFacts { uid: 0, flags: None, ..one.clone() };
                match groups.iter_mut().find(|(one, ..)| like(one) == like(letter)) {
                    Some((_, first, group)) => {
                        *first = lowest.min(*first);
                        group.push(at);
                    }
                    None => groups.push((letter, lowest, vec![at])),
                }
            }
            for (letter, lowest, group) in groups {
                let same = there
                    .iter()
                    .filter(|found| found.uid >= Some(lowest) && is_letter(found, letter))
                    .collect::<Vec<_>>();
                if same.len() == group.len() {
                    group.iter().zip(same).for_each(|(at, same)| found[*at] = Some(same.clone()));
                }
            }
        }
        for (found, place) in found.iter_mut().zip(places).filter(|_| self.is_dry) {
            let Some(letter) = found else { continue };
            let key = (place.mailbox.clone(), letter.uid.unwrap_or(0));
            if let Some(flags) = self.foreseen.flags.get(&key) {
                letter.flags = Some(flags.clone());
            }
        }
        Ok(found)
    }
}

/// The flags of a letter to compare; without `\Deleted` if an undo has set it.
fn flags_of(letter: &Fetched, was_marked: bool) -> BTreeSet<String> {
    let mut flags = flag_set(letter.flags.iter().flatten());
    if was_marked {
        flags.remove("\\deleted");
    }
    flags
}

/// The rights after a SETACL, if there were these before (RFC 4314 3.1).
fn rights_after(before: Option<&str>, change: Option<&str>) -> Option<String> {
    let before = before.unwrap_or_default();
    match (change?, change?.get(1..)) {
        (change, Some(more)) if change.starts_with('+') => {
            let new = more.chars().filter(|right| !before.contains(*right));
            Some(before.chars().chain(new).collect())
        }
        (change, Some(less)) if change.starts_with('-') => {
            Some(before.chars().filter(|right| !less.contains(*right)).collect())
        }
        (change, _) => Some(change.to_owned()),
    }
}

fn nothing(words: &str) -> (Verdict, String) {
    (Verdict::Nothing, words.to_owned())
}

fn impossible(words: &str) -> (Verdict, String) {
    (Verdict::Impossible, words.to_owned())
}

fn plural(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

fn letters_text(count: usize) -> String {
    plural(count, "letter", "letters")
}

/// Builds the words about a step.
struct Words(String);

impl Words {
    fn new(words: String) -> Self {
        Words(words)
    }

    /// Adds what needed nothing, if there is any.
    fn also(&mut self, count: usize, words: &str) {
        if count > 0 {
            self.0 += &format!("; {}", words.replace("{}", &count.to_string()));
        }
    }

    /// Adds what cannot come back, if there is any.
    fn lost(&mut self, count: usize, words: &str) {
        self.also(count, words);
    }

    fn verdict(self, done: usize, lost: usize) -> (Verdict, String) {
        let verdict = match (done, lost) {
            (0, 0) => Verdict::Nothing,
            (_, 0) => Verdict::Restored,
            (0, _) => Verdict::Impossible,
            _ => Verdict::Partly,
        };
        (verdict, self.0)
    }
}
