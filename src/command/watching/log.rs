//! The log of `postoffice watch`, on standard error: lines for people, or JSON lines for programs.

use crate::api::{Event, Means, What};
use crate::command::output::complain;
use jiff::Timestamp;
use serde_json::{Value, json};

/// The form of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogForm {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object on each line
    Json,
}

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Info,
    /// Somebody should look at it.
    Warning,
    /// A script has failed.
    Error,
}

/// The log.
pub(super) struct Log {
    form: LogForm,
    /// Whether only what somebody should look at is logged.
    quiet: bool,
    /// Whether standard error leads to systemd's journal, which has times and levels of its own.
    to_journal: bool,
}

/// A line of the log, in its order.
type Fields = Vec<(&'static str, Value)>;

impl Log {
    pub(super) fn new(form: LogForm, quiet: bool) -> Log {
        Log { form, quiet, to_journal: leads_to_journal() }
    }

    /// Writes what has happened to a watch: `words` says it, without secrets; `error` is the event's
    /// error, if it has one.
    pub(super) fn event(&self, script: &str, event: &Event<'_>, words: &str, error: Option<&str>) {
        let level = if event.what.is_problem() { Level::Warning } else { Level::Info };
        let Event { account, mailbox, cursor, others, .. } = event;
        let mut place = vec![
            ("script", json!(script)),
            ("account", json!(account)),
            ("mailbox", json!(mailbox)),
            ("cursor", json!(cursor)),
        ];
        if !others.is_empty() {
            let other =
                |(mailbox, cursor): &(&str, &str)| json!({ "mailbox": mailbox, "cursor": cursor });
            place.push(("others", others.iter().map(other).collect()));
        }
        let fields = [place, fields_of(&event.what, error)].concat();
        self.write(level, &format!("{}: {words}", event.place(" ")), fields);
    }

    /// Writes what has happened to a script, or to the service.
    pub(super) fn note(&self, level: Level, script: Option<&str>, event: &str, words: &str) {
        let mut fields: Fields =
            script.map(|script| ("script", json!(script))).into_iter().collect();
        fields.push(("event", json!(event)));
        let place = script.map_or_else(String::new, |script| format!("{script}: "));
        self.write(level, &format!("{place}{words}"), fields);
    }

    fn write(&self, level: Level, words: &str, fields: Fields) {
        if self.quiet && level == Level::Info {
            return;
        }
        match self.form {
            LogForm::Json => {
                let level = match level {
                    Level::Info => "info",
                    Level::Warning => "warning",
                    Level::Error => "error",
                };
                let head = vec![("time", json!(now())), ("level", json!(level))];
                let fields = [head, fields, vec![("message", json!(words))]].concat();
                complain(&line(&fields));
            }
            LogForm::Text => {
                // sd-daemon(3) has the levels.
                let head = match level {
                    _ if !self.to_journal => local_time() + " ",
                    Level::Info => "<6>".to_owned(),
                    Level::Warning => "<4>".to_owned(),
                    Level::Error => "<3>".to_owned(),
                };
                // A report has several lines.
                for line in words.lines() {
                    complain(&format!("{head}{line}"));
                }
            }
        }
    }
}

/// The time as RFC 3339 has it.
fn now() -> String {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now).to_string()
}

fn local_time() -> String {
    crate::command::tables::time(Timestamp::now().as_millisecond())
}

/// A JSON object on one line, its fields in this order. Characters that could steer a terminal are
/// escaped.
fn line(fields: &[(&str, Value)]) -> String {
    let fields: Vec<String> =
        fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    harmless(&format!("{{{}}}", fields.join(",")))
}

/// JSON with the characters escaped that JSON allows in strings and terminals obey.
pub(super) fn harmless(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for character in json.chars() {
        let one = character.to_string();
        match crate::shown::escape_controls(&one) == one || character == '\n' {
            true => shown.push(character),
            false => shown.push_str(&format!("\\u{:04x}", u32::from(character))),
        }
    }
    shown
}

fn fields_of(what: &What<'_>, error: Option<&str>) -> Fields {
    let error = ("error", json!(error));
    let (name, fields) = match what {
        What::Begins => ("begins", vec![]),
        What::Connecting => ("connecting", vec![]),
        What::Waits(means) => {
            let means = match means {
                Means::Idle => "idle",
                Means::Notify => "notify",
                Means::Asking => "asking",
            };
            ("waits", vec![("means", json!(means))])
        }
        What::Lost { again, failures, .. } => {
            let again = ("again_seconds", json!(again.as_secs_f64()));
            ("lost", vec![error, again, ("failures", json!(failures))])
        }
        What::Arrived(count) => ("arrived", vec![("letters", json!(count))]),
        What::Handled { uid, took } => {
            ("handled", vec![("uid", json!(uid)), ("seconds", json!(took.as_secs_f64()))])
        }
        What::Failed { uid, attempts, again, .. } => {
            let again = ("again_seconds", json!(again.map(|again| again.as_secs_f64())));
            ("failed", vec![("uid", json!(uid)), ("attempts", json!(attempts)), error, again])
        }
        What::Repeats { uid } => ("repeats", vec![("uid", json!(uid))]),
        What::Left(count) => ("left", vec![("letters", json!(count))]),
        What::OtherUids => ("other-uids", vec![]),
        What::Ends => ("ends", vec![]),
    };
    [vec![("event", json!(name))], fields].concat()
}

/// Whether standard error is the stream that systemd connects to its journal (systemd.exec(5)).
#[cfg(unix)]
fn leads_to_journal() -> bool {
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let error = std::io::stderr().as_fd().try_clone_to_owned().map(std::fs::File::from);
    error
        .and_then(|error| error.metadata())
        .is_ok_and(|file| stream == format!("{}:{}", file.dev(), file.ino()))
}

#[cfg(not(unix))]
fn leads_to_journal() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_json_cannot_steer_a_terminal() {
        let fields = [("b", json!("\u{1b}[2J\u{9b}\u{202e}é\n")), ("a", json!(1))];
        let line = line(&fields);
        assert_eq!(line, r#"{"b":"\u001b[2J\u009b\u202eé\n","a":1}"#);
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["b"], fields[0].1);
    }
}
