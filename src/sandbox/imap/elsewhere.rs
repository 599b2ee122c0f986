//! Letters that another server has ([`Origin`](crate::sandbox::Origin)).
//!
//! Before a command runs, the mailboxes that it names are taken from the origin. FETCH asks for the
//! items that depend on the text of letters, and hands the values on as they come; those that can
//! change (flags, UIDs, mod-sequences) are the session's own. An origin that refuses a question makes
//! the command fail. One that is out of reach ends the session, so that no answer is half true.

use std::collections::HashMap;
use std::sync::Arc;

use imap_codec::{
    CommandCodec,
    encode::Encoder,
    imap_types::{
        command::{Command, CommandBody},
        core::Tag,
        fetch::{MacroOrMessageDataItemNames, MessageDataItemName as Item, Section},
        sequence::SequenceSet,
    },
};

use crate::sandbox::imap::own::Own;
use crate::sandbox::imap::section;
use crate::sandbox::imap::session::{Refusal, Session, no};
use crate::sandbox::store::letter::Content;
use crate::sandbox::store::origin::{Items, OriginError};

/// The most letters that are asked for at once, and the most bytes if their text is.
const MOST_LETTERS: usize = 500;
const MOST_BYTES: u64 = 4 * 1024 * 1024;

impl From<OriginError> for Refusal {
    fn from(error: OriginError) -> Refusal {
        match error {
            OriginError::Refused(words) => Refusal::No(words),
            OriginError::Lost(words) => Refusal::No(format!("[UNAVAILABLE] {words}")),
        }
    }
}

/// What the origin says about letters, by mailbox and UID.
pub(crate) type Answers = HashMap<(Arc<str>, u32), Items>;

impl Session {
    /// Takes the mailboxes that a command names from the origin.
    pub(crate) fn load(&self, command: &CommandBody<'_>) -> Result<(), Refusal> {
        let named = match command {
            CommandBody::Select { mailbox, .. }
            | CommandBody::Examine { mailbox, .. }
            | CommandBody::Status { mailbox, .. }
            | CommandBody::Append { mailbox, .. }
            | CommandBody::Copy { mailbox, .. }
            | CommandBody::Move { mailbox, .. }
            | CommandBody::Delete { mailbox }
            | CommandBody::Rename { from: mailbox, .. } => mailbox,
            _ => return Ok(()),
        };
        self.load_named(&self.name_of(named))
    }

    /// Does the same for commands that are decoded here.
    pub(crate) fn load_own(&self, command: &Own) -> Result<(), Refusal> {
        match command {
            Own::Append { mailbox, .. }
            | Own::Replace { mailbox, .. }
            | Own::Status { mailbox, .. } => self.load_named(&self.stored(mailbox)),
            _ => Ok(()),
        }
    }

    fn load_named(&self, name: &str) -> Result<(), Refusal> {
        // Before the login there is nothing to load.
        let Ok(user) = self.user() else { return Ok(()) };
        Ok(self.shared.store.load(&user, name)?)
    }

    /// How many of these letters to fetch at once.
    pub(crate) fn portion<'c>(
        items: &[Item<'_>],
        letters: impl Iterator<Item = &'c Content>,
    ) -> usize {
        let has_text = items.iter().any(|item| is_foreign(item) && !is_small(item));
        let mut bytes = 0;
        let fits = |content: &&Content| {
            bytes += if has_text { content.size() } else { 0 };
            bytes <= MOST_BYTES
        };
        letters.take(MOST_LETTERS).take_while(fits).count().max(1)
    }

    /// Asks the origin for the items that it must answer. None for letters that are here.
    pub(crate) fn ask_origin<'c>(
        &self,
        items: &[Item<'_>],
        letters: impl Iterator<Item = &'c Content>,
    ) -> Result<Answers, Refusal> {
        let mut answers = Answers::new();
        let Some(remote) = self.shared.store.remote() else { return Ok(answers) };
        if !items.iter().any(is_foreign) {
            return Ok(answers);
        }
        let Some(items) = in_words(items) else {
            return no("[CANNOT] These items cannot be asked for.");
        };
        let mut by_mailbox: HashMap<Arc<str>, Vec<u32>> = HashMap::new();
        for elsewhere in letters.filter_map(Content::origin) {
            by_mailbox.entry(Arc::clone(&elsewhere.mailbox)).or_default().push(elsewhere.uid);
        }
        for (mailbox, mut uids) in by_mailbox {
            uids.sort_unstable();
            uids.dedup();
            let mut take = |uid, items| {
                answers.insert((Arc::clone(&mailbox), uid), items);
            };
            let asked = remote.origin.fetch(&mailbox, &uids, &items, &mut take);
            asked.inspect_err(|error| remote.lost(error))?;
        }
        Ok(answers)
    }

