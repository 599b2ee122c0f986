//! What a person reads of a letter, and what hangs on it.

use super::html::html_to_text;
use super::parameter::Parameterised;
use super::parse::{Letter, PARTS};
use super::part::Part;
use super::transfer::{UuFile, uuencoded_files};
use super::{charset, transfer};
use std::borrow::Cow;

/// A part that is an attachment, or a file that stands uuencoded in a text part.
#[derive(Debug, Clone)]
pub struct Attachment<'a> {
    /// The part, or the text part that the file stands in.
    pub part: Part<'a>,
    uuencoded: Option<UuFile>,
}

impl<'a> Attachment<'a> {
    /// A part taken as an attachment, whatever it is.
    pub fn of(part: Part<'a>) -> Self {
        Attachment { part, uuencoded: None }
    }

    /// The name as the sender wrote it; see [`super::safe_name`].
    pub fn file_name(&self) -> Option<String> {
        match &self.uuencoded {
            Some(file) => Some(file.name.clone()),
            None => self.part.file_name(),
        }
    }

    /// `image/png`; a uuencoded file has no other than `application/octet-stream`.
    pub fn content_type(&self) -> &'a str {
        if self.uuencoded.is_some() { "application/octet-stream" } else { self.part.content_type() }
    }

    /// The file: decoded, or a letter's bytes as they stand.
    pub fn bytes(&self) -> Cow<'_, [u8]> {
        match &self.uuencoded {
            Some(file) => Cow::Borrowed(&file.bytes),
            None => self.part.decoded(),
        }
    }
}

impl Letter {
    /// The readable text, with LF as line end: of alternatives the plain one, else the text of the HTML; the text parts that are no attachments, one
    /// behind the other. Letters inside are attachments.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for part in self.readable_parts(true) {
            let piece = if part.content_type() == "text/html" {
                html_to_text(&part.text())
            } else {
                without_uuencoded(part)
            };
            if !text.is_empty() && !text.ends_with('\n') && !piece.is_empty() {
                text.push('\n');
            }
            text.push_str(&piece);
        }
        text
    }

    /// The HTML as it was sent, if there is any that is no attachment. It is hostile to whoever shows it.
    pub fn html(&self) -> Option<String> {
        self.readable_parts(false)
            .into_iter()
            .find(|part| part.content_type() == "text/html")
            .map(|part| part.text())
    }

    /// The attachments in their order: what says so, leaves that are no text, letters inside, and files that stand uuencoded in a text. Of letters
    /// inside, only they themselves. There are no more of them than [`PARTS`].
    pub fn attachments(&self) -> Vec<Attachment<'_>> {
        let mut found = Vec::new();
        let mut waiting = vec![self.root()];
        while let Some(part) = waiting.pop().filter(|_| found.len() < PARTS) {
            if is_attachment(part) {
                found.push(Attachment::of(part));
            } else if part.parts().len() > 0 {
                waiting.extend(part.parts().rev());
            } else if part.content_type() == "text/plain" {
                let files = uuencoded_files(&part.decoded());
                found.extend(
                    files.into_iter().map(|file| Attachment { part, uuencoded: Some(file) }),
                );
            }
        }
        found.truncate(PARTS);
        found
    }

    /// The text leaves that are shown, in order. Of alternatives, the plain one or the richest.
    fn readable_parts(&self, prefer_plain: bool) -> Vec<Part<'_>> {
        let mut found = Vec::new();
        let mut waiting = vec![self.root()];
        while let Some(part) = waiting.pop() {
            if part.parts().len() > 0 && part.is_multipart() {
                match part.subtype() {
                    "alternative" => waiting.extend(alternative(part, prefer_plain)),
                    "related" => waiting.extend(related_root(part)),
                    _ => waiting.extend(part.parts().rev()),
                }
            } else if !is_attachment(part)
                && (part.main_type() == "text" || part.is_multipart())
                && !part.is_opaque()
            {
                found.push(part);
            }
        }
        found
    }
}

fn is_attachment(part: Part<'_>) -> bool {
    let is_leaf = part.parts().len() == 0 || part.main_type() == "message";
    is_leaf
        && leaf_is_attachment(
            part.content_type(),
            part.disposition().as_ref(),
            part.file_name(),
            part.parent().is_none(),
            part.is_opaque(),
        )
}

/// Whether a part in which no others are looked for is an attachment.
pub(super) fn leaf_is_attachment(
    content_type: &str,
    disposition: Option<&Parameterised>,
    file_name: Option<String>,
    is_root: bool,
    is_opaque: bool,
) -> bool {
    match disposition {
        Some(disposition) if disposition.value == "inline" || disposition.value.is_empty() => {}
        Some(_) if !is_root || file_name.is_some() => return true,
        _ => {}
    }
    match content_type.split('/').next().unwrap_or_default() {
        "text" => {
            !matches!(content_type, "text/plain" | "text/html")
                && disposition.is_none()
                && file_name.is_some()
        }
        // A multipart without parts shows as the text it is, unless it was not looked into.
        "multipart" => is_opaque,
        _ => true,
    }
}

/// The plain child unless it is blank; else the last text or multipart, which is the richest.
fn alternative(part: Part<'_>, prefer_plain: bool) -> Option<Part<'_>> {
    let is_blank = |child: Part<'_>| child.decoded().iter().all(u8::is_ascii_whitespace);
    let plain =
        part.parts().find(|child| child.content_type() == "text/plain" && !is_attachment(*child));
    let richest =
        part.parts().rfind(|child| child.content_type() == "text/html" || child.is_multipart());
    match plain {
        Some(plain) if prefer_plain && (richest.is_none() || !is_blank(plain)) => Some(plain),
        _ => richest.or(plain).or_else(|| part.parts().rfind(|child| child.main_type() == "text")),
    }
}

/// RFC 2387: the part that `start` names, else the first.
fn related_root(part: Part<'_>) -> Option<Part<'_>> {
    let named = part
        .parameter("start")
        .and_then(|start| part.parts().find(|child| child.id().is_some_and(|id| id == start)));
    named.or_else(|| part.parts().next())
}

fn without_uuencoded(part: Part<'_>) -> String {
    let bytes = part.decoded();
    let files = if part.content_type() == "text/plain" {
        transfer::uuencoded_files(&bytes)
    } else {
        Vec::new()
    };
    if files.is_empty() {
        return part.text();
    }
    let mut kept = Vec::with_capacity(bytes.len());
    let mut at = 0;
    for file in files {
        kept.extend_from_slice(&bytes[at..file.range.start]);
        at = file.range.end;
    }
    kept.extend_from_slice(&bytes[at..]);
    charset::decode_body(part.charset(), &kept).replace("\r\n", "\n")
}
