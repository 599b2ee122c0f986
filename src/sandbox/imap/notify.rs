//! The command NOTIFY (RFC 5465 3.1): which mailboxes a client watches, and for which events. `news`
//! sends what happens there.
//!
//! Of the events, those of annotations and of metadata are not supported (BADEVENT). `inboxes` means
//! the same as `personal` (6.3), which is all mailboxes of the account. Events that the client
//! itself causes are told like others.

use std::collections::BTreeSet;

use imap_codec::CommandCodec;
use imap_codec::decode::Decoder;
use imap_codec::imap_types::command::CommandBody;

use crate::sandbox::imap::objects::{self, Extra};
use crate::sandbox::imap::own::{Own, Word, Words};
use crate::sandbox::imap::session::{Refusal, bad, no};
use crate::sandbox::store::names::{Names, Separator};

/// The events that are supported.
const SUPPORTED: [&str; 5] =
    ["MessageNew", "MessageExpunge", "FlagChange", "MailboxName", "SubscriptionChange"];

/// NOTIFY SET. NOTIFY NONE has no groups.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Notify {
    /// Whether the status of each mailbox is told first.
    pub(crate) status: bool,
    pub(crate) groups: Vec<Group>,
}

/// Mailboxes and their events; none for `NONE`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Group {
    filter: Filter,
    events: Vec<Event>,
}

/// The mailboxes of a group (6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Filter {
    Selected {
        delayed: bool,
    },
    Personal,
    Subscribed,
    /// These mailboxes and all below them.
    Subtree(BTreeSet<String>),
    Mailboxes(BTreeSet<String>),
}

/// An event as the client writes it, and the items of FETCH after MessageNew.
#[derive(Debug, PartialEq, Eq)]
struct Event {
    name: String,
    items: Option<Vec<u8>>,
}

/// What is told of which mailboxes.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    /// Of the selected mailbox; `None` for nothing.
    pub(crate) selected: Option<OfSelected>,
    /// Of the others: the first group that has a mailbox decides.
    pub(crate) others: Vec<(Filter, Wanted)>,
}

/// What is told of the mailboxes of a group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Letters that arrive and leave.
    pub(crate) letters: bool,
    pub(crate) flags: bool,
    /// Mailboxes that are made, removed and renamed.
    pub(crate) names: bool,
    pub(crate) subscriptions: bool,
}

/// What is told of the selected mailbox.
#[derive(Debug)]
pub(crate) struct OfSelected {
    pub(crate) flags: bool,
    /// Whether EXPUNGE waits for a command that allows it.
    pub(crate) delayed: bool,
    /// What is fetched of new letters, as in a command.
    pub(crate) items: Option<Vec<u8>>,
}

impl Notify {
    /// Reads what follows the name of the command.
    pub(crate) fn decode(words: &mut Words<'_>) -> Option<Notify> {
        let mut notify = Notify::default();
        match words.atom()?.to_ascii_uppercase().as_str() {
            "NONE" => return Some(notify),
            "SET" => {}
            _ => return None,
        }
        notify.status =
            words.clone().atom().is_some_and(|word| word.eq_ignore_ascii_case("STATUS"));
        if notify.status {
            words.atom()?;
        }
        while words.open() {
            notify.groups.push(group(words)?);
        }
        (!notify.groups.is_empty()).then_some(notify)
    }

    /// Checks the events (5). `stored` makes mailbox names those of the store.
    pub(crate) fn checked(self, stored: impl Fn(&str) -> String) -> Result<Wishes, Refusal> {
        let is = |event: &Event, name: &str| event.name.eq_ignore_ascii_case(name);
        let is_supported = |event: &Event| SUPPORTED.iter().any(|known| is(event, known));
        if !self.groups.iter().flat_map(|group| &group.events).all(is_supported) {
            return no(format!("[BADEVENT ({})] An event is not supported.", SUPPORTED.join(" ")));
        }
        let mut wishes = Wishes::default();
        let mut has_selected = false;
        for Group { filter, mut events } in self.groups {
            let has = |name: &str| events.iter().any(|event| is(event, name));
            let wanted = Wanted {
                letters: has("MessageNew"),
                flags: has("FlagChange"),
                names: has("MailboxName"),
                subscriptions: has("SubscriptionChange"),
            };
            if wanted.letters != has("MessageExpunge") {
                return bad("MessageNew and MessageExpunge go together.");
            }
            if wanted.flags && !wanted.letters {
                return bad("FlagChange needs MessageNew and MessageExpunge.");
            }
            let items: Vec<(bool, Vec<u8>)> = events
                .iter_mut()
                .filter_map(|event| Some((is(event, "MessageNew"), event.items.take()?)))
                .collect();
            let Filter::Selected { delayed } = filter else {
                if !items.is_empty() {
                    return bad("Only letters of the selected mailbox can be fetched.");
                }
                wishes.others.push((filter.with_names(&stored), wanted));
                continue;
            };
            if std::mem::replace(&mut has_selected, true) {
                return bad("The selected mailbox can be in one group only.");
            }
            if wanted.names || wanted.subscriptions {
                return bad("Only events of letters can be told of the selected mailbox.");
            }
            if !items.iter().all(|(is_new, items)| *is_new && fetch(items, 1, 1).is_some()) {
                return bad("These items cannot be fetched.");
            }
            if wanted.letters {
                let items = items.into_iter().next().map(|(_, items)| items);
                wishes.selected = Some(OfSelected { flags: wanted.flags, delayed, items });
            }
        }
        Ok(wishes)
    }
}

