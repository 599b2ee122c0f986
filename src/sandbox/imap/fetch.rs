//! FETCH (RFC 3501 6.4.5).
//!
//! The session first takes a snapshot of each wanted letter and sets `\Seen` where needed, all
//! under one lock. It then writes the responses from the snapshots without the lock, and sends them
//! in pieces, so that a slow client does not block other sessions.

use std::{io, num::NonZeroU32, sync::Arc};

use imap_codec::imap_types::{
    command::FetchModifier,
    fetch::{MacroOrMessageDataItemNames, MessageDataItemName as Item, Section},
    sequence::SequenceSet,
};
use jiff::Zoned;

use crate::sandbox::Extension;
use crate::sandbox::imap::binary::{self, Decoded};
use crate::sandbox::imap::copying::GONE;
use crate::sandbox::imap::elsewhere::{self, Answers, is_foreign};
use crate::sandbox::imap::session::{Outcome, Refusal, Session, bad, no};
use crate::sandbox::imap::structure::{write_envelope, write_structure};
use crate::sandbox::imap::text::{literal, nstring};
use crate::sandbox::imap::{dates, section};
use crate::sandbox::store::flags::Flags;
use crate::sandbox::store::letter::Content;
use crate::sandbox::store::origin::Items;

/// A letter at the time of the command. Responses are written from it without the store's lock.
struct Snapshot {
    number: u32,
    uid: u32,
    content: Arc<Content>,
    flags: String,
    modseq: u64,
    internal_date: Zoned,
    /// Whether this command set `\Seen`; the response then includes the flags.
    became_seen: bool,
    /// When it came into the mailbox.
    saved: Option<Zoned>,
    labels: String,
}

impl Session {
    pub(crate) fn fetch(
        &mut self,
        set: &SequenceSet,
        items: &MacroOrMessageDataItemNames<'_>,
        uid: bool,
        modifiers: &[FetchModifier],
    ) -> Outcome {
        let mut items = match items {
            MacroOrMessageDataItemNames::Macro(name) => name.expand(),
            MacroOrMessageDataItemNames::MessageDataItemNames(items) => items.clone(),
        };
        let is_old =
            |item: &Item<'_>| matches!(item, Item::Rfc822 | Item::Rfc822Header | Item::Rfc822Text);
        if items.iter().any(is_old) {
            self.not_in_rev2("RFC822, RFC822.HEADER and RFC822.TEXT")?;
        }
        if items.iter().any(|item| binary_path(item).is_some()) {
            self.needs(Extension::Binary)?;
        }
        let since = self.changed_since(modifiers, uid)?;
        if items.contains(&Item::ModSeq) {
            self.use_condstore()?;
        } else if since.is_some() {
            items.push(Item::ModSeq);
        }
        if uid && !items.contains(&Item::Uid) {
            items.insert(0, Item::Uid);
        }
        if modifiers.contains(&FetchModifier::Vanished) {
            self.tell_vanished(set, since.unwrap_or_default())?;
        }
        let view = self.selected()?;
        let mut targets = view.resolve(set, uid).or_else(bad)?;
        if let Some(since) = since {
            let state = self.shared.store.lock();
            let Some(mailbox) = state.mailbox(view.id) else { return no(GONE) };
            let message = |uid: &u32| mailbox.messages.get(uid);
            targets.retain(|(_, uid)| message(uid).is_none_or(|message| message.modseq > since));
        }
        self.check_encodings(&targets, &items)?;
        let wanted = targets.len();
        let sets_seen = !view.read_only && items.iter().any(sets_seen);
        let snapshots = self.snapshots(targets, sets_seen);
        let mut missing = snapshots.len() < wanted;
        if sets_seen {
            // Other sessions' flag changes are announced first, so that the flags in our responses
            // are the newest.
            self.sync(false);
        }
        let mut rest = &snapshots[..];
        while !rest.is_empty() {
            let contents = || rest.iter().map(|snapshot| &*snapshot.content);
            let (now, later) = rest.split_at(Session::portion(&items, contents()));
            let answers = self.ask_origin(&items, now.iter().map(|snapshot| &*snapshot.content))?;
            for snapshot in now {
                missing |= !self.write_fetch(snapshot, &items, &answers)?;
            }
            rest = later;
        }
        // A letter that is gone at the origin is not left out in silence.
        if missing && (!uid || self.shared.store.remote().is_some()) {
            return no(GONE);
        }
        Ok("FETCH completed.".to_owned())
    }

