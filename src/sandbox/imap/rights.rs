//! MYRIGHTS, GETACL, SETACL, DELETEACL and LISTRIGHTS (RFC 4314 3).
//!
//! Every account is alone with its mail and has all rights to it. The rights of others are kept and
//! reported, but let nobody in.

use crate::sandbox::Extension;
use crate::sandbox::imap::session::{Outcome, Refusal, Session, bad, no, stored_name};
use crate::sandbox::imap::text::astring;
use crate::sandbox::store::names::MailboxId;

/// All rights of RFC 4314 2.1, and the obsolete `c` and `d`, which stand for groups of them (2.1.1).
const ALL: &str = "lrswipkxtecda";

/// The obsolete rights, and the rights that each stands for.
const GROUPS: [(char, &str); 2] = [('c', "kx"), ('d', "te")];

impl Session {
    pub(crate) fn my_rights(&mut self, mailbox: &str) -> Outcome {
        self.mailbox_for_rights(mailbox)?;
        self.answer_words("MYRIGHTS", mailbox, &[ALL]);
        Ok("MYRIGHTS completed.".to_owned())
    }

    pub(crate) fn get_acl(&mut self, mailbox: &str) -> Outcome {
        let (user, id) = self.mailbox_for_rights(mailbox)?;
        let mut words = vec![user, ALL.to_owned()];
        if let Some(found) = self.shared.store.lock().mailbox(id) {
            for (identifier, rights) in &found.details.rights {
                words.extend([identifier.clone(), rights.clone()]);
            }
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.answer_words("ACL", mailbox, &words);
        Ok("GETACL completed.".to_owned())
    }

    pub(crate) fn set_acl(&mut self, mailbox: &str, identifier: &str, rights: &str) -> Outcome {
        let (user, id) = self.mailbox_for_rights(mailbox)?;
        let letters = rights.strip_prefix(['+', '-']).unwrap_or(rights);
        if identifier.is_empty() || !letters.chars().all(|right| ALL.contains(right)) {
            return bad("These rights cannot be.");
        }
        if identifier == user {
            return match rights.starts_with('+') || whole(letters) == ALL {
                true => Ok("SETACL completed.".to_owned()),
                false => no("[CANNOT] The owner keeps all rights."),
            };
        }
        if let Some(found) = self.shared.store.lock().mailbox_mut(id) {
            let before = found.details.rights.get(identifier).map_or("", String::as_str);
            let (given, removed) = (whole(letters), rights.starts_with('-'));
            let after = match (rights.starts_with('+'), removed) {
                (true, _) => whole(&format!("{before}{given}")),
                (_, true) => {
                    let is_left = |right: &char| !given.contains(*right) && !is_group(*right);
                    whole(&before.chars().filter(is_left).collect::<String>())
                }
                _ => given,
            };
            found.details.rights.insert(identifier.to_owned(), after);
        }
        Ok("SETACL completed.".to_owned())
    }

    pub(crate) fn delete_acl(&mut self, mailbox: &str, identifier: &str) -> Outcome {
        let (user, id) = self.mailbox_for_rights(mailbox)?;
        if identifier == user {
            return no("[CANNOT] The owner keeps all rights.");
        }
        if let Some(found) = self.shared.store.lock().mailbox_mut(id) {
            found.details.rights.remove(identifier);
        }
        Ok("DELETEACL completed.".to_owned())
    }

    pub(crate) fn list_rights(&mut self, mailbox: &str, identifier: &str) -> Outcome {
        let (user, _) = self.mailbox_for_rights(mailbox)?;
        let required = if identifier == user { ALL } else { "" };
        let optional: Vec<String> = ALL.chars().map(String::from).collect();
        let mut words = vec![identifier, required];
        if required.is_empty() {
            words.extend(optional.iter().map(String::as_str));
        }
        self.answer_words("LISTRIGHTS", mailbox, &words);
        Ok("LISTRIGHTS completed.".to_owned())
    }

    /// The user, and the mailbox that a command names.
    fn mailbox_for_rights(&self, mailbox: &str) -> Result<(String, MailboxId), Refusal> {
        self.needs(Extension::Acl)?;
        let user = self.user()?;
        match self.shared.store.lock().find(&user, &stored_name(mailbox)) {
            Some(id) => Ok((user, id)),
            None => no("[NONEXISTENT] No such mailbox."),
        }
    }

    /// Writes `* NAME mailbox word…`.
    fn answer_words(&mut self, name: &str, mailbox: &str, strings: &[&str]) {
        self.out.extend_from_slice(format!("* {name} ").as_bytes());
        let mut out = std::mem::take(&mut self.out);
        self.write_name(&mut out, mailbox);
        self.out = out;
        for string in strings {
            self.out.push(b' ');
            astring(&mut self.out, string.as_bytes());
        }
        self.out.extend_from_slice(b"\r\n");
    }
}

fn is_group(right: char) -> bool {
    GROUPS.iter().any(|(group, _)| *group == right)
}

/// Rights in their usual order: an obsolete one brings all that it stands for, and each of these
/// brings it (RFC 4314 2.1.1).
fn whole(rights: &str) -> String {
    let has = |right: char| {
        rights.contains(right)
            || GROUPS.iter().any(|(group, members)| {
                (members.contains(right) && rights.contains(*group))
                    || (*group == right && members.chars().any(|member| rights.contains(member)))
            })
    };
    ALL.chars().filter(|right| has(*right)).collect()
}

#[cfg(test)]
mod tests {
    use super::whole;

    #[test]
    fn obsolete_rights_go_with_those_they_stand_for() {
        for (given, expected) in
            [("", ""), ("srl", "lrs"), ("c", "kxc"), ("d", "ted"), ("lt", "ltd"), ("xa", "xca")]
        {
            assert_eq!(whole(given), expected, "{given}");
        }
    }
}
