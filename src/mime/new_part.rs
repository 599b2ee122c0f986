//! Describes and writes one part of an outgoing letter.
//!
//! A part without an explicit encoding gets the cheapest one that is safe: text is sent as 7bit if
//! it can be, otherwise as quoted-printable or base64, whichever is shorter; everything else is
//! sent as base64. The boundary of a multipart is derived from its parts alone, so the same letter
//! is always written the same way.

use super::build::BuildError;
use super::encode_word::encode_text_at;
use super::parameter::encode_parameter;
use super::transfer;
use memchr::memmem;

/// Maximum nesting of parts, the same as when reading.
const DEPTH: usize = super::parse::DEPTH;
/// Maximum length of a line in a body sent unencoded (RFC 5322, section 2.1.1).
const LINE: usize = 998;

/// How a part's body is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferEncoding {
    /// Unencoded. The body must be ASCII without NUL and lone CR, in lines of at most 998 bytes;
    /// any other body is refused.
    SevenBit,
    /// ASCII stays readable.
    QuotedPrintable,
    /// Encodes any bytes and makes them a third longer.
    Base64,
}

/// How the recipient's program should present a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// Display it within the letter.
    Inline,
    /// Offer it as a file.
    Attachment,
}

/// A part to send. `..Default::default()` is an empty `text/plain`.
#[derive(Debug, Clone, Default)]
pub struct NewPart {
    /// The content type. Default: `text/plain`, or `multipart/mixed` if there are subparts.
    pub content_type: Option<String>,
    /// The transfer encoding. By default text is sent unencoded if possible, otherwise as
    /// quoted-printable or base64, whichever is shorter; everything else is sent as base64.
    pub encoding: Option<TransferEncoding>,
    /// Additional header fields.
    pub headers: Vec<(String, String)>,
    /// Additional parameters of the content type.
    pub parameters: Vec<(String, String)>,
    /// The charset of a text. Default: `utf-8` if the body is valid UTF-8.
    pub charset: Option<String>,
    /// `Content-ID`, with or without angle brackets.
    pub id: Option<String>,
    /// `Content-Description`.
    pub description: Option<String>,
    /// `Content-Disposition`. An attachment's body arrives unchanged; in any other text, line ends
    /// become CR LF.
    pub disposition: Option<Disposition>,
    /// The file name to suggest.
    pub file_name: Option<String>,
    /// The parts of a multipart. If there are any, `body` is not used.
    pub parts: Subparts,
    /// The body before transfer encoding.
    pub body: Vec<u8>,
}

/// The parts of a multipart. The constructor limits their depth, so walking or dropping them cannot
/// overflow the stack.
#[derive(Debug, Clone, Default)]
pub struct Subparts {
    parts: Vec<NewPart>,
    depth: usize,
}

impl Subparts {
    /// Wraps the parts.
    ///
    /// # Errors
    /// [`BuildError::TooDeep`] if they nest more than 100 deep.
    pub fn new(parts: Vec<NewPart>) -> Result<Self, BuildError> {
        let depth =
            parts.iter().map(|part| part.parts.depth).max().map_or(0, |deepest| deepest + 1);
        if depth > DEPTH {
            // Each part is itself within the limit, so dropping it is safe.
            return Err(BuildError::TooDeep);
        }
        Ok(Subparts { parts, depth })
    }

    /// The parts.
    pub fn as_slice(&self) -> &[NewPart] {
        &self.parts
    }
}

impl NewPart {
    /// Creates a part for an attached file.
    pub fn attachment(
        file_name: impl Into<String>,
        content_type: impl Into<String>,
        body: Vec<u8>,
    ) -> Self {
        NewPart {
            content_type: Some(content_type.into()),
            disposition: Some(Disposition::Attachment),
            file_name: Some(file_name.into()),
            body,
            ..Default::default()
        }
    }

    pub(super) fn text(content_type: &str, text: &str) -> Self {
        NewPart {
            content_type: Some(content_type.to_owned()),
            body: text.as_bytes().to_vec(),
            ..Default::default()
        }
    }

    pub(super) fn multipart(subtype: &str, parts: Vec<NewPart>) -> Result<Self, BuildError> {
        Ok(NewPart {
            content_type: Some(format!("multipart/{subtype}")),
            parts: Subparts::new(parts)?,
            ..Default::default()
        })
    }

