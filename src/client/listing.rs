//! LIST with options (RFC 5258, RFC 5819, RFC 6154), and looking for a mailbox by its use.
//!
//! A server with LIST-EXTENDED selects the mailboxes itself, and one with LIST-STATUS also counts
//! their messages, all in one command. For other servers LIST and LSUB are combined here, and a
//! STATUS is sent for each mailbox, many at a time without waiting. The result is the same.

use super::answers::{read_listed, read_status};
use super::error::Error;
use super::extension_items::Asked;
use super::imap::ImapClient;
use super::pending::{Pending, Reader};
use super::told::{Listed, StatusValue};
use crate::proto::Limits;
use crate::proto::imap::command::ListOptions;
use crate::proto::imap::listed::{decode_name, status_name};
use crate::proto::imap::{Command, Data, StatusKind};
use std::collections::{HashMap, HashSet};

/// How many STATUS commands are in flight.
const WINDOW: usize = 100;

/// The special uses of IANA's registry of mailbox attributes, most of them from RFC 6154 2.
const SPECIAL_USES: [&str; 11] = [
    "\\All",
    "\\Archive",
    "\\Drafts",
    "\\Flagged",
    "\\Important",
    "\\Junk",
    "\\Memos",
    "\\Scheduled",
    "\\Sent",
    "\\Snoozed",
    "\\Trash",
];

/// The names that mail programs and servers give to mailboxes of a use.
const USUAL_NAMES: [(&str, &[&str]); 5] = [
    ("\\Archive", &["Archive", "Archives"]),
    ("\\Drafts", &["Drafts", "Draft"]),
    ("\\Junk", &["Junk", "Junk E-mail", "Junk Email", "Spam", "Bulk Mail"]),
    ("\\Sent", &["Sent", "Sent Items", "Sent Mail", "Sent Messages"]),
    ("\\Trash", &["Trash", "Deleted", "Deleted Items", "Deleted Messages"]),
];

/// What to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct ListRequest<'r> {
    /// Where in the hierarchy to begin.
    pub reference: &'r str,
    /// The pattern, in which `*` and `%` are wildcards.
    pub pattern: &'r str,
    /// Only subscribed mailboxes.
    pub subscribed: bool,
    /// Only mailboxes with a special use.
    pub special_use: bool,
    /// STATUS items of each mailbox; empty for none.
    pub status: &'r [String],
}

impl ImapClient {
    /// LIST with options, in the server's order: in one command if the server offers LIST-EXTENDED
    /// and LIST-STATUS, otherwise by LIST, LSUB and STATUS. Without options it is
    /// [`ImapClient::list`], and for subscribed mailboxes alone [`ImapClient::list_subscribed`].
    ///
    /// Subscribed mailboxes have the attribute `\Subscribed`, and `\NonExistent` if they do not
    /// exist. A mailbox that has no messages, or whose STATUS the server refuses, has no status.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::Unsupported`] for a status item that the server does not offer,
    /// and for special uses if the server does not offer SPECIAL-USE and shows none either.
    pub fn list_with(&mut self, request: &ListRequest<'_>) -> Result<Vec<Listed>, Error> {
        let &ListRequest { reference, pattern, subscribed, special_use, status } = request;
        let asked = self.status_items(status)?;
        let is_rev2 = self.is_rev2()?;
        let offers = |name| self.capabilities().offers(name);
        let (is_extended, knows_uses) = (offers("LIST-EXTENDED"), offers("SPECIAL-USE"));
        let counts_itself = is_extended && offers("LIST-STATUS");
        let has_lsub = !is_rev2 || !is_extended; // RFC 9051 appendix E
        let is_plain = !special_use && status.is_empty() && (!subscribed || has_lsub);
        // RFC 3501 6.3.8: an empty pattern asks for the separator. With options it names nothing.
        if pattern.is_empty() && (subscribed || !is_plain) {
            return Ok(Vec::new());
        }
        let mut entries = if is_plain && subscribed {
            self.list_subscribed(reference, pattern)?
        } else if is_plain || !(is_extended || subscribed) {
            self.list(reference, pattern)?
        } else if is_extended {
            let options = ListOptions {
                only_subscribed: subscribed,
                only_special_use: special_use && knows_uses,
                children: true,
                special_use: knows_uses,
                status: if counts_itself { asked.sent().to_vec() } else { Vec::new() },
            };
            self.list_extended(reference, pattern, &options, &asked)?
        } else {
            let subscribed = self.begin_list_subscribed(reference, pattern)?;
            let all = self.list(reference, pattern);
            let subscribed = self.wait(subscribed);
            those_subscribed(all?, subscribed?)
        };
        if special_use {
            entries.retain(has_special_use);
            if entries.is_empty() && !knows_uses {
                return Err(Error::Unsupported("the server does not offer SPECIAL-USE".into()));
            }
        }
        if !status.is_empty() && !counts_itself {
            self.add_status(&mut entries, &asked)?;
        }
        Ok(entries)
    }

