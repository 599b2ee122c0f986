//! The trace: what goes over the wire, a line each, secrets replaced.

use crate::proto::Secret;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Takes the lines of a trace; they end without a line end and begin with `C: ` or `S: `.
pub type TraceSink = Arc<dyn Fn(&str) + Send + Sync>;

/// One connection's trace.
#[derive(Default)]
pub struct Trace {
    sink: Option<TraceSink>,
    switch: Option<Arc<AtomicBool>>,
    secrets: Vec<Secret>,
    /// The server's line that has not ended yet.
    partial: Vec<u8>,
}

/// Lines of letters can be long; a trace shows their beginning.
const LONGEST: usize = 2000;

impl Trace {
    /// A trace into `sink`; `None` traces nothing and costs nothing.
    pub fn new(sink: Option<TraceSink>) -> Self {
        Trace { sink, ..Self::default() }
    }

    /// The same trace, off while this is `false`.
    pub fn switched_by(self, switch: Option<Arc<AtomicBool>>) -> Self {
        Trace { switch, ..self }
    }

    /// From now on this text shows as `#<secret>` wherever a server repeats it, as it is, quoted or in base 64.
    pub fn hide(&mut self, secret: &Secret) {
        // Very short passwords would turn the whole trace into secrets, and hide nothing from who can count.
        if secret.reveal().len() >= 3 {
            let quoted = Secret::new(secret.reveal().replace('\\', "\\\\").replace('"', "\\\""));
            let escaped = Secret::new(secret.reveal().as_bytes().escape_ascii().to_string()); // as excerpts are
            self.secrets.extend([quoted, escaped].into_iter().filter(|form| form != secret));
            self.secrets.push(Secret::new(BASE64_STANDARD.encode(secret.reveal())));
            self.secrets.push(secret.clone());
            // The longest first: one may be a part of another.
            self.secrets.sort_by_key(|secret| std::cmp::Reverse(secret.reveal().len()));
        }
    }

    /// Text with every known secret replaced; also the beginning of one where the text was cut with `…`.
    pub fn redact(&self, text: &str) -> String {
        let mut text = self
            .secrets
            .iter()
            .fold(text.to_owned(), |text, secret| text.replace(secret.reveal(), "#<secret>"));
        // An excerpt stands in quotes.
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

    /// What this side sends, redacted already.
    pub fn sent(&self, redacted: &[u8]) {
        if let Some(sink) = &self.sink {
            for line in
                redacted.strip_suffix(b"\r\n").unwrap_or(redacted).split(|byte| *byte == b'\n')
            {
                sink(&format!("C: {}", self.shown(line)));
            }
        }
    }

    /// Whether anyone looks.
    pub fn is_on(&self) -> bool {
        self.sink.is_some()
            && self.switch.as_ref().is_none_or(|switch| switch.load(Ordering::Relaxed))
    }

    /// What the server sends, in pieces of any size.
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

/// How many bytes of `secret`, from its first on and not all, `text` ends with; fewer than three tell nothing.
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
