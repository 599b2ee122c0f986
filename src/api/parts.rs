//! MIME parts: reading those of received letters, and making new ones.
//!
//! Two kinds of object print as `#<mime-part …>`. A `ReadPart` belongs to a letter that
//! `parse-letter` has read; a `NewPart` comes from `make-mime-part`. The accessors of type,
//! parameters, headers and so on accept both; everything that needs content accepts only a
//! `ReadPart`. `letter-text`, `letter-html` and `letter-attachments` describe the whole letter,
//! whichever of its parts they are given.

use super::Answer;
use super::letter_sets::whole_letter;
use super::letters::letter_bytes;
use super::sets::required;
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Function, NativeCode, Run, Type, Value};
use crate::lisp::Datum;
use crate::mime::{Attachment, Disposition, Letter, NewPart, Part, Subparts, TransferEncoding};
use std::path::Path;
use std::sync::Arc;

/// The rows of the topic "Letters and their parts".
pub(super) const FUNCTIONS: &[Function] = &[
    Function::native(
        "parse-letter",
        "(text)",
        parse_letter,
        "Parses a letter. Returns a part object for the whole letter, which letter-text, letter-attachments and the mime-part accessors take. A broken letter is read as far as possible.
text: a string or a bytevector, as any fetch returns it.",
    ).checked(),
    Function::new(
        "parse-mime-structure",
        "(text)",
        "The same as parse-letter.\ntext: a string or a bytevector, as any fetch returns it. Returns a part object.",
        Run::Alias("parse-letter"),
    ).checked(),
    Function::native(
        "letter-text",
        "(letter)",
        letter_text,
        "The readable text of a letter, a string: the plain alternative, or else the text of the HTML.\nletter: a letter of a set, what parse-letter returns, or a letter's text, a string or a bytevector. :\\\\seen is not set. nil for a letter that has left its mailbox.",
    ).checked(),
    Function::native(
        "letter-html",
        "(letter)",
        letter_html,
        "The HTML text of a letter, a string; nil if it has none.\nletter: as for letter-text.",
    ).checked(),
    Function::native(
        "letter-attachments",
        "(letter)",
        letter_attachments,
        "The list of a letter's attachments.\nletter: as for letter-text. See attachment-name, attachment-type, attachment-bytes, save-attachment.",
    ).checked(),
    Function::native(
        "attachment-name",
        "(attachment)",
        attachment_name,
        "An attachment's file name as its sender wrote it, a string or nil. It is not a safe path; save-attachment makes one.\nattachment: an element of letter-attachments.",
    ).checked(),
    Function::native(
        "attachment-type",
        "(attachment)",
        attachment_type,
        "An attachment's content type, a string such as \"image/png\".\nattachment: an element of letter-attachments.",
    ).checked(),
    Function::native(
        "attachment-bytes",
        "(attachment)",
        attachment_bytes,
        "An attachment's decoded content. Returns a bytevector.\nattachment: an element of letter-attachments.",
    ).checked(),
    Function::native(
        "save-attachment",
        "(attachment folder &key name)",
        super::attachments::save_attachment,
        "Writes an attachment to a new file in a folder. Its name is made safe, so that it never leads out of the folder, with a number where the name is taken; nothing is overwritten. Returns the path, a string.
attachment: an element of letter-attachments. folder: a string, a folder that exists. :name  a string, the name to use instead of its own. Errors: :file.",
    ).typed(&[("name", Type::String)]).checked(),
    Function::native(
        "make-mime-part",
        "(&key content-type encoding headers attachmentp name text file subparts parameters charset id description)",
        make_mime_part,
        "Makes a part of a letter to send, for the message of send-letter or its attachments. Returns a part object.
:content-type  a string, \"text/plain\". :encoding  \"7bit\", \"quoted-printable\" or \"base64\"; the best by default. :headers :parameters  lists of (\"name\" . \"value\").
:attachmentp  t offers it as a file, with :name as the file's name. The content is one of :text, a string or a bytevector, :file, a file's name, or :subparts, a list of parts.
:charset :id :description  strings. Errors: :syntax-error, :file.",
    ).typed(&[("attachmentp", Type::Truth)]).checked(),
    part_accessor(
        "mime-part-type",
        mime_part_type,
        "The first half of a part's content type, a string: \"text\".\npart: as parse-letter, mime-part-parts or make-mime-part returns it.",
    ).checked(),
    part_accessor(
        "mime-part-subtype",
        mime_part_subtype,
        "The second half of a part's content type, a string: \"plain\".\npart: as parse-letter, mime-part-parts or make-mime-part returns it.",
    ).checked(),
    part_accessor(
        "mime-part-parameters",
        mime_part_parameters,
        "The list ((\"name\" . \"value\") …) of a part's content type parameters.\npart: as parse-letter, mime-part-parts or make-mime-part returns it.",
    ).checked(),
    part_accessor(
        "mime-part-id",
        mime_part_id,
        "A part's Content-ID, a string or nil.\npart: as parse-letter, mime-part-parts or make-mime-part returns it.",
    ).checked(),
    part_accessor(
        "mime-part-description",
        mime_part_description,
        "A part's description, a string or nil.\npart: as parse-letter, mime-part-parts or make-mime-part returns it.",
    ).checked(),
    part_accessor(
        "mime-part-encoding",
        mime_part_encoding,
        "A part's transfer encoding, a string; nil if it is still to be chosen.\npart: as parse-letter, mime-part-parts or make-mime-part returns it.",
    ).checked(),
    part_accessor(
        "mime-part-headers",
        mime_part_headers,
        "The list ((\"name\" . \"value\") …) of a part's header fields.\npart: as parse-letter, mime-part-parts or make-mime-part returns it.",
    ).checked(),
    part_accessor(
        "mime-part-parts",
        mime_part_parts,
        "The list of the parts in a part; nil if it has none.\npart: as parse-letter, mime-part-parts or make-mime-part returns it.",
    ).checked(),
    part_accessor(
        "mime-part-text",
        part_text,
        "A part's decoded text, a string.\npart: as parse-letter or mime-part-parts returns it.",
    ).checked(),
    part_accessor(
        "mime-part-bytes",
        part_bytes,
        "A part's decoded content. Returns a bytevector.\npart: as parse-letter or mime-part-parts returns it.",
    ).checked(),
    Function::native(
        "%all-parts",
        "(part f)",
        all_parts,
        "A part and every part in it, from the outside in. Checks the arguments of map-over-parts. Returns a list.",
    ).typed(&[("f", Type::Function(1))]).inside_of("map-over-parts").checked(),
    Function::new(
        "map-over-parts",
        "(part f)",
        "Calls f with a part and every part in it, from the outside in. Returns t.\npart: as parse-letter returns it. f: a function of one argument.",
        Run::Scheme(
            "(lambda (part f)
               (dolist (inner (%all-parts part f)) (f inner))
               t)",
        ),
    ).checked(),
];

