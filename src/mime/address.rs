//! Parses the address lists of letters (RFC 5322, sections 3.4 and 4.4).
//!
//! `Tokens` splits the text into words, quoted strings, comments and special characters. `Reader`
//! collects tokens until one ends the current entry:
//!
//! | token | effect |
//! |---|---|
//! | `,` | ends the entry, except within a source route |
//! | `;` | ends the entry and the open group |
//! | `:` | turns the phrase so far into the name of a group, unless it contains `@` |
//! | `<` … `>` | encloses the address; the phrase before it becomes the display name |
//!
//! One parse serves both forms: [`parse_mailbox_list`] decodes encoded words,
//! [`envelope_addresses`] keeps them.

use super::address_tokens::{Kind, Token, Tokens};
use super::encoded_word;

/// One entry of an address list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// One mailbox.
    Mailbox {
        /// The name before the angle brackets, or the comment that follows a bare address.
        display: Option<String>,
        /// The obsolete source route, `@a,@b`.
        route: Option<String>,
        /// The local part, before the `@`, without quotes.
        local: String,
        /// The domain, after the `@`.
        domain: Option<String>,
    },
    /// A named group, `friends: a@x, b@y;`. Its members are mailboxes.
    Group {
        /// The name before the colon.
        name: String,
        /// The mailboxes between the colon and the semicolon.
        members: Vec<Entry>,
    },
}

/// One address as IMAP's `ENVELOPE` represents it (RFC 3501, section 7.4.2). A group starts with an
/// address that has a `mailbox` but no `host`, and ends with one that has neither.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EnvelopeAddress {
    /// The display name; encoded words are not decoded.
    pub name: Option<String>,
    /// The obsolete source route.
    pub route: Option<String>,
    /// The local part, or the group's name.
    pub mailbox: Option<String>,
    /// The domain. Empty if the address has none, because `None` marks a group.
    pub host: Option<String>,
}

/// Returns the entries of an address list, with encoded words in names decoded. Text that is not an
/// address becomes an entry with that text as its local part, so nothing is lost.
pub fn parse_mailbox_list(text: &str) -> Vec<Entry> {
    read_list(text, true)
}

/// Returns the addresses of a list in the form of IMAP's `ENVELOPE`; encoded words are not decoded.
pub fn envelope_addresses(text: &str) -> Vec<EnvelopeAddress> {
    let mut addresses = Vec::new();
    for entry in read_list(text, false) {
        match entry {
            Entry::Group { name, members } => {
                addresses.push(EnvelopeAddress { mailbox: Some(name), ..Default::default() });
                addresses.extend(members.into_iter().filter_map(envelope_address));
                addresses.push(EnvelopeAddress::default());
            }
            mailbox => addresses.extend(envelope_address(mailbox)),
        }
    }
    addresses
}

fn envelope_address(entry: Entry) -> Option<EnvelopeAddress> {
    match entry {
        Entry::Mailbox { display, route, local, domain } => Some(EnvelopeAddress {
            name: display,
            route,
            mailbox: Some(local),
            host: Some(domain.unwrap_or_default()),
        }),
        Entry::Group { .. } => None,
    }
}

fn read_list(text: &str, decode: bool) -> Vec<Entry> {
    let mut reader = Reader { decode, ..Default::default() };
    for token in Tokens::of(text) {
        reader.token(token);
    }
    reader.end_of_group();
    reader.entries
}

/// Collects tokens until one ends the entry.
#[derive(Default)]
struct Reader {
    decode: bool,
    entries: Vec<Entry>,
    group: Option<(String, Vec<Entry>)>,
    /// Tokens outside angle brackets.
    phrase: Vec<Token>,
    /// Tokens inside angle brackets, once `<` was seen.
    angle: Option<Vec<Token>>,
    inside: bool,
    /// Whether `phrase` contains an `@`. Searching for it at every colon would make parsing
    /// quadratic.
    phrase_has_at: bool,
}

