//! Runs other programs: one that takes letters as sendmail does, and one that prints a password.
//!
//! Threads read the output of a program to its end, and keep only its beginning, so that the
//! program never blocks on a full pipe. A program that exceeds its time is killed, and so is one
//! that runs when the user interrupts. Handing over a letter is a change that goes through no
//! connection, so the witness is asked (`witnessed`).

use super::secret;
use super::state::state;
use super::values::without_crlf;
use super::witnessed::witnessed;
use crate::client::smtp::Envelope;
use crate::condition::{Condition, Identifier};
use crate::host::Call;
use crate::proto::deed::{Change, Deed};
use crate::shown::escape_controls;
use std::io::{self, IsTerminal, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// The time limit for a delivery: as long as a client should wait for a server that has the whole
/// letter (RFC 5321 4.5.3.2.6).
const LONGEST_DELIVERY: Duration = Duration::from_secs(600);

/// The time limit for a lookup: enough to type the passphrase that a password manager asks for.
const LONGEST_LOOKUP: Duration = Duration::from_secs(120);

/// How often the program is polled.
const GLANCE: Duration = Duration::from_millis(10);

/// How many bytes of standard error are kept.
const MOST_WORDS: usize = 10_000;

/// How many characters of standard error an error's message shows.
const SHOWN_WORDS: usize = 300;

/// Hands a letter to a program, unless the witness refuses.
///
/// # Errors
/// Those of [`run`]; `:limit`.
pub(super) fn hand_over(
    call: &Call<'_>,
    words: &[String],
    envelope: &Envelope<'_>,
    letter: &[u8],
) -> Result<(), Condition> {
    let deed = Deed::new(Change::by_program(&words[0], envelope.to)).on(&words[0]);
    witnessed(call, &deed, |has_begun| match &state(call).mirrors {
        Some(mirrors) => {
            mirrors.hold_for_program(words, envelope.from, envelope.to, letter);
            Ok(())
        }
        None => run(call, words, envelope, letter, has_begun),
    })
}

/// Runs the program with `-i -f FROM -- TO …`, and the letter on standard input with LF line ends.
fn run(
    call: &Call<'_>,
    words: &[String],
    envelope: &Envelope<'_>,
    letter: &[u8],
    has_begun: &mut bool,
) -> Result<(), Condition> {
    let program = &words[0];
    let broken = |cause: &io::Error| {
        Condition::new(
            Identifier::ServerShutdownConnection,
            format!("{}: cannot run {program}: {cause}", call.name()),
        )
    };
    let mut command = Command::new(program);
    command.args(&words[1..]).args(["-i", "-f", envelope.from, "--"]).args(envelope.to);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|cause| broken(&cause))?;
    let (stdin, saying) = (child.stdin.take(), start_of(child.stderr.take(), MOST_WORDS));
    let lines = without_crlf(letter);
    let writer = thread::Builder::new()
        .spawn(move || stdin.map_or(Ok(()), |mut stdin| stdin.write_all(&lines)));
    let writer = writer.map_err(|cause| {
        let _ = child.kill().and_then(|()| child.wait()); // the program has read nothing yet
        broken(&cause)
    })?;
    *has_begun = true;
    let status = wait(&mut child, LONGEST_DELIVERY, &|| call.context().interrupted()).map_err(
        |(identifier, what)| {
            Condition::new(
                identifier,
                format!(
                    "{}: {program} {what} and was killed; it may have sent the letter",
                    call.name()
                ),
            )
        },
    )?;
    if !status.success() {
        let message = format!("{}: {program} ended {}", call.name(), code(status));
        return Err(Condition::new(Identifier::ErrorResponse, message)
            .with_server_string(words_of(&saying)));
    }
    // A program that reports success without having read the whole letter is not believed.
    writer.join().unwrap_or(Ok(())).map_err(|cause| broken(&cause))
}

