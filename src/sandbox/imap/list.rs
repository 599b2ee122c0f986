//! LIST and LSUB (RFC 3501 6.3.8, 6.3.9).

use imap_codec::imap_types::mailbox::{ListMailbox, Mailbox as MailboxName};

use crate::sandbox::Extension;
use crate::sandbox::imap::session::{Outcome, Session, name_of};
use crate::sandbox::imap::text::astring;
use crate::sandbox::store::names;
use crate::sandbox::store::names::DELIMITER;

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
            self.untagged("LIST (\\Noselect) \"/\" \"\"");
            return Ok("LIST completed.".to_owned());
        }
        let pattern = complete(reference, &pattern);
        let show_children = self.extensions.has(Extension::Children);
        let mut lines = Vec::new();
        {
            let state = self.shared.store.lock();
            let Some(names) = state.names(&user) else { return Ok("LIST completed.".to_owned()) };
            for (name, id) in
                names.mailboxes.iter().filter(|(name, _)| names::matches(&pattern, name))
            {
                let mut attributes = Vec::new();
                if id.is_none() {
                    attributes.push("\\Noselect");
                }
                if show_children {
                    attributes.push(if names.has_children(name) {
                        "\\HasChildren"
                    } else {
                        "\\HasNoChildren"
                    });
                }
                line(&mut lines, "LIST", &attributes.join(" "), name);
            }
        }
        self.out.append(&mut lines);
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
        let pattern = complete(reference, &text_of(pattern));
        let mut lines = Vec::new();
        {
            let state = self.shared.store.lock();
            let Some(names) = state.names(&user) else { return Ok("LSUB completed.".to_owned()) };
            let mut shown: Vec<(&str, bool)> = Vec::new();
            for name in &names.subscribed {
                if names::matches(&pattern, name) {
                    shown.push((name, true));
                } else if pattern.ends_with('%') {
                    let parents = name.match_indices(DELIMITER).map(|(at, _)| &name[..at]);
                    let parents = parents.filter(|parent| !names.subscribed.contains(*parent));
                    shown.extend(
                        parents
                            .filter(|parent| names::matches(&pattern, parent))
                            .map(|parent| (parent, false)),
                    );
                }
            }
            shown.sort_unstable();
            shown.dedup();
            for (name, subscribed) in shown {
                line(&mut lines, "LSUB", if subscribed { "" } else { "\\Noselect" }, name);
            }
        }
        self.out.append(&mut lines);
        Ok("LSUB completed.".to_owned())
    }
}

/// Writes `* LIST (\HasNoChildren) "/" INBOX`.
fn line(out: &mut Vec<u8>, response: &str, attributes: &str, name: &str) {
    out.extend_from_slice(format!("* {response} ({attributes}) \"{DELIMITER}\" ").as_bytes());
    astring(out, name.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Joins reference and pattern, and normalises INBOX at the beginning.
fn complete(reference: &MailboxName<'_>, pattern: &str) -> String {
    let reference = name_of(reference);
    names::canonical(&format!("{reference}{pattern}"))
}

fn text_of(pattern: &ListMailbox<'_>) -> String {
    let bytes = match pattern {
        ListMailbox::Token(token) => token.as_ref(),
        ListMailbox::String(string) => string.as_ref(),
    };
    String::from_utf8_lossy(bytes).into_owned()
}
