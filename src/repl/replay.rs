//! Replays a transcript: types every input, compares every reply, and can write the replies anew.

use super::matching::matches;
use super::session::{Reply, Session};
use super::transcript::{Exchange, Step, Transcript, bless};
use crate::host::{TimeLimit, without_secrets};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The environment that a transcript's directives act on.
pub trait Environment {
    /// Carries out a directive, the text behind `;;;`; `folder` is where the files that it names are.
    ///
    /// # Errors
    /// A message if it is wrong.
    fn direct(
        &mut self,
        directive: &str,
        folder: &Path,
        session: &mut Session,
    ) -> Result<(), String>;
}

/// How a replay went.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Replies that agree.
    pub agreed: usize,
    /// The differences, each as text with file and line.
    pub differences: Vec<String>,
    /// The transcript with the replies that came; the same text where all agree.
    pub blessed: String,
    /// Why it ended before the transcript did.
    pub stop: Option<Stop>,
}

impl Outcome {
    /// Whether the transcript was replayed to its end and every reply agreed.
    pub fn agrees(&self) -> bool {
        self.differences.is_empty() && self.stop.is_none()
    }
}

/// Why a replay ended before its transcript did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// A directive could not be carried out, or a form took too long; the text begins with file and line.
    Failed(String),
    /// Somebody wanted it, with Ctrl-C for example; the text begins with file and line.
    Interrupted(String),
}

/// The reason that ended a replay.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How long each form may run. Default: 60 seconds, twice what a server has for an answer.
    pub time: Duration,
    /// Set from outside, ends the replay; whoever sets it also interrupts the host, so that the form that runs ends. Default: never set.
    pub interrupted: Arc<AtomicBool>,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { time: Duration::from_secs(60), interrupted: Arc::default() }
    }
}

/// Watches a replay: gets each prompt with its input, and the reply.
pub type Watch<'w> = &'w mut dyn FnMut(&str, &str);

/// Replays a transcript in a session.
///
/// # Errors
/// A transcript that cannot be read, with file and line, or that holds no input.
pub fn replay(
    text: &str,
    name: &str,
    folder: &Path,
    session: &mut Session,
    environment: &mut dyn Environment,
    limits: &Limits,
    watch: Watch<'_>,
) -> Result<Outcome, String> {
    let transcript =
        Transcript::parse(text).map_err(|(line, what)| format!("{name}:{line}: {what}"))?;
    if !transcript.steps.iter().any(|step| matches!(step, Step::Exchange(_))) {
        return Err(format!(
            "{name}: there is no input in it: no line begins with user(1): or another number"
        ));
    }
    let mut outcome = Outcome::default();
    let mut replies: Vec<(Exchange, String)> = Vec::new();
    for step in transcript.steps {
        let line = match &step {
            Step::Directive { line, .. } => *line,
            Step::Exchange(exchange) => exchange.line,
        };
        let interrupted = || {
            limits
                .interrupted
                .load(Ordering::SeqCst)
                .then(|| Stop::Interrupted(format!("{name}:{line}: interrupted")))
        };
        outcome.stop = interrupted();
        if outcome.stop.is_some() {
            break;
        }
        match step {
            Step::Directive { line, text } => {
                if let Err(what) = environment.direct(&text, folder, session) {
                    outcome.stop = Some(Stop::Failed(format!("{name}:{line}: {what}")));
                }
            }
            Step::Exchange(exchange) => {
                session.set_number(exchange.number);
                let prompt = session.prompt();
                let (reply, late) = evaluate(session, &exchange.input, limits.time);
                let too_long = || {
                    let first = first_line(&exchange.input);
                    Stop::Failed(format!(
                        "{name}:{line}: {first} was stopped, since it took longer than {} seconds",
                        limits.time.as_secs_f64()
                    ))
                };
                outcome.stop = interrupted().or_else(|| late.then(too_long));
                if outcome.stop.is_none() {
                    let actual = reply.text();
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
        if outcome.stop.is_some() {
            break;
        }
    }
    outcome.blessed = bless(text, &replies);
    Ok(outcome)
}

/// Evaluates an input; whether it was stopped because its time was up.
fn evaluate(session: &mut Session, input: &str, time: Duration) -> (Reply, bool) {
    let limit = TimeLimit::start(session.host(), time).ok(); // a system without room for a thread holds nobody to a time
    let reply = session.evaluate(input);
    let interrupted = reply.result.as_ref().is_err_and(|report| report.interrupted);
    (reply, interrupted && limit.is_some_and(|limit| limit.is_over()))
}

/// Identifies an input. A transcript may hold passwords, and messages about it go into logs.
fn first_line(input: &str) -> String {
    without_secrets(input).lines().next().unwrap_or("").to_owned()
}

/// `file:line: what was typed`, then the lines that differ, `-` expected and `+` what came.
fn difference(name: &str, exchange: &Exchange, actual: &str) -> String {
    let (expected, actual): (Vec<&str>, Vec<&str>) =
        (exchange.reply.lines().collect(), actual.lines().collect());
    let same_start =
        expected.iter().zip(&actual).take_while(|(expected, actual)| expected == actual).count();
    let same_end = expected[same_start..]
        .iter()
        .rev()
        .zip(actual[same_start..].iter().rev())
        .take_while(|(expected, actual)| expected == actual)
        .count();
    let mut text =
        format!("{name}:{}: the reply to {} differs\n", exchange.line, first_line(&exchange.input));
    let mut add = |sign: char, lines: &[&str]| {
        lines.iter().for_each(|line| text.push_str(&format!("  {sign} {line}\n")))
    };
    add(' ', &expected[same_start.saturating_sub(2)..same_start]);
    add('-', &expected[same_start..expected.len() - same_end]);
    add('+', &actual[same_start..actual.len() - same_end]);
    add(
        ' ',
        &expected[expected.len() - same_end..(expected.len() - same_end + 2).min(expected.len())],
    );
    text
}