    /// The content type that will be written, defaults applied.
    pub fn effective_type(&self) -> &str {
        let default = if self.parts.parts.is_empty() { "text/plain" } else { "multipart/mixed" };
        self.content_type.as_deref().unwrap_or(default)
    }

    /// Writes header, empty line and body. Recursion is bounded by the depth of [`Subparts`].
    pub(super) fn write(&self, out: &mut Vec<u8>) -> Result<(), BuildError> {
        let content_type = media_type(self.effective_type())?;
        if self.parts.parts.is_empty() {
            if content_type.starts_with("multipart/") {
                return Err(BuildError::EmptyMultipart);
            }
            return self.write_leaf(&content_type, out);
        }
        if !content_type.starts_with("multipart/") {
            return Err(BuildError::NotMultipart { content_type });
        }
        let mut written = Vec::new();
        for part in &self.parts.parts {
            let mut bytes = Vec::new();
            part.write(&mut bytes)?;
            written.push(bytes);
        }
        let boundary = boundary(&written);
        self.write_header(&content_type, Some(("boundary", &boundary)), None, out)?;
        for bytes in written {
            out.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
            out.extend_from_slice(&bytes);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        Ok(())
    }

    fn write_leaf(&self, content_type: &str, out: &mut Vec<u8>) -> Result<(), BuildError> {
        let is_text = content_type.starts_with("text/");
        let is_exact = !is_text || self.disposition == Some(Disposition::Attachment);
        let declared = self.charset.as_deref().or_else(|| {
            self.parameters
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case("charset"))
                .map(|_| "")
        });
        let charset = match declared {
            Some("") => None,
            Some(charset) => Some(charset),
            None if !is_text => None,
            None if self.body.is_ascii() => Some("us-ascii"),
            None => std::str::from_utf8(&self.body).is_ok().then_some("utf-8"),
        };
        // Embedded letters must not be encoded if they can be sent as they are (RFC 2046, section
        // 5.2.1).
        let as_it_is = with_wire_line_ends(&self.body)
            .filter(|_| !is_exact || content_type.starts_with("message/"));
        let (name, body) = match self.encoding {
            None => match as_it_is {
                Some(body) => ("7bit", body),
                None if is_exact => ("base64", transfer::encode_base64(&self.body)),
                None => shorter(&self.body),
            },
            Some(TransferEncoding::SevenBit) => {
                ("7bit", with_wire_line_ends(&self.body).ok_or(BuildError::NotSevenBit)?)
            }
            Some(TransferEncoding::QuotedPrintable) if is_exact => {
                ("quoted-printable", transfer::encode_quoted_printable_bytes(&self.body))
            }
            Some(TransferEncoding::QuotedPrintable) => {
                ("quoted-printable", transfer::encode_quoted_printable_text(&self.body))
            }
            Some(TransferEncoding::Base64) => ("base64", transfer::encode_base64(&self.body)),
        };
        self.write_header(
            content_type,
            charset.map(|charset| ("charset", charset)),
            Some(name),
            out,
        )?;
        out.extend_from_slice(&body);
        Ok(())
    }

    fn write_header(
        &self,
        content_type: &str,
        own: Option<(&str, &str)>,
        encoding: Option<&str>,
        out: &mut Vec<u8>,
    ) -> Result<(), BuildError> {
        let mut content = String::from(content_type);
        for (name, value) in own
            .into_iter()
            .chain(self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())))
        {
            add_parameter(&mut content, name, value)?;
        }
        push_field("Content-Type", &content, out);
        if let Some(encoding) = encoding {
            push_field("Content-Transfer-Encoding", encoding, out);
        }
        if self.disposition.is_some() || self.file_name.is_some() {
            let mut disposition = String::from(if self.disposition == Some(Disposition::Inline) {
                "inline"
            } else {
                "attachment"
            });
            if let Some(name) = &self.file_name {
                check_value("file name", name)?;
                add_parameter(&mut disposition, "filename", name)?;
            }
            push_field("Content-Disposition", &disposition, out);
        }
        if let Some(id) = &self.id {
            push_field("Content-ID", &bracketed("Content-ID", id)?, out);
        }
        if let Some(description) = &self.description {
            push_text("Content-Description", description, out)?;
        }
        for (name, value) in &self.headers {
            check_name(name)?;
            let managed = [
                "content-type",
                "content-transfer-encoding",
                "content-disposition",
                "content-id",
                "content-description",
                "bcc",
                "resent-bcc",
            ];
            if managed.iter().any(|managed| name.eq_ignore_ascii_case(managed)) {
                return Err(BuildError::Managed { name: name.clone() });
            }
            push_text(name, value, out)?;
        }
        out.extend_from_slice(b"\r\n");
        Ok(())
    }
}

