//! Which letters of a mailbox are new for a cursor.
//!
//! Letters are new if their UID is above the cursor's. Where there is no cursor yet, it begins as the
//! script says; under another UIDVALIDITY the letters that are not new are told by Message-ID, date
//! and size ([`identity`]).

use super::searching::search;
use crate::client::{Error, ImapClient};
use crate::condition::Condition;
use crate::host::{self, Value};
use crate::proto::imap::sequence::Bound;
use crate::proto::imap::{Messages, SearchKey, SequenceSet};
use crate::proto::witness::LetterFacts;
use crate::state::{Known, MOST_KNOWN};
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::num::NonZeroU32;

/// Where to look for new letters.
#[derive(Clone)]
pub(super) enum Look {
    /// Above this UID.
    Above(u32),
    /// Nowhere: the cursor begins after the letters that are there.
    Nowhere,
    /// Everywhere.
    All,
    /// Among the letters that a search finds.
    Found(SearchKey),
    /// Among those that are not known.
    Unknown(Known),
}

/// What was found.
pub(super) struct Looked {
    /// The UIDs of the new letters, ascending.
    pub uids: Vec<u32>,
    /// The highest UID that was looked at.
    pub upto: u32,
    /// What to know of the letters up to there.
    pub known: Known,
    /// The identities of the last letters, by UID.
    pub identities: Vec<(u32, u64)>,
}

/// Reads where a new cursor begins, the argument `:from` of a function.
pub(super) fn beginning(function: &str, from: &Value) -> Result<Look, Condition> {
    match host::as_keyword(from) {
        Some("now") => return Ok(Look::Nowhere),
        Some("all") => return Ok(Look::All),
        _ => {}
    }
    let since = host::list(vec![host::keyword("since"), from.clone()]);
    match search(function, &since, &SequenceSet::new).ok().and_then(|date| date.to_key()) {
        Some(key) => Ok(Look::Found(key)),
        None => Err(host::wrong_argument(function, ":from", ":now, :all or a date", from)),
    }
}

/// `user@host`, with the port unless it is IMAP's own.
pub(super) fn account_of(client: &ImapClient) -> String {
    let account = client.account();
    let user = account.user.map_or_else(String::new, |user| format!("{user}@"));
    match account.port {
        143 | 993 => format!("{user}{}", client.host()),
        port => format!("{user}{}:{port}", client.host()),
    }
}

/// Looks for new letters in the selected mailbox. `known` is what the cursor knows. Until the server
/// has told that letters arrived, which NOOP lets it do, a search need not find them.
pub(super) fn look_for(
    client: &mut ImapClient,
    look: &Look,
    known: Known,
) -> Result<Looked, Error> {
    if let Look::Above(uid) = *look {
        let selected = client.selected();
        let next = selected.and_then(|selected| {
            // Once letters have arrived, the next UID is not known.
            let next = selected.uid_next?;
            (selected.lowest_next_uid() == Some(next.into())).then_some(next)
        });
        if let Some(next) = next.filter(|next| uid >= *next) {
            client.notice(format!(
                "the cursor is at the unique id {uid}, and the next letter gets {next}: letters up to there are taken for old; postoffice cursors sets it back"
            ));
        }
        let uids = above(client, uid)?;
        let mut known = known;
        let identities = identities_of(client, &uids)?;
        known.add(identities.iter().map(|(_, identity)| *identity));
        let upto = uids.last().copied().unwrap_or(uid);
        return Ok(Looked { uids, upto, known, identities });
    }
    // Where the letters end is asked first: what arrives until the search is left to the next call.
    let asked = match look {
        Look::Unknown(_) => Messages::all(),
        _ => last_letters(client),
    };
    let mut facts = match exists(client) {
        0 => Vec::new(),
        _ => client.identities(&asked)?,
    };
    facts.sort_by_key(|letter| letter.uid);
    let upto = facts.last().map_or(0, |letter| letter.uid);
    let mut uids = match look {
        Look::Nowhere => Vec::new(),
        Look::Found(key) => client.uid_search(key)?,
        _ => client.uid_search(&SearchKey::All)?,
    };
    if let Look::Unknown(known) = look {
        uids = not_known(&facts, known);
    }
    uids.retain(|uid| *uid <= upto);
    uids.sort_unstable();
    let mut known = Known::default();
    let identities: Vec<_> = facts.iter().map(|letter| (letter.uid, identity(letter))).collect();
    known.add(identities.iter().map(|(_, identity)| *identity));
    known.has_earlier |= exists(client) as usize > facts.len();
    Ok(Looked { uids, upto, known, identities })
}

/// The identities of these letters, by UID, ascending.
pub(super) fn identities_of(
    client: &mut ImapClient,
    uids: &[u32],
) -> Result<Vec<(u32, u64)>, Error> {
    if uids.is_empty() {
        return Ok(Vec::new());
    }
    let mut facts = client.identities(&Messages::uids(uids.iter().copied()))?;
    facts.sort_by_key(|letter| letter.uid);
    Ok(facts.iter().map(|letter| (letter.uid, identity(letter))).collect())
}

/// The UIDs above one. `n:*` is never empty: it stands for the last letter if that is below `n`
/// (RFC 3501 6.4.8).
fn above(client: &mut ImapClient, uid: u32) -> Result<Vec<u32>, Error> {
    let Some(first) = uid.checked_add(1).and_then(NonZeroU32::new) else { return Ok(Vec::new()) };
    let mut set = SequenceSet::new();
    set.push_range(Bound::Number(first), Bound::Last);
    let mut uids = client.uid_search(&SearchKey::Uid(set))?;
    uids.retain(|found| *found > uid);
    uids.sort_unstable();
    Ok(uids)
}

fn exists(client: &ImapClient) -> u32 {
    client.selected().map_or(0, |selected| selected.exists)
}

/// The letters that a cursor remembers.
fn last_letters(client: &ImapClient) -> Messages {
    let count = exists(client);
    let first = count.saturating_sub(MOST_KNOWN as u32) + 1;
    let mut set = SequenceSet::new();
    if let Some(first) = NonZeroU32::new(first) {
        set.push_range(Bound::Number(first), Bound::Last);
    }
    Messages::Numbers(set)
}

/// What tells a letter again: Message-ID, date and size.
fn identity(letter: &LetterFacts) -> u64 {
    let mut hash = Sha256::new();
    hash.update(letter.message_id.as_deref().unwrap_or_default());
    hash.update([0]);
    hash.update(letter.internal_date.unwrap_or_default().to_le_bytes());
    hash.update(letter.size.unwrap_or_default().to_le_bytes());
    let hash = hash.finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    u64::from_le_bytes(first)
}

/// The UIDs of letters that the cursor does not know. If it has forgotten the earliest, letters
/// before the first known one are not new.
fn not_known(facts: &[LetterFacts], known: &Known) -> Vec<u32> {
    let letters: HashSet<u64> = known.letters.iter().copied().collect();
    let is_known = |letter: &LetterFacts| letters.contains(&identity(letter));
    let first = match known.has_earlier {
        true => facts.iter().position(is_known).unwrap_or(0),
        false => 0,
    };
    facts[first..].iter().filter(|letter| !is_known(letter)).map(|letter| letter.uid).collect()
}
