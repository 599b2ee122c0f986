//! Builds outgoing letters (RFC 5322, RFC 2045-2047).
//!
//! [`Outgoing`] holds the header fields, texts and attachments. [`Outgoing::build`] writes the
//! header and chooses the MIME structure: a single text part, `multipart/alternative` for text and
//! HTML, wrapped in `multipart/mixed` if there are attachments. [`NewPart`] writes each part. All
//! values are checked before they are written, so no value can start a new header line.

use super::address::{Entry, parse_mailbox_list};
use super::encode_word::encode_phrase_at;
use super::new_part::{NewPart, bracketed, check_name, check_value, push_field, push_text};
use super::plain_address::is_plain_address;
use thiserror::Error;

/// Target length of a header line with addresses, in bytes.
const LINE: usize = 76;

/// Why a letter could not be built. Every variant is the caller's mistake; the message names the
/// offending value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A value contains a line end or NUL, which would break the header.
    #[error("{what}: expected one line of text, got a line end or NUL in it")]
    LineBreak {
        /// The header, parameter or file name concerned.
        what: String,
    },
    /// A name that its syntax does not allow.
    #[error("{what}: {name:?} is none")]
    Name {
        /// What was expected: a header name, a parameter name or a content type.
        what: &'static str,
        /// The name given.
        name: String,
    },
    /// A string that is not an address.
    #[error("{field}: expected an address, got {address:?}")]
    Address {
        /// The header that it was given for.
        field: &'static str,
        /// The text given.
        address: String,
    },
    /// One of the free headers has its own option, or is not allowed.
    #[error("header {name}: set it by its own option")]
    Managed {
        /// The header's name.
        name: String,
    },
    /// The body cannot be sent as 7bit.
    #[error(
        "encoding 7bit: the body has bytes beyond ASCII, NUL, a lone CR, or a line of more than 998 bytes"
    )]
    NotSevenBit,
    /// A multipart without parts.
    #[error("a multipart needs at least one part")]
    EmptyMultipart,
    /// A part that has subparts but is not a multipart.
    #[error("{content_type}: only a multipart has parts")]
    NotMultipart {
        /// The part's content type.
        content_type: String,
    },
    /// Parts are nested too deeply.
    #[error("parts nest more than 100 deep")]
    TooDeep,
}

/// A letter to send.
///
/// Addresses have the form `joe@x.org` or `Joe Doe <joe@x.org>`; a string may contain several,
/// separated by commas as in a header. Date and message id come from the caller, because this
/// module has no clock.
#[derive(Debug, Clone, Default)]
pub struct Outgoing {
    /// `From`.
    pub from: String,
    /// `To`.
    pub to: Vec<String>,
    /// `Cc`.
    pub cc: Vec<String>,
    /// Blind recipients. They are checked like the other addresses and never written.
    pub bcc: Vec<String>,
    /// `Reply-To`.
    pub reply_to: Vec<String>,
    /// `Subject`.
    pub subject: Option<String>,
    /// `Date`, in the format of RFC 5322.
    pub date: Option<String>,
    /// `Message-ID`, with or without angle brackets.
    pub message_id: Option<String>,
    /// Additional headers, in order.
    pub headers: Vec<(String, String)>,
    /// The text body. Lines may end with LF or CR LF.
    pub text: String,
    /// The text body as HTML. Text and HTML are sent as alternatives.
    pub html: Option<String>,
    /// A complete body, built by `make-mime-part`; replaces `text` and `html`.
    pub body: Option<NewPart>,
    /// Parts to attach.
    pub attachments: Vec<NewPart>,
}

impl Outgoing {
    /// Returns the letter as it is sent: CR LF line ends, no line over 998 bytes, ASCII except for
    /// internationalised addresses. A last line without a line end is left as it is; SMTP adds the
    /// end.
    ///
    /// # Errors
    /// [`BuildError`] if a header value, name, address or body is not valid.
    pub fn build(&self) -> Result<Vec<u8>, BuildError> {
        let mut out = Vec::new();
        if let Some(date) = self.date.as_ref().filter(|_| !self.has_own("Date")) {
            push_text("Date", date, &mut out)?;
        }
        self.write_addresses(&mut out)?;
        if let Some(subject) = self.subject.as_ref().filter(|_| !self.has_own("Subject")) {
            push_text("Subject", subject, &mut out)?;
        }
        if let Some(id) = self.message_id.as_ref().filter(|_| !self.has_own("Message-ID")) {
            push_field("Message-ID", &bracketed("Message-ID", id)?, &mut out);
        }
        for (name, value) in &self.headers {
            check_name(name)?;
            if self.is_managed(name) {
                return Err(BuildError::Managed { name: name.clone() });
            }
            if !self.has_own(name) {
                push_text(name, value, &mut out)?;
            }
        }
        if !self.has_own("MIME-Version") {
            push_field("MIME-Version", "1.0", &mut out);
        }
        self.content()?.write(&mut out)?;
        Ok(out)
    }