    fn list_extended(
        &mut self,
        reference: &str,
        pattern: &str,
        options: &ListOptions,
        asked: &Asked,
    ) -> Result<Vec<Listed>, Error> {
        let command = Command::list_extended(reference, pattern, options)?;
        // Its STATUS responses could be taken for those to a STATUS command in flight.
        self.settle()?;
        let (utf8_names, limits) = (self.utf8_names()?, self.limits().clone());
        let counts = Counts { utf8_names, limits, asked: asked.clone(), found: HashMap::new() };
        let counted = !options.status.is_empty();
        let reader = ExtendedListing { utf8_names, entries: Vec::new(), counts, counted };
        self.carry_out([command], reader)
    }

    /// Asks for the status of each entry that can have one.
    fn add_status(&mut self, entries: &mut [Listed], asked: &Asked) -> Result<(), Error> {
        let mut counted = ByName::new();
        let names: Vec<&str> = entries
            .iter()
            .filter(|entry| is_selectable(entry))
            .map(|entry| entry.name.as_str())
            .collect();
        for names in names.chunks(WINDOW) {
            let mut sent: Vec<Pending<Counts>> = Vec::new();
            let mut result = Ok(());
            for name in names {
                // A name that the server gave but that cannot be sent has no status.
                let Ok(command) = Command::status(name, asked.sent()) else { continue };
                let (utf8_names, limits) = (self.utf8_names()?, self.limits().clone());
                let asked = asked.clone();
                let counts = Counts { utf8_names, limits, asked, found: HashMap::new() };
                match self.begin([command], counts) {
                    Ok(pending) => sent.push(pending),
                    Err(error) => {
                        result = Err(error);
                        break;
                    }
                }
            }
            for pending in sent {
                if result.is_err() {
                    self.forget(pending);
                    continue;
                }
                match self.wait(pending) {
                    Ok(found) => {
                        for (name, told) in found {
                            asked.add(counted.entry(name).or_default(), told);
                        }
                    }
                    // The mailbox is gone, or may not be read.
                    Err(Error::Refused { completion, .. }) if completion.kind == StatusKind::No => {
                    }
                    Err(error) => result = Err(error),
                }
            }
            result?;
        }
        take_status(entries, &counted, asked);
        Ok(())
    }

    /// Looks for the mailbox with a special use such as `\Sent`, in any case: one that the server
    /// marks so, the first if there are several. If it marks none, a mailbox with a usual name,
    /// such as `Sent` or `Sent Items`, at the top or directly below INBOX, if there is exactly one.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn find_special_use(&mut self, special_use: &str) -> Result<Option<String>, Error> {
        let all = ListRequest { reference: "", pattern: "*", ..ListRequest::default() };
        let offers = |name| self.capabilities().offers(name);
        if offers("SPECIAL-USE") && offers("LIST-EXTENDED") {
            let marked = self.list_with(&ListRequest { special_use: true, ..all })?;
            if let Some(entry) = marked.into_iter().find(|entry| entry.has(special_use)) {
                return Ok(Some(entry.name));
            }
        }
        let entries = self.list_with(&all)?;
        if let Some(entry) = entries.iter().find(|entry| entry.has(special_use)) {
            return Ok(Some(entry.name.clone()));
        }
        let usual = USUAL_NAMES.iter().find(|(known, _)| special_use.eq_ignore_ascii_case(known));
        let names = usual.map_or(&[][..], |(_, names)| names);
        let is_candidate = |entry: &&Listed| {
            let name = short_name(entry);
            let is_usual = names.iter().any(|usual| name.eq_ignore_ascii_case(usual));
            is_usual && is_selectable(entry) && !has_special_use(entry)
        };
        let mut candidates = entries.iter().filter(is_candidate);
        Ok(match (candidates.next(), candidates.next()) {
            (Some(only), None) => Some(only.name.clone()),
            _ => None,
        })
    }
}