    /// NO before anything is answered if a part has a transfer encoding that is not known (RFC 3516
    /// 4.3).
    fn check_encodings(&self, targets: &[(u32, u32)], items: &[Item<'_>]) -> Result<(), Refusal> {
        let paths: Vec<&[NonZeroU32]> = items.iter().filter_map(binary_path).collect();
        if paths.is_empty() {
            return Ok(());
        }
        let view = self.selected()?;
        let state = self.shared.store.lock();
        let Some(mailbox) = state.mailbox(view.id) else { return no(GONE) };
        let letters = targets.iter().filter_map(|(_, uid)| mailbox.messages.get(uid));
        let letters = letters.filter(|message| message.content.origin().is_none());
        let is_unknown = |content: &Content| {
            let is_unknown = |path: &&[NonZeroU32]| {
                matches!(binary::decoded(content, path), Decoded::UnknownEncoding)
            };
            paths.iter().any(is_unknown)
        };
        if letters.map(|message| &message.content).any(|content| is_unknown(content)) {
            return no("[UNKNOWN-CTE] The transfer encoding of a part is not known.");
        }
        Ok(())
    }

    /// Takes the snapshots, setting `\Seen` if the command does. Letters that are gone are left
    /// out.
    fn snapshots(&self, targets: Vec<(u32, u32)>, sets_seen: bool) -> Vec<Snapshot> {
        let Ok(view) = self.selected() else { return Vec::new() };
        let mut state = self.shared.store.lock();
        let Some(mailbox) = state.mailbox_mut(view.id) else { return Vec::new() };
        let mut result = Vec::with_capacity(targets.len());
        for (number, uid) in targets {
            let unseen =
                mailbox.messages.get(&uid).is_some_and(|message| !message.flags.has(Flags::SEEN));
            let became_seen = sets_seen && unseen;
            if became_seen {
                mailbox.change_flags(uid, view.session, |flags| flags.set(Flags::SEEN));
            }
            let Some(message) = mailbox.messages.get(&uid) else { continue };
            result.push(Snapshot {
                number,
                uid,
                content: Arc::clone(&message.content),
                flags: message.flags.list(view.is_recent(uid)),
                modseq: message.modseq,
                internal_date: message.internal_date.clone(),
                became_seen,
                saved: mailbox.details.saved.get(&uid).cloned(),
                labels: message.flags.label_list(|label| self.utf8.shown(label)),
            });
        }
        result
    }

    /// Writes `* 4 FETCH (UID 64 BODY[] {12} …)`. Returns false, and writes nothing, if the origin has
    /// not told all of it.
    fn write_fetch(
        &mut self,
        snapshot: &Snapshot,
        items: &[Item<'_>],
        answers: &Answers,
    ) -> io::Result<bool> {
        let found = snapshot
            .content
            .origin()
            .map(|elsewhere| answers.get(&(Arc::clone(&elsewhere.mailbox), elsewhere.uid)));
        let start = self.out.len();
        let mut is_whole = true;
        let out = &mut self.out;
        out.extend_from_slice(format!("* {} FETCH (", snapshot.number).as_bytes());
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                out.push(b' ');
            }
            match found {
                Some(found) if is_foreign(item) => {
                    is_whole &= elsewhere::write(out, item, found.unwrap_or(&Items::new()));
                }
                _ => write_item(out, snapshot, item),
            }
        }
        for (index, extra) in self.extras.iter().enumerate() {
            if index > 0 || !items.is_empty() {
                out.push(b' ');
            }
            extra.write(out, &snapshot.content, snapshot.saved.as_ref(), &snapshot.labels);
        }
        if snapshot.became_seen && !items.contains(&Item::Flags) {
            out.extend_from_slice(format!(" FLAGS {}", snapshot.flags).as_bytes());
        }
        if snapshot.became_seen && !items.contains(&Item::ModSeq) {
            out.extend_from_slice(self.resync.modseq(snapshot.modseq).as_bytes());
        }
        out.extend_from_slice(b")\r\n");
        if !is_whole {
            self.out.truncate(start);
        }
        self.flush_if_large().map(|()| is_whole)
    }
}