const fn part_accessor(name: &'static str, run: NativeCode, doc: &'static str) -> Function {
    Function::native(name, "(part)", run, doc)
}

/// A part of a received letter. The letter lives as long as one of its parts.
pub(super) struct ReadPart {
    letter: Arc<Letter>,
    index: usize,
}

/// An attachment of a received letter: its index among them.
pub(super) struct ReadAttachment {
    letter: Arc<Letter>,
    number: usize,
}

impl ReadPart {
    fn part(&self) -> Part<'_> {
        self.letter.part(self.index).unwrap_or_else(|| self.letter.root())
    }
}

fn part_value(letter: &Arc<Letter>, index: usize) -> Value {
    let part = ReadPart { letter: letter.clone(), index };
    let printed = format!("#<mime-part {}>", part.part().content_type());
    host::object(part, &printed)
}

fn text_or_nil(text: Option<String>) -> Value {
    text.map_or_else(host::nil, host::string)
}

pub(super) fn parse_letter(call: &Call<'_>) -> Answer {
    let letter = Arc::new(match call.arg(0).and_then(host::shared_bytes) {
        Some(text) => Letter::over(text),
        None => Letter::from_bytes(letter_bytes(call, 0)?.into_owned()),
    });
    Ok(part_value(&letter, 0))
}

