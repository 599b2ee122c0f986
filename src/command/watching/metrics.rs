//! `--metrics FILE`: the counts as Prometheus text (exposition format 0.0.4), for the textfile
//! collector of the node exporter.

use super::board::{Key, Known, State, Watch};
use std::io::Write;
use std::path::Path;

/// A number of a watch.
type Number = fn(&Watch) -> Option<f64>;

/// Name, type, help and value of each metric of a watch.
const OF_WATCHES: &[(&str, &str, &str, Number)] = &[
    ("letters_arrived_total", "counter", "Letters that have arrived.", |watch| {
        Some(watch.arrived as f64)
    }),
    ("letters_handled_total", "counter", "Letters whose procedure has ended well.", |watch| {
        Some(watch.handled as f64)
    }),
    ("letters_failed_total", "counter", "Attempts whose procedure has failed.", |watch| {
        Some(watch.failed as f64)
    }),
    ("letters_set_aside_total", "counter", "Letters that are not tried again.", |watch| {
        Some(watch.set_aside as f64)
    }),
    (
        "letters_repeated_total",
        "counter",
        "Letters handled again because the connection was lost meanwhile.",
        |watch| Some(watch.repeated as f64),
    ),
    ("connections_lost_total", "counter", "Connections lost, or not made.", |watch| {
        Some(watch.lost as f64)
    }),
    ("connected", "gauge", "Whether the watch is connected.", |watch| {
        Some(f64::from(matches!(watch.state, State::Waiting(_) | State::Handling)))
    }),
    ("last_letter_timestamp_seconds", "gauge", "When letters arrived last.", |watch| {
        watch.last_letter.map(|time| time as f64 / 1000.0)
    }),
];

/// The metrics as text.
pub(super) fn text(scripts: &[String], known: &Known) -> String {
    let mut text = String::new();
    for (name, kind, help, number) in OF_WATCHES {
        let samples = known
            .watches
            .iter()
            .filter_map(|(key, watch)| Some((labels(scripts, key), number(watch)?)));
        family(&mut text, name, kind, help, samples);
    }
    let runs = known
        .scripts
        .iter()
        .map(|(number, script)| (label("script", name(scripts, *number)), f64::from(script.runs)));
    family(&mut text, "script_running", "gauge", "Whether the script runs.", runs);
    text
}

fn family(
    text: &mut String,
    name: &str,
    kind: &str,
    help: &str,
    samples: impl Iterator<Item = (String, f64)>,
) {
    let name = format!("postoffice_watch_{name}");
    text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    for (labels, number) in samples {
        text.push_str(&format!("{name}{{{labels}}} {number}\n"));
    }
}

fn name(scripts: &[String], number: usize) -> &str {
    scripts.get(number).map_or("", String::as_str)
}

fn labels(scripts: &[String], (number, account, mailbox, cursor): &Key) -> String {
    [
        label("script", name(scripts, *number)),
        label("account", account),
        label("mailbox", mailbox),
        label("cursor", cursor),
    ]
    .join(",")
}

fn label(name: &str, value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("{name}=\"{value}\"")
}

/// Writes the file whole or not at all. The collector, which is another user, may read it.
pub(super) fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    let mut file = builder.tempfile_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(text.as_bytes())?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::watching::board::ScriptState;

    #[test]
    fn the_documentation_has_each_metric() {
        let text = include_str!("../../../docs/watching.md");
        for (name, kind, ..) in OF_WATCHES {
            let row = format!("| `postoffice_watch_{name}` | {kind} |");
            assert!(text.contains(&row), "{row}");
        }
    }

    #[test]
    fn the_text_is_what_prometheus_reads() {
        let mut known = Known::default();
        let key = (0, "work".to_owned(), "a\"\\\nb".to_owned(), "c".to_owned());
        let watch = Watch { handled: 3, last_letter: Some(1500), ..Watch::default() };
        known.watches.insert(key, watch);
        known.scripts.insert(0, ScriptState { runs: true, ..ScriptState::default() });
        let text = text(&["s.scm".to_owned()], &known);
        let labels = r#"script="s.scm",account="work",mailbox="a\"\\\nb",cursor="c""#;
        for line in [
            "# TYPE postoffice_watch_letters_handled_total counter",
            &format!("postoffice_watch_letters_handled_total{{{labels}}} 3"),
            &format!("postoffice_watch_connected{{{labels}}} 0"),
            &format!("postoffice_watch_last_letter_timestamp_seconds{{{labels}}} 1.5"),
            r#"postoffice_watch_script_running{script="s.scm"} 1"#,
        ] {
            assert!(text.lines().any(|it| it == line), "{line}\n{text}");
        }
        assert!(text.ends_with('\n'));
    }
}
