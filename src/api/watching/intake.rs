//! Finds what is new in a mailbox, and writes it down in the state database.
//!
//! It runs in a thread of its own, so that a slow server holds no other mailbox up. The database is
//! the truth: what has to be handled is read from it each time, so nothing is lost with a
//! connection or a process.

use crate::api::looking::{Look, identities_of, look_for};
use crate::api::objects::ImapMailbox;
use crate::api::selection::{Borrowed, folded, is_selected};
use crate::client::{Error, ImapClient, StatusValue};
use crate::proto::imap::SearchKey;
use crate::state::{Cursor, CursorKey, Due, Known, OnDemand, StateError, now};
use std::collections::{HashMap, HashSet};
use std::num::NonZeroU32;

/// How often mailboxes are asked for again that were left. A server whose STATUS and SELECT differ
/// would have no end.
const MOST_ROUNDS: usize = 10;

/// How often a cursor is read again that somebody else has committed meanwhile.
const MOST_RACES: usize = 5;

/// The identity of a letter that is known by its UID only.
const UNKNOWN: u64 = 0;

/// What to look for.
pub(super) struct Wanted {
    pub mailbox: String,
    pub key: CursorKey,
    /// Where a new cursor begins.
    pub from: Look,
    /// Whether the connection serves other mailboxes, too: then this one is selected only if something
    /// is new.
    pub among_others: bool,
    /// Whether a letter is to be tried again now.
    pub is_due: bool,
    /// Whether another mailbox was selected in the place of this one since the last look.
    pub was_left: bool,
}

/// What was found.
pub(super) struct Found {
    /// All letters that have to be handled, now or later.
    pub due: Vec<Due>,
    pub arrived: usize,
    /// How many of those that had to be handled have left the mailbox.
    pub left: usize,
    pub other_uids: bool,
}

/// The next UID of each mailbox when it was looked at.
type Seen = HashMap<String, u64>;

/// What became of the look at one mailbox.
pub(super) enum Outcome {
    Found(Found),
    /// Nothing has changed since the last look.
    Same,
    /// The server refuses this mailbox.
    Refused(Error),
}

/// Why nothing was found.
pub(super) enum Failure {
    /// The server or the connection.
    Mail(Error),
    /// The state database.
    State(StateError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Mail(error)
    }
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        Failure::State(error)
    }
}

/// Looks for new letters in the mailboxes of a connection.
pub(super) fn take_in_all(
    mailbox: &ImapMailbox,
    database: &OnDemand,
    wanted: &[Wanted],
) -> Result<Vec<Outcome>, Failure> {
    if wanted.iter().all(|wanted| !wanted.among_others) {
        let take_in = |(number, wanted)| {
            // What the server has announced is found by the first, and what comes later after it.
            take_in(mailbox, database, wanted, number == 0, &mut Seen::new()).map(Outcome::Found)
        };
        return wanted.iter().enumerate().map(take_in).collect();
    }
    let news = news(&mut mailbox.client(), wanted)?;
    let has_news = |wanted: &Wanted| {
        let is_named = |news: &Vec<String>| news.contains(&wanted.mailbox);
        wanted.is_due || wanted.was_left || news.as_ref().is_none_or(is_named)
    };
    let mut outcomes: Vec<Outcome> = wanted.iter().map(|_| Outcome::Same).collect();
    let mut open: Vec<usize> = (0..wanted.len()).filter(|one| has_news(&wanted[*one])).collect();
    let (mut is_first, mut seen) = (true, Seen::new());
    // A letter that comes while its mailbox is selected is not told once another one is selected. So
    // each mailbox that was left is asked for again.
    for _ in 0..MOST_ROUNDS {
        let mut left = Vec::new();
        for one in std::mem::take(&mut open) {
            let before = selected(&mailbox.client());
            let is_first = std::mem::take(&mut is_first);
            match take_in(mailbox, database, &wanted[one], is_first, &mut seen) {
                Ok(found) => outcomes[one].add(found),
                Err(Failure::Mail(error @ Error::Refused { .. })) => {
                    outcomes[one] = Outcome::Refused(error);
                }
                Err(failure) => return Err(failure),
            }
            if before.is_some() && before != selected(&mailbox.client()) {
                left.extend(before);
            }
        }
        let was_left = |one: &usize| left.iter().any(|name| name == folded(&wanted[*one].mailbox));
        open = (0..wanted.len()).filter(was_left).collect();
    }
    Ok(outcomes)
}

/// The mailbox that is selected.
fn selected(client: &ImapClient) -> Option<String> {
    client.selected().map(|selected| folded(&selected.name).to_owned())
}

impl Outcome {
    /// Adds what a later look has found.
    fn add(&mut self, later: Found) {
        *self = Outcome::Found(match self {
            Outcome::Found(earlier) => Found {
                arrived: earlier.arrived + later.arrived,
                left: earlier.left + later.left,
                other_uids: earlier.other_uids || later.other_uids,
                ..later
            },
            Outcome::Same | Outcome::Refused(_) => later,
        });
    }
}

