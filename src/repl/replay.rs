//! Replays a transcript: types every input, compares every reply, and can write the replies anew.

use super::matching::matches;
use super::session::Session;
use super::transcript::{Exchange, Step, Transcript};
use std::path::Path;

/// What a transcript's directives act on.
pub trait Environment {
    /// Carries out a directive, the text behind `;;;`; `folder` is where the files that it names are.
    ///
    /// # Errors
    /// What is wrong with it.
    fn direct(&mut self, directive: &str, folder: &Path, session: &mut Session) -> Result<(), String>;
}

/// How a replay went.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Replies that agree.
    pub agreed: usize,
    /// What differs, each as a text with file and line.
    pub differences: Vec<String>,
    /// The transcript with the replies that came; the same text where all agree.
    pub blessed: String,
}

/// Watches a replay: gets each prompt with its input, and the reply.
pub type Watch<'w> = &'w mut dyn FnMut(&str, &str);

/// Replays a transcript in a session.
///
/// # Errors
/// A transcript that cannot be read and a directive that cannot be carried out, with file and line.
pub fn replay(
    text: &str,
    name: &str,
    folder: &Path,
    session: &mut Session,
    environment: &mut dyn Environment,
    watch: Watch<'_>,
) -> Result<Outcome, String> {
    let transcript = Transcript::parse(text).map_err(|(line, what)| format!("{name}:{line}: {what}"))?;
    let mut outcome = Outcome::default();
    let mut replies: Vec<(Exchange, String)> = Vec::new();
    for step in transcript.steps {
        match step {
            Step::Directive { line, text } => {
                environment.direct(&text, folder, session).map_err(|what| format!("{name}:{line}: {what}"))?
            }
            Step::Exchange(exchange) => {
                session.set_number(exchange.number);
                let prompt = session.prompt();
                let actual = session.evaluate(&exchange.input).text();
                watch(&format!("{prompt}{}", exchange.input), &actual);
                if matches(&exchange.reply, &actual) {
                    outcome.agreed += 1;
                } else {
                    outcome.differences.push(difference(name, &exchange, &actual));
                    replies.push((exchange, actual));
                }
            }
        }
    }
    outcome.blessed = bless(text, &replies);
    Ok(outcome)
}

/// `file:line: what was typed`, then the lines that differ, `-` expected and `+` what came.
fn difference(name: &str, exchange: &Exchange, actual: &str) -> String {
    let (expected, actual): (Vec<&str>, Vec<&str>) = (exchange.reply.lines().collect(), actual.lines().collect());
    let same_start = expected.iter().zip(&actual).take_while(|(expected, actual)| expected == actual).count();
    let same_end = expected[same_start..]
        .iter()
        .rev()
        .zip(actual[same_start..].iter().rev())
        .take_while(|(expected, actual)| expected == actual)
        .count();
    let mut text = format!("{name}:{}: the reply to {} differs\n", exchange.line, exchange.input.lines().next().unwrap_or(""));
    let mut add = |sign: char, lines: &[&str]| lines.iter().for_each(|line| text.push_str(&format!("  {sign} {line}\n")));
    add(' ', &expected[same_start.saturating_sub(2)..same_start]);
    add('-', &expected[same_start..expected.len() - same_end]);
    add('+', &actual[same_start..actual.len() - same_end]);
    add(' ', &expected[expected.len() - same_end..(expected.len() - same_end + 2).min(expected.len())]);
    text
}

/// The transcript's text with these replies in place of its own.
fn bless(text: &str, replies: &[(Exchange, String)]) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for (exchange, reply) in replies.iter().rev() {
        let mut new: Vec<String> = reply.lines().map(str::to_owned).collect();
        let prose_follows = lines.get(exchange.reply_lines.end).is_some_and(|line| !line.trim().is_empty());
        if exchange.reply_lines.is_empty() && prose_follows {
            new.push(String::new()); // or it would become part of the reply
        }
        lines.splice(exchange.reply_lines.clone(), new);
    }
    let mut blessed = lines.join("\n");
    if text.ends_with('\n') {
        blessed.push('\n');
    }
    blessed
}