impl Reader {
    fn token(&mut self, token: Token) {
        if self.inside {
            // A comma within brackets belongs to a route, which starts with `@`. Otherwise the
            // bracket was never closed, and the comma ends the entry.
            let is_route = self
                .angle
                .as_ref()
                .and_then(|tokens| tokens.first())
                .is_some_and(|first| first.is('@'));
            match token.kind {
                Kind::Special('>') => self.inside = false,
                Kind::Special(',') if !is_route => self.end_of_entry(),
                Kind::Special(';') => self.end_of_group(),
                Kind::Comment => {}
                _ => self.angle.get_or_insert_default().push(token),
            }
            return;
        }
        match token.kind {
            Kind::Special(',') => self.end_of_entry(),
            Kind::Special(';') => self.end_of_group(),
            Kind::Special('<') if self.angle.is_none() => {
                self.angle = Some(Vec::new());
                self.inside = true;
            }
            Kind::Special(':')
                if self.angle.is_none() && self.group.is_none() && !self.phrase_has_at =>
            {
                let phrase = std::mem::take(&mut self.phrase);
                self.group = Some((self.name(&phrase).unwrap_or_default(), Vec::new()));
            }
            Kind::Special('>' | '\\' | ')' | ']') => {}
            _ => {
                self.phrase_has_at |= token.is('@');
                self.phrase.push(token);
            }
        }
    }

    fn end_of_group(&mut self) {
        self.end_of_entry();
        if let Some((name, members)) = self.group.take() {
            self.entries.push(Entry::Group { name, members });
        }
    }

    fn end_of_entry(&mut self) {
        self.inside = false;
        self.phrase_has_at = false;
        let phrase = std::mem::take(&mut self.phrase);
        let entry = match self.angle.take() {
            Some(angle) => self.bracketed(&phrase, angle),
            None => self.bare(&phrase),
        };
        let Some(entry) = entry else { return };
        match &mut self.group {
            Some((_, members)) => members.push(entry),
            None => self.entries.push(entry),
        }
    }

    fn bracketed(&self, phrase: &[Token], mut angle: Vec<Token>) -> Option<Entry> {
        let mut route = None;
        if angle.first().is_some_and(|token| token.is('@'))
            && let Some(colon) = angle.iter().position(|token| token.is(':'))
        {
            route = Some(joined(&angle[..colon], false)).filter(|route| !route.is_empty());
            angle.drain(..=colon);
        }
        let (local, domain) = split_address(&angle);
        let display = self.name(phrase).or_else(|| self.comment(phrase));
        let is_empty = display.is_none() && local.is_empty() && domain.is_none();
        (!is_empty).then_some(Entry::Mailbox { display, route, local, domain })
    }

    /// An address without brackets. The words before it, or a comment, give the display name.
    fn bare(&self, phrase: &[Token]) -> Option<Entry> {
        let words: Vec<Token> =
            phrase.iter().filter(|token| token.kind != Kind::Comment).cloned().collect();
        let start = address_start(&words);
        let (local, domain) = split_address(&words[start..]);
        let display = self.name(&words[..start]).or_else(|| self.comment(phrase));
        let is_empty = local.is_empty() && domain.is_none();
        (!is_empty).then_some(Entry::Mailbox { display, route: None, local, domain })
    }

    fn name(&self, phrase: &[Token]) -> Option<String> {
        self.decoded(joined(phrase, true))
    }

    fn comment(&self, phrase: &[Token]) -> Option<String> {
        self.decoded(phrase.iter().rfind(|token| token.kind == Kind::Comment)?.text.clone())
    }

    fn decoded(&self, text: String) -> Option<String> {
        let text = if self.decode { encoded_word::decode_text(&text) } else { text };
        let text = if self.decode { text } else { text.trim().to_owned() };
        (!text.trim().is_empty()).then_some(text)
    }
}

/// Index of the address's first token in `Joe Doe joe . doe @ x . org`: it spans the words before
/// the last `@` that are joined by dots.
fn address_start(tokens: &[Token]) -> usize {
    let Some(mut start) = tokens.iter().rposition(|token| token.is('@')) else { return 0 };
    while start > 0 {
        let touches_dot = tokens[start].is('.') || tokens[start - 1].is('.');
        let is_first_word = tokens[start].is('@');
        if touches_dot || is_first_word || !tokens[start].spaced {
            start -= 1;
        } else {
            break;
        }
    }
    start
}

fn split_address(tokens: &[Token]) -> (String, Option<String>) {
    match tokens.iter().rposition(|token| token.is('@')) {
        Some(at) => (joined(&tokens[..at], false), Some(joined(&tokens[at + 1..], false))),
        None => (joined(tokens, true), None),
    }
}