/// The mailboxes with news; `None` if nobody knows. Begins NOTIFY where the server has it.
fn news(client: &mut ImapClient, wanted: &[Wanted]) -> Result<Option<Vec<String>>, Error> {
    if client.is_notified() {
        let mut news: Vec<String> =
            client.take_mailbox_news().into_iter().map(|news| news.name).collect();
        // Of the selected one the server sends no STATUS.
        let selected = |wanted: &&Wanted| is_selected(client, &wanted.mailbox, false);
        news.extend(wanted.iter().filter(selected).map(|wanted| wanted.mailbox.clone()));
        return Ok(Some(news));
    }
    if client.capabilities().offers("NOTIFY") {
        let mut names: Vec<&str> = wanted.iter().map(|wanted| wanted.mailbox.as_str()).collect();
        names.dedup();
        match client.notify(&names) {
            Ok(_) => {}
            // It does not want to watch so many.
            Err(Error::Refused { .. }) if client.notify_overflowed() => client.notify_none()?,
            Err(Error::Refused { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Looks for new letters in a mailbox. Selects it, unless it is one of several without news. The first of
/// several calls forgets what the server has announced so far, because it is found now.
fn take_in(
    mailbox: &ImapMailbox,
    database: &OnDemand,
    wanted: &Wanted,
    is_first: bool,
    seen: &mut Seen,
) -> Result<Found, Failure> {
    let mut client = mailbox.client();
    let key = &wanted.key;
    mailbox.extra::<Borrowed>().restore(&mut client, mailbox)?;
    if !is_selected(&client, &wanted.mailbox, false) {
        if wanted.among_others
            && let Some(due) =
                has_nothing_new(&mut client, database, key, seen.get(&wanted.mailbox))?
        {
            return Ok(Found { due, arrived: 0, left: 0, other_uids: false });
        }
        client.select(&wanted.mailbox, false)?;
    }
    let uid_validity =
        client.selected().and_then(|selected| selected.uid_validity).ok_or_else(|| {
            Error::Unsupported("the server tells no UIDVALIDITY, which a cursor needs".into())
        })?;
    let (mut arrived, mut other_uids) = (0, false);
    for race in 0.. {
        let stored = database.with(|database| database.cursor(key))?;
        let revision = stored.as_ref().map_or(0, |cursor| cursor.revision);
        let (look, known) = match stored {
            None => (wanted.from.clone(), Known::default()),
            Some(cursor) if cursor.uid_validity == uid_validity => {
                (Look::Above(cursor.uid), cursor.known)
            }
            Some(cursor) => {
                other_uids = true;
                (Look::Unknown(cursor.known), Known::default())
            }
        };
        client.noop()?;
        if is_first {
            client.forget_unheard();
        }
        if let Some(next) = client.selected().and_then(|selected| selected.lowest_next_uid()) {
            seen.insert(wanted.mailbox.clone(), next);
        }
        let looked = look_for(&mut client, &look, known)?;
        if matches!(look, Look::Above(uid) if uid == looked.upto) {
            break; // nothing new
        }
        let letters = with_identities(&mut client, &looked.uids, looked.identities)?;
        let (uid, known) = (looked.upto, looked.known);
        let cursor = Cursor { uid_validity, uid, known, revision, committed: 0 };
        if other_uids {
            renumber(&mut client, database, key, uid_validity)?;
        }
        if database.with(|database| database.take_in(key, &cursor, &letters, now()))? {
            arrived = letters.len();
            break;
        }
        if race == MOST_RACES {
            let cause =
                format!("another process commits the cursor {:?} again and again", key.name);
            return Err(StateError { path: "(cursor)".into(), cause }.into());
        }
    }
    let mut due = database.with(|database| database.due(key))?;
    if due.iter().any(|letter| is_lost(letter, uid_validity)) {
        renumber(&mut client, database, key, uid_validity)?;
        due = database.with(|database| database.due(key))?;
    }
    due.retain(|letter| letter.uid_validity == uid_validity);
    let left =
        if arrived < due.len() { forget_left(&mut client, database, key, &mut due)? } else { 0 };
    Ok(Found { due, arrived, left, other_uids })
}

/// Asks for the next UID of a mailbox that is not selected. Returns what is due there if nothing is
/// new and nothing can be done.
fn has_nothing_new(
    client: &mut ImapClient,
    database: &OnDemand,
    key: &CursorKey,
    seen: Option<&u64>,
) -> Result<Option<Vec<Due>>, Failure> {
    let (Some(cursor), due) =
        database.with(|database| Ok((database.cursor(key)?, database.due(key)?)))?
    else {
        return Ok(None);
    };
    let now = now();
    if due.iter().any(|letter| letter.next.is_some_and(|next| next <= now)) {
        return Ok(None);
    }
    let items = ["UIDVALIDITY", "UIDNEXT"].map(str::to_owned);
    let answers = client.status(&key.mailbox, &items)?;
    let number = |item: &str| {
        answers.iter().find(|(name, _)| name == item).and_then(|(_, value)| match value {
            StatusValue::Number(number) => Some(*number),
            _ => None,
        })
    };
    let is_same = number("UIDVALIDITY") == Some(cursor.uid_validity.into());
    // A letter above the cursor may have left before it was seen.
    let is_behind = |next: u64| next <= u64::from(cursor.uid) + 1 || seen == Some(&next);
    let nothing = is_same && number("UIDNEXT").is_some_and(is_behind);
    let due = due.into_iter().filter(|letter| letter.uid_validity == cursor.uid_validity);
    Ok(nothing.then(|| due.collect()))
}

/// Pairs UIDs with identities; asks for those that are not known.
fn with_identities(
    client: &mut ImapClient,
    uids: &[u32],
    known: Vec<(u32, u64)>,
) -> Result<Vec<(u32, u64)>, Error> {
    let mut identities: HashMap<u32, u64> = known.into_iter().collect();
    let missing: Vec<u32> =
        uids.iter().copied().filter(|uid| !identities.contains_key(uid)).collect();
    identities.extend(identities_of(client, &missing)?);
    let silent: Vec<NonZeroU32> = uids
        .iter()
        .filter(|uid| !identities.contains_key(uid))
        .filter_map(|uid| NonZeroU32::new(*uid))
        .collect();
    if !silent.is_empty() {
        // Those that have left since are not new. Of others the server has told nothing, as when it
        // could not open them just then.
        let there = client.uid_search(&SearchKey::Uid(silent.into_iter().collect()))?;
        identities.extend(there.into_iter().map(|uid| (uid, UNKNOWN)));
    }
    Ok(uids.iter().filter_map(|uid| Some((*uid, *identities.get(uid)?))).collect())
}

/// Whether a letter that can be handled has the UID of another UIDVALIDITY.
fn is_lost(letter: &Due, uid_validity: u32) -> bool {
    letter.uid_validity != uid_validity && letter.next.is_some()
}

/// Gives letters that are due their UIDs under another UIDVALIDITY.
fn renumber(
    client: &mut ImapClient,
    database: &OnDemand,
    key: &CursorKey,
    uid_validity: u32,
) -> Result<(), Failure> {
    let due = database.with(|database| database.due(key))?;
    let old: Vec<&Due> = due.iter().filter(|letter| is_lost(letter, uid_validity)).collect();
    if old.is_empty() {
        return Ok(());
    }
    let all = client.uid_search(&SearchKey::All)?;
    let mut uids: HashMap<u64, Vec<u32>> = HashMap::new();
    for (uid, identity) in identities_of(client, &all)? {
        uids.entry(identity).or_default().push(uid);
    }
    database.with(|database| {
        database.together(|| {
            // Of letters that are alike the first ones were handled.
            old.iter().rev().try_for_each(|letter| {
                match uids.get_mut(&letter.identity).and_then(Vec::pop) {
                    Some(uid) => database.renumber(key, letter, (uid_validity, uid)),
                    None => {
                        // Nobody knows whether it is there, so it is kept for people to look at.
                        let error = "not found again after a change of UIDVALIDITY".to_owned();
                        let (attempts, error) = (letter.attempts + 1, Some(error));
                        let aside = Due { attempts, next: None, error, ..(*letter).clone() };
                        database.note_failure(key, &aside)
                    }
                }
            })
        })
    })?;
    Ok(())
}

/// Forgets letters that can be handled now and are not there any more. Returns how many.
fn forget_left(
    client: &mut ImapClient,
    database: &OnDemand,
    key: &CursorKey,
    due: &mut Vec<Due>,
) -> Result<usize, Failure> {
    let now = now();
    let can_be_handled = |letter: &Due| letter.next.is_some_and(|next| next <= now);
    let uids = due.iter().filter(|letter| can_be_handled(letter)).map(|letter| letter.uid);
    let asked: Vec<NonZeroU32> = uids.filter_map(NonZeroU32::new).collect();
    if asked.is_empty() {
        return Ok(0);
    }
    let there: HashSet<u32> =
        client.uid_search(&SearchKey::Uid(asked.into_iter().collect()))?.into_iter().collect();
    let (gone, kept) = std::mem::take(due)
        .into_iter()
        .partition(|letter| can_be_handled(letter) && !there.contains(&letter.uid));
    *due = kept;
    let gone: Vec<Due> = gone;
    database.with(|database| {
        database.together(|| {
            gone.iter()
                .try_for_each(|letter| database.done_with(key, letter.uid_validity, letter.uid))
        })
    })?;
    Ok(gone.len())
}
