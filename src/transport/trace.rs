//! The trace: every line that goes over the wire, either way, with secrets replaced by `#<secret>`.
//!
//! Commands arrive here redacted by the session that wrote them. Servers may echo a secret, so
//! lines received are searched for every known secret in each form it can take on the wire: as it
//! is, quoted, escaped as in an excerpt, and in base 64. A line that was cut may end with the
//! beginning of a secret, which is replaced too.

use crate::proto::Secret;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Receives each line of a trace, without its line end. Lines begin with `C: ` (sent) or `S: `
/// (received).
pub type TraceSink = Arc<dyn Fn(&str) + Send + Sync>;

/// One connection's trace.
#[derive(Default)]
pub struct Trace {
    sink: Option<TraceSink>,
    switch: Option<Arc<AtomicBool>>,
    secrets: Vec<Secret>,
    /// The beginning of a server's line whose end has not arrived yet.
    partial: Vec<u8>,
}

/// Lines of a trace are cut after this many bytes; lines of letters can be long.
const LONGEST: usize = 2000;

impl Trace {
    /// Creates a trace that writes to `sink`. With `None` nothing is traced, at no cost.
    pub fn new(sink: Option<TraceSink>) -> Self {
        Trace { sink, ..Self::default() }
    }

    /// Returns the trace with a switch: nothing is traced while it is `false`.
    pub fn switched_by(self, switch: Option<Arc<AtomicBool>>) -> Self {
        Trace { switch, ..self }
    }

    /// Replaces this secret by `#<secret>` from now on wherever a server repeats it: as it is,
    /// quoted, escaped or in base 64. Secrets shorter than 3 bytes are not replaced.
    pub fn hide(&mut self, secret: &Secret) {
        // Replacing very short passwords would garble the whole trace and hide nothing from anyone
        // who can count.
        if secret.reveal().len() >= 3 {
            let quoted = Secret::new(secret.reveal().replace('\\', "\\\\").replace('"', "\\\""));
            // in the form excerpts have
            let escaped = Secret::new(secret.reveal().as_bytes().escape_ascii().to_string());
            self.secrets.extend([quoted, escaped].into_iter().filter(|form| form != secret));
            self.secrets.push(Secret::new(BASE64_STANDARD.encode(secret.reveal())));
            self.secrets.push(secret.clone());
            // Longest first: one form may be part of another.
            self.secrets.sort_by_key(|secret| std::cmp::Reverse(secret.reveal().len()));
        }
    }

    /// Returns the text with every known secret replaced. If the text was cut and ends with `…`,
    /// the beginning of a secret at its end is replaced too.
    pub fn redact(&self, text: &str) -> String {
        let mut text = self
            .secrets
            .iter()
            .fold(text.to_owned(), |text, secret| text.replace(secret.reveal(), "#<secret>"));
        // The quote: excerpts are quoted.
        if let Some(whole) = text.strip_suffix("…\"").or_else(|| text.strip_suffix('…')) {
            let (end, begun) = (
                whole.len(),
                self.secrets
                    .iter()
                    .filter_map(|secret| beginning_at_end(whole, secret.reveal()))
                    .max(),
            );
            if let Some(length) = begun {
                text.replace_range(end - length..end, "#<secret>");
            }
        }
        text
    }

    /// Traces what this side sends. The caller has redacted it already.
    pub fn sent(&self, redacted: &[u8]) {
        if let Some(sink) = &self.sink {
            for line in
                redacted.strip_suffix(b"\r\n").unwrap_or(redacted).split(|byte| *byte == b'\n')
            {
                sink(&format!("C: {}", self.shown(line)));
            }
        }
    }

    /// Whether lines are traced now: there is a sink and the switch is on.
    pub fn is_on(&self) -> bool {
        self.sink.is_some()
            && self.switch.as_ref().is_none_or(|switch| switch.load(Ordering::Relaxed))
    }

    /// Traces what the server sends, in pieces of any size. Each line is shown once it is complete.
    pub fn received(&mut self, bytes: &[u8]) {
        let Some(sink) = self.sink.clone() else { return };
        for byte in bytes {
            if *byte == b'\n' {
                sink(&format!("S: {}", self.shown(&self.partial)));
                self.partial.clear();
            } else if self.partial.len() <= LONGEST {
                self.partial.push(*byte);
            }
        }
    }

    fn shown(&self, line: &[u8]) -> String {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let cut = if line.len() > LONGEST { "…" } else { "" };
        let line = &line[..line.len().min(LONGEST)];
        self.redact(&format!(
            "{}{cut}",
            crate::shown::escape_controls(&String::from_utf8_lossy(line))
        ))
    }
}

/// Returns how many bytes of the beginning of `secret`, but not all of it, stand at the end of
/// `text`. Fewer than three give nothing away and do not count.
fn beginning_at_end(text: &str, secret: &str) -> Option<usize> {
    (3..secret.len())
        .rev()
        .find(|length| secret.is_char_boundary(*length) && text.ends_with(&secret[..*length]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn secrets_and_control_characters_do_not_show() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = lines.clone();
        let mut trace = Trace::new(Some(Arc::new(move |line: &str| {
            sink.lock().unwrap().push(line.to_owned())
        })));
        trace.hide(&Secret::new("hunter2"));
        trace.sent(b"A1 LOGIN \"me\" #<secret>\r\n");
        trace.received(b"A1 NO no hun");
        trace.received(b"ter2 \x1b[2J\r\n* OK");
        assert_eq!(
            *lines.lock().unwrap(),
            ["C: A1 LOGIN \"me\" #<secret>", "S: A1 NO no #<secret> \\u{1b}[2J"]
        );
        assert_eq!(trace.redact("no hunter2, no hunt…"), "no #<secret>, no #<secret>…");
        assert_eq!(trace.redact("no hu… no hunt"), "no hu… no hunt");
        assert_eq!(trace.redact("near: \"A1 NO hun…\""), "near: \"A1 NO #<secret>…\"");
        for longest in LONGEST - 8..LONGEST + 8 {
            trace.received(format!("{} hunter2 and more\r\n", "x".repeat(longest)).as_bytes());
            let line = lines.lock().unwrap().pop().unwrap();
            assert!(!line.contains("hunt"), "{line}");
        }
    }
}
