//! Reads the ten fields of IMAP's `ENVELOPE` from a header.

use super::address::{EnvelopeAddress, envelope_addresses};
use super::header::fields;

/// The envelope fields of a header, as its own strings: unfolded, with encoded words not decoded.
/// `None` if the field is missing. Repeated address fields are joined; of other repeated fields the
/// first counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Envelope {
    /// `Date`.
    pub date: Option<String>,
    /// `Subject`.
    pub subject: Option<String>,
    /// `From`.
    pub from: Option<String>,
    /// `Sender`.
    pub sender: Option<String>,
    /// `Reply-To`.
    pub reply_to: Option<String>,
    /// `To`.
    pub to: Option<String>,
    /// `Cc`.
    pub cc: Option<String>,
    /// `Bcc`.
    pub bcc: Option<String>,
    /// `In-Reply-To`.
    pub in_reply_to: Option<String>,
    /// `Message-ID`.
    pub message_id: Option<String>,
}

/// The address fields of an envelope in IMAP's form.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EnvelopeAddresses {
    /// `From`.
    pub from: Vec<EnvelopeAddress>,
    /// `Sender`; if missing or empty, `From`.
    pub sender: Vec<EnvelopeAddress>,
    /// `Reply-To`; if missing or empty, `From`.
    pub reply_to: Vec<EnvelopeAddress>,
    /// `To`.
    pub to: Vec<EnvelopeAddress>,
    /// `Cc`.
    pub cc: Vec<EnvelopeAddress>,
    /// `Bcc`.
    pub bcc: Vec<EnvelopeAddress>,
}

impl Envelope {
    /// Reads the header at the start of `text`; a body after it is ignored.
    pub fn read(text: &[u8]) -> Self {
        let mut envelope = Envelope::default();
        for field in fields(text) {
            let is_list = ["from", "reply-to", "to", "cc", "bcc"].iter().any(|name| field.is(name));
            let Some(slot) = envelope.slot(field.name) else { continue };
            match slot {
                None => *slot = Some(field.text().into_owned()),
                Some(text) if is_list => {
                    text.push_str(", ");
                    text.push_str(&field.text());
                }
                Some(_) => {}
            }
        }
        envelope
    }

    /// Parses the address fields. A missing or empty `Sender` or `Reply-To` is replaced by `From`
    /// (RFC 3501, section 7.4.2).
    pub fn addresses(&self) -> EnvelopeAddresses {
        let list =
            |text: &Option<String>| text.as_deref().map(envelope_addresses).unwrap_or_default();
        let from = list(&self.from);
        let or_from = |text: &Option<String>| {
            Some(list(text)).filter(|list| !list.is_empty()).unwrap_or_else(|| from.clone())
        };
        EnvelopeAddresses {
            sender: or_from(&self.sender),
            reply_to: or_from(&self.reply_to),
            to: list(&self.to),
            cc: list(&self.cc),
            bcc: list(&self.bcc),
            from,
        }
    }

    fn slot(&mut self, name: &str) -> Option<&mut Option<String>> {
        Some(match name.to_ascii_lowercase().as_str() {
            "date" => &mut self.date,
            "subject" => &mut self.subject,
            "from" => &mut self.from,
            "sender" => &mut self.sender,
            "reply-to" => &mut self.reply_to,
            "to" => &mut self.to,
            "cc" => &mut self.cc,
            "bcc" => &mut self.bcc,
            "in-reply-to" => &mut self.in_reply_to,
            "message-id" => &mut self.message_id,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_has_the_headers_own_strings() {
        let envelope =
            Envelope::read(b"from: Joe <joe@x>\nSUBJECT: =?utf-8?Q?a?=\n b\nTo: a@x\nTo: b@y\nSubject: 2\n\nDate: in the body\n");
        assert_eq!(envelope.subject.as_deref(), Some("=?utf-8?Q?a?= b"));
        assert_eq!(envelope.to.as_deref(), Some("a@x, b@y"));
        assert_eq!((envelope.date, envelope.sender.clone()), (None, None));
    }

    #[test]
    fn sender_and_reply_to_default_to_from() {
        let addresses = Envelope::read(b"From: joe@x\nReply-To:\nTo: a@x, b@y\n").addresses();
        assert_eq!(addresses.sender, addresses.from);
        assert_eq!(addresses.reply_to, addresses.from);
        assert_eq!((addresses.from.len(), addresses.to.len(), addresses.cc.len()), (1, 2, 0));
    }
}
