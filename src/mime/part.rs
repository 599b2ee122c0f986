//! One part of a letter: its fields and its body, raw and decoded.

use super::decoding::Decoder;
use super::parameter::{Parameterised, lookup};
use super::parse::{Letter, PartData, is_identity};
use super::{charset, header, transfer};
use std::borrow::Cow;
use std::io::{self, Write};
use std::ops::Range;

/// How many bytes are decoded at a time.
const PIECE: usize = 64 << 10;

/// A view of one part; cheap to copy.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    pub(super) letter: &'a Letter,
    pub(super) index: usize,
}

impl<'a> Part<'a> {
    fn data(&self) -> &'a PartData {
        &self.letter.parts[self.index]
    }

    /// The part's index, for [`Letter::part`].
    pub fn index(&self) -> usize {
        self.index
    }

    /// The enclosing part.
    pub fn parent(&self) -> Option<Part<'a>> {
        self.data().parent.map(|index| Part { letter: self.letter, index })
    }

    /// The direct children: the parts of a multipart, or the letter in a `message/rfc822`.
    pub fn parts(&self) -> impl DoubleEndedIterator<Item = Part<'a>> + ExactSizeIterator + use<'a> {
        let letter = self.letter;
        self.data().children.iter().map(move |index| Part { letter, index: *index })
    }

    /// The content type in lower case, such as `text/plain`.
    pub fn content_type(&self) -> &'a str {
        &self.data().content.value
    }

    /// The part of the content type before the slash, such as `text`.
    pub fn main_type(&self) -> &'a str {
        self.content_type().split('/').next().unwrap_or_default()
    }

    /// The part of the content type after the slash, such as `plain`.
    pub fn subtype(&self) -> &'a str {
        self.content_type().split('/').nth(1).unwrap_or_default()
    }

    /// The parameters of the content type: names in lower case, values decoded.
    pub fn parameters(&self) -> &'a [(String, String)] {
        &self.data().content.parameters
    }

    /// The value of the parameter `name`, given in lower case.
    pub fn parameter(&self, name: &str) -> Option<&'a str> {
        lookup(self.parameters(), name)
    }

    /// The declared charset.
    pub fn charset(&self) -> Option<&'a str> {
        self.parameter("charset")
    }

    /// The transfer encoding in lower case; default `7bit`.
    pub fn encoding(&self) -> &'a str {
        &self.data().encoding
    }

    /// Whether a limit was reached, so that the content was not parsed.
    pub fn is_opaque(&self) -> bool {
        self.data().opaque
    }

    /// Whether the content type is a multipart, with or without parts.
    pub fn is_multipart(&self) -> bool {
        self.main_type() == "multipart"
    }

    /// The header's fields.
    pub fn fields(&self) -> header::Fields<'a> {
        header::fields(self.header())
    }

    /// The first field with this name, as text; encoded words are not decoded.
    pub fn field(&self, name: &str) -> Option<String> {
        self.fields().find(|field| field.is(name)).map(|field| field.text().into_owned())
    }

    fn decoded_field(&self, name: &str) -> Option<String> {
        self.fields().find(|field| field.is(name)).map(|field| field.decoded())
    }

    /// `Content-ID`, with its angle brackets.
    pub fn id(&self) -> Option<String> {
        self.field("content-id")
    }

    /// `Content-Description`, decoded.
    pub fn description(&self) -> Option<String> {
        self.decoded_field("content-description")
    }

    /// `Subject`, decoded.
    pub fn subject(&self) -> Option<String> {
        self.decoded_field("subject")
    }

    /// `Content-Disposition` with its parameters (RFC 2183).
    pub fn disposition(&self) -> Option<Parameterised> {
        disposition(self.header())
    }

    /// The file name that the sender wrote, decoded: `filename` of the disposition, otherwise
    /// `name` of the content type. Do not trust it: see [`super::safe_name`].
    pub fn file_name(&self) -> Option<String> {
        file_name(self.disposition().as_ref(), self.parameters())
    }

    /// The raw header.
    pub fn header(&self) -> &'a [u8] {
        &self.letter.as_bytes()[self.data().header.clone()]
    }

    /// The raw body.
    pub fn body(&self) -> &'a [u8] {
        &self.letter.as_bytes()[self.data().body.clone()]
    }

    /// The raw header and body.
    pub fn bytes(&self) -> &'a [u8] {
        &self.letter.as_bytes()[self.data().whole.clone()]
    }

    /// The byte range of the whole part within the letter.
    pub fn range(&self) -> Range<usize> {
        self.data().whole.clone()
    }

    /// The byte range of the body within the letter.
    pub fn body_range(&self) -> Range<usize> {
        self.data().body.clone()
    }

    /// The number of lines in the raw body, including a last line without a line end.
    pub fn line_count(&self) -> usize {
        let body = self.body();
        memchr::memchr_iter(b'\n', body).count()
            + usize::from(body.last().is_some_and(|byte| *byte != b'\n'))
    }

    /// The body with its transfer encoding undone. Damaged encodings are decoded as far as
    /// possible; unknown ones are left. Multiparts and embedded letters are not encoded, whatever
    /// they declare.
    pub fn decoded(&self) -> Cow<'a, [u8]> {
        let body = self.body();
        if is_identity(self.encoding()) || !self.data().children.is_empty() || self.is_multipart() {
            return Cow::Borrowed(body);
        }
        match self.encoding() {
            "base64" => Cow::Owned(transfer::decode_base64(body)),
            "quoted-printable" => Cow::Owned(transfer::decode_quoted_printable(body)),
            "x-uuencode" | "uuencode" | "x-uue" | "uue" => {
                transfer::decode_uuencode(body).map_or(Cow::Borrowed(body), Cow::Owned)
            }
            _ => Cow::Borrowed(body),
        }
    }

    /// Writes [`Part::decoded`], a piece at a time if the encoding is base64 or quoted-printable.
    ///
    /// # Errors
    /// Those of `to`.
    pub fn write_decoded(&self, to: &mut dyn Write) -> io::Result<()> {
        let has_content = self.data().children.is_empty() && !self.is_multipart();
        if !has_content || !matches!(self.encoding(), "base64" | "quoted-printable") {
            return to.write_all(&self.decoded());
        }
        let (mut decoder, mut decoded) = (Decoder::of(self.encoding()), Vec::new());
        for piece in self.body().chunks(PIECE) {
            decoder.decode(piece, &mut decoded);
            to.write_all(&decoded)?;
            decoded.clear();
        }
        decoder.finish(&mut decoded);
        to.write_all(&decoded)
    }

    /// The body as text: decoded in its charset, with LF as line end. A lone CR stays.
    pub fn text(&self) -> String {
        charset::decode_body(self.charset(), &self.decoded()).replace("\r\n", "\n")
    }
}

/// The `Content-Disposition` of a header.
pub(super) fn disposition(header: &[u8]) -> Option<Parameterised> {
    header::fields(header)
        .find(|field| field.is("content-disposition"))
        .map(|field| Parameterised::read(&field.value))
}

/// The file name of a part with this disposition and these content type parameters.
pub(super) fn file_name(
    disposition: Option<&Parameterised>,
    parameters: &[(String, String)],
) -> Option<String> {
    let name = disposition
        .and_then(|disposition| disposition.get("filename"))
        .or_else(|| lookup(parameters, "name"));
    name.filter(|name| !name.is_empty()).map(str::to_owned)
}
