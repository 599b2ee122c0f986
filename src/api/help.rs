//! `help` and `apropos`: documentation at the prompt.
//!
//! `(help)` lists the functions of the catalog by topic, and then the other documented names: the
//! language, and what the embedding program adds. `(help 'name)` prints the signature, the
//! docstring and the example of one function, `(help "topic")` one entry for each function of a
//! topic. Topics come from the catalog, examples from `examples`, everything else from the host's
//! own table, which also knows the functions that a script defines. Names that begin with `%` are
//! internal and never listed.

use super::catalog::TOPICS;
use super::examples::example;
use super::reference::{functions, signature};
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Function, Type, Value};

/// The rows of the topic "Help and sandbox".
pub(super) const FUNCTIONS: &[Function] = &[
    Function::native(
        "help",
        "(&optional name)",
        help,
        "Prints what a function takes and returns: (help 'fetch-parts). Without a name, lists all functions by topic.
name: a symbol or string; the title of a topic prints its functions. Returns nil. Errors: :syntax-error when there is no such function.",
    ).checked(),
    Function::native(
        "apropos",
        "(text)",
        apropos,
        "Prints the functions whose name or description contains a text: (apropos \"flag\").
text: a string or symbol. Returns nil.",
    ).checked(),
    Function::native(
        "sandbox-outbox",
        "()",
        super::sandbox::sandbox_outbox,
        "The letters that were sent through the sandbox to recipients it does not know, a list of (from (to …) letter), strings. The newest is last.
Errors: :unsupported when no sandbox runs.",
    ).checked(),
    Function::native(
        "sandbox-deliver",
        "(text &key user mailbox)",
        super::sandbox::sandbox_deliver,
        "Delivers a letter into the sandbox of this process, as another program would.
text: a string. :user  a string; by default the account that logged in last with --sandbox, otherwise the sandbox's first account. :mailbox  a string, \"INBOX\". Returns the letter's unique id.
Errors: :unsupported when no sandbox runs, :error-response when there is no such user or mailbox.",
    ).typed(&[("user", Type::String), ("mailbox", Type::String)]).checked(),
];

pub(super) fn help(call: &Call<'_>) -> Result<Value, Condition> {
    let Some(argument) = call.arg(0) else { return written(call, &overview(call)) };
    let name = host::as_symbol(argument).or_else(|| host::as_str(argument));
    let name =
        name.ok_or_else(|| call.wrong("name", "a symbol, as in (help 'fetch-parts)", argument))?;
    if let Some(topic) = TOPICS.iter().find(|topic| topic.title.eq_ignore_ascii_case(name)) {
        let entries: Vec<String> = functions(topic)
            .map(|function| entry(function.name, function.lambda_list, function.doc))
            .collect();
        return written(call, &format!("{}:\n{}", topic.title, entries.concat()));
    }
    let name = name.rsplit(':').next().unwrap_or(name);
    let documentation = call.context().documentation(name);
    let documentation = documentation.ok_or_else(|| unknown(call, name))?;
    let mut text = format!(
        "{}\n\n{}\n",
        signature(name, &documentation.lambda_list),
        documentation.doc.trim()
    );
    if let Some(example) = example(name) {
        let lines: Vec<String> =
            example.lines().map(|line| format!("  {line}").trim_end().to_owned()).collect();
        text.push_str(&format!("\nExample:\n{}\n", lines.join("\n")));
    }
    written(call, &text)
}

fn unknown(call: &Call<'_>, name: &str) -> Condition {
    let names = call.context().documented_names();
    let near =
        host::nearest(name, names.iter().map(String::as_str).filter(|name| !name.starts_with('%')));
    let hint = near.map_or_else(
        || "(help) lists all, (apropos \"word\") finds some".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    Condition::syntax(format!("{}: nothing is known of {name}; {hint}", call.name()))
}

fn overview(call: &Call<'_>) -> String {
    let mut text = String::new();
    for topic in TOPICS {
        let names: Vec<&str> = functions(topic).map(|function| function.name).collect();
        text.push_str(&format!("{}:\n{}\n", topic.title, wrapped(&names, 96)));
    }
    let ours = |name: &str| {
        name.starts_with('%')
            || TOPICS.iter().flat_map(|topic| topic.functions).any(|function| function.name == name)
    };
    let others = call.context().documented_names();
    let others: Vec<&str> = others.iter().map(String::as_str).filter(|name| !ours(name)).collect();
    text.push_str(&format!(
        "The language, conditions, and what this program adds:\n{}\n",
        wrapped(&others, 96)
    ));
    text.push_str(
        "(help 'name) tells what one of them takes and returns, (help \"Fetching\") tells of a topic, (apropos \"word\") finds names.\n",
    );
    text
}

/// Prints the functions whose name contains a text, then those whose description does.
pub(super) fn apropos(call: &Call<'_>) -> Result<Value, Condition> {
    let argument = call.typed(0, "a string or symbol", |value| {
        host::as_str(value).or_else(|| host::as_symbol(value))
    })?;
    let wanted = argument.to_lowercase();
    let (mut by_name, mut by_description) = (String::new(), String::new());
    for name in call.context().documented_names().iter().filter(|name| !name.starts_with('%')) {
        let Some(documentation) = call.context().documentation(name) else { continue };
        let line = entry(name, &documentation.lambda_list, &documentation.doc);
        if name.contains(&wanted) {
            by_name.push_str(&line);
        } else if documentation.doc.to_lowercase().contains(&wanted) {
            by_description.push_str(&line);
        }
    }
    if by_name.is_empty() && by_description.is_empty() {
        return written(call, &format!("nothing is known of {argument:?}\n"));
    }
    written(call, &(by_name + &by_description))
}

/// Returns a function's signature, and below it the first sentence of its description.
fn entry(name: &str, lambda_list: &str, doc: &str) -> String {
    const LONGEST: usize = 100;
    let line = doc.trim().lines().next().unwrap_or("");
    let sentence = line.split_once(". ").map_or(line, |(first, _)| first);
    let sentence = sentence.trim_end_matches([':', ';', '.', ' ']);
    let short: String = sentence.chars().take(LONGEST).collect();
    let dots = if short.len() < sentence.len() { "…" } else { "" };
    format!("  {}\n      {short}{dots}\n", signature(name, lambda_list))
}

fn written(call: &Call<'_>, text: &str) -> Result<Value, Condition> {
    call.context()
        .write(text)
        .map_err(|error| Condition::new(Identifier::File, format!("{}: {error}", call.name())))?;
    Ok(host::nil())
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
