//! Commands about mailboxes: selecting, listing, creating, quotas, rights, metadata.

use super::super::encode::Encoder;
use super::super::flag::Flag;
use super::super::sequence::{Bound, SequenceSet};
use super::super::verb::Verb;
use super::{Built, Command, Effect};
use crate::proto::deed::{Act, Change, Letters};
use crate::proto::error::EncodeError;

/// A state of a mailbox that a client remembers (RFC 7162 3.2.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Since {
    /// The UIDVALIDITY.
    pub uid_validity: u32,
    /// The highest mod-sequence; at least 1.
    pub modseq: u64,
    /// The UIDs that the client knows; `None` for all that existed then.
    pub uids: Option<SequenceSet>,
}

impl Command {
    /// SELECT, or EXAMINE if `read_only` (6.3.1, 6.3.2).
    ///
    /// # Errors
    /// [`EncodeError`] for a name that cannot be sent; the same holds for every command with names.
    pub fn select(name: &str, read_only: bool) -> Built {
        Command::select_with(name, read_only, |_| Ok(()))
    }

    /// SELECT or EXAMINE that switches CONDSTORE on (RFC 7162 3.1.8).
    ///
    /// # Errors
    /// As [`Command::select`].
    pub fn select_condstore(name: &str, read_only: bool) -> Built {
        Command::select_with(name, read_only, |to| {
            to.list(|inside| {
                inside.word("CONDSTORE");
                Ok(())
            })
            .map(drop)
        })
    }

    /// SELECT or EXAMINE that asks what has changed and vanished since a state (RFC 7162 3.2.5).
    /// QRESYNC must be enabled.
    ///
    /// # Errors
    /// As [`Command::select`]; also for a mod-sequence of 0, and for known UIDs with `*`.
    pub fn select_since(name: &str, read_only: bool, since: &Since) -> Built {
        if since.modseq == 0 {
            return Err(EncodeError::new("mod-sequence", "a number from 1 on", b"0"));
        }
        let is_last = |bound: &Bound| *bound == Bound::Last;
        let uids = since.uids.as_ref().filter(|uids| !uids.is_empty());
        let mut ranges = uids.into_iter().flat_map(SequenceSet::ranges);
        if ranges.any(|(first, last)| is_last(first) || is_last(last)) {
            return Err(EncodeError::new("known unique ids", "a set without *", b"*"));
        }
        Command::select_with(name, read_only, |to| {
            to.list(|parameters| {
                let parameter = |inside: &mut Encoder| {
                    inside.number(since.uid_validity.into()).number(since.modseq);
                    uids.map_or(Ok(()), |uids| inside.sequence_set(uids).map(drop))
                };
                parameters.word("QRESYNC").list(parameter).map(drop)
            })
            .map(drop)
        })
    }

    fn select_with(
        name: &str,
        read_only: bool,
        parameters: impl FnOnce(&mut Encoder) -> Result<(), EncodeError>,
    ) -> Built {
        let effect = Effect::Select { name: name.to_owned(), read_only };
        let verb = if read_only { Verb::Examine } else { Verb::Select };
        let command = Command::with(verb, |to| parameters(to.mailbox(name)?))?.with_effect(effect);
        let change = Change::of(name, Act::TakeRecent);
        Ok(if read_only { command } else { command.changing(change) })
    }

    /// Makes a command whose only argument is a mailbox name.
    fn on_mailbox(verb: Verb, name: &str) -> Built {
        Command::with(verb, |to| to.mailbox(name).map(drop))
    }

    /// CREATE (6.3.3).
    ///
    /// # Errors
    /// As [`Command::select`].
    pub fn create(name: &str) -> Built {
        let command = Command::on_mailbox(Verb::Create, name)?;
        Ok(command.changing(Change::of(name, Act::CreateMailbox)))
    }

    /// CREATE of a mailbox with a special use such as `\Sent` (RFC 6154 3).
    ///
    /// # Errors
    /// As [`Command::select`].
    pub fn create_for(name: &str, special_use: &Flag) -> Built {
        let command = Command::with(Verb::Create, |to| {
            to.mailbox(name)?.list(|inside| {
                inside.word("USE").flags(std::slice::from_ref(special_use)).map(drop)
            })?;
            Ok(())
        })?;
        Ok(command.changing(Change::of(name, Act::CreateMailbox)))
    }

    /// DELETE (6.3.4).
    ///
    /// # Errors
    /// As [`Command::select`].
    pub fn delete(name: &str) -> Built {
        let command = Command::on_mailbox(Verb::Delete, name)?;
        Ok(command.changing(Change::of(name, Act::DeleteMailbox)))
    }

