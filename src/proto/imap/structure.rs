//! BODYSTRUCTURE as a typed value (RFC 3501 7.4.2).
//!
//! A part is a list of strings, numbers and lists in a fixed order; a multipart begins with the
//! lists of its parts. Servers deviate, and [`super::repair`] keeps what it cannot read as it is, so
//! a field that is missing or of another kind is empty here, and nothing is an error.
//! [`FetchedItems::structure`] reads one from a FETCH response.

use super::fetched::FetchedItems;
use super::tokens::{Token, Tokens};
use crate::proto::error::ProtocolError;

/// A part of a message, or the whole message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Structure {
    /// What a FETCH calls it, such as `1.2`; empty for a multipart that is the whole message.
    pub section: String,
    /// The content type in lower case, such as `text/plain`.
    pub content_type: String,
    /// The parameters of the content type, as the server sends them.
    pub parameters: Vec<(Vec<u8>, Vec<u8>)>,
    /// The transfer encoding in lower case.
    pub encoding: String,
    /// The size of the encoded body in bytes; 0 for a multipart.
    pub size: u64,
    /// The content disposition, in lower case.
    pub disposition: Option<String>,
    /// The parameters of the disposition, as the server sends them.
    pub disposition_parameters: Vec<(Vec<u8>, Vec<u8>)>,
    /// The parts of a multipart, or the message in a `message/rfc822`.
    pub parts: Vec<Structure>,
}

impl Structure {
    /// Whether this is a multipart, with or without parts.
    pub fn is_multipart(&self) -> bool {
        self.content_type.starts_with("multipart/")
    }
}

impl FetchedItems<'_, '_> {
    /// Reads the current value as a body structure; `None` if it is not a list.
    ///
    /// # Errors
    /// [`ProtocolError`] if the response ends too early.
    pub fn structure(&mut self) -> Result<Option<Structure>, ProtocolError> {
        let Some(tokens) = self.inside() else { return Ok(None) };
        let nodes = list(tokens)?;
        Ok(Some(part(nodes, "", true)))
    }
}

/// A value of a body structure. The tokens limit how deep lists are.
enum Node {
    List(Vec<Node>),
    Text(Vec<u8>),
    Nil,
}

fn list(tokens: &mut Tokens<'_>) -> Result<Vec<Node>, ProtocolError> {
    let mut nodes = Vec::new();
    loop {
        nodes.push(match tokens.expect_token()? {
            Token::Close => return Ok(nodes),
            Token::Open => Node::List(list(tokens)?),
            token if token.is_nil() => Node::Nil,
            token => token.bytes().map_or(Node::Nil, |bytes| Node::Text(bytes.into_owned())),
        });
    }
}

/// Makes the part of a list. `is_whole`: whether it is a whole message, whose section is that of the
/// part around it.
fn part(nodes: Vec<Node>, section: &str, is_whole: bool) -> Structure {
    if matches!(nodes.first(), Some(Node::List(_))) {
        return multipart(nodes, section);
    }
    let own = if is_whole { numbered(section, 1) } else { section.to_owned() };
    let mut nodes = nodes.into_iter();
    let mut next = || nodes.next().unwrap_or(Node::Nil);
    let content_type = format!("{}/{}", lower(next()), lower(next()));
    let parameters = pairs(next());
    let (_id, _description, encoding) = (next(), next(), lower(next()));
    let size = match next() {
        Node::Text(digits) => super::tokens::parse_number(&digits).unwrap_or(0),
        _ => 0,
    };
    let mut structure = Structure {
        section: own,
        content_type,
        parameters,
        encoding,
        size,
        ..Structure::default()
    };
    let is_message = matches!(structure.content_type.as_str(), "message/rfc822" | "message/global");
    for (index, node) in nodes.enumerate() {
        match node {
            Node::List(inner) if is_message && index == 1 => {
                structure.parts.push(part(inner, &structure.section, true));
            }
            node => structure.note_disposition(node),
        }
    }
    structure
}

fn multipart(nodes: Vec<Node>, section: &str) -> Structure {
    let mut structure = Structure { section: section.to_owned(), ..Structure::default() };
    let mut after_type = 0;
    for node in nodes {
        match node {
            Node::List(inner) if after_type == 0 => {
                let number = structure.parts.len() + 1;
                structure.parts.push(part(inner, &numbered(section, number), false));
            }
            node => {
                match after_type {
                    0 => structure.content_type = format!("multipart/{}", lower(node)),
                    1 => structure.parameters = pairs(node),
                    _ => structure.note_disposition(node),
                }
                after_type += 1;
            }
        }
    }
    structure
}

