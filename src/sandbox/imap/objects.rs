//! Items of FETCH that `imap-codec` does not decode: EMAILID and THREADID (RFC 8474 5), SAVEDATE (RFC
//! 8514 4), PREVIEW (RFC 8970 3) and Gmail's X-GM-LABELS.
//!
//! They are cut out of the command; `imap-codec` decodes the rest. The identifiers are hashes: of
//! the letter, so that copies have the same, and of the first letter of its thread.

use std::hash::{DefaultHasher, Hash, Hasher};

use imap_codec::{
    CommandCodec,
    decode::Decoder,
    imap_types::{command::CommandBody, fetch::MacroOrMessageDataItemNames},
};
use jiff::Zoned;

use crate::sandbox::Extension;
use crate::sandbox::imap::dates;
use crate::sandbox::imap::own::{Own, Word, Words};
use crate::sandbox::imap::session::{Outcome, Session, bad};
use crate::sandbox::imap::text::nstring;
use crate::sandbox::store::header;
use crate::sandbox::store::letter::Content;

/// The most characters of a preview (RFC 8970 3.1).
const LONGEST_PREVIEW: usize = 200;

/// An item that is cut out of a FETCH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extra {
    EmailId,
    ThreadId,
    SaveDate,
    Preview,
    Labels,
}

impl Extra {
    fn named(word: &[u8]) -> Option<Extra> {
        match word.to_ascii_uppercase().as_slice() {
            b"EMAILID" => Some(Extra::EmailId),
            b"THREADID" => Some(Extra::ThreadId),
            b"SAVEDATE" => Some(Extra::SaveDate),
            b"PREVIEW" => Some(Extra::Preview),
            b"X-GM-LABELS" => Some(Extra::Labels),
            _ => None,
        }
    }

    fn extension(self) -> Extension {
        match self {
            Extra::EmailId | Extra::ThreadId => Extension::ObjectId,
            Extra::SaveDate => Extension::SaveDate,
            Extra::Preview => Extension::Preview,
            Extra::Labels => Extension::Gmail,
        }
    }

    pub(crate) fn write(
        self,
        out: &mut Vec<u8>,
        content: &Content,
        saved: Option<&Zoned>,
        labels: &str,
    ) {
        match self {
            Extra::EmailId => {
                let id = identifier(&content.bytes()[..]);
                out.extend_from_slice(format!("EMAILID (M{id})").as_bytes());
            }
            Extra::ThreadId => {
                let id = first_of_thread(content).map(|first| format!("(T{})", identifier(&first)));
                let id = id.unwrap_or_else(|| "NIL".to_owned());
                out.extend_from_slice(format!("THREADID {id}").as_bytes());
            }
            Extra::SaveDate => {
                let date = saved.map_or_else(|| "NIL".to_owned(), dates::internal_date);
                out.extend_from_slice(format!("SAVEDATE {date}").as_bytes());
            }
            Extra::Preview => {
                out.extend_from_slice(b"PREVIEW ");
                nstring(out, Some(preview(content).as_bytes()));
            }
            Extra::Labels => out.extend_from_slice(format!("X-GM-LABELS {labels}").as_bytes()),
        }
    }
}

/// Decodes a FETCH or UID FETCH with such items; returns its tag as well.
pub(crate) fn decode(command: &[u8]) -> Option<(String, Own)> {
    let (rest, extras) = without_extras(command)?;
    let (_, decoded) = CommandCodec::default().decode_static(&rest).ok()?;
    let tag = decoded.tag.inner().to_owned();
    let CommandBody::Fetch { sequence_set, macro_or_item_names, uid, modifiers } = decoded.body
    else {
        return None;
    };
    let macro_or_item_names = match macro_or_item_names {
        // The item that took the place of the others.
        MacroOrMessageDataItemNames::MessageDataItemNames(items) => {
            let kept = items.into_iter().skip(1).collect();
            MacroOrMessageDataItemNames::MessageDataItemNames(kept)
        }
        name => name,
    };
    let body = CommandBody::Fetch { sequence_set, macro_or_item_names, uid, modifiers };
    Some((tag, Own::Fetch(Box::new(body), extras)))
}

