//! Checks of transcripts: parsing, matching and blessing.

use postoffice::repl::Transcript;
use postoffice::repl::matching::matches;
use postoffice::repl::transcript::{Exchange, Step, bless};

/// Any text is a transcript, or refused with a line number. Blessing it with its own replies keeps
/// them; blessing it with another reply writes that one. The text after the first NUL is the other
/// reply.
pub fn transcript(data: &[u8]) {
    let text = &*String::from_utf8_lossy(data);
    let (text, other) = text.split_once('\0').unwrap_or((text, "other\n\nreply"));
    let lines = text.split('\n').count();
    let steps = match Transcript::parse(text) {
        Ok(transcript) => transcript.steps,
        Err((line, message)) => return assert!((1..=lines).contains(&line) && !message.is_empty()),
    };
    let mut before = 0;
    for step in &steps {
        match step {
            Step::Directive { line, .. } => {
                assert!((before + 1..=lines).contains(line));
                before = *line;
            }
            Step::Exchange(exchange) => {
                assert!(
                    exchange.input_lines.start >= before
                        && exchange.input_lines.end <= lines
                        && exchange.line == exchange.input_lines.start + 1
                );
                assert!(
                    exchange.reply_lines.start >= exchange.input_lines.end
                        && exchange.reply_lines.end <= lines
                );
                assert!(
                    matches(&exchange.reply, &exchange.reply),
                    "{:?} does not match itself",
                    exchange.reply
                );
                before = exchange.reply_lines.end.max(exchange.input_lines.end);
            }
        }
    }
    check_blessed(text, &steps, |exchange| exchange.reply.clone());
    check_blessed(text, &steps, |_| other.to_owned());
}

/// Checks that the blessed text has the same steps, with these replies.
fn check_blessed(text: &str, steps: &[Step], reply: impl Fn(&Exchange) -> String) {
    let exchanges = steps
        .iter()
        .filter_map(|step| if let Step::Exchange(exchange) = step { Some(exchange) } else { None });
    let replies: Vec<(Exchange, String)> =
        exchanges.map(|exchange| (exchange.clone(), reply(exchange))).collect();
    let blessed = bless(text, &replies);
    let again =
        Transcript::parse(&blessed).unwrap_or_else(|error| panic!("{error:?}: {blessed}")).steps;
    let shown = |step: &Step, reply: &dyn Fn(&Exchange) -> String| match step {
        Step::Directive { text, .. } => format!(";;; {text}"),
        Step::Exchange(exchange) => {
            format!("{} {:?} {:?}", exchange.number, exchange.input, reply(exchange))
        }
    };
    let expected: Vec<String> = steps.iter().map(|step| shown(step, &reply)).collect();
    let found: Vec<String> =
        again.iter().map(|step| shown(step, &|exchange| exchange.reply.clone())).collect();
    assert_eq!(found, expected, "{blessed:?}");
}