    fn write_addresses(&self, out: &mut Vec<u8>) -> Result<(), BuildError> {
        let from = std::slice::from_ref(&self.from);
        let fields = [
            ("From", from),
            ("Reply-To", &self.reply_to),
            ("To", &self.to),
            ("Cc", &self.cc),
            ("Bcc", &self.bcc),
        ];
        for (name, addresses) in fields {
            let value = address_list(name, addresses)?;
            if !value.is_empty() && name != "Bcc" && !self.has_own(name) {
                push_field(name, &value, out);
            }
        }
        Ok(())
    }

    /// Whether the body is the whole letter and brings this header along. A header stands once, and
    /// the body's own counts.
    fn has_own(&self, name: &str) -> bool {
        let body = self.body.as_ref().filter(|_| self.attachments.is_empty());
        body.is_some_and(|body| body.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name)))
    }

    /// Whether this letter writes the header itself. Headers that it leaves out may come from
    /// `headers`.
    fn is_managed(&self, name: &str) -> bool {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        let always = [
            "bcc",
            "resent-bcc",
            "from",
            "mime-version",
            "content-type",
            "content-transfer-encoding",
            "content-disposition",
        ];
        always.iter().any(|other| is(other))
            || (is("to") && !self.to.is_empty())
            || (is("cc") && !self.cc.is_empty())
            || (is("reply-to") && !self.reply_to.is_empty())
            || (is("subject") && self.subject.is_some())
            || (is("date") && self.date.is_some())
            || (is("message-id") && self.message_id.is_some())
    }

    fn content(&self) -> Result<NewPart, BuildError> {
        let text = || NewPart::text("text/plain", &self.text);
        let main = match (&self.body, &self.html) {
            (Some(body), _) => body.clone(),
            (None, Some(html)) => {
                NewPart::multipart("alternative", vec![text(), NewPart::text("text/html", html)])?
            }
            (None, None) => text(),
        };
        if self.attachments.is_empty() {
            return Ok(main);
        }
        let parts = std::iter::once(main).chain(self.attachments.iter().cloned()).collect();
        NewPart::multipart("mixed", parts)
    }
}

/// A folded list of addresses for a header. Each string may contain several addresses.
fn address_list(field: &'static str, addresses: &[String]) -> Result<String, BuildError> {
    let mut out = String::new();
    let mut column = field.len() + 2;
    for text in addresses {
        check_value(field, text)?;
        let refuse = || BuildError::Address { field, address: text.clone() };
        let entries = parse_mailbox_list(text);
        if entries.is_empty() {
            return Err(refuse());
        }
        for entry in &entries {
            let written = address(entry, column).ok_or_else(refuse)?;
            if !out.is_empty() {
                out.push(',');
                let first_line = written.lines().next().unwrap_or_default().len();
                let folds = column + 2 + first_line > LINE;
                out.push_str(if folds { "\r\n " } else { " " });
                column = if folds { 1 } else { column + 2 };
            }
            column = match written.rfind('\n') {
                Some(at) => written.len() - at - 1,
                None => column + written.len(),
            };
            out.push_str(&written);
        }
    }
    Ok(out)
}

/// Formats one mailbox with a plain address. Quoted local parts, routes and groups are legal but
/// not needed for sending, so they are refused.
fn address(entry: &Entry, column: usize) -> Option<String> {
    let Entry::Mailbox { display, route: None, local, domain } = entry else { return None };
    let address = match domain {
        Some(domain) => format!("{local}@{domain}"),
        // A quoted local part may contain an `@`; without its quotes it would be a different
        // address.
        None if local.contains('@') => return None,
        None => local.clone(),
    };
    if !is_plain_address(&address) {
        return None;
    }
    let Some(display) = display else { return Some(address) };
    let name = encode_phrase_at(display, column);
    let column = name.rfind('\n').map_or(column + name.len(), |at| name.len() - at - 1);
    let blank = if column + address.len() + 3 > LINE { "\r\n " } else { " " };
    Some(format!("{name}{blank}<{address}>"))
}