/// Cuts the items out, and puts `UID` before the others, so that there is always one.
fn without_extras(command: &[u8]) -> Option<(Vec<u8>, Vec<Extra>)> {
    let mut words = Words::of(command.strip_suffix(b"\r\n")?);
    words.atom()?;
    let name = words.atom()?;
    let is_fetch = |name: &str| name.eq_ignore_ascii_case("FETCH");
    (is_fetch(&name) || (name.eq_ignore_ascii_case("UID") && is_fetch(&words.atom()?)))
        .then_some(())?;
    words.atom()?; // the set
    let start = command.len() - 2 - words.rest().len();
    let is_list = words.open();
    let (mut kept, mut extras, mut depth) = (b"UID".to_vec(), Vec::new(), 0);
    loop {
        let before = words.rest();
        match words.word()? {
            Word::Atom(atom) if depth == 0 && Extra::named(atom).is_some() => {
                let extra = Extra::named(atom)?;
                if extra == Extra::Preview && words.clone().open() {
                    let modifiers = words.list()?;
                    modifiers.iter().all(|word| word.eq_ignore_ascii_case("LAZY")).then_some(())?;
                }
                if !extras.contains(&extra) {
                    extras.push(extra);
                }
            }
            Word::Close if depth == 0 => break,
            word => {
                match word {
                    Word::Open => depth += 1,
                    Word::Close => depth -= 1,
                    _ => {}
                }
                let taken = &before[..before.len() - words.rest().len()];
                let is_first = kept == b"UID" && !taken.starts_with(b" ");
                kept.extend_from_slice(if is_first { b" " } else { b"" });
                kept.extend_from_slice(taken);
            }
        }
        if !is_list && depth == 0 {
            break;
        }
    }
    let mut rest = command[..start].to_vec();
    rest.extend_from_slice(b" (");
    rest.extend_from_slice(&kept);
    rest.push(b')');
    rest.extend_from_slice(words.rest());
    rest.extend_from_slice(b"\r\n");
    (!extras.is_empty()).then_some((rest, extras))
}

impl Session {
    /// FETCH with items that are not in the command.
    pub(crate) fn fetch_with(&mut self, body: CommandBody<'static>, extras: Vec<Extra>) -> Outcome {
        if !extras.iter().all(|extra| self.extensions.has(extra.extension())) {
            return bad("An item is not supported.");
        }
        self.extras = extras;
        let outcome = self.execute(body);
        self.extras.clear();
        outcome
    }
}

fn identifier<T: Hash + ?Sized>(value: &T) -> String {
    // Two halves make collisions as good as impossible.
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        salt.hash(&mut hasher);
        value.hash(&mut hasher);
        hasher.finish()
    };
    format!("{:016x}{:016x}", half(0), half(1))
}

/// The Message-ID of the letter that began the thread, as far as this letter tells.
fn first_of_thread(content: &Content) -> Option<String> {
    let fields = ["References", "In-Reply-To", "Message-ID"];
    fields.into_iter().find_map(|field| {
        let value = header::value(content.bytes(), header::range(content.bytes()), field)?;
        let value = String::from_utf8_lossy(&value);
        let (_, id) = value.split_once('<')?;
        Some(id.split_once('>')?.0.to_owned())
    })
}

/// The beginning of the text, with single spaces.
fn preview(content: &Content) -> String {
    let letter = mail_parser::MessageParser::default().parse(&content.bytes()[..]);
    let text = letter.as_ref().and_then(|letter| letter.body_text(0)).unwrap_or_default();
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(LONGEST_PREVIEW).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_cut_out_and_the_others_are_kept() {
        for (command, rest, count) in [
            ("FETCH 1 EMAILID", "FETCH 1 (UID)", 1),
            ("FETCH 1 (FLAGS EMAILID)", "FETCH 1 (UID FLAGS)", 1),
            ("UID FETCH 1:* (EMAILID FLAGS threadid UID)", "UID FETCH 1:* (UID FLAGS UID)", 2),
            ("FETCH 1 PREVIEW (LAZY)", "FETCH 1 (UID)", 1),
            ("FETCH 1 (PREVIEW (LAZY) SAVEDATE)", "FETCH 1 (UID)", 2),
            (
                "FETCH 1 (BODY[HEADER.FIELDS (EMAILID)] PREVIEW) (CHANGEDSINCE 5)",
                "FETCH 1 (UID BODY[HEADER.FIELDS (EMAILID)]) (CHANGEDSINCE 5)",
                1,
            ),
        ] {
            let (found, extras) = without_extras(format!("a {command}\r\n").as_bytes()).unwrap();
            assert_eq!(String::from_utf8(found).unwrap(), format!("a {rest}\r\n"), "{command}");
            assert_eq!(extras.len(), count, "{command}");
        }
        for other in
            ["FETCH 1 FLAGS", "FETCH 1 (EMAILID", "FETCH 1 (PREVIEW (X))", "UID STORE 1 EMAILID"]
        {
            assert_eq!(without_extras(format!("a {other}\r\n").as_bytes()), None, "{other}");
        }
    }
}