    /// Why the answers of this session cannot be trusted any more.
    pub(crate) fn origin_failure(&self) -> Option<String> {
        self.shared.store.remote()?.failure()
    }
}

/// Whether the origin answers an item.
pub(crate) fn is_foreign(item: &Item<'_>) -> bool {
    !matches!(item, Item::Uid | Item::Flags | Item::ModSeq | Item::Rfc822Size)
}

/// Whether the value of an item is small, however large the letter is.
fn is_small(item: &Item<'_>) -> bool {
    match item {
        Item::Envelope
        | Item::Body
        | Item::BodyStructure
        | Item::Rfc822Header
        | Item::InternalDate => true,
        Item::BodyExt { section, .. } => matches!(
            section,
            Some(Section::Header(_) | Section::HeaderFields(..) | Section::HeaderFieldsNot(..))
        ),
        _ => false,
    }
}

/// The item as it is asked for: such that it sets no `\Seen`.
fn asked(item: &Item<'_>) -> Item<'static> {
    use imap_codec::imap_types::ToStatic as _;
    let text = |section| Item::BodyExt { section, partial: None, peek: true };
    match item {
        Item::Rfc822 => text(None),
        Item::Rfc822Text => text(Some(Section::Text(None))),
        Item::BodyExt { section, partial, .. } => Item::BodyExt {
            section: section.as_ref().map(|one| one.to_static()),
            partial: *partial,
            peek: true,
        },
        Item::Binary { section, partial, .. } => {
            Item::Binary { section: section.clone(), partial: *partial, peek: true }
        }
        other => other.to_static(),
    }
}

/// The items that the origin answers, as in a command; `None` if there are none.
fn in_words(items: &[Item<'_>]) -> Option<String> {
    let foreign: Vec<Item<'static>> =
        items.iter().filter(|item| is_foreign(item)).map(asked).collect();
    if foreign.is_empty() {
        return None;
    }
    let body = CommandBody::Fetch {
        sequence_set: SequenceSet::try_from(1).ok()?,
        macro_or_item_names: MacroOrMessageDataItemNames::MessageDataItemNames(foreign),
        uid: false,
        modifiers: Vec::new(),
    };
    let command = Command { tag: Tag::unvalidated("a"), body };
    let words = String::from_utf8(CommandCodec::default().encode(&command).dump()).ok()?;
    let words = words.trim_end().strip_prefix("a FETCH 1 ")?;
    Some(words.to_owned())
}

/// Writes an item of a letter that is elsewhere. Returns whether the origin has told it.
#[must_use]
pub(crate) fn write(out: &mut Vec<u8>, item: &Item<'_>, found: &Items) -> bool {
    let mut name = Vec::new();
    write_name(&mut name, item);
    let mut wanted = Vec::new();
    write_name(&mut wanted, &asked(item));
    let wanted = plain(&String::from_utf8_lossy(&wanted));
    out.extend_from_slice(&name);
    out.push(b' ');
    let told = found.iter().find(|(name, _)| plain(name) == wanted);
    out.extend_from_slice(told.map_or(b"NIL", |(_, value)| value));
    told.is_some()
}

/// A name without what servers write in different ways.
fn plain(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '"' | ' ')).map(|c| c.to_ascii_uppercase()).collect()
}

fn write_name(out: &mut Vec<u8>, item: &Item<'_>) {
    let path = |section: &[std::num::NonZeroU32]| {
        section.iter().map(ToString::to_string).collect::<Vec<_>>().join(".")
    };
    let from = |partial: Option<(u32, std::num::NonZeroU32)>| {
        partial.map_or_else(String::new, |(first, _)| format!("<{first}>"))
    };
    match item {
        Item::BodyExt { section, partial, .. } => {
            section::write_name(out, section.as_ref());
            out.extend_from_slice(from(*partial).as_bytes());
        }
        Item::Binary { section, partial, .. } => {
            out.extend_from_slice(
                format!("BINARY[{}]{}", path(section), from(*partial)).as_bytes(),
            );
        }
        Item::BinarySize { section } => {
            out.extend_from_slice(format!("BINARY.SIZE[{}]", path(section)).as_bytes());
        }
        Item::Envelope => out.extend_from_slice(b"ENVELOPE"),
        Item::Body => out.extend_from_slice(b"BODY"),
        Item::BodyStructure => out.extend_from_slice(b"BODYSTRUCTURE"),
        Item::Rfc822 => out.extend_from_slice(b"RFC822"),
        Item::Rfc822Header => out.extend_from_slice(b"RFC822.HEADER"),
        Item::Rfc822Text => out.extend_from_slice(b"RFC822.TEXT"),
        Item::InternalDate => out.extend_from_slice(b"INTERNALDATE"),
        Item::Uid | Item::Flags | Item::ModSeq | Item::Rfc822Size => {}
    }
}