/// The part in the first argument: read from a letter, or new.
enum AnyPart {
    Read(Arc<ReadPart>),
    New(Arc<NewPart>),
}

fn any_part(call: &Call<'_>) -> Result<AnyPart, Condition> {
    let value = required(call, 0);
    if let Some(part) = host::downcast::<ReadPart>(value) {
        return Ok(AnyPart::Read(part));
    }
    let made = host::downcast::<NewPart>(value).map(AnyPart::New);
    made.ok_or_else(|| {
        call.wrong("part", "a part, as parse-letter or make-mime-part returns it", value)
    })
}

fn read_part(call: &Call<'_>) -> Result<Arc<ReadPart>, Condition> {
    call.typed(0, "a letter, as parse-letter returns it", host::downcast::<ReadPart>)
}

pub(super) fn mime_part_type(call: &Call<'_>) -> Answer {
    Ok(host::string(match any_part(call)? {
        AnyPart::Read(part) => part.part().main_type().to_owned(),
        AnyPart::New(part) => {
            part.effective_type().split('/').next().unwrap_or("").trim().to_lowercase()
        }
    }))
}

pub(super) fn mime_part_subtype(call: &Call<'_>) -> Answer {
    Ok(host::string(match any_part(call)? {
        AnyPart::Read(part) => part.part().subtype().to_owned(),
        AnyPart::New(part) => {
            part.effective_type().split(['/', ';']).nth(1).unwrap_or("").trim().to_lowercase()
        }
    }))
}

fn pairs<'p>(pairs: impl IntoIterator<Item = &'p (String, String)>) -> Value {
    host::list(
        pairs
            .into_iter()
            .map(|(name, value)| {
                host::cons(host::string(name.as_str()), host::string(value.as_str()))
            })
            .collect(),
    )
}

pub(super) fn mime_part_parameters(call: &Call<'_>) -> Answer {
    Ok(match any_part(call)? {
        AnyPart::Read(part) => pairs(part.part().parameters()),
        AnyPart::New(part) => pairs(&part.parameters),
    })
}

pub(super) fn mime_part_id(call: &Call<'_>) -> Answer {
    Ok(text_or_nil(match any_part(call)? {
        AnyPart::Read(part) => part.part().id(),
        AnyPart::New(part) => part.id.clone(),
    }))
}

pub(super) fn mime_part_description(call: &Call<'_>) -> Answer {
    Ok(text_or_nil(match any_part(call)? {
        AnyPart::Read(part) => part.part().description(),
        AnyPart::New(part) => part.description.clone(),
    }))
}

pub(super) fn mime_part_encoding(call: &Call<'_>) -> Answer {
    Ok(match any_part(call)? {
        AnyPart::Read(part) => host::string(part.part().encoding()),
        AnyPart::New(part) => {
            part.encoding.map_or_else(host::nil, |encoding| host::string(encoding_name(encoding)))
        }
    })
}

fn encoding_name(encoding: TransferEncoding) -> &'static str {
    match encoding {
        TransferEncoding::SevenBit => "7bit",
        TransferEncoding::QuotedPrintable => "quoted-printable",
        TransferEncoding::Base64 => "base64",
    }
}

pub(super) fn mime_part_headers(call: &Call<'_>) -> Answer {
    Ok(match any_part(call)? {
        AnyPart::Read(part) => {
            let field = |field: crate::mime::Field<'_>| {
                host::cons(
                    host::string(String::from_utf8_lossy(field.name.as_ref()).into_owned()),
                    host::string(field.text()),
                )
            };
            host::list(part.part().fields().map(field).collect())
        }
        AnyPart::New(part) => pairs(&part.headers),
    })
}

pub(super) fn mime_part_parts(call: &Call<'_>) -> Answer {
    Ok(host::list(match any_part(call)? {
        AnyPart::Read(part) => {
            part.part().parts().map(|inner| part_value(&part.letter, inner.index())).collect()
        }
        AnyPart::New(part) => {
            part.parts.as_slice().iter().map(|inner| new_part_value(inner.clone())).collect()
        }
    }))
}