fn shorter(body: &[u8]) -> (&'static str, Vec<u8>) {
    let printable = transfer::encode_quoted_printable_text(body);
    let normalised = crlf_line_ends(body);
    let base64 = transfer::encode_base64(&normalised);
    if printable.len() <= base64.len() {
        ("quoted-printable", printable)
    } else {
        ("base64", base64)
    }
}

fn crlf_line_ends(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + body.len() / 40);
    let mut before = 0;
    for byte in body {
        if *byte == b'\n' && before != b'\r' {
            out.push(b'\r');
        }
        out.push(*byte);
        before = *byte;
    }
    out
}

/// The body with CR LF line ends, if it can be sent unencoded.
fn with_wire_line_ends(body: &[u8]) -> Option<Vec<u8>> {
    let out = crlf_line_ends(body);
    let has_lone_cr = memchr::memchr_iter(b'\r', &out).any(|at| out.get(at + 1) != Some(&b'\n'));
    let fits = out.is_ascii()
        && !out.contains(&0)
        && !has_lone_cr
        && out
            .split(|byte| *byte == b'\n')
            .all(|line| line.strip_suffix(b"\r").unwrap_or(line).len() <= LINE);
    fits.then_some(out)
}

/// A boundary that occurs in none of the parts. It starts with `=_`, which neither quoted-printable
/// nor base64 can contain; for other encodings the number is raised until it is unique. It depends
/// only on the parts, so the same letter is always written the same way.
fn boundary(parts: &[Vec<u8>]) -> String {
    let mut number = parts.iter().map(Vec::len).sum::<usize>();
    loop {
        let boundary = format!("=_postoffice_{number:x}");
        if parts.iter().all(|part| memmem::find(part, boundary.as_bytes()).is_none()) {
            return boundary;
        }
        number += 1;
    }
}

fn add_parameter(field: &mut String, name: &str, value: &str) -> Result<(), BuildError> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&+-.^_`{|}~".contains(&byte);
    if name.is_empty() || name.len() > 60 || !name.bytes().all(is_token) {
        return Err(BuildError::Name { what: "parameter name", name: name.to_owned() });
    }
    check_value("parameter", value)?;
    field.push_str(";\r\n ");
    field.push_str(&encode_parameter(name, value));
    Ok(())
}

fn media_type(content_type: &str) -> Result<String, BuildError> {
    // RFC 6838, section 4.2: 127 characters each.
    let is_token = |text: &str| {
        (1..=127).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte))
    };
    match content_type.split_once('/') {
        Some((main, sub)) if is_token(main) && is_token(sub) => {
            Ok(content_type.to_ascii_lowercase())
        }
        _ => Err(BuildError::Name { what: "content type", name: content_type.to_owned() }),
    }
}

pub(super) fn check_name(name: &str) -> Result<(), BuildError> {
    let is_good = !name.is_empty()
        && name.len() <= 70
        && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
    if is_good {
        Ok(())
    } else {
        Err(BuildError::Name { what: "header name", name: name.to_owned() })
    }
}

/// Refuses line ends and NUL in a header value.
pub(super) fn check_value(what: &str, value: &str) -> Result<(), BuildError> {
    if value.contains(['\r', '\n', '\0']) {
        return Err(BuildError::LineBreak { what: what.to_owned() });
    }
    Ok(())
}

/// A message or content id in angle brackets.
pub(super) fn bracketed(what: &'static str, id: &str) -> Result<String, BuildError> {
    check_value(what, id)?;
    let id = id.trim().trim_start_matches('<').trim_end_matches('>');
    if id.is_empty()
        || id.len() > 900
        || !id.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>".contains(&byte))
    {
        return Err(BuildError::Name { what, name: id.to_owned() });
    }
    Ok(format!("<{id}>"))
}

pub(super) fn push_text(name: &str, value: &str, out: &mut Vec<u8>) -> Result<(), BuildError> {
    check_value(name, value)?;
    push_field(name, &encode_text_at(value, name.len() + 2), out);
    Ok(())
}

pub(super) fn push_field(name: &str, folded: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{name}: {folded}\r\n").as_bytes());
}
