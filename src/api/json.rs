//! Values as JSON (RFC 8259), and JSON as values. The README has the table of the mapping.
//!
//! Writing goes through values recursively, down to a limit. Reading uses serde_json with a visitor
//! that builds values directly. The command's JSON output uses `json`, too.

use super::sets::required;
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Value, ValueKind};
use crate::shown::escape_controls;
use base64::Engine as _;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::collections::HashSet;
use std::fmt;

/// The deepest nesting of lists. A value that contains itself exceeds it.
const DEEPEST: usize = 500;

pub(super) fn to_json(call: &Call<'_>) -> Result<Value, Condition> {
    let text = json(required(call, 0))
        .map_err(|what| Condition::syntax(format!("{}: value: {what}", call.name())))?;
    Ok(host::string(text))
}

pub(super) fn from_json(call: &Call<'_>) -> Result<Value, Condition> {
    let text = call.string(0)?;
    let read: Result<Read, _> = serde_json::from_str(text);
    read.map(|read| read.0).map_err(|error| {
        let message = format!(
            "{}: json: it is not JSON: {}",
            call.name(),
            escape_controls(&error.to_string())
        );
        Condition::new(Identifier::SyntaxError, message)
    })
}

/// Returns a value as JSON on one line. Control characters, and characters that change the
/// direction of text, are escaped, so that a terminal shows the text as it is.
///
/// # Errors
/// A message, if a value is nested deeper than 500 levels or contains itself.
pub fn json(value: &Value) -> Result<String, String> {
    let mut text = String::new();
    write(value, 0, &mut text)?;
    Ok(text)
}

fn write(value: &Value, depth: usize, into: &mut String) -> Result<(), String> {
    if depth > DEEPEST {
        return Err(format!(
            "expected at most {DEEPEST} lists within one another, got more, or one that holds itself"
        ));
    }
    if host::is_nil(value) {
        into.push_str("null");
        return Ok(());
    }
    if let Some(fields) = host::condition_of(value)
        .map(|condition| condition_fields(&condition))
        .or_else(|| fields(value))
    {
        return object(&fields, depth, into);
    }
    match host::kind_of(value) {
        ValueKind::Sequence => return array(&host::members(value), depth, into),
        ValueKind::True => into.push_str("true"),
        ValueKind::Integer => into.push_str(&host::displayed(value)),
        ValueKind::Float(number) if number.is_finite() => into.push_str(&format!("{number:?}")),
        ValueKind::Float(_) => into.push_str("null"), // JSON has no infinity and no NaN
        ValueKind::String | ValueKind::Symbol => quote(&name(value), into),
        ValueKind::Bytes => quote(
            &base64::engine::general_purpose::STANDARD
                .encode(host::as_bytes(value).unwrap_or_default()),
            into,
        ),
        _ => match host::as_float(value) {
            Some(number) => into.push_str(&format!("{number:?}")),
            None => quote(&host::displayed(value), into),
        },
    }
    Ok(())
}

fn array(elements: &[Value], depth: usize, into: &mut String) -> Result<(), String> {
    into.push('[');
    for (index, element) in elements.iter().enumerate() {
        into.push_str(if index > 0 { "," } else { "" });
        write(element, depth + 1, into)?;
    }
    into.push(']');
    Ok(())
}

fn object(fields: &[(String, Value)], depth: usize, into: &mut String) -> Result<(), String> {
    into.push('{');
    for (index, (key, value)) in fields.iter().enumerate() {
        into.push_str(if index > 0 { "," } else { "" });
        quote(key, into);
        into.push(':');
        write(value, depth + 1, into)?;
    }
    into.push('}');
    Ok(())
}

/// Returns the text of a string, the name of a symbol, or the name of a keyword without its colon.
/// System flags have one backslash, as IMAP writes them.
fn name(value: &Value) -> String {
    host::as_keyword(value)
        .map_or_else(|| host::displayed(value), |name| name.replacen("\\\\", "\\", 1))
}

fn condition_fields(condition: &Condition) -> Vec<(String, Value)> {
    let field = |name: &str, value| (name.to_owned(), value);
    let words = condition.server_string.as_deref().map_or_else(host::nil, host::string);
    vec![
        field("condition", host::string(condition.identifier.name())),
        field("message", host::string(condition.message.as_str())),
        field("server-string", words),
    ]
}

/// Returns the fields of a value that becomes an object: a hash table, a list of alternating keys
/// and values, or a list of dotted pairs. A list with a key that occurs twice is not one.
fn fields(value: &Value) -> Option<Vec<(String, Value)>> {
    let fields: Vec<(String, Value)> = match host::hash_table_entries(value) {
        Some(entries) => {
            return Some(entries.into_iter().map(|(key, value)| (name(&key), value)).collect());
        }
        None => {
            let elements = host::as_list(value)?.collect::<Vec<_>>();
            property_list(&elements).or_else(|| association_list(&elements))?
        }
    };
    let mut seen = HashSet::new();
    fields.iter().all(|(key, _)| seen.insert(key.as_str())).then_some(fields)
}