/// Runs inside `map-over-parts`; errors name that function.
pub(super) fn all_parts(call: &Call<'_>) -> Answer {
    let part = read_part(call)?;
    // The letter lists its parts in the order of the text, so descendants come after their part.
    let mut within = vec![false; part.letter.parts().len()];
    let mut values = Vec::new();
    for one in part.letter.parts() {
        let inside =
            one.index() == part.index || one.parent().is_some_and(|parent| within[parent.index()]);
        within[one.index()] = inside;
        if inside {
            values.push(part_value(&part.letter, one.index()));
        }
    }
    Ok(host::list(values))
}

pub(super) fn part_text(call: &Call<'_>) -> Answer {
    Ok(host::string(read_part(call)?.part().text()))
}

pub(super) fn part_bytes(call: &Call<'_>) -> Answer {
    Ok(host::bytes(read_part(call)?.part().decoded().into_owned()))
}

/// Returns the letter that a part belongs to.
pub(super) fn letter_of_part(value: &Value) -> Option<Arc<Letter>> {
    host::downcast::<ReadPart>(value).map(|part| part.letter.clone())
}

pub(super) fn letter_text(call: &Call<'_>) -> Answer {
    Ok(whole_letter(call)?.map_or_else(host::nil, |letter| host::string(letter.text())))
}

pub(super) fn letter_html(call: &Call<'_>) -> Answer {
    Ok(text_or_nil(whole_letter(call)?.and_then(|letter| letter.html())))
}

pub(super) fn letter_attachments(call: &Call<'_>) -> Answer {
    let Some(letter) = whole_letter(call)? else { return Ok(host::nil()) };
    let value = |(number, attachment): (usize, Attachment<'_>)| {
        let printed = format!(
            "#<attachment {} {:?}>",
            attachment.content_type(),
            attachment.file_name().unwrap_or_default()
        );
        host::object(
            ReadAttachment { letter: letter.clone(), number },
            &crate::shown::escape_controls(&printed),
        )
    };
    Ok(host::list(letter.attachments().into_iter().enumerate().map(value).collect()))
}

/// Calls `use_it` with the attachment in the first argument. A part counts as an attachment, too.
pub(super) fn with_attachment<T>(
    call: &Call<'_>,
    use_it: impl FnOnce(&Attachment<'_>) -> T,
) -> Result<T, Condition> {
    let value = required(call, 0);
    if let Some(part) = host::downcast::<ReadPart>(value) {
        return Ok(use_it(&Attachment::of(part.part())));
    }
    let wrong =
        || call.wrong("attachment", "an attachment, as letter-attachments returns it", value);
    let found = host::downcast::<ReadAttachment>(value).ok_or_else(wrong)?;
    let attachments = found.letter.attachments();
    attachments.get(found.number).map(use_it).ok_or_else(wrong)
}

pub(super) fn attachment_name(call: &Call<'_>) -> Answer {
    with_attachment(call, |attachment| text_or_nil(attachment.file_name()))
}

pub(super) fn attachment_type(call: &Call<'_>) -> Answer {
    with_attachment(call, |attachment| host::string(attachment.content_type()))
}

pub(super) fn attachment_bytes(call: &Call<'_>) -> Answer {
    with_attachment(call, |attachment| host::bytes(attachment.bytes().into_owned()))
}

fn new_part_value(part: NewPart) -> Value {
    let printed = format!("#<mime-part {}>", part.effective_type());
    host::object(part, &crate::shown::escape_controls(&printed))
}

pub(super) fn make_mime_part(call: &Call<'_>) -> Answer {
    let mut part = NewPart {
        content_type: call.key_string("content-type")?.map(str::to_owned),
        encoding: call.typed_key(
            "encoding",
            "\"7bit\", \"quoted-printable\" or \"base64\"",
            encoding,
        )?,
        headers: headers(call, "headers")?,
        parameters: headers(call, "parameters")?,
        charset: call.key_string("charset")?.map(str::to_owned),
        id: call.key_string("id")?.map(str::to_owned),
        description: call.key_string("description")?.map(str::to_owned),
        file_name: call.key_string("name")?.map(str::to_owned),
        ..NewPart::default()
    };
    if call.boolean_key("attachmentp") {
        part.disposition = Some(Disposition::Attachment);
    }
    let given = ["text", "file", "subparts"]
        .into_iter()
        .filter(|key| call.key(key).is_some_and(|value| !host::is_nil(value)))
        .count();
    if given > 1 {
        return Err(Condition::syntax(format!(
            "{}: expected one of :text, :file and :subparts, got {given}",
            call.name()
        )));
    }
    if let Some(body) = call.typed_key("text", "a string or a bytevector", |value| {
        host::as_bytes(value).or_else(|| host::as_str(value).map(|text| text.as_bytes().to_vec()))
    })? {
        part.body = body;
    }
    if let Some(path) = call.key_string("file")? {
        part.body = read_file(call, path)?;
        part.content_type.get_or_insert_with(|| "application/octet-stream".into());
        if part.file_name.is_none() {
            part.file_name =
                Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned());
        }
    }
    if let Some(parts) =
        call.typed_key("subparts", "a list of parts, as make-mime-part returns them", part_list)?
    {
        part.parts = Subparts::new(parts)
            .map_err(|error| Condition::syntax(format!("{}: {error}", call.name())))?;
    }
    Ok(new_part_value(part))
}

