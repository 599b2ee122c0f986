//! The readable text of a letter, and its attachments.

use super::html::html_to_text;
use super::parameter::Parameterised;
use super::parse::{Letter, PARTS};
use super::part::Part;
use super::transfer::{UuFile, uuencoded_files};
use super::{charset, transfer};
use std::borrow::Cow;
use std::io::{self, Write};

/// An attachment: a whole part, or a uuencoded file within a text part.
#[derive(Debug, Clone)]
pub struct Attachment<'a> {
    /// The part, or the text part that contains the file.
    pub part: Part<'a>,
    uuencoded: Option<UuFile>,
}

impl<'a> Attachment<'a> {
    /// Treats any part as an attachment.
    pub fn of(part: Part<'a>) -> Self {
        Attachment { part, uuencoded: None }
    }

    /// The name that the sender wrote; make it safe with [`super::safe_name`].
    pub fn file_name(&self) -> Option<String> {
        match &self.uuencoded {
            Some(file) => Some(file.name.clone()),
            None => self.part.file_name(),
        }
    }

    /// The content type, such as `image/png`; always `application/octet-stream` for a uuencoded
    /// file.
    pub fn content_type(&self) -> &'a str {
        if self.uuencoded.is_some() { "application/octet-stream" } else { self.part.content_type() }
    }

    /// The file's bytes: decoded, or raw for an embedded letter.
    pub fn bytes(&self) -> Cow<'_, [u8]> {
        match &self.uuencoded {
            Some(file) => Cow::Borrowed(&file.bytes),
            None => self.part.decoded(),
        }
    }
}

impl Attachment<'_> {
    /// Writes [`Attachment::bytes`] with little memory.
    ///
    /// # Errors
    /// Those of `to`.
    pub fn write(&self, to: &mut dyn Write) -> io::Result<()> {
        match &self.uuencoded {
            Some(file) => to.write_all(&file.bytes),
            None => self.part.write_decoded(to),
        }
    }
}

impl Letter {
    /// The readable text, with LF as line end. Concatenates the text parts that are not
    /// attachments; of alternatives it takes the plain one, otherwise the text of the HTML.
    /// Embedded letters are attachments.
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

    /// The HTML as it was sent, if a part that is not an attachment has any. Do not trust it:
    /// sanitise it before display.
    pub fn html(&self) -> Option<String> {
        self.readable_parts(false)
            .into_iter()
            .find(|part| part.content_type() == "text/html")
            .map(|part| part.text())
    }

    /// The attachments in order, at most [`PARTS`]: parts declared as such, leaves that are not
    /// text, embedded letters, and uuencoded files within texts. An embedded letter counts as one
    /// attachment; its own are not listed.
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

    /// The text leaves to display, in order. Of alternatives, the plain or the richest one.
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

/// Whether a part is one of [`Letter::attachments`].
pub(crate) fn is_attachment(part: Part<'_>) -> bool {
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

/// Whether a part whose content is not searched for parts is an attachment.
pub(crate) fn leaf_is_attachment(
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
        // A multipart without parts is displayed as text, unless it was not parsed.
        "multipart" => is_opaque,
        _ => true,
    }
}

/// The plain child unless it is blank; otherwise the last text or multipart, which is the richest.
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

/// The part that `start` names, otherwise the first (RFC 2387).
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
