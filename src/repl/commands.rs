//! The prompt's own commands, as in Allegro's listener: `:help`, `:ld file.scm`, `:time (form)`.
//!
//! An input whose first word is a colon and one of [`NAMES`] is a command; any other keyword is a
//! form.

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `:help [NAME]`.
    Help(Option<String>),
    /// `:exit [STATUS]`.
    Exit(i32),
    /// `:ld FILE …`.
    Load(Vec<String>),
    /// `:trace on`, `:trace off`; without a word it shows the state.
    Trace(Option<bool>),
    /// `:history`.
    History,
    /// `:reset`.
    Reset,
    /// `:continue [N]`: takes a restart of a break level.
    Continue(usize),
    /// `:pop`: leaves a break level.
    Pop,
    /// `:zoom`: shows the error of a break level and its restarts again.
    Zoom,
    /// `:time FORM`.
    Time(String),
    /// `:bt`.
    Backtrace,
    /// `:print plain`, `:print pretty`; without a word it shows the state.
    Print(Option<bool>),
    /// `:more`.
    More,
}

/// The names of the commands, sorted.
pub const NAMES: &[&str] = &[
    "bt", "continue", "exit", "help", "history", "ld", "more", "pop", "print", "reset", "time",
    "trace", "zoom",
];

/// The text of `:help`.
pub const HELP: &str = "\
:help [NAME]         the functions, or what one of them takes and returns
:ld FILE …           runs the forms of files
:time FORM           evaluates a form and tells how long it took
:more                the last value whole, when it was cut to the screen
:print plain|pretty  values on one line and whole, as in transcripts, or laid out
:bt                  which functions led to the last error
:trace on|off        what goes over the wire, secrets replaced
:history             what was typed
:reset               closes all connections and forgets all definitions; at a break level, leaves all levels
:continue [N]        at a break level: takes restart N, or 0
:pop                 at a break level: leaves it
:zoom                at a break level: shows the error and the restarts again
:exit [STATUS]       logs out and leaves, as Ctrl-D
*, **, *** are the last three values, as arguments. Ctrl-C stops a form, Ctrl-R searches what was typed, Tab completes.
";

/// Parses an input as a command. Returns `None` for a form, which may be a keyword with another
/// name.
///
/// # Errors
/// A message if the words after the command are wrong.
pub fn parse(input: &str) -> Option<Result<Command, String>> {
    let (name, argument) = split(input)?;
    let wrong = |expected: &str| Err(format!(":{name}: expected {expected}, got {argument}"));
    let switch = |on: &str, off: &str| match argument {
        "" => Some(None),
        word if word == on => Some(Some(true)),
        word if word == off => Some(Some(false)),
        _ => None,
    };
    let alone = |command: Command| if argument.is_empty() { Ok(command) } else { wrong("nothing") };
    Some(match name {
        "help" if argument.contains(char::is_whitespace) => wrong("one name"),
        "help" => {
            Ok(Command::Help((!argument.is_empty()).then(|| {
                argument.trim_start_matches(['\'', '"']).trim_end_matches('"').to_owned()
            })))
        }
        "exit" if argument.is_empty() => Ok(Command::Exit(0)),
        "exit" => argument
            .parse::<u8>()
            .map(|status| Command::Exit(i32::from(status)))
            .or_else(|_| wrong("a status from 0 to 255")),
        "ld" if argument.is_empty() => Err(":ld: expected a file".to_owned()),
        "ld" => files(argument).map(Command::Load),
        "trace" => {
            switch("on", "off").map_or_else(|| wrong("on or off"), |on| Ok(Command::Trace(on)))
        }
        "print" => switch("plain", "pretty")
            .map_or_else(|| wrong("plain or pretty"), |plain| Ok(Command::Print(plain))),
        "time" if argument.is_empty() => Err(":time: expected a form".to_owned()),
        "time" => Ok(Command::Time(without_command(input).into_owned())),
        "history" => alone(Command::History),
        "reset" => alone(Command::Reset),
        "continue" if argument.is_empty() => Ok(Command::Continue(0)),
        "continue" => {
            argument.parse().map(Command::Continue).or_else(|_| wrong("the number of a restart"))
        }
        "pop" => alone(Command::Pop),
        "zoom" => alone(Command::Zoom),
        "bt" => alone(Command::Backtrace),
        _ => alone(Command::More),
    })
}

