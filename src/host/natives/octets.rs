//! Texts as bytes and in base64, as Allegro CL's functions give them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use steel::SteelErr;

use super::files::range_of;
use super::{Answer, Code, count, fail, index_of, keys, string_of, wrong};
use crate::host::value::{self, Value, as_keyword, integer, is_nil, is_true, nil, string};

pub(super) static TABLE: &[(&str, Code)] = &[
    ("string-to-octets", to_octets),
    ("octets-to-string", from_octets),
    ("base64-encode-string", encode),
    ("base64-decode-string", |arguments| {
        count("base64-decode-string", arguments, 1, usize::MAX)?;
        let [format] = keys("base64-decode-string", &arguments[1..], ["external-format"])?;
        check_format("base64-decode-string", format)?;
        let text: String = string_of("base64-decode-string", &arguments[0])?
            .chars()
            .filter(|character| !character.is_ascii_whitespace())
            .collect();
        let bytes = STANDARD
            .decode(text)
            .map_err(|error| fail(format!("base64-decode-string: expected base64: {error}")))?;
        Ok(string(String::from_utf8_lossy(&bytes)))
    }),
];

/// Only UTF-8 is there.
fn check_format(function: &str, format: Option<Value>) -> Result<(), SteelErr> {
    match format.filter(is_true) {
        Some(format) if !matches!(as_keyword(&format), Some("default" | "utf-8" | "utf8")) => {
            Err(wrong(function, ":utf-8 as :external-format", &format))
        }
        _ => Ok(()),
    }
}

fn bounds(start: Option<Value>, end: Option<Value>) -> [Value; 2] {
    [start.unwrap_or_else(|| integer(0)), end.unwrap_or_else(nil)]
}

/// `(string-to-octets string &key (null-terminate t) start end external-format)`: the bytes and how
/// many they are.
fn to_octets(arguments: &[Value]) -> Answer {
    const NAME: &str = "string-to-octets";
    count(NAME, arguments, 1, usize::MAX)?;
    let text = string_of(NAME, &arguments[0])?;
    let known = ["null-terminate", "start", "end", "external-format"];
    let [terminate, start, end, format] = keys(NAME, &arguments[1..], known)?;
    check_format(NAME, format)?;
    let range = range_of(NAME, &bounds(start, end), text.chars().count())?;
    let mut bytes =
        text.chars().skip(range.start).take(range.len()).collect::<String>().into_bytes();
    if terminate.is_none_or(|terminate| is_true(&terminate)) {
        bytes.push(0);
    }
    let length = integer(bytes.len() as i64);
    Ok(super::control::several(vec![value::bytes(bytes), length]))
}

/// `(octets-to-string bytes &key start end external-format)`: the string and how many characters it
/// has.
fn from_octets(arguments: &[Value]) -> Answer {
    const NAME: &str = "octets-to-string";
    count(NAME, arguments, 1, usize::MAX)?;
    let [start, end, format] = keys(NAME, &arguments[1..], ["start", "end", "external-format"])?;
    check_format(NAME, format)?;
    let (bytes, range) = super::files::bytes_of(NAME, &arguments[0], &bounds(start, end))?;
    let text = String::from_utf8_lossy(&bytes[range]).into_owned();
    let length = integer(text.chars().count() as i64);
    Ok(super::control::several(vec![string(text), length]))
}

/// `(base64-encode-string string &key (wrap-at-column 72) external-format)`.
fn encode(arguments: &[Value]) -> Answer {
    const NAME: &str = "base64-encode-string";
    count(NAME, arguments, 1, usize::MAX)?;
    let text = string_of(NAME, &arguments[0])?;
    let [column, format] = keys(NAME, &arguments[1..], ["wrap-at-column", "external-format"])?;
    check_format(NAME, format)?;
    let column = match column {
        None => Some(72),
        Some(column) if is_nil(&column) => None,
        Some(column) => Some(index_of(NAME, &column)?),
    };
    let encoded = STANDARD.encode(text);
    let Some(column) = column else { return Ok(string(encoded)) };
    if column == 0 {
        return Err(wrong(NAME, "a column from 1 on, or nil, as :wrap-at-column", &integer(0)));
    }
    // Base64 is ASCII, so a line may end anywhere.
    let lines: Vec<String> = encoded
        .as_bytes()
        .chunks(column)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    Ok(string(lines.join("\n")))
}