/// Runs a program and returns the first line of its output, without the line end: the secret for
/// the key `key`. The program may ask at a terminal.
pub(super) fn first_line(
    call: &Call<'_>,
    key: &str,
    words: &[String],
) -> Result<Zeroizing<String>, Condition> {
    let program = escape_controls(&words[0]);
    let failed = |identifier, what: &str| {
        Condition::new(identifier, format!("{}: :{key}: {what}", call.name()))
    };
    let mut command = Command::new(&words[0]);
    // Standard input belongs to the script.
    command.args(&words[1..]).stdin(if io::stdin().is_terminal() {
        Stdio::inherit()
    } else {
        Stdio::null()
    });
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.map_err(|cause| {
        failed(Identifier::Authentication, &format!("cannot run {program}: {cause}"))
    })?;
    let (writing, saying) =
        (start_of(child.stdout.take(), secret::LONGEST), start_of(child.stderr.take(), MOST_WORDS));
    let status = wait(&mut child, LONGEST_LOOKUP, &|| call.context().interrupted()).map_err(
        |(identifier, what)| failed(identifier, &format!("{program} {what} and was killed")),
    )?;
    if !status.success() {
        // Its error output may repeat what it wrote.
        secret::line_of(&writing.recv_timeout(PATIENCE).unwrap_or_default())
            .iter()
            .for_each(|line| call.context().keep_secret(line));
        let words: String = escape_controls(&words_of(&saying).replace(['\r', '\n'], " "))
            .chars()
            .take(SHOWN_WORDS)
            .collect();
        let colon = if words.is_empty() { "" } else { ": " };
        return Err(failed(
            Identifier::Authentication,
            &format!("{program} ended {}{colon}{words}", code(status)),
        ));
    }
    let written = writing.recv_timeout(PATIENCE).unwrap_or_default();
    secret::line_of(&written).ok_or_else(|| {
        failed(Identifier::Authentication, &format!("what {program} wrote is not UTF-8"))
    })
}

fn code(status: ExitStatus) -> String {
    status.code().map_or_else(|| "by a signal".into(), |code| format!("with {code}"))
}

/// How long to wait for output after the program has ended: its children may keep the pipe open.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

fn words_of(saying: &Receiver<Zeroizing<Vec<u8>>>) -> String {
    String::from_utf8_lossy(&saying.recv_timeout(PATIENCE).unwrap_or_default()).trim().to_owned()
}

/// Returns the first bytes that a program writes. A thread reads all of them, so that the program
/// can end.
fn start_of(
    output: Option<impl Read + Send + 'static>,
    most: usize,
) -> Receiver<Zeroizing<Vec<u8>>> {
    let (said, saying) = channel();
    let reading = thread::Builder::new().spawn(move || {
        // Full capacity from the start: growing would leave copies of a password in memory.
        let mut start = Zeroizing::new(Vec::with_capacity(most + 1));
        if let Some(mut output) = output {
            let _ = output.by_ref().take(most as u64).read_to_end(&mut start); // whatever could be read counts
            let _ = said.send(start); // fails if the program was killed and nobody waits
            let _ = io::copy(&mut output, &mut io::sink()); // as above
        }
    });
    drop(reading); // without a thread the output is unknown, and its pipe is closed
    saying
}

/// Waits for the program to end. Kills it at the deadline or if the user interrupts.
pub(super) fn wait(
    child: &mut Child,
    longest: Duration,
    interrupted: &dyn Fn() -> bool,
) -> Result<ExitStatus, (Identifier, &'static str)> {
    let started = Instant::now();
    loop {
        let ended = match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if interrupted() => (Identifier::ServerShutdownConnection, "interrupted"),
            Ok(None) if started.elapsed() > longest => (Identifier::Timeout, "did not end in time"),
            Ok(None) => {
                thread::sleep(GLANCE);
                continue;
            }
            Err(_) => (Identifier::ServerShutdownConnection, "cannot be waited for"),
        };
        let _ = child.kill();
        let _ = child.wait(); // it was killed, so this returns
        return Err(ended);
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_does_not_end_is_killed() {
        let start = || Command::new("sleep").arg("1000").spawn().unwrap();
        assert_eq!(
            wait(&mut start(), Duration::ZERO, &|| false),
            Err((Identifier::Timeout, "did not end in time"))
        );
        assert_eq!(
            wait(&mut start(), LONGEST_LOOKUP, &|| true),
            Err((Identifier::ServerShutdownConnection, "interrupted"))
        );
    }
}