    /// RENAME (6.3.5).
    ///
    /// # Errors
    /// As [`Command::select`].
    pub fn rename(old: &str, new: &str) -> Built {
        let command = Command::with(Verb::Rename, |to| to.mailbox(old)?.mailbox(new).map(drop))?;
        Ok(command.changing(Change::of(old, Act::RenameMailbox { to: new.to_owned() })))
    }

    /// SUBSCRIBE (6.3.6).
    ///
    /// # Errors
    /// As [`Command::select`].
    pub fn subscribe(name: &str) -> Built {
        let command = Command::on_mailbox(Verb::Subscribe, name)?;
        Ok(command.changing(Change::of(name, Act::Subscribe)))
    }

    /// UNSUBSCRIBE (6.3.7).
    ///
    /// # Errors
    /// As [`Command::select`].
    pub fn unsubscribe(name: &str) -> Built {
        let command = Command::on_mailbox(Verb::Unsubscribe, name)?;
        Ok(command.changing(Change::of(name, Act::Unsubscribe)))
    }

    /// LIST, or LSUB if `subscribed` (6.3.8, 6.3.9).
    ///
    /// # Errors
    /// As [`Command::select`].
    pub fn list(reference: &str, pattern: &str, subscribed: bool) -> Built {
        Command::with(if subscribed { Verb::Lsub } else { Verb::List }, |to| {
            to.mailbox_pattern(reference)?.mailbox_pattern(pattern).map(drop)
        })
    }

    /// LIST with options (RFC 5258 3), of which at least one must be set.
    ///
    /// # Errors
    /// [`EncodeError`] for a reference, a pattern or a status item that cannot be sent.
    pub fn list_extended(reference: &str, pattern: &str, options: &ListOptions) -> Built {
        Command::with(Verb::List, |to| {
            let selecting = [
                (options.only_subscribed, "SUBSCRIBED"),
                (options.only_special_use, "SPECIAL-USE"),
            ];
            if selecting.iter().any(|(is_set, _)| *is_set) {
                to.list(|inside| words(inside, &selecting))?;
            }
            to.mailbox_pattern(reference)?.mailbox_pattern(pattern)?;
            let returning = [(options.children, "CHILDREN"), (options.special_use, "SPECIAL-USE")];
            if options.status.is_empty() && returning.iter().all(|(is_set, _)| !is_set) {
                return Ok(());
            }
            to.word("RETURN").list(|inside| {
                words(inside, &returning)?;
                if !options.status.is_empty() {
                    status_items(inside.word("STATUS"), &options.status)?;
                }
                Ok(())
            })?;
            Ok(())
        })
    }

    /// STATUS (6.3.10).
    ///
    /// # Errors
    /// [`EncodeError`] for a name or an item that cannot be sent, and if there are no items.
    pub fn status(name: &str, items: &[String]) -> Built {
        if items.is_empty() {
            return Err(EncodeError::new("status items", "at least one item", b""));
        }
        Command::with(Verb::Status, |to| status_items(to.mailbox(name)?, items))
    }

    /// CLOSE (6.4.2): expunges, then leaves the mailbox.
    pub fn close() -> Command {
        Command::plain(Verb::Close)
            .with_effect(Effect::Unselect)
            .changing(Change::of_selected(Letters::Marked, Act::Expunge))
    }

    /// UNSELECT (RFC 3691): leaves the mailbox without expunging.
    pub fn unselect() -> Command {
        Command::plain(Verb::Unselect).with_effect(Effect::Unselect)
    }

    /// GETQUOTAROOT (RFC 9208 4.1.3).
    ///
    /// # Errors
    /// As [`Command::select`].
    pub fn get_quota_root(name: &str) -> Built {
        Command::on_mailbox(Verb::GetQuotaRoot, name)
    }

    /// NAMESPACE (RFC 2342 5).
    pub fn namespace() -> Command {
        Command::plain(Verb::Namespace)
    }

    /// MYRIGHTS (RFC 4314 3.5).
    ///
    /// # Errors
    /// As [`Command::select`].
    pub fn my_rights(name: &str) -> Built {
        Command::on_mailbox(Verb::MyRights, name)
    }

    /// GETACL (RFC 4314 3.3).
    ///
    /// # Errors
    /// As [`Command::select`].
    pub fn get_acl(name: &str) -> Built {
        Command::on_mailbox(Verb::GetAcl, name)
    }

