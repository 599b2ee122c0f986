//! Replays a transcript: enters every input, compares every reply, and can write the transcript
//! with the new replies.
//!
//! Steps run in order in one session: directives go to the [`Environment`], inputs to
//! [`Session::evaluate`] under a time limit. A reply that differs is recorded and the replay
//! continues. A directive that fails, a form that takes too long, or an interrupt ends the replay.

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
    /// Carries out a directive, the text after `;;;`. `folder` is where the files are that it
    /// names.
    ///
    /// A message if the directive is wrong.
    fn direct(
        &mut self,
        directive: &str,
        folder: &Path,
        session: &mut Session,
    ) -> Result<(), String>;
}

/// The outcome of a replay.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The number of replies that agree.
    pub agreed: usize,
    /// The differences, each as text that starts with file and line.
    pub differences: Vec<String>,
    /// The transcript with the actual replies; the same text if all agree.
    pub blessed: String,
    /// The reason for an early end.
    pub stop: Option<Stop>,
}

impl Outcome {
    /// Returns whether the transcript was replayed to its end and every reply agreed.
    pub fn agrees(&self) -> bool {
        self.differences.is_empty() && self.stop.is_none()
    }
}

/// The reason why a replay ended before its transcript did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// A directive could not be carried out, or a form took too long; the text starts with file and
    /// line.
    Failed(String),
    /// It was interrupted, for example by Ctrl-C; the text starts with file and line.
    Interrupted(String),
}

/// The limits of a replay.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How long each form may run. Default: 60 seconds, twice the time that a server has for a
    /// response.
    pub time: Duration,
    /// A flag that ends the replay when it is set from outside. The code that sets it must also
    /// interrupt the host, so that the running form ends. Default: never set.
    pub interrupted: Arc<AtomicBool>,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { time: Duration::from_secs(60), interrupted: Arc::default() }
    }
}

/// A callback that gets each prompt with its input, and the reply.
pub type Watch<'w> = &'w mut dyn FnMut(&str, &str);

/// Replays a transcript in a session.
///
/// A transcript that cannot be read, with file and line, or one without inputs.
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

/// Evaluates an input. Also returns whether the time limit stopped it.
fn evaluate(session: &mut Session, input: &str, time: Duration) -> (Reply, bool) {
    let limit = TimeLimit::start(session.host(), time).ok(); // without room for another thread, the form runs without a limit
    let reply = session.evaluate(input);
    let interrupted = reply.result.as_ref().is_err_and(|report| report.interrupted);
    (reply, interrupted && limit.is_some_and(|limit| limit.is_over()))
}

/// Returns the first line of an input, to identify it in messages. Secrets are removed, because
/// messages go into logs.
fn first_line(input: &str) -> String {
    without_secrets(input).lines().next().unwrap_or("").to_owned()
}

/// Returns `file:line`, the start of the input, and the lines that differ: `-` expected, `+`
/// actual.
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
