//! What sorting and threading need to know of a letter.

use super::collation::collation_key;
use super::subject::base_subject;
use crate::mime::{EnvelopeAddress, Fields, WrittenDate, decode_text, envelope_addresses, fields};

/// The header fields that a [`Summary`] reads, for a FETCH of only these.
pub const HEADER_FIELDS: &str = "DATE SUBJECT FROM TO CC MESSAGE-ID IN-REPLY-TO REFERENCES";

/// The most references of a letter that count, the last ones. Threads of mail are not so deep, and
/// a letter must not cost more than others.
const MOST_REFERENCES: usize = 200;

/// What sorting and threading need to know of a letter. Texts are in the form of [`collation_key`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// The number that stands for the letter in results. Letters that are equal otherwise are in
    /// the order of their numbers.
    pub number: u32,
    /// The internal date, in seconds since 1970.
    pub arrival: i64,
    /// The size in bytes.
    pub size: u64,
    /// The sent date, in seconds since 1970; without one the internal date (RFC 5256 2.2).
    pub sent: i64,
    /// The base subject.
    pub subject: String,
    /// Whether the subject has the mark of a reply or a forwarded letter.
    pub is_reply: bool,
    /// The local part of the first From address, or the name of a group.
    pub from: String,
    /// The same of To.
    pub to: String,
    /// The same of Cc.
    pub cc: String,
    /// The name of the first From address, or the address if it has none (RFC 5957 3).
    pub display_from: String,
    /// The same of To.
    pub display_to: String,
    /// The message id, without angle brackets.
    pub message_id: Option<String>,
    /// The message ids of References, or else the first one of In-Reply-To (RFC 5256 3).
    pub references: Vec<String>,
}

impl Summary {
    /// Reads the fields of [`HEADER_FIELDS`] from a header.
    pub fn read(number: u32, header: &[u8], arrival: i64, size: u64) -> Self {
        let first = |name: &str| Fields::clone(&fields(header)).find(|field| field.is(name));
        let text = |name: &str| first(name).map(|field| field.text().into_owned());
        let address = |name: &str| {
            let list = text(name).unwrap_or_default();
            envelope_addresses(&list).into_iter().next().unwrap_or_default()
        };
        let subject =
            base_subject(&first("Subject").map(|field| field.decoded()).unwrap_or_default());
        let (from, to, cc) = (address("From"), address("To"), address("Cc"));
        let local_part = |address: &EnvelopeAddress| {
            collation_key(address.mailbox.as_deref().unwrap_or_default())
        };
        let sent = text("Date").and_then(|date| WrittenDate::parse(&date));
        let ids = |name: &str| text(name).map(|text| message_ids(&text)).unwrap_or_default();
        let mut references = ids("References");
        if references.is_empty() {
            references = ids("In-Reply-To");
            references.truncate(1);
        }
        references.drain(..references.len().saturating_sub(MOST_REFERENCES));
        Summary {
            number,
            arrival,
            size,
            sent: sent.map_or(arrival, |date| date.unix_seconds()),
            subject: collation_key(&subject.text),
            is_reply: subject.is_reply,
            from: local_part(&from),
            to: local_part(&to),
            cc: local_part(&cc),
            display_from: collation_key(&display(from)),
            display_to: collation_key(&display(to)),
            message_id: ids("Message-ID").into_iter().next(),
            references,
        }
    }
}

/// The name of an address as a reader sees it (RFC 5957 3).
fn display(address: EnvelopeAddress) -> String {
    let name = address.name.map(|name| decode_text(&name)).filter(|name| !name.is_empty());
    name.unwrap_or_else(|| match (address.mailbox, address.host) {
        (Some(mailbox), Some(host)) if !host.is_empty() => format!("{mailbox}@{host}"),
        (mailbox, _) => mailbox.unwrap_or_default(),
    })
}

/// The valid message ids in a text, without angle brackets and quotes (RFC 5256 3, RFC 5322 3.6.4).
fn message_ids(text: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut rest = text;
    while let Some((_, behind)) = rest.split_once('<') {
        let Some(end) = behind.find(['<', '>']) else { break };
        rest = &behind[end..];
        if let (Some(behind), Some(id)) = (rest.strip_prefix('>'), message_id(&behind[..end])) {
            ids.push(id);
            rest = behind;
        }
    }
    ids
}

/// Reads `"local part"@domain`; the quotes make no difference.
fn message_id(text: &str) -> Option<String> {
    let (local, domain) = text.trim().rsplit_once('@')?;
    let unquoted = local.strip_prefix('"').and_then(|local| local.strip_suffix('"'));
    let local = unquoted.map_or_else(|| local.to_owned(), |local| local.replace('\\', ""));
    let is_blank = |text: &str| text.is_empty() || text.contains(char::is_whitespace);
    (!is_blank(&local) && !is_blank(domain)).then(|| format!("{local}@{domain}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_ids_are_found_among_other_text() {
        for (text, expected) in [
            ("<a@b>", &["a@b"][..]),
            ("<a@b> <c@d>\t<e@f>", &["a@b", "c@d", "e@f"]),
            ("<a@b><c@d>", &["a@b", "c@d"]),
            ("Your message <a@b> of today <", &["a@b"]),
            ("<\"a\"@b> <\"a\\c\"@b>", &["a@b", "ac@b"]),
            ("<x <a@b>", &["a@b"]),
            ("<a b@c> <@c> <a@> <a> a@b <>", &[]),
            ("", &[]),
        ] {
            assert_eq!(message_ids(text), expected, "{text}");
        }
    }

    #[test]
    fn a_summary_has_what_sorting_needs() {
        let header =
            b"Date: Mon, 7 Feb 1994 21:52:25 -0800\r\nSubject: Re: =?utf-8?Q?=C3=A9t=C3=A9?=\r\n\
From: =?utf-8?Q?Zo=C3=AB?= <zoe@x.org>, other@x.org\r\nTo: joe@x.org\r\nCc: friends: a@b;\r\n\
Message-ID: <1@x>\r\nIn-Reply-To: <0@x> <9@x>\r\n\r\n";
        let summary = Summary::read(7, header, 1_000, 5);
        assert_eq!((summary.sent, summary.is_reply), (760_686_745, true));
        assert_eq!(summary.subject, collation_key("ÉTÉ"));
        assert_eq!((summary.from.as_str(), summary.cc.as_str()), ("ZOE", "FRIENDS"));
        assert_eq!(summary.display_from, collation_key("zoë"));
        assert_eq!(summary.display_to, "JOE@X.ORG");
        assert_eq!(summary.references, ["0@x"]);
        let bare = Summary::read(1, b"", 1_000, 5);
        assert_eq!((bare.sent, bare.subject.as_str(), bare.message_id), (1_000, "", None));
        let long = format!("References: {}", "<a@b> <c@d> ".repeat(5_000));
        assert_eq!(Summary::read(1, long.as_bytes(), 0, 0).references.len(), MOST_REFERENCES);
    }
}