/// The text of tokens without comments. `blanks`: keep one space where the source had whitespace.
fn joined(tokens: &[Token], blanks: bool) -> String {
    let mut text = String::new();
    let mut blank = false;
    for token in tokens {
        blank |= token.spaced;
        if token.kind == Kind::Comment {
            blank = true;
            continue;
        }
        if blanks && blank && !text.is_empty() {
            text.push(' ');
        }
        blank = false;
        match token.kind {
            Kind::Literal => text.push_str(&format!("[{}]", token.text)),
            _ => text.push_str(&token.text),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `name|local@domain` for a mailbox, `name: …;` for a group.
    fn shown(entries: &[Entry]) -> String {
        let one = |entry: &Entry| match entry {
            Entry::Mailbox { display, route, local, domain } => {
                let display = display.as_ref().map(|name| format!("{name}|")).unwrap_or_default();
                let route = route.as_ref().map(|route| format!("({route})")).unwrap_or_default();
                format!(
                    "{display}{route}{local}{}",
                    domain.as_ref().map(|domain| format!("@{domain}")).unwrap_or_default()
                )
            }
            Entry::Group { name, members } => format!("{name}: {};", shown(members)),
        };
        entries.iter().map(one).collect::<Vec<_>>().join(" & ")
    }

    #[test]
    fn address_lists_are_read() {
        let table = [
            ("joe@x.org", "joe@x.org"),
            ("Joe Doe <joe@x.org>", "Joe Doe|joe@x.org"),
            ("a@x.org, b@y.org", "a@x.org & b@y.org"),
            ("\"Doe, Joe\" <joe@x.org>, b@y", "Doe, Joe|joe@x.org & b@y"),
            ("\"a \\\"b\\\"\" <j@x>", "a \"b\"|j@x"),
            ("joe@x.org (Joe Doe)", "Joe Doe|joe@x.org"),
            ("joe@x.org (Joe (the) \\) Doe)", "Joe (the) ) Doe|joe@x.org"),
            ("J. R. Doe <j@x>", "J. R. Doe|j@x"),
            ("<joe@x.org>", "joe@x.org"),
            ("\"joe doe\"@x.org", "joe doe@x.org"),
            ("joe@[127.0.0.1]", "joe@[127.0.0.1]"),
            ("<@a.org,@b.org:joe@x.org>", "(@a.org,@b.org)joe@x.org"),
            ("joe . doe @ x . org", "joe.doe@x.org"),
            ("Joe Doe joe@x.org", "Joe Doe|joe@x.org"),
            ("friends: a@x, Bo <b@y>;, c@z", "friends: a@x & Bo|b@y; & c@z"),
            ("undisclosed-recipients:;", "undisclosed-recipients: ;"),
            ("a@x; b@y", "a@x & b@y"),
            (",, a@x,,", "a@x"),
            ("joe", "joe"),
            ("", ""),
            ("<>", ""),
            ("MAILER-DAEMON <>", "MAILER-DAEMON|"),
            ("=?utf-8?Q?Zo=C3=AB?= <z@x>", "Zoë|z@x"),
            ("=?utf-8?Q?Doe,_Zo=C3=AB?= <z@x>", "Doe, Zoë|z@x"),
            ("\"=?utf-8?Q?Zo=C3=AB?=\" <z@x>", "Zoë|z@x"),
            ("=?utf-8?Q?Zo=C3?= =?utf-8?Q?=AB?= <z@x>", "Zoë|z@x"),
            ("Zoë <zoë@exämple.org>", "Zoë|zoë@exämple.org"),
            ("a@b@c", "a@b@c"),
            ("Joe <joe@x.org", "Joe|joe@x.org"),
            ("\"Joe <joe@x.org>", "Joe <joe@x.org>"),
            ("Joe <joe@x.org, b@y", "Joe|joe@x.org & b@y"),
            (
                "Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
                "Pete|pete@silly.test",
            ),
            ("a@x\r\n\t, b@y", "a@x & b@y"),
        ];
        for (text, expected) in table {
            assert_eq!(shown(&parse_mailbox_list(text)), expected, "{text:?}");
        }
    }

    #[test]
    fn envelope_addresses_mark_groups_and_keep_encoded_words() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            envelope_addresses("g: =?utf-8?Q?a?= <a@x>;, b"),
            [
                EnvelopeAddress { mailbox: some("g"), ..Default::default() },
                EnvelopeAddress {
                    name: some("=?utf-8?Q?a?="),
                    mailbox: some("a"),
                    host: some("x"),
                    route: None
                },
                EnvelopeAddress::default(),
                EnvelopeAddress { mailbox: some("b"), host: some(""), ..Default::default() },
            ]
        );
    }
}
