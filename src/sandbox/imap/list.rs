//! LIST and LSUB (RFC 3501 6.3.8, 6.3.9), and LIST with options (RFC 5258).

use std::collections::BTreeMap;

use imap_codec::imap_types::mailbox::{ListMailbox, Mailbox as MailboxName};

use crate::sandbox::Extension;
use crate::sandbox::imap::own::ExtendedList;
use crate::sandbox::imap::session::{Outcome, Session, bad};
use crate::sandbox::store::State;
use crate::sandbox::store::names::{self, MailboxId, Names, Separator};

impl Session {
    pub(crate) fn list(
        &mut self,
        reference: &MailboxName<'_>,
        pattern: &ListMailbox<'_>,
    ) -> Outcome {
        let user = self.user()?;
        let pattern = text_of(pattern);
        if pattern.is_empty() {
            // RFC 3501 6.3.8: an empty pattern asks for the delimiter and the root name of the
            // reference. There is no root name here.
            let separator = self.shared.store.separator().shown();
            self.untagged(&format!("LIST (\\Noselect) {separator} \"\""));
            return Ok("LIST completed.".to_owned());
        }
        let separator = self.shared.store.separator();
        let pattern = complete(reference, &pattern, separator);
        let matches = |name: &str| names::matches(&pattern, &self.shown(name), separator);
        let show_children = self.extensions.has(Extension::Children);
        let show_uses = self.extensions.has(Extension::SpecialUse);
        let mut lines = Vec::new();
        {
            let state = self.shared.store.lock();
            let Some(names) = state.names(&user) else { return Ok("LIST completed.".to_owned()) };
            for (name, id) in names.mailboxes.iter().filter(|(name, _)| matches(name)) {
                let attributes = attributes(&state, names, name, *id, show_children, show_uses);
                self.line(&mut lines, "LIST", &attributes.join(" "), name);
            }
        }
        self.out.append(&mut lines);
        Ok("LIST completed.".to_owned())
    }

    /// LIST with options or several patterns (RFC 5258 3, RFC 5819 2, RFC 6154 2).
    pub(crate) fn list_extended(&mut self, list: &ExtendedList) -> Outcome {
        let user = self.user()?;
        let has = |extension| self.extensions.has(extension);
        if !has(Extension::ListExtended) {
            return bad("LIST-EXTENDED is not supported.");
        }
        let selects = |option: &str| list.selects.iter().any(|known| known == option);
        let returns = |option: &str| list.returns.iter().any(|known| known == option);
        let is_known = |option: &String, known: &[&str]| {
            known.contains(&option.as_str())
                || (option == "SPECIAL-USE" && has(Extension::SpecialUse))
        };
        let selecting = ["SUBSCRIBED", "REMOTE", "RECURSIVEMATCH"];
        if !list.selects.iter().all(|option| is_known(option, &selecting))
            || !list.returns.iter().all(|option| is_known(option, &["SUBSCRIBED", "CHILDREN"]))
            || (list.status.is_some() && !has(Extension::ListStatus))
        {
            return bad("An option of LIST is not supported.");
        }
        let is_recursive = selects("RECURSIVEMATCH");
        if is_recursive && !selects("SUBSCRIBED") {
            return bad("RECURSIVEMATCH needs another option.");
        }
        let separator = self.shared.store.separator();
        let completed =
            |pattern: &String| names::canonical(&format!("{}{pattern}", list.reference), separator);
        let patterns: Vec<String> = list.patterns.iter().map(completed).collect();
        let tells_subscribed = selects("SUBSCRIBED") || returns("SUBSCRIBED");
        let tells_uses = selects("SPECIAL-USE") || returns("SPECIAL-USE");
        let mut found: Vec<(Vec<u8>, String, Option<MailboxId>)> = Vec::new();
        {
            let state = self.shared.store.lock();
            let Some(names) = state.names(&user) else { return Ok("LIST completed.".to_owned()) };
            let mut all: BTreeMap<&str, Option<Option<MailboxId>>> =
                names.mailboxes.iter().map(|(name, id)| (name.as_str(), Some(*id))).collect();
            if selects("SUBSCRIBED") {
                names.subscribed.iter().for_each(|name| {
                    all.entry(name).or_insert(None);
                });
            }
            let matching = |name: &str| {
                patterns.iter().any(|pattern| names::matches(pattern, &self.shown(name), separator))
            };
            for (name, entry) in all.into_iter().filter(|(name, _)| matching(name)) {
                let is_subscribed = names.subscribed.contains(name);
                let is_above = is_recursive
                    && separator.below(name).is_some_and(|prefix| {
                        names.subscribed.iter().any(|subscribed| subscribed.starts_with(&prefix))
                    });
                let mut shown = Vec::new();
                if tells_subscribed && is_subscribed {
                    shown.push("\\Subscribed");
                }
                match entry {
                    None => shown.push("\\NonExistent"),
                    Some(id) => shown.extend(attributes(
                        &state,
                        names,
                        name,
                        id,
                        returns("CHILDREN"),
                        tells_uses,
                    )),
                }
                let has_use = uses(&state, entry.flatten()).next().is_some();
                if (selects("SUBSCRIBED") && !is_subscribed && !is_above)
                    || (selects("SPECIAL-USE") && !has_use)
                {
                    continue;
                }
                let mut response = Vec::new();
                self.line(&mut response, "LIST", &shown.join(" "), name);
                if is_above {
                    response.truncate(response.len() - 2);
                    response.extend_from_slice(b" (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n");
                }
                found.push((response, name.to_owned(), entry.flatten()));
            }
        }
        for (response, name, id) in found {
            self.out.extend_from_slice(&response);
            if let (Some(items), Some(id)) = (&list.status, id) {
                let counts = self.status_line(&name, id, items)?;
                self.out.extend_from_slice(&counts);
            }
        }
        Ok("LIST completed.".to_owned())
    }