impl Filter {
    /// Whether a mailbox that is not selected is among them.
    pub(crate) fn has(&self, name: &str, names: &Names, separator: Separator) -> bool {
        match self {
            Filter::Selected { .. } => false,
            Filter::Personal => true,
            Filter::Subscribed => names.subscribed.contains(name),
            Filter::Mailboxes(mailboxes) => mailboxes.contains(name),
            Filter::Subtree(roots) => roots.iter().any(|root| {
                root == name
                    || separator.below(root).is_some_and(|prefix| name.starts_with(&prefix))
            }),
        }
    }

    fn with_names(self, stored: impl Fn(&str) -> String) -> Filter {
        let all = |names: BTreeSet<String>| names.iter().map(|name| stored(name)).collect();
        match self {
            Filter::Subtree(names) => Filter::Subtree(all(names)),
            Filter::Mailboxes(names) => Filter::Mailboxes(all(names)),
            other => other,
        }
    }
}

impl Wanted {
    pub(crate) fn is_nothing(self) -> bool {
        self == Wanted::default()
    }
}

/// The FETCH of letters by number; `None` for items that are not known.
pub(crate) fn fetch(
    items: &[u8],
    first: u32,
    last: u32,
) -> Option<(CommandBody<'static>, Vec<Extra>)> {
    let command = [format!("a FETCH {first}:{last} ").as_bytes(), items, b"\r\n"].concat();
    match CommandCodec::default().decode_static(&command) {
        Ok((b"", command)) => Some((command.body, Vec::new())),
        _ => match objects::decode(&command)? {
            (_, Own::Fetch(body, extras)) => Some((*body, extras)),
            _ => None,
        },
    }
}

/// Reads a group after its parenthesis.
fn group(words: &mut Words<'_>) -> Option<Group> {
    let filter = match words.atom()?.to_ascii_lowercase().as_str() {
        "selected" => Filter::Selected { delayed: false },
        "selected-delayed" => Filter::Selected { delayed: true },
        "inboxes" | "personal" => Filter::Personal,
        "subscribed" => Filter::Subscribed,
        "subtree" => Filter::Subtree(mailboxes(words)?),
        "mailboxes" => Filter::Mailboxes(mailboxes(words)?),
        _ => return None,
    };
    let events = match words.open() {
        true => events(words)?,
        false => words.atom()?.eq_ignore_ascii_case("NONE").then(Vec::new)?,
    };
    words.close().then_some(Group { filter, events })
}

fn mailboxes(words: &mut Words<'_>) -> Option<BTreeSet<String>> {
    let mailboxes = words.list().or_else(|| words.text().map(|one| vec![one]))?;
    (!mailboxes.is_empty()).then(|| mailboxes.into_iter().collect())
}

/// Reads events up to the closing parenthesis.
fn events(words: &mut Words<'_>) -> Option<Vec<Event>> {
    let mut events = Vec::new();
    while !words.close() {
        let name = words.atom()?;
        let items = if words.clone().open() { Some(parenthesised(words)?) } else { None };
        events.push(Event { name, items });
    }
    (!events.is_empty()).then_some(events)
}

/// Takes a list with all that is in it, and returns its bytes.
fn parenthesised(words: &mut Words<'_>) -> Option<Vec<u8>> {
    let before = words.rest();
    let mut depth = 0;
    loop {
        match words.word()? {
            Word::Open => depth += 1,
            Word::Close => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let taken = before.len() - words.rest().len();
            return Some(before[..taken].trim_ascii_start().to_vec());
        }
    }
}