fn encoding(value: &Value) -> Option<TransferEncoding> {
    let name = host::as_str(value).or_else(|| host::as_keyword(value))?;
    [TransferEncoding::SevenBit, TransferEncoding::QuotedPrintable, TransferEncoding::Base64]
        .into_iter()
        .find(|known| encoding_name(*known).eq_ignore_ascii_case(name))
}

fn part_list(value: &Value) -> Option<Vec<NewPart>> {
    host::as_list(value)?.map(|part| Some((*host::downcast::<NewPart>(&part)?).clone())).collect()
}

/// Reads header fields: `(("Name" . "value") …)`, or strings `"Name: value"`.
pub(super) fn headers(call: &Call<'_>, key: &str) -> Result<Vec<(String, String)>, Condition> {
    let found =
        call.typed_key(key, "a list of (\"name\" . \"value\") or \"name: value\"", |value| {
            host::as_list(value)?.map(|item| header(&item)).collect::<Option<Vec<_>>>()
        })?;
    Ok(found.unwrap_or_default())
}

fn header(item: &Value) -> Option<(String, String)> {
    if let Some(line) = host::as_str(item) {
        let (name, value) = line.split_once(':')?;
        return Some((name.to_owned(), value.trim_start_matches([' ', '\t']).to_owned()));
    }
    match &host::to_datum(item) {
        Datum::Dotted(name, value) => match (&name[..], &**value) {
            ([Datum::String(name)], Datum::String(value)) => Some((name.clone(), value.clone())),
            _ => None,
        },
        _ => None,
    }
}

/// Reads an element of a list of attachments: a new part, or the name of a file to read.
pub(super) fn attachment(call: &Call<'_>, value: &Value) -> Result<NewPart, Condition> {
    if let Some(part) = host::downcast::<NewPart>(value) {
        return Ok((*part).clone());
    }
    let path = host::as_str(value).ok_or_else(|| {
        call.wrong(
            "attachments",
            "a list of parts, as make-mime-part returns them, and of files' names",
            value,
        )
    })?;
    let name = Path::new(path)
        .file_name()
        .map_or_else(|| "attachment".into(), |name| name.to_string_lossy().into_owned());
    Ok(NewPart::attachment(name, "application/octet-stream", read_file(call, path)?))
}

fn read_file(call: &Call<'_>, path: &str) -> Result<Vec<u8>, Condition> {
    let real = call.readable(path)?;
    std::fs::read(real).map_err(|cause| {
        Condition::new(Identifier::File, format!("{}: cannot read {path}: {cause}", call.name()))
    })
}