/// The name of a mailbox, without `INBOX` if it lies directly below that.
fn short_name(entry: &Listed) -> &str {
    let separator = entry.separator.as_deref().unwrap_or("\0");
    match entry.name.split_once(separator) {
        Some((first, rest)) if first.eq_ignore_ascii_case("INBOX") => rest,
        _ => &entry.name,
    }
}

fn has_special_use(entry: &Listed) -> bool {
    SPECIAL_USES.iter().any(|known| entry.has(known))
}

/// Whether an entry is a mailbox, and not only a level of the hierarchy.
fn is_selectable(entry: &Listed) -> bool {
    !entry.has("\\Noselect") && !entry.has("\\NonExistent")
}

/// The name for comparing: INBOX is the same in any case (RFC 9051 5.1).
pub(super) fn key(name: &str) -> String {
    if name.eq_ignore_ascii_case("INBOX") { "INBOX".to_owned() } else { name.to_owned() }
}

/// Makes the entries of subscribed mailboxes from those of LIST and of LSUB, as RFC 5258 has them.
fn those_subscribed(all: Vec<Listed>, subscribed: Vec<Listed>) -> Vec<Listed> {
    // In LSUB `\Noselect` is a level above a subscribed mailbox (RFC 3501 6.3.9).
    let subscribed = subscribed.into_iter().filter(|entry| !entry.has("\\Noselect"));
    let subscribed: Vec<Listed> = subscribed.collect();
    let names: HashSet<String> = subscribed.iter().map(|entry| key(&entry.name)).collect();
    let existing: HashSet<String> = all.iter().map(|entry| key(&entry.name)).collect();
    let mark = |mut entry: Listed, marks: &[&str]| {
        entry.flags.splice(0..0, marks.iter().map(|mark| (*mark).to_owned()));
        entry
    };
    let there = all.into_iter().filter(|entry| names.contains(&key(&entry.name)));
    let there = there.map(|entry| mark(entry, &["\\Subscribed"]));
    let missing = subscribed.into_iter().filter(|entry| !existing.contains(&key(&entry.name)));
    there.chain(missing.map(|entry| mark(entry, &["\\Subscribed", "\\NonExistent"]))).collect()
}

/// Status items by mailbox.
type ByName = HashMap<String, Vec<(String, StatusValue)>>;

/// Gives each entry its status; a mailbox may be listed twice.
fn take_status(entries: &mut [Listed], counted: &ByName, asked: &Asked) {
    for entry in entries {
        let found = counted.get(&key(&entry.name)).cloned();
        entry.status = found.map(|found| asked.complete(found));
    }
}

/// Reads STATUS responses, whichever mailboxes they are about: of several commands in flight, one
/// may get the answer to another.
struct Counts {
    utf8_names: bool,
    limits: Limits,
    asked: Asked,
    found: ByName,
}

impl Reader for Counts {
    type Output = ByName;

    fn data(&mut self, data: Data<'_>) -> Result<(), Error> {
        if data.is("STATUS") {
            self.limits.check("listed", self.found.len() as u64 + 1)?;
            let (name, mut list) = status_name(&data.tokens)?;
            let name = key(&decode_name(&name, self.utf8_names));
            let told = read_status(&mut list, &self.limits)?;
            self.asked.add(self.found.entry(name).or_default(), told);
        }
        Ok(())
    }

    fn finish(self) -> Result<ByName, Error> {
        Ok(self.found)
    }
}

/// Reads the entries of LIST, with their STATUS if it was asked for.
struct ExtendedListing {
    utf8_names: bool,
    entries: Vec<Listed>,
    counts: Counts,
    /// Whether their STATUS was asked for.
    counted: bool,
}

impl Reader for ExtendedListing {
    type Output = Vec<Listed>;

    fn data(&mut self, data: Data<'_>) -> Result<(), Error> {
        if data.is("LIST") {
            let limits = &self.counts.limits;
            limits.check("listed", self.entries.len() as u64 + 1)?;
            self.entries.push(read_listed(&data.tokens, self.utf8_names, limits)?);
        } else if self.counted {
            self.counts.data(data)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Listed>, Error> {
        if self.counted {
            take_status(&mut self.entries, &self.counts.found, &self.counts.asked);
        }
        Ok(self.entries)
    }
}