/// Whether an item marks the letter as read: BODY[…], RFC822 and RFC822.TEXT do.
fn sets_seen(item: &Item<'_>) -> bool {
    matches!(
        item,
        Item::BodyExt { peek: false, .. }
            | Item::Binary { peek: false, .. }
            | Item::Rfc822
            | Item::Rfc822Text
    )
}

/// The part that an item asks for decoded.
fn binary_path<'i>(item: &'i Item<'_>) -> Option<&'i [NonZeroU32]> {
    match item {
        Item::Binary { section, .. } | Item::BinarySize { section } => Some(section),
        _ => None,
    }
}

fn write_item(out: &mut Vec<u8>, snapshot: &Snapshot, item: &Item<'_>) {
    let content = &*snapshot.content;
    let section =
        |section: Section<'_>| section::bytes(content, Some(&section)).unwrap_or_default();
    match item {
        Item::Uid => out.extend_from_slice(format!("UID {}", snapshot.uid).as_bytes()),
        Item::Flags => out.extend_from_slice(format!("FLAGS {}", snapshot.flags).as_bytes()),
        Item::InternalDate => {
            out.extend_from_slice(
                format!("INTERNALDATE {}", dates::internal_date(&snapshot.internal_date))
                    .as_bytes(),
            );
        }
        Item::Rfc822Size => {
            out.extend_from_slice(format!("RFC822.SIZE {}", content.size()).as_bytes())
        }
        Item::Envelope => {
            out.extend_from_slice(b"ENVELOPE ");
            write_envelope(out, content.bytes(), content.structure().header.clone());
        }
        Item::Body | Item::BodyStructure => {
            let extended = matches!(item, Item::BodyStructure);
            out.extend_from_slice(if extended { b"BODYSTRUCTURE " } else { b"BODY " });
            write_structure(out, content.bytes(), content.structure(), extended);
        }
        Item::Rfc822 => {
            out.extend_from_slice(b"RFC822 ");
            literal(out, content.bytes());
        }
        Item::Rfc822Header => {
            out.extend_from_slice(b"RFC822.HEADER ");
            literal(out, &section(Section::Header(None)));
        }
        Item::Rfc822Text => {
            out.extend_from_slice(b"RFC822.TEXT ");
            literal(out, &section(Section::Text(None)));
        }
        Item::BodyExt { section, partial, .. } => {
            write_section(out, content, section.as_ref(), *partial)
        }
        Item::ModSeq => out.extend_from_slice(format!("MODSEQ ({})", snapshot.modseq).as_bytes()),
        Item::Binary { section, partial, .. } => {
            binary::write(out, section, *partial, &binary::decoded(content, section));
        }
        Item::BinarySize { section } => {
            binary::write_size(out, section, &binary::decoded(content, section));
        }
    }
}

fn write_section(
    out: &mut Vec<u8>,
    content: &Content,
    section: Option<&Section<'_>>,
    partial: Option<(u32, std::num::NonZeroU32)>,
) {
    section::write_name(out, section);
    if let Some((first, _)) = partial {
        out.extend_from_slice(format!("<{first}>").as_bytes());
    }
    out.push(b' ');
    match (section::bytes(content, section), partial) {
        (Some(bytes), Some((first, count))) => {
            literal(out, section::partial(&bytes, first, count.get()))
        }
        (Some(bytes), None) => literal(out, &bytes),
        (None, _) => nstring(out, None),
    }
}
