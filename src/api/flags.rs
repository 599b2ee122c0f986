//! Flags as keywords: `:\\seen` is `\Seen`, `:junk` is `junk`. Flags of servers become keywords in
//! lower case.

use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Value};
use crate::proto::imap::flag::Flag;

/// Reads one flag or a list of flags. Warns of `:seen` and the like: that is a keyword flag, and
/// not the system flag `:\\seen`.
pub(super) fn flags(
    call: &Call<'_>,
    parameter: &str,
    value: &Value,
) -> Result<Vec<Flag>, Condition> {
    let wrong =
        || call.wrong(parameter, "a flag such as :\\\\seen or :junk, or a list of flags", value);
    let items: Vec<Value> = match host::as_list(value) {
        Some(items) => items.collect(),
        None => vec![value.clone()],
    };
    for item in &items {
        if let Some(name) = system_name(item) {
            let message = format!(
                "{}: {parameter}: :{name} is a keyword of your own; the flag is :\\\\{name}",
                call.name()
            );
            call.context().warn(Condition::new(Identifier::Problem, message));
        }
    }
    items
        .iter()
        .map(|item| flag_text(item).and_then(|text| Flag::new(&text).ok()).ok_or_else(wrong))
        .collect()
}

/// Returns the name of a system flag (RFC 3501 2.3.2) that a script wrote without the backslash.
fn system_name(value: &Value) -> Option<&str> {
    const SYSTEM: [&str; 5] = ["seen", "answered", "flagged", "deleted", "draft"];
    let keyword = host::as_keyword(value)?;
    SYSTEM.iter().any(|name| keyword.eq_ignore_ascii_case(name)).then_some(keyword)
}

/// Returns the flag for a keyword.
pub(super) fn flag_text(value: &Value) -> Option<String> {
    let keyword = host::as_keyword(value)?;
    let name = keyword.trim_start_matches('\\');
    Some(if name.len() < keyword.len() { format!("\\{name}") } else { name.to_owned() })
}

/// Returns the keyword for a flag.
pub(super) fn flag_value(flag: &str) -> Value {
    match flag.strip_prefix('\\') {
        Some(name) => host::keyword(&format!("\\\\{}", name.to_lowercase())),
        None => host::keyword(&flag.to_lowercase()),
    }
}

/// Returns flags as a list of keywords.
pub(super) fn flag_list<'a>(flags: impl IntoIterator<Item = &'a String>) -> Value {
    host::list(flags.into_iter().map(|flag| flag_value(flag)).collect())
}