/// Reads `(:uid 5 :subject "x")`. A list that has only keywords is not a property list, because
/// lists of flags look like that.
fn property_list(elements: &[Value]) -> Option<Vec<(String, Value)>> {
    let (pairs, odd) = elements.as_chunks::<2>();
    let all_keys = pairs.iter().all(|[key, _]| host::as_keyword(key).is_some());
    let all_keywords = pairs.iter().all(|[_, value]| host::as_keyword(value).is_some());
    (odd.is_empty() && all_keys && !all_keywords)
        .then(|| pairs.iter().map(|[key, value]| (name(key), value.clone())).collect())
}

/// Reads `(("charset" . "utf-8") …)`.
fn association_list(elements: &[Value]) -> Option<Vec<(String, Value)>> {
    let field = |element: &Value| {
        let (key, value) = host::as_dotted_pair(element)?;
        (host::as_str(&key).is_some() || host::as_symbol(&key).is_some())
            .then(|| (name(&key), value))
    };
    elements.iter().map(field).collect()
}

fn quote(text: &str, into: &mut String) {
    into.push('"');
    for character in text.chars() {
        match character {
            '"' => into.push_str("\\\""),
            '\\' => into.push_str("\\\\"),
            '\n' => into.push_str("\\n"),
            '\r' => into.push_str("\\r"),
            '\t' => into.push_str("\\t"),
            other if other.is_control() || is_steering(other) => {
                into.push_str(&format!("\\u{:04x}", other as u32))
            }
            other => into.push(other),
        }
    }
    into.push('"');
}

/// Whether a character changes the direction of text, or ends a line in JavaScript.
fn is_steering(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A value that was read from JSON.
struct Read(Value);

impl<'de> Deserialize<'de> for Read {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Read, D::Error> {
        deserializer.deserialize_any(Reader).map(Read)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(host::nil())
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(host::truth(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(host::integer(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or(host::float(value as f64), host::integer))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Ok(host::float(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(host::string(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(Read(element)) = access.next_element()? {
            elements.push(element);
        }
        Ok(host::list(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, Read(value))) = access.next_entry::<String, Read>()? {
            entries.push((host::string(key), value));
        }
        Ok(host::hash_table(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{Host, Options};

    fn as_json(source: &str) -> Result<String, String> {
        let mut host = Host::new(Options::default());
        json(&host.evaluate(source, "test").unwrap())
    }

    #[test]
    fn values_become_json() {
        let table = [
            ("nil", "null"),
            ("#t", "true"),
            ("-5", "-5"),
            ("1.5", "1.5"),
            ("1/4", "0.25"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("\"a\\\"b\\\\ \u{9b}\u{202e}é\"", r#""a\"b\\ \u009b\u202eé""#),
            ("#\\a", "\"a\""),
            ("'abc", "\"abc\""),
            (":uid", "\"uid\""),
            ("'(1 (2 nil) #(3))", "[1,[2,null],[3]]"),
            ("'(1 . 2)", "[1,2]"),
            ("'(:\\\\seen :junk)", r#"["\\seen","junk"]"#),
            ("'(:messages 3 :name nil)", r#"{"messages":3,"name":null}"#),
            ("'(:a 1 :a 2)", r#"["a",1,"a",2]"#),
            ("'((\"charset\" . \"utf-8\") (\"x\" . 1))", r#"{"charset":"utf-8","x":1}"#),
            ("'((\"to\" . \"a\") (\"to\" . \"b\"))", r#"[["to","a"],["to","b"]]"#),
            ("'((7 (\"FLAGS\" ())))", r#"[[7,["FLAGS",null]]]"#),
            (
                "(let ((h (make-hash-table))) (setf (gethash \"b\" h) 1) (setf (gethash 5 h) '(1)) h)",
                r#"{"b":1,"5":[1]}"#,
            ),
            ("(bytevector 0 255)", "\"AP8=\""),
            (
                "(handler-case (error \"no\") (error (c) c))",
                r#"{"condition":"program-error","message":"no","server-string":null}"#,
            ),
        ];
        for (source, expected) in table {
            assert_eq!(as_json(source).as_deref(), Ok(expected), "{source}");
        }
    }

    #[test]
    fn what_holds_itself_is_an_error() {
        for source in [
            "(let ((v (make-vector 1))) (vector-set! v 0 v) v)",
            "(let ((h (make-hash-table))) (setf (gethash 1 h) h) h)",
        ] {
            assert!(as_json(source).unwrap_err().contains("holds itself"), "{source}");
        }
    }
}
