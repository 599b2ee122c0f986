//! Shows the progress of long operations in one line on standard error.

use super::output::begin_line;
use crate::api::Progress;
use crate::api::progress::{Display, Moment};
use console::Term;
use indicatif::{
    HumanBytes, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike,
};
use std::io::{self, IsTerminal};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Returns a progress display if standard error is a terminal that can move its cursor; otherwise
/// one that shows nothing.
pub(super) fn on_terminal(quiet: bool) -> Progress {
    let dumb = std::env::var("TERM").is_ok_and(|terminal| terminal == "dumb");
    if quiet || dumb || !std::io::stderr().is_terminal() {
        Progress::default()
    } else {
        Progress::shown_by(Line::default())
    }
}

/// A line that is redrawn in place.
#[derive(Default)]
struct Line {
    bar: Mutex<Option<ProgressBar>>,
}

impl Display for Line {
    fn show(&self, moment: &Moment) {
        let mut bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = bar.get_or_insert_with(|| {
            begin_line();
            let bar = ProgressBar::with_draw_target(
                None,
                ProgressDrawTarget::term_like(Box::new(Narrow(Term::stderr()))),
            );
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                bar.set_style(style);
            }
            bar
        });
        bar.set_message(text(moment));
        bar.tick();
    }

    fn clear(&self) {
        if let Some(bar) = self.bar.lock().unwrap_or_else(PoisonError::into_inner).take() {
            bar.finish_and_clear();
        }
    }
}

/// The terminal without its last columns: the `^C` that it echoes must stay on the line that is
/// cleared.
#[derive(Debug)]
struct Narrow(Term);

impl TermLike for Narrow {
    fn width(&self) -> u16 {
        self.0.size().1.saturating_sub(8).max(10)
    }

    fn height(&self) -> u16 {
        self.0.size().0
    }

    fn move_cursor_up(&self, lines: usize) -> io::Result<()> {
        self.0.move_cursor_up(lines)
    }

    fn move_cursor_down(&self, lines: usize) -> io::Result<()> {
        self.0.move_cursor_down(lines)
    }

    fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
        self.0.move_cursor_right(columns)
    }

    fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
        self.0.move_cursor_left(columns)
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.0.write_line(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.write_str(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Returns the text of the line: `fetch-parts: 120 of 500 messages, 3.20 MiB, 1.10 MiB/s, 3 seconds
/// left`.
fn text(moment: &Moment) -> String {
    let seconds = moment.elapsed.as_secs_f64().max(0.001);
    let function = moment.function.as_str();
    let what = if function == "parallel-map" { "" } else { " messages" };
    let messages = match (moment.messages, moment.all_messages) {
        (0, None) => None,
        (0, Some(1)) => None,
        (done, Some(all)) if done <= all => Some(format!("{done} of {all}{what}")),
        (done, _) => Some(format!("{done} messages")),
    };
    let bytes = match moment.all_bytes {
        Some(all) if moment.bytes <= all => {
            format!("{} of {}", HumanBytes(moment.bytes), HumanBytes(all))
        }
        _ => HumanBytes(moment.bytes).to_string(),
    };
    let rate = format!("{}/s", HumanBytes((moment.bytes as f64 / seconds) as u64));
    let share = match (moment.all_bytes, moment.all_messages) {
        (Some(all), _) if all > 0 => Some(moment.bytes as f64 / all as f64),
        (None, Some(all)) if all > 1 => Some(moment.messages as f64 / all as f64),
        _ => None,
    };
    let left = share
        .filter(|share| *share > 0.0 && *share <= 1.0)
        .map(|share| seconds * (1.0 - share) / share);
    let left = left.map_or_else(
        || HumanDuration(moment.elapsed).to_string(),
        |left| format!("{} left", HumanDuration(Duration::from_secs_f64(left.min(1e6).ceil()))),
    );
    let work = moment.work.filter(|(_, all)| *all > 0);
    let work = work.map(|(done, all)| {
        let percent = u128::from(done) * 100 / u128::from(all);
        format!("{percent}% of the server's work")
    });
    let parts: Vec<String> = messages.into_iter().chain(work).chain([bytes, rate, left]).collect();
    format!("{function}: {}", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_much_how_fast_and_how_long() {
        let moment = Moment {
            function: "fetch-parts".into(),
            bytes: 2 << 20,
            all_bytes: None,
            messages: 100,
            all_messages: Some(400),
            work: None,
            elapsed: Duration::from_secs(2),
        };
        assert_eq!(
            text(&moment),
            "fetch-parts: 100 of 400 messages, 2.00 MiB, 1.00 MiB/s, 6 seconds left"
        );
        let parallel = Moment {
            function: "parallel-map".into(),
            messages: 12,
            all_messages: Some(50),
            bytes: 0,
            ..moment.clone()
        };
        assert_eq!(text(&parallel), "parallel-map: 12 of 50, 0 B, 0 B/s, 7 seconds left");
        let bytes = Moment {
            function: "save-letter".into(),
            all_bytes: Some(4 << 20),
            messages: 0,
            all_messages: None,
            ..moment.clone()
        };
        assert_eq!(text(&bytes), "save-letter: 2.00 MiB of 4.00 MiB, 1.00 MiB/s, 2 seconds left");
        let unknown = Moment {
            function: "copy-to-mailbox".into(),
            bytes: 0,
            messages: 0,
            all_messages: None,
            ..moment
        };
        assert_eq!(text(&unknown), "copy-to-mailbox: 0 B, 0 B/s, 2 seconds");
        let told = Moment { work: Some((u64::MAX / 2, u64::MAX)), ..unknown };
        assert_eq!(text(&told), "copy-to-mailbox: 49% of the server's work, 0 B, 0 B/s, 2 seconds");
    }
}