    /// SETACL (RFC 4314 3.1). `rights` are letters and digits; with `+` or `-` before them they are
    /// added or removed.
    ///
    /// # Errors
    /// [`EncodeError`] for a name or an identifier that cannot be sent, and for other rights.
    pub fn set_acl(name: &str, identifier: &str, rights: &str) -> Built {
        let letters = rights.strip_prefix(['+', '-']).unwrap_or(rights);
        if !letters.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
            let expected = "lower-case letters and digits, perhaps after + or -";
            return Err(EncodeError::new("rights", expected, rights.as_bytes()));
        }
        Command::with(Verb::SetAcl, |to| {
            to.mailbox(name)?.astring("identifier", identifier)?.astring("rights", rights)?;
            Ok(())
        })
        .map(|command| command.changing(rights_of(name, identifier, Some(rights))))
    }

    /// DELETEACL (RFC 4314 3.2).
    ///
    /// # Errors
    /// [`EncodeError`] for a name or an identifier that cannot be sent.
    pub fn delete_acl(name: &str, identifier: &str) -> Built {
        Command::with(Verb::DeleteAcl, |to| {
            to.mailbox(name)?.astring("identifier", identifier).map(drop)
        })
        .map(|command| command.changing(rights_of(name, identifier, None)))
    }

    /// GETMETADATA (RFC 5464 4.2) of the mailbox, or of the server if the name is empty. With
    /// `below`, also of all entries below these.
    ///
    /// # Errors
    /// [`EncodeError`] for a mailbox name that cannot be sent, if there are no entries, and for a
    /// name that is none of an entry.
    pub fn get_metadata(name: &str, entries: &[String], below: bool) -> Built {
        if entries.is_empty() {
            return Err(EncodeError::new("metadata entries", "at least one entry", b""));
        }
        Command::with(Verb::GetMetadata, |to| {
            if below {
                to.list(|inside| {
                    inside.word("DEPTH").word("infinity");
                    Ok(())
                })?;
            }
            to.mailbox(name)?.list(|inside| {
                entries.iter().try_for_each(|entry| metadata_entry(inside, entry).map(drop))
            })?;
            Ok(())
        })
    }

    /// SETMETADATA (RFC 5464 4.3) of an entry of the mailbox, or of the server if the name is empty.
    /// `None` removes the entry.
    ///
    /// # Errors
    /// [`EncodeError`] for a mailbox name that cannot be sent, for a name that is none of an entry,
    /// and for a value with NUL.
    pub fn set_metadata(name: &str, entry: &str, value: Option<&str>) -> Built {
        Command::with(Verb::SetMetadata, |to| {
            to.mailbox(name)?.list(|inside| {
                let inside = metadata_entry(inside, entry)?;
                match value {
                    None => inside.word("NIL"),
                    Some(value) if value.contains(['\r', '\n']) => {
                        inside.literal("metadata value", value.as_bytes())?
                    }
                    Some(value) => inside.string("metadata value", value)?,
                };
                Ok(())
            })?;
            Ok(())
        })
        .map(|command| {
            let (entry, value) = (entry.to_owned(), value.map(str::to_owned));
            command.changing(Change::of(name, Act::SetMetadata { entry, value }))
        })
    }
}

/// Options of LIST (RFC 5258, RFC 5819, RFC 6154).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// Only subscribed mailboxes, those that do not exist included.
    pub only_subscribed: bool,
    /// Only mailboxes with a special use.
    pub only_special_use: bool,
    /// Asks whether mailboxes have children.
    pub children: bool,
    /// Asks for the special uses.
    pub special_use: bool,
    /// Asks for these STATUS items; empty for none.
    pub status: Vec<String>,
}

/// Adds the words that are set.
fn words(to: &mut Encoder, words: &[(bool, &'static str)]) -> Result<(), EncodeError> {
    for (_, word) in words.iter().filter(|(is_set, _)| *is_set) {
        to.word(word);
    }
    Ok(())
}

fn status_items(to: &mut Encoder, items: &[String]) -> Result<(), EncodeError> {
    to.list(|inside| items.iter().try_for_each(|item| inside.atom("status item", item).map(drop)))
        .map(drop)
}

fn rights_of(name: &str, identifier: &str, rights: Option<&str>) -> Change {
    let (identifier, rights) = (identifier.to_owned(), rights.map(str::to_owned));
    Change::of(name, Act::SetRights { identifier, rights })
}

/// Adds an entry's name (RFC 5464 4.1).
fn metadata_entry<'e>(to: &'e mut Encoder, entry: &str) -> Result<&'e mut Encoder, EncodeError> {
    let below = ["/private", "/shared"].iter().find_map(|root| {
        let start = entry.get(..root.len()).filter(|start| start.eq_ignore_ascii_case(root))?;
        Some(&entry[start.len()..])
    });
    let is_path = |path: &str| path.is_empty() || path.starts_with('/') && !path.ends_with('/');
    let is_plain = |byte: u8| (b' '..=b'~').contains(&byte) && !b"*%".contains(&byte);
    let is_entry = below.is_some_and(is_path) && !entry.contains("//");
    if !is_entry || !entry.bytes().all(is_plain) {
        let expected = "a path that begins with /private or /shared, without * and %";
        return Err(EncodeError::new("metadata entry", expected, entry.as_bytes()));
    }
    to.astring("metadata entry", entry)
}
