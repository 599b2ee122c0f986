//! The examples for `(help 'name)` and the reference: one transcript, which a test replays.

/// The transcript. A line `## name name …` names the functions that the following lines show. Lines
/// that begin with `;;;` are left out.
pub const TRANSCRIPT: &str = include_str!("examples.repl");

/// Returns the exchanges under the heading with this name, as typed and answered; `None` if there
/// are none.
pub fn example(name: &str) -> Option<String> {
    section(|heading| heading.split_whitespace().any(|word| word == name))
}

/// Returns every name that has examples.
pub fn names() -> impl Iterator<Item = &'static str> {
    TRANSCRIPT.lines().filter_map(|line| line.strip_prefix("## ")).flat_map(str::split_whitespace)
}

fn section(is_it: impl Fn(&str) -> bool) -> Option<String> {
    let mut lines =
        TRANSCRIPT.lines().skip_while(|line| !line.strip_prefix("## ").is_some_and(&is_it));
    lines.next()?;
    let lines: Vec<&str> = lines
        .take_while(|line| !line.starts_with("## "))
        .filter(|line| !line.starts_with(";;;"))
        .collect();
    let text = lines.join("\n").trim().to_owned();
    (!text.is_empty()).then_some(text)
}
