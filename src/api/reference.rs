//! The reference of all functions, as text and as Markdown, made from the catalog.

use super::catalog::{TOPICS, Topic};
use super::examples::example;
use crate::host::Function;

/// Returns a signature: `(fetch-parts mb messages parts &key uid raw)`.
pub fn signature(name: &str, lambda_list: &str) -> String {
    if lambda_list.is_empty() {
        return name.to_owned();
    }
    let parameters = lambda_list
        .trim()
        .strip_prefix('(')
        .and_then(|list| list.strip_suffix(')'))
        .unwrap_or("")
        .trim();
    if parameters.is_empty() { format!("({name})") } else { format!("({name} {parameters})") }
}

/// Returns the functions of a topic that scripts may use; a `%` marks internal ones.
pub(super) fn functions(topic: &Topic) -> impl Iterator<Item = &Function> {
    topic.functions.iter().filter(|function| !function.name.starts_with('%'))
}

/// Returns every topic with the signatures of its functions.
pub fn by_topic() -> Vec<(&'static str, Vec<String>)> {
    let signatures = |topic: &Topic| {
        functions(topic).map(|function| signature(function.name, function.lambda_list)).collect()
    };
    TOPICS.iter().map(|topic| (topic.title, signatures(topic))).collect()
}

/// Returns the reference as Markdown.
pub fn markdown() -> String {
    let mut text = String::from(
        "# Reference\n\nThe functions of the mail interface, as `(help 'name)` tells of them at the prompt. `(help)` there lists the words of the language, too.\n\
         Keys stand behind `&key` and are given as `:key value`.\n\n\
         This file is made by `postoffice reference > docs/reference.md`.\n\n",
    );
    for topic in TOPICS {
        text.push_str(&format!("- [{}](#{})\n", topic.title, anchor(topic.title)));
    }
    for topic in TOPICS {
        text.push_str(&format!("\n## {}\n", topic.title));
        for function in functions(topic) {
            text.push_str(&format!(
                "\n### {}\n\n`{}`\n\n",
                function.name,
                signature(function.name, function.lambda_list)
            ));
            text.push_str(&paragraphs(function.doc));
            if let Some(example) = example(function.name) {
                text.push_str(&format!("\n{}\n", indented(&example)));
            }
        }
    }
    text
}

fn anchor(title: &str) -> String {
    title.to_lowercase().replace(' ', "-")
}

/// Returns a docstring as Markdown. Line breaks are kept, and Markdown's special characters are
/// escaped.
fn paragraphs(doc: &str) -> String {
    let lines: Vec<String> = doc.trim().lines().map(escaped).collect();
    format!("{}\n", lines.join("  \n"))
}

fn escaped(line: &str) -> String {
    let mut text = String::new();
    for character in line.chars() {
        if matches!(character, '\\' | '*' | '_' | '`' | '<' | '>' | '[' | ']' | '#') {
            text.push('\\');
        }
        text.push(character);
    }
    text
}

fn indented(example: &str) -> String {
    example
        .lines()
        .map(|line| if line.is_empty() { String::new() } else { format!("    {line}") })
        .collect::<Vec<_>>()
        .join("\n")
}
