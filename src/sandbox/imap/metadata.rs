//! GETMETADATA and SETMETADATA (RFC 5464 4.2, 4.3). The mailbox with the empty name is the server.
//!
//! An account is alone with its mail, so `/shared` entries are its own as well.

use imap_codec::imap_types::{
    core::{NString, NString8},
    extensions::metadata::{Depth, Entry, EntryValue, GetMetadataOption},
    mailbox::Mailbox as MailboxName,
};

use crate::sandbox::Extension;
use crate::sandbox::imap::session::{Outcome, Refusal, Session, bad, no};
use crate::sandbox::imap::text::{astring, nstring};
use crate::sandbox::store::State;
use crate::sandbox::store::details::{Metadata, NoRoom, VALUE_LIMIT};

impl Session {
    pub(crate) fn get_metadata(
        &mut self,
        options: &[GetMetadataOption],
        mailbox: &MailboxName<'_>,
        entries: &[Entry<'_>],
    ) -> Outcome {
        let (mut longest, mut levels) = (usize::MAX, 0);
        for option in options {
            match option {
                GetMetadataOption::MaxSize(size) => longest = *size as usize,
                GetMetadataOption::Depth(Depth::Null) => levels = 0,
                GetMetadataOption::Depth(Depth::One) => levels = 1,
                GetMetadataOption::Depth(Depth::Infinity) => levels = usize::MAX,
            }
        }
        let user = self.user_of_metadata()?;
        let name = self.name_of(mailbox);
        let mut state = self.shared.store.lock();
        let metadata = metadata_of(&mut state, &user, &name)?;
        let (mut values, mut too_long) = (Vec::new(), 0);
        let mut write = |entry: &str, value: Option<&[u8]>| {
            let size = value.map_or(0, <[u8]>::len);
            if size > longest {
                too_long = too_long.max(size);
                return;
            }
            values.push(b' ');
            astring(&mut values, entry.as_bytes());
            values.push(b' ');
            nstring(&mut values, value);
        };
        for entry in entries {
            let entry = entry_name(entry)?;
            let value = metadata.get(&entry);
            if value.is_some() || levels == 0 {
                write(&entry, value);
            }
            metadata.below(&entry, levels).for_each(|(name, value)| write(name, Some(value)));
        }
        drop(state);
        if !values.is_empty() {
            self.out.extend_from_slice(b"* METADATA ");
            let mut out = std::mem::take(&mut self.out);
            self.write_name(&mut out, &name);
            self.out = out;
            self.out.extend_from_slice(b" (");
            self.out.extend_from_slice(&values[1..]);
            self.out.extend_from_slice(b")\r\n");
        }
        let code = match too_long {
            0 => String::new(),
            size => format!("[METADATA LONGENTRIES {size}] "),
        };
        Ok(format!("{code}GETMETADATA completed."))
    }

    /// Sets all entries or none.
    pub(crate) fn set_metadata(
        &mut self,
        mailbox: &MailboxName<'_>,
        entries: &[EntryValue<'_>],
    ) -> Outcome {
        let user = self.user_of_metadata()?;
        let entries: Vec<(String, Option<&[u8]>)> = entries
            .iter()
            .map(|entry| Ok((entry_name(&entry.entry)?, value_of(&entry.value))))
            .collect::<Result<_, Refusal>>()?;
        let mut state = self.shared.store.lock();
        let metadata = metadata_of(&mut state, &user, &self.name_of(mailbox))?;
        let mut changed = metadata.clone();
        for (entry, value) in entries {
            match changed.set(&entry, value) {
                Ok(()) => {}
                Err(NoRoom::TooLong) => {
                    return no(format!("[METADATA MAXSIZE {VALUE_LIMIT}] The value is too long."));
                }
                Err(NoRoom::TooMany) => {
                    return no("[METADATA TOOMANY] There are too many entries.");
                }
            }
        }
        *metadata = changed;
        Ok("SETMETADATA completed.".to_owned())
    }

    fn user_of_metadata(&self) -> Result<String, Refusal> {
        self.needs(Extension::Metadata)?;
        self.user()
    }
}

fn metadata_of<'s>(
    state: &'s mut State,
    user: &str,
    mailbox: &str,
) -> Result<&'s mut Metadata, Refusal> {
    if mailbox.is_empty() {
        return state.metadata_mut(user).map_or_else(|| no("No such account."), Ok);
    }
    let found = state.find(user, mailbox).and_then(|id| state.mailbox_mut(id));
    match found {
        Some(mailbox) => Ok(&mut mailbox.details.metadata),
        None => no("[NONEXISTENT] No such mailbox."),
    }
}

/// The name of an entry; BAD for what cannot be one (RFC 5464 4.1).
fn entry_name(entry: &Entry<'_>) -> Result<String, Refusal> {
    let name = String::from_utf8_lossy(entry.as_ref()).into_owned();
    let lower = name.to_ascii_lowercase();
    let below = ["/private", "/shared"].iter().find_map(|root| lower.strip_prefix(root));
    let is_path = below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let is_odd = |c: char| !(' '..='~').contains(&c) || c == '*' || c == '%';
    if !is_path || name.ends_with('/') || name.contains("//") || name.contains(is_odd) {
        return bad("This is not the name of an entry.");
    }
    Ok(name)
}

fn value_of<'v>(value: &'v NString8<'_>) -> Option<&'v [u8]> {
    match value {
        NString8::NString(NString(value)) => value.as_ref().map(AsRef::as_ref),
        NString8::Literal8(literal) => Some(&literal.data),
    }
}
