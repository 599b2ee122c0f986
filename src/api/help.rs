//! `(help)` and `(help 'name)`, from the catalog and the host's own table.

use super::catalog::TOPICS;
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Value};

pub(super) fn help(call: &Call<'_>) -> Result<Value, Condition> {
    let Some(argument) = call.arg(0) else {
        let mut text = String::new();
        for topic in TOPICS {
            let names: Vec<&str> = topic.functions.iter().map(|function| function.name).filter(|name| !name.starts_with('%')).collect();
            text.push_str(&format!("{}:\n{}\n", topic.title, wrapped(&names, 96)));
        }
        let ours =
            |name: &str| name.starts_with('%') || TOPICS.iter().flat_map(|topic| topic.functions).any(|function| function.name == name);
        let others = call.context().documented_names();
        let others: Vec<&str> = others.iter().map(String::as_str).filter(|name| !ours(name)).collect();
        text.push_str(&format!("The language, conditions, and what this program adds:\n{}\n", wrapped(&others, 96)));
        text.push_str("(help 'name) tells what one of them takes and returns.\n");
        return written(call, &text);
    };
    let name = host::as_symbol(argument).or_else(|| host::as_str(argument));
    let name = name.ok_or_else(|| call.wrong("name", "a symbol, as in (help 'fetch-parts)", argument))?;
    let name = name.rsplit(':').next().unwrap_or(name);
    let documentation = call.context().documentation(name);
    let documentation =
        documentation.ok_or_else(|| Condition::syntax(format!("{}: nothing is known of {name}; (help) lists all", call.name())))?;
    written(call, &format!("{}\n\n{}\n", signature(name, &documentation.lambda_list), documentation.doc.trim()))
}

fn written(call: &Call<'_>, text: &str) -> Result<Value, Condition> {
    call.context().write(text).map_err(|error| Condition::new(Identifier::File, format!("{}: {error}", call.name())))?;
    Ok(host::nil())
}

/// `(fetch-parts mb messages parts &key uid)`.
fn signature(name: &str, lambda_list: &str) -> String {
    if lambda_list.is_empty() {
        return name.to_owned();
    }
    let parameters = lambda_list.trim().strip_prefix('(').and_then(|list| list.strip_suffix(')')).unwrap_or("").trim();
    if parameters.is_empty() { format!("({name})") } else { format!("({name} {parameters})") }
}

fn wrapped(names: &[&str], width: usize) -> String {
    let mut text = String::new();
    let mut line = String::from(" ");
    for name in names {
        if line.len() + name.len() + 1 > width {
            text.push_str(&line);
            text.push('\n');
            line = String::from(" ");
        }
        line.push(' ');
        line.push_str(name);
    }
    text.push_str(&line);
    text
}