    /// LSUB. If the pattern ends in `%`, unsubscribed parents of subscribed names are listed as
    /// `\Noselect`.
    pub(crate) fn lsub(
        &mut self,
        reference: &MailboxName<'_>,
        pattern: &ListMailbox<'_>,
    ) -> Outcome {
        let user = self.user()?;
        self.not_in_rev2("LSUB")?;
        let separator = self.shared.store.separator();
        let pattern = complete(reference, &text_of(pattern), separator);
        let matches = |name: &str| names::matches(&pattern, &self.shown(name), separator);
        let mut lines = Vec::new();
        {
            let state = self.shared.store.lock();
            let Some(names) = state.names(&user) else { return Ok("LSUB completed.".to_owned()) };
            let mut shown: Vec<(&str, bool)> = Vec::new();
            for name in &names.subscribed {
                if matches(name) {
                    shown.push((name, true));
                } else if pattern.ends_with('%') {
                    let parents = separator.above(name);
                    let parents = parents.filter(|parent| !names.subscribed.contains(*parent));
                    shown.extend(
                        parents.filter(|parent| matches(parent)).map(|parent| (parent, false)),
                    );
                }
            }
            shown.sort_unstable();
            shown.dedup();
            for (name, subscribed) in shown {
                self.line(&mut lines, "LSUB", if subscribed { "" } else { "\\Noselect" }, name);
            }
        }
        self.out.append(&mut lines);
        Ok("LSUB completed.".to_owned())
    }

    /// Writes `* LIST (\HasNoChildren) "/" INBOX`.
    pub(crate) fn line(&self, out: &mut Vec<u8>, response: &str, attributes: &str, name: &str) {
        let separator = self.shared.store.separator().shown();
        out.extend_from_slice(format!("* {response} ({attributes}) {separator} ").as_bytes());
        self.write_name(out, name);
        out.extend_from_slice(b"\r\n");
    }
}

/// The special uses of a mailbox.
fn uses(state: &State, id: Option<MailboxId>) -> impl Iterator<Item = &'static str> {
    let mailbox = id.and_then(|id| state.mailbox(id));
    mailbox.into_iter().flat_map(|mailbox| mailbox.details.special_use.iter().copied())
}

/// The attributes of a name that exists.
pub(super) fn attributes(
    state: &State,
    names: &Names,
    name: &str,
    id: Option<MailboxId>,
    children: bool,
    special_use: bool,
) -> Vec<&'static str> {
    let mut attributes = Vec::new();
    if id.is_none() {
        attributes.push("\\Noselect");
    }
    if children {
        let has_children = names.has_children(name, state.separator);
        attributes.push(if has_children { "\\HasChildren" } else { "\\HasNoChildren" });
    }
    if special_use {
        attributes.extend(uses(state, id));
    }
    attributes
}

/// Joins reference and pattern, and normalises INBOX at the beginning.
fn complete(reference: &MailboxName<'_>, pattern: &str, separator: Separator) -> String {
    let reference = match reference {
        MailboxName::Inbox => names::INBOX.into(),
        MailboxName::Other(other) => String::from_utf8_lossy(other.inner().as_ref()),
    };
    names::canonical(&format!("{reference}{pattern}"), separator)
}

fn text_of(pattern: &ListMailbox<'_>) -> String {
    let bytes = match pattern {
        ListMailbox::Token(token) => token.as_ref(),
        ListMailbox::String(string) => string.as_ref(),
    };
    String::from_utf8_lossy(bytes).into_owned()
}