/// Splits a command into name and argument.
fn split(input: &str) -> Option<(&str, &str)> {
    let line = input.trim().strip_prefix(':')?;
    let (name, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    NAMES.contains(&name).then_some((name, argument.trim()))
}

/// Returns whether an input is a command that is complete on its line. Only the form of `:time` may
/// take more lines.
#[cfg(any(feature = "cli", test))]
pub fn is_one_line(input: &str) -> bool {
    split(input).is_some_and(|(name, argument)| name != "time" || argument.is_empty())
}

/// Returns the input with blanks in place of `:time`, so that the form after it keeps its place.
pub fn without_command(input: &str) -> std::borrow::Cow<'_, str> {
    let start = input.len() - input.trim_start().len();
    match input[start..].strip_prefix(":time") {
        Some(rest) if rest.starts_with(char::is_whitespace) => {
            format!("{}     {rest}", &input[..start]).into()
        }
        _ => input.into(),
    }
}

/// Splits names of files; names with blanks are in quotes.
fn files(argument: &str) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    let mut rest = argument;
    while !rest.is_empty() {
        let (name, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted
                .split_once('"')
                .ok_or_else(|| format!(":ld: the name {rest} has no closing quote"))?,
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        names.push(name.to_owned());
        rest = after.trim_start();
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read() {
        for (input, command) in [
            (":help", Command::Help(None)),
            (" :help 'fetch-parts\n", Command::Help(Some("fetch-parts".into()))),
            (":exit", Command::Exit(0)),
            (":exit 3", Command::Exit(3)),
            (":ld a.scm \"b c.scm\"", Command::Load(vec!["a.scm".into(), "b c.scm".into()])),
            (":trace on", Command::Trace(Some(true))),
            (":trace", Command::Trace(None)),
            (":print plain", Command::Print(Some(true))),
            (":print pretty", Command::Print(Some(false))),
            (":time (f\n 1)", Command::Time("      (f\n 1)".into())),
            (":bt", Command::Backtrace),
            (":more", Command::More),
            (":history", Command::History),
            (":reset", Command::Reset),
            (":continue", Command::Continue(0)),
            (":continue 2", Command::Continue(2)),
            (":pop", Command::Pop),
            (":zoom", Command::Zoom),
        ] {
            assert_eq!(parse(input), Some(Ok(command)), "{input}");
        }
        for (input, message) in [
            (":trace maybe", ":trace: expected on or off, got maybe"),
            (":exit now", ":exit: expected a status from 0 to 255, got now"),
            (":ld", ":ld: expected a file"),
            (":ld \"a", ":ld: the name \"a has no closing quote"),
            (":reset all", ":reset: expected nothing, got all"),
            (":continue -1", ":continue: expected the number of a restart, got -1"),
            (":help a b", ":help: expected one name, got a b"),
        ] {
            assert_eq!(parse(input), Some(Err(message.to_owned())), "{input}");
        }
        for form in [":seen", "(f :help)", ":helper", "'(:help)", ""] {
            assert_eq!(parse(form), None, "{form}");
        }
    }

    #[test]
    fn only_time_may_take_more_lines() {
        assert!(
            is_one_line(":ld it's.scm")
                && is_one_line(":help")
                && !is_one_line(":time (f")
                && !is_one_line("(f")
        );
    }

    #[test]
    fn help_tells_of_every_command() {
        assert!(NAMES.iter().all(|name| HELP.contains(&format!(":{name} "))));
        assert!(NAMES.is_sorted());
    }
}