impl Structure {
    /// Takes a value behind the basic fields if it is a disposition: `("attachment" ("filename" "x"))`.
    /// Its place differs between servers and kinds of parts; no other field has its shape.
    fn note_disposition(&mut self, node: Node) {
        let Node::List(inner) = node else { return };
        let Ok([Node::Text(name), rest]) = <[Node; 2]>::try_from(inner) else { return };
        if self.disposition.is_none() && !matches!(rest, Node::Text(_)) {
            self.disposition = Some(lower(Node::Text(name)));
            self.disposition_parameters = pairs(rest);
        }
    }
}

fn numbered(section: &str, number: usize) -> String {
    if section.is_empty() { number.to_string() } else { format!("{section}.{number}") }
}

fn lower(node: Node) -> String {
    match node {
        Node::Text(text) => String::from_utf8_lossy(&text).to_ascii_lowercase(),
        _ => String::new(),
    }
}

/// Reads `("charset" "utf-8" "name" "x")`.
fn pairs(node: Node) -> Vec<(Vec<u8>, Vec<u8>)> {
    let Node::List(nodes) = node else { return Vec::new() };
    let mut pairs = Vec::new();
    let mut nodes = nodes.into_iter();
    while let (Some(name), Some(value)) = (nodes.next(), nodes.next()) {
        if let (Node::Text(name), Node::Text(value)) = (name, value) {
            pairs.push((name, value));
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::super::frame::Raw;
    use super::*;

    fn read(text: &str) -> Structure {
        let text = format!("(BODYSTRUCTURE {text} UID 5)");
        let mut tokens =
            Tokens::new(Raw { bytes: text.as_bytes(), literals: &[], kept: &[] }, 0, 20);
        let mut items = FetchedItems::of(&mut tokens).unwrap();
        items.next().unwrap();
        let structure = items.structure().unwrap().unwrap();
        assert!(items.next().unwrap().is_some(), "{text}");
        structure
    }

    /// Section, type and disposition of each part.
    fn shape(part: &Structure, into: &mut Vec<String>) {
        let disposition = part.disposition.as_deref().unwrap_or("-");
        into.push(format!("{} {} {} {disposition}", part.section, part.content_type, part.size));
        part.parts.iter().for_each(|part| shape(part, into));
    }

    #[test]
    fn parts_are_numbered_as_fetch_counts_them() {
        let plain = r#"("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "7BIT" 5 1)"#;
        let pdf = r#"("APPLICATION" "PDF" ("NAME" "a.pdf") NIL NIL "BASE64" 90 NIL ("ATTACHMENT" ("FILENAME" "a.pdf")) NIL NIL)"#;
        let envelope = r#"("d" NIL NIL NIL NIL NIL NIL NIL NIL NIL)"#;
        let message = |body: &str| {
            format!(
                r#"("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 99 {envelope} {body} 4 NIL ("inline" NIL))"#
            )
        };
        let mixed = |parts: &str| format!(r#"({parts} "MIXED" ("BOUNDARY" "b") NIL "en")"#);
        let table: [(&str, &[&str]); 6] = [
            (plain, &["1 text/plain 5 -"]),
            (
                &mixed(&format!("{plain}{pdf}")),
                &[" multipart/mixed 0 -", "1 text/plain 5 -", "2 application/pdf 90 attachment"],
            ),
            (&message(plain), &["1 message/rfc822 99 inline", "1.1 text/plain 5 -"]),
            (
                &mixed(&format!("{plain}{}", message(&mixed(&format!("{plain}{pdf}"))))),
                &[
                    " multipart/mixed 0 -",
                    "1 text/plain 5 -",
                    "2 message/rfc822 99 inline",
                    "2 multipart/mixed 0 -",
                    "2.1 text/plain 5 -",
                    "2.2 application/pdf 90 attachment",
                ],
            ),
            (r#"("TEXT")"#, &["1 text/ 0 -"]),
            (r#"("TEXT" "PLAIN" (("x") "y" 5) NIL NIL (1 2) "z")"#, &["1 text/plain 0 -"]),
        ];
        for (text, expected) in table {
            let mut found = Vec::new();
            shape(&read(text), &mut found);
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn parameters_are_those_that_are_pairs_of_strings() {
        let part = read(
            r#"("A" "B" ("X" "1" "Y" NIL "Z" "3") NIL NIL "BASE64" 9 NIL ("attachment" ("FILENAME*" "utf-8''a.pdf")))"#,
        );
        let pair = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
        assert_eq!(part.parameters, [pair("X", "1"), pair("Z", "3")]);
        assert_eq!(part.disposition_parameters, [pair("FILENAME*", "utf-8''a.pdf")]);
        assert_eq!(part.encoding, "base64");
    }
}
